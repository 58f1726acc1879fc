//! Waiting for something to be true: [`Condvar`].

pub(crate) mod future;
mod raw;
mod state;

#[cfg(not(loom))]
mod face;
#[cfg(not(loom))]
mod guards;

#[cfg(all(test, loom))]
mod model;
#[cfg(all(test, loom))]
mod mutants;
#[cfg(all(test, not(loom)))]
mod tests;

#[cfg(not(loom))]
pub use face::*;
#[cfg(not(loom))]
pub(crate) use raw::Ended;
pub use raw::RawCondvar;
