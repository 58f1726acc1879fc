//! The program as its users meet it.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn bench(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_parkade"))
        .arg("bench")
        .args(args)
        .output()
        .expect("the program starts")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Whether a run has begun: the first thing it says.
fn has_run(output: &Output) -> bool {
    stderr(output).contains("rounds of")
}

fn path(dir: &Path, name: &str) -> String {
    dir.join(name).to_str().expect("a readable path").to_owned()
}

#[test]
fn list_names_scenarios_locks_and_suites() {
    let output = bench(&["--list"]);
    assert!(output.status.success());
    for name in [
        "empty-loop",
        "many-32x1000",
        "mixed-64",
        "--kind rwlock",
        "--kind reentrant",
        "reentrant-nested",
        "--kind condvar",
        "cv-all-33",
        "rw-32-95",
        "parking_lot-0.13",
        "5.6.2",
        "0.8.23: rwlock",
        "keyed-8-1m-zipf",
        "sem-8-8-weighted",
        "6.2.1: keyed",
        "1.54.1: semaphore, async",
        "async-hold-100k",
        "4 tasks and 4 threads",
        "article",
    ] {
        assert!(stdout(&output).contains(name), "{name} is missing");
    }
}

#[test]
fn wrong_names_end_with_2_and_the_right_names() {
    for (args, valid) in [
        (["--scenario", "shortt-2"], "short-2"),
        (["--lock", "spin"], "parking_lot-0.12"),
        (["--suite", "folly"], "lock-bench"),
        (["--threads", "8:2"], "the end comes before the begin"),
        (["--threads", "0"], "not in 1.."),
        (["--secs", "0"], "not in 0.001..=3600"),
        (["--rounds", "0"], "not in 1..=1000"),
        (["--work-inside", "3"], "--suite"),
        (["--kind", "barrier"], "rwlock"),
        (["--job-scale", "0"], "0.001..=10"),
        (["--lock", "crossbeam-sharded"], "no mutex"),
        (["--readers", "3"], "--suite"),
        (["--scenario", "rw-8-99,mixed-2"], "one kind of lock"),
        (["--sweep", "spin=3"], "there are spin_ns"),
        (["--sweep", "fair_us=0"], "from 1 to 1000000"),
        (["--sweep", "spin_ns"], "PARAM=VALUE"),
        (["--scatter", "x.png"], "ends in .svg"),
    ] {
        let output = bench(&args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(valid), "{args:?}: {}", stderr(&output));
        assert!(!has_run(&output));
    }
}

#[test]
fn a_report_that_cannot_be_written_fails_before_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let missing = path(dir.path(), "missing/report.json");
    let picture = path(dir.path(), "missing/report.svg");
    let directory = dir.path().to_str().unwrap().to_owned();
    for (flag, target) in [
        ("--json", &missing),
        ("--html", &missing),
        ("--scatter", &picture),
        ("--json", &directory),
    ] {
        let output = bench(&["--quick", flag, target]);
        assert_eq!(output.status.code(), Some(1));
        let message = stderr(&output);
        assert!(
            message.contains("cannot write the report") && message.contains(target),
            "{message}"
        );
        assert!(!has_run(&output), "{message}");
    }
}

#[test]
fn a_short_run_writes_both_reports() {
    let dir = tempfile::tempdir().unwrap();
    let (json, html) = (path(dir.path(), "x.json"), path(dir.path(), "x.html"));
    let svg = path(dir.path(), "x.svg");
    std::fs::write(&json, "an older report").unwrap();
    let output = bench(&[
        "--scenario",
        "uncontended,mixed-2,hog-6",
        "--secs",
        "0.02",
        "--rounds",
        "2",
        "--noise",
        "--json",
        &json,
        "--html",
        &html,
        "--scatter",
        &svg,
    ]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&output).contains("geometric mean"), "{}", stdout(&output));
    assert!(stderr(&output).contains("round 2/2: hog-6 done"), "{}", stderr(&output));

    let report: Value = serde_json::from_str(&std::fs::read_to_string(&json).unwrap()).unwrap();
    assert_eq!(report["schema"], 2);
    assert_eq!(report["settings"]["noise"], true);
    assert!(report["settings"]["tuning"]["spin_ns"].is_u64(), "{}", report["settings"]);
    let subjects = report["subjects"].as_array().unwrap();
    assert!(subjects.iter().any(|s| s["name"] == "saa" && s["version"] == "5.6.2"));
    let scenarios = report["scenarios"].as_array().unwrap();
    assert_eq!(scenarios.len(), 3);
    for scenario in scenarios {
        let cells = scenario["cells"].as_array().unwrap();
        assert_eq!(cells.len(), subjects.len());
        for cell in cells {
            let rounds = cell["rounds"].as_array().unwrap();
            assert_eq!(rounds.len(), 2);
            let contended = scenario["threads"] != 1;
            assert!(rounds.iter().all(|round| round["waits"].is_object() == contended));
            assert!(rounds.iter().all(|round| round["secs"].as_f64().unwrap() >= 0.02));
        }
    }
    let verdicts = report["verdicts"].as_array().unwrap();
    assert_eq!((verdicts.len(), &verdicts[0]["subject"]), (1, &Value::from("parkade")));
    assert_eq!(verdicts[0]["results"].as_array().unwrap().len(), 3);
    for measure in ["throughput", "cpu", "cpu-least", "switches"] {
        let overall = verdicts[0]["overall"].as_array().unwrap();
        assert!(overall.iter().any(|o| o["measure"] == measure), "no {measure} in {overall:?}");
    }

    let page = std::fs::read_to_string(&html).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
    assert!(page.contains("prefers-color-scheme: dark"));
    for elsewhere in ["<script", "<link", "<img", "@import", "url(", "src="] {
        assert!(!page.contains(elsewhere), "the page needs {elsewhere}");
    }
    assert!(!page.contains("NaN") && !page.contains("inf"), "a figure is missing");

    let picture = std::fs::read_to_string(&svg).unwrap();
    assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"));
    assert!(picture.contains("prefers-color-scheme: dark") && !picture.contains("var("));
    assert!(!picture.contains("NaN") && !picture.contains("inf"), "a figure is missing");
    // A panel for every scenario with waits, in it a mark for every lock; one more in the legend.
    assert_eq!(headings(&picture), ["mixed-2", "hog-6"]);
    assert_eq!(picture.matches("class=\"mark ").count(), 3 * subjects.len());
    // Nothing is left of the temporary files.
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 3);
}

/// The panels of a picture.
fn headings(picture: &str) -> Vec<&str> {
    let text = |tag: &'_ str| tag.contains("\"heading\"");
    let tags = picture.split("<text ").skip(1).filter(|tag| text(tag));
    tags.filter_map(|tag| tag.split(['>', '<']).nth(1)).map(str::trim).collect()
}

#[test]
fn swept_settings_are_locks_of_their_own_everywhere() {
    let run = ["--scenario", "mixed-2,long-8", "--secs", "0.02", "--rounds", "2"];
    let swept = ["--sweep", "spin_ns=0,3000", "--sweep", "fair_us=7", "--lock", "std"];
    let Written { stdout, report, page, picture } = written(&[&run[..], &swept].concat());
    let names = ["parkade spin_ns=0 fair_us=7", "parkade spin_ns=3000 fair_us=7"];
    let subjects = |of: &Value, name: &str| -> Vec<String> {
        let all = of.as_array().unwrap().iter();
        all.map(|one| one[name].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(subjects(&report["subjects"], "name"), [names[0], names[1], "std"]);
    assert_eq!(subjects(&report["verdicts"], "subject"), names);
    for scenario in report["scenarios"].as_array().unwrap() {
        assert_eq!(subjects(&scenario["cells"], "subject"), [names[0], names[1], "std"]);
    }
    for name in names {
        for (what, text) in [("table", &stdout), ("page", &page), ("picture", &picture)] {
            assert!(text.contains(name), "{name} is not in the {what}");
        }
    }
    assert!(stdout.contains("The settings side by side"), "{stdout}");
}

#[test]
fn readers_and_writers_are_shown_apart_everywhere() {
    let run = ["--scenario", "rw-empty-read,rw-1-50,rw-2-100,rw-8-90", "--secs", "0.02"];
    let more = ["--rounds", "2", "--noise", "--lock", "parkade,std,sharded,pthread"];
    let Written { stdout, report, page, picture } = written(&[&run[..], &more].concat());
    assert_eq!(report["kind"], "rwlock");
    for scenario in report["scenarios"].as_array().unwrap() {
        let cells = scenario["cells"].as_array().unwrap();
        let names: Vec<_> = cells.iter().map(|cell| cell["subject"].as_str().unwrap()).collect();
        assert_eq!(names, ["parkade", "std", "crossbeam-sharded", "pthread"]);
        for round in cells.iter().flat_map(|cell| cell["rounds"].as_array().unwrap()) {
            let side = |name: &str| round["sides"][name]["ops"].as_u64();
            assert_eq!(
                side("read").unwrap_or(0) + side("write").unwrap_or(0),
                round["ops"].as_u64().unwrap()
            );
            let name = scenario["name"].as_str().unwrap();
            assert_eq!(side("write").is_some(), ["rw-1-50", "rw-8-90"].contains(&name), "{name}");
            let wait = |name: &str| round["sides"][name]["waits"]["max_ns"].is_u64();
            assert_eq!([wait("read"), wait("write")], [name == "rw-8-90"; 2], "{name}");
        }
    }
    let results = report["verdicts"][0]["results"].as_array().unwrap();
    let marks: Vec<_> = results.iter().map(|result| &result["mark"]["throughput"]).collect();
    assert_eq!(marks, [4.0, 5.0, 1.0]);
    for column in ["reads/s", "writes/s", "read wait p99", "write wait p99", "the writers'"] {
        assert!(stdout.contains(column), "{column} is not in {stdout}");
    }
    for chart in ["Waits of readers", "Waits of writers", "longest wait of writers"] {
        assert!(page.contains(chart), "{chart} is not in the page");
    }
    assert!(!page.contains("NaN") && !page.contains("inf"), "a figure is missing");
    assert_eq!(headings(&picture), ["rw-8-90"]);
    assert!(picture.contains("longest wait of writers"));
}

#[test]
fn keyed_locks_are_judged_beside_cases_and_memory_everywhere() {
    let run = ["--suite", "keyed", "--job-scale", "0.001", "--secs", "0.02", "--rounds", "1"];
    let cases = ["--case", "1000_100_20_20,1000_2_40_20"];
    let locks = ["--lock", "parkade,map-of-arc,lockable"];
    let more = ["--threads", "2"];
    let Written { stdout, report, page, .. } = written(&[&run[..], &cases, &locks, &more].concat());
    assert_eq!(report["kind"], "keyed");
    let cases = report["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 2);
    for case in cases {
        let all = &case["case"]["jobs"];
        let keyed = case["keyed"].as_array().unwrap();
        assert_eq!(keyed.len(), 3);
        for one in keyed {
            assert_eq!(&one[1]["done"], all, "{one}");
        }
        assert_eq!(&case["giant"]["done"], all);
        assert!(case["retrying"]["done"].as_u64().unwrap() <= all.as_u64().unwrap());
    }
    let memory = report["key_memory"].as_array().unwrap();
    assert!(memory.is_empty() || memory.len() == 3, "{memory:?}");
    // Other numbers of threads are shown, not judged.
    assert!(report["verdicts"].as_array().unwrap().is_empty());
    for words in ["1000_100_20_20", "milliseconds times 0.001", "11.1x"] {
        assert!(stdout.contains(words), "{words} is not in {stdout}");
    }
    assert!(page.contains("1000_2_40_20") && !page.contains("NaN"));
}

#[test]
fn keyed_and_semaphore_runs_have_their_marks() {
    let short = ["--secs", "0.02", "--rounds", "1"];
    let keyed = ["--scenario", "keyed-8-16,keyed-8-1k-zipf"];
    let Written { stdout, report, page, .. } = written(&[&keyed[..], &short].concat());
    let results = report["verdicts"][0]["results"].as_array().unwrap();
    let marks: Vec<_> = results.iter().map(|result| &result["mark"]["throughput"]).collect();
    assert_eq!(marks, [1.0, 2.0]);
    for result in results {
        assert_eq!(
            (&result["mark"]["coarse"], &result["best_coarse"]),
            (&0.7.into(), &"dashmap".into())
        );
        assert!(result["coarse"].is_f64() && result["best_rival"] != "dashmap");
    }
    assert!(report["key_memory"].is_null(), "scenarios were named");
    assert!(stdout.contains("which locks other keys too"), "{stdout}");
    assert!(page.contains("to who locks other keys too") && !page.contains("NaN"));

    let run = ["--suite", "semaphore", "--quick"];
    let Written { stdout, report, page, picture } = written(&[&run[..], &short].concat());
    let verdicts = report["verdicts"].as_array().unwrap();
    let subjects: Vec<_> = verdicts.iter().map(|verdict| &verdict["subject"]).collect();
    assert_eq!(subjects, ["parkade", "parkade-barging"]);
    assert!(verdicts.iter().all(|verdict| verdict["results"].as_array().unwrap().len() == 4));
    let cells = |index: usize| report["scenarios"][index]["cells"].as_array().unwrap().len();
    // One of them gives no several permits at once.
    assert_eq!((report["subjects"].as_array().unwrap().len(), cells(0), cells(3)), (6, 6, 5));
    for words in ["parkade-barging in parts of", "blocking_acquire", "sem-8-8-weighted"] {
        assert!(stdout.contains(words), "{words} is not in {stdout}");
    }
    assert!(!page.contains("NaN") && !page.contains("inf"), "a figure is missing");
    assert_eq!(headings(&picture), ["sem-8-2", "sem-8-4", "sem-8-8-weighted"]);
}

#[test]
fn locks_of_tasks_are_judged_beside_what_a_task_costs_everywhere() {
    // Every scenario that can have eight tasks; with 100,000 a build like this one takes its time.
    let run = ["--suite", "async", "--threads", "8", "--secs", "0.02", "--rounds", "1"];
    let locks = ["--lock", "parkade,tokio"];
    let Written { stdout, report, page, picture } = written(&[&run[..], &locks].concat());
    assert_eq!(report["kind"], "async");
    let costs = report["task_costs"].as_array().unwrap();
    assert_eq!(costs.len(), 2);
    for cost in costs {
        assert!(cost["future"].as_u64().unwrap() > 8 && cost["task_ns"].as_f64().unwrap() > 0.0);
        assert_eq!(cost["wakes"].as_array().unwrap().len(), 3);
    }
    assert!(costs[0]["future"].as_u64().unwrap() <= 128, "{}", costs[0]);
    assert_eq!(costs[0]["key_wakes"].as_array().unwrap().len(), 2);
    let results = report["verdicts"][0]["results"].as_array().unwrap();
    let judged: Vec<_> = results
        .iter()
        .map(|result| {
            assert!(result["mark"]["wait"].is_null() && result["wait"].is_f64());
            (result["scenario"].as_str().unwrap(), result["mark"]["throughput"].as_f64().unwrap())
        })
        .collect();
    assert_eq!(judged, [("async-8", 1.0), ("async-hold-8", 1.0)]);
    for words in [
        "task min..max",
        "100000 on one lock",
        "each of 100000 keys",
        "bytes of future",
        "blocking_lock",
    ] {
        assert!(stdout.contains(words), "{words} is not in {stdout}");
    }
    assert!(page.contains("100000 on one lock") && !page.contains("NaN"));
    assert_eq!(headings(&picture), ["async-8", "async-hold-8"]);

    let named = ["--scenario", "async-uncontended,async-mixed-4+4", "--secs", "0.02"];
    let Written { stdout, report, .. } = written(&[&named[..], &["--rounds", "1"]].concat());
    assert!(report["task_costs"].is_null(), "scenarios were named");
    let scenarios = report["scenarios"].as_array().unwrap();
    assert!(scenarios.iter().all(|of| of["cells"].as_array().unwrap().len() == 4));
    let mixed = &scenarios[1]["cells"][0]["rounds"][0];
    assert_eq!(mixed["per_thread"].as_array().unwrap().len(), 8);
    assert!(stdout.contains("4 tasks and 4 threads"), "{stdout}");
}

/// What a run says and writes.
struct Written {
    stdout: String,
    report: Value,
    page: String,
    picture: String,
}

fn written(args: &[&str]) -> Written {
    let dir = tempfile::tempdir().unwrap();
    let [json, html, svg] = ["x.json", "x.html", "x.svg"].map(|name| path(dir.path(), name));
    let files = ["--json", &json, "--html", &html, "--scatter", &svg];
    let output = bench(&[args, &files].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    let text = |file| std::fs::read_to_string(file).unwrap();
    Written {
        stdout: stdout(&output),
        report: serde_json::from_str(&text(&json)).unwrap(),
        page: text(&html),
        picture: text(&svg),
    }
}

#[test]
fn one_lock_alone_has_no_ratios() {
    let output =
        bench(&["--scenario", "mixed-2", "--lock", "parkade", "--secs", "0.02", "--rounds", "1"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(!stdout(&output).contains("geometric mean"));
    assert!(!stdout(&output).contains("best rival"));
}

#[test]
fn suites_speak_their_own_units() {
    let article = bench(&["--suite", "article", "--secs", "0.02", "--rounds", "1"]);
    assert!(stdout(&article).contains("95.3 % and 1.9 %"), "{}", stderr(&article));
    let parking_lot = bench(&[
        "--suite",
        "parking-lot",
        "--threads",
        "1:3:2",
        "--work-inside",
        "5",
        "--secs",
        "0.02",
        "--rounds",
        "1",
        "--lock",
        "pl-0.12,std",
    ]);
    assert!(stdout(&parking_lot).contains(" kHz"), "{}", stderr(&parking_lot));
    let sides = ["--suite", "parking-lot", "--readers", "0:2:2", "--writers", "1"];
    let short = ["--secs", "0.02", "--rounds", "1", "--lock", "pl-0.12,sharded"];
    let sides = bench(&[&sides[..], &short].concat());
    for words in ["3 threads: 1 write, 2 read", "1 write, 0 read", "all writers", " kHz"] {
        assert!(stdout(&sides).contains(words), "{words}: {}", stderr(&sides));
    }
    let lock_bench = bench(&["--suite", "lock-bench", "--threads", "2", "--rounds", "1"]);
    assert!(stdout(&lock_bench).contains("many-2x64"), "{}", stderr(&lock_bench));
    assert!(stdout(&lock_bench).contains(" ms"));
}

/// Interrupted in the middle, a run leaves an older report as it was, and nothing else.
#[cfg(unix)]
#[test]
fn an_interrupted_run_leaves_the_older_report() {
    let dir = tempfile::tempdir().unwrap();
    let json = path(dir.path(), "x.json");
    std::fs::write(&json, "an older report").unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_parkade"))
        .args(["bench", "--scenario", "mixed-2", "--secs", "60", "--json", &json])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // The first line says that the run is about to begin, so the file has been looked at.
    let mut line = String::new();
    let mut stderr = std::io::BufReader::new(child.stderr.take().unwrap());
    std::io::BufRead::read_line(&mut stderr, &mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(line.contains("rounds of"), "{line}");
    assert_eq!(std::fs::read_to_string(&json).unwrap(), "an older report");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}
