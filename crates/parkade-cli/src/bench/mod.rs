//! `parkade bench`.

pub(crate) mod args;
mod chart;
mod format;
mod html;
mod keyed;
pub(crate) mod noise;
mod output;
mod progress;
mod scatter;
mod sheet;
mod suites;
mod sweep;
mod table;
mod tasks;

use std::io::{ErrorKind, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use parkade_bench::machine::Machine;
use parkade_bench::report::{Report, SCHEMA, Settings, SubjectVersion};
use parkade_bench::run::Plan;
use parkade_bench::stats::Verdict;
use parkade_bench::subject::LockKind;
use parkade_bench::suites::Suite;
use parkade_bench::variant::{Variant, settings};

use args::{Args, Usage};
use output::Target;

/// Runs the command.
pub(crate) fn run(args: Args) -> Result<()> {
    if args.list {
        return print(&table::list());
    }
    let plan = args.plan()?;
    let json = args.json.as_deref().map(Target::check).transpose()?;
    let html = args.html.as_deref().map(Target::check).transpose()?;
    let scatter = args.scatter.as_deref().map(Target::check).transpose()?;
    let _noise = args.noise.then(noise::Noise::start).transpose()?;
    let report = measure(&args, &plan)?;
    // Files first: a reader who closes the pipe early must not cost the figures.
    if let Some(target) = json {
        target.write(&(serde_json::to_string_pretty(&report)? + "\n"))?;
    }
    if let Some(target) = html {
        target.write(&html::render(&report))?;
    }
    if let Some(target) = scatter {
        target.write(&scatter::render(&report))?;
    }
    print(&match args.suite {
        None => table::report(&report),
        Some(suite) => suites::report(suite, &report),
    })
}

fn measure(args: &Args, plan: &Plan) -> Result<Report> {
    let started_unix = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let kind = plan.scenarios.first().map(|scenario| scenario.kind()).unwrap_or_default();
    eprintln!("{}", progress::announce(plan));
    let key_memory = match kind {
        // First, while the heap is as a program finds it.
        LockKind::Keyed if args.scenario.is_empty() => keyed::measure_memory(&plan.subjects),
        _ => Vec::new(),
    };
    let task_costs = match kind {
        LockKind::Async if args.scenario.is_empty() => tasks::measure(&plan.subjects),
        _ => Vec::new(),
    };
    let cases = args.cases(plan).map(|cases| keyed::measure_cases(&cases, plan.seed));
    let progress = progress::Progress::new(plan);
    let scenarios = plan.run(|step| progress.show(step));
    progress.finish();
    let with_version =
        |name: &Variant| SubjectVersion { version: name.subject().version(), name: name.clone() };
    Ok(Report {
        schema: SCHEMA,
        kind: args.suite.map_or(kind.name(), Suite::name).into(),
        started_unix,
        machine: Machine::this(),
        settings: Settings {
            secs: plan.time.as_secs_f64(),
            ops_per_thread: plan.ops_per_thread,
            rounds: plan.rounds,
            noise: args.noise,
            seed: plan.seed,
            tuning: settings().iter().map(|s| (s.name().to_owned(), s.value())).collect(),
        },
        subjects: plan.subjects.iter().map(with_version).collect(),
        verdicts: Verdict::all(&scenarios),
        scenarios,
        cases: cases.unwrap_or_default(),
        key_memory,
        task_costs,
    })
}

fn print(text: &str) -> Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        outcome => Ok(outcome?),
    }
}

/// The program's exit code for an error: 2 where the user asked for something that is not there.
pub(crate) fn exit_code(error: &anyhow::Error) -> u8 {
    if error.is::<Usage>() { 2 } else { 1 }
}
