//! Why a set could not be locked.

use super::set::Refusal;
use core::fmt;
use std::error::Error;

/// Two members of a set are the same lock. Nothing has been locked.
///
/// Positions count from zero in the order of the arguments. If there are several such pairs, this is the one whose
/// `second` is the lowest, and `first` is the nearest before it.
///
/// ```
/// let (a, b) = (parkade::Mutex::new(1), parkade::Mutex::new(2));
/// let error = parkade::lock_many((&a, &b, &a)).unwrap_err();
/// assert_eq!(error.to_string(), "the same lock is at positions 0 and 2 of the set");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DuplicateLock {
    /// The lower of the two positions.
    pub first: usize,
    /// The higher of the two positions.
    pub second: usize,
}

/// Why [`try_lock_many`](crate::try_lock_many) has locked nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TryLockManyError {
    /// Two members of the set are the same lock.
    Duplicate(DuplicateLock),
    /// A lock was not to be had without waiting.
    WouldBlock {
        /// Its position in the set, from zero. Others may have been locked as well.
        position: usize,
    },
}

/// Why [`try_lock_many_for`](crate::try_lock_many_for) or [`try_lock_many_until`](crate::try_lock_many_until) has
/// locked nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockManyTimeoutError {
    /// Two members of the set are the same lock.
    Duplicate(DuplicateLock),
    /// A lock was not to be had in time.
    TimedOut {
        /// Its position in the set, from zero. Others, of higher addresses, were not tried any more.
        position: usize,
    },
}

impl fmt::Display for DuplicateLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DuplicateLock { first, second } = self;
        write!(f, "the same lock is at positions {first} and {second} of the set")
    }
}

impl fmt::Display for TryLockManyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TryLockManyError::Duplicate(duplicate) => duplicate.fmt(f),
            TryLockManyError::WouldBlock { position } => {
                write!(f, "the lock at position {position} of the set is taken")
            }
        }
    }
}

impl fmt::Display for LockManyTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LockManyTimeoutError::Duplicate(duplicate) => duplicate.fmt(f),
            LockManyTimeoutError::TimedOut { position } => {
                write!(f, "the lock at position {position} of the set could not be had in time")
            }
        }
    }
}

impl Error for DuplicateLock {}
impl Error for TryLockManyError {}
impl Error for LockManyTimeoutError {}

impl From<DuplicateLock> for TryLockManyError {
    fn from(duplicate: DuplicateLock) -> TryLockManyError {
        TryLockManyError::Duplicate(duplicate)
    }
}

impl From<DuplicateLock> for LockManyTimeoutError {
    fn from(duplicate: DuplicateLock) -> LockManyTimeoutError {
        LockManyTimeoutError::Duplicate(duplicate)
    }
}

impl TryLockManyError {
    pub(super) fn from_refusal(refusal: Refusal) -> TryLockManyError {
        match refusal {
            Refusal::Duplicate(duplicate) => TryLockManyError::Duplicate(duplicate),
            Refusal::NotTaken(position) => TryLockManyError::WouldBlock { position },
        }
    }
}

impl LockManyTimeoutError {
    pub(super) fn from_refusal(refusal: Refusal) -> LockManyTimeoutError {
        match refusal {
            Refusal::Duplicate(duplicate) => LockManyTimeoutError::Duplicate(duplicate),
            Refusal::NotTaken(position) => LockManyTimeoutError::TimedOut { position },
        }
    }
}
