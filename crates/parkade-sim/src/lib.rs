//! A discrete-event simulator of lock protocols on many cores.
//!
//! It answers what no machine at hand can: how a lock behaves on 18, 64 or 128 cores. The machine is
//! a model (cores with caches, a scheduler, futexes) whose costs are measured or published
//! ([`machine`]); the protocols are state machines that mirror the real locks access by access
//! ([`protocol`]); the workloads are the benchmark's ([`workload`]). A seed makes a run repeatable.
//!
//! How far it can be trusted is in `docs/scaling.md`, and tests hold it to that.

pub mod calibrate;
pub mod engine;
pub mod line;
pub mod machine;
pub mod outcome;
pub mod protocol;
pub mod rng;
mod sched;
pub mod simulate;
pub mod time;
pub mod trust;
pub mod workload;

pub use machine::{Machine, MachineError};
pub use outcome::Outcome;
pub use protocol::LockId;
pub use simulate::{Run, simulate};
