//! The lookout under loom: a round is made by whoever likes.

use super::{Duty, round};
use crate::{
    Cancelled, RequeueOp, TaskWaiter, UnparkToken,
    model::explore,
    task::model::{Signal, WOKEN, cancel, poll, wake_one},
    unpark_requeue,
};
use loom::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
};
use std::{pin::pin, task::Poll};

/// covers: S1 S2, and that a bucket which is noted while the lookout goes to sleep is seen to
#[test]
fn model_lookout_sleeps() {
    explore(3, || {
        let duty = Arc::new(Duty::new());
        let noted = {
            let duty = duty.clone();
            thread::spawn(move || {
                if duty.note(0) == super::Alarm::Ring {
                    duty.ring();
                }
            })
        };
        duty.sleep(Duty::is_any_noted);
        duty.forget(0);
        noted.join().unwrap();
    });
}

/// covers: a nudge races with an unpark and a poll of the same task: it is told once, and its waker is woken once
#[test]
fn model_lookout_nudge_and_unpark() {
    nudged_while_unparked(round);
}

/// A task that the second of two rounds nudges while it is unparked and polled.
pub(super) fn nudged_while_unparked(round: impl Fn() + Send + Sync + Copy + 'static) {
    explore(2, move || {
        let word = Arc::new(AtomicUsize::new(0));
        let key = (&raw const *word).addr();
        let (dead, waiter) = (pin!(TaskWaiter::new()), pin!(TaskWaiter::new()));
        let (dead, waiter) = (dead.as_ref(), waiter.as_ref());
        let (nobody, signal) = (Signal::new(), Signal::new());
        assert_eq!(poll(dead, &nobody, key, || true), Poll::Pending);
        assert_eq!(poll(waiter, &signal, key, || true), Poll::Pending);
        assert_eq!(wake_one(key), 1);
        // The mark is old now, and the next round nudges.
        round();
        let lookout = thread::spawn(round);
        let unparker = thread::spawn(move || assert_eq!(wake_one(key), 1));
        let mut polled = poll(waiter, &signal, key, || unreachable!());
        while polled.is_pending() {
            signal.0.wait();
            polled = poll(waiter, &signal, key, || unreachable!());
        }
        assert_eq!(polled, WOKEN);
        lookout.join().unwrap();
        unparker.join().unwrap();
        assert_eq!(poll(dead, &nobody, key, || unreachable!()), WOKEN);
        // Both references of the model's own are left: no waker was leaked.
        assert_eq!(std::sync::Arc::strong_count(&signal), 1);
        assert_eq!(std::sync::Arc::strong_count(&nobody), 1);
    });
}

/// covers: a nudge races with a requeue and a cancel of the same task
#[test]
fn model_lookout_nudge_and_requeue() {
    explore(2, || {
        let words = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
        // Of two buckets.
        let (from, to) = ((&raw const words.0).addr(), (&raw const words.0).addr() + 1);
        let signal = Signal::new();
        {
            let (dead, waiter) = (pin!(TaskWaiter::new()), pin!(TaskWaiter::new()));
            let (dead, waiter) = (dead.as_ref(), waiter.as_ref());
            assert_eq!(poll(dead, &signal, from, || true), Poll::Pending);
            assert_eq!(poll(waiter, &signal, from, || true), Poll::Pending);
            assert_eq!(wake_one(from), 1);
            round();
            let lookout = thread::spawn(round);
            let mover = thread::spawn(move || {
                let op = || RequeueOp::RequeueAll;
                // SAFETY: the keys are the model's own, and the callbacks do nothing.
                unsafe { unpark_requeue(from, to, op, |_, _| UnparkToken(7)) };
            });
            assert_eq!(cancel(waiter, |_| {}), Cancelled::Left);
            lookout.join().unwrap();
            mover.join().unwrap();
            assert_eq!(cancel(dead, |_| unreachable!()), Cancelled::Unparked(UnparkToken(7)));
        }
        assert_eq!(std::sync::Arc::strong_count(&signal), 1);
        drop(words);
    });
}

/// A lock that anybody may take who finds it free.
pub(super) struct Word(AtomicUsize);

impl Word {
    pub(super) fn held() -> Arc<Word> {
        Arc::new(Word(AtomicUsize::new(1)))
    }

    pub(super) fn key(&self) -> usize {
        (&raw const self.0).addr()
    }

    pub(super) fn try_lock(&self) -> bool {
        self.0.compare_exchange(0, 1, Relaxed, Relaxed).is_ok()
    }

    pub(super) fn unlock(&self) {
        self.0.store(0, Relaxed);
        wake_one(self.key());
    }
}

/// Two tasks and then one that is polled as often as its signal is raised: whether it gets the lock. `rounds` are
/// made while the lock is released.
pub(super) fn rescued(rounds: impl Fn() + Send + Sync + Copy + 'static) {
    explore(2, move || {
        let lock = Word::held();
        let key = lock.key();
        let unpolled = [(); 2].map(|()| Box::pin(TaskWaiter::new()));
        let nobody = Signal::new();
        for waiter in &unpolled {
            assert_eq!(poll(waiter.as_ref(), &nobody, key, || !lock.try_lock()), Poll::Pending);
        }
        let owner = {
            let lock = lock.clone();
            thread::spawn(move || {
                lock.unlock();
                rounds();
            })
        };
        let waiter = pin!(TaskWaiter::new());
        let (waiter, signal) = (waiter.as_ref(), Signal::new());
        let mut has_it = false;
        while !has_it {
            let polled = poll(waiter, &signal, key, || {
                has_it = lock.try_lock();
                !has_it
            });
            if has_it {
                break;
            }
            assert_eq!(polled, Poll::Pending, "the first was unparked, and nobody else");
            if lock.try_lock() {
                assert_eq!(cancel(waiter, |_| {}), Cancelled::Left);
                has_it = true;
            } else {
                signal.0.wait();
            }
        }
        owner.join().unwrap();
        for waiter in &unpolled {
            let _ = cancel(waiter.as_ref(), |_| {});
        }
    });
}

/// covers: the first task was woken and is never polled, the second nudged and never polled; the third, asked last, gets the lock
#[test]
fn model_lookout_rescues() {
    // New, old, one, two more.
    rescued(|| (0..3).for_each(|_| round()));
}

/// covers: once a nudged task was polled nobody else is asked
#[test]
fn model_lookout_hears() {
    explore(1, || {
        let word = Arc::new(AtomicUsize::new(0));
        let key = (&raw const *word).addr();
        let waiters = [(); 3].map(|()| Box::pin(TaskWaiter::new()));
        let signals = [(); 3].map(|()| Signal::new());
        for (waiter, signal) in waiters.iter().zip(&signals) {
            assert_eq!(poll(waiter.as_ref(), signal, key, || true), Poll::Pending);
        }
        wake_one(key);
        round();
        round();
        assert_eq!(std::sync::Arc::strong_count(&signals[1]), 1, "the first in line was nudged");
        assert_eq!(poll(waiters[1].as_ref(), &signals[1], key, || true), Poll::Pending);
        (0..5).for_each(|_| round());
        assert!(signals[1..].iter().all(|signal| std::sync::Arc::strong_count(signal) == 2));
        for waiter in &waiters {
            let _ = cancel(waiter.as_ref(), |_| {});
        }
    });
}
