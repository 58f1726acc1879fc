//! Protocols that look right and are not. Each has to fail under loom: `cargo xtask weaken` runs them.

use super::{
    super::ticket::Departed,
    Phase, Waiting,
    model::{End, dropped_at_any_time, dropped_in_line},
};
use crate::{
    RawMutex,
    task::{Queue, cancel},
};
use core::pin::Pin;
use loom::cell::Cell;
use parkade_core::Departure;

/// A future that was told that its condition is true goes away as if it had only wanted the lock.
#[derive(Clone, Copy)]
struct Forgetful;

impl End for Forgetful {
    fn end<F: FnMut(&Cell<u32>) -> bool>(
        self,
        waiting: Pin<&Waiting<Cell<u32>, F>>,
        raw: &RawMutex,
    ) {
        if waiting.phase.get() == Phase::Waits {
            let _ = waiting.leave_queue(raw);
            waiting.phase.set(Phase::Over);
        }
        // SAFETY: always the same lock, and who drops has it exclusively.
        unsafe { waiting.end(raw) };
    }
}

#[test]
#[ignore = "has to fail"]
fn drop_a_task_whose_condition_is_true_and_tell_nobody() {
    dropped_in_line(Forgetful);
}

/// A future goes away though its condition is being called.
#[derive(Clone, Copy)]
struct Hasty;

impl End for Hasty {
    fn end<F: FnMut(&Cell<u32>) -> bool>(
        self,
        waiting: Pin<&Waiting<Cell<u32>, F>>,
        raw: &RawMutex,
    ) {
        if waiting.phase.get() != Phase::Waits {
            // SAFETY: always the same lock, and who drops has it exclusively.
            return unsafe { waiting.end(raw) };
        }
        let left = |departure: Departure| {
            if departure.key == raw.key() {
                raw.left((), departure);
            } else {
                raw.word().publish_conditions(departure.have_more_threads.into());
                let _: Departed = waiting.ticket().leave();
            }
        };
        // SAFETY: `left` touches the word and the ticket.
        let (found, panicked) = unsafe { cancel(waiting.waiter(), left) };
        if let parkade_core::Cancelled::Unparked(token) = found {
            raw.pass_on((), token);
        }
        panicked.resume();
        waiting.phase.set(Phase::Over);
    }
}

#[test]
#[ignore = "has to fail"]
fn drop_a_task_whose_condition_is_being_called() {
    dropped_at_any_time(Hasty);
}
