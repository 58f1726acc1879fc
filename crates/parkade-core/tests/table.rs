//! Evidence for: the contract of the parking operations, on real threads. A thread is known to be
//! parked because the table's snapshot says so; nothing here sleeps to synchronise.

use parkade_core::{
    DEFAULT_PARK_TOKEN, Departure, FilterOp, Moment, ParkRequest, ParkResult, ParkToken, Place,
    RequeueFilterOp, RequeueOp, UnparkToken, park, park_with, snapshot, snapshot_of, unpark_all,
    unpark_filter, unpark_one, unpark_one_if, unpark_requeue, unpark_requeue_filter,
};
use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread::{self, Scope, ScopedJoinHandle},
    time::{Duration, Instant},
};

/// An address of its own for each test.
struct Key(Box<u64>);

impl Key {
    fn new() -> Key {
        Key(Box::new(0))
    }

    fn addr(&self) -> usize {
        (&raw const *self.0).addr()
    }
}

fn wait_until_parked(key: usize, count: usize) {
    while snapshot_of(key).len() != count {
        thread::yield_now();
    }
}

/// Starts a thread that parks on `key` and returns once it is parked.
fn park_thread<'scope>(
    scope: &'scope Scope<'scope, '_>,
    key: usize,
    token: usize,
) -> ScopedJoinHandle<'scope, ParkResult> {
    park_thread_at(scope, ParkRequest::new(key).token(ParkToken(token)), key)
}

fn park_thread_at<'scope>(
    scope: &'scope Scope<'scope, '_>,
    request: ParkRequest,
    key: usize,
) -> ScopedJoinHandle<'scope, ParkResult> {
    let before = snapshot_of(key).len();
    // SAFETY: the key is a test's own allocation; the callbacks do nothing.
    let parked = scope.spawn(move || unsafe { park_with(request, || true, || {}, |_| {}) });
    wait_until_parked(key, before + 1);
    parked
}

fn wake(key: usize, token: usize) -> parkade_core::UnparkResult {
    // SAFETY: the key is a test's own allocation; the callback does nothing.
    unsafe { unpark_one(key, |_| UnparkToken(token)) }
}

#[test]
fn threads_are_woken_in_the_order_they_parked_with_their_tokens() {
    let key = Key::new();
    let key = key.addr();
    thread::scope(|scope| {
        let parked: Vec<_> = (0..5).map(|i| park_thread(scope, key, i)).collect();
        for (i, parked) in parked.into_iter().enumerate() {
            let result = wake(key, 100 + i);
            assert_eq!((result.unparked_threads, result.have_more_threads), (1, i < 4));
            assert_eq!(parked.join().unwrap(), ParkResult::Unparked(UnparkToken(100 + i)));
        }
        assert_eq!(wake(key, 0), parkade_core::UnparkResult::default());
    });
}

#[test]
fn a_front_place_is_served_first() {
    let key = Key::new();
    let key = key.addr();
    thread::scope(|scope| {
        let back = park_thread(scope, key, 1);
        let front = park_thread_at(scope, ParkRequest::new(key).place(Place::Front), key);
        wake(key, 7);
        assert_eq!(front.join().unwrap(), ParkResult::Unparked(UnparkToken(7)));
        wake(key, 8);
        assert_eq!(back.join().unwrap(), ParkResult::Unparked(UnparkToken(8)));
    });
}

#[test]
fn an_invalid_park_returns_at_once_and_leaves_no_trace() {
    let key = Key::new();
    // SAFETY: the key is our own allocation; the callbacks do nothing.
    let result = unsafe {
        park(key.addr(), || false, || unreachable!(), |_| unreachable!(), DEFAULT_PARK_TOKEN, None)
    };
    assert_eq!(result, ParkResult::Invalid);
    assert!(!result.is_unparked());
    assert_eq!(snapshot_of(key.addr()), []);
}

#[test]
fn a_timeout_reports_whether_others_remain() {
    let key = Key::new();
    let key = key.addr();
    let timed_park = || {
        let mut seen = None;
        let deadline = Instant::now() + Duration::from_millis(10);
        // SAFETY: the key is a test's own allocation; the callbacks only write a local.
        let result = unsafe {
            park(key, || true, || {}, |left| seen = Some(left), DEFAULT_PARK_TOKEN, Some(deadline))
        };
        assert_eq!(result, ParkResult::TimedOut);
        assert!(Instant::now() >= deadline);
        seen.unwrap()
    };
    assert_eq!(timed_park(), Departure { key, have_more_threads: false });
    thread::scope(|scope| {
        let other = park_thread(scope, key, 0);
        assert_eq!(timed_park(), Departure { key, have_more_threads: true });
        wake(key, 0);
        other.join().unwrap();
    });
}

#[test]
fn unpark_all_wakes_everybody_of_this_key_only() {
    let (one, other) = (Key::new(), Key::new());
    thread::scope(|scope| {
        let bystander = park_thread(scope, other.addr(), 0);
        let parked: Vec<_> = (0..40).map(|i| park_thread(scope, one.addr(), i)).collect();
        // SAFETY: the key is our own allocation.
        assert_eq!(unsafe { unpark_all(one.addr(), UnparkToken(3)) }, 40);
        for parked in parked {
            assert_eq!(parked.join().unwrap(), ParkResult::Unparked(UnparkToken(3)));
        }
        assert_eq!(snapshot_of(other.addr()).len(), 1);
        wake(other.addr(), 0);
        bystander.join().unwrap();
    });
}

#[test]
fn a_filter_picks_by_token_and_stops_when_told() {
    let key = Key::new();
    let key = key.addr();
    thread::scope(|scope| {
        let parked: Vec<_> = (0..6).map(|i| park_thread(scope, key, i)).collect();
        let mut seen = Vec::new();
        let filter = |ParkToken(token)| {
            seen.push(token);
            match token {
                4.. => FilterOp::Stop,
                odd if odd % 2 == 1 => FilterOp::Unpark,
                _ => FilterOp::Skip,
            }
        };
        // SAFETY: the key is our own allocation; the filter only touches a local. (It allocates,
        // which is slow under a queue lock, but harmless.)
        let result = unsafe { unpark_filter(key, filter, |_| UnparkToken(9)) };
        assert_eq!(seen, [0, 1, 2, 3, 4]);
        assert_eq!((result.unparked_threads, result.have_more_threads), (2, true));
        let left: Vec<_> = snapshot_of(key).iter().map(|parked| parked.token.0).collect();
        assert_eq!(left, [0, 2, 4, 5]);
        // SAFETY: as above.
        unsafe { unpark_all(key, UnparkToken(1)) };
        let tokens: Vec<_> = parked.into_iter().map(|parked| parked.join().unwrap()).collect();
        let expected = [1, 9, 1, 9, 1, 1].map(|token| ParkResult::Unparked(UnparkToken(token)));
        assert_eq!(tokens, expected);
    });
}

#[test]
fn unpark_one_if_asks_first_and_always_reports() {
    let key = Key::new();
    let key = key.addr();
    thread::scope(|scope| {
        let parked = park_thread(scope, key, 0);
        let mut reported = None;
        let report = |result| {
            reported = Some(result);
            UnparkToken(0)
        };
        // SAFETY: the key is our own allocation; the callbacks only touch a local.
        let result = unsafe { unpark_one_if(key, || false, report) };
        assert_eq!((result.unparked_threads, result.have_more_threads), (0, true));
        assert_eq!(reported, Some(result));
        // SAFETY: as above.
        assert_eq!(unsafe { unpark_one_if(key, || true, |_| UnparkToken(5)) }.unparked_threads, 1);
        assert_eq!(parked.join().unwrap(), ParkResult::Unparked(UnparkToken(5)));
    });
}

#[test]
fn requeueing_moves_waiters_and_keeps_their_order() {
    let (from, to) = (Key::new(), Key::new());
    let (from, to) = (from.addr(), to.addr());
    let requeue = |op: RequeueOp| {
        // SAFETY: the keys are our own allocations; the callbacks do nothing.
        unsafe { unpark_requeue(from, to, || op, |_, _| UnparkToken(50)) }
    };
    thread::scope(|scope| {
        let parked: Vec<_> = (0..6).map(|i| park_thread(scope, from, i)).collect();

        assert_eq!(requeue(RequeueOp::Abort), parkade_core::UnparkResult::default());
        assert_eq!(snapshot_of(from).len(), 6);

        let result = requeue(RequeueOp::UnparkOne);
        assert_eq!((result.unparked_threads, result.requeued_threads), (1, 0));
        assert!(result.have_more_threads);

        let result = requeue(RequeueOp::RequeueOne);
        assert_eq!((result.unparked_threads, result.requeued_threads), (0, 1));

        let result = requeue(RequeueOp::UnparkOneRequeueRest);
        assert_eq!((result.unparked_threads, result.requeued_threads), (1, 3));
        assert!(!result.have_more_threads);

        assert_eq!(requeue(RequeueOp::RequeueAll).requeued_threads, 0);
        let order: Vec<_> = snapshot_of(to).iter().map(|parked| parked.token.0).collect();
        assert_eq!(order, [1, 3, 4, 5]);

        // SAFETY: the key is our own allocation.
        unsafe { unpark_all(to, UnparkToken(60)) };
        let tokens: Vec<_> = parked.into_iter().map(|parked| parked.join().unwrap()).collect();
        let expected =
            [50, 60, 50, 60, 60, 60].map(|token| ParkResult::Unparked(UnparkToken(token)));
        assert_eq!(tokens, expected);
    });
}

#[test]
fn a_requeued_waiter_times_out_on_its_new_key() {
    let (from, to) = (Key::new(), Key::new());
    let (from, to) = (from.addr(), to.addr());
    let (release, left) = (AtomicBool::new(false), Mutex::new(None));
    let (release, left) = (&release, &left);
    thread::scope(|scope| {
        let waiter = scope.spawn(move || {
            let request =
                ParkRequest::new(from).deadline(Some(Moment::after(Duration::from_millis(30))));
            // SAFETY: the key is a test's own allocation; the callbacks neither park nor panic.
            unsafe {
                park_with(
                    request,
                    || true,
                    // Holds the thread back until it has been moved.
                    || {
                        while !release.load(SeqCst) {
                            thread::yield_now()
                        }
                    },
                    |departure| *left.lock().unwrap() = Some(departure),
                )
            }
        });
        wait_until_parked(from, 1);
        // SAFETY: the keys are our own allocations; the callbacks do nothing.
        let moved =
            unsafe { unpark_requeue(from, to, || RequeueOp::RequeueAll, |_, _| UnparkToken(0)) };
        assert_eq!(moved.requeued_threads, 1);
        release.store(true, SeqCst);
        assert_eq!(waiter.join().unwrap(), ParkResult::TimedOut);
        assert_eq!(*left.lock().unwrap(), Some(Departure { key: to, have_more_threads: false }));
    });
}

#[test]
fn requeueing_by_filter_does_with_each_what_it_says() {
    let (from, to) = (Key::new(), Key::new());
    let (from, to) = (from.addr(), to.addr());
    thread::scope(|scope| {
        let parked: Vec<_> = (0..6).map(|i| park_thread(scope, from, i)).collect();
        let mut seen = None;
        let filter = |token: ParkToken| match token.0 {
            0 | 3 => RequeueFilterOp::Requeue,
            1 => RequeueFilterOp::Unpark,
            2 => RequeueFilterOp::Skip,
            _ => RequeueFilterOp::Stop,
        };
        let callback = |result| {
            seen = Some(result);
            UnparkToken(7)
        };
        // SAFETY: the keys are our own allocations; the callbacks only note.
        let result = unsafe { unpark_requeue_filter(from, to, filter, callback) };
        assert_eq!(seen, Some(result));
        assert_eq!((result.unparked_threads, result.requeued_threads), (1, 2));
        assert!(result.have_more_threads);
        let order = |key| snapshot_of(key).iter().map(|p| p.token.0).collect::<Vec<_>>();
        assert_eq!((order(from), order(to)), (vec![2, 4, 5], vec![0, 3]));
        for key in [from, to] {
            // SAFETY: the key is our own allocation.
            unsafe { unpark_all(key, UnparkToken(8)) };
        }
        let tokens = [8, 7, 8, 8, 8, 8].map(|token| ParkResult::Unparked(UnparkToken(token)));
        assert!(parked.into_iter().map(|parked| parked.join().unwrap()).eq(tokens));
    });
}

#[test]
fn a_deadline_that_ends_when_requeued_does_not_end_the_wait() {
    let (from, to) = (Key::new(), Key::new());
    let (from, to) = (from.addr(), to.addr());
    let release = &AtomicBool::new(false);
    thread::scope(|scope| {
        let request = ParkRequest::new(from).deadline_ends_when_requeued();
        let waiter = scope.spawn(move || {
            let request = request.deadline(Some(Moment::now()));
            // Holds the thread back until it has been moved.
            let hold = || {
                while !release.load(SeqCst) {
                    thread::yield_now();
                }
            };
            // SAFETY: the key is a test's own allocation; the callbacks neither park nor panic.
            unsafe { park_with(request, || true, hold, |_| unreachable!("it left")) }
        });
        wait_until_parked(from, 1);
        // SAFETY: the keys are our own allocations; the callbacks do nothing.
        unsafe { unpark_requeue(from, to, || RequeueOp::RequeueAll, |_, _| UnparkToken(0)) };
        release.store(true, SeqCst);
        // Its time was up before it slept; there is no telling when it has seen that.
        thread::yield_now();
        wake(to, 9);
        assert_eq!(waiter.join().unwrap(), ParkResult::Unparked(UnparkToken(9)));

        // On its first key it times out.
        let request = request.deadline(Some(Moment::now()));
        // SAFETY: as above.
        let result = unsafe { park_with(request, || true, || {}, |_| {}) };
        assert_eq!(result, ParkResult::TimedOut);
    });
}

#[test]
fn requeueing_onto_the_same_key_moves_nobody() {
    let key = Key::new();
    let key = key.addr();
    thread::scope(|scope| {
        let parked = park_thread(scope, key, 0);
        // SAFETY: the key is our own allocation; the callbacks do nothing.
        let result =
            unsafe { unpark_requeue(key, key, || RequeueOp::RequeueAll, |_, _| UnparkToken(0)) };
        assert_eq!((result.requeued_threads, result.have_more_threads), (0, true));
        wake(key, 0);
        parked.join().unwrap();
    });
}

#[test]
fn a_snapshot_shows_who_waits_in_order_and_since_when() {
    let key = Key::new();
    let key = key.addr();
    let start = Moment::now();
    thread::scope(|scope| {
        let first = park_thread(scope, key, 11);
        let since = Moment::now();
        let second = park_thread_at(scope, ParkRequest::new(key).since(start), key);
        let seen: Vec<_> = snapshot().into_iter().filter(|parked| parked.key == key).collect();
        assert_eq!(seen, snapshot_of(key));
        assert_eq!(seen.iter().map(|p| p.position).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(seen[0].token, ParkToken(11));
        assert!(seen[0].since >= start && seen[0].since <= since);
        assert_eq!(seen[1].since, start, "a wait that goes on keeps its age");
        assert_ne!(seen[0].thread, seen[1].thread);
        // SAFETY: the key is our own allocation.
        unsafe { unpark_all(key, UnparkToken(0)) };
        first.join().unwrap();
        second.join().unwrap();
    });
    assert_eq!(snapshot_of(key), []);
}

#[test]
fn unparks_race_timeouts_and_every_wake_is_accounted_for() {
    let key = Key::new();
    let key = key.addr();
    let (woken, sent, done) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        let waiters: Vec<_> = (0..4)
            .map(|i| {
                let woken = &woken;
                scope.spawn(move || {
                    for round in 0..5_000_u64 {
                        let wait = Duration::from_nanos((round * 7 + i * 13) % 40_000);
                        let request = ParkRequest::new(key).deadline(Some(Moment::after(wait)));
                        // SAFETY: the key is a test's own allocation; the callbacks do nothing.
                        let result = unsafe { park_with(request, || true, || {}, |_| {}) };
                        if result.is_unparked() {
                            woken.fetch_add(1, SeqCst);
                        }
                    }
                })
            })
            .collect();
        let (sent, done) = (&sent, &done);
        scope.spawn(move || {
            while !done.load(SeqCst) {
                sent.fetch_add(wake(key, 0).unparked_threads, SeqCst);
                thread::yield_now();
            }
        });
        for waiter in waiters {
            waiter.join().unwrap();
        }
        done.store(true, SeqCst);
    });
    assert_eq!(woken.into_inner(), sent.into_inner());
    assert_eq!(snapshot_of(key), []);
}

/// More waits of a thread than the policy takes to try whether polling pays: some of them poll.
const SOME_POLL: usize = 70;

fn polling(key: usize) -> ParkRequest {
    let polls = Duration::from_millis(1);
    parkade_core::tuning::set_spin_max(polls).unwrap();
    ParkRequest::new(key).polling_if_first()
}

#[test]
fn a_waiter_that_polls_is_queued_as_any_other_and_is_woken() {
    let key = Key::new();
    let key = key.addr();
    thread::scope(|scope| {
        let waiter = scope.spawn(move || {
            for round in 0..20 * SOME_POLL {
                // SAFETY: the key is a test's own allocation; the callbacks do nothing.
                let result = unsafe { park_with(polling(key), || true, || {}, |_| {}) };
                assert_eq!(result, ParkResult::Unparked(UnparkToken(round)));
            }
        });
        for round in 0..20 * SOME_POLL {
            wait_until_parked(key, 1);
            assert_eq!(wake(key, round).unparked_threads, 1);
        }
        waiter.join().unwrap();
    });
}

#[test]
fn a_waiter_that_was_woken_before_it_polls_does_not_sleep() {
    let key = Key::new();
    let key = key.addr();
    for round in 0..SOME_POLL {
        let wake_itself = || assert_eq!(wake(key, round).unparked_threads, 1);
        // SAFETY: the key is a test's own allocation; the callbacks neither park nor panic.
        let result = unsafe { park_with(polling(key), || true, wake_itself, |_| unreachable!()) };
        assert_eq!(result, ParkResult::Unparked(UnparkToken(round)));
    }
}

#[test]
fn a_waiter_that_polls_times_out() {
    let key = Key::new();
    let key = key.addr();
    for _ in 0..SOME_POLL {
        let deadline = Moment::after(Duration::from_micros(200));
        let (request, mut left) = (polling(key).deadline(Some(deadline)), None);
        // SAFETY: the key is a test's own allocation; the callbacks neither park nor panic.
        let result = unsafe { park_with(request, || true, || {}, |it| left = Some(it)) };
        assert_eq!(result, ParkResult::TimedOut);
        assert!(Moment::now() >= deadline);
        assert_eq!(left, Some(Departure { key, have_more_threads: false }));
        assert_eq!(snapshot_of(key), []);
    }
}

#[test]
fn a_waiter_that_polls_is_requeued_and_waits_there() {
    let (from, to) = (Key::new(), Key::new());
    let (from, to) = (from.addr(), to.addr());
    thread::scope(|scope| {
        let waiter = scope.spawn(move || {
            for round in 0..SOME_POLL {
                let request = polling(from)
                    .deadline(Some(Moment::after(Duration::from_micros(100))))
                    .deadline_ends_when_requeued();
                // Afterwards it polls, on another key than it parked on.
                let move_itself = || {
                    // SAFETY: the keys are a test's own allocations; the callbacks do nothing.
                    let moved = unsafe {
                        unpark_requeue(from, to, || RequeueOp::RequeueAll, |_, _| UnparkToken(0))
                    };
                    assert_eq!(moved.requeued_threads, 1);
                };
                let left = |_| unreachable!("it left");
                // SAFETY: the key is a test's own allocation; the callbacks neither park nor panic.
                let result = unsafe { park_with(request, || true, move_itself, left) };
                assert_eq!(result, ParkResult::Unparked(UnparkToken(round)));
            }
        });
        for round in 0..SOME_POLL {
            wait_until_parked(to, 1);
            assert_eq!(wake(to, round).unparked_threads, 1);
        }
        waiter.join().unwrap();
    });
}
