//! Parking: joining a queue and sleeping until somebody takes us off it.

use crate::{
    ParkResult, ParkToken,
    abort::AbortOnUnwind,
    deadline::Moment,
    observe::{self, Event},
    policy::QueuedWait,
    table::{self, node::Node},
};
use core::ptr::NonNull;
use std::time::Instant;

pub use crate::table::queue::Place;

/// What a waiter asks of the table; made by [`ParkRequest::new`] and refined by its methods.
#[derive(Debug, Clone, Copy)]
pub struct ParkRequest {
    pub(crate) key: usize,
    pub(crate) token: ParkToken,
    pub(crate) place: Place,
    pub(crate) since: Option<Moment>,
    deadline: Option<Moment>,
    scope: DeadlineScope,
    polling: Polling,
}

/// Whether a waiter that is queued may poll before it sleeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Polling {
    Never,
    IfFirst,
    Beside,
}

/// Which part of a wait its deadline ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DeadlineScope {
    /// All of it.
    Wait,
    /// As long as it is on the key on which it began.
    FirstKey,
}

impl ParkRequest {
    /// Waits on `key`, at the back of its queue, with no deadline.
    #[must_use]
    pub const fn new(key: usize) -> ParkRequest {
        let token = crate::DEFAULT_PARK_TOKEN;
        let scope = DeadlineScope::Wait;
        ParkRequest {
            key,
            token,
            place: Place::Back,
            since: None,
            deadline: None,
            scope,
            polling: Polling::Never,
        }
    }

    /// Shows `token` to [`unpark_filter`](crate::unpark_filter).
    #[must_use]
    pub const fn token(mut self, token: ParkToken) -> ParkRequest {
        self.token = token;
        self
    }

    /// Joins the queue at `place`.
    #[must_use]
    pub const fn place(mut self, place: Place) -> ParkRequest {
        self.place = place;
        self
    }

    /// Counts the wait from `since` (for a waiter that parks again); default is now.
    #[must_use]
    pub const fn since(mut self, since: Moment) -> ParkRequest {
        self.since = Some(since);
        self
    }

    /// Gives up at `deadline`; `None` waits for ever.
    #[must_use]
    pub const fn deadline(mut self, deadline: Option<Moment>) -> ParkRequest {
        self.deadline = deadline;
        self
    }

    /// Forgets the deadline once the waiter is requeued: it then has what it waited for, and only
    /// stands in line.
    #[must_use]
    pub const fn deadline_ends_when_requeued(mut self) -> ParkRequest {
        self.scope = DeadlineScope::FirstKey;
        self
    }

    /// If it becomes the first in line, polls for a notice before it sleeps, for as long as that has paid at
    /// this key lately ([`policy::QueuedWait`](crate::policy::QueuedWait)): it is queued meanwhile as any other.
    #[must_use]
    pub const fn polling_if_first(mut self) -> ParkRequest {
        self.polling = Polling::IfFirst;
        self
    }

    /// For a wait for threads, so many with this one, that are all about to come: polls for a notice before it sleeps, wherever
    /// in line, if there is a processor for each of them; else as [`polling_if_first`](ParkRequest::polling_if_first).
    #[must_use]
    pub fn polling_beside(mut self, threads: u32) -> ParkRequest {
        let enough = threads <= crate::policy::processors();
        self.polling = if enough { Polling::Beside } else { Polling::IfFirst };
        self
    }

    /// Whether it asks only for what a task can have.
    pub(crate) fn is_fit_for_task(&self) -> bool {
        self.deadline.is_none() && self.polling == Polling::Never
    }

    /// Whether the deadline still counts for a waiter that is queued for `key` now.
    fn may_time_out(&self, key: usize) -> bool {
        self.scope == DeadlineScope::Wait || key == self.key
    }
}

/// How a waiter leaves its queue whose deadline passed (seen by the `timed_out` callback), or that is cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Departure {
    /// The key it waited on at last: another than it parked on, if it was requeued.
    pub key: usize,
    /// Whether others still wait on that key.
    pub have_more_threads: bool,
}

/// Parks the calling thread on `key` until it is unparked or `timeout` passes.
///
/// 1. `validate` runs under the key's queue lock; if it returns `false` the call returns
///    [`ParkResult::Invalid`] at once. Otherwise the thread joins the back of the queue, atomically
///    with respect to every unpark of that key.
/// 2. `before_sleep` runs after the lock is released and before the thread sleeps.
/// 3. If `timeout` passes first, `timed_out` runs under the queue lock as the thread leaves, and
///    the call returns [`ParkResult::TimedOut`]. A thread that was taken off the queue before it
///    could leave is unparked, not timed out: it has a wake and must use it or pass it on.
///
/// There are no spurious returns. The deadline is absolute and on the monotonic clock. Nothing is
/// allocated. If a callback panics the process aborts.
///
/// [`park_with`] offers more: joining at the front, and a wait's age.
///
/// # Safety
/// 1. `key` is an address the caller controls: others that use it would interfere.
/// 2. `validate` and `timed_out` run under a queue lock. They do not call into this crate, do not
///    panic, and return quickly.
/// 3. `before_sleep` may unpark and requeue, but does not park and does not panic.
/// 4. Not called from a signal handler that may interrupt a call into this crate.
pub unsafe fn park(
    key: usize,
    validate: impl FnOnce() -> bool,
    before_sleep: impl FnOnce(),
    timed_out: impl FnOnce(Departure),
    park_token: ParkToken,
    timeout: Option<Instant>,
) -> ParkResult {
    let request = ParkRequest::new(key).token(park_token).deadline(timeout.map(Moment::at));
    // SAFETY: the same duties.
    unsafe { park_with(request, validate, before_sleep, timed_out) }
}

/// [`park`], with all that a [`ParkRequest`] can ask for.
///
/// # Safety
/// As for [`park`].
pub unsafe fn park_with(
    request: ParkRequest,
    validate: impl FnOnce() -> bool,
    before_sleep: impl FnOnce(),
    timed_out: impl FnOnce(Departure),
) -> ParkResult {
    let no_unwind = AbortOnUnwind::IN_CALLBACK;
    let node = Node::new(request.key, request.token, request.since.unwrap_or_else(Moment::now));
    let result = park_node(&node, &request, validate, before_sleep, timed_out);
    #[cfg(loom)]
    node.retire();
    no_unwind.disarm();
    result
}

fn park_node(
    node: &Node,
    request: &ParkRequest,
    validate: impl FnOnce() -> bool,
    before_sleep: impl FnOnce(),
    timed_out: impl FnOnce(Departure),
) -> ParkResult {
    let bucket = table::lock(request.key);
    if !validate() {
        return ParkResult::Invalid;
    }
    let first = request.polling == Polling::IfFirst && !bucket.has_waiters(request.key);
    // SAFETY: the bucket is that of the node's key; the node is new, and below we return only
    // once it was notified or unlinked.
    unsafe { bucket.push(NonNull::from(node), request.place) };
    drop(bucket);

    before_sleep();
    observe::emit(|| Event::Parked { key: request.key, since: node.since() });
    match request.polling {
        Polling::Beside => node.poll(QueuedWait::begin_beside(request.key, request.deadline)),
        Polling::IfFirst if first => node.poll(QueuedWait::begin(request.key, request.deadline)),
        Polling::IfFirst | Polling::Never => {}
    }
    if !node.wait(request.deadline) {
        let bucket = table::lock_of(node);
        let key = node.key();
        if node.is_queued() && request.may_time_out(key) {
            // SAFETY: queued, and this is its bucket.
            unsafe { bucket.unlink(NonNull::from(node)) };
            timed_out(Departure { key, have_more_threads: bucket.has_waiters(key) });
            drop(bucket);
            observe::emit(|| Event::TimedOut { key, since: node.since() });
            return ParkResult::TimedOut;
        }
        // A notifier has taken the node and is about to notify it, or the deadline counts no longer.
        drop(bucket);
        node.wait(None);
    }
    observe::emit(|| Event::Unparked { key: node.key(), since: node.since() });
    ParkResult::Unparked(node.unpark_token())
}
