//! A key that is locked, with its value or without.

use super::{
    LockMap, LockMapEntry, LockMapGuard, OwnedLockMapEntry, OwnedLockMapGuard,
    store::{Growth, Store, ValueNode},
};
use crate::{
    GuardMarker,
    keyed::lock::{Alone, Fairness},
};
use core::{
    fmt,
    marker::PhantomData,
    mem::ManuallyDrop,
    ops::{Deref, DerefMut},
};
use std::sync::Arc;

/// How a guard reaches its map.
pub trait MapRef<K, V> {
    #[doc(hidden)]
    fn store(&self) -> &Store<K, V>;
}

impl<K, V> MapRef<K, V> for &Store<K, V> {
    #[inline(always)]
    fn store(&self) -> &Store<K, V> {
        self
    }
}

impl<K, V, S> MapRef<K, V> for Arc<LockMap<K, V, S>> {
    #[inline(always)]
    fn store(&self) -> &Store<K, V> {
        &self.store
    }
}

/// A key of a [`LockMap`] that is locked, whether it has a value or not; unlocked when dropped. Named
/// [`LockMapEntry`] where it borrows the map, and [`OwnedLockMapEntry`](super::OwnedLockMapEntry) where it shares in it.
///
/// What is called "the key's value" may come and go while the key is locked; nobody else sees it meanwhile. A
/// key that has no value when it is unlocked is not in the map, as if it had never been.
///
/// Functions that are given to a method run with this key locked and nothing else, and may use the map, but
/// not this key. If one panics, a value that was there stays as the function has left it, and none comes to be.
///
/// A guard that is forgotten ([`mem::forget`](core::mem::forget)) leaves its key locked, for as long as the map lives.
///
/// ```
/// use parkade::keyed::LockMap;
///
/// let stock = LockMap::<String, u32>::new();
/// let mut apples = stock.lock("apples");
/// assert_eq!(apples.value(), None);
/// apples.insert(3);
/// drop(apples);
///
/// *stock.lock("apples").and_modify(|count| *count *= 2).or_insert(1) += 1;
/// assert_eq!(stock.lock("apples").remove(), Some(7));
/// assert!(stock.is_empty());
/// ```
///
/// A guard stays on its thread unless the feature `send_guard` is on:
///
/// ```compile_fail,E0277
/// # #[cfg(feature = "send_guard")] compile_error!("E0277 does not apply");
/// fn needs_send<T: Send>(_: T) {}
/// let map = parkade::keyed::LockMap::<u32, u32>::new();
/// needs_send(map.lock(&1));
/// ```
///
/// A reference to it is one to the value:
///
/// ```compile_fail,E0277
/// fn needs_sync<T: Sync>(_: T) {}
/// let map = parkade::keyed::LockMap::<u32, std::cell::Cell<u32>>::new();
/// needs_sync(map.lock(&1));
/// ```
#[must_use = "if unused the key is unlocked at once"]
pub struct Entry<K, V, M: MapRef<K, V>> {
    map: M,
    node: ValueNode<K, V>,
    growth: Growth,
    marker: PhantomData<(GuardMarker, V)>,
}

/// A key of a [`LockMap`] that is locked and has a value, and a way to that value; unlocked when dropped. Named
/// [`LockMapGuard`](super::LockMapGuard) where it borrows the map, and [`OwnedLockMapGuard`](super::OwnedLockMapGuard)
/// where it shares in it.
///
/// Its functions are no methods, so that they do not hide those of the value.
///
/// ```
/// use parkade::keyed::{LockMap, LockMapGuard};
///
/// let names = LockMap::<u32, String>::new();
/// let mut name = names.lock_or_insert_with(&7, || "an".into());
/// name.push('n');
/// assert_eq!((LockMapGuard::key(&name), name.as_str()), (&7, "ann"));
/// assert_eq!(LockMapGuard::remove(name), "ann");
/// assert!(names.get(&7).is_none());
/// ```
pub struct ValueGuard<K, V, M: MapRef<K, V>> {
    /// It is occupied.
    entry: Entry<K, V, M>,
}

impl<'a, K, V> LockMapEntry<'a, K, V> {
    #[inline(always)]
    pub(super) fn new(store: &'a Store<K, V>, node: ValueNode<K, V>) -> Self {
        Entry::of(store, node)
    }

    /// The same hold, with a share in the map.
    pub(super) fn owned<S>(self, map: &Arc<LockMap<K, V, S>>) -> OwnedLockMapEntry<K, V, S> {
        let Entry { node, growth, .. } = *ManuallyDrop::new(self);
        Entry { map: Arc::clone(map), node, growth, marker: PhantomData }
    }
}

impl<K, V> LockMapGuard<'_, K, V> {
    /// The same hold, with a share in the map.
    pub(super) fn owned<S>(self, map: &Arc<LockMap<K, V, S>>) -> OwnedLockMapGuard<K, V, S> {
        ValueGuard { entry: self.entry.owned(map) }
    }
}

impl<K, V, M: MapRef<K, V>> Entry<K, V, M> {
    /// The caller holds the key, which is the guard's from now on.
    #[inline(always)]
    pub(super) fn of(map: M, node: ValueNode<K, V>) -> Self {
        Entry { map, node, growth: Growth::Same, marker: PhantomData }
    }

    /// The key that is locked.
    #[must_use]
    pub fn key(&self) -> &K {
        // SAFETY: 1: the guard has a share.
        unsafe { self.node.get() }.key()
    }

    /// Its value, if it has one.
    #[must_use]
    #[inline]
    pub fn value(&self) -> Option<&V> {
        // SAFETY: 1: the guard holds the key.
        let slot = unsafe { Store::slot(self.node) };
        // SAFETY: 1: the guard holds the key, and who could change the value has borrowed it for that.
        unsafe { slot.get() }
    }

    /// Its value, if it has one, to be changed.
    #[must_use]
    #[inline]
    pub fn value_mut(&mut self) -> Option<&mut V> {
        // SAFETY: 1: the guard holds the key.
        let slot = unsafe { Store::slot(self.node) };
        // SAFETY: 1: the guard holds the key, and is borrowed for it.
        unsafe { slot.get_mut() }
    }

    /// Whether the key has no value.
    #[must_use]
    pub fn is_vacant(&self) -> bool {
        self.value().is_none()
    }

    /// Gives the key a value; the one it had.
    #[inline]
    pub fn insert(&mut self, value: V) -> Option<V> {
        // SAFETY: 1: the guard holds the key.
        let slot = unsafe { Store::slot(self.node) };
        if !slot.is_occupied() {
            self.growth = Growth::Grown;
        }
        // SAFETY: 1: the guard holds the key, and is borrowed for it.
        unsafe { slot.put(value) }
    }

    /// Takes its value. The key stays locked: who waits for it has it next, without a value; if nobody does, it leaves
    /// the map.
    #[inline]
    pub fn remove(&mut self) -> Option<V> {
        self.growth = Growth::Same;
        // SAFETY: 1: the guard holds the key.
        let slot = unsafe { Store::slot(self.node) };
        // SAFETY: 1: the guard holds the key, and is borrowed for it.
        unsafe { slot.take() }
    }

    /// The value, if there is one; otherwise the key, still locked.
    ///
    /// # Errors
    /// The entry itself, if it is vacant.
    #[inline]
    pub fn occupied(self) -> Result<ValueGuard<K, V, M>, Self> {
        if self.is_vacant() { Err(self) } else { Ok(ValueGuard { entry: self }) }
    }

    /// The value, which is `value` now, whatever it was. That is dropped with the key locked.
    #[inline]
    pub fn insert_entry(mut self, value: V) -> ValueGuard<K, V, M> {
        self.insert(value);
        ValueGuard { entry: self }
    }

    /// The value; if there is none, `value`.
    #[inline]
    pub fn or_insert(self, value: V) -> ValueGuard<K, V, M> {
        self.or_insert_with(|| value)
    }

    /// The value; if there is none, what `make` returns.
    #[inline]
    pub fn or_insert_with(self, make: impl FnOnce() -> V) -> ValueGuard<K, V, M> {
        self.or_insert_with_key(|_| make())
    }

    /// The value; if there is none, what `make` returns for the key.
    #[inline]
    pub fn or_insert_with_key(self, make: impl FnOnce(&K) -> V) -> ValueGuard<K, V, M> {
        match self.occupied() {
            Ok(guard) => guard,
            Err(vacant) => {
                let value = make(vacant.key());
                vacant.insert_entry(value)
            }
        }
    }

    /// The value; if there is none, the default.
    #[inline]
    pub fn or_default(self) -> ValueGuard<K, V, M>
    where
        V: Default,
    {
        self.or_insert_with(V::default)
    }

    /// The value; if there is none, what `make` returns, if it succeeds.
    ///
    /// # Errors
    /// What `make` returned. The key is unlocked, and has no value.
    #[inline]
    pub fn or_try_insert_with<E>(
        self,
        make: impl FnOnce() -> Result<V, E>,
    ) -> Result<ValueGuard<K, V, M>, E> {
        match self.occupied() {
            Ok(guard) => Ok(guard),
            Err(vacant) => {
                let value = make()?;
                Ok(vacant.insert_entry(value))
            }
        }
    }

    /// Changes the value, if there is one.
    #[inline]
    pub fn and_modify(mut self, change: impl FnOnce(&mut V)) -> Self {
        if let Some(value) = self.value_mut() {
            change(value);
        }
        self
    }

    /// It may come to be dropped on another thread.
    pub(crate) fn unbind(&self) {
        // SAFETY: 1: the guard has a share.
        unsafe { self.node.get() }.unbind(Alone);
    }

    /// Unlocks, and who waits longest for the key has it next.
    pub fn unlock_fair(self) {
        let guard = ManuallyDrop::new(self);
        // SAFETY: the guard is not used again but to unlock, nor dropped.
        let map = unsafe { core::ptr::read(&raw const guard.map) };
        // SAFETY: 1: the guard holds the key.
        unsafe { map.store().leave(guard.node, guard.growth, Fairness::Fair) };
    }
}

impl<K, V, M: MapRef<K, V>> Drop for Entry<K, V, M> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: 1: the guard holds the key.
        unsafe { self.map.store().leave(self.node, self.growth, Fairness::Barging) };
    }
}

impl<K: fmt::Debug, V: fmt::Debug, M: MapRef<K, V>> fmt::Debug for Entry<K, V, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Entry").field(self.key()).field(&self.value()).finish()
    }
}

impl<K, V, M: MapRef<K, V>> ValueGuard<K, V, M> {
    /// The key that is locked.
    #[must_use]
    pub fn key(guard: &Self) -> &K {
        guard.entry.key()
    }

    /// Takes the value and unlocks the key; unless somebody waits for it, it leaves the map.
    pub fn remove(guard: Self) -> V {
        let mut entry = guard.entry;
        entry.remove().unwrap_or_else(|| unreachable!("a guard of a value has one"))
    }

    /// The key, still locked, whose value may be taken or replaced.
    pub fn into_entry(guard: Self) -> Entry<K, V, M> {
        guard.entry
    }

    /// It may come to be dropped on another thread.
    pub(crate) fn unbind(&self) {
        self.entry.unbind();
    }

    /// Unlocks, and who waits longest for the key has it next.
    pub fn unlock_fair(guard: Self) {
        guard.entry.unlock_fair();
    }
}

impl<K, V, M: MapRef<K, V>> Deref for ValueGuard<K, V, M> {
    type Target = V;

    #[inline]
    fn deref(&self) -> &V {
        self.entry.value().unwrap_or_else(|| unreachable!("a guard of a value has one"))
    }
}

impl<K, V, M: MapRef<K, V>> DerefMut for ValueGuard<K, V, M> {
    #[inline]
    fn deref_mut(&mut self) -> &mut V {
        self.entry.value_mut().unwrap_or_else(|| unreachable!("a guard of a value has one"))
    }
}

impl<K, V: fmt::Debug, M: MapRef<K, V>> fmt::Debug for ValueGuard<K, V, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<K, V: fmt::Display, M: MapRef<K, V>> fmt::Display for ValueGuard<K, V, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// Several keys of a [`LockMap`] that are locked together; unlocked when dropped.
///
/// ```
/// use parkade::keyed::LockMap;
///
/// let accounts = LockMap::<String, i64>::from_iter([("ann".into(), 10), ("bob".into(), 0)]);
/// let mut both = accounts.lock_many(["bob", "ann"]);
/// *both.get_mut("ann").unwrap().value_mut().unwrap() -= 4;
/// *both.get_mut("bob").unwrap().value_mut().unwrap() += 4;
/// drop(both);
/// assert_eq!(*accounts.get("bob").unwrap(), 4);
/// ```
#[must_use = "if unused the keys are unlocked at once"]
pub struct LockMapManyGuard<'a, K, V> {
    /// In ascending order.
    pub(super) entries: Vec<LockMapEntry<'a, K, V>>,
}

impl<'a, K, V> LockMapManyGuard<'a, K, V> {
    /// The keys that are locked, in ascending order, each once.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &K> {
        self.entries.iter().map(|entry| entry.key())
    }

    /// The entry of a key, if that is one of those that are locked. Logarithmic.
    #[must_use]
    pub fn get<Q>(&self, key: &Q) -> Option<&LockMapEntry<'a, K, V>>
    where
        K: core::borrow::Borrow<Q>,
        Q: Ord + ?Sized,
    {
        Some(&self.entries[self.index(key)?])
    }

    /// The entry of a key, to be changed, if that is one of those that are locked. Logarithmic.
    #[must_use]
    pub fn get_mut<Q>(&mut self, key: &Q) -> Option<&mut LockMapEntry<'a, K, V>>
    where
        K: core::borrow::Borrow<Q>,
        Q: Ord + ?Sized,
    {
        let index = self.index(key)?;
        Some(&mut self.entries[index])
    }

    /// It may come to be dropped on another thread.
    pub(crate) fn unbind(&self) {
        self.entries.iter().for_each(Entry::unbind);
    }

    fn index<Q>(&self, key: &Q) -> Option<usize>
    where
        K: core::borrow::Borrow<Q>,
        Q: Ord + ?Sized,
    {
        self.entries.binary_search_by(|entry| entry.key().borrow().cmp(key)).ok()
    }

    /// The entries in ascending order of their keys.
    pub fn iter(&self) -> core::slice::Iter<'_, LockMapEntry<'a, K, V>> {
        self.entries.iter()
    }

    /// The entries in ascending order of their keys, to be changed.
    pub fn iter_mut(&mut self) -> core::slice::IterMut<'_, LockMapEntry<'a, K, V>> {
        self.entries.iter_mut()
    }
}

/// One entry after the other, so that some keys can be unlocked earlier than others.
impl<'a, K, V> IntoIterator for LockMapManyGuard<'a, K, V> {
    type Item = LockMapEntry<'a, K, V>;
    type IntoIter = std::vec::IntoIter<LockMapEntry<'a, K, V>>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

impl<'g, 'a, K, V> IntoIterator for &'g LockMapManyGuard<'a, K, V> {
    type Item = &'g LockMapEntry<'a, K, V>;
    type IntoIter = core::slice::Iter<'g, LockMapEntry<'a, K, V>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'g, 'a, K, V> IntoIterator for &'g mut LockMapManyGuard<'a, K, V> {
    type Item = &'g mut LockMapEntry<'a, K, V>;
    type IntoIter = core::slice::IterMut<'g, LockMapEntry<'a, K, V>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for LockMapManyGuard<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|entry| (entry.key(), entry.value()))).finish()
    }
}

/// The values of a [`LockMap`] that has been taken apart, with their keys, in no order.
pub struct IntoIter<K, V> {
    pub(super) rest: crate::keyed::unlinked::Unlinked<K, super::slot::Slot<V>, crate::RawMutex>,
}

impl<K, V> Iterator for IntoIter<K, V> {
    type Item = (K, V);

    fn next(&mut self) -> Option<(K, V)> {
        loop {
            let (key, slot) = self.rest.pop()?.into_parts();
            // Without a value is a key whose guard was forgotten.
            if let Some(value) = slot.into_inner() {
                return Some((key, value));
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.rest.len()))
    }
}

impl<K, V> core::iter::FusedIterator for IntoIter<K, V> {}

impl<K, V> fmt::Debug for IntoIter<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntoIter").finish_non_exhaustive()
    }
}

/// The key was locked by another thread all the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyLocked;

impl fmt::Display for KeyLocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the key is locked")
    }
}

impl std::error::Error for KeyLocked {}
