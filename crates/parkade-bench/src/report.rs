//! The figures, raw and summed up. This is the JSON schema.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::machine::Machine;
use crate::memory::KeyMemory;
use crate::scenario::{Mark, Role, Scenario};
use crate::sides::{Access, Sides};
use crate::subject::LockKind;
use crate::suites::keyed::CaseReport;
use crate::variant::Variant;
use crate::waiting::TaskCost;
use crate::waits::{QuantilePoint, Waits, empty_histogram, merge, quantile_points};

/// The version of the schema; it grows whenever a field changes its meaning or goes away.
pub const SCHEMA: u32 = 2;

/// A whole run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`] at the time of writing.
    pub schema: u32,
    /// What was run: a kind of lock, or the name of a suite.
    pub kind: String,
    /// When it began, in seconds since 1970.
    pub started_unix: u64,
    /// Where.
    pub machine: Machine,
    /// How.
    pub settings: Settings,
    /// The locks and their versions.
    pub subjects: Vec<SubjectVersion>,
    /// Every scenario with every round.
    pub scenarios: Vec<ScenarioReport>,
    /// The marks, if Parkade was measured against at least one rival: one verdict for each set of
    /// settings it was measured with.
    pub verdicts: Vec<crate::stats::Verdict>,
    /// The published cases of the suite of keyed locks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cases: Vec<CaseReport>,
    /// What a locked key takes, if keyed locks were measured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub key_memory: Vec<KeyMemory>,
    /// What tasks cost, if locks were measured that they wait for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub task_costs: Vec<TaskCost>,
}

/// How a run was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Seconds a round lasts for each scenario and subject.
    pub secs: f64,
    /// Operations after which a thread stops, if they end a round; `secs` is then a limit.
    pub ops_per_thread: Option<u64>,
    /// Rounds.
    pub rounds: u32,
    /// Whether an unrelated busy process ran beside it.
    pub noise: bool,
    /// The seed of the order of subjects and of all random choices in the loops.
    pub seed: u64,
    /// Parkade's process-wide settings by name, in their units: what a lock has no settings of its
    /// own for.
    pub tuning: BTreeMap<String, u32>,
}

/// A lock and its version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubjectVersion {
    /// The lock, with the settings it has of its own.
    pub name: Variant,
    /// Its version.
    pub version: String,
}

/// One scenario.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ScenarioReport {
    /// Its name.
    pub name: String,
    /// What the threads do.
    pub description: String,
    /// What kind of lock they use.
    #[serde(default)]
    pub kind: LockKind,
    /// How many there are.
    pub threads: u32,
    /// What its figures are for.
    pub role: Role,
    /// What it must reach.
    pub mark: Option<Mark>,
    /// One cell for each lock that can run it, in the order of [`Report::subjects`].
    pub cells: Vec<Cell>,
}

/// One lock in one scenario.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Cell {
    /// The lock.
    pub subject: Variant,
    /// What each round gave. The same index in two cells means the same round.
    pub rounds: Vec<Round>,
    /// The distribution of waits over all rounds; empty where nobody can wait.
    pub wait_quantiles: Vec<QuantilePoint>,
    /// The same for readers and writers apart.
    #[serde(default, skip_serializing_if = "Sides::is_empty")]
    pub side_quantiles: Sides<Option<Vec<QuantilePoint>>>,
}

/// One round of one lock in one scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// How long it lasted, from the first thread's start to the stop.
    pub secs: f64,
    /// Operations of all threads, without the hog's.
    pub ops: u64,
    /// Operations of each thread, without the hog. Of more than a thousand tasks a thousand are here, by number of operations: the
    /// least and the most of all, and the rest evenly spaced between them.
    pub per_thread: Vec<u64>,
    /// The hog, where there is one.
    pub hog: Option<Hog>,
    /// Processor time of all threads; none where the system does not tell.
    pub cpu_secs: Option<f64>,
    /// Context switches of all threads, voluntary or not; none where the system does not tell.
    pub context_switches: Option<u64>,
    /// The waits; none where nobody can wait. The hog's count for the longest only.
    pub waits: Option<Waits>,
    /// What the readers of a reader-writer lock did, and its writers; neither in a mutex's round.
    #[serde(default, skip_serializing_if = "Sides::is_empty")]
    pub sides: Sides<Option<Side>>,
}

/// The readers, or the writers, of a round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Side {
    /// Their operations.
    pub ops: u64,
    /// The same for each thread that is on this side.
    pub per_thread: Vec<u64>,
    /// Their waits; none where nobody can wait.
    pub waits: Option<Waits>,
}

/// The thread that holds the lock for long.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hog {
    /// How often it had the lock.
    pub ops: u64,
    /// For how long it held it in all.
    pub held_secs: f64,
}

impl Round {
    /// Operations per second.
    pub fn ops_per_sec(&self) -> f64 {
        self.ops as f64 / self.secs
    }

    /// The readers, or the writers.
    pub fn side(&self, access: Access) -> Option<&Side> {
        self.sides.of(access).as_ref()
    }

    /// How many threads there were, with the hog.
    pub(crate) fn threads(&self) -> usize {
        self.per_thread.len() + usize::from(self.hog.is_some())
    }

    /// All operations, the hog's included: the divisor of the costs per operation.
    pub(crate) fn all_ops(&self) -> f64 {
        (self.ops + self.hog.as_ref().map_or(0, |hog| hog.ops)).max(1) as f64
    }

    /// Processor time per operation in nanoseconds.
    pub fn cpu_ns_per_op(&self) -> Option<f64> {
        self.cpu_secs.map(|secs| secs * 1e9 / self.all_ops())
    }

    /// Context switches per operation.
    pub fn switches_per_op(&self) -> Option<f64> {
        self.context_switches.map(|switches| switches as f64 / self.all_ops())
    }

    /// The hog's operations per second.
    pub fn hog_ops_per_sec(&self) -> Option<f64> {
        self.hog.as_ref().map(|hog| hog.ops as f64 / self.secs)
    }

    /// The part of the time for which the hog held the lock.
    pub fn hog_share(&self) -> Option<f64> {
        self.hog.as_ref().map(|hog| hog.held_secs / self.secs)
    }
}

/// Rounds of one cell while they come in.
#[derive(Debug)]
pub(crate) struct CellInProgress {
    subject: Variant,
    rounds: Vec<Round>,
    waits: Sides<Histogram<u64>>,
}

impl CellInProgress {
    pub(crate) fn new(subject: Variant) -> CellInProgress {
        let waits = Sides::from_fn(|_| empty_histogram());
        CellInProgress { subject, rounds: Vec::new(), waits }
    }

    pub(crate) fn push(&mut self, round: Round, waits: &Sides<Histogram<u64>>) {
        for access in Access::ALL {
            merge(self.waits.of_mut(access), waits.of(access));
        }
        self.rounds.push(round);
    }

    pub(crate) fn finish(self) -> Cell {
        let CellInProgress { subject, rounds, waits } = self;
        let has = |access| rounds.iter().any(|round| round.side(access).is_some());
        let side_quantiles =
            Sides::from_fn(|access| has(access).then(|| quantile_points(waits.of(access))));
        let mut all = waits.write;
        merge(&mut all, &waits.read);
        Cell { subject, rounds, wait_quantiles: quantile_points(&all), side_quantiles }
    }
}

impl ScenarioReport {
    pub(crate) fn new(scenario: &Scenario, cells: Vec<Cell>) -> ScenarioReport {
        ScenarioReport {
            name: scenario.name.to_string(),
            description: scenario.describe(),
            kind: scenario.kind(),
            threads: scenario.threads,
            role: scenario.role,
            mark: scenario.mark(),
            cells,
        }
    }

    /// The cell of a lock, if it was measured. Parkade has one for each set of settings.
    pub fn cell(&self, subject: impl Into<Variant>) -> Option<&Cell> {
        let subject = subject.into();
        self.cells.iter().find(|cell| cell.subject == subject)
    }
}

/// Rounds with nothing in them but operations, to be filled in.
#[cfg(test)]
pub(crate) mod samples {
    use super::{Cell, Round, Side, Sides, Variant};
    use crate::waits::Waits;

    pub(crate) fn round(secs: f64, per_thread: &[u64]) -> Round {
        Round {
            secs,
            ops: per_thread.iter().sum(),
            per_thread: per_thread.to_vec(),
            hog: None,
            cpu_secs: None,
            context_switches: None,
            waits: None,
            sides: Sides::default(),
        }
    }

    pub(crate) fn side(per_thread: &[u64], waits: Option<Waits>) -> Side {
        Side { ops: per_thread.iter().sum(), per_thread: per_thread.to_vec(), waits }
    }

    pub(crate) fn cell(subject: impl Into<Variant>, rounds: Vec<Round>) -> Cell {
        let subject = subject.into();
        Cell { subject, rounds, wait_quantiles: Vec::new(), side_quantiles: Sides::default() }
    }
}
