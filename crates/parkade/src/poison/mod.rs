//! The locks with the face of `std::sync`, poisoning included: a program moves here by changing
//! `use std::sync::` to `use parkade::poison::`.
//!
//! [`Mutex`], [`RwLock`], [`Once`], [`OnceLock`] and [`LazyLock`] have `std`'s signatures and its poisoning to the letter, over Parkade's raw locks
//! with their bounded waiting, their size and their readers that do not slow each other down. Besides, they
//! have timed operations, and mapped guards, which `std` has only on nightly.
//!
//! ```
//! use parkade::poison::{Arc, Mutex, mpsc}; // was: use std::sync::{Arc, Mutex, mpsc};
//!
//! let total = Arc::new(Mutex::new(0));
//! let (done, wait) = mpsc::channel();
//! for number in 1..=4 {
//!     let (total, done) = (Arc::clone(&total), done.clone());
//!     std::thread::spawn(move || {
//!         *total.lock().unwrap() += number;
//!         done.send(()).unwrap();
//!     });
//! }
//! drop(done);
//! assert_eq!(wait.iter().count(), 4);
//! assert_eq!(*total.lock().unwrap(), 10);
//! ```
//!
//! # What is `std`'s own
//!
//! The results and errors ([`LockResult`], [`PoisonError`], [`TryLockError`], [`TryLockResult`]) are `std`'s own
//! types, so that `?` and functions that take them go on working. [`Arc`], [`Weak`], [`atomic`] and [`mpsc`] are
//! here so that one `use` finds everything.
//!
//! # What is different
//!
//! * With the feature `send_guard`, guards may be sent to another thread. A guard poisons if the thread that
//!   drops it panics, and the thread that made it did not panic then.
//! * In debug builds, a thread that would wait for itself in [`RwLock::read`] panics instead.

mod flag;
mod lock;
mod mutex;
mod once;
mod rwlock;
mod rwlock_guards;
#[cfg(feature = "serde")]
mod serde;
mod shared;

pub use mutex::*;
pub use once::*;
pub use rwlock::*;
pub use rwlock_guards::*;

#[doc(no_inline)]
pub use crate::{LazyLock, OnceLock};
#[doc(no_inline)]
pub use std::sync::{
    Arc, LockResult, PoisonError, TryLockError, TryLockResult, Weak, atomic, mpsc,
};
