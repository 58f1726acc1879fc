//! A lock for each key: [`KeyedMutex`] and [`KeyedRwLock`].
//!
//! A key is in their table while it is held or waited for, and not a moment longer; so there may be as many as there are users,
//! files or orders.
//!
//! | you want to | use |
//! |---|---|
//! | work on a key alone | [`KeyedMutex::lock`] |
//! | read it with others, or write it | [`KeyedRwLock::read`], [`write`](KeyedRwLock::write) |
//! | not wait, or not for long | `try_`..., `try_`...`_for`, `try_`...`_until` |
//! | keep the guard in a struct, with no lifetime | ..`_owned`, on an `Arc` of the map |
//! | have several keys at a time | ..`_many`: in ascending order, all or none |
//! | poll with pauses that grow | `try_`..`_retrying` and a [`Retry`] |
//! | know who holds what for how long | `keys`, `is_locked`, `len`, `snapshot` |
//!
//! `crates/parkade/examples/per_user_counter.rs` is a web site whose users are served one request at a time each.
#![cfg_attr(loom, allow(rustdoc::broken_intra_doc_links, reason = "no public face"))]

mod cell;
#[cfg(not(loom))]
mod hash;
#[cfg(not(loom))]
mod list;
mod lock;
#[cfg(not(loom))]
mod many;
mod node;
#[cfg(not(loom))]
mod retry;
mod shard;
mod table;

#[cfg(not(loom))]
mod face;
#[cfg(not(loom))]
mod mutex;
#[cfg(not(loom))]
mod rwlock;

#[cfg(all(test, loom))]
mod model;
#[cfg(all(test, loom))]
mod mutants;
#[cfg(all(test, not(loom)))]
mod tests;

#[cfg(not(loom))]
pub use {hash::*, list::KeyInfo, mutex::*, retry::*, rwlock::*};
