//! Meeting again and again: [`Barrier`].

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
pub use face::{Barrier, BarrierAbortGuard, BarrierError, BarrierWaitResult, WaitBarrier};
