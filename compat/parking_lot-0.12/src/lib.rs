//! The interface of `parking_lot` 0.12 over Parkade.
//!
//! A package of the same name, so that two lines put Parkade under every crate of a build:
//!
//! ```toml
//! [patch.crates-io]
//! parking_lot = { git = "https://github.com/parkade/parkade", version = "0.12" }
//! parking_lot_core = { git = "https://github.com/parkade/parkade", version = "0.9" }
//! ```
//!
//! Names, signatures and features are those of the original; the locks are Parkade's, with its bounds on
//! waiting. They are `lock_api` 0.4's types, as [`lock_api`] here. What differs:
//!
//! * in debug builds a `read()` that would wait for its own thread panics instead of deadlocking;
//! * threads may wait for one `Condvar` with different mutexes at a time, where the original panics;
//! * the module `deadlock` (feature `deadlock_detection`) finds nothing;
//! * the features `hardware-lock-elision` and `nightly` change nothing in the locks;
//! * `send_guard` and `deadlock_detection` may be on at the same time.

#![deny(missing_docs, unreachable_pub, unsafe_op_in_unsafe_fn)]

/// The interface of parking_lot's deadlock detector. **It detects nothing yet.**
#[cfg(feature = "deadlock_detection")]
pub mod deadlock {
    pub use parking_lot_core::deadlock::check_deadlock;
}

mod condvar;
mod face;
mod mutex;
mod remutex;
mod rwlock;

pub use ::lock_api;
pub use condvar::{Condvar, WaitTimeoutResult};
#[cfg(feature = "arc_lock")]
pub use lock_api::{
    ArcMutexGuard, ArcReentrantMutexGuard, ArcRwLockReadGuard, ArcRwLockUpgradableReadGuard,
    ArcRwLockWriteGuard,
};
pub use mutex::{
    FairMutex, FairMutexGuard, MappedFairMutexGuard, MappedMutexGuard, Mutex, MutexGuard,
    RawFairMutex, RawMutex, const_fair_mutex, const_mutex,
};
pub use parkade::{Once, OnceState};
pub use remutex::{
    MappedReentrantMutexGuard, RawThreadId, ReentrantMutex, ReentrantMutexGuard,
    const_reentrant_mutex,
};
pub use rwlock::{
    MappedRwLockReadGuard, MappedRwLockWriteGuard, RawRwLock, RwLock, RwLockReadGuard,
    RwLockUpgradableReadGuard, RwLockWriteGuard, const_rwlock,
};

/// The marker in every guard: it decides whether a guard may be sent to another thread.
#[cfg(not(feature = "send_guard"))]
type GuardMarker = lock_api::GuardNoSend;
#[cfg(feature = "send_guard")]
type GuardMarker = lock_api::GuardSend;
