//! Measures what things cost on the machine this runs on.
//!
//! Everything takes about three seconds. Other work on the machine only ever adds to a figure, so each is
//! the lower quartile of several short runs.

mod placement;
mod sys;

use std::hint::{black_box, spin_loop};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use parkade_bench::clock::Clock;
use parkade_bench::work::Work;

use crate::machine::{Machine, Param};

/// Why a machine cannot be calibrated.
#[derive(Debug, thiserror::Error)]
pub enum CalibrateError {
    /// A futex, affinity or membarrier call failed.
    #[error("{call}: {error}")]
    System {
        /// Which call.
        call: &'static str,
        /// Its error.
        error: std::io::Error,
    },
    /// There is nothing to measure transfers between.
    #[error("calibration needs two processors, and this process may use {0}")]
    TooFewProcessors(usize),
}

/// The steps, for a progress bar.
pub const STEPS: u64 = 12;

/// Short runs of which the lower quartile counts.
const RUNS: usize = 16;

fn quantile(mut figures: Vec<f64>, part: f64) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get((figures.len() as f64 * part) as usize).copied().unwrap_or(0.0)
}

fn median(figures: Vec<f64>) -> f64 {
    quantile(figures, 0.5)
}

fn quartile(figures: Vec<f64>) -> f64 {
    quantile(figures, 0.25)
}

/// Nanoseconds of one of `count` repetitions.
fn each(count: u32, mut once: impl FnMut()) -> f64 {
    let run = |_| {
        let begin = Instant::now();
        for _ in 0..count {
            once();
        }
        begin.elapsed().as_nanos() as f64 / f64::from(count)
    };
    quartile((0..RUNS).map(run).collect())
}

/// What the futex and core experiments gave, in nanoseconds.
#[derive(Debug, Clone, Copy)]
struct Wakes {
    cost_idle: f64,
    latency_warm: f64,
    latency_cold: f64,
    /// The shortest latencies as a part of the usual ones.
    least: f64,
    idle_warm: f64,
}

/// Measures this machine. `step` is called after each of [`STEPS`].
pub fn calibrate(mut step: impl FnMut(&'static str)) -> Result<Machine, CalibrateError> {
    let cpus = sys::processors()?;
    if cpus.len() < 2 {
        return Err(CalibrateError::TooFewProcessors(cpus.len()));
    }
    let (one, two) = (cpus[0], cpus[cpus.len() / 2]);
    let measured = |value: f64| Param::new(value, "measured by `parkade sim --calibrate`");
    let given = |value: f64, source: &str| Param::new(value, source);

    let (rmw, load, store) = instructions();
    step("instructions");
    // A turn is a transfer and the locked instruction that asked for it.
    let transfer = (transfer(one, two)? - rmw).max(0.0);
    let settled = settled(one, two)?.min(transfer);
    step("transfer of a line");
    let (pause, clock, counter) = (each(2000, spin_loop), each(2000, now), counter());
    step("pause and clocks");
    let (work_step, float_step) = steps();
    step("work");
    let bookkeeping = (solo_op("short-2") - 2.0 * rmw - 2.0 * work_step).max(0.0);
    let overlap = (2.0 * rmw + bookkeeping + 80.0 * work_step - solo_op("mixed-2")).max(0.0);
    step("harness");
    let word = AtomicU32::new(0);
    let futex = each(500, || sys::wake(&word));
    let futex_wait = each(500, || sys::wait(&word, 1));
    let yields = each(500, thread::yield_now);
    let switch = (yield_with_partner(one)? - yields).max(0.0);
    step("system calls and switches");
    let wakes = wakes(one, two, futex)?;
    // On the waker's own processor the woken thread runs at once and sleeps again before the waker
    // goes on: two switches and another call.
    let both_ways = wake_after(one, one, Duration::from_micros(100), 40)?.0;
    let wake_busy = (both_ways - 2.0 * switch - 2.0 * futex).max(0.0);
    step("wake-ups");
    let (membarrier, interrupt) = membarrier(one, two)?;
    step("membarrier");
    let late = timer_late();
    step("timers");
    let turn = turn(one)?;
    step("turns of two threads on a core");

    let pull = placement::pull(one, two)?;
    let pack_below = placement::pack_below(one, two)?;
    step("places of threads");
    let lets_go = lets_go(one, two, store)?;
    step("looks at a busy lock");

    let count = cpus.len() as f64;
    let slice = 0.7e6 * (1.0 + count.min(8.0).log2().floor());
    let same = "not measured: as within a socket";
    Ok(Machine {
        name: "this-machine".into(),
        description: describe(),
        cores: given(count, "processors this process may use"),
        threads_per_core: given(1.0, "not measured"),
        sockets: given(1.0, "not measured"),
        load_ns: measured(load),
        store_ns: measured(store),
        rmw_ns: measured(rmw),
        transfer_near_ns: measured(transfer),
        transfer_far_ns: given(transfer, same),
        transfer_settled_ns: measured(settled),
        settle_ns: given(
            100.0,
            "fitted: two threads that write few lines at random slow each other",
        ),
        one_cache: given(
            if settled < transfer / 4.0 { 1.0 } else { 0.0 },
            "whether a line that is not fought over costs a quarter of one that is",
        ),
        lets_go_ns: measured(lets_go),
        request_part: given(0.5, "fitted: the way there and the way back"),
        share_service_ns: given(transfer / 5.0, "fitted: a fifth of a transfer"),
        pause_ns: measured(pause),
        clock_ns: measured(clock),
        counter_ns: measured(counter),
        work_step_ns: measured(work_step),
        float_step_ns: measured(float_step),
        overlap_ns: measured(overlap),
        bookkeeping_ns: measured(bookkeeping),
        yield_ns: measured(yields),
        futex_ns: measured(futex),
        futex_wait_ns: measured(futex_wait),
        futex_bucket_ns: given(futex / 4.0, "fitted: a quarter of the call"),
        wake_busy_ns: measured(wake_busy),
        wake_idle_ns: measured(wakes.cost_idle),
        pack_below: measured(pack_below),
        wake_latency_warm_ns: measured(wakes.latency_warm),
        wake_latency_cold_ns: measured(wakes.latency_cold),
        wake_latency_least: measured(wakes.least),
        idle_warm_ns: measured(wakes.idle_warm),
        switch_ns: measured(switch),
        membarrier_ns: measured(membarrier),
        interrupt_ns: measured(interrupt),
        timer_late_ns: measured(late),
        slice_ns: given(slice, "Linux: 0.7 ms x (1 + log2 of at most 8 processors)"),
        tick_ns: measured(turn),
        pull_ns: match pull {
            Some(pull) => measured(pull),
            None => given(1e8, "no idle processor took a thread from a busy one in this time"),
        },
    })
}

fn describe() -> String {
    let this = parkade_bench::machine::Machine::this();
    format!("{}, {} {}", this.cpu_model, this.system, this.kernel)
}

fn now() {
    black_box(Instant::now());
}

fn counter() -> f64 {
    let clock = Clock::get();
    each(2000, || {
        black_box(clock.ticks());
    })
}

/// A locked instruction, a load and a store on a line of one's own.
fn instructions() -> (f64, f64, f64) {
    let word = AtomicU64::new(0);
    // A lock and an unlock, as the locks do them.
    let pair = each(20_000, || {
        let _ = black_box(&word).compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed);
        black_box(&word).swap(0, Ordering::Release);
    });
    let load = each(20_000, || {
        black_box(black_box(&word).load(Ordering::Relaxed));
    });
    let store = each(20_000, || black_box(&word).store(0, Ordering::Relaxed));
    (pair / 2.0, load, store)
}

/// Two threads on two processors pass a line to and fro.
fn transfer(one: usize, two: usize) -> Result<f64, CalibrateError> {
    const ROUNDS: u32 = 5_000;
    let word = AtomicU32::new(0);
    let play = |cpu, mine: u32| {
        sys::pin(cpu)?;
        for _ in 0..ROUNDS {
            while word
                .compare_exchange_weak(mine, 1 - mine, Ordering::AcqRel, Ordering::Relaxed)
                .is_err()
            {}
        }
        Ok(())
    };
    let run = |_| {
        let begin = Instant::now();
        both(|| play(one, 0), || play(two, 1))?;
        Ok(begin.elapsed().as_nanos() as f64 / f64::from(2 * ROUNDS))
    };
    Ok(quartile((0..8).map(run).collect::<Result<_, CalibrateError>>()?))
}

/// What it costs to write a line that the other processor wrote a while ago: two threads write many
/// lines at random, the same ones or each its own.
fn settled(one: usize, two: usize) -> Result<f64, CalibrateError> {
    const LINES: usize = 512;
    const WRITES: u32 = 20_000;
    let run = |sharing: usize| {
        let lines: Vec<Spaced> = (0..2 * LINES).map(|_| Spaced::default()).collect();
        let ready = AtomicU32::new(0);
        let write = |cpu: usize, first: usize| {
            sys::pin(cpu)?;
            let mut rng = crate::rng::Rng::new(cpu as u64);
            ready.fetch_add(1, Ordering::AcqRel);
            while ready.load(Ordering::Acquire) < 2 {
                spin_loop();
            }
            let begin = Instant::now();
            for _ in 0..WRITES {
                let line = &lines[first + rng.below(LINES as u64) as usize];
                line.0.fetch_add(1, Ordering::Relaxed);
            }
            Ok(begin.elapsed().as_nanos() as f64 / f64::from(WRITES))
        };
        both(|| write(one, 0), || write(two, sharing)).map(|(a, b)| a.max(b))
    };
    let many = |sharing: usize| -> Result<f64, CalibrateError> {
        Ok(quartile((0..RUNS).map(|_| run(sharing)).collect::<Result<_, _>>()?))
    };
    // Half of the lines were written last by the writer itself.
    Ok(((many(0)? - many(LINES)?) * 2.0).max(0.0))
}

/// How long a line stays after a locked instruction. Two threads lock and unlock in turns as fast as they can; who
/// finds the lock held looks every `pause`. Between an unlock and the next lock of the same thread there is about
/// a store, and half of all requests arrive during an unlock: of them a look finds the lock free if the line goes
/// within that time, and the model lets it go after up to twice `lets_go_ns`.
fn lets_go(one: usize, two: usize, store: f64) -> Result<f64, CalibrateError> {
    const OPERATIONS: u32 = 50_000;
    let run = |_| {
        let lock = Spaced::default();
        let ready = AtomicU32::new(0);
        let play = |cpu| {
            sys::pin(cpu)?;
            ready.fetch_add(1, Ordering::AcqRel);
            while ready.load(Ordering::Acquire) < 2 {
                spin_loop();
            }
            let (mut looks, mut free) = (0_u32, 0_u32);
            let take = || lock.0.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed);
            for _ in 0..OPERATIONS {
                while take().is_err() {
                    while lock.0.load(Ordering::Relaxed) != 0 {
                        looks += 1;
                        spin_loop();
                    }
                    free += 1;
                }
                lock.0.swap(0, Ordering::Release);
            }
            Ok((looks, free))
        };
        let ((looks, free), (others, freed)) = both(|| play(one), || play(two))?;
        Ok(f64::from(free + freed) / f64::from(looks + others + free + freed).max(1.0))
    };
    // Where the two did not really run at the same time there were no looks.
    let parts = (0..RUNS).map(run).collect::<Result<Vec<_>, CalibrateError>>()?;
    let parts: Vec<f64> = parts.into_iter().filter(|part| *part > 0.0).collect();
    Ok(store / (4.0 * median(parts).max(0.01)))
}

/// A word far from its neighbours.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Spaced(AtomicU64);

/// Runs both on threads of their own.
fn both<A: Send, B: Send>(
    one: impl FnOnce() -> Result<A, CalibrateError> + Send,
    two: impl FnOnce() -> Result<B, CalibrateError> + Send,
) -> Result<(A, B), CalibrateError> {
    thread::scope(|scope| {
        let one = scope.spawn(one);
        let two = scope.spawn(two);
        let joined = "an experiment does not panic";
        Ok((one.join().expect(joined)?, two.join().expect(joined)?))
    })
}

/// A step of the scenarios' work and of parking_lot's benchmark.
fn steps() -> (f64, f64) {
    const STEPS: u32 = 1000;
    let work = Work::new();
    let mut value = 1;
    let integer = each(50, || value = work.run(value, STEPS));
    black_box(value);
    // As that benchmark is compiled: two dependent operations, with a store of each result.
    let factor = black_box(1.01_f64);
    let (mut shared, mut carried) = (0.0_f64, 0.0_f64);
    let float = each(50, || {
        for _ in 0..STEPS {
            shared = (shared + carried) * factor;
            carried = shared;
        }
    });
    black_box(shared);
    (integer / f64::from(STEPS), float / f64::from(STEPS))
}

/// An operation of a scenario by one thread with std's mutex, harness and all.
fn solo_op(scenario: &str) -> f64 {
    use parkade_bench::run::Plan;
    let scenario = parkade_bench::scenario::find(scenario).and_then(|s| s.with_threads(1));
    let plan = Plan {
        scenarios: scenario.into_iter().collect(),
        subjects: vec![parkade_bench::subject::SubjectId::Std.into()],
        time: Duration::from_millis(10),
        ops_per_thread: None,
        rounds: 8,
        seed: 1,
    };
    let reports = plan.run(|_| ());
    let rounds = reports.iter().flat_map(|r| &r.cells).flat_map(|cell| &cell.rounds);
    quartile(rounds.map(|round| round.secs * 1e9 / round.ops.max(1) as f64).collect())
}

/// `sched_yield` where each call runs another thread.
fn yield_with_partner(cpu: usize) -> Result<f64, CalibrateError> {
    const YIELDS: u32 = 3000;
    let play = || {
        sys::pin(cpu)?;
        let begin = Instant::now();
        for _ in 0..YIELDS {
            thread::yield_now();
        }
        Ok(begin.elapsed().as_nanos() as f64 / f64::from(2 * YIELDS))
    };
    let run = |_| both(play, play).map(|(a, b)| a.min(b));
    Ok(quartile((0..8).map(run).collect::<Result<_, _>>()?))
}

/// Wakes a thread on another processor after it has slept for a while.
fn wakes(one: usize, two: usize, futex: f64) -> Result<Wakes, CalibrateError> {
    const GAPS_US: [u64; 7] = [20, 50, 100, 200, 400, 1000, 3000];
    const SAMPLES: u32 = 40;
    let mut rows = Vec::new();
    for gap in GAPS_US {
        rows.push((gap as f64 * 1e3, wake_after(one, two, Duration::from_micros(gap), SAMPLES)?));
    }
    let (first, last) = (rows[0].1, rows[rows.len() - 1].1);
    // The idle time at which a wake-up is nearer to the slow kind.
    let middle = (first.1 + last.1) / 2.0;
    let cold = rows.iter().position(|(_, (_, latency, _))| *latency > middle);
    let idle_warm = match cold {
        Some(at) if at > 0 => (rows[at - 1].0 + rows[at].0) / 2.0,
        _ => rows[rows.len() - 1].0,
    };
    Ok(Wakes {
        cost_idle: (first.0 - futex).max(0.0),
        latency_warm: first.1,
        latency_cold: last.1,
        least: (last.2 / last.1).clamp(0.0, 1.0),
        idle_warm,
    })
}

/// The waker's call and the time until the woken thread runs, both from the same moment, and the
/// shortest such time.
fn wake_after(
    one: usize,
    two: usize,
    gap: Duration,
    samples: u32,
) -> Result<(f64, f64, f64), CalibrateError> {
    let clock = Clock::get();
    let word = AtomicU32::new(0);
    let woken_at = AtomicU64::new(0);
    let sleeper = || {
        sys::pin(two)?;
        for round in 0..samples {
            while word.load(Ordering::Acquire) == round {
                sys::wait(&word, round);
            }
            woken_at.store(clock.ticks(), Ordering::Release);
        }
        Ok(())
    };
    let waker = || {
        sys::pin(one)?;
        let (mut costs, mut latencies) = (Vec::new(), Vec::new());
        for round in 0..samples {
            let begin = Instant::now();
            while begin.elapsed() < gap {
                spin_loop();
            }
            woken_at.store(0, Ordering::Relaxed);
            word.store(round + 1, Ordering::Release);
            let called = clock.ticks();
            sys::wake(&word);
            let returned = clock.ticks();
            let woken = loop {
                match woken_at.load(Ordering::Acquire) {
                    0 => spin_loop(),
                    at => break at,
                }
            };
            costs.push(clock.ns_between(called, returned) as f64);
            latencies.push(clock.ns_between(called, woken) as f64);
        }
        Ok((quantile(costs, 0.25), quantile(latencies.clone(), 0.25), quantile(latencies, 0.05)))
    };
    both(sleeper, waker).map(|((), figures)| figures)
}

/// A membarrier while another thread of the process runs, and what it costs that one.
fn membarrier(one: usize, two: usize) -> Result<(f64, f64), CalibrateError> {
    const CALLS: u32 = 1000;
    sys::register_membarrier()?;
    let (running, stop) = (AtomicBool::new(false), AtomicBool::new(false));
    let clock = Clock::get();
    let bystander = || {
        sys::pin(two)?;
        running.store(true, Ordering::Release);
        let mut gaps = Vec::new();
        let mut last = clock.ticks();
        while !stop.load(Ordering::Relaxed) {
            let now = clock.ticks();
            let gap = clock.ns_between(last, now);
            // Longer than an iteration, shorter than a turn of somebody else.
            if (150..50_000).contains(&gap) {
                gaps.push(gap as f64);
            }
            last = now;
        }
        Ok(quartile(gaps))
    };
    let caller = || {
        let figures = sys::pin(one).map(|()| {
            while !running.load(Ordering::Acquire) {
                spin_loop();
            }
            each(CALLS / RUNS as u32, sys::membarrier)
        });
        stop.store(true, Ordering::Relaxed);
        figures
    };
    both(caller, bystander)
}

/// How much later than asked a sleep of half a millisecond ends.
fn timer_late() -> f64 {
    let asked = Duration::from_micros(500);
    let run = |_| {
        let begin = Instant::now();
        thread::sleep(asked);
        (begin.elapsed().saturating_sub(asked)).as_nanos() as f64
    };
    quartile((0..40).map(run).collect())
}

/// How long a thread runs before another one on its processor has its turn.
fn turn(cpu: usize) -> Result<f64, CalibrateError> {
    let clock = Clock::get();
    let busy = || {
        sys::pin(cpu)?;
        let begin = Instant::now();
        let mut gaps = Vec::new();
        let mut last = clock.ticks();
        while begin.elapsed() < Duration::from_millis(150) {
            let now = clock.ticks();
            let gap = clock.ns_between(last, now);
            if gap > 300_000 {
                gaps.push(gap as f64);
            }
            last = now;
        }
        Ok(quartile(gaps))
    };
    both(busy, busy).map(|(a, b)| if a > 0.0 { a } else { b }.max(1e6))
}
