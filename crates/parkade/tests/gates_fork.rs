//! Evidence for what [`Barrier`], [`Latch`] and [`WaitGroup`] promise of forks: who waited in the parent is not there, and
//! does not count.
#![cfg(target_os = "linux")]

mod support;

use std::{
    sync::{Mutex as StdMutex, PoisonError},
    thread,
    time::Duration,
};

use parkade::{Barrier, BarrierError, Latch, WaitGroup};
use support::{
    fork::{Side, child, fork, reap},
    parked_on,
    tasks::{Task, block_on},
    wait_for_parked, wait_until, watched_test,
};

/// Fewer threads in the process make more of the forks hit what is tested.
static ONE_AT_A_TIME: StdMutex<()> = StdMutex::new(());

/// Runs `body` in a child, and waits for it.
fn in_child(case: &str, body: impl FnOnce()) {
    match fork() {
        Side::Child => child(body),
        Side::Parent(pid) => reap(pid, case),
    }
}

/// Everybody passes, once, and one leads.
fn meet(barrier: &Barrier) {
    let leaders = thread::scope(|scope| {
        let parties: Vec<_> =
            (0..barrier.parties()).map(|_| scope.spawn(|| barrier.wait())).collect();
        let results = parties.into_iter().map(|party| party.join().unwrap().unwrap());
        results.filter(|result| result.is_leader()).count()
    });
    assert_eq!((leaders, barrier.waiting()), (1, 0));
}

#[test]
fn nobody_has_arrived_in_the_child() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let _watched = watched_test();
    for _ in 0..50 {
        let barrier = Barrier::new(3);
        thread::scope(|scope| {
            let waiting = [(); 2].map(|()| scope.spawn(|| barrier.wait()));
            wait_for_parked(&barrier, 2);
            in_child("fork beside a barrier", || {
                assert_eq!((barrier.waiting(), parked_on(&barrier).len()), (0, 0));
                assert_eq!(barrier.wait_for(Duration::ZERO), Err(BarrierError::TimedOut));
                meet(&barrier);
                meet(&barrier);
                // And so on, from child to child.
                thread::scope(|scope| {
                    let waiting = scope.spawn(|| barrier.wait_for(Duration::from_secs(20)));
                    wait_for_parked(&barrier, 1);
                    in_child("fork in a child", || meet(&barrier));
                    barrier.abort();
                    assert_eq!(waiting.join().unwrap(), Err(BarrierError::Aborted));
                });
                in_child("fork beside an aborted barrier", || {
                    assert_eq!(barrier.wait(), Err(BarrierError::Aborted));
                });
            });
            assert_eq!(barrier.waiting(), 2);
            assert!(barrier.wait().unwrap().is_leader());
            assert!(waiting.into_iter().all(|party| party.join().unwrap().is_ok()));
        });
        meet(&barrier);
    }
}

#[test]
fn a_latch_is_counted_down_on_either_side() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let _watched = watched_test();
    for _ in 0..50 {
        let latch = Latch::new(2);
        thread::scope(|scope| {
            scope.spawn(|| latch.wait());
            wait_for_parked(&latch, 1);
            latch.count_down();
            in_child("fork beside a latch", || {
                assert_eq!(latch.count(), 1);
                assert!(!latch.wait_for(Duration::ZERO));
                thread::scope(|scope| {
                    scope.spawn(|| latch.wait());
                    wait_for_parked(&latch, 1);
                    latch.count_down();
                });
                assert!(latch.is_open());
            });
            // With nobody new in the queue `PARKED` is left over.
            in_child("fork and open", || {
                latch.count_down();
                assert!(latch.is_open());
            });
            assert!(!latch.is_open());
            latch.count_down();
        });
    }
}

#[test]
fn a_group_goes_on_with_the_handles_that_are_dropped() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let _watched = watched_test();
    for _ in 0..20 {
        let group = WaitGroup::new();
        let (mine, another) = (group.clone(), group.clone());
        thread::scope(|scope| {
            scope.spawn(move || group.wait());
            wait_until(|| mine.count() == 2);
            match fork() {
                Side::Child => child(move || {
                    let mine = mine.wait_for(Duration::ZERO).unwrap_err();
                    assert_eq!(another.count(), 2);
                    drop(another);
                    mine.wait();
                }),
                Side::Parent(pid) => reap(pid, "fork beside a group"),
            }
            drop((mine, another));
        });
    }
}

/// A task that waited in the parent arrives in the child when it is polled there; dropped there, it takes nothing back.
#[test]
fn tasks_of_the_parent_count_in_the_child_when_they_are_polled() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let _watched = watched_test();
    let (barrier, latch) = (Barrier::new(3), Latch::new(1));
    let task = Task::new();
    let mut arrived = [(); 2].map(|()| Some(Box::pin(barrier.wait_async())));
    let mut waiting = [(); 2].map(|()| Some(Box::pin(latch.wait_async())));
    for future in arrived.iter_mut().flatten() {
        assert!(task.poll(future.as_mut()).is_pending());
    }
    for future in waiting.iter_mut().flatten() {
        assert!(task.poll(future.as_mut()).is_pending());
    }
    in_child("fork beside tasks", || {
        assert_eq!((barrier.waiting(), parked_on(&barrier).len()), (0, 0));
        let mut anew = Box::pin(barrier.wait_async());
        assert!(task.poll(anew.as_mut()).is_pending());
        arrived[0] = None;
        assert_eq!(barrier.waiting(), 1, "what the parent counts was taken back");
        let mut of_parent = arrived[1].take().unwrap();
        assert!(task.poll(of_parent.as_mut()).is_pending());
        assert_eq!(barrier.waiting(), 2);
        assert!(barrier.wait().unwrap().is_leader());
        assert!(task.poll(anew.as_mut()).is_ready());
        assert!(task.poll(of_parent.as_mut()).is_ready());

        waiting[0] = None;
        let mut of_parent = waiting[1].take().unwrap();
        assert!(task.poll(of_parent.as_mut()).is_pending());
        assert_eq!(parked_on(&latch).len(), 1);
        latch.count_down();
        block_on(of_parent);
    });
    assert_eq!((barrier.waiting(), parked_on(&latch).len()), (2, 2));
    drop(arrived);
    assert_eq!(barrier.waiting(), 0);
}
