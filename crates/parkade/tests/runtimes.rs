//! The same futures on the runtimes that people use: tokio on one thread and on several, smol, and the executors of
//! `futures`. Threads block on the same locks meanwhile, also those of the runtime.

mod support;

use parkade::{Mutex, prelude::*};
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};
use support::watched_test;

const TASKS: usize = 50;
const ROUNDS: usize = 40;

type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Something that runs tasks to their end.
trait Runtime {
    fn run(self, jobs: Vec<Job>);
}

struct Tokio(tokio::runtime::Runtime);

fn current_thread() -> Tokio {
    Tokio(tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap())
}

fn multi_thread() -> Tokio {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    Tokio(builder.worker_threads(3).enable_time().build().unwrap())
}

impl Runtime for Tokio {
    fn run(self, jobs: Vec<Job>) {
        self.0.block_on(async {
            let jobs: Vec<_> = jobs.into_iter().map(tokio::spawn).collect();
            for job in jobs {
                job.await.unwrap();
            }
        });
    }
}

struct Smol;

impl Runtime for Smol {
    fn run(self, jobs: Vec<Job>) {
        smol::block_on(async {
            let jobs: Vec<_> = jobs.into_iter().map(smol::spawn).collect();
            for job in jobs {
                job.await;
            }
        });
    }
}

struct LocalPool;

impl Runtime for LocalPool {
    fn run(self, jobs: Vec<Job>) {
        use futures::{executor, task::SpawnExt};
        let mut pool = executor::LocalPool::new();
        let spawner = pool.spawner();
        jobs.into_iter().for_each(|job| spawner.spawn(job).unwrap());
        pool.run();
    }
}

/// Gives the executor a chance to run others, with whatever it has woken.
async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return std::task::Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

/// Runs `job` so many times at once, and beside it threads that do `block` as often.
fn beside_threads<F>(runtime: impl Runtime, job: impl Fn() -> F, block: impl Fn() + Sync)
where
    F: Future<Output = ()> + Send + 'static,
{
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..TASKS * ROUNDS / 2).for_each(|_| block()));
        }
        runtime.run((0..TASKS).map(|_| Box::pin(job()) as Job).collect());
    });
}

fn mutex_on(runtime: impl Runtime) {
    let _watchdog = watched_test();
    let count = Arc::new(Mutex::new(0));
    let job = || {
        let count = Arc::clone(&count);
        async move {
            for round in 0..ROUNDS {
                if round % 4 == 0 {
                    // Held across a point where the task may move to another thread.
                    let mut held = count.lock_async().await.sendable();
                    let before = *held;
                    yield_now().await;
                    *held = before + 1;
                } else {
                    *count.lock_async().await += 1;
                }
            }
        }
    };
    beside_threads(runtime, job, || *count.lock() += 1);
    assert_eq!(*count.lock(), 2 * TASKS * ROUNDS);
}

#[test]
fn mutex_on_tokio_with_one_thread() {
    mutex_on(current_thread());
}

#[test]
fn mutex_on_tokio_with_several_threads() {
    mutex_on(multi_thread());
}

#[test]
fn mutex_on_smol() {
    mutex_on(Smol);
}

#[test]
fn mutex_on_a_local_pool() {
    mutex_on(LocalPool);
}

/// A timeout is the caller's timer, which drops the future.
#[test]
fn a_timer_ends_a_wait_and_nothing_is_lost() {
    let _watchdog = watched_test();
    let lock = Arc::new(Mutex::new(0));
    current_thread().0.block_on(async {
        let held = lock.lock_async().await.sendable();
        let start = Instant::now();
        let limit = Duration::from_millis(20);
        assert!(tokio::time::timeout(limit, lock.lock_async()).await.is_err());
        assert!(start.elapsed() >= limit);
        drop(held);
        assert!(tokio::time::timeout(limit, lock.lock_async()).await.is_ok());
    });
}

/// `blocking_lock` of tokio panics here.
#[test]
fn a_worker_of_a_runtime_may_block() {
    let _watchdog = watched_test();
    let lock = Arc::new(Mutex::new(0));
    let block = || {
        let lock = Arc::clone(&lock);
        Box::pin(async move {
            for _ in 0..ROUNDS {
                *lock.lock() += 1;
                yield_now().await;
            }
        }) as Job
    };
    current_thread().run((0..TASKS).map(|_| block()).collect());
    multi_thread().run((0..TASKS).map(|_| block()).collect());
    Smol.run((0..TASKS).map(|_| block()).collect());
    assert_eq!(*lock.lock(), 3 * TASKS * ROUNDS);
}
