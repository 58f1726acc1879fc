//! Tasks that wait for a reader-writer lock: what such a lock is to `task/`.
//!
//! # Theory
//!
//! Readers and upgradable readers that are tasks wait as threads do. Who wants to write does not: a thread becomes `PENDING` and keeps
//! readers out until those who are in have left; a task that did, and was not polled, would keep them out for ever. So a task is
//! `PENDING` only within a poll, and only if no reader is counted: to interrupt the bias, and to look at the slots. If readers are in,
//! counted or in slots, it stands in the queue.
//!
//! *Readers do not starve it*: as it queues, with readers in, it claims the lock, so that newcomers queue behind it, until whoever
//! takes it off the queue takes the claim away. That is the last reader to leave: before that it is not woken. Nothing
//! is claimed for a task that has been woken. (A task that queued while a writer was in, and is first in line when there are
//! readers, is woken once, in vain, to queue with a claim.)
//!
//! *Readers in slots* do not look at the word when they leave, unless the bias is interrupted. (1) A task that finds the
//! lock biased has become `PENDING`, has interrupted the bias, with the heavy fence that goes with it, and has looked at the slots; if
//! the period is a fenced one it has made it free (G5). It then is `PENDING` no more. (2) Under the bucket lock it sets `PARKED`.
//! If that step (W7) sees readers counted, or anybody else who keeps it out, it may sleep: whoever it is looks at the word on leaving. Else the bias
//! is as the last of them left it: if it is on again, or off and still fenced, back to (1). (3) A full fence (X2), and it looks at the slots: if one holds the
//! lock it may sleep. Its reader frees it, finds the bias off (1), executes a full fence (X1), and finds `PARKED`: the protocol of
//! `DRAIN_PARKED`. Nobody switches the bias on meanwhile but a writer that leaves, which then looks at the word:
//! counted readers do not where anybody is queued, or they were seen in (2).
//!
//! *Upgrading*: the upgradable reader waits for the others in the same way, at the front of the queue, with a token of its own. It
//! keeps nobody out who wants to read, so it may wait for as long as readers overlap.
//!
//! # Who wakes the next, by exit
//!
//! As in `task/mod.rs`; and
//!
//! * a reader that was woken, and is in: at once its followers, as a thread that leads. It is counted, not in a slot, so its
//!   release sees who else is queued (a writer may have left the bias on);
//! * a writer that leaves the queue, with its claim: readers that have come since are let in;
//! * panics for too many readers: it passes its wake on. Because a waker did, of one that it lets in: it is in no more.

#[cfg(not(loom))]
pub(crate) mod face;

#[cfg(all(test, loom))]
mod model;
#[cfg(all(test, loom))]
mod mutants;

use super::{
    edges::X2,
    ops::Reading,
    raw::{Core, TOO_MANY_READERS, UPGRADES, claims, park_token},
    state::{
        Attempt, Manners, Mode, Retreat, Snapshot, Standing as WordStanding, TaskClaims, Waking,
    },
};
use crate::task::{Queue, Standing, TASK};
use parkade_core::{Departure, ParkRequest, ParkToken, Place, UnparkToken};

/// What a task wants of a reader-writer lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    Read,
    /// Not by a slot, for who does not remember how it reads.
    #[cfg(feature = "keyed")]
    ReadCounted,
    ReadUpgradably,
    Write,
    /// It is the upgradable reader.
    Upgrade,
}

impl Want {
    fn mode(self) -> Mode {
        match self {
            Want::Read => Mode::Shared,
            #[cfg(feature = "keyed")]
            Want::ReadCounted => Mode::Shared,
            Want::ReadUpgradably => Mode::Upgradable,
            Want::Write | Want::Upgrade => Mode::Exclusive,
        }
    }

    /// What it is again if it is `PENDING` and gives up.
    fn retreat(self) -> Retreat {
        if self == Want::Upgrade { Retreat::Upgradable } else { Retreat::Out }
    }
}

impl Queue for Core {
    type Want = Want;
    type Got = Reading;

    #[inline(always)]
    fn try_at_once(&self, want: Want) -> Option<Reading> {
        match want {
            Want::Read => self.try_read_at_once(),
            #[cfg(feature = "keyed")]
            Want::ReadCounted => self.word.try_read_at_once().then_some(Reading::COUNTED),
            Want::Write => self.word.try_write_at_once().then_some(Reading::COUNTED),
            Want::ReadUpgradably | Want::Upgrade => None,
        }
    }

    fn try_take(&self, want: Want, standing: Standing) -> Option<Reading> {
        let reading = self.try_as_task(want, standing)?;
        if standing != Standing::Newcomer && want.mode() != Mode::Exclusive {
            let told = Told { lock: self, mode: want.mode(), reading: Some(reading) };
            self.lead();
            return told.reading();
        }
        Some(reading)
    }

    fn request(&self, want: Want) -> ParkRequest {
        let (ParkToken(shown), place) = match want {
            Want::Upgrade => (UPGRADES, Place::Front),
            _ => (park_token(want.mode()), Place::Back),
        };
        ParkRequest::new(self.key()).token(ParkToken(shown | TASK)).place(place)
    }

    fn prepare(&self, want: Want, _: Standing) -> bool {
        let task_claims = match want {
            Want::Write => TaskClaims::IfReaders,
            Want::Upgrade => TaskClaims::Never,
            _ => {
                let standing = WordStanding::Newcomer;
                return self.word.try_prepare_park(want.mode(), standing, claims()).is_some();
            }
        };
        let before = self.word.prepare_task(task_claims);
        let keeps_out = before.readers() > 0
            || (want == Want::Write && before.keeps_out(Mode::Exclusive, claims()))
            || (before.biased() && self.task_may_sleep_for_slots());
        if !keeps_out && !before.parked() {
            self.word.publish(crate::parked::Parked::None, Waking::Keep);
        }
        keeps_out
    }

    fn left(&self, want: Want, departure: Departure) {
        let waking = if want == Want::Write { Waking::Tasks } else { Waking::Keep };
        self.word.publish(departure.have_more_threads.into(), waking);
    }

    fn after_leaving(&self, _: Want) {
        self.see_to_queue(self.word.load());
    }

    fn pass_on(&self, _: Want, _: UnparkToken) {
        self.see_to_queue(self.word.load());
    }
}

/// A reader that has not been told yet: if a waker panics that it wakes, it is in no more.
struct Told<'a> {
    lock: &'a Core,
    mode: Mode,
    reading: Option<Reading>,
}

impl Told<'_> {
    fn reading(mut self) -> Option<Reading> {
        self.reading.take()
    }
}

impl Drop for Told<'_> {
    fn drop(&mut self) {
        match (self.reading.take(), self.mode) {
            (Some(reading), Mode::Shared) => self.lock.unread(reading),
            (Some(_), mode) => self.lock.release(mode),
            (None, _) => {}
        }
    }
}

impl Core {
    /// Wakes the first in line, if the lock is such that it may enter.
    fn see_to_queue(&self, word: Snapshot) {
        if word.parked() && word.admits_readers() {
            self.wake_one();
        }
    }

    /// One try, which leaves nothing behind if it is in vain.
    fn try_as_task(&self, want: Want, standing: Standing) -> Option<Reading> {
        let entered = match want {
            Want::Read => {
                // Who was woken is counted: who leaves a slot may look at nothing, and others are queued behind it.
                if standing != Standing::Woken
                    && let Some(slot) = self.try_read_in_slot()
                {
                    return Some(Reading::in_slot(slot));
                }
                self.try_word_as_task(Mode::Shared) == Attempt::Acquired
            }
            #[cfg(feature = "keyed")]
            Want::ReadCounted => self.try_word_as_task(Mode::Shared) == Attempt::Acquired,
            Want::ReadUpgradably => self.try_word_as_task(Mode::Upgradable) == Attempt::Acquired,
            Want::Write => {
                let attempt = self.try_word_as_task(Mode::Exclusive);
                self.enter_as_task(attempt, want)
            }
            // Neither end the bias nor keep others out in vain.
            Want::Upgrade => {
                self.word.load().readers() == 0
                    && self.enter_as_task(self.word.begin_upgrade(), want)
            }
        };
        entered.then_some(Reading::COUNTED)
    }

    fn try_word_as_task(&self, mode: Mode) -> Attempt {
        loop {
            let manners = Manners::Polite { looks: 1 };
            match self.word.try_acquire(mode, WordStanding::Newcomer, claims(), manners) {
                Attempt::Contended => {}
                Attempt::Full => panic!("{TOO_MANY_READERS}"),
                attempt => return attempt,
            }
        }
    }

    /// Step (1), if the task has become `PENDING`.
    fn enter_as_task(&self, attempt: Attempt, want: Want) -> bool {
        match attempt {
            Attempt::Acquired => true,
            Attempt::Pending if self.try_enter() => true,
            Attempt::Pending => {
                self.order_leavers();
                self.retreat(want.retreat());
                false
            }
            _ => false,
        }
    }

    /// Step (3), and what comes before it; the caller holds the bucket lock and has set `PARKED`.
    fn task_may_sleep_for_slots(&self) -> bool {
        let period = self.bias.load();
        // Who has interrupted a fenced one may have given up since, and left readers to leave with light fences.
        if period.is_active() || period.is_fenced() {
            return false;
        }
        X2.fence();
        self.slots_hold()
    }
}
