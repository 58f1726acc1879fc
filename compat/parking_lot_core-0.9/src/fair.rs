//! When an unlock is asked to be fair: at random times, half a millisecond apart on average.
//!
//! The original keeps a timer in each bucket and reads the clock while the bucket is locked. Here the clock
//! is read before, and what is left for the callback is one comparison and one exchange.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use parkade_core::Moment;

/// log2 of the number of timers. A `guess`: a few more than there are contended locks in most programs.
const BITS: u32 = 6;

/// The longest time from one fair unlock to the next, in nanoseconds; the shortest is 0.
const LONGEST_NS: u64 = 1_000_000;

/// When the next unlock is to be fair, in nanoseconds, for each group of keys.
/// Access: anybody, at any time; a timer orders nothing.
static TIMERS: [AtomicU64; 1 << BITS] = [const { AtomicU64::new(0) }; 1 << BITS];

/// A mixed hash of `bits` (an odd constant with well-spread bits, then the high half folded down).
fn mix(bits: u64) -> u64 {
    let product = bits.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    product ^ (product >> 32)
}

/// One unlock's look at the timer of its key.
pub(crate) struct Turn {
    timer: &'static AtomicU64,
    due: u64,
    now: u64,
}

impl Turn {
    /// Reads the clock, so not for use under a queue lock.
    pub(crate) fn of(key: usize) -> Turn {
        let timer = &TIMERS[(mix(key as u64) >> (64 - BITS)) as usize];
        Turn { timer, due: timer.load(Relaxed), now: Moment::now().as_nanos() }
    }

    /// Whether it is time to be fair, which it then is for nobody else until the timer has run again.
    pub(crate) fn take(&self) -> bool {
        if self.now <= self.due {
            return false;
        }
        let next = self.now + mix(self.now ^ self.due.rotate_left(32)) % LONGEST_NS;
        self.timer.compare_exchange(self.due, next, Relaxed, Relaxed).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::{LONGEST_NS, Turn};
    use core::sync::atomic::AtomicU64;

    #[test]
    fn every_half_millisecond_on_average_and_once_each() {
        let timer: &'static AtomicU64 = Box::leak(Box::new(AtomicU64::new(0)));
        // An unlock every 2 us for a second, each looked at by two threads.
        let mut fair = 0;
        for now in (2_000..1_000_000_000).step_by(2_000) {
            let due = timer.load(super::Relaxed);
            let looks = [Turn { timer, due, now }, Turn { timer, due, now }];
            let taken = looks.iter().filter(|turn| turn.take()).count();
            assert!(taken <= 1);
            fair += taken;
            assert!(timer.load(super::Relaxed) <= now + LONGEST_NS);
        }
        assert!((1_700..=2_300).contains(&fair), "{fair} times in a second");
    }
}
