//! How Parkade did against the marks.

use serde::{Deserialize, Serialize};

use super::{ScenarioSummary, geometric_mean};
use crate::report::ScenarioReport;
use crate::scenario::{Mark, Role};
use crate::subject::{LockKind, SubjectId};
use crate::variant::Variant;

/// How Parkade did, with one set of settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Parkade, with the settings it has of its own.
    pub subject: Variant,
    /// Every judged scenario.
    pub results: Vec<MarkResult>,
    /// What is judged over all [`Role::Mark`] scenarios of the run together.
    pub overall: Vec<Overall>,
}

/// One scenario's mark and what was reached.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MarkResult {
    /// The scenario.
    pub scenario: String,
    /// What its figures are for.
    pub role: Role,
    /// What it must reach.
    pub mark: Mark,
    /// Throughput in parts of the best rival's.
    pub throughput: f64,
    /// Who that is.
    pub best_rival: SubjectId,
    /// Throughput in parts of the best of those that lock other keys too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coarse: Option<f64>,
    /// Who that is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_coarse: Option<SubjectId>,
    /// Longest wait in parts of the fairest rival's, the writers' if there are writers.
    pub wait: Option<f64>,
    /// Who that is.
    pub fairest_rival: Option<SubjectId>,
    /// Processor time per operation in parts of the best rival's.
    pub cpu: Option<f64>,
    /// Processor time per operation in parts of the least of any rival.
    pub cpu_least: Option<f64>,
    /// Context switches per operation in parts of parking_lot 0.13's.
    pub switches: Option<f64>,
    /// Standard deviation of the threads' operations in parts of their mean.
    pub spread: f64,
    /// The throughput does not count, because it was bought by starving the hog.
    pub starves_hog: bool,
}

/// A figure over several scenarios.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Overall {
    /// Which.
    pub measure: Measure,
    /// What was reached.
    pub value: f64,
    /// The mark; none where the figure is only shown.
    pub mark: Option<f64>,
    /// Whether the mark is reached; true where there is none.
    pub reached: bool,
    /// How many scenarios are in it.
    pub scenarios: usize,
    /// The scenario with the worst figure.
    pub worst: String,
    /// That figure.
    pub worst_value: f64,
}

/// What is judged over several scenarios. A scenario where Parkade starves the hog, with any of the
/// run's settings, is in no mean of throughput or processor time: with none of them, because means
/// over different scenarios do not compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// Geometric mean of [`MarkResult::throughput`].
    Throughput,
    /// Geometric mean of [`MarkResult::cpu`].
    Cpu,
    /// Geometric mean of [`MarkResult::cpu_least`].
    CpuLeast,
    /// Geometric mean of [`MarkResult::switches`], where there is more than one thread.
    Switches,
    /// The largest [`MarkResult::spread`] among the scenarios which have a mark for it.
    Spread,
}

impl Measure {
    /// All, in the order of the tables.
    pub const ALL: [Measure; 5] =
        [Measure::Throughput, Measure::Cpu, Measure::CpuLeast, Measure::Switches, Measure::Spread];

    /// The figure's name.
    pub fn name(self) -> &'static str {
        match self {
            Measure::Throughput => "throughput to the best rival's, geometric mean",
            Measure::Cpu => "cpu/op to the best rival's, geometric mean",
            Measure::CpuLeast => "cpu/op to the least of any rival, geometric mean",
            Measure::Switches => "context switches/op to parking_lot 0.13's, geometric mean",
            Measure::Spread => "spread between threads, largest",
        }
    }

    /// A name for the head of a column.
    pub fn short_name(self) -> &'static str {
        match self {
            Measure::Throughput => "throughput",
            Measure::Cpu => "cpu/op",
            Measure::CpuLeast => "cpu/op (least)",
            Measure::Switches => "csw/op",
            Measure::Spread => "spread",
        }
    }

    /// What has to be reached, or kept to, by a lock of this kind.
    fn mark(self, kind: LockKind) -> Option<f64> {
        match (self, kind) {
            (Measure::Throughput, LockKind::Mutex) => Some(1.1),
            (Measure::Throughput, LockKind::Rwlock) => Some(1.2),
            (
                Measure::Throughput,
                LockKind::Reentrant
                | LockKind::Condvar
                | LockKind::Once
                | LockKind::OnceLock
                | LockKind::Semaphore
                | LockKind::Async,
            ) => Some(1.0),
            // What is asked for differs from scenario to scenario.
            (Measure::Throughput, LockKind::Keyed) => None,
            (Measure::Cpu | Measure::Switches, LockKind::Mutex) => Some(1.0),
            (Measure::Cpu | Measure::Switches | Measure::CpuLeast, _) => None,
            (Measure::Spread, _) => Some(0.1),
        }
    }

    /// Whether more of it is better.
    pub fn is_gain(self) -> bool {
        self == Measure::Throughput
    }

    fn of(self, result: &MarkResult) -> Option<f64> {
        match self {
            Measure::Throughput => Some(result.throughput),
            Measure::Cpu => result.cpu,
            Measure::CpuLeast => result.cpu_least,
            // Alone nobody waits for anything; what switches there are come from outside.
            Measure::Switches => result.mark.wait.and(result.switches),
            Measure::Spread => result.mark.spread.map(|_| result.spread),
        }
    }

    fn is_bought_by_starving(self) -> bool {
        matches!(self, Measure::Throughput | Measure::Cpu | Measure::CpuLeast)
    }

    fn over(self, results: &[MarkResult], kind: LockKind, starving: &[&str]) -> Option<Overall> {
        let bought =
            |r: &&MarkResult| self.is_bought_by_starving() && starving.contains(&&*r.scenario);
        let judged = results.iter().filter(|r| r.role == Role::Mark && !bought(r));
        let all: Vec<(&str, f64)> =
            judged.filter_map(|r| Some((&*r.scenario, self.of(r)?))).collect();
        let values: Vec<f64> = all.iter().map(|(_, value)| *value).collect();
        let by_value = |a: &&(&str, f64), b: &&(&str, f64)| a.1.total_cmp(&b.1);
        let &(worst, worst_value) =
            if self.is_gain() { all.iter().min_by(by_value) } else { all.iter().max_by(by_value) }?;
        let value = match self {
            Measure::Spread => worst_value,
            _ => geometric_mean(&values)?,
        };
        let mark = self.mark(kind);
        let reached = mark.is_none_or(|m| if self.is_gain() { value >= m } else { value <= m });
        let scenarios = values.len();
        Some(Overall {
            measure: self,
            value,
            mark,
            reached,
            scenarios,
            worst: worst.into(),
            worst_value,
        })
    }
}

impl MarkResult {
    /// Whether the throughput reaches the mark.
    pub fn throughput_reached(&self) -> bool {
        self.throughput >= self.mark.throughput && !self.starves_hog
    }

    /// Whether the throughput beside those that lock other keys too reaches its mark; true where there is none.
    pub fn coarse_reached(&self) -> bool {
        self.coarse.zip(self.mark.coarse).is_none_or(|(coarse, mark)| coarse >= mark)
    }

    /// Whether the longest wait keeps to the mark; true where there is none.
    pub fn wait_reached(&self) -> bool {
        self.wait.zip(self.mark.wait).is_none_or(|(wait, mark)| wait <= mark)
    }
}

impl Verdict {
    /// Judges a run with one kind of lock, once for each set of Parkade's settings in it. Nothing, if nothing in it can
    /// be judged.
    pub fn all(scenarios: &[ScenarioReport]) -> Vec<Verdict> {
        let summaries: Vec<ScenarioSummary> = scenarios.iter().map(ScenarioSummary::of).collect();
        let (Some(first), Some(kind)) = (summaries.first(), scenarios.first().map(|s| s.kind))
        else {
            return Vec::new();
        };
        let ours = first.cells.iter().map(|cell| &cell.subject).filter(|s| !s.is_rival());
        let starves = |s: &ScenarioSummary| {
            s.cells.iter().any(|cell| cell.starves_hog && !cell.subject.is_rival())
        };
        let starving: Vec<&str> = scenarios
            .iter()
            .zip(&summaries)
            .filter(|(_, summary)| starves(summary))
            .map(|(report, _)| &*report.name)
            .collect();
        ours.filter_map(|subject| {
            let judged = scenarios.iter().zip(&summaries);
            let results: Vec<MarkResult> =
                judged.filter_map(|(report, summary)| judge(report, summary, subject)).collect();
            let over = |measure: Measure| measure.over(&results, kind, &starving);
            let overall = Measure::ALL.into_iter().filter_map(over).collect();
            let verdict = Verdict { subject: subject.clone(), results, overall };
            (!verdict.results.is_empty()).then_some(verdict)
        })
        .collect()
    }

    /// The scenarios whose throughput misses its mark.
    pub fn throughput_missed(&self) -> Vec<&str> {
        self.names(|result| !result.throughput_reached())
    }

    /// The scenarios whose throughput misses its mark beside those that lock other keys too.
    pub fn coarse_missed(&self) -> Vec<&str> {
        self.names(|result| !result.coarse_reached())
    }

    /// The scenarios whose longest wait misses its mark.
    pub fn waits_missed(&self) -> Vec<&str> {
        self.names(|result| !result.wait_reached())
    }

    /// How many scenarios have their longest wait judged.
    pub fn judged_waits(&self) -> usize {
        self.names(|result| result.wait.and(result.mark.wait).is_some()).len()
    }

    /// The scenario with the longest wait, in parts of the fairest rival's.
    pub fn worst_wait(&self) -> Option<(&str, f64)> {
        let waits = self.results.iter().filter_map(|r| Some((&*r.scenario, r.wait?)));
        waits.max_by(|a, b| a.1.total_cmp(&b.1))
    }

    fn names(&self, wanted: impl Fn(&MarkResult) -> bool) -> Vec<&str> {
        self.results.iter().filter(|r| wanted(r)).map(|r| &*r.scenario).collect()
    }

    /// A figure over several scenarios, if any scenario has it.
    pub fn overall(&self, measure: Measure) -> Option<&Overall> {
        self.overall.iter().find(|overall| overall.measure == measure)
    }
}

fn judge(
    report: &ScenarioReport,
    summary: &ScenarioSummary,
    subject: &Variant,
) -> Option<MarkResult> {
    let cell = summary.cell(subject.clone())?;
    Some(MarkResult {
        scenario: report.name.clone(),
        role: report.role,
        mark: report.mark?,
        throughput: cell.ratios.throughput?,
        best_rival: summary.best_rival?,
        coarse: cell.ratios.coarse,
        best_coarse: summary.best_coarse,
        wait: cell.ratios.wait,
        fairest_rival: summary.fairest_rival,
        cpu: cell.ratios.cpu,
        cpu_least: cell.ratios.cpu_least,
        switches: cell.ratios.switches,
        spread: cell.spread,
        starves_hog: cell.starves_hog,
    })
}
