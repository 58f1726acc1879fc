//! Evidence for what [`Barrier`] promises: a leader, generations that do not mix, deadlines that take an arrival
//! back, and aborting.

mod support;

use std::{
    error::Error,
    fmt::Debug,
    panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind},
    thread,
    time::{Duration, Instant},
};

use parkade::{
    Barrier, BarrierAbortGuard, BarrierError,
    BarrierError::{Aborted, TimedOut},
    BarrierWaitResult,
};
use static_assertions::{assert_impl_all, assert_not_impl_any};
use support::{CENTURIES, SHORT, far_future, parked_on, past, wait_for_parked, watched_test};

assert_impl_all!(Barrier: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Debug);
assert_impl_all!(BarrierWaitResult: Send, Sync, Copy, Eq, Debug);
assert_impl_all!(BarrierError: Send, Sync, Copy, Eq, Error);
assert_impl_all!(BarrierAbortGuard<'static>: Debug);
assert_not_impl_any!(BarrierAbortGuard<'static>: Send, Sync);

const _: () = assert!(size_of::<Barrier>() == 12 && align_of::<Barrier>() == 4);

fn leads(barrier: &Barrier) -> bool {
    barrier.wait().unwrap().is_leader()
}

#[test]
fn the_last_to_arrive_leads() {
    let _watched = watched_test();
    let barrier = Barrier::new(4);
    for _ in 0..3 {
        thread::scope(|scope| {
            let others = [(); 3].map(|()| scope.spawn(|| leads(&barrier)));
            wait_for_parked(&barrier, 3);
            assert_eq!(barrier.waiting(), 3);
            assert!(leads(&barrier));
            assert_eq!(others.map(|other| other.join().unwrap()), [false; 3]);
        });
        assert_eq!(barrier.waiting(), 0);
    }
}

#[test]
fn nobody_waits_at_a_barrier_of_none_or_one() {
    for parties in [0, 1] {
        let barrier = Barrier::new(parties);
        assert_eq!(barrier.parties(), 1);
        assert!((0..3).all(|_| leads(&barrier)));
        assert!(barrier.wait_for(Duration::ZERO).unwrap().is_leader());
        assert!(barrier.wait_until(past()).unwrap().is_leader());
    }
}

/// Any threads may be parties: with more of them than parties, they pass in groups.
#[test]
fn more_threads_than_parties_pass_in_groups() {
    let _watched = watched_test();
    let barrier = Barrier::new(3);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..12).map(|_| scope.spawn(|| leads(&barrier))).collect();
        let leaders = threads.into_iter().map(|thread| thread.join().unwrap());
        assert_eq!(leaders.filter(|&leads| leads).count(), 4);
    });
}

#[test]
fn too_many_parties_are_refused_where_they_are_asked_for() {
    let panic = catch_unwind(|| Barrier::new(Barrier::MAX + 1)).unwrap_err();
    let message = panic.downcast_ref::<&str>().unwrap();
    assert_eq!(*message, "the parties of a barrier are at most Barrier::MAX");
}

#[test]
fn a_deadline_takes_the_arrival_back() {
    let _watched = watched_test();
    let barrier = Barrier::new(3);
    thread::scope(|scope| {
        let patient = scope.spawn(|| leads(&barrier));
        wait_for_parked(&barrier, 1);
        for timeout in SHORT {
            let start = Instant::now();
            assert_eq!(barrier.wait_for(timeout), Err(TimedOut));
            assert!(start.elapsed() >= timeout);
            assert_eq!(barrier.wait_until(Instant::now() + timeout), Err(TimedOut));
            assert_eq!(barrier.waiting(), 1);
        }
        assert_eq!(barrier.wait_until(past()), Err(TimedOut));
        // The one that waits has noticed nothing, and two more are still needed.
        assert_eq!(parked_on(&barrier).len(), 1);
        let second = scope.spawn(|| leads(&barrier));
        wait_for_parked(&barrier, 2);
        assert!(leads(&barrier));
        assert!(!patient.join().unwrap() && !second.join().unwrap());
    });
}

#[test]
fn the_last_one_passes_whatever_the_time() {
    let _watched = watched_test();
    for late in [0, 1] {
        let barrier = Barrier::new(2);
        thread::scope(|scope| {
            let other = scope.spawn(|| leads(&barrier));
            wait_for_parked(&barrier, 1);
            let ended = match late {
                0 => barrier.wait_for(Duration::ZERO),
                _ => barrier.wait_until(past()),
            };
            assert!(ended.unwrap().is_leader());
            assert!(!other.join().unwrap());
        });
    }
}

#[test]
fn centuries_do_not_overflow() {
    let _watched = watched_test();
    let barrier = Barrier::new(2);
    thread::scope(|scope| {
        for timeout in CENTURIES {
            let other = scope.spawn(|| barrier.wait_until(far_future()).unwrap().is_leader());
            let led = barrier.wait_for(timeout).unwrap().is_leader();
            assert_ne!(other.join().unwrap(), led);
        }
    });
}

#[test]
fn aborting_lets_go_who_waits_and_who_comes() {
    let _watched = watched_test();
    let mut barrier = Barrier::new(4);
    thread::scope(|scope| {
        let waiting = [
            scope.spawn(|| barrier.wait()),
            scope.spawn(|| barrier.wait_for(Duration::MAX)),
            scope.spawn(|| barrier.wait_until(far_future())),
        ];
        wait_for_parked(&barrier, 3);
        assert!(!barrier.is_aborted());
        barrier.abort();
        assert!(barrier.is_aborted());
        assert_eq!(waiting.map(|thread| thread.join().unwrap()), [Err(Aborted); 3]);
    });
    barrier.abort();
    for _ in 0..8 {
        assert_eq!(barrier.wait(), Err(Aborted));
        assert_eq!(barrier.wait_for(Duration::ZERO), Err(Aborted));
        assert_eq!(barrier.wait_until(past()), Err(Aborted));
    }
    assert_eq!(barrier.waiting(), 0);
    barrier.reset();
    assert!(!barrier.is_aborted());
    assert_eq!(barrier.wait_for(Duration::ZERO), Err(TimedOut));
}

#[test]
fn a_party_that_panics_lets_the_others_go() {
    let _watched = watched_test();
    let barrier = Barrier::new(3);
    thread::scope(|scope| {
        let waiting = [(); 2].map(|()| scope.spawn(|| barrier.wait()));
        wait_for_parked(&barrier, 2);
        let failing = scope.spawn(|| {
            let _guard = barrier.abort_on_unwind();
            std::panic::resume_unwind(Box::new("on purpose"));
        });
        assert!(failing.join().is_err());
        assert_eq!(waiting.map(|thread| thread.join().unwrap()), [Err(Aborted); 2]);
    });
}

#[test]
fn a_guard_does_nothing_without_a_panic_of_its_own() {
    let barrier = Barrier::new(1);
    drop(barrier.abort_on_unwind());
    assert!(!barrier.is_aborted());

    /// Uses the barrier while the thread unwinds already, from before.
    struct Cleanup<'a>(&'a Barrier);
    impl Drop for Cleanup<'_> {
        fn drop(&mut self) {
            let _guard = self.0.abort_on_unwind();
            assert!(self.0.wait().is_ok());
        }
    }
    let unwinding = catch_unwind(AssertUnwindSafe(|| {
        let _cleanup = Cleanup(&barrier);
        std::panic::resume_unwind(Box::new("on purpose"));
    }));
    assert!(unwinding.is_err());
    assert!(!barrier.is_aborted());
}

#[test]
fn errors_and_states_have_words() {
    assert_eq!(Aborted.to_string(), "the barrier is aborted");
    assert_eq!(TimedOut.to_string(), "the time was up before all had arrived at the barrier");
    let barrier = Barrier::new(2);
    let text = "Barrier { parties: 2, waiting: 0, aborted: false }";
    assert_eq!(format!("{barrier:?}"), text);
    assert_eq!(
        format!("{:?}", barrier.abort_on_unwind()),
        format!("BarrierAbortGuard {{ barrier: {text} }}")
    );
}
