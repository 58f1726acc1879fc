//! An initialisation that a task runs, from its wait to its end.
//!
//! The task is the runner between two polls too, and may be another thread's by the next one. A thread is listed as one
//! that initialises (`reentry.rs`) only while it polls or drops what the user has given us: a thread that blocks there, on
//! what it is initialising, waits for itself, and nothing else does for certain. Another task, which a nested executor runs
//! there, may wait for the same; so tasks are never told that they wait for themselves.

use super::{At, Found, HasOnce};
use crate::{
    once::{
        raw::{RawOnce, Run},
        reentry::{Frame, Name},
        slot::Slot,
        state::{Aim, End, Poison, Wish},
    },
    task::{Handle, Waiting},
};
use core::{
    any::type_name,
    future::Future,
    mem::ManuallyDrop,
    pin::Pin,
    task::{Context, Poll, ready},
};

impl<I, T> HasOnce for Slot<I, T> {
    fn once(&self) -> &RawOnce {
        self.once()
    }
}

/// A task that has come with a function of its own.
pub(crate) struct Starter<'a, T, F> {
    at: At<'a, Slot<(), T>>,
    make: F,
}

impl<'a, T, F> Handle for Starter<'a, T, F> {
    type Queue = At<'a, Slot<(), T>>;
    type Output = (Self, Found<'a>);

    fn queue(&self) -> &At<'a, Slot<(), T>> {
        &self.at
    }

    fn want(&self) -> Wish {
        Wish { aim: Aim::Run, poison: Poison::Ignore }
    }

    fn finish(self, found: Found<'a>) -> Self::Output {
        (self, found)
    }
}

/// What is under [`GetOrInit`](crate::futures::GetOrInit) and its fallible sister.
///
/// Whatever is pinned in it is never moved: a stage is dropped in its place.
pub(crate) enum Init<'a, T, F, Fut> {
    Waits(Waiting<Starter<'a, T, F>>),
    Runs(Running<'a, T, Fut>),
    Over,
}

impl<'a, T, F, Fut> Init<'a, T, F, Fut> {
    pub(crate) fn new(slot: &'a Slot<(), T>, make: F) -> Self {
        Init::Waits(Waiting::new(Starter { at: At(slot), make }))
    }

    /// Whether it has been ready, or has panicked.
    pub(crate) fn is_over(&self) -> bool {
        match self {
            Init::Waits(waiting) => waiting.is_over(),
            Init::Runs(running) => running.run.is_none(),
            Init::Over => true,
        }
    }

    fn waits(self: Pin<&mut Self>) -> Option<Pin<&mut Waiting<Starter<'a, T, F>>>> {
        // SAFETY: nothing is moved.
        match unsafe { self.get_unchecked_mut() } {
            // SAFETY: pinned as we are.
            Init::Waits(waiting) => Some(unsafe { Pin::new_unchecked(waiting) }),
            _ => None,
        }
    }

    fn runs(self: Pin<&mut Self>) -> Option<Pin<&mut Running<'a, T, Fut>>> {
        // SAFETY: nothing is moved.
        match unsafe { self.get_unchecked_mut() } {
            // SAFETY: pinned as we are.
            Init::Runs(running) => Some(unsafe { Pin::new_unchecked(running) }),
            _ => None,
        }
    }
}

impl<'a, T, F, Fut> Init<'a, T, F, Fut>
where
    F: FnOnce() -> Fut,
    Fut: Future,
{
    /// `value` takes apart what the user's future has come to.
    pub(crate) fn poll<E>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        value: fn(Fut::Output) -> Result<T, E>,
    ) -> Poll<Result<&'a T, E>> {
        if let Some(waiting) = self.as_mut().waits() {
            let (starter, found) = ready!(waiting.poll(cx));
            match found {
                Found::Begun(run) => {
                    let running = Running::begin(starter, run);
                    self.set(Init::Runs(running));
                }
                Found::Done => {
                    self.set(Init::Over);
                    // SAFETY: it was seen to be complete.
                    return Poll::Ready(Ok(unsafe { starter.at.0.get_unchecked() }));
                }
                Found::Poisoned => unreachable!("poison is ignored"),
            }
        }
        let running = self.as_mut().runs().expect("a future was polled after it was ready");
        let slot = running.slot;
        let (output, mut run) = ready!(running.poll(cx));
        let made = value(output).map(|value| {
            // SAFETY: the run is of this slot.
            unsafe { slot.fill(value) };
            run.will_end(End::Done);
        });
        // The next one begins when there is nothing left of this one.
        self.set(Init::Over);
        drop(run);
        // SAFETY: it is complete, by us.
        Poll::Ready(made.map(|()| unsafe { slot.get_unchecked() }))
    }
}

/// The user's future, and the right to run it.
pub(crate) struct Running<'a, T, Fut> {
    slot: &'a Slot<(), T>,
    function: &'static str,
    /// Pinned. Until it is dropped, by `drop`.
    future: ManuallyDrop<Fut>,
    /// Of that slot; dropped after the future. Not there while it is polled and after that was over.
    run: Option<Run<'a>>,
}

impl<'a, T, Fut> Running<'a, T, Fut> {
    fn begin<F: FnOnce() -> Fut>(starter: Starter<'a, T, F>, mut run: Run<'a>) -> Self {
        let Starter { at: At(slot), make } = starter;
        let function = type_name::<F>();
        run.will_end(End::Poisoned);
        let future = {
            let frame = Frame::new(slot.once().key(), Name::Task(function));
            let _listed = frame.list();
            make()
        };
        run.will_end(End::New);
        Running { slot, function, future: ManuallyDrop::new(future), run: Some(run) }
    }
}

impl<'a, T, Fut: Future> Running<'a, T, Fut> {
    /// If the future panics it has ended with that: whoever waits need not wait until it is dropped.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<(Fut::Output, Run<'a>)> {
        // SAFETY: the future is not moved; the rest is not pinned.
        let this = unsafe { self.get_unchecked_mut() };
        let mut run = this.run.take().expect("a future was polled after it has panicked");
        run.will_end(End::Poisoned);
        let poll = {
            let frame = Frame::new(this.slot.once().key(), Name::Task(this.function));
            let _listed = frame.list();
            // SAFETY: pinned as we are.
            unsafe { Pin::new_unchecked(&mut *this.future) }.poll(cx)
        };
        run.will_end(End::New);
        match poll {
            Poll::Ready(output) => Poll::Ready((output, run)),
            Poll::Pending => {
                this.run = Some(run);
                Poll::Pending
            }
        }
    }
}

impl<T, Fut> Drop for Running<'_, T, Fut> {
    fn drop(&mut self) {
        let frame = Frame::new(self.slot.once().key(), Name::Task(self.function));
        let _listed = frame.list();
        // SAFETY: once, in its place.
        unsafe { ManuallyDrop::drop(&mut self.future) };
    }
}
