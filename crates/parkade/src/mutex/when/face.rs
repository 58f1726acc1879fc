//! The public traits.

use super::{Limit, Waited};
use crate::{Ended, Mutex, MutexGuard, RawMutex, WaitTimeoutResult};
use parkade_core::Moment;
use std::time::{Duration, Instant};

mod sealed {
    /// What `WaitUntil` does not show.
    pub trait Wait<T: ?Sized> {
        /// Waits from inside, with what the guard holds.
        fn wait<F>(&mut self, condition: F, limit: super::Limit) -> super::Waited
        where
            F: FnMut(&T) -> bool + Send;
    }

    pub trait Lock {}
}

/// Locks a [`Mutex`] when a condition is true of what it protects: `use parkade::prelude::*;`.
///
/// Instead of a condition variable, and of who notifies whom of what, a thread says what it waits for. It is woken when that
/// is true and the lock is its own; changing the value and unlocking is all that others have to do. No
/// notification can be forgotten, or be sent to the wrong thread.
///
/// * **Conditions** are called under the lock, with the value as others have left it: by the waiting thread, and while it waits by
///   those who unlock, on their threads. So a condition that is still false costs no wake-up. They are called again and again,
///   at every unlock by a thread that nobody who has been woken for the lock is about to follow, one at a time; so they should be
///   quick, look at nothing but the value and what they have captured, and change neither. They may use other
///   locks, but a condition that takes the same lock deadlocks. So does one that takes a lock which a thread holds as it unlocks
///   this one, or waits with it: as when guards of both are dropped, this one's first.
/// * **Order**: conditions are called in the order in which their threads came, until one is true; that thread stands in line
///   for the lock from then on, as if it had come to lock it ([Fairness](Mutex#)). The condition is true when the wait
///   ends: if another thread has been faster the wait goes on, with its turn kept.
/// * **Timeouts** never come early. A thread whose time is up does not wait for the lock to say so (except with [`WaitUntil`]), but
///   for those conditions that are just being called.
/// * **Panics**: a condition that panics does so in the thread that waits with it, which then has unlocked, or has its guard
///   to drop; others, and whoever called it first, go on. Called elsewhere its panic is caught, though the panic
///   hook sees it, and so counts as true. (With `panic = "abort"` there is nothing to be caught.)
/// * **Cost**: nothing for mutexes without such threads; no byte in the lock. While there are any, an unlock takes two
///   locks of the parking table and calls up to all conditions; a condition without captures that is false is called once
///   for all threads that wait with it. Where hundreds of threads wait for different things a [`Condvar`](crate::Condvar) each
///   is faster. Nothing allocates.
/// * **Process**: as the lock; after `fork` those who waited in the parent are not there.
///
/// Only for `Mutex` and its handle in [`shared`](crate::shared): not for [`FairMutex`](crate::FairMutex), not for reader-writer locks.
///
/// ```
/// use parkade::{Mutex, prelude::*};
///
/// let jobs = Mutex::new(Vec::new());
/// std::thread::scope(|scope| {
///     let worker = scope.spawn(|| jobs.lock_when(|jobs| !jobs.is_empty()).pop());
///     jobs.lock().push("wash");
///     assert_eq!(worker.join().unwrap(), Some("wash"));
/// });
/// ```
///
/// What a condition captures goes to other threads:
///
/// ```compile_fail,E0277
/// use parkade::{Mutex, prelude::*};
///
/// let limit = std::rc::Rc::new(1);
/// Mutex::new(0).lock_when(move |value| *value < *limit);
/// ```
///
/// It sees the value, and cannot change it:
///
/// ```compile_fail,E0594
/// use parkade::{Mutex, prelude::*};
///
/// Mutex::new(0).lock_when(|value| { *value += 1; true });
/// ```
pub trait LockWhen: sealed::Lock {
    /// What the lock protects.
    type Value: ?Sized;

    /// Locks when `condition` is true, however long it takes.
    ///
    /// ```
    /// use parkade::{Mutex, prelude::*};
    ///
    /// let (value, least) = (Mutex::new(5), 3);
    /// assert_eq!(*value.lock_when(|value| *value >= least), 5);
    /// ```
    ///
    /// # Panics
    /// If `condition` does. The lock is then unlocked.
    #[must_use = "dropping the guard unlocks at once"]
    fn lock_when<F>(&self, condition: F) -> MutexGuard<'_, Self::Value>
    where
        F: FnMut(&Self::Value) -> bool + Send;

    /// Locks if the lock is free and `condition` is true. Does not wait.
    ///
    /// ```
    /// use parkade::{Mutex, prelude::*};
    ///
    /// let value = Mutex::new(5);
    /// assert!(value.try_lock_when(|value| *value == 5).is_some());
    /// assert!(value.try_lock_when(|value| *value == 6).is_none());
    /// ```
    ///
    /// # Panics
    /// If `condition` does. The lock is then unlocked.
    #[must_use = "dropping the guard unlocks at once"]
    fn try_lock_when<F>(&self, condition: F) -> Option<MutexGuard<'_, Self::Value>>
    where
        F: FnMut(&Self::Value) -> bool + Send;

    /// Locks when `condition` is true, for at most `timeout`: waits so long for the condition and the lock together. If it is too long
    /// for the clock, for ever; if it is zero, as [`try_lock_when`](LockWhen::try_lock_when).
    ///
    /// ```
    /// use parkade::{Mutex, prelude::*};
    /// use std::time::Duration;
    ///
    /// let value = Mutex::new(5);
    /// assert!(value.try_lock_when_for(|value| *value == 6, Duration::from_millis(1)).is_none());
    /// ```
    ///
    /// # Panics
    /// If `condition` does. The lock is then unlocked.
    #[must_use = "dropping the guard unlocks at once"]
    fn try_lock_when_for<F>(
        &self,
        condition: F,
        timeout: Duration,
    ) -> Option<MutexGuard<'_, Self::Value>>
    where
        F: FnMut(&Self::Value) -> bool + Send;

    /// As [`try_lock_when_for`](LockWhen::try_lock_when_for), until `deadline` on the monotonic clock.
    ///
    /// ```
    /// use parkade::{Mutex, prelude::*};
    /// use std::time::Instant;
    ///
    /// let value = Mutex::new(5);
    /// assert!(value.try_lock_when_until(|value| *value == 5, Instant::now()).is_some());
    /// ```
    ///
    /// # Panics
    /// If `condition` does. The lock is then unlocked.
    #[must_use = "dropping the guard unlocks at once"]
    fn try_lock_when_until<F>(
        &self,
        condition: F,
        deadline: Instant,
    ) -> Option<MutexGuard<'_, Self::Value>>
    where
        F: FnMut(&Self::Value) -> bool + Send;
}

/// Waits with a [`MutexGuard`] until a condition is true of what the lock protects: `use parkade::prelude::*;`.
///
/// The lock is free meanwhile, and held again when the wait ends, for whatever reason. All that [`LockWhen`] says of
/// conditions holds; a timeout limits the wait for the condition, not for the lock after it.
///
/// For guards of [`Mutex`](crate::Mutex), also those that own their lock (`arc_lock`); not for mapped ones.
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
///     guard.wait_until(|steps| *steps == 2);
///     assert_eq!(*guard, 2);
/// });
/// ```
///
/// ```compile_fail,E0599
/// use parkade::{FairMutex, prelude::*};
///
/// FairMutex::new(0).lock().wait_until(|value| *value == 0);
/// ```
pub trait WaitUntil: sealed::Wait<<Self as WaitUntil>::Value> {
    /// What the lock protects.
    type Value: ?Sized;

    /// Waits until `condition` is true, however long it takes.
    ///
    /// ```
    /// use parkade::{Mutex, prelude::*};
    ///
    /// let value = Mutex::new(5);
    /// value.lock().wait_until(|value| *value == 5);
    /// ```
    ///
    /// # Panics
    /// If `condition` does. The lock is held then, until the guard is dropped.
    fn wait_until<F>(&mut self, condition: F)
    where
        F: FnMut(&Self::Value) -> bool + Send,
    {
        self.wait(condition, Limit::Never);
    }

    /// Waits until `condition` is true, for at most `timeout`; if that is too long for the clock, for ever. Says whether it is
    /// still false then.
    ///
    /// ```
    /// use parkade::{Mutex, prelude::*};
    /// use std::time::Duration;
    ///
    /// let value = Mutex::new(5);
    /// let ended = value.lock().wait_until_for(|value| *value == 6, Duration::from_millis(1));
    /// assert!(ended.timed_out());
    /// ```
    ///
    /// # Panics
    /// As [`wait_until`](WaitUntil::wait_until).
    fn wait_until_for<F>(&mut self, condition: F, timeout: Duration) -> WaitTimeoutResult
    where
        F: FnMut(&Self::Value) -> bool + Send,
    {
        ended(self.wait(condition, Limit::ForCondition(Moment::after(timeout))))
    }

    /// As [`wait_until_for`](WaitUntil::wait_until_for), until `deadline` on the monotonic clock.
    ///
    /// ```
    /// use parkade::{Mutex, prelude::*};
    /// use std::time::Instant;
    ///
    /// let value = Mutex::new(5);
    /// let ended = value.lock().wait_until_deadline(|value| *value == 5, Instant::now());
    /// assert!(!ended.timed_out());
    /// ```
    ///
    /// # Panics
    /// As [`wait_until`](WaitUntil::wait_until).
    fn wait_until_deadline<F>(&mut self, condition: F, deadline: Instant) -> WaitTimeoutResult
    where
        F: FnMut(&Self::Value) -> bool + Send,
    {
        ended(self.wait(condition, Limit::ForCondition(Moment::at(deadline))))
    }
}

fn ended(waited: Waited) -> WaitTimeoutResult {
    WaitTimeoutResult::of(match waited {
        Waited::True => Ended::Notified,
        Waited::Late | Waited::LateWithoutLock => Ended::TimedOut,
    })
}

/// The guard, if the wait has left the lock with it.
fn kept<T: ?Sized>(guard: MutexGuard<'_, T>, waited: Waited) -> Option<MutexGuard<'_, T>> {
    match waited {
        Waited::True => Some(guard),
        Waited::Late => None,
        Waited::LateWithoutLock => {
            // It has nothing to unlock.
            core::mem::forget(guard);
            None
        }
    }
}

impl<T: ?Sized> sealed::Lock for Mutex<T> {}

impl<T: ?Sized> LockWhen for Mutex<T> {
    type Value = T;

    fn lock_when<F: FnMut(&T) -> bool + Send>(&self, condition: F) -> MutexGuard<'_, T> {
        let mut guard = self.lock();
        guard.wait_until(condition);
        guard
    }

    fn try_lock_when<F>(&self, mut condition: F) -> Option<MutexGuard<'_, T>>
    where
        F: FnMut(&T) -> bool + Send,
    {
        self.try_lock().filter(|guard| condition(guard))
    }

    fn try_lock_when_for<F>(&self, condition: F, timeout: Duration) -> Option<MutexGuard<'_, T>>
    where
        F: FnMut(&T) -> bool + Send,
    {
        lock_when_before(self, condition, Moment::after(timeout))
    }

    fn try_lock_when_until<F>(&self, condition: F, deadline: Instant) -> Option<MutexGuard<'_, T>>
    where
        F: FnMut(&T) -> bool + Send,
    {
        lock_when_before(self, condition, Moment::at(deadline))
    }
}

fn lock_when_before<T: ?Sized, F>(
    lock: &Mutex<T>,
    condition: F,
    deadline: Moment,
) -> Option<MutexGuard<'_, T>>
where
    F: FnMut(&T) -> bool + Send,
{
    // SAFETY: it is locked here, and made a guard of below, or nothing.
    if !unsafe { lock.raw() }.acquire_until(|| deadline) {
        return None;
    }
    // SAFETY: the lock was acquired just now, and there is no guard of that.
    let mut guard = unsafe { lock.make_guard_unchecked(crate::GuardMarker::new()) };
    let waited = sealed::Wait::wait(&mut guard, condition, Limit::ForBoth(deadline));
    kept(guard, waited)
}

/// Guards without state, behind whose backs the lock can be released and acquired.
macro_rules! waits {
    ($guard:ident, $type:ty) => {
        impl<T: ?Sized> WaitUntil for $type {
            type Value = T;
        }

        impl<T: ?Sized> sealed::Wait<T> for $type {
            fn wait<F: FnMut(&T) -> bool + Send>(&mut self, condition: F, limit: Limit) -> Waited {
                let mutex = $guard::mutex(self);
                // SAFETY: the guard is there to hold the lock, but nobody can use it while it does not.
                let raw: &RawMutex = unsafe { mutex.raw() };
                // SAFETY: 1. the guard holds the lock, and is borrowed, so nobody has a reference that came from it.
                // 2. The condition is `Send`; so is what is protected, or the lock would not be shared.
                unsafe { raw.wait_for_condition(mutex.data_ptr(), condition, limit) }
            }
        }
    };
}

waits!(MutexGuard, MutexGuard<'_, T>);
#[cfg(feature = "arc_lock")]
use lock_api::ArcMutexGuard;
#[cfg(feature = "arc_lock")]
waits!(ArcMutexGuard, ArcMutexGuard<RawMutex, T>);
