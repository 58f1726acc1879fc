//! When to look at a held lock again, and when to stop looking.

use super::{Step, Surroundings, Turns, hints, pace::Away};
use crate::{deadline::Moment, tuning};

/// The longest gap between two polls; from [`tuning::poll_gap`] they double up to it.
const LONGEST_GAP_NS: u32 = 500;

/// The first gap where sections are so short that to share them costs more than they do
/// ([`Pace::takes_turns`](super::Pace)): meanwhile the other thread does dozens of them with the
/// line to itself (docs/decisions/0005).
pub(super) const TURN_NS: u32 = 300;

/// The first gap where a thread waits again and again ([`Turns::WhereFrequent`]). For a reader-writer lock with
/// 10, 300 and 1000 ns: rw-2-0 37, 55 and 71 M, rw-8-0 22, 22 and 29 M, rw-8-50 21, 27 and 33 M operations a
/// second (docs/decisions/0006).
const LONG_TURN_NS: u32 = 1_000;

/// A thread waits again and again if it has done something else for less than this since its last wait: its
/// own turn, and some. With 1500, rw-8-0 and rw-8-50 did 0.93x and 0.84x of what they do with 2500 or 4000. Where threads
/// do 2 us of work under the lock and 2 us outside, gaps so long would cost a tenth.
const FREQUENT_NS: u64 = 2_500;

/// Polling in one stretch after which the holder is presumed to be without a processor; the waiter
/// yields then, and again whenever it has polled twice as long (docs/decisions/0005).
const FIRST_YIELD_NS: u32 = 2_500;

/// What a yield takes out of the budget: about what it costs when nobody else wants the processor.
const YIELD_NS: u32 = 500;

/// Yields in one stretch: each may last as long as the scheduler likes, and the bound on waiting
/// counts them.
const MOST_YIELDS: u32 = 6;

/// How many waiters may poll a lock for long at a time. With more than two processors each of them
/// takes the line from the holder that it waits for, and one is enough to take over: simulated on the
/// machine of parking_lot #338, one does 1.6x std's throughput at 18 threads and 2.5x at 36, all 0.9x
/// and 0.7x. With two
/// there is never more than one other, or it has no processor, and not to count serves waits better
/// (docs/decisions/0005, docs/scaling.md).
const fn most_pollers(processors: u32) -> u8 {
    if processors <= 2 { u8::MAX } else { 1 }
}

/// One stretch of polling: from the arrival, or from a wake-up, until the lock is acquired or the
/// budget is spent.
#[derive(Debug)]
pub(super) struct Polling {
    /// 0 once the stretch has ended in vain.
    budget_ns: u32,
    left_ns: u32,
    /// Time spent in pauses.
    polled_ns: u32,
    gap_ns: u32,
    next_yield_ns: u32,
    yields: u32,
    away: Option<Away>,
    /// Counted among the lock's pollers.
    counted: bool,
}

impl Polling {
    pub(super) fn begin(
        around: &impl Surroundings,
        key: usize,
        deadline: Option<Moment>,
        turns: Turns,
    ) -> Polling {
        let (least, most) = (tuning::spin_ns(), tuning::spin_max_ns());
        // A model has no time to pass.
        let budget = if least == 0 || cfg!(loom) {
            0
        } else if around.pace(|pace| pace.probes()) {
            most.max(least)
        } else {
            around.hints().budget(key, least, most)
        };
        let budget_ns = match deadline {
            None => budget,
            Some(deadline) => deadline.cap(budget, around.now()),
        };
        let first_gap = tuning::poll_gap_ns();
        Polling {
            budget_ns,
            left_ns: budget_ns,
            polled_ns: 0,
            gap_ns: first_gap.max(turn_ns(around, turns)),
            next_yield_ns: FIRST_YIELD_NS,
            yields: 0,
            away: None,
            counted: false,
        }
    }

    pub(super) fn step(
        &mut self,
        around: &impl Surroundings,
        key: usize,
        deadline: Option<Moment>,
    ) -> Step {
        if self.left_ns == 0 {
            if self.budget_ns > 0 && deadline.is_none() {
                around.hints().failed(key, self.budget_ns, tuning::spin_ns());
            }
            return self.give_up(around, key);
        }
        if !self.counted && self.polled_ns >= hints::COUNTS_AFTER_NS {
            let limit = most_pollers(around.processors());
            if limit < u8::MAX {
                if !around.hints().join_pollers(key, limit) {
                    return self.give_up(around, key);
                }
                self.counted = true;
            }
        }
        if self.should_yield(around) {
            // A sleeper is woken at its deadline, a thread that has yielded is not.
            if deadline.is_some() {
                return self.give_up(around, key);
            }
            self.yields += 1;
            self.left_ns = self.left_ns.saturating_sub(YIELD_NS);
            self.away = Some(around.pace(|pace| pace.yields(around)));
            return Step::Yield;
        }
        let gap = self.gap_ns.min(self.left_ns);
        self.left_ns -= gap;
        self.polled_ns += gap;
        self.gap_ns = (2 * self.gap_ns).min(LONGEST_GAP_NS).max(self.gap_ns);
        Step::Pause(gap)
    }

    /// The stretch ends in vain.
    fn give_up(&mut self, around: &impl Surroundings, key: usize) -> Step {
        (self.left_ns, self.budget_ns) = (0, 0);
        self.leave(around, key);
        Step::Park
    }

    /// The waiter polls no more, for whatever reason.
    pub(super) fn leave(&mut self, around: &impl Surroundings, key: usize) {
        if core::mem::take(&mut self.counted) {
            around.hints().leave_pollers(key);
        }
    }

    fn should_yield(&mut self, around: &impl Surroundings) -> bool {
        if self.yields == MOST_YIELDS {
            return false;
        }
        if self.polled_ns >= self.next_yield_ns {
            self.next_yield_ns *= 2;
            return true;
        }
        around.pace(|pace| pace.yield_is_due(around))
    }

    pub(super) fn yielded(&mut self, around: &impl Surroundings) {
        if let Some(away) = self.away.take() {
            around.pace(|pace| pace.is_back(around, away));
        }
    }

    /// The lock was acquired in this stretch.
    pub(super) fn paid(&self, around: &impl Surroundings, key: usize) {
        let least = tuning::spin_ns();
        if self.budget_ns > 0 && self.polled_ns > least / 2 {
            around.hints().paid(key, self.polled_ns, least);
        }
    }
}

/// How long a waiter leaves the lock alone at first to let another have its turn.
fn turn_ns(around: &impl Surroundings, turns: Turns) -> u32 {
    let (takes_it, turn) = match turns {
        Turns::WhereEasy => (around.pace(|pace| pace.takes_turns()), TURN_NS),
        Turns::WhereFrequent => {
            let now = around.now();
            (around.pace(|pace| pace.since_wait(now)) < FREQUENT_NS, LONG_TURN_NS)
        }
    };
    if takes_it { turn } else { 0 }
}
