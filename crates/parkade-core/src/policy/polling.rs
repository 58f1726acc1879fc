//! When to look at a held lock again, and when to stop looking.

use super::{Step, Surroundings};
use crate::tuning;

/// The longest gap between two polls; from [`tuning::poll_gap`] they double up to it.
const LONGEST_GAP_NS: u32 = 500;

/// The first gap where sections are so short that to share them costs more than they do
/// ([`Pace::takes_turns`](super::Pace)): meanwhile the other thread does a hundred of them with the
/// line to itself (docs/decisions/0005).
const TURN_NS: u32 = 300;

/// Polling in one wait after which the holder is presumed to be without a processor; the waiter
/// yields then, and again whenever it has polled twice as long (docs/decisions/0005).
const FIRST_YIELD_NS: u32 = 2_500;

/// What a yield takes out of the budget: about what it costs when nobody else wants the processor.
const YIELD_NS: u32 = 500;

/// One stretch of polling: from the arrival, or from a wake-up, until the lock is acquired or the
/// budget is spent.
#[derive(Debug)]
pub(super) struct Polling {
    budget_ns: u32,
    left_ns: u32,
    /// Time spent in pauses.
    polled_ns: u32,
    gap_ns: u32,
    next_yield_ns: u32,
}

impl Polling {
    pub(super) fn begin(surroundings: &impl Surroundings, key: usize) -> Polling {
        let (least, most) = (tuning::spin_ns(), tuning::spin_max_ns());
        // A model has no time to pass.
        let budget_ns = if least == 0 || cfg!(loom) {
            0
        } else if surroundings.pace(|pace| pace.probes()) {
            most.max(least)
        } else {
            surroundings.hints().budget(key, least, most)
        };
        Polling {
            budget_ns,
            left_ns: budget_ns,
            polled_ns: 0,
            gap_ns: if surroundings.pace(|pace| pace.takes_turns()) {
                tuning::poll_gap_ns().max(TURN_NS)
            } else {
                tuning::poll_gap_ns()
            },
            next_yield_ns: FIRST_YIELD_NS,
        }
    }

    pub(super) fn step(&mut self, surroundings: &impl Surroundings, key: usize) -> Step {
        if self.left_ns == 0 {
            if self.budget_ns > 0 {
                surroundings.hints().failed(key, self.budget_ns, tuning::spin_ns());
                self.budget_ns = 0;
            }
            return Step::Park;
        }
        let stuck = self.polled_ns >= self.next_yield_ns;
        let due = surroundings.pace(|pace| pace.yield_is_due(|| surroundings.now()));
        if stuck {
            self.next_yield_ns *= 2;
        }
        if stuck || due {
            self.left_ns = self.left_ns.saturating_sub(YIELD_NS);
            return Step::Yield;
        }
        let gap = self.gap_ns.min(self.left_ns);
        self.left_ns -= gap;
        self.polled_ns += gap;
        self.gap_ns = (2 * self.gap_ns).min(LONGEST_GAP_NS).max(self.gap_ns);
        Step::Pause(gap)
    }

    /// The lock was acquired by polling.
    pub(super) fn paid(&self, surroundings: &impl Surroundings, key: usize) {
        let least = tuning::spin_ns();
        if self.polled_ns > least / 2 {
            surroundings.hints().paid(key, self.polled_ns, least);
        }
    }
}
