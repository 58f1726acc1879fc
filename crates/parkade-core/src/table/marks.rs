//! Which queues are suspected to sleep behind a task that does not come: their marks, for the lookout
//! (`lookout/mod.rs` has the theory).
//!
//! | mark | says | at the lookout's next round |
//! |---|---|---|
//! | none | no suspicion | |
//! | new | a task was unparked and no thread, and waiters are left | old |
//! | old | that was a full period ago | due, for one task |
//! | due(n) | n tasks are to be nudged in this round | |
//! | asked(n) | n tasks were nudged, and none of those that were has been polled since | due, for 2n |
//!
//! A queue's mark is in its first node and moves with that role (`queue.rs`). All of it happens under the bucket lock.
//! Each unpark operation of that kind makes the mark new; a nudged task that is polled, and still queued, wipes it
//! ([`Locked::heard`]); a round in which nobody is left to be nudged wipes it too; and it vanishes with its queue.

use super::{Bucket, Locked, TABLE, Woken, index};
use crate::lookout::{self, Alarm};
use core::task::Waker;

/// The mark of one queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark(u8);

/// 2^6 tasks a round, 12,800 a second at one queue: a nudge of one that waits in vain costs a poll, and a look
/// through those nudged before it under the bucket lock. (guess)
const MOST: u8 = 6;

impl Mark {
    pub(super) const NONE: Mark = Mark(0);
    const NEW: Mark = Mark(1);
    const OLD: Mark = Mark(2);
    /// The first of [`MOST`] + 1 that stand for the powers of two.
    const ASKED: u8 = 3;
    /// Above one of those: due, and not asked yet.
    const DUE: u8 = 0x80;

    /// What becomes of it in a new round.
    fn tick(self) -> Mark {
        match self {
            Mark::NONE => Mark::NONE,
            Mark::NEW => Mark::OLD,
            Mark::OLD => Mark(Mark::DUE | Mark::ASKED),
            Mark(asked) => Mark(Mark::DUE | (asked + 1).min(Mark::ASKED + MOST)),
        }
    }

    fn is_due(self) -> bool {
        self.0 & Mark::DUE != 0
    }

    /// The mark of a queue some of whose tasks are being nudged.
    fn asked(self) -> Mark {
        Mark(self.0 & !Mark::DUE)
    }

    /// How many are nudged in the round in which it was due.
    fn nudges(self) -> usize {
        1 << (self.asked().0 - Mark::ASKED)
    }
}

/// Whether marks are left in a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Marks {
    None,
    Some,
}

/// The tasks of one queue that are to be nudged in this round.
pub(crate) struct Due {
    key: usize,
    mark: Mark,
    left: usize,
}

impl Locked {
    /// Marks the queue of `key` if the unpark operation that took `woken` relies on tasks alone, and others wait on.
    /// What is returned is rung once no bucket lock is held.
    pub(crate) fn mark(&self, key: usize, woken: &Woken) -> Alarm {
        if woken.tasks() == 0 || woken.threads() > 0 || !lookout::is_on() {
            return Alarm::No;
        }
        // SAFETY: the bucket lock is held.
        let Some(head) = (unsafe { self.bucket.queues.first(key) }) else {
            return Alarm::No;
        };
        // SAFETY: a queued node is alive while the bucket lock is held.
        unsafe { head.as_ref() }.mark.set(Mark::NEW);
        lookout::note(index(key))
    }

    /// A task was nudged and is polled, and looks at its word once the lock is released: whatever is wrong there it will see.
    pub(crate) fn heard(&self, key: usize) {
        // SAFETY: the bucket lock is held.
        if let Some(head) = unsafe { self.bucket.queues.first(key) } {
            // SAFETY: a queued node is alive while the bucket lock is held.
            unsafe { head.as_ref() }.mark.set(Mark::NONE);
        }
    }

    /// Begins a round in this bucket.
    pub(crate) fn begin_round(&self) -> Marks {
        let mut marks = Marks::None;
        // SAFETY: the bucket lock is held.
        unsafe {
            self.bucket.queues.heads(&mut |head| {
                head.mark.set(head.mark.get().tick());
                if head.mark.get() != Mark::NONE {
                    marks = Marks::Some;
                }
            })
        };
        if marks == Marks::None {
            lookout::forget(self.index());
        }
        marks
    }

    /// The next queue that is due in this round.
    pub(crate) fn next_due(&self) -> Option<Due> {
        let mut due = None;
        // SAFETY: the bucket lock is held.
        unsafe {
            self.bucket.queues.heads(&mut |head| {
                let mark = head.mark.get();
                if due.is_none() && mark.is_due() {
                    head.mark.set(mark.asked());
                    due = Some(Due { key: head.key(), mark: mark.asked(), left: mark.nudges() });
                }
            })
        };
        due
    }

    /// Takes the waker of the first task that still has one; the task stays where it is. `None` when that was all for this
    /// round, or there is no need any more.
    pub(crate) fn nudge(&self, due: &mut Due) -> Option<Waker> {
        // SAFETY: the bucket lock is held.
        let first = unsafe { self.bucket.queues.first(due.key) }?;
        // SAFETY: queued nodes are alive while the bucket lock is held.
        let head = unsafe { first.as_ref() };
        // Somebody was heard, or another unpark operation has marked it anew.
        if head.mark.get() != due.mark {
            return None;
        }
        due.left = due.left.checked_sub(1)?;
        let mut link = Some(first);
        while let Some(waiter) = link {
            // SAFETY: as above.
            let node = unsafe { waiter.as_ref() };
            if let Some(waker) = node.replace_waker(None) {
                return Some(waker);
            }
            link = node.next.get();
        }
        // All that can be asked have been.
        head.mark.set(Mark::NONE);
        None
    }

    fn index(&self) -> usize {
        let first: *const Bucket = &raw const TABLE[0];
        (core::ptr::from_ref(self.bucket).addr() - first.addr()) / size_of::<Bucket>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_due_after_a_full_period_and_then_for_twice_as_many() {
        assert_eq!(Mark::NONE.tick(), Mark::NONE);
        assert!(!Mark::NEW.tick().is_due());
        let mut mark = Mark::NEW.tick();
        for nudges in [1, 2, 4, 8, 16, 32, 64, 64, 64] {
            mark = mark.tick();
            assert!(mark.is_due());
            assert_eq!(mark.nudges(), nudges);
            mark = mark.asked();
            assert!(!mark.is_due());
        }
    }
}
