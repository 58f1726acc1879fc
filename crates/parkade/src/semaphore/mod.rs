//! Counting permits: [`Semaphore`].

mod call;
mod edges;
pub(crate) mod future;
mod raw;
mod state;

#[cfg(not(loom))]
mod error;
#[cfg(not(loom))]
mod face;
#[cfg(not(loom))]
mod permit;

#[cfg(all(test, loom))]
mod model;
#[cfg(all(test, loom))]
mod mutants;
#[cfg(all(test, not(loom)))]
mod tests;

#[cfg(all(test, loom))]
pub(crate) use edges::ALL as EDGES;
#[cfg(not(loom))]
pub use error::{AcquireError, AddPermitsError, TimedAcquireError, TryAcquireError};
#[cfg(not(loom))]
pub use face::Semaphore;
#[cfg(not(loom))]
pub use permit::{OwnedSemaphorePermit, SemaphorePermit};
pub use state::SemaphorePolicy;
