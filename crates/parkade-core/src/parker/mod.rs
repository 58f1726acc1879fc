//! Putting one thread to sleep and waking it.
//!
//! A platform gives two operations on a 32-bit word, `wait` and `wake_one`, in a file of its own
//! (`linux.rs`, `portable.rs`, `model.rs`). [`Parker`] builds the one-shot hand-shake between a
//! waiter and its notifier on them, once for all platforms.

#[cfg(loom)]
#[path = "model.rs"]
mod sys;
#[cfg(all(not(loom), target_os = "linux", not(parkade_portable)))]
#[path = "linux.rs"]
mod sys;
#[cfg(all(not(loom), any(not(target_os = "linux"), parkade_portable)))]
#[path = "portable.rs"]
mod sys;

use crate::{
    deadline::Moment,
    edges::{N1, N2},
    shim::{AtomicU32, Ordering},
};

pub(crate) use sys::{wait, wake_one};

/// Why a platform's `wait` returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waited {
    /// Woken, or the word had another value, or for no reason: look at the word again.
    Look,
    /// The deadline has passed.
    TimedOut,
}

/// The owner has not gone to sleep yet.
const AWAKE: u32 = 0;
/// The owner sleeps or is about to: whoever notifies must wake it.
const ASLEEP: u32 = 1;
/// Notified; final.
const NOTIFIED: u32 = 2;

/// One wait of one thread: notified at most once, by one notifier. A task's is never asleep.
///
/// Access: `state` is written by the owner (AWAKE -> ASLEEP) and by the notifier (-> NOTIFIED).
pub(crate) struct Parker {
    state: AtomicU32,
}

impl Parker {
    crate::const_unless_loom! {
        pub(crate) fn new() -> Parker {
            Parker {
                state: AtomicU32::new(AWAKE),
            }
        }
    }

    /// Makes it one that was never notified; for the owner, when nobody can notify it: the bucket lock under which
    /// that changes orders it.
    pub(crate) fn renew(&self) {
        self.state.store(AWAKE, Ordering::Relaxed);
    }

    /// Whether the wait is over; for the owner.
    pub(crate) fn is_notified(&self) -> bool {
        self.state.load(N2.get()) == NOTIFIED
    }

    /// Sleeps until notified (`true`) or until `deadline` (`false`).
    pub(crate) fn park(&self, deadline: Option<Moment>) -> bool {
        loop {
            if self.is_notified() {
                return true;
            }
            // Fails only when the notifier came first, or when we slept before; both are seen
            // by the next load or by `wait`.
            let _ =
                self.state.compare_exchange(AWAKE, ASLEEP, Ordering::Relaxed, Ordering::Relaxed);
            if wait(&self.state, ASLEEP, deadline) == Waited::TimedOut {
                return self.is_notified();
            }
        }
    }

    /// Ends the owner's wait.
    ///
    /// # Safety
    /// 1. `this` points to a live parker, and no other notifier has been or will be called on it.
    /// 2. The caller touches neither the parker nor what contains it afterwards: the owner may
    ///    free it as soon as it sees the notification.
    pub(crate) unsafe fn notify(this: *const Parker) {
        // SAFETY: alive by duty 1; only the address is taken.
        let word = unsafe { &raw const (*this).state };
        // SAFETY: alive by duty 1 until the swap below publishes NOTIFIED.
        let before = unsafe { &*word }.swap(NOTIFIED, N1.get());
        if before == ASLEEP {
            // The word may be gone by now. `wake_one` takes it as a number; a wake that reaches
            // another user of that address is a spurious one, which every futex user must expect.
            wake_one(word);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
