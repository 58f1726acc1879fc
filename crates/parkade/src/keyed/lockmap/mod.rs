//! A value for each key, behind the key's lock.

#[cfg(not(loom))]
mod entry;
#[cfg(not(loom))]
mod map;
#[cfg(all(test, loom))]
mod model;
#[cfg(all(test, loom))]
mod mutants;
mod slot;
#[cfg(not(loom))]
mod store;
#[cfg(not(loom))]
pub(crate) mod tasks;
#[cfg(not(loom))]
mod ways;

#[cfg(not(loom))]
pub use {entry::*, map::*};
