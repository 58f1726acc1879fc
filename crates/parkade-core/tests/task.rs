//! Evidence for: the contract of waiters that are tasks, and that they share their queues with threads.

mod tasks;

use parkade_core::{
    Cancelled, Departure, ParkRequest, ParkResult, ParkToken, Place, RequeueOp, TaskWaiter,
    UnparkToken, park_with, snapshot_of, unpark_requeue,
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind, panic_any},
    sync::{Arc, Mutex},
    task::{Context, Poll, RawWaker, RawWakerVTable, Waker},
    thread::{self, Scope, ScopedJoinHandle},
};
use tasks::{
    Boxed, Counts, Key, boxed, cancel, look, parked, poll, ready, runs, unparked,
    wait_until_parked, wake, wake_all,
};

/// More than a notifier wakes at a time: the first of these are notified at once, the others listed.
const MANY: usize = 100;

/// Starts a thread that parks on `key` and returns once it is parked.
fn park_thread<'scope>(
    scope: &'scope Scope<'scope, '_>,
    key: usize,
) -> ScopedJoinHandle<'scope, ParkResult> {
    let before = snapshot_of(key).len();
    let request = ParkRequest::new(key);
    // SAFETY: the key is a test's own allocation; the callbacks do nothing.
    let parked = scope.spawn(move || unsafe { park_with(request, || true, || {}, |_| {}) });
    wait_until_parked(key, before + 1);
    parked
}

#[test]
fn tasks_and_threads_stand_in_one_queue() {
    let (key, counts) = (Key::new(), Counts::new());
    let (key, waker) = (key.addr(), counts.waker());
    thread::scope(|scope| {
        let first = parked(key, 1, &waker);
        let second = park_thread(scope, key);
        let third = parked(key, 3, &waker);
        let fourth = park_thread(scope, key);

        let seen = snapshot_of(key);
        assert_eq!(seen.iter().map(|p| p.position).collect::<Vec<_>>(), [0, 1, 2, 3]);
        let threads: Vec<_> = seen.iter().map(|parked| parked.thread.is_some()).collect();
        assert_eq!(threads, [false, true, false, true]);
        assert_eq!((seen[0].token, seen[2].token), (ParkToken(1), ParkToken(3)));

        let counted = |token| {
            let result = wake(key, token);
            assert_eq!(result.have_more_threads, token < 4);
            (result.unparked_tasks, result.unparked_threads)
        };
        assert_eq!(counted(1), (1, 0));
        assert_eq!(look(&first, &waker), ready(1));
        assert_eq!(look(&third, &waker), Poll::Pending);
        assert_eq!(counted(2), (0, 1));
        assert_eq!(second.join().unwrap(), ParkResult::Unparked(UnparkToken(2)));
        assert_eq!(look(&third, &waker), Poll::Pending);
        assert_eq!(counted(3), (1, 0));
        assert_eq!(look(&third, &waker), ready(3));
        assert_eq!(counted(4), (0, 1));
        fourth.join().unwrap();
    });
    assert_eq!(counts.woken(), 2, "once each");
    assert_eq!(counts.alive(), 1);
}

#[test]
fn a_waiter_may_wait_again_and_keep_its_turn() {
    let (key, counts) = (Key::new(), Counts::new());
    let (key, waker) = (key.addr(), counts.waker());
    let (loser, other) = (parked(key, 0, &waker), parked(key, 0, &waker));
    wake(key, 1);
    assert_eq!(look(&loser, &waker), ready(1));
    let request = ParkRequest::new(key).place(Place::Front);
    assert_eq!(poll(&loser, request, &waker), Poll::Pending);
    assert_eq!(look(&loser, &waker), Poll::Pending, "the last wake is used up");
    wake(key, 2);
    assert_eq!(look(&other, &waker), Poll::Pending);
    assert_eq!(look(&loser, &waker), ready(2));
    // On another key, too.
    let elsewhere = Key::new();
    let request = ParkRequest::new(elsewhere.addr());
    assert_eq!(poll(&loser, request, &waker), Poll::Pending);
    wake(elsewhere.addr(), 3);
    assert_eq!(look(&loser, &waker), ready(3));
    wake(key, 4);
    assert_eq!(look(&other, &waker), ready(4));
}

#[test]
fn an_invalid_park_is_ready_and_leaves_no_trace() {
    let (key, counts) = (Key::new(), Counts::new());
    let (waiter, waker) = (boxed(), counts.waker());
    let mut cx = Context::from_waker(&waker);
    // SAFETY: the key is our own, the callbacks do nothing, and the waiter is this thread's.
    let polled = unsafe {
        let request = ParkRequest::new(key.addr());
        waiter.as_ref().poll_park(&mut cx, request, || false, || unreachable!())
    };
    assert_eq!(polled, Poll::Ready(ParkResult::Invalid));
    assert_eq!(snapshot_of(key.addr()), []);
    assert_eq!(counts.alive(), 1);
    assert_eq!(cancel(&waiter, |_| unreachable!()), Cancelled::NotParked);
}

#[test]
fn who_unparks_itself_before_it_would_wait_is_ready() {
    let (key, counts) = (Key::new(), Counts::new());
    let (waiter, waker, key) = (boxed(), counts.waker(), key.addr());
    let mut cx = Context::from_waker(&waker);
    let before_sleep = || assert_eq!(wake(key, 5).unparked_tasks, 1);
    // SAFETY: the key is our own, the callback unparks only, and the waiter is this thread's.
    let polled =
        unsafe { waiter.as_ref().poll_park(&mut cx, ParkRequest::new(key), || true, before_sleep) };
    assert_eq!(polled, ready(5));
    // SAFETY: no other call is in progress.
    assert!(!unsafe { waiter.is_parked() });
}

#[test]
fn the_waker_of_the_last_poll_is_woken_and_only_that() {
    let (key, [first, last]) = (Key::new(), [(); 2].map(|()| Counts::new()));
    let key = key.addr();
    let waiter = parked(key, 0, &first.waker());
    let cloned = || first.cloned.load(std::sync::atomic::Ordering::SeqCst);
    assert_eq!(cloned(), 1);
    assert_eq!(look(&waiter, &first.waker()), Poll::Pending);
    assert_eq!(cloned(), 1, "the same task: nothing to clone");
    assert_eq!(look(&waiter, &last.waker()), Poll::Pending);
    assert_eq!((first.alive(), last.alive()), (0, 1));
    wake(key, 1);
    assert_eq!((first.woken(), last.woken()), (0, 1));
    assert_eq!(last.alive(), 0);
    assert_eq!(look(&waiter, &first.waker()), ready(1));
}

#[test]
fn cancelling_in_each_state() {
    let (key, waker) = (Key::new(), Counts::new().waker());
    let key = key.addr();
    let idle = boxed();
    assert_eq!(cancel(&idle, |_| unreachable!("it waits for nothing")), Cancelled::NotParked);

    let (queued, behind) = (parked(key, 0, &waker), parked(key, 0, &waker));
    let mut departures = Vec::new();
    assert_eq!(cancel(&queued, |left| departures.push(left)), Cancelled::Left);
    assert_eq!(cancel(&queued, |_| unreachable!("it left")), Cancelled::NotParked);
    assert_eq!(cancel(&behind, |left| departures.push(left)), Cancelled::Left);
    let left = [true, false].map(|have_more_threads| Departure { key, have_more_threads });
    assert_eq!(departures, left);
    assert_eq!(wake(key, 0), parkade_core::UnparkResult::default());

    let notified = parked(key, 0, &waker);
    wake(key, 9);
    assert_eq!(cancel(&notified, |_| unreachable!("it was unparked")), unparked(9));
    assert_eq!(cancel(&notified, |_| unreachable!()), Cancelled::NotParked);
}

/// A waker, which is user code, may look after other tasks that are being woken with its own.
#[test]
fn those_not_yet_woken_have_their_wake_already() {
    let (keys, counts) = ([Key::new(), Key::new()], Counts::new());
    let ([key, elsewhere], waker) = (keys.each_ref().map(Key::addr), counts.waker());
    let others: Arc<Mutex<Vec<Option<Boxed>>>> = Arc::default();
    let meddles = {
        let (others, waker) = (others.clone(), waker.clone());
        runs(move || {
            let mut others = others.lock().unwrap();
            let mut take = |i: usize| others[i].take().unwrap();
            // Of the first batch, of the next, from inside the ring and both of its ends.
            for i in [3, MANY - 2, 60, 62] {
                assert_eq!(look(&take(i), &waker), ready(4), "{i}");
            }
            // Whoever is out of the ring may wait again at once, and for something else.
            for waiter in [&others[70], &others[71]].map(|waiter| waiter.as_ref().unwrap()) {
                assert_eq!(look(waiter, &waker), ready(4));
                assert_eq!(poll(waiter, ParkRequest::new(elsewhere), &waker), Poll::Pending);
            }
            let mut take = |i: usize| others[i].take().unwrap();
            for i in [61, 40, 39, 38, 30, 31, 32, 33, 63, 64] {
                let left = |_| unreachable!("it was unparked");
                assert_eq!(cancel(&take(i), left), unparked(4), "{i}");
            }
        })
    };
    let meddler = parked(key, 0, &meddles);
    others.lock().unwrap().extend((1..MANY).map(|i| Some(parked(key, i, &waker))));
    assert_eq!(wake_all(key, 4), MANY);
    assert_eq!(look(&meddler, &meddles), ready(4));
    let mut others = std::mem::take(&mut *others.lock().unwrap());
    for i in [70, 71] {
        let again = others[i].take().unwrap();
        assert_eq!(look(&again, &waker), Poll::Pending);
        wake(elsewhere, 5);
        assert_eq!(look(&again, &waker), ready(5));
    }
    for waiter in others.into_iter().flatten() {
        assert_eq!(look(&waiter, &waker), ready(4));
    }
    assert_eq!(counts.alive(), 1);
}

#[test]
fn a_requeued_task_is_unparked_and_cancelled_where_it_is() {
    let (from, to) = (Key::new(), Key::new());
    let (from, to, waker) = (from.addr(), to.addr(), Counts::new().waker());
    let waiters = [0, 1, 2].map(|token| parked(from, token, &waker));
    let requeue = |op| {
        // SAFETY: the keys are our own allocations; the callbacks do nothing.
        unsafe { unpark_requeue(from, to, || op, |_, _| UnparkToken(1)) }
    };
    let result = requeue(RequeueOp::UnparkOneRequeueRest);
    assert_eq!((result.unparked_tasks, result.requeued_threads), (1, 2));
    assert!(!result.have_more_threads);
    assert_eq!(look(&waiters[0], &waker), ready(1));
    assert_eq!(look(&waiters[1], &waker), Poll::Pending);
    let mut left = None;
    assert_eq!(cancel(&waiters[2], |it| left = Some(it)), Cancelled::Left);
    assert_eq!(left, Some(Departure { key: to, have_more_threads: true }));
    wake(to, 2);
    assert_eq!(look(&waiters[1], &waker), ready(2));
}

/// A waker all of whose functions unpark somebody: they would wait for ever if they ran under the bucket lock.
fn unparking_waker(key: usize) -> Waker {
    fn unpark(key: *const ()) {
        wake(key.addr(), 0);
    }
    fn clone(key: *const ()) -> RawWaker {
        unpark(key);
        RawWaker::new(key, &TABLE)
    }
    static TABLE: RawWakerVTable = RawWakerVTable::new(clone, unpark, unpark, unpark);
    // SAFETY: the data is only a number.
    unsafe { Waker::new(std::ptr::without_provenance(key), &TABLE) }
}

#[test]
fn wakers_are_cloned_woken_and_dropped_under_no_lock() {
    let (key, waker) = (Key::new(), Counts::new().waker());
    let key = key.addr();
    let request = ParkRequest::new(key);
    for _ in 0..3 {
        let waiter = parked(key, 0, &unparking_waker(key));
        assert_eq!(
            look(&waiter, &waker),
            ready(0),
            "its waker has unparked it when it was dropped"
        );
        // Cancelled, the waker is dropped.
        let waiter = boxed();
        let bad = std::mem::ManuallyDrop::new(unparking_waker(key));
        assert_eq!(poll(&waiter, request, &bad), Poll::Pending);
        assert_eq!(cancel(&waiter, |_| {}), Cancelled::Left);
        // Replaced, it is dropped too, and another cloned; that unparks.
        assert_eq!(poll(&waiter, request, &waker), Poll::Pending);
        let polled = look(&waiter, &bad);
        assert!(polled == ready(0) || look(&waiter, &waker) == ready(0));
        // Not even parked.
        // SAFETY: as in `poll`.
        let invalid = unsafe {
            let mut cx = Context::from_waker(&bad);
            waiter.as_ref().poll_park(&mut cx, request, || false, || unreachable!())
        };
        assert_eq!(invalid, Poll::Ready(ParkResult::Invalid));
        // Woken.
        assert_eq!(poll(&waiter, request, &bad), Poll::Pending);
        wake(key, 0);
        assert_eq!(look(&waiter, &waker), ready(0));
    }
}

#[test]
fn a_waker_that_panics_keeps_nobody_from_being_woken() {
    let (key, counts) = (Key::new(), Counts::new());
    let (key, waker) = (key.addr(), counts.waker());
    thread::scope(|scope| {
        let bombs = [3, 50, 51, 99];
        let waiters: Vec<_> = (0..MANY)
            .map(|i| match bombs.contains(&i) {
                true => parked(key, i, &runs(move || panic_any(i))),
                false => parked(key, i, &waker),
            })
            .collect();
        let last = park_thread(scope, key);
        let panicked = catch_unwind(AssertUnwindSafe(|| wake_all(key, 6))).unwrap_err();
        assert_eq!(panicked.downcast_ref(), Some(&3_usize), "the first panic goes on");
        assert_eq!(last.join().unwrap(), ParkResult::Unparked(UnparkToken(6)));
        assert_eq!(counts.woken(), MANY - bombs.len());
        for waiter in waiters {
            assert_eq!(look(&waiter, &waker), ready(6));
        }
    });
    // The table is as before.
    let waiter = parked(key, 0, &runs(|| panic_any("moved")));
    let elsewhere = Key::new();
    let requeue = || {
        let op = || RequeueOp::UnparkOneRequeueRest;
        // SAFETY: the keys are our own allocations; the callbacks do nothing.
        unsafe { unpark_requeue(key, elsewhere.addr(), op, |_, _| UnparkToken(7)) }
    };
    let panicked = catch_unwind(AssertUnwindSafe(requeue)).unwrap_err();
    assert_eq!(panicked.downcast_ref(), Some(&"moved"));
    assert_eq!(look(&waiter, &waker), ready(7));
}

#[test]
fn ten_thousand_tasks_on_one_key_and_on_as_many() {
    const TASKS: usize = 10_000;
    let (counts, keys) = (Counts::new(), vec![0_u64; TASKS]);
    let (waker, key) = (counts.waker(), Key::new());
    let key_of = |i: usize| (&raw const keys[i]).addr();
    let mut waiters: Vec<_> = (0..TASKS).map(|i| parked(key.addr(), i, &waker)).collect();
    // Every third leaves, the others are woken in their order.
    let mut i = 0;
    waiters.retain(|waiter| {
        i += 1;
        i % 3 != 0 || cancel(waiter, |_| {}) != Cancelled::Left
    });
    for (i, waiter) in waiters.iter().enumerate().take(100) {
        wake(key.addr(), i);
        assert_eq!(look(waiter, &waker), ready(i));
    }
    assert_eq!(wake_all(key.addr(), 1), waiters.len() - 100);
    assert!(waiters.iter().skip(100).all(|waiter| look(waiter, &waker) == ready(1)));
    assert_eq!(counts.woken(), waiters.len());

    let waiters: Vec<_> = (0..TASKS).map(|i| parked(key_of(i), i, &waker)).collect();
    for (i, waiter) in waiters.iter().enumerate().rev() {
        assert_eq!(wake(key_of(i), i).unparked_tasks, 1);
        assert_eq!(look(waiter, &waker), ready(i));
    }
    assert_eq!(counts.alive(), 1);
}

#[test]
fn a_forgotten_waiter_absorbs_one_wake_and_no_more() {
    let (key, counts) = (Key::new(), Counts::new());
    let (key, waker) = (key.addr(), counts.waker());
    std::mem::forget(parked(key, 0, &waker));
    let waiter = parked(key, 0, &waker);
    assert_eq!(wake(key, 1).unparked_tasks, 1);
    assert_eq!(counts.woken(), 1, "its waker was still alive");
    assert_eq!(look(&waiter, &waker), Poll::Pending);
    assert_eq!(wake(key, 2).unparked_tasks, 1);
    assert_eq!(look(&waiter, &waker), ready(2));
    assert_eq!(snapshot_of(key), []);
}

/// A builder's mistake: no wake is saved, but memory is.
#[test]
fn a_waiter_dropped_while_it_is_queued_has_left() {
    let (key, counts) = (Key::new(), Counts::new());
    let key = key.addr();
    let waiter = parked(key, 0, &counts.waker());
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(waiter)));
    assert_eq!(dropped.is_err(), cfg!(debug_assertions));
    assert_eq!(snapshot_of(key), []);
    assert_eq!(counts.alive(), 0);
}

#[test]
fn a_waker_that_panics_when_it_is_dropped_or_cloned_loses_nothing() {
    fn clone(calm: *const ()) -> RawWaker {
        assert!(!calm.is_null(), "clone");
        RawWaker::new(std::ptr::null(), &TABLE)
    }
    fn drop(calm: *const ()) {
        assert!(!calm.is_null(), "drop");
    }
    static TABLE: RawWakerVTable = RawWakerVTable::new(clone, drop, |_| {}, drop);
    let calm = std::ptr::without_provenance(1);
    // SAFETY: the data is only a number.
    let bad = unsafe { Waker::new(calm, &TABLE) };
    // SAFETY: the data is nothing.
    let worse = std::mem::ManuallyDrop::new(unsafe { Waker::new(std::ptr::null(), &TABLE) });
    let (key, counts) = (Key::new(), Counts::new());
    let (key, waker) = (key.addr(), counts.waker());
    let waiter = parked(key, 0, &bad);
    // Its clone in the table panics when it is replaced; the new one is there.
    catch_unwind(AssertUnwindSafe(|| look(&waiter, &waker))).unwrap_err();
    assert_eq!(look(&waiter, &waker), Poll::Pending);
    // One that cannot be cloned changes nothing.
    catch_unwind(AssertUnwindSafe(|| look(&waiter, &worse))).unwrap_err();
    wake(key, 1);
    assert_eq!(counts.woken(), 1);
    assert_eq!(look(&waiter, &waker), ready(1));
    // Cancelled, the waiter has left before the panic.
    let waiter = parked(key, 0, &bad);
    let mut left = false;
    catch_unwind(AssertUnwindSafe(|| cancel(&waiter, |_| left = true))).unwrap_err();
    assert!(left);
    assert_eq!(cancel(&waiter, |_| unreachable!()), Cancelled::NotParked);
    assert_eq!(snapshot_of(key), []);
}

#[test]
fn a_waiter_is_small_and_made_in_a_constant() {
    static WAITER: TaskWaiter = TaskWaiter::new();
    // SAFETY: the waiter is this test's.
    assert!(!unsafe { WAITER.is_parked() });
    assert_eq!(format!("{:?}", TaskWaiter::default()), "TaskWaiter { .. }");
    if cfg!(target_pointer_width = "64") {
        assert_eq!(size_of::<TaskWaiter>(), 112);
    }
}
