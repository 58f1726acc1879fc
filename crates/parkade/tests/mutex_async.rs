//! Tasks that lock a `Mutex`: waiting, cancelling, and what becomes of a wake.

mod support;

use parkade::{
    Mutex, MutexGuard, RawMutex,
    futures::{Lock, LockOwned, OwnedMutexGuard, SendGuard},
    prelude::*,
};
use static_assertions::{assert_impl_all, assert_not_impl_any, const_assert};
use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, Wake, Waker},
    thread,
};
use support::{
    seed, stress_time,
    tasks::{Task, block_on, poll_a_little, wait_for_queue},
    watched_test,
};

assert_impl_all!(Lock<'static, u8>: Send, Sync);
assert_not_impl_any!(Lock<'static, u8>: Unpin);
// What may not be shared may not be waited for elsewhere.
assert_not_impl_any!(Lock<'static, std::rc::Rc<u8>>: Send);
assert_impl_all!(Lock<'static, Cell<u8>>: Send);
assert_impl_all!(LockOwned<u8>: Send, Sync);
assert_not_impl_any!(LockOwned<std::rc::Rc<u8>>: Send);
assert_impl_all!(OwnedMutexGuard<u8>: Send, Sync);
assert_impl_all!(OwnedMutexGuard<Cell<u8>>: Send);
assert_not_impl_any!(OwnedMutexGuard<Cell<u8>>: Sync);
assert_not_impl_any!(OwnedMutexGuard<std::rc::Rc<u8>>: Send);
assert_impl_all!(SendGuard<MutexGuard<'static, u8>>: Send, Sync);
assert_not_impl_any!(SendGuard<MutexGuard<'static, std::rc::Rc<u8>>>: Send);
#[cfg(not(feature = "send_guard"))]
assert_not_impl_any!(MutexGuard<'static, u8>: Send);
#[cfg(target_pointer_width = "64")]
const_assert!(size_of::<Lock<'static, [u64; 9]>>() <= 128);
#[cfg(target_pointer_width = "64")]
const_assert!(size_of::<LockOwned<[u64; 9]>>() <= 128);
const_assert!(size_of::<RawMutex>() == 2);

/// A future that is polled by a task of its own.
struct Waits<'a> {
    task: Arc<Task>,
    future: Pin<Box<Lock<'a, u32>>>,
}

impl<'a> Waits<'a> {
    /// Polled once, in vain.
    fn queued(lock: &'a Mutex<u32>) -> Waits<'a> {
        let mut waits = Waits { task: Task::new(), future: Box::pin(lock.lock_async()) };
        assert!(waits.poll().is_none());
        waits
    }

    fn poll(&mut self) -> Option<MutexGuard<'a, u32>> {
        match self.task.poll(self.future.as_mut()) {
            Poll::Ready(guard) => Some(guard),
            Poll::Pending => None,
        }
    }

    fn woken(&self) -> bool {
        self.task.woken() > 0
    }
}

fn wait_for_waiters(lock: &Mutex<u32>, waiters: usize) {
    // SAFETY: only its address is used.
    wait_for_queue(unsafe { lock.raw() }, waiters);
}

#[test]
fn a_free_lock_is_taken_by_the_first_poll() {
    let lock = Mutex::new(1);
    let mut future = pin!(lock.lock_async());
    assert!(!future.is_terminated());
    let Poll::Ready(mut guard) = Task::new().poll(future.as_mut()) else {
        panic!("pending");
    };
    assert!(future.is_terminated() && lock.is_locked());
    *guard += 1;
    drop(guard);
    assert_eq!(*lock.lock(), 2);
}

#[test]
fn a_future_that_is_never_polled_does_nothing() {
    let lock = Mutex::new(1);
    drop(lock.lock_async());
    assert!(!lock.is_locked());
}

#[test]
fn polling_after_it_was_ready_panics_and_leaves_the_lock_alone() {
    let lock = Mutex::new(1);
    let mut future = pin!(lock.lock_async());
    let task = Task::new();
    drop(task.poll(future.as_mut()));
    let again = catch_unwind(AssertUnwindSafe(|| task.poll(future.as_mut()).is_ready()));
    let payload = again.expect_err("polled twice");
    let message = payload.downcast_ref::<String>().map_or("", |text| text);
    assert!(message.contains("polled after it was ready") || payload.is::<&str>(), "{message}");
    assert!(!lock.is_locked());
}

#[test]
fn who_unlocks_wakes_a_task_which_then_competes() {
    let lock = Mutex::new(1);
    let guard = lock.lock();
    let mut task = Waits::queued(&lock);
    drop(guard);
    assert!(task.woken());
    // It was not given the lock.
    assert!(!lock.is_locked());
    let barged = lock.try_lock().expect("free for anybody");
    assert!(task.poll().is_none(), "two hold it");
    drop(barged);
    assert_eq!(*task.poll().expect("free"), 1);
}

#[test]
fn a_task_that_lost_is_first_again() {
    let lock = Mutex::new(1);
    let guard = lock.lock();
    let (mut first, second) = (Waits::queued(&lock), Waits::queued(&lock));
    drop(guard);
    let barged = lock.try_lock().unwrap();
    assert!(first.poll().is_none());
    assert!(!second.woken());
    let woken = first.task.woken();
    drop(barged);
    assert!(first.task.woken() > woken && !second.woken());
    drop(first.poll().unwrap());
    assert!(second.woken());
}

#[test]
fn tasks_are_woken_in_their_order() {
    let lock = Mutex::new(0);
    let guard = lock.lock();
    let mut tasks: Vec<_> = (0..100).map(|_| Waits::queued(&lock)).collect();
    drop(guard);
    for at in 0..tasks.len() {
        assert!(tasks[at].woken());
        assert!(tasks[at + 1..].iter().all(|task| !task.woken()));
        *tasks[at].poll().expect("its turn") += 1;
    }
    assert_eq!(*lock.lock(), 100);
}

#[test]
fn dropping_a_task_in_the_queue_lets_the_others_be() {
    let lock = Mutex::new(0);
    let guard = lock.lock();
    let (first, mut second, third) =
        (Waits::queued(&lock), Waits::queued(&lock), Waits::queued(&lock));
    drop(first);
    drop(third);
    wait_for_waiters(&lock, 1);
    drop(guard);
    assert!(second.woken());
    assert!(second.poll().is_some());
}

#[test]
fn a_task_that_is_dropped_with_a_wake_passes_it_on() {
    let lock = Mutex::new(0);
    let guard = lock.lock();
    let (first, mut second) = (Waits::queued(&lock), Waits::queued(&lock));
    drop(guard);
    assert!(first.woken() && !second.woken());
    drop(first);
    assert!(second.woken());
    assert!(second.poll().is_some());
}

#[test]
fn a_task_that_is_dropped_with_a_wake_passes_it_on_to_a_thread() {
    let _watchdog = watched_test();
    let lock = Mutex::new(0);
    let guard = lock.lock();
    let first = Waits::queued(&lock);
    let mut others: Vec<_> = (0..20).map(|_| Waits::queued(&lock)).collect();
    thread::scope(|scope| {
        scope.spawn(|| *lock.lock() += 1);
        wait_for_waiters(&lock, 22);
        drop(guard);
        // The thread is out of reach behind twenty tasks, and comes nearer with each that goes.
        drop(first);
        others.drain(..).for_each(drop);
    });
    assert_eq!(*lock.lock(), 1);
}

#[test]
fn a_thread_does_not_wait_for_a_task_that_is_not_polled() {
    let _watchdog = watched_test();
    let lock = Mutex::new(0);
    let guard = lock.lock();
    let unpolled: Vec<_> = (0..8).map(|_| Waits::queued(&lock)).collect();
    thread::scope(|scope| {
        let thread = scope.spawn(|| *lock.lock() += 1);
        wait_for_waiters(&lock, 9);
        drop(guard);
        thread.join().unwrap();
    });
    assert!(unpolled[0].woken());
}

/// RFD 609: `select!` polls a future by reference, takes another branch, and there the task locks anew, while
/// the first future still stands in the queue.
#[test]
fn a_task_may_lock_again_while_an_older_future_of_its_own_waits() {
    let _watchdog = watched_test();
    let lock = Mutex::new(0);
    let guard = lock.lock();
    let task = Task::new();
    let mut left_alone = pin!(lock.lock_async());
    assert!(task.poll(left_alone.as_mut()).is_pending());
    let mut other_branch = pin!(lock.lock_async());
    assert!(task.poll(other_branch.as_mut()).is_pending());
    drop(guard);
    // It is woken because of the first future, and polls the second.
    assert!(task.was_woken());
    let Poll::Ready(guard) = task.poll(other_branch.as_mut()) else {
        panic!("a future that nobody polls keeps the lock");
    };
    drop(guard);
}

#[test]
fn a_forgotten_future_keeps_nobody_out() {
    let _watchdog = watched_test();
    let lock: &'static Mutex<u32> = Box::leak(Box::new(Mutex::new(0)));
    let guard = lock.lock();
    std::mem::forget(Waits::queued(lock));
    let mut second = Waits::queued(lock);
    let thread = thread::spawn(|| *lock.lock() += 1);
    wait_for_waiters(lock, 3);
    drop(guard);
    thread.join().unwrap();
    while second.poll().is_none() {
        thread::yield_now();
    }
}

#[test]
fn the_last_waker_is_the_one_that_is_woken() {
    let lock = Mutex::new(0);
    let guard = lock.lock();
    let mut waits = Waits::queued(&lock);
    let old = std::mem::replace(&mut waits.task, Task::new());
    assert!(waits.poll().is_none());
    drop(guard);
    assert!(waits.woken() && old.woken() == 0);
}

/// A task that panics when it is woken.
struct Explosive;

impl Wake for Explosive {
    fn wake(self: Arc<Self>) {
        panic!("a waker");
    }
}

#[test]
fn a_waker_that_panics_does_so_in_unlock_and_leaves_a_lock_that_works() {
    let lock = Mutex::new(0);
    let guard = lock.lock();
    let mut explosive = pin!(lock.lock_async());
    let waker = Waker::from(Arc::new(Explosive));
    assert!(explosive.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    let mut second = Waits::queued(&lock);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(guard))).is_err());
    assert!(!lock.is_locked());
    drop(lock.lock());
    assert!(second.woken());
    assert!(second.poll().is_some());
}

/// A task that panics when its last waker is dropped.
struct Brittle;

impl Wake for Brittle {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Brittle {
    fn drop(&mut self) {
        panic!("the end of a waker");
    }
}

/// A future that takes the lock in passing drops its waker as it leaves the queue.
#[test]
fn a_waker_that_panics_when_it_is_dropped_does_so_in_poll_and_leaves_a_lock_that_works() {
    let lock = Mutex::new(0);
    let guard = lock.lock();
    let first = Waits::queued(&lock);
    let mut second = pin!(lock.lock_async());
    let brittle = Waker::from(Arc::new(Brittle));
    assert!(second.as_mut().poll(&mut Context::from_waker(&brittle)).is_pending());
    drop(guard);
    assert!(first.woken());
    // SAFETY: a second handle of the task, never dropped, while the one in the future is there.
    let same = unsafe { std::ptr::read(&raw const brittle) };
    let same = std::mem::ManuallyDrop::new(same);
    drop(brittle);
    let mut cx = Context::from_waker(&same);
    let poll = catch_unwind(AssertUnwindSafe(|| second.as_mut().poll(&mut cx).is_ready()));
    assert!(poll.is_err() && second.is_terminated());
    assert!(!lock.is_locked());
    drop(first);
    wait_for_waiters(&lock, 0);
}

#[test]
fn a_future_may_be_polled_and_dropped_on_different_threads() {
    let lock = Mutex::new(0);
    let guard = lock.lock();
    let waits = Waits::queued(&lock);
    thread::scope(|scope| {
        let moved = scope.spawn(move || {
            let mut waits = waits;
            assert!(waits.poll().is_none());
            waits
        });
        let waits = moved.join().unwrap();
        scope.spawn(move || drop(waits));
    });
    wait_for_waiters(&lock, 0);
    drop(guard);
}

#[test]
fn an_owned_future_and_guard_outlive_the_handle_they_came_from() {
    let lock = Arc::new(Mutex::new(vec![1]));
    let future = lock.clone().lock_owned_async();
    drop(lock);
    let mut guard = thread::spawn(move || block_on(future)).join().unwrap();
    guard.push(2);
    let lock = Arc::clone(OwnedMutexGuard::mutex(&guard));
    assert!(lock.try_lock().is_none());
    assert_eq!(format!("{guard:?}"), "[1, 2]");
    drop(guard);
    assert_eq!(*lock.lock(), [1, 2]);
}

#[test]
fn a_sendable_guard_may_be_dropped_on_another_thread() {
    let lock = Mutex::new(String::from("a"));
    let guard = block_on(lock.lock_async()).sendable();
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut guard = guard;
            guard.push('b');
            assert_eq!(guard.to_string(), "ab");
        });
    });
    let guard = SendGuard::into_inner(lock.lock().sendable());
    assert_eq!(*guard, "ab");
}

#[test]
fn a_fair_unlock_frees_the_lock_for_a_task_and_reserves_it_for_a_thread() {
    let _watchdog = watched_test();
    let lock = Mutex::new(0);
    let guard = lock.lock();
    let mut first = Waits::queued(&lock);
    MutexGuard::unlock_fair(guard);
    assert!(first.woken() && !lock.is_locked());
    let mut guard = first.poll().unwrap();
    let second = Waits::queued(&lock);
    thread::scope(|scope| {
        scope.spawn(|| *lock.lock() += 1);
        wait_for_waiters(&lock, 2);
        // The thread gets in before we do again.
        MutexGuard::bump(&mut guard);
        assert_eq!(*guard, 1);
    });
    assert!(second.woken());
}

#[test]
fn threads_and_tasks_exclude_each_other() {
    let _watchdog = watched_test();
    let seed = seed();
    let lock = Arc::new(Mutex::new(0_u64));
    let (inside, gone_in) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let section = |mut guard: MutexGuard<'_, u64>| {
        assert_eq!(inside.fetch_add(1, Relaxed), 0, "two are in");
        *guard += 1;
        gone_in.fetch_add(1, Relaxed);
        inside.fetch_sub(1, Relaxed);
    };
    let end = std::time::Instant::now() + stress_time();
    thread::scope(|scope| {
        for id in 0..6_u64 {
            let (lock, section) = (&lock, &section);
            scope.spawn(move || {
                let mut rounds = seed ^ id;
                while std::time::Instant::now() < end {
                    rounds = rounds.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let polls = (rounds >> 60) as usize;
                    match id % 3 {
                        0 => section(lock.lock()),
                        1 => section(block_on(lock.lock_async())),
                        _ => drop(poll_a_little(lock.lock_async(), polls).map(section)),
                    }
                }
            });
        }
    });
    assert!(!lock.is_locked());
    // SAFETY: only its address is used.
    wait_for_queue(unsafe { lock.raw() }, 0);
    assert_eq!(*lock.lock(), gone_in.into_inner() as u64);
}
