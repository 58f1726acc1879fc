//! The report as one page: no script, no network, light and dark.

use std::fmt::Write;

use parkade_bench::report::{Cell, Report, ScenarioReport};
use parkade_bench::scenario::Role;
use parkade_bench::sides::Access;
use parkade_bench::stats::{CellSummary, MarkResult, Measure, Overall, ScenarioSummary, Verdict};
use parkade_bench::subject::LockKind;
use parkade_bench::waits::QuantilePoint;

use super::chart::{self, Axis, Kind, Look, Looks, Panel, Series, Theme};
use super::format::{duration, or_dash, per_op, percent, rate, ratio};
use super::keyed;
use super::scatter::HOW_TO_READ;
use super::sheet::Sheet;
use super::table::{figure_of, mark_of, notes, whose_waits};
use super::tasks;

/// The page.
pub(crate) fn render(report: &Report) -> String {
    let mut page =
        String::from("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    page.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    let _ = writeln!(page, "<title>Parkade bench: {}</title>", escape(&report.kind));
    let looks = Looks::of(report);
    let charts = looks.css(Theme::Variables);
    let _ =
        writeln!(page, "<style>\n{charts}{}</style>\n</head>\n<body>", include_str!("style.css"));
    page.push_str(&head(report, &looks));
    match &report.verdicts[..] {
        [only] => {
            let _ = writeln!(page, "<h2>Against the best and the fairest rival</h2>");
            page.push_str(&marks(only, report));
        }
        several => page.push_str(&comparison(several, report)),
    }
    if !report.cases.is_empty() {
        page.push_str(&sheet(&keyed::cases(report)));
    }
    if !report.key_memory.is_empty() {
        page.push_str(&sheet(&keyed::memory(report)));
    }
    if !report.task_costs.is_empty() {
        tasks::sheets(report).iter().for_each(|one| page.push_str(&sheet(one)));
    }
    let summaries: Vec<(&ScenarioReport, ScenarioSummary)> =
        report.scenarios.iter().map(|s| (s, ScenarioSummary::of(s))).collect();
    page.push_str(&overview(&summaries, &looks));
    page.push_str(&scatter(&summaries, &looks));
    page.push_str(&scaling(&summaries, &looks));
    for (scenario, summary) in &summaries {
        page.push_str(&section(scenario, summary, &looks));
    }
    page.push_str("</body>\n</html>\n");
    page
}

fn head(report: &Report, looks: &Looks) -> String {
    let (machine, settings) = (&report.machine, &report.settings);
    let mut text = format!("<h1>Parkade bench: {}</h1>\n", escape(&report.kind));
    let time = match settings.ops_per_thread {
        Some(ops) => format!("{ops} operations per thread"),
        None => format!("{} s", settings.secs),
    };
    let noise = if settings.noise { ", an unrelated busy process beside it" } else { "" };
    let _ = writeln!(
        text,
        "<p class=\"faint\">{} processors ({}), {} {}; {} rounds of {time} for each lock and \
         scenario, interleaved{noise}; figures are medians of rounds. Waits by {}.</p>",
        machine.cpus,
        escape(&machine.cpu_model),
        escape(&machine.system),
        escape(&machine.kernel),
        settings.rounds,
        escape(&machine.clock),
    );
    for (subject, note) in notes(report) {
        let note = escape(note);
        let _ = writeln!(text, "<p class=\"faint\">{subject}: {note}.</p>");
    }
    text.push_str("<div class=\"legend\">");
    for look in looks.iter() {
        let _ = write!(text, "<span>{}{}</span>", chart::symbol(look), escape(&look.name));
    }
    text.push_str("</div>\n");
    text
}

fn sheet(sheet: &Sheet) -> String {
    let head: String = sheet.head.iter().map(|head| format!("<th>{}</th>", escape(head))).collect();
    let cell = |(text, mark): &(String, Option<bool>)| {
        let class = mark.map_or("", |reached| if reached { GOOD } else { BAD });
        format!("<td class=\"{class}\">{}</td>", escape(text))
    };
    let row = |row: &Vec<_>| format!("<tr>{}</tr>\n", row.iter().map(cell).collect::<String>());
    let note = |note: &String| format!("<p class=\"faint\">{}.</p>\n", escape(note));
    format!(
        "<h2>{}</h2>\n<div class=\"scroll\"><table>\n<tr>{head}</tr>\n{}</table></div>\n{}",
        escape(&sheet.title),
        sheet.rows.iter().map(row).collect::<String>(),
        sheet.notes.iter().map(note).collect::<String>(),
    )
}

const GOOD: &str = "good";
const BAD: &str = "bad";

/// Several sets of settings side by side.
fn comparison(verdicts: &[Verdict], report: &Report) -> String {
    if verdicts.is_empty() {
        return String::new();
    }
    let mut text = String::from(
        "<h2>The settings side by side</h2>\n<div class=\"scroll\"><table>\n<tr><th>lock</th>",
    );
    for measure in Measure::ALL {
        let (name, about) = (measure.short_name(), measure.name());
        let overall = verdicts.iter().find_map(|verdict| verdict.overall(measure));
        let mark = escape(&or_dash(overall, mark_of));
        let _ = write!(text, "<th title=\"{about}\">{name}<br>{mark}</th>");
    }
    text.push_str("<th>throughput marks</th><th>wait marks</th></tr>\n");
    for verdict in verdicts {
        let _ = write!(text, "<tr><td>{}</td>", escape(&verdict.subject.to_string()));
        for measure in Measure::ALL {
            let class = verdict.overall(measure).map_or("", reached);
            let figure = or_dash(verdict.overall(measure), |o| figure_of(measure, o.value));
            let _ = write!(text, "<td class=\"{class}\">{figure}</td>");
        }
        let (all, fast) = (verdict.results.len(), verdict.throughput_missed().len());
        let (waits, fair) = (verdict.judged_waits(), verdict.waits_missed().len());
        let _ = writeln!(
            text,
            "<td>{} of {all}</td><td>{} of {waits}</td></tr>",
            all - fast,
            waits - fair
        );
    }
    text.push_str("</table></div>\n");
    for verdict in verdicts {
        let name = escape(&verdict.subject.to_string());
        let _ = writeln!(
            text,
            "<details><summary>{name}</summary>\n{}</details>",
            marks(verdict, report)
        );
    }
    text
}

fn reached(overall: &Overall) -> &'static str {
    match overall.mark {
        None => "",
        Some(_) if overall.reached => GOOD,
        Some(_) => BAD,
    }
}

fn marks(verdict: &Verdict, report: &Report) -> String {
    let mut text = format!(
        "<p>The fairest rival has the shortest longest wait among those with at least half of the \
         best rival's throughput ({}cpu/op and switches/op: lower is better).</p>\n\
         <div class=\"scroll\"><table>\n<tr><th>over all</th>\
         <th>reached</th><th>mark</th><th>scenarios</th><th>worst</th></tr>\n",
        whose_waits(report),
    );
    for overall in &verdict.overall {
        let _ = writeln!(
            text,
            "<tr><td>{}</td><td class=\"{}\">{}</td><td>{}</td><td>{}</td><td>{} ({})</td></tr>",
            overall.measure.name(),
            reached(overall),
            figure_of(overall.measure, overall.value),
            escape(&mark_of(overall)),
            overall.scenarios,
            figure_of(overall.measure, overall.worst_value),
            escape(&overall.worst),
        );
    }
    text.push_str(
        "</table></div>\n<div class=\"scroll\"><table>\n<tr><th>scenario</th><th>throughput</th>\
         <th>mark</th><th>best rival</th><th>longest wait</th><th>mark</th><th>fairest rival</th>\
         <th>cpu/op to best rival's</th><th>to least</th><th>switches/op to pl-0.13's</th>\
         <th>spread</th>",
    );
    let coarse = verdict.results.iter().any(|result| result.mark.coarse.is_some());
    if coarse {
        text.push_str("<th>to who locks other keys too</th><th>mark</th>");
    }
    text.push_str("</tr>\n");
    for result in &verdict.results {
        let hog = if result.starves_hog { " (starves the hog)" } else { "" };
        let _ = writeln!(
            text,
            "<tr><td>{}</td><td class=\"{}\">{}{hog}</td><td>&ge; {}</td><td>{}</td>\
             <td class=\"{}\">{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>\
             <td>{}</td>{}</tr>",
            escape(&result.scenario),
            if result.throughput_reached() { GOOD } else { BAD },
            ratio(result.throughput),
            ratio(result.mark.throughput),
            result.best_rival,
            if result.wait_reached() { GOOD } else { BAD },
            or_dash(result.wait, ratio),
            or_dash(result.mark.wait, |mark| format!("&le; {}", ratio(mark))),
            or_dash(result.fairest_rival, |rival| rival.to_string()),
            or_dash(result.cpu, ratio),
            or_dash(result.cpu_least, ratio),
            or_dash(result.switches, ratio),
            percent(result.spread),
            if coarse { coarse_marks(result) } else { String::new() },
        );
    }
    text.push_str("</table></div>\n");
    text
}

fn coarse_marks(result: &MarkResult) -> String {
    format!(
        "<td class=\"{}\">{}</td><td>{}</td>",
        if result.coarse_reached() { GOOD } else { BAD },
        or_dash(result.coarse, ratio),
        or_dash(result.mark.coarse, |mark| format!("&ge; {}", ratio(mark))),
    )
}

/// Throughput against the longest wait, a picture for each scenario.
fn scatter(summaries: &[(&ScenarioReport, ScenarioSummary)], looks: &Looks) -> String {
    let panels: Vec<Panel<'_>> = summaries
        .iter()
        .filter_map(|(scenario, summary)| Panel::new(scenario, summary, looks))
        .collect();
    if panels.is_empty() {
        return String::new();
    }
    let mut text = format!(
        "<h2>Throughput and longest wait</h2>\n<p>{}</p>\n<svg class=\"sizes\" \
         viewBox=\"0 0 320 28\">{}</svg>\n<div class=\"charts\">\n",
        escape(HOW_TO_READ),
        chart::size_key(),
    );
    for panel in panels {
        let name = escape(&panel.scenario.name);
        let title = format!("<a href=\"#{name}\">{name}</a>");
        text.push_str(&figure(&title, &panel.document().to_string()));
    }
    text.push_str("</div>\n");
    text
}

fn overview(summaries: &[(&ScenarioReport, ScenarioSummary)], looks: &Looks) -> String {
    let rows: Vec<(&str, Vec<(&Look, f64)>)> = summaries
        .iter()
        .map(|(scenario, summary)| {
            let look = |c: &CellSummary| Some((looks.get(&c.subject), c.ratios.throughput?));
            let ratios = summary.cells.iter().filter_map(look);
            (&*scenario.name, ratios.collect::<Vec<_>>())
        })
        .filter(|(_, ratios)| !ratios.is_empty())
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    format!(
        "<h2>Throughput in parts of the best rival's</h2>\n<figure>{}</figure>\n",
        chart::ratios(&rows, ratio)
    )
}

const THREADS: Axis =
    Axis { title: "threads", kind: Kind::Log, write: |threads| format!("{threads:.0}") };
const THROUGHPUT: Axis = Axis { title: "operations per second", kind: Kind::Log, write: rate };
const LONGEST: Axis = Axis { title: "longest wait", kind: Kind::Log, write: duration };
const FAIRNESS: Axis =
    Axis { title: "slowest thread in parts of the fastest", kind: Kind::Linear, write: percent };

/// Throughput, fairness and waits by threads, for every workload measured with at least three
/// numbers of threads.
fn scaling(summaries: &[(&ScenarioReport, ScenarioSummary)], looks: &Looks) -> String {
    let mut families: Vec<(&str, Vec<usize>)> = Vec::new();
    for (index, (scenario, _)) in summaries.iter().enumerate() {
        let Some((base, _)) = scenario.name.rsplit_once('-') else {
            continue;
        };
        match families.iter_mut().find(|(known, _)| *known == base) {
            Some((_, members)) => members.push(index),
            None => families.push((base, vec![index])),
        }
    }
    let mut text = String::new();
    for (base, mut members) in families {
        members.sort_by_key(|&index| summaries[index].0.threads);
        members.dedup_by_key(|index| summaries[*index].0.threads);
        if members.len() < 3 {
            continue;
        }
        let ticks: Vec<f64> = members.iter().map(|&i| f64::from(summaries[i].0.threads)).collect();
        let series = |of: fn(&CellSummary) -> Option<f64>| -> Vec<Series<'_>> {
            let subjects = summaries[members[0]].1.cells.iter().map(|cell| &cell.subject);
            subjects
                .map(|subject| {
                    let point = |&index: &usize| {
                        let (scenario, summary) = &summaries[index];
                        Some((f64::from(scenario.threads), of(summary.cell(subject.clone())?)?))
                    };
                    let points = members.iter().filter_map(point).collect();
                    Series { look: looks.get(subject), points }
                })
                .collect()
        };
        let _ =
            writeln!(text, "<h2>Scaling by threads: {}</h2>\n<div class=\"charts\">", escape(base));
        let throughput = series(|cell| Some(cell.ops_per_sec));
        text.push_str(&figure(
            "Throughput",
            &chart::lines(THREADS, THROUGHPUT, &throughput, &ticks),
        ));
        let longest = series(|cell| cell.compared_waits().map(|waits| waits.max));
        text.push_str(&figure("Longest wait", &chart::lines(THREADS, LONGEST, &longest, &ticks)));
        let fairness = series(|cell| Some(cell.share));
        text.push_str(&figure("Fairness", &chart::lines(THREADS, FAIRNESS, &fairness, &ticks)));
        text.push_str("</div>\n");
    }
    text
}

fn section(scenario: &ScenarioReport, summary: &ScenarioSummary, looks: &Looks) -> String {
    let role = if scenario.role == Role::Scaling { ", for the scaling curve" } else { "" };
    let mut text = format!(
        "<h2 id=\"{0}\">{0}</h2>\n<p class=\"faint\">{1}{role}</p>\n<div class=\"charts\">\n",
        escape(&scenario.name),
        escape(&scenario.description),
    );
    if scenario.threads > 1 {
        text.push_str(&contended_charts(scenario, summary, looks));
    } else {
        let cost = |cell: &CellSummary| (looks.get(&cell.subject), 1e9 / cell.ops_per_sec);
        let costs: Vec<_> = summary.cells.iter().map(cost).collect();
        let _ = writeln!(
            text,
            "<figure class=\"small\"><figcaption>Time per lock and unlock</figcaption>{}</figure>",
            chart::bars(&costs, duration),
        );
    }
    text.push_str("</div>\n");
    text.push_str(&table(summary, looks));
    text
}

fn contended_charts(scenario: &ScenarioReport, summary: &ScenarioSummary, looks: &Looks) -> String {
    let point = |cell: &CellSummary| (cell.ops_per_sec, cell.share);
    let fairness: Vec<Series<'_>> = summary
        .cells
        .iter()
        .map(|cell| Series { look: looks.get(&cell.subject), points: vec![point(cell)] })
        .collect();
    let mut text = figure(
        "Throughput and fairness (best: top right)",
        &chart::scatter(THROUGHPUT, FAIRNESS, &fairness),
    );
    match scenario.kind {
        LockKind::Rwlock => {
            for access in Access::ALL {
                let title = format!("Waits of {}", access.doers());
                text.push_str(&waits(&title, scenario, looks, |cell| {
                    cell.side_quantiles.of(access).as_ref()
                }));
            }
        }
        _ => text.push_str(&waits("Waits", scenario, looks, |c| Some(&c.wait_quantiles))),
    }
    text
}

/// The distribution of waits of every lock that has any.
fn waits(
    title: &str,
    scenario: &ScenarioReport,
    looks: &Looks,
    quantiles: impl Fn(&Cell) -> Option<&Vec<QuantilePoint>>,
) -> String {
    // 1 / (1 - quantile): every nine more has the same length on a logarithmic axis.
    let rarity = |quantile: f64| 1.0 / (1.0 - quantile);
    let series = |cell| {
        let points = quantiles(cell)?.iter().filter(|point| point.quantile >= 0.5);
        let points = points.map(|point| (rarity(point.quantile), point.ns.max(1) as f64)).collect();
        Some(Series { look: looks.get(&cell.subject), points })
    };
    let waits: Vec<Series<'_>> = scenario
        .cells
        .iter()
        .filter_map(series)
        .filter(|series| !series.points.is_empty())
        .collect();
    if waits.is_empty() {
        return String::new();
    }
    let most = waits.iter().flat_map(|s| &s.points).map(|p| p.0).fold(0.0, f64::max);
    let ticks: Vec<f64> = [0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999]
        .into_iter()
        .map(rarity)
        .filter(|tick| *tick <= most * 1.01)
        .collect();
    figure(title, &chart::lines(PERCENTILE, WAIT, &waits, &ticks))
}

const WAIT: Axis = Axis { title: "wait", kind: Kind::Log, write: duration };
const PERCENTILE: Axis = Axis {
    title: "percentile",
    kind: Kind::Log,
    write: |rarity| {
        let percent = (1.0 - 1.0 / rarity) * 100.0;
        let text = format!("p{percent:.3}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    },
};

fn figure(title: &str, svg: &str) -> String {
    format!("<figure><figcaption>{title}</figcaption>{svg}</figure>\n")
}

fn table(summary: &ScenarioSummary, looks: &Looks) -> String {
    let hog = summary.cells.iter().any(|cell| cell.hog.is_some());
    let mut text = String::from(
        "<div class=\"scroll\"><table>\n<tr><th>lock</th><th>ops/s</th><th>vs best</th>\
         <th>slowest thread</th><th>fastest</th><th>spread</th><th>cpu/op</th><th>switches/op</th>\
         <th>wait p50</th><th>p99</th><th>p99.9</th><th>longest</th><th>vs fairest</th><th>of all rounds</th>",
    );
    let sides: Vec<Access> = Access::ALL
        .into_iter()
        .filter(|&access| summary.cells.iter().any(|cell| cell.sides.of(access).is_some()))
        .collect();
    for access in &sides {
        let doers = access.doers();
        let _ = write!(
            text,
            "<th>{doers}' ops/s</th><th>their slowest thread</th><th>fastest</th>\
             <th>longest wait of {doers}</th>"
        );
    }
    if hog {
        text.push_str("<th>hog ops/s</th><th>hog's share of time</th>");
    }
    text.push_str("</tr>\n");
    for cell in &summary.cells {
        let wait = |of: fn(&parkade_bench::stats::WaitSummary) -> f64| {
            or_dash(cell.waits.as_ref().map(of), duration)
        };
        let look = looks.get(&cell.subject);
        let mut row = vec![
            escape(&look.name),
            rate(cell.ops_per_sec),
            or_dash(cell.ratios.throughput, ratio),
            rate(cell.slowest),
            rate(cell.fastest),
            percent(cell.spread),
            or_dash(cell.cpu_ns, duration),
            or_dash(cell.switches, per_op),
            wait(|w| w.p50),
            wait(|w| w.p99),
            wait(|w| w.p999),
            wait(|w| w.max),
            or_dash(cell.ratios.wait, ratio),
            wait(|w| w.max_of_all),
        ];
        for &access in &sides {
            let side = *cell.sides.of(access);
            row.push(or_dash(side, |side| rate(side.ops_per_sec)));
            row.push(or_dash(side, |side| rate(side.slowest)));
            row.push(or_dash(side, |side| rate(side.fastest)));
            row.push(or_dash(side.and_then(|side| side.waits), |w| duration(w.max)));
        }
        if hog {
            row.push(or_dash(cell.hog, |hog| rate(hog.ops_per_sec)));
            row.push(or_dash(cell.hog, |hog| percent(hog.share)));
        }
        let _ =
            writeln!(text, "<tr class=\"{}\"><td>{}</td></tr>", look.class, row.join("</td><td>"));
    }
    text.push_str("</table></div>\n");
    text
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn markup_in_names_is_text() {
        assert_eq!(escape("a<b & \"c\">"), "a&lt;b &amp; &quot;c&quot;&gt;");
    }
}
