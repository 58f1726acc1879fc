//! Values that nobody has used for a while.
//!
//! Evicted is what nobody has a *share* in. Shares are counted under the shard's lock, and so is it decided and the
//! key taken out: who has looked a key up and means to take it has a share by then, and the key stays; who comes
//! later finds no key, and makes one. Values are dropped after the shard's lock, by whoever evicts.

use super::{
    lock::KeyLock,
    node::{Node, Stamp},
    shard::Payload,
    table::{Table, Tag},
    unlinked::{Cursor, Unlinked},
};
use core::time::Duration;

/// For how long a value has not been used when it is evicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Age {
    /// In units of [`Stamp`].
    Units(u32),
    /// Longer than is counted.
    Never,
}

impl Age {
    pub(crate) fn of(age: Duration) -> Age {
        Stamp::units_of(age).map_or(Age::Never, Age::Units)
    }

    /// Whether a node that nobody has a share in has been left alone for so long.
    fn reached<K, V, L: KeyLock>(self, now: Stamp) -> impl Fn(&Node<K, V, L>) -> bool {
        move |node| match self {
            Age::Units(limit) => node.since().units_before(now) >= limit,
            Age::Never => false,
        }
    }
}

impl<K, V: Payload, L: KeyLock> Table<K, V, L> {
    /// Evicts what is so old, some chains at a time; `take` gets it, with no lock held.
    pub(super) fn evict(&self, age: Age, mut take: impl FnMut(Unlinked<K, V, L>)) {
        if age == Age::Never {
            return;
        }
        for shard in self.shards() {
            let mut at = Some(Cursor::START);
            while let Some(cursor) = at {
                let now = Stamp::now();
                let mut unlinked = Unlinked::new();
                at = shard.lock().evict_from(cursor, age.reached(now), &mut unlinked);
                take(unlinked);
            }
        }
    }

    /// Evicts what is so old from a few chains of the key's shard.
    #[cold]
    pub(super) fn sweep(&self, Tag(tag): Tag, age: Age) {
        let now = Stamp::now();
        let mut unlinked = Unlinked::new();
        self.shard(tag).lock().sweep(age.reached(now), &mut unlinked);
        drop(unlinked);
    }

    /// Everything that is there. For who has the table for himself.
    pub(super) fn take_all(&mut self) -> Unlinked<K, V, L> {
        let mut unlinked = Unlinked::new();
        for shard in self.shards_mut() {
            shard.take_all(&mut unlinked);
        }
        unlinked
    }
}
