//! [`KeyedMutex`] and its guards.

use super::{
    KeyInfo, Retry, RetryError,
    face::{keyed_guards, keyed_map, keyed_owned_of, keyed_ways},
    lock::{Alone, Fairness},
    many::Many,
    node::NodePtr,
    table::{Table, Tag},
};
use crate::{GuardMarker, RawMutex, rwlock::Held};
use core::{
    borrow::Borrow,
    fmt,
    hash::{BuildHasher, Hash},
    marker::PhantomData,
    mem::ManuallyDrop,
    time::Duration,
};
use parkade_core::Moment;
use std::{hash::RandomState, sync::Arc, time::Instant};

/// A mutex for each key.
pub struct KeyedMutex<K, S = RandomState> {
    table: Table<K, (), RawMutex>,
    hasher: S,
}

keyed_map!(KeyedMutex);

impl<K, S: BuildHasher> KeyedMutex<K, S> {
    keyed_ways! {
        Alone, KeyedMutexGuard, OwnedKeyedMutexGuard, KeyedMutexManyGuard;
        /// Locks `key`, and waits as long as another thread has it.
        lock, try_lock, try_lock_for, try_lock_until;
        /// [`lock`](Self::lock) with a guard that shares in the map instead of borrowing it.
        lock_owned, try_lock_owned, try_lock_owned_for, try_lock_owned_until;
        /// Locks all of `keys`, in ascending order, each once.
        lock_many, try_lock_many, try_lock_many_for, try_lock_many_until;
        /// Locks `key`, trying again and again as `retry` says.
        try_lock_retrying;
    }
}

keyed_guards! {
    KeyedMutex, RawMutex, Alone;
    /// A key of a [`KeyedMutex`] that is locked; unlocks it when dropped.
    KeyedMutexGuard;
    /// A [`KeyedMutexGuard`] that shares in its map.
    OwnedKeyedMutexGuard;
    /// Several keys of a [`KeyedMutex`] that are locked; unlocks them when dropped.
    KeyedMutexManyGuard;
}
keyed_owned_of!(KeyedMutex, KeyedMutexGuard, OwnedKeyedMutexGuard);
