//! The guards that a [`Condvar`](super::Condvar) can wait with.

use super::raw::{Ended, RawCondvar};
use crate::{
    GuardMarker, RawFairMutex, RawMutex, RawRecursiveRwLock, RawRwLock,
    futures::{OwnedMutexGuard, SendGuard},
    requeue,
};
use core::{cell::Cell, convert::identity, ptr};
#[cfg(feature = "arc_lock")]
use lock_api::{
    ArcMutexGuard, ArcRwLockReadGuard, ArcRwLockUpgradableReadGuard, ArcRwLockWriteGuard,
};
use lock_api::{MutexGuard, RwLock, RwLockReadGuard, RwLockUpgradableReadGuard, RwLockWriteGuard};
use parkade_core::{Moment, shim::AbortOnUnwind};

/// A guard that a [`Condvar`](super::Condvar) can wait with.
///
/// Those of [`Mutex`](crate::Mutex), [`FairMutex`](crate::FairMutex), [`RwLock`](crate::RwLock) and
/// [`RecursiveRwLock`](crate::RecursiveRwLock), for reading, reading upgradably and writing, also those that own their lock (`arc_lock`),
/// and those that tasks get of a mutex ([`OwnedMutexGuard`], [`SendGuard`]). Not mapped ones: what they
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
        #[track_caller]
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

/// Guards whose state does not depend on the acquisition, so that the lock can be released and acquired behind their
/// backs.
macro_rules! stateless {
    ($guard:ident<$($lifetime:lifetime,)? R, T>, $lock:ident, $raw:ident, $held:path, [$($view:tt)*]) => {
        impl<R: sealed::$raw, T: ?Sized> WaitGuard for $guard<$($lifetime,)? R, T> {}

        impl<'a, R: sealed::$raw, T: ?Sized> Views<'a> for $guard<$($lifetime,)? R, T> {
            type View = &'a $($view)* T;

            fn view(&'a mut self) -> &'a $($view)* T {
                self
            }
        }

        impl<R: sealed::$raw, T: ?Sized> sealed::Wait for $guard<$($lifetime,)? R, T> {
            #[inline]
            #[track_caller]
            fn wait(&mut self, condvar: &RawCondvar, deadline: Option<Moment>) -> Ended {
                // SAFETY: the guard is there to hold the lock, but nobody can use it while it does not.
                let raw = unsafe { $guard::$lock(self).raw() };
                condvar.wait(&$held(raw), deadline)
            }
        }
    };
}

stateless!(MutexGuard<'_, R, T>, mutex, RawMutex, identity, [mut]);
stateless!(RwLockWriteGuard<'_, R, T>, rwlock, RawRwLock, Writing, [mut]);
stateless!(RwLockUpgradableReadGuard<'_, R, T>, rwlock, RawRwLock, ReadingUpgradably, []);
#[cfg(feature = "arc_lock")]
stateless!(ArcMutexGuard<R, T>, mutex, RawMutex, identity, [mut]);
#[cfg(feature = "arc_lock")]
stateless!(ArcRwLockWriteGuard<R, T>, rwlock, RawRwLock, Writing, [mut]);
#[cfg(feature = "arc_lock")]
stateless!(ArcRwLockUpgradableReadGuard<R, T>, rwlock, RawRwLock, ReadingUpgradably, []);

impl<T: ?Sized> WaitGuard for OwnedMutexGuard<T> {}

impl<'a, T: ?Sized> Views<'a> for OwnedMutexGuard<T> {
    type View = &'a mut T;

    fn view(&'a mut self) -> &'a mut T {
        self
    }
}

impl<T: ?Sized> sealed::Wait for OwnedMutexGuard<T> {
    #[track_caller]
    fn wait(&mut self, condvar: &RawCondvar, deadline: Option<Moment>) -> Ended {
        // SAFETY: the guard is there to hold the lock, but nobody can use it while it does not.
        let raw = unsafe { OwnedMutexGuard::mutex(self).raw() };
        condvar.wait(raw, deadline)
    }
}

impl<G: WaitGuard> WaitGuard for SendGuard<G> {}

impl<'a, G: WaitGuard> Views<'a> for SendGuard<G> {
    type View = <G as Views<'a>>::View;

    fn view(&'a mut self) -> Self::View {
        SendGuard::get_mut(self).view()
    }
}

impl<G: WaitGuard> sealed::Wait for SendGuard<G> {
    #[track_caller]
    fn wait(&mut self, condvar: &RawCondvar, deadline: Option<Moment>) -> Ended {
        SendGuard::get_mut(self).wait(condvar, deadline)
    }
}

/// A lock held for writing.
struct Writing<'a, R>(&'a R);

impl<R: sealed::RawRwLock> requeue::Lock for Writing<'_, R> {
    fn destination(&self) -> Option<&dyn requeue::Destination> {
        None
    }

    fn release_to_wait(&self, _: requeue::Conditions) {
        // SAFETY: made by `wait`, from a guard that holds the lock so.
        unsafe { self.0.unlock_exclusive(GuardMarker::new()) };
    }

    #[track_caller]
    fn acquire_again(&self) {
        self.0.lock_exclusive();
    }
}

/// A lock held for reading upgradably.
struct ReadingUpgradably<'a, R>(&'a R);

impl<R: sealed::RawRwLock> requeue::Lock for ReadingUpgradably<'_, R> {
    fn destination(&self) -> Option<&dyn requeue::Destination> {
        None
    }

    fn release_to_wait(&self, _: requeue::Conditions) {
        // SAFETY: made by `wait`, from a guard that holds the lock so.
        unsafe { self.0.unlock_upgradable(GuardMarker::new()) };
    }

    #[track_caller]
    fn acquire_again(&self) {
        self.0.lock_upgradable();
    }
}

/// Reads a lock again. (A closure would not know its caller.)
trait ReadAgain<G> {
    #[track_caller]
    fn read_again(self) -> G;
}

impl<'a, R: sealed::RawRwLock, T: ?Sized> ReadAgain<RwLockReadGuard<'a, R, T>>
    for &'a RwLock<R, T>
{
    #[track_caller]
    fn read_again(self) -> RwLockReadGuard<'a, R, T> {
        self.read()
    }
}

#[cfg(feature = "arc_lock")]
impl<R: sealed::RawRwLock, T: ?Sized> ReadAgain<ArcRwLockReadGuard<R, T>>
    for &std::sync::Arc<RwLock<R, T>>
{
    #[track_caller]
    fn read_again(self) -> ArcRwLockReadGuard<R, T> {
        self.read_arc()
    }
}

/// A lock held for reading. How it is held is known to its guard alone, so that has to be dropped.
struct Reading<G, L> {
    guard: Cell<Option<G>>,
    lock: L,
}

impl<G, L: ReadAgain<G> + Copy> requeue::Lock for Reading<G, L> {
    fn destination(&self) -> Option<&dyn requeue::Destination> {
        None
    }

    fn release_to_wait(&self, _: requeue::Conditions) {
        self.guard.set(None);
    }

    #[track_caller]
    fn acquire_again(&self) {
        self.guard.set(Some(self.lock.read_again()));
    }
}

/// Waits with the guard that is in `place`, which is replaced by another of the same `lock`.
#[track_caller]
fn wait_reading<G>(
    place: &mut G,
    lock: impl ReadAgain<G> + Copy,
    condvar: &RawCondvar,
    deadline: Option<Moment>,
) -> Ended {
    // Until the guard is back in its place its owner must not drop it.
    let no_unwind = AbortOnUnwind("reading again after waiting for a Condvar panicked");
    // SAFETY: it is not used in its old place, nor dropped there, until it is written anew.
    let guard = unsafe { ptr::read(place) };
    let reading = Reading { guard: Cell::new(Some(guard)), lock };
    let ended = condvar.wait(&reading, deadline);
    let guard = reading.guard.take().expect("acquired again");
    // SAFETY: what is there has been moved out.
    unsafe { ptr::write(place, guard) };
    no_unwind.disarm();
    ended
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
        let lock = RwLockReadGuard::rwlock(self);
        wait_reading(self, lock, condvar, deadline)
    }
}

#[cfg(feature = "arc_lock")]
impl<R: sealed::RawRwLock, T: ?Sized> WaitGuard for ArcRwLockReadGuard<R, T> {}

#[cfg(feature = "arc_lock")]
impl<'a, R: sealed::RawRwLock, T: ?Sized> Views<'a> for ArcRwLockReadGuard<R, T> {
    type View = &'a T;

    fn view(&'a mut self) -> &'a T {
        self
    }
}

#[cfg(feature = "arc_lock")]
impl<R: sealed::RawRwLock, T: ?Sized> sealed::Wait for ArcRwLockReadGuard<R, T> {
    fn wait(&mut self, condvar: &RawCondvar, deadline: Option<Moment>) -> Ended {
        // The guard may be its only owner.
        let lock = std::sync::Arc::clone(ArcRwLockReadGuard::rwlock(self));
        wait_reading(self, &lock, condvar, deadline)
    }
}
