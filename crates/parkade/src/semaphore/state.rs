//! The word of a [`Semaphore`](super::Semaphore).
//!
//! # Layout
//!
//! One `usize`: five bits, and the number of available permits above them.
//!
//! | bit | meaning |
//! |---|---|
//! | `PARKED` 1 | threads are queued |
//! | `CLOSED` 2 | nobody gets permits any more |
//! | `BARGING` 4 | the policy: newcomers may overtake who is queued. Never changes |
//! | `WAKING` 8 | barging only: one thread, the *designated* one, was taken off the queue and is up |
//! | `CLAIM` 16 | barging only: the first in line asks that newcomers queue |
//!
//! # Legal words
//!
//! `CLOSED` excludes `PARKED`, `WAKING` and `CLAIM`. `WAKING` and `CLAIM` imply `BARGING`. `CLAIM` implies a
//! claimer: the designated thread (`WAKING`), or the first of the queue (`PARKED`).
//!
//! # Bit laws
//!
//! * Permits: taken by whoever may (K1, K4), granted by whoever looks after the queue (K5), given back and
//!   added by anybody (K3), forgotten under the bucket lock (K10). Exact, up to [`MAX_PERMITS`]: what would
//!   be more is refused, or lost if it was held ([`Excess`]).
//! * First come, first served: while `PARKED` is set permits are added freely, but leave only under the bucket
//!   lock, to the first in line (K5), or forgotten; or to who has been in line: tasks, and threads that were behind one (K1).
//! * `PARKED`: equals "the queue is not empty" whenever no bucket lock is held. Written only under
//!   the bucket lock, from the queue itself or as threads join it.
//! * `WAKING`: set under the bucket lock by whoever takes a thread off the queue; cleared by that
//!   thread alone: when it takes its permits (K1, K4), parks again (K4) or gives up (K7); or by whoever closes.
//! * `CLAIM`: set by the designated thread (K8); cleared by the claimer: when it takes its permits, or
//!   leaves under the bucket lock (K6, K7); or by whoever closes. Survives its parking again.
//! * `CLOSED`: set once, under the bucket lock. Nobody queues afterwards.
//!
//! # Transitions
//!
//! [`TRANSITIONS`] lists them; a test walks every legal word through each.
//!
//! # Ordering
//!
//! * *Data*: who gets permits sees what was done before those came back. K3 releases; K1 and K4 acquire. A waiter that
//!   is granted permits did not touch the word: K5 acquires for it what all the releases up to then have
//!   published, of whom only one may have come to the bucket, and the wake carries it on (the table's edges N1, N2). Every change of the word
//!   is a read-modify-write, so each acquires from every K3 before it.
//! * *No lost wake*: permits and bits are one word. A parker sets `PARKED` in the step in which it sees too
//!   few permits (K4); a release adds them and sees `PARKED` in one step (K3). Whichever comes second sees the other.
//! * *Closing* publishes too (K9, K11), for who wants to say why. Those who were queued learn of it from the
//!   closer's wake.
//! * Everything else is under the bucket lock, or concerns bits of one writer.
//!
//! # Rejected
//!
//! * `fetch_add` to give permits back: one instruction instead of a loop, but the sum could exceed the field before
//!   anybody can tell.
//! * To give back under the bucket lock while `PARKED` is set (first come, first served): the grant would need no
//!   acquire, but there would be two ways to give, and `available_permits` would not know of those on their way.
//! * To wake the first in line only when it fits, under barging: one that wants many would sleep through all that
//!   overtake it, never know for how long, and never claim.
//! * A word of its own for the number that the first in line wants, so that releases which do not suffice need
//!   not take the bucket lock: twice the size.
#![forbid(unsafe_code)]

use super::edges::{K1, K3, K4, K5, K9, K11};
use crate::parked::Parked;
#[cfg(test)]
use crate::transition::{Transition, row};
use core::fmt;
use parkade_core::shim::{
    AtomicUsize,
    Ordering::{self, Relaxed},
};

const PARKED: usize = 1;
const CLOSED: usize = 2;
const BARGING: usize = 4;
const WAKING: usize = 8;
const CLAIM: usize = 16;
const SHIFT: u32 = 5;

/// How many permits there can be.
pub(super) const MAX_PERMITS: usize = usize::MAX >> SHIFT;

/// Every change of the word. `id` is what comments and models cite.
#[cfg(test)]
pub(super) const TRANSITIONS: &[Transition] = &[
    row(
        "K1",
        "permits - n; -WAKING -CLAIM if designated",
        "whoever may; Acquire",
        "semaphore_excludes, semaphore_barging",
    ),
    row("K3", "permits + n", "anybody; Release", "semaphore_excludes"),
    row(
        "K4",
        "+PARKED, -WAKING if designated; or as K1",
        "a parker, under the bucket lock; Acquire",
        "semaphore_excludes, semaphore_barging",
    ),
    row(
        "K5",
        "permits - granted; PARKED as the queue is, +WAKING or -WAKING -CLAIM",
        "whoever looks after the queue, under the bucket lock; Acquire",
        "semaphore_grants, semaphore_barging",
    ),
    row(
        "K6",
        "PARKED as the queue is, -CLAIM if it is ours",
        "a waiter that times out in the queue, under the bucket lock",
        "semaphore_departs, semaphore_barging_departs",
    ),
    row(
        "K7",
        "K5, -CLAIM",
        "the designated thread that gives up, under the bucket lock",
        "semaphore_designated_gives_up, semaphore_release_races_giving_up",
    ),
    row("K8", "+CLAIM, if WAKING", "the designated thread", "semaphore_claim"),
    row(
        "K9",
        "+CLOSED -PARKED -WAKING -CLAIM",
        "anybody, under the bucket lock; Release",
        "semaphore_closes",
    ),
    row("K10", "permits - n or all", "anybody, under the bucket lock", "semaphore_forgets"),
    row("K11", "CLOSED, unchanged", "anybody; Acquire", "semaphore_closed"),
];

/// Who gets permits first when several threads want them; fixed when a [`Semaphore`](super::Semaphore) is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum SemaphorePolicy {
    /// First come, first served: nobody gets permits while another is queued. A request for many
    /// holds up all requests behind it, also those that could be served, until it is served itself.
    /// Tasks take their permits when they are polled, which may be late: see [`acquire_async`](super::Semaphore::acquire_async).
    #[default]
    Fifo,
    /// Whoever comes by takes permits that are there, though others are queued: more throughput where permits are
    /// held for short times. The first in line, once it was woken in vain, is overtaken for at most
    /// [`tuning::fair_interval`](crate::tuning::fair_interval); at the next race that it loses it makes
    /// newcomers queue until it is served.
    Barging,
}

/// As many permits as a semaphore can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Permits(usize);

impl Permits {
    #[inline(always)]
    pub(super) const fn new(permits: usize) -> Option<Permits> {
        if permits <= MAX_PERMITS { Some(Permits(permits)) } else { None }
    }

    #[inline(always)]
    pub(super) const fn get(self) -> usize {
        self.0
    }

    #[inline(always)]
    const fn bits(self) -> usize {
        self.0 << SHIFT
    }
}

/// Whether a thread may overtake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It has not been taken off the queue, or has settled since.
    Newcomer,
    /// It was taken off the queue with `WAKING` and has not got its permits, parked again or left. First come, first served:
    /// it was taken off it without permits, and without `WAKING`, because a task was before it.
    Designated,
    /// A task that was taken off the queue: no bit speaks of it.
    Task,
}

/// Whether a waiter has set `CLAIM`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    None,
    Ours,
}

/// What becomes of `WAKING`, for [`Word::settle`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waking {
    /// Nothing.
    Keep,
    /// A thread was taken off the queue and is designated now.
    Set,
    /// The designated thread makes another its successor; its claim ends.
    Pass,
    /// Nobody is designated; a claim goes with it.
    Resign,
}

/// What becomes of permits beyond [`MAX_PERMITS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Excess {
    /// They are lost: whoever gives back cannot be refused.
    Saturate,
    /// Nothing is added.
    Refuse,
}

/// What a thread does if it cannot have its permits, for [`Word::attempt`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Otherwise {
    /// It goes away.
    Leave,
    /// It queues. It holds the bucket lock, and queues before it releases that.
    Queue,
}

/// Whether it may help to look again soon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Polling {
    Pays,
    /// Others are first.
    Vain,
}

/// What came of an attempt to take permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(super) enum Attempt {
    /// They are the caller's; the word as it is now.
    Taken(State),
    /// There are too few, or others are first.
    Short(Polling),
    Closed,
}

/// A snapshot of the word.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct State(usize);

impl State {
    #[inline(always)]
    pub(super) const fn permits(self) -> usize {
        self.0 >> SHIFT
    }
    #[inline(always)]
    pub(super) const fn parked(self) -> bool {
        self.0 & PARKED != 0
    }
    pub(super) const fn closed(self) -> bool {
        self.0 & CLOSED != 0
    }
    pub(super) const fn waking(self) -> bool {
        self.0 & WAKING != 0
    }
    pub(super) const fn claim(self) -> bool {
        self.0 & CLAIM != 0
    }
    pub(super) const fn policy(self) -> SemaphorePolicy {
        if self.0 & BARGING != 0 { SemaphorePolicy::Barging } else { SemaphorePolicy::Fifo }
    }
    /// Somebody is queued, or up and first in line.
    pub(super) const fn has_line(self) -> bool {
        self.0 & (PARKED | WAKING) != 0
    }

    /// Whether somebody has precedence over a thread in this role.
    const fn others_are_first(self, role: Role) -> bool {
        match (role, self.policy()) {
            (Role::Designated, _) | (Role::Task, SemaphorePolicy::Fifo) => false,
            (Role::Newcomer, SemaphorePolicy::Fifo) => self.parked(),
            (Role::Newcomer | Role::Task, SemaphorePolicy::Barging) => self.claim(),
        }
    }

    /// The word after a thread in this role has taken its permits, if it may.
    const fn taken(self, want: Permits, role: Role) -> Option<State> {
        if self.others_are_first(role) || self.permits() < want.get() {
            return None;
        }
        Some(State(self.without_role(role, WAKING | CLAIM).0 - want.bits()))
    }

    /// The word after a thread in this role has queued.
    const fn queued(self, role: Role) -> State {
        State(self.without_role(role, WAKING).0 | PARKED)
    }

    const fn without_role(self, role: Role, bits: usize) -> State {
        match role {
            Role::Newcomer | Role::Task => self,
            Role::Designated => State(self.0 & !bits),
        }
    }

    /// Whether the bits agree with each other ("Legal words").
    #[cfg(test)]
    pub(super) fn is_legal(self) -> bool {
        let line = self.has_line() || self.claim();
        let barging = self.policy() == SemaphorePolicy::Barging;
        (!self.closed() || !line)
            && (barging || !self.waking() && !self.claim())
            && (!self.claim() || self.has_line())
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [(usize, &str); 5] = [
            (PARKED, "PARKED"),
            (CLOSED, "CLOSED"),
            (BARGING, "BARGING"),
            (WAKING, "WAKING"),
            (CLAIM, "CLAIM"),
        ];
        write!(f, "{} ", self.permits())?;
        let set = NAMES.iter().filter(|(bit, _)| self.0 & bit != 0).map(|(_, name)| name);
        f.debug_set().entries(set).finish()
    }
}

/// The word.
pub(super) struct Word(AtomicUsize);

impl Word {
    parkade_core::const_unless_loom! {
        pub(super) fn new(permits: Permits, policy: SemaphorePolicy) -> Word {
            let policy = match policy {
                SemaphorePolicy::Fifo => 0,
                SemaphorePolicy::Barging => BARGING,
            };
            Word(AtomicUsize::new(permits.bits() | policy))
        }
    }

    /// For tests: any word at all.
    #[cfg(all(test, not(loom)))]
    pub(super) fn of(word: usize) -> Word {
        Word(AtomicUsize::new(word))
    }

    /// For tests: all of it.
    #[cfg(all(test, not(loom)))]
    pub(super) fn bits(&self) -> usize {
        self.0.load(Relaxed)
    }

    #[inline(always)]
    pub(super) fn state(&self) -> State {
        State(self.0.load(Relaxed))
    }

    /// K11.
    #[inline(always)]
    pub(super) fn is_closed(&self) -> bool {
        State(self.0.load(K11.get())).closed()
    }

    /// K1 for a newcomer while nobody is queued; one try. May fail though there are permits.
    #[inline(always)]
    #[must_use]
    pub(super) fn try_take(&self, want: Permits) -> bool {
        let word = self.0.load(Relaxed);
        // The bits are below the permits, so they do not matter in the second comparison.
        word & (PARKED | CLOSED | CLAIM) == 0
            && word >= want.bits()
            && self.0.compare_exchange(word, word - want.bits(), K1.get(), Relaxed).is_ok()
    }

    /// K1, or what comes `otherwise`: K4. Under the bucket lock K4 is the one or the other in one step.
    pub(super) fn attempt(&self, want: Permits, role: Role, otherwise: Otherwise) -> Attempt {
        let acquire = match otherwise {
            Otherwise::Leave => K1,
            Otherwise::Queue => K4,
        };
        let mut state = self.state();
        loop {
            if state.closed() {
                let closed = self.is_closed();
                debug_assert!(closed, "a semaphore is not opened again");
                return Attempt::Closed;
            }
            let vain = if state.others_are_first(role) { Polling::Vain } else { Polling::Pays };
            let (next, order, attempt) = match (state.taken(want, role), otherwise) {
                (Some(next), _) => (next, acquire.get(), Attempt::Taken(next)),
                (None, Otherwise::Queue) => (state.queued(role), Relaxed, Attempt::Short(vain)),
                (None, Otherwise::Leave) => return Attempt::Short(vain),
            };
            match self.0.compare_exchange_weak(state.0, next.0, order, Relaxed) {
                Ok(_) => return attempt,
                Err(now) => state = State(now),
            }
        }
    }

    /// K4 for a task, which takes nothing here: whether it is to queue. The caller holds the bucket lock, and queues it before it
    /// releases that.
    #[must_use]
    pub(super) fn try_queue(&self, want: Permits, role: Role) -> bool {
        let queue = |state: State| {
            let waits = !state.closed() && state.taken(want, role).is_none();
            waits.then(|| state.queued(role))
        };
        self.update(Relaxed, queue).is_some()
    }

    /// K3 while nobody is queued; one try.
    #[inline(always)]
    #[must_use]
    pub(super) fn try_give(&self, permits: usize) -> bool {
        let word = self.0.load(Relaxed);
        word & PARKED == 0
            && permits <= MAX_PERMITS - State(word).permits()
            && self.0.compare_exchange(word, word + (permits << SHIFT), K3.get(), Relaxed).is_ok()
    }

    /// K3. The word as it is now, or `None` if that was refused.
    pub(super) fn give(&self, permits: usize, excess: Excess) -> Option<State> {
        let add = |state: State| {
            let room = MAX_PERMITS - state.permits();
            let added = match excess {
                Excess::Refuse if permits > room => return None,
                Excess::Refuse | Excess::Saturate => permits.min(room),
            };
            Some(State(state.0 + (added << SHIFT)))
        };
        self.update(K3.get(), add)
    }

    /// K5: takes permits for the next in line, a thread that is being taken off the queue, if they suffice. The caller
    /// holds the bucket lock, and looks before it asks.
    #[must_use]
    pub(super) fn try_grant(&self, want: Permits) -> bool {
        let grant =
            |state: State| (state.permits() >= want.get()).then(|| State(state.0 - want.bits()));
        self.update(K5.get(), grant).is_some()
    }

    /// K5, K7: writes the queue as it is after somebody was taken off it. The caller holds the bucket lock.
    pub(super) fn settle(&self, parked: Parked, waking: Waking) {
        self.change(K5.get(), |State(word)| {
            let word = with_parked(word, parked);
            match waking {
                Waking::Keep => word,
                Waking::Set => word | WAKING,
                Waking::Pass => (word | WAKING) & !CLAIM,
                Waking::Resign => word & !(WAKING | CLAIM),
            }
        });
    }

    /// K6: a waiter has left the queue by itself. The caller holds the bucket lock.
    pub(super) fn depart(&self, parked: Parked, claim: Claim) {
        self.change(Relaxed, |State(word)| {
            let word = with_parked(word, parked);
            match claim {
                Claim::None => word,
                Claim::Ours => word & !CLAIM,
            }
        });
    }

    /// K8, unless the semaphore was closed meanwhile.
    pub(super) fn claim(&self) {
        self.update(Relaxed, |state| state.waking().then_some(State(state.0 | CLAIM)));
    }

    /// K9. The caller holds the bucket lock and has taken all threads off the queue.
    pub(super) fn close(&self) {
        self.change(K9.get(), |State(word)| (word | CLOSED) & !(PARKED | WAKING | CLAIM));
    }

    /// K10: takes away so many permits, or all there are; how many. The caller holds the bucket lock.
    pub(super) fn forget(&self, permits: usize) -> usize {
        let mut forgotten = 0;
        self.change(Relaxed, |state| {
            forgotten = permits.min(state.permits());
            state.0 - (forgotten << SHIFT)
        });
        forgotten
    }

    fn update(
        &self,
        order: Ordering,
        mut next: impl FnMut(State) -> Option<State>,
    ) -> Option<State> {
        let mut state = self.state();
        loop {
            let new = next(state)?;
            match self.0.compare_exchange_weak(state.0, new.0, order, Relaxed) {
                Ok(_) => return Some(new),
                Err(now) => state = State(now),
            }
        }
    }

    fn change(&self, order: Ordering, mut next: impl FnMut(State) -> usize) {
        self.update(order, |state| Some(State(next(state))));
    }
}

fn with_parked(word: usize, parked: Parked) -> usize {
    match parked {
        Parked::Some => word | PARKED,
        Parked::None => word & !PARKED,
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.state().fmt(f)
    }
}
