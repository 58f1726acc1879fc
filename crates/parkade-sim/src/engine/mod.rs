//! The event loop.
//!
//! Events are few: a thread is due, a tick, a timer, an idle core that looks for work. A thread that is
//! due runs on without going through the event queue until another event comes first, and where its
//! operations repeat exactly they are not even executed one by one (`Engine::skip`). What happens on cores is in
//! `cores.rs`, what threads do with locks in `work.rs`.

mod cores;
mod work;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use hdrhistogram::Histogram;

use crate::line::{Line, Ticket};
use crate::machine::Costs;
use crate::outcome::{Outcome, Waits, histogram};
use crate::protocol::{Action, Futex, Protocol, Report, Setup};
use crate::rng::Rng;
use crate::sched::Sched;
use crate::time::{NS, Ps};
use crate::workload::{Role, Workload};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    at: Ps,
    /// Events of one moment keep their order.
    seq: u64,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// A thread's action takes effect.
    Due {
        thread: usize,
        round: u64,
    },
    /// A sleep or a timed wait ends.
    Timer {
        thread: usize,
        round: u64,
    },
    Tick {
        cpu: usize,
    },
    /// An idle core looks for work.
    Pull {
        cpu: usize,
        idle_round: u64,
        tries: u32,
    },
}

/// What a thread does when it is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// Calls lock.
    Begin,
    /// The protocol's next step.
    Step,
    /// Leaves the section.
    Leave,
    /// Is back from a sleep between bursts.
    Rested,
    /// In the kernel, with the futex's bucket locked.
    Wait(Futex, Option<Ps>),
    Wake(Futex),
    Yield,
    /// Competes again for a line that was on its way to somebody else.
    Retry(Action, Option<Ticket>),
    /// Keeps a core busy.
    Noise,
    /// Has done all its operations.
    Nothing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Running,
    Queued,
    /// In the kernel, on that futex.
    Blocked(Futex),
    Sleeping,
    Ended,
}

/// A stretch of a thread's history in which nobody disturbed it, for `Engine::skip`.
#[derive(Debug, Clone, Copy, Default)]
struct Stretch {
    /// Since when the thread runs without having been queued.
    since: Ps,
    /// When its current operation began and what the lock's fingerprint was.
    began: Ps,
    fingerprint: Option<u64>,
    /// How long the operation before took, and waited for its lock.
    took: Ps,
    waited: Ps,
}

#[derive(Debug)]
struct Thread {
    role: Option<Role>,
    state: State,
    next: Next,
    /// Counts what would make an event about it void.
    round: u64,
    /// When its event is due while it runs, or how long it still needs once it runs again.
    due: Ps,
    left: Ps,
    lock: usize,
    report: Report,
    waiting_since: Option<Ps>,
    /// Since when a store is in the store buffer, waiting for its line.
    storing_since: Option<Ps>,
    /// How long the last store has waited there. What follows was done meanwhile.
    stored_for: Ps,
    burst_began: Ps,
    ops: u64,
    longest: Ps,
    stretch: Stretch,
}

#[derive(Debug, Clone, Default)]
struct Bucket {
    sleepers: VecDeque<usize>,
    busy_until: Ps,
    /// Whose cache has the line of its lock, and since when.
    cache: usize,
    used: Ps,
}

/// A simulation in progress.
pub struct Engine {
    costs: Costs,
    protocol: Box<dyn Protocol>,
    ops_limit: u64,
    locks: usize,
    skips: bool,
    now: Ps,
    end: Ps,
    seq: u64,
    events: BinaryHeap<Reverse<Event>>,
    lines: Vec<Line>,
    buckets: Vec<Bucket>,
    threads: Vec<Thread>,
    sched: Sched,
    holders: Vec<Option<usize>>,
    /// When the last line that is on its way to somebody arrives.
    in_flight_until: Ps,
    rng: Rng,
    waits: Histogram<u64>,
    wakes: u64,
    running: usize,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("now", &self.now).finish_non_exhaustive()
    }
}

impl Engine {
    /// Prepares a run. `build` makes the protocol.
    pub fn new(
        costs: Costs,
        workload: &Workload,
        seed: u64,
        build: impl FnOnce(&mut Setup) -> Box<dyn Protocol>,
    ) -> Engine {
        let lockers = workload.roles.len();
        let total = lockers + workload.noise;
        let mut setup = Setup::new(lockers, workload.locks, costs.cpus as u32);
        let protocol = build(&mut setup);
        let (lines, buckets) = setup.counts();
        let roles = workload.roles.iter().copied().map(Some);
        let noise = std::iter::repeat_n(None, workload.noise);
        let thread = |role: Option<Role>| Thread {
            role,
            state: State::Queued,
            next: if role.is_some() { Next::Begin } else { Next::Noise },
            round: 0,
            due: 0,
            left: 0,
            lock: 0,
            report: Report::Done,
            waiting_since: None,
            storing_since: None,
            stored_for: 0,
            burst_began: 0,
            ops: 0,
            longest: 0,
            stretch: Stretch::default(),
        };
        let mut engine = Engine {
            sched: Sched::new(total, &costs),
            ops_limit: workload.ops_per_thread.unwrap_or(u64::MAX),
            locks: workload.locks,
            skips: workload.is_regular(),
            protocol,
            now: 0,
            end: 0,
            seq: 0,
            events: BinaryHeap::new(),
            lines: (0..lines as u64).map(|line| Line::new(seed ^ (line << 32))).collect(),
            buckets: vec![Bucket::default(); buckets],
            threads: roles.chain(noise).map(thread).collect(),
            holders: vec![None; workload.locks],
            in_flight_until: 0,
            rng: Rng::new(seed),
            waits: histogram(),
            wakes: 0,
            running: lockers,
            costs,
        };
        engine.start();
        engine
    }

    /// Puts the threads on the cores, sockets in turn, and lets the ticks begin.
    fn start(&mut self) {
        let sockets = self.costs.cores.div_ceil(self.costs.cores_per_socket);
        let mut order: Vec<usize> = (0..self.costs.cpus).collect();
        order.sort_by_key(|&cpu| {
            let cache = self.costs.cache(cpu);
            (cpu / self.costs.cores, cache % self.costs.cores_per_socket, self.costs.socket(cache))
        });
        debug_assert!(sockets > 0);
        for thread in 0..self.threads.len() {
            let cpu = order[thread % order.len()];
            self.sched.entities[thread].cpu = cpu;
            // Threads do not begin at the same picosecond.
            self.threads[thread].left = self.rng.below(1000 * NS);
            self.sched.place(cpu, thread);
            if self.sched.is_idle(cpu) {
                self.dispatch(cpu, thread, 0);
            } else {
                self.sched.cpus[cpu].queue.push(thread);
            }
        }
        for cpu in 0..self.costs.cpus {
            let first = self.costs.tick * (cpu as Ps + 1) / self.costs.cpus as Ps;
            self.push(first, Kind::Tick { cpu });
        }
    }

    fn push(&mut self, at: Ps, kind: Kind) {
        self.seq += 1;
        self.events.push(Reverse(Event { at, seq: self.seq, kind }));
    }

    /// When something else than the running thread happens.
    fn horizon(&self) -> Ps {
        self.events.peek().map_or(self.end, |Reverse(event)| event.at.min(self.end))
    }

    /// Simulates until `end`, or until every thread has done its operations.
    ///
    /// # Panics
    ///
    /// If two threads hold a lock, or if nobody can go on although nobody has ended: a lost wake.
    pub fn run_until(&mut self, end: Ps) {
        self.end = end;
        while self.running > 0 {
            let Some(&Reverse(event)) = self.events.peek() else { break };
            if event.at > end {
                self.now = end;
                return;
            }
            self.events.pop();
            self.now = event.at;
            match event.kind {
                Kind::Due { thread, round } if self.threads[thread].round == round => {
                    self.go_on(thread);
                }
                Kind::Timer { thread, round } if self.threads[thread].round == round => {
                    self.ring(thread);
                }
                Kind::Due { .. } | Kind::Timer { .. } => {}
                Kind::Tick { cpu } => self.tick(cpu),
                Kind::Pull { cpu, idle_round, tries } => self.pull(cpu, idle_round, tries),
            }
        }
    }

    fn check_alive(&self) {
        let lockers = || self.threads.iter().filter(|thread| thread.role.is_some());
        let asleep = |thread: &Thread| matches!(thread.state, State::Blocked(_) | State::Ended);
        let all_asleep = lockers().all(asleep) && !self.timers_are_set();
        assert!(!all_asleep, "a lost wake: every thread sleeps at {} ps", self.now);
    }

    fn timers_are_set(&self) -> bool {
        let timer = |Reverse(event): &Reverse<Event>| match event.kind {
            Kind::Timer { thread, round } => self.threads[thread].round == round,
            _ => false,
        };
        self.events.iter().any(timer)
    }

    /// Operations so far of the threads that count.
    #[must_use]
    pub fn ops(&self) -> u64 {
        let counted = |thread: &&Thread| thread.role.is_some_and(|role| role.counted);
        self.threads.iter().filter(counted).map(|thread| thread.ops).sum()
    }

    /// The figures so far.
    #[must_use]
    pub fn outcome(&mut self) -> Outcome {
        for cpu in 0..self.costs.cpus {
            self.sched.account(cpu, self.now);
        }
        let counted = |thread: &&Thread| thread.role.is_some_and(|role| role.counted);
        let hog = self.threads.iter().find(|t| t.role.is_some_and(|role| !role.counted));
        let longest = self.threads.iter().map(|thread| {
            let waiting = thread.waiting_since.map_or(0, |since| self.now - since);
            thread.longest.max(waiting)
        });
        let lockers = self.threads.iter().zip(&self.sched.entities);
        let lockers: Vec<_> = lockers.filter(|(t, _)| t.role.is_some()).map(|(_, e)| e).collect();
        Outcome {
            secs: self.now as f64 / 1e12,
            per_thread: self.threads.iter().filter(counted).map(|thread| thread.ops).collect(),
            hog_ops: hog.map(|thread| thread.ops),
            cpu_secs: lockers.iter().map(|entity| entity.cpu_time).sum::<Ps>() as f64 / 1e12,
            context_switches: lockers.iter().map(|entity| entity.switches).sum(),
            wakes: self.wakes,
            waits: Waits::of(&self.waits, longest.max().unwrap_or(0) / NS),
        }
    }
}
