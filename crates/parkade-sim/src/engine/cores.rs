//! Threads on cores: who runs where, who makes room, and what it takes to sleep and to wake.

use super::{Engine, Kind, State};
use crate::protocol::Report;
use crate::time::{NS, Ps};

/// A busy core looks for too long queues elsewhere at every so many ticks (Linux: 16 times as seldom as an idle
/// one, which does every 2 ms and more).
const BALANCE_TICKS: u64 = 8;

/// An idle core takes a thread that waits alone only at this try (measured on epyc-2: after 24 ms, where one of
/// several is taken after 8).
const TRIES_FOR_ONE: u32 = 3;

impl Engine {
    pub(super) fn dispatch(&mut self, cpu: usize, thread: usize, start: Ps) {
        self.sched.put(cpu, thread, start);
        let due = start + self.threads[thread].left;
        self.threads[thread].state = State::Running;
        self.schedule(thread, due);
    }

    pub(super) fn schedule(&mut self, thread: usize, due: Ps) {
        let this = &mut self.threads[thread];
        this.round += 1;
        this.due = due;
        let round = this.round;
        self.push(due, Kind::Due { thread, round });
    }

    /// The current thread of a core leaves it; the next one comes.
    pub(super) fn vacate(&mut self, cpu: usize) -> usize {
        self.sched.account(cpu, self.now);
        let thread = self.sched.clear(cpu);
        self.threads[thread].round += 1;
        thread
    }

    pub(super) fn fill(&mut self, cpu: usize) {
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

    pub(super) fn tick(&mut self, cpu: usize) {
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

    /// A thread that lost its core in the middle of something.
    fn queue_again(&mut self, cpu: usize, thread: usize) {
        let this = &mut self.threads[thread];
        this.left = this.due.saturating_sub(self.now);
        this.state = State::Queued;
        self.sched.cpus[cpu].queue.push(thread);
    }

    pub(super) fn pull(&mut self, cpu: usize, idle_round: u64, tries: u32) {
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
    pub(super) fn wake(&mut self, thread: usize, waker: Option<usize>) -> Ps {
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
    pub(super) fn switch_to(&mut self, cpu: usize, woken: usize) {
        let thread = self.vacate(cpu);
        self.queue_again(cpu, thread);
        if self.sched.take(cpu, woken) {
            self.dispatch(cpu, woken, self.now + self.costs.switch);
        } else {
            self.fill(cpu);
        }
    }

    /// The current thread makes room for the next one.
    pub(super) fn switch(&mut self, cpu: usize) {
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
    pub(super) fn ring(&mut self, thread: usize) {
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
    pub(super) fn sleep(&mut self, thread: usize, span: Ps) {
        let cpu = self.sched.entities[thread].cpu;
        self.vacate(cpu);
        self.sched.sleeps(cpu, thread);
        self.threads[thread].state = State::Sleeping;
        let round = self.threads[thread].round;
        self.push(self.now + span + self.costs.timer_late, Kind::Timer { thread, round });
        self.fill(cpu);
    }
}
