//! A window on the slow path, for diagnosis.
//!
//! Nothing is installed by default, and then a park costs one more predictable load. Observers run
//! on the waiting thread, or on the one that polls or cancels the waiting task, never under a bucket lock. They may take locks of their own: what a thread
//! does inside an observer is not observed. They must not take the lock whose wait they are told of,
//! hence not allocate if the allocator uses a lock of this table. What they do adds to the wait.

use crate::deadline::Moment;
use core::{
    cell::Cell,
    fmt,
    sync::atomic::{AtomicPtr, Ordering},
};

/// What happened to a waiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The calling thread has joined the queue of `key` and is about to sleep, or has queued a task that it polls.
    Parked {
        /// What it waits for.
        key: usize,
        /// When its wait began.
        since: Moment,
    },
    /// The calling thread was taken off the queue and woken, or finds that the task it polls or cancels was.
    Unparked {
        /// What it waited for at last.
        key: usize,
        /// When its wait began.
        since: Moment,
    },
    /// The calling thread has left the queue because its deadline passed.
    TimedOut {
        /// What it waited for at last.
        key: usize,
        /// When its wait began.
        since: Moment,
    },
    /// The calling thread has taken a task off the queue that does not wait any longer
    /// ([`TaskWaiter::cancel`](crate::TaskWaiter::cancel)).
    Cancelled {
        /// What it waited for at last.
        key: usize,
        /// When its wait began.
        since: Moment,
    },
    /// The calling thread has moved waiters to another key.
    Requeued {
        /// Where they waited.
        from: usize,
        /// Where they wait now.
        to: usize,
        /// How many.
        threads: usize,
    },
}

/// Receives [`Event`]s from every thread that parks, and every one that polls a task that does.
pub trait Observer: Sync {
    /// Called on the thread that the event is about. If it panics the process aborts.
    fn event(&self, event: &Event);
}

impl fmt::Debug for dyn Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observer")
    }
}

/// Access: replaced by `install` and `remove`, read by every park. What it points to is never
/// freed, so a reader may use what it has loaded for as long as it likes.
static OBSERVER: AtomicPtr<&'static dyn Observer> = AtomicPtr::new(core::ptr::null_mut());

/// Sends events to `observer` from now on, instead of to the one installed before.
///
/// Leaks two words per call. A thread in the middle of a park may still report to the old one.
pub fn install(observer: &'static dyn Observer) {
    let shared: &'static mut &'static dyn Observer = Box::leak(Box::new(observer));
    OBSERVER.store(shared, Ordering::Release);
}

/// Stops sending events. A thread in the middle of a park may still send one.
pub fn remove() {
    OBSERVER.store(core::ptr::null_mut(), Ordering::Release);
}

thread_local! {
    /// Whether this thread is inside an observer. Constant and without a destructor, like every
    /// thread-local of this crate.
    static OBSERVING: Cell<bool> = const { Cell::new(false) };
}

#[inline]
pub(crate) fn emit(event: impl FnOnce() -> Event) {
    let observer = OBSERVER.load(Ordering::Acquire);
    if !observer.is_null() && !OBSERVING.replace(true) {
        // SAFETY: a non-null pointer comes from `install`, which leaks what it points to.
        let observer = unsafe { *observer };
        observer.event(&event());
        OBSERVING.set(false);
    }
}
