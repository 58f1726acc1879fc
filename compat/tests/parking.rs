//! What a parking lot does. `crate::lot` is ours in one test binary and the original in another, which
//! shows that no more is asked of ours than the original does.

use crate::lot::{
    DEFAULT_PARK_TOKEN, DEFAULT_UNPARK_TOKEN, FilterOp, ParkResult, ParkToken, RequeueOp,
    UnparkToken, park, unpark_all, unpark_filter, unpark_one, unpark_requeue,
};
use std::{
    cell::Cell,
    sync::{
        atomic::{
            AtomicU8, AtomicUsize,
            Ordering::{AcqRel, Relaxed, Release},
        },
        mpsc,
    },
    thread::{self, Scope, ScopedJoinHandle},
    time::Instant,
};

fn key_of<T>(word: &T) -> usize {
    core::ptr::from_ref(word).addr()
}

/// A thread that parks on `key`; queued when this returns.
fn waiter<'s>(
    scope: &'s Scope<'s, '_>,
    key: usize,
    token: usize,
) -> ScopedJoinHandle<'s, ParkResult> {
    let (queued, is_queued) = mpsc::channel();
    let thread = scope.spawn(move || {
        let before_sleep = || queued.send(()).unwrap();
        let late = |_, _| panic!("there is no deadline");
        // SAFETY: the key is ours; the callbacks call nothing.
        unsafe { park(key, || true, before_sleep, late, ParkToken(token), None) }
    });
    is_queued.recv().unwrap();
    thread
}

/// Parks with a deadline that has passed; returns what `timed_out` was told.
fn give_up(key: usize) -> (usize, bool) {
    let told = Cell::new(None);
    let late = |at, last| told.set(Some((at, last)));
    let deadline = Some(Instant::now());
    // SAFETY: the key is ours; the callbacks call nothing.
    let result = unsafe { park(key, || true, || {}, late, DEFAULT_PARK_TOKEN, deadline) };
    assert_eq!(result, ParkResult::TimedOut);
    assert!(!result.is_unparked());
    told.get().expect("timed_out is called")
}

/// (unparked, requeued, whether more wait).
fn counts(result: crate::lot::UnparkResult) -> (usize, usize, bool) {
    (result.unparked_threads, result.requeued_threads, result.have_more_threads)
}

#[test]
fn a_wait_that_is_not_valid_calls_nothing_else() {
    let word = 0_u8;
    let never = || panic!("called");
    // SAFETY: the key is ours; the callbacks call nothing.
    let result =
        unsafe { park(key_of(&word), || false, never, |_, _| never(), DEFAULT_PARK_TOKEN, None) };
    assert_eq!(result, ParkResult::Invalid);
}

#[test]
fn who_times_out_is_told_its_key_and_whether_it_was_the_last() {
    let word = 0_u8;
    let key = key_of(&word);
    thread::scope(|scope| {
        let other = waiter(scope, key, 0);
        assert_eq!(give_up(key), (key, false));
        // SAFETY: the key is ours.
        assert_eq!(unsafe { unpark_all(key, UnparkToken(7)) }, 1);
        assert_eq!(other.join().unwrap(), ParkResult::Unparked(UnparkToken(7)));
    });
    assert_eq!(give_up(key), (key, true));
}

#[test]
fn one_by_one_in_order_with_a_token_each() {
    let word = 0_u8;
    let key = key_of(&word);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..3).map(|_| waiter(scope, key, 0)).collect();
        for (at, thread) in threads.into_iter().enumerate() {
            let seen = Cell::new(None);
            let callback = |result| {
                seen.set(Some(result));
                UnparkToken(at)
            };
            // SAFETY: the key is ours; the callback calls nothing.
            let result = unsafe { unpark_one(key, callback) };
            assert_eq!(seen.get(), Some(result));
            assert_eq!(counts(result), (1, 0, at < 2));
            assert_eq!(thread.join().unwrap(), ParkResult::Unparked(UnparkToken(at)));
        }
    });
    let called = Cell::new(false);
    let callback = |result| {
        called.set(true);
        assert_eq!(counts(result), (0, 0, false));
        DEFAULT_UNPARK_TOKEN
    };
    // SAFETY: the key is ours; the callback calls nothing.
    unsafe { unpark_one(key, callback) };
    assert!(called.get(), "the callback runs even if nobody waits");
}

#[test]
fn a_filter_picks_by_token_until_it_stops() {
    let word = 0_u8;
    let key = key_of(&word);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..5).map(|token| waiter(scope, key, token)).collect();
        let seen = Cell::new(0);
        let filter = |ParkToken(token)| {
            seen.set(seen.get() * 10 + token + 1);
            match token {
                1 | 2 => FilterOp::Unpark,
                3 => FilterOp::Stop,
                _ => FilterOp::Skip,
            }
        };
        let callback = |result| {
            assert_eq!(counts(result), (2, 0, true));
            UnparkToken(20)
        };
        // SAFETY: the key is ours; the callbacks call nothing.
        let result = unsafe { unpark_filter(key, filter, callback) };
        assert_eq!(counts(result), (2, 0, true));
        assert_eq!(seen.get(), 1234);
        // SAFETY: the key is ours.
        assert_eq!(unsafe { unpark_all(key, UnparkToken(30)) }, 3);
        for (token, thread) in threads.into_iter().enumerate() {
            let expected = if token == 1 || token == 2 { 20 } else { 30 };
            let result = thread.join().unwrap();
            assert_eq!(result, ParkResult::Unparked(UnparkToken(expected)));
        }
    });
}

#[test]
fn every_kind_of_requeue_counts_what_it_does() {
    let words = [0_u8; 2];
    let (from, to) = (key_of(&words[0]), key_of(&words[1]));
    let requeue = |op: RequeueOp, expected: (usize, usize, bool)| {
        let callback = |told, result| {
            assert_eq!(told, op);
            assert_eq!(counts(result), expected);
            UnparkToken(40)
        };
        // SAFETY: the keys are ours; the callbacks call nothing.
        let result = unsafe { unpark_requeue(from, to, || op, callback) };
        assert_eq!(counts(result), expected);
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..7).map(|_| waiter(scope, from, 0)).collect();
        let never = |_, _| panic!("no callback after Abort");
        // SAFETY: the keys are ours; the callbacks call nothing.
        let result = unsafe { unpark_requeue(from, to, || RequeueOp::Abort, never) };
        assert_eq!(counts(result), (0, 0, false));
        requeue(RequeueOp::UnparkOne, (1, 0, true));
        requeue(RequeueOp::RequeueOne, (0, 1, true));
        requeue(RequeueOp::UnparkOneRequeueRest, (1, 4, false));
        requeue(RequeueOp::RequeueAll, (0, 0, false));
        requeue(RequeueOp::UnparkOne, (0, 0, false));
        // SAFETY: the key is ours.
        assert_eq!(unsafe { unpark_all(to, UnparkToken(50)) }, 5);
        let results = threads.into_iter().map(|thread| thread.join().unwrap());
        let tokens = [40, 50, 40, 50, 50, 50, 50];
        let expected = tokens.map(|token| ParkResult::Unparked(UnparkToken(token)));
        assert_eq!(results.collect::<Vec<_>>(), expected);
    });
}

#[test]
fn a_waiter_that_was_moved_times_out_where_it_is() {
    let words = [0_u8; 2];
    let (from, to) = (key_of(&words[0]), key_of(&words[1]));
    let told = Cell::new(None);
    let moves = || {
        let all = || RequeueOp::RequeueAll;
        // SAFETY: the keys are ours; the callbacks call nothing.
        let result = unsafe { unpark_requeue(from, to, all, |_, _| DEFAULT_UNPARK_TOKEN) };
        assert_eq!(result.requeued_threads, 1);
    };
    let late = |at, last| told.set(Some((at, last)));
    let deadline = Some(Instant::now());
    // SAFETY: the key is ours; `moves` may unpark, and the others call nothing.
    let result = unsafe { park(from, || true, moves, late, DEFAULT_PARK_TOKEN, deadline) };
    assert_eq!((result, told.get()), (ParkResult::TimedOut, Some((to, true))));
}

#[test]
fn callbacks_exclude_each_other() {
    const TIMES: usize = 5_000;
    let word = 0_u8;
    let key = key_of(&word);
    let count = AtomicUsize::new(0);
    // Two steps, so that one that is interrupted loses another's.
    let step = || count.store(count.load(Relaxed) + 1, Relaxed);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..TIMES {
                    let callback = |_| {
                        step();
                        DEFAULT_UNPARK_TOKEN
                    };
                    // SAFETY: the key is ours; the callback calls nothing.
                    unsafe { unpark_one(key, callback) };
                }
            });
            scope.spawn(|| {
                for _ in 0..TIMES {
                    let validate = || {
                        step();
                        false
                    };
                    let (token, late) = (DEFAULT_PARK_TOKEN, |_, _| {});
                    // SAFETY: the key is ours; the callbacks call nothing.
                    unsafe { park(key, validate, || {}, late, token, None) };
                }
            });
        }
    });
    assert_eq!(count.load(Relaxed), 4 * TIMES);
}

/// What the crate is for: a lock in a byte. 1 is locked, 2 says that somebody is parked.
struct ByteLock(AtomicU8);

impl ByteLock {
    fn lock(&self) {
        let mut spin = crate::lot::SpinWait::new();
        while self.0.fetch_or(1, AcqRel) & 1 != 0 {
            if spin.spin() {
                continue;
            }
            let validate = || {
                let exchange = |word| (word & 1 != 0).then_some(word | 2);
                self.0.fetch_update(Relaxed, Relaxed, exchange).is_ok()
            };
            let (token, late) = (DEFAULT_PARK_TOKEN, |_, _| {});
            // SAFETY: the key is ours; the callbacks call nothing.
            let result = unsafe { park(key_of(self), validate, || {}, late, token, None) };
            if result == ParkResult::Unparked(UnparkToken(1)) {
                return;
            }
            spin.reset();
        }
    }

    /// `hand_over` decides for every unlock that wakes somebody whether it is fair.
    fn unlock(&self, hand_over: impl Fn(&crate::lot::UnparkResult) -> bool) {
        if self.0.compare_exchange(1, 0, AcqRel, Relaxed).is_ok() {
            return;
        }
        let callback = |result: crate::lot::UnparkResult| {
            let parked = if result.have_more_threads { 2 } else { 0 };
            let fair = result.unparked_threads == 1 && hand_over(&result);
            self.0.store(parked | u8::from(fair), Release);
            UnparkToken(usize::from(fair))
        };
        // SAFETY: the key is ours; the callback calls nothing.
        unsafe { unpark_one(key_of(self), callback) };
    }
}

#[test]
fn a_lock_built_on_it_excludes() {
    const TIMES: usize = 10_000;
    let (lock, count) = (ByteLock(AtomicU8::new(0)), AtomicUsize::new(0));
    let fair = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..TIMES {
                    lock.lock();
                    count.store(count.load(Relaxed) + 1, Relaxed);
                    lock.unlock(|_| fair.fetch_add(1, Relaxed).is_multiple_of(3));
                }
            });
        }
    });
    assert_eq!(count.load(Relaxed), 4 * TIMES);
    assert_eq!(lock.0.load(Relaxed), 0);
}

#[test]
fn spinning_ends() {
    let mut spin = crate::lot::SpinWait::default();
    while spin.spin() {}
    spin.spin_no_yield();
    assert!(!spin.spin());
    spin.reset();
    assert!(spin.spin());
}
