use super::*;
use crate::scenario;
use crate::subject::LockKind;

fn limits(millis: u64) -> Limits {
    Limits { time: Duration::from_millis(millis), ops_per_thread: None, seed: 1 }
}

#[test]
fn every_shape_counts_operations_of_every_subject() {
    for name in ["empty-loop", "uncontended", "mixed-2", "many-32x64", "burst-8"] {
        let scenario = scenario::find(name).unwrap();
        for subject in LockKind::Mutex.subjects() {
            let measured = measure(&scenario, subject, limits(10));
            let round = &measured.round;
            assert!(round.ops > 0, "{name} {subject}");
            assert_eq!(round.per_thread.len(), scenario.threads as usize);
            assert_eq!(round.per_thread.iter().sum::<u64>(), round.ops);
            assert_eq!(round.waits.is_some(), scenario.threads > 1, "{name} {subject}");
            assert_eq!(measured.completion, Completion::TimeIsUp);
        }
    }
}

#[test]
fn the_hog_is_counted_apart() {
    let scenario = scenario::find("hog-6").unwrap();
    let round = measure(&scenario, SubjectId::ParkingLot012, limits(50)).round;
    let hog = round.hog.as_ref().expect("a hog");
    assert_eq!(round.per_thread.len(), 5);
    assert!(hog.ops > 0);
    // It cannot have held the lock for less than it slept under it.
    assert!(hog.held_secs >= (hog.ops - 1) as f64 * 450e-6, "{hog:?}");
}

#[test]
fn a_limit_of_operations_is_kept() {
    let scenario = scenario::find("many-32x2").unwrap().with_threads(4).unwrap();
    let limits = Limits { ops_per_thread: Some(100), ..limits(20_000) };
    let measured = measure(&scenario, SubjectId::Std, limits);
    assert_eq!(measured.completion, Completion::AllOps);
    assert_eq!(measured.round.per_thread, [100; 4]);
    assert!(measured.round.secs < 10.0);
}

#[test]
fn a_starved_thread_is_seen_by_the_watcher() {
    // Two threads which hold the lock for 30 ms each: each waits for the other, and a run of
    // 100 ms ends within a wait.
    let hold = Duration::from_millis(30);
    let scenario = Scenario {
        name: "held".into(),
        threads: 2,
        shape: Shape::SleepInside { hold },
        role: crate::scenario::Role::Custom,
    };
    let waits = measure(&scenario, SubjectId::ParkingLot012, limits(100)).round.waits.unwrap();
    assert!(waits.watched_max_ns > 10_000_000, "{waits:?}");
    assert!(waits.max_ns >= waits.watched_max_ns);
}
