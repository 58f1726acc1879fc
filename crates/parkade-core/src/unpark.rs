//! Unparking: taking waiters off a queue and waking them.
//!
//! Waiters are threads and tasks ([`TaskWaiter`](crate::TaskWaiter)), in one queue. The wakers of tasks are woken on the
//! calling thread, after the queue lock is released and the threads are notified. If one panics, all the others are
//! woken before the panic goes on, out of the function that was called.

use crate::{
    FilterOp, ParkToken, UnparkResult, UnparkToken,
    abort::AbortOnUnwind,
    table::{self, Locked, Woken},
};

/// Unparks the first waiter parked on `key`, if any: a thread or a task.
///
/// `callback` runs under the queue lock, whether or not somebody was found, after the waiter has
/// left the queue and before it wakes; the token it returns is given to that waiter. It is the
/// place to bring a lock's word in line with the queue.
///
/// # Panics
/// If the waker of a task panics: with its panic, once everybody who was unparked is woken. If a callback panics the
/// process aborts. So do the other functions that unpark.
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

/// [`unpark_filter`], if `validate` still says so under the queue lock.
///
/// `validate` runs first, whether or not anybody is parked. If it returns `false` nobody is
/// unparked; `callback` runs all the same.
///
/// # Safety
/// As for [`unpark_one`]; `validate` and `filter` are bound by duty 2 too.
pub unsafe fn unpark_filter_if(
    key: usize,
    validate: impl FnOnce() -> bool,
    mut filter: impl FnMut(ParkToken) -> FilterOp,
    callback: impl FnOnce(UnparkResult) -> UnparkToken,
) -> UnparkResult {
    let take = |bucket: &Locked| {
        let valid = validate();
        bucket.take(key, |token| if valid { filter(token) } else { FilterOp::Stop })
    };
    unpark(key, take, callback)
}

/// Unparks every waiter parked on `key`, giving `unpark_token` to each; returns how many.
///
/// # Safety
/// Duties 1 and 3 of [`unpark_one`].
pub unsafe fn unpark_all(key: usize, unpark_token: UnparkToken) -> usize {
    // SAFETY: the same duties; the callbacks do nothing.
    let result = unsafe { unpark_filter(key, |_| FilterOp::Unpark, |_| unpark_token) };
    result.unparked_threads + result.unparked_tasks
}

/// Unparks those waiters parked on `key` that `filter` picks.
///
/// `filter` runs for each waiter in queue order, under the queue lock, with the token it parked
/// with, until it returns [`FilterOp::Stop`]. (Who has to treat threads and tasks differently has them say
/// in the token what they are.) `callback` then runs under the same lock; the token
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
#[inline]
fn unpark(
    key: usize,
    take: impl FnOnce(&Locked) -> Woken,
    callback: impl FnOnce(UnparkResult) -> UnparkToken,
) -> UnparkResult {
    let no_unwind = AbortOnUnwind::IN_CALLBACK;
    let bucket = table::lock(key);
    let woken = take(&bucket);
    let result = UnparkResult {
        unparked_threads: woken.threads(),
        unparked_tasks: woken.tasks(),
        requeued_threads: 0,
        have_more_threads: bucket.has_waiters(key),
    };
    let token = callback(result);
    if result.unparked_tasks == 0 {
        drop(bucket);
        woken.notify(token);
        no_unwind.disarm();
    } else {
        let panicked = woken.unlock_and_wake(key, None, (bucket, None), token);
        no_unwind.disarm();
        panicked.resume();
    }
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
