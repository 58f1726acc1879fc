//! Tasks that wait for a notification, under loom. The locks, the notifiers and the threads are those of `condvar/model.rs`.

use super::{
    super::model::{Meeting, spawn, take_ticket},
    Holding, Next, Until, Waiting,
};
use crate::{
    RawMutex,
    model::{Executor, Policy, block_on, explore, explore_only, join},
    requeue,
    task::Handle,
};
use core::{
    pin::{Pin, pin},
    task::Poll,
};

pub(super) type Mutexes = Meeting<RawMutex>;

/// A handle of a mutex, as a future has it.
pub(super) struct Of<'a>(&'a RawMutex);

pub(super) struct Guard<'a>(&'a RawMutex);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.0.release();
    }
}

impl<'a> Handle for Of<'a> {
    type Queue = RawMutex;
    type Output = Guard<'a>;

    fn queue(&self) -> &RawMutex {
        self.0
    }

    fn want(&self) {}

    fn finish(self, (): ()) -> Guard<'a> {
        Guard(self.0)
    }
}

impl<'a> Holding for Of<'a> {
    fn lock(&self) -> impl requeue::Lock + '_ {
        self.0
    }

    fn hold(guard: Guard<'a>) -> Of<'a> {
        let lock = guard.0;
        core::mem::forget(guard);
        Of(lock)
    }
}

/// Until there is a ticket.
pub(super) struct Ticket<'a> {
    meeting: &'a Mutexes,
    /// What a notification is about, as long as nobody takes a ticket who has not been notified.
    once_notified: Next,
}

impl Ticket<'_> {
    fn look(&self) -> Next {
        self.meeting.shared.touch();
        if self.meeting.tickets() == 0 { Next::Waits } else { Next::Returns }
    }
}

impl Until<Guard<'_>> for Ticket<'_> {
    fn at_first(&mut self, _: &mut Guard<'_>) -> Next {
        self.look()
    }

    fn once_notified(&mut self, _: &mut Guard<'_>) -> Next {
        let next = self.look();
        assert!(next == self.once_notified || next == Next::Returns, "woken without a cause");
        next
    }
}

pub(super) type Wait<'a> = Waiting<'a, Of<'a>, Ticket<'a>>;

fn wait(meeting: &Mutexes, once_notified: Next) -> Wait<'_> {
    meeting.shared.raw.acquire();
    let guard = Guard(&meeting.shared.raw);
    Waiting::new(&meeting.condvar, guard, Ticket { meeting, once_notified })
}

fn task_takes_ticket(meeting: &Mutexes) {
    let guard = block_on(wait(meeting, Next::Returns));
    meeting.take();
    drop(guard);
}

/// covers: V1 V2 (a task is notified, with the mutex free or held)
#[test]
fn model_condvar_task() {
    explore(2, Policy::Returns, || {
        let meeting = Mutexes::new();
        let waiter = spawn(&meeting, task_takes_ticket);
        meeting.issue(1);
        meeting.condvar.notify_first();
        waiter.join().unwrap();
        meeting.check();
    });
    explore(2, Policy::Stays, || {
        let meeting = Mutexes::new();
        let waiter = spawn(&meeting, task_takes_ticket);
        meeting.issue_holding(1, |meeting| {
            meeting.condvar.notify_everybody();
        });
        waiter.join().unwrap();
        meeting.check();
    });
}

/// covers: V1 V2 A4 P3 (a thread and a task are notified at once; the thread is moved, the task woken)
#[test]
fn model_condvar_task_and_thread() {
    explore_only(1, Policy::Stays, || {
        let meeting = Mutexes::new();
        let waiters = [spawn(&meeting, take_ticket), spawn(&meeting, task_takes_ticket)];
        meeting.issue_holding(2, |meeting| {
            meeting.condvar.notify_everybody();
        });
        join(waiters);
        meeting.check();
    });
}

/// A task waits, is polled again and then `dropped`, in whatever state; a thread waits for the one ticket that there is, and that
/// one is notified of.
pub(super) fn a_task_is_dropped(
    dropped: impl Fn(Pin<&mut Wait<'_>>) + Copy + Send + Sync + 'static,
) {
    explore_only(2, Policy::Stays, move || {
        let meeting = Mutexes::new();
        {
            let mut future = Box::pin(wait(&meeting, Next::Waits));
            let task = Executor::new();
            assert!(task.poll(future.as_mut()).is_pending());
            let others = [
                spawn(&meeting, |meeting| {
                    meeting.take_ticket();
                }),
                spawn(&meeting, |meeting| {
                    meeting.issue(1);
                    meeting.condvar.notify_first();
                }),
            ];
            match task.poll(future.as_mut()) {
                Poll::Pending => dropped(future.as_mut()),
                // It may have used a notification that was meant for who takes the ticket.
                Poll::Ready(guard) => {
                    drop(guard);
                    meeting.condvar.notify_first();
                }
            }
            drop(future);
            join(others);
        }
        meeting.check();
    });
}

/// covers: V2 (dropped before, while and after it is notified, waiting for the mutex too; the notification goes to another)
#[test]
fn model_condvar_task_dropped() {
    a_task_is_dropped(|_| {});
}

/// A future waits and is not polled again; the thread that has polled it waits behind it. Both are notified, by `notify`, and
/// it must not matter that the task does not come.
pub(super) fn a_thread_behind_a_task_that_is_not_polled(
    notify: impl Fn(&Mutexes) + Send + Sync + 'static,
) {
    explore(2, Policy::Stays, move || {
        let meeting = Mutexes::new();
        let waiter = spawn(&meeting, |meeting| {
            let mut future = pin!(wait(meeting, Next::Waits));
            if Executor::new().poll(future.as_mut()).is_pending() {
                meeting.take_ticket();
            }
        });
        notify(&meeting);
        waiter.join().unwrap();
        meeting.condvar.check_rest();
    });
}

/// covers: V2 P3 (no thread relies on a task that was notified with it, the mutex being free or held)
#[test]
fn model_condvar_task_never_polled() {
    a_thread_behind_a_task_that_is_not_polled(|meeting| {
        meeting.issue(1);
        meeting.condvar.notify_everybody();
    });
    a_thread_behind_a_task_that_is_not_polled(|meeting| {
        meeting.issue_holding(1, |meeting| {
            meeting.condvar.notify_everybody();
        });
    });
}
