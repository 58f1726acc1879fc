//! Guards that may be sent.

use core::{
    fmt,
    ops::{Deref, DerefMut},
};

/// Makes of a guard one that may be sent to another thread, and held across an `await` of a task that moves between
/// threads: `use parkade::prelude::*;`.
///
/// For guards of locks that do not know who holds them. What a guard protects has to be `Send`.
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
    fn sendable(self) -> SendGuard<Self> {
        SendGuard(self)
    }
}

mod sealed {
    /// # Safety
    /// The guard's lock may be released on another thread than it was taken on, and the guard has nothing else that belongs to
    /// a thread.
    pub unsafe trait Sendable {}
}

/// A guard that may be sent to another thread: made by [`Sendable::sendable`].
pub struct SendGuard<G>(G);

// SAFETY: by the sealed trait nothing but what is protected matters, and that may be sent.
unsafe impl<G: Sendable + Deref<Target: Send>> Send for SendGuard<G> {}

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

// SAFETY: a mutex does not know its thread, and the guard is a reference to it.
unsafe impl<T: ?Sized> sealed::Sendable for crate::MutexGuard<'_, T> {}
impl<T: ?Sized> Sendable for crate::MutexGuard<'_, T> {}
// SAFETY: as above.
unsafe impl<T: ?Sized> sealed::Sendable for crate::MappedMutexGuard<'_, T> {}
impl<T: ?Sized> Sendable for crate::MappedMutexGuard<'_, T> {}
