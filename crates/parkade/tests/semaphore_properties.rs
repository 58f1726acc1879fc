//! Evidence that a [`Semaphore`] counts as a number does, whatever one thread does to it: random scripts of every
//! operation, near zero and near the limits, against a reference that is a number and whether it is closed.

#[path = "support/property.rs"]
mod property;
mod support;

use std::time::Duration;

use parkade::{
    AcquireError, Semaphore, SemaphorePermit, SemaphorePolicy, TimedAcquireError, TryAcquireError,
};
use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
    test_runner::TestCaseResult,
};
use support::past;

const MAX: usize = Semaphore::MAX_PERMITS;

/// How long an attempt may wait.
#[derive(Debug, Clone, Copy)]
enum Patience {
    Try,
    For(Duration),
    Past,
    /// Waits, if that cannot be for ever.
    Ample,
}

#[derive(Debug, Clone, Copy)]
enum Op {
    Acquire(usize, Patience),
    Drop(Index),
    Forget(Index),
    Split(Index, usize),
    /// The second into the first.
    Merge(Index, Index),
    Add(usize),
    ForgetAvailable(usize),
    Close,
}

/// A number that is small, or near a limit.
fn numbers() -> impl Strategy<Value = usize> {
    prop_oneof![
        9 => 0..8_usize,
        1 => MAX - 7..=MAX,
        1 => MAX..MAX + 8,
        1 => usize::MAX - 7..=usize::MAX,
    ]
}

fn scripts() -> impl Strategy<Value = Vec<Op>> {
    let brief = Patience::For(Duration::from_nanos(100));
    let patience =
        vec![Patience::Try, Patience::For(Duration::ZERO), brief, Patience::Past, Patience::Ample];
    let index = any::<Index>;
    let op = prop_oneof![
        26 => (numbers(), select(patience)).prop_map(|(n, patience)| Op::Acquire(n, patience)),
        12 => index().prop_map(Op::Drop),
        2 => index().prop_map(Op::Forget),
        6 => (index(), numbers()).prop_map(|(which, n)| Op::Split(which, n)),
        7 => (index(), index()).prop_map(|(into, which)| Op::Merge(into, which)),
        6 => numbers().prop_map(Op::Add),
        4 => numbers().prop_map(Op::ForgetAvailable),
    ];
    // Most is over when it is closed.
    vec(prop_oneof![200 => op, 1 => Just(Op::Close)], 1..200)
}

/// What the operations come to, in numbers.
#[derive(Debug)]
struct Reference {
    available: usize,
    closed: bool,
}

impl Reference {
    fn try_acquire(&mut self, want: usize) -> Result<usize, TryAcquireError> {
        if want > MAX {
            Err(TryAcquireError::TooMany)
        } else if self.closed {
            Err(TryAcquireError::Closed)
        } else {
            self.available = self.available.checked_sub(want).ok_or(TryAcquireError::NoPermits)?;
            Ok(want)
        }
    }

    fn give(&mut self, permits: usize) {
        self.available = self.available.saturating_add(permits).min(MAX);
    }

    fn add(&mut self, permits: usize) -> bool {
        let fits = permits <= MAX - self.available;
        self.available += if fits { permits } else { 0 };
        fits
    }
}

/// A semaphore, what it should be, and permits with what they should count.
struct World<'s> {
    semaphore: &'s Semaphore,
    reference: Reference,
    held: Vec<(SemaphorePermit<'s>, usize)>,
}

impl<'s> World<'s> {
    fn step(&mut self, op: Op) -> TestCaseResult {
        match op {
            Op::Acquire(want, patience) => self.acquire(want, patience)?,
            Op::Drop(which) => {
                if let Some((permit, count)) = self.pick(which) {
                    self.reference.give(count);
                    drop(permit);
                }
            }
            Op::Forget(which) => drop(self.pick(which).map(|(permit, _)| permit.forget())),
            Op::Split(which, n) => {
                if let Some((mut permit, count)) = self.pick(which) {
                    let split = permit.split(n);
                    prop_assert_eq!(split.is_some(), n <= count);
                    let kept = if split.is_some() { count - n } else { count };
                    self.held.extend(split.map(|split| (split, n)));
                    self.held.push((permit, kept));
                }
            }
            Op::Merge(into, which) if self.held.len() > 1 => {
                let (mut permit, count) = self.pick(into).expect("there are two");
                let (other, more) = self.pick(which).expect("there is another");
                permit.merge(other);
                self.held.push((permit, count.saturating_add(more)));
            }
            Op::Merge(..) => {}
            Op::Add(n) => {
                prop_assert_eq!(self.semaphore.add_permits(n).is_ok(), self.reference.add(n));
            }
            Op::ForgetAvailable(n) => {
                let forgotten = n.min(self.reference.available);
                self.reference.available -= forgotten;
                prop_assert_eq!(self.semaphore.forget_permits(n), forgotten);
            }
            Op::Close => {
                self.reference.closed = true;
                self.semaphore.close();
            }
        }
        self.check()
    }

    fn acquire(&mut self, want: usize, patience: Patience) -> TestCaseResult {
        let expected = self.reference.try_acquire(want);
        let semaphore = self.semaphore;
        let in_vain = expected == Err(TryAcquireError::NoPermits);
        let got = match patience {
            Patience::Ample if !in_vain => {
                semaphore.acquire_many(want).map_err(|error| match error {
                    AcquireError::Closed => TryAcquireError::Closed,
                    AcquireError::TooMany => TryAcquireError::TooMany,
                })
            }
            Patience::Try | Patience::Ample => semaphore.try_acquire_many(want),
            Patience::For(timeout) => {
                semaphore.try_acquire_many_for(want, timeout).map_err(at_once)
            }
            Patience::Past => semaphore.try_acquire_many_until(want, past()).map_err(at_once),
        };
        let counted = got.as_ref().map(SemaphorePermit::num_permits).map_err(|error| *error);
        prop_assert_eq!(counted, expected);
        self.held.extend(got.map(|permit| (permit, want)));
        Ok(())
    }

    fn pick(&mut self, which: Index) -> Option<(SemaphorePermit<'s>, usize)> {
        let len = self.held.len();
        (len > 0).then(|| self.held.swap_remove(which.index(len)))
    }

    fn check(&self) -> TestCaseResult {
        let now = (self.semaphore.available_permits(), self.semaphore.is_closed());
        prop_assert_eq!(now, (self.reference.available, self.reference.closed));
        for (permit, count) in &self.held {
            prop_assert_eq!(permit.num_permits(), *count);
        }
        Ok(())
    }
}

/// Who gives up in time would have been refused at once.
fn at_once(error: TimedAcquireError) -> TryAcquireError {
    match error {
        TimedAcquireError::TimedOut => TryAcquireError::NoPermits,
        TimedAcquireError::Closed => TryAcquireError::Closed,
        TimedAcquireError::TooMany => TryAcquireError::TooMany,
    }
}

fn agrees(policy: SemaphorePolicy, initial: usize, script: &[Op]) -> TestCaseResult {
    let _watched = property::watched_case();
    let semaphore = Semaphore::with_policy(initial, policy);
    let reference = Reference { available: initial, closed: false };
    let mut world = World { semaphore: &semaphore, reference, held: Vec::new() };
    for op in script {
        world.step(*op)?;
    }
    let World { mut reference, held, .. } = world;
    for (permit, count) in held {
        drop(permit);
        reference.give(count);
        prop_assert_eq!(semaphore.available_permits(), reference.available);
    }
    Ok(())
}

proptest! {
    #![proptest_config(property::cases(120))]

    #[test]
    fn first_come_first_served_counts_as_a_number(
        initial in numbers(),
        script in scripts(),
    ) {
        agrees(SemaphorePolicy::Fifo, initial.min(MAX), &script)?;
    }

    #[test]
    fn barging_counts_as_a_number(initial in numbers(), script in scripts()) {
        agrees(SemaphorePolicy::Barging, initial.min(MAX), &script)?;
    }
}
