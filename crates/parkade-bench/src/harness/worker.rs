//! The loops. Every one is generic over the lock, so that its fast path is inlined here.

pub(super) mod condvar;
pub(super) mod keyed;
mod once;
mod reentrant;
mod rw;
mod semaphore;

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::{Limits, Padded, Stage};
use crate::clock::Clock;
use crate::draw::Keys;
use crate::os::{self, Usage};
use crate::rng::Rng;
use crate::scenario::{Sampling, Scenario, Shape};
use crate::sides::{Access, Sides};
use crate::subject::Subject;
use crate::waits::{Due, Sampler, ThreadWaits};
use crate::work::Work;

/// How many operations the loops without waits do between two looks at the stop flag.
const BLOCK: u64 = 1024;

/// What a thread hands in at the end.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) ops: u64,
    /// Those of them which were reads.
    pub(super) reads: u64,
    pub(super) started: u64,
    pub(super) finished: u64,
    pub(super) held_ns: u64,
    pub(super) usage: Option<Usage>,
    pub(super) waits: Sides<ThreadWaits>,
}

impl Outcome {
    /// How often the thread read, or wrote.
    pub(super) fn ops_of(&self, access: Access) -> u64 {
        match access {
            Access::Read => self.reads,
            Access::Write => self.ops - self.reads,
        }
    }
}

const WAITING: u64 = 1;
const READING: u64 = 2;

/// A desk's value while its thread is inside its lock call number `op`.
pub(super) fn waiting(op: u64, access: Access) -> u64 {
    match access {
        Access::Read => (4 * op) | READING | WAITING,
        Access::Write => (4 * op) | WAITING,
    }
}

/// A desk's value once call number `op` has returned with the lock.
pub(super) fn granted(op: u64) -> u64 {
    4 * (op + 1)
}

/// What a thread is waiting for by its desk's value, if it is inside a lock call.
pub(super) fn waits_for(phase: u64) -> Option<Access> {
    let access = if phase & READING == 0 { Access::Write } else { Access::Read };
    (phase & WAITING != 0).then_some(access)
}

/// A lock and the way in which an operation takes it.
pub(super) trait Operation {
    const ACCESS: Access;
    type Lock;
    /// What the section gets.
    type Value<'a>;

    fn with<R>(lock: &Self::Lock, section: impl FnOnce(Self::Value<'_>) -> R) -> R;
}

impl<S: Subject> Operation for S {
    const ACCESS: Access = Access::Write;
    type Lock = <S as Subject>::Lock;
    type Value<'a> = &'a mut u64;

    #[inline(always)]
    fn with<R>(lock: &Self::Lock, section: impl FnOnce(&mut u64) -> R) -> R {
        <S as Subject>::with(lock, section)
    }
}

/// One thread of a run.
#[derive(Debug)]
pub(super) struct Worker<'a> {
    stage: &'a Stage,
    desk: &'a AtomicU64,
    index: u32,
    budget: u64,
    ops: u64,
    reads: u64,
    held_ns: u64,
    clock: Clock,
    work: Work,
    rng: Rng,
    keys: Keys,
    samplers: Sides<Sampler>,
}

impl<'a> Worker<'a> {
    pub(super) fn new(
        scenario: &Scenario,
        limits: Limits,
        stage: &'a Stage,
        index: u32,
    ) -> Worker<'a> {
        let clock = Clock::get();
        let seed = limits.seed.wrapping_add(u64::from(index) << 32);
        let is_hog = index == 0 && matches!(scenario.shape, Shape::Hog { .. });
        let sampling = if is_hog { Sampling::Every } else { scenario.sampling() };
        Worker {
            stage,
            desk: &stage.desks[index as usize].0,
            index,
            budget: limits.ops_per_thread.unwrap_or(u64::MAX),
            ops: 0,
            reads: 0,
            held_ns: 0,
            clock,
            work: Work::new(),
            rng: Rng::new(seed),
            keys: Keys::new(scenario.shape, Rng::new(seed)),
            samplers: Sides::from_fn(|_| Sampler::new(sampling, clock, !seed)),
        }
    }

    /// Does what the scenario says until told to stop.
    pub(super) fn work<S: Subject>(
        self,
        scenario: &Scenario,
        locks: &[Padded<S::Lock>],
    ) -> Outcome {
        let lock = &locks[0].0;
        self.timed(|worker| match scenario.shape {
            Shape::EmptyLoop => worker.empty_loop::<S>(lock),
            Shape::Solo => worker.solo::<S>(lock),
            Shape::Steps { inside, outside } => worker.steps::<S>(lock, inside, outside),
            Shape::SleepInside { hold } => worker.sleep_inside::<S>(lock, hold),
            Shape::Burst { on, off } => worker.burst::<S>(lock, on, off),
            Shape::Hog { hold } if worker.index == 0 => worker.sleep_inside::<S>(lock, hold),
            Shape::Hog { .. } => worker.steps::<S>(lock, 0, 0),
            Shape::Many { .. } => worker.many::<S>(locks),
            Shape::Float { inside, outside } => worker.float::<S>(lock, inside, outside),
            Shape::Rw(_)
            | Shape::Reentrant(_)
            | Shape::Condvar(_)
            | Shape::Keyed(_)
            | Shape::Semaphore(_) => unreachable!("its loops take another lock"),
            Shape::Once(_) => unreachable!("its loops take what is complete"),
            Shape::Async(_) => unreachable!("tasks are no workers"),
        })
    }

    /// Runs a loop and says what it took.
    fn timed(mut self, body: impl FnOnce(&mut Self)) -> Outcome {
        let before = os::thread_usage();
        let started = self.clock.ticks();
        body(&mut self);
        let finished = self.clock.ticks();
        let usage = os::thread_usage().zip(before).map(|(after, before)| after.since(before));
        let Worker { ops, reads, held_ns, samplers: Sides { read, write }, .. } = self;
        let waits = Sides { read: read.finish(), write: write.finish() };
        Outcome { ops, reads, started, finished, held_ns, usage, waits }
    }

    #[inline(always)]
    fn goes_on(&self) -> bool {
        self.goes_on_after(self.ops)
    }

    #[inline(always)]
    fn goes_on_after(&self, ops: u64) -> bool {
        !self.stage.stop.0.load(Ordering::Relaxed) && ops < self.budget
    }

    /// One operation on a lock others want too.
    #[inline(always)]
    fn enter<O: Operation>(&mut self, lock: &O::Lock, section: impl FnOnce(O::Value<'_>)) {
        self.operate::<O>(self.ops, lock, section);
        self.ops += 1;
        if O::ACCESS == Access::Read {
            self.reads += 1;
        }
    }

    /// Operation number `op`, to be counted by the caller.
    #[inline(always)]
    fn operate<O: Operation>(
        &mut self,
        op: u64,
        lock: &O::Lock,
        section: impl FnOnce(O::Value<'_>),
    ) {
        let desk = self.desk;
        desk.store(waiting(op, O::ACCESS), Ordering::Relaxed);
        match self.samplers.of_mut(O::ACCESS).due() {
            Due::Later => O::with(lock, |value| {
                desk.store(granted(op), Ordering::Relaxed);
                section(value);
            }),
            Due::Now => {
                let clock = self.clock;
                let asked = clock.ticks();
                let granted = O::with(lock, |value| {
                    let now = clock.ticks();
                    desk.store(granted(op), Ordering::Relaxed);
                    section(value);
                    now
                });
                self.samplers.of_mut(O::ACCESS).record(asked, granted);
            }
        }
    }

    fn empty_loop<O: Operation>(&mut self, lock: &O::Lock) {
        while self.goes_on() {
            for _ in 0..BLOCK {
                O::with(lock, |value| {
                    black_box(value);
                });
            }
            self.ops += BLOCK;
        }
        if O::ACCESS == Access::Read {
            self.reads = self.ops;
        }
    }

    fn solo<S: Subject>(&mut self, lock: &S::Lock) {
        let work = self.work;
        while self.goes_on() {
            S::with(lock, |value| *value = work.run(*value + 1, 0));
            self.ops += 1;
        }
    }

    fn steps<S: Subject>(&mut self, lock: &S::Lock, inside: u32, outside: u32) {
        let work = self.work;
        let mut own = 1;
        while self.goes_on() {
            self.enter::<S>(lock, |value| *value = work.run(value.wrapping_add(1), inside));
            own = work.run(own, outside);
        }
        black_box(own);
    }

    fn sleep_inside<S: Subject>(&mut self, lock: &S::Lock, hold: Duration) {
        let clock = self.clock;
        while self.goes_on() {
            let mut held_ns = 0;
            self.enter::<S>(lock, |value| {
                let begin = clock.ticks();
                std::thread::sleep(hold);
                *value = value.wrapping_add(1);
                held_ns = clock.ns_between(begin, clock.ticks());
            });
            self.held_ns += held_ns;
        }
    }

    fn burst<S: Subject>(&mut self, lock: &S::Lock, on: Duration, off: Duration) {
        let (clock, length) = (self.clock, self.clock.ticks_in(on));
        while self.goes_on() {
            let begin = clock.ticks();
            while self.goes_on() && clock.ticks().saturating_sub(begin) < length {
                self.enter::<S>(lock, |value| *value = value.wrapping_add(1));
            }
            if self.goes_on() {
                std::thread::sleep(off);
            }
        }
    }

    fn many<S: Subject>(&mut self, locks: &[Padded<S::Lock>]) {
        let count = locks.len() as u32;
        while self.goes_on() {
            let lock = &locks[self.rng.below(count) as usize].0;
            self.enter::<S>(lock, |value| *value = value.wrapping_add(1));
        }
    }

    fn float<S: Subject>(&mut self, lock: &S::Lock, inside: u32, outside: u32) {
        let factor = black_box(1.01_f64);
        let (mut carried, mut own) = (0.0_f64, 0.0_f64);
        while self.goes_on() {
            self.enter::<S>(lock, |value| {
                let shared = f64::from_bits(*value);
                *value = float_steps(shared, &mut carried, factor, inside).to_bits();
            });
            own = float_steps(own, &mut carried, factor, outside);
        }
        black_box((carried, own));
    }
}

/// Takes `value` through `steps` steps, each of which needs the one before, the first also what
/// the thread carries with it from section to section.
#[inline(always)]
fn float_steps(mut value: f64, carried: &mut f64, factor: f64, steps: u32) -> f64 {
    for _ in 0..steps {
        value = (value + *carried) * factor;
        *carried = value;
    }
    value
}
