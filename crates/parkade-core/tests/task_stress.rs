//! Evidence that a lock can be built on tasks that wait, in a few lines, and that no wake is lost and none invented:
//! a semaphore for threads and tasks, under a futures executor that knows nothing of it. Every permit is accounted for
//! after tasks have been dropped in every state, and have been polled by other threads than before.

use futures::{
    executor::{LocalPool, block_on},
    future::join_all,
    task::LocalSpawnExt,
};
use parkade_core::{
    Cancelled, DEFAULT_UNPARK_TOKEN, ParkRequest, TaskWaiter, park_with, snapshot_of, unpark_one,
};
use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::atomic::{
        AtomicUsize,
        Ordering::{Relaxed, SeqCst},
    },
    task::{Context, Poll, Waker},
    thread,
    time::SystemTime,
};

/// First come, first served, threads and tasks: who is unparked has been given a permit.
struct Semaphore {
    permits: AtomicUsize,
}

impl Semaphore {
    fn request(&self) -> ParkRequest {
        ParkRequest::new((&raw const self.permits).addr())
    }

    /// Takes a permit; `true` if there is none. Under the queue lock, as every change of the word.
    fn must_wait(&self) -> bool {
        let permits = self.permits.load(Relaxed);
        self.permits.store(permits.saturating_sub(1), Relaxed);
        permits == 0
    }

    fn release(&self) {
        let key = (&raw const self.permits).addr();
        // SAFETY: the key is our own address; the callback only touches our word.
        unsafe {
            unpark_one(key, |result| {
                let kept = usize::from(result.unparked_threads + result.unparked_tasks == 0);
                self.permits.store(self.permits.load(Relaxed) + kept, Relaxed);
                DEFAULT_UNPARK_TOKEN
            })
        };
    }

    fn acquire_blocking(&self) {
        // SAFETY: the key is our own address; the callbacks only touch our word.
        unsafe { park_with(self.request(), || self.must_wait(), || {}, |_| {}) };
    }

    fn acquire(&self) -> Acquire<'_> {
        Acquire { semaphore: self, waiter: TaskWaiter::new() }
    }
}

struct Acquire<'a> {
    semaphore: &'a Semaphore,
    waiter: TaskWaiter,
}

impl Acquire<'_> {
    fn waiter(self: Pin<&Self>) -> Pin<&TaskWaiter> {
        // SAFETY: pinned with the future.
        unsafe { self.map_unchecked(|this| &this.waiter) }
    }
}

impl Future for Acquire<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let (this, semaphore) = (self.as_ref(), self.semaphore);
        let must_wait = || semaphore.must_wait();
        // SAFETY: the key is the semaphore's address; the callback only touches its word; `self` is exclusive.
        let polled = unsafe { this.waiter().poll_park(cx, semaphore.request(), must_wait, || {}) };
        polled.map(|_| ())
    }
}

impl Drop for Acquire<'_> {
    fn drop(&mut self) {
        // SAFETY: not moved from here.
        let this = unsafe { Pin::new_unchecked(&*self) };
        // SAFETY: the callback does nothing; `self` is exclusive.
        if let Cancelled::Unparked(_) = unsafe { this.waiter().cancel(|_| {}) } {
            self.semaphore.release();
        }
    }
}

const _: () = assert!(size_of::<Acquire<'_>>() <= 128);

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % limit
    }
}

/// The seed of this run: `PARKADE_SEED`, or the clock. Printed, so that a failure can be repeated.
fn seed() -> u64 {
    let clock = || SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    let seed = std::env::var("PARKADE_SEED").map_or_else(|_| clock(), |seed| seed.parse().unwrap());
    println!("PARKADE_SEED={seed}");
    seed
}

/// Lets the others of this executor run.
async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Acquires, or gives up after so many polls; `true` if acquired.
async fn acquire_within(semaphore: &Semaphore, mut polls: u64) -> bool {
    let mut acquire = std::pin::pin!(semaphore.acquire());
    poll_fn(|cx| {
        if acquire.as_mut().poll(cx).is_ready() {
            return Poll::Ready(true);
        }
        if polls == 0 {
            return Poll::Ready(false);
        }
        polls -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

const PERMITS: usize = 3;

/// What happens with a permit, in numbers.
struct Tally {
    semaphore: Semaphore,
    inside: AtomicUsize,
    acquired: AtomicUsize,
}

impl Tally {
    fn enter(&self) {
        assert!(self.inside.fetch_add(1, SeqCst) < PERMITS, "more inside than permits");
        self.acquired.fetch_add(1, SeqCst);
    }

    fn leave(&self) {
        self.inside.fetch_sub(1, SeqCst);
        self.semaphore.release();
    }

    async fn task(&self, mut random: Random, rounds: usize) -> usize {
        let mut acquired = 0;
        for _ in 0..rounds {
            let got = match random.below(3) {
                0 => acquire_within(&self.semaphore, random.below(6)).await,
                _ => {
                    self.semaphore.acquire().await;
                    true
                }
            };
            if got {
                acquired += 1;
                self.enter();
                if random.below(2) == 0 {
                    yield_now().await;
                }
                self.leave();
            }
        }
        acquired
    }
}

#[test]
fn every_permit_is_accounted_for() {
    const EXECUTORS: u64 = 2;
    const TASKS: u64 = 40;
    const ROUNDS: usize = 300;
    let seed = seed();
    let tally = Tally {
        semaphore: Semaphore { permits: AtomicUsize::new(PERMITS) },
        inside: AtomicUsize::new(0),
        acquired: AtomicUsize::new(0),
    };
    let tally = &tally;
    let acquired: usize = thread::scope(|scope| {
        let executors: Vec<_> = (0..EXECUTORS)
            .map(|executor| {
                scope.spawn(move || {
                    let of = |task| Random(seed ^ (executor * TASKS + task + 1) << 32);
                    let tasks = (0..TASKS).map(|task| tally.task(of(task), ROUNDS));
                    // Each of them has a waker of its own here.
                    block_on(join_all(tasks)).into_iter().sum::<usize>()
                })
            })
            .collect();
        let threads: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..10 * ROUNDS {
                        tally.semaphore.acquire_blocking();
                        tally.enter();
                        tally.leave();
                    }
                    10 * ROUNDS
                })
            })
            .collect();
        executors.into_iter().chain(threads).map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(tally.acquired.load(SeqCst), acquired);
    assert_eq!(tally.semaphore.permits.load(SeqCst), PERMITS, "seed {seed}");
    assert_eq!(snapshot_of((&raw const tally.semaphore.permits).addr()), []);
}

/// A future that has been polled, with another waker, goes to another thread while it is being woken.
#[test]
fn a_future_goes_on_where_it_was_moved() {
    let semaphore = Semaphore { permits: AtomicUsize::new(0) };
    for _ in 0..500 {
        let mut acquire = Box::pin(semaphore.acquire());
        assert!(acquire.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        thread::scope(|scope| {
            scope.spawn(move || block_on(acquire));
            semaphore.release();
        });
        assert_eq!(semaphore.permits.load(SeqCst), 0);
    }
}

#[test]
fn tasks_are_served_in_their_order() {
    let semaphore: &'static Semaphore =
        Box::leak(Box::new(Semaphore { permits: AtomicUsize::new(0) }));
    let (mut pool, order) = (LocalPool::new(), std::rc::Rc::default());
    for i in 0..1_000 {
        let order: std::rc::Rc<std::cell::RefCell<Vec<_>>> = std::rc::Rc::clone(&order);
        let task = async move {
            semaphore.acquire().await;
            order.borrow_mut().push(i);
            semaphore.release();
        };
        pool.spawner().spawn_local(task).unwrap();
        pool.run_until_stalled();
    }
    semaphore.release();
    pool.run();
    assert!(order.borrow().iter().copied().eq(0..1_000));
}
