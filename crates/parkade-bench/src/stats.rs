//! What is made of the rounds: medians, ratios to rivals, marks.

mod verdict;

pub use verdict::{MarkResult, Measure, Overall, Verdict};

use crate::report::{Cell, Round, ScenarioReport};
use crate::sides::{Access, Sides};
use crate::subject::{Grain, SubjectId};
use crate::variant::Variant;
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
    pub subject: Variant,
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
    /// The readers and the writers of a reader-writer lock.
    pub sides: Sides<Option<SideSummary>>,
    /// The hog.
    pub hog: Option<HogSummary>,
    /// The same beside the rivals'.
    pub ratios: Ratios,
    /// Its hog gets less than half of what parking_lot 0.12 gives its hog: the throughput was
    /// bought.
    pub starves_hog: bool,
}

impl CellSummary {
    /// The waits that are compared with other locks': the writers' where there are writers, for
    /// they are whom readers can keep waiting for ever.
    pub fn compared_waits(&self) -> Option<WaitSummary> {
        self.sides.write.as_ref().map_or(self.waits, |writers| writers.waits)
    }
}

/// The readers or the writers, as medians of rounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SideSummary {
    /// Their operations per second.
    pub ops_per_sec: f64,
    /// The slowest of their threads' operations per second.
    pub slowest: f64,
    /// The fastest's.
    pub fastest: f64,
    /// Their waits.
    pub waits: Option<WaitSummary>,
}

/// A lock's figures in parts of its rivals'. All but the longest wait are medians of ratios within
/// rounds; none without a rival, or where there is nothing to measure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratios {
    /// Throughput, to the best rival's of the round.
    pub throughput: Option<f64>,
    /// Longest wait, to the fairest rival's, the writers' if there are writers. Both count as [`WaitSummary::resolution`] if they are
    /// shorter.
    pub wait: Option<f64>,
    /// Processor time per operation, to that of the rival with the most throughput in the round.
    pub cpu: Option<f64>,
    /// Processor time per operation, to the least of any rival that counts.
    pub cpu_least: Option<f64>,
    /// Throughput, to the best of those that lock other keys too ([`Grain::Coarse`]), which are no
    /// rivals otherwise.
    pub coarse: Option<f64>,
    /// Context switches per operation, to parking_lot 0.13's. Up to one switch for each thread of
    /// the round tells nothing: such counts are equal.
    pub switches: Option<f64>,
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
    /// Rivals that do not count, because they starve the hog.
    pub disregarded: Vec<SubjectId>,
    /// The one with the most throughput among those that lock other keys too, and do not count for that.
    pub best_coarse: Option<SubjectId>,
}

impl ScenarioSummary {
    /// Compares the locks of a scenario.
    pub fn of(report: &ScenarioReport) -> ScenarioSummary {
        let starving = starving(report);
        let (coarse, exact): (Vec<&Cell>, Vec<&Cell>) = report
            .cells
            .iter()
            .filter(|cell| cell.subject.is_rival())
            .partition(|cell| cell.subject.subject().grain() == Grain::Coarse);
        let (disregarded, rivals): (Vec<&Cell>, Vec<&Cell>) =
            exact.into_iter().partition(|cell| starving.contains(&&cell.subject));
        let others = Others { rivals, coarse, switches: report.cell(SubjectId::ParkingLot013) };
        let mut cells: Vec<CellSummary> =
            report.cells.iter().filter_map(|cell| summarize(cell, &others)).collect();
        let those = |of: &[&Cell], c: &CellSummary| of.iter().any(|r| r.subject == c.subject);
        let counted = || cells.iter().filter(|c| those(&others.rivals, c));
        let by_rate = |a: &&CellSummary, b: &&CellSummary| a.ops_per_sec.total_cmp(&b.ops_per_sec);
        let best = counted().max_by(by_rate);
        let best_coarse = cells.iter().filter(|c| those(&others.coarse, c)).max_by(by_rate);
        let fairest = best.and_then(|best| {
            counted()
                .filter(|cell| cell.ops_per_sec >= best.ops_per_sec / 2.0)
                .filter_map(|cell| Some((cell.subject.subject(), cell.compared_waits()?)))
                .min_by(|(_, a), (_, b)| {
                    a.comparable().total_cmp(&b.comparable()).then(a.max.total_cmp(&b.max))
                })
        });
        let best_rival = best.map(|cell| cell.subject.subject());
        let best_coarse = best_coarse.map(|cell| cell.subject.subject());
        for cell in &mut cells {
            let wait = |(_, theirs): (_, WaitSummary)| {
                Some(cell.compared_waits()?.comparable() / theirs.comparable())
            };
            cell.ratios.wait = fairest.and_then(wait);
            cell.starves_hog = starving.contains(&&cell.subject);
        }
        ScenarioSummary {
            best_rival,
            fairest_rival: fairest.map(|(subject, _)| subject),
            disregarded: disregarded.into_iter().map(|cell| cell.subject.subject()).collect(),
            best_coarse,
            cells,
        }
    }

    /// The figures of a lock.
    pub fn cell(&self, subject: impl Into<Variant>) -> Option<&CellSummary> {
        let subject = subject.into();
        self.cells.iter().find(|cell| cell.subject == subject)
    }
}

/// The locks whose hog gets less than half of what parking_lot 0.12 gives its hog. Nobody, if
/// there is no hog or no parking_lot 0.12.
fn starving(report: &ScenarioReport) -> Vec<&Variant> {
    let hog = |cell: &Cell| median(cell.rounds.iter().filter_map(Round::hog_ops_per_sec));
    let Some(yardstick) = report.cell(SubjectId::ParkingLot012).and_then(hog) else {
        return Vec::new();
    };
    report
        .cells
        .iter()
        .filter(|cell| hog(cell).is_some_and(|ops| ops < yardstick / 2.0))
        .map(|cell| &cell.subject)
        .collect()
}

/// The median over rounds of `of`, which is given a round of `cell` and the same of all `rivals`.
fn over_rounds(
    cell: &Cell,
    rivals: &[&Cell],
    of: impl Fn(&Round, &[&Round]) -> Option<f64>,
) -> Option<f64> {
    median(cell.rounds.iter().enumerate().filter_map(|(index, round)| {
        let theirs: Vec<&Round> =
            rivals.iter().filter_map(|rival| rival.rounds.get(index)).collect();
        of(round, &theirs)
    }))
}

/// `ours` in parts of `theirs`.
fn part(ours: f64, theirs: f64) -> Option<f64> {
    (theirs > 0.0).then(|| ours / theirs)
}

fn best<'a>(rounds: &[&'a Round]) -> Option<&'a Round> {
    rounds.iter().copied().max_by(|a, b| a.ops_per_sec().total_cmp(&b.ops_per_sec()))
}

/// Context switches per operation of one round beside those of another; see [`Ratios::switches`].
fn switches_ratio(ours: &Round, theirs: &Round) -> Option<f64> {
    let (our_count, their_count) = (ours.context_switches?, theirs.context_switches?);
    let silence = ours.threads() as u64;
    if our_count.max(their_count) <= silence {
        return Some(1.0);
    }
    let per_op = |round: &Round, count: u64| count.max(silence) as f64 / round.all_ops();
    part(per_op(ours, our_count), per_op(theirs, their_count))
}

/// With whom a lock is compared.
struct Others<'a> {
    rivals: Vec<&'a Cell>,
    coarse: Vec<&'a Cell>,
    /// Whose context switches are the measure.
    switches: Option<&'a Cell>,
}

fn ratios(cell: &Cell, others: &Others<'_>) -> Ratios {
    let rivals = &others.rivals;
    let throughput =
        |ours: &Round, theirs: &[&Round]| part(ours.ops_per_sec(), best(theirs)?.ops_per_sec());
    Ratios {
        throughput: over_rounds(cell, rivals, throughput),
        coarse: over_rounds(cell, &others.coarse, throughput),
        wait: None,
        cpu: over_rounds(cell, rivals, |ours, theirs| {
            part(ours.cpu_ns_per_op()?, best(theirs)?.cpu_ns_per_op()?)
        }),
        cpu_least: over_rounds(cell, rivals, |ours, theirs| {
            let all = theirs.iter().filter_map(|round| round.cpu_ns_per_op());
            part(ours.cpu_ns_per_op()?, all.min_by(f64::total_cmp)?)
        }),
        switches: others.switches.and_then(|reference| {
            over_rounds(cell, &[reference], |ours, theirs| switches_ratio(ours, theirs.first()?))
        }),
    }
}

/// A lock's figures, but for what takes all locks' summaries: who is fairest, who starves a hog.
fn summarize(cell: &Cell, others: &Others<'_>) -> Option<CellSummary> {
    let over = |of: &dyn Fn(&Round) -> Option<f64>| median(cell.rounds.iter().filter_map(of));
    let (slowest, fastest) = extremes(cell, |round| Some(&round.per_thread))?;
    Some(CellSummary {
        subject: cell.subject.clone(),
        ops_per_sec: over(&|round| Some(round.ops_per_sec()))?,
        slowest,
        fastest,
        share: over(&|round| {
            let (min, max) = (round.per_thread.iter().min()?, round.per_thread.iter().max()?);
            Some(*min as f64 / (*max).max(1) as f64)
        })?,
        spread: over(&|round| {
            spread(&round.per_thread.iter().map(|&ops| ops as f64).collect::<Vec<_>>())
        })?,
        cpu_ns: over(&Round::cpu_ns_per_op),
        switches: over(&Round::switches_per_op),
        waits: summarize_waits(cell, |round| round.waits.as_ref()),
        sides: Sides::from_fn(|access| summarize_side(cell, access)),
        hog: over(&Round::hog_ops_per_sec)
            .zip(over(&Round::hog_share))
            .map(|(ops_per_sec, share)| HogSummary { ops_per_sec, share }),
        ratios: ratios(cell, others),
        starves_hog: false,
    })
}

/// Operations per second of the slowest and of the fastest of the threads in a list.
fn extremes(cell: &Cell, list: impl Fn(&Round) -> Option<&Vec<u64>>) -> Option<(f64, f64)> {
    let rate = |pick: fn(&[u64]) -> Option<u64>| {
        let rate = |round| Some(pick(list(round)?)? as f64 / round.secs);
        median(cell.rounds.iter().filter_map(rate))
    };
    let slowest = rate(|threads| threads.iter().copied().min())?;
    let fastest = rate(|threads| threads.iter().copied().max())?;
    Some((slowest, fastest))
}

fn summarize_side(cell: &Cell, access: Access) -> Option<SideSummary> {
    let (slowest, fastest) = extremes(cell, |round| Some(&round.side(access)?.per_thread))?;
    let rates = cell.rounds.iter().filter_map(|r| Some(r.side(access)?.ops as f64 / r.secs));
    Some(SideSummary {
        ops_per_sec: median(rates)?,
        slowest,
        fastest,
        waits: summarize_waits(cell, |round| round.side(access)?.waits.as_ref()),
    })
}

fn summarize_waits(
    cell: &Cell,
    of_round: impl Fn(&Round) -> Option<&Waits>,
) -> Option<WaitSummary> {
    let all: Vec<&Waits> = cell.rounds.iter().filter_map(of_round).collect();
    let over = |of: fn(&Waits) -> f64| median(all.iter().map(|waits| of(waits)));
    Some(WaitSummary {
        mean: over(|w| w.mean_ns)?,
        stddev: over(|w| w.stddev_ns)?,
        p50: over(|w| w.p50_ns as f64)?,
        p99: over(|w| w.p99_ns as f64)?,
        p999: over(|w| w.p999_ns as f64)?,
        max: over(|w| w.max_ns as f64)?,
        max_of_all: all.iter().map(|w| w.max_ns as f64).fold(0.0, f64::max),
        resolution: over(|w| w.resolution_ns as f64)?,
    })
}

#[cfg(test)]
mod tests;
