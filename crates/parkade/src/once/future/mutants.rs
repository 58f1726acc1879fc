//! Protocols that look right and are not. Each has to fail under loom: `cargo xtask weaken` runs them.

use super::{
    super::{
        model::Shared,
        raw::RawOnce,
        state::{End, Wakes, Wish},
    },
    At, Found,
    model::{
        a_starter_is_dropped, a_thread_behind_a_task_that_is_not_polled, an_initialiser_is_dropped,
    },
};
use crate::{
    parked::Parked,
    task::{Queue, Standing},
};
use parkade_core::{
    DEFAULT_UNPARK_TOKEN, Departure, FilterOp, ParkRequest, ParkToken, UnparkResult, UnparkToken,
};

/// A task that initialises and is dropped leaves the word as it was before, and wakes nobody.
#[test]
#[ignore = "has to fail"]
fn drop_the_initialiser_and_wake_nobody() {
    an_initialiser_is_dropped(|shared, begun| {
        core::mem::forget(begun);
        if !shared.raw.word().try_end(End::New) {
            shared.raw.word().end(End::New, Parked::Some);
        }
    });
}

/// A task that was woken to try and is dropped passes nothing on.
struct KeepsWakes<'a>(At<'a, RawOnce>);

impl<'a> Queue for KeepsWakes<'a> {
    type Want = Wish;
    type Got = Found<'a>;

    fn try_take(&self, wish: Wish, standing: Standing) -> Option<Found<'a>> {
        self.0.try_take(wish, standing)
    }

    fn request(&self, wish: Wish) -> ParkRequest {
        self.0.request(wish)
    }

    fn prepare(&self, wish: Wish, standing: Standing) -> bool {
        self.0.prepare(wish, standing)
    }

    fn left(&self, wish: Wish, departure: Departure) {
        self.0.left(wish, departure);
    }

    fn pass_on(&self, _: Wish, _: UnparkToken) {}
}

#[test]
#[ignore = "has to fail"]
fn drop_a_starter_and_pick_no_other() {
    a_starter_is_dropped(KeepsWakes);
}

/// An initialisation that fails picks one starter, whoever that is.
fn fail_and_wake_one(shared: &Shared, begun: Found<'_>) {
    core::mem::forget(begun);
    let word = shared.raw.word();
    if word.try_end(End::New) {
        return;
    }
    let mut found = false;
    let first = |token: ParkToken| {
        let starts = Wish::of(token).woken_by(End::New) == Wakes::First;
        if starts && !core::mem::replace(&mut found, true) {
            FilterOp::Unpark
        } else {
            FilterOp::Skip
        }
    };
    let write = |result: UnparkResult| {
        word.end(End::New, result.have_more_threads.into());
        DEFAULT_UNPARK_TOKEN
    };
    // SAFETY: the key is the address of the `Once`; the callbacks only touch its word.
    unsafe { parkade_core::unpark_filter(shared.raw.key(), first, write) };
}

#[test]
#[ignore = "has to fail"]
fn wake_a_task_and_not_the_thread_behind_it() {
    a_thread_behind_a_task_that_is_not_polled(fail_and_wake_one);
}
