//! Taking, giving back, waiting, closing.
//!
//! # Theory
//!
//! *Taking* permits that are there is K1; everything else is [`RawSemaphore::acquire_slow`]: poll for a
//! while, then queue and sleep. *Giving back* adds first (K3), and then, if threads are queued, *looks after the queue*
//! under the bucket lock ([`RawSemaphore::look_as`], K5). What a look does is the policy's affair:
//!
//! * first come, first served: it grants the first in line what they want, as long as it suffices, in the step in which
//!   it writes the word; a waiter that is woken *has* its permits. Nobody else takes any while somebody is queued, so
//!   permits that do not suffice for the first in line accumulate for it.
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
//! * parks again, designated: K4 clears `WAKING` in the step in which it sees too few permits. It is the first, so nobody
//!   else is to be woken, and the next release sees `PARKED` without `WAKING`;
//! * times out in the queue: a request for fewer may stand behind it: it looks, once it has left (K6), as it may not under
//!   the bucket lock;
//! * times out while designated: K7, a look which ends its own designation in the same step; and then it looks once more, as
//!   one that is designated no more: a release that came while K7 was under way has left the looking to it;
//! * its deadline passes after it was granted: it has its permits, and returns them to its caller;
//! * closed while queued: everybody is taken off the queue at once, and nobody queues afterwards (K9);
//! * closed while designated: the same has ended its designation. It leaves;
//! * permits are forgotten: nobody is better off;
//! * panics: no user code runs here; callbacks of the table abort;
//! * forked: the child's table is empty, and `PARKED`, `WAKING` and `CLAIM` may be leftovers. There, who finds
//!   a line first asks the table ([`RawSemaphore::repair`]), and so does a look: an empty queue clears all three. (A thread that is
//!   designated at that moment loses its claim, and claims anew.) `WAKING` is not trusted ([`needs_look`]), at the price of an extra wake now and then.
//!   Permits that other threads held, or were granted, do not come back in the child.
//!
//! # What may be gone
//!
//! A release that looks touches the semaphore after the permits are back. Whoever releases has it borrowed, by its
//! permit or otherwise, until it returns.

use super::state::{
    Attempt, Claim, Excess, Otherwise, Permits, Polling, Role, SemaphorePolicy, State, Waking, Word,
};
use core::cell::Cell;
use parkade_core::{
    DEFAULT_UNPARK_TOKEN, FilterOp, Moment, ParkRequest, ParkResult, ParkToken, Place,
    UnparkResult, UnparkToken, policy::Wait,
};

/// What a woken thread is told: that it has its permits.
const GRANTED: UnparkToken = UnparkToken(0);
/// That it is the designated one.
const DESIGNATED: UnparkToken = UnparkToken(1);
/// That the semaphore was closed.
const SHUT: UnparkToken = UnparkToken(2);

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

/// What a look has found to do so far.
#[derive(Default)]
struct Picked {
    permits: Cell<usize>,
    threads: Cell<usize>,
}

impl Picked {
    fn add(&self, want: usize) {
        self.permits.set(self.permits.get() + want);
        self.threads.set(self.threads.get() + 1);
    }
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

    #[cfg(test)]
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
    pub(crate) fn state(&self) -> State {
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
        self.look_if_needed(state);
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
    fn attempt(&self, want: Permits) -> Attempt {
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
            self.look_if_needed(state);
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
            self.look_as(Role::Designated);
            // What came back between the verdict on the first in line and the end of the designation has found it set.
            self.look_if_needed(self.state());
        }
        Ended::TimedOut
    }

    /// K4, and then sleeps, unless it need not.
    fn park(&self, waiter: &mut Waiter) -> Parking {
        let Waiter { want, role, claim, deadline, .. } = *waiter;
        let request = ParkRequest::new(self.key())
            .token(ParkToken(want.get()))
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
                || {},
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
                self.look_if_needed(self.state());
                Parking::Ended(Ended::TimedOut)
            }
        }
    }

    #[cold]
    fn release_slow(&self, permits: usize) {
        if let Some(state) = self.word.give(permits, Excess::Saturate) {
            self.look_if_needed(state);
        }
    }

    fn look_if_needed(&self, state: State) {
        if needs_look(state) {
            self.look_as(Role::Newcomer);
        }
    }

    /// In a forked child, where the line may be a leftover: it is one if nobody is queued. Wakes nobody: a newcomer has
    /// brought nothing.
    fn repair(&self) {
        if !forked() || !self.state().has_line() {
            return;
        }
        let callback = |result: UnparkResult| {
            let waking = waking_after(result, Role::Newcomer);
            self.word.settle(0, result.have_more_threads.into(), waking);
            DEFAULT_UNPARK_TOKEN
        };
        // SAFETY: the key is our own address; the callbacks only touch the word.
        unsafe { parkade_core::unpark_filter(self.key(), |_| FilterOp::Stop, callback) };
    }

    /// K5: looks after the queue. K7: so does the designated thread as it gives up.
    #[cold]
    pub(super) fn look_as(&self, role: Role) {
        let picked = Picked::default();
        let filter = |ParkToken(want)| {
            if !self.goes(want, &picked, role) {
                return FilterOp::Stop;
            }
            picked.add(want);
            FilterOp::Unpark
        };
        let callback = |result: UnparkResult| {
            let granted = picked.permits.get();
            let (granted, waking, token) = match self.state().policy() {
                SemaphorePolicy::Fifo => (granted, Waking::Keep, GRANTED),
                SemaphorePolicy::Barging => (0, waking_after(result, role), DESIGNATED),
            };
            self.word.settle(granted, result.have_more_threads.into(), waking);
            token
        };
        // SAFETY: the key is our own address; the callbacks only touch the word.
        unsafe { parkade_core::unpark_filter(self.key(), filter, callback) };
    }

    /// Whether the next in the queue, who wants so many, is taken off it: granted its permits, or made designated.
    fn goes(&self, want: usize, picked: &Picked, role: Role) -> bool {
        let state = self.state();
        match (state.policy(), role) {
            (SemaphorePolicy::Fifo, _) => want <= state.permits() - picked.permits.get(),
            (SemaphorePolicy::Barging, _) if picked.threads.get() > 0 => false,
            // What is set of WAKING and CLAIM is the leaver's own.
            (SemaphorePolicy::Barging, Role::Designated) => want <= state.permits(),
            (SemaphorePolicy::Barging, Role::Newcomer) => {
                may_wake(state) && (want <= state.permits() || !state.claim())
            }
        }
    }
}

/// What becomes of `WAKING` after a look, under barging.
fn waking_after(result: UnparkResult, by: Role) -> Waking {
    let nobody_is_left = result.unparked_threads == 0 && !result.have_more_threads;
    match by {
        Role::Designated if result.unparked_threads > 0 => Waking::Pass,
        Role::Newcomer if result.unparked_threads > 0 => Waking::Set,
        Role::Designated => Waking::Resign,
        // There, bits that speak of a line may be leftovers.
        Role::Newcomer if forked() && nobody_is_left => Waking::Resign,
        Role::Newcomer => Waking::Keep,
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
