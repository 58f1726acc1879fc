//! Tasks that wait for a condition.
//!
//! # Theory
//!
//! A task is in one of four phases: it wants the lock, it holds the lock (only within a poll, or in a guard that it was given), it is
//! in the queue of those who wait for a condition, or it is over. In that queue it shows nothing: nobody but the task calls its
//! condition, because its future may be forgotten. Whoever may have changed something moves it to the queue of the lock; it is
//! woken in its turn, takes the lock, looks, and joins the others again if its condition is false.
//!
//! # Who wakes the next, by exit
//!
//! * its condition is true and it has the lock: its own release, as anybody's;
//! * false: it has changed nothing, unless it has just been given a guard; it lets go like any holder, and moves no tasks then;
//! * dropped while it wants the lock, or has been moved: see `task/mod.rs`;
//! * dropped while it waits for a condition: it held no wake;
//! * panics in its condition: it holds the lock, and gives it back;
//! * forgotten: it is moved and woken, in vain;
//! * forked: a child's future wants the lock, anew.

use super::super::RawMutex;
use crate::{
    parked::Parked,
    requeue::{Conditions, Lock},
    task::{Queue, cancel, leave, poll_queue, polled_too_often},
};
use core::{
    cell::{Cell, UnsafeCell},
    pin::Pin,
    task::{Context, Poll, ready},
};
use parkade_core::{Cancelled, Departure, ParkRequest, ParkResult, ParkToken, TaskWaiter};

#[cfg(not(loom))]
pub(crate) mod face;
#[cfg(all(test, loom))]
mod model;
#[cfg(all(test, loom))]
mod mutants;

/// How far a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// It wants the lock.
    Wants,
    /// It holds the lock, and may have changed what it protects.
    Has,
    /// It holds the lock, and has changed nothing.
    Looks,
    /// It waits for its condition.
    Waits,
    Over,
}

/// A task's wait for a condition and the lock.
pub(crate) struct Waiting<F> {
    /// Access: by who polls.
    condition: UnsafeCell<F>,
    phase: Cell<Phase>,
    waiter: TaskWaiter,
}

// SAFETY: a condition, called on one thread at a time.
unsafe impl<F: Send> Send for Waiting<F> {}
// SAFETY: a shared reference gives access to nothing but through functions that demand to be called one at a time.
unsafe impl<F: Send> Sync for Waiting<F> {}

impl<F> Waiting<F> {
    /// `Phase::Has` if its maker holds the lock: from here on it does.
    pub(super) fn new(condition: F, phase: Phase) -> Waiting<F> {
        Waiting {
            condition: UnsafeCell::new(condition),
            phase: Cell::new(phase),
            waiter: TaskWaiter::new(),
        }
    }

    fn waiter(self: Pin<&Self>) -> Pin<&TaskWaiter> {
        // SAFETY: a field that is not moved out of us.
        unsafe { self.map_unchecked(|this| &this.waiter) }
    }

    /// Ready with the lock, when the condition is true of `data`.
    ///
    /// # Safety
    /// 1. `raw` is the lock, the same whenever it is asked for, and protects `data`; if we were made with it held nobody else
    ///    has a reference to the data.
    /// 2. No other call is in progress.
    pub(super) unsafe fn poll<T: ?Sized>(
        self: Pin<&Self>,
        raw: &RawMutex,
        data: *const T,
        cx: &mut Context<'_>,
    ) -> Poll<()>
    where
        F: FnMut(&T) -> bool,
    {
        loop {
            match self.phase.get() {
                Phase::Wants => {
                    let ((), panicked) = ready!(poll_queue(raw, (), self.waiter(), cx));
                    self.phase.set(Phase::Looks);
                    let held = self.held(raw);
                    panicked.resume();
                    core::mem::forget(held);
                }
                Phase::Has | Phase::Looks => {
                    let held = self.held(raw);
                    // SAFETY: duty 2.
                    let condition = unsafe { &mut *self.condition.get() };
                    // SAFETY: we hold the lock, and have given nobody a reference.
                    let is_true = condition(unsafe { &*data });
                    core::mem::forget(held);
                    if is_true {
                        self.phase.set(Phase::Over);
                        return Poll::Ready(());
                    }
                    ready!(self.park(raw, cx));
                }
                Phase::Waits => ready!(self.look_at_queue(raw, cx)),
                Phase::Over => polled_too_often(),
            }
        }
    }

    /// Joins those who wait for a condition, and lets go of the lock.
    fn park(self: Pin<&Self>, raw: &RawMutex, cx: &mut Context<'_>) -> Poll<()> {
        let held = self.held(raw);
        let conditions = match self.phase.get() {
            Phase::Has => raw.about_to_wait(),
            _ => raw.about_to_wait_unchanged(),
        };
        let request = ParkRequest::new(raw.conditions_key()).token(ParkToken(crate::task::TASK));
        let queues = || {
            raw.word().publish_conditions(Parked::Some);
            true
        };
        // SAFETY: the key is the address of the lock's second byte; the callbacks touch its word alone. Who polls has us
        // exclusively, in no signal handler.
        let poll = unsafe { self.waiter().poll_park(cx, request, queues, || {}) };
        core::mem::forget(held);
        self.phase.set(Phase::Waits);
        // Not while it parks: it does not sleep, and wakers may panic.
        raw.release_to_wait(conditions);
        self.after_look(poll)
    }

    /// Polled while it waits for a condition: woken, or for whatever reason.
    fn look_at_queue(self: Pin<&Self>, raw: &RawMutex, cx: &mut Context<'_>) -> Poll<()> {
        let request = ParkRequest::new(raw.conditions_key()).token(ParkToken(crate::task::TASK));
        // In a forked child it is not queued, and queues only with the lock.
        // SAFETY: as in `park`.
        let poll = unsafe { self.waiter().poll_park(cx, request, || false, || {}) };
        if poll.is_pending() && raw.look_for_task().is_some() {
            self.phase.set(Phase::Looks);
            let held = self.held(raw);
            // If it has been woken as well: it has the lock.
            let (_, panicked) = self.leave_queue(raw);
            panicked.resume();
            core::mem::forget(held);
            return Poll::Ready(());
        }
        self.after_look(poll)
    }

    fn after_look(&self, poll: Poll<ParkResult>) -> Poll<()> {
        // Woken, and in a forked child not queued any more: it wants the lock.
        poll.map(|_| self.phase.set(Phase::Wants))
    }

    /// Leaves the queue of those who wait for a condition, or that of the lock if it was moved there.
    fn leave_queue(self: Pin<&Self>, raw: &RawMutex) -> (Cancelled, crate::task::Panicked) {
        let left = |departure: Departure| {
            if departure.key == raw.key() {
                raw.left((), departure);
            } else {
                raw.word().publish_conditions(departure.have_more_threads.into());
            }
        };
        // SAFETY: `left` touches the word; who polls or drops has us exclusively.
        unsafe { cancel(self.waiter(), left) }
    }

    /// Ends the wait, whatever its phase: `drop`.
    ///
    /// # Safety
    /// As for `poll`.
    pub(super) unsafe fn end(self: Pin<&Self>, raw: &RawMutex) {
        match self.phase.replace(Phase::Over) {
            Phase::Wants => leave(raw, (), self.waiter()),
            Phase::Has | Phase::Looks => raw.release(),
            Phase::Waits => {
                let (found, panicked) = self.leave_queue(raw);
                if let Cancelled::Unparked(token) = found {
                    raw.pass_on((), token);
                }
                panicked.resume();
            }
            Phase::Over => {}
        }
    }

    fn held<'a>(&'a self, raw: &'a RawMutex) -> Held<'a> {
        Held { raw, phase: &self.phase }
    }
}

impl RawMutex {
    /// As `about_to_wait`, for a task that has looked, and has changed nothing.
    fn about_to_wait_unchanged(&self) -> Conditions {
        self.word().announce_as_holder();
        self.make_binding();
        self.look_after_look(self.word().queue())
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
