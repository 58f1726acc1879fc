//! The futures by which tasks wait for locks, and the guards that only they return.
//!
//! All of them are `Send` if what they wait for may be shared, and what the user gives them may be sent; and not `Unpin`: a
//! future that waits stands in a queue. After it has been ready a future must not be polled again; it panics then, and says
//! so before by `is_terminated`. Dropping one at any time is safe and loses nothing.

#[cfg(feature = "keyed")]
pub use crate::keyed::{
    lockmap::tasks::{GetEntry, GetEntryOwned, LockEntries, LockEntry, LockEntryOwned},
    mutex::{LockKey, LockKeyOwned, LockKeys},
    rwlock::{ReadKey, ReadKeyOwned, ReadKeys, WriteKey, WriteKeyOwned, WriteKeys},
};
pub use crate::{
    barrier::WaitBarrier,
    condvar::future::face::{WaitAsyncGuard, WaitCondvar, WaitCondvarWhile},
    latch::WaitLatch,
    many::future::LockMany,
    mutex::{
        future::face::{Lock, LockOwned, OwnedMutexGuard},
        when::future::face::LockWhen,
    },
    once::{GetOrInit, GetOrTryInit, WaitOnce, WaitOnceLock},
    rwlock::future::face::{
        OwnedRwLockReadGuard, OwnedRwLockWriteGuard, Read, ReadOwned, UpgradableRead, Upgrade,
        Write, WriteOwned,
    },
    semaphore::future::face::{Acquire, AcquireOwned},
    task::send::SendGuard,
    wait_group::WaitOthers,
};
