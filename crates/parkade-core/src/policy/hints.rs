//! What waiters know of each lock: how long it has paid to poll it lately, and how many do.

use core::{
    fmt,
    sync::atomic::{AtomicU8, Ordering::Relaxed},
};

const SLOTS: usize = 1024;

/// What one step of a hint is worth. With eight bits, hints end at 65 us: longer than it takes to
/// put a thread to sleep and to wake it on an idle processor.
const STEP_NS: u32 = 256;

/// Polling after which a waiter counts among a lock's pollers. Most waits are over sooner, and need
/// not pay for counting.
pub(super) const COUNTS_AFTER_NS: u32 = 300;

/// For each lock, by a hash of its address, how long beyond the least budget to poll it, and how many
/// waiters have been polling it for a while.
///
/// Hints are only hints: locks that share a slot share them, racing updates may get lost, and a
/// new lock at an old address inherits. They are read and written by threads that wait, never by
/// others, and written only when they change.
pub struct Hints {
    budgets: [AtomicU8; SLOTS],
    pollers: [AtomicU8; SLOTS],
}

impl Default for Hints {
    fn default() -> Hints {
        Hints::new()
    }
}

impl Hints {
    /// Nothing is known of any lock.
    #[must_use]
    pub const fn new() -> Hints {
        Hints {
            budgets: [const { AtomicU8::new(0) }; SLOTS],
            pollers: [const { AtomicU8::new(0) }; SLOTS],
        }
    }

    /// How long to poll the lock at `key`.
    pub(super) fn budget(&self, key: usize, least: u32, most: u32) -> u32 {
        let extra = u32::from(self.budgets[slot(key)].load(Relaxed)) * STEP_NS;
        (least + extra).min(most).max(least)
    }

    /// Polling for `polled_ns` got the lock: twice that would have been a safe budget.
    pub(super) fn paid(&self, key: usize, polled_ns: u32, least: u32) {
        let wanted = u8::try_from((2 * polled_ns).saturating_sub(least) / STEP_NS);
        let (slot, wanted) = (&self.budgets[slot(key)], wanted.unwrap_or(u8::MAX));
        if wanted > slot.load(Relaxed) {
            slot.store(wanted, Relaxed);
        }
    }

    /// Polling for a whole `budget` was in vain. If the hint was to blame it shrinks by a quarter.
    pub(super) fn failed(&self, key: usize, budget: u32, least: u32) {
        let slot = &self.budgets[slot(key)];
        let hint = slot.load(Relaxed);
        if hint > 0 && budget <= least + u32::from(hint) * STEP_NS {
            slot.store(hint - hint.div_ceil(4), Relaxed);
        }
    }

    /// A waiter wants to go on polling: `false` if `limit` others do already.
    #[must_use]
    pub(super) fn join_pollers(&self, key: usize, limit: u8) -> bool {
        let pollers = &self.pollers[slot(key)];
        // Two may pass at once; the limit is about dozens.
        if pollers.load(Relaxed) >= limit {
            return false;
        }
        pollers.fetch_add(1, Relaxed);
        true
    }

    /// A waiter that had joined the pollers polls no more.
    pub(super) fn leave_pollers(&self, key: usize) {
        self.pollers[slot(key)].fetch_sub(1, Relaxed);
    }

    /// In a forked child the pollers are gone.
    #[cfg(all(unix, not(loom)))]
    pub(super) fn reset_after_fork(&self) {
        for pollers in &self.pollers {
            pollers.store(0, Relaxed);
        }
    }
}

fn slot(key: usize) -> usize {
    place(key, SLOTS)
}

/// Where a lock is found in a table of so many entries, a power of two.
pub(super) fn place(key: usize, entries: usize) -> usize {
    /// Fibonacci hashing: 2^64 divided by the golden ratio (Knuth, volume 3, section 6.4).
    const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
    let hash = (key as u64).wrapping_mul(GOLDEN);
    (hash >> (u64::BITS - entries.ilog2())) as usize
}

impl fmt::Debug for Hints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hints").finish_non_exhaustive()
    }
}
