//! The comparison of std's mutex with parking_lot 0.12's in "Inside Rust's std and parking_lot
//! mutexes": short sections, long sections, bursts and a hog, with the operations of each thread
//! beside the throughput.

use crate::report::ScenarioReport;
use crate::scenario::{self, Scenario};
use crate::stats::{CellSummary, ScenarioSummary};
use crate::subject::SubjectId;
use crate::variant::Variant;

/// The suite's scenarios.
pub fn scenarios() -> Vec<Scenario> {
    ["short-4", "long-8", "burst-8", "hog-6"]
        .into_iter()
        .map(|name| scenario::find(name).expect("the catalogue has the article's scenarios"))
        .collect()
}

/// One finding of the article and what this run says about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What was compared.
    pub what: &'static str,
    /// The article's figure.
    pub published: &'static str,
    /// The same figure here: std against parking_lot 0.12. None if one of them was not measured.
    pub here: Option<Figure>,
    /// The same figure with Parkade in parking_lot's place, for each of its variants.
    pub parkade: Vec<Option<Figure>>,
}

/// A figure of a finding.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Figure {
    /// std's figure and the other lock's, both as parts of a whole.
    Pair(f64, f64),
    /// How many times as large one is as the other.
    Times(f64),
    /// How much larger one is than the other, as a part of the other.
    Gain(f64),
}

/// The article's findings, measured again; the `variants` are Parkade's.
pub fn findings(reports: &[ScenarioReport], variants: &[&Variant]) -> Vec<Finding> {
    let summaries: Vec<(&str, ScenarioSummary)> =
        reports.iter().map(|report| (&*report.name, ScenarioSummary::of(report))).collect();
    let finding =
        |what, published, scenario: &str, figure: fn(&CellSummary, &CellSummary) -> Figure| {
            let summary = summaries.iter().find(|(name, _)| *name == scenario).map(|(_, s)| s);
            let against = |other: Variant| {
                let summary = summary?;
                Some(figure(summary.cell(SubjectId::Std)?, summary.cell(other)?))
            };
            Finding {
                what,
                published,
                here: against(SubjectId::ParkingLot012.into()),
                parkade: variants.iter().map(|&variant| against(variant.clone())).collect(),
            }
        };
    vec![
        finding(
            "long: variation between threads, std and other",
            "95.3 % and 1.9 %",
            "long-8",
            |std, other| Figure::Pair(std.spread, other.spread),
        ),
        finding("long: how much more stable than std", "51x", "long-8", |std, other| {
            Figure::Times(std.spread / other.spread.max(1e-6))
        }),
        finding("long: throughput of std over the other", "+7.5 %", "long-8", |std, other| {
            Figure::Gain(std.ops_per_sec / other.ops_per_sec - 1.0)
        }),
        finding("burst: throughput over std", "+18.5 %", "burst-8", |std, other| {
            Figure::Gain(other.ops_per_sec / std.ops_per_sec - 1.0)
        }),
        finding("hog: the victims' operations against std", "261x", "hog-6", |std, other| {
            Figure::Times(other.ops_per_sec / std.ops_per_sec)
        }),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_measured_nothing_found() {
        assert_eq!(scenarios().len(), 4);
        let findings = findings(&[], &[&SubjectId::Parkade.into()]);
        assert_eq!(findings.len(), 5);
        assert!(findings.iter().all(|f| f.here.is_none() && f.parkade == [None]));
    }

    #[test]
    fn findings_compare_with_std() {
        use crate::report::samples::{self, round};
        let cell = |subject: Variant, per_thread: &[u64]| {
            samples::cell(subject, vec![round(1.0, per_thread)])
        };
        let swept = Variant::parkade(vec!["spin_ns=0".parse().unwrap()]);
        let cells = vec![
            cell(SubjectId::Parkade.into(), &[120, 120]),
            cell(swept.clone(), &[60, 60]),
            cell(SubjectId::Std.into(), &[50, 150]),
            cell(SubjectId::ParkingLot012.into(), &[76, 84]),
        ];
        let report = ScenarioReport::new(&scenario::find("long-8").unwrap(), cells);
        let findings = findings(&[report], &[&SubjectId::Parkade.into(), &swept]);
        assert_eq!(findings[0].here, Some(Figure::Pair(0.5, 0.05)));
        assert_eq!(findings[1].here, Some(Figure::Times(10.0)));
        assert_eq!(findings[2].here, Some(Figure::Gain(0.25)));
        let gain = |theirs: f64| Some(Figure::Gain(200.0 / theirs - 1.0));
        assert_eq!(findings[2].parkade, [gain(240.0), gain(120.0)]);
        assert_eq!(findings[4].here, None);
    }
}
