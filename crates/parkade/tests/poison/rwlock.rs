//! What is to be seen of a reader-writer lock.

use std::{fmt::Debug, mem, sync::mpsc, thread};

use super::sync::{
    PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError, TryLockResult,
};
use crate::{Log, OnDrop, note, panics};

/// What everybody who asks is told.
fn all<T: Debug>(lock: &RwLock<T>) -> [String; 6] {
    [
        match lock.read() {
            Ok(guard) => format!("read {guard:?}"),
            Err(poisoned) => format!("read poisoned {:?}", poisoned.into_inner()),
        },
        match lock.write() {
            Ok(guard) => format!("written {guard:?}"),
            Err(poisoned) => format!("written poisoned {:?}", poisoned.into_inner()),
        },
        tried(lock.try_read()),
        tried(lock.try_write()),
        format!("{lock:?}"),
        format!("{}", lock.is_poisoned()),
    ]
}

/// A result with what it holds.
fn tried<G: Debug>(result: TryLockResult<G>) -> String {
    match result {
        Ok(guard) => format!("{guard:?}"),
        Err(TryLockError::WouldBlock) => "would block".to_owned(),
        Err(TryLockError::Poisoned(poisoned)) => format!("poisoned {:?}", poisoned.get_ref()),
    }
}

fn poison<T>(lock: &RwLock<T>) {
    panics(|| {
        let _guard = lock.write();
        panic!("on purpose");
    });
}

pub(crate) fn a_writers_panic_poisons() -> Log {
    let mut log = Log::new();
    let lock = RwLock::new(1);
    note!(log, all(&lock));
    panics(|| {
        let mut guard = lock.write().unwrap();
        *guard = 2;
        panic!("on purpose");
    });
    note!(log, all(&lock));
    let mut guard = lock.write().unwrap_or_else(PoisonError::into_inner);
    *guard = 3;
    note!(log, tried(lock.try_read()), tried(lock.try_write()), lock, guard);
    drop(guard);
    note!(log, all(&lock));
    let (outer, gone) = (RwLock::new(4), RwLock::new(5));
    panics(|| {
        let _outer = outer.try_write().unwrap();
        drop(gone.write().unwrap());
        panic!("on purpose");
    });
    note!(log, all(&outer), all(&gone));
    log
}

pub(crate) fn a_readers_panic_does_not() -> Log {
    let mut log = Log::new();
    let lock = RwLock::new(1);
    panics(|| {
        let _guard = lock.read().unwrap();
        panic!("on purpose");
    });
    note!(log, all(&lock));
    panics(|| {
        let _guard = lock.try_read().unwrap();
        panic!("on purpose");
    });
    note!(log, all(&lock));
    // Nor does it heal.
    poison(&lock);
    panics(|| {
        let _guard = lock.read().unwrap_err().into_inner();
        panic!("on purpose");
    });
    note!(log, all(&lock));
    log
}

pub(crate) fn another_thread_poisons() -> Log {
    let mut log = Log::new();
    let lock = RwLock::new(1);
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let _guard = lock.write().unwrap();
            panic!("on purpose");
        });
        note!(log, thread.join().is_err());
    });
    let seen = thread::scope(|scope| scope.spawn(|| all(&lock)).join().unwrap());
    note!(log, seen, all(&lock));
    log
}

pub(crate) fn made_while_panicking() -> Log {
    let mut log = Log::new();
    let (written, tried, read, before) =
        (RwLock::new(1), RwLock::new(2), RwLock::new(3), RwLock::new(4));
    panics(|| {
        let _guard = before.write().unwrap();
        let _late = OnDrop(|| {
            *written.write().unwrap() += 10;
            *tried.try_write().unwrap() += 10;
            note!(log, read.read().unwrap());
        });
        panic!("on purpose");
    });
    note!(log, all(&written), all(&tried), all(&read), all(&before));

    let lock = RwLock::new(5);
    panics(|| {
        let mut guard = Some(lock.write().unwrap());
        let _late = OnDrop(|| drop(guard.take()));
        panic!("on purpose");
    });
    note!(log, all(&lock));

    let lock = RwLock::new(6);
    panics(|| {
        let _late = OnDrop(|| {
            panics(|| {
                let _guard = lock.write().unwrap();
                panic!("a second time");
            });
        });
        panic!("on purpose");
    });
    note!(log, all(&lock));
    log
}

pub(crate) fn outlives_the_panic() -> Log {
    let mut log = Log::new();
    let lock = RwLock::new(1);
    let guard = lock.write().unwrap();
    panics(|| panic!("on purpose"));
    drop(guard);
    note!(log, all(&lock));

    let mut kept = None;
    panics(|| {
        let _late = OnDrop(|| kept = Some(lock.write().unwrap()));
        panic!("on purpose");
    });
    note!(log, kept, tried(lock.try_read()));
    panics(|| {
        let _guard = kept.take();
        panic!("on purpose");
    });
    note!(log, all(&lock));
    log
}

pub(crate) fn stays_poisoned_until_cleared() -> Log {
    let mut log = Log::new();
    let lock = RwLock::new(1);
    lock.clear_poison();
    note!(log, all(&lock));
    for _ in 0..2 {
        poison(&lock);
        note!(log, all(&lock), all(&lock));
        lock.clear_poison();
        note!(log, all(&lock));
    }
    poison(&lock);
    let guard = lock.write().unwrap_or_else(|poisoned| {
        lock.clear_poison();
        poisoned.into_inner()
    });
    note!(log, lock.is_poisoned(), lock);
    drop(guard);
    note!(log, all(&lock));
    log
}

pub(crate) fn tries_tell_why() -> Log {
    let mut log = Log::new();
    let lock = RwLock::new(1);
    for _ in 0..2 {
        let reading = lock.read();
        note!(log, tried(lock.try_read()), tried(lock.try_write()), lock);
        drop(reading);
        let writing = lock.write();
        note!(log, tried(lock.try_read()), tried(lock.try_write()), lock);
        drop(writing);
        note!(log, tried(lock.try_read()), tried(lock.try_write()), lock);
        poison(&lock);
    }
    log
}

pub(crate) fn downgrading() -> Log {
    let mut log = Log::new();
    let lock = RwLock::new(1);
    let mut writing = lock.write().unwrap();
    *writing = 2;
    let reading = RwLockWriteGuard::downgrade(writing);
    note!(log, reading, tried(lock.try_read()), tried(lock.try_write()), lock);
    drop(reading);
    note!(log, all(&lock));

    // From then on it is a reader.
    panics(|| {
        let _reading = RwLockWriteGuard::downgrade(lock.write().unwrap());
        panic!("on purpose");
    });
    note!(log, all(&lock));

    poison(&lock);
    let writing = lock.write().unwrap_err().into_inner();
    let reading = RwLockWriteGuard::downgrade(writing);
    note!(log, reading, tried(lock.try_read()));
    drop(reading);
    note!(log, all(&lock));
    log
}

pub(crate) fn downgrading_while_panicking() -> Log {
    let mut log = Log::new();
    let lock = RwLock::new(1);
    panics(|| {
        let mut writing = Some(lock.write().unwrap());
        let _late = OnDrop(|| drop(writing.take().map(RwLockWriteGuard::downgrade)));
        panic!("on purpose");
    });
    note!(log, all(&lock));
    log
}

pub(crate) fn the_value_without_the_lock() -> Log {
    let mut log = Log::new();
    let mut lock = RwLock::new(vec![1]);
    lock.get_mut().unwrap().push(2);
    poison(&lock);
    let poisoned = lock.get_mut().unwrap_err();
    note!(log, poisoned);
    poisoned.into_inner().push(3);
    lock.clear_poison();
    note!(log, lock.get_mut());
    poison(&lock);
    note!(log, lock.into_inner().map_err(PoisonError::into_inner));
    note!(log, RwLock::new(1).into_inner().map_err(PoisonError::into_inner));

    let drops = std::cell::Cell::new(0);
    let lock = RwLock::new(OnDrop(|| drops.set(drops.get() + 1)));
    note!(log, drops.get());
    drop(lock.into_inner());
    note!(log, drops.get());
    log
}

pub(crate) fn forgotten() -> Log {
    let mut log = Log::new();
    let mut lock = RwLock::new(1);
    panics(|| {
        mem::forget(lock.write());
        panic!("on purpose");
    });
    note!(log, tried(lock.try_read()), tried(lock.try_write()), lock.is_poisoned());
    note!(log, lock.get_mut(), lock.into_inner().map_err(PoisonError::into_inner));
    let lock = RwLock::new(1);
    mem::forget(lock.read());
    note!(log, tried(lock.try_read()), tried(lock.try_write()));
    log
}

pub(crate) fn debug_that_panics() -> Log {
    struct Broken;

    impl Debug for Broken {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("on purpose")
        }
    }

    let mut log = Log::new();
    let lock = RwLock::new(Broken);
    panics(|| drop(format!("{lock:?}")));
    // It only reads.
    note!(log, lock.is_poisoned(), lock.try_write().is_ok());
    panics(|| drop(format!("{:?}", lock.write().unwrap())));
    note!(log, lock.is_poisoned(), lock.try_write().is_ok());
    log
}

pub(crate) fn unsized_values() -> Log {
    let mut log = Log::new();
    let lock: Box<RwLock<[u8]>> = Box::new(RwLock::new([1, 2, 3]));
    lock.write().unwrap().reverse();
    note!(log, lock, lock.read().unwrap(), lock.write().unwrap());
    let lock: &RwLock<dyn Debug> = &RwLock::new("text");
    note!(log, lock, lock.read().unwrap(), lock.write().unwrap());
    note!(log, RwLockWriteGuard::downgrade(lock.write().unwrap()));
    log
}

pub(crate) fn made_from_values() -> Log {
    let mut log = Log::new();
    note!(log, RwLock::<u32>::default(), RwLock::from("a"));
    let lock: RwLock<String> = "b".to_owned().into();
    let mut guard = lock.write().unwrap();
    guard.push('c');
    log.push(format!("{guard} {guard:?} {guard:>5} {:#?}", RwLock::new((1, 2))));
    drop(guard);
    let guard = lock.read().unwrap();
    log.push(format!("{guard} {guard:?} {guard:>5}"));
    log
}

pub(crate) fn in_statics() -> Log {
    static LOCK: RwLock<Vec<u8>> = RwLock::new(Vec::new());
    let mut log = Log::new();
    LOCK.write().unwrap().push(1);
    // Without `AssertUnwindSafe`: the lock may be seen after a panic.
    let caught = std::panic::catch_unwind(|| {
        LOCK.write().unwrap().push(2);
        let _guard = LOCK.write();
        panic!("on purpose");
    });
    note!(log, caught.is_err(), LOCK);
    log
}

pub(crate) fn shrinks_a_readers_lifetime() -> Log {
    fn shrink<'a>(guard: RwLockReadGuard<'static, &'static str>) -> RwLockReadGuard<'a, &'a str> {
        guard
    }

    static LOCK: RwLock<&str> = RwLock::new("text");
    vec![format!("{}", shrink(LOCK.read().unwrap()))]
}

pub(crate) fn waits_and_is_woken() -> Log {
    let mut log = Log::new();
    let lock = RwLock::new(0);
    let (started, has_started) = mpsc::channel();
    thread::scope(|scope| {
        let mut guard = lock.write().unwrap();
        let waiter = scope.spawn(|| {
            started.send(()).unwrap();
            lock.read().map_err(|poisoned| *poisoned.into_inner()).is_err()
        });
        has_started.recv().unwrap();
        *guard = 1;
        panics(|| {
            let _guard = guard;
            panic!("on purpose");
        });
        note!(log, waiter.join().unwrap());
    });
    let lock = RwLock::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..1_000 {
                    let seen = *lock.read().unwrap();
                    let mut guard = lock.write().unwrap();
                    assert!(*guard >= seen);
                    *guard += 1;
                    assert!(*RwLockWriteGuard::downgrade(guard) > seen);
                }
            });
        }
    });
    note!(log, lock.into_inner().unwrap());
    log
}

#[cfg(feature = "serde")]
pub(crate) fn serialised() -> Log {
    let mut log = Log::new();
    let lock = RwLock::new(vec![1, 2]);
    let text = serde_json::to_string(&lock).unwrap();
    note!(log, text, serde_json::from_str::<RwLock<Vec<u8>>>(&text).unwrap());
    note!(log, serde_json::from_str::<RwLock<Vec<u8>>>("true").is_err());
    let reading = lock.read();
    // It only reads.
    note!(log, serde_json::to_string(&lock).unwrap());
    drop(reading);
    poison(&lock);
    note!(log, serde_json::to_string(&lock).is_err(), lock);
    log
}
