//! Requeueing: moving waiters from one key to another without waking them.

use crate::{
    ParkToken, RequeueFilterOp, RequeueOp, UnparkResult, UnparkToken,
    abort::AbortOnUnwind,
    observe::{self, Event},
    table::{self, Locked, Panicked, Picked},
};
use core::cell::Cell;

/// Unparks and moves threads parked on `key_from`, as `validate` says.
///
/// `validate` runs with both queues locked and picks the operation. `callback` runs under the same
/// locks once the queues are as they will be; it is not called after [`RequeueOp::Abort`]. The
/// token it returns is given to the thread that is unparked, if any. Moved threads join the back
/// of `key_to`'s queue in their order; their timeouts go on.
///
/// The result counts unparked and moved waiters; `have_more_threads` speaks of `key_from`. Tasks are moved as threads
/// are.
///
/// # Safety
/// As for [`unpark_one`](crate::unpark_one), for both keys and both callbacks.
pub unsafe fn unpark_requeue(
    key_from: usize,
    key_to: usize,
    validate: impl FnOnce() -> RequeueOp,
    callback: impl FnOnce(RequeueOp, UnparkResult) -> UnparkToken,
) -> UnparkResult {
    let op = Cell::new(RequeueOp::Abort);
    let pick = |from: &Locked| {
        op.set(validate());
        let (unpark, requeue) = match op.get() {
            RequeueOp::Abort => return None,
            RequeueOp::UnparkOneRequeueRest => (1, usize::MAX),
            RequeueOp::RequeueAll => (0, usize::MAX),
            RequeueOp::UnparkOne => (1, 0),
            RequeueOp::RequeueOne => (0, 1),
        };
        let requeue = if key_from == key_to { 0 } else { requeue };
        Some(from.pick(key_from, first(unpark, requeue)))
    };
    requeue(key_from, key_to, pick, |result| callback(op.get(), result))
}

/// Unparks and moves threads parked on `key_from`, as `filter` says for each.
///
/// `filter` runs for each waiter in queue order, under both queues' locks, with the token it parked with,
/// until it returns [`RequeueFilterOp::Stop`]. `callback` then runs under the same locks, once the
/// queues are as they will be; the token it returns is given to all that are unparked. Moved threads
/// join the back of `key_to`'s queue in their order, with the token they parked with. Their timeouts go on, unless
/// they asked otherwise ([`ParkRequest`](crate::ParkRequest)).
///
/// The result counts unparked and moved threads; `have_more_threads` speaks of `key_from`.
///
/// # Safety
/// As for [`unpark_one`](crate::unpark_one), for both keys, which differ, and both callbacks.
pub unsafe fn unpark_requeue_filter(
    key_from: usize,
    key_to: usize,
    filter: impl FnMut(ParkToken) -> RequeueFilterOp,
    callback: impl FnOnce(UnparkResult) -> UnparkToken,
) -> UnparkResult {
    debug_assert_ne!(key_from, key_to, "requeued to where they are");
    requeue(key_from, key_to, |from| Some(from.pick(key_from, filter)), callback)
}

/// Takes waiters off `key_from` with `pick`, reports to `callback` unless that is `None`, moves and wakes.
fn requeue(
    key_from: usize,
    key_to: usize,
    pick: impl FnOnce(&Locked) -> Option<Picked>,
    callback: impl FnOnce(UnparkResult) -> UnparkToken,
) -> UnparkResult {
    let no_unwind = AbortOnUnwind::IN_CALLBACK;
    let (one, other) = table::lock_pair(key_from, key_to);
    let (from, to) = match &other {
        None => (&one, &one),
        Some(other) if one.is_bucket_of(key_from) => (&one, other),
        Some(other) => (other, &one),
    };
    let done = pick(from).map(|Picked { woken, moved }| {
        let result = UnparkResult {
            unparked_threads: woken.threads(),
            unparked_tasks: woken.tasks(),
            requeued_threads: to.adopt(key_to, moved),
            have_more_threads: from.has_waiters(key_from),
        };
        (woken, result, callback(result))
    });
    let locks = (one, other);
    let (result, panicked) = match done {
        None => {
            table::unlock_pair(locks);
            (UnparkResult::default(), Panicked::NO)
        }
        Some((woken, result, token)) if result.unparked_tasks == 0 => {
            table::unlock_pair(locks);
            woken.notify(token);
            (result, Panicked::NO)
        }
        Some((woken, result, token)) => {
            let moved_to = (result.requeued_threads > 0).then_some(key_to);
            (result, woken.unlock_and_wake(key_from, moved_to, locks, token))
        }
    };
    if result.requeued_threads > 0 {
        observe::emit(|| Event::Requeued {
            from: key_from,
            to: key_to,
            threads: result.requeued_threads,
        });
    }
    no_unwind.disarm();
    panicked.resume();
    result
}

/// A filter that unparks the first `unpark` waiters and moves `requeue` of those behind them.
fn first(mut unpark: usize, mut requeue: usize) -> impl FnMut(ParkToken) -> RequeueFilterOp {
    move |_| {
        if unpark > 0 {
            unpark -= 1;
            RequeueFilterOp::Unpark
        } else if requeue > 0 {
            requeue -= 1;
            RequeueFilterOp::Requeue
        } else {
            RequeueFilterOp::Stop
        }
    }
}
