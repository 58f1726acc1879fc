//! Evidence for: light and heavy fences order a store-buffering race. `PARKADE_FENCE=symmetric`
//! runs it over the fallback.

use parkade_core::fence::{self, Strategy};
use std::{
    sync::{
        Barrier,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    thread,
};

/// Each side writes its own word, fences, and reads the other's. With fences that pair, at least
/// one side of each round sees the other.
fn rounds_in_which_neither_saw_the_other(light: fn(), heavy: fn()) -> usize {
    const ROUNDS: u32 = 20_000;
    let (x, y) = (AtomicU32::new(0), AtomicU32::new(0));
    let barrier = Barrier::new(2);
    let side = |mine: &AtomicU32, other: &AtomicU32, fence: fn()| {
        (1..=ROUNDS)
            .map(|round| {
                if round % 64 == 0 {
                    barrier.wait();
                }
                mine.store(round, Relaxed);
                fence();
                // Whether the other side had come to this round.
                other.load(Relaxed) >= round
            })
            .collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        let other = scope.spawn(|| side(&y, &x, heavy));
        let saw_y = side(&x, &y, light);
        let saw_x = other.join().unwrap();
        saw_x.iter().zip(&saw_y).filter(|(x, y)| !**x && !**y).count()
    })
}

#[test]
fn a_light_fence_pairs_with_a_heavy_one() {
    assert_eq!(rounds_in_which_neither_saw_the_other(fence::light, fence::heavy), 0);
}

#[test]
fn a_compiler_fence_pairs_with_a_heavy_one_where_supported() {
    if fence::strategy() == Strategy::Symmetric {
        assert_eq!(fence::try_heavy(), Err(fence::Unsupported));
        return;
    }
    let heavy = || fence::try_heavy().expect("the strategy is asymmetric");
    assert_eq!(rounds_in_which_neither_saw_the_other(fence::compiler_only, heavy), 0);
}

#[test]
fn the_environment_forces_the_fallback() {
    let forced = std::env::var("PARKADE_FENCE").is_ok_and(|value| value == "symmetric");
    if forced {
        assert_eq!(fence::strategy(), Strategy::Symmetric);
        assert_eq!(fence::heavy_count(), 0);
    } else if cfg!(target_os = "linux") {
        let before = fence::heavy_count();
        fence::heavy();
        assert_eq!(fence::strategy() == Strategy::Asymmetric, fence::heavy_count() > before);
    }
}
