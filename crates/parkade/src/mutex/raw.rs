//! The slow paths: waiting, waking, claiming, leaving.
//!
//! # Theory
//!
//! *Locking* a free lock is M1; everything else is [`RawMutex::lock_slow`]: poll for a while, then
//! announce, queue and sleep. *Unlocking* releases first and wakes second. At most one thread that
//! was taken off the queue is up at a time (`WAKING`): the *designated* thread. While it is on its
//! way, releases wake nobody. It competes with newcomers; if it loses it parks again, at the front.
//! (It may yield while it polls, and then a lock that is freed stays free for as long as the scheduler
//! takes, unless a newcomer comes.)
//!
//! *Bounded waiting*: once the designated thread has been overtaken for the fair interval it sets
//! `CLAIM`, and the next release is reserved for it (R3): newcomers cannot take the lock, and it
//! can. Barging resumes as soon as it has acquired. So the lock is free and unavailable only for
//! as long as that thread needs to notice.
//!
//! *Conditions*: threads that wait for one are in a queue of their own; who releases looks for one that is true and puts
//! its thread in line here (`when/`).
//!
//! # Who wakes the next, by exit
//!
//! * acquired: our own release, which sees `PARKED` without `WAKING`;
//! * parks again: P1 clears `WAKING` and then looks at the lock, so the holder's release sees it (S1);
//! * times out in the queue: it held no wake; nothing to pass on, and a claim is withdrawn;
//! * times out while designated: [`RawMutex::leave`] passes the wake on if the lock is free, and
//!   takes the lock if it was reserved meanwhile;
//! * any of these with threads that wait for a condition: see the exits in `when/mod.rs`;
//! * is a task: see `task/mod.rs`. Nobody is designated when a task is woken, so each release that finds others queued
//!   wakes the next; one that has been dropped or forgotten keeps nobody waiting;
//! * was moved here from a condition variable: nobody wakes it but those who wake the first in line; it has no
//!   deadline here, so it leaves only by being taken off;
//! * is made designated on being moved: as any designated thread. It has no deadline, so it acquires;
//! * panics: users' code are conditions alone, called where panics are caught; callbacks of the table abort;
//! * forked: the child's table is empty. `PARKED` is corrected by the next look at the queue; `WAKING` and `CLAIM` may
//!   belong to threads that do not exist, so a child trusts neither ([`forked`]): it wakes whenever somebody is
//!   parked, at the price of an extra wake now and then. A stale reservation is taken by anybody.

use super::state::{Queue, Role, Waking, Word};
use crate::{
    parked::Parked,
    requeue::{Conditions, Destination, Lock, Reception},
    task::{Again, first_in_line},
};
use core::time::Duration;
use parkade_core::{
    Moment, ParkRequest, ParkResult, Place, UnparkResult, UnparkToken, fence,
    policy::{self, Turns, Wait},
};

/// What a woken thread is told: that it is the designated one.
const DESIGNATED: UnparkToken = UnparkToken(0);

/// How often a waiter looks at the lock itself while no fence has made its announcement binding,
/// because the system has none: once per lock, until a release or an acquisition by the slow path
/// makes it so ([`RawMutex::make_binding`]).
const UNFENCED_POLL: Duration = Duration::from_millis(1);

/// Whether this process is a forked child, where `WAKING` and `CLAIM` may be leftovers.
pub(super) fn forked() -> bool {
    parkade_core::fork_generation() != 0
}

/// Whether the head of the queue may be woken: nobody is on its way, as far as that can be trusted.
pub(super) fn may_wake(word: &Word) -> bool {
    !word.queue().waking() || forked()
}

/// The state of one attempt to lock that has to wait.
struct Waiter {
    wait: Wait,
    role: Role,
    claimed: bool,
    deadline: Option<Moment>,
}

impl Waiter {
    /// It was taken off the queue, and is the designated thread now.
    fn woken(&mut self) {
        self.role = Role::Designated;
        self.wait.woken();
    }
}

/// The two-byte lock under [`Mutex`](super::Mutex).
pub struct RawMutex {
    word: Word,
}

impl RawMutex {
    parkade_core::const_unless_loom! {
        pub(crate) fn new() -> RawMutex {
            RawMutex { word: Word::new() }
        }
    }

    /// A lock that the calling thread holds.
    #[cfg(feature = "keyed")]
    #[inline(always)]
    pub(crate) fn new_held() -> RawMutex {
        RawMutex { word: Word::new_held() }
    }

    /// For models: panics unless the lock is free and nobody waits.
    #[cfg(all(test, loom))]
    pub(crate) fn check_rest(&self) {
        let queue = self.word.queue();
        assert!(!self.is_locked(), "left locked: {self:?}");
        assert!(queue.is_legal() && !queue.may_have_line() && !queue.claim(), "left {queue:?}");
    }

    pub(crate) fn word(&self) -> &Word {
        &self.word
    }

    /// For models, where a deadline cannot pass while a thread is awake: `lock_slow` for a thread
    /// whose deadline passes just after it was woken.
    #[cfg(all(test, loom))]
    pub(super) fn acquire_or_give_up_once_woken(&self) -> bool {
        let mut waiter = self.newcomer(None, Turns::WhereEasy);
        while waiter.role == Role::Newcomer {
            if self.word.try_acquire_as(waiter.role) {
                return true;
            }
            self.park(&mut waiter);
        }
        if waiter.wait.may_claim() {
            self.word.claim();
            waiter.claimed = true;
        }
        self.leave(&waiter)
    }

    /// For models: a designated thread gives up; whether it has the lock after all.
    #[cfg(all(test, loom))]
    pub(super) fn give_up_designated(&self) -> bool {
        let mut waiter = self.newcomer(None, Turns::WhereEasy);
        let _ = waiter.wait.queueing();
        waiter.woken();
        self.leave(&waiter)
    }

    /// For models: a thread that gives up just after it announced itself.
    #[cfg(all(test, loom))]
    pub(crate) fn announce_and_leave(&self) {
        self.announce();
    }

    /// The address the table knows us by; only a number to it.
    pub(crate) fn key(&self) -> usize {
        core::ptr::from_ref(self).addr()
    }

    #[inline]
    pub(crate) fn acquire(&self) {
        if !self.word.try_acquire() {
            let acquired = self.lock_slow(None, Turns::WhereEasy);
            debug_assert!(acquired, "a wait without a deadline timed out");
        }
    }

    /// Acquires for a thread that is designated though it has not queued here by itself: it was moved to
    /// the queue and taken off it, or made designated when others were moved ([`Destination`]).
    pub(crate) fn acquire_designated(&self) {
        let acquired = self.acquire_designated_until(None);
        debug_assert!(acquired, "a wait without a deadline timed out");
    }

    /// The same with a deadline; `false` if it has passed, and then the thread is not designated any more.
    #[cold]
    pub(super) fn acquire_designated_until(&self, deadline: Option<Moment>) -> bool {
        if self.word.try_acquire_as(Role::Designated) {
            self.word.settle();
            self.make_binding();
            return true;
        }
        let mut waiter = self.newcomer(deadline, Turns::WhereEasy);
        let _ = waiter.wait.queueing();
        waiter.woken();
        self.compete(waiter)
    }

    #[inline]
    pub(crate) fn try_acquire(&self) -> bool {
        self.word.try_acquire() || self.word.try_acquire_stale()
    }

    /// Acquires before the deadline that `deadline` computes if we have to wait at all.
    #[inline]
    pub(crate) fn acquire_until(&self, deadline: impl FnOnce() -> Moment) -> bool {
        self.word.try_acquire() || self.lock_slow(Some(deadline()), Turns::WhereEasy)
    }

    /// `acquire`, where it is known how threads take turns.
    #[cfg(feature = "keyed")]
    #[cold]
    pub(crate) fn acquire_taking(&self, turns: Turns) {
        let acquired = self.lock_slow(None, turns);
        debug_assert!(acquired, "a wait without a deadline timed out");
    }

    /// `acquire_until`, likewise.
    #[cfg(feature = "keyed")]
    #[cold]
    pub(crate) fn acquire_taking_until(
        &self,
        turns: Turns,
        deadline: impl FnOnce() -> Moment,
    ) -> bool {
        self.try_acquire() || self.lock_slow(Some(deadline()), turns)
    }

    #[inline]
    pub(crate) fn release(&self) {
        self.check_held();
        let queue = self.word.queue();
        if !queue.is_quiet() {
            self.release_slow(queue);
        } else if !self.word.release_asymmetric() {
            self.missed();
        }
    }

    #[inline]
    pub(crate) fn release_fair(&self) {
        if self.word.queue().may_have_line() { self.release_to_first() } else { self.release() }
    }

    /// Lets the first in line have the lock and then takes it back.
    #[inline]
    pub(crate) fn yield_to_first(&self) {
        if self.word.queue().may_have_line() {
            self.yield_slow();
        }
    }

    pub(crate) fn is_locked(&self) -> bool {
        self.word.is_locked()
    }

    #[inline]
    fn check_held(&self) {
        debug_assert!(
            self.word.is_held(),
            "unlock of a mutex that is not locked: {:#x} is {:?}",
            self.key(),
            self.word
        );
    }

    fn newcomer(&self, deadline: Option<Moment>, turns: Turns) -> Waiter {
        let wait = Wait::begin(self.key(), deadline).taking(turns);
        Waiter { wait, role: Role::Newcomer, claimed: false, deadline }
    }

    #[cold]
    fn lock_slow(&self, deadline: Option<Moment>, turns: Turns) -> bool {
        self.compete(self.newcomer(deadline, turns))
    }

    fn compete(&self, mut waiter: Waiter) -> bool {
        loop {
            if self.word.try_acquire_as(waiter.role) {
                self.acquired(&mut waiter);
                return true;
            }
            if waiter.wait.poll_again() {
                continue;
            }
            if waiter.role == Role::Designated
                && !self.word.queue().claim()
                && waiter.wait.may_claim()
            {
                self.word.claim();
                waiter.claimed = true;
            }
            if waiter.deadline.is_some_and(|deadline| Moment::now() >= deadline) {
                return self.leave(&waiter);
            }
            if !self.park(&mut waiter) {
                return false;
            }
        }
    }

    /// What a thread that acquired by the slow path owes the word.
    fn acquired(&self, waiter: &mut Waiter) {
        waiter.wait.acquired();
        if waiter.role == Role::Designated {
            self.word.settle();
        }
        self.make_binding();
    }

    /// For a holder, where there are no heavy fences: makes the announcement of waiters binding
    /// without one. Every release before ours is over, and every later one comes after our own and
    /// sees `SYMMETRIC`.
    pub(super) fn make_binding(&self) {
        let queue = self.word.queue();
        if queue.symmetric() && !queue.fenced() && fence::strategy() == fence::Strategy::Symmetric {
            self.word.fenced();
        }
    }

    /// Queues and sleeps. `false` if the deadline passed in the queue.
    fn park(&self, waiter: &mut Waiter) -> bool {
        let request = ParkRequest::new(self.key())
            .since(waiter.wait.queueing())
            .place(if waiter.role == Role::Designated { Place::Front } else { Place::Back })
            .deadline(waiter.deadline);
        let binding = self.announce();
        let request = match binding {
            Announcement::Binding => request,
            Announcement::Unfenced => {
                let poll = Moment::after(UNFENCED_POLL);
                request.deadline(Some(waiter.deadline.map_or(poll, |deadline| deadline.min(poll))))
            }
        };
        let Waiter { role, claimed, .. } = *waiter;
        // SAFETY: the key is our own address; the callbacks only touch the word.
        let result = unsafe {
            parkade_core::park_with(
                request,
                || self.word.try_prepare_park(role),
                || {},
                |departure| {
                    if claimed {
                        self.word.unclaim();
                    }
                    self.word.publish(departure.have_more_threads.into(), Waking::Keep);
                },
            )
        };
        match result {
            ParkResult::Invalid => true,
            ParkResult::Unparked(_) => {
                waiter.woken();
                true
            }
            ParkResult::TimedOut => {
                // Nobody woke us, so we are designated no longer and owe nobody a wake.
                waiter.role = Role::Newcomer;
                waiter.claimed = false;
                binding == Announcement::Unfenced
            }
        }
    }

    /// Announces that somebody will queue, so that releases look (S2).
    pub(super) fn announce(&self) -> Announcement {
        if self.word.queue().fenced() {
            return Announcement::Binding;
        }
        if self.word.announce() && fence::try_heavy().is_ok() {
            self.keep_promise();
        }
        if fence::strategy() == fence::Strategy::Symmetric && !self.word.queue().fenced() {
            return Announcement::Unfenced;
        }
        Announcement::Binding
    }

    /// A2, with what the announcer promised to those who queued, or gave up (P4), while it was fencing: if a release
    /// has missed them, wake one, or see to those who wait for a condition.
    fn keep_promise(&self) {
        let woken = self.wake_one_if(|word| {
            word.fenced();
            word.is_free() && may_wake(word)
        });
        self.see_to_conditions(woken, Conditions::NotLookedAt);
    }

    /// A thread that is awake gives up. `true` if it got the lock after all.
    fn leave(&self, waiter: &Waiter) -> bool {
        if waiter.role == Role::Newcomer {
            return false;
        }
        loop {
            self.announce();
            let mut left = None;
            let woken = self.wake_one_if(|word| {
                // Nobody reserves while we hold the bucket lock, so a reservation made for us is
                // either seen here or never made.
                if word.try_acquire_as(Role::Designated) {
                    word.settle();
                    left = Some(Left::ToSelf);
                    return false;
                }
                let held = word.resign();
                left = held.map(|held| if held { Left::ToHolder } else { Left::Free });
                // A holder sees to the rest; a free lock is ours to pass on.
                held == Some(false)
            });
            match left {
                Some(Left::ToSelf) => return true,
                Some(Left::ToHolder) => return false,
                Some(Left::Free) => {
                    self.see_to_conditions(woken, Conditions::NotLookedAt);
                    return false;
                }
                None => {}
            }
        }
    }

    /// Releases when the queue byte, as the holder has just seen it, asked for attention.
    #[cold]
    fn release_slow(&self, queue: Queue) {
        let conditions = self.look_at_conditions(queue);
        self.release_looked(conditions);
    }

    /// Releases, what is known of conditions being known. Runs no code of users.
    pub(super) fn release_looked(&self, conditions: Conditions) {
        self.check_held();
        self.make_binding();
        let queue = self.word.queue();
        if queue.claim() {
            return self.reserve_for_first(conditions);
        }
        // A forked child does not trust WAKING, so it must look whenever somebody sleeps.
        if queue.may_return()
            && !(queue.has_sleepers() && forked())
            && policy::may_return_to_asymmetric()
            && self.word.try_return_to_asymmetric(queue)
        {
            if !self.word.release_asymmetric() {
                self.see_to_next(conditions);
            }
            return;
        }
        let queue = self.word.release_symmetric(queue);
        let rely_on_us = match conditions {
            Conditions::AllFalse => queue.parked(),
            Conditions::OneInLine | Conditions::NotLookedAt => queue.has_sleepers(),
        };
        if rely_on_us && (!queue.waking() || forked()) {
            self.see_to_next(conditions);
        }
    }

    /// A plain release finds that the queue is not quiet any more.
    #[cold]
    fn missed(&self) {
        self.see_to_next(Conditions::NotLookedAt);
    }

    /// Releases and reserves the lock for the first in line: the designated thread if one is up,
    /// else the head of the queue.
    #[cold]
    fn release_to_first(&self) {
        self.check_held();
        let conditions = self.look_at_conditions(self.word.queue());
        self.reserve_for_first(conditions);
    }

    #[cold]
    fn yield_slow(&self) {
        let conditions = self.look_at_conditions(self.word.queue());
        if self.word.queue().has_line() {
            let again = Again(|| self.acquire());
            self.reserve_for_first(conditions);
            drop(again);
        }
    }

    /// Nothing is reserved for a task: if it is the first, the lock is free for it, or reserved for the thread behind it.
    pub(super) fn reserve_for_first(&self, conditions: Conditions) {
        // Stable while we hold both the lock and the bucket lock: the designated thread clears
        // WAKING only when it acquires, or under the bucket lock.
        let awake = || self.word.queue().waking() && !forked();
        let mut freed = false;
        let callback = |result: UnparkResult| {
            let more = Parked::from(result.have_more_threads);
            if result.unparked_threads == 1 {
                self.word.publish(more, Waking::Set);
                self.word.reserve();
            } else if awake() {
                self.word.publish(more, Waking::Keep);
                self.word.reserve();
            } else {
                // Nobody is in line. In a forked child a claim without a claimer ends here.
                self.word.publish(more, if forked() { Waking::Resign } else { Waking::Keep });
                // Whoever queues next does so under the bucket lock, after this.
                let _ = self.word.release_symmetric(self.word.queue());
                freed = true;
            }
            DESIGNATED
        };
        // SAFETY: the key is our own address; the callbacks only touch the word.
        unsafe {
            parkade_core::unpark_filter_if(self.key(), || !awake(), first_in_line(), callback)
        };
        if freed {
            self.see_to_conditions(Woken::Nobody, conditions);
        }
    }

    /// After a release: wakes the first in line unless one is up already.
    #[cold]
    fn see_to_next(&self, conditions: Conditions) {
        let woken = self.wake_one_if(|word| may_wake(word) && !self.leave_to_holder(conditions));
        self.see_to_conditions(woken, conditions);
    }

    /// Whether a release that relied on a designated thread, to look at conditions, leaves what it has found afterwards to the
    /// next holder: who has come in and will look, in place of that thread or as it. Were another woken, that holder would rely
    /// on it in turn, and so on.
    fn leave_to_holder(&self, conditions: Conditions) -> bool {
        conditions == Conditions::NotLookedAt
            && self.word.queue().has_conditions()
            && self.word.is_locked()
    }

    /// Under the bucket lock: asks `validate`, then wakes the first in line, and makes the first thread of those it has
    /// woken designated.
    pub(super) fn wake_one_if(&self, validate: impl FnOnce(&Word) -> bool) -> Woken {
        let callback = |result: UnparkResult| {
            let waking = if result.unparked_threads == 1 { Waking::Set } else { Waking::Keep };
            self.word.publish(result.have_more_threads.into(), waking);
            DESIGNATED
        };
        let validate = || validate(&self.word);
        // SAFETY: the key is our own address; the callbacks only touch the word.
        let result = unsafe {
            parkade_core::unpark_filter_if(self.key(), validate, first_in_line(), callback)
        };
        if result.unparked_threads == 1 { Woken::First } else { Woken::Nobody }
    }
}

/// Whom [`RawMutex::wake_one_if`] has woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Woken {
    Nobody,
    First,
}

/// To whom a designated thread that gives up has left the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    /// It has it after all.
    ToSelf,
    /// To who holds it, and sees to the rest.
    ToHolder,
    /// To anybody.
    Free,
}

impl Destination for RawMutex {
    fn key(&self) -> usize {
        self.key()
    }

    fn receive(&self) -> Reception {
        // Without FENCED nobody may be bound to look for those who cannot poll.
        let next_release_looks =
            || self.word.queue().fenced() && self.word.try_prepare_park(Role::Newcomer);
        let designated_looks = || !forked() && self.word.try_park_behind_designated();
        if next_release_looks() || designated_looks() {
            Reception::AllQueue
        } else {
            Reception::FirstIsUp
        }
    }

    fn first_is_up(&self, moved: Parked) {
        // While we hold the bucket lock, PARKED speaks of those who were here before.
        let parked = if self.word.queue().parked() { Parked::Some } else { moved };
        self.word.publish(parked, Waking::Set);
    }

    fn take_turn(&self) {
        self.acquire_designated();
    }
}

impl Lock for RawMutex {
    fn destination(&self) -> Option<&dyn Destination> {
        Some(self)
    }

    fn about_to_wait(&self) -> Conditions {
        self.word.announce_as_holder();
        self.make_binding();
        self.look_at_conditions(self.word.queue())
    }

    fn release_to_wait(&self, conditions: Conditions) {
        self.release_looked(conditions);
    }

    fn acquire_again(&self) {
        self.acquire();
    }
}

/// Whether releases are bound to see what an announcer queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Announcement {
    /// A heavy fence has been executed, or its executor has promised to look.
    Binding,
    /// There are no such fences; the waiter has to look for itself.
    Unfenced,
}

impl core::fmt::Debug for RawMutex {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("RawMutex").field(&self.word).finish()
    }
}
