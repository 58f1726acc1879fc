//! Everywhere else: futexes made of `std`'s mutex and condition variable.
//!
//! Sleepers share a few condition variables by address, so a wake may rouse a bystander, who looks
//! at its word and sleeps on. Whether a wait allocates depends on the platform's `std`.

use super::Waited;
use crate::{
    deadline::Moment,
    shim::{AtomicU32, Ordering},
};
use std::sync::{Condvar, Mutex, PoisonError};

struct Shard {
    lock: Mutex<()>,
    sleepers: Condvar,
}

/// guess: enough that unrelated sleepers rarely share, small enough to stay in one page.
const SHARDS: usize = 64;

static TABLE: [Shard; SHARDS] =
    [const { Shard { lock: Mutex::new(()), sleepers: Condvar::new() } }; SHARDS];

fn shard(word: *const AtomicU32) -> &'static Shard {
    &TABLE[(word.addr() >> 4).wrapping_mul(0x9E37_79B1) / 64 % SHARDS]
}

/// Sleeps while `*word == expected`, at most until `deadline`.
pub(crate) fn wait(word: &AtomicU32, expected: u32, deadline: Option<Moment>) -> Waited {
    let shard = shard(word);
    let guard = shard.lock.lock().unwrap_or_else(PoisonError::into_inner);
    // Checked under the shard's lock: a waker changes the word before it takes that lock, so it
    // either is seen here or finds us asleep.
    if word.load(Ordering::Relaxed) != expected {
        return Waited::Look;
    }
    let Some(deadline) = deadline else {
        drop(shard.sleepers.wait(guard).unwrap_or_else(PoisonError::into_inner));
        return Waited::Look;
    };
    let left = deadline.since(Moment::now());
    if left.is_zero() {
        return Waited::TimedOut;
    }
    drop(shard.sleepers.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner));
    if Moment::now() >= deadline { Waited::TimedOut } else { Waited::Look }
}

/// Wakes whoever sleeps on the word at this address, which need not exist any more.
pub(crate) fn wake_one(word: *const AtomicU32) {
    let shard = shard(word);
    drop(shard.lock.lock().unwrap_or_else(PoisonError::into_inner));
    shard.sleepers.notify_all();
}
