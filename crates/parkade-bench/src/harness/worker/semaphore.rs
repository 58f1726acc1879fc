//! The loops on semaphores. Whoever has a permit is not alone, so all work is on private values.

use std::hint::black_box;
use std::marker::PhantomData;

use super::{BLOCK, Operation, Outcome, Worker};
use crate::harness::Padded;
use crate::scenario::SemaphoreShape;
use crate::sides::Access;
use crate::subject::{SemaphoreSubject, WeightedSubject};

/// One permit.
#[derive(Debug)]
struct One<S>(PhantomData<S>);

impl<S: SemaphoreSubject> Operation for One<S> {
    const ACCESS: Access = Access::Write;
    type Lock = S::Semaphore;
    type Value<'a> = ();

    #[inline(always)]
    fn with<R>(semaphore: &S::Semaphore, section: impl FnOnce(()) -> R) -> R {
        S::with(semaphore, || section(()))
    }
}

/// A semaphore, and how many of its permits are wanted.
struct Want<'a, S: SemaphoreSubject> {
    semaphore: &'a S::Semaphore,
    permits: u32,
}

/// Several permits at once.
#[derive(Debug)]
struct Many<'a, S>(PhantomData<&'a S>);

impl<'a, S: WeightedSubject> Operation for Many<'a, S> {
    const ACCESS: Access = Access::Write;
    type Lock = Want<'a, S>;
    type Value<'v> = ();

    #[inline(always)]
    fn with<R>(want: &Want<'a, S>, section: impl FnOnce(()) -> R) -> R {
        S::with_many(want.semaphore, want.permits, || section(()))
    }
}

impl Worker<'_> {
    /// As [`work`](Worker::work), with a semaphore.
    pub(in crate::harness) fn work_semaphore<S: SemaphoreSubject>(
        self,
        shape: SemaphoreShape,
        semaphores: &[Padded<S::Semaphore>],
    ) -> Outcome {
        let semaphore = &semaphores[0].0;
        self.timed(|worker| match shape {
            SemaphoreShape::EmptyLoop => {
                while worker.goes_on() {
                    for _ in 0..BLOCK {
                        S::with(semaphore, || black_box(()));
                    }
                    worker.ops += BLOCK;
                }
            }
            SemaphoreShape::Steps { inside, outside, .. } => {
                worker.turns(outside, |worker, own| {
                    let work = worker.work;
                    worker.enter::<One<S>>(semaphore, |()| *own = work.run(*own, inside));
                });
            }
            SemaphoreShape::Weighted { .. } => unreachable!("it wants several permits at once"),
        })
    }

    /// As [`work_semaphore`](Worker::work_semaphore), where several permits are wanted at once.
    pub(in crate::harness) fn work_weighted<S: WeightedSubject>(
        self,
        shape: SemaphoreShape,
        semaphores: &[Padded<S::Semaphore>],
    ) -> Outcome {
        let semaphore = &semaphores[0].0;
        let SemaphoreShape::Weighted { most, inside, outside, .. } = shape else {
            unreachable!("one permit is no weight");
        };
        self.timed(|worker| {
            worker.turns(outside, |worker, own| {
                let (work, permits) = (worker.work, 1 + worker.rng.below(most));
                let want = Want { semaphore, permits };
                worker.enter::<Many<'_, S>>(&want, |()| *own = work.run(*own, inside));
            });
        })
    }

    /// `enter` works on a value with permits; without them the work goes on here.
    #[inline(always)]
    fn turns(&mut self, outside: u32, mut enter: impl FnMut(&mut Self, &mut u64)) {
        let work = self.work;
        let mut own = 1;
        while self.goes_on() {
            enter(self, &mut own);
            own = work.run(own, outside);
        }
        black_box(own);
    }
}
