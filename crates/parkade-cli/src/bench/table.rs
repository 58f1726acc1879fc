//! Tables for the terminal.

use std::fmt::Write;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Cell, CellAlignment, Table};
use parkade_bench::report::{Report, ScenarioReport};
use parkade_bench::scenario;
use parkade_bench::stats::{CellSummary, MarkResult, Measure, ScenarioSummary, Verdict};
use parkade_bench::subject::{LockKind, SubjectId};
use parkade_bench::suites::Suite;
use parkade_bench::variant::{Variant, settings};

use super::format::{duration, or_dash, per_op, percent, rate, ratio};

/// Scenarios and locks by name.
pub(crate) fn list() -> String {
    let mut text = String::from("Scenarios:\n");
    for scenario in scenario::catalogue() {
        let _ = writeln!(text, "  {:<14} {}", scenario.name, scenario.describe());
    }
    text.push_str("\nLocks:\n");
    for id in LockKind::Mutex.subjects() {
        let _ = writeln!(text, "  {id:<17} {}", id.version());
    }
    text.push_str("\nSettings (for --sweep):\n");
    for setting in settings() {
        let (least, most) = setting.range().into_inner();
        let default = setting.default_value();
        let _ = writeln!(text, "  {:<14} {least} to {most}, {default} by default", setting.name());
    }
    text.push_str("\nSuites:\n");
    for suite in Suite::ALL {
        let _ = writeln!(text, "  {:<14} {}", suite.name(), suite.about());
    }
    text
}

/// The whole report.
pub(crate) fn report(report: &Report) -> String {
    let mut text = heading(report);
    for scenario in &report.scenarios {
        text.push_str(&section(report, scenario));
    }
    match &report.verdicts[..] {
        [] => {}
        [only] => text.push_str(&marks(only)),
        several => text.push_str(&comparison(several)),
    }
    text
}

/// Where and how the figures came about.
pub(crate) fn heading(report: &Report) -> String {
    let machine = &report.machine;
    let noise = if report.settings.noise { ", an unrelated busy process beside it" } else { "" };
    format!(
        "{} processors, {}, {} {}; medians of {} rounds{noise}\n",
        machine.cpus, machine.cpu_model, machine.system, machine.kernel, report.settings.rounds,
    )
}

/// One scenario.
pub(crate) fn section(report: &Report, scenario: &ScenarioReport) -> String {
    let summary = ScenarioSummary::of(scenario);
    let mut text = format!("\n{}  ({})\n", scenario.name, scenario.description);
    let contended = summary.cells.iter().any(|cell| cell.waits.is_some());
    let mut table = new_table();
    table.set_header(if contended { CONTENDED } else { ALONE });
    for cell in &summary.cells {
        let mut row = vec![label(report, &cell.subject)];
        row.extend(if contended { contended_row(cell) } else { alone_row(cell) });
        table.add_row(row.into_iter().map(Cell::new));
    }
    align_right(&mut table);
    let _ = writeln!(text, "{table}");
    text.push_str(&footnotes(&summary));
    text
}

const ALONE: &[&str] = &["lock", "ns/op", "ops/s", "vs best", "cpu/op", "csw/op"];
const CONTENDED: &[&str] = &[
    "lock",
    "ops/s",
    "vs best",
    "thread min..max",
    "spread",
    "cpu/op",
    "csw/op",
    "wait p50",
    "p99",
    "p99.9",
    "max",
    "vs fairest",
];

fn alone_row(cell: &CellSummary) -> Vec<String> {
    vec![
        format!("{:.2}", 1e9 / cell.ops_per_sec),
        rate(cell.ops_per_sec),
        or_dash(cell.ratios.throughput, ratio),
        or_dash(cell.cpu_ns, duration),
        or_dash(cell.switches, per_op),
    ]
}

fn contended_row(cell: &CellSummary) -> Vec<String> {
    let wait = |of: fn(&parkade_bench::stats::WaitSummary) -> f64| {
        or_dash(cell.waits.as_ref().map(of), duration)
    };
    vec![
        rate(cell.ops_per_sec),
        or_dash(cell.ratios.throughput, ratio),
        format!("{} .. {}", rate(cell.slowest), rate(cell.fastest)),
        percent(cell.spread),
        or_dash(cell.cpu_ns, duration),
        or_dash(cell.switches, per_op),
        wait(|w| w.p50),
        wait(|w| w.p99),
        wait(|w| w.p999),
        wait(|w| w.max),
        or_dash(cell.ratios.wait, ratio),
    ]
}

fn footnotes(summary: &ScenarioSummary) -> String {
    let mut notes = Vec::new();
    if let Some(best) = summary.best_rival {
        notes.push(format!("best rival: {best}"));
    }
    if let Some(fairest) = summary.fairest_rival {
        notes.push(format!("fairest rival: {fairest}"));
    }
    let mut text = String::new();
    if !notes.is_empty() {
        let _ = writeln!(text, "  {}", notes.join("; "));
    }
    let hogs: Vec<String> = summary
        .cells
        .iter()
        .filter_map(|cell| {
            let hog = cell.hog?;
            Some(format!("{} {} ({})", cell.subject, rate(hog.ops_per_sec), percent(hog.share)))
        })
        .collect();
    if !hogs.is_empty() {
        let _ = writeln!(text, "  the hog's ops/s (and share of time): {}", hogs.join(", "));
    }
    if !summary.disregarded.is_empty() {
        let names: Vec<_> = summary.disregarded.iter().map(ToString::to_string).collect();
        let _ = writeln!(text, "  not counted, because they starve the hog: {}", names.join(", "));
    }
    text
}

fn marks(verdict: &Verdict) -> String {
    let mut table = new_table();
    table.set_header([
        "scenario",
        "throughput",
        "mark",
        "",
        "best rival",
        "longest wait",
        "",
        "fairest rival",
        "cpu/op",
        "csw/op",
    ]);
    for result in &verdict.results {
        table.add_row(mark_row(result));
    }
    align_right(&mut table);
    let mut text = format!(
        "\nParkade in parts of the best and the fairest rival (cpu/op: of the best rival; csw/op: of \
         parking_lot 0.13)\n{table}\n"
    );
    let mut table = new_table();
    table.set_header(["over all", "reached", "mark", "", "scenarios", "worst"]);
    for overall in &verdict.overall {
        table.add_row([
            overall.measure.name().to_owned(),
            figure_of(overall.measure, overall.value),
            mark_of(overall.measure),
            outcome(overall.mark.map(|_| overall.reached)).into(),
            overall.scenarios.to_string(),
            format!("{} ({})", figure_of(overall.measure, overall.worst_value), overall.worst),
        ]);
    }
    align_right(&mut table);
    let _ = writeln!(text, "{table}");
    for (what, missed) in
        [("throughput", verdict.throughput_missed()), ("longest wait", verdict.waits_missed())]
    {
        if !missed.is_empty() {
            let _ = writeln!(text, "{what} misses its mark in {}", missed.join(", "));
        }
    }
    text.push_str(left_out(std::slice::from_ref(verdict)));
    text
}

/// Several sets of settings side by side.
fn comparison(verdicts: &[Verdict]) -> String {
    let mut table = new_table();
    table.set_header([
        "lock",
        Measure::Throughput.short_name(),
        "least",
        Measure::Cpu.short_name(),
        Measure::Switches.short_name(),
        Measure::Spread.short_name(),
        "throughput marks",
        "wait marks",
        "worst wait",
    ]);
    for verdict in verdicts {
        let figure = |measure| or_dash(verdict.overall(measure), |o| figure_of(measure, o.value));
        let worst = |scenario: &str, value| format!("{} {scenario}", ratio(value));
        let (all, waits) = (verdict.results.len(), verdict.judged_waits());
        table.add_row([
            verdict.subject.to_string(),
            figure(Measure::Throughput),
            or_dash(verdict.overall(Measure::Throughput), |o| worst(&o.worst, o.worst_value)),
            figure(Measure::Cpu),
            figure(Measure::Switches),
            figure(Measure::Spread),
            format!("{} of {all}", all - verdict.throughput_missed().len()),
            format!("{} of {waits}", waits - verdict.waits_missed().len()),
            or_dash(verdict.worst_wait(), |(scenario, value)| worst(scenario, value)),
        ]);
    }
    align_right(&mut table);
    let mut text = format!(
        "\nThe settings side by side (geometric means of throughput and cpu/op to the best rival's, \
         of csw/op to parking_lot 0.13's; how many scenarios reach their marks)\n{table}\n"
    );
    text.push_str(left_out(verdicts));
    text
}

/// What the means do not say.
fn left_out(verdicts: &[Verdict]) -> &'static str {
    let starves = |verdict: &Verdict| verdict.results.iter().any(|result| result.starves_hog);
    if verdicts.iter().any(starves) {
        "means of throughput and cpu/op leave out scenarios where parkade starves the hog\n"
    } else {
        ""
    }
}

/// A figure of a measure: a ratio, or a part of a whole.
pub(crate) fn figure_of(measure: Measure, value: f64) -> String {
    if measure == Measure::Spread { percent(value) } else { ratio(value) }
}

/// A measure's mark.
pub(crate) fn mark_of(measure: Measure) -> String {
    let sign = if measure.is_gain() { ">=" } else { "<=" };
    or_dash(measure.mark(), |mark| format!("{sign} {}", figure_of(measure, mark)))
}

fn outcome(reached: Option<bool>) -> &'static str {
    match reached {
        Some(true) => "ok",
        Some(false) => "MISS",
        None => "",
    }
}

fn mark_row(result: &MarkResult) -> Vec<String> {
    let wait = result.wait.and(result.mark.wait);
    let throughput =
        if result.starves_hog { "starves hog" } else { outcome(Some(result.throughput_reached())) };
    vec![
        result.scenario.clone(),
        ratio(result.throughput),
        format!(">= {}", ratio(result.mark.throughput)),
        throughput.into(),
        result.best_rival.to_string(),
        or_dash(result.wait, ratio),
        outcome(wait.map(|_| result.wait_reached())).into(),
        or_dash(result.fairest_rival, |rival| rival.to_string()),
        or_dash(result.cpu, ratio),
        or_dash(result.switches, ratio),
    ]
}

/// A lock with its version, where the name does not say it, or with its settings.
pub(crate) fn label(report: &Report, subject: &Variant) -> String {
    let version = report.subjects.iter().find(|known| known.name == *subject);
    match (subject.subject(), version) {
        (SubjectId::ParkingLot012 | SubjectId::ParkingLot013, Some(known)) => {
            format!("parking_lot {}", known.version)
        }
        (_, Some(known)) if subject.tuning().is_empty() => format!("{subject} {}", known.version),
        _ => subject.to_string(),
    }
}

/// An empty table. Its width does not depend on the terminal: a wrapped row cannot be compared.
pub(crate) fn new_table() -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table
}

/// Figures to the right; the first column holds names.
pub(crate) fn align_right(table: &mut Table) {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}
