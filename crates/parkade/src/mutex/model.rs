//! The mutex under loom; each model's doc line says which transitions (`state.rs`) it covers.

use super::RawMutex;
use crate::model::{Policy, Shared, explore, explore_only, spawn};
use loom::sync::{Arc, atomic::AtomicU32};
use parkade_core::shim::Ordering::Relaxed;

/// covers: M1 R0 R1 A1 A2 P1 P2 (asymmetric release against an announcement)
#[test]
fn model_asymmetric() {
    explore(4, Policy::Returns, || {
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
    explore(3, Policy::Returns, || {
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
    explore(2, Policy::Returns, || {
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

/// covers: A1 A2 P3 (one waiter sleeps on the promise of an announcer that then gives up). It takes
/// four preemptions to need the promise: `cargo xtask loom --preemptions 4 promise` fails without it.
#[test]
fn model_promise() {
    explore(2, Policy::Returns, || {
        let shared = Shared::<RawMutex>::new();
        let others = [
            spawn(&shared, |shared| shared.raw.announce_and_leave()),
            spawn(&shared, |shared| shared.lock_touch_unlock()),
        ];
        shared.lock_touch_unlock();
        for other in others {
            other.join().unwrap();
        }
        shared.check(2);
    });
}

#[derive(Clone, Copy)]
enum Holder {
    Leaves,
    ComesBack,
}

/// Two waiters, and a holder that comes back before they have woken, or does not.
fn two_waiters(holder: Holder) -> impl Fn() + Sync + Send + 'static {
    move || {
        let shared = Shared::<RawMutex>::new();
        shared.raw.word().make_symmetric();
        // Held before anybody else runs: what comes first is not what these models are about.
        shared.raw.acquire();
        let others = [
            spawn(&shared, |shared| shared.lock_touch_unlock()),
            spawn(&shared, |shared| shared.lock_touch_unlock()),
        ];
        shared.touch();
        shared.raw.release();
        let mut expected = 3;
        if let Holder::ComesBack = holder {
            shared.lock_touch_unlock();
            expected += 1;
        }
        for other in others {
            other.join().unwrap();
        }
        shared.check(expected);
    }
}

/// With two preemptions and a holder that comes back, this takes ten times as long. Of ten mistakes made on purpose that
/// noticed none which neither this notices nor the symmetric models do.
fn two_waiters_asymmetric(policy: Policy) {
    explore(2, policy, two_waiters(Holder::Leaves));
    explore_only(1, policy, two_waiters(Holder::ComesBack));
}

/// covers: R2 P1 P2 P3 M3 (symmetric mode throughout; a woken thread loses and parks again)
#[test]
fn model_wake() {
    explore(2, Policy::Stays, two_waiters(Holder::ComesBack));
}

/// covers: R1 A1 A2 A3 P1 P3 M3 (plain releases with a thread asleep and another on its way)
#[test]
fn model_wake_asymmetric() {
    two_waiters_asymmetric(Policy::Returns);
}

/// covers: C1 R3 M2 M3 (every loser claims)
#[test]
fn model_claim() {
    explore(2, Policy::Claims, two_waiters(Holder::ComesBack));
}

/// covers: C1 R3 M2 A3 (every loser claims, and the mode ends whenever it may)
#[test]
fn model_claim_asymmetric() {
    two_waiters_asymmetric(Policy::ClaimsAndReturns);
}

/// covers: P1 P3 P4 M3 (a waiter's deadline races its wake, with another waiter behind it)
#[test]
fn model_depart() {
    for policy in [Policy::Returns, Policy::Claims] {
        explore(2, policy, || {
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
    for policy in [Policy::Stays, Policy::Claims] {
        explore(2, policy, || {
            let shared = Shared::<RawMutex>::new();
            shared.raw.word().make_symmetric();
            shared.raw.acquire();
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
            shared.touch();
            shared.raw.release();
            shared.lock_touch_unlock();
            quitter.join().unwrap();
            waiting.join().unwrap();
            shared.check(3 + acquired.load(Relaxed));
        });
    }
}

/// covers: A1 A3 P4 M3 (a designated thread gives up while plain releases go on: it announces it)
#[test]
fn model_designated_gives_up_asymmetric() {
    explore(3, Policy::Returns, || {
        let shared = Shared::<RawMutex>::new();
        shared.raw.word().make_symmetric();
        let quitter = spawn(&shared, |shared| {
            if shared.raw.acquire_or_give_up_once_woken() {
                shared.raw.release();
            }
        });
        shared.lock_touch_unlock();
        shared.lock_touch_unlock();
        quitter.join().unwrap();
        shared.check(2);
    });
}

/// covers: R3 M2 (fair releases against waiters and newcomers)
#[test]
fn model_fair() {
    explore(2, Policy::Returns, || {
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
