//! Evidence that Parkade's reader-writer lock does what the locks it replaces do: one body, run over
//! `std`, `parking_lot` 0.12, `parking_lot` 0.13 and Parkade, must observe the same.

mod support;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{PoisonError, TryLockError},
    thread,
    time::{Duration, Instant},
};

use parkade::prelude::*;
use support::{Log, assert_same, same_over};

/// What all of the libraries offer.
trait Subject: Send + Sync + 'static {
    const NAME: &'static str;

    fn new(value: u64) -> Self;
    fn read<T>(&self, section: impl FnOnce(&u64) -> T) -> T;
    fn write<T>(&self, section: impl FnOnce(&mut u64) -> T) -> T;
    /// The value, or `None` if it may not be read now.
    fn try_read(&self) -> Option<u64>;
    fn try_write(&self) -> Option<u64>;
    fn get_mut(&mut self) -> &mut u64;
    fn into_inner(self) -> u64;
}

/// What all but `std` offer; the value while the lock was had in some way, or `None`.
trait Rich: Subject + std::fmt::Debug {
    fn read_for(&self, timeout: Duration) -> Option<u64>;
    fn write_for(&self, timeout: Duration) -> Option<u64>;
    fn write_until(&self, deadline: Instant) -> Option<u64>;
    fn upgradable_for(&self, timeout: Duration) -> Option<u64>;
    fn read_again(&self) -> u64;
    /// What `inside` sees under an upgradable guard; then adds one if an upgrade is to be had at once.
    fn upgrade<T>(&self, inside: impl FnOnce(&Self) -> T) -> (T, Option<u64>);
    /// What `inside` sees after a downgrade.
    fn downgrade<T>(&self, inside: impl FnOnce(&Self) -> T) -> T;
    /// And when the writer becomes an upgradable reader.
    fn downgrade_to_upgradable<T>(&self, inside: impl FnOnce(&Self) -> T) -> T;
    fn bump_all(&self) -> u64;
    fn unlocked<T>(&self, outside: impl FnOnce(&Self) -> T) -> T;
    fn state(&self) -> (bool, bool);
}

fn unpoisoned<G>(result: Result<G, TryLockError<G>>) -> Option<G> {
    match result {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

impl Subject for std::sync::RwLock<u64> {
    const NAME: &'static str = "std";

    fn new(value: u64) -> Self {
        std::sync::RwLock::new(value)
    }
    fn read<T>(&self, section: impl FnOnce(&u64) -> T) -> T {
        section(&self.read().unwrap_or_else(PoisonError::into_inner))
    }
    fn write<T>(&self, section: impl FnOnce(&mut u64) -> T) -> T {
        section(&mut self.write().unwrap_or_else(PoisonError::into_inner))
    }
    fn try_read(&self) -> Option<u64> {
        unpoisoned(self.try_read()).map(|guard| *guard)
    }
    fn try_write(&self) -> Option<u64> {
        unpoisoned(self.try_write()).map(|guard| *guard)
    }
    fn get_mut(&mut self) -> &mut u64 {
        self.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
    fn into_inner(self) -> u64 {
        self.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

macro_rules! rich {
    ($($name:literal: $lock:ident of $library:ident, $read_recursive:ident;)+) => {$(
        impl Subject for $library::$lock<u64> {
            const NAME: &'static str = $name;

            fn new(value: u64) -> Self {
                $library::$lock::new(value)
            }
            fn read<T>(&self, section: impl FnOnce(&u64) -> T) -> T {
                section(&self.read())
            }
            fn write<T>(&self, section: impl FnOnce(&mut u64) -> T) -> T {
                section(&mut self.write())
            }
            fn try_read(&self) -> Option<u64> {
                self.try_read().map(|guard| *guard)
            }
            fn try_write(&self) -> Option<u64> {
                self.try_write().map(|guard| *guard)
            }
            fn get_mut(&mut self) -> &mut u64 {
                self.get_mut()
            }
            fn into_inner(self) -> u64 {
                self.into_inner()
            }
        }

        impl Rich for $library::$lock<u64> {
            fn read_for(&self, timeout: Duration) -> Option<u64> {
                self.try_read_for(timeout).map(|guard| *guard)
            }
            fn write_for(&self, timeout: Duration) -> Option<u64> {
                self.try_write_for(timeout).map(|guard| *guard)
            }
            fn write_until(&self, deadline: Instant) -> Option<u64> {
                self.try_write_until(deadline).map(|guard| *guard)
            }
            fn upgradable_for(&self, timeout: Duration) -> Option<u64> {
                self.try_upgradable_read_for(timeout).map(|guard| *guard)
            }
            fn read_again(&self) -> u64 {
                *self.$read_recursive()
            }
            fn upgrade<T>(&self, inside: impl FnOnce(&Self) -> T) -> (T, Option<u64>) {
                use $library::RwLockUpgradableReadGuard as Guard;
                let guard = self.upgradable_read();
                let seen = inside(self);
                let upgraded = Guard::try_upgrade(guard).ok().map(|mut guard| {
                    *guard += 1;
                    *guard
                });
                (seen, upgraded)
            }
            fn downgrade<T>(&self, inside: impl FnOnce(&Self) -> T) -> T {
                let _guard = $library::RwLockWriteGuard::downgrade(self.write());
                inside(self)
            }
            fn downgrade_to_upgradable<T>(&self, inside: impl FnOnce(&Self) -> T) -> T {
                let _guard = $library::RwLockWriteGuard::downgrade_to_upgradable(self.write());
                inside(self)
            }
            fn bump_all(&self) -> u64 {
                $library::RwLockReadGuard::bump(&mut self.read());
                $library::RwLockWriteGuard::bump(&mut self.write());
                let mut guard = self.upgradable_read();
                $library::RwLockUpgradableReadGuard::bump(&mut guard);
                *guard
            }
            fn unlocked<T>(&self, outside: impl FnOnce(&Self) -> T) -> T {
                $library::RwLockReadGuard::unlocked(&mut self.read(), || outside(self))
            }
            fn state(&self) -> (bool, bool) {
                (self.is_locked(), self.is_locked_exclusive())
            }
        }
    )+};
}

rich! {
    "parking_lot 0.12": RwLock of parking_lot_012, read_recursive;
    "parking_lot 0.13": RwLock of parking_lot_013, read;
    "parkade": RwLock of parkade, read_recursive;
}

/// What another thread finds.
fn elsewhere<T: Send>(look: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(look).join().unwrap())
}

fn locking<S: Subject>() -> Log {
    let mut log = Log::new();
    let mut lock = S::new(1);
    log.push(format!("first {}", lock.write(|value| std::mem::replace(value, 2))));
    log.push(format!("on free {:?} {:?}", lock.try_read(), lock.try_write()));
    lock.read(|value| {
        let tried = elsewhere(|| (lock.try_read(), lock.try_write(), lock.read(|value| *value)));
        log.push(format!("beside a reader of {value}: {tried:?}"));
    });
    lock.write(|value| {
        let tried = elsewhere(|| (lock.try_read(), lock.try_write()));
        log.push(format!("beside a writer {tried:?}"));
        *value = 3;
    });
    *lock.get_mut() += 1;
    log.push(format!("in the end {}", lock.into_inner()));
    log
}

fn counting<S: Subject>() -> Log {
    let lock = S::new(0);
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                for round in 0..3_000 {
                    if round % 8 == 0 {
                        lock.write(|value| *value += 1);
                    } else {
                        let before = lock.read(|value| *value);
                        assert!(lock.read(|value| *value) >= before);
                    }
                }
            });
        }
    });
    vec![format!("{}", lock.into_inner())]
}

fn panicking<S: Subject>() -> Log {
    let lock = S::new(0);
    let panics = |section: &dyn Fn()| catch_unwind(AssertUnwindSafe(section)).is_err();
    let reader = panics(&|| lock.read(|_| panic!("on purpose")));
    let writer = panics(&|| {
        lock.write(|value| {
            *value = 5;
            panic!("on purpose");
        })
    });
    vec![format!("{reader} {writer}, then {:?} {:?}", lock.try_read(), lock.try_write())]
}

fn rich<S: Rich>() -> Log {
    let mut log = Log::new();
    let lock = S::new(1);
    let zero = Duration::ZERO;
    let soon = || Instant::now() + Duration::from_millis(1);
    let tries = |lock: &S| {
        let (debug, state) = (format!("{lock:?}"), lock.state());
        elsewhere(|| {
            let timed = (lock.read_for(zero), lock.write_for(zero), lock.write_until(soon()));
            let tried = (lock.try_read(), lock.upgradable_for(zero), lock.try_write());
            format!("{debug} {state:?} {timed:?} {tried:?}")
        })
    };
    log.push(format!("free: {}", tries(&lock)));
    log.push(format!("for ever {:?}", lock.write_for(Duration::MAX)));
    lock.read(|_| {
        log.push(format!("beside a reader: {} {}", tries(&lock), lock.read_again()));
        log.push(format!("and one who would upgrade: {:?}", lock.upgrade(tries)));
    });
    lock.write(|_| log.push(format!("beside a writer: {}", tries(&lock))));
    log.push(format!("beside one who will upgrade: {:?}", lock.upgrade(tries)));
    log.push(format!("downgraded: {}", lock.downgrade(tries)));
    log.push(format!("downgraded a little: {}", lock.downgrade_to_upgradable(tries)));
    log.push(format!("bumped: {} {}", lock.bump_all(), tries(&lock)));
    log.push(format!("unlocked: {}", lock.unlocked(tries)));
    log.push(format!("in the end: {}", tries(&lock)));
    log
}

same_over! {
    locking_is_the_same = locking:
        std::sync::RwLock<u64>, parking_lot_012::RwLock<u64>, parking_lot_013::RwLock<u64>,
        parkade::RwLock<u64>;
    counting_is_the_same = counting:
        std::sync::RwLock<u64>, parking_lot_012::RwLock<u64>, parking_lot_013::RwLock<u64>,
        parkade::RwLock<u64>;
    panicking_is_the_same = panicking:
        std::sync::RwLock<u64>, parking_lot_012::RwLock<u64>, parking_lot_013::RwLock<u64>,
        parkade::RwLock<u64>;
    what_std_lacks_is_the_same = rich:
        parking_lot_012::RwLock<u64>, parking_lot_013::RwLock<u64>, parkade::RwLock<u64>;
}
