//! Waiting for a notification. `crate::lot` as in `locks.rs`.

use crate::lot::{Condvar, Mutex, MutexGuard};
use std::{
    thread,
    time::{Duration, Instant},
};

const SOON: Duration = Duration::from_millis(2);

#[test]
fn a_notification_wakes_one_or_all() {
    const WAITERS: usize = 4;
    // How many have begun to wait, and how many may go.
    let (mutex, changed) = (Mutex::new((0, 0)), Condvar::new());
    assert!(!changed.notify_one());
    assert_eq!(changed.notify_all(), 0);
    thread::scope(|scope| {
        for _ in 0..WAITERS {
            scope.spawn(|| {
                let mut state = mutex.lock();
                state.0 += 1;
                while state.1 == 0 {
                    changed.wait(&mut state);
                }
                state.1 -= 1;
            });
        }
        // Who has counted itself and let go of the mutex waits.
        while mutex.lock().0 < WAITERS {
            thread::yield_now();
        }
        let mut state = mutex.lock();
        state.1 = 1;
        assert!(changed.notify_one());
        drop(state);
        while mutex.lock().1 > 0 {
            thread::yield_now();
        }
        let mut state = mutex.lock();
        state.1 = WAITERS - 1;
        assert_eq!(changed.notify_all(), WAITERS - 1);
    });
    assert_eq!(mutex.into_inner(), (WAITERS, 0));
}

#[test]
fn threads_take_turns() {
    const TURNS: usize = 2_000;
    let (turn, changed) = (Mutex::new(0), Condvar::new());
    thread::scope(|scope| {
        for me in 0..3 {
            let (turn, changed) = (&turn, &changed);
            scope.spawn(move || {
                for _ in 0..TURNS {
                    let mut turn = turn.lock();
                    changed.wait_while(&mut turn, |turn| *turn % 3 != me);
                    *turn += 1;
                    changed.notify_all();
                }
            });
        }
    });
    assert_eq!(turn.into_inner(), 3 * TURNS);
}

#[test]
fn a_wait_ends_at_its_deadline_and_has_the_mutex_again() {
    let (mutex, changed) = (Mutex::new(0), Condvar::new());
    let mut guard = mutex.lock();
    let began = Instant::now();
    assert!(changed.wait_for(&mut guard, SOON).timed_out());
    assert!(changed.wait_until(&mut guard, began + 2 * SOON).timed_out());
    assert!(began.elapsed() >= 2 * SOON);
    let mut asked = 0;
    let condition = |_: &mut i32| {
        asked += 1;
        true
    };
    assert!(changed.wait_while_for(&mut guard, condition, SOON).timed_out());
    assert!(asked >= 1);
    assert!(!changed.wait_while_until(&mut guard, |_| false, Instant::now()).timed_out());
    *guard += 1;
    thread::scope(|scope| {
        scope.spawn(|| assert!(mutex.try_lock().is_none()));
    });
    drop(guard);
    assert_eq!(mutex.into_inner(), 1);
}

#[test]
fn a_timeout_that_no_clock_reaches_waits_for_a_notification() {
    let (mutex, changed) = (Mutex::new(false), Condvar::new());
    thread::scope(|scope| {
        let mut guard = mutex.lock();
        scope.spawn(|| {
            *mutex.lock() = true;
            changed.notify_one();
        });
        assert!(!changed.wait_for(&mut guard, Duration::MAX).timed_out());
        assert!(*guard);
        assert!(!changed.wait_while_for(&mut guard, |_| false, Duration::MAX).timed_out());
    });
}

#[test]
fn the_value_may_be_of_any_kind() {
    let (mutex, changed) = (Mutex::new([1, 2]), Condvar::new());
    let unsized_mutex: &Mutex<[i32]> = &mutex;
    let mut guard: MutexGuard<'_, [i32]> = unsized_mutex.lock();
    assert!(changed.wait_for(&mut guard, Duration::ZERO).timed_out());
    changed.wait_while(&mut guard, |values| values.len() > 2);
    assert_eq!(format!("{:?}", Condvar::default()), "Condvar { .. }");
}
