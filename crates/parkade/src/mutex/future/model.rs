//! Tasks that lock, under loom.

use super::super::RawMutex;
use crate::{
    model::{Executor, Policy, Shared, block_on, explore, explore_only, join, spawn},
    task::{Handle, Waiting},
};
use core::pin::pin;

/// A handle of the lock, as a future has it.
pub(super) struct Of<'a>(pub(super) &'a RawMutex);

impl Handle for Of<'_> {
    type Queue = RawMutex;
    type Output = ();

    fn queue(&self) -> &RawMutex {
        self.0
    }

    fn want(&self) {}

    fn finish(self, (): ()) {}
}

pub(super) fn lock(shared: &Shared<RawMutex>) -> Waiting<Of<'_>> {
    Waiting::new(Of(&shared.raw))
}

fn task_locks(shared: &Shared<RawMutex>) {
    block_on(lock(shared));
    shared.touch();
    shared.raw.release();
}

/// covers: M1 R1 R2 A1 A2 P1 P2 P3 (a task waits for a thread, and a thread for a task)
#[test]
fn model_task_and_thread() {
    explore(3, Policy::Returns, || {
        let shared = Shared::<RawMutex>::new();
        let task = spawn(&shared, task_locks);
        shared.lock_touch_unlock();
        task.join().unwrap();
        shared.check(2);
    });
}

/// covers: P1 P3 M3 (tasks and a thread in one queue)
#[test]
fn model_task_mixed() {
    explore_only(2, Policy::Stays, || {
        let shared = Shared::<RawMutex>::new();
        shared.raw.word().make_symmetric();
        shared.raw.acquire();
        let others =
            [spawn(&shared, task_locks), spawn(&shared, |shared| shared.lock_touch_unlock())];
        shared.touch();
        shared.raw.release();
        join(others);
        shared.check(3);
    });
}

/// A task is polled once and then dropped, before, while or after it is woken; another waits behind it.
pub(super) fn a_task_is_dropped<H: Handle>(
    wait: impl Fn(&'static Shared<RawMutex>) -> Waiting<H> + Copy + Send + Sync + 'static,
) {
    explore_only(2, Policy::Stays, move || {
        let shared = Shared::<RawMutex>::new();
        shared.raw.word().make_symmetric();
        shared.raw.acquire();
        let dropped = spawn(&shared, move |shared| {
            let mut future = pin!(wait(forever(shared)));
            if Executor::new().poll(future.as_mut()).is_ready() {
                shared.raw.release();
            }
        });
        let other = spawn(&shared, task_locks);
        shared.raw.release();
        join([dropped, other]);
        shared.check(1);
    });
}

/// covers: A1 A2 R1 P3 (announcers are tasks, and the one whose fence binds the release is dropped)
#[test]
fn model_task_dropped_asymmetric() {
    explore_only(2, Policy::Returns, || {
        let shared = Shared::<RawMutex>::new();
        let dropped = spawn(&shared, |shared| {
            let mut future = pin!(lock(shared));
            if Executor::new().poll(future.as_mut()).is_ready() {
                shared.raw.release();
            }
        });
        let other = spawn(&shared, task_locks);
        shared.lock_touch_unlock();
        join([dropped, other]);
        shared.check(2);
    });
}

/// What is borrowed by a thread is joined before it goes away.
fn forever(shared: &Shared<RawMutex>) -> &'static Shared<RawMutex> {
    // SAFETY: models join their threads, whose futures are gone then, before they drop what is shared.
    unsafe { &*core::ptr::from_ref(shared) }
}

/// covers: P3 (dropped before, while and after it is woken; whoever waits behind it gets its turn)
#[test]
fn model_task_dropped() {
    a_task_is_dropped(lock);
}

/// A future is queued and not polled again; the thread that has polled it then waits as `wait` says. The future is the one
/// whom the release has woken, and it must not matter.
fn behind_a_future_that_is_not_polled(
    release: impl Fn(&Shared<RawMutex>) + Send + Sync + 'static,
    wait: impl Fn(&std::sync::Arc<Executor>, &Shared<RawMutex>) + Copy + Send + Sync + 'static,
) {
    explore(2, Policy::Stays, move || {
        let shared = Shared::<RawMutex>::new();
        shared.raw.word().make_symmetric();
        shared.raw.acquire();
        let other = spawn(&shared, move |shared| {
            let task = Executor::new();
            let mut first = pin!(lock(shared));
            if task.poll(first.as_mut()).is_pending() {
                wait(&task, shared);
            }
            shared.touch();
            shared.raw.release();
        });
        release(&shared);
        other.join().unwrap();
        shared.check(1);
    });
}

pub(super) fn a_thread_behind_a_task_that_is_not_polled(
    release: impl Fn(&Shared<RawMutex>) + Send + Sync + 'static,
) {
    behind_a_future_that_is_not_polled(release, |_, shared| shared.raw.acquire());
}

/// RFD 609: it is polled, because the first was woken.
pub(super) fn another_future_of_the_task<H: Handle>(
    wait: impl Fn(&'static Shared<RawMutex>) -> Waiting<H> + Copy + Send + Sync + 'static,
) {
    behind_a_future_that_is_not_polled(
        |shared| shared.raw.release(),
        move |task, shared| drop(task.run(pin!(wait(forever(shared))))),
    );
}

/// covers: P3 (the thread behind a task that was woken is woken too)
#[test]
fn model_task_never_polled() {
    a_thread_behind_a_task_that_is_not_polled(|shared| shared.raw.release());
}

/// covers: M1 (a task takes what is free out of its turn)
#[test]
fn model_task_futurelock() {
    another_future_of_the_task(lock);
}
