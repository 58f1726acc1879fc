//! What the mutex and the reader-writer lock share: a raw lock, a flag and a value, and the guards of
//! whoever has the value alone.

use super::flag::{Entered, Flag};
use core::{
    cell::UnsafeCell,
    fmt,
    marker::PhantomData,
    mem::ManuallyDrop,
    ops::Deref,
    panic::{RefUnwindSafe, UnwindSafe},
    ptr::NonNull,
};
use std::sync::{LockResult, TryLockError, TryLockResult};

/// A raw lock that one may have alone.
pub(super) trait Exclusive {
    /// What the raw lock hands to its holder.
    type Token;

    /// Releases.
    ///
    /// # Safety
    /// 1. `token` is from an exclusive acquisition of this lock.
    unsafe fn release(&self, token: Self::Token);
}

/// A value behind a raw lock that can be poisoned.
pub(super) struct Lock<R, T: ?Sized> {
    pub(super) raw: R,
    pub(super) flag: Flag,
    /// Access: shared by those who hold `raw` shared, all by the one who holds it exclusively.
    pub(super) data: UnsafeCell<T>,
}

// A broken value is found out by the flag.
impl<R: UnwindSafe, T: ?Sized> UnwindSafe for Lock<R, T> {}
impl<R: RefUnwindSafe, T: ?Sized> RefUnwindSafe for Lock<R, T> {}

impl<R, T> Lock<R, T> {
    pub(super) const fn new(raw: R, value: T) -> Lock<R, T> {
        Lock { raw, flag: Flag::new(), data: UnsafeCell::new(value) }
    }

    pub(super) fn into_inner(self) -> LockResult<T> {
        self.flag.judge(self.data.into_inner())
    }
}

impl<R, T: ?Sized> Lock<R, T> {
    pub(super) fn get_mut(&mut self) -> LockResult<&mut T> {
        self.flag.judge(self.data.get_mut())
    }

    /// `std`'s debug output; `locked` stands for a value that somebody else has.
    pub(super) fn debug<G: Deref<Target: fmt::Debug>>(
        &self,
        f: &mut fmt::Formatter<'_>,
        name: &str,
        value: TryLockResult<G>,
        locked: &dyn fmt::Debug,
    ) -> fmt::Result {
        let mut output = f.debug_struct(name);
        match value {
            Ok(guard) => output.field("data", &&*guard),
            Err(TryLockError::Poisoned(poisoned)) => output.field("data", &&**poisoned.get_ref()),
            Err(TryLockError::WouldBlock) => output.field("data", locked),
        };
        output.field("poisoned", &self.flag.is_set()).finish_non_exhaustive()
    }
}

impl<R: Exclusive, T: ?Sized> Lock<R, T> {
    /// The guard of whoever has just acquired, made public by `face`.
    ///
    /// # Safety
    /// 1. `token` is from an exclusive acquisition of `raw`, and the caller gives it away.
    #[inline]
    pub(super) unsafe fn admit<'a, G>(
        &'a self,
        token: R::Token,
        face: impl FnOnce(Whole<'a, R, T>) -> G,
    ) -> LockResult<G> {
        let token = ManuallyDrop::new(token);
        self.flag.judge(face(Whole { lock: self, entered: Entered::now(), token }))
    }

    /// `admit` for an attempt that may have failed.
    ///
    /// # Safety
    /// 1. As `admit`, if there is a token.
    #[inline]
    pub(super) unsafe fn try_admit<'a, G>(
        &'a self,
        token: Option<R::Token>,
        face: impl FnOnce(Whole<'a, R, T>) -> G,
    ) -> TryLockResult<G> {
        let token = token.ok_or(TryLockError::WouldBlock)?;
        // SAFETY: duty 1 is ours.
        Ok(unsafe { self.admit(token, face) }?)
    }
}

/// Exclusive access to all that a lock protects.
pub(super) struct Whole<'a, R: Exclusive, T: ?Sized> {
    pub(super) lock: &'a Lock<R, T>,
    entered: Entered,
    token: ManuallyDrop<R::Token>,
}

// SAFETY: a shared guard gives out shared references to the value. Without this the guard would inherit
// the lock's bound, which lacks `T: Sync`.
unsafe impl<R: Exclusive<Token: Sync> + Sync, T: ?Sized + Sync> Sync for Whole<'_, R, T> {}

impl<'a, R: Exclusive, T: ?Sized> Whole<'a, R, T> {
    /// What is left of the guard without its value: the duty to release.
    ///
    /// # Safety
    /// 1. The guard is neither used nor dropped after this.
    unsafe fn take_held(&mut self) -> Held<'a, R> {
        // SAFETY: nobody takes it again, by duty 1.
        let token = unsafe { ManuallyDrop::take(&mut self.token) };
        let Lock { raw, flag, .. } = self.lock;
        Held { raw, flag, entered: self.entered, token: ManuallyDrop::new(token) }
    }

    /// As `take_held`.
    pub(super) fn into_held(self) -> Held<'a, R> {
        let mut whole = ManuallyDrop::new(self);
        // SAFETY: it is forgotten.
        unsafe { whole.take_held() }
    }

    /// Narrows to what `choose` chooses.
    pub(super) fn map<U: ?Sized>(
        mut self,
        choose: impl FnOnce(&mut T) -> &mut U,
    ) -> Part<'a, R, U> {
        let data = Alone::new(choose(self.get_mut()));
        Part { data, held: self.into_held() }
    }

    /// Narrows to what `choose` chooses, if it chooses.
    pub(super) fn filter_map<U: ?Sized>(
        mut self,
        choose: impl FnOnce(&mut T) -> Option<&mut U>,
    ) -> Result<Part<'a, R, U>, Self> {
        match choose(self.get_mut()).map(Alone::new) {
            Some(data) => Ok(Part { data, held: self.into_held() }),
            None => Err(self),
        }
    }

    #[inline]
    pub(super) fn get(&self) -> &T {
        // SAFETY: the value is ours until the token is taken.
        unsafe { &*self.lock.data.get() }
    }

    #[inline]
    pub(super) fn get_mut(&mut self) -> &mut T {
        // SAFETY: the value is ours until the token is taken.
        unsafe { &mut *self.lock.data.get() }
    }
}

impl<R: Exclusive, T: ?Sized> Drop for Whole<'_, R, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: this is the end of it.
        drop(unsafe { self.take_held() });
    }
}

/// Exclusive access to a part of what a lock protects.
pub(super) struct Part<'a, R: Exclusive, T: ?Sized> {
    data: Alone<'a, T>,
    held: Held<'a, R>,
}

impl<'a, R: Exclusive, T: ?Sized> Part<'a, R, T> {
    /// As `Whole::map`.
    pub(super) fn map<U: ?Sized>(
        mut self,
        choose: impl FnOnce(&mut T) -> &mut U,
    ) -> Part<'a, R, U> {
        let data = Alone::new(choose(self.get_mut()));
        Part { data, held: self.held }
    }

    /// As `Whole::filter_map`.
    pub(super) fn filter_map<U: ?Sized>(
        mut self,
        choose: impl FnOnce(&mut T) -> Option<&mut U>,
    ) -> Result<Part<'a, R, U>, Self> {
        match choose(self.get_mut()).map(Alone::new) {
            Some(data) => Ok(Part { data, held: self.held }),
            None => Err(self),
        }
    }

    #[inline]
    pub(super) fn get(&self) -> &T {
        // SAFETY: it points into what `held` holds, for us alone.
        unsafe { self.data.pointer.as_ref() }
    }

    #[inline]
    pub(super) fn get_mut(&mut self) -> &mut T {
        // SAFETY: it points into what `held` holds, for us alone.
        unsafe { self.data.pointer.as_mut() }
    }
}

/// An exclusive acquisition, which ends as this is dropped.
pub(super) struct Held<'a, R: Exclusive> {
    raw: &'a R,
    flag: &'a Flag,
    entered: Entered,
    token: ManuallyDrop<R::Token>,
}

impl<R: Exclusive> Held<'_, R> {
    /// For whoever releases in another way; nothing is poisoned.
    pub(super) fn into_token(self) -> R::Token {
        let mut held = ManuallyDrop::new(self);
        // SAFETY: it is forgotten, so nobody takes it again.
        unsafe { ManuallyDrop::take(&mut held.token) }
    }
}

impl<R: Exclusive> Drop for Held<'_, R> {
    #[inline]
    fn drop(&mut self) {
        self.flag.leave(self.entered);
        // SAFETY: this is the end of it, so nobody takes it again.
        let token = unsafe { ManuallyDrop::take(&mut self.token) };
        // SAFETY: 1. it came with the acquisition that made the guard.
        unsafe { self.raw.release(token) };
    }
}

/// A `&'a mut T` that stops being one before its guard does: the guard is passed by value to what
/// releases, and then the value is somebody else's.
struct Alone<'a, T: ?Sized> {
    pointer: NonNull<T>,
    _variance: PhantomData<&'a mut T>,
}

impl<T: ?Sized> Alone<'_, T> {
    fn new(value: &mut T) -> Self {
        Alone { pointer: NonNull::from(value), _variance: PhantomData }
    }
}

// SAFETY: whoever has it may reach the value alone, as with a `&mut T`.
unsafe impl<T: ?Sized + Send> Send for Alone<'_, T> {}
// SAFETY: a shared one gives out shared references, as with a `&mut T`.
unsafe impl<T: ?Sized + Sync> Sync for Alone<'_, T> {}
