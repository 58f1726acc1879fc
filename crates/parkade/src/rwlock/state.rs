//! The word of a [`RwLock`](super::RwLock) that all who come and go change: its layout, legal values and
//! transitions. The second word, the bias, is in `period.rs`.
//!
//! # Layout
//!
//! 32 bits:
//!
//! | bit | meaning |
//! |---|---|
//! | `EXCLUSIVE` 1 | a writer is in |
//! | `PENDING` 2 | a writer, or an upgradable reader that upgrades, is next: it waits for readers to leave |
//! | `UPGRADABLE` 4 | an upgradable reader is in (it is not counted) |
//! | `BIASED` 8 | readers may be in that are not counted, but have slots of their threads |
//! | `PARKED` 16 | threads are queued |
//! | `WAKING` 32 | one thread, the *designated* one, was taken off the queue and is up |
//! | `CLAIM_SHARED` 64 | the first in line claims the lock: no newcomer writes or reads upgradably |
//! | `CLAIM_EXCLUSIVE` 128 | the first in line claims the lock: no newcomer at all |
//! | `DRAIN_PARKED` 256 | whoever is `PENDING` sleeps |
//! | the rest | the number of counted readers |
//!
//! # Legal words
//!
//! `EXCLUSIVE` stands without `PENDING`, `UPGRADABLE` and readers; `PENDING` without
//! `UPGRADABLE`, and `UPGRADABLE` without a full count: an upgradable reader can become a counted one, so
//! its place is kept, also while it is `PENDING`. `DRAIN_PARKED` implies `PENDING`. A claim implies a claimer (`WAKING` or `PARKED`), and
//! there is one at most.
//!
//! # Bit laws
//!
//! * `EXCLUSIVE`, `PENDING`, `UPGRADABLE` and the count: exact, changed by holders and those who become
//!   them. A *recursive* reader may be counted while somebody is `PENDING`, nobody else.
//! * `PARKED`: equals "the queue is not empty" whenever no bucket lock is held; written only under the
//!   bucket lock, always from the queue itself.
//! * `WAKING`: set under the bucket lock by whoever takes the designated thread off the queue; cleared
//!   by that thread alone, in the step in which it acquires (T1), parks again (P1) or gives up (P4).
//! * Claims: set by the designated thread (C1), or for it by a fair release (R4), or by a task that wants to write as it
//!   queues while readers are in (P1): a task's claim lasts as long as it is queued, and is cleared by whoever takes a
//!   task off the queue, if no thread with it. Cleared with
//!   `WAKING` in T1 and P4, by the claimer that times out in the queue, under the bucket lock, and with
//!   the last of `PARKED` and `WAKING`. Survive its parking again, but not that another who was
//!   designated in the meantime (out of turn) acquires: then it claims anew when it is up.
//! * `BIASED`: set by a counted reader (G1) while nobody is `PENDING`; cleared by T2, after a scan that
//!   found no slot, unless the period is to go on after the write.
//! * `DRAIN_PARKED`: set and cleared under the bucket lock of the drain queue; cleared with `PENDING`.
//!
//! # Transitions
//!
//! `transitions.rs` lists them, of both words; a test walks every legal word through each.
//!
//! # Ordering
//!
//! * *Data*: every way out releases (W3, W4, W5), every way in acquires (W1, W2, W6). Changes in
//!   between are read-modify-writes, so one acquire meets all releases before it.
//! * *Bias against a writer on its way*: a counted reader may switch the bias on after `PENDING` was set,
//!   but only before it leaves (W3). So `PENDING` looks at the bias, to interrupt it, to scan or to
//!   sleep, only after it has seen with W7 that nobody is counted.
//! * *No lost wake*: holders, `PARKED` and `WAKING` are bits of one word, so P1 either sees that the lock
//!   may be taken, or whoever makes it so sees `PARKED`. The same for `DRAIN_PARKED` and the count; for
//!   `DRAIN_PARKED` and slots `period.rs` has the protocol.
//!
//! # Rejected
//!
//! * One 64-bit word: 32-bit systems would need another layout.
//! * `EXCLUSIVE` while draining: a recursive reader could not tell whether it may pass.
#![forbid(unsafe_code)]

use super::edges::{W1, W2, W3, W4, W5, W6, W7, W8};
use crate::parked::Parked;
use core::fmt;
use parkade_core::shim::{AtomicU32, Edge, Ordering, Ordering::Relaxed};

const EXCLUSIVE: u32 = 1;
const PENDING: u32 = 1 << 1;
const UPGRADABLE: u32 = 1 << 2;
const BIASED: u32 = 1 << 3;
const PARKED: u32 = 1 << 4;
const WAKING: u32 = 1 << 5;
const CLAIM_SHARED: u32 = 1 << 6;
const CLAIM_EXCLUSIVE: u32 = 1 << 7;
const DRAIN_PARKED: u32 = 1 << 8;
const READER: u32 = 1 << 9;
const READERS: u32 = !(READER - 1);

const CLAIMS: u32 = CLAIM_SHARED | CLAIM_EXCLUSIVE;
/// The designated thread is designated no longer, and its claim goes with it.
const SETTLED: u32 = !(WAKING | CLAIMS);
/// The fast path leaves the last half of the count to the slow one, which knows when it is full.
const MANY_READERS: u32 = 1 << 31;

/// How a lock is held or wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// With other readers.
    Shared,
    /// As `Shared`, by a thread that may be among those whom a `PENDING` waits for: it passes that one,
    /// and claims.
    Recursive,
    /// With readers, but with nobody else who may write.
    Upgradable,
    /// Alone.
    Exclusive,
}

impl Mode {
    /// The bit or the unit by which the word says that somebody holds the lock so.
    const fn unit(self) -> u32 {
        match self {
            Mode::Shared | Mode::Recursive => READER,
            Mode::Upgradable => UPGRADABLE,
            Mode::Exclusive => EXCLUSIVE,
        }
    }

    /// The ordering with which a holder leaves.
    const fn leaves(self) -> Edge {
        match self {
            Mode::Shared | Mode::Recursive => W3,
            Mode::Upgradable => W5,
            Mode::Exclusive => W4,
        }
    }
}

/// Whether claims keep a thread out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// They do.
    Newcomer,
    /// It was taken off the queue with `WAKING`: they are its own.
    Designated,
}

/// What a writer does that finds readers, and nobody else, in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manners {
    /// It leaves them alone, for so many looks: where sections are short there is a gap soon, and to
    /// keep newcomers out costs them more than it gains.
    Polite {
        /// The looks left.
        looks: u8,
    },
    /// It becomes `PENDING`.
    Insistent,
}

impl Manners {
    /// Looks before a writer insists. With 0, 6 and 8, operations in rw-8-90 and rw-8-50 are 17, 25 and 26 M
    /// and 14, 20 and 21 M a second; with 4, 6 and 8, in rw-32-95, 4.2, 3.8 and 3.7 M
    /// (docs/decisions/0006).
    const LOOKS: u8 = 6;

    /// How a wait begins.
    pub(super) fn of(mode: Mode) -> Manners {
        match mode {
            Mode::Exclusive => Manners::Polite { looks: Manners::LOOKS },
            Mode::Shared | Mode::Recursive | Mode::Upgradable => Manners::Insistent,
        }
    }

    /// After one more look that found readers.
    pub(super) fn after_a_look(self) -> Manners {
        match self {
            Manners::Polite { looks } if looks > 1 => Manners::Polite { looks: looks - 1 },
            Manners::Polite { .. } | Manners::Insistent => Manners::Insistent,
        }
    }
}

/// A snapshot of the word.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Snapshot(u32);

impl Snapshot {
    #[cfg(all(test, not(loom)))]
    pub(super) fn bits(self) -> u32 {
        self.0
    }
    /// Counted readers.
    pub(super) fn readers(self) -> u32 {
        (self.0 & READERS) / READER
    }
    pub(super) fn exclusive(self) -> bool {
        self.0 & EXCLUSIVE != 0
    }
    pub(super) fn pending(self) -> bool {
        self.0 & PENDING != 0
    }
    pub(super) fn upgradable(self) -> bool {
        self.0 & UPGRADABLE != 0
    }
    pub(super) fn biased(self) -> bool {
        self.0 & BIASED != 0
    }
    pub(super) fn parked(self) -> bool {
        self.0 & PARKED != 0
    }
    pub(super) fn waking(self) -> bool {
        self.0 & WAKING != 0
    }
    pub(super) fn claimed(self) -> bool {
        self.0 & CLAIMS != 0
    }
    pub(super) fn drain_parked(self) -> bool {
        self.0 & DRAIN_PARKED != 0
    }
    /// Somebody is queued, or up and first in line, or waits for readers to leave.
    pub(super) fn has_line(self) -> bool {
        self.0 & (PARKED | WAKING | PENDING) != 0
    }
    /// A release may have to wake somebody: threads are queued and none of them is on its way, or the
    /// one that is `PENDING` sleeps.
    #[inline(always)]
    pub(super) fn needs_attention(self) -> bool {
        self.0 & (PARKED | WAKING) == PARKED || self.0 & DRAIN_PARKED != 0
    }
    /// Readers may enter, but for claims.
    pub(super) fn admits_readers(self) -> bool {
        self.0 & (EXCLUSIVE | PENDING) == 0
    }
    /// Counted readers, an upgradable one, or a writer.
    pub(super) fn is_held(self) -> bool {
        self.0 & (EXCLUSIVE | UPGRADABLE | READERS) != 0
    }
    /// Whether it is held in `mode`.
    pub(super) fn is_held_as(self, mode: Mode) -> bool {
        match mode {
            Mode::Shared | Mode::Recursive => self.readers() > 0,
            Mode::Upgradable => self.upgradable(),
            Mode::Exclusive => self.exclusive(),
        }
    }
    /// Whether the bits agree with each other ("Legal words").
    #[cfg(test)]
    pub(super) fn is_legal(self) -> bool {
        let not_both = |a: u32, b: u32| self.0 & a == 0 || self.0 & b == 0;
        not_both(EXCLUSIVE, PENDING | UPGRADABLE | READERS)
            && not_both(PENDING, UPGRADABLE)
            && (!self.upgradable() || self.0 & READERS != READERS)
            && (!self.drain_parked() || self.pending())
            && (!self.claimed() || self.waking() || self.parked())
            && self.0 & CLAIMS != CLAIMS
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [(u32, &str); 9] = [
            (EXCLUSIVE, "EXCLUSIVE"),
            (PENDING, "PENDING"),
            (UPGRADABLE, "UPGRADABLE"),
            (BIASED, "BIASED"),
            (PARKED, "PARKED"),
            (WAKING, "WAKING"),
            (CLAIM_SHARED, "CLAIM_SHARED"),
            (CLAIM_EXCLUSIVE, "CLAIM_EXCLUSIVE"),
            (DRAIN_PARKED, "DRAIN_PARKED"),
        ];
        write!(f, "{} readers ", self.readers())?;
        let set = NAMES.iter().filter(|(bit, _)| self.0 & bit != 0).map(|(_, name)| name);
        f.debug_set().entries(set).finish()
    }
}

/// Whether claims count: in a forked child they may be those of threads that do not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claims {
    Count,
    AreVoid,
}

impl Snapshot {
    /// Whether somebody or a claim keeps a newcomer from that mode.
    pub(super) fn keeps_out(self, mode: Mode, claims: Claims) -> bool {
        keeps_out(self.0, mode, Standing::Newcomer, claims)
    }
}

/// Whether a word keeps a thread of that standing from a mode.
const fn keeps_out(word: u32, mode: Mode, standing: Standing, claims: Claims) -> bool {
    let holders = match mode {
        Mode::Recursive => EXCLUSIVE,
        Mode::Shared => EXCLUSIVE | PENDING,
        Mode::Upgradable | Mode::Exclusive => EXCLUSIVE | PENDING | UPGRADABLE,
    };
    let claims = match (mode, standing, claims) {
        (_, Standing::Designated, _) | (_, _, Claims::AreVoid) | (Mode::Recursive, _, _) => 0,
        // A claimer that waits for an upgradable reader does not wait for other readers yet; and
        // the upgradable reader may want to read.
        (Mode::Shared, _, _) if word & UPGRADABLE != 0 => 0,
        (Mode::Shared, _, _) => CLAIM_EXCLUSIVE,
        (Mode::Upgradable | Mode::Exclusive, _, _) => CLAIMS,
    };
    word & (holders | claims) != 0
}

/// Whether the count has no room for another in that mode.
const fn is_full(word: u32, mode: Mode) -> bool {
    let readers = word & READERS;
    match mode {
        Mode::Exclusive => false,
        // It may downgrade.
        Mode::Upgradable => readers == READERS,
        // Who is `PENDING` may have been upgradable, and be that again.
        Mode::Shared | Mode::Recursive if word & (UPGRADABLE | PENDING) != 0 => {
            readers >= READERS - READER
        }
        Mode::Shared | Mode::Recursive => readers == READERS,
    }
}

/// What came of an attempt to take the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempt {
    /// It is taken.
    Acquired,
    /// It is the caller's turn to write, once readers have left.
    Pending,
    /// Others hold it, or are first.
    Busy,
    /// Nobody but readers are in, and the caller is polite.
    Read,
    /// The word changed meanwhile: somebody else works on it.
    Contended,
    /// There are more readers than can be counted.
    Full,
}

/// The central word.
pub(super) struct Word(AtomicU32);

impl Word {
    parkade_core::const_unless_loom! {
        pub(super) fn new() -> Word {
            Word(AtomicU32::new(0))
        }
    }

    /// Held by its maker in `mode`, with nobody waiting.
    #[cfg(feature = "keyed")]
    #[inline(always)]
    pub(super) fn new_held(mode: Mode) -> Word {
        Word(AtomicU32::new(mode.unit()))
    }

    /// For tests: any word at all.
    #[cfg(all(test, not(loom)))]
    pub(super) fn of(bits: u32) -> Word {
        Word(AtomicU32::new(bits))
    }

    #[inline(always)]
    pub(super) fn load(&self) -> Snapshot {
        Snapshot(self.0.load(Relaxed))
    }

    /// For whoever is `PENDING`, before it looks at the bias: what readers did to that before they left
    /// is seen.
    pub(super) fn load_after_readers(&self) -> Snapshot {
        Snapshot(self.0.load(W7.get()))
    }

    /// T1 for a newcomer that reads, at the first go.
    #[inline(always)]
    #[must_use]
    pub(super) fn try_read_at_once(&self) -> bool {
        // What may keep a reader out; the slow path looks again.
        const KEEP_OUT: u32 = EXCLUSIVE | PENDING | CLAIM_EXCLUSIVE | MANY_READERS;
        // The look at the bias has asked for the line to read it; this asks for it to write.
        parkade_core::shim::prefetch(&self.0);
        let word = self.0.load(Relaxed);
        word & KEEP_OUT == 0
            && self.0.compare_exchange(word, word + READER, W1.get(), Relaxed).is_ok()
    }

    /// T1 for a newcomer that writes, at the first go: in a lock that nobody holds, though threads may be
    /// queued.
    #[inline(always)]
    #[must_use]
    pub(super) fn try_write_at_once(&self) -> bool {
        let enter = |word| self.0.compare_exchange(word, word | EXCLUSIVE, W1.get(), Relaxed);
        match enter(0) {
            Ok(_) => true,
            Err(word) => word & !(PARKED | WAKING) == 0 && enter(word).is_ok(),
        }
    }

    /// T1.
    pub(super) fn try_acquire(
        &self,
        mode: Mode,
        standing: Standing,
        claims: Claims,
        manners: Manners,
    ) -> Attempt {
        let Snapshot(word) = self.load();
        if keeps_out(word, mode, standing, claims) {
            return Attempt::Busy;
        }
        let taken = match mode {
            _ if is_full(word, mode) => return Attempt::Full,
            Mode::Shared | Mode::Recursive => word + READER,
            Mode::Upgradable => word | UPGRADABLE,
            Mode::Exclusive if word & (READERS | BIASED) == 0 => word | EXCLUSIVE,
            Mode::Exclusive if word & READERS != 0 && manners != Manners::Insistent => {
                return Attempt::Read;
            }
            Mode::Exclusive => word | PENDING,
        };
        let taken = if standing == Standing::Designated { taken & SETTLED } else { taken };
        match self.0.compare_exchange(word, taken, W1.get(), Relaxed) {
            Ok(_) if taken & PENDING != 0 && mode == Mode::Exclusive => Attempt::Pending,
            Ok(_) => Attempt::Acquired,
            Err(_) => Attempt::Contended,
        }
    }

    /// T2: whoever is `PENDING` enters, unless a reader is counted. If `BIASED` is set, the caller has
    /// cleared `ACTIVE`, fenced, and found no slot.
    #[must_use]
    pub(super) fn try_enter(&self, outcome: Outcome) -> bool {
        let goes = match outcome {
            Outcome::Ends => PENDING | BIASED,
            Outcome::GoesOn => PENDING,
        };
        let enter = |word| (word & READERS == 0).then_some((word & !goes) | EXCLUSIVE);
        self.0.fetch_update(W2.get(), Relaxed, enter).is_ok()
    }

    /// T3: whoever is `PENDING` gives up and is again what it was; returns the word then.
    pub(super) fn retreat(&self, to: Retreat) -> Snapshot {
        let back = match to {
            Retreat::Out => 0,
            Retreat::Upgradable => UPGRADABLE,
        };
        self.update(W8.get(), |word| (word & !(PENDING | DRAIN_PARKED)) | back)
    }

    /// T4: the upgradable reader is next to write; whether it is in at once.
    pub(super) fn begin_upgrade(&self) -> Attempt {
        let begin = |word: u32| {
            let alone = word & (READERS | BIASED) == 0;
            (word & !UPGRADABLE) | if alone { EXCLUSIVE } else { PENDING }
        };
        let Snapshot(word) = self.update(W6.get(), begin);
        if word & EXCLUSIVE != 0 { Attempt::Acquired } else { Attempt::Pending }
    }

    /// T5, T6: a holder becomes a weaker one; returns the word then.
    pub(super) fn downgrade(&self, from: Mode, to: Mode) -> Snapshot {
        // An upgradable reader stays one among others: what it has read is released when it leaves.
        let order = if from == Mode::Exclusive { W4.get() } else { Relaxed };
        self.update(order, |word| (word & !from.unit()) + to.unit())
    }

    /// R1, R2, R3; returns the word then.
    #[inline(always)]
    pub(super) fn release(&self, mode: Mode) -> Snapshot {
        // Exact: nobody but the holder takes its bit or its unit away.
        let before = self.0.fetch_sub(mode.unit(), mode.leaves().get());
        Snapshot(before - mode.unit())
    }

    /// R4: releases, and reserves the lock for the designated thread: that which the caller has just
    /// taken off the queue (`Waking::Set`), or that which is up. Not if somebody is `PENDING`, who is
    /// first anyway. The caller holds the bucket lock. Returns the word then.
    pub(super) fn release_and_reserve(
        &self,
        mode: Mode,
        parked: Parked,
        waking: Waking,
    ) -> Snapshot {
        self.update(mode.leaves().get(), |word| {
            let word = with_queue(word - mode.unit(), parked, waking);
            // A designated thread may have acquired in this very moment.
            let reserves = word & WAKING != 0 && word & PENDING == 0;
            if reserves { (word & !CLAIMS) | CLAIM_EXCLUSIVE } else { word }
        })
    }

    /// P1: makes ready to queue; the word then, or `None` if nothing keeps the caller out. The caller
    /// holds the bucket lock and queues a thread before it releases that lock.
    pub(super) fn try_prepare_park(
        &self,
        mode: Mode,
        standing: Standing,
        claims: Claims,
    ) -> Option<Snapshot> {
        let drop_waking = if standing == Standing::Designated { WAKING } else { 0 };
        let prepare = |word: u32| {
            keeps_out(word, mode, standing, claims).then_some((word | PARKED) & !drop_waking)
        };
        let before = self.0.fetch_update(Relaxed, Relaxed, prepare).ok()?;
        Some(Snapshot((before | PARKED) & !drop_waking))
    }

    /// P1 for a task that wants to write, or to upgrade, and is `PENDING` at no time that it does not use: it waits in the queue
    /// for readers to leave. Marks the word whatever it is, and returns what it was before; the caller holds the bucket
    /// lock, and queues the task, or takes the mark back.
    ///
    /// Readers that come later queue behind a task that `claims`.
    pub(super) fn prepare_task(&self, claims: TaskClaims) -> Snapshot {
        let mark = |word: u32| {
            let claims_now = claims == TaskClaims::IfReaders && word & READERS != 0;
            let claim = if claims_now && word & CLAIMS == 0 { CLAIM_EXCLUSIVE } else { 0 };
            Some(word | PARKED | claim)
        };
        match self.0.fetch_update(W7.get(), Relaxed, mark) {
            Ok(before) | Err(before) => Snapshot(before),
        }
    }

    /// P3: writes `PARKED` as the queue is; the caller holds the bucket lock.
    pub(super) fn publish(&self, parked: Parked, waking: Waking) {
        self.update(Relaxed, |word| with_queue(word, parked, waking));
    }

    /// P4: the designated thread gives up; returns the word then.
    pub(super) fn resign(&self) -> Snapshot {
        Snapshot(self.0.fetch_and(SETTLED, Relaxed) & SETTLED)
    }

    /// C1: the designated thread claims what it wants.
    pub(super) fn claim(&self, mode: Mode) {
        let claim = match mode {
            Mode::Shared | Mode::Recursive | Mode::Upgradable => CLAIM_SHARED,
            Mode::Exclusive => CLAIM_EXCLUSIVE,
        };
        // A reservation (R4) is the stronger claim.
        self.update(Relaxed, |word| match word & CLAIMS {
            CLAIM_EXCLUSIVE => word,
            _ => (word & !CLAIMS) | claim,
        });
    }

    /// C2; the caller holds the bucket lock.
    pub(super) fn unclaim(&self) {
        self.0.fetch_and(!CLAIMS, Relaxed);
    }

    /// D1, if there are counted readers; the caller is `PENDING` and holds the drain queue's lock.
    #[must_use]
    pub(super) fn try_sleep_for_readers(&self) -> bool {
        let sleep = |word| (word & READERS != 0).then_some(word | DRAIN_PARKED);
        self.0.fetch_update(Relaxed, Relaxed, sleep).is_ok()
    }

    /// D1, because of slots; the caller is as above, executes the fence of edge X2 and then scans.
    pub(super) fn sleep_for_slots(&self) {
        self.0.fetch_or(DRAIN_PARKED, Relaxed);
    }

    /// D2; the caller holds the drain queue's lock.
    pub(super) fn woken_from_drain(&self) {
        self.0.fetch_and(!DRAIN_PARKED, Relaxed);
    }

    /// G1, first half: the caller is a counted reader, and sets the bias next if this is `true`.
    #[must_use]
    pub(super) fn try_bias(&self) -> bool {
        // Where anybody waits it is not the time.
        let bias = |word| (word & !(READERS | UPGRADABLE) == 0).then_some(word | BIASED);
        self.0.fetch_update(Relaxed, Relaxed, bias).is_ok()
    }

    fn update(&self, order: Ordering, mut change: impl FnMut(u32) -> u32) -> Snapshot {
        let mut word = self.0.load(Relaxed);
        loop {
            let changed = change(word);
            match self.0.compare_exchange(word, changed, order, Relaxed) {
                Ok(_) => return Snapshot(changed),
                Err(now) => word = now,
            }
        }
    }
}

const fn with_queue(word: u32, parked: Parked, waking: Waking) -> u32 {
    let word = match parked {
        Parked::Some => word | PARKED,
        Parked::None => word & !PARKED,
    };
    let word = match waking {
        Waking::Keep => word,
        Waking::Set => word | WAKING,
        Waking::Tasks if word & WAKING == 0 => word & !CLAIMS,
        Waking::Tasks => word,
    };
    // A claimer may have been let in as a follower.
    if word & (PARKED | WAKING) == 0 { word & !CLAIMS } else { word }
}

/// What becomes of `WAKING`, for [`Word::publish`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waking {
    /// Nothing.
    Keep,
    /// A thread was taken off the queue and is designated now.
    Set,
    /// Only tasks were, or one has left: what it claimed, nobody claims any more.
    Tasks,
}

/// Whether a task that queues claims the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TaskClaims {
    Never,
    /// If readers are in.
    IfReaders,
}

/// What becomes of the period of bias that a writer has interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is over.
    Ends,
    /// It goes on when the writer leaves.
    GoesOn,
}

/// What a `PENDING` that gives up was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retreat {
    /// Nothing: it wanted to write.
    Out,
    /// The upgradable reader.
    Upgradable,
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.load().fmt(f)
    }
}
