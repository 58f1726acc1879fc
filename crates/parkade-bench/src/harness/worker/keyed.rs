//! The loop on mutexes of many keys.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Operation, Outcome, Worker};
use crate::harness::Padded;
use crate::scenario::KeyedShape;
use crate::sides::Access;
use crate::subject::KeyedSubject;

/// How many values lie on lines of their own. Where there are more keys, two threads seldom meet on a line of
/// eight, and fetching a line and its page from afar for every value would be most of every lock's figure.
const MOST_PADDED: u32 = 1 << 14;

/// The keys' locks and, the same for all subjects, their values.
pub(in crate::harness) struct Floor<S: KeyedSubject> {
    map: S::Map,
    values: Box<[AtomicU64]>,
    /// From one value to the next.
    stride: usize,
}

impl<S: KeyedSubject> Floor<S> {
    /// Values for so many keys. Each key has been locked once.
    pub(in crate::harness) fn new(keys: u32) -> Floor<S> {
        let map = S::new();
        for key in 0..keys {
            S::with(&map, key.into(), || ());
        }
        let stride =
            if keys <= MOST_PADDED { size_of::<Padded<u8>>() / size_of::<u64>() } else { 1 };
        let values = (0..keys as usize * stride).map(|_| AtomicU64::new(1)).collect();
        Floor { map, values, stride }
    }

    #[inline(always)]
    fn value(&self, key: u32) -> &AtomicU64 {
        &self.values[key as usize * self.stride]
    }

    /// The value of each key.
    #[cfg(test)]
    pub(in crate::harness) fn values(&self) -> Vec<u64> {
        let value = |key| self.value(key as u32).load(Ordering::Relaxed);
        (0..self.values.len() / self.stride).map(value).collect()
    }
}

/// One of a floor's keys.
pub(super) struct At<'a, S: KeyedSubject> {
    floor: &'a Floor<S>,
    key: u32,
}

/// The mutex of a key.
#[derive(Debug)]
pub(super) struct OfKey<'a, S>(PhantomData<&'a S>);

impl<'a, S: KeyedSubject> Operation for OfKey<'a, S> {
    const ACCESS: Access = Access::Write;
    type Lock = At<'a, S>;
    type Value<'v> = &'v AtomicU64;

    #[inline(always)]
    fn with<R>(at: &At<'a, S>, section: impl FnOnce(&AtomicU64) -> R) -> R {
        let value = at.floor.value(at.key);
        S::with(&at.floor.map, at.key.into(), || section(value))
    }
}

impl Worker<'_> {
    /// As [`work`](Worker::work), with the mutexes of many keys.
    pub(in crate::harness) fn work_keyed<S: KeyedSubject>(
        self,
        shape: KeyedShape,
        floors: &[Padded<Floor<S>>],
    ) -> Outcome {
        let floor = &floors[0].0;
        let (work, inside) = (self.work, shape.inside);
        self.timed(|worker| {
            while worker.goes_on() {
                let key = worker.keys.draw();
                // A load and a store that whoever holds the key has for itself: no locked instruction.
                worker.enter::<OfKey<'_, S>>(&At { floor, key }, |value| {
                    let next = value.load(Ordering::Relaxed).wrapping_add(1);
                    value.store(work.run(next, inside), Ordering::Relaxed);
                });
            }
        })
    }
}
