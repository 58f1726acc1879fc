//! Evidence for what [`Once`] promises of forks: a child goes on with what the forking thread was
//! initialising and with what nobody was, and the waiters that did not survive the fork are not missed.
//! What another thread was initialising never ends there, and nobody is told that it has.
#![cfg(target_os = "linux")]

mod support;

use std::{
    sync::{Mutex as StdMutex, PoisonError, mpsc},
    task::Poll,
    thread,
    time::Duration,
};

use parkade::{LazyLock, Once, OnceLock, OnceState};
use support::{
    fork::{Side, child, fork, reap},
    parked_on,
    tasks::{Task, block_on},
    wait_for_parked, watched_test,
};

/// Fewer threads in the process make more of the forks hit what is tested.
static ONE_AT_A_TIME: StdMutex<()> = StdMutex::new(());

/// New threads of the child wait for `once` and are woken.
fn waits_and_wakes(once: &Once, complete: impl FnOnce()) {
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| once.wait_force());
        }
        wait_for_parked(once, 3);
        complete();
    });
    assert_eq!(once.state(), OnceState::Done);
}

/// How the child of a fork within a closure ends it: in the child, and in the parent.
#[test]
fn a_closure_that_forks_ends_on_both_sides() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let _watched = watched_test();
    for _ in 0..50 {
        let (once, began) = (Once::new(), Once::new());
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    began.wait();
                    once.call_once(|| unreachable!());
                });
            }
            let mut side = None;
            once.call_once(|| {
                began.call_once(|| {});
                wait_for_parked(&once, 3);
                side = Some(fork());
                if let Some(Side::Child) = side {
                    assert!(parked_on(&once).is_empty(), "waiters that do not exist");
                }
            });
            match side.unwrap() {
                Side::Child => child(|| {
                    assert_eq!(once.state(), OnceState::Done);
                    once.call_once(|| unreachable!());
                }),
                Side::Parent(pid) => reap(pid, "fork within a closure"),
            }
        });
    }
}

/// In the child, what the forking thread runs is still known to be its own.
#[test]
fn a_closure_that_forks_may_not_call_its_own_once() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    static FORKS: LazyLock<usize> = LazyLock::new(|| match fork() {
        Side::Child => child(|| {
            let again = std::panic::catch_unwind(|| *FORKS);
            assert!(again.is_err());
        }),
        Side::Parent(pid) => {
            reap(pid, "re-entry in a child");
            5
        }
    });
    assert_eq!(*FORKS, 5);
}

#[test]
fn a_child_begins_what_its_parent_waits_for() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let _watched = watched_test();
    let (once, lock) = (Once::new(), OnceLock::new());
    thread::scope(|scope| {
        scope.spawn(|| once.wait());
        scope.spawn(|| assert_eq!(lock.wait(), &2));
        wait_for_parked(&once, 1);
        wait_for_parked(&lock, 1);
        match fork() {
            Side::Child => child(|| {
                waits_and_wakes(&once, || once.call_once(|| {}));
                assert_eq!(lock.get_or_init(|| 1), &1);
            }),
            Side::Parent(pid) => reap(pid, "fork beside waiters"),
        }
        assert_eq!((once.state(), lock.get()), (OnceState::New, None));
        once.call_once(|| {});
        assert_eq!(lock.set(2), Ok(()));
    });
}

/// In the child a task ends what it has begun in the parent, by being polled or dropped there, and those who waited queue
/// anew.
#[test]
fn a_child_goes_on_with_what_a_task_initialises() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let _watched = watched_test();
    let task = Task::new();
    let [ended, dropped] = [OnceLock::<u8>::new(), OnceLock::new()];
    let in_two_polls = async || {
        let mut polls = 0..1;
        std::future::poll_fn(|_| polls.next().map_or(Poll::Ready(1), |_| Poll::Pending)).await
    };
    let mut runs = Box::pin(ended.get_or_init_async(in_two_polls));
    let mut gives_up = Some(Box::pin(dropped.get_or_init_async(in_two_polls)));
    let mut waits = Box::pin(ended.wait_async());
    let mut leaves = Some(Box::pin(ended.wait_async()));
    assert!(task.poll(runs.as_mut()).is_pending());
    assert!(task.poll(gives_up.as_mut().unwrap().as_mut()).is_pending());
    assert!(task.poll(waits.as_mut()).is_pending());
    assert!(task.poll(leaves.as_mut().unwrap().as_mut()).is_pending());
    match fork() {
        Side::Child => child(|| {
            assert!(parked_on(&ended).is_empty(), "waiters that are not there");
            assert!(task.poll(waits.as_mut()).is_pending());
            leaves = None;
            assert_eq!(parked_on(&ended).len(), 1);
            assert_eq!(block_on(runs), &1);
            assert!(task.poll(waits.as_mut()).is_ready());
            gives_up = None;
            assert_eq!(dropped.set(2), Ok(()));
        }),
        Side::Parent(pid) => reap(pid, "fork beside a task that initialises"),
    }
    assert_eq!((ended.get(), dropped.get(), parked_on(&ended).len()), (None, None, 2));
    assert_eq!(block_on(runs), &1);
    assert_eq!(block_on(waits), &1);
}

#[test]
fn what_another_thread_runs_never_ends_in_the_child() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let _watched = watched_test();
    let lock = OnceLock::new();
    let ((begun, has_begun), (finish, finished)) = (mpsc::channel(), mpsc::channel());
    thread::scope(|scope| {
        let lock = &lock;
        scope.spawn(move || {
            lock.get_or_init(|| {
                begun.send(()).unwrap();
                finished.recv().unwrap();
                Box::new(5)
            });
        });
        has_begun.recv().unwrap();
        match fork() {
            Side::Child => child(|| {
                assert_eq!(lock.get(), None);
                assert_eq!(lock.wait_for(Duration::from_millis(20)), None);
            }),
            Side::Parent(pid) => reap(pid, "fork beside a closure"),
        }
        finish.send(()).unwrap();
        assert_eq!(**lock.wait(), 5);
    });
}
