//! The lock of a bucket: a futex word of three values (Drepper, "Futexes Are Tricky", mutex 3).
//!
//! Sections under it are a few dozen instructions, so a newcomer polls briefly before it sleeps.

use crate::{
    edges::{B1, B2},
    parker,
    shim::{AtomicU32, Ordering},
};

const FREE: u32 = 0;
const HELD: u32 = 1;
/// Held, and somebody may sleep for it.
const CONTENDED: u32 = 2;

/// guess: about twice the length of a section, then a sleep costs less than the wait.
const POLLS: u32 = 40;

pub(super) struct WordLock {
    word: AtomicU32,
}

impl WordLock {
    crate::const_unless_loom! {
        pub(super) fn new() -> WordLock {
            WordLock {
                word: AtomicU32::new(FREE),
            }
        }
    }

    #[inline]
    pub(super) fn lock(&self) {
        if self.word.compare_exchange(FREE, HELD, B1.get(), Ordering::Relaxed).is_err() {
            self.lock_slow();
        }
    }

    #[cold]
    fn lock_slow(&self) {
        if !cfg!(loom) {
            for _ in 0..POLLS {
                core::hint::spin_loop();
                if self.word.load(Ordering::Relaxed) == FREE
                    && self.word.compare_exchange(FREE, HELD, B1.get(), Ordering::Relaxed).is_ok()
                {
                    return;
                }
            }
        }
        while self.word.swap(CONTENDED, B1.get()) != FREE {
            parker::wait(&self.word, CONTENDED, None);
        }
    }

    /// Unlocks, and returns what is left to do once no bucket lock is held.
    #[inline]
    pub(super) fn unlock(&self) -> Unlocked<'_> {
        Unlocked { contended: (self.word.swap(FREE, B2.get()) == CONTENDED).then_some(&self.word) }
    }

    /// Frees the lock in a forked child, where its holder does not exist.
    #[cfg(all(unix, not(loom)))]
    pub(super) fn reset(&self) {
        // Written only where needed, so that the child does not copy untouched pages.
        if self.word.load(Ordering::Relaxed) != FREE {
            self.word.store(FREE, Ordering::Relaxed);
        }
    }
}

/// A lock that was unlocked; dropping this wakes a thread that waits for it.
#[must_use = "a thread may wait for the lock"]
pub(super) struct Unlocked<'a> {
    contended: Option<&'a AtomicU32>,
}

impl Drop for Unlocked<'_> {
    fn drop(&mut self) {
        if let Some(word) = self.contended {
            parker::wake_one(word);
        }
    }
}

#[cfg(all(test, loom))]
mod model {
    //! covers: B1 B2
    use super::*;
    use loom::{cell::UnsafeCell, sync::Arc, thread};

    #[test]
    fn model_word_lock_excludes_and_wakes() {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(|| {
            let shared = Arc::new((WordLock::new(), UnsafeCell::new(0)));
            let workers: Vec<_> = (0..2)
                .map(|_| {
                    let shared = shared.clone();
                    thread::spawn(move || add_one(&shared))
                })
                .collect();
            add_one(&shared);
            for worker in workers {
                worker.join().unwrap();
            }
            shared.0.lock();
            // SAFETY: the lock is held.
            shared.1.with(|n| assert_eq!(unsafe { *n }, 3));
            drop(shared.0.unlock());
        });
    }

    fn add_one((lock, count): &(WordLock, UnsafeCell<u32>)) {
        lock.lock();
        // SAFETY: the lock is held; loom checks that it excludes.
        count.with_mut(|n| unsafe { *n += 1 });
        drop(lock.unlock());
    }
}
