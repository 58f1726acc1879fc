//! Protocols that look right and are not. Each has to fail under loom: `cargo xtask weaken` runs them.

use super::{
    super::{RawMutex, raw::may_wake, state::Waking},
    model::{
        a_task_is_dropped, a_thread_behind_a_task_that_is_not_polled, another_future_of_the_task,
    },
};
use crate::{
    model::Shared,
    task::{Handle, Queue, Standing, Waiting},
};
use parkade_core::{DEFAULT_UNPARK_TOKEN, Departure, ParkRequest, UnparkToken};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mistake {
    /// A task that was woken and is dropped passes nothing on.
    KeepsWakes,
    /// A task that is polled in the queue relies on being woken.
    LooksAtNothing,
}

/// A mutex whose tasks make a mistake.
struct Wrong<'a>(&'a RawMutex, Mistake);

impl Queue for Wrong<'_> {
    type Want = ();
    type Got = ();

    fn try_at_once(&self, (): ()) -> Option<()> {
        self.0.try_at_once(())
    }

    fn try_take(&self, (): (), standing: Standing) -> Option<()> {
        if self.1 == Mistake::LooksAtNothing && standing == Standing::Queued {
            return None;
        }
        self.0.try_take((), standing)
    }

    fn request(&self, (): ()) -> ParkRequest {
        self.0.request(())
    }

    fn prepare(&self, (): (), standing: Standing) -> bool {
        self.0.prepare((), standing)
    }

    fn left(&self, (): (), departure: Departure) {
        self.0.left((), departure);
    }

    fn pass_on(&self, (): (), token: UnparkToken) {
        if self.1 != Mistake::KeepsWakes {
            self.0.pass_on((), token);
        }
    }
}

impl Handle for Wrong<'_> {
    type Queue = Self;
    type Output = ();

    fn queue(&self) -> &Self {
        self
    }

    fn want(&self) {}

    fn finish(self, (): ()) {}
}

#[test]
#[ignore = "has to fail"]
fn drop_a_woken_task_and_keep_its_wake() {
    a_task_is_dropped(|shared| Waiting::new(Wrong(&shared.raw, Mistake::KeepsWakes)));
}

#[test]
#[ignore = "has to fail"]
fn be_polled_in_the_queue_and_not_look() {
    another_future_of_the_task(|shared| Waiting::new(Wrong(&shared.raw, Mistake::LooksAtNothing)));
}

/// A release that wakes the first in line, whoever that is.
fn release_and_wake_one(shared: &Shared<RawMutex>) {
    let word = shared.raw.word();
    let queue = word.release_symmetric(word.queue());
    if !queue.needs_wake() {
        return;
    }
    let callback = |result: parkade_core::UnparkResult| {
        let waking = if result.unparked_threads == 1 { Waking::Set } else { Waking::Keep };
        word.publish(result.have_more_threads.into(), waking);
        DEFAULT_UNPARK_TOKEN
    };
    // SAFETY: the key is the address of the mutex; the callbacks only touch its word.
    unsafe { parkade_core::unpark_one_if(shared.raw.key(), || may_wake(word), callback) };
}

#[test]
#[ignore = "has to fail"]
fn wake_a_task_and_not_the_thread_behind_it() {
    a_thread_behind_a_task_that_is_not_polled(release_and_wake_one);
}
