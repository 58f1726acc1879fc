//! Tables for the terminal.

use std::fmt::Write;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Cell, CellAlignment, Table};
use parkade_bench::report::{Report, ScenarioReport};
use parkade_bench::scenario;
use parkade_bench::stats::{CellSummary, MarkResult, ScenarioSummary, Verdict};
use parkade_bench::subject::SubjectId;
use parkade_bench::suites::Suite;

use super::format::{duration, or_dash, per_op, percent, rate, ratio};

/// Scenarios and locks by name.
pub(crate) fn list() -> String {
    let mut text = String::from("Scenarios:\n");
    for scenario in scenario::catalogue() {
        let _ = writeln!(text, "  {:<14} {}", scenario.name, scenario.describe());
    }
    text.push_str("\nLocks:\n");
    for &id in SubjectId::ALL {
        let _ = writeln!(text, "  {id:<17} {}", id.version());
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
    if let Some(verdict) = &report.verdict {
        text.push_str(&marks(verdict));
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
        let mut row = vec![label(report, cell.subject)];
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
];

fn alone_row(cell: &CellSummary) -> Vec<String> {
    vec![
        format!("{:.2}", 1e9 / cell.ops_per_sec),
        rate(cell.ops_per_sec),
        or_dash(cell.ratio, ratio),
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
        or_dash(cell.ratio, ratio),
        format!("{} .. {}", rate(cell.slowest), rate(cell.fastest)),
        percent(cell.spread),
        or_dash(cell.cpu_ns, duration),
        or_dash(cell.switches, per_op),
        wait(|w| w.p50),
        wait(|w| w.p99),
        wait(|w| w.p999),
        wait(|w| w.max),
    ]
}

fn footnotes(summary: &ScenarioSummary) -> String {
    let mut notes = Vec::new();
    if let Some(best) = summary.best_rival {
        notes.push(format!("best rival: {best}"));
    }
    if let Some(fairest) = summary.fairest_rival {
        let compared = summary
            .wait_ratio
            .map(|r| format!(" (parkade's longest wait is {} of it)", ratio(r)))
            .unwrap_or_default();
        notes.push(format!("fairest rival: {fairest}{compared}"));
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
        "mark",
        "",
        "fairest rival",
    ]);
    for result in &verdict.results {
        table.add_row(mark_row(result));
    }
    align_right(&mut table);
    let mut text = format!("\nParkade against the best and the fairest rival\n{table}\n");
    if let Some(mean) = verdict.geometric_mean {
        let _ = write!(text, "geometric mean of throughput {}", ratio(mean));
    }
    if let Some((name, least)) = &verdict.minimum {
        let _ = writeln!(text, ", least {} ({name})", ratio(*least));
    }
    text
}

fn mark_row(result: &MarkResult) -> Vec<String> {
    let outcome = |reached: Option<bool>| match reached {
        Some(true) => "ok",
        Some(false) => "MISS",
        None => "",
    };
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
        or_dash(result.mark.wait, |mark| format!("<= {}", ratio(mark))),
        outcome(wait.map(|_| result.wait_reached())).into(),
        or_dash(result.fairest_rival, |rival| rival.to_string()),
    ]
}

/// A lock with its version, where the name does not say it.
pub(crate) fn label(report: &Report, subject: SubjectId) -> String {
    let version = report.subjects.iter().find(|known| known.name == subject);
    match (subject, version) {
        (SubjectId::ParkingLot012 | SubjectId::ParkingLot013, Some(known)) => {
            format!("parking_lot {}", known.version)
        }
        (SubjectId::Pthread, Some(known)) => format!("pthread {}", known.version),
        (_, Some(known)) => format!("{subject} {}", known.version),
        (_, None) => subject.to_string(),
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
