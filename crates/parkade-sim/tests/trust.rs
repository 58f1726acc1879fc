//! Evidence for how far the simulator can be trusted: it repeats itself, its protocols exclude and
//! lose no wake (the engine asserts both), and it agrees with what was measured and published as
//! far as `docs/scaling.md` says.

use std::time::Duration;

use parkade_bench::scenario::{self, Scenario};
use parkade_bench::suites::parking_lot::{Crew, Knobs, scenarios};
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
    // docs/scaling.md has the figures of five seeds and says what they are worth; the aim is 0.8.
    let all = trust::overall(&comparisons, RIVALS).unwrap();
    assert!(all >= 0.65, "{all}");
    let close = trust::overall(&comparisons, CLOSE_RIVALS).unwrap();
    assert!(
        (0.2..0.6).contains(&close),
        "{close}: docs/scaling.md says that it does not tell them"
    );
    let pairs = trust::pairs(&measured, &comparisons, RIVALS);
    assert!(pairs.somers_d() >= 0.5, "{pairs:?}");
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

/// The smallest the documented bound can be: the fair interval for each thread in line, with sections, polling
/// and the scheduler taking no time.
#[test]
fn the_longest_wait_is_bounded_and_throughput_does_not_collapse() {
    const FAIR_INTERVAL_NS: u64 = 500_000;
    let named = |threads| {
        let crews = vec![Crew::Alike(threads)];
        let knobs = Knobs { crews, inside: vec![5], outside: vec![5] };
        scenarios(&knobs).remove(0)
    };
    let machine = Machine::stored("i9-10980xe").unwrap();
    for threads in [18, 128] {
        let mut least = f64::INFINITY;
        for cores in [4, 16, 128] {
            let machine = machine.with_cores(cores).unwrap();
            // Longer than the bound, or no wait could break it.
            let outcome = run(&machine, &named(threads), LockId::Parkade, 1, 80);
            let bound = u64::from(threads - 1) * FAIR_INTERVAL_NS;
            assert!(outcome.waits.max_ns < bound, "{cores} {threads} {outcome:?}");
            // More cores may cost something, once; then no more.
            let rate = outcome.ops_per_sec();
            assert!(!least.is_finite() || rate > 0.6 * least, "{cores} {threads} {rate}");
            least = least.min(rate);
        }
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
    assert_eq!(outside, []);
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
