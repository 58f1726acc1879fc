//! Evidence that debug builds report a read that would wait for the thread itself, with both places, and
//! report nothing else.
#![cfg(all(debug_assertions, not(feature = "send_guard")))]

mod support;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc,
    thread,
    time::Duration,
};

use parkade::{
    RecursiveRwLock, RwLock, RwLockReadGuard, RwLockUpgradableReadGuard, RwLockWriteGuard,
    prelude::*,
};
use support::{make_biased, wait_for_parked, watched, watched_test, words};

/// What `body` panics with.
fn panic_of(body: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(body)).expect_err("no panic");
    *panic.downcast::<String>().expect("a formatted message")
}

/// Has `first`, then a writer waiting for it, then `second`, which must panic and name the line of the
/// first.
fn two_reads<'a, G>(
    lock: &'a RwLock<u32>,
    first: impl FnOnce(&'a RwLock<u32>) -> (G, u32),
    second: impl FnOnce(&'a RwLock<u32>) -> u32,
) {
    let _watched = watched("two reads");
    let (first, line) = first(lock);
    thread::scope(|scope| {
        let writer = scope.spawn(|| *lock.write() += 1);
        wait_for_parked(lock, 1);
        let message = panic_of(|| _ = second(lock));
        let here = |line: u32| format!("{}:{line}:", file!());
        assert!(message.starts_with("deadlock: read() at "), "{message}");
        assert!(message.contains(&format!("since {}", here(line))), "{message}, not {line}");
        // Nothing was changed: the writer still waits, and gets in when the first guard is gone.
        wait_for_parked(lock, 1);
        drop(first);
        writer.join().unwrap();
    });
    assert_eq!(*lock.read(), 1);
    assert!(lock.try_write().is_some(), "{}", words(lock));
    *lock.write() = 0;
}

#[test]
fn a_second_read_with_a_writer_in_between_is_reported() {
    two_reads(&RwLock::new(0), |lock| (lock.read(), line!()), |lock| *lock.read());
}

#[test]
fn a_second_read_while_the_first_is_by_a_slot_is_reported() {
    let lock = RwLock::new(0);
    if make_biased(&lock) {
        two_reads(&lock, |lock| (lock.read(), line!()), |lock| *lock.read());
    }
}

#[test]
fn it_matters_not_how_the_first_guard_came_about() {
    let lock = RwLock::new(0);
    two_reads(&lock, |lock| (lock.try_read().unwrap(), line!()), |lock| *lock.read());
    let soon = Duration::from_secs(1);
    two_reads(&lock, |lock| (lock.try_read_for(soon).unwrap(), line!()), |lock| *lock.read());
    two_reads(&lock, |lock| (lock.read_recursive(), line!()), |lock| *lock.read());
    two_reads(
        &lock,
        |lock| (RwLockWriteGuard::downgrade(lock.write()), line!()),
        |lock| *lock.read(),
    );
    two_reads(
        &lock,
        |lock| (RwLockReadGuard::map(lock.read(), |value| value), line!()),
        |lock| *lock.read(),
    );
    two_reads(
        &lock,
        |lock| (RwLockUpgradableReadGuard::downgrade(lock.upgradable_read()), line!()),
        |lock| *lock.read(),
    );
}

#[test]
fn the_message_names_both_places() {
    let _watched = watched("both places");
    let lock = RwLock::new(0);
    let (first, first_line) = (lock.read(), line!());
    thread::scope(|scope| {
        scope.spawn(|| *lock.write() += 1);
        wait_for_parked(&lock, 1);
        let mut line = 0;
        let message = panic_of(|| {
            line = line!() + 1;
            drop(lock.read());
        });
        for line in [first_line, line] {
            assert!(message.contains(&format!("{}:{line}:", file!())), "{message}, not {line}");
        }
        drop(first);
    });
}

#[test]
fn reading_what_the_thread_itself_writes_is_reported() {
    let _watched = watched_test();
    let lock = RwLock::new(0);
    let writing = lock.write();
    assert!(panic_of(|| drop(lock.read())).starts_with("deadlock: read() at "));
    drop(writing);
    assert!(lock.try_write().is_some());
}

#[test]
fn two_reads_without_a_writer_are_not() {
    let _watched = watched_test();
    let lock = RwLock::new(0);
    let (one, other) = (lock.read(), lock.read());
    let (third, fourth) = (lock.upgradable_read(), lock.read());
    assert_eq!((*one, *other, *third, *fourth), (0, 0, 0, 0));
}

#[test]
fn recursive_reads_and_tries_are_not() {
    let _watched = watched("recursive reads");
    let lock = RwLock::new(0);
    let first = lock.read();
    thread::scope(|scope| {
        scope.spawn(|| *lock.write() += 1);
        wait_for_parked(&lock, 1);
        drop(lock.read_recursive());
        assert!(lock.try_read().is_none());
        assert!(lock.try_read_for(Duration::from_millis(1)).is_none());
        drop(first);
    });
    let lock = RecursiveRwLock::new(0);
    let first = lock.read();
    thread::scope(|scope| {
        scope.spawn(|| *lock.write() += 1);
        wait_for_parked(&lock, 1);
        drop(lock.read());
        drop(first);
    });
}

/// A thread that has read and let go waits like any other, after all that can be done with a guard.
#[test]
fn reads_after_one_another_are_not() {
    let _watched = watched("reads after one another");
    let lock = RwLock::new(0);
    drop(lock.read());
    drop(RwLockWriteGuard::downgrade(lock.write()));
    drop(RwLockUpgradableReadGuard::upgrade(lock.upgradable_read()));
    drop(RwLockWriteGuard::downgrade_to_upgradable(lock.write()));
    RwLockReadGuard::unlock_fair(lock.read());
    RwLockReadGuard::unlocked(&mut lock.read(), || drop(lock.write()));
    RwLockReadGuard::bump(&mut lock.read());
    RwLockWriteGuard::bump(&mut lock.write());
    thread::scope(|scope| {
        let (lock, (go, wait)) = (&lock, mpsc::channel::<()>());
        scope.spawn(move || {
            let _writing = lock.write();
            go.send(()).unwrap();
            wait_for_parked(lock, 1);
        });
        wait.recv().unwrap();
        assert_eq!(*lock.read(), 0);
    });
}

/// The guard goes into the future, and what becomes of that on another thread is not this thread's.
#[test]
fn reads_after_an_upgrade_that_was_awaited_elsewhere_are_not() {
    let _watched = watched_test();
    let lock = RwLock::new(0);
    let upgrade = lock.upgradable_read().upgrade_async();
    thread::scope(|scope| {
        let (lock, (go, wait)) = (&lock, mpsc::channel::<()>());
        scope.spawn(move || {
            let mut writing = futures::executor::block_on(upgrade);
            *writing += 1;
            go.send(()).unwrap();
            wait_for_parked(lock, 1);
        });
        wait.recv().unwrap();
        assert_eq!(*lock.read(), 1);
    });
}

/// More guards at once than are remembered: then less is reported, and nothing else happens.
#[test]
fn many_guards_at_once() {
    let _watched = watched_test();
    let locks: Vec<_> = (0..100).map(RwLock::new).collect();
    let mut guards: Vec<_> = locks.iter().map(RwLock::read).collect();
    assert!(guards.iter().map(|guard| **guard).eq(0..100));
    while guards.len() > 1 {
        drop(guards.swap_remove(guards.len() / 2));
    }
    drop(guards);
    assert!(locks.iter().all(|lock| lock.try_write().is_some()));
}

/// A guard that was forgotten is on the thread's list for ever. A later lock at that address is another.
#[test]
fn forgotten_reads_of_an_earlier_lock_are_not() {
    let _watched = watched("forgotten reads");
    let mut place = RwLock::new(0);
    std::mem::forget(place.read());
    place = RwLock::new(1);
    let lock = &place;
    thread::scope(|scope| {
        let (go, wait) = mpsc::channel::<()>();
        scope.spawn(move || {
            let _writing = lock.write();
            go.send(()).unwrap();
            wait_for_parked(lock, 1);
        });
        wait.recv().unwrap();
        assert_eq!(*lock.read(), 1);
    });
}
