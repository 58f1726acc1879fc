//! A lock under test.

use std::cell::Cell;
use std::fmt;
use std::ops::Deref;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::os;
use crate::scenario::{Scenario, SemaphoreShape, Shape};

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

/// A `Once`: a closure that runs once.
pub trait OnceSubject: 'static {
    /// Which subject this is.
    const ID: SubjectId;

    /// The `Once`.
    type Once: Send + Sync;

    /// One whose closure has run.
    fn completed() -> Self::Once;

    /// Asks once more for a closure to run, of one whose closure has run.
    fn call(once: &Self::Once);
}

/// A `OnceLock`: a `u64` that is written once.
pub trait OnceLockSubject: 'static {
    /// Which subject this is.
    const ID: SubjectId;

    /// The lock with its value.
    type OnceLock: Send + Sync;

    /// One with a value.
    fn filled(value: u64) -> Self::OnceLock;

    /// The value.
    fn get(lock: &Self::OnceLock) -> Option<&u64>;
}

/// A mutex for each key.
pub trait KeyedSubject: 'static {
    /// Which subject this is.
    const ID: SubjectId;

    /// The locks of all keys.
    type Map: Send + Sync;

    /// What keeps a key locked without a frame of its own on the stack; see [`hold`](KeyedSubject::hold).
    type Held<'a>;

    /// No key is locked.
    fn new() -> Self::Map;

    /// Locks the key, runs `section` and unlocks.
    fn with<R>(map: &Self::Map, key: u64, section: impl FnOnce() -> R) -> R;

    /// Locks a key that nobody has locked, for as long as what is returned lives, or for ever. Where a map
    /// cannot have many of its keys locked at once by one thread ([`Grain::Coarse`]), it only makes room for
    /// the key as locking does.
    fn hold(map: &Self::Map, key: u64) -> Self::Held<'_>;
}

/// A number of permits.
pub trait SemaphoreSubject: 'static {
    /// Which subject this is.
    const ID: SubjectId;

    /// The semaphore.
    type Semaphore: Send + Sync;

    /// A semaphore with so many permits, all of them to be had.
    fn new(permits: u32) -> Self::Semaphore;

    /// Takes a permit, runs `section` and gives the permit back.
    fn with<R>(semaphore: &Self::Semaphore, section: impl FnOnce() -> R) -> R;
}

/// A semaphore that gives several permits at once.
pub trait WeightedSubject: SemaphoreSubject {
    /// As [`with`](SemaphoreSubject::with), with so many permits at once.
    fn with_many<R>(semaphore: &Self::Semaphore, permits: u32, section: impl FnOnce() -> R) -> R;
}

/// A lock that tasks wait for, and threads too.
///
/// What it protects is read and written as a plain number is. It is atomic because one of the rivals is a lock with
/// nothing in it.
pub trait AsyncSubject: 'static {
    /// Which subject this is.
    const ID: SubjectId;

    /// The lock with its value.
    type Lock: Send + Sync;

    /// Access to the value, for a task that may go from thread to thread meanwhile.
    type Guard<'a>: Deref<Target = AtomicU64> + Send;

    /// An unlocked lock.
    fn new(value: u64) -> Self::Lock;

    /// Locks, waiting as a task does.
    fn lock(lock: &Self::Lock) -> impl Future<Output = Self::Guard<'_>> + Send;

    /// Locks, waiting as a thread does.
    fn lock_blocking(lock: &Self::Lock) -> Self::Guard<'_>;

    /// The bytes of what its users await.
    fn future_bytes(lock: &Self::Lock) -> usize;
}

/// How much a keyed lock locks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grain {
    /// The key that is asked for.
    Exact,
    /// Other keys with it, so that it has less to do, and promises less.
    Coarse,
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
    /// Closures that run once.
    Once,
    /// Values that are written once.
    OnceLock,
    /// A mutex for each key.
    Keyed,
    /// Numbers of permits.
    Semaphore,
    /// Exclusive locks that tasks wait for.
    Async,
}

impl LockKind {
    /// All kinds.
    pub const ALL: &[LockKind] = &[
        LockKind::Mutex,
        LockKind::Rwlock,
        LockKind::Reentrant,
        LockKind::Condvar,
        LockKind::Once,
        LockKind::OnceLock,
        LockKind::Keyed,
        LockKind::Semaphore,
        LockKind::Async,
    ];

    /// The name on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            LockKind::Mutex => "mutex",
            LockKind::Rwlock => "rwlock",
            LockKind::Reentrant => "reentrant",
            LockKind::Condvar => "condvar",
            LockKind::Once => "once",
            LockKind::OnceLock => "once-lock",
            LockKind::Keyed => "keyed",
            LockKind::Semaphore => "semaphore",
            LockKind::Async => "async",
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
    /// Parkade's semaphore with its other policy: who comes may pass who waits.
    #[serde(rename = "parkade-barging")]
    ParkadeBarging,
    /// The standard library's, and what is made of them in a few lines where it has none.
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
    /// saa, its mutexes through its `lock_api` feature: first come, first served.
    #[serde(rename = "saa")]
    Saa,
    /// crossbeam's `ShardedLock`: a reader takes one of several locks, a writer all.
    #[serde(rename = "crossbeam-sharded")]
    CrossbeamSharded,
    /// The C library's, of the default kind.
    #[serde(rename = "pthread")]
    Pthread,
    /// A map to counted mutexes under a mutex, from std; keys stay in it for ever.
    #[serde(rename = "map-of-arc")]
    MapOfArc,
    /// The same; who unlocks a key looks whether anybody else wants it, and if not takes it out.
    #[serde(rename = "map-of-arc-removing")]
    MapOfArcRemoving,
    /// lockable's `LockPool`.
    #[serde(rename = "lockable")]
    Lockable,
    /// keyed-lock.
    #[serde(rename = "keyed-lock")]
    KeyedLock,
    /// dashmap, whose guard of an entry keeps a part of the map locked.
    #[serde(rename = "dashmap")]
    DashMap,
    /// tokio's.
    #[serde(rename = "tokio")]
    Tokio,
    /// async-lock's.
    #[serde(rename = "async-lock")]
    AsyncLock,
}

impl SubjectId {
    /// All subjects this system has, Parkade first.
    pub const ALL: &[SubjectId] = &[
        SubjectId::Parkade,
        SubjectId::ParkadeBarging,
        SubjectId::Std,
        SubjectId::ParkingLot012,
        SubjectId::ParkingLot013,
        SubjectId::Usync,
        SubjectId::Saa,
        SubjectId::CrossbeamSharded,
        #[cfg(unix)]
        SubjectId::Pthread,
        SubjectId::MapOfArc,
        SubjectId::MapOfArcRemoving,
        SubjectId::Lockable,
        SubjectId::KeyedLock,
        SubjectId::DashMap,
        SubjectId::Tokio,
        SubjectId::AsyncLock,
    ];

    /// The name on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            SubjectId::Parkade => "parkade",
            SubjectId::ParkadeBarging => "parkade-barging",
            SubjectId::Std => "std",
            SubjectId::ParkingLot012 => "parking_lot-0.12",
            SubjectId::ParkingLot013 => "parking_lot-0.13",
            SubjectId::Usync => "usync",
            SubjectId::Saa => "saa",
            SubjectId::CrossbeamSharded => "crossbeam-sharded",
            SubjectId::Pthread => "pthread",
            SubjectId::MapOfArc => "map-of-arc",
            SubjectId::MapOfArcRemoving => "map-of-arc-removing",
            SubjectId::Lockable => "lockable",
            SubjectId::KeyedLock => "keyed-lock",
            SubjectId::DashMap => "dashmap",
            SubjectId::Tokio => "tokio",
            SubjectId::AsyncLock => "async-lock",
        }
    }

    /// Whether it has a lock of this kind.
    pub fn has(self, kind: LockKind) -> bool {
        use SubjectId::*;
        match kind {
            LockKind::Mutex => self != CrossbeamSharded && self.has(LockKind::Rwlock),
            LockKind::Rwlock => match self {
                Parkade | Std | ParkingLot012 | ParkingLot013 | Usync | Saa | CrossbeamSharded
                | Pthread => true,
                ParkadeBarging | MapOfArc | MapOfArcRemoving | Lockable | KeyedLock | DashMap
                | Tokio | AsyncLock => false,
            },
            // std's is not stable.
            LockKind::Reentrant => matches!(self, Parkade | ParkingLot012 | ParkingLot013),
            LockKind::Condvar => self == Std || self.has(LockKind::Reentrant),
            LockKind::Once => matches!(self, Parkade | Std | ParkingLot012 | ParkingLot013),
            LockKind::OnceLock => matches!(self, Parkade | Std),
            LockKind::Keyed => matches!(
                self,
                Parkade | MapOfArc | MapOfArcRemoving | Lockable | KeyedLock | DashMap
            ),
            LockKind::Semaphore => {
                matches!(self, Parkade | ParkadeBarging | Std | Saa | Tokio | AsyncLock)
            }
            LockKind::Async => matches!(self, Parkade | Saa | Tokio | AsyncLock),
        }
    }

    /// Whether it can run a scenario, in a time in which somebody will wait for it.
    pub fn can(self, scenario: &Scenario) -> bool {
        let able = match (scenario.shape, self) {
            (Shape::Semaphore(SemaphoreShape::Weighted { .. }), SubjectId::AsyncLock) => false,
            // Each release goes through its whole queue: 100,000 releases would take minutes.
            (Shape::Async(_), SubjectId::Saa) => scenario.threads <= 10_000,
            _ => true,
        };
        able && self.has(scenario.kind())
    }

    /// Whether it is one of Parkade's, which are compared with all others.
    pub fn is_ours(self) -> bool {
        matches!(self, SubjectId::Parkade | SubjectId::ParkadeBarging)
    }

    /// How much its keyed lock locks.
    pub fn grain(self) -> Grain {
        match self {
            SubjectId::DashMap => Grain::Coarse,
            _ => Grain::Exact,
        }
    }

    /// What has to be said of its lock of this kind beside the figures.
    pub fn note(self, kind: LockKind) -> Option<&'static str> {
        use SubjectId::*;
        Some(match (kind, self) {
            (LockKind::Keyed, Parkade) => "KeyedMutex",
            (LockKind::Semaphore, Parkade) => "Semaphore::new: first come, first served",
            (LockKind::Semaphore, ParkadeBarging) => "with SemaphorePolicy::Barging",
            (LockKind::Keyed, MapOfArc) => {
                "std's Mutex<HashMap<K, Arc<Mutex<()>>>>, written by hand; keys stay in it for ever"
            }
            (LockKind::Keyed, MapOfArcRemoving) => {
                "the same, and who unlocks a key that nobody else wants takes it out"
            }
            (LockKind::Keyed, Lockable) => "LockPool::blocking_lock",
            (LockKind::Keyed, KeyedLock) => "its sync::KeyedLock::lock",
            (LockKind::Keyed, DashMap) => {
                "entry(key).or_insert(()), kept: other keys of its shard wait too, so it is judged apart"
            }
            (LockKind::Semaphore, Std) => {
                "std has none; a Mutex<u32> and a Condvar, written by hand, first come is not first served"
            }
            (LockKind::Semaphore, Saa) => "acquire_sync, release",
            (LockKind::Semaphore, Tokio) => "blocking_acquire",
            (LockKind::Semaphore, AsyncLock) => "acquire_blocking; it gives one permit at a time",
            (LockKind::Async, Parkade) => "Mutex: lock_async, and lock from threads",
            (LockKind::Async, Saa) => {
                "Lock: lock_async, lock_sync; a release goes through its whole queue, so 100,000 tasks are too many"
            }
            (LockKind::Async, Tokio) => "its Mutex: lock, blocking_lock; first come, first served",
            (LockKind::Async, AsyncLock) => "its Mutex: lock, lock_blocking",
            _ => return None,
        })
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
            SubjectId::Parkade | SubjectId::ParkadeBarging => env!("CARGO_PKG_VERSION").into(),
            SubjectId::Std | SubjectId::MapOfArc | SubjectId::MapOfArcRemoving => {
                env!("PARKADE_BENCH_RUSTC").into()
            }
            SubjectId::ParkingLot012 => "0.12.5".into(),
            SubjectId::ParkingLot013 => "0.13.0".into(),
            SubjectId::Usync => "0.2.1".into(),
            SubjectId::Saa => "5.6.2".into(),
            SubjectId::CrossbeamSharded => "0.8.23".into(),
            SubjectId::Pthread => os::c_library(),
            SubjectId::Lockable => "0.2.0".into(),
            SubjectId::KeyedLock => "0.2.3".into(),
            SubjectId::DashMap => "6.2.1".into(),
            SubjectId::Tokio => "1.54.1".into(),
            SubjectId::AsyncLock => "3.5.0".into(),
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
        assert_eq!(LockKind::Rwlock.subjects().count(), LockKind::Mutex.subjects().count() + 1);
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
            SubjectId::Lockable,
            SubjectId::KeyedLock,
            SubjectId::DashMap,
            SubjectId::Tokio,
            SubjectId::AsyncLock,
        ];
        for id in pinned {
            let pin = format!("\"={}\"", id.version());
            assert!(manifest.contains(&pin), "{id}: no {pin}");
        }
        assert!(SubjectId::Std.version().starts_with("1."));
    }
}
