//! A small generator for the worker loops, where a general one would cost more than the lock.

/// Marsaglia's xorshift with a multiplied output; good enough to pick locks and sample points.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// A generator with this seed; any value is fine.
    pub fn new(seed: u64) -> Rng {
        // The all-zero state is a fixed point, and small seeds start badly mixed.
        Rng((seed ^ 0x9E37_79B9_7F4A_7C15).wrapping_mul(0xD129_0D3B_6F1A_2E4D) | 1)
    }

    /// The next 64 bits.
    #[inline(always)]
    pub fn bits(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number in `0..bound`, `bound` at least 1.
    #[inline(always)]
    pub fn below(&mut self, bound: u32) -> u32 {
        (((self.bits() >> 32) * u64::from(bound)) >> 32) as u32
    }

    /// Puts `items` in random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u32 + 1) as usize);
        }
    }
}

/// Draws yes or no with given odds, from a quarter of a number each: beside a lock that takes a
/// nanosecond a whole one would show.
#[derive(Debug, Clone)]
pub struct Odds {
    rng: Rng,
    bits: u64,
    left: u32,
    /// In 1/65536.
    yes: u64,
}

impl Odds {
    /// Yes in `percent` percent of the draws, up to a hundredth of a percent.
    pub fn new(rng: Rng, percent: u32) -> Odds {
        Odds { rng, bits: 0, left: 0, yes: (u64::from(percent) * 65_536 + 50) / 100 }
    }

    /// Yes or no.
    #[inline(always)]
    pub fn draw(&mut self) -> bool {
        if self.left == 0 {
            (self.bits, self.left) = (self.rng.bits(), 4);
        }
        let lot = self.bits & 0xFFFF;
        self.bits >>= 16;
        self.left -= 1;
        lot < self.yes
    }
}

#[cfg(test)]
mod tests {
    use super::{Odds, Rng};

    #[test]
    fn stays_below_its_bound_and_reaches_everything() {
        let mut rng = Rng::new(0);
        let mut seen = [0u32; 7];
        for _ in 0..7_000 {
            seen[rng.below(7) as usize] += 1;
        }
        assert!(seen.iter().all(|&n| n > 700), "{seen:?}");
    }

    #[test]
    fn odds_are_kept_also_from_one_draw_to_the_next() {
        for percent in [0, 1, 50, 99, 100] {
            let mut odds = Odds::new(Rng::new(5), percent);
            let draws: Vec<bool> = (0..100_000).map(|_| odds.draw()).collect();
            let part = |all: &[bool], of: fn(&bool) -> bool| {
                let yes = all.iter().filter(|yes| of(yes)).count();
                (yes * 1000).div_ceil(all.len().max(1))
            };
            let (all, wanted) = (part(&draws, |&yes| yes), percent as usize * 10);
            assert!(all.abs_diff(wanted) <= 10, "{percent}: {all}");
            let pairs: Vec<bool> = draws.windows(2).map(|pair| pair[0] && pair[1]).collect();
            let both = part(&pairs, |&yes| yes);
            assert!(both.abs_diff(wanted * wanted / 1000) <= 10, "{percent}: {both}");
        }
    }

    #[test]
    fn shuffle_keeps_the_items() {
        let mut items = [1, 2, 3, 4, 5, 6];
        Rng::new(3).shuffle(&mut items);
        assert_ne!(items, [1, 2, 3, 4, 5, 6]);
        items.sort_unstable();
        assert_eq!(items, [1, 2, 3, 4, 5, 6]);
    }
}
