//! The same futures on the runtimes that people use: tokio on one thread and on several, smol, and the executors of
//! `futures`. Threads block on the same locks meanwhile, also those of the runtime.

mod support;

use parkade::{Barrier, Latch, Mutex, OnceLock, RwLock, Semaphore, WaitGroup, prelude::*};
use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};
use support::{tasks::block_on, watched_test};

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

/// Everything a task can wait for, with threads that wait for the same.
struct All {
    table: RwLock<usize>,
    permits: Semaphore,
    most: AtomicUsize,
    once: OnceLock<usize>,
    made: AtomicUsize,
    #[cfg(feature = "keyed")]
    keys: parkade::keyed::KeyedMutex<usize>,
    queue: Mutex<Vec<usize>>,
    taken: AtomicUsize,
}

impl All {
    fn new() -> All {
        All {
            table: RwLock::new(0),
            permits: Semaphore::new(3),
            most: AtomicUsize::new(0),
            once: OnceLock::new(),
            made: AtomicUsize::new(0),
            #[cfg(feature = "keyed")]
            keys: parkade::keyed::KeyedMutex::new(),
            queue: Mutex::new(Vec::new()),
            taken: AtomicUsize::new(0),
        }
    }

    fn inside(&self) {
        let inside = self.most.fetch_add(1, Relaxed) + 1;
        assert!(inside <= 3, "{inside} have permits");
        self.most.fetch_sub(1, Relaxed);
    }

    async fn as_task(&self, id: usize) {
        for _ in 0..ROUNDS / 4 {
            *self.table.write_async().await += 1;
            let seen = *self.table.read_async().await;
            yield_now().await;
            assert!(*self.table.read_async().await >= seen);
            {
                let _permit = self.permits.acquire_async().await.unwrap();
                self.inside();
                yield_now().await;
            }
            let made = self.once.get_or_init_async(|| async {
                yield_now().await;
                self.made.fetch_add(1, Relaxed) + 1
            });
            assert_eq!(*made.await, 1);
            #[cfg(feature = "keyed")]
            {
                let _key = self.keys.lock_async(&(id % 3)).await.sendable();
                yield_now().await;
            }
            self.queue.lock_async().await.push(id);
            let found = self.queue.lock_when_async(|queue| !queue.is_empty());
            self.taken.fetch_add(found.await.drain(..1).count(), Relaxed);
        }
    }

    fn as_thread(&self) {
        *self.table.write() += 1;
        let permit = self.permits.acquire().unwrap();
        self.inside();
        drop(permit);
        assert_eq!(*self.once.get_or_init(|| self.made.fetch_add(1, Relaxed) + 1), 1);
        #[cfg(feature = "keyed")]
        drop(self.keys.lock(&0));
    }
}

fn all_on(runtime: impl Runtime) {
    let _watchdog = watched_test();
    let all = Arc::new(All::new());
    let (done, met) = (Arc::new(Latch::new(TASKS)), Arc::new(Barrier::new(TASKS)));
    let group = WaitGroup::new();
    let ids = AtomicUsize::new(0);
    let job = || {
        let (all, done, met, group) = (all.clone(), done.clone(), met.clone(), group.clone());
        let id = ids.fetch_add(1, Relaxed);
        async move {
            all.as_task(id).await;
            let _ = met.wait_async().await;
            drop(group);
            done.count_down();
            done.wait_async().await;
        }
    };
    beside_threads(runtime, job, || all.as_thread());
    block_on(group.wait_async());
    let rounds = TASKS * (ROUNDS / 4);
    assert_eq!(*all.table.read(), rounds + TASKS * ROUNDS);
    assert_eq!((all.made.load(Relaxed), all.taken.load(Relaxed)), (1, rounds));
    assert_eq!(all.permits.available_permits(), 3);
    #[cfg(feature = "keyed")]
    assert_eq!(all.keys.len(), 0);
}

#[test]
fn all_on_tokio_with_one_thread() {
    all_on(current_thread());
}

#[test]
fn all_on_tokio_with_several_threads() {
    all_on(multi_thread());
}

#[test]
fn all_on_smol() {
    all_on(Smol);
}

#[test]
fn all_on_a_local_pool() {
    all_on(LocalPool);
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
