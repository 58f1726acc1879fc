//! What a locked key takes.

use serde::{Deserialize, Serialize};

use crate::os;
use crate::subject::{KeyedSubject, SubjectId};
use crate::with_keyed_subject;

/// How many keys are locked at once.
pub const KEYS: u64 = 1_000_000;

/// Most bytes a locked key may take beside its own, with Parkade.
pub const MOST: f64 = 64.0;

/// What a key with so many bytes takes while it is locked.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct KeyMemory {
    /// Whose lock.
    pub subject: SubjectId,
    /// How many keys were locked at once.
    pub keys: u64,
    /// Bytes of the heap for each, as the C library's allocator counts what is in use (its own share
    /// included), without the 8 bytes of the key itself.
    pub beside_key: f64,
    /// Bytes of the guard, which is its holder's and not on the heap; 0 where keys were not held
    /// ([`KeyedSubject::hold`]).
    pub guard: usize,
    /// Bytes of the heap for each that are in use yet when every key is free again.
    pub left: f64,
}

impl KeyMemory {
    /// Whether a locked key takes no more than it may.
    pub fn reached(&self) -> bool {
        self.beside_key <= MOST
    }
}

/// Locks `keys` keys at once and asks the allocator. `None` where the system does not tell, or the subject has
/// nothing of the kind. Nobody else may allocate meanwhile.
pub fn of(subject: SubjectId, keys: u64) -> Option<KeyMemory> {
    with_keyed_subject!(subject, S => measure::<S>(keys))
}

fn measure<S: KeyedSubject>(keys: u64) -> Option<KeyMemory> {
    let map = S::new();
    // What a first call needs once is no key's.
    S::with(&map, 0, || ());
    let mut held = Vec::with_capacity(usize::try_from(keys).ok()?);
    let free = os::heap_in_use()?;
    held.extend((0..keys).map(|key| S::hold(&map, key)));
    let locked = os::heap_in_use()?;
    held.clear();
    let freed = os::heap_in_use()?;
    let each = |bytes: u64| bytes.saturating_sub(free) as f64 / keys as f64;
    Some(KeyMemory {
        subject: S::ID,
        keys,
        beside_key: each(locked) - size_of::<u64>() as f64,
        guard: size_of::<S::Held<'_>>(),
        left: each(freed),
    })
}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::*;
    use crate::subject::LockKind;

    #[test]
    fn a_locked_key_takes_something_and_not_much() {
        for id in LockKind::Keyed.subjects() {
            let memory = of(id, 100_000).expect("the system tells");
            assert_eq!(memory.subject, id);
            // Other tests allocate meanwhile, but no megabytes.
            assert!((-8.0..1000.0).contains(&memory.beside_key), "{memory:?}");
        }
    }
}
