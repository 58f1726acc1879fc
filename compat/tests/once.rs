//! Running something once. `crate::lot` as in `locks.rs`.

use crate::lot::{Once, OnceState};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
};

#[test]
fn it_runs_once_and_everybody_waits_for_it() {
    static ONCE: Once = Once::new();
    let count = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                ONCE.call_once(|| {
                    thread::yield_now();
                    count.fetch_add(1, Relaxed);
                });
                assert_eq!(count.load(Relaxed), 1);
                assert!(ONCE.state().done());
            });
        }
    });
}

#[test]
fn a_panic_poisons_until_somebody_forces_it() {
    let once = Once::default();
    assert_eq!(format!("{once:?}"), "Once { state: New }");
    let panics = AssertUnwindSafe(|| once.call_once(|| panic!("on purpose")));
    catch_unwind(panics).unwrap_err();
    assert!(once.state().poisoned());
    let runs = AssertUnwindSafe(|| once.call_once(|| unreachable!("it is poisoned")));
    catch_unwind(runs).unwrap_err();
    once.call_once_force(|state| {
        assert_eq!(state, OnceState::Poisoned);
        assert_eq!(once.state(), OnceState::InProgress);
    });
    assert_eq!(once.state(), OnceState::Done);
    once.call_once_force(|_| unreachable!("it is done"));
}
