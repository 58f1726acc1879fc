//! What every version of parking_lot does. `crate::lot` is ours in one test binary and the original in
//! another, which shows that no more is asked of ours than the original does.

use crate::lot::{
    FairMutex, MappedMutexGuard, MappedRwLockReadGuard, MappedRwLockWriteGuard, Mutex, MutexGuard,
    RawMutex, RawRwLock, ReentrantMutex, ReentrantMutexGuard, RwLock, RwLockReadGuard,
    RwLockUpgradableReadGuard, RwLockWriteGuard,
    lock_api::{self, RawMutex as _},
};
use std::{
    cell::{Cell, RefCell},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

/// A deadline that has passed, or will before anybody lets go.
const SOON: Duration = Duration::from_millis(2);

const THREADS: usize = 4;
const TIMES: usize = 5_000;

#[test]
fn mutexes_exclude() {
    let (barging, fair) = (Mutex::new(0), FairMutex::new(0));
    let reentrant = ReentrantMutex::new(Cell::new(0));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..TIMES {
                    *barging.lock() += 1;
                    *fair.lock() += 1;
                    let outer = reentrant.lock();
                    let inner = reentrant.lock();
                    inner.set(outer.get() + 1);
                }
            });
        }
    });
    let counts = (barging.into_inner(), fair.into_inner(), reentrant.into_inner().into_inner());
    assert_eq!(counts, (THREADS * TIMES, THREADS * TIMES, THREADS * TIMES));
}

#[test]
fn a_mutex_that_is_held_is_not_had_by_trying() {
    let mut mutex = Mutex::new(1);
    let held = mutex.lock();
    assert!(mutex.is_locked());
    thread::scope(|scope| {
        scope.spawn(|| {
            assert!(mutex.try_lock().is_none());
            assert!(mutex.try_lock_for(SOON).is_none());
            assert!(mutex.try_lock_until(Instant::now() + SOON).is_none());
        });
    });
    drop(held);
    assert!(!mutex.is_locked());
    assert_eq!(mutex.try_lock_for(Duration::ZERO).map(|value| *value), Some(1));
    *mutex.get_mut() = 2;
    assert_eq!(mutex.try_lock_until(Instant::now()).map(|value| *value), Some(2));
}

#[test]
fn a_mutex_guard_can_be_narrowed_and_passed_by() {
    let mutex = Mutex::new((1, "two"));
    let mut guard = mutex.lock();
    MutexGuard::bump(&mut guard);
    MutexGuard::unlocked(&mut guard, || mutex.lock().0 = 3);
    let guard: MappedMutexGuard<'_, i32> = MutexGuard::map(guard, |pair| &mut pair.0);
    let guard = MappedMutexGuard::try_map(guard, |_| None::<&mut i32>).expect_err("there is none");
    assert_eq!(*guard, 3);
    MappedMutexGuard::unlock_fair(guard);
    MutexGuard::unlock_fair(mutex.lock());
    MutexGuard::leak(mutex.lock()).1 = "four";
    assert!(mutex.is_locked(), "a leaked guard keeps it");
    assert_eq!(mutex.into_inner().1, "four");
}

#[test]
fn a_panic_unlocks_and_does_not_poison() {
    let (mutex, rwlock) = (Mutex::new(1), RwLock::new(2));
    let panics = AssertUnwindSafe(|| {
        let _held = (mutex.lock(), rwlock.write());
        panic!("on purpose");
    });
    catch_unwind(panics).unwrap_err();
    assert_eq!((*mutex.lock(), *rwlock.read()), (1, 2));
}

#[test]
fn what_is_printed() {
    let mutex = Mutex::new(1);
    let rwlock = RwLock::new(2);
    assert_eq!(format!("{mutex:?} {rwlock:?}"), "Mutex { data: 1 } RwLock { data: 2 }");
    let held = (mutex.lock(), rwlock.write());
    assert_eq!(
        format!("{mutex:?} {rwlock:?}"),
        "Mutex { data: <locked> } RwLock { data: <locked> }"
    );
    assert_eq!(format!("{} {}", held.0, held.1), "1 2");
    assert_eq!(format!("{:?}", Mutex::from("three")), "Mutex { data: \"three\" }");
    assert_eq!(*RwLock::<u8>::default().read(), 0);
}

#[test]
fn readers_share_and_writers_do_not() {
    let rwlock = RwLock::new([0; 2]);
    let together = Barrier::new(THREADS);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let reading = rwlock.read();
                together.wait();
                drop(reading);
                for time in 0..TIMES {
                    if time % 4 == 0 {
                        let mut pair = rwlock.write();
                        pair[0] += 1;
                        pair[1] = pair[0];
                    } else {
                        let pair = rwlock.read();
                        assert_eq!(pair[0], pair[1]);
                    }
                }
            });
        }
    });
    assert_eq!(rwlock.into_inner(), [THREADS * TIMES / 4; 2]);
}

/// What others get while the caller holds `rwlock`: whether they may read, read upgradably, write.
fn others_may(rwlock: &RwLock<i32>) -> (bool, bool, bool) {
    /// Whether there is a guard, which is dropped before the next is asked for.
    fn had<G>(guard: Option<G>) -> bool {
        guard.is_some()
    }
    let tries = || {
        let read = had(rwlock.try_read());
        let upgradable = had(rwlock.try_upgradable_read());
        let write = had(rwlock.try_write());
        assert_eq!(had(rwlock.try_read_for(SOON)), read);
        assert_eq!(had(rwlock.try_upgradable_read_for(SOON)), upgradable);
        assert_eq!(had(rwlock.try_write_for(SOON)), write);
        let until = || Instant::now() + SOON;
        assert_eq!(had(rwlock.try_read_until(until())), read);
        assert_eq!(had(rwlock.try_upgradable_read_until(until())), upgradable);
        assert_eq!(had(rwlock.try_write_until(until())), write);
        (read, upgradable, write)
    };
    thread::scope(|scope| scope.spawn(tries).join().unwrap())
}

#[test]
fn every_mode_excludes_what_it_should_and_turns_into_the_others() {
    let rwlock = RwLock::new(1);
    assert_eq!(others_may(&rwlock), (true, true, true));
    assert!(!rwlock.is_locked());

    let mut writing = rwlock.write();
    assert!(rwlock.is_locked_exclusive());
    assert_eq!(others_may(&rwlock), (false, false, false));
    RwLockWriteGuard::bump(&mut writing);
    let upgradable = RwLockWriteGuard::downgrade_to_upgradable(writing);
    assert!(rwlock.is_locked() && !rwlock.is_locked_exclusive());
    assert_eq!(others_may(&rwlock), (true, false, false));
    let reading = RwLockUpgradableReadGuard::downgrade(upgradable);
    assert_eq!(others_may(&rwlock), (true, true, false));

    let upgradable = rwlock.upgradable_read();
    let upgradable = RwLockUpgradableReadGuard::try_upgrade(upgradable).expect_err("one reads");
    let until = Instant::now() + SOON;
    let upgradable = RwLockUpgradableReadGuard::try_upgrade_until(upgradable, until);
    let upgradable = upgradable.expect_err("one reads");
    let upgradable = RwLockUpgradableReadGuard::try_upgrade_for(upgradable, SOON);
    let mut upgradable = upgradable.expect_err("one reads");
    drop(reading);
    RwLockUpgradableReadGuard::bump(&mut upgradable);
    upgradable.with_upgraded(|value| *value += 1);
    let mut writing = RwLockUpgradableReadGuard::upgrade(upgradable);
    *writing += 1;
    assert_eq!(others_may(&rwlock), (false, false, false));
    let mut reading = RwLockWriteGuard::downgrade(writing);
    assert_eq!(others_may(&rwlock), (true, true, false));
    RwLockReadGuard::bump(&mut reading);
    RwLockReadGuard::unlock_fair(reading);
    RwLockUpgradableReadGuard::unlock_fair(rwlock.upgradable_read());
    RwLockWriteGuard::unlock_fair(rwlock.write());
    assert_eq!(others_may(&rwlock), (true, true, true));
    assert_eq!(rwlock.into_inner(), 3);
}

#[test]
fn upgraders_exclude_each_other() {
    let rwlock = RwLock::new(0);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..TIMES / 4 {
                    let reading = rwlock.upgradable_read();
                    let seen = *reading;
                    let mut writing = RwLockUpgradableReadGuard::upgrade(reading);
                    assert_eq!(*writing, seen, "written between reading and upgrading");
                    *writing += 1;
                    drop(writing);
                    drop(rwlock.read());
                }
            });
        }
    });
    assert_eq!(rwlock.into_inner(), THREADS * (TIMES / 4));
}

#[test]
fn a_reader_or_writer_guard_can_be_narrowed_and_passed_by() {
    let rwlock = RwLock::new((1, 2));
    let mut reading = rwlock.read();
    RwLockReadGuard::unlocked(&mut reading, || rwlock.write().0 = 3);
    let reading: MappedRwLockReadGuard<'_, i32> = RwLockReadGuard::map(reading, |pair| &pair.0);
    assert_eq!(*reading, 3);
    drop(reading);
    let mut writing = rwlock.write();
    RwLockWriteGuard::unlocked(&mut writing, || assert_eq!(rwlock.read().1, 2));
    let mut writing: MappedRwLockWriteGuard<'_, i32> =
        RwLockWriteGuard::map(writing, |pair| &mut pair.1);
    *writing = 4;
    drop(writing);
    assert_eq!(*rwlock.read(), (3, 4));
}

#[test]
fn a_reentrant_mutex_belongs_to_its_thread() {
    let reentrant = ReentrantMutex::new(RefCell::new(1));
    let outer = reentrant.lock();
    let inner = reentrant.try_lock().expect("it is ours");
    *inner.borrow_mut() += 1;
    assert!(reentrant.is_owned_by_current_thread());
    thread::scope(|scope| {
        scope.spawn(|| {
            assert!(!reentrant.is_owned_by_current_thread());
            assert!(reentrant.try_lock().is_none());
            assert!(reentrant.try_lock_for(SOON).is_none());
        });
    });
    drop(inner);
    assert!(reentrant.is_locked());
    ReentrantMutexGuard::unlock_fair(outer);
    assert!(!reentrant.is_locked());
}

#[test]
fn raw_locks_can_be_used_bare() {
    // In 0.13 the raw lock has a parameter with a default, which counts only where a type is expected.
    let (mutex, rwlock) = (RawMutex::INIT, <RawRwLock as lock_api::RawRwLock>::INIT);
    let (mutex, rwlock) =
        (lock_api::Mutex::from_raw(mutex, 1), lock_api::RwLock::from_raw(rwlock, 2));
    assert_eq!((*mutex.lock(), *rwlock.read()), (1, 2));
}

#[cfg(feature = "arc_lock")]
#[test]
fn guards_can_own_their_lock() {
    use crate::lot::{
        ArcMutexGuard, ArcReentrantMutexGuard, ArcRwLockReadGuard, ArcRwLockUpgradableReadGuard,
        ArcRwLockWriteGuard, RawThreadId,
    };
    use std::sync::Arc;

    let mutex = Arc::new(Mutex::new(1));
    let guard: ArcMutexGuard<RawMutex, i32> = mutex.lock_arc();
    assert_eq!((*guard, Arc::strong_count(&mutex)), (1, 2));
    drop(guard);
    assert!(mutex.try_lock_arc().is_some());

    let reentrant = Arc::new(ReentrantMutex::new(2));
    let guard: ArcReentrantMutexGuard<RawMutex, RawThreadId, i32> = reentrant.lock_arc();
    assert_eq!((*guard, *reentrant.lock()), (2, 2));

    let rwlock = Arc::new(RwLock::new(3));
    let reading: ArcRwLockReadGuard<RawRwLock, i32> = rwlock.read_arc();
    assert!(rwlock.try_write_arc().is_none());
    drop(reading);
    let upgradable: ArcRwLockUpgradableReadGuard<RawRwLock, i32> = rwlock.upgradable_read_arc();
    let mut writing: ArcRwLockWriteGuard<RawRwLock, i32> =
        ArcRwLockUpgradableReadGuard::upgrade(upgradable);
    *writing += 1;
    drop(writing);
    assert_eq!(*rwlock.read(), 4);
}

#[cfg(feature = "serde")]
#[test]
fn locks_are_written_as_what_they_protect() {
    let text = serde_json::to_string(&(Mutex::new(1), RwLock::new([2]), FairMutex::new("3")));
    let text = text.unwrap();
    assert_eq!(text, "[1,[2],\"3\"]");
    let (mutex, rwlock, fair): (Mutex<i32>, RwLock<[i32; 1]>, FairMutex<String>) =
        serde_json::from_str(&text).unwrap();
    assert_eq!((*mutex.lock(), *rwlock.read(), fair.lock().as_str()), (1, [2], "3"));
}
