//! What can be done with a lock: the fast paths, and how they lead to the slow ones.

use super::{
    held::{Held, Sharing},
    raw::{Core, HeldUntilTold},
    state::{Attempt, Manners, Mode, Retreat, Standing},
};
use parkade_core::{Moment, slots::Slot};

/// How a reader is in: by a slot, or counted.
#[derive(Debug)]
pub(crate) struct Reading(Option<&'static Slot>);

impl Reading {
    pub(super) const COUNTED: Reading = Reading(None);

    pub(super) fn in_slot(slot: &'static Slot) -> Reading {
        Reading(Some(slot))
    }
}

impl Core {
    #[inline(always)]
    pub(super) fn try_read_at_once(&self) -> Option<Reading> {
        if let Some(slot) = self.try_read_in_slot() {
            return Some(Reading::in_slot(slot));
        }
        if !self.word.try_read_at_once() {
            return None;
        }
        self.consider_bias();
        Some(Reading::COUNTED)
    }

    /// Reads; `mode` is `Shared` or `Recursive`. `held` knows what the thread has of this lock.
    #[inline]
    pub(super) fn read(&self, mode: Mode, held: Held) -> Reading {
        self.try_read_at_once().unwrap_or_else(|| self.read_slow(mode, held))
    }

    #[cold]
    fn read_slow(&self, mode: Mode, held: Held) -> Reading {
        self.wait_to_read(mode, held);
        self.consider_bias();
        Reading::COUNTED
    }

    #[cold]
    fn wait_to_read(&self, mode: Mode, held: Held) {
        let check = || {
            if mode == Mode::Shared {
                // While a writer is in, nobody reads.
                let writing = self.word.load().exclusive();
                held.panic_if_held(self.key(), |sharing| !writing || sharing == Sharing::Alone);
            }
        };
        let acquired = self.acquire_slow(mode, None, check);
        debug_assert!(acquired, "a wait without a deadline timed out");
    }

    #[inline]
    pub(super) fn try_read(&self, mode: Mode) -> Option<Reading> {
        self.try_read_at_once().or_else(|| self.try_acquire_slow(mode).then_some(Reading::COUNTED))
    }

    #[inline]
    pub(super) fn read_until(
        &self,
        mode: Mode,
        deadline: impl FnOnce() -> Moment,
    ) -> Option<Reading> {
        self.try_read_at_once().or_else(|| {
            self.acquire_slow(mode, Some(deadline()), || {}).then_some(Reading::COUNTED)
        })
    }

    /// As `read`, but never by a slot, and no reason to bias the lock.
    #[inline]
    pub(crate) fn read_counted(&self, mode: Mode, held: Held) {
        if !self.word.try_read_at_once() {
            self.wait_to_read(mode, held);
        }
    }

    #[inline]
    pub(crate) fn try_read_counted(&self, mode: Mode) -> bool {
        self.word.try_read_at_once() || self.try_acquire_slow(mode)
    }

    #[inline]
    pub(crate) fn read_counted_until(&self, mode: Mode, deadline: impl FnOnce() -> Moment) -> bool {
        self.word.try_read_at_once() || self.acquire_slow(mode, Some(deadline()), || {})
    }

    #[inline]
    pub(super) fn unread(&self, Reading(slot): Reading) {
        match slot {
            Some(slot) => self.leave_slot(slot),
            None => self.release(Mode::Shared),
        }
    }

    #[inline]
    pub(super) fn unread_fair(&self, reading: Reading) {
        match reading {
            Reading(None) => self.release_fair(Mode::Shared),
            // Who waits for a slot is first when it is free.
            in_slot => self.unread(in_slot),
        }
    }

    #[inline]
    pub(crate) fn write(&self) {
        if !self.word.try_write_at_once() {
            let acquired = self.acquire_slow(Mode::Exclusive, None, || {});
            debug_assert!(acquired, "a wait without a deadline timed out");
        }
    }

    #[inline]
    pub(crate) fn try_write(&self) -> bool {
        self.word.try_write_at_once() || self.try_write_slow()
    }

    /// One try to write where there may be readers in slots, or leftovers of a fork.
    #[cold]
    fn try_write_slow(&self) -> bool {
        // With readers in, do not end the bias in vain.
        if self.word.load().readers() > 0 || self.slots_hold() {
            return false;
        }
        match self.attempt(Mode::Exclusive) {
            Attempt::Pending => self.enter_or_retreat(Retreat::Out),
            attempt => attempt == Attempt::Acquired,
        }
    }

    /// T1 for a newcomer that does not wait: it repeats only what failed because the word has changed.
    fn attempt(&self, mode: Mode) -> Attempt {
        loop {
            let (standing, claims) = (Standing::Newcomer, super::raw::claims());
            let attempt = self.word.try_acquire(mode, standing, claims, Manners::Insistent);
            match attempt {
                Attempt::Contended => {}
                Attempt::Full => panic!("{}", super::raw::TOO_MANY_READERS),
                attempt => return attempt,
            }
        }
    }

    #[cold]
    fn try_acquire_slow(&self, mode: Mode) -> bool {
        self.attempt(mode) == Attempt::Acquired
    }

    #[inline]
    pub(crate) fn write_until(&self, deadline: impl FnOnce() -> Moment) -> bool {
        self.word.try_write_at_once() || self.acquire_slow(Mode::Exclusive, Some(deadline()), || {})
    }

    pub(super) fn read_upgradably(&self) {
        let acquired =
            self.try_read_upgradably() || self.acquire_slow(Mode::Upgradable, None, || {});
        debug_assert!(acquired, "a wait without a deadline timed out");
    }

    pub(super) fn try_read_upgradably(&self) -> bool {
        self.try_acquire_slow(Mode::Upgradable)
    }

    pub(super) fn read_upgradably_until(&self, deadline: impl FnOnce() -> Moment) -> bool {
        self.try_read_upgradably() || self.acquire_slow(Mode::Upgradable, Some(deadline()), || {})
    }

    /// Releases what is held in `mode`, which is not by a slot.
    #[inline]
    pub(crate) fn release(&self, mode: Mode) {
        self.check_held(mode);
        self.leaving(mode);
        self.released(self.word.release(mode));
    }

    /// As `release`, and the first in line has the lock next.
    pub(crate) fn release_fair(&self, mode: Mode) {
        self.check_held(mode);
        let word = self.word.load();
        if word.has_line() && !word.pending() {
            // An interrupted period stays so: readers that take slots would be before the first in line.
            self.release_to_first(mode);
        } else {
            self.release(mode);
        }
    }

    /// Whether somebody waits whom a holder could let pass. Readers that wait for a writer that waits for
    /// us are behind that writer.
    pub(super) fn has_line(&self) -> bool {
        self.word.load().has_line()
    }

    pub(super) fn upgrade(&self, deadline: Option<Moment>) -> bool {
        self.check_held(Mode::Upgradable);
        self.word.begin_upgrade() == Attempt::Acquired
            || self.upgraded(|| self.drain_or_retreat(deadline, Retreat::Upgradable))
    }

    pub(super) fn try_upgrade(&self) -> bool {
        self.check_held(Mode::Upgradable);
        // With readers in, neither end the bias nor keep others out in vain.
        if self.word.load().readers() > 0 || self.slots_hold() {
            return false;
        }
        self.word.begin_upgrade() == Attempt::Acquired
            || self.upgraded(|| self.enter_or_retreat(Retreat::Upgradable))
    }

    /// `upgrade`, for a caller whose guard is gone if a waker panics of those that it wakes as it retreats.
    fn upgraded(&self, upgrade: impl FnOnce() -> bool) -> bool {
        let held = HeldUntilTold { lock: self, mode: Mode::Upgradable };
        let upgraded = upgrade();
        core::mem::forget(held);
        upgraded
    }

    /// A holder goes on as a weaker one, without a gap.
    pub(crate) fn downgrade(&self, from: Mode, to: Mode) -> Reading {
        self.check_held(from);
        self.leaving(from);
        let held = HeldUntilTold { lock: self, mode: to };
        self.released(self.word.downgrade(from, to));
        core::mem::forget(held);
        Reading::COUNTED
    }

    /// Before whoever holds the lock in `mode` does so no longer: a period of bias that it has
    /// interrupted goes on. From then on readers may be in, though the word does not say so yet.
    #[inline(always)]
    fn leaving(&self, mode: Mode) {
        // Not where a claim keeps newcomers out: they would get in by slots.
        if mode == Mode::Exclusive && !self.word.load().claimed() {
            self.resume_bias();
        }
    }

    #[inline]
    fn check_held(&self, mode: Mode) {
        debug_assert!(
            self.word.load().is_held_as(mode),
            "unlock of a lock that is not held so ({mode:?}): {:#x} is {self:?}",
            self.key()
        );
    }
}
