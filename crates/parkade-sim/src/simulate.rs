//! One run: a machine, a scenario, a lock, a seed.

use std::time::Duration;

use parkade_bench::scenario::Scenario;

use crate::engine::Engine;
use crate::machine::Machine;
use crate::outcome::Outcome;
use crate::protocol::LockId;
use crate::time::NS;
use crate::workload::Workload;

/// What is simulated.
#[derive(Debug, Clone)]
pub struct Run<'a> {
    /// Where.
    pub machine: &'a Machine,
    /// What the threads do.
    pub scenario: &'a Scenario,
    /// With which lock.
    pub lock: LockId,
    /// The seed of all that is random.
    pub seed: u64,
    /// For how long at most.
    pub time: Duration,
    /// Operations after which a thread ends.
    pub ops_per_thread: Option<u64>,
    /// Unrelated threads that keep a core busy.
    pub noise: usize,
}

/// Simulates it.
#[must_use]
pub fn simulate(run: &Run<'_>) -> Outcome {
    let mut engine = prepare(run);
    let time = run.scenario.round_time(run.time);
    engine.run_until(time.as_nanos() as u64 * NS);
    engine.outcome()
}

/// The run before anything has happened.
pub(crate) fn prepare(run: &Run<'_>) -> Engine {
    let costs = run.machine.costs();
    let workload = Workload {
        ops_per_thread: run.ops_per_thread,
        noise: run.noise,
        ..Workload::of(run.scenario, &costs)
    };
    Engine::new(costs, &workload, run.seed, |setup| run.lock.build(setup))
}
