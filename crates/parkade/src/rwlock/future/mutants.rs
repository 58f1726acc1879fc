//! Protocols that look right and are not. Each has to fail under loom: `cargo xtask weaken` runs them.

use super::{
    super::{
        ops::Reading,
        raw::Core,
        state::{Mode, TaskClaims, Waking},
    },
    Want,
    model::{behind_a_task_that_is_not_polled, dropped, slot},
};
use crate::{
    model::Shared,
    task::{Handle, Queue, Standing, Waiting},
};
use parkade_core::{DEFAULT_UNPARK_TOKEN, Departure, ParkRequest, UnparkResult, UnparkToken};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mistake {
    /// A task that leaves looks after nobody.
    IsSelfish,
    /// A task that wants to write queues, whoever has a slot, and does not look again.
    TrustsTheScan,
}

/// A lock whose tasks make a mistake.
struct Wrong<'a>(&'a Core, Want, Mistake);

impl Queue for Wrong<'_> {
    type Want = Want;
    type Got = Reading;

    fn try_take(&self, want: Want, standing: Standing) -> Option<Reading> {
        self.0.try_take(want, standing)
    }

    fn request(&self, want: Want) -> ParkRequest {
        self.0.request(want)
    }

    fn prepare(&self, want: Want, standing: Standing) -> bool {
        if self.2 != Mistake::TrustsTheScan {
            return self.0.prepare(want, standing);
        }
        let _ = self.0.word.prepare_task(TaskClaims::IfReaders);
        true
    }

    fn left(&self, want: Want, departure: Departure) {
        self.0.left(want, departure);
    }

    fn pass_on(&self, _: Want, _: UnparkToken) {}
}

impl Handle for Wrong<'_> {
    type Queue = Self;
    type Output = Reading;

    fn queue(&self) -> &Self {
        self
    }

    fn want(&self) -> Want {
        self.1
    }

    fn finish(self, reading: Reading) -> Reading {
        reading
    }
}

#[test]
#[ignore = "has to fail"]
fn drop_a_woken_task_and_keep_its_wake() {
    dropped(Want::Write, Want::Read, |shared, want| {
        Waiting::new(Wrong(&shared.raw, want, Mistake::IsSelfish))
    });
}

#[test]
#[ignore = "has to fail"]
fn queue_to_write_and_not_look_at_the_slots_again() {
    slot(crate::model::Policy::Biases, |shared, want| {
        Waiting::new(Wrong(&shared.raw, want, Mistake::TrustsTheScan))
    });
}

/// A release that wakes the first in line, whoever that is.
#[test]
#[ignore = "has to fail"]
fn wake_a_task_and_not_the_thread_behind_it() {
    behind_a_task_that_is_not_polled(Mode::Exclusive, |shared: &Shared<Core>, _| {
        let word = shared.raw.word.release(Mode::Shared);
        if !word.needs_attention() {
            return;
        }
        let callback = |result: UnparkResult| {
            let waking = if result.unparked_threads > 0 { Waking::Set } else { Waking::Tasks };
            shared.raw.word.publish(result.have_more_threads.into(), waking);
            DEFAULT_UNPARK_TOKEN
        };
        // SAFETY: the key is the address of the lock; the callback only touches its word.
        unsafe { parkade_core::unpark_one(shared.raw.key(), callback) };
    });
}
