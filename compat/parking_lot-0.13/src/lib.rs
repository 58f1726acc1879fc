//! The interface of `parking_lot` 0.13 over Parkade.
//!
//! A package of the same name, so that two lines put Parkade under every crate of a build:
//!
//! ```toml
//! [patch.crates-io]
//! parking_lot = { git = "https://github.com/parkade/parkade", version = "0.13" }
//! parking_lot_core = { git = "https://github.com/parkade/parkade", version = "0.10" }
//! ```
//!
//! Everything is [`parkade`]'s, which has the same interface under (nearly) the same names. What differs:
//!
//! * [`RawRwLock`] has no parameter: `RawRwLock<true>` is [`RawRwLockRecursive`] only;
//! * in debug builds a `read()` that would wait for its own thread panics instead of deadlocking;
//! * threads may wait for one `Condvar` with different mutexes at a time, where the original panics;
//! * the module `deadlock` (feature `deadlock_detection`) finds nothing;
//! * `send_guard` and `deadlock_detection` may be on at the same time.
//!
//! ```
//! let names = parking_lot::RwLock::new(vec!["ann"]);
//! names.write().push("bob");
//! assert_eq!(names.read().len(), 2);
//! ```

#![forbid(unsafe_code)]
#![deny(missing_docs, unreachable_pub)]

/// The interface of parking_lot's deadlock detector. **It detects nothing yet.**
#[cfg(feature = "deadlock_detection")]
pub mod deadlock {
    pub use parking_lot_core::deadlock::check_deadlock;
}

mod condvar;

pub use ::lock_api;
pub use condvar::Condvar;
pub use lock_api::WaitTimeoutResult;
#[cfg(feature = "arc_lock")]
pub use parkade::{
    ArcMutexGuard, ArcReentrantMutexGuard, ArcRwLockReadGuard, ArcRwLockUpgradableReadGuard,
    ArcRwLockWriteGuard,
};
pub use parkade::{
    FairMutex, FairMutexGuard, MappedFairMutexGuard, MappedMutexGuard,
    MappedRecursiveRwLockReadGuard, MappedRecursiveRwLockWriteGuard, MappedReentrantMutexGuard,
    MappedRwLockReadGuard, MappedRwLockWriteGuard, Mutex, MutexGuard, Once, OnceState, RawCondvar,
    RawFairMutex, RawMutex, RawRwLock, RawRwLockRecursive, RawThreadId, RecursiveRwLock,
    RecursiveRwLockReadGuard, RecursiveRwLockUpgradableReadGuard, RecursiveRwLockWriteGuard,
    ReentrantMutex, ReentrantMutexGuard, RwLock, RwLockReadGuard, RwLockUpgradableReadGuard,
    RwLockWriteGuard,
};
