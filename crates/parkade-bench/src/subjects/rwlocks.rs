//! The Rust reader-writer locks.

use std::sync::PoisonError;

use super::{Parkade, ParkingLot012, ParkingLot013, Saa, Std, Usync};
use crate::subject::{RwSubject, SubjectId};

/// `$unwrap` takes a blocking call's guard out of what it returns, `$try_unwrap` that of a call
/// which does not block.
macro_rules! rw_subject {
    ($name:ident, $rwlock:ty, $unwrap:expr, $try_unwrap:expr) => {
        impl RwSubject for $name {
            const ID: SubjectId = SubjectId::$name;
            type Lock = $rwlock;

            fn new(value: u64) -> Self::Lock {
                <$rwlock>::new(value)
            }

            #[inline(always)]
            fn read<R>(lock: &Self::Lock, section: impl FnOnce(&u64) -> R) -> R {
                let guard = $unwrap(lock.read());
                section(&guard)
            }

            #[inline(always)]
            fn write<R>(lock: &Self::Lock, section: impl FnOnce(&mut u64) -> R) -> R {
                let mut guard = $unwrap(lock.write());
                section(&mut guard)
            }

            #[inline(always)]
            fn try_read<R>(lock: &Self::Lock, section: impl FnOnce(&u64) -> R) -> Option<R> {
                $try_unwrap(lock.try_read()).map(|guard| section(&guard))
            }

            #[inline(always)]
            fn try_write<R>(lock: &Self::Lock, section: impl FnOnce(&mut u64) -> R) -> Option<R> {
                $try_unwrap(lock.try_write()).map(|mut guard| section(&mut guard))
            }
        }
    };
    (lock_api $name:ident, $rwlock:ty) => {
        rw_subject!($name, $rwlock, std::convert::identity, std::convert::identity);
    };
    // Poisoning is ignored, as in the mutex: what it costs stays.
    (poisoning $name:ident, $rwlock:ty) => {
        rw_subject!($name, $rwlock, ignore_poison, Result::ok);
    };
}

#[inline(always)]
fn ignore_poison<G>(guard: Result<G, PoisonError<G>>) -> G {
    guard.unwrap_or_else(PoisonError::into_inner)
}

/// crossbeam's `ShardedLock`.
#[derive(Debug, Clone, Copy)]
pub enum CrossbeamSharded {}

rw_subject!(lock_api Parkade, parkade::RwLock<u64>);
rw_subject!(lock_api ParkingLot012, parking_lot_012::RwLock<u64>);
rw_subject!(lock_api ParkingLot013, parking_lot_013::RwLock<u64>);
rw_subject!(lock_api Usync, usync::RwLock<u64>);
rw_subject!(lock_api Saa, saa::RwLock<u64>);
rw_subject!(poisoning Std, std::sync::RwLock<u64>);
rw_subject!(poisoning CrossbeamSharded, crossbeam_utils::sync::ShardedLock<u64>);
