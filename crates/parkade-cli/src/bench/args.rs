//! Arguments of `parkade bench`.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use parkade_bench::run::Plan;
use parkade_bench::scenario::{self, Role, Scenario};
use parkade_bench::subject::SubjectId;

/// Measures Parkade's mutex and its rivals, interleaved round by round.
///
/// Without arguments: every scenario of the mutex, 3 rounds of 0.25 s for each lock, about two
/// minutes in all. For figures to quote use `--rounds 5 --secs 0.7` on an idle machine.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Run only these scenarios (see --list)
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = scenarios())]
    pub(crate) scenario: Vec<Scenario>,

    /// Measure only these locks (see --list)
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = subjects())]
    pub(crate) lock: Vec<SubjectId>,

    /// Run the chosen scenarios with this number of threads instead
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) threads: Vec<u32>,

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

    /// Write all figures of all rounds to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Print the scenarios, locks and suites and stop
    #[arg(long)]
    pub(crate) list: bool,
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

/// What the arguments ask for.
#[derive(Debug)]
pub(crate) enum Job {
    /// Print the names.
    List,
    /// Run scenarios.
    Scenarios(Plan),
}

impl Args {
    /// What to do.
    pub(crate) fn job(&self) -> Result<Job, Usage> {
        if self.list {
            return Ok(Job::List);
        }
        Ok(Job::Scenarios(Plan {
            scenarios: self.scenarios()?,
            subjects: self.subjects(),
            time: self
                .secs
                .unwrap_or(Duration::from_millis(if self.quick { 120 } else { 250 })),
            rounds: self.rounds.unwrap_or(if self.quick { 1 } else { 3 }),
            seed: seed(),
        }))
    }

    fn scenarios(&self) -> Result<Vec<Scenario>, Usage> {
        let mut chosen = self.scenario.clone();
        if chosen.is_empty() {
            let wanted = |s: &Scenario| !(self.quick && s.role == Role::Scaling);
            chosen = scenario::catalogue().into_iter().filter(wanted).collect();
        }
        if self.threads.is_empty() {
            return Ok(chosen);
        }
        let mut changed: Vec<Scenario> = Vec::new();
        for scenario in &chosen {
            for &threads in &self.threads {
                let Some(scenario) = scenario.with_threads(threads) else {
                    continue;
                };
                if !changed.iter().any(|known| known.name == scenario.name) {
                    changed.push(scenario);
                }
            }
        }
        if changed.is_empty() {
            return Err(Usage(
                "--threads: the chosen scenarios have one thread only".into(),
            ));
        }
        Ok(changed)
    }

    fn subjects(&self) -> Vec<SubjectId> {
        let wanted = |id: &SubjectId| self.lock.is_empty() || self.lock.contains(id);
        SubjectId::ALL.iter().copied().filter(wanted).collect()
    }
}

/// A suite of benchmarks published by others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Suite {}

impl Suite {
    /// All suites.
    pub(crate) const ALL: &[Suite] = &[];

    /// The name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {}
    }

    /// What it repeats.
    pub(crate) fn about(self) -> &'static str {
        match self {}
    }
}

fn scenarios() -> impl TypedValueParser<Value = Scenario> {
    let names = scenario::catalogue()
        .into_iter()
        .map(|s| PossibleValue::new(s.name.to_string()));
    PossibleValuesParser::new(names)
        .map(|name| scenario::find(&name).expect("only known names are let through"))
}

fn subjects() -> impl TypedValueParser<Value = SubjectId> {
    let names = SubjectId::ALL
        .iter()
        .map(|id| PossibleValue::new(id.name()).aliases(id.alias()));
    PossibleValuesParser::new(names)
        .map(|name| SubjectId::find(&name).expect("only known names are let through"))
}

fn seconds(text: &str) -> Result<Duration, String> {
    let secs: f64 = text
        .parse()
        .map_err(|_| "not a number of seconds".to_owned())?;
    if (0.001..=3600.0).contains(&secs) {
        Ok(Duration::from_secs_f64(secs))
    } else {
        Err("not in 0.001..=3600".to_owned())
    }
}

fn seed() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(1, |since| since.as_nanos() as u64)
}
