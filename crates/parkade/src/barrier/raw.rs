//! Arriving, waiting, and how a generation ends.
//!
//! # Theory
//!
//! A *generation* is those who meet. It is nothing but the queue at the barrier's address: who arrives joins it, and
//! everything that happens to it does so under the bucket lock, in one hold for the word and the queue.
//!
//! 1. Who is not the last is counted (G3) and queued in one hold, and sleeps. Before that it may poll its place in the
//!    queue for a while ([`ParkRequest::polling_beside`]).
//! 2. The last one sets the count back (G4) and takes everybody off the queue, in one hold. It is the leader. It
//!    gives them the verdict "passed" and wakes them.
//! 3. Who aborts marks the word (G1) and takes everybody off the queue, in one hold, with the verdict "aborted".
//!
//! So a generation gets one verdict: the holds of (2) and (3) come one after the other, and the first of them takes all.
//! If it is that of (3) the last one finds the mark, and is told the same.
//!
//! And a thread of one generation is never taken for one of another, however fast some come round and however slow others
//! are to run: who has been taken off the queue has its verdict in its own ticket, and does not look at the
//! barrier again; who arrives after (2) joins an empty queue.
//!
//! What a thread does first, (1) or (2), it guesses from the word. Under the bucket lock it may turn out wrong, and then it
//! looks again: somebody has arrived, or left, in between.
//!
//! # Who wakes the next, by exit
//!
//! * arrives last: it has taken all others off the queue, and wakes them. If the waker of a task panics it does so when all
//!   were woken: they have passed, and the last one has too, but is told of the panic;
//! * aborts: the same; who comes later finds the mark, and does not queue;
//! * passes, or finds it aborted: it held no wake;
//! * times out in the queue, or is a task that is dropped there: it held no wake; it is not counted any more (G5);
//! * its time is up when it has been taken off the queue: it is told the verdict, as if in time;
//! * a task that was taken off the queue is dropped, or never polled again: it has passed, and nobody waits for it. One that
//!   is not polled in the queue has arrived, and the others go on without its help;
//! * panics: no user code runs here. A party that unwinds elsewhere never arrives, and the others wait, unless
//!   it has a guard that aborts;
//! * forked: the child's queue is empty, and the count is that of another process, and so 0. A task arrives anew when it
//!   is polled there; dropped, it takes nothing back, for the child does not count it.
//!
//! # What memory may be gone
//!
//! Who was taken off the queue does not touch the barrier again, and neither does who has taken it off, after its hold.

use super::state::{Arrival, MOST, Process, Word};
use crate::crowd::{self, Crowd};
use parkade_core::{Moment, ParkRequest, ParkResult, UnparkToken};

/// How a generation has ended for those who were queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Passed,
    Aborted,
}

impl Verdict {
    fn token(self) -> UnparkToken {
        UnparkToken(usize::from(self == Verdict::Aborted))
    }

    fn of(UnparkToken(token): UnparkToken) -> Verdict {
        if token == 0 { Verdict::Passed } else { Verdict::Aborted }
    }
}

/// Who comes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// The last to arrive.
    Leader,
    Follower,
}

/// Why somebody does not come through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failed {
    Aborted,
    TimedOut,
}

/// The twelve bytes under [`Barrier`](super::Barrier).
pub(crate) struct RawBarrier {
    word: Word,
    parties: u32,
}

impl RawBarrier {
    parkade_core::const_unless_loom! {
        /// `parties` is at most [`MOST`]; 0 is as good as 1.
        pub(crate) fn new(parties: u32) -> RawBarrier {
            debug_assert!(parties <= MOST);
            RawBarrier { word: Word::new(), parties: if parties == 0 { 1 } else { parties } }
        }
    }

    pub(super) fn word(&self) -> &Word {
        &self.word
    }

    pub(super) fn key(&self) -> usize {
        core::ptr::from_ref(self).addr()
    }

    pub(crate) fn parties(&self) -> u32 {
        self.parties
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> u32 {
        self.word.arrived(Process::current())
    }

    pub(crate) fn is_aborted(&self) -> bool {
        self.word.is_aborted()
    }

    pub(crate) fn wait(&self, deadline: Option<Moment>) -> Result<Role, Failed> {
        let process = Process::current();
        loop {
            let ended = if self.seems_due(process) {
                self.arrive_last(process)
            } else {
                self.arrive_and_park(process, deadline)
            };
            if let Some(ended) = ended {
                return ended;
            }
        }
    }

    /// Whether there seems to be nothing to wait for.
    pub(super) fn seems_due(&self, process: Process) -> bool {
        self.word.seems_due(self.parties, process)
    }

    /// Step (2); `None` if the caller is not the last.
    pub(super) fn arrive_last(&self, process: Process) -> Option<Result<Role, Failed>> {
        let decide = || {
            let arrival = self.word.try_complete(self.parties, process);
            let crowd = match arrival {
                Arrival::Completes => Crowd::Goes(Verdict::Passed.token()),
                Arrival::Early | Arrival::Aborted => Crowd::Stays,
            };
            (arrival, crowd)
        };
        // SAFETY: the key is our own address; the callback only touches the word.
        match unsafe { crowd::decide(self.key(), decide) } {
            Arrival::Completes => Some(Ok(Role::Leader)),
            Arrival::Aborted => Some(Err(Failed::Aborted)),
            Arrival::Early => None,
        }
    }

    /// Step (1); `None` if there is nothing to wait for.
    fn arrive_and_park(
        &self,
        process: Process,
        deadline: Option<Moment>,
    ) -> Option<Result<Role, Failed>> {
        let request = ParkRequest::new(self.key()).deadline(deadline).polling_beside(self.parties);
        // SAFETY: the key is our own address; the callbacks only touch the word.
        let result = unsafe {
            parkade_core::park_with(
                request,
                || self.try_arrive(process),
                || {},
                |_| self.word.withdraw(),
            )
        };
        match result {
            ParkResult::Invalid => None,
            ParkResult::TimedOut => Some(Err(Failed::TimedOut)),
            // From here on we may be gone.
            ParkResult::Unparked(token) => Some(RawBarrier::verdict(token)),
        }
    }

    /// G3, of step (1).
    pub(super) fn try_arrive(&self, process: Process) -> bool {
        self.word.try_arrive(self.parties, process)
    }

    /// What was told to who was taken off the queue.
    pub(super) fn verdict(token: UnparkToken) -> Result<Role, Failed> {
        match Verdict::of(token) {
            Verdict::Passed => Ok(Role::Follower),
            Verdict::Aborted => Err(Failed::Aborted),
        }
    }

    /// Step (3).
    #[cold]
    pub(crate) fn abort(&self) {
        let decide = || {
            self.word.abort();
            ((), Crowd::Goes(Verdict::Aborted.token()))
        };
        // SAFETY: the key is our own address; the callback only touches the word.
        unsafe { crowd::decide(self.key(), decide) };
    }

    /// As new.
    pub(crate) fn reset(&mut self) {
        self.word = Word::new();
    }
}

impl core::fmt::Debug for RawBarrier {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "RawBarrier({:?} of {})", self.word, self.parties)
    }
}
