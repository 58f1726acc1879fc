//! The table of a [`LockMap`](super::LockMap), without what hashes its keys: what guards need to give a key back.

use super::slot::Slot;
use crate::{
    RawMutex,
    keyed::{
        evict::Age,
        lock::{Alone, Fairness},
        node::{NodePtr, Stamp},
        table::{Share, Table, Tag},
    },
    rwlock::Held,
};

pub(super) type ValueNode<K, V> = NodePtr<K, Slot<V>, RawMutex>;

/// Keys, values, and for how long they stay.
pub struct Store<K, V> {
    pub(super) table: Table<K, Slot<V>, RawMutex>,
    /// If there is one, it is noted when keys are unlocked.
    pub(super) limit: Option<Age>,
}

/// Whether a key has come to have a value since it was locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Growth {
    /// It had one, or has none.
    Same,
    /// It had none.
    Grown,
}

impl<K, V> core::fmt::Debug for Store<K, V> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Store").field("limit", &self.limit).finish_non_exhaustive()
    }
}

impl<K, V> Store<K, V> {
    pub(super) fn new(limit: Option<Age>) -> Store<K, V> {
        Store { table: Table::new(), limit }
    }

    /// Unlocks. User code, if any, runs after that: what is evicted is dropped.
    ///
    /// # Safety
    /// 1. The calling thread holds the key, and its share ends.
    #[inline]
    pub(super) unsafe fn leave(&self, node: ValueNode<K, V>, growth: Growth, fairness: Fairness) {
        match self.limit {
            // SAFETY: 1.
            None => unsafe { self.table.leave(node, Alone, fairness) },
            // SAFETY: 1.
            Some(limit) => unsafe { self.leave_timed(node, growth, fairness, limit) },
        }
    }

    /// # Safety
    /// As of `leave`.
    unsafe fn leave_timed(
        &self,
        node: ValueNode<K, V>,
        growth: Growth,
        fairness: Fairness,
        limit: Age,
    ) {
        // SAFETY: 1.
        let node_ref = unsafe { node.get() };
        node_ref.set_since(Stamp::now());
        let tag = Tag(node_ref.tag);
        // SAFETY: 1.
        unsafe { self.table.leave(node, Alone, fairness) };
        if growth == Growth::Grown && limit != Age::Never {
            self.table.sweep(tag, limit);
        }
    }

    /// # Safety
    /// 1. The caller holds the key as long as the reference is used.
    #[inline(always)]
    pub(super) unsafe fn slot<'n>(node: ValueNode<K, V>) -> &'n Slot<V> {
        // SAFETY: 1: a holder has a share.
        let value = unsafe { node.get() }.value();
        // SAFETY: nobody has it but by reference.
        unsafe { &*value }
    }
}

/// A key that somebody walks by, locked: for its value that is no use. Unlocked when dropped.
pub(super) struct Visit<'s, K, V> {
    store: &'s Store<K, V>,
    node: ValueNode<K, V>,
    since: Stamp,
}

pub(super) type ValueShare<'s, K, V> = Share<'s, K, Slot<V>, RawMutex>;

impl<'s, K, V> Visit<'s, K, V> {
    pub(super) fn enter(store: &'s Store<K, V>, share: ValueShare<'s, K, V>, held: Held) -> Self {
        let (node, since) = share.enter(Alone, held);
        Visit { store, node, since }
    }

    pub(super) fn try_enter(
        store: &'s Store<K, V>,
        share: ValueShare<'s, K, V>,
        held: Held,
    ) -> Result<Self, ValueShare<'s, K, V>> {
        let (node, since) = share.try_enter(Alone, held)?;
        Ok(Visit { store, node, since })
    }

    pub(super) fn key(&self) -> &K {
        // SAFETY: 1: we hold it.
        unsafe { self.node.get() }.key()
    }

    pub(super) fn value_mut(&mut self) -> Option<(&K, &mut V)> {
        // SAFETY: 1: we hold it.
        let slot = unsafe { Store::slot(self.node) };
        // SAFETY: 1: we hold it, and `self` is borrowed.
        let value = unsafe { slot.get_mut() }?;
        Some((self.key(), value))
    }

    pub(super) fn take(&mut self) -> Option<V> {
        // SAFETY: 1: we hold it.
        let slot = unsafe { Store::slot(self.node) };
        // SAFETY: 1: we hold it, and `self` is borrowed.
        unsafe { slot.take() }
    }
}

impl<K, V> Drop for Visit<'_, K, V> {
    fn drop(&mut self) {
        // SAFETY: 1: we hold it.
        unsafe { self.node.get() }.set_since(self.since);
        // SAFETY: 1: we hold it.
        unsafe { self.store.table.leave(self.node, Alone, Fairness::Barging) };
    }
}
