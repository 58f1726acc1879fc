//! Evidence that a lock that is read again and again lets its readers use slots, that writers see those
//! who do, and that going over to it and back takes little time and costs writers little.

mod support;

use std::{
    sync::{
        Barrier, Mutex, MutexGuard, PoisonError,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    thread,
    time::{Duration, Instant},
};

use parkade::{
    RawRecursiveRwLock, RawRwLock,
    lock_api::{RwLock, RwLockUpgradableReadGuard},
};
use parkade_core::fence::heavy_count;
use support::{
    FullRwLock, Longest, Rng, Watchdog, Witness, busy, can_bias, for_both_rwlocks, is_biased,
    make_biased, parked_on, seed, stress_time, wait_for_parked, wait_until, watched_test, words,
};

/// Grants and heavy fences are counted for the whole process.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn alone() -> (MutexGuard<'static, ()>, impl Sized) {
    (ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner), watched_test())
}

fn reading_begins_it_and_writing_ends_it<R: FullRwLock>() {
    let _alone = alone();
    let reads_until_biased = |lock: &RwLock<R, u32>| {
        (1..1_000).find(|_| {
            drop(lock.read());
            is_biased(lock)
        })
    };
    // Those before us may have used up the grants of this millisecond, or been denied it under our hash.
    let tries = (0..100).map(|_| {
        thread::sleep(Duration::from_millis(2));
        let lock = Box::new(RwLock::<R, _>::new(0));
        (reads_until_biased(&lock), lock)
    });
    let Some((reads, lock)) = tries.into_iter().find(|(reads, _)| reads.is_some()) else {
        assert_eq!((can_bias(), heavy_count()), (false, 0));
        return;
    };
    let reads = reads.expect("just found");
    assert!((64..=256).contains(&reads), "after {reads} reads");

    let before = heavy_count();
    let guard = lock.read();
    assert!(words(&lock).starts_with("0 readers"), "the reader is not counted: {}", words(&lock));
    assert!(lock.is_locked() && !lock.is_locked_exclusive());
    drop(guard);
    assert!(is_biased(&lock) && !lock.is_locked());
    drop(lock.upgradable_read());
    assert!(is_biased(&lock), "an upgradable reader keeps nobody out");
    assert_eq!(heavy_count(), before, "readers do not fence");
    *lock.write() += 1;
    assert!(!is_biased(&lock));
    assert_eq!(heavy_count(), before + 1);
    *lock.write() += 1;
    assert_eq!(heavy_count(), before + 1, "only the first write costs a fence");
    assert_eq!(words(&lock), "0 readers {}, bias 0x0");
}

fn an_upgrade_ends_it<R: FullRwLock>() {
    let _alone = alone();
    let lock = RwLock::<R, _>::new(0);
    let biased = make_biased(&lock);
    let before = heavy_count();
    let guard = lock.upgradable_read();
    let reading = lock.read();
    let guard = RwLockUpgradableReadGuard::try_upgrade(guard).expect_err("somebody reads");
    assert_eq!((is_biased(&lock), heavy_count()), (biased, before), "in vain, so not at all");
    drop(reading);
    *RwLockUpgradableReadGuard::upgrade(guard) += 1;
    assert!(!is_biased(&lock));
    assert_eq!(heavy_count(), before + u64::from(biased));
}

/// A thread that goes from lock to lock gains nothing from a slot.
#[test]
fn one_of_many_locks_is_not_biased() {
    let _alone = alone();
    let locks: Vec<_> = (0..100).map(parkade::RwLock::new).collect();
    for _ in 0..2_000 {
        for lock in &locks {
            drop(lock.read());
        }
    }
    assert!(!locks.iter().any(is_biased));
}

/// A writer that gives up has interrupted it only for a while: then it goes on, under its old number.
fn it_goes_on_after_a_writer_that_gave_up<R: FullRwLock>() {
    let _alone = alone();
    let lock = RwLock::<R, _>::new(0);
    if !make_biased(&lock) {
        return;
    }
    let biased = words(&lock);
    let in_slot = lock.read();
    thread::scope(|scope| {
        scope.spawn(|| assert!(lock.try_write_for(Duration::from_millis(1)).is_none()));
    });
    assert!(!is_biased(&lock));
    make_biased(&lock);
    assert_eq!(words(&lock), biased);
    assert!(lock.try_write().is_none(), "the old reader is still there");
    drop(in_slot);
    assert!(lock.try_write().is_some());
}

/// A writer sleeps until the last of several readers has left its slot, and keeps new ones out.
fn a_writer_waits_for_all_slots<R: FullRwLock>() {
    const READERS: usize = 3;
    const ROUNDS: u64 = 100;
    let _alone = alone();
    let lock = RwLock::<R, _>::new(Witness::new());
    let (take, leave) = (Barrier::new(READERS + 1), Barrier::new(READERS + 1));
    let reading = Barrier::new(READERS + 1);
    thread::scope(|scope| {
        for _ in 0..READERS {
            scope.spawn(|| {
                for _ in 0..ROUNDS {
                    take.wait();
                    let guard = lock.read();
                    reading.wait();
                    leave.wait();
                    guard.check();
                    drop(guard);
                }
            });
        }
        for _ in 0..ROUNDS {
            make_biased(&lock);
            take.wait();
            reading.wait();
            thread::scope(|scope| {
                scope.spawn(|| lock.write().section(|| {}));
                wait_for_parked(&lock, 1);
                // All at once, so that each may think that another will wake the writer.
                leave.wait();
            });
        }
    });
    assert_eq!(lock.read().count(), ROUNDS);
    assert!(parked_on(&lock).is_empty());
}

/// Threads that read all the time, by slots for the most part, and writers that come now and then.
///
/// `rest`: the longest that readers do something else, for locks on which readers can starve a writer.
fn nobody_writes_while_somebody_reads<R: FullRwLock>(rest: Duration) {
    const READERS: usize = 4;
    let _alone = alone();
    let seed = seed();
    let lock = RwLock::<R, _>::new(Witness::new());
    let stop = AtomicBool::new(false);
    let (by_slot, reads) = <(AtomicU64, AtomicU64)>::default();
    let longest = Longest::default();
    let name = format!("slots and writers, PARKADE_SEED={seed}");
    let watchdog = Watchdog::new(&*name, READERS + 1);
    let heavy = heavy_count();
    let (mut writes, mut ended) = (0, 0);
    thread::scope(|scope| {
        for index in 0..READERS {
            let progress = watchdog.thread(index);
            let (lock, stop, by_slot, reads) = (&lock, &stop, &by_slot, &reads);
            let mut rng = Rng::new(seed ^ (index as u64) << 48);
            scope.spawn(move || {
                while !stop.load(Relaxed) {
                    for _ in 0..64 {
                        let guard = lock.read();
                        let before = guard.count();
                        if rng.below(256) == 0 {
                            thread::yield_now();
                        }
                        assert_eq!(guard.count(), before, "somebody wrote");
                    }
                    by_slot.fetch_add(64 * u64::from(is_biased(lock)), Relaxed);
                    reads.fetch_add(64, Relaxed);
                    progress.step();
                    if rest > Duration::ZERO {
                        thread::sleep(rest * rng.below(100) as u32 / 100);
                    }
                }
            });
        }
        let progress = watchdog.thread(READERS);
        let mut rng = Rng::new(!seed);
        let end = Instant::now() + stress_time();
        while Instant::now() < end {
            // Often enough for many encounters, seldom enough for bias to begin between them.
            let pause = rng.below(3_000);
            thread::sleep(Duration::from_micros(pause));
            ended += u64::from(is_biased(&lock));
            let asked = Instant::now();
            let guard = match rng.below(4) {
                0 => lock.try_write(),
                1 => lock.try_write_for(Duration::from_micros(rng.below(200))),
                2 => Some(RwLockUpgradableReadGuard::upgrade(lock.upgradable_read())),
                _ => Some(lock.write()),
            };
            longest.note(asked.elapsed());
            if let Some(mut guard) = guard {
                guard.section(|| busy(Duration::from_micros(rng.below(20))));
                writes += 1;
            }
            progress.step();
        }
        stop.store(true, Relaxed);
    });
    println!(
        "{name}: {} of {} reads where there was bias, {writes} writes, {ended} met it, {} fences, \
         longest wait to write {longest:?}",
        by_slot.load(Relaxed),
        reads.load(Relaxed),
        heavy_count() - heavy
    );
    assert_eq!(lock.write().count(), writes, "{name}");
    assert!(parked_on(&lock).is_empty());
    if can_bias() {
        assert!(ended > 10, "{name}: only {ended} writers met bias, so this shows little");
        assert!(by_slot.load(Relaxed) > reads.load(Relaxed) / 10, "{name}");
    }
}

/// Where readers meet and somebody writes all the time, though seldom in comparison, readers fence and
/// bias outlives the writes.
#[test]
fn fenced_bias_outlives_writes_and_nobody_writes_while_somebody_reads() {
    const READERS: u64 = 3;
    let _alone = alone();
    let lock = parkade::RwLock::new(Witness::new());
    let stop = AtomicBool::new(false);
    let reads = AtomicU64::new(0);
    let (mut writes, mut outlived) = (0, 0);
    let (heavy, begin) = (heavy_count(), Instant::now());
    // Readers have to meet in the count for it to begin, which takes luck on a machine with few processors.
    let patience = begin + Duration::from_secs(30);
    let end = begin + stress_time();
    thread::scope(|scope| {
        for _ in 0..READERS {
            scope.spawn(|| {
                while !stop.load(Relaxed) {
                    let guard = lock.read();
                    let before = guard.count();
                    (0..50).for_each(|_| std::hint::spin_loop());
                    assert_eq!(guard.count(), before, "somebody wrote");
                    drop(guard);
                    reads.fetch_add(1, Relaxed);
                }
            });
        }
        while Instant::now() < end || (can_bias() && outlived < 100 && Instant::now() < patience) {
            let asked = reads.load(Relaxed);
            wait_until(|| reads.load(Relaxed) > asked + 100);
            lock.write().section(|| {});
            writes += 1;
            outlived += u64::from(is_biased(&lock));
        }
        stop.store(true, Relaxed);
    });
    let (fences, took) = (heavy_count() - heavy, begin.elapsed());
    println!("{outlived} of {writes} writes left bias behind; {fences} fences in {took:?}");
    assert_eq!(lock.write().count(), writes);
    assert!(fences <= took.as_millis() as u64 + 2, "{fences} fences in {took:?}");
    assert!(!can_bias() || outlived >= 100, "{outlived} of {writes}");
}

/// The shortest time it takes a lock that was written and read in turn, so that bias was a mistake again
/// and again, to be biased once it is only read. The policy denies it for at most 8 ms.
#[test]
fn a_lock_that_turns_read_mostly_is_biased_in_milliseconds() {
    let _alone = alone();
    if !can_bias() {
        return;
    }
    let lock = parkade::RwLock::new(0);
    let adaptations = (0..5).map(|_| {
        let end = Instant::now() + Duration::from_millis(50);
        while Instant::now() < end {
            *lock.write() += 1;
            (0..64).for_each(|_| drop(lock.read()));
        }
        let begin = Instant::now();
        make_biased(&lock);
        begin.elapsed()
    });
    let shortest = adaptations.min().unwrap();
    println!("biased after {shortest:?}");
    assert!(shortest < Duration::from_millis(100), "{shortest:?}");
}

/// And the other way round: once it is written all the time, hardly a write meets bias.
#[test]
fn a_lock_that_turns_write_heavy_is_left_alone() {
    let _alone = alone();
    let lock = parkade::RwLock::new(0);
    make_biased(&lock);
    let heavy = heavy_count();
    let (mut writes, end) = (0, Instant::now() + Duration::from_millis(200));
    while Instant::now() < end {
        *lock.write() += 1;
        drop(lock.read());
        writes += 1;
    }
    let fences = heavy_count() - heavy;
    println!("{fences} fences for {writes} writes");
    assert!(fences <= 1 + writes / 50, "{fences} fences for {writes} writes");
}

/// The worst case, on purpose: as soon as it is biased somebody writes. Fences are bounded all the same.
#[test]
fn an_adversary_costs_a_thousand_fences_a_second_at_most() {
    let _alone = alone();
    let locks: Vec<_> = (0..16).map(parkade::RwLock::new).collect();
    let (heavy, begin) = (heavy_count(), Instant::now());
    let mut writes = 0_u64;
    while begin.elapsed() < Duration::from_millis(300) {
        for lock in &locks {
            (0..192).for_each(|_| drop(lock.read()));
            *lock.write() += 1;
            writes += 1;
        }
    }
    let fences = heavy_count() - heavy;
    let allowed = begin.elapsed().as_millis() as u64 + 2;
    println!("{fences} fences for {writes} writes, {allowed} allowed");
    assert!(fences <= allowed, "{fences} fences, more than {allowed}");
    assert_eq!(fences == 0, !can_bias(), "the adversary has not met bias once");
}

/// Writers that give up, against readers that always bring bias back: the same bound.
#[test]
fn an_adversary_that_gives_up_costs_no_more() {
    let _alone = alone();
    let lock = parkade::RwLock::new(0);
    let (stop, asked) = (AtomicBool::new(false), AtomicU64::new(0));
    let (heavy, begin) = (heavy_count(), Instant::now());
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Acquire) {
                    let guard = lock.read();
                    (0..100).for_each(|_| std::hint::spin_loop());
                    drop(guard);
                }
            });
        }
        while begin.elapsed() < Duration::from_millis(300) {
            drop(lock.try_write_for(Duration::ZERO));
            asked.fetch_add(1, Relaxed);
            thread::sleep(Duration::from_micros(50));
        }
        stop.store(true, Release);
    });
    let (fences, allowed) = (heavy_count() - heavy, begin.elapsed().as_millis() as u64 + 2);
    println!("{fences} fences for {} writers, {allowed} allowed", asked.load(Relaxed));
    assert!(fences <= allowed, "{fences} fences, more than {allowed}");
    wait_until(|| lock.try_write().is_some());
}

#[test]
fn nobody_writes_while_somebody_reads_by_a_slot() {
    nobody_writes_while_somebody_reads::<RawRwLock>(Duration::ZERO);
}

#[test]
fn nobody_writes_while_somebody_reads_recursively_by_a_slot() {
    nobody_writes_while_somebody_reads::<RawRecursiveRwLock>(Duration::from_micros(300));
}

for_both_rwlocks! {
    reading_begins_it_and_writing_ends_it
    an_upgrade_ends_it
    it_goes_on_after_a_writer_that_gave_up
    a_writer_waits_for_all_slots
}
