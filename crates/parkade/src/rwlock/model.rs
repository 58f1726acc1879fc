//! The reader-writer lock under loom; each model's doc line says which transitions (`transitions.rs`) it
//! covers. The models in which readers take slots are in `model_bias.rs`.
//!
//! Readers look at the protected cell and writers change it, so a missing order between them shows
//! as a race. That a waiter is let in *while* somebody else still has the lock shows by
//! joining the waiter before releasing: if nobody wakes it, the model deadlocks.

use super::{held::Held, ops::Reading, raw::Core, state::Mode};
use crate::model::{Policy, Shared, explore, explore_only, spawn};
use loom::{
    sync::{Arc, atomic::AtomicU32},
    thread,
};
use parkade_core::{Moment, shim::Ordering::Relaxed};

impl Shared<Core> {
    pub(super) fn read(&self) -> Reading {
        self.raw.read(Mode::Shared, Held::here())
    }

    pub(super) fn look_unread(&self, reading: Reading) {
        self.look();
        self.raw.unread(reading);
    }

    pub(super) fn read_look_unread(&self) {
        self.look_unread(self.read());
    }

    pub(super) fn touch_unwrite(&self) {
        self.touch();
        self.raw.release(Mode::Exclusive);
    }
}

/// Counts what others add to it.
#[derive(Clone)]
pub(super) struct Counter(Arc<AtomicU32>);

impl Counter {
    pub(super) fn new() -> Counter {
        Counter(Arc::new(AtomicU32::new(0)))
    }
    pub(super) fn add(&self, more: u32) {
        self.0.fetch_add(more, Relaxed);
    }
    pub(super) fn get(&self) -> u32 {
        self.0.load(Relaxed)
    }
}

/// covers: T1 T2 R1 R2 P1 P3 D1 D2 (readers come and go beside each other and a writer)
#[test]
fn model_rw_readers_and_writer() {
    explore(2, Policy::Stays, || {
        let shared = Shared::<Core>::new();
        let readers = [
            spawn(&shared, |shared| shared.read_look_unread()),
            spawn(&shared, |shared| shared.read_look_unread()),
        ];
        shared.lock_touch_unlock();
        for reader in readers {
            reader.join().unwrap();
        }
        shared.check(1);
    });
}

/// covers: T1 T2 R1 R2 P1 P3 (writers exclude each other, and readers)
#[test]
fn model_rw_writers_and_reader() {
    explore(2, Policy::Stays, || {
        let shared = Shared::<Core>::new();
        let others = [
            spawn(&shared, |shared| shared.lock_touch_unlock()),
            spawn(&shared, |shared| shared.read_look_unread()),
        ];
        shared.lock_touch_unlock();
        for other in others {
            other.join().unwrap();
        }
        shared.check(2);
    });
}

/// What a waiter of [`two_waiters`] wants.
fn wait_as(mode: Mode) -> impl FnOnce(&Shared<Core>) {
    move |shared| match mode {
        Mode::Exclusive => shared.lock_touch_unlock(),
        Mode::Upgradable => {
            shared.raw.read_upgradably();
            shared.look();
            shared.raw.release(Mode::Upgradable);
        }
        mode => {
            let reading = shared.raw.read(mode, Held::here());
            shared.look_unread(reading);
        }
    }
}

/// Two waiters, and a writer that comes back before they have woken.
fn two_waiters(policy: Policy, first: Mode, second: Mode) {
    explore(2, policy, move || {
        let shared = Shared::<Core>::new();
        // Held before anybody else runs: what comes first is not what these models are about.
        shared.raw.write();
        let others = [spawn(&shared, wait_as(first)), spawn(&shared, wait_as(second))];
        shared.touch_unwrite();
        shared.lock_touch_unlock();
        for other in others {
            other.join().unwrap();
        }
        let writers = [first, second].iter().filter(|mode| **mode == Mode::Exclusive).count();
        shared.check(2 + writers as u32);
    });
}

/// covers: T1 T2 P1 P3 R2 (a woken thread loses and parks again)
#[test]
fn model_rw_wake() {
    two_waiters(Policy::Stays, Mode::Exclusive, Mode::Shared);
}

/// covers: T1 P1 P3 R1 R2 (a reader brings the one behind it along)
#[test]
fn model_rw_wake_followers() {
    two_waiters(Policy::Stays, Mode::Shared, Mode::Shared);
}

/// covers: T1 P1 P3 R1 R2 R3 (an upgradable reader and a writer)
#[test]
fn model_rw_wake_upgradable() {
    two_waiters(Policy::Stays, Mode::Upgradable, Mode::Exclusive);
}

/// covers: C1 T1 P1 (every loser claims)
#[test]
fn model_rw_claim() {
    two_waiters(Policy::Claims, Mode::Exclusive, Mode::Shared);
    two_waiters(Policy::Claims, Mode::Upgradable, Mode::Shared);
}

/// covers: T2 D1 D2 R1 (the last of two counted readers wakes the writer; a third comes again)
#[test]
fn model_rw_drain() {
    explore(2, Policy::Stays, || {
        let shared = Shared::<Core>::new();
        let reading = shared.read();
        let others = [
            spawn(&shared, |shared| shared.lock_touch_unlock()),
            spawn(&shared, |shared| shared.read_look_unread()),
        ];
        shared.look_unread(reading);
        shared.read_look_unread();
        for other in others {
            other.join().unwrap();
        }
        shared.check(1);
    });
}

/// covers: T3 D1 P3 (a writer gives up; the reader behind it gets in while the first one stays)
#[test]
fn model_rw_drain_gives_up() {
    explore(3, Policy::Stays, || {
        let shared = Shared::<Core>::new();
        let reading = shared.read();
        let timed = spawn(&shared, |shared| {
            assert_eq!(shared.timed_lock_touch_unlock(), 0, "a writer beside a reader");
        });
        let behind = spawn(&shared, |shared| shared.read_look_unread());
        behind.join().unwrap();
        timed.join().unwrap();
        shared.look_unread(reading);
        shared.check(0);
    });
}

/// covers: T2 T3 D1 D2 R1 (a writer's deadline races the last reader's release, with waiters behind)
#[test]
fn model_rw_drain_deadline() {
    for behind in [Mode::Shared, Mode::Exclusive] {
        explore(2, Policy::Stays, move || {
            let shared = Shared::<Core>::new();
            let reading = shared.read();
            let acquired = Counter::new();
            let timed = {
                let acquired = acquired.clone();
                spawn(&shared, move |shared| acquired.add(shared.timed_lock_touch_unlock()))
            };
            let behind_it = spawn(&shared, wait_as(behind));
            shared.look_unread(reading);
            timed.join().unwrap();
            behind_it.join().unwrap();
            shared.check(acquired.get() + u32::from(behind == Mode::Exclusive));
        });
    }
}

/// covers: P3 C2 (a waiter's deadline races its wake, with another behind it)
#[test]
fn model_rw_queue_deadline() {
    for policy in [Policy::Stays, Policy::Claims] {
        explore(2, policy, || {
            let shared = Shared::<Core>::new();
            shared.raw.write();
            let acquired = Counter::new();
            let timed = {
                let acquired = acquired.clone();
                spawn(&shared, move |shared| acquired.add(shared.timed_lock_touch_unlock()))
            };
            let waiting = spawn(&shared, |shared| shared.read_look_unread());
            shared.touch_unwrite();
            shared.lock_touch_unlock();
            timed.join().unwrap();
            waiting.join().unwrap();
            shared.check(2 + acquired.get());
        });
    }
}

/// covers: P4 C1 (a designated thread gives up while awake, with a waiter behind it)
#[test]
fn model_rw_designated_gives_up() {
    for policy in [Policy::Stays, Policy::Claims] {
        explore(2, policy, || {
            let shared = Shared::<Core>::new();
            shared.raw.write();
            let acquired = Counter::new();
            let quitter = {
                let acquired = acquired.clone();
                spawn(&shared, move |shared| {
                    if shared.raw.acquire_or_give_up_once_woken(Mode::Exclusive) {
                        shared.touch_unwrite();
                        acquired.add(1);
                    }
                })
            };
            let waiting = spawn(&shared, |shared| shared.read_look_unread());
            shared.touch_unwrite();
            shared.lock_touch_unlock();
            quitter.join().unwrap();
            waiting.join().unwrap();
            shared.check(2 + acquired.get());
        });
    }
}

/// How an upgrade is tried.
#[derive(Clone, Copy)]
pub(super) enum Upgrade {
    Waits,
    Timed,
    Tries,
}

impl Upgrade {
    /// Whether the upgradable reader that calls this has become the writer.
    pub(super) fn of(self, core: &Core) -> bool {
        match self {
            Upgrade::Waits => core.upgrade(None),
            Upgrade::Timed => core.upgrade(Some(Moment::NEVER)),
            Upgrade::Tries => core.try_upgrade(),
        }
    }
}

/// The upgradable reader upgrades beside two others; what it has read stays true until it writes.
fn upgrade(policy: Policy, how: Upgrade, first: Mode, second: Mode) {
    explore(2, policy, move || {
        let shared = Shared::<Core>::new();
        shared.read_look_unread();
        shared.raw.read_upgradably();
        let others = [spawn(&shared, wait_as(first)), spawn(&shared, wait_as(second))];
        let before = shared.look();
        let upgraded = how.of(&shared.raw);
        assert_eq!(shared.look(), before, "somebody wrote in between");
        if upgraded {
            shared.touch_unwrite();
        } else {
            shared.raw.release(Mode::Upgradable);
        }
        for other in others {
            other.join().unwrap();
        }
        let writers = [first, second].iter().filter(|mode| **mode == Mode::Exclusive).count();
        shared.check(u32::from(upgraded) + writers as u32);
    });
}

/// covers: T4 T2 R3 D1 D2 (upgrades that wait)
#[test]
fn model_rw_upgrade() {
    upgrade(Policy::Stays, Upgrade::Waits, Mode::Shared, Mode::Exclusive);
}

/// covers: T4 T3 R3 (upgrades that give up)
#[test]
fn model_rw_upgrade_gives_up() {
    upgrade(Policy::Stays, Upgrade::Timed, Mode::Shared, Mode::Exclusive);
}

/// covers: T4 T3 R3 (upgrades that do not wait)
#[test]
fn model_rw_try_upgrade() {
    upgrade(Policy::Stays, Upgrade::Tries, Mode::Shared, Mode::Upgradable);
}

/// covers: T4 T3 P3 (an upgrade gives up; the reader behind it gets in while the others stay)
#[test]
fn model_rw_upgrade_lets_in() {
    explore(4, Policy::Stays, || {
        let shared = Shared::<Core>::new();
        let reading = shared.read();
        shared.raw.read_upgradably();
        let behind = spawn(&shared, |shared| shared.read_look_unread());
        assert!(!shared.raw.upgrade(Some(Moment::NEVER)), "a writer beside a reader");
        behind.join().unwrap();
        shared.look();
        shared.raw.release(Mode::Upgradable);
        shared.look_unread(reading);
        shared.check(0);
    });
}

/// covers: T5 T6 (a writer becomes a reader, in one step or two; readers get in beside it)
#[test]
fn model_rw_downgrade() {
    for over_upgradable in [false, true] {
        explore(2, Policy::Stays, move || {
            let shared = Shared::<Core>::new();
            shared.raw.write();
            let writer = spawn(&shared, |shared| shared.lock_touch_unlock());
            let reader = spawn(&shared, |shared| shared.read_look_unread());
            shared.touch();
            let reading = if over_upgradable {
                shared.raw.downgrade(Mode::Exclusive, Mode::Upgradable);
                assert_eq!(shared.look(), 1);
                shared.raw.downgrade(Mode::Upgradable, Mode::Shared)
            } else {
                shared.raw.downgrade(Mode::Exclusive, Mode::Shared)
            };
            assert_eq!(shared.look(), 1);
            shared.look_unread(reading);
            writer.join().unwrap();
            reader.join().unwrap();
            shared.check(2);
        });
    }
}

/// covers: T5 P3 (out of turn: the writer at the head of the queue has to wait for the upgradable
/// reader, the reader behind it gets in)
#[test]
fn model_rw_out_of_turn() {
    explore(3, Policy::Stays, || {
        let shared = Shared::<Core>::new();
        shared.raw.write();
        let writer = spawn(&shared, |shared| shared.lock_touch_unlock());
        let reader = spawn(&shared, |shared| shared.read_look_unread());
        shared.touch();
        shared.raw.downgrade(Mode::Exclusive, Mode::Upgradable);
        reader.join().unwrap();
        assert_eq!(shared.look(), 1);
        shared.raw.release(Mode::Upgradable);
        writer.join().unwrap();
        shared.check(2);
    });
}

/// covers: T5 P3 (out of turn, two readers: the one that is woken lets the other in, which need not
/// wait until somebody leaves)
#[test]
fn model_rw_out_of_turn_all() {
    explore_only(1, Policy::Stays, || {
        let shared = Shared::<Core>::new();
        shared.raw.write();
        // The writer queues first, usually, and the readers before the downgrade.
        let writer = spawn(&shared, |shared| shared.lock_touch_unlock());
        thread::yield_now();
        let reader = spawn(&shared, |shared| shared.read_look_unread());
        let stays = spawn(&shared, |shared| {
            let reading = shared.read();
            reader.join().unwrap();
            shared.look_unread(reading);
        });
        thread::yield_now();
        shared.touch();
        shared.raw.downgrade(Mode::Exclusive, Mode::Upgradable);
        stays.join().unwrap();
        shared.raw.release(Mode::Upgradable);
        writer.join().unwrap();
        shared.check(2);
    });
}

/// covers: T1 P1 P3 (an upgradable reader barges in; the writer that was woken parks again and lets
/// the reader behind it in)
#[test]
fn model_rw_upgradable_barges() {
    for policy in [Policy::Stays, Policy::Claims] {
        explore(2, policy, || {
            let shared = Shared::<Core>::new();
            shared.raw.write();
            let writer = spawn(&shared, |shared| shared.lock_touch_unlock());
            let reader = spawn(&shared, |shared| shared.read_look_unread());
            shared.touch_unwrite();
            shared.raw.read_upgradably();
            reader.join().unwrap();
            shared.look();
            shared.raw.release(Mode::Upgradable);
            writer.join().unwrap();
            shared.check(2);
        });
    }
}

/// covers: R4 (fair releases of a writer and of those who were queued)
#[test]
fn model_rw_fair() {
    explore(2, Policy::Stays, || {
        let shared = Shared::<Core>::new();
        shared.raw.write();
        let others = [
            spawn(&shared, |shared| {
                let reading = shared.read();
                shared.look();
                shared.raw.unread_fair(reading);
            }),
            spawn(&shared, |shared| shared.lock_touch_unlock_fair()),
        ];
        shared.touch();
        shared.raw.release_fair(Mode::Exclusive);
        shared.lock_touch_unlock();
        for other in others {
            other.join().unwrap();
        }
        shared.check(3);
    });
}

/// covers: T1 (a reader reads again, recursively, while a writer waits for it to leave)
#[test]
fn model_rw_recursive() {
    explore(2, Policy::Stays, || {
        let shared = Shared::<Core>::new();
        let outer = shared.read();
        let others = [
            spawn(&shared, |shared| shared.lock_touch_unlock()),
            spawn(&shared, wait_as(Mode::Recursive)),
        ];
        let inner = shared.raw.read(Mode::Recursive, Held::here());
        shared.look_unread(inner);
        shared.look_unread(outer);
        for other in others {
            other.join().unwrap();
        }
        shared.check(1);
    });
}

/// covers: R4 P1 P3 (a fair release by an upgradable reader, for a writer, an upgradable reader or a reader)
#[test]
fn model_rw_fair_upgradable() {
    explore(2, Policy::Stays, || {
        let shared = Shared::<Core>::new();
        shared.raw.read_upgradably();
        let others = [
            spawn(&shared, wait_as(Mode::Exclusive)),
            spawn(&shared, |shared| {
                shared.raw.read_upgradably();
                shared.look();
                shared.raw.release_fair(Mode::Upgradable);
            }),
        ];
        shared.look();
        shared.raw.release_fair(Mode::Upgradable);
        shared.read_look_unread();
        for other in others {
            other.join().unwrap();
        }
        shared.check(1);
    });
}

/// covers: R4 C2 P4 (the lock is reserved for a writer that has to wait for another holder, and
/// gives up: no reservation stays behind)
#[test]
fn model_rw_fair_gives_up() {
    for policy in [Policy::Stays, Policy::Claims] {
        explore(3, policy, || {
            let shared = Shared::<Core>::new();
            let reading = shared.read();
            shared.raw.read_upgradably();
            let acquired = Counter::new();
            let timed = {
                let acquired = acquired.clone();
                spawn(&shared, move |shared| acquired.add(shared.timed_lock_touch_unlock()))
            };
            shared.look();
            shared.raw.unread_fair(reading);
            shared.look();
            shared.raw.release(Mode::Upgradable);
            timed.join().unwrap();
            shared.check(acquired.get());
        });
    }
}
