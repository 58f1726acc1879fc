//! One lock and how to take it.

use crate::shared::Handle;
use core::ptr;
use lock_api::{
    GetThreadId, Mutex, MutexGuard, RawMutex, RawMutexTimed, RawRwLock, RawRwLockTimed,
    RawRwLockUpgradeTimed, ReentrantMutex, ReentrantMutexGuard, RwLock, RwLockReadGuard,
    RwLockUpgradableReadGuard, RwLockWriteGuard,
};
use std::{sync::Arc, time::Instant};

/// A lock and how to take it: a member of a [`LockSet`](super::LockSet).
///
/// [The module](crate::many) lists those there are. It may be implemented for other types, say for one that hides its
/// lock:
///
/// ```
/// use parkade::{Mutex, MutexGuard, lock_many, many::LockRequest};
/// use std::time::Instant;
///
/// #[derive(Default)]
/// struct Account(Mutex<i64>);
///
/// impl<'a> LockRequest for &'a Account {
///     type Guard = MutexGuard<'a, i64>;
///
///     fn address(&self) -> usize {
///         (&self.0).address()
///     }
///     fn lock(&self) -> Self::Guard {
///         self.0.lock()
///     }
///     fn try_lock(&self) -> Option<Self::Guard> {
///         self.0.try_lock()
///     }
///     fn try_lock_until(&self, deadline: Instant) -> Option<Self::Guard> {
///         self.0.try_lock_until(deadline)
///     }
/// }
///
/// let (ann, bob) = (Account::default(), Account::default());
/// let (mut from, mut to) = lock_many((&ann, &bob)).unwrap();
/// *from -= 1;
/// *to += 1;
/// ```
///
/// An implementation keeps three rules. None is a matter of memory safety, for which the guards stand: who breaks one
/// breaks the promises of [`lock_many`](crate::lock_many).
///
/// 1. [`address`](LockRequest::address) is the same for two requests exactly if they are for the same lock, and goes on
///    being so while the lock may be used.
/// 2. The functions that lock take this lock and no other, and leave nothing locked if they return `None` or panic.
/// 3. Dropping the guard releases the lock.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say which lock to take and how",
    note = "a mutex is asked for by `&mutex`, a reader-writer lock by `many::read(&lock)`, `many::write(&lock)` or `many::upgradable_read(&lock)`"
)]
pub trait LockRequest {
    /// Access to what the lock protects; releases it when dropped.
    type Guard;

    /// Where the lock is: what tells it from others, and its place in the order.
    #[must_use]
    fn address(&self) -> usize;

    /// Waits for the lock.
    #[must_use]
    #[track_caller]
    fn lock(&self) -> Self::Guard;

    /// Takes the lock if that needs no waiting.
    #[track_caller]
    fn try_lock(&self) -> Option<Self::Guard>;

    /// Waits for the lock, until `deadline` at most; takes it even later if it is free.
    #[track_caller]
    fn try_lock_until(&self, deadline: Instant) -> Option<Self::Guard>;
}

/// A reader-writer lock to be read. Made by [`read`].
#[derive(Debug)]
pub struct Read<'a, L: ?Sized> {
    pub(crate) lock: &'a L,
}

/// A reader-writer lock to be written. Made by [`write()`].
#[derive(Debug)]
pub struct Write<'a, L: ?Sized> {
    pub(crate) lock: &'a L,
}

/// A reader-writer lock to be read upgradably. Made by [`upgradable_read`].
#[derive(Debug)]
pub struct UpgradableRead<'a, L: ?Sized> {
    pub(crate) lock: &'a L,
}

/// Asks for a reader-writer lock to be read, in a [`LockSet`](super::LockSet).
///
/// ```
/// use parkade::{RwLock, lock_many, many::read};
///
/// let (a, b) = (RwLock::new(1), RwLock::new(2));
/// let (one, two) = lock_many((read(&a), read(&b))).unwrap();
/// assert_eq!(*one + *two, 3);
/// ```
#[inline]
#[must_use]
pub const fn read<L: ?Sized>(lock: &L) -> Read<'_, L> {
    Read { lock }
}

/// Asks for a reader-writer lock to be written, in a [`LockSet`](super::LockSet).
///
/// ```
/// use parkade::{RwLock, lock_many, many::{read, write}};
///
/// let (source, copy) = (RwLock::new(1), RwLock::new(0));
/// let (from, mut to) = lock_many((read(&source), write(&copy))).unwrap();
/// *to = *from;
/// # drop(to);
/// # assert_eq!(*copy.read(), 1);
/// ```
#[inline]
#[must_use]
pub const fn write<L: ?Sized>(lock: &L) -> Write<'_, L> {
    Write { lock }
}

/// Asks for a reader-writer lock to be read upgradably, in a [`LockSet`](super::LockSet).
///
/// To [`upgrade`](lock_api::RwLockUpgradableReadGuard::upgrade) waits for readers, and that wait has no place in the
/// order of the locks: with other guards held use
/// [`try_upgrade`](lock_api::RwLockUpgradableReadGuard::try_upgrade) or a timed form.
///
/// ```
/// use parkade::{RwLock, RwLockUpgradableReadGuard, lock_many, many::{read, upgradable_read}};
///
/// let (limit, used) = (RwLock::new(2), RwLock::new(1));
/// let (limit, reading) = lock_many((read(&limit), upgradable_read(&used))).unwrap();
/// if *reading < *limit {
///     if let Ok(mut used) = RwLockUpgradableReadGuard::try_upgrade(reading) {
///         *used += 1;
///     }
/// }
/// # assert_eq!(*used.read(), 2);
/// ```
#[inline]
#[must_use]
pub const fn upgradable_read<L: ?Sized>(lock: &L) -> UpgradableRead<'_, L> {
    UpgradableRead { lock }
}

macro_rules! copied {
    ($($mode:ident)+) => {$(
        impl<L: ?Sized> Clone for $mode<'_, L> {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<L: ?Sized> Copy for $mode<'_, L> {}
    )+};
}

copied!(Read Write UpgradableRead);

/// Locks that are told apart by where their raw lock is. The address of a lock as a whole would do only as long as the
/// compiler puts the value, which may be another lock, behind the raw lock.
pub(crate) trait Place {
    /// The address of the raw lock.
    fn place(&self) -> usize;
}

impl<R: RawMutex, T: ?Sized> Place for Mutex<R, T> {
    #[inline]
    fn place(&self) -> usize {
        // SAFETY: nothing is done to it.
        ptr::from_ref(unsafe { self.raw() }).addr()
    }
}

impl<R: RawRwLock, T: ?Sized> Place for RwLock<R, T> {
    #[inline]
    fn place(&self) -> usize {
        // SAFETY: nothing is done to it.
        ptr::from_ref(unsafe { self.raw() }).addr()
    }
}

impl<R: RawMutex, G: GetThreadId, T: ?Sized> Place for ReentrantMutex<R, G, T> {
    #[inline]
    fn place(&self) -> usize {
        // SAFETY: nothing is done to it.
        ptr::from_ref(unsafe { self.raw() }).addr()
    }
}

/// Implements `LockRequest` for `$request`, whose lock is `$lock`, with three methods of that lock. `$taken` makes an
/// `Option` of what an attempt returns.
macro_rules! request {
    ($(
        [$($generics:tt)*] $request:ty => $guard:ty,
        $this:ident: $lock:expr, $wait:ident, $attempt:ident, $attempt_until:ident, $taken:path;
    )+) => {$(
        impl<'a, $($generics)*> $crate::many::LockRequest for $request {
            type Guard = $guard;

            #[inline]
            fn address(&self) -> usize {
                let $this = self;
                $crate::many::Place::place($lock)
            }

            #[inline]
            #[track_caller]
            fn lock(&self) -> $guard {
                let $this = self;
                $lock.$wait()
            }

            #[inline]
            #[track_caller]
            fn try_lock(&self) -> Option<$guard> {
                let $this = self;
                $taken($lock.$attempt())
            }

            #[inline]
            #[track_caller]
            fn try_lock_until(&self, deadline: std::time::Instant) -> Option<$guard> {
                let $this = self;
                $taken($lock.$attempt_until(deadline))
            }
        }
    )+};
}

pub(crate) use request;

request! {
    [R: RawMutexTimed<Instant = Instant>, T: ?Sized] &'a Mutex<R, T> => MutexGuard<'a, R, T>,
    this: *this, lock, try_lock, try_lock_until, Option::from;

    [R: RawMutexTimed<Instant = Instant>, G: GetThreadId, T: ?Sized]
    &'a ReentrantMutex<R, G, T> => ReentrantMutexGuard<'a, R, G, T>,
    this: *this, lock, try_lock, try_lock_until, Option::from;

    [R: RawRwLockTimed<Instant = Instant>, T: ?Sized]
    Read<'a, RwLock<R, T>> => RwLockReadGuard<'a, R, T>,
    this: this.lock, read, try_read, try_read_until, Option::from;

    [R: RawRwLockTimed<Instant = Instant>, T: ?Sized]
    Write<'a, RwLock<R, T>> => RwLockWriteGuard<'a, R, T>,
    this: this.lock, write, try_write, try_write_until, Option::from;

    [R: RawRwLockUpgradeTimed + RawRwLockTimed<Instant = Instant>, T: ?Sized]
    UpgradableRead<'a, RwLock<R, T>> => RwLockUpgradableReadGuard<'a, R, T>,
    this: this.lock, upgradable_read, try_upgradable_read, try_upgradable_read_until, Option::from;
}

/// Implements `LockRequest` for `$request` as what it stands for: `$inner`, which is a `$target`.
macro_rules! forward {
    ($(
        $(#[$attribute:meta])*
        [$($generics:tt)*] $request:ty => $target:ty,
        $this:ident: $inner:expr;
    )+) => {$(
        $(#[$attribute])*
        impl<$($generics)*> LockRequest for $request
        where
            $target: LockRequest,
        {
            type Guard = <$target as LockRequest>::Guard;

            #[inline]
            fn address(&self) -> usize {
                let $this = self;
                <$target>::address(&$inner)
            }

            #[inline]
            #[track_caller]
            fn lock(&self) -> Self::Guard {
                let $this = self;
                <$target>::lock(&$inner)
            }

            #[inline]
            #[track_caller]
            fn try_lock(&self) -> Option<Self::Guard> {
                let $this = self;
                <$target>::try_lock(&$inner)
            }

            #[inline]
            #[track_caller]
            fn try_lock_until(&self, deadline: Instant) -> Option<Self::Guard> {
                let $this = self;
                <$target>::try_lock_until(&$inner, deadline)
            }
        }
    )+};
}

forward! {
    /// A request may be kept and used again.
    [L: ?Sized] &L => L, this: **this;

    ['a, L: ?Sized] &'a Arc<L> => &'a L, this: &***this;
    ['a, L: ?Sized] Read<'a, Arc<L>> => Read<'a, L>, this: read(&**this.lock);
    ['a, L: ?Sized] Write<'a, Arc<L>> => Write<'a, L>, this: write(&**this.lock);
    ['a, L: ?Sized] UpgradableRead<'a, Arc<L>> => UpgradableRead<'a, L>, this: upgradable_read(&**this.lock);

    ['a, L: ?Sized] &'a Handle<L> => &'a Arc<L>, this: &***this;
    ['a, L: ?Sized] Read<'a, Handle<L>> => Read<'a, Arc<L>>, this: read(&**this.lock);
    ['a, L: ?Sized] Write<'a, Handle<L>> => Write<'a, Arc<L>>, this: write(&**this.lock);
    ['a, L: ?Sized] UpgradableRead<'a, Handle<L>> => UpgradableRead<'a, Arc<L>>,
    this: upgradable_read(&**this.lock);
}
