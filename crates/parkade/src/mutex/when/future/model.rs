//! Tasks that wait for conditions, under loom.

use super::{
    super::model::{Tokens, spawn, take_one},
    Phase, Waiting,
};
use crate::{
    RawMutex,
    model::{Executor, Policy, explore_only, join},
};
use core::{
    future::poll_fn,
    pin::{Pin, pin},
};
use loom::{
    cell::Cell,
    sync::{Arc, atomic::AtomicU32},
    thread,
};
use parkade_core::shim::Ordering::Relaxed;

type Task = std::sync::Arc<Executor>;

/// A task waits for a token, polled as `run` says, whether it gets the lock or not; then its future goes away.
fn with_task(tokens: &Tokens, run: impl FnOnce(&Task, &mut dyn FnMut(&Task) -> bool)) {
    let waiting = pin!(Waiting::new(|there: &Cell<u32>| there.get() > 0, Phase::Wants));
    let waiting = waiting.as_ref();
    let task = Executor::new();
    let mut poll = |task: &Task| {
        tokens.begins();
        // SAFETY: always the same lock, and this thread has the future exclusively.
        let mut future =
            poll_fn(|cx| unsafe { waiting.poll(tokens.raw(), &raw const tokens.there, cx) });
        task.poll(Pin::new(&mut future)).is_ready()
    };
    run(&task, &mut poll);
    // SAFETY: as above.
    unsafe { waiting.end(tokens.raw()) };
}

/// Runs until it has a token.
fn take_as_task(tokens: &Tokens) {
    with_task(tokens, |task, poll| {
        while !poll(task) {
            task.wait();
        }
        tokens.take_held();
    });
}

/// Polls once, waits until `until` holds, and gives back what it has got.
fn poll_once(tokens: &Tokens, until: impl Fn() -> bool) {
    with_task(tokens, |task, poll| {
        if poll(task) {
            tokens.raw().release();
        }
        while !until() {
            thread::yield_now();
        }
    });
}

/// A task waits for a token that is put there with `release`.
pub(super) fn one_waits(release: impl Fn(&RawMutex) + Copy + Send + Sync + 'static) {
    for policy in [Policy::Stays, Policy::Returns] {
        explore_only(3, policy, move || {
            let tokens = Tokens::new();
            let waiter = spawn(&tokens, take_as_task);
            tokens.put(1, release);
            join([waiter]);
            tokens.check(1);
        });
    }
}

/// covers: W1 A4 P1 (a task is moved by who makes its condition true)
#[test]
fn model_when_task() {
    one_waits(RawMutex::release);
    one_waits(RawMutex::release_fair);
}

/// covers: W1 P1 (a task and a thread, and two tasks: a token for each, put there one by one)
#[test]
fn model_when_tasks() {
    for other in [take_one, take_as_task] {
        // With one preemption it takes ten seconds, and shows no more of the mutants.
        explore_only(0, Policy::Returns, move || {
            let tokens = Tokens::new();
            let waiters = [spawn(&tokens, take_as_task), spawn(&tokens, other)];
            tokens.put(1, RawMutex::release);
            tokens.put(1, RawMutex::release);
            join(waiters);
            tokens.check(2);
        });
    }
}

/// covers: W1 P3 (a task is dropped that has been put in line because there is a token; another gets that)
#[test]
fn model_when_task_dropped() {
    // What has to happen happens without preemptions; with threads that look again and again more takes minutes.
    explore_only(0, Policy::Stays, || {
        let tokens = Tokens::new();
        let put = Arc::new(AtomicU32::new(0));
        let there = put.clone();
        let waiters = [
            spawn(&tokens, move |tokens| poll_once(tokens, || there.load(Relaxed) == 1)),
            spawn(&tokens, take_as_task),
        ];
        tokens.let_wait(2);
        tokens.put(1, RawMutex::release);
        put.store(1, Relaxed);
        join(waiters);
        tokens.check(1);
    });
}

/// covers: W1 (a task is dropped at any time after its first poll)
#[test]
fn model_when_task_dropped_at_any_time() {
    explore_only(2, Policy::Stays, || {
        let tokens = Tokens::new();
        let waiter = spawn(&tokens, |tokens| poll_once(tokens, || true));
        tokens.let_wait(1);
        tokens.put(1, RawMutex::release);
        join([waiter]);
        tokens.check(1);
    });
}

/// A thread waits for a token behind a task that waits for one and is not polled.
pub(super) fn behind_a_task_that_is_not_polled(
    release: impl Fn(&RawMutex) + Copy + Send + Sync + 'static,
) {
    explore_only(2, Policy::Stays, move || {
        let tokens = Tokens::new();
        let waiter = spawn(&tokens, |tokens| {
            with_task(tokens, |task, poll| {
                if poll(task) {
                    tokens.take_held();
                } else {
                    take_one(tokens);
                }
            });
        });
        tokens.let_wait(1);
        tokens.put(1, release);
        join([waiter]);
        tokens.check(1);
    });
}

/// covers: W1 P3 (a thread behind a task whose condition is true, and that is not polled)
#[test]
fn model_when_task_never_polled() {
    behind_a_task_that_is_not_polled(RawMutex::release);
}
