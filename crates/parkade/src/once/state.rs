//! The word of a [`Once`](super::Once), of a [`OnceLock`](super::OnceLock) and of a
//! [`LazyLock`](super::LazyLock).
//!
//! # Layout
//!
//! One byte: the phase in two bits (`NEW` 0, `POISONED` 1, `RUNNING` 2, `DONE` 3), and `PARKED` 4
//! (threads or tasks are queued).
//!
//! # Legal words
//!
//! Every phase without `PARKED`; with it every phase but `DONE`. So "complete" is one comparison of the
//! whole byte. Threads may queue at a word that is not `RUNNING`: those that wait for an
//! initialisation which somebody else has to begin.
//!
//! # Bit laws
//!
//! * The phase: changed from `NEW` or `POISONED` to `RUNNING` by whoever begins; from `RUNNING` only by
//!   that one, its *runner*, a thread or a task; `DONE` is final (but for `&mut`). Exact.
//! * `PARKED`: written only under the bucket lock, from the queue itself. It may be set while the queue
//!   is empty in a forked child; never the other way round.
//!
//! # Transitions
//!
//! | id | from -> to | method | ordering | caller holds | model |
//! |---|---|---|---|---|---|
//! | O1 | NEW, POISONED -> RUNNING, PARKED as it was | `attempt` | Acquire | - | `once_failure` |
//! | O2 | RUNNING -> NEW, POISONED, DONE | `try_end` | Release | the run | `once_race` |
//! | O3 | any, unchanged | `is_done`, `phase`, `attempt` | Acquire | - | `once_race` |
//! | O4 | RUNNING \| PARKED -> NEW, POISONED, DONE, PARKED as the queue is | `end` | Release | the run, bucket lock | `once_late`, `once_starter` |
//! | O5 | NEW, POISONED, RUNNING -> +PARKED | `try_prepare_park` | - | bucket lock | `once_race` |
//! | O6 | PARKED as the queue is | `publish` | - | bucket lock | `once_timeout`, `once_task_starter_dropped` |
//! | O7 | NEW, POISONED with PARKED, unchanged | `idle` | - | - | `once_task_starter_dropped` |
//!
//! Which phases make a thread wait, and which end wakes it, depends on what it wants: [`Wish`].
//!
//! # Ordering
//!
//! What the initialisation has written passes from O2 and O4 to O3, and what one that failed has
//! written to the next, O1. Phase and `PARKED` are one byte, so O2 fails when a waiter came first, and
//! O5 fails when O2 did: no wake is lost without any further ordering.
//!
//! # Rejected
//!
//! * To end with a swap and wake whom it has found (`PARKED` outside of the bucket lock): between
//!   the two the `Once` may be freed, and its address be that of another lock, whose waiters would
//!   be woken for nothing.
//! * To keep the runner's identity in the byte, for re-entry: five bits cannot name a thread. The runner
//!   knows itself what it runs (`reentry.rs`).
#![forbid(unsafe_code)]

use super::edges::{O1, O2, O3, O4};
use crate::parked::Parked;
use core::fmt;
use parkade_core::{
    ParkToken,
    shim::{AtomicU8, Ordering::Relaxed},
};

pub(super) const NEW: u8 = 0;
pub(super) const POISONED: u8 = 1;
pub(super) const RUNNING: u8 = 2;
pub(super) const DONE: u8 = 3;
const PHASE: u8 = 3;
pub(super) const PARKED: u8 = 4;

/// Where an initialisation is; in the byte without `PARKED`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    New,
    Poisoned,
    Running,
    Done,
}

impl Phase {
    fn of(word: u8) -> Phase {
        match word & PHASE {
            NEW => Phase::New,
            POISONED => Phase::Poisoned,
            RUNNING => Phase::Running,
            _ => Phase::Done,
        }
    }
}

/// How an initialisation ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It is complete.
    Done,
    /// It panicked.
    Poisoned,
    /// It gave up, and it is as if it had not begun.
    New,
}

impl End {
    fn bits(self) -> u8 {
        match self {
            End::Done => DONE,
            End::Poisoned => POISONED,
            End::New => NEW,
        }
    }

    fn phase(self) -> Phase {
        Phase::of(self.bits())
    }
}

/// What an initialisation finds when it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    /// None was ever begun, or those that were gave up.
    New,
    /// The last one panicked.
    Poisoned,
}

/// What poison means to a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Poison {
    /// It is an error.
    Heed,
    /// It is as good as new.
    Ignore,
}

/// What a thread has come for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aim {
    /// To initialise, unless another does it first.
    Run,
    /// That another has initialised.
    Wait,
}

/// All that matters of a thread that wants something of the word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) aim: Aim,
    pub(crate) poison: Poison,
}

/// Whether the end of an initialisation wakes a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wakes {
    Always,
    /// The first of these: one is enough to begin anew.
    First,
    Never,
}

/// What a thread does that finds the word in some phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Begin(Before),
    Done,
    Poisoned,
    Wait,
}

impl Wish {
    /// Above the bit that says "a task".
    const RUN: usize = 2;
    const HEED: usize = 4;

    /// The wish as the table keeps it.
    pub(super) fn token(self) -> ParkToken {
        let aim = if self.aim == Aim::Run { Wish::RUN } else { 0 };
        let poison = if self.poison == Poison::Heed { Wish::HEED } else { 0 };
        ParkToken(aim | poison)
    }

    pub(super) fn of(ParkToken(token): ParkToken) -> Wish {
        Wish {
            aim: if token & Wish::RUN != 0 { Aim::Run } else { Aim::Wait },
            poison: if token & Wish::HEED != 0 { Poison::Heed } else { Poison::Ignore },
        }
    }

    /// Whom an end lets go on is woken; of those who would all begin anew, one.
    pub(super) fn woken_by(self, end: End) -> Wakes {
        match self.at(end.phase()) {
            Verdict::Done | Verdict::Poisoned => Wakes::Always,
            Verdict::Begin(_) => Wakes::First,
            Verdict::Wait => Wakes::Never,
        }
    }

    /// What to do with a word in that phase.
    fn at(self, phase: Phase) -> Verdict {
        match (phase, self.aim, self.poison) {
            (Phase::Done, ..) => Verdict::Done,
            (Phase::Running, ..) => Verdict::Wait,
            (Phase::Poisoned, _, Poison::Heed) => Verdict::Poisoned,
            (Phase::Poisoned, Aim::Run, Poison::Ignore) => Verdict::Begin(Before::Poisoned),
            (Phase::New, Aim::Run, _) => Verdict::Begin(Before::New),
            (Phase::New | Phase::Poisoned, Aim::Wait, _) => Verdict::Wait,
        }
    }
}

/// What came of an attempt to have one's wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(super) enum Attempt {
    /// The caller is the runner.
    Begun(Before),
    /// Another has initialised.
    Done,
    /// Another has panicked.
    Poisoned,
    /// Another is at it, with or without a queue behind it.
    Busy(Parked),
    /// Nobody is at it, and the caller does not want to be who is.
    Idle,
}

#[repr(transparent)]
pub(super) struct Word(AtomicU8);

impl Word {
    parkade_core::const_unless_loom! {
        pub(super) fn new() -> Word {
            Word(AtomicU8::new(NEW))
        }
    }

    parkade_core::const_unless_loom! {
        pub(super) fn done() -> Word {
            Word(AtomicU8::new(DONE))
        }
    }

    #[cfg(all(test, not(loom)))]
    pub(super) fn of(byte: u8) -> Word {
        Word(AtomicU8::new(byte))
    }

    #[cfg(all(test, not(loom)))]
    pub(super) fn byte(&self) -> u8 {
        self.0.load(Relaxed)
    }

    #[cfg(all(test, loom))]
    pub(super) fn is_parked(&self) -> bool {
        self.0.load(Relaxed) & PARKED != 0
    }

    /// O3.
    #[inline(always)]
    pub(super) fn is_done(&self) -> bool {
        self.0.load(O3.get()) == DONE
    }

    /// O3.
    #[inline(always)]
    pub(super) fn phase(&self) -> Phase {
        Phase::of(self.0.load(O3.get()))
    }

    /// O1 if that is the wish and its time; else O3.
    pub(super) fn attempt(&self, wish: Wish) -> Attempt {
        let mut word = self.0.load(O3.get());
        loop {
            let phase = Phase::of(word);
            let before = match wish.at(phase) {
                Verdict::Begin(before) => before,
                Verdict::Done => return Attempt::Done,
                Verdict::Poisoned => return Attempt::Poisoned,
                Verdict::Wait if phase == Phase::Running => {
                    return Attempt::Busy((word & PARKED != 0).into());
                }
                Verdict::Wait => return Attempt::Idle,
            };
            let running = RUNNING | (word & PARKED);
            match self.0.compare_exchange_weak(word, running, O1.get(), O3.get()) {
                Ok(_) => return Attempt::Begun(before),
                Err(found) => word = found,
            }
        }
    }

    /// O2; fails if threads are queued.
    #[must_use]
    pub(super) fn try_end(&self, end: End) -> bool {
        self.0.compare_exchange(RUNNING, end.bits(), O2.get(), Relaxed).is_ok()
    }

    /// O4: those whom the end concerns have left the queue. Nobody else writes while the word is
    /// `RUNNING` but under the bucket lock, so it may be a store.
    pub(super) fn end(&self, end: End, parked: Parked) {
        let parked = if parked == Parked::Some { PARKED } else { 0 };
        debug_assert!(end != End::Done || parked == 0, "queued at what is complete");
        self.0.store(end.bits() | parked, O4.get());
    }

    /// O5; fails if the wish need not wait.
    #[must_use]
    pub(super) fn try_prepare_park(&self, wish: Wish) -> bool {
        let waits = |word| wish.at(Phase::of(word)) == Verdict::Wait;
        self.0.fetch_update(Relaxed, Relaxed, |word| waits(word).then_some(word | PARKED)).is_ok()
    }

    /// O7: how the last initialisation has ended, if none has begun since and somebody is queued. Without the bucket lock this
    /// may be old, but not older than the end that has woken the caller.
    pub(super) fn idle(&self) -> Option<End> {
        let word = self.0.load(Relaxed);
        match Phase::of(word) {
            Phase::New if word & PARKED != 0 => Some(End::New),
            Phase::Poisoned if word & PARKED != 0 => Some(End::Poisoned),
            _ => None,
        }
    }

    /// O6: a waiter has left the queue.
    pub(super) fn publish(&self, parked: Parked) {
        if parked == Parked::None {
            self.0.fetch_and(!PARKED, Relaxed);
        }
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.0.load(Relaxed);
        Phase::of(word).fmt(f)?;
        f.write_str(if word & PARKED != 0 { " {PARKED}" } else { "" })
    }
}
