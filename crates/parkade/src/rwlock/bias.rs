//! Reading without being counted: by a slot of the reader's thread.
//!
//! `period.rs` has the protocol (S1, S2), `parkade_core::slots` the slots, and
//! `parkade_core::policy` says when.

use super::{
    edges::{E1, E2, X1},
    period::{NUMBERS, Period},
    raw::{Core, needs_attention},
    state::Outcome,
};
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
use parkade_core::{
    Moment, fence, policy,
    slots::{self, Slot},
};

/// The number of the next period of bias, of whatever lock; never 0.
fn next_number() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    loop {
        // A power of two, so that the numbers go on in turn when the counter wraps around.
        let number = NEXT.fetch_add(1, Relaxed) % NUMBERS;
        if number != 0 {
            return number;
        }
    }
}

impl Core {
    /// Reads by a slot, if the lock is biased and nobody is about to end it.
    #[inline(always)]
    pub(super) fn try_read_in_slot(&self) -> Option<&'static Slot> {
        let period = self.bias.load();
        if period.is_free_and_active() {
            let slot = slots::mine()?;
            slot.take(period.token(self.key()));
            fence::compiler_only();
            return self.enter_or_leave(slot, period);
        }
        if period.is_active() { self.try_read_fenced(period) } else { None }
    }

    /// As `try_read_in_slot`, in a fenced period.
    #[inline(never)]
    fn try_read_fenced(&self, period: Period) -> Option<&'static Slot> {
        let slot = slots::mine()?;
        slot.take_and_fence(period.token(self.key()), E1);
        let slot = self.enter_or_leave(slot, period)?;
        if policy::counts_fenced_read(self.key()) && policy::may_set_free(self.key()) {
            self.bias.set_free(period);
        }
        Some(slot)
    }

    /// The second half of S1.
    #[inline(always)]
    fn enter_or_leave(&self, slot: &'static Slot, period: Period) -> Option<&'static Slot> {
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
        X1.fence();
        let word = self.word.load();
        if !needs_attention(word) || self.slots_hold() {
            return;
        }
        if word.drain_parked() {
            self.wake_drainer();
        } else if word.admits_readers() {
            // A task that wants to write waits in the queue.
            self.wake_one();
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
        if word.has_line() || word.pending() {
            return;
        }
        let (period, key, readers) = (self.bias.load(), self.key(), word.readers());
        if !word.biased() {
            if let Some(fencing) = policy::grant_bias(key, readers, policy::Period::Begins)
                && self.word.try_bias()
            {
                self.bias.begin(next_number(), fencing);
            }
        } else if period.is_some()
            && !period.is_active()
            // A writer that gave up has interrupted it, or one that left while somebody claimed. (Or somebody is
            // just beginning it.)
            && let Some(fencing) = policy::grant_bias(key, readers, policy::Period::Resumes)
        {
            self.bias.resume(period, fencing);
        }
    }

    /// G3, if the bias is on; the caller is `PENDING`.
    pub(super) fn interrupt_bias(&self) {
        if !self.bias.load().is_active() {
            return;
        }
        // What it is now counts, not what it was at a look before: readers may have set it free.
        if self.bias.interrupt().is_fenced() {
            E2.fence_after_rmw();
        } else {
            let began = Moment::now();
            fence::heavy();
            policy::bias_taken_back(self.key(), began);
        }
    }

    /// For whoever is `PENDING` and about to sleep: readers that entered a fenced period have fenced, readers
    /// that leave have not. That is made up for, once for the period, which is not fenced any more.
    pub(super) fn order_leavers(&self) {
        let period = self.bias.load();
        if period.is_fenced() && !period.is_active() {
            let began = Moment::now();
            fence::heavy();
            self.bias.set_free(period);
            policy::fenced_bias_taken_back(self.key(), began);
        }
    }

    /// What is to become of the interrupted period. The caller is `PENDING`, and no slot holds the lock.
    pub(super) fn outcome(&self) -> Outcome {
        if policy::fenced_bias_pays(self.key()) { Outcome::GoesOn } else { Outcome::Ends }
    }

    /// G2, for the writer that is about to leave.
    #[inline(always)]
    pub(super) fn resume_bias(&self) {
        let period = self.bias.load();
        if period.is_some() {
            self.bias.resume_after_write(period);
        }
    }
}
