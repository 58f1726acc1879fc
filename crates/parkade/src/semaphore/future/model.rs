//! Tasks that wait for permits, under loom.

use super::super::{
    model::{Barging, Fifo, Shared, join, permits, spawn},
    raw::{Ended, RawSemaphore, park_token},
    state::{Permits, SemaphorePolicy},
};
use crate::{
    model::{Executor, Policy, block_on, explore, explore_only},
    task::{Handle, Waiting},
};
use core::{pin::pin, task::Poll};

/// A handle of the semaphore, as a future has it.
pub(super) struct Of<'a>(pub(super) &'a RawSemaphore, pub(super) Permits);

impl Handle for Of<'_> {
    type Queue = RawSemaphore;
    type Output = Ended;

    fn queue(&self) -> &RawSemaphore {
        self.0
    }

    fn want(&self) -> Permits {
        self.1
    }

    fn finish(self, ended: Ended) -> Ended {
        ended
    }
}

fn acquire(shared: &Shared, want: usize) -> Waiting<Of<'_>> {
    Waiting::new(Of(&shared.raw, permits(want)))
}

fn task_turn(shared: &Shared, want: usize) {
    assert_eq!(block_on(acquire(shared, want)), Ended::Acquired);
    shared.hold(want);
    shared.release(want);
}

/// covers: K1 K3 K4 K5 (a task and a thread, for one permit and for two)
#[test]
fn model_semaphore_task() {
    for policy in [Fifo, Barging] {
        for want in [1, 2] {
            explore(3, Policy::Stays, move || {
                let shared = Shared::new(2, policy);
                shared.acquire(2);
                let task = spawn(&shared, move |shared| task_turn(shared, want));
                shared.release(1);
                shared.release(1);
                shared.turn(2);
                join([task]);
                shared.check();
            });
        }
    }
}

/// A task is dropped at any time after its first poll; another, or a thread, waits behind it for less.
pub(super) fn dropped<H: Handle<Output = Ended>>(
    policy: SemaphorePolicy,
    wait: impl Fn(&'static Shared, usize) -> Waiting<H> + Copy + Send + Sync + 'static,
) {
    explore_only(2, Policy::Stays, move || {
        let shared = Shared::new(2, policy);
        shared.acquire(2);
        let first = spawn(&shared, move |shared| {
            let mut future = pin!(wait(forever(shared), 2));
            if Executor::new().poll(future.as_mut()) == Poll::Ready(Ended::Acquired) {
                shared.hold(2);
                shared.release(2);
            }
        });
        let second = spawn(&shared, |shared| task_turn(shared, 1));
        shared.release(2);
        join([first, second]);
        shared.check();
    });
}

/// What is borrowed by a thread is joined before it goes away.
fn forever(shared: &Shared) -> &'static Shared {
    // SAFETY: models join their threads, whose futures are gone then, before they drop what is shared.
    unsafe { &*core::ptr::from_ref(shared) }
}

/// covers: K5 K6 (permits are conserved when tasks are dropped in any state)
#[test]
fn model_semaphore_task_dropped() {
    for policy in [Fifo, Barging] {
        dropped(policy, acquire);
    }
}

/// A future is queued and not polled again; the thread that has polled it then waits itself.
pub(super) fn behind_a_task_that_is_not_polled(
    policy: SemaphorePolicy,
    release: impl Fn(&Shared) + Send + Sync + 'static,
) {
    explore(2, Policy::Stays, move || {
        let shared = Shared::new(1, policy);
        shared.acquire(1);
        let other = spawn(&shared, |shared| {
            let mut first = pin!(acquire(shared, 1));
            if Executor::new().poll(first.as_mut()) == Poll::Ready(Ended::Acquired) {
                shared.hold(1);
                return shared.release(1);
            }
            shared.turn(1);
        });
        release(&shared);
        join([other]);
        shared.check();
    });
}

/// covers: K5 (the thread behind a task that was woken competes)
#[test]
fn model_semaphore_task_never_polled() {
    for policy in [Fifo, Barging] {
        behind_a_task_that_is_not_polled(policy, |shared| shared.release(1));
    }
}

/// covers: K5 K7 (a thread that was woken because a task was before it, and loses against that, passes on as its deadline passes)
#[test]
fn model_semaphore_task_thread_behind_gives_up() {
    for policy in [Fifo, Barging] {
        explore_only(1, Policy::Stays, move || {
            let shared = Shared::new(2, policy);
            shared.acquire(2);
            let mut task = pin!(acquire(&shared, 1));
            assert_eq!(Executor::new().poll(task.as_mut()), Poll::Pending);
            let gives_up = spawn(&shared, |shared| {
                if shared.raw.acquire_or_give_up_once_woken(permits(2)) == Ended::Acquired {
                    shared.hold(2);
                    shared.release(2);
                }
            });
            let last = spawn(&shared, |shared| shared.turn(1));
            let queued = parkade_core::snapshot_of(shared.raw.key());
            let loses = queued.len() == 3 && queued[1].token == park_token(permits(2));
            shared.release(2);
            let give_back = |polled| {
                if polled == Poll::Ready(Ended::Acquired) {
                    shared.hold(1);
                    shared.release(1);
                }
            };
            let polled = Executor::new().poll(task.as_mut());
            if loses {
                // What the task gets it keeps, and the last is to have the rest.
                join([gives_up, last]);
                give_back(polled);
                task.set(acquire(&shared, 1));
            } else {
                give_back(polled);
                task.set(acquire(&shared, 1));
                join([gives_up, last]);
            }
            shared.check();
        });
    }
}

/// covers: K9 K11 (a task that waits is told)
#[test]
fn model_semaphore_task_closed() {
    explore(3, Policy::Stays, || {
        let shared = Shared::new(0, Fifo);
        let task = spawn(&shared, |shared| {
            assert_eq!(block_on(acquire(shared, 1)), Ended::Closed);
            shared.touch(0);
        });
        // What happens before is seen by who is told.
        shared.touch(0);
        shared.raw.close();
        join([task]);
    });
}
