//! Evidence for the bound on waiting: threads that re-lock in tight loops delay the others by
//! little, long sections are shared out evenly, and `FairMutex` serves in the order of arrival.
//!
//! The documented bound for the k-th waiter is k * (fair interval + 3 * (longest section + latency of
//! the scheduler) + polling). The limits asserted here are several times what it comes to on two busy
//! processors.

mod support;

use std::{
    sync::{
        Mutex as StdMutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use parkade::{
    RawFairMutex, RawMutex,
    lock_api::{Mutex, MutexGuard},
};
use support::{FullMutex, Watchdog, Witness, busy, parked_on, wait_until};

/// These tests measure waits: two at a time would measure each other.
static ONE_AT_A_TIME: StdMutex<()> = StdMutex::new(());

/// The longest single wait of `victims` threads that take the lock `rounds` times each while
/// `hogs` threads never leave it alone.
fn longest_wait<R: FullMutex>(hogs: usize, victims: usize, rounds: usize, hold: Hold) -> Duration {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let lock = Mutex::<R, _>::new(Witness::new());
    let stop = AtomicBool::new(false);
    let sections = AtomicUsize::new(0);
    let watchdog = Watchdog::new(format!("{hogs} hogs, {victims} victims, {hold:?}"), victims);

    thread::scope(|scope| {
        for _ in 0..hogs {
            scope.spawn(|| {
                while !stop.load(Relaxed) {
                    lock.lock().section(|| {
                        sections.fetch_add(1, Relaxed);
                        hold.spend();
                    });
                }
            });
        }
        let victims: Vec<_> = (0..victims)
            .map(|index| {
                let progress = watchdog.thread(index);
                let (lock, sections) = (&lock, &sections);
                scope.spawn(move || {
                    let mut longest = Duration::ZERO;
                    for _ in 0..rounds {
                        // A hog has the lock when this wait begins, or had it a moment ago.
                        let seen = sections.load(Relaxed);
                        while sections.load(Relaxed) == seen {
                            thread::yield_now();
                        }
                        let before = Instant::now();
                        let mut guard = lock.lock();
                        longest = longest.max(before.elapsed());
                        guard.section(|| {});
                        drop(guard);
                        progress.step();
                    }
                    longest
                })
            })
            .collect();
        let waits: Vec<_> = victims.into_iter().map(|victim| victim.join()).collect();
        stop.store(true, Relaxed);
        waits.into_iter().map(|wait| wait.expect("a victim failed")).max().unwrap()
    })
}

/// What a hog does inside its section.
#[derive(Debug, Clone, Copy)]
enum Hold {
    Nothing,
    Busy(Duration),
    Asleep(Duration),
}

impl Hold {
    fn spend(self) {
        match self {
            Hold::Nothing => {}
            Hold::Busy(time) => busy(time),
            Hold::Asleep(time) => thread::sleep(time),
        }
    }
}

#[track_caller]
fn assert_waits_below(limit: Duration, longest: Duration) {
    println!("longest wait {longest:?}");
    assert!(longest < limit, "a victim waited {longest:?}, more than {limit:?}");
}

#[test]
fn tight_relocking_starves_nobody() {
    let longest = longest_wait::<RawMutex>(4, 16, 20, Hold::Nothing);
    assert_waits_below(Duration::from_secs(2), longest);
}

#[test]
fn long_busy_sections_starve_nobody() {
    let longest = longest_wait::<RawMutex>(4, 16, 10, Hold::Busy(Duration::from_micros(200)));
    assert_waits_below(Duration::from_secs(2), longest);
}

#[test]
fn one_sleeping_hog_starves_nobody() {
    // Whoever sleeps inside and re-locks at once takes the lock from every thread that has to be
    // woken first, unless the lock keeps its promise.
    let longest = longest_wait::<RawMutex>(1, 4, 20, Hold::Asleep(Duration::from_millis(1)));
    assert_waits_below(Duration::from_secs(1), longest);
}

#[test]
fn sleeping_hogs_starve_nobody() {
    let longest = longest_wait::<RawMutex>(4, 16, 10, Hold::Asleep(Duration::from_millis(1)));
    assert_waits_below(Duration::from_secs(2), longest);
}

#[test]
fn a_hog_that_sleeps_long_starves_nobody() {
    // Longer than the millisecond after which waiters without heavy fences look for themselves, and
    // on fresh locks: with PARKADE_FENCE=symmetric the first waiters once starved for seconds.
    let waits =
        (0..20).map(|_| longest_wait::<RawMutex>(1, 3, 1, Hold::Asleep(Duration::from_millis(5))));
    assert_waits_below(Duration::from_millis(200), waits.max().unwrap());
}

#[test]
fn tight_relocking_of_a_fair_mutex_starves_nobody() {
    let longest = longest_wait::<RawFairMutex>(4, 16, 20, Hold::Nothing);
    assert_waits_below(Duration::from_secs(2), longest);
}

/// Sections per thread when `threads` threads do nothing but hold the lock for `hold`.
fn shares<R: FullMutex>(threads: usize, hold: Duration, total: Duration) -> Vec<u64> {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let lock = Mutex::<R, _>::new(Witness::new());
    let stop = AtomicBool::new(false);
    let watchdog = Watchdog::new(format!("shares of {threads}, {hold:?}"), threads);
    let shares = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|index| {
                let progress = watchdog.thread(index);
                let (lock, stop) = (&lock, &stop);
                scope.spawn(move || {
                    let mut sections = 0;
                    while !stop.load(Relaxed) {
                        lock.lock().section(|| thread::sleep(hold));
                        sections += 1;
                        progress.step();
                    }
                    sections
                })
            })
            .collect();
        thread::sleep(total);
        stop.store(true, Relaxed);
        workers.into_iter().map(|worker| worker.join().expect("a worker failed")).collect()
    });
    println!("sections per thread: {shares:?}");
    shares
}

#[track_caller]
fn assert_even(shares: &[u64]) {
    let (min, max) = (shares.iter().min().unwrap(), shares.iter().max().unwrap());
    assert!(max < &(2 * min), "unfair shares: {shares:?}");
}

#[test]
fn long_sections_are_shared_out_evenly() {
    assert_even(&shares::<RawMutex>(8, Duration::from_micros(500), Duration::from_secs(3)));
}

#[test]
fn long_sections_of_a_fair_mutex_are_shared_out_evenly() {
    assert_even(&shares::<RawFairMutex>(8, Duration::from_micros(500), Duration::from_secs(2)));
}

/// Queues `waiters` threads one after the other behind a held lock, lets `release` free it, and
/// returns the order in which the threads got it. The one that released has number `waiters`.
fn order<R: FullMutex>(
    waiters: usize,
    release: impl FnOnce(MutexGuard<'_, R, Vec<usize>>),
) -> Vec<usize> {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let lock = Mutex::<R, _>::new(Vec::new());
    let watchdog = Watchdog::new(format!("order of {waiters}"), waiters);
    // Without membarrier the first waiters of a lock look after themselves, in no order, until one
    // of them has had it.
    thread::scope(|scope| {
        let guard = lock.lock();
        scope.spawn(|| drop(lock.lock()));
        wait_until(|| parked_on(&lock).len() == 1);
        drop(guard);
    });
    thread::scope(|scope| {
        let guard = lock.lock();
        for index in 0..waiters {
            let progress = watchdog.thread(index);
            let lock = &lock;
            scope.spawn(move || {
                let mut order = lock.lock();
                order.push(index);
                // Whoever is next must already be the next, however long the lock is then free.
                MutexGuard::unlock_fair(order);
                progress.step();
            });
            wait_until(|| parked_on(lock).len() == index + 1);
        }
        release(guard);
        lock.lock().push(waiters);
    });
    lock.into_inner()
}

#[test]
fn fair_mutex_serves_in_order_of_arrival() {
    for _ in 0..20 {
        // The one that releases comes back at once, and has to wait like everybody else.
        assert_eq!(order::<RawFairMutex>(10, |guard| drop(guard)), Vec::from_iter(0..=10));
    }
}

#[test]
fn fair_unlock_serves_in_order_of_arrival() {
    for _ in 0..20 {
        let order = order::<RawMutex>(10, |guard| MutexGuard::unlock_fair(guard));
        assert_eq!(order[..1], [0], "the head of the queue was passed: {order:?}");
        let waiters = order.iter().filter(|index| **index < 10);
        assert!(waiters.is_sorted(), "the queue was not served in order: {order:?}");
    }
}

#[test]
fn bump_lets_the_head_of_the_queue_in() {
    for _ in 0..20 {
        let order = order::<RawMutex>(3, |mut guard| {
            MutexGuard::bump(&mut guard);
            assert!(guard.contains(&0), "nobody came in between: {guard:?}");
        });
        assert_eq!(order[..1], [0]);
    }
}
