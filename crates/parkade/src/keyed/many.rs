//! Several keys at a time.

use super::{
    lock::{Fairness, KeyLock},
    node::NodePtr,
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
        let mut keys: Vec<&Q> = keys.into_iter().collect();
        keys.sort_unstable();
        keys.dedup();
        let mut many = Many { table, nodes: Vec::with_capacity(keys.len()), mode };
        for key in keys {
            many.nodes.push(enter(key)?);
        }
        Some(many)
    }

    pub(super) fn keys(&self) -> impl ExactSizeIterator<Item = &K> {
        // SAFETY: 1: we have shares in all of them.
        self.nodes.iter().map(|node| unsafe { node.get() }.key())
    }
}

impl<K, L: KeyLock> Drop for Many<'_, K, L> {
    fn drop(&mut self) {
        while let Some(node) = self.nodes.pop() {
            // SAFETY: 1: we hold it.
            unsafe { self.table.leave(node, self.mode, Fairness::Barging) };
        }
    }
}
