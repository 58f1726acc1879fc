//! Evidence for how far the simulator can be trusted: it repeats itself, its protocols exclude and
//! lose no wake (the engine asserts both), and it agrees with what was measured and published as
//! far as `docs/scaling.md` says.

use std::time::Duration;

use parkade_bench::scenario::{self, Scenario};
use parkade_sim::trust::{self, Bench, CLOSE_RIVALS, Measured, RIVALS};
use parkade_sim::{LockId, Machine, Outcome, Run, simulate};

fn run(machine: &Machine, scenario: &Scenario, lock: LockId, seed: u64, millis: u64) -> Outcome {
    let time = Duration::from_millis(millis);
    simulate(&Run { machine, scenario, lock, seed, time, ops_per_thread: None, noise: 0 })
}

fn named(name: &str) -> Scenario {
    scenario::find(name).expect("a scenario of the catalogue")
}

#[test]
fn a_seed_repeats_a_run_and_another_does_not() {
    let machine = Machine::stored("epyc-2").unwrap();
    for &lock in LockId::ALL {
        let of = |seed| run(&machine, &named("cs2us-8"), lock, seed, 5);
        assert_eq!(of(7), of(7), "{lock}");
        assert_ne!(of(7), of(8), "{lock}");
    }
}

#[test]
fn every_protocol_excludes_and_loses_no_wake() {
    for (machine, cores) in [("epyc-2", 2), ("epyc-2", 1), ("xeon-8580x2", 8)] {
        let machine = Machine::stored(machine).unwrap().with_cores(cores).unwrap();
        for &lock in LockId::ALL {
            for name in ["short-16", "mixed-8", "cs20us-8", "long-8", "hog-6", "many-32x64"] {
                // A lock that only spins is no use where sleepers hold it.
                if lock == LockId::Spin && matches!(name, "long-8" | "hog-6") {
                    continue;
                }
                let outcome = run(&machine, &named(name), lock, 3, 5);
                assert!(outcome.ops() > 0 || name == "hog-6", "{name} {lock} {cores}");
            }
        }
    }
}

#[test]
fn every_thread_ends_when_operations_are_limited() {
    let machine = Machine::stored("i9-10980xe").unwrap();
    for &lock in LockId::ALL {
        let outcome = simulate(&Run {
            machine: &machine,
            scenario: &named("many-32x2"),
            lock,
            seed: 1,
            time: Duration::from_secs(5),
            ops_per_thread: Some(500),
            noise: 0,
        });
        assert_eq!(outcome.per_thread, [500; 32], "{lock}");
    }
}

#[test]
fn noise_takes_time_away() {
    let machine = Machine::stored("epyc-2").unwrap();
    let of = |noise| {
        let scenario = &named("cs20us-8");
        let time = Duration::from_millis(60);
        let lock = LockId::Std;
        simulate(&Run {
            machine: &machine,
            scenario,
            lock,
            seed: 1,
            time,
            ops_per_thread: None,
            noise,
        })
    };
    assert!(of(2).ops() < of(0).ops());
}

#[test]
fn rivals_rank_as_measured() {
    let machine = Machine::stored("epyc-2").unwrap();
    let measured = Measured::stored();
    let comparisons = trust::compare(&measured, &machine, 1, |_| ());
    assert_eq!(comparisons.len(), 18);
    // docs/scaling.md: 0.80 with this seed, 0.71 with another; the aim is 0.8 with all.
    let all = trust::overall(&comparisons, RIVALS).unwrap();
    assert!(all >= 0.65, "{all}");
    let close = trust::overall(&comparisons, CLOSE_RIVALS).unwrap();
    assert!(
        (0.2..0.6).contains(&close),
        "{close}: docs/scaling.md says that it does not tell them"
    );
    // What the measurement itself can decide.
    let repeated = trust::repeatability(&measured, &comparisons, RIVALS, 1);
    assert!((0.95..0.99).contains(&repeated), "{repeated}");
    let repeated = trust::repeatability(&measured, &comparisons, CLOSE_RIVALS, 1);
    assert!((0.88..0.95).contains(&repeated), "{repeated}");
    for comparison in comparisons.iter().filter(|c| c.scenario.starts_with("short-")) {
        let correlation = comparison.correlation(RIVALS).unwrap();
        assert!(correlation >= 0.6, "{comparison:?}");
    }
}

#[test]
fn published_figures_come_out_within_a_factor_of_two() {
    let mut outside = Vec::new();
    for published in trust::published() {
        let factor = published.factor(published.simulated(1));
        if !(0.5..=2.0).contains(&factor) {
            outside.push((published.source, published.lock, published.threads));
        }
    }
    // docs/scaling.md names them.
    let known = [("parking_lot #418", LockId::Std, 32)];
    assert!(outside.iter().all(|figure| known.contains(figure)), "{outside:?}");
}

#[test]
fn the_collapse_is_there() {
    let factor = |threads| {
        let of = |lock| {
            trust::published()
                .into_iter()
                .find(|p| p.lock == lock && p.threads == threads && p.bench == Bench::ParkingLot)
                .expect("a published figure")
                .simulated(1)
        };
        of(LockId::Std) / of(LockId::ParkingLot012)
    };
    assert!(factor(18) > 4.0);
    assert!(factor(36) > 6.0);
}
