//! The interface of `parking_lot_core` 0.10 over Parkade's parking table.
//!
//! A package of the same name, so that one line puts it under every crate of a build:
//!
//! ```toml
//! [patch.crates-io]
//! parking_lot_core = { git = "https://github.com/parkade/parkade", version = "0.10" }
//! ```
//!
//! Names, signatures, the order of callbacks and their arguments are those of the original. What is better:
//! nothing allocates, so primitives built on it may be used by a global allocator; queues are found in
//! logarithmic time; the table is usable in a forked child. What differs:
//!
//! * a requeue onto the same key moves nobody and counts nobody (the original appends the waiters anew);
//! * [`deadlock`] finds nothing;
//! * [`SpinWait`] pauses for times instead of for numbers of instructions.
//!
//! As in the original, no operation unwinds: a callback that panics aborts the process, and so leaves
//! nobody waiting for it.

#![deny(missing_docs, unreachable_pub, unsafe_op_in_unsafe_fn)]

pub mod deadlock;

pub use parkade_core::{
    DEFAULT_PARK_TOKEN, DEFAULT_UNPARK_TOKEN, FilterOp, ParkResult, ParkToken, RequeueOp, SpinWait,
    UnparkResult, UnparkToken, unpark_all, unpark_filter, unpark_one, unpark_requeue,
};
use std::time::Instant;

/// Parks the calling thread on `key` until it is unparked or `timeout` passes.
///
/// `validate` runs with the key's queue locked; if it returns `false` the call returns
/// [`ParkResult::Invalid`]. Otherwise the thread joins the back of the queue. `before_sleep` runs once the
/// queue is unlocked. If `timeout` passes first, `timed_out` runs with the queue locked: it is told the key
/// the thread waited on at last (another than `key` after a requeue) and whether it was the last that did.
///
/// There are no spurious returns. If a callback panics the process aborts.
///
/// ```
/// use parking_lot_core::{DEFAULT_PARK_TOKEN, ParkResult, park};
/// use std::time::Instant;
///
/// let word = 0_u8;
/// let key = core::ptr::from_ref(&word).addr();
/// let mut was_last = None;
/// let timed_out = |at, last| was_last = Some((at == key, last));
/// // SAFETY: the key is our own address, and the callbacks call nothing.
/// let result =
///     unsafe { park(key, || true, || {}, timed_out, DEFAULT_PARK_TOKEN, Some(Instant::now())) };
/// assert_eq!((result, was_last), (ParkResult::TimedOut, Some((true, true))));
/// ```
///
/// # Safety
/// 1. `key` is an address the caller controls.
/// 2. `validate` and `timed_out` do not call into this crate and do not panic.
/// 3. `before_sleep` does not park and does not panic; it may unpark.
pub unsafe fn park(
    key: usize,
    validate: impl FnOnce() -> bool,
    before_sleep: impl FnOnce(),
    timed_out: impl FnOnce(usize, bool),
    park_token: ParkToken,
    timeout: Option<Instant>,
) -> ParkResult {
    let timed_out = |left: parkade_core::Departure| timed_out(left.key, !left.have_more_threads);
    // SAFETY: the same duties.
    unsafe { parkade_core::park(key, validate, before_sleep, timed_out, park_token, timeout) }
}
