//! [`Mutex`] and its guards.

use super::{
    face::{acquire_face, guard_face, lock_face, map_face, unlocked_face},
    lock::{Exclusive, Lock, Part, Whole},
};
use crate::{GuardMarker, RawMutex};
use lock_api::{RawMutex as _, RawMutexTimed as _};
use std::sync::LockResult;

impl Exclusive for RawMutex {
    type Token = GuardMarker;

    #[inline]
    unsafe fn release(&self, token: GuardMarker) {
        // SAFETY: our duty 1 is its duty.
        unsafe { self.unlock(token) };
    }
}

// SAFETY: one at a time reaches the value, from whatever thread, so it must be `Send` and no more.
unsafe impl<T: ?Sized + Send> Sync for Lock<RawMutex, T> {}

/// A [`parkade::Mutex`](crate::Mutex) with the face of [`std::sync::Mutex`]: a panic while it is locked
/// poisons it.
///
/// * **Blocking, fairness, cost, `fork`**: as [`parkade::Mutex`](crate::Mutex), whose raw lock this is. One
///   byte more, which makes three.
/// * **Poisoning**: the lock is poisoned when a guard is dropped by a panic that began while the guard
///   lived. Then every way to the value is an [`Err`] whose [`PoisonError`](std::sync::PoisonError) holds
///   what the `Ok` would have held, until [`clear_poison`](Mutex::clear_poison).
/// * **Timeouts**: [`try_lock_for`](Mutex::try_lock_for) and [`try_lock_until`](Mutex::try_lock_until) are
///   ours; `std` has no such thing.
/// * **Panics**: nothing panics. Locking again on the same thread deadlocks.
///
/// ```
/// use parkade::poison::Mutex;
/// use std::{sync::Arc, thread};
///
/// let balance = Arc::new(Mutex::new(10));
/// let worker = thread::spawn({
///     let balance = Arc::clone(&balance);
///     move || {
///         let mut balance = balance.lock().unwrap();
///         *balance -= 3;
///         panic!("before it was given to anybody");
///     }
/// });
/// assert!(worker.join().is_err());
///
/// let mut guard = balance.lock().unwrap_or_else(|poisoned| {
///     let mut guard = poisoned.into_inner();
///     *guard = 10;
///     balance.clear_poison();
///     guard
/// });
/// *guard -= 1;
/// drop(guard);
/// assert_eq!(*balance.lock().unwrap(), 9);
/// ```
///
/// What it protects must be `Send` for the lock to be shared:
///
/// ```compile_fail,E0277
/// fn needs_sync<T: Sync>(_: T) {}
/// needs_sync(parkade::poison::Mutex::new(std::rc::Rc::new(0)));
/// ```
pub struct Mutex<T: ?Sized>(pub(super) Lock<RawMutex, T>);

impl<T> Mutex<T> {
    /// A free mutex.
    ///
    /// ```
    /// use parkade::poison::Mutex;
    ///
    /// static QUEUE: Mutex<Vec<u32>> = Mutex::new(Vec::new());
    /// QUEUE.lock().unwrap().push(1);
    /// ```
    #[inline]
    pub const fn new(value: T) -> Mutex<T> {
        Mutex(Lock::new(RawMutex::INIT, value))
    }

    /// The value, without locking: nobody else has the mutex any more.
    ///
    /// # Errors
    /// If the mutex is poisoned; the error holds the value.
    ///
    /// ```
    /// let mutex = parkade::poison::Mutex::new(7);
    /// assert_eq!(mutex.into_inner().unwrap(), 7);
    /// ```
    pub fn into_inner(self) -> LockResult<T> {
        self.0.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    acquire_face! {
        MutexGuard by admit, try_admit;

        /// Waits for the mutex and locks it.
        ///
        /// # Errors
        /// If the mutex is poisoned. It is locked all the same: the error holds the guard.
        ///
        /// ```
        /// let mutex = parkade::poison::Mutex::new(1);
        /// *mutex.lock().unwrap() += 1;
        /// assert_eq!(*mutex.lock().unwrap(), 2);
        /// ```
        fn lock = lock;

        /// Locks the mutex if it is free; never blocks.
        ///
        /// # Errors
        /// * [`WouldBlock`](std::sync::TryLockError::WouldBlock) if the mutex is locked.
        /// * [`Poisoned`](std::sync::TryLockError::Poisoned) if it was free and is poisoned. It is locked now:
        ///   the error holds the guard.
        ///
        /// ```
        /// use parkade::poison::{Mutex, TryLockError};
        ///
        /// let mutex = Mutex::new(1);
        /// let guard = mutex.try_lock().unwrap();
        /// assert!(matches!(mutex.try_lock(), Err(TryLockError::WouldBlock)));
        /// # drop(guard);
        /// ```
        fn try_lock = try_lock;

        /// Locks the mutex if it can be had within `timeout`; `std` lacks this.
        ///
        /// A timeout of zero still takes a free mutex; one too long for the clock waits for ever.
        ///
        /// # Errors
        /// As [`try_lock`](Mutex::try_lock), with [`WouldBlock`](std::sync::TryLockError::WouldBlock) once the
        /// time has passed.
        ///
        /// ```
        /// use parkade::poison::{Mutex, TryLockError};
        /// use std::time::Duration;
        ///
        /// let mutex = Mutex::new(1);
        /// let guard = mutex.lock().unwrap();
        /// let late = mutex.try_lock_for(Duration::from_millis(1));
        /// assert!(matches!(late, Err(TryLockError::WouldBlock)));
        /// # drop(late);
        /// # drop(guard);
        /// ```
        fn try_lock_for = try_lock_for;

        /// As [`try_lock_for`](Mutex::try_lock_for), up to a moment on the monotonic clock.
        ///
        /// # Errors
        /// As [`try_lock_for`](Mutex::try_lock_for).
        ///
        /// ```
        /// use parkade::poison::Mutex;
        /// use std::time::Instant;
        ///
        /// let mutex = Mutex::new(1);
        /// assert_eq!(*mutex.try_lock_until(Instant::now()).unwrap(), 1);
        /// ```
        fn try_lock_until = try_lock_until;
    }

    unlocked_face! {
        /// Whether the mutex is poisoned. Never blocks; while others lock, the answer may be out of date.
        ///
        /// ```
        /// assert!(!parkade::poison::Mutex::new(1).is_poisoned());
        /// ```
        fn is_poisoned;

        /// Makes the mutex one that is not poisoned. Never blocks.
        ///
        /// ```
        /// use parkade::poison::Mutex;
        ///
        /// let mutex = Mutex::new(1);
        /// std::panic::catch_unwind(|| {
        ///     let _guard = mutex.lock();
        ///     panic!("with the mutex locked");
        /// })
        /// .unwrap_err();
        ///
        /// assert!(mutex.lock().is_err());
        /// mutex.clear_poison();
        /// assert!(mutex.lock().is_ok());
        /// ```
        fn clear_poison;

        /// The value, without locking: nobody else has the mutex now.
        ///
        /// # Errors
        /// If the mutex is poisoned; the error holds the reference.
        ///
        /// ```
        /// let mut mutex = parkade::poison::Mutex::new(1);
        /// *mutex.get_mut().unwrap() = 2;
        /// assert_eq!(*mutex.lock().unwrap(), 2);
        /// ```
        fn get_mut;
    }
}

lock_face!(Mutex, try_lock or "<locked>");

/// Access to what a [`Mutex`] protects; unlocks it when dropped, and poisons it if a panic drops it that
/// began while it lived.
///
/// It stays on its thread unless the feature `send_guard` is on.
///
/// ```
/// use parkade::poison::{Mutex, MutexGuard};
///
/// fn push_twice(mut list: MutexGuard<'_, Vec<u8>>) {
///     list.push(1);
///     list.push(2);
/// }
///
/// let list = Mutex::new(Vec::new());
/// push_twice(list.lock().unwrap());
/// assert_eq!(*list.lock().unwrap(), [1, 2]);
/// ```
///
/// ```compile_fail,E0277
/// # #[cfg(feature = "send_guard")] compile_error!("E0277 does not apply");
/// fn needs_send<T: Send>(_: T) {}
/// let lock = parkade::poison::Mutex::new(0);
/// needs_send(lock.lock().unwrap());
/// ```
#[must_use = "the mutex is unlocked at once if the guard is not kept"]
#[clippy::has_significant_drop]
pub struct MutexGuard<'a, T: ?Sized + 'a>(pub(super) Whole<'a, RawMutex, T>);

/// A [`MutexGuard`] narrowed to a part of what is protected, made by [`MutexGuard::map`].
///
/// `std` has it only on nightly so far; this is the same.
///
/// ```
/// use parkade::poison::{MappedMutexGuard, Mutex, MutexGuard};
///
/// fn port(config: &Mutex<(String, u16)>) -> MappedMutexGuard<'_, u16> {
///     MutexGuard::map(config.lock().unwrap(), |config| &mut config.1)
/// }
///
/// let config = Mutex::new((String::from("localhost"), 80));
/// *port(&config) += 8000;
/// assert_eq!(config.lock().unwrap().1, 8080);
/// ```
#[must_use = "the mutex is unlocked at once if the guard is not kept"]
#[clippy::has_significant_drop]
pub struct MappedMutexGuard<'a, T: ?Sized + 'a>(Part<'a, RawMutex, T>);

guard_face!(mut MutexGuard, MappedMutexGuard);

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    map_face! {
        MutexGuard => MappedMutexGuard by (&mut);

        /// Narrows the guard to what `f` chooses. If `f` panics, the mutex is unlocked and poisoned.
        ///
        /// An associated function, so that it does not hide a method of what is protected.
        ///
        /// ```
        /// use parkade::poison::{Mutex, MutexGuard};
        ///
        /// let pair = Mutex::new((1, 'x'));
        /// let letter = MutexGuard::map(pair.lock().unwrap(), |pair| &mut pair.1);
        /// assert_eq!(*letter, 'x');
        /// ```
        fn map;

        /// Narrows the guard to what `f` chooses, if it chooses. If `f` panics, the mutex is unlocked and poisoned.
        ///
        /// # Errors
        /// The guard as it was, if `f` returns `None`.
        ///
        /// ```
        /// use parkade::poison::{Mutex, MutexGuard};
        ///
        /// let list = Mutex::new(vec![1, 2]);
        /// let absent = MutexGuard::filter_map(list.lock().unwrap(), |list| list.get_mut(2));
        /// assert_eq!(absent.unwrap_err().len(), 2);
        /// ```
        fn filter_map;
    }
}

impl<'a, T: ?Sized> MappedMutexGuard<'a, T> {
    map_face! {
        MappedMutexGuard => MappedMutexGuard by (&mut);

        /// As [`MutexGuard::map`].
        ///
        /// ```
        /// use parkade::poison::{MappedMutexGuard, Mutex, MutexGuard};
        ///
        /// let nested = Mutex::new((1, (2, 3)));
        /// let pair = MutexGuard::map(nested.lock().unwrap(), |outer| &mut outer.1);
        /// assert_eq!(*MappedMutexGuard::map(pair, |inner| &mut inner.0), 2);
        /// ```
        fn map;

        /// As [`MutexGuard::filter_map`].
        ///
        /// # Errors
        /// The guard as it was, if `f` returns `None`.
        ///
        /// ```
        /// use parkade::poison::{MappedMutexGuard, Mutex, MutexGuard};
        ///
        /// let nested = Mutex::new((1, Some(2)));
        /// let option = MutexGuard::map(nested.lock().unwrap(), |outer| &mut outer.1);
        /// assert_eq!(*MappedMutexGuard::filter_map(option, |inner| inner.as_mut()).unwrap(), 2);
        /// ```
        fn filter_map;
    }
}
