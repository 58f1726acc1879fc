//! Unparking: taking waiters off a queue and waking them.

use crate::{
    FilterOp, ParkToken, UnparkResult, UnparkToken,
    abort::AbortOnUnwind,
    table::{self, Locked, Taken},
};

/// Unparks the first thread parked on `key`, if any.
///
/// `callback` runs under the queue lock, whether or not somebody was found, after the thread has
/// left the queue and before it wakes; the token it returns is given to that thread. It is the
/// place to bring a lock's word in line with the queue.
///
/// # Safety
/// 1. `key` is an address the caller controls.
/// 2. `callback` runs under a queue lock. It does not call into this crate, does not panic, and
///    returns quickly.
/// 3. Not called from a signal handler that may interrupt a call into this crate.
pub unsafe fn unpark_one(
    key: usize,
    callback: impl FnOnce(UnparkResult) -> UnparkToken,
) -> UnparkResult {
    // SAFETY: the same duties; `validate` does nothing.
    unsafe { unpark_one_if(key, || true, callback) }
}

/// [`unpark_one`], if `validate` still says so under the queue lock.
///
/// `validate` runs first, whether or not anybody is parked. If it returns `false` nobody is
/// unparked; `callback` runs all the same.
///
/// # Safety
/// As for [`unpark_one`]; `validate` is bound by duty 2 too.
pub unsafe fn unpark_one_if(
    key: usize,
    validate: impl FnOnce() -> bool,
    callback: impl FnOnce(UnparkResult) -> UnparkToken,
) -> UnparkResult {
    unpark(key, |bucket| bucket.take(key, first(usize::from(validate()))), callback)
}

/// Unparks every thread parked on `key`, giving `unpark_token` to each; returns how many.
///
/// # Safety
/// Duties 1 and 3 of [`unpark_one`].
pub unsafe fn unpark_all(key: usize, unpark_token: UnparkToken) -> usize {
    // SAFETY: the same duties; the callbacks do nothing.
    unsafe { unpark_filter(key, |_| FilterOp::Unpark, |_| unpark_token) }.unparked_threads
}

/// Unparks those threads parked on `key` that `filter` picks.
///
/// `filter` runs for each waiter in queue order, under the queue lock, with the token it parked
/// with, until it returns [`FilterOp::Stop`]. `callback` then runs under the same lock; the token
/// it returns is given to all that were picked.
///
/// # Safety
/// As for [`unpark_one`]; `filter` is bound by duty 2 too.
pub unsafe fn unpark_filter(
    key: usize,
    filter: impl FnMut(ParkToken) -> FilterOp,
    callback: impl FnOnce(UnparkResult) -> UnparkToken,
) -> UnparkResult {
    unpark(key, |bucket| bucket.take(key, filter), callback)
}

/// Takes waiters on `key` off their queue with `take`, reports to `callback`, and wakes them.
fn unpark(
    key: usize,
    take: impl FnOnce(&Locked) -> Taken,
    callback: impl FnOnce(UnparkResult) -> UnparkToken,
) -> UnparkResult {
    let no_unwind = AbortOnUnwind::IN_CALLBACK;
    let bucket = table::lock(key);
    let taken = take(&bucket);
    let result = UnparkResult {
        unparked_threads: taken.count,
        requeued_threads: 0,
        have_more_threads: bucket.has_waiters(key),
    };
    let token = callback(result);
    drop(bucket);
    taken.notify(token);
    no_unwind.disarm();
    result
}

/// A filter that takes the first `limit` waiters.
fn first(mut limit: usize) -> impl FnMut(ParkToken) -> FilterOp {
    move |_| {
        if limit == 0 {
            return FilterOp::Stop;
        }
        limit -= 1;
        FilterOp::Unpark
    }
}
