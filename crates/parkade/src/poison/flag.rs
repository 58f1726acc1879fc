//! The mark that a panic leaves.
//!
//! Whoever holds a lock alone and begins to panic poisons it as its guard is dropped. A guard that was made
//! while its thread panicked already says nothing about the data when the same panic drops it.
//!
//! All accesses are `Relaxed`. The mark is set before the release that lets the next one in and read after
//! its acquisition, so the lock orders the two; what is read without the lock is a glance.

use std::{
    sync::{
        LockResult, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
};

/// Whether a lock is poisoned.
pub(super) struct Flag(
    /// Access: set and read by whoever holds the lock; read and cleared by anybody.
    AtomicBool,
);

/// What a guard remembers: whether its thread was panicking when it was made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entered {
    panicking: bool,
}

impl Entered {
    #[inline]
    pub(super) fn now() -> Entered {
        Entered { panicking: thread::panicking() }
    }
}

impl Flag {
    pub(super) const fn new() -> Flag {
        Flag(AtomicBool::new(false))
    }

    #[inline]
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Relaxed)
    }

    #[inline]
    pub(super) fn clear(&self) {
        self.0.store(false, Relaxed);
    }

    /// The holder is about to release.
    #[inline]
    pub(super) fn leave(&self, entered: Entered) {
        if !entered.panicking && thread::panicking() {
            self.0.store(true, Relaxed);
        }
    }

    /// `value` is an error if the lock is poisoned.
    #[inline]
    pub(super) fn judge<T>(&self, value: T) -> LockResult<T> {
        if self.is_set() { Err(PoisonError::new(value)) } else { Ok(value) }
    }
}
