//! The fair mutex under loom; each model's doc line says which transitions it covers.

use super::RawFairMutex;
use crate::model::{Policy, Shared, explore, spawn};
use loom::sync::{Arc, atomic::AtomicU32};
use parkade_core::shim::Ordering::Relaxed;

/// covers: H1 H2 H3 H4
#[test]
fn model_fair_mutex_queue() {
    explore(2, Policy::Stays, || {
        let shared = Shared::<RawFairMutex>::new();
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

/// covers: H5 H6 (deadlines race hand-overs)
#[test]
fn model_fair_mutex_timeout() {
    explore(3, Policy::Stays, || {
        let shared = Shared::<RawFairMutex>::new();
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
