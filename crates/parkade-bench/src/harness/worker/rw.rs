//! The loops on reader-writer locks.

use std::hint::black_box;
use std::marker::PhantomData;

use super::{Operation, Outcome, Worker, float_steps};
use crate::harness::Padded;
use crate::rng::Odds;
use crate::scenario::{RwShape, Sampling};
use crate::sides::Access;
use crate::subject::{RwSubject, Subject, SubjectId};
use crate::work::Work;

/// A reader-writer lock taken for reading.
#[derive(Debug)]
pub(super) struct Reading<S>(PhantomData<S>);

impl<S: RwSubject> Operation for Reading<S> {
    const ACCESS: Access = Access::Read;
    type Lock = S::Lock;
    type Value<'a> = &'a u64;

    #[inline(always)]
    fn with<R>(lock: &S::Lock, section: impl FnOnce(&u64) -> R) -> R {
        S::read(lock, section)
    }
}

/// A reader-writer lock taken for writing: as good as a mutex.
#[derive(Debug)]
pub(super) struct Writing<S>(PhantomData<S>);

impl<S: RwSubject> Subject for Writing<S> {
    const ID: SubjectId = S::ID;
    type Lock = S::Lock;

    fn new(value: u64) -> S::Lock {
        S::new(value)
    }

    #[inline(always)]
    fn with<R>(lock: &S::Lock, section: impl FnOnce(&mut u64) -> R) -> R {
        S::write(lock, section)
    }

    #[inline(always)]
    fn try_with<R>(lock: &S::Lock, section: impl FnOnce(&mut u64) -> R) -> Option<R> {
        S::try_write(lock, section)
    }
}

/// Whether anybody can have to wait.
trait Watch {
    /// How many operations are done between two looks at the stop flag.
    const BLOCK: u64;

    fn operate<O: Operation>(
        worker: &mut Worker<'_>,
        op: u64,
        lock: &O::Lock,
        section: impl FnOnce(O::Value<'_>),
    );
}

/// They can, so waits are measured and watched.
enum Watched {}

impl Watch for Watched {
    const BLOCK: u64 = 1;

    #[inline(always)]
    fn operate<O: Operation>(
        worker: &mut Worker<'_>,
        op: u64,
        lock: &O::Lock,
        section: impl FnOnce(O::Value<'_>),
    ) {
        worker.operate::<O>(op, lock, section);
    }
}

/// Nobody can: what only serves waits would take longer than a read.
enum Unwatched {}

impl Watch for Unwatched {
    // Guess: the flag no longer shows, and 32 threads do not go on for long after it is set.
    const BLOCK: u64 = 64;

    #[inline(always)]
    fn operate<O: Operation>(
        _: &mut Worker<'_>,
        _: u64,
        lock: &O::Lock,
        section: impl FnOnce(O::Value<'_>),
    ) {
        O::with(lock, section);
    }
}

/// As [`Work::run`]. Two steps are the most frequent, and a loop around them would take longer
/// than they do.
#[inline(always)]
fn run(work: Work, value: u64, steps: u32) -> u64 {
    if steps == 2 { work.run(value, 2) } else { work.run(value, steps) }
}

impl Worker<'_> {
    /// As [`work`](Worker::work), with a reader-writer lock.
    pub(in crate::harness) fn work_rw<S: RwSubject>(
        self,
        shape: RwShape,
        sampling: Sampling,
        locks: &[Padded<S::Lock>],
    ) -> Outcome {
        let lock = &locks[0].0;
        self.timed(|worker| match shape {
            RwShape::EmptyLoop(Access::Read) => worker.empty_loop::<Reading<S>>(lock),
            RwShape::EmptyLoop(Access::Write) => worker.empty_loop::<Writing<S>>(lock),
            RwShape::Mixed { read_percent, inside } if sampling == Sampling::Off => {
                worker.mixed::<S, Unwatched>(lock, read_percent, inside);
            }
            RwShape::Mixed { read_percent, inside } => {
                worker.mixed::<S, Watched>(lock, read_percent, inside);
            }
            RwShape::Apart { writers, inside, outside } if worker.index < writers => {
                worker.float::<Writing<S>>(lock, inside, outside);
            }
            RwShape::Apart { inside, outside, .. } => {
                worker.float_reads::<S>(lock, inside, outside);
            }
        })
    }

    fn mixed<S: RwSubject, W: Watch>(&mut self, lock: &S::Lock, read_percent: u32, inside: u32) {
        match read_percent {
            // No draw where there is no choice.
            100 => self.repeat::<S, W>(lock, inside, || Access::Read),
            0 => self.repeat::<S, W>(lock, inside, || Access::Write),
            _ => {
                let mut odds = Odds::new(self.rng.clone(), read_percent);
                let draw = || if odds.draw() { Access::Read } else { Access::Write };
                self.repeat::<S, W>(lock, inside, draw);
            }
        }
    }

    #[inline(always)]
    fn repeat<S: RwSubject, W: Watch>(
        &mut self,
        lock: &S::Lock,
        inside: u32,
        mut draw: impl FnMut() -> Access,
    ) {
        let work = self.work;
        let mut own: u64 = 1;
        // Not in `self`: there they would be written back at every operation.
        let (mut ops, mut reads) = (0, 0);
        while self.goes_on_after(ops) {
            for _ in 0..W::BLOCK {
                match draw() {
                    Access::Read => {
                        W::operate::<Reading<S>>(self, ops, lock, |value| {
                            own = own.wrapping_add(run(work, *value, inside));
                        });
                        reads += 1;
                    }
                    Access::Write => W::operate::<Writing<S>>(self, ops, lock, |value| {
                        *value = run(work, value.wrapping_add(1), inside);
                    }),
                }
                ops += 1;
            }
        }
        (self.ops, self.reads) = (ops, reads);
        black_box(own);
    }

    fn float_reads<S: RwSubject>(&mut self, lock: &S::Lock, inside: u32, outside: u32) {
        let factor = black_box(1.01_f64);
        let (mut carried, mut own) = (0.0_f64, 0.0_f64);
        while self.goes_on() {
            self.enter::<Reading<S>>(lock, |value| {
                own = float_steps(own, &mut carried, f64::from_bits(*value), inside);
            });
            own = float_steps(own, &mut carried, factor, outside);
        }
        black_box((carried, own));
    }
}
