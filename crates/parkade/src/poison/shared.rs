//! The guards of those who share a value with others.

use super::lock::Lock;
use crate::{RawRwLock, SharedGuardState};
use core::{marker::PhantomData, mem::ManuallyDrop, ptr::NonNull};
use lock_api::RawRwLock as _;
use std::sync::{LockResult, TryLockError, TryLockResult};

impl<T: ?Sized> Lock<RawRwLock, T> {
    /// The guard of a reader that has just acquired, made public by `face`.
    ///
    /// # Safety
    /// 1. `state` is from a shared acquisition of `raw`, and the caller gives it away.
    #[inline]
    pub(super) unsafe fn admit_reader<'a, G>(
        &'a self,
        state: SharedGuardState,
        face: impl FnOnce(Shared<'a, T>) -> G,
    ) -> LockResult<G> {
        let reading = Reading { raw: &self.raw, state: ManuallyDrop::new(state) };
        // SAFETY: a cell's contents have an address.
        let pointer = unsafe { NonNull::new_unchecked(self.data.get()) };
        let data = View { pointer, _variance: PhantomData };
        self.flag.judge(face(Shared { data, reading }))
    }

    /// `admit_reader` for an attempt that may have failed.
    ///
    /// # Safety
    /// 1. As `admit_reader`, if there is a state.
    #[inline]
    pub(super) unsafe fn try_admit_reader<'a, G>(
        &'a self,
        state: Option<SharedGuardState>,
        face: impl FnOnce(Shared<'a, T>) -> G,
    ) -> TryLockResult<G> {
        let state = state.ok_or(TryLockError::WouldBlock)?;
        // SAFETY: duty 1 is ours.
        Ok(unsafe { self.admit_reader(state, face) }?)
    }
}

/// Shared access to what a lock protects, or to a part of it.
pub(super) struct Shared<'a, T: ?Sized> {
    data: View<'a, T>,
    reading: Reading<'a>,
}

impl<'a, T: ?Sized> Shared<'a, T> {
    pub(super) fn map<U: ?Sized>(self, choose: impl FnOnce(&T) -> &U) -> Shared<'a, U> {
        let data = View::new(choose(self.get()));
        Shared { data, reading: self.reading }
    }

    pub(super) fn filter_map<U: ?Sized>(
        self,
        choose: impl FnOnce(&T) -> Option<&U>,
    ) -> Result<Shared<'a, U>, Self> {
        match choose(self.get()).map(View::new) {
            Some(data) => Ok(Shared { data, reading: self.reading }),
            None => Err(self),
        }
    }

    #[inline]
    pub(super) fn get(&self) -> &T {
        // SAFETY: it points into what `reading` keeps from being written.
        unsafe { self.data.pointer.as_ref() }
    }
}

/// A shared acquisition, which ends as this is dropped. A panic of a reader has broken nothing.
struct Reading<'a> {
    raw: &'a RawRwLock,
    state: ManuallyDrop<SharedGuardState>,
}

impl Drop for Reading<'_> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: this is the end of it, so nobody takes it again.
        let state = unsafe { ManuallyDrop::take(&mut self.state) };
        // SAFETY: it came with the acquisition that made the guard.
        unsafe { self.raw.unlock_shared(state) };
    }
}

/// A `&'a T` that stops being one before its guard does: the guard is passed by value to what releases,
/// and then the value may be written.
struct View<'a, T: ?Sized> {
    pointer: NonNull<T>,
    _variance: PhantomData<&'a T>,
}

impl<T: ?Sized> View<'_, T> {
    fn new(value: &T) -> Self {
        View { pointer: NonNull::from(value), _variance: PhantomData }
    }
}

// SAFETY: it only gives out shared references.
unsafe impl<T: ?Sized + Sync> Send for View<'_, T> {}
// SAFETY: it only gives out shared references.
unsafe impl<T: ?Sized + Sync> Sync for View<'_, T> {}
