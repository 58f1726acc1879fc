//! What the original has as other types than Parkade: its raw reader-writer lock is one type with a parameter,
//! Parkade's are two; its condition variable is `lock_api`'s, Parkade's is its own, for all of its locks.

/// [`parkade::RawRwLock`], or [`parkade::RawRecursiveRwLock`] as `RawRwLock<true>`.
///
/// ```
/// use parking_lot::{RawRwLock, RawRwLockRecursive, lock_api::RwLock};
///
/// let lock: RwLock<RawRwLock, u8> = parking_lot::RwLock::new(1);
/// let recursive: RwLock<RawRwLock<true>, u8> = parking_lot::RecursiveRwLock::new(1);
/// assert_eq!(*lock.read(), *recursive.read());
/// ```
pub type RawRwLock<const RECURSIVE: bool = false> = <Kind<RECURSIVE> as HasRaw>::Raw;

/// A kind of reader-writer lock.
#[derive(Debug)]
pub struct Kind<const RECURSIVE: bool>;

/// A kind for which there is a raw lock.
pub trait HasRaw {
    /// The raw lock.
    type Raw;
}

impl HasRaw for Kind<false> {
    type Raw = parkade::RawRwLock;
}

impl HasRaw for Kind<true> {
    type Raw = parkade::RawRecursiveRwLock;
}

/// [`parkade::Condvar`] as `lock_api` has it: for a [`Mutex`](crate::Mutex) only.
///
/// ```
/// use parking_lot::{Condvar, Mutex};
///
/// let (jobs, changed) = (Mutex::new(Vec::new()), Condvar::new());
/// std::thread::scope(|scope| {
///     let worker = scope.spawn(|| {
///         let mut jobs = jobs.lock();
///         changed.wait_while(&mut jobs, |jobs| jobs.is_empty());
///         jobs.pop()
///     });
///     jobs.lock().push("wash");
///     changed.notify_one();
///     assert_eq!(worker.join().unwrap(), Some("wash"));
/// });
/// ```
pub type Condvar = lock_api::Condvar<parkade::RawCondvar>;
