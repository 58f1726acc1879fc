//! Evidence that a reader who finds a key full of readers leaves no share behind.

// Eight million readers take half a minute in a debug build.
#![cfg(all(feature = "keyed", not(debug_assertions)))]

use parkade::keyed::KeyedRwLock;
use std::panic::{AssertUnwindSafe, catch_unwind};

#[test]
fn a_key_that_was_full_of_readers_leaves_with_them() {
    let map = KeyedRwLock::<u64>::new();
    let mut readers = Vec::with_capacity(1 << 23);
    let full = catch_unwind(AssertUnwindSafe(|| {
        loop {
            readers.push(map.read(&1));
        }
    }));
    assert!(full.is_err());
    // With a deadline, too; a try of one that does not wait as well.
    assert!(catch_unwind(AssertUnwindSafe(|| drop(map.try_read(&1)))).is_err());
    let timed = || drop(map.try_read_for(&1, std::time::Duration::ZERO));
    assert!(catch_unwind(AssertUnwindSafe(timed)).is_err());
    let info = &map.snapshot()[0];
    assert_eq!((info.holders, info.waiters), (readers.len(), 0));
    drop(readers);
    assert!(map.is_empty(), "{:?}", map.snapshot());
}
