//! Reading again while a writer waits. `crate::lot` as in `locks.rs`.

use crate::lot::RwLock;
use std::{
    thread,
    time::{Duration, Instant},
};

#[test]
fn a_recursive_read_passes_a_writer_that_waits() {
    let rwlock = RwLock::new(1);
    let outer = rwlock.read_recursive();
    thread::scope(|scope| {
        let writer = scope.spawn(|| *rwlock.write() += 1);
        // A writer that waits keeps newcomers out.
        while rwlock.try_read().is_some() {
            thread::yield_now();
        }
        assert_eq!(*rwlock.read_recursive(), *outer);
        assert!(rwlock.try_read_recursive().is_some());
        assert!(rwlock.try_read_recursive_for(Duration::ZERO).is_some());
        assert!(rwlock.try_read_recursive_until(Instant::now()).is_some());
        drop(outer);
        writer.join().unwrap();
    });
    let writing = rwlock.write();
    assert!(rwlock.try_read_recursive().is_none());
    assert!(rwlock.try_read_recursive_for(Duration::from_millis(2)).is_none());
    assert_eq!(*writing, 2);
}
