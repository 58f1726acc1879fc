//! What the policy knows of the world outside a wait: the clock, its thread, and the locks.

use super::Hints;
use crate::{deadline::Moment, tuning};
use core::cell::Cell;

/// Where a wait takes place: this process, or a simulation of one.
pub trait Surroundings {
    /// Reads the clock.
    fn now(&self) -> Moment;

    /// What the waiting thread remembers from one wait to the next.
    fn pace<R>(&self, use_it: impl FnOnce(&Pace) -> R) -> R;

    /// What is known of locks.
    fn hints(&self) -> &Hints;
}

/// This process.
#[derive(Debug, Clone, Copy, Default)]
pub struct Process;

impl Surroundings for Process {
    fn now(&self) -> Moment {
        Moment::now()
    }

    fn pace<R>(&self, use_it: impl FnOnce(&Pace) -> R) -> R {
        thread_local! {
            static PACE: Pace = const { Pace::new() };
        }
        PACE.with(use_it)
    }

    fn hints(&self) -> &Hints {
        static HINTS: Hints = Hints::new();
        &HINTS
    }
}

/// Every how many polls a thread reads the clock: a reading costs a quarter of a poll, and in
/// mixed-8, where it was read at each, 4 % of all time went there (docs/decisions/0005).
const POLLS_PER_CLOCK: u32 = 4;

/// Every how many waits a thread tries the largest budget, to learn whether it would pay. long-8,
/// where it does not, has 5 us of CPU per section for it; cs20us-8, where it does, learns in
/// a millisecond.
const WAITS_PER_PROBE: u32 = 32;

/// The whole of [`Pace::easy`].
const EASY_ALL: u32 = 1 << 16;

/// Above this share of waits that are over before the first poll, threads take turns. Measured
/// (2 cores): 38 % to 71 % where sections are an increment or an empty loop (short-2, short-16,
/// many-32x2), 6 % to 7 % with sections of 20 ns (mixed-2, mixed-8), 2 % with 2 us.
const TAKES_TURNS: u32 = EASY_ALL / 100 * 30;

/// How slowly the share follows: it forgets by half in 22 waits.
const EASY_SHIFT: u32 = 5;

/// What it took to get a lock that was held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effort {
    /// A second look, at once.
    Look,
    /// Polling, at least.
    Polling,
}

/// What a thread remembers from one wait to the next, whatever the lock.
#[derive(Debug, Default)]
pub struct Pace {
    polls: Cell<u32>,
    waits: Cell<u32>,
    /// The share of recent waits that were over before the first poll, in `EASY_ALL`ths.
    easy: Cell<u32>,
    /// Since when it has been running without yielding or sleeping, as far as the policy knows.
    runs_since_ns: Cell<u64>,
}

impl Pace {
    /// A thread that has never waited.
    #[must_use]
    pub const fn new() -> Pace {
        Pace {
            polls: Cell::new(0),
            waits: Cell::new(0),
            easy: Cell::new(0),
            runs_since_ns: Cell::new(0),
        }
    }

    /// The thread has just been given a processor.
    pub(super) fn ran_from(&self, now: Moment) {
        self.runs_since_ns.set(now.as_nanos());
    }

    /// Whether the thread, about to poll, has been running for the yield interval.
    pub(super) fn yield_is_due(&self, now: impl FnOnce() -> Moment) -> bool {
        let polls = self.polls.get().wrapping_add(1);
        self.polls.set(polls);
        polls.is_multiple_of(POLLS_PER_CLOCK)
            && now().as_nanos().saturating_sub(self.runs_since_ns.get())
                >= tuning::yield_interval_ns()
    }

    /// A wait is over.
    pub(super) fn acquired(&self, effort: Effort) {
        let gain = match effort {
            Effort::Look => EASY_ALL >> EASY_SHIFT,
            Effort::Polling => 0,
        };
        let easy = self.easy.get();
        self.easy.set(easy - (easy >> EASY_SHIFT) + gain);
    }

    /// Whether sections are so short that most waits end in the time it takes to look: then the
    /// lock's line wanders more than it works, and threads do better to take it in turns.
    pub(super) fn takes_turns(&self) -> bool {
        self.easy.get() > TAKES_TURNS
    }

    /// Whether the wait that begins is to try the largest budget.
    pub(super) fn probes(&self) -> bool {
        let waits = self.waits.get().wrapping_add(1);
        self.waits.set(waits);
        waits.is_multiple_of(WAITS_PER_PROBE)
    }
}
