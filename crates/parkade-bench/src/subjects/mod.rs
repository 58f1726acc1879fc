//! The locks under test.

mod condvars;
mod locks;
#[cfg(unix)]
mod pthread;
mod reentrant;
mod rwlocks;

pub use condvars::Monitor;
pub use locks::{Parkade, ParkingLot012, ParkingLot013, Saa, Std, Usync};
#[cfg(unix)]
pub use pthread::Pthread;
pub use rwlocks::CrossbeamSharded;

/// Runs `$body` with `$subject` naming the type of the subject `$id`, which has a mutex: the one
/// place, with [`with_rw_subject`](crate::with_rw_subject), where a subject chosen at run time becomes a type.
#[macro_export]
macro_rules! with_subject {
    ($id:expr, $subject:ident => $body:expr) => {
        match $id {
            $crate::subject::SubjectId::Parkade => {
                type $subject = $crate::subjects::Parkade;
                $body
            }
            $crate::subject::SubjectId::Std => {
                type $subject = $crate::subjects::Std;
                $body
            }
            $crate::subject::SubjectId::ParkingLot012 => {
                type $subject = $crate::subjects::ParkingLot012;
                $body
            }
            $crate::subject::SubjectId::ParkingLot013 => {
                type $subject = $crate::subjects::ParkingLot013;
                $body
            }
            $crate::subject::SubjectId::Usync => {
                type $subject = $crate::subjects::Usync;
                $body
            }
            $crate::subject::SubjectId::Saa => {
                type $subject = $crate::subjects::Saa;
                $body
            }
            #[cfg(unix)]
            $crate::subject::SubjectId::Pthread => {
                type $subject = $crate::subjects::Pthread;
                $body
            }
            #[cfg(not(unix))]
            $crate::subject::SubjectId::Pthread => unreachable!("not offered on this system"),
            $crate::subject::SubjectId::CrossbeamSharded => unreachable!("it has no mutex"),
        }
    };
}

/// As [`with_subject`], for reader-writer locks.
#[macro_export]
macro_rules! with_rw_subject {
    ($id:expr, $subject:ident => $body:expr) => {
        match $id {
            $crate::subject::SubjectId::CrossbeamSharded => {
                type $subject = $crate::subjects::CrossbeamSharded;
                $body
            }
            other => $crate::with_subject!(other, $subject => $body),
        }
    };
}

/// As [`with_subject`], for reentrant mutexes.
#[macro_export]
macro_rules! with_reentrant_subject {
    ($id:expr, $subject:ident => $body:expr) => {
        match $id {
            $crate::subject::SubjectId::Parkade => {
                type $subject = $crate::subjects::Parkade;
                $body
            }
            $crate::subject::SubjectId::ParkingLot012 => {
                type $subject = $crate::subjects::ParkingLot012;
                $body
            }
            $crate::subject::SubjectId::ParkingLot013 => {
                type $subject = $crate::subjects::ParkingLot013;
                $body
            }
            other => unreachable!("{other} has nothing of the kind"),
        }
    };
}

/// As [`with_subject`], for condition variables.
#[macro_export]
macro_rules! with_condvar_subject {
    ($id:expr, $subject:ident => $body:expr) => {
        match $id {
            $crate::subject::SubjectId::Std => {
                type $subject = $crate::subjects::Std;
                $body
            }
            other => $crate::with_reentrant_subject!(other, $subject => $body),
        }
    };
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::subject::{
        Call, CondvarSubject, LockKind, ReentrantSubject, Room, RwSubject, Subject, TimedSubject,
    };

    fn excludes<S: Subject>() {
        let lock = S::new(0);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        S::with(&lock, |value| {
                            let seen = *value;
                            std::hint::black_box(&mut *value);
                            *value = seen + 1;
                        });
                    }
                });
            }
        });
        assert_eq!(S::with(&lock, |value| *value), 1500, "{}", S::ID);
        assert_eq!(S::with(&lock, |_| S::try_with(&lock, |_| ())), None, "{}", S::ID);
        assert_eq!(S::try_with(&lock, |value| *value), Some(1500), "{}", S::ID);
    }

    #[test]
    fn every_subject_excludes() {
        for id in LockKind::Mutex.subjects() {
            with_subject!(id, S => {
                assert_eq!(<S as Subject>::ID, id);
                excludes::<S>();
            });
        }
    }

    fn excludes_writers<S: RwSubject>() {
        let lock = S::new(0);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let mut last = 0;
                    for _ in 0..500 {
                        S::write(&lock, |value| {
                            let seen = *value;
                            std::hint::black_box(&mut *value);
                            *value = seen + 2;
                        });
                        let seen = S::read(&lock, |value| *value);
                        // Its own write and those before it are there.
                        assert!(seen >= last + 2, "{}: {seen} after {last}", S::ID);
                        last = seen;
                    }
                });
            }
        });
        assert_eq!(S::read(&lock, |value| *value), 3000, "{}", S::ID);
    }

    fn shares_reading<S: RwSubject>() {
        let lock = S::new(7);
        let other = |seen: fn(&S::Lock) -> Option<u64>| {
            std::thread::scope(|scope| scope.spawn(|| seen(&lock)).join().unwrap())
        };
        let (read, write) = S::read(&lock, |_| {
            (other(|lock| S::try_read(lock, |v| *v)), other(|lock| S::try_write(lock, |v| *v)))
        });
        assert_eq!((read, write), (Some(7), None), "{}", S::ID);
        let (read, write) = S::write(&lock, |_| {
            (other(|lock| S::try_read(lock, |v| *v)), other(|lock| S::try_write(lock, |v| *v)))
        });
        assert_eq!((read, write), (None, None), "{}", S::ID);
        assert_eq!(S::try_write(&lock, |value| *value), Some(7), "{}", S::ID);
    }

    #[test]
    fn every_rw_subject_excludes_writers_and_shares_reading() {
        for id in LockKind::Rwlock.subjects() {
            with_rw_subject!(id, S => {
                assert_eq!(<S as RwSubject>::ID, id);
                excludes_writers::<S>();
                shares_reading::<S>();
            });
        }
    }

    fn locks_again<S: ReentrantSubject>() {
        let lock = S::new(0);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        S::with(&lock, |outer| {
                            let seen = outer.get();
                            S::with(&lock, |inner| inner.set(std::hint::black_box(seen) + 1));
                        });
                    }
                });
            }
        });
        assert_eq!(S::with(&lock, |value| value.get()), 1500, "{}", S::ID);
    }

    #[test]
    fn every_reentrant_subject_locks_again_and_excludes() {
        for id in LockKind::Reentrant.subjects() {
            with_reentrant_subject!(id, S => {
                assert_eq!(<S as ReentrantSubject>::ID, id);
                locks_again::<S>();
            });
        }
    }

    /// Three threads in each room, and a turn of a thread of one makes it the other's turn.
    fn notifies<S: CondvarSubject>() {
        let lock = S::new(0);
        std::thread::scope(|scope| {
            for (mine, room, other) in
                [(0, Room::First, Room::Second), (1, Room::Second, Room::First)]
            {
                for _ in 0..3 {
                    let lock = &lock;
                    scope.spawn(move || {
                        for _ in 0..500 {
                            let turn = |value: &mut u64| {
                                *value += 1;
                                Call::One(other)
                            };
                            S::when(lock, room, |value| value % 2 == mine, turn);
                        }
                    });
                }
            }
        });
        S::when(
            &lock,
            Room::First,
            |_| true,
            |value| {
                assert_eq!(*value, 3000, "{}", S::ID);
                Call::Nobody
            },
        );
    }

    #[test]
    fn every_condvar_subject_notifies() {
        for id in LockKind::Condvar.subjects() {
            with_condvar_subject!(id, S => {
                assert_eq!(<S as CondvarSubject>::ID, id);
                notifies::<S>();
            });
        }
    }

    fn gives_up<S: TimedSubject>() {
        let lock = S::new(7);
        let patience = Duration::from_millis(5);
        let nested = S::with(&lock, |_| S::with_for(&lock, patience, |_| ()));
        assert_eq!(nested, None, "{}", S::ID);
        assert_eq!(S::with_for(&lock, patience, |value| *value), Some(7), "{}", S::ID);
    }

    #[test]
    fn timed_subjects_give_up() {
        gives_up::<Parkade>();
        gives_up::<ParkingLot012>();
        gives_up::<ParkingLot013>();
        #[cfg(target_os = "linux")]
        gives_up::<Pthread>();
    }
}
