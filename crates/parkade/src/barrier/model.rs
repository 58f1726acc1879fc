//! Barriers under loom; each model's doc line says which transitions (`state.rs`) it covers.
//!
//! None weakens an ordering of arriving: there is none but the bucket lock's and the notice's (B1, B2, N1, N2).

use super::{
    future::Party,
    raw::{Failed, RawBarrier, Role},
};
use crate::{
    model::{Executor, Policy, block_on, explore, explore_only, join, spawn},
    task::{Handle, Queue, Waiting},
};
use core::pin::pin;
use loom::{
    cell::UnsafeCell,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};
use parkade_core::Moment;

/// A barrier, a cell for each of two parties, and what has come of their waits.
pub(super) struct Shared {
    pub(super) raw: RawBarrier,
    cells: [UnsafeCell<u32>; 2],
    pub(super) leaders: AtomicU32,
    pub(super) passed: AtomicU32,
}

impl Shared {
    pub(super) fn new(parties: u32) -> Arc<Shared> {
        Arc::new(Shared {
            raw: RawBarrier::new(parties),
            cells: [UnsafeCell::new(0), UnsafeCell::new(0)],
            leaders: AtomicU32::new(0),
            passed: AtomicU32::new(0),
        })
    }

    pub(super) fn touch(&self, index: usize) {
        // SAFETY: between two meetings one thread has it; loom checks it.
        self.cells[index].with_mut(|cell| unsafe { *cell += 1 });
    }

    pub(super) fn look(&self, index: usize) -> u32 {
        // SAFETY: between two meetings nobody writes it; loom checks it.
        self.cells[index].with(|cell| unsafe { *cell })
    }

    /// Waits, and counts who passes and who leads.
    pub(super) fn wait(&self, deadline: Option<Moment>) -> Result<Role, Failed> {
        let ended = self.raw.wait(deadline);
        self.count(ended);
        ended
    }

    pub(super) fn count(&self, ended: Result<Role, Failed>) {
        self.passed.fetch_add(u32::from(ended.is_ok()), Relaxed);
        self.leaders.fetch_add(u32::from(ended == Ok(Role::Leader)), Relaxed);
    }

    /// So many have passed, in so many generations, and nobody is thought to wait.
    pub(super) fn check(&self, passed: u32, generations: u32) {
        let found = (self.passed.load(Relaxed), self.leaders.load(Relaxed), self.raw.waiting());
        assert_eq!(found, (passed, generations, 0), "passed, leaders, waiting");
    }

    /// One party of two: writes its own cell, meets the other, reads the other's, meets it again, and writes.
    fn exchange(&self, index: usize) {
        self.touch(index);
        assert!(self.wait(None).is_ok());
        assert_eq!(self.look(1 - index), 1);
        assert!(self.wait(None).is_ok());
        self.touch(index);
    }
}

/// covers: G3 G4 (two meet, and meet again: each sees what the other has written, and neither is ahead by a
/// generation; each generation has a leader)
#[test]
fn model_barrier_again() {
    explore(2, Policy::Stays, || {
        let shared = Shared::new(2);
        let other = spawn(&shared, |shared| shared.exchange(0));
        shared.exchange(1);
        join([other]);
        shared.check(4, 2);
    });
}

/// covers: G3 G4 (three meet: one leads, and all see what the first has written)
#[test]
fn model_barrier_three() {
    explore_only(1, Policy::Stays, || {
        let shared = Shared::new(3);
        let others = [0, 1].map(|index| {
            spawn(&shared, move |shared| {
                shared.touch(index);
                assert!(shared.wait(None).is_ok());
                assert_eq!([shared.look(0), shared.look(1)], [1, 1]);
            })
        });
        assert!(shared.wait(None).is_ok());
        assert_eq!([shared.look(0), shared.look(1)], [1, 1]);
        join(others);
        shared.check(3, 1);
    });
}

/// covers: G3 G4 (one comes round, and meets another, while the one of its first generation has not run yet)
#[test]
fn model_barrier_comes_round() {
    explore(2, Policy::Stays, || {
        let shared = Shared::new(2);
        let wait = |shared: &Shared| assert!(shared.wait(None).is_ok());
        let first = spawn(&shared, wait);
        wait(&shared);
        let second = spawn(&shared, wait);
        wait(&shared);
        join([first, second]);
        shared.check(4, 2);
    });
}

/// covers: G3 G4 G5 (three come to a barrier of two, and nobody waits for long: two pass, or none)
#[test]
fn model_barrier_three_for_two() {
    explore_only(1, Policy::Stays, || {
        let shared = Shared::new(2);
        let wait = |shared: &Shared| {
            let _ = shared.wait(Some(Moment::NEVER));
        };
        let others = [spawn(&shared, wait), spawn(&shared, wait)];
        wait(&shared);
        join(others);
        let generations = shared.leaders.load(Relaxed);
        shared.check(2 * generations, generations);
    });
}

/// covers: G3 G4 G5 (a deadline races the last arrival: both pass or neither, and nothing is left behind)
#[test]
fn model_barrier_timeout() {
    explore(3, Policy::Stays, || {
        let shared = Shared::new(2);
        let other = spawn(&shared, |shared| {
            let _ = shared.wait(Some(Moment::NEVER));
        });
        let ended = shared.wait(Some(Moment::NEVER));
        join([other]);
        let generations = u32::from(ended.is_ok());
        shared.check(2 * generations, generations);
    });
}

/// covers: G3 G4 G5 (an arrival that was taken back is not counted: the others wait for somebody else)
#[test]
fn model_barrier_timeout_beside_another() {
    explore(2, Policy::Stays, || {
        let shared = Shared::new(2);
        let timed_out = |shared: &Shared| shared.wait(Some(Moment::NEVER)).is_err();
        let others = [
            spawn(&shared, move |shared| {
                if timed_out(shared) {
                    assert!(shared.wait(None).is_ok());
                }
            }),
            spawn(&shared, |shared| assert!(shared.wait(None).is_ok())),
        ];
        join(others);
        shared.check(2, 1);
    });
}

/// covers: G3 G4 G5 (of three parties one gives up while the others wait, and another takes its place)
#[test]
fn model_barrier_timeout_of_three() {
    explore_only(1, Policy::Stays, || {
        let shared = Shared::new(3);
        let wait = |shared: &Shared| assert!(shared.wait(None).is_ok());
        let others = [spawn(&shared, wait), spawn(&shared, wait)];
        if shared.wait(Some(Moment::NEVER)).is_err() {
            wait(&shared);
        }
        join(others);
        shared.check(3, 1);
    });
}

/// covers: G1 G2 G3 G4 (aborting races the last arrival: one verdict for both, and whoever learns of it sees
/// what was done before)
#[test]
fn model_barrier_abort() {
    explore(2, Policy::Stays, || {
        let shared = Shared::new(2);
        let others = [
            spawn(&shared, |shared| {
                if shared.wait(None) == Err(Failed::Aborted) {
                    assert_eq!(shared.look(0), 1);
                }
            }),
            spawn(&shared, |shared| {
                shared.touch(0);
                shared.raw.abort();
            }),
        ];
        let ended = shared.wait(None);
        if ended == Err(Failed::Aborted) {
            assert_eq!(shared.look(0), 1);
        }
        join(others);
        let generations = u32::from(ended.is_ok());
        shared.check(2 * generations, generations);
        assert_eq!(shared.wait(None), Err(Failed::Aborted));
    });
}

/// covers: G1 G2 (one that does not wait asks whether it is aborted)
#[test]
fn model_barrier_abort_seen() {
    explore(3, Policy::Stays, || {
        let shared = Shared::new(2);
        let other = spawn(&shared, |shared| {
            shared.touch(0);
            shared.raw.abort();
        });
        if shared.raw.is_aborted() {
            assert_eq!(shared.look(0), 1);
        }
        join([other]);
        assert!(shared.raw.is_aborted());
    });
}

/// covers: G1 G3 G5 (aborting races a deadline)
#[test]
fn model_barrier_abort_and_timeout() {
    explore(2, Policy::Stays, || {
        let shared = Shared::new(3);
        let others = [
            spawn(&shared, |shared| assert!(shared.wait(Some(Moment::NEVER)).is_err())),
            spawn(&shared, |shared| {
                assert_eq!(shared.wait(None), Err(Failed::Aborted));
            }),
        ];
        shared.raw.abort();
        join(others);
        shared.check(0, 0);
    });
}

/// A task that comes to the barrier by some queue.
pub(super) struct Comes<Q>(pub(super) Q);

impl<Q: Queue<Want = ()>> Handle for Comes<Q> {
    type Queue = Q;
    type Output = Q::Got;

    fn queue(&self) -> &Q {
        &self.0
    }

    fn want(&self) {}

    fn finish(self, got: Q::Got) -> Q::Got {
        got
    }
}

/// covers: G3 G4 (a task and a thread meet, and meet again)
#[test]
fn model_barrier_task() {
    explore(2, Policy::Stays, || {
        let shared = Shared::new(2);
        let other = spawn(&shared, |shared| shared.exchange(0));
        let meet = || {
            let ended = block_on(Waiting::new(Comes(Party::of(&shared.raw))));
            shared.count(ended);
        };
        shared.touch(1);
        meet();
        assert_eq!(shared.look(0), 1);
        meet();
        shared.touch(1);
        join([other]);
        shared.check(4, 2);
    });
}

/// A task arrives, by the queue that `party` makes, and is dropped; the other party may come before, meanwhile and after. The
/// future is asked for its end no more, so whether its generation was complete only the other one knows.
pub(super) fn a_party_is_dropped<'a, Q: Queue<Want = (), Got = Result<Role, Failed>>>(
    party: impl Fn(Party<'a>) -> Q + Copy + Send + Sync + 'static,
) {
    explore(2, Policy::Stays, move || {
        let shared = Shared::new(2);
        let dropped = spawn(&shared, move |shared| {
            // SAFETY: models join their threads, whose futures are gone then, before they drop what is shared.
            let raw = unsafe { &*core::ptr::from_ref(&shared.raw) };
            let mut waiting = pin!(Waiting::new(Comes(party(Party::of(raw)))));
            if let core::task::Poll::Ready(ended) = Executor::new().poll(waiting.as_mut()) {
                shared.count(ended);
            }
        });
        let ended = shared.wait(Some(Moment::NEVER));
        join([dropped]);
        assert_eq!(shared.raw.waiting(), 0, "counted, and not there");
        let passed = shared.passed.load(Relaxed);
        // Both, or the other alone, which was the last; or nobody.
        assert!(ended.is_ok() == (passed > 0) && (passed != 1 || ended == Ok(Role::Leader)));
    });
}

/// covers: G3 G4 G5 (a task is dropped as the last one arrives)
#[test]
fn model_barrier_task_dropped() {
    a_party_is_dropped(|party| party);
}
