//! The waiting policy, by its decisions, on a virtual clock.
#![cfg(not(loom))]

use parkade_core::{
    Moment,
    policy::{Hints, Pace, Step, Surroundings, Wait},
    tuning,
};
use std::cell::Cell;
use std::time::Duration;

/// A world of one thread, where time passes when the policy lets it pass.
#[derive(Default)]
struct World {
    now_ns: Cell<u64>,
    clock_reads: Cell<u32>,
    pace: Pace,
    hints: Hints,
}

impl Surroundings for &World {
    fn now(&self) -> Moment {
        self.clock_reads.set(self.clock_reads.get() + 1);
        Moment::from_nanos(self.now_ns.get())
    }
    fn pace<R>(&self, use_it: impl FnOnce(&Pace) -> R) -> R {
        use_it(&self.pace)
    }
    fn hints(&self) -> &Hints {
        &self.hints
    }
}

/// What one stretch of polling amounted to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Stretch {
    polls: u32,
    polled_ns: u64,
    yields: u32,
    acquired: bool,
}

impl World {
    fn pass(&self, ns: u64) {
        self.now_ns.set(self.now_ns.get() + ns);
    }

    /// Waits for a lock that becomes free after `free_after` nanoseconds of pauses. A yield takes 400 ns.
    fn wait(&self, key: usize, free_after: u64) -> Stretch {
        let mut wait = Wait::begin_in(self, key);
        let mut stretch = Stretch::default();
        loop {
            match wait.step() {
                Step::Pause(ns) => {
                    self.pass(u64::from(ns));
                    stretch.polls += 1;
                    stretch.polled_ns += u64::from(ns);
                }
                Step::Yield => {
                    self.pass(400);
                    stretch.yields += 1;
                    wait.yielded();
                }
                Step::Park => return stretch,
            }
            if stretch.polled_ns >= free_after {
                wait.acquired();
                return Stretch { acquired: true, ..stretch };
            }
        }
    }

    /// The longest polling in vain of the next few waits, probes left out.
    fn budget(&self, key: usize) -> u64 {
        let mut budgets: Vec<_> = (0..3).map(|_| self.wait(key, u64::MAX).polled_ns).collect();
        budgets.sort_unstable();
        budgets[1]
    }
}

const NEVER: u64 = u64::MAX;
const LEAST: u64 = 3_000;
const MOST: u64 = 25_000;

/// Yields are paid out of the budget.
fn about(polled: u64, budget: u64) -> bool {
    (budget - 3_000..=budget).contains(&polled)
}

#[test]
fn an_unknown_lock_is_polled_for_the_least_budget() {
    let world = World::default();
    let stretch = world.wait(8, NEVER);
    assert!(about(stretch.polled_ns, LEAST), "{stretch:?}");
    assert!(!stretch.acquired);
}

#[test]
fn a_lock_that_repays_long_polling_is_polled_longer_and_others_are_not() {
    let world = World::default();
    // Sections of 15 us: only a probe can find out.
    let waits = (0..64).map(|_| world.wait(8, 15_000));
    let first = waits.into_iter().position(|stretch| stretch.acquired).expect("no probe");
    assert!(first < 32, "the first probe was wait {first}");
    let stretch = world.wait(8, 15_000);
    assert!(stretch.acquired, "{stretch:?}");
    assert!(about(world.budget(8 * 1000), LEAST));
}

#[test]
fn a_hint_that_no_longer_pays_wears_off() {
    let world = World::default();
    for _ in 0..64 {
        world.wait(8, 15_000);
    }
    let before = world.budget(8);
    assert!(before > 15_000, "{before}");
    let spent: u64 = (0..64).map(|_| world.wait(8, NEVER).polled_ns).sum();
    assert!(about(world.budget(8), LEAST), "{}", world.budget(8));
    // Two probes and a geometric series, not 64 long polls.
    assert!(spent < 64 * LEAST + 2 * MOST + 4 * MOST, "{spent}");
}

#[test]
fn a_stuck_waiter_yields_and_ever_more_rarely() {
    let world = World::default();
    for _ in 0..64 {
        world.wait(8, 20_000);
    }
    // Probe or learnt: the largest budget, with yields after 2.5, 5, 10 and 20 us.
    let stretch = world.wait(8, NEVER);
    assert!(about(stretch.polled_ns, MOST), "{stretch:?}");
    assert_eq!(stretch.yields, 4);
}

#[test]
fn short_waits_yield_once_in_the_interval_and_rarely_read_the_clock() {
    let world = World::default();
    let (mut polls, mut yields) = (0, 0);
    for _ in 0..4_000 {
        world.pass(300); // the thread's own work
        let stretch = world.wait(8, 200);
        assert!(stretch.acquired);
        polls += stretch.polls;
        yields += stretch.yields;
    }
    let elapsed = Duration::from_nanos(world.now_ns.get());
    let expected = (elapsed.as_nanos() / tuning::yield_interval().as_nanos()) as u32;
    assert!(yields.abs_diff(expected) <= 1 + expected / 10, "{yields}, not {expected}");
    let reads = world.clock_reads.get();
    assert!(reads <= (polls + yields) / 4 + yields + 1, "{reads} clock readings, {polls} polls");
}

#[test]
fn threads_take_turns_only_where_a_second_look_is_often_enough() {
    let world = World::default();
    let first_gap = |world: &World| match Wait::begin_in(world, 8).step() {
        Step::Pause(ns) => u128::from(ns),
        other => panic!("{other:?}"),
    };
    let second_look = |one_in: u32| {
        for wait in 0..1_000 {
            if wait % one_in == 0 {
                Wait::begin_in(&world, 8).acquired();
            } else {
                assert!(world.wait(8, 20).acquired);
            }
        }
        first_gap(&world)
    };
    let usual = tuning::poll_gap().as_nanos();
    assert_eq!(first_gap(&world), usual);
    assert_eq!(second_look(10), usual);
    assert!(second_look(2) > usual);
    assert_eq!(second_look(10), usual);
}

#[test]
fn a_sleeper_that_was_just_woken_does_not_yield_at_once() {
    let world = World::default();
    world.pass(1_000_000_000);
    let mut wait = Wait::begin_in(&world, 8);
    wait.queueing();
    wait.woken();
    for _ in 0..6 {
        assert!(matches!(wait.step(), Step::Pause(_)));
    }
}

#[test]
fn a_claim_needs_a_wake_and_the_interval() {
    let world = World::default();
    let fair = tuning::fair_interval().as_nanos() as u64;
    let mut wait = Wait::begin_in(&world, 8);
    wait.queueing();
    world.pass(100 * fair);
    assert!(!wait.may_claim(), "was never woken");

    let mut wait = Wait::begin_in(&world, 8);
    wait.queueing();
    wait.woken();
    world.pass(fair - 1);
    assert!(!wait.may_claim());
    // A later wake does not start the interval anew.
    wait.woken();
    world.pass(1);
    assert!(wait.may_claim());

    let mut wait = Wait::begin_in(&world, 8);
    wait.queueing();
    world.pass(4 * fair);
    wait.woken();
    assert!(wait.may_claim(), "was in the queue for four intervals");
}

/// Settings are process-wide, so they are changed in a process of their own.
#[test]
fn settings_apply() {
    const CHILD: &str = "PARKADE_POLICY_CHILD";
    if std::env::var_os(CHILD).is_none() {
        for (name, value, expected) in [
            ("PARKADE_SPIN_NS", "0", 0),
            ("PARKADE_SPIN_NS", "9000", 9_000),
            // No more than the largest budget, but the least one wins.
            ("PARKADE_SPIN_MAX_NS", "0", LEAST),
        ] {
            let child = std::process::Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "settings_apply"])
                .env(CHILD, expected.to_string())
                .env(name, value)
                .output()
                .unwrap();
            assert!(child.status.success(), "{name}={value}: {child:?}");
        }
        return;
    }
    let expected: u64 = std::env::var(CHILD).unwrap().parse().unwrap();
    let world = World::default();
    for _ in 0..100 {
        let polled = world.wait(8, NEVER).polled_ns;
        let probe = expected >= LEAST && about(polled, MOST) && tuning::spin_max() > tuning::spin();
        assert!(probe || expected.saturating_sub(polled) <= 1_500, "{polled}, not {expected}");
        assert!(probe || polled <= expected, "{polled}, not {expected}");
    }
}
