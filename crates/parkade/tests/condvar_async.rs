//! Tasks that wait for a `Condvar`: waiting, cancelling, and what becomes of a notification.

mod support;

use parkade::{
    Condvar, Mutex, MutexGuard,
    futures::{OwnedMutexGuard, SendGuard, WaitCondvar, WaitCondvarWhile},
    prelude::*,
};
use static_assertions::{assert_impl_all, assert_not_impl_any, const_assert};
use std::{
    cell::Cell,
    collections::VecDeque,
    mem::ManuallyDrop,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, Wake, Waker},
    thread,
};
use support::{
    seed,
    tasks::{Task, block_on, poll_a_little, wait_for_queue},
    watched_test,
};

type Wait<'a> = WaitCondvar<'a, MutexGuard<'a, u32>>;
type WaitWhile<T> = WaitCondvarWhile<'static, MutexGuard<'static, T>, fn(&mut T) -> bool>;

assert_impl_all!(Wait<'static>: Send, Sync);
assert_not_impl_any!(Wait<'static>: Unpin);
assert_impl_all!(WaitCondvar<'static, MutexGuard<'static, Cell<u8>>>: Send);
assert_not_impl_any!(WaitCondvar<'static, MutexGuard<'static, Rc<u8>>>: Send);
assert_impl_all!(WaitCondvar<'static, OwnedMutexGuard<u8>>: Send, Sync);
assert_not_impl_any!(WaitCondvar<'static, OwnedMutexGuard<u8>>: Unpin);
assert_not_impl_any!(WaitCondvar<'static, OwnedMutexGuard<Rc<u8>>>: Send);
assert_impl_all!(WaitCondvar<'static, SendGuard<MutexGuard<'static, u8>>>: Send, Sync);
assert_impl_all!(WaitWhile<u8>: Send, Sync);
assert_not_impl_any!(WaitWhile<u8>: Unpin);
assert_not_impl_any!(WaitWhile<Rc<u8>>: Send);
// A condition that may not be sent does not go to another thread with the future.
assert_not_impl_any!(WaitCondvarWhile<'static, MutexGuard<'static, u8>, Rc<u8>>: Send);
#[cfg(target_pointer_width = "64")]
const_assert!(size_of::<WaitCondvar<'static, MutexGuard<'static, [u64; 9]>>>() <= 128);
#[cfg(target_pointer_width = "64")]
const_assert!(size_of::<WaitCondvar<'static, OwnedMutexGuard<[u64; 9]>>>() <= 128);
const_assert!(size_of::<Condvar>() == 1);

#[test]
fn a_condition_that_captures_nothing_costs_nothing() {
    let (lock, condvar) = (Mutex::new(0), Condvar::new());
    let future = condvar.wait_while_async(lock.lock(), |value| *value == 0);
    if cfg!(target_pointer_width = "64") {
        assert!(size_of_val(&future) <= 128);
    }
}

/// What is waited with, and for.
#[derive(Default)]
struct Meeting {
    lock: Mutex<u32>,
    condvar: Condvar,
}

impl Meeting {
    /// A task that waits, polled once.
    fn waits(&self) -> Waits<'_> {
        let mut waits = self.holds();
        assert!(waits.poll().is_none());
        waits
    }

    /// A task that holds the lock, and was not polled.
    fn holds(&self) -> Waits<'_> {
        let future = Box::pin(self.condvar.wait_async(self.lock.lock()));
        Waits { task: Task::new(), future }
    }

    /// A thread that waits, and then writes `number` down.
    fn thread<'s>(
        &'s self,
        scope: &'s thread::Scope<'s, '_>,
        number: usize,
        log: &'s Mutex<Vec<usize>>,
    ) {
        let before = self.waiters();
        scope.spawn(move || {
            let mut guard = self.lock.lock();
            self.condvar.wait(&mut guard);
            log.lock().push(number);
        });
        wait_for_queue(&self.condvar, before + 1);
    }

    fn waiters(&self) -> usize {
        parkade_core::snapshot_of(std::ptr::from_ref(&self.condvar).addr()).len()
    }

    fn in_line(&self) -> usize {
        // SAFETY: only its address is used.
        let raw = unsafe { self.lock.raw() };
        parkade_core::snapshot_of(std::ptr::from_ref(raw).addr()).len()
    }

    /// Nobody is left anywhere, and the lock is free.
    fn is_at_rest(&self) -> bool {
        self.waiters() + self.in_line() == 0
            && !self.condvar.notify_one()
            && self.lock.try_lock().is_some()
    }
}

/// A future that is polled by a task of its own.
struct Waits<'a> {
    task: Arc<Task>,
    future: Pin<Box<Wait<'a>>>,
}

impl<'a> Waits<'a> {
    fn poll(&mut self) -> Option<MutexGuard<'a, u32>> {
        match self.task.poll(self.future.as_mut()) {
            Poll::Ready(guard) => Some(guard),
            Poll::Pending => None,
        }
    }

    fn was_woken(&self) -> bool {
        self.task.was_woken()
    }
}

#[test]
fn a_task_waits_for_a_thread() {
    let _watchdog = watched_test();
    let meeting = Meeting::default();
    thread::scope(|scope| {
        scope.spawn(|| {
            wait_for_queue(&meeting.condvar, 1);
            *meeting.lock.lock() += 1;
            assert!(meeting.condvar.notify_one());
        });
        let wait = meeting.condvar.wait_async(block_on(meeting.lock.lock_async()));
        let guard = block_on(wait);
        assert_eq!(*guard, 1);
        assert!(meeting.lock.is_locked());
    });
    assert!(meeting.is_at_rest());
}

#[test]
fn the_first_poll_queues_and_unlocks() {
    let meeting = Meeting::default();
    let mut waits = meeting.holds();
    assert!(meeting.lock.is_locked());
    assert_eq!(meeting.waiters(), 0);
    assert!(waits.poll().is_none());
    assert!(!meeting.lock.is_locked());
    assert_eq!(meeting.waiters(), 1);
    // Polled for no reason it goes on waiting, and does not lock what is free.
    assert!(waits.poll().is_none());
    assert!(!meeting.lock.is_locked());
    assert!(meeting.condvar.notify_one());
    assert!(waits.was_woken());
    assert!(!waits.future.is_terminated());
    assert!(waits.poll().is_some());
    assert!(waits.future.is_terminated());
    assert!(meeting.is_at_rest());
}

#[test]
fn a_task_unlocks_for_whoever_is_in_line() {
    let meeting = Meeting::default();
    let mut waits = meeting.holds();
    let task = Task::new();
    let mut next = pin!(meeting.lock.lock_async());
    assert!(task.poll(next.as_mut()).is_pending());
    assert!(waits.poll().is_none());
    assert!(task.was_woken());
    assert!(task.poll(next).is_ready());
}

#[test]
fn a_task_that_is_notified_waits_for_its_lock() {
    let meeting = Meeting::default();
    let mut waits = meeting.waits();
    let guard = meeting.lock.lock();
    assert_eq!(meeting.condvar.notify_all(), 1);
    assert!(waits.was_woken());
    assert!(waits.poll().is_none());
    assert_eq!((meeting.waiters(), meeting.in_line()), (0, 1));
    drop(guard);
    assert!(waits.was_woken());
    assert!(waits.poll().is_some());
    assert!(meeting.is_at_rest());
}

#[test]
fn while_a_condition_holds() {
    let meeting = Meeting::default();
    let task = Task::new();
    let condition = |value: &mut u32| *value < 3;
    let mut waits = pin!(meeting.condvar.wait_while_async(meeting.lock.lock(), condition));
    assert!(task.poll(waits.as_mut()).is_pending());
    for value in [1, 2] {
        *meeting.lock.lock() = value;
        assert!(meeting.condvar.notify_one());
        assert!(task.was_woken());
        assert!(task.poll(waits.as_mut()).is_pending());
        assert!(!meeting.lock.is_locked());
        assert_eq!(meeting.waiters(), 1);
    }
    *meeting.lock.lock() = 3;
    assert_eq!(meeting.condvar.notify_all(), 1);
    let Poll::Ready(guard) = task.poll(waits.as_mut()) else { panic!("3 is not less than 3") };
    assert_eq!(*guard, 3);
    drop(guard);
    assert!(waits.is_terminated());
    assert!(meeting.is_at_rest());
    // One that does not hold is not waited for.
    let waits = meeting.condvar.wait_while_async(meeting.lock.lock(), condition);
    assert!(task.poll(pin!(waits)).is_ready());
}

#[test]
fn with_guards_that_own_their_lock_and_guards_that_may_be_sent() {
    let _watchdog = watched_test();
    static CHANGED: Condvar = Condvar::new();
    fn on_any_thread<F: Future<Output = u32> + Send>(future: F) -> F {
        future
    }
    let lock = Arc::new(Mutex::new(0));
    let owned = {
        let lock = lock.clone();
        on_any_thread(async move {
            let guard = lock.lock_owned_async().await;
            *CHANGED.wait_while_async(guard, |value| *value == 0).await
        })
    };
    let sent = {
        let lock = lock.clone();
        on_any_thread(async move {
            let mut guard = lock.lock_async().await.sendable();
            while *guard == 0 {
                guard = CHANGED.wait_async(guard).await;
            }
            *guard
        })
    };
    // Threads wait with them too.
    let blocking = {
        let lock = lock.clone();
        thread::spawn(move || {
            let mut guard = block_on(lock.clone().lock_owned_async());
            CHANGED.wait_while(&mut guard, |value| *value == 0);
            drop(guard);
            let mut guard = lock.lock().sendable();
            CHANGED.wait_while(&mut guard, |value| *value == 0);
            *guard
        })
    };
    let threads = [thread::spawn(|| block_on(owned)), thread::spawn(|| block_on(sent))];
    wait_for_queue(&CHANGED, 3);
    *lock.lock() = 7;
    assert_eq!(CHANGED.notify_all(), 3);
    for thread in threads.into_iter().chain([blocking]) {
        assert_eq!(thread.join().unwrap(), 7);
    }
    assert!(!lock.is_locked());
    assert_eq!(Arc::strong_count(&lock), 1);
}

/// Threads (odd) and tasks (even) in one line are notified in their order.
#[test]
fn threads_and_tasks_are_notified_in_the_order_in_which_they_came() {
    let _watchdog = watched_test();
    let (meeting, log) = (Meeting::default(), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        let mut tasks = Vec::new();
        for number in 0..6 {
            if number % 2 == 0 {
                tasks.push(meeting.waits());
            } else {
                meeting.thread(scope, number, &log);
            }
        }
        for number in 0..6 {
            assert!(meeting.condvar.notify_one());
            assert_eq!(meeting.waiters(), 5 - number);
            if number % 2 == 0 {
                let task = &mut tasks[number / 2];
                assert!(task.was_woken());
                log.lock().push(number);
                assert!(task.poll().is_some());
            }
            while log.lock().len() <= number {
                thread::yield_now();
            }
        }
        assert!(!meeting.condvar.notify_one());
    });
    assert_eq!(*log.lock(), [0, 1, 2, 3, 4, 5]);
    assert!(meeting.is_at_rest());
}

/// All are notified at once, whoever is first, the lock held or free; threads do not wait for tasks that do not come.
#[test]
fn all_are_notified_and_threads_rely_on_no_task() {
    let _watchdog = watched_test();
    for (order, held) in ["TWTW", "WTTW", "TTTT", "WWTT", "TTWW"]
        .into_iter()
        .flat_map(|order| [(order, true), (order, false)])
    {
        let (meeting, log) = (Meeting::default(), Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        thread::scope(|scope| {
            for (number, who) in order.chars().enumerate() {
                if who == 'T' {
                    tasks.push(meeting.waits());
                } else {
                    meeting.thread(scope, number, &log);
                }
            }
            let guard = held.then(|| meeting.lock.lock());
            assert_eq!(meeting.condvar.notify_all(), 4, "{order}");
            assert_eq!(meeting.waiters(), 0);
            // Threads are moved, and tasks woken.
            if held {
                assert_eq!(meeting.in_line(), 4 - tasks.len(), "{order}");
            }
            assert!(tasks.iter().all(Waits::was_woken));
            drop(guard);
        });
        assert_eq!(log.lock().len(), 4 - tasks.len());
        for mut task in tasks {
            assert!(task.poll().is_some());
        }
        assert!(meeting.is_at_rest());
    }
}

/// More tasks than a notifier has hands for.
#[test]
fn a_hundred_tasks() {
    let meeting = Meeting::default();
    let mut tasks: Vec<_> = (0..100).map(|_| meeting.waits()).collect();
    assert_eq!(meeting.condvar.notify_all(), 100);
    // Who is dropped passes nothing on: all were notified.
    let mut late = meeting.waits();
    drop(tasks.split_off(50));
    for mut task in tasks {
        assert!(task.poll().is_some());
    }
    assert!(!late.was_woken());
    assert!(late.poll().is_none());
}

#[test]
fn dropped_before_it_is_polled_it_unlocks() {
    let meeting = Meeting::default();
    drop(meeting.holds());
    assert!(meeting.is_at_rest());
    drop(meeting.condvar.wait_while_async(meeting.lock.lock(), |_| true));
    assert!(meeting.is_at_rest());
    let lock = Arc::new(Mutex::new(()));
    drop(meeting.condvar.wait_async(block_on(lock.clone().lock_owned_async())));
    assert!(!lock.is_locked());
    assert_eq!(Arc::strong_count(&lock), 1);
}

#[test]
fn dropped_in_the_queue_it_leaves() {
    let meeting = Meeting::default();
    drop(meeting.waits());
    assert!(meeting.is_at_rest());
    let first = meeting.waits();
    let mut second = meeting.waits();
    drop(first);
    assert_eq!(meeting.waiters(), 1);
    assert!(meeting.condvar.notify_one());
    assert!(second.poll().is_some());
}

#[test]
fn dropped_with_a_notification_it_passes_that_on() {
    let _watchdog = watched_test();
    let (meeting, log) = (Meeting::default(), Mutex::new(Vec::new()));
    let first = meeting.waits();
    let second = meeting.waits();
    thread::scope(|scope| {
        meeting.thread(scope, 3, &log);
        assert!(meeting.condvar.notify_one());
        assert!(first.was_woken());
        drop(first);
        // What was passed on is passed on again.
        assert!(second.was_woken());
        drop(second);
    });
    assert_eq!(*log.lock(), [3]);
    // And if there is nobody, it is lost as any.
    let last = meeting.waits();
    assert!(meeting.condvar.notify_one());
    drop(last);
    assert!(meeting.is_at_rest());
    let mut late = meeting.waits();
    assert!(late.poll().is_none());
}

#[test]
fn dropped_when_all_were_notified_it_passes_nothing_on() {
    let meeting = Meeting::default();
    let (first, second) = (meeting.waits(), meeting.waits());
    assert_eq!(meeting.condvar.notify_all(), 2);
    let late = meeting.waits();
    drop(first);
    let guard = meeting.lock.lock();
    let mut second = second;
    assert!(second.poll().is_none());
    drop(second);
    drop(guard);
    assert!(!late.was_woken());
    assert_eq!(meeting.waiters(), 1);
}

/// Notified, polled, and queued for the lock.
#[test]
fn dropped_in_line_for_the_lock_it_passes_its_notification_on() {
    let meeting = Meeting::default();
    let (mut first, mut second) = (meeting.waits(), meeting.waits());
    let guard = meeting.lock.lock();
    assert!(meeting.condvar.notify_one());
    assert!(first.poll().is_none());
    assert_eq!((meeting.waiters(), meeting.in_line()), (1, 1));
    drop(first);
    assert_eq!((meeting.waiters(), meeting.in_line()), (0, 0));
    assert!(second.was_woken());
    drop(guard);
    assert!(second.poll().is_some());
}

/// Notified, queued for the lock, and woken by its release.
#[test]
fn dropped_with_the_wake_of_the_lock_it_passes_both_on() {
    let meeting = Meeting::default();
    let (mut first, mut second) = (meeting.waits(), meeting.waits());
    let guard = meeting.lock.lock();
    assert!(meeting.condvar.notify_one());
    assert!(first.poll().is_none());
    let task = Task::new();
    let mut in_line = pin!(meeting.lock.lock_async());
    assert!(task.poll(in_line.as_mut()).is_pending());
    assert!(first.was_woken());
    drop(guard);
    assert!(first.was_woken());
    assert!(!task.was_woken());
    drop(first);
    assert!(task.was_woken());
    assert!(second.was_woken());
    assert!(task.poll(in_line).is_ready());
    assert!(second.poll().is_some());
    assert!(meeting.is_at_rest());
}

/// Waiting again after a notification it is like one that waits for the first time.
#[test]
fn dropped_when_it_waits_again() {
    let meeting = Meeting::default();
    let task = Task::new();
    for notified in [false, true] {
        let mut waits = Box::pin(meeting.condvar.wait_while_async(meeting.lock.lock(), |_| true));
        assert!(task.poll(waits.as_mut()).is_pending());
        let other = meeting.waits();
        if notified {
            assert_eq!(meeting.condvar.notify_all(), 2);
            assert!(other.was_woken());
            assert!(task.poll(waits.as_mut()).is_pending());
            assert_eq!(meeting.waiters(), 1);
        }
        drop(waits);
        assert!(!other.was_woken());
        drop(other);
        assert!(meeting.is_at_rest());
    }
}

#[test]
fn polled_after_it_was_ready_it_panics() {
    let meeting = Meeting::default();
    let mut waits = meeting.waits();
    meeting.condvar.notify_one();
    drop(waits.poll());
    let panic = catch_unwind(AssertUnwindSafe(|| waits.poll().is_some())).unwrap_err();
    assert!(panic.downcast_ref::<&str>().unwrap().contains("polled after it was ready"));
    assert!(meeting.is_at_rest());
}

#[test]
fn a_condition_that_panics_unlocks() {
    let meeting = Meeting::default();
    for notified in [false, true] {
        let mut calls = 0;
        let mut waits = pin!(meeting.condvar.wait_while_async(meeting.lock.lock(), |_| {
            calls += 1;
            assert!(notified && calls == 1, "as expected");
            true
        }));
        let task = Task::new();
        if notified {
            assert!(task.poll(waits.as_mut()).is_pending());
            assert!(meeting.condvar.notify_one());
        }
        let poll = catch_unwind(AssertUnwindSafe(|| task.poll(waits.as_mut()).is_ready()));
        assert!(poll.is_err());
        assert!(waits.is_terminated());
        assert!(meeting.is_at_rest());
    }
}

struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("a waker");
    }
}

/// It is woken by the release that is part of waiting. That is done then, and so is the waiting.
#[test]
fn a_waker_that_panics_when_a_task_unlocks_to_wait() {
    let meeting = Meeting::default();
    let mut waits = meeting.holds();
    let mut in_line = Box::pin(meeting.lock.lock_async());
    let waker = Waker::from(Arc::new(Panics));
    assert!(in_line.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    assert!(catch_unwind(AssertUnwindSafe(|| waits.poll().is_some())).is_err());
    assert!(!meeting.lock.is_locked());
    assert_eq!(meeting.waiters(), 1);
    drop(in_line);
    assert!(meeting.condvar.notify_one());
    assert!(waits.poll().is_some());
    assert!(meeting.is_at_rest());
}

/// The others are notified all the same, and threads moved.
#[test]
fn a_waker_that_panics_when_it_is_notified() {
    let _watchdog = watched_test();
    let (meeting, log) = (Meeting::default(), Mutex::new(Vec::new()));
    let mut panics = Box::pin(meeting.condvar.wait_async(meeting.lock.lock()));
    let waker = Waker::from(Arc::new(Panics));
    assert!(panics.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    thread::scope(|scope| {
        meeting.thread(scope, 1, &log);
        let last = meeting.waits();
        assert!(catch_unwind(AssertUnwindSafe(|| meeting.condvar.notify_all())).is_err());
        assert!(last.was_woken());
        assert_eq!(meeting.waiters(), 0);
        while log.lock().is_empty() {
            thread::yield_now();
        }
        assert_eq!(*block_on(last.future), 0);
    });
    assert_eq!(*block_on(panics), 0);
    assert!(meeting.is_at_rest());
}

/// It is notified in its turn, in vain; and whatever comes to be at the addresses of what it has borrowed is none the worse for it.
#[test]
fn forgotten_futures() {
    let _watchdog = watched_test();
    let condvar = Condvar::new();
    {
        let lock = Box::new(Mutex::new(0));
        let mut waits = Box::pin(condvar.wait_async(lock.lock()));
        assert!(Task::new().poll(waits.as_mut()).is_pending());
        std::mem::forget(waits);
    }
    // The lock is gone.
    let other = Mutex::new(0);
    let mut waits = pin!(condvar.wait_async(other.lock()));
    let task = Task::new();
    assert!(task.poll(waits.as_mut()).is_pending());
    assert_eq!(condvar.notify_all(), 2);
    assert!(task.poll(waits).is_ready());
}

/// Where there was a lock there is another thing then.
#[repr(C)]
union Place {
    lock: ManuallyDrop<Mutex<()>>,
    condvar: ManuallyDrop<Condvar>,
}

/// Leaves a task in the queue of `lock`, for ever.
fn forget_a_task(lock: &Mutex<()>) {
    let guard = lock.lock();
    let mut forgotten = Box::pin(lock.lock_async());
    assert!(Task::new().poll(forgotten.as_mut()).is_pending());
    std::mem::forget(forgotten);
    // Unlocking would wake it.
    std::mem::forget(guard);
}

#[test]
fn where_a_lock_was_whose_future_was_forgotten() {
    let _watchdog = watched_test();
    let mut place = Box::new(Place { lock: ManuallyDrop::new(Mutex::new(())) });
    // SAFETY: that is what it is.
    forget_a_task(unsafe { &place.lock });
    *place = Place { condvar: ManuallyDrop::new(Condvar::new()) };
    // SAFETY: as above.
    let condvar = unsafe { &*place.condvar };
    assert_eq!(parkade_core::snapshot_of(std::ptr::from_ref(condvar).addr()).len(), 1);
    let other = Mutex::new(0);
    thread::scope(|scope| {
        scope.spawn(|| condvar.wait(&mut other.lock()));
        wait_for_queue(condvar, 2);
        assert_eq!(condvar.notify_all(), 2);
    });
}
/// Threads and tasks consume what is produced; other tasks are dropped in the midst of waiting. As each item is notified of once, one
/// that a dropped task had been told of would be left over, and everybody wait.
#[test]
fn every_item_is_consumed_once() {
    const PRODUCERS: usize = 2;
    let (progress, _watchdog) = watched_test();
    let seed = seed();
    let items: usize = if cfg!(debug_assertions) { 4_000 } else { 20_000 };
    let (queue, changed) = (Mutex::new(VecDeque::new()), Condvar::new());
    let done = AtomicBool::new(false);
    let consumed: Vec<AtomicUsize> = (0..PRODUCERS * items).map(|_| AtomicUsize::new(0)).collect();
    let count = AtomicUsize::new(0);
    let consume = |queue: &mut VecDeque<usize>| {
        if let Some(item) = queue.pop_front() {
            consumed[item].fetch_add(1, Relaxed);
            count.fetch_add(1, Relaxed);
            progress.step();
        }
    };
    let nothing = |queue: &mut VecDeque<usize>| queue.is_empty() && !done.load(Relaxed);
    thread::scope(|scope| {
        for id in 0..2 {
            let (queue, changed, done) = (&queue, &changed, &done);
            let (consume, nothing) = (&consume, &nothing);
            scope.spawn(move || {
                while !done.load(Relaxed) {
                    let mut guard = queue.lock();
                    changed.wait_while(&mut guard, nothing);
                    consume(&mut guard);
                }
            });
            scope.spawn(move || {
                block_on(async {
                    while !done.load(Relaxed) {
                        let guard = queue.lock_async().await;
                        consume(&mut *changed.wait_while_async(guard, nothing).await);
                    }
                });
            });
            scope.spawn(move || {
                let mut rounds = seed ^ id;
                while !done.load(Relaxed) {
                    rounds = rounds.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let polls = (rounds >> 61) as usize;
                    let wait = changed.wait_while_async(queue.lock(), nothing);
                    if let Some(mut guard) = poll_a_little(wait, polls) {
                        consume(&mut guard);
                    }
                }
            });
        }
        let producers = [0, 1].map(|id| {
            let (queue, changed) = (&queue, &changed);
            scope.spawn(move || {
                for item in 0..items {
                    let mut guard = queue.lock();
                    guard.push_back(id * items + item);
                    if item % 2 == 0 {
                        drop(guard);
                    }
                    changed.notify_one();
                }
            })
        });
        producers.into_iter().for_each(|producer| producer.join().unwrap());
        while count.load(Relaxed) < PRODUCERS * items {
            thread::yield_now();
        }
        let guard = queue.lock();
        done.store(true, Relaxed);
        drop(guard);
        changed.notify_all();
    });
    assert!(consumed.iter().all(|times| times.load(Relaxed) == 1));
    assert!(!changed.notify_one());
}
