//! The public face of the raw latch: [`Latch`].

use super::{
    raw::{RawLatch, Waited},
    state::{MOST, TooFew},
};
use crate::task::{Handle, future};
use core::{error::Error, fmt};
use parkade_core::Moment;
use std::time::{Duration, Instant};

/// Counts down to 0 once, and then lets everybody through, for ever.
///
/// Threads count it down as they get something done; others, or the same ones, wait until all of it is. A latch of 1 is
/// a gate that one thread opens for all. It does not close again: for threads that meet again and again there is
/// [`Barrier`](crate::Barrier). Where it is not known beforehand how many there will be, or a thread that
/// panics is to count as done, use [`WaitGroup`](crate::WaitGroup).
///
/// * **Blocking**: [`wait`](Latch::wait) sleeps until the count is 0; the first in line polls for a moment before
///   that where it has paid lately. Counting down never waits for another thread's progress, nor does anything else here. At
///   an open latch `wait` costs one load and a comparison.
/// * **Tasks**: [`wait_async`](Latch::wait_async) waits without a thread, in the same queue. A future may be dropped at any time,
///   and one that nobody polls keeps nobody else waiting.
/// * **Visibility**: what a thread has done before it counted down is visible to whoever has seen the latch open.
/// * **Fairness**: opening wakes everybody. Nobody is woken before.
/// * **Panics**: counting below 0, see [`count_down_by`](Latch::count_down_by). If the waker of a task panics, opening does, once
///   all were woken. A thread that panics before it has counted
///   down never will: those who wait for it have to use a deadline, or `WaitGroup`.
/// * **Forks**: in the child of a fork the count is what it was. What is still to be counted down has to be counted
///   down there, if anybody is to get through.
/// * **Cost**: four bytes. Nothing allocates but a panic. `new` is `const`.
///
/// ```
/// use parkade::Latch;
/// use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
///
/// let (loaded, ready) = (AtomicU32::new(0), Latch::new(3));
/// std::thread::scope(|scope| {
///     for part in 1..=3 {
///         let (loaded, ready) = (&loaded, &ready);
///         scope.spawn(move || {
///             loaded.fetch_add(part, Relaxed);
///             ready.count_down();
///             // It goes on here, with something else.
///         });
///     }
///     ready.wait();
///     assert_eq!(loaded.load(Relaxed), 6);
/// });
/// ```
pub struct Latch {
    raw: RawLatch,
}

/// A [`Latch`] was to be counted down by more than was left; it is as it was before.
///
/// ```
/// let latch = parkade::Latch::new(2);
/// let error = latch.try_count_down_by(3).unwrap_err();
/// assert_eq!((error.left(), error.by()), (2, 3));
/// assert_eq!(error.to_string(), "cannot count down by 3: the latch has 2 left");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CountDownError {
    left: usize,
    by: usize,
}

impl CountDownError {
    /// What was left.
    ///
    /// ```
    /// assert_eq!(parkade::Latch::new(0).try_count_down().unwrap_err().left(), 0);
    /// ```
    #[must_use]
    pub const fn left(&self) -> usize {
        self.left
    }

    /// By how much it was to be counted down.
    ///
    /// ```
    /// assert_eq!(parkade::Latch::new(0).try_count_down().unwrap_err().by(), 1);
    /// ```
    #[must_use]
    pub const fn by(&self) -> usize {
        self.by
    }
}

impl fmt::Display for CountDownError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot count down by {}: the latch has {} left", self.by, self.left)
    }
}

impl Error for CountDownError {}

impl Latch {
    /// The largest count: 2^31 - 1.
    ///
    /// ```
    /// assert_eq!(parkade::Latch::new(parkade::Latch::MAX).count(), 2_147_483_647);
    /// ```
    pub const MAX: usize = MOST as usize;

    /// A latch that opens when it was counted down by `count` in all; with 0 it is open.
    ///
    /// ```
    /// static GATE: parkade::Latch = parkade::Latch::new(1);
    /// GATE.count_down();
    /// GATE.wait();
    /// ```
    ///
    /// # Panics
    /// If `count` is above [`MAX`](Latch::MAX); in a constant, when it is compiled.
    #[inline]
    #[must_use]
    #[track_caller]
    pub const fn new(count: usize) -> Latch {
        assert!(count <= Latch::MAX, "the count of a latch is at most Latch::MAX");
        Latch { raw: RawLatch::new(count as u32) }
    }

    /// Counts down by 1. Whoever brings the count to 0 wakes those who wait.
    ///
    /// ```
    /// let latch = parkade::Latch::new(2);
    /// latch.count_down();
    /// assert_eq!(latch.count(), 1);
    /// ```
    ///
    /// # Panics
    /// If the count is 0; it is still 0 afterwards.
    #[inline]
    #[track_caller]
    pub fn count_down(&self) {
        self.count_down_by(1);
    }

    /// Counts down by `by`, in one step. With 0 nothing happens.
    ///
    /// ```
    /// let latch = parkade::Latch::new(3);
    /// latch.count_down_by(3);
    /// assert!(latch.is_open());
    /// ```
    ///
    /// # Panics
    /// If less is left; the count is then as it was before.
    #[inline]
    #[track_caller]
    pub fn count_down_by(&self, by: usize) {
        if let Err(error) = self.try_count_down_by(by) {
            too_few(error);
        }
    }

    /// As [`count_down`](Latch::count_down), but it is an error instead of a panic if the latch is open.
    ///
    /// ```
    /// let latch = parkade::Latch::new(1);
    /// assert!(latch.try_count_down().is_ok());
    /// assert!(latch.try_count_down().is_err());
    /// ```
    ///
    /// # Errors
    /// If the count is 0; nothing has changed then.
    #[inline]
    pub fn try_count_down(&self) -> Result<(), CountDownError> {
        self.try_count_down_by(1)
    }

    /// As [`count_down_by`](Latch::count_down_by), but it is an error instead of a panic if less is left.
    ///
    /// ```
    /// let latch = parkade::Latch::new(2);
    /// assert!(latch.try_count_down_by(3).is_err());
    /// assert_eq!(latch.count(), 2);
    /// ```
    ///
    /// # Errors
    /// If less is left; nothing has changed then.
    #[inline]
    pub fn try_count_down_by(&self, by: usize) -> Result<(), CountDownError> {
        let counted = match u32::try_from(by) {
            Ok(by) => self.raw.count_down(by),
            Err(_) => Err(TooFew { left: self.raw.count() }),
        };
        counted.map_err(|TooFew { left }| CountDownError { left: left as usize, by })
    }

    /// What is left. Another thread may count down at any time, unless it is 0.
    ///
    /// ```
    /// assert_eq!(parkade::Latch::new(5).count(), 5);
    /// ```
    #[inline]
    #[must_use]
    pub fn count(&self) -> usize {
        self.raw.count() as usize
    }

    /// Whether nothing is left. If so, what all have done before they counted down is visible.
    ///
    /// ```
    /// assert!(parkade::Latch::new(0).is_open());
    /// ```
    #[inline]
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.raw.is_open()
    }

    /// Waits until nothing is left.
    ///
    /// ```
    /// let latch = parkade::Latch::new(1);
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| latch.count_down());
    ///     latch.wait();
    /// });
    /// ```
    #[inline]
    pub fn wait(&self) {
        if !self.raw.is_open() {
            self.raw.wait(None);
        }
    }

    /// As [`wait`](Latch::wait), for `timeout` at most; whether it is open. If the timeout is too long for the clock, for
    /// ever.
    ///
    /// ```
    /// let latch = parkade::Latch::new(1);
    /// assert!(!latch.wait_for(std::time::Duration::from_millis(1)));
    /// ```
    #[inline]
    #[must_use = "it may have timed out"]
    pub fn wait_for(&self, timeout: Duration) -> bool {
        self.wait_before(|| Moment::after(timeout))
    }

    /// As [`wait`](Latch::wait), until `deadline` at the latest; whether it is open.
    ///
    /// ```
    /// let latch = parkade::Latch::new(0);
    /// assert!(latch.wait_until(std::time::Instant::now()));
    /// ```
    #[inline]
    #[must_use = "it may have timed out"]
    pub fn wait_until(&self, deadline: Instant) -> bool {
        self.wait_before(|| Moment::at(deadline))
    }

    /// Waits until nothing is left, as a task does. Any executor will do; for a timeout, drop the future when the time is up.
    ///
    /// ```
    /// let latch = parkade::Latch::new(1);
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| latch.count_down());
    ///     futures::executor::block_on(latch.wait_async());
    /// });
    /// ```
    #[inline]
    pub fn wait_async(&self) -> WaitLatch<'_> {
        WaitLatch::new(self)
    }

    #[inline]
    fn wait_before(&self, deadline: impl FnOnce() -> Moment) -> bool {
        self.raw.is_open() || self.raw.wait(Some(deadline())) == Waited::Open
    }

    /// Counts down by 1 and waits until nothing is left: threads meet, once.
    ///
    /// ```
    /// let latch = parkade::Latch::new(2);
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| latch.arrive_and_wait());
    ///     latch.arrive_and_wait();
    /// });
    /// ```
    ///
    /// # Panics
    /// If the count is 0, as [`count_down`](Latch::count_down).
    #[inline]
    #[track_caller]
    pub fn arrive_and_wait(&self) {
        self.count_down();
        self.wait();
    }

    /// As [`arrive_and_wait`](Latch::arrive_and_wait), but waits for `timeout` at most; whether it is open. The
    /// arrival stays, in time or not: to arrive again would count twice.
    ///
    /// ```
    /// let latch = parkade::Latch::new(2);
    /// assert!(!latch.arrive_and_wait_for(std::time::Duration::from_millis(1)));
    /// assert_eq!(latch.count(), 1);
    /// ```
    ///
    /// # Panics
    /// If the count is 0, as [`count_down`](Latch::count_down).
    #[inline]
    #[track_caller]
    #[must_use = "it may have timed out"]
    pub fn arrive_and_wait_for(&self, timeout: Duration) -> bool {
        self.count_down();
        self.wait_for(timeout)
    }

    /// As [`arrive_and_wait_for`](Latch::arrive_and_wait_for), up to a moment on the monotonic clock.
    ///
    /// ```
    /// let latch = parkade::Latch::new(1);
    /// assert!(latch.arrive_and_wait_until(std::time::Instant::now()));
    /// ```
    ///
    /// # Panics
    /// If the count is 0, as [`count_down`](Latch::count_down).
    #[inline]
    #[track_caller]
    #[must_use = "it may have timed out"]
    pub fn arrive_and_wait_until(&self, deadline: Instant) -> bool {
        self.count_down();
        self.wait_until(deadline)
    }
}

future! {
    /// Waits for a [`Latch`]: the future of [`wait_async`](Latch::wait_async).
    pub struct WaitLatch['a]['a](&'a Latch) -> ();
}

impl Handle for &Latch {
    type Queue = RawLatch;
    type Output = ();

    fn queue(&self) -> &RawLatch {
        &self.raw
    }

    fn want(&self) {}

    fn finish(self, (): ()) {}
}

#[cold]
#[track_caller]
fn too_few(error: CountDownError) -> ! {
    panic!("{error}");
}

impl fmt::Debug for Latch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Latch").field("count", &self.count()).finish()
    }
}
