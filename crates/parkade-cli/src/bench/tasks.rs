//! What belongs to locks of tasks alone: what a task costs.

use parkade_bench::report::Report;
use parkade_bench::variant::Variant;
use parkade_bench::waiting::{
    self, CROWDS, MOST_ALONE, MOST_BYTES, MOST_GROWTH, TaskCost, WakeCost,
};

use super::format::{duration, or_dash, ratio};
use super::sheet::{Sheet, plain};
use super::table::label;

/// Asks what a task costs, with each lock that has been asked for.
pub(crate) fn measure(locks: &[Variant]) -> Vec<TaskCost> {
    let mut once: Vec<TaskCost> = Vec::new();
    for lock in locks.iter().map(Variant::subject) {
        if once.iter().all(|known| known.subject != lock) {
            once.push(waiting::of(lock));
            eprintln!("waiting tasks: {lock} done");
        }
    }
    once
}

/// What tasks cost, in two tables.
pub(crate) fn sheets(report: &Report) -> [Sheet; 2] {
    [single(report), crowds(report)]
}

/// A mark for ours alone.
fn mark(cost: &TaskCost, text: String) -> String {
    if cost.subject.is_ours() { text } else { String::new() }
}

fn single(report: &Report) -> Sheet {
    let head = [
        "lock",
        "bytes of future",
        "mark",
        "of heap",
        "lock and unlock as a task",
        "as a thread",
        "ratio",
        "mark",
    ];
    let row = |cost: &TaskCost| {
        let judged = |reached: bool| cost.subject.is_ours().then_some(reached);
        vec![
            plain(label(report, &cost.subject.into())),
            (cost.future.to_string(), judged(cost.small())),
            plain(mark(cost, format!("<= {MOST_BYTES}"))),
            plain(or_dash(cost.heap, |bytes| format!("{bytes:.0}"))),
            plain(duration(cost.task_ns)),
            plain(duration(cost.thread_ns)),
            (ratio(cost.task_to_thread), judged(cost.fast_alone())),
            plain(mark(cost, format!("<= {}", ratio(MOST_ALONE)))),
        ]
    };
    Sheet {
        title: "A task that waits, and one that need not".to_owned(),
        head: head.map(String::from).into(),
        rows: report.task_costs.iter().map(row).collect(),
        notes: vec![
            "bytes of the heap are those in use for each of 100000 that wait, by the C library's count, \
             beside their futures; nothing of this needs a runtime, tasks are polled by hand"
                .to_owned(),
        ],
    }
}

fn who(wakes: &WakeCost) -> String {
    let crowd = wakes.crowd.describe();
    if wakes.woken == wakes.crowd.tasks() {
        return crowd;
    }
    format!("the first {} of {crowd}", wakes.woken)
}

fn crowds(report: &Report) -> Sheet {
    let head = ["lock", "tasks", "come and wait", "wake and lock", "growth", "mark"];
    let row = |cost: &TaskCost, who: String, wakes: &WakeCost, first: &WakeCost| {
        // The first is the measure, and ten on each of many locks show what the caches do.
        let judged = wakes.crowd != first.crowd && wakes.crowd != CROWDS[2];
        let reached = (judged && cost.subject.is_ours()).then(|| wakes.grows_little(first));
        let asked = if judged { format!("<= {}", ratio(MOST_GROWTH)) } else { String::new() };
        vec![
            plain(label(report, &cost.subject.into())),
            plain(who),
            plain(duration(wakes.wait_ns)),
            plain(duration(wakes.wake_ns)),
            (ratio(wakes.growth(first)), reached),
            plain(mark(cost, asked)),
        ]
    };
    let rows = report.task_costs.iter().flat_map(|cost| {
        let key = |wakes: &WakeCost| who(wakes).replace("locks", "keys");
        let locks = cost.wakes.iter().map(|wakes| row(cost, who(wakes), wakes, &cost.wakes[0]));
        let keys =
            cost.key_wakes.iter().map(|wakes| row(cost, key(wakes), wakes, &cost.key_wakes[0]));
        locks.chain(keys).collect::<Vec<_>>()
    });
    Sheet {
        title: "Tasks that wait are woken one after the other, each when the one before it unlocks"
            .to_owned(),
        head: head.map(String::from).into(),
        rows: rows.collect(),
        notes: vec![format!(
            "growth: to {}, or on each of ten keys; {} have as much memory as those who are many on one lock, in queues that short",
            CROWDS[0].describe(),
            CROWDS[2].describe(),
        )],
    }
}
