//! [`Condvar`] and what its timed waits say.

use super::MutexGuard;
use crate::condvar::{Ended, RawCondvar};
use core::{
    fmt,
    panic::{RefUnwindSafe, UnwindSafe},
};
use parkade_core::Moment;
use std::{
    sync::{LockResult, PoisonError},
    time::{Duration, Instant},
};

/// A [`parkade::Condvar`](crate::Condvar) with the face of [`std::sync::Condvar`], for the guards of
/// [`poison::Mutex`](super::Mutex).
///
/// * **Wakeups, order, fairness, cost, `fork`**: as [`parkade::Condvar`](crate::Condvar), whose raw form this
///   is. So none is spurious, which `std` does not promise, and threads may wait with different mutexes
///   at the same time, which `std` forbids.
/// * **Poisoning**: a wait that ends with the mutex poisoned is an [`Err`] whose
///   [`PoisonError`](std::sync::PoisonError) holds what the `Ok` would have held. So waiting with a guard
///   that came from an error ends in one.
/// * **Timeouts** limit the wait for a notification, not the wait for the mutex that comes after it. The
///   operations with `until` in their name are ours; `std` has no such thing.
/// * **Panics**: nothing panics but conditions, and then the guard is dropped: the mutex is unlocked and
///   poisoned.
///
/// ```
/// use parkade::poison::{Condvar, Mutex};
///
/// let (jobs, changed) = (Mutex::new(Vec::new()), Condvar::new());
/// std::thread::scope(|scope| {
///     let worker = scope.spawn(|| {
///         let mut jobs = jobs.lock().unwrap();
///         while jobs.is_empty() {
///             jobs = changed.wait(jobs).unwrap();
///         }
///         jobs.pop()
///     });
///     jobs.lock().unwrap().push("wash");
///     changed.notify_one();
///     assert_eq!(worker.join().unwrap(), Some("wash"));
/// });
/// ```
pub struct Condvar(RawCondvar);

impl UnwindSafe for Condvar {}
impl RefUnwindSafe for Condvar {}

impl Condvar {
    /// Nobody waits.
    ///
    /// ```
    /// static CHANGED: parkade::poison::Condvar = parkade::poison::Condvar::new();
    /// CHANGED.notify_all();
    /// ```
    #[inline]
    #[must_use]
    pub const fn new() -> Condvar {
        Condvar(RawCondvar::new())
    }

    /// Unlocks, waits for a notification, and locks again.
    ///
    /// # Errors
    /// If the mutex is poisoned when it is locked again; the error holds the guard.
    ///
    /// ```
    /// use parkade::poison::{Condvar, Mutex};
    ///
    /// let (ready, changed) = (Mutex::new(false), Condvar::new());
    /// std::thread::scope(|scope| {
    ///     let mut guard = ready.lock().unwrap();
    ///     scope.spawn(|| {
    ///         *ready.lock().unwrap() = true;
    ///         changed.notify_one();
    ///     });
    ///     while !*guard {
    ///         guard = changed.wait(guard).unwrap();
    ///     }
    /// });
    /// ```
    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        self.wait_before(guard, None).0
    }

    /// Waits while `condition` holds: looks at it at once and after every notification.
    ///
    /// # Errors
    /// If the mutex is poisoned after a wait, without another look; the error holds the guard.
    ///
    /// ```
    /// use parkade::poison::{Condvar, Mutex};
    ///
    /// let (sum, changed) = (Mutex::new(0), Condvar::new());
    /// std::thread::scope(|scope| {
    ///     for _ in 0..3 {
    ///         scope.spawn(|| {
    ///             *sum.lock().unwrap() += 1;
    ///             changed.notify_all();
    ///         });
    ///     }
    ///     let sum = changed.wait_while(sum.lock().unwrap(), |sum| *sum < 3).unwrap();
    ///     assert_eq!(*sum, 3);
    /// });
    /// ```
    pub fn wait_while<'a, T, F>(
        &self,
        mut guard: MutexGuard<'a, T>,
        mut condition: F,
    ) -> LockResult<MutexGuard<'a, T>>
    where
        F: FnMut(&mut T) -> bool,
    {
        while condition(&mut *guard) {
            guard = self.wait(guard)?;
        }
        Ok(guard)
    }

    /// As [`wait_timeout`](Condvar::wait_timeout), in milliseconds; `false` if it has timed out.
    ///
    /// # Errors
    /// As [`wait_timeout`](Condvar::wait_timeout).
    ///
    /// ```
    /// use parkade::poison::{Condvar, Mutex};
    ///
    /// let lock = Mutex::new(());
    /// # #[allow(deprecated)]
    /// let (_guard, notified) = Condvar::new().wait_timeout_ms(lock.lock().unwrap(), 1).unwrap();
    /// assert!(!notified);
    /// ```
    #[deprecated = "`wait_timeout` has replaced it, as in `std`"]
    pub fn wait_timeout_ms<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        ms: u32,
    ) -> LockResult<(MutexGuard<'a, T>, bool)> {
        let notified = |(guard, ended): (_, WaitTimeoutResult)| (guard, !ended.timed_out());
        match self.wait_timeout(guard, Duration::from_millis(ms.into())) {
            Ok(waited) => Ok(notified(waited)),
            Err(poisoned) => Err(PoisonError::new(notified(poisoned.into_inner()))),
        }
    }

    /// Unlocks, waits for a notification for at most `dur`, and locks again. If that is too long for the
    /// clock, it waits for ever.
    ///
    /// # Errors
    /// If the mutex is poisoned when it is locked again; the error holds the guard and how the wait ended.
    ///
    /// ```
    /// use parkade::poison::{Condvar, Mutex};
    /// use std::time::Duration;
    ///
    /// let lock = Mutex::new(());
    /// let (_guard, ended) =
    ///     Condvar::new().wait_timeout(lock.lock().unwrap(), Duration::from_millis(1)).unwrap();
    /// assert!(ended.timed_out());
    /// ```
    pub fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        dur: Duration,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
        self.wait_timed(guard, Moment::after(dur))
    }

    /// As [`wait_timeout`](Condvar::wait_timeout), up to a moment on the monotonic clock; `std` lacks this.
    ///
    /// # Errors
    /// As [`wait_timeout`](Condvar::wait_timeout).
    ///
    /// ```
    /// use parkade::poison::{Condvar, Mutex};
    /// use std::time::Instant;
    ///
    /// let lock = Mutex::new(());
    /// let (_guard, ended) =
    ///     Condvar::new().wait_until(lock.lock().unwrap(), Instant::now()).unwrap();
    /// assert!(ended.timed_out());
    /// ```
    pub fn wait_until<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        deadline: Instant,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
        self.wait_timed(guard, Moment::at(deadline))
    }

    /// Waits while `condition` holds, for at most `dur` in all: looks at it at once and after every wait, and
    /// says whether it still holds at the end.
    ///
    /// # Errors
    /// If the mutex is poisoned after a wait, without another look; the error holds the guard and how
    /// that wait ended.
    ///
    /// ```
    /// use parkade::poison::{Condvar, Mutex};
    /// use std::time::Duration;
    ///
    /// let (lock, changed) = (Mutex::new(0), Condvar::new());
    /// let timeout = Duration::from_millis(1);
    /// let (guard, ended) =
    ///     changed.wait_timeout_while(lock.lock().unwrap(), timeout, |n| *n == 0).unwrap();
    /// assert!(ended.timed_out());
    /// let (_guard, ended) = changed.wait_timeout_while(guard, timeout, |n| *n == 1).unwrap();
    /// assert!(!ended.timed_out());
    /// ```
    pub fn wait_timeout_while<'a, T, F>(
        &self,
        guard: MutexGuard<'a, T>,
        dur: Duration,
        condition: F,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)>
    where
        F: FnMut(&mut T) -> bool,
    {
        self.wait_timed_while(guard, Moment::after(dur), condition)
    }

    /// As [`wait_timeout_while`](Condvar::wait_timeout_while), up to a moment on the monotonic clock; `std` lacks
    /// this.
    ///
    /// # Errors
    /// As [`wait_timeout_while`](Condvar::wait_timeout_while).
    ///
    /// ```
    /// use parkade::poison::{Condvar, Mutex};
    /// use std::time::Instant;
    ///
    /// let (lock, changed) = (Mutex::new(0), Condvar::new());
    /// let (_guard, ended) =
    ///     changed.wait_until_while(lock.lock().unwrap(), Instant::now(), |n| *n == 0).unwrap();
    /// assert!(ended.timed_out());
    /// ```
    pub fn wait_until_while<'a, T, F>(
        &self,
        guard: MutexGuard<'a, T>,
        deadline: Instant,
        condition: F,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)>
    where
        F: FnMut(&mut T) -> bool,
    {
        self.wait_timed_while(guard, Moment::at(deadline), condition)
    }

    /// Notifies the thread that has waited longest, if any waits. Never blocks, and is not remembered.
    ///
    /// ```
    /// parkade::poison::Condvar::new().notify_one();
    /// ```
    #[inline]
    pub fn notify_one(&self) {
        self.0.notify_first();
    }

    /// Notifies all who wait. Never blocks, and is not remembered.
    ///
    /// ```
    /// parkade::poison::Condvar::new().notify_all();
    /// ```
    #[inline]
    pub fn notify_all(&self) {
        self.0.notify_everybody();
    }

    /// A wait of any kind. The guard stays what it was: it knows when it was made, not when it waited.
    fn wait_before<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        deadline: Option<Moment>,
    ) -> (LockResult<MutexGuard<'a, T>>, Ended) {
        // The guard holds the mutex before and after, and nobody uses it in between.
        let lock = guard.0.lock;
        let ended = self.0.wait(&lock.raw, deadline);
        (lock.flag.judge(guard), ended)
    }

    fn wait_timed<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        deadline: Moment,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
        let (result, ended) = self.wait_before(guard, Some(deadline));
        let ended = WaitTimeoutResult(ended == Ended::TimedOut);
        match result {
            Ok(guard) => Ok((guard, ended)),
            Err(poisoned) => Err(PoisonError::new((poisoned.into_inner(), ended))),
        }
    }

    fn wait_timed_while<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
        deadline: Moment,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
        while condition(&mut *guard) {
            if Moment::now() >= deadline {
                return Ok((guard, WaitTimeoutResult(true)));
            }
            (guard, _) = self.wait_timed(guard, deadline)?;
        }
        Ok((guard, WaitTimeoutResult(false)))
    }
}

impl Default for Condvar {
    fn default() -> Condvar {
        Condvar::new()
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condvar").finish_non_exhaustive()
    }
}

/// Whether a wait has timed out.
///
/// ```
/// use parkade::poison::{Condvar, Mutex};
/// use std::time::Duration;
///
/// let lock = Mutex::new(());
/// let (_guard, ended) = Condvar::new().wait_timeout(lock.lock().unwrap(), Duration::ZERO).unwrap();
/// assert!(ended.timed_out());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    /// Whether the time was up before anybody notified the thread; with a condition, whether it still held.
    ///
    /// ```
    /// use parkade::poison::{Condvar, Mutex};
    /// use std::time::Duration;
    ///
    /// let lock = Mutex::new(0);
    /// let timeout = Duration::from_millis(1);
    /// let result = Condvar::new().wait_timeout_while(lock.lock().unwrap(), timeout, |_| true);
    /// assert!(result.unwrap().1.timed_out());
    /// ```
    #[must_use]
    pub fn timed_out(&self) -> bool {
        self.0
    }
}
