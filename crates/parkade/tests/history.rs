//! Evidence that reader-writer locks do not have the bugs that others had, and that ours once had: one
//! test each, named for what must hold.

mod support;

use std::{
    sync::{
        Barrier,
        atomic::{
            AtomicBool, AtomicUsize,
            Ordering::{Acquire, Relaxed, Release},
        },
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use parkade::{
    lock_api::{RwLock, RwLockReadGuard, RwLockUpgradableReadGuard, RwLockWriteGuard},
    prelude::*,
};
use support::{
    FullRwLock, Rng, Witness, assert_at_rest, busy, for_both_rwlocks, parked_on, seed, stress_time,
    wait_for_parked, wait_until, watched, words,
};

/// Long enough to be parked by then on a machine that does other things; short enough to wait for.
const SHORT: Duration = Duration::from_millis(100);

/// Nobody has the lock, nobody wants it, and nothing says otherwise.
#[track_caller]
fn assert_free<R: FullRwLock, T>(lock: &RwLock<R, T>) {
    assert_at_rest(lock, "before a write");
    assert!(parked_on(lock).is_empty());
    drop(lock.try_write().expect("it is free"));
    // A fenced bias outlives writes.
    assert_at_rest(lock, "after a write");
}

/// A writer that gave up just as the last reader left turned the word into 0xFFFF_FFFF_FFFF_FFFF, and
/// nobody could lock it any more: Amanieu/parking_lot#465,
/// <https://fly.io/blog/parking-lot-ffffffffffffffff>. The long form is in `rwlock_stress.rs`.
fn a_writer_that_gives_up_as_the_last_reader_leaves_leaves_a_free_lock<R: FullRwLock>() {
    let seed = seed();
    let _watched = watched(format!("writer gives up, PARKADE_SEED={seed}"));
    let lock = RwLock::<R, _>::new(Witness::new());
    let (turn, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let end = Instant::now() + stress_time() / 2;
    let mut rng = Rng::new(seed);
    let (mut in_time, mut late) = (0, 0);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut rng = Rng::new(!seed);
            for round in (1..).step_by(2) {
                while turn.load(Acquire) < round {
                    if stop.load(Relaxed) {
                        return;
                    }
                    thread::yield_now();
                }
                let guard = lock.read();
                turn.store(round + 1, Release);
                busy(Duration::from_nanos(rng.below(120_000)));
                guard.check();
                drop(guard);
            }
        });
        for round in (1..).step_by(2) {
            if Instant::now() > end {
                break;
            }
            turn.store(round, Release);
            while turn.load(Acquire) == round {
                thread::yield_now();
            }
            match lock.try_write_for(Duration::from_nanos(rng.below(120_000))) {
                Some(mut guard) => {
                    guard.section(|| {});
                    in_time += 1;
                }
                None => late += 1,
            }
        }
        stop.store(true, Relaxed);
    });
    println!("{in_time} writers in time, {late} late");
    assert_free(&lock);
}

/// Readers that had queued behind a writer went on sleeping when it gave up: dotnet/corefx#3364,
/// llvm/llvm-project#201937.
#[test]
fn readers_run_when_the_writer_before_them_gives_up() {
    let _watched = watched("timed-out writer, readers behind it");
    let lock = parkade::RwLock::new(5);
    let reading = lock.read();
    thread::scope(|scope| {
        let writer = scope.spawn(|| lock.try_write_for(SHORT).is_none());
        wait_for_parked(&lock, 1);
        let readers: Vec<_> = (0..3).map(|_| scope.spawn(|| *lock.read())).collect();
        assert!(writer.join().unwrap());
        for reader in readers {
            assert_eq!(reader.join().unwrap(), 5);
        }
    });
    drop(reading);
    assert_free(&lock);
}

/// The same for upgradable readers: parking_lot's commit 249cb2a.
fn upgradable_readers_run_when_the_writer_before_them_gives_up<R: FullRwLock>() {
    let _watched = watched("timed-out writer, an upgradable reader behind it");
    let lock = RwLock::<R, _>::new(5);
    let reading = lock.read();
    thread::scope(|scope| {
        let writer = scope.spawn(|| lock.try_write_for(SHORT).is_none());
        wait_for_parked(&lock, 1);
        let upgradable = scope.spawn(|| *lock.upgradable_read());
        assert!(writer.join().unwrap());
        assert_eq!(upgradable.join().unwrap(), 5);
    });
    drop(reading);
    assert_free(&lock);
}

/// And for everybody when an upgrade gives up.
#[test]
fn all_run_when_an_upgrade_gives_up() {
    let _watched = watched("timed-out upgrade, all behind it");
    let lock = parkade::RwLock::new(5);
    let reading = lock.read();
    thread::scope(|scope| {
        let (readers_ran, may_go) = mpsc::channel();
        let lock = &lock;
        scope.spawn(move || {
            let guard = lock.upgradable_read();
            let guard = RwLockUpgradableReadGuard::try_upgrade_for(guard, SHORT);
            let guard = guard.expect_err("somebody reads");
            // It still has the lock, as before, and readers share it.
            may_go.recv().unwrap();
            assert_eq!(*guard, 5);
        });
        wait_for_parked(lock, 1);
        let writer = scope.spawn(|| *lock.write() += 1);
        scope.spawn(|| drop(lock.upgradable_read()));
        let readers: Vec<_> = (0..3).map(|_| scope.spawn(|| drop(lock.read()))).collect();
        for reader in readers {
            reader.join().unwrap();
        }
        readers_ran.send(()).unwrap();
        drop(reading);
        writer.join().unwrap();
    });
    assert_eq!(*lock.read(), 6);
    assert_free(&lock);
}

/// The second call of `with_upgraded` on a guard hung, and later that of the Arc guard:
/// Amanieu/parking_lot#392, #430.
fn upgrading_for_a_while_works_again_and_again<R: FullRwLock>() {
    let _watched = watched("with_upgraded");
    let lock = RwLock::<R, _>::new(0);
    let mut guard = lock.upgradable_read();
    for round in 0..4 {
        guard.with_upgraded(|value| *value += 1);
        assert_eq!(*guard, 2 * round + 1);
        assert!(!lock.is_locked_exclusive());
        assert!(lock.try_read().is_some() && lock.try_upgradable_read().is_none());
        assert_eq!(guard.try_with_upgraded(|value| *value += 1), Some(()));
        let reading = lock.read();
        assert_eq!(guard.try_with_upgraded(|value| *value += 100), None);
        assert_eq!(guard.try_with_upgraded_for(Duration::ZERO, |value| *value += 100), None);
        drop(reading);
    }
    assert!(guard.try_with_upgraded_for(Duration::ZERO, |_| {}).is_some());
    assert!(guard.try_with_upgraded_until(Instant::now(), |_| {}).is_some());
    drop(guard);
    assert_free(&lock);
}

#[cfg(feature = "arc_lock")]
fn upgrading_an_arc_guard_works_again_and_again<R: FullRwLock>() {
    let _watched = watched("with_upgraded of an Arc guard");
    let lock = std::sync::Arc::new(RwLock::<R, _>::new(0));
    let mut guard = lock.upgradable_read_arc();
    for round in 0..4 {
        guard.with_upgraded(|value| *value += 1);
        assert_eq!(guard.try_with_upgraded(|value| *value += 1), Some(()));
        assert_eq!(*guard, 2 * (round + 1));
        assert!(!lock.is_locked_exclusive());
    }
    drop(guard);
    assert_free(&lock);
}

/// `bump` did nothing while there were other readers: Amanieu/parking_lot#471.
fn bump_lets_a_writer_in_although_others_read<R: FullRwLock>() {
    let _watched = watched("bump among readers");
    let lock = RwLock::<R, _>::new(0);
    let mut bumping = lock.read();
    let (other, third) = (lock.read(), lock.read());
    thread::scope(|scope| {
        let lock = &lock;
        let (wrote, has_written) = mpsc::channel();
        let writer = scope.spawn(move || {
            *lock.write() += 1;
            // The bumping reader is in again.
            has_written.recv().unwrap();
        });
        wait_for_parked(lock, 1);
        drop(other);
        // Reads on until nobody else does: then a bump must let the writer in.
        let leaver = scope.spawn(move || {
            wait_until(|| parked_on(lock).len() != 1);
        });
        drop(third);
        while *bumping == 0 {
            RwLockReadGuard::bump(&mut bumping);
        }
        leaver.join().unwrap();
        wrote.send(()).unwrap();
        writer.join().unwrap();
        assert_eq!(*bumping, 1);
    });
    drop(bumping);
    assert_free(&lock);
}

/// One bump gives way to the writer for good, even if others still read at that moment and leave later.
#[test]
fn a_bump_waits_until_the_writer_was_in() {
    let _watched = watched("bump before others leave");
    let lock = parkade::RwLock::new(0);
    thread::scope(|scope| {
        let lock = &lock;
        let (bumped, may_bump) = mpsc::channel::<()>();
        let other = lock.read();
        let bumping = scope.spawn(move || {
            let mut guard = lock.read();
            may_bump.recv().unwrap();
            RwLockReadGuard::bump(&mut guard);
            assert_eq!(*guard, 1, "the bump has not let the writer in");
        });
        wait_until(|| words(lock).starts_with("2 readers"));
        scope.spawn(|| *lock.write() += 1);
        wait_for_parked(lock, 1);
        bumped.send(()).unwrap();
        // The one that bumps waits behind the writer, and the writer for us.
        wait_for_parked(lock, 2);
        drop(other);
        bumping.join().unwrap();
    });
    assert_free(&lock);
}

/// On Windows some readers went on sleeping after a writer had left, with readers only:
/// rust-lang/rust#121949.
fn all_readers_are_in_together_after_a_writer<R: FullRwLock>() {
    const READERS: usize = 6;
    let _watched = watched("readers after a writer");
    let lock = RwLock::<R, _>::new(0);
    for _ in 0..20 {
        let writing = lock.write();
        let together = Barrier::new(READERS);
        thread::scope(|scope| {
            for _ in 0..READERS {
                scope.spawn(|| {
                    let _reading = lock.read();
                    together.wait();
                });
            }
            wait_for_parked(&lock, READERS);
            drop(writing);
        });
        assert_free(&lock);
    }
}

/// The same after a downgrade, and past an upgradable reader that waits among them.
fn all_readers_are_in_together_after_a_downgrade<R: FullRwLock>() {
    const READERS: usize = 4;
    let _watched = watched("readers after a downgrade");
    let lock = RwLock::<R, _>::new(0);
    for _ in 0..20 {
        let writing = lock.write();
        let together = Barrier::new(READERS + 1);
        thread::scope(|scope| {
            for reader in 0..READERS {
                scope.spawn(|| {
                    let _reading = lock.read();
                    together.wait();
                });
                wait_for_parked(&lock, 2 * reader + 1);
                scope.spawn(|| drop(lock.upgradable_read()));
                wait_for_parked(&lock, 2 * reader + 2);
            }
            let reading = RwLockWriteGuard::downgrade(writing);
            together.wait();
            drop(reading);
        });
        assert_free(&lock);
    }
}

/// The same beside an upgradable reader, although a writer waits that has to wait for that one.
fn all_readers_are_in_together_beside_an_upgradable_reader<R: FullRwLock>() {
    const READERS: usize = 4;
    let _watched = watched("readers beside an upgradable one");
    let lock = RwLock::<R, _>::new(0);
    for _ in 0..20 {
        let writing = lock.write();
        let together = Barrier::new(READERS + 1);
        thread::scope(|scope| {
            scope.spawn(|| drop(lock.write()));
            wait_for_parked(&lock, 1);
            for reader in 0..READERS {
                scope.spawn(|| {
                    let _reading = lock.read();
                    together.wait();
                });
                wait_for_parked(&lock, reader + 2);
            }
            let upgradable = RwLockWriteGuard::downgrade_to_upgradable(writing);
            together.wait();
            drop(upgradable);
        });
        assert_free(&lock);
    }
}

/// A thread that reads what it is reading waited for a writer that waited for it:
/// Amanieu/parking_lot#212. With `read_recursive` it does not, nor with the recursive lock.
#[test]
fn a_recursive_read_passes_a_waiting_writer() {
    let _watched = watched("recursive reads");
    let lock = parkade::RwLock::new(0);
    let outer = lock.read();
    thread::scope(|scope| {
        scope.spawn(|| *lock.write() += 1);
        wait_for_parked(&lock, 1);
        assert_eq!(*lock.read_recursive(), 0);
        assert_eq!(lock.try_read_recursive().as_deref(), Some(&0));
        assert_eq!(lock.try_read_recursive_for(Duration::ZERO).as_deref(), Some(&0));
        assert_eq!(lock.try_read_recursive_until(Instant::now()).as_deref(), Some(&0));
        assert!(lock.try_read().is_none(), "others respect the writer");
        drop(outer);
    });
    assert_eq!(*lock.read_recursive(), 1);
    assert_free(&lock);

    let lock = parkade::RecursiveRwLock::new(0);
    let outer = lock.read();
    thread::scope(|scope| {
        scope.spawn(|| *lock.write() += 1);
        wait_for_parked(&lock, 1);
        assert_eq!((*lock.read(), lock.try_read().as_deref()), (0, Some(&0)));
        drop(outer);
    });
    assert_eq!(*lock.read(), 1);
    assert_free(&lock);
}

/// A game that read recursively in many threads hung: Amanieu/parking_lot#505.
#[test]
fn recursive_readers_and_writers_in_crowds_do_not_hang() {
    const THREADS: usize = 8;
    let watchdog = support::Watchdog::new("recursive crowd", THREADS);
    let lock = parkade::RwLock::new(Witness::new());
    let end = Instant::now() + stress_time() / 2;
    thread::scope(|scope| {
        for index in 0..THREADS {
            let progress = watchdog.thread(index);
            let lock = &lock;
            scope.spawn(move || {
                while Instant::now() < end {
                    if index == 0 {
                        lock.write().section(|| {});
                    } else {
                        let outer = lock.read();
                        thread::yield_now();
                        lock.read_recursive().check();
                        outer.check();
                    }
                    progress.step();
                }
            });
        }
    });
    assert_free(&lock);
}

/// Upgrades in crowds: Amanieu/parking_lot#489 (hung there). Nothing written between the decision and
/// the upgrade.
fn nobody_writes_between_reading_upgradably_and_upgrading<R: FullRwLock>() {
    const THREADS: usize = 6;
    let seed = seed();
    let name = format!("upgrades in crowds, PARKADE_SEED={seed}");
    let watchdog = support::Watchdog::new(name, THREADS);
    let lock = RwLock::<R, _>::new(Witness::new());
    let end = Instant::now() + stress_time() / 2;
    let upgrades: u64 = thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS)
            .map(|index| {
                let progress = watchdog.thread(index);
                let lock = &lock;
                let mut rng = Rng::new(seed ^ (index as u64) << 48);
                scope.spawn(move || {
                    let mut upgrades = 0;
                    while Instant::now() < end {
                        if rng.below(3) == 0 {
                            lock.read().check();
                        } else {
                            let reading = lock.upgradable_read();
                            let before = reading.count();
                            if rng.below(4) == 0 {
                                thread::yield_now();
                            }
                            let mut writing = RwLockUpgradableReadGuard::upgrade(reading);
                            assert_eq!(writing.count(), before, "somebody wrote in between");
                            writing.section(|| {});
                            upgrades += 1;
                        }
                        progress.step();
                    }
                    upgrades
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().expect("a worker failed")).sum()
    });
    assert_eq!(lock.read().count(), upgrades);
    assert_free(&lock);
}

/// Ours, before its first release: a fair unlock had claimed the lock for a writer that had to park
/// again behind an upgradable reader, and gave up there. The claim stayed, and kept all out for ever.
fn a_claim_made_for_a_writer_goes_when_it_gives_up<R: FullRwLock>() {
    let _watched = watched("a claim of somebody who gave up");
    let lock = RwLock::<R, _>::new(0);
    let (upgradable, reading) = (lock.upgradable_read(), lock.read());
    thread::scope(|scope| {
        let writer = scope.spawn(|| lock.try_write_for(3 * SHORT).is_none());
        wait_for_parked(&lock, 1);
        RwLockReadGuard::unlock_fair(reading);
        assert!(writer.join().unwrap());
    });
    drop(upgradable);
    assert_free(&lock);
}

for_both_rwlocks! {
    a_writer_that_gives_up_as_the_last_reader_leaves_leaves_a_free_lock
    upgradable_readers_run_when_the_writer_before_them_gives_up
    upgrading_for_a_while_works_again_and_again
    #[cfg(feature = "arc_lock")]
    upgrading_an_arc_guard_works_again_and_again
    bump_lets_a_writer_in_although_others_read
    all_readers_are_in_together_after_a_writer
    all_readers_are_in_together_after_a_downgrade
    all_readers_are_in_together_beside_an_upgradable_reader
    nobody_writes_between_reading_upgradably_and_upgrading
    a_claim_made_for_a_writer_goes_when_it_gives_up
}
