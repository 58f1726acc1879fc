//! Arguments of `parkade bench`.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::{PossibleValue, TypedValueParser};
use parkade_bench::run::Plan;
use parkade_bench::scenario::{self, Role, Sampling, Scenario};
use parkade_bench::subject::{LockKind, SubjectId};
use parkade_bench::suites::keyed::{CASES, Case, Split};
use parkade_bench::suites::parking_lot::Crew;
use parkade_bench::suites::{Suite, article, lock_bench, parking_lot};
use parkade_bench::variant::Variant;

use super::sweep::{self, Sweep};
use crate::parse;

/// Measures Parkade's locks and their rivals, interleaved round by round
///
/// Without arguments: every scenario of the mutex, 3 rounds of 0.25 s for each lock, about two
/// minutes in all; with `--kind rwlock` those of the reader-writer lock, and so on. For figures to quote use
/// `--rounds 5 --secs 0.7` on an idle machine.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The kind of lock [default: that of the scenarios named, else the mutex]
    ///
    /// In `rw-T-P` T threads draw at every operation whether they read (P percent) or write; the
    /// work under the lock goes by T. Reads and writes are also shown apart, and the longest wait
    /// that is compared is the writers'. In `condvar` each turn, put, take, broadcast or hearing of
    /// one is an operation, and its wait includes that for the other threads to make it possible.
    /// `once` and `once-lock` measure what asking costs once the closure has run and the value is
    /// there. In `keyed-T-N` T threads draw one of N keys, evenly or by Zipf's law, and lock it; dashmap,
    /// whose guards keep other keys locked too, is judged apart, and what a locked key takes in memory
    /// is shown unless scenarios are named. `semaphore` has Parkade twice, first come first served and
    /// barging. In `async-N` N tasks on a tokio runtime of two threads lock, and give way to others after each
    /// turn, in `async-hold-N` also under the lock, so that all the others come to wait; `async-mixed-4+4`
    /// has threads that block on the same lock. What a task costs that locks or waits, measured without a
    /// runtime, is shown unless scenarios are named.
    #[arg(long, value_name = "KIND", value_parser = kinds())]
    pub(crate) kind: Option<LockKind>,

    /// Run only these scenarios, of one kind of lock (see --list)
    #[arg(long, value_name = "NAME", value_delimiter = ',', hide_possible_values = true)]
    #[arg(value_parser = scenarios())]
    pub(crate) scenario: Vec<Scenario>,

    /// Measure only these locks
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = subjects())]
    pub(crate) lock: Vec<SubjectId>,

    /// Measure Parkade with each of these values of a setting: `spin_ns=0,3000` (see --list)
    ///
    /// Each value is a lock of its own, called `parkade spin_ns=0` and so on, in the place of
    /// `parkade`; they take turns round by round with each other and with the rivals, and each is
    /// judged by itself. The setting is in force for that lock's rounds only. Given several times,
    /// for different settings, every combination is measured (32 at most). --lock chooses the
    /// rivals beside them; `--lock parkade` means none. Everything else, --suite, --quick and
    /// --noise included, works as without it and takes longer with each value.
    #[arg(long, value_name = "PARAM=A,B,C")]
    pub(crate) sweep: Vec<Sweep>,

    /// Run the chosen scenarios with these numbers of threads instead: `8`, `2,8,32`, or
    /// `begin:end[:step]`
    #[arg(long, value_name = "N", value_delimiter = ',')]
    pub(crate) threads: Vec<Range>,

    /// Seconds of a round for each scenario and lock [default: 0.25, with --quick 0.12]
    #[arg(long, value_name = "SECS", value_parser = seconds)]
    pub(crate) secs: Option<Duration>,

    /// Rounds [default: 3, with --quick 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: Option<u32>,

    /// One short round without the scaling curve, about 15 s in all
    #[arg(long)]
    pub(crate) quick: bool,

    /// Run one unrelated busy process beside it
    #[arg(long)]
    pub(crate) noise: bool,

    /// Repeat a published benchmark with its own metrics instead
    ///
    /// parking-lot is two: with --readers, --writers or `--kind rwlock` it is the one of the
    /// reader-writer lock, in which each thread either only reads or only writes. keyed begins with
    /// mapmutex's six cases, a mutex for each key beside one giant mutex; they sleep for about 7
    /// minutes at full size (see --job-scale), and --lock adds rivals to them. What follows is that
    /// of `--kind keyed`; semaphore is `--kind semaphore`, async is `--kind async`.
    #[arg(long, value_name = "NAME", conflicts_with = "scenario", value_parser = suites())]
    pub(crate) suite: Option<Suite>,

    /// Steps under the lock, for `--suite parking-lot`: numbers and ranges [default: 5]
    #[arg(long, value_name = "N", value_delimiter = ',', requires = "suite")]
    pub(crate) work_inside: Vec<Range>,

    /// Steps without the lock, for `--suite parking-lot`: numbers and ranges [default: 5]
    #[arg(long, value_name = "N", value_delimiter = ',', requires = "suite")]
    pub(crate) work_outside: Vec<Range>,

    /// Threads that only read, for `--suite parking-lot`: numbers and ranges [default: 1, 3, 7]
    #[arg(long, value_name = "N", value_delimiter = ',', requires = "suite")]
    pub(crate) readers: Vec<Range>,

    /// Threads that only write, for `--suite parking-lot`: numbers and ranges [default: 1]
    #[arg(long, value_name = "N", value_delimiter = ',', requires = "suite")]
    pub(crate) writers: Vec<Range>,

    /// Multiply the milliseconds of the jobs of `--suite keyed` [default: 1, with --quick 0.02]
    #[arg(long, value_name = "FACTOR", requires = "suite", value_parser = job_scale)]
    pub(crate) job_scale: Option<f64>,

    /// How `--suite keyed` splits jobs among workers
    ///
    /// even: as many for each. published: at random as in the published run, where some workers had
    /// nearly twice as many as others; that bounds the ratio whatever the lock, so it has no mark.
    #[arg(long, value_name = "HOW", requires = "suite", default_value = "even")]
    #[arg(value_parser = splits())]
    pub(crate) job_split: Split,

    /// Run only these cases of `--suite keyed`: `1000_100_20_20`
    #[arg(long, value_name = "NAME", value_delimiter = ',', requires = "suite")]
    #[arg(value_parser = cases())]
    pub(crate) case: Vec<Case>,

    /// Write all figures of all rounds to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Write a report with charts to this file; it needs no network to be read
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,

    /// Draw throughput against the longest wait, a panel for each scenario, into this SVG file
    ///
    /// Throughput is in parts of the best rival's, and the larger a mark, the more processor time
    /// an operation takes. Where there are readers too it is the writers' longest wait; scenarios
    /// in which nobody waits (a single thread, readers alone) have no panel. The same picture is
    /// part of the report that --html writes.
    #[arg(long, value_name = "FILE.svg", value_parser = svg_file)]
    pub(crate) scatter: Option<PathBuf>,

    /// Print the scenarios, locks, settings and suites and stop
    #[arg(long)]
    pub(crate) list: bool,
}

/// How the cases of the suite of keyed locks are run.
#[derive(Debug)]
pub(crate) struct Cases {
    /// Which.
    pub(crate) cases: Vec<Case>,
    /// What the milliseconds are multiplied by.
    pub(crate) scale: f64,
    /// How the jobs are split.
    pub(crate) split: Split,
    /// With which locks.
    pub(crate) locks: Vec<Variant>,
}

/// Arguments which are right one by one, but not together.
#[derive(Debug)]
pub(crate) struct Usage(pub(crate) String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

impl Args {
    /// What to run.
    pub(crate) fn plan(&self) -> Result<Plan, Usage> {
        let knobs = [
            (&self.work_inside, "work-inside"),
            (&self.work_outside, "work-outside"),
            (&self.readers, "readers"),
            (&self.writers, "writers"),
        ];
        let given = knobs.into_iter().find(|(given, _)| !given.is_empty());
        if let Some((_, which)) = given.filter(|_| self.suite != Some(Suite::ParkingLot)) {
            return Err(Usage(format!("--{which} belongs to --suite parking-lot")));
        }
        let knobs = [
            (self.job_scale.is_some(), "job-scale"),
            (self.job_split != Split::default(), "job-split"),
            (!self.case.is_empty(), "case"),
        ];
        let given = knobs.into_iter().find(|(given, _)| *given);
        if let Some((_, which)) = given.filter(|_| self.suite != Some(Suite::Keyed)) {
            return Err(Usage(format!("--{which} belongs to --suite keyed")));
        }
        let kind = self.kind()?;
        let scenarios = match self.suite {
            None => self.scenarios(kind)?,
            Some(suite) => self.suite_scenarios(suite, kind)?,
        };
        let waits = |scenario: &Scenario| scenario.sampling() != Sampling::Off;
        if self.scatter.is_some() && !scenarios.iter().any(waits) {
            return Err(Usage(
                "--scatter: one thread alone waits for nobody, nor do readers".into(),
            ));
        }
        let lock_bench = self.suite == Some(Suite::LockBench);
        let time = match (self.suite, self.quick) {
            (Some(Suite::LockBench), _) => lock_bench::PATIENCE,
            (Some(Suite::Article), false) => Duration::from_millis(700),
            (_, false) => Duration::from_millis(250),
            (_, true) => Duration::from_millis(120),
        };
        let rounds = match (self.suite, self.quick) {
            (Some(Suite::LockBench), false) => 10,
            (_, false) => 3,
            (_, true) => 1,
        };
        Ok(Plan {
            scenarios,
            subjects: self.subjects(kind)?,
            time: self.secs.unwrap_or(time),
            ops_per_thread: lock_bench.then_some(lock_bench::OPS_PER_THREAD),
            rounds: self.rounds.unwrap_or(rounds),
            seed: seed(),
        })
    }

    /// The published cases to run before everything else, if any.
    pub(crate) fn cases(&self, plan: &Plan) -> Option<Cases> {
        if self.suite != Some(Suite::Keyed) {
            return None;
        }
        let named = |v: &Variant| !v.is_rival() || self.lock.contains(&v.subject());
        Some(Cases {
            cases: if self.case.is_empty() { CASES.into() } else { self.case.clone() },
            scale: self.job_scale.unwrap_or(if self.quick { 0.02 } else { 1.0 }),
            split: self.job_split,
            locks: plan.subjects.iter().filter(|variant| named(variant)).cloned().collect(),
        })
    }

    /// The kind of lock: what is asked for, or what goes with everything else.
    fn kind(&self) -> Result<LockKind, Usage> {
        let sides = !(self.readers.is_empty() && self.writers.is_empty());
        let implied = match self.suite {
            Some(Suite::ParkingLot) if sides => Some((LockKind::Rwlock, "readers and writers")),
            Some(suite) => suite.kind().map(|kind| (kind, suite.name())),
            None => self.scenario.first().map(|scenario| (scenario.kind(), &*scenario.name)),
        };
        let Some((kind, because)) = implied else {
            return Ok(self.kind.unwrap_or_default());
        };
        let asked = self.kind.map(|kind| (kind, "--kind"));
        let others = self.scenario.iter().map(|scenario| (scenario.kind(), &*scenario.name));
        match others.chain(asked).find(|(other, _)| *other != kind) {
            None => Ok(kind),
            Some((other, why)) => Err(Usage(format!(
                "a run is of one kind of lock: {because} want a {kind}, {why} a {other}"
            ))),
        }
    }

    fn suite_scenarios(&self, suite: Suite, kind: LockKind) -> Result<Vec<Scenario>, Usage> {
        let threads = numbers("--threads", &self.threads, 1..=MOST_THREADS)?;
        match suite {
            Suite::Article if threads.is_empty() => Ok(article::scenarios()),
            Suite::Article => Err(Usage("--suite article has its own numbers of threads".into())),
            Suite::LockBench if threads.is_empty() => Ok(lock_bench::scenarios(32)),
            Suite::Keyed | Suite::Semaphore | Suite::Async => self.scenarios(kind),
            Suite::LockBench => Ok(threads.into_iter().flat_map(lock_bench::scenarios).collect()),
            Suite::ParkingLot => {
                let steps = 0..=MOST_STEPS;
                let inside = numbers("--work-inside", &self.work_inside, steps.clone())?;
                let outside = numbers("--work-outside", &self.work_outside, steps)?;
                Ok(parking_lot::scenarios(&parking_lot::Knobs {
                    crews: self.crews(threads, kind)?,
                    inside: or(inside, &[5]),
                    outside: or(outside, &[5]),
                }))
            }
        }
    }

    fn crews(&self, threads: Vec<u32>, kind: LockKind) -> Result<Vec<Crew>, Usage> {
        match kind {
            LockKind::Mutex => {
                let threads = or(threads, &[1, 2, 3, 4, 8, 16]);
                return Ok(threads.into_iter().map(Crew::Alike).collect());
            }
            LockKind::Rwlock => {}
            _ => return Err(Usage(format!("--suite parking-lot has nothing for --kind {kind}"))),
        }
        if !threads.is_empty() {
            return Err(Usage("--threads: here they are --readers and --writers".into()));
        }
        let readers = numbers("--readers", &self.readers, 0..=MOST_THREADS)?;
        let writers = numbers("--writers", &self.writers, 0..=MOST_THREADS)?;
        let crews = Crew::sides(&or(readers, &[1, 3, 7]), &or(writers, &[1]));
        if crews.is_empty() {
            return Err(Usage("--readers and --writers: nobody is left".into()));
        }
        Ok(crews)
    }

    fn scenarios(&self, kind: LockKind) -> Result<Vec<Scenario>, Usage> {
        let mut chosen = self.scenario.clone();
        if chosen.is_empty() {
            let wanted = |s: &Scenario| !(self.quick && s.role == Role::Scaling);
            chosen = scenario::catalogue(kind).into_iter().filter(wanted).collect();
        }
        if !self.threads.is_empty() {
            let threads = numbers("--threads", &self.threads, 1..=MOST_THREADS)?;
            let changed = |scenario: &Scenario| -> Vec<Scenario> {
                threads.iter().filter_map(|&n| scenario.with_threads(n)).collect()
            };
            chosen = chosen.iter().flat_map(changed).collect();
        }
        let mut once: Vec<Scenario> = Vec::new();
        for scenario in chosen {
            if !once.iter().any(|known| known.name == scenario.name) {
                once.push(scenario);
            }
        }
        if once.is_empty() {
            let why = "--threads: a scenario of one thread cannot have another number of them";
            return Err(Usage(why.into()));
        }
        Ok(once)
    }

    fn subjects(&self, kind: LockKind) -> Result<Vec<Variant>, Usage> {
        if let Some(without) = self.lock.iter().find(|id| !id.has(kind)) {
            return Err(Usage(format!("--lock: {without} has no {kind}")));
        }
        let wanted = |id: &SubjectId| self.lock.is_empty() || self.lock.contains(id);
        let locks = kind.subjects().filter(wanted).map(Variant::from);
        if self.sweep.is_empty() {
            return Ok(locks.collect());
        }
        let mut all = sweep::variants(&self.sweep).map_err(Usage)?;
        all.extend(locks.filter(Variant::is_rival));
        Ok(all)
    }
}

/// What was given, or the default.
fn or(given: Vec<u32>, default: &[u32]) -> Vec<u32> {
    if given.is_empty() { default.to_vec() } else { given }
}

/// More threads than this say nothing about locks.
const MOST_THREADS: u32 = 4096;

/// About a tenth of a second.
const MOST_STEPS: u32 = 100_000_000;

/// `n` or `begin:end[:step]`, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    begin: u32,
    end: u32,
    step: u32,
}

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Range, String> {
        let number =
            |part: &str| part.parse::<u32>().map_err(|_| format!("`{part}` is not a whole number"));
        let parts: Vec<&str> = text.split(':').collect();
        let (begin, end, step) = match parts[..] {
            [one] => (number(one)?, number(one)?, 1),
            [begin, end] => (number(begin)?, number(end)?, 1),
            [begin, end, step] => (number(begin)?, number(end)?, number(step)?),
            _ => return Err("not `n` or `begin:end[:step]`".into()),
        };
        match step {
            0 => Err("a step of 0 leads nowhere".into()),
            _ if begin > end => Err("the end comes before the begin".into()),
            _ => Ok(Range { begin, end, step }),
        }
    }
}

/// All numbers of all ranges, each once.
fn numbers(flag: &str, ranges: &[Range], allowed: RangeInclusive<u32>) -> Result<Vec<u32>, Usage> {
    let mut all = Vec::new();
    for range in ranges {
        for number in (range.begin..=range.end).step_by(range.step as usize) {
            if !allowed.contains(&number) {
                let (least, most) = allowed.into_inner();
                return Err(Usage(format!("{flag}: {number} is not in {least}..={most}")));
            }
            if !all.contains(&number) {
                all.push(number);
            }
        }
    }
    Ok(all)
}

fn kinds() -> impl TypedValueParser<Value = LockKind> {
    parse::named(LockKind::ALL.iter().map(|kind| kind.name()), LockKind::find)
}

fn suites() -> impl TypedValueParser<Value = Suite> {
    parse::named(Suite::ALL.iter().map(|suite| suite.name()), Suite::find)
}

fn scenarios() -> impl TypedValueParser<Value = Scenario> {
    let all = LockKind::ALL.iter().flat_map(|&kind| scenario::catalogue(kind));
    parse::named(all.map(|s| PossibleValue::new(s.name.to_string())), scenario::find)
}

fn subjects() -> impl TypedValueParser<Value = SubjectId> {
    let names = SubjectId::ALL.iter().map(|id| PossibleValue::new(id.name()).aliases(id.alias()));
    parse::named(names, SubjectId::find)
}

fn seconds(text: &str) -> Result<Duration, String> {
    parse::seconds(text, &(0.001..=3600.0))
}

fn job_scale(text: &str) -> Result<f64, String> {
    let range = 0.001..=10.0;
    let scale = text.parse().ok().filter(|scale| range.contains(scale));
    scale.ok_or_else(|| format!("not a number in {}..={}", range.start(), range.end()))
}

fn cases() -> impl TypedValueParser<Value = Case> {
    let find = |name: &str| CASES.into_iter().find(|case| case.name() == name);
    parse::named(CASES.iter().map(Case::name), find)
}

fn splits() -> impl TypedValueParser<Value = Split> {
    parse::named(Split::ALL.iter().map(|split| split.name()), Split::find)
}

fn svg_file(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    match path.extension() {
        Some(other) if !other.eq_ignore_ascii_case("svg") => {
            Err("the picture is an SVG, so its name ends in .svg; --html writes a page".to_owned())
        }
        _ => Ok(path),
    }
}

fn seed() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(1, |since| since.as_nanos() as u64)
}

#[cfg(test)]
mod tests;
