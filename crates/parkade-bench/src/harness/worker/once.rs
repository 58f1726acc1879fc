//! The loops on what was initialised before.

use std::marker::PhantomData;

use super::{Operation, Outcome, Worker};
use crate::harness::Padded;
use crate::sides::Access;
use crate::subject::{OnceLockSubject, OnceSubject};

/// A `Once` that is called though it is complete.
#[derive(Debug)]
pub(super) struct Calling<S>(PhantomData<S>);

impl<S: OnceSubject> Operation for Calling<S> {
    const ACCESS: Access = Access::Read;
    type Lock = S::Once;
    type Value<'a> = ();

    #[inline(always)]
    fn with<R>(once: &S::Once, section: impl FnOnce(()) -> R) -> R {
        S::call(once);
        section(())
    }
}

/// A `OnceLock` whose value is there.
#[derive(Debug)]
pub(super) struct Getting<S>(PhantomData<S>);

impl<S: OnceLockSubject> Operation for Getting<S> {
    const ACCESS: Access = Access::Read;
    type Lock = S::OnceLock;
    type Value<'a> = Option<&'a u64>;

    #[inline(always)]
    fn with<R>(lock: &S::OnceLock, section: impl FnOnce(Option<&u64>) -> R) -> R {
        section(S::get(lock))
    }
}

impl Worker<'_> {
    /// As [`work`](Worker::work), with a `Once`.
    pub(in crate::harness) fn work_once<S: OnceSubject>(
        self,
        onces: &[Padded<S::Once>],
    ) -> Outcome {
        self.timed(|worker| worker.empty_loop::<Calling<S>>(&onces[0].0))
    }

    /// As [`work`](Worker::work), with a `OnceLock`.
    pub(in crate::harness) fn work_once_lock<S: OnceLockSubject>(
        self,
        locks: &[Padded<S::OnceLock>],
    ) -> Outcome {
        self.timed(|worker| worker.empty_loop::<Getting<S>>(&locks[0].0))
    }
}
