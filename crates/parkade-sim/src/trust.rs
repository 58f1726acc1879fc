//! What the simulator is held to: what was measured, and what others published.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use parkade_bench::scenario::{self, Role, Scenario, Shape};
use parkade_bench::subject::LockKind;
use parkade_bench::suites::parking_lot::Crew;
use parkade_bench::suites::{lock_bench, parking_lot};
use serde::{Deserialize, Serialize};

use crate::machine::Machine;
use crate::outcome::Outcome;
use crate::protocol::LockId;
use crate::rng::Rng;
use crate::simulate::{Run, prepare, simulate};
use crate::time::{MS, Ps};

/// A cell of a measurement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// The scenario.
    pub scenario: String,
    /// The lock.
    pub lock: String,
    /// Operations per second, round by round; all locks were measured in each round.
    pub rounds: Vec<f64>,
    /// The longest wait, the median of the rounds.
    pub longest_wait_ns: f64,
    /// Time on processors for an operation.
    pub cpu_ns_per_op: f64,
    /// Context switches for an operation.
    pub switches_per_op: f64,
}

/// A measurement on the development machine.
#[derive(Debug, Clone, Deserialize)]
pub struct Measured {
    /// What made it.
    pub command: String,
    /// Its cells.
    pub cells: Vec<Cell>,
}

impl Cell {
    /// Operations per second, the median of the rounds.
    #[must_use]
    pub fn ops_per_sec(&self) -> f64 {
        median(self.rounds.clone())
    }
}

impl Measured {
    /// The stored one.
    ///
    /// # Panics
    ///
    /// Never, unless the stored file is damaged.
    #[must_use]
    pub fn stored() -> Measured {
        let text = include_str!("../evidence/bench-2-processors.json");
        serde_json::from_str(text).expect("a stored file that a test has read")
    }

    /// A cell of it.
    fn cell(&self, scenario: &str, lock: LockId) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.scenario == scenario && cell.lock == lock.name())
    }
}

/// A rival that is slower than the best of its level by less than this part is on that level too, in the
/// measurement and in the simulation.
pub const NOISE: f64 = 0.03;

/// The locks that were measured and are simulated: all rivals of the benchmark.
pub const RIVALS: &[LockId] = &[
    LockId::Std,
    LockId::ParkingLot012,
    LockId::ParkingLot013,
    LockId::Usync,
    LockId::Saa,
    LockId::Pthread,
];

/// Those of them that are close to each other: without the one that always queues and the one that never
/// polls, which are the easiest to tell from the rest.
pub const CLOSE_RIVALS: &[LockId] =
    &[LockId::Std, LockId::ParkingLot012, LockId::ParkingLot013, LockId::Usync];

/// A scenario, and the throughput of each rival.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Its name.
    pub scenario: String,
    /// Operations per second, measured, in the order of [`RIVALS`].
    pub measured: Vec<f64>,
    /// The same, simulated.
    pub simulated: Vec<f64>,
}

impl Comparison {
    /// The measured and the simulated throughput of some rivals as parts of the best of them, ties evened
    /// out.
    #[must_use]
    pub fn parts(&self, rivals: &[LockId]) -> (Vec<f64>, Vec<f64>) {
        let of = |figures: &[f64]| {
            let all = RIVALS.iter().zip(figures).filter(|(rival, _)| rivals.contains(rival));
            normalised(&all.map(|(_, figure)| *figure).collect::<Vec<_>>())
        };
        (of(&self.measured), of(&self.simulated))
    }

    /// The rank correlation within the scenario; none if all rivals tie in either.
    #[must_use]
    pub fn correlation(&self, rivals: &[LockId]) -> Option<f64> {
        let (measured, simulated) = self.parts(rivals);
        spearman(&measured, &simulated)
    }

    /// The simulated operations per second over the measured, in the geometric mean of the rivals.
    #[must_use]
    pub fn scale(&self) -> f64 {
        let logs = self.simulated.iter().zip(&self.measured).map(|(s, m)| (s.max(1.0) / m).ln());
        (logs.sum::<f64>() / self.measured.len() as f64).exp()
    }
}

/// Figures as parts of the best, those within the noise of the best of a level equal to it.
fn normalised(figures: &[f64]) -> Vec<f64> {
    let best = figures.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let mut order: Vec<usize> = (0..figures.len()).collect();
    order.sort_by(|&a, &b| figures[b].total_cmp(&figures[a]));
    let mut parts = vec![0.0; figures.len()];
    let mut level = 1.0;
    for at in order {
        let part = figures[at] / best;
        if part < level * (1.0 - NOISE) {
            level = part;
        }
        parts[at] = level;
    }
    parts
}

/// How much of a scenario is simulated for a throughput.
#[derive(Debug, Clone, Copy)]
struct Extent {
    /// What comes before does not count: convoys need a while to form.
    warm_up: Ps,
    /// For how long at least.
    least: Ps,
    /// For how long at most: as long as was measured.
    most: Ps,
    /// Between the two it ends with that many operations.
    ops: u64,
}

impl Extent {
    fn of(scenario: &Scenario) -> Extent {
        let of = |warm_up, least, most| Extent {
            warm_up: warm_up * MS,
            least: least * MS,
            most: most * MS,
            ops: 200_000,
        };
        match scenario.shape {
            // Whole periods.
            Shape::Burst { on, off } => {
                let period = (on + off).as_millis() as Ps;
                of(period, 2 * period, 2 * period)
            }
            // A few dozen of the hog's sections.
            Shape::Hog { .. } => of(20, 100, 230),
            _ => of(20, 10, 230),
        }
    }
}

/// Operations per second once the threads have settled.
fn rate(run: &Run<'_>) -> f64 {
    let Extent { warm_up, least, most, ops } = Extent::of(run.scenario);
    let mut engine = prepare(run);
    engine.run_until(warm_up);
    let before = engine.ops();
    let mut passed = 0;
    while passed < least || (passed < most && engine.ops() - before < ops) {
        passed += MS;
        engine.run_until(warm_up + passed);
    }
    (engine.ops() - before) as f64 * 1e12 / passed as f64
}

/// Simulates the measured scenarios with several threads on all processors at hand, and compares.
///
/// # Panics
///
/// If a simulation does.
pub fn compare(
    measured: &Measured,
    machine: &Machine,
    seed: u64,
    step: impl Fn(&str) + Sync,
) -> Vec<Comparison> {
    let judged: Vec<_> = scenario::catalogue(LockKind::Mutex)
        .into_iter()
        .filter(|scenario| scenario.role != Role::Cost && scenario.threads > 1)
        .filter(|scenario| RIVALS.iter().all(|&lock| measured.cell(&scenario.name, lock).is_some()))
        .collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(scenario) = judged.get(index / RIVALS.len()) else { return done };
            let lock = RIVALS[index % RIVALS.len()];
            if index.is_multiple_of(RIVALS.len()) {
                step(&scenario.name);
            }
            let time = Duration::ZERO;
            let run = Run { machine, scenario, lock, seed, time, ops_per_thread: None, noise: 0 };
            done.push((index, rate(&run)));
        }
    };
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let mut simulated: Vec<(usize, f64)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..processors).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|w| w.join().expect("simulations do not panic")).collect()
    });
    simulated.sort_by_key(|(index, _)| *index);
    let of = |(scenario, rates): (&Scenario, &[(usize, f64)])| {
        let cell = |lock| measured.cell(&scenario.name, lock).map_or(0.0, Cell::ops_per_sec);
        Comparison {
            scenario: scenario.name.to_string(),
            measured: RIVALS.iter().map(|&lock| cell(lock)).collect(),
            simulated: rates.iter().map(|(_, rate)| *rate).collect(),
        }
    };
    judged.iter().zip(simulated.chunks(RIVALS.len())).map(of).collect()
}

/// Of the pairs of rivals that the measurement tells apart, within the scenarios, how the simulation ranks
/// them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pairs {
    /// As measured.
    pub right: usize,
    /// The other way round.
    pub wrong: usize,
    /// They are within [`NOISE`] of each other.
    pub tied: usize,
}

impl Pairs {
    /// Somers' D: 1 if all are right, 0 if as many are right as wrong; who ties in the simulation is neither.
    #[must_use]
    pub fn somers_d(self) -> f64 {
        let all = self.right + self.wrong + self.tied;
        (self.right as f64 - self.wrong as f64) / all.max(1) as f64
    }
}

/// Judges pair by pair. The measurement decides a pair if the interquartile range of the ratio of the two,
/// round by round, lies on one side of 1.
#[must_use]
pub fn pairs(measured: &Measured, comparisons: &[Comparison], rivals: &[LockId]) -> Pairs {
    let mut pairs = Pairs::default();
    for comparison in comparisons {
        let of = |lock: LockId| {
            let simulated = RIVALS.iter().zip(&comparison.simulated);
            let simulated = simulated.filter(|(rival, _)| **rival == lock).map(|(_, rate)| *rate);
            measured.cell(&comparison.scenario, lock).zip(simulated.max_by(f64::total_cmp))
        };
        let known: Vec<_> = rivals.iter().filter_map(|&lock| of(lock)).collect();
        for (at, (one, simulated_one)) in known.iter().enumerate() {
            for (two, simulated_two) in &known[at + 1..] {
                let ratios = one.rounds.iter().zip(&two.rounds).map(|(a, b)| a / b);
                let Some(sign) = decided(ratios.collect()) else { continue };
                let simulated = sign * (simulated_one / simulated_two).ln();
                *if simulated.abs() < -(1.0 - NOISE).ln() {
                    &mut pairs.tied
                } else if simulated > 0.0 {
                    &mut pairs.right
                } else {
                    &mut pairs.wrong
                } += 1;
            }
        }
    }
    pairs
}

/// 1 if the middle half of the ratios is above 1, -1 if it is below.
fn decided(mut ratios: Vec<f64>) -> Option<f64> {
    ratios.sort_by(f64::total_cmp);
    let low = *ratios.get(ratios.len() / 4)?;
    let high = *ratios.get(ratios.len() - 1 - ratios.len() / 4)?;
    if low > 1.0 {
        Some(1.0)
    } else if high < 1.0 {
        Some(-1.0)
    } else {
        None
    }
}

/// The rank correlation over all pairs of scenario and rival, of the parts of the best as they are: any
/// difference counts.
#[must_use]
pub fn overall_raw(comparisons: &[Comparison], rivals: &[LockId]) -> Option<f64> {
    let parts = |of: fn(&Comparison) -> &[f64]| -> Vec<f64> {
        let each = |comparison| {
            let all = RIVALS.iter().zip(of(comparison));
            let some = all.filter(|(rival, _)| rivals.contains(rival)).map(|(_, figure)| *figure);
            let some: Vec<f64> = some.collect();
            let best = some.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
            some.into_iter().map(move |figure| figure / best)
        };
        comparisons.iter().flat_map(each).collect()
    };
    spearman(&parts(|c| &c.measured), &parts(|c| &c.simulated))
}

/// The rank correlation over all pairs of scenario and rival.
#[must_use]
pub fn overall(comparisons: &[Comparison], rivals: &[LockId]) -> Option<f64> {
    let parts = comparisons.iter().map(|comparison| comparison.parts(rivals));
    let (measured, simulated): (Vec<_>, Vec<_>) = parts.unzip();
    spearman(&measured.concat(), &simulated.concat())
}

/// How often rounds are drawn for [`repeatability`].
const DRAWS: usize = 301;

/// The rank correlation of the measurement with itself: the medians of half of its rounds, drawn at
/// random, against those of the other half; of many draws the median.
///
/// # Panics
///
/// If nothing was measured.
#[must_use]
pub fn repeatability(
    measured: &Measured,
    compared: &[Comparison],
    rivals: &[LockId],
    seed: u64,
) -> f64 {
    let mut rng = Rng::new(seed);
    let mut draw = || {
        let rounds = measured.cells.iter().map(|cell| cell.rounds.len()).min().unwrap_or(0);
        let half = rounds / 2;
        assert!(half > 0, "{rounds} rounds");
        let mut order: Vec<usize> = (0..rounds).collect();
        for last in (1..rounds).rev() {
            order.swap(last, rng.below(last as u64 + 1) as usize);
        }
        let part = |chosen: &[usize]| -> Vec<f64> {
            let of = |comparison: &Comparison| {
                let cell = |lock: &LockId| measured.cell(&comparison.scenario, *lock);
                let medians = rivals
                    .iter()
                    .filter_map(cell)
                    .map(|cell| median(chosen.iter().map(|&round| cell.rounds[round]).collect()));
                normalised(&medians.collect::<Vec<_>>())
            };
            compared.iter().flat_map(of).collect()
        };
        spearman(&part(&order[..half]), &part(&order[half..2 * half]))
            .expect("rivals differ in some scenario")
    };
    median((0..DRAWS).map(|_| draw()).collect())
}

/// The middle one, or the mean of the two in the middle.
///
/// # Panics
///
/// If there is none.
#[must_use]
pub fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    let middle = of.len() / 2;
    if of.len() % 2 == 1 { of[middle] } else { f64::midpoint(of[middle - 1], of[middle]) }
}

/// Spearman's rank correlation; equal figures share the mean of their ranks. None if all of either
/// are equal.
#[must_use]
pub fn spearman(one: &[f64], two: &[f64]) -> Option<f64> {
    let (one, two) = (ranks(one), ranks(two));
    let mean = (one.len() as f64 + 1.0) / 2.0;
    let (mut both, mut of_one, mut of_two) = (0.0, 0.0, 0.0);
    for (a, b) in one.iter().zip(&two) {
        both += (a - mean) * (b - mean);
        of_one += (a - mean).powi(2);
        of_two += (b - mean).powi(2);
    }
    let spread = (of_one * of_two).sqrt();
    (spread > 0.0).then(|| both / spread)
}

fn ranks(figures: &[f64]) -> Vec<f64> {
    let rank = |figure: &f64| {
        let below = figures.iter().filter(|other| *other < figure).count();
        let equal = figures.iter().filter(|other| *other == figure).count();
        below as f64 + (equal as f64 + 1.0) / 2.0
    };
    figures.iter().map(rank).collect()
}

/// A published figure.
#[derive(Debug, Clone)]
pub struct Published {
    /// Where it was published.
    pub source: &'static str,
    /// The stored machine that is like the publisher's.
    pub machine: &'static str,
    /// The lock.
    pub lock: LockId,
    /// Threads.
    pub threads: u32,
    /// What was run.
    pub bench: Bench,
    /// The figure.
    pub figure: f64,
}

/// A published benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bench {
    /// parking_lot's own with `5 5`: thousands of operations per second and thread.
    ParkingLot,
    /// lock-bench on two locks: milliseconds for 10,000 operations of each thread.
    LockBench,
}

impl Bench {
    /// The figure's unit.
    #[must_use]
    pub fn unit(self) -> &'static str {
        match self {
            Bench::ParkingLot => "kHz per thread",
            Bench::LockBench => "ms",
        }
    }
}

/// All published figures that are compared.
#[must_use]
pub fn published() -> Vec<Published> {
    use LockId::{ParkingLot012 as Pl, Pthread, Spin, Std};
    let mut all = Vec::new();
    let mut table = |source, machine, bench, rows: &[(LockId, u32, f64)]| {
        for &(lock, threads, figure) in rows {
            all.push(Published { source, machine, lock, threads, bench, figure });
        }
    };
    table(
        "parking_lot #338, 2022-04",
        "i9-10980xe",
        Bench::ParkingLot,
        &[(Std, 18, 420.2), (Std, 36, 221.3), (Pl, 18, 23.96), (Pl, 36, 8.08)],
    );
    table(
        "parking_lot #338, 2023-12",
        "i9-10980xe",
        Bench::ParkingLot,
        &[
            (Std, 9, 699.1),
            (Std, 18, 353.6),
            (Std, 27, 226.8),
            (Std, 36, 167.9),
            (Pl, 9, 363.6),
            (Pl, 18, 26.3),
            (Pl, 27, 17.2),
            (Pl, 36, 12.9),
            (Pthread, 9, 1125.3),
            (Pthread, 18, 529.3),
            (Pthread, 27, 315.5),
            (Pthread, 36, 221.5),
        ],
    );
    table(
        "parking_lot #418",
        "xeon-8580x2",
        Bench::LockBench,
        &[(Std, 32, 113.0), (Pl, 32, 403.8), (Spin, 32, 161.1)],
    );
    all
}

impl Published {
    /// The same figure, simulated.
    ///
    /// # Panics
    ///
    /// If its machine is not stored, which a test excludes.
    #[must_use]
    pub fn simulated(&self, seed: u64) -> f64 {
        let machine =
            Machine::stored(self.machine).expect("published figures name stored machines");
        self.simulated_on(&machine, seed)
    }

    /// The same figure, simulated on that machine.
    #[must_use]
    pub fn simulated_on(&self, machine: &Machine, seed: u64) -> f64 {
        let run = |scenario: &Scenario, ops_per_thread, time| -> Outcome {
            let lock = self.lock;
            simulate(&Run { machine, scenario, lock, seed, time, ops_per_thread, noise: 0 })
        };
        match self.bench {
            Bench::ParkingLot => {
                let knobs = parking_lot::Knobs {
                    crews: vec![Crew::Alike(self.threads)],
                    inside: vec![5],
                    outside: vec![5],
                };
                let scenario = &parking_lot::scenarios(&knobs)[0];
                run(scenario, None, Duration::from_millis(20)).khz_per_thread()
            }
            Bench::LockBench => {
                let scenario = &lock_bench::scenarios(self.threads)[0];
                run(scenario, Some(lock_bench::OPS_PER_THREAD), Duration::from_secs(5)).secs * 1e3
            }
        }
    }

    /// How many times as large as the published figure the simulated one is.
    #[must_use]
    pub fn factor(&self, simulated: f64) -> f64 {
        simulated / self.figure
    }
}
