//! [`LockMap`]: how it is made, and what can be done with all of its keys.

use super::{
    entry::{Entry, IntoIter, ValueGuard},
    slot::Slot,
    store::{Store, Visit},
};
use crate::{
    RawMutex,
    keyed::{KeyInfo, evict::Age, node::Node, table::Tag, walk::Walk},
    rwlock::Held,
};
use core::{
    borrow::Borrow,
    fmt,
    hash::{BuildHasher, Hash},
    time::Duration,
};
use std::{hash::RandomState, sync::Arc};

/// A map in which each key has a lock of its own that guards its value.
///
/// Who locks a key holds it whether it has a value or not, and decides that in peace: look, compute, insert, change,
/// remove. Others who want the same key wait, asleep; nobody else does: threads with different keys meet only for
/// the moment that it takes to look a key up, even if their keys share a hash. Values stay when nobody holds their
/// keys. A key without a value, a holder or somebody who waits is not in the map, and nothing is left of it.
///
/// ```
/// use parkade::keyed::LockMap;
/// use std::thread;
///
/// // How often each word occurs, and what it costs to find out is paid once for each.
/// let counts = LockMap::<String, (usize, u32)>::new();
/// thread::scope(|scope| {
///     for text in ["a rose is", "a rose is", "a rose"] {
///         let counts = &counts;
///         scope.spawn(move || {
///             for word in text.split(' ') {
///                 counts.lock_or_insert_with(word, || (word.len(), 0)).1 += 1;
///             }
///         });
///     }
/// });
/// assert_eq!(counts.len(), 3);
/// assert_eq!(*counts.get("rose").unwrap(), (4, 3));
/// ```
///
/// # Ways in
///
/// | to | call |
/// |---|---|
/// | hold a key, with a value or without | [`lock`](Self::lock), [`entry`](Self::entry) |
/// | have the value, made if need be by whoever comes first | [`lock_or_insert_with`](Self::lock_or_insert_with), [`lock_or_default`](Self::lock_or_default) |
/// | have the value if there is one | [`get`](Self::get) |
/// | hold several keys without a deadlock | [`lock_many`](Self::lock_many) |
/// | not to wait, or not for long | `try_`, `_for`, `_until` before and after `lock`, `get` and `lock_many`. The others are made of these: `map.try_lock(key)?.or_insert_with(make)` |
/// | wait as a task does | `_async` after `lock`, `lock_many`, `entry` and `get` |
/// | keep a guard longer than a borrow of the map | `_owned` |
///
/// # What it guarantees
///
/// * *Waiting* is for one key only, and as fair as of a [`Mutex`](crate::Mutex): who waits too long has the key next.
/// * *User code* runs with no lock but that of the key, except `Hash` (none at all), `Eq` and
///   `ToOwned` of keys, which run while others cannot look up the keys of the same shard: they must not use the map.
///   They may panic, as may anything else: nothing is locked afterwards that was not before, and there is no poison.
/// * *Values* are dropped once, with the map unlocked, by whoever takes them out.
/// * *Locking a key twice* on one thread is a deadlock; debug builds panic instead, unless with `send_guard`.
/// * *Iteration* ([`for_each`](Self::for_each), [`retain`](Self::retain), [`clear`](Self::clear)) locks key after
///   key, never two at a time: it is no snapshot. It waits for keys that are held, so it must not be called by
///   somebody who holds one.
///
/// # What is idle
///
/// [`evict_idle`](Self::evict_idle) removes the values that nobody holds, waits for, or has used for a while;
/// a map [`with_idle_limit`](Self::with_idle_limit) does so by itself as it grows.
///
/// # When not to use it
///
/// For values that are mostly read: readers of one key exclude each other here. For sections of some nanoseconds,
/// or where all keys are wanted at once, a [`Mutex`](crate::Mutex) around a `HashMap` is less work. For no
/// values at all, [`KeyedMutex`](crate::keyed::KeyedMutex).
///
/// # Threads
///
/// A map is shared if its values are `Send`; they need not be `Sync`, since one thread at a time has each. Keys are
/// compared by all threads, so they are both.
///
/// ```
/// fn needs_sync<T: Sync>(_: T) {}
/// needs_sync(parkade::keyed::LockMap::<u32, std::cell::Cell<u32>>::new());
/// ```
///
/// ```compile_fail,E0277
/// fn needs_sync<T: Sync>(_: T) {}
/// needs_sync(parkade::keyed::LockMap::<u32, std::rc::Rc<u32>>::new());
/// ```
///
/// ```compile_fail,E0277
/// fn needs_sync<T: Sync>(_: T) {}
/// needs_sync(parkade::keyed::LockMap::<std::cell::Cell<u32>, u32>::new());
/// ```
pub struct LockMap<K, V, S = RandomState> {
    pub(super) store: Store<K, V>,
    hasher: S,
}

/// An [`Entry`] that borrows its map.
pub type LockMapEntry<'a, K, V> = Entry<K, V, &'a Store<K, V>>;
/// An [`Entry`] that shares in its map.
pub type OwnedLockMapEntry<K, V, S = RandomState> = Entry<K, V, Arc<LockMap<K, V, S>>>;
/// A [`ValueGuard`] that borrows its map.
pub type LockMapGuard<'a, K, V> = ValueGuard<K, V, &'a Store<K, V>>;
/// A [`ValueGuard`] that shares in its map.
pub type OwnedLockMapGuard<K, V, S = RandomState> = ValueGuard<K, V, Arc<LockMap<K, V, S>>>;

impl<K, V> LockMap<K, V> {
    /// A map without keys. Allocates a cache line pair for each shard, eight times as many as there are processors and
    /// at least 32.
    #[must_use]
    pub fn new() -> Self {
        Self::with_hasher(RandomState::new())
    }

    /// A map in which values that nobody has used for `limit` give way to new ones.
    ///
    /// Whoever unlocks a key that has come to have a value then looks at four chains of the shard, on average at no
    /// more than as many keys (at all of them while there are no more than eight), and evicts which of them were
    /// unlocked `limit` ago and are not held or waited for.
    /// So a shard of n keys is gone through once while n / 2 keys come to it, or 2 n if it has had far more than
    /// n. That is all: nothing happens in a map that does not grow, unless [`evict_idle`](Self::evict_idle) is
    /// called; and values are dropped by whoever unlocks, when he has unlocked.
    ///
    /// Unlocking reads the clock in such a map (the kernel's coarse one, some nanoseconds), in others it does not. With
    /// [`Duration::MAX`], or anything above 48 days, nothing is evicted but by `evict_idle`, which then knows when keys
    /// were unlocked.
    ///
    /// ```
    /// use parkade::keyed::LockMap;
    /// use std::time::Duration;
    ///
    /// // The shortest limit there is: what nobody holds.
    /// let recent = LockMap::<u32, u32>::with_idle_limit(Duration::ZERO);
    /// for n in 0..10_000 {
    ///     recent.insert(n, n);
    /// }
    /// assert!(recent.len() < 1000);
    /// ```
    #[must_use]
    pub fn with_idle_limit(limit: Duration) -> Self {
        Self::with_idle_limit_and_hasher(limit, RandomState::new())
    }
}

impl<K, V, S> LockMap<K, V, S> {
    /// As `new`, for keys hashed by `hasher`. Keys whose hashes are equal cost more to find, and do not wait
    /// for each other.
    #[must_use]
    pub fn with_hasher(hasher: S) -> Self {
        LockMap { store: Store::new(None), hasher }
    }

    /// As [`with_idle_limit`](LockMap::with_idle_limit), for keys hashed by `hasher`.
    #[must_use]
    pub fn with_idle_limit_and_hasher(limit: Duration, hasher: S) -> Self {
        LockMap { store: Store::new(Some(Age::of(limit))), hasher }
    }

    /// What hashes the keys.
    pub fn hasher(&self) -> &S {
        &self.hasher
    }

    /// How many keys have a value, those included that are held: a value counts from when it is inserted until it is
    /// removed, though nobody else sees it before its key is unlocked. Takes time for each key; each shard is seen
    /// at one instant.
    #[must_use]
    pub fn len(&self) -> usize {
        self.store.table.count(is_occupied)
    }

    /// Whether no key has a value. As [`len`](Self::len).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The keys that have a value, in no order. As [`len`](Self::len); they are cloned with their shard locked.
    #[must_use]
    pub fn keys(&self) -> Vec<K>
    where
        K: Clone,
    {
        let look = |node: &_| is_occupied::<K, V>(node).then(|| node.key().clone());
        self.store.table.list(look).into_iter().flatten().collect()
    }

    /// The keys that are locked or waited for, by how many threads and for how long, with a value or without. Who is in
    /// [`for_each`](Self::for_each) or the like waits for a few keys at a time. Each shard is seen at one
    /// instant; its keys are cloned with the shard locked.
    ///
    /// For diagnosis: what it says may be over when it is read.
    ///
    /// ```
    /// use parkade::keyed::LockMap;
    ///
    /// let jobs = LockMap::<String, u32>::from_iter([("idle".into(), 1)]);
    /// let busy = jobs.lock("busy");
    /// let snapshot = jobs.snapshot();
    /// assert_eq!(snapshot.len(), 1);
    /// assert_eq!((snapshot[0].key.as_str(), snapshot[0].holders, snapshot[0].waiters), ("busy", 1, 0));
    /// ```
    #[must_use]
    pub fn snapshot(&self) -> Vec<KeyInfo<K>>
    where
        K: Clone,
    {
        let list = |node: &_| Some(KeyInfo::of(node)).filter(|key| key.holders + key.waiters > 0);
        self.store.table.list(list).into_iter().flatten().collect()
    }

    /// Removes the values that nobody holds, waits for, or has used for `older_than`, and drops them; how many.
    ///
    /// A value was used when its key was last unlocked in a map [`with_idle_limit`](LockMap::with_idle_limit), and when
    /// it was last locked in another: that does not ask for the time to unlock. What walks by
    /// ([`for_each`](Self::for_each) and the like) and what only looks ([`contains_key`](Self::contains_key) and
    /// the like) is no use. Ages are counted to the kernel's tick (1 to 10 ms), up to 48 days: what is longer evicts
    /// nothing, and ages begin anew with 52 days. [`Duration::ZERO`] takes whatever is free.
    ///
    /// Never waits for a key. Keys that come to be used meanwhile are safe: who has looked one up finds it as it
    /// was. Each shard is locked for some microseconds at a time, and values are dropped with no lock held. What
    /// is inserted meanwhile may be missed.
    ///
    /// ```
    /// use parkade::keyed::LockMap;
    /// use std::time::Duration;
    ///
    /// let sessions = LockMap::<u32, String>::from_iter([(1, "ann".into()), (2, "bob".into())]);
    /// let ann = sessions.get(&1);
    /// assert_eq!(sessions.evict_idle(Duration::from_secs(3600)), 0);
    /// assert_eq!(sessions.evict_idle(Duration::ZERO), 1);
    /// assert_eq!(sessions.keys(), [1]);
    /// ```
    pub fn evict_idle(&self, older_than: Duration) -> usize {
        let mut evicted = 0;
        self.store.table.evict(Age::of(older_than), |unlinked| evicted += unlinked.len());
        evicted
    }

    /// As [`evict_idle`](Self::evict_idle), but hands out what it has removed.
    ///
    /// ```
    /// use parkade::keyed::LockMap;
    /// use std::time::Duration;
    ///
    /// let sessions = LockMap::<u32, &str>::from_iter([(1, "ann")]);
    /// assert_eq!(sessions.drain_idle(Duration::ZERO), [(1, "ann")]);
    /// ```
    #[must_use]
    pub fn drain_idle(&self, older_than: Duration) -> Vec<(K, V)> {
        let mut drained = Vec::new();
        self.store.table.evict(Age::of(older_than), |rest| drained.extend(IntoIter { rest }));
        drained
    }

    /// Calls `visit` with each key that has a value, locking one after the other, in no order. Waits for keys that are
    /// held. A key that has a value all the time is met once; one that comes or goes meanwhile, perhaps.
    ///
    /// # Panics
    /// In a debug build, if the thread holds a key itself, which would be a deadlock.
    #[track_caller]
    pub fn for_each(&self, mut visit: impl FnMut(&K, &mut V)) {
        self.walk(Held::here(), |mut key| {
            if let Some((key, value)) = key.value_mut() {
                visit(key, value);
            }
        });
    }

    /// Removes the values that `keep` does not want. As [`for_each`](Self::for_each). A value is dropped when its
    /// key is unlocked.
    ///
    /// ```
    /// use parkade::keyed::LockMap;
    ///
    /// let stock = LockMap::<&str, u32>::from_iter([("apples", 3), ("pears", 0)]);
    /// stock.retain(|_, count| *count > 0);
    /// assert_eq!(stock.keys(), ["apples"]);
    /// ```
    ///
    /// # Panics
    /// As `for_each`.
    #[track_caller]
    pub fn retain(&self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        self.walk(Held::here(), |mut key| {
            let stays = key.value_mut().is_none_or(|(key, value)| keep(key, value));
            let removed = if stays { None } else { key.take() };
            drop(key);
            drop(removed);
        });
    }

    /// Removes all values. As [`retain`](Self::retain), wanting none.
    ///
    /// # Panics
    /// As [`for_each`](Self::for_each).
    #[track_caller]
    pub fn clear(&self) {
        self.walk(Held::here(), |mut key| {
            let removed = key.take();
            drop(key);
            drop(removed);
        });
    }

    fn walk(&self, held: Held, mut visit: impl FnMut(Visit<'_, K, V>)) {
        let mut walk = Walk::new(&self.store.table);
        while let Some(share) = walk.next() {
            visit(Visit::enter(&self.store, share, held));
        }
    }
}

/// Whether a key has a value. Anybody may ask under the shard's lock.
fn is_occupied<K, V>(node: &Node<K, Slot<V>, RawMutex>) -> bool {
    // SAFETY: nobody has the slot but by reference, and the key stays as long as `node` does.
    unsafe { &*node.value() }.is_occupied()
}

impl<K: Eq + Hash, V, S: BuildHasher> LockMap<K, V, S> {
    /// Whether the key has a value now. As [`len`](Self::len): waits for nobody.
    #[must_use]
    pub fn contains_key<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.store.table.peek(self.tag(key), key, is_occupied).unwrap_or(false)
    }

    /// Whether anybody holds the key now, with a value or without.
    #[must_use]
    pub fn is_locked<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.store.table.peek(self.tag(key), key, |node| node.holders() > 0).unwrap_or(false)
    }

    /// The key's value, which nobody else can have. Does not count as a use.
    pub fn get_mut<Q>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let slot = self.store.table.peek(self.tag(key), key, |node| node.value())?;
        // SAFETY: the key stays in the map as long as that is borrowed.
        let slot = unsafe { &*slot };
        // SAFETY: 1: as above, and there are no guards.
        unsafe { slot.get_mut() }
    }

    #[inline(always)]
    pub(super) fn tag<Q: Hash + ?Sized>(&self, key: &Q) -> Tag {
        Tag::of(self.hasher.hash_one(key))
    }
}

impl<K, V, S: Default> Default for LockMap<K, V, S> {
    fn default() -> Self {
        Self::with_hasher(S::default())
    }
}

/// Keys and values; `<locked>` instead of a value whose key is held. Formats each value with its key locked.
impl<K: fmt::Debug, V: fmt::Debug, S> fmt::Debug for LockMap<K, V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        let mut walk = Walk::new(&self.store.table);
        while let Some(share) = walk.next() {
            match Visit::try_enter(&self.store, share, Held::here()) {
                Ok(mut visit) => {
                    if let Some((key, value)) = visit.value_mut() {
                        map.entry(key, value);
                    }
                }
                Err(share) => {
                    map.entry(share.node().key(), &format_args!("<locked>"));
                }
            }
        }
        map.finish()
    }
}

impl<K, V, S> IntoIterator for LockMap<K, V, S> {
    type Item = (K, V);
    type IntoIter = IntoIter<K, V>;

    fn into_iter(mut self) -> IntoIter<K, V> {
        IntoIter { rest: self.store.table.take_all() }
    }
}

impl<K: Eq + Hash, V, S: BuildHasher> Extend<(K, V)> for LockMap<K, V, S> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, pairs: I) {
        for (key, value) in pairs {
            self.insert(key, value);
        }
    }
}

impl<K: Eq + Hash, V, S: BuildHasher + Default> FromIterator<(K, V)> for LockMap<K, V, S> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let mut map = Self::default();
        map.extend(pairs);
        map
    }
}
