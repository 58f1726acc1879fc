//! The Rust locks.

use std::sync::PoisonError;
use std::time::Duration;

use crate::subject::{Subject, SubjectId, TimedSubject};

macro_rules! lock_api_subject {
    ($(#[$doc:meta])* $name:ident, $mutex:ty) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub enum $name {}

        impl Subject for $name {
            const ID: SubjectId = SubjectId::$name;
            type Lock = $mutex;

            fn new(value: u64) -> Self::Lock {
                <$mutex>::new(value)
            }

            #[inline(always)]
            fn with<R>(lock: &Self::Lock, section: impl FnOnce(&mut u64) -> R) -> R {
                section(&mut lock.lock())
            }

            #[inline(always)]
            fn try_with<R>(lock: &Self::Lock, section: impl FnOnce(&mut u64) -> R) -> Option<R> {
                lock.try_lock().map(|mut guard| section(&mut guard))
            }
        }
    };
}

macro_rules! lock_api_timed {
    ($name:ident) => {
        impl TimedSubject for $name {
            #[inline(always)]
            fn with_for<R>(
                lock: &Self::Lock,
                patience: Duration,
                section: impl FnOnce(&mut u64) -> R,
            ) -> Option<R> {
                lock.try_lock_for(patience).map(|mut guard| section(&mut guard))
            }
        }
    };
}

lock_api_subject!(
    /// Parkade's mutex.
    Parkade,
    parkade::Mutex<u64>
);
lock_api_subject!(
    /// parking_lot 0.12's mutex.
    ParkingLot012,
    parking_lot_012::Mutex<u64>
);
lock_api_subject!(
    /// parking_lot 0.13's mutex.
    ParkingLot013,
    parking_lot_013::Mutex<u64>
);
lock_api_subject!(
    /// usync's mutex.
    Usync,
    usync::Mutex<u64>
);
lock_api_subject!(
    /// saa's mutex.
    Saa,
    saa::Mutex<u64>
);

lock_api_timed!(Parkade);
lock_api_timed!(ParkingLot012);
lock_api_timed!(ParkingLot013);

/// The standard library's mutex. Poisoning is ignored, as programs that have a choice do; its
/// cost (looking whether the thread panics) stays.
#[derive(Debug, Clone, Copy)]
pub enum Std {}

impl Subject for Std {
    const ID: SubjectId = SubjectId::Std;
    type Lock = std::sync::Mutex<u64>;

    fn new(value: u64) -> Self::Lock {
        std::sync::Mutex::new(value)
    }

    #[inline(always)]
    fn with<R>(lock: &Self::Lock, section: impl FnOnce(&mut u64) -> R) -> R {
        section(&mut lock.lock().unwrap_or_else(PoisonError::into_inner))
    }

    #[inline(always)]
    fn try_with<R>(lock: &Self::Lock, section: impl FnOnce(&mut u64) -> R) -> Option<R> {
        lock.try_lock().ok().map(|mut guard| section(&mut guard))
    }
}
