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
/// As [`LockWhen`](crate::prelude::LockWhen), and at the same time: changing the value and unlocking is all that others have to do,
/// threads or tasks.
///
/// * **Conditions** of tasks are called by the task alone, as it is polled, with the lock held: so they need not be `Send`, and what they
///   borrow is safe even if a future is forgotten. The price is a wake-up: while tasks wait for conditions, whoever unlocks puts all of them in
///   line for the lock, and each looks in its turn ([`LockAsync`](crate::prelude::LockAsync#)). If its condition is false the wait goes on. Where
///   many tasks wait for different things a [`Condvar`](crate::Condvar) each is faster.
/// * **Cancelling**: a future may be dropped at any time; nothing is lost.
/// * **Panics** of a condition come out of the poll, with the lock unlocked.
/// * **Size**: 128 bytes and the condition.
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
        F: FnMut(&Self::Value) -> bool;
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
        F: FnMut(&Self::Value) -> bool;
}

impl<T: ?Sized> sealed::Lock for Mutex<T> {}

impl<T: ?Sized> LockWhenAsync for Mutex<T> {
    type Value = T;

    fn lock_when_async<F: FnMut(&T) -> bool>(&self, condition: F) -> LockWhen<'_, T, F> {
        LockWhen { lock: self, waiting: Waiting::new(condition, Phase::Wants) }
    }
}

impl<'a, T: ?Sized> WaitUntilAsync<'a> for MutexGuard<'a, T> {
    type Value = T;

    fn wait_until_async<F: FnMut(&T) -> bool>(self, condition: F) -> LockWhen<'a, T, F> {
        let lock = MutexGuard::mutex(&self);
        // What it holds the future holds from here on.
        core::mem::forget(self);
        LockWhen { lock, waiting: Waiting::new(condition, Phase::Has) }
    }
}

/// Locks a [`Mutex`] when a condition is true: the future of [`lock_when_async`](LockWhenAsync::lock_when_async) and
/// [`wait_until_async`](WaitUntilAsync::wait_until_async).
#[must_use = "futures do nothing unless they are polled"]
pub struct LockWhen<'a, T: ?Sized, F: FnMut(&T) -> bool> {
    lock: &'a Mutex<T>,
    waiting: Waiting<F>,
}

impl<'a, T: ?Sized, F: FnMut(&T) -> bool> LockWhen<'a, T, F> {
    /// Whether it has been ready: to poll it again would panic.
    #[must_use]
    pub fn is_terminated(&self) -> bool {
        self.waiting.phase.get() == Phase::Over
    }

    fn waiting(self: Pin<&Self>) -> Pin<&Waiting<F>> {
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
        // SAFETY: 1. always that lock, with its data; a guard that held it is gone; 2. who polls has us exclusively.
        let poll = unsafe { this.waiting().poll(raw, lock.data_ptr(), cx) };
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
