//! From key to key, taking each in turn.
//!
//! A walk takes *shares* in the keys of one chain, so that they stay, and then one key at a time, with no lock of
//! the table: so it holds no key while it waits for another. As long as somebody walks through a shard its
//! chains do not become fewer, and a key that is there all the time is met once ([`Cursor`]).

use super::{
    lock::KeyLock,
    node::{NodePtr, Stamp},
    shard::Payload,
    table::{Share, Table},
    unlinked::Cursor,
};
use crate::rwlock::Held;

/// A walk through a table.
pub(super) struct Walk<'t, K, V: Payload, L: KeyLock> {
    table: &'t Table<K, V, L>,
    /// The shard we are in, and how far, if we have begun.
    shard: usize,
    at: Option<Cursor>,
    /// Each with a share of ours.
    pinned: Vec<NodePtr<K, V, L>>,
}

impl<'t, K, V: Payload, L: KeyLock> Walk<'t, K, V, L> {
    pub(super) fn new(table: &'t Table<K, V, L>) -> Walk<'t, K, V, L> {
        Walk { table, shard: 0, at: None, pinned: Vec::new() }
    }

    /// The next key, with a share in it.
    pub(super) fn next(&mut self) -> Option<Share<'t, K, V, L>> {
        while self.pinned.is_empty() {
            self.pin_chain()?;
        }
        let node = self.pinned.pop()?;
        Some(Share { table: self.table, node })
    }

    /// One chain with keys further, or many without; `None` at the end.
    fn pin_chain(&mut self) -> Option<()> {
        let mut chains = self.table.shards().get(self.shard)?.lock();
        let at = self.at.unwrap_or_else(|| {
            chains.begin_walk();
            self.at = Some(Cursor::START);
            Cursor::START
        });
        match chains.pin_from(at, &mut self.pinned) {
            Ok(Some(next)) => self.at = Some(next),
            Ok(None) => {
                chains.end_walk();
                self.at = None;
                self.shard += 1;
            }
            Err(room) => {
                // Not under the lock.
                drop(chains);
                self.pinned.reserve(room);
            }
        }
        Some(())
    }
}

impl<K, V: Payload, L: KeyLock> Drop for Walk<'_, K, V, L> {
    fn drop(&mut self) {
        for node in self.pinned.drain(..) {
            drop(Share { table: self.table, node });
        }
        if self.at.is_some() {
            self.table.shards()[self.shard].lock().end_walk();
        }
    }
}

impl<K, V: Payload, L: KeyLock> Share<'_, K, V, L> {
    /// Waits for the key and takes it; and since when it had been as it was.
    pub(super) fn enter(self, mode: L::Mode, held: Held) -> (NodePtr<K, V, L>, Stamp) {
        self.wait(mode, held);
        self.enter_acquired(mode, held)
    }

    /// The same at once, or not at all.
    pub(super) fn try_enter(
        self,
        mode: L::Mode,
        held: Held,
    ) -> Result<(NodePtr<K, V, L>, Stamp), Self> {
        if self.node().lock().try_acquire(mode) {
            Ok(self.enter_acquired(mode, held))
        } else {
            Err(self)
        }
    }

    fn enter_acquired(self, mode: L::Mode, held: Held) -> (NodePtr<K, V, L>, Stamp) {
        let since = self.node().since();
        (Table::entered(self.entered(mode), mode, held), since)
    }
}
