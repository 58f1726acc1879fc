//! [`KeyedRwLock`] and its guards.

use super::{
    DefaultHashBuilder, KeyInfo, Retry, RetryError,
    face::{
        keyed_guards, keyed_guards_of_tasks, keyed_map, keyed_owned_of, keyed_ways,
        keyed_ways_of_tasks,
    },
    lock::Fairness,
    many::{Many, ascending},
    node::NodePtr,
    table::{Table, Tag},
    task::{KeyGuard, Keys, ManyGuard, TaskShare, WaitingForMany},
};
use crate::{
    GuardMarker,
    rwlock::{Core, Held, Mode, future::Want},
    task::{Queue, future},
};
use core::{
    borrow::Borrow,
    fmt,
    hash::{BuildHasher, Hash},
    marker::PhantomData,
    mem::ManuallyDrop,
    time::Duration,
};
use parkade_core::Moment;
use std::{sync::Arc, time::Instant};

/// A reader-writer lock for each key, with nothing left of those that nobody uses.
///
/// As [`KeyedMutex`](super::KeyedMutex), which says what the two have in common, but a key can be shared:
/// [`read`](Self::read) with other readers, [`write`](Self::write) alone.
///
/// * **Fairness**: that of [`RwLock`](crate::RwLock): a writer that waits keeps new readers out.
/// * **Recursion**: a thread that reads a key and reads it again deadlocks if a writer has come in between, and so does one
///   that writes a key it has already. Debug builds (without the feature `send_guard`) panic instead, with both places, but
///   not if it writes a key that it reads.
/// * **Cost**: readers are counted in the key's lock, so readers of one key slow each other down as they do with most
///   locks; that they write no common memory, as with [`RwLock`](crate::RwLock), is for locks that last. Where all
///   threads read few keys, a map of `RwLock`s that stay does better. Eight bytes more for each key than a
///   `KeyedMutex` takes at most.
/// * **Panics**: reading panics if 2^23 readers share a key.
///
/// ```
/// use parkade::keyed::KeyedRwLock;
///
/// let files = KeyedRwLock::<String>::new();
/// let (one, other) = (files.read("a.txt"), files.read("a.txt"));
/// let elsewhere = files.write("b.txt");
/// assert!(files.try_write("a.txt").is_none());
/// drop((one, other));
/// let written = files.try_write("a.txt").unwrap();
/// # drop((written, elsewhere));
/// ```
pub struct KeyedRwLock<K, S = DefaultHashBuilder> {
    table: Table<K, (), Core>,
    hasher: S,
}

keyed_map!(KeyedRwLock);

impl<K, S: BuildHasher> KeyedRwLock<K, S> {
    keyed_ways! {
        Mode::Shared, KeyedRwLockReadGuard, OwnedKeyedRwLockReadGuard, KeyedRwLockReadManyGuard;
        /// Shares `key` with other readers, and waits as long as somebody writes it, or waits to.
        ///
        /// # Panics
        /// If 2^23 readers share the key. In a debug build without `send_guard`, if the thread would wait for itself.
        read, try_read, try_read_for, try_read_until;
        /// [`read`](Self::read) with a guard that shares in the map instead of borrowing it.
        read_owned, try_read_owned, try_read_owned_for, try_read_owned_until;
        /// Reads all of `keys`, taken in ascending order, each once, whatever order they are given in.
        ///
        /// # Panics
        /// As [`read`](Self::read).
        read_many, try_read_many, try_read_many_for, try_read_many_until;
        /// Reads `key`, trying again and again as `retry` says.
        ///
        /// # Errors
        /// [`RetryError::Invalid`] if `retry` makes no sense; [`RetryError::Exhausted`] if all tries have failed.
        try_read_retrying;
    }

    keyed_ways_of_tasks! {
        KeyedRwLockReadGuard, OwnedKeyedRwLockReadGuard;
        /// [`read`](Self::read), waiting as a task does. As
        /// [`KeyedMutex::lock_async`](super::KeyedMutex::lock_async), which says what becomes of the future and its key.
        ///
        /// ```
        /// let files = parkade::keyed::KeyedRwLock::<String>::new();
        /// futures::executor::block_on(async {
        ///     let both = (files.read_async("a.txt").await, files.read_async("a.txt").await);
        ///     assert!(files.try_write("a.txt").is_none());
        ///     drop(both);
        ///     drop(files.write_async("a.txt").await);
        /// });
        /// assert!(files.is_empty());
        /// ```
        ///
        /// # Panics
        /// The future, if 2^23 readers share the key.
        read_async -> ReadKey;
        /// [`read_async`](Self::read_async) with a future and a guard that share in the map instead of borrowing it.
        read_owned_async -> ReadKeyOwned;
        /// [`read_many`](Self::read_many), waiting as a task does. As
        /// [`KeyedMutex::lock_many_async`](super::KeyedMutex::lock_many_async).
        read_many_async -> ReadKeys;
    }

    keyed_ways! {
        Mode::Exclusive, KeyedRwLockWriteGuard, OwnedKeyedRwLockWriteGuard, KeyedRwLockWriteManyGuard;
        /// Has `key` alone, and waits as long as others have it.
        ///
        /// # Panics
        /// In a debug build without `send_guard`, if the thread writes the key already.
        write, try_write, try_write_for, try_write_until;
        /// [`write`](Self::write) with a guard that shares in the map instead of borrowing it.
        write_owned, try_write_owned, try_write_owned_for, try_write_owned_until;
        /// Has all of `keys` alone, taken in ascending order, each once, whatever order they are given in.
        ///
        /// # Panics
        /// As [`write`](Self::write).
        write_many, try_write_many, try_write_many_for, try_write_many_until;
        /// Has `key` alone, trying again and again as `retry` says.
        ///
        /// # Errors
        /// [`RetryError::Invalid`] if `retry` makes no sense; [`RetryError::Exhausted`] if all tries have failed.
        try_write_retrying;
    }

    keyed_ways_of_tasks! {
        KeyedRwLockWriteGuard, OwnedKeyedRwLockWriteGuard;
        /// [`write`](Self::write), waiting as a task does. As [`read_async`](Self::read_async).
        write_async -> WriteKey;
        /// [`write_async`](Self::write_async) with a future and a guard that share in the map instead of borrowing it.
        write_owned_async -> WriteKeyOwned;
        /// [`write_many`](Self::write_many), waiting as a task does. As
        /// [`KeyedMutex::lock_many_async`](super::KeyedMutex::lock_many_async).
        write_many_async -> WriteKeys;
    }
}

future! {
    /// Shares a key with other readers: the future of [`KeyedRwLock::read_async`].
    pub struct ReadKey['a, K]['a, K](TaskShare<KeyedRwLockReadGuard<'a, K>>)
        -> KeyedRwLockReadGuard<'a, K>;
}

future! {
    /// Shares a key with other readers, and in its map: the future of [`KeyedRwLock::read_owned_async`].
    pub struct ReadKeyOwned[K, S][K, S](TaskShare<OwnedKeyedRwLockReadGuard<K, S>>)
        -> OwnedKeyedRwLockReadGuard<K, S>;
}

future! {
    /// Shares several keys with other readers: the future of [`KeyedRwLock::read_many_async`].
    pub struct ReadKeys['a, K]['a, K]
        (Keys<KeyedRwLockReadGuard<'a, K>>) in (WaitingForMany<KeyedRwLockReadManyGuard<'a, K>>)
        -> KeyedRwLockReadManyGuard<'a, K>;
}

future! {
    /// Has a key alone: the future of [`KeyedRwLock::write_async`].
    pub struct WriteKey['a, K]['a, K](TaskShare<KeyedRwLockWriteGuard<'a, K>>)
        -> KeyedRwLockWriteGuard<'a, K>;
}

future! {
    /// Has a key alone and shares in its map: the future of [`KeyedRwLock::write_owned_async`].
    pub struct WriteKeyOwned[K, S][K, S](TaskShare<OwnedKeyedRwLockWriteGuard<K, S>>)
        -> OwnedKeyedRwLockWriteGuard<K, S>;
}

future! {
    /// Has several keys alone: the future of [`KeyedRwLock::write_many_async`].
    pub struct WriteKeys['a, K]['a, K]
        (Keys<KeyedRwLockWriteGuard<'a, K>>) in (WaitingForMany<KeyedRwLockWriteManyGuard<'a, K>>)
        -> KeyedRwLockWriteManyGuard<'a, K>;
}

keyed_guards! {
    KeyedRwLock, Core, Mode::Shared;
    /// A key of a [`KeyedRwLock`] that is shared with other readers, until this is dropped.
    KeyedRwLockReadGuard;
    /// A [`KeyedRwLockReadGuard`] that shares in its map instead of borrowing it.
    OwnedKeyedRwLockReadGuard;
    /// Several keys of a [`KeyedRwLock`] that are shared with other readers, until this is dropped.
    KeyedRwLockReadManyGuard;
}
keyed_owned_of!(KeyedRwLock, KeyedRwLockReadGuard, OwnedKeyedRwLockReadGuard);
keyed_guards_of_tasks! {
    KeyedRwLock, Core, Want::ReadCounted;
    KeyedRwLockReadGuard, OwnedKeyedRwLockReadGuard, KeyedRwLockReadManyGuard, Mode::Shared
}

keyed_guards! {
    KeyedRwLock, Core, Mode::Exclusive;
    /// A key of a [`KeyedRwLock`] that nobody else has, until this is dropped.
    KeyedRwLockWriteGuard;
    /// A [`KeyedRwLockWriteGuard`] that shares in its map instead of borrowing it.
    OwnedKeyedRwLockWriteGuard;
    /// Several keys of a [`KeyedRwLock`] that nobody else has, until this is dropped.
    KeyedRwLockWriteManyGuard;
}
keyed_owned_of!(KeyedRwLock, KeyedRwLockWriteGuard, OwnedKeyedRwLockWriteGuard);
keyed_guards_of_tasks! {
    KeyedRwLock, Core, Want::Write;
    KeyedRwLockWriteGuard, OwnedKeyedRwLockWriteGuard, KeyedRwLockWriteManyGuard, Mode::Exclusive
}

impl<'a, K> KeyedRwLockWriteGuard<'a, K> {
    /// Goes on reading the key, with nobody writing in between.
    pub fn downgrade(guard: Self) -> KeyedRwLockReadGuard<'a, K> {
        let guard = ManuallyDrop::new(guard);
        let (table, node) = (guard.table, guard.node);
        // SAFETY: 1 of `get`: the guard has a share.
        unsafe { node.get() }.downgrade();
        KeyedRwLockReadGuard { table, node, marker: PhantomData }
    }
}
