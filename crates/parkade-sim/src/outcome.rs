//! What a run gave.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Waits up to this many nanoseconds have a bucket of their own.
const LONGEST_NS: u64 = 1_000_000_000_000;

/// The figures of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Simulated seconds.
    pub secs: f64,
    /// Operations of each thread that counts.
    pub per_thread: Vec<u64>,
    /// Operations of the hog.
    pub hog_ops: Option<u64>,
    /// Time on cores of the threads that lock, in seconds.
    pub cpu_secs: f64,
    /// Context switches of these.
    pub context_switches: u64,
    /// Threads woken from a futex.
    pub wakes: u64,
    /// Waits, from the call to the lock.
    pub waits: Waits,
}

/// Waits in nanoseconds, of the threads that count.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Waits {
    /// Median.
    pub p50_ns: u64,
    /// 99 of 100 were shorter.
    pub p99_ns: u64,
    /// 999 of 1000 were shorter.
    pub p999_ns: u64,
    /// The longest of all threads, those still waiting at the end included.
    pub max_ns: u64,
}

impl Waits {
    pub(crate) fn of(histogram: &Histogram<u64>, longest_ns: u64) -> Waits {
        let at = |quantile| histogram.value_at_quantile(quantile);
        Waits { p50_ns: at(0.5), p99_ns: at(0.99), p999_ns: at(0.999), max_ns: longest_ns }
    }
}

pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_NS, 3).expect("constant bounds that are valid")
}

impl Outcome {
    /// Operations of all threads that count.
    #[must_use]
    pub fn ops(&self) -> u64 {
        self.per_thread.iter().sum()
    }

    /// Operations per second.
    #[must_use]
    pub fn ops_per_sec(&self) -> f64 {
        self.ops() as f64 / self.secs
    }

    /// Thousands of operations per second and thread.
    #[must_use]
    pub fn khz_per_thread(&self) -> f64 {
        self.ops_per_sec() / 1e3 / self.per_thread.len().max(1) as f64
    }

    /// Time on cores for an operation, in nanoseconds.
    #[must_use]
    pub fn cpu_ns_per_op(&self) -> f64 {
        self.cpu_secs * 1e9 / self.ops().max(1) as f64
    }

    /// Context switches for an operation.
    #[must_use]
    pub fn switches_per_op(&self) -> f64 {
        self.context_switches as f64 / self.ops().max(1) as f64
    }

    /// The slowest thread's operations as a part of the fastest's.
    #[must_use]
    pub fn min_over_max(&self) -> f64 {
        let least = self.per_thread.iter().min().copied().unwrap_or(0);
        let most = self.per_thread.iter().max().copied().unwrap_or(0);
        least as f64 / most.max(1) as f64
    }
}
