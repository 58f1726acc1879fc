//! Tasks that read, write and upgrade a `RwLock`: waiting, cancelling, and what becomes of a wake.

mod support;

use parkade::{
    RwLock, RwLockReadGuard, RwLockUpgradableReadGuard, RwLockWriteGuard,
    futures::{
        OwnedRwLockReadGuard, OwnedRwLockWriteGuard, Read, ReadOwned, SendGuard, UpgradableRead,
        Upgrade, Write, WriteOwned,
    },
    prelude::*,
};
use proptest::prelude::*;
use static_assertions::{assert_impl_all, assert_not_impl_any, const_assert};
use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicIsize, AtomicUsize,
            Ordering::{Relaxed, SeqCst},
        },
    },
    task::{Context, Poll, Wake, Waker},
    thread,
    time::{Duration, Instant},
};
use support::{
    assert_at_rest, make_biased, seed, stress_time,
    tasks::{Task, block_on, poll_a_little, wait_for_queue},
    watched_test,
};

assert_impl_all!(Read<'static, u8>: Send, Sync);
assert_impl_all!(Write<'static, u8>: Send, Sync);
assert_impl_all!(UpgradableRead<'static, u8>: Send, Sync);
assert_impl_all!(Upgrade<'static, u8>: Send, Sync);
assert_impl_all!(ReadOwned<u8>: Send, Sync);
assert_impl_all!(WriteOwned<u8>: Send, Sync);
assert_not_impl_any!(Read<'static, u8>: Unpin);
assert_not_impl_any!(Write<'static, u8>: Unpin);
assert_not_impl_any!(UpgradableRead<'static, u8>: Unpin);
assert_not_impl_any!(Upgrade<'static, u8>: Unpin);
assert_not_impl_any!(ReadOwned<u8>: Unpin);
assert_not_impl_any!(WriteOwned<u8>: Unpin);
assert_impl_all!(OwnedRwLockWriteGuard<u8>: Send, Sync);
#[cfg(not(feature = "send_guard"))]
assert_not_impl_any!(RwLockReadGuard<'static, u8>: Send);
#[cfg(not(feature = "send_guard"))]
assert_not_impl_any!(RwLockWriteGuard<'static, u8>: Send);
#[cfg(not(feature = "send_guard"))]
assert_not_impl_any!(RwLockUpgradableReadGuard<'static, u8>: Send);
assert_not_impl_any!(Write<'static, Cell<u8>>: Send);
assert_impl_all!(OwnedRwLockReadGuard<u8>: Send, Sync);
assert_not_impl_any!(OwnedRwLockReadGuard<Cell<u8>>: Send);
assert_not_impl_any!(OwnedRwLockWriteGuard<Cell<u8>>: Send);
assert_impl_all!(SendGuard<RwLockReadGuard<'static, u8>>: Send);
assert_not_impl_any!(SendGuard<RwLockReadGuard<'static, Cell<u8>>>: Send);
assert_not_impl_any!(SendGuard<RwLockWriteGuard<'static, Cell<u8>>>: Send);
#[cfg(target_pointer_width = "64")]
const_assert!(size_of::<Read<'static, u8>>() <= 128 && size_of::<Write<'static, u8>>() <= 128);
#[cfg(target_pointer_width = "64")]
const_assert!(size_of::<ReadOwned<u8>>() <= 128 && size_of::<WriteOwned<u8>>() <= 128);
#[cfg(target_pointer_width = "64")]
const_assert!(
    size_of::<UpgradableRead<'static, u8>>() <= 128 && size_of::<Upgrade<'static, u8>>() <= 128
);

/// A future that is polled by a task of its own.
struct Waits<F: Future> {
    task: Arc<Task>,
    future: Pin<Box<F>>,
}

impl<F: Future> Waits<F> {
    /// Polled once, in vain.
    fn queued(future: F) -> Waits<F> {
        let mut waits = Waits { task: Task::new(), future: Box::pin(future) };
        assert!(waits.poll().is_none());
        waits
    }

    fn poll(&mut self) -> Option<F::Output> {
        match self.task.poll(self.future.as_mut()) {
            Poll::Ready(guard) => Some(guard),
            Poll::Pending => None,
        }
    }

    fn woken(&self) -> bool {
        self.task.woken() > 0
    }
}

#[test]
fn readers_share_and_a_writer_does_not() {
    let lock = RwLock::new(1);
    let (one, other) = (block_on(lock.read_async()), block_on(lock.read_async()));
    assert!(lock.try_read().is_some() && lock.try_write().is_none());
    drop((one, other));
    let mut writing = block_on(lock.write_async());
    *writing += 1;
    assert!(lock.try_read().is_none());
    drop(writing);
    let upgradable = block_on(lock.upgradable_read_async());
    assert!(lock.try_read().is_some() && lock.try_upgradable_read().is_none());
    *block_on(upgradable.upgrade_async()) += 1;
    assert_eq!(*lock.read(), 3);
}

#[test]
fn a_writer_waits_for_the_last_of_the_readers_and_keeps_later_ones_behind_it() {
    let lock = RwLock::new(0);
    let (one, other) = (lock.read(), lock.read());
    let mut writer = Waits::queued(lock.write_async());
    assert!(lock.try_read().is_none(), "it would pass a writer that is queued");
    let mut late = Waits::queued(lock.read_async());
    drop(one);
    assert!(!writer.woken() && !late.woken());
    drop(other);
    assert!(writer.woken() && !late.woken());
    // Nothing is claimed for a task that has been woken.
    assert!(lock.try_read().is_some());
    drop(writer.poll().expect("nobody reads"));
    assert!(late.woken());
    assert!(late.poll().is_some());
    assert_at_rest(&lock, "after a writer that was a task");
}

#[test]
fn a_writer_waits_for_a_reader_in_a_slot() {
    let lock = RwLock::new(0);
    if !make_biased(&lock) {
        return;
    }
    let reading = lock.read();
    let mut writer = Waits::queued(lock.write_async());
    drop(reading);
    assert!(writer.woken());
    assert!(writer.poll().is_some());
    assert_at_rest(&lock, "after a reader in a slot");
}

#[test]
fn dropping_a_queued_writer_lets_readers_in() {
    let lock = RwLock::new(0);
    let reading = lock.read();
    let writer = Waits::queued(lock.write_async());
    let mut late = [Waits::queued(lock.read_async()), Waits::queued(lock.read_async())];
    drop(writer);
    assert!(late[0].woken());
    assert!(late[0].poll().is_some());
    assert!(late[1].woken(), "the first that is in lets those behind it in");
    assert!(late[1].poll().is_some());
    drop(reading);
    assert_at_rest(&lock, "after a writer that was dropped");
}

#[test]
fn a_wake_that_is_not_used_is_passed_on() {
    let lock = RwLock::new(0);
    let writing = lock.write();
    let (first, mut second) = (Waits::queued(lock.write_async()), Waits::queued(lock.read_async()));
    drop(writing);
    assert!(first.woken() && !second.woken());
    drop(first);
    assert!(second.woken());
    assert!(second.poll().is_some());
}

#[test]
fn an_upgrade_waits_for_readers_and_lets_others_in() {
    let lock = RwLock::new(0);
    let reading = lock.read();
    let mut upgrade = Waits::queued(lock.upgradable_read().upgrade_async());
    let other = lock.try_read().expect("a task that upgrades keeps nobody out");
    drop(reading);
    assert!(upgrade.poll().is_none());
    drop(other);
    assert!(upgrade.woken());
    *upgrade.poll().expect("alone") = 1;
    // One that is dropped has read for the last time.
    let reading = lock.read();
    let upgrade = Waits::queued(lock.upgradable_read().upgrade_async());
    assert!(lock.try_upgradable_read().is_none());
    drop(upgrade);
    assert!(lock.try_upgradable_read().is_some());
    drop(reading);
    assert_at_rest(&lock, "after upgrades");
}

#[test]
fn nobody_waits_for_a_task_that_is_not_polled() {
    let _watchdog = watched_test();
    let lock = RwLock::new(0);
    let writing = lock.write();
    let unpolled = Waits::queued(lock.write_async());
    let task = Task::new();
    let mut other = pin!(lock.read_async());
    assert!(task.poll(other.as_mut()).is_pending());
    thread::scope(|scope| {
        let thread = scope.spawn(|| *lock.write() += 1);
        // SAFETY: only its address is used.
        wait_for_queue(unsafe { lock.raw() }, 3);
        drop(writing);
        thread.join().unwrap();
    });
    assert!(unpolled.woken());
    // Another future, polled for whatever reason, takes what is free.
    assert!(task.poll(other.as_mut()).is_ready());
}

#[test]
fn owned_and_sendable_guards_may_be_dropped_elsewhere() {
    let lock = Arc::new(RwLock::new(String::from("a")));
    let reading = block_on(lock.clone().read_owned_async());
    let other = block_on(lock.read_async()).sendable();
    thread::scope(|scope| {
        scope.spawn(move || assert_eq!(format!("{reading} {other:?}"), "a \"a\""));
    });
    let mut writing = block_on(lock.clone().write_owned_async());
    thread::spawn(move || writing.push('b')).join().unwrap();
    let upgradable = block_on(lock.upgradable_read_async()).sendable();
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut writing = RwLockUpgradableReadGuard::upgrade(SendGuard::into_inner(upgradable));
            writing.push('c');
        });
    });
    assert_eq!(*lock.read(), "abc");
    assert_at_rest(&*lock, "after guards that have moved");
}

fn wait_for_waiters<T>(lock: &RwLock<T>, waiters: usize) {
    // SAFETY: only its address is used.
    wait_for_queue(unsafe { lock.raw() }, waiters);
}

#[test]
fn a_writer_dropped_with_a_wake_passes_it_on_to_a_thread() {
    let _watchdog = watched_test();
    for writes in [false, true] {
        let lock = RwLock::new(0);
        let reading = lock.read();
        let writer = Waits::queued(lock.write_async());
        thread::scope(|scope| {
            scope.spawn(|| if writes { *lock.write() += 1 } else { drop(lock.read()) });
            wait_for_waiters(&lock, 2);
            drop(reading);
            drop(writer);
        });
        assert_at_rest(&lock, "after a wake that was passed on");
    }
}

/// RFD 609, with one task: the future that was woken is left alone, and a second one of the same task is polled.
#[test]
fn a_task_may_lock_again_while_an_older_future_of_its_own_waits() {
    let lock = RwLock::new(0);
    let task = Task::new();
    let writing = lock.write();
    let mut left_alone = pin!(lock.write_async());
    let mut reads = pin!(lock.read_async());
    let mut writes = pin!(lock.write_async());
    assert!(task.poll(left_alone.as_mut()).is_pending());
    assert!(task.poll(reads.as_mut()).is_pending());
    assert!(task.poll(writes.as_mut()).is_pending());
    drop(writing);
    assert!(task.was_woken());
    let Poll::Ready(reading) = task.poll(reads.as_mut()) else { panic!("kept out by nobody") };
    drop(reading);
    assert!(task.poll(writes.as_mut()).is_ready());
    assert_eq!(lock.try_read().map(|value| *value), Some(0));
}

#[test]
fn an_upgrade_waits_for_a_reader_in_a_slot() {
    let lock = RwLock::new(0);
    if !make_biased(&lock) {
        return;
    }
    let reading = lock.read();
    let mut upgrade = Waits::queued(lock.upgradable_read().upgrade_async());
    drop(reading);
    assert!(upgrade.woken());
    assert!(upgrade.poll().is_some());
    assert_at_rest(&lock, "after a reader in a slot");
}

#[test]
fn fair_unlocks_bumps_and_downgrades_see_tasks() {
    let _watchdog = watched_test();
    let lock = RwLock::new(0);
    let writing = lock.write();
    let mut first = Waits::queued(lock.write_async());
    RwLockWriteGuard::unlock_fair(writing);
    assert!(first.woken());
    // Nothing is kept for a task.
    assert!(lock.try_write().is_some());
    let mut writing = first.poll().expect("free");
    // A bump with a task alone in line wakes it, and has the lock back.
    let mut second = Waits::queued(lock.write_async());
    RwLockWriteGuard::bump(&mut writing);
    assert!(second.woken() && lock.try_read().is_none());
    assert!(second.poll().is_none());
    // A thread behind the task gets in.
    thread::scope(|scope| {
        scope.spawn(|| *lock.write() += 1);
        wait_for_waiters(&lock, 2);
        RwLockWriteGuard::bump(&mut writing);
        assert_eq!(*writing, 1);
    });
    drop(second);
    let (mut one, mut other) = (Waits::queued(lock.read_async()), Waits::queued(lock.read_async()));
    let reading = RwLockWriteGuard::downgrade(writing);
    assert!(one.woken());
    assert!(one.poll().is_some() && other.poll().is_some());
    let mut last = Waits::queued(lock.write_async());
    RwLockReadGuard::unlock_fair(reading);
    assert!(last.woken());
    assert!(last.poll().is_some());
    assert_at_rest(&lock, "after a fair unlock");
}

#[test]
fn the_last_waker_is_the_one_that_is_woken() {
    let lock = RwLock::new(0);
    let writing = lock.write();
    let mut waits = Waits::queued(lock.read_async());
    let old = std::mem::replace(&mut waits.task, Task::new());
    assert!(waits.poll().is_none());
    drop(writing);
    assert!(waits.woken() && old.woken() == 0);
}

/// A task that panics when it is woken.
#[derive(Default)]
struct Explosive {
    went_off: AtomicBool,
}

impl Wake for Explosive {
    fn wake(self: Arc<Self>) {
        self.went_off.store(true, SeqCst);
        panic!("a waker");
    }
}

/// A queued reader whose waker panics.
fn explosive(lock: &RwLock<i32>) -> Pin<Box<Read<'_, i32>>> {
    let mut future = Box::pin(lock.read_async());
    let waker = Waker::from(Arc::<Explosive>::default());
    assert!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    future
}

#[test]
fn a_waker_that_panics_leaves_a_lock_that_works() {
    let lock = RwLock::new(0);
    // Out of unlocking.
    let writing = lock.write();
    let waits = explosive(&lock);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(writing))).is_err());
    drop(waits);
    assert_at_rest(&lock, "unlock");
    // Out of a downgrade: the guard is gone.
    let writing = lock.write();
    let waits = explosive(&lock);
    let downgrade = || drop(RwLockWriteGuard::downgrade(writing));
    assert!(catch_unwind(AssertUnwindSafe(downgrade)).is_err());
    drop(waits);
    assert_at_rest(&lock, "downgrade");
    // Out of a bump: the guard is there, and holds the lock.
    let mut writing = lock.write();
    let waits = explosive(&lock);
    assert!(catch_unwind(AssertUnwindSafe(|| RwLockWriteGuard::bump(&mut writing))).is_err());
    *writing += 1;
    assert!(lock.try_read().is_none());
    drop(waits);
    drop(writing);
    assert_at_rest(&lock, "bump");
    // Out of the poll of a reader that lets others in.
    let writing = lock.write();
    let (mut first, waits) = (Waits::queued(lock.read_async()), explosive(&lock));
    drop(writing);
    assert!(catch_unwind(AssertUnwindSafe(|| first.poll().is_some())).is_err());
    drop((first, waits));
    assert_at_rest(&lock, "leading");
}

#[test]
fn a_waker_that_panics_out_of_an_upgrade_that_gives_up_takes_the_guard_with_it() {
    let _watchdog = watched_test();
    let lock = RwLock::new(0);
    let reading = lock.read();
    loop {
        let panicked = thread::scope(|scope| {
            let upgrade = scope.spawn(|| {
                let soon = Duration::from_millis(100);
                RwLockUpgradableReadGuard::try_upgrade_for(lock.upgradable_read(), soon).is_ok()
            });
            while lock.try_read().is_some() && !upgrade.is_finished() {
                thread::yield_now();
            }
            // Unless it has given up already; then once more.
            let mut late = Box::pin(lock.read_async());
            let waker = Waker::from(Arc::<Explosive>::default());
            drop(late.as_mut().poll(&mut Context::from_waker(&waker)));
            upgrade.join().is_err()
        });
        if panicked {
            break;
        }
    }
    drop(reading);
    assert_at_rest(&lock, "after an upgrade");
}

/// The first is woken to have its turn, the second because no thread is on its way.
#[test]
fn two_wakers_that_panic_out_of_a_fair_unlock_are_one_panic() {
    // It would have the second look meanwhile.
    parkade::tuning::set_lookout(parkade::tuning::Lookout::Off);
    let lock = RwLock::new(0);
    let writing = lock.write();
    let waits = [explosive(&lock), explosive(&lock)];
    let unlock = || RwLockWriteGuard::unlock_fair(writing);
    assert!(catch_unwind(AssertUnwindSafe(unlock)).is_err());
    drop(waits);
    assert_at_rest(&lock, "after a fair unlock");
}

/// A writer that was woken and comes too late lets readers in that are behind it.
#[test]
fn a_waker_that_panics_out_of_a_writer_that_queues_again_ends_its_wait() {
    let _watchdog = watched_test();
    let lock = RwLock::new(0);
    loop {
        let explosive = Arc::<Explosive>::default();
        let mut late = Box::pin(lock.read_async());
        let writing = lock.write();
        let panicked = thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let write = catch_unwind(AssertUnwindSafe(|| lock.write()));
                write.map(|guard| catch_unwind(AssertUnwindSafe(|| drop(guard)))).is_err()
            });
            // SAFETY: only its address is used.
            wait_for_queue(unsafe { lock.raw() }, 1);
            let waker = Waker::from(explosive.clone());
            assert!(late.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            drop(writing);
            // Unless the writer was faster; then once more.
            let barged = lock.try_upgradable_read();
            while barged.is_some() && !explosive.went_off.load(SeqCst) {
                thread::yield_now();
            }
            drop(barged);
            writer.join().expect("it catches what it panics with")
        });
        drop(late);
        if panicked {
            break;
        }
    }
    assert_at_rest(&lock, "after a writer");
}

#[test]
fn threads_and_tasks_exclude_each_other() {
    let _watchdog = watched_test();
    let seed = seed();
    let lock = Arc::new(RwLock::new(0_u64));
    let (inside, written) = (AtomicIsize::new(0), AtomicUsize::new(0));
    let write = |mut guard: RwLockWriteGuard<'_, u64>| {
        assert_eq!(inside.swap(-1, SeqCst), 0, "somebody is in");
        *guard += 1;
        written.fetch_add(1, Relaxed);
        inside.store(0, SeqCst);
    };
    let read = |guard: RwLockReadGuard<'_, u64>| {
        assert!(inside.fetch_add(1, SeqCst) >= 0, "a writer is in");
        let _ = *guard;
        inside.fetch_sub(1, SeqCst);
    };
    let end = Instant::now() + stress_time();
    thread::scope(|scope| {
        for id in 0..6_u64 {
            let (lock, read, write) = (&lock, &read, &write);
            scope.spawn(move || {
                let mut random = seed ^ id;
                while Instant::now() < end {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let polls = (random >> 60) as usize;
                    match (id % 3, (random >> 40) % 4) {
                        (0, 0) => write(lock.write()),
                        (0, _) => read(lock.read()),
                        (1, 0) => write(block_on(lock.write_async())),
                        (1, 1) => {
                            let reading = block_on(lock.upgradable_read_async());
                            write(block_on(reading.upgrade_async()));
                        }
                        (1, _) => read(block_on(lock.read_async())),
                        (_, 0) => drop(poll_a_little(lock.write_async(), polls).map(write)),
                        (_, 1) => drop(
                            poll_a_little(lock.upgradable_read_async(), polls)
                                .and_then(|reading| poll_a_little(reading.upgrade_async(), polls))
                                .map(write),
                        ),
                        _ => drop(poll_a_little(lock.read_async(), polls).map(read)),
                    }
                }
            });
        }
    });
    assert_at_rest(&*lock, "after threads and tasks");
    assert_eq!(*lock.read(), written.into_inner() as u64);
}

const FUTURES: usize = 6;

#[derive(Debug, Clone, Copy)]
enum How {
    Read,
    Write,
    ReadUpgradably,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    /// Polls a future, or makes one.
    Poll(usize, How),
    /// The same, with a new waker.
    PollElsewhere(usize, How),
    /// Drops a future, whatever its state, or the guard it has returned.
    Drop(usize),
    /// Has an upgradable reader upgrade, or downgrades a writer.
    Change(usize),
    Barge,
    Run,
}

fn step() -> impl Strategy<Value = Step> {
    let how = prop_oneof![Just(How::Read), Just(How::Write), Just(How::ReadUpgradably)];
    prop_oneof![
        1 => (0..FUTURES, how.clone()).prop_map(|(at, how)| Step::PollElsewhere(at, how)),
        6 => (0..FUTURES, how).prop_map(|(at, how)| Step::Poll(at, how)),
        4 => (0..FUTURES).prop_map(Step::Drop),
        1 => (0..FUTURES).prop_map(Step::Change),
        1 => Just(Step::Barge),
        1 => Just(Step::Run),
    ]
}

#[allow(dead_code, reason = "what is held is not looked at")]
enum Has<'a> {
    Nothing,
    Reads(Pin<Box<Read<'a, u32>>>),
    Writes(Pin<Box<Write<'a, u32>>>),
    ReadsUpgradably(Pin<Box<UpgradableRead<'a, u32>>>),
    Upgrades(Pin<Box<Upgrade<'a, u32>>>),
    Reading(RwLockReadGuard<'a, u32>),
    Writing(RwLockWriteGuard<'a, u32>),
    ReadingUpgradably(RwLockUpgradableReadGuard<'a, u32>),
}

struct Place<'a> {
    task: Arc<Task>,
    has: Has<'a>,
}

impl<'a> Place<'a> {
    fn is_waiting(&self) -> bool {
        !matches!(self.has, Has::Nothing) && !self.is_in()
    }

    fn is_in(&self) -> bool {
        matches!(self.has, Has::Reading(_) | Has::Writing(_) | Has::ReadingUpgradably(_))
    }

    fn poll(&mut self, lock: &'a RwLock<u32>, how: How) {
        if matches!(self.has, Has::Nothing) {
            self.has = match how {
                How::Read => Has::Reads(Box::pin(lock.read_async())),
                How::Write => Has::Writes(Box::pin(lock.write_async())),
                How::ReadUpgradably => Has::ReadsUpgradably(Box::pin(lock.upgradable_read_async())),
            };
        }
        let has = match &mut self.has {
            Has::Reads(future) => self.task.poll(future.as_mut()).map(Has::Reading),
            Has::Writes(future) => self.task.poll(future.as_mut()).map(Has::Writing),
            Has::ReadsUpgradably(future) => {
                self.task.poll(future.as_mut()).map(Has::ReadingUpgradably)
            }
            Has::Upgrades(future) => self.task.poll(future.as_mut()).map(Has::Writing),
            _ => return,
        };
        if let Poll::Ready(has) = has {
            self.has = has;
        }
    }

    fn change(&mut self) {
        self.has = match std::mem::replace(&mut self.has, Has::Nothing) {
            Has::ReadingUpgradably(guard) => Has::Upgrades(Box::pin(guard.upgrade_async())),
            Has::Writing(guard) => Has::Reading(RwLockWriteGuard::downgrade(guard)),
            has => has,
        };
    }
}

fn poll_woken<'a>(places: &mut [Place<'a>; FUTURES], lock: &'a RwLock<u32>) {
    for place in places {
        if place.is_waiting() && place.task.was_woken() {
            place.poll(lock, How::Read);
        }
    }
}

fn script(lock: &RwLock<u32>, steps: &[Step]) {
    let mut places: [Place<'_>; FUTURES] =
        std::array::from_fn(|_| Place { task: Task::new(), has: Has::Nothing });
    for step in steps {
        match *step {
            Step::Poll(at, how) => places[at].poll(lock, how),
            Step::PollElsewhere(at, how) => {
                places[at].task = Task::new();
                places[at].poll(lock, how);
            }
            Step::Drop(at) => places[at].has = Has::Nothing,
            Step::Change(at) => {
                places[at].change();
                // An upgrade that nobody has polled waits for no wake.
                places[at].poll(lock, How::Read);
            }
            Step::Barge => {
                drop(lock.try_write());
                drop(lock.try_read());
            }
            Step::Run => poll_woken(&mut places, lock),
        }
        let writers = places.iter().filter(|place| matches!(place.has, Has::Writing(_))).count();
        let alone =
            places.iter().filter(|place| matches!(place.has, Has::ReadingUpgradably(_))).count();
        let readers = places.iter().filter(|place| matches!(place.has, Has::Reading(_))).count();
        assert!(
            writers + alone <= 1 && (writers == 0 || readers == 0),
            "{writers} {alone} {readers}"
        );
    }
    for _ in 0..3 * FUTURES {
        for place in places.iter_mut().filter(|place| place.is_in()) {
            place.has = Has::Nothing;
        }
        poll_woken(&mut places, lock);
    }
    for (at, place) in places.iter().enumerate() {
        assert!(!place.is_waiting(), "future {at} was not woken, and the lock is free");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn scripts_lose_no_wake(steps in proptest::collection::vec(step(), 1..80)) {
        let lock = RwLock::new(0);
        script(&lock, &steps);
        assert_at_rest(&lock, "after a script");
        // And where readers may be in slots.
        make_biased(&lock);
        script(&lock, &steps);
    }
}
