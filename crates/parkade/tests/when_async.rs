//! Tasks that wait for conditions, beside threads that do.

mod support;

use parkade::{Mutex, MutexGuard, futures, prelude::*};
use static_assertions::{assert_impl_all, assert_not_impl_any, const_assert};
use std::{
    mem::ManuallyDrop,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, Waker},
    thread,
};
use support::{
    tasks::{Task, block_on, poll_a_little, wait_for_queue},
    watched_test,
};

type Positive<'a> = futures::LockWhen<'a, i32, fn(&i32) -> bool>;
assert_impl_all!(Positive<'static>: Send, Sync);
assert_not_impl_any!(Positive<'static>: Unpin);
#[cfg(target_pointer_width = "64")]
const_assert!(size_of::<Positive<'static>>() <= 128 + size_of::<fn()>());

fn is_positive(value: &i32) -> bool {
    *value > 0
}

struct Waits<'a> {
    task: Arc<Task>,
    future: Pin<Box<Positive<'a>>>,
}

impl<'a> Waits<'a> {
    fn queued(lock: &'a Mutex<i32>) -> Waits<'a> {
        let future = Box::pin(lock.lock_when_async(is_positive as fn(&i32) -> bool));
        let mut waits = Waits { task: Task::new(), future };
        assert!(waits.poll().is_none());
        waits
    }

    fn poll(&mut self) -> Option<MutexGuard<'a, i32>> {
        match self.task.poll(self.future.as_mut()) {
            Poll::Ready(guard) => Some(guard),
            Poll::Pending => None,
        }
    }
}

/// Where those wait who wait for a condition.
fn waiting_for_conditions(lock: &Mutex<i32>) -> usize {
    // SAFETY: only its address is used.
    let key = std::ptr::from_ref(unsafe { lock.raw() }).addr() + 1;
    parkade_core::snapshot_of(key).len()
}

#[test]
fn what_is_true_is_locked_at_once() {
    let lock = Mutex::new(1);
    assert_eq!(*block_on(lock.lock_when_async(is_positive)), 1);
    let guard = block_on(lock.lock().wait_until_async(is_positive));
    assert_eq!(*guard, 1);
}

#[test]
fn whoever_makes_it_true_wakes_the_task() {
    let lock = Mutex::new(0);
    let mut waits = Waits::queued(&lock);
    assert!(!lock.is_locked());
    // Not true: the task looks, and waits on.
    drop(lock.lock());
    assert!(waits.task.was_woken());
    assert!(waits.poll().is_none() && !lock.is_locked());
    *lock.lock() = 1;
    assert!(waits.task.was_woken());
    assert_eq!(*waits.poll().unwrap(), 1);
}

#[test]
fn a_task_that_has_looked_wakes_no_other() {
    let lock = Mutex::new(0);
    let (mut first, mut second) = (Waits::queued(&lock), Waits::queued(&lock));
    drop(lock.lock());
    // One after the other, and then there is peace.
    assert!(first.task.was_woken() && !second.task.was_woken());
    assert!(first.poll().is_none());
    assert!(second.task.was_woken());
    assert!(second.poll().is_none());
    assert!(!first.task.was_woken() && !second.task.was_woken());
    assert_eq!(waiting_for_conditions(&lock), 2);
}

#[test]
fn the_lock_is_free_while_a_guard_waits_and_the_change_before_is_seen() {
    let lock = Mutex::new(0);
    let mut first = Waits::queued(&lock);
    let mut guard = lock.lock();
    *guard = 1;
    let mut second = pin!(guard.wait_until_async(|value| *value == 2));
    let task = Task::new();
    assert!(task.poll(second.as_mut()).is_pending());
    assert!(first.task.was_woken());
    *first.poll().expect("1 is positive") = 2;
    assert!(task.was_woken());
    assert!(task.poll(second.as_mut()).is_ready());
}

#[test]
fn dropping_in_each_state_leaves_the_lock_free_and_others_waiting() {
    let lock = Mutex::new(0);
    drop(lock.lock_when_async(is_positive));
    drop(lock.lock().wait_until_async(is_positive));
    assert!(!lock.is_locked());
    // In the queue.
    drop(Waits::queued(&lock));
    assert_eq!(waiting_for_conditions(&lock), 0);
    // In line for the lock, and woken.
    let (first, second, mut third) =
        (Waits::queued(&lock), Waits::queued(&lock), Waits::queued(&lock));
    *lock.lock() = 1;
    assert!(first.task.was_woken());
    drop(second);
    drop(first);
    assert!(third.task.was_woken());
    assert!(third.poll().is_some());
    assert!(!lock.is_locked());
}

#[test]
fn a_condition_that_panics_unlocks() {
    let lock = Mutex::new(0);
    let mut future = pin!(lock.lock_when_async(|_| panic!("a condition")));
    let task = Task::new();
    let poll = catch_unwind(AssertUnwindSafe(|| task.poll(future.as_mut()).is_ready()));
    assert!(poll.is_err() && !lock.is_locked());
    assert!(future.is_terminated());
}

#[test]
fn a_thread_does_not_wait_for_a_task_that_is_not_polled() {
    let _watchdog = watched_test();
    let lock = Mutex::new(0);
    let unpolled: Vec<_> = (0..3).map(|_| Waits::queued(&lock)).collect();
    thread::scope(|scope| {
        let thread = scope.spawn(|| *lock.lock_when(is_positive) = 5);
        // As it lets go, to wait, it has the tasks look.
        while waiting_for_conditions(&lock) != 1 {
            thread::yield_now();
        }
        *lock.lock() = 1;
        thread.join().unwrap();
    });
    drop(unpolled);
    assert_eq!(*lock.lock(), 5);
}

/// Were it called by others, it would read what is gone.
#[test]
fn nobody_calls_the_condition_of_a_future_that_was_forgotten() {
    static LOCK: Mutex<()> = Mutex::new(());
    static CALLED: AtomicU64 = AtomicU64::new(0);
    {
        let gone = Box::new(1_u64);
        let look = &*gone;
        let mut future = Box::pin(LOCK.lock_when_async(move |()| {
            CALLED.fetch_add(*look, Relaxed);
            false
        }));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(future.as_mut().poll(&mut cx).is_pending());
        std::mem::forget(future);
    }
    assert_eq!(CALLED.load(Relaxed), 1);
    drop(LOCK.lock());
    drop(LOCK.lock());
    assert_eq!(CALLED.load(Relaxed), 1);
}

#[repr(C)]
union Ground {
    lock: ManuallyDrop<Mutex<i32>>,
    behind: ManuallyDrop<Behind>,
}

#[repr(C)]
struct Behind(u8, Mutex<()>);

/// What a forgotten future has left in the table is no thread, wherever it is found.
#[test]
fn conditions_are_waited_for_where_a_lock_was_whose_future_was_forgotten() {
    let _watchdog = watched_test();
    let mut ground = Box::new(Ground { behind: ManuallyDrop::new(Behind(0, Mutex::new(()))) });
    {
        // SAFETY: that is what is there.
        let lock = unsafe { &ground.behind.1 };
        std::mem::forget(lock.lock());
        let mut forgotten = Box::pin(lock.lock_async());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(forgotten.as_mut().poll(&mut cx).is_pending());
        std::mem::forget(forgotten);
    }
    *ground = Ground { lock: ManuallyDrop::new(Mutex::new(0)) };
    // SAFETY: that is what is there now.
    let lock: &Mutex<i32> = unsafe { &ground.lock };
    thread::scope(|scope| {
        let thread = scope.spawn(|| *lock.lock_when(is_positive));
        while waiting_for_conditions(lock) < 2 {
            thread::yield_now();
        }
        *lock.lock() = 7;
        assert_eq!(thread.join().unwrap(), 7);
    });
}

#[test]
fn producers_and_consumers_of_both_kinds_lose_nothing() {
    const ITEMS: usize = 2_000;
    let _watchdog = watched_test();
    let (queue, taken) = (Mutex::new(Vec::new()), AtomicU64::new(0));
    let take = |mut guard: MutexGuard<'_, Vec<u64>>| {
        taken.fetch_add(guard.pop().expect("not empty"), Relaxed);
    };
    thread::scope(|scope| {
        for id in 0..4 {
            let (queue, take) = (&queue, &take);
            scope.spawn(move || {
                for round in 0..ITEMS / 4 {
                    match id {
                        0 | 1 => take(queue.lock_when(|queue| !queue.is_empty())),
                        _ => loop {
                            let future = queue.lock_when_async(|queue: &Vec<_>| !queue.is_empty());
                            if round % 3 > 0 {
                                break take(block_on(future));
                            }
                            if let Some(guard) = poll_a_little(future, 3) {
                                break take(guard);
                            }
                        },
                    }
                }
            });
        }
        for _ in 0..2 {
            scope.spawn(|| (0..ITEMS / 2).for_each(|_| queue.lock().push(1)));
        }
    });
    assert_eq!((taken.into_inner(), queue.lock().len()), (ITEMS as u64, 0));
    // SAFETY: only its address is used.
    wait_for_queue(unsafe { queue.raw() }, 0);
}
