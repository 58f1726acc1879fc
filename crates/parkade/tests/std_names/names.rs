//! `std::sync`'s names and signatures. `super::sync` is std's or ours.

#![allow(clippy::type_complexity, reason = "each type is a signature, spelt out")]

use super::sync::{
    Arc, Barrier, BarrierWaitResult, Condvar, LazyLock, LockResult, Mutex, MutexGuard, Once,
    OnceLock, OnceState, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError,
    TryLockResult, WaitTimeoutResult, Weak, atomic, mpsc,
};
use std::{
    error::Error,
    fmt::{Debug, Display},
    ops::{Deref, DerefMut},
    panic::{RefUnwindSafe, UnwindSafe},
    time::Duration,
};

pub(crate) static MUTEX: Mutex<u8> = Mutex::new(1);
pub(crate) static RWLOCK: RwLock<u8> = RwLock::new(2);
pub(crate) static ONCE: Once = Once::new();
pub(crate) static CELL: OnceLock<u8> = OnceLock::new();
pub(crate) static LAZY: LazyLock<u8> = LazyLock::new(|| 4);
pub(crate) static CONDVAR: Condvar = Condvar::new();

/// Each function as a pointer of its type: with a value `T`, and with an unsized `U` where that is allowed.
pub(crate) fn signatures<T: 'static, U: ?Sized + 'static>() {
    mutex::<T, U>();
    rwlock::<T, U>();
    condvar::<T>();
    once::<T>();
    lazy::<T>();
    errors::<T>();
    others::<T>();
}

fn mutex<'a, T: 'a, U: ?Sized + 'a>() {
    let _: fn(T) -> Mutex<T> = Mutex::new;
    let _: fn(&'a Mutex<U>) -> LockResult<MutexGuard<'a, U>> = Mutex::lock;
    let _: fn(&'a Mutex<U>) -> TryLockResult<MutexGuard<'a, U>> = Mutex::try_lock;
    let _: fn(&Mutex<U>) -> bool = Mutex::is_poisoned;
    let _: fn(&Mutex<U>) = Mutex::clear_poison;
    let _: fn(Mutex<T>) -> LockResult<T> = Mutex::into_inner;
    let _: fn(&'a mut Mutex<U>) -> LockResult<&'a mut U> = Mutex::get_mut;
}

fn rwlock<'a, T: 'a, U: ?Sized + 'a>() {
    let _: fn(T) -> RwLock<T> = RwLock::new;
    let _: fn(&'a RwLock<U>) -> LockResult<RwLockReadGuard<'a, U>> = RwLock::read;
    let _: fn(&'a RwLock<U>) -> TryLockResult<RwLockReadGuard<'a, U>> = RwLock::try_read;
    let _: fn(&'a RwLock<U>) -> LockResult<RwLockWriteGuard<'a, U>> = RwLock::write;
    let _: fn(&'a RwLock<U>) -> TryLockResult<RwLockWriteGuard<'a, U>> = RwLock::try_write;
    let _: fn(&RwLock<U>) -> bool = RwLock::is_poisoned;
    let _: fn(&RwLock<U>) = RwLock::clear_poison;
    let _: fn(RwLock<T>) -> LockResult<T> = RwLock::into_inner;
    let _: fn(&'a mut RwLock<U>) -> LockResult<&'a mut U> = RwLock::get_mut;
    let _: fn(RwLockWriteGuard<'a, U>) -> RwLockReadGuard<'a, U> = RwLockWriteGuard::downgrade;
}

fn condvar<'a, T: 'a>() {
    type Timed<'a, T> = LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)>;
    type Condition<T> = fn(&mut T) -> bool;
    type Guard<'a, T> = MutexGuard<'a, T>;

    let _: fn() -> Condvar = Condvar::new;
    let _: fn(&Condvar, Guard<'a, T>) -> LockResult<Guard<'a, T>> = Condvar::wait;
    let _: fn(&Condvar, Guard<'a, T>, Condition<T>) -> LockResult<Guard<'a, T>> =
        Condvar::wait_while;
    #[expect(deprecated, reason = "std still has it")]
    let _: fn(&Condvar, Guard<'a, T>, u32) -> LockResult<(Guard<'a, T>, bool)> =
        Condvar::wait_timeout_ms;
    let _: fn(&Condvar, Guard<'a, T>, Duration) -> Timed<'a, T> = Condvar::wait_timeout;
    let _: fn(&Condvar, Guard<'a, T>, Duration, Condition<T>) -> Timed<'a, T> =
        Condvar::wait_timeout_while;
    let _: fn(&Condvar) = Condvar::notify_one;
    let _: fn(&Condvar) = Condvar::notify_all;
    let _: fn(&WaitTimeoutResult) -> bool = WaitTimeoutResult::timed_out;
}

fn once<T>() {
    let _: fn() -> Once = Once::new;
    let _: fn(&Once, fn()) = Once::call_once;
    let _: fn(&Once, fn(&OnceState)) = Once::call_once_force;
    let _: fn(&Once) -> bool = Once::is_completed;
    let _: fn(&Once) = Once::wait;
    let _: fn(&Once) = Once::wait_force;
    let _: fn(&OnceState) -> bool = OnceState::is_poisoned;

    let _: fn() -> OnceLock<T> = OnceLock::new;
    let _: fn(&OnceLock<T>) -> Option<&T> = OnceLock::get;
    let _: fn(&mut OnceLock<T>) -> Option<&mut T> = OnceLock::get_mut;
    let _: fn(&OnceLock<T>) -> &T = OnceLock::wait;
    let _: fn(&OnceLock<T>, T) -> Result<(), T> = OnceLock::set;
    let _: fn(&OnceLock<T>, fn() -> T) -> &T = OnceLock::get_or_init;
    let _: fn(OnceLock<T>) -> Option<T> = OnceLock::into_inner;
    let _: fn(&mut OnceLock<T>) -> Option<T> = OnceLock::take;
}

fn lazy<T>() {
    let _: fn(fn() -> T) -> LazyLock<T> = LazyLock::new;
    let _: fn(&LazyLock<T>) -> &T = LazyLock::force;
    let _: fn(&mut LazyLock<T>) -> &mut T = LazyLock::force_mut;
    let _: fn(&LazyLock<T>) -> Option<&T> = LazyLock::get;
    let _: fn(&mut LazyLock<T>) -> Option<&mut T> = LazyLock::get_mut;
}

fn errors<T>() {
    let _: fn(T) -> PoisonError<T> = PoisonError::new;
    let _: fn(PoisonError<T>) -> T = PoisonError::into_inner;
    let _: fn(&PoisonError<T>) -> &T = PoisonError::get_ref;
    let _: fn(&mut PoisonError<T>) -> &mut T = PoisonError::get_mut;
    let _: fn(PoisonError<T>) -> TryLockError<T> = TryLockError::Poisoned;
    let _: TryLockError<T> = TryLockError::WouldBlock;
}

fn others<T>() {
    let _: fn(usize) -> Barrier = Barrier::new;
    let _: fn(&Barrier) -> BarrierWaitResult = Barrier::wait;
    let _: fn(&BarrierWaitResult) -> bool = BarrierWaitResult::is_leader;
    // What is under these is std's own.
    let _: fn(T) -> Arc<T> = Arc::new;
    let _: fn() -> Weak<T> = Weak::new;
    let _: fn(u8) -> atomic::AtomicU8 = atomic::AtomicU8::new;
    let _: fn() -> (mpsc::Sender<T>, mpsc::Receiver<T>) = mpsc::channel;
}

/// Demands traits of types.
macro_rules! implement {
    ($($ty:ty: $($bound:path),+;)+) => {$({
        fn all<T: ?Sized $(+ $bound)+>() {}
        all::<$ty>();
    })+};
}

/// What std's types implement.
pub(crate) fn traits() {
    implement! {
        Mutex<u8>: Send, Sync, UnwindSafe, RefUnwindSafe, From<u8>, Default, Debug;
        Mutex<std::cell::Cell<u8>>: Send, Sync;
        MutexGuard<'static, u8>: Sync, Deref<Target = u8>, DerefMut, Debug, Display;
        RwLock<u8>: Send, Sync, UnwindSafe, RefUnwindSafe, From<u8>, Default, Debug;
        RwLockReadGuard<'static, u8>: Sync, Deref<Target = u8>, Debug, Display;
        RwLockWriteGuard<'static, u8>: Sync, Deref<Target = u8>, DerefMut, Debug, Display;
        Condvar: Send, Sync, UnwindSafe, RefUnwindSafe, Default, Debug;
        WaitTimeoutResult: Debug, PartialEq, Eq, Copy, Clone;
        Once: Send, Sync, UnwindSafe, RefUnwindSafe, Debug;
        OnceState: Debug;
        OnceLock<u8>: Send, Sync, UnwindSafe, RefUnwindSafe, Default, Debug, Clone, From<u8>, PartialEq, Eq;
        LazyLock<u8>: Send, Sync, UnwindSafe, Deref<Target = u8>, DerefMut, Default, Debug;
        PoisonError<u8>: Debug, Display, Error;
        TryLockError<u8>: Debug, Display, Error, From<PoisonError<u8>>;
        Barrier: Send, Sync, UnwindSafe, RefUnwindSafe, Debug;
        BarrierWaitResult: Debug;
    }
}
