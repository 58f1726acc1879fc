//! Evidence for what [`WaitGroup`] promises: handles that are cloned, dropped and waited with; a deadline that gives a
//! handle back; a member that panics.

mod support;

use std::{
    fmt::Debug,
    panic::{RefUnwindSafe, UnwindSafe},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use parkade::WaitGroup;
use static_assertions::assert_impl_all;
use support::{CENTURIES, SHORT, far_future, past, wait_until, watched_test};

assert_impl_all!(WaitGroup: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Clone, Default, Debug);

const _: () = assert!(size_of::<WaitGroup>() == size_of::<usize>());

#[test]
fn waits_for_all_others() {
    let _watched = watched_test();
    static DONE: AtomicU32 = AtomicU32::new(0);
    let group = WaitGroup::new();
    for _ in 0..8 {
        let member = group.clone();
        thread::spawn(move || {
            // Members bring in members.
            let another = member.clone();
            thread::spawn(move || {
                DONE.fetch_add(1, Relaxed);
                drop(another);
            });
            DONE.fetch_add(1, Relaxed);
            drop(member);
        });
    }
    group.wait();
    assert_eq!(DONE.load(Relaxed), 16);
}

#[test]
fn counts_its_handles() {
    let group = WaitGroup::default();
    assert_eq!(group.count(), 1);
    let others = [group.clone(), group.clone()];
    assert_eq!((group.count(), others[0].count()), (3, 3));
    assert_eq!(format!("{group:?}"), "WaitGroup { count: 3 }");
    drop(others);
    assert_eq!(group.count(), 1);
    group.wait();
}

#[test]
fn who_is_alone_does_not_wait() {
    WaitGroup::new().wait();
    assert!(WaitGroup::new().wait_for(Duration::ZERO).is_ok());
    assert!(WaitGroup::new().wait_until(past()).is_ok());
}

/// They leave the group by waiting, so they do not wait for each other.
#[test]
fn several_wait_at_once() {
    let _watched = watched_test();
    let group = WaitGroup::new();
    thread::scope(|scope| {
        for _ in 0..2 {
            let waits = group.clone();
            scope.spawn(move || waits.wait());
            let waits = group.clone();
            scope.spawn(move || assert!(waits.wait_for(Duration::MAX).is_ok()));
            let waits = group.clone();
            scope.spawn(move || assert!(waits.wait_until(far_future()).is_ok()));
        }
        wait_until(|| group.count() == 1);
        drop(group);
    });
}

#[test]
fn a_deadline_gives_the_handle_back() {
    let _watched = watched_test();
    let (mut group, other) = (WaitGroup::new(), WaitGroup::new());
    let member = group.clone();
    for timeout in SHORT {
        let start = Instant::now();
        group = group.wait_for(timeout).unwrap_err();
        assert!(start.elapsed() >= timeout);
        group = group.wait_until(Instant::now() + timeout).unwrap_err();
        assert_eq!((group.count(), member.count(), other.count()), (2, 2, 1));
    }
    group = group.wait_until(past()).unwrap_err();
    // It is a handle like any other: the other one waits for it.
    thread::scope(|scope| {
        let waiting = scope.spawn(move || member.wait());
        wait_until(|| group.count() == 1);
        assert!(!waiting.is_finished());
        drop(group);
    });
    other.wait();
}

#[test]
fn centuries_do_not_overflow() {
    let _watched = watched_test();
    for timeout in CENTURIES {
        let group = WaitGroup::new();
        let member = group.clone();
        thread::scope(|scope| {
            let waiting = scope.spawn(move || group.wait_for(timeout).is_ok());
            wait_until(|| member.count() == 1);
            drop(member);
            assert!(waiting.join().unwrap());
        });
    }
}

#[test]
fn a_member_that_panics_has_left() {
    let _watched = watched_test();
    let group = WaitGroup::new();
    let threads = [(); 4].map(|()| {
        let member = group.clone();
        thread::spawn(move || {
            let _member = member;
            std::panic::resume_unwind(Box::new("on purpose"));
        })
    });
    group.wait();
    assert!(threads.into_iter().all(|thread| thread.join().is_err()));
}
