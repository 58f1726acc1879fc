//! The loops on mutexes that a thread may lock again.

use std::hint::black_box;

use super::{BLOCK, Outcome, Worker};
use crate::harness::Padded;
use crate::scenario::ReentrantShape;
use crate::subject::ReentrantSubject;

impl Worker<'_> {
    /// As [`work`](Worker::work), with a reentrant mutex.
    pub(in crate::harness) fn work_reentrant<S: ReentrantSubject>(
        self,
        shape: ReentrantShape,
        locks: &[Padded<S::Lock>],
    ) -> Outcome {
        let lock = &locks[0].0;
        self.timed(|worker| match shape {
            ReentrantShape::EmptyLoop => worker.blocks(|| {
                S::with(lock, |value| {
                    black_box(value);
                });
            }),
            ReentrantShape::Nested => worker.blocks(|| {
                S::with(lock, |_| {
                    S::with(lock, |_| {
                        S::with(lock, |value| {
                            black_box(value);
                        });
                    });
                });
            }),
        })
    }

    /// Repeats what nobody else can wait for.
    #[inline(always)]
    fn blocks(&mut self, operation: impl Fn()) {
        while self.goes_on() {
            for _ in 0..BLOCK {
                operation();
            }
            self.ops += BLOCK;
        }
    }
}
