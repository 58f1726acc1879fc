//! parking_lot's own benchmarks: floating-point steps inside and outside the lock, reported as
//! thousands of operations per second and thread.

use crate::report::{Cell, Round};
use crate::scenario::{Role, RwShape, Scenario, Shape};
use crate::stats;

/// What those benchmarks let their user choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Knobs {
    /// Who runs.
    pub crews: Vec<Crew>,
    /// Steps under the lock.
    pub inside: Vec<u32>,
    /// Steps without the lock.
    pub outside: Vec<u32>,
}

/// The threads of one scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crew {
    /// So many with a mutex.
    Alike(u32),
    /// So many with a reader-writer lock, of which each either only reads or only writes.
    Sides {
        /// Those that read.
        readers: u32,
        /// Those that write.
        writers: u32,
    },
}

impl Crew {
    /// Every combination, but for nobody at all.
    pub fn sides(readers: &[u32], writers: &[u32]) -> Vec<Crew> {
        writers
            .iter()
            .flat_map(|&writers| {
                readers.iter().map(move |&readers| Crew::Sides { readers, writers })
            })
            .filter(|crew| crew.threads() > 0)
            .collect()
    }

    fn threads(self) -> u32 {
        match self {
            Crew::Alike(threads) => threads,
            Crew::Sides { readers, writers } => readers + writers,
        }
    }

    fn name(self) -> String {
        match self {
            Crew::Alike(threads) => format!("threads-{threads}"),
            Crew::Sides { readers, writers } => format!("readers-{readers}-writers-{writers}"),
        }
    }

    fn shape(self, inside: u32, outside: u32) -> Shape {
        match self {
            Crew::Alike(_) => Shape::Float { inside, outside },
            Crew::Sides { writers, .. } => Shape::Rw(RwShape::Apart { writers, inside, outside }),
        }
    }
}

/// Every combination.
pub fn scenarios(knobs: &Knobs) -> Vec<Scenario> {
    let mut all = Vec::new();
    for &crew in &knobs.crews {
        for &inside in &knobs.inside {
            for &outside in &knobs.outside {
                all.push(Scenario {
                    name: format!("work-{inside}-{outside}-{}", crew.name()).into(),
                    threads: crew.threads(),
                    shape: crew.shape(inside, outside),
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
    /// All threads of a round together, as the mean of rounds.
    pub together: f64,
}

/// Sums up the rounds of a lock, as far as the threads are in `list`; `None` without any.
pub fn kilohertz(cell: &Cell, list: impl Fn(&Round) -> Option<&Vec<u64>>) -> Option<Kilohertz> {
    let threads = |round| list(round).into_iter().flatten();
    let rates: Vec<f64> = cell
        .rounds
        .iter()
        .flat_map(|round| threads(round).map(|&ops| ops as f64 / round.secs / 1e3))
        .collect();
    let average = stats::mean(&rates)?;
    Some(Kilohertz {
        average,
        median: stats::median(rates.iter().copied())?,
        stddev: stats::spread(&rates)? * average,
        together: rates.iter().sum::<f64>() / cell.rounds.len() as f64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;
    use crate::subject::SubjectId;

    #[test]
    fn every_combination_has_its_own_name() {
        let mut crews = vec![Crew::Alike(1), Crew::Alike(2)];
        crews.extend(Crew::sides(&[0, 1], &[0, 2]));
        assert_eq!(crews.len(), 5, "nobody at all is no crew: {crews:?}");
        let knobs = Knobs { crews, inside: vec![5, 9], outside: vec![0, 5] };
        let all = scenarios(&knobs);
        assert_eq!(all.len(), 20);
        assert!(all.iter().all(|s| all.iter().filter(|t| t.name == s.name).count() == 1));
    }

    #[test]
    fn rates_are_of_threads_not_of_rounds() {
        let round = |per_thread: &[u64]| samples::round(2.0, per_thread);
        let rounds = vec![round(&[4_000, 8_000]), round(&[8_000, 12_000])];
        let cell = samples::cell(SubjectId::Std, rounds);
        let rates = kilohertz(&cell, |round| Some(&round.per_thread)).unwrap();
        assert_eq!((rates.average, rates.median, rates.together), (4.0, 4.0, 8.0));
        assert_eq!(kilohertz(&cell, |_| None), None);
        assert!((rates.stddev - 2.0_f64.sqrt()).abs() < 1e-9);
    }
}
