//! Guards that may be sent.

use core::{
    fmt,
    ops::{Deref, DerefMut},
};

/// Makes of a guard one that may be sent to another thread, and held across an `await` of a task that moves between
/// threads: `use parkade::prelude::*;`.
///
/// For guards of locks that do not know who holds them: of [`Mutex`](crate::Mutex), if what it protects is `Send`, and of
/// [`RwLock`](crate::RwLock), if it is `Sync` as well.
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
        SendGuard(self)
    }
}

mod sealed {
    /// # Safety
    /// The guard's lock may be released on another thread than it was taken on, what it protects may be used there in every way in
    /// which a guard lets it be used, and the guard has nothing else that belongs to a thread.
    pub unsafe trait Sendable {}
}

/// A guard that may be sent to another thread: made by [`Sendable::sendable`].
pub struct SendGuard<G>(G);

// SAFETY: what the sealed trait promises.
unsafe impl<G: Sendable> Send for SendGuard<G> {}

impl<G> SendGuard<G> {
    /// The guard as it was.
    pub fn into_inner(this: Self) -> G {
        this.0
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
    ($($guard:ident: $($bound:ident)+, $reason:literal;)+) => {$(
        #[doc = $reason]
        // SAFETY: the reason that is given.
        unsafe impl<T: ?Sized $(+ $bound)+> sealed::Sendable for crate::$guard<'_, T> {}
        impl<T: ?Sized $(+ $bound)+> Sendable for crate::$guard<'_, T> {}
    )+};
}

sendable! {
    MutexGuard: Send, "a mutex does not know its thread";
    MappedMutexGuard: Send, "a mutex does not know its thread";
    RwLockWriteGuard: Send Sync, "a lock that is written does not know its thread; it may be downgraded elsewhere";
    RwLockUpgradableReadGuard: Send Sync, "nor one that is read upgradably: it has no slot";
    RwLockReadGuard: Send Sync, "a slot may be freed on any thread";
}
