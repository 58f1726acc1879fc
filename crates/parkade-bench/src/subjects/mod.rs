//! The locks under test.

mod locks;
#[cfg(unix)]
mod pthread;

pub use locks::{Parkade, ParkingLot012, ParkingLot013, Saa, Std, Usync};
#[cfg(unix)]
pub use pthread::Pthread;

/// Runs `$body` with `$subject` naming the type of the subject `$id`: the one place where a
/// subject chosen at run time becomes a type.
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
        }
    };
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::subject::{Subject, SubjectId, TimedSubject};

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
        for &id in SubjectId::ALL {
            with_subject!(id, S => {
                assert_eq!(S::ID, id);
                excludes::<S>();
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
