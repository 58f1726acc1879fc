//! Polling for a notice while queued, before sleeping.

use super::{Process, Step, Surroundings};
use crate::{deadline::Moment, spin, tuning};

/// The longest gap between two looks. A waiter looks at its own place in the queue, which disturbs nobody.
const LONGEST_GAP_NS: u32 = 80;

/// Where a budget comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Budget {
    /// What has paid at this key.
    Known,
    /// The largest, to learn whether it would.
    Probe,
    /// Either, but the deadline is nearer.
    Cut,
}

/// The wait of the first in line in a queue, until it is notified or goes to sleep.
///
/// No lock is held up meanwhile, and nothing is known at first: so it sleeps at once, but for a probe now and
/// then, and polls at keys where that has paid. It never yields: beside busy processes that gives a slice away, and who
/// has yielded is not woken by a notice (docs/decisions/0008).
#[derive(Debug)]
pub struct QueuedWait<S: Surroundings = Process> {
    surroundings: S,
    /// What it waits for; only a number here.
    key: usize,
    budget: Budget,
    /// It polls for as long even where nothing is known.
    least_ns: u32,
    budget_ns: u32,
    left_ns: u32,
    gap_ns: u32,
}

impl QueuedWait {
    /// The wait of the first in line at `key` begins.
    #[must_use]
    pub fn begin(key: usize, deadline: Option<Moment>) -> QueuedWait {
        QueuedWait::begin_in(Process, key, deadline)
    }

    /// A wait at `key` for threads that are all about to come, and have processors of their own: it polls for the least
    /// time that anybody does, wherever in line.
    #[must_use]
    pub fn begin_beside(key: usize, deadline: Option<Moment>) -> QueuedWait {
        QueuedWait::begin_beside_in(Process, key, deadline)
    }

    /// Waits for the next look; `false`, at once, when it is time to sleep.
    pub fn poll_again(&mut self) -> bool {
        let Step::Pause(ns) = self.step() else {
            return false;
        };
        spin::pause_for(ns);
        true
    }
}

impl<S: Surroundings> QueuedWait<S> {
    /// As [`begin`](QueuedWait::begin), for a waiter elsewhere than in this process.
    #[must_use]
    pub fn begin_in(surroundings: S, key: usize, deadline: Option<Moment>) -> QueuedWait<S> {
        QueuedWait::begin_with(surroundings, key, deadline, 0)
    }

    /// As [`begin_beside`](QueuedWait::begin_beside), for a waiter elsewhere than in this process.
    #[must_use]
    pub fn begin_beside_in(surroundings: S, key: usize, deadline: Option<Moment>) -> QueuedWait<S> {
        QueuedWait::begin_with(surroundings, key, deadline, tuning::spin_ns())
    }

    fn begin_with(
        surroundings: S,
        key: usize,
        deadline: Option<Moment>,
        least_ns: u32,
    ) -> QueuedWait<S> {
        let most = tuning::spin_max_ns();
        let (budget, ns) = if surroundings.pace(|pace| pace.probes_queued()) {
            (Budget::Probe, most)
        } else {
            (Budget::Known, surroundings.hints().budget(key, least_ns, most))
        };
        // A model has no time to pass.
        let ns = if tuning::spin_ns() == 0 || cfg!(loom) { 0 } else { ns };
        let budget_ns = match deadline {
            Some(deadline) if ns > 0 => deadline.cap(ns, surroundings.now()),
            _ => ns,
        };
        let budget = if budget_ns < ns { Budget::Cut } else { budget };
        let gap_ns = tuning::poll_gap_ns();
        QueuedWait { surroundings, key, budget, least_ns, budget_ns, left_ns: budget_ns, gap_ns }
    }

    /// What to do before the next look: never to yield.
    pub fn step(&mut self) -> Step {
        if self.left_ns == 0 {
            self.failed();
            return Step::Park;
        }
        let gap = self.gap_ns.min(self.left_ns);
        self.left_ns -= gap;
        self.gap_ns = (2 * self.gap_ns).min(LONGEST_GAP_NS).max(self.gap_ns);
        Step::Pause(gap)
    }

    fn failed(&mut self) {
        let budget_ns = core::mem::take(&mut self.budget_ns);
        if budget_ns == 0 {
            return;
        }
        match self.budget {
            Budget::Known => self.surroundings.hints().failed(self.key, budget_ns, self.least_ns),
            Budget::Probe => self.surroundings.pace(|pace| pace.probed_queued(Outcome::Failed)),
            Budget::Cut => {}
        }
    }

    /// The waiter finds that it has been notified, without having slept.
    pub fn notified(self) {
        if self.budget_ns == 0 {
            return;
        }
        self.surroundings.hints().paid(self.key, self.budget_ns - self.left_ns, self.least_ns);
        if self.budget == Budget::Probe {
            self.surroundings.pace(|pace| pace.probed_queued(Outcome::Paid));
        }
    }
}

/// How a probe has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Paid,
    Failed,
}
