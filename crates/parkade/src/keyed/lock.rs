//! What a node asks of the lock in it, and the locks that can be.

use crate::{
    RawMutex,
    rwlock::{Core, Held, Mode, Sharing},
};
use parkade_core::{Moment, policy::Turns};

/// How a lock is let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fairness {
    /// Whoever comes first has it next.
    Barging,
    /// The first in line has it next.
    Fair,
}

/// A lock that may be in a node.
pub(crate) trait KeyLock {
    /// How it is held.
    type Mode: Copy;

    /// A lock that the caller holds.
    fn held(mode: Self::Mode) -> Self;

    /// The address by which the parking table knows it.
    fn address(&self) -> usize;

    /// How many threads hold it: a momentary answer.
    fn holders(&self) -> u32;

    /// Whether it is held so that nobody else can.
    fn sharing(mode: Self::Mode) -> Sharing;

    /// Waits; `held` knows the place that asks.
    fn acquire(&self, mode: Self::Mode, held: Held);

    fn try_acquire(&self, mode: Self::Mode) -> bool;

    /// Waits until the deadline; it is computed if it is needed.
    fn acquire_until(&self, mode: Self::Mode, deadline: impl FnOnce() -> Moment) -> bool;

    /// The caller holds it in `mode`. Others may free the lock only after this has returned.
    fn release(&self, mode: Self::Mode, fairness: Fairness);
}

/// The only mode of a mutex.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Alone;

impl KeyLock for RawMutex {
    type Mode = Alone;

    #[inline(always)]
    fn held(_: Alone) -> RawMutex {
        RawMutex::new_held()
    }

    fn address(&self) -> usize {
        self.key()
    }

    fn holders(&self) -> u32 {
        u32::from(self.is_locked())
    }

    #[inline(always)]
    fn sharing(_: Alone) -> Sharing {
        Sharing::Alone
    }

    fn acquire(&self, _: Alone, _: Held) {
        self.acquire_taking(Turns::WhereFrequent);
    }

    fn try_acquire(&self, _: Alone) -> bool {
        self.try_acquire()
    }

    fn acquire_until(&self, _: Alone, deadline: impl FnOnce() -> Moment) -> bool {
        self.acquire_taking_until(Turns::WhereFrequent, deadline)
    }

    fn release(&self, _: Alone, fairness: Fairness) {
        match fairness {
            Fairness::Barging => self.release(),
            Fairness::Fair => self.release_fair(),
        }
    }
}

/// Its readers are always counted in the word: a slot would name a lock that may be gone.
impl KeyLock for Core {
    type Mode = Mode;

    #[inline(always)]
    fn held(mode: Mode) -> Core {
        Core::new_held(mode)
    }

    fn address(&self) -> usize {
        self.key()
    }

    fn holders(&self) -> u32 {
        self.holders()
    }

    #[inline(always)]
    fn sharing(mode: Mode) -> Sharing {
        match mode {
            Mode::Shared | Mode::Recursive => Sharing::Shared,
            Mode::Upgradable | Mode::Exclusive => Sharing::Alone,
        }
    }

    fn acquire(&self, mode: Mode, held: Held) {
        match Self::sharing(mode) {
            Sharing::Shared => self.read_counted(mode, held),
            Sharing::Alone => self.write(),
        }
    }

    fn try_acquire(&self, mode: Mode) -> bool {
        match Self::sharing(mode) {
            Sharing::Shared => self.try_read_counted(mode),
            Sharing::Alone => self.try_write(),
        }
    }

    fn acquire_until(&self, mode: Mode, deadline: impl FnOnce() -> Moment) -> bool {
        match Self::sharing(mode) {
            Sharing::Shared => self.read_counted_until(mode, deadline),
            Sharing::Alone => self.write_until(deadline),
        }
    }

    fn release(&self, mode: Mode, fairness: Fairness) {
        match fairness {
            Fairness::Barging => self.release(mode),
            Fairness::Fair => self.release_fair(mode),
        }
    }
}
