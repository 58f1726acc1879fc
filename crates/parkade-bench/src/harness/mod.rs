//! Runs one scenario on one subject.

mod tasks;
mod worker;

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::clock::Clock;
use crate::report::{Hog, Round, Side};
use crate::scenario::{
    CondvarShape, KeyedShape, OnceShape, Part, ReentrantShape, RwShape, Sampling, Scenario,
    SemaphoreShape, Shape,
};
use crate::sides::{Access, Sides};
use crate::subject::{
    CondvarSubject, KeyedSubject, OnceLockSubject, OnceSubject, ReentrantSubject, RwSubject,
    SemaphoreSubject, Subject, SubjectId, WeightedSubject,
};
use crate::waits::{ThreadWaits, Waits};
use crate::{
    with_async_subject, with_condvar_subject, with_keyed_subject, with_once_lock_subject,
    with_once_subject, with_reentrant_subject, with_rw_subject, with_semaphore_subject,
    with_subject, with_weighted_subject,
};
use worker::keyed::Floor;
use worker::{Outcome, Worker};

/// How often the watcher looks at the threads: seldom enough not to preempt them much, often
/// enough to see every wait that is longer than a slice of the scheduler.
pub const WATCH_PERIOD: Duration = Duration::from_millis(1);

/// A value on a cache line, and its neighbour, of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Padded<T>(pub(crate) T);

/// When a run ends.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Stops after this time.
    pub time: Duration,
    /// Stops a thread after this many operations, if sooner.
    pub ops_per_thread: Option<u64>,
    /// The seed of all random choices.
    pub seed: u64,
}

/// What a run gave.
#[derive(Debug)]
pub struct Measured {
    /// The figures.
    pub round: Round,
    /// All timed waits, to be merged over rounds. A mutex is only written.
    pub waits: Sides<Histogram<u64>>,
    /// Whether every thread has done its operations; without a limit on them, never.
    pub completion: Completion,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completion {
    /// All threads did all their operations.
    AllOps,
    /// The time was over.
    TimeIsUp,
}

/// Runs `scenario` on `subject`.
pub fn measure(scenario: &Scenario, subject: SubjectId, limits: Limits) -> Measured {
    match scenario.shape {
        Shape::Rw(shape) => {
            with_rw_subject!(subject, S => measure_rw_as::<S>(scenario, shape, limits))
        }
        Shape::Reentrant(shape) => {
            with_reentrant_subject!(subject, S => measure_reentrant_as::<S>(scenario, shape, limits))
        }
        Shape::Condvar(shape) => {
            with_condvar_subject!(subject, S => measure_condvar_as::<S>(scenario, shape, limits))
        }
        Shape::Keyed(shape) => {
            with_keyed_subject!(subject, S => measure_keyed_as::<S>(scenario, shape, limits))
        }
        Shape::Semaphore(shape @ SemaphoreShape::Weighted { .. }) => {
            with_weighted_subject!(subject, S => measure_weighted_as::<S>(scenario, shape, limits))
        }
        Shape::Semaphore(shape) => {
            with_semaphore_subject!(subject, S => measure_semaphore_as::<S>(scenario, shape, limits))
        }
        Shape::Async(shape) => {
            with_async_subject!(subject, S => tasks::measure::<S>(scenario, shape, limits))
        }
        Shape::Once(OnceShape::Call) => {
            with_once_subject!(subject, S => measure_once_as::<S>(scenario, limits))
        }
        Shape::Once(OnceShape::Get) => {
            with_once_lock_subject!(subject, S => measure_once_lock_as::<S>(scenario, limits))
        }
        _ => with_subject!(subject, S => measure_as::<S>(scenario, limits)),
    }
}

/// What the threads of a run share besides the locks.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) stop: Padded<AtomicBool>,
    go: Padded<AtomicBool>,
    /// Set by the first thread through the gate: on a busy machine that can take a while.
    begun: Padded<AtomicBool>,
    running: Padded<AtomicU64>,
    /// One for each thread: what it is doing, for the watcher.
    pub(crate) desks: Vec<Padded<AtomicU64>>,
}

impl Stage {
    fn new(threads: u32) -> Stage {
        Stage {
            stop: Padded(AtomicBool::new(false)),
            go: Padded(AtomicBool::new(false)),
            begun: Padded(AtomicBool::new(false)),
            running: Padded(AtomicU64::new(threads.into())),
            desks: (0..threads).map(|_| Padded::default()).collect(),
        }
    }
}

/// As [`measure`], for a subject known to the compiler.
pub(crate) fn measure_as<S: Subject>(scenario: &Scenario, limits: Limits) -> Measured {
    run(scenario, limits, S::new, |worker, locks| worker.work::<S>(scenario, locks))
}

/// As [`measure_as`], for reader-writer locks.
fn measure_rw_as<S: RwSubject>(scenario: &Scenario, shape: RwShape, limits: Limits) -> Measured {
    run(scenario, limits, S::new, |worker, locks| {
        worker.work_rw::<S>(shape, scenario.sampling(), locks)
    })
}

/// As [`measure_as`], for reentrant mutexes.
fn measure_reentrant_as<S: ReentrantSubject>(
    scenario: &Scenario,
    shape: ReentrantShape,
    limits: Limits,
) -> Measured {
    run(scenario, limits, S::new, |worker, locks| worker.work_reentrant::<S>(shape, locks))
}

/// As [`measure_as`], for condition variables.
fn measure_condvar_as<S: CondvarSubject>(
    scenario: &Scenario,
    shape: CondvarShape,
    limits: Limits,
) -> Measured {
    let work = |worker: Worker<'_>, locks: &[Padded<S::Lock>]| {
        worker.work_condvar::<S>(shape, scenario.threads, locks)
    };
    run_waking(scenario, limits, S::new, work, worker::condvar::wake::<S>)
}

/// As [`measure_as`], for a `Once`.
fn measure_once_as<S: OnceSubject>(scenario: &Scenario, limits: Limits) -> Measured {
    run(scenario, limits, |_| S::completed(), |worker, onces| worker.work_once::<S>(onces))
}

/// As [`measure_as`], for a `OnceLock`.
fn measure_once_lock_as<S: OnceLockSubject>(scenario: &Scenario, limits: Limits) -> Measured {
    run(scenario, limits, S::filled, |worker, locks| worker.work_once_lock::<S>(locks))
}

/// As [`measure_as`], for a mutex for each key.
fn measure_keyed_as<S: KeyedSubject>(
    scenario: &Scenario,
    shape: KeyedShape,
    limits: Limits,
) -> Measured {
    let floor = |_| Floor::<S>::new(shape.keys);
    run(scenario, limits, floor, |worker, floors| worker.work_keyed::<S>(shape, floors))
}

/// As [`measure_as`], for semaphores.
fn measure_semaphore_as<S: SemaphoreSubject>(
    scenario: &Scenario,
    shape: SemaphoreShape,
    limits: Limits,
) -> Measured {
    let new = |_| S::new(shape.permits());
    run(scenario, limits, new, |worker, all| worker.work_semaphore::<S>(shape, all))
}

/// As [`measure_as`], for semaphores that give several permits at once.
fn measure_weighted_as<S: WeightedSubject>(
    scenario: &Scenario,
    shape: SemaphoreShape,
    limits: Limits,
) -> Measured {
    let new = |_| S::new(shape.permits());
    run(scenario, limits, new, |worker, all| worker.work_weighted::<S>(shape, all))
}

/// What a lock protects at first.
fn first_value(shape: Shape) -> u64 {
    match shape {
        // Readers multiply by it, and a number that small would take the processor much longer.
        Shape::Rw(RwShape::Apart { .. }) => 1.0_f64.to_bits(),
        // An empty queue, no turn and no broadcast yet.
        Shape::Condvar(_) => 0,
        _ => 1,
    }
}

fn run<L: Send + Sync>(
    scenario: &Scenario,
    limits: Limits,
    new: impl Fn(u64) -> L,
    work: impl Fn(Worker<'_>, &[Padded<L>]) -> Outcome + Sync,
) -> Measured {
    run_waking(scenario, limits, new, work, |_| ())
}

/// As [`run`]; `wake` is called on every lock once the stop flag is set, for those who would not see it.
fn run_waking<L: Send + Sync>(
    scenario: &Scenario,
    limits: Limits,
    new: impl Fn(u64) -> L,
    work: impl Fn(Worker<'_>, &[Padded<L>]) -> Outcome + Sync,
    wake: fn(&L),
) -> Measured {
    let clock = Clock::get();
    let count = match scenario.shape {
        Shape::Many { locks } => locks,
        _ => 1,
    };
    let locks: Vec<_> = (0..count).map(|_| Padded(new(first_value(scenario.shape)))).collect();
    let stage = Stage::new(scenario.threads);
    let ready = Barrier::new(scenario.threads as usize + 1);
    let (outcomes, watched_ns, stopped) = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..scenario.threads)
            .map(|index| {
                let (stage, ready, locks, work) = (&stage, &ready, &locks, &work);
                scope.spawn(move || {
                    let worker = Worker::new(scenario, limits, stage, index);
                    ready.wait();
                    // The barrier lets threads through one after the other; nobody may begin
                    // before all are awake.
                    while !stage.go.0.load(Ordering::Acquire) {
                        std::thread::yield_now();
                    }
                    stage.begun.0.store(true, Ordering::Relaxed);
                    let outcome = work(worker, locks);
                    stage.running.0.fetch_sub(1, Ordering::Release);
                    outcome
                })
            })
            .collect();
        ready.wait();
        stage.go.0.store(true, Ordering::Release);
        while !stage.begun.0.load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
        let time = scenario.round_time(limits.time);
        let watched_ns = watch(&stage, scenario.sampling(), time);
        stage.stop.0.store(true, Ordering::Relaxed);
        let stopped = clock.ticks();
        locks.iter().for_each(|lock| wake(&lock.0));
        let outcomes: Vec<Outcome> = workers
            .into_iter()
            .map(|worker| worker.join().expect("workers do not panic"))
            .collect();
        (outcomes, watched_ns, stopped)
    });
    collect(scenario, limits, outcomes, watched_ns, stopped)
}

/// Sleeps until the time is up or all threads have finished, looking now and then who is inside
/// which lock call. Returns the longest time for which a thread was seen inside the same call, for
/// reading and for writing.
fn watch(stage: &Stage, sampling: Sampling, time: Duration) -> Sides<u64> {
    let clock = Clock::get();
    let begin = Instant::now();
    let mut seen: Vec<(u64, u64)> = vec![(0, 0); stage.desks.len()];
    let mut longest = Sides::default();
    loop {
        let left = time.saturating_sub(begin.elapsed());
        if left.is_zero() || stage.running.0.load(Ordering::Acquire) == 0 {
            return longest;
        }
        if sampling == Sampling::Off {
            std::thread::sleep(left);
            continue;
        }
        std::thread::sleep(left.min(WATCH_PERIOD));
        // Stamps on the safe side: a call seen at `before` is dated after this sweep, and seen
        // again it has lasted until before the next.
        let before = clock.ticks();
        let phases: Vec<u64> =
            stage.desks.iter().map(|desk| desk.0.load(Ordering::Relaxed)).collect();
        let after = clock.ticks();
        for (phase, (last, since)) in phases.into_iter().zip(&mut seen) {
            if phase != *last {
                (*last, *since) = (phase, after);
            } else if let Some(access) = worker::waits_for(phase) {
                let longest: &mut u64 = longest.of_mut(access);
                *longest = (*longest).max(clock.ns_between(*since, before));
            }
        }
    }
}

/// How much longer than the longest wait we report a true one can have been.
fn resolution(scenario: &Scenario) -> Duration {
    match scenario.sampling() {
        Sampling::OneIn(_) => 2 * WATCH_PERIOD,
        Sampling::Every | Sampling::Off => Duration::ZERO,
    }
}

fn collect(
    scenario: &Scenario,
    limits: Limits,
    mut outcomes: Vec<Outcome>,
    watched_ns: Sides<u64>,
    stopped: u64,
) -> Measured {
    let clock = Clock::get();
    let begin = outcomes.iter().map(|outcome| outcome.started).min().unwrap_or(0);
    let done = limits.ops_per_thread.is_some_and(|ops| outcomes.iter().all(|o| o.ops >= ops));
    let end = if done {
        outcomes.iter().map(|outcome| outcome.finished).max().unwrap_or(stopped)
    } else {
        stopped
    };
    let has_hog = matches!(scenario.shape, Shape::Hog { .. });
    let hog = outcomes
        .first()
        .filter(|_| has_hog)
        .map(|outcome| Hog { ops: outcome.ops, held_secs: outcome.held_ns as f64 / 1e9 });
    let per_thread: Vec<u64> =
        outcomes.iter().skip(usize::from(has_hog)).map(|outcome| outcome.ops).collect();
    let usage: Option<Vec<_>> = outcomes.iter().map(|outcome| outcome.usage).collect();
    if has_hog {
        // All of its waits are timed, few of its victims': together they would give a
        // distribution of nothing. Its longest wait counts as everybody's does.
        outcomes[0].waits.write.histogram.reset();
    }
    let timed = scenario.sampling() != Sampling::Off;
    let side = |access: Access| {
        let threads: Vec<&ThreadWaits> = outcomes.iter().map(|o| o.waits.of(access)).collect();
        Waits::from_threads(&threads, *watched_ns.of(access), resolution(scenario))
    };
    let (read, write) = (side(Access::Read), side(Access::Write));
    let all = || {
        let threads: Vec<&ThreadWaits> =
            outcomes.iter().flat_map(|o| [&o.waits.read, &o.waits.write]).collect();
        let watched_ns = watched_ns.read.max(watched_ns.write);
        Waits::from_threads(&threads, watched_ns, resolution(scenario)).0
    };
    let round = Round {
        secs: clock.ns_between(begin, end).max(1) as f64 / 1e9,
        ops: per_thread.iter().sum(),
        per_thread,
        hog,
        cpu_secs: usage.as_ref().map(|all| all.iter().map(|u| u.cpu.as_secs_f64()).sum()),
        context_switches: usage.map(|all| all.iter().map(|u| u.context_switches).sum()),
        waits: timed.then(all),
        sides: Sides {
            read: side_of(scenario, Access::Read, &outcomes, timed.then_some(read.0)),
            write: side_of(scenario, Access::Write, &outcomes, timed.then_some(write.0)),
        },
    };
    let waits = Sides { read: read.1, write: write.1 };
    let completion = if done { Completion::AllOps } else { Completion::TimeIsUp };
    Measured { round, waits, completion }
}

/// What the readers did, or the writers; `None` where there are none, or no such distinction.
fn side_of(
    scenario: &Scenario,
    access: Access,
    outcomes: &[Outcome],
    waits: Option<Waits>,
) -> Option<Side> {
    let Shape::Rw(shape) = scenario.shape else {
        return None;
    };
    let per_thread: Vec<u64> = (0..)
        .zip(outcomes)
        .filter(|(index, _)| *shape.takes_part(*index).of(access) == Part::Taken)
        .map(|(_, outcome)| outcome.ops_of(access))
        .collect();
    let ops = per_thread.iter().sum();
    (!per_thread.is_empty()).then_some(Side { ops, per_thread, waits })
}

#[cfg(test)]
mod tests;
