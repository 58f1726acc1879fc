//! Evidence that `lock_many` and its relatives do with each kind of lock and set what they promise: all or nothing,
//! duplicates, timeouts, guards. (`many_order.rs` has the order and the exits, `many_stress.rs` threads and chance.)

mod support;

use std::{
    any::Any,
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use parkade::{
    FairMutex, Mutex, RecursiveRwLock, ReentrantMutex, RwLock, RwLockUpgradableReadGuard,
    lock_many,
    many::{
        DuplicateLock, LockManyTimeoutError, LockSet, TryLockManyError, read, upgradable_read,
        write,
    },
    poison, shared, try_lock_many, try_lock_many_for, try_lock_many_until,
};
use static_assertions::assert_impl_all;
#[cfg(not(feature = "send_guard"))]
use static_assertions::assert_not_impl_any;
use support::{CENTURIES, far_future, parked_on, past, wait_for_parked, watched_test};

assert_impl_all!(DuplicateLock: Send, Sync, std::error::Error);
assert_impl_all!(TryLockManyError: Send, Sync, std::error::Error);
assert_impl_all!(LockManyTimeoutError: Send, Sync, std::error::Error);

type Pair<'a> = (&'a Mutex<u32>, parkade::many::Read<'a, RwLock<u32>>);
type Row<'a> = [&'a Mutex<u32>; 3];
#[cfg(not(feature = "send_guard"))]
assert_not_impl_any!(<Pair<'static> as LockSet>::Guards: Send);
#[cfg(not(feature = "send_guard"))]
assert_not_impl_any!(<Row<'static> as LockSet>::Guards: Send);
#[cfg(feature = "send_guard")]
assert_impl_all!(<Pair<'static> as LockSet>::Guards: Send);
assert_impl_all!(<Row<'static> as LockSet>::Guards: Sync);
assert_impl_all!(Pair<'static>: Send, Sync);

const SOON: Duration = Duration::from_millis(2);

/// Of three locks the one in the middle panics.
#[test]
fn a_raw_lock_that_panics_gives_real_locks_back() {
    struct Panicking;
    // SAFETY: it is never locked.
    unsafe impl parkade::lock_api::RawMutex for Panicking {
        const INIT: Panicking = Panicking;
        type Guard = ();
        fn lock(&self) {
            panic!("a lock that panics")
        }
        fn try_lock(&self) -> Option<()> {
            panic!("a lock that panics")
        }
        unsafe fn unlock(&self, (): ()) {}
        fn is_locked(&self) -> bool {
            false
        }
    }
    // SAFETY: as above.
    unsafe impl parkade::lock_api::RawMutexTimed for Panicking {
        type Duration = Duration;
        type Instant = Instant;
        fn try_lock_for(&self, _: Duration) -> Option<()> {
            panic!("a lock that panics")
        }
        fn try_lock_until(&self, _: Instant) -> Option<()> {
            panic!("a lock that panics")
        }
    }

    // Of the two real ones, one is before it and one behind.
    #[repr(C)]
    struct Row(Mutex<u32>, parkade::lock_api::Mutex<Panicking, u8>, RwLock<u32>);
    let Row(before, panicking, behind) =
        &Row(Mutex::new(0), parkade::lock_api::Mutex::new(0), RwLock::new(0));
    let attempts: [&dyn Fn(); 3] = [
        &|| _ = lock_many((write(behind), panicking, before)),
        &|| _ = try_lock_many((before, panicking, read(behind))),
        &|| _ = try_lock_many_for((panicking, before, upgradable_read(behind)), SOON),
    ];
    for attempt in attempts {
        catch_unwind(AssertUnwindSafe(attempt)).unwrap_err();
        assert!(!before.is_locked() && !behind.is_locked());
    }
}

#[test]
fn timeouts_at_the_ends_of_time() {
    let _watched = watched_test();
    let (a, b) = (Mutex::new(1), RwLock::new(2));
    for timeout in CENTURIES.into_iter().chain([Duration::ZERO]) {
        assert!(try_lock_many_for((write(&b), &a), timeout).is_ok());
    }
    for deadline in [past(), far_future()] {
        assert!(try_lock_many_until((write(&b), &a), deadline).is_ok());
    }
    let _held = a.lock();
    for deadline in [past(), Instant::now()] {
        let error = try_lock_many_until((write(&b), &a), deadline).unwrap_err();
        assert_eq!(error, LockManyTimeoutError::TimedOut { position: 1 });
        assert!(!b.is_locked());
    }
}

/// The longest wait ends with the release, not before, whether or not the clock can say when it would end.
#[test]
fn centuries_end_with_the_release() {
    let _watched = watched_test();
    let (a, b) = (Mutex::new(1), RwLock::new(2));
    let (a, b) = (&a, &b);
    let mut waits: Vec<Box<dyn Fn() -> bool + Sync>> =
        vec![Box::new(|| try_lock_many_until((write(b), a), far_future()).is_ok())];
    for timeout in CENTURIES {
        waits.push(Box::new(move || try_lock_many_for((a, read(b)), timeout).is_ok()));
    }
    for wait in &waits {
        let held = b.write();
        thread::scope(|scope| {
            let waiter = scope.spawn(wait);
            wait_for_parked(b, 1);
            drop(held);
            assert!(waiter.join().unwrap());
        });
    }
}

/// Whichever of two is named first, the lower is taken first, and held while the higher is waited for.
#[test]
fn the_lower_is_held_while_the_higher_is_waited_for() {
    let _watched = watched_test();
    let locks = [Mutex::new(0), Mutex::new(0)];
    for set in [[&locks[0], &locks[1]], [&locks[1], &locks[0]]] {
        for (held, other, other_is_taken) in [(1, 0, true), (0, 1, false)] {
            let guard = locks[held].lock();
            thread::scope(|scope| {
                let waiter = scope.spawn(|| {
                    let guards = lock_many(set).unwrap();
                    guards.len()
                });
                wait_for_parked(&locks[held], 1);
                assert_eq!(locks[other].is_locked(), other_is_taken);
                drop(guard);
                assert_eq!(waiter.join().unwrap(), 2);
            });
            assert!(locks.iter().all(|lock| !lock.is_locked()));
        }
    }
}

#[test]
fn what_times_out_leaves_nothing_locked_and_nobody_waiting() {
    let _watched = watched_test();
    struct Row {
        mutex: Mutex<u32>,
        lock: RwLock<u32>,
        fair: FairMutex<u32>,
    }
    let row = Row { mutex: Mutex::new(0), lock: RwLock::new(0), fair: FairMutex::new(0) };
    let Row { mutex, lock, fair } = &row;
    let late = |position| Some(LockManyTimeoutError::TimedOut { position });
    let at_rest = || parked_on(&row).is_empty();

    let held = mutex.lock();
    assert_eq!(try_lock_many_for((mutex, write(lock), fair), SOON).err(), late(0));
    assert!(!lock.is_locked() && !fair.is_locked() && at_rest());
    drop(held);

    let held = lock.read();
    assert_eq!(try_lock_many_for((mutex, write(lock), fair), SOON).err(), late(1));
    assert!(!mutex.is_locked() && !fair.is_locked() && at_rest());
    // Nor is a claim of the writer left.
    drop(try_lock_many((fair, read(lock), mutex)).unwrap());
    drop(held);

    let held = fair.lock();
    let deadline = Instant::now() + SOON;
    assert_eq!(try_lock_many_until((mutex, read(lock), fair), deadline).err(), late(2));
    assert!(Instant::now() >= deadline);
    assert!(!mutex.is_locked() && !lock.is_locked() && at_rest());
    drop(held);

    drop(lock_many((mutex, write(lock), fair)).unwrap());
}

/// Both ways of the set are refused by all four functions, with nothing locked; even while the lock is taken.
#[track_caller]
fn assert_duplicate<S: LockSet>(make: impl Fn() -> S, first: usize, second: usize) {
    let duplicate = DuplicateLock { first, second };
    assert_eq!(lock_many(make()).err(), Some(duplicate));
    assert_eq!(try_lock_many(make()).err(), Some(duplicate.into()));
    assert_eq!(try_lock_many_for(make(), SOON).err(), Some(duplicate.into()));
    assert_eq!(try_lock_many_until(make(), past()).err(), Some(duplicate.into()));
}

#[test]
fn the_same_lock_twice_is_an_error() {
    let _watched = watched_test();
    let (mutex, fair, other) = (Mutex::new(0), FairMutex::new(0), Mutex::new(0));
    let reference = &mutex;
    assert_duplicate(|| (&mutex, &mutex), 0, 1);
    assert_duplicate(|| (&other, &fair, &mutex, &fair), 1, 3);
    assert_duplicate(|| [&mutex, &other, &mutex, &other], 0, 2);
    assert_duplicate(|| vec![&other, &mutex, &mutex, &mutex], 1, 2);
    assert_duplicate(|| (&mutex, &reference), 0, 1);

    let lock = RwLock::new(0);
    assert_duplicate(|| (read(&lock), read(&lock)), 0, 1);
    assert_duplicate(|| (read(&lock), &mutex, write(&lock)), 0, 2);
    assert_duplicate(|| (upgradable_read(&lock), read(&lock)), 0, 1);
    let recursive = RecursiveRwLock::new(0);
    assert_duplicate(|| (read(&recursive), read(&recursive)), 0, 1);
    let reentrant = ReentrantMutex::new(0);
    assert_duplicate(|| (&reentrant, &reentrant), 0, 1);

    let (handle, arc) = (shared::Mutex::new(0), Arc::new(RwLock::new(0)));
    let (same, again) = (handle.clone(), Arc::clone(&arc));
    assert_duplicate(|| (&handle, read(&arc), &same), 0, 2);
    assert_duplicate(|| (read(&arc), write(&*again)), 0, 1);
    let (std_mutex, std_lock) = (poison::Mutex::new(0), poison::RwLock::new(0));
    assert_duplicate(|| (&std_mutex, read(&std_lock), &std_mutex, read(&std_lock)), 0, 2);

    let held = mutex.lock();
    assert_duplicate(|| (&other, &mutex, &mutex), 1, 2);
    assert!(!other.is_locked());
    drop(held);
    assert!(!mutex.is_locked() && !fair.is_locked() && !lock.is_locked());
}

/// Wherever in a lock its value is.
#[test]
fn a_lock_inside_another_is_another() {
    let outer = RecursiveRwLock::new(Mutex::new(1));
    let inner = &*outer.read();
    let (_, guard) = lock_many((read(&outer), inner)).unwrap();
    assert_eq!(*guard, 1);
    let outer = ReentrantMutex::new(RecursiveRwLock::new(FairMutex::new(2)));
    let middle = &*outer.lock();
    let inner = &*middle.read();
    assert_eq!(*lock_many((inner, &outer, read(middle))).unwrap().0, 2);
}

#[test]
fn twelve_of_all_kinds() {
    let _watched = watched_test();
    let (a, b, c) = (Mutex::new(0), FairMutex::new('b'), RwLock::new("c"));
    let (d, e, f) = (RecursiveRwLock::new(3), RwLock::new(4_u8), RwLock::new(vec![5]));
    let (g, h) = (ReentrantMutex::new(Cell::new(6)), Arc::new(Mutex::new(7)));
    let (i, j) = (shared::RwLock::new(8), poison::Mutex::new(9));
    let (k, l) = (poison::RwLock::new(10), shared::RecursiveRwLock::new(11));
    for _ in 0..2 {
        let set = (
            (&a, &b, read(&c), write(&d), upgradable_read(&e), write(&f)),
            (&g, &h, write(&i), &j, read(&k), upgradable_read(&l)),
        );
        let ((a, b, c, d, e, f), (g, h, i, j, k, l)) = set;
        let guards = lock_many((a, b, c, d, e, f, g, h, i, j, k, l)).unwrap();
        let (mut a, b, c, mut d, e, f, g, h, mut i, j, k, l) = guards;
        assert_eq!((*a, *b, *c, *d, *e, &f[..]), (0, 'b', "c", 3, 4, &[5][..]));
        assert_eq!((g.get(), *h, *i, *j.unwrap(), *k.unwrap(), *l), (6, 7, 8, 9, 10, 11));
        (*a, *d, *i) = (0, 3, 8);
        *RwLockUpgradableReadGuard::try_upgrade(e).unwrap() = 4;
    }
    assert!(!a.is_locked() && !c.is_locked() && !e.is_locked() && !i.is_locked());
}

#[test]
fn sets_of_one_and_of_none() {
    let mutex = Mutex::new(1);
    let (guard,) = lock_many((&mutex,)).unwrap();
    assert!(mutex.is_locked());
    drop(guard);
    let [guard] = lock_many([&mutex]).unwrap();
    drop(guard);
    let [] = lock_many([(); 0].map(|()| &mutex)).unwrap();
    assert!(lock_many(Vec::<&Mutex<u8>>::new()).unwrap().is_empty());
    assert!(try_lock_many_for(&[] as &[Mutex<u8>], Duration::ZERO).unwrap().is_empty());
}

#[test]
fn arrays_and_slices_of_locks_and_of_requests() {
    let mutexes = [1, 2, 3].map(Mutex::new);
    let [one, two, three] = lock_many(&mutexes).unwrap();
    assert_eq!([*one, *two, *three], [1, 2, 3]);
    drop((one, two, three));
    let references = [&mutexes[2], &mutexes[0]];
    let values = |guards: &[parkade::MutexGuard<'_, i32>]| -> Vec<i32> {
        guards.iter().map(|guard| **guard).collect()
    };
    assert_eq!(values(&lock_many(&references).unwrap()), [3, 1]);
    assert_eq!(values(&lock_many(references).unwrap()), [3, 1]);
    assert_eq!(values(&lock_many(&references[..]).unwrap()), [3, 1]);
    assert_eq!(values(&lock_many(&mutexes[1..]).unwrap()), [2, 3]);
    assert_eq!(values(&lock_many(&references.to_vec()).unwrap()), [3, 1]);
    assert!(mutexes.iter().all(|mutex| !mutex.is_locked()));

    let locks: Vec<_> = (0..100).map(RwLock::new).collect();
    let requests: Vec<_> = locks.iter().rev().map(read).collect();
    let guards = lock_many(&requests).unwrap();
    assert!(guards.iter().map(|guard| **guard).eq((0..100).rev()));
    // Readers are still let in, and writers are not.
    assert!(try_lock_many(locks.iter().map(read).collect::<Vec<_>>()).is_ok());
    assert!(try_lock_many((write(&locks[50]),)).is_err());
    drop(guards);
    assert!(try_lock_many(locks.iter().map(write).collect::<Vec<_>>()).is_ok());
}

/// Locks of nothing are told apart as well, and so are those whose value has no size known beforehand.
#[test]
fn payloads_without_a_size_or_of_none() {
    let units: [Mutex<()>; 64] = [const { Mutex::new(()) }; 64];
    assert!(lock_many(&units).is_ok());
    let locks: [RwLock<()>; 64] = [const { RwLock::new(()) }; 64];
    assert!(lock_many(locks.each_ref().map(write)).is_ok());
    let fair: [FairMutex<()>; 64] = [const { FairMutex::new(()) }; 64];
    assert!(lock_many(&fair[..]).is_ok());
    assert_duplicate(|| [&units[1], &units[2], &units[1]], 0, 2);

    let (bytes, any) = (Mutex::new([1_u8, 2]), RwLock::new(3_u8));
    let (bytes, any): (&Mutex<[u8]>, &RwLock<dyn Any>) = (&bytes, &any);
    let (bytes, any) = lock_many((bytes, write(any))).unwrap();
    assert_eq!((bytes.len(), any.downcast_ref()), (2, Some(&3_u8)));
}

#[test]
fn poisoned_locks_are_locked_and_say_so() {
    let (good, bad, lock) = (poison::Mutex::new(1), poison::Mutex::new(2), poison::RwLock::new(3));
    let with = |locked: &dyn Any| {
        let _ = locked;
        panic!("poison")
    };
    catch_unwind(AssertUnwindSafe(|| _ = with(&*bad.lock().unwrap()))).unwrap_err();
    catch_unwind(AssertUnwindSafe(|| _ = with(&*lock.write().unwrap()))).unwrap_err();
    for _ in 0..2 {
        let guards = lock_many((&good, &bad, write(&lock))).unwrap();
        assert_eq!(*guards.0.unwrap(), 1);
        assert_eq!(**guards.1.unwrap_err().get_ref(), 2);
        assert_eq!(**guards.2.unwrap_err().get_ref(), 3);
        let guards = try_lock_many((read(&lock), &good, &bad)).unwrap();
        assert!(guards.0.is_err() && guards.1.is_ok() && guards.2.is_err());
        assert!(try_lock_many((&good,)).is_err());
    }
    bad.clear_poison();
    assert!(try_lock_many_for((&bad, &good), SOON).unwrap().0.is_ok());
}

/// A set may hold what the thread has already, where that may be locked again.
#[test]
fn one_level_more() {
    let _watched = watched_test();
    let (reentrant, recursive, other) =
        (ReentrantMutex::new(1), RecursiveRwLock::new(2), Mutex::new(3));
    let held = (reentrant.lock(), recursive.read());
    let (one, two, three) = lock_many((&reentrant, read(&recursive), &other)).unwrap();
    assert_eq!(*one + *two + *three, 6);
    drop((one, two, three));
    thread::scope(|scope| {
        scope.spawn(|| {
            assert!(try_lock_many_for((&other, &reentrant), SOON).is_err());
            assert!(!other.is_locked());
        });
    });
    drop(held);
}

/// A thread that would wait for itself to read panics in debug builds, naming the line that called, with nothing held.
#[cfg(all(debug_assertions, not(feature = "send_guard")))]
#[test]
fn waiting_for_oneself_to_read_is_reported_where_it_was_called() {
    let _watched = watched_test();
    let (lock, other) = (RwLock::new(0), Mutex::new(0));
    let _writing = lock.write();
    let mut line = 0;
    let attempts: [&mut dyn FnMut(&mut u32); 3] = [
        &mut |line| {
            *line = line!() + 1;
            drop(lock_many((&other, read(&lock))));
        },
        &mut |line| {
            *line = line!() + 1;
            drop(lock_many([read(&lock)]));
        },
        &mut |line| {
            *line = line!() + 1;
            drop(lock_many(vec![read(&lock)]));
        },
    ];
    for attempt in attempts {
        let panic = catch_unwind(AssertUnwindSafe(|| attempt(&mut line))).unwrap_err();
        let message = panic.downcast::<String>().unwrap();
        let start = format!("deadlock: read() at {}:{line}:", file!());
        assert!(message.starts_with(&start), "{message}, not {line}");
        assert!(!other.is_locked());
    }
    assert!(try_lock_many((&other, read(&lock))).is_err());
}
