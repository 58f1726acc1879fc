//! The locks under test.

mod condvars;
mod keyed;
mod locks;
mod onces;
#[cfg(unix)]
mod pthread;
mod reentrant;
mod rwlocks;
mod semaphores;
mod tasks;

pub use condvars::Monitor;
pub use keyed::{DashMap, KeyedLock, Lockable, MapOfArc, MapOfArcRemoving};
pub use locks::{Parkade, ParkingLot012, ParkingLot013, Saa, Std, Usync};
#[cfg(unix)]
pub use pthread::Pthread;
pub use rwlocks::CrossbeamSharded;
pub use semaphores::{AsyncLock, ByHand, ParkadeBarging, Tokio};

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
            other => unreachable!("{other} has no mutex"),
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

/// As [`with_subject`], for what has a `Once`.
#[macro_export]
macro_rules! with_once_subject {
    ($id:expr, $subject:ident => $body:expr) => {
        match $id {
            $crate::subject::SubjectId::ParkingLot012 => {
                type $subject = $crate::subjects::ParkingLot012;
                $body
            }
            $crate::subject::SubjectId::ParkingLot013 => {
                type $subject = $crate::subjects::ParkingLot013;
                $body
            }
            other => $crate::with_once_lock_subject!(other, $subject => $body),
        }
    };
}

/// As [`with_subject`], for what has a `OnceLock`.
#[macro_export]
macro_rules! with_once_lock_subject {
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
            other => unreachable!("{other} has nothing of the kind"),
        }
    };
}

/// As [`with_subject`], for what has a mutex for each key.
#[macro_export]
macro_rules! with_keyed_subject {
    ($id:expr, $subject:ident => $body:expr) => {
        match $id {
            $crate::subject::SubjectId::Parkade => {
                type $subject = $crate::subjects::Parkade;
                $body
            }
            $crate::subject::SubjectId::MapOfArc => {
                type $subject = $crate::subjects::MapOfArc;
                $body
            }
            $crate::subject::SubjectId::MapOfArcRemoving => {
                type $subject = $crate::subjects::MapOfArcRemoving;
                $body
            }
            $crate::subject::SubjectId::Lockable => {
                type $subject = $crate::subjects::Lockable;
                $body
            }
            $crate::subject::SubjectId::KeyedLock => {
                type $subject = $crate::subjects::KeyedLock;
                $body
            }
            $crate::subject::SubjectId::DashMap => {
                type $subject = $crate::subjects::DashMap;
                $body
            }
            other => unreachable!("{other} has nothing of the kind"),
        }
    };
}

/// As [`with_subject`], for semaphores that give several permits at once.
#[macro_export]
macro_rules! with_weighted_subject {
    ($id:expr, $subject:ident => $body:expr) => {
        match $id {
            $crate::subject::SubjectId::Parkade => {
                type $subject = $crate::subjects::Parkade;
                $body
            }
            $crate::subject::SubjectId::ParkadeBarging => {
                type $subject = $crate::subjects::ParkadeBarging;
                $body
            }
            $crate::subject::SubjectId::Std => {
                type $subject = $crate::subjects::Std;
                $body
            }
            $crate::subject::SubjectId::Saa => {
                type $subject = $crate::subjects::Saa;
                $body
            }
            $crate::subject::SubjectId::Tokio => {
                type $subject = $crate::subjects::Tokio;
                $body
            }
            other => unreachable!("{other} has nothing of the kind"),
        }
    };
}

/// As [`with_subject`], for semaphores.
#[macro_export]
macro_rules! with_semaphore_subject {
    ($id:expr, $subject:ident => $body:expr) => {
        match $id {
            $crate::subject::SubjectId::AsyncLock => {
                type $subject = $crate::subjects::AsyncLock;
                $body
            }
            other => $crate::with_weighted_subject!(other, $subject => $body),
        }
    };
}

/// As [`with_subject`], for locks that tasks wait for.
#[macro_export]
macro_rules! with_async_subject {
    ($id:expr, $subject:ident => $body:expr) => {
        match $id {
            $crate::subject::SubjectId::Parkade => {
                type $subject = $crate::subjects::Parkade;
                $body
            }
            $crate::subject::SubjectId::Saa => {
                type $subject = $crate::subjects::Saa;
                $body
            }
            $crate::subject::SubjectId::Tokio => {
                type $subject = $crate::subjects::Tokio;
                $body
            }
            $crate::subject::SubjectId::AsyncLock => {
                type $subject = $crate::subjects::AsyncLock;
                $body
            }
            other => unreachable!("{other} has nothing of the kind"),
        }
    };
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering::Relaxed;
    use std::sync::atomic::{AtomicU32, AtomicU64};
    use std::time::Duration;

    use super::*;
    use crate::subject::{
        AsyncSubject, Call, CondvarSubject, Grain, KeyedSubject, LockKind, OnceLockSubject,
        OnceSubject, ReentrantSubject, Room, RwSubject, SemaphoreSubject, Subject, SubjectId,
        TimedSubject, WeightedSubject,
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

    #[test]
    fn every_once_is_complete_and_every_once_lock_has_its_value() {
        for id in LockKind::Once.subjects() {
            with_once_subject!(id, S => {
                assert_eq!(<S as OnceSubject>::ID, id);
                S::call(&S::completed());
            });
        }
        for id in LockKind::OnceLock.subjects() {
            with_once_lock_subject!(id, S => {
                assert_eq!(<S as OnceLockSubject>::ID, id);
                assert_eq!(S::get(&S::filled(7)), Some(&7));
            });
        }
    }

    const KEYS: u64 = 4;

    fn excludes_by_key<S: KeyedSubject>() {
        let map = S::new();
        let counts: [AtomicU64; KEYS as usize] = Default::default();
        std::thread::scope(|scope| {
            for thread in 0..3 {
                let (map, counts) = (&map, &counts);
                scope.spawn(move || {
                    for op in 0..2_000 {
                        // One key is wanted by all most of the time.
                        let key = if op % 2 == 0 { 0 } else { (op / 2 + thread) % KEYS };
                        S::with(map, key, || {
                            let count = &counts[key as usize];
                            let seen = count.load(Relaxed);
                            std::hint::black_box(&count);
                            count.store(seen + 1, Relaxed);
                        });
                    }
                });
            }
        });
        let all: u64 = counts.iter().map(|count| count.load(Relaxed)).sum();
        assert_eq!(all, 6_000, "{}", S::ID);
    }

    /// With one key locked, all others are free, and so they are while they are held.
    fn keys_are_free_of_each_other<S: KeyedSubject>() {
        let map = S::new();
        let mut others = 0;
        S::with(&map, 1_000, || (0..64).for_each(|key| S::with(&map, key, || others += 1)));
        assert_eq!(others, 64, "{}", S::ID);
        let held: Vec<_> = (0..64).map(|key| S::hold(&map, key)).collect();
        assert!(S::with(&map, 1_000, || true), "{}", S::ID);
        drop(held);
    }

    #[test]
    fn every_keyed_subject_excludes_by_key() {
        for id in LockKind::Keyed.subjects() {
            with_keyed_subject!(id, S => {
                assert_eq!(<S as KeyedSubject>::ID, id);
                excludes_by_key::<S>();
                if id.grain() == Grain::Exact {
                    keys_are_free_of_each_other::<S>();
                }
            });
        }
    }

    /// Four threads that take `weight(op)` permits each of three.
    fn keeps_to_its_permits(
        id: SubjectId,
        weight: fn(u32) -> u32,
        with: impl Fn(u32, &dyn Fn()) + Sync,
    ) {
        let (inside, done) = (AtomicU32::new(0), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (inside, done, with) = (&inside, &done, &with);
                scope.spawn(move || {
                    for op in 0..1_000 {
                        let permits = weight(op + thread);
                        with(permits, &|| {
                            let now = inside.fetch_add(permits, Relaxed) + permits;
                            assert!(now <= 3, "{id}: {now} of 3 permits");
                            if op % 16 == 0 {
                                std::thread::yield_now();
                            }
                            inside.fetch_sub(permits, Relaxed);
                            done.fetch_add(1, Relaxed);
                        });
                    }
                });
            }
        });
        assert_eq!((inside.into_inner(), done.into_inner()), (0, 4_000), "{id}");
    }

    fn gives_one<S: SemaphoreSubject>() {
        let semaphore = S::new(3);
        keeps_to_its_permits(S::ID, |_| 1, |_, section| S::with(&semaphore, section));
    }

    fn gives_several<S: WeightedSubject>() {
        let semaphore = S::new(3);
        let with = |permits, section: &dyn Fn()| S::with_many(&semaphore, permits, section);
        keeps_to_its_permits(S::ID, |op| 1 + op % 3, with);
    }

    #[test]
    fn no_semaphore_gives_more_permits_than_it_has() {
        let weighted = crate::scenario::find("sem-8-8-weighted").unwrap();
        for id in LockKind::Semaphore.subjects() {
            with_semaphore_subject!(id, S => {
                assert_eq!(<S as SemaphoreSubject>::ID, id);
                gives_one::<S>();
            });
            if id.can(&weighted) {
                with_weighted_subject!(id, S => gives_several::<S>());
            }
        }
    }

    /// One adds as a task, over an `await` inside, the others as threads.
    fn excludes_tasks_and_threads<S: AsyncSubject>() {
        let lock = S::new(0);
        let add = |value: &AtomicU64| {
            let seen = value.load(Relaxed);
            std::hint::black_box(&value);
            value.store(seen + 1, Relaxed);
        };
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().build();
                runtime.expect("a runtime").block_on(async {
                    for _ in 0..500 {
                        let value = S::lock(&lock).await;
                        tokio::task::yield_now().await;
                        add(&value);
                    }
                });
            });
            for _ in 0..2 {
                scope.spawn(|| (0..500).for_each(|_| add(&S::lock_blocking(&lock))));
            }
        });
        assert_eq!(S::lock_blocking(&lock).load(Relaxed), 1500, "{}", S::ID);
        assert!((8..1000).contains(&S::future_bytes(&lock)), "{}", S::ID);
    }

    #[test]
    fn every_async_subject_excludes_tasks_and_threads() {
        for id in LockKind::Async.subjects() {
            with_async_subject!(id, S => {
                assert_eq!(<S as AsyncSubject>::ID, id);
                excludes_tasks_and_threads::<S>();
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
