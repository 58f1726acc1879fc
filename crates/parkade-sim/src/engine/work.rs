//! Threads at work: their operations, what the protocol asks of the machine, and how long that takes.

use super::{Engine, Kind, Next, State, Stretch};
use crate::line::{Access, Answer, LineId, Ticket};
use crate::protocol::{Action, Cx, Futex, Report};
use crate::time::{NS, Ps};
use crate::workload::{Role, Span};

/// `pause` takes up to this much more or less, so that pollers do not march in step.
const PAUSE_SPREAD: f64 = 0.1;

/// Within this time of a line's arrival all who wait for it ask again.
const ARBITRATION: Ps = NS;

/// Work while lines travel takes up to this part more or less.
const WORK_SPREAD: f64 = 0.1;

/// Which of a protocol's entries is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Lock,
    Unlock,
    Step,
}

impl Engine {
    /// Runs a thread that is due, for as long as nothing else comes first.
    pub(super) fn go_on(&mut self, thread: usize) {
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
}
