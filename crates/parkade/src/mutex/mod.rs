//! Mutual exclusion: [`Mutex`] and its guards.

mod edges;
mod raw;
mod state;

#[cfg(all(test, loom))]
mod model;
#[cfg(all(test, not(loom)))]
mod tests;

#[cfg(all(test, loom))]
pub(crate) use edges::ALL as EDGES;
pub use raw::RawMutex;

#[cfg(not(loom))]
crate::lock_api_face!(RawMutex, release_fair = release_fair);

/// A mutual exclusion primitive that is small, fast and bounded in how long anybody waits.
#[cfg(not(loom))]
pub type Mutex<T> = lock_api::Mutex<RawMutex, T>;

/// Access to what a [`Mutex`] protects; unlocks it when dropped.
#[cfg(not(loom))]
pub type MutexGuard<'a, T> = lock_api::MutexGuard<'a, RawMutex, T>;

/// A [`MutexGuard`] narrowed to a part of what is protected, made by
/// [`MutexGuard::map`](lock_api::MutexGuard::map).
#[cfg(not(loom))]
pub type MappedMutexGuard<'a, T> = lock_api::MappedMutexGuard<'a, RawMutex, T>;

/// A [`MutexGuard`] that owns its mutex through an [`Arc`](std::sync::Arc), made by
/// [`Mutex::lock_arc`](lock_api::Mutex::lock_arc).
#[cfg(all(not(loom), feature = "arc_lock"))]
pub type ArcMutexGuard<T> = lock_api::ArcMutexGuard<RawMutex, T>;
