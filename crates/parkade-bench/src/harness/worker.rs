//! The loops. Every one is generic over the lock, so that its fast path is inlined here.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::{Limits, Padded, Stage};
use crate::clock::Clock;
use crate::os::{self, Usage};
use crate::rng::Rng;
use crate::scenario::{Sampling, Scenario, Shape};
use crate::subject::Subject;
use crate::waits::{Due, Sampler, ThreadWaits};
use crate::work::Work;

/// How many operations the loops without waits do between two looks at the stop flag.
const BLOCK: u64 = 1024;

/// What a thread hands in at the end.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) ops: u64,
    pub(super) started: u64,
    pub(super) finished: u64,
    pub(super) held_ns: u64,
    pub(super) usage: Option<Usage>,
    pub(super) waits: ThreadWaits,
}

/// A desk's value while its thread is inside its lock call number `op`.
fn waiting(op: u64) -> u64 {
    2 * op + 1
}

/// A desk's value once call number `op` has returned with the lock.
fn granted(op: u64) -> u64 {
    2 * op + 2
}

/// Whether a desk's value says that its thread is inside a lock call.
pub(super) fn is_waiting(phase: u64) -> bool {
    phase % 2 == 1
}

/// One thread of a run.
#[derive(Debug)]
pub(super) struct Worker<'a> {
    stage: &'a Stage,
    desk: &'a AtomicU64,
    index: u32,
    budget: u64,
    ops: u64,
    held_ns: u64,
    clock: Clock,
    work: Work,
    rng: Rng,
    sampler: Sampler,
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
            held_ns: 0,
            clock,
            work: Work::new(),
            rng: Rng::new(seed),
            sampler: Sampler::new(sampling, clock, !seed),
        }
    }

    /// Does what the scenario says until told to stop.
    pub(super) fn work<S: Subject>(
        mut self,
        scenario: &Scenario,
        locks: &[Padded<S::Lock>],
    ) -> Outcome {
        let before = os::thread_usage();
        let started = self.clock.ticks();
        let lock = &locks[0].0;
        match scenario.shape {
            Shape::EmptyLoop => self.empty_loop::<S>(lock),
            Shape::Solo => self.solo::<S>(lock),
            Shape::Steps { inside, outside } => self.steps::<S>(lock, inside, outside),
            Shape::SleepInside { hold } => self.sleep_inside::<S>(lock, hold),
            Shape::Burst { on, off } => self.burst::<S>(lock, on, off),
            Shape::Hog { hold } if self.index == 0 => self.sleep_inside::<S>(lock, hold),
            Shape::Hog { .. } => self.steps::<S>(lock, 0, 0),
            Shape::Many { .. } => self.many::<S>(locks),
            Shape::Float { inside, outside } => self.float::<S>(lock, inside, outside),
        }
        let finished = self.clock.ticks();
        let usage = os::thread_usage().zip(before).map(|(after, before)| after.since(before));
        let (ops, held_ns) = (self.ops, self.held_ns);
        Outcome { ops, started, finished, held_ns, usage, waits: self.sampler.finish() }
    }

    #[inline(always)]
    fn goes_on(&self) -> bool {
        !self.stage.stop.0.load(Ordering::Relaxed) && self.ops < self.budget
    }

    /// One operation on a lock others want too.
    #[inline(always)]
    fn enter<S: Subject>(&mut self, lock: &S::Lock, section: impl FnOnce(&mut u64)) {
        let (desk, op) = (self.desk, self.ops);
        desk.store(waiting(op), Ordering::Relaxed);
        match self.sampler.due() {
            Due::Later => S::with(lock, |value| {
                desk.store(granted(op), Ordering::Relaxed);
                section(value);
            }),
            Due::Now => {
                let clock = self.clock;
                let asked = clock.ticks();
                let granted = S::with(lock, |value| {
                    let now = clock.ticks();
                    desk.store(granted(op), Ordering::Relaxed);
                    section(value);
                    now
                });
                self.sampler.record(asked, granted);
            }
        }
        self.ops = op + 1;
    }

    fn empty_loop<S: Subject>(&mut self, lock: &S::Lock) {
        while self.goes_on() {
            for _ in 0..BLOCK {
                S::with(lock, |value| {
                    black_box(value);
                });
            }
            self.ops += BLOCK;
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
                let mut shared = f64::from_bits(*value);
                for _ in 0..inside {
                    shared = (shared + carried) * factor;
                    carried = shared;
                }
                *value = shared.to_bits();
            });
            for _ in 0..outside {
                own = (own + carried) * factor;
                carried = own;
            }
        }
        black_box((carried, own));
    }
}
