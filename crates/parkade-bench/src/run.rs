//! Runs scenarios with all subjects interleaved.

use std::time::Duration;

use crate::harness::{self, Limits, Measured};
use crate::report::{CellInProgress, ScenarioReport};
use crate::rng::Rng;
use crate::scenario::Scenario;
use crate::variant::Variant;

/// What to run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The scenarios, in the order of the report.
    pub scenarios: Vec<Scenario>,
    /// The locks.
    pub subjects: Vec<Variant>,
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
    pub subject: Option<&'a Variant>,
    /// How many steps with a lock came before, in the whole run.
    pub before: u64,
}

impl Plan {
    /// How long the whole run is meant to take; nobody knows if operations end a round.
    pub fn duration(&self) -> Option<Duration> {
        if self.ops_per_thread.is_some() {
            return None;
        }
        let locks = |scenario: &Scenario| self.able(scenario).count() as u32;
        let round: Duration =
            self.scenarios.iter().map(|s| s.round_time(self.time) * locks(s)).sum();
        Some(round * self.rounds)
    }

    /// How many steps with a lock the run has.
    pub fn steps(&self) -> u64 {
        let cells = self.scenarios.iter().map(|scenario| self.able(scenario).count() as u64);
        cells.sum::<u64>() * u64::from(self.rounds)
    }

    /// The locks that can run a scenario.
    fn able<'a>(&'a self, scenario: &'a Scenario) -> impl Iterator<Item = &'a Variant> {
        self.subjects.iter().filter(move |variant| variant.subject().can(scenario))
    }

    /// Runs everything: in every round every scenario, in every scenario all locks in random
    /// order, so that whatever happens to the machine meanwhile happens to all of them.
    pub fn run(&self, watcher: impl FnMut(Step<'_>)) -> Vec<ScenarioReport> {
        self.run_with(watcher, |scenario, subject, limits| {
            harness::measure(scenario, subject.subject(), limits)
        })
    }

    /// As [`Plan::run`], with something else in the harness's place.
    fn run_with(
        &self,
        mut watcher: impl FnMut(Step<'_>),
        mut measure: impl FnMut(&Scenario, &Variant, Limits) -> Measured,
    ) -> Vec<ScenarioReport> {
        let mut cells: Vec<Vec<CellInProgress>> = self
            .scenarios
            .iter()
            .map(|scenario| self.able(scenario).cloned().map(CellInProgress::new).collect())
            .collect();
        let mut rng = Rng::new(self.seed);
        let mut before = 0;
        for round in 1..=self.rounds {
            for (scenario, cells) in self.scenarios.iter().zip(&mut cells) {
                let able: Vec<&Variant> = self.able(scenario).collect();
                let mut order: Vec<usize> = (0..able.len()).collect();
                rng.shuffle(&mut order);
                let mut tell = |subject, before| {
                    watcher(Step { round, rounds: self.rounds, scenario, subject, before });
                };
                // The same random choices for all locks of a round.
                let seed = rng.bits();
                for index in order {
                    let subject = able[index];
                    tell(Some(subject), before);
                    let limits =
                        Limits { time: self.time, ops_per_thread: self.ops_per_thread, seed };
                    let measured = subject.tuned(|| measure(scenario, subject, limits));
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
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::{Mutex, PoisonError};

    use parkade::tuning;

    use super::*;
    use crate::subject::{Subject, SubjectId};
    use crate::variant::{ONE_TUNER, Tuned};

    fn plan(subjects: Vec<Variant>) -> Plan {
        Plan {
            scenarios: vec![crate::scenario::find("mixed-2").unwrap()],
            subjects,
            time: Duration::from_millis(5),
            ops_per_thread: None,
            rounds: 3,
            seed: 9,
        }
    }

    fn sweep(values: &[u32]) -> Vec<Variant> {
        let fair = |value: &u32| Tuned::new("fair_us", &value.to_string()).unwrap();
        values.iter().map(|value| Variant::parkade(vec![fair(value)])).collect()
    }

    fn fair_us() -> u32 {
        tuning::setting("fair_us").unwrap().value()
    }

    #[test]
    fn every_cell_has_every_round_in_the_order_asked_for() {
        let plan = plan(vec![SubjectId::Std.into(), SubjectId::ParkingLot012.into()]);
        assert_eq!(plan.duration(), Some(Duration::from_millis(30)));
        let mut steps = Vec::new();
        let reports = plan.run(|step| steps.push((step.round, step.subject.cloned(), step.before)));
        assert_eq!(steps.len(), 9);
        assert_eq!(steps.last().unwrap().2, plan.steps());
        assert_eq!(reports.len(), 1);
        let subjects: Vec<_> = reports[0].cells.iter().map(|cell| cell.subject.clone()).collect();
        assert_eq!(subjects, plan.subjects);
        assert!(reports[0].cells.iter().all(|cell| cell.rounds.len() == 3));
    }

    #[test]
    fn a_lock_runs_only_what_it_can() {
        let find = |name| crate::scenario::find(name).unwrap();
        let plan = Plan {
            scenarios: vec![find("sem-8-2"), find("sem-8-8-weighted")],
            ..plan(vec![SubjectId::Tokio.into(), SubjectId::AsyncLock.into()])
        };
        assert_eq!((plan.steps(), plan.duration()), (9, Some(Duration::from_millis(45))));
        let cells: Vec<usize> = plan.run(|_| ()).iter().map(|report| report.cells.len()).collect();
        assert_eq!(cells, [2, 1]);
    }

    /// A lock whose users note the fair interval that is in force.
    enum Probe {}

    static SEEN: Mutex<Vec<u32>> = Mutex::new(Vec::new());

    impl Subject for Probe {
        const ID: SubjectId = SubjectId::Parkade;
        type Lock = Mutex<u64>;

        fn new(value: u64) -> Self::Lock {
            Mutex::new(value)
        }

        fn with<R>(lock: &Self::Lock, section: impl FnOnce(&mut u64) -> R) -> R {
            SEEN.lock().unwrap().push(fair_us());
            section(&mut lock.lock().unwrap())
        }

        fn try_with<R>(lock: &Self::Lock, section: impl FnOnce(&mut u64) -> R) -> Option<R> {
            lock.try_lock().ok().map(|mut value| section(&mut value))
        }
    }

    #[test]
    fn a_swept_lock_runs_with_its_setting_and_its_rivals_without() {
        let _alone = ONE_TUNER.lock().unwrap_or_else(PoisonError::into_inner);
        let before = fair_us();
        let mut subjects = sweep(&[111, 222]);
        subjects.push(SubjectId::Std.into());
        let mut order = Vec::new();
        plan(subjects.clone()).run_with(
            |step| assert!(fair_us() == before, "{step:?}"),
            |scenario, subject, limits| {
                SEEN.lock().unwrap().clear();
                let measured = harness::measure_as::<Probe>(scenario, limits);
                let mut seen = std::mem::take(&mut *SEEN.lock().unwrap());
                seen.dedup();
                let own = subject.tuning().first().map_or(before, |tuned| tuned.value());
                assert_eq!(seen, [own], "{subject}");
                order.push(subject.clone());
                measured
            },
        );
        assert_eq!(fair_us(), before);
        // Round by round: each of them in every round.
        for round in order.chunks(subjects.len()) {
            assert!(subjects.iter().all(|subject| round.contains(subject)), "{round:?}");
        }
    }

    #[test]
    fn a_round_that_panics_leaves_the_settings_as_they_were() {
        let _alone = ONE_TUNER.lock().unwrap_or_else(PoisonError::into_inner);
        let before = fair_us();
        let run = || plan(sweep(&[111])).run_with(|_| (), |_, _, _| panic!("at {}", fair_us()));
        let panic = catch_unwind(AssertUnwindSafe(run)).unwrap_err();
        assert_eq!(*panic.downcast::<String>().unwrap(), "at 111");
        assert_eq!(fair_us(), before);
    }
}
