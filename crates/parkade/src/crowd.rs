//! Letting go all who wait at an address, at once.

use core::cell::OnceCell;
use parkade_core::{FilterOp, UnparkToken};

/// What becomes of those who are queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Crowd {
    /// All leave the queue, and wake with this token.
    Goes(UnparkToken),
    /// Nothing.
    Stays,
}

/// Calls `decide`, once, under the bucket lock of `key`, and does what it says with those who are queued
/// there before anybody else can join or leave. They wake after the lock is released, and from then on
/// whatever is at `key` may be freed: it is not looked at again.
///
/// # Safety
/// 1. `key` is an address that the caller controls.
/// 2. `decide` runs under a queue lock: it does not call into the table, does not panic, and returns quickly.
pub(crate) unsafe fn decide<D: Copy>(key: usize, decide: impl Fn() -> (D, Crowd)) -> D {
    let decision = OnceCell::new();
    let filter = |_| match decision.get_or_init(&decide).1 {
        Crowd::Goes(_) => FilterOp::Unpark,
        Crowd::Stays => FilterOp::Stop,
    };
    let token = |_| match decision.get_or_init(&decide).1 {
        Crowd::Goes(token) => token,
        Crowd::Stays => parkade_core::DEFAULT_UNPARK_TOKEN,
    };
    // SAFETY: the same duties; the callbacks do nothing but `decide`.
    unsafe { parkade_core::unpark_filter(key, filter, token) };
    decision.get().expect("the second callback always runs").0
}
