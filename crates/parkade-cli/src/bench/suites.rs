//! Tables of the published benchmarks, in their own units.

use std::fmt::Write;

use comfy_table::Table;
use parkade_bench::report::{Report, ScenarioReport};
use parkade_bench::sides::Access;
use parkade_bench::stats::ScenarioSummary;
use parkade_bench::subject::LockKind;
use parkade_bench::suites::article::{self, Figure};
use parkade_bench::suites::parking_lot::Kilohertz;
use parkade_bench::suites::{Suite, lock_bench, parking_lot};
use parkade_bench::variant::Variant;

use super::format::{duration, or_dash, ratio};
use super::keyed;
use super::table::{align_right, body, heading, label, new_table, section};

/// The whole report of a suite.
pub(crate) fn report(suite: Suite, report: &Report) -> String {
    let mut text = heading(report);
    if let Suite::Keyed | Suite::Semaphore | Suite::Async = suite {
        if !report.cases.is_empty() {
            let _ = writeln!(text, "\n{}", keyed::cases(report));
        }
        text.push_str(&body(report));
        return text;
    }
    for scenario in &report.scenarios {
        text.push_str(&match suite {
            Suite::Article => section(report, scenario),
            Suite::LockBench => lock_bench_section(report, scenario),
            Suite::ParkingLot => parking_lot_section(report, scenario),
            Suite::Keyed | Suite::Semaphore | Suite::Async => {
                unreachable!("they have the body of any report")
            }
        });
    }
    if suite == Suite::Article {
        text.push_str(&findings(report));
    }
    text
}

fn findings(report: &Report) -> String {
    let ours: Vec<&Variant> =
        report.subjects.iter().map(|known| &known.name).filter(|name| !name.is_rival()).collect();
    let mut table = new_table();
    let head = ["the article's finding", "published", "here: std against parking_lot 0.12"];
    let parkade = ours.iter().map(|name| format!("here: std against {name}"));
    table.set_header(head.into_iter().map(String::from).chain(parkade));
    for finding in article::findings(&report.scenarios, &ours) {
        let row =
            [finding.what.to_owned(), finding.published.to_owned(), or_dash(finding.here, figure)];
        table.add_row(row.into_iter().chain(finding.parkade.iter().map(|f| or_dash(*f, figure))));
    }
    align_right(&mut table);
    format!("\nWhat the article found\n{table}\n")
}

fn figure(figure: Figure) -> String {
    match figure {
        Figure::Pair(std, other) => {
            format!("{:.1} % and {:.1} %", std * 100.0, other * 100.0)
        }
        Figure::Times(times) => ratio(times),
        Figure::Gain(gain) => format!("{:+.1} %", gain * 100.0),
    }
}

fn lock_bench_section(report: &Report, scenario: &ScenarioReport) -> String {
    let ops = report.settings.ops_per_thread.unwrap_or(u64::MAX);
    let mut table = new_table();
    table.set_header(["lock", "avg", "min", "max", "unfinished"]);
    for cell in &scenario.cells {
        let Some(times) = lock_bench::times(cell, ops) else {
            continue;
        };
        let millis = |value: f64| format!("{value:.2} ms");
        table.add_row([
            label(report, &cell.subject),
            millis(times.avg_ms),
            millis(times.min_ms),
            millis(times.max_ms),
            if times.unfinished == 0 { String::new() } else { times.unfinished.to_string() },
        ]);
    }
    align_right(&mut table);
    let mut text = format!("\n{}  ({})\n", scenario.name, scenario.description);
    let _ = writeln!(text, "{table}");
    text
}

fn parking_lot_section(report: &Report, scenario: &ScenarioReport) -> String {
    let mut table = match scenario.kind {
        LockKind::Rwlock => sides(report, scenario),
        _ => alike(report, scenario),
    };
    align_right(&mut table);
    let mut text = format!("\n{}; per thread:\n", scenario.description);
    let _ = writeln!(text, "{table}");
    text
}

fn kilohertz(rates: Option<Kilohertz>, of: fn(Kilohertz) -> f64) -> String {
    or_dash(rates, |rates| format!("{:.1} kHz", of(rates)))
}

/// All threads do the same.
fn alike(report: &Report, scenario: &ScenarioReport) -> Table {
    let mut table = new_table();
    table.set_header(["lock", "average", "median", "std. dev.", "all threads"]);
    for cell in &scenario.cells {
        let rates = parking_lot::kilohertz(cell, |round| Some(&round.per_thread));
        table.add_row([
            label(report, &cell.subject),
            kilohertz(rates, |r| r.average),
            kilohertz(rates, |r| r.median),
            kilohertz(rates, |r| r.stddev),
            kilohertz(rates, |r| r.together),
        ]);
    }
    table
}

/// Some write, some read. That benchmark does not show how long somebody waits, but a side that
/// is fast because it starves the other must not look good.
fn sides(report: &Report, scenario: &ScenarioReport) -> Table {
    let mut table = new_table();
    let head = |access: Access| {
        let doers = access.doers();
        [doers.into(), "std. dev.".into(), format!("all {doers}"), "longest wait".into()]
    };
    let sides = [Access::Write, Access::Read];
    table.set_header(std::iter::once("lock".to_owned()).chain(sides.into_iter().flat_map(head)));
    let summary = ScenarioSummary::of(scenario);
    for (cell, summary) in scenario.cells.iter().zip(&summary.cells) {
        let figures = |access: Access| {
            let rates = parking_lot::kilohertz(cell, |r| Some(&r.side(access)?.per_thread));
            let waits = summary.sides.of(access).and_then(|side| side.waits);
            [
                kilohertz(rates, |r| r.average),
                kilohertz(rates, |r| r.stddev),
                kilohertz(rates, |r| r.together),
                or_dash(waits, |waits| duration(waits.max)),
            ]
        };
        let row = sides.into_iter().flat_map(figures);
        table.add_row(std::iter::once(label(report, &cell.subject)).chain(row));
    }
    table
}
