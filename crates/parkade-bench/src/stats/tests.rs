use super::*;
use crate::report::Hog;
use crate::report::samples::{self, cell, side};
use crate::scenario::Role;

fn waits(max_ns: u64) -> Option<Waits> {
    Some(Waits {
        samples: 10,
        mean_ns: 1.0,
        stddev_ns: 1.0,
        p50_ns: 1,
        p99_ns: 2,
        p999_ns: 3,
        max_ns,
        sampled_max_ns: max_ns,
        watched_max_ns: 0,
        gap_max_ns: max_ns,
        resolution_ns: 0,
    })
}

fn round(per_thread: &[u64], max_ns: u64) -> Round {
    Round {
        cpu_secs: Some(2.0),
        context_switches: Some(10),
        waits: waits(max_ns),
        ..samples::round(1.0, per_thread)
    }
}

fn scenario(name: &str, cells: Vec<Cell>) -> ScenarioReport {
    let known = crate::scenario::find(name).unwrap();
    ScenarioReport::new(&known, cells)
}

fn with_hog(mut round: Round, hog_ops: u64) -> Round {
    round.hog = Some(Hog { ops: hog_ops, held_secs: 0.5 });
    round
}

fn wait_ratio(summary: &ScenarioSummary) -> Option<f64> {
    summary.cell(SubjectId::Parkade).unwrap().ratios.wait
}

/// The only verdict of a run with one kind of Parkade.
fn verdict(reports: &[ScenarioReport]) -> Verdict {
    let mut all = Verdict::all(reports);
    assert_eq!(all.len(), 1);
    all.remove(0)
}

#[test]
fn medians() {
    assert_eq!(median([]), None);
    assert_eq!(median([3.0, 1.0, 2.0]), Some(2.0));
    assert_eq!(median([4.0, 1.0, 2.0, 3.0]), Some(2.5));
}

#[test]
fn spreads() {
    assert_eq!(spread(&[]), None);
    assert_eq!(spread(&[5.0, 5.0]), Some(0.0));
    assert_eq!(spread(&[0.0, 0.0]), Some(0.0));
    // Mean 5, standard deviation 2.
    assert_eq!(spread(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]), Some(0.4));
}

#[test]
fn geometric_means() {
    assert_eq!(geometric_mean(&[]), None);
    assert_eq!(geometric_mean(&[1.0, 0.0]), None);
    let mean = geometric_mean(&[0.5, 2.0, 4.0, 0.25]).unwrap();
    assert!((mean - 1.0).abs() < 1e-12);
}

#[test]
fn the_ratio_is_the_median_of_ratios_within_rounds() {
    let report = scenario(
        "mixed-2",
        vec![
            cell(
                SubjectId::Parkade,
                vec![round(&[60, 60], 9), round(&[40, 40], 9), round(&[9, 9], 9)],
            ),
            cell(SubjectId::Std, vec![round(&[50, 50], 8), round(&[20, 20], 8), round(&[6, 6], 8)]),
            cell(SubjectId::Saa, vec![round(&[10, 10], 3), round(&[80, 80], 3), round(&[5, 5], 3)]),
        ],
    );
    let summary = ScenarioSummary::of(&report);
    // 1.2, 0.5 and 1.5.
    assert_eq!(summary.cell(SubjectId::Parkade).unwrap().ratios.throughput, Some(1.2));
    assert_eq!(summary.best_rival, Some(SubjectId::Std));
}

#[test]
fn the_fairest_rival_needs_half_of_the_best_throughput() {
    let report = scenario(
        "mixed-8",
        vec![
            cell(SubjectId::Parkade, vec![round(&[50, 50], 600)]),
            cell(SubjectId::Std, vec![round(&[50, 50], 900)]),
            cell(SubjectId::Usync, vec![round(&[25, 25], 500)]),
            cell(SubjectId::Saa, vec![round(&[24, 25], 1)]),
        ],
    );
    let summary = ScenarioSummary::of(&report);
    assert_eq!(summary.best_rival, Some(SubjectId::Std));
    assert_eq!(summary.fairest_rival, Some(SubjectId::Usync));
    assert_eq!(wait_ratio(&summary), Some(1.2));
    let verdict = verdict(&[report]);
    assert!(verdict.results[0].throughput_reached());
    assert!(!verdict.results[0].wait_reached());
}

#[test]
fn who_starves_the_hog_does_not_count() {
    let report = scenario(
        "hog-6",
        vec![
            cell(SubjectId::Parkade, vec![with_hog(round(&[100], 5), 700)]),
            cell(SubjectId::ParkingLot012, vec![with_hog(round(&[80], 9), 1000)]),
            cell(SubjectId::ParkingLot013, vec![with_hog(round(&[90], 7), 500)]),
            cell(SubjectId::Usync, vec![with_hog(round(&[900], 1), 499)]),
        ],
    );
    let summary = ScenarioSummary::of(&report);
    assert_eq!(summary.disregarded, [SubjectId::Usync]);
    assert_eq!(summary.best_rival, Some(SubjectId::ParkingLot013));
    assert_eq!(summary.fairest_rival, Some(SubjectId::ParkingLot013));
    assert!(!summary.cell(SubjectId::Parkade).unwrap().starves_hog);
    let usync = summary.cell(SubjectId::Usync).unwrap();
    assert!(usync.starves_hog);
    assert_eq!(usync.ratios.throughput, Some(10.0));
}

#[test]
fn parkade_gets_no_mark_for_starving_the_hog() {
    let report = scenario(
        "hog-6",
        vec![
            cell(SubjectId::Parkade, vec![with_hog(round(&[100], 5), 499)]),
            cell(SubjectId::ParkingLot012, vec![with_hog(round(&[80], 9), 1000)]),
        ],
    );
    let verdict = verdict(&[report]);
    assert_eq!(verdict.results[0].throughput, 1.25);
    assert!(!verdict.results[0].throughput_reached());
    assert_eq!(verdict.overall(Measure::Throughput), None);
    assert_eq!(verdict.overall(Measure::Cpu), None);
}

#[test]
fn summaries() {
    let report = scenario(
        "mixed-2",
        vec![cell(
            SubjectId::Std,
            vec![round(&[10, 30], 5), round(&[20, 20], 7), round(&[5, 50], 100)],
        )],
    );
    let summary = ScenarioSummary::of(&report);
    let std = summary.cell(SubjectId::Std).unwrap();
    assert_eq!(std.ops_per_sec, 40.0);
    assert_eq!((std.slowest, std.fastest), (10.0, 30.0));
    assert_eq!(std.share, 10.0 / 30.0);
    assert_eq!(std.cpu_ns, Some(2.0e9 / 40.0));
    assert_eq!(std.switches, Some(0.25));
    let waits = std.waits.unwrap();
    assert_eq!((waits.max, waits.max_of_all), (7.0, 100.0));
    // The best rival measured against itself.
    assert_eq!(std.ratios.throughput, Some(1.0));
    assert_eq!(Verdict::all(&[report]), []);
}

#[test]
fn the_verdict_sums_up_marks_only() {
    let pair = |name: &str, ours: u64, theirs: u64| {
        scenario(
            name,
            vec![
                cell(SubjectId::Parkade, vec![round(&[ours], 1)]),
                cell(SubjectId::Std, vec![round(&[theirs], 1)]),
            ],
        )
    };
    let verdict = verdict(&[
        pair("empty-loop", 1000, 100),
        pair("uncontended", 200, 100),
        pair("mixed-2", 50, 100),
        pair("mixed-64", 1, 100),
    ]);
    assert_eq!(verdict.results.len(), 3);
    let throughput = verdict.overall(Measure::Throughput).unwrap();
    assert_eq!((&*throughput.worst, throughput.worst_value), ("mixed-2", 0.5));
    assert!((throughput.value - 1.0).abs() < 1e-12);
    assert_eq!((throughput.scenarios, throughput.reached), (2, false));
    assert!(verdict.results[0].throughput_reached());
}

#[test]
fn longest_waits_below_the_resolution_are_equal() {
    let coarse = |per_thread: &[u64], max_ns| {
        let mut round = round(per_thread, max_ns);
        round.waits.as_mut().unwrap().resolution_ns = 2_000_000;
        round
    };
    let report = scenario(
        "mixed-8",
        vec![
            cell(SubjectId::Parkade, vec![coarse(&[50, 50], 1_900_000)]),
            cell(SubjectId::Std, vec![coarse(&[50, 50], 90)]),
            cell(SubjectId::Usync, vec![coarse(&[50, 50], 4_000_000)]),
        ],
    );
    let summary = ScenarioSummary::of(&report);
    assert_eq!(summary.fairest_rival, Some(SubjectId::Std));
    assert_eq!(wait_ratio(&summary), Some(1.0));
}

/// A round of `ops` operations that cost this much processor time and so many switches.
fn costly(ops: u64, cpu_secs: f64, switches: u64) -> Round {
    let costs =
        |round| Round { cpu_secs: Some(cpu_secs), context_switches: Some(switches), ..round };
    costs(round(&[ops / 2, ops - ops / 2], 9))
}

#[test]
fn costs_are_compared_with_the_best_rival_s_of_the_round() {
    let report = scenario(
        "mixed-2",
        vec![
            cell(SubjectId::Parkade, vec![costly(100, 3.0, 0), costly(100, 3.0, 0)]),
            // The best in the first round.
            cell(SubjectId::Std, vec![costly(100, 2.0, 0), costly(50, 1.0, 0)]),
            // The best in the second; in both it takes the least for an operation.
            cell(SubjectId::Usync, vec![costly(80, 0.8, 0), costly(100, 1.0, 0)]),
        ],
    );
    let summary = ScenarioSummary::of(&report);
    let ours = summary.cell(SubjectId::Parkade).unwrap().ratios;
    // 1.5 and 3.
    assert_eq!(ours.cpu, Some(2.25));
    assert!((ours.cpu_least.unwrap() - 3.0).abs() < 1e-12);
    assert_eq!(ours.switches, None, "no parking_lot 0.13");
    let verdict = verdict(&[report]);
    assert_eq!(verdict.overall(Measure::Cpu).unwrap().value, 2.25);
    assert!(!verdict.overall(Measure::Cpu).unwrap().reached);
    assert_eq!(verdict.overall(Measure::CpuLeast).unwrap().mark, None);
    assert_eq!(verdict.overall(Measure::Switches), None);
    assert_eq!(verdict.overall(Measure::Spread), None);
}

#[test]
fn switches_are_compared_with_parking_lot_0_13_s() {
    let report = |ours: Round, theirs: Round| {
        let parking_lot = cell(SubjectId::ParkingLot013, vec![theirs]);
        scenario("mixed-2", vec![cell(SubjectId::Parkade, vec![ours]), parking_lot])
    };
    let compare = |ours, theirs| {
        let summary = ScenarioSummary::of(&report(ours, theirs));
        summary.cell(SubjectId::Parkade).unwrap().ratios.switches
    };
    assert_eq!(compare(costly(200, 1.0, 100), costly(100, 1.0, 20)), Some(2.5));
    // Two threads: up to two switches are nothing, so that neither side is 0 or infinite.
    assert_eq!(compare(costly(100, 1.0, 2), costly(100, 1.0, 0)), Some(1.0));
    assert_eq!(compare(costly(100, 1.0, 10), costly(100, 1.0, 0)), Some(5.0));
    assert_eq!(compare(costly(100, 1.0, 0), costly(100, 1.0, 8)), Some(0.25));

    let alone = scenario(
        "uncontended",
        vec![
            cell(SubjectId::Parkade, vec![costly(100, 1.0, 100)]),
            cell(SubjectId::ParkingLot013, vec![costly(100, 1.0, 2)]),
        ],
    );
    let verdict = verdict(&[alone, report(costly(100, 1.0, 10), costly(100, 1.0, 40))]);
    let switches = verdict.overall(Measure::Switches).unwrap();
    assert_eq!((switches.value, switches.scenarios, switches.reached), (0.25, 1, true));
}

#[test]
fn spread_is_judged_in_long_sections_only() {
    let report = |name| {
        let ours = cell(SubjectId::Parkade, vec![round(&[80, 120], 9)]);
        scenario(name, vec![ours, cell(SubjectId::Std, vec![round(&[50, 50], 9)])])
    };
    let verdict = verdict(&[report("mixed-8"), report("long-8")]);
    assert_eq!(verdict.results[0].mark.spread, None);
    let spread = verdict.overall(Measure::Spread).unwrap();
    assert_eq!((&*spread.worst, spread.value, spread.reached), ("long-8", 0.2, false));
    assert_eq!(verdict.results[0].role, Role::Mark);
}

#[test]
fn every_set_of_settings_is_judged_alone_and_none_is_a_rival() {
    let tuned = |text: &str| Variant::parkade(vec![text.parse().unwrap()]);
    let report = scenario(
        "mixed-8",
        vec![
            cell(tuned("spin_ns=0"), vec![round(&[90, 90], 100)]),
            cell(tuned("spin_ns=9"), vec![round(&[50, 50], 400)]),
            cell(SubjectId::Std, vec![round(&[60, 60], 200)]),
        ],
    );
    let summary = ScenarioSummary::of(&report);
    assert_eq!(summary.best_rival, Some(SubjectId::Std));
    assert_eq!(summary.fairest_rival, Some(SubjectId::Std));
    let verdicts = Verdict::all(&[report]);
    let judged: Vec<_> = verdicts
        .iter()
        .map(|v| (v.subject.to_string(), v.results[0].throughput, v.results[0].wait))
        .collect();
    assert_eq!(
        judged,
        [
            ("parkade spin_ns=0".to_owned(), 1.5, Some(0.5)),
            ("parkade spin_ns=9".to_owned(), 100.0 / 120.0, Some(2.0)),
        ]
    );
}

#[test]
fn means_are_over_the_same_scenarios_for_all_settings() {
    let tuned = |text: &str| Variant::parkade(vec![text.parse().unwrap()]);
    let pair = |name, first: Round, second: Round, rival: Round| {
        let swept = [cell(tuned("spin_ns=0"), vec![first]), cell(tuned("spin_ns=9"), vec![second])];
        let [first, second] = swept;
        scenario(name, vec![first, second, cell(SubjectId::ParkingLot012, vec![rival])])
    };
    let verdicts = Verdict::all(&[
        pair("mixed-8", round(&[20], 1), round(&[30], 1), round(&[10], 1)),
        // Only the second starves its hog.
        pair(
            "hog-6",
            with_hog(round(&[90], 1), 900),
            with_hog(round(&[900], 1), 1),
            with_hog(round(&[10], 1), 1000),
        ),
    ]);
    let means: Vec<_> = verdicts
        .iter()
        .map(|verdict| verdict.overall(Measure::Throughput).unwrap())
        .map(|overall| (overall.value.round(), overall.scenarios))
        .collect();
    assert_eq!(means, [(2.0, 1), (3.0, 1)]);
    assert!(verdicts[0].throughput_missed().is_empty());
    assert_eq!(verdicts[1].throughput_missed(), ["hog-6"]);
}

/// A round of a reader-writer lock with one thread that reads and writes.
fn sided(reads: u64, writes: u64, longest_read_ns: u64, longest_write_ns: u64) -> Round {
    Round {
        sides: Sides {
            read: Some(side(&[reads], waits(longest_read_ns))),
            write: Some(side(&[writes], waits(longest_write_ns))),
        },
        ..round(&[reads + writes], longest_read_ns.max(longest_write_ns))
    }
}

#[test]
fn readers_and_writers_are_summed_up_apart_and_the_writers_waits_compared() {
    let report = scenario(
        "rw-8-90",
        vec![
            cell(SubjectId::Parkade, vec![sided(108, 12, 900, 50), sided(90, 10, 700, 30)]),
            cell(SubjectId::Std, vec![sided(90, 10, 5, 100), sided(90, 10, 5, 100)]),
            cell(SubjectId::Usync, vec![sided(80, 9, 1, 1000), sided(80, 9, 1, 1000)]),
        ],
    );
    let summary = ScenarioSummary::of(&report);
    let ours = summary.cell(SubjectId::Parkade).unwrap();
    let sides = (ours.sides.read.unwrap(), ours.sides.write.unwrap());
    assert_eq!((sides.0.ops_per_sec, sides.1.ops_per_sec), (99.0, 11.0));
    assert_eq!((sides.1.slowest, sides.1.fastest), (11.0, 11.0));
    assert_eq!((sides.0.waits.unwrap().max, sides.1.waits.unwrap().max), (800.0, 40.0));
    // By the readers' waits it would be usync.
    assert_eq!(summary.fairest_rival, Some(SubjectId::Std));
    assert_eq!(wait_ratio(&summary), Some(0.4));
    assert!(verdict(&[report]).results[0].wait_reached());
}

#[test]
fn reader_writer_locks_have_a_mean_of_their_own() {
    let pair = |name: &str, ours: u64, theirs: u64| {
        let cells = [(SubjectId::Parkade, ours), (SubjectId::Std, theirs)];
        let cells = cells.map(|(subject, ops)| cell(subject, vec![sided(ops, ops, 1, 1)]));
        scenario(name, cells.into())
    };
    let verdict = verdict(&[
        pair("rw-empty-read", 400, 100),
        pair("rw-2-100", 499, 100),
        pair("rw-8-0", 99, 100),
        pair("rw-2-99", 115, 100),
        pair("rw-8-95", 1, 100),
    ]);
    assert_eq!(verdict.results.len(), 4);
    assert_eq!(verdict.throughput_missed(), ["rw-2-100", "rw-8-0"]);
    let throughput = verdict.overall(Measure::Throughput).unwrap();
    assert_eq!((throughput.mark, throughput.scenarios), (Some(1.2), 1));
    assert_eq!(verdict.overall(Measure::Cpu).unwrap().mark, None);
}

#[test]
fn who_locks_other_keys_too_is_judged_apart() {
    let report = scenario(
        "keyed-8-1k",
        vec![
            cell(SubjectId::Parkade, vec![round(&[100], 5), round(&[120], 5), round(&[60], 5)]),
            cell(SubjectId::Lockable, vec![round(&[50], 9), round(&[50], 9), round(&[20], 9)]),
            cell(SubjectId::MapOfArc, vec![round(&[30], 7), round(&[60], 7), round(&[10], 7)]),
            cell(SubjectId::DashMap, vec![round(&[200], 1), round(&[100], 1), round(&[100], 1)]),
        ],
    );
    let summary = ScenarioSummary::of(&report);
    assert_eq!(summary.best_rival, Some(SubjectId::Lockable));
    assert_eq!(summary.fairest_rival, Some(SubjectId::MapOfArc));
    assert_eq!(summary.best_coarse, Some(SubjectId::DashMap));
    let result = &verdict(&[report]).results[0];
    // 2, 2 and 3; 0.5, 1.2 and 0.6: medians.
    assert_eq!((result.throughput, result.coarse), (2.0, Some(0.6)));
    assert!(result.throughput_reached() && !result.coarse_reached());
    assert_eq!(result.mark.wait, None);
}

#[test]
fn a_run_without_a_coarse_rival_misses_nothing() {
    let report = scenario(
        "keyed-8-16",
        vec![
            cell(SubjectId::Parkade, vec![round(&[100], 5)]),
            cell(SubjectId::KeyedLock, vec![round(&[100], 9)]),
        ],
    );
    let result = &verdict(&[report]).results[0];
    assert_eq!((result.throughput, result.coarse, result.best_coarse), (1.0, None, None));
    assert!(result.throughput_reached() && result.coarse_reached());
}
