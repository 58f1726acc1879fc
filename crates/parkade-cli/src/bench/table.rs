//! Tables for the terminal.

use std::fmt::Write;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Cell, CellAlignment, Table};
use parkade_bench::report::{Report, ScenarioReport, SubjectVersion};
use parkade_bench::scenario;
use parkade_bench::stats::{
    CellSummary, MarkResult, Measure, Overall, ScenarioSummary, SideSummary, Verdict, WaitSummary,
};
use parkade_bench::subject::{LockKind, SubjectId};
use parkade_bench::suites::Suite;
use parkade_bench::variant::{Variant, settings};

use super::format::{duration, or_dash, per_op, percent, rate, ratio};
use super::{keyed, tasks};

/// Scenarios and locks by name.
pub(crate) fn list() -> String {
    let mut text = String::new();
    for &kind in LockKind::ALL {
        let _ = writeln!(text, "Scenarios of --kind {kind}:");
        for scenario in scenario::catalogue(kind) {
            let _ = writeln!(text, "  {:<16} {}", scenario.name, scenario.describe());
        }
        text.push('\n');
    }
    text.push_str("Locks:\n");
    for &id in SubjectId::ALL {
        let kinds = LockKind::ALL.iter().filter(|&&kind| id.has(kind));
        let kinds: Vec<_> = kinds.map(|kind| kind.name()).collect();
        let _ = writeln!(text, "  {id:<20} {}: {}", id.version(), kinds.join(", "));
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
    heading(report) + &body(report)
}

/// Everything but the heading.
pub(crate) fn body(report: &Report) -> String {
    let mut text = String::new();
    for scenario in &report.scenarios {
        text.push_str(&section(report, scenario));
    }
    match &report.verdicts[..] {
        [] => {}
        [only] => text.push_str(&marks(only, whose_waits(report))),
        several => {
            // Locks that differ in more than a value of a setting have their marks shown each.
            let (own, swept): (Vec<&Verdict>, Vec<&Verdict>) =
                several.iter().partition(|verdict| verdict.subject.tuning().is_empty());
            own.iter().for_each(|verdict| text.push_str(&marks(verdict, whose_waits(report))));
            if !swept.is_empty() {
                text.push_str(&comparison(several));
            }
        }
    }
    if !report.key_memory.is_empty() {
        let _ = writeln!(text, "\n{}", keyed::memory(report));
    }
    if !report.task_costs.is_empty() {
        for sheet in tasks::sheets(report) {
            let _ = writeln!(text, "\n{sheet}");
        }
    }
    text
}

/// Where and how the figures came about.
pub(crate) fn heading(report: &Report) -> String {
    let machine = &report.machine;
    let noise = if report.settings.noise { ", an unrelated busy process beside it" } else { "" };
    let mut text = format!(
        "{} processors, {}, {} {}; medians of {} rounds{noise}\n",
        machine.cpus, machine.cpu_model, machine.system, machine.kernel, report.settings.rounds,
    );
    for (subject, note) in notes(report) {
        let _ = writeln!(text, "  {subject}: {note}");
    }
    text
}

/// What has to be said of the locks beside the figures.
pub(crate) fn notes(report: &Report) -> impl Iterator<Item = (SubjectId, &'static str)> {
    let kind = report.scenarios.first().map(|scenario| scenario.kind).unwrap_or_default();
    let note = move |known: &SubjectVersion| {
        let subject = known.name.subject();
        Some((subject, subject.note(kind)?))
    };
    report.subjects.iter().filter_map(note)
}

/// One scenario.
pub(crate) fn section(report: &Report, scenario: &ScenarioReport) -> String {
    let summary = ScenarioSummary::of(scenario);
    let mut text = format!("\n{}  ({})\n", scenario.name, scenario.description);
    let columns = match (scenario.kind, scenario.threads) {
        (LockKind::Rwlock, 1) => RW_ALONE,
        (LockKind::Rwlock, _) => RW_CONTENDED,
        (_, 1) => ALONE,
        (LockKind::Async, _) => ASYNC_CONTENDED,
        (_, _) => CONTENDED,
    };
    let mut table = new_table();
    table.set_header(std::iter::once("lock").chain(columns.iter().map(|column| column.0)));
    for cell in &summary.cells {
        let figures = columns.iter().map(|column| column.1(cell));
        let row = std::iter::once(label(report, &cell.subject)).chain(figures);
        table.add_row(row.map(Cell::new));
    }
    align_right(&mut table);
    let _ = writeln!(text, "{table}");
    text.push_str(&footnotes(&summary));
    text
}

/// A column: its head and what stands in it.
type Column = (&'static str, fn(&CellSummary) -> String);

const TIME: Column = ("ns/op", |c| format!("{:.2}", 1e9 / c.ops_per_sec));
const RATE: Column = ("ops/s", |c| rate(c.ops_per_sec));
const VS_BEST: Column = ("vs best", |c| or_dash(c.ratios.throughput, ratio));
const READS: Column = ("reads/s", |c| or_dash(c.sides.read, |side| rate(side.ops_per_sec)));
const WRITES: Column = ("writes/s", |c| or_dash(c.sides.write, |side| rate(side.ops_per_sec)));
const THREADS: Column =
    ("thread min..max", |c| format!("{} .. {}", rate(c.slowest), rate(c.fastest)));
const TASKS: Column = ("task min..max", THREADS.1);
const SPREAD: Column = ("spread", |c| percent(c.spread));
const CPU: Column = ("cpu/op", |c| or_dash(c.cpu_ns, duration));
const SWITCHES: Column = ("csw/op", |c| or_dash(c.switches, per_op));
const P50: Column = ("wait p50", |c| wait(c.waits, |w| w.p50));
const P99: Column = ("p99", |c| wait(c.waits, |w| w.p99));
const P999: Column = ("p99.9", |c| wait(c.waits, |w| w.p999));
const MAX: Column = ("max", |c| wait(c.waits, |w| w.max));
const READ_P99: Column = ("read wait p99", |c| side_wait(c.sides.read, |w| w.p99));
const READ_MAX: Column = ("max", |c| side_wait(c.sides.read, |w| w.max));
const WRITE_P99: Column = ("write wait p99", |c| side_wait(c.sides.write, |w| w.p99));
const WRITE_MAX: Column = ("max", |c| side_wait(c.sides.write, |w| w.max));
const VS_FAIREST: Column = ("vs fairest", |c| or_dash(c.ratios.wait, ratio));

const ALONE: &[Column] = &[TIME, RATE, VS_BEST, CPU, SWITCHES];
const RW_ALONE: &[Column] = &[TIME, RATE, VS_BEST, READS, WRITES, CPU, SWITCHES];
const CONTENDED: &[Column] =
    &[RATE, VS_BEST, THREADS, SPREAD, CPU, SWITCHES, P50, P99, P999, MAX, VS_FAIREST];
const ASYNC_CONTENDED: &[Column] =
    &[RATE, VS_BEST, TASKS, SPREAD, CPU, SWITCHES, P50, P99, P999, MAX, VS_FAIREST];
const RW_CONTENDED: &[Column] = &[
    RATE, VS_BEST, READS, WRITES, THREADS, SPREAD, CPU, SWITCHES, READ_P99, READ_MAX, WRITE_P99,
    WRITE_MAX, VS_FAIREST,
];

fn wait(waits: Option<WaitSummary>, of: fn(WaitSummary) -> f64) -> String {
    or_dash(waits.map(of), duration)
}

fn side_wait(side: Option<SideSummary>, of: fn(WaitSummary) -> f64) -> String {
    wait(side.and_then(|side| side.waits), of)
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
    if let Some(coarse) = summary.best_coarse {
        let _ = writeln!(text, "  judged apart, because it locks other keys too: {coarse}");
    }
    if !summary.disregarded.is_empty() {
        let names: Vec<_> = summary.disregarded.iter().map(ToString::to_string).collect();
        let _ = writeln!(text, "  not counted, because they starve the hog: {}", names.join(", "));
    }
    text
}

/// Whose longest waits are compared, where that has to be said.
pub(crate) fn whose_waits(report: &Report) -> &'static str {
    match report.scenarios.first().map(|scenario| scenario.kind) {
        Some(LockKind::Rwlock) => "longest wait: the writers'; ",
        Some(_) | None => "",
    }
}

/// What is judged over all scenarios together.
fn over_all(verdict: &Verdict) -> Table {
    let mut table = new_table();
    table.set_header(["over all", "reached", "mark", "", "scenarios", "worst"]);
    for overall in &verdict.overall {
        table.add_row([
            overall.measure.name().to_owned(),
            figure_of(overall.measure, overall.value),
            mark_of(overall),
            outcome(overall.mark.map(|_| overall.reached)).into(),
            overall.scenarios.to_string(),
            format!("{} ({})", figure_of(overall.measure, overall.worst_value), overall.worst),
        ]);
    }
    align_right(&mut table);
    table
}

fn marks(verdict: &Verdict, whose_waits: &str) -> String {
    let mut table = new_table();
    let mut head = vec![
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
    ];
    let coarse = verdict.results.iter().any(|result| result.mark.coarse.is_some());
    if coarse {
        head.extend(["to coarse", "mark", "", "which locks other keys too"]);
    }
    table.set_header(head);
    for result in &verdict.results {
        let mut row = mark_row(result);
        if coarse {
            row.extend(coarse_marks(result));
        }
        table.add_row(row);
    }
    align_right(&mut table);
    let name = match verdict.subject.subject() {
        SubjectId::Parkade => "Parkade",
        other => other.name(),
    };
    let mut text = format!(
        "\n{name} in parts of the best and the fairest rival ({whose_waits}cpu/op: of the best rival; csw/op: of \
         parking_lot 0.13)\n{table}\n"
    );
    if !verdict.overall.is_empty() {
        let _ = writeln!(text, "{}", over_all(verdict));
    }
    for (what, missed) in [
        ("throughput", verdict.throughput_missed()),
        ("throughput beside who locks other keys too", verdict.coarse_missed()),
        ("longest wait", verdict.waits_missed()),
    ] {
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

/// The mark of a figure over several scenarios.
pub(crate) fn mark_of(overall: &Overall) -> String {
    let sign = if overall.measure.is_gain() { ">=" } else { "<=" };
    or_dash(overall.mark, |mark| format!("{sign} {}", figure_of(overall.measure, mark)))
}

/// The figures beside rivals that lock other keys too.
fn coarse_marks(result: &MarkResult) -> [String; 4] {
    let judged = result.coarse.and(result.mark.coarse);
    [
        or_dash(result.coarse, ratio),
        or_dash(result.mark.coarse, |mark| format!(">= {}", ratio(mark))),
        outcome(judged.map(|_| result.coarse_reached())).into(),
        or_dash(result.best_coarse, |rival| rival.to_string()),
    ]
}

/// Whether a mark is reached, in a word.
pub(crate) fn outcome(reached: Option<bool>) -> &'static str {
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
