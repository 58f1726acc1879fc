//! Who a thread is, for as long as the process lives.
//!
//! The usual number of a thread is the address of one of its thread-local values. That address passes to
//! another thread once the first has ended, and with it would pass every lock whose guard the first has
//! forgotten: its section, perhaps left half way, would be entered by a stranger. After a fork it is worse: a
//! new thread of the child may be where another thread of the parent was, that holds a lock for ever. So
//! numbers are counted and never given twice, at the same price: one thread-local load.

use core::{
    cell::Cell,
    num::NonZeroUsize,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

thread_local! {
    /// 0 until the thread asks. Constant and without a destructor, like every thread-local of these crates.
    static ID: Cell<usize> = const { Cell::new(0) };
}

/// The last number given. Access: any thread, once in its life; only uniqueness matters.
static LAST: AtomicUsize = AtomicUsize::new(0);

/// Numbers the threads of the process for a [`ReentrantMutex`](crate::ReentrantMutex).
///
/// A number is never given to a second thread, also not when the first has ended, or in a forked child. It is
/// given when the thread first asks, not when it starts.
///
/// # Panics
/// [`nonzero_thread_id`](lock_api::GetThreadId::nonzero_thread_id) panics in a thread that comes after
/// `usize::MAX` others: never, on 64-bit systems.
///
/// ```
/// use parkade::{RawThreadId, lock_api::GetThreadId};
///
/// let id = || RawThreadId.nonzero_thread_id();
/// let mine = id();
/// assert_eq!(mine, id());
/// assert_ne!(mine, std::thread::spawn(id).join().unwrap());
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct RawThreadId;

// SAFETY: a number is given once (`next` does not wrap), and a thread keeps its own: nothing but `first`
// writes `ID`, which dies with its thread.
unsafe impl lock_api::GetThreadId for RawThreadId {
    const INIT: RawThreadId = RawThreadId;

    #[inline]
    fn nonzero_thread_id(&self) -> NonZeroUsize {
        ID.with(|id| NonZeroUsize::new(id.get()).unwrap_or_else(|| first(id)))
    }
}

#[cold]
fn first(id: &Cell<usize>) -> NonZeroUsize {
    let given = next(&LAST);
    id.set(given.get());
    given
}

/// The number after `last`, which becomes `last`.
fn next(last: &AtomicUsize) -> NonZeroUsize {
    last.try_update(Relaxed, Relaxed, |last| last.checked_add(1))
        .ok()
        .and_then(|before| NonZeroUsize::new(before + 1))
        .expect("more threads than numbers have asked for one")
}

#[cfg(test)]
mod tests {
    use super::*;
    use lock_api::GetThreadId;
    use std::{collections::HashSet, panic::catch_unwind, thread};

    /// Threads one after the other get the same stack, and so the same thread-local addresses.
    #[test]
    fn numbers_are_never_given_twice() {
        let mine = RawThreadId.nonzero_thread_id();
        let asked = || {
            let id = RawThreadId.nonzero_thread_id();
            assert_eq!(id, RawThreadId.nonzero_thread_id());
            (id, ID.with(|id| core::ptr::from_ref(id).addr()))
        };
        let others: Vec<_> = (0..200).map(|_| thread::spawn(asked).join().unwrap()).collect();
        let numbers: HashSet<_> = others.iter().map(|other| other.0).chain([mine]).collect();
        assert_eq!(numbers.len(), 201);
        let addresses: HashSet<_> = others.iter().map(|other| other.1).collect();
        println!("{} addresses for 200 threads", addresses.len());
    }

    #[test]
    fn numbers_end_with_a_panic() {
        let last = AtomicUsize::new(usize::MAX - 1);
        assert_eq!(next(&last), NonZeroUsize::MAX);
        for _ in 0..2 {
            assert!(catch_unwind(|| next(&last)).is_err());
            assert_eq!(last.load(Relaxed), usize::MAX);
        }
    }
}
