//! The C library's locks.

#![allow(unsafe_code, reason = "foreign locks: calls into the C library")]

use std::cell::UnsafeCell;
use std::ffi::c_int;
use std::fmt;
use std::time::Duration;

use crate::subject::{RwSubject, Subject, SubjectId};

/// What both kinds of lock have.
///
/// # Safety
///
/// 1. [`UNLOCK`](Native::UNLOCK) and [`DESTROY`](Native::DESTROY) are the C library's functions
///    for this kind.
pub unsafe trait Native {
    /// A lock of the default kind.
    const NEW: Self;
    /// Unlocks what the calling thread has locked.
    const UNLOCK: unsafe extern "C" fn(*mut Self) -> c_int;
    /// Ends what nobody uses.
    const DESTROY: unsafe extern "C" fn(*mut Self) -> c_int;
}

// SAFETY: 1. they are.
unsafe impl Native for libc::pthread_mutex_t {
    const NEW: Self = libc::PTHREAD_MUTEX_INITIALIZER;
    const UNLOCK: unsafe extern "C" fn(*mut Self) -> c_int = libc::pthread_mutex_unlock;
    const DESTROY: unsafe extern "C" fn(*mut Self) -> c_int = libc::pthread_mutex_destroy;
}

// SAFETY: 1. they are.
unsafe impl Native for libc::pthread_rwlock_t {
    const NEW: Self = libc::PTHREAD_RWLOCK_INITIALIZER;
    const UNLOCK: unsafe extern "C" fn(*mut Self) -> c_int = libc::pthread_rwlock_unlock;
    const DESTROY: unsafe extern "C" fn(*mut Self) -> c_int = libc::pthread_rwlock_destroy;
}

/// One of the C library's locks around a `u64`.
pub struct PthreadLock<N: Native> {
    raw: UnsafeCell<N>,
    value: UnsafeCell<u64>,
}

// SAFETY: the lock may be used by any thread once it is no longer moved (a shared reference
// forbids moving), and `value` is reached under the lock only.
unsafe impl<N: Native> Sync for PthreadLock<N> {}

impl<N: Native> fmt::Debug for PthreadLock<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PthreadLock").finish_non_exhaustive()
    }
}

impl<N: Native> Drop for PthreadLock<N> {
    fn drop(&mut self) {
        // SAFETY: `&mut self` says that nobody holds or waits for the lock.
        unsafe { N::DESTROY(self.raw.get()) };
    }
}

impl<N: Native> PthreadLock<N> {
    fn new(value: u64) -> PthreadLock<N> {
        PthreadLock { raw: UnsafeCell::new(N::NEW), value: UnsafeCell::new(value) }
    }

    /// Runs `section` and unlocks.
    ///
    /// # Safety
    ///
    /// 1. The calling thread has locked the lock, not only for reading, and not unlocked it since.
    #[inline(always)]
    unsafe fn finish<R>(&self, section: impl FnOnce(&mut u64) -> R) -> R {
        let _unlock = Unlock(self);
        // SAFETY: under the lock (duty 1) nobody else has a reference to the value.
        let value = unsafe { &mut *self.value.get() };
        section(value)
    }
}

impl PthreadLock<libc::pthread_rwlock_t> {
    /// Runs `section` and unlocks.
    ///
    /// # Safety
    ///
    /// 1. The calling thread has locked the lock for reading and not unlocked it since.
    #[inline(always)]
    unsafe fn finish_reading<R>(&self, section: impl FnOnce(&u64) -> R) -> R {
        let _unlock = Unlock(self);
        // SAFETY: under the lock (duty 1) nobody has an exclusive reference to the value.
        let value = unsafe { &*self.value.get() };
        section(value)
    }
}

/// Made by the two `finish` only, whose caller has locked the lock.
struct Unlock<'a, N: Native>(&'a PthreadLock<N>);

impl<N: Native> Drop for Unlock<'_, N> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: duty 1 of either `finish`.
        unsafe { N::UNLOCK(self.0.raw.get()) };
    }
}

type PthreadMutex = PthreadLock<libc::pthread_mutex_t>;
type PthreadRwLock = PthreadLock<libc::pthread_rwlock_t>;

/// The C library's locks.
#[derive(Debug, Clone, Copy)]
pub enum Pthread {}

impl Subject for Pthread {
    const ID: SubjectId = SubjectId::Pthread;
    type Lock = PthreadMutex;

    fn new(value: u64) -> PthreadMutex {
        PthreadLock::new(value)
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

impl RwSubject for Pthread {
    const ID: SubjectId = SubjectId::Pthread;
    type Lock = PthreadRwLock;

    fn new(value: u64) -> PthreadRwLock {
        PthreadLock::new(value)
    }

    #[inline(always)]
    fn read<R>(lock: &PthreadRwLock, section: impl FnOnce(&u64) -> R) -> R {
        // SAFETY: an initialised lock, which a reference keeps in its place.
        let code = unsafe { libc::pthread_rwlock_rdlock(lock.raw.get()) };
        debug_assert_eq!(code, 0, "there are neither too many readers nor a writer of this thread");
        // SAFETY: 1. just locked.
        unsafe { lock.finish_reading(section) }
    }

    #[inline(always)]
    fn write<R>(lock: &PthreadRwLock, section: impl FnOnce(&mut u64) -> R) -> R {
        // SAFETY: an initialised lock, which a reference keeps in its place.
        let code = unsafe { libc::pthread_rwlock_wrlock(lock.raw.get()) };
        debug_assert_eq!(code, 0, "this thread does not hold it");
        // SAFETY: 1. just locked.
        unsafe { lock.finish(section) }
    }

    #[inline(always)]
    fn try_read<R>(lock: &PthreadRwLock, section: impl FnOnce(&u64) -> R) -> Option<R> {
        // SAFETY: an initialised lock, which a reference keeps in its place.
        let code = unsafe { libc::pthread_rwlock_tryrdlock(lock.raw.get()) };
        // SAFETY: 1. zero says that it is locked now.
        (code == 0).then(|| unsafe { lock.finish_reading(section) })
    }

    #[inline(always)]
    fn try_write<R>(lock: &PthreadRwLock, section: impl FnOnce(&mut u64) -> R) -> Option<R> {
        // SAFETY: an initialised lock, which a reference keeps in its place.
        let code = unsafe { libc::pthread_rwlock_trywrlock(lock.raw.get()) };
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
