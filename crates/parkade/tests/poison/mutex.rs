//! What is to be seen of a mutex.

use std::{
    fmt::{self, Debug, Display},
    mem,
    sync::mpsc,
    thread,
};

use super::sync::{LockResult, Mutex, MutexGuard, PoisonError, TryLockError, TryLockResult};
use crate::{Log, OnDrop, note, panics};

/// A result with what it holds.
fn all<T: Debug>(result: LockResult<MutexGuard<'_, T>>) -> Result<String, String> {
    match result {
        Ok(guard) => Ok(format!("{guard:?}")),
        Err(poisoned) => {
            let shown = format!("{poisoned:?}, {poisoned}, {:?}", poisoned.get_ref());
            Err(format!("{shown}, {:?}", poisoned.into_inner()))
        }
    }
}

/// A result with what it holds.
fn tried<T: Debug>(result: TryLockResult<MutexGuard<'_, T>>) -> Result<String, String> {
    match result {
        Ok(guard) => Ok(format!("{guard:?}")),
        Err(TryLockError::WouldBlock) => Err("would block".to_owned()),
        Err(TryLockError::Poisoned(poisoned)) => Err(format!("poisoned {:?}", poisoned.get_ref())),
    }
}

fn poison<T>(lock: &Mutex<T>) {
    panics(|| {
        let _guard = lock.lock();
        panic!("on purpose");
    });
}

pub(crate) fn a_panic_poisons() -> Log {
    let mut log = Log::new();
    let lock = Mutex::new(1);
    note!(log, lock.is_poisoned(), all(lock.lock()), tried(lock.try_lock()), lock);
    panics(|| {
        let mut guard = lock.lock().unwrap();
        *guard = 2;
        panic!("on purpose");
    });
    note!(log, lock.is_poisoned(), all(lock.lock()), tried(lock.try_lock()), lock);
    // A guard from an error is like any other.
    let mut guard = lock.lock().unwrap_or_else(PoisonError::into_inner);
    *guard = 3;
    note!(log, tried(lock.try_lock()), lock, guard);
    drop(guard);
    note!(log, all(lock.lock()));
    panics(|| drop(lock.lock().unwrap()));
    log
}

pub(crate) fn another_thread_poisons() -> Log {
    let mut log = Log::new();
    let lock = Mutex::new(1);
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let _guard = lock.lock().unwrap();
            panic!("on purpose");
        });
        note!(log, thread.join().is_err());
    });
    note!(log, all(lock.lock()));
    let seen = thread::scope(|scope| scope.spawn(|| all(lock.lock())).join().unwrap());
    note!(log, seen);
    log
}

pub(crate) fn only_what_is_held_is_poisoned() -> Log {
    let mut log = Log::new();
    let (outer, inner, gone) = (Mutex::new(1), Mutex::new(2), Mutex::new(3));
    panics(|| {
        let _outer = outer.lock().unwrap();
        let _inner = inner.lock().unwrap();
        drop(gone.lock().unwrap());
        panic!("on purpose");
    });
    note!(log, all(outer.lock()), all(inner.lock()), all(gone.lock()));

    // A guard may be dropped by the panic of a function that it was given to.
    let lock = Mutex::new(4);
    panics(|| {
        let fail = |_guard: MutexGuard<'_, u32>| panic!("on purpose");
        fail(lock.lock().unwrap());
    });
    note!(log, all(lock.lock()));
    log
}

pub(crate) fn made_while_panicking() -> Log {
    let mut log = Log::new();
    let (locked, tried_too, before) = (Mutex::new(1), Mutex::new(2), Mutex::new(3));
    panics(|| {
        let _guard = before.lock().unwrap();
        let _late = OnDrop(|| {
            *locked.lock().unwrap() += 10;
            *tried_too.try_lock().unwrap() += 10;
        });
        panic!("on purpose");
    });
    note!(log, all(locked.lock()), all(tried_too.lock()), all(before.lock()));

    // Made before, dropped by somebody's destructor.
    let lock = Mutex::new(4);
    panics(|| {
        let mut guard = Some(lock.lock().unwrap());
        let _late = OnDrop(|| drop(guard.take()));
        panic!("on purpose");
    });
    note!(log, all(lock.lock()));

    // A poisoned lock is not healed by that.
    let poisoned = Mutex::new(5);
    poison(&poisoned);
    panics(|| {
        let _late = OnDrop(|| {
            note!(log, all(poisoned.lock()));
        });
        panic!("on purpose");
    });
    note!(log, all(poisoned.lock()));
    log
}

pub(crate) fn outlives_the_panic() -> Log {
    let mut log = Log::new();
    let lock = Mutex::new(1);
    let guard = lock.lock().unwrap();
    panics(|| panic!("on purpose"));
    note!(log, lock.is_poisoned(), guard);
    drop(guard);
    note!(log, all(lock.lock()));

    // Made while panicking, kept until after.
    let mut kept = None;
    panics(|| {
        let _late = OnDrop(|| kept = Some(lock.lock().unwrap()));
        panic!("on purpose");
    });
    note!(log, kept, tried(lock.try_lock()));
    // Its thread does not panic now, but another time it might: the guard still knows where it is from.
    panics(|| {
        let _guard = kept.take();
        panic!("on purpose");
    });
    note!(log, all(lock.lock()));
    log
}

pub(crate) fn a_second_panic_while_panicking() -> Log {
    let mut log = Log::new();
    let lock = Mutex::new(1);
    panics(|| {
        let _late = OnDrop(|| {
            panics(|| {
                let _guard = lock.lock().unwrap();
                panic!("a second time");
            });
        });
        panic!("on purpose");
    });
    note!(log, all(lock.lock()));
    log
}

pub(crate) fn stays_poisoned_until_cleared() -> Log {
    let mut log = Log::new();
    let lock = Mutex::new(1);
    lock.clear_poison();
    note!(log, all(lock.lock()));
    for _ in 0..2 {
        poison(&lock);
        note!(log, all(lock.lock()), all(lock.lock()));
        lock.clear_poison();
        note!(log, lock.is_poisoned(), all(lock.lock()), tried(lock.try_lock()), lock);
    }
    log
}

pub(crate) fn cleared_while_held() -> Log {
    let mut log = Log::new();
    let lock = Mutex::new(1);
    poison(&lock);
    let guard = lock.lock().unwrap_or_else(|poisoned| {
        lock.clear_poison();
        poisoned.into_inner()
    });
    note!(log, lock.is_poisoned(), lock, guard);
    drop(guard);
    note!(log, all(lock.lock()));
    panics(|| {
        let _guard = lock.lock().unwrap();
        let _late = OnDrop(|| lock.clear_poison());
        panic!("on purpose");
    });
    note!(log, lock.is_poisoned());
    log
}

pub(crate) fn try_lock_tells_why() -> Log {
    let mut log = Log::new();
    let lock = Mutex::new(1);
    let guard = lock.lock().unwrap();
    note!(log, tried(lock.try_lock()));
    drop(guard);
    poison(&lock);
    note!(log, tried(lock.try_lock()));
    let guard = lock.try_lock();
    note!(log, tried(lock.try_lock()));
    drop(guard);
    note!(log, tried(lock.try_lock()));
    log
}

pub(crate) fn errors_speak() -> Log {
    fn show(error: &dyn std::error::Error) -> String {
        format!("{error:?} / {error} / {}", error.source().is_some())
    }
    fn ask(lock: &Mutex<u32>) -> Result<u32, PoisonError<MutexGuard<'_, u32>>> {
        Ok(*lock.lock()?)
    }
    fn try_ask(lock: &Mutex<u32>) -> Result<u32, TryLockError<MutexGuard<'_, u32>>> {
        let _guard = lock.try_lock()?;
        Ok(*lock.lock()?)
    }
    fn boxed(lock: &Mutex<u32>) -> Result<u32, Box<dyn std::error::Error + '_>> {
        Ok(*lock.lock()?)
    }

    let mut log = Log::new();
    let lock = Mutex::new(1);
    note!(log, ask(&lock), boxed(&lock).unwrap());
    let guard = lock.lock().unwrap();
    note!(log, show(&lock.try_lock().unwrap_err()));
    drop(guard);
    poison(&lock);
    note!(log, show(&lock.lock().unwrap_err()), show(&lock.try_lock().unwrap_err()));
    note!(log, ask(&lock).is_err(), try_ask(&lock).is_err(), boxed(&lock).is_err());
    // The types of results are `std`'s own.
    let result: std::sync::LockResult<MutexGuard<'_, u32>> = lock.lock();
    note!(log, all(result));
    let result: std::sync::TryLockResult<MutexGuard<'_, u32>> = lock.try_lock();
    note!(log, tried(result));
    log
}

pub(crate) fn the_value_without_the_lock() -> Log {
    let mut log = Log::new();
    let mut lock = Mutex::new(vec![1]);
    lock.get_mut().unwrap().push(2);
    poison(&lock);
    let poisoned = lock.get_mut().unwrap_err();
    note!(log, poisoned);
    poisoned.into_inner().push(3);
    note!(log, lock.get_mut());
    lock.clear_poison();
    note!(log, lock.get_mut());
    poison(&lock);
    note!(log, lock.into_inner().map_err(PoisonError::into_inner));
    note!(log, Mutex::new(1).into_inner().map_err(PoisonError::into_inner));

    let drops = std::cell::Cell::new(0);
    let lock = Mutex::new(OnDrop(|| drops.set(drops.get() + 1)));
    note!(log, drops.get());
    drop(lock.into_inner());
    note!(log, drops.get());
    drop(Mutex::new(OnDrop(|| drops.set(drops.get() + 1))));
    note!(log, drops.get());
    log
}

pub(crate) fn forgotten() -> Log {
    let mut log = Log::new();
    let mut lock = Mutex::new(1);
    panics(|| {
        mem::forget(lock.lock());
        panic!("on purpose");
    });
    note!(log, tried(lock.try_lock()), lock, lock.is_poisoned(), lock.get_mut());
    note!(log, lock.into_inner().map_err(PoisonError::into_inner));
    log
}

/// Whatever is asked of it, it panics.
struct Broken;

impl Debug for Broken {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("on purpose")
    }
}

impl Display for Broken {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("on purpose")
    }
}

pub(crate) fn debug_that_panics() -> Log {
    let mut log = Log::new();
    let lock = Mutex::new(Broken);
    panics(|| drop(format!("{lock:?}")));
    note!(log, lock.is_poisoned(), lock.try_lock().is_err());
    lock.clear_poison();
    panics(|| drop(format!("{}", lock.lock().unwrap())));
    note!(log, lock.is_poisoned());
    log
}

pub(crate) fn unsized_values() -> Log {
    let mut log = Log::new();
    let lock: Box<Mutex<[u8]>> = Box::new(Mutex::new([1, 2, 3]));
    lock.lock().unwrap().reverse();
    note!(log, lock, all_of(&lock));
    let lock: &Mutex<dyn Debug> = &Mutex::new("text");
    note!(log, lock, all_of(lock));
    panics(|| {
        let _guard = lock.lock();
        panic!("on purpose");
    });
    note!(log, lock, all_of(lock));
    log
}

fn all_of<T: Debug + ?Sized>(lock: &Mutex<T>) -> String {
    match lock.lock() {
        Ok(guard) => format!("{guard:?}"),
        Err(poisoned) => format!("poisoned {:?}", poisoned.into_inner()),
    }
}

pub(crate) fn made_from_values() -> Log {
    let mut log = Log::new();
    note!(log, Mutex::<u32>::default(), Mutex::from("a"));
    let lock: Mutex<String> = "b".to_owned().into();
    let mut guard = lock.lock().unwrap();
    guard.push('c');
    log.push(format!("{guard} {guard:?} {guard:>5} {:#?}", Mutex::new((1, 2))));
    log
}

pub(crate) fn in_statics() -> Log {
    static LOCK: Mutex<Vec<u8>> = Mutex::new(Vec::new());
    let mut log = Log::new();
    LOCK.lock().unwrap().push(1);
    // Without `AssertUnwindSafe`: the lock may be seen after a panic.
    let caught = std::panic::catch_unwind(|| {
        LOCK.lock().unwrap().push(2);
        let _guard = LOCK.lock();
        panic!("on purpose");
    });
    note!(log, caught.is_err(), LOCK, [const { Mutex::new(7) }; 2]);
    log
}

pub(crate) fn waits_and_is_woken() -> Log {
    let mut log = Log::new();
    let lock = Mutex::new(0);
    let (started, has_started) = mpsc::channel();
    thread::scope(|scope| {
        let mut guard = lock.lock().unwrap();
        let waiter = scope.spawn(|| {
            started.send(()).unwrap();
            all(lock.lock())
        });
        has_started.recv().unwrap();
        *guard = 1;
        panics(|| {
            let _guard = guard;
            panic!("on purpose");
        });
        note!(log, waiter.join().unwrap());
    });
    let lock = Mutex::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..1_000).for_each(|_| *lock.lock().unwrap() += 1));
        }
    });
    note!(log, lock.into_inner().unwrap());
    log
}

#[cfg(feature = "serde")]
pub(crate) fn serialised() -> Log {
    let mut log = Log::new();
    let lock = Mutex::new(vec![1, 2]);
    let text = serde_json::to_string(&lock).unwrap();
    note!(log, text, serde_json::from_str::<Mutex<Vec<u8>>>(&text).unwrap());
    note!(log, serde_json::to_string(&Mutex::new("text")).unwrap());
    note!(log, serde_json::from_str::<Mutex<Vec<u8>>>("true").is_err());
    poison(&lock);
    note!(log, serde_json::to_string(&lock).is_err(), lock);
    log
}
