//! Parkade's condition variable is a type of its own, for all of its locks; the original's is `lock_api`'s.

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
