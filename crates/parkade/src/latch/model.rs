//! Latches and groups under loom; each model's doc line says which transitions (`state.rs`) it covers.

use super::raw::{RawLatch, Waited};
use crate::{
    model::{Executor, Policy, block_on, explore, explore_only, join, spawn},
    task::{Handle, Waiting},
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

/// A latch, and what threads do before they count down: a cell for each.
pub(super) struct Shared {
    pub(super) raw: RawLatch,
    done: [UnsafeCell<u32>; 2],
    pub(super) ended: AtomicU32,
}

impl Shared {
    pub(super) fn new(count: u32) -> Arc<Shared> {
        let done = [UnsafeCell::new(0), UnsafeCell::new(0)];
        Arc::new(Shared { raw: RawLatch::new(count), done, ended: AtomicU32::new(0) })
    }

    pub(super) fn work(&self, index: usize) {
        // SAFETY: one thread for each cell, before it counts down; loom checks it.
        self.done[index].with_mut(|done| unsafe { *done += 1 });
    }

    pub(super) fn work_and_count_down(&self, index: usize) {
        self.work(index);
        assert_eq!(self.raw.count_down(1), Ok(()));
    }

    pub(super) fn look(&self, index: usize) -> u32 {
        // SAFETY: nobody writes once the latch is open; loom checks it.
        self.done[index].with(|done| unsafe { *done })
    }

    pub(super) fn wait_and_look(&self) {
        self.wait();
        assert_eq!([self.look(0), self.look(1)], [1, 1]);
    }

    pub(super) fn wait(&self) {
        assert_eq!(self.raw.wait(None), Waited::Open);
    }

    /// Open, and nobody is thought to wait.
    pub(super) fn check(&self) {
        assert!(self.raw.is_open() && !self.raw.word().is_parked(), "left {:?}", self.raw);
    }
}

/// covers: D1 D2 D3 D4 (two count down, one waits for both, and sees what both have done)
#[test]
fn model_latch_three() {
    explore(3, Policy::Stays, || {
        let shared = Shared::new(2);
        let others = [0, 1].map(|index| spawn(&shared, move |s| s.work_and_count_down(index)));
        shared.wait_and_look();
        join(others);
        shared.check();
    });
}

/// covers: D3 D4 (two wait: all are woken; the count goes down by two at once)
#[test]
fn model_latch_parked() {
    explore(3, Policy::Stays, || {
        let shared = Shared::new(2);
        let others = [(); 2].map(|()| spawn(&shared, Shared::wait_and_look));
        shared.work(0);
        shared.work(1);
        assert_eq!(shared.raw.count_down(2), Ok(()));
        join(others);
        shared.check();
    });
}

/// covers: D2 D3 (one that does not wait sees that it was opened under the bucket lock)
#[test]
fn model_latch_late() {
    explore(3, Policy::Stays, || {
        let shared = Shared::new(1);
        let others = [
            spawn(&shared, Shared::wait),
            spawn(&shared, |shared| {
                if shared.raw.is_open() {
                    assert_eq!(shared.look(0), 1);
                }
            }),
        ];
        shared.work_and_count_down(0);
        join(others);
        shared.check();
    });
}

/// covers: D1 D2 D4 (threads meet: each counts down and waits)
#[test]
fn model_latch_arrive_and_wait() {
    explore(3, Policy::Stays, || {
        let shared = Shared::new(2);
        let other = spawn(&shared, |shared| {
            shared.work_and_count_down(0);
            shared.wait_and_look();
        });
        shared.work_and_count_down(1);
        shared.wait_and_look();
        join([other]);
        shared.check();
    });
}

/// covers: D3 D4 D5 (a deadline races the opening, with another waiter in the queue)
#[test]
fn model_latch_timeout() {
    explore(3, Policy::Stays, || {
        let shared = Shared::new(1);
        let others = [
            spawn(&shared, |shared| {
                if shared.raw.wait(Some(Moment::NEVER)) == Waited::Open {
                    assert_eq!(shared.look(0), 1);
                }
            }),
            spawn(&shared, |shared| {
                shared.wait();
                assert_eq!(shared.look(0), 1);
            }),
        ];
        shared.work_and_count_down(0);
        join(others);
        shared.check();
    });
}

/// covers: D1 D3 (of two who count down the last one, one succeeds)
#[test]
fn model_latch_below_zero() {
    explore(3, Policy::Stays, || {
        let shared = Shared::new(1);
        let count = |shared: &Shared| {
            if shared.raw.count_down(1).is_ok() {
                shared.ended.fetch_add(1, Relaxed);
            }
        };
        let others = [spawn(&shared, count), spawn(&shared, Shared::wait)];
        count(&shared);
        join(others);
        assert_eq!(shared.ended.load(Relaxed), 1);
        shared.check();
    });
}

/// covers: D1 D3 (what memory may be gone: who opens does not touch the word that a waiter has overwritten)
#[test]
fn model_latch_freed_by_the_waiter() {
    explore(3, Policy::Stays, || {
        let shared = Shared::new(1);
        let waiting = spawn(&shared, |shared| {
            shared.wait();
            // The memory is another's now.
            assert!(!shared.raw.word().try_prepare_park());
            shared.raw.word().overwrite();
        });
        assert_eq!(shared.raw.count_down(1), Ok(()));
        join([waiting]);
        assert!(shared.raw.word().is_overwritten(), "written after it was freed");
    });
}

/// covers: D1 D3 D6 (a member brings in another while one waits for both)
#[test]
fn model_group_joins() {
    explore(3, Policy::Stays, || {
        let shared = Shared::new(2);
        let member = spawn(&shared, |shared| {
            assert!(shared.raw.join());
            for index in 0..2 {
                shared.work(index);
                shared.raw.leave();
            }
        });
        assert_eq!(shared.raw.wait_for_others(None), Waited::Open);
        assert_eq!([shared.look(0), shared.look(1)], [1, 1]);
        join([member]);
        shared.check();
    });
}

/// covers: D1 D3 D6 (a member brings in another while the others leave, one of which waits)
#[test]
fn model_group_joins_as_others_leave() {
    explore(3, Policy::Stays, || {
        let shared = Shared::new(3);
        let others = [
            spawn(&shared, |shared| {
                assert!(shared.raw.join());
                shared.raw.leave();
                shared.work(0);
                shared.raw.leave();
            }),
            spawn(&shared, |shared| {
                shared.work(1);
                shared.raw.leave();
            }),
        ];
        assert_eq!(shared.raw.wait_for_others(None), Waited::Open);
        assert_eq!([shared.look(0), shared.look(1)], [1, 1]);
        join(others);
        shared.check();
    });
}

/// covers: D5 D6 (two wait for each other, one of them with a deadline; nothing is lost if it is too early)
#[test]
fn model_group_rejoins() {
    explore(2, Policy::Stays, || {
        let shared = Shared::new(3);
        let others = [
            spawn(&shared, |shared| {
                shared.work(0);
                if shared.raw.wait_for_others(Some(Moment::NEVER)) == Waited::TimedOut {
                    // It is a member again, and the others wait for it.
                    shared.raw.leave();
                }
            }),
            spawn(&shared, |shared| {
                shared.work(1);
                shared.raw.leave();
            }),
        ];
        assert_eq!(shared.raw.wait_for_others(None), Waited::Open);
        assert_eq!([shared.look(0), shared.look(1)], [1, 1]);
        join(others);
        shared.check();
    });
}

struct Of<'a>(&'a RawLatch);

impl Handle for Of<'_> {
    type Queue = RawLatch;
    type Output = ();

    fn queue(&self) -> &RawLatch {
        self.0
    }

    fn want(&self) {}

    fn finish(self, (): ()) {}
}

/// covers: D1 D2 D3 D4 (a task waits for two who count down, and sees what both have done)
#[test]
fn model_latch_task() {
    explore_only(2, Policy::Stays, || {
        let shared = Shared::new(2);
        let others = [0, 1].map(|index| spawn(&shared, move |s| s.work_and_count_down(index)));
        block_on(Waiting::new(Of(&shared.raw)));
        assert_eq!([shared.look(0), shared.look(1)], [1, 1]);
        join(others);
        shared.check();
    });
}

/// covers: D3 D4 D5 (a task is dropped before, while, and after the latch opens, with a thread in the queue)
#[test]
fn model_latch_task_dropped() {
    explore(2, Policy::Stays, || {
        let shared = Shared::new(1);
        let others = [
            spawn(&shared, |shared| {
                let mut waiting = pin!(Waiting::new(Of(&shared.raw)));
                if Executor::new().poll(waiting.as_mut()).is_ready() {
                    assert_eq!(shared.look(0), 1);
                }
            }),
            spawn(&shared, |shared| {
                shared.wait();
                assert_eq!(shared.look(0), 1);
            }),
        ];
        shared.work_and_count_down(0);
        join(others);
        shared.check();
    });
}
