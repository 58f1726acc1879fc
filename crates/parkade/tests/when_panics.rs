//! Evidence that a condition that panics concerns its own thread alone, wherever it is called.

mod support;

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
    time::Duration,
};

use parkade::{Mutex, prelude::*};
use support::{parked, wait_until, watched_test};

const LONG: Duration = Duration::from_secs(3600);

/// The text of the panic that `body` ends in.
fn panics<R>(body: impl FnOnce() -> R) -> Option<String> {
    catch_unwind(AssertUnwindSafe(body)).err().map(|payload| match payload.downcast::<&str>() {
        Ok(text) => text.to_string(),
        Err(payload) => resume_unwind(payload),
    })
}

#[test]
fn a_panic_is_its_own_threads_and_unlocks() {
    let (_progress, _watchdog) = watched_test();
    let value = Mutex::new(0);
    let served = AtomicUsize::new(0);
    thread::scope(|scope| {
        let value = &value;
        let careless = parked(scope, value, || {
            panics(|| {
                drop(value.lock_when(|value| match *value {
                    0 => false,
                    _ => panic!("careless"),
                }));
            })
        });
        let inside = parked(scope, value, || {
            let mut guard = value.lock();
            let text = panics(|| {
                guard.wait_until(|value| match *value {
                    0 => false,
                    _ => panic!("inside"),
                });
            });
            assert!(value.try_lock().is_none(), "the guard is still there");
            drop(guard);
            text
        });
        let others = [1, 2].map(|wanted| {
            let served = &served;
            parked(scope, value, move || {
                drop(value.lock_when(|value| *value >= wanted));
                served.fetch_add(1, Relaxed);
            })
        });
        *value.lock() = 1;
        assert_eq!(careless.join().unwrap().as_deref(), Some("careless"));
        assert_eq!(inside.join().unwrap().as_deref(), Some("inside"));
        wait_until(|| served.load(Relaxed) == 1);
        *value.lock() = 2;
        let _ = others.map(|other| other.join().unwrap());
    });
    assert_eq!(panics(|| value.lock_when(|_| panic!("at once"))).as_deref(), Some("at once"));
    assert!(value.try_lock().is_some());
    assert_eq!(panics(|| value.try_lock_when(|_| panic!("try"))).as_deref(), Some("try"));
    assert_eq!(panics(|| value.try_lock_when_for(|_| panic!("for"), LONG)).as_deref(), Some("for"));
    assert!(value.try_lock().is_some());
}

/// The payload of a panic that panics as it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        std::panic::panic_any("the bomb");
    }
}

#[test]
fn a_panic_does_no_harm_to_one_that_unwinds_already_nor_does_its_payload() {
    let (_progress, _watchdog) = watched_test();
    let value = Mutex::new(0);
    thread::scope(|scope| {
        let value = &value;
        let calls = AtomicUsize::new(0);
        let waiter = parked(scope, value, move || {
            drop(value.lock_when(|value| {
                if *value == 1 && calls.fetch_add(1, Relaxed) == 0 {
                    std::panic::panic_any(Bomb);
                }
                *value == 1
            }));
        });
        let text = panics(|| {
            let mut guard = value.lock();
            *guard = 1;
            panic!("on the way out");
        });
        assert_eq!(text.as_deref(), Some("on the way out"));
        // The second call did not panic, and that one counts.
        waiter.join().unwrap();
    });
}
