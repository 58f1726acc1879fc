//! Waiting a little without sleeping.

use crate::deadline::Moment;
use core::sync::atomic::{AtomicU32, Ordering};

/// Pauses for about `ns` nanoseconds, and for one `spin_loop` hint at least, reading no clock.
pub(crate) fn pause_for(ns: u32) {
    if cfg!(loom) {
        return;
    }
    let hints = (u64::from(ns) * u64::from(hints_per_span())) >> SPAN_NS.ilog2();
    for _ in 0..hints.max(1) {
        core::hint::spin_loop();
    }
}

/// The unit in which the cost of a `spin_loop` hint is kept: a power of two, so that a pause needs
/// no division.
const SPAN_NS: u32 = 1 << 16;

/// How many `spin_loop` hints take [`SPAN_NS`]. What one costs differs forty-fold between processor
/// generations (swiftlang/swift#88523), so it is measured once.
fn hints_per_span() -> u32 {
    static HINTS: AtomicU32 = AtomicU32::new(0);
    match HINTS.load(Ordering::Relaxed) {
        0 => {
            let hints = measure();
            HINTS.store(hints, Ordering::Relaxed);
            hints
        }
        hints => hints,
    }
}

#[cold]
fn measure() -> u32 {
    const PAUSES: u32 = 64;
    // The shortest of a few tries: the others were interrupted.
    let best = (0..4).map(|_| {
        let start = Moment::now();
        for _ in 0..PAUSES {
            core::hint::spin_loop();
        }
        Moment::now().since(start).as_nanos() as u64
    });
    let ns = best.min().unwrap_or(1).max(1);
    u32::try_from(u64::from(PAUSES) * u64::from(SPAN_NS) / ns).unwrap_or(u32::MAX).max(1)
}

/// Exponential back-off for locks built on this crate: a few pauses, each longer than the last,
/// then a few yields to the scheduler, then advice to park.
///
/// ```
/// let mut wait = parkade_core::SpinWait::new();
/// while wait.spin() {
///     // look at the word again
/// }
/// // park
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct SpinWait {
    step: u32,
}

/// Steps that pause, of 2, 4 and 8 times 25 ns.
const PAUSE_STEPS: u32 = 3;
/// Steps in all; those after `PAUSE_STEPS` yield.
const STEPS: u32 = 10;

impl SpinWait {
    /// Starts a back-off.
    #[must_use]
    pub const fn new() -> SpinWait {
        SpinWait { step: 0 }
    }

    /// Starts over, for a waiter that was woken.
    pub const fn reset(&mut self) {
        self.step = 0;
    }

    /// Waits a little; `false`, without waiting, once it is time to park.
    pub fn spin(&mut self) -> bool {
        if self.step >= STEPS {
            return false;
        }
        self.step += 1;
        if self.step <= PAUSE_STEPS {
            pause_for(25 << self.step);
        } else {
            std::thread::yield_now();
        }
        true
    }

    /// Waits a little, longer each time up to a limit, and never yields: for the short sections of
    /// other threads that are known to run.
    pub fn spin_no_yield(&mut self) {
        self.step = (self.step + 1).min(STEPS);
        pause_for(25 << self.step);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn advises_to_park_after_a_bounded_number_of_steps() {
        let mut wait = SpinWait::new();
        let steps = core::iter::repeat_with(|| wait.spin()).take_while(|&go_on| go_on).count();
        assert_eq!(steps, STEPS as usize);
        assert!(!wait.spin());
        wait.reset();
        assert!(wait.spin());
        for _ in 0..100 {
            wait.spin_no_yield();
        }
    }
}
