//! What is made of the rounds: medians, ratios to rivals, marks.

use serde::{Deserialize, Serialize};

use crate::report::{Cell, Round, ScenarioReport};
use crate::scenario::{Mark, Role};
use crate::subject::SubjectId;
use crate::waits::Waits;

/// The middle value, or the mean of the two in the middle; `None` of nothing.
pub fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        n if n % 2 == 1 => Some(values[middle]),
        _ => Some((values[middle - 1] + values[middle]) / 2.0),
    }
}

/// The arithmetic mean; `None` of nothing.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The standard deviation (of the whole population) in parts of the mean: 0 when all values are
/// the same, also when all are zero.
pub fn spread(values: &[f64]) -> Option<f64> {
    let mean = mean(values)?;
    if mean == 0.0 {
        return Some(0.0);
    }
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64;
    Some(variance.sqrt() / mean)
}

/// The geometric mean; `None` of nothing or if a value is not positive.
pub fn geometric_mean(values: &[f64]) -> Option<f64> {
    if values.is_empty() || values.iter().any(|&v| v <= 0.0) {
        return None;
    }
    Some((values.iter().map(|v| v.ln()).sum::<f64>() / values.len() as f64).exp())
}

/// One lock in one scenario, as medians of rounds.
#[derive(Debug, Clone, PartialEq)]
pub struct CellSummary {
    /// The lock.
    pub subject: SubjectId,
    /// Operations per second, without the hog's.
    pub ops_per_sec: f64,
    /// The slowest thread's operations per second.
    pub slowest: f64,
    /// The fastest thread's operations per second.
    pub fastest: f64,
    /// The slowest thread's operations in parts of the fastest's.
    pub share: f64,
    /// Standard deviation of the threads' operations in parts of their mean.
    pub spread: f64,
    /// Processor time per operation.
    pub cpu_ns: Option<f64>,
    /// Context switches per operation.
    pub switches: Option<f64>,
    /// The waits.
    pub waits: Option<WaitSummary>,
    /// The hog.
    pub hog: Option<HogSummary>,
    /// Throughput in parts of the best rival's of the same round.
    pub ratio: Option<f64>,
}

/// Waits in nanoseconds, as medians of rounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WaitSummary {
    /// Mean.
    pub mean: f64,
    /// Standard deviation.
    pub stddev: f64,
    /// Median.
    pub p50: f64,
    /// 99th percentile.
    pub p99: f64,
    /// 99.9th percentile.
    pub p999: f64,
    /// The longest of a round.
    pub max: f64,
    /// The longest of all rounds; the only figure here that is no median.
    pub max_of_all: f64,
    /// Longest waits below this are not told apart.
    pub resolution: f64,
}

impl WaitSummary {
    /// The longest wait for comparisons.
    fn comparable(&self) -> f64 {
        self.max.max(self.resolution).max(1.0)
    }
}

/// The thread that holds the lock for long, as medians of rounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HogSummary {
    /// Its operations per second.
    pub ops_per_sec: f64,
    /// The part of the time for which it held the lock.
    pub share: f64,
}

/// One scenario with its rivals compared.
#[derive(Debug, Clone, PartialEq)]
pub struct ScenarioSummary {
    /// All locks, in the report's order.
    pub cells: Vec<CellSummary>,
    /// The rival with the most throughput, among those that count.
    pub best_rival: Option<SubjectId>,
    /// The rival with the shortest longest wait among those with at least half of the best
    /// rival's throughput.
    pub fairest_rival: Option<SubjectId>,
    /// Parkade's longest wait in parts of the fairest rival's. Both count as
    /// [`WaitSummary::resolution`] if they are shorter.
    pub wait_ratio: Option<f64>,
    /// Rivals that do not count, because they starve the hog.
    pub disregarded: Vec<SubjectId>,
    /// Whether Parkade itself starves the hog.
    pub parkade_starves_hog: bool,
}

impl ScenarioSummary {
    /// Compares the locks of a scenario.
    pub fn of(report: &ScenarioReport) -> ScenarioSummary {
        let starving = starving(report);
        let rivals: Vec<&Cell> = report
            .cells
            .iter()
            .filter(|cell| cell.subject != SubjectId::Parkade && !starving.contains(&cell.subject))
            .collect();
        let cells: Vec<CellSummary> =
            report.cells.iter().filter_map(|cell| summarize(cell, &rivals)).collect();
        let counted = || cells.iter().filter(|c| rivals.iter().any(|r| r.subject == c.subject));
        let best = counted().max_by(|a, b| a.ops_per_sec.total_cmp(&b.ops_per_sec));
        let longest = |cell: &CellSummary| cell.waits.map(|waits| (waits.comparable(), waits.max));
        let fairest = best.and_then(|best| {
            counted()
                .filter(|cell| cell.ops_per_sec >= best.ops_per_sec / 2.0)
                .filter_map(|cell| Some((cell.subject, longest(cell)?)))
                .min_by(|a, b| a.1.0.total_cmp(&b.1.0).then(a.1.1.total_cmp(&b.1.1)))
        });
        let ours = cells.iter().find(|cell| cell.subject == SubjectId::Parkade).and_then(longest);
        ScenarioSummary {
            best_rival: best.map(|cell| cell.subject),
            fairest_rival: fairest.map(|(subject, _)| subject),
            wait_ratio: ours.zip(fairest).map(|(ours, (_, theirs))| ours.0 / theirs.0),
            parkade_starves_hog: starving.contains(&SubjectId::Parkade),
            disregarded: starving.into_iter().filter(|&id| id != SubjectId::Parkade).collect(),
            cells,
        }
    }

    /// The figures of a lock.
    pub fn cell(&self, subject: SubjectId) -> Option<&CellSummary> {
        self.cells.iter().find(|cell| cell.subject == subject)
    }
}

/// The locks whose hog gets less than half of what parking_lot 0.12 gives its hog. Nobody, if
/// there is no hog or no parking_lot 0.12.
fn starving(report: &ScenarioReport) -> Vec<SubjectId> {
    let hog = |cell: &Cell| median(cell.rounds.iter().filter_map(Round::hog_ops_per_sec));
    let Some(yardstick) = report.cell(SubjectId::ParkingLot012).and_then(hog) else {
        return Vec::new();
    };
    report
        .cells
        .iter()
        .filter(|cell| hog(cell).is_some_and(|ops| ops < yardstick / 2.0))
        .map(|cell| cell.subject)
        .collect()
}

/// The median over rounds of `cell`'s throughput in parts of the best rival's in that round.
fn ratio(cell: &Cell, rivals: &[&Cell]) -> Option<f64> {
    median(cell.rounds.iter().enumerate().filter_map(|(index, round)| {
        let best = rivals
            .iter()
            .filter_map(|rival| rival.rounds.get(index))
            .map(Round::ops_per_sec)
            .max_by(f64::total_cmp)?;
        (best > 0.0).then(|| round.ops_per_sec() / best)
    }))
}

fn summarize(cell: &Cell, rivals: &[&Cell]) -> Option<CellSummary> {
    let over = |of: &dyn Fn(&Round) -> Option<f64>| median(cell.rounds.iter().filter_map(of));
    let rate = |pick: fn(std::slice::Iter<'_, u64>) -> Option<&u64>| {
        over(&|round| pick(round.per_thread.iter()).map(|&ops| ops as f64 / round.secs))
    };
    Some(CellSummary {
        subject: cell.subject,
        ops_per_sec: over(&|round| Some(round.ops_per_sec()))?,
        slowest: rate(|threads| threads.min())?,
        fastest: rate(|threads| threads.max())?,
        share: over(&|round| {
            let (min, max) = (round.per_thread.iter().min()?, round.per_thread.iter().max()?);
            Some(*min as f64 / (*max).max(1) as f64)
        })?,
        spread: over(&|round| {
            spread(&round.per_thread.iter().map(|&ops| ops as f64).collect::<Vec<_>>())
        })?,
        cpu_ns: over(&Round::cpu_ns_per_op),
        switches: over(&Round::switches_per_op),
        waits: summarize_waits(cell),
        hog: over(&Round::hog_ops_per_sec)
            .zip(over(&Round::hog_share))
            .map(|(ops_per_sec, share)| HogSummary { ops_per_sec, share }),
        ratio: ratio(cell, rivals),
    })
}

fn summarize_waits(cell: &Cell) -> Option<WaitSummary> {
    let over = |of: &dyn Fn(&Waits) -> f64| {
        median(cell.rounds.iter().filter_map(|round| round.waits.as_ref().map(of)))
    };
    Some(WaitSummary {
        mean: over(&|w| w.mean_ns)?,
        stddev: over(&|w| w.stddev_ns)?,
        p50: over(&|w| w.p50_ns as f64)?,
        p99: over(&|w| w.p99_ns as f64)?,
        p999: over(&|w| w.p999_ns as f64)?,
        max: over(&|w| w.max_ns as f64)?,
        max_of_all: cell
            .rounds
            .iter()
            .filter_map(|round| round.waits.as_ref())
            .map(|w| w.max_ns as f64)
            .fold(0.0, f64::max),
        resolution: over(&|w| w.resolution_ns as f64)?,
    })
}

/// How Parkade did against the marks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Every judged scenario.
    pub results: Vec<MarkResult>,
    /// Geometric mean of the throughput ratios of the [`Role::Mark`] scenarios.
    pub geometric_mean: Option<f64>,
    /// The least of those ratios and where it is.
    pub minimum: Option<(String, f64)>,
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
    /// Longest wait in parts of the fairest rival's.
    pub wait: Option<f64>,
    /// Who that is.
    pub fairest_rival: Option<SubjectId>,
    /// The throughput does not count, because it was bought by starving the hog.
    pub starves_hog: bool,
}

impl MarkResult {
    /// Whether the throughput reaches the mark.
    pub fn throughput_reached(&self) -> bool {
        self.throughput >= self.mark.throughput && !self.starves_hog
    }

    /// Whether the longest wait keeps to the mark; true where there is none.
    pub fn wait_reached(&self) -> bool {
        self.wait.zip(self.mark.wait).is_none_or(|(wait, mark)| wait <= mark)
    }
}

impl Verdict {
    /// Judges a run. `None` if nothing in it can be judged.
    pub fn of(scenarios: &[ScenarioReport]) -> Option<Verdict> {
        let results: Vec<MarkResult> = scenarios.iter().filter_map(judge).collect();
        if results.is_empty() {
            return None;
        }
        let judged = || results.iter().filter(|result| result.role == Role::Mark);
        let ratios: Vec<f64> = judged().map(|result| result.throughput).collect();
        let minimum = judged()
            .min_by(|a, b| a.throughput.total_cmp(&b.throughput))
            .map(|result| (result.scenario.clone(), result.throughput));
        Some(Verdict { geometric_mean: geometric_mean(&ratios), minimum, results })
    }
}

fn judge(report: &ScenarioReport) -> Option<MarkResult> {
    let mark = report.mark?;
    let summary = ScenarioSummary::of(report);
    Some(MarkResult {
        scenario: report.name.clone(),
        role: report.role,
        mark,
        throughput: summary.cell(SubjectId::Parkade)?.ratio?,
        best_rival: summary.best_rival?,
        wait: summary.wait_ratio,
        fairest_rival: summary.fairest_rival,
        starves_hog: summary.parkade_starves_hog,
    })
}

#[cfg(test)]
mod tests;
