//! Evidence that the plain-store release and the first waiter of a lock never miss each other, on
//! real processors: two threads meet at a fresh lock, again and again, so that one queues just as
//! the other releases. A lock uses the plain release until its first waiter has come, so each is
//! good for one attempt.

mod support;

use std::{
    sync::atomic::AtomicUsize,
    thread,
    time::{Duration, Instant},
};

use parkade::{Mutex, tuning};
use support::{Rng, Watchdog, Witness, busy, meet, seed, stress_time};

const LOCKS: usize = 512;

#[test]
fn first_waiter_and_plain_release_do_not_miss_each_other() {
    let seed = seed();
    // Polling would get the lock instead of queueing for it.
    tuning::set_spin(Duration::ZERO).expect("a spin time of zero is in range");
    let watchdog = Watchdog::new(format!("first contention, PARKADE_SEED={seed}"), 2);
    let end = Instant::now() + stress_time();
    let mut rng = Rng::new(seed);
    let mut attempts = 0;
    while Instant::now() < end {
        let locks: Vec<_> = (0..LOCKS).map(|_| Mutex::new(Witness::new())).collect();
        let (held, released) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let seeds = [rng.next(), rng.next()];
        thread::scope(|scope| {
            for (side, seed) in seeds.into_iter().enumerate() {
                let progress = watchdog.thread(side);
                let (locks, held, released) = (&locks, &held, &released);
                scope.spawn(move || {
                    let mut rng = Rng::new(seed);
                    for (round, lock) in locks.iter().enumerate() {
                        let target = 2 * (round + 1);
                        if side == 0 {
                            let mut guard = lock.lock();
                            meet(held, target);
                            busy(Duration::from_nanos(rng.below(3_000)));
                            guard.section(|| {});
                        } else {
                            meet(held, target);
                            busy(Duration::from_nanos(rng.below(500)));
                            lock.lock().section(|| {});
                        }
                        progress.step();
                        meet(released, target);
                    }
                });
            }
        });
        assert!(locks.into_iter().all(|lock| lock.into_inner().count() == 2));
        attempts += LOCKS;
    }
    println!("{attempts} locks");
}
