//! The mutexes for each key. None of them protects a value: whoever holds a key uses what belongs to it, the
//! same for all subjects.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Parkade;
use crate::subject::{KeyedSubject, SubjectId};

/// lockable's pool of locks.
#[derive(Debug, Clone, Copy)]
pub enum Lockable {}

/// keyed-lock's, for threads.
#[derive(Debug, Clone, Copy)]
pub enum KeyedLock {}

macro_rules! keyed_subject {
    ($name:ident, $map:ty, $guard:ty, |$at:ident, $key:ident| $lock:expr) => {
        impl KeyedSubject for $name {
            const ID: SubjectId = SubjectId::$name;
            type Map = $map;
            type Held<'a> = $guard;

            fn new() -> Self::Map {
                <$map>::new()
            }

            #[inline(always)]
            fn with<R>($at: &Self::Map, $key: u64, section: impl FnOnce() -> R) -> R {
                let _guard = $lock;
                section()
            }

            fn hold($at: &Self::Map, $key: u64) -> Self::Held<'_> {
                $lock
            }
        }
    };
}

keyed_subject!(
    Parkade,
    parkade::keyed::KeyedMutex<u64>,
    parkade::keyed::KeyedMutexGuard<'a, u64>,
    |map, key| map.lock(&key)
);
keyed_subject!(
    Lockable,
    lockable::LockPool<u64>,
    <lockable::LockPool<u64> as lockable::Lockable<u64, ()>>::Guard<'a>,
    |map, key| map.blocking_lock(key)
);
keyed_subject!(
    KeyedLock,
    keyed_lock::sync::KeyedLock<u64>,
    keyed_lock::sync::Guard<'a, u64>,
    |map, key| map.lock(key)
);

/// An entry of dashmap. A thread that holds one may not ask for another.
#[derive(Debug, Clone, Copy)]
pub enum DashMap {}

impl KeyedSubject for DashMap {
    const ID: SubjectId = SubjectId::DashMap;
    type Map = dashmap::DashMap<u64, ()>;
    type Held<'a> = ();

    fn new() -> Self::Map {
        dashmap::DashMap::new()
    }

    #[inline(always)]
    fn with<R>(map: &Self::Map, key: u64, section: impl FnOnce() -> R) -> R {
        let _entry = map.entry(key).or_insert(());
        section()
    }

    fn hold(map: &Self::Map, key: u64) {
        map.entry(key).or_insert(());
    }
}

type Lock = Arc<Mutex<()>>;
type Locks = Mutex<HashMap<u64, Lock>>;

/// Poisoning is ignored, as in the mutex: what it costs stays.
#[inline(always)]
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[inline(always)]
fn lock_of(map: &Locks, key: u64) -> Lock {
    Arc::clone(locked(map).entry(key).or_default())
}

/// Locks a key for ever: a guard would borrow from what it is returned with.
fn hold(map: &Locks, key: u64) -> Lock {
    let lock = lock_of(map, key);
    mem::forget(locked(&lock));
    lock
}

/// What everybody writes first.
#[derive(Debug, Clone, Copy)]
pub enum MapOfArc {}

impl KeyedSubject for MapOfArc {
    const ID: SubjectId = SubjectId::MapOfArc;
    type Map = Locks;
    type Held<'a> = Lock;

    fn new() -> Self::Map {
        Locks::default()
    }

    #[inline(always)]
    fn with<R>(map: &Self::Map, key: u64, section: impl FnOnce() -> R) -> R {
        let lock = lock_of(map, key);
        let _guard = locked(&lock);
        section()
    }

    fn hold(map: &Self::Map, key: u64) -> Lock {
        hold(map, key)
    }
}

/// What they write when the map has grown too large.
#[derive(Debug, Clone, Copy)]
pub enum MapOfArcRemoving {}

impl KeyedSubject for MapOfArcRemoving {
    const ID: SubjectId = SubjectId::MapOfArcRemoving;
    type Map = Locks;
    type Held<'a> = Lock;

    fn new() -> Self::Map {
        Locks::default()
    }

    #[inline(always)]
    fn with<R>(map: &Self::Map, key: u64, section: impl FnOnce() -> R) -> R {
        let lock = lock_of(map, key);
        let guard = locked(&lock);
        let result = section();
        drop(guard);
        let mut locks = locked(map);
        // The map's and ours. Others are made under the mutex of the map only.
        if Arc::strong_count(&lock) == 2 {
            locks.remove(&key);
        }
        result
    }

    fn hold(map: &Self::Map, key: u64) -> Lock {
        hold(map, key)
    }
}
