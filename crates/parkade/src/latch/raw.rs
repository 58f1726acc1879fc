//! Counting down, opening, waiting.
//!
//! # Theory
//!
//! Whoever counts down does so with one read-modify-write (D1), and that is all, unless it would open the latch
//! while threads are queued. Then, under the bucket lock, it counts down (D3), takes everybody off the queue, and
//! wakes them after the lock is released. A waiter looks at the word, and parks if it finds, under the
//! bucket lock, that there is something left to wait for (D4). If it is the first in line it may poll its place
//! in the queue before it sleeps ([`ParkRequest::polling_if_first`]).
//!
//! A *group* ([`WaitGroup`](crate::WaitGroup)) is a latch that is counted down by members who leave. Who waits for
//! the others leaves first, so two who wait do not wait for each other; if its time is up it comes back (D6),
//! unless all have left since: then it has what it waited for.
//!
//! # Who wakes the next, by exit
//!
//! * opens: it has taken everybody off the queue, or nobody was queued, and nobody ever queues again;
//! * counts down, and others have still to: nobody, for one of them opens;
//! * counts down more than is left: nothing has happened;
//! * counts down, and a waker of a task panics: it does so when all were woken, and nothing is left to be done;
//! * times out in the queue, or is a task that is dropped there: it held no wake; `PARKED` is corrected (D5);
//! * its time is up when it has been taken off the queue: it is woken, and the latch is open;
//! * a task that was woken is dropped, or never polled again: nobody needs it, for all were woken with it;
//! * comes back to its group: it leaves again some day, and that opens, or another does. A task does not come back: its
//!   future has left for good when it is made;
//! * panics: no user code runs here. A member that unwinds drops its handle, and so leaves;
//! * forked: the child's queue is empty; a task queues anew when it is polled there. `PARKED` may be left over, and makes who opens look in vain.
//!
//! # What memory may be gone
//!
//! After the write that opens, whoever opens touches nothing but those it has taken off the queue: they
//! borrow the latch still, but others that see it open may free it. It wakes them by what is in the
//! table, not at an address that may be another's by then.

use super::state::{Counted, Hold, Joined, MOST, MOST_MEMBERS, TooFew, Word};
use crate::crowd::{self, Crowd};
use parkade_core::{DEFAULT_UNPARK_TOKEN, Moment, ParkRequest, ParkResult};

/// How a wait has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waited {
    Open,
    TimedOut,
}

/// The four bytes under [`Latch`](super::Latch), and in the heap under [`WaitGroup`](crate::WaitGroup).
#[repr(transparent)]
pub(crate) struct RawLatch {
    word: Word,
}

impl RawLatch {
    parkade_core::const_unless_loom! {
        /// `count` is at most [`MOST`].
        pub(crate) fn new(count: u32) -> RawLatch {
            RawLatch { word: Word::new(count) }
        }
    }

    pub(super) fn word(&self) -> &Word {
        &self.word
    }

    pub(super) fn key(&self) -> usize {
        core::ptr::from_ref(self).addr()
    }

    /// Whether it is open; then what all have done before they counted down is visible.
    #[inline(always)]
    pub(crate) fn is_open(&self) -> bool {
        self.word.is_open()
    }

    #[inline]
    pub(crate) fn count(&self) -> u32 {
        self.word.count()
    }

    #[inline]
    pub(crate) fn count_down(&self, by: u32) -> Result<(), TooFew> {
        match self.word.count_down(by, Hold::Nothing)? {
            Counted::Down | Counted::Open => Ok(()),
            Counted::WouldOpen => self.count_down_and_wake(by),
        }
    }

    #[cold]
    fn count_down_and_wake(&self, by: u32) -> Result<(), TooFew> {
        let decide = || {
            let counted = self.word.count_down(by, Hold::Bucket);
            let crowd = match counted {
                Ok(Counted::Open) => Crowd::Goes(DEFAULT_UNPARK_TOKEN),
                // Somebody has joined since, or it was too much after all.
                _ => Crowd::Stays,
            };
            (counted.map(|_| ()), crowd)
        };
        // SAFETY: the key is our own address; the callback only touches the word.
        unsafe { crowd::decide(self.key(), decide) }
    }

    /// Waits until it is open.
    #[cold]
    pub(crate) fn wait(&self, deadline: Option<Moment>) -> Waited {
        if !self.is_open() && self.park(deadline) == ParkResult::TimedOut {
            return Waited::TimedOut;
        }
        // Even who was woken looks (D2): the bucket lock shows what the last one has done, not the others.
        let open = self.is_open();
        debug_assert!(open, "woken for nothing: {self:?}");
        Waited::Open
    }

    pub(super) fn park(&self, deadline: Option<Moment>) -> ParkResult {
        let request = ParkRequest::new(self.key()).deadline(deadline).polling_if_first();
        // SAFETY: the key is our own address; the callbacks only touch the word.
        unsafe {
            parkade_core::park_with(
                request,
                || self.word.try_prepare_park(),
                || {},
                |departure| self.word.publish(departure.have_more_threads.into()),
            )
        }
    }

    /// One more member, by leave of one that the caller is or knows to be; `false` if there are too many.
    #[inline]
    pub(crate) fn join(&self) -> bool {
        let joined = self.word.join(MOST_MEMBERS);
        debug_assert!(joined != Joined::Open, "nobody is left to join");
        joined == Joined::Yes
    }

    /// The caller is a member, and is none afterwards.
    #[inline]
    pub(crate) fn leave(&self) {
        let left = self.count_down(1);
        debug_assert!(left.is_ok(), "more have left than have joined");
    }

    /// The caller is a member: leaves, and waits until all others have. If they take too long it is a member again.
    pub(crate) fn wait_for_others(&self, deadline: Option<Moment>) -> Waited {
        self.leave();
        if self.wait(deadline) == Waited::Open {
            return Waited::Open;
        }
        match self.word.join(MOST) {
            Joined::Yes => Waited::TimedOut,
            Joined::Open => self.wait(None),
            Joined::Full => unreachable!("as many threads as members"),
        }
    }
}

impl core::fmt::Debug for RawLatch {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("RawLatch").field(&self.word).finish()
    }
}
