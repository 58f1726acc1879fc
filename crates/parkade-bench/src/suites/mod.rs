//! Benchmarks published by others, with their own shape and metrics.

pub mod article;
pub mod lock_bench;
pub mod parking_lot;

/// A suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suite {
    /// The well-known comparison of std's and parking_lot's mutex.
    Article,
    /// matklad's lock-bench.
    LockBench,
    /// parking_lot's own benchmarks, of the mutex and of the reader-writer lock.
    ParkingLot,
}

impl Suite {
    /// All suites.
    pub const ALL: &[Suite] = &[Suite::Article, Suite::LockBench, Suite::ParkingLot];

    /// The name on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Suite::Article => "article",
            Suite::LockBench => "lock-bench",
            Suite::ParkingLot => "parking-lot",
        }
    }

    /// What it repeats.
    pub fn about(self) -> &'static str {
        match self {
            Suite::Article => {
                "the four scenarios of the std-against-parking_lot article and what it found"
            }
            Suite::LockBench => {
                "lock-bench: 32 threads of 10,000 operations on 2, 64 and 1000 locks, in ms"
            }
            Suite::ParkingLot => {
                "parking_lot's own benchmarks: work inside and outside, kHz per thread"
            }
        }
    }

    /// The suite of that name.
    pub fn find(name: &str) -> Option<Suite> {
        Suite::ALL.iter().copied().find(|suite| suite.name() == name)
    }
}
