//! Evidence that Parkade does what the locks it replaces do: one body, run over `std`,
//! `parking_lot` 0.12, `parking_lot` 0.13 and Parkade, must observe the same.

mod support;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{PoisonError, TryLockError, mpsc},
    thread,
    time::{Duration, Instant},
};

use support::{Log, assert_same, same_over};

/// What all of the libraries offer.
trait Subject: Send + Sync + 'static {
    const NAME: &'static str;

    fn new(value: u64) -> Self;
    fn with<T>(&self, section: impl FnOnce(&mut u64) -> T) -> T;
    /// `None` when the lock is taken.
    fn try_with<T>(&self, section: impl FnOnce(&mut u64) -> T) -> Option<T>;
    fn get_mut(&mut self) -> &mut u64;
    fn into_inner(self) -> u64;
}

/// What all but `std` offer.
trait Rich: Subject + std::fmt::Debug {
    fn with_for<T>(&self, timeout: Duration, section: impl FnOnce(&mut u64) -> T) -> Option<T>;
    fn with_until<T>(&self, deadline: Instant, section: impl FnOnce(&mut u64) -> T) -> Option<T>;
    fn with_then_fair<T>(&self, section: impl FnOnce(&mut u64) -> T) -> T;
    fn bumped(&self, times: u32) -> u64;
    fn unlocked<T>(&self, outside: impl FnOnce(&Self) -> T) -> T;
    fn is_locked(&self) -> bool;
}

impl Subject for std::sync::Mutex<u64> {
    const NAME: &'static str = "std";

    fn new(value: u64) -> Self {
        std::sync::Mutex::new(value)
    }

    fn with<T>(&self, section: impl FnOnce(&mut u64) -> T) -> T {
        section(&mut self.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn try_with<T>(&self, section: impl FnOnce(&mut u64) -> T) -> Option<T> {
        match self.try_lock() {
            Ok(mut guard) => Some(section(&mut guard)),
            Err(TryLockError::Poisoned(poisoned)) => Some(section(&mut poisoned.into_inner())),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    fn get_mut(&mut self) -> &mut u64 {
        self.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    fn into_inner(self) -> u64 {
        self.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

macro_rules! rich {
    ($($name:literal: $lock:ty, $guard:ident of $library:ident;)+) => {$(
        impl Subject for $lock {
            const NAME: &'static str = $name;

            fn new(value: u64) -> Self {
                <$lock>::new(value)
            }

            fn with<T>(&self, section: impl FnOnce(&mut u64) -> T) -> T {
                section(&mut self.lock())
            }

            fn try_with<T>(&self, section: impl FnOnce(&mut u64) -> T) -> Option<T> {
                self.try_lock().map(|mut guard| section(&mut guard))
            }

            fn get_mut(&mut self) -> &mut u64 {
                self.get_mut()
            }

            fn into_inner(self) -> u64 {
                self.into_inner()
            }
        }

        impl Rich for $lock {
            fn with_for<T>(
                &self,
                timeout: Duration,
                section: impl FnOnce(&mut u64) -> T,
            ) -> Option<T> {
                self.try_lock_for(timeout).map(|mut guard| section(&mut guard))
            }

            fn with_until<T>(
                &self,
                deadline: Instant,
                section: impl FnOnce(&mut u64) -> T,
            ) -> Option<T> {
                self.try_lock_until(deadline).map(|mut guard| section(&mut guard))
            }

            fn with_then_fair<T>(&self, section: impl FnOnce(&mut u64) -> T) -> T {
                let mut guard = self.lock();
                let result = section(&mut guard);
                $library::$guard::unlock_fair(guard);
                result
            }

            fn bumped(&self, times: u32) -> u64 {
                let mut guard = self.lock();
                for _ in 0..times {
                    $library::$guard::bump(&mut guard);
                }
                *guard
            }

            fn unlocked<T>(&self, outside: impl FnOnce(&Self) -> T) -> T {
                $library::$guard::unlocked(&mut self.lock(), || outside(self))
            }

            fn is_locked(&self) -> bool {
                self.is_locked()
            }
        }
    )+};
}

rich! {
    "parking_lot 0.12": parking_lot_012::Mutex<u64>, MutexGuard of parking_lot_012;
    "parking_lot 0.13": parking_lot_013::Mutex<u64>, MutexGuard of parking_lot_013;
    "parkade": parkade::Mutex<u64>, MutexGuard of parkade;
}

fn locking<S: Subject>() -> Log {
    let mut log = Log::new();
    let mut lock = S::new(1);
    log.push(format!("first {}", lock.with(|value| std::mem::replace(value, 2))));
    log.push(format!("try on free {:?}", lock.try_with(|value| *value)));
    lock.with(|value| {
        thread::scope(|scope| {
            let other = scope.spawn(|| lock.try_with(|value| *value));
            log.push(format!("try on held {:?}", other.join().unwrap()));
        });
        *value = 3;
    });
    *lock.get_mut() += 1;
    log.push(format!("in the end {}", lock.into_inner()));
    log
}

fn counting<S: Subject>() -> Log {
    let lock = S::new(0);
    let tried = thread::scope(|scope| {
        let workers: Vec<_> = (0..8)
            .map(|index| {
                let lock = &lock;
                scope.spawn(move || {
                    let mut tried = 0;
                    for round in 0..2_000 {
                        lock.with(|value| *value += 1);
                        if round % 4 == index % 4 && lock.try_with(|value| *value += 1).is_some() {
                            tried += 1;
                        }
                    }
                    tried
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).sum::<u64>()
    });
    vec![format!("{} besides the tries", lock.into_inner() - tried)]
}

fn waiting<S: Subject>() -> Log {
    let lock = S::new(0);
    let (started, has_started) = mpsc::channel();
    thread::scope(|scope| {
        let waiter = lock.with(|value| {
            let waiter = scope.spawn(|| {
                started.send(()).unwrap();
                lock.with(|value| *value)
            });
            has_started.recv().unwrap();
            thread::sleep(Duration::from_millis(5));
            *value = 9;
            waiter
        });
        vec![format!("the waiter saw {}", waiter.join().unwrap())]
    })
}

fn panicking<S: Subject>() -> Log {
    let lock = S::new(0);
    let result = catch_unwind(AssertUnwindSafe(|| {
        lock.with(|value| {
            *value = 5;
            panic!("on purpose");
        })
    }));
    vec![
        format!("panicked {}", result.is_err()),
        format!("then {:?} and {}", lock.try_with(|value| *value), lock.with(|value| *value)),
    ]
}

fn rich<S: Rich>() -> Log {
    let mut log = Log::new();
    let lock = S::new(1);
    let past = Instant::now();
    let soon = Duration::from_millis(1);

    log.push(format!("{lock:?} {}", lock.is_locked()));
    log.push(format!("for nothing {:?}", lock.with_for(Duration::ZERO, |value| *value)));
    log.push(format!("for ever {:?}", lock.with_for(Duration::MAX, |value| *value)));
    log.push(format!("until the past {:?}", lock.with_until(past, |value| *value)));
    lock.with(|_| {
        log.push(format!("{lock:?} {}", lock.is_locked()));
        thread::scope(|scope| {
            let other = scope.spawn(|| {
                (
                    lock.with_for(Duration::ZERO, |value| *value),
                    lock.with_for(soon, |value| *value),
                    lock.with_until(past, |value| *value),
                    lock.with_until(Instant::now() + soon, |value| *value),
                )
            });
            log.push(format!("on held {:?}", other.join().unwrap()));
        });
    });
    log.push(format!("fair {}", lock.with_then_fair(|value| std::mem::replace(value, 2))));
    log.push(format!("bumped {}", lock.bumped(3)));
    log.push(format!("inside unlocked {:?}", lock.unlocked(|lock| lock.try_with(|value| *value))));
    log.push(format!("{lock:?} {}", lock.is_locked()));
    log
}

same_over! {
    locking_is_the_same = locking:
        std::sync::Mutex<u64>, parking_lot_012::Mutex<u64>, parking_lot_013::Mutex<u64>,
        parkade::Mutex<u64>;
    counting_is_the_same = counting:
        std::sync::Mutex<u64>, parking_lot_012::Mutex<u64>, parking_lot_013::Mutex<u64>,
        parkade::Mutex<u64>;
    waiting_is_the_same = waiting:
        std::sync::Mutex<u64>, parking_lot_012::Mutex<u64>, parking_lot_013::Mutex<u64>,
        parkade::Mutex<u64>;
    panicking_is_the_same = panicking:
        std::sync::Mutex<u64>, parking_lot_012::Mutex<u64>, parking_lot_013::Mutex<u64>,
        parkade::Mutex<u64>;
    what_std_lacks_is_the_same = rich:
        parking_lot_012::Mutex<u64>, parking_lot_013::Mutex<u64>, parkade::Mutex<u64>;
}
