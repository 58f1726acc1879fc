//! [`Condvar`]: waiting for what a [`Mutex`](crate::Mutex) protects to change.

use crate::{MutexGuard, RawMutex, face::Stateless};
use core::fmt;
use lock_api_05::{RawCondvar as _, RawCondvarTimed as _};
use parkade::RawCondvar;
use std::time::{Duration, Instant};

/// Whether a wait with a deadline was in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    /// Whether the time was up before anybody notified the thread.
    #[inline]
    #[must_use]
    pub fn timed_out(self) -> bool {
        self.0
    }
}

/// [`parkade::Condvar`] behind the interface of `parking_lot` 0.12.
///
/// There are no spurious wake-ups. A thread that waits has the mutex again when it returns, whether it was
/// notified or not; notified threads stand in line for it.
///
/// ```
/// use parking_lot::{Condvar, Mutex};
///
/// let (jobs, changed) = (Mutex::new(Vec::new()), Condvar::new());
/// std::thread::scope(|scope| {
///     let worker = scope.spawn(|| {
///         let mut jobs = jobs.lock();
///         while jobs.is_empty() {
///             changed.wait(&mut jobs);
///         }
///         jobs.pop()
///     });
///     jobs.lock().push("wash");
///     changed.notify_one();
///     assert_eq!(worker.join().unwrap(), Some("wash"));
/// });
/// ```
pub struct Condvar {
    raw: RawCondvar,
}

impl Condvar {
    /// Nobody waits.
    ///
    /// ```
    /// static CHANGED: parking_lot::Condvar = parking_lot::Condvar::new();
    /// assert_eq!(CHANGED.notify_all(), 0);
    /// ```
    #[inline]
    pub const fn new() -> Condvar {
        Condvar { raw: RawCondvar::INIT }
    }

    /// Notifies the thread that has waited longest; whether there was one. Never blocks.
    #[inline]
    pub fn notify_one(&self) -> bool {
        self.raw.notify_one()
    }

    /// Notifies all who wait; how many they were. Never blocks.
    #[inline]
    pub fn notify_all(&self) -> usize {
        self.raw.notify_all()
    }

    /// Waits for a notification, however long it takes.
    #[inline]
    #[track_caller]
    pub fn wait<T: ?Sized>(&self, mutex_guard: &mut MutexGuard<'_, T>) {
        let mutex = raw_of(mutex_guard);
        // SAFETY: the guard holds the mutex, and is borrowed as long as it does not.
        unsafe { self.raw.wait(&mutex.0, &mut Stateless::stateless()) };
    }

    /// Waits for a notification until `timeout`, on the monotonic clock, at the latest.
    #[inline]
    #[track_caller]
    pub fn wait_until<T: ?Sized>(
        &self,
        mutex_guard: &mut MutexGuard<'_, T>,
        timeout: Instant,
    ) -> WaitTimeoutResult {
        let mutex = raw_of(mutex_guard);
        // SAFETY: as for `wait`.
        let timed_out =
            unsafe { self.raw.wait_until(&mutex.0, &mut Stateless::stateless(), &timeout) };
        WaitTimeoutResult(timed_out)
    }

    /// Waits for a notification for at most `timeout`; for ever, if it is too long for the clock.
    ///
    /// ```
    /// use parking_lot::{Condvar, Mutex};
    ///
    /// let lock = Mutex::new(());
    /// let result = Condvar::new().wait_for(&mut lock.lock(), std::time::Duration::ZERO);
    /// assert!(result.timed_out());
    /// ```
    #[inline]
    #[track_caller]
    pub fn wait_for<T: ?Sized>(
        &self,
        mutex_guard: &mut MutexGuard<'_, T>,
        timeout: Duration,
    ) -> WaitTimeoutResult {
        self.wait_before(mutex_guard, deadline(timeout))
    }

    /// Waits as long as `condition` holds. It is asked with the mutex locked: at first, and after every
    /// notification.
    #[inline]
    #[track_caller]
    pub fn wait_while<T, F>(&self, mutex_guard: &mut MutexGuard<'_, T>, mut condition: F)
    where
        T: ?Sized,
        F: FnMut(&mut T) -> bool,
    {
        while condition(mutex_guard) {
            self.wait(mutex_guard);
        }
    }

    /// Waits as long as `condition` holds, until `timeout` at the latest.
    ///
    /// When the time is up, the condition is not asked again (as in the original; `parking_lot` 0.13 does).
    #[inline]
    #[track_caller]
    pub fn wait_while_until<T, F>(
        &self,
        mutex_guard: &mut MutexGuard<'_, T>,
        condition: F,
        timeout: Instant,
    ) -> WaitTimeoutResult
    where
        T: ?Sized,
        F: FnMut(&mut T) -> bool,
    {
        self.wait_while_before(mutex_guard, condition, Some(timeout))
    }

    /// Waits as long as `condition` holds, for at most `timeout`; as
    /// [`wait_while_until`](Condvar::wait_while_until).
    #[inline]
    #[track_caller]
    pub fn wait_while_for<T: ?Sized, F>(
        &self,
        mutex_guard: &mut MutexGuard<'_, T>,
        condition: F,
        timeout: Duration,
    ) -> WaitTimeoutResult
    where
        F: FnMut(&mut T) -> bool,
    {
        self.wait_while_before(mutex_guard, condition, deadline(timeout))
    }

    #[track_caller]
    fn wait_before<T: ?Sized>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        deadline: Option<Instant>,
    ) -> WaitTimeoutResult {
        match deadline {
            Some(deadline) => self.wait_until(guard, deadline),
            None => {
                self.wait(guard);
                WaitTimeoutResult(false)
            }
        }
    }

    #[track_caller]
    fn wait_while_before<T: ?Sized>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        mut condition: impl FnMut(&mut T) -> bool,
        deadline: Option<Instant>,
    ) -> WaitTimeoutResult {
        let mut result = WaitTimeoutResult(false);
        while !result.timed_out() && condition(guard) {
            result = self.wait_before(guard, deadline);
        }
        result
    }
}

/// The mutex behind a guard.
fn raw_of<'a, T: ?Sized>(guard: &mut MutexGuard<'a, T>) -> &'a RawMutex {
    // SAFETY: it is unlocked only to wait, and locked again before anybody can use the guard.
    unsafe { MutexGuard::mutex(guard).raw() }
}

/// `None` if the clock does not reach that far.
fn deadline(timeout: Duration) -> Option<Instant> {
    Instant::now().checked_add(timeout)
}

impl Default for Condvar {
    #[inline]
    fn default() -> Condvar {
        Condvar::new()
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("Condvar { .. }")
    }
}
