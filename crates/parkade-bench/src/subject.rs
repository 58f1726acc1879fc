//! A lock under test.

use std::cell::Cell;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::os;

/// A lock around a `u64`.
///
/// Everything takes a closure, because the guards of the rivals have nothing in common. Callers
/// are generic over `Subject`, so that after inlining a call is what a user would have written.
pub trait Subject: 'static {
    /// Which subject this is.
    const ID: SubjectId;

    /// The lock with its value.
    type Lock: Send + Sync;

    /// An unlocked lock.
    fn new(value: u64) -> Self::Lock;

    /// Locks, runs `section` and unlocks.
    fn with<R>(lock: &Self::Lock, section: impl FnOnce(&mut u64) -> R) -> R;

    /// As [`with`](Subject::with) if the lock is free, else `None`.
    fn try_with<R>(lock: &Self::Lock, section: impl FnOnce(&mut u64) -> R) -> Option<R>;
}

/// A reader-writer lock around a `u64`.
pub trait RwSubject: 'static {
    /// Which subject this is.
    const ID: SubjectId;

    /// The lock with its value.
    type Lock: Send + Sync;

    /// An unlocked lock.
    fn new(value: u64) -> Self::Lock;

    /// Locks for reading, runs `section` and unlocks.
    fn read<R>(lock: &Self::Lock, section: impl FnOnce(&u64) -> R) -> R;

    /// Locks for writing, runs `section` and unlocks.
    fn write<R>(lock: &Self::Lock, section: impl FnOnce(&mut u64) -> R) -> R;

    /// As [`read`](RwSubject::read) if nobody writes, else `None`.
    fn try_read<R>(lock: &Self::Lock, section: impl FnOnce(&u64) -> R) -> Option<R>;

    /// As [`write`](RwSubject::write) if the lock is free, else `None`.
    fn try_write<R>(lock: &Self::Lock, section: impl FnOnce(&mut u64) -> R) -> Option<R>;
}

/// A mutex around a `Cell<u64>` that the thread which holds it may lock again.
pub trait ReentrantSubject: 'static {
    /// Which subject this is.
    const ID: SubjectId;

    /// The lock with its value.
    type Lock: Send + Sync;

    /// An unlocked lock.
    fn new(value: u64) -> Self::Lock;

    /// Locks once more, runs `section` and unlocks as often.
    fn with<R>(lock: &Self::Lock, section: impl FnOnce(&Cell<u64>) -> R) -> R;
}

/// A mutex around a `u64` with two condition variables.
pub trait CondvarSubject: 'static {
    /// Which subject this is.
    const ID: SubjectId;

    /// The mutex with its value, and the condition variables.
    type Lock: Send + Sync;

    /// Unlocked, with nobody waiting.
    fn new(value: u64) -> Self::Lock;

    /// Locks, waits in `room` until the value is `ready`, runs `section`, notifies whom it calls and unlocks.
    fn when(
        lock: &Self::Lock,
        room: Room,
        ready: impl FnMut(u64) -> bool,
        section: impl FnOnce(&mut u64) -> Call,
    );
}

/// One of a lock's condition variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// One.
    First,
    /// The other.
    Second,
}

/// Who is notified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Nobody.
    Nobody,
    /// One of those who wait there, if any.
    One(Room),
    /// All who wait there.
    All(Room),
}

/// A lock that can give up after a time.
pub trait TimedSubject: Subject {
    /// As [`Subject::with`], but `None` if the lock does not come within `patience`.
    fn with_for<R>(
        lock: &Self::Lock,
        patience: Duration,
        section: impl FnOnce(&mut u64) -> R,
    ) -> Option<R>;
}

/// What kind of lock is measured. A run is of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LockKind {
    /// Exclusive locks.
    #[default]
    Mutex,
    /// Locks with readers and writers.
    Rwlock,
    /// Exclusive locks that the thread which holds them may lock again.
    Reentrant,
    /// Condition variables.
    Condvar,
}

impl LockKind {
    /// All kinds.
    pub const ALL: &[LockKind] =
        &[LockKind::Mutex, LockKind::Rwlock, LockKind::Reentrant, LockKind::Condvar];

    /// The name on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            LockKind::Mutex => "mutex",
            LockKind::Rwlock => "rwlock",
            LockKind::Reentrant => "reentrant",
            LockKind::Condvar => "condvar",
        }
    }

    /// The kind of that name.
    pub fn find(name: &str) -> Option<LockKind> {
        LockKind::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// Who has a lock of this kind, Parkade first.
    pub fn subjects(self) -> impl Iterator<Item = SubjectId> {
        SubjectId::ALL.iter().copied().filter(move |id| id.has(self))
    }
}

impl fmt::Display for LockKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Names a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SubjectId {
    /// Parkade's locks, the ones the figures are about.
    #[serde(rename = "parkade")]
    Parkade,
    /// The standard library's.
    #[serde(rename = "std")]
    Std,
    /// parking_lot's last 0.12.
    #[serde(rename = "parking_lot-0.12")]
    ParkingLot012,
    /// parking_lot 0.13.
    #[serde(rename = "parking_lot-0.13")]
    ParkingLot013,
    /// usync: queues of threads in the lock's word.
    #[serde(rename = "usync")]
    Usync,
    /// saa, through its `lock_api` feature: first come, first served.
    #[serde(rename = "saa")]
    Saa,
    /// crossbeam's `ShardedLock`: a reader takes one of several locks, a writer all.
    #[serde(rename = "crossbeam-sharded")]
    CrossbeamSharded,
    /// The C library's, of the default kind.
    #[serde(rename = "pthread")]
    Pthread,
}

impl SubjectId {
    /// All subjects this system has, Parkade first.
    pub const ALL: &[SubjectId] = &[
        SubjectId::Parkade,
        SubjectId::Std,
        SubjectId::ParkingLot012,
        SubjectId::ParkingLot013,
        SubjectId::Usync,
        SubjectId::Saa,
        SubjectId::CrossbeamSharded,
        #[cfg(unix)]
        SubjectId::Pthread,
    ];

    /// The name on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            SubjectId::Parkade => "parkade",
            SubjectId::Std => "std",
            SubjectId::ParkingLot012 => "parking_lot-0.12",
            SubjectId::ParkingLot013 => "parking_lot-0.13",
            SubjectId::Usync => "usync",
            SubjectId::Saa => "saa",
            SubjectId::CrossbeamSharded => "crossbeam-sharded",
            SubjectId::Pthread => "pthread",
        }
    }

    /// Whether it has a lock of this kind.
    pub fn has(self, kind: LockKind) -> bool {
        match kind {
            LockKind::Mutex => self != SubjectId::CrossbeamSharded,
            LockKind::Rwlock => true,
            // std's is not stable.
            LockKind::Reentrant => matches!(
                self,
                SubjectId::Parkade | SubjectId::ParkingLot012 | SubjectId::ParkingLot013
            ),
            LockKind::Condvar => self == SubjectId::Std || self.has(LockKind::Reentrant),
        }
    }

    /// A shorter name, accepted wherever the name is.
    pub fn alias(self) -> Option<&'static str> {
        match self {
            SubjectId::ParkingLot012 => Some("pl-0.12"),
            SubjectId::ParkingLot013 => Some("pl-0.13"),
            SubjectId::CrossbeamSharded => Some("sharded"),
            _ => None,
        }
    }

    /// The subject of that name or alias.
    pub fn find(name: &str) -> Option<SubjectId> {
        SubjectId::ALL.iter().copied().find(|id| id.name() == name || id.alias() == Some(name))
    }

    /// The version measured.
    pub fn version(self) -> String {
        match self {
            // All crates of the workspace carry one version.
            SubjectId::Parkade => env!("CARGO_PKG_VERSION").into(),
            SubjectId::Std => env!("PARKADE_BENCH_RUSTC").into(),
            SubjectId::ParkingLot012 => "0.12.5".into(),
            SubjectId::ParkingLot013 => "0.13.0".into(),
            SubjectId::Usync => "0.2.1".into(),
            SubjectId::Saa => "5.6.2".into(),
            SubjectId::CrossbeamSharded => "0.8.23".into(),
            SubjectId::Pthread => os::c_library(),
        }
    }
}

impl fmt::Display for SubjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::{LockKind, SubjectId};

    #[test]
    fn names_come_back() {
        for &id in SubjectId::ALL {
            assert_eq!(SubjectId::find(id.name()), Some(id));
            assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{}\"", id.name()));
        }
        assert_eq!(SubjectId::find("pl-0.12"), Some(SubjectId::ParkingLot012));
        assert_eq!(SubjectId::find("spin"), None);
    }

    #[test]
    fn kinds_have_their_own_locks() {
        for &kind in LockKind::ALL {
            assert_eq!(LockKind::find(kind.name()), Some(kind));
            assert_eq!(kind.subjects().next(), Some(SubjectId::Parkade));
        }
        assert!(LockKind::Mutex.subjects().all(|id| id != SubjectId::CrossbeamSharded));
        assert_eq!(LockKind::Rwlock.subjects().count(), SubjectId::ALL.len());
        assert_eq!(LockKind::Reentrant.subjects().count(), 3);
        assert_eq!(LockKind::Condvar.subjects().count(), 4);
    }

    #[test]
    fn versions_are_the_ones_in_the_manifest() {
        let manifest = include_str!("../Cargo.toml");
        let pinned = [
            SubjectId::ParkingLot012,
            SubjectId::ParkingLot013,
            SubjectId::Usync,
            SubjectId::Saa,
            SubjectId::CrossbeamSharded,
        ];
        for id in pinned {
            let pin = format!("\"={}\"", id.version());
            assert!(manifest.contains(&pin), "{id}: no {pin}");
        }
        assert!(SubjectId::Std.version().starts_with("1."));
    }
}
