//! The word of a [`Mutex`](super::Mutex): its layout, its legal values and its transitions.
//!
//! # Layout
//!
//! Two bytes, two atomics, so that the holder may release with a plain store to one without
//! erasing what others write to the other.
//!
//! | byte | value or bit | meaning |
//! |---|---|---|
//! | `locked` | `FREE` 0 | anybody may take it |
//! | | `HELD` 1 | somebody holds it |
//! | | `RESERVED` 2, plus fork generation x 4 | free, but only for the designated thread |
//! | `queue` | `PARKED` 1 | threads are queued |
//! | | `WAKING` 2 | one thread, the *designated* one, was taken off the queue and is up |
//! | | `CLAIM` 4 | the first in line asks that the next release be reserved for it |
//! | | `NEEDS_WAKE` 8 | `PARKED` or `CONDITIONS` without `WAKING`: the next release must see to those who wait |
//! | | `SYMMETRIC` 16 | somebody is about to sleep: releases use a read-modify-write |
//! | | `FENCED` 32 | since `SYMMETRIC` was set, a heavy fence has been executed |
//! | | `CONDITIONS` 64 | threads wait for a condition, in a queue of their own (`when/`) |
//!
//! A release looks at three bits at once, `NEEDS_WAKE`, `CLAIM` and `SYMMETRIC`. If none is set it is a
//! plain store, even with threads asleep in the queue, as long as one is on its way.
//!
//! # Legal words
//!
//! `FENCED` implies `SYMMETRIC`. `NEEDS_WAKE` is exactly `PARKED` or `CONDITIONS`, without `WAKING`. `CLAIM` implies a
//! claimer: the designated thread (`WAKING`), or the first of the queue (`PARKED`). `RESERVED` implies
//! `WAKING`.
//!
//! # Bit laws
//!
//! * `locked`: FREE -> HELD by anybody (M1), RESERVED -> HELD by the designated (M2), HELD -> FREE or
//!   RESERVED by the holder (R0, R3). Exact.
//! * `PARKED`: equals "the queue is not empty" whenever no bucket lock is held. Written only under
//!   the bucket lock, from the queue itself or as threads join it.
//! * `WAKING`: set under the bucket lock by whoever takes a thread off the queue, or off that of a condition
//!   variable when its waiters are moved here; cleared by that
//!   thread alone: when it acquires (M3), parks again (P1) or gives up (under the bucket lock).
//!   May be cleared late, after M1 or M2, by the thread that then holds the lock.
//! * `CLAIM`: set by the designated thread (C1); cleared by the claimer: when it acquires (M3), or
//!   leaves under the bucket lock. Survives its parking again, but not that a thread which was moved here, and
//!   designated before the claimer was woken, acquires: then the claimer claims anew when it is up.
//! * `NEEDS_WAKE`: written with every change of `PARKED`, `CONDITIONS` or `WAKING`, in the same step. Exact.
//! * `CONDITIONS`: equals "the queue at the address of this byte is not empty" whenever the lock of that queue's bucket, which
//!   is another than the one above, is not held. Written only under it, from the queue itself or as threads join it
//!   (W1). Set by holders only, so whoever holds the lock later sees it, through the lock.
//! * `SYMMETRIC`, `FENCED`: set by an announcer (A1, A2), or both at once by the holder (A4); cleared together by the holder, in one
//!   compare-exchange that requires `FENCED` set and `NEEDS_WAKE` and `CLAIM` clear (A3).
//!
//! # Transitions
//!
//! [`TRANSITIONS`] lists them; a test walks every legal word through each.
//!
//! # Ordering
//!
//! * *Data*: R0 and R3 release; M1 and M2 acquire.
//! * *No lost wake, symmetric mode* (S1): a releaser stores FREE and then looks at `queue` with a
//!   read-modify-write (R2, Release); a parker sets `PARKED` with a read-modify-write (P1, Acquire)
//!   and then looks at `locked`. The two meet on `queue`, which is only ever changed by
//!   read-modify-writes: if P1 comes first, R2 reads `PARKED`; if R2 comes first, P1 reads from it or
//!   its release sequence, and the parker sees FREE. No fence is needed. A designated thread that
//!   resigns (P4) meets R2 in the same way.
//! * *No lost wake, asymmetric release* (S2): R1 is a plain store, a light fence and a second look at
//!   `queue`; A1 sets `SYMMETRIC` and then executes a heavy fence, before it locks the bucket to
//!   set `FENCED` (A2) and to look at `locked` itself. If R1's fence comes first, A2 sees FREE and
//!   wakes a waiter; else R1 sees `SYMMETRIC`, and then always takes the bucket lock. A thread that
//!   finds `SYMMETRIC` without `FENCED` may queue at once, on the strength of the announcer's promise
//!   to come to the bucket after its fence. P1 and P4, by which a thread ceases to look after the
//!   queue, require `SYMMETRIC` in the same step. (Both may rest on that promise. It therefore extends to those who wait
//!   for a condition, where nobody is left in the queue.)
//! * *The holder announces* (A4) without a fence: every release before its acquisition is over, and every
//!   later one comes after its own and sees `SYMMETRIC`. Not where `SYMMETRIC` is set and `FENCED` is not: the
//!   mode could then end before the announcer's fence has, and A2 would begin one that nobody announced.
//! * *Threads that come from the queue of a condition variable* rely on the next release (P1, made on their
//!   behalf; that needs the lock held), on the designated thread (P5), or the first of them is made the designated
//!   one (P3) and the others rely on it. P5 looks at `WAKING` and sets `PARKED` in one step, because M3
//!   needs no bucket lock: either it sees M3, or M3 sees `PARKED`.
//! * *Who relies on whom* (S3): with `NEEDS_WAKE` set, sleepers rely on the next release. It was set
//!   either under `SYMMETRIC` (P1, P4), which A3 cannot clear meanwhile, or by the holder itself (M3).
//!   With `WAKING` set they rely on the designated thread, and releases need not look. Those who wait for a
//!   condition rely on the same two, and set `NEEDS_WAKE` holding the lock (W1). (A forked child,
//!   where that thread may not exist, looks whenever `PARKED` or `CONDITIONS` is set.)
//! * Everything else is under the bucket lock, or concerns bits of one writer.
//!
//! # Rejected
//!
//! * One byte with `fetch_sub` to release: a second locked instruction in every lock and unlock.
//! * `FENCED` alone (skip the fence when `PARKED` is already set): the thread that set `PARKED` may
//!   not have finished its own fence. Without the announcer's promise the model `promise` fails (at
//!   four preemptions).
//! * Sequentially consistent fences for S1: one more barrier in every contended release.
//! * A read-modify-write of `locked` on both sides for S1: the same cost, but plain stores (R1) and
//!   foreign read-modify-writes of one location are beyond loom, which lets the store slip between
//!   the read and the write.
#![forbid(unsafe_code)]

use super::edges::{M1, M2, P1, P4, R0, R2, R3};
use crate::parked::Parked;
#[cfg(test)]
use crate::transition::{Transition, row};
use core::fmt;
use parkade_core::{
    fence,
    shim::{AtomicU8, Ordering::Relaxed},
};

const FREE: u8 = 0;
const HELD: u8 = 1;
const RESERVED: u8 = 2;
/// `RESERVED` carries the fork generation above this bit: a reservation made for a thread of the
/// parent process is void in the child.
const GENERATION_SHIFT: u32 = 2;

const PARKED: u8 = 1;
const WAKING: u8 = 2;
const CLAIM: u8 = 4;
const NEEDS_WAKE: u8 = 8;
const SYMMETRIC: u8 = 16;
const FENCED: u8 = 32;
const CONDITIONS: u8 = 64;

/// What a release must not overlook.
const LOOK: u8 = NEEDS_WAKE | CLAIM | SYMMETRIC;

/// Brings `NEEDS_WAKE` in line with the bits it is made of.
const fn with_needs_wake(queue: u8) -> u8 {
    let waited_for = queue & (PARKED | CONDITIONS) != 0;
    if waited_for && queue & WAKING == 0 { queue | NEEDS_WAKE } else { queue & !NEEDS_WAKE }
}

/// Where no asymmetric fence exists, locks are born in symmetric mode and stay there.
const BORN: u8 = if cfg!(any(target_os = "linux", loom)) { 0 } else { SYMMETRIC | FENCED };

/// Nobody is designated any more, and a claim goes with it.
const fn resigned(queue: u8) -> u8 {
    queue & !(WAKING | CLAIM)
}

/// Every change of the word. `id` is what comments and models cite.
#[cfg(test)]
pub(super) const TRANSITIONS: &[Transition] = &[
    row("M1", "locked: FREE -> HELD", "anybody; Acquire", "asymmetric"),
    row("M2", "locked: RESERVED -> HELD", "the designated thread; Acquire", "claim, fair"),
    row("M3", "queue: -WAKING -CLAIM", "the designated thread, holding", "claim, depart"),
    row("R0", "locked: HELD -> FREE", "the holder, in R1 and R2; Release", "asymmetric"),
    row(
        "R1",
        "R0, a light fence, look at queue",
        "the holder that saw a quiet queue",
        "asymmetric",
    ),
    row("R2", "R0, look at queue by a read-modify-write", "any other holder; Release", "wake"),
    row(
        "R3",
        "locked: HELD -> RESERVED",
        "the holder, under the bucket lock; Release",
        "claim, fair",
    ),
    row("A1", "queue: +SYMMETRIC, then a heavy fence", "anybody about to park", "asymmetric"),
    row("A2", "queue: +FENCED", "the announcer, under the bucket lock", "promise"),
    row("A3", "queue: -SYMMETRIC -FENCED", "the holder", "asymmetric"),
    row("A4", "queue: +SYMMETRIC +FENCED", "the holder, if SYMMETRIC is clear", "condvar_requeue"),
    row(
        "P1",
        "queue: +PARKED -WAKING, then look at locked",
        "a parker, or whoever moves threads to the queue, under the bucket lock; Acquire",
        "wake, depart, condvar_requeue",
    ),
    row("P2", "queue: P1 undone", "the parker, if the lock may be taken", "wake"),
    row(
        "P3",
        "queue: PARKED as the queue is, +WAKING or -WAKING -CLAIM",
        "whoever changed the queue, under the bucket lock",
        "wake, depart",
    ),
    row(
        "P4",
        "queue: -WAKING -CLAIM, then look at locked",
        "the designated thread that gives up, under the bucket lock; Acquire",
        "depart",
    ),
    row(
        "P5",
        "queue: +PARKED, if WAKING is set",
        "whoever moves threads to the queue, under the bucket lock",
        "condvar_behind_designated",
    ),
    row("C1", "queue: +CLAIM", "the designated thread", "claim"),
    row(
        "W1",
        "queue: CONDITIONS as the queue of those who wait for one is",
        "whoever changed that queue, under its bucket lock",
        "when_true, when_timeout",
    ),
];

/// A snapshot of the `queue` byte.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Queue(u8);

impl Queue {
    /// The holder may release with a plain store.
    #[inline(always)]
    pub fn is_quiet(self) -> bool {
        self.0 & LOOK == 0
    }
    /// Somebody is designated.
    pub fn waking(self) -> bool {
        self.0 & WAKING != 0
    }
    /// Threads are queued.
    pub fn parked(self) -> bool {
        self.0 & PARKED != 0
    }
    /// The next release is asked for.
    pub fn claim(self) -> bool {
        self.0 & CLAIM != 0
    }
    /// Releases use a read-modify-write.
    pub fn symmetric(self) -> bool {
        self.0 & SYMMETRIC != 0
    }
    /// The announcement is binding.
    pub fn fenced(self) -> bool {
        self.0 & FENCED != 0
    }
    /// Symmetric mode may end: its fence is over and nobody needs a release's attention.
    pub fn may_return(self) -> bool {
        self.0 & (FENCED | NEEDS_WAKE | CLAIM) == FENCED
    }
    /// Threads wait for a condition.
    pub fn has_conditions(self) -> bool {
        self.0 & CONDITIONS != 0
    }
    /// Threads sleep, here or for a condition.
    pub fn has_sleepers(self) -> bool {
        self.0 & (PARKED | CONDITIONS) != 0
    }
    /// Threads sleep, here or for a condition, and none of them is on its way.
    pub fn needs_wake(self) -> bool {
        self.0 & NEEDS_WAKE != 0
    }
    /// Somebody is queued, or up and first in line.
    #[inline(always)]
    pub fn has_line(self) -> bool {
        self.0 & (PARKED | WAKING) != 0
    }
    /// There is a line, or there will be one if a condition is true.
    #[inline(always)]
    pub fn may_have_line(self) -> bool {
        self.0 & (PARKED | WAKING | CONDITIONS) != 0
    }
    /// Whether the bits agree with each other ("Legal words").
    #[cfg(test)]
    pub(super) fn is_legal(self) -> bool {
        let known =
            self.0 & !(PARKED | WAKING | CLAIM | NEEDS_WAKE | SYMMETRIC | FENCED | CONDITIONS) == 0;
        let exact = with_needs_wake(self.0) == self.0;
        let fenced = !self.fenced() || self.symmetric();
        let claimer = !self.claim() || self.waking() || self.parked();
        known && exact && fenced && claimer
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [(u8, &str); 7] = [
            (PARKED, "PARKED"),
            (WAKING, "WAKING"),
            (CLAIM, "CLAIM"),
            (NEEDS_WAKE, "NEEDS_WAKE"),
            (SYMMETRIC, "SYMMETRIC"),
            (FENCED, "FENCED"),
            (CONDITIONS, "CONDITIONS"),
        ];
        let set = NAMES.iter().filter(|(bit, _)| self.0 & bit != 0).map(|(_, name)| name);
        f.debug_set().entries(set).finish()
    }
}

/// A snapshot of the `locked` byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Locked {
    /// Anybody may take it.
    Free,
    /// Somebody holds it.
    Held,
    /// Free for the designated thread only.
    Reserved,
    /// Reserved for a thread that did not survive a fork: free.
    Stale(u8),
}

impl Locked {
    fn decode(byte: u8) -> Locked {
        match byte {
            FREE => Locked::Free,
            HELD => Locked::Held,
            _ if byte == reserved() => Locked::Reserved,
            _ => Locked::Stale(byte),
        }
    }
}

/// The value that reserves the lock in this process.
fn reserved() -> u8 {
    RESERVED | (parkade_core::fork_generation() << GENERATION_SHIFT) as u8
}

/// Whether a thread may take a reserved lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It has not been taken off the queue, or has settled since.
    Newcomer,
    /// It was taken off the queue with `WAKING` and has not acquired, parked again or left.
    Designated,
}

/// The two bytes.
pub struct Word {
    locked: AtomicU8,
    queue: AtomicU8,
}

impl Word {
    parkade_core::const_unless_loom! {
        /// Free, with nobody waiting.
        pub fn new() -> Word {
            Word {
                locked: AtomicU8::new(FREE),
                queue: AtomicU8::new(BORN),
            }
        }
    }

    /// Held by its maker, with nobody waiting: as after M1, where nobody else can have been first.
    #[cfg(feature = "keyed")]
    #[inline(always)]
    pub(crate) fn new_held() -> Word {
        Word { locked: AtomicU8::new(HELD), queue: AtomicU8::new(BORN) }
    }

    /// For tests: any word at all.
    #[cfg(all(test, not(loom)))]
    pub(super) fn of(locked: u8, queue: u8) -> Word {
        Word { locked: AtomicU8::new(locked), queue: AtomicU8::new(queue) }
    }

    /// For tests: the two bytes.
    #[cfg(all(test, not(loom)))]
    pub(super) fn bytes(&self) -> (u8, u8) {
        (self.locked.load(Relaxed), self.queue.load(Relaxed))
    }

    /// For models: as after an announcement and its fence.
    #[cfg(all(test, loom))]
    pub(super) fn make_symmetric(&self) {
        self.queue.store(SYMMETRIC | FENCED, Relaxed);
    }

    /// The queue byte as it is.
    #[inline(always)]
    pub fn queue(&self) -> Queue {
        Queue(self.queue.load(Relaxed))
    }

    /// The locked byte as it is.
    pub fn locked(&self) -> Locked {
        Locked::decode(self.locked.load(Relaxed))
    }

    /// Held, or reserved for somebody.
    pub fn is_locked(&self) -> bool {
        matches!(self.locked(), Locked::Held | Locked::Reserved)
    }

    /// Anybody may take it.
    pub fn is_free(&self) -> bool {
        matches!(self.locked(), Locked::Free | Locked::Stale(_))
    }

    /// Held.
    #[inline(always)]
    pub fn is_held(&self) -> bool {
        self.locked.load(Relaxed) == HELD
    }

    /// M1: FREE -> HELD.
    #[inline(always)]
    #[must_use]
    pub fn try_acquire(&self) -> bool {
        self.locked.compare_exchange(FREE, HELD, M1.get(), Relaxed).is_ok()
    }

    /// M1, or M2 for the designated thread; looks before it tries.
    #[must_use]
    pub fn try_acquire_as(&self, role: Role) -> bool {
        match (self.locked(), role) {
            (Locked::Free, _) => self.try_acquire(),
            (Locked::Reserved, Role::Designated) => {
                self.locked.compare_exchange(reserved(), HELD, M2.get(), Relaxed).is_ok()
            }
            (Locked::Stale(_), _) => self.try_acquire_stale(),
            (Locked::Held | Locked::Reserved, _) => false,
        }
    }

    /// M2, for a reservation that nobody can take any more.
    #[cold]
    #[must_use]
    pub fn try_acquire_stale(&self) -> bool {
        let Locked::Stale(byte) = self.locked() else {
            return false;
        };
        self.locked.compare_exchange(byte, HELD, M2.get(), Relaxed).is_ok()
    }

    /// M3: the designated thread has acquired.
    pub fn settle(&self) {
        self.update(resigned);
    }

    /// R0: HELD -> FREE.
    #[inline(always)]
    fn free(&self) {
        self.locked.store(FREE, R0.get());
    }

    /// R1: HELD -> FREE with a plain store, for a holder that saw a quiet queue; `false` if the
    /// queue is no longer quiet, and then the caller must take the bucket lock (S2).
    #[inline(always)]
    #[must_use]
    pub fn release_asymmetric(&self) -> bool {
        self.free();
        fence::compiler_only();
        self.queue().is_quiet()
    }

    /// R2: HELD -> FREE for a holder that saw `queue`; returns what the queue was afterwards (S1).
    #[must_use]
    pub fn release_symmetric(&self, Queue(mut queue): Queue) -> Queue {
        self.free();
        // Replacing the byte by itself is a read-modify-write that changes nothing. (Adding zero
        // would be one too, but compilers turn it into a fence and a load.)
        while let Err(now) = self.queue.compare_exchange(queue, queue, R2.get(), Relaxed) {
            queue = now;
        }
        Queue(queue)
    }

    /// R3: HELD -> RESERVED. The caller holds the bucket lock and has set or seen `WAKING`.
    pub fn reserve(&self) {
        self.locked.store(reserved(), R3.get());
    }

    /// A1, first half: announces a waiter; whether we are the one who must fence.
    #[must_use]
    pub fn announce(&self) -> bool {
        self.queue.fetch_or(SYMMETRIC, Relaxed) & SYMMETRIC == 0
    }

    /// A2: a heavy fence was executed after the announcement. Also used by a thread that holds
    /// the lock, having taken it after the announcement: its release orders those after it.
    pub fn fenced(&self) {
        self.queue.fetch_or(FENCED, Relaxed);
    }

    /// A4: the holder announces those who will be moved to the queue, unless somebody has begun to.
    pub fn announce_as_holder(&self) {
        let announce = |queue| (queue & SYMMETRIC == 0).then_some(queue | SYMMETRIC | FENCED);
        let _ = self.queue.fetch_update(Relaxed, Relaxed, announce);
    }

    /// A3: back to asymmetric mode, for a holder that saw `queue`.
    #[must_use]
    pub fn try_return_to_asymmetric(&self, Queue(queue): Queue) -> bool {
        let asymmetric = queue & !(SYMMETRIC | FENCED);
        BORN == 0
            && Queue(queue).may_return()
            && self.queue.compare_exchange(queue, asymmetric, Relaxed, Relaxed).is_ok()
    }

    /// P1: makes ready to queue, unless the lock may be taken by `role` after all (P2). The caller
    /// holds the bucket lock; on `true` it queues a thread before it releases that lock.
    #[must_use]
    pub fn try_prepare_park(&self, role: Role) -> bool {
        let drop_waking = if role == Role::Designated { WAKING } else { 0 };
        // Without SYMMETRIC a release could miss us: the mode has ended since we announced.
        let mark = |queue| {
            let marked = with_needs_wake((queue | PARKED) & !drop_waking);
            (queue & SYMMETRIC != 0).then_some(marked)
        };
        let Ok(before) = self.queue.fetch_update(P1.get(), Relaxed, mark) else {
            return false;
        };
        let keep_out = match self.locked() {
            Locked::Held => true,
            Locked::Reserved => role == Role::Newcomer,
            Locked::Free | Locked::Stale(_) => false,
        };
        if !keep_out {
            // P2. While we hold the bucket lock nobody else writes PARKED, nor WAKING if it is ours.
            self.update(|queue| (queue & !PARKED) | (before & (PARKED | drop_waking)));
        }
        keep_out
    }

    /// P3: writes `PARKED` as the queue is; the caller holds the bucket lock.
    pub fn publish(&self, parked: Parked, waking: Waking) {
        self.update(|queue| {
            let queue = match parked {
                Parked::Some => queue | PARKED,
                Parked::None => queue & !PARKED,
            };
            match waking {
                Waking::Keep => queue,
                Waking::Set => queue | WAKING,
                Waking::Resign => resigned(queue),
            }
        });
    }

    /// W1: writes `CONDITIONS` as the queue of those who wait for one is; the caller holds its bucket lock.
    pub fn publish_conditions(&self, parked: Parked) {
        self.update(|queue| match parked {
            Parked::Some => queue | CONDITIONS,
            Parked::None => queue & !CONDITIONS,
        });
    }

    /// P5: makes ready for threads that are moved to the queue, if somebody is designated and will see to
    /// them. The caller holds the bucket lock; on `true` it queues a thread before it releases that lock.
    #[must_use]
    pub fn try_park_behind_designated(&self) -> bool {
        let mark = |queue| (queue & WAKING != 0).then_some(queue | PARKED);
        self.queue.fetch_update(Relaxed, Relaxed, mark).is_ok()
    }

    /// Withdraws the claim of a claimer that leaves the queue; the caller holds the bucket lock.
    pub fn unclaim(&self) {
        self.queue.fetch_and(!CLAIM, Relaxed);
    }

    /// P4: the designated thread gives up, and its claim with it; whether the lock is held, so
    /// that its release will see that nobody is designated (S1, S2). `None`, and nothing is done, if
    /// nobody has announced it. The caller holds the bucket lock.
    #[must_use]
    pub fn resign(&self) -> Option<bool> {
        let give_up = |queue| (queue & SYMMETRIC != 0).then_some(with_needs_wake(resigned(queue)));
        self.queue.fetch_update(P4.get(), Relaxed, give_up).ok()?;
        Some(self.locked() == Locked::Held)
    }

    /// C1: asks for the next release.
    pub fn claim(&self) {
        self.queue.fetch_or(CLAIM, Relaxed);
    }

    fn update(&self, mut change: impl FnMut(u8) -> u8) {
        let updated =
            self.queue.fetch_update(Relaxed, Relaxed, |queue| Some(with_needs_wake(change(queue))));
        debug_assert!(updated.is_ok());
    }
}

/// What becomes of `WAKING`, for [`Word::publish`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waking {
    /// Nothing.
    Keep,
    /// A thread was taken off the queue and is designated now.
    Set,
    /// Nobody is designated; a claim goes with it.
    Resign,
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?}", self.locked(), self.queue())
    }
}
