use super::*;
use crate::report::Hog;

fn round(per_thread: &[u64], max_ns: u64) -> Round {
    Round {
        secs: 1.0,
        ops: per_thread.iter().sum(),
        per_thread: per_thread.to_vec(),
        hog: None,
        cpu_secs: Some(2.0),
        context_switches: Some(10),
        waits: Some(Waits {
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
        }),
    }
}

fn cell(subject: SubjectId, rounds: Vec<Round>) -> Cell {
    Cell { subject, rounds, wait_quantiles: Vec::new() }
}

fn scenario(name: &str, cells: Vec<Cell>) -> ScenarioReport {
    let known = crate::scenario::find(name).unwrap();
    ScenarioReport::new(&known, cells)
}

fn with_hog(mut round: Round, hog_ops: u64) -> Round {
    round.hog = Some(Hog { ops: hog_ops, held_secs: 0.5 });
    round
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
    assert_eq!(summary.cell(SubjectId::Parkade).unwrap().ratio, Some(1.2));
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
    assert_eq!(summary.wait_ratio, Some(1.2));
    let verdict = Verdict::of(&[report]).unwrap();
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
    assert!(!summary.parkade_starves_hog);
    assert_eq!(summary.cell(SubjectId::Usync).unwrap().ratio, Some(10.0));
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
    let verdict = Verdict::of(&[report]).unwrap();
    assert_eq!(verdict.results[0].throughput, 1.25);
    assert!(!verdict.results[0].throughput_reached());
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
    assert_eq!(std.ratio, Some(1.0));
    assert_eq!(Verdict::of(&[report]), None);
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
    let verdict = Verdict::of(&[
        pair("empty-loop", 1000, 100),
        pair("uncontended", 200, 100),
        pair("mixed-2", 50, 100),
        pair("mixed-64", 1, 100),
    ])
    .unwrap();
    assert_eq!(verdict.results.len(), 3);
    assert_eq!(verdict.minimum, Some(("mixed-2".into(), 0.5)));
    assert!((verdict.geometric_mean.unwrap() - 1.0).abs() < 1e-12);
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
    assert_eq!(summary.wait_ratio, Some(1.0));
}
