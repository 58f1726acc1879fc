//! Doing something once: [`Once`], [`OnceLock`] and [`LazyLock`].

mod edges;
mod future;
mod raw;
mod reentry;
mod state;

#[cfg(not(loom))]
mod face;
#[cfg(not(loom))]
mod lazy_lock;
#[cfg(not(loom))]
mod once_lock;
#[cfg(not(loom))]
mod slot;

#[cfg(all(test, loom))]
mod model;
#[cfg(all(test, loom))]
mod mutants;
#[cfg(all(test, not(loom)))]
mod tests;

#[cfg(all(test, loom))]
pub(crate) use edges::ALL as EDGES;
#[cfg(not(loom))]
pub use face::{Once, OnceState, WaitOnce};
#[cfg(not(loom))]
pub use lazy_lock::LazyLock;
#[cfg(not(loom))]
pub use once_lock::{GetOrInit, GetOrTryInit, OnceLock, WaitOnceLock};
