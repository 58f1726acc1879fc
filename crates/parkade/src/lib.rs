//! Locks that are small, fast and bounded in how long anybody waits.

#[cfg(not(loom))]
mod face;
mod fair_mutex;
#[cfg(all(test, loom))]
mod model;
mod mutex;

#[cfg(not(loom))]
pub(crate) use face::lock_api_face;
pub use fair_mutex::*;
pub use mutex::*;

#[cfg(not(loom))]
pub use lock_api;
pub use parkade_core::tuning;

/// The marker in every guard: it decides whether a guard may be sent to another thread.
#[cfg(all(not(loom), not(feature = "send_guard")))]
type GuardMarker = lock_api::GuardNoSend;
#[cfg(all(not(loom), feature = "send_guard"))]
type GuardMarker = lock_api::GuardSend;
