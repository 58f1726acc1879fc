//! When a lock returns from symmetric to asymmetric mode.

use crate::{deadline::Moment, fence};
use core::{
    cell::Cell,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// How many symmetric unlocks a thread makes before it proposes to return a lock to asymmetric
/// mode. guess: saving about 5 ns each they repay a heavy fence of a few microseconds.
const RETURN_AFTER: u32 = 1024;

/// Returns to asymmetric mode per second, process-wide: each lets one waiter interrupt every
/// processor once. A bystander keeps 99 % of its speed beside that many (example `fence_cost`).
const RETURNS_PER_SECOND: u64 = 1000;

/// Whether the holder of a lock in symmetric mode may return it to asymmetric mode
/// now. Bounds heavy fences process-wide: one per lock at its first wait, then
/// `RETURNS_PER_SECOND` in all.
#[must_use]
pub fn may_return_to_asymmetric() -> bool {
    thread_local! {
        static UNLOCKS: Cell<u32> = const { Cell::new(0) };
    }
    /// Access: the time of the next permitted return; advanced by whoever takes one.
    static NEXT: AtomicU64 = AtomicU64::new(0);

    if fence::strategy() == fence::Strategy::Symmetric {
        return false;
    }
    let unlocks = UNLOCKS.get() + 1;
    if unlocks < RETURN_AFTER {
        UNLOCKS.set(unlocks);
        return false;
    }
    UNLOCKS.set(0);
    let interval = Duration::from_secs(1).as_nanos() as u64 / RETURNS_PER_SECOND;
    let (now, next) = (Moment::now().as_nanos(), NEXT.load(Ordering::Relaxed));
    now >= next
        && NEXT.compare_exchange(next, now + interval, Ordering::Relaxed, Ordering::Relaxed).is_ok()
}
