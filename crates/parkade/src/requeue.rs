//! What condition variables ask of locks: to let go of one and have it back, and to take over threads
//! that would only wake to wait for it.

use crate::parked::Parked;
use core::cell::Cell;
use parkade_core::{RequeueFilterOp, UnparkResult};

/// A lock that a thread holds, in some way, and waits with.
pub(crate) trait Lock {
    /// Where threads may be moved that wait with it; `None` if they have to come by themselves.
    fn destination(&self) -> Option<&dyn Destination>;

    /// The holder will wait. What it knows of the conditions of others, for `release_to_wait`.
    fn about_to_wait(&self) -> Conditions {
        Conditions::AllFalse
    }

    /// Lets go, in the midst of parking: may unpark, but does not park and does not panic.
    fn release_to_wait(&self, conditions: Conditions);

    /// Has it back, like anybody who comes to lock it.
    #[track_caller]
    fn acquire_again(&self);
}

impl<L: Lock> Lock for &L {
    fn destination(&self) -> Option<&dyn Destination> {
        (**self).destination()
    }

    fn about_to_wait(&self) -> Conditions {
        (**self).about_to_wait()
    }

    fn release_to_wait(&self, conditions: Conditions) {
        (**self).release_to_wait(conditions);
    }

    #[track_caller]
    fn acquire_again(&self) {
        (**self).acquire_again();
    }
}

/// A lock whose queue takes over threads that wait for something else.
///
/// Moving is one step under the bucket lock of [`key`](Destination::key): `receive`, then what the table does
/// with its queues, then `first_is_up` if it is. The methods that are called in it only touch the word.
pub(crate) trait Destination {
    /// The address the table knows its queue by.
    fn key(&self) -> usize;

    /// At least one thread is about to be moved. Says how, having made the word ready for it.
    fn receive(&self) -> Reception;

    /// The first is taken, and about to be woken; whether others were moved.
    fn first_is_up(&self, moved: Parked);

    /// For a thread that was the first, or was moved and taken off the queue: acquires, on what
    /// that gave it.
    fn take_turn(&self);
}

/// How threads join the queue of a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reception {
    /// All sleep on: somebody will see to them.
    AllQueue,
    /// The first is woken, and sees to the others.
    FirstIsUp,
}

/// What a holder that is about to let go knows of those who wait for a condition with its lock (`mutex/when/`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conditions {
    /// Nobody waits for one, or all have been looked at, and none is true.
    AllFalse,
    /// One is true; its thread has been put in line. The others may be true.
    OneInLine,
    /// Any may be true: a designated thread is on its way, which comes to hold the lock.
    NotLookedAt,
}

/// Moving waiters to one lock, in one step under the bucket locks of both queues.
pub(crate) struct Moving<'a> {
    /// Set as the first is met, who is queued or taken as long as the bucket locks are held: the lock that it names cannot
    /// go away.
    received: Cell<Option<(&'a dyn Destination, Reception)>>,
}

impl<'a> Moving<'a> {
    pub(crate) fn new() -> Moving<'a> {
        Moving { received: Cell::new(None) }
    }

    /// What becomes of the next of those who are moved to `lock`.
    pub(crate) fn next(&self, lock: &'a dyn Destination) -> RequeueFilterOp {
        if self.received.get().is_none() {
            let reception = lock.receive();
            self.received.set(Some((lock, reception)));
            if reception == Reception::FirstIsUp {
                return RequeueFilterOp::Unpark;
            }
        }
        RequeueFilterOp::Requeue
    }

    /// Afterwards, in the callback.
    pub(crate) fn done(&self, result: UnparkResult) {
        if let Some((lock, Reception::FirstIsUp)) = self.received.get() {
            lock.first_is_up((result.requeued_threads > 0).into());
        }
    }
}
