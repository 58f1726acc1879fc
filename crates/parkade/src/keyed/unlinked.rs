//! Nodes that have left a shard, and how one goes through its chains.

use super::{
    node::{Link, NodePtr},
    shard::{Block, Removed},
};

/// Nodes that have left the table, linked to each other, with their contents: to be dropped after the lock.
#[must_use]
pub(super) struct Unlinked<K, V, L> {
    first: Link<K, V, L>,
    len: usize,
}

// SAFETY: it owns keys and values.
unsafe impl<K: Send, V: Send, L: Send> Send for Unlinked<K, V, L> {}
// SAFETY: through a shared reference there is nothing but the number.
unsafe impl<K, V, L> Sync for Unlinked<K, V, L> {}

impl<K, V, L> Unlinked<K, V, L> {
    pub(super) fn new() -> Unlinked<K, V, L> {
        Unlinked { first: None, len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// # Safety
    /// 1. The node is linked nowhere else, nobody has a share in it, and it is the list's from now on.
    pub(super) unsafe fn push(&mut self, node: NodePtr<K, V, L>) {
        // SAFETY: 1 of `get`: it is ours.
        unsafe { node.get() }.next.set(self.first);
        self.first = Some(node);
        self.len += 1;
    }

    pub(super) fn pop(&mut self) -> Option<Removed<K, V, L>> {
        let node = self.first?;
        // SAFETY: it is the list's, and leaves it.
        let content = unsafe { node.as_ptr().read() };
        self.first = content.next.get();
        self.len -= 1;
        Some(Removed { content, _block: Some(Block::of(node)) })
    }
}

impl<K, V, L> Drop for Unlinked<K, V, L> {
    /// If dropping a key or a value panics, the others are dropped nevertheless.
    fn drop(&mut self) {
        struct Rest<'u, K, V, L>(&'u mut Unlinked<K, V, L>);

        impl<K, V, L> Drop for Rest<'_, K, V, L> {
            fn drop(&mut self) {
                while self.0.pop().is_some() {}
            }
        }

        let rest = Rest(self);
        while rest.0.pop().is_some() {}
    }
}

/// How far a walk through the chains has come, in an order in which the chains that one is divided into when there
/// come to be more are neighbours: so each is met once, as long as there come to be no fewer. (Counting up with the
/// bits reversed.)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor(usize);

impl Cursor {
    pub(super) const START: Cursor = Cursor(0);

    pub(super) fn head(self, heads: usize) -> usize {
        self.0 & (heads - 1)
    }

    /// Of `heads` chains, the one after this; `None` after the last.
    pub(super) fn next(self, heads: usize) -> Option<Cursor> {
        let ones = self.0 | !(heads - 1);
        let next = ones.reverse_bits().wrapping_add(1).reverse_bits();
        (next != 0).then_some(Cursor(next))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Cursor;

    fn walk(from: Cursor, heads: usize) -> Vec<usize> {
        let walk = core::iter::successors(Some(from), |cursor| cursor.next(heads));
        walk.map(|cursor| cursor.head(heads)).collect()
    }

    #[test]
    fn a_cursor_meets_each_chain_once() {
        for heads in [1, 2, 8, 64] {
            let mut met = walk(Cursor::START, heads);
            met.sort_unstable();
            assert!(met.into_iter().eq(0..heads));
        }
    }

    /// A key with the tag `tag` is in the chain `tag & (heads - 1)`. When chains are divided anywhere on the way each
    /// tag has been met, or will be, and not twice.
    #[test]
    fn a_cursor_meets_each_tag_once_if_chains_are_divided_on_the_way() {
        for (few, many) in [(8, 16), (8, 64), (2, 8)] {
            for steps in 0..few {
                let mut cursor = Some(Cursor::START);
                let mut met = vec![0; many];
                let mut meet = |head: usize, heads: usize| {
                    (head..many).step_by(heads).for_each(|tag| met[tag] += 1);
                };
                for _ in 0..steps {
                    let at = cursor.unwrap();
                    meet(at.head(few), few);
                    cursor = at.next(few);
                }
                for head in cursor.into_iter().flat_map(|at| walk(at, many)) {
                    meet(head, many);
                }
                assert_eq!(met, vec![1; many], "{few} become {many} after {steps}");
            }
        }
    }
}
