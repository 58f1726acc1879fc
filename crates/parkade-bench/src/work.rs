//! Busy work of a known length.

use std::hint::black_box;

/// Dependent multiply-adds, about 1.1 ns each on the development machine.
///
/// The constants live in the value instead of the code: seen as literals, the optimiser would
/// fold several steps into one.
#[derive(Debug, Clone, Copy)]
pub struct Work {
    multiplier: u64,
    increment: u64,
}

impl Work {
    /// Work with constants the optimiser cannot see.
    pub fn new() -> Work {
        Work {
            multiplier: black_box(6_364_136_223_846_793_005),
            increment: black_box(1_442_695_040_888_963_407),
        }
    }

    /// Takes `value` through `steps` multiply-adds, each of which needs the one before.
    #[inline(always)]
    pub fn run(self, mut value: u64, steps: u32) -> u64 {
        for _ in 0..steps {
            value = value.wrapping_mul(self.multiplier).wrapping_add(self.increment);
        }
        value
    }
}

impl Default for Work {
    fn default() -> Work {
        Work::new()
    }
}

#[cfg(test)]
mod tests {
    use super::Work;

    #[test]
    fn no_steps_change_nothing_and_steps_compose() {
        let work = Work::new();
        assert_eq!(work.run(5, 0), 5);
        assert_eq!(work.run(work.run(5, 3), 4), work.run(5, 7));
        assert_ne!(work.run(5, 1), 5);
    }
}
