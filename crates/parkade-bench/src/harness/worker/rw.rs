//! The loops on reader-writer locks.

use std::hint::black_box;
use std::marker::PhantomData;

use super::{Operation, Outcome, Worker, float_steps};
use crate::harness::Padded;
use crate::rng::Odds;
use crate::scenario::RwShape;
use crate::sides::Access;
use crate::subject::{RwSubject, Subject, SubjectId};

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

/// Whether others want the lock too.
trait Company {
    fn operate<O: Operation>(
        worker: &mut Worker<'_>,
        lock: &O::Lock,
        section: impl FnOnce(O::Value<'_>),
    );
}

/// They do, so waits are measured and watched.
enum Others {}

impl Company for Others {
    #[inline(always)]
    fn operate<O: Operation>(
        worker: &mut Worker<'_>,
        lock: &O::Lock,
        section: impl FnOnce(O::Value<'_>),
    ) {
        worker.enter::<O>(lock, section);
    }
}

/// Nobody does: what only serves waits would be a good part of a read's time.
enum Alone {}

impl Company for Alone {
    #[inline(always)]
    fn operate<O: Operation>(
        worker: &mut Worker<'_>,
        lock: &O::Lock,
        section: impl FnOnce(O::Value<'_>),
    ) {
        O::with(lock, section);
        worker.done::<O>();
    }
}

impl Worker<'_> {
    /// As [`work`](Worker::work), with a reader-writer lock among `threads` threads.
    pub(in crate::harness) fn work_rw<S: RwSubject>(
        self,
        shape: RwShape,
        threads: u32,
        locks: &[Padded<S::Lock>],
    ) -> Outcome {
        let lock = &locks[0].0;
        self.timed(|worker| match shape {
            RwShape::EmptyLoop(Access::Read) => worker.empty_loop::<Reading<S>>(lock),
            RwShape::EmptyLoop(Access::Write) => worker.empty_loop::<Writing<S>>(lock),
            RwShape::Mixed { read_percent, inside } if threads == 1 => {
                worker.mixed::<S, Alone>(lock, read_percent, inside);
            }
            RwShape::Mixed { read_percent, inside } => {
                worker.mixed::<S, Others>(lock, read_percent, inside);
            }
            RwShape::Apart { writers, inside, outside } if worker.index < writers => {
                worker.float::<Writing<S>>(lock, inside, outside);
            }
            RwShape::Apart { inside, outside, .. } => {
                worker.float_reads::<S>(lock, inside, outside);
            }
        })
    }

    fn mixed<S: RwSubject, C: Company>(&mut self, lock: &S::Lock, read_percent: u32, inside: u32) {
        let mut own = 1;
        match read_percent {
            // No draw where there is no choice.
            100 => {
                while self.goes_on() {
                    self.read::<S, C>(lock, inside, &mut own);
                }
            }
            0 => {
                while self.goes_on() {
                    self.write::<S, C>(lock, inside);
                }
            }
            _ => {
                let mut reads = Odds::new(self.rng.clone(), read_percent);
                while self.goes_on() {
                    if reads.draw() {
                        self.read::<S, C>(lock, inside, &mut own);
                    } else {
                        self.write::<S, C>(lock, inside);
                    }
                }
            }
        }
        black_box(own);
    }

    #[inline(always)]
    fn read<S: RwSubject, C: Company>(&mut self, lock: &S::Lock, inside: u32, own: &mut u64) {
        let work = self.work;
        C::operate::<Reading<S>>(self, lock, |value| {
            *own = own.wrapping_add(work.run(*value, inside));
        });
    }

    #[inline(always)]
    fn write<S: RwSubject, C: Company>(&mut self, lock: &S::Lock, inside: u32) {
        let work = self.work;
        C::operate::<Writing<S>>(self, lock, |value| {
            *value = work.run(value.wrapping_add(1), inside);
        });
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
