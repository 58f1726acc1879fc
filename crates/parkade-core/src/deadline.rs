//! Points on the monotonic clock, as the parkers want them: absolute, eight bytes, copyable.

use core::time::Duration;
use std::time::Instant;

/// A point on the process's monotonic clock, in nanoseconds since an unspecified origin.
///
/// Unlike [`Instant`] it can be handed to the kernel as an absolute deadline and stored in eight
/// bytes. It saturates: a point beyond the end of the clock (584 years) is [`Moment::NEVER`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(u64);

impl Moment {
    /// Later than every moment that can be reached.
    pub const NEVER: Moment = Moment(u64::MAX);

    /// Reads the clock.
    #[must_use]
    pub fn now() -> Moment {
        Moment(clock::now_ns())
    }

    /// A recent moment, never later than now: what the kernel noted at its last tick, one to ten milliseconds
    /// ago, at a fraction of what [`now`](Moment::now) costs. For ages, not for deadlines.
    #[inline]
    #[must_use]
    pub fn recent() -> Moment {
        Moment(clock::recent_ns())
    }

    /// The moment `wait` from now.
    #[must_use]
    pub fn after(wait: Duration) -> Moment {
        Moment::now().plus(wait)
    }

    /// The moment that `instant` names. Never earlier than it, so that nobody times out early.
    #[must_use]
    pub fn at(instant: Instant) -> Moment {
        // The two clocks are read in this order so that a delay between them makes the result
        // later, never earlier.
        let before = Instant::now();
        let now = Moment::now();
        now.plus(instant.saturating_duration_since(before))
    }

    /// This moment moved by `wait`.
    #[must_use]
    pub fn plus(self, wait: Duration) -> Moment {
        let ns = u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX);
        Moment(self.0.saturating_add(ns))
    }

    /// Time from `earlier` to `self`, zero when `earlier` is the later one.
    #[must_use]
    pub fn since(self, earlier: Moment) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// `budget_ns`, or as much of it as is left until this moment.
    pub(crate) fn cap(self, budget_ns: u32, now: Moment) -> u32 {
        budget_ns.min(u32::try_from(self.since(now).as_nanos()).unwrap_or(u32::MAX))
    }

    /// The moment so many nanoseconds after the clock's origin.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Moment {
        Moment(nanos)
    }

    /// Nanoseconds since the clock's origin.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }
}

#[cfg(target_os = "linux")]
mod clock {
    /// `CLOCK_MONOTONIC`, the clock that `FUTEX_WAIT_BITSET` measures absolute deadlines on.
    pub(super) fn now_ns() -> u64 {
        read(libc::CLOCK_MONOTONIC)
    }

    /// The same clock as of the last tick.
    #[inline]
    pub(super) fn recent_ns() -> u64 {
        read(libc::CLOCK_MONOTONIC_COARSE)
    }

    #[inline]
    fn read(clock: libc::clockid_t) -> u64 {
        let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `now` is a live, writable timespec; every Linux has both clocks.
        unsafe { libc::clock_gettime(clock, &raw mut now) };
        now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
    }
}

#[cfg(not(target_os = "linux"))]
mod clock {
    use std::{sync::OnceLock, time::Instant};

    /// Nanoseconds since the first call in this process.
    pub(super) fn now_ns() -> u64 {
        static ORIGIN: OnceLock<Instant> = OnceLock::new();
        ORIGIN.get_or_init(Instant::now).elapsed().as_nanos() as u64
    }

    pub(super) fn recent_ns() -> u64 {
        now_ns()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn saturates_instead_of_wrapping() {
        assert_eq!(Moment::after(Duration::MAX), Moment::NEVER);
        assert_eq!(Moment::NEVER.plus(Duration::from_secs(1)), Moment::NEVER);
        assert_eq!(Moment::now().since(Moment::NEVER), Duration::ZERO);
    }

    #[test]
    fn a_recent_moment_is_past_and_not_long() {
        let before = Moment::now();
        let recent = Moment::recent();
        assert!(recent <= Moment::now());
        assert!(before.since(recent) < Duration::from_secs(1));
    }

    #[test]
    fn an_instant_is_never_made_earlier() {
        for ms in [0, 1, 2, 5] {
            let instant = Instant::now() + Duration::from_millis(ms);
            let moment = Moment::at(instant);
            while Moment::now() < moment {
                std::thread::yield_now();
            }
            assert!(Instant::now() >= instant);
        }
    }
}
