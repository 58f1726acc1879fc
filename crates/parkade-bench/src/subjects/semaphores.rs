//! The semaphores, as a thread that may block uses them.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use parkade::{Semaphore, SemaphorePolicy};

use super::{Parkade, Saa, Std};
use crate::subject::{SemaphoreSubject, SubjectId, WeightedSubject};

/// Parkade's, barging.
#[derive(Debug, Clone, Copy)]
pub enum ParkadeBarging {}

macro_rules! parkade_semaphore {
    ($name:ident, $policy:expr) => {
        impl SemaphoreSubject for $name {
            const ID: SubjectId = SubjectId::$name;
            type Semaphore = Semaphore;

            fn new(permits: u32) -> Semaphore {
                Semaphore::with_policy(permits as usize, $policy)
            }

            #[inline(always)]
            fn with<R>(semaphore: &Semaphore, section: impl FnOnce() -> R) -> R {
                let _permit = semaphore.acquire().expect("nobody closes it");
                section()
            }
        }

        impl WeightedSubject for $name {
            #[inline(always)]
            fn with_many<R>(semaphore: &Semaphore, permits: u32, section: impl FnOnce() -> R) -> R {
                let many = semaphore.acquire_many(permits as usize);
                let _permits = many.expect("nobody closes it");
                section()
            }
        }
    };
}

parkade_semaphore!(Parkade, SemaphorePolicy::Fifo);
parkade_semaphore!(ParkadeBarging, SemaphorePolicy::Barging);

/// What is written by hand where there is no semaphore. Whoever comes first is not served first.
#[derive(Debug)]
pub struct ByHand {
    free: Mutex<u32>,
    given_back: Condvar,
}

impl ByHand {
    fn free(&self) -> MutexGuard<'_, u32> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[inline(always)]
    fn acquire(&self, permits: u32) {
        let enough = self.given_back.wait_while(self.free(), |free| *free < permits);
        *enough.unwrap_or_else(PoisonError::into_inner) -= permits;
    }
}

impl SemaphoreSubject for Std {
    const ID: SubjectId = SubjectId::Std;
    type Semaphore = ByHand;

    fn new(permits: u32) -> ByHand {
        ByHand { free: Mutex::new(permits), given_back: Condvar::new() }
    }

    #[inline(always)]
    fn with<R>(semaphore: &ByHand, section: impl FnOnce() -> R) -> R {
        semaphore.acquire(1);
        let result = section();
        *semaphore.free() += 1;
        semaphore.given_back.notify_one();
        result
    }
}

impl WeightedSubject for Std {
    #[inline(always)]
    fn with_many<R>(semaphore: &ByHand, permits: u32, section: impl FnOnce() -> R) -> R {
        semaphore.acquire(permits);
        let result = section();
        *semaphore.free() += permits;
        // The one that is woken may want more than there is, and the next less.
        semaphore.given_back.notify_all();
        result
    }
}

impl SemaphoreSubject for Saa {
    const ID: SubjectId = SubjectId::Saa;
    type Semaphore = saa::Semaphore;

    fn new(permits: u32) -> Self::Semaphore {
        saa::Semaphore::with_permits(permits as usize)
    }

    #[inline(always)]
    fn with<R>(semaphore: &Self::Semaphore, section: impl FnOnce() -> R) -> R {
        semaphore.acquire_sync();
        let result = section();
        semaphore.release();
        result
    }
}

impl WeightedSubject for Saa {
    #[inline(always)]
    fn with_many<R>(semaphore: &Self::Semaphore, permits: u32, section: impl FnOnce() -> R) -> R {
        semaphore.acquire_many_sync(permits as usize);
        let result = section();
        semaphore.release_many(permits as usize);
        result
    }
}

/// tokio's, which has a way to block a thread.
#[derive(Debug, Clone, Copy)]
pub enum Tokio {}

impl SemaphoreSubject for Tokio {
    const ID: SubjectId = SubjectId::Tokio;
    type Semaphore = tokio::sync::Semaphore;

    fn new(permits: u32) -> Self::Semaphore {
        tokio::sync::Semaphore::new(permits as usize)
    }

    #[inline(always)]
    fn with<R>(semaphore: &Self::Semaphore, section: impl FnOnce() -> R) -> R {
        let _permit = semaphore.blocking_acquire().expect("nobody closes it");
        section()
    }
}

impl WeightedSubject for Tokio {
    #[inline(always)]
    fn with_many<R>(semaphore: &Self::Semaphore, permits: u32, section: impl FnOnce() -> R) -> R {
        let _permits = semaphore.blocking_acquire_many(permits).expect("nobody closes it");
        section()
    }
}

/// async-lock's, which has a way to block a thread, but gives no more than one permit at a time.
#[derive(Debug, Clone, Copy)]
pub enum AsyncLock {}

impl SemaphoreSubject for AsyncLock {
    const ID: SubjectId = SubjectId::AsyncLock;
    type Semaphore = async_lock::Semaphore;

    fn new(permits: u32) -> Self::Semaphore {
        async_lock::Semaphore::new(permits as usize)
    }

    #[inline(always)]
    fn with<R>(semaphore: &Self::Semaphore, section: impl FnOnce() -> R) -> R {
        let _permit = semaphore.acquire_blocking();
        section()
    }
}
