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

/// How a future goes away.
pub(super) trait End: Copy + Send + Sync + 'static {
    fn end<F: FnMut(&Cell<u32>) -> bool>(
        self,
        waiting: Pin<&Waiting<Cell<u32>, F>>,
        raw: &RawMutex,
    );
}

#[derive(Clone, Copy)]
struct Right;

impl End for Right {
    fn end<F: FnMut(&Cell<u32>) -> bool>(
        self,
        waiting: Pin<&Waiting<Cell<u32>, F>>,
        raw: &RawMutex,
    ) {
        // SAFETY: always the same lock, and who drops has it exclusively.
        unsafe { waiting.end(raw) };
    }
}

/// A task waits for a token, polled as `run` says, whether it gets the lock or not; then its future goes away. The condition has
/// a state of its own, which nobody may use afterwards.
fn with_task(
    tokens: &Tokens,
    end: impl End,
    run: impl FnOnce(&std::sync::Arc<Executor>, &mut dyn FnMut(&std::sync::Arc<Executor>) -> bool),
) {
    let calls = Cell::new(0);
    let condition = |there: &Cell<u32>| {
        calls.set(calls.get() + 1);
        there.get() > 0
    };
    // SAFETY: the data is protected by the lock, which is not held yet.
    let waiting = unsafe { Waiting::new(&raw const tokens.there, condition, Phase::Begins) };
    let waiting = pin!(waiting);
    let waiting = waiting.as_ref();
    let task = Executor::new();
    let mut poll = |task: &std::sync::Arc<Executor>| {
        tokens.begins();
        // SAFETY: as in `Right`.
        let mut future = poll_fn(|cx| unsafe { waiting.poll(tokens.raw(), cx) });
        task.poll(Pin::new(&mut future)).is_ready()
    };
    run(&task, &mut poll);
    end.end(waiting, tokens.raw());
    calls.set(0);
}

/// Runs until it has a token.
fn take_as_task(tokens: &Tokens) {
    with_task(tokens, Right, |task, poll| {
        while !poll(task) {
            task.wait();
        }
        tokens.take_held();
    });
}

/// Polls once, waits until `until` holds, and gives back what it has got.
fn poll_once(tokens: &Tokens, end: impl End, until: impl Fn() -> bool) {
    with_task(tokens, end, |task, poll| {
        if poll(task) {
            tokens.raw().release();
        }
        while !until() {
            thread::yield_now();
        }
    });
}

/// covers: W1 A4 P1 (a task and a thread wait, and there is a token for each)
#[test]
fn model_when_task() {
    explore_only(1, Policy::Returns, || {
        let tokens = Tokens::new();
        let waiters = [spawn(&tokens, take_as_task), spawn(&tokens, take_one)];
        tokens.put(2, RawMutex::release);
        join(waiters);
        tokens.check(2);
    });
}

/// A task is dropped at any time after its first poll: also while its condition is called.
pub(super) fn dropped_at_any_time(end: impl End) {
    explore_only(2, Policy::Stays, move || {
        let tokens = Tokens::new();
        let waiter = spawn(&tokens, move |tokens| poll_once(tokens, end, || true));
        tokens.let_wait(1);
        tokens.put(1, RawMutex::release);
        join([waiter]);
        tokens.check(1);
    });
}

/// covers: W1 (tickets of tasks that are pinned, abandoned and done)
#[test]
fn model_when_task_dropped() {
    dropped_at_any_time(Right);
}

/// A task is dropped that has been put in line because there is a token; another gets that.
pub(super) fn dropped_in_line(end: impl End) {
    // What has to happen happens without preemptions; with threads that look again and again more takes minutes.
    explore_only(0, Policy::Stays, move || {
        let tokens = Tokens::new();
        let put = Arc::new(AtomicU32::new(0));
        let there = put.clone();
        let waiters = [
            spawn(&tokens, move |tokens| {
                poll_once(tokens, end, || there.load(Relaxed) == 1);
            }),
            spawn(&tokens, take_as_task),
        ];
        tokens.let_wait(2);
        tokens.put(1, RawMutex::release);
        put.store(1, Relaxed);
        join(waiters);
        tokens.check(1);
    });
}

/// covers: W1 P3 (a task passes on that its condition was true)
#[test]
fn model_when_task_dropped_in_line() {
    dropped_in_line(Right);
}

/// covers: W1 P3 (a thread behind a task whose condition is true, and that is not polled)
#[test]
fn model_when_task_never_polled() {
    explore_only(2, Policy::Stays, || {
        let tokens = Tokens::new();
        let waiter = spawn(&tokens, |tokens| {
            with_task(tokens, Right, |task, poll| {
                if poll(task) {
                    tokens.take_held();
                } else {
                    take_one(tokens);
                }
            });
        });
        tokens.put(1, RawMutex::release);
        join([waiter]);
        tokens.check(1);
    });
}
