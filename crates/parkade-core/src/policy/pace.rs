//! What a thread remembers from one wait to the next, whatever the lock: how long it has been
//! running, and whether it meets tiny sections.

use super::{Surroundings, queued::Outcome};
use crate::{deadline::Moment, tuning};
use core::{cell::Cell, sync::atomic::Ordering::Relaxed};

/// Every how many polls a thread reads the clock. In mixed-8, where it was read at each, 4 % of all
/// time went there (`perf record`; docs/decisions/0005).
const POLLS_PER_CLOCK: u32 = 4;

/// Every how many waits a thread tries the largest budget, to learn whether it would pay. guess:
/// 25 us in 32 waits are less than a microsecond a wait.
const WAITS_PER_PROBE: u32 = 32;

/// The same for waits in a queue, where most are for something that is not about to happen: after each probe
/// in vain twice as many, up to this many. guess: 25 us in 1024 waits are nothing.
const MOST_WAITS_PER_PROBE: u32 = 1024;

/// Time with a processor that strangers, threads that never yield here, must have taken to count;
/// also what a waiter of ours is taken to run before it yields, when it polls but rarely. guess:
/// less than a scheduler slice, more than a few turns of ours.
const STRANGERS_NS: u64 = 500_000;

/// The longest interval of yields that strangers bring about. With ten times as much nothing is
/// gained beside a busy process, and waits are longer (docs/decisions/0005).
const LONGEST_INTERVAL_NS: u64 = 1_000_000;

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

/// What a thread remembers from one wait to the next.
#[derive(Debug, Default)]
pub struct Pace {
    polls: Cell<u32>,
    waits: Cell<u32>,
    /// Waits in a queue since the last probe, and how many more than `WAITS_PER_PROBE` it takes.
    queued_waits: Cell<u32>,
    spared: Cell<u32>,
    /// The share of recent waits that were over before the first poll, in `EASY_ALL`ths.
    easy: Cell<u32>,
    /// The end of its last wait, of those that ask for it.
    waited_until_ns: Cell<u64>,
    /// Since when it has been running without yielding or sleeping, as far as the policy knows.
    runs_since_ns: Cell<u64>,
    /// The interval of yields that strangers have brought about; 0 without strangers.
    strangers_ns: Cell<u64>,
    /// How often it had been switched out when that was last looked up, and its yields since.
    switches: Cell<u64>,
    yields: Cell<u64>,
}

/// A thread that has offered its processor: when, which one, and how often that had happened there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Away {
    since: Moment,
    processor: usize,
    yields: u32,
}

impl Pace {
    /// A thread that has never waited.
    #[must_use]
    pub const fn new() -> Pace {
        Pace {
            polls: Cell::new(0),
            waits: Cell::new(0),
            queued_waits: Cell::new(0),
            spared: Cell::new(0),
            easy: Cell::new(0),
            waited_until_ns: Cell::new(0),
            runs_since_ns: Cell::new(0),
            strangers_ns: Cell::new(0),
            switches: Cell::new(0),
            yields: Cell::new(0),
        }
    }

    fn interval_ns(&self) -> u64 {
        tuning::yield_interval_ns().max(self.strangers_ns.get())
    }

    /// Whether the thread, about to poll, has been running for the yield interval.
    pub(super) fn yield_is_due(&self, around: &impl Surroundings) -> bool {
        let polls = self.polls.get().wrapping_add(1);
        self.polls.set(polls);
        if !polls.is_multiple_of(POLLS_PER_CLOCK) {
            return false;
        }
        let (now, interval) = (around.now(), self.interval_ns());
        let ran = now.as_nanos().saturating_sub(self.runs_since_ns.get());
        if ran < interval {
            return false;
        }
        // Out of sight for so long it may have slept elsewhere, and then it owes nobody a turn.
        if ran >= 2 * interval && !self.kept_its_processor(around) {
            self.runs_from(now);
            return false;
        }
        true
    }

    /// Whether the thread has had its processor since it was last asked, but for its yields.
    fn kept_its_processor(&self, around: &impl Surroundings) -> bool {
        let Some(switches) = around.switches() else {
            return true;
        };
        let expected = self.switches.get() + self.yields.take();
        self.switches.set(switches);
        switches <= expected
    }

    /// The thread has just been given a processor.
    pub(super) fn runs_from(&self, now: Moment) {
        self.runs_since_ns.set(now.as_nanos());
    }

    /// The thread is about to yield.
    pub(super) fn yields(&self, around: &impl Surroundings) -> Away {
        self.yields.set(self.yields.get() + 1);
        let (since, processor) = (around.now(), around.processor());
        let yields = around.yields_on(processor).fetch_add(1, Relaxed).wrapping_add(1);
        Away { since, processor, yields }
    }

    /// The thread has yielded and runs again. Whoever had the processor meanwhile, less a turn for
    /// each waiter of ours that passed it on, were strangers, and they do not return favours: the
    /// thread keeps it as long as they did, up to a limit, before it yields again.
    pub(super) fn is_back(&self, around: &impl Surroundings, away: Away) {
        let now = around.now();
        let turns = around.yields_on(away.processor).load(Relaxed).wrapping_sub(away.yields);
        let ours = u64::from(turns).saturating_mul(self.interval_ns().max(STRANGERS_NS));
        let gone = now.as_nanos().saturating_sub(away.since.as_nanos());
        let strangers = gone.saturating_sub(ours);
        let interval =
            if strangers < STRANGERS_NS { 0 } else { strangers.min(LONGEST_INTERVAL_NS) };
        self.strangers_ns.set(interval);
        self.runs_from(now);
    }

    /// A wait is over that did not come to sleeping.
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

    /// A wait has ended.
    pub(super) fn waited_until(&self, now: Moment) {
        self.waited_until_ns.set(now.as_nanos());
    }

    /// Nanoseconds since then.
    pub(super) fn since_wait(&self, now: Moment) -> u64 {
        now.as_nanos().saturating_sub(self.waited_until_ns.get())
    }

    /// Whether the wait that begins is to try the largest budget.
    pub(super) fn probes(&self) -> bool {
        let waits = self.waits.get().wrapping_add(1);
        self.waits.set(waits);
        waits.is_multiple_of(WAITS_PER_PROBE)
    }

    /// The same for a wait in a queue.
    pub(super) fn probes_queued(&self) -> bool {
        let waits = self.queued_waits.get() + 1;
        let probes = waits >= WAITS_PER_PROBE + self.spared.get();
        self.queued_waits.set(if probes { 0 } else { waits });
        probes
    }

    /// How that probe has ended.
    pub(super) fn probed_queued(&self, outcome: Outcome) {
        let spared = match outcome {
            Outcome::Paid => 0,
            Outcome::Failed => {
                let waits = WAITS_PER_PROBE + self.spared.get();
                (2 * waits).min(MOST_WAITS_PER_PROBE) - WAITS_PER_PROBE
            }
        };
        self.spared.set(spared);
    }
}
