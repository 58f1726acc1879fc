//! Tasks that wait for a `Once` and that initialise, under loom.

use super::{
    super::{
        model::{Shared, join, spawn},
        raw::RawOnce,
        state::{Aim, End, Poison, Wish},
    },
    At, Found,
};
use crate::{
    model::{Executor, Policy, block_on, explore, explore_only},
    task::{Handle, Queue, Waiting},
};
use core::pin::pin;

pub(super) const RUN: Wish = Wish { aim: Aim::Run, poison: Poison::Ignore };
const WAIT: Wish = Wish { aim: Aim::Wait, poison: Poison::Ignore };

/// A task that comes to some queue of a `Once` with its wish.
pub(super) struct Comes<Q>(pub(super) Q, pub(super) Wish);

impl<Q: Queue<Want = Wish>> Handle for Comes<Q> {
    type Queue = Q;
    type Output = Q::Got;

    fn queue(&self) -> &Q {
        &self.0
    }

    fn want(&self) -> Wish {
        self.1
    }

    fn finish(self, got: Q::Got) -> Q::Got {
        got
    }
}

pub(super) fn come(shared: &Shared, wish: Wish) -> Waiting<Comes<At<'_, RawOnce>>> {
    Waiting::new(Comes(At(&shared.raw), wish))
}

/// A task initialises, unless another does.
fn initialise(shared: &Shared) {
    match block_on(come(shared, RUN)) {
        Found::Begun(mut run) => {
            shared.write();
            run.will_end(End::Done);
        }
        Found::Done => {}
        Found::Poisoned => unreachable!("poison is ignored"),
    }
}

/// covers: O1 O2 O3 O4 O5 (tasks and a thread come at once; one initialises, all see it)
#[test]
fn model_once_task_race() {
    explore_only(2, Policy::Stays, || {
        let shared = Shared::new();
        let others = [
            spawn(&shared, |shared| {
                initialise(shared);
                assert_eq!(shared.look(), 1);
            }),
            spawn(&shared, |shared| {
                assert!(matches!(block_on(come(shared, WAIT)), Found::Done));
                assert_eq!(shared.look(), 1);
            }),
        ];
        assert_eq!(shared.run(Poison::Ignore, 0, End::New), Ok(()));
        join(others);
        shared.check(1);
    });
}

/// A task begins, and is dropped as `give_up` does it, while a thread and another task wait to try.
pub(super) fn an_initialiser_is_dropped(
    give_up: impl Fn(&Shared, Found<'_>) + Copy + Send + Sync + 'static,
) {
    explore_only(2, Policy::Stays, move || {
        let shared = Shared::new();
        let begun = block_on(come(&shared, RUN));
        let others = [
            spawn(&shared, |shared| {
                assert_eq!(shared.run(Poison::Ignore, 0, End::New), Ok(()));
            }),
            spawn(&shared, initialise),
        ];
        shared.write();
        give_up(&shared, begun);
        join(others);
        shared.check(2);
    });
}

/// covers: O1 O2 O4 O5 (it gives up, and one of those who wait tries)
#[test]
fn model_once_task_gives_up() {
    an_initialiser_is_dropped(|_, begun| drop(begun));
}

/// A task waits to initialise, and is dropped before, while, or after an initialisation fails; another waits behind it.
pub(super) fn a_starter_is_dropped<'a, Q: Queue<Want = Wish>>(
    queue: impl Fn(At<'a, RawOnce>) -> Q + Copy + Send + Sync + 'static,
) {
    explore_only(2, Policy::Stays, move || {
        let shared = Shared::new();
        let begun = block_on(come(&shared, RUN));
        let dropped = spawn(&shared, move |shared| {
            // SAFETY: models join their threads, whose futures are gone then, before they drop what is shared.
            let raw = unsafe { &*core::ptr::from_ref(&shared.raw) };
            let mut waiting = pin!(Waiting::new(Comes(queue(At(raw)), RUN)));
            drop(Executor::new().poll(waiting.as_mut()));
        });
        let other = spawn(&shared, initialise);
        drop(begun);
        join([dropped, other]);
        shared.check(1);
    });
}

/// covers: O4 O5 O6 O7 (who was woken to try and is dropped picks another)
#[test]
fn model_once_task_starter_dropped() {
    a_starter_is_dropped(|at| at);
}

/// A task waits and is not polled again; the thread that has polled it then waits itself. `fail` ends what both wait for.
pub(super) fn a_thread_behind_a_task_that_is_not_polled(
    fail: impl Fn(&Shared, Found<'_>) + Copy + Send + Sync + 'static,
) {
    explore(2, Policy::Stays, move || {
        let shared = Shared::new();
        let begun = block_on(come(&shared, RUN));
        let other = spawn(&shared, |shared| {
            let mut first = pin!(come(shared, RUN));
            drop(Executor::new().poll(first.as_mut()));
            assert_eq!(shared.run(Poison::Ignore, 0, End::New), Ok(()));
        });
        fail(&shared, begun);
        join([other]);
        shared.check(1);
    });
}

/// covers: O4 O5 (the thread behind a task that was woken to try is woken too)
#[test]
fn model_once_task_never_polled() {
    a_thread_behind_a_task_that_is_not_polled(|_, begun| drop(begun));
}
