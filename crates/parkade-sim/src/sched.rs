//! Who runs where: run queues, slices and wake-ups, after Linux's EEVDF scheduler.
//!
//! Each core picks, among the threads that have not had more than their share, the one whose
//! slice would end first. A running thread is replaced at a tick after its slice is used up, when
//! it sleeps, or when it yields. A woken thread goes to an idle core of the socket if there is one.

use crate::machine::Costs;
use crate::time::{MS, Ps};

/// In this time what a core did counts half as much (Linux: PELT).
const HALF_LIFE: Ps = 32 * MS;

/// What the scheduler knows of a thread.
#[derive(Debug, Clone, Default)]
pub(crate) struct Entity {
    /// Service received, on the scale of its core's queue.
    vruntime: Ps,
    /// Where its slice ends on that scale.
    deadline: Ps,
    /// Service it was owed when it went to sleep.
    lag: Ps,
    /// Where it ran last.
    pub(crate) cpu: usize,
    /// Time on a core.
    pub(crate) cpu_time: Ps,
    /// Times it lost a core.
    pub(crate) switches: u64,
}

/// One core (or hardware thread).
#[derive(Debug, Clone)]
pub(crate) struct Cpu {
    pub(crate) current: Option<usize>,
    pub(crate) queue: Vec<usize>,
    /// Threads that have gone to sleep with more than their share. They count until the others have caught
    /// up (`DELAY_DEQUEUE`).
    delayed: Vec<usize>,
    /// Up to when the current thread's time is accounted for.
    accounted: Ps,
    /// The current thread's slice is used up.
    slice_over: bool,
    pub(crate) idle_since: Ps,
    /// The part of the time for which it was busy lately, as of when.
    busy: f64,
    busy_at: Ps,
    /// For whom the current thread leaves when it returns from the kernel.
    pub(crate) resched: Option<usize>,
    /// Time stolen by interrupts, still to be paid by the current thread.
    pub(crate) stolen: Ps,
    /// Counts changes from and to idle, so that an old pull is recognised.
    pub(crate) idle_round: u64,
    pub(crate) ticks: u64,
}

impl Cpu {
    /// Nothing has changed here up to `now`.
    fn measure(&mut self, now: Ps) {
        let passed = now.saturating_sub(self.busy_at);
        self.busy_at = self.busy_at.max(now);
        let state = if self.current.is_some() { 1.0 } else { 0.0 };
        let kept = (-(passed as f64) / HALF_LIFE as f64).exp2();
        self.busy = state + (self.busy - state) * kept;
    }
}

/// All cores' queues.
#[derive(Debug)]
pub(crate) struct Sched {
    pub(crate) entities: Vec<Entity>,
    pub(crate) cpus: Vec<Cpu>,
    slice: Ps,
}

impl Sched {
    pub(crate) fn new(threads: usize, costs: &Costs) -> Sched {
        let cpu = Cpu {
            current: None,
            queue: Vec::new(),
            delayed: Vec::new(),
            accounted: 0,
            slice_over: false,
            resched: None,
            idle_since: 0,
            busy: 0.0,
            busy_at: 0,
            stolen: 0,
            idle_round: 0,
            ticks: 0,
        };
        Sched {
            entities: vec![Entity::default(); threads],
            cpus: vec![cpu; costs.cpus],
            slice: costs.slice,
        }
    }

    /// Books the current thread's time up to `now`.
    pub(crate) fn account(&mut self, cpu: usize, now: Ps) {
        let core = &mut self.cpus[cpu];
        core.measure(now);
        let Some(thread) = core.current else { return };
        let ran = now.saturating_sub(core.accounted);
        core.accounted = core.accounted.max(now);
        let entity = &mut self.entities[thread];
        entity.cpu_time += ran;
        entity.vruntime += ran;
        if entity.vruntime >= entity.deadline {
            entity.deadline = entity.vruntime + self.slice;
            core.slice_over = true;
        }
    }

    /// Whether a tick at this moment takes the core away.
    pub(crate) fn must_switch(&self, cpu: usize) -> bool {
        let core = &self.cpus[cpu];
        core.current.is_some() && core.slice_over && !core.queue.is_empty()
    }

    /// How many threads count on a core, and their mean service.
    fn mean_of(&self, cpu: usize) -> (u64, Ps) {
        let core = &self.cpus[cpu];
        let all = core.queue.iter().chain(&core.delayed).chain(&core.current);
        let (sum, count) = all.fold((0_u128, 0_u128), |(sum, count), &thread| {
            (sum + u128::from(self.entities[thread].vruntime), count + 1)
        });
        (count as u64, sum.checked_div(count).unwrap_or(0) as Ps)
    }

    fn mean(&self, cpu: usize) -> Ps {
        self.mean_of(cpu).1
    }

    /// The thread whose turn is next, asleep or not.
    fn pick(&self, cpu: usize) -> Option<usize> {
        let mean = self.mean(cpu);
        let core = &self.cpus[cpu];
        let waiting = || core.queue.iter().chain(&core.delayed).copied();
        let deadline = |&thread: &usize| self.entities[thread].deadline;
        let eligible = |&thread: &usize| self.entities[thread].vruntime <= mean;
        waiting().filter(eligible).min_by_key(deadline).or_else(|| waiting().min_by_key(deadline))
    }

    /// Takes the thread to run next off the queue.
    pub(crate) fn take_next(&mut self, cpu: usize) -> Option<usize> {
        loop {
            let next = self.pick(cpu)?;
            if self.take(cpu, next) {
                return Some(next);
            }
            // It sleeps, and has been waited for long enough.
            self.cpus[cpu].delayed.retain(|&thread| thread != next);
        }
    }

    /// Takes that thread off the queue; whether it was there.
    pub(crate) fn take(&mut self, cpu: usize, thread: usize) -> bool {
        let queue = &mut self.cpus[cpu].queue;
        let at = queue.iter().position(|&queued| queued == thread);
        at.map(|at| queue.remove(at)).is_some()
    }

    /// `thread` runs on `cpu` from `start` on.
    pub(crate) fn put(&mut self, cpu: usize, thread: usize, start: Ps) {
        let core = &mut self.cpus[cpu];
        debug_assert!(core.current.is_none(), "two threads on one core");
        core.measure(start);
        core.current = Some(thread);
        core.accounted = start;
        core.slice_over = false;
        core.resched = None;
        core.idle_round += 1;
        self.entities[thread].cpu = cpu;
    }

    /// The current thread leaves the core, to sleep or to queue. Its time is booked.
    pub(crate) fn clear(&mut self, cpu: usize) -> usize {
        let mean = self.mean(cpu);
        let thread = self.cpus[cpu].current.take().expect("a thread runs here");
        let entity = &mut self.entities[thread];
        entity.lag = mean.saturating_sub(entity.vruntime).min(self.slice);
        entity.switches += 1;
        thread
    }

    /// The thread that has just left the core goes to sleep. If it has had more than its share, it counts on.
    pub(crate) fn sleeps(&mut self, cpu: usize, thread: usize) {
        let (count, mean) = self.mean_of(cpu);
        if count > 0 && self.entities[thread].vruntime > mean {
            self.cpus[cpu].delayed.push(thread);
        }
    }

    /// If a sleeping thread still counts on some core, puts it into the queue there.
    pub(crate) fn revive(&mut self, thread: usize) -> Option<usize> {
        let cpu = self.entities[thread].cpu;
        let mean = self.mean(cpu);
        let delayed = &mut self.cpus[cpu].delayed;
        let at = delayed.iter().position(|&sleeper| sleeper == thread)?;
        delayed.remove(at);
        self.cpus[cpu].queue.push(thread);
        let entity = &mut self.entities[thread];
        if entity.vruntime < mean {
            entity.vruntime = mean;
            entity.deadline = mean + self.slice;
        }
        Some(cpu)
    }

    /// Yields: gives up the rest of the slice, unless the thread has had more than its share anyway.
    pub(crate) fn forfeit(&mut self, cpu: usize, thread: usize) {
        let mean = self.mean(cpu);
        let entity = &mut self.entities[thread];
        if entity.vruntime <= mean {
            entity.vruntime = entity.deadline;
            entity.deadline = entity.vruntime + self.slice;
        }
    }

    /// Puts a thread that slept, is new, or comes from another core into the queue's scale.
    pub(crate) fn place(&mut self, cpu: usize, thread: usize) {
        let (count, mean) = self.mean_of(cpu);
        let entity = &mut self.entities[thread];
        // The thread moves the mean itself; what it is owed must be left.
        let lag = entity.lag + entity.lag.checked_div(count).unwrap_or(0);
        entity.vruntime = mean.saturating_sub(lag);
        entity.deadline = entity.vruntime + self.slice;
        entity.lag = 0;
    }

    /// Whether a thread that was just queued runs before the current one: only if that one has had more
    /// than its share. Otherwise it may use up its slice (`RUN_TO_PARITY`).
    pub(crate) fn comes_first(&self, cpu: usize, thread: usize) -> bool {
        let core = &self.cpus[cpu];
        let mean = self.mean(cpu);
        let over = core.current.is_some_and(|old| self.entities[old].vruntime > mean);
        over && self.pick(cpu) == Some(thread)
    }

    pub(crate) fn is_idle(&self, cpu: usize) -> bool {
        self.cpus[cpu].current.is_none() && self.cpus[cpu].queue.is_empty()
    }

    /// Where a woken thread goes: its last core if that is idle, an idle one beside it, or else the
    /// less busy one of its last and its waker's. Some hypervisors' kernels keep it where it was last and
    /// its waker is, if one core can do the work of both.
    pub(crate) fn place_for_wake(
        &self,
        thread: usize,
        waker: Option<usize>,
        costs: &Costs,
    ) -> usize {
        let last = self.entities[thread].cpu;
        let socket = |cpu: usize| costs.socket(costs.cache(cpu));
        let near = |cpu: &usize| socket(*cpu) == socket(last);
        if waker == Some(last) && self.cpus[last].busy < costs.pack_below {
            return last;
        }
        if self.is_idle(last) {
            return last;
        }
        let whole = |cpu: &usize| {
            (costs.cache(*cpu)..costs.cpus).step_by(costs.cores).all(|twin| self.is_idle(twin))
        };
        let after = (last + 1..costs.cpus).chain(0..last);
        let mut idle = after.filter(near).filter(|&cpu| self.is_idle(cpu));
        let first = idle.next();
        if let Some(cpu) = first {
            if costs.cpus == costs.cores || whole(&cpu) {
                return cpu;
            }
            return idle.find(whole).unwrap_or(cpu);
        }
        let load = |cpu: usize| self.cpus[cpu].queue.len();
        match waker {
            Some(waker) if near(&waker) && load(waker) < load(last) => waker,
            _ => last,
        }
    }

    /// A waiting thread that an idle or less busy core may take over, from the longest queue if at least so
    /// many wait there.
    pub(crate) fn steal_for(&mut self, cpu: usize, least: usize) -> Option<usize> {
        let own = self.cpus[cpu].queue.len() + usize::from(self.cpus[cpu].current.is_some());
        let (from, most) = (0..self.cpus.len())
            .map(|other| (other, self.cpus[other].queue.len()))
            .max_by_key(|&(other, len)| (len, usize::MAX - other))?;
        // The one that runs there counts too.
        if from == cpu || most < least || most + 1 < own + 2 {
            return None;
        }
        let thread = self.cpus[from].queue.remove(0);
        let mean = self.mean(from);
        let entity = &mut self.entities[thread];
        entity.lag = mean.saturating_sub(entity.vruntime).min(self.slice);
        Some(thread)
    }
}
