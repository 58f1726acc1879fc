//! The second word of a [`RwLock`](super::RwLock), the bias: whether readers may be in without being counted, by
//! slots of their threads, and since when. The first word is in `state.rs`.
//!
//! # Layout
//!
//! 32 bits: 0, or a number that no other period of bias of any lock has (in 2^30 of them),
//! times four, plus `ACTIVE` 1: readers may take slots, plus `FENCED` 2: they execute a full fence when they
//! do, so that a writer need not execute a heavy one. A period without is *free*: its readers pay nothing. One that
//! began free is ended by its first writer; one that began fenced outlives writers.
//!
//! # Legal words
//!
//! A bias that is not 0 implies `BIASED` in the first word, but while T2 is about to be followed by G4.
//!
//! # Bit laws
//!
//! * The number: set by a counted reader, after `BIASED` (G1); cleared by the writer that has cleared that (G4).
//! * `ACTIVE`: set by a counted reader, after `BIASED`, or by a writer that is about to leave (G2); cleared by
//!   whoever is `PENDING`. So a `PENDING` that has cleared it and then sees no counted reader knows that it
//!   stays cleared.
//! * `FENCED`: set with the number, or by the writer that lets the period go on; cleared by G5.
//!
//! # Transitions
//!
//! `transitions.rs` lists them: G1 to G5.
//!
//! # Ordering
//!
//! * *Slots* (S1): a reader takes its slot, executes a light fence and looks at `bias` again; `PENDING`
//!   clears `ACTIVE`, executes a heavy fence and scans. Either the reader sees that and leaves, or
//!   the scan sees the slot. Leaving is the same: free the slot, light fence, look at `bias`. In a fenced
//!   period both execute full fences (edges E1, E2) when a reader enters. When it leaves, its fence is
//!   a light one: `PENDING` looks at the slots until it has to sleep, and executes a heavy one then (G5).
//! * *A writer that sleeps because of slots* (S2): with the bias off, it sets `DRAIN_PARKED`, executes a full fence (edge X2)
//!   and scans once more; a reader that left and found the bias off executes a full fence (edge X1) and looks
//!   for `DRAIN_PARKED`, then whether other slots hold the lock. So of several that leave at the
//!   same time the last in the order of their fences sees them all gone, and wakes.
//! * *Data through slots*: freeing a slot releases to the scan (the table's edges L1 to L4). Who takes a
//!   slot acquires from whoever began the period, has written in it last, or was the first to read after that (edges A1 to A4).
//!
//! # Rejected
//!
//! * Moving readers from their slots into the count (folly's SharedMutex, BRAVO in several forks): a plain
//!   store that frees a slot can erase the mark that it was moved, so either freeing takes a
//!   read-modify-write or two parties have to settle each slot. A writer that waits for slots where
//!   they are needs neither, and one that times out has nothing to undo.
//! * The lock's address in the slots: a guard that was forgotten would lock whatever comes to be there.
#![forbid(unsafe_code)]

use super::edges::{A1, A2, A3, A4};
use core::fmt;
use parkade_core::{
    policy::Fencing,
    shim::{AtomicU32, Ordering::Relaxed},
    slots::Token,
};

const ACTIVE: u32 = 1;
const FENCED: u32 = 2;
/// What a period's number is multiplied by.
const NUMBER: u32 = 4;

/// The second word.
pub(super) struct Bias(AtomicU32);

/// A snapshot of the second word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Period(u32);

impl Period {
    /// Readers may take slots.
    #[inline(always)]
    pub(super) fn is_active(self) -> bool {
        self.0 & ACTIVE != 0
    }

    /// Readers may take slots, without a fence of their own.
    #[inline(always)]
    pub(super) fn is_free_and_active(self) -> bool {
        self.0 & (ACTIVE | FENCED) == ACTIVE
    }

    /// Readers fence.
    pub(super) fn is_fenced(self) -> bool {
        self.0 & FENCED != 0
    }

    /// Readers may be in slots.
    pub(super) fn is_some(self) -> bool {
        self.0 != 0
    }

    /// What a reader of the lock at that address writes into its slot, as long as this period lasts.
    #[inline(always)]
    pub(super) fn token(self, address: usize) -> Token {
        // The words are aligned to four bytes. Two locks have the same token only if the numbers of
        // their periods are 2^30 apart and their addresses a multiple of 16 GiB.
        let (number, place) = ((self.0 & !FENCED) | ACTIVE, (address >> 2) as u32);
        ((number as usize) << (usize::BITS / 2)) | place as usize
    }
}

/// What a period that begins so, or goes on so, has besides `ACTIVE`.
const fn bit(fencing: Fencing) -> u32 {
    match fencing {
        Fencing::Free => 0,
        Fencing::Fenced => FENCED,
    }
}

/// Numbers of periods are below this.
pub(super) const NUMBERS: u32 = 1 << (u32::BITS - NUMBER.ilog2());

impl Bias {
    parkade_core::const_unless_loom! {
        pub(super) fn new() -> Bias {
            Bias(AtomicU32::new(0))
        }
    }

    #[inline(always)]
    pub(super) fn load(&self) -> Period {
        Period(self.0.load(Relaxed))
    }

    /// For a reader that has taken a slot because of `period` (S1): whether it is in.
    #[inline(always)]
    #[must_use]
    pub(super) fn is_still(&self, period: Period) -> bool {
        self.0.load(A2.get()) == period.0
    }

    /// G1, second half: the period `number`, which is not 0, begins.
    pub(super) fn begin(&self, number: u32, fencing: Fencing) {
        self.0.store(number * NUMBER + (bit(fencing) | ACTIVE), A1.get());
    }

    /// G2: a period that was interrupted goes on, if it has not ended meanwhile. The caller is a
    /// counted reader. A writer may have written since and left it as it was, because somebody had a claim: the
    /// caller has seen that in the word, and passes it on.
    pub(super) fn resume(&self, period: Period, fencing: Fencing) {
        let resumed = period.0 | bit(fencing) | ACTIVE;
        let _ = self.0.compare_exchange(period.0, resumed, A4.get(), Relaxed);
    }

    /// G2, by the writer, who is alone with what it has interrupted: the period goes on with fences, though it
    /// may have been set free.
    #[cold]
    pub(super) fn resume_after_write(&self, period: Period) {
        self.0.store(period.0 | FENCED | ACTIVE, A3.get());
    }

    /// G3, before its fence; returns what was interrupted.
    pub(super) fn interrupt(&self) -> Period {
        Period(self.0.fetch_and(!ACTIVE, Relaxed))
    }

    /// G5: a fenced period becomes a free one, unless it has changed since. The caller reads in it, or is
    /// `PENDING`, has interrupted it and executed a heavy fence.
    pub(super) fn set_free(&self, period: Period) {
        let _ = self.0.compare_exchange(period.0, period.0 & !FENCED, Relaxed, Relaxed);
    }

    /// G4.
    pub(super) fn end(&self) {
        self.0.store(0, Relaxed);
    }
}

impl fmt::Debug for Bias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0.load(Relaxed))
    }
}
