//! The public face of the raw barrier: [`Barrier`], its results and its guard.

use super::{
    future::Party,
    raw::{Failed, RawBarrier, Role},
    state::MOST,
};
use crate::task::{Handle, future};
use core::{error::Error, fmt, marker::PhantomData};
use parkade_core::Moment;
use std::{
    thread,
    time::{Duration, Instant},
};

/// Lets threads go on together, as soon as so many have arrived; again and again.
///
/// Each time as many as there are parties wait for each other; those are a *generation*. Any threads may be parties,
/// others each time if they like. For threads that meet once there is [`Latch`](crate::Latch), which also lets others wait who
/// are not to be waited for.
///
/// * **Blocking**: [`wait`](Barrier::wait) sleeps until the last party arrives. If there is a processor for each party it
///   polls for a moment before that; else the first to arrive does, where it has paid lately. The last one
///   never waits. Nothing else blocks.
/// * **Leader**: exactly one of each generation is told that it is the leader: the last one to arrive.
/// * **Visibility**: what each party has done before it came is visible to all of its generation afterwards. What a
///   thread has done before it aborts is visible to whoever learns that the barrier is aborted.
/// * **Fairness**: the last one wakes all others of its generation. A barrier is usable for the next as soon as one
///   has come through: who comes round before others have even woken waits for the next generation, and
///   disturbs nobody.
/// * **Timeouts**: [`wait_for`](Barrier::wait_for) and [`wait_until`](Barrier::wait_until) take the arrival back if the time is up
///   before the last party arrives, and the others wait on. A thread that was up to be woken just then has passed.
/// * **Tasks**: [`wait_async`](Barrier::wait_async) arrives without a thread; parties may be threads and tasks in any mixture. If the
///   waker of a task panics, so do `wait` and `abort` when they wake it, once all were let go.
/// * **Aborting**: if a party cannot come any more, [`abort`](Barrier::abort) gives an error to everybody who waits or
///   comes, so that nobody waits for ever. [`abort_on_unwind`](Barrier::abort_on_unwind) does it when the thread panics.
///   Those of one generation have all passed or are all told that it is aborted; with both under way, what comes first
///   counts for all.
/// * **Forks**: in the child of a fork nobody has arrived yet, for those who wait are not there. An aborted one
///   stays so.
/// * **Cost**: 12 bytes. Nothing allocates. `new` is `const`.
///
/// Where many parties, each on a processor of its own, meet every few hundred nanoseconds, a barrier of theirs that only
/// spins may be faster: here they take a lock in turn to arrive.
///
/// ```
/// use parkade::Barrier;
/// use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
///
/// // A prefix sum, in steps that each read what all have written in the one before.
/// let values = [1, 2, 3, 4].map(AtomicU32::new);
/// let step = Barrier::new(values.len());
/// std::thread::scope(|scope| {
///     for index in 0..values.len() {
///         let (values, step) = (&values, &step);
///         scope.spawn(move || {
///             for distance in [1, 2] {
///                 let before = index.checked_sub(distance).map_or(0, |from| values[from].load(Relaxed));
///                 step.wait()?;
///                 values[index].fetch_add(before, Relaxed);
///                 step.wait()?;
///             }
///             Ok::<_, parkade::BarrierError>(())
///         });
///     }
/// });
/// assert_eq!(values.map(AtomicU32::into_inner), [1, 3, 6, 10]);
/// ```
pub struct Barrier {
    raw: RawBarrier,
}

/// That all have arrived, and whether the caller is the leader.
///
/// ```
/// assert!(parkade::Barrier::new(1).wait().unwrap().is_leader());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BarrierWaitResult {
    is_leader: bool,
}

impl BarrierWaitResult {
    fn of(ended: Result<Role, Failed>) -> Result<BarrierWaitResult, BarrierError> {
        match ended {
            Ok(role) => Ok(BarrierWaitResult { is_leader: role == Role::Leader }),
            Err(Failed::Aborted) => Err(BarrierError::Aborted),
            Err(Failed::TimedOut) => Err(BarrierError::TimedOut),
        }
    }

    /// Whether this is the one of its generation that was the last to arrive: what is to be done once for
    /// all may be done by it.
    ///
    /// ```
    /// use parkade::Barrier;
    ///
    /// let (barrier, cleanings) = (Barrier::new(3), std::sync::atomic::AtomicU32::new(0));
    /// std::thread::scope(|scope| {
    ///     for _ in 0..3 {
    ///         scope.spawn(|| {
    ///             if barrier.wait().unwrap().is_leader() {
    ///                 cleanings.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    ///             }
    ///         });
    ///     }
    /// });
    /// assert_eq!(cleanings.into_inner(), 1);
    /// ```
    #[inline]
    #[must_use]
    pub const fn is_leader(&self) -> bool {
        self.is_leader
    }
}

/// Why a thread has not come through a [`Barrier`].
///
/// ```
/// use parkade::{Barrier, BarrierError};
/// use std::time::Duration;
///
/// let barrier = Barrier::new(2);
/// assert_eq!(barrier.wait_for(Duration::from_millis(1)), Err(BarrierError::TimedOut));
/// barrier.abort();
/// assert_eq!(barrier.wait(), Err(BarrierError::Aborted));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BarrierError {
    /// Somebody has called [`abort`](Barrier::abort), or panicked under a guard of
    /// [`abort_on_unwind`](Barrier::abort_on_unwind). It stays so.
    Aborted,
    /// The time was up before the last party arrived. The others wait on, without this thread. Only timed
    /// waits end like this.
    TimedOut,
}

impl fmt::Display for BarrierError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BarrierError::Aborted => "the barrier is aborted",
            BarrierError::TimedOut => "the time was up before all had arrived at the barrier",
        })
    }
}

impl Error for BarrierError {}

impl Barrier {
    /// The largest number of parties: 2^31 - 1.
    ///
    /// ```
    /// assert_eq!(parkade::Barrier::new(parkade::Barrier::MAX).parties(), 2_147_483_647);
    /// ```
    pub const MAX: usize = MOST as usize;

    /// A barrier for so many parties. 0 is as good as 1: nobody waits.
    ///
    /// ```
    /// static STEP: parkade::Barrier = parkade::Barrier::new(1);
    /// assert!(STEP.wait().unwrap().is_leader());
    /// ```
    ///
    /// # Panics
    /// If there are more than [`MAX`](Barrier::MAX); in a constant, when it is compiled.
    #[inline]
    #[must_use]
    #[track_caller]
    pub const fn new(parties: usize) -> Barrier {
        assert!(parties <= Barrier::MAX, "the parties of a barrier are at most Barrier::MAX");
        Barrier { raw: RawBarrier::new(parties as u32) }
    }

    /// How many have to arrive.
    ///
    /// ```
    /// assert_eq!(parkade::Barrier::new(3).parties(), 3);
    /// assert_eq!(parkade::Barrier::new(0).parties(), 1);
    /// ```
    #[inline]
    #[must_use]
    pub fn parties(&self) -> usize {
        self.raw.parties() as usize
    }

    /// How many have arrived and wait. Others may arrive, or all be let go, at any time.
    ///
    /// ```
    /// assert_eq!(parkade::Barrier::new(3).waiting(), 0);
    /// ```
    #[inline]
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.raw.waiting() as usize
    }

    /// Waits until all have arrived.
    ///
    /// ```
    /// let barrier = parkade::Barrier::new(2);
    /// std::thread::scope(|scope| {
    ///     let other = scope.spawn(|| barrier.wait().unwrap().is_leader());
    ///     let leads = barrier.wait().unwrap().is_leader();
    ///     assert_ne!(leads, other.join().unwrap());
    /// });
    /// ```
    ///
    /// # Errors
    /// [`Aborted`](BarrierError::Aborted), if it is or becomes so before all have arrived.
    #[inline]
    pub fn wait(&self) -> Result<BarrierWaitResult, BarrierError> {
        self.wait_before(None)
    }

    /// As [`wait`](Barrier::wait), for `timeout` at most. If that is too long for the clock, for ever.
    ///
    /// ```
    /// let barrier = parkade::Barrier::new(2);
    /// assert!(barrier.wait_for(std::time::Duration::from_millis(1)).is_err());
    /// assert_eq!(barrier.waiting(), 0);
    /// ```
    ///
    /// # Errors
    /// * [`Aborted`](BarrierError::Aborted), if it is or becomes so before all have arrived.
    /// * [`TimedOut`](BarrierError::TimedOut), if the time is up before. It is then as if the thread had not come.
    #[inline]
    pub fn wait_for(&self, timeout: Duration) -> Result<BarrierWaitResult, BarrierError> {
        self.wait_before(Some(Moment::after(timeout)))
    }

    /// As [`wait_for`](Barrier::wait_for), up to a moment on the monotonic clock. The last party has nothing to wait for: it
    /// passes even if the moment is over.
    ///
    /// ```
    /// let barrier = parkade::Barrier::new(1);
    /// assert!(barrier.wait_until(std::time::Instant::now()).is_ok());
    /// ```
    ///
    /// # Errors
    /// As [`wait_for`](Barrier::wait_for).
    #[inline]
    pub fn wait_until(&self, deadline: Instant) -> Result<BarrierWaitResult, BarrierError> {
        self.wait_before(Some(Moment::at(deadline)))
    }

    fn wait_before(&self, deadline: Option<Moment>) -> Result<BarrierWaitResult, BarrierError> {
        BarrierWaitResult::of(self.raw.wait(deadline))
    }

    /// Arrives, and waits until all have, as a task does: with the first poll. Any executor will do.
    ///
    /// A future that is dropped while it waits takes its arrival back, as a wait with a timeout does. If all have arrived by
    /// then the others have passed, and nothing is lost. Until it is dropped it counts, polled or not, and the others do
    /// not need it to be polled to go on.
    ///
    /// ```
    /// let barrier = parkade::Barrier::new(2);
    /// std::thread::scope(|scope| {
    ///     let other = scope.spawn(|| barrier.wait().unwrap().is_leader());
    ///     let here = futures::executor::block_on(barrier.wait_async());
    ///     assert_ne!(here.unwrap().is_leader(), other.join().unwrap());
    /// });
    /// ```
    ///
    /// # Errors
    /// [`Aborted`](BarrierError::Aborted), if it is or becomes so before all have arrived.
    #[inline]
    pub fn wait_async(&self) -> WaitBarrier<'_> {
        WaitBarrier::new(Party::of(&self.raw))
    }

    /// Lets go everybody who waits, and who comes from now on, with the error [`Aborted`](BarrierError::Aborted). A generation
    /// that was complete before has passed.
    ///
    /// ```
    /// use parkade::{Barrier, BarrierError};
    ///
    /// let barrier = Barrier::new(2);
    /// std::thread::scope(|scope| {
    ///     let waiting = scope.spawn(|| barrier.wait());
    ///     barrier.abort();
    ///     assert_eq!(waiting.join().unwrap(), Err(BarrierError::Aborted));
    /// });
    /// ```
    pub fn abort(&self) {
        self.raw.abort();
    }

    /// Whether it is aborted. If so, what was done before that by who has aborted it is visible.
    ///
    /// ```
    /// let barrier = parkade::Barrier::new(2);
    /// assert!(!barrier.is_aborted());
    /// ```
    #[inline]
    #[must_use]
    pub fn is_aborted(&self) -> bool {
        self.raw.is_aborted()
    }

    /// Makes it as it was when it was new: not aborted. Nobody can be waiting.
    ///
    /// ```
    /// let mut barrier = parkade::Barrier::new(1);
    /// barrier.abort();
    /// barrier.reset();
    /// assert!(barrier.wait().is_ok());
    /// ```
    pub fn reset(&mut self) {
        self.raw.reset();
    }

    /// A guard that [aborts](Barrier::abort) the barrier if the calling thread panics while it lives: a party that
    /// holds one cannot leave the others waiting.
    ///
    /// ```
    /// use parkade::{Barrier, BarrierError};
    ///
    /// let barrier = Barrier::new(2);
    /// std::thread::scope(|scope| {
    ///     let failing = scope.spawn(|| {
    ///         let _guard = barrier.abort_on_unwind();
    ///         panic!("no luck");
    ///     });
    ///     assert_eq!(barrier.wait(), Err(BarrierError::Aborted));
    ///     assert!(failing.join().is_err());
    /// });
    /// ```
    #[must_use = "it does nothing if it is dropped at once"]
    pub fn abort_on_unwind(&self) -> BarrierAbortGuard<'_> {
        BarrierAbortGuard {
            barrier: self,
            panicking: thread::panicking(),
            of_this_thread: PhantomData,
        }
    }
}

future! {
    /// Waits at a [`Barrier`]: the future of [`wait_async`](Barrier::wait_async).
    pub struct WaitBarrier['a]['a](Party<'a>) -> Result<BarrierWaitResult, BarrierError>;
}

impl Handle for Party<'_> {
    type Queue = Self;
    type Output = Result<BarrierWaitResult, BarrierError>;

    fn queue(&self) -> &Self {
        self
    }

    fn want(&self) {}

    fn finish(self, ended: Result<Role, Failed>) -> Self::Output {
        BarrierWaitResult::of(ended)
    }
}

/// Aborts a [`Barrier`] when it is dropped by a panic; made by [`Barrier::abort_on_unwind`].
///
/// A panic that was already under way when it was made does not count. It watches its own thread, so it cannot be sent
/// to another:
///
/// ```compile_fail,E0277
/// let barrier = parkade::Barrier::new(2);
/// let guard = barrier.abort_on_unwind();
/// std::thread::scope(|scope| {
///     scope.spawn(move || drop(guard));
/// });
/// ```
#[must_use = "it does nothing if it is dropped at once"]
pub struct BarrierAbortGuard<'a> {
    barrier: &'a Barrier,
    /// Whether the thread was panicking when it was made.
    panicking: bool,
    of_this_thread: PhantomData<*const ()>,
}

impl Drop for BarrierAbortGuard<'_> {
    fn drop(&mut self) {
        if !self.panicking && thread::panicking() {
            self.barrier.abort();
        }
    }
}

impl fmt::Debug for BarrierAbortGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BarrierAbortGuard").field("barrier", self.barrier).finish()
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier")
            .field("parties", &self.parties())
            .field("waiting", &self.waiting())
            .field("aborted", &self.is_aborted())
            .finish()
    }
}
