//! The public methods and their futures.

use super::super::{
    error::{AcquireError, Refusal, waited},
    face::Semaphore,
    permit::{OwnedSemaphorePermit, SemaphorePermit},
    raw::{Ended, RawSemaphore},
    state::Permits,
};
use crate::task::{Handle, future};
use std::sync::Arc;

impl Semaphore {
    /// Takes a permit, waiting for it as a task does.
    ///
    /// Tasks and threads stand in one line. A task has its permits once it is polled and has taken them, not before. The future may be
    /// dropped at any time; nothing is lost.
    ///
    /// * With [`Fifo`](crate::SemaphorePolicy::Fifo) threads are served in the order in which they came, and tasks are woken in the order in which
    ///   they came. A task that has been woken, and is not polled yet, can be overtaken by the thread behind it, by whoever comes
    ///   when nobody is queued, and, if it is not polled for long, by all others. So can that thread, until it has run, as it competes
    ///   with the task. Who has lost so stands first in line again.
    /// * With [`Barging`](crate::SemaphorePolicy::Barging) a task is passed over as long as the permits do not suffice for it, and newcomers do not queue
    ///   because of it: one that wants many may be overtaken for as long as others take the permits one by one.
    ///
    /// A waker that panics does so in the call that wakes the task: a release, a thread's `acquire`, or the poll
    /// of another task, which have taken nothing then.
    ///
    /// # Errors
    /// If the semaphore is closed, now or while the task waits.
    ///
    /// ```
    /// let semaphore = parkade::Semaphore::new(1);
    /// futures::executor::block_on(async {
    ///     let permit = semaphore.acquire_async().await?;
    ///     assert_eq!(semaphore.available_permits(), 0);
    ///     drop(permit);
    ///     Ok::<_, parkade::AcquireError>(())
    /// })?;
    /// # Ok::<(), parkade::AcquireError>(())
    /// ```
    #[inline]
    pub fn acquire_async(&self) -> Acquire<'_> {
        self.acquire_many_async(1)
    }

    /// Takes so many permits, all at once, waiting for them as [`acquire_async`](Semaphore::acquire_async) does.
    ///
    /// # Errors
    /// As for [`acquire_many`](Semaphore::acquire_many).
    ///
    /// ```
    /// let semaphore = parkade::Semaphore::new(5);
    /// let permit = futures::executor::block_on(semaphore.acquire_many_async(3))?;
    /// assert_eq!(permit.num_permits(), 3);
    /// # Ok::<(), parkade::AcquireError>(())
    /// ```
    #[inline]
    pub fn acquire_many_async(&self, permits: usize) -> Acquire<'_> {
        Acquire::new(ToAcquire { semaphore: self, permits })
    }

    /// Takes a permit that owns its semaphore, waiting for it as [`acquire_async`](Semaphore::acquire_async) does: future and
    /// permit are `'static`.
    ///
    /// # Errors
    /// As for [`acquire`](Semaphore::acquire).
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// let semaphore = Arc::new(parkade::Semaphore::new(1));
    /// let permit = futures::executor::block_on(semaphore.clone().acquire_owned_async())?;
    /// std::thread::spawn(move || drop(permit)).join().unwrap();
    /// # Ok::<(), parkade::AcquireError>(())
    /// ```
    pub fn acquire_owned_async(self: Arc<Self>) -> AcquireOwned {
        self.acquire_many_owned_async(1)
    }

    /// As [`acquire_owned_async`](Semaphore::acquire_owned_async), so many permits at once.
    ///
    /// # Errors
    /// As for [`acquire_many`](Semaphore::acquire_many).
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// let semaphore = Arc::new(parkade::Semaphore::new(5));
    /// let permit = futures::executor::block_on(semaphore.acquire_many_owned_async(3))?;
    /// assert_eq!(permit.num_permits(), 3);
    /// # Ok::<(), parkade::AcquireError>(())
    /// ```
    pub fn acquire_many_owned_async(self: Arc<Self>, permits: usize) -> AcquireOwned {
        AcquireOwned::new(ToAcquire { semaphore: self, permits })
    }
}

future! {
    /// Takes permits: the future of [`acquire_async`](Semaphore::acquire_async) and
    /// [`acquire_many_async`](Semaphore::acquire_many_async).
    pub struct Acquire['a]['a](ToAcquire<&'a Semaphore>) -> Result<SemaphorePermit<'a>, AcquireError>;
}

future! {
    /// Takes permits that own their semaphore: the future of [`acquire_owned_async`](Semaphore::acquire_owned_async) and
    /// [`acquire_many_owned_async`](Semaphore::acquire_many_owned_async).
    pub struct AcquireOwned[][](ToAcquire<Arc<Semaphore>>) -> Result<OwnedSemaphorePermit, AcquireError>;
}

pub(crate) struct ToAcquire<S> {
    semaphore: S,
    /// Perhaps too many.
    permits: usize,
}

impl<S> ToAcquire<S> {
    /// Nothing, if it is too many: then it does not wait, and `checked` tells.
    fn wanted(&self) -> Permits {
        Permits::new(self.permits).or(Permits::new(0)).expect("none is never too many")
    }

    fn checked(&self, ended: Ended) -> Result<(), AcquireError> {
        AcquireError::check(self.permits)?;
        waited(ended)
    }
}

impl<'a> Handle for ToAcquire<&'a Semaphore> {
    type Queue = RawSemaphore;
    type Output = Result<SemaphorePermit<'a>, AcquireError>;

    #[inline]
    fn queue(&self) -> &RawSemaphore {
        &self.semaphore.raw
    }

    #[inline]
    fn want(&self) -> Permits {
        self.wanted()
    }

    #[inline]
    fn finish(self, ended: Ended) -> Self::Output {
        self.checked(ended)?;
        Ok(SemaphorePermit::new(self.semaphore, self.permits))
    }
}

impl Handle for ToAcquire<Arc<Semaphore>> {
    type Queue = RawSemaphore;
    type Output = Result<OwnedSemaphorePermit, AcquireError>;

    fn queue(&self) -> &RawSemaphore {
        &self.semaphore.raw
    }

    fn want(&self) -> Permits {
        self.wanted()
    }

    fn finish(self, ended: Ended) -> Self::Output {
        self.checked(ended)?;
        Ok(OwnedSemaphorePermit::new(self.semaphore, self.permits))
    }
}
