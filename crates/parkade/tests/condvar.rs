//! Evidence for what a condition variable promises: who is notified, in what order, what a timeout is, what
//! happens to those who are moved to the queue of their lock; with every lock it works with.

mod support;

use std::{
    ops::Deref,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        atomic::{
            AtomicBool, AtomicU64, AtomicUsize,
            Ordering::{Acquire, Relaxed, Release, SeqCst},
        },
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use parkade::{
    Condvar, FairMutex, FairMutexGuard, Mutex, MutexGuard, RawCondvar, RecursiveRwLock,
    RecursiveRwLockReadGuard, RecursiveRwLockUpgradableReadGuard, RecursiveRwLockWriteGuard,
    RwLock, RwLockReadGuard, RwLockUpgradableReadGuard, RwLockWriteGuard, WaitGuard,
    WaitTimeoutResult, lock_api,
};
use static_assertions::assert_impl_all;
use support::{
    CENTURIES, SHORT, far_future, make_biased, parked_on, past, wait_for_parked, wait_until,
    watched_test,
};

assert_impl_all!(Condvar: Send, Sync, Default, std::fmt::Debug, std::panic::RefUnwindSafe, Unpin);
assert_impl_all!(RawCondvar: Send, Sync, std::fmt::Debug);
assert_impl_all!(WaitTimeoutResult: Send, Sync, Copy, Eq, std::fmt::Debug);

#[test]
fn size() {
    assert_eq!((size_of::<Condvar>(), align_of::<Condvar>()), (1, 1));
    assert_eq!(size_of::<lock_api::Condvar<RawCondvar>>(), 1);
}

/// A lock, and one way to hold it.
trait Place: Default + Sync {
    type Guard<'a>: WaitGuard + Deref<Target = AtomicU64>
    where
        Self: 'a;

    fn hold(&self) -> Self::Guard<'_>;
}

macro_rules! places {
    ($($place:ident: $lock:ident, $hold:ident, $guard:ident;)+) => {$(
        #[derive(Default)]
        struct $place($lock<AtomicU64>);

        impl Place for $place {
            type Guard<'a> = $guard<'a, AtomicU64>;

            fn hold(&self) -> Self::Guard<'_> {
                self.0.$hold()
            }
        }
    )+};
}

places! {
    Locking: Mutex, lock, MutexGuard;
    LockingFair: FairMutex, lock, FairMutexGuard;
    Writing: RwLock, write, RwLockWriteGuard;
    Reading: RwLock, read, RwLockReadGuard;
    ReadingUpgradably: RwLock, upgradable_read, RwLockUpgradableReadGuard;
    WritingRecursive: RecursiveRwLock, write, RecursiveRwLockWriteGuard;
    ReadingRecursive: RecursiveRwLock, read, RecursiveRwLockReadGuard;
    ReadingRecursiveUpgradably: RecursiveRwLock, upgradable_read, RecursiveRwLockUpgradableReadGuard;
}

macro_rules! for_all_places {
    (@one $module:ident $place:ident $($case:ident)+) => {
        mod $module {
            $(#[test] fn $case() { super::$case::<super::$place>(); })+
        }
    };
    ($($case:ident)+) => {
        for_all_places!(@one mutex Locking $($case)+);
        for_all_places!(@one fair_mutex LockingFair $($case)+);
        for_all_places!(@one write Writing $($case)+);
        for_all_places!(@one read Reading $($case)+);
        for_all_places!(@one upgradable_read ReadingUpgradably $($case)+);
        for_all_places!(@one recursive_write WritingRecursive $($case)+);
        for_all_places!(@one recursive_read ReadingRecursive $($case)+);
        for_all_places!(@one recursive_upgradable_read ReadingRecursiveUpgradably $($case)+);
    };
}

for_all_places! {
    first_in_first_out
    all_are_counted
    a_wait_ends_only_when_notified
    a_timeout_never_comes_early
    centuries_end_with_a_notification
    the_lock_is_free_while_a_thread_waits
    a_deadline_counts_no_longer_once_notified
}

/// Starts a thread that waits once and then does `then`; returns once it waits.
fn waiter<'scope, P: Place>(
    scope: &'scope thread::Scope<'scope, '_>,
    place: &'scope P,
    condvar: &'scope Condvar,
    then: impl FnOnce(&P::Guard<'scope>) + Send + 'scope,
) -> thread::ScopedJoinHandle<'scope, ()> {
    let before = parked_on(condvar).len();
    let waiter = scope.spawn(move || {
        let mut guard = place.hold();
        condvar.wait(&mut guard);
        then(&guard);
    });
    wait_for_parked(condvar, before + 1);
    waiter
}

fn first_in_first_out<P: Place>() {
    let _watched = watched_test();
    let (place, condvar) = (P::default(), Condvar::new());
    assert!(!condvar.notify_one());
    thread::scope(|scope| {
        let waiters: Vec<_> = (0..4_u64)
            .map(|turn| {
                waiter(scope, &place, &condvar, move |value| {
                    assert_eq!(value.fetch_add(1, Relaxed), turn, "out of turn");
                })
            })
            .collect();
        for waiter in waiters {
            assert!(condvar.notify_one());
            waiter.join().unwrap();
        }
        assert!(!condvar.notify_one());
        assert_eq!(place.hold().load(Relaxed), 4);
    });
}

fn all_are_counted<P: Place>() {
    let _watched = watched_test();
    let (place, condvar) = (P::default(), Condvar::new());
    assert_eq!(condvar.notify_all(), 0);
    thread::scope(|scope| {
        for held in [false, true] {
            let waiters: Vec<_> = (0..5).map(|_| waiter(scope, &place, &condvar, |_| {})).collect();
            assert!(condvar.notify_one());
            let guard = held.then(|| place.hold());
            assert_eq!(condvar.notify_all(), 4);
            assert_eq!(condvar.notify_all(), 0);
            drop(guard);
            waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
        }
    });
    assert!(parked_on(&place).is_empty() && parked_on(&condvar).is_empty());
}

/// "No spurious wakeups" was doubted: Amanieu/parking_lot#152, #318. The parker is woken from elsewhere here, and other
/// threads use the lock and a condition variable beside.
fn a_wait_ends_only_when_notified<P: Place>() {
    let _watched = watched_test();
    let (place, condvars) = (P::default(), [const { Condvar::new() }; 2]);
    let notified = AtomicBool::new(false);
    thread::scope(|scope| {
        let waiting = waiter(scope, &place, &condvars[0], |_| assert!(notified.load(SeqCst)));
        waiting.thread().unpark();
        for _ in 0..100 {
            let beside = waiter(scope, &place, &condvars[1], |_| {});
            assert_eq!(condvars[1].notify_all(), 1);
            beside.join().unwrap();
            let mut guard = place.hold();
            condvars[1].wait_for(&mut guard, Duration::ZERO);
        }
        notified.store(true, SeqCst);
        assert!(condvars[0].notify_one());
    });
}

fn a_timeout_never_comes_early<P: Place>() {
    let (place, condvar) = (P::default(), Condvar::new());
    let mut guard = place.hold();
    for timeout in SHORT {
        let start = Instant::now();
        assert!(condvar.wait_for(&mut guard, timeout).timed_out());
        assert!(start.elapsed() >= timeout, "asked to wait {timeout:?}");
        let deadline = Instant::now() + timeout;
        assert!(condvar.wait_until(&mut guard, deadline).timed_out());
        assert!(Instant::now() >= deadline);
    }
    assert!(condvar.wait_until(&mut guard, past()).timed_out());
    assert!(!condvar.notify_one(), "those who gave up have left no trace");
}

fn centuries_end_with_a_notification<P: Place>() {
    let _watched = watched_test();
    let (place, condvar) = (P::default(), Condvar::new());
    thread::scope(|scope| {
        let waits = scope.spawn(|| {
            let mut guard = place.hold();
            for timeout in CENTURIES {
                assert!(!condvar.wait_for(&mut guard, timeout).timed_out(), "{timeout:?}");
            }
            assert!(!condvar.wait_until(&mut guard, far_future()).timed_out());
        });
        for _ in 0..=CENTURIES.len() {
            wait_for_parked(&condvar, 1);
            assert!(condvar.notify_one());
        }
        waits.join().unwrap();
    });
}

fn the_lock_is_free_while_a_thread_waits<P: Place>() {
    let _watched = watched_test();
    let (place, condvar) = (P::default(), Condvar::new());
    thread::scope(|scope| {
        let waiting = waiter(scope, &place, &condvar, |value| assert_eq!(value.load(Relaxed), 7));
        place.hold().store(7, Relaxed);
        condvar.notify_one();
        waiting.join().unwrap();
    });
}

/// A thread that was notified waits for the lock, not for the time: its deadline passes while somebody has the lock.
fn a_deadline_counts_no_longer_once_notified<P: Place>() {
    let _watched = watched_test();
    let (place, condvar) = (P::default(), Condvar::new());
    let deadline = Instant::now() + Duration::from_millis(300);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let mut guard = place.hold();
            condvar.wait_until(&mut guard, deadline).timed_out()
        });
        wait_until(|| parked_on(&condvar).len() == 1 || Instant::now() >= deadline);
        let guard = place.hold();
        let notified = condvar.notify_all();
        // Long enough for it to see that its time is up, if it looks.
        wait_until(|| Instant::now() > deadline + Duration::from_millis(50));
        drop(guard);
        // On a machine that was busy elsewhere for so long it may be zero; the two agree in any case.
        assert_eq!(waiting.join().unwrap(), notified == 0);
    });
}

/// Notified with the lock held, threads sleep on, in the queue of their lock and in their order; with it free, one wakes:
/// rust-lang/rust#133615, #98707 ask for it.
fn are_moved_to_the_queue_of_the_lock<P: Place>() {
    let _watched = watched_test();
    let (place, condvar) = (P::default(), Condvar::new());
    let order = std::sync::Mutex::new(Vec::new());
    thread::scope(|scope| {
        let (order, place, condvar) = (&order, &place, &condvar);
        let waiters: Vec<_> = (0..6)
            .map(|id| waiter(scope, place, condvar, move |_| order.lock().unwrap().push(id)))
            .collect();
        let queued: Vec<_> = parked_on(condvar).iter().map(|parked| parked.thread).collect();
        let guard = place.hold();
        assert!(condvar.notify_one());
        assert_eq!(parked_on(place).len(), 1);
        assert_eq!(condvar.notify_all(), 5);
        assert!(parked_on(condvar).is_empty());
        let moved: Vec<_> = parked_on(place).iter().map(|parked| parked.thread).collect();
        assert_eq!(moved, queued, "the queue of the lock");
        drop(guard);
        waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
        assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3, 4, 5]);
    });
    assert!(parked_on(&place).is_empty());
}

#[test]
fn are_moved_to_the_queue_of_a_mutex() {
    are_moved_to_the_queue_of_the_lock::<Locking>();
}

#[test]
fn are_moved_to_the_queue_of_a_fair_mutex() {
    are_moved_to_the_queue_of_the_lock::<LockingFair>();
}

/// A free fair mutex goes to the first who is notified, whoever else comes.
#[test]
fn a_free_fair_mutex_goes_to_the_first_notified() {
    let _watched = watched_test();
    let (place, condvar) = (LockingFair::default(), Condvar::new());
    thread::scope(|scope| {
        for round in 0..100 {
            let waiting = waiter(scope, &place, &condvar, move |value| value.store(round, Relaxed));
            assert!(condvar.notify_one());
            assert_eq!(place.hold().load(Relaxed), round);
            waiting.join().unwrap();
        }
    });
}

/// `parking_lot` panics here.
#[test]
fn works_with_several_locks_at_once() {
    let _watched = watched_test();
    let condvar = Condvar::new();
    let (one, other, fair, rw) =
        (Locking::default(), Locking::default(), LockingFair::default(), Writing::default());
    thread::scope(|scope| {
        let waiting = || {
            [
                waiter(scope, &one, &condvar, |_| {}),
                waiter(scope, &other, &condvar, |_| {}),
                waiter(scope, &one, &condvar, |_| {}),
                waiter(scope, &rw, &condvar, |_| {}),
                waiter(scope, &fair, &condvar, |_| {}),
                waiter(scope, &fair, &condvar, |_| {}),
            ]
        };
        let waiters = waiting();
        let guards = (one.hold(), other.hold(), fair.hold(), rw.hold());
        assert_eq!(condvar.notify_all(), 6);
        drop(guards);
        waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
        for waiter in waiting() {
            assert!(condvar.notify_one());
            waiter.join().unwrap();
        }
        assert!(!condvar.notify_one());
    });
}

/// Freed by whoever is woken last, while the notifier may still be in its call.
#[test]
fn is_not_touched_once_all_are_notified() {
    let _watched = watched_test();
    const UNTOUCHED: u8 = 0xA5;
    for round in 0..2_000 {
        // It lives in bytes that outlive it, so that a late write would be seen.
        let memory =
            AtomicU64::new(0).into_inner().to_ne_bytes().map(std::sync::atomic::AtomicU8::new);
        // SAFETY: a condition variable is one byte, of interior mutability, and zero is "nobody waits".
        let condvar: &Condvar = unsafe { &*memory.as_ptr().cast() };
        let lock = &Mutex::new(0);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut guard = lock.lock();
                condvar.wait_while(&mut guard, |ready| *ready == 0);
                memory[0].store(UNTOUCHED, Relaxed);
            });
            wait_for_parked(condvar, 1);
            let mut guard = lock.lock();
            *guard = 1;
            match round % 2 {
                0 => {
                    drop(guard);
                    condvar.notify_one();
                }
                _ => {
                    condvar.notify_all();
                }
            }
        });
        assert_eq!(memory[0].load(Relaxed), UNTOUCHED);
    }
}

#[test]
fn conditions_see_the_value() {
    let _watched = watched_test();
    let changed = Condvar::new();
    let (mutex, rw) = (Mutex::new(0), RwLock::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut guard = mutex.lock();
            // The condition may change it.
            changed.wait_while(&mut guard, |value| {
                let again = *value < 3;
                *value += 10;
                again
            });
            assert_eq!(*guard, 20);
        });
        wait_for_parked(&changed, 1);
        assert_eq!(*mutex.lock(), 10);
        changed.notify_one();
    });
    thread::scope(|scope| {
        scope.spawn(|| changed.wait_while(&mut rw.read(), |value| *value == 0));
        scope.spawn(|| changed.wait_while(&mut rw.write(), |value| *value == 0));
        scope.spawn(|| changed.wait_while(&mut rw.upgradable_read(), |value| *value == 0));
        wait_for_parked(&changed, 3);
        *rw.write() = 1;
        assert_eq!(changed.notify_all(), 3);
    });
}

/// `parking_lot` 0.12 said "timed out" of a condition that no longer held.
#[test]
fn a_condition_is_looked_at_once_more_when_the_time_is_up() {
    let changed = Condvar::new();
    let lock = Mutex::new(0);
    let mut guard = lock.lock();
    let mut looks = 0;
    let ended = changed.wait_while_for(
        &mut guard,
        |_| {
            looks += 1;
            looks < 2
        },
        Duration::from_millis(1),
    );
    assert!(!ended.timed_out());
    assert_eq!(looks, 2);
    assert!(changed.wait_while_until(&mut guard, |_| true, past()).timed_out());
    assert!(!changed.wait_while_until(&mut guard, |_| false, past()).timed_out());
    assert_eq!(
        format!("{ended:?} {changed:?}"),
        "WaitTimeoutResult(false) Condvar { raw: RawCondvar(Nobody) }"
    );
}

#[test]
fn a_condition_that_panics_leaves_the_lock_held_by_its_guard() {
    let changed = Condvar::new();
    let lock = RwLock::new(5);
    let mut guard = lock.read();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let mut looks = 0;
        changed.wait_while_for(
            &mut guard,
            |_| {
                looks += 1;
                assert!(looks < 2, "on purpose");
                true
            },
            Duration::from_micros(1),
        );
    }));
    assert!(panicked.is_err());
    assert_eq!(*guard, 5);
    assert!(lock.is_locked() && lock.try_write().is_none());
    drop(guard);
    assert!(!lock.is_locked());
    assert_eq!(changed.notify_all(), 0);
}

/// A reader's guard knows how it reads; after a wait it may be otherwise.
#[test]
fn a_reader_in_a_slot_waits_and_reads_again() {
    let _watched = watched_test();
    let (lock, changed) = (RwLock::new(0), Condvar::new());
    make_biased(&lock);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut guard = lock.read();
            changed.wait_while(&mut guard, |value| *value == 0);
            assert!(lock.try_write().is_none());
            *guard
        });
        wait_for_parked(&changed, 1);
        *lock.try_write().expect("a reader that waits does not read") = 3;
        changed.notify_one();
        assert_eq!(reader.join().unwrap(), 3);
    });
    assert!(!lock.is_locked());
    assert!(lock.try_write().is_some());
}

/// As `lock_api` 0.5 and `parking_lot` 0.13 know it.
#[test]
fn is_a_lock_api_condvar_too() {
    let _watched = watched_test();
    let (lock, changed) = (Mutex::new(false), lock_api::Condvar::<RawCondvar>::new());
    thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let mut guard = lock.lock();
            changed.wait_while(&mut guard, |ready| !*ready);
            changed.wait_for(&mut guard, Duration::from_millis(1)).timed_out()
        });
        wait_for_parked(&changed, 1);
        *lock.lock() = true;
        assert!(changed.notify_one());
        assert!(waiting.join().unwrap());
        assert_eq!(changed.notify_all(), 0);
    });
}

/// One that is notified and gives up nevertheless would take a wake along: litebox#809, embassy#6964, tokio#1902. The
/// counts of both sides agree, and nobody is left.
#[test]
fn a_waiter_that_times_out_takes_no_notification_along() {
    let _watched = watched_test();
    let (lock, changed) = (Mutex::new(()), Condvar::new());
    let (notified, given) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for waiter in 0..4_u64 {
            let (lock, changed, notified, stop) = (&lock, &changed, &notified, &stop);
            scope.spawn(move || {
                let mut guard = lock.lock();
                for round in 0.. {
                    if stop.load(Acquire) {
                        break;
                    }
                    let timeout = Duration::from_nanos((round * 7919 + waiter * 104_729) % 100_000);
                    if !changed.wait_for(&mut guard, timeout).timed_out() {
                        notified.fetch_add(1, Relaxed);
                    }
                }
            });
        }
        for round in 0..20_000 {
            match round % 3 {
                0 => given.fetch_add(usize::from(changed.notify_one()), Relaxed),
                1 => given.fetch_add(changed.notify_all(), Relaxed),
                _ => {
                    let _guard = lock.lock();
                    given.fetch_add(usize::from(changed.notify_one()), Relaxed)
                }
            };
        }
        stop.store(true, Release);
    });
    assert_eq!(notified.into_inner(), given.into_inner());
}

#[test]
fn a_notification_is_not_remembered() {
    let (lock, changed) = (Mutex::new(()), Condvar::new());
    assert!(!changed.notify_one());
    assert!(changed.wait_for(&mut lock.lock(), Duration::from_millis(5)).timed_out());
}

#[test]
fn neighbours_in_memory_do_not_disturb_each_other() {
    let _watched = watched_test();
    let (lock, sides) = (Mutex::new(()), [const { Condvar::new() }; 2]);
    let (done, ended) = mpsc::channel();
    thread::scope(|scope| {
        for (index, side) in sides.iter().enumerate() {
            let (lock, done) = (&lock, done.clone());
            scope.spawn(move || {
                side.wait(&mut lock.lock());
                done.send(index).unwrap();
            });
            wait_for_parked(side, 1);
        }
        for index in [1, 0] {
            assert_eq!(sides[index].notify_all(), 1);
            assert_eq!(ended.recv().unwrap(), index);
        }
    });
}

/// A guard that owns its lock may be the only one who does.
#[cfg(feature = "arc_lock")]
#[test]
fn guards_that_own_their_lock_wait() {
    use std::sync::Arc;

    let _watched = watched_test();
    let changed = &Condvar::new();
    let mut mutex = Arc::new(Mutex::new(1)).lock_arc();
    let rw = Arc::new(RwLock::new(1));
    assert!(changed.wait_for(&mut mutex, Duration::ZERO).timed_out());
    assert!(changed.wait_for(&mut rw.write_arc(), Duration::ZERO).timed_out());
    assert!(changed.wait_for(&mut rw.upgradable_read_arc(), Duration::ZERO).timed_out());
    thread::scope(|scope| {
        let mut guard = rw.read_arc();
        let rw = Arc::downgrade(&rw);
        scope.spawn(move || {
            changed.wait_while(&mut guard, |value| *value == 1);
            assert_eq!(*guard, 2);
        });
        wait_for_parked(changed, 1);
        *rw.upgrade().expect("the guard owns it").write() = 2;
        assert!(changed.notify_one());
    });
    *mutex += 1;
    assert_eq!(*mutex, 2);
    assert!(!rw.is_locked());
    assert_eq!(Arc::strong_count(&rw), 1);
}

/// A read that would deadlock says where the lock is held, also if that was had again after a wait.
#[cfg(all(debug_assertions, not(feature = "send_guard")))]
#[test]
fn a_guard_that_has_waited_knows_the_place() {
    let (lock, changed) = (parkade::RwLock::new(0), Condvar::new());
    let mut guard = lock.read();
    let line = line!() + 1;
    let _ = changed.wait_for(&mut guard, Duration::from_millis(1));
    thread::scope(|scope| {
        let writer = scope.spawn(|| *lock.write() += 1);
        wait_for_parked(&lock, 1);
        let again = std::panic::AssertUnwindSafe(|| drop(lock.read()));
        let panic = std::panic::catch_unwind(again).expect_err("it would wait for itself");
        let message = *panic.downcast::<String>().unwrap();
        drop(guard);
        writer.join().unwrap();
        assert!(message.contains(&format!("since {}:{line}:", file!())), "{message}");
    });
}
