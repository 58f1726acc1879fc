//! Waiting, notifying, and moving waiters to the queue of their lock.
//!
//! # Theory
//!
//! *Waiting*: (1) join the queue, (2) let go of the lock, (3) sleep, (4) have the lock again. Who changes something
//! under the lock after (2) and then notifies finds the thread in the queue.
//!
//! The first in line may poll its place in the queue before it sleeps ([`ParkRequest::polling_if_first`]): for
//! all that follows it is asleep.
//!
//! *Notifying* takes threads off the queue. A thread that wakes only to find its lock held would be woken for
//! nothing, and all of them at once would fight for it. So they are moved, asleep, to the queue of the lock, where
//! those who release it see to them; or, where nobody is bound to, the first is woken with the
//! duty to see to the others ([`Destination`]). At most one thread wakes for each lock that is a
//! destination. Threads that wait with other locks, or with another lock than the first in line, wake and
//! come by themselves.
//!
//! *Tasks* are woken, and lock by themselves (`future/`). They are not moved: it takes a ticket to know that a
//! lock is still there, and a task has none. For while a thread is in our queue it is, but a future may have been
//! forgotten, and then it is queued when everything that it has borrowed is gone; and it may have been the future of another
//! lock, that was at this address before. So of a task's token nothing is believed but that it is one.
//!
//! A notifier (1) takes the bucket lock, to learn the first thread's lock, (2) takes both bucket locks, in the order of
//! the table, and looks again: only then does it touch a lock, for only then can it not go away. What it learns
//! is in the waiter's *ticket*, on its stack, to which the token it parked with points. Whoever has left in between, and
//! whoever came, makes no difference: a thread whose lock is not the one of (1) is woken. Why so is in
//! docs/decisions/0008.
//!
//! # Who wakes the next, by exit
//!
//! * notified, and comes by itself: it held no wake; it locks like anybody else;
//! * notified as the first, or moved and taken off the lock's queue: it takes its turn, see the exits in the `raw.rs`
//!   of its lock;
//! * times out in our queue: it held no wake; V2;
//! * its time is up when it has been taken, or moved: it is notified, its deadline is over
//!   (`deadline_ends_when_requeued`), and it goes on as above. So a notification is never used up by a thread that
//!   reports a timeout;
//! * is a task: see `future/mod.rs`. No thread that was moved relies on one;
//! * panics: before (1) nothing has happened. Afterwards no user code runs; what panics in a callback, or
//!   without the lock, aborts;
//! * forked: the child's table is empty. `WAITING` may be left over, and is corrected by the next notifier.
//!
//! # What memory may be gone
//!
//! A thread that was notified does not touch the condition variable again, and a notifier touches neither it
//! nor any lock or ticket after it has released the bucket locks: callbacks do, under them. So
//! either may be freed as soon as the last waiter is notified and no other notifier is under way: by the notifier,
//! or by a waiter.

use super::state::Word;
use crate::{
    parked::Parked,
    requeue::{Destination, Lock, Moving},
    task::is_task,
};
use core::ptr;
use parkade_core::{
    DEFAULT_UNPARK_TOKEN, FilterOp, Moment, ParkRequest, ParkResult, ParkToken, RequeueFilterOp,
    UnparkResult, UnparkToken,
    shim::{AbortOnUnwind, Cell},
};

/// How a waiter was taken off the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Woken {
    /// It has a turn with its lock.
    WithTurn,
    /// It has to lock as anybody.
    Alone,
}

/// What a waiter shows to notifiers. Access: under the bucket lock of the queue it is in; by its owner also
/// before it has parked and after it was unparked.
struct Ticket<'a> {
    destination: Option<&'a dyn Destination>,
    /// Who moves a thread need not write it: what it is told by its lock is a turn.
    woken: Cell<Woken>,
}

impl<'a> Ticket<'a> {
    fn new(lock: &'a impl Lock) -> Ticket<'a> {
        Ticket { destination: lock.destination(), woken: Cell::new(Woken::WithTurn) }
    }

    fn token(&self) -> ParkToken {
        ParkToken(ptr::from_ref(self).expose_provenance())
    }

    /// # Safety
    /// The token is that of a thread that waits in our queue, whose bucket lock the caller holds, or that
    /// was taken off it under this hold. Not of a task.
    unsafe fn of(token: ParkToken) -> &'a Ticket<'a> {
        // SAFETY: the ticket outlives its owner's stay in the queue, and the owner cannot leave while the
        // bucket lock is held; it is shared only.
        unsafe { &*ptr::with_exposed_provenance(token.0) }
    }

    fn destination_key(&self) -> Option<usize> {
        self.destination.map(Destination::key)
    }
}

/// Why a wait has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(loom, allow(unreachable_pub, reason = "the sealed trait of guards names it"))]
pub enum Ended {
    /// Somebody has notified the thread.
    Notified,
    /// Its deadline has passed before anybody did.
    TimedOut,
}

/// How many waiters a notification is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whom {
    /// The first.
    First,
    /// All who wait at this moment.
    All,
}

impl Whom {
    /// What tasks are told. (Threads need not know.) `All` is also what a task assumes that was one of many, and has not been
    /// able to read it ([`task::cancel`](crate::task::cancel)).
    const fn token(self) -> UnparkToken {
        match self {
            Whom::First => UnparkToken(1),
            Whom::All => DEFAULT_UNPARK_TOKEN,
        }
    }

    pub(super) fn of(token: UnparkToken) -> Whom {
        if token == Whom::First.token() { Whom::First } else { Whom::All }
    }
}

/// What a notifier has found, and not dealt with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// The first thread can be moved there.
    Destination(usize),
    /// Tasks are first, and the first thread, if there is one, cannot be moved.
    Tasks,
}

/// The byte under [`Condvar`](super::Condvar).
///
/// It has `lock_api`'s traits, so that `lock_api::Condvar<RawCondvar>` works with [`Mutex`](crate::Mutex). There are no
/// spurious wakeups, and the counts of notified threads are exact.
pub struct RawCondvar {
    word: Word,
}

impl RawCondvar {
    parkade_core::const_unless_loom! {
        pub(crate) fn new() -> RawCondvar {
            RawCondvar { word: Word::new() }
        }
    }

    /// For models: panics unless nobody waits.
    #[cfg(all(test, loom))]
    pub(super) fn check_rest(&self) {
        assert!(!self.word.has_waiters(), "left {self:?}");
    }

    pub(super) fn word(&self) -> &Word {
        &self.word
    }

    /// The address the table knows us by; only a number to it. In models, one beside: then our bucket is another
    /// than that of a lock.
    pub(super) fn key(&self) -> usize {
        ptr::from_ref(self).addr() + usize::from(cfg!(loom))
    }

    /// Waits with `lock`, which the caller holds, and holds again afterwards.
    #[track_caller]
    pub(crate) fn wait(&self, lock: &impl Lock, deadline: Option<Moment>) -> Ended {
        let conditions = lock.about_to_wait();
        let ticket = Ticket::new(lock);
        let request = ParkRequest::new(self.key())
            .token(ticket.token())
            .deadline(deadline)
            .deadline_ends_when_requeued()
            .polling_if_first();
        // SAFETY: the key is our own address; `release_to_wait` may be called in the midst of parking, and the
        // other callbacks only touch the word. The last runs only if we are still queued here.
        let result = unsafe {
            parkade_core::park_with(
                request,
                || {
                    self.word.publish(Parked::Some);
                    true
                },
                || lock.release_to_wait(conditions),
                |departure| self.word.publish(departure.have_more_threads.into()),
            )
        };
        // From here on we may be gone, if we were notified. And we do not have the lock: its guard must not be
        // dropped.
        let no_unwind = AbortOnUnwind("locking again after waiting for a Condvar panicked");
        match (result, ticket.destination) {
            (ParkResult::Unparked(_), Some(destination))
                if ticket.woken.get() == Woken::WithTurn =>
            {
                destination.take_turn();
            }
            _ => lock.acquire_again(),
        }
        no_unwind.disarm();
        match result {
            ParkResult::Unparked(_) => Ended::Notified,
            ParkResult::TimedOut | ParkResult::Invalid => Ended::TimedOut,
        }
    }

    /// Notifies the first in line; whether there was one.
    #[inline]
    pub(crate) fn notify_first(&self) -> bool {
        self.word.has_waiters() && self.notify(Whom::First) > 0
    }

    /// Notifies all who wait; how many.
    #[inline]
    pub(crate) fn notify_everybody(&self) -> usize {
        if self.word.has_waiters() { self.notify(Whom::All) } else { 0 }
    }

    #[cold]
    fn notify(&self, whom: Whom) -> usize {
        match self.notify_or_find_destination(whom) {
            Ok(notified) => notified,
            Err(Found::Destination(destination)) => self.notify_and_move(whom, destination),
            Err(Found::Tasks) => self.notify_all_alone(),
        }
    }

    /// Step (1): `Err` with the first thread's destination, if it has one and the notification is for it. Else notifies those
    /// it is for, unless tasks were passed over in search of a thread.
    fn notify_or_find_destination(&self, whom: Whom) -> Result<usize, Found> {
        let mut found = None;
        let mut first = true;
        let filter = |token| {
            let is_first = core::mem::take(&mut first);
            if !is_first && whom == Whom::First {
                return FilterOp::Stop;
            }
            if is_task(token) {
                if whom == Whom::All && (is_first || found == Some(Found::Tasks)) {
                    found = Some(Found::Tasks);
                    return FilterOp::Skip;
                }
                return FilterOp::Unpark;
            }
            // SAFETY: the filter runs under the bucket lock, for those who are queued; it is no task.
            let ticket = unsafe { Ticket::of(token) };
            if is_first || found == Some(Found::Tasks) {
                found = ticket.destination_key().map(Found::Destination).or(found);
            }
            if found.is_some() {
                return FilterOp::Stop;
            }
            ticket.woken.set(Woken::Alone);
            FilterOp::Unpark
        };
        let notified = self.take(filter, whom);
        found.map_or(Ok(notified), Err)
    }

    /// Step (2), if nobody is to be moved.
    #[cold]
    fn notify_all_alone(&self) -> usize {
        let filter = |token| {
            if !is_task(token) {
                // SAFETY: the filter runs under the bucket lock, for those who are queued; it is no task.
                unsafe { Ticket::of(token) }.woken.set(Woken::Alone);
            }
            FilterOp::Unpark
        };
        self.take(filter, Whom::All)
    }

    /// Notifies those whom `filter` picks, of those `whom` it is for.
    fn take(&self, filter: impl FnMut(ParkToken) -> FilterOp, whom: Whom) -> usize {
        let callback = |result: UnparkResult| {
            self.word.publish(result.have_more_threads.into());
            whom.token()
        };
        // SAFETY: the key is our own address; the callbacks touch the word and tickets.
        let result = unsafe { parkade_core::unpark_filter(self.key(), filter, callback) };
        result.unparked_threads + result.unparked_tasks
    }

    /// Step (2): notifies those it is for, and moves to the queue at `key` who waits with that lock.
    fn notify_and_move(&self, whom: Whom, key: usize) -> usize {
        let moving = Moving::new();
        let mut first = true;
        let filter = |token| {
            if !core::mem::take(&mut first) && whom == Whom::First {
                return RequeueFilterOp::Stop;
            }
            if is_task(token) {
                return RequeueFilterOp::Unpark;
            }
            // SAFETY: the filter runs under the bucket lock, for those who are queued; it is no task.
            let ticket = unsafe { Ticket::of(token) };
            let Some(lock) = ticket.destination.filter(|lock| lock.key() == key) else {
                ticket.woken.set(Woken::Alone);
                return RequeueFilterOp::Unpark;
            };
            moving.next(lock)
        };
        let callback = |result: UnparkResult| {
            self.word.publish(result.have_more_threads.into());
            moving.done(result);
            whom.token()
        };
        // SAFETY: the keys are our own address and that of the lock of somebody who waits with it; the
        // callbacks touch the words and tickets.
        let result =
            unsafe { parkade_core::unpark_requeue_filter(self.key(), key, filter, callback) };
        result.unparked_threads + result.unparked_tasks + result.requeued_threads
    }
}

// SAFETY: `wait` queues before it unlocks, so no notification after that misses it, and locks before it returns,
// with a guard that has no state. It does not unwind without the lock.
#[cfg(not(loom))]
unsafe impl lock_api::RawCondvar for RawCondvar {
    const INIT: RawCondvar = RawCondvar::new();
    type RawMutex = crate::RawMutex;

    #[inline]
    unsafe fn wait(&self, mutex: &crate::RawMutex, _: &mut crate::GuardMarker) {
        self.wait(mutex, None);
    }

    #[inline]
    fn notify_one(&self) -> bool {
        self.notify_first()
    }

    #[inline]
    fn notify_all(&self) -> usize {
        self.notify_everybody()
    }
}

// SAFETY: as above; deadlines are never made earlier.
#[cfg(not(loom))]
unsafe impl lock_api::RawCondvarTimed for RawCondvar {
    #[inline]
    fn checked_duration_to_instant(timeout: &std::time::Duration) -> Option<std::time::Instant> {
        std::time::Instant::now().checked_add(*timeout)
    }

    #[inline]
    unsafe fn wait_until(
        &self,
        mutex: &crate::RawMutex,
        _: &mut crate::GuardMarker,
        timeout: &std::time::Instant,
    ) -> bool {
        self.wait(mutex, Some(Moment::at(*timeout))) == Ended::TimedOut
    }
}

impl core::fmt::Debug for RawCondvar {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("RawCondvar").field(&self.word).finish()
    }
}
