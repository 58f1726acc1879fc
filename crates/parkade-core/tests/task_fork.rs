//! Evidence that a child of `fork` can go on with futures that it has a copy of: whatever they have been given is
//! theirs there too, and what they had queued for they queue for anew.
#![cfg(target_os = "linux")]

#[path = "../../parkade/tests/support/fork.rs"]
mod fork;
mod tasks;

use fork::{Side, child, fork, reap};
use parkade_core::{Cancelled, Departure, ParkRequest, ParkResult, snapshot_of};
use std::{
    sync::{Arc, Mutex},
    task::{Context, Poll},
};
use tasks::{
    Boxed, Counts, Key, boxed, cancel, look, parked, poll, ready, runs, unparked, wake, wake_all,
};

#[test]
fn who_was_queued_parks_anew_or_leaves() {
    let (key, waker) = (Key::new(), Counts::new().waker());
    let key = key.addr();
    let request = ParkRequest::new(key);
    let waiters = [(); 5].map(|()| parked(key, 0, &waker));
    let [again, other, invalid, leaves, notified] = &waiters;
    // The last first.
    assert_eq!(cancel(notified, |_| {}), Cancelled::Left);
    assert_eq!(poll(notified, request.place(parkade_core::Place::Front), &waker), Poll::Pending);
    wake(key, 8);
    match fork() {
        Side::Child => child(|| {
            assert_eq!(snapshot_of(key), []);
            assert_eq!(look(notified, &waker), ready(8));
            // In another order than before.
            assert_eq!(poll(other, request, &waker), Poll::Pending);
            assert_eq!(poll(again, request, &waker), Poll::Pending);
            assert_eq!(snapshot_of(key).len(), 2);
            // SAFETY: the key is our own, the callbacks do nothing, and the waiter is this thread's.
            let polled = unsafe {
                let mut cx = Context::from_waker(&waker);
                invalid.as_ref().poll_park(&mut cx, request, || false, || unreachable!())
            };
            assert_eq!(polled, Poll::Ready(ParkResult::Invalid));
            let mut left = None;
            assert_eq!(cancel(leaves, |it| left = Some(it)), Cancelled::Left);
            assert_eq!(left, Some(Departure { key, have_more_threads: true }));
            for (token, waiter) in [other, again].into_iter().enumerate() {
                assert_eq!(wake(key, token).unparked_tasks, 1);
                assert_eq!(look(waiter, &waker), ready(token));
            }
            assert_eq!(wake(key, 0), parkade_core::UnparkResult::default());
            // What has left in one way can wait again.
            assert_eq!(poll(leaves, request, &waker), Poll::Pending);
            assert_eq!(wake_all(key, 3), 1);
            assert_eq!(look(leaves, &waker), ready(3));
        }),
        Side::Parent(pid) => {
            // The parent's queue is as it was.
            for (token, waiter) in waiters[..4].iter().enumerate() {
                assert_eq!(wake(key, token).unparked_tasks, 1);
                assert_eq!(look(waiter, &waker), ready(token));
            }
            assert_eq!(look(notified, &waker), ready(8));
            reap(pid, "queued");
        }
    }
}

/// A child that is forked by a waker: its parent's notifier has not come to the others yet, and in the child does not.
#[test]
fn who_was_about_to_be_woken_has_its_token() {
    const MANY: usize = 100;
    let (key, counts) = (Key::new(), Counts::new());
    let (key, waker) = (key.addr(), counts.waker());
    let side = Arc::new(Mutex::new(None));
    let waiters: Arc<Mutex<Vec<Boxed>>> = Arc::default();
    let forks = {
        let (side, waiters, waker) = (side.clone(), waiters.clone(), waker.clone());
        runs(move || {
            let forked = fork();
            if let Side::Child = forked {
                let waiter = &waiters.lock().unwrap()[50];
                assert_eq!(look(waiter, &waker), ready(6));
                assert_eq!(poll(waiter, ParkRequest::new(key), &waker), Poll::Pending);
            }
            *side.lock().unwrap() = Some(forked);
        })
    };
    {
        let mut waiters = waiters.lock().unwrap();
        waiters.push(parked(key, 0, &forks));
        waiters.extend((1..MANY).map(|i| parked(key, i, &waker)));
    }
    let woken = std::panic::catch_unwind(|| wake_all(key, 6));
    let side = side.lock().unwrap().take();
    let waiters = waiters.lock().unwrap();
    match side {
        Some(Side::Parent(pid)) => {
            assert_eq!((woken.ok(), counts.woken()), (Some(MANY), MANY - 1));
            assert!(waiters.iter().all(|waiter| look(waiter, &waker) == ready(6)));
            reap(pid, "listed");
        }
        _ => child(|| {
            assert_eq!(woken.ok(), Some(MANY));
            assert_eq!(look(&waiters[50], &waker), Poll::Pending, "it waits again");
            assert_eq!(wake(key, 1).unparked_tasks, 1);
            assert_eq!(look(&waiters[50], &waker), ready(1));
            for (i, waiter) in waiters.iter().enumerate().filter(|(i, _)| *i != 50) {
                if i % 2 == 0 {
                    assert_eq!(look(waiter, &waker), ready(6));
                } else {
                    assert_eq!(cancel(waiter, |_| unreachable!("unparked")), unparked(6));
                }
            }
            let waiter = boxed();
            assert_eq!(poll(&waiter, ParkRequest::new(key), &waker), Poll::Pending);
            wake(key, 1);
            assert_eq!(look(&waiter, &waker), ready(1));
        }),
    }
}
