//! Evidence that a reader that leaves its slot and a writer that goes to sleep because of it never miss each
//! other, on real processors: they meet again and again so that one leaves just as the other lies down.
//! Nobody else comes by who could wake the writer.

mod support;

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use parkade::{RwLock, tuning};
use support::{Rng, Watchdog, Witness, busy, is_biased, make_biased, meet, seed, stress_time};

#[test]
fn the_last_reader_in_a_slot_and_a_writer_that_lies_down_do_not_miss_each_other() {
    let seed = seed();
    // Polling would see the reader leave.
    tuning::set_spin(Duration::ZERO).expect("a spin time of zero is in range");
    let watchdog = Watchdog::new(format!("last slot, PARKADE_SEED={seed}"), 2);
    let end = Instant::now() + stress_time();
    let lock = RwLock::new(Witness::new());
    let (ready, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let stop = AtomicBool::new(false);
    let mut by_slot = 0_u64;
    let rounds = thread::scope(|scope| {
        let progress = watchdog.thread(0);
        let (lock, ready, done, stop) = (&lock, &ready, &done, &stop);
        let writer = scope.spawn(move || {
            let mut rng = Rng::new(!seed);
            let mut rounds = 0;
            loop {
                meet(ready, 2 * (rounds + 1));
                if stop.load(Relaxed) {
                    return rounds;
                }
                busy(Duration::from_nanos(rng.below(1_000)));
                lock.write().section(|| {});
                rounds += 1;
                progress.step();
                meet(done, 2 * rounds);
            }
        });
        let progress = watchdog.thread(1);
        let mut rng = Rng::new(seed);
        for round in 1.. {
            make_biased(lock);
            let guard = lock.read();
            by_slot += u64::from(is_biased(lock));
            // The other reads it after they have met.
            stop.store(Instant::now() > end, Relaxed);
            meet(ready, 2 * round);
            if stop.load(Relaxed) {
                break;
            }
            busy(Duration::from_nanos(rng.below(12_000)));
            guard.check();
            drop(guard);
            progress.step();
            meet(done, 2 * round);
        }
        writer.join().expect("the writer failed")
    });
    println!("{rounds} rounds, {by_slot} by slots");
    assert_eq!(lock.read().count(), rounds as u64);
}
