//! A complete mutex on `parkade_core`, in thirty lines: a word of two bits, and the parking table
//! for everything else. Whoever knows `parking_lot_core` knows these calls.
//!
//! Prints:
//! ```text
//! Counted to 80000 with a lock of 1 byte
//! ```

use parkade_core::{DEFAULT_PARK_TOKEN, DEFAULT_UNPARK_TOKEN, park, unpark_one};
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicU8, Ordering::*};

const LOCKED: u8 = 1;
const PARKED: u8 = 2;

struct TinyLock(AtomicU8);

impl TinyLock {
    fn lock(&self) {
        while self.0.fetch_or(LOCKED, Acquire) & LOCKED != 0 {
            // Sleep only if it is still locked, and tell the holder that we do; both are decided
            // under the queue's lock, so the holder's wake cannot fall in between.
            let mark = || {
                self.0.compare_exchange(LOCKED, LOCKED | PARKED, Relaxed, Relaxed).is_ok()
                    || self.0.load(Relaxed) == LOCKED | PARKED
            };
            // SAFETY: the key is our own address, and the callbacks only touch our word.
            unsafe { park(self.key(), mark, || {}, |_| {}, DEFAULT_PARK_TOKEN, None) };
        }
    }

    fn unlock(&self) {
        if self.0.compare_exchange(LOCKED, 0, Release, Relaxed).is_err() {
            // SAFETY: the key is our own address, and the callback only touches our word.
            unsafe {
                unpark_one(self.key(), |result| {
                    self.0.store(if result.have_more_threads { PARKED } else { 0 }, Release);
                    DEFAULT_UNPARK_TOKEN
                })
            };
        }
    }

    fn key(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }
}

struct Counter {
    lock: TinyLock,
    value: UnsafeCell<u32>,
}

// SAFETY: `value` is only touched between `lock` and `unlock`.
unsafe impl Sync for Counter {}

impl Counter {
    fn increment(&self) {
        self.lock.lock();
        // SAFETY: the lock is held.
        unsafe { *self.value.get() += 1 };
        self.lock.unlock();
    }
}

fn main() {
    let counter = Counter { lock: TinyLock(AtomicU8::new(0)), value: UnsafeCell::new(0) };
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..10_000).for_each(|_| counter.increment()));
        }
    });
    println!(
        "Counted to {} with a lock of {} byte",
        counter.value.into_inner(),
        size_of::<TinyLock>()
    );
}
