//! Which tasks a look of a semaphore wakes: as many as the permits that came suffice for, no more, in order.

mod support;

use parkade::{AcquireError, Semaphore, SemaphorePermit, SemaphorePolicy, futures::Acquire};
use proptest::{collection::vec, prelude::*};
use std::{pin::Pin, sync::Arc, task::Poll, thread};
use support::tasks::{Task, poll_explosively, wait_for_queue};

struct Waits<'a> {
    task: Arc<Task>,
    future: Pin<Box<Acquire<'a>>>,
    want: usize,
}

impl<'a> Waits<'a> {
    fn new(semaphore: &'a Semaphore, want: usize) -> Waits<'a> {
        Waits { task: Task::new(), future: Box::pin(semaphore.acquire_many_async(want)), want }
    }

    fn queued(semaphore: &'a Semaphore, permits: usize) -> Waits<'a> {
        let mut waits = Waits::new(semaphore, permits);
        assert!(waits.poll().is_none());
        waits
    }

    fn poll(&mut self) -> Option<Result<SemaphorePermit<'a>, AcquireError>> {
        match self.task.poll(self.future.as_mut()) {
            Poll::Ready(ended) => Some(ended),
            Poll::Pending => None,
        }
    }
}

fn woken(tasks: &[Waits<'_>]) -> Vec<bool> {
    tasks.iter().map(|task| task.task.woken() > 0).collect()
}

/// Nobody who holds a permit gives it back: all are polled whenever they are woken.
#[test]
fn barging_permits_that_come_at_once_serve_all_for_whom_they_suffice() {
    let semaphore = Semaphore::with_policy(0, SemaphorePolicy::Barging);
    let mut tasks: Vec<_> = (0..3).map(|_| Waits::queued(&semaphore, 1)).collect();
    semaphore.add_permits(3).unwrap();
    let mut permits = Vec::new();
    for _ in 0..10 {
        for task in &mut tasks {
            if !task.future.is_terminated() && task.task.was_woken() {
                permits.extend(task.poll());
            }
        }
    }
    assert_eq!(
        permits.len(),
        3,
        "{} permits are left, and tasks sleep",
        semaphore.available_permits()
    );
}

#[test]
fn barging_no_task_waits_for_another_to_come_first() {
    let semaphore = Semaphore::with_policy(0, SemaphorePolicy::Barging);
    let mut tasks: Vec<_> = (0..2).map(|_| Waits::queued(&semaphore, 1)).collect();
    semaphore.add_permits(2).unwrap();
    let first = tasks[0].poll().unwrap().unwrap();
    assert!(tasks[1].task.woken() > 0, "a permit is free, and nobody told it");
    drop(first);
}

#[test]
fn fifo_a_release_wakes_only_as_many_as_it_has_brought_permits_for() {
    let semaphore = Semaphore::new(0);
    let tasks: Vec<_> = (0..1000).map(|_| Waits::queued(&semaphore, 1)).collect();
    for _ in 0..100 {
        semaphore.add_permits(1).unwrap();
    }
    let count = woken(&tasks).iter().filter(|woken| **woken).count();
    assert_eq!(count, 100, "tasks were woken for 100 permits");
}

#[test]
fn fifo_tasks_keep_their_order_over_several_releases() {
    let semaphore = Semaphore::new(0);
    let mut tasks: Vec<_> = (0..8).map(|_| Waits::queued(&semaphore, 1)).collect();
    for _ in 0..3 {
        semaphore.add_permits(1).unwrap();
    }
    let mut permits = Vec::new();
    for task in &mut tasks {
        if task.task.was_woken() {
            permits.extend(task.poll());
        }
    }
    assert_eq!(permits.len(), 3);
    for task in &tasks {
        let _ = task.task.was_woken();
    }
    semaphore.add_permits(1).unwrap();
    assert_eq!(woken(&tasks), [false, false, false, true, false, false, false, false]);
}

/// The waker of a task that a thread wakes as it queues.
#[test]
fn a_waker_that_panics_as_a_thread_queues_does_not_end_the_process() {
    let semaphore = Semaphore::new(1);
    let permit = semaphore.acquire().unwrap();
    let first = Waits::queued(&semaphore, 1);
    let mut second = Box::pin(semaphore.acquire_async());
    assert!(poll_explosively(second.as_mut()).is_pending());
    drop(permit);
    assert!(first.task.woken() > 0);
    thread::scope(|scope| {
        let _ = scope.spawn(|| semaphore.acquire().map(drop)).join();
    });
    drop((first, second));
    wait_for_queue(&semaphore, 0);
    assert_eq!(semaphore.available_permits(), 1);
}

#[derive(Debug, Clone, Copy)]
enum Step {
    /// Somebody comes who wants so many.
    Come(usize),
    /// One of those who wait is polled, whether it was woken or not.
    Poll(usize),
    /// One of those who wait is dropped, in whatever state.
    Drop(usize),
    /// One of those who have permits gives back so many at most.
    Release(usize, usize),
    Add(usize),
    Forget(usize),
    /// All are polled that have been woken, until nobody is.
    Settle,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let at = 0..8_usize;
    let step = prop_oneof![
        6 => (1..5_usize).prop_map(Step::Come),
        3 => at.clone().prop_map(Step::Poll),
        2 => at.clone().prop_map(Step::Drop),
        6 => (at, 1..5_usize).prop_map(|(at, permits)| Step::Release(at, permits)),
        1 => (1..4_usize).prop_map(Step::Add),
        1 => (1..3_usize).prop_map(Step::Forget),
        2 => Just(Step::Settle),
    ];
    vec(step, 1..100)
}

#[derive(Default)]
struct World<'a> {
    waiting: Vec<Waits<'a>>,
    held: Vec<SemaphorePermit<'a>>,
}

impl<'a> World<'a> {
    fn poll(&mut self, at: usize) {
        if let Some(permit) = self.waiting[at].poll() {
            self.held.push(permit.unwrap());
            self.waiting.remove(at);
        }
    }

    fn step(&mut self, semaphore: &'a Semaphore, step: Step) {
        match step {
            Step::Come(want) if self.waiting.len() < 8 => {
                self.waiting.push(Waits::new(semaphore, want));
                self.poll(self.waiting.len() - 1);
            }
            Step::Poll(at) if at < self.waiting.len() => self.poll(at),
            Step::Drop(at) if at < self.waiting.len() => drop(self.waiting.remove(at)),
            Step::Release(at, permits) if at < self.held.len() => {
                let has = self.held[at].num_permits();
                drop(self.held[at].split(permits.min(has)));
                if permits >= has {
                    drop(self.held.remove(at));
                }
            }
            Step::Add(permits) => semaphore.add_permits(permits).unwrap(),
            Step::Forget(permits) => {
                semaphore.forget_permits(permits);
            }
            Step::Settle => self.settle(semaphore),
            _ => {}
        }
    }

    /// Afterwards nobody sleeps whose turn it is.
    fn settle(&mut self, semaphore: &Semaphore) {
        while let Some(at) = self.waiting.iter().position(|waits| waits.task.was_woken()) {
            self.poll(at);
        }
        let available = semaphore.available_permits();
        let mut fit = self.waiting.iter().map(|waits| waits.want <= available);
        let sleeps = match semaphore.policy() {
            // The first in line does not fit, whoever that is.
            SemaphorePolicy::Fifo => fit.len() > 0 && fit.all(|fits| fits),
            SemaphorePolicy::Barging => fit.any(|fits| fits),
        };
        assert!(!sleeps, "{available} permits are there, and nobody was told");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 512 } else { 4096 }))]

    /// Those who have permits keep them: no later release makes up for a wake that was lost.
    #[test]
    fn nobody_sleeps_whose_turn_it_is(steps in steps()) {
        for policy in [SemaphorePolicy::Fifo, SemaphorePolicy::Barging] {
            let semaphore = Semaphore::with_policy(3, policy);
            let mut world = World::default();
            for step in &steps {
                world.step(&semaphore, *step);
            }
            world.settle(&semaphore);
        }
    }
}
