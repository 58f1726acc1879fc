//! Several keys at a time.

use super::{
    lock::{Fairness, KeyLock},
    node::{Node, NodePtr},
    table::Table,
};

/// Keys that are locked together, in ascending order; unlocked when dropped.
pub(super) struct Many<'t, K, L: KeyLock> {
    table: &'t Table<K, (), L>,
    nodes: Vec<NodePtr<K, (), L>>,
    mode: L::Mode,
}

impl<'t, K, L: KeyLock> Many<'t, K, L> {
    /// Takes each of `keys` once, in ascending order, by `enter`. If that gives up so does this, and none is
    /// taken.
    pub(super) fn enter<'q, Q: Ord + ?Sized + 'q>(
        table: &'t Table<K, (), L>,
        mode: L::Mode,
        keys: impl IntoIterator<Item = &'q Q>,
        mut enter: impl FnMut(&Q) -> Option<NodePtr<K, (), L>>,
    ) -> Option<Many<'t, K, L>> {
        let keys = ascending(keys);
        let mut many = Many { table, nodes: Vec::with_capacity(keys.len()), mode };
        for key in keys {
            many.nodes.push(enter(key)?);
        }
        Some(many)
    }

    /// The nodes are in ascending order, and held.
    pub(super) fn held(
        table: &'t Table<K, (), L>,
        mode: L::Mode,
        nodes: Vec<NodePtr<K, (), L>>,
    ) -> Many<'t, K, L> {
        Many { table, nodes, mode }
    }

    pub(super) fn keys(&self) -> impl ExactSizeIterator<Item = &K> {
        self.nodes().map(Node::key)
    }

    pub(super) fn nodes(&self) -> impl ExactSizeIterator<Item = &Node<K, (), L>> {
        // SAFETY: 1: we have shares in all of them.
        self.nodes.iter().map(|node| unsafe { node.get() })
    }
}

impl<K, L: KeyLock> Many<'_, K, L> {
    fn leave_all(&mut self) {
        while let Some(node) = self.nodes.pop() {
            // SAFETY: 1: we hold it.
            unsafe { self.table.leave(node, self.mode, Fairness::Barging) };
        }
    }
}

impl<K, L: KeyLock> Drop for Many<'_, K, L> {
    /// If dropping a key panics, the others are unlocked nevertheless.
    fn drop(&mut self) {
        struct Rest<'m, 't, K, L: KeyLock>(&'m mut Many<'t, K, L>);

        impl<K, L: KeyLock> Drop for Rest<'_, '_, K, L> {
            fn drop(&mut self) {
                self.0.leave_all();
            }
        }

        let rest = Rest(self);
        rest.0.leave_all();
    }
}

/// Each of `keys` once, in ascending order.
pub(super) fn ascending<'q, Q: Ord + ?Sized>(keys: impl IntoIterator<Item = &'q Q>) -> Vec<&'q Q> {
    let mut keys: Vec<&Q> = keys.into_iter().collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}
