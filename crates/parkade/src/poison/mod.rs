//! Parkade with the face of `std::sync`, poisoning included: a program moves here by changing
//! `use std::sync::` to `use parkade::poison::`.
//!
//! [`Mutex`], [`RwLock`], [`Condvar`], [`Once`], [`OnceLock`], [`LazyLock`] and [`Barrier`] have `std`'s signatures and its
//! poisoning to the letter, over Parkade's raw locks: small, with bounded waiting, readers that do not slow each other down,
//! and no spurious wakeups. Besides they have timed operations, with `for` or `until` in their names, and of what
//! `std` has only on nightly so far mapped guards and `get_or_try_init`.
//!
//! ```
//! use parkade::poison::{Arc, Condvar, Mutex}; // was: use std::sync::{Arc, Condvar, Mutex};
//!
//! let shared = Arc::new((Mutex::new(0), Condvar::new()));
//! for number in 1..=4 {
//!     let shared = Arc::clone(&shared);
//!     std::thread::spawn(move || {
//!         *shared.0.lock().unwrap() += number;
//!         shared.1.notify_one();
//!     });
//! }
//! let (total, changed) = &*shared;
//! let total = changed.wait_while(total.lock().unwrap(), |total| *total < 10).unwrap();
//! assert_eq!(*total, 10);
//! ```
//!
//! Poisoning is worth its `unwrap`s where a value that a panic left half-way must not be taken for a good one.
//! Where that cannot be, [`parkade::Mutex`](crate::Mutex) has the shorter code.
//!
//! # What is `std`'s own
//!
//! * The results and errors ([`LockResult`], [`PoisonError`], [`TryLockError`], [`TryLockResult`]), so that `?` and
//!   functions that take them go on working.
//! * What one finds beside them in `std::sync`, so that one `use` finds everything: [`Arc`], [`Weak`], [`atomic`]
//!   and [`mpsc`]. A thread that waits for a channel of these does not wait with Parkade.
//!
//! [`OnceLock`], [`LazyLock`] and [`BarrierWaitResult`] are Parkade's, whose face is `std`'s anyway.
//!
//! # What is different
//!
//! * **Waiting for oneself** panics where `std` waits for ever: in the closure of a [`Once`], [`OnceLock`] or [`LazyLock`],
//!   and, in debug builds, in [`RwLock::read`].
//! * **Guards** are of types of their own, so they do not go where a `std::sync::MutexGuard` is asked for, nor does
//!   [`WaitTimeoutResult`].
//! * **`send_guard`**: with this feature guards may be sent to another thread. A guard poisons if the thread that
//!   drops it panics and the one that made it did not panic then.
//! * **Deprecated** `ONCE_INIT`, and what `std` has only on nightly and is not named above, are not here.

mod barrier;
mod condvar;
mod face;
mod flag;
mod lock;
mod many;
mod mutex;
mod once;
mod rwlock;
mod rwlock_guards;
#[cfg(feature = "serde")]
mod serde;
mod shared;

pub use barrier::*;
pub use condvar::*;
pub use mutex::*;
pub use once::*;
pub use rwlock::*;
pub use rwlock_guards::*;

#[doc(no_inline)]
pub use crate::{BarrierWaitResult, LazyLock, OnceLock};
#[doc(no_inline)]
pub use std::sync::{
    Arc, LockResult, PoisonError, TryLockError, TryLockResult, Weak, atomic, mpsc,
};
