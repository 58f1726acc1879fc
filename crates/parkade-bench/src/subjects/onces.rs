//! What is initialised once.

use super::{Parkade, ParkingLot012, ParkingLot013, Std};
use crate::subject::{OnceLockSubject, OnceSubject, SubjectId};

macro_rules! once_subject {
    ($name:ident, $once:ty) => {
        impl OnceSubject for $name {
            const ID: SubjectId = SubjectId::$name;
            type Once = $once;

            fn completed() -> Self::Once {
                let once = <$once>::new();
                once.call_once(|| {});
                once
            }

            #[inline(always)]
            fn call(once: &Self::Once) {
                once.call_once(|| unreachable!("it is complete"));
            }
        }
    };
}

macro_rules! once_lock_subject {
    ($name:ident, $lock:ty) => {
        impl OnceLockSubject for $name {
            const ID: SubjectId = SubjectId::$name;
            type OnceLock = $lock;

            fn filled(value: u64) -> Self::OnceLock {
                value.into()
            }

            #[inline(always)]
            fn get(lock: &Self::OnceLock) -> Option<&u64> {
                lock.get()
            }
        }
    };
}

once_subject!(Parkade, parkade::Once);
once_subject!(ParkingLot012, parking_lot_012::Once);
once_subject!(ParkingLot013, parking_lot_013::Once);
once_subject!(Std, std::sync::Once);

once_lock_subject!(Parkade, parkade::OnceLock<u64>);
once_lock_subject!(Std, std::sync::OnceLock<u64>);
