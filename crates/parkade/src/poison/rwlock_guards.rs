//! The guards of [`RwLock`](super::RwLock).

use super::{
    face::{guard_face, map_face},
    lock::{Exclusive, Part, Whole},
    shared::Shared,
};
use crate::{GuardMarker, RawRwLock};
use lock_api::{RawRwLock as _, RawRwLockDowngrade as _};
use std::sync::PoisonError;

impl Exclusive for RawRwLock {
    type Token = GuardMarker;

    #[inline]
    unsafe fn release(&self, token: GuardMarker) {
        // SAFETY: our duty 1 is its duty.
        unsafe { self.unlock_exclusive(token) };
    }
}

/// Shared access to what a [`RwLock`](super::RwLock) protects; unlocks it when dropped, and never poisons it.
///
/// It stays on its thread unless the feature `send_guard` is on.
///
/// ```
/// use parkade::poison::{RwLock, RwLockReadGuard};
///
/// fn sum(list: RwLockReadGuard<'_, Vec<u32>>) -> u32 {
///     list.iter().sum()
/// }
///
/// let list = RwLock::new(vec![1, 2]);
/// assert_eq!(sum(list.read().unwrap()), 3);
/// ```
///
/// ```compile_fail,E0277
/// # #[cfg(feature = "send_guard")] compile_error!("E0277 does not apply");
/// fn needs_send<T: Send>(_: T) {}
/// let lock = parkade::poison::RwLock::new(0);
/// needs_send(lock.read().unwrap());
/// ```
#[must_use = "the lock is unlocked at once if the guard is not kept"]
#[clippy::has_significant_drop]
pub struct RwLockReadGuard<'a, T: ?Sized + 'a>(pub(super) Shared<'a, T>);

/// Exclusive access to what a [`RwLock`](super::RwLock) protects; unlocks it when dropped, and poisons it
/// if a panic drops it that began while it lived.
///
/// It stays on its thread unless the feature `send_guard` is on.
///
/// ```
/// use parkade::poison::{RwLock, RwLockWriteGuard};
///
/// fn push_twice(mut list: RwLockWriteGuard<'_, Vec<u8>>) {
///     list.push(1);
///     list.push(2);
/// }
///
/// let list = RwLock::new(Vec::new());
/// push_twice(list.write().unwrap());
/// assert_eq!(*list.read().unwrap(), [1, 2]);
/// ```
///
/// ```compile_fail,E0277
/// # #[cfg(feature = "send_guard")] compile_error!("E0277 does not apply");
/// fn needs_send<T: Send>(_: T) {}
/// let lock = parkade::poison::RwLock::new(0);
/// needs_send(lock.write().unwrap());
/// ```
#[must_use = "the lock is unlocked at once if the guard is not kept"]
#[clippy::has_significant_drop]
pub struct RwLockWriteGuard<'a, T: ?Sized + 'a>(pub(super) Whole<'a, RawRwLock, T>);

/// A [`RwLockReadGuard`] narrowed to a part of what is protected, made by [`RwLockReadGuard::map`].
///
/// `std` has it only on nightly so far; this is the same.
///
/// ```
/// use parkade::poison::{MappedRwLockReadGuard, RwLock, RwLockReadGuard};
///
/// fn host(config: &RwLock<(String, u16)>) -> MappedRwLockReadGuard<'_, str> {
///     RwLockReadGuard::map(config.read().unwrap(), |config| config.0.as_str())
/// }
///
/// let config = RwLock::new((String::from("localhost"), 80));
/// assert_eq!(&*host(&config), "localhost");
/// ```
#[must_use = "the lock is unlocked at once if the guard is not kept"]
#[clippy::has_significant_drop]
pub struct MappedRwLockReadGuard<'a, T: ?Sized + 'a>(Shared<'a, T>);

/// A [`RwLockWriteGuard`] narrowed to a part of what is protected, made by [`RwLockWriteGuard::map`].
///
/// `std` has it only on nightly so far; this is the same.
///
/// ```
/// use parkade::poison::{MappedRwLockWriteGuard, RwLock, RwLockWriteGuard};
///
/// fn port(config: &RwLock<(String, u16)>) -> MappedRwLockWriteGuard<'_, u16> {
///     RwLockWriteGuard::map(config.write().unwrap(), |config| &mut config.1)
/// }
///
/// let config = RwLock::new((String::from("localhost"), 80));
/// *port(&config) += 8000;
/// assert_eq!(config.read().unwrap().1, 8080);
/// ```
#[must_use = "the lock is unlocked at once if the guard is not kept"]
#[clippy::has_significant_drop]
pub struct MappedRwLockWriteGuard<'a, T: ?Sized + 'a>(Part<'a, RawRwLock, T>);

guard_face!(RwLockReadGuard, MappedRwLockReadGuard);
guard_face!(mut RwLockWriteGuard, MappedRwLockWriteGuard);

impl<'a, T: ?Sized> RwLockReadGuard<'a, T> {
    map_face! {
        RwLockReadGuard => MappedRwLockReadGuard by (&);

        /// Narrows the guard to what `f` chooses. If `f` panics, the lock is unlocked.
        ///
        /// An associated function, so that it does not hide a method of what is protected.
        ///
        /// ```
        /// use parkade::poison::{RwLock, RwLockReadGuard};
        ///
        /// let pair = RwLock::new((1, 'x'));
        /// let letter = RwLockReadGuard::map(pair.read().unwrap(), |pair| &pair.1);
        /// assert_eq!(*letter, 'x');
        /// ```
        fn map;

        /// Narrows the guard to what `f` chooses, if it chooses. If `f` panics, the lock is unlocked.
        ///
        /// # Errors
        /// The guard as it was, if `f` returns `None`.
        ///
        /// ```
        /// use parkade::poison::{RwLock, RwLockReadGuard};
        ///
        /// let list = RwLock::new(vec![1, 2]);
        /// let absent = RwLockReadGuard::filter_map(list.read().unwrap(), |list| list.get(2));
        /// assert_eq!(absent.unwrap_err().len(), 2);
        /// ```
        fn filter_map;
    }
}

impl<'a, T: ?Sized> MappedRwLockReadGuard<'a, T> {
    map_face! {
        MappedRwLockReadGuard => MappedRwLockReadGuard by (&);

        /// As [`RwLockReadGuard::map`].
        ///
        /// ```
        /// use parkade::poison::{MappedRwLockReadGuard, RwLock, RwLockReadGuard};
        ///
        /// let nested = RwLock::new((1, (2, 3)));
        /// let pair = RwLockReadGuard::map(nested.read().unwrap(), |outer| &outer.1);
        /// assert_eq!(*MappedRwLockReadGuard::map(pair, |inner| &inner.0), 2);
        /// ```
        fn map;

        /// As [`RwLockReadGuard::filter_map`].
        ///
        /// # Errors
        /// The guard as it was, if `f` returns `None`.
        ///
        /// ```
        /// use parkade::poison::{MappedRwLockReadGuard, RwLock, RwLockReadGuard};
        ///
        /// let nested = RwLock::new((1, Some(2)));
        /// let option = RwLockReadGuard::map(nested.read().unwrap(), |outer| &outer.1);
        /// assert_eq!(*MappedRwLockReadGuard::filter_map(option, |inner| inner.as_ref()).unwrap(), 2);
        /// ```
        fn filter_map;
    }
}

impl<'a, T: ?Sized> RwLockWriteGuard<'a, T> {
    /// Lets readers in and goes on as one of them; nobody writes in between. Never blocks, never poisons.
    ///
    /// ```
    /// use parkade::poison::{RwLock, RwLockWriteGuard};
    ///
    /// let lock = RwLock::new(1);
    /// let mut writing = lock.write().unwrap();
    /// *writing = 2;
    /// let reading = RwLockWriteGuard::downgrade(writing);
    /// assert_eq!(*lock.read().unwrap(), *reading);
    /// ```
    pub fn downgrade(s: Self) -> RwLockReadGuard<'a, T> {
        let lock = s.0.lock;
        let token = s.0.into_held().into_token();
        // SAFETY: it came with the acquisition that made the guard.
        let state = unsafe { lock.raw.downgrade(token) };
        // SAFETY: 1. just acquired.
        unsafe { lock.admit_reader(state, RwLockReadGuard) }.unwrap_or_else(PoisonError::into_inner)
    }

    map_face! {
        RwLockWriteGuard => MappedRwLockWriteGuard by (&mut);

        /// Narrows the guard to what `f` chooses. If `f` panics, the lock is unlocked and poisoned.
        ///
        /// An associated function, so that it does not hide a method of what is protected.
        ///
        /// ```
        /// use parkade::poison::{RwLock, RwLockWriteGuard};
        ///
        /// let pair = RwLock::new((1, 'x'));
        /// *RwLockWriteGuard::map(pair.write().unwrap(), |pair| &mut pair.1) = 'y';
        /// assert_eq!(pair.read().unwrap().1, 'y');
        /// ```
        fn map;

        /// Narrows the guard to what `f` chooses, if it chooses. If `f` panics, the lock is unlocked and poisoned.
        ///
        /// # Errors
        /// The guard as it was, if `f` returns `None`.
        ///
        /// ```
        /// use parkade::poison::{RwLock, RwLockWriteGuard};
        ///
        /// let list = RwLock::new(vec![1, 2]);
        /// let absent = RwLockWriteGuard::filter_map(list.write().unwrap(), |list| list.get_mut(2));
        /// assert_eq!(absent.unwrap_err().len(), 2);
        /// ```
        fn filter_map;
    }
}

impl<'a, T: ?Sized> MappedRwLockWriteGuard<'a, T> {
    map_face! {
        MappedRwLockWriteGuard => MappedRwLockWriteGuard by (&mut);

        /// As [`RwLockWriteGuard::map`].
        ///
        /// ```
        /// use parkade::poison::{MappedRwLockWriteGuard, RwLock, RwLockWriteGuard};
        ///
        /// let nested = RwLock::new((1, (2, 3)));
        /// let pair = RwLockWriteGuard::map(nested.write().unwrap(), |outer| &mut outer.1);
        /// assert_eq!(*MappedRwLockWriteGuard::map(pair, |inner| &mut inner.0), 2);
        /// ```
        fn map;

        /// As [`RwLockWriteGuard::filter_map`].
        ///
        /// # Errors
        /// The guard as it was, if `f` returns `None`.
        ///
        /// ```
        /// use parkade::poison::{MappedRwLockWriteGuard, RwLock, RwLockWriteGuard};
        ///
        /// let nested = RwLock::new((1, Some(2)));
        /// let option = RwLockWriteGuard::map(nested.write().unwrap(), |outer| &mut outer.1);
        /// assert_eq!(*MappedRwLockWriteGuard::filter_map(option, |inner| inner.as_mut()).unwrap(), 2);
        /// ```
        fn filter_map;
    }
}
