//! A lock for each key: [`KeyedMutex`] and [`KeyedRwLock`].
//!
//! A key is in their table while it is held or waited for, and not a moment longer; so there may be as many as there are users,
//! files or orders.
//!
//! | you want to | use |
//! |---|---|
//! | work on a key alone | [`KeyedMutex::lock`] |
//! | read it with others, or write it | [`KeyedRwLock::read`], [`write`](KeyedRwLock::write) |
//! | keep a value for each key, behind its lock | [`LockMap`]; `examples/session_store.rs` |
//! | not wait, or not for long | `try_`..., `try_`...`_for`, `try_`...`_until` |
//! | keep the guard in a struct, with no lifetime | ..`_owned`, on an `Arc` of the map |
//! | have several keys at a time | ..`_many`: in ascending order, all or none |
//! | wait as a task does | `..._async` |
//! | poll with pauses that grow | `try_`..`_retrying` and a [`Retry`] |
//! | know who holds what for how long | `keys`, `is_locked`, `len`, `snapshot` |
//!
//! `crates/parkade/examples/per_user_counter.rs` is a web site whose users are served one request at a time each.
#![cfg_attr(loom, allow(rustdoc::broken_intra_doc_links, reason = "no public face"))]

mod cell;
mod evict;
#[cfg(not(loom))]
mod list;
mod lock;
pub(crate) mod lockmap;
#[cfg(not(loom))]
mod many;
mod node;
#[cfg(not(loom))]
mod retry;
mod shard;
mod table;
mod task;
mod unlinked;
mod walk;

#[cfg(not(loom))]
mod face;
#[cfg(not(loom))]
pub(crate) mod mutex;
#[cfg(not(loom))]
pub(crate) mod rwlock;

#[cfg(all(test, loom))]
mod model;
#[cfg(all(test, loom))]
mod mutants;
#[cfg(all(test, not(loom)))]
mod tests;

#[cfg(not(loom))]
pub use {
    list::KeyInfo,
    lockmap::*,
    mutex::{KeyedMutex, KeyedMutexGuard, KeyedMutexManyGuard, OwnedKeyedMutexGuard},
    retry::*,
    rwlock::{
        KeyedRwLock, KeyedRwLockReadGuard, KeyedRwLockReadManyGuard, KeyedRwLockWriteGuard,
        KeyedRwLockWriteManyGuard, OwnedKeyedRwLockReadGuard, OwnedKeyedRwLockWriteGuard,
    },
};

/// How keys of a [`KeyedMutex`] or a [`KeyedRwLock`] are hashed unless the user says otherwise: by `foldhash`, with a seed of its own
/// for each map.
///
/// Less work than `std`'s SipHash (of an integer by some 6 ns), and less of a defence: somebody who observes a map
/// very closely might find keys that share a chain. It would gain him little: a key is in the table only while it is
/// locked or waited for, so as many would have to be locked at a time, and they never wait for each other. If that
/// still matters, use `KeyedMutex<K, std::hash::RandomState>`. The values of a [`LockMap`] stay, so that is what it does.
///
/// ```
/// use parkade::keyed::{DefaultHashBuilder, KeyedMutex};
/// use std::hash::RandomState;
///
/// let fast: KeyedMutex<u64, DefaultHashBuilder> = KeyedMutex::new();
/// let careful: KeyedMutex<u64, RandomState> = KeyedMutex::default();
/// # drop((fast.lock(&1), careful.lock(&1)));
/// ```
#[cfg(not(loom))]
pub type DefaultHashBuilder = foldhash::fast::RandomState;
