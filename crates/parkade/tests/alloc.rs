//! Evidence that no path of taking, waiting for or releasing a lock allocates, and that the locks
//! can therefore serve inside a global allocator: this program's own allocator holds a
//! `parkade::Mutex` around every allocation, and counts those of the threads that ask for it.

mod support;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    collections::BTreeMap,
    future::Future,
    pin::pin,
    sync::{
        Arc, Barrier,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use parkade::{
    Condvar, FairMutex, Latch, LazyLock, Mutex, Once, OnceLock, RawFairMutex, RawMutex,
    RawRecursiveRwLock, RawRwLock, RawThreadId, ReentrantMutexGuard, RwLock, Semaphore,
    SemaphorePolicy, WaitGroup, lock_api,
    lock_api::{MutexGuard, RwLockReadGuard, RwLockUpgradableReadGuard, RwLockWriteGuard},
    lock_many,
    many::{LockRequest, read, upgradable_read, write},
    prelude::*,
    shared, try_lock_many, try_lock_many_for, try_lock_many_until,
};
use support::{FullMutex, FullRwLock, Watchdog, Witness, can_bias, is_biased};

thread_local! {
    static COUNTING: Cell<bool> = const { Cell::new(false) };
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Calls of the allocator by threads that count.
static COUNTED: AtomicU64 = AtomicU64::new(0);
/// One count at a time.
static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
/// Calls of the allocator by anybody, kept under the lock.
static CALLS: Mutex<Witness> = Mutex::new(Witness::new());

#[derive(Debug)]
struct LockedAllocator;

#[global_allocator]
static ALLOCATOR: LockedAllocator = LockedAllocator;

impl LockedAllocator {
    fn serve(&self, allocate: impl FnOnce() -> *mut u8) -> *mut u8 {
        if COUNTING.get() {
            COUNTED.fetch_add(1, Relaxed);
        }
        if INSIDE.replace(true) {
            // The lock has allocated while it was being taken. A panic would allocate as well.
            std::process::abort();
        }
        let mut result = std::ptr::null_mut();
        CALLS.lock().section(|| result = allocate());
        INSIDE.set(false);
        result
    }
}

// SAFETY: every call goes to `System` with the caller's own arguments.
unsafe impl GlobalAlloc for LockedAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.serve(|| {
            // SAFETY: the caller keeps the duties of `alloc`, which are the same.
            unsafe { System.alloc(layout) }
        })
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        self.serve(|| {
            // SAFETY: the block came from `System` with this layout.
            unsafe { System.dealloc(block, layout) };
            block
        });
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        self.serve(|| {
            // SAFETY: the block came from `System` with this layout; the size is the caller's duty.
            unsafe { System.realloc(block, layout, size) }
        })
    }
}

/// Counts this thread's allocations while it lives.
struct Count;

impl Count {
    fn start() -> Count {
        COUNTING.set(true);
        Count
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        COUNTING.set(false);
    }
}

/// A turn with each operation. Every fourth section sleeps: then the others park.
fn turns<R: FullMutex>(lock: &lock_api::Mutex<R, Witness>, index: usize) {
    for round in index..index + 64 {
        let inside = || {
            if round % 4 == 0 {
                thread::sleep(Duration::from_micros(50));
            }
        };
        lock.lock().section(inside);
        if let Some(mut guard) = lock.try_lock() {
            guard.section(inside);
        }
        if let Some(mut guard) = lock.try_lock_for(Duration::from_micros(20)) {
            guard.section(inside);
        }
        if let Some(mut guard) = lock.try_lock_until(Instant::now() + Duration::from_millis(1)) {
            guard.section(inside);
        }
        let mut guard = lock.lock();
        guard.section(inside);
        MutexGuard::bump(&mut guard);
        MutexGuard::unlocked(&mut guard, thread::yield_now);
        MutexGuard::unlocked_fair(&mut guard, || lock.lock().section(inside));
        MutexGuard::unlock_fair(guard);
    }
}

/// The same for a reader-writer lock, and enough reads of it for its readers to use slots.
fn reading_and_writing<R: FullRwLock>(lock: &lock_api::RwLock<R, Witness>, index: usize) {
    for round in index..index + 64 {
        let inside = || {
            if round % 4 == 0 {
                thread::sleep(Duration::from_micros(50));
            }
        };
        if round % 16 == 0 {
            (0..512).for_each(|_| drop(lock.read()));
        }
        lock.write().section(inside);
        lock.read().check();
        drop((lock.try_read(), lock.try_read()));
        drop((lock.try_write(), lock.try_upgradable_read()));
        drop(lock.try_write_for(Duration::from_micros(20)));
        drop(lock.try_read_for(Duration::from_micros(20)));
        drop(lock.try_upgradable_read_until(Instant::now() + Duration::from_micros(20)));
        let mut guard = lock.read();
        RwLockReadGuard::bump(&mut guard);
        RwLockReadGuard::unlocked_fair(&mut guard, thread::yield_now);
        RwLockReadGuard::unlock_fair(guard);
        let mut guard = lock.upgradable_read();
        RwLockUpgradableReadGuard::bump(&mut guard);
        let timeout = Duration::from_micros(20);
        match RwLockUpgradableReadGuard::try_upgrade_for(guard, timeout) {
            Ok(mut guard) => {
                guard.section(inside);
                drop(RwLockWriteGuard::downgrade_to_upgradable(guard));
            }
            Err(guard) => drop(RwLockUpgradableReadGuard::downgrade(guard)),
        }
        let mut guard = RwLockUpgradableReadGuard::upgrade(lock.upgradable_read());
        RwLockWriteGuard::bump(&mut guard);
        RwLockWriteGuard::unlocked(&mut guard, || drop(lock.try_write()));
        drop(RwLockWriteGuard::downgrade(guard));
    }
}

/// Everybody at the same `Once`, one after the other, so that all but one wait.
fn initialising(onces: &[(Once, OnceLock<usize>, LazyLock<usize>)], index: usize) {
    let moment = || thread::sleep(Duration::from_micros(200));
    for (once, lock, lazy) in onces {
        match index % 4 {
            0 => once.wait(),
            1 => once.wait_force(),
            2 => once.call_once_force(|_| moment()),
            _ => once.call_once(moment),
        }
        let _ = once.wait_for(Duration::from_micros(20));
        let _ = lock.wait_for(Duration::from_micros(20));
        let _ = lock.get_or_try_init(|| {
            moment();
            if index.is_multiple_of(2) { Err(()) } else { Ok(index) }
        });
        let _ = lock.set(index);
        assert_eq!(lock.wait(), lock.get_or_init(|| unreachable!()));
        assert_eq!(**lazy, 5);
    }
}

fn counted_during_once(case: &str) {
    let make: fn() -> usize = || {
        thread::sleep(Duration::from_micros(200));
        5
    };
    let one = || (Once::new(), OnceLock::new(), LazyLock::new(make));
    let onces: Vec<_> = std::iter::repeat_with(one).take(64).collect();
    counted_during(case, |index| initialising(&onces, index));
}

fn counted_during(case: &str, turns: impl Fn(usize) + Sync) {
    const THREADS: usize = 8;
    let start = Barrier::new(THREADS);
    let watchdog = Watchdog::new(case, THREADS);
    thread::scope(|scope| {
        for index in 0..THREADS {
            let progress = watchdog.thread(index);
            let (turns, start) = (&turns, &start);
            scope.spawn(move || {
                start.wait();
                // Not even a thread's first wait may allocate, so there is no warm-up.
                let count = Count::start();
                turns(index);
                drop(count);
                progress.step();
            });
        }
    });
}

fn counted_during_mutex<R: FullMutex>(case: &str) {
    let lock = lock_api::Mutex::<R, _>::new(Witness::new());
    counted_during(case, |index| turns(&lock, index));
}

fn counted_during_rwlock<R: FullRwLock>(case: &str) {
    let lock = lock_api::RwLock::<R, _>::new(Witness::new());
    counted_during(case, |index| reading_and_writing(&lock, index));
}

fn counted_during_reentrant() {
    let lock = lock_api::ReentrantMutex::<RawMutex, RawThreadId, _>::new(Cell::new(0));
    counted_during("no allocation, reentrant mutex", |_| {
        for round in 0..64 {
            let outer = lock.lock();
            let inner = lock.try_lock_for(Duration::ZERO).expect("this thread has it");
            inner.set(outer.get() + 1);
            if round % 4 == 0 {
                thread::sleep(Duration::from_micros(50));
            }
            ReentrantMutexGuard::unlock_fair(outer);
            drop(inner);
            drop(lock.try_lock_for(Duration::from_micros(20)));
        }
    });
}

/// A turn with each operation of a condition variable, of which some time out, some are notified and some moved.
fn waiting_and_notifying(
    mutex: &Mutex<Witness>,
    fair: &FairMutex<Witness>,
    rwlock: &RwLock<Witness>,
    changed: &Condvar,
    index: usize,
) {
    let timeout = Duration::from_micros(200);
    for round in index..index + 64 {
        if round % 3 == 0 {
            changed.notify_one();
            mutex.lock().section(|| {
                changed.notify_all();
            });
            fair.lock().section(|| {
                changed.notify_all();
            });
        }
        changed.wait_for(&mut mutex.lock(), timeout);
        changed.wait_until(&mut mutex.lock(), Instant::now() + timeout);
        changed.wait_while_for(&mut fair.lock(), |value| value.count() > 0, timeout);
        changed.wait_for(&mut rwlock.read(), timeout);
        changed.wait_for(&mut rwlock.upgradable_read(), timeout);
        let mut guard = rwlock.write();
        guard.section(|| {});
        changed.wait_while_until(&mut guard, |_| true, Instant::now() + timeout);
    }
}

fn counted_during_condvar() {
    let changed = Condvar::new();
    let (mutex, fair, rwlock) = (Mutex::default(), FairMutex::default(), RwLock::default());
    counted_during("no allocation, condvar", |index| {
        waiting_and_notifying(&mutex, &fair, &rwlock, &changed, index);
    });
}

/// Tuples and arrays, in an order that each thread has for itself.
fn counted_during_many() {
    let (mutexes, fair) = ([(); 3].map(|()| Mutex::new(Witness::new())), FairMutex::new(0));
    let lock = RwLock::<Witness>::default();
    counted_during("no allocation, many", |index| {
        let timeout = Duration::from_micros(20);
        for round in index..index + 64 {
            let [a, b, c] = [0, 1, 2].map(|place| &mutexes[(round + place) % 3]);
            let (mut first, reading, second) = lock_many((a, read(&lock), &fair)).unwrap();
            first.section(|| thread::sleep(Duration::from_micros(20)));
            reading.check();
            drop((first, reading, second));
            lock_many([c, a, b]).unwrap()[1].section(|| {});
            drop(try_lock_many(&mutexes));
            drop(try_lock_many_for((write(&lock), c, b), timeout));
            drop(try_lock_many_until((upgradable_read(&lock), a), Instant::now() + timeout));
            assert!(lock_many((a, b, a)).is_err());
        }
    });
}

/// Meeting, now and then too late, and counting down to 0 while others wait.
fn counted_during_gates() {
    let meeting = parkade::Barrier::new(8);
    let latches = [const { Latch::new(16) }; 32];
    let group = WaitGroup::new();
    counted_during("no allocation, gates", |index| {
        let patience = Duration::from_micros(20 * index as u64);
        for latch in &latches {
            let member = group.clone().wait_for(patience).expect_err("there is one more");
            if meeting.wait_for(patience).is_err() {
                meeting.wait().expect("nobody aborts");
            }
            latch.count_down();
            let _open = latch.wait_for(patience) || latch.wait_until(Instant::now() + patience);
            latch.arrive_and_wait();
            member.clone().wait_until(Instant::now()).expect_err("there is one more");
        }
    });
}

/// Tasks that wait for gates and values, some of which are dropped, some woken.
fn counted_during_tasks() {
    // To start that thread allocates, once in a process.
    parkade::tuning::set_lookout(parkade::tuning::Lookout::Off);
    let latches = [const { Latch::new(8) }; 64];
    let values = [const { OnceLock::new() }; 64];
    let (meeting, group) = (parkade::Barrier::new(8), WaitGroup::new());
    counted_during("no allocation, tasks", |index| {
        let task = &mut Context::from_waker(Waker::noop());
        for (latch, value) in latches.iter().zip(&values) {
            let (lock, table, permits) = (Mutex::new(0), RwLock::new(0), Semaphore::new(0));
            let (held, read) = (lock.lock(), table.read());
            let mut locks = pin!(lock.lock_async());
            let mut writes = pin!(table.write_async());
            let mut acquires = pin!(permits.acquire_async());
            assert!(locks.as_mut().poll(task).is_pending());
            assert!(writes.as_mut().poll(task).is_pending());
            assert!(acquires.as_mut().poll(task).is_pending());
            drop((held, read));
            permits.add_permits(1).unwrap();
            assert!(locks.poll(task).is_ready() && writes.poll(task).is_ready());
            assert!(acquires.poll(task).is_ready());
            let mut waits = pin!(latch.wait_async());
            let mut others = pin!(group.clone().wait_async());
            let mut value_there = pin!(value.wait_async());
            let mut makes = pin!(value.get_or_init_async(yield_now));
            let _ = waits.as_mut().poll(task).is_ready() || others.as_mut().poll(task).is_ready();
            let _ =
                value_there.as_mut().poll(task).is_ready() || makes.as_mut().poll(task).is_ready();
            let _ = pin!(meeting.wait_async()).poll(task).is_ready();
            latch.count_down();
            while index != 0 && makes.as_mut().poll(task).is_pending() {
                thread::yield_now();
            }
            while waits.as_mut().poll(task).is_pending() {
                thread::yield_now();
            }
        }
    });
}

/// Ready with its second poll.
fn yield_now() -> impl Future<Output = ()> {
    let mut polled = false;
    std::future::poll_fn(move |_| {
        if std::mem::replace(&mut polled, true) { Poll::Ready(()) } else { Poll::Pending }
    })
}

/// A turn with each operation of a semaphore, of which some wait, some time out and the last finds it closed.
fn counted_during_semaphore(policy: SemaphorePolicy) {
    let semaphore = Arc::new(Semaphore::with_policy(3, policy));
    let shared = || Arc::clone(&semaphore);
    let timeout = Duration::from_micros(20);
    counted_during("no allocation, semaphore", |index| {
        for round in index..index + 64 {
            let mut held = semaphore.acquire_many(1 + round % 3).unwrap();
            if round % 4 == 0 {
                thread::sleep(Duration::from_micros(50));
            }
            let part = held.split(1).expect("it has one");
            held.merge(part);
            drop(semaphore.try_acquire());
            drop((semaphore.try_acquire_for(timeout), held));
            drop(semaphore.try_acquire_many_until(2, Instant::now() + timeout));
            drop(shared().acquire_many_owned(2));
            drop((shared().try_acquire_owned(), shared().try_acquire_owned_for(timeout)));
            semaphore.add_permits(semaphore.forget_permits(1)).unwrap();
        }
    });
    counted_during("no allocation, closing a semaphore", |index| {
        if index == 0 {
            semaphore.close();
        }
        while semaphore.acquire_many(3).is_ok() {}
    });
}

/// Threads that wait for conditions, of which some time out and some are true, and who makes them so.
fn waiting_for_conditions(lock: &Mutex<Witness>, index: usize) {
    let timeout = Duration::from_micros(200);
    for round in index as u64..index as u64 + 64 {
        let later = lock.lock().count() + 4;
        drop(lock.try_lock_when_for(|value| value.count() >= later, timeout));
        drop(lock.try_lock_when(|value| value.count() >= later));
        let mut guard = lock.lock();
        guard.section(|| {});
        guard.wait_until_for(|value| value.count() >= later, timeout);
        guard.wait_until_deadline(|_| false, Instant::now() + timeout);
        guard.section(|| {});
        drop(guard);
        lock.lock_when(|value| value.count() > round).section(|| {});
    }
}

fn counted_during_conditions() {
    let lock = Mutex::new(Witness::new());
    counted_during("no allocation, conditions", |index| waiting_for_conditions(&lock, index));
}

/// Going over to slots, the first slot of a thread, and a writer that ends it.
fn counted_during_bias() {
    let lock = lock_api::RwLock::<RawRwLock, _>::new(Witness::new());
    let counted = |body: &dyn Fn()| {
        let count = Count::start();
        body();
        drop(count);
    };
    // To ask whether it is biased allocates; it is denied for 8 ms at most.
    while can_bias() && !is_biased(&lock) {
        counted(&|| (0..1_000).for_each(|_| drop(lock.read())));
    }
    counted(&|| {
        let guard = lock.read();
        assert!(lock.try_write().is_none());
        drop(guard);
        lock.write().section(|| {});
    });
}

#[test]
fn no_operation_allocates() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let counting = Count::start();
    let before = COUNTED.load(Relaxed);
    drop(std::hint::black_box(Box::new(1)));
    assert_eq!(COUNTED.load(Relaxed) - before, 2, "the count does not count");
    drop(counting);

    let before = COUNTED.load(Relaxed);
    counted_during_mutex::<RawMutex>("no allocation, mutex");
    counted_during_mutex::<RawFairMutex>("no allocation, fair mutex");
    counted_during_reentrant();
    counted_during_bias();
    counted_during_rwlock::<RawRwLock>("no allocation, rwlock");
    counted_during_rwlock::<RawRecursiveRwLock>("no allocation, recursive rwlock");
    counted_during_once("no allocation, once");
    counted_during_condvar();
    counted_during_many();
    counted_during_gates();
    counted_during_tasks();
    counted_during_semaphore(SemaphorePolicy::Fifo);
    counted_during_semaphore(SemaphorePolicy::Barging);
    counted_during_conditions();
    assert_eq!(COUNTED.load(Relaxed) - before, 0, "allocations inside lock operations");
}

#[test]
fn a_handle_allocates_once() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let counting = Count::start();
    let before = COUNTED.load(Relaxed);
    let lock = shared::Mutex::new(1);
    let allocated = COUNTED.load(Relaxed) - before;
    let same = lock.clone();
    *same.lock() += 1;
    let again = same.downgrade().upgrade();
    drop((same, again));
    let cloned = COUNTED.load(Relaxed) - before - allocated;
    let value = lock.into_inner();
    let freed = COUNTED.load(Relaxed) - before - allocated - cloned;
    drop(counting);
    assert_eq!((allocated, cloned, freed, value), (1, 0, 1, Some(2)));
}

/// Where the number of locks is not known beforehand, space for guards and turns is, before the first is locked.
#[test]
fn a_slice_of_locks_allocates_twice_and_before_it_locks() {
    struct Counted<'a>(&'a Mutex<u32>, &'a Cell<u64>);

    impl<'a> LockRequest for Counted<'a> {
        type Guard = MutexGuard<'a, RawMutex, u32>;

        fn address(&self) -> usize {
            self.0.address()
        }

        fn lock(&self) -> Self::Guard {
            self.1.set(COUNTED.load(Relaxed));
            self.0.lock()
        }

        fn try_lock(&self) -> Option<Self::Guard> {
            self.0.try_lock()
        }

        fn try_lock_until(&self, deadline: Instant) -> Option<Self::Guard> {
            self.0.try_lock_until(deadline)
        }
    }

    let locks: Vec<_> = (0..100).map(Mutex::new).collect();
    let at_first = [const { Cell::new(0) }; 100];
    let requests: Vec<_> =
        locks.iter().zip(&at_first).map(|(lock, at)| Counted(lock, at)).collect();
    let counting = Count::start();
    let before = COUNTED.load(Relaxed);
    let guards = lock_many(&requests).unwrap();
    let after = COUNTED.load(Relaxed);
    drop(counting);
    assert!(guards.iter().map(|guard| **guard).eq(0..100));
    // Both were there when each was locked; that of the turns is freed in the end.
    assert!(at_first.iter().all(|at| at.get() - before == 2));
    assert_eq!(after - before, 3);
}

#[test]
fn a_program_runs_on_an_allocator_that_locks() {
    const THREADS: usize = 16;
    let watchdog = Watchdog::new("program on a locked allocator", THREADS);
    let lengths: Vec<usize> = thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS)
            .map(|index| {
                let progress = watchdog.thread(index);
                scope.spawn(move || {
                    let mut words = BTreeMap::new();
                    for number in 0..2_000_usize {
                        let word = format!("{index} {number}");
                        words.insert(word.clone(), word.into_bytes());
                        if number % 3 == 0 {
                            words.pop_first();
                        }
                        progress.step();
                    }
                    words.len()
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().expect("a worker failed")).collect()
    });
    assert!(lengths.iter().all(|&length| length == lengths[0]));
    assert!(CALLS.lock().count() > 16 * 4_000);
}

#[test]
fn a_group_allocates_once() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let counting = Count::start();
    let before = COUNTED.load(Relaxed);
    let group = WaitGroup::new();
    let allocated = COUNTED.load(Relaxed) - before;
    let member = group.clone().wait_for(Duration::ZERO).unwrap_err();
    drop(member);
    let joined = COUNTED.load(Relaxed) - before - allocated;
    group.wait();
    let freed = COUNTED.load(Relaxed) - before - allocated - joined;
    drop(counting);
    assert_eq!((allocated, joined, freed), (1, 0, 1));
}
