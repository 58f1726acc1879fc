//! The lookout: a thread that wakes tasks which sleep behind a task that does not come.
//!
//! # Theory
//!
//! A release wakes the first in line. If that is a task it may never be polled, and those behind it sleep, relying on it
//! ("futurelock", RFD 609 of Oxide). The releaser cannot know: the executor has been told, and may come at once or
//! never. If nobody comes by afterwards, only somebody who comes by himself can help. (docs/decisions/0013)
//!
//! So tasks are *nudged*: the waker is taken out of a queued task's node and woken, nothing else. The task keeps its place;
//! polled, it finds itself still queued, leaves a new waker, and looks at its word: its builder's duty
//! ([`TaskWaiter`](crate::TaskWaiter)). A nudge is a spurious wake, which every future has to expect.
//!
//! 1. An unpark operation that takes tasks and no thread, and leaves waiters, *marks* the queue, under the bucket lock
//!    (`table/marks.rs`), and notes the bucket (`Duty`). If it is the first to do so it rings the bell, after the lock.
//! 2. The lookout sleeps until the bell rings, and then makes a round each [`PERIOD`] for as long as there are marks.
//! 3. A queue whose mark is a full period old has one task nudged, the first. If no nudged one has been polled by the next
//!    round, two more are, then four: whoever is alive behind k dead ones is reached after log2(k) rounds, up to 64
//!    in a round.
//! 4. A nudged task that is polled and still queued wipes the mark: it looks at the word afterwards. If there is something
//!    to be had, it takes it, and releases it; or it wakes the first in line, which makes a new mark. If not, whoever has
//!    it releases it. Those behind rely on that, and no longer on who did not come.
//!
//! One waker is taken at a time, and woken before the next is taken: a task whose waker is on its way relies on the
//! lookout, and must not have to wait for a waker of another that blocks.
//!
//! A lock in healthy use that is released to a task more than once in a period is marked anew before it is due; so is
//! nudged nobody. One that a task holds for long has one task nudged after each release.
//!
//! Threads are not nudged. Locks wake the first thread behind a task that they wake.

#[cfg(all(test, loom))]
mod model;
#[cfg(all(test, loom))]
mod mutants;
#[cfg(not(loom))]
mod thread;

#[cfg(all(unix, not(loom)))]
pub(crate) use thread::reset_after_fork;
#[cfg(not(loom))]
pub use thread::state;
#[cfg(not(loom))]
pub(crate) use thread::{forget, is_on, note, task_queued, turned_on};

use crate::{
    edges::{S1, S2},
    parker,
    shim::{AtomicU32, AtomicUsize, Ordering},
    table::{self, BUCKETS, Marks},
};
use core::{task::Waker, time::Duration};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// guess: long beside a poll that is on its way, short for who waits in vain; 200 wakeups a second at most.
pub const PERIOD: Duration = Duration::from_millis(5);

/// Whether the lookout has to be woken, by who has marked a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "the lookout may be asleep"]
pub(crate) enum Alarm {
    No,
    Ring,
}

impl Alarm {
    pub(crate) fn or(self, other: Alarm) -> Alarm {
        if self == Alarm::Ring { self } else { other }
    }

    /// Wakes the lookout. Never under a bucket lock.
    #[cfg(not(loom))]
    pub(crate) fn ring(self) {
        if self == Alarm::Ring {
            thread::ring();
        }
    }

    /// In a model rounds are made by whoever likes.
    #[cfg(loom)]
    pub(crate) fn ring(self) {}
}

/// What the lookout is doing; for tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// There is no such thread.
    NotStarted,
    /// No queue is marked.
    Asleep,
    /// Making its rounds.
    Awake,
}

/// Nudges who is due, in all buckets that have marks. The lookout calls it, and models and tests do.
pub fn round() {
    #[cfg(not(loom))]
    thread::for_each_noted(round_in);
    #[cfg(loom)]
    (0..BUCKETS).for_each(round_in);
}

fn round_in(index: usize) {
    if table::lock_index(index).begin_round() == Marks::None {
        return;
    }
    loop {
        let Some(mut due) = table::lock_index(index).next_due() else { return };
        loop {
            // The bucket lock is released before the waker is woken.
            let waker = table::lock_index(index).nudge(&mut due);
            let Some(waker) = waker else { break };
            wake(waker);
        }
    }
}

/// Wakes a waker, whose panic concerns nobody here: the panic hook has reported it, the task has been told or never will be.
fn wake(waker: Waker) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
        // To drop it is user code, which may panic too.
        core::mem::forget(payload);
    }
}

const WORD: usize = usize::BITS as usize;

/// The lookout is at work, or will look at the marks before it sleeps.
const AWAKE: u32 = 0;
const ASLEEP: u32 = 1;

/// What there is to look after, and where the lookout sleeps.
pub(crate) struct Duty {
    /// A bit for each bucket: whether a queue in it may be marked. Access: written under the bucket's lock.
    noted: [AtomicUsize; BUCKETS.div_ceil(WORD)],
    /// Access: ASLEEP written by the lookout, AWAKE by whoever wakes it.
    bell: AtomicU32,
}

impl Duty {
    #[cfg(not(loom))]
    const fn new() -> Duty {
        Duty {
            noted: [const { AtomicUsize::new(0) }; BUCKETS.div_ceil(WORD)],
            bell: AtomicU32::new(AWAKE),
        }
    }

    #[cfg(all(test, loom))]
    fn new() -> Duty {
        Duty { noted: core::array::from_fn(|_| AtomicUsize::new(0)), bell: AtomicU32::new(AWAKE) }
    }

    /// Notes that a bucket has marks; under its lock.
    fn note(&self, index: usize) -> Alarm {
        let (word, bit) = (&self.noted[index / WORD], 1 << (index % WORD));
        // If it is noted, whoever has noted it rings, or has: only a round under this lock forgets it.
        if word.load(Ordering::Relaxed) & bit != 0 {
            return Alarm::No;
        }
        word.fetch_or(bit, Ordering::Relaxed);
        Alarm::Ring
    }

    /// A bucket has no marks any more; under its lock.
    fn forget(&self, index: usize) {
        self.noted[index / WORD].fetch_and(!(1 << (index % WORD)), Ordering::Relaxed);
    }

    /// Whether a bucket is noted.
    fn is_any_noted(&self) -> bool {
        self.noted.iter().any(|word| word.load(Ordering::Relaxed) != 0)
    }

    /// Calls `visit` for each bucket that is noted.
    #[cfg(not(loom))]
    fn for_each_noted(&self, mut visit: impl FnMut(usize)) {
        for (i, word) in self.noted.iter().enumerate() {
            let mut bits = word.load(Ordering::Relaxed);
            while bits != 0 {
                visit(i * WORD + bits.trailing_zeros() as usize);
                bits &= bits - 1;
            }
        }
    }

    /// T1: (1) a bucket is noted; (2) is the lookout asleep? Its partner is [`sleep`](Duty::sleep): T2: (1) it is
    /// asleep; (2) is a bucket noted? One of them sees the other.
    fn ring(&self) {
        S1.fence();
        if self.bell.load(Ordering::Relaxed) == ASLEEP
            && self.bell.swap(AWAKE, Ordering::Relaxed) == ASLEEP
        {
            parker::wake_one(&raw const self.bell);
        }
    }

    /// Sleeps for as long as there is no duty.
    fn sleep(&self, has_duty: impl Fn(&Duty) -> bool) {
        while !has_duty(self) {
            self.bell.store(ASLEEP, Ordering::Relaxed);
            S2.fence();
            if has_duty(self) {
                break;
            }
            parker::wait(&self.bell, ASLEEP, None);
        }
        self.bell.store(AWAKE, Ordering::Relaxed);
    }
}

#[cfg(loom)]
pub(crate) fn is_on() -> bool {
    true
}

#[cfg(loom)]
pub(crate) fn note(_index: usize) -> Alarm {
    Alarm::No
}

#[cfg(loom)]
pub(crate) fn forget(_index: usize) {}

#[cfg(loom)]
pub(crate) fn task_queued() {}
