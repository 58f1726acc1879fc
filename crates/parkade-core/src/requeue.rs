//! Requeueing: moving waiters from one key to another without waking them.

use crate::{
    RequeueOp, UnparkResult, UnparkToken,
    abort::AbortOnUnwind,
    observe::{self, Event},
    table::{self, Taken},
    unpark::first,
};

/// Unparks and moves threads parked on `key_from`, as `validate` says.
///
/// `validate` runs with both queues locked and picks the operation. `callback` runs under the same
/// locks once the queues are as they will be; it is not called after [`RequeueOp::Abort`]. The
/// token it returns is given to the thread that is unparked, if any. Moved threads join the back
/// of `key_to`'s queue in their order; their timeouts go on.
///
/// The result counts unparked and moved threads; `have_more_threads` speaks of `key_from`.
///
/// # Safety
/// As for [`unpark_one`](crate::unpark_one), for both keys and both callbacks.
pub unsafe fn unpark_requeue(
    key_from: usize,
    key_to: usize,
    validate: impl FnOnce() -> RequeueOp,
    callback: impl FnOnce(RequeueOp, UnparkResult) -> UnparkToken,
) -> UnparkResult {
    let no_unwind = AbortOnUnwind::IN_CALLBACK;
    let (one, other) = table::lock_pair(key_from, key_to);
    let (from, to) = match &other {
        None => (&one, &one),
        Some(other) if one.is_bucket_of(key_from) => (&one, other),
        Some(other) => (other, &one),
    };
    let op = validate();
    let (unpark, requeue) = match op {
        RequeueOp::Abort => (0, 0),
        RequeueOp::UnparkOneRequeueRest => (1, usize::MAX),
        RequeueOp::RequeueAll => (0, usize::MAX),
        RequeueOp::UnparkOne => (1, 0),
        RequeueOp::RequeueOne => (0, 1),
    };
    let woken = from.take(key_from, first(unpark));
    let moved = if key_from == key_to { Taken::new() } else { from.take(key_from, first(requeue)) };
    let mut result = UnparkResult {
        unparked_threads: woken.count,
        requeued_threads: to.adopt(key_to, moved),
        have_more_threads: from.has_waiters(key_from),
    };
    let mut token = crate::DEFAULT_UNPARK_TOKEN;
    if op == RequeueOp::Abort {
        result = UnparkResult::default();
    } else {
        token = callback(op, result);
    }
    table::unlock_pair((one, other));
    woken.notify(token);
    if result.requeued_threads > 0 {
        observe::emit(|| Event::Requeued {
            from: key_from,
            to: key_to,
            threads: result.requeued_threads,
        });
    }
    no_unwind.disarm();
    result
}
