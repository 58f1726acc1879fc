//! Runs scenarios with all subjects interleaved.

use std::time::Duration;

use crate::harness::{self, Limits};
use crate::report::{CellInProgress, ScenarioReport};
use crate::rng::Rng;
use crate::scenario::Scenario;
use crate::subject::SubjectId;

/// What to run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The scenarios, in the order of the report.
    pub scenarios: Vec<Scenario>,
    /// The locks.
    pub subjects: Vec<SubjectId>,
    /// How long one round of one lock in one scenario lasts.
    pub time: Duration,
    /// Ends a round when every thread has done so many operations; then `time` is only a limit.
    pub ops_per_thread: Option<u64>,
    /// How many rounds.
    pub rounds: u32,
    /// The seed of the order and of all random choices.
    pub seed: u64,
}

/// One step of a run.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    /// The round, from 1.
    pub round: u32,
    /// How many there are.
    pub rounds: u32,
    /// The scenario about to run.
    pub scenario: &'a Scenario,
    /// The lock about to run; `None` when all locks of the scenario are done for this round.
    pub subject: Option<SubjectId>,
    /// How many steps with a lock came before, in the whole run.
    pub before: u64,
}

impl Plan {
    /// How long the whole run is meant to take; nobody knows if operations end a round.
    pub fn duration(&self) -> Option<Duration> {
        if self.ops_per_thread.is_some() {
            return None;
        }
        let round: Duration = self.scenarios.iter().map(|s| s.round_time(self.time)).sum();
        Some(round * self.subjects.len() as u32 * self.rounds)
    }

    /// How many steps with a lock the run has.
    pub fn steps(&self) -> u64 {
        self.scenarios.len() as u64 * self.subjects.len() as u64 * u64::from(self.rounds)
    }

    /// Runs everything: in every round every scenario, in every scenario all locks in random
    /// order, so that whatever happens to the machine meanwhile happens to all of them.
    pub fn run(&self, mut watcher: impl FnMut(Step<'_>)) -> Vec<ScenarioReport> {
        let mut cells: Vec<Vec<CellInProgress>> = self
            .scenarios
            .iter()
            .map(|_| self.subjects.iter().map(|&id| CellInProgress::new(id)).collect())
            .collect();
        let mut rng = Rng::new(self.seed);
        let mut before = 0;
        for round in 1..=self.rounds {
            for (scenario, cells) in self.scenarios.iter().zip(&mut cells) {
                let mut order: Vec<usize> = (0..self.subjects.len()).collect();
                rng.shuffle(&mut order);
                let mut tell = |subject, before| {
                    watcher(Step { round, rounds: self.rounds, scenario, subject, before });
                };
                // The same random choices for all locks of a round.
                let seed = rng.bits();
                for index in order {
                    let subject = self.subjects[index];
                    tell(Some(subject), before);
                    let limits =
                        Limits { time: self.time, ops_per_thread: self.ops_per_thread, seed };
                    let measured = harness::measure(scenario, subject, limits);
                    cells[index].push(measured.round, &measured.waits);
                    before += 1;
                }
                tell(None, before);
            }
        }
        self.scenarios
            .iter()
            .zip(cells)
            .map(|(scenario, cells)| {
                let cells = cells.into_iter().map(CellInProgress::finish).collect();
                ScenarioReport::new(scenario, cells)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_has_every_round_in_the_order_asked_for() {
        let plan = Plan {
            scenarios: vec![crate::scenario::find("mixed-2").unwrap()],
            subjects: vec![SubjectId::Std, SubjectId::ParkingLot012],
            time: Duration::from_millis(5),
            ops_per_thread: None,
            rounds: 3,
            seed: 9,
        };
        assert_eq!(plan.duration(), Some(Duration::from_millis(30)));
        let mut steps = Vec::new();
        let reports = plan.run(|step| steps.push((step.round, step.subject, step.before)));
        assert_eq!(steps.len(), 9);
        assert_eq!(steps.last().unwrap().2, plan.steps());
        assert_eq!(reports.len(), 1);
        let subjects: Vec<_> = reports[0].cells.iter().map(|cell| cell.subject).collect();
        assert_eq!(subjects, plan.subjects);
        assert!(reports[0].cells.iter().all(|cell| cell.rounds.len() == 3));
    }
}
