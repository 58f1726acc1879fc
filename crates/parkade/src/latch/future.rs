//! Tasks that wait for a [`Latch`](super::Latch): what a latch is to `task/`.

use super::raw::RawLatch;
use crate::task::{Queue, Standing, TASK};
use parkade_core::{Departure, ParkRequest, ParkToken, UnparkToken};

impl Queue for RawLatch {
    type Want = ();
    type Got = ();

    #[inline(always)]
    fn try_at_once(&self, (): ()) -> Option<()> {
        self.is_open().then_some(())
    }

    /// Who was woken looks too, as in [`RawLatch::wait`].
    fn try_take(&self, (): (), _: Standing) -> Option<()> {
        self.is_open().then_some(())
    }

    fn request(&self, (): ()) -> ParkRequest {
        ParkRequest::new(self.key()).token(ParkToken(TASK))
    }

    fn prepare(&self, (): (), _: Standing) -> bool {
        self.word().try_prepare_park()
    }

    fn left(&self, (): (), departure: Departure) {
        self.word().publish(departure.have_more_threads.into());
    }

    /// Who opens wakes all.
    fn pass_on(&self, (): (), _: UnparkToken) {}
}
