//! The public traits and their futures.

use super::{Phase, Waiting};
use crate::{GuardMarker, Mutex, MutexGuard};
use core::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

mod sealed {
    pub trait Lock {}
}

/// Locks a [`Mutex`] from a task when a condition is true of what it protects: `use parkade::prelude::*;`.
///
/// As [`LockWhen`](crate::prelude::LockWhen), and at the same time: tasks and threads wait for conditions in one queue. All that is
/// said there of conditions holds; they are called by whoever unlocks, on any thread. A task whose condition is true stands in line for the lock,
/// and competes for it once it is polled ([`LockAsync`](crate::prelude::LockAsync#)); if the condition is false then, the wait goes on, before all others.
///
/// * **Cancelling**: dropping a future loses nothing. A drop waits for conditions that are just being called.
/// * **Order**: of several tasks whose conditions are true an unlock puts the first in line; the others come after it, one by one.
/// * **Panics** of a condition come out of the poll, with the lock unlocked.
/// * **Size**: the future holds its condition, so it is larger than that of `lock_async`: about 200 bytes and the condition.
///
/// ```
/// use parkade::{Mutex, prelude::*};
///
/// let jobs = Mutex::new(Vec::new());
/// std::thread::scope(|scope| {
///     let worker = scope.spawn(|| {
///         futures::executor::block_on(async {
///             jobs.lock_when_async(|jobs: &Vec<_>| !jobs.is_empty()).await.pop()
///         })
///     });
///     jobs.lock().push("wash");
///     assert_eq!(worker.join().unwrap(), Some("wash"));
/// });
/// ```
pub trait LockWhenAsync: sealed::Lock {
    /// What the lock protects.
    type Value: ?Sized;

    /// Locks when `condition` is true.
    ///
    /// ```
    /// use parkade::{Mutex, prelude::*};
    ///
    /// let value = Mutex::new(5);
    /// let guard = futures::executor::block_on(value.lock_when_async(|value| *value >= 3));
    /// assert_eq!(*guard, 5);
    /// ```
    fn lock_when_async<F>(&self, condition: F) -> LockWhen<'_, Self::Value, F>
    where
        F: FnMut(&Self::Value) -> bool + Send;
}

/// Waits from a task, with a [`MutexGuard`], until a condition is true of what the lock protects: `use parkade::prelude::*;`.
///
/// The guard goes into the future and comes back when the condition is true. The lock is free while the task waits; a
/// future that is dropped leaves it so. All else is as with [`LockWhenAsync`].
///
/// ```
/// use parkade::{Mutex, prelude::*};
///
/// let steps = Mutex::new(0);
/// std::thread::scope(|scope| {
///     scope.spawn(|| {
///         steps.lock_when(|steps| *steps == 1);
///         *steps.lock() = 2;
///     });
///     let mut guard = steps.lock();
///     *guard = 1;
///     let guard = futures::executor::block_on(guard.wait_until_async(|steps| *steps == 2));
///     assert_eq!(*guard, 2);
/// });
/// ```
pub trait WaitUntilAsync<'a>: Sized {
    /// What the lock protects.
    type Value: ?Sized + 'a;

    /// Waits until `condition` is true.
    ///
    /// ```
    /// use parkade::{Mutex, prelude::*};
    ///
    /// let value = Mutex::new(5);
    /// let guard = futures::executor::block_on(value.lock().wait_until_async(|value| *value == 5));
    /// assert_eq!(*guard, 5);
    /// ```
    fn wait_until_async<F>(self, condition: F) -> LockWhen<'a, Self::Value, F>
    where
        F: FnMut(&Self::Value) -> bool + Send;
}

impl<T: ?Sized> sealed::Lock for Mutex<T> {}

impl<T: ?Sized> LockWhenAsync for Mutex<T> {
    type Value = T;

    fn lock_when_async<F: FnMut(&T) -> bool + Send>(&self, condition: F) -> LockWhen<'_, T, F> {
        // SAFETY: the data is in the lock, which is not held yet.
        unsafe { LockWhen::new(self, condition, Phase::Begins) }
    }
}

impl<'a, T: ?Sized> WaitUntilAsync<'a> for MutexGuard<'a, T> {
    type Value = T;

    fn wait_until_async<F: FnMut(&T) -> bool + Send>(self, condition: F) -> LockWhen<'a, T, F> {
        let lock = MutexGuard::mutex(&self);
        // What it holds the future holds from here on.
        core::mem::forget(self);
        // SAFETY: the data is in the lock, which the guard has held.
        unsafe { LockWhen::new(lock, condition, Phase::Holds) }
    }
}

/// Locks a [`Mutex`] when a condition is true: the future of [`lock_when_async`](LockWhenAsync::lock_when_async) and
/// [`wait_until_async`](WaitUntilAsync::wait_until_async).
#[must_use = "futures do nothing unless they are polled"]
pub struct LockWhen<'a, T: ?Sized, F: FnMut(&T) -> bool> {
    lock: &'a Mutex<T>,
    waiting: Waiting<T, F>,
}

impl<'a, T: ?Sized, F: FnMut(&T) -> bool> LockWhen<'a, T, F> {
    /// # Safety
    /// If `phase` says that the lock is held, it is by the caller, who has no guard any more.
    unsafe fn new(lock: &'a Mutex<T>, condition: F, phase: Phase) -> Self {
        // SAFETY: 1. the data is in the lock; 2. the same duty.
        let waiting = unsafe { Waiting::new(lock.data_ptr(), condition, phase) };
        LockWhen { lock, waiting }
    }

    /// Whether it has been ready: to poll it again would panic.
    #[must_use]
    pub fn is_terminated(&self) -> bool {
        self.waiting.phase.get() == Phase::Over
    }

    fn waiting(self: Pin<&Self>) -> Pin<&Waiting<T, F>> {
        // SAFETY: a field that is not moved out of us.
        unsafe { self.map_unchecked(|this| &this.waiting) }
    }
}

impl<'a, T: ?Sized, F: FnMut(&T) -> bool> Future for LockWhen<'a, T, F> {
    type Output = MutexGuard<'a, T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<MutexGuard<'a, T>> {
        let this = self.as_ref();
        let lock = this.lock;
        // SAFETY: what is done with it ends in a guard, or leaves it free.
        let raw = unsafe { lock.raw() };
        // SAFETY: 1. always that lock; 2. who polls has us exclusively.
        let poll = unsafe { this.waiting().poll(raw, cx) };
        poll.map(|()| {
            // SAFETY: it is locked, and there is no guard of that.
            unsafe { lock.make_guard_unchecked(GuardMarker::new()) }
        })
    }
}

impl<T: ?Sized, F: FnMut(&T) -> bool> Drop for LockWhen<'_, T, F> {
    fn drop(&mut self) {
        // SAFETY: if it was ever polled it was pinned; it is not moved here.
        let this = unsafe { Pin::new_unchecked(&*self) };
        // SAFETY: as in `poll`.
        let raw = unsafe { this.lock.raw() };
        // SAFETY: as in `poll`.
        unsafe { this.waiting().end(raw) };
    }
}

impl<T: ?Sized, F: FnMut(&T) -> bool> fmt::Debug for LockWhen<'_, T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockWhen").finish_non_exhaustive()
    }
}
