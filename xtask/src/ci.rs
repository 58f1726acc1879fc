//! `cargo xtask ci`: what has to hold before anything is merged, step by step.

use std::{
    fs,
    time::{Duration, Instant},
};

use crate::{
    api, compat, dependents, instructions, models,
    shell::{Outcome, cargo, configure, print_table, run as run_command, target},
    weaken,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Run only this step; may be given several times
    #[arg(long, value_name = "STEP")]
    only: Vec<String>,
    /// List the steps and stop
    #[arg(long)]
    list: bool,
}

struct Step {
    name: &'static str,
    about: &'static str,
    run: fn() -> Outcome,
}

const STEPS: &[Step] = &[
    Step { name: "fmt", about: "rustfmt has nothing to change", run: fmt },
    Step { name: "clippy", about: "no lint speaks up", run: clippy },
    Step { name: "test", about: "all tests, all features", run: test_all },
    Step { name: "test-default", about: "core and locks, default features", run: test_default },
    Step { name: "test-symmetric", about: "core and locks without membarrier", run: symmetric },
    Step { name: "test-portable", about: "core and locks on the portable parker", run: portable },
    Step { name: "test-release", about: "core and locks as users build them", run: test_release },
    Step { name: "compat", about: "the packages named parking_lot do what theirs do", run: compat },
    Step { name: "api", about: "no name of parking_lot is missing", run: api },
    Step {
        name: "dependents",
        about: "a crate that uses parking_lot works with ours",
        run: dependent,
    },
    Step { name: "examples", about: "every example prints what it promises", run: examples },
    Step { name: "docs", about: "the documentation builds without a warning", run: docs },
    Step { name: "loom", about: "the models", run: loom },
    Step { name: "weaken", about: "the models notice a weakened ordering", run: weaken },
    Step { name: "instructions", about: "the fast path costs less than any rival's", run: count },
    Step { name: "bench", about: "the benchmark runs and reports", run: bench },
];

pub(crate) fn run(args: &Args) -> Outcome {
    if args.list {
        let row = |step: &Step| vec![step.name.to_owned(), step.about.to_owned()];
        print_table(&["step", "what it shows"], &STEPS.iter().map(row).collect::<Vec<_>>());
        return Ok(());
    }
    if let Some(name) = args.only.iter().find(|name| STEPS.iter().all(|s| s.name != **name)) {
        return Err(format!("no step is called {name}; `cargo xtask ci --list` shows them"));
    }
    let chosen = |step: &&Step| args.only.is_empty() || args.only.iter().any(|n| n == step.name);

    // A failure does not hide what the later steps have to say.
    let mut rows = Vec::new();
    let mut failed = Vec::new();
    let start = Instant::now();
    for step in STEPS.iter().filter(chosen) {
        println!("\n=== {}: {}", step.name, step.about);
        let start = Instant::now();
        let result = (step.run)();
        let verdict = match &result {
            Ok(()) => "ok".to_owned(),
            Err(error) => {
                println!("error: {error}");
                failed.push(step.name);
                format!("FAILED: {error}")
            }
        };
        rows.push(vec![step.name.to_owned(), seconds(start.elapsed()), verdict]);
    }
    rows.push(vec!["all".to_owned(), seconds(start.elapsed()), String::new()]);
    println!("\n=== summary");
    print_table(&["step", "time", "result"], &rows);
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", "))) }
}

fn seconds(time: Duration) -> String {
    format!("{:.0} s", time.as_secs_f64())
}

fn fmt() -> Outcome {
    run_command(&mut cargo(["fmt", "--all", "--check"]))
}

fn clippy() -> Outcome {
    let mut clippy = cargo(["clippy", "--workspace", "--all-targets", "--all-features"]);
    run_command(clippy.args(["--", "-D", "warnings"]))
}

fn test_all() -> Outcome {
    run_command(&mut cargo(["test", "--no-fail-fast", "--workspace", "--all-features"]))
}

/// The crates that have features. Doc tests have nothing to say of a configuration.
fn test_default() -> Outcome {
    let args =
        ["test", "--no-fail-fast", "-p", "parkade-core", "-p", "parkade", "--lib", "--tests"];
    run_command(&mut cargo(args))
}

/// The tests of the crates whose behaviour depends on the platform. `--all-features` only where
/// the main test run has built the same already.
fn test_locks() -> std::process::Command {
    let mut test = cargo(["test", "--no-fail-fast", "-p", "parkade-core", "-p", "parkade"]);
    // Doc tests have nothing to say of a configuration, and take a minute to build.
    test.args(["--all-features", "--lib", "--tests"]);
    test
}

fn symmetric() -> Outcome {
    run_command(test_locks().env("PARKADE_FENCE", "symmetric"))
}

fn portable() -> Outcome {
    let mut test = test_locks();
    configure(&mut test, "--cfg parkade_portable", "portable");
    run_command(&mut test)
}

fn test_release() -> Outcome {
    run_command(test_locks().arg("--release"))
}

fn compat() -> Outcome {
    compat::run(&compat::Args::all())
}

fn api() -> Outcome {
    api::run(&api::Args::news())
}

fn dependent() -> Outcome {
    dependents::run(&dependents::Args::quickest())
}

fn examples() -> Outcome {
    let mut test = cargo(["test", "-p", "parkade", "--all-features", "--test", "examples"]);
    run_command(test.args(["--", "--nocapture"]))
}

fn docs() -> Outcome {
    let mut doc = cargo(["doc", "--workspace", "--no-deps", "--all-features"]);
    run_command(doc.env("RUSTDOCFLAGS", "-Dwarnings"))
}

fn loom() -> Outcome {
    models::run(&models::Args { filter: "model".to_owned(), preemptions: models::PREEMPTIONS })
}

fn weaken() -> Outcome {
    weaken::run(&weaken::Args::all())
}

fn count() -> Outcome {
    instructions::run(&instructions::Args::table())
}

fn bench() -> Outcome {
    bench_reports(&["--quick"])?;
    let case = ["--job-scale", "0.01", "--case", "1000_100_20_20"];
    bench_reports(&[&["--quick", "--suite", "keyed"][..], &case].concat())?;
    bench_reports(&["--quick", "--suite", "semaphore"])?;
    bench_reports(&["--quick", "--suite", "async"])
}

/// Runs the benchmark and looks for the report it must write.
fn bench_reports(args: &[&str]) -> Outcome {
    let report = target().join("bench-quick.json");
    let path = report.to_str().ok_or("the path of the target directory is not UTF-8")?;
    // An old report must not stand in for a benchmark that wrote none.
    let _ = fs::remove_file(&report);
    let mut bench = cargo(["run", "--release", "-p", "parkade-cli", "--", "bench"]);
    run_command(bench.args(args).args(["--json", path]))?;
    let text = fs::read_to_string(&report).map_err(|error| format!("{path}: {error}"))?;
    // One document or one value a line: both are a sequence of values.
    let values = serde_json::Deserializer::from_str(&text).into_iter::<serde_json::Value>();
    let values: Result<Vec<_>, _> = values.collect();
    let values = values.map_err(|error| format!("{path} is not JSON: {error}"))?;
    if values.is_empty() { Err(format!("{path} is empty")) } else { Ok(()) }
}
