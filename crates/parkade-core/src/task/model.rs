//! Tasks under loom. An executor is a signal: its waker raises it, and whoever polls waits for it.
//!
//! Each model ends with waiters that go away (`Node::retire`): a notifier that still touches one races with that.

use super::{Cancelled, TaskWaiter};
use crate::{
    DEFAULT_UNPARK_TOKEN, Departure, ParkRequest, ParkResult, RequeueOp, UnparkToken,
    model::explore, park_with, unpark_all, unpark_one, unpark_requeue,
};
use loom::{
    sync::{
        Arc, Notify,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
};
use std::{
    pin::{Pin, pin},
    task::{Context, Poll, Wake, Waker},
};

/// Where a task is run: its waker raises the signal.
pub(crate) struct Signal(pub(crate) Notify);

impl Wake for Signal {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.notify();
    }
}

impl Signal {
    pub(crate) fn new() -> std::sync::Arc<Signal> {
        std::sync::Arc::new(Signal(Notify::new()))
    }
}

pub(crate) type Polled = Poll<ParkResult>;

/// A look at the word under the queue lock, which says whether to wait.
pub(crate) fn poll(
    waiter: Pin<&TaskWaiter>,
    signal: &std::sync::Arc<Signal>,
    key: usize,
    validate: impl FnOnce() -> bool,
) -> Polled {
    let waker = Waker::from(signal.clone());
    let mut cx = Context::from_waker(&waker);
    // SAFETY: the key is a model's own, the callbacks do not call into the table, and the waiter is this thread's.
    unsafe { waiter.poll_park(&mut cx, ParkRequest::new(key), validate, || {}) }
}

pub(crate) fn cancel(waiter: Pin<&TaskWaiter>, left: impl FnOnce(Departure)) -> Cancelled {
    // SAFETY: the callback does not call into the table, and the waiter is this thread's.
    unsafe { waiter.cancel(left) }
}

pub(crate) fn wake_one(key: usize) -> usize {
    // SAFETY: the key is a model's own, and the callback does nothing.
    let result = unsafe { unpark_one(key, |_| UnparkToken(7)) };
    result.unparked_tasks + result.unparked_threads
}

pub(crate) const WOKEN: Polled = Poll::Ready(ParkResult::Unparked(UnparkToken(7)));

/// A number of passes. Who takes one need not wait; who finds none waits to be given one.
pub(crate) struct Passes {
    free: AtomicUsize,
}

impl Passes {
    pub(super) fn new() -> Arc<Passes> {
        Arc::new(Passes { free: AtomicUsize::new(0) })
    }

    pub(super) fn key(&self) -> usize {
        (&raw const self.free).addr()
    }

    /// Takes a pass if there is one; under the queue lock.
    pub(super) fn none_is_free(&self) -> bool {
        let free = self.free.load(Relaxed);
        self.free.store(free.saturating_sub(1), Relaxed);
        free == 0
    }

    /// Gives one to the first in line, or keeps it.
    pub(super) fn give(&self) {
        // SAFETY: the key is our own address, and the callback touches only our word.
        unsafe {
            unpark_one(self.key(), |result| {
                if result.unparked_threads + result.unparked_tasks == 0 {
                    self.free.store(self.free.load(Relaxed) + 1, Relaxed);
                }
                UnparkToken(7)
            })
        };
    }

    /// A thread that waits for a pass.
    pub(super) fn take(&self) {
        let request = ParkRequest::new(self.key());
        // SAFETY: the key is our own address, and the callbacks touch only our word.
        unsafe { park_with(request, || self.none_is_free(), || {}, |_| {}) };
    }
}

/// covers: N1 N2 (a look without being woken), and the last of several wakers is woken
#[test]
fn model_task_polled_again() {
    explore(3, || {
        let word = Arc::new(AtomicUsize::new(0));
        let key = (&raw const *word).addr();
        let setter = {
            let word = word.clone();
            thread::spawn(move || {
                word.store(1, Relaxed);
                // SAFETY: the key is the model's own.
                unsafe { unpark_all(key, UnparkToken(7)) };
            })
        };
        let (before, after) = (Signal::new(), Signal::new());
        let waiter = pin!(TaskWaiter::new());
        let waiter = waiter.as_ref();
        let mut polled = Poll::Pending;
        for signal in [&before, &after] {
            if polled.is_pending() {
                polled = poll(waiter, signal, key, || word.load(Relaxed) == 0);
            }
        }
        while polled.is_pending() {
            after.0.wait();
            polled = poll(waiter, &after, key, || unreachable!("it is parked"));
        }
        assert!(polled == WOKEN || polled == Poll::Ready(ParkResult::Invalid));
        // Unused, and woken or not: it waits for the next.
        assert_eq!(cancel(waiter, |_| unreachable!("it was ready")), Cancelled::NotParked);
        setter.join().unwrap();
    });
}

/// covers: a task that is dropped has left, or has a wake and passes it on: the thread behind it gets it
#[test]
fn model_task_cancelled() {
    explore(3, || {
        let passes = Passes::new();
        let behind = {
            let passes = passes.clone();
            thread::spawn(move || passes.take())
        };
        let giver = {
            let passes = passes.clone();
            thread::spawn(move || passes.give())
        };
        {
            let waiter = pin!(TaskWaiter::new());
            let signal = Signal::new();
            let polled = poll(waiter.as_ref(), &signal, passes.key(), || passes.none_is_free());
            let mine = match polled {
                Poll::Ready(_) => true,
                Poll::Pending => match cancel(waiter.as_ref(), |_| {}) {
                    Cancelled::Unparked(token) => {
                        assert_eq!(token, UnparkToken(7));
                        true
                    }
                    cancelled => {
                        assert_eq!(cancelled, Cancelled::Left);
                        false
                    }
                },
            };
            assert_eq!(cancel(waiter.as_ref(), |_| unreachable!()), Cancelled::NotParked);
            if mine {
                passes.give();
            }
        }
        behind.join().unwrap();
        giver.join().unwrap();
    });
}

/// covers: a task is moved to another key, unparked there, and cancelled meanwhile; all is told once
#[test]
fn model_task_requeued() {
    explore(3, || {
        let words = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
        // Of two buckets.
        let (from, to) = ((&raw const words.0).addr(), (&raw const words.0).addr() + 1);
        let waiter = pin!(TaskWaiter::new());
        let signal = Signal::new();
        assert_eq!(poll(waiter.as_ref(), &signal, from, || true), Poll::Pending);
        let mover = thread::spawn(move || {
            let op = || RequeueOp::RequeueAll;
            // SAFETY: the keys are the model's own, and the callbacks do nothing.
            let moved = unsafe { unpark_requeue(from, to, op, |_, _| DEFAULT_UNPARK_TOKEN) };
            (moved.requeued_threads, wake_one(to))
        });
        let mut key = None;
        let cancelled = cancel(waiter.as_ref(), |departure| {
            assert!(!departure.have_more_threads);
            key = Some(departure.key);
        });
        let (moved, woken) = mover.join().unwrap();
        match cancelled {
            Cancelled::Unparked(token) => assert_eq!((moved, woken, token), (1, 1, UnparkToken(7))),
            Cancelled::Left => {
                assert_eq!(woken, 0);
                assert_eq!(key, Some(if moved == 1 { to } else { from }));
            }
            Cancelled::NotParked => unreachable!("it was"),
        }
        drop(words);
    });
}

/// covers: two tasks and then a thread are given passes in that order
#[test]
fn model_task_queue() {
    explore(2, || {
        let passes = Passes::new();
        let key = passes.key();
        let (first, second) = (pin!(TaskWaiter::new()), pin!(TaskWaiter::new()));
        let (first, second) = (first.as_ref(), second.as_ref());
        let signals = [Signal::new(), Signal::new()];
        assert_eq!(poll(first, &signals[0], key, || passes.none_is_free()), Poll::Pending);
        assert_eq!(poll(second, &signals[1], key, || passes.none_is_free()), Poll::Pending);
        let last = {
            let passes = passes.clone();
            thread::spawn(move || passes.take())
        };
        passes.give();
        signals[0].0.wait();
        assert_eq!(poll(first, &signals[0], key, || unreachable!()), WOKEN);
        assert_eq!(poll(second, &signals[1], key, || unreachable!()), Poll::Pending);
        passes.give();
        signals[1].0.wait();
        assert_eq!(poll(second, &signals[1], key, || unreachable!()), WOKEN);
        passes.give();
        last.join().unwrap();
    });
}

/// covers: more tasks than a notifier has room for; those in the ring are polled, cancelled and freed meanwhile
#[test]
fn model_task_ring() {
    explore(3, || {
        let word = Arc::new(AtomicUsize::new(0));
        let key = (&raw const *word).addr();
        let signals = [(); 5].map(|()| Signal::new());
        // Freed while the notifier may still be at work.
        let mut waiters = [(); 5].map(|()| Some(Box::pin(TaskWaiter::new())));
        let at = |waiters: &[Option<Pin<Box<TaskWaiter>>>; 5], i: usize| {
            poll(waiters[i].as_ref().unwrap().as_ref(), &signals[i], key, || true)
        };
        for i in 0..5 {
            assert_eq!(at(&waiters, i), Poll::Pending);
        }
        let waker = thread::spawn(move || {
            // SAFETY: the key is the model's own.
            assert_ne!(unsafe { unpark_all(key, UnparkToken(7)) }, 0);
        });
        // A signal may be a false one.
        while at(&waiters, 0).is_pending() {
            signals[0].0.wait();
        }
        // All are unparked at the same time. The second has been notified too; the others are in a ring, from its
        // midst to an end of it, or were.
        for i in [3, 2] {
            assert_eq!(at(&waiters, i), WOKEN);
            waiters[i] = None;
        }
        let last = waiters[4].take().unwrap();
        let cancelled = cancel(last.as_ref(), |_| unreachable!("all were unparked"));
        assert_eq!(cancelled, Cancelled::Unparked(UnparkToken(7)));
        drop(last);
        assert_eq!(at(&waiters, 1), WOKEN);
        drop(waiters);
        waker.join().unwrap();
    });
}
