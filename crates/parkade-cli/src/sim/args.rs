//! Arguments of `parkade sim`.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use parkade_bench::scenario::{self, Scenario};
use parkade_bench::subject::LockKind;
use parkade_bench::suites::parking_lot::{self, Crew};
use parkade_sim::{LockId, Machine};

use crate::bench::args::Usage;
use crate::parse;

/// Simulates locks on machines that are not at hand
///
/// Without --machine it measures what things cost on this machine first, which takes some seconds and wants a quiet machine.
/// What it prints is a simulation; docs/scaling.md says how far it can be trusted.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Simulate these scenarios (see --list)
    #[arg(long, value_name = "NAME", value_delimiter = ',', hide_possible_values = true)]
    #[arg(value_parser = scenarios(), default_value = "mixed-8")]
    pub(crate) scenario: Vec<Scenario>,

    /// Simulate only these locks
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = locks())]
    pub(crate) lock: Vec<LockId>,

    /// Run the scenarios with these numbers of threads instead
    #[arg(long, value_name = "N", value_delimiter = ',')]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) threads: Vec<u32>,

    /// Take the costs of a stored machine (see --list) instead of measuring this one
    #[arg(long, value_name = "NAME", conflicts_with = "calibrate")]
    #[arg(value_parser = PossibleValuesParser::new(Machine::names()))]
    pub(crate) machine: Option<String>,

    /// Measure what things cost on this machine: the default
    #[arg(long)]
    pub(crate) calibrate: bool,

    /// Give the machine so many cores
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) cores: Option<u32>,

    /// Simulated seconds of a run
    #[arg(long, value_name = "SECS", value_parser = seconds, default_value = "0.05")]
    pub(crate) secs: Duration,

    /// The seed of all that is random
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,

    /// Add an unrelated busy thread
    #[arg(long)]
    pub(crate) noise: bool,

    /// Write all figures to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Draw throughput and longest wait by threads to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,

    /// Compare five seeds with what was measured and published, and stop: the tables of docs/scaling.md
    #[arg(long)]
    pub(crate) trust: bool,

    /// Print the scenarios, locks and machines and stop
    #[arg(long)]
    pub(crate) list: bool,
}

impl Args {
    /// The scenarios, with the numbers of threads asked for.
    pub(crate) fn scenarios(&self) -> Result<Vec<Scenario>, Usage> {
        if self.threads.is_empty() {
            return Ok(self.scenario.clone());
        }
        let with = |scenario: &Scenario, &threads: &u32| {
            scenario.with_threads(threads).ok_or_else(|| {
                Usage(format!("--threads: {} has a number of threads of its own", scenario.name))
            })
        };
        let all = |scenario| self.threads.iter().map(move |threads| with(scenario, threads));
        self.scenario.iter().flat_map(all).collect()
    }

    /// The locks.
    pub(crate) fn locks(&self) -> Vec<LockId> {
        let wanted = |id: &LockId| self.lock.is_empty() || self.lock.contains(id);
        LockId::ALL.iter().copied().filter(wanted).collect()
    }
}

/// What can be simulated: the benchmark's scenarios of the mutex, and parking_lot's own benchmark.
pub(super) fn all_scenarios() -> Vec<Scenario> {
    let knobs =
        parking_lot::Knobs { crews: vec![Crew::Alike(18)], inside: vec![5], outside: vec![5] };
    let mut all = scenario::catalogue(LockKind::Mutex);
    all.extend(parking_lot::scenarios(&knobs));
    all
}

fn scenarios() -> impl TypedValueParser<Value = Scenario> {
    let names = all_scenarios().into_iter().map(|s| PossibleValue::new(s.name.to_string()));
    parse::named(names, |name| all_scenarios().into_iter().find(|s| s.name == name))
}

fn locks() -> impl TypedValueParser<Value = LockId> {
    let names = LockId::ALL.iter().map(|id| PossibleValue::new(id.name()).aliases(id.alias()));
    parse::named(names, LockId::find)
}

fn seconds(text: &str) -> Result<Duration, String> {
    parse::seconds(text, &(0.001..=60.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Only {
        #[command(flatten)]
        args: Args,
    }

    fn parse(words: &[&str]) -> Result<Vec<String>, String> {
        use clap::Parser;
        let words = std::iter::once(&"sim").chain(words);
        let only = Only::try_parse_from(words).map_err(|error| error.to_string())?;
        let scenarios = only.args.scenarios().map_err(|error| error.to_string())?;
        Ok(scenarios.iter().map(|scenario| scenario.name.to_string()).collect())
    }

    #[test]
    fn threads_replace_the_scenario_s_own() {
        assert_eq!(parse(&["--scenario", "mixed-8"]).unwrap(), ["mixed-8"]);
        assert_eq!(parse(&["--threads", "2,128"]).unwrap(), ["mixed-2", "mixed-128"]);
        assert!(parse(&["--scenario", "uncontended", "--threads", "4"]).is_err());
    }

    #[test]
    fn wrong_values_are_refused() {
        for words in [
            ["--lock", "nothing"],
            ["--machine", "nothing"],
            ["--scenario", "nothing"],
            ["--cores", "0"],
            ["--cores", "257"],
            ["--threads", "0"],
            ["--secs", "0"],
        ] {
            assert!(parse(&words).is_err(), "{words:?}");
        }
        assert!(parse(&["--machine", "epyc-2", "--calibrate"]).is_err());
    }
}
