//! The mutexes that a thread may lock again.

use std::cell::Cell;

use super::{Parkade, ParkingLot012, ParkingLot013};
use crate::subject::{ReentrantSubject, SubjectId};

macro_rules! reentrant_subject {
    ($name:ident, $mutex:ty) => {
        impl ReentrantSubject for $name {
            const ID: SubjectId = SubjectId::$name;
            type Lock = $mutex;

            fn new(value: u64) -> Self::Lock {
                <$mutex>::new(Cell::new(value))
            }

            #[inline(always)]
            fn with<R>(lock: &Self::Lock, section: impl FnOnce(&Cell<u64>) -> R) -> R {
                section(&lock.lock())
            }
        }
    };
}

reentrant_subject!(Parkade, parkade::ReentrantMutex<Cell<u64>>);
reentrant_subject!(ParkingLot012, parking_lot_012::ReentrantMutex<Cell<u64>>);
reentrant_subject!(ParkingLot013, parking_lot_013::ReentrantMutex<Cell<u64>>);
