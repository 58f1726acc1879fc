//! Tasks that wait for a notification.
//!
//! # Theory
//!
//! A task waits as a thread does: it (1) joins the queue of the condition variable, (2) lets go of the lock, (3) is pending, (4)
//! has the lock again. It is notified in its turn, and woken: it is not moved to the queue of its lock (`raw.rs` says
//! why), but locks as a newcomer when it is polled. So no lock relies on it, nor does a thread that was notified with
//! it and moved.
//!
//! What it relies on itself is what it was told. Its notification was meant for one, or for all who waited: if for one, it goes to
//! another when the task is dropped before it has returned.
//!
//! The future holds the lock before its first poll. Afterwards it does so only in the midst of a poll, for its condition;
//! then as a guard, so that a condition that panics unlocks.
//!
//! | stage | lock | dropped | polled |
//! |---|---|---|---|
//! | `Holding` | held | unlocks | looks at its condition; (1), (2) |
//! | `Queued` | - | leaves the queue, or passes the notification on | looks whether it was notified |
//! | `Notified` | wanted | leaves the lock's queue, or passes its wake on; passes the notification on, if for one | (4) |
//! | over | the caller's | - | panics |
//!
//! # Who wakes the next, by exit
//!
//! * returns: it has the lock; its notification is used;
//! * waits again, because its condition says so: likewise;
//! * dropped: see the table. What a notifier who notifies one hears, that there was somebody, stays true: there is another, or
//!   there is nobody who waits any more;
//! * unwinds: from a condition, unlocked and over; from a waker that was dropped as the task took the lock, the same, and its notification is passed on;
//!   from a waker that cannot be cloned, in the stage that it was in, and from one that was
//!   woken by letting go of the lock, queued: as if it had not been polled, or had been pending;
//! * forgotten: it is notified in its turn, in vain;
//! * forked: a child's future queues anew, in the queue of its stage.

#[cfg(not(loom))]
pub(crate) mod face;

#[cfg(all(test, loom))]
mod model;
#[cfg(all(test, loom))]
mod mutants;

use super::raw::{RawCondvar, Whom};
use crate::{
    parked::Parked,
    requeue::Lock,
    task::{self, Handle, Queue, TASK},
};
use core::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};
use parkade_core::{Cancelled, ParkRequest, ParkResult, ParkToken, TaskWaiter};

/// A handle of a lock that its task can hold and wait with. It is held in one way only.
pub(crate) trait Holding: Handle<Queue: Queue<Got = ()>> {
    /// The lock, which the caller holds.
    fn lock(&self) -> impl Lock + '_;

    /// Undoes [`finish`](Handle::finish): the lock is held, by nobody.
    fn hold(guard: Self::Output) -> Self;
}

/// What becomes of a task that holds the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    Waits,
    Returns,
}

/// What a task waits for.
pub(crate) trait Until<G> {
    /// Before it has waited.
    fn at_first(&mut self, guard: &mut G) -> Next;

    /// After it was notified.
    fn once_notified(&mut self, guard: &mut G) -> Next;
}

/// One notification.
pub(crate) struct Once;

impl<G> Until<G> for Once {
    fn at_first(&mut self, _: &mut G) -> Next {
        Next::Waits
    }

    fn once_notified(&mut self, _: &mut G) -> Next {
        Next::Returns
    }
}

/// The stages of a future that is not over, as its waiter notes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Holding,
    Queued,
    Notified(Whom),
}

impl Stage {
    fn of(note: u8) -> Stage {
        match note {
            0 => Stage::Holding,
            1 => Stage::Queued,
            2 => Stage::Notified(Whom::First),
            _ => Stage::Notified(Whom::All),
        }
    }

    fn note(self) -> u8 {
        match self {
            Stage::Holding => 0,
            Stage::Queued => 1,
            Stage::Notified(Whom::First) => 2,
            Stage::Notified(Whom::All) => 3,
        }
    }
}

/// A future that waits for notifications.
///
/// Pinned from the first poll on; the waiter is used through a shared reference only, as in [`task::Waiting`].
pub(crate) struct Waiting<'a, H: Holding, U> {
    condvar: &'a RawCondvar,
    /// Until it is over.
    handle: Option<H>,
    until: U,
    waiter: TaskWaiter,
}

/// The fields of a pinned [`Waiting`].
struct Parts<'p, 'a, H, U> {
    condvar: &'a RawCondvar,
    handle: &'p mut Option<H>,
    until: &'p mut U,
    waiter: Waiter<'p>,
}

/// The waiter, in the hands of who has the future exclusively.
#[derive(Clone, Copy)]
struct Waiter<'p>(Pin<&'p TaskWaiter>);

impl Waiter<'_> {
    fn stage(self) -> Stage {
        // SAFETY: whoever polls or drops a future has it exclusively, and no callback of ours comes back to it.
        Stage::of(unsafe { self.0.noted() })
    }

    fn set_stage(self, stage: Stage) {
        // SAFETY: as above.
        unsafe { self.0.note(stage.note()) };
    }

    fn is_parked(self) -> bool {
        // SAFETY: as above.
        unsafe { self.0.is_parked() }
    }
}

impl<'a, H: Holding, U> Waiting<'a, H, U> {
    /// `guard` is one of a lock that the caller holds.
    pub(crate) fn new(condvar: &'a RawCondvar, guard: H::Output, until: U) -> Waiting<'a, H, U> {
        Waiting { condvar, handle: Some(H::hold(guard)), until, waiter: TaskWaiter::new() }
    }

    /// Whether it has been ready, or its condition has panicked.
    pub(crate) fn is_over(&self) -> bool {
        self.handle.is_none()
    }

    fn project(self: Pin<&mut Self>) -> Parts<'_, 'a, H, U> {
        // SAFETY: the waiter is not moved: it is only lent below, pinned as we are. The rest is not pinned.
        let this = unsafe { self.get_unchecked_mut() };
        Parts {
            condvar: this.condvar,
            handle: &mut this.handle,
            until: &mut this.until,
            // SAFETY: as above; it stays in its place until we are dropped, and `drop` takes it out of its queue.
            waiter: Waiter(unsafe { Pin::new_unchecked(&this.waiter) }),
        }
    }
}

impl<H: Holding, U: Until<H::Output>> Parts<'_, '_, H, U> {
    fn handle(&self) -> &H {
        match &*self.handle {
            Some(handle) => handle,
            None => task::polled_too_often(),
        }
    }

    /// It has the lock: asks `next`, and begins to wait or is over.
    fn holds(
        &mut self,
        next: impl FnOnce(&mut U, &mut H::Output) -> Next,
        cx: &mut Context<'_>,
    ) -> Option<H::Output> {
        let Some(handle) = self.handle.take() else { task::polled_too_often() };
        let mut guard = handle.finish(());
        if next(self.until, &mut guard) == Next::Returns {
            return Some(guard);
        }
        *self.handle = Some(H::hold(guard));
        self.waiter.set_stage(Stage::Holding);
        let lock = self.handle().lock();
        let conditions = lock.about_to_wait();
        let _ = self.condvar.poll_task(self.waiter, cx);
        // May unwind, with the panic of a waker. We are queued.
        lock.release_to_wait(conditions);
        None
    }

    /// It is not holding the lock: has it if it was notified and the lock can be had.
    fn poll_lock(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.waiter.stage() == Stage::Queued
            && self.condvar.poll_task(self.waiter, cx).is_pending()
        {
            return Poll::Pending;
        }
        let handle = self.handle();
        match task::poll_queue(handle.queue(), handle.want(), self.waiter.0, cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(((), panicked)) => {
                let unlocks = OnUnwind(self);
                panicked.resume();
                core::mem::forget(unlocks);
            }
        }
        Poll::Ready(())
    }
}

/// A poll that panics returns nothing: unlocks, and passes the notification on.
struct OnUnwind<'q, 'p, 'a, H: Holding, U>(&'q mut Parts<'p, 'a, H, U>);

impl<H: Holding, U> Drop for OnUnwind<'_, '_, '_, H, U> {
    fn drop(&mut self) {
        if let Stage::Notified(whom) = self.0.waiter.stage() {
            let _notification = Notification { condvar: self.0.condvar, whom };
            drop(self.0.handle.take().map(|handle| handle.finish(())));
        }
    }
}

impl<H: Holding, U: Until<H::Output>> Future for Waiting<'_, H, U> {
    type Output = H::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<H::Output> {
        let mut parts = self.project();
        if parts.waiter.stage() == Stage::Holding
            && let Some(guard) = parts.holds(U::at_first, cx)
        {
            return Poll::Ready(guard);
        }
        loop {
            if parts.poll_lock(cx).is_pending() {
                return Poll::Pending;
            }
            if let Some(guard) = parts.holds(U::once_notified, cx) {
                return Poll::Ready(guard);
            }
        }
    }
}

impl<H: Holding, U> Drop for Waiting<'_, H, U> {
    fn drop(&mut self) {
        let Some(handle) = self.handle.take() else { return };
        // SAFETY: if it was ever polled it was pinned; it is not moved here.
        let waiter = Waiter(unsafe { Pin::new_unchecked(&self.waiter) });
        match waiter.stage() {
            Stage::Holding => drop(handle.finish(())),
            Stage::Queued => self.condvar.leave_task(waiter),
            Stage::Notified(whom) => {
                let _notification = Notification { condvar: self.condvar, whom };
                task::leave(handle.queue(), handle.want(), waiter.0);
            }
        }
    }
}

/// What a task has been told and does not need.
struct Notification<'a> {
    condvar: &'a RawCondvar,
    whom: Whom,
}

impl Drop for Notification<'_> {
    /// Passes it on.
    fn drop(&mut self) {
        if self.whom == Whom::First {
            self.condvar.notify_first();
        }
    }
}

impl RawCondvar {
    /// Queues a task, if it is not queued yet, and looks whether it has been notified.
    fn poll_task(&self, waiter: Waiter<'_>, cx: &mut Context<'_>) -> Poll<()> {
        if waiter.stage() == Stage::Queued && !waiter.is_parked() {
            // It has been told so, but its last poll has unwound: a waker that it gave back panicked when it was dropped. One in
            // the queue has none to give back then, so it was listed (`parkade_core`), with many others.
            waiter.set_stage(Stage::Notified(Whom::All));
            return Poll::Ready(());
        }
        let request = ParkRequest::new(self.key()).token(ParkToken(TASK));
        let queued = || {
            self.word().publish(Parked::Some);
            true
        };
        // SAFETY: (1) the key is our own address. (2) The callback touches our word alone, (3) the other does nothing. (4) Who
        // polls has the future exclusively. (5) Futures are not polled in signal handlers.
        let poll = unsafe { waiter.0.poll_park(cx, request, queued, || {}) };
        let stage = match poll {
            Poll::Ready(ParkResult::Unparked(token)) => Stage::Notified(Whom::of(token)),
            Poll::Ready(_) | Poll::Pending => Stage::Queued,
        };
        waiter.set_stage(stage);
        if stage == Stage::Queued { Poll::Pending } else { Poll::Ready(()) }
    }

    /// A task is dropped that has not been told that it was notified.
    fn leave_task(&self, waiter: Waiter<'_>) {
        let left = |departure: parkade_core::Departure| {
            self.word().publish(departure.have_more_threads.into());
        };
        // SAFETY: (2) `left` touches the word alone; (4) a future that is dropped is had exclusively; (5) as above.
        let (found, panicked) = unsafe { task::cancel(waiter.0, left) };
        if let Cancelled::Unparked(token) = found {
            drop(Notification { condvar: self, whom: Whom::of(token) });
        }
        panicked.resume();
    }
}
