//! Guards that may be sent.

use core::{
    fmt,
    ops::{Deref, DerefMut},
};
use std::sync::Arc;

/// Makes of a guard one that may be sent to another thread, and held across an `await` of a task that moves between
/// threads: `use parkade::prelude::*;`.
///
/// For guards of locks that do not know who holds them. What a guard protects has to be `Send`; for a
/// [`RwLock`](crate::RwLock), and for keys, if it has any, `Sync` as well.
///
/// ```
/// use parkade::{Mutex, prelude::*};
///
/// fn on_any_thread(_: impl Future + Send) {}
///
/// let value = Mutex::new(1);
/// on_any_thread(async {
///     let mut value = value.lock_async().await.sendable();
///     std::future::ready(()).await;
///     *value += 1;
/// });
/// ```
///
/// ```compile_fail
/// # #[cfg(feature = "send_guard")] compile_error!("then a guard may be sent");
/// use parkade::{Mutex, prelude::*};
///
/// fn on_any_thread(_: impl Future + Send) {}
///
/// let value = Mutex::new(1);
/// on_any_thread(async {
///     let mut value = value.lock_async().await;
///     std::future::ready(()).await;
///     *value += 1;
/// });
/// ```
pub trait Sendable: sealed::Sendable + Sized {
    /// The guard, in a cover that may be sent.
    #[inline]
    fn sendable(self) -> SendGuard<Self> {
        self.unbind();
        SendGuard(self)
    }
}

mod sealed {
    /// # Safety
    /// 1. The guard's lock may be released on another thread than it was taken on, and the guard has nothing else that belongs to
    ///    a thread.
    /// 2. If `Sent` is `Send`, what the guard protects may be used there in every way in which the guard lets it be used.
    pub unsafe trait Sendable {
        /// What has to be `Send` for the guard to be sent.
        type Sent: ?Sized;

        /// The guard may come to be dropped on another thread: forgets what is remembered of the one that has it.
        fn unbind(&self) {}
    }
}

/// A guard that may be sent to another thread: made by [`Sendable::sendable`].
pub struct SendGuard<G>(G);

// SAFETY: what the sealed trait promises.
unsafe impl<G: Sendable<Sent: Send>> Send for SendGuard<G> {}

impl<G> SendGuard<G> {
    /// Covers any guard: one that may not be sent makes a cover that may not.
    pub(crate) fn cover(guard: G) -> SendGuard<G> {
        SendGuard(guard)
    }

    /// The guard as it was.
    pub fn into_inner(this: Self) -> G {
        this.0
    }

    /// The guard in its cover, for what it has but access to a value: its lock, its key.
    ///
    /// ```
    /// use parkade::{Mutex, MutexGuard, futures::SendGuard, prelude::*};
    ///
    /// let lock = Mutex::new(1);
    /// let guard = lock.lock().sendable();
    /// assert!(std::ptr::eq(MutexGuard::mutex(SendGuard::get(&guard)), &lock));
    /// ```
    pub fn get(this: &Self) -> &G {
        &this.0
    }

    pub(crate) fn get_mut(this: &mut Self) -> &mut G {
        &mut this.0
    }
}

impl<G: Deref> Deref for SendGuard<G> {
    type Target = G::Target;

    #[inline]
    fn deref(&self) -> &G::Target {
        &self.0
    }
}

impl<G: DerefMut> DerefMut for SendGuard<G> {
    #[inline]
    fn deref_mut(&mut self) -> &mut G::Target {
        &mut self.0
    }
}

impl<G: fmt::Debug> fmt::Debug for SendGuard<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<G: fmt::Display> fmt::Display for SendGuard<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

macro_rules! sendable {
    ($($guard:ident, $sent:ty, $this:ident: $unbind:expr, $reason:literal;)+) => {$(
        #[doc = $reason]
        // SAFETY: 1. the reason that is given; 2. a mutex is had alone, and a reader-writer lock may be downgraded elsewhere.
        unsafe impl<T: ?Sized> sealed::Sendable for crate::$guard<'_, T> {
            type Sent = $sent;

            #[inline]
            fn unbind(&self) {
                let $this = self;
                $unbind
            }
        }
        impl<T: ?Sized> Sendable for crate::$guard<'_, T> {}
    )+};
}

sendable! {
    MutexGuard, T, _guard: (), "a mutex does not know its thread";
    MappedMutexGuard, T, _guard: (), "a mutex does not know its thread";
    RwLockWriteGuard, Arc<T>, guard: forget_holder(crate::RwLockWriteGuard::rwlock(guard)),
    "a lock that is written does not know its thread";
    RwLockUpgradableReadGuard, Arc<T>, guard: forget_holder(crate::RwLockUpgradableReadGuard::rwlock(guard)),
    "nor one that is read upgradably: it has no slot";
    RwLockReadGuard, Arc<T>, guard: forget_holder(crate::RwLockReadGuard::rwlock(guard)),
    "a slot may be freed on any thread";
}

/// Debug builds remember who has a reader-writer lock.
fn forget_holder<T: ?Sized>(lock: &crate::RwLock<T>) {
    // SAFETY: nothing is done to it.
    crate::rwlock::Held::remove(unsafe { lock.raw() }.key());
}

#[cfg(feature = "keyed")]
mod keyed {
    use super::{Sendable, sealed};
    use crate::keyed::{
        Entry, KeyedMutex, KeyedMutexGuard, KeyedMutexManyGuard, KeyedRwLock, KeyedRwLockReadGuard,
        KeyedRwLockReadManyGuard, KeyedRwLockWriteGuard, KeyedRwLockWriteManyGuard, LockMapEntry,
        LockMapManyGuard, MapRef, OwnedKeyedMutexGuard, OwnedKeyedRwLockReadGuard,
        OwnedKeyedRwLockWriteGuard, ValueGuard,
    };
    use std::sync::Arc;

    macro_rules! sendable {
        ($([$($parameters:tt)*] $guard:ty, $sent:ty;)+) => {$(
            // SAFETY: no lock of a key knows its thread; who has it is remembered for diagnosis, and forgotten here. What is
            // sent along is a way to the map, so `Sent` is `Send` if that is.
            unsafe impl<$($parameters)*> sealed::Sendable for $guard {
                type Sent = $sent;

                fn unbind(&self) {
                    self.unbind();
                }
            }
            impl<$($parameters)*> Sendable for $guard {}
        )+};
    }

    sendable! {
        // A shared map is `Send` if its keys are `Send` and `Sync`; so is an `Arc`.
        [K] KeyedMutexGuard<'_, K>, Arc<K>;
        [K] KeyedMutexManyGuard<'_, K>, Arc<K>;
        [K, S] OwnedKeyedMutexGuard<K, S>, Arc<KeyedMutex<K, S>>;
        // Readers of a key are counted, on whatever thread they are.
        [K] KeyedRwLockReadGuard<'_, K>, Arc<K>;
        [K] KeyedRwLockReadManyGuard<'_, K>, Arc<K>;
        [K, S] OwnedKeyedRwLockReadGuard<K, S>, Arc<KeyedRwLock<K, S>>;
        [K] KeyedRwLockWriteGuard<'_, K>, Arc<K>;
        [K] KeyedRwLockWriteManyGuard<'_, K>, Arc<K>;
        [K, S] OwnedKeyedRwLockWriteGuard<K, S>, Arc<KeyedRwLock<K, S>>;
        [K, V, M: MapRef<K, V>] Entry<K, V, M>, (M, V);
        [K, V, M: MapRef<K, V>] ValueGuard<K, V, M>, (M, V);
        ['a, K, V] LockMapManyGuard<'a, K, V>, <LockMapEntry<'a, K, V> as sealed::Sendable>::Sent;
    }
}
