//! A clock cheap enough to read inside the loops.
//!
//! On x86-64 with an invariant time-stamp counter this is that counter (about 10 ns a read on
//! the development machine, against 24-33 ns for `Instant`), calibrated against the monotonic
//! clock once per process. Elsewhere it is `Instant`.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Reads time in ticks and converts differences to nanoseconds.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    source: Source,
    ns_per_tick: f64,
}

#[derive(Debug, Clone, Copy)]
enum Source {
    #[cfg(target_arch = "x86_64")]
    TimeStampCounter,
    Monotonic(Instant),
}

impl Clock {
    /// The process's clock, calibrated at the first call (which takes about 20 ms).
    pub fn get() -> Clock {
        static CLOCK: OnceLock<Clock> = OnceLock::new();
        *CLOCK.get_or_init(Clock::calibrate)
    }

    /// What the clock reads, for the report.
    pub fn name(self) -> &'static str {
        match self.source {
            #[cfg(target_arch = "x86_64")]
            Source::TimeStampCounter => "time-stamp counter",
            Source::Monotonic(_) => "monotonic clock",
        }
    }

    /// Now, in ticks since an arbitrary origin.
    #[inline(always)]
    pub fn ticks(self) -> u64 {
        match self.source {
            #[cfg(target_arch = "x86_64")]
            Source::TimeStampCounter => read_counter(),
            Source::Monotonic(origin) => origin.elapsed().as_nanos() as u64,
        }
    }

    /// Nanoseconds from `earlier` to `later`; zero when they are the wrong way round, which two
    /// processors' counters can be by a few ticks.
    #[inline]
    pub fn ns_between(self, earlier: u64, later: u64) -> u64 {
        (later.saturating_sub(earlier) as f64 * self.ns_per_tick) as u64
    }

    /// How many ticks last as long as `duration`.
    pub fn ticks_in(self, duration: Duration) -> u64 {
        (duration.as_nanos() as f64 / self.ns_per_tick) as u64
    }

    #[cfg(target_arch = "x86_64")]
    fn calibrate() -> Clock {
        if !counter_is_invariant() {
            return Clock::monotonic();
        }
        let (begin, first) = (Instant::now(), read_counter());
        std::thread::sleep(Duration::from_millis(20));
        let (elapsed, last) = (begin.elapsed(), read_counter());
        if last <= first {
            return Clock::monotonic();
        }
        Clock {
            source: Source::TimeStampCounter,
            ns_per_tick: elapsed.as_nanos() as f64 / (last - first) as f64,
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn calibrate() -> Clock {
        Clock::monotonic()
    }

    fn monotonic() -> Clock {
        Clock { source: Source::Monotonic(Instant::now()), ns_per_tick: 1.0 }
    }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
#[allow(unsafe_code, reason = "the counter has no safe face in std")]
fn read_counter() -> u64 {
    // SAFETY: the instruction has no requirement beyond being x86-64's, which cfg ensures.
    unsafe { std::arch::x86_64::_rdtsc() }
}

/// A counter that stops or changes its rate with the processor's power state is of no use.
#[cfg(target_arch = "x86_64")]
fn counter_is_invariant() -> bool {
    let Ok(text) = std::fs::read_to_string("/proc/cpuinfo") else {
        return false;
    };
    text.lines()
        .find(|line| line.starts_with("flags"))
        .is_some_and(|flags| flags.contains("constant_tsc") && flags.contains("nonstop_tsc"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_monotonic_clock() {
        let clock = Clock::get();
        let (begin, first) = (Instant::now(), clock.ticks());
        std::thread::sleep(Duration::from_millis(30));
        let (last, elapsed) = (clock.ticks(), begin.elapsed());
        let ratio = clock.ns_between(first, last) as f64 / elapsed.as_nanos() as f64;
        assert!((0.5..1.5).contains(&ratio), "{ratio}");
        assert_eq!(clock.ns_between(last, first), 0);
    }
}
