//! Simulated time.

/// Picoseconds. Nanoseconds would be too coarse for instructions: a loop of millions of them
/// would be off by a fifth.
pub type Ps = u64;

/// Picoseconds in a nanosecond.
pub const NS: Ps = 1_000;

/// Picoseconds in a microsecond.
pub const US: Ps = 1_000_000;

/// Picoseconds in a millisecond.
pub const MS: Ps = 1_000_000_000;

/// The nearest simulated duration to that many nanoseconds.
#[must_use]
pub fn ps(ns: f64) -> Ps {
    (ns * NS as f64).round() as Ps
}
