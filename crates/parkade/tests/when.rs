//! Evidence for what waiting for conditions under a mutex promises: who calls a condition, who is woken and who is
//! not, what a deadline is at every place where it may pass.

mod support;

use std::{
    sync::{
        Mutex as StdMutex,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Relaxed, SeqCst},
        },
        mpsc,
    },
    thread::{self, ThreadId},
    time::{Duration, Instant},
};

use parkade::{Condvar, Mutex, MutexGuard, prelude::*, shared};
use support::{
    CENTURIES, SHORT, far_future, parked, parked_on, past, wait_for_parked, wait_until,
    watched_test,
};

const LONG: Duration = Duration::from_secs(3600);
const MOMENT: Duration = Duration::from_millis(30);

#[test]
fn the_lock_has_not_grown() {
    assert_eq!((size_of::<parkade::RawMutex>(), align_of::<parkade::RawMutex>()), (2, 1));
    assert_eq!(size_of::<Mutex<u8>>(), 3);
}

#[test]
fn a_condition_that_is_true_does_not_wait() {
    let value = Mutex::new(5);
    assert_eq!(*value.lock_when(|value| *value == 5), 5);
    assert!(value.try_lock_when(|value| *value == 5).is_some());
    assert!(value.try_lock_when_for(|value| *value == 5, Duration::ZERO).is_some());
    assert!(value.try_lock_when_until(|value| *value == 5, past()).is_some());
    let mut guard = value.lock();
    guard.wait_until(|value| *value == 5);
    assert!(!guard.wait_until_for(|value| *value == 5, Duration::ZERO).timed_out());
    assert!(!guard.wait_until_deadline(|value| *value == 5, past()).timed_out());
}

#[test]
fn a_condition_that_is_false_times_out_and_not_early() {
    let (_progress, _watchdog) = watched_test();
    let value = Mutex::new(5);
    let never = |value: &i32| *value == 6;
    assert!(value.try_lock_when(never).is_none());
    assert!(value.try_lock_when_until(never, past()).is_none());
    assert!(value.lock().wait_until_deadline(never, past()).timed_out());
    for timeout in SHORT {
        let start = Instant::now();
        assert!(value.try_lock_when_for(never, timeout).is_none());
        assert!(start.elapsed() >= timeout, "early");
        let mut guard = value.lock();
        let start = Instant::now();
        assert!(guard.wait_until_for(never, timeout).timed_out());
        assert!(start.elapsed() >= timeout, "early");
        *guard = 5;
        let start = Instant::now();
        assert!(guard.wait_until_deadline(never, start + timeout).timed_out());
        assert!(start.elapsed() >= timeout, "early");
    }
    assert!(parked_on(&value).is_empty());
    assert!(value.try_lock().is_some());
}

#[test]
fn who_makes_it_true_need_not_say_so() {
    let (_progress, _watchdog) = watched_test();
    let value = Mutex::new(0);
    thread::scope(|scope| {
        let waiters = [
            parked(scope, &value, || *value.lock_when(|value| *value == 1)),
            parked(scope, &value, || {
                let mut guard = value.lock();
                guard.wait_until(|value| *value == 1);
                *guard
            }),
            parked(scope, &value, || {
                *value.try_lock_when_for(|value| *value == 1, LONG).expect("in time")
            }),
            parked(scope, &value, || {
                *value.try_lock_when_until(|value| *value == 1, far_future()).expect("in time")
            }),
            parked(scope, &value, || {
                let mut guard = value.lock();
                assert!(!guard.wait_until_for(|value| *value == 1, LONG).timed_out());
                *guard
            }),
            parked(scope, &value, || {
                let mut guard = value.lock();
                assert!(!guard.wait_until_deadline(|value| *value == 1, far_future()).timed_out());
                *guard
            }),
        ];
        *value.lock() = 1;
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap(), 1);
        }
    });
    assert!(parked_on(&value).is_empty());
}

#[test]
fn a_timeout_may_be_too_long_for_the_clock() {
    let (_progress, _watchdog) = watched_test();
    for timeout in CENTURIES {
        let value = Mutex::new(0);
        thread::scope(|scope| {
            let waiter = parked(scope, &value, || {
                value.try_lock_when_for(|value| *value == 1, timeout).is_some()
            });
            *value.lock() = 1;
            assert!(waiter.join().unwrap());
        });
    }
}

/// The heart of it: a condition is called by those who unlock, and who waits sleeps on.
#[test]
fn a_false_condition_is_called_elsewhere_and_wakes_nobody() {
    const UNLOCKS: usize = 100;
    let (_progress, _watchdog) = watched_test();
    let value = Mutex::new(0);
    let callers = StdMutex::new(Vec::<ThreadId>::new());
    thread::scope(|scope| {
        let waiter = parked(scope, &value, || {
            let guard = value.lock_when(|value| {
                callers.lock().unwrap().push(thread::current().id());
                *value == UNLOCKS
            });
            (*guard, thread::current().id())
        });
        // The calls before it slept are its own.
        let own = std::mem::take(&mut *callers.lock().unwrap());
        let asleep = parked_on(&value);
        for _ in 1..UNLOCKS {
            *value.lock() += 1;
            assert_eq!(parked_on(&value), asleep, "woken, or queued anew");
        }
        let elsewhere = std::mem::take(&mut *callers.lock().unwrap());
        *value.lock() += 1;
        let (there, waiter) = waiter.join().unwrap();
        assert_eq!(there, UNLOCKS);
        assert!(own.iter().all(|caller| *caller == waiter) && own.len() == 1);
        assert_eq!(elsewhere, vec![thread::current().id(); UNLOCKS - 1], "once for each unlock");
        let last = callers.lock().unwrap();
        assert_eq!(*last, [thread::current().id(), waiter], "called again before it returns");
    });
}

#[test]
fn the_first_whose_condition_is_true_comes_first() {
    let (_progress, _watchdog) = watched_test();
    let value = Mutex::new((0, Vec::new()));
    thread::scope(|scope| {
        let wait = |name, least| {
            let value = &value;
            move || value.lock_when(move |(there, _)| *there >= least).1.push(name)
        };
        parked(scope, &value, wait("other", 2));
        for name in ["first", "second", "third"] {
            parked(scope, &value, wait(name, 1));
        }
        value.lock().0 = 1;
        wait_until(|| value.lock().1.len() == 3);
        assert_eq!(value.lock().1, ["first", "second", "third"]);
        value.lock().0 = 2;
    });
    assert_eq!(value.into_inner().1.last(), Some(&"other"));
}

/// Of two that wait for one thing, the second to come is taken for the first by a newcomer: it keeps its turn.
#[test]
fn who_finds_it_gone_keeps_its_turn() {
    let (_progress, _watchdog) = watched_test();
    let value = Mutex::new((0, Vec::new()));
    thread::scope(|scope| {
        let take = |name| {
            let value = &value;
            move || {
                let mut guard = value.lock_when(|(there, _)| *there > 0);
                guard.0 -= 1;
                guard.1.push(name);
            }
        };
        let names = ["first", "second", "third"];
        let _ = names.map(|name| parked(scope, &value, take(name)));
        let order: Vec<_> = parked_on(&value).iter().map(|parked| parked.thread).collect();
        for _ in 0..100 {
            let mut guard = value.lock();
            guard.0 += 1;
            // Puts the first in line; with luck this thread is faster than it.
            drop(guard);
            if let Some(mut guard) = value.try_lock_when(|(there, _)| *there > 0) {
                guard.0 -= 1;
            }
            wait_until(|| value.lock().0 == 0);
            wait_until(|| parked_on(&value).len() == 3 - value.lock().1.len());
            let taken = value.lock().1.len();
            let left: Vec<_> = parked_on(&value).iter().map(|parked| parked.thread).collect();
            assert_eq!(left, order[taken..]);
            if taken == 3 {
                break;
            }
        }
        let mut guard = value.lock();
        guard.0 += 3 - guard.1.len();
        drop(guard);
    });
    assert_eq!(value.into_inner().1, ["first", "second", "third"]);
}

#[test]
fn who_waits_lets_others_go_on_first() {
    let (_progress, _watchdog) = watched_test();
    const TURNS: u32 = 200;
    let value = Mutex::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut guard = value.lock();
            for _ in 0..TURNS {
                guard.wait_until(|value| value % 2 == 1);
                *guard += 1;
            }
        });
        let mut guard = value.lock();
        for _ in 0..TURNS {
            guard.wait_until(|value| value % 2 == 0);
            *guard += 1;
        }
    });
    assert_eq!(value.into_inner(), 2 * TURNS);
}

#[test]
fn a_fair_unlock_is_for_the_one_whose_condition_is_true() {
    let (_progress, _watchdog) = watched_test();
    for _ in 0..20 {
        let value = Mutex::new(0);
        thread::scope(|scope| {
            let waiter = parked(scope, &value, || *value.lock_when(|value| *value > 0) += 10);
            let mut guard = value.lock();
            *guard = 1;
            MutexGuard::unlock_fair(guard);
            // It was reserved.
            assert_eq!(*value.lock(), 11);
            waiter.join().unwrap();

            let waiter = parked(scope, &value, || *value.lock_when(|value| *value == 1) += 10);
            let mut guard = value.lock();
            MutexGuard::bump(&mut guard);
            assert_eq!(*guard, 11, "bumped for nobody");
            *guard = 1;
            MutexGuard::bump(&mut guard);
            assert_eq!(*guard, 11, "it had its turn");
            drop(guard);
            waiter.join().unwrap();
        });
    }
}

#[test]
fn all_ways_to_let_go_look() {
    let (_progress, _watchdog) = watched_test();
    let ways: [fn(&Mutex<i32>); 4] = [
        |value| *value.lock() = 1,
        |value| {
            let mut guard = value.lock();
            *guard = 1;
            MutexGuard::unlocked(&mut guard, || wait_until(|| *value.lock() == 2));
        },
        |value| {
            let mut guard = value.lock();
            *guard = 1;
            Condvar::new().wait_for(&mut guard, MOMENT);
        },
        |value| {
            drop(MutexGuard::map(value.lock(), |value| {
                *value = 1;
                value
            }))
        },
    ];
    for way in ways {
        let value = Mutex::new(0);
        thread::scope(|scope| {
            let waiter = parked(scope, &value, || *value.lock_when(|value| *value == 1) = 2);
            way(&value);
            waiter.join().unwrap();
        });
        assert_eq!(value.into_inner(), 2);
    }
}

#[test]
fn a_condition_variable_and_conditions_share_a_lock() {
    let (_progress, _watchdog) = watched_test();
    let (value, changed) = (Mutex::new(0), Condvar::new());
    thread::scope(|scope| {
        scope.spawn(|| {
            for turn in 0..100 {
                *value.lock_when(|value| *value == 2 * turn + 1) += 1;
                changed.notify_one();
            }
        });
        let mut guard = value.lock();
        for _ in 0..100 {
            let next = *guard + 2;
            *guard += 1;
            changed.wait_while(&mut guard, |value| *value != next);
        }
    });
    assert_eq!(value.into_inner(), 200);
}

/// The deadline passes while another thread is calling the condition: that is waited for, and nothing else.
#[test]
fn a_deadline_passes_while_the_condition_is_called() {
    let (_progress, _watchdog) = watched_test();
    for answer in [false, true] {
        let value = Mutex::new(0);
        let (calling, left) = (AtomicBool::new(false), AtomicBool::new(false));
        thread::scope(|scope| {
            let (lock, calling, left) = (&value, &calling, &left);
            let main = thread::current().id();
            let waiter = parked(scope, lock, move || {
                let got = lock.try_lock_when_for(
                    |_| {
                        if thread::current().id() != main {
                            return false;
                        }
                        calling.store(true, SeqCst);
                        // Until it is not in the queue any more.
                        wait_until(|| parked_on(lock).is_empty());
                        assert!(!left.load(SeqCst), "its frame is gone while it is called");
                        answer
                    },
                    MOMENT,
                );
                left.store(true, SeqCst);
                got.is_some()
            });
            drop(value.lock());
            assert!(calling.load(SeqCst), "called by who unlocks");
            assert!(!waiter.join().unwrap(), "it had left");
        });
        assert!(value.try_lock().is_some());
    }
}

/// The deadline passes for a thread whose condition is true, in the queue of the lock: it does not wait for the lock to
/// say so, and whoever is behind it is not forgotten.
#[test]
fn a_deadline_passes_in_line() {
    let (_progress, _watchdog) = watched_test();
    let value = Mutex::new(0);
    let (go, gone) = mpsc::channel();
    thread::scope(|scope| {
        let timed = parked(scope, &value, || {
            value.try_lock_when_for(|value| *value == 1, 10 * MOMENT).is_some()
        });
        let patient = parked(scope, &value, || {
            let mut guard = value.lock();
            // Only the wait for the condition ends, and that has.
            !guard.wait_until_for(|value| *value == 1, LONG).timed_out()
        });
        let mut guard = value.lock();
        let lock = &value;
        let holder = parked(scope, lock, move || {
            let guard = lock.lock();
            gone.recv().unwrap();
            drop(guard);
        });
        *guard = 1;
        // The holder is first in line, and takes its time.
        MutexGuard::unlock_fair(guard);
        assert!(!timed.join().unwrap(), "it was in line behind who holds the lock");
        assert!(!patient.is_finished());
        go.send(()).unwrap();
        holder.join().unwrap();
        assert!(patient.join().unwrap());
    });
}

#[test]
fn two_hundred_with_the_same_condition_take_one_call() {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    const THREADS: usize = 200;
    let (_progress, _watchdog) = watched_test();
    let value = Mutex::new(0);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                *value.lock_when(|value| {
                    CALLS.fetch_add(1, Relaxed);
                    *value > 0
                }) -= 1;
            });
        }
        wait_for_parked(&value, THREADS);
        let before = CALLS.load(Relaxed);
        drop(value.lock());
        assert_eq!(CALLS.load(Relaxed), before + 1);
        *value.lock() = 1;
        wait_until(|| *value.lock() == 0);
        wait_for_parked(&value, THREADS - 1);
        *value.lock() = THREADS - 1;
    });
    assert_eq!(value.into_inner(), 0);
}

#[test]
fn a_condition_may_use_other_locks_and_change_what_it_has_captured() {
    let (_progress, _watchdog) = watched_test();
    let (value, other) = (Mutex::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        let mut calls = 0;
        let (value, other) = (&value, &other);
        let waiter = parked(scope, value, move || {
            drop(value.lock_when(|value| {
                calls += 1;
                other.lock().push(*value);
                calls >= 4
            }));
            calls
        });
        *value.lock() = 1;
        *value.lock() = 2;
        assert_eq!(*other.lock(), [0, 1, 2]);
        *value.lock() = 3;
        assert_eq!(waiter.join().unwrap(), 5);
    });
    assert_eq!(*other.lock(), [0, 1, 2, 3, 3]);
}

#[test]
fn it_is_no_matter_what_is_protected() {
    let (_progress, _watchdog) = watched_test();
    let slice: &Mutex<[u8]> = &Mutex::new([0; 3]);
    thread::scope(|scope| {
        let waiter = parked(scope, slice, || slice.lock_when(|slice| slice[1] == 1).len());
        slice.lock()[1] = 1;
        assert_eq!(waiter.join().unwrap(), 3);
    });
    let text: &Mutex<dyn std::fmt::Debug + Send> = &Mutex::new("text");
    let ended = text.lock().wait_until_for(|text| format!("{text:?}").is_empty(), MOMENT);
    assert!(ended.timed_out());
    // What is not `Send` stays where it is.
    let local = Mutex::new(std::rc::Rc::new(1));
    assert!(local.try_lock_when_for(|local| **local == 2, Duration::from_millis(1)).is_none());
}

#[test]
fn a_handle_does_it_too() {
    let (_progress, _watchdog) = watched_test();
    let value = shared::Mutex::new(0);
    let same = value.clone();
    let waiter = thread::spawn(move || *same.lock_when(|value| *value == 1));
    wait_for_parked(&**value, 1);
    *value.lock() = 1;
    assert_eq!(waiter.join().unwrap(), 1);
}

#[cfg(feature = "arc_lock")]
#[test]
fn a_guard_that_owns_its_lock_does_it_too() {
    let (_progress, _watchdog) = watched_test();
    let value = std::sync::Arc::new(Mutex::new(0));
    let mut guard = value.lock_arc();
    let other = thread::spawn({
        let value = value.clone();
        move || *value.lock() = 1
    });
    guard.wait_until(|value| *value == 1);
    assert_eq!(*guard, 1);
    drop(guard);
    other.join().unwrap();
}

/// A plain locker gives up as it is woken, round after round, while others wait for conditions.
#[test]
fn impatient_lockers_do_not_swallow_a_wake() {
    let (_progress, _watchdog) = watched_test();
    const ROUNDS: u64 = 300;
    let value = Mutex::new(0);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for timeout in [0, 1, 5, 20, 50].into_iter().cycle() {
                    if over.load(Relaxed) {
                        break;
                    }
                    drop(value.try_lock_for(Duration::from_micros(timeout)));
                }
            });
        }
        scope.spawn(|| {
            for round in 0..ROUNDS {
                *value.lock_when(|value| *value == 2 * round + 1) += 1;
            }
        });
        for round in 0..ROUNDS {
            *value.lock_when(|value| *value == 2 * round) += 1;
        }
        drop(value.lock_when(|value| *value == 2 * ROUNDS));
        over.store(true, Relaxed);
    });
}
