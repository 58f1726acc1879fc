//! Evidence for exclusion, no lost wake-up and no starved thread on real threads and processors:
//! every way to take and release a mutex, mixed at random. `PARKADE_SEED` repeats a run's choices,
//! `PARKADE_STRESS_SECS` sets the length of each case.

mod support;

use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use parkade::{
    RawFairMutex, RawMutex,
    lock_api::{Mutex, MutexGuard},
};
use support::{
    FullMutex, Pace, Rng, Watchdog, Witness, in_bursts, pause, section_body, seed, stress_time,
};

/// One turn with a randomly chosen operation; the number of sections it came to.
fn turn<R: FullMutex>(lock: &Mutex<R, Witness>, pace: Pace, rng: &mut Rng) -> u64 {
    let mut sections = 0;
    let mut work = |guard: &mut MutexGuard<'_, R, Witness>, rng: &mut Rng| {
        guard.section(|| section_body(pace, rng));
        sections += 1;
    };
    match rng.below(16) {
        0..5 => work(&mut lock.lock(), rng),
        5 | 6 => {
            if let Some(mut guard) = lock.try_lock() {
                work(&mut guard, rng);
            }
        }
        7 | 8 => {
            if let Some(mut guard) = lock.try_lock_for(Duration::from_nanos(rng.below(300_000))) {
                work(&mut guard, rng);
            }
        }
        9 | 10 => {
            let deadline = Instant::now() + Duration::from_nanos(rng.below(300_000));
            if let Some(mut guard) = lock.try_lock_until(deadline) {
                work(&mut guard, rng);
            }
        }
        11 | 12 => {
            let mut guard = lock.lock();
            work(&mut guard, rng);
            MutexGuard::unlock_fair(guard);
        }
        13 => {
            let mut guard = lock.lock();
            work(&mut guard, rng);
            MutexGuard::bump(&mut guard);
            work(&mut guard, rng);
        }
        14 => {
            let mut guard = lock.lock();
            work(&mut guard, rng);
            MutexGuard::unlocked(&mut guard, || {
                if let Some(mut inner) = lock.try_lock() {
                    inner.section(|| section_body(pace, rng));
                    sections += 1;
                }
            });
            guard.check();
        }
        _ => {
            let mut guard = lock.lock();
            work(&mut guard, rng);
            MutexGuard::unlocked_fair(&mut guard, || {
                lock.lock().section(|| section_body(pace, rng));
                sections += 1;
            });
            guard.check();
        }
    }
    sections
}

fn case<R: FullMutex>(name: &str, threads: usize, pace: Pace) {
    let seed = seed();
    let lock = Mutex::<R, _>::new(Witness::new());
    let stop = AtomicBool::new(false);
    let name = format!("{name}, {threads} threads, {pace:?}, PARKADE_SEED={seed}");
    let watchdog = Watchdog::new(&*name, threads);

    let sections: u64 = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|index| {
                let (lock, stop) = (&lock, &stop);
                let progress = watchdog.thread(index);
                let mut rng = Rng::new(seed ^ (index as u64) << 48);
                scope.spawn(move || {
                    let mut sections = 0;
                    while !stop.load(Relaxed) {
                        sections += turn(lock, pace, &mut rng);
                        progress.step();
                        pause(pace, &mut rng);
                    }
                    sections
                })
            })
            .collect();
        thread::sleep(stress_time());
        stop.store(true, Relaxed);
        workers.into_iter().map(|worker| worker.join().expect("a worker failed")).sum()
    });

    assert_eq!(lock.lock().count(), sections, "{name}: sections were lost");
    assert!(!lock.is_locked(), "{name}: left locked");
    println!("{name}: {sections} sections");
}

fn bursts<R: FullMutex>(name: &str, threads: usize) {
    let seed = seed();
    let lock = Mutex::<R, _>::new(Witness::new());
    let name = format!("{name}, bursts of {threads}, PARKADE_SEED={seed}");
    let sections = in_bursts(&name, threads, seed, |_, rng| turn(&lock, Pace::Mixed, rng));
    assert_eq!(lock.lock().count(), sections, "{name}: sections were lost");
    println!("{name}: {sections} sections");
}

macro_rules! cases {
    ($($module:ident: $raw:ty;)+) => {$(
        mod $module {
            use super::*;

            #[test]
            fn two_threads_tight() {
                case::<$raw>(stringify!($module), 2, Pace::Tight);
            }

            #[test]
            fn three_threads_mixed() {
                case::<$raw>(stringify!($module), 3, Pace::Mixed);
            }

            #[test]
            fn eight_threads_tight() {
                case::<$raw>(stringify!($module), 8, Pace::Tight);
            }

            #[test]
            fn sixteen_threads_mixed() {
                case::<$raw>(stringify!($module), 16, Pace::Mixed);
            }

            #[test]
            fn sixteen_threads_sleepy() {
                case::<$raw>(stringify!($module), 16, Pace::Sleepy);
            }

            #[test]
            fn bursts_of_two() {
                bursts::<$raw>(stringify!($module), 2);
            }

            #[test]
            fn bursts_of_five() {
                bursts::<$raw>(stringify!($module), 5);
            }

            #[test]
            fn sixty_four_threads_mixed() {
                case::<$raw>(stringify!($module), 64, Pace::Mixed);
            }
        }
    )+};
}

cases! {
    mutex: RawMutex;
    fair_mutex: RawFairMutex;
}

/// Many locks at once, so that different keys meet in a bucket of the table.
#[test]
fn many_locks_share_the_table() {
    const LOCKS: usize = 512;
    const THREADS: usize = 32;
    let seed = seed();
    let locks: Vec<_> = (0..LOCKS).map(|_| parkade::Mutex::new(Witness::new())).collect();
    let stop = AtomicBool::new(false);
    let watchdog = Watchdog::new(format!("many locks, PARKADE_SEED={seed}"), THREADS);

    let sections: u64 = thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS)
            .map(|index| {
                let (locks, stop) = (&locks, &stop);
                let progress = watchdog.thread(index);
                let mut rng = Rng::new(seed ^ (index as u64) << 48);
                scope.spawn(move || {
                    let mut sections = 0;
                    while !stop.load(Relaxed) {
                        // A few locks are hot: otherwise nobody would ever wait.
                        let hot = rng.below(4) != 0;
                        let lock = &locks[rng.below(if hot { 4 } else { LOCKS as u64 }) as usize];
                        sections += turn(lock, Pace::Sleepy, &mut rng);
                        progress.step();
                    }
                    sections
                })
            })
            .collect();
        thread::sleep(stress_time());
        stop.store(true, Relaxed);
        workers.into_iter().map(|worker| worker.join().expect("a worker failed")).sum()
    });

    let counted: u64 = locks.iter().map(|lock| lock.lock().count()).sum();
    assert_eq!(counted, sections);
}
