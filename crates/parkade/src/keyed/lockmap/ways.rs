//! The ways to take a key of a [`LockMap`], or several.

use super::{
    LockMap, LockMapEntry, LockMapGuard, OwnedLockMapEntry, OwnedLockMapGuard,
    entry::{KeyLocked, LockMapManyGuard},
    store::ValueNode,
};
use crate::{
    keyed::{
        lock::Alone,
        many::ascending,
        table::{Given, NotFree},
    },
    rwlock::Held,
};
use core::{
    borrow::Borrow,
    hash::{BuildHasher, Hash},
    time::Duration,
};
use parkade_core::Moment;
use std::{sync::Arc, time::Instant};

impl<K: Eq + Hash, V, S: BuildHasher> LockMap<K, V, S> {
    /// Locks `key`, whether it has a value or not, and waits as long as another thread has it.
    ///
    /// ```
    /// use parkade::keyed::LockMap;
    ///
    /// let stock = LockMap::<String, u32>::new();
    /// *stock.lock("apples").or_insert(0) += 2;
    /// match stock.lock("apples").occupied() {
    ///     Ok(count) => assert_eq!(*count, 2),
    ///     Err(vacant) => unreachable!("{vacant:?}"),
    /// }
    /// ```
    ///
    /// # Panics
    /// In a debug build, if the thread has the key already, which would be a deadlock.
    #[inline]
    #[track_caller]
    pub fn lock<Q>(&self, key: &Q) -> LockMapEntry<'_, K, V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let node = self.store.table.enter(self.tag(key), key, Alone, Held::here());
        LockMapEntry::new(&self.store, node)
    }

    /// [`lock`](Self::lock) if that is possible at once; `None` if another thread has the key.
    #[inline]
    #[track_caller]
    pub fn try_lock<Q>(&self, key: &Q) -> Option<LockMapEntry<'_, K, V>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let node = self.store.table.try_enter(self.tag(key), key, Alone, Held::here())?;
        Some(LockMapEntry::new(&self.store, node))
    }

    /// [`lock`](Self::lock) if that is possible within `timeout`; zero still takes a free key, and a timeout too long for
    /// the clock never ends.
    #[inline]
    #[track_caller]
    pub fn try_lock_for<Q>(&self, key: &Q, timeout: Duration) -> Option<LockMapEntry<'_, K, V>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.lock_until(key, || Moment::after(timeout), Held::here())
    }

    /// [`lock`](Self::lock) if that is possible until `deadline`; one that has passed still takes a free key.
    #[inline]
    #[track_caller]
    pub fn try_lock_until<Q>(&self, key: &Q, deadline: Instant) -> Option<LockMapEntry<'_, K, V>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.lock_until(key, || Moment::at(deadline), Held::here())
    }

    #[inline]
    fn lock_until<Q>(
        &self,
        key: &Q,
        deadline: impl FnOnce() -> Moment,
        held: Held,
    ) -> Option<LockMapEntry<'_, K, V>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let node = self.store.table.enter_until(self.tag(key), key, Alone, deadline, held)?;
        Some(LockMapEntry::new(&self.store, node))
    }

    /// [`lock`](Self::lock) with a key that is at hand anyway, and need not be cloned if it is new.
    ///
    /// # Panics
    /// As `lock`.
    #[track_caller]
    pub fn entry(&self, key: K) -> LockMapEntry<'_, K, V> {
        let tag = self.tag(&key);
        let node = self.store.table.enter(tag, Given(key), Alone, Held::here());
        LockMapEntry::new(&self.store, node)
    }

    /// Locks `key` and makes its value if it has none: once, by whoever has it first; who comes meanwhile waits. `make`
    /// runs with the key locked.
    ///
    /// ```
    /// use parkade::keyed::LockMap;
    ///
    /// let lengths = LockMap::<String, usize>::new();
    /// assert_eq!(*lengths.lock_or_insert_with("four", || 4), 4);
    /// assert_eq!(*lengths.lock_or_insert_with("four", || unreachable!()), 4);
    /// ```
    ///
    /// # Panics
    /// As [`lock`](Self::lock); and if `make` does. Then the key has no value, and who waits for it makes it.
    #[inline]
    #[track_caller]
    pub fn lock_or_insert_with<Q>(
        &self,
        key: &Q,
        make: impl FnOnce() -> V,
    ) -> LockMapGuard<'_, K, V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.lock(key).or_insert_with(make)
    }

    /// Locks `key`, with the default as its value if it has none. As [`lock_or_insert_with`](Self::lock_or_insert_with).
    ///
    /// # Panics
    /// As [`lock_or_insert_with`](Self::lock_or_insert_with).
    #[inline]
    #[track_caller]
    pub fn lock_or_default<Q>(&self, key: &Q) -> LockMapGuard<'_, K, V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        V: Default,
    {
        self.lock(key).or_default()
    }

    /// Locks `key` if it has a value, and waits as long as another thread has it: that may be making the value, or
    /// taking it away. Leaves nothing behind if there is none.
    ///
    /// # Panics
    /// As [`lock`](Self::lock).
    #[must_use = "if unused the key is unlocked at once"]
    #[track_caller]
    pub fn get<Q>(&self, key: &Q) -> Option<LockMapGuard<'_, K, V>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.found(self.store.table.enter_found(self.tag(key), key, Alone, Held::here()))
    }

    /// [`get`](Self::get) if that is possible at once.
    ///
    /// # Errors
    /// Another thread has the key.
    ///
    /// ```
    /// use parkade::keyed::{KeyLocked, LockMap};
    ///
    /// let map = LockMap::<u32, u32>::new();
    /// assert!(matches!(map.try_get(&1), Ok(None)));
    /// let _held = map.lock(&1);
    /// assert!(matches!(map.try_get(&1), Err(KeyLocked)));
    /// ```
    #[track_caller]
    pub fn try_get<Q>(&self, key: &Q) -> Result<Option<LockMapGuard<'_, K, V>>, KeyLocked>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let node = self.store.table.try_enter_found(self.tag(key), key, Alone, Held::here());
        self.found_in_time(node)
    }

    /// [`get`](Self::get) if that is possible within `timeout`. As [`try_lock_for`](Self::try_lock_for).
    ///
    /// # Errors
    /// Another thread had the key for so long.
    #[track_caller]
    pub fn try_get_for<Q>(
        &self,
        key: &Q,
        timeout: Duration,
    ) -> Result<Option<LockMapGuard<'_, K, V>>, KeyLocked>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let (tag, deadline) = (self.tag(key), || Moment::after(timeout));
        let table = &self.store.table;
        self.found_in_time(table.enter_found_until(tag, key, Alone, deadline, Held::here()))
    }

    /// [`get`](Self::get) if that is possible until `deadline`. As [`try_lock_until`](Self::try_lock_until).
    ///
    /// # Errors
    /// Another thread had the key until then.
    #[track_caller]
    pub fn try_get_until<Q>(
        &self,
        key: &Q,
        deadline: Instant,
    ) -> Result<Option<LockMapGuard<'_, K, V>>, KeyLocked>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let (tag, deadline) = (self.tag(key), || Moment::at(deadline));
        let table = &self.store.table;
        self.found_in_time(table.enter_found_until(tag, key, Alone, deadline, Held::here()))
    }

    fn found(&self, node: Option<ValueNode<K, V>>) -> Option<LockMapGuard<'_, K, V>> {
        LockMapEntry::new(&self.store, node?).occupied().ok()
    }

    fn found_in_time(
        &self,
        node: Result<Option<ValueNode<K, V>>, NotFree>,
    ) -> Result<Option<LockMapGuard<'_, K, V>>, KeyLocked> {
        node.map(|node| self.found(node)).map_err(|NotFree| KeyLocked)
    }

    /// Gives `key` a value, and waits as long as another thread has it; the value it had.
    ///
    /// # Panics
    /// As [`lock`](Self::lock).
    #[track_caller]
    pub fn insert(&self, key: K, value: V) -> Option<V> {
        self.entry(key).insert(value)
    }

    /// Takes the value of `key`, and waits as long as another thread has it.
    ///
    /// # Panics
    /// As [`lock`](Self::lock).
    #[track_caller]
    pub fn remove<Q>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.get(key).map(LockMapGuard::remove)
    }

    /// [`lock`](Self::lock) with a guard that shares in the map instead of borrowing it.
    ///
    /// ```
    /// use parkade::keyed::{LockMap, OwnedLockMapEntry};
    /// use std::sync::Arc;
    ///
    /// fn apples(stock: Arc<LockMap<String, u32>>) -> OwnedLockMapEntry<String, u32> {
    ///     stock.lock_owned("apples")
    /// }
    ///
    /// assert!(apples(Arc::default()).is_vacant());
    /// ```
    ///
    /// # Panics
    /// As [`lock`](Self::lock).
    #[track_caller]
    pub fn lock_owned<Q>(self: &Arc<Self>, key: &Q) -> OwnedLockMapEntry<K, V, S>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.lock(key).owned(self)
    }

    /// [`try_lock`](Self::try_lock) with a guard that shares in the map.
    #[track_caller]
    pub fn try_lock_owned<Q>(self: &Arc<Self>, key: &Q) -> Option<OwnedLockMapEntry<K, V, S>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        Some(self.try_lock(key)?.owned(self))
    }

    /// [`try_lock_for`](Self::try_lock_for) with a guard that shares in the map.
    #[track_caller]
    pub fn try_lock_owned_for<Q>(
        self: &Arc<Self>,
        key: &Q,
        timeout: Duration,
    ) -> Option<OwnedLockMapEntry<K, V, S>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        Some(self.try_lock_for(key, timeout)?.owned(self))
    }

    /// [`try_lock_until`](Self::try_lock_until) with a guard that shares in the map.
    #[track_caller]
    pub fn try_lock_owned_until<Q>(
        self: &Arc<Self>,
        key: &Q,
        deadline: Instant,
    ) -> Option<OwnedLockMapEntry<K, V, S>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        Some(self.try_lock_until(key, deadline)?.owned(self))
    }

    /// [`get`](Self::get) with a guard that shares in the map.
    ///
    /// # Panics
    /// As [`lock`](Self::lock).
    #[must_use = "if unused the key is unlocked at once"]
    #[track_caller]
    pub fn get_owned<Q>(self: &Arc<Self>, key: &Q) -> Option<OwnedLockMapGuard<K, V, S>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        Some(self.get(key)?.owned(self))
    }

    /// [`try_get`](Self::try_get) with a guard that shares in the map.
    ///
    /// # Errors
    /// As `try_get`.
    #[track_caller]
    pub fn try_get_owned<Q>(
        self: &Arc<Self>,
        key: &Q,
    ) -> Result<Option<OwnedLockMapGuard<K, V, S>>, KeyLocked>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        Ok(self.try_get(key)?.map(|guard| guard.owned(self)))
    }

    /// [`try_get_for`](Self::try_get_for) with a guard that shares in the map.
    ///
    /// # Errors
    /// As `try_get_for`.
    #[track_caller]
    pub fn try_get_owned_for<Q>(
        self: &Arc<Self>,
        key: &Q,
        timeout: Duration,
    ) -> Result<Option<OwnedLockMapGuard<K, V, S>>, KeyLocked>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        Ok(self.try_get_for(key, timeout)?.map(|guard| guard.owned(self)))
    }

    /// [`try_get_until`](Self::try_get_until) with a guard that shares in the map.
    ///
    /// # Errors
    /// As `try_get_until`.
    #[track_caller]
    pub fn try_get_owned_until<Q>(
        self: &Arc<Self>,
        key: &Q,
        deadline: Instant,
    ) -> Result<Option<OwnedLockMapGuard<K, V, S>>, KeyLocked>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        Ok(self.try_get_until(key, deadline)?.map(|guard| guard.owned(self)))
    }

    /// Locks all of `keys`, in ascending order, each once, whether they have values or not. Threads that lock several keys
    /// this way, and no others meanwhile, do not deadlock.
    ///
    /// # Panics
    /// As [`lock`](Self::lock).
    #[track_caller]
    pub fn lock_many<'q, Q>(
        &self,
        keys: impl IntoIterator<Item = &'q Q>,
    ) -> LockMapManyGuard<'_, K, V>
    where
        K: Borrow<Q>,
        Q: Hash + Ord + ToOwned<Owned = K> + ?Sized + 'q,
    {
        let (held, table) = (Held::here(), &self.store.table);
        let many = self.many(keys, |key| Some(table.enter(self.tag(key), key, Alone, held)));
        many.expect("there is no deadline")
    }

    /// [`lock_many`](Self::lock_many) if that is possible at once; else none is locked.
    #[track_caller]
    pub fn try_lock_many<'q, Q>(
        &self,
        keys: impl IntoIterator<Item = &'q Q>,
    ) -> Option<LockMapManyGuard<'_, K, V>>
    where
        K: Borrow<Q>,
        Q: Hash + Ord + ToOwned<Owned = K> + ?Sized + 'q,
    {
        let (held, table) = (Held::here(), &self.store.table);
        self.many(keys, |key| table.try_enter(self.tag(key), key, Alone, held))
    }

    /// [`lock_many`](Self::lock_many) if all are locked within `timeout`; else none is.
    #[track_caller]
    pub fn try_lock_many_for<'q, Q>(
        &self,
        keys: impl IntoIterator<Item = &'q Q>,
        timeout: Duration,
    ) -> Option<LockMapManyGuard<'_, K, V>>
    where
        K: Borrow<Q>,
        Q: Hash + Ord + ToOwned<Owned = K> + ?Sized + 'q,
    {
        self.many_until(keys, Moment::after(timeout), Held::here())
    }

    /// [`lock_many`](Self::lock_many) if all are locked until `deadline`; else none is.
    #[track_caller]
    pub fn try_lock_many_until<'q, Q>(
        &self,
        keys: impl IntoIterator<Item = &'q Q>,
        deadline: Instant,
    ) -> Option<LockMapManyGuard<'_, K, V>>
    where
        K: Borrow<Q>,
        Q: Hash + Ord + ToOwned<Owned = K> + ?Sized + 'q,
    {
        self.many_until(keys, Moment::at(deadline), Held::here())
    }

    fn many_until<'q, Q>(
        &self,
        keys: impl IntoIterator<Item = &'q Q>,
        deadline: Moment,
        held: Held,
    ) -> Option<LockMapManyGuard<'_, K, V>>
    where
        K: Borrow<Q>,
        Q: Hash + Ord + ToOwned<Owned = K> + ?Sized + 'q,
    {
        let table = &self.store.table;
        self.many(keys, |key| table.enter_until(self.tag(key), key, Alone, || deadline, held))
    }

    fn many<'q, Q: Ord + ?Sized + 'q>(
        &self,
        keys: impl IntoIterator<Item = &'q Q>,
        mut enter: impl FnMut(&Q) -> Option<ValueNode<K, V>>,
    ) -> Option<LockMapManyGuard<'_, K, V>> {
        let keys = ascending(keys);
        let mut entries = Vec::with_capacity(keys.len());
        for key in keys {
            entries.push(LockMapEntry::new(&self.store, enter(key)?));
        }
        Some(LockMapManyGuard { entries })
    }
}
