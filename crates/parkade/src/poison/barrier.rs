//! [`Barrier`], which is not poisoned: `std`'s is not either.

use crate::{BarrierError, BarrierWaitResult};
use core::fmt;
use std::time::{Duration, Instant};

/// A [`parkade::Barrier`](crate::Barrier) with the face of [`std::sync::Barrier`].
///
/// * **Blocking, leader, visibility, fairness, cost, `fork`**: as [`parkade::Barrier`](crate::Barrier), which this is.
/// * **Poisoning**: none, as `std`'s has none. If a party panics before it has arrived the others wait; where that
///   must not be, `parkade::Barrier` can be aborted.
/// * **Timeouts**: [`wait_for`](Barrier::wait_for) and [`wait_until`](Barrier::wait_until) are ours; `std` has no such thing.
///
/// ```
/// use parkade::poison::{Arc, Barrier}; // was: use std::sync::{Arc, Barrier};
///
/// let barrier = Arc::new(Barrier::new(3));
/// let threads = [(); 3].map(|()| {
///     let barrier = Arc::clone(&barrier);
///     std::thread::spawn(move || barrier.wait().is_leader())
/// });
/// let leaders = threads.into_iter().map(|thread| thread.join().unwrap());
/// assert_eq!(leaders.filter(|&leads| leads).count(), 1);
/// ```
pub struct Barrier(crate::Barrier);

impl Barrier {
    /// A barrier for `n` threads. 0 is as good as 1: nobody waits. With more than 2^31 - 1 everybody waits for ever, for so
    /// many threads never are.
    ///
    /// ```
    /// static STEP: parkade::poison::Barrier = parkade::poison::Barrier::new(1);
    /// assert!(STEP.wait().is_leader());
    /// ```
    #[inline]
    #[must_use]
    pub const fn new(n: usize) -> Barrier {
        Barrier(crate::Barrier::new(if n < crate::Barrier::MAX { n } else { crate::Barrier::MAX }))
    }

    /// Waits until all have arrived.
    ///
    /// ```
    /// let barrier = parkade::poison::Barrier::new(2);
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| barrier.wait());
    ///     barrier.wait();
    /// });
    /// ```
    #[inline]
    pub fn wait(&self) -> BarrierWaitResult {
        self.0.wait().unwrap_or_else(|error| unreachable!("{error}: but nobody can do that"))
    }

    /// As [`wait`](Barrier::wait), for `timeout` at most; `None` if others were missing still: it is then as if the thread
    /// had not come. `std` lacks this.
    ///
    /// ```
    /// let barrier = parkade::poison::Barrier::new(2);
    /// assert!(barrier.wait_for(std::time::Duration::from_millis(1)).is_none());
    /// ```
    #[inline]
    #[must_use = "it may have timed out"]
    pub fn wait_for(&self, timeout: Duration) -> Option<BarrierWaitResult> {
        in_time(self.0.wait_for(timeout))
    }

    /// As [`wait_for`](Barrier::wait_for), up to a moment on the monotonic clock.
    ///
    /// ```
    /// let barrier = parkade::poison::Barrier::new(1);
    /// assert!(barrier.wait_until(std::time::Instant::now()).is_some());
    /// ```
    #[inline]
    #[must_use = "it may have timed out"]
    pub fn wait_until(&self, deadline: Instant) -> Option<BarrierWaitResult> {
        in_time(self.0.wait_until(deadline))
    }
}

fn in_time(ended: Result<BarrierWaitResult, BarrierError>) -> Option<BarrierWaitResult> {
    debug_assert_ne!(ended, Err(BarrierError::Aborted), "nobody can do that");
    ended.ok()
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier").finish_non_exhaustive()
    }
}
