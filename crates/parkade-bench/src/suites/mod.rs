//! Benchmarks published by others, with their own shape and metrics.

pub mod article;
pub mod keyed;
pub mod lock_bench;
pub mod parking_lot;

use crate::subject::LockKind;

/// A suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suite {
    /// The well-known comparison of std's and parking_lot's mutex.
    Article,
    /// matklad's lock-bench.
    LockBench,
    /// parking_lot's own benchmarks, of the mutex and of the reader-writer lock.
    ParkingLot,
    /// mapmutex's benchmark, and everything else about mutexes of many keys.
    Keyed,
    /// Everything about semaphores.
    Semaphore,
    /// Everything about locks that tasks wait for.
    Async,
}

impl Suite {
    /// All suites.
    pub const ALL: &[Suite] = &[
        Suite::Article,
        Suite::LockBench,
        Suite::ParkingLot,
        Suite::Keyed,
        Suite::Semaphore,
        Suite::Async,
    ];

    /// The name on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Suite::Article => "article",
            Suite::LockBench => "lock-bench",
            Suite::ParkingLot => "parking-lot",
            Suite::Keyed => "keyed",
            Suite::Semaphore => "semaphore",
            Suite::Async => "async",
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
            Suite::Keyed => {
                "mapmutex's benchmark beside one giant mutex, then --kind keyed and memory per key"
            }
            Suite::Semaphore => "the scenarios of --kind semaphore",
            Suite::Async => "the scenarios of --kind async, then what a waiting task costs",
        }
    }

    /// The kind of lock it is about; none if there is a choice.
    pub fn kind(self) -> Option<LockKind> {
        match self {
            Suite::Article | Suite::LockBench => Some(LockKind::Mutex),
            Suite::ParkingLot => None,
            Suite::Keyed => Some(LockKind::Keyed),
            Suite::Semaphore => Some(LockKind::Semaphore),
            Suite::Async => Some(LockKind::Async),
        }
    }

    /// The suite of that name.
    pub fn find(name: &str) -> Option<Suite> {
        Suite::ALL.iter().copied().find(|suite| suite.name() == name)
    }
}
