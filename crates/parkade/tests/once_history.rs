//! Evidence that `Once` and its kin do not have the bugs that others had: one test each, named for what
//! must hold.

mod support;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
};

use parkade::{LazyLock, Once, OnceLock, OnceState};
use support::{wait_for_parked, watched};

fn panics<R>(body: impl FnOnce() -> R) -> bool {
    catch_unwind(AssertUnwindSafe(body)).is_err()
}

/// A closure that calls its own `Once` hung for ever, and all others with it: rust-lang/rust#72311. Here
/// those who wait already are told.
#[test]
fn a_closure_that_calls_its_own_once_hangs_nobody() {
    let _watched = watched("re-entered Once, others waiting");
    let once = Once::new();
    thread::scope(|scope| {
        let calling = scope.spawn(|| {
            panics(|| {
                once.call_once(|| {
                    wait_for_parked(&once, 2);
                    once.call_once(|| unreachable!());
                });
            })
        });
        while once.state() == OnceState::New {
            thread::yield_now();
        }
        let others = [
            scope.spawn(|| panics(|| once.call_once(|| unreachable!()))),
            scope.spawn(|| panics(|| once.wait())),
        ];
        assert!(calling.join().unwrap());
        for other in others {
            assert!(other.join().unwrap());
        }
    });
    once.call_once_force(|state| assert!(state.is_poisoned()));
}

/// The same for a cell: matklad/once_cell#65. Here another thread that has come with a closure of its
/// own goes on with that.
#[test]
fn a_closure_that_asks_for_its_own_value_leaves_it_to_others() {
    let _watched = watched("re-entered OnceLock, another waiting");
    let (lock, began) = (OnceLock::new(), Once::new());
    thread::scope(|scope| {
        let asking = || {
            lock.get_or_init(|| {
                began.call_once(|| {});
                wait_for_parked(&lock, 1);
                *lock.get_or_init(|| 1)
            })
        };
        let asking = scope.spawn(move || panics(asking));
        began.wait();
        assert_eq!(lock.get_or_init(|| 2), &2);
        assert!(asking.join().unwrap());
    });
    assert_eq!(lock.into_inner(), Some(2));
}

/// The same for lazy values, by way of one another: rust-lang-nursery/lazy-static.rs#95.
#[test]
fn lazy_values_that_need_each_other_hang_nobody() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    static ONE: LazyLock<usize> = LazyLock::new(|| *OTHER + CALLS.fetch_add(1, Relaxed));
    static OTHER: LazyLock<usize> = LazyLock::new(|| *ONE + CALLS.fetch_add(1, Relaxed));
    let _watched = watched("lazy values that need each other");
    assert!(panics(|| *ONE));
    assert!(panics(|| *OTHER) && panics(|| *ONE));
    assert_eq!(CALLS.load(Relaxed), 0);
}
