//! Evidence that a child of `fork` can lock: a lock that the forking thread held is its to release
//! in the child, and the waiters that did not survive the fork neither block nor receive anything.
#![cfg(target_os = "linux")]

mod support;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex as StdMutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use parkade::{
    Condvar, RawFairMutex, RawMutex, WaitGuard,
    lock_api::{self, Mutex},
    prelude::*,
};
use support::{
    FullMutex, Watchdog, Witness, busy,
    fork::{Side, child, fork, reap},
    parked_on, wait_until,
};

const ROUNDS: usize = 200;
const HAMMERS: usize = 4;

/// Fewer threads in the process make more of the forks hit what is tested.
static ONE_AT_A_TIME: StdMutex<()> = StdMutex::new(());

/// Makes new threads wait for `lock` and for each other.
fn contend<R: FullMutex>(lock: &Mutex<R, Witness>, threads: u64, rounds: u64) {
    let before = lock.lock().count();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                for _ in 0..rounds {
                    lock.lock().section(|| thread::sleep(Duration::from_micros(20)));
                }
            });
        }
    });
    assert_eq!(lock.lock().count(), before + threads * rounds);
}

/// Threads of the parent that keep `locks` contended while `body` runs.
fn while_hammered<R: FullMutex>(
    case: &str,
    locks: &[Mutex<R, Witness>],
    body: impl FnOnce(&AtomicUsize),
) {
    let stop = AtomicBool::new(false);
    let turns = AtomicUsize::new(0);
    let watchdog = Watchdog::new(case, HAMMERS);
    thread::scope(|scope| {
        for index in 0..HAMMERS {
            let progress = watchdog.thread(index);
            let (stop, turns) = (&stop, &turns);
            scope.spawn(move || {
                for turn in 0.. {
                    if stop.load(Relaxed) {
                        break;
                    }
                    let lock = &locks[turn / 8 % locks.len()];
                    lock.lock().section(|| match turn % 4 {
                        0 => thread::sleep(Duration::from_micros(30)),
                        _ => busy(Duration::from_micros(2)),
                    });
                    turns.fetch_add(1, Relaxed);
                    progress.step();
                }
            });
        }
        let result = catch_unwind(AssertUnwindSafe(|| body(&turns)));
        stop.store(true, Relaxed);
        if let Err(panic) = result {
            std::panic::resume_unwind(panic);
        }
    });
}

fn child_of_the_holder<R: FullMutex>() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let locks = [Mutex::<R, _>::new(Witness::new())];
    let lock = &locks[0];
    while_hammered("fork by the holder", &locks, |turns| {
        for round in 0..ROUNDS {
            let seen = turns.load(Relaxed);
            while turns.load(Relaxed) == seen {
                thread::yield_now();
            }
            let mut guard = Some(lock.lock());
            match round % 3 {
                // Some of the others are on their way into the queue.
                0 => {}
                // All of the others are parked.
                1 => wait_until(|| parked_on(lock).len() == HAMMERS),
                // One of the others has been woken, but finds the lock taken again.
                _ => {
                    wait_until(|| parked_on(lock).len() == HAMMERS);
                    drop(guard.take());
                    guard = Some(lock.lock());
                }
            }
            match fork() {
                Side::Child => child(|| {
                    assert!(parked_on(lock).is_empty(), "waiters that do not exist");
                    drop(guard.take());
                    lock.lock().section(|| {});
                    lock.try_lock().expect("nobody else is left").section(|| {});
                    contend(lock, 3, 10);
                }),
                Side::Parent(pid) => {
                    drop(guard.take());
                    reap(pid, &format!("holder, round {round}"));
                }
            }
        }
    });
}

fn child_of_a_bystander<R: FullMutex>() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    // Many on both sides, so that they share buckets of the table.
    let hammered: Vec<_> = (0..64).map(|_| Mutex::<R, _>::new(Witness::new())).collect();
    let free: Vec<_> = (0..16).map(|_| Mutex::<R, _>::new(Witness::new())).collect();
    while_hammered("fork by a bystander", &hammered, |turns| {
        for round in 0..ROUNDS {
            let seen = turns.load(Relaxed);
            while turns.load(Relaxed) == seen {
                thread::yield_now();
            }
            match fork() {
                Side::Child => child(|| {
                    for lock in &free {
                        contend(lock, 2, 2);
                    }
                }),
                Side::Parent(pid) => reap(pid, &format!("bystander, round {round}")),
            }
        }
    });
    assert!(free.iter().all(|lock| lock.lock().count() == 0), "the child has its own memory");
}

mod mutex {
    use super::*;

    #[test]
    fn child_of_the_holder_can_unlock_and_lock() {
        child_of_the_holder::<RawMutex>();
    }

    #[test]
    fn child_of_a_bystander_can_lock() {
        child_of_a_bystander::<RawMutex>();
    }
}

mod fair_mutex {
    use super::*;

    #[test]
    fn child_of_the_holder_can_unlock_and_lock() {
        child_of_the_holder::<RawFairMutex>();
    }

    #[test]
    fn child_of_a_bystander_can_lock() {
        child_of_a_bystander::<RawFairMutex>();
    }
}

/// A child that the holder forks has nobody of the parent's waiters, and can wait and notify by itself.
fn child_of_a_notifier<R: FullMutex>()
where
    for<'a> lock_api::MutexGuard<'a, R, Witness>: WaitGuard,
{
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let (lock, changed) = (&Mutex::<R, _>::new(Witness::new()), &Condvar::new());
    for round in 0..ROUNDS / 4 {
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| changed.wait(&mut lock.lock()));
            }
            wait_until(|| parked_on(changed).len() == 3);
            let guard = lock.lock();
            // In every other round they have been moved to the queue of the lock.
            let expected = if round % 2 == 0 { 0 } else { changed.notify_all() };
            match fork() {
                Side::Child => child(move || {
                    assert_eq!(changed.notify_all(), 0, "waiters that do not exist");
                    assert!(!changed.notify_one());
                    drop(guard);
                    lock.lock().section(|| {});
                    thread::scope(|scope| {
                        for _ in 0..3 {
                            scope.spawn(|| changed.wait(&mut lock.lock()));
                        }
                        wait_until(|| parked_on(changed).len() == 3);
                        let guard = lock.lock();
                        assert_eq!(changed.notify_all(), 3);
                        drop(guard);
                    });
                    contend(lock, 3, 10);
                }),
                Side::Parent(pid) => {
                    drop(guard);
                    assert_eq!(expected + changed.notify_all(), 3);
                    reap(pid, &format!("notifier, round {round}"));
                }
            }
        });
    }
}

#[test]
fn child_can_wait_and_notify_with_a_mutex() {
    child_of_a_notifier::<RawMutex>();
}

#[test]
fn child_can_wait_and_notify_with_a_fair_mutex() {
    child_of_a_notifier::<RawFairMutex>();
}

/// A child that the holder forks has nobody of those who wait for conditions in the parent, nor the thread that is on its way
/// there; and its own threads can wait for conditions.
#[test]
fn child_can_wait_for_conditions() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    for round in 0..ROUNDS / 4 {
        let lock = &Mutex::<RawMutex, _>::new(Witness::new());
        let wait =
            |least| move || drop(lock.lock_when(move |value: &Witness| value.count() >= least));
        thread::scope(|scope| {
            (0..3).for_each(|_| drop(scope.spawn(wait(1))));
            wait_until(|| parked_on(lock).len() == 3);
            let mut guard = lock.lock();
            if round % 2 == 0 {
                // Another is woken, and finds the lock taken again.
                scope.spawn(|| drop(lock.lock()));
                wait_until(|| parked_on(lock).len() == 4);
                drop(guard);
                guard = lock.lock();
            }
            match fork() {
                Side::Child => child(move || {
                    drop(guard);
                    lock.lock().section(|| {});
                    thread::scope(|scope| {
                        (0..3).for_each(|_| drop(scope.spawn(wait(2))));
                        wait_until(|| parked_on(lock).len() == 3);
                        // Its releases are plain again, if they ever are.
                        (0..3000).for_each(|_| drop(lock.lock()));
                        assert_eq!(parked_on(lock).len(), 3);
                        lock.lock().section(|| {});
                    });
                    contend(lock, 3, 10);
                }),
                Side::Parent(pid) => {
                    guard.section(|| {});
                    drop(guard);
                    reap(pid, &format!("conditions, round {round}"));
                }
            }
        });
    }
}

/// Whether the lock's releases use a read-modify-write, as its `Debug` output tells.
fn is_symmetric(lock: &Mutex<RawMutex, Witness>) -> bool {
    // SAFETY: the raw lock is only printed.
    format!("{:?}", unsafe { lock.raw() }).contains("SYMMETRIC")
}

/// Makes a thread wait for the lock once, which leaves it in symmetric mode.
fn make_symmetric(lock: &Mutex<RawMutex, Witness>) {
    thread::scope(|scope| {
        let held = lock.lock();
        scope.spawn(|| drop(lock.lock()));
        wait_until(|| parked_on(lock).len() == 1);
        drop(held);
    });
    assert!(is_symmetric(lock));
}

/// How many releases end a lock's symmetric mode.
fn releases_until_asymmetric(lock: &Mutex<RawMutex, Witness>) -> u32 {
    // The process may end only so many per second; this is a new turn.
    thread::sleep(Duration::from_millis(5));
    (1..)
        .find(|_| {
            drop(lock.lock());
            !is_symmetric(lock)
        })
        .expect("the mode never ends")
}

/// In a child, "a thread is on its way" may be left over from the parent. A release that believed it
/// while it ended symmetric mode once left the first waiter asleep for ever.
#[test]
fn a_stale_wake_does_not_hide_a_waiter_from_plain_releases() {
    if parkade_core::fence::strategy() == parkade_core::fence::Strategy::Symmetric {
        return;
    }
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    // One fork in a few finds the woken thread still on its way.
    for _ in 0..40 {
        fork_beside_a_wake();
    }
}

fn fork_beside_a_wake() {
    let new = || Mutex::<RawMutex, Witness>::new(Witness::default());
    let (first, second, third, lock) = (new(), new(), new(), &new());
    // This thread's count of releases is brought to one before the end of a period.
    make_symmetric(&first);
    releases_until_asymmetric(&first);
    make_symmetric(&second);
    let period = releases_until_asymmetric(&second);
    make_symmetric(&third);
    (0..period - 1).for_each(|_| drop(third.lock()));
    thread::sleep(Duration::from_millis(5));

    thread::scope(|scope| {
        let held = lock.lock();
        scope.spawn(|| drop(lock.lock()));
        wait_until(|| parked_on(lock).len() == 1);
        drop(held);
        let held = lock.lock();
        match fork() {
            Side::Child => child(move || {
                thread::scope(|scope| {
                    scope.spawn(|| drop(lock.lock()));
                    wait_until(|| parked_on(lock).len() == 1);
                    drop(held);
                });
            }),
            Side::Parent(pid) => {
                drop(held);
                reap(pid, "a release beside a stale wake");
            }
        }
    });
}

/// A thread that has the lock by two guards and waits with one of them cannot have that back while a writer waits for
/// the other. Debug builds find that out, and there is no guard to unwind with.
#[cfg(all(debug_assertions, not(feature = "send_guard")))]
#[test]
fn a_reader_that_would_deadlock_aborts() {
    use parkade::RwLock;

    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let body = || {
        let (lock, changed) = (RwLock::new(0), Condvar::new());
        let outer = lock.read();
        let mut inner = lock.read_recursive();
        thread::scope(|scope| {
            scope.spawn(|| drop(lock.write()));
            wait_until(|| parked_on(&lock).len() == 1);
            changed.wait_for(&mut inner, Duration::ZERO);
            drop(outer);
        });
    };
    match fork() {
        Side::Child => child(body),
        Side::Parent(pid) => {
            let mut status = 0;
            // SAFETY: `status` is ours, `pid` is our child, which ends by itself (`child`).
            assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
            assert!(libc::WIFSIGNALED(status), "{status:#x}");
            assert_eq!(libc::WTERMSIG(status), libc::SIGABRT);
        }
    }
}
