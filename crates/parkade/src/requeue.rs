//! What condition variables ask of locks: to let go of one and have it back, and to take over threads
//! that would only wake to wait for it.

use crate::parked::Parked;

/// A lock that a thread holds, in some way, and waits with.
pub(crate) trait Lock {
    /// Where threads may be moved that wait with it; `None` if they have to come by themselves.
    fn destination(&self) -> Option<&dyn Destination>;

    /// The holder will wait.
    fn about_to_wait(&self) {}

    /// Lets go, in the midst of parking: may unpark, but does not park and does not panic.
    fn release_to_wait(&self);

    /// Has it back, like anybody who comes to lock it.
    #[track_caller]
    fn acquire_again(&self);
}

impl<L: Lock> Lock for &L {
    fn destination(&self) -> Option<&dyn Destination> {
        (**self).destination()
    }

    fn about_to_wait(&self) {
        (**self).about_to_wait();
    }

    fn release_to_wait(&self) {
        (**self).release_to_wait();
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
