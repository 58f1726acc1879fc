//! The mutex under loom; each model's doc line says which transitions (`state.rs`) it covers.

use super::RawMutex;
use crate::model::{Claims, Shared, explore, spawn};
use loom::sync::{Arc, atomic::AtomicU32};
use parkade_core::shim::Ordering::Relaxed;

/// covers: M1 R0 R1 A1 A2 P1 P2 (asymmetric release against an announcement)
#[test]
fn model_asymmetric() {
    explore(4, Claims::Never, || {
        let shared = Shared::<RawMutex>::new();
        let other = spawn(&shared, |shared| shared.lock_touch_unlock());
        shared.lock_touch_unlock();
        other.join().unwrap();
        shared.check(2);
    });
}

/// covers: M1 R1 R2 A1 A2 A3 P1 P2 P3 (the mode ends and begins again under contention)
#[test]
fn model_asymmetric_twice() {
    explore(3, Claims::Never, || {
        let shared = Shared::<RawMutex>::new();
        let other = spawn(&shared, |shared| {
            shared.lock_touch_unlock();
            shared.lock_touch_unlock();
        });
        shared.lock_touch_unlock();
        shared.lock_touch_unlock();
        other.join().unwrap();
        shared.check(4);
    });
}

/// covers: A1 A2 (a second waiter queues before the first one's fence is over)
#[test]
fn model_fenced() {
    explore(2, Claims::Never, || {
        let shared = Shared::<RawMutex>::new();
        let others = [
            spawn(&shared, |shared| shared.lock_touch_unlock()),
            spawn(&shared, |shared| shared.lock_touch_unlock()),
        ];
        shared.lock_touch_unlock();
        for other in others {
            other.join().unwrap();
        }
        shared.check(3);
    });
}

/// covers: R2 P1 P2 P3 M3 (symmetric mode from the start; a woken thread loses and parks again)
#[test]
fn model_wake() {
    explore(2, Claims::Never, || {
        let shared = Shared::<RawMutex>::new();
        shared.raw.word().make_symmetric();
        let others = [
            spawn(&shared, |shared| shared.lock_touch_unlock()),
            spawn(&shared, |shared| shared.lock_touch_unlock()),
        ];
        shared.lock_touch_unlock();
        shared.lock_touch_unlock();
        for other in others {
            other.join().unwrap();
        }
        shared.check(4);
    });
}

/// covers: C1 R3 M2 M3 (every loser claims)
#[test]
fn model_claim() {
    explore(2, Claims::Always, || {
        let shared = Shared::<RawMutex>::new();
        shared.raw.word().make_symmetric();
        let others = [
            spawn(&shared, |shared| shared.lock_touch_unlock()),
            spawn(&shared, |shared| shared.lock_touch_unlock()),
        ];
        shared.lock_touch_unlock();
        shared.lock_touch_unlock();
        for other in others {
            other.join().unwrap();
        }
        shared.check(4);
    });
}

/// covers: P1 P3 P4 M3 (a waiter's deadline races its wake, with another waiter behind it)
#[test]
fn model_depart() {
    for claims in [Claims::Never, Claims::Always] {
        explore(2, claims, || {
            let shared = Shared::<RawMutex>::new();
            shared.raw.word().make_symmetric();
            let acquired = Arc::new(AtomicU32::new(0));
            let timed = {
                let acquired = acquired.clone();
                spawn(&shared, move |shared| {
                    acquired.fetch_add(shared.timed_lock_touch_unlock(), Relaxed);
                })
            };
            let waiting = spawn(&shared, |shared| shared.lock_touch_unlock());
            shared.lock_touch_unlock();
            timed.join().unwrap();
            waiting.join().unwrap();
            shared.check(2 + acquired.load(Relaxed));
        });
    }
}

/// covers: C1 P3 P4 (a designated thread gives up while awake, with a waiter behind it and a
/// newcomer holding the lock: it passes its wake on, or that holder does)
#[test]
fn model_designated_gives_up() {
    for claims in [Claims::Never, Claims::Always] {
        explore(2, claims, || {
            let shared = Shared::<RawMutex>::new();
            shared.raw.word().make_symmetric();
            let acquired = Arc::new(AtomicU32::new(0));
            let quitter = {
                let acquired = acquired.clone();
                spawn(&shared, move |shared| {
                    // Sleeps without a deadline; once woken, makes one try and gives up.
                    if shared.raw.acquire_or_give_up_once_woken() {
                        shared.touch();
                        shared.raw.release();
                        acquired.fetch_add(1, Relaxed);
                    }
                })
            };
            let waiting = spawn(&shared, |shared| shared.lock_touch_unlock());
            shared.lock_touch_unlock();
            shared.lock_touch_unlock();
            quitter.join().unwrap();
            waiting.join().unwrap();
            shared.check(3 + acquired.load(Relaxed));
        });
    }
}

/// covers: R3 M2 (fair releases against waiters and newcomers)
#[test]
fn model_fair() {
    explore(2, Claims::Never, || {
        let shared = Shared::<RawMutex>::new();
        shared.raw.word().make_symmetric();
        let others = [
            spawn(&shared, |shared| shared.lock_touch_unlock_fair()),
            spawn(&shared, |shared| shared.lock_touch_unlock()),
        ];
        shared.lock_touch_unlock_fair();
        for other in others {
            other.join().unwrap();
        }
        shared.check(3);
    });
}
