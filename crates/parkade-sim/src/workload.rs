//! What the threads do: the benchmark's scenarios in the simulator's terms.

use std::time::Duration;

use parkade_bench::scenario::{Sampling, Scenario, Shape};

use crate::machine::Costs;
use crate::rng::Rng;
use crate::time::{NS, Ps, ps};

/// How long something takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Span {
    /// Always the same, computing.
    Const(Ps),
    /// Exponentially distributed with that mean, computing.
    Exponential(Ps),
    /// Sleeping.
    Sleep(Ps),
}

impl Span {
    /// Computes or sleeps for this long now.
    pub(crate) fn draw(self, rng: &mut Rng) -> Span {
        match self {
            Span::Exponential(mean) => Span::Const(rng.exponential(mean as f64) as Ps),
            other => other,
        }
    }
}

/// A thread's pauses between operations, after a while of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bursts {
    /// How long it keeps locking.
    pub on: Ps,
    /// How long it then sleeps.
    pub off: Ps,
}

/// What one thread does, again and again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Role {
    /// Under the lock.
    pub inside: Span,
    /// Between two operations.
    pub outside: Span,
    /// What one operation in so many costs more, once inside and once outside: the harness times it.
    pub sampled: Option<(u32, Ps)>,
    /// Its rests.
    pub bursts: Option<Bursts>,
    /// Whether its operations count (a hog's do not).
    pub counted: bool,
}

/// What all threads do.
#[derive(Debug, Clone, PartialEq)]
pub struct Workload {
    /// Each thread's role.
    pub roles: Vec<Role>,
    /// Locks, of which each operation takes one at random.
    pub locks: usize,
    /// Operations after which a thread ends.
    pub ops_per_thread: Option<u64>,
    /// Threads that only keep a core busy.
    pub noise: usize,
}

fn duration(time: Duration) -> Ps {
    time.as_nanos() as Ps * NS
}

impl Workload {
    /// A scenario of the benchmark on a machine.
    ///
    /// # Panics
    ///
    /// If it is one of reader-writer locks, of which there is no model.
    #[must_use]
    pub fn of(scenario: &Scenario, costs: &Costs) -> Workload {
        let steps = |count: u32, step: f64| ps(f64::from(count) * step);
        let work = |count: u32| steps(count, costs.work_step);
        // The harness reads the counter once inside and once outside for each operation it times.
        // The increment itself is hidden behind the locked instructions.
        let (inside_too, book) = match scenario.sampling() {
            Sampling::Off => (0, 0),
            Sampling::OneIn(_) => (0, costs.bookkeeping),
            Sampling::Every => (costs.counter, costs.bookkeeping + costs.counter),
        };
        let sampled = match scenario.sampling() {
            Sampling::OneIn(n) => Some((n, costs.counter)),
            Sampling::Off | Sampling::Every => None,
        };
        let role = |inside, outside| Role {
            inside,
            outside: Span::Const(outside + book),
            sampled,
            bursts: None,
            counted: true,
        };
        let busy = |inside: Ps, outside: Ps| {
            // Both chains of work get a share of what they hide of each other and of the locked instructions.
            let all = (inside + outside).max(1) as f64;
            let most = inside + 2 * costs.rmw;
            let hidden = costs.overlap.min(most).min(outside) as f64 / all;
            let left = |span: Ps| (span as f64 * (1.0 - hidden)) as Ps;
            role(Span::Const(left(inside) + inside_too), left(outside))
        };
        let (mut locks, mut hog) = (1, None);
        let each = match scenario.shape {
            Shape::EmptyLoop | Shape::Solo => role(Span::Const(0), 0),
            Shape::Steps { inside, outside } => busy(work(inside), work(outside)),
            Shape::SleepInside { hold } => role(Span::Sleep(duration(hold)), 0),
            Shape::Burst { on, off } => {
                let bursts = Bursts { on: duration(on), off: duration(off) };
                // It also reads the counter to know when to rest.
                Role { bursts: Some(bursts), ..busy(0, costs.counter) }
            }
            Shape::Hog { hold } => {
                let sleep = role(Span::Sleep(duration(hold)), 0);
                hog = Some(Role { counted: false, ..sleep });
                busy(0, 0)
            }
            Shape::Many { locks: count } => {
                locks = count as usize;
                busy(0, work(1))
            }
            Shape::Float { inside, outside } => {
                busy(steps(inside, costs.float_step), steps(outside, costs.float_step))
            }
            Shape::Rw(_)
            | Shape::Reentrant(_)
            | Shape::Condvar(_)
            | Shape::Once(_)
            | Shape::Keyed(_)
            | Shape::Semaphore(_)
            | Shape::Async(_) => {
                panic!("{}: only mutexes are simulated", scenario.name)
            }
        };
        let mut roles = vec![each; scenario.threads as usize];
        if let (Some(hog), Some(first)) = (hog, roles.first_mut()) {
            *first = hog;
        }
        Workload { roles, locks, ops_per_thread: None, noise: 0 }
    }

    /// Whether each operation of a thread is like the one before.
    pub(crate) fn is_regular(&self) -> bool {
        let regular = |role: &Role| {
            !matches!(role.inside, Span::Exponential(_))
                && !matches!(role.outside, Span::Exponential(_))
        };
        self.locks == 1 && self.roles.iter().all(regular)
    }
}
