//! Several locks at once: what [`many`](crate::many) asks of a lock, with a result for each, as of locking them one by one.

use super::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
use crate::many::{Place, Read, Write, request};
use core::ptr;
use std::sync::{LockResult, TryLockError, TryLockResult};

impl<T: ?Sized> Place for Mutex<T> {
    #[inline]
    fn place(&self) -> usize {
        ptr::from_ref(&self.0.raw).addr()
    }
}

impl<T: ?Sized> Place for RwLock<T> {
    #[inline]
    fn place(&self) -> usize {
        ptr::from_ref(&self.0.raw).addr()
    }
}

/// What an attempt has locked: a poisoned lock is locked all the same.
#[inline]
fn locked<G>(attempt: TryLockResult<G>) -> Option<LockResult<G>> {
    match attempt {
        Ok(guard) => Some(Ok(guard)),
        Err(TryLockError::Poisoned(poisoned)) => Some(Err(poisoned)),
        Err(TryLockError::WouldBlock) => None,
    }
}

request! {
    [T: ?Sized] &'a Mutex<T> => LockResult<MutexGuard<'a, T>>,
    this: *this, lock, try_lock, try_lock_until, locked;

    [T: ?Sized] Read<'a, RwLock<T>> => LockResult<RwLockReadGuard<'a, T>>,
    this: this.lock, read, try_read, try_read_until, locked;

    [T: ?Sized] Write<'a, RwLock<T>> => LockResult<RwLockWriteGuard<'a, T>>,
    this: this.lock, write, try_write, try_write_until, locked;
}
