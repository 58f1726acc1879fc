//! Reading with nothing to remember, for interfaces that have nowhere to keep it: a guard of `lock_api` 0.4
//! has no state. Such a reader is always counted in the word, and its reads never bias the lock.
//!
//! Not part of the stable interface.

use super::{GuardMarker, Held, Mode, Moment, RawRwLock, Reading, SharedGuardState, Sharing};

/// Whether a read may pass a writer that waits for readers to leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recursion {
    /// It may not.
    Deny,
    /// It may: the thread may be one of those readers.
    Allow,
}

impl Recursion {
    fn mode(self) -> Mode {
        match self {
            Recursion::Deny => Mode::Shared,
            Recursion::Allow => Mode::Recursive,
        }
    }
}

impl SharedGuardState {
    /// What `lock_api`'s unlocking methods want from a counted reader, or from one that was downgraded.
    #[doc(hidden)]
    #[must_use]
    pub const fn counted() -> SharedGuardState {
        SharedGuardState { reading: Reading::COUNTED, _marker: GuardMarker::new() }
    }
}

impl RawRwLock {
    fn entered_counted(&self, held: Held) {
        held.add(self.0.key(), Sharing::Shared);
    }

    /// Reads. Unlocked with [`SharedGuardState::counted`], as are the reads below.
    #[doc(hidden)]
    #[inline]
    #[track_caller]
    pub fn read_counted(&self, recursion: Recursion) {
        let held = Held::here();
        self.0.read_counted(recursion.mode(), held);
        self.entered_counted(held);
    }

    /// Reads, if that is possible at once.
    #[doc(hidden)]
    #[inline]
    #[track_caller]
    pub fn try_read_counted(&self, recursion: Recursion) -> bool {
        let held = Held::here();
        let entered = self.0.try_read_counted(recursion.mode());
        if entered {
            self.entered_counted(held);
        }
        entered
    }

    /// Reads, if that is possible before `deadline`.
    #[doc(hidden)]
    #[inline]
    #[track_caller]
    pub fn read_counted_until(
        &self,
        recursion: Recursion,
        deadline: impl FnOnce() -> Moment,
    ) -> bool {
        let held = Held::here();
        let entered = self.0.read_counted_until(recursion.mode(), deadline);
        if entered {
            self.entered_counted(held);
        }
        entered
    }
}

#[cfg(test)]
mod tests {
    use super::{Moment, RawRwLock, Recursion, SharedGuardState};
    use lock_api::{RawRwLock as _, RawRwLockDowngrade, RawRwLockFair};

    #[test]
    fn a_counted_read_needs_no_state_to_be_given_back() {
        let lock = RawRwLock::INIT;
        lock.read_counted(Recursion::Allow);
        assert!(lock.try_read_counted(Recursion::Deny));
        assert!(lock.read_counted_until(Recursion::Deny, Moment::now));
        assert!(lock.try_lock_exclusive().is_none());
        // SAFETY: counted above.
        unsafe { lock.unlock_shared(SharedGuardState::counted()) };
        // SAFETY: counted above.
        unsafe { lock.unlock_shared_fair(SharedGuardState::counted()) };
        assert!(lock.try_lock_exclusive().is_none());
        // SAFETY: counted above.
        unsafe { lock.unlock_shared(SharedGuardState::counted()) };
        let writing = lock.try_lock_exclusive().expect("all have left");
        assert!(!lock.try_read_counted(Recursion::Allow));
        assert!(!lock.read_counted_until(Recursion::Allow, Moment::now));
        // SAFETY: held by `writing`.
        let _ = unsafe { lock.downgrade(writing) };
        // SAFETY: a downgraded writer is a counted reader.
        unsafe { lock.unlock_shared(SharedGuardState::counted()) };
        assert!(!lock.is_locked());
    }

    #[test]
    fn counted_reads_never_bias_the_lock() {
        let lock = RawRwLock::INIT;
        for _ in 0..100_000 {
            lock.read_counted(Recursion::Deny);
            // SAFETY: counted above.
            unsafe { lock.unlock_shared(SharedGuardState::counted()) };
        }
        let reading = lock.lock_shared();
        assert_eq!(format!("{reading:?}"), format!("{:?}", SharedGuardState::counted()));
        // SAFETY: held by `reading`.
        unsafe { lock.unlock_shared(reading) };
    }
}
