//! What belongs to keyed locks alone: the published cases, and memory.

use parkade_bench::memory::{self, KeyMemory, MOST};
use parkade_bench::report::Report;
use parkade_bench::subject::Grain;
use parkade_bench::suites::keyed::{Case, CaseReport, JobsRun, Split};
use parkade_bench::variant::Variant;

use super::args;
use super::format::{duration, or_dash, ratio};
use super::sheet::{Sheet, plain};
use super::table::label;

/// Runs the published cases.
pub(crate) fn measure_cases(how: &args::Cases, seed: u64) -> Vec<CaseReport> {
    let measure = |case: &Case| {
        let report = CaseReport::measure(*case, how.scale, how.split, seed, &how.locks);
        let giant = duration(report.giant.secs * 1e9);
        eprintln!("jobs {}: {giant} with one mutex, done", case.name());
        report
    };
    how.cases.iter().map(measure).collect()
}

/// Asks what a locked key takes, with each lock that has been asked for.
pub(crate) fn measure_memory(locks: &[Variant]) -> Vec<KeyMemory> {
    let mut once: Vec<KeyMemory> = Vec::new();
    for lock in locks.iter().map(Variant::subject) {
        if once.iter().all(|known| known.subject != lock) {
            once.extend(memory::of(lock, memory::KEYS));
        }
    }
    once
}

fn seconds(run: JobsRun) -> String {
    duration(run.secs * 1e9)
}

/// The published cases, as far as they were run.
pub(crate) fn cases(report: &Report) -> Sheet {
    let head = [
        "jobs_keys_workers_ms",
        "one mutex",
        "lock",
        "time",
        "ratio",
        "mark",
        "ideal",
        "published",
        "their times",
        "jobs done",
        "retrying",
        "jobs done",
    ];
    let mut rows = Vec::new();
    for case in &report.cases {
        rows.extend(case.keyed.iter().map(|(lock, run)| case_row(report, case, lock, *run)));
    }
    let scale = report.cases.first().map_or(1.0, |case| case.scale);
    Sheet {
        title: format!(
            "mapmutex's benchmark: one mutex around all jobs beside one for each key, \
             milliseconds times {scale}"
        ),
        head: head.map(String::from).into(),
        rows,
        notes: case_notes(report),
    }
}

fn case_row(
    report: &Report,
    case: &CaseReport,
    lock: &Variant,
    run: JobsRun,
) -> Vec<(String, Option<bool>)> {
    let published = case.case.published;
    let judged = !lock.is_rival();
    let all = |done| format!("{done} of {}", case.case.jobs);
    let fast = case.mark().map(|mark| case.ratio(run) >= mark);
    vec![
        plain(case.case.name()),
        plain(seconds(case.giant)),
        plain(label(report, lock)),
        plain(seconds(run)),
        (ratio(case.ratio(run)), fast.filter(|_| judged)),
        plain(or_dash(case.mark(), |mark| format!(">= {}", ratio(mark)))),
        plain(ratio(case.ideal)),
        plain(ratio(published.ratio())),
        plain(format!("{} s, {} s", published.giant_secs, published.keyed_secs)),
        (all(run.done), judged.then_some(run.done == case.case.jobs)),
        plain(seconds(case.retrying)),
        plain(all(case.retrying.done)),
    ]
}

fn case_notes(report: &Report) -> Vec<String> {
    let mut notes = vec![
        "ratio: the time with one mutex in parts of the lock's; ideal: what it would be with these \
         jobs if sleeps took what they are asked to and nobody waited but the worker or the key with \
         the most to do"
            .to_owned(),
        "published: mapmutex's own, which gave up 11 of 1000 jobs in 1000_2_40_20; retrying: \
         try_lock_retrying with its pauses, which may give up too"
            .to_owned(),
    ];
    let split = report.cases.first().map(|case| match case.split {
        Split::Even => {
            "jobs are split evenly; the published run gave some workers nearly twice as many as \
             others (--job-split published), which bounds the ratio whatever the lock"
        }
        Split::Published => {
            "jobs are split unevenly at random, as in the published run; nothing but every job done is \
             asked for, because the busiest worker bounds the ratio"
        }
    });
    notes.extend(split.map(str::to_owned));
    notes.extend(missed(report));
    notes
}

/// The verdict on the published cases.
fn missed(report: &Report) -> Vec<String> {
    let judged = |case: &CaseReport| -> Vec<String> {
        let ours = case.keyed.iter().filter(|(lock, _)| !lock.is_rival());
        let bad = ours.filter(|(_, run)| !case.reached(*run));
        bad.map(|(lock, _)| format!("{lock} misses its mark in {}", case.case.name())).collect()
    };
    let missed: Vec<String> = report.cases.iter().flat_map(judged).collect();
    if missed.is_empty() {
        return vec!["every mark is reached, every job done".to_owned()];
    }
    missed
}

/// What a locked key takes.
pub(crate) fn memory(report: &Report) -> Sheet {
    let head = ["lock", "bytes for a locked key", "mark", "guard", "for a free one, afterwards"];
    let row = |memory: &KeyMemory| {
        let bytes = |bytes: f64| format!("{bytes:.1}");
        let judged = memory.subject.is_ours();
        vec![
            plain(label(report, &memory.subject.into())),
            (bytes(memory.beside_key), judged.then(|| memory.reached())),
            plain(if judged { format!("<= {MOST}") } else { String::new() }),
            plain(match memory.subject.grain() {
                Grain::Exact => memory.guard.to_string(),
                Grain::Coarse => "not held".to_owned(),
            }),
            plain(bytes(memory.left)),
        ]
    };
    let keys = report.key_memory.first().map_or(0, |memory| memory.keys);
    Sheet {
        title: format!("Memory with {keys} keys of 8 bytes locked at once"),
        head: head.map(String::from).into(),
        rows: report.key_memory.iter().map(row).collect(),
        notes: vec![
            "heap in use for each key, by the C library's count, without the key's 8 bytes; guards are \
             not on the heap"
                .to_owned(),
        ],
    }
}
