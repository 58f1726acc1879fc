//! Tasks that wait for a `Latch`, at a `Barrier` and for a `WaitGroup`: waiting, cancelling, and mixing with threads.

mod support;

use parkade::{
    Barrier, BarrierError, BarrierWaitResult, Latch, WaitGroup,
    futures::{WaitBarrier, WaitLatch, WaitOthers},
};
use static_assertions::{assert_impl_all, assert_not_impl_any, const_assert};
use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, Wake, Waker},
    thread,
};
use support::{
    Rng, parked_on, seed, stress_time,
    tasks::{Task, block_on, poll_a_little},
    wait_for_parked, watched, watched_test,
};

assert_impl_all!(WaitLatch<'static>: Send, Sync);
assert_impl_all!(WaitBarrier<'static>: Send, Sync);
assert_impl_all!(WaitOthers: Send, Sync);
assert_not_impl_any!(WaitLatch<'static>: Unpin);
assert_not_impl_any!(WaitBarrier<'static>: Unpin);
assert_not_impl_any!(WaitOthers: Unpin);
#[cfg(target_pointer_width = "64")]
const_assert!(size_of::<WaitLatch<'static>>() <= 128);
#[cfg(target_pointer_width = "64")]
const_assert!(size_of::<WaitBarrier<'static>>() <= 128);
#[cfg(target_pointer_width = "64")]
const_assert!(size_of::<WaitOthers>() <= 128);
const_assert!(size_of::<Latch>() == 4 && size_of::<Barrier>() == 12);

/// A future that is polled by a task of its own.
struct Waits<F> {
    task: Arc<Task>,
    future: Pin<Box<F>>,
}

impl<F: Future> Waits<F> {
    fn new(future: F) -> Waits<F> {
        Waits { task: Task::new(), future: Box::pin(future) }
    }

    /// Polled once, in vain.
    fn queued(future: F) -> Waits<F> {
        let mut waits = Waits::new(future);
        assert!(waits.poll().is_none());
        waits
    }

    fn poll(&mut self) -> Option<F::Output> {
        match self.task.poll(self.future.as_mut()) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        }
    }

    fn woken(&self) -> bool {
        self.task.woken() > 0
    }
}

/// A task that panics when it is woken.
struct Explosive;

impl Wake for Explosive {
    fn wake(self: Arc<Self>) {
        panic!("a waker");
    }
}

/// Polls it once, in vain, with a waker that panics.
fn poll_explosively<F: Future>(waits: &mut Waits<F>) {
    let waker = Waker::from(Arc::new(Explosive));
    assert!(waits.future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
}

fn panics(action: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(action)).is_err()
}

fn leads(ended: Result<BarrierWaitResult, BarrierError>) -> bool {
    ended.expect("not aborted").is_leader()
}

#[test]
fn an_open_latch_lets_a_task_through_at_once() {
    let latch = Latch::new(0);
    let mut waits = Waits::new(latch.wait_async());
    assert!(!waits.future.is_terminated());
    assert!(waits.poll().is_some() && waits.future.is_terminated());
    assert!(panics(|| _ = waits.poll()), "polled after it was ready");
}

#[test]
fn the_last_count_wakes_tasks_and_threads() {
    let _watched = watched_test();
    let latch = Latch::new(2);
    thread::scope(|scope| {
        let mut tasks = [(); 3].map(|()| Waits::queued(latch.wait_async()));
        scope.spawn(|| latch.wait());
        wait_for_parked(&latch, 4);
        latch.count_down();
        assert!(tasks.iter().all(|task| !task.woken()), "woken for nothing");
        latch.count_down();
        for task in &mut tasks {
            assert!(task.woken() && task.poll().is_some());
        }
    });
}

#[test]
fn a_task_that_is_polled_for_another_reason_waits_on() {
    let latch = Latch::new(1);
    let mut waits = Waits::queued(latch.wait_async());
    let old = std::mem::replace(&mut waits.task, Task::new());
    assert!(waits.poll().is_none());
    assert_eq!(parked_on(&latch).len(), 1);
    latch.count_down();
    assert!(waits.woken() && old.woken() == 0, "not the waker of the last poll");
}

#[test]
fn dropping_a_task_in_the_queue_of_a_latch_lets_the_others_be() {
    let latch = Latch::new(1);
    let (first, mut second) =
        (Waits::queued(latch.wait_async()), Waits::queued(latch.wait_async()));
    drop(first);
    assert_eq!(parked_on(&latch).len(), 1);
    latch.count_down();
    assert!(second.woken() && second.poll().is_some());
}

#[test]
fn nothing_is_lost_with_a_task_that_is_dropped_when_it_was_woken() {
    let latch = Latch::new(1);
    let (first, mut second) =
        (Waits::queued(latch.wait_async()), Waits::queued(latch.wait_async()));
    latch.count_down();
    drop(first);
    assert!(second.woken() && second.poll().is_some());
}

#[test]
fn a_waker_that_panics_does_so_when_all_were_woken() {
    let latch = Latch::new(1);
    let mut explosive = Waits::new(latch.wait_async());
    poll_explosively(&mut explosive);
    let mut second = Waits::queued(latch.wait_async());
    assert!(panics(|| latch.count_down()));
    assert!(latch.is_open() && second.woken());
    assert!(second.poll().is_some() && explosive.poll().is_some());
}

#[test]
fn one_party_that_is_a_task_leads_at_once() {
    let barrier = Barrier::new(1);
    let mut waits = Waits::new(barrier.wait_async());
    assert!(!waits.future.is_terminated());
    assert!(leads(waits.poll().unwrap()) && waits.future.is_terminated());
    assert!(panics(|| _ = waits.poll()), "polled after it was ready");
}

#[test]
fn a_task_arrives_with_its_first_poll() {
    let barrier = Barrier::new(2);
    let mut waits = Waits::new(barrier.wait_async());
    assert_eq!(barrier.waiting(), 0);
    assert!(waits.poll().is_none());
    assert_eq!(barrier.waiting(), 1);
    assert!(waits.poll().is_none());
    assert_eq!(barrier.waiting(), 1, "has arrived twice");
}

#[test]
fn tasks_and_threads_meet_and_one_leads() {
    let _watched = watched_test();
    let barrier = Barrier::new(4);
    for _ in 0..3 {
        thread::scope(|scope| {
            let mut tasks = [(); 2].map(|()| Waits::queued(barrier.wait_async()));
            let thread = scope.spawn(|| barrier.wait());
            wait_for_parked(&barrier, 3);
            // A thread, and the next time a task, completes it.
            assert!(leads(barrier.wait()));
            assert!(!leads(thread.join().unwrap()));
            for task in &mut tasks {
                assert!(task.woken() && !leads(task.poll().unwrap()));
            }
            let threads = [(); 3].map(|()| scope.spawn(|| barrier.wait()));
            wait_for_parked(&barrier, 3);
            assert!(leads(Waits::new(barrier.wait_async()).poll().unwrap()));
            assert!(threads.into_iter().all(|thread| !leads(thread.join().unwrap())));
        });
        assert_eq!(barrier.waiting(), 0);
    }
}

#[test]
fn a_party_that_is_dropped_while_it_waits_takes_its_arrival_back() {
    let barrier = Barrier::new(3);
    let mut first = Waits::queued(barrier.wait_async());
    let second = Waits::queued(barrier.wait_async());
    assert_eq!(barrier.waiting(), 2);
    drop(second);
    assert_eq!(barrier.waiting(), 1);
    let mut third = Waits::queued(barrier.wait_async());
    assert!(!first.woken(), "goes on without the one that was dropped");
    assert!(leads(block_on(barrier.wait_async())));
    assert!(!leads(first.poll().unwrap()) && !leads(third.poll().unwrap()));
}

#[test]
fn a_party_that_is_dropped_when_all_have_arrived_changes_nothing() {
    let barrier = Barrier::new(2);
    let first = Waits::queued(barrier.wait_async());
    assert!(leads(block_on(barrier.wait_async())));
    let next = Waits::queued(barrier.wait_async());
    drop(first);
    assert_eq!(barrier.waiting(), 1, "has taken another's arrival back");
    drop(next);
    assert_eq!(barrier.waiting(), 0);
}

#[test]
fn nobody_waits_for_a_task_to_be_polled() {
    let _watched = watched_test();
    let barrier = Barrier::new(2);
    let mut unpolled = Waits::queued(barrier.wait_async());
    assert!(leads(barrier.wait()));
    // The next generation begins and ends before it is polled.
    let mut next = Waits::queued(barrier.wait_async());
    assert!(leads(barrier.wait()));
    assert!(!leads(next.poll().unwrap()));
    assert!(!leads(unpolled.poll().unwrap()));
}

#[test]
fn aborting_tells_tasks_too() {
    let barrier = Barrier::new(2);
    let mut waiting = Waits::queued(barrier.wait_async());
    barrier.abort();
    assert!(waiting.woken());
    assert_eq!(waiting.poll(), Some(Err(BarrierError::Aborted)));
    assert_eq!(block_on(barrier.wait_async()), Err(BarrierError::Aborted));
}

#[test]
fn a_party_that_passed_has_passed_although_the_barrier_was_aborted_since() {
    let barrier = Barrier::new(2);
    let mut first = Waits::queued(barrier.wait_async());
    assert!(leads(barrier.wait()));
    barrier.abort();
    assert!(!leads(first.poll().unwrap()));
}

#[test]
fn a_waker_that_panics_lets_its_generation_pass() {
    let barrier = Barrier::new(3);
    let mut explosive = Waits::new(barrier.wait_async());
    poll_explosively(&mut explosive);
    let mut second = Waits::queued(barrier.wait_async());
    assert!(panics(|| _ = barrier.wait()));
    assert!(second.woken() && barrier.waiting() == 0 && !barrier.is_aborted());
    assert!(!leads(second.poll().unwrap()) && !leads(explosive.poll().unwrap()));
}

#[test]
fn the_last_member_of_a_group_is_waited_for() {
    let group = WaitGroup::new();
    let (first, second) = (group.clone(), group.clone());
    let mut waits = Waits::queued(group.wait_async());
    drop(first);
    assert!(!waits.woken() && !waits.future.is_terminated());
    drop(second);
    assert!(waits.woken() && waits.poll().is_some() && waits.future.is_terminated());
}

#[test]
fn who_waits_for_a_group_is_no_member_polled_or_not() {
    let _watched = watched_test();
    let group = WaitGroup::new();
    let never_polled = group.clone().wait_async();
    let mut polled_once = Waits::new(group.clone().wait_async());
    let member = group.clone();
    assert_eq!(group.count(), 2);
    assert!(polled_once.poll().is_none());
    drop(member);
    group.wait();
    assert!(polled_once.poll().is_some());
    block_on(never_polled);
}

#[test]
fn dropping_who_waits_for_a_group_changes_nothing() {
    let group = WaitGroup::new();
    let member = group.clone();
    let dropped = Waits::queued(group.clone().wait_async());
    let mut waits = Waits::queued(group.wait_async());
    assert_eq!(member.count(), 1);
    drop(dropped);
    assert_eq!(member.count(), 1);
    drop(member);
    assert!(waits.woken() && waits.poll().is_some());
}

#[test]
fn the_future_of_a_group_keeps_its_memory() {
    let group = WaitGroup::new();
    let member = group.clone();
    let mut waits = Waits::queued(group.wait_async());
    thread::spawn(move || drop(member)).join().unwrap();
    assert!(waits.poll().is_some());
    drop(waits);
}

/// Parties that come and go as threads and tasks, some of them only for a while: whoever is told that all have
/// arrived has been one of as many as there are parties.
#[test]
fn generations_are_whole() {
    let seed = seed();
    let barrier = Barrier::new(3);
    let (passed, led, dropped) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let count = |ended: Result<BarrierWaitResult, BarrierError>| match ended {
        Ok(ended) => {
            passed.fetch_add(1, Relaxed);
            led.fetch_add(usize::from(ended.is_leader()), Relaxed);
        }
        Err(error) => assert_ne!(error, BarrierError::TimedOut),
    };
    let end = std::time::Instant::now() + stress_time();
    thread::scope(|scope| {
        for id in 0..6 {
            let (progress, watchdog) = watched(format!("generations, seed {seed}"));
            let (barrier, count, dropped) = (&barrier, &count, &dropped);
            let mut rng = Rng::new(seed ^ id << 32);
            scope.spawn(move || {
                let _watchdog = watchdog;
                while std::time::Instant::now() < end && !barrier.is_aborted() {
                    match id % 3 {
                        0 => count(barrier.wait()),
                        1 => count(block_on(barrier.wait_async())),
                        _ => match poll_a_little(barrier.wait_async(), rng.below(4) as usize) {
                            Some(ended) => count(ended),
                            None => _ = dropped.fetch_add(1, Relaxed),
                        },
                    }
                    progress.step();
                }
                // Those who are still waiting are too few by now.
                barrier.abort();
            });
        }
    });
    let (passed, led, dropped) = (passed.into_inner(), led.into_inner(), dropped.into_inner());
    assert_eq!(parked_on(&barrier).len(), 0);
    // Who was dropped may have been let go with its generation, and does not know.
    assert!(passed <= 3 * led && 3 * led <= passed + dropped, "{passed} passed, {led} led");
}

#[test]
fn latches_and_groups_are_waited_for_by_all() {
    let (progress, _watchdog) = watched("latches and groups");
    let mut rng = Rng::new(seed());
    let end = std::time::Instant::now() + stress_time();
    while std::time::Instant::now() < end {
        let (latch, group) = (Latch::new(2), WaitGroup::new());
        let members = [group.clone(), group.clone()];
        let polls = rng.below(4) as usize;
        thread::scope(|scope| {
            let (latch, other) = (&latch, group.clone());
            scope.spawn(move || {
                latch.wait();
                other.wait();
            });
            let other = group.clone();
            scope.spawn(move || {
                block_on(latch.wait_async());
                block_on(other.wait_async());
            });
            let other = group.clone();
            scope.spawn(move || {
                poll_a_little(latch.wait_async(), polls);
                poll_a_little(other.wait_async(), polls);
            });
            drop(group);
            for member in members {
                scope.spawn(move || {
                    latch.count_down();
                    drop(member);
                });
            }
        });
        assert!(latch.is_open());
        progress.step();
    }
}
