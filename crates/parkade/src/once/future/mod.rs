//! Tasks that wait for a [`Once`](super::Once), an [`OnceLock`](super::OnceLock): what they are to `task/`.

#[cfg(not(loom))]
mod init;

#[cfg(all(test, loom))]
mod model;
#[cfg(all(test, loom))]
mod mutants;

#[cfg(not(loom))]
pub(super) use init::Init;

use super::{
    raw::{RawOnce, Run},
    state::{Aim, Attempt, End, Wish},
};
use crate::task::{Queue, Standing, TASK};
use parkade_core::{Departure, ParkRequest, ParkToken, UnparkToken};

/// What a [`RawOnce`] is the word of, and the `RawOnce` itself.
pub(crate) trait HasOnce {
    fn once(&self) -> &RawOnce;
}

impl HasOnce for RawOnce {
    fn once(&self) -> &RawOnce {
        self
    }
}

/// Where a task waits. The lifetime is that of what it may get: a run borrows its `Once`.
pub(crate) struct At<'a, O>(pub(super) &'a O);

/// What a task finds that has waited long enough.
pub(crate) enum Found<'a> {
    /// It is the runner, which gives up unless it says otherwise.
    Begun(Run<'a>),
    Done,
    /// Another has panicked.
    Poisoned,
}

impl<'a, O: HasOnce> Queue for At<'a, O> {
    type Want = Wish;
    type Got = Found<'a>;

    #[inline(always)]
    fn try_at_once(&self, _: Wish) -> Option<Found<'a>> {
        self.0.once().is_completed().then_some(Found::Done)
    }

    /// It does not poll: initialisations take their time, and this one may have to be polled by the very thread that would
    /// poll for its end.
    fn try_take(&self, wish: Wish, _: Standing) -> Option<Found<'a>> {
        let once = self.0.once();
        match once.word().attempt(wish) {
            Attempt::Begun(_) => Some(Found::Begun(Run::begun(once, End::New))),
            Attempt::Done => Some(Found::Done),
            Attempt::Poisoned => Some(Found::Poisoned),
            Attempt::Busy(_) | Attempt::Idle => None,
        }
    }

    fn request(&self, wish: Wish) -> ParkRequest {
        let ParkToken(token) = wish.token();
        ParkRequest::new(self.0.once().key()).token(ParkToken(token | TASK))
    }

    fn prepare(&self, wish: Wish, _: Standing) -> bool {
        self.0.once().word().try_prepare_park(wish)
    }

    fn left(&self, _: Wish, departure: Departure) {
        self.0.once().word().publish(departure.have_more_threads.into());
    }

    /// Only a starter is missed.
    fn pass_on(&self, wish: Wish, _: UnparkToken) {
        if wish.aim == Aim::Run {
            self.0.once().pick_another();
        }
    }
}
