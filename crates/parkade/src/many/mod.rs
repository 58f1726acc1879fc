//! Several locks at once without deadlock: [`lock_many`], [`try_lock_many`] and the timed forms.
//!
//! Two threads that need the same two locks and take them one by one in different orders wait for each other for ever.
//! These functions take a whole set, always in one order, whatever the order of the arguments:
//!
//! ```
//! use parkade::{Mutex, lock_many};
//!
//! let (ann, bob) = (Mutex::new(10), Mutex::new(0));
//! std::thread::scope(|scope| {
//!     for (from, to) in [(&ann, &bob), (&bob, &ann)] {
//!         scope.spawn(move || {
//!             let (mut from, mut to) = lock_many((from, to)).unwrap();
//!             *from -= 1;
//!             *to += 1;
//!         });
//!     }
//! });
//! assert_eq!((*ann.lock(), *bob.lock()), (10, 0));
//! ```
//!
//! # What can be in a set
//!
//! | [`LockRequest`] | takes | guard |
//! |---|---|---|
//! | `&mutex` | a [`Mutex`](crate::Mutex), a [`FairMutex`](crate::FairMutex), one more level of a [`ReentrantMutex`](crate::ReentrantMutex) | `lock_api`'s, the same that `lock` returns |
//! | [`read(&lock)`](read), [`write(&lock)`](write()), [`upgradable_read(&lock)`](upgradable_read) | a [`RwLock`](crate::RwLock) or [`RecursiveRwLock`](crate::RecursiveRwLock) | the same that `read`, ... return |
//! | the same with the locks of [`poison`](crate::poison) | these | a [`LockResult`](std::sync::LockResult) each, as of `lock` |
//! | the same with other `lock_api` 0.5 locks that have timed operations | these, told apart by where their raw lock is | `lock_api`'s |
//! | the same with an `Arc` of a lock, or a handle of [`shared`](crate::shared) | its lock | the lock's |
//! | what you say | [`LockRequest`] may be implemented for types of your own | |
//!
//! A set ([`LockSet`]) is a tuple of one to twelve requests of any kinds, or an array, a slice or a `Vec` of one kind.
//! An array or slice may also be of the locks themselves, where a reference to one is a request:
//!
//! ```
//! use parkade::{FairMutex, Mutex, RwLock, lock_many, many::{read, write}};
//!
//! let (mutex, fair, prices, stock) =
//!     (Mutex::new(1), FairMutex::new(2), RwLock::new(3), RwLock::new(4));
//! let (one, two, price, mut left) =
//!     lock_many((&mutex, &fair, read(&prices), write(&stock))).unwrap();
//! *left -= *price;
//! assert_eq!((*one, *two, *left), (1, 2, 1));
//!
//! let shards: [Mutex<Vec<u32>>; 4] = Default::default();
//! lock_many(&shards).unwrap()[2].push(7); // all four, guards in an array
//! let [first, last] = lock_many([&shards[0], &shards[3]]).unwrap();
//! assert!(first.is_empty() && last.is_empty());
//! drop((first, last));
//! let guards = lock_many(&shards[1..]).unwrap(); // a slice: guards in a `Vec`
//! assert_eq!(guards.len(), 3);
//! ```
//!
//! # What is promised
//!
//! * **Order**: the locks of a set are taken by rising address, so threads that take locks by these functions alone,
//!   and hold none when they call, never wait for each other in a circle. The guards come back in the order of the
//!   arguments and may be dropped in any order.
//! * **Waiting**: a thread waits for one lock at a time, with those of lower addresses held, and for each as long as
//!   that lock promises ([`Mutex`](crate::Mutex), [`RwLock`](crate::RwLock)). Mind that H there, the longest section, includes
//!   what those who hold that lock wait for locks of higher addresses. What has been taken is not given back to be taken again.
//! * **All or nothing**: what returns an error, or unwinds, has released whatever it had taken.
//! * **Twice the same lock** is an error, [`DuplicateLock`], that is found before anything is locked; reading it
//!   twice as well, since a writer may come in between.
//! * **Cost**: an array of (address, position) on the stack, sorted; then each lock's own cost. Slices and `Vec`s
//!   allocate, twice, before anything is locked; nothing else does.
//!
//! # What is not
//!
//! No order helps against waits that these functions do not see. A deadlock is still possible
//!
//! * if a thread calls them while it **holds another lock**: put that one into the set;
//! * if other code takes two of the locks **one by one**, in an order that is not that of their addresses;
//! * if, with several guards held, one lock is **waited for again**: [`Condvar::wait`](crate::Condvar::wait), `bump`, `unlocked`, and
//!   [`upgrade`](lock_api::RwLockUpgradableReadGuard::upgrade) of an upgradable guard (but not `try_upgrade`);
//! * if a lock is in the set that the thread **already holds**. (One level more of a [`ReentrantMutex`](crate::ReentrantMutex), or of
//!   reading a [`RecursiveRwLock`](crate::RecursiveRwLock), needs no waiting. Reading a [`RwLock`](crate::RwLock) again panics in debug
//!   builds, as [`read`](lock_api::RwLock::read) does.)
//!
//! The timed forms come back even then. One lock around all of the data is simpler wherever it is not contended.

mod error;
pub(crate) mod future;
mod request;
mod set;
#[cfg(test)]
mod tests;

pub use error::{DuplicateLock, LockManyTimeoutError, TryLockManyError};
pub use future::{AsyncLockRequest, AsyncLockSet, lock_many_async};
pub use request::{LockRequest, Read, UpgradableRead, Write, read, upgradable_read, write};
pub(crate) use request::{Place, request};
pub use set::LockSet;

use set::{Patience, Refusal};
use std::time::{Duration, Instant};

/// Waits for all locks of a set and returns their guards, in the order of the arguments.
///
/// The order in which they are named does not matter: no two calls deadlock, unless a thread holds another lock when it
/// calls. [The module](crate::many) says what can be in a set, what is promised and what is not.
///
/// # Errors
/// [`DuplicateLock`] if two members of the set are the same lock. Then nothing has been locked.
///
/// # Panics
/// Where one of the locks does (2^23 readers of a [`RwLock`](crate::RwLock); in debug builds, a thread that would wait for
/// itself to read one). What has been taken is released first; a lock of [`poison`](crate::poison) among it is poisoned,
/// as by any panic.
///
/// ```
/// use parkade::{Mutex, lock_many};
///
/// let (a, b) = (Mutex::new(1), Mutex::new(2));
/// {
///     let (mut first, mut second) = lock_many((&b, &a)).unwrap();
///     std::mem::swap(&mut *first, &mut *second);
/// }
/// assert_eq!((*a.lock(), *b.lock()), (2, 1));
///
/// let twice = lock_many((&a, &b, &a)).unwrap_err();
/// assert_eq!((twice.first, twice.second), (0, 2));
/// ```
///
/// The guards stay on their thread unless the feature `send_guard` is on:
///
/// ```compile_fail,E0277
/// # #[cfg(feature = "send_guard")] compile_error!("E0277 does not apply");
/// fn needs_send<T: Send>(_: T) {}
/// let (a, b) = (parkade::Mutex::new(0), parkade::Mutex::new(0));
/// needs_send(parkade::lock_many((&a, &b)).unwrap());
/// ```
///
/// ```compile_fail,E0277
/// # #[cfg(feature = "send_guard")] compile_error!("E0277 does not apply");
/// fn needs_send<T: Send>(_: T) {}
/// let locks = [parkade::RwLock::new(0), parkade::RwLock::new(0)];
/// needs_send(parkade::lock_many(locks.each_ref().map(parkade::many::read)).unwrap());
/// ```
///
/// They borrow the locks, not the set:
///
/// ```compile_fail,E0597
/// let a = parkade::Mutex::new(0);
/// let guards = {
///     let b = parkade::Mutex::new(0);
///     parkade::lock_many((&a, &b)).unwrap()
/// };
/// drop(guards);
/// ```
///
/// A reader-writer lock has to be asked for in a mode:
///
/// ```compile_fail,E0277
/// let (a, b) = (parkade::Mutex::new(0), parkade::RwLock::new(0));
/// let _ = parkade::lock_many((&a, &b)); // read(&b) or write(&b)
/// ```
#[inline]
#[track_caller]
pub fn lock_many<S: LockSet>(set: S) -> Result<S::Guards, DuplicateLock> {
    match set.acquire(Patience::Endless) {
        Ok(guards) => Ok(guards),
        Err(Refusal::Duplicate(duplicate)) => Err(duplicate),
        Err(Refusal::NotTaken(position)) => {
            unreachable!("the wait for the lock at {position} ended without it")
        }
    }
}

/// Takes all locks of a set if that needs no waiting for any; never blocks.
///
/// # Errors
/// * [`Duplicate`](TryLockManyError::Duplicate) as [`lock_many`].
/// * [`WouldBlock`](TryLockManyError::WouldBlock) with the position of the first lock, by address, that could not be had.
///   Those taken before it have been released.
///
/// # Panics
/// Where one of the locks does, as [`lock_many`].
///
/// ```
/// use parkade::{Mutex, many::TryLockManyError, try_lock_many};
///
/// let (a, b) = (Mutex::new(1), Mutex::new(2));
/// let held = b.lock();
/// let error = try_lock_many((&a, &b)).unwrap_err();
/// assert_eq!(error, TryLockManyError::WouldBlock { position: 1 });
/// assert!(!a.is_locked());
///
/// drop(held);
/// assert!(try_lock_many((&a, &b)).is_ok());
/// ```
#[inline]
#[track_caller]
pub fn try_lock_many<S: LockSet>(set: S) -> Result<S::Guards, TryLockManyError> {
    set.acquire(Patience::Nothing).map_err(TryLockManyError::from_refusal)
}

/// As [`lock_many`], if all locks can be had within `timeout`, which is for the whole set.
///
/// A timeout of zero still takes locks that are free; one too long for the clock waits for ever.
///
/// # Errors
/// * [`Duplicate`](LockManyTimeoutError::Duplicate) as [`lock_many`], at once.
/// * [`TimedOut`](LockManyTimeoutError::TimedOut) with the position of the lock that did not come in time. Those taken
///   before it have been released.
///
/// # Panics
/// Where one of the locks does, as [`lock_many`].
///
/// ```
/// use parkade::{Mutex, many::LockManyTimeoutError, try_lock_many_for};
/// use std::time::Duration;
///
/// let (a, b) = (Mutex::new(1), Mutex::new(2));
/// let held = a.lock();
/// let error = try_lock_many_for((&a, &b), Duration::from_millis(1)).unwrap_err();
/// assert_eq!(error, LockManyTimeoutError::TimedOut { position: 0 });
/// assert!(!b.is_locked());
/// # drop(held);
/// ```
#[inline]
#[track_caller]
pub fn try_lock_many_for<S: LockSet>(
    set: S,
    timeout: Duration,
) -> Result<S::Guards, LockManyTimeoutError> {
    set.acquire(Patience::during(timeout)).map_err(LockManyTimeoutError::from_refusal)
}

/// As [`try_lock_many_for`], up to a moment on the monotonic clock.
///
/// # Errors
/// As [`try_lock_many_for`].
///
/// # Panics
/// Where one of the locks does, as [`lock_many`].
///
/// ```
/// use parkade::{Mutex, RwLock, many::read, try_lock_many_until};
/// use std::time::{Duration, Instant};
///
/// let (limit, spent) = (RwLock::new(5), Mutex::new(3));
/// let deadline = Instant::now() + Duration::from_secs(1);
/// let (limit, mut spent) = try_lock_many_until((read(&limit), &spent), deadline).unwrap();
/// if *spent < *limit {
///     *spent += 1;
/// }
/// ```
#[inline]
#[track_caller]
pub fn try_lock_many_until<S: LockSet>(
    set: S,
    deadline: Instant,
) -> Result<S::Guards, LockManyTimeoutError> {
    set.acquire(Patience::Until(deadline)).map_err(LockManyTimeoutError::from_refusal)
}
