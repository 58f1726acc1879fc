//! Many readers or one writer: [`RwLock`], [`RecursiveRwLock`] and their guards.

mod bias;
mod drain;
mod edges;
pub(crate) mod future;
mod held;
mod ops;
mod period;
mod raw;
mod state;

#[cfg(not(loom))]
#[doc(hidden)]
pub mod counted;
#[cfg(not(loom))]
mod face;
#[cfg(not(loom))]
mod recursive;

#[cfg(all(test, loom))]
mod model;
#[cfg(all(test, loom))]
mod model_bias;
#[cfg(all(test, loom))]
mod mutants;
#[cfg(all(test, not(loom)))]
mod tests;
#[cfg(all(test, not(loom)))]
mod transitions;

#[cfg(all(test, loom))]
pub(crate) use edges::ALL as EDGES;
#[cfg(not(loom))]
pub use face::SharedGuardState;
#[cfg(any(not(loom), feature = "keyed"))]
pub(crate) use held::{Held, Sharing};
#[cfg(not(loom))]
pub use recursive::*;
#[cfg(any(not(loom), feature = "keyed", test))]
pub(crate) use {raw::Core, state::Mode};

#[cfg(not(loom))]
use {
    crate::GuardMarker,
    face::rwlock_face,
    ops::Reading,
    parkade_core::{Moment, shim::AbortOnUnwind},
    std::time::{Duration, Instant},
};

/// The eight-byte lock under [`RwLock`].
#[cfg(not(loom))]
#[derive(Debug)]
pub struct RawRwLock(Core);

#[cfg(not(loom))]
rwlock_face!(RawRwLock, Mode::Shared);

#[cfg(not(loom))]
impl RawRwLock {
    /// By what debug builds remember who holds it.
    pub(crate) fn key(&self) -> usize {
        self.0.key()
    }
}

/// A reader-writer lock whose readers do not slow each other down, and that lets nobody wait for ever.
///
/// [`read`](lock_api::RwLock::read) shares the value with other readers, [`write`](lock_api::RwLock::write)
/// has it alone, [`upgradable_read`](lock_api::RwLock::upgradable_read) shares it with readers and may
/// [`upgrade`](lock_api::RwLockUpgradableReadGuard::upgrade) to write, with nobody writing in between.
/// Each has a `try_` form that never blocks and timed ones (`_for`, `_until`) that give up at a deadline
/// on the monotonic clock, never before it. Guards downgrade in every direction.
///
/// * **Reading** a lock that is read again and again and seldom written writes no memory that other
///   threads write, and executes no locked instruction: a thread notes what it reads in a slot of its
///   own, and a writer looks through all slots, behind a heavy fence. The lock goes over to this and back
///   by itself: it takes 128 reads of one thread, and the first write ends it, for at least nine times as
///   long as ending it took. Meanwhile readers who meet execute one locked instruction, on a line of their own, as
///   long as there are 32 reads for each write. Where the kernel has no `membarrier`, on 32-bit systems, and for threads beyond 512
///   or reads nested more than seven deep, readers are counted in the lock.
/// * **Blocking**: as [`Mutex`](crate::Mutex), a waiter polls and yields for a while and then sleeps.
/// * **Fairness**: a writer that finds readers looks for a gap a few times, then keeps new ones out and waits for
///   those who are in, so readers cannot starve it. When it leaves, the first in line is woken; if that is a reader, the readers
///   right behind it get in with it. Newcomers may be faster than a woken thread, but for at most
///   [`tuning::fair_interval`](crate::tuning::fair_interval) (T): then it claims the lock and newcomers stay
///   out. So the k-th in line is in, counted from when it queued, after at most k x (T + 4(H + L) + 2S), where
///   H is the longest section of any mode, L the scheduler's delay in running a thread that is ready and S the
///   longest polling (see [`Mutex`](crate::Mutex)). Waiting to upgrade takes at most H + L + S. Both hold as long as nobody reads
///   recursively, and for readers that queue behind a writer as long as nobody reads upgradably: they may then be
///   let in out of turn, and one that comes too late is last in line again.
/// * **Timeouts** leave no trace: when a writer gives up, readers that waited behind it run at once.
/// * **Recursion**: a thread that reads and calls `read` again deadlocks if a writer has come in
///   between. Debug builds (without the feature `send_guard`) panic instead, with both places. Use
///   [`read_recursive`](crate::prelude::ReadRecursive::read_recursive), or [`RecursiveRwLock`].
///   Locking again in other modes deadlocks too.
/// * **Panics**: a panic in a section unlocks; there is no poisoning. `read` panics if 2^23 readers are counted.
///   Unlocking what is not locked is a debug assertion that names the lock's address and words.
/// * **Cost**: eight bytes; nothing allocates, ever; `new` is `const`. A read guard is a word larger than
///   with other locks. The first write after a period of such reading executes a system call of 0.4 to 12 us.
/// * **Process**: after `fork` a child may use every lock that was free, or held by the thread that forked with
///   nobody waiting to write. There claims do not count, so the bound on waiting does not hold. If a seccomp
///   filter withdraws `membarrier` from a running process, the next write to a lock that is read in this way aborts.
///   Not for signal handlers, nor for memory shared between processes.
///
/// ```
/// use parkade::{RwLock, RwLockUpgradableReadGuard};
///
/// let names = RwLock::new(vec!["ann"]);
/// {
///     let (one, other) = (names.read(), names.read());
///     assert_eq!(*one, *other);
/// }
/// names.write().push("bob");
///
/// let reading = names.upgradable_read();
/// if !reading.contains(&"cem") {
///     let mut writing = RwLockUpgradableReadGuard::upgrade(reading);
///     writing.push("cem");
/// }
/// assert_eq!(names.read().len(), 3);
/// ```
///
/// A guard stays on its thread unless the feature `send_guard` is on:
///
/// ```compile_fail,E0277
/// # #[cfg(feature = "send_guard")] compile_error!("E0277 does not apply");
/// fn needs_send<T: Send>(_: T) {}
/// let lock = parkade::RwLock::new(0);
/// needs_send(lock.read());
/// ```
///
/// What it protects must be `Sync`, since readers share it:
///
/// ```compile_fail,E0277
/// fn needs_sync<T: Sync>(_: T) {}
/// needs_sync(parkade::RwLock::new(std::cell::Cell::new(0)));
/// ```
#[cfg(not(loom))]
pub type RwLock<T> = lock_api::RwLock<RawRwLock, T>;

/// Shared access to what a [`RwLock`] protects; unlocks it when dropped.
///
/// A guard that is forgotten leaves the lock locked for reading.
#[cfg(not(loom))]
pub type RwLockReadGuard<'a, T> = lock_api::RwLockReadGuard<'a, RawRwLock, T>;

/// Exclusive access to what a [`RwLock`] protects; unlocks it when dropped.
#[cfg(not(loom))]
pub type RwLockWriteGuard<'a, T> = lock_api::RwLockWriteGuard<'a, RawRwLock, T>;

/// Shared access to what a [`RwLock`] protects that nobody else can turn into exclusive access.
#[cfg(not(loom))]
pub type RwLockUpgradableReadGuard<'a, T> = lock_api::RwLockUpgradableReadGuard<'a, RawRwLock, T>;

/// A [`RwLockReadGuard`] narrowed to a part of what is protected, made by
/// [`RwLockReadGuard::map`](lock_api::RwLockReadGuard::map).
#[cfg(not(loom))]
pub type MappedRwLockReadGuard<'a, T> = lock_api::MappedRwLockReadGuard<'a, RawRwLock, T>;

/// A [`RwLockWriteGuard`] narrowed to a part of what is protected, made by
/// [`RwLockWriteGuard::map`](lock_api::RwLockWriteGuard::map).
#[cfg(not(loom))]
pub type MappedRwLockWriteGuard<'a, T> = lock_api::MappedRwLockWriteGuard<'a, RawRwLock, T>;
