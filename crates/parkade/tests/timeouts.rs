//! Evidence for the timed operations: a free lock is taken whatever the timeout, a wait never ends
//! early, centuries are as good as forever, and a waiter that gave up leaves nothing behind.

mod support;

use std::{
    sync::{
        Barrier,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use parkade::{RawFairMutex, RawMutex, lock_api::Mutex};
use support::{
    CENTURIES, FullMutex, Rng, SHORT, Watchdog, Witness, busy, far_future, parked_on, past, seed,
    stress_time, wait_until,
};

fn free_lock_is_taken<R: FullMutex>() {
    let lock = Mutex::<R, _>::new(Witness::new());
    for timeout in SHORT.into_iter().chain(CENTURIES) {
        lock.try_lock_for(timeout).unwrap_or_else(|| panic!("{timeout:?}")).section(|| {});
        assert!(!lock.is_locked());
    }
    for deadline in [past(), Instant::now(), Instant::now() + Duration::from_secs(9), far_future()]
    {
        lock.try_lock_until(deadline).unwrap_or_else(|| panic!("{deadline:?}")).section(|| {});
        assert!(!lock.is_locked());
    }
}

fn held_lock_is_given_up_in_time<R: FullMutex>() {
    let lock = Mutex::<R, _>::new(Witness::new());
    let guard = lock.lock();
    thread::scope(|scope| {
        scope.spawn(|| {
            for timeout in SHORT {
                let start = Instant::now();
                assert!(lock.try_lock_for(timeout).is_none(), "{timeout:?}");
                let waited = start.elapsed();
                assert!(waited >= timeout, "asked to wait {timeout:?}, waited {waited:?}");

                let deadline = Instant::now() + timeout;
                assert!(lock.try_lock_until(deadline).is_none(), "{timeout:?}");
                let end = Instant::now();
                assert!(end >= deadline, "gave up {:?} early", deadline - end);
            }
            assert!(lock.try_lock_until(past()).is_none());
        });
    });
    assert!(parked_on(&lock).is_empty());
    drop(guard);
    lock.try_lock().expect("those who gave up have left no trace").section(|| {});
}

fn centuries_end_with_the_release<R: FullMutex>() {
    let lock = Mutex::<R, _>::new(Witness::new());
    let attempts = CENTURIES.len() + 1;
    let watchdog = Watchdog::new("centuries", 1);
    for attempt in 0..attempts {
        let guard = lock.lock();
        let (started, has_started) = mpsc::channel();
        thread::scope(|scope| {
            let progress = watchdog.thread(0);
            let lock = &lock;
            scope.spawn(move || {
                started.send(()).unwrap();
                let guard = match CENTURIES.get(attempt) {
                    Some(&timeout) => lock.try_lock_for(timeout),
                    None => lock.try_lock_until(far_future()),
                };
                guard.unwrap_or_else(|| panic!("attempt {attempt} gave up")).section(|| {});
                progress.step();
            });
            has_started.recv().unwrap();
            wait_until(|| parked_on(lock).len() == 1);
            drop(guard);
        });
    }
    assert_eq!(lock.lock().count(), attempts as u64);
}

/// Waiters without a deadline stand between waiters that give up; all of the former get the lock.
fn patient_waiters_are_not_disturbed<R: FullMutex>() {
    const EACH: usize = 8;
    let lock = Mutex::<R, _>::new(Witness::new());
    let gone = AtomicUsize::new(0);
    let watchdog = Watchdog::new("patient among impatient", 2 * EACH);
    let guard = lock.lock();
    thread::scope(|scope| {
        for index in 0..EACH {
            let (impatient, patient) = (watchdog.thread(index), watchdog.thread(EACH + index));
            let (lock, gone) = (&lock, &gone);
            scope.spawn(move || {
                let timeout = Duration::from_millis(1 + index as u64);
                assert!(lock.try_lock_for(timeout).is_none());
                impatient.step();
                gone.fetch_add(1, Relaxed);
            });
            scope.spawn(move || {
                lock.lock().section(|| {});
                patient.step();
            });
        }
        wait_until(|| gone.load(Relaxed) == EACH && parked_on(&lock).len() == EACH);
        drop(guard);
    });
    assert_eq!(lock.lock().count(), EACH as u64);
    assert!(!lock.is_locked());
}

/// Most waits end in a timeout, often at the very moment of a release.
fn timeouts_race_releases<R: FullMutex>() {
    const HOLDERS: usize = 2;
    const TIMED: usize = 16;
    let seed = seed();
    let lock = Mutex::<R, _>::new(Witness::new());
    let stop = AtomicBool::new(false);
    let start = Barrier::new(HOLDERS + TIMED);
    let watchdog = Watchdog::new(format!("timeouts, PARKADE_SEED={seed}"), HOLDERS + TIMED);
    let (mut taken, mut given_up) = (0, 0);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..HOLDERS + TIMED)
            .map(|index| {
                let progress = watchdog.thread(index);
                let mut rng = Rng::new(seed ^ (index as u64) << 48);
                let (lock, stop, start) = (&lock, &stop, &start);
                scope.spawn(move || {
                    start.wait();
                    let (mut taken, mut given_up) = (0, 0);
                    while !stop.load(Relaxed) {
                        if index < HOLDERS {
                            let hold = Duration::from_micros(rng.below(500));
                            lock.lock().section(|| thread::sleep(hold));
                            taken += 1;
                            busy(Duration::from_micros(rng.below(50)));
                        } else {
                            let timeout = Duration::from_micros(rng.below(1_000));
                            match lock.try_lock_for(timeout) {
                                Some(mut guard) => {
                                    guard.section(|| {});
                                    taken += 1;
                                }
                                None => given_up += 1,
                            }
                        }
                        progress.step();
                    }
                    (taken, given_up)
                })
            })
            .collect();
        thread::sleep(stress_time());
        stop.store(true, Relaxed);
        for worker in workers {
            let (more_taken, more_given_up) = worker.join().expect("a worker failed");
            taken += more_taken;
            given_up += more_given_up;
        }
    });
    println!("{taken} taken, {given_up} given up");
    assert_eq!(lock.lock().count(), taken);
    assert!(parked_on(&lock).is_empty());
    let free = lock.try_lock_for(Duration::ZERO);
    free.expect("nobody is left, so the lock is free").section(|| {});
}

macro_rules! for_both {
    ($($case:ident)+) => {
        mod mutex {
            $(#[test] fn $case() { super::$case::<super::RawMutex>(); })+
        }
        mod fair_mutex {
            $(#[test] fn $case() { super::$case::<super::RawFairMutex>(); })+
        }
    };
}

for_both! {
    free_lock_is_taken
    held_lock_is_given_up_in_time
    centuries_end_with_the_release
    patient_waiters_are_not_disturbed
    timeouts_race_releases
}
