//! Which traits the types have, for values that are shared, sent and thrown in different ways.

use std::{
    cell::Cell,
    fmt::{Debug, Display},
    marker::PhantomPinned,
    panic::{RefUnwindSafe, UnwindSafe},
    rc::Rc,
};

use super::sync::{
    Condvar, LazyLock, Mutex, MutexGuard, Once, OnceLock, RwLock, RwLockReadGuard,
    RwLockWriteGuard, WaitTimeoutResult,
};
use crate::Log;

/// `Send`, not `Sync`.
type Sent = Cell<u8>;
/// `Sync`, not `Send`.
type Shared = std::sync::MutexGuard<'static, u8>;
/// Neither.
type Kept = Rc<u8>;
/// Not `UnwindSafe`.
type Exclusive = &'static mut u8;
/// Neither `UnwindSafe` nor `RefUnwindSafe`.
type Fragile = &'static Cell<u8>;
/// Without a size.
type Text = str;
/// Without a size, and with nothing else.
type Opaque = dyn Debug;

/// Notes which types have which of the traits.
macro_rules! note_traits {
    ($log:ident, [$($trait:ident)+], $types:tt) => {
        $(note_traits!(@trait $log, $trait, $types);)+
    };
    (@trait $log:ident, $trait:ident, [$($type:ty,)+]) => {{
        /// Its constant is that of the inherent impl if the bounds hold, and the trait's if not.
        #[allow(dead_code, reason = "it is all about the type")]
        struct Probe<T: ?Sized>(std::marker::PhantomData<T>);

        #[allow(dead_code, reason = "all of the types may have the trait")]
        trait Absent {
            const HAS: bool = false;
        }

        impl<T: ?Sized> Absent for Probe<T> {}

        #[allow(dead_code, reason = "none of the types may have the trait")]
        impl<T: ?Sized + $trait> Probe<T> {
            const HAS: bool = true;
        }

        $($log.push(format!("{}: {} {}", stringify!($type), stringify!($trait), <Probe<$type>>::HAS));)+
    }};
}

macro_rules! note_traits_of_locks {
    ($log:ident, $lock:ident) => {
        note_traits!($log, [Send Sync Unpin UnwindSafe RefUnwindSafe Debug Display Default], [
            $lock<u8>, $lock<Sent>, $lock<Shared>, $lock<Kept>, $lock<Exclusive>, $lock<Fragile>,
            $lock<Text>, $lock<Opaque>,
        ]);
    };
}

macro_rules! note_traits_of_guards {
    ($log:ident, $guard:ident) => {
        note_traits!($log, [Sync Unpin UnwindSafe RefUnwindSafe Debug Display], [
            $guard<'static, u8>, $guard<'static, Sent>, $guard<'static, Shared>,
            $guard<'static, Kept>, $guard<'static, Exclusive>, $guard<'static, Fragile>,
            $guard<'static, Text>, $guard<'static, Opaque>,
        ]);
        #[cfg(not(feature = "send_guard"))]
        note_traits!($log, [Send], [
            $guard<'static, u8>, $guard<'static, Sent>, $guard<'static, Shared>,
            $guard<'static, Kept>, $guard<'static, Exclusive>, $guard<'static, Fragile>,
            $guard<'static, Text>, $guard<'static, Opaque>,
        ]);
    };
}

pub(crate) fn locks() -> Log {
    let mut log = Log::new();
    note_traits_of_locks!(log, Mutex);
    note_traits_of_locks!(log, RwLock);
    assert!(log.iter().any(|line| line == "Mutex < Kept >: Send false"), "{log:?}");
    assert!(log.iter().any(|line| line == "Mutex < Sent >: Sync true"), "{log:?}");
    log
}

pub(crate) fn guards() -> Log {
    let mut log = Log::new();
    note_traits_of_guards!(log, MutexGuard);
    note_traits_of_guards!(log, RwLockReadGuard);
    note_traits_of_guards!(log, RwLockWriteGuard);
    log
}

pub(crate) fn others() -> Log {
    let mut log = Log::new();
    note_traits!(log, [Send Sync Unpin UnwindSafe RefUnwindSafe Debug Default Copy Clone], [
        Condvar, Once, WaitTimeoutResult,
    ]);
    note_traits!(log, [PartialEq Eq], [WaitTimeoutResult,]);
    note_traits!(log, [Send Sync Unpin UnwindSafe RefUnwindSafe Debug Default Clone PartialEq Eq], [
        OnceLock<u8>, OnceLock<Sent>, OnceLock<Shared>, OnceLock<Kept>, OnceLock<Exclusive>,
        OnceLock<Fragile>, OnceLock<f32>, OnceLock<PhantomPinned>,
    ]);
    note_traits!(log, [Send Sync Unpin UnwindSafe RefUnwindSafe Debug Default], [
        LazyLock<u8>, LazyLock<Sent>, LazyLock<Shared>, LazyLock<Kept>, LazyLock<Exclusive>,
        LazyLock<Fragile>, LazyLock<PhantomPinned>,
        // What makes the value matters too.
        LazyLock<u8, Sent>, LazyLock<u8, Shared>, LazyLock<u8, Kept>, LazyLock<u8, Exclusive>,
        LazyLock<u8, Fragile>, LazyLock<u8, PhantomPinned>,
    ]);
    log
}
