//! Figures for people.

use std::fmt::Write;

use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use parkade_sim::trust::{
    CLOSE_RIVALS, Comparison, Measured, Published, RIVALS, median, overall, overall_raw, pairs,
    repeatability,
};
use parkade_sim::{LockId, Machine};

use super::Report;

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(header.to_vec());
    table
}

/// What can be simulated.
pub(super) fn list() -> String {
    let mut text = String::from("scenarios:\n");
    for scenario in super::args::all_scenarios() {
        let _ = writeln!(text, "  {:14} {}", scenario.name, scenario.describe());
    }
    text.push_str("locks:\n");
    for lock in LockId::ALL {
        let _ = writeln!(text, "  {lock}");
    }
    text.push_str("machines:\n");
    for machine in Machine::names().filter_map(|name| Machine::stored(name).ok()) {
        let _ = writeln!(text, "  {:14} {}", machine.name, machine.description);
    }
    text
}

/// The runs.
pub(super) fn report(report: &Report) -> String {
    let header = [
        "scenario",
        "lock",
        "M ops/s",
        "min/max",
        "cpu ns/op",
        "switches/op",
        "wait p99 us",
        "longest ms",
    ];
    let mut table = table(&header);
    for cell in &report.cells {
        let outcome = &cell.outcome;
        table.add_row([
            cell.scenario.clone(),
            cell.lock.to_owned(),
            format!("{:.3}", outcome.ops_per_sec() / 1e6),
            format!("{:.2}", outcome.min_over_max()),
            format!("{:.0}", outcome.cpu_ns_per_op()),
            format!("{:.1e}", outcome.switches_per_op()),
            format!("{:.2}", outcome.waits.p99_ns as f64 / 1e3),
            format!("{:.3}", outcome.waits.max_ns as f64 / 1e6),
        ]);
    }
    table.to_string()
}

fn parts(parts: &[f64]) -> String {
    parts.iter().map(|part| format!("{part:.2}")).collect::<Vec<_>>().join(" ")
}

fn names(locks: &[LockId]) -> String {
    locks.iter().map(|lock| lock.name()).collect::<Vec<_>>().join(", ")
}

/// How the simulated rivals rank against the measured ones: by scenario for the first seed, in all for each.
pub(super) fn comparisons(measured: &Measured, by_seed: &[(u64, Vec<Comparison>)]) -> String {
    let mut each = table(&["scenario", "measured", "simulated", "correlation", "scale"]);
    for comparison in by_seed.first().map_or(&[][..], |(_, comparisons)| comparisons) {
        let (measured, simulated) = comparison.parts(RIVALS);
        each.add_row([
            comparison.scenario.clone(),
            parts(&measured),
            parts(&simulated),
            comparison.correlation(RIVALS).map_or("all tied".into(), |rho| format!("{rho:.2}")),
            format!("{:.2}", comparison.scale()),
        ]);
    }
    let mut text = format!("throughput as parts of the best of {}\n{each}", names(RIVALS));
    for rivals in [RIVALS, CLOSE_RIVALS] {
        let header = [
            "seed",
            "rank correlation",
            "the same, no ties",
            "Somers' D",
            "right",
            "wrong",
            "tied",
        ];
        let mut all = table(&header);
        let mut rows = [const { Vec::new() }; 3];
        for (seed, comparisons) in by_seed {
            let pairs = pairs(measured, comparisons, rivals);
            let figures = [
                overall(comparisons, rivals).unwrap_or(0.0),
                overall_raw(comparisons, rivals).unwrap_or(0.0),
                pairs.somers_d(),
            ];
            rows.iter_mut().zip(figures).for_each(|(row, figure)| row.push(figure));
            let mut row = vec![seed.to_string()];
            row.extend(figures.map(|figure| format!("{figure:.2}")));
            row.extend([pairs.right, pairs.wrong, pairs.tied].map(|count| count.to_string()));
            all.add_row(row);
        }
        let medians = rows.into_iter().map(|row| format!("{:.2}", median(row)));
        all.add_row(std::iter::once("median".to_owned()).chain(medians));
        let repeated =
            by_seed.first().map_or(0.0, |(_, all)| repeatability(measured, all, rivals, 1));
        let _ = write!(
            text,
            "\n{}; half of the measured rounds with the others: {repeated:.2}\n{all}",
            names(rivals)
        );
    }
    text
}

/// How the simulation compares with what others published.
pub(super) fn published(figures: &[(Published, f64)]) -> String {
    let header = ["source", "machine", "lock", "threads", "published", "simulated", "factor"];
    let mut table = table(&header);
    for (published, simulated) in figures {
        let unit = published.bench.unit();
        table.add_row([
            published.source.to_owned(),
            published.machine.to_owned(),
            published.lock.to_string(),
            published.threads.to_string(),
            format!("{:.1} {unit}", published.figure),
            format!("{simulated:.1}"),
            format!("{:.2}", published.factor(*simulated)),
        ]);
    }
    table.to_string()
}
