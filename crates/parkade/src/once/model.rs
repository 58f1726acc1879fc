//! `Once` under loom; each model's doc line says which transitions (`state.rs`) it covers.

use super::{
    raw::{Poisoned, RawOnce, Waited},
    state::{Before, End, Poison},
};
use crate::model::{Policy, explore};
use loom::{
    cell::UnsafeCell,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    thread,
};
use parkade_core::Moment;

/// A `Once`, and what its initialisation writes.
pub(super) struct Shared {
    pub(super) raw: RawOnce,
    value: UnsafeCell<u32>,
    runs: AtomicU32,
}

impl Shared {
    pub(super) fn new() -> Arc<Shared> {
        let (value, runs) = (UnsafeCell::new(0), AtomicU32::new(0));
        Arc::new(Shared { raw: RawOnce::new(), value, runs })
    }

    /// Initialises, but for the first `failures` of all that try, which end as `end` says. Loom takes a
    /// panic for a failed model, so closures report what a panic would come to.
    pub(super) fn run(&self, poison: Poison, failures: u32, end: End) -> Result<(), Poisoned> {
        self.raw.run(poison, &mut |_| if self.write() < failures { end } else { End::Done })
    }

    /// What the runner does; how many have before it.
    pub(super) fn write(&self) -> u32 {
        let runs = self.runs.load(Relaxed);
        self.runs.store(runs + 1, Relaxed);
        // SAFETY: only the runner writes, and reads what runners before it have written.
        self.value.with_mut(|value| unsafe { *value += 1 });
        runs
    }

    /// What is complete shows what the initialisation has written.
    pub(super) fn look(&self) -> u32 {
        // SAFETY: nobody writes once it is complete; loom checks it.
        self.value.with(|value| unsafe { *value })
    }

    pub(super) fn look_if_completed(&self, runs: u32) {
        if self.raw.is_completed() {
            assert_eq!(self.look(), runs);
        }
    }

    pub(super) fn check(&self, runs: u32) {
        assert!(self.raw.is_completed(), "not complete: {:?}", self.raw);
        assert_eq!(self.look(), runs);
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

/// covers: O1 O2 O3 O5 (three come at once; one initialises)
#[test]
fn model_once_race() {
    explore(3, Policy::Stays, || {
        let shared = Shared::new();
        let run = |shared: &Shared| {
            assert_eq!(shared.run(Poison::Heed, 0, End::New), Ok(()));
            assert_eq!(shared.look(), 1);
        };
        let others = [spawn(&shared, run), spawn(&shared, run)];
        run(&shared);
        join(others);
        shared.check(1);
    });
}

/// covers: O3 O4 (one that does not wait sees what is completed under the bucket lock)
#[test]
fn model_once_late() {
    explore(3, Policy::Stays, || {
        let shared = Shared::new();
        let others = [
            spawn(&shared, |shared| {
                assert_eq!(shared.raw.wait(Poison::Heed, None), Ok(Waited::Done));
                assert_eq!(shared.look(), 1);
            }),
            spawn(&shared, |shared| shared.look_if_completed(1)),
        ];
        assert_eq!(shared.run(Poison::Heed, 0, End::New), Ok(()));
        join(others);
        shared.check(1);
    });
}

/// covers: O1 O2 O4 O5 (one or two fail, the others try again; to fail is to give up or to panic)
#[test]
fn model_once_failure() {
    let ends = [End::New, End::Poisoned];
    for (end, failures) in ends.into_iter().flat_map(|end| [(end, 1), (end, 2)]) {
        explore(2, Policy::Stays, move || {
            let shared = Shared::new();
            let run = move |shared: &Shared| {
                assert_eq!(shared.run(Poison::Ignore, failures, end), Ok(()));
            };
            let others = [spawn(&shared, run), spawn(&shared, run)];
            run(&shared);
            join(others);
            // Of the three that have come, so many have failed, and the next has not.
            shared.check(failures + 1);
        });
    }
}

/// covers: O4 O5 (one fails, and somebody who only waits is in the queue before who tries again)
#[test]
fn model_once_starter() {
    for end in [End::New, End::Poisoned] {
        explore(2, Policy::Stays, move || {
            let shared = Shared::new();
            let run = move |shared: &Shared| {
                assert_eq!(shared.run(Poison::Ignore, 1, end), Ok(()));
            };
            let waiting = spawn(&shared, |shared| {
                assert_eq!(shared.raw.wait(Poison::Ignore, None), Ok(Waited::Done));
                assert_eq!(shared.look(), 2);
            });
            let other = spawn(&shared, run);
            run(&shared);
            join([waiting, other]);
            shared.check(2);
        });
    }
}

/// covers: O4 O5 (a queue of those who heed poison, of those who do not, and of who only waits: the one
/// end concerns each in another way)
#[test]
fn model_once_poison() {
    explore(2, Policy::Stays, || {
        let shared = Shared::new();
        let others = [
            spawn(&shared, |shared| {
                // It may have come first, or last, and then it need not heed anything.
                let ran = shared.run(Poison::Heed, 1, End::Poisoned);
                assert!(ran == Ok(()) || ran == Err(Poisoned));
            }),
            spawn(&shared, |shared| {
                assert_eq!(shared.raw.wait(Poison::Ignore, None), Ok(Waited::Done));
                assert_eq!(shared.look(), 2);
            }),
        ];
        // The first that runs fails: we, or the other and we after it.
        for _ in 0..2 {
            assert_eq!(shared.run(Poison::Ignore, 1, End::Poisoned), Ok(()));
        }
        join(others);
        shared.check(2);
    });
}

/// covers: O4 O5 (who waits for somebody to begin is told of a panic, and of what succeeds after it)
#[test]
fn model_once_wait() {
    explore(3, Policy::Stays, || {
        let shared = Shared::new();
        let waiting = spawn(&shared, |shared| match shared.raw.wait(Poison::Heed, None) {
            Ok(Waited::Done) => assert_eq!(shared.look(), 2),
            Ok(Waited::TimedOut) => unreachable!(),
            Err(Poisoned) => {}
        });
        assert_eq!(shared.run(Poison::Heed, 1, End::Poisoned), Ok(()));
        assert_eq!(shared.run(Poison::Ignore, 1, End::Poisoned), Ok(()));
        join([waiting]);
        shared.check(2);
    });
}

/// covers: O4 O5 O6 (a deadline races completion, with another waiter in the queue)
#[test]
fn model_once_timeout() {
    explore(3, Policy::Stays, || {
        let shared = Shared::new();
        let others = [
            spawn(&shared, |shared| match shared.raw.wait(Poison::Heed, Some(Moment::NEVER)) {
                Ok(Waited::Done) => assert_eq!(shared.look(), 1),
                Ok(Waited::TimedOut) => {}
                Err(Poisoned) => unreachable!(),
            }),
            spawn(&shared, |shared| {
                assert_eq!(shared.raw.wait(Poison::Ignore, None), Ok(Waited::Done));
                assert_eq!(shared.look(), 1);
            }),
        ];
        assert_eq!(shared.run(Poison::Heed, 0, End::New), Ok(()));
        join(others);
        shared.check(1);
    });
}

/// covers: O2 O3 (what runs tells whether it was tried before, and what was written then)
#[test]
fn model_once_begins_anew() {
    explore(3, Policy::Stays, || {
        let shared = Shared::new();
        let failing = spawn(&shared, |shared| {
            assert_eq!(shared.run(Poison::Ignore, 1, End::Poisoned), Ok(()));
        });
        let ran = shared.raw.run(Poison::Ignore, &mut |before| {
            let written = shared.look();
            assert_eq!(written, u32::from(before == Before::Poisoned));
            End::Done
        });
        assert_eq!(ran, Ok(()));
        join([failing]);
        assert!(shared.raw.is_completed());
    });
}
