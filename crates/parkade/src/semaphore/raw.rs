//! Taking, giving back, waiting, closing.
//!
//! # Theory
//!
//! *Taking* permits that are there is K1; everything else is [`RawSemaphore::acquire_slow`]: poll for a
//! while, then queue and sleep. *Giving back* adds first (K3), and then, if threads are queued, *looks after the queue*
//! under the bucket lock ([`RawSemaphore::look_as`], K5). What a look does is the policy's affair:
//!
//! * first come, first served: it grants the first in line what they want, as long as it suffices; a thread that is woken so *has* its
//!   permits. Nobody else takes any while somebody is queued, so
//!   permits that do not suffice for the first in line accumulate for it. A task is not granted anything, because it may never be polled
//!   (`task/mod.rs`): if one is the first in line, tasks for which what has come suffices are woken, in their order (`call.rs`), and the first thread
//!   behind them, and all of these compete. That thread is *designated* too, as under barging, but no bit says so: it may take permits though others are
//!   queued, parks again at the front, and passes on what it does not use.
//! * barging: it wakes the first in line, which competes as the designated thread; if it loses it parks again, at the
//!   front. While one is up (`WAKING`), looks do nothing. The first is woken though its request does not fit,
//!   because it is the one that knows how long it has been overtaken: after the fair interval it sets `CLAIM` (K8), and
//!   newcomers queue. From then on permits accumulate for it, and it is woken only when they suffice.
//!
//! # Who wakes the next, by exit
//!
//! The rule: whoever has added permits, or has left the line in any way, looks after the queue if somebody is in it
//! (and, having only left, if there are permits at all).
//!
//! * granted (first come, first served): the look that granted went on to the next, as long as there was enough;
//! * acquired by itself, designated: K1 or K4 clears `WAKING` and `CLAIM`, and what was given back since it was woken
//!   has woken nobody: it looks;
//! * acquired by itself, newcomer: it has only taken; whom the rest does not suffice for is no worse off;
//! * parks, first come, first served, while there are permits: it stands behind others, who may be tasks that nobody polls. It looks
//!   once it is queued, and if there are tasks alone before it, the first of which could be served, it is woken to compete;
//! * parks again, designated: K4 clears `WAKING` in the step in which it sees too few permits. It is the first, so nobody
//!   else is to be woken, and the next release sees `PARKED` without `WAKING`;
//! * times out in the queue: a request for fewer may stand behind it: it looks, once it has left (K6), as it may not under
//!   the bucket lock;
//! * times out while designated: K7, a look which ends its own designation in the same step; and then it looks once more, as
//!   one that is designated no more: a release that came while K7 was under way has left the looking to it;
//! * its deadline passes after it was granted: it has its permits, and returns them to its caller;
//! * is a task: `future/mod.rs`;
//! * closed while queued: everybody is taken off the queue at once, and nobody queues afterwards (K9);
//! * closed while designated: the same has ended its designation. It leaves;
//! * permits are forgotten: nobody is better off;
//! * panics, as wakers of tasks may that a look wakes: the look is over then. A release has given back before it; a thread that has just
//!   acquired gives back what it would return to nobody; one that gives up looks once more all the same;
//! * forked: the child's table is empty, and `PARKED`, `WAKING` and `CLAIM` may be leftovers. There, who finds
//!   a line first asks the table ([`RawSemaphore::repair`]), and so does a look: an empty queue clears all three. (A thread that is
//!   designated at that moment loses its claim, and claims anew.) `WAKING` is not trusted ([`needs_look`]), at the price of an extra wake now and then.
//!   Permits that other threads held, or were granted, do not come back in the child.
//!
//! # What may be gone
//!
//! A release that looks touches the semaphore after the permits are back. Whoever releases has it borrowed, by its
//! permit or otherwise, until it returns.

use super::call::Call;
use super::state::{
    Attempt, Claim, Excess, Otherwise, Permits, Polling, Role, SemaphorePolicy, State, Waking, Word,
};
use crate::task::{Panicked, is_task};
use parkade_core::{
    DEFAULT_UNPARK_TOKEN, FilterOp, Moment, ParkRequest, ParkResult, ParkToken, Place,
    UnparkResult, UnparkToken, policy::Wait,
};

/// What a woken thread is told: that it has its permits.
const GRANTED: UnparkToken = UnparkToken(0);
/// That it competes: under barging it is the designated one.
const DESIGNATED: UnparkToken = UnparkToken(1);
/// That the semaphore was closed.
pub(super) const SHUT: UnparkToken = UnparkToken(2);

/// How an attempt that may wait ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Ended {
    Acquired,
    Closed,
    TimedOut,
}

/// How one that does not wait ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Tried {
    Acquired,
    Closed,
    Short,
}

/// There would be more permits than fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Overflow;

/// Whether this process is a forked child, where `PARKED`, `WAKING` and `CLAIM` may be leftovers.
fn forked() -> bool {
    parkade_core::fork_generation() != 0
}

/// Whether the head of the queue may be woken: nobody is on its way, as far as that can be trusted.
fn may_wake(state: State) -> bool {
    !state.waking() || forked()
}

/// Whether somebody is queued for whom the permits might suffice, and nobody is on its way.
fn needs_look(state: State) -> bool {
    state.parked() && state.permits() > 0 && may_wake(state)
}

/// The state of one attempt that has to wait.
struct Waiter {
    want: Permits,
    wait: Wait,
    role: Role,
    claim: Claim,
    deadline: Option<Moment>,
}

/// What somebody who wants so many shows to a look; tasks set [`TASK`](crate::task::TASK) as well.
pub(super) const fn park_token(want: Permits) -> ParkToken {
    ParkToken(want.get() << 1)
}

fn wanted(ParkToken(shown): ParkToken) -> usize {
    shown >> 1
}

/// The word under [`Semaphore`](super::Semaphore).
pub(crate) struct RawSemaphore {
    word: Word,
}

impl RawSemaphore {
    parkade_core::const_unless_loom! {
        pub(crate) fn new(permits: Permits, policy: SemaphorePolicy) -> RawSemaphore {
            RawSemaphore { word: Word::new(permits, policy) }
        }
    }

    pub(super) fn word(&self) -> &Word {
        &self.word
    }

    /// For models, where a deadline cannot pass while a thread is awake: for one whose deadline passes just after it was
    /// woken in vain.
    #[cfg(all(test, loom))]
    pub(super) fn acquire_or_give_up_once_woken(&self, want: Permits) -> Ended {
        let mut waiter = self.newcomer(want, None);
        loop {
            match self.word.attempt(want, waiter.role, Otherwise::Leave) {
                Attempt::Taken(state) => return self.acquired(waiter, state),
                Attempt::Closed => return Ended::Closed,
                Attempt::Short(_) => {}
            }
            self.claim_if_overtaken(&mut waiter);
            if waiter.role == Role::Designated {
                return self.give_up(&waiter);
            }
            match self.park(&mut waiter) {
                Parking::Attempted(Attempt::Taken(state)) => return self.acquired(waiter, state),
                Parking::Attempted(_) | Parking::Woken => {}
                Parking::Ended(ended) => return ended,
            }
        }
    }

    pub(super) fn key(&self) -> usize {
        core::ptr::from_ref(self).addr()
    }

    #[inline]
    pub(super) fn state(&self) -> State {
        self.word.state()
    }

    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        self.word.is_closed()
    }

    /// Takes permits, waiting for them if need be; until the deadline that `deadline` computes if we have to wait at all.
    #[inline]
    pub(crate) fn acquire(
        &self,
        want: Permits,
        deadline: impl FnOnce() -> Option<Moment>,
    ) -> Ended {
        if self.word.try_take(want) { Ended::Acquired } else { self.acquire_slow(want, deadline()) }
    }

    #[inline]
    pub(crate) fn try_acquire(&self, want: Permits) -> Tried {
        if self.word.try_take(want) { Tried::Acquired } else { self.try_acquire_slow(want) }
    }

    /// Gives permits back that were taken or granted.
    #[inline]
    pub(crate) fn release(&self, permits: usize) {
        if !self.word.try_give(permits) {
            self.release_slow(permits);
        }
    }

    /// Adds permits, or none if they would be too many.
    pub(crate) fn add(&self, permits: usize) -> Result<(), Overflow> {
        let state = self.word.give(permits, Excess::Refuse).ok_or(Overflow)?;
        self.look_if_needed(state, Call::with_news(permits));
        Ok(())
    }

    /// K10.
    pub(crate) fn forget(&self, permits: usize) -> usize {
        let mut forgotten = 0;
        let callback = |_: UnparkResult| {
            forgotten = self.word.forget(permits);
            DEFAULT_UNPARK_TOKEN
        };
        // SAFETY: the key is our own address; the callbacks only touch the word.
        unsafe { parkade_core::unpark_filter(self.key(), |_| FilterOp::Stop, callback) };
        forgotten
    }

    /// K9: nobody gets permits any more.
    pub(crate) fn close(&self) {
        let callback = |_: UnparkResult| {
            self.word.close();
            SHUT
        };
        // SAFETY: the key is our own address; the callbacks only touch the word.
        unsafe { parkade_core::unpark_filter(self.key(), |_| FilterOp::Unpark, callback) };
    }

    #[cold]
    fn try_acquire_slow(&self, want: Permits) -> Tried {
        match self.attempt(want) {
            Attempt::Taken(_) => Tried::Acquired,
            Attempt::Short(_) => Tried::Short,
            Attempt::Closed => Tried::Closed,
        }
    }

    /// A newcomer's attempt.
    pub(super) fn attempt(&self, want: Permits) -> Attempt {
        self.repair();
        if want.get() > 0 {
            self.word.attempt(want, Role::Newcomer, Otherwise::Leave)
        } else if self.is_closed() {
            Attempt::Closed
        } else {
            Attempt::Taken(self.state())
        }
    }

    #[cold]
    fn acquire_slow(&self, want: Permits, deadline: Option<Moment>) -> Ended {
        self.wait(self.newcomer(want, deadline), self.attempt(want))
    }

    fn newcomer(&self, want: Permits, deadline: Option<Moment>) -> Waiter {
        let wait = Wait::begin(self.key(), deadline);
        Waiter { want, wait, role: Role::Newcomer, claim: Claim::None, deadline }
    }

    fn wait(&self, mut waiter: Waiter, mut attempt: Attempt) -> Ended {
        loop {
            let polling = match attempt {
                Attempt::Taken(state) => return self.acquired(waiter, state),
                Attempt::Closed => return Ended::Closed,
                Attempt::Short(polling) => polling,
            };
            if polling == Polling::Vain || !waiter.wait.poll_again() {
                self.claim_if_overtaken(&mut waiter);
                if waiter.deadline.is_some_and(|deadline| Moment::now() >= deadline) {
                    return self.give_up(&waiter);
                }
                match self.park(&mut waiter) {
                    Parking::Attempted(made) => {
                        attempt = made;
                        continue;
                    }
                    Parking::Woken => {}
                    Parking::Ended(ended) => return ended,
                }
            }
            attempt = self.word.attempt(waiter.want, waiter.role, Otherwise::Leave);
        }
    }

    /// What a thread that took its permits by the slow path owes to others.
    fn acquired(&self, mut waiter: Waiter, state: State) -> Ended {
        waiter.wait.acquired();
        if waiter.role == Role::Designated {
            let panicked = Panicked::catch(|| self.look_if_needed(state, Call::with_all()));
            if panicked.has() {
                // Who unwinds returns no permits.
                self.release_slow(waiter.want.get());
            }
            panicked.resume();
        }
        Ended::Acquired
    }

    /// K8.
    fn claim_if_overtaken(&self, waiter: &mut Waiter) {
        if waiter.role == Role::Designated && !self.state().claim() && waiter.wait.may_claim() {
            self.word.claim();
            waiter.claim = Claim::Ours;
        }
    }

    /// A thread that is awake gives up.
    fn give_up(&self, waiter: &Waiter) -> Ended {
        if waiter.role == Role::Designated {
            let panicked = Panicked::catch(|| self.look_as(Role::Designated, Call::with_all()));
            // What came back between the verdict on the first in line and the end of the designation has found it set.
            self.look_if_needed(self.state(), Call::with_all());
            panicked.resume();
        }
        Ended::TimedOut
    }

    /// K4, and then sleeps, unless it need not.
    fn park(&self, waiter: &mut Waiter) -> Parking {
        let Waiter { want, role, claim, deadline, .. } = *waiter;
        let request = ParkRequest::new(self.key())
            .token(park_token(want))
            .since(waiter.wait.queueing())
            .place(if role == Role::Designated { Place::Front } else { Place::Back })
            .deadline(deadline);
        let mut attempt = Attempt::Short(Polling::Pays);
        let validate = || {
            attempt = self.word.attempt(want, role, Otherwise::Queue);
            matches!(attempt, Attempt::Short(_))
        };
        // SAFETY: the key is our own address; the callbacks only touch the word.
        let result = unsafe {
            parkade_core::park_with(
                request,
                validate,
                || self.look_behind_tasks(),
                |departure| self.word.depart(departure.have_more_threads.into(), claim),
            )
        };
        match result {
            ParkResult::Invalid => Parking::Attempted(attempt),
            ParkResult::Unparked(GRANTED) => Parking::Ended(Ended::Acquired),
            ParkResult::Unparked(SHUT) => Parking::Ended(Ended::Closed),
            ParkResult::Unparked(_) => {
                waiter.role = Role::Designated;
                waiter.wait.woken();
                Parking::Woken
            }
            ParkResult::TimedOut => {
                self.look_after_leaving(want);
                Parking::Ended(Ended::TimedOut)
            }
        }
    }

    #[cold]
    fn release_slow(&self, permits: usize) {
        if let Some(state) = self.word.give(permits, Excess::Saturate) {
            self.look_if_needed(state, Call::with_news(permits));
        }
    }

    /// For a thread that has just queued, first come, first served: those before it may be tasks that were woken, or are not
    /// polled. (Under barging it has tried, and who is first is no reason to wait. It would wake itself.) Wakes no task: a
    /// waker may panic, which a thread that parks must not.
    fn look_behind_tasks(&self) {
        let state = self.state();
        if state.policy() == SemaphorePolicy::Fifo {
            self.look_if_needed(state, Call::threads());
        }
    }

    /// For who has left the queue by itself, and wanted so many. What may have accumulated for it was less.
    pub(super) fn look_after_leaving(&self, want: Permits) {
        self.look_if_needed(self.state(), Call::with_news(want.get() - 1));
    }

    pub(super) fn look_if_needed(&self, state: State, call: Call) {
        if needs_look(state) {
            self.look_as(Role::Newcomer, call);
        }
    }

    /// In a forked child, where the line may be a leftover: it is one if nobody is queued. Wakes nobody: a newcomer has
    /// brought nothing.
    pub(super) fn repair(&self) {
        if !forked() || !self.state().has_line() {
            return;
        }
        let callback = |result: UnparkResult| {
            let waking = waking_after(result, Role::Newcomer);
            self.word.settle(result.have_more_threads.into(), waking);
            DEFAULT_UNPARK_TOKEN
        };
        // SAFETY: the key is our own address; the callbacks only touch the word.
        unsafe { parkade_core::unpark_filter(self.key(), |_| FilterOp::Stop, callback) };
    }

    /// K5: looks after the queue. K7: so does the designated thread as it gives up.
    #[cold]
    pub(super) fn look_as(&self, role: Role, call: Call) {
        match self.state().policy() {
            SemaphorePolicy::Barging => self.call_first(role, call),
            SemaphorePolicy::Fifo => {
                if self.grant() == Next::Task {
                    self.call_tasks(call);
                }
            }
        }
    }

    /// Takes off the queue whom `filter` picks, and brings the word in line; `waking` says what becomes of `WAKING`.
    fn take(
        &self,
        filter: impl FnMut(ParkToken) -> FilterOp,
        waking: impl FnOnce(UnparkResult) -> Waking,
        token: UnparkToken,
    ) {
        let callback = |result: UnparkResult| {
            self.word.settle(result.have_more_threads.into(), waking(result));
            token
        };
        // SAFETY: the key is our own address; the callbacks only touch the word.
        unsafe { parkade_core::unpark_filter(self.key(), filter, callback) };
    }

    /// Under barging: wakes the first in line, to compete; if tasks are, those for whom permits suffice, and the first thread.
    fn call_first(&self, role: Role, mut call: Call) {
        let filter = |token| {
            let (state, want) = (self.state(), wanted(token));
            // What is set of WAKING and CLAIM is the leaver's own.
            let is_leaver = role == Role::Designated;
            if call.is_over() || !(is_leaver || may_wake(state)) {
                return FilterOp::Stop;
            }
            let fits = want <= state.permits();
            // A task never claims, so it need not know how long it is overtaken.
            match is_task(token) {
                // It would be kept back.
                true if state.claim() && !is_leaver => FilterOp::Skip,
                true => call.task_barging(want, state.permits()),
                false if fits || !(is_leaver || state.claim()) => call.thread(),
                false => FilterOp::Stop,
            }
        };
        self.take(filter, |result| waking_after(result, role), DESIGNATED);
    }

    /// First come, first served: grants threads what they want, as long as it suffices and no task is before them.
    fn grant(&self) -> Next {
        let mut next = Next::Nobody;
        let filter = |token| {
            if is_task(token) {
                next = Next::Task;
                return FilterOp::Stop;
            }
            let want = Permits::new(wanted(token)).expect("asked for by a permit's worth");
            if self.word.try_grant(want) { FilterOp::Unpark } else { FilterOp::Stop }
        };
        self.take(filter, |_| Waking::Keep, GRANTED);
        next
    }

    /// First come, first served, with a task at the front: wakes tasks for which permits suffice, in their order, and the first
    /// thread behind them, which does not rely on them: all compete.
    fn call_tasks(&self, mut call: Call) {
        let filter = |token| {
            let (permits, want) = (self.state().permits(), wanted(token));
            match is_task(token) {
                _ if call.is_over() => FilterOp::Stop,
                true => call.task_in_order(want, permits),
                // It may be that those before it do not come.
                false if want <= permits => call.thread(),
                false => FilterOp::Stop,
            }
        };
        self.take(filter, |_| Waking::Keep, DESIGNATED);
    }
}

/// Who is first in line after threads have been granted what they want.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// Nobody whom this look concerns.
    Nobody,
    Task,
}

/// What becomes of `WAKING` after a look, under barging.
fn waking_after(result: UnparkResult, by: Role) -> Waking {
    let nobody_is_left =
        result.unparked_threads + result.unparked_tasks == 0 && !result.have_more_threads;
    match by {
        Role::Designated if result.unparked_threads > 0 => Waking::Pass,
        Role::Newcomer | Role::Task if result.unparked_threads > 0 => Waking::Set,
        Role::Designated => Waking::Resign,
        // There, bits that speak of a line may be leftovers.
        Role::Newcomer if forked() && nobody_is_left => Waking::Resign,
        Role::Newcomer | Role::Task => Waking::Keep,
    }
}

/// What came of an attempt to park.
enum Parking {
    /// It did not, because of this.
    Attempted(Attempt),
    /// It was woken, and competes.
    Woken,
    /// It need not try again.
    Ended(Ended),
}

impl core::fmt::Debug for RawSemaphore {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("RawSemaphore").field(&self.word).finish()
    }
}
