//! What the models of all locks share.
//!
//! The shipped words, slow paths and table run under loom; only time and sleeping are modelled. A
//! lost wake-up shows as loom's "deadlock"; a missing acquire or release as a data race on the
//! protected cell; a node used after its owner left as a race with `Node::retire`.

use core::{
    future::Future,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};
use loom::{
    cell::UnsafeCell,
    model::Builder,
    sync::{Arc, Notify},
    thread,
};
use parkade_core::Moment;
pub(crate) use parkade_core::policy::Model as Policy;
use parkade_stacks as _;

/// A lock as the models use it.
pub(crate) trait Lock: 'static {
    fn new() -> Self;
    fn acquire(&self);
    fn acquire_until(&self, deadline: impl FnOnce() -> Moment) -> bool;
    fn release(&self);
    fn release_fair(&self);
    /// Panics unless the lock is free and nobody waits.
    fn check_rest(&self);
}

/// A lock, and what it protects.
pub(crate) struct Shared<L> {
    pub(crate) raw: L,
    count: UnsafeCell<u32>,
}

impl<L: Lock> Shared<L> {
    pub(crate) fn new() -> Arc<Shared<L>> {
        Arc::new(Shared { raw: L::new(), count: UnsafeCell::new(0) })
    }

    /// Inside a critical section: loom fails the model if two of these are not ordered.
    pub(crate) fn touch(&self) {
        // SAFETY: the caller holds the lock; loom checks it.
        self.count.with_mut(|count| unsafe { *count += 1 });
    }

    /// Inside a section that others may share: as `touch`, but only against those who touch.
    pub(crate) fn look(&self) -> u32 {
        // SAFETY: the caller holds the lock; loom checks it.
        self.count.with(|count| unsafe { *count })
    }

    pub(crate) fn lock_touch_unlock(&self) {
        self.raw.acquire();
        self.touch();
        self.raw.release();
    }

    pub(crate) fn lock_touch_unlock_fair(&self) {
        self.raw.acquire();
        self.touch();
        self.raw.release_fair();
    }

    /// Times out as soon as it would have to sleep, unless it is woken first; how often it got in.
    pub(crate) fn timed_lock_touch_unlock(&self) -> u32 {
        let acquired = self.raw.acquire_until(|| Moment::NEVER);
        if acquired {
            self.touch();
            self.raw.release();
        }
        u32::from(acquired)
    }

    /// Afterwards: everybody got in, and the lock is free and usable.
    pub(crate) fn check(&self, expected: u32) {
        self.raw.check_rest();
        self.raw.acquire();
        assert_eq!(self.look(), expected);
        self.raw.release();
    }
}

/// Runs `body` in every interleaving with at most `bound` preemptions (or `LOOM_MAX_PREEMPTIONS`,
/// if that is more).
pub(crate) fn explore(bound: usize, policy: Policy, body: impl Fn() + Sync + Send + 'static) {
    explore_only(
        Builder::new().preemption_bound.map_or(bound, |more| more.max(bound)),
        policy,
        body,
    );
}

/// As `explore`, but never with more: for models of four threads, or of long ones.
pub(crate) fn explore_only(bound: usize, policy: Policy, body: impl Fn() + Sync + Send + 'static) {
    policy.fix();
    let mut builder = Builder::new();
    builder.preemption_bound = Some(bound);
    builder.max_branches = 20_000;
    builder.check(body);
}

pub(crate) fn spawn<S: 'static>(
    shared: &Arc<S>,
    body: impl FnOnce(&S) + 'static,
) -> thread::JoinHandle<()> {
    let shared = shared.clone();
    thread::spawn(move || body(&shared))
}

pub(crate) fn join(threads: impl IntoIterator<Item = thread::JoinHandle<()>>) {
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

/// An executor for one task: its waker raises a signal, and whoever runs the task waits for that.
pub(crate) struct Executor(Notify);

impl std::task::Wake for Executor {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.notify();
    }
}

impl Executor {
    pub(crate) fn new() -> std::sync::Arc<Executor> {
        std::sync::Arc::new(Executor(Notify::new()))
    }

    pub(crate) fn poll<F: Future>(
        self: &std::sync::Arc<Self>,
        future: Pin<&mut F>,
    ) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(&Waker::from(self.clone())))
    }

    /// Waits until it is woken, or has been since it was last asked.
    pub(crate) fn wait(&self) {
        self.0.wait();
    }

    /// Polls until it is ready, whenever it was woken.
    pub(crate) fn run<F: Future>(
        self: &std::sync::Arc<Self>,
        mut future: Pin<&mut F>,
    ) -> F::Output {
        loop {
            match self.poll(future.as_mut()) {
                Poll::Ready(output) => return output,
                Poll::Pending => self.wait(),
            }
        }
    }
}

/// Runs a future as a task of its own.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    Executor::new().run(pin!(future))
}

impl Lock for crate::RawMutex {
    fn new() -> Self {
        crate::RawMutex::new()
    }
    fn acquire(&self) {
        self.acquire();
    }
    fn acquire_until(&self, deadline: impl FnOnce() -> Moment) -> bool {
        self.acquire_until(deadline)
    }
    fn release(&self) {
        self.release();
    }
    fn release_fair(&self) {
        self.release_fair();
    }
    fn check_rest(&self) {
        self.check_rest();
    }
}

impl Lock for crate::RawFairMutex {
    fn new() -> Self {
        crate::RawFairMutex::new()
    }
    fn acquire(&self) {
        self.acquire();
    }
    fn acquire_until(&self, deadline: impl FnOnce() -> Moment) -> bool {
        self.acquire_until(deadline)
    }
    fn release(&self) {
        self.release();
    }
    fn release_fair(&self) {
        self.release();
    }
    fn check_rest(&self) {
        assert!(!self.is_locked(), "left locked: {self:?}");
    }
}

impl Lock for crate::rwlock::Core {
    fn new() -> Self {
        crate::rwlock::Core::new()
    }
    fn acquire(&self) {
        self.write();
    }
    fn acquire_until(&self, deadline: impl FnOnce() -> Moment) -> bool {
        self.write_until(deadline)
    }
    fn release(&self) {
        self.release(crate::rwlock::Mode::Exclusive);
    }
    fn release_fair(&self) {
        self.release_fair(crate::rwlock::Mode::Exclusive);
    }
    fn check_rest(&self) {
        self.check_rest();
    }
}

/// The ledgers, for `cargo xtask weaken`.
#[test]
fn model_list_orderings() {
    let ledgers = [
        crate::mutex::EDGES,
        crate::fair_mutex::EDGES,
        crate::rwlock::EDGES,
        crate::once::EDGES,
        crate::latch::EDGES,
        crate::barrier::EDGES,
        crate::semaphore::EDGES,
    ];
    for edge in ledgers.into_iter().flatten() {
        println!("ORD {} {:?} {}", edge.id, edge.order, edge.pairs);
    }
}
