//! Evidence for what [`Semaphore`] promises, one operation at a time and with threads in known positions:
//! counting, limits, order, deadlines, closing. Random operations are in `semaphore_properties.rs`.

mod support;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use parkade::{
    AcquireError, AddPermitsError, OwnedSemaphorePermit, Semaphore, SemaphorePermit,
    SemaphorePolicy, TimedAcquireError, TryAcquireError,
};
use static_assertions::{assert_eq_size, assert_impl_all};
use support::{
    CENTURIES, SHORT, far_future, parked_on, past, wait_for_parked, wait_until, watched_test,
};

assert_eq_size!(Semaphore, usize);
assert_impl_all!(Semaphore: Send, Sync, std::panic::UnwindSafe, std::panic::RefUnwindSafe);
assert_impl_all!(SemaphorePermit<'_>: Send, Sync);
assert_impl_all!(OwnedSemaphorePermit: Send, Sync);
assert_impl_all!(AcquireError: std::error::Error, Send, Sync);
assert_impl_all!(TryAcquireError: std::error::Error, Send, Sync);
assert_impl_all!(TimedAcquireError: std::error::Error, Send, Sync);
assert_impl_all!(AddPermitsError: std::error::Error, Send, Sync);

const MAX: usize = Semaphore::MAX_PERMITS;
const POLICIES: [SemaphorePolicy; 2] = [SemaphorePolicy::Fifo, SemaphorePolicy::Barging];
/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(60);

fn message(panic: Box<dyn std::any::Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => (*panic.downcast::<&str>().unwrap()).to_owned(),
    }
}

#[test]
fn permits_are_counted() {
    for policy in POLICIES {
        let semaphore = Semaphore::with_policy(5, policy);
        let two = semaphore.acquire_many(2).unwrap();
        let three = semaphore.try_acquire_many(3).unwrap();
        assert_eq!(semaphore.available_permits(), 0);
        assert_eq!(semaphore.try_acquire().unwrap_err(), TryAcquireError::NoPermits);
        drop(two);
        assert_eq!(semaphore.available_permits(), 2);
        assert_eq!(semaphore.try_acquire_many(3).unwrap_err(), TryAcquireError::NoPermits);
        let one = semaphore.try_acquire_for(Duration::ZERO).unwrap();
        let other = semaphore.try_acquire_until(past()).unwrap();
        drop((one, other, three));
        assert_eq!((semaphore.available_permits(), semaphore.policy()), (5, policy));
    }
}

#[test]
fn owned_permits_are_counted_and_keep_the_semaphore_alive() {
    let semaphore = Arc::new(Semaphore::new(6));
    let shared = || Arc::clone(&semaphore);
    let permits = [
        shared().acquire_owned().unwrap(),
        shared().acquire_many_owned(0).unwrap(),
        shared().try_acquire_owned().unwrap(),
        shared().try_acquire_many_owned(1).unwrap(),
        shared().try_acquire_owned_for(Duration::ZERO).unwrap(),
        shared().try_acquire_owned_until(past()).unwrap(),
        shared().try_acquire_many_owned_for(1, Duration::ZERO).unwrap(),
    ];
    assert_eq!(semaphore.available_permits(), 0);
    assert_eq!(shared().try_acquire_owned().unwrap_err(), TryAcquireError::NoPermits);
    let late = shared().try_acquire_many_owned_until(1, past());
    assert_eq!(late.unwrap_err(), TimedAcquireError::TimedOut);
    assert!(permits.iter().all(|permit| Arc::ptr_eq(permit.semaphore(), &semaphore)));
    let last = Arc::downgrade(&semaphore);
    drop(semaphore);
    assert_eq!(last.upgrade().unwrap().available_permits(), 0);
    drop(permits);
    assert!(last.upgrade().is_none());
}

#[test]
fn more_than_the_maximum_is_an_error_at_once() {
    let _watched = watched_test();
    for too_many in [MAX + 1, usize::MAX] {
        let semaphore = Arc::new(Semaphore::new(1));
        let shared = || Arc::clone(&semaphore);
        assert_eq!(semaphore.acquire_many(too_many).unwrap_err(), AcquireError::TooMany);
        assert_eq!(semaphore.try_acquire_many(too_many).unwrap_err(), TryAcquireError::TooMany);
        assert_eq!(shared().acquire_many_owned(too_many).unwrap_err(), AcquireError::TooMany);
        let timed = semaphore.try_acquire_many_for(too_many, LONG);
        assert_eq!(timed.unwrap_err(), TimedAcquireError::TooMany);
        let timed = semaphore.try_acquire_many_until(too_many, far_future());
        assert_eq!(timed.unwrap_err(), TimedAcquireError::TooMany);
        assert!(Semaphore::try_new(too_many, SemaphorePolicy::Fifo).is_err());
        let made = catch_unwind(|| Semaphore::new(too_many));
        assert_eq!(message(made.unwrap_err()), "more than Semaphore::MAX_PERMITS permits");
        assert_eq!(semaphore.available_permits(), 1);
    }
    let full = Semaphore::new(MAX);
    let all = full.acquire_many(MAX).unwrap();
    assert_eq!((full.available_permits(), all.num_permits()), (0, MAX));
}

#[test]
fn adding_beyond_the_maximum_adds_nothing() {
    let semaphore = Semaphore::new(MAX - 1);
    for too_many in [2, MAX, usize::MAX] {
        let error = semaphore.add_permits(too_many).unwrap_err();
        assert_eq!(error.to_string(), format!("a semaphore has at most {MAX} permits"));
        assert_eq!(semaphore.available_permits(), MAX - 1);
    }
    assert_eq!(semaphore.add_permits(1), Ok(()));
    assert_eq!(semaphore.add_permits(0), Ok(()));
    assert!(semaphore.add_permits(1).is_err());
    assert_eq!(semaphore.forget_permits(usize::MAX), MAX);
    assert_eq!(semaphore.forget_permits(1), 0);
}

/// Guards cannot be refused, so what does not fit is lost; nothing wraps around.
#[test]
fn permits_that_come_back_beyond_the_maximum_are_lost() {
    let semaphore = Semaphore::new(MAX);
    let mut all = semaphore.acquire_many(MAX).unwrap();
    for _ in 0..64 {
        semaphore.add_permits(MAX).unwrap();
        all.merge(semaphore.acquire_many(MAX).unwrap());
    }
    assert!(all.num_permits() > MAX);
    semaphore.add_permits(MAX - 1).unwrap();
    drop(all.split(2).unwrap());
    assert_eq!(semaphore.available_permits(), MAX);
    drop(all);
    assert_eq!(semaphore.available_permits(), MAX);
    assert_eq!(semaphore.forget_permits(MAX), MAX);
}

#[test]
fn no_permits_are_to_be_had_at_once() {
    let _watched = watched_test();
    for policy in POLICIES {
        let none = Semaphore::with_policy(0, policy);
        thread::scope(|scope| {
            scope.spawn(|| none.acquire().unwrap_err());
            wait_for_parked(&none, 1);
            // Nobody is in the way of somebody who wants nothing.
            assert_eq!(none.acquire_many(0).unwrap().num_permits(), 0);
            assert_eq!(none.try_acquire_many(0).unwrap().num_permits(), 0);
            none.close();
        });
        assert_eq!(none.acquire_many(0).unwrap_err(), AcquireError::Closed);
        assert_eq!(none.try_acquire_many(0).unwrap_err(), TryAcquireError::Closed);
    }
}

#[test]
fn permits_are_split_merged_and_forgotten() {
    let semaphore = Semaphore::new(9);
    let mut permit = semaphore.acquire_many(7).unwrap();
    assert!(permit.split(8).is_none());
    let (none, two) = (permit.split(0).unwrap(), permit.split(2).unwrap());
    assert_eq!((permit.num_permits(), none.num_permits(), two.num_permits()), (5, 0, 2));
    assert!(std::ptr::eq(*two.semaphore(), &semaphore));
    drop(none);
    permit.split(1).unwrap().forget();
    assert_eq!(semaphore.available_permits(), 2);
    permit.merge(two);
    assert_eq!(permit.num_permits(), 6);
    drop(permit.split(6).unwrap());
    assert_eq!((permit.num_permits(), semaphore.available_permits()), (0, 8));
    permit.forget();
    assert_eq!(semaphore.available_permits(), 8);
}

#[test]
fn merging_with_another_semaphore_panics_and_loses_nothing() {
    let (one, other) = (Arc::new(Semaphore::new(2)), Arc::new(Semaphore::new(2)));
    let mut ours = one.acquire_many(2).unwrap();
    let theirs = other.acquire().unwrap();
    let merge = catch_unwind(AssertUnwindSafe(|| ours.merge(theirs)));
    assert_eq!(message(merge.unwrap_err()), "merging permits of different semaphores");
    assert_eq!((ours.num_permits(), other.available_permits()), (2, 2));
    drop(ours);

    let mut ours = Arc::clone(&one).acquire_owned().unwrap();
    let theirs = Arc::clone(&other).acquire_many_owned(2).unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| ours.merge(theirs))).is_err());
    drop(ours);
    assert_eq!((one.available_permits(), other.available_permits()), (2, 2));
    assert_eq!((Arc::strong_count(&one), Arc::strong_count(&other)), (1, 1));
}

#[test]
fn a_panic_gives_permits_back() {
    let semaphore = Semaphore::new(2);
    let panicked = catch_unwind(|| {
        let _permit = semaphore.acquire().unwrap();
        std::panic::resume_unwind(Box::new("on purpose"));
    });
    assert!(panicked.is_err());
    assert_eq!(semaphore.available_permits(), 2);
}

#[test]
fn errors_and_semaphores_speak() {
    let semaphore = Semaphore::new(3);
    let permit = semaphore.acquire().unwrap();
    let text = "Semaphore { available: 2, closed: false, policy: Fifo }";
    assert_eq!(format!("{semaphore:?}"), text);
    assert_eq!(
        format!("{permit:?}"),
        format!("SemaphorePermit {{ permits: 1, semaphore: {text} }}")
    );
    assert_eq!(AcquireError::Closed.to_string(), "the semaphore is closed");
    assert_eq!(TryAcquireError::NoPermits.to_string(), "no permits are available");
    assert_eq!(TimedAcquireError::TimedOut.to_string(), "no permits in time");
    assert_eq!(AcquireError::TooMany.to_string(), TryAcquireError::TooMany.to_string());
    assert_eq!(TimedAcquireError::Closed.to_string(), TryAcquireError::Closed.to_string());
}

#[test]
fn nobody_times_out_early_and_no_deadline_is_too_far() {
    let _watched = watched_test();
    for policy in POLICIES {
        let semaphore = Semaphore::with_policy(0, policy);
        for timeout in SHORT {
            let start = Instant::now();
            let ended = semaphore.try_acquire_for(timeout).map(drop);
            assert_eq!(ended, Err(TimedAcquireError::TimedOut));
            assert!(start.elapsed() >= timeout, "{timeout:?}");
            let ended = semaphore.try_acquire_many_until(2, Instant::now() + timeout).map(drop);
            assert_eq!(ended, Err(TimedAcquireError::TimedOut));
        }
        for timeout in CENTURIES {
            thread::scope(|scope| {
                let waiting = scope.spawn(|| semaphore.try_acquire_for(timeout).map(drop));
                wait_for_parked(&semaphore, 1);
                semaphore.add_permits(1).unwrap();
                assert_eq!(waiting.join().unwrap(), Ok(()));
            });
            assert_eq!(semaphore.forget_permits(1), 1);
        }
        assert!(semaphore.try_acquire_until(past()).is_err());
        assert!(parked_on(&semaphore).is_empty());
    }
}

/// Starts threads that queue one after the other for so many permits each; each tells its number when it has them, and
/// gives them back.
fn in_line<'scope>(
    scope: &'scope thread::Scope<'scope, '_>,
    semaphore: &'scope Semaphore,
    wants: &[usize],
) -> mpsc::Receiver<usize> {
    let (tell, told) = mpsc::channel();
    for (index, &want) in wants.iter().enumerate() {
        let tell = tell.clone();
        scope.spawn(move || {
            let permit = semaphore.acquire_many(want).unwrap();
            tell.send(index).unwrap();
            drop(permit);
        });
        wait_for_parked(semaphore, index + 1);
    }
    told
}

#[test]
fn who_came_first_is_served_first() {
    let _watched = watched_test();
    let semaphore = Semaphore::new(1);
    let held = semaphore.acquire().unwrap();
    thread::scope(|scope| {
        let told = in_line(scope, &semaphore, &[1; 8]);
        drop(held);
        // Each is served by the one before, when that gives back.
        assert_eq!(told.iter().take(8).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6, 7]);
    });
    assert_eq!(semaphore.available_permits(), 1);
}

/// One release serves as many as it suffices for.
#[test]
fn what_comes_back_is_granted_as_far_as_it_goes() {
    let _watched = watched_test();
    for policy in POLICIES {
        let semaphore = Semaphore::with_policy(0, policy);
        thread::scope(|scope| {
            let (tell, told) = mpsc::channel();
            for (index, want) in [2, 1, 3, 1].into_iter().enumerate() {
                let (tell, semaphore) = (tell.clone(), &semaphore);
                scope.spawn(move || {
                    semaphore.acquire_many(want).unwrap().forget();
                    tell.send(want).unwrap();
                });
                wait_for_parked(semaphore, index + 1);
            }
            semaphore.add_permits(4).unwrap();
            let mut served = [told.recv().unwrap(), told.recv().unwrap()];
            served.sort_unstable();
            assert_eq!(served, [1, 2]);
            // One is left; who wants three is next, and the last stands behind it.
            wait_for_parked(&semaphore, 2);
            assert_eq!(semaphore.available_permits(), 1);
            assert!(told.try_recv().is_err());
            semaphore.add_permits(3).unwrap();
            assert_eq!(told.recv().unwrap() + told.recv().unwrap(), 4);
        });
        assert_eq!(semaphore.available_permits(), 0);
    }
}

/// What is given back one by one adds up for who wants many.
#[test]
fn small_releases_accumulate_for_a_large_request() {
    let _watched = watched_test();
    for policy in POLICIES {
        let semaphore = Semaphore::with_policy(0, policy);
        thread::scope(|scope| {
            let large = scope.spawn(|| semaphore.acquire_many(5).unwrap().forget());
            for round in 0..5 {
                wait_for_parked(&semaphore, 1);
                assert_eq!(semaphore.available_permits(), round);
                semaphore.add_permits(1).unwrap();
            }
            large.join().unwrap();
        });
        assert_eq!(semaphore.available_permits(), 0);
    }
}

#[test]
fn newcomers_overtake_only_where_they_may() {
    let _watched = watched_test();
    for policy in POLICIES {
        let semaphore = Semaphore::with_policy(2, policy);
        let two = semaphore.acquire_many(2).unwrap();
        thread::scope(|scope| {
            let large = scope.spawn(|| semaphore.acquire_many(2).map(drop));
            wait_for_parked(&semaphore, 1);
            semaphore.add_permits(1).unwrap();
            wait_for_parked(&semaphore, 1);
            let overtaken = semaphore.try_acquire().map(drop).is_ok();
            let timed = semaphore.try_acquire_for(Duration::from_millis(1)).map(drop).is_ok();
            // Barging, the first in line may have claimed by now.
            assert!(policy == SemaphorePolicy::Barging || !overtaken && !timed, "{policy:?}");
            drop(two);
            large.join().unwrap().unwrap();
        });
        assert_eq!(semaphore.available_permits(), 3);
    }
}

#[test]
fn closing_tells_all_who_wait_and_all_who_come() {
    let _watched = watched_test();
    for policy in POLICIES {
        let semaphore = Arc::new(Semaphore::with_policy(1, policy));
        let held = semaphore.acquire().unwrap();
        let reason = AtomicUsize::new(0);
        thread::scope(|scope| {
            let waiting: Vec<_> = (1..=4)
                .map(|want| {
                    let (semaphore, reason) = (&semaphore, &reason);
                    scope.spawn(move || {
                        let ended = match want % 2 {
                            0 => semaphore.acquire_many(want).map(drop),
                            _ => match semaphore.try_acquire_many_for(want, LONG) {
                                Err(TimedAcquireError::Closed) => Err(AcquireError::Closed),
                                ended => panic!("{ended:?}"),
                            },
                        };
                        (ended, reason.load(Relaxed))
                    })
                })
                .collect();
            wait_for_parked(&*semaphore, 4);
            assert!(!semaphore.is_closed());
            reason.store(7, Relaxed);
            semaphore.close();
            for waiting in waiting {
                assert_eq!(waiting.join().unwrap(), (Err(AcquireError::Closed), 7));
            }
        });
        semaphore.close();
        assert!(semaphore.is_closed());
        let owned = Arc::clone(&semaphore).acquire_owned();
        assert_eq!(owned.unwrap_err(), AcquireError::Closed);
        assert_eq!(semaphore.try_acquire().unwrap_err(), TryAcquireError::Closed);
        let timed = semaphore.try_acquire_for(LONG);
        assert_eq!(timed.unwrap_err(), TimedAcquireError::Closed);
        // What is held comes back all the same, and can be counted.
        drop(held);
        semaphore.add_permits(2).unwrap();
        assert_eq!((semaphore.available_permits(), semaphore.forget_permits(9)), (3, 3));
    }
}

/// Who waits does not leave the semaphore alone for ever just because it was overtaken: see also `semaphore_history.rs`.
#[test]
fn permits_pass_from_thread_to_thread() {
    let _watched = watched_test();
    let semaphore = Arc::new(Semaphore::new(1));
    let permit = Arc::clone(&semaphore).acquire_owned().unwrap();
    let dropped = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            wait_for_parked(&*semaphore, 1);
            dropped.store(true, Relaxed);
            drop(permit);
        });
        let _permit = semaphore.acquire().unwrap();
        assert!(dropped.load(Relaxed));
    });
    wait_until(|| Arc::strong_count(&semaphore) == 1);
}
