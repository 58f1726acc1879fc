//! Mutual exclusion: [`Mutex`] and its guards.

mod edges;
pub(crate) mod future;
mod raw;
mod state;
pub(crate) mod when;

#[cfg(all(test, loom))]
mod model;
#[cfg(all(test, not(loom)))]
mod tests;

pub use raw::RawMutex;
#[cfg(all(test, loom))]
pub(crate) use {
    edges::ALL as EDGES,
    state::{Role, Waking},
};

/// The states and transitions of a [`Mutex`], for the simulator of this workspace; not part of the
/// stable interface.
#[doc(hidden)]
pub mod machine {
    pub use super::state::{Locked, Queue, Role, Waking, Word};
    pub use crate::parked::Parked;
}

#[cfg(not(loom))]
crate::lock_api_face!(RawMutex, release_fair = release_fair);
#[cfg(not(loom))]
pub use when::face::{LockWhen, WaitUntil};

/// A mutual exclusion primitive that is small, fast and bounded in how long anybody waits.
///
/// It protects a value: [`lock`](lock_api::Mutex::lock) waits for exclusive access and returns a
/// guard through which the value is reached; dropping the guard unlocks.
///
/// * **Blocking**: `lock` polls a held lock and then sleeps until it is its turn to compete. It polls
///   for [`tuning::spin`](crate::tuning::spin), or where that has paid lately for up to
///   [`tuning::spin_max`](crate::tuning::spin_max), and yields its processor up to six times
///   meanwhile (never with a deadline).
///   [`try_lock`](lock_api::Mutex::try_lock) never blocks;
///   [`try_lock_for`](lock_api::Mutex::try_lock_for) and
///   [`try_lock_until`](lock_api::Mutex::try_lock_until) give up at a deadline on the monotonic
///   clock, never before it. A timeout of zero still takes a free lock; one too long for the clock
///   waits for ever.
/// * **Fairness**: a lock that is released can be taken by whoever comes first, which is what makes
///   it fast. But the first sleeper in line, once woken, is overtaken for at most
///   [`tuning::fair_interval`](crate::tuning::fair_interval) (T, 500 us); at the next race it loses
///   it claims the lock, and the next release is reserved for it. So the k-th in line has the lock,
///   counted from when it queued, after at most k x (T + 3(H + L) + 2S): H is the longest section, L
///   the scheduler's delay in running a thread that is ready, S the longest polling: the larger of
///   [`tuning::spin`](crate::tuning::spin) and [`tuning::spin_max`](crate::tuning::spin_max), and
///   six L for the yields in it. (A turn is the
///   rest of one section, then T, the section in which T ends, and the one after which the lock is
///   reserved, each followed by a wake-up.) A thread that is still polling is not in line yet: it
///   gets the lock or joins the line after S.
///   [`MutexGuard::unlock_fair`](lock_api::MutexGuard::unlock_fair) and
///   [`bump`](lock_api::MutexGuard::bump) reserve the lock for the first in line at once. For strict
///   order use [`FairMutex`](crate::FairMutex).
/// * **Tasks** may wait for it too, in the same queue: [`prelude::LockAsync`](crate::prelude::LockAsync). What a waker panics with comes
///   out of `unlock`, after all is done.
/// * **Conditions**: a thread may lock when something is true of the value, or wait for that from inside:
///   [`prelude::LockWhen`](crate::prelude::LockWhen), [`prelude::WaitUntil`](crate::prelude::WaitUntil). While any does,
///   unlocking calls their conditions.
/// * **Panics**: a panic in the section unlocks; there is no poisoning. Unlocking what is not
///   locked is a debug assertion that names the lock's address and word. Locking again on the same
///   thread deadlocks.
/// * **Cost**: two bytes; one locked instruction to lock and none to unlock while nobody is about to
///   wait. Waiting makes unlocking cost one too, until about a thousand unlocks later. Nothing
///   allocates, ever. `new` is `const`.
/// * **Process**: after `fork` a child may use every lock that was free or held by the thread that
///   forked. Not for signal handlers, nor for memory shared between processes.
///
/// ```
/// use parkade::Mutex;
/// use std::{sync::Arc, thread, time::Duration};
///
/// let jobs = Arc::new(Mutex::new(vec!["wash", "rinse"]));
/// let worker = thread::spawn({
///     let jobs = Arc::clone(&jobs);
///     move || jobs.lock().pop()
/// });
/// assert_eq!(worker.join().unwrap(), Some("rinse"));
///
/// // A bounded wait reports instead of hanging.
/// match jobs.try_lock_for(Duration::from_millis(10)) {
///     Some(jobs) => assert_eq!(*jobs, ["wash"]),
///     None => eprintln!("somebody holds the job list"),
/// }
/// ```
///
/// A guard stays on its thread unless the feature `send_guard` is on:
///
/// ```compile_fail,E0277
/// # #[cfg(feature = "send_guard")] compile_error!("E0277 does not apply");
/// fn needs_send<T: Send>(_: T) {}
/// let lock = parkade::Mutex::new(0);
/// needs_send(lock.lock());
/// ```
///
/// What it protects must be `Send` for the lock to be shared:
///
/// ```compile_fail,E0277
/// fn needs_sync<T: Sync>(_: T) {}
/// needs_sync(parkade::Mutex::new(std::rc::Rc::new(0)));
/// ```
#[cfg(not(loom))]
pub type Mutex<T> = lock_api::Mutex<RawMutex, T>;

/// Access to what a [`Mutex`] protects; unlocks it when dropped.
///
/// A guard that is forgotten leaves the lock locked. The guard borrows the lock, which therefore
/// outlives its `unlock`; code that goes around the borrow and frees a lock as soon as it has taken
/// it must not use this type, whose unlock looks at the lock once more after releasing it.
#[cfg(not(loom))]
pub type MutexGuard<'a, T> = lock_api::MutexGuard<'a, RawMutex, T>;

/// A [`MutexGuard`] narrowed to a part of what is protected, made by
/// [`MutexGuard::map`](lock_api::MutexGuard::map).
#[cfg(not(loom))]
pub type MappedMutexGuard<'a, T> = lock_api::MappedMutexGuard<'a, RawMutex, T>;
