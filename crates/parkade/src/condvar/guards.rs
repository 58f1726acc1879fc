//! The guards that a [`Condvar`](super::Condvar) can wait with.

use super::raw::{Ended, RawCondvar};
use crate::{GuardMarker, RawFairMutex, RawMutex, RawRecursiveRwLock, RawRwLock, requeue};
use core::{cell::Cell, ptr};
use lock_api::{MutexGuard, RwLockReadGuard, RwLockUpgradableReadGuard, RwLockWriteGuard};
use parkade_core::{Moment, shim::AbortOnUnwind};

/// A guard that a [`Condvar`](super::Condvar) can wait with.
///
/// Those of [`Mutex`](crate::Mutex), [`FairMutex`](crate::FairMutex), [`RwLock`](crate::RwLock) and
/// [`RecursiveRwLock`](crate::RecursiveRwLock), for reading, reading upgradably and writing. Not mapped ones: what they
/// have been narrowed to may be gone after a wait.
///
/// It is sealed: waiting takes more of a lock than its traits offer.
///
/// ```compile_fail,E0277
/// let value = parkade::Mutex::new((1, 2));
/// let mut mapped = parkade::MutexGuard::map(value.lock(), |pair| &mut pair.0);
/// parkade::Condvar::new().wait(&mut mapped);
/// ```
pub trait WaitGuard: sealed::Wait + for<'a> Views<'a> {}

/// What a condition sees of the value that a [`WaitGuard`] gives access to.
///
/// (A trait of its own, with a parameter that nobody names, because an associated type with a lifetime would make
/// closures demand that the guard lives for ever.)
pub trait Views<'a, Bound = &'a Self>: sealed::Wait {
    /// `&mut T`, or `&T` if others may be reading the value.
    type View;

    /// The value.
    #[doc(hidden)]
    fn view(&'a mut self) -> Self::View;
}

pub(super) mod sealed {
    use super::{Ended, Moment, RawCondvar};

    /// What `WaitGuard` does not show.
    pub trait Wait {
        fn wait(&mut self, condvar: &RawCondvar, deadline: Option<Moment>) -> Ended;
    }

    /// Our mutexes.
    #[expect(private_bounds, reason = "sealed")]
    pub trait RawMutex: lock_api::RawMutex + crate::requeue::Lock {}

    /// Our reader-writer locks.
    pub trait RawRwLock:
        lock_api::RawRwLockUpgrade<
            ExclusiveGuard = crate::GuardMarker,
            UpgradableGuard = crate::GuardMarker,
        >
    {
    }
}

impl sealed::RawMutex for RawMutex {}
impl sealed::RawMutex for RawFairMutex {}
impl sealed::RawRwLock for RawRwLock {}
impl sealed::RawRwLock for RawRecursiveRwLock {}

impl<R: sealed::RawMutex, T: ?Sized> WaitGuard for MutexGuard<'_, R, T> {}

impl<'a, R: sealed::RawMutex, T: ?Sized> Views<'a> for MutexGuard<'_, R, T> {
    type View = &'a mut T;

    fn view(&'a mut self) -> &'a mut T {
        self
    }
}

impl<R: sealed::RawMutex, T: ?Sized> sealed::Wait for MutexGuard<'_, R, T> {
    #[inline]
    fn wait(&mut self, condvar: &RawCondvar, deadline: Option<Moment>) -> Ended {
        // SAFETY: the guard is there to hold the lock, but nobody can use it while it does not. The guards of our
        // mutexes have no state that depends on the acquisition.
        condvar.wait(unsafe { MutexGuard::mutex(self).raw() }, deadline)
    }
}

/// A lock held for writing.
struct Writing<'a, R>(&'a R);

impl<R: sealed::RawRwLock> requeue::Lock for Writing<'_, R> {
    fn destination(&self) -> Option<&dyn requeue::Destination> {
        None
    }

    fn release_to_wait(&self) {
        // SAFETY: made by `wait`, from a guard that holds the lock so.
        unsafe { self.0.unlock_exclusive(GuardMarker::new()) };
    }

    fn acquire_again(&self) {
        self.0.lock_exclusive();
    }
}

impl<R: sealed::RawRwLock, T: ?Sized> WaitGuard for RwLockWriteGuard<'_, R, T> {}

impl<'a, R: sealed::RawRwLock, T: ?Sized> Views<'a> for RwLockWriteGuard<'_, R, T> {
    type View = &'a mut T;

    fn view(&'a mut self) -> &'a mut T {
        self
    }
}

impl<R: sealed::RawRwLock, T: ?Sized> sealed::Wait for RwLockWriteGuard<'_, R, T> {
    fn wait(&mut self, condvar: &RawCondvar, deadline: Option<Moment>) -> Ended {
        // SAFETY: as for mutexes.
        let raw = unsafe { RwLockWriteGuard::rwlock(self).raw() };
        condvar.wait(&Writing(raw), deadline)
    }
}

/// A lock held for reading upgradably.
struct ReadingUpgradably<'a, R>(&'a R);

impl<R: sealed::RawRwLock> requeue::Lock for ReadingUpgradably<'_, R> {
    fn destination(&self) -> Option<&dyn requeue::Destination> {
        None
    }

    fn release_to_wait(&self) {
        // SAFETY: made by `wait`, from a guard that holds the lock so.
        unsafe { self.0.unlock_upgradable(GuardMarker::new()) };
    }

    fn acquire_again(&self) {
        self.0.lock_upgradable();
    }
}

impl<R: sealed::RawRwLock, T: ?Sized> WaitGuard for RwLockUpgradableReadGuard<'_, R, T> {}

impl<'a, R: sealed::RawRwLock, T: ?Sized> Views<'a> for RwLockUpgradableReadGuard<'_, R, T> {
    type View = &'a T;

    fn view(&'a mut self) -> &'a T {
        self
    }
}

impl<R: sealed::RawRwLock, T: ?Sized> sealed::Wait for RwLockUpgradableReadGuard<'_, R, T> {
    fn wait(&mut self, condvar: &RawCondvar, deadline: Option<Moment>) -> Ended {
        // SAFETY: as for mutexes.
        let raw = unsafe { RwLockUpgradableReadGuard::rwlock(self).raw() };
        condvar.wait(&ReadingUpgradably(raw), deadline)
    }
}

/// A lock held for reading. How it is held is known to its guard alone, so that has to be dropped.
struct Reading<'a, R: sealed::RawRwLock, T: ?Sized> {
    lock: &'a lock_api::RwLock<R, T>,
    guard: Cell<Option<RwLockReadGuard<'a, R, T>>>,
}

impl<R: sealed::RawRwLock, T: ?Sized> requeue::Lock for Reading<'_, R, T> {
    fn destination(&self) -> Option<&dyn requeue::Destination> {
        None
    }

    fn release_to_wait(&self) {
        self.guard.set(None);
    }

    #[track_caller]
    fn acquire_again(&self) {
        self.guard.set(Some(self.lock.read()));
    }
}

impl<R: sealed::RawRwLock, T: ?Sized> WaitGuard for RwLockReadGuard<'_, R, T> {}

impl<'a, R: sealed::RawRwLock, T: ?Sized> Views<'a> for RwLockReadGuard<'_, R, T> {
    type View = &'a T;

    fn view(&'a mut self) -> &'a T {
        self
    }
}

impl<R: sealed::RawRwLock, T: ?Sized> sealed::Wait for RwLockReadGuard<'_, R, T> {
    #[track_caller]
    fn wait(&mut self, condvar: &RawCondvar, deadline: Option<Moment>) -> Ended {
        // Until the guard is back in its place its owner must not drop it.
        let no_unwind = AbortOnUnwind("reading again after waiting for a Condvar panicked");
        let lock = RwLockReadGuard::rwlock(self);
        // SAFETY: it is not used in its old place, nor dropped there, until it is written anew.
        let guard = unsafe { ptr::read(self) };
        let reading = Reading { lock, guard: Cell::new(Some(guard)) };
        let ended = condvar.wait(&reading, deadline);
        let guard = reading.guard.take().expect("acquired again");
        // SAFETY: what is there has been moved out.
        unsafe { ptr::write(self, guard) };
        no_unwind.disarm();
        ended
    }
}
