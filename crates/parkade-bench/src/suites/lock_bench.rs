//! matklad's lock-bench: a fixed number of increments under one of several padded locks, and how
//! long all threads together need for them.

use std::time::Duration;

use crate::report::Cell;
use crate::scenario::{Role, Scenario, Shape};

/// Operations of each thread.
pub const OPS_PER_THREAD: u64 = 10_000;

/// A run that takes longer is stopped and counted as unfinished.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The suite's scenarios: extreme, heavy and light contention.
pub fn scenarios(threads: u32) -> Vec<Scenario> {
    let with = |locks| Scenario {
        name: format!("many-{threads}x{locks}").into(),
        threads,
        shape: Shape::Many { locks },
        role: Role::Custom,
    };
    [2, 64, 1000].map(with).into()
}

/// The durations of a lock's runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Times {
    /// Mean, in milliseconds.
    pub avg_ms: f64,
    /// Shortest.
    pub min_ms: f64,
    /// Longest.
    pub max_ms: f64,
    /// Runs that were stopped.
    pub unfinished: usize,
}

/// Sums up the runs of a lock; `None` without a run.
pub fn times(cell: &Cell, ops_per_thread: u64) -> Option<Times> {
    let millis: Vec<f64> = cell.rounds.iter().map(|round| round.secs * 1e3).collect();
    Some(Times {
        avg_ms: crate::stats::mean(&millis)?,
        min_ms: millis.iter().copied().min_by(f64::total_cmp)?,
        max_ms: millis.iter().copied().max_by(f64::total_cmp)?,
        unfinished: cell
            .rounds
            .iter()
            .filter(|round| round.per_thread.iter().any(|&ops| ops < ops_per_thread))
            .count(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Plan;
    use crate::subject::SubjectId;

    #[test]
    fn a_small_run() {
        let plan = Plan {
            scenarios: scenarios(4),
            subjects: vec![SubjectId::ParkingLot012.into()],
            time: PATIENCE,
            ops_per_thread: Some(200),
            rounds: 3,
            seed: 1,
        };
        let reports = plan.run(|_| ());
        assert_eq!(reports.len(), 3);
        for report in &reports {
            let times = times(&report.cells[0], 200).unwrap();
            assert_eq!(times.unfinished, 0);
            assert!(0.0 < times.min_ms && times.min_ms <= times.avg_ms);
            assert!(times.avg_ms <= times.max_ms && times.max_ms < 10_000.0);
        }
    }
}
