use super::*;

#[derive(Debug, clap::Parser)]
struct Only {
    #[command(flatten)]
    args: Args,
}

fn plan(words: &[&str]) -> Result<Plan, String> {
    use clap::Parser;
    let words = std::iter::once(&"bench").chain(words);
    let only = Only::try_parse_from(words).map_err(|error| error.to_string())?;
    only.args.plan().map_err(|error| error.to_string())
}

fn names(words: &[&str]) -> Vec<String> {
    plan(words).unwrap().scenarios.iter().map(|s| s.name.to_string()).collect()
}

#[test]
fn ranges() {
    let all = |text: &str| numbers("--threads", &[text.parse().unwrap()], 1..=64).unwrap();
    assert_eq!(all("8"), [8]);
    assert_eq!(all("9:36:9"), [9, 18, 27, 36]);
    assert_eq!(all("1:3"), [1, 2, 3]);
    for wrong in ["", "x", "1:", "3:1", "1:3:0", "1:2:3:4", "-1"] {
        assert!(wrong.parse::<Range>().is_err(), "{wrong}");
    }
    assert!(numbers("--threads", &["0:3".parse().unwrap()], 1..=64).is_err());
    // Not a million numbers before the first is refused.
    assert!(numbers("--threads", &["1:4000000000".parse().unwrap()], 1..=64).is_err());
}

#[test]
fn the_default_takes_about_two_minutes_and_quick_a_quarter_of_one() {
    let secs = |words: &[&str]| plan(words).unwrap().duration().unwrap().as_secs();
    assert!((90..=125).contains(&secs(&[])), "{}", secs(&[]));
    assert!((12..=20).contains(&secs(&["--quick"])), "{}", secs(&["--quick"]));
    let rw = secs(&["--kind", "rwlock"]);
    assert!((90..=150).contains(&rw), "{rw}");
    let rw = secs(&["--kind", "rwlock", "--quick"]);
    assert!((8..=20).contains(&rw), "{rw}");
}

#[test]
fn threads_replace_the_scenario_s_own() {
    assert_eq!(
        names(&["--scenario", "mixed-8", "--threads", "2:4"]),
        ["mixed-2", "mixed-3", "mixed-4"]
    );
    assert_eq!(names(&["--scenario", "mixed-8,mixed-2", "--threads", "5"]), ["mixed-5"]);
    assert!(plan(&["--scenario", "uncontended", "--threads", "5"]).is_err());
}

#[test]
fn suites_have_their_own_scenarios() {
    assert_eq!(names(&["--suite", "article"]), ["short-4", "long-8", "burst-8", "hog-6"]);
    assert_eq!(names(&["--suite", "lock-bench", "--threads", "4"])[0], "many-4x2");
    let lots = ["--suite", "parking-lot", "--threads", "1:8:7", "--work-inside", "0,9"];
    assert_eq!(names(&lots).len(), 4);
    assert!(plan(&["--suite", "article", "--scenario", "mixed-2"]).is_err());
    assert!(plan(&["--suite", "article", "--work-inside", "5"]).is_err());
    assert!(plan(&["--work-inside", "5"]).is_err());
}

#[test]
fn parking_lot_s_second_benchmark_has_readers_and_writers() {
    let suite = ["--suite", "parking-lot"];
    let with = |more: &[&str]| plan(&[&suite[..], more].concat());
    let names = |more: &[&str]| -> Vec<String> {
        with(more).unwrap().scenarios.iter().map(|s| s.name.to_string()).collect()
    };
    assert_eq!(
        names(&["--readers", "0:2:2", "--writers", "0,1"]),
        [
            "work-5-5-readers-2-writers-0",
            "work-5-5-readers-0-writers-1",
            "work-5-5-readers-2-writers-1"
        ]
    );
    assert_eq!(names(&["--readers", "4"]), ["work-5-5-readers-4-writers-1"]);
    assert_eq!(names(&["--kind", "rwlock"]).len(), 3);
    assert!(with(&["--readers", "0", "--writers", "0"]).unwrap_err().contains("nobody"));
    assert!(with(&["--readers", "1", "--threads", "2"]).unwrap_err().contains("--readers"));
    assert!(with(&["--readers", "1", "--kind", "mutex"]).unwrap_err().contains("one kind"));
    assert!(plan(&["--suite", "article", "--kind", "rwlock"]).unwrap_err().contains("one kind"));
    assert!(plan(&["--suite", "article", "--writers", "1"]).is_err());
}

#[test]
fn a_run_is_of_one_kind_of_lock() {
    let kind = |words: &[&str]| {
        let plan = plan(words)?;
        let kind = plan.scenarios[0].kind();
        assert!(plan.scenarios.iter().all(|scenario| scenario.kind() == kind));
        assert!(plan.subjects.iter().all(|variant| variant.subject().has(kind)));
        Ok::<_, String>(kind)
    };
    assert_eq!(kind(&[]), Ok(LockKind::Mutex));
    assert_eq!(kind(&["--kind", "rwlock"]), Ok(LockKind::Rwlock));
    assert_eq!(kind(&["--scenario", "rw-8-99,rw-2-0"]), Ok(LockKind::Rwlock));
    assert_eq!(kind(&["--scenario", "rw-8-99", "--kind", "rwlock"]), Ok(LockKind::Rwlock));
    assert!(kind(&["--scenario", "rw-8-99,mixed-2"]).unwrap_err().contains("one kind"));
    assert!(kind(&["--scenario", "mixed-2", "--kind", "rwlock"]).is_err());
    for name in ["reentrant", "condvar", "once", "once-lock"] {
        assert_eq!(kind(&["--kind", name]).map(LockKind::name), Ok(name));
        let error = kind(&["--kind", name, "--suite", "parking-lot"]).unwrap_err();
        assert!(error.contains("has nothing for"), "{error}");
        assert!(kind(&["--kind", name, "--lock", "usync"]).unwrap_err().contains("usync has no"));
    }
    assert_eq!(kind(&["--scenario", "once-get-8"]), Ok(LockKind::OnceLock));
    for name in ["keyed", "semaphore"] {
        let both = [kind(&["--kind", name]), kind(&["--suite", name])];
        assert_eq!(both.map(|kind| kind.map(LockKind::name)), [Ok(name), Ok(name)]);
        assert!(kind(&["--suite", name, "--kind", "mutex"]).unwrap_err().contains("one kind"));
        assert!(kind(&["--kind", name, "--lock", "usync"]).unwrap_err().contains("has no"));
    }
    let sharded = ["--lock", "crossbeam-sharded", "--scenario"];
    assert!(kind(&[&sharded[..], &["rw-2-100"]].concat()).is_ok());
    let error = kind(&[&sharded[..], &["mixed-2"]].concat()).unwrap_err();
    assert!(error.contains("crossbeam-sharded has no mutex"), "{error}");
    assert_eq!(
        names(&["--scenario", "rw-8-99", "--threads", "1,8,64"]),
        ["rw-1-99", "rw-8-99", "rw-64-99"]
    );
}

fn subjects(words: &[&str]) -> Vec<String> {
    plan(words).unwrap().subjects.iter().map(ToString::to_string).collect()
}

#[test]
fn a_sweep_takes_the_place_of_parkade() {
    assert_eq!(subjects(&["--lock", "std,parkade"]), ["parkade", "std"]);
    let swept = ["parkade spin_ns=0", "parkade spin_ns=9"];
    let sweep = ["--sweep", "spin_ns=0,9,0", "--lock"];
    let with = |lock| subjects(&[&sweep[..], &[lock]].concat());
    assert_eq!(with("std"), [swept[0], swept[1], "std"]);
    assert_eq!(with("std,parkade"), [swept[0], swept[1], "std"]);
    assert_eq!(with("parkade"), swept);
    let rivals = LockKind::Mutex.subjects().count() - 1;
    assert_eq!(subjects(&sweep[..2]).len(), 2 + rivals);
    let lots = ["--sweep", "spin_ns=0,9", "--suite", "lock-bench", "--quick", "--noise"];
    assert_eq!(subjects(&lots).len(), 2 + rivals);
}

#[test]
fn cases_belong_to_their_suite() {
    let cases = |words: &[&str]| {
        use clap::Parser;
        let words = ["bench", "--suite", "keyed"].iter().chain(words);
        let args = Only::try_parse_from(words).unwrap().args;
        args.cases(&args.plan().unwrap()).unwrap()
    };
    let all = cases(&[]);
    assert_eq!((all.cases.len(), all.scale, all.split), (6, 1.0, Split::Even));
    assert_eq!(cases(&["--case", "1000_2_40_20,1000_20_20_20"]).cases, [CASES[3], CASES[1]]);
    assert_eq!(all.locks, [Variant::from(SubjectId::Parkade)]);
    assert_eq!(cases(&["--quick"]).scale, 0.02);
    let more = cases(&["--job-scale", "0.1", "--quick", "--job-split", "published"]);
    assert_eq!((more.scale, more.split), (0.1, Split::Published));
    assert_eq!(cases(&["--lock", "parkade,lockable"]).locks.len(), 2);
    for wrong in [
        &["--job-scale", "1"][..],
        &["--suite", "semaphore", "--job-scale", "1"],
        &["--suite", "article", "--job-split", "published"],
        &["--suite", "semaphore", "--case", "1000_2_40_20"],
        &["--suite", "keyed", "--case", "1000"],
        &["--suite", "keyed", "--job-scale", "0"],
        &["--suite", "keyed", "--job-scale", "nan"],
        &["--suite", "keyed", "--job-split", "odd"],
    ] {
        assert!(plan(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn a_picture_of_waits_needs_waits() {
    assert!(plan(&["--scatter", "x.svg"]).is_ok());
    assert!(plan(&["--scatter", "x.svg", "--scenario", "uncontended,mixed-2"]).is_ok());
    let error = plan(&["--scatter", "x.svg", "--scenario", "uncontended"]).unwrap_err();
    assert!(error.contains("waits for nobody"), "{error}");
    assert!(plan(&["--scatter", "x.svg", "--scenario", "rw-8-100"]).is_err());
    assert!(plan(&["--scatter", "x.svg", "--scenario", "rw-8-99"]).is_ok());
    assert!(plan(&["--scatter", "x.html"]).unwrap_err().contains("--html"));
    assert!(plan(&["--scatter", "/dev/stdout"]).is_ok());
}

#[test]
fn wrong_names_are_answered_with_the_right_ones() {
    for (flag, valid) in [
        ("--scenario", "many-32x64"),
        ("--scenario", "rw-32-95"),
        ("--kind", "rwlock"),
        ("--lock", "usync"),
        ("--suite", "article"),
        ("--sweep", "fair_us"),
    ] {
        let error = plan(&[flag, "nothing"]).unwrap_err();
        assert!(error.contains(valid), "{error}");
    }
    for wrong in ["0", "-1", "nan", "1e9", "x"] {
        assert!(plan(&["--secs", wrong]).is_err(), "{wrong}");
    }
}
