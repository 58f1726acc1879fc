//! `cargo xtask churn`: the churn test with many threads.

use crate::shell::{Outcome, cargo, run as run_command};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many threads to create and join
    #[arg(long, default_value_t = 1_000_000)]
    threads: u64,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let mut test = cargo(["test", "--release", "-p", "parkade", "--test", "churn"]);
    test.args(["--", "--nocapture"]).env("PARKADE_CHURN_THREADS", args.threads.to_string());
    run_command(&mut test)
}
