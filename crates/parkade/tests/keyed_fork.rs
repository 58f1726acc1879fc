//! Evidence for what `keyed` promises of forks: a child goes on with the keys that the forking thread held and with those that
//! nobody held; waiters that did not survive are not missed.
#![cfg(all(target_os = "linux", feature = "keyed"))]

mod support;

use std::{thread, time::Duration};

use parkade::keyed::{KeyedMutex, KeyedRwLock};
use support::{
    fork::{Side, child, fork, reap},
    wait_until, watched_test,
};

#[test]
fn a_child_uses_the_keys_of_the_thread_that_forked() {
    let _watched = watched_test();
    for _ in 0..20 {
        let map = KeyedMutex::<u64>::new();
        let shared = KeyedRwLock::<u64>::new();
        let (guard, reading) = (map.lock(&1), shared.read(&1));
        let (pid, reading) = thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| drop(map.lock(&1)));
            }
            // Asleep, so not inside the table.
            wait_until(|| {
                let info = &map.snapshot()[0];
                info.waiters == 3 && parkade_core::snapshot().len() == 3
            });
            let pid = match fork() {
                Side::Parent(pid) => pid,
                Side::Child => child(|| {
                    assert!(map.is_locked(&1) && map.try_lock(&1).is_none());
                    let waits = || assert!(map.try_lock_for(&1, Duration::from_secs(20)).is_some());
                    thread::scope(|scope| {
                        for _ in 0..2 {
                            scope.spawn(waits);
                        }
                        wait_until(|| parkade_core::snapshot().len() == 2);
                        drop(guard);
                    });
                    drop(reading);
                    drop((map.lock(&1), map.lock(&2), shared.write(&1)));
                    assert!(!map.is_locked(&1) && shared.is_empty());
                }),
            };
            drop(guard);
            (pid, reading)
        });
        reap(pid, "keys held and waited for");
        drop(reading);
        assert!(map.is_empty() && shared.is_empty());
    }
}
