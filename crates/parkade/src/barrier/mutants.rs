//! Protocols that look right and are not. Each has to fail under loom, or the models would not notice
//! such a mistake in the real one: `cargo xtask weaken` runs them.

use super::{
    future::Party,
    model::{Shared, a_party_is_dropped},
    raw::{Failed, Role},
    state::{Arrival, Process},
};
use crate::{
    crowd::{self, Crowd},
    model::{Policy, explore, join, spawn},
    task::{Queue, Standing},
};
use loom::sync::atomic::Ordering::Relaxed;
use parkade_core::{Departure, Moment, ParkRequest, ParkResult, UnparkToken};

const PASSED: UnparkToken = UnparkToken(0);
const ABORTED: UnparkToken = UnparkToken(1);

/// Whether one of two would do (2) first.
fn is_last(shared: &Shared) -> bool {
    shared.raw.word().seems_due(2, Process::current())
}

/// The last one arrives: (2), of which `crowd` says what becomes of the queue in the same hold.
fn complete(shared: &Shared, crowd: Crowd) -> Arrival {
    let decide = || {
        let arrival = shared.raw.word().try_complete(2, Process::current());
        (arrival, if arrival == Arrival::Completes { crowd } else { Crowd::Stays })
    };
    // SAFETY: the key is the address of the barrier; the callback only touches its word.
    unsafe { crowd::decide(shared.raw.key(), decide) }
}

/// Another arrives: (1), and leaves with `timed_out` if its time is up.
fn park(
    shared: &Shared,
    deadline: Option<Moment>,
    timed_out: impl FnOnce(Departure),
) -> ParkResult {
    let request = ParkRequest::new(shared.raw.key()).deadline(deadline);
    let arrive = || shared.raw.word().try_arrive(2, Process::current());
    // SAFETY: the key is the address of the barrier; the callbacks only touch its word.
    unsafe { parkade_core::park_with(request, arrive, || {}, timed_out) }
}

fn wake_all(shared: &Shared, token: UnparkToken) {
    // SAFETY: the key is the address of the barrier.
    unsafe { parkade_core::unpark_all(shared.raw.key(), token) };
}

/// The last one sets the count back, and takes the others off the queue in a second hold: who has come
/// meanwhile, for the next generation, is woken with them.
#[test]
#[ignore = "has to fail"]
fn complete_and_then_wake() {
    explore(1, Policy::Stays, || {
        let shared = Shared::new(2);
        let wait = |shared: &Shared| {
            if is_last(shared) && complete(shared, Crowd::Stays) == Arrival::Completes {
                wake_all(shared, PASSED);
                shared.count(Ok(Role::Leader));
            } else if park(shared, Some(Moment::NEVER), |_| shared.raw.word().withdraw())
                .is_unparked()
            {
                shared.count(Ok(Role::Follower));
            }
        };
        let others = [spawn(&shared, wait), spawn(&shared, wait)];
        wait(&shared);
        join(others);
        assert!(shared.passed.load(Relaxed) <= 2);
    });
}

/// A waiter that times out leaves its arrival behind.
#[test]
#[ignore = "has to fail"]
fn time_out_and_stay_counted() {
    explore(2, Policy::Stays, || {
        let shared = Shared::new(2);
        let other = spawn(&shared, |shared| {
            let _ = park(shared, Some(Moment::NEVER), |_| {});
        });
        let ended = shared.wait(Some(Moment::NEVER));
        join([other]);
        assert!(ended == Err(Failed::TimedOut) || shared.raw.waiting() == 0);
        shared.check(0, 0);
    });
}

/// A waiter that times out takes its arrival back after it has left the queue.
#[test]
#[ignore = "has to fail"]
fn time_out_and_then_withdraw() {
    explore(2, Policy::Stays, || {
        let shared = Shared::new(2);
        let other = spawn(&shared, |shared| {
            let _ = shared.wait(Some(Moment::NEVER));
        });
        if park(&shared, Some(Moment::NEVER), |_| {}) == ParkResult::TimedOut {
            assert_eq!(shared.passed.load(Relaxed), 0, "has passed alone");
            shared.raw.word().withdraw();
        }
        join([other]);
        assert_eq!(shared.raw.waiting(), 0);
    });
}

/// Who aborts wakes those who wait before it marks the word: who comes in between waits for ever.
#[test]
#[ignore = "has to fail"]
fn wake_and_then_abort() {
    explore(2, Policy::Stays, || {
        let shared = Shared::new(2);
        let waiting = spawn(&shared, |shared| {
            assert_eq!(shared.wait(None), Err(Failed::Aborted));
        });
        wake_all(&shared, ABORTED);
        shared.raw.word().abort();
        join([waiting]);
    });
}

/// Who aborts marks the word without the bucket lock: a mark is lost in the count of who arrives just then.
#[test]
#[ignore = "has to fail"]
fn abort_without_the_bucket_lock() {
    explore(2, Policy::Stays, || {
        let shared = Shared::new(3);
        let other = spawn(&shared, |shared| {
            let _ = shared.wait(Some(Moment::NEVER));
        });
        shared.raw.word().abort();
        wake_all(&shared, ABORTED);
        join([other]);
        assert!(shared.raw.is_aborted(), "forgotten");
    });
}

/// A waiter is told nothing, and asks the word how its generation has ended: it may be the next one's by then.
#[test]
#[ignore = "has to fail"]
fn ask_the_word_how_it_has_ended() {
    explore(2, Policy::Stays, || {
        let shared = Shared::new(2);
        let other = spawn(&shared, |shared| {
            if shared.wait(Some(Moment::NEVER)).is_ok() {
                shared.raw.abort();
            }
        });
        if park(&shared, Some(Moment::NEVER), |_| shared.raw.word().withdraw()).is_unparked() {
            assert!(!shared.raw.is_aborted(), "told that it has failed, when the other has passed");
        }
        join([other]);
    });
}

/// A task that is dropped leaves its arrival behind.
struct StaysCounted<'a>(Party<'a>);

impl Queue for StaysCounted<'_> {
    type Want = ();
    type Got = Result<Role, Failed>;

    fn try_take(&self, (): (), standing: Standing) -> Option<Result<Role, Failed>> {
        self.0.try_take((), standing)
    }

    fn request(&self, (): ()) -> ParkRequest {
        self.0.request(())
    }

    fn prepare(&self, (): (), standing: Standing) -> bool {
        self.0.prepare((), standing)
    }

    fn woken(&self, (): (), token: UnparkToken) -> Option<Result<Role, Failed>> {
        self.0.woken((), token)
    }

    fn left(&self, (): (), _: Departure) {}

    fn pass_on(&self, (): (), token: UnparkToken) {
        self.0.pass_on((), token);
    }
}

#[test]
#[ignore = "has to fail"]
fn drop_a_task_and_stay_counted() {
    a_party_is_dropped(StaysCounted);
}
