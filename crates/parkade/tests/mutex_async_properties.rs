//! Random scripts of futures that lock a `Mutex`: polled, left alone, dropped, at any moment. Nobody is in together with another,
//! and no wake is lost: once all that is held is given back and all who were woken are polled, everybody has had the lock.

mod support;

use parkade::{Mutex, MutexGuard, futures::Lock, prelude::*};
use proptest::prelude::*;
use std::{pin::Pin, sync::Arc, task::Poll};
use support::tasks::{Task, wait_for_queue};

const FUTURES: usize = 6;

#[derive(Debug, Clone, Copy)]
enum Step {
    /// Polls a future, or makes one.
    Poll(usize),
    /// The same, with a new waker.
    PollElsewhere(usize),
    /// Drops a future, whatever its state, or the guard it has returned.
    Drop(usize),
    /// A thread takes the lock if it is free, and gives it back.
    Barge,
    /// Tasks that were woken are polled.
    Run,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..FUTURES).prop_map(Step::Poll),
        1 => (0..FUTURES).prop_map(Step::PollElsewhere),
        4 => (0..FUTURES).prop_map(Step::Drop),
        1 => Just(Step::Barge),
        1 => Just(Step::Run),
    ]
}

/// A future and what became of it.
#[derive(Default)]
struct Place<'a> {
    task: Arc<Task>,
    future: Option<Pin<Box<Lock<'a, u32>>>>,
    guard: Option<MutexGuard<'a, u32>>,
}

impl<'a> Place<'a> {
    fn poll(&mut self, lock: &'a Mutex<u32>) {
        if self.guard.is_some() {
            return;
        }
        let future = self.future.get_or_insert_with(|| Box::pin(lock.lock_async()));
        let poll = self.task.poll(future.as_mut());
        if let Poll::Ready(guard) = poll {
            (self.future, self.guard) = (None, Some(guard));
        }
    }

    fn drop_something(&mut self) {
        if self.guard.take().is_none() {
            self.future = None;
        }
    }
}

struct Script<'a> {
    lock: &'a Mutex<u32>,
    places: [Place<'a>; FUTURES],
}

impl Script<'_> {
    fn run(&mut self, step: Step) {
        match step {
            Step::Poll(at) => self.places[at].poll(self.lock),
            Step::PollElsewhere(at) => {
                self.places[at].task = Task::new();
                self.places[at].poll(self.lock);
            }
            Step::Drop(at) => self.places[at].drop_something(),
            Step::Barge => drop(self.lock.try_lock().map(|mut count| *count += 1)),
            Step::Run => self.poll_woken(),
        }
        let held = self.places.iter().filter(|place| place.guard.is_some()).count();
        assert!(held <= 1, "{held} are in");
        assert_eq!(self.lock.is_locked(), held == 1);
    }

    fn poll_woken(&mut self) {
        for place in &mut self.places {
            if place.future.is_some() && place.task.was_woken() {
                place.poll(self.lock);
            }
        }
    }

    /// Those who wait are polled when they are woken, and only then.
    fn finish(&mut self) {
        for _ in 0..2 * FUTURES {
            self.places.iter_mut().for_each(|place| drop(place.guard.take()));
            self.poll_woken();
        }
        for (at, place) in self.places.iter().enumerate() {
            assert!(place.future.is_none(), "future {at} was not woken, and the lock is free");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 512 } else { 4096 }))]

    #[test]
    fn scripts_lose_no_wake(steps in proptest::collection::vec(step(), 1..80)) {
        let lock = Mutex::new(0);
        let mut script = Script { lock: &lock, places: Default::default() };
        steps.into_iter().for_each(|step| script.run(step));
        script.finish();
        // SAFETY: only its address is used.
        wait_for_queue(unsafe { lock.raw() }, 0);
    }
}
