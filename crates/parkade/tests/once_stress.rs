//! Evidence for one initialisation, no lost wake-up and visible values on real threads and processors:
//! every way to initialise and to wait, mixed at random, with panics and errors among them.
//! `PARKADE_SEED` repeats a run's choices, `PARKADE_STRESS_SECS` sets the length of each case.

mod support;

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use parkade::{LazyLock, Once, OnceLock};
use support::{Pace, Rng, Witness, in_bursts, section_body, seed};

/// A new one for every round: what is complete does nothing any more. The last thread that leaves a round
/// frees its own, perhaps while another is still waking those who have waited there.
#[derive(Debug, Default)]
struct Fresh<L> {
    current: Mutex<(u64, Arc<L>)>,
}

impl<L: Default> Fresh<L> {
    fn of(&self, round: u64) -> Arc<L> {
        let mut current = self.current.lock().unwrap();
        if current.0 != round {
            *current = (round, Arc::default());
        }
        Arc::clone(&current.1)
    }
}

/// Panics without a word on the terminal.
fn fail() -> ! {
    resume_unwind(Box::new("on purpose"))
}

/// Whether `body` fails on purpose, or because another has. It may not panic for any other reason.
fn fails<R>(body: impl FnOnce() -> R) -> bool {
    let Err(panic) = catch_unwind(AssertUnwindSafe(body)) else { return false };
    match panic.downcast_ref::<&str>() {
        Some(&("on purpose" | "the initialisation was tried before, and panicked")) => true,
        _ => resume_unwind(panic),
    }
}

/// The rounds of one thread.
fn rounds(threads: usize) -> Vec<AtomicU64> {
    (0..threads).map(|_| AtomicU64::new(0)).collect()
}

/// Now and then a moment, so that threads come at every stage of an initialisation.
fn moment(rng: &mut Rng) {
    if rng.below(2) == 0 {
        section_body(Pace::Sleepy, rng);
    }
}

#[derive(Debug, Default)]
struct Guarded {
    once: Once,
    /// How often a closure has run to its end.
    completed: AtomicU64,
    /// What closures write, one at a time.
    witness: parkade::Mutex<Witness>,
}

impl Guarded {
    fn initialise(&self, rng: &mut Rng) {
        self.witness.try_lock().expect("one closure at a time").section(|| moment(rng));
        if rng.below(3) == 0 {
            fail();
        }
        self.completed.fetch_add(1, Relaxed);
    }

    fn turn(&self, rng: &mut Rng) -> u64 {
        moment(rng);
        let patience = Duration::from_nanos(rng.below(200_000));
        fails(|| match rng.below(6) {
            0 => self.once.call_once(|| self.initialise(rng)),
            1 => self.once.wait(),
            2 => {
                let _in_time = self.once.wait_for(patience);
            }
            3 => self.once.wait_force(),
            _ => self.once.call_once_force(|_| self.initialise(rng)),
        });
        u64::from(self.once.is_completed() && self.completed.load(Relaxed) == 1)
    }

    /// Whoever only waits needs somebody who succeeds in the end.
    fn succeed(&self) {
        self.once.call_once_force(|_| {
            self.completed.fetch_add(1, Relaxed);
        });
    }
}

fn once_in_bursts(threads: usize) {
    let seed = seed();
    let fresh = Fresh::<Guarded>::default();
    let rounds = rounds(threads);
    let name = format!("once, bursts of {threads}, PARKADE_SEED={seed}");
    let complete = in_bursts(&name, threads, seed, |index, rng| {
        let round = rounds[index].fetch_add(1, Relaxed) + 1;
        let guarded = fresh.of(round);
        if index == 0 {
            moment(rng);
            guarded.succeed();
        }
        let complete = guarded.turn(rng);
        assert!(guarded.completed.load(Relaxed) <= 1, "{name}: two closures have completed");
        complete
    });
    let rounds = rounds[0].load(Relaxed);
    assert!(complete >= rounds, "{name}: the first thread sees every round complete");
    println!("{name}: {rounds} rounds");
}

#[test]
fn once_in_bursts_of_two() {
    once_in_bursts(2);
}

#[test]
fn once_in_bursts_of_five() {
    once_in_bursts(5);
}

#[test]
fn once_in_bursts_of_sixteen() {
    once_in_bursts(16);
}

/// A value of several words, all the same: half of one would be seen.
type Value = [u64; 6];

fn value_turn(lock: &OnceLock<Value>, rng: &mut Rng, mark: u64) -> u64 {
    moment(rng);
    let patience = Duration::from_nanos(rng.below(200_000));
    let failing = rng.below(3) == 0;
    let found = match rng.below(8) {
        0 => lock.get().copied(),
        1 => Some(*lock.wait()),
        2 => lock.wait_for(patience).copied(),
        3 => {
            let _ = lock.set([mark; 6]);
            Some(*lock.get().expect("set by us or before"))
        }
        4 => lock
            .get_or_try_init(|| {
                moment(rng);
                if failing { Err(()) } else { Ok([mark; 6]) }
            })
            .ok()
            .copied(),
        _ => {
            let mut value = None;
            fails(|| {
                value = Some(*lock.get_or_init(|| {
                    moment(rng);
                    if failing { fail() } else { [mark; 6] }
                }));
            });
            value
        }
    };
    let Some(value) = found else { return 0 };
    assert_eq!(value, [value[0]; 6]);
    assert_eq!(lock.get(), Some(&value), "a value that was seen has changed");
    1
}

fn values_in_bursts(threads: usize) {
    let seed = seed();
    let fresh = Fresh::<OnceLock<Value>>::default();
    let rounds = rounds(threads);
    let name = format!("once lock, bursts of {threads}, PARKADE_SEED={seed}");
    let seen = in_bursts(&name, threads, seed, |index, rng| {
        let round = rounds[index].fetch_add(1, Relaxed) + 1;
        let lock = fresh.of(round);
        if index == 0 {
            // Whoever only waits needs somebody who succeeds in the end.
            moment(rng);
            let _ = lock.set([round; 6]);
        }
        value_turn(&lock, rng, round ^ (index as u64) << 48)
    });
    println!("{name}: {} rounds, {seen} values seen", rounds[0].load(Relaxed));
    assert!(seen > 0);
}

#[test]
fn values_in_bursts_of_two() {
    values_in_bursts(2);
}

#[test]
fn values_in_bursts_of_five() {
    values_in_bursts(5);
}

#[test]
fn values_in_bursts_of_sixteen() {
    values_in_bursts(16);
}

/// All threads at a `LazyLock` that panics for one round in four: then all of them panic.
#[test]
fn lazy_locks_are_good_for_everybody_or_for_nobody() {
    const THREADS: usize = 5;

    #[derive(Debug)]
    struct Lazies {
        good: LazyLock<Value>,
        bad: LazyLock<Value>,
    }

    impl Default for Lazies {
        fn default() -> Lazies {
            const MOMENT: Duration = Duration::from_micros(20);
            let good = || {
                thread::sleep(MOMENT);
                [5; 6]
            };
            let bad = || {
                thread::sleep(MOMENT);
                fail()
            };
            Lazies { good: LazyLock::new(good), bad: LazyLock::new(bad) }
        }
    }

    let seed = seed();
    let fresh = Fresh::<Lazies>::default();
    let rounds = rounds(THREADS);
    let name = format!("lazy locks, PARKADE_SEED={seed}");
    let seen = in_bursts(&name, THREADS, seed, |index, rng| {
        let round = rounds[index].fetch_add(1, Relaxed) + 1;
        moment(rng);
        let lazy = fresh.of(round);
        if round.is_multiple_of(4) {
            assert!(fails(|| *lazy.bad));
            return 0;
        }
        assert_eq!(*lazy.good, [5; 6]);
        1
    });
    assert!(seen > 0);
    println!("{name}: {} rounds", rounds[0].load(Relaxed));
}
