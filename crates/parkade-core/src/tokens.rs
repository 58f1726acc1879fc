//! What waiters and wakers tell each other and the caller.

/// Why [`park`](crate::park) returned, or [`TaskWaiter::poll_park`](crate::TaskWaiter::poll_park) is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParkResult {
    /// Somebody unparked us, with this token.
    Unparked(UnparkToken),
    /// The validation callback returned `false`; we never waited.
    Invalid,
    /// The deadline passed before anybody unparked us.
    TimedOut,
}

impl ParkResult {
    /// Whether somebody unparked us.
    #[must_use]
    pub const fn is_unparked(self) -> bool {
        matches!(self, ParkResult::Unparked(_))
    }
}

/// What an unpark operation did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnparkResult {
    /// How many threads were unparked; not counting tasks.
    ///
    /// A thread that is unparked will run. Whether and when a task is polled nobody knows; so a lock that relies on
    /// the woken to go on (to let the next one in, say) relies on threads only.
    pub unparked_threads: usize,
    /// How many tasks were unparked ([`TaskWaiter`](crate::TaskWaiter)).
    pub unparked_tasks: usize,
    /// How many waiters, threads and tasks, were moved to another key.
    pub requeued_threads: usize,
    /// Whether anybody, thread or task, still waits on the (original) key.
    pub have_more_threads: bool,
}

/// What [`unpark_requeue`](crate::unpark_requeue) should do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequeueOp {
    /// Nothing.
    Abort,
    /// Unpark the first thread and move the rest.
    UnparkOneRequeueRest,
    /// Move all threads.
    RequeueAll,
    /// Unpark the first thread and leave the rest.
    UnparkOne,
    /// Move the first thread and leave the rest.
    RequeueOne,
}

/// What [`unpark_filter`](crate::unpark_filter) should do with one thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilterOp {
    /// Unpark it and go on.
    Unpark,
    /// Leave it and go on.
    Skip,
    /// Leave it and all behind it.
    Stop,
}

/// What [`unpark_requeue_filter`](crate::unpark_requeue_filter) should do with one thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequeueFilterOp {
    /// Unpark it and go on.
    Unpark,
    /// Move it and go on.
    Requeue,
    /// Leave it and go on.
    Skip,
    /// Leave it and all behind it.
    Stop,
}

impl From<FilterOp> for RequeueFilterOp {
    fn from(op: FilterOp) -> RequeueFilterOp {
        match op {
            FilterOp::Unpark => RequeueFilterOp::Unpark,
            FilterOp::Skip => RequeueFilterOp::Skip,
            FilterOp::Stop => RequeueFilterOp::Stop,
        }
    }
}

/// A value that an unparker passes to the waiter it unparks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnparkToken(pub usize);

/// A value that a waiter shows to [`unpark_filter`](crate::unpark_filter).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParkToken(pub usize);

/// For unparkers with nothing to say.
pub const DEFAULT_UNPARK_TOKEN: UnparkToken = UnparkToken(0);

/// For waiters with nothing to say.
pub const DEFAULT_PARK_TOKEN: ParkToken = ParkToken(0);
