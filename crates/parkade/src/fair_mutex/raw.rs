//! Queueing and handing over.
//!
//! # Who wakes the next, by exit
//!
//! * acquired: our own release, which hands over;
//! * times out in the queue: it held nothing; `PARKED` is corrected (H6);
//! * taken off the queue: it *has* the lock, whatever its deadline says;
//! * was moved here from a condition variable: as above, and without a deadline. If the lock was free then,
//!   the first of those moved *has* it, before it wakes;
//! * forked: the child's queue is empty, so the next release frees the lock (H5).

use super::state::Word;
use crate::{
    parked::Parked,
    requeue::{Conditions, Destination, Lock, Reception},
};
use parkade_core::{
    DEFAULT_UNPARK_TOKEN, Moment, ParkRequest, ParkResult, UnparkResult, policy::Wait,
};

/// The one-byte lock under [`FairMutex`](super::FairMutex).
pub struct RawFairMutex {
    word: Word,
}

impl RawFairMutex {
    parkade_core::const_unless_loom! {
        pub(crate) fn new() -> RawFairMutex {
            RawFairMutex { word: Word::new() }
        }
    }

    fn key(&self) -> usize {
        core::ptr::from_ref(self).addr()
    }

    #[inline]
    pub(crate) fn acquire(&self) {
        if !self.word.try_acquire() {
            let acquired = self.lock_slow(None);
            debug_assert!(acquired, "a wait without a deadline timed out");
        }
    }

    #[inline]
    pub(crate) fn try_acquire(&self) -> bool {
        self.word.try_acquire()
    }

    #[inline]
    pub(crate) fn acquire_until(&self, deadline: impl FnOnce() -> Moment) -> bool {
        self.word.try_acquire() || self.lock_slow(Some(deadline()))
    }

    #[inline]
    pub(crate) fn release(&self) {
        debug_assert!(
            self.word.is_locked(),
            "unlock of a fair mutex that is not locked: {:#x}",
            self.key()
        );
        if !self.word.try_release() {
            self.hand_over();
        }
    }

    /// Lets the first in line have the lock and then queues for it again.
    #[inline]
    pub(crate) fn yield_to_first(&self) {
        if self.word.has_queue() {
            self.release();
            self.acquire();
        }
    }

    pub(crate) fn is_locked(&self) -> bool {
        self.word.is_locked()
    }

    #[cold]
    fn lock_slow(&self, deadline: Option<Moment>) -> bool {
        let mut wait = Wait::begin(self.key(), deadline);
        loop {
            if self.word.try_acquire() {
                wait.acquired();
                return true;
            }
            // With a queue, polling is in vain: the lock passes from hand to hand.
            if !self.word.has_queue() && wait.poll_again() {
                continue;
            }
            if deadline.is_some_and(|deadline| Moment::now() >= deadline) {
                return false;
            }
            let request = ParkRequest::new(self.key()).since(wait.queueing()).deadline(deadline);
            // SAFETY: the key is our own address; the callbacks only touch the word.
            let result = unsafe {
                parkade_core::park_with(
                    request,
                    || self.word.mark_parked(),
                    || {},
                    |departure| self.word.publish(departure.have_more_threads.into()),
                )
            };
            match result {
                ParkResult::Invalid => {}
                ParkResult::Unparked(_) => return true,
                ParkResult::TimedOut => return false,
            }
        }
    }

    /// H4: gives the lock to the first in line; H5 if there is none after all.
    #[cold]
    fn hand_over(&self) {
        let callback = |result: UnparkResult| {
            if result.unparked_threads == 1 {
                self.word.publish(result.have_more_threads.into());
            } else {
                self.word.release_empty();
            }
            DEFAULT_UNPARK_TOKEN
        };
        // SAFETY: the key is our own address; the callback only touches the word.
        unsafe { parkade_core::unpark_one(self.key(), callback) };
    }
}

impl Destination for RawFairMutex {
    fn key(&self) -> usize {
        self.key()
    }

    fn receive(&self) -> Reception {
        if self.word.mark_parked_or_acquire() { Reception::AllQueue } else { Reception::FirstIsUp }
    }

    fn first_is_up(&self, moved: Parked) {
        if moved == Parked::Some {
            self.word.more_parked();
        }
    }

    fn take_turn(&self) {
        debug_assert!(self.word.is_locked(), "woken without the lock");
    }
}

impl Lock for RawFairMutex {
    fn destination(&self) -> Option<&dyn Destination> {
        Some(self)
    }

    fn release_to_wait(&self, _: Conditions) {
        self.release();
    }

    fn acquire_again(&self) {
        self.acquire();
    }
}

impl core::fmt::Debug for RawFairMutex {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("RawFairMutex").field(&self.word).finish()
    }
}
