//! Evidence for exclusion, no lost wake-up and no starved thread of reader-writer locks, on real threads
//! and processors: every way to take, change and release one, mixed at random. `PARKADE_SEED` repeats a
//! run's choices, `PARKADE_STRESS_SECS` sets the length of each case.

mod support;

use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use parkade::{
    RawRecursiveRwLock, RawRwLock,
    lock_api::{RwLock, RwLockReadGuard, RwLockUpgradableReadGuard, RwLockWriteGuard},
    prelude::*,
};
use support::{
    FullRwLock, Longest, Pace, Rng, Watchdog, Witness, assert_at_rest, busy, in_bursts, parked_on,
    pause, section_body, seed, stress_time,
};

type Lock<R> = RwLock<R, Witness>;
type Reading<'a, R> = RwLockReadGuard<'a, R, Witness>;
type Upgradable<'a, R> = RwLockUpgradableReadGuard<'a, R, Witness>;
type Writing<'a, R> = RwLockWriteGuard<'a, R, Witness>;

/// What a raw lock offers besides the traits of `lock_api`: a read that passes waiting writers.
trait Subject: FullRwLock {
    const NAME: &str;

    /// Reads recursively, in one of four ways; whether no writer was in for too long.
    fn read_again(lock: &Lock<Self>, rng: &mut Rng) -> bool;
}

macro_rules! subject {
    ($raw:ty, $name:literal, $read:ident, $try:ident, $try_for:ident, $try_until:ident) => {
        impl Subject for $raw {
            const NAME: &str = $name;

            fn read_again(lock: &Lock<Self>, rng: &mut Rng) -> bool {
                let timeout = timeout(rng);
                let guard = match rng.below(4) {
                    0 => lock.$try(),
                    1 => lock.$try_for(timeout),
                    2 => lock.$try_until(Instant::now() + timeout),
                    _ => Some(lock.$read()),
                };
                guard.map(|guard| guard.check()).is_some()
            }
        }
    };
}

subject!(
    RawRwLock,
    "rwlock",
    read_recursive,
    try_read_recursive,
    try_read_recursive_for,
    try_read_recursive_until
);
subject!(RawRecursiveRwLock, "recursive rwlock", read, try_read, try_read_for, try_read_until);

/// The timeouts of the production bug of 2025: from none to a millisecond.
fn timeout(rng: &mut Rng) -> Duration {
    Duration::from_nanos(match rng.below(4) {
        0 => 0,
        1 => rng.below(5_000),
        2 => rng.below(100_000),
        _ => rng.below(1_000_000),
    })
}

/// The longest wait of each side.
#[derive(Debug, Default)]
struct Tally {
    read_wait: Longest,
    write_wait: Longest,
}

/// One turn of a thread, and how many sections it has written in it.
struct Turn<'t> {
    pace: Pace,
    rng: &'t mut Rng,
    sections: u64,
}

impl Turn<'_> {
    fn write<R: FullRwLock>(&mut self, guard: &mut Writing<'_, R>) {
        guard.section(|| section_body(self.pace, self.rng));
        self.sections += 1;
    }

    fn read(&mut self, witness: &Witness) -> u64 {
        let before = witness.count();
        section_body(self.pace, self.rng);
        assert_eq!(witness.count(), before, "somebody wrote while somebody read");
        before
    }

    /// Ways to get a read guard.
    fn shared<'a, R: FullRwLock>(&mut self, lock: &'a Lock<R>) -> Option<Reading<'a, R>> {
        Some(match self.rng.below(8) {
            0 => lock.try_read()?,
            1 => lock.try_read_for(timeout(self.rng))?,
            2 => lock.try_read_until(Instant::now() + timeout(self.rng))?,
            _ => lock.read(),
        })
    }

    /// Ways to get an upgradable guard.
    fn upgradable<'a, R: FullRwLock>(&mut self, lock: &'a Lock<R>) -> Option<Upgradable<'a, R>> {
        Some(match self.rng.below(8) {
            0 => lock.try_upgradable_read()?,
            1 => lock.try_upgradable_read_for(timeout(self.rng))?,
            2 => lock.try_upgradable_read_until(Instant::now() + timeout(self.rng))?,
            _ => lock.upgradable_read(),
        })
    }

    /// Ways to get a write guard.
    fn exclusive<'a, R: FullRwLock>(&mut self, lock: &'a Lock<R>) -> Option<Writing<'a, R>> {
        Some(match self.rng.below(8) {
            0 => lock.try_write()?,
            1 => lock.try_write_for(timeout(self.rng))?,
            2 => lock.try_write_until(Instant::now() + timeout(self.rng))?,
            _ => lock.write(),
        })
    }

    /// What can be done with a read guard.
    fn use_shared<R: Subject>(&mut self, lock: &Lock<R>, mut guard: Reading<'_, R>) {
        let before = self.read(&guard);
        match self.rng.below(8) {
            0 => {
                RwLockReadGuard::bump(&mut guard);
                self.read(&guard);
            }
            1 => {
                RwLockReadGuard::unlocked(&mut guard, || {
                    if let Some(mut inner) = lock.try_write() {
                        self.write(&mut inner);
                    }
                });
                self.read(&guard);
            }
            2 => {
                RwLockReadGuard::unlocked_fair(&mut guard, || {
                    if let Some(mut inner) = self.exclusive(lock) {
                        self.write(&mut inner);
                    }
                });
                self.read(&guard);
            }
            3 => RwLockReadGuard::unlock_fair(guard),
            4 | 5 => {
                // The thread reads, so no writer can be in.
                assert!(R::read_again(lock, self.rng), "a recursive read had to wait");
                assert_eq!(self.read(&guard), before);
            }
            _ => {}
        }
    }

    /// What can be done with an upgradable guard.
    fn use_upgradable<R: Subject>(&mut self, lock: &Lock<R>, mut guard: Upgradable<'_, R>) {
        let before = self.read(&guard);
        let upgraded = match self.rng.below(12) {
            0 => RwLockUpgradableReadGuard::try_upgrade(guard),
            1 | 2 => RwLockUpgradableReadGuard::try_upgrade_for(guard, timeout(self.rng)),
            3 => {
                let deadline = Instant::now() + timeout(self.rng);
                RwLockUpgradableReadGuard::try_upgrade_until(guard, deadline)
            }
            4 => return self.use_shared(lock, RwLockUpgradableReadGuard::downgrade(guard)),
            5 => {
                RwLockUpgradableReadGuard::bump(&mut guard);
                self.read(&guard);
                return;
            }
            6 => {
                RwLockUpgradableReadGuard::unlocked_fair(&mut guard, || {
                    if let Some(mut inner) = self.exclusive(lock) {
                        self.write(&mut inner);
                    }
                });
                self.read(&guard);
                return;
            }
            7 => return RwLockUpgradableReadGuard::unlock_fair(guard),
            8 => {
                let (pace, rng) = (self.pace, &mut *self.rng);
                guard.with_upgraded(|witness| witness.section(|| section_body(pace, rng)));
                self.sections += 1;
                assert_eq!(guard.count(), before + 1);
                return;
            }
            _ => Ok(RwLockUpgradableReadGuard::upgrade(guard)),
        };
        match upgraded {
            Ok(guard) => {
                assert_eq!(guard.count(), before, "somebody wrote before the upgrade");
                self.use_exclusive(lock, guard);
            }
            Err(guard) => {
                assert_eq!(self.read(&guard), before, "a failed upgrade let somebody write");
            }
        }
    }

    /// What can be done with a write guard.
    fn use_exclusive<R: Subject>(&mut self, lock: &Lock<R>, mut guard: Writing<'_, R>) {
        self.write(&mut guard);
        let after = guard.count();
        match self.rng.below(10) {
            0 => {
                RwLockWriteGuard::bump(&mut guard);
                self.write(&mut guard);
            }
            1 => {
                RwLockWriteGuard::unlocked(&mut guard, || {
                    if let Some(inner) = self.shared(lock) {
                        self.read(&inner);
                    }
                });
                self.write(&mut guard);
            }
            2 => {
                RwLockWriteGuard::unlocked_fair(&mut guard, || {
                    if let Some(mut inner) = self.exclusive(lock) {
                        self.write(&mut inner);
                    }
                });
                self.write(&mut guard);
            }
            3 => RwLockWriteGuard::unlock_fair(guard),
            4 | 5 => {
                let guard = RwLockWriteGuard::downgrade(guard);
                assert_eq!(guard.count(), after, "somebody wrote before the downgrade");
                self.use_shared(lock, guard);
            }
            6 => {
                let guard = RwLockWriteGuard::downgrade_to_upgradable(guard);
                assert_eq!(self.read(&guard), after, "somebody wrote before the downgrade");
                if self.rng.below(2) == 0 {
                    let mut guard = RwLockUpgradableReadGuard::upgrade(guard);
                    assert_eq!(guard.count(), after, "somebody wrote before the upgrade");
                    self.write(&mut guard);
                }
            }
            _ => {}
        }
    }

    /// A turn of whatever kind; `write_share` in 64 of them want to write.
    fn take<R: Subject>(&mut self, lock: &Lock<R>, write_share: u64, tally: &Tally) {
        let asked = Instant::now();
        if self.rng.below(64) >= write_share {
            let guard = self.shared(lock);
            tally.read_wait.note(asked.elapsed());
            if let Some(guard) = guard {
                self.use_shared(lock, guard);
            } else {
                let _ = R::read_again(lock, self.rng);
            }
        } else if self.rng.below(3) == 0 {
            let guard = self.upgradable(lock);
            tally.write_wait.note(asked.elapsed());
            if let Some(guard) = guard {
                self.use_upgradable(lock, guard);
            }
        } else {
            let guard = self.exclusive(lock);
            tally.write_wait.note(asked.elapsed());
            if let Some(guard) = guard {
                self.use_exclusive(lock, guard);
            }
        }
    }
}

fn case<R: Subject>(threads: usize, pace: Pace, write_share: u64) {
    let seed = seed();
    let lock = Lock::<R>::new(Witness::new());
    let stop = AtomicBool::new(false);
    let tally = Tally::default();
    let name = R::NAME;
    let name = format!("{name}, {threads} threads, {pace:?}, {write_share}/64 PARKADE_SEED={seed}");
    let watchdog = Watchdog::new(&*name, threads);
    let heavy = parkade_core::fence::heavy_count();

    let (turns, sections) = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|index| {
                let (lock, stop, tally) = (&lock, &stop, &tally);
                let progress = watchdog.thread(index);
                let mut rng = Rng::new(seed ^ (index as u64) << 48);
                scope.spawn(move || {
                    let (mut turns, mut sections) = (0_u64, 0);
                    while !stop.load(Relaxed) {
                        let mut turn = Turn { pace, rng: &mut rng, sections: 0 };
                        turn.take(lock, write_share, tally);
                        sections += turn.sections;
                        turns += 1;
                        progress.step();
                        pause(pace, &mut rng);
                    }
                    (turns, sections)
                })
            })
            .collect();
        thread::sleep(stress_time());
        stop.store(true, Relaxed);
        workers.into_iter().fold((0, 0), |(turns, sections), worker| {
            let (more_turns, more_sections) = worker.join().expect("a worker failed");
            (turns + more_turns, sections + more_sections)
        })
    });

    let heavy = parkade_core::fence::heavy_count() - heavy;
    println!("{name}: {turns} turns, {sections} of them wrote; {heavy} heavy fences (all tests)");
    println!("longest waits: {:?} to read, {:?} to write", tally.read_wait, tally.write_wait);
    assert!(parked_on(&lock).is_empty(), "{name}: somebody sleeps");
    assert_eq!(lock.write().count(), sections, "{name}: sections were lost");
    assert_at_rest(&lock, &name);
}

/// Nobody comes later whose release could make up for a wake-up that went missing. Threads start within a
/// few microseconds, some to hold the lock for as long as others wait for it.
fn bursts<R: Subject>(threads: usize) {
    let seed = seed();
    let lock = Lock::<R>::new(Witness::new());
    let name = format!("{}, bursts of {threads}, PARKADE_SEED={seed}", R::NAME);
    let tally = Tally::default();
    let sections = in_bursts(&name, threads, seed, |index, rng| {
        busy(Duration::from_nanos(rng.below(3_000)));
        if index > 0 && rng.below(2) == 0 {
            // Timeouts that end just when it is the waiter's turn.
            let time = Duration::from_micros(rng.below(150));
            return match rng.below(3) {
                0 => lock.try_read_for(time).map_or(0, |guard| {
                    guard.check();
                    0
                }),
                1 => lock.try_upgradable_read_for(time).map_or(0, |guard| {
                    let guard = RwLockUpgradableReadGuard::try_upgrade_for(guard, time);
                    guard.map_or(0, |mut guard| {
                        guard.section(|| {});
                        1
                    })
                }),
                _ => lock.try_write_for(time).map_or(0, |mut guard| {
                    guard.section(|| {});
                    1
                }),
            };
        }
        if index == 0 && rng.below(2) == 0 {
            let hold = Duration::from_micros(rng.below(150));
            lock.write().section(|| busy(hold));
            return 1;
        }
        let mut turn = Turn { pace: Pace::Tight, rng, sections: 0 };
        turn.take(&lock, 24, &tally);
        turn.sections
    });
    println!("{name}: {sections} sections, {tally:?}");
    assert_eq!(lock.write().count(), sections, "{name}: sections were lost");
    assert_at_rest(&lock, &name);
}

/// Writers that give up at the moment at which the last reader leaves, and whatever can be done to the
/// lock in that moment: Amanieu/parking_lot#465. Millions of rounds in the long form.
fn timeouts_race_releases<R: Subject>() {
    const THREADS: usize = 4;
    let seed = seed();
    let lock = Lock::<R>::new(Witness::new());
    let name = format!("{}, timeouts and releases, PARKADE_SEED={seed}", R::NAME);
    let watchdog = Watchdog::new(&*name, THREADS);
    let end = Instant::now() + stress_time();

    let (rounds, given_up, sections) = thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS)
            .map(|index| {
                let lock = &lock;
                let progress = watchdog.thread(index);
                let mut rng = Rng::new(seed ^ (index as u64) << 48);
                scope.spawn(move || {
                    let (mut rounds, mut given_up, mut sections) = (0_u64, 0_u64, 0_u64);
                    while Instant::now() < end {
                        rounds += 1;
                        progress.step();
                        // The deadline is about when the others leave.
                        let usual = rng.below(16) != 0;
                        let time = rng.below(if usual { 20_000 } else { 1_000_000 });
                        let time = Duration::from_nanos(time);
                        let hold = Duration::from_nanos(rng.below(20_000));
                        let written = match rng.below(5) {
                            0 => {
                                let guard = lock.read();
                                busy(hold);
                                guard.check();
                                continue;
                            }
                            1 => match lock.try_upgradable_read_for(time) {
                                Some(guard) => {
                                    RwLockUpgradableReadGuard::try_upgrade_for(guard, time).ok()
                                }
                                None => None,
                            },
                            2 => match lock.try_read_for(time) {
                                Some(guard) => {
                                    guard.check();
                                    continue;
                                }
                                None => None,
                            },
                            _ => lock.try_write_for(time),
                        };
                        match written {
                            Some(mut guard) => {
                                guard.section(|| busy(hold));
                                sections += 1;
                            }
                            None => given_up += 1,
                        }
                    }
                    (rounds, given_up, sections)
                })
            })
            .collect();
        workers.into_iter().fold((0, 0, 0), |sum, worker| {
            let more = worker.join().expect("a worker failed");
            (sum.0 + more.0, sum.1 + more.1, sum.2 + more.2)
        })
    });

    println!("{name}: {rounds} rounds, {given_up} given up, {sections} written");
    assert!(parked_on(&lock).is_empty(), "{name}: somebody sleeps");
    let zero = Duration::ZERO;
    assert_eq!(lock.try_write_for(zero).expect("nobody is left").count(), sections, "{name}");
    assert_at_rest(&lock, &name);
}

macro_rules! cases {
    ($($module:ident: $raw:ty;)+) => {$(
        mod $module {
            use super::*;

            #[test]
            fn two_threads_tight() {
                case::<$raw>(2, Pace::Tight, 16);
            }

            #[test]
            fn eight_threads_tight_that_write() {
                case::<$raw>(8, Pace::Tight, 48);
            }

            #[test]
            fn four_threads_tight_that_read() {
                case::<$raw>(4, Pace::Tight, 1);
            }

            #[test]
            fn sixteen_threads_mixed() {
                case::<$raw>(16, Pace::Mixed, 8);
            }

            #[test]
            fn sixteen_threads_sleepy() {
                case::<$raw>(16, Pace::Sleepy, 16);
            }

            #[test]
            fn bursts_of_three() {
                bursts::<$raw>(3);
            }

            #[test]
            fn bursts_of_six() {
                bursts::<$raw>(6);
            }

            #[test]
            fn timeouts_race_releases() {
                super::timeouts_race_releases::<$raw>();
            }
        }
    )+};
}

cases! {
    rwlock: RawRwLock;
    recursive_rwlock: RawRecursiveRwLock;
}
