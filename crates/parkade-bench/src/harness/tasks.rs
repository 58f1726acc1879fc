//! Runs a scenario of tasks, and of threads beside them.
//!
//! Tasks begin as they are spawned, and the round begins when all have: what is done before does not count. Each turn is
//! timed, and those who wait when the time is up have their turn yet, which counts as a wait but not as an
//! operation; so the longest wait is the true one.

use std::cell::Cell;
use std::hint::black_box;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;

use super::{Completion, Limits, Measured, Padded};
use crate::clock::Clock;
use crate::os;
use crate::report::Round;
use crate::scenario::{AsyncShape, Sampling, Scenario, Section};
use crate::sides::Sides;
use crate::subject::AsyncSubject;
use crate::waits::{ThreadWaits, Waits, empty_histogram};
use crate::work::Work;

/// Threads of the runtime, whatever the machine has: as many as the development machine has processors.
const RUNTIME_THREADS: u32 = 2;

/// At every which turn a thread of the runtime looks into the queue of all threads. Beyond 256 for each thread all
/// tasks that are ready are there, and with the default of 61 most of 100,000 would not have a turn in a round.
const COMMON_QUEUE_INTERVAL: u32 = 2;

/// Turns of the empty loop between two looks at the phase.
const BLOCK: u64 = 1024;

/// Of more than these, as many are kept in the report.
const MOST_KEPT: usize = 1000;

/// Where a round is.
const BEFORE: u8 = 0;
const RUNNING: u8 = 1;
const OVER: u8 = 2;

thread_local! {
    /// Which of [`Stage::waits`] is the thread's.
    static SEAT: Cell<usize> = const { Cell::new(0) };
}

/// What all who take part share.
struct Stage<L> {
    lock: Padded<L>,
    phase: Padded<AtomicU8>,
    arrived: Padded<AtomicU32>,
    /// When the round began; written before the phase says so.
    begun: AtomicU64,
    clock: Clock,
    work: Work,
    /// One for each thread, so that nobody waits for it.
    waits: Vec<Padded<Mutex<ThreadWaits>>>,
}

impl<L> Stage<L> {
    fn new(lock: L, threads: u32) -> Stage<L> {
        let none =
            || ThreadWaits { histogram: empty_histogram(), longest_ns: 0, longest_gap_ns: 0 };
        Stage {
            lock: Padded(lock),
            phase: Padded::default(),
            arrived: Padded::default(),
            begun: AtomicU64::new(0),
            clock: Clock::get(),
            work: Work::new(),
            waits: (0..threads).map(|_| Padded(Mutex::new(none()))).collect(),
        }
    }

    #[inline(always)]
    fn phase(&self) -> u8 {
        self.phase.0.load(Ordering::Acquire)
    }

    fn waits(&self, seat: usize) -> MutexGuard<'_, ThreadWaits> {
        self.waits[seat].0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One task or thread.
struct Player<'a, L> {
    stage: &'a Stage<L>,
    ops: u64,
    own: u64,
    last_granted: Option<u64>,
}

impl<'a, L> Player<'a, L> {
    fn arrive(stage: &'a Stage<L>) -> Player<'a, L> {
        stage.arrived.0.fetch_add(1, Ordering::Release);
        Player { stage, ops: 0, own: 1, last_granted: None }
    }

    /// Works on the protected value.
    #[inline(always)]
    fn inside(&self, value: &AtomicU64, steps: u32) {
        let seen = value.load(Ordering::Relaxed);
        value.store(self.stage.work.run(seen.wrapping_add(1), steps), Ordering::Relaxed);
    }

    #[inline(always)]
    fn outside(&mut self, steps: u32) {
        self.own = self.stage.work.run(self.own, steps);
    }

    /// Takes in a turn that was asked for and granted at these times. Returns whether there is another.
    #[inline]
    fn took(&mut self, asked: u64, granted: u64) -> bool {
        let phase = self.stage.phase();
        if phase != BEFORE {
            let Stage { clock, begun, .. } = self.stage;
            let asked = asked.max(begun.load(Ordering::Relaxed));
            let ns = clock.ns_between(asked, granted);
            let gap = self.last_granted.map_or(0, |last| clock.ns_between(last, granted));
            self.stage.waits(SEAT.get()).record(ns, gap);
            self.last_granted = Some(granted);
        }
        self.ops += u64::from(phase == RUNNING);
        phase != OVER
    }

    fn leave(self) -> u64 {
        black_box(self.own);
        self.ops
    }
}

/// A task's part. Returns how many operations it did while the round ran.
async fn task<S: AsyncSubject>(stage: Arc<Stage<S::Lock>>, shape: AsyncShape) -> u64 {
    let (stage, clock) = (&*stage, stage.clock);
    let mut player = Player::arrive(stage);
    let AsyncShape::Turns { inside, outside, section, .. } = shape else {
        return empty_loop::<S>(player).await;
    };
    loop {
        let asked = clock.ticks();
        let value = S::lock(&stage.lock.0).await;
        let granted = clock.ticks();
        player.inside(&value, inside);
        if section == Section::Held {
            yield_now().await;
        }
        drop(value);
        if !player.took(asked, granted) {
            return player.leave();
        }
        player.outside(outside);
        yield_now().await;
    }
}

async fn empty_loop<S: AsyncSubject>(mut player: Player<'_, S::Lock>) -> u64 {
    let stage = player.stage;
    loop {
        let phase = stage.phase();
        for _ in 0..BLOCK {
            black_box(&*S::lock(&stage.lock.0).await);
        }
        match phase {
            BEFORE => {}
            RUNNING => player.ops += BLOCK,
            _ => return player.leave(),
        }
    }
}

/// The part of a thread that blocks.
fn thread<S: AsyncSubject>(stage: &Stage<S::Lock>, shape: AsyncShape, seat: usize) -> u64 {
    SEAT.set(seat);
    let clock = stage.clock;
    let mut player = Player::arrive(stage);
    let AsyncShape::Turns { inside, outside, .. } = shape else {
        unreachable!("no threads are in it");
    };
    loop {
        let asked = clock.ticks();
        let value = S::lock_blocking(&stage.lock.0);
        let granted = clock.ticks();
        player.inside(&value, inside);
        drop(value);
        if !player.took(asked, granted) {
            return player.leave();
        }
        player.outside(outside);
    }
}

fn runtime() -> Runtime {
    let seats = AtomicU32::new(0);
    Builder::new_multi_thread()
        .worker_threads(RUNTIME_THREADS as usize)
        .global_queue_interval(COMMON_QUEUE_INTERVAL)
        .on_thread_start(move || {
            SEAT.set((seats.fetch_add(1, Ordering::Relaxed) % RUNTIME_THREADS) as usize);
        })
        .build()
        .expect("threads can be started")
}

/// As [`measure`](super::measure), for a subject known to the compiler.
pub(super) fn measure<S: AsyncSubject>(
    scenario: &Scenario,
    shape: AsyncShape,
    limits: Limits,
) -> Measured {
    let tasks = shape.tasks_of(scenario.threads);
    let threads = scenario.threads - tasks;
    let stage = Arc::new(Stage::new(S::new(1), RUNTIME_THREADS + threads));
    let runtime = runtime();
    let (turns, usage, stopped) = std::thread::scope(|scope| {
        let seats = RUNTIME_THREADS..RUNTIME_THREADS + threads;
        let threads: Vec<_> = seats
            .map(|seat| {
                let stage = &*stage;
                scope.spawn(move || thread::<S>(stage, shape, seat as usize))
            })
            .collect();
        let tasks: Vec<_> =
            (0..tasks).map(|_| runtime.spawn(task::<S>(Arc::clone(&stage), shape))).collect();
        while stage.arrived.0.load(Ordering::Acquire) != scenario.threads {
            std::thread::sleep(Duration::from_micros(100));
        }
        // Nobody else is at work in this process, and a helper that a lock has would count too.
        let before = os::process_usage();
        stage.begun.store(stage.clock.ticks(), Ordering::Relaxed);
        stage.phase.0.store(RUNNING, Ordering::Release);
        std::thread::sleep(scenario.round_time(limits.time));
        stage.phase.0.store(OVER, Ordering::Release);
        let stopped = stage.clock.ticks();
        let usage = os::process_usage().zip(before).map(|(after, before)| after.since(before));
        let tasks = tasks.into_iter().map(|task| runtime.block_on(task).expect("no task panics"));
        let mut turns: Vec<u64> = tasks.collect();
        turns.extend(threads.into_iter().map(|thread| thread.join().expect("no thread panics")));
        (turns, usage, stopped)
    });
    let begun = stage.begun.load(Ordering::Relaxed);
    let waits: Vec<_> = (0..stage.waits.len()).map(|seat| stage.waits(seat)).collect();
    let waits: Vec<&ThreadWaits> = waits.iter().map(|waits| &**waits).collect();
    let (waits, histogram) = Waits::from_threads(&waits, 0, Duration::ZERO);
    let round = Round {
        secs: stage.clock.ns_between(begun, stopped).max(1) as f64 / 1e9,
        ops: turns.iter().sum(),
        per_thread: some_of(turns),
        hog: None,
        cpu_secs: usage.map(|usage| usage.cpu.as_secs_f64()),
        context_switches: usage.map(|usage| usage.context_switches),
        waits: (scenario.sampling() != Sampling::Off).then_some(waits),
        sides: Sides::default(),
    };
    let waits = Sides { read: empty_histogram(), write: histogram };
    Measured { round, waits, completion: Completion::TimeIsUp }
}

/// All, or of very many a few, in order: the least and the most of all, and the rest evenly spaced between them.
fn some_of(mut all: Vec<u64>) -> Vec<u64> {
    if all.len() <= MOST_KEPT {
        return all;
    }
    all.sort_unstable();
    let last = all.len() - 1;
    (0..MOST_KEPT).map(|index| all[index * last / (MOST_KEPT - 1)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario;
    use crate::subject::LockKind;

    #[test]
    fn every_lock_gives_every_task_and_thread_its_turns() {
        for name in ["async-uncontended", "async-8", "async-hold-8", "async-mixed-4+4"] {
            let scenario = scenario::find(name).unwrap();
            for subject in LockKind::Async.subjects() {
                let time = Duration::from_millis(30);
                let limits = Limits { time, ops_per_thread: None, seed: 1 };
                let Measured { round, waits, .. } =
                    super::super::measure(&scenario, subject, limits);
                assert_eq!(round.per_thread.len(), scenario.threads as usize, "{name} {subject}");
                assert_eq!(round.per_thread.iter().sum::<u64>(), round.ops);
                assert!(round.ops > 0 && round.secs >= 0.03, "{name} {subject}: {round:?}");
                let timed = name != "async-uncontended";
                assert_eq!(round.waits.is_some(), timed);
                // Those who waited at the end have had their turn.
                let turns = if timed { round.ops } else { 0 };
                assert!(waits.write.len() >= turns, "{name} {subject}: {round:?}");
                if let Some(waits) = round.waits {
                    assert_eq!((waits.watched_max_ns, waits.resolution_ns), (0, 0));
                    assert!(waits.max_ns >= waits.p99_ns);
                }
            }
        }
    }

    #[test]
    fn of_very_many_the_least_and_the_most_are_kept() {
        assert_eq!(some_of(vec![3, 1, 2]), [3, 1, 2]);
        let kept = some_of((0..100_000).rev().collect());
        assert_eq!((kept.len(), kept[0], kept[999]), (1000, 0, 99_999));
        assert!(kept.is_sorted() && kept[500].abs_diff(50_000) < 100);
    }
}
