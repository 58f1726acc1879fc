//! Protocols that look right and are not. Each has to fail under loom: `cargo xtask weaken` runs them.

use super::{
    super::mutants::move_all,
    model::{a_task_is_dropped, a_thread_behind_a_task_that_is_not_polled},
};
use crate::{
    parked::Parked,
    requeue::{Destination, Reception},
};
use core::cell::Cell;
use parkade_core::RequeueFilterOp;

/// A task is dropped, and its notification with it.
#[test]
#[ignore = "has to fail"]
fn drop_a_notified_task_and_keep_its_notification() {
    a_task_is_dropped(|future| {
        let parts = future.project();
        let left = |departure: parkade_core::Departure| {
            if departure.key == parts.condvar.key() {
                parts.condvar.word().publish(departure.have_more_threads.into());
            }
        };
        // SAFETY: the callback touches the word; the future is ours.
        let _ = unsafe { parts.waiter.0.cancel(left) };
        *parts.handle = None;
    });
}

/// Whoever is first among those who are moved to a free mutex is designated.
#[test]
#[ignore = "has to fail"]
fn designate_a_task() {
    a_thread_behind_a_task_that_is_not_polled(|meeting| {
        meeting.issue(1);
        let mutex = &meeting.shared.raw;
        let reception = Cell::new(Reception::AllQueue);
        let receive = || {
            reception.set(mutex.receive());
            match reception.get() {
                Reception::AllQueue => RequeueFilterOp::Requeue,
                Reception::FirstIsUp => RequeueFilterOp::Unpark,
            }
        };
        move_all(meeting, receive, || {
            if reception.get() == Reception::FirstIsUp {
                mutex.first_is_up(Parked::Some);
            }
        });
    });
}
