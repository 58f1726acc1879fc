//! parking_lot's own benchmark: floating-point steps inside and outside the lock, reported as
//! thousands of operations per second and thread.

use crate::report::Cell;
use crate::scenario::{Role, Scenario, Shape};
use crate::stats;

/// What that benchmark lets its user choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Knobs {
    /// Numbers of threads.
    pub threads: Vec<u32>,
    /// Steps under the lock.
    pub inside: Vec<u32>,
    /// Steps without the lock.
    pub outside: Vec<u32>,
}

/// Every combination.
pub fn scenarios(knobs: &Knobs) -> Vec<Scenario> {
    let mut all = Vec::new();
    for &threads in &knobs.threads {
        for &inside in &knobs.inside {
            for &outside in &knobs.outside {
                all.push(Scenario {
                    name: format!("work-{inside}-{outside}-threads-{threads}").into(),
                    threads,
                    shape: Shape::Float { inside, outside },
                    role: Role::Custom,
                });
            }
        }
    }
    all
}

/// Thousands of operations per second and thread, over all threads of all rounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Kilohertz {
    /// Mean.
    pub average: f64,
    /// Median.
    pub median: f64,
    /// Standard deviation.
    pub stddev: f64,
}

/// Sums up the rounds of a lock; `None` without a round.
pub fn kilohertz(cell: &Cell) -> Option<Kilohertz> {
    let rates: Vec<f64> = cell
        .rounds
        .iter()
        .flat_map(|round| round.per_thread.iter().map(|&ops| ops as f64 / round.secs / 1e3))
        .collect();
    let average = stats::mean(&rates)?;
    Some(Kilohertz {
        average,
        median: stats::median(rates.iter().copied())?,
        stddev: stats::spread(&rates)? * average,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Round;
    use crate::subject::SubjectId;

    #[test]
    fn every_combination_has_its_own_name() {
        let knobs = Knobs { threads: vec![1, 2], inside: vec![5, 9], outside: vec![0, 5] };
        let all = scenarios(&knobs);
        assert_eq!(all.len(), 8);
        assert!(all.iter().all(|s| all.iter().filter(|t| t.name == s.name).count() == 1));
    }

    #[test]
    fn rates_are_of_threads_not_of_rounds() {
        let round = |per_thread: &[u64]| Round {
            secs: 2.0,
            ops: per_thread.iter().sum(),
            per_thread: per_thread.to_vec(),
            hog: None,
            cpu_secs: None,
            context_switches: None,
            waits: None,
        };
        let cell = Cell {
            subject: SubjectId::Std.into(),
            rounds: vec![round(&[4_000, 8_000]), round(&[8_000, 12_000])],
            wait_quantiles: Vec::new(),
        };
        let rates = kilohertz(&cell).unwrap();
        assert_eq!((rates.average, rates.median), (4.0, 4.0));
        assert!((rates.stddev - 2.0_f64.sqrt()).abs() < 1e-9);
    }
}
