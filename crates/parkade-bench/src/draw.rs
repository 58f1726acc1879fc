//! Which key comes next, at a cost that does not show beside a lock.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::rng::Rng;
use crate::scenario::{Draw, KeyedShape, Shape};

/// The key number k (from 1) is drawn in proportion to 1 / k to this power, as in YCSB's workloads.
pub const ZIPF_EXPONENT: f64 = 0.99;

/// How many keys of a thread are drawn beforehand where drawing costs much. Then they come again, in the
/// same order: all threads together have more of them than there are turns in which a cache remembers one.
const DRAWN: usize = 1 << 16;

/// A thread's keys.
#[derive(Debug, Clone)]
pub struct Keys {
    rng: Rng,
    count: u32,
    drawn: Box<[u32]>,
    next: usize,
}

impl Keys {
    /// The keys for a scenario of this shape, drawn from `rng`: all the same without keys.
    pub fn new(shape: Shape, mut rng: Rng) -> Keys {
        let (count, draw) = match shape {
            Shape::Keyed(KeyedShape { keys, draw, .. }) => (keys, draw),
            _ => (1, Draw::Uniform),
        };
        let drawn = match draw {
            Draw::Uniform => Box::default(),
            Draw::Zipf => {
                let chances = chances(count);
                let zipf = |_| {
                    let lot = unit(rng.bits());
                    chances.partition_point(|&chance| chance <= lot).min(count as usize - 1) as u32
                };
                (0..DRAWN).map(zipf).collect()
            }
        };
        Keys { rng, count, drawn, next: 0 }
    }

    /// The next key, below the number of keys.
    #[inline(always)]
    pub fn draw(&mut self) -> u32 {
        match self.drawn.get(self.next) {
            Some(&key) => {
                self.next = (self.next + 1) % DRAWN;
                key
            }
            None => self.rng.below(self.count),
        }
    }
}

/// A number from 0 to 1, without 1.
fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// The chance, for each key, to draw it or one before it. Eight megabytes for a million keys, so all
/// threads of all rounds share them.
fn chances(count: u32) -> Arc<[f64]> {
    static KNOWN: Mutex<BTreeMap<u32, Arc<[f64]>>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(known.entry(count).or_insert_with(|| {
        let mut sum = 0.0;
        let weight = |key: u32| f64::from(key).powf(-ZIPF_EXPONENT);
        let mut sums: Vec<f64> = Vec::with_capacity(count as usize);
        for key in 1..=count {
            sum += weight(key);
            sums.push(sum);
        }
        sums.iter().map(|part| part / sum).collect()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(keys: u32, draw: Draw, draws: u32) -> Vec<u32> {
        let shape = Shape::Keyed(KeyedShape { keys, draw, inside: 0 });
        let mut source = Keys::new(shape, Rng::new(4));
        let mut counts = vec![0; keys as usize];
        (0..draws).for_each(|_| counts[source.draw() as usize] += 1);
        counts
    }

    #[test]
    fn uniform_keys_are_alike() {
        assert_eq!(counts(1, Draw::Uniform, 10), [10]);
        let counts = counts(16, Draw::Uniform, 160_000);
        assert!(counts.iter().all(|&count| (9_500..10_500).contains(&count)), "{counts:?}");
    }

    #[test]
    fn zipf_keys_are_as_likely_as_their_rank_says() {
        for keys in [1, 16, 1000] {
            let drawn = counts(keys, Draw::Zipf, DRAWN as u32);
            let all: f64 = (1..=keys).map(|key| f64::from(key).powf(-ZIPF_EXPONENT)).sum();
            for key in [1, 2, 10] {
                if key <= keys {
                    let chance = f64::from(key).powf(-ZIPF_EXPONENT) / all;
                    let share = f64::from(drawn[key as usize - 1]) / DRAWN as f64;
                    assert!(
                        (share / chance - 1.0).abs() < 0.1,
                        "{key} of {keys}: {share} {chance}"
                    );
                }
            }
        }
        // The same again after the last.
        let twice = counts(16, Draw::Zipf, 2 * DRAWN as u32);
        let once = counts(16, Draw::Zipf, DRAWN as u32);
        assert!(twice.iter().zip(&once).all(|(twice, once)| *twice == 2 * once));
    }

    #[test]
    fn the_same_seed_draws_the_same() {
        assert_eq!(counts(1000, Draw::Zipf, 500), counts(1000, Draw::Zipf, 500));
    }
}
