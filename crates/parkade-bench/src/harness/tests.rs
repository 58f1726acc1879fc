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
fn reentrant_operations_are_counted() {
    for scenario in scenario::catalogue(LockKind::Reentrant) {
        for subject in LockKind::Reentrant.subjects() {
            let round = measure(&scenario, subject, limits(5)).round;
            assert!(round.ops > 0 && round.waits.is_none(), "{} {subject}", scenario.name);
            assert_eq!(round.per_thread, [round.ops]);
        }
    }
}

#[test]
fn condition_variables_wake_everybody_and_stop() {
    for scenario in scenario::catalogue(LockKind::Condvar) {
        for subject in LockKind::Condvar.subjects() {
            let round = measure(&scenario, subject, limits(30)).round;
            assert!(round.ops > 0 && round.waits.is_some(), "{} {subject}", scenario.name);
            let (least, most) =
                (round.per_thread.iter().min().unwrap(), round.per_thread.iter().max().unwrap());
            let (first, others) = (round.per_thread[0], round.per_thread[1..].iter().sum::<u64>());
            match scenario.shape {
                // What is in the queue has not been taken.
                Shape::Condvar(CondvarShape::Queue { capacity, .. }) => {
                    assert!((others..=others + u64::from(capacity)).contains(&first), "{subject}");
                }
                // Nobody is more than a turn, or a broadcast, ahead.
                _ => assert!(most - least <= 1, "{} {subject} {round:?}", scenario.name),
            }
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

fn of_rw(name: &str, subject: SubjectId, millis: u64) -> Round {
    measure(&scenario::find(name).unwrap(), subject, limits(millis)).round
}

#[test]
fn reads_and_writes_of_every_subject_add_up() {
    for (name, reads, writes) in [
        ("rw-empty-read", true, false),
        ("rw-empty-write", false, true),
        ("rw-1-100", true, false),
        ("rw-1-50", true, true),
        ("rw-2-100", true, false),
        ("rw-2-0", false, true),
        ("rw-8-90", true, true),
    ] {
        for subject in LockKind::Rwlock.subjects() {
            let round = of_rw(name, subject, 10);
            let Sides { read, write } = &round.sides;
            assert_eq!((read.is_some(), write.is_some()), (reads, writes), "{name} {subject}");
            let sides: Vec<&Side> = read.iter().chain(write).collect();
            assert_eq!(sides.iter().map(|side| side.ops).sum::<u64>(), round.ops);
            for (thread, &ops) in round.per_thread.iter().enumerate() {
                let by_side = sides.iter().map(|side| side.per_thread[thread]);
                assert_eq!(by_side.sum::<u64>(), ops, "{name} {subject}");
            }
            let nobody_waits = round.per_thread.len() == 1 || !writes;
            let timed = sides.iter().map(|s| s.waits.as_ref()).chain([round.waits.as_ref()]);
            assert!(
                timed.into_iter().all(|waits| waits.is_none() == nobody_waits),
                "{name} {subject}"
            );
            assert!(round.ops > 0, "{name} {subject}");
        }
    }
}

#[test]
fn what_is_complete_is_asked_for_and_nobody_waits() {
    for (kind, names) in [
        (LockKind::Once, ["once-call-1", "once-call-8"]),
        (LockKind::OnceLock, ["once-get-1", "once-get-8"]),
    ] {
        for (name, subject) in names.into_iter().flat_map(|n| kind.subjects().map(move |s| (n, s)))
        {
            let scenario = scenario::find(name).unwrap();
            let round = measure(&scenario, subject, limits(5)).round;
            assert_eq!(round.per_thread.len(), scenario.threads as usize, "{name} {subject}");
            assert!(round.ops > 0 && round.waits.is_none(), "{name} {subject}");
            assert!(round.sides.is_empty(), "{name} {subject}");
        }
    }
}

#[test]
fn a_mutex_has_no_sides() {
    let measured = measure(&scenario::find("mixed-2").unwrap(), SubjectId::Std, limits(5));
    assert!(measured.round.sides.is_empty());
    assert!(measured.waits.read.is_empty() && !measured.waits.write.is_empty());
}

#[test]
fn reads_are_as_many_as_the_name_says() {
    for (name, part) in [("rw-1-50", 0.5), ("rw-1-90", 0.9), ("rw-1-99", 0.99)] {
        let round = of_rw(name, SubjectId::ParkingLot012, 20);
        let reads = round.sides.read.unwrap().ops as f64 / round.ops as f64;
        assert!((reads - part).abs() < 0.02, "{name}: {reads}");
    }
}

/// A scenario of its own.
fn rw(threads: u32, shape: RwShape) -> Scenario {
    let (name, role) = ("rw".into(), scenario::Role::Custom);
    Scenario { name, threads, shape: Shape::Rw(shape), role }
}

#[test]
fn readers_and_writers_apart_are_counted_apart() {
    let shape = RwShape::Apart { writers: 1, inside: 5, outside: 5 };
    for subject in LockKind::Rwlock.subjects() {
        // Until all have had their turn.
        let limits = Limits { ops_per_thread: Some(50), ..limits(20_000) };
        let measured = measure(&rw(3, shape), subject, limits);
        assert_eq!(measured.completion, Completion::AllOps, "{subject}");
        let Sides { read, write } = measured.round.sides;
        assert_eq!(read.unwrap().per_thread, [50, 50], "{subject}");
        assert_eq!(write.unwrap().per_thread, [50], "{subject}");
    }
}

#[test]
fn each_side_has_its_own_waits() {
    // A reader and a writer, both with sections of milliseconds: whoever waits, waits for long.
    let shape = RwShape::Mixed { read_percent: 50, inside: 5_000_000 };
    let limits = Limits { ops_per_thread: Some(4), ..limits(60_000) };
    let measured = measure(&rw(2, shape), SubjectId::ParkingLot012, limits);
    let round = measured.round;
    let (read, write) = (round.sides.read.unwrap(), round.sides.write.unwrap());
    let (all, read, write) = (round.waits.unwrap(), read.waits.unwrap(), write.waits.unwrap());
    assert_eq!(all.samples, read.samples + write.samples);
    assert_eq!(all.max_ns, read.max_ns.max(write.max_ns));
    assert_eq!(measured.waits.read.len(), read.samples);
    assert_eq!(measured.waits.write.len(), write.samples);
    // Two threads of four operations: at least one of them writes, and somebody waits for it.
    assert!(all.max_ns > 1_000_000, "{all:?}");
}

#[test]
fn a_desk_tells_whom_it_waits_for() {
    use super::worker::{granted, waiting, waits_for};
    for op in [0, 1, 7] {
        for access in Access::ALL {
            assert_eq!(waits_for(waiting(op, access)), Some(access));
            assert_ne!(granted(op), waiting(op + 1, access));
        }
        assert_eq!(waits_for(granted(op)), None);
    }
}

#[test]
fn keys_are_locked_and_waited_for_with_every_subject() {
    for name in ["keyed-8-1", "keyed-8-16-zipf", "keyed-8-1k"] {
        let scenario = scenario::find(name).unwrap();
        for subject in LockKind::Keyed.subjects() {
            let round = measure(&scenario, subject, limits(10)).round;
            assert!(round.ops > 0 && round.waits.is_some(), "{name} {subject}");
            assert_eq!(round.per_thread.len(), 8);
        }
    }
}

#[test]
fn all_locks_of_a_round_draw_the_same_keys() {
    let scenario = scenario::find("keyed-8-16-zipf").unwrap();
    let Shape::Keyed(shape) = scenario.shape else { panic!("{scenario:?}") };
    let sums = |subject| {
        with_keyed_subject!(subject, S => {
            let floor = Padded(Floor::<S>::new(shape.keys));
            let stage = Stage::new(1);
            let limits = Limits { ops_per_thread: Some(500), ..limits(1000) };
            let worker = Worker::new(&scenario, limits, &stage, 0);
            let floors = [floor];
            let outcome = worker.work_keyed::<S>(shape, &floors);
            assert_eq!(outcome.ops, 500);
            floors[0].0.values()
        })
    };
    let all: Vec<Vec<u64>> = LockKind::Keyed.subjects().map(sums).collect();
    assert!(all.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn permits_are_taken_and_waited_for_with_every_subject() {
    for scenario in scenario::catalogue(LockKind::Semaphore) {
        let able = |id: &SubjectId| id.can(&scenario);
        for subject in LockKind::Semaphore.subjects().filter(able) {
            let round = measure(&scenario, subject, limits(10)).round;
            assert!(round.ops > 0, "{} {subject}", scenario.name);
            assert_eq!(round.waits.is_some(), scenario.threads > 1, "{} {subject}", scenario.name);
        }
    }
}
