//! Tasks that meet at a [`Barrier`](super::Barrier): what a barrier is to `task/`.

use super::{
    raw::{Failed, RawBarrier, Role},
    state::Process,
};
use crate::task::{Queue, Standing, TASK};
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
use parkade_core::{Departure, ParkRequest, ParkToken, UnparkToken};

/// One party that is a task.
pub(crate) struct Party<'a> {
    barrier: &'a RawBarrier,
    /// In which process it was counted at last. A child of a fork may drop the future of a party that its parent counts.
    /// Access: of whoever has the future exclusively, which orders them.
    counted: AtomicU32,
}

impl<'a> Party<'a> {
    pub(super) fn of(barrier: &'a RawBarrier) -> Party<'a> {
        Party { barrier, counted: AtomicU32::new(0) }
    }
}

impl Queue for Party<'_> {
    type Want = ();
    type Got = Result<Role, Failed>;

    /// Step (2), for one that is not counted yet. Who is queued is told how its generation ends.
    fn try_take(&self, (): (), standing: Standing) -> Option<Result<Role, Failed>> {
        let process = Process::current();
        if standing == Standing::Queued || !self.barrier.seems_due(process) {
            return None;
        }
        self.barrier.arrive_last(process)
    }

    fn request(&self, (): ()) -> ParkRequest {
        ParkRequest::new(self.barrier.key()).token(ParkToken(TASK))
    }

    /// Step (1).
    fn prepare(&self, (): (), _: Standing) -> bool {
        let process = Process::current();
        self.counted.store(process.0, Relaxed);
        self.barrier.try_arrive(process)
    }

    fn woken(&self, (): (), token: UnparkToken) -> Option<Result<Role, Failed>> {
        Some(RawBarrier::verdict(token))
    }

    fn left(&self, (): (), _: Departure) {
        if Process(self.counted.load(Relaxed)) == Process::current() {
            self.barrier.word().withdraw();
        }
    }

    /// Its generation is complete, or aborted, and knows it.
    fn pass_on(&self, (): (), _: UnparkToken) {}
}
