//! Evidence that a [`LockMap`] allocates for new keys only: not to lock one that has a value, to wait, to be late, to
//! insert and remove where a key was before, to look, to walk by again, or to evict; and that what it has allocated goes
//! when its keys do.

#![cfg(feature = "keyed")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    time::Duration,
};

use parkade::keyed::LockMap;

thread_local! {
    /// Calls of the allocator by this thread, and the bytes that it has.
    static CALLS: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<isize> = const { Cell::new(0) };
}

#[derive(Debug)]
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes to `System` with the caller's own arguments.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.set(CALLS.get() + 1);
        BYTES.set(BYTES.get() + layout.size() as isize);
        // SAFETY: the caller keeps the duties of `alloc`, which are the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        BYTES.set(BYTES.get() - layout.size() as isize);
        // SAFETY: the block came from `System` with this layout.
        unsafe { System.dealloc(block, layout) };
    }
}

/// How often `operations` ask for memory.
fn calls(operations: impl FnOnce()) -> u64 {
    let before = CALLS.get();
    operations();
    CALLS.get() - before
}

const SOON: Duration = Duration::from_millis(1);

fn operate(map: &LockMap<u64, u64>) {
    for key in 0..8 {
        *map.lock(&key).or_insert(1) += 1;
        map.get(&key).unwrap();
        map.insert(key, 2);
        map.remove(&key);
        let held = map.lock(&key);
        assert!(map.try_lock(&key).is_none());
        assert!(map.try_lock_for(&key, SOON).is_none());
        assert!(map.try_get_for(&key, SOON).is_err());
        drop(held);
        map.insert(key, 3);
        assert!(map.contains_key(&key) && !map.is_empty());
    }
}

#[test]
fn only_new_keys_allocate() {
    for map in [LockMap::new(), LockMap::with_idle_limit(Duration::from_secs(1))] {
        operate(&map);
        assert_eq!(calls(|| (0..10).for_each(|_| operate(&map))), 0);
        // A walk has a list of the keys of a chain; its first ones are the most it needs.
        assert!(calls(|| map.for_each(|_, count| *count += 1)) <= 2);
        assert_eq!(calls(|| assert_eq!(map.evict_idle(Duration::ZERO), 8)), 0);
    }
}

#[test]
fn memory_returns() {
    let bytes = |map: &LockMap<u64, [u64; 8]>, keys: u64| {
        (0..keys).for_each(|key| {
            map.insert(key, [key; 8]);
        });
        let full = BYTES.get();
        assert_eq!((map.evict_idle(Duration::ZERO), map.len()), (keys as usize, 0));
        (full, BYTES.get())
    };
    let map = LockMap::new();
    let empty = BYTES.get();
    let (full, after) = bytes(&map, 20_000);
    assert!(full - empty > 20_000 * 64);
    // What each shard keeps: its fewest chains, and 16 blocks at most.
    assert!(after - empty < (full - empty) / 50, "{} of {}", after - empty, full - empty);
    for _ in 0..3 {
        assert_eq!(bytes(&map, 20_000).1, after);
    }
    drop(map);
    assert!(BYTES.get() <= empty);
}
