//! Who is parked, on what, in which order, since when.

use crate::{
    ParkToken,
    deadline::Moment,
    table::{self, node::Node},
};

/// One waiter, as [`snapshot`] found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Parked {
    /// What it waits for.
    pub key: usize,
    /// Its place in that key's queue; 0 is next.
    pub position: usize,
    /// The waiting thread: its kernel thread id on Linux, elsewhere a number unique among living
    /// threads. `None` for a task, which has no thread while it waits.
    pub thread: Option<u32>,
    /// When its wait began: kept when a woken waiter parks again.
    pub since: Moment,
    /// The token it parked with.
    pub token: ParkToken,
}

/// Lists every parked waiter of the process: key by key, each key's in queue order.
///
/// Each key's queue is seen at one instant; different keys may be seen at different instants.
/// Allocates, but not under a bucket lock.
#[must_use]
pub fn snapshot() -> Vec<Parked> {
    let mut all = Vec::new();
    for bucket in 0..table::BUCKETS {
        copy(&mut all, || table::lock_index(bucket), |_| true);
    }
    all
}

/// Lists the waiters on one key, in queue order, at one instant.
#[must_use]
pub fn snapshot_of(key: usize) -> Vec<Parked> {
    let mut found = Vec::new();
    copy(&mut found, || table::lock(key), |node| node.key() == key);
    found
}

/// Appends the waiters of one bucket that `keep` picks to `found`.
fn copy(found: &mut Vec<Parked>, lock: impl Fn() -> table::Locked, keep: impl Fn(&Node) -> bool) {
    let start = found.len();
    loop {
        // Room is made between two looks, so that nothing is allocated under the lock; a queue
        // that grew in the meantime is looked at again.
        let bucket = lock();
        let mut left_out = 0;
        bucket.walk(&mut |node| {
            if !keep(node) {
                return;
            }
            if found.len() == found.capacity() {
                left_out += 1;
                return;
            }
            let before = found.last().filter(|last| found.len() > start && last.key == node.key());
            let position = before.map_or(0, |last| last.position + 1);
            found.push(Parked {
                key: node.key(),
                position,
                thread: node.thread(),
                since: node.since(),
                token: node.token(),
            });
        });
        drop(bucket);
        if left_out == 0 {
            return;
        }
        found.truncate(start);
        let room = 2 * (found.capacity() - start + left_out);
        found.reserve(room);
    }
}
