//! Evidence for what `keyed` promises of memory: at most 64 bytes for a key beside the key, all of it back after a burst but
//! what each shard keeps, and no allocation in a steady state. This program's own allocator counts.
#![cfg(feature = "keyed")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    future::Future,
    pin::Pin,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Waker},
    thread,
    time::{Duration, Instant},
};

use parkade::keyed::{KeyedMutex, KeyedRwLock};

static BYTES: AtomicUsize = AtomicUsize::new(0);
static CALLS: AtomicUsize = AtomicUsize::new(0);

#[derive(Debug)]
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes to `System` with the caller's own arguments.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BYTES.fetch_add(layout.size(), Relaxed);
        CALLS.fetch_add(1, Relaxed);
        // SAFETY: the caller keeps the duties of `alloc`, which are the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        BYTES.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the block came from `System` with this layout.
        unsafe { System.dealloc(block, layout) };
    }
}

/// The tests count what the process allocates.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// What `task` leaves allocated, and how often it has asked.
fn count(task: impl FnOnce()) -> (isize, usize) {
    let before = (BYTES.load(Relaxed), CALLS.load(Relaxed));
    task();
    let after = (BYTES.load(Relaxed), CALLS.load(Relaxed));
    (after.0.wrapping_sub(before.0).cast_signed(), after.1 - before.1)
}

/// So many keys held at a time by one thread, several times.
fn burst(keys: u64) {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let map = KeyedMutex::<u64>::new();
    let mut guards = Vec::with_capacity(keys as usize);
    let mut left = Vec::new();
    for _ in 0..3 {
        let start = Instant::now();
        let (bytes, _) = count(|| guards.extend((0..keys).map(|key| map.lock(&key))));
        let each = bytes / keys as isize - size_of::<u64>() as isize;
        assert!(each <= 64, "{each} bytes a key beside the key");
        assert_eq!(map.len(), keys as usize);
        let (back, _) = count(|| guards.clear());
        left.push(bytes + back);
        assert_eq!(map.len(), 0);
        println!(
            "{keys} keys: {bytes} bytes, {each} a key beside the key; {} stay; {:?}",
            bytes + back,
            start.elapsed()
        );
    }
    // What the shards keep is 16 blocks of 40 bytes each; the test harness takes some, too.
    let shards = (8 * thread::available_parallelism().map_or(1, usize::from)).next_power_of_two();
    let most = (640 * shards.clamp(32, 1024) + NOISE) as isize;
    assert!(left.iter().all(|left| *left <= most), "{left:?}");
    assert!(left[1..].iter().all(|left| *left <= NOISE as isize), "{left:?}");
}

/// What the test harness may allocate meanwhile.
const NOISE: usize = 16 << 10;

#[test]
fn memory_returns_after_a_burst() {
    burst(if cfg!(debug_assertions) { 100_000 } else { 1_000_000 });
}

#[test]
#[ignore = "takes a gigabyte: cargo test --release --test keyed_alloc -- --ignored --nocapture"]
fn memory_returns_after_a_burst_of_ten_million() {
    burst(10_000_000);
}

#[test]
fn keys_one_after_the_other_leave_nothing_and_allocate_nothing() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let (map, shared) = (KeyedMutex::<u64>::new(), KeyedRwLock::<u64>::new());
    let keys = if cfg!(debug_assertions) { 100_000 } else { 10_000_000 };
    // The first keys of each shard.
    let warm_up = |keys: std::ops::Range<u64>| {
        for key in keys {
            drop((map.lock(&key), map.lock(&!key), shared.read(&key), shared.write(&!key)));
        }
    };
    warm_up(0..5_000);
    let (bytes, calls) = count(|| warm_up(0..keys));
    // Of the harness; a thousandth of what one allocation a key would be.
    assert!(bytes < NOISE as isize && calls < 100, "{bytes} bytes by {calls} allocations");
}

#[test]
fn waiting_allocates_nothing() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let map = KeyedMutex::<u64>::new();
    (0..5_000).for_each(|key| drop(map.lock(&key)));
    let (began, ended) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let turns = |index: usize| {
        for round in 0..200 {
            let guard = map.lock(&7);
            let timed = map.try_lock_for(&8, Duration::from_micros(20));
            if (round + index).is_multiple_of(4) {
                thread::sleep(Duration::from_micros(50));
            }
            drop((guard, timed));
        }
    };
    let mut counted = (0, 0);
    thread::scope(|scope| {
        for index in 0..4 {
            let (began, ended, turns) = (&began, &ended, &turns);
            scope.spawn(move || {
                // Threads allocate as they begin and end.
                began.fetch_add(1, Relaxed);
                while began.load(Relaxed) < 5 {
                    thread::yield_now();
                }
                turns(index);
                ended.fetch_add(1, Relaxed);
                while ended.load(Relaxed) < 5 {
                    thread::yield_now();
                }
            });
        }
        while began.load(Relaxed) < 4 {
            thread::yield_now();
        }
        counted = count(|| {
            began.fetch_add(1, Relaxed);
            while ended.load(Relaxed) < 4 {
                thread::yield_now();
            }
        });
        ended.fetch_add(1, Relaxed);
    });
    assert!(counted.1 < 20, "{counted:?} in 800 rounds");
}

/// What tasks need to wait is in their futures.
#[test]
fn a_hundred_thousand_tasks_that_wait_for_a_key_allocate_nothing() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let map = KeyedMutex::<u64>::new();
    let mut futures = Vec::with_capacity(100_000);
    let mut cx = Context::from_waker(Waker::noop());
    let guard = map.lock(&7);
    let (bytes, calls) = count(|| {
        futures.extend((0..100_000).map(|_| map.lock_async(&7)));
        for future in &mut futures {
            // SAFETY: they are not moved from here on.
            let future = unsafe { Pin::new_unchecked(future) };
            assert!(future.poll(&mut cx).is_pending());
        }
    });
    assert!(bytes < NOISE as isize && calls < 100, "{bytes} bytes by {calls} allocations");
    assert_eq!(map.snapshot()[0].waiters, 100_000);
    drop(guard);
    let (bytes, calls) = count(|| futures.clear());
    assert!(bytes < NOISE as isize && calls < 100, "{bytes} bytes by {calls} allocations");
    assert!(map.is_empty());
}
