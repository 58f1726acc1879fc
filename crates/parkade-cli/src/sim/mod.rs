//! `parkade sim`: locks on machines that are not at hand.

pub(crate) mod args;
mod picture;
mod table;

use std::io::IsTerminal;

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use parkade_sim::{Machine, Outcome, Run, calibrate, simulate, trust};
use serde::Serialize;

use args::Args;

/// One simulated run.
#[derive(Debug, Serialize)]
struct Cell {
    scenario: String,
    threads: u32,
    lock: &'static str,
    outcome: Outcome,
}

/// What was simulated, as `--json` writes it.
#[derive(Debug, Serialize)]
struct Report {
    kind: &'static str,
    machine: Machine,
    seed: u64,
    cells: Vec<Cell>,
}

/// Runs the command.
pub(crate) fn run(args: Args) -> Result<()> {
    if args.list {
        print!("{}", table::list());
        return Ok(());
    }
    if args.trust {
        return show_trust(args.seed);
    }
    let mut machine = match &args.machine {
        Some(name) => Machine::stored(name)?,
        None => calibrated()?,
    };
    if let Some(cores) = args.cores {
        machine = machine.with_cores(cores)?;
    }
    let scenarios = args.scenarios()?;
    let locks = args.locks();
    eprintln!("simulated: {machine}; seed {}", args.seed);
    let bar = progress(scenarios.len() as u64 * locks.len() as u64);
    let mut cells = Vec::new();
    for scenario in &scenarios {
        for &lock in &locks {
            bar.set_message(format!("{} {lock}", scenario.name));
            let outcome = simulate(&Run {
                machine: &machine,
                scenario,
                lock,
                seed: args.seed,
                time: args.secs,
                ops_per_thread: None,
                noise: usize::from(args.noise),
            });
            bar.inc(1);
            let (scenario, threads) = (scenario.name.to_string(), scenario.threads);
            cells.push(Cell { scenario, threads, lock: lock.name(), outcome });
        }
    }
    bar.finish_and_clear();
    let report = Report { kind: "simulation", machine, seed: args.seed, cells };
    println!("{}", table::report(&report));
    if let Some(path) = &args.json {
        write(path, &serde_json::to_string_pretty(&report)?)?;
    }
    if let Some(path) = &args.svg {
        write(path, &picture::curve(&report))?;
    }
    Ok(())
}

fn write(path: &std::path::Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn progress(steps: u64) -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg} ({eta})");
    ProgressBar::with_draw_target(Some(steps), target)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn calibrated() -> Result<Machine> {
    let bar = progress(calibrate::STEPS);
    let machine = calibrate::calibrate(|step| {
        bar.set_message(step);
        bar.inc(1);
    });
    bar.finish_and_clear();
    machine.context("cannot measure this machine (or name a stored one with --machine)")
}

/// Seeds of which `--trust` shows the median.
const SEEDS: u64 = 5;

fn show_trust(seed: u64) -> Result<()> {
    let machine = Machine::stored("epyc-2")?;
    let bar = progress(18 * SEEDS);
    let measured = trust::Measured::stored();
    let by_seed: Vec<_> = (seed..seed + SEEDS)
        .map(|seed| {
            let compared = trust::compare(&measured, &machine, seed, |scenario| {
                bar.set_message(scenario.to_owned());
                bar.inc(1);
            });
            (seed, compared)
        })
        .collect();
    bar.finish_and_clear();
    println!("{}", table::comparisons(&measured, &by_seed));
    let published: Vec<_> = trust::published()
        .into_iter()
        .map(|published| {
            let simulated = (seed..seed + SEEDS).map(|seed| published.simulated(seed)).collect();
            (published, trust::median(simulated))
        })
        .collect();
    println!("{}", table::published(&published));
    Ok(())
}
