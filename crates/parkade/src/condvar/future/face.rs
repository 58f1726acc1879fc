//! The guards that a task can wait with, and its futures.

use super::{
    super::guards::{Views, WaitGuard},
    Holding, Next, Once, Until, Waiting,
};
use crate::{
    Condvar, Mutex, MutexGuard,
    futures::{OwnedMutexGuard, SendGuard},
    prelude::Sendable,
    requeue,
    task::{Handle, Queue},
};
use core::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};
use std::sync::Arc;

/// A guard that a task can wait with: [`Condvar::wait_async`].
///
/// Those of [`Mutex`]: [`MutexGuard`], [`OwnedMutexGuard`], and the first as a
/// [`SendGuard`]. It is sealed.
pub trait WaitAsyncGuard: WaitGuard + sealed::WaitAsync {}

pub(super) mod sealed {
    /// What `WaitAsyncGuard` does not show.
    #[expect(private_bounds, reason = "sealed")]
    pub trait WaitAsync: Sized {
        /// The lock, without the guard.
        type Handle: super::Holding<Output = Self>;
    }
}

/// A [`Condvar`]'s notification, and the lock again: the future of [`wait_async`](Condvar::wait_async).
#[must_use = "futures do nothing unless they are polled"]
pub struct WaitCondvar<'a, G: WaitAsyncGuard>(Waiting<'a, G::Handle, Once>);

/// A [`Condvar`]'s notifications, until a condition has ceased to hold: the future of
/// [`wait_while_async`](Condvar::wait_while_async).
#[must_use = "futures do nothing unless they are polled"]
pub struct WaitCondvarWhile<'a, G: WaitAsyncGuard, F>(Waiting<'a, G::Handle, While<F>>);

/// While a condition holds.
struct While<F>(F);

impl<G, F> Until<G> for While<F>
where
    G: WaitAsyncGuard,
    F: FnMut(<G as Views<'_>>::View) -> bool,
{
    fn at_first(&mut self, guard: &mut G) -> Next {
        if (self.0)(guard.view()) { Next::Waits } else { Next::Returns }
    }

    fn once_notified(&mut self, guard: &mut G) -> Next {
        self.at_first(guard)
    }
}

impl Condvar {
    /// Waits for a notification as a task does, however long it takes.
    ///
    /// The first poll queues the task, in the one queue of threads and tasks, and unlocks; the future is ready when the task was
    /// notified and has locked again. It takes the guard and gives it back, because one that is dropped while it waits
    /// could not give it back without blocking: **dropping it leaves the lock unlocked**, whatever its state. So a timeout
    /// is any timer that drops it; who wants to go on with the lock locks it anew.
    ///
    /// * **No notification is lost**: one that [`notify_one`](Condvar::notify_one) has given to a task goes to the next who waits,
    ///   if the task is dropped before its future is ready. As long as it is neither polled nor dropped it keeps it: as a thread does
    ///   that does not get to run.
    /// * **No lock is kept**: a task that was notified has nothing but the notification. It locks when it is polled, with
    ///   what [`LockAsync`](crate::prelude::LockAsync) promises; threads that were notified with it do not wait for it.
    /// * **Forgotten** futures, and what becomes of their notifications, are as those that are not polled, for ever.
    /// * **Clippy** may say that a guard is held across an `await` (`await_holding_lock`), where it has been given away.
    /// * **Counts** are exact, and no wakeup is spurious, as with threads. `notify_all` wakes all tasks.
    ///
    /// ```
    /// use parkade::{Condvar, Mutex, prelude::*};
    ///
    /// let (ready, changed) = (Mutex::new(false), Condvar::new());
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| {
    ///         *ready.lock() = true;
    ///         changed.notify_one();
    ///     });
    ///     futures::executor::block_on(async {
    ///         let mut guard = ready.lock_async().await;
    ///         while !*guard {
    ///             guard = changed.wait_async(guard).await;
    ///         }
    ///     });
    /// });
    /// ```
    ///
    /// The guards of other locks will not do:
    ///
    /// ```compile_fail,E0277
    /// let lock = parkade::FairMutex::new(());
    /// let _ = parkade::Condvar::new().wait_async(lock.lock());
    /// ```
    pub fn wait_async<G: WaitAsyncGuard>(&self, guard: G) -> WaitCondvar<'_, G> {
        WaitCondvar(Waiting::new(self.raw(), guard, Once))
    }

    /// Waits while `condition` holds: looks at it with the first poll and after every notification, with the lock held.
    ///
    /// As [`wait_async`](Condvar::wait_async) otherwise. If the condition panics the lock is unlocked, and the future is over.
    ///
    /// ```
    /// use parkade::{Condvar, Mutex, prelude::*};
    ///
    /// let (jobs, changed) = (Mutex::new(Vec::new()), Condvar::new());
    /// std::thread::scope(|scope| {
    ///     let worker = scope.spawn(|| {
    ///         futures::executor::block_on(async {
    ///             let jobs = jobs.lock_async().await;
    ///             changed.wait_while_async(jobs, |jobs| jobs.is_empty()).await.pop()
    ///         })
    ///     });
    ///     jobs.lock().push("wash");
    ///     changed.notify_one();
    ///     assert_eq!(worker.join().unwrap(), Some("wash"));
    /// });
    /// ```
    pub fn wait_while_async<G, F>(&self, guard: G, condition: F) -> WaitCondvarWhile<'_, G, F>
    where
        G: WaitAsyncGuard,
        F: FnMut(<G as Views<'_>>::View) -> bool,
    {
        WaitCondvarWhile(Waiting::new(self.raw(), guard, While(condition)))
    }
}

impl<G: WaitAsyncGuard> WaitCondvar<'_, G> {
    /// Whether it has been ready: to poll it again would panic.
    #[must_use]
    pub fn is_terminated(&self) -> bool {
        self.0.is_over()
    }
}

impl<G: WaitAsyncGuard, F> WaitCondvarWhile<'_, G, F> {
    /// Whether it has been ready, or its condition has panicked: to poll it again would panic.
    #[must_use]
    pub fn is_terminated(&self) -> bool {
        self.0.is_over()
    }
}

impl<G: WaitAsyncGuard> Future for WaitCondvar<'_, G> {
    type Output = G;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<G> {
        // SAFETY: the only field, which is pinned as we are.
        unsafe { self.map_unchecked_mut(|this| &mut this.0) }.poll(cx)
    }
}

impl<G, F> Future for WaitCondvarWhile<'_, G, F>
where
    G: WaitAsyncGuard,
    F: FnMut(<G as Views<'_>>::View) -> bool,
{
    type Output = G;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<G> {
        // SAFETY: the only field, which is pinned as we are.
        unsafe { self.map_unchecked_mut(|this| &mut this.0) }.poll(cx)
    }
}

impl<G: WaitAsyncGuard> fmt::Debug for WaitCondvar<'_, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitCondvar").finish_non_exhaustive()
    }
}

impl<G: WaitAsyncGuard, F> fmt::Debug for WaitCondvarWhile<'_, G, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitCondvarWhile").finish_non_exhaustive()
    }
}

impl<'a, T: ?Sized> WaitAsyncGuard for MutexGuard<'a, T> {}

impl<'a, T: ?Sized> sealed::WaitAsync for MutexGuard<'a, T> {
    type Handle = &'a Mutex<T>;
}

impl<'a, T: ?Sized> Holding for &'a Mutex<T> {
    fn lock(&self) -> impl requeue::Lock + '_ {
        self.queue()
    }

    fn hold(guard: MutexGuard<'a, T>) -> &'a Mutex<T> {
        let lock = MutexGuard::mutex(&guard);
        core::mem::forget(guard);
        lock
    }
}

impl<T: ?Sized> WaitAsyncGuard for OwnedMutexGuard<T> {}

impl<T: ?Sized> sealed::WaitAsync for OwnedMutexGuard<T> {
    type Handle = Arc<Mutex<T>>;
}

impl<T: ?Sized> Holding for Arc<Mutex<T>> {
    fn lock(&self) -> impl requeue::Lock + '_ {
        self.queue()
    }

    fn hold(guard: OwnedMutexGuard<T>) -> Arc<Mutex<T>> {
        OwnedMutexGuard::into_lock(guard)
    }
}

impl<G: WaitAsyncGuard + Sendable> WaitAsyncGuard for SendGuard<G> {}

impl<G: WaitAsyncGuard + Sendable> sealed::WaitAsync for SendGuard<G> {
    type Handle = WithSendGuard<G::Handle>;
}

/// A handle whose guards may be sent.
#[derive(Debug)]
pub struct WithSendGuard<H>(H);

impl<H: Handle<Output: Sendable>> Handle for WithSendGuard<H> {
    type Queue = H::Queue;
    type Output = SendGuard<H::Output>;

    fn queue(&self) -> &H::Queue {
        self.0.queue()
    }

    fn want(&self) -> <H::Queue as Queue>::Want {
        self.0.want()
    }

    fn finish(self, got: <H::Queue as Queue>::Got) -> SendGuard<H::Output> {
        self.0.finish(got).sendable()
    }
}

impl<H: Holding<Output: Sendable>> Holding for WithSendGuard<H> {
    fn lock(&self) -> impl requeue::Lock + '_ {
        self.0.lock()
    }

    fn hold(guard: SendGuard<H::Output>) -> WithSendGuard<H> {
        WithSendGuard(H::hold(SendGuard::into_inner(guard)))
    }
}
