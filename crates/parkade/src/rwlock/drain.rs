//! Waiting, as the one who is `PENDING`, for readers to leave.
//!
//! It has a queue of its own, of one: nobody else may be `PENDING`. Counted readers wake it when the count
//! becomes 0, readers with slots when they have left and no other slot holds the lock.

use super::{
    edges::X2,
    raw::Core,
    state::{Outcome, Retreat, Snapshot},
};
use parkade_core::{DEFAULT_UNPARK_TOKEN, Moment, ParkRequest, ParkResult, policy::Wait, slots};

impl Core {
    /// Where whoever is `PENDING` sleeps: an address inside the lock that is nobody else's key.
    fn drain_key(&self) -> usize {
        self.key() + 1
    }

    /// The caller is `PENDING`. Waits until it is in, or gives up at the deadline; whether it is in.
    #[cold]
    pub(super) fn drain_or_retreat(&self, deadline: Option<Moment>, retreat: Retreat) -> bool {
        let entered = self.drain(deadline);
        if !entered {
            self.retreat(retreat);
        }
        entered
    }

    /// The caller is `PENDING`, and tries once; whether it is in.
    #[cold]
    pub(super) fn enter_or_retreat(&self, retreat: Retreat) -> bool {
        let entered = self.try_enter();
        if !entered {
            self.retreat(retreat);
        }
        entered
    }

    /// T3, and whoever waited behind the caller is let in.
    pub(super) fn retreat(&self, retreat: Retreat) {
        let word = self.word.retreat(retreat);
        self.released(word);
    }

    fn drain(&self, deadline: Option<Moment>) -> bool {
        // Whatever the count is, no more readers shall come by slots.
        self.interrupt_bias();
        let mut wait = Wait::begin(self.drain_key(), deadline);
        loop {
            if self.try_enter() {
                wait.acquired();
                return true;
            }
            if wait.poll_again() {
                continue;
            }
            if deadline.is_some_and(|deadline| Moment::now() >= deadline) {
                return false;
            }
            self.order_leavers();
            let request =
                ParkRequest::new(self.drain_key()).since(wait.queueing()).deadline(deadline);
            // SAFETY: the key is an address inside us; the callbacks only touch the word.
            let result = unsafe {
                parkade_core::park_with(
                    request,
                    || self.try_sleep(),
                    || {},
                    |_| self.word.woken_from_drain(),
                )
            };
            match result {
                ParkResult::Invalid => {}
                ParkResult::Unparked(_) => wait.woken(),
                ParkResult::TimedOut => return false,
            }
        }
    }

    /// T2, if there is nobody in, counted or in a slot.
    pub(super) fn try_enter(&self) -> bool {
        let word = self.word.load_after_readers();
        if word.readers() > 0 {
            return false;
        }
        if !word.biased() {
            return self.word.try_enter(Outcome::Ends);
        }
        // Also what the last reader began or resumed before it left.
        self.interrupt_bias();
        if self.slots_hold() {
            return false;
        }
        let outcome = self.outcome();
        let entered = self.word.try_enter(outcome);
        if entered && outcome == Outcome::Ends {
            // Not before: a recursive reader may have come after we looked, and may resume the period
            // when we give up.
            self.bias.end();
        }
        entered
    }

    /// D1; the caller holds the drain queue's lock.
    pub(super) fn try_sleep(&self) -> bool {
        if self.word.try_sleep_for_readers() {
            return true;
        }
        // The last reader to leave may have switched the bias on again. Readers that leave their slots
        // would then not look for us: interrupt it first.
        if !self.word.load_after_readers().biased() || self.bias.load().is_active() {
            return false;
        }
        self.word.sleep_for_slots();
        X2.fence();
        let holds = self.slots_hold();
        if !holds {
            self.word.woken_from_drain();
        }
        holds
    }

    /// Whether some slot holds this lock.
    pub(super) fn slots_hold(&self) -> bool {
        let period = self.bias.load();
        period.is_some() && slots::any_with(period.token(self.key()))
    }

    /// Wakes whoever is `PENDING` if it sleeps.
    #[cold]
    pub(super) fn wake_drainer(&self) {
        // SAFETY: the key is an address inside us; the callback only touches the word.
        unsafe {
            parkade_core::unpark_one(self.drain_key(), |_| {
                self.word.woken_from_drain();
                DEFAULT_UNPARK_TOKEN
            });
        }
    }

    /// Whether the lock is held in any way; a momentary answer.
    pub(super) fn is_locked(&self) -> bool {
        self.word.load().is_held() || self.slots_hold()
    }

    /// Whether a writer is in; a momentary answer.
    pub(super) fn is_locked_exclusive(&self) -> bool {
        Snapshot::exclusive(self.word.load())
    }
}
