//! Protocols that look right and are not. Each has to fail under loom, or the models would not notice
//! such a mistake in the real one: `cargo xtask weaken` runs them.

use super::{
    model::{Tokens, UNTIL_BOTH, designated_gives_up, one_waiter, spawn, take_one, timeout_of_one},
    ticket::{Condition, Departed, Owner, Ticket},
};
use crate::{
    RawMutex,
    model::{Policy, explore},
    parked::Parked,
    requeue::{Conditions, Lock as _},
};
use loom::cell::Cell;
use parkade_core::{Departure, Moment, ParkRequest, ParkResult};

/// Releases believing `believed` of conditions, where that is not all false.
fn release_believing(raw: &RawMutex, doubt: Conditions, believed: Conditions) {
    let conditions = raw.look_at_conditions(raw.word().queue());
    raw.release_looked(if conditions == doubt { believed } else { conditions });
}

/// A release does not look.
#[test]
#[ignore = "has to fail"]
fn release_without_a_look() {
    one_waiter(2, Policy::Stays, |tokens| {
        tokens.put(1, |raw| raw.release_looked(Conditions::AllFalse));
    });
}

/// A fair release does not look.
#[test]
#[ignore = "has to fail"]
fn release_fairly_without_a_look() {
    one_waiter(2, Policy::Stays, |tokens| {
        tokens.put(1, |raw| raw.reserve_for_first(Conditions::AllFalse));
    });
}

/// A release that has put a thread in line does not look whether it is still there: it may have left at its deadline, and
/// another's condition is true.
#[test]
#[ignore = "has to fail"]
fn rely_on_one_in_line() {
    timeout_of_one(UNTIL_BOTH, |raw| {
        release_believing(raw, Conditions::OneInLine, Conditions::AllFalse);
    });
}

/// A release that has left the look to a designated thread does not make sure that it will.
#[test]
#[ignore = "has to fail"]
fn rely_on_a_designated_thread() {
    designated_gives_up(Policy::Stays, |raw| {
        release_believing(raw, Conditions::NotLookedAt, Conditions::AllFalse);
    });
}

/// A thread that waits, but lets go with `release`, and leaves at its deadline as `timed_out` says.
fn wait_with(
    tokens: &Tokens,
    deadline: Option<Moment>,
    release: impl FnOnce(),
    timed_out: impl FnOnce(&Ticket<'_>, Departure) -> Departed,
) {
    let raw = tokens.raw();
    let calls = Cell::new(0);
    let called = |there: &Cell<u32>| {
        calls.set(calls.get() + 1);
        there.get() > 0
    };
    // SAFETY: those who call it hold the lock; loom checks it.
    let condition = unsafe { Condition::new(&raw const tokens.there, called) };
    let ticket = Ticket::of_condition(&condition, Owner::Thread);
    let request = ParkRequest::new(raw.conditions_key())
        .token(ticket.token())
        .deadline(deadline)
        .deadline_ends_when_requeued();
    let departed = core::cell::Cell::new(Departed::Free);
    let validate = || {
        raw.word().publish_conditions(Parked::Some);
        true
    };
    // SAFETY: the key is that of the mutex; the callbacks touch its word, or unlock.
    let result = unsafe {
        parkade_core::park_with(request, validate, release, |departure| {
            departed.set(timed_out(&ticket, departure));
        })
    };
    if departed.get() == Departed::InUse {
        ticket.wait_until_done();
    }
    ticket.retire();
    calls.set(0);
    if let ParkResult::Unparked(_) = result {
        raw.acquire_designated();
        raw.release();
    }
}

/// A thread leaves at its deadline though its condition is being called.
#[test]
#[ignore = "has to fail"]
fn leave_while_pinned() {
    explore(2, Policy::Stays, || {
        let tokens = Tokens::new();
        let waiter = spawn(&tokens, |tokens| {
            let raw = tokens.raw();
            raw.acquire();
            let conditions = raw.about_to_wait();
            let deadline = Some(Moment::NEVER);
            wait_with(
                tokens,
                deadline,
                || raw.release_looked(conditions),
                |_, departure| {
                    raw.word().publish_conditions(departure.have_more_threads.into());
                    Departed::Free
                },
            );
        });
        tokens.put(1, RawMutex::release);
        waiter.join().unwrap();
    });
}

/// A thread that leaves at its deadline clears the bit, though another still waits.
#[test]
#[ignore = "has to fail"]
fn clear_for_all() {
    explore(1, Policy::Stays, || {
        let tokens = Tokens::new();
        tokens.raw().acquire();
        let waiter = spawn(&tokens, take_one);
        let raw = tokens.raw();
        wait_with(
            &tokens,
            Some(Moment::NEVER),
            || raw.release(),
            |ticket, _| {
                raw.word().publish_conditions(Parked::None);
                ticket.leave()
            },
        );
        tokens.put(1, RawMutex::release);
        waiter.join().unwrap();
    });
}

/// A thread lets go of the lock before it queues.
#[test]
#[ignore = "has to fail"]
fn queue_after_letting_go() {
    explore(2, Policy::Stays, || {
        let tokens = Tokens::new();
        let waiter = spawn(&tokens, |tokens| {
            let raw = tokens.raw();
            raw.acquire();
            let there = tokens.there.get();
            raw.release();
            if there == 0 {
                wait_with(tokens, None, || {}, |_, _| Departed::Free);
            }
        });
        tokens.put(1, RawMutex::release);
        waiter.join().unwrap();
    });
}
