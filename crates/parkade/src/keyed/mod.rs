//! A lock per key.

mod cell;
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
pub use {list::KeyInfo, mutex::*, retry::*};
