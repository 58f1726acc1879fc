//! `cargo xtask loom`: the models, and the model builds that `weaken` needs.

use std::{path::PathBuf, process::Command};

use serde_json::Value;

use crate::shell::{Outcome, cargo, configure, output, run as run_command};

/// Crates with models.
const PACKAGES: [&str; 4] = ["-p", "parkade-core", "-p", "parkade"];

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Run only the models whose name contains this
    #[arg(default_value = "model")]
    pub(crate) filter: String,
    /// How often a thread may be preempted in one execution, where a model does not say otherwise
    #[arg(long, default_value_t = PREEMPTIONS)]
    pub(crate) preemptions: u32,
}

/// Exploration beyond two preemptions grows by orders of magnitude; a model that needs more asks for
/// it itself, or says in its comment how many it takes to see what it is for. (guess)
pub(crate) const PREEMPTIONS: u32 = 2;

fn cargo_test() -> Command {
    let mut cargo = cargo(["test", "--release", "--lib"]);
    cargo.args(PACKAGES);
    configure(&mut cargo, "--cfg loom", "loom");
    cargo
}

pub(crate) fn run(args: &Args) -> Outcome {
    let mut test = cargo_test();
    test.args(["--", "--test-threads=1", &args.filter]);
    test.env("LOOM_MAX_PREEMPTIONS", args.preemptions.to_string());
    run_command(&mut test)
}

/// Builds the model tests and returns the programs.
pub(crate) fn build() -> Outcome<Vec<PathBuf>> {
    let mut build = cargo_test();
    build.args(["--no-run", "--message-format=json-render-diagnostics"]);
    let messages = output(&mut build)?;
    let programs: Vec<_> = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
        .collect();
    if programs.is_empty() { Err("cargo built no test program".into()) } else { Ok(programs) }
}
