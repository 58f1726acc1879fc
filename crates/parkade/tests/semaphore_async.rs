//! Tasks that wait for permits: both policies, cancelling, closing, and what becomes of permits that a task was woken for.

mod support;

use parkade::{
    AcquireError, Semaphore, SemaphorePermit, SemaphorePolicy,
    futures::{Acquire, AcquireOwned},
};
use proptest::prelude::*;
use static_assertions::{assert_impl_all, assert_not_impl_any, const_assert};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::Poll,
    thread,
    time::Instant,
};
use support::{
    seed, stress_time,
    tasks::{Task, block_on, poll_a_little, poll_explosively, wait_for_queue},
    watched_test,
};

assert_impl_all!(Acquire<'static>: Send, Sync);
assert_impl_all!(AcquireOwned: Send, Sync);
assert_not_impl_any!(Acquire<'static>: Unpin);
assert_not_impl_any!(AcquireOwned: Unpin);
#[cfg(target_pointer_width = "64")]
const_assert!(size_of::<Acquire<'static>>() <= 128);
#[cfg(target_pointer_width = "64")]
const_assert!(size_of::<AcquireOwned>() <= 128);
const_assert!(size_of::<Semaphore>() == size_of::<usize>());

const POLICIES: [SemaphorePolicy; 2] = [SemaphorePolicy::Fifo, SemaphorePolicy::Barging];

struct Waits<'a> {
    task: Arc<Task>,
    future: Pin<Box<Acquire<'a>>>,
}

impl<'a> Waits<'a> {
    fn queued(semaphore: &'a Semaphore, permits: usize) -> Waits<'a> {
        let future = Box::pin(semaphore.acquire_many_async(permits));
        let mut waits = Waits { task: Task::new(), future };
        assert!(waits.poll().is_none());
        waits
    }

    fn poll(&mut self) -> Option<Result<SemaphorePermit<'a>, AcquireError>> {
        match self.task.poll(self.future.as_mut()) {
            Poll::Ready(ended) => Some(ended),
            Poll::Pending => None,
        }
    }

    fn woken(&self) -> bool {
        self.task.woken() > 0
    }
}

#[test]
fn permits_that_are_there_are_taken_by_the_first_poll() {
    for policy in POLICIES {
        let semaphore = Semaphore::with_policy(3, policy);
        let permit = block_on(semaphore.acquire_many_async(2)).unwrap();
        assert_eq!((permit.num_permits(), semaphore.available_permits()), (2, 1));
        let none = block_on(semaphore.acquire_many_async(0)).unwrap();
        assert_eq!(none.num_permits(), 0);
        let too_many = block_on(semaphore.acquire_many_async(usize::MAX)).unwrap_err();
        assert_eq!(too_many, semaphore.acquire_many(usize::MAX).unwrap_err());
    }
}

#[test]
fn a_task_that_is_woken_has_no_permits_until_it_is_polled() {
    for policy in POLICIES {
        let semaphore = Semaphore::with_policy(1, policy);
        let permit = semaphore.acquire().unwrap();
        let mut task = Waits::queued(&semaphore, 1);
        drop(permit);
        assert!(task.woken());
        assert_eq!(semaphore.available_permits(), 1);
        let newcomer = semaphore.try_acquire().expect("nobody is queued");
        assert!(task.poll().is_none());
        drop(newcomer);
        assert!(task.poll().unwrap().is_ok());
    }
}

#[test]
fn tasks_are_served_in_their_order_and_a_large_request_is_not_overtaken() {
    let semaphore = Semaphore::new(3);
    let held = semaphore.acquire_many(3).unwrap();
    let (mut large, mut small) = (Waits::queued(&semaphore, 3), Waits::queued(&semaphore, 1));
    drop(held);
    assert!(large.woken() && !small.woken());
    let permit = large.poll().unwrap().unwrap();
    assert!(small.poll().is_none());
    drop(permit);
    assert!(small.woken());
    assert!(small.poll().unwrap().is_ok());
}

#[test]
fn a_release_wakes_as_many_tasks_as_it_suffices_for() {
    let semaphore = Semaphore::new(0);
    let mut tasks: Vec<_> = (0..4).map(|_| Waits::queued(&semaphore, 2)).collect();
    semaphore.add_permits(5).unwrap();
    assert_eq!(tasks.iter().filter(|task| task.woken()).count(), 2);
    let permits: Vec<_> = tasks[..2].iter_mut().map(|task| task.poll().unwrap().unwrap()).collect();
    assert!(tasks[2].poll().is_none());
    drop(permits);
    assert!(tasks[2].woken() && tasks[3].woken());
}

#[test]
fn a_task_that_has_taken_its_permits_leaves_the_rest_to_the_next() {
    for policy in POLICIES {
        let semaphore = Semaphore::with_policy(0, policy);
        let mut tasks = [1, 1, 1].map(|want| Waits::queued(&semaphore, want));
        semaphore.add_permits(3).unwrap();
        let mut permits = Vec::new();
        for task in &mut tasks {
            assert!(task.woken(), "{policy:?}: {} are there", semaphore.available_permits());
            permits.push(task.poll().unwrap().unwrap());
        }
    }
}

#[test]
fn a_task_that_was_overtaken_leaves_what_is_too_little_for_it_to_the_next() {
    let semaphore = Semaphore::with_policy(0, SemaphorePolicy::Barging);
    let (mut large, mut small) = (Waits::queued(&semaphore, 2), Waits::queued(&semaphore, 1));
    semaphore.add_permits(2).unwrap();
    let newcomer = semaphore.try_acquire().unwrap();
    assert!(large.woken() && !small.woken());
    assert!(large.poll().is_none());
    assert!(small.woken());
    drop((small.poll().unwrap().unwrap(), newcomer));
    assert!(large.poll().unwrap().is_ok());
}

#[test]
fn a_dropped_task_leaves_its_turn_to_the_next() {
    for policy in POLICIES {
        let semaphore = Semaphore::with_policy(0, policy);
        // In the queue: who wants less stands behind who wants more.
        semaphore.add_permits(1).unwrap();
        let (large, small) = (Waits::queued(&semaphore, 2), Task::new());
        let mut small_future = Box::pin(semaphore.acquire_async());
        let first = small.poll(small_future.as_mut());
        drop(large);
        let permit = match first {
            Poll::Ready(permit) => permit.unwrap(),
            Poll::Pending => {
                assert!(small.was_woken());
                let Poll::Ready(permit) = small.poll(small_future.as_mut()) else {
                    panic!("woken in vain");
                };
                permit.unwrap()
            }
        };
        // With a wake.
        let (first, mut second) = (Waits::queued(&semaphore, 1), Waits::queued(&semaphore, 1));
        drop(permit);
        assert!(first.woken() && !second.woken());
        drop(first);
        assert!(second.woken());
        assert!(second.poll().unwrap().is_ok());
    }
}

#[test]
fn closing_ends_the_waits_of_tasks() {
    for policy in POLICIES {
        let semaphore = Semaphore::with_policy(0, policy);
        let (mut task, dropped) = (Waits::queued(&semaphore, 1), Waits::queued(&semaphore, 1));
        semaphore.close();
        assert!(task.woken());
        drop(dropped);
        assert_eq!(task.poll().unwrap().unwrap_err(), AcquireError::Closed);
        assert_eq!(block_on(semaphore.acquire_async()).unwrap_err(), AcquireError::Closed);
    }
}

#[test]
fn a_thread_does_not_wait_for_a_task_that_is_not_polled() {
    for policy in POLICIES {
        let _watchdog = watched_test();
        let semaphore = Semaphore::with_policy(1, policy);
        let permit = semaphore.acquire().unwrap();
        let mut unpolled: Vec<_> = (0..4).map(|_| Waits::queued(&semaphore, 1)).collect();
        thread::scope(|scope| {
            let thread = scope.spawn(|| drop(semaphore.acquire().unwrap()));
            wait_for_queue(&semaphore, 5);
            drop(permit);
            thread.join().unwrap();
        });
        assert!(unpolled[0].woken());
        assert!(unpolled[0].poll().unwrap().is_ok());
    }
}

#[test]
fn a_thread_that_comes_later_does_not_wait_for_tasks_that_are_not_polled() {
    for policy in POLICIES {
        let _watchdog = watched_test();
        let semaphore = Semaphore::with_policy(1, policy);
        let permit = semaphore.acquire().unwrap();
        let unpolled = [Waits::queued(&semaphore, 1), Waits::queued(&semaphore, 1)];
        drop(permit);
        assert!(unpolled[0].woken() && !unpolled[1].woken());
        drop(semaphore.acquire().unwrap());
    }
}

#[test]
fn a_task_may_ask_again_while_an_older_future_of_its_own_waits() {
    for policy in POLICIES {
        let semaphore = Semaphore::with_policy(1, policy);
        let permit = semaphore.acquire().unwrap();
        let (left_alone, mut other) = (Waits::queued(&semaphore, 1), Waits::queued(&semaphore, 1));
        drop(permit);
        assert!(left_alone.woken() && !other.woken());
        // The task is polled because of the one, and polls the other.
        let permit = other.poll().or_else(|| {
            assert!(other.woken(), "a future that nobody polls keeps the permit");
            other.poll()
        });
        assert!(permit.unwrap().is_ok());
    }
}

#[test]
fn a_task_that_queues_behind_others_that_are_not_polled_has_them_woken() {
    let semaphore = Semaphore::new(1);
    let permit = semaphore.acquire().unwrap();
    let unpolled = [Waits::queued(&semaphore, 1), Waits::queued(&semaphore, 1)];
    drop(permit);
    assert!(unpolled[0].woken() && !unpolled[1].woken());
    // They may all be parts of one task: that polls again what it awaits.
    let mut other = Waits::queued(&semaphore, 1);
    assert!(unpolled[1].woken());
    assert!(other.poll().is_none() && other.woken());
    assert!(other.poll().unwrap().is_ok());
}

#[test]
fn who_wants_little_does_not_overtake_a_task_that_wants_more() {
    let semaphore = Semaphore::new(0);
    let mut tasks = [2, 2, 1].map(|want| Waits::queued(&semaphore, want));
    semaphore.add_permits(3).unwrap();
    assert_eq!(tasks.each_ref().map(Waits::woken), [true, false, false]);
    let first = tasks[0].poll().unwrap().unwrap();
    assert!(tasks[2].poll().is_none(), "it has overtaken");
    drop(first);
    assert_eq!(tasks.each_ref().map(Waits::woken), [true, true, true]);
}

#[test]
fn a_task_is_not_woken_past_the_thread_before_it() {
    let _watchdog = watched_test();
    let semaphore = Semaphore::new(0);
    let mut first = Waits::queued(&semaphore, 1);
    thread::scope(|scope| {
        let thread = scope.spawn(|| semaphore.acquire_many(2).unwrap().forget());
        wait_for_queue(&semaphore, 2);
        let mut last = Waits::queued(&semaphore, 1);
        semaphore.add_permits(2).unwrap();
        thread.join().unwrap();
        assert!(!last.woken(), "it was to compete with a thread that came before it");
        assert!(first.poll().is_none());
        semaphore.add_permits(2).unwrap();
        assert!(last.woken());
        assert!(first.poll().unwrap().is_ok() && last.poll().unwrap().is_ok());
    });
}

/// A task that is queued and panics when it is woken.
fn explosive(semaphore: &Semaphore, permits: usize) -> Pin<Box<Acquire<'_>>> {
    let mut future = Box::pin(semaphore.acquire_many_async(permits));
    assert!(poll_explosively(future.as_mut()).is_pending());
    future
}

fn panics(run: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(run)).is_err()
}

#[test]
fn a_waker_that_panics_does_so_in_the_release_and_costs_no_permits() {
    for policy in POLICIES {
        let semaphore = Semaphore::with_policy(2, policy);
        let permit = semaphore.acquire_many(2).unwrap();
        let (future, mut next) = (explosive(&semaphore, 1), Waits::queued(&semaphore, 2));
        assert!(panics(|| drop(permit)));
        assert_eq!(semaphore.available_permits(), 2);
        drop(future);
        let permit = next.poll().expect("it was first").unwrap();

        // A task that is told of the end.
        let _told = (explosive(&semaphore, 1), Waits::queued(&semaphore, 1));
        assert!(panics(|| semaphore.close()));
        assert!(_told.1.woken());
        drop(permit);
        assert_eq!(semaphore.available_permits(), 2);
    }
}

#[test]
fn a_thread_whose_acquiring_wakes_a_task_that_panics_has_no_permits() {
    let _watchdog = watched_test();
    for policy in POLICIES {
        let semaphore = Semaphore::with_policy(0, policy);
        thread::scope(|scope| {
            // The thread competes, because a task was before it, and wakes the next.
            let first = Waits::queued(&semaphore, 1);
            let thread = scope.spawn(|| panics(|| semaphore.acquire().unwrap().forget()));
            wait_for_queue(&semaphore, 2);
            let last = explosive(&semaphore, 1);
            semaphore.add_permits(2).unwrap();
            assert!(thread.join().unwrap());
            assert_eq!(semaphore.available_permits(), 2, "it has taken its permit with it");
            drop((first, last));
        });
    }
}

#[test]
fn threads_and_tasks_share_permits() {
    let _watchdog = watched_test();
    let seed = seed();
    for policy in POLICIES {
        let semaphore = Arc::new(Semaphore::with_policy(3, policy));
        let inside = AtomicUsize::new(0);
        let section = |permit: SemaphorePermit<'_>| {
            let permits = permit.num_permits();
            assert!(inside.fetch_add(permits, Relaxed) + permits <= 3, "too many are in");
            inside.fetch_sub(permits, Relaxed);
        };
        let end = Instant::now() + stress_time() / 2;
        thread::scope(|scope| {
            for id in 0..6_u64 {
                let (semaphore, section) = (&semaphore, &section);
                scope.spawn(move || {
                    let mut random = seed ^ id;
                    while Instant::now() < end {
                        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        let (polls, permits) = ((random >> 60) as usize, 1 + random as usize % 3);
                        match id % 3 {
                            0 => section(semaphore.acquire_many(permits).unwrap()),
                            1 => section(block_on(semaphore.acquire_many_async(permits)).unwrap()),
                            _ => {
                                let future = semaphore.acquire_many_async(permits);
                                let _ =
                                    poll_a_little(future, polls).map(|got| section(got.unwrap()));
                            }
                        }
                    }
                });
            }
        });
        wait_for_queue(&*semaphore, 0);
        assert_eq!(semaphore.available_permits(), 3);
    }
}

const FUTURES: usize = 5;
const PERMITS: usize = 3;

#[derive(Debug, Clone, Copy)]
enum Step {
    /// Polls a future, or makes one that wants so many.
    Poll(usize, usize),
    /// Drops a future, whatever its state, or its permits.
    Drop(usize),
    Barge(usize),
    Run,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..FUTURES, 1..=PERMITS).prop_map(|(at, want)| Step::Poll(at, want)),
        4 => (0..FUTURES).prop_map(Step::Drop),
        1 => (1..=PERMITS).prop_map(Step::Barge),
        1 => Just(Step::Run),
    ]
}

#[derive(Default)]
struct Place<'a> {
    task: Arc<Task>,
    future: Option<Pin<Box<Acquire<'a>>>>,
    permit: Option<SemaphorePermit<'a>>,
    /// When the future was made, and whether it has been woken since.
    turn: usize,
    was_woken: bool,
}

impl<'a> Place<'a> {
    /// Whether it has permits by that.
    fn poll(&mut self, semaphore: &'a Semaphore, want: usize, turn: usize) -> bool {
        if self.permit.is_some() {
            return false;
        }
        if self.future.is_none() {
            self.future = Some(Box::pin(semaphore.acquire_many_async(want)));
            (self.turn, self.was_woken) = (turn, false);
            self.task = Task::new();
        }
        self.was_woken |= self.task.was_woken();
        let poll = self.task.poll(self.future.as_mut().unwrap().as_mut());
        if let Poll::Ready(permit) = poll {
            (self.future, self.permit) = (None, Some(permit.unwrap()));
        }
        self.permit.is_some()
    }

    /// Waits, came before `turn`, and was never told to come.
    fn is_overtaken(&self, turn: usize) -> bool {
        self.future.is_some() && self.turn < turn && !self.was_woken && self.task.woken() == 0
    }
}

/// Polls one; first come, first served, it overtakes nobody.
fn poll_one<'a>(
    places: &mut [Place<'a>; FUTURES],
    semaphore: &'a Semaphore,
    (at, want, turn): (usize, usize, usize),
) {
    let overtakes = places[at].poll(semaphore, want, turn)
        && semaphore.policy() == SemaphorePolicy::Fifo
        && places.iter().any(|other| other.is_overtaken(places[at].turn));
    assert!(!overtakes, "future {at} has overtaken another");
}

fn poll_woken<'a>(places: &mut [Place<'a>; FUTURES], semaphore: &'a Semaphore) {
    for at in 0..FUTURES {
        if places[at].future.is_some() && places[at].task.woken() > 0 {
            poll_one(places, semaphore, (at, 1, 0));
        }
    }
}

/// Permits are conserved, nobody is overtaken, and no wake is lost: when all have been given back and whoever was woken is polled, all have been served.
fn scripts(semaphore: &Semaphore, steps: &[Step]) {
    let mut places: [Place<'_>; FUTURES] = Default::default();
    for (turn, step) in steps.iter().enumerate() {
        match *step {
            Step::Poll(at, want) => poll_one(&mut places, semaphore, (at, want, turn)),
            Step::Drop(at) => {
                if places[at].permit.take().is_none() {
                    places[at].future = None;
                }
            }
            Step::Barge(want) => drop(semaphore.try_acquire_many(want)),
            Step::Run => poll_woken(&mut places, semaphore),
        }
        let held: usize =
            places.iter().flat_map(|place| &place.permit).map(SemaphorePermit::num_permits).sum();
        assert_eq!(held + semaphore.available_permits(), PERMITS);
    }
    for _ in 0..2 * FUTURES {
        places.iter_mut().for_each(|place| drop(place.permit.take()));
        poll_woken(&mut places, semaphore);
    }
    for (at, place) in places.iter().enumerate() {
        assert!(place.future.is_none(), "future {at} was not woken, and all permits are there");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 512 } else { 4096 }))]

    #[test]
    fn scripts_conserve_permits_and_lose_no_wake(steps in proptest::collection::vec(step(), 1..80)) {
        for policy in POLICIES {
            scripts(&Semaphore::with_policy(PERMITS, policy), &steps);
        }
    }
}
