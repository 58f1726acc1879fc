//! Tasks that wait for a condition.
//!
//! # Theory
//!
//! A task is in one of four phases: it wants the lock, it holds the lock (only within a poll, or in a guard that it was given), it is
//! in the queue of those who wait for a condition, or it is over. In that queue it stands as a thread does, with a ticket, and those who
//! release call its condition. But nobody relies on a task: who has found one whose condition is true looks on, for a
//! thread. The task is moved to the queue of the lock, and woken in its turn; then it wants the lock like any other.
//!
//! A release puts one task in line at most. Were there another whose condition is true, then the first, once it has the lock,
//! looks at it; or each release that comes in between; or it is nudged.
//!
//! # Who wakes the next, by exit
//!
//! * its condition is true and it has the lock: its own release looks;
//! * false: as the thread's; then it lets go;
//! * dropped before all this, or wanting the lock: see `task/mod.rs`; and if it has been told that its condition is true, the same as
//!   if it had been woken for the lock: those whom it was put before have to be looked after;
//! * dropped while it waits for a condition: it held no wake. Pinned: its ticket is in use until it is let go: the drop waits
//!   for conditions to be called, as a thread that times out does;
//! * panics in its condition: it holds the lock, and gives it back;
//! * forked: a child's future wants the lock, anew.

use super::{
    super::RawMutex,
    Departed,
    ticket::{Condition, Owner, Ticket},
};
use crate::{
    parked::Parked,
    requeue::Lock,
    task::{Queue, cancel, leave, poll_queue, polled_too_often},
};
use core::{
    cell::{Cell, OnceCell},
    pin::Pin,
    task::{Context, Poll, ready},
};
use parkade_core::{
    Cancelled, DEFAULT_UNPARK_TOKEN, Departure, ParkRequest, ParkResult, Place, TaskWaiter,
};

#[cfg(not(loom))]
pub(crate) mod face;
#[cfg(all(test, loom))]
mod model;
#[cfg(all(test, loom))]
mod mutants;

/// How far a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// It wants the lock, for the first time.
    Begins,
    /// It wants the lock, because its condition may be true.
    Called,
    /// It holds the lock.
    Holds,
    /// It waits for its condition.
    Waits,
    Over,
}

/// A task's wait for a condition and the lock.
pub(crate) struct Waiting<T: ?Sized, F> {
    condition: Condition<T, F>,
    /// Made when the condition has its place. It borrows it.
    ticket: OnceCell<Ticket<'static>>,
    phase: Cell<Phase>,
    waiter: TaskWaiter,
}

// SAFETY: a condition and a reference to what it is about, called on one thread at a time. The ticket points to the condition.
unsafe impl<T: ?Sized + Send, F: Send> Send for Waiting<T, F> {}
// SAFETY: a shared reference gives access to nothing but through functions that demand to be called one at a time.
unsafe impl<T: ?Sized + Send, F: Send> Sync for Waiting<T, F> {}

impl<T: ?Sized, F: FnMut(&T) -> bool> Waiting<T, F> {
    /// # Safety
    /// 1. `data` is protected by the lock that the other functions are given, and alive as long as that is.
    /// 2. If `phase` says so its caller holds the lock, and from here on we do.
    pub(super) unsafe fn new(data: *const T, condition: F, phase: Phase) -> Waiting<T, F> {
        Waiting {
            // SAFETY: holders call it, who have no reference to the data then.
            condition: unsafe { Condition::new(data, condition) },
            ticket: OnceCell::new(),
            phase: Cell::new(phase),
            waiter: TaskWaiter::new(),
        }
    }

    fn waiter(self: Pin<&Self>) -> Pin<&TaskWaiter> {
        // SAFETY: a field that is not moved out of us.
        unsafe { self.map_unchecked(|this| &this.waiter) }
    }

    fn ticket(&self) -> &Ticket<'static> {
        self.ticket.get_or_init(|| {
            // SAFETY: we are pinned, and leave the queue before we go away; nobody has the ticket afterwards.
            unsafe { Ticket::of_place(&raw const self.condition, Owner::Task) }
        })
    }

    /// Ready with the lock, when the condition is true.
    ///
    /// # Safety
    /// 1. `raw` is the lock of `new`, the same whenever it is asked for.
    /// 2. No other call is in progress.
    pub(super) unsafe fn poll(self: Pin<&Self>, raw: &RawMutex, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match self.phase.get() {
                Phase::Begins | Phase::Called => {
                    let ((), panicked) = ready!(poll_queue(raw, (), self.waiter(), cx));
                    self.phase.set(Phase::Holds);
                    let held = Held { raw, phase: &self.phase };
                    panicked.resume();
                    core::mem::forget(held);
                }
                Phase::Holds => {
                    if self.look(raw) {
                        return Poll::Ready(());
                    }
                    ready!(self.park(raw, cx));
                }
                Phase::Waits => ready!(self.look_at_queue(raw, cx)),
                Phase::Over => polled_too_often(),
            }
        }
    }

    /// Calls the condition, with the lock held; if it panics it is not held any more.
    fn look(&self, raw: &RawMutex) -> bool {
        let held = Held { raw, phase: &self.phase };
        let is_true = self.condition.is_true();
        core::mem::forget(held);
        if is_true {
            self.phase.set(Phase::Over);
        }
        is_true
    }

    /// Joins those who wait for a condition, and lets go of the lock.
    fn park(self: Pin<&Self>, raw: &RawMutex, cx: &mut Context<'_>) -> Poll<()> {
        let held = Held { raw, phase: &self.phase };
        let conditions = raw.about_to_wait();
        let place = if self.ticket.get().is_some() { Place::Front } else { Place::Back };
        let request =
            ParkRequest::new(raw.conditions_key()).token(self.ticket().token()).place(place);
        let queues = || {
            raw.word().publish_conditions(Parked::Some);
            true
        };
        // SAFETY: the key is the address of the lock's second byte; the callbacks touch its word alone. Who polls has us
        // exclusively, in no signal handler.
        let poll = unsafe { self.waiter().poll_park(cx, request, queues, || {}) };
        core::mem::forget(held);
        self.phase.set(Phase::Waits);
        raw.release_to_wait(conditions);
        self.after_look(poll)
    }

    /// Polled while it waits for a condition: woken, or for whatever reason.
    fn look_at_queue(self: Pin<&Self>, raw: &RawMutex, cx: &mut Context<'_>) -> Poll<()> {
        let request = ParkRequest::new(raw.conditions_key()).token(self.ticket().token());
        // In a forked child it is not queued, and queues only with the lock.
        // SAFETY: as in `park`.
        let poll = unsafe { self.waiter().poll_park(cx, request, || false, || {}) };
        if poll.is_pending() && raw.look_for_task().is_some() {
            self.phase.set(Phase::Holds);
            // If it has been woken as well: it has the lock.
            let _ = self.leave_queue(raw);
            return Poll::Ready(());
        }
        self.after_look(poll)
    }

    fn after_look(&self, poll: Poll<ParkResult>) -> Poll<()> {
        poll.map(|result| {
            self.phase.set(match result {
                ParkResult::Unparked(_) => Phase::Called,
                ParkResult::Invalid | ParkResult::TimedOut => Phase::Begins,
            });
        })
    }

    /// Leaves the queue of those who wait for a condition, or that of the lock if it was moved there.
    fn leave_queue(self: Pin<&Self>, raw: &RawMutex) -> Cancelled {
        let departed = Cell::new(Departed::Free);
        let left = |departure: Departure| {
            if departure.key == raw.key() {
                raw.left((), departure);
            } else {
                raw.word().publish_conditions(departure.have_more_threads.into());
                departed.set(self.ticket().leave());
            }
        };
        // SAFETY: `left` touches the word and the ticket; who polls or drops has us exclusively.
        let (found, panicked) = unsafe { cancel(self.waiter(), left) };
        if departed.get() == Departed::InUse {
            self.ticket().wait_until_done();
        }
        panicked.resume();
        found
    }

    /// Ends the wait, whatever its phase: `drop`.
    ///
    /// # Safety
    /// As for `poll`.
    pub(super) unsafe fn end(self: Pin<&Self>, raw: &RawMutex) {
        match self.phase.replace(Phase::Over) {
            Phase::Begins => leave(raw, (), self.waiter()),
            Phase::Called => {
                leave(raw, (), self.waiter());
                raw.pass_on((), DEFAULT_UNPARK_TOKEN);
            }
            Phase::Holds => raw.release(),
            Phase::Waits => {
                if let Cancelled::Unparked(token) = self.leave_queue(raw) {
                    raw.pass_on((), token);
                }
            }
            Phase::Over => {}
        }
        if let Some(ticket) = self.ticket.get() {
            ticket.retire();
        }
    }
}

/// Gives the lock back if something panics.
struct Held<'a> {
    raw: &'a RawMutex,
    phase: &'a Cell<Phase>,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.phase.set(Phase::Over);
        self.raw.release();
    }
}
