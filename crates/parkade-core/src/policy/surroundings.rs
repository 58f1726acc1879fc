//! What the policy knows of the world outside a wait: the clock, the processors, and the locks.

use super::{Hints, Pace};
use crate::deadline::Moment;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Where a wait takes place: this process, or a simulation of one.
pub trait Surroundings {
    /// Reads the clock.
    fn now(&self) -> Moment;

    /// What the waiting thread remembers from one wait to the next.
    fn pace<R>(&self, use_it: impl FnOnce(&Pace) -> R) -> R;

    /// What is known of locks.
    fn hints(&self) -> &Hints;

    /// How many processors there are.
    fn processors(&self) -> u32;

    /// The processor that the thread runs on.
    fn processor(&self) -> usize;

    /// How often waiters of this process have yielded on that processor.
    fn yields_on(&self, processor: usize) -> &AtomicU32;

    /// How often the thread has lost or given up its processor; `None` where that is not known.
    fn switches(&self) -> Option<u64>;
}

static HINTS: Hints = Hints::new();

/// In a forked child nobody polls.
#[cfg(all(unix, not(loom)))]
pub(crate) fn reset_after_fork() {
    HINTS.reset_after_fork();
}

/// This process.
#[derive(Debug, Clone, Copy, Default)]
pub struct Process;

impl Surroundings for Process {
    fn now(&self) -> Moment {
        Moment::now()
    }

    fn pace<R>(&self, use_it: impl FnOnce(&Pace) -> R) -> R {
        thread_local! {
            static PACE: Pace = const { Pace::new() };
        }
        PACE.with(use_it)
    }

    fn hints(&self) -> &Hints {
        &HINTS
    }

    fn processors(&self) -> u32 {
        /// 0 until counted, which takes a system call.
        static PROCESSORS: AtomicU32 = AtomicU32::new(0);
        match PROCESSORS.load(Relaxed) {
            0 => {
                let processors = crate::sys::cpus();
                PROCESSORS.store(processors, Relaxed);
                processors
            }
            processors => processors,
        }
    }

    fn processor(&self) -> usize {
        crate::sys::processor()
    }

    fn yields_on(&self, processor: usize) -> &AtomicU32 {
        const SLOTS: usize = 64;
        static YIELDS: [AtomicU32; SLOTS] = [const { AtomicU32::new(0) }; SLOTS];
        &YIELDS[processor % SLOTS]
    }

    fn switches(&self) -> Option<u64> {
        crate::sys::switches()
    }
}
