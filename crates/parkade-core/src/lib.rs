//! The parking table under Parkade: the place where threads wait, so that a lock need only be a
//! few bits.
//!
//! A lock built on this crate keeps a small word of its own. When a thread has to wait, it
//! [`park`]s on an address (the *key*, usually that of the word); whoever changes the word
//! [`unpark_one`]s that key. A callback that runs under the queue's lock decides at the last moment
//! whether to sleep, so no wake is lost between looking at the word and sleeping.
//!
//! The operations are those of `parking_lot_core`, under the same names, with these promises:
//!
//! * **No allocation**, ever: waiters' nodes live on their stacks or in their futures, the table is a static. Locks
//!   built on it work inside a global allocator. (Once futures wait, a thread is started that helps them; threads never
//!   start it: [`TaskWaiter`].)
//! * **No work at thread creation or exit**, no thread-local with a destructor: locks work in TLS
//!   destructors, and a million short-lived threads leave nothing behind.
//! * **No system call, clock, wake or waker under a bucket lock**, except that a requeue may wait for the
//!   second of its two; no operation unwinds, except with the panic of a task's waker once all is done.
//! * **Cost**: queueing, "is anybody waiting" and leaving on a timeout are O(1) in the waiters of
//!   the key and logarithmic in the keys that share a bucket.
//! * **Fork**: in a forked child the table is empty and usable.
//!
//! Futures wait in the same queues as threads: [`TaskWaiter`], for those who build locks with an `async` face.
//!
//! It also holds what locks share: [`fence`] (asymmetric fences), [`policy`] (when to spin, park
//! and claim), [`tuning`], [`SpinWait`], and for diagnosis [`snapshot`] and [`observe`].
//!
//! # Example
//!
//! `crates/parkade/examples/build_your_own_lock.rs` is a complete mutex in 30 lines.

#![cfg_attr(loom, allow(dead_code, reason = "a model build leaves out the public face"))]

mod abort;
mod deadline;
mod edges;
pub mod fence;
#[doc(hidden)]
pub mod lookout;
pub mod observe;
mod park;
mod parker;
pub mod policy;
mod requeue;
#[doc(hidden)]
pub mod shim;
#[doc(hidden)]
pub mod slots;
mod snapshot;
mod spin;
mod sys;
mod table;
mod task;
mod tokens;
pub mod tuning;
mod unpark;

pub use deadline::Moment;
pub use park::{Departure, ParkRequest, Place, park, park_with};
pub use requeue::{unpark_requeue, unpark_requeue_filter};
pub use snapshot::{Parked, snapshot, snapshot_of};
pub use spin::SpinWait;
pub use task::{Cancelled, TaskWaiter};
pub use tokens::{
    DEFAULT_PARK_TOKEN, DEFAULT_UNPARK_TOKEN, FilterOp, ParkResult, ParkToken, RequeueFilterOp,
    RequeueOp, UnparkResult, UnparkToken,
};
pub use unpark::{unpark_all, unpark_filter, unpark_filter_if, unpark_one, unpark_one_if};

/// How many times the process has forked since it was executed. A lock uses it to tell what it has
/// written for threads of this process from what is left of its parent's.
#[doc(hidden)]
#[must_use]
pub fn fork_generation() -> u32 {
    sys::fork::generation()
}

/// The number of the calling thread, by which [`Parked::thread`] names it too. Never 0.
#[doc(hidden)]
#[inline]
#[must_use]
pub fn thread_number() -> u32 {
    sys::thread_id()
}

/// How many processors this process may run on; at least 1.
#[doc(hidden)]
#[must_use]
pub fn processors() -> u32 {
    sys::cpus()
}

#[cfg(all(test, loom))]
mod model;
