//! The public type.

pub use super::guards::{Views, WaitGuard};
use super::raw::{Ended, RawCondvar};
use core::fmt;
use parkade_core::Moment;
use std::time::{Duration, Instant};

/// A condition variable: threads that hold a lock wait with it until another says that something has changed. Tasks do too
/// ([`wait_async`](Condvar::wait_async)).
///
/// [`wait`](Condvar::wait) unlocks and waits in one step, so that no notification is missed by a thread that has
/// looked at what the lock protects and is about to wait, and locks again before it returns. Mostly
/// [`wait_while`](Condvar::wait_while) is what is needed.
///
/// * **Locks**: any guard of [`Mutex`](crate::Mutex), [`FairMutex`](crate::FairMutex), [`RwLock`](crate::RwLock) and
///   [`RecursiveRwLock`](crate::RecursiveRwLock) will do ([`WaitGuard`]). Threads may wait for one condition variable with
///   different locks at the same time (`parking_lot` panics then).
/// * **Wakeups**: none is spurious. A wait ends because a thread was notified or its time was up, and never both: a
///   thread that is notified as its time runs out was notified, and no notification is spent on one
///   that reports a timeout. So the counts that notifying returns are exact. But another thread may have
///   had the lock between the notification and the return, and may have undone what it was about.
/// * **Order**: first in, first out.
/// * **Fairness**: a thread that was notified waits for its lock like any other. With a mutex it is, as a rule, moved
///   to the queue of the mutex without waking up, so that `notify_all` wakes one thread at most, and each of the
///   others as the mutex comes to it. The bounds on waiting that the locks promise count from the notification.
///   Waiters of reader-writer locks, and of other mutexes than the first thread in line waits with, are all woken, and so are tasks.
/// * **Timeouts** limit the wait for a notification, not the wait for the lock that comes after it.
/// * **Panics**: nothing here does. A guard whose lock cannot be had again (2^23 readers; a debug build that finds
///   that [`RwLock`](crate::RwLock) would deadlock) aborts the process.
/// * **Cost**: one byte. To notify nobody takes one load; to notify a thread, two locks of the parking table.
///   Nothing allocates, ever. `new` is `const`.
/// * **Memory**: threads that were notified do not touch the condition variable any more. So it may be freed
///   as soon as all have been, though they may not have returned yet; of course safe code cannot do that. (Tasks may have to pass a
///   notification on.)
/// * **Process**: after `fork` a child may use it; those who waited in the parent are not there. Not for signal
///   handlers, nor for memory shared between processes.
///
/// ```
/// use parkade::{Condvar, Mutex};
///
/// let (jobs, changed) = (Mutex::new(Vec::new()), Condvar::new());
/// std::thread::scope(|scope| {
///     let worker = scope.spawn(|| {
///         let mut jobs = jobs.lock();
///         changed.wait_while(&mut jobs, |jobs| jobs.is_empty());
///         jobs.pop()
///     });
///     jobs.lock().push("wash");
///     changed.notify_one();
///     assert_eq!(worker.join().unwrap(), Some("wash"));
/// });
/// ```
#[derive(Debug)]
pub struct Condvar {
    raw: RawCondvar,
}

impl Condvar {
    /// Nobody waits.
    ///
    /// ```
    /// static CHANGED: parkade::Condvar = parkade::Condvar::new();
    /// assert_eq!(CHANGED.notify_all(), 0);
    /// ```
    #[must_use]
    pub const fn new() -> Condvar {
        Condvar { raw: RawCondvar::new() }
    }

    /// Notifies the thread or task that has waited longest; whether there was one.
    ///
    /// Never blocks. A notification that finds nobody is not remembered. The notifying thread need not hold the lock
    /// of those who wait, but if it has changed what they wait for without holding it, so that they could look at
    /// the same time, it may come between their look and their wait. (So changes for those who wait with a read
    /// guard are made with a write guard.)
    ///
    /// ```
    /// assert!(!parkade::Condvar::new().notify_one());
    /// ```
    #[inline]
    pub fn notify_one(&self) -> bool {
        self.raw.notify_first()
    }

    /// Notifies all who wait; how many they were.
    ///
    /// As [`notify_one`](Condvar::notify_one) otherwise. Those who begin to wait afterwards are not notified.
    ///
    /// ```
    /// assert_eq!(parkade::Condvar::new().notify_all(), 0);
    /// ```
    #[inline]
    pub fn notify_all(&self) -> usize {
        self.raw.notify_everybody()
    }

    /// Waits for a notification, however long it takes.
    ///
    /// Unlocks meanwhile, and has locked again when it returns. (What the thread has by other guards of the same lock it
    /// keeps.)
    ///
    /// ```
    /// use parkade::{Condvar, FairMutex};
    ///
    /// let (ready, changed) = (FairMutex::new(false), Condvar::new());
    /// std::thread::scope(|scope| {
    ///     let mut guard = ready.lock();
    ///     scope.spawn(|| {
    ///         *ready.lock() = true;
    ///         changed.notify_one();
    ///     });
    ///     changed.wait(&mut guard);
    ///     assert!(*guard);
    /// });
    /// ```
    #[inline]
    #[track_caller]
    pub fn wait<G: WaitGuard>(&self, guard: &mut G) {
        guard.wait(&self.raw, None);
    }

    /// Waits for a notification until `deadline`, on the monotonic clock, at the latest; not less. A
    /// deadline that has passed already still unlocks and locks again.
    ///
    /// ```
    /// use parkade::{Condvar, Mutex};
    /// use std::time::Instant;
    ///
    /// let lock = Mutex::new(());
    /// let ended = Condvar::new().wait_until(&mut lock.lock(), Instant::now());
    /// assert!(ended.timed_out());
    /// ```
    #[track_caller]
    pub fn wait_until<G: WaitGuard>(&self, guard: &mut G, deadline: Instant) -> WaitTimeoutResult {
        WaitTimeoutResult::of(guard.wait(&self.raw, Some(Moment::at(deadline))))
    }

    /// Waits for a notification for at most `timeout`; as [`wait_until`](Condvar::wait_until). If it is too long for the
    /// clock, for ever.
    ///
    /// ```
    /// use parkade::{Condvar, Mutex};
    /// use std::time::Duration;
    ///
    /// let lock = Mutex::new(());
    /// let ended = Condvar::new().wait_for(&mut lock.lock(), Duration::from_millis(1));
    /// assert!(ended.timed_out());
    /// ```
    #[track_caller]
    pub fn wait_for<G: WaitGuard>(&self, guard: &mut G, timeout: Duration) -> WaitTimeoutResult {
        WaitTimeoutResult::of(guard.wait(&self.raw, Some(Moment::after(timeout))))
    }

    /// Waits while `condition` holds: looks at it at once and after every notification, with the lock held.
    ///
    /// If it panics the lock stays held, until the guard is dropped.
    ///
    /// ```
    /// use parkade::{Condvar, RwLock};
    ///
    /// let (sum, changed) = (RwLock::new(0), Condvar::new());
    /// std::thread::scope(|scope| {
    ///     for _ in 0..3 {
    ///         scope.spawn(|| {
    ///             *sum.write() += 1;
    ///             changed.notify_all();
    ///         });
    ///     }
    ///     // With a read guard the condition may only look.
    ///     let mut sum = sum.read();
    ///     changed.wait_while(&mut sum, |sum| *sum < 3);
    ///     assert_eq!(*sum, 3);
    /// });
    /// ```
    #[track_caller]
    pub fn wait_while<G, F>(&self, guard: &mut G, mut condition: F)
    where
        G: WaitGuard,
        F: FnMut(<G as Views<'_>>::View) -> bool,
    {
        while condition(guard.view()) {
            guard.wait(&self.raw, None);
        }
    }

    /// As [`wait_while`](Condvar::wait_while), until `deadline`. Says whether the condition still holds then: it is looked at
    /// once more when the time is up.
    ///
    /// ```
    /// use parkade::{Condvar, Mutex};
    /// use std::time::Instant;
    ///
    /// let lock = Mutex::new(0);
    /// let changed = Condvar::new();
    /// let ended = changed.wait_while_until(&mut lock.lock(), |value| *value == 0, Instant::now());
    /// assert!(ended.timed_out());
    /// ```
    #[track_caller]
    pub fn wait_while_until<G, F>(
        &self,
        guard: &mut G,
        condition: F,
        deadline: Instant,
    ) -> WaitTimeoutResult
    where
        G: WaitGuard,
        F: FnMut(<G as Views<'_>>::View) -> bool,
    {
        self.wait_while_before(guard, condition, || Moment::at(deadline))
    }

    /// As [`wait_while_until`](Condvar::wait_while_until), for at most `timeout` in all. If that is too long for the clock, for
    /// ever.
    ///
    /// ```
    /// use parkade::{Condvar, Mutex};
    /// use std::time::Duration;
    ///
    /// let lock = Mutex::new(1);
    /// let changed = Condvar::new();
    /// let timeout = Duration::from_secs(3600);
    /// let ended = changed.wait_while_for(&mut lock.lock(), |value| *value == 0, timeout);
    /// assert!(!ended.timed_out());
    /// ```
    #[track_caller]
    pub fn wait_while_for<G, F>(
        &self,
        guard: &mut G,
        condition: F,
        timeout: Duration,
    ) -> WaitTimeoutResult
    where
        G: WaitGuard,
        F: FnMut(<G as Views<'_>>::View) -> bool,
    {
        self.wait_while_before(guard, condition, || Moment::after(timeout))
    }

    #[track_caller]
    fn wait_while_before<G, F>(
        &self,
        guard: &mut G,
        mut condition: F,
        deadline: impl FnOnce() -> Moment,
    ) -> WaitTimeoutResult
    where
        G: WaitGuard,
        F: FnMut(<G as Views<'_>>::View) -> bool,
    {
        let deadline = deadline();
        let mut ended = Ended::Notified;
        while condition(guard.view()) {
            if ended == Ended::TimedOut {
                return WaitTimeoutResult::of(ended);
            }
            ended = guard.wait(&self.raw, Some(deadline));
        }
        WaitTimeoutResult::of(Ended::Notified)
    }
}

impl Condvar {
    pub(super) fn raw(&self) -> &RawCondvar {
        &self.raw
    }
}

impl Default for Condvar {
    fn default() -> Condvar {
        Condvar::new()
    }
}

/// Whether a wait with a deadline was in vain.
///
/// ```
/// use parkade::{Condvar, Mutex};
/// use std::time::Duration;
///
/// let lock = Mutex::new(());
/// let ended = Condvar::new().wait_for(&mut lock.lock(), Duration::ZERO);
/// assert!(ended.timed_out());
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct WaitTimeoutResult(Ended);

impl WaitTimeoutResult {
    pub(crate) fn of(ended: Ended) -> WaitTimeoutResult {
        WaitTimeoutResult(ended)
    }

    /// Whether the time was up before anybody notified the thread; or, where it waited with a condition, before
    /// that had ceased to hold.
    #[must_use]
    pub const fn timed_out(self) -> bool {
        matches!(self.0, Ended::TimedOut)
    }
}

impl fmt::Debug for WaitTimeoutResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WaitTimeoutResult").field(&self.timed_out()).finish()
    }
}
