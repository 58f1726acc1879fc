//! Why a [`Semaphore`](super::Semaphore) has refused.

use super::{
    face::Semaphore,
    raw::{Ended, Overflow, Tried},
    state::Permits,
};
use core::fmt;
use std::error::Error;

/// Why an `acquire` of a [`Semaphore`] that waits as long as it takes has given no permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AcquireError {
    /// The semaphore was closed, before or meanwhile. What was done before the
    /// [`close`](Semaphore::close) is visible.
    Closed,
    /// More than [`Semaphore::MAX_PERMITS`] were asked for: there will never be so many.
    TooMany,
}

/// Why a `try_acquire` of a [`Semaphore`] has given no permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TryAcquireError {
    /// There are too few, or others have been waiting for them longer.
    NoPermits,
    /// The semaphore is closed.
    Closed,
    /// More than [`Semaphore::MAX_PERMITS`] were asked for: there will never be so many.
    TooMany,
}

/// Why a `try_acquire_for` or `try_acquire_until` of a [`Semaphore`] has given no permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimedAcquireError {
    /// It was not this thread's turn before the deadline.
    TimedOut,
    /// The semaphore was closed, before or meanwhile.
    Closed,
    /// More than [`Semaphore::MAX_PERMITS`] were asked for: there will never be so many.
    TooMany,
}

/// There would be more than [`Semaphore::MAX_PERMITS`] permits; nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct AddPermitsError;

/// What the methods of a [`Semaphore`] share: each error says too what the raw one cannot.
pub(super) trait Refusal: Sized {
    const TOO_MANY: Self;

    #[inline]
    fn check(permits: usize) -> Result<Permits, Self> {
        Permits::new(permits).ok_or(Self::TOO_MANY)
    }
}

impl Refusal for AcquireError {
    const TOO_MANY: AcquireError = AcquireError::TooMany;
}

impl Refusal for TryAcquireError {
    const TOO_MANY: TryAcquireError = TryAcquireError::TooMany;
}

impl Refusal for TimedAcquireError {
    const TOO_MANY: TimedAcquireError = TimedAcquireError::TooMany;
}

/// For a wait without a deadline.
#[inline]
pub(super) fn waited(ended: Ended) -> Result<(), AcquireError> {
    match ended {
        Ended::Acquired => Ok(()),
        Ended::Closed => Err(AcquireError::Closed),
        Ended::TimedOut => unreachable!("no deadline"),
    }
}

/// For a wait with one.
#[inline]
pub(super) fn waited_in_time(ended: Ended) -> Result<(), TimedAcquireError> {
    match ended {
        Ended::Acquired => Ok(()),
        Ended::Closed => Err(TimedAcquireError::Closed),
        Ended::TimedOut => Err(TimedAcquireError::TimedOut),
    }
}

/// For an attempt without a wait.
#[inline]
pub(super) fn tried(tried: Tried) -> Result<(), TryAcquireError> {
    match tried {
        Tried::Acquired => Ok(()),
        Tried::Closed => Err(TryAcquireError::Closed),
        Tried::Short => Err(TryAcquireError::NoPermits),
    }
}

impl From<Overflow> for AddPermitsError {
    #[inline]
    fn from(Overflow: Overflow) -> AddPermitsError {
        AddPermitsError
    }
}

const CLOSED: &str = "the semaphore is closed";
const TOO_MANY: &str = "more permits were asked for than a semaphore can have";

impl fmt::Display for AcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AcquireError::Closed => CLOSED,
            AcquireError::TooMany => TOO_MANY,
        })
    }
}

impl fmt::Display for TryAcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryAcquireError::NoPermits => "no permits are available",
            TryAcquireError::Closed => CLOSED,
            TryAcquireError::TooMany => TOO_MANY,
        })
    }
}

impl fmt::Display for TimedAcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TimedAcquireError::TimedOut => "no permits in time",
            TimedAcquireError::Closed => CLOSED,
            TimedAcquireError::TooMany => TOO_MANY,
        })
    }
}

impl fmt::Display for AddPermitsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a semaphore has at most {} permits", Semaphore::MAX_PERMITS)
    }
}

impl Error for AcquireError {}
impl Error for TryAcquireError {}
impl Error for TimedAcquireError {}
impl Error for AddPermitsError {}
