//! The interface of `parking_lot_core` 0.9 over Parkade's parking table.
//!
//! A package of the same name, so that one line puts it under every crate of a build:
//!
//! ```toml
//! [patch.crates-io]
//! parking_lot_core = { git = "https://github.com/parkade/parkade", version = "0.9" }
//! ```
//!
//! Names, signatures, the order of callbacks and their arguments are those of the original. What is better:
//! nothing allocates, so primitives built on it may be used by a global allocator; queues are found in
//! logarithmic time; the table is usable in a forked child; a callback that panics aborts the process
//! instead of leaving its queue locked. What differs:
//!
//! * [`UnparkResult::be_fair`] is decided before the queue is locked, by a clock for each of 64 groups of
//!   keys;
//! * a requeue onto the same key moves nobody and counts nobody (the original appends the waiters anew);
//! * [`deadlock`] finds nothing;
//! * [`SpinWait`] pauses for times instead of for numbers of instructions.

#![deny(missing_docs, unreachable_pub, unsafe_op_in_unsafe_fn)]

mod fair;

pub use later::{
    DEFAULT_PARK_TOKEN, DEFAULT_UNPARK_TOKEN, FilterOp, ParkResult, ParkToken, RequeueOp, SpinWait,
    UnparkToken, deadlock, park, unpark_all,
};

use fair::Turn;

/// What an unpark operation did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnparkResult {
    /// How many threads were unparked.
    pub unparked_threads: usize,
    /// How many threads were moved to another key.
    pub requeued_threads: usize,
    /// Whether threads still wait on the (original) key.
    pub have_more_threads: bool,
    /// Asks for a fair unlock this time: once every half millisecond on average, if somebody was
    /// unparked.
    pub be_fair: bool,
}

impl UnparkResult {
    fn new(result: later::UnparkResult, turn: &Turn) -> UnparkResult {
        UnparkResult {
            unparked_threads: result.unparked_threads,
            requeued_threads: result.requeued_threads,
            have_more_threads: result.have_more_threads,
            be_fair: result.unparked_threads > 0 && turn.take(),
        }
    }
}

/// Unparks the first thread parked on `key`, if any.
///
/// `callback` runs with the queue locked, whether or not somebody was found; the token it returns is given
/// to the thread that is unparked.
///
/// ```
/// use parking_lot_core::{DEFAULT_UNPARK_TOKEN, unpark_one};
///
/// let word = 0_u8;
/// let key = core::ptr::from_ref(&word).addr();
/// // SAFETY: the key is our own address, and the callback calls nothing.
/// let result = unsafe { unpark_one(key, |_| DEFAULT_UNPARK_TOKEN) };
/// assert_eq!(result.unparked_threads, 0);
/// assert!(!result.be_fair);
/// ```
///
/// # Safety
/// 1. `key` is an address the caller controls.
/// 2. `callback` does not call into this crate and does not panic.
pub unsafe fn unpark_one(
    key: usize,
    callback: impl FnOnce(UnparkResult) -> UnparkToken,
) -> UnparkResult {
    let turn = Turn::of(key);
    let mut told = UnparkResult::default();
    let callback = |result| {
        told = UnparkResult::new(result, &turn);
        callback(told)
    };
    // SAFETY: the same duties.
    unsafe { later::unpark_one(key, callback) };
    told
}

/// Unparks those threads parked on `key` that `filter` picks.
///
/// `filter` runs for each waiter in queue order, with the queue locked, until it returns
/// [`FilterOp::Stop`]. Then `callback` runs, with the queue still locked; the token it returns is given to
/// all that were picked.
///
/// # Safety
/// As for [`unpark_one`]; `filter` is bound by duty 2 too.
pub unsafe fn unpark_filter(
    key: usize,
    filter: impl FnMut(ParkToken) -> FilterOp,
    callback: impl FnOnce(UnparkResult) -> UnparkToken,
) -> UnparkResult {
    let turn = Turn::of(key);
    let mut told = UnparkResult::default();
    let callback = |result| {
        told = UnparkResult::new(result, &turn);
        callback(told)
    };
    // SAFETY: the same duties.
    unsafe { later::unpark_filter(key, filter, callback) };
    told
}

/// Unparks and moves threads parked on `key_from`, as `validate` says.
///
/// `validate` runs with both queues locked, and `callback` too, once the queues are as they will be; it is
/// not called after [`RequeueOp::Abort`]. The token it returns is given to the thread that is unparked.
///
/// # Safety
/// As for [`unpark_one`], for both keys and both callbacks.
pub unsafe fn unpark_requeue(
    key_from: usize,
    key_to: usize,
    validate: impl FnOnce() -> RequeueOp,
    callback: impl FnOnce(RequeueOp, UnparkResult) -> UnparkToken,
) -> UnparkResult {
    let turn = Turn::of(key_from);
    let mut told = UnparkResult::default();
    let callback = |op, result| {
        told = UnparkResult::new(result, &turn);
        callback(op, told)
    };
    // SAFETY: the same duties.
    unsafe { later::unpark_requeue(key_from, key_to, validate, callback) };
    told
}
