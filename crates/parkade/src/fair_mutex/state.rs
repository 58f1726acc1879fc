//! The word of a [`FairMutex`](super::FairMutex).
//!
//! # Layout
//!
//! One byte: `HELD` 1, `PARKED` 2 (threads are queued).
//!
//! # Legal words
//!
//! Free (0), `HELD`, `HELD | PARKED`. A fair lock with a queue is never free: its holder hands it to
//! the first in line without freeing it. So nobody can take it in between, which is why this lock
//! does not ride on the word of `Mutex`: that one is freed by a plain store, and strict order
//! between such a store and a thread that queues at that moment cannot be had.
//!
//! # Bit laws
//!
//! * `HELD`: set by whoever finds the word free; cleared by the holder. Exact.
//! * `PARKED`: written only under the bucket lock, from the queue itself.
//!
//! # Transitions
//!
//! | id | from -> to | method | ordering | caller holds | model |
//! |---|---|---|---|---|---|
//! | H1 | free -> HELD | `try_acquire` | Acquire | - | `fair_mutex_queue` |
//! | H2 | HELD -> free | `try_release` | Release | the lock | `fair_mutex_queue` |
//! | H3 | HELD -> +PARKED | `mark_parked` | - | bucket lock | `fair_mutex_queue` |
//! | H4 | HELD -> HELD, PARKED as the queue is | `publish` | - | the lock, bucket lock | `fair_mutex_queue` |
//! | H5 | HELD \| PARKED -> free | `release_empty` | Release | the lock, bucket lock | `fair_mutex_timeout` |
//! | H7 | HELD -> +PARKED, or free -> HELD | `mark_parked_or_acquire` | Acquire | bucket lock | `condvar_fair` |
//! | H8 | HELD -> +PARKED | `more_parked` | - | the lock, bucket lock | `condvar_fair` |
//! | H6 | PARKED as the queue is | `publish` | - | bucket lock | `fair_mutex_timeout` |
//!
//! # Ordering
//!
//! Data passes from H2, H5 to H1, and on a hand-off through the table's wake (its edge N1). `PARKED`
//! and `HELD` are one byte, so H2 fails when a parker came first and H3 fails when H2 did: no wake
//! is lost without any further ordering.
//!
//! # Rejected
//!
//! Reserving the word of `Mutex` (its R3) at every release: not strict, see above.
#![forbid(unsafe_code)]

use super::edges::{H1, H2, H5};
use crate::parked::Parked;
use core::fmt;
use parkade_core::shim::{AtomicU8, Ordering::Relaxed};

const FREE: u8 = 0;
const HELD: u8 = 1;
const PARKED: u8 = 2;

pub(super) struct Word(AtomicU8);

impl Word {
    parkade_core::const_unless_loom! {
        pub(super) fn new() -> Word {
            Word(AtomicU8::new(FREE))
        }
    }

    #[inline(always)]
    pub(super) fn is_locked(&self) -> bool {
        self.0.load(Relaxed) != FREE
    }

    #[inline(always)]
    pub(super) fn has_queue(&self) -> bool {
        self.0.load(Relaxed) & PARKED != 0
    }

    /// H1.
    #[inline(always)]
    #[must_use]
    pub(super) fn try_acquire(&self) -> bool {
        self.0.compare_exchange(FREE, HELD, H1.get(), Relaxed).is_ok()
    }

    /// H2; fails if threads are queued.
    #[inline(always)]
    #[must_use]
    pub(super) fn try_release(&self) -> bool {
        self.0.compare_exchange(HELD, FREE, H2.get(), Relaxed).is_ok()
    }

    /// H3; fails if the lock is free.
    #[must_use]
    pub(super) fn mark_parked(&self) -> bool {
        let mark = |word| (word & HELD != 0).then_some(word | PARKED);
        self.0.fetch_update(Relaxed, Relaxed, mark).is_ok()
    }

    /// H7, for threads that are moved to the queue: if the lock is held they will wait, else the first of
    /// them has it; what was acquired for it reaches it with its wake. Whether the lock was held.
    #[must_use]
    pub(super) fn mark_parked_or_acquire(&self) -> bool {
        let change = |word| Some(if word & HELD != 0 { word | PARKED } else { HELD });
        let before = self.0.fetch_update(H1.get(), Relaxed, change);
        before.is_ok_and(|before| before & HELD != 0)
    }

    /// H8: others have been queued behind the thread that has the lock.
    pub(super) fn more_parked(&self) {
        self.0.fetch_or(PARKED, Relaxed);
    }

    /// H4, H6: the queue has changed while the lock stays held.
    pub(super) fn publish(&self, parked: Parked) {
        if parked == Parked::None {
            self.0.fetch_and(!PARKED, Relaxed);
        }
    }

    /// H5: the queue turned out to be empty.
    pub(super) fn release_empty(&self) {
        self.0.store(FREE, H5.get());
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0.load(Relaxed) {
            FREE => "Free",
            HELD => "Held",
            _ => "Held {PARKED}",
        })
    }
}
