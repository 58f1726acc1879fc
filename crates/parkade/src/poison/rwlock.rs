//! [`RwLock`].

use super::{
    RwLockReadGuard, RwLockWriteGuard,
    face::{acquire_face, lock_face, unlocked_face},
    lock::Lock,
};
use crate::RawRwLock;
use lock_api::{RawRwLock as _, RawRwLockTimed as _};
use std::sync::LockResult;

// SAFETY: writers reach the value one at a time from whatever thread, so it must be `Send`; readers share
// it, so it must be `Sync`.
unsafe impl<T: ?Sized + Send + Sync> Sync for Lock<RawRwLock, T> {}

/// A [`parkade::RwLock`](crate::RwLock) with the face of [`std::sync::RwLock`]: a panic while it is locked
/// for writing poisons it.
///
/// * **Blocking, fairness, recursion, cost, `fork`**: as [`parkade::RwLock`](crate::RwLock), whose raw lock
///   this is. Four bytes more, or as few as one if the value fits into the other three.
/// * **Poisoning**: the lock is poisoned when a write guard is dropped by a panic that began while the
///   guard lived; a reader's panic does not poison. Then every way to the value is an [`Err`] whose
///   [`PoisonError`](std::sync::PoisonError) holds what the `Ok` would have held, until
///   [`clear_poison`](RwLock::clear_poison).
/// * **Timeouts**: the operations that end in `_for` and `_until` are ours; `std` has no such thing.
/// * **Panics**: where [`parkade::RwLock`](crate::RwLock) does. A thread that reads and reads again may
///   deadlock, as with `std`; debug builds panic instead, with both places.
///
/// ```
/// use parkade::poison::{RwLock, RwLockWriteGuard};
///
/// let names = RwLock::new(vec!["ann"]);
/// {
///     let (one, other) = (names.read().unwrap(), names.read().unwrap());
///     assert_eq!(*one, *other);
/// }
///
/// let mut writing = names.write().unwrap();
/// writing.push("bob");
/// let reading = RwLockWriteGuard::downgrade(writing);
/// assert_eq!(*reading, ["ann", "bob"]);
/// ```
///
/// What it protects must be `Sync`, since readers share it:
///
/// ```compile_fail,E0277
/// fn needs_sync<T: Sync>(_: T) {}
/// needs_sync(parkade::poison::RwLock::new(std::cell::Cell::new(0)));
/// ```
pub struct RwLock<T: ?Sized>(pub(super) Lock<RawRwLock, T>);

impl<T> RwLock<T> {
    /// A free lock.
    ///
    /// ```
    /// use parkade::poison::RwLock;
    ///
    /// static LEVEL: RwLock<u8> = RwLock::new(3);
    /// assert_eq!(*LEVEL.read().unwrap(), 3);
    /// ```
    #[inline]
    pub const fn new(value: T) -> RwLock<T> {
        RwLock(Lock::new(RawRwLock::INIT, value))
    }

    /// The value, without locking: nobody else has the lock any more.
    ///
    /// # Errors
    /// If the lock is poisoned; the error holds the value.
    ///
    /// ```
    /// let lock = parkade::poison::RwLock::new(7);
    /// assert_eq!(lock.into_inner().unwrap(), 7);
    /// ```
    pub fn into_inner(self) -> LockResult<T> {
        self.0.into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    acquire_face! {
        RwLockReadGuard by admit_reader, try_admit_reader;

        /// Waits for writers to leave and locks for reading.
        ///
        /// # Errors
        /// If the lock is poisoned. It is locked all the same: the error holds the guard.
        ///
        /// # Panics
        /// If 2^23 readers are counted. In debug builds, if the thread would wait for itself.
        ///
        /// ```
        /// let lock = parkade::poison::RwLock::new(1);
        /// assert_eq!(*lock.read().unwrap(), 1);
        /// ```
        #[track_caller]
        fn read = lock_shared;

        /// Locks for reading if that takes no waiting; never blocks.
        ///
        /// # Errors
        /// * [`WouldBlock`](std::sync::TryLockError::WouldBlock) if somebody writes, or is about to.
        /// * [`Poisoned`](std::sync::TryLockError::Poisoned) if it could be locked and is poisoned. It is locked
        ///   now: the error holds the guard.
        ///
        /// ```
        /// let lock = parkade::poison::RwLock::new(1);
        /// let writing = lock.write().unwrap();
        /// assert!(lock.try_read().is_err());
        /// # drop(writing);
        /// ```
        #[track_caller]
        fn try_read = try_lock_shared;

        /// Locks for reading if that can be had within `timeout`; `std` lacks this.
        ///
        /// A timeout of zero still takes a free lock; one too long for the clock waits for ever.
        ///
        /// # Errors
        /// As [`try_read`](RwLock::try_read), with [`WouldBlock`](std::sync::TryLockError::WouldBlock) once the
        /// time has passed.
        ///
        /// ```
        /// use parkade::poison::RwLock;
        /// use std::time::Duration;
        ///
        /// let lock = RwLock::new(1);
        /// let writing = lock.write().unwrap();
        /// assert!(lock.try_read_for(Duration::from_millis(1)).is_err());
        /// # drop(writing);
        /// ```
        #[track_caller]
        fn try_read_for = try_lock_shared_for;

        /// As [`try_read_for`](RwLock::try_read_for), up to a moment on the monotonic clock.
        ///
        /// # Errors
        /// As [`try_read_for`](RwLock::try_read_for).
        ///
        /// ```
        /// use parkade::poison::RwLock;
        /// use std::time::Instant;
        ///
        /// let lock = RwLock::new(1);
        /// assert_eq!(*lock.try_read_until(Instant::now()).unwrap(), 1);
        /// ```
        #[track_caller]
        fn try_read_until = try_lock_shared_until;
    }

    acquire_face! {
        RwLockWriteGuard by admit, try_admit;

        /// Waits for everybody to leave and locks for writing.
        ///
        /// # Errors
        /// If the lock is poisoned. It is locked all the same: the error holds the guard.
        ///
        /// ```
        /// let lock = parkade::poison::RwLock::new(1);
        /// *lock.write().unwrap() = 2;
        /// assert_eq!(*lock.read().unwrap(), 2);
        /// ```
        #[track_caller]
        fn write = lock_exclusive;

        /// Locks for writing if the lock is free; never blocks.
        ///
        /// # Errors
        /// * [`WouldBlock`](std::sync::TryLockError::WouldBlock) if the lock is not free.
        /// * [`Poisoned`](std::sync::TryLockError::Poisoned) if it was free and is poisoned. It is locked now: the
        ///   error holds the guard.
        ///
        /// ```
        /// let lock = parkade::poison::RwLock::new(1);
        /// let reading = lock.read().unwrap();
        /// assert!(lock.try_write().is_err());
        /// # drop(reading);
        /// ```
        #[track_caller]
        fn try_write = try_lock_exclusive;

        /// Locks for writing if that can be had within `timeout`; `std` lacks this.
        ///
        /// A timeout of zero still takes a free lock; one too long for the clock waits for ever.
        ///
        /// # Errors
        /// As [`try_write`](RwLock::try_write), with [`WouldBlock`](std::sync::TryLockError::WouldBlock) once the
        /// time has passed.
        ///
        /// ```
        /// use parkade::poison::RwLock;
        /// use std::time::Duration;
        ///
        /// let lock = RwLock::new(1);
        /// let reading = lock.read().unwrap();
        /// assert!(lock.try_write_for(Duration::from_millis(1)).is_err());
        /// # drop(reading);
        /// ```
        #[track_caller]
        fn try_write_for = try_lock_exclusive_for;

        /// As [`try_write_for`](RwLock::try_write_for), up to a moment on the monotonic clock.
        ///
        /// # Errors
        /// As [`try_write_for`](RwLock::try_write_for).
        ///
        /// ```
        /// use parkade::poison::RwLock;
        /// use std::time::Instant;
        ///
        /// let lock = RwLock::new(1);
        /// *lock.try_write_until(Instant::now()).unwrap() = 2;
        /// assert_eq!(*lock.read().unwrap(), 2);
        /// ```
        #[track_caller]
        fn try_write_until = try_lock_exclusive_until;
    }

    unlocked_face! {
        /// Whether the lock is poisoned. Never blocks; while others lock, the answer may be out of date.
        ///
        /// ```
        /// assert!(!parkade::poison::RwLock::new(1).is_poisoned());
        /// ```
        fn is_poisoned;

        /// Makes the lock one that is not poisoned. Never blocks.
        ///
        /// ```
        /// use parkade::poison::RwLock;
        ///
        /// let lock = RwLock::new(1);
        /// std::panic::catch_unwind(|| {
        ///     let _guard = lock.write();
        ///     panic!("with the lock held for writing");
        /// })
        /// .unwrap_err();
        ///
        /// assert!(lock.read().is_err());
        /// lock.clear_poison();
        /// assert!(lock.read().is_ok());
        /// ```
        fn clear_poison;

        /// The value, without locking: nobody else has the lock now.
        ///
        /// # Errors
        /// If the lock is poisoned; the error holds the reference.
        ///
        /// ```
        /// let mut lock = parkade::poison::RwLock::new(1);
        /// *lock.get_mut().unwrap() = 2;
        /// assert_eq!(*lock.read().unwrap(), 2);
        /// ```
        fn get_mut;
    }
}

lock_face!(RwLock, try_read or format_args!("<locked>"));
