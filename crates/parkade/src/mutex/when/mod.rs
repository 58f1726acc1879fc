//! Conditional critical sections: threads that want the lock when something is true of what it protects.
//!
//! # Theory
//!
//! *Waiting*: a thread that holds the lock and finds its condition false (1) looks at the conditions of others, as any
//! releasing thread does, (2) joins the queue at the address of the lock's second byte, showing a *ticket* on its stack
//! (`ticket.rs`), (3) lets go of the lock, (4) sleeps.
//!
//! *Releasing*: a holder that sees `CONDITIONS`, and nobody designated, before it lets go (1) *pins* all tickets, under the
//! bucket lock of that queue; (2) with no bucket lock, calls their conditions in the order of the queue, until one is true; (3)
//! moves that thread, asleep, to the queue of the lock, or makes it designated, as a condition variable does
//! ([`Moving`]), and in the same step (4) unpins all. What follows is a release like any other, for which
//! the thread is one in line. So a thread whose condition is false is never woken, and neither is one whose condition
//! is true before it is its turn.
//!
//! One is enough. It will hold the lock, and look at the others before it lets go. For the same reason a release
//! looks at no condition while somebody is designated (`WAKING`): that thread comes to hold the lock. Conditions
//! only depend on what the lock protects; so what was false stays false until somebody has held the lock.
//!
//! *Having waited*, a thread holds the lock, and calls its condition itself. If another was faster, it waits again, before
//! all others.
//!
//! A condition that panics elsewhere counts as true: its own thread will call it, holding the lock, and panic there.
//!
//! # The invariant
//!
//! When the lock is free, nobody is designated, and no thread is in the midst of leaving it, then nobody is queued
//! for it and no condition is true. It is the mutex's own with the second half added, and is kept at the same
//! places: by who lets go, and by the designated thread if it gives up. `NEEDS_WAKE` stands for both halves.
//! So a thread that waits for a condition owes nobody anything, in either queue, unless it is designated.
//!
//! Before it has let go a holder knows one of three things ([`Conditions`]). All are false: the invariant will hold for them. One
//! is in line: then somebody will be designated, unless that thread leaves at its deadline, and so do all before it. None was looked
//! at because somebody was designated: but that thread may have ceased to be. Afterwards it looks
//! at the word, with the step (R1, R2) with which it also finds those who are queued. If nobody is in line then, nor holds
//! the lock, any condition may be true; but it does not have the lock any more to look, and may be in the midst
//! of parking, where no code of users may run. It then makes the first of those who wait for a condition designated, whatever
//! that is ([`RawMutex::see_to_conditions`]). This takes a deadline that passes between two steps of a release, and it costs
//! a wake that may be for nothing.
//!
//! # Who wakes the next, by exit
//!
//! * its condition is true: it has the lock, and its own release looks;
//! * its condition is false again: (1) of waiting;
//! * times out in the queue of those who wait for a condition: it held no wake. Pinned: the same, but its ticket is in use
//!   until it is let go, see below;
//! * times out in the queue of the lock, to which it was moved: it held no wake. The release that moved it has not let go
//!   yet: that release will find nobody, see above; or it has, and then somebody is designated or holds the lock;
//! * times out while designated: [`RawMutex::leave`](super::raw::RawMutex) passes the wake on if the lock is free; if there
//!   is nobody to pass it to, it does as a release that finds nobody. If the lock is held, its holder's release finds
//!   `NEEDS_WAKE` (P4); or that release was plain and is over, unseen as yet, because somebody else has announced itself and
//!   is still fencing (S2): who promises to look for those who are queued looks for conditions too;
//! * a thread that has nothing to do with conditions times out while designated: the same;
//! * waits for a condition variable: looks before it parks, and lets go without;
//! * releases fairly: looks first, so the lock is reserved for the one it has put in line if nobody is before it;
//! * panics: a condition is called either by its own thread with the lock held, or where panics are caught. Nothing else of
//!   this room is called by users or calls them;
//! * forked: the child's table is empty. `CONDITIONS` may be left over, and is corrected by the next look. `WAKING` is not
//!   trusted: a child looks at every release. Those who wait in it have announced it (A4), so its releases are not plain.
//!
//! # What memory may be gone
//!
//! Tickets and conditions are on the stacks of those who wait. Who has pinned them uses them with no bucket lock
//! held, so a pinned thread that times out leaves the queue, marks its ticket *abandoned*, and waits until that is *done*. It
//! waits for conditions to be called, never for the lock. A thread that is moved is unpinned in the same step. Nobody else
//! takes a pinned thread off the queue: holders move them, one at a time, and who calls the first does so while nobody holds the
//! lock.

#[cfg(not(loom))]
pub(super) mod face;
pub(crate) mod future;
mod ticket;

#[cfg(all(test, loom))]
mod model;
#[cfg(all(test, loom))]
mod mutants;
#[cfg(all(test, not(loom)))]
mod tests;

use super::{
    raw::{RawMutex, Woken, forked, may_wake},
    state::{Queue, Role, Waking},
};
use crate::{
    parked::Parked,
    requeue::{Conditions, Destination, Lock, Moving},
    task::first_in_line,
};
use core::cell::Cell;
use parkade_core::{
    DEFAULT_UNPARK_TOKEN, Departure, FilterOp, Moment, ParkRequest, ParkResult, ParkToken, Place,
    RequeueFilterOp, UnparkResult, shim::AbortOnUnwind,
};
use ticket::{Answers, Chain, Condition, Departed, Owner, Ticket};

/// How long a thread waits, and for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(loom, allow(unreachable_pub, reason = "the sealed trait of guards names it"))]
pub enum Limit {
    /// For as long as it takes.
    Never,
    /// For the condition until then, and for the lock as long as it takes.
    ForCondition(Moment),
    /// For both until then.
    ForBoth(Moment),
}

impl Limit {
    fn deadline(self) -> Option<Moment> {
        match self {
            Limit::Never => None,
            Limit::ForCondition(deadline) | Limit::ForBoth(deadline) => Some(deadline),
        }
    }

    /// What limits the wait for the lock.
    fn of_lock(self) -> Option<Moment> {
        match self {
            Limit::Never | Limit::ForCondition(_) => None,
            Limit::ForBoth(deadline) => Some(deadline),
        }
    }
}

/// How a wait has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(loom, allow(unreachable_pub, reason = "the sealed trait of guards names it"))]
pub enum Waited {
    /// The condition is true, and the thread holds the lock.
    True,
    /// It is false at the deadline, and the thread holds the lock.
    Late,
    /// The deadline has passed, and the thread does not hold the lock ([`Limit::ForBoth`]).
    LateWithoutLock,
}

/// Those whose conditions are true.
#[derive(Debug, Clone, Copy, Default)]
struct Chosen {
    thread: Option<ParkToken>,
    task: Option<ParkToken>,
}

impl Chosen {
    fn is_empty(self) -> bool {
        self.thread.is_none() && self.task.is_none()
    }
}

/// Which of the chosen were still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Moved {
    thread: Found,
    task: Found,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    No,
    Yes,
}

/// How a thread has left the queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    /// In its turn: it holds the lock.
    Holding,
    /// Its deadline has passed first.
    Late,
}

impl RawMutex {
    /// Waits until `condition` is true of `data`.
    ///
    /// # Safety
    /// 1. The caller holds the lock, and nobody has a reference to `data` as long as it does; `data` is alive.
    /// 2. Both may be used on all threads that use the lock, one at a time.
    pub(crate) unsafe fn wait_for_condition<T: ?Sized, F: FnMut(&T) -> bool>(
        &self,
        data: *const T,
        condition: F,
        limit: Limit,
    ) -> Waited {
        // SAFETY: duty 1.
        let condition = unsafe { Condition::new(data, condition) };
        if condition.is_true() {
            return Waited::True;
        }
        let ticket = Ticket::of_condition(&condition, Owner::Thread);
        let (mut place, since) = (Place::Back, Moment::now());
        let waited = loop {
            if limit.deadline().is_some_and(|deadline| Moment::now() >= deadline) {
                break self.late(limit);
            }
            let request = ParkRequest::new(self.conditions_key()).since(since).place(place);
            match self.park_for_condition(&ticket, request, limit) {
                Left::Late if limit.of_lock().is_some() => break Waited::LateWithoutLock,
                Left::Late => {
                    self.acquire();
                    break if condition.is_true() { Waited::True } else { Waited::Late };
                }
                Left::Holding if condition.is_true() => break Waited::True,
                Left::Holding => place = Place::Front,
            }
        };
        ticket.retire();
        waited
    }

    /// The deadline of a holder has passed.
    fn late(&self, limit: Limit) -> Waited {
        if limit.of_lock().is_none() {
            return Waited::Late;
        }
        self.release();
        Waited::LateWithoutLock
    }

    /// The address the table knows those by who wait for a condition: that of our second byte.
    pub(super) fn conditions_key(&self) -> usize {
        self.key() + 1
    }

    /// Lets go of the lock, waits to be put in line, and for the lock.
    fn park_for_condition(&self, ticket: &Ticket<'_>, request: ParkRequest, limit: Limit) -> Left {
        let conditions = self.about_to_wait();
        let request = request.token(ticket.token()).deadline(limit.deadline()).polling_if_first();
        let request = match limit {
            Limit::ForBoth(_) => request,
            Limit::Never | Limit::ForCondition(_) => request.deadline_ends_when_requeued(),
        };
        let departed = Cell::new(Departed::Free);
        let timed_out = |departure: Departure| {
            let more = departure.have_more_threads.into();
            if departure.key == self.key() {
                self.word().publish(more, Waking::Keep);
            } else {
                self.word().publish_conditions(more);
                departed.set(ticket.leave());
            }
        };
        // SAFETY: the key is the address of our second byte; `release_to_wait` may be called in the midst of
        // parking, and the other callbacks only touch the word and the ticket.
        let result = unsafe {
            parkade_core::park_with(
                request,
                || {
                    self.word().publish_conditions(Parked::Some);
                    true
                },
                || self.release_to_wait(conditions),
                timed_out,
            )
        };
        // Without the lock its guard must not be dropped.
        let no_unwind = AbortOnUnwind("locking after waiting for a condition panicked");
        let left = match result {
            ParkResult::Unparked(_) if self.acquire_designated_until(limit.of_lock()) => {
                Left::Holding
            }
            ParkResult::Unparked(_) => Left::Late,
            ParkResult::TimedOut | ParkResult::Invalid => {
                if departed.get() == Departed::InUse {
                    ticket.wait_until_done();
                }
                Left::Late
            }
        };
        no_unwind.disarm();
        left
    }

    /// For a holder that is about to let go and has seen `queue`: looks at conditions, unless a designated thread will. The
    /// snapshot may be stale. `CONDITIONS` is then set without need, never missing: only holders set it. And a designated
    /// thread that has given up since is found missing by the release itself, which looks at the word again (R1, R2).
    #[inline]
    pub(super) fn look_at_conditions(&self, queue: Queue) -> Conditions {
        if !queue.has_conditions() {
            Conditions::AllFalse
        } else if queue.waking() && !forked() {
            Conditions::NotLookedAt
        } else {
            self.put_first_true_in_line()
        }
    }

    /// Steps (1) to (4): puts the first thread in line whose condition is true, and the first task before it.
    #[cold]
    fn put_first_true_in_line(&self) -> Conditions {
        loop {
            let chain = self.pin();
            if let Some(conditions) = self.put_in_line(&chain) {
                return conditions;
            }
        }
    }

    /// Steps (2) to (4). `None` if one of those whose conditions were true has left meanwhile: then others may have to be
    /// looked at.
    fn put_in_line(&self, chain: &Chain<'_>) -> Option<Conditions> {
        let mut answers = Answers::none();
        let mut chosen = Chosen::default();
        for ticket in chain.iter() {
            let place = match ticket.owner() {
                Owner::Thread => &mut chosen.thread,
                Owner::Task => &mut chosen.task,
            };
            if place.is_some() || !answers.is_true(ticket) {
                continue;
            }
            *place = Some(ticket.token());
            if chosen.thread.is_some() {
                break;
            }
        }
        let Moved { thread, task } = self.move_and_unpin(chosen, chain);
        if thread == Found::Yes {
            // It looks at the others before it lets go.
            return Some(Conditions::OneInLine);
        }
        let all_are_there =
            chosen.thread.is_none() && (chosen.task.is_none() || task == Found::Yes);
        // False of threads, that is; nobody relies on tasks.
        all_are_there.then_some(Conditions::AllFalse)
    }

    /// Step (1).
    fn pin(&self) -> Chain<'_> {
        let mut chain = Chain::new();
        let filter = |token| {
            // SAFETY: the filter runs under the bucket lock, for those who are queued.
            chain.pin(unsafe { Ticket::of(token) });
            FilterOp::Skip
        };
        self.take_conditions(filter, || {});
        chain
    }

    /// Goes through those who wait for a condition, and corrects the word.
    fn take_conditions(&self, filter: impl FnMut(ParkToken) -> FilterOp, then: impl FnOnce()) {
        let callback = |result: UnparkResult| {
            self.word().publish_conditions(result.have_more_threads.into());
            then();
            DEFAULT_UNPARK_TOKEN
        };
        // SAFETY: the key is the address of our second byte; the callbacks touch the word and tickets.
        unsafe { parkade_core::unpark_filter(self.conditions_key(), filter, callback) };
    }

    /// Steps (3) and (4), for those of `chosen` who have not left.
    fn move_and_unpin(&self, chosen: Chosen, chain: &Chain<'_>) -> Moved {
        let mut moved = Moved { thread: Found::No, task: Found::No };
        let mut abandoned = Chain::new();
        if chosen.is_empty() {
            self.take_conditions(|_| FilterOp::Stop, || abandoned = chain.unpin());
            abandoned.let_go();
            return moved;
        }
        self.word().announce_as_holder();
        self.make_binding();
        let moving = Moving::new();
        let filter = |token| {
            if Some(token) == chosen.thread {
                moved.thread = Found::Yes;
                moving.next(self)
            } else if Some(token) == chosen.task {
                moved.task = Found::Yes;
                // Our release, which is not plain, will look at the queue.
                let queues = self.word().try_prepare_park(Role::Newcomer);
                debug_assert!(queues, "announced, and held by us");
                RequeueFilterOp::Requeue
            } else {
                RequeueFilterOp::Skip
            }
        };
        self.move_conditions(filter, |result| {
            moving.done(result);
            abandoned = chain.unpin();
        });
        abandoned.let_go();
        moved
    }

    /// Moves to the lock's queue, or wakes, whom `filter` picks, and corrects the word; `then` runs under both bucket locks.
    fn move_conditions(
        &self,
        filter: impl FnMut(ParkToken) -> RequeueFilterOp,
        then: impl FnOnce(UnparkResult),
    ) {
        let callback = |result: UnparkResult| {
            self.word().publish_conditions(result.have_more_threads.into());
            then(result);
            DEFAULT_UNPARK_TOKEN
        };
        let (from, to) = (self.conditions_key(), self.key());
        // SAFETY: the keys are the addresses of our two bytes; the callbacks touch the word and tickets.
        unsafe { parkade_core::unpark_requeue_filter(from, to, filter, callback) };
    }

    /// For who has let go of the lock and has woken nobody: if conditions may be true that nobody will look at, makes
    /// the first of those who wait for one designated.
    pub(super) fn see_to_conditions(&self, woken: Woken, conditions: Conditions) {
        if woken == Woken::Nobody
            && conditions != Conditions::AllFalse
            && self.word().queue().has_conditions()
        {
            self.call_first();
        }
    }

    #[cold]
    fn call_first(&self) {
        let mut pick = first_in_line();
        let filter = |token| {
            if !may_wake(self.word()) || self.is_locked() {
                return RequeueFilterOp::Stop;
            }
            // SAFETY: the filter runs under the bucket lock, for those who are queued.
            let ticket = unsafe { Ticket::of(token) };
            // Who pins holds the lock until it has unpinned, under this bucket lock.
            debug_assert!(!ticket.is_pinned(), "pinned, and nobody holds the lock");
            pick(token).into()
        };
        self.move_conditions(filter, |result| {
            if result.unparked_threads > 0 {
                self.first_is_up(Parked::None);
            }
        });
    }
}
