//! The condition variables.

use std::sync::PoisonError;

use super::{Parkade, ParkingLot012, ParkingLot013, Std};
use crate::subject::{Call, CondvarSubject, Room, SubjectId};

/// A mutex with its value and a condition variable for each room.
#[derive(Debug, Default)]
pub struct Monitor<M, C> {
    mutex: M,
    first: C,
    second: C,
}

impl<M, C> Monitor<M, C> {
    #[inline(always)]
    fn of(&self, room: Room) -> &C {
        match room {
            Room::First => &self.first,
            Room::Second => &self.second,
        }
    }
}

macro_rules! call {
    ($monitor:expr, $call:expr) => {
        match $call {
            Call::Nobody => {}
            Call::One(room) => {
                $monitor.of(room).notify_one();
            }
            Call::All(room) => {
                $monitor.of(room).notify_all();
            }
        }
    };
}

macro_rules! condvar_subject {
    ($name:ident, $library:ident) => {
        impl CondvarSubject for $name {
            const ID: SubjectId = SubjectId::$name;
            type Lock = Monitor<$library::Mutex<u64>, $library::Condvar>;

            fn new(value: u64) -> Self::Lock {
                Monitor { mutex: $library::Mutex::new(value), ..Monitor::default() }
            }

            #[inline(always)]
            fn when(
                lock: &Self::Lock,
                room: Room,
                mut ready: impl FnMut(u64) -> bool,
                section: impl FnOnce(&mut u64) -> Call,
            ) {
                let mut guard = lock.mutex.lock();
                while !ready(*guard) {
                    lock.of(room).wait(&mut guard);
                }
                call!(lock, section(&mut guard));
            }
        }
    };
}

condvar_subject!(Parkade, parkade);
condvar_subject!(ParkingLot012, parking_lot_012);
condvar_subject!(ParkingLot013, parking_lot_013);

/// Poisoning is ignored, as in the mutex: what it costs stays.
impl CondvarSubject for Std {
    const ID: SubjectId = SubjectId::Std;
    type Lock = Monitor<std::sync::Mutex<u64>, std::sync::Condvar>;

    fn new(value: u64) -> Self::Lock {
        Monitor { mutex: std::sync::Mutex::new(value), ..Monitor::default() }
    }

    #[inline(always)]
    fn when(
        lock: &Self::Lock,
        room: Room,
        mut ready: impl FnMut(u64) -> bool,
        section: impl FnOnce(&mut u64) -> Call,
    ) {
        let mut guard = lock.mutex.lock().unwrap_or_else(PoisonError::into_inner);
        while !ready(*guard) {
            guard = lock.of(room).wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        call!(lock, section(&mut guard));
    }
}
