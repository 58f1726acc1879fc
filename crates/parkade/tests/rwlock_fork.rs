//! Evidence that a child of `fork` can use reader-writer locks that were free, or held by the thread that
//! forked, whatever other threads did in the slow paths at that moment; and its slots.
#![cfg(target_os = "linux")]

mod support;

use std::{
    sync::{
        Mutex as StdMutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use parkade::lock_api::{RwLock, RwLockUpgradableReadGuard, RwLockWriteGuard};
use support::{
    FullRwLock, Watchdog, Witness, busy, for_both_rwlocks,
    fork::{Side, child, fork, reap},
    is_biased, make_biased, parked_on, wait_for_parked, wait_until, words,
};

const ROUNDS: usize = 60;
const HAMMERS: usize = 4;

/// Fewer threads in the process make more of the forks hit what is tested.
static ONE_AT_A_TIME: StdMutex<()> = StdMutex::new(());

/// Has `lock`, which is free, in all ways, and makes new threads wait for it and for each other.
fn use_it<R: FullRwLock>(lock: &RwLock<R, Witness>) {
    let before = lock.read().count();
    lock.try_write().expect("nobody else is left").section(|| {});
    lock.try_read().expect("nobody else is left").check();
    RwLockUpgradableReadGuard::upgrade(lock.upgradable_read()).section(|| {});
    RwLockWriteGuard::downgrade(lock.write()).check();
    assert!(lock.try_write_for(Duration::ZERO).is_some());
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..5 {
                    lock.write().section(|| thread::sleep(Duration::from_micros(20)));
                    let guard = lock.upgradable_read();
                    RwLockUpgradableReadGuard::upgrade(guard).section(|| {});
                    (0..200).for_each(|_| lock.read().check());
                }
            });
        }
    });
    assert_eq!(lock.write().count(), before + 22);
    assert!(parked_on(lock).is_empty());
}

/// Threads of the parent that keep `locks` contended in all ways while `body` runs.
fn while_hammered<R: FullRwLock>(
    case: &str,
    locks: &[RwLock<R, Witness>],
    body: impl FnOnce(&AtomicUsize),
) {
    let (stop, turns) = (AtomicBool::new(false), AtomicUsize::new(0));
    let watchdog = Watchdog::new(case, HAMMERS);
    thread::scope(|scope| {
        for index in 0..HAMMERS {
            let progress = watchdog.thread(index);
            let (stop, turns) = (&stop, &turns);
            scope.spawn(move || {
                for turn in index.. {
                    if stop.load(Relaxed) {
                        break;
                    }
                    let lock = &locks[turn / 8 % locks.len()];
                    match turn % 8 {
                        0 => lock.write().section(|| thread::sleep(Duration::from_micros(30))),
                        1 => lock.write().section(|| busy(Duration::from_micros(2))),
                        2 => drop(lock.try_write_for(Duration::from_micros(20))),
                        3 => {
                            let guard = lock.upgradable_read();
                            RwLockUpgradableReadGuard::upgrade(guard).section(|| {});
                        }
                        _ => lock.read().check(),
                    }
                    turns.fetch_add(1, Relaxed);
                    progress.step();
                }
            });
        }
        // Also when `body` panics: the threads would go on for ever.
        let stop = StopOnDrop(&stop);
        body(&turns);
        drop(stop);
    });
}

struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

fn a_child_of_the_writer_can_unlock_and_lock<R: FullRwLock>() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let locks = [RwLock::<R, _>::new(Witness::new())];
    let lock = &locks[0];
    while_hammered("fork by the writer", &locks, |_| {
        for round in 0..ROUNDS {
            let mut guard = lock.write();
            match round % 3 {
                // Some of the others are on their way into the queue.
                0 => {}
                // All of the others are parked, or the one that gives up is not.
                1 => wait_until(|| parked_on(lock).len() >= HAMMERS - 1),
                // One of them has been woken, but finds the lock taken again.
                _ => {
                    wait_until(|| parked_on(lock).len() >= HAMMERS - 1);
                    drop(guard);
                    guard = lock.write();
                }
            }
            match fork() {
                Side::Child => child(|| {
                    assert!(parked_on(lock).is_empty(), "waiters that do not exist");
                    drop(guard);
                    use_it(lock);
                }),
                Side::Parent(pid) => {
                    drop(guard);
                    reap(pid, &format!("writer, round {round}"));
                }
            }
        }
    });
}

/// How the thread that forks has the lock.
#[derive(Debug, Clone, Copy)]
enum Hold {
    Counted,
    InSlot,
    Upgradable,
    Free,
}

/// Nobody waits for the lock, but many for others that share the table and the slots with it.
fn a_child_of_a_reader_or_a_bystander_can_lock<R: FullRwLock>() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let hammered: Vec<_> = (0..64).map(|_| RwLock::<R, _>::new(Witness::new())).collect();
    while_hammered("fork by a reader", &hammered, |turns| {
        for round in 0..ROUNDS {
            let lock = &RwLock::<R, _>::new(Witness::new());
            let hold = [Hold::Counted, Hold::InSlot, Hold::Upgradable, Hold::Free][round % 4];
            // Others have used slots for it, and have left.
            if !matches!(hold, Hold::Counted) {
                make_biased(lock);
                thread::scope(|scope| {
                    scope.spawn(|| lock.read().check());
                });
            }
            let seen = turns.load(Relaxed);
            while turns.load(Relaxed) == seen {
                thread::yield_now();
            }
            let (mut reading, mut upgradable) = (None, None);
            match hold {
                Hold::Counted | Hold::InSlot => reading = Some(lock.read()),
                Hold::Upgradable => upgradable = Some(lock.upgradable_read()),
                Hold::Free => {}
            }
            match fork() {
                Side::Child => child(|| {
                    let is_held = !matches!(hold, Hold::Free);
                    assert_eq!(lock.is_locked(), is_held, "{}", words(lock));
                    if is_held {
                        assert!(lock.try_write().is_none());
                        thread::scope(|scope| {
                            scope.spawn(|| lock.write().section(|| {}));
                            wait_for_parked(lock, 1);
                            drop((reading.take(), upgradable.take()));
                        });
                    }
                    use_it(lock);
                    let fresh = RwLock::<R, _>::new(0);
                    if make_biased(&fresh) {
                        let guard = fresh.read();
                        assert!(words(&fresh).starts_with("0 readers"), "no slots in a child");
                        assert!(fresh.try_write().is_none());
                        drop(guard);
                        assert!(is_biased(&fresh) && fresh.try_write().is_some());
                    }
                }),
                Side::Parent(pid) => {
                    drop((reading, upgradable));
                    reap(pid, &format!("{hold:?}, round {round}"));
                    lock.try_write().expect("the child has its own memory").section(|| {});
                }
            }
        }
    });
}

for_both_rwlocks! {
    a_child_of_the_writer_can_unlock_and_lock
    a_child_of_a_reader_or_a_bystander_can_lock
}
