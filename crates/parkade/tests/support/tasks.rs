//! Tasks that tests run by hand.

use std::{
    future::Future,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{
            AtomicUsize,
            Ordering::{Relaxed, SeqCst},
        },
    },
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

/// A task: counts how often it was woken.
#[derive(Debug)]
pub(crate) struct Task(AtomicUsize);

/// Without the lookout: what it does about wakes that nobody uses would hide those that are lost.
impl Default for Task {
    fn default() -> Task {
        parkade::tuning::set_lookout(parkade::tuning::Lookout::Off);
        Task(AtomicUsize::new(0))
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

impl Task {
    pub(crate) fn new() -> Arc<Task> {
        Arc::default()
    }

    pub(crate) fn poll<F: Future + ?Sized>(
        self: &Arc<Self>,
        future: Pin<&mut F>,
    ) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(&Waker::from(Arc::clone(self))))
    }

    /// How often it has been woken.
    pub(crate) fn woken(&self) -> usize {
        self.0.load(SeqCst)
    }

    /// Whether it has been woken since it was last asked.
    pub(crate) fn was_woken(&self) -> bool {
        self.0.swap(0, SeqCst) > 0
    }
}

/// A waker that wakes a thread.
struct Unparker(Thread);

impl Wake for Unparker {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// The simplest executor there is.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unparker(thread::current())));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// Waits until so many, threads and tasks, are queued at the address of `lock`.
pub(crate) fn wait_for_queue<L: ?Sized>(lock: &L, waiters: usize) {
    let key = std::ptr::from_ref(lock).addr();
    while parkade_core::snapshot_of(key).len() != waiters {
        thread::yield_now();
    }
}

/// Drops a future that others may be about to wake, in any state, after a few polls.
pub(crate) fn poll_a_little<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let mut future = pin!(future);
    let task = Task::new();
    for _ in 0..polls {
        if let Poll::Ready(output) = task.poll(future.as_mut()) {
            return Some(output);
        }
        // Now and then it is dropped with a wake that no poll has seen.
        if NEXT.fetch_add(1, Relaxed).is_multiple_of(3) {
            thread::yield_now();
        }
    }
    None
}

/// A future that is polled by a task of its own.
pub(crate) struct Waits<F: Future> {
    pub(crate) task: Arc<Task>,
    pub(crate) future: Pin<Box<F>>,
}

impl<F: Future> Waits<F> {
    pub(crate) fn new(future: F) -> Waits<F> {
        Waits { task: Task::new(), future: Box::pin(future) }
    }

    /// Polled once, in vain.
    #[track_caller]
    pub(crate) fn queued(future: F) -> Waits<F> {
        let mut waits = Waits::new(future);
        assert!(waits.poll().is_none(), "ready");
        waits
    }

    pub(crate) fn poll(&mut self) -> Option<F::Output> {
        match self.task.poll(self.future.as_mut()) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        }
    }

    pub(crate) fn woken(&self) -> bool {
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

/// Polls for a task whose waker panics.
pub(crate) fn poll_explosively<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(&Waker::from(Arc::new(Explosive))))
}
