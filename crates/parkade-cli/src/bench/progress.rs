//! Where a run is.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};
use parkade_bench::run::{Plan, Step};

/// One line on what is about to run and for how long.
pub(crate) fn announce(plan: &Plan) -> String {
    let (scenarios, locks, rounds) = (plan.scenarios.len(), plan.subjects.len(), plan.rounds);
    let what = format!("{scenarios} scenarios, {locks} locks, {rounds} rounds");
    match (plan.duration(), plan.ops_per_thread) {
        (Some(all), _) => {
            format!("{what} of {:?}: about {:.0} s", plan.time, all.as_secs_f64().max(1.0))
        }
        (None, ops) => format!("{what} of {} operations per thread", ops.unwrap_or_default()),
    }
}

/// A bar on a terminal, otherwise a line for each scenario.
#[derive(Debug)]
pub(crate) struct Progress(Option<ProgressBar>);

impl Progress {
    /// Nothing done yet.
    pub(crate) fn new(plan: &Plan) -> Progress {
        if !std::io::stderr().is_terminal() {
            return Progress(None);
        }
        let bar = ProgressBar::new(plan.steps());
        let style = ProgressStyle::with_template("[{wide_bar}] {pos}/{len}  {msg}  {eta} left")
            .expect("the template is correct")
            .progress_chars("=> ");
        bar.set_style(style);
        Progress(Some(bar))
    }

    /// Shows a step.
    pub(crate) fn show(&self, step: Step<'_>) {
        let Step { round, rounds, scenario, subject, before } = step;
        match (&self.0, subject) {
            (Some(bar), Some(subject)) => {
                bar.set_position(before);
                let name = &scenario.name;
                bar.set_message(format!("round {round}/{rounds}  {name:<12} {subject:<16}"));
            }
            (None, None) => eprintln!("round {round}/{rounds}: {} done", scenario.name),
            _ => {}
        }
    }

    /// Takes the bar away.
    pub(crate) fn finish(self) {
        if let Some(bar) = self.0 {
            bar.finish_and_clear();
        }
    }
}
