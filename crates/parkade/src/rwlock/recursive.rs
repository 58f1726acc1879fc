//! Reading a lock that the thread may be reading already.

use super::{
    AbortOnUnwind, Core, Duration, GuardMarker, Held, Instant, Mode, Moment, RawRwLock, Reading,
    RwLock, RwLockReadGuard, SharedGuardState, Sharing, rwlock_face,
};

/// The eight-byte lock under [`RecursiveRwLock`].
#[derive(Debug)]
pub struct RawRecursiveRwLock(Core);

rwlock_face!(RawRecursiveRwLock, Mode::Recursive);

/// A [`RwLock`] that a thread may read while it is reading it.
///
/// The price is fairness: a reader passes writers that wait for others to leave, so a writer waits until
/// at some moment nobody reads, however long that takes. In all else it is a [`RwLock`], which allows
/// the same for single calls ([`read_recursive`](crate::prelude::ReadRecursive::read_recursive)).
///
/// ```
/// use parkade::RecursiveRwLock;
///
/// let lock = RecursiveRwLock::new(1);
/// let outer = lock.read();
/// let inner = lock.read(); // whoever waits to write
/// assert_eq!(*outer, *inner);
/// ```
pub type RecursiveRwLock<T> = lock_api::RwLock<RawRecursiveRwLock, T>;

/// Shared access to what a [`RecursiveRwLock`] protects.
pub type RecursiveRwLockReadGuard<'a, T> = lock_api::RwLockReadGuard<'a, RawRecursiveRwLock, T>;

/// Exclusive access to what a [`RecursiveRwLock`] protects.
pub type RecursiveRwLockWriteGuard<'a, T> = lock_api::RwLockWriteGuard<'a, RawRecursiveRwLock, T>;

/// Shared access to what a [`RecursiveRwLock`] protects that nobody else can turn into exclusive access.
pub type RecursiveRwLockUpgradableReadGuard<'a, T> =
    lock_api::RwLockUpgradableReadGuard<'a, RawRecursiveRwLock, T>;

/// A [`RecursiveRwLockReadGuard`] narrowed to a part of what is protected.
pub type MappedRecursiveRwLockReadGuard<'a, T> =
    lock_api::MappedRwLockReadGuard<'a, RawRecursiveRwLock, T>;

/// A [`RecursiveRwLockWriteGuard`] narrowed to a part of what is protected.
pub type MappedRecursiveRwLockWriteGuard<'a, T> =
    lock_api::MappedRwLockWriteGuard<'a, RawRecursiveRwLock, T>;

/// Reads of a [`RwLock`] by threads that may be reading it already, as in parking_lot 0.12.
///
/// They pass a writer that waits for readers to leave, so that a thread that reads never waits for one that
/// waits for it. Used always, they may starve writers; once in a while they do not. A recursive reader that
/// finds no writer in never waits. One that has found a writer in and fallen asleep is woken in its turn,
/// which may be after another writer, so a thread that reads must not wait for it.
pub trait ReadRecursive {
    /// What the lock protects.
    type Value: ?Sized;

    /// Reads; does not wait if no writer is in.
    ///
    /// ```
    /// use parkade::{RwLock, prelude::*};
    ///
    /// let lock = RwLock::new(1);
    /// let outer = lock.read();
    /// let inner = lock.read_recursive();
    /// assert_eq!(*outer, *inner);
    /// ```
    ///
    /// # Panics
    /// If the lock has 2^23 readers.
    fn read_recursive(&self) -> RwLockReadGuard<'_, Self::Value>;

    /// Reads unless a writer is in. Never blocks.
    ///
    /// # Panics
    /// As [`read_recursive`](ReadRecursive::read_recursive).
    fn try_read_recursive(&self) -> Option<RwLockReadGuard<'_, Self::Value>>;

    /// As [`read_recursive`](ReadRecursive::read_recursive), for at most `timeout`.
    ///
    /// # Panics
    /// As [`read_recursive`](ReadRecursive::read_recursive).
    fn try_read_recursive_for(&self, timeout: Duration)
    -> Option<RwLockReadGuard<'_, Self::Value>>;

    /// As [`read_recursive`](ReadRecursive::read_recursive), until `deadline`.
    ///
    /// # Panics
    /// As [`read_recursive`](ReadRecursive::read_recursive).
    fn try_read_recursive_until(
        &self,
        deadline: Instant,
    ) -> Option<RwLockReadGuard<'_, Self::Value>>;
}

/// The raw lock of `lock`.
fn raw<T: ?Sized>(lock: &RwLock<T>) -> &RawRwLock {
    // SAFETY: it is only locked, and what is locked is handed out as a guard.
    unsafe { lock.raw() }
}

/// The guard for what `raw(lock)` has been locked with.
fn guard<T: ?Sized>(lock: &RwLock<T>, reading: Reading, held: Held) -> RwLockReadGuard<'_, T> {
    let state = raw(lock).entered(reading, held);
    // SAFETY: the lock is held for reading, with this state.
    unsafe { lock.make_read_guard_unchecked(state) }
}

impl<T: ?Sized> ReadRecursive for RwLock<T> {
    type Value = T;

    #[inline]
    #[track_caller]
    fn read_recursive(&self) -> RwLockReadGuard<'_, T> {
        let held = Held::here();
        guard(self, raw(self).0.read(Mode::Recursive, held), held)
    }

    #[inline]
    #[track_caller]
    fn try_read_recursive(&self) -> Option<RwLockReadGuard<'_, T>> {
        let held = Held::here();
        Some(guard(self, raw(self).0.try_read(Mode::Recursive)?, held))
    }

    #[inline]
    #[track_caller]
    fn try_read_recursive_for(&self, timeout: Duration) -> Option<RwLockReadGuard<'_, T>> {
        let held = Held::here();
        let reading = raw(self).0.read_until(Mode::Recursive, || Moment::after(timeout))?;
        Some(guard(self, reading, held))
    }

    #[inline]
    #[track_caller]
    fn try_read_recursive_until(&self, deadline: Instant) -> Option<RwLockReadGuard<'_, T>> {
        let held = Held::here();
        let reading = raw(self).0.read_until(Mode::Recursive, || Moment::at(deadline))?;
        Some(guard(self, reading, held))
    }
}
