//! How a waiter waits: the one place that decides between polling, yielding, parking and claiming.
//!
//! A lock's slow path owns a [`Wait`] and asks it; the lock keeps the protocol, the policy keeps
//! the constants. Nothing here runs unless a lock was found held.
//!
//! # The policy
//!
//! A waiter *polls* the lock at growing gaps until a budget is spent, and then *parks*. How large the
//! budget is, the lock has taught it: where polling has paid lately, up to
//! [`tuning::spin_max`](crate::tuning::spin_max), else [`tuning::spin`](crate::tuning::spin)
//! ([`Hints`]).
//!
//! While it polls it now and then *yields* the processor, six times at most: after 2.5 us, 5 us,
//! 10 us, ... of polling, because a holder that does not release short sections is probably preempted,
//! perhaps here; and whenever the thread has been running for
//! [`tuning::yield_interval`](crate::tuning::yield_interval) without giving its processor up. The
//! second rule is what keeps waits short when there are more runnable threads than processors: a
//! woken thread waits for a processor, not for the end of a scheduler slice, and threads that poll
//! pass theirs on. Threads that do not, because they are of another process or compute, would take
//! everything: after having had the processor for long they are given it again only when the
//! waiter has run as long as they did, or for a millisecond ([`Pace`]). A waiter with a deadline parks instead of yielding.
//!
//! With more than two processors only one waiter polls a lock for long.
//!
//! A waiter that was woken and has polled in vain *claims* the lock after
//! [`tuning::fair_interval`](crate::tuning::fair_interval).
//!
//! The first in line in the queue of a condition variable may poll too, for the notice that it waits for
//! ([`QueuedWait`]).
//!
//! What was tried and measured is in docs/decisions/0004 and 0005.

#[cfg(not(loom))]
mod bias;
mod hints;
mod pace;
mod polling;
mod queued;
mod surroundings;

#[cfg(loom)]
mod model;
#[cfg(not(loom))]
mod symmetric;

#[cfg(not(loom))]
pub use bias::{
    Bias, bias_taken_back, counts_fenced_read, counts_read, fenced_bias_pays,
    fenced_bias_taken_back, grant_bias, may_set_free,
};
pub use hints::Hints;
#[cfg(loom)]
pub(crate) use model::fences;
#[cfg(loom)]
pub use model::{
    Model, bias_taken_back, counts_fenced_read, counts_read, fenced_bias_pays,
    fenced_bias_taken_back, grant_bias, may_return_to_asymmetric, may_set_free,
};
pub use pace::Pace;
pub use queued::QueuedWait;
#[cfg(all(unix, not(loom)))]
pub(crate) use surroundings::reset_after_fork;
pub use surroundings::{Process, Surroundings};
#[cfg(not(loom))]
pub use symmetric::may_return_to_asymmetric;

use crate::{deadline::Moment, spin};
use pace::Effort;
use polling::Polling;

/// What a waiter does before it looks at the lock again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It pauses for so many nanoseconds, on its processor.
    Pause(u32),
    /// It offers its processor to others, and afterwards calls [`Wait::yielded`].
    Yield,
    /// It queues and sleeps.
    Park,
}

/// Who pays for the order between readers that take slots and a writer that looks at them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fencing {
    /// The writer.
    Free,
    /// Each reader.
    Fenced,
}

/// How many processors this process may run on, as it was when first asked.
pub(crate) fn processors() -> u32 {
    Process.processors()
}

/// What bias is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// A new period.
    Begins,
    /// One that has been interrupted.
    Resumes,
}

/// When threads take a lock in turns: one leaves it alone for a while, and the other does dozens of sections
/// with the lock's line to itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turns {
    /// Where most waits are over before the first poll.
    WhereEasy,
    /// Where a thread waits again and again, with little done in between.
    WhereFrequent,
}

/// One thread's wait for one lock.
#[derive(Debug)]
pub struct Wait<S: Surroundings = Process> {
    surroundings: S,
    /// The lock's address; only a number here.
    key: usize,
    deadline: Option<Moment>,
    turns: Turns,
    /// When it first queued.
    since: Option<Moment>,
    /// When it was first woken and had to compete.
    first_wake: Option<Moment>,
    /// Begins with the first look in vain.
    polling: Option<Polling>,
}

impl Wait {
    /// A newcomer's wait for the lock at `key` begins. Reads no clock.
    #[must_use]
    pub fn begin(key: usize, deadline: Option<Moment>) -> Wait {
        Wait::begin_in(Process, key, deadline)
    }

    /// Waits for the next look at the lock's word; `false`, at once, when it is time to park.
    pub fn poll_again(&mut self) -> bool {
        match self.step() {
            Step::Pause(ns) => spin::pause_for(ns),
            Step::Yield => {
                std::thread::yield_now();
                self.yielded();
            }
            Step::Park => return false,
        }
        true
    }
}

impl<S: Surroundings> Wait<S> {
    /// As [`begin`](Wait::begin), for a waiter elsewhere than in this process: in a simulation.
    #[must_use]
    pub fn begin_in(surroundings: S, key: usize, deadline: Option<Moment>) -> Wait<S> {
        let turns = Turns::WhereEasy;
        Wait { surroundings, key, deadline, turns, since: None, first_wake: None, polling: None }
    }

    /// Takes turns where `turns` says; where it is easy is the default.
    #[must_use]
    pub fn taking(mut self, turns: Turns) -> Wait<S> {
        self.turns = turns;
        self
    }

    /// What to do before the next look at the lock.
    pub fn step(&mut self) -> Step {
        let Wait { surroundings: around, key, deadline, turns, polling, .. } = self;
        polling
            .get_or_insert_with(|| Polling::begin(around, *key, *deadline, *turns))
            .step(around, *key, *deadline)
    }

    /// The waiter has a processor again after [`Step::Yield`].
    pub fn yielded(&mut self) {
        if let Some(polling) = &mut self.polling {
            polling.yielded(&self.surroundings);
        }
    }

    /// The waiter has acquired the lock.
    pub fn acquired(&mut self) {
        self.leave();
        let effort = match &self.polling {
            None => Effort::Look,
            Some(polling) => {
                polling.paid(&self.surroundings, self.key);
                Effort::Polling
            }
        };
        // To find the lock free on waking says nothing of its sections.
        if self.since.is_none() {
            self.surroundings.pace(|pace| pace.acquired(effort));
        }
        if self.turns == Turns::WhereFrequent {
            let now = self.surroundings.now();
            self.surroundings.pace(|pace| pace.waited_until(now));
        }
    }

    fn leave(&mut self) {
        let Wait { surroundings: around, key, polling, .. } = self;
        if let Some(polling) = polling {
            polling.leave(around, *key);
        }
    }

    /// The waiter is about to queue; returns when it first did.
    pub fn queueing(&mut self) -> Moment {
        self.leave();
        *self.since.get_or_insert_with(|| self.surroundings.now())
    }

    /// The waiter was woken and competes again.
    pub fn woken(&mut self) {
        self.leave();
        let now = self.surroundings.now();
        self.first_wake.get_or_insert(now);
        self.surroundings.pace(|pace| pace.runs_from(now));
        self.polling = None;
    }

    /// Whether a woken waiter that has polled in vain and is about to park again has been overtaken
    /// long enough to claim the lock: for the fair interval since its first wake, or for a few of
    /// them since it queued.
    #[must_use]
    pub fn may_claim(&self) -> bool {
        let (Some(since), Some(first_wake)) = (self.since, self.first_wake) else {
            return false;
        };
        self.overtaken_too_long(since, first_wake)
    }

    #[cfg(not(loom))]
    fn overtaken_too_long(&self, since: Moment, first_wake: Moment) -> bool {
        let (now, interval) = (self.surroundings.now(), crate::tuning::fair_interval());
        now.since(first_wake) >= interval || now.since(since) >= QUEUED_INTERVALS * interval
    }

    #[cfg(loom)]
    fn overtaken_too_long(&self, _: Moment, _: Moment) -> bool {
        model::claims()
    }
}

impl<S: Surroundings> Drop for Wait<S> {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Waits a little, for a thread that could have had a lock but found that another was changing its word
/// at that moment: sections are shorter than the transfer of the line, and the threads take turns with
/// it, as those that meet each other inside do ([`Wait`]).
pub fn contended() {
    if cfg!(not(loom)) {
        spin::pause_for(polling::TURN_NS);
    }
}

/// After how many fair intervals in the queue a woken waiter claims at its first lost race. One
/// that polled for its whole budget in vain faces long sections, and there a claim costs little; with
/// short sections it would have got in while polling. long-8: longest wait 20 ms
/// against 24 ms without (docs/decisions/0004).
const QUEUED_INTERVALS: u32 = 4;
