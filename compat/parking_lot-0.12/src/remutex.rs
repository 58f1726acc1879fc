//! [`ReentrantMutex`] and its guards.

use crate::RawMutex;
use core::num::NonZeroUsize;
use lock_api::{GetThreadId, RawMutex as _};

/// Tells threads apart, for [`ReentrantMutex`].
#[derive(Debug)]
pub struct RawThreadId;

// SAFETY: Parkade's numbers are given once each.
unsafe impl GetThreadId for RawThreadId {
    const INIT: RawThreadId = RawThreadId;

    fn nonzero_thread_id(&self) -> NonZeroUsize {
        lock_api_05::GetThreadId::nonzero_thread_id(&parkade::RawThreadId)
    }
}

/// A mutex that the thread which holds it may lock again. It gives shared access only.
///
/// ```
/// let names = parking_lot::ReentrantMutex::new(["ann", "bob"]);
/// let outer = names.lock();
/// let inner = names.lock();
/// assert_eq!(outer[0], inner[0]);
/// ```
pub type ReentrantMutex<T> = lock_api::ReentrantMutex<RawMutex, RawThreadId, T>;

/// Shared access to what a [`ReentrantMutex`] protects; the last of a thread's guards unlocks it.
pub type ReentrantMutexGuard<'a, T> = lock_api::ReentrantMutexGuard<'a, RawMutex, RawThreadId, T>;

/// A [`ReentrantMutexGuard`] narrowed to a part of what is protected.
pub type MappedReentrantMutexGuard<'a, T> =
    lock_api::MappedReentrantMutexGuard<'a, RawMutex, RawThreadId, T>;

/// A free reentrant mutex, in a constant. `ReentrantMutex::new` is as good.
///
/// ```
/// static COUNT: parking_lot::ReentrantMutex<u32> = parking_lot::const_reentrant_mutex(0);
/// assert_eq!(*COUNT.lock(), 0);
/// ```
pub const fn const_reentrant_mutex<T>(val: T) -> ReentrantMutex<T> {
    ReentrantMutex::const_new(RawMutex::INIT, RawThreadId, val)
}
