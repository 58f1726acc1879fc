//! The event loop.
//!
//! Events are few: a thread is due, a tick, a timer, an idle core that looks for work. A thread that is
//! due runs on without going through the event queue until another event comes first, and where its
//! operations repeat exactly they are not even executed one by one (`Engine::skip`).

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use hdrhistogram::Histogram;

use crate::line::{Access, Answer, Line, LineId, Ticket};
use crate::machine::Costs;
use crate::outcome::{Outcome, Waits, histogram};
use crate::protocol::{Action, Cx, Futex, Protocol, Report, Setup};
use crate::rng::Rng;
use crate::sched::Sched;
use crate::time::{NS, Ps};
use crate::workload::{Role, Span, Workload};

/// `pause` takes up to this much more or less, so that pollers do not march in step.
const PAUSE_SPREAD: f64 = 0.1;

/// Within this time of a line's arrival all who wait for it ask again.
const ARBITRATION: Ps = NS;

/// A busy core looks for too long queues elsewhere at every so many ticks (Linux: 16 times as seldom as an idle
/// one, which does every 2 ms and more).
const BALANCE_TICKS: u64 = 8;

/// An idle core takes a thread that waits alone only at this try (measured on epyc-2: after 24 ms, where one of
/// several is taken after 8).
const TRIES_FOR_ONE: u32 = 3;

/// Work while lines travel takes up to this part more or less.
const WORK_SPREAD: f64 = 0.1;

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

    // Threads on cores.

    fn dispatch(&mut self, cpu: usize, thread: usize, start: Ps) {
        self.sched.put(cpu, thread, start);
        let due = start + self.threads[thread].left;
        self.threads[thread].state = State::Running;
        self.schedule(thread, due);
    }

    fn schedule(&mut self, thread: usize, due: Ps) {
        let this = &mut self.threads[thread];
        this.round += 1;
        this.due = due;
        let round = this.round;
        self.push(due, Kind::Due { thread, round });
    }

    /// The current thread of a core leaves it; the next one comes.
    fn vacate(&mut self, cpu: usize) -> usize {
        self.sched.account(cpu, self.now);
        let thread = self.sched.clear(cpu);
        self.threads[thread].round += 1;
        thread
    }

    fn fill(&mut self, cpu: usize) {
        if let Some(next) = self.sched.take_next(cpu) {
            self.dispatch(cpu, next, self.now + self.costs.switch);
            return;
        }
        let core = &mut self.sched.cpus[cpu];
        core.idle_since = self.now;
        core.idle_round += 1;
        let idle_round = core.idle_round;
        self.push(self.now + self.costs.pull, Kind::Pull { cpu, idle_round, tries: 1 });
    }

    fn tick(&mut self, cpu: usize) {
        self.push(self.now + self.costs.tick, Kind::Tick { cpu });
        if cpu == 0 {
            self.check_alive();
        }
        self.sched.cpus[cpu].ticks += 1;
        self.sched.account(cpu, self.now);
        if self.sched.must_switch(cpu) {
            self.switch(cpu);
        } else if self.sched.cpus[cpu].current.is_some()
            && self.sched.cpus[cpu].ticks.is_multiple_of(BALANCE_TICKS)
            && let Some(thread) = self.sched.steal_for(cpu, 1)
        {
            // A balancing pass: queues that differ by two or more are evened out.
            self.sched.place(cpu, thread);
            self.sched.cpus[cpu].queue.push(thread);
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

    /// A thread that lost its core in the middle of something.
    fn queue_again(&mut self, cpu: usize, thread: usize) {
        let this = &mut self.threads[thread];
        this.left = this.due.saturating_sub(self.now);
        this.state = State::Queued;
        self.sched.cpus[cpu].queue.push(thread);
    }

    fn pull(&mut self, cpu: usize, idle_round: u64, tries: u32) {
        let core = &self.sched.cpus[cpu];
        if core.current.is_some() || core.idle_round != idle_round {
            return;
        }
        let least = if tries < TRIES_FOR_ONE { 2 } else { 1 };
        if let Some(thread) = self.sched.steal_for(cpu, least) {
            self.sched.place(cpu, thread);
            self.dispatch(cpu, thread, self.now + self.costs.switch);
            return;
        }
        let at = self.now + self.costs.pull.max(NS);
        self.push(at, Kind::Pull { cpu, idle_round, tries: tries + 1 });
    }

    /// Makes a sleeping thread run; `waker` is the core of who does it. What it costs the waker.
    fn wake(&mut self, thread: usize, waker: Option<usize>) -> Ps {
        self.threads[thread].round += 1;
        self.threads[thread].left = 0;
        self.sched.account(self.sched.entities[thread].cpu, self.now);
        if let Some(cpu) = self.sched.revive(thread) {
            self.threads[thread].state = State::Queued;
            self.preempt_for_woken(cpu, thread, waker);
            return self.costs.wake_busy;
        }
        let cpu = self.sched.place_for_wake(thread, waker, &self.costs);
        self.sched.account(cpu, self.now);
        self.sched.place(cpu, thread);
        if !self.sched.is_idle(cpu) {
            self.threads[thread].state = State::Queued;
            self.sched.cpus[cpu].queue.push(thread);
            self.preempt_for_woken(cpu, thread, waker);
            return self.costs.wake_busy;
        }
        // A timer's interrupt has woken the core already.
        let latency = match waker {
            None => 0,
            Some(_) => self.latency(cpu),
        };
        self.dispatch(cpu, thread, self.now + latency);
        self.costs.wake_idle
    }

    /// A woken thread takes the core if its turn comes first.
    fn preempt_for_woken(&mut self, cpu: usize, woken: usize, waker: Option<usize>) {
        if !self.sched.comes_first(cpu, woken) {
            return;
        }
        if waker == Some(cpu) {
            // The waker loses its core when it returns from its system call.
            self.sched.cpus[cpu].resched = Some(woken);
            return;
        }
        self.switch_to(cpu, woken);
    }

    /// The current thread makes room for that one, if it is still queued there.
    fn switch_to(&mut self, cpu: usize, woken: usize) {
        let thread = self.vacate(cpu);
        self.queue_again(cpu, thread);
        if self.sched.take(cpu, woken) {
            self.dispatch(cpu, woken, self.now + self.costs.switch);
        } else {
            self.fill(cpu);
        }
    }

    /// The current thread makes room for the next one.
    fn switch(&mut self, cpu: usize) {
        let thread = self.vacate(cpu);
        self.queue_again(cpu, thread);
        self.fill(cpu);
    }

    /// How long an idle core takes to run a woken thread.
    fn latency(&mut self, cpu: usize) -> Ps {
        let costs = &self.costs;
        let idle = self.now - self.sched.cpus[cpu].idle_since;
        let median = if idle < costs.idle_warm { costs.wake_warm } else { costs.wake_cold };
        // The median of an exponential distribution is ln 2 of its mean.
        let least = costs.wake_least;
        let part = least + self.rng.exponential((1.0 - least) / std::f64::consts::LN_2);
        (median as f64 * part) as Ps
    }

    /// A sleep or timed wait is over.
    fn ring(&mut self, thread: usize) {
        match self.threads[thread].state {
            State::Blocked(futex) => {
                self.buckets[futex.0 as usize].sleepers.retain(|&sleeper| sleeper != thread);
                self.threads[thread].report = Report::TimedOut;
            }
            State::Sleeping => {}
            state => unreachable!("a timer rings for a thread that is {state:?}"),
        }
        self.wake(thread, None);
    }

    /// The current thread sleeps for a while.
    fn sleep(&mut self, thread: usize, span: Ps) {
        let cpu = self.sched.entities[thread].cpu;
        self.vacate(cpu);
        self.sched.sleeps(cpu, thread);
        self.threads[thread].state = State::Sleeping;
        let round = self.threads[thread].round;
        self.push(self.now + span + self.costs.timer_late, Kind::Timer { thread, round });
        self.fill(cpu);
    }

    // Threads at work.

    /// Runs a thread that is due, for as long as nothing else comes first.
    fn go_on(&mut self, thread: usize) {
        self.threads[thread].stretch.since = self.now;
        while let Some(mut due) = self.perform(thread) {
            let cpu = self.sched.entities[thread].cpu;
            if let Some(woken) = self.sched.cpus[cpu].resched.take() {
                self.threads[thread].due = due;
                self.switch_to(cpu, woken);
                return;
            }
            due += std::mem::take(&mut self.sched.cpus[cpu].stolen);
            if due >= self.horizon() {
                self.schedule(thread, due);
                return;
            }
            self.now = due;
        }
    }

    /// Does what a thread is due to do; when its next action takes effect, if it still runs.
    fn perform(&mut self, thread: usize) -> Option<Ps> {
        match self.threads[thread].next {
            Next::Begin => self.begin(thread),
            Next::Rested => {
                self.threads[thread].burst_began = self.now;
                self.begin(thread)
            }
            Next::Step => self.step(thread, Report::Done),
            Next::Leave => self.call(thread, Call::Unlock),
            Next::Wait(futex, until) => self.block(thread, futex, until),
            Next::Wake(futex) => {
                let mut due = self.now;
                // The interrupt comes first: the woken core does not wait for the rest of the call.
                if let Some(sleeper) = self.buckets[futex.0 as usize].sleepers.pop_front() {
                    self.wakes += 1;
                    self.threads[sleeper].report = Report::Woken;
                    due += self.wake(sleeper, Some(self.sched.entities[thread].cpu));
                }
                self.threads[thread].next = Next::Step;
                Some(due)
            }
            Next::Yield => self.yield_now(thread),
            Next::Retry(action, ticket) => self.act(thread, action, ticket),
            Next::Noise => Some(self.now + self.costs.tick),
            Next::Nothing => unreachable!("an ended thread is not due"),
        }
    }

    fn yield_now(&mut self, thread: usize) -> Option<Ps> {
        self.threads[thread].next = Next::Step;
        let cpu = self.sched.entities[thread].cpu;
        if self.sched.cpus[cpu].queue.is_empty() {
            return Some(self.now);
        }
        self.sched.account(cpu, self.now);
        self.sched.forfeit(cpu, thread);
        self.threads[thread].due = self.now;
        self.switch(cpu);
        None
    }

    fn block(&mut self, thread: usize, futex: Futex, until: Option<Ps>) -> Option<Ps> {
        if !self.protocol.expected(thread, futex) {
            return self.step(thread, Report::Changed);
        }
        let cpu = self.sched.entities[thread].cpu;
        self.vacate(cpu);
        self.sched.sleeps(cpu, thread);
        let this = &mut self.threads[thread];
        this.state = State::Blocked(futex);
        this.next = Next::Step;
        let round = this.round;
        self.buckets[futex.0 as usize].sleepers.push_back(thread);
        if let Some(until) = until {
            let at = until.max(self.now) + self.costs.timer_late;
            self.push(at, Kind::Timer { thread, round });
        }
        self.fill(cpu);
        None
    }

    fn begin(&mut self, thread: usize) -> Option<Ps> {
        let role = self.role(thread);
        if self.threads[thread].ops >= self.ops_limit {
            let cpu = self.sched.entities[thread].cpu;
            self.vacate(cpu);
            self.threads[thread].state = State::Ended;
            self.threads[thread].next = Next::Nothing;
            self.running -= 1;
            self.fill(cpu);
            return None;
        }
        if let Some(bursts) = role.bursts
            && self.now - self.threads[thread].burst_began >= bursts.on
        {
            self.threads[thread].next = Next::Rested;
            self.sleep(thread, bursts.off);
            return None;
        }
        self.skip(thread, role);
        if self.locks > 1 {
            self.threads[thread].lock = self.rng.below(self.locks as u64) as usize;
        }
        self.threads[thread].waiting_since = Some(self.now);
        self.call(thread, Call::Lock)
    }

    /// Where a thread repeats an operation that nobody disturbs, does all but the last of those that
    /// fit before the next event.
    fn skip(&mut self, thread: usize, role: Role) {
        if !self.skips {
            return;
        }
        let fingerprint = self.protocol.fingerprint(self.threads[thread].lock);
        let horizon = self.horizon();
        let (now, limit) = (self.now, self.ops_limit);
        let this = &mut self.threads[thread];
        let Stretch { since, began, fingerprint: before, took, waited } = this.stretch;
        let takes = now - began;
        let same = before.is_some() && before == fingerprint && since <= began && takes == took;
        let mut at = now;
        if same && takes > 0 && now >= self.in_flight_until {
            let burst_end = role.bursts.map_or(Ps::MAX, |bursts| this.burst_began + bursts.on);
            let fit = (horizon.min(burst_end).saturating_sub(now) / takes).saturating_sub(1);
            let fit = fit.min(limit - this.ops);
            this.ops += fit;
            at += fit * takes;
            if role.counted && fit > 0 {
                self.waits.saturating_record_n((waited / NS).max(1), fit);
            }
        }
        this.stretch = Stretch { since, began: at, fingerprint, took: takes, waited };
        self.now = at;
    }

    fn role(&self, thread: usize) -> Role {
        self.threads[thread].role.expect("only threads that lock get here")
    }

    fn call(&mut self, thread: usize, call: Call) -> Option<Ps> {
        let this = &self.threads[thread];
        let entity = &self.sched.entities[thread];
        let mut cx = Cx {
            thread,
            lock: this.lock,
            now: self.now,
            core: entity.cpu,
            switches: entity.switches,
            report: this.report,
            rng: &mut self.rng,
            freed: false,
        };
        let action = match call {
            Call::Lock => self.protocol.lock(&mut cx),
            Call::Unlock => self.protocol.unlock(&mut cx),
            Call::Step => self.protocol.step(&mut cx),
        };
        let (freed, lock) = (cx.freed, cx.lock);
        self.threads[thread].report = Report::Done;
        if freed {
            let holder = self.holders[lock].take();
            assert_eq!(holder, Some(thread), "a thread gave up a lock that it does not hold");
        }
        self.act(thread, action, None)
    }

    fn step(&mut self, thread: usize, report: Report) -> Option<Ps> {
        if report != Report::Done {
            self.threads[thread].report = report;
        }
        self.call(thread, Call::Step)
    }

    /// Begins or goes on with an access to a line.
    fn access(
        &mut self,
        thread: usize,
        action: Action,
        LineId(line): LineId,
        access: Access,
        ticket: Option<Ticket>,
    ) -> Ps {
        let cache = self.costs.cache(self.sched.entities[thread].cpu);
        let line = &mut self.lines[line as usize];
        let answer = line.ask(cache, access, ticket, self.now, &self.costs);
        self.in_flight_until = self.in_flight_until.max(line.busy_until());
        let this = &mut self.threads[thread];
        match answer {
            Answer::Done(due) => {
                this.next = Next::Step;
                if access == Access::Write {
                    let since = this.storing_since.take().unwrap_or(self.now);
                    this.stored_for = (due - since).saturating_sub(self.costs.store);
                }
                due
            }
            // All who wait compete in random order: were it the order of arrival, threads would fall into a
            // pattern in which some never succeed.
            Answer::Compete(at) => {
                this.next = Next::Retry(action, None);
                at + self.rng.below(ARBITRATION)
            }
            Answer::Travel(at, ticket) => {
                this.next = Next::Retry(action, Some(ticket));
                at
            }
        }
    }

    /// Begins an action; when it takes effect, if the thread still runs.
    fn act(&mut self, thread: usize, action: Action, ticket: Option<Ticket>) -> Option<Ps> {
        match action {
            Action::Load(line) => {
                return Some(self.access(thread, action, line, Access::Read, ticket));
            }
            Action::Modify(line) => {
                return Some(self.access(thread, action, line, Access::Modify, ticket));
            }
            Action::Store(line) => {
                self.threads[thread].storing_since.get_or_insert(self.now);
                return Some(self.access(thread, action, line, Access::Write, ticket));
            }
            _ => {}
        }
        let (now, costs) = (self.now, &self.costs);
        let mut next = Next::Step;
        let due = match action {
            Action::Load(_) | Action::Store(_) | Action::Modify(_) => {
                unreachable!("accesses to lines are elsewhere")
            }
            Action::Pause(count) => {
                let part = 1.0 - PAUSE_SPREAD + 2.0 * PAUSE_SPREAD * self.rng.unit();
                now + (f64::from(count) * costs.pause as f64 * part) as Ps
            }
            Action::PauseFor(span) => now + span,
            Action::Clock => now + costs.clock,
            Action::Note => now + costs.load + costs.store,
            Action::Yield => {
                next = Next::Yield;
                now + costs.yields
            }
            Action::Membarrier => {
                let due = now + costs.membarrier;
                self.interrupt_others(thread);
                due
            }
            Action::Wait(futex, until) => {
                next = Next::Wait(futex, until);
                self.futex_call(thread, futex, self.costs.futex_wait)
            }
            // With nobody there the kernel does not even lock the bucket.
            Action::Wake(futex) if self.buckets[futex.0 as usize].sleepers.is_empty() => {
                now + costs.futex
            }
            Action::Wake(futex) => {
                next = Next::Wake(futex);
                self.futex_call(thread, futex, self.costs.futex)
            }
            Action::Acquired => return self.acquired(thread),
            Action::Released => return self.released(thread),
        };
        self.threads[thread].next = next;
        Some(due)
    }

    /// A futex call locks the bucket at its end; the line of that lock comes from who locked it last.
    fn futex_call(&mut self, thread: usize, futex: Futex, call: Ps) -> Ps {
        let cache = self.costs.cache(self.sched.entities[thread].cpu);
        let held = self.costs.futex_bucket;
        let bucket = &mut self.buckets[futex.0 as usize];
        let begin = (self.now + call.saturating_sub(held)).max(bucket.busy_until);
        let fetched = if bucket.cache == cache {
            begin
        } else {
            let from = self.costs.socket_bit(bucket.cache);
            begin + self.costs.transfer(from, cache, bucket.used, begin)
        };
        (bucket.cache, bucket.used) = (cache, fetched + held);
        bucket.busy_until = fetched + held;
        fetched + held
    }

    fn interrupt_others(&mut self, thread: usize) {
        let own = self.sched.entities[thread].cpu;
        let interrupt = self.costs.interrupt;
        let others = self.sched.cpus.iter_mut().enumerate();
        for (_, core) in others.filter(|(cpu, core)| *cpu != own && core.current.is_some()) {
            core.stolen += interrupt;
        }
    }

    fn acquired(&mut self, thread: usize) -> Option<Ps> {
        let role = self.role(thread);
        let lock = self.threads[thread].lock;
        let before = self.holders[lock].replace(thread);
        assert_eq!(before, None, "two threads hold lock {lock} at {} ps", self.now);
        let this = &mut self.threads[thread];
        this.stored_for = 0;
        let since = this.waiting_since.take().expect("who acquires has waited");
        let waited = self.now - since;
        this.longest = this.longest.max(waited);
        this.stretch.waited = waited;
        if role.counted {
            let ns = (waited / NS).max(1);
            self.waits.saturating_record(ns);
        }
        self.threads[thread].next = Next::Leave;
        let span = self.with_sampling(thread, role.inside);
        self.spend(thread, span)
    }

    fn released(&mut self, thread: usize) -> Option<Ps> {
        let role = self.role(thread);
        self.threads[thread].ops += 1;
        self.threads[thread].next = Next::Begin;
        let done = std::mem::take(&mut self.threads[thread].stored_for);
        let span = self.with_sampling(thread, role.outside);
        let over = self.spend(thread, span)?;
        Some(over.saturating_sub(done).max(self.now))
    }

    /// The span with what the harness adds to some operations; in a stretch that nobody disturbs, to each its part.
    fn with_sampling(&mut self, thread: usize, span: Span) -> Span {
        let (Span::Const(work), Some((one_in, cost))) = (span, self.role(thread).sampled) else {
            return span;
        };
        if !self.is_disturbed(thread) {
            return Span::Const(work + cost / Ps::from(one_in));
        }
        let sampled = self.rng.below(one_in.into()) == 0;
        Span::Const(if sampled { work + cost } else { work })
    }

    /// Whether lines were on their way to somebody since the thread's operation began.
    fn is_disturbed(&self, thread: usize) -> bool {
        self.in_flight_until > self.threads[thread].stretch.began
    }

    /// Computes or sleeps; when it is over, if the thread still runs.
    fn spend(&mut self, thread: usize, span: Span) -> Option<Ps> {
        match span.draw(&mut self.rng) {
            // Without this, two threads fall into step and never meet.
            Span::Const(span) | Span::Exponential(span) if self.is_disturbed(thread) => {
                let part = 1.0 - WORK_SPREAD + 2.0 * WORK_SPREAD * self.rng.unit();
                Some(self.now + (span as f64 * part) as Ps)
            }
            Span::Const(span) | Span::Exponential(span) => Some(self.now + span),
            Span::Sleep(span) => {
                self.sleep(thread, span);
                None
            }
        }
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

/// Which of a protocol's entries is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Lock,
    Unlock,
    Step,
}
