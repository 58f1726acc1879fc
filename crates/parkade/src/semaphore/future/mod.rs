//! Tasks that wait for permits: what a semaphore is to `task/`.
//!
//! # Theory
//!
//! A task takes permits only as it is polled. One that was woken may take them though others are queued, if the policy is first come, first
//! served (it was before them); under barging it is like any newcomer, and respects a claim. First come, first served, one that has queued, or is
//! polled while it is queued, looks after the queue, if there are permits: whoever was woken before it has perhaps not been polled. If it is the first in
//! line itself it is woken by that. (Under barging it takes what it wants.)
//!
//! # Who wakes the next, by exit
//!
//! As in `task/mod.rs`; a task that has left the line in any way but with its permits looks after the queue, and says how many may have become
//! free by that (`call.rs`). Under barging so does one that parks again: it was woken for permits that are too few now, but not for all.
//! Closing takes everybody off it.

#[cfg(not(loom))]
pub(crate) mod face;

#[cfg(all(test, loom))]
mod model;
#[cfg(all(test, loom))]
mod mutants;

use super::{
    call::Call,
    raw::{Ended, RawSemaphore, SHUT, park_token},
    state::{Attempt, Claim, Otherwise, Permits, Role, SemaphorePolicy},
};
use crate::task::{Bound, Queue, Standing, TASK};
use parkade_core::{Departure, ParkRequest, ParkToken, UnparkToken};

impl Queue for RawSemaphore {
    type Want = Permits;
    type Got = Ended;

    #[inline(always)]
    fn try_at_once(&self, want: Permits) -> Option<Ended> {
        self.word().try_take(want).then_some(Ended::Acquired)
    }

    fn try_take(&self, want: Permits, standing: Standing) -> Option<Ended> {
        let attempt = match (standing, self.state().policy()) {
            (Standing::Newcomer, _) => self.attempt(want),
            (Standing::Queued, SemaphorePolicy::Fifo) => {
                // It stands for whoever is first.
                self.look_if_needed(self.state(), Call::with_news(1));
                return None;
            }
            _ => self.word().attempt(want, Role::Task, Otherwise::Leave),
        };
        match attempt {
            Attempt::Taken(_) => Some(Ended::Acquired),
            Attempt::Closed => Some(Ended::Closed),
            Attempt::Short(_) => None,
        }
    }

    /// A future that was queued in the parent, or woken there, is no newcomer in the child.
    fn announce(&self) -> Bound {
        self.repair();
        Bound::Yes
    }

    fn request(&self, want: Permits) -> ParkRequest {
        let ParkToken(shown) = park_token(want);
        ParkRequest::new(self.key()).token(ParkToken(shown | TASK))
    }

    fn prepare(&self, want: Permits, standing: Standing) -> bool {
        let role = match standing {
            Standing::Woken => Role::Task,
            Standing::Newcomer | Standing::Queued => Role::Newcomer,
        };
        self.word().try_queue(want, role)
    }

    /// First come, first served, those before it may be tasks that are not polled: perhaps parts of the same one. Under barging, what
    /// does not suffice for one that was woken for it may suffice for the next; unless there is a claim, since then nobody is to have it.
    fn after_queueing(&self, want: Permits, standing: Standing) {
        let state = self.state();
        match (state.policy(), standing) {
            (SemaphorePolicy::Fifo, _) => self.look_if_needed(state, Call::with_news(1)),
            (SemaphorePolicy::Barging, Standing::Woken) if !state.claim() => {
                self.look_after_leaving(want);
            }
            (SemaphorePolicy::Barging, _) => {}
        }
    }

    fn woken(&self, _: Permits, token: UnparkToken) -> Option<Ended> {
        (token == SHUT).then(|| {
            // What was done before it was closed is seen.
            let closed = self.is_closed();
            debug_assert!(closed, "a semaphore is not opened again");
            Ended::Closed
        })
    }

    fn left(&self, _: Permits, departure: Departure) {
        self.word().depart(departure.have_more_threads.into(), Claim::None);
    }

    fn after_leaving(&self, want: Permits) {
        self.look_after_leaving(want);
    }

    fn pass_on(&self, want: Permits, _: UnparkToken) {
        self.look_if_needed(self.state(), Call::with_news(want.get()));
    }
}
