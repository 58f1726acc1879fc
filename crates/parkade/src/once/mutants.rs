//! Protocols that look right and are not. Each has to fail under loom, or the models would not notice
//! such a mistake in the real one: `cargo xtask weaken` runs them.

use super::{
    model::{Shared, spawn},
    state::{Aim, End, Poison, Wish},
};
use crate::{
    model::{Policy, explore},
    parked::Parked,
};
use parkade_core::{DEFAULT_UNPARK_TOKEN, FilterOp, Moment, ParkRequest, ParkToken, UnparkResult};

/// Ends a run whose beginning was `shared`'s, with a filter of its own.
fn end_with(shared: &Shared, end: End, filter: impl FnMut(ParkToken) -> FilterOp) {
    let word = shared.raw.word();
    if word.try_end(end) {
        return;
    }
    let write = |result: UnparkResult| {
        word.end(end, result.have_more_threads.into());
        DEFAULT_UNPARK_TOKEN
    };
    // SAFETY: the key is the address of the `Once`; the callbacks only touch its word.
    unsafe { parkade_core::unpark_filter(shared.raw.key(), filter, write) };
}

const RUN: Wish = Wish { aim: Aim::Run, poison: Poison::Ignore };

/// An initialisation that fails wakes those to whom that is an error, and nobody to try again.
#[test]
#[ignore = "has to fail"]
fn fail_and_pick_no_starter() {
    explore(2, Policy::Stays, || {
        let shared = Shared::new();
        let _ = shared.raw.word().attempt(RUN);
        let other = spawn(&shared, |shared| {
            assert_eq!(shared.run(Poison::Ignore, 0, End::New), Ok(()));
        });
        end_with(&shared, End::Poisoned, |token| match Wish::of(token).poison {
            Poison::Heed => FilterOp::Unpark,
            Poison::Ignore => FilterOp::Skip,
        });
        other.join().unwrap();
    });
}

/// An initialisation that fails wakes the first in the queue, whatever that one has come for.
#[test]
#[ignore = "has to fail"]
fn fail_and_wake_who_cannot_begin() {
    explore(2, Policy::Stays, || {
        let shared = Shared::new();
        let _ = shared.raw.word().attempt(RUN);
        let others = [
            spawn(&shared, |shared| {
                shared.raw.wait(Poison::Ignore, None).unwrap();
            }),
            spawn(&shared, |shared| {
                assert_eq!(shared.run(Poison::Ignore, 0, End::New), Ok(()));
            }),
        ];
        let mut first = Some(FilterOp::Unpark);
        end_with(&shared, End::Poisoned, |_| first.take().unwrap_or(FilterOp::Stop));
        for other in others {
            other.join().unwrap();
        }
    });
}

/// Completion asks whether anybody is queued before it writes, not as it writes.
#[test]
#[ignore = "has to fail"]
fn look_at_the_queue_and_then_complete() {
    explore(2, Policy::Stays, || {
        let shared = Shared::new();
        let _ = shared.raw.word().attempt(RUN);
        let other = spawn(&shared, |shared| {
            assert_eq!(shared.run(Poison::Heed, 0, End::New), Ok(()));
        });
        let parked = shared.raw.word().is_parked();
        if parked {
            end_with(&shared, End::Done, |_| FilterOp::Unpark);
        } else {
            shared.raw.word().end(End::Done, Parked::None);
        }
        other.join().unwrap();
    });
}

/// A waiter that times out clears `PARKED` without asking the table whether others are queued.
#[test]
#[ignore = "has to fail"]
fn time_out_and_forget_the_others() {
    explore(2, Policy::Stays, || {
        let shared = Shared::new();
        let waiting = spawn(&shared, |shared| {
            shared.raw.wait(Poison::Ignore, None).unwrap();
        });
        let timed = spawn(&shared, |shared| {
            let wish = Wish { aim: Aim::Wait, poison: Poison::Heed };
            let request = ParkRequest::new(shared.raw.key())
                .token(wish.token())
                .deadline(Some(Moment::NEVER));
            let word = shared.raw.word();
            let prepare = || word.try_prepare_park(wish);
            let forget = |_| word.publish(Parked::None);
            // SAFETY: the key is the address of the `Once`; the callbacks only touch its word.
            unsafe { parkade_core::park_with(request, prepare, || {}, forget) };
        });
        assert_eq!(shared.run(Poison::Heed, 0, End::New), Ok(()));
        timed.join().unwrap();
        waiting.join().unwrap();
    });
}

/// A runner completes without the bucket lock, and then wakes whoever is queued at its address, though
/// that may be the address of another by then: here of a wait that has nothing to do with it.
#[test]
#[ignore = "has to fail"]
fn wake_at_an_address_that_was_given_away() {
    explore(2, Policy::Stays, || {
        let shared = Shared::new();
        let _ = shared.raw.word().attempt(RUN);
        let waiting = spawn(&shared, |shared| {
            shared.raw.wait(Poison::Ignore, None).unwrap();
            let request = ParkRequest::new(shared.raw.key()).deadline(Some(Moment::NEVER));
            // SAFETY: the key is the address of the `Once`; the callbacks touch nothing.
            let parked = unsafe { parkade_core::park_with(request, || true, || {}, |_| {}) };
            assert!(!parked.is_unparked(), "woken by the end of what has ended");
        });
        shared.raw.word().end(End::Done, Parked::None);
        // SAFETY: the key is an address that was ours.
        unsafe { parkade_core::unpark_all(shared.raw.key(), DEFAULT_UNPARK_TOKEN) };
        waiting.join().unwrap();
    });
}
