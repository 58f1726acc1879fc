//! How keys are hashed unless the user says otherwise.

use core::hash::{BuildHasher, Hasher};
use std::hash::RandomState;

/// Hashes keys fast, with a secret of its own for each map.
///
/// Less work than `std`'s SipHash (an integer takes 2 ns instead of 13), and less of a defence: somebody who
/// observes a map very closely might find keys that share a chain. It would gain him little: a key is in the table only while it
/// is locked or waited for, so as many would have to be locked at a time, and they never wait for each
/// other. If that still matters, use `KeyedMutex<K, std::hash::RandomState>`.
///
/// ```
/// use parkade::keyed::{FoldState, KeyedMutex};
/// use std::hash::RandomState;
///
/// let fast: KeyedMutex<u64, FoldState> = KeyedMutex::new();
/// let careful: KeyedMutex<u64, RandomState> = KeyedMutex::default();
/// # drop((fast.lock(&1), careful.lock(&1)));
/// ```
#[derive(Debug, Clone)]
pub struct FoldState {
    secret: u64,
}

impl FoldState {
    /// A new secret.
    #[must_use]
    pub fn new() -> FoldState {
        FoldState { secret: RandomState::new().hash_one(0) }
    }
}

impl Default for FoldState {
    fn default() -> FoldState {
        FoldState::new()
    }
}

impl BuildHasher for FoldState {
    type Hasher = FoldHasher;

    #[inline]
    fn build_hasher(&self) -> FoldHasher {
        FoldHasher { state: self.secret }
    }
}

/// The hasher of [`FoldState`]: each word is multiplied in, and the halves of the product are added without carry.
#[derive(Debug, Clone)]
pub struct FoldHasher {
    state: u64,
}

impl FoldHasher {
    /// The fraction of pi: any odd number with its bits well mixed.
    const FACTOR: u64 = 0x243F_6A88_85A3_08D3;

    #[inline(always)]
    fn add(&mut self, word: u64) {
        let product = u128::from(self.state ^ word) * u128::from(Self::FACTOR);
        // Rotated, so that the order of words matters.
        self.state = ((product >> 64) as u64 ^ product as u64).rotate_left(23);
    }
}

impl Hasher for FoldHasher {
    #[inline]
    fn finish(&self) -> u64 {
        self.state
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.add(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        // With the length, so that zeros at the end count.
        self.add(u64::from_le_bytes(last));
        self.add(bytes.len() as u64);
    }

    #[inline]
    fn write_u8(&mut self, number: u8) {
        self.add(number.into());
    }

    #[inline]
    fn write_u16(&mut self, number: u16) {
        self.add(number.into());
    }

    #[inline]
    fn write_u32(&mut self, number: u32) {
        self.add(number.into());
    }

    #[inline]
    fn write_u64(&mut self, number: u64) {
        self.add(number);
    }

    #[inline]
    fn write_usize(&mut self, number: usize) {
        self.add(number as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::hash::Hash;
    use std::collections::HashSet;

    /// The most crowded of 4096 places, by the bits from `shift` on.
    fn most_crowded(hashes: &[u64], shift: u32) -> usize {
        let mut places = [0_usize; 4096];
        for hash in hashes {
            places[(hash >> shift) as usize % 4096] += 1;
        }
        *places.iter().max().unwrap()
    }

    fn check(name: &str, keys: impl Iterator<Item = impl Hash>) {
        let state = FoldState::new();
        let hashes: Vec<_> = keys.map(|key| state.hash_one(key)).collect();
        assert_eq!(hashes.iter().collect::<HashSet<_>>().len(), hashes.len(), "{name}");
        for shift in [0, 20, 40, 52] {
            // Eight on average; at random, 30 or more at one place has a probability below 1e-7 for all.
            let most = most_crowded(&hashes, shift);
            assert!(most < 32, "{name}: {most} of {} keys in one of 4096 places", hashes.len());
        }
    }

    #[test]
    fn keys_spread_whatever_they_have_in_common() {
        const KEYS: u64 = 8 * 4096;
        check("small numbers", 0..KEYS);
        check("multiples", (0..KEYS).map(|key| key << 16));
        check("high bits", (0..KEYS).map(|key| key << 49));
        check("32 bits", 0..KEYS as u32);
        check("pairs", (0..KEYS).map(|key| (key % 128, key / 128)));
        check("texts", (0..KEYS).map(|key| format!("user-{key:08}")));
        check("zeros", (0..512).map(|length| vec![0_u8; length]));
    }

    #[test]
    fn each_state_has_its_secret_and_a_clone_the_same() {
        let state = FoldState::default();
        assert_eq!(state.hash_one("key"), state.clone().hash_one("key"));
        assert_ne!(state.hash_one("key"), FoldState::new().hash_one("key"));
    }
}
