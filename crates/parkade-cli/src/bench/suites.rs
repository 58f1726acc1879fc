//! Tables of the published benchmarks, in their own units.

use std::fmt::Write;

use parkade_bench::report::{Report, Round, ScenarioReport};
use parkade_bench::sides::Access;
use parkade_bench::subject::LockKind;
use parkade_bench::suites::article::{self, Figure};
use parkade_bench::suites::parking_lot::Kilohertz;
use parkade_bench::suites::{Suite, lock_bench, parking_lot};
use parkade_bench::variant::Variant;

use super::format::{or_dash, ratio};
use super::table::{align_right, heading, label, new_table, section};

/// The whole report of a suite.
pub(crate) fn report(suite: Suite, report: &Report) -> String {
    let mut text = heading(report);
    for scenario in &report.scenarios {
        text.push_str(&match suite {
            Suite::Article => section(report, scenario),
            Suite::LockBench => lock_bench_section(report, scenario),
            Suite::ParkingLot => parking_lot_section(report, scenario),
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
    let mut table = new_table();
    let lists: &[(&str, List)] = match scenario.kind {
        LockKind::Mutex => &[("", |round| Some(&round.per_thread))],
        LockKind::Rwlock => &[
            ("write: ", |round| Some(&round.side(Access::Write)?.per_thread)),
            ("read: ", |round| Some(&round.side(Access::Read)?.per_thread)),
        ],
    };
    let columns = |(side, _): &(&str, List)| {
        [format!("{side}average"), "median".into(), "std. dev.".into(), "all threads".into()]
    };
    table.set_header(std::iter::once("lock".into()).chain(lists.iter().flat_map(columns)));
    for cell in &scenario.cells {
        let figures = |(_, list): &(&str, List)| {
            let rates = parking_lot::kilohertz(cell, list);
            let write = |of: fn(Kilohertz) -> f64| or_dash(rates, |r| format!("{:.1} kHz", of(r)));
            [write(|r| r.average), write(|r| r.median), write(|r| r.stddev), write(|r| r.together)]
        };
        let row = lists.iter().flat_map(figures);
        table.add_row(std::iter::once(label(report, &cell.subject)).chain(row));
    }
    align_right(&mut table);
    let mut text = format!("\n{}; per thread:\n", scenario.description);
    let _ = writeln!(text, "{table}");
    text
}

/// The threads of a round which a group of columns is about.
type List = fn(&Round) -> Option<&Vec<u64>>;
