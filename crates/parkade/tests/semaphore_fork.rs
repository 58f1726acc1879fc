//! Evidence for what [`Semaphore`] promises of forks: a child goes on with the permits that nobody or the forking
//! thread held, though its parent's waiters have left bits behind; what others held does not come back there.
#![cfg(target_os = "linux")]

mod support;

use std::{
    sync::{
        Mutex as StdMutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use parkade::{Semaphore, SemaphorePolicy, TimedAcquireError, TryAcquireError};
use support::{
    fork::{Side, child, fork, reap},
    parked_on,
    tasks::{Waits, block_on},
    wait_for_parked, watched_test,
};

const POLICIES: [SemaphorePolicy; 2] = [SemaphorePolicy::Fifo, SemaphorePolicy::Barging];

/// Fewer threads in the process make more of the forks hit what is tested.
static ONE_AT_A_TIME: StdMutex<()> = StdMutex::new(());

/// New threads of the child wait for all `permits`, which are there, and for each other.
fn contend(semaphore: &Semaphore, permits: usize) {
    thread::scope(|scope| {
        for want in [1, permits, 1, permits] {
            scope.spawn(move || {
                for _ in 0..20 {
                    let _held = semaphore.acquire_many(want).unwrap();
                    thread::sleep(Duration::from_micros(20));
                }
            });
        }
    });
    assert_eq!(semaphore.available_permits(), permits);
    assert!(semaphore.try_acquire_many(permits).is_ok(), "a line that does not exist");
}

/// The ways in which a child may come upon what the parent's waiters have left behind.
const WAYS: [fn(&Semaphore); 6] = [
    |semaphore| drop(semaphore.try_acquire().expect("nobody is first")),
    |semaphore| drop(semaphore.acquire_many(2).expect("nobody is first")),
    |semaphore| drop(block_on(semaphore.acquire_many_async(2)).expect("nobody is first")),
    |semaphore| drop(semaphore.try_acquire_for(Duration::ZERO).expect("nobody is first")),
    |semaphore| semaphore.add_permits(0).unwrap(),
    |semaphore| assert_eq!(semaphore.forget_permits(0), 0),
];

#[test]
fn a_child_does_not_wait_for_waiters_of_its_parent() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let _watched = watched_test();
    for policy in POLICIES {
        for way in WAYS {
            let semaphore = Semaphore::with_policy(2, policy);
            thread::scope(|scope| {
                let held = semaphore.acquire_many(2).unwrap();
                for want in [2, 1, 1] {
                    let semaphore = &semaphore;
                    scope.spawn(move || drop(semaphore.acquire_many(want).unwrap()));
                }
                wait_for_parked(&semaphore, 3);
                match fork() {
                    Side::Child => child(|| {
                        assert!(parked_on(&semaphore).is_empty(), "waiters that do not exist");
                        drop(held);
                        way(&semaphore);
                        contend(&semaphore, 2);
                    }),
                    Side::Parent(pid) => reap(pid, "fork beside waiters"),
                }
                drop(held);
            });
            assert_eq!(semaphore.available_permits(), 2);
        }
    }
}

/// A future goes on in a child, where it is in no queue, and may be dropped there.
#[test]
fn a_task_that_waits_goes_on_in_a_child() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let _watched = watched_test();
    for policy in POLICIES {
        let semaphore = Semaphore::with_policy(2, policy);
        let held = semaphore.acquire_many(2).unwrap();
        let [mut first, dropped] =
            [1, 2].map(|want| Waits::queued(semaphore.acquire_many_async(want)));
        match fork() {
            Side::Child => child(|| {
                drop(dropped);
                assert!(first.poll().is_none(), "{policy:?}: the permits are held");
                wait_for_parked(&semaphore, 1);
                drop(held);
                assert!(first.woken(), "{policy:?}: the permits are back");
                drop(first.poll().expect("nobody else is there").unwrap());
                contend(&semaphore, 2);
            }),
            Side::Parent(pid) => reap(pid, "fork beside tasks"),
        }
        drop(held);
        assert!(first.woken());
        drop(first.poll().expect("the parent goes on as ever").unwrap());
        drop(dropped);
        assert_eq!(semaphore.available_permits(), 2);
    }
}

/// A thread of the parent keeps newcomers back, and is not there in the child.
#[test]
fn a_task_is_not_kept_back_by_a_thread_of_the_parent() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let _watched = watched_test();
    let semaphore = Semaphore::with_policy(2, SemaphorePolicy::Barging);
    let (held, mut other) = (semaphore.acquire().unwrap(), Some(semaphore.acquire().unwrap()));
    let mut task = Waits::queued(semaphore.acquire_async());
    thread::scope(|scope| {
        let thread = scope.spawn(|| drop(semaphore.acquire_many(2).unwrap()));
        wait_for_parked(&semaphore, 2);
        // It is overtaken until it claims.
        while other.take().is_some() {
            thread::yield_now();
            other = semaphore.try_acquire().ok();
        }
        match fork() {
            Side::Child => child(|| {
                let taken = task.poll().or_else(|| task.poll());
                drop(taken.expect("a permit is there").unwrap());
                drop(held);
                contend(&semaphore, 2);
            }),
            Side::Parent(pid) => reap(pid, "fork beside a claim"),
        }
        drop(held);
        thread.join().unwrap();
    });
    drop(task);
    assert_eq!(semaphore.available_permits(), 2);
}

/// In a child every line might be a leftover. To find out that it is not takes nobody off the queue.
#[test]
fn newcomers_of_a_child_wake_nobody() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let _watched = watched_test();
    for policy in POLICIES {
        let semaphore = Semaphore::with_policy(1, policy);
        match fork() {
            Side::Child => child(|| {
                let held = semaphore.acquire().unwrap();
                thread::scope(|scope| {
                    scope.spawn(|| drop(semaphore.acquire().unwrap()));
                    wait_for_parked(&semaphore, 1);
                    for _ in 0..100 {
                        assert!(semaphore.try_acquire().is_err());
                        assert_eq!(
                            parked_on(&semaphore).len(),
                            1,
                            "{policy:?}: it was woken in vain"
                        );
                    }
                    drop(held);
                });
                assert_eq!(semaphore.available_permits(), 1);
            }),
            Side::Parent(pid) => reap(pid, "fork, and come by"),
        }
    }
}

/// While waiters come, are woken, overtaken and give up, so that all the bits are set now and then. In the child at
/// least the permit of the forking thread is there.
#[test]
fn a_child_goes_on_from_any_state() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let _watched = watched_test();
    for policy in POLICIES {
        let semaphore = Semaphore::with_policy(3, policy);
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            for want in [1, 2, 3, 1] {
                let (semaphore, stop) = (&semaphore, &stop);
                scope.spawn(move || {
                    while !stop.load(Relaxed) {
                        let timeout = Duration::from_micros(50 * want as u64);
                        drop(semaphore.try_acquire_many_for(want, timeout));
                        let held = semaphore.acquire_many(want).unwrap();
                        thread::sleep(Duration::from_micros(20));
                        drop(held);
                    }
                });
            }
            for _ in 0..100 {
                let held = semaphore.acquire().unwrap();
                match fork() {
                    Side::Child => child(|| {
                        drop(held);
                        let permits = semaphore.available_permits();
                        assert!((1..=3).contains(&permits));
                        drop(semaphore.try_acquire().expect("ours, and nobody is first"));
                        contend(&semaphore, permits);
                        let more = semaphore.try_acquire_many_for(permits + 1, Duration::ZERO);
                        assert_eq!(more.unwrap_err(), TimedAcquireError::TimedOut);
                        let all = semaphore.acquire_many(permits).unwrap();
                        assert_eq!(
                            semaphore.try_acquire().unwrap_err(),
                            TryAcquireError::NoPermits
                        );
                        all.forget();
                        semaphore.close();
                    }),
                    Side::Parent(pid) => reap(pid, "fork in the midst of things"),
                }
                drop(held);
            }
            stop.store(true, Relaxed);
        });
        assert_eq!(semaphore.available_permits(), 3);
    }
}
