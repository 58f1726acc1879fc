//! Who holds what, and who waits for it.

use super::{lock::KeyLock, node::Node, shard::Payload, table::Table};
use core::time::Duration;
use parkade_core::Moment;

/// What `snapshot` found of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyInfo<K> {
    /// The key.
    pub key: K,
    /// How many threads and tasks hold it; more than one only where they read. 0 for a moment as it passes from one to
    /// another, and while futures that were not polled are all who want it.
    pub holders: usize,
    /// How many threads wait for it, polling or asleep, and tasks, whose futures count from when they are made. A thread
    /// that is just unlocking counts, too.
    pub waiters: usize,
    /// The thread that holds it alone, numbered as in [`parkade_core::Parked::thread`]: by its kernel thread id on Linux.
    /// `None` for a task, and for a thread that has made its guard sendable.
    pub holder: Option<u32>,
    /// For how long it has been held: by readers, since the first of them came. `None` if nobody holds it. To the
    /// kernel's tick (1 to 10 ms), up to 52 days.
    pub held_for: Option<Duration>,
    /// For how long the longest waiter that sleeps has waited.
    pub longest_wait: Option<Duration>,
}

impl<K: Clone> KeyInfo<K> {
    /// Runs under the shard's lock: those who wait for this key do not come to wait for another meanwhile. So it
    /// takes a lock of the parking table within the shard's, which nobody does the other way around.
    pub(super) fn of<V, L: KeyLock>(node: &Node<K, V, L>) -> KeyInfo<K> {
        let holders = node.holders();
        let waiters = node.refs().saturating_sub(holders);
        let sleeping =
            if waiters > 0 { parkade_core::snapshot_of(node.lock().address()) } else { Vec::new() };
        let first = sleeping.iter().map(|parked| parked.since).min();
        KeyInfo {
            key: node.key().clone(),
            holders: holders as usize,
            waiters: waiters as usize,
            holder: node.holder().filter(|_| holders > 0),
            held_for: (holders > 0).then(|| node.held_for()),
            longest_wait: first.map(|since| Moment::now().since(since)),
        }
    }
}

impl<K, V: Payload, L: KeyLock> Table<K, V, L> {
    /// What `look` finds of each key, under the lock of its shard.
    pub(crate) fn list<R>(&self, mut look: impl FnMut(&Node<K, V, L>) -> R) -> Vec<R> {
        let mut found = Vec::new();
        for shard in self.shards() {
            // Room is made without the lock; a shard that has grown meanwhile is asked again.
            let mut room = shard.lock().len();
            loop {
                found.reserve(room);
                let chains = shard.lock();
                room = chains.len();
                if room <= found.capacity() - found.len() {
                    found.extend(chains.nodes().map(&mut look));
                    break;
                }
            }
        }
        found
    }
}
