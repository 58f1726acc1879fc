//! How properties are tested: proptest makes random scripts and shortens those that fail; the seed is the one that all
//! tests print and take.

use std::{cell::Cell, thread};

use proptest::test_runner::{Config, RngSeed};

use crate::support::{Progress, Watchdog, seed, stress_time, watched};

thread_local! {
    /// Of the property that this thread tests.
    static SEED: Cell<u64> = const { Cell::new(0) };
}

/// So many cases for each second of [`stress_time`]. A script that fails is shown as short as it gets in 20 seconds.
pub(crate) fn cases(cases: u32) -> Config {
    SEED.set(seed());
    Config {
        cases: (f64::from(cases) * stress_time().as_secs_f64()) as u32,
        rng_seed: RngSeed::Fixed(SEED.get()),
        // The seed repeats a failure, and what was found becomes a test with a name.
        failure_persistence: None,
        max_shrink_time: 20_000,
        ..Config::default()
    }
}

/// Ends the process, with the seed, if the case that the calling thread runs does not end.
pub(crate) fn watched_case() -> (Progress, Watchdog) {
    let current = thread::current();
    let name = current.name().unwrap_or("a property");
    watched(format!("{name}, PARKADE_SEED={}", SEED.get()))
}
