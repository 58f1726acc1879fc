//! Tasks that read and write, under loom.

use super::{
    super::{ops::Reading, raw::Core, state::Mode},
    Want,
};
use crate::{
    model::{Executor, Policy, Shared, block_on, explore, explore_only, join, spawn},
    task::{Handle, Waiting},
};
use core::{pin::pin, task::Poll};

/// A handle of the lock, as a future has it.
pub(super) struct Of<'a>(&'a Core, Want);

impl Handle for Of<'_> {
    type Queue = Core;
    type Output = Reading;

    fn queue(&self) -> &Core {
        self.0
    }

    fn want(&self) -> Want {
        self.1
    }

    fn finish(self, reading: Reading) -> Reading {
        reading
    }
}

fn lock(shared: &Shared<Core>, want: Want) -> Waiting<Of<'_>> {
    Waiting::new(Of(&shared.raw, want))
}

fn task_writes(shared: &Shared<Core>) {
    block_on(lock(shared, Want::Write));
    shared.touch_unwrite();
}

fn task_reads(shared: &Shared<Core>) {
    let reading = block_on(lock(shared, Want::Read));
    shared.look_unread(reading);
}

/// covers: P1 P3 (a task that writes, counted readers, and a thread that writes)
#[test]
fn model_rw_task_writes() {
    explore(3, Policy::Stays, || {
        let shared = Shared::<Core>::new();
        let other = spawn(&shared, task_writes);
        shared.read_look_unread();
        shared.lock_touch_unlock();
        other.join().unwrap();
        shared.check(2);
    });
}

/// covers: P1 P3 (tasks that read, and writers)
#[test]
fn model_rw_task_reads() {
    explore(3, Policy::Stays, || {
        let shared = Shared::<Core>::new();
        let other = spawn(&shared, task_reads);
        shared.lock_touch_unlock();
        other.join().unwrap();
        shared.check(1);
    });
}

/// A task that writes, against a reader that leaves its slot.
pub(super) fn slot<H: Handle>(
    policy: Policy,
    wait: impl Fn(&'static Shared<Core>, Want) -> Waiting<H> + Copy + Send + Sync + 'static,
) {
    explore(3, policy, move || {
        let shared = Shared::biased();
        let reading = shared.read();
        let other = spawn(&shared, move |shared| {
            block_on(wait(forever(shared), Want::Write));
            shared.touch_unwrite();
        });
        shared.look_unread(reading);
        other.join().unwrap();
        shared.check(1);
    });
}

/// What is borrowed by a thread is joined before it goes away.
fn forever(shared: &Shared<Core>) -> &'static Shared<Core> {
    // SAFETY: models join their threads, whose futures are gone then, before they drop what is shared.
    unsafe { &*core::ptr::from_ref(shared) }
}

/// covers: P1 G3 G5 (X1, X2)
#[test]
fn model_rw_task_slot() {
    for policy in [Policy::Biases, Policy::BiasesFenced] {
        slot(policy, lock);
    }
}

/// covers: P1 G1 G3 (the same, and readers that come meanwhile, by slots or counted, and would have the bias on again)
#[test]
fn model_rw_task_slot_again() {
    explore_only(2, Policy::Biases, || {
        let shared = Shared::biased();
        let reading = shared.read();
        let others = [spawn(&shared, task_writes), spawn(&shared, Shared::read_look_unread)];
        shared.look_unread(reading);
        join(others);
        shared.check(1);
    });
}

/// covers: P3 G2 (a reader that was woken, in a period that goes on, and a writer behind it)
#[test]
fn model_rw_task_reads_where_bias_goes_on() {
    explore(2, Policy::BiasesFenced, || {
        let shared = Shared::biased();
        shared.raw.write();
        let executor = Executor::new();
        let mut reads = pin!(lock(&shared, Want::Read));
        assert!(executor.poll(reads.as_mut()).is_pending());
        let other = spawn(&shared, task_writes);
        shared.touch_unwrite();
        if let Poll::Ready(reading) = executor.poll(reads.as_mut()) {
            shared.look_unread(reading);
        } else {
            let reading = executor.run(reads.as_mut());
            shared.look_unread(reading);
        }
        other.join().unwrap();
        shared.check(2);
    });
}

/// covers: T4 T3 P1 (a task that upgrades, and readers counted or in slots)
#[test]
fn model_rw_task_upgrades() {
    for (policy, make) in
        [(Policy::Stays, Shared::<Core>::new as fn() -> _), (Policy::Biases, Shared::biased)]
    {
        explore(3, policy, move || {
            let shared = make();
            shared.raw.read_upgradably();
            let reader = spawn(&shared, Shared::read_look_unread);
            block_on(lock(&shared, Want::Upgrade));
            shared.touch_unwrite();
            reader.join().unwrap();
            shared.check(1);
        });
    }
}

/// A task is dropped at any time after its first poll, and another waits behind it.
pub(super) fn dropped<H: Handle<Output = Reading>>(
    want: Want,
    behind: Want,
    wait: impl Fn(&'static Shared<Core>, Want) -> Waiting<H> + Copy + Send + Sync + 'static,
) {
    explore_only(2, Policy::Stays, move || {
        let shared = Shared::<Core>::new();
        let reading = shared.read();
        let first = spawn(&shared, move |shared| {
            let mut future = pin!(wait(forever(shared), want));
            if let Poll::Ready(reading) = Executor::new().poll(future.as_mut()) {
                match want {
                    Want::Write => shared.raw.release(Mode::Exclusive),
                    _ => shared.raw.unread(reading),
                }
            }
        });
        let second = spawn(&shared, move |shared| match behind {
            Want::Write => task_writes(shared),
            _ => task_reads(shared),
        });
        shared.look_unread(reading);
        join([first, second]);
        shared.check(u32::from(behind == Want::Write));
    });
}

/// covers: P3 (who waits behind a task that is dropped gets its turn)
#[test]
fn model_rw_task_dropped() {
    dropped(Want::Write, Want::Read, lock);
    dropped(Want::Read, Want::Write, lock);
}

/// A task wants to write and is not polled again; the thread that has polled it then waits itself. The release wakes the task.
pub(super) fn behind_a_task_that_is_not_polled(
    mode: Mode,
    release: impl Fn(&Shared<Core>, Reading) + Send + Sync + 'static,
) {
    explore(2, Policy::Stays, move || {
        let shared = Shared::<Core>::new();
        let reading = shared.read();
        let other = spawn(&shared, move |shared| {
            let mut first = pin!(lock(shared, Want::Write));
            if Executor::new().poll(first.as_mut()).is_ready() {
                return shared.touch_unwrite();
            }
            if mode == Mode::Exclusive {
                shared.raw.write();
                shared.touch_unwrite();
            } else {
                shared.read_look_unread();
            }
        });
        release(&shared, reading);
        other.join().unwrap();
    });
}

/// covers: P3 (whoever is behind a task that was woken is woken too, and its claim is gone)
#[test]
fn model_rw_task_never_polled() {
    for mode in [Mode::Shared, Mode::Exclusive] {
        behind_a_task_that_is_not_polled(mode, Shared::look_unread);
    }
}
