//! The word of a [`Barrier`](super::Barrier).
//!
//! # Layout
//!
//! Four bytes: `ABORTED` 1, and above it the number of parties, threads or tasks, that have arrived and wait, in 31 bits. Beside it,
//! four bytes: in which process that number was written, by how many forks lie behind it.
//!
//! # Legal words
//!
//! Every number below that of the parties; with `ABORTED` only 0. The number is that of the queue: "arrived"
//! and "queued" are the same thing.
//!
//! # Bit laws
//!
//! * The number: written only under the bucket lock, in the same hold in which a party joins or leaves the queue.
//!   Exact. In a forked child it is that of parties which are not queued there, and its process is another than the child: it
//!   counts as 0, and is written anew by the first who arrives.
//! * `ABORTED`: written under the bucket lock by whoever aborts, in the same hold in which it takes everybody
//!   off the queue. Final (but for `&mut`), also in a forked child.
//!
//! # Transitions
//!
//! | id | from -> to | method | ordering | caller holds | model |
//! |---|---|---|---|---|---|
//! | G1 | any -> ABORTED and 0 | `abort` | Release | bucket lock | `barrier_abort` |
//! | G2 | any, unchanged | `is_aborted` | Acquire | - | `barrier_abort` |
//! | G3 | n -> n + 1, which is less than the parties | `try_arrive` | - | bucket lock | `barrier_again` |
//! | G4 | parties - 1 -> 0 | `try_complete` | - | bucket lock | `barrier_again` |
//! | G5 | n -> n - 1 | `withdraw` | - | bucket lock | `barrier_timeout`, `barrier_task_dropped` |
//! | G6 | a number of another process -> 0 | `arrived`, as part of G3 and G4 | - | bucket lock | (fork: no model) |
//!
//! # Ordering
//!
//! What parties have done before they arrived passes under the bucket lock to the last one, and with its notice to all
//! others, so G3, G4 and G5 need no ordering. Only who asks whether it is aborted does so without the lock.
//!
//! # Rejected
//!
//! * A generation in the word, to arrive without the bucket lock and to poll for its change: a thread that looks
//!   after as many generations as there are numbers for them waits on in one that is long over. Here a waiter
//!   never looks at the word again: it is told, by who takes it off the queue, how its generation has ended.
//! * To count down from the number of parties: an aborted barrier, a fresh one and one after a fork would
//!   each begin with another word.
#![forbid(unsafe_code)]

use super::edges::{G1, G2};
use core::fmt;
use parkade_core::shim::{AtomicU32, Ordering::Relaxed};

pub(super) const ABORTED: u32 = 1;
pub(super) const ONE: u32 = 2;

/// The largest number of parties.
pub(crate) const MOST: u32 = u32::MAX / ONE;

/// How the last one arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(super) enum Arrival {
    /// All are here.
    Completes,
    /// Others are missing still; nothing has changed.
    Early,
    /// They will never be; nothing has changed.
    Aborted,
}

/// Number of forks between the process that was executed and the one that calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Process(pub(super) u32);

impl Process {
    pub(super) fn current() -> Process {
        Process(parkade_core::fork_generation())
    }
}

pub(super) struct Word {
    /// Access: written under the bucket lock, read by anybody.
    bits: AtomicU32,
    /// Access: as `bits`.
    process: AtomicU32,
}

impl Word {
    parkade_core::const_unless_loom! {
        pub(super) fn new() -> Word {
            Word { bits: AtomicU32::new(0), process: AtomicU32::new(0) }
        }
    }

    #[cfg(all(test, not(loom)))]
    pub(super) fn of(bits: u32, process: Process) -> Word {
        Word { bits: AtomicU32::new(bits), process: AtomicU32::new(process.0) }
    }

    #[cfg(all(test, not(loom)))]
    pub(super) fn bits(&self) -> (u32, Process) {
        (self.bits.load(Relaxed), Process(self.process.load(Relaxed)))
    }

    /// G2.
    #[inline]
    pub(super) fn is_aborted(&self) -> bool {
        self.bits.load(G2.get()) & ABORTED != 0
    }

    /// How many have arrived (G6). Exact under the bucket lock; without it, a guess.
    pub(super) fn arrived(&self, process: Process) -> u32 {
        let arrived = self.bits.load(Relaxed) / ONE;
        if self.process.load(Relaxed) == process.0 { arrived } else { 0 }
    }

    /// A guess, without the bucket lock: whether there is nothing to wait for.
    pub(super) fn seems_due(&self, parties: u32, process: Process) -> bool {
        self.bits.load(Relaxed) & ABORTED != 0 || self.arrived(process) + 1 >= parties
    }

    /// What arriving would come to.
    fn arrival(&self, parties: u32, process: Process) -> Arrival {
        if self.bits.load(Relaxed) & ABORTED != 0 {
            return Arrival::Aborted;
        }
        if self.arrived(process) + 1 >= parties { Arrival::Completes } else { Arrival::Early }
    }

    /// G3; fails if there is nothing to wait for. The caller joins the queue under the same hold.
    #[must_use]
    pub(super) fn try_arrive(&self, parties: u32, process: Process) -> bool {
        let early = self.arrival(parties, process) == Arrival::Early;
        if early {
            self.write(self.arrived(process) + 1, process);
        }
        early
    }

    /// G4; all who are queued leave the queue under the same hold if it completes.
    pub(super) fn try_complete(&self, parties: u32, process: Process) -> Arrival {
        let arrival = self.arrival(parties, process);
        if arrival == Arrival::Completes {
            self.write(0, process);
        }
        arrival
    }

    /// G5: a waiter, which is of this process, leaves the queue under the same hold.
    pub(super) fn withdraw(&self) {
        let bits = self.bits.load(Relaxed);
        debug_assert!(bits >= ONE && bits & ABORTED == 0, "waits without having arrived");
        self.bits.store(bits - ONE, Relaxed);
    }

    /// G1: all who are queued leave the queue under the same hold.
    pub(super) fn abort(&self) {
        self.bits.store(ABORTED, G1.get());
    }

    fn write(&self, arrived: u32, process: Process) {
        self.bits.store(arrived * ONE, Relaxed);
        self.process.store(process.0, Relaxed);
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arrived = self.arrived(Process::current());
        let aborted = if self.bits.load(Relaxed) & ABORTED != 0 { " {ABORTED}" } else { "" };
        write!(f, "{arrived} arrived{aborted}")
    }
}
