//! The public trait, its futures, and a guard that owns its lock.

use crate::{
    GuardMarker, Mutex, MutexGuard, RawMutex,
    task::{Handle, future},
};
use core::{
    fmt,
    mem::ManuallyDrop,
    ops::{Deref, DerefMut},
};
use std::sync::Arc;

mod sealed {
    pub trait Lock {}
}

/// Locks a [`Mutex`] from a task: `use parkade::prelude::*;`.
///
/// The same lock, in the same queue, as threads: [`lock`](lock_api::Mutex::lock) may be called elsewhere at the same time,
/// also on the threads of a runtime. Any executor will do.
///
/// * **Waiting**: a free lock is taken by the first poll. For a held one the task waits in the queue of the lock at once: it does not
///   poll it as a thread does, because other tasks want the processor. Nothing allocates; the waiter is in the future.
/// * **Cancelling**: a future may be dropped at any time. A wake that it has received goes to the next. So a timeout is any
///   timer that drops it.
/// * **Fairness**: tasks and threads stand in one line. A task that is woken does not have the lock but competes for it, and if it loses
///   stands first in line again. It is not known when a task will be polled, if ever, so the lock is not reserved for one:
///   not after any time, and not by [`unlock_fair`](lock_api::MutexGuard::unlock_fair) or `bump`. The bound that
///   [`Mutex`](Mutex#) gives is for threads; a task can be overtaken for as long as others want the lock again just
///   when it has been woken.
/// * **No futurelock**: a future that has been woken and is not polled, or that is forgotten, keeps nobody from the lock: not newcomers, not
///   threads behind it (those with more than eight tasks before them wait for one of these), and tasks behind it
///   for no longer than the table's lookout takes to notice.
/// * **Guards** are those of `lock`: not `Send`, so they are not held across an `await` of a task that moves between threads. One that
///   may be is made by [`sendable`](crate::prelude::Sendable::sendable), or by [`lock_owned_async`](LockAsync::lock_owned_async).
///
/// ```
/// use parkade::{Mutex, prelude::*};
///
/// let hits = Mutex::new(0);
/// futures::executor::block_on(async {
///     *hits.lock_async().await += 1;
/// });
/// *hits.lock() += 1;
/// assert_eq!(hits.into_inner(), 2);
/// ```
///
/// Not for [`FairMutex`](crate::FairMutex): strict order means to hand the lock over, and a task it was handed to could keep it from all
/// others without ever being polled. Nor for [`ReentrantMutex`](crate::ReentrantMutex), which belongs to a thread.
pub trait LockAsync: sealed::Lock {
    /// What the lock protects.
    type Value: ?Sized;

    /// Locks, waiting as a task does.
    ///
    /// ```
    /// use parkade::{Mutex, prelude::*};
    ///
    /// let value = Mutex::new(1);
    /// let locked = futures::executor::block_on(value.lock_async());
    /// assert_eq!(*locked, 1);
    /// ```
    fn lock_async(&self) -> Lock<'_, Self::Value>;

    /// Locks by a handle of the lock, for tasks that cannot borrow it: future and guard are `'static`.
    ///
    /// ```
    /// use parkade::{Mutex, prelude::*};
    /// use std::sync::Arc;
    ///
    /// let value = Arc::new(Mutex::new(1));
    /// let locked = futures::executor::block_on(value.clone().lock_owned_async());
    /// // It may go to another thread.
    /// std::thread::spawn(move || assert_eq!(*locked, 1)).join().unwrap();
    /// ```
    fn lock_owned_async(self: Arc<Self>) -> LockOwned<Self::Value>;
}

impl<T: ?Sized> sealed::Lock for Mutex<T> {}

impl<T: ?Sized> LockAsync for Mutex<T> {
    type Value = T;

    #[inline]
    fn lock_async(&self) -> Lock<'_, T> {
        Lock::new(self)
    }

    fn lock_owned_async(self: Arc<Self>) -> LockOwned<T> {
        LockOwned::new(self)
    }
}

future! {
    /// Locks a [`Mutex`]: the future of [`lock_async`](LockAsync::lock_async).
    pub struct Lock['a, T: ?Sized]['a, T](&'a Mutex<T>) -> MutexGuard<'a, T>;
}

future! {
    /// Locks a [`Mutex`] by a handle of it: the future of [`lock_owned_async`](LockAsync::lock_owned_async).
    pub struct LockOwned[T: ?Sized][T](Arc<Mutex<T>>) -> OwnedMutexGuard<T>;
}

impl<'a, T: ?Sized> Handle for &'a Mutex<T> {
    type Queue = RawMutex;
    type Output = MutexGuard<'a, T>;

    #[inline]
    fn queue(&self) -> &RawMutex {
        // SAFETY: what is done with it ends in a guard, or leaves it as it was.
        unsafe { self.raw() }
    }

    fn want(&self) {}

    #[inline]
    fn finish(self, (): ()) -> MutexGuard<'a, T> {
        // SAFETY: it was locked just now, and there is no guard of that.
        unsafe { self.make_guard_unchecked(GuardMarker::new()) }
    }
}

impl<T: ?Sized> Handle for Arc<Mutex<T>> {
    type Queue = RawMutex;
    type Output = OwnedMutexGuard<T>;

    fn queue(&self) -> &RawMutex {
        // SAFETY: as above.
        unsafe { self.raw() }
    }

    fn want(&self) {}

    fn finish(self, (): ()) -> OwnedMutexGuard<T> {
        OwnedMutexGuard { lock: self }
    }
}

/// Access to what a [`Mutex`] protects, with a handle of it; unlocks it when dropped, on any thread.
pub struct OwnedMutexGuard<T: ?Sized> {
    lock: Arc<Mutex<T>>,
}

// SAFETY: a mutex does not know its thread; the guard is access to a `T`, and a handle of what can be shared.
unsafe impl<T: ?Sized + Send> Send for OwnedMutexGuard<T> {}
// SAFETY: a shared guard gives shared access.
unsafe impl<T: ?Sized + Send + Sync> Sync for OwnedMutexGuard<T> {}

impl<T: ?Sized> OwnedMutexGuard<T> {
    /// The lock.
    pub fn mutex(this: &Self) -> &Arc<Mutex<T>> {
        &this.lock
    }

    /// The lock, which stays locked.
    pub(crate) fn into_lock(this: Self) -> Arc<Mutex<T>> {
        let this = ManuallyDrop::new(this);
        // SAFETY: it is not used any more in its old place, nor dropped there.
        unsafe { core::ptr::read(&raw const this.lock) }
    }
}

impl<T: ?Sized> Deref for OwnedMutexGuard<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the lock is held, by us.
        unsafe { &*self.lock.data_ptr() }
    }
}

impl<T: ?Sized> DerefMut for OwnedMutexGuard<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, and we are borrowed exclusively.
        unsafe { &mut *self.lock.data_ptr() }
    }
}

impl<T: ?Sized> Drop for OwnedMutexGuard<T> {
    fn drop(&mut self) {
        // SAFETY: the lock is held, by us.
        unsafe { self.lock.force_unlock(GuardMarker::new()) };
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for OwnedMutexGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for OwnedMutexGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}
