//! Locks that are small, fast and bounded in how long anybody waits.
//!
//! [`Mutex`] for almost everything, [`RwLock`] for what is mostly read, [`FairMutex`] where order itself is
//! the requirement, [`ReentrantMutex`] and [`RecursiveRwLock`] where a thread locks or reads again, and [`Condvar`]
//! to wait with any of them but a `ReentrantMutex`. The locks are
//! [`lock_api`] 0.5 types, so code written for `parking_lot` 0.13 compiles after changing the `use`, and what
//! accepts any `lock_api` lock accepts these.
//!
//! [`lock_many`] takes several locks at once without deadlock, in whatever order they are named ([`many`]).
//!
//! [`Once`], [`OnceLock`] and [`LazyLock`] do something once, for all threads. [`Barrier`], [`Latch`] and [`WaitGroup`]
//! let threads wait for each other; a [`Semaphore`] limits how many do something at a time.
//!
//! [`prelude`] adds to `Mutex` what waits for a condition with no condition variable: `lock_when` and `wait_until`.
//!
//! Tasks wait for all of them but `FairMutex` and `ReentrantMutex`, in the queues in which threads wait and with any executor: `lock_async`
//! and its like, from [`prelude`] for the types of `lock_api`; [`futures`] names what they return, [`prelude::LockAsync`] says what holds
//! for all.
//!
//! ```
//! use parkade::Mutex;
//!
//! static HITS: Mutex<u64> = Mutex::new(0);
//!
//! std::thread::scope(|scope| {
//!     for _ in 0..4 {
//!         scope.spawn(|| *HITS.lock() += 1);
//!     }
//! });
//! assert_eq!(*HITS.lock(), 4);
//! ```
//!
//! [`keyed`] has a lock for each key (a user, a file, an order), with nothing left of those that nobody uses, and a map of
//! values behind such locks.
//!
//! [`shared`] has the same locks as handles that are cloned, instead of an `Arc` around each.
//!
//! # Features
//!
//! All are additive, and none changes the layout or the behaviour of a lock.
//!
//! | feature | adds |
//! |---|---|
//! | `keyed` (default) | [`keyed`] |
//! | `arc_lock` | guards that own their lock through an `Arc` (`lock_arc`, ...) |
//! | `serde` | `Serialize` and `Deserialize` for the locks and their handles, as the value alone, which is locked while it is written |
//! | `owning_ref` | `StableAddress` for the guards, as in `parking_lot`. The crate [`owning_ref`] is unmaintained, and several of its functions are unsound (RUSTSEC-2022-0040): for old code only; use the guards' `map` instead |
//! | `send_guard` | guards may be sent to and dropped on another thread |
//!
//! # Tuning
//!
//! [`tuning`] holds the process-wide settings of the waiting policy and names the environment
//! variables that set them from outside. `parkade bench --sweep` compares values.
//!
//! [`owning_ref`]: https://crates.io/crates/owning_ref

#![cfg_attr(loom, allow(dead_code, reason = "a model build leaves out the public face"))]

mod barrier;
mod condvar;
mod crowd;
#[cfg(not(loom))]
mod face;
mod fair_mutex;
#[cfg(not(loom))]
pub mod futures;
#[cfg(feature = "keyed")]
pub mod keyed;
mod latch;
#[cfg(not(loom))]
pub mod many;
#[cfg(all(test, loom))]
mod model;
mod mutex;
#[cfg(not(loom))]
mod names;
mod once;
mod parked;
#[cfg(not(loom))]
pub mod poison;
#[cfg(not(loom))]
pub mod prelude;
#[cfg(not(loom))]
mod reentrant;
mod requeue;
mod rwlock;
mod semaphore;
#[cfg(not(loom))]
pub mod shared;
mod task;
#[cfg(test)]
mod transition;
#[cfg(not(loom))]
mod wait_group;

#[cfg(not(loom))]
pub use barrier::{Barrier, BarrierAbortGuard, BarrierError, BarrierWaitResult};
pub use condvar::*;
#[cfg(not(loom))]
pub(crate) use face::lock_api_face;
pub use fair_mutex::*;
#[cfg(not(loom))]
pub use latch::{CountDownError, Latch};
#[cfg(not(loom))]
pub use many::{lock_many, lock_many_async, try_lock_many, try_lock_many_for, try_lock_many_until};
pub use mutex::*;
#[cfg(not(loom))]
pub use names::*;
#[cfg(not(loom))]
pub use once::{LazyLock, Once, OnceLock, OnceState};
#[cfg(not(loom))]
pub use reentrant::*;
#[cfg(not(loom))]
pub use rwlock::*;
pub use semaphore::*;
#[cfg(not(loom))]
pub use wait_group::WaitGroup;

#[cfg(not(loom))]
pub use lock_api;
pub use parkade_core::tuning;

/// The marker in every guard: it decides whether a guard may be sent to another thread.
#[cfg(all(not(loom), not(feature = "send_guard")))]
type GuardMarker = lock_api::GuardNoSend;
#[cfg(all(not(loom), feature = "send_guard"))]
type GuardMarker = lock_api::GuardSend;

#[cfg(all(doctest, not(loom)))]
#[doc = include_str!("../../../README.md")]
mod readme {}

#[cfg(all(doctest, not(loom)))]
#[doc = include_str!("../../../docs/migrate.md")]
mod migrate {}
