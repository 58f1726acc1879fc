//! Evidence that [`Semaphore`] does not have the bugs that others had: one test each, named for what must hold.

mod support;

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use parkade::{Semaphore, SemaphorePolicy, TimedAcquireError, TryAcquireError};
use support::{wait_for_parked, watched_test};

const POLICIES: [SemaphorePolicy; 2] = [SemaphorePolicy::Fifo, SemaphorePolicy::Barging];
const LONG: Duration = Duration::from_secs(60);

/// The first in line wants more than there is and gives up; what there is suffices for the next, and nothing else comes
/// back. A semaphore that looks after its queue only when permits come back leaves that one asleep:
/// embassy-rs/embassy#6964.
#[test]
fn a_head_that_gives_up_lets_the_next_go() {
    let _watched = watched_test();
    for policy in POLICIES {
        let semaphore = Semaphore::with_policy(1, policy);
        let held = semaphore.acquire().unwrap();
        thread::scope(|scope| {
            let large = scope
                .spawn(|| semaphore.try_acquire_many_for(3, Duration::from_millis(200)).map(drop));
            wait_for_parked(&semaphore, 1);
            let next = scope.spawn(|| semaphore.try_acquire_for(LONG).map(drop));
            wait_for_parked(&semaphore, 2);
            drop(held);
            assert_eq!(large.join().unwrap(), Err(TimedAcquireError::TimedOut));
            assert_eq!(next.join().unwrap(), Ok(()));
        });
        assert_eq!(semaphore.available_permits(), 1);
    }
}

/// A deadline that passes at the moment of the grant: either the permits are the waiter's, or they are somebody
/// else's. A semaphore has lost them with the waiter: tokio-rs/tokio#904.
#[test]
fn a_grant_that_comes_at_the_deadline_is_used_or_passed_on() {
    let _watched = watched_test();
    for policy in POLICIES {
        let semaphore = Semaphore::with_policy(1, policy);
        let (mut in_time, mut late) = (0, 0);
        for round in 0..300_u64 {
            let held = semaphore.acquire().unwrap();
            let timeout = Duration::from_micros(100 + round % 50);
            thread::scope(|scope| {
                let timed = scope.spawn(|| {
                    let start = Instant::now();
                    let ended = semaphore.try_acquire_for(timeout);
                    assert!(ended.is_ok() || start.elapsed() >= timeout);
                    ended.is_ok()
                });
                // Nobody else gives anything back that could make up for it.
                let next = scope.spawn(|| drop(semaphore.acquire().unwrap()));
                // The other thread has begun a little later.
                let end = Instant::now() + timeout + Duration::from_micros(round * 7 % 200);
                while Instant::now() < end {
                    std::hint::spin_loop();
                }
                drop(held);
                next.join().unwrap();
                if timed.join().unwrap() { in_time += 1 } else { late += 1 }
            });
            assert_eq!(semaphore.available_permits(), 1);
        }
        println!("{policy:?}: {in_time} in time, {late} late");
    }
}

/// Two permits come back before the first waiter is up: both waiters are woken. One was forgotten:
/// smol-rs/async-lock#18.
#[test]
fn each_permit_that_comes_back_lets_one_go() {
    let _watched = watched_test();
    for policy in POLICIES {
        for _ in 0..100 {
            let semaphore = Semaphore::with_policy(2, policy);
            let (one, other) = (semaphore.acquire().unwrap(), semaphore.acquire().unwrap());
            thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| semaphore.acquire().unwrap().forget());
                }
                wait_for_parked(&semaphore, 2);
                drop(one);
                drop(other);
            });
            assert_eq!(semaphore.available_permits(), 0);
        }
    }
}

/// How often two threads, each of which always holds one of three permits or is about to, overtake one that
/// wants all three.
fn overtakes(policy: SemaphorePolicy) -> u64 {
    let semaphore = Semaphore::with_policy(3, policy);
    let (turns, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut held = semaphore.acquire().unwrap();
                while !stop.load(Relaxed) {
                    // It never lets go of one before it has another, unless it has to wait for that.
                    match semaphore.try_acquire() {
                        Ok(next) => held = next,
                        Err(_) => {
                            drop(held);
                            held = semaphore.acquire().unwrap();
                        }
                    }
                    turns.fetch_add(1, Relaxed);
                    thread::yield_now();
                }
            });
        }
        while turns.load(Relaxed) < 100 {
            thread::yield_now();
        }
        let before = turns.load(Relaxed);
        let all = semaphore.acquire_many(3).unwrap();
        let overtakes = turns.load(Relaxed) - before;
        stop.store(true, Relaxed);
        drop(all);
        overtakes
    })
}

/// Permits never come back all at once, so whoever serves what fits never serves who wants all. First come, first served
/// collects them.
#[test]
fn who_wants_many_does_not_starve_first_come_first_served() {
    let _watched = watched_test();
    for _ in 0..20 {
        let overtakes = overtakes(SemaphorePolicy::Fifo);
        // While it polls it is not in line: tens of thousands would be a starving one.
        assert!(overtakes < 100_000, "{overtakes}");
    }
}

/// With barging the first in line makes newcomers queue once it has been overtaken for long.
#[test]
fn who_wants_many_does_not_starve_with_barging() {
    let _watched = watched_test();
    for _ in 0..20 {
        let overtakes = overtakes(SemaphorePolicy::Barging);
        assert!(overtakes < 1_000_000, "{overtakes}");
    }
}

/// The price of it: who wants little stands behind who wants much, though there is enough for it.
#[test]
fn a_large_request_holds_up_small_ones_behind_it() {
    let _watched = watched_test();
    let semaphore = Semaphore::new(2);
    let held = semaphore.acquire().unwrap();
    thread::scope(|scope| {
        let large = scope.spawn(|| drop(semaphore.acquire_many(2).unwrap()));
        wait_for_parked(&semaphore, 1);
        assert_eq!(semaphore.available_permits(), 1);
        assert_eq!(semaphore.try_acquire().unwrap_err(), TryAcquireError::NoPermits);
        let timed = semaphore.try_acquire_for(Duration::from_millis(5));
        assert_eq!(timed.unwrap_err(), TimedAcquireError::TimedOut);
        let small = scope.spawn(|| drop(semaphore.acquire().unwrap()));
        wait_for_parked(&semaphore, 2);
        drop(held);
        large.join().unwrap();
        small.join().unwrap();
    });
    assert_eq!(semaphore.available_permits(), 2);
}
