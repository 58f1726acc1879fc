//! The locks that tasks wait for.

use std::ops::Deref;
use std::sync::atomic::AtomicU64;

use parkade::futures::SendGuard;
use parkade::prelude::*;

use super::{AsyncLock, Parkade, Saa, Tokio};
use crate::subject::{AsyncSubject, SubjectId};

impl AsyncSubject for Parkade {
    const ID: SubjectId = SubjectId::Parkade;
    type Lock = parkade::Mutex<AtomicU64>;
    type Guard<'a> = SendGuard<parkade::MutexGuard<'a, AtomicU64>>;

    fn new(value: u64) -> Self::Lock {
        parkade::Mutex::new(value.into())
    }

    #[inline(always)]
    async fn lock(lock: &Self::Lock) -> Self::Guard<'_> {
        lock.lock_async().await.sendable()
    }

    #[inline(always)]
    fn lock_blocking(lock: &Self::Lock) -> Self::Guard<'_> {
        lock.lock().sendable()
    }

    fn future_bytes(lock: &Self::Lock) -> usize {
        size_of_val(&lock.lock_async())
    }
}

impl AsyncSubject for Tokio {
    const ID: SubjectId = SubjectId::Tokio;
    type Lock = tokio::sync::Mutex<AtomicU64>;
    type Guard<'a> = tokio::sync::MutexGuard<'a, AtomicU64>;

    fn new(value: u64) -> Self::Lock {
        tokio::sync::Mutex::new(value.into())
    }

    #[inline(always)]
    fn lock(lock: &Self::Lock) -> impl Future<Output = Self::Guard<'_>> + Send {
        lock.lock()
    }

    #[inline(always)]
    fn lock_blocking(lock: &Self::Lock) -> Self::Guard<'_> {
        lock.blocking_lock()
    }

    fn future_bytes(lock: &Self::Lock) -> usize {
        size_of_val(&lock.lock())
    }
}

impl AsyncSubject for AsyncLock {
    const ID: SubjectId = SubjectId::AsyncLock;
    type Lock = async_lock::Mutex<AtomicU64>;
    type Guard<'a> = async_lock::MutexGuard<'a, AtomicU64>;

    fn new(value: u64) -> Self::Lock {
        async_lock::Mutex::new(value.into())
    }

    #[inline(always)]
    fn lock(lock: &Self::Lock) -> impl Future<Output = Self::Guard<'_>> + Send {
        lock.lock()
    }

    #[inline(always)]
    fn lock_blocking(lock: &Self::Lock) -> Self::Guard<'_> {
        lock.lock_blocking()
    }

    fn future_bytes(lock: &Self::Lock) -> usize {
        size_of_val(&lock.lock())
    }
}

/// saa's lock, which has no value and no guard, with both.
#[derive(Debug)]
pub struct SaaLock {
    lock: saa::Lock,
    value: AtomicU64,
}

/// Releases it.
#[derive(Debug)]
pub struct SaaGuard<'a>(&'a SaaLock);

impl Deref for SaaGuard<'_> {
    type Target = AtomicU64;

    #[inline(always)]
    fn deref(&self) -> &AtomicU64 {
        &self.0.value
    }
}

impl Drop for SaaGuard<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        self.0.lock.release_lock();
    }
}

impl AsyncSubject for Saa {
    const ID: SubjectId = SubjectId::Saa;
    type Lock = SaaLock;
    type Guard<'a> = SaaGuard<'a>;

    fn new(value: u64) -> SaaLock {
        SaaLock { lock: saa::Lock::new(), value: value.into() }
    }

    #[inline(always)]
    async fn lock(lock: &SaaLock) -> SaaGuard<'_> {
        lock.lock.lock_async().await;
        SaaGuard(lock)
    }

    #[inline(always)]
    fn lock_blocking(lock: &SaaLock) -> SaaGuard<'_> {
        lock.lock.lock_sync();
        SaaGuard(lock)
    }

    fn future_bytes(lock: &SaaLock) -> usize {
        size_of_val(&lock.lock.lock_async())
    }
}
