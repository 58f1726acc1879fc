//! The waiting policy, by its decisions, on a virtual clock.
#![cfg(not(loom))]

use parkade_core::{
    Moment,
    policy::{Bias, Hints, Pace, QueuedWait, Step, Surroundings, Wait},
    tuning,
};
use std::{cell::Cell, sync::atomic::AtomicU32, time::Duration};

/// A world of one thread, where time passes when the policy lets it pass.
#[derive(Default)]
struct World {
    now_ns: Cell<u64>,
    clock_reads: Cell<u32>,
    pace: Pace,
    hints: Hints,
    processors: Cell<u32>,
    yields: AtomicU32,
    switches: Cell<u64>,
    /// How long a yield takes.
    away_ns: Cell<u64>,
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
    fn processors(&self) -> u32 {
        self.processors.get()
    }
    fn processor(&self) -> usize {
        0
    }
    fn yields_on(&self, _processor: usize) -> &AtomicU32 {
        &self.yields
    }
    fn switches(&self) -> Option<u64> {
        Some(self.switches.get())
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
    /// A world with the default settings of a machine with several processors, whatever machine
    /// and environment this is.
    fn new() -> World {
        let us = Duration::from_micros;
        tuning::set_spin(us(3)).unwrap();
        tuning::set_spin_max(us(25)).unwrap();
        tuning::set_poll_gap(Duration::from_nanos(10)).unwrap();
        tuning::set_yield_interval(us(50)).unwrap();
        tuning::set_fair_interval(us(500)).unwrap();
        World::unset()
    }

    fn unset() -> World {
        let world = World::default();
        world.away_ns.set(400);
        world.processors.set(2);
        world
    }

    fn pass(&self, ns: u64) {
        self.now_ns.set(self.now_ns.get() + ns);
    }

    /// Waits for a lock that becomes free after `free_after` nanoseconds of pauses.
    fn wait(&self, key: usize, free_after: u64) -> Stretch {
        self.wait_until(key, free_after, None)
    }

    fn wait_until(&self, key: usize, free_after: u64, deadline: Option<Moment>) -> Stretch {
        let mut wait = Wait::begin_in(self, key, deadline);
        let mut stretch = Stretch::default();
        loop {
            match wait.step() {
                Step::Pause(ns) => {
                    self.pass(u64::from(ns));
                    stretch.polls += 1;
                    stretch.polled_ns += u64::from(ns);
                }
                Step::Yield => {
                    self.pass(self.away_ns.get());
                    self.switches.set(self.switches.get() + 1);
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

    /// First in line at `key`, is notified after so many nanoseconds of polling, or sleeps; how long it polled.
    fn queue(&self, key: usize, notified_after: u64) -> u64 {
        self.queue_until(key, notified_after, None)
    }

    fn queue_until(&self, key: usize, notified_after: u64, deadline: Option<Moment>) -> u64 {
        World::poll_queued(QueuedWait::begin_in(self, key, deadline), notified_after)
    }

    /// The same, for threads that run beside it.
    fn queue_beside(&self, key: usize, notified_after: u64) -> u64 {
        World::poll_queued(QueuedWait::begin_beside_in(self, key, None), notified_after)
    }

    fn poll_queued(mut wait: QueuedWait<&World>, notified_after: u64) -> u64 {
        let mut polled = 0;
        while polled < notified_after {
            match wait.step() {
                Step::Pause(ns) => polled += u64::from(ns),
                Step::Park => return polled,
                Step::Yield => panic!("a queued waiter yields"),
            }
        }
        wait.notified();
        polled
    }

    /// The longest polling in vain of the next few waits, probes left out.
    fn budget(&self, key: usize) -> u64 {
        let mut budgets: Vec<_> = (0..3).map(|_| self.wait(key, u64::MAX).polled_ns).collect();
        budgets.sort_unstable();
        budgets[1]
    }
}

const NEVER: u64 = u64::MAX;
/// So many waits in a queue before it is probed whether polling would pay.
const UNPROBED: usize = 31;
const LEAST: u64 = 3_000;
const MOST: u64 = 25_000;

/// Yields, 500 ns each and a few of them, are paid out of the budget.
fn about(polled: u64, budget: u64) -> bool {
    (budget - budget / 5..=budget).contains(&polled)
}

#[test]
fn an_unknown_lock_is_polled_for_the_least_budget() {
    let world = World::new();
    let stretch = world.wait(8, NEVER);
    assert!(about(stretch.polled_ns, LEAST), "{stretch:?}");
    assert!(!stretch.acquired);
}

#[test]
fn a_lock_that_repays_long_polling_is_polled_longer_and_others_are_not() {
    let world = World::new();
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
    let world = World::new();
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
    let world = World::new();
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
    let world = World::new();
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
    assert!(
        reads <= (polls + yields) / 4 + 2 * yields + 1,
        "{reads} clock readings, {polls} polls"
    );
}

#[test]
fn threads_take_turns_only_where_a_second_look_is_often_enough() {
    let world = World::new();
    let first_gap = |world: &World| match Wait::begin_in(world, 8, None).step() {
        Step::Pause(ns) => u128::from(ns),
        other => panic!("{other:?}"),
    };
    let second_look = |one_in: u32| {
        for wait in 0..1_000 {
            if wait % one_in == 0 {
                Wait::begin_in(&world, 8, None).acquired();
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
    let world = World::new();
    world.pass(1_000_000_000);
    let mut wait = Wait::begin_in(&world, 8, None);
    wait.queueing();
    wait.woken();
    for _ in 0..6 {
        assert!(matches!(wait.step(), Step::Pause(_)));
    }
}

#[test]
fn a_claim_needs_a_wake_and_the_interval() {
    let world = World::new();
    let fair = tuning::fair_interval().as_nanos() as u64;
    let mut wait = Wait::begin_in(&world, 8, None);
    wait.queueing();
    world.pass(100 * fair);
    assert!(!wait.may_claim(), "was never woken");

    let mut wait = Wait::begin_in(&world, 8, None);
    wait.queueing();
    wait.woken();
    world.pass(fair - 1);
    assert!(!wait.may_claim());
    // A later wake does not start the interval anew.
    wait.woken();
    world.pass(1);
    assert!(wait.may_claim());

    let mut wait = Wait::begin_in(&world, 8, None);
    wait.queueing();
    world.pass(4 * fair);
    wait.woken();
    assert!(wait.may_claim(), "was in the queue for four intervals");
}

#[test]
fn a_deadline_ends_the_polling_and_forbids_yields() {
    let world = World::new();
    world.pass(1_000_000_000);
    world.switches.set(1); // It has slept.
    let now = Moment::from_nanos(world.now_ns.get());
    assert_eq!(world.wait_until(8, NEVER, Some(now)), Stretch::default());
    let soon = now.plus(Duration::from_nanos(700));
    assert_eq!(world.wait_until(8, NEVER, Some(soon)).polled_ns, 700);
    for _ in 0..100 {
        let late = Moment::from_nanos(world.now_ns.get()).plus(Duration::from_secs(1));
        let stretch = world.wait_until(8, NEVER, Some(late));
        assert_eq!(stretch.yields, 0);
        world.pass(60_000);
    }
}

#[test]
fn a_stretch_yields_six_times_at_most() {
    let world = World::new();
    for _ in 0..64 {
        world.wait(8, 20_000);
    }
    // Every yield takes so long that the next is due at once, were there no limit.
    world.away_ns.set(400_000);
    for _ in 0..64 {
        let stretch = world.wait(8, NEVER);
        assert!(stretch.yields <= 6, "{stretch:?}");
    }
}

#[test]
fn a_thread_that_slept_elsewhere_does_not_yield_for_having_been_away() {
    let world = World::new();
    let mut yields = 0;
    for _ in 0..1_000 {
        world.pass(1_000_000);
        world.switches.set(world.switches.get() + 1);
        yields += world.wait(8, 300).yields;
    }
    assert_eq!(yields, 0);
    // But one that computed all the time does.
    for _ in 0..1_000 {
        world.pass(1_000_000);
        yields += world.wait(8, 300).yields;
    }
    assert!(yields > 900, "{yields}");
}

#[test]
fn strangers_for_a_millisecond_get_no_more_than_they_give() {
    let world = World::new();
    let share = |world: &World| {
        let (begin, mut away) = (world.now_ns.get(), 0);
        for _ in 0..20_000 {
            world.pass(300);
            away += u64::from(world.wait(8, 300).yields) * world.away_ns.get();
        }
        100 * away / (world.now_ns.get() - begin)
    };
    // Whoever takes the processor for a millisecond is not a waiter of ours.
    world.away_ns.set(1_000_000);
    let strangers = share(&world);
    assert!((40..=55).contains(&strangers), "{strangers} % for strangers");
    // Two hundred microseconds are a few turns of ours, and they will be returned.
    world.away_ns.set(200_000);
    let ours = share(&world);
    assert!(ours > 70, "{ours} % for others");
}

#[test]
fn waking_up_to_a_free_lock_says_nothing_of_its_sections() {
    let world = World::new();
    for _ in 0..1_000 {
        let mut wait = Wait::begin_in(&world, 8, None);
        while wait.step() != Step::Park {}
        wait.queueing();
        wait.woken();
        wait.acquired();
    }
    assert_eq!(Wait::begin_in(&world, 8, None).step(), Step::Pause(10));
}

#[test]
fn polling_in_vain_and_then_getting_the_lock_on_the_way_to_bed_teaches_nothing() {
    let world = World::new();
    for _ in 0..20 {
        let mut wait = Wait::begin_in(&world, 8, None);
        while wait.step() != Step::Park {}
        wait.acquired();
    }
    assert!(about(world.budget(8), LEAST), "{}", world.budget(8));
}

#[test]
fn who_waits_for_threads_beside_it_polls_even_where_nothing_is_known() {
    let world = World::unset();
    for _ in 0..UNPROBED {
        assert_eq!(world.queue_beside(8, NEVER), LEAST);
    }
    // A probe in vain teaches nothing, and what has paid raises the budget.
    assert_eq!(world.queue_beside(8, NEVER), MOST);
    assert!((2_900..3_000).contains(&world.queue_beside(8, 2_900)));
    assert!(world.queue_beside(8, NEVER) > LEAST + 2_000);
    // In vain it falls again, but not below the least.
    let polled: Vec<_> = (0..40).map(|_| world.queue_beside(8, NEVER)).collect();
    assert_eq!(polled[39], LEAST, "{polled:?}");
}

#[test]
fn a_queued_waiter_sleeps_at_once_but_for_probes_that_become_rare() {
    let world = World::new();
    let polled: Vec<_> = (0..10_000).map(|_| world.queue(8, NEVER)).collect();
    assert!(polled.iter().all(|&polled| polled == 0 || polled == MOST));
    let probes: Vec<_> = (0..polled.len()).filter(|&i| polled[i] > 0).collect();
    let gaps: Vec<_> = probes.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(probes[0], UNPROBED);
    assert_eq!(gaps[..5], [64, 128, 256, 512, 1024]);
    assert!(gaps[5..].iter().all(|&gap| gap == 1024), "{gaps:?}");
}

#[test]
fn a_queue_where_polling_pays_is_polled_twice_as_long_and_others_are_not() {
    let world = World::new();
    for _ in 0..UNPROBED {
        assert_eq!(world.queue(8, 4_000), 0);
    }
    assert!((4_000..4_100).contains(&world.queue(8, 4_000)), "the probe");
    let polled = world.queue(8, NEVER);
    assert!((7_500..=8_500).contains(&polled), "{polled}");
    assert_eq!(world.queue(16, NEVER), 0, "another queue");
    // A probe that has paid is not followed by fewer.
    let until_probe = (0..).take_while(|_| world.queue(16, NEVER) == 0).count();
    assert_eq!(until_probe, UNPROBED - 2);
}

#[test]
fn a_queue_where_polling_no_longer_pays_is_left_alone_soon() {
    let world = World::new();
    for _ in 0..=UNPROBED {
        world.queue(8, 20_000);
    }
    let polled: Vec<_> = (0..UNPROBED).map(|_| world.queue(8, NEVER)).collect();
    assert!(polled.is_sorted_by(|a, b| a >= b), "{polled:?}");
    assert!(polled[0] > 15_000 && polled[16..].iter().all(|&polled| polled == 0), "{polled:?}");
}

#[test]
fn a_deadline_ends_the_polling_in_a_queue_and_teaches_nothing() {
    let world = World::new();
    let soon = || Some(Moment::from_nanos(world.now_ns.get()).plus(Duration::from_nanos(700)));
    for _ in 0..UNPROBED {
        assert_eq!(world.queue_until(8, NEVER, soon()), 0);
    }
    assert_eq!(world.queue_until(8, NEVER, soon()), 700, "a probe, cut short");
    for _ in 0..UNPROBED {
        world.queue(8, 5_000);
    }
    world.queue(8, 5_000);
    let before = world.queue(8, 6_000);
    assert!(before >= 6_000, "{before}");
    for _ in 0..20 {
        assert_eq!(world.queue_until(8, NEVER, soon()), 700);
    }
    assert!(world.queue(8, 6_000) >= 6_000, "forgotten");
}

#[test]
fn waiting_in_a_queue_without_a_budget_reads_no_clock() {
    let world = World::new();
    for _ in 0..UNPROBED {
        world.queue_until(8, NEVER, Some(Moment::NEVER));
    }
    assert_eq!(world.clock_reads.get(), 0);
}

#[test]
fn on_many_processors_one_waiter_polls_a_lock_for_long() {
    let world = World::new();
    let long = |wait: &mut Wait<&World>| {
        let polls = std::iter::from_fn(|| Some(wait.step())).take_while(|step| *step != Step::Park);
        polls.take(8).count() == 8
    };
    // More than it takes to count, and less than a budget.
    for (processors, second_polls) in [(2, true), (3, false), (64, false)] {
        world.processors.set(processors);
        let mut first = Wait::begin_in(&world, 8, None);
        assert!(long(&mut first));
        let mut second = Wait::begin_in(&world, 8, None);
        assert_eq!(long(&mut second), second_polls, "{processors} processors");
        let mut elsewhere = Wait::begin_in(&world, 8_000, None);
        assert!(long(&mut elsewhere));
        // However the first one ends, there is room for another.
        first.acquired();
        drop((first, second));
        let mut third = Wait::begin_in(&world, 8, None);
        assert!(long(&mut third));
        third.queueing();
        assert!(long(&mut Wait::begin_in(&world, 8, None)));
        assert!(long(&mut Wait::begin_in(&world, 8, None)));
    }
}

/// Grants and denials of bias, on a clock of their own.
struct Biases {
    bias: Bias,
    now_ns: Cell<u64>,
}

const MS: u64 = 1_000_000;

impl Biases {
    fn new() -> Biases {
        Biases { bias: Bias::new(), now_ns: Cell::new(1_000 * MS) }
    }

    fn pass(&self, ns: u64) {
        self.now_ns.set(self.now_ns.get() + ns);
    }

    fn now(&self) -> Moment {
        Moment::from_nanos(self.now_ns.get())
    }

    fn is_granted(&self, key: usize) -> bool {
        self.bias.is_granted(key, self.now())
    }

    /// How long it takes until the lock is granted bias, asked every microsecond.
    fn granted_after(&self, key: usize) -> u64 {
        let start = self.now_ns.get();
        while !self.is_granted(key) {
            self.pass(1_000);
            assert!(self.now_ns.get() < start + 1_000 * MS, "never");
        }
        self.now_ns.get() - start
    }

    /// The lock is granted bias when it may be, a writer takes it back after `lasts`, which costs so much;
    /// returns how long bias is denied then.
    fn denial(&self, key: usize, lasts: u64, cost: u64) -> u64 {
        if self.now_ns.get() == 1_000 * MS {
            assert!(self.is_granted(key));
        }
        self.pass(lasts);
        let began = self.now();
        self.pass(cost);
        self.bias.taken_back(key, began, self.now());
        self.granted_after(key)
    }
}

#[test]
fn bias_is_granted_a_thousand_times_a_second_in_all() {
    let biases = Biases::new();
    let granted = (0..100_000)
        .filter(|lock| {
            biases.pass(10_000);
            biases.is_granted(8 * lock)
        })
        .count();
    assert!((990..=1_000).contains(&granted), "{granted} in a second");
}

#[test]
fn bias_is_denied_for_nine_times_what_ending_it_cost() {
    for cost in [MS / 10, MS, 3 * MS] {
        assert_eq!(Biases::new().denial(8, 100 * cost, cost), 9 * cost);
    }
}

#[test]
fn bias_that_hardly_lasted_is_denied_for_twice_as_long_and_up_to_eight_milliseconds() {
    let (biases, cost) = (Biases::new(), MS / 10);
    let denials: Vec<_> = (0..6).map(|_| biases.denial(8, 100 * cost - 1_000, cost)).collect();
    assert_eq!(denials, [9, 18, 36, 72, 80, 80].map(|tenths| tenths * cost));
    // Once it has been worthwhile, all is forgiven.
    assert_eq!(biases.denial(8, 100 * cost, cost), 9 * cost);
    assert_eq!(biases.denial(8, 10 * cost, cost), 18 * cost);
}

#[test]
fn a_dear_fence_is_paid_for_however_long_that_takes() {
    let biases = Biases::new();
    assert_eq!(biases.denial(8, MS, 2 * MS), 18 * MS);
    assert_eq!(biases.denial(8, MS, 2 * MS), 18 * MS, "no longer than that");
}

#[test]
fn denying_one_lock_bias_does_not_deny_it_to_others() {
    let biases = Biases::new();
    assert!(biases.is_granted(8));
    biases.bias.taken_back(8, biases.now(), biases.now().plus(Duration::from_millis(100)));
    let others = (1..=64).filter(|lock| {
        biases.pass(2 * MS);
        biases.is_granted(8 + 8 * lock)
    });
    // They may share a record.
    assert!(others.count() > 56);
    assert!(!biases.is_granted(8));
}

#[test]
fn fenced_bias_goes_on_while_there_are_32_reads_a_write() {
    let biases = Biases::new();
    let bias = &biases.bias;
    assert!(!bias.fenced_pays(8, || biases.now()), "none has begun");
    for (reads, pays) in [(32, true), (32, true), (31, false)] {
        biases.pass(MS);
        assert!(bias.is_granted_fenced(8, biases.now()));
        let verdicts: Vec<_> = (0..16)
            .map(|_| {
                bias.fenced_reads(8, reads);
                bias.fenced_pays(8, || biases.now())
            })
            .collect();
        assert_eq!(verdicts, [vec![true; 15], vec![pays]].concat(), "{reads} reads");
    }
}

#[test]
fn fenced_bias_that_does_not_pay_is_denied_for_eight_milliseconds() {
    let deny_by_verdict = |biases: &Biases| {
        assert_eq!((0..16).filter(|_| !biases.bias.fenced_pays(8, || biases.now())).count(), 1);
    };
    let deny_by_sleep = |biases: &Biases| {
        biases.bias.fenced_taken_back(8, biases.now(), biases.now());
    };
    for deny in [&deny_by_verdict as &dyn Fn(&Biases), &deny_by_sleep] {
        let biases = Biases::new();
        assert!(biases.bias.is_granted_fenced(8, biases.now()));
        biases.pass(MS);
        deny(&biases);
        biases.pass(8 * MS - 1);
        assert!(!biases.bias.is_granted_fenced(8, biases.now()));
        biases.pass(1);
        assert!(biases.bias.is_granted_fenced(8, biases.now()));
    }
}

#[test]
fn a_period_that_begins_free_does_not_go_on_fenced() {
    let biases = Biases::new();
    let pays = || biases.bias.fenced_pays(8, || biases.now());
    assert!(biases.bias.is_granted_fenced(8, biases.now()) && pays());
    biases.pass(MS);
    assert!(biases.bias.may_set_free(8, biases.now()) && pays(), "it is still the same");
    biases.pass(MS);
    assert!(biases.is_granted(8) && !pays(), "of another lock, perhaps");
}

#[test]
fn fenced_bias_takes_grants_of_the_thousand() {
    let biases = Biases::new();
    assert!(biases.is_granted(8));
    assert!(!biases.bias.is_granted_fenced(16, biases.now()));
    biases.pass(MS);
    assert!(biases.bias.is_granted_fenced(16, biases.now()));
    assert!(!biases.is_granted(8));
}

/// Settings are process-wide, so they are read from the environment in a process of its own.
#[test]
fn settings_apply() {
    const CHILD: &str = "POLICY_CHILD";
    if std::env::var_os(CHILD).is_none() {
        for (spin, spin_max, expected) in
            [("0", "25000", 0), ("9000", "9000", 9_000), ("3000", "0", LEAST)]
        {
            let mut child = std::process::Command::new(std::env::current_exe().unwrap());
            for setting in tuning::settings() {
                child.env_remove(format!("PARKADE_{}", setting.name().to_uppercase()));
            }
            let child = child
                .args(["--exact", "settings_apply"])
                .env(CHILD, expected.to_string())
                .env("PARKADE_SPIN_NS", spin)
                .env("PARKADE_SPIN_MAX_NS", spin_max)
                .output()
                .unwrap();
            assert!(child.status.success(), "{spin} {spin_max}: {child:?}");
        }
        return;
    }
    let expected: u64 = std::env::var(CHILD).unwrap().parse().unwrap();
    let world = World::unset();
    for _ in 0..100 {
        let polled = world.wait(8, NEVER).polled_ns;
        assert!(polled <= expected && expected - polled <= 2_000, "{polled}, not {expected}");
        if expected == 0 {
            assert_eq!(world.queue(8, NEVER), 0, "a queue is polled");
        }
    }
}
