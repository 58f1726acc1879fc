//! The word of a [`Condvar`](super::Condvar).
//!
//! # Layout
//!
//! One byte: `WAITING` 1, threads are queued.
//!
//! # Legal words
//!
//! Both.
//!
//! # Bit laws
//!
//! `WAITING` equals "the queue is not empty" whenever no bucket lock is held. Written only under the bucket
//! lock, always from the queue itself, so by plain stores.
//!
//! # Transitions
//!
//! | id | from -> to | method | ordering | caller holds | model |
//! |---|---|---|---|---|---|
//! | V1 | any -> WAITING | `publish` | - | a lock to wait with, bucket lock | `condvar_notify_one` |
//! | V2 | WAITING as the queue is | `publish` | - | bucket lock | `condvar_timeout` |
//!
//! # Ordering
//!
//! None; this room has no ledger. Who notifies because of something it did under the lock that a waiter waits with,
//! holds or held that lock after the waiter let go of it, and so sees V1 (through that lock's edges). Who
//! does not take the lock may come before V1 or after it, and has no way to tell.
//!
//! # Rejected
//!
//! * The address of the lock in the word, as a hint where to move threads: seven bytes more, and one lock at a
//!   time. What each waits with is in its own ticket (`raw.rs`).
//! * A count of notifications, to be compared after unlocking: it wraps around, and it cannot say how many were
//!   notified.
#![forbid(unsafe_code)]

use crate::parked::Parked;
use core::fmt;
use parkade_core::shim::{AtomicU8, Ordering::Relaxed};

const NOBODY: u8 = 0;
const WAITING: u8 = 1;

pub(super) struct Word(AtomicU8);

impl Word {
    parkade_core::const_unless_loom! {
        pub(super) fn new() -> Word {
            Word(AtomicU8::new(NOBODY))
        }
    }

    #[inline(always)]
    pub(super) fn has_waiters(&self) -> bool {
        self.0.load(Relaxed) != NOBODY
    }

    /// V1, V2; the caller holds the bucket lock.
    pub(super) fn publish(&self, parked: Parked) {
        let word = match parked {
            Parked::Some => WAITING,
            Parked::None => NOBODY,
        };
        self.0.store(word, Relaxed);
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.has_waiters() { "Waiting" } else { "Nobody" })
    }
}
