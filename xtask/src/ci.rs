//! `cargo xtask ci`: what has to hold before anything is merged, step by step.

use std::{
    fs,
    time::{Duration, Instant},
};

use crate::{
    api, compat, dependents, instructions, models,
    programs::{self, Program},
    shell::{Outcome, cargo, configure, print_table, root, run as run_command, target},
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
    Step { name: "test-default", about: "locks without optional features", run: test_default },
    Step { name: "test-symmetric", about: "core and locks without membarrier", run: symmetric },
    Step {
        name: "test-portable",
        about: "core and what waits, on the portable parker",
        run: portable,
    },
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

/// All tests of the workspace but the examples, which have a step.
fn tests() -> std::process::Command {
    cargo(["test", "--no-fail-fast", "--workspace", "--all-features"])
}

fn test_all() -> Outcome {
    run_command(&mut tests())
}

/// The programs of the main test run once more. Cargo builds packages anew when they are named one by one: what others
/// of the workspace want of a dependency does not count then.
fn symmetric() -> Outcome {
    let mut programs = programs::build(&mut tests())?;
    programs.retain(|program| LOCKS.iter().any(|name| program.folder.ends_with(name)));
    if programs.is_empty() {
        return Err("the locks have no tests".into());
    }
    let run = |program: &Program| {
        let mut command = program.command();
        // Where there are no such fences a task that has just queued is polled again and again for a while, and tests that
        // count how often one was woken have nothing to say.
        if program.path.file_name().is_some_and(|name| name.to_string_lossy().contains("_async")) {
            command.arg("threads_and_tasks");
        }
        run_command(shorter(&mut command).env("PARKADE_FENCE", "symmetric"))
    };
    // As under cargo, a failure does not hide what the others have to say.
    let failed: Vec<_> = programs.iter().filter_map(|program| run(program).err()).collect();
    if failed.is_empty() { Ok(()) } else { Err(failed.join("; ")) }
}

/// Gives stress cases less time than they take by themselves, which they do twice here: in the debug build, and in the
/// optimised one. Who has set a time gets it.
fn shorter(test: &mut std::process::Command) -> &mut std::process::Command {
    const SECS: &str = "PARKADE_STRESS_SECS";
    if std::env::var_os(SECS).is_none() { test.env(SECS, "0.4") } else { test }
}

/// The crates whose behaviour depends on the platform.
const LOCKS: [&str; 2] = ["parkade-core", "parkade"];

/// The parker is the core's; of the locks what waits most.
fn portable() -> Outcome {
    let mut core = cargo(["test", "--no-fail-fast", "--all-features", "--lib", "--tests"]);
    core.args(["-p", "parkade-core"]);
    let mut locks = cargo(["test", "--no-fail-fast", "--all-features", "--lib"]);
    locks.args(["-p", "parkade"]);
    for name in tests_with(|name, _| name.contains("stress") || name.contains("timeouts"))? {
        locks.args(["--test", &name]);
    }
    for mut test in [core, locks] {
        configure(&mut test, "--cfg parkade_portable", "portable");
        run_command(shorter(&mut test))?;
    }
    Ok(())
}

/// Without features, and with none at all, everything compiles. What guards are without `send_guard`, and what debug builds then
/// find, is tested by the files that speak of it, and beside the code.
fn test_default() -> Outcome {
    for features in [&[][..], &["--no-default-features"][..]] {
        let mut check = cargo(["check", "--lib", "--tests", "-p", "parkade-core", "-p", "parkade"]);
        run_command(check.args(features))?;
    }
    let mut test = cargo(["test", "--no-fail-fast", "-p", "parkade", "--lib"]);
    for name in tests_with(|_, source| source.contains("send_guard"))? {
        test.args(["--test", &name]);
    }
    run_command(&mut test)
}

/// The test programs of `parkade` whose name and source are such as `are_meant` says.
fn tests_with(are_meant: impl Fn(&str, &str) -> bool) -> Outcome<Vec<String>> {
    let folder = root().join("crates/parkade/tests");
    let shown = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).map_err(shown)? {
        let path = entry.map_err(shown)?.path();
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let source = fs::read_to_string(&path).map_err(shown)?;
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        if are_meant(name, &source) {
            names.push(name.to_owned());
        }
    }
    names.sort();
    if names.is_empty() { Err("no test is meant".into()) } else { Ok(names) }
}

/// Doc tests have nothing to say of a configuration, and take a minute to build.
fn test_release() -> Outcome {
    let mut test = cargo(["test", "--no-fail-fast", "--lib", "--tests", "--all-features"]);
    test.args(LOCKS.iter().flat_map(|name| ["-p", name])).args(["--profile", "optimized"]);
    run_command(&mut test)
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
    run_command(test.args(["--", "--ignored", "--nocapture"]))
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
