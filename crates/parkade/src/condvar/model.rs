//! The condition variable under loom, with the real locks; each model's doc line says what it covers
//! (`state.rs` here, of the mutex and of the fair mutex). Waiters have no deadline unless a model says so: then
//! their time is up as soon as they would have to sleep, unless they are notified first.

use super::raw::{Ended, RawCondvar};
use crate::{
    RawFairMutex, RawMutex,
    model::{Lock, Policy, Shared, explore, explore_only},
    mutex::Waking,
    parked::Parked,
    requeue,
    rwlock::{Core, Mode},
};
use loom::{
    cell::Cell,
    sync::{Arc, atomic::AtomicU32},
    thread,
};
use parkade_core::{Moment, shim::Ordering::Relaxed};

/// A lock, a condition variable, and what waiters wait for: a number of tickets, under the lock.
pub(super) struct Meeting<L> {
    pub(super) shared: Arc<Shared<L>>,
    pub(super) condvar: RawCondvar,
    tickets: Cell<u32>,
    /// How many waits have ended, for whatever reason.
    ended: AtomicU32,
}

// SAFETY: `tickets` is used under the lock; loom checks it.
unsafe impl<L: Sync + Send> Sync for Meeting<L> {}
// SAFETY: as above.
unsafe impl<L: Sync + Send> Send for Meeting<L> {}

impl<L: Lock + requeue::Lock + Send + Sync> Meeting<L> {
    pub(super) fn new() -> Arc<Meeting<L>> {
        Arc::new(Meeting {
            shared: Shared::new(),
            condvar: RawCondvar::new(),
            tickets: Cell::new(0),
            ended: AtomicU32::new(0),
        })
    }

    /// Waits for a ticket and takes it. A wake without a cause would find none, as long as nobody takes
    /// one without having waited for it. How often it has waited.
    pub(super) fn take_ticket(&self) -> u32 {
        let mut waits = 0;
        let lock = &self.shared.raw;
        lock.acquire();
        while self.tickets.get() == 0 {
            self.shared.touch();
            assert_eq!(self.condvar.wait(lock, None), Ended::Notified);
            self.shared.touch();
            waits += 1;
        }
        self.take();
        lock.release();
        waits
    }

    /// Takes a ticket that is there, for a thread that holds the lock.
    pub(super) fn take(&self) {
        self.tickets.set(self.tickets.get() - 1);
    }

    /// Waits once, whatever the tickets; how that has ended.
    pub(super) fn wait_once(&self, deadline: Option<Moment>) -> Ended {
        let lock = &self.shared.raw;
        lock.acquire();
        self.shared.touch();
        let ended = self.condvar.wait(lock, deadline);
        self.shared.touch();
        self.ended.fetch_add(1, Relaxed);
        lock.release();
        ended
    }

    /// The tickets there are, for a thread that holds the lock.
    pub(super) fn tickets(&self) -> u32 {
        self.tickets.get()
    }

    /// Issues tickets under the lock, and then notifies, before it is released.
    pub(super) fn issue_holding(&self, tickets: u32, notify: impl FnOnce(&Meeting<L>)) {
        self.shared.raw.acquire();
        self.tickets.set(self.tickets.get() + tickets);
        notify(self);
        self.shared.touch();
        self.shared.raw.release();
    }

    /// Issues tickets under the lock.
    pub(super) fn issue(&self, tickets: u32) {
        self.shared.raw.acquire();
        self.shared.touch();
        self.tickets.set(self.tickets.get() + tickets);
        self.shared.raw.release();
    }

    pub(super) fn check(&self) {
        self.condvar.check_rest();
        self.shared.raw.check_rest();
    }
}

/// [`Meeting::take_ticket`], for a thread that takes one if there is one by then, or after its first wait.
pub(super) fn take_ticket<L: Lock + requeue::Lock + Send + Sync>(meeting: &Meeting<L>) {
    assert!(meeting.take_ticket() <= 1, "woken without a cause");
}

pub(super) fn spawn<L: Send + Sync + 'static>(
    meeting: &Arc<Meeting<L>>,
    body: impl FnOnce(&Meeting<L>) + 'static,
) -> thread::JoinHandle<()> {
    let meeting = meeting.clone();
    thread::spawn(move || body(&meeting))
}

/// A ticket for one waiter, notified with the lock held and after it was released.
fn one_waiter<L: Lock + requeue::Lock + Send + Sync>(policy: Policy) {
    explore(3, policy, || {
        let meeting = Meeting::<L>::new();
        let waiter = spawn(&meeting, take_ticket);
        meeting.issue(1);
        meeting.condvar.notify_first();
        waiter.join().unwrap();
        meeting.check();
    });
    explore(3, policy, || {
        let meeting = Meeting::<L>::new();
        let waiter = spawn(&meeting, take_ticket);
        meeting.issue_holding(1, |meeting| {
            meeting.condvar.notify_first();
        });
        waiter.join().unwrap();
        meeting.check();
    });
}

/// covers: V1 V2, A4 P1 P3 (nothing is lost between letting go of a mutex and sleeping)
#[test]
fn model_condvar_notify_one() {
    for policy in [Policy::Stays, Policy::Returns] {
        one_waiter::<RawMutex>(policy);
    }
}

/// covers: V1 V2, H3 H4 H7 of the fair mutex
#[test]
fn model_condvar_notify_one_fair() {
    one_waiter::<RawFairMutex>(Policy::Stays);
}

/// covers: V1 V2 with a reader-writer lock, to whose queue nobody is moved
#[test]
fn model_condvar_notify_one_writer() {
    one_waiter::<Core>(Policy::Stays);
}

/// Two waiters are notified at once, with the mutex held or not.
fn two_waiters<L: Lock + requeue::Lock + Send + Sync>(policy: Policy) {
    explore(2, policy, || {
        let meeting = Meeting::<L>::new();
        let waiters = [spawn(&meeting, take_ticket), spawn(&meeting, take_ticket)];
        meeting.issue_holding(2, |meeting| {
            meeting.condvar.notify_everybody();
        });
        for waiter in waiters {
            waiter.join().unwrap();
        }
        meeting.check();
    });
}

/// covers: A4 P1 P3 R2 (threads are moved, asleep, to the queue of a mutex that is held, and its releases wake them)
#[test]
fn model_condvar_requeue() {
    two_waiters::<RawMutex>(Policy::Stays);
}

/// covers: A3 A4 P3 P5 (the same while the mutex goes back to plain releases: the first is woken and sees to the others)
#[test]
fn model_condvar_requeue_asymmetric() {
    two_waiters::<RawMutex>(Policy::Returns);
}

/// covers: C1 R3 M2 M3 (threads that were moved claim the mutex)
#[test]
fn model_condvar_requeue_claims() {
    two_waiters::<RawMutex>(Policy::ClaimsAndReturns);
}

/// covers: H3 H7 H8
#[test]
fn model_condvar_fair() {
    two_waiters::<RawFairMutex>(Policy::Stays);
}

/// covers: P5 M3 P3 (a waiter is moved while a designated thread is on its way to the mutex, settles, and releases)
#[test]
fn model_condvar_behind_designated() {
    behind_designated(|meeting| {
        meeting.condvar.notify_everybody();
    });
}

/// One waiter, whom `notify` notifies while somebody is designated, or has just settled.
pub(super) fn behind_designated(notify: impl Fn(&Meeting<RawMutex>) + Send + Sync + 'static) {
    explore(2, Policy::Returns, move || {
        let meeting = Meeting::<RawMutex>::new();
        let waiter = spawn(&meeting, |meeting| {
            assert_eq!(meeting.wait_once(None), Ended::Notified);
        });
        let mutex = &meeting.shared.raw;
        while !meeting.condvar.word().has_waiters() || mutex.is_locked() {
            thread::yield_now();
        }
        // Plain releases, and a designated thread: what a queue that has emptied leaves.
        mutex.acquire();
        mutex.release();
        mutex.word().publish(Parked::None, Waking::Set);
        let designated = spawn(&meeting, |meeting| {
            meeting.shared.raw.acquire_designated();
            meeting.shared.touch();
            meeting.shared.raw.release();
        });
        notify(&meeting);
        waiter.join().unwrap();
        designated.join().unwrap();
        meeting.check();
    });
}

/// covers: V2, A4 P1 P3 P5 (requeue races timeout: whoever is counted as notified was, and nobody else)
#[test]
fn model_condvar_timeout() {
    for policy in [Policy::Stays, Policy::Returns] {
        timeout_races_notification::<RawMutex>(policy);
    }
}

/// covers: V2, H3 H6 H7 (the same with a fair mutex)
#[test]
fn model_condvar_timeout_fair() {
    timeout_races_notification::<RawFairMutex>(Policy::Stays);
}

fn timeout_races_notification<L: Lock + requeue::Lock + Send + Sync>(policy: Policy) {
    explore(3, policy, || {
        let meeting = Meeting::<L>::new();
        let notified = Arc::new(AtomicU32::new(0));
        let waiter = {
            let notified = notified.clone();
            spawn(&meeting, move |meeting| {
                let ended = meeting.wait_once(Some(Moment::NEVER));
                notified.store(u32::from(ended == Ended::Notified), Relaxed);
            })
        };
        meeting.shared.raw.acquire();
        let count = meeting.condvar.notify_everybody();
        meeting.shared.touch();
        meeting.shared.raw.release();
        waiter.join().unwrap();
        assert_eq!(notified.load(Relaxed) as usize, count);
        meeting.check();
    });
}

/// covers: V2, P1 P3 P5 M3 (the same, with another waiter before or behind it in both queues)
#[test]
fn model_condvar_timeout_of_one() {
    timeout_of_one::<RawMutex>(Policy::Returns);
}

/// covers: V2, H3 H6 H7 H8
#[test]
fn model_condvar_timeout_of_one_fair() {
    timeout_of_one::<RawFairMutex>(Policy::Stays);
}

fn timeout_of_one<L: Lock + requeue::Lock + Send + Sync>(policy: Policy) {
    explore_only(1, policy, || {
        let meeting = Meeting::<L>::new();
        let notified = Arc::new(AtomicU32::new(0));
        let timed = {
            let notified = notified.clone();
            spawn(&meeting, move |meeting| {
                if meeting.wait_once(Some(Moment::NEVER)) == Ended::Notified {
                    notified.fetch_add(1, Relaxed);
                }
            })
        };
        let waiter = {
            let notified = notified.clone();
            spawn(&meeting, move |meeting| {
                notified.fetch_add(meeting.take_ticket(), Relaxed);
            })
        };
        let mut count = 0;
        meeting.issue_holding(1, |meeting| count = meeting.condvar.notify_everybody() as u32);
        timed.join().unwrap();
        waiter.join().unwrap();
        assert_eq!(notified.load(Relaxed), count);
        meeting.check();
    });
}

/// covers: V2 (a notification is not spent on a thread that times out while another waits)
#[test]
fn model_condvar_timeout_passes_over() {
    explore(2, Policy::Stays, || {
        let meeting = Meeting::<RawFairMutex>::new();
        let timed = spawn(&meeting, |meeting| {
            if meeting.wait_once(Some(Moment::NEVER)) == Ended::Notified {
                // It has used a notification that was meant for a ticket.
                meeting.condvar.notify_first();
            }
        });
        let waiter = spawn(&meeting, |meeting| {
            meeting.take_ticket();
        });
        meeting.issue(1);
        meeting.condvar.notify_first();
        timed.join().unwrap();
        waiter.join().unwrap();
        meeting.check();
    });
}

/// covers: V2 (the notifier does not write the condition variable once the last waiter may have freed it: that one
/// scribbles on it; its node and ticket are looked after by the table)
#[test]
fn model_condvar_freed_by_the_waiter() {
    for policy in [Policy::Stays, Policy::Returns] {
        freed_by_the_waiter(policy, |meeting| {
            meeting.condvar.notify_first();
        });
    }
}

/// One waiter, whom `notify` notifies, with a ticket or just before it sees that it has one.
pub(super) fn freed_by_the_waiter(
    policy: Policy,
    notify: impl Fn(&Meeting<RawMutex>) + Send + Sync + 'static,
) {
    explore(3, policy, move || {
        let meeting = Meeting::<RawMutex>::new();
        let waiter = spawn(&meeting, |meeting| {
            let waited = meeting.take_ticket() > 0;
            if waited {
                meeting.condvar.word().publish(Parked::Some);
            }
            meeting.ended.store(u32::from(waited), Relaxed);
        });
        meeting.issue(1);
        notify(&meeting);
        waiter.join().unwrap();
        let waited = meeting.ended.load(Relaxed) == 1;
        assert_eq!(meeting.condvar.word().has_waiters(), waited, "written after it was freed");
    });
}

/// covers: waiters with two mutexes at once: one is moved, the other woken
#[test]
fn model_condvar_two_mutexes() {
    explore(2, Policy::Stays, || {
        let one = Meeting::<RawMutex>::new();
        let other = Shared::<RawMutex>::new();
        let (with_one, with_other) = {
            let (there, lock) = (one.clone(), other.clone());
            (
                spawn(&one, |one| assert_eq!(one.wait_once(None), Ended::Notified)),
                thread::spawn(move || {
                    lock.raw.acquire();
                    let ended = there.condvar.wait(&lock.raw, None);
                    lock.touch();
                    lock.raw.release();
                    assert_eq!(ended, Ended::Notified);
                }),
            )
        };
        // Both wait when the threads say so under their locks, which they hold from then until they wait.
        let mut notified = 0;
        while notified < 2 {
            notified += one.condvar.notify_everybody();
            thread::yield_now();
        }
        with_one.join().unwrap();
        with_other.join().unwrap();
        assert_eq!(notified, 2);
        one.check();
        other.raw.check_rest();
    });
}

impl requeue::Lock for Core {
    fn destination(&self) -> Option<&dyn requeue::Destination> {
        None
    }
    fn release_to_wait(&self, _: requeue::Conditions) {
        self.release(Mode::Exclusive);
    }
    fn acquire_again(&self) {
        self.write();
    }
}
