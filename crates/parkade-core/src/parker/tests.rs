//! Evidence for: the parker contract, the same for every platform. `--cfg parkade_portable` runs
//! it over the portable parker on a machine that has futexes.

use super::*;
use std::{sync::Arc, time::Duration};

fn soon() -> Option<Moment> {
    Some(Moment::after(Duration::from_millis(20)))
}

#[test]
fn a_wait_on_another_value_returns_at_once() {
    let word = AtomicU32::new(1);
    assert_eq!(wait(&word, 0, None), Waited::Look);
}

#[test]
fn a_wait_ends_at_its_deadline_and_not_before() {
    let word = AtomicU32::new(0);
    let deadline = Moment::after(Duration::from_millis(20));
    while wait(&word, 0, Some(deadline)) != Waited::TimedOut {}
    assert!(Moment::now() >= deadline);
}

#[test]
fn a_deadline_in_the_past_times_out() {
    let word = AtomicU32::new(0);
    let past = Moment::now();
    assert_eq!(wait(&word, 0, Some(past)), Waited::TimedOut);
}

#[test]
fn a_deadline_in_centuries_is_not_an_error() {
    let word = Arc::new(AtomicU32::new(0));
    let waker = {
        let word = word.clone();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            word.store(1, Ordering::Release);
            wake_one(&raw const *word);
        })
    };
    while word.load(Ordering::Acquire) == 0 {
        assert_eq!(wait(&word, 0, Some(Moment::NEVER)), Waited::Look);
    }
    waker.join().unwrap();
}

#[test]
fn a_notification_before_the_wait_is_kept() {
    let parker = Parker::new();
    // SAFETY: alive, and the only notification.
    unsafe { Parker::notify(&raw const parker) };
    assert!(parker.park(None));
    assert!(parker.park(soon()), "a notification is final");
}

#[test]
fn without_notification_the_deadline_ends_the_wait() {
    assert!(!Parker::new().park(soon()));
}

#[test]
fn notifications_race_sleeps_without_loss() {
    for round in 0..5_000 {
        let parker = Arc::new(Parker::new());
        let notifier = {
            let parker = parker.clone();
            std::thread::spawn(move || {
                for _ in 0..round % 64 {
                    core::hint::spin_loop();
                }
                // SAFETY: the Arc keeps it alive; the only notification.
                unsafe { Parker::notify(Arc::as_ptr(&parker)) };
            })
        };
        assert!(parker.park(None));
        notifier.join().unwrap();
    }
}

#[test]
fn waking_an_address_that_is_gone_is_harmless() {
    let gone: *const AtomicU32 = {
        let word = Box::new(AtomicU32::new(0));
        &raw const *word
    };
    wake_one(gone);
    wake_one(core::ptr::without_provenance(64));
}
