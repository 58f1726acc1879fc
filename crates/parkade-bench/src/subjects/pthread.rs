//! The C library's mutex.

#![allow(unsafe_code, reason = "a foreign lock: calls into the C library")]

use std::cell::UnsafeCell;
use std::fmt;
use std::time::Duration;

use crate::subject::{Subject, SubjectId};

/// `pthread_mutex_t` of the default kind around a `u64`.
pub struct PthreadMutex {
    raw: UnsafeCell<libc::pthread_mutex_t>,
    value: UnsafeCell<u64>,
}

// SAFETY: the mutex may be used by any thread once it is no longer moved (a shared reference
// forbids moving), and `value` is reached under the mutex only.
unsafe impl Sync for PthreadMutex {}

impl fmt::Debug for PthreadMutex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PthreadMutex").finish_non_exhaustive()
    }
}

impl Drop for PthreadMutex {
    fn drop(&mut self) {
        // SAFETY: `&mut self` says that nobody holds or waits for the mutex.
        unsafe { libc::pthread_mutex_destroy(self.raw.get()) };
    }
}

impl PthreadMutex {
    /// Runs `section` and unlocks.
    ///
    /// # Safety
    ///
    /// 1. The calling thread has locked the mutex and not unlocked it since.
    #[inline(always)]
    unsafe fn finish<R>(&self, section: impl FnOnce(&mut u64) -> R) -> R {
        struct Unlock<'a>(&'a PthreadMutex);
        impl Drop for Unlock<'_> {
            #[inline(always)]
            fn drop(&mut self) {
                // SAFETY: duty 1 of `finish`, which is the only one to make this value.
                unsafe { libc::pthread_mutex_unlock(self.0.raw.get()) };
            }
        }
        let _unlock = Unlock(self);
        // SAFETY: under the mutex (duty 1) nobody else has a reference to the value.
        let value = unsafe { &mut *self.value.get() };
        section(value)
    }
}

/// The C library's mutex.
#[derive(Debug, Clone, Copy)]
pub enum Pthread {}

impl Subject for Pthread {
    const ID: SubjectId = SubjectId::Pthread;
    type Lock = PthreadMutex;

    fn new(value: u64) -> PthreadMutex {
        PthreadMutex {
            raw: UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER),
            value: UnsafeCell::new(value),
        }
    }

    #[inline(always)]
    fn with<R>(lock: &PthreadMutex, section: impl FnOnce(&mut u64) -> R) -> R {
        // SAFETY: an initialised mutex, which a reference keeps in its place.
        let code = unsafe { libc::pthread_mutex_lock(lock.raw.get()) };
        debug_assert_eq!(code, 0, "a mutex of the default kind cannot fail to lock");
        // SAFETY: 1. just locked.
        unsafe { lock.finish(section) }
    }

    #[inline(always)]
    fn try_with<R>(lock: &PthreadMutex, section: impl FnOnce(&mut u64) -> R) -> Option<R> {
        // SAFETY: an initialised mutex, which a reference keeps in its place.
        let code = unsafe { libc::pthread_mutex_trylock(lock.raw.get()) };
        // SAFETY: 1. zero says that it is locked now.
        (code == 0).then(|| unsafe { lock.finish(section) })
    }
}

#[cfg(target_os = "linux")]
impl crate::subject::TimedSubject for Pthread {
    #[inline(always)]
    fn with_for<R>(
        lock: &PthreadMutex,
        patience: Duration,
        section: impl FnOnce(&mut u64) -> R,
    ) -> Option<R> {
        let deadline = realtime_after(patience);
        // SAFETY: an initialised mutex, which a reference keeps in its place, and a timespec.
        let code = unsafe { libc::pthread_mutex_timedlock(lock.raw.get(), &deadline) };
        // SAFETY: 1. zero says that it is locked now.
        (code == 0).then(|| unsafe { lock.finish(section) })
    }
}

/// A point on the clock `pthread_mutex_timedlock` waits by.
#[cfg(target_os = "linux")]
#[inline(always)]
fn realtime_after(patience: Duration) -> libc::timespec {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("the clock is past 1970");
    let then = now.saturating_add(patience);
    libc::timespec {
        tv_sec: libc::time_t::try_from(then.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: then.subsec_nanos().into(),
    }
}
