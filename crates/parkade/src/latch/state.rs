//! The word of a [`Latch`](super::Latch) and of a [`WaitGroup`](crate::WaitGroup).
//!
//! # Layout
//!
//! Four bytes: `PARKED` 1 (threads or tasks are queued), and above it the count in 31 bits.
//!
//! # Legal words
//!
//! Every count without `PARKED`; with it every count but 0. So "open" is one comparison of the whole word.
//!
//! # Bit laws
//!
//! * The count: lowered by whoever counts down; raised only while it is not 0, by those who join a group. 0 is
//!   final. Exact.
//! * `PARKED`: written only under the bucket lock, from the queue itself. It may be set while the queue is
//!   empty in a forked child; never the other way round.
//!
//! # Transitions
//!
//! | id | from -> to | method | ordering | caller holds | model |
//! |---|---|---|---|---|---|
//! | D1 | count n -> n - by, PARKED as it was; to 0 only without PARKED | `count_down` | Release | - | `latch_three` |
//! | D2 | any, unchanged | `count`, `is_open` | Acquire | - | `latch_three` |
//! | D3 | count n -> n - by, to 0 without PARKED | `count_down` | Release | bucket lock | `latch_parked` |
//! | D4 | count above 0 -> +PARKED | `try_prepare_park` | - | bucket lock | `latch_parked` |
//! | D5 | PARKED as the queue is | `publish` | - | bucket lock | `latch_timeout`, `latch_task_dropped` |
//! | D6 | count above 0 -> + 1, PARKED as it was | `join` | - | - | `group_rejoins` |
//!
//! # Ordering
//!
//! What each has done before it counted down passes from D1 and D3 to D2. All changes are read-modify-writes, so
//! a look at the last of them acquires what all before it have released. Count and `PARKED` are one word, so
//! D1 refuses to open when a waiter came first, and D4 fails when D1 has opened: no wake is lost
//! without any further ordering.
//!
//! # Rejected
//!
//! * To open with one subtraction and wake whom it has found (`PARKED` outside of the bucket lock): between the two the
//!   latch may be freed, and its address be that of another lock, whose waiters would be woken for
//!   nothing.
//! * `fetch_sub`, to count below zero and repair it: others would see the count in between, or an open latch close.
#![forbid(unsafe_code)]

use super::edges::{D1, D2, D3};
use crate::parked::Parked;
use core::fmt;
use parkade_core::shim::{AtomicU32, Ordering::Relaxed};

pub(super) const PARKED: u32 = 1;
pub(super) const ONE: u32 = 2;

/// The largest count that fits.
pub(crate) const MOST: u32 = u32::MAX / ONE;

/// How many may join a group by [`Word::join`]; as many again may join it anew, so that those who wait with
/// a deadline find a place when they come back.
pub(crate) const MOST_MEMBERS: u32 = MOST / 2;

/// There is less left than was to be counted down; nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooFew {
    pub(crate) left: u32,
}

/// What the caller holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    Nothing,
    /// The bucket lock.
    Bucket,
}

/// What counting down has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(super) enum Counted {
    /// It is done, and others have still to count down, or nobody waits.
    Down,
    /// It is done, and whoever is queued may go.
    Open,
    /// It would open the latch, and threads are queued: nothing has changed, for that is done under the bucket lock.
    WouldOpen,
}

/// What joining has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Joined {
    /// The count is one more.
    Yes,
    /// It was 0, and stays so.
    Open,
    /// It is at its limit, and stays so.
    Full,
}

#[repr(transparent)]
pub(super) struct Word(AtomicU32);

impl Word {
    parkade_core::const_unless_loom! {
        /// `count` is at most [`MOST`].
        pub(super) fn new(count: u32) -> Word {
            Word(AtomicU32::new(count * ONE))
        }
    }

    #[cfg(all(test, not(loom)))]
    pub(super) fn of(bits: u32) -> Word {
        Word(AtomicU32::new(bits))
    }

    #[cfg(all(test, not(loom)))]
    pub(super) fn bits(&self) -> u32 {
        self.0.load(Relaxed)
    }

    #[cfg(all(test, loom))]
    pub(super) fn is_parked(&self) -> bool {
        self.0.load(Relaxed) & PARKED != 0
    }

    /// For models: the memory is freed and used for something else.
    #[cfg(all(test, loom))]
    pub(super) fn overwrite(&self) {
        self.0.store(Word::OVERWRITTEN, Relaxed);
    }

    #[cfg(all(test, loom))]
    pub(super) fn is_overwritten(&self) -> bool {
        self.0.load(Relaxed) == Word::OVERWRITTEN
    }

    #[cfg(all(test, loom))]
    const OVERWRITTEN: u32 = 5 * ONE | PARKED;

    /// D2.
    #[inline(always)]
    pub(super) fn is_open(&self) -> bool {
        self.0.load(D2.get()) == 0
    }

    /// D2.
    #[inline]
    pub(super) fn count(&self) -> u32 {
        self.0.load(D2.get()) / ONE
    }

    /// D1, D3. Without the bucket lock it does not open while threads are queued; with it, they leave the queue under
    /// the same hold.
    #[inline]
    pub(super) fn count_down(&self, by: u32, hold: Hold) -> Result<Counted, TooFew> {
        let order = match hold {
            Hold::Nothing => D1.get(),
            Hold::Bucket => D3.get(),
        };
        let mut word = self.0.load(Relaxed);
        loop {
            let left = (word / ONE).checked_sub(by).ok_or(TooFew { left: word / ONE })?;
            let (next, counted) = match left {
                0 if word & PARKED != 0 && hold == Hold::Nothing => return Ok(Counted::WouldOpen),
                0 => (0, Counted::Open),
                _ => ((left * ONE) | (word & PARKED), Counted::Down),
            };
            match self.0.compare_exchange_weak(word, next, order, Relaxed) {
                Ok(_) => return Ok(counted),
                Err(found) => word = found,
            }
        }
    }

    /// D4; fails if there is nothing to wait for.
    #[must_use]
    pub(super) fn try_prepare_park(&self) -> bool {
        self.0.fetch_update(Relaxed, Relaxed, |word| (word != 0).then_some(word | PARKED)).is_ok()
    }

    /// D5: a waiter has left the queue.
    pub(super) fn publish(&self, parked: Parked) {
        if parked == Parked::None {
            self.0.fetch_and(!PARKED, Relaxed);
        }
    }

    /// D6; unless the count is 0, or at `limit`.
    #[inline]
    pub(super) fn join(&self, limit: u32) -> Joined {
        let joined = self.0.fetch_update(Relaxed, Relaxed, |word| {
            let count = word / ONE;
            (count != 0 && count < limit).then_some(word.wrapping_add(ONE))
        });
        match joined {
            Ok(_) => Joined::Yes,
            Err(0) => Joined::Open,
            Err(_) => Joined::Full,
        }
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.0.load(Relaxed);
        write!(f, "{} left{}", word / ONE, if word & PARKED != 0 { " {PARKED}" } else { "" })
    }
}
