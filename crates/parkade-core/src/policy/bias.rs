//! When readers of a lock stop counting themselves in its word and use slots of their own.
//!
//! *Free* bias makes reads cheaper by a line transfer and two locked instructions each, and the next write
//! dearer by a heavy fence and a scan. It is granted to locks that a thread meets again and again
//! without a writer in sight, and denied for a while after each time a writer had to take it back: nine
//! times what that cost, which bounds the loss to a tenth (BRAVO, USENIX ATC 2019), and twice as long
//! as last time where the bias has hardly lasted.
//!
//! Where that is denied and readers meet each other, there is *fenced* bias: a read costs a locked instruction,
//! but on a line of its thread's own, and a write no heavy fence unless it has to sleep. It goes on from write to
//! write as long as there are many more reads.

use super::{Fencing, Period};
use crate::{deadline::Moment, fence};
use core::{
    cell::Cell,
    fmt,
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
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

/// A fenced period goes on while there are so many reads for each write.
/// guess: a write costs four locked instructions and two line transfers more, a read one of each less.
const READS_PER_WRITE: u32 = 32;

/// Every how many writes that is looked at. guess.
const WRITES_PER_VERDICT: u32 = 16;

const ENTRIES: usize = 256;

/// What is remembered of locks that have been biased, by a hash of their address. Only hints: locks
/// may share an entry.
struct Record {
    granted_ns: AtomicU64,
    denied_until_ns: AtomicU64,
    denied_for_ns: AtomicU64,
    fenced_denied_until_ns: AtomicU64,
    /// The present period began with fences, though it may have been set free since.
    fenced: AtomicBool,
    /// Since the last verdict on it: reads, and writes.
    fenced_reads: AtomicU32,
    fenced_writes: AtomicU32,
}

impl Record {
    fn deny_fenced(&self, now: Moment) {
        self.fenced.store(false, Relaxed);
        self.fenced_denied_until_ns.store(now.as_nanos() + LONGEST_DENIAL_NS, Relaxed);
    }
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
                    fenced_denied_until_ns: AtomicU64::new(0),
                    fenced: AtomicBool::new(false),
                    fenced_reads: AtomicU32::new(0),
                    fenced_writes: AtomicU32::new(0),
                }
            }; ENTRIES],
            next_grant_ns: AtomicU64::new(0),
        }
    }

    fn record(&self, key: usize) -> &Record {
        &self.records[super::hints::place(key, ENTRIES)]
    }

    /// Whether a period of bias of the lock at `key` may begin at `now`.
    #[must_use]
    pub fn is_granted(&self, key: usize, now: Moment) -> bool {
        let granted = self.may_set_free(key, now);
        if granted {
            self.record(key).fenced.store(false, Relaxed);
        }
        granted
    }

    /// Whether the period that has begun, fenced perhaps, may do without fences from `now` on.
    #[must_use]
    pub fn may_set_free(&self, key: usize, now: Moment) -> bool {
        let record = self.record(key);
        self.takes_grant(now, record, &record.denied_until_ns)
    }

    fn takes_grant(&self, now: Moment, record: &Record, denied_until_ns: &AtomicU64) -> bool {
        let now = now.as_nanos();
        if now < denied_until_ns.load(Relaxed) {
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

    /// Whether the lock at `key`, whose readers meet and that may not be biased freely, may be biased with
    /// fences at `now`.
    #[must_use]
    pub fn is_granted_fenced(&self, key: usize, now: Moment) -> bool {
        let record = self.record(key);
        let granted = self.takes_grant(now, record, &record.fenced_denied_until_ns);
        if granted {
            record.fenced.store(true, Relaxed);
        }
        granted
    }

    /// There were so many reads in a fenced period.
    pub fn fenced_reads(&self, key: usize, reads: u32) {
        self.record(key).fenced_reads.fetch_add(reads, Relaxed);
    }

    /// A writer has interrupted a period; whether it is to go on, fenced. The clock is read if it is not.
    #[must_use]
    pub fn fenced_pays(&self, key: usize, now: impl FnOnce() -> Moment) -> bool {
        let record = self.record(key);
        if !record.fenced.load(Relaxed) {
            return false;
        }
        let writes = record.fenced_writes.load(Relaxed) + 1;
        if writes < WRITES_PER_VERDICT {
            record.fenced_writes.store(writes, Relaxed);
            return true;
        }
        record.fenced_writes.store(0, Relaxed);
        let pays = record.fenced_reads.swap(0, Relaxed) >= WRITES_PER_VERDICT * READS_PER_WRITE;
        if !pays {
            record.deny_fenced(now());
        }
        pays
    }

    /// A writer had to sleep in a fenced period, and executed a heavy fence from `began` to `ended`. Where
    /// sections are so long, what a reader saves does not count.
    pub fn fenced_taken_back(&self, key: usize, began: Moment, ended: Moment) {
        self.taken_back(key, began, ended);
        self.record(key).deny_fenced(ended);
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
    static FENCED_READS: Cell<u32> = const { Cell::new(0) };
    /// The lock that the last question was about.
    static ASKED: Cell<usize> = const { Cell::new(0) };
}

/// Counts a read of a lock's word; whether it is time to ask [`grant_bias`].
#[inline]
#[must_use]
pub fn counts_read() -> bool {
    let reads = READS.get().wrapping_add(1);
    READS.set(reads);
    reads.is_multiple_of(READS_PER_QUESTION)
}

/// Whether the lock at `key`, which the calling thread has just read, is to be biased now, and how. A lock that
/// is one of many is not: two questions in a row must be about the same. With fences where free bias is denied and
/// readers meet: there are so many counted ones just now.
#[must_use]
pub fn grant_bias(key: usize, readers: u32, period: Period) -> Option<Fencing> {
    if !can_bias(key) {
        return None;
    }
    let now = Moment::now();
    let is_free = match period {
        Period::Begins => BIAS.is_granted(key, now),
        Period::Resumes => BIAS.may_set_free(key, now),
    };
    if is_free {
        return Some(Fencing::Free);
    }
    (readers > 1 && BIAS.is_granted_fenced(key, now)).then_some(Fencing::Fenced)
}

/// Whether the fenced period of the lock at `key` may do without fences from now on.
#[must_use]
pub fn may_set_free(key: usize) -> bool {
    can_bias(key) && BIAS.may_set_free(key, Moment::now())
}

fn can_bias(key: usize) -> bool {
    let again = ASKED.replace(key) == key;
    // On 32 bits a slot has no room for a lock's token.
    cfg!(target_pointer_width = "64") && again && fence::strategy() == fence::Strategy::Asymmetric
}

/// As [`Bias::taken_back`], in this process.
pub fn bias_taken_back(key: usize, began: Moment) {
    BIAS.taken_back(key, began, Moment::now());
}

/// Counts a read in a fenced period of the lock at `key`; whether it is time to ask [`may_set_free`].
#[inline]
#[must_use]
pub fn counts_fenced_read(key: usize) -> bool {
    let reads = FENCED_READS.get().wrapping_add(1);
    FENCED_READS.set(reads);
    let asks = reads.is_multiple_of(READS_PER_QUESTION);
    if asks {
        BIAS.fenced_reads(key, READS_PER_QUESTION);
    }
    asks
}

/// As [`Bias::fenced_taken_back`], in this process.
pub fn fenced_bias_taken_back(key: usize, began: Moment) {
    BIAS.fenced_taken_back(key, began, Moment::now());
}

/// As [`Bias::fenced_pays`], in this process.
#[must_use]
pub fn fenced_bias_pays(key: usize) -> bool {
    BIAS.fenced_pays(key, Moment::now)
}
