//! Evidence for the timed operations of reader-writer locks: a free lock is taken whatever the timeout, a
//! wait never ends early, centuries are as good as forever, and who gave up leaves nothing behind.

mod support;

use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use parkade::lock_api::{RwLock, RwLockUpgradableReadGuard};
use support::{
    CENTURIES, FullRwLock, SHORT, Watchdog, Witness, assert_at_rest, far_future, for_both_rwlocks,
    make_biased, parked_on, past, wait_for_parked, wait_until, watched, watched_test,
};

/// A way to have a lock, or to want it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Read,
    Write,
    Upgradable,
    /// Has it upgradably, and wants to write.
    Upgrade,
}

use Way::{Read, Upgradable, Upgrade, Write};

#[derive(Debug, Clone, Copy)]
enum Limit {
    For(Duration),
    Until(Instant),
}

use Limit::{For, Until};

/// Whether the lock was to be had; it is given back at once.
fn takes<R: FullRwLock>(lock: &RwLock<R, Witness>, way: Way, limit: Limit) -> bool {
    let read = |witness: &Witness| witness.check();
    match (way, limit) {
        (Read, For(time)) => lock.try_read_for(time).map(|guard| read(&guard)).is_some(),
        (Read, Until(time)) => lock.try_read_until(time).map(|guard| read(&guard)).is_some(),
        (Upgradable, For(time)) => {
            lock.try_upgradable_read_for(time).map(|guard| read(&guard)).is_some()
        }
        (Upgradable, Until(time)) => {
            lock.try_upgradable_read_until(time).map(|guard| read(&guard)).is_some()
        }
        (Write, For(time)) => {
            lock.try_write_for(time).map(|mut guard| guard.section(|| {})).is_some()
        }
        (Write, Until(time)) => {
            lock.try_write_until(time).map(|mut guard| guard.section(|| {})).is_some()
        }
        (Upgrade, limit) => {
            let guard = lock.upgradable_read();
            let upgraded = match limit {
                For(time) => RwLockUpgradableReadGuard::try_upgrade_for(guard, time),
                Until(time) => RwLockUpgradableReadGuard::try_upgrade_until(guard, time),
            };
            match upgraded {
                Ok(mut guard) => {
                    guard.section(|| {});
                    true
                }
                Err(guard) => {
                    guard.check();
                    false
                }
            }
        }
    }
}

/// Calls `body` while the calling thread has the lock in that way.
fn with<R: FullRwLock, T>(lock: &RwLock<R, Witness>, way: Way, body: impl FnOnce() -> T) -> T {
    let (_read, _upgradable, _write);
    match way {
        Read => _read = lock.read(),
        Upgradable | Upgrade => _upgradable = lock.upgradable_read(),
        Write => _write = lock.write(),
    }
    body()
}

const WAYS: [Way; 4] = [Read, Write, Upgradable, Upgrade];

/// Who has it, and who has to wait then. (An `Upgrade` must be able to have it upgradably first.)
const EXCLUSIONS: [(Way, Way); 7] = [
    (Read, Write),
    (Read, Upgrade),
    (Upgradable, Write),
    (Upgradable, Upgradable),
    (Write, Read),
    (Write, Write),
    (Write, Upgradable),
];

fn free_lock_is_taken<R: FullRwLock>() {
    let _watched = watched_test();
    let lock = RwLock::<R, _>::new(Witness::new());
    let deadlines = || {
        [past(), Instant::now(), Instant::now() + Duration::from_secs(9), far_future()].map(Until)
    };
    for way in WAYS {
        for limit in SHORT.into_iter().chain(CENTURIES).map(For).chain(deadlines()) {
            assert!(takes(&lock, way, limit), "{way:?} {limit:?}");
            assert!(!lock.is_locked());
        }
    }
}

/// A lock that readers use by slots has not one word that says it is free, but it is.
fn biased_lock_is_taken_at_once<R: FullRwLock>() {
    let _watched = watched_test();
    let lock = RwLock::<R, _>::new(Witness::new());
    for way in WAYS {
        for limit in [For(Duration::ZERO), Until(past())] {
            make_biased(&lock);
            assert!(!lock.is_locked());
            assert!(takes(&lock, way, limit), "{way:?} {limit:?}");
            assert!(!lock.is_locked());
        }
    }
}

fn held_lock_is_given_up_in_time<R: FullRwLock>() {
    let _watched = watched_test();
    for (has, wants) in EXCLUSIONS {
        let lock = RwLock::<R, _>::new(Witness::new());
        // Readers by slots keep others out no less.
        if has == Read {
            make_biased(&lock);
        }
        with(&lock, has, || {
            thread::scope(|scope| {
                scope.spawn(|| {
                    for timeout in SHORT {
                        let start = Instant::now();
                        let case = || format!("{wants:?} for {timeout:?} beside {has:?}");
                        assert!(!takes(&lock, wants, For(timeout)), "{}", case());
                        let waited = start.elapsed();
                        assert!(waited >= timeout, "{}, waited {waited:?}", case());

                        let deadline = Instant::now() + timeout;
                        assert!(!takes(&lock, wants, Until(deadline)), "{}", case());
                        let end = Instant::now();
                        assert!(end >= deadline, "{}: {:?} early", case(), deadline - end);
                    }
                    assert!(!takes(&lock, wants, Until(past())));
                });
            });
            assert!(parked_on(&lock).is_empty());
        });
        lock.try_write().expect("those who gave up have left no trace").section(|| {});
        assert_at_rest(&lock, "timeouts");
    }
}

fn centuries_end_with_the_release<R: FullRwLock>() {
    let limits = CENTURIES.map(For).into_iter().chain([Until(far_future())]);
    for (limit, (has, wants)) in limits.zip(EXCLUSIONS.into_iter().cycle()) {
        let _watched = watched(format!("{wants:?} {limit:?} beside {has:?}"));
        let lock = RwLock::<R, _>::new(Witness::new());
        thread::scope(|scope| {
            let waiter = with(&lock, has, || {
                let waiter = scope.spawn(|| takes(&lock, wants, limit));
                wait_for_parked(&lock, 1);
                waiter
            });
            assert!(waiter.join().unwrap(), "{wants:?} {limit:?} gave up");
        });
    }
}

/// Waiters without a deadline stand between waiters that give up; all of the former get the lock.
fn patient_waiters_are_not_disturbed<R: FullRwLock>(has: Way) {
    const EACH: usize = 8;
    let lock = RwLock::<R, _>::new(Witness::new());
    let (gone, served) = <(AtomicUsize, AtomicUsize)>::default();
    let watchdog = Watchdog::new(format!("patient among impatient beside {has:?}"), 2 * EACH);
    thread::scope(|scope| {
        with(&lock, has, || {
            for index in 0..EACH {
                let (impatient, patient) = (watchdog.thread(index), watchdog.thread(EACH + index));
                let (lock, gone, served) = (&lock, &gone, &served);
                let way = [Write, Upgradable, Read, Write][index % 4];
                // With a reader in, other readers and upgradable ones might get in.
                let impatient_way = if has == Read { Write } else { way };
                scope.spawn(move || {
                    let timeout = For(Duration::from_millis(1 + index as u64));
                    assert!(!takes(lock, impatient_way, timeout));
                    impatient.step();
                    gone.fetch_add(1, Relaxed);
                });
                scope.spawn(move || {
                    assert!(takes(lock, way, For(Duration::MAX)));
                    patient.step();
                    served.fetch_add(1, Relaxed);
                });
            }
            // Beside a reader those may be in who do not write.
            wait_until(|| {
                gone.load(Relaxed) == EACH && parked_on(&lock).len() + served.load(Relaxed) == EACH
            });
        });
    });
    assert_eq!(served.load(Relaxed), EACH);
    lock.try_write().expect("nobody is left").section(|| {});
    assert_at_rest(&lock, "timeouts");
}

fn patient_waiters_behind_a_writer_are_not_disturbed<R: FullRwLock>() {
    patient_waiters_are_not_disturbed::<R>(Write);
}

fn patient_waiters_behind_a_reader_are_not_disturbed<R: FullRwLock>() {
    patient_waiters_are_not_disturbed::<R>(Read);
}

for_both_rwlocks! {
    free_lock_is_taken
    biased_lock_is_taken_at_once
    held_lock_is_given_up_in_time
    centuries_end_with_the_release
    patient_waiters_behind_a_writer_are_not_disturbed
    patient_waiters_behind_a_reader_are_not_disturbed
}
