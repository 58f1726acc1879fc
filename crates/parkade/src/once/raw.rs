//! Beginning, ending, waiting.
//!
//! # Theory
//!
//! Whoever finds the word `NEW` (or `POISONED`, if that is nothing to it) makes it `RUNNING` and is the
//! *runner* (O1); everybody else who cannot go on waits. At the end the runner
//!
//! 1. tries to write the end, which succeeds if nobody is queued (O2);
//! 2. else, under the bucket lock, takes off the queue all whom this end concerns, writes the end (O4) and
//!    then wakes them.
//!
//! After O2, and after the bucket lock of O4, the `Once` may be freed: the runner does not look at it again,
//! and whoever it has taken off the queue borrows it still.
//!
//! Those concerned are: by completion everybody; by poison all to whom it is an error; and, if it is
//! not complete, one more who wants to initialise, the *starter*, which is enough: if it begins, its
//! own end wakes the others. Of a task nobody knows whether it will begin: if the starter is one, the first thread behind
//! it that wants to is a starter too, and the word does not wait for either.
//!
//! A task runs as a thread does (`future/init.rs`), but over several polls. Dropped between them it gives up.
//!
//! # Who wakes the next, by exit
//!
//! * complete: nobody waits, and nobody ever queues again;
//! * begins: its own end, however that comes about;
//! * ends by panic: [`Run`] ends it when it is dropped, as any other;
//! * a task is dropped while it initialises: the same; it is as if it had not begun;
//! * a task is forgotten, or not polled, while it initialises: the others wait, as for a closure that does not return;
//! * woken as the starter and finds another running: parks again, and that one's end picks a starter;
//! * woken as the starter and finds the word poisoned, which is an error to it: some runner has poisoned
//!   it since, and picked a starter when it did;
//! * a task that was woken as the starter is dropped: it picks another ([`RawOnce::pick_another`]), unless one has begun
//!   since, whose end will;
//! * a task that was woken as the starter is forgotten, or not polled: whoever comes may begin, the first thread behind it was
//!   woken to do so, and a task behind it is if it is polled for any reason;
//! * a task that was woken by completion or by poison is dropped: all whom that concerns were woken with it;
//! * a waker of a task panics, out of the end of an initialisation: that has ended, and all were woken;
//! * times out in the queue, or is a task that is dropped there: nobody has woken it, so no starter leaves; `PARKED` is
//!   corrected (O6);
//! * times out although it was taken off the queue: it looks at the word first. It was not the starter;
//! * forked: the child's queue is empty, so no one waits for a starter. What the forking thread itself
//!   was running it ends in the child too, and so does a task that is polled or dropped there. What another thread was running stays `RUNNING` for ever.

use super::{
    reentry::{self, Frame, Name},
    state::{Aim, Attempt, Before, End, Phase, Poison, Wakes, Wish, Word},
};
use crate::{parked::Parked, task::first_in_line_within};
use core::panic::Location;
use parkade_core::{
    DEFAULT_UNPARK_TOKEN, FilterOp, Moment, ParkRequest, ParkResult, ParkToken, UnparkResult,
    policy::Wait,
};

/// An initialisation has panicked, and that is an error to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Poisoned;

/// Whether what was waited for has come about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waited {
    Done,
    TimedOut,
}

/// How an attempt that may wait ends.
enum Outcome {
    Begun(Before),
    Done,
    Poisoned,
    TimedOut,
}

/// The one byte under [`Once`](super::Once), [`OnceLock`](super::OnceLock) and
/// [`LazyLock`](super::LazyLock). It reports poison; what that means is for its users to say.
#[repr(transparent)]
pub(crate) struct RawOnce {
    word: Word,
}

impl RawOnce {
    parkade_core::const_unless_loom! {
        pub(crate) fn new() -> RawOnce {
            RawOnce { word: Word::new() }
        }
    }

    parkade_core::const_unless_loom! {
        pub(crate) fn new_completed() -> RawOnce {
            RawOnce { word: Word::done() }
        }
    }

    pub(super) fn word(&self) -> &Word {
        &self.word
    }

    pub(super) fn key(&self) -> usize {
        core::ptr::from_ref(self).addr()
    }

    /// Whether it is complete; then what the initialisation has written is visible.
    #[inline(always)]
    pub(crate) fn is_completed(&self) -> bool {
        self.word.is_done()
    }

    #[inline]
    pub(crate) fn phase(&self) -> Phase {
        self.word.phase()
    }

    /// Calls `initialise`, once, unless it is complete; waits for who does so already. When it returns
    /// `Ok`, either it is complete or `initialise` was called.
    ///
    /// A thread that already runs this initialisation panics instead.
    #[cold]
    #[track_caller]
    pub(crate) fn run(
        &self,
        poison: Poison,
        initialise: &mut dyn FnMut(Before) -> End,
    ) -> Result<(), Poisoned> {
        match self.attempt(Wish { aim: Aim::Run, poison }, None) {
            Outcome::Begun(before) => {
                let mut run = Run::begun(self, End::Poisoned);
                let frame = Frame::new(self.key(), Name::BeganAt(Location::caller()));
                let _listed = frame.list();
                run.will_end(initialise(before));
                Ok(())
            }
            Outcome::Done => Ok(()),
            Outcome::Poisoned => Err(Poisoned),
            Outcome::TimedOut => unreachable!("no deadline"),
        }
    }

    /// Waits until another thread has initialised.
    ///
    /// A thread that itself runs this initialisation panics instead.
    #[cold]
    #[track_caller]
    pub(crate) fn wait(
        &self,
        poison: Poison,
        deadline: Option<Moment>,
    ) -> Result<Waited, Poisoned> {
        match self.attempt(Wish { aim: Aim::Wait, poison }, deadline) {
            Outcome::Done => Ok(Waited::Done),
            Outcome::TimedOut => Ok(Waited::TimedOut),
            Outcome::Poisoned => Err(Poisoned),
            Outcome::Begun(_) => unreachable!("it only waits"),
        }
    }

    #[track_caller]
    fn attempt(&self, wish: Wish, deadline: Option<Moment>) -> Outcome {
        debug_assert!(wish.aim == Aim::Wait || deadline.is_none(), "a starter may not leave");
        let mut wait = Wait::begin(self.key(), deadline);
        loop {
            let queue = match self.word.attempt(wish) {
                Attempt::Begun(before) => return Outcome::Begun(before),
                Attempt::Done => {
                    wait.acquired();
                    return Outcome::Done;
                }
                Attempt::Poisoned => return Outcome::Poisoned,
                Attempt::Busy(queue) => {
                    reentry::deny(self.key());
                    queue
                }
                // Somebody has yet to begin: to poll for that is in vain.
                Attempt::Idle => Parked::Some,
            };
            if queue == Parked::None && wait.poll_again() {
                continue;
            }
            if deadline.is_some_and(|deadline| Moment::now() >= deadline) {
                return Outcome::TimedOut;
            }
            if self.park(wish, wait.queueing(), deadline) == ParkResult::TimedOut {
                return Outcome::TimedOut;
            }
        }
    }

    pub(super) fn park(&self, wish: Wish, since: Moment, deadline: Option<Moment>) -> ParkResult {
        let request =
            ParkRequest::new(self.key()).token(wish.token()).since(since).deadline(deadline);
        // SAFETY: the key is our own address; the callbacks only touch the word.
        unsafe {
            parkade_core::park_with(
                request,
                || self.word.try_prepare_park(wish),
                || {},
                |departure| self.word.publish(departure.have_more_threads.into()),
            )
        }
    }

    fn end(&self, end: End) {
        if !self.word.try_end(end) {
            self.end_and_wake(end);
        }
    }

    #[cold]
    fn end_and_wake(&self, end: End) {
        let write = |result: UnparkResult| {
            self.word.end(end, result.have_more_threads.into());
            DEFAULT_UNPARK_TOKEN
        };
        // SAFETY: the key is our own address; the callbacks only touch the word.
        unsafe { parkade_core::unpark_filter(self.key(), concerned_by(end), write) };
    }

    /// A task that was woken as the starter does not begin: another may, unless somebody has since.
    #[cold]
    pub(super) fn pick_another(&self) {
        let Some(end) = self.word.idle() else { return };
        let still_idle = || self.word.idle() == Some(end);
        let publish = |result: UnparkResult| {
            self.word.publish(result.have_more_threads.into());
            DEFAULT_UNPARK_TOKEN
        };
        // SAFETY: the key is our own address; the callbacks only touch the word.
        unsafe {
            parkade_core::unpark_filter_if(self.key(), still_idle, concerned_by(end), publish)
        };
    }
}

/// Picks from the queue those whom that end concerns.
fn concerned_by(end: End) -> impl FnMut(ParkToken) -> FilterOp {
    // The whole queue is looked through in any case.
    let mut starters = first_in_line_within(u32::MAX);
    move |token| match Wish::of(token).woken_by(end) {
        Wakes::Always => FilterOp::Unpark,
        Wakes::First if matches!(starters(token), FilterOp::Unpark) => FilterOp::Unpark,
        Wakes::First | Wakes::Never => FilterOp::Skip,
    }
}

/// An initialisation that is running; dropped, it has ended, whether by return or by panic.
#[must_use]
pub(crate) struct Run<'a> {
    once: &'a RawOnce,
    end: End,
}

impl<'a> Run<'a> {
    /// The caller is the runner; the run ends as `end` says if nothing else is said before it is dropped.
    pub(super) fn begun(once: &'a RawOnce, end: End) -> Run<'a> {
        Run { once, end }
    }

    pub(super) fn will_end(&mut self, end: End) {
        self.end = end;
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        self.once.end(self.end);
    }
}

impl core::fmt::Debug for RawOnce {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("RawOnce").field(&self.word).finish()
    }
}
