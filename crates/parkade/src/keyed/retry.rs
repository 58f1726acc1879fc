//! Polling for a key, with pauses that grow.

use core::{fmt, time::Duration};
use parkade_core::Moment;
use std::thread;

/// How often to try for a key, and how long to sleep between two tries.
///
/// For those who want to poll: waiting with a deadline ([`try_lock_for`](super::KeyedMutex::try_lock_for)) is
/// fair, wakes when the key is free, and costs no processor time meanwhile.
///
/// After the n-th try (from 0) that failed the thread sleeps for `base_delay x factor^n`, at most for
/// `max_delay`, more or less by up to the share `jitter`. A sleep takes as long as the scheduler makes it, on
/// Linux about 60 us at least.
///
/// ```
/// use parkade::keyed::{KeyedMutex, Retry, RetryError};
/// use std::time::Duration;
///
/// let users = KeyedMutex::<String>::new();
/// let busy = users.lock("ann");
/// let retry = Retry { max_tries: 3, max_delay: Duration::from_millis(1), ..Retry::default() };
/// match users.try_lock_retrying("ann", &retry) {
///     Err(RetryError::Exhausted { tries }) => assert_eq!(tries, 3),
///     other => unreachable!("{other:?}"),
/// }
/// drop(busy);
/// assert!(users.try_lock_retrying("ann", &retry).is_ok());
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Retry {
    /// How often to try, the first time included; at least 1. Default: 200.
    pub max_tries: u32,
    /// The first pause; at most `max_delay`. Default: 10 ns.
    pub base_delay: Duration,
    /// The longest pause. Default: 100 ms.
    pub max_delay: Duration,
    /// How much longer each pause is than the one before; finite, at least 1. Default: 1.1.
    pub factor: f64,
    /// By which share of it a pause is longer or shorter at random, so that threads that collide part; 0 to 1.
    /// Default: 0.2.
    pub jitter: f64,
}

/// Those of Go's `mapmutex`.
impl Default for Retry {
    fn default() -> Retry {
        Retry {
            max_tries: 200,
            base_delay: Duration::from_nanos(10),
            max_delay: Duration::from_millis(100),
            factor: 1.1,
            jitter: 0.2,
        }
    }
}

/// What is wrong with a [`Retry`].
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum InvalidRetry {
    /// `max_tries` is 0.
    NoTries,
    /// `base_delay` is longer than `max_delay`.
    BaseAboveMax {
        /// The base.
        base_delay: Duration,
        /// The maximum.
        max_delay: Duration,
    },
    /// `factor` is below 1, infinite or no number.
    Factor(f64),
    /// `jitter` is not within 0 and 1.
    Jitter(f64),
}

impl fmt::Display for InvalidRetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InvalidRetry::NoTries => f.write_str("max_tries is 0; at least one try is needed"),
            InvalidRetry::BaseAboveMax { base_delay, max_delay } => {
                write!(f, "base_delay ({base_delay:?}) is longer than max_delay ({max_delay:?})")
            }
            InvalidRetry::Factor(factor) => {
                write!(f, "factor is {factor}; it must be finite and at least 1")
            }
            InvalidRetry::Jitter(jitter) => write!(f, "jitter is {jitter}; it must be 0 to 1"),
        }
    }
}

impl std::error::Error for InvalidRetry {}

/// Why a key was not locked by retrying.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum RetryError {
    /// The parameters make no sense, so it was not tried.
    Invalid(InvalidRetry),
    /// Every try found the key locked.
    Exhausted {
        /// How many there were.
        tries: u32,
    },
}

impl fmt::Display for RetryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RetryError::Invalid(invalid) => write!(f, "invalid Retry: {invalid}"),
            RetryError::Exhausted { tries } => write!(f, "the key was locked at {tries} tries"),
        }
    }
}

impl std::error::Error for RetryError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            RetryError::Invalid(invalid) => Some(invalid),
            RetryError::Exhausted { .. } => None,
        }
    }
}

impl From<InvalidRetry> for RetryError {
    fn from(invalid: InvalidRetry) -> RetryError {
        RetryError::Invalid(invalid)
    }
}

impl Retry {
    /// Whether the parameters make sense.
    ///
    /// # Errors
    /// Says which does not.
    pub fn validate(&self) -> Result<(), InvalidRetry> {
        let Retry { max_tries, base_delay, max_delay, factor, jitter } = *self;
        if max_tries == 0 {
            return Err(InvalidRetry::NoTries);
        }
        if base_delay > max_delay {
            return Err(InvalidRetry::BaseAboveMax { base_delay, max_delay });
        }
        if !(factor.is_finite() && factor >= 1.0) {
            return Err(InvalidRetry::Factor(factor));
        }
        if !(0.0..=1.0).contains(&jitter) {
            return Err(InvalidRetry::Jitter(jitter));
        }
        Ok(())
    }

    /// Tries until `attempt` succeeds or the tries are used up.
    pub(super) fn run<G>(&self, mut attempt: impl FnMut() -> Option<G>) -> Result<G, RetryError> {
        self.validate()?;
        let mut pauses = Pauses::new(self, Moment::now().as_nanos());
        for tried in 1..=self.max_tries {
            if let Some(got) = attempt() {
                return Ok(got);
            }
            if tried < self.max_tries {
                thread::sleep(pauses.next());
            }
        }
        Err(RetryError::Exhausted { tries: self.max_tries })
    }
}

/// The pauses of one call, one after the other.
struct Pauses<'r> {
    retry: &'r Retry,
    /// The next one without jitter, in nanoseconds.
    delay_ns: f64,
    random: u64,
}

impl Pauses<'_> {
    fn new(retry: &Retry, seed: u64) -> Pauses<'_> {
        let thread = u64::from(parkade_core::thread_number());
        Pauses { retry, delay_ns: as_ns(retry.base_delay), random: seed ^ thread.rotate_left(32) }
    }

    fn next(&mut self) -> Duration {
        let &Retry { max_delay, factor, jitter, .. } = self.retry;
        let max_ns = as_ns(max_delay);
        let pause_ns = self.delay_ns * (1.0 + jitter * self.random());
        // Below infinity: both factors are finite, and the delay is no more than the maximum.
        self.delay_ns = (self.delay_ns * factor).min(max_ns);
        // What is too long for a Duration by rounding is the maximum.
        let pause = Duration::try_from_secs_f64(pause_ns.max(0.0) / 1e9).unwrap_or(max_delay);
        pause.min(max_delay)
    }

    /// Between -1 and 1. (SplitMix64, public domain.)
    fn random(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.random;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^= bits >> 31;
        // 53 bits are what a float holds.
        (bits >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }
}

fn as_ns(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_maximum_and_stay_within_the_jitter() {
        let retry = Retry::default();
        for seed in 0..100 {
            let mut pauses = Pauses::new(&retry, seed);
            let mut ideal_ns = 10.0;
            for _ in 0..retry.max_tries {
                let pause = as_ns(pauses.next());
                assert!(pause >= ideal_ns * 0.8 - 1.0, "{pause} of {ideal_ns}");
                assert!(pause <= (ideal_ns * 1.2 + 1.0).min(1e8), "{pause} of {ideal_ns}");
                ideal_ns = f64::min(ideal_ns * 1.1, 1e8);
            }
            assert!(ideal_ns == 1e8);
        }
    }

    #[test]
    fn jitter_goes_both_ways() {
        let retry = Retry {
            base_delay: Duration::from_millis(1),
            factor: 1.0,
            jitter: 1.0,
            ..Retry::default()
        };
        let mut pauses = Pauses::new(&retry, 1);
        let all: Vec<_> = (0..1000).map(|_| pauses.next()).collect();
        let mean = all.iter().sum::<Duration>() / 1000;
        assert!((900..1100).contains(&mean.as_micros()), "{mean:?}");
        assert!(all.iter().min() < Some(&Duration::from_micros(50)));
        assert!(all.iter().max() > Some(&Duration::from_micros(1950)));
    }

    #[test]
    fn the_longest_durations_and_factors_do_not_overflow() {
        let retry = Retry {
            base_delay: Duration::MAX,
            max_delay: Duration::MAX,
            factor: f64::MAX,
            jitter: 1.0,
            ..Retry::default()
        };
        assert_eq!(retry.validate(), Ok(()));
        let mut pauses = Pauses::new(&retry, 1);
        for _ in 0..100 {
            assert!(pauses.next() <= Duration::MAX);
        }
        let never = Retry { base_delay: Duration::ZERO, max_delay: Duration::ZERO, ..retry };
        assert_eq!(Pauses::new(&never, 1).next(), Duration::ZERO);
    }

    #[test]
    fn invalid_parameters_are_named() {
        let good = Retry::default();
        assert_eq!(good.validate(), Ok(()));
        let second = Duration::from_secs(1);
        let none = Retry { max_tries: 0, ..good };
        assert_eq!(none.validate(), Err(InvalidRetry::NoTries));
        let crossed = Retry { base_delay: second, ..good };
        let error = InvalidRetry::BaseAboveMax { base_delay: second, max_delay: good.max_delay };
        assert_eq!(crossed.validate(), Err(error));
        for factor in [0.999, -1.0, f64::INFINITY] {
            let bad = Retry { factor, ..good };
            assert_eq!(bad.validate(), Err(InvalidRetry::Factor(factor)));
        }
        let bad = Retry { factor: f64::NAN, ..good };
        assert!(matches!(bad.validate(), Err(InvalidRetry::Factor(_))));
        for jitter in [-0.1, 1.1, f64::INFINITY] {
            let bad = Retry { jitter, ..good };
            assert_eq!(bad.validate(), Err(InvalidRetry::Jitter(jitter)));
            assert!(bad.run(|| -> Option<()> { unreachable!() }).is_err());
        }
        let bad = Retry { jitter: f64::NAN, ..good };
        assert!(matches!(bad.validate(), Err(InvalidRetry::Jitter(_))));
    }
}
