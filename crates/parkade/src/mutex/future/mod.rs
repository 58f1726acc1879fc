//! Tasks that wait for a [`Mutex`](super::Mutex): what a mutex is to `task/`.

#[cfg(not(loom))]
pub(crate) mod face;

#[cfg(all(test, loom))]
mod model;
#[cfg(all(test, loom))]
mod mutants;

use super::{
    raw::{Announcement, RawMutex, may_wake},
    state::{Role, Waking},
};
use crate::{
    requeue::Conditions,
    task::{Bound, Queue, Standing, TASK},
};
use parkade_core::{Departure, ParkRequest, ParkToken, UnparkToken};

impl Queue for RawMutex {
    type Want = ();
    type Got = ();

    #[inline(always)]
    fn try_at_once(&self, (): ()) -> Option<()> {
        self.word().try_acquire().then_some(())
    }

    fn try_take(&self, (): (), _: Standing) -> Option<()> {
        self.look_for_task()
    }

    fn announce(&self) -> Bound {
        match RawMutex::announce(self) {
            Announcement::Binding => Bound::Yes,
            Announcement::Unfenced => Bound::No,
        }
    }

    fn request(&self, (): ()) -> ParkRequest {
        ParkRequest::new(self.key()).token(ParkToken(TASK))
    }

    fn prepare(&self, (): (), _: Standing) -> bool {
        self.word().try_prepare_park(Role::Newcomer)
    }

    fn left(&self, (): (), departure: Departure) {
        self.word().publish(departure.have_more_threads.into(), Waking::Keep);
    }

    /// Nobody was designated with the task, so as long as somebody is queued `NEEDS_WAKE` is set, unless there is a designated
    /// thread since: if the lock is held its release will look. And no release before the one that has woken the task can be news.
    fn pass_on(&self, (): (), _: UnparkToken) {
        let woken = self.wake_one_if(|word| word.is_free() && may_wake(word));
        self.see_to_conditions(woken, Conditions::NotLookedAt);
    }
}

impl RawMutex {
    pub(super) fn look_for_task(&self) -> Option<()> {
        if !self.word().try_acquire_as(Role::Newcomer) {
            return None;
        }
        self.make_binding();
        Some(())
    }
}
