//! The ways in which a task takes a key of a [`LockMap`], or several.

use super::{
    LockMap, LockMapEntry, LockMapGuard, OwnedLockMapEntry, OwnedLockMapGuard,
    entry::{Entry, LockMapManyGuard, MapRef, ValueGuard},
    slot::Slot,
    store::{Store, ValueNode},
};
use crate::{
    RawMutex,
    keyed::{
        many::ascending,
        table::{Given, Table},
        task::{KeyGuard, Keys, ManyGuard, TaskShare, WaitingForMany},
    },
    task::future,
};
use core::{
    borrow::Borrow,
    hash::{BuildHasher, Hash},
};
use std::sync::Arc;

impl<K: Eq + Hash, V, S: BuildHasher> LockMap<K, V, S> {
    /// [`lock`](Self::lock), waiting as a task does.
    ///
    /// Threads and tasks that want a key stand in one line, and what is said of [`Mutex`](crate::Mutex)'s
    /// [`lock_async`](crate::prelude::LockAsync) holds for each key: a future may be dropped at any time, and one that is not
    /// polled keeps nobody from the key.
    ///
    /// The key is looked up here, and is in the map until the future is dropped, or the guard that it returned; its value is not
    /// evicted meanwhile, but whoever has the key may take it. What can be done without waiting is done with the guard:
    /// `map.lock_async(key).await.or_insert_with(make)`.
    ///
    /// A task that waits for a key it has already waits for ever; that is noticed in no build.
    ///
    /// ```
    /// use parkade::keyed::LockMap;
    ///
    /// let stock = LockMap::<String, u32>::new();
    /// futures::executor::block_on(async {
    ///     *stock.lock_async("apples").await.or_insert(0) += 2;
    /// });
    /// assert_eq!(*stock.get("apples").unwrap(), 2);
    /// ```
    pub fn lock_async<Q>(&self, key: &Q) -> LockEntry<'_, K, V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        LockEntry::new(TaskShare::new(&self.store, self.tag(key), key))
    }

    /// [`lock_async`](Self::lock_async) with a future and a guard that share in the map instead of borrowing it.
    ///
    /// ```
    /// use parkade::{keyed::LockMap, prelude::*};
    /// use std::{sync::Arc, thread};
    ///
    /// let stock = Arc::new(LockMap::<u32, u32>::new());
    /// let future = stock.lock_owned_async(&7);
    /// // A task that moves between threads makes the guard one that may.
    /// let value = futures::executor::block_on(future).or_insert(1).sendable();
    /// thread::spawn(move || assert_eq!(*value, 1)).join().unwrap();
    /// ```
    pub fn lock_owned_async<Q>(self: &Arc<Self>, key: &Q) -> LockEntryOwned<K, V, S>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        LockEntryOwned::new(TaskShare::new(Arc::clone(self), self.tag(key), key))
    }

    /// [`lock_async`](Self::lock_async) with a key that is at hand anyway, and need not be cloned if it is new.
    pub fn entry_async(&self, key: K) -> LockEntry<'_, K, V> {
        let tag = self.tag(&key);
        LockEntry::new(TaskShare::new(&self.store, tag, Given(key)))
    }

    /// [`get`](Self::get), waiting as a task does. It is when the key has been locked that it has a value or not, so
    /// the future has the key in the map meanwhile even if it has none.
    ///
    /// ```
    /// use parkade::keyed::LockMap;
    ///
    /// let stock = LockMap::<u32, u32>::new();
    /// let get = stock.get_async(&7);
    /// stock.insert(7, 1);
    /// assert_eq!(*futures::executor::block_on(get).unwrap(), 1);
    /// assert!(futures::executor::block_on(stock.get_async(&8)).is_none());
    /// ```
    pub fn get_async<Q>(&self, key: &Q) -> GetEntry<'_, K, V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        GetEntry::new(TaskShare::new(&self.store, self.tag(key), key))
    }

    /// [`get_async`](Self::get_async) with a future and a guard that share in the map instead of borrowing it.
    pub fn get_owned_async<Q>(self: &Arc<Self>, key: &Q) -> GetEntryOwned<K, V, S>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        GetEntryOwned::new(TaskShare::new(Arc::clone(self), self.tag(key), key))
    }

    /// [`lock_many`](Self::lock_many), waiting as a task does.
    ///
    /// Takes the keys in the same order, so that tasks and threads that take several do not deadlock. Dropped halfway, it unlocks
    /// those that it has. While it waits for a key it has those below it, so it does keep others from them if it is not
    /// polled.
    ///
    /// ```
    /// use parkade::keyed::LockMap;
    ///
    /// let accounts = LockMap::<String, i64>::from_iter([("ann".into(), 10), ("bob".into(), 0)]);
    /// futures::executor::block_on(async {
    ///     let mut both = accounts.lock_many_async(["bob", "ann"]).await;
    ///     *both.get_mut("ann").unwrap().value_mut().unwrap() -= 4;
    ///     *both.get_mut("bob").unwrap().value_mut().unwrap() += 4;
    /// });
    /// assert_eq!(*accounts.get("bob").unwrap(), 4);
    /// ```
    pub fn lock_many_async<'q, Q>(
        &self,
        keys: impl IntoIterator<Item = &'q Q>,
    ) -> LockEntries<'_, K, V>
    where
        K: Borrow<Q>,
        Q: Hash + Ord + ToOwned<Owned = K> + ?Sized + 'q,
    {
        let share = |key| TaskShare::new(&self.store, self.tag(key), key);
        LockEntries::new(Keys::new(&self.store, ascending(keys), share))
    }
}

future! {
    /// Locks a key: the future of [`LockMap::lock_async`] and [`LockMap::entry_async`].
    pub struct LockEntry['a, K, V]['a, K, V](TaskShare<LockMapEntry<'a, K, V>>)
        -> LockMapEntry<'a, K, V>;
}

future! {
    /// Locks a key and shares in its map: the future of [`LockMap::lock_owned_async`].
    pub struct LockEntryOwned[K, V, S][K, V, S](TaskShare<OwnedLockMapEntry<K, V, S>>)
        -> OwnedLockMapEntry<K, V, S>;
}

future! {
    /// Locks a key that has a value: the future of [`LockMap::get_async`].
    pub struct GetEntry['a, K, V]['a, K, V](TaskShare<Option<LockMapGuard<'a, K, V>>>)
        -> Option<LockMapGuard<'a, K, V>>;
}

future! {
    /// Locks a key that has a value and shares in its map: the future of [`LockMap::get_owned_async`].
    pub struct GetEntryOwned[K, V, S][K, V, S](TaskShare<Option<OwnedLockMapGuard<K, V, S>>>)
        -> Option<OwnedLockMapGuard<K, V, S>>;
}

future! {
    /// Locks several keys: the future of [`LockMap::lock_many_async`].
    pub struct LockEntries['a, K, V]['a, K, V]
        (Keys<LockMapEntry<'a, K, V>>) in (WaitingForMany<LockMapManyGuard<'a, K, V>>)
        -> LockMapManyGuard<'a, K, V>;
}

impl<K, V, M: MapRef<K, V>> KeyGuard for Entry<K, V, M> {
    type Key = K;
    type Value = Slot<V>;
    type Lock = RawMutex;
    type Map = M;

    const WANT: () = ();

    fn table(map: &M) -> &Table<K, Slot<V>, RawMutex> {
        &map.store().table
    }

    unsafe fn made(map: M, node: ValueNode<K, V>) -> Self {
        Entry::of(map, node)
    }
}

/// The key is unlocked at once if it has no value.
impl<K, V, M: MapRef<K, V>> KeyGuard for Option<ValueGuard<K, V, M>> {
    type Key = K;
    type Value = Slot<V>;
    type Lock = RawMutex;
    type Map = M;

    const WANT: () = ();

    fn table(map: &M) -> &Table<K, Slot<V>, RawMutex> {
        &map.store().table
    }

    unsafe fn made(map: M, node: ValueNode<K, V>) -> Self {
        Entry::of(map, node).occupied().ok()
    }
}

impl<'a, K, V> ManyGuard for LockMapManyGuard<'a, K, V> {
    type One = LockMapEntry<'a, K, V>;

    fn made(_: &'a Store<K, V>, entries: Vec<LockMapEntry<'a, K, V>>) -> Self {
        LockMapManyGuard { entries }
    }
}
