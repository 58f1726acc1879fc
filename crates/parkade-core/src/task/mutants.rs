//! Protocols that look right and are not. Each has to fail under loom, or the models would not notice
//! such a mistake in the real one: `cargo xtask weaken` runs them.

use super::{
    Cancelled, TaskWaiter,
    model::{Passes, Signal, WOKEN, poll},
};
use crate::{
    FilterOp, UnparkToken,
    model::explore,
    table::{self, WakeAt, node::Standing},
    unpark_all,
};
use loom::{
    sync::{Arc, atomic::AtomicUsize},
    thread,
};
use std::{
    pin::{Pin, pin},
    ptr::NonNull,
    task::{Poll, Waker},
};

/// A waiter that somebody else unparks, once it waits on a key of its own.
fn unparked_by(
    unpark: impl FnOnce(usize) + Send + 'static,
    then: impl FnOnce(Pin<&TaskWaiter>, usize, &std::sync::Arc<Signal>),
) {
    let word = Arc::new(AtomicUsize::new(0));
    let key = (&raw const *word).addr();
    let (waiter, signal) = (pin!(TaskWaiter::new()), Signal::new());
    assert_eq!(poll(waiter.as_ref(), &signal, key, || true), Poll::Pending);
    let unparker = thread::spawn(move || unpark(key));
    then(waiter.as_ref(), key, &signal);
    unparker.join().unwrap();
}

fn unpark(key: usize) {
    // SAFETY: the key is a model's own.
    unsafe { unpark_all(key, UnparkToken(7)) };
}

fn unpark_after(key: usize, at: WakeAt) {
    let bucket = table::lock(key);
    bucket.take(key, |_| FilterOp::Unpark).notify_after(bucket, UnparkToken(7), at);
}

/// A poll does not look whether it comes from the same task as the one before.
#[test]
#[ignore = "has to fail"]
fn poll_and_keep_the_first_waker() {
    explore(2, || {
        unparked_by(unpark, |waiter, _, _| {
            let later = Signal::new();
            while !waiter.node.make().is_notified() {
                later.0.wait();
            }
            assert_eq!(poll(waiter, &later, 0, || unreachable!()), WOKEN);
        });
    });
}

/// A notifier treats tasks as threads: it takes them, and wakes and notifies them after the lock. A poll that finds the
/// task taken relies on the waker that the notifier has.
#[test]
#[ignore = "has to fail"]
fn poll_and_leave_a_taken_task_to_its_notifier() {
    explore(2, || {
        unparked_by(
            |key| unpark_after(key, WakeAt::Last),
            |waiter, _, _| {
                let (node, later) = (waiter.get_ref().node.make(), Signal::new());
                let bucket = table::lock_of(node);
                if node.is_queued() {
                    drop(node.replace_waker(Some(Waker::from(later.clone()))));
                }
                drop(bucket);
                while !node.is_notified() {
                    later.0.wait();
                }
                assert_eq!(poll(waiter, &later, 0, || unreachable!()), WOKEN);
            },
        );
    });
}

/// The waker is woken first, and then the task notified.
#[test]
#[ignore = "has to fail"]
fn wake_and_then_notify() {
    explore(2, || {
        unparked_by(
            |key| unpark_after(key, WakeAt::First),
            |waiter, _, signal| {
                while !waiter.node.make().is_notified() {
                    signal.0.wait();
                }
                assert_eq!(poll(waiter, signal, 0, || unreachable!()), WOKEN);
            },
        );
    });
}

/// Cancels, and reports what it has found before it had the lock.
fn cancel_as_it_looked(waiter: Pin<&TaskWaiter>) -> Cancelled {
    let node = waiter.get_ref().node.make();
    if node.is_notified() {
        node.end();
        return Cancelled::Unparked(node.unpark_token());
    }
    let bucket = table::lock_of(node);
    if node.standing() == Standing::Queued {
        // SAFETY: queued, and this is its bucket.
        unsafe { bucket.unlink(NonNull::from(node)) };
        drop(node.replace_waker(None));
    }
    drop(bucket);
    node.end();
    Cancelled::Left
}

/// A task that is unparked while it cancels does not pass that on: the thread behind it sleeps for ever.
#[test]
#[ignore = "has to fail"]
fn cancel_and_swallow_a_wake() {
    explore(2, || {
        let passes = Passes::new();
        let (waiter, signal) = (pin!(TaskWaiter::new()), Signal::new());
        let waiter = waiter.as_ref();
        assert_eq!(poll(waiter, &signal, passes.key(), || true), Poll::Pending);
        let [behind, giver] = [Passes::take as fn(&Passes), Passes::give].map(|act| {
            let passes = passes.clone();
            thread::spawn(move || act(&passes))
        });
        if let Cancelled::Unparked(_) = cancel_as_it_looked(waiter) {
            passes.give();
        }
        behind.join().unwrap();
        giver.join().unwrap();
    });
}

/// A listed task takes its token and goes, and the ring still leads to it.
#[test]
#[ignore = "has to fail"]
fn leave_and_stay_in_the_ring() {
    explore(2, || {
        let word = Arc::new(AtomicUsize::new(0));
        let key = (&raw const *word).addr();
        let signal = Signal::new();
        let waiters = [(); 3].map(|()| Box::pin(TaskWaiter::new()));
        for waiter in &waiters {
            assert_eq!(poll(waiter.as_ref(), &signal, key, || true), Poll::Pending);
        }
        let unparker = thread::spawn(move || unpark(key));
        while poll(waiters[0].as_ref(), &signal, key, || true).is_pending() {
            signal.0.wait();
        }
        let node = waiters[2].node.make();
        if !node.is_notified() {
            let bucket = table::lock_of(node);
            drop(node.replace_waker(None));
            drop(bucket);
        }
        node.end();
        assert_eq!(node.unpark_token(), UnparkToken(7));
        node.retire();
        assert_eq!(poll(waiters[1].as_ref(), &signal, key, || true), WOKEN);
        unparker.join().unwrap();
    });
}
