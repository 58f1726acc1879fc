//! The slow paths: waiting, waking, claiming, leaving. Waiting for readers to leave is in `drain.rs`,
//! reading without being counted in `bias.rs`.
//!
//! # Theory
//!
//! *Reading* is being counted in the word (or having a slot), *writing* is having it alone. A writer that
//! finds only readers looks again a few times and then becomes `PENDING`: newcomers stay out, and it waits
//! for those who are in. So readers cannot starve it. Who finds a writer in, or `PENDING`, polls for a while, then
//! queues and sleeps; readers and writers share one queue.
//!
//! *Releasing* comes first, waking second. One thread that was taken off the queue is up at a time
//! (`WAKING`): the *designated* one. It competes with newcomers, and if it loses it parks again, at the
//! front. If it reads it is a *leader*: once it is in, it takes the readers right behind it off the
//! queue as well, its *followers*, because now the lock is in a reading phase. They hold no wake:
//! nobody relies on them. If an upgradable reader comes next, the wake goes to it: nothing keeps it out.
//!
//! An upgradable reader keeps writers out and lets readers in, so the head of the queue may have to wait
//! where a reader behind it need not: that one is designated instead, out of turn, and if it loses
//! it goes to the back.
//!
//! *Bounded waiting*: the designated thread that has been overtaken for the fair interval claims the
//! lock. A claim keeps newcomers out, of those modes that could keep the claimer out.
//!
//! # Who wakes the next, by exit
//!
//! * acquired, a writer: its release. A reader or an upgradable reader: at once its followers (all
//!   readers, if an upgradable one is in), or an upgradable reader that is next; and its release, which sees
//!   `PARKED` without `WAKING`, the next;
//! * barged in: its release, likewise. A reader that leaves while an upgradable reader is in can only wake
//!   readers; others wait for the upgradable one;
//! * parks again: P1 clears `WAKING`; what keeps it out is held by somebody whose release will look. If that
//!   is an upgradable reader, readers behind it are let in now ([`Core::park`]);
//! * times out in the queue: it held no wake, but its claim may have kept readers out: wake one;
//! * times out while designated: [`Core::leave`] passes the wake on;
//! * times out while `PENDING`: T3, then wake one;
//! * downgrades: wake one;
//! * panics: for too many readers, after [`Core::leave`] has passed on the wake it may have, or for a read that would
//!   deadlock, before it has queued; callbacks of the table abort;
//! * is a task: see `task/mod.rs` and `future/mod.rs`;
//! * forked: the child's table is empty, `WAKING` and claims may belong to threads that do not exist; the
//!   child trusts neither. A `PENDING` thread that has vanished keeps the child out.

use super::{
    held::Held,
    period::Bias,
    state::{Attempt, Claims, Manners, Mode, Retreat, Snapshot, Standing, Waking, Word},
};
use crate::{
    parked::Parked,
    task::{FirstInLine, Panicked, TASK, is_task},
};
use core::{cell::Cell, fmt};
use parkade_core::{
    FilterOp, Moment, ParkRequest, ParkResult, ParkToken, Place, UnparkResult, UnparkToken,
    policy::{self, Turns, Wait},
};

/// What a woken thread is told.
const DESIGNATED: UnparkToken = UnparkToken(0);
/// Designated, and there were others before it that could not be.
const OUT_OF_TURN: UnparkToken = UnparkToken(1);
/// Woken, and not designated.
const FOLLOWER: UnparkToken = UnparkToken(2);
/// Both.
const FOLLOWER_OUT_OF_TURN: UnparkToken = UnparkToken(3);

/// There can be 2^23 - 1 counted readers.
pub(super) const TOO_MANY_READERS: &str = "too many readers of one lock";

/// Whether this process is a forked child, where `WAKING` and claims may be leftovers.
fn forked() -> bool {
    parkade_core::fork_generation() != 0
}

/// Whether whoever leaves may have to wake somebody.
#[inline(always)]
pub(super) fn needs_attention(word: Snapshot) -> bool {
    word.needs_attention() || (word.parked() && forked())
}

pub(super) fn claims() -> Claims {
    if forked() { Claims::AreVoid } else { Claims::Count }
}

/// What a waiter shows to the thread that picks whom to wake: its mode, above the bit of a task.
pub(super) const fn park_token(mode: Mode) -> ParkToken {
    ParkToken(match mode {
        Mode::Shared | Mode::Recursive => 0,
        Mode::Upgradable => 2,
        Mode::Exclusive => 4,
    })
}

/// That of a task that is the upgradable reader, and waits for the others to leave.
pub(super) const UPGRADES: ParkToken = ParkToken(6);

fn shows(token: ParkToken, what: ParkToken) -> bool {
    token.0 & !TASK == what.0
}

fn reads(token: ParkToken) -> bool {
    shows(token, park_token(Mode::Shared))
}

fn writes(token: ParkToken) -> bool {
    shows(token, park_token(Mode::Exclusive))
}

/// The state of one attempt to lock that has to wait.
struct Waiter {
    mode: Mode,
    wait: Wait,
    standing: Standing,
    manners: Manners,
    place: Place,
    deadline: Option<Moment>,
}

impl Waiter {
    fn new(lock: &Core, mode: Mode, deadline: Option<Moment>) -> Waiter {
        // Where readers have slots they meet at the word by exception.
        let turns = if lock.word.load().biased() { Turns::WhereEasy } else { Turns::WhereFrequent };
        Waiter {
            mode,
            wait: Wait::begin(lock.key(), deadline).taking(turns),
            standing: Standing::Newcomer,
            manners: Manners::of(mode),
            place: Place::Back,
            deadline,
        }
    }

    fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| Moment::now() >= deadline)
    }
}

/// The eight bytes under every reader-writer lock.
pub(crate) struct Core {
    pub(super) word: Word,
    pub(super) bias: Bias,
}

impl Core {
    parkade_core::const_unless_loom! {
        pub(crate) fn new() -> Core {
            Core { word: Word::new(), bias: Bias::new() }
        }
    }

    /// A lock that the calling thread holds in `mode`; counted, if it reads.
    #[cfg(feature = "keyed")]
    #[inline(always)]
    pub(crate) fn new_held(mode: Mode) -> Core {
        Core { word: Word::new_held(mode), bias: Bias::new() }
    }

    /// How many hold the lock, slots not counted.
    #[cfg(feature = "keyed")]
    pub(crate) fn holders(&self) -> u32 {
        let word = self.word.load();
        word.readers() + u32::from(word.exclusive())
    }

    /// For models: panics unless the lock is free and nobody waits.
    #[cfg(all(test, loom))]
    pub(crate) fn check_rest(&self) {
        let word = self.word.load();
        assert!(word.is_legal() && !word.is_held() && !word.has_line(), "left {self:?}");
        assert!(!word.claimed() && !self.slots_hold(), "left {self:?}");
    }

    /// For models, where a deadline cannot pass while a thread is awake: `acquire_slow` for a thread
    /// whose deadline passes just after it was woken.
    #[cfg(all(test, loom))]
    pub(super) fn acquire_or_give_up_once_woken(&self, mode: Mode) -> bool {
        let mut waiter = Waiter::new(self, mode, None);
        while waiter.standing == Standing::Newcomer {
            match self.word.try_acquire(mode, waiter.standing, claims(), Manners::Insistent) {
                Attempt::Acquired => return true,
                Attempt::Pending => return self.drain_or_retreat(None, Retreat::Out),
                Attempt::Contended => {}
                Attempt::Full => unreachable!(),
                Attempt::Busy | Attempt::Read => {
                    self.park(&mut waiter);
                }
            }
        }
        if waiter.wait.may_claim() {
            self.word.claim(mode);
        }
        self.leave(&waiter)
    }

    /// The address the table knows our queue by; only a number to it.
    pub(crate) fn key(&self) -> usize {
        core::ptr::from_ref(self).addr()
    }

    /// Takes the lock in `mode`, through the word; `false` if the deadline passed. `on_park` is called
    /// before the thread sleeps for the first time.
    #[cold]
    pub(super) fn acquire_slow(
        &self,
        mode: Mode,
        deadline: Option<Moment>,
        on_park: impl FnOnce(),
    ) -> bool {
        let mut waiter = Waiter::new(self, mode, deadline);
        let mut on_park = Some(on_park);
        loop {
            match self.word.try_acquire(mode, waiter.standing, claims(), waiter.manners) {
                Attempt::Acquired => {
                    self.acquired(&mut waiter);
                    return true;
                }
                Attempt::Pending => {
                    waiter.wait.acquired();
                    return self.drain_or_retreat(deadline, Retreat::Out);
                }
                Attempt::Contended => {
                    policy::contended();
                    continue;
                }
                Attempt::Full => {
                    self.leave(&waiter);
                    panic!("{TOO_MANY_READERS}");
                }
                Attempt::Busy => {}
                // It is polite for so many looks that found readers and nobody else, or as long as
                // it may poll.
                Attempt::Read => waiter.manners = waiter.manners.after_a_look(),
            }
            if waiter.wait.poll_again() {
                continue;
            }
            if waiter.manners != Manners::Insistent {
                waiter.manners = Manners::Insistent;
                continue;
            }
            if waiter.standing == Standing::Designated && waiter.wait.may_claim() {
                // Again, if it has done so before: another designated thread may have come in between.
                self.word.claim(mode);
            }
            if waiter.is_late() {
                return self.leave(&waiter);
            }
            if let Some(on_park) = on_park.take() {
                on_park();
            }
            if !self.park(&mut waiter) {
                return false;
            }
        }
    }

    /// What a thread that acquired by the slow path owes those who wait.
    fn acquired(&self, waiter: &mut Waiter) {
        waiter.wait.acquired();
        if waiter.standing == Standing::Designated && waiter.mode != Mode::Exclusive {
            let held = HeldUntilTold { lock: self, mode: waiter.mode };
            self.lead();
            core::mem::forget(held);
        }
    }

    /// A reader that comes from the queue is in, and lets in those who were behind it.
    pub(super) fn lead(&self) {
        if !self.word.load().parked() {
            return;
        }
        self.wake_followers(Reach::Front);
        if self.word.load().upgradable() {
            // The others wait for that one, and it may wait for readers.
            self.wake_followers(Reach::All);
        } else {
            self.wake_first(Next::Upgradable);
        }
    }

    /// Queues and sleeps. `false` if the deadline passed in the queue.
    fn park(&self, waiter: &mut Waiter) -> bool {
        let &mut Waiter { mode, standing, place, deadline, .. } = waiter;
        let request = ParkRequest::new(self.key())
            .token(park_token(mode))
            .since(waiter.wait.queueing())
            .place(place)
            .deadline(deadline);
        let left_behind = Cell::<Option<Snapshot>>::new(None);
        // A claim may be ours even if we have not made it: a fair release makes it for us (R4).
        let leaves_claim =
            || standing == Standing::Designated && left_behind.get().is_some_and(Snapshot::claimed);
        let mut panicked = Panicked::NO;
        // SAFETY: the key is our own address; the callbacks only touch the word, and the one that
        // may unpark does.
        let result = unsafe {
            parkade_core::park_with(
                request,
                || {
                    left_behind.set(self.word.try_prepare_park(mode, standing, claims()));
                    left_behind.get().is_some()
                },
                || {
                    // Nobody is designated any more; readers behind us may be able to enter.
                    if standing == Standing::Designated
                        && left_behind.get().is_some_and(Snapshot::admits_readers)
                    {
                        // It is queued already, so it goes on with a panic when it has left the queue.
                        panicked = Panicked::catch(|| self.wake_one());
                    }
                },
                |departure| {
                    if leaves_claim() {
                        self.word.unclaim();
                    }
                    self.word.publish(departure.have_more_threads.into(), Waking::Keep);
                },
            )
        };
        match result {
            ParkResult::Invalid => true,
            ParkResult::Unparked(token) => {
                (waiter.standing, waiter.place) = match token {
                    FOLLOWER => (Standing::Newcomer, Place::Front),
                    FOLLOWER_OUT_OF_TURN => (Standing::Newcomer, Place::Back),
                    OUT_OF_TURN => (Standing::Designated, Place::Back),
                    _ => (Standing::Designated, Place::Front),
                };
                waiter.manners = Manners::of(mode);
                waiter.wait.woken();
                if panicked.has() {
                    self.leave(waiter);
                }
                panicked.resume();
                true
            }
            ParkResult::TimedOut => {
                if self.word.load().parked() {
                    self.wake_one();
                }
                panicked.resume();
                false
            }
        }
    }

    /// A thread that is awake gives up without the lock.
    fn leave(&self, waiter: &Waiter) -> bool {
        if waiter.standing == Standing::Designated && self.word.resign().parked() {
            self.wake_one();
        }
        false
    }

    /// Sees to those who wait, after a release or a downgrade that left `word`.
    #[inline]
    pub(super) fn released(&self, word: Snapshot) {
        if needs_attention(word) {
            self.released_slow(word);
        }
    }

    #[cold]
    fn released_slow(&self, word: Snapshot) {
        if word.drain_parked() && word.readers() == 0 {
            self.wake_drainer();
        }
        if word.parked() && word.admits_readers() {
            self.wake_one();
        }
    }

    /// Releases and reserves the lock for the first in line.
    #[cold]
    pub(super) fn release_to_first(&self, mode: Mode) {
        let mut line = FirstInLine::new();
        let filter = |token| {
            let somebody_is_up = self.word.load().waking() && !forked();
            if somebody_is_up { FilterOp::Stop } else { line.pick(token) }
        };
        let mut released = None;
        let callback = |result: UnparkResult| {
            let more = Parked::from(result.have_more_threads);
            released = Some(self.word.release_and_reserve(mode, more, waking(&result)));
            DESIGNATED
        };
        let key = self.key();
        let panicked = Panicked::catch(|| {
            // SAFETY: the key is our own address; the callbacks only touch the word.
            unsafe { parkade_core::unpark_filter(key, filter, callback) };
        });
        // Somebody may have become `PENDING` since we looked.
        if let Some(word) = released {
            self.released(word);
        }
        panicked.resume();
    }

    /// Makes the first in line who may enter designated, unless somebody is.
    #[cold]
    pub(super) fn wake_one(&self) {
        self.wake_first(Next::Any);
    }

    /// `wake_one`, if that one is such as `next` says.
    fn wake_first(&self, next: Next) {
        let out_of_turn = Cell::new(false);
        let mut line = FirstInLine::new();
        let filter = |token| {
            let word = self.word.load();
            // Whoever keeps all out will look when it is out itself.
            if (word.waking() && !forked()) || !word.admits_readers() {
                return FilterOp::Stop;
            }
            if next == Next::Upgradable && writes(token) {
                return FilterOp::Stop;
            }
            if word.upgradable() && !reads(token) && !shows(token, UPGRADES) {
                out_of_turn.set(true);
                return FilterOp::Skip;
            }
            match task_waits_for_readers(word, token) {
                Patience::Claimed => FilterOp::Stop,
                Patience::Upgrades => FilterOp::Skip,
                Patience::None => line.pick(token),
            }
        };
        let callback = |result: UnparkResult| {
            self.word.publish(result.have_more_threads.into(), waking(&result));
            if out_of_turn.get() { OUT_OF_TURN } else { DESIGNATED }
        };
        // SAFETY: the key is our own address; the callbacks only touch the word.
        unsafe { parkade_core::unpark_filter(self.key(), filter, callback) };
    }

    /// The lock is in a reading phase: lets readers in that are queued.
    #[cold]
    fn wake_followers(&self, reach: Reach) {
        let filter = |token| match (self.word.load().admits_readers(), reads(token), reach) {
            (true, true, _) => FilterOp::Unpark,
            (true, false, Reach::All) => FilterOp::Skip,
            (false, _, _) | (true, false, Reach::Front) => FilterOp::Stop,
        };
        let callback = |result: UnparkResult| {
            self.word.publish(result.have_more_threads.into(), Waking::Keep);
            match reach {
                Reach::Front => FOLLOWER,
                Reach::All => FOLLOWER_OUT_OF_TURN,
            }
        };
        // SAFETY: the key is our own address; the callbacks only touch the word.
        unsafe { parkade_core::unpark_filter(self.key(), filter, callback) };
    }
}

/// What a caller has acquired and does not know of yet: if a waker panics it is released.
pub(super) struct HeldUntilTold<'a> {
    pub(super) lock: &'a Core,
    pub(super) mode: Mode,
}

impl Drop for HeldUntilTold<'_> {
    fn drop(&mut self) {
        // If the thread holds it in another way too, less is reported.
        Held::remove(self.lock.key());
        self.lock.release(self.mode);
    }
}

/// Whether an operation has made a thread designated.
fn waking(result: &UnparkResult) -> Waking {
    match (result.unparked_threads, result.unparked_tasks) {
        (0, 0) => Waking::Keep,
        (0, _) => Waking::Tasks,
        _ => Waking::Set,
    }
}

/// Why a task is not woken before the last reader has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patience {
    /// It is.
    None,
    /// It writes, and claims: no more readers come. Nobody behind it is let in either.
    Claimed,
    /// It upgrades. Readers may pass it.
    Upgrades,
}

/// A task is not `PENDING`, so there is nothing for it to do while readers are in; but that one which does not claim yet is woken,
/// to queue anew with a claim.
fn task_waits_for_readers(word: Snapshot, token: ParkToken) -> Patience {
    if !is_task(token) || word.readers() == 0 {
        Patience::None
    } else if shows(token, UPGRADES) {
        Patience::Upgrades
    } else if writes(token) && word.claimed() && !forked() {
        Patience::Claimed
    } else {
        Patience::None
    }
}

/// Who may be woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// Anybody.
    Any,
    /// Not a writer, who would only wait for readers to leave.
    Upgradable,
}

/// Which readers become followers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Those in front of all others.
    Front,
    /// All.
    All,
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}, bias {:?}", self.word, self.bias)
    }
}
