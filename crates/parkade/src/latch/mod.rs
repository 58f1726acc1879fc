//! Waiting until so much has been done: [`Latch`], and what is under [`WaitGroup`](crate::WaitGroup).

mod edges;
mod future;
mod raw;
mod state;

#[cfg(not(loom))]
mod face;

#[cfg(all(test, loom))]
mod model;
#[cfg(all(test, loom))]
mod mutants;
#[cfg(all(test, not(loom)))]
mod tests;

#[cfg(all(test, loom))]
pub(crate) use edges::ALL as EDGES;
#[cfg(not(loom))]
pub use face::{CountDownError, Latch, WaitLatch};
#[cfg(not(loom))]
pub(crate) use raw::{RawLatch, Waited};
#[cfg(not(loom))]
pub(crate) use state::MOST_MEMBERS;
