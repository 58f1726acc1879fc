//! The public type.

use super::{
    error::{
        AcquireError, AddPermitsError, Refusal, TimedAcquireError, TryAcquireError, tried, waited,
        waited_in_time,
    },
    permit::{OwnedSemaphorePermit, SemaphorePermit},
    raw::RawSemaphore,
    state::{MAX_PERMITS, Permits, SemaphorePolicy},
};
use core::{fmt, time::Duration};
use parkade_core::Moment;
use std::{sync::Arc, time::Instant};

/// A number of permits, which threads take and give back: a limit to how many do something at once.
///
/// A thread [`acquire`](Semaphore::acquire)s a permit, or [several](Semaphore::acquire_many) at once, and has to wait
/// while there are too few. The permits come back when the guard that stands for them is dropped, on
/// whatever thread. What a thread did before it gave permits back, those see who get permits later.
///
/// * **Blocking**: `acquire` polls for a while, as [`Mutex`](crate::Mutex) does, and then sleeps until its permits
///   are there. [`try_acquire`](Semaphore::try_acquire) never blocks;
///   [`try_acquire_for`](Semaphore::try_acquire_for) and [`try_acquire_until`](Semaphore::try_acquire_until) give
///   up at a deadline on the monotonic clock, never before it. A timeout of zero still takes what is there; one too
///   long for the clock waits for ever.
/// * **Fairness**: first come, first served, unless [`SemaphorePolicy::Barging`] is chosen. While a thread is queued
///   nobody overtakes it, not even `try_acquire`, though there may be enough for them: permits that come back accumulate
///   until the first in line has what it wants. So a request for many gets them as soon as as many have come back, and
///   holds up those behind it until then. A thread that is still polling is not in line yet.
/// * **Barging**: whoever comes takes what is there; the first in line, once it was woken in vain, is overtaken for at
///   most [`tuning::fair_interval`](crate::tuning::fair_interval) (500 us). At the next race it loses it makes
///   newcomers queue, and then it has what it wants as soon as as many have come back. Those who waited get their turns in the order in which they queued.
/// * **Deadlock**: a thread that asks for permits while it holds some can wait for ever, though there are enough for it: behind
///   a request for many, which waits for those that it holds. Take all at once, or use a deadline.
/// * **Closing**: after [`close`](Semaphore::close) nobody gets permits; those who wait are told at once.
/// * **Limits**: at most [`MAX_PERMITS`](Semaphore::MAX_PERMITS). To ask for more is an error at once. To
///   [add](Semaphore::add_permits) more is an error and adds none; held permits that come back beyond
///   it, which is only possible after others were added meanwhile, are lost.
/// * **Panics**: a panic gives back the permits that are held, as any drop. Nothing is poisoned.
/// * **Cost**: one word; one locked instruction to take and one to give back while nobody waits. Nothing allocates,
///   ever; the guards made by [`acquire_owned`](Semaphore::acquire_owned) count references to your `Arc`.
/// * **Process**: after `fork` a child may use every semaphore. Permits that were held by threads which do not
///   exist in the child do not come back there. Not for signal handlers, nor for memory shared between processes.
///
/// Do not use it as a lock for data: a [`Mutex`](crate::Mutex) is smaller and faster than a semaphore of one permit, and
/// knows what it protects. To wait for a condition, use a [`Condvar`](crate::Condvar).
///
/// ```
/// use parkade::Semaphore;
/// use std::{thread, time::Duration};
///
/// // At most two connections at a time, whatever the number of threads.
/// static CONNECTIONS: Semaphore = Semaphore::new(2);
///
/// thread::scope(|scope| {
///     for _ in 0..8 {
///         scope.spawn(|| {
///             let _one = CONNECTIONS.acquire().expect("never closed");
///             // ... talk to the server ...
///         });
///     }
/// });
///
/// // Maintenance wants all of them.
/// let all = CONNECTIONS.acquire_many(2).unwrap();
/// assert!(CONNECTIONS.try_acquire_for(Duration::from_millis(1)).is_err());
/// drop(all);
/// assert_eq!(CONNECTIONS.available_permits(), 2);
/// ```
pub struct Semaphore {
    pub(super) raw: RawSemaphore,
}

impl Semaphore {
    /// How many permits a semaphore can have: 2^59 - 1 where a `usize` has 64 bits, 2^27 - 1 where it has 32.
    pub const MAX_PERMITS: usize = MAX_PERMITS;

    /// A semaphore with so many permits, which serves first who came first.
    ///
    /// # Panics
    /// If that is more than [`MAX_PERMITS`](Semaphore::MAX_PERMITS). In a constant it does not compile.
    ///
    /// ```
    /// static LIMIT: parkade::Semaphore = parkade::Semaphore::new(3);
    /// assert_eq!(LIMIT.available_permits(), 3);
    /// ```
    #[inline]
    #[must_use]
    #[track_caller]
    pub const fn new(permits: usize) -> Semaphore {
        Semaphore::with_policy(permits, SemaphorePolicy::Fifo)
    }

    /// A semaphore with so many permits and this policy.
    ///
    /// # Panics
    /// As [`new`](Semaphore::new).
    ///
    /// ```
    /// use parkade::{Semaphore, SemaphorePolicy};
    ///
    /// static LIMIT: Semaphore = Semaphore::with_policy(3, SemaphorePolicy::Barging);
    /// assert_eq!(LIMIT.policy(), SemaphorePolicy::Barging);
    /// ```
    #[inline]
    #[must_use]
    #[track_caller]
    pub const fn with_policy(permits: usize, policy: SemaphorePolicy) -> Semaphore {
        match Permits::new(permits) {
            Some(permits) => Semaphore { raw: RawSemaphore::new(permits, policy) },
            None => panic!("more than Semaphore::MAX_PERMITS permits"),
        }
    }

    /// As [`with_policy`](Semaphore::with_policy), for a number that comes from outside.
    ///
    /// # Errors
    /// If that is more than [`MAX_PERMITS`](Semaphore::MAX_PERMITS).
    ///
    /// ```
    /// use parkade::{Semaphore, SemaphorePolicy};
    ///
    /// assert!(Semaphore::try_new(3, SemaphorePolicy::Fifo).is_ok());
    /// assert!(Semaphore::try_new(usize::MAX, SemaphorePolicy::Fifo).is_err());
    /// ```
    #[inline]
    pub const fn try_new(
        permits: usize,
        policy: SemaphorePolicy,
    ) -> Result<Semaphore, AddPermitsError> {
        match Permits::new(permits) {
            Some(permits) => Ok(Semaphore { raw: RawSemaphore::new(permits, policy) }),
            None => Err(AddPermitsError),
        }
    }

    /// Takes a permit, waiting for it if need be.
    ///
    /// # Errors
    /// [`Closed`](AcquireError::Closed), if the semaphore is closed or while waiting.
    ///
    /// ```
    /// let semaphore = parkade::Semaphore::new(1);
    /// let permit = semaphore.acquire()?;
    /// assert!(semaphore.try_acquire().is_err());
    /// drop(permit);
    /// # Ok::<(), parkade::AcquireError>(())
    /// ```
    #[inline]
    pub fn acquire(&self) -> Result<SemaphorePermit<'_>, AcquireError> {
        self.acquire_many(1)
    }

    /// Takes so many permits, all at once, waiting for them if need be. None of them is held while it waits.
    /// Zero are to be had at once.
    ///
    /// # Errors
    /// [`TooMany`](AcquireError::TooMany), at once, for more than [`MAX_PERMITS`](Semaphore::MAX_PERMITS);
    /// [`Closed`](AcquireError::Closed), if the semaphore is closed or while waiting. A request for more than the
    /// semaphore was made with is no error: permits can be added.
    ///
    /// ```
    /// let semaphore = parkade::Semaphore::new(5);
    /// let permit = semaphore.acquire_many(3)?;
    /// assert_eq!((permit.num_permits(), semaphore.available_permits()), (3, 2));
    /// # Ok::<(), parkade::AcquireError>(())
    /// ```
    #[inline]
    pub fn acquire_many(&self, permits: usize) -> Result<SemaphorePermit<'_>, AcquireError> {
        waited(self.raw.acquire(AcquireError::check(permits)?, || None))?;
        Ok(SemaphorePermit::new(self, permits))
    }

    /// Takes a permit if one is there and, first come, first served, nobody is queued.
    ///
    /// # Errors
    /// [`NoPermits`](TryAcquireError::NoPermits) or [`Closed`](TryAcquireError::Closed).
    ///
    /// ```
    /// let semaphore = parkade::Semaphore::new(1);
    /// let permit = semaphore.try_acquire()?;
    /// assert_eq!(semaphore.try_acquire().unwrap_err(), parkade::TryAcquireError::NoPermits);
    /// # Ok::<(), parkade::TryAcquireError>(())
    /// ```
    #[inline]
    pub fn try_acquire(&self) -> Result<SemaphorePermit<'_>, TryAcquireError> {
        self.try_acquire_many(1)
    }

    /// Takes so many permits if they are there and, first come, first served, nobody is queued.
    ///
    /// # Errors
    /// [`NoPermits`](TryAcquireError::NoPermits), [`Closed`](TryAcquireError::Closed) or
    /// [`TooMany`](TryAcquireError::TooMany).
    ///
    /// ```
    /// let semaphore = parkade::Semaphore::new(5);
    /// let permit = semaphore.try_acquire_many(4)?;
    /// assert!(semaphore.try_acquire_many(2).is_err());
    /// # Ok::<(), parkade::TryAcquireError>(())
    /// ```
    #[inline]
    pub fn try_acquire_many(&self, permits: usize) -> Result<SemaphorePermit<'_>, TryAcquireError> {
        tried(self.raw.try_acquire(TryAcquireError::check(permits)?))?;
        Ok(SemaphorePermit::new(self, permits))
    }

    /// Takes a permit, waiting for it for `timeout` at most.
    ///
    /// # Errors
    /// [`TimedOut`](TimedAcquireError::TimedOut), or [`Closed`](TimedAcquireError::Closed) as for
    /// [`acquire`](Semaphore::acquire).
    ///
    /// ```
    /// use parkade::{Semaphore, TimedAcquireError};
    /// use std::time::Duration;
    ///
    /// let none = Semaphore::new(0);
    /// let error = none.try_acquire_for(Duration::from_millis(1)).unwrap_err();
    /// assert_eq!(error, TimedAcquireError::TimedOut);
    /// ```
    #[inline]
    pub fn try_acquire_for(
        &self,
        timeout: Duration,
    ) -> Result<SemaphorePermit<'_>, TimedAcquireError> {
        self.try_acquire_many_for(1, timeout)
    }

    /// Takes a permit, waiting for it until `deadline` at the latest.
    ///
    /// # Errors
    /// As [`try_acquire_for`](Semaphore::try_acquire_for).
    ///
    /// ```
    /// let semaphore = parkade::Semaphore::new(1);
    /// let permit = semaphore.try_acquire_until(std::time::Instant::now())?;
    /// # Ok::<(), parkade::TimedAcquireError>(())
    /// ```
    #[inline]
    pub fn try_acquire_until(
        &self,
        deadline: Instant,
    ) -> Result<SemaphorePermit<'_>, TimedAcquireError> {
        self.try_acquire_many_until(1, deadline)
    }

    /// Takes so many permits, all at once, waiting for them for `timeout` at most.
    ///
    /// # Errors
    /// [`TimedOut`](TimedAcquireError::TimedOut), or as for [`acquire_many`](Semaphore::acquire_many).
    ///
    /// ```
    /// let semaphore = parkade::Semaphore::new(5);
    /// let permit = semaphore.try_acquire_many_for(3, std::time::Duration::ZERO)?;
    /// assert_eq!(permit.num_permits(), 3);
    /// # Ok::<(), parkade::TimedAcquireError>(())
    /// ```
    #[inline]
    pub fn try_acquire_many_for(
        &self,
        permits: usize,
        timeout: Duration,
    ) -> Result<SemaphorePermit<'_>, TimedAcquireError> {
        self.timed(permits, || Moment::after(timeout))?;
        Ok(SemaphorePermit::new(self, permits))
    }

    /// Takes so many permits, all at once, waiting for them until `deadline` at the latest.
    ///
    /// # Errors
    /// As [`try_acquire_many_for`](Semaphore::try_acquire_many_for).
    ///
    /// ```
    /// let semaphore = parkade::Semaphore::new(5);
    /// let permit = semaphore.try_acquire_many_until(3, std::time::Instant::now())?;
    /// assert_eq!(permit.num_permits(), 3);
    /// # Ok::<(), parkade::TimedAcquireError>(())
    /// ```
    #[inline]
    pub fn try_acquire_many_until(
        &self,
        permits: usize,
        deadline: Instant,
    ) -> Result<SemaphorePermit<'_>, TimedAcquireError> {
        self.timed(permits, || Moment::at(deadline))?;
        Ok(SemaphorePermit::new(self, permits))
    }

    #[inline]
    fn timed(
        &self,
        permits: usize,
        deadline: impl FnOnce() -> Moment,
    ) -> Result<(), TimedAcquireError> {
        waited_in_time(self.raw.acquire(TimedAcquireError::check(permits)?, || Some(deadline())))
    }

    /// Adds so many permits, for whoever waits for them or comes later. (To give back permits that are held, drop
    /// their guard.)
    ///
    /// # Errors
    /// If more than [`MAX_PERMITS`](Semaphore::MAX_PERMITS) would be available; none is added then.
    ///
    /// ```
    /// let semaphore = parkade::Semaphore::new(0);
    /// semaphore.add_permits(3)?;
    /// assert_eq!(semaphore.available_permits(), 3);
    /// assert!(semaphore.add_permits(parkade::Semaphore::MAX_PERMITS).is_err());
    /// # Ok::<(), parkade::AddPermitsError>(())
    /// ```
    #[inline]
    pub fn add_permits(&self, permits: usize) -> Result<(), AddPermitsError> {
        Ok(self.raw.add(permits)?)
    }

    /// Takes so many permits away for ever, or all that are available if that is fewer; how many it took away.
    /// Those which are held are not available.
    ///
    /// ```
    /// let semaphore = parkade::Semaphore::new(3);
    /// assert_eq!(semaphore.forget_permits(2), 2);
    /// assert_eq!(semaphore.forget_permits(2), 1);
    /// assert_eq!(semaphore.available_permits(), 0);
    /// ```
    #[inline]
    pub fn forget_permits(&self, permits: usize) -> usize {
        self.raw.forget(permits)
    }

    /// Closes the semaphore for ever: nobody gets permits any more, and all who wait are told. Those who have
    /// permits, or were granted them before, keep them, and give them back as usual.
    ///
    /// What was done before is visible to those who find it closed.
    ///
    /// ```
    /// use parkade::{AcquireError, Semaphore};
    ///
    /// let work = Semaphore::new(0);
    /// std::thread::scope(|scope| {
    ///     let worker = scope.spawn(|| work.acquire().map(drop));
    ///     work.close();
    ///     assert_eq!(worker.join().unwrap(), Err(AcquireError::Closed));
    /// });
    /// ```
    #[inline]
    pub fn close(&self) {
        self.raw.close();
    }

    /// Whether it was [closed](Semaphore::close); if so, what was done before is visible.
    ///
    /// ```
    /// assert!(!parkade::Semaphore::new(1).is_closed());
    /// ```
    #[inline]
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.raw.is_closed()
    }

    /// How many permits nobody holds just now. Others may change that at any time; and though there are some, they may
    /// be reserved for a thread that waits for more.
    ///
    /// ```
    /// let semaphore = parkade::Semaphore::new(3);
    /// let one = semaphore.acquire();
    /// assert_eq!(semaphore.available_permits(), 2);
    /// ```
    #[inline]
    #[must_use]
    pub fn available_permits(&self) -> usize {
        self.raw.state().permits()
    }

    /// The policy that it was made with.
    ///
    /// ```
    /// use parkade::{Semaphore, SemaphorePolicy};
    ///
    /// assert_eq!(Semaphore::new(1).policy(), SemaphorePolicy::Fifo);
    /// ```
    #[inline]
    #[must_use]
    pub fn policy(&self) -> SemaphorePolicy {
        self.raw.state().policy()
    }

    #[inline(always)]
    pub(super) fn give_back(&self, permits: usize) {
        if permits > 0 {
            self.raw.release(permits);
        }
    }
}

/// The same with guards that own the semaphore through an [`Arc`].
impl Semaphore {
    /// As [`acquire`](Semaphore::acquire), with a guard that owns the semaphore.
    ///
    /// # Errors
    /// As [`acquire`](Semaphore::acquire).
    ///
    /// ```
    /// use parkade::Semaphore;
    /// use std::sync::Arc;
    ///
    /// let permit = Arc::new(Semaphore::new(1)).acquire_owned()?;
    /// assert_eq!(permit.semaphore().available_permits(), 0);
    /// # Ok::<(), parkade::AcquireError>(())
    /// ```
    #[inline]
    pub fn acquire_owned(self: Arc<Self>) -> Result<OwnedSemaphorePermit, AcquireError> {
        self.acquire_many_owned(1)
    }

    /// As [`acquire_many`](Semaphore::acquire_many), with a guard that owns the semaphore.
    ///
    /// # Errors
    /// As [`acquire_many`](Semaphore::acquire_many).
    ///
    /// ```
    /// let permit = std::sync::Arc::new(parkade::Semaphore::new(3)).acquire_many_owned(2)?;
    /// assert_eq!(permit.num_permits(), 2);
    /// # Ok::<(), parkade::AcquireError>(())
    /// ```
    #[inline]
    pub fn acquire_many_owned(
        self: Arc<Self>,
        permits: usize,
    ) -> Result<OwnedSemaphorePermit, AcquireError> {
        waited(self.raw.acquire(AcquireError::check(permits)?, || None))?;
        Ok(OwnedSemaphorePermit::new(self, permits))
    }

    /// As [`try_acquire`](Semaphore::try_acquire), with a guard that owns the semaphore.
    ///
    /// # Errors
    /// As [`try_acquire`](Semaphore::try_acquire).
    ///
    /// ```
    /// let permit = std::sync::Arc::new(parkade::Semaphore::new(1)).try_acquire_owned()?;
    /// # Ok::<(), parkade::TryAcquireError>(())
    /// ```
    #[inline]
    pub fn try_acquire_owned(self: Arc<Self>) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        self.try_acquire_many_owned(1)
    }

    /// As [`try_acquire_many`](Semaphore::try_acquire_many), with a guard that owns the semaphore.
    ///
    /// # Errors
    /// As [`try_acquire_many`](Semaphore::try_acquire_many).
    ///
    /// ```
    /// let error = std::sync::Arc::new(parkade::Semaphore::new(3)).try_acquire_many_owned(4);
    /// assert_eq!(error.unwrap_err(), parkade::TryAcquireError::NoPermits);
    /// ```
    #[inline]
    pub fn try_acquire_many_owned(
        self: Arc<Self>,
        permits: usize,
    ) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        tried(self.raw.try_acquire(TryAcquireError::check(permits)?))?;
        Ok(OwnedSemaphorePermit::new(self, permits))
    }

    /// As [`try_acquire_for`](Semaphore::try_acquire_for), with a guard that owns the semaphore.
    ///
    /// # Errors
    /// As [`try_acquire_for`](Semaphore::try_acquire_for).
    ///
    /// ```
    /// let semaphore = std::sync::Arc::new(parkade::Semaphore::new(1));
    /// let permit = semaphore.try_acquire_owned_for(std::time::Duration::ZERO)?;
    /// # Ok::<(), parkade::TimedAcquireError>(())
    /// ```
    #[inline]
    pub fn try_acquire_owned_for(
        self: Arc<Self>,
        timeout: Duration,
    ) -> Result<OwnedSemaphorePermit, TimedAcquireError> {
        self.try_acquire_many_owned_for(1, timeout)
    }

    /// As [`try_acquire_until`](Semaphore::try_acquire_until), with a guard that owns the semaphore.
    ///
    /// # Errors
    /// As [`try_acquire_until`](Semaphore::try_acquire_until).
    ///
    /// ```
    /// let semaphore = std::sync::Arc::new(parkade::Semaphore::new(1));
    /// let permit = semaphore.try_acquire_owned_until(std::time::Instant::now())?;
    /// # Ok::<(), parkade::TimedAcquireError>(())
    /// ```
    #[inline]
    pub fn try_acquire_owned_until(
        self: Arc<Self>,
        deadline: Instant,
    ) -> Result<OwnedSemaphorePermit, TimedAcquireError> {
        self.try_acquire_many_owned_until(1, deadline)
    }

    /// As [`try_acquire_many_for`](Semaphore::try_acquire_many_for), with a guard that owns the semaphore.
    ///
    /// # Errors
    /// As [`try_acquire_many_for`](Semaphore::try_acquire_many_for).
    ///
    /// ```
    /// let semaphore = std::sync::Arc::new(parkade::Semaphore::new(3));
    /// let permit = semaphore.try_acquire_many_owned_for(2, std::time::Duration::ZERO)?;
    /// # Ok::<(), parkade::TimedAcquireError>(())
    /// ```
    #[inline]
    pub fn try_acquire_many_owned_for(
        self: Arc<Self>,
        permits: usize,
        timeout: Duration,
    ) -> Result<OwnedSemaphorePermit, TimedAcquireError> {
        self.timed(permits, || Moment::after(timeout))?;
        Ok(OwnedSemaphorePermit::new(self, permits))
    }

    /// As [`try_acquire_many_until`](Semaphore::try_acquire_many_until), with a guard that owns the semaphore.
    ///
    /// # Errors
    /// As [`try_acquire_many_until`](Semaphore::try_acquire_many_until).
    ///
    /// ```
    /// let semaphore = std::sync::Arc::new(parkade::Semaphore::new(3));
    /// let permit = semaphore.try_acquire_many_owned_until(2, std::time::Instant::now())?;
    /// # Ok::<(), parkade::TimedAcquireError>(())
    /// ```
    #[inline]
    pub fn try_acquire_many_owned_until(
        self: Arc<Self>,
        permits: usize,
        deadline: Instant,
    ) -> Result<OwnedSemaphorePermit, TimedAcquireError> {
        self.timed(permits, || Moment::at(deadline))?;
        Ok(OwnedSemaphorePermit::new(self, permits))
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.raw.state();
        f.debug_struct("Semaphore")
            .field("available", &state.permits())
            .field("closed", &state.closed())
            .field("policy", &state.policy())
            .finish()
    }
}
