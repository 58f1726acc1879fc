//! The duration of lock calls.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::rng::Rng;
use crate::scenario::Sampling;

/// Waits longer than this are recorded as this.
const LONGEST_NS: u64 = 120_000_000_000;

/// Decides which operations are timed and keeps what came out, for one thread.
#[derive(Debug)]
pub(crate) struct Sampler {
    clock: Clock,
    countdown: u32,
    /// Countdowns are drawn from `0..window`; zero means that every operation is timed.
    window: u32,
    rng: Rng,
    histogram: Histogram<u64>,
    longest: u64,
    last_granted: Option<u64>,
    longest_gap: u64,
}

impl Sampler {
    pub(crate) fn new(sampling: Sampling, clock: Clock, seed: u64) -> Sampler {
        let (countdown, window) = match sampling {
            Sampling::Off => (u32::MAX, 0),
            Sampling::OneIn(n) => (0, 2 * n),
            Sampling::Every => (0, 0),
        };
        Sampler {
            clock,
            countdown,
            window,
            rng: Rng::new(seed),
            histogram: empty_histogram(),
            longest: 0,
            last_granted: None,
            longest_gap: 0,
        }
    }

    /// Whether the next operation is to be timed. Without sampling it is one in 2^32, which
    /// costs nothing and needs no second loop.
    #[inline(always)]
    pub(crate) fn due(&mut self) -> Due {
        if self.countdown == 0 {
            Due::Now
        } else {
            self.countdown -= 1;
            Due::Later
        }
    }

    /// Takes in a timed operation.
    #[inline]
    pub(crate) fn record(&mut self, asked: u64, granted: u64) {
        if self.window != 0 {
            self.countdown = self.rng.below(self.window);
        }
        let ns = self.clock.ns_between(asked, granted);
        self.histogram.saturating_record(ns.min(LONGEST_NS));
        self.longest = self.longest.max(ns);
        if let Some(last) = self.last_granted {
            self.longest_gap = self.longest_gap.max(self.clock.ns_between(last, granted));
        }
        self.last_granted = Some(granted);
    }

    pub(crate) fn finish(self) -> ThreadWaits {
        ThreadWaits {
            histogram: self.histogram,
            longest_ns: self.longest,
            longest_gap_ns: self.longest_gap,
        }
    }
}

/// Whether an operation is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    Now,
    Later,
}

/// One thread's waits.
#[derive(Debug)]
pub(crate) struct ThreadWaits {
    pub(crate) histogram: Histogram<u64>,
    pub(crate) longest_ns: u64,
    pub(crate) longest_gap_ns: u64,
}

impl ThreadWaits {
    /// Takes in a wait, and the time since the waiter had the lock before.
    #[inline]
    pub(crate) fn record(&mut self, ns: u64, gap_ns: u64) {
        self.histogram.saturating_record(ns.min(LONGEST_NS));
        self.longest_ns = self.longest_ns.max(ns);
        self.longest_gap_ns = self.longest_gap_ns.max(gap_ns);
    }
}

/// A histogram of nanoseconds with two significant digits.
pub(crate) fn empty_histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_NS, 2).expect("the bounds are legal")
}

/// Adds what is in `more`.
pub(crate) fn merge(all: &mut Histogram<u64>, more: &Histogram<u64>) {
    all.add(more).expect("all histograms have the same bounds");
}

/// The waits of a round; see the crate's documentation for what a wait is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Waits {
    /// How many operations were timed.
    pub samples: u64,
    /// Their mean.
    pub mean_ns: f64,
    /// Their standard deviation.
    pub stddev_ns: f64,
    /// Median.
    pub p50_ns: u64,
    /// 99th percentile.
    pub p99_ns: u64,
    /// 99.9th percentile.
    pub p999_ns: u64,
    /// The longest wait: the longer of the two below.
    pub max_ns: u64,
    /// The longest timed wait.
    pub sampled_max_ns: u64,
    /// The longest wait seen by the watcher; 0 if none lasted for two looks.
    pub watched_max_ns: u64,
    /// The longest time between two timed acquisitions of a thread: no wait in between was
    /// longer than this.
    pub gap_max_ns: u64,
    /// Waits shorter than this can have escaped both: two longest waits below it are not told
    /// apart. 0 where every wait is timed.
    pub resolution_ns: u64,
}

impl Waits {
    /// Sums up the threads' waits.
    pub(crate) fn from_threads(
        threads: &[&ThreadWaits],
        watched_max_ns: u64,
        resolution: Duration,
    ) -> (Waits, Histogram<u64>) {
        let mut all = empty_histogram();
        for thread in threads {
            merge(&mut all, &thread.histogram);
        }
        let longest =
            |of: fn(&ThreadWaits) -> u64| threads.iter().map(|t| of(t)).max().unwrap_or(0);
        let sampled_max_ns = longest(|thread| thread.longest_ns);
        // A bucket's upper end can lie beyond everything in it.
        let quantile = |q| all.value_at_quantile(q).min(sampled_max_ns);
        let waits = Waits {
            samples: all.len(),
            mean_ns: all.mean(),
            stddev_ns: all.stdev(),
            p50_ns: quantile(0.5),
            p99_ns: quantile(0.99),
            p999_ns: quantile(0.999),
            max_ns: sampled_max_ns.max(watched_max_ns),
            sampled_max_ns,
            watched_max_ns,
            gap_max_ns: longest(|thread| thread.longest_gap_ns),
            resolution_ns: resolution.as_nanos() as u64,
        };
        (waits, all)
    }
}

/// One point of a distribution of waits.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct QuantilePoint {
    /// The part of waits which are not longer, 0 to 1.
    pub quantile: f64,
    /// The wait.
    pub ns: u64,
}

/// Enough points of a distribution to draw it.
pub(crate) fn quantile_points(histogram: &Histogram<u64>) -> Vec<QuantilePoint> {
    const QUANTILES: [f64; 13] =
        [0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9995, 0.9999, 0.99999];
    // A quantile needs several samples beyond it to mean anything.
    let enough = |&q: &f64| (1.0 - q) * histogram.len() as f64 >= 3.0;
    QUANTILES
        .into_iter()
        .filter(enough)
        .map(|quantile| QuantilePoint { quantile, ns: histogram.value_at_quantile(quantile) })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampler(sampling: Sampling) -> Sampler {
        Sampler::new(sampling, Clock::get(), 5)
    }

    #[test]
    fn one_in_n_is_one_in_n() {
        let mut sampler = sampler(Sampling::OneIn(64));
        let timed = (0..64_000)
            .filter(|_| {
                let due = sampler.due() == Due::Now;
                if due {
                    sampler.record(0, 0);
                }
                due
            })
            .count();
        assert!((900..1100).contains(&timed), "{timed}");
    }

    #[test]
    fn every_is_every_and_off_is_none() {
        let mut every = sampler(Sampling::Every);
        let mut off = sampler(Sampling::Off);
        for _ in 0..100 {
            assert_eq!(every.due(), Due::Now);
            every.record(0, 0);
            assert_eq!(off.due(), Due::Later);
        }
    }

    #[test]
    fn the_longest_wait_is_the_longer_of_sampled_and_watched() {
        let mut sampler = sampler(Sampling::Every);
        let clock = Clock::get();
        let millisecond = clock.ticks_in(std::time::Duration::from_millis(1));
        sampler.record(1_000, 1_000 + millisecond);
        sampler.record(1_000 + millisecond, 1_000 + 4 * millisecond);
        let thread = sampler.finish();
        let threads = [&thread];
        let (waits, _) = Waits::from_threads(&threads, 9_000_000, Duration::ZERO);
        assert_eq!(waits.max_ns, 9_000_000);
        let (waits, all) = Waits::from_threads(&threads, 0, Duration::ZERO);
        assert_eq!(all.len(), 2);
        assert!((2_990_000..=3_010_000).contains(&waits.max_ns), "{waits:?}");
        assert!((2_990_000..=3_010_000).contains(&waits.gap_max_ns), "{waits:?}");
        assert!((1_900_000..=2_100_000).contains(&(waits.mean_ns as u64)), "{waits:?}");
    }

    #[test]
    fn quantiles_without_samples_beyond_them_are_not_given() {
        let mut histogram = empty_histogram();
        for ns in 1..=100 {
            histogram.saturating_record(ns);
        }
        let points = quantile_points(&histogram);
        assert_eq!(points.last().map(|p| p.quantile), Some(0.95));
        assert!(points.iter().all(|p| (p.ns as f64 - p.quantile * 100.0).abs() <= 1.0));
    }
}
