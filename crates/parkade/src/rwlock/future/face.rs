//! The public traits, their futures, and guards that own their lock.

use super::{super::ops::Reading, Want};
use crate::{
    GuardMarker, RawRwLock, RwLock, RwLockReadGuard, RwLockUpgradableReadGuard, RwLockWriteGuard,
    SharedGuardState,
    rwlock::{Core, Held, Mode},
    task::{Handle, future},
};
use core::{
    fmt,
    mem::ManuallyDrop,
    ops::{Deref, DerefMut},
};
use lock_api::RawRwLock as _;
use std::sync::Arc;

mod sealed {
    pub trait Lock {}
}

/// Reads and writes a [`RwLock`] from a task: `use parkade::prelude::*;`.
///
/// The same lock, in the same queue, as threads, which may block on it at the same time. Any executor will do.
///
/// * **Waiting** and **cancelling**: as [`LockAsync`](crate::prelude::LockAsync#) says of `Mutex`. So does **no futurelock**.
/// * **Fairness**: a task that wants to write, and finds readers, keeps later ones out as long as it stands in the queue; when the last has left it
///   is woken, and until it is polled and has the lock anybody may take it. A task that wants to read stands in line behind a writer.
///   Tasks have no claim after a time, as threads have.
/// * **Reading twice** in one task deadlocks if a writer comes in between, as it does with threads; there is no panic that says so, because
///   a task is no thread.
/// * **Guards** are those of `read`, `write` and `upgradable_read`, which are not `Send`: see [`sendable`](crate::prelude::Sendable::sendable), and
///   the owned ones.
///
/// ```
/// use parkade::{RwLock, prelude::*};
///
/// let names = RwLock::new(vec!["a"]);
/// futures::executor::block_on(async {
///     names.write_async().await.push("b");
///     assert_eq!(names.read_async().await.len(), 2);
/// });
/// assert_eq!(*names.read(), ["a", "b"]);
/// ```
pub trait RwLockAsync: sealed::Lock {
    /// What the lock protects.
    type Value: ?Sized;

    /// Reads.
    ///
    /// ```
    /// use parkade::{RwLock, prelude::*};
    ///
    /// let value = RwLock::new(1);
    /// assert_eq!(*futures::executor::block_on(value.read_async()), 1);
    /// ```
    ///
    /// # Panics
    /// The poll, if there are 2^23 readers.
    fn read_async(&self) -> Read<'_, Self::Value>;

    /// Writes.
    ///
    /// ```
    /// use parkade::{RwLock, prelude::*};
    ///
    /// let value = RwLock::new(1);
    /// *futures::executor::block_on(value.write_async()) += 1;
    /// assert_eq!(value.into_inner(), 2);
    /// ```
    fn write_async(&self) -> Write<'_, Self::Value>;

    /// Reads, as the one who may [`upgrade`](UpgradeAsync).
    ///
    /// ```
    /// use parkade::{RwLock, prelude::*};
    ///
    /// let value = RwLock::new(1);
    /// futures::executor::block_on(async {
    ///     let reading = value.upgradable_read_async().await;
    ///     if *reading == 1 {
    ///         *reading.upgrade_async().await = 2;
    ///     }
    /// });
    /// assert_eq!(value.into_inner(), 2);
    /// ```
    fn upgradable_read_async(&self) -> UpgradableRead<'_, Self::Value>;

    /// Reads, by a handle of the lock: future and guard are `'static`.
    ///
    /// ```
    /// use parkade::{RwLock, prelude::*};
    /// use std::sync::Arc;
    ///
    /// let value = Arc::new(RwLock::new(1));
    /// let reading = futures::executor::block_on(value.clone().read_owned_async());
    /// std::thread::spawn(move || assert_eq!(*reading, 1)).join().unwrap();
    /// ```
    ///
    /// # Panics
    /// As [`read_async`](RwLockAsync::read_async).
    fn read_owned_async(self: Arc<Self>) -> ReadOwned<Self::Value>;

    /// Writes, by a handle of the lock: future and guard are `'static`.
    ///
    /// ```
    /// use parkade::{RwLock, prelude::*};
    /// use std::sync::Arc;
    ///
    /// let value = Arc::new(RwLock::new(1));
    /// let mut writing = futures::executor::block_on(value.clone().write_owned_async());
    /// std::thread::spawn(move || *writing += 1).join().unwrap();
    /// assert_eq!(*value.read(), 2);
    /// ```
    fn write_owned_async(self: Arc<Self>) -> WriteOwned<Self::Value>;
}

/// Upgrades the guard of an upgradable reader from a task: `use parkade::prelude::*;`.
pub trait UpgradeAsync<'a> {
    /// What the lock protects.
    type Value: ?Sized + 'a;

    /// Waits for other readers to leave, and writes. The guard goes into the future: one that is dropped has read for the last
    /// time, and has not written.
    ///
    /// Readers that come meanwhile are let in, so they can keep it waiting for as long as they overlap. (A thread that upgrades
    /// keeps them out; a task that did might never be polled.)
    ///
    /// ```
    /// use parkade::{RwLock, prelude::*};
    ///
    /// let value = RwLock::new(1);
    /// let reading = value.upgradable_read();
    /// *futures::executor::block_on(reading.upgrade_async()) += 1;
    /// assert_eq!(value.into_inner(), 2);
    /// ```
    fn upgrade_async(self) -> Upgrade<'a, Self::Value>;
}

impl<T: ?Sized> sealed::Lock for RwLock<T> {}

impl<T: ?Sized> RwLockAsync for RwLock<T> {
    type Value = T;

    #[inline]
    fn read_async(&self) -> Read<'_, T> {
        Read::new(ToRead(self))
    }

    #[inline]
    fn write_async(&self) -> Write<'_, T> {
        Write::new(ToWrite(self))
    }

    fn upgradable_read_async(&self) -> UpgradableRead<'_, T> {
        UpgradableRead::new(ToReadUpgradably(self))
    }

    fn read_owned_async(self: Arc<Self>) -> ReadOwned<T> {
        ReadOwned::new(ToRead(self))
    }

    fn write_owned_async(self: Arc<Self>) -> WriteOwned<T> {
        WriteOwned::new(ToWrite(self))
    }
}

impl<'a, T: ?Sized> UpgradeAsync<'a> for RwLockUpgradableReadGuard<'a, T> {
    type Value = T;

    fn upgrade_async(self) -> Upgrade<'a, T> {
        let lock = RwLockUpgradableReadGuard::rwlock(&self);
        // It may be polled on another thread.
        Held::remove(core(lock).key());
        // What it holds the handle holds from here on.
        core::mem::forget(self);
        Upgrade::new(ToUpgrade(lock))
    }
}

future! {
    /// Reads a [`RwLock`]: the future of [`read_async`](RwLockAsync::read_async).
    pub struct Read['a, T: ?Sized]['a, T](ToRead<&'a RwLock<T>>) -> RwLockReadGuard<'a, T>;
}

future! {
    /// Writes a [`RwLock`]: the future of [`write_async`](RwLockAsync::write_async).
    pub struct Write['a, T: ?Sized]['a, T](ToWrite<&'a RwLock<T>>) -> RwLockWriteGuard<'a, T>;
}

future! {
    /// Reads a [`RwLock`] upgradably: the future of [`upgradable_read_async`](RwLockAsync::upgradable_read_async).
    pub struct UpgradableRead['a, T: ?Sized]['a, T](ToReadUpgradably<'a, T>)
        -> RwLockUpgradableReadGuard<'a, T>;
}

future! {
    /// Upgrades a guard: the future of [`upgrade_async`](UpgradeAsync::upgrade_async).
    pub struct Upgrade['a, T: ?Sized]['a, T](ToUpgrade<'a, T>) -> RwLockWriteGuard<'a, T>;
}

future! {
    /// Reads a [`RwLock`] by a handle of it: the future of [`read_owned_async`](RwLockAsync::read_owned_async).
    pub struct ReadOwned[T: ?Sized][T](ToRead<Arc<RwLock<T>>>) -> OwnedRwLockReadGuard<T>;
}

future! {
    /// Writes a [`RwLock`] by a handle of it: the future of [`write_owned_async`](RwLockAsync::write_owned_async).
    pub struct WriteOwned[T: ?Sized][T](ToWrite<Arc<RwLock<T>>>) -> OwnedRwLockWriteGuard<T>;
}

fn core<T: ?Sized>(lock: &RwLock<T>) -> &Core {
    // SAFETY: what is done with it ends in a guard, or leaves it as it was.
    let raw: &RawRwLock = unsafe { lock.raw() };
    &raw.0
}

pub(crate) struct ToRead<L>(L);
pub(crate) struct ToWrite<L>(L);
pub(crate) struct ToReadUpgradably<'a, T: ?Sized>(&'a RwLock<T>);

/// The upgradable reader itself.
pub(crate) struct ToUpgrade<'a, T: ?Sized>(&'a RwLock<T>);

impl<T: ?Sized> Drop for ToUpgrade<'_, T> {
    fn drop(&mut self) {
        // It has been held so since it was made of a guard, and no thread has that on its list.
        core(self.0).release(Mode::Upgradable);
    }
}

impl<'a, T: ?Sized> Handle for ToRead<&'a RwLock<T>> {
    type Queue = Core;
    type Output = RwLockReadGuard<'a, T>;

    #[inline]
    fn queue(&self) -> &Core {
        core(self.0)
    }

    #[inline]
    fn want(&self) -> Want {
        Want::Read
    }

    #[inline]
    fn finish(self, reading: Reading) -> RwLockReadGuard<'a, T> {
        // SAFETY: it was locked so just now, and there is no guard of that.
        unsafe { self.0.make_read_guard_unchecked(SharedGuardState::new(reading)) }
    }
}

impl<'a, T: ?Sized> Handle for ToWrite<&'a RwLock<T>> {
    type Queue = Core;
    type Output = RwLockWriteGuard<'a, T>;

    #[inline]
    fn queue(&self) -> &Core {
        core(self.0)
    }

    #[inline]
    fn want(&self) -> Want {
        Want::Write
    }

    #[inline]
    fn finish(self, _: Reading) -> RwLockWriteGuard<'a, T> {
        // SAFETY: it was locked so just now, and there is no guard of that.
        unsafe { self.0.make_write_guard_unchecked(GuardMarker::new()) }
    }
}

impl<'a, T: ?Sized> Handle for ToReadUpgradably<'a, T> {
    type Queue = Core;
    type Output = RwLockUpgradableReadGuard<'a, T>;

    fn queue(&self) -> &Core {
        core(self.0)
    }

    fn want(&self) -> Want {
        Want::ReadUpgradably
    }

    fn finish(self, _: Reading) -> RwLockUpgradableReadGuard<'a, T> {
        // SAFETY: it was locked so just now, and there is no guard of that.
        unsafe { self.0.make_upgradable_guard_unchecked(GuardMarker::new()) }
    }
}

impl<'a, T: ?Sized> Handle for ToUpgrade<'a, T> {
    type Queue = Core;
    type Output = RwLockWriteGuard<'a, T>;

    fn queue(&self) -> &Core {
        core(self.0)
    }

    fn want(&self) -> Want {
        Want::Upgrade
    }

    fn finish(self, _: Reading) -> RwLockWriteGuard<'a, T> {
        let lock = self.0;
        // It holds the lock in another way now.
        core::mem::forget(self);
        // SAFETY: it was upgraded just now, and there is no guard of that.
        unsafe { lock.make_write_guard_unchecked(GuardMarker::new()) }
    }
}

impl<T: ?Sized> Handle for ToRead<Arc<RwLock<T>>> {
    type Queue = Core;
    type Output = OwnedRwLockReadGuard<T>;

    fn queue(&self) -> &Core {
        core(&self.0)
    }

    fn want(&self) -> Want {
        Want::Read
    }

    fn finish(self, reading: Reading) -> OwnedRwLockReadGuard<T> {
        OwnedRwLockReadGuard { lock: self.0, reading: ManuallyDrop::new(reading) }
    }
}

impl<T: ?Sized> Handle for ToWrite<Arc<RwLock<T>>> {
    type Queue = Core;
    type Output = OwnedRwLockWriteGuard<T>;

    fn queue(&self) -> &Core {
        core(&self.0)
    }

    fn want(&self) -> Want {
        Want::Write
    }

    fn finish(self, _: Reading) -> OwnedRwLockWriteGuard<T> {
        OwnedRwLockWriteGuard { lock: self.0 }
    }
}

/// Shared access to what a [`RwLock`] protects, with a handle of it; released when dropped, on any thread.
pub struct OwnedRwLockReadGuard<T: ?Sized> {
    lock: Arc<RwLock<T>>,
    /// Taken once, on drop.
    reading: ManuallyDrop<Reading>,
}

// SAFETY: the guard is shared access to a `T`, and a handle of what can be shared. A slot may be freed on any thread.
unsafe impl<T: ?Sized + Send + Sync> Send for OwnedRwLockReadGuard<T> {}
// SAFETY: a shared guard gives shared access.
unsafe impl<T: ?Sized + Send + Sync> Sync for OwnedRwLockReadGuard<T> {}

impl<T: ?Sized> OwnedRwLockReadGuard<T> {
    /// The lock.
    pub fn rwlock(this: &Self) -> &Arc<RwLock<T>> {
        &this.lock
    }
}

impl<T: ?Sized> Drop for OwnedRwLockReadGuard<T> {
    fn drop(&mut self) {
        // SAFETY: nobody uses it after this.
        let reading = unsafe { ManuallyDrop::take(&mut self.reading) };
        core(&self.lock).unread(reading);
    }
}

/// Exclusive access to what a [`RwLock`] protects, with a handle of it; released when dropped, on any thread.
pub struct OwnedRwLockWriteGuard<T: ?Sized> {
    lock: Arc<RwLock<T>>,
}

// SAFETY: a lock that is written does not know its thread; the guard is access to a `T`, and a handle of what can be shared.
unsafe impl<T: ?Sized + Send + Sync> Send for OwnedRwLockWriteGuard<T> {}
// SAFETY: a shared guard gives shared access.
unsafe impl<T: ?Sized + Send + Sync> Sync for OwnedRwLockWriteGuard<T> {}

impl<T: ?Sized> OwnedRwLockWriteGuard<T> {
    /// The lock.
    pub fn rwlock(this: &Self) -> &Arc<RwLock<T>> {
        &this.lock
    }
}

impl<T: ?Sized> DerefMut for OwnedRwLockWriteGuard<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the lock is held alone, by us, and we are borrowed exclusively.
        unsafe { &mut *self.lock.data_ptr() }
    }
}

impl<T: ?Sized> Drop for OwnedRwLockWriteGuard<T> {
    fn drop(&mut self) {
        // SAFETY: as in `core`.
        let raw = unsafe { self.lock.raw() };
        // SAFETY: the lock is held so, by us.
        unsafe { raw.unlock_exclusive(GuardMarker::new()) };
    }
}

macro_rules! shows {
    ($($guard:ident)+) => {$(
        impl<T: ?Sized> Deref for $guard<T> {
            type Target = T;

            fn deref(&self) -> &T {
                // SAFETY: the lock is held, by us.
                unsafe { &*self.lock.data_ptr() }
            }
        }

        impl<T: ?Sized + fmt::Debug> fmt::Debug for $guard<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&**self, f)
            }
        }

        impl<T: ?Sized + fmt::Display> fmt::Display for $guard<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&**self, f)
            }
        }
    )+};
}

shows!(OwnedRwLockReadGuard OwnedRwLockWriteGuard);
