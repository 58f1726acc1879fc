//! When readers of a lock stop counting themselves in its word and use slots of their own.
//!
//! Bias makes reads cheaper by a line transfer and two locked instructions each, and the next write
//! dearer by a heavy fence and a scan. It is granted to locks that a thread meets again and again
//! without a writer in sight, and denied for a while after each time a writer had to take it back: nine
//! times what that cost, which bounds the loss to a tenth (BRAVO, USENIX ATC 2019), and twice as long
//! as last time where the bias has hardly lasted.

use crate::{deadline::Moment, fence};
use core::{
    cell::Cell,
    fmt,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// Every how many reads of a lock's word a thread asks for bias. The clock it reads costs about 30 ns.
const READS_PER_QUESTION: u32 = 64;

/// A writer that has taken bias back is left alone for so many times what it cost.
const DENIED_FOR_COST: u64 = 9;

/// Bias that has lasted for less than so many times its cost was a mistake. guess: then it can have
/// saved no more than it cost.
const WORTHWHILE: u64 = 100;

/// The longest denial: a lock that has turned read-mostly is biased within milliseconds.
/// guess: even at the dearest measured fence, 12 us, mistakes cost less than 0.2 %.
const LONGEST_DENIAL_NS: u64 = 8_000_000;

/// Grants per second, process-wide: each may cost one heavy fence. The same bound as for locks that
/// return to asymmetric mode, for the same reason (example `fence_cost`).
const GRANTS_PER_SECOND: u64 = 1000;

const ENTRIES: usize = 256;

/// What is remembered of locks that have been biased, by a hash of their address. Only hints: locks
/// may share an entry.
struct Record {
    granted_ns: AtomicU64,
    denied_until_ns: AtomicU64,
    denied_for_ns: AtomicU64,
}

/// When locks are biased.
pub struct Bias {
    records: [Record; ENTRIES],
    /// Access: the time of the next permitted grant; advanced by whoever takes one.
    next_grant_ns: AtomicU64,
}

impl Default for Bias {
    fn default() -> Bias {
        Bias::new()
    }
}

impl Bias {
    /// Nothing is known of any lock.
    #[must_use]
    pub const fn new() -> Bias {
        Bias {
            records: [const {
                Record {
                    granted_ns: AtomicU64::new(0),
                    denied_until_ns: AtomicU64::new(0),
                    denied_for_ns: AtomicU64::new(0),
                }
            }; ENTRIES],
            next_grant_ns: AtomicU64::new(0),
        }
    }

    fn record(&self, key: usize) -> &Record {
        &self.records[super::hints::place(key, ENTRIES)]
    }

    /// Whether the lock at `key` may be biased at `now`.
    #[must_use]
    pub fn is_granted(&self, key: usize, now: Moment) -> bool {
        let (now, record) = (now.as_nanos(), self.record(key));
        if now < record.denied_until_ns.load(Relaxed) {
            return false;
        }
        let interval = Duration::from_secs(1).as_nanos() as u64 / GRANTS_PER_SECOND;
        let next = self.next_grant_ns.load(Relaxed);
        let granted = now >= next
            && self.next_grant_ns.compare_exchange(next, now + interval, Relaxed, Relaxed).is_ok();
        if granted {
            record.granted_ns.store(now, Relaxed);
        }
        granted
    }

    /// A writer has taken the bias of the lock at `key` back, from `began` to `ended`.
    pub fn taken_back(&self, key: usize, began: Moment, ended: Moment) {
        let record = self.record(key);
        let cost = ended.since(began).as_nanos() as u64;
        let lasted = began.as_nanos().saturating_sub(record.granted_ns.load(Relaxed));
        let bounded = DENIED_FOR_COST * cost;
        let denial = if lasted < WORTHWHILE * cost {
            (2 * record.denied_for_ns.load(Relaxed)).clamp(bounded, LONGEST_DENIAL_NS.max(bounded))
        } else {
            bounded
        };
        record.denied_for_ns.store(denial, Relaxed);
        record.denied_until_ns.store(ended.as_nanos() + denial, Relaxed);
    }
}

impl fmt::Debug for Bias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bias").finish_non_exhaustive()
    }
}

static BIAS: Bias = Bias::new();

thread_local! {
    static READS: Cell<u32> = const { Cell::new(0) };
    /// The lock that the last question was about.
    static ASKED: Cell<usize> = const { Cell::new(0) };
}

/// Counts a read of a lock's word; whether it is time to ask [`may_bias`].
#[inline]
#[must_use]
pub fn counts_read() -> bool {
    let reads = READS.get().wrapping_add(1);
    READS.set(reads);
    reads.is_multiple_of(READS_PER_QUESTION)
}

/// Whether the lock at `key`, which the calling thread has just read, is to be biased now. A lock that
/// is one of many is not: two questions in a row must be about the same.
#[must_use]
pub fn may_bias(key: usize) -> bool {
    let again = ASKED.replace(key) == key;
    // On 32 bits a slot has no room for a lock's token.
    cfg!(target_pointer_width = "64")
        && again
        && fence::strategy() == fence::Strategy::Asymmetric
        && BIAS.is_granted(key, Moment::now())
}

/// As [`Bias::taken_back`], in this process.
pub fn bias_taken_back(key: usize, began: Moment) {
    BIAS.taken_back(key, began, Moment::now());
}
