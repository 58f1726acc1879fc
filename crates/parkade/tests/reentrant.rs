//! Evidence for [`ReentrantMutex`]: levels, exclusion of other threads, whose a forgotten guard is, what may
//! cross threads, and that it does what those of parking_lot do.

mod support;

use std::{
    cell::{Cell, RefCell},
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    sync::{
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use parkade::{
    MappedReentrantMutexGuard, RawReentrantMutex, RawThreadId, ReentrantMutex, ReentrantMutexGuard,
};
use static_assertions::{assert_impl_all, assert_not_impl_any};
use support::{Log, assert_same, same_over};

assert_impl_all!(RawThreadId: Send, Sync, Copy, Default, std::fmt::Debug);
assert_impl_all!(RawReentrantMutex: Send, Sync);
assert_impl_all!(ReentrantMutex<u8>: Send, Sync, Default, From<u8>, std::fmt::Debug);
// A value that one thread at a time may use may be in a lock that all use.
assert_impl_all!(ReentrantMutex<Cell<u8>>: Send, Sync);
assert_not_impl_any!(ReentrantMutex<Rc<u8>>: Send, Sync);
assert_not_impl_any!(ReentrantMutex<std::sync::MutexGuard<'static, u8>>: Send, Sync);
// The owner is a thread, so no guard ever leaves it.
assert_not_impl_any!(ReentrantMutexGuard<'static, u8>: Send);
assert_not_impl_any!(MappedReentrantMutexGuard<'static, u8>: Send);
assert_impl_all!(ReentrantMutexGuard<'static, u8>: Sync, std::fmt::Debug, std::fmt::Display);
assert_impl_all!(MappedReentrantMutexGuard<'static, u8>: Sync);
// Through a reference to the guard another thread would reach the cell.
assert_not_impl_any!(ReentrantMutexGuard<'static, Cell<u8>>: Sync);
assert_not_impl_any!(MappedReentrantMutexGuard<'static, Cell<u8>>: Sync);
// Two guards of one thread must not lend the same value exclusively.
assert_not_impl_any!(ReentrantMutexGuard<'static, u8>: std::ops::DerefMut);
assert_not_impl_any!(MappedReentrantMutexGuard<'static, u8>: std::ops::DerefMut);

#[test]
fn sizes() {
    let words = 3 * size_of::<usize>();
    assert_eq!(size_of::<ReentrantMutex<()>>(), words);
    assert_eq!(size_of::<ReentrantMutex<u64>>(), words + size_of::<u64>());
    assert_eq!(size_of::<RawThreadId>(), 0);
    assert_eq!(size_of::<Option<ReentrantMutexGuard<'_, u64>>>(), size_of::<usize>());
}

static IN_A_STATIC: ReentrantMutex<Cell<u32>> = ReentrantMutex::new(Cell::new(1));

#[test]
fn made_in_constants() {
    let guard = IN_A_STATIC.lock();
    IN_A_STATIC.lock().set(guard.get() + 1);
    assert_eq!(guard.get(), 2);
}

/// What another thread gets if it does not wait, and if it waits a little.
fn elsewhere<T: Send>(lock: &ReentrantMutex<T>) -> [bool; 3] {
    let soon = Duration::from_millis(1);
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            assert!(!lock.is_owned_by_current_thread());
            [
                lock.try_lock().is_some(),
                lock.try_lock_for(soon).is_some(),
                lock.try_lock_until(Instant::now() + soon).is_some(),
            ]
        });
        other.join().unwrap()
    })
}

#[test]
fn the_last_level_unlocks() {
    const DEPTH: usize = 10_000;
    let lock = ReentrantMutex::new(());
    let mut guards: Vec<_> = (0..DEPTH).map(|_| lock.lock()).collect();
    // In no particular order.
    for index in (0..DEPTH).rev().step_by(3) {
        drop(guards.swap_remove(index));
    }
    let timed = lock.try_lock_for(Duration::ZERO);
    let until = lock.try_lock_until(Instant::now());
    assert!(timed.is_some() && until.is_some() && lock.try_lock().is_some());
    drop((timed, until));
    while let Some(guard) = guards.pop() {
        if guards.len() % 1_000 == 0 {
            assert_eq!(elsewhere(&lock), [false; 3], "{} levels", guards.len() + 1);
        }
        assert!(lock.is_owned_by_current_thread() && lock.is_locked());
        drop(guard);
    }
    assert!(!lock.is_owned_by_current_thread() && !lock.is_locked());
    assert_eq!(elsewhere(&lock), [true; 3]);
}

#[test]
fn threads_exclude_each_other() {
    const THREADS: u64 = 8;
    const ROUNDS: u64 = 5_000;
    let lock = ReentrantMutex::new(Cell::new((0, 0)));
    thread::scope(|scope| {
        for index in 0..THREADS {
            let lock = &lock;
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let guard = match (index + round) % 3 {
                        0 => lock.lock(),
                        1 => lock.try_lock_for(Duration::MAX).expect("it waits for ever"),
                        _ => loop {
                            if let Some(guard) = lock.try_lock() {
                                break guard;
                            }
                            thread::yield_now();
                        },
                    };
                    let (first, second) = guard.get();
                    assert_eq!(first, second, "two threads were in the section at once");
                    guard.set((first + 1, second));
                    let inner = lock.lock();
                    inner.set((first + 1, second + 1));
                    drop(guard);
                    assert_eq!(inner.get(), (first + 1, second + 1), "one level was held");
                    if round % 7 == 0 {
                        ReentrantMutexGuard::unlock_fair(inner);
                    }
                }
            });
        }
    });
    assert_eq!(lock.into_inner().get(), (THREADS * ROUNDS, THREADS * ROUNDS));
}

/// Fails where threads are told apart by the address of a thread-local value: that of a thread which has ended
/// is given to the next.
#[test]
fn what_a_thread_forgot_is_nobody_s_when_it_has_ended() {
    for _ in 0..20 {
        let lock = ReentrantMutex::new(());
        thread::scope(|scope| {
            scope.spawn(|| {
                std::mem::forget(lock.lock());
                assert!(lock.try_lock().is_some(), "it is still that thread's");
            });
        });
        for _ in 0..10 {
            assert_eq!(elsewhere(&lock), [false; 3]);
        }
        assert!(lock.is_locked() && !lock.is_owned_by_current_thread());
        lock.into_inner();
    }
}

#[test]
fn a_forgotten_level_is_given_up_by_force() {
    let lock = ReentrantMutex::new(1);
    let outer = lock.lock();
    std::mem::forget(lock.lock());
    drop(outer);
    assert_eq!(elsewhere(&lock), [false; 3]);
    // SAFETY: this thread holds a level whose guard is forgotten.
    unsafe { lock.force_unlock() };
    assert_eq!(elsewhere(&lock), [true; 3]);
}

#[test]
fn mapped_guards_are_levels() {
    let lock = ReentrantMutex::new((1, String::from("x")));
    let text = ReentrantMutexGuard::map(lock.lock(), |pair| &pair.1);
    let number = ReentrantMutexGuard::try_map(lock.lock(), |pair| Some(&pair.0)).unwrap();
    assert_eq!((&**text, *number), ("x", 1));
    drop(number);
    let text = MappedReentrantMutexGuard::map(text, String::as_str);
    assert_eq!(elsewhere(&lock), [false; 3]);
    MappedReentrantMutexGuard::unlock_fair(text);
    assert_eq!(elsewhere(&lock), [true; 3]);
    let refused = ReentrantMutexGuard::try_map(lock.lock(), |_| None::<&u8>);
    assert_eq!(refused.expect_err("the closure has refused").0, 1);
    assert!(!lock.is_locked());
}

#[test]
fn unlocked_gives_up_one_level() {
    let lock = ReentrantMutex::new(());
    let mut outer = lock.lock();
    {
        let mut inner = lock.lock();
        for unlocked in [ReentrantMutexGuard::unlocked, ReentrantMutexGuard::unlocked_fair] {
            unlocked(&mut inner, || assert_eq!(elsewhere(&lock), [false; 3]));
        }
    }
    for unlocked in [ReentrantMutexGuard::unlocked, ReentrantMutexGuard::unlocked_fair] {
        unlocked(&mut outer, || assert_eq!(elsewhere(&lock), [true; 3]));
        assert_eq!(elsewhere(&lock), [false; 3]);
    }
}

#[test]
fn bump_lets_another_through_at_the_last_level_only() {
    let lock = ReentrantMutex::new(Cell::new(0));
    let (done, wait) = mpsc::channel();
    thread::scope(|scope| {
        let lock = &lock;
        let mut outer = lock.lock();
        scope.spawn(move || {
            lock.lock().set(1);
            done.send(()).unwrap();
        });
        {
            let mut inner = lock.lock();
            (0..1_000).for_each(|_| ReentrantMutexGuard::bump(&mut inner));
            assert_eq!(outer.get(), 0);
        }
        // Until the other thread waits there is nobody to yield to, so one bump need not be enough.
        while wait.try_recv().is_err() {
            ReentrantMutexGuard::bump(&mut outer);
        }
        assert!(lock.is_owned_by_current_thread());
        assert_eq!((outer.get(), lock.lock().get()), (1, 1));
    });
    assert!(!lock.is_locked());
}

#[test]
fn a_panic_unlocks_level_by_level() {
    let lock = ReentrantMutex::new(RefCell::new(0));
    let outer = lock.lock();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let inner = lock.lock();
        *inner.borrow_mut() = 1;
        panic!("on purpose");
    }));
    assert!(panicked.is_err());
    assert_eq!(elsewhere(&lock), [false; 3]);
    drop(outer);
    assert_eq!(elsewhere(&lock), [true; 3]);
    assert_eq!(*lock.lock().borrow(), 1);
}

#[test]
fn it_locks_in_destructors_of_thread_local_values() {
    static LOCK: ReentrantMutex<Cell<u64>> = ReentrantMutex::new(Cell::new(0));
    static DROPS: AtomicU64 = AtomicU64::new(0);
    struct Late;
    impl Drop for Late {
        fn drop(&mut self) {
            let outer = LOCK.lock();
            let inner = LOCK.try_lock().expect("this thread has it");
            inner.set(outer.get() + 1);
            DROPS.fetch_add(1, Relaxed);
        }
    }
    thread_local! {
        static LATE: Late = const { Late };
    }
    for locks_first in [|| (), || drop(LOCK.lock())] {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                thread::spawn(move || {
                    LATE.with(|_| {});
                    locks_first();
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
    assert_eq!((LOCK.lock().get(), DROPS.load(Relaxed)), (8, 8));
}

/// The child's new threads get the stacks of threads that only the parent has.
#[cfg(target_os = "linux")]
#[test]
fn in_a_forked_child_what_other_threads_held_is_nobody_s() {
    use support::fork::{Side, child, fork, reap};
    let (mine, theirs) = (ReentrantMutex::new(Cell::new(0)), ReentrantMutex::new(()));
    let (held, is_held) = mpsc::channel();
    let (end, ended) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let theirs = &theirs;
        scope.spawn(move || {
            let _guard = theirs.lock();
            held.send(()).unwrap();
            assert!(ended.recv().is_err());
        });
        is_held.recv().unwrap();
        let guard = mine.lock();
        match fork() {
            Side::Child => child(|| {
                mine.lock().set(1);
                assert_eq!(elsewhere(&mine), [false; 3]);
                drop(guard);
                assert_eq!(elsewhere(&mine), [true; 3]);
                assert!(theirs.try_lock().is_none());
                (0..20).for_each(|_| assert_eq!(elsewhere(theirs), [false; 3]));
            }),
            Side::Parent(pid) => reap(pid, "reentrant"),
        }
        drop((guard, end));
    });
    assert_eq!(elsewhere(&theirs), [true; 3]);
}

#[cfg(feature = "arc_lock")]
mod arc {
    use std::sync::Arc;

    use parkade::ArcReentrantMutexGuard;

    use super::*;

    type Guard<T> = ArcReentrantMutexGuard<parkade::RawMutex, RawThreadId, T>;

    assert_not_impl_any!(Guard<u8>: Send);
    assert_not_impl_any!(Guard<Cell<u8>>: Sync);
    assert_not_impl_any!(Guard<u8>: std::ops::DerefMut);

    #[test]
    fn guards_own_the_lock_and_are_levels() {
        let lock = Arc::new(ReentrantMutex::new(7));
        let weak = Arc::downgrade(&lock);
        let mut outer: Guard<i32> = lock.lock_arc();
        let soon = Duration::from_millis(1);
        let inner = lock.try_lock_arc_for(soon).expect("this thread has it");
        assert!(lock.try_lock_arc_until(Instant::now()).is_some());
        drop(outer);
        assert_eq!(elsewhere(&lock), [false; 3]);
        outer = lock.try_lock_arc().expect("this thread has it");
        drop(inner);
        ArcReentrantMutexGuard::unlocked(&mut outer, || assert_eq!(elsewhere(&lock), [true; 3]));
        drop(lock);
        assert_eq!(*outer, 7);
        assert!(weak.upgrade().is_some());
        ArcReentrantMutexGuard::unlock_fair(outer);
        assert!(weak.upgrade().is_none());
    }
}

#[cfg(feature = "serde")]
#[test]
fn serde_writes_and_reads_the_value() {
    let lock = ReentrantMutex::new(vec![1, 2, 3]);
    let _held = lock.lock();
    let text = serde_json::to_string(&lock).unwrap();
    assert_eq!(text, "[1,2,3]");
    let read: ReentrantMutex<Vec<u8>> = serde_json::from_str(&text).unwrap();
    assert_eq!(read.into_inner(), [1, 2, 3]);
}

/// What all of the libraries offer.
trait Subject: Send + Sync + 'static {
    const NAME: &'static str;

    fn log() -> Log;
}

macro_rules! subjects {
    ($($name:literal: $library:ident;)+) => {$(
        impl Subject for $library::ReentrantMutex<Cell<u32>> {
            const NAME: &'static str = $name;

            fn log() -> Log {
                use $library::ReentrantMutexGuard as Guard;
                let mut lock = Self::new(Cell::new(1));
                let mut log = Log::new();
                let soon = Duration::from_millis(1);
                let tries = |lock: &Self| {
                    let mine = (lock.is_locked(), lock.is_owned_by_current_thread());
                    let debug = format!("{lock:?} {mine:?}");
                    thread::scope(|scope| {
                        let other = scope.spawn(|| {
                            let tried = lock.try_lock().map(|guard| guard.get());
                            let timed = lock.try_lock_for(soon).map(|guard| guard.get());
                            let owned = lock.is_owned_by_current_thread();
                            format!("{debug} {tried:?} {timed:?} {owned}")
                        });
                        other.join().unwrap()
                    })
                };
                log.push(format!("free: {}", tries(&lock)));
                let mut outer = lock.lock();
                log.push(format!("held: {}", tries(&lock)));
                let mut inner = lock.try_lock_for(Duration::ZERO).unwrap();
                inner.set(outer.get() + 1);
                log.push(format!("held twice: {} {outer:?} {inner:?}", tries(&lock)));
                Guard::bump(&mut inner);
                Guard::unlocked(&mut inner, || log.push(format!("once less: {}", tries(&lock))));
                Guard::unlock_fair(inner);
                log.push(format!("held once: {}", tries(&lock)));
                Guard::unlocked(&mut outer, || log.push(format!("not at all: {}", tries(&lock))));
                let mapped = Guard::map(outer, |cell| cell);
                log.push(format!("mapped: {}", tries(&lock)));
                drop(mapped);
                let panicked = catch_unwind(AssertUnwindSafe(|| {
                    let (_outer, inner) = (lock.lock(), lock.lock());
                    inner.set(9);
                    panic!("on purpose");
                }));
                log.push(format!("after a panic {}: {}", panicked.is_err(), tries(&lock)));
                lock.get_mut().set(4);
                log.push(format!("in the end {}", lock.into_inner().get()));
                log
            }
        }
    )+};
}

subjects! {
    "parking_lot 0.12": parking_lot_012;
    "parking_lot 0.13": parking_lot_013;
    "parkade": parkade;
}

fn levels<S: Subject>() -> Log {
    S::log()
}

same_over! {
    levels_are_the_same = levels:
        parking_lot_012::ReentrantMutex<Cell<u32>>, parking_lot_013::ReentrantMutex<Cell<u32>>,
        parkade::ReentrantMutex<Cell<u32>>;
}
