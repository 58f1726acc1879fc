//! Names that parking_lot has for what has another name here, or none: code that uses them compiles after
//! changing the `use`.

use crate::{FairMutex, Mutex, RawRecursiveRwLock, ReentrantMutex, RwLock};

/// parking_lot 0.13's name for [`RawRecursiveRwLock`].
pub type RawRwLockRecursive = RawRecursiveRwLock;

#[cfg(feature = "arc_lock")]
#[doc(no_inline)]
pub use lock_api::{
    ArcMutexGuard, ArcReentrantMutexGuard, ArcRwLockReadGuard, ArcRwLockUpgradableReadGuard,
    ArcRwLockWriteGuard,
};

/// [`Mutex::new`](lock_api::Mutex::new), which is `const` too, by its name in parking_lot 0.12.
///
/// ```
/// static HITS: parkade::Mutex<u64> = parkade::const_mutex(0);
/// *HITS.lock() += 1;
/// ```
#[inline]
pub const fn const_mutex<T>(value: T) -> Mutex<T> {
    Mutex::new(value)
}

/// [`FairMutex::new`](lock_api::Mutex::new), which is `const` too, by its name in parking_lot 0.12.
///
/// ```
/// static HITS: parkade::FairMutex<u64> = parkade::const_fair_mutex(0);
/// *HITS.lock() += 1;
/// ```
#[inline]
pub const fn const_fair_mutex<T>(value: T) -> FairMutex<T> {
    FairMutex::new(value)
}

/// [`ReentrantMutex::new`](lock_api::ReentrantMutex::new), which is `const` too, by its name in parking_lot 0.12.
///
/// ```
/// use std::cell::Cell;
///
/// static HITS: parkade::ReentrantMutex<Cell<u64>> = parkade::const_reentrant_mutex(Cell::new(0));
/// HITS.lock().set(1);
/// ```
#[inline]
pub const fn const_reentrant_mutex<T>(value: T) -> ReentrantMutex<T> {
    ReentrantMutex::new(value)
}

/// [`RwLock::new`](lock_api::RwLock::new), which is `const` too, by its name in parking_lot 0.12.
///
/// ```
/// static HITS: parkade::RwLock<u64> = parkade::const_rwlock(0);
/// *HITS.write() += 1;
/// ```
#[inline]
pub const fn const_rwlock<T>(value: T) -> RwLock<T> {
    RwLock::new(value)
}
