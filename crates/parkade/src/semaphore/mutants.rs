//! Protocols that look right and are not. Each has to fail under loom, or the models would not notice
//! such a mistake in the real one: `cargo xtask weaken` runs them.

use super::{
    call::Call,
    model::{Barging, Fifo, Shared, join, permits, spawn},
    state::{Attempt, Claim, Excess, Otherwise, Role, SemaphorePolicy, Waking},
};
use crate::model::{Policy, explore};
use core::{
    cell::Cell,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};
use parkade_core::{
    DEFAULT_UNPARK_TOKEN, Departure, FilterOp, Moment, ParkRequest, ParkResult, ParkToken,
    UnparkResult,
};
use std::sync::Arc;

/// Queues and sleeps, unless it need not; leaves the queue at the deadline, if there is one, and does nothing else.
fn park(shared: &Shared, want: usize, deadline: Option<Moment>) -> ParkResult {
    let word = shared.raw.word();
    let request = ParkRequest::new(shared.raw.key()).token(ParkToken(want << 1)).deadline(deadline);
    let queues = || {
        let attempt = word.attempt(permits(want), Role::Newcomer, Otherwise::Queue);
        matches!(attempt, Attempt::Short(_))
    };
    let leaves = |left: Departure| word.depart(left.have_more_threads.into(), Claim::None);
    // SAFETY: the key is the address of the semaphore; the callbacks only touch its word.
    unsafe { parkade_core::park_with(request, queues, || {}, leaves) }
}

/// A waiter whose deadline passes in the queue leaves it and looks after nobody.
fn time_out_and_look_after_nobody(policy: SemaphorePolicy) {
    explore(2, Policy::Stays, move || {
        let shared = Shared::new(2, policy);
        shared.acquire(2);
        let timed = spawn(&shared, |shared| {
            park(shared, 2, Some(Moment::NEVER));
        });
        let waiting = spawn(&shared, |shared| shared.acquire(1));
        shared.release(1);
        join([timed, waiting]);
    });
}

#[test]
#[ignore = "has to fail"]
fn time_out_at_the_head_and_grant_nobody() {
    time_out_and_look_after_nobody(Fifo);
}

#[test]
#[ignore = "has to fail"]
fn time_out_at_the_head_and_wake_nobody() {
    time_out_and_look_after_nobody(Barging);
}

/// When a grant takes the permits out of the word.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Taking {
    AsItGoes,
    Afterwards,
}

/// Gives one permit back and then grants, to whom `unfit` does not stop at.
fn release_and_grant(shared: &Shared, unfit: FilterOp, taking: Taking) {
    let (raw, granted) = (&shared.raw, Cell::new(0));
    shared.let_go(1);
    let given = raw.word().give(1, Excess::Saturate);
    if !given.is_some_and(|state| state.parked()) {
        return;
    }
    let filter = |ParkToken(shown)| {
        let want = shown >> 1;
        let fits = match taking {
            Taking::AsItGoes => raw.word().try_grant(permits(want)),
            Taking::Afterwards => want <= raw.state().permits() - granted.get(),
        };
        if !fits {
            return unfit;
        }
        granted.set(granted.get() + want);
        FilterOp::Unpark
    };
    let callback = |result: UnparkResult| {
        raw.word().settle(result.have_more_threads.into(), Waking::Keep);
        if taking == Taking::Afterwards {
            assert_eq!(raw.word().forget(granted.get()), granted.get(), "what was granted is gone");
        }
        DEFAULT_UNPARK_TOKEN
    };
    // SAFETY: the key is the address of the semaphore; the callbacks only touch its word.
    unsafe { parkade_core::unpark_filter(raw.key(), filter, callback) };
}

/// A grant publishes that nobody is queued any more, and takes the permits out of the word afterwards.
#[test]
#[ignore = "has to fail"]
fn grant_and_subtract_later() {
    explore(3, Policy::Stays, || {
        let shared = Shared::new(1, Fifo);
        shared.acquire(1);
        let waiting = spawn(&shared, |shared| shared.turn(1));
        let trying = spawn(&shared, |shared| shared.turn(1));
        release_and_grant(&shared, FilterOp::Stop, Taking::Afterwards);
        join([waiting, trying]);
        shared.check();
    });
}

/// A release looks whether anybody is queued before it adds, not as it adds.
#[test]
#[ignore = "has to fail"]
fn look_at_the_queue_and_then_release() {
    explore(2, Policy::Stays, || {
        let shared = Shared::new(1, Fifo);
        shared.acquire(1);
        let waiting = spawn(&shared, |shared| shared.turn(1));
        if shared.raw.state().parked() {
            shared.release(1);
        } else {
            shared.let_go(1);
            let _ = shared.raw.word().give(1, Excess::Saturate);
        }
        join([waiting]);
    });
}

/// The designated thread takes its permits and looks after nobody, though more have come back since it was woken.
#[test]
#[ignore = "has to fail"]
fn take_as_designated_and_pass_nothing_on() {
    explore(2, Policy::Stays, || {
        let shared = Shared::new(2, Barging);
        shared.acquire(2);
        let first = spawn(&shared, |shared| {
            if park(shared, 1, None).is_unparked() {
                let _ = shared.raw.word().attempt(permits(1), Role::Designated, Otherwise::Leave);
            }
        });
        let second = spawn(&shared, |shared| shared.acquire(1));
        shared.release(2);
        join([first, second]);
    });
}

/// The designated thread gives up and looks once, while it still is designated: what comes back meanwhile wakes nobody.
#[test]
#[ignore = "has to fail"]
fn give_up_and_look_only_as_designated() {
    explore(2, Policy::Stays, || {
        let shared = Shared::new(2, Barging);
        shared.acquire(2);
        let quitter = spawn(&shared, |shared| {
            if park(shared, 2, None).is_unparked() {
                shared.raw.look_as(Role::Designated, Call::with_all());
            } else {
                shared.raw.release(2);
            }
        });
        let waiting = spawn(&shared, |shared| shared.turn(2));
        shared.release(1);
        shared.release(1);
        join([quitter, waiting]);
    });
}

/// Under first come, first served, a grant goes on behind a request that does not fit: the large one can starve.
#[test]
#[ignore = "has to fail"]
fn skip_who_wants_more() {
    explore(2, Policy::Stays, || {
        let shared = Shared::new(2, Fifo);
        shared.acquire(2);
        let large_served = Arc::new(AtomicBool::new(false));
        let served = large_served.clone();
        let large = spawn(&shared, move |shared| {
            shared.acquire(2);
            served.store(true, Relaxed);
            shared.release(2);
        });
        let small = spawn(&shared, move |shared| {
            let is_second = shared.raw.state().parked();
            shared.acquire(1);
            assert!(!is_second || large_served.load(Relaxed), "it has overtaken who was queued");
            shared.release(1);
        });
        release_and_grant(&shared, FilterOp::Skip, Taking::AsItGoes);
        shared.release(1);
        join([large, small]);
    });
}
