//! Evidence that an upgradable reader that let go of a lock, and finds it full of readers, does not go on without it.

// Eight million readers take half a minute in a debug build.
#![cfg(all(unix, not(debug_assertions)))]

mod support;

use parkade::{Condvar, RwLock, RwLockReadGuard, RwLockUpgradableReadGuard};
use std::{
    env,
    os::unix::process::ExitStatusExt,
    panic::{AssertUnwindSafe, catch_unwind},
    process::Command,
    thread,
};
use support::wait_for_parked;

const CASE: &str = "PARKADE_FULL_CASE";

/// Runs `body` in a process of its own, which has to abort with `message`.
fn aborts(name: &str, message: &str, body: impl FnOnce()) {
    if env::var(CASE).is_ok_and(|case| case == name) {
        body();
        return;
    }
    let child = Command::new(env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(CASE, name)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stderr);
    assert_eq!(child.status.signal(), Some(libc::SIGABRT), "{said}");
    assert!(said.contains(message), "{said}");
}

fn fill(lock: &RwLock<u64>) -> Vec<RwLockReadGuard<'_, u64>> {
    let mut readers = Vec::with_capacity(1 << 23);
    let full = catch_unwind(AssertUnwindSafe(|| {
        loop {
            readers.push(lock.read());
        }
    }));
    assert!(full.is_err());
    readers
}

#[test]
fn waiting_for_a_condvar() {
    aborts("waiting_for_a_condvar", "after waiting for a Condvar", || {
        let (lock, changed) = (RwLock::new(0), Condvar::new());
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut guard = lock.upgradable_read();
                changed.wait(&mut guard);
            });
            while !format!("{changed:?}").contains("Waiting") {
                thread::yield_now();
            }
            let readers = fill(&lock);
            while !changed.notify_one() {
                thread::yield_now();
            }
            thread::park();
            drop(readers);
        });
    });
}

#[test]
fn bumping() {
    aborts("bumping", "in bump()", || {
        let lock = RwLock::new(0);
        let mut guard = lock.upgradable_read();
        let readers = fill(&lock);
        thread::scope(|scope| {
            scope.spawn(|| {
                // Takes the last place that the upgradable reader leaves.
                let reading = RwLockUpgradableReadGuard::downgrade(lock.upgradable_read());
                thread::park();
                drop(reading);
            });
            wait_for_parked(&lock, 1);
            RwLockUpgradableReadGuard::bump(&mut guard);
            thread::park();
            drop(readers);
        });
    });
}
