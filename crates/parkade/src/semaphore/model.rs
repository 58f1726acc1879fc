//! The semaphore under loom; each model's doc line says which transitions (`state.rs`) it covers.

use super::{
    raw::{Ended, RawSemaphore, Tried},
    state::{Permits, SemaphorePolicy},
};
use crate::model::{Policy, explore};
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use loom::{cell::UnsafeCell, sync::Arc, thread};
use parkade_core::Moment;

pub(super) use SemaphorePolicy::{Barging, Fifo};

pub(super) fn permits(permits: usize) -> Permits {
    Permits::new(permits).unwrap()
}

/// A semaphore, how many of its permits are held, and two values: each is written by whom has a permit or all
/// of them, as the model says.
pub(super) struct Shared {
    pub(super) raw: RawSemaphore,
    initial: usize,
    /// A count of what happens, not a part of the model: so not loom's.
    held: AtomicUsize,
    values: [UnsafeCell<u32>; 2],
}

impl Shared {
    pub(super) fn new(initial: usize, policy: SemaphorePolicy) -> Arc<Shared> {
        let raw = RawSemaphore::new(permits(initial), policy);
        let values = [UnsafeCell::new(0), UnsafeCell::new(0)];
        Arc::new(Shared { raw, initial, held: AtomicUsize::new(0), values })
    }

    /// Loom fails the model if two of these are not ordered.
    pub(super) fn touch(&self, index: usize) {
        // SAFETY: the model says that the caller is alone; loom checks it.
        self.values[index].with_mut(|value| unsafe { *value += 1 });
    }

    /// Loom fails the model if this and a `touch` are not ordered.
    fn look(&self, index: usize) -> u32 {
        // SAFETY: the model says that nobody writes; loom checks it.
        self.values[index].with(|value| unsafe { *value })
    }

    pub(super) fn acquire(&self, want: usize) {
        assert_eq!(self.raw.acquire(permits(want), || None), Ended::Acquired);
        self.hold(want);
    }

    /// Times out as soon as it would have to sleep, unless it is woken first.
    fn acquire_timed(&self, want: usize) -> bool {
        let ended = self.raw.acquire(permits(want), || Some(Moment::NEVER));
        if ended == Ended::Acquired {
            self.hold(want);
        }
        ended == Ended::Acquired
    }

    pub(super) fn hold(&self, count: usize) {
        let held = self.held.fetch_add(count, Relaxed) + count;
        assert!(held <= self.initial, "{held} permits are held, and there are {}", self.initial);
    }

    pub(super) fn let_go(&self, count: usize) {
        self.held.fetch_sub(count, Relaxed);
    }

    pub(super) fn release(&self, count: usize) {
        self.let_go(count);
        self.raw.release(count);
    }

    pub(super) fn turn(&self, want: usize) {
        self.acquire(want);
        self.release(want);
    }

    /// As `turn`; who has all the permits is alone.
    fn turn_alone(&self) {
        self.acquire(self.initial);
        self.touch(0);
        self.release(self.initial);
    }

    /// Afterwards: every permit has come back, and nobody waits.
    pub(super) fn check(&self) {
        let state = self.raw.state();
        assert_eq!((state.permits(), self.held.load(Relaxed)), (self.initial, 0), "{state:?}");
        assert!(state.is_legal() && !state.has_line() && !state.claim(), "left {state:?}");
    }
}

pub(super) fn spawn(
    shared: &Arc<Shared>,
    body: impl FnOnce(&Shared) + 'static,
) -> thread::JoinHandle<()> {
    let shared = shared.clone();
    thread::spawn(move || body(&shared))
}

pub(super) fn join(threads: impl IntoIterator<Item = thread::JoinHandle<()>>) {
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

/// covers: K1 K3 K4 K5 (one permit: a lock)
#[test]
fn model_semaphore_excludes() {
    for policy in [Fifo, Barging] {
        explore(2, Policy::Stays, move || {
            let shared = Shared::new(1, policy);
            let others = [spawn(&shared, Shared::turn_alone), spawn(&shared, Shared::turn_alone)];
            shared.turn_alone();
            join(others);
            shared.check();
            assert_eq!(shared.look(0), 3);
        });
    }
}

/// covers: K3 K5 (a waiter is granted what two have given back, of whom only one has come to its bucket)
#[test]
fn model_semaphore_grants() {
    explore(3, Policy::Stays, || {
        let shared = Shared::new(2, Fifo);
        shared.acquire(2);
        let waiting = spawn(&shared, |shared| {
            shared.acquire(2);
            shared.touch(0);
            shared.touch(1);
            shared.release(2);
        });
        let other = spawn(&shared, |shared| {
            shared.touch(0);
            shared.release(1);
        });
        shared.touch(1);
        shared.release(1);
        join([waiting, other]);
        shared.check();
    });
}

/// covers: K1 K3 K4 K5 (requests of different sizes; the largest gets its turn, and no permit is lost)
#[test]
fn model_semaphore_weights() {
    for policy in [Fifo, Barging] {
        explore(2, Policy::Stays, move || {
            let shared = Shared::new(2, policy);
            let others =
                [spawn(&shared, Shared::turn_alone), spawn(&shared, |shared| shared.turn(1))];
            shared.turn(1);
            join(others);
            shared.check();
        });
    }
}

/// The first in line wants two and may time out; the next wants one, which is all that comes back.
fn departs(policy: SemaphorePolicy) {
    explore(2, Policy::Stays, move || {
        let shared = Shared::new(2, policy);
        shared.acquire(2);
        let timed = spawn(&shared, |shared| assert!(!shared.acquire_timed(2)));
        let waiting = spawn(&shared, |shared| shared.acquire(1));
        shared.release(1);
        join([timed, waiting]);
        shared.release(2);
        shared.check();
    });
}

/// covers: K4 K5 K6
#[test]
fn model_semaphore_departs() {
    departs(Fifo);
}

/// covers: K4 K5 K6 K7
#[test]
fn model_semaphore_barging_departs() {
    departs(Barging);
}

/// A deadline races the grant of what it waits for, with another behind it.
fn deadline_races(policy: SemaphorePolicy, decisions: Policy) {
    explore(2, decisions, move || {
        let shared = Shared::new(1, policy);
        shared.acquire(1);
        let timed = spawn(&shared, |shared| {
            if shared.acquire_timed(1) {
                shared.touch(0);
                shared.release(1);
            }
        });
        let waiting = spawn(&shared, Shared::turn_alone);
        shared.touch(0);
        shared.release(1);
        join([timed, waiting]);
        shared.check();
    });
}

/// covers: K5 K6 (a thread that is granted permits as its deadline passes has them)
#[test]
fn model_semaphore_deadline_races_grant() {
    deadline_races(Fifo, Policy::Stays);
}

/// covers: K5 K6 K8 (the same for one that is woken to compete)
#[test]
fn model_semaphore_deadline_races_wake() {
    deadline_races(Barging, Policy::Stays);
    deadline_races(Barging, Policy::Claims);
}

/// Two waiters of different sizes, and one who overtakes them.
fn overtaken(decisions: Policy) {
    explore(2, decisions, || {
        let shared = Shared::new(2, Barging);
        shared.acquire(2);
        let others = [spawn(&shared, Shared::turn_alone), spawn(&shared, |shared| shared.turn(1))];
        shared.release(2);
        shared.turn(1);
        join(others);
        shared.check();
    });
}

/// covers: K1 K4 K5 (a woken thread loses and parks again)
#[test]
fn model_semaphore_barging() {
    overtaken(Policy::Stays);
}

/// covers: K1 K4 K5 K8 (every loser claims, and newcomers queue until it is served)
#[test]
fn model_semaphore_claim() {
    overtaken(Policy::Claims);
}

/// covers: K7 K8 (a designated thread that was woken in vain gives up while awake; what there is suffices for who
/// waits behind it, and nothing else comes back before that one has it)
#[test]
fn model_semaphore_designated_gives_up() {
    for decisions in [Policy::Stays, Policy::Claims] {
        explore(2, decisions, || {
            let shared = Shared::new(2, Barging);
            shared.acquire(2);
            let quitter = spawn(&shared, |shared| {
                if shared.raw.acquire_or_give_up_once_woken(permits(2)) == Ended::Acquired {
                    shared.hold(2);
                    shared.release(2);
                }
            });
            let waiting = spawn(&shared, |shared| shared.acquire(1));
            shared.release(1);
            join([waiting]);
            shared.release(2);
            join([quitter]);
            shared.check();
        });
    }
}

/// covers: K7 (a release that comes while the designated thread gives up: it finds one on its way, and looks after nobody)
#[test]
fn model_semaphore_release_races_giving_up() {
    explore(2, Policy::Stays, || {
        let shared = Shared::new(2, Barging);
        shared.acquire(2);
        let quitter = spawn(&shared, |shared| {
            if shared.raw.acquire_or_give_up_once_woken(permits(2)) == Ended::Acquired {
                shared.hold(2);
                shared.release(2);
            }
        });
        let waiting = spawn(&shared, |shared| shared.turn(2));
        shared.release(1);
        shared.release(1);
        join([quitter, waiting]);
        shared.check();
    });
}

/// covers: K4 K5 K9 (closing races a grant and those who queue; what was granted is kept)
#[test]
fn model_semaphore_closes() {
    for policy in [Fifo, Barging] {
        explore(2, Policy::Stays, move || {
            let shared = Shared::new(1, policy);
            shared.acquire(1);
            let waiting = spawn(&shared, |shared| match shared.raw.acquire(permits(1), || None) {
                Ended::Acquired => {
                    shared.hold(1);
                    shared.touch(0);
                    shared.release(1);
                }
                ended => assert_eq!(ended, Ended::Closed),
            });
            let closing = spawn(&shared, |shared| {
                shared.touch(1);
                shared.raw.close();
            });
            shared.touch(0);
            shared.release(1);
            join([waiting, closing]);
            assert_eq!(shared.raw.acquire(permits(1), || None), Ended::Closed);
            shared.check();
        });
    }
}

/// covers: K9 K11 (who finds it closed, queued or not, sees what was done before)
#[test]
fn model_semaphore_closed() {
    explore(3, Policy::Stays, || {
        let shared = Shared::new(0, Fifo);
        let waiting = spawn(&shared, |shared| {
            assert_eq!(shared.raw.acquire(permits(1), || None), Ended::Closed);
            assert_eq!(shared.look(0), 1);
        });
        let trying = spawn(&shared, |shared| {
            if shared.raw.try_acquire(permits(1)) == Tried::Closed {
                assert_eq!(shared.look(0), 1);
            }
        });
        shared.touch(0);
        shared.raw.close();
        join([waiting, trying]);
    });
}

/// covers: K3 K5 K10 (permits are forgotten while others are granted: what is forgotten nobody has)
#[test]
fn model_semaphore_forgets() {
    for policy in [Fifo, Barging] {
        explore(2, Policy::Stays, move || {
            let shared = Shared::new(2, policy);
            shared.acquire(2);
            let waiting = spawn(&shared, |shared| shared.turn(2));
            let forgotten = Arc::new(AtomicUsize::new(0));
            let forgetting = {
                let forgotten = forgotten.clone();
                spawn(&shared, move |shared| forgotten.store(shared.raw.forget(1), Relaxed))
            };
            shared.release(2);
            join([forgetting]);
            assert_eq!(shared.raw.add(forgotten.load(Relaxed)), Ok(()));
            join([waiting]);
            shared.check();
        });
    }
}
