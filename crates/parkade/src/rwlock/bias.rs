//! Reading without being counted: by a slot of the reader's thread.
//!
//! `state.rs` has the protocol (S1, S2), `parkade_core::slots` the slots, and
//! `parkade_core::policy` says when.

use super::{edges::D1, raw::Core};
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
use parkade_core::{
    Moment, fence, policy,
    slots::{self, Slot},
};

/// The number of the next period of bias, of whatever lock; 0 and those beyond 31 bits are left out.
fn next_number() -> u32 {
    const NUMBERS: u32 = (1 << 31) - 1;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    NEXT.fetch_add(1, Relaxed) % NUMBERS + 1
}

impl Core {
    /// Reads by a slot, if the lock is biased and nobody is about to end it.
    #[inline(always)]
    pub(super) fn try_read_in_slot(&self) -> Option<&'static Slot> {
        let period = self.bias.load();
        if !period.is_active() {
            return None;
        }
        let slot = slots::mine()?;
        slot.take(period.token(self.key()));
        fence::compiler_only();
        if self.bias.is_still(period) {
            return Some(slot);
        }
        self.leave_slot(slot);
        None
    }

    /// Frees the slot by which the caller reads, or has tried to.
    #[inline(always)]
    pub(super) fn leave_slot(&self, slot: &Slot) {
        slot.free_again();
        fence::compiler_only();
        if !self.bias.load().is_active() {
            self.left_slot();
        }
    }

    /// The bias was interrupted before the caller left its slot: somebody may wait for that (S2).
    #[cold]
    fn left_slot(&self) {
        D1.fence();
        if self.word.load().drain_parked() && !self.slots_hold() {
            self.wake_drainer();
        }
    }

    /// For a counted reader: counts its read, and biases the lock if it is time.
    #[inline(always)]
    pub(super) fn consider_bias(&self) {
        if policy::counts_read() {
            self.consider_bias_now();
        }
    }

    #[cold]
    fn consider_bias_now(&self) {
        let word = self.word.load();
        // Not in the way of those who wait.
        if word.has_line() || !policy::may_bias(self.key()) {
            return;
        }
        if self.word.try_bias() {
            self.bias.begin(next_number());
        } else {
            // A writer that gave up has interrupted it. (Or somebody is just beginning it.)
            let period = self.bias.load();
            if period.is_some() && !self.word.load().pending() {
                self.bias.resume(period);
            }
        }
    }

    /// G3, if the bias is on; the caller is `PENDING`.
    pub(super) fn interrupt_bias(&self) {
        if self.bias.load().is_active() {
            let began = Moment::now();
            self.bias.interrupt();
            fence::heavy();
            policy::bias_taken_back(self.key(), began);
        }
    }
}
