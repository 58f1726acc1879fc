//! Waiting for conditions under loom; each model's doc line says what it covers (`state.rs`, and the exits in `mod.rs`). A thread
//! with a deadline finds it passed as soon as it would have to sleep, unless it is taken off its queue first.

use super::{Limit, Waited};
use crate::{
    RawMutex,
    condvar::RawCondvar,
    model::{Policy, Shared, explore, explore_only, join},
    mutex::state::Waking,
    parked::Parked,
};
use loom::{
    cell::Cell,
    sync::{Arc, atomic::AtomicU32},
    thread,
};
use parkade_core::{Moment, shim::Ordering::Relaxed};

/// A mutex, and the tokens under it that threads wait for.
pub(super) struct Tokens {
    pub(super) shared: Arc<Shared<RawMutex>>,
    pub(super) there: Cell<u32>,
    /// How many were taken.
    taken: AtomicU32,
    /// How many threads have begun to wait for one.
    waiting: AtomicU32,
    changed: RawCondvar,
}

// SAFETY: `there` is used under the lock; loom checks it.
unsafe impl Sync for Tokens {}
// SAFETY: as above.
unsafe impl Send for Tokens {}

pub(super) const UNTIL_BOTH: Limit = Limit::ForBoth(Moment::NEVER);
const UNTIL_TRUE: Limit = Limit::ForCondition(Moment::NEVER);

impl Tokens {
    pub(super) fn new() -> Arc<Tokens> {
        Arc::new(Tokens {
            shared: Shared::new(),
            there: Cell::new(0),
            taken: AtomicU32::new(0),
            waiting: AtomicU32::new(0),
            changed: RawCondvar::new(),
        })
    }

    pub(super) fn raw(&self) -> &RawMutex {
        &self.shared.raw
    }

    /// Waits for a token, holding the lock. The condition has a state of its own, which nobody may use afterwards.
    pub(super) fn wait(&self, limit: Limit) -> Waited {
        self.begins();
        let calls = Cell::new(0);
        let condition = |there: &Cell<u32>| {
            calls.set(calls.get() + 1);
            there.get() > 0
        };
        // SAFETY: the caller holds the lock; loom checks it.
        let waited =
            unsafe { self.raw().wait_for_condition(&raw const self.there, condition, limit) };
        calls.set(0);
        waited
    }

    /// Locks and takes a token, if there is one in time; whether it has.
    pub(super) fn take(&self, limit: Limit) -> bool {
        if !match limit {
            Limit::ForBoth(deadline) => self.raw().acquire_until(|| deadline),
            Limit::Never | Limit::ForCondition(_) => {
                self.raw().acquire();
                true
            }
        } {
            return false;
        }
        self.take_holding(limit)
    }

    /// The same for a thread that has locked already.
    fn take_holding(&self, limit: Limit) -> bool {
        let waited = self.wait(limit);
        if waited == Waited::True {
            self.take_token();
        }
        if waited != Waited::LateWithoutLock {
            self.raw().release();
        }
        waited == Waited::True
    }

    /// One more has begun to wait.
    pub(super) fn begins(&self) {
        self.waiting.fetch_add(1, Relaxed);
    }

    fn take_token(&self) {
        self.shared.touch();
        self.there.set(self.there.get() - 1);
        self.taken.fetch_add(1, Relaxed);
    }

    /// For a task that holds the lock, with its condition true.
    pub(super) fn take_held(&self) {
        self.take_token();
        self.raw().release();
    }

    /// Lets so many threads begin to wait first, that what comes then need not pay for it in preemptions.
    pub(super) fn let_wait(&self, threads: u32) {
        while self.waiting.load(Relaxed) < threads || self.raw().is_locked() {
            thread::yield_now();
        }
    }

    /// Puts tokens there and lets go with `release`.
    pub(super) fn put(&self, tokens: u32, release: impl FnOnce(&RawMutex)) {
        self.raw().acquire();
        self.shared.touch();
        self.there.set(self.there.get() + tokens);
        release(self.raw());
    }

    /// So many were put there; all but those that were taken are left, and nobody waits.
    pub(super) fn check(&self, put: u32) {
        self.raw().check_rest();
        self.raw().acquire();
        assert_eq!(self.there.get() + self.taken.load(Relaxed), put);
        self.raw().release();
    }
}

pub(super) fn spawn(
    tokens: &Arc<Tokens>,
    body: impl FnOnce(&Tokens) + 'static,
) -> thread::JoinHandle<()> {
    let tokens = tokens.clone();
    thread::spawn(move || body(&tokens))
}

pub(super) fn take_one(tokens: &Tokens) {
    assert!(tokens.take(Limit::Never));
}

/// A thread that waits for a token, and one that puts it there with `put`.
pub(super) fn one_waiter(
    bound: usize,
    policy: Policy,
    put: impl Fn(&Tokens) + Sync + Send + 'static,
) {
    explore(bound, policy, move || {
        let tokens = Tokens::new();
        let waiter = spawn(&tokens, take_one);
        put(&tokens);
        waiter.join().unwrap();
        tokens.check(1);
    });
}

/// covers: W1 A4 P1 P3 (who makes a condition true wakes the thread that waits for it)
#[test]
fn model_when_true() {
    for policy in [Policy::Stays, Policy::Returns] {
        one_waiter(3, policy, |tokens| tokens.put(1, RawMutex::release));
    }
}

/// covers: W1 R3 M2 (who lets go fairly looks too; who steps aside does not lose it)
#[test]
fn model_when_fair() {
    one_waiter(3, Policy::Returns, |tokens| tokens.put(1, RawMutex::release_fair));
    one_waiter(3, Policy::Returns, |tokens| {
        tokens.put(1, |raw| {
            raw.yield_to_first();
            raw.release();
        });
    });
}

/// covers: W1 P3 (each release puts one in line; nobody is forgotten behind it)
#[test]
fn model_when_two() {
    for policy in [Policy::Stays, Policy::Returns] {
        explore_only(1, policy, || {
            let tokens = Tokens::new();
            let waiters = [spawn(&tokens, take_one), spawn(&tokens, take_one)];
            tokens.put(2, RawMutex::release);
            for waiter in waiters {
                waiter.join().unwrap();
            }
            tokens.check(2);
        });
    }
}

/// covers: W1 P5 M3 (the same with plain lockers, on whom releases rely to look; the first of the two is claimed for)
#[test]
fn model_when_contended() {
    for policy in [Policy::Returns, Policy::ClaimsAndReturns] {
        explore_only(1, policy, || {
            let tokens = Tokens::new();
            let waiter = spawn(&tokens, take_one);
            let other = spawn(&tokens, |tokens| tokens.shared.lock_touch_unlock());
            tokens.put(1, RawMutex::release);
            tokens.shared.lock_touch_unlock();
            waiter.join().unwrap();
            other.join().unwrap();
            tokens.check(1);
        });
    }
}

/// covers: W1 (a deadline passes before, while and after the condition is looked at: tickets that are pinned, abandoned and
/// done, and threads that leave the queue of the lock)
#[test]
fn model_when_timeout() {
    for limit in [UNTIL_TRUE, UNTIL_BOTH] {
        for policy in [Policy::Stays, Policy::Returns] {
            explore(3, policy, move || {
                let tokens = Tokens::new();
                let waiter = spawn(&tokens, move |tokens| {
                    tokens.take(limit);
                });
                tokens.put(1, RawMutex::release);
                waiter.join().unwrap();
                tokens.check(1);
            });
        }
    }
}

/// A thread whose time may be up at any time, and one that waits behind it. There are tokens for both.
pub(super) fn timeout_of_one(
    limit: Limit,
    release: impl Fn(&RawMutex) + Copy + Sync + Send + 'static,
) {
    explore_only(1, Policy::Stays, move || {
        let tokens = Tokens::new();
        // It is first in line: what comes before that need not be paid for in preemptions.
        tokens.raw().acquire();
        let waiter = spawn(&tokens, take_one);
        let other = spawn(&tokens, move |tokens| tokens.put(2, release));
        tokens.take_holding(limit);
        other.join().unwrap();
        waiter.join().unwrap();
        tokens.check(2);
    });
}

/// covers: W1 P3 P4 (a thread that was put in line leaves at its deadline; another's condition is true)
#[test]
fn model_when_timeout_of_one() {
    for limit in [UNTIL_TRUE, UNTIL_BOTH] {
        timeout_of_one(limit, RawMutex::release);
    }
}

/// covers: W1 P4 (a designated thread that has nothing to do with conditions gives up, and nobody else is in line)
#[test]
fn model_when_designated_gives_up() {
    for policy in [Policy::Stays, Policy::Returns] {
        designated_gives_up(policy, RawMutex::release);
    }
}

/// A thread that was woken for the lock gives up, while who holds it makes true what another waits for.
pub(super) fn designated_gives_up(
    policy: Policy,
    release: impl Fn(&RawMutex) + Copy + Sync + Send + 'static,
) {
    explore(2, policy, move || {
        let tokens = Tokens::new();
        let waiter = spawn(&tokens, take_one);
        tokens.let_wait(1);
        tokens.raw().acquire();
        tokens.raw().word().publish(Parked::None, Waking::Set);
        let quitter = spawn(&tokens, |tokens| {
            if tokens.raw().give_up_designated() {
                tokens.raw().release();
            }
        });
        tokens.there.set(1);
        release(tokens.raw());
        waiter.join().unwrap();
        quitter.join().unwrap();
        tokens.check(1);
    });
}

/// covers: W1 A1 A2 P4 (a designated thread gives up on the promise of an announcer, who has nobody to wake but a thread that
/// waits for a condition)
#[test]
fn model_when_promise() {
    explore_only(1, Policy::Returns, || {
        let tokens = Tokens::new();
        let waiter = spawn(&tokens, take_one);
        tokens.let_wait(1);
        tokens.raw().acquire();
        tokens.raw().word().publish(Parked::None, Waking::Set);
        // Back to plain releases.
        tokens.raw().release();
        tokens.raw().acquire();
        assert!(tokens.raw().word().queue().is_quiet());
        let others = [
            spawn(&tokens, |tokens| tokens.raw().announce_and_leave()),
            spawn(&tokens, |tokens| {
                if tokens.raw().give_up_designated() {
                    tokens.raw().release();
                }
            }),
        ];
        tokens.there.set(1);
        tokens.raw().release();
        waiter.join().unwrap();
        join(others);
        tokens.check(1);
    });
}

/// covers: W1 (a newcomer takes the token before the thread that was put in line for it, which waits again; another
/// comes later)
#[test]
fn model_when_stale() {
    explore_only(1, Policy::Returns, || {
        let tokens = Tokens::new();
        let waiter = spawn(&tokens, take_one);
        let newcomer = spawn(&tokens, |tokens| {
            tokens.raw().acquire();
            let there = tokens.there.get();
            if there > 0 {
                tokens.there.set(there - 1);
            }
            tokens.raw().release();
            if there > 0 {
                tokens.put(1, RawMutex::release);
            }
        });
        tokens.put(1, RawMutex::release);
        waiter.join().unwrap();
        newcomer.join().unwrap();
        tokens.check(1);
    });
}

/// covers: W1 V1 (who waits for a condition variable looks at conditions first)
#[test]
fn model_when_condvar() {
    for policy in [Policy::Stays, Policy::Returns] {
        one_waiter(2, policy, |tokens| {
            tokens.put(1, |raw| {
                tokens.changed.wait(raw, UNTIL_BOTH.deadline());
                raw.release();
            });
        });
    }
}

/// covers: W1 (who waits for a condition has changed what another waits for)
#[test]
fn model_when_in_turns() {
    explore(3, Policy::Returns, || {
        let tokens = Tokens::new();
        let other = spawn(&tokens, |tokens| {
            assert!(tokens.take(Limit::Never));
            tokens.put(2, RawMutex::release);
        });
        tokens.put(1, |raw| {
            // SAFETY: the lock is held; loom checks it.
            let waited = unsafe {
                raw.wait_for_condition(
                    &raw const tokens.there,
                    |there| there.get() == 2,
                    Limit::Never,
                )
            };
            assert_eq!(waited, Waited::True);
            raw.release();
        });
        other.join().unwrap();
        tokens.check(3);
    });
}

/// covers: W1 (threads without a state of their own wait for the same: one answer counts for both)
/// Three threads: with two preemptions it takes a quarter of an hour and more.
#[test]
fn model_when_same_condition() {
    explore_only(1, Policy::Stays, || {
        let tokens = Tokens::new();
        let take = |tokens: &Tokens| {
            let raw = tokens.raw();
            raw.acquire();
            // SAFETY: the lock is held; loom checks it.
            let waited = unsafe {
                raw.wait_for_condition(
                    &raw const tokens.there,
                    |there| there.get() > 0,
                    Limit::Never,
                )
            };
            assert_eq!(waited, Waited::True);
            raw.release();
        };
        let waiters = [spawn(&tokens, take), spawn(&tokens, take)];
        tokens.shared.lock_touch_unlock();
        tokens.put(1, RawMutex::release);
        for waiter in waiters {
            waiter.join().unwrap();
        }
        tokens.check(1);
    });
}
