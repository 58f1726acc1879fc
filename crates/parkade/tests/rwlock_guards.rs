//! Evidence for the public face of reader-writer locks: what guards can do besides lock and unlock, which
//! of them may cross threads, what a forgotten one leaves, and the sizes that the documentation promises.

mod support;

use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    sync::mpsc,
    thread,
    time::Duration,
};

use parkade::{
    MappedRwLockReadGuard, MappedRwLockWriteGuard, RawRecursiveRwLock, RawRwLock, RecursiveRwLock,
    RecursiveRwLockReadGuard, RwLock, RwLockReadGuard, RwLockUpgradableReadGuard, RwLockWriteGuard,
    prelude::*,
};
use static_assertions::{assert_impl_all, assert_not_impl_any};
use support::{is_biased, make_biased, watched, watched_test, words};

assert_impl_all!(RawRwLock: Send, Sync);
assert_impl_all!(RawRecursiveRwLock: Send, Sync);
assert_impl_all!(RwLock<u8>: Send, Sync, Default, From<u8>, std::fmt::Debug);
assert_impl_all!(RecursiveRwLock<u8>: Send, Sync, Default, From<u8>, std::fmt::Debug);
// Readers share what is protected, so `Send` is not enough.
assert_impl_all!(RwLock<Cell<u8>>: Send);
assert_not_impl_any!(RwLock<Cell<u8>>: Sync);
assert_not_impl_any!(RecursiveRwLock<Cell<u8>>: Sync);
assert_not_impl_any!(RwLock<Rc<u8>>: Send, Sync);
assert_not_impl_any!(RwLock<std::sync::MutexGuard<'static, u8>>: Send, Sync);
assert_not_impl_any!(RwLockReadGuard<'static, Cell<u8>>: Sync, Send);
assert_not_impl_any!(RwLockWriteGuard<'static, Cell<u8>>: Sync);
assert_not_impl_any!(RwLockWriteGuard<'static, Rc<u8>>: Send, Sync);
assert_not_impl_any!(RwLockUpgradableReadGuard<'static, Cell<u8>>: Sync);
assert_not_impl_any!(MappedRwLockReadGuard<'static, Cell<u8>>: Sync);
assert_not_impl_any!(MappedRwLockWriteGuard<'static, Cell<u8>>: Sync);

macro_rules! guards_may {
    ($($guard:ident)+) => {$(
        assert_impl_all!(parkade::$guard<'static, u8>: Sync);
        #[cfg(feature = "send_guard")]
        assert_impl_all!(parkade::$guard<'static, u8>: Send);
        #[cfg(not(feature = "send_guard"))]
        assert_not_impl_any!(parkade::$guard<'static, u8>: Send);
    )+};
}

guards_may! {
    RwLockReadGuard RwLockWriteGuard RwLockUpgradableReadGuard
    MappedRwLockReadGuard MappedRwLockWriteGuard
    RecursiveRwLockReadGuard RecursiveRwLockWriteGuard RecursiveRwLockUpgradableReadGuard
    MappedRecursiveRwLockReadGuard MappedRecursiveRwLockWriteGuard
}

#[test]
fn sizes() {
    assert_eq!((size_of::<RawRwLock>(), align_of::<RawRwLock>()), (8, 4));
    assert_eq!((size_of::<RawRecursiveRwLock>(), align_of::<RawRecursiveRwLock>()), (8, 4));
    assert_eq!(size_of::<RwLock<()>>(), 8);
    assert_eq!(size_of::<RecursiveRwLock<()>>(), 8);
    assert_eq!(size_of::<RwLock<u32>>(), 12);
    let word = size_of::<usize>();
    assert_eq!(size_of::<RwLockReadGuard<'_, u64>>(), 2 * word);
    assert_eq!(size_of::<Option<RwLockReadGuard<'_, u64>>>(), 2 * word);
    assert_eq!(size_of::<RwLockWriteGuard<'_, u64>>(), word);
    assert_eq!(size_of::<RwLockUpgradableReadGuard<'_, u64>>(), word);
}

static IN_A_STATIC: RwLock<u32> = RwLock::new(1);
static RECURSIVE_IN_A_STATIC: RecursiveRwLock<u32> = RecursiveRwLock::new(1);

#[test]
fn made_in_constants() {
    let _watched = watched_test();
    *IN_A_STATIC.write() += 1;
    *RECURSIVE_IN_A_STATIC.write() += 1;
    assert_eq!((*IN_A_STATIC.read(), *RECURSIVE_IN_A_STATIC.read()), (2, 2));
    let shards: [RwLock<Vec<u8>>; 4] = [const { RwLock::new(Vec::new()) }; 4];
    shards[2].write().push(7);
    assert_eq!(shards.map(RwLock::into_inner), [vec![], vec![], vec![7], vec![]]);
}

/// Who can have the lock beside whom.
#[test]
fn modes_exclude_each_other_as_they_should() {
    let _watched = watched_test();
    let lock = RwLock::new(5);
    let can = || {
        // One at a time: guards live to the end of a statement.
        let read = lock.try_read().is_some();
        let upgradable = lock.try_upgradable_read().is_some();
        let write = lock.try_write().is_some();
        let recursive = lock.try_read_recursive().is_some();
        (read, upgradable, write, recursive, lock.is_locked(), lock.is_locked_exclusive())
    };
    let free = (true, true, true, true, false, false);
    let beside_a_reader = (true, true, false, true, true, false);
    let beside_an_upgradable = (true, false, false, true, true, false);
    let beside_a_writer = (false, false, false, false, true, true);
    assert_eq!(can(), free);
    let guard = lock.read();
    assert_eq!(can(), beside_a_reader);
    drop(guard);
    let guard = lock.upgradable_read();
    assert_eq!(can(), beside_an_upgradable);
    let guard = RwLockUpgradableReadGuard::upgrade(guard);
    assert_eq!(can(), beside_a_writer);
    let guard = RwLockWriteGuard::downgrade_to_upgradable(guard);
    assert_eq!(can(), beside_an_upgradable);
    let guard = RwLockUpgradableReadGuard::downgrade(guard);
    assert_eq!(can(), beside_a_reader);
    drop(guard);
    let guard = RwLockWriteGuard::downgrade(lock.write());
    assert_eq!(can(), beside_a_reader);
    assert!(std::ptr::eq(RwLockReadGuard::rwlock(&guard), &lock));
    drop(guard);
    assert_eq!(can(), free);
    if make_biased(&lock) {
        let guard = lock.read();
        assert!(words(&lock).starts_with("0 readers"), "it has a slot: {}", words(&lock));
        assert_eq!(can(), beside_a_reader);
        drop(guard);
        // Tries that failed have not ended the bias.
        assert!(is_biased(&lock));
        assert_eq!(can(), free);
        assert!(!is_biased(&lock));
    }
}

#[test]
fn a_failed_upgrade_gives_the_guard_back() {
    let _watched = watched_test();
    let lock = RwLock::new(5);
    let reading = lock.read();
    let guard = lock.upgradable_read();
    let guard = RwLockUpgradableReadGuard::try_upgrade(guard).expect_err("somebody reads");
    let soon = Duration::from_millis(1);
    let guard = RwLockUpgradableReadGuard::try_upgrade_for(guard, soon).expect_err("as before");
    assert!(lock.try_upgradable_read().is_none());
    assert!(lock.try_read().is_some(), "others may read again");
    drop(reading);
    let mut guard = RwLockUpgradableReadGuard::try_upgrade(guard).expect("nobody reads");
    *guard += 1;
    drop(guard);
    assert_eq!(lock.into_inner(), 6);
}

#[test]
fn unsized_values_and_access_without_locking() {
    let _watched = watched_test();
    let boxed: Box<RwLock<[u8]>> = Box::new(RwLock::new([1, 2, 3]));
    boxed.write().reverse();
    assert_eq!(*boxed.read(), [3, 2, 1]);
    assert_eq!(*boxed.read_recursive(), [3, 2, 1]);
    let mut lock = RwLock::new(String::from("a"));
    lock.get_mut().push('b');
    assert_eq!(lock.into_inner(), "ab");
    assert_eq!((*RwLock::<u8>::default().read(), *RwLock::from(3).read()), (0, 3));
}

#[test]
fn mapped_guards_keep_the_lock() {
    let _watched = watched_test();
    let lock = RwLock::new((1, String::from("x")));
    // Counted first, then by a slot.
    for _ in 0..2 {
        let mapped = RwLockReadGuard::map(lock.read(), |pair| &pair.1);
        assert!(lock.is_locked() && lock.try_write().is_none());
        let mapped = MappedRwLockReadGuard::map(mapped, |text| text.as_str());
        assert_eq!(&*mapped, "x");
        drop(mapped);
        let refused = RwLockReadGuard::try_map(lock.read(), |_| None::<&u8>);
        let guard = refused.expect_err("the closure has refused");
        let Ok(number) = RwLockReadGuard::try_map(guard, |pair| Some(&pair.0)) else {
            panic!("the closure has agreed");
        };
        MappedRwLockReadGuard::unlock_fair(number);
        assert!(!lock.is_locked());
        make_biased(&lock);
    }
    let mapped = RwLockWriteGuard::map(lock.write(), |pair| &mut pair.1);
    let mut mapped = MappedRwLockWriteGuard::map(mapped, |text| text.as_mut_str());
    mapped.make_ascii_uppercase();
    assert!(lock.try_read().is_none());
    drop(mapped);
    assert_eq!((lock.is_locked(), &*lock.read().1), (false, "X"));
}

/// Runs `release` on a held lock; it must let another thread write before it returns.
fn lets_a_writer_through<G>(
    take: impl Fn(&'static RwLock<u32>) -> G,
    release: impl FnOnce(&mut G, mpsc::Receiver<()>),
) {
    let lock: &'static RwLock<u32> = Box::leak(Box::new(RwLock::new(0)));
    let _watched = watched("letting a writer through");
    let (done, wait) = mpsc::channel();
    let mut guard = take(lock);
    let writer = thread::spawn(move || {
        *lock.write() += 1;
        done.send(()).unwrap();
    });
    release(&mut guard, wait);
    drop(guard);
    writer.join().unwrap();
    assert_eq!(words(lock), "0 readers {}, bias 0x0");
    assert_eq!(*lock.read(), 1);
}

/// Until the other thread waits there is nobody to yield to, so one bump need not be enough.
fn until_done<G>(bump: impl Fn(&mut G)) -> impl Fn(&mut G, mpsc::Receiver<()>) {
    move |guard, done| {
        while done.try_recv().is_err() {
            bump(guard);
        }
    }
}

macro_rules! let_a_writer_through {
    ($($test:ident: $take:ident, $guard:ident;)+) => {$(
        #[test]
        fn $test() {
            lets_a_writer_through(RwLock::$take, until_done($guard::bump));
            lets_a_writer_through(RwLock::$take, |guard, done| {
                $guard::unlocked(guard, || done.recv().unwrap());
            });
            lets_a_writer_through(RwLock::$take, |guard, done| {
                $guard::unlocked_fair(guard, || done.recv().unwrap());
            });
        }
    )+};
}

let_a_writer_through! {
    a_reader_that_bumps_or_unlocks_lets_a_writer_through: read, RwLockReadGuard;
    an_upgradable_reader_that_bumps_or_unlocks_lets_a_writer_through:
        upgradable_read, RwLockUpgradableReadGuard;
    a_writer_that_bumps_or_unlocks_lets_a_writer_through: write, RwLockWriteGuard;
}

#[test]
fn a_reader_in_a_slot_that_bumps_lets_a_writer_through() {
    let take = |lock: &'static RwLock<u32>| {
        make_biased(lock);
        lock.read()
    };
    lets_a_writer_through(take, until_done(RwLockReadGuard::bump));
}

#[test]
fn unlocked_locks_again_when_the_closure_panics() {
    let _watched = watched_test();
    let lock = RwLock::new(0);
    for _ in 0..2 {
        let mut guard = lock.read();
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            RwLockReadGuard::unlocked(&mut guard, || {
                assert!(!lock.is_locked());
                panic!("on purpose");
            })
        }));
        assert!(panicked.is_err() && lock.is_locked());
        drop(guard);
        assert!(!lock.is_locked());
        make_biased(&lock);
    }
}

#[test]
fn a_panic_releases_and_does_not_poison() {
    let _watched = watched_test();
    let lock = RwLock::new(0);
    make_biased(&lock);
    let panics = |body: &(dyn Fn() + Sync)| {
        thread::scope(|scope| scope.spawn(body).join()).expect_err("no panic");
    };
    panics(&|| {
        let _reading = lock.read();
        panic!("on purpose");
    });
    panics(&|| {
        *lock.write() += 1;
        let _upgradable = lock.upgradable_read();
        panic!("on purpose");
    });
    panics(&|| {
        let mut writing = lock.write();
        *writing += 1;
        panic!("on purpose");
    });
    assert!(!lock.is_locked());
    assert_eq!(*lock.read(), 2);
}

#[test]
fn debug_output() {
    let lock = RwLock::new(7);
    assert_eq!(format!("{lock:?}"), "RwLock { data: 7 }");
    let guard = lock.read();
    assert_eq!(format!("{lock:?} {guard:?} {guard}"), "RwLock { data: 7 } 7 7");
    drop(guard);
    let guard = lock.write();
    assert_eq!(format!("{lock:?} {guard:?} {guard}"), "RwLock { data: <locked> } 7 7");
}

/// A forgotten guard leaves the lock locked for reading, and what comes to be at its place is another lock.
#[test]
fn forgotten_reads_keep_writers_out_of_this_lock_and_of_no_other() {
    let _watched = watched_test();
    let mut place = RwLock::new(3);
    for by_slot in [false, true] {
        if by_slot {
            make_biased(&place);
        }
        std::mem::forget(place.read());
        assert!(place.is_locked() && !place.is_locked_exclusive());
        assert!(place.try_read().is_some());
        assert!(place.try_write().is_none());
        assert!(place.try_write_for(Duration::from_millis(1)).is_none());
        assert!(place.try_upgradable_read().is_some());
        let before = std::mem::replace(&mut place, RwLock::new(3));
        assert_eq!(before.into_inner(), 3);
        assert!(!place.is_locked());
        assert!(place.try_write().is_some());
        // Also when it is biased in turn.
        make_biased(&place);
        assert!(!place.is_locked());
        *place.write() = 3;
    }
}

#[test]
fn forgotten_reads_by_slots_leave_the_thread_others() {
    let _watched = watched_test();
    let locks: Vec<_> = (0..20).map(RwLock::new).collect();
    // On a thread of its own: its slots are used up. Reads that find none are counted.
    thread::scope(|scope| {
        scope.spawn(|| {
            for lock in &locks {
                make_biased(lock);
                std::mem::forget(lock.read());
            }
        });
    });
    for lock in &locks {
        assert!(lock.try_write().is_none(), "{}", words(lock));
        assert!(lock.try_read().is_some());
    }
}

#[test]
fn a_forgotten_write_guard_leaves_the_lock_taken_and_droppable() {
    let _watched = watched_test();
    let lock = RwLock::new(3);
    std::mem::forget(lock.write());
    assert!(lock.try_read().is_none() && lock.try_write().is_none());
    assert_eq!(lock.into_inner(), 3);
}

/// Deeper than a thread has slots: what is left is counted, and all are readers.
#[test]
fn reads_nest_deeper_than_slots() {
    let _watched = watched_test();
    let lock = RecursiveRwLock::new(1);
    make_biased(&lock);
    let mut guards: Vec<RecursiveRwLockReadGuard<'_, u8>> = (0..30).map(|_| lock.read()).collect();
    while let Some(guard) = guards.pop() {
        assert!(lock.try_write().is_none());
        drop(guard);
    }
    assert!(lock.try_write().is_some());
}

/// Guards by slots are released in any order, and each frees its own.
#[test]
fn slots_are_freed_in_any_order() {
    let _watched = watched_test();
    let locks: Vec<_> = (0..5).map(RwLock::new).collect();
    for lock in &locks {
        make_biased(lock);
    }
    let mut guards: Vec<_> = locks.iter().map(|lock| Some(lock.read())).collect();
    for leaves in [2, 0, 4, 1, 3] {
        assert!(locks[leaves].try_write().is_none());
        guards[leaves] = None;
        for (lock, guard) in locks.iter().zip(&guards) {
            assert_eq!(lock.try_write().is_some(), guard.is_none(), "{leaves}");
        }
    }
}

#[cfg(feature = "send_guard")]
mod sent {
    use super::{support::wait_for_parked, *};

    /// The slot is another thread's, and is freed all the same; a writer that waits for it is woken.
    #[test]
    fn a_read_guard_is_released_by_another_thread() {
        let lock = RwLock::new(0);
        for _ in 0..2 {
            let _watched = watched("a guard that was sent");
            let guard = lock.read();
            thread::scope(|scope| {
                scope.spawn(|| *lock.write() += 1);
                wait_for_parked(&lock, 1);
                scope.spawn(move || drop(guard));
            });
            assert_eq!(words(&lock), "0 readers {}, bias 0x0");
            make_biased(&lock);
        }
        assert_eq!(*lock.read(), 2);
    }

    /// The thread that took the slot is gone, others have come and may have its slots; the guard lives.
    #[test]
    fn a_read_guard_outlives_its_thread() {
        let _watched = watched_test();
        let lock: &'static RwLock<u32> = Box::leak(Box::new(RwLock::new(0)));
        let biased = make_biased(lock);
        let guard = thread::spawn(move || lock.read()).join().unwrap();
        assert_eq!(words(lock).starts_with("0 readers"), biased);
        for _ in 0..100 {
            thread::spawn(move || assert_eq!(*lock.read(), 0)).join().unwrap();
            assert!(lock.try_write().is_none());
        }
        drop(guard);
        assert!(lock.try_write().is_some());
    }

    #[test]
    fn other_guards_are_released_by_another_thread() {
        let _watched = watched_test();
        let lock = RwLock::new(0);
        let (writing, upgradable) = (lock.write(), RwLock::new(0));
        let upgradable = upgradable.upgradable_read();
        thread::scope(|scope| {
            scope.spawn(move || drop((writing, RwLockUpgradableReadGuard::upgrade(upgradable))));
        });
        assert!(!lock.is_locked());
    }
}

#[cfg(feature = "arc_lock")]
mod arc {
    use super::*;
    use parkade::{ArcRwLockReadGuard, ArcRwLockUpgradableReadGuard, ArcRwLockWriteGuard};
    use std::{sync::Arc, time::Instant};

    #[test]
    fn guards_own_the_lock() {
        let _watched = watched_test();
        let lock = Arc::new(RwLock::new(String::from("kept")));
        let weak = Arc::downgrade(&lock);
        let guard: ArcRwLockReadGuard<RawRwLock, String> = lock.read_arc();
        assert!(lock.try_write_arc().is_none() && lock.try_read_arc().is_some());
        assert!(lock.try_write_arc_for(Duration::from_millis(1)).is_none());
        assert!(lock.try_write_arc_until(Instant::now()).is_none());
        drop(lock);
        assert_eq!(*guard, "kept");
        drop(guard);
        assert!(weak.upgrade().is_none());
    }

    #[test]
    fn guards_change_and_release() {
        let _watched = watched_test();
        let lock = Arc::new(RwLock::new(1));
        let guard: ArcRwLockUpgradableReadGuard<RawRwLock, u32> = lock.upgradable_read_arc();
        let mut guard: ArcRwLockWriteGuard<RawRwLock, u32> =
            ArcRwLockUpgradableReadGuard::upgrade(guard);
        ArcRwLockWriteGuard::bump(&mut guard);
        ArcRwLockWriteGuard::unlocked(&mut guard, || assert!(!lock.is_locked()));
        *guard = 2;
        let guard = ArcRwLockWriteGuard::downgrade_to_upgradable(guard);
        let mut guard = ArcRwLockUpgradableReadGuard::downgrade(guard);
        ArcRwLockReadGuard::bump(&mut guard);
        ArcRwLockReadGuard::unlocked_fair(&mut guard, || assert!(!lock.is_locked()));
        ArcRwLockReadGuard::unlock_fair(guard);
        let guard = ArcRwLockWriteGuard::downgrade(lock.write_arc());
        assert!(Arc::ptr_eq(ArcRwLockReadGuard::rwlock(&guard), &lock));
        drop(guard);
        make_biased(&lock);
        let guard = lock.read_arc();
        assert!(lock.try_write().is_none());
        drop(guard);
        assert_eq!(lock.try_write().as_deref(), Some(&2));
        assert_eq!(Arc::strong_count(&lock), 1);
    }
}

#[cfg(feature = "serde")]
#[test]
fn serde_writes_and_reads_the_value() {
    let _watched = watched_test();
    let lock = RwLock::new(vec![1, 2, 3]);
    let text = serde_json::to_string(&lock).unwrap();
    assert_eq!((text.as_str(), lock.is_locked()), ("[1,2,3]", false));
    let read: RecursiveRwLock<Vec<u8>> = serde_json::from_str(&text).unwrap();
    assert_eq!(read.into_inner(), [1, 2, 3]);
}
