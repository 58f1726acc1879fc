//! Lookouts that look right and are not. Each has to fail under loom.

use super::{model, wake};
use crate::{
    ParkRequest, TaskWaiter,
    model::explore,
    table::{self, Locked, Marks, node::Node},
    task::model::{Signal, cancel, poll, wake_one},
};
use core::{ptr::NonNull, task::Waker};
use loom::sync::{Arc, atomic::AtomicUsize};
use std::task::{Context, Poll, Wake};

/// A round, with something wrong while a waker is taken or thereafter.
fn round_and(wrong: impl Fn(&Locked, &Node, Waker) -> Option<Waker>) {
    for index in 0..table::BUCKETS {
        if table::lock_index(index).begin_round() == Marks::None {
            continue;
        }
        while let Some(mut due) = { table::lock_index(index).next_due() } {
            loop {
                let bucket = table::lock_index(index);
                let Some(waker) = bucket.nudge(&mut due) else { break };
                let mut nudged = None;
                bucket.walk(&mut |node| {
                    if node.has_no_waker() {
                        nudged = Some(NonNull::from(node));
                    }
                });
                // SAFETY: queued nodes are alive while the bucket lock is held.
                let node = unsafe { nudged.unwrap().as_ref() };
                let waker = wrong(&bucket, node, waker);
                drop(bucket);
                waker.into_iter().for_each(wake);
            }
        }
    }
}

/// It takes the mark away with the first nudge: if that task does not come either nobody else is asked.
#[test]
#[ignore = "has to fail"]
fn nudge_one_and_be_content() {
    model::rescued(|| {
        (0..6).for_each(|_| {
            round_and(|bucket, node, waker| {
                bucket.heard(node.key());
                Some(waker)
            });
        });
    });
}

/// It takes a task off the queue in order to nudge it, which then is nowhere.
#[test]
#[ignore = "has to fail"]
fn nudge_and_take_off_the_queue() {
    model::nudged_while_unparked(|| {
        round_and(|bucket, node, waker| {
            // SAFETY: queued, and this is its bucket.
            unsafe { bucket.unlink(NonNull::from(node)) };
            Some(waker)
        });
    });
}

/// It takes a waker and loses it: a task that is unparked now is told by nobody.
#[test]
#[ignore = "has to fail"]
fn take_a_waker_and_lose_it() {
    model::nudged_while_unparked(|| round_and(|_, _, _| None));
}

/// A waker that unparks somebody, as executors made of locks do.
struct Unparks(usize);

impl Wake for Unparks {
    fn wake(self: std::sync::Arc<Self>) {
        wake_one(self.0);
    }
}

/// It wakes under the bucket lock.
#[test]
#[ignore = "has to fail"]
fn nudge_under_the_bucket_lock() {
    explore(1, || {
        let word = Arc::new(AtomicUsize::new(0));
        let key = (&raw const *word).addr();
        let (dead, waiter) = (Box::pin(TaskWaiter::new()), Box::pin(TaskWaiter::new()));
        assert_eq!(poll(dead.as_ref(), &Signal::new(), key, || true), Poll::Pending);
        let waker = Waker::from(std::sync::Arc::new(Unparks(key)));
        let mut cx = Context::from_waker(&waker);
        // SAFETY: the key is the model's own, the callbacks do nothing, and the waiter is this thread's.
        let polled =
            unsafe { waiter.as_ref().poll_park(&mut cx, ParkRequest::new(key), || true, || {}) };
        assert_eq!(polled, Poll::Pending);
        wake_one(key);
        (0..3).for_each(|_| {
            round_and(|_, _, waker| {
                wake(waker);
                None
            });
        });
        for waiter in [dead, waiter] {
            let _ = cancel(waiter.as_ref(), |_| {});
        }
    });
}
