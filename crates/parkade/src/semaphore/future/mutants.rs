//! Protocols that look right and are not. Each has to fail under loom: `cargo xtask weaken` runs them.

use super::{
    super::{
        model::{Barging, Fifo, Shared},
        raw::{Ended, RawSemaphore},
        state::{Excess, Permits, Waking},
    },
    model::{behind_a_task_that_is_not_polled, dropped},
};
use crate::task::{Handle, Queue, Standing, Waiting};
use parkade_core::{DEFAULT_UNPARK_TOKEN, Departure, ParkRequest, UnparkResult, UnparkToken};

/// A semaphore whose tasks leave, and look after nobody.
struct Selfish<'a>(&'a RawSemaphore, Permits);

impl Queue for Selfish<'_> {
    type Want = Permits;
    type Got = Ended;

    fn try_take(&self, want: Permits, standing: Standing) -> Option<Ended> {
        self.0.try_take(want, standing)
    }

    fn request(&self, want: Permits) -> ParkRequest {
        self.0.request(want)
    }

    fn prepare(&self, want: Permits, standing: Standing) -> bool {
        self.0.prepare(want, standing)
    }

    fn left(&self, want: Permits, departure: Departure) {
        self.0.left(want, departure);
    }

    fn pass_on(&self, _: Permits, _: UnparkToken) {}
}

impl Handle for Selfish<'_> {
    type Queue = Self;
    type Output = Ended;

    fn queue(&self) -> &Self {
        self
    }

    fn want(&self) -> Permits {
        self.1
    }

    fn finish(self, ended: Ended) -> Ended {
        ended
    }
}

#[test]
#[ignore = "has to fail"]
fn drop_a_task_and_look_after_nobody() {
    dropped(Fifo, |shared, want| Waiting::new(Selfish(&shared.raw, Permits::new(want).unwrap())));
}

/// A release that wakes the first in line, whoever that is.
#[test]
#[ignore = "has to fail"]
fn wake_a_task_and_not_the_thread_behind_it() {
    behind_a_task_that_is_not_polled(Barging, |shared: &Shared| {
        shared.let_go(1);
        let (raw, word) = (&shared.raw, shared.raw.word());
        if !word.give(1, Excess::Refuse).is_some_and(|state| state.parked()) {
            return;
        }
        let callback = |result: UnparkResult| {
            let waking = if result.unparked_threads > 0 { Waking::Set } else { Waking::Keep };
            word.settle(result.have_more_threads.into(), waking);
            DEFAULT_UNPARK_TOKEN
        };
        // SAFETY: the key is the address of the semaphore; the callback only touches its word.
        unsafe { parkade_core::unpark_one(raw.key(), callback) };
    });
}
