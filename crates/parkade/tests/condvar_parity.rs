//! Evidence that Parkade's condition variable does what those it replaces do, called as they are: one body, run over
//! `std`, `parking_lot` 0.12, `parking_lot` 0.13 and Parkade, must observe the same.

mod support;

use std::{
    thread,
    time::{Duration, Instant},
};

use parkade::prelude::*;
use support::{Log, assert_same, same_over};

const LONG: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_millis(3);

/// A value with a lock and a condition variable.
trait Subject: Default + Sync {
    const NAME: &'static str;

    /// Changes the value and then notifies: how many, where that is told.
    fn set_and_notify_one(&self, value: i32) -> Option<usize>;
    fn set_and_notify_all(&self, value: i32) -> Option<usize>;
    /// Waits while the value is below `limit`; the value then.
    fn wait_below(&self, limit: i32) -> i32;
    /// As `wait_below`, for a time; whether that was up.
    fn wait_below_for(&self, limit: i32, timeout: Duration) -> (i32, bool);
    /// Waits once, for a time.
    fn wait_once_for(&self, timeout: Duration) -> bool;
    /// Whether the lock is free.
    fn is_free(&self) -> bool;
}

/// What all but `std` offer.
trait Rich: Subject {
    fn wait_once_until(&self, deadline: Instant) -> bool;
    fn wait_below_until(&self, limit: i32, deadline: Instant) -> (i32, bool);
    fn debug(&self) -> String;
}

#[derive(Default)]
struct Std(std::sync::Mutex<i32>, std::sync::Condvar);

impl Subject for Std {
    const NAME: &'static str = "std";

    fn set_and_notify_one(&self, value: i32) -> Option<usize> {
        *self.0.lock().unwrap() = value;
        self.1.notify_one();
        None
    }
    fn set_and_notify_all(&self, value: i32) -> Option<usize> {
        *self.0.lock().unwrap() = value;
        self.1.notify_all();
        None
    }
    fn wait_below(&self, limit: i32) -> i32 {
        *self.1.wait_while(self.0.lock().unwrap(), |value| *value < limit).unwrap()
    }
    fn wait_below_for(&self, limit: i32, timeout: Duration) -> (i32, bool) {
        let guard = self.0.lock().unwrap();
        let (guard, result) =
            self.1.wait_timeout_while(guard, timeout, |value| *value < limit).unwrap();
        (*guard, result.timed_out())
    }
    fn wait_once_for(&self, timeout: Duration) -> bool {
        self.1.wait_timeout(self.0.lock().unwrap(), timeout).unwrap().1.timed_out()
    }
    fn is_free(&self) -> bool {
        self.0.try_lock().is_ok()
    }
}

macro_rules! rich {
    ($($subject:ident $name:literal: $library:ident, $mutex:ident;)+) => {$(
        #[derive(Default)]
        struct $subject($library::$mutex<i32>, $library::Condvar);

        impl Subject for $subject {
            const NAME: &'static str = $name;

            fn set_and_notify_one(&self, value: i32) -> Option<usize> {
                *self.0.lock() = value;
                Some(usize::from(self.1.notify_one()))
            }
            fn set_and_notify_all(&self, value: i32) -> Option<usize> {
                let mut guard = self.0.lock();
                *guard = value;
                let notified: usize = self.1.notify_all();
                Some(notified)
            }
            fn wait_below(&self, limit: i32) -> i32 {
                let mut guard = self.0.lock();
                if limit % 2 == 0 {
                    self.1.wait_while(&mut guard, |value| *value < limit);
                } else {
                    while *guard < limit {
                        self.1.wait(&mut guard);
                    }
                }
                *guard
            }
            fn wait_below_for(&self, limit: i32, timeout: Duration) -> (i32, bool) {
                let mut guard = self.0.lock();
                let below = |value: &mut i32| *value < limit;
                let result: $library::WaitTimeoutResult =
                    self.1.wait_while_for(&mut guard, below, timeout);
                (*guard, result.timed_out())
            }
            fn wait_once_for(&self, timeout: Duration) -> bool {
                self.1.wait_for(&mut self.0.lock(), timeout).timed_out()
            }
            fn is_free(&self) -> bool {
                self.0.try_lock().is_some()
            }
        }

        impl Rich for $subject {
            fn wait_once_until(&self, deadline: Instant) -> bool {
                let result = self.1.wait_until(&mut self.0.lock(), deadline);
                let copy = result;
                assert_eq!(copy, result);
                result.timed_out()
            }
            fn wait_below_until(&self, limit: i32, deadline: Instant) -> (i32, bool) {
                let mut guard = self.0.lock();
                let result =
                    self.1.wait_while_until(&mut guard, |value| *value < limit, deadline);
                (*guard, result.timed_out())
            }
            fn debug(&self) -> String {
                format!("{:?}", self.1.wait_for(&mut self.0.lock(), Duration::ZERO))
            }
        }
    )+};
}

rich! {
    Lot012 "parking_lot 0.12": parking_lot_012, Mutex;
    Lot013 "parking_lot 0.13": parking_lot_013, Mutex;
    Parkade "parkade": parkade, Mutex;
    ParkadeFair "parkade, fair": parkade, FairMutex;
}

/// No condition variable at all: those who wait say for what.
#[derive(Default)]
struct Conditions(parkade::Mutex<i32>);

impl Subject for Conditions {
    const NAME: &'static str = "parkade, conditions";

    fn set_and_notify_one(&self, value: i32) -> Option<usize> {
        *self.0.lock() = value;
        None
    }
    fn set_and_notify_all(&self, value: i32) -> Option<usize> {
        self.set_and_notify_one(value)
    }
    fn wait_below(&self, limit: i32) -> i32 {
        *self.0.lock_when(|value| *value >= limit)
    }
    fn wait_below_for(&self, limit: i32, timeout: Duration) -> (i32, bool) {
        let mut guard = self.0.lock();
        let ended = guard.wait_until_for(|value| *value >= limit, timeout);
        (*guard, ended.timed_out())
    }
    fn wait_once_for(&self, timeout: Duration) -> bool {
        self.0.lock().wait_until_for(|_| false, timeout).timed_out()
    }
    fn is_free(&self) -> bool {
        self.0.try_lock().is_some()
    }
}

/// Every thread but one in turn, each woken by the one before.
fn relay<S: Subject>() -> Log {
    let subject = S::default();
    thread::scope(|scope| {
        let runners: Vec<_> = (1..=6)
            .map(|turn| {
                let subject = &subject;
                scope.spawn(move || {
                    let value = subject.wait_below(turn);
                    subject.set_and_notify_all(value + 1);
                    format!("{turn} ran at {value}")
                })
            })
            .collect();
        // Each waits for a value that only the one before it sets.
        subject.set_and_notify_all(1);
        runners.into_iter().map(|runner| runner.join().unwrap()).collect()
    })
}

fn timeouts<S: Subject>() -> Log {
    let subject = S::default();
    let mut log = Log::new();
    log.push(format!("zero {:?}", subject.wait_below_for(1, Duration::ZERO)));
    log.push(format!("short {:?}", subject.wait_below_for(1, SHORT)));
    log.push(format!("not below {:?}", subject.wait_below_for(0, Duration::ZERO)));
    log.push(format!("free {}", subject.is_free()));
    thread::scope(|scope| {
        let waiting = scope.spawn(|| subject.wait_below_for(1, LONG));
        subject.set_and_notify_all(1);
        log.push(format!("notified {:?}", waiting.join().unwrap()));
        let waiting = scope.spawn(|| subject.wait_below_for(5, LONG));
        subject.set_and_notify_one(5);
        log.push(format!("notified {:?}", waiting.join().unwrap()));
    });
    log.push(format!("once {}", subject.wait_once_for(SHORT)));
    log.push(format!("free {}", subject.is_free()));
    log
}

fn counting<S: Rich>() -> Log {
    let subject = S::default();
    let mut log = Log::new();
    let none = (subject.set_and_notify_one(0), subject.set_and_notify_all(0));
    log.push(format!("nobody {none:?}"));
    thread::scope(|scope| {
        let waiting: Vec<_> = (0..3).map(|_| scope.spawn(|| subject.wait_below(1))).collect();
        // Nothing changes until all three have been notified in one go, so all three wait by then.
        let mut notified = 0;
        while notified < 3 {
            notified = subject.set_and_notify_all(0).unwrap();
            thread::yield_now();
        }
        log.push(format!("all {notified}"));
        let mut woken = 0;
        while woken < 3 {
            woken += subject.set_and_notify_one(1).unwrap();
            if waiting.iter().all(|waiting| waiting.is_finished()) {
                break;
            }
            thread::yield_now();
        }
        for waiting in waiting {
            subject.set_and_notify_all(1);
            log.push(format!("value {}", waiting.join().unwrap()));
        }
    });
    log.push(format!("nobody left {:?}", subject.set_and_notify_all(0)));
    log
}

fn deadlines<S: Rich>() -> Log {
    let subject = S::default();
    let now = Instant::now();
    let mut log = Log::new();
    log.push(format!("past {}", subject.wait_once_until(now)));
    log.push(format!("soon {}", subject.wait_once_until(now + SHORT)));
    log.push(format!("below {:?}", subject.wait_below_until(1, Instant::now() + SHORT)));
    log.push(format!("not below {:?}", subject.wait_below_until(0, now)));
    log.push(subject.debug());
    log.push(format!("free {}", subject.is_free()));
    thread::scope(|scope| {
        let waiting = scope.spawn(|| subject.wait_below_until(1, now + LONG));
        subject.set_and_notify_all(1);
        log.push(format!("notified {:?}", waiting.join().unwrap()));
    });
    log
}

same_over! {
    a_relay = relay: Std, Lot012, Lot013, Parkade, ParkadeFair, Conditions;
    timeouts_agree = timeouts: Std, Lot012, Lot013, Parkade, ParkadeFair, Conditions;
    counts_agree = counting: Lot012, Lot013, Parkade, ParkadeFair;
    deadlines_agree = deadlines: Lot012, Lot013, Parkade, ParkadeFair;
}

/// A guard that is used through references and in a structure, as code does that was written for another library.
#[test]
fn forms_of_calls_compile() {
    struct Holder<'a> {
        guard: parkade::MutexGuard<'a, [u8]>,
    }
    let lock: Box<parkade::Mutex<[u8]>> = Box::new(parkade::Mutex::new([1, 2, 3]));
    let changed: parkade::Condvar = Default::default();
    let mut holder = Holder { guard: lock.lock() };
    changed.wait_while(&mut holder.guard, |bytes| bytes.is_empty());
    changed.wait_while(&mut holder.guard, |bytes: &mut [u8]| bytes.is_empty());
    fn by_reference(changed: &parkade::Condvar, guard: &mut parkade::MutexGuard<'_, [u8]>) -> bool {
        changed.wait_for(guard, Duration::ZERO).timed_out()
    }
    assert!(by_reference(&changed, &mut holder.guard));
    let mut taken = 0;
    let condition = |bytes: &mut [u8]| {
        taken += bytes.len();
        false
    };
    changed.wait_while(&mut holder.guard, condition);
    assert_eq!(taken, 3);
}
