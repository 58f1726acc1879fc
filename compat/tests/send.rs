//! Guards that go to other threads. `crate::lot` as in `locks.rs`.

use crate::lot::{Mutex, RwLock};
use std::thread;

#[test]
fn guards_may_be_dropped_elsewhere() {
    let (mutex, rwlock) = (Mutex::new(1), RwLock::new(2));
    let guards = (mutex.lock(), rwlock.read(), rwlock.upgradable_read());
    thread::scope(|scope| {
        scope.spawn(|| drop(guards));
    });
    let writing = rwlock.write();
    thread::scope(|scope| {
        scope.spawn(|| drop(writing));
    });
    assert!(!mutex.is_locked() && !rwlock.is_locked());
}
