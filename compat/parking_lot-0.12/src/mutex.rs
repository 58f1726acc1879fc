//! [`Mutex`], [`FairMutex`] and their guards.

use crate::face::{Stateless, raw_mutex};
use lock_api::RawMutex as _;

raw_mutex! {
    /// The two-byte lock under [`Mutex`]: [`parkade::RawMutex`] for `lock_api` 0.4.
    RawMutex, parkade::RawMutex
}

raw_mutex! {
    /// The one-byte lock under [`FairMutex`]: [`parkade::RawFairMutex`] for `lock_api` 0.4.
    RawFairMutex, parkade::RawFairMutex
}

/// [`parkade::Mutex`] behind the interface of `parking_lot` 0.12.
///
/// ```
/// use parking_lot::{Mutex, const_mutex};
///
/// static HITS: Mutex<u32> = const_mutex(0);
/// *HITS.lock() += 1;
/// assert_eq!(HITS.try_lock().map(|hits| *hits), Some(1));
/// ```
pub type Mutex<T> = lock_api::Mutex<RawMutex, T>;

/// Access to what a [`Mutex`] protects; unlocks it when dropped.
///
/// It stays on its thread unless the feature `send_guard` is on:
///
/// ```compile_fail,E0277
/// # #[cfg(feature = "send_guard")] compile_error!("E0277 does not apply");
/// fn needs_send<T: Send>(_: T) {}
/// let lock = parking_lot::Mutex::new(0);
/// needs_send(lock.lock());
/// ```
pub type MutexGuard<'a, T> = lock_api::MutexGuard<'a, RawMutex, T>;

/// A [`MutexGuard`] narrowed to a part of what is protected.
pub type MappedMutexGuard<'a, T> = lock_api::MappedMutexGuard<'a, RawMutex, T>;

/// [`parkade::FairMutex`] behind the interface of `parking_lot` 0.12.
///
/// ```
/// let turns = parking_lot::FairMutex::new(Vec::new());
/// turns.lock().push("first");
/// assert_eq!(turns.into_inner(), ["first"]);
/// ```
pub type FairMutex<T> = lock_api::Mutex<RawFairMutex, T>;

/// Access to what a [`FairMutex`] protects; hands it to the first waiter when dropped.
pub type FairMutexGuard<'a, T> = lock_api::MutexGuard<'a, RawFairMutex, T>;

/// A [`FairMutexGuard`] narrowed to a part of what is protected.
pub type MappedFairMutexGuard<'a, T> = lock_api::MappedMutexGuard<'a, RawFairMutex, T>;

/// A free mutex, in a constant. `Mutex::new` is as good.
pub const fn const_mutex<T>(val: T) -> Mutex<T> {
    Mutex::const_new(RawMutex::INIT, val)
}

/// A free fair mutex, in a constant. `FairMutex::new` is as good.
///
/// ```
/// static NAMES: parking_lot::FairMutex<Vec<&str>> = parking_lot::const_fair_mutex(Vec::new());
/// assert!(NAMES.lock().is_empty());
/// ```
pub const fn const_fair_mutex<T>(val: T) -> FairMutex<T> {
    FairMutex::const_new(RawFairMutex::INIT, val)
}
