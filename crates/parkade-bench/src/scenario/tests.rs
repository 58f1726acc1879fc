use super::*;

#[test]
fn names_are_unique_and_tell_the_threads() {
    let all: Vec<Scenario> = LockKind::ALL.iter().flat_map(|&kind| catalogue(kind)).collect();
    for scenario in &all {
        assert_eq!(all.iter().filter(|s| s.name == scenario.name).count(), 1);
        let numbers = scenario.name.split(['-', 'x']).filter_map(|word| word.parse::<u32>().ok());
        if let Some(threads) = numbers.into_iter().next() {
            assert_eq!(scenario.threads, threads, "{}", scenario.name);
        }
    }
}

#[test]
fn other_thread_counts_are_known_scenarios_where_they_exist() {
    let mixed = find("mixed-8").unwrap();
    assert_eq!(mixed.with_threads(32), find("mixed-32"));
    let twelve = mixed.with_threads(12).unwrap();
    assert_eq!((&*twelve.name, twelve.role), ("mixed-12", Role::Custom));
    assert_eq!(find("many-32x64").unwrap().with_threads(4).unwrap().name, "many-4x64");
    assert_eq!(find("uncontended").unwrap().with_threads(4), None);
    let readers = find("rw-8-99").unwrap();
    assert_eq!(readers.with_threads(2), find("rw-2-99"));
    let sixteen = readers.with_threads(16).unwrap();
    assert_eq!((&*sixteen.name, sixteen.role), ("rw-16-99", Role::Custom));
    assert_eq!(find("rw-empty-read").unwrap().with_threads(4), None);
}

#[test]
fn bursts_are_whole() {
    let burst = find("burst-8").unwrap();
    assert_eq!(burst.round_time(Duration::from_millis(41)), Duration::from_millis(80));
    assert_eq!(burst.round_time(Duration::ZERO), Duration::from_millis(40));
}

#[test]
fn marks() {
    assert_eq!(find("short-16").unwrap().mark().unwrap().throughput, 0.97);
    assert_eq!(find("uncontended").unwrap().mark().unwrap().wait, None);
    assert_eq!(find("mixed-64").unwrap().mark(), None);
    assert_eq!(find("long-8").unwrap().mark().unwrap().spread, Some(0.1));
    assert_eq!(find("mixed-8").unwrap().mark().unwrap().spread, None);
}

#[test]
fn marks_of_reader_writer_locks() {
    let mark = |name: &str| {
        let mark = find(name).unwrap().mark()?;
        Some((mark.throughput, mark.wait))
    };
    assert_eq!(mark("rw-empty-read"), Some((4.0, None)));
    assert_eq!(mark("rw-empty-write"), Some((1.0, None)));
    assert_eq!(mark("rw-1-100"), Some((2.0, None)));
    assert_eq!(mark("rw-2-100"), Some((5.0, None)));
    assert_eq!(mark("rw-1-50"), None);
    for name in ["rw-2-99", "rw-8-99", "rw-8-90", "rw-8-50", "rw-32-95", "rw-2-0", "rw-8-0"] {
        assert_eq!(mark(name), Some((1.0, Some(1.0))), "{name}");
    }
    let averaged = catalogue(LockKind::Rwlock).iter().filter(|s| s.role == Role::Mark).count();
    assert_eq!(averaged, 5);
}

#[test]
fn marks_of_reentrant_mutexes() {
    for name in ["reentrant-empty", "reentrant-nested"] {
        let scenario = find(name).unwrap();
        let mark = scenario.mark().unwrap();
        assert_eq!((mark.throughput, mark.wait), (1.0, None), "{name}");
        assert_eq!(scenario.with_threads(4), None);
    }
}

#[test]
fn marks_of_condition_variables() {
    for scenario in catalogue(LockKind::Condvar) {
        let mark = scenario.mark().unwrap();
        assert_eq!((mark.throughput, mark.wait), (1.0, Some(1.0)), "{}", scenario.name);
    }
    assert_eq!(find("cv-queue-8").unwrap().with_threads(3).unwrap().name, "cv-queue-3");
    assert_eq!(find("cv-ping-pong-2").unwrap().with_threads(3), None);
}

#[test]
fn what_is_complete_is_judged_by_throughput_alone() {
    for kind in [LockKind::Once, LockKind::OnceLock] {
        for scenario in catalogue(kind) {
            let mark = Mark { throughput: 1.0, wait: None, spread: None, coarse: None };
            assert_eq!((scenario.kind(), scenario.mark()), (kind, Some(mark)));
            assert_eq!(scenario.sampling(), Sampling::Off);
        }
    }
    assert_eq!(find("once-call-1").unwrap().with_threads(8), find("once-call-8"));
}

#[test]
fn threads_take_their_sides() {
    let sides = |shape: RwShape, index| {
        let parts = shape.takes_part(index);
        Access::ALL.map(|access| *parts.of(access) == Part::Taken)
    };
    let mixed = |read_percent| RwShape::Mixed { read_percent, inside: 2 };
    assert_eq!(sides(mixed(100), 0), [true, false]);
    assert_eq!(sides(mixed(50), 0), [true, true]);
    assert_eq!(sides(mixed(0), 0), [false, true]);
    let apart = RwShape::Apart { writers: 1, inside: 5, outside: 5 };
    assert_eq!(sides(apart, 0), [false, true]);
    assert_eq!(sides(apart, 1), [true, false]);
}

#[test]
fn marks_of_keyed_locks() {
    for scenario in catalogue(LockKind::Keyed) {
        let Shape::Keyed(shape) = scenario.shape else {
            panic!("{}", scenario.name);
        };
        let mark = scenario.mark().unwrap();
        let least = if shape.keys < 1000 { 1.0 } else { 2.0 };
        assert_eq!((mark.throughput, mark.coarse, mark.wait), (least, Some(0.7), None));
        assert_eq!(scenario.sampling(), Sampling::OneIn(64));
    }
    let zipf = find("keyed-8-1k-zipf").unwrap();
    assert_eq!(zipf.with_threads(3).unwrap().name, "keyed-3-1k-zipf");
    assert_eq!(zipf.with_threads(8), Some(zipf));
}

#[test]
fn marks_of_semaphores() {
    let mark = |name: &str| {
        let mark = find(name).unwrap().mark()?;
        assert_eq!(mark.coarse, None);
        Some((mark.throughput, mark.wait))
    };
    assert_eq!(mark("sem-empty"), Some((1.0, None)));
    for name in ["sem-8-2", "sem-8-4", "sem-8-8-weighted"] {
        assert_eq!(mark(name), Some((1.0, Some(1.0))), "{name}");
    }
    assert_eq!(find("sem-empty").unwrap().with_threads(2), None);
    let sixteen = find("sem-8-4").unwrap().with_threads(16).unwrap();
    assert_eq!((&*sixteen.name, sixteen.role), ("sem-16-4", Role::Custom));
}

#[test]
fn marks_of_locks_of_tasks() {
    for scenario in catalogue(LockKind::Async) {
        let mark = scenario.mark().unwrap();
        assert_eq!((mark.throughput, mark.wait), (1.0, None), "{}", scenario.name);
        let alone = scenario.threads == 1;
        assert_eq!(scenario.role, if alone { Role::Cost } else { Role::Mark });
        assert_eq!(scenario.sampling(), if alone { Sampling::Off } else { Sampling::Every });
    }
    let held = find("async-hold-1k").unwrap();
    assert!(held.describe().starts_with("1000 tasks: 20 work steps and a yield inside"));
    assert_eq!(held.with_threads(8), find("async-hold-8"));
    let twelve = find("async-100k").unwrap().with_threads(12).unwrap();
    assert_eq!((&*twelve.name, twelve.role), ("async-12", Role::Custom));
    for name in ["async-uncontended", "async-mixed-4+4"] {
        assert_eq!(find(name).unwrap().with_threads(8), None);
    }
}
