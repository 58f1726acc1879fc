//! Locks that are their own handles: what is cloned is the handle, and all handles have one lock.
//!
//! Instead of an `Arc<Mutex<T>>` that is taken apart at every use, [`shared::Mutex<T>`](Mutex) is one type, one
//! allocation, and in a module of its own it does not clash with the plain one:
//!
//! ```
//! use parkade::shared;
//! use std::thread;
//!
//! let jobs = shared::Mutex::new(vec!["wash", "rinse"]);
//! let worker = thread::spawn({
//!     let jobs = jobs.clone(); // another handle to the same lock
//!     move || jobs.lock().pop()
//! });
//! assert_eq!(worker.join().unwrap(), Some("rinse"));
//! assert_eq!(jobs.into_inner(), Some(vec!["wash"])); // `jobs` was the last handle
//! ```
//!
//! A [`Handle`] dereferences to the [`Arc`] of its lock, so it has every method of the lock: `lock`, `try_lock`,
//! `read`, `write`, `upgradable_read`, the timed ones, and what [`prelude`](crate::prelude) adds, with guards
//! that borrow the handle. With the feature `arc_lock` it has those whose guards own the lock too (`lock_arc`, `read_arc`,
//! ...); such a guard may outlive all handles, and counts as one. The promises are those of the lock; clones
//! and drops are those of an `Arc`.
//!
//! A [`WeakHandle`] refers to the lock without keeping it; it is what a cache or a cycle wants.
//!
//! | lock | handle | weak handle |
//! |---|---|---|
//! | [`parkade::Mutex`](crate::Mutex) | [`Mutex`] | [`WeakMutex`] |
//! | [`parkade::RwLock`](crate::RwLock) | [`RwLock`] | [`WeakRwLock`] |
//! | [`parkade::FairMutex`](crate::FairMutex) | [`FairMutex`] | [`WeakFairMutex`] |
//! | [`parkade::RecursiveRwLock`](crate::RecursiveRwLock) | [`RecursiveRwLock`] | [`WeakRecursiveRwLock`] |
//! | [`parkade::ReentrantMutex`](crate::ReentrantMutex) | [`ReentrantMutex`] | [`WeakReentrantMutex`] |
//! | [`parkade::Condvar`](crate::Condvar) | [`Condvar`] | [`WeakCondvar`] |

use core::{fmt, ops::Deref};
use lock_api::{GetThreadId, RawMutex, RawRwLock};
use std::sync::{Arc, Weak};

/// A handle to a mutex.
///
/// ```
/// use parkade::shared::Mutex;
/// use std::time::Duration;
///
/// let hits = Mutex::new(1);
/// let same = hits.clone();
/// *same.lock() += 1;
/// {
///     let guard = hits.lock();
///     assert_eq!(*guard, 2);
///     assert!(same.try_lock().is_none());
///     assert!(same.try_lock_for(Duration::from_millis(1)).is_none());
/// }
/// assert_eq!(*hits.lock(), 2);
/// ```
///
/// A guard borrows the handle, so it cannot outlive it:
///
/// ```compile_fail,E0505
/// let lock = parkade::shared::Mutex::new(0);
/// let guard = lock.lock();
/// drop(lock);
/// drop(guard);
/// ```
///
/// What it protects must be `Send` for a handle to be sent:
///
/// ```compile_fail,E0277
/// fn needs_send<T: Send>(_: T) {}
/// needs_send(parkade::shared::Mutex::new(std::rc::Rc::new(0)));
/// ```
pub type Mutex<T> = Handle<crate::Mutex<T>>;

/// A weak handle to a [`Mutex`].
///
/// ```
/// use parkade::shared::{Mutex, WeakMutex};
///
/// let lock = Mutex::new(1);
/// let weak: WeakMutex<i32> = lock.downgrade();
/// assert_eq!(*weak.upgrade().unwrap().lock(), 1);
/// ```
pub type WeakMutex<T> = WeakHandle<crate::Mutex<T>>;

/// A handle to a reader-writer lock.
///
/// ```
/// use parkade::{RwLockUpgradableReadGuard, shared::RwLock};
///
/// let names = RwLock::new(vec!["ann"]);
/// let same = names.clone();
/// same.write().push("bob");
/// assert_eq!(names.read().len(), 2);
///
/// let reading = names.upgradable_read();
/// assert!(same.try_read().is_some() && same.try_write().is_none());
/// RwLockUpgradableReadGuard::upgrade(reading).push("cem");
/// assert_eq!(*same.read(), ["ann", "bob", "cem"]);
/// ```
pub type RwLock<T> = Handle<crate::RwLock<T>>;

/// A weak handle to a [`RwLock`].
///
/// ```
/// use parkade::shared::{RwLock, WeakRwLock};
///
/// let lock = RwLock::new(1);
/// let weak: WeakRwLock<i32> = lock.downgrade();
/// assert_eq!(*weak.upgrade().unwrap().read(), 1);
/// ```
pub type WeakRwLock<T> = WeakHandle<crate::RwLock<T>>;

/// A handle to a mutex that serves its waiters in order.
///
/// ```
/// let turns = parkade::shared::FairMutex::new(0);
/// *turns.clone().lock() += 1;
/// assert_eq!(*turns.lock(), 1);
/// ```
pub type FairMutex<T> = Handle<crate::FairMutex<T>>;

/// A weak handle to a [`FairMutex`].
///
/// ```
/// use parkade::shared::{FairMutex, WeakFairMutex};
///
/// let weak: WeakFairMutex<i32> = FairMutex::new(1).downgrade();
/// assert!(weak.upgrade().is_none());
/// ```
pub type WeakFairMutex<T> = WeakHandle<crate::FairMutex<T>>;

/// A handle to a reader-writer lock whose readers may read again.
///
/// ```
/// let lock = parkade::shared::RecursiveRwLock::new(1);
/// let same = lock.clone();
/// let (outer, inner) = (lock.read(), same.read());
/// assert_eq!(*outer, *inner);
/// ```
pub type RecursiveRwLock<T> = Handle<crate::RecursiveRwLock<T>>;

/// A weak handle to a [`RecursiveRwLock`].
///
/// ```
/// use parkade::shared::{RecursiveRwLock, WeakRecursiveRwLock};
///
/// let weak: WeakRecursiveRwLock<i32> = RecursiveRwLock::new(1).downgrade();
/// assert!(weak.upgrade().is_none());
/// ```
pub type WeakRecursiveRwLock<T> = WeakHandle<crate::RecursiveRwLock<T>>;

/// A handle to a mutex that a thread may lock again.
///
/// ```
/// use std::cell::Cell;
///
/// let depth = parkade::shared::ReentrantMutex::new(Cell::new(0));
/// let same = depth.clone();
/// let outer = depth.lock();
/// same.lock().set(1);
/// assert_eq!(outer.get(), 1);
/// ```
pub type ReentrantMutex<T> = Handle<crate::ReentrantMutex<T>>;

/// A weak handle to a [`ReentrantMutex`].
///
/// ```
/// use parkade::shared::{ReentrantMutex, WeakReentrantMutex};
///
/// let weak: WeakReentrantMutex<i32> = ReentrantMutex::new(1).downgrade();
/// assert!(weak.upgrade().is_none());
/// ```
pub type WeakReentrantMutex<T> = WeakHandle<crate::ReentrantMutex<T>>;

/// A handle to a condition variable.
///
/// ```
/// use parkade::shared::{Condvar, Mutex};
/// use std::thread;
///
/// let (ready, changed) = (Mutex::new(false), Condvar::new());
/// let waiter = thread::spawn({
///     let (ready, changed) = (ready.clone(), changed.clone());
///     move || changed.wait_while(&mut ready.lock(), |ready| !*ready)
/// });
/// *ready.lock() = true;
/// changed.notify_all();
/// waiter.join().unwrap();
/// ```
pub type Condvar = Handle<crate::Condvar>;

/// A weak handle to a [`Condvar`].
///
/// ```
/// use parkade::shared::{Condvar, WeakCondvar};
///
/// let changed = Condvar::new();
/// let weak: WeakCondvar = changed.downgrade();
/// assert_eq!(weak.upgrade().unwrap().notify_all(), 0);
/// ```
pub type WeakCondvar = WeakHandle<crate::Condvar>;

/// A handle to a lock that all its clones have in common; see the [module](self).
///
/// It dereferences to the lock's [`Arc`], and can be made from one and turned into one.
///
/// ```
/// use parkade::shared;
/// use std::sync::Arc;
///
/// // For interfaces that want an `Arc`.
/// fn old_interface(lock: Arc<parkade::Mutex<u32>>) -> shared::Mutex<u32> {
///     *lock.lock() += 1;
///     lock.into()
/// }
///
/// let lock = shared::Mutex::new(1);
/// assert!(old_interface(Arc::clone(&lock)).ptr_eq(&lock));
/// assert_eq!(*lock.lock(), 2);
/// ```
pub struct Handle<L: ?Sized>(Arc<L>);

/// A handle that does not keep its lock; [`upgrade`](WeakHandle::upgrade) makes it one that does.
///
/// ```
/// use parkade::shared;
///
/// let lock = shared::Mutex::new(1);
/// let weak = lock.downgrade();
/// assert!(weak.upgrade().is_some_and(|same| same.ptr_eq(&lock)));
/// drop(lock);
/// assert!(weak.upgrade().is_none());
/// ```
pub struct WeakHandle<L: ?Sized>(Weak<L>);

/// Locks that consist of what protects and a value.
mod sealed {
    pub trait Around {
        type Value;

        fn around(value: Self::Value) -> Self;
        fn into_value(self) -> Self::Value;
        fn value_mut(&mut self) -> &mut Self::Value;
    }
}
use sealed::Around;

macro_rules! around {
    ($($lock:ident <$($raw:ident: $bound:ident),+>)+) => {$(
        impl<$($raw: $bound,)+ T> Around for lock_api::$lock<$($raw,)+ T> {
            type Value = T;

            fn around(value: T) -> Self {
                Self::new(value)
            }

            fn into_value(self) -> T {
                self.into_inner()
            }

            fn value_mut(&mut self) -> &mut T {
                self.get_mut()
            }
        }

        /// A new lock around that value.
        impl<$($raw: $bound,)+ T> From<T> for Handle<lock_api::$lock<$($raw,)+ T>> {
            fn from(value: T) -> Self {
                Self::new(value)
            }
        }
    )+};
}
around! { Mutex<R: RawMutex> RwLock<R: RawRwLock> ReentrantMutex<R: RawMutex, G: GetThreadId> }

impl<L: Around> Handle<L> {
    /// A new lock, not locked, and its first handle. Allocates once.
    ///
    /// ```
    /// let lock = parkade::shared::Mutex::new(7);
    /// assert_eq!(*lock.lock(), 7);
    /// ```
    #[must_use]
    pub fn new(value: L::Value) -> Handle<L> {
        Handle(Arc::new(L::around(value)))
    }

    /// The value, if this is the last handle: when several handles are consumed in this way at once, exactly one
    /// of the calls returns it, which is not so for [`try_unwrap`](Handle::try_unwrap). Never blocks. A guard that was
    /// forgotten is no handle, unless it owned the lock: then it is one for ever.
    ///
    /// ```
    /// let lock = parkade::shared::Mutex::new(7);
    /// assert_eq!(lock.clone().into_inner(), None);
    /// assert_eq!(lock.into_inner(), Some(7));
    /// ```
    #[must_use = "the value is lost with it"]
    pub fn into_inner(self) -> Option<L::Value> {
        Arc::into_inner(self.0).map(L::into_value)
    }

    /// The value, if this is the only handle; weak ones no longer upgrade then. Never blocks.
    ///
    /// ```
    /// let lock = parkade::shared::RwLock::new(7);
    /// let other = lock.clone();
    /// let lock = lock.try_unwrap().unwrap_err();
    /// drop(other);
    /// assert_eq!(lock.try_unwrap().unwrap(), 7);
    /// ```
    ///
    /// # Errors
    /// The handle, if there are others.
    pub fn try_unwrap(self) -> Result<L::Value, Handle<L>> {
        Arc::try_unwrap(self.0).map(L::into_value).map_err(Handle)
    }

    /// The value, without locking, if there is no other handle, not even a weak one.
    ///
    /// ```
    /// let mut lock = parkade::shared::Mutex::new(7);
    /// *lock.get_mut().unwrap() += 1;
    /// let other = lock.downgrade();
    /// assert_eq!(lock.get_mut(), None);
    /// drop(other);
    /// assert_eq!(lock.get_mut(), Some(&mut 8));
    /// ```
    pub fn get_mut(&mut self) -> Option<&mut L::Value> {
        Arc::get_mut(&mut self.0).map(L::value_mut)
    }
}

impl Handle<crate::Condvar> {
    /// A new condition variable, for which nobody waits, and its first handle. Allocates once.
    ///
    /// ```
    /// assert!(!parkade::shared::Condvar::new().notify_one());
    /// ```
    #[must_use]
    pub fn new() -> Condvar {
        Handle::default()
    }
}

impl<L: ?Sized> Handle<L> {
    /// Whether both are handles to the same lock.
    ///
    /// ```
    /// let (one, other) = (parkade::shared::Mutex::new(1), parkade::shared::Mutex::new(1));
    /// assert!(one.ptr_eq(&one.clone()) && !one.ptr_eq(&other));
    /// ```
    #[must_use]
    pub fn ptr_eq(&self, other: &Handle<L>) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// How many handles to the lock there are, guards that own it included, weak handles not. Others may have
    /// changed it meanwhile.
    ///
    /// ```
    /// let lock = parkade::shared::Mutex::new(1);
    /// let other = lock.clone();
    /// assert_eq!(lock.handle_count(), 2);
    /// drop(other);
    /// assert_eq!(lock.handle_count(), 1);
    /// ```
    #[must_use]
    pub fn handle_count(&self) -> usize {
        Arc::strong_count(&self.0)
    }

    /// A handle to the same lock that does not keep it.
    ///
    /// ```
    /// let lock = parkade::shared::Mutex::new(1);
    /// let weak = lock.downgrade();
    /// drop(lock);
    /// assert!(weak.upgrade().is_none());
    /// ```
    #[must_use]
    pub fn downgrade(&self) -> WeakHandle<L> {
        WeakHandle(Arc::downgrade(&self.0))
    }
}

impl<L: ?Sized> WeakHandle<L> {
    /// A handle that keeps the lock, unless the last of those is gone.
    ///
    /// ```
    /// let lock = parkade::shared::RwLock::new(1);
    /// let weak = lock.downgrade();
    /// assert_eq!(*weak.upgrade().unwrap().read(), 1);
    /// drop(lock);
    /// assert!(weak.upgrade().is_none());
    /// ```
    #[must_use]
    pub fn upgrade(&self) -> Option<Handle<L>> {
        self.0.upgrade().map(Handle)
    }

    /// Whether both are weak handles to the same lock, or to none.
    ///
    /// ```
    /// let lock = parkade::shared::Mutex::new(1);
    /// assert!(lock.downgrade().ptr_eq(&lock.downgrade()));
    /// ```
    #[must_use]
    pub fn ptr_eq(&self, other: &WeakHandle<L>) -> bool {
        Weak::ptr_eq(&self.0, &other.0)
    }

    /// How many handles keep the lock; see [`Handle::handle_count`].
    ///
    /// ```
    /// let lock = parkade::shared::Mutex::new(1);
    /// let weak = lock.downgrade();
    /// assert_eq!(weak.handle_count(), 1);
    /// drop(lock);
    /// assert_eq!(weak.handle_count(), 0);
    /// ```
    #[must_use]
    pub fn handle_count(&self) -> usize {
        self.0.strong_count()
    }
}

impl<L> WeakHandle<L> {
    /// A weak handle to no lock. Allocates nothing.
    ///
    /// ```
    /// let weak = parkade::shared::WeakMutex::<u32>::new();
    /// assert!(weak.upgrade().is_none());
    /// ```
    #[must_use]
    pub const fn new() -> WeakHandle<L> {
        WeakHandle(Weak::new())
    }
}

impl<L: ?Sized> Deref for Handle<L> {
    type Target = Arc<L>;

    #[inline]
    fn deref(&self) -> &Arc<L> {
        &self.0
    }
}

impl<L: ?Sized> Clone for Handle<L> {
    /// Another handle to the same lock.
    #[inline]
    fn clone(&self) -> Handle<L> {
        Handle(Arc::clone(&self.0))
    }
}

impl<L: ?Sized> Clone for WeakHandle<L> {
    /// Another weak handle to the same lock.
    #[inline]
    fn clone(&self) -> WeakHandle<L> {
        WeakHandle(Weak::clone(&self.0))
    }
}

impl<L: Default> Default for Handle<L> {
    /// A new lock around the default value.
    fn default() -> Handle<L> {
        Handle(Arc::default())
    }
}

impl<L> Default for WeakHandle<L> {
    fn default() -> WeakHandle<L> {
        WeakHandle::new()
    }
}

/// As the lock itself.
impl<L: fmt::Debug + ?Sized> fmt::Debug for Handle<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<L: ?Sized> fmt::Debug for WeakHandle<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(WeakHandle)")
    }
}

/// A handle to that lock, in addition to those there are.
impl<L: ?Sized> From<Arc<L>> for Handle<L> {
    fn from(lock: Arc<L>) -> Handle<L> {
        Handle(lock)
    }
}

impl<L: ?Sized> From<Handle<L>> for Arc<L> {
    fn from(handle: Handle<L>) -> Arc<L> {
        handle.0
    }
}

/// Writes the value.
#[cfg(feature = "serde")]
impl<L: serde::Serialize + ?Sized> serde::Serialize for Handle<L> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (*self.0).serialize(serializer)
    }
}

/// Reads the value into a new lock: two handles that were written are two locks when they are read.
#[cfg(feature = "serde")]
impl<'de, L: serde::Deserialize<'de>> serde::Deserialize<'de> for Handle<L> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Handle<L>, D::Error> {
        L::deserialize(deserializer).map(|lock| Handle(Arc::new(lock)))
    }
}
