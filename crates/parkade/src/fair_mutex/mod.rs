//! First come, first served: [`FairMutex`] and its guards.

mod edges;
mod raw;
mod state;

#[cfg(all(test, loom))]
mod model;
#[cfg(all(test, not(loom)))]
mod tests;

#[cfg(all(test, loom))]
pub(crate) use edges::ALL as EDGES;
pub use raw::RawFairMutex;

#[cfg(not(loom))]
crate::lock_api_face!(RawFairMutex, release_fair = release);

/// A mutex that serves its waiters strictly in the order in which they queued.
///
/// A release with threads queued hands the lock to the first of them; nobody can take it in
/// between. Every such hand-over costs a context switch, so under contention a fair mutex is one to
/// two orders of magnitude slower than a [`Mutex`](crate::Mutex), whose waits are bounded as well.
/// Use it where order itself is the requirement.
///
/// * **Blocking**: [`lock`](lock_api::Mutex::lock) polls as [`Mutex`](crate::Mutex) does
///   unless threads are queued, then sleeps. Two threads that are still polling are not ordered.
/// * **Fairness**: first in, first out among queued threads. The k-th waits for k sections and k
///   wake-ups of the scheduler. `try_lock` fails while anybody is queued.
/// * **Panics**: no poisoning; a panic in the section unlocks. Unlocking what is not locked is a
///   debug assertion. Locking again on the same thread deadlocks.
/// * **Size**: one byte beside the data.
///
/// ```
/// use parkade::FairMutex;
///
/// let turns = FairMutex::new(Vec::new());
/// std::thread::scope(|scope| {
///     for id in 0..3 {
///         scope.spawn({
///             let turns = &turns;
///             move || turns.lock().push(id)
///         });
///     }
/// });
/// assert_eq!(turns.into_inner().len(), 3);
/// ```
#[cfg(not(loom))]
pub type FairMutex<T> = lock_api::Mutex<RawFairMutex, T>;

/// Access to what a [`FairMutex`] protects; hands it to the first waiter when dropped.
#[cfg(not(loom))]
pub type FairMutexGuard<'a, T> = lock_api::MutexGuard<'a, RawFairMutex, T>;

/// A [`FairMutexGuard`] narrowed to a part of what is protected.
#[cfg(not(loom))]
pub type MappedFairMutexGuard<'a, T> = lock_api::MappedMutexGuard<'a, RawFairMutex, T>;

/// A [`FairMutexGuard`] that owns its mutex through an [`Arc`](std::sync::Arc).
#[cfg(all(not(loom), feature = "arc_lock"))]
pub type ArcFairMutexGuard<T> = lock_api::ArcMutexGuard<RawFairMutex, T>;
