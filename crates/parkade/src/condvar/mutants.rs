//! Protocols that look right and are not. Each has to fail under loom, or the models would not notice
//! such a mistake in the real one: `cargo xtask weaken` runs them.

use super::model::{Meeting, behind_designated, freed_by_the_waiter, spawn, take_ticket};
use crate::{
    RawMutex,
    model::{Policy, explore},
    mutex::{Role, Waking},
    parked::Parked,
    requeue::{Conditions, Destination, Lock as _},
};
use loom::sync::{Arc, atomic::AtomicU32};
use parkade_core::{
    DEFAULT_UNPARK_TOKEN, Moment, ParkRequest, ParkResult, RequeueFilterOp, UnparkResult,
    shim::Ordering::Relaxed,
};

type Mutexes = Meeting<RawMutex>;

/// Moves waiters to the mutex's queue; `receive` gets its word ready and says what becomes of the first, `moved` is told
/// afterwards. How many there were.
pub(super) fn move_all(
    meeting: &Mutexes,
    receive: impl FnOnce() -> RequeueFilterOp,
    moved: impl FnOnce(),
) -> usize {
    let mut receive = Some(receive);
    let filter = |_| receive.take().map_or(RequeueFilterOp::Requeue, |receive| receive());
    let callback = |result: UnparkResult| {
        meeting.condvar.word().publish(result.have_more_threads.into());
        if result.unparked_threads + result.requeued_threads > 0 {
            moved();
        }
        DEFAULT_UNPARK_TOKEN
    };
    let mutex = Destination::key(&meeting.shared.raw);
    // SAFETY: the keys are those of the two; the callbacks only touch their words.
    let result = unsafe {
        parkade_core::unpark_requeue_filter(meeting.condvar.key(), mutex, filter, callback)
    };
    result.unparked_threads + result.requeued_threads
}

/// All sleep on.
fn requeue() -> RequeueFilterOp {
    RequeueFilterOp::Requeue
}

/// Waits as the real thing does, but unlocks with `release` and stays subject to its deadline.
fn wait_with(meeting: &Mutexes, deadline: Option<Moment>, release: impl FnOnce()) -> ParkResult {
    let word = meeting.condvar.word();
    let request = ParkRequest::new(meeting.condvar.key()).deadline(deadline);
    let validate = || {
        word.publish(Parked::Some);
        true
    };
    let timed_out = |_| word.publish(Parked::None);
    // SAFETY: the key is the condition variable's own; the callbacks touch its word, or unlock.
    unsafe { parkade_core::park_with(request, validate, release, timed_out) }
}

/// One waiter for one ticket, and `notify` with the mutex held.
fn notified_by(policy: Policy, notify: impl Fn(&Mutexes) + Sync + Send + 'static) {
    explore(3, policy, move || {
        let meeting = Mutexes::new();
        let waiter = spawn(&meeting, take_ticket);
        meeting.issue_holding(1, &notify);
        waiter.join().unwrap();
        meeting.check();
    });
}

/// A waiter lets go of the mutex before it queues.
#[test]
#[ignore = "has to fail"]
fn unlock_before_queueing() {
    explore(2, Policy::Stays, || {
        let meeting = Mutexes::new();
        let waiter = spawn(&meeting, |meeting| {
            let mutex = &meeting.shared.raw;
            mutex.acquire();
            while meeting.tickets() == 0 {
                mutex.release_to_wait(Conditions::AllFalse);
                wait_with(meeting, None, || {});
                mutex.acquire_again();
            }
            mutex.release();
        });
        meeting.issue(1);
        meeting.condvar.notify_first();
        waiter.join().unwrap();
    });
}

/// Waiters are moved to the queue of a mutex that nobody holds, and nobody is woken.
#[test]
#[ignore = "has to fail"]
fn move_to_a_free_mutex() {
    explore(3, Policy::Stays, || {
        let meeting = Mutexes::new();
        let waiter = spawn(&meeting, take_ticket);
        meeting.issue(1);
        let word = meeting.shared.raw.word();
        move_all(&meeting, requeue, || word.publish(Parked::Some, Waking::Keep));
        waiter.join().unwrap();
    });
}

/// Waiters are moved without a mark in the mutex.
#[test]
#[ignore = "has to fail"]
fn move_without_a_mark() {
    notified_by(Policy::Stays, |meeting| {
        move_all(meeting, requeue, || {});
    });
}

/// Waiters are moved to a mutex that is held, whether or not its release is bound to look: here, its own.
#[test]
#[ignore = "has to fail"]
fn move_under_a_plain_release() {
    explore(3, Policy::Returns, || {
        let meeting = Mutexes::new();
        let waiter = spawn(&meeting, |meeting| {
            let mutex = &meeting.shared.raw;
            mutex.acquire();
            wait_with(meeting, None, || mutex.release_to_wait(Conditions::AllFalse));
            mutex.acquire_designated();
            mutex.release();
        });
        let mutex = &meeting.shared.raw;
        let mark = || mutex.word().publish(Parked::Some, Waking::Keep);
        while move_all(&meeting, requeue, mark) == 0 {
            loom::thread::yield_now();
        }
        if !mutex.is_locked() {
            meeting.shared.lock_touch_unlock();
        }
        waiter.join().unwrap();
    });
}

/// Who moves threads sees a designated thread, and sets `PARKED` in a second step.
#[test]
#[ignore = "has to fail"]
fn park_behind_designated_in_two_steps() {
    behind_designated(|meeting| {
        let mutex = &meeting.shared.raw;
        let behind = core::cell::Cell::new(false);
        let receive = || {
            behind.set(mutex.word().queue().waking());
            if behind.get() { RequeueFilterOp::Requeue } else { RequeueFilterOp::Unpark }
        };
        move_all(meeting, receive, || {
            if behind.get() {
                mutex.word().publish(Parked::Some, Waking::Keep);
            } else {
                mutex.first_is_up(Parked::None);
            }
        });
    });
}

/// A waiter whose time is up when it has been moved leaves the queue of the mutex, and says that it has timed out.
#[test]
#[ignore = "has to fail"]
fn time_out_in_the_queue_of_the_mutex() {
    explore(3, Policy::Stays, || {
        let meeting = Mutexes::new();
        let notified = Arc::new(AtomicU32::new(0));
        let waiter = {
            let notified = notified.clone();
            spawn(&meeting, move |meeting| {
                let mutex = &meeting.shared.raw;
                mutex.acquire();
                mutex.about_to_wait();
                let deadline = Some(Moment::NEVER);
                match wait_with(meeting, deadline, || mutex.release_to_wait(Conditions::AllFalse)) {
                    ParkResult::Unparked(_) => {
                        mutex.acquire_designated();
                        notified.store(1, Relaxed);
                    }
                    ParkResult::Invalid | ParkResult::TimedOut => mutex.acquire_again(),
                }
                mutex.release();
            })
        };
        let mutex = &meeting.shared.raw;
        mutex.acquire();
        let receive = || {
            assert!(mutex.word().try_prepare_park(Role::Newcomer));
            RequeueFilterOp::Requeue
        };
        let count = move_all(&meeting, receive, || {});
        mutex.release();
        waiter.join().unwrap();
        assert_eq!(notified.load(Relaxed) as usize, count);
    });
}

/// Who is about to wait marks as fenced what another has announced, and not fenced yet. Then plain releases may begin
/// again before that fence is over.
#[test]
#[ignore = "has to fail"]
fn fence_for_another() {
    explore(3, Policy::Returns, || {
        let meeting = Mutexes::new();
        let announcing = spawn(&meeting, |meeting| meeting.shared.raw.announce_and_leave());
        let mutex = &meeting.shared.raw;
        mutex.acquire();
        let _ = mutex.word().announce();
        mutex.word().fenced();
        mutex.release();
        announcing.join().unwrap();
        meeting.check();
    });
}

/// A notifier corrects the word after it has let go of the bucket lock.
#[test]
#[ignore = "has to fail"]
fn write_after_the_last_is_notified() {
    freed_by_the_waiter(Policy::Stays, |meeting| {
        let mut more = false;
        let callback = |result: UnparkResult| {
            more = result.have_more_threads;
            DEFAULT_UNPARK_TOKEN
        };
        // SAFETY: the key is the condition variable's own; the callback touches nothing.
        unsafe { parkade_core::unpark_one(meeting.condvar.key(), callback) };
        meeting.condvar.word().publish(more.into());
    });
}
