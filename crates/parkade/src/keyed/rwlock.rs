//! [`KeyedRwLock`] and its guards.

use super::{
    DefaultHashBuilder, KeyInfo, Retry, RetryError,
    face::{keyed_guards, keyed_map, keyed_owned_of, keyed_ways},
    lock::Fairness,
    many::Many,
    node::NodePtr,
    table::{Table, Tag},
};
use crate::{
    GuardMarker,
    rwlock::{Core, Held, Mode},
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
