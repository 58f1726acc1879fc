//! The reader-writer lock under loom where readers take slots (`period.rs`), besides `model.rs`.

use super::{
    held::Held,
    model::{Counter, Upgrade},
    raw::{Core, claims},
    state::{Attempt, Manners, Mode, Retreat, Standing},
};
use crate::model::{Policy, Shared, explore, spawn};
use loom::sync::Arc;

impl Shared<Core> {
    /// A lock that is biased and free, of which the caller has read and written nothing else.
    pub(super) fn biased() -> Arc<Shared<Core>> {
        let shared = Shared::<Core>::new();
        shared.read_look_unread();
        assert!(shared.raw.bias.load().is_active());
        shared
    }
}

/// covers: G1 G3 G4 T2 (S1: taking a slot, and leaving it, against a writer that ends the bias)
#[test]
fn model_rw_bias() {
    explore(3, Policy::Biases, || {
        let shared = Shared::biased();
        let writer = spawn(&shared, |shared| shared.lock_touch_unlock());
        shared.read_look_unread();
        writer.join().unwrap();
        shared.check(1);
    });
}

/// covers: G1 G3 D1 D2 (S2: two readers leave their slots at once; one of them wakes the writer)
#[test]
fn model_rw_bias_last_wakes() {
    last_wakes(4, Policy::Biases);
}

fn last_wakes(bound: usize, policy: Policy) {
    explore(bound, policy, || {
        let shared = Shared::biased();
        let reading = shared.read();
        let other = {
            let other = shared.read();
            spawn(&shared, move |shared| shared.look_unread(other))
        };
        let writer = spawn(&shared, |shared| shared.lock_touch_unlock());
        shared.look_unread(reading);
        other.join().unwrap();
        writer.join().unwrap();
        shared.check(1);
    });
}

/// covers: G2 G3 T3 (a writer gives up in the middle; the bias goes on, and the next writer ends it)
#[test]
fn model_rw_bias_resumes() {
    resumes(3, Policy::Biases);
}

fn resumes(bound: usize, policy: Policy) {
    explore(bound, policy, || {
        let shared = Shared::biased();
        let reading = shared.read();
        let acquired = Counter::new();
        let writer = {
            let acquired = acquired.clone();
            spawn(&shared, move |shared| {
                acquired.add(shared.timed_lock_touch_unlock());
                shared.lock_touch_unlock();
            })
        };
        shared.look_unread(reading);
        shared.read_look_unread();
        writer.join().unwrap();
        shared.check(1 + acquired.get());
    });
}

/// covers: G1 G4 (a reader that was about to take a slot in one period finds itself in the next)
#[test]
fn model_rw_bias_again() {
    explore(2, Policy::Biases, || {
        let shared = Shared::biased();
        let reader = spawn(&shared, |shared| shared.read_look_unread());
        shared.lock_touch_unlock();
        shared.read_look_unread();
        // `check` is the writer that ends the second period.
        reader.join().unwrap();
        shared.check(1);
    });
}

/// covers: T4 T2 T3 G3 (upgrades against readers in slots)
#[test]
fn model_rw_bias_upgrade() {
    for how in [Upgrade::Waits, Upgrade::Timed, Upgrade::Tries] {
        explore(3, Policy::Biases, move || {
            let shared = Shared::biased();
            shared.raw.read_upgradably();
            let reader = spawn(&shared, |shared| shared.read_look_unread());
            let upgraded = how.of(&shared.raw);
            if upgraded {
                shared.touch_unwrite();
            } else {
                shared.look();
                shared.raw.release(Mode::Upgradable);
            }
            reader.join().unwrap();
            shared.check(u32::from(upgraded));
        });
    }
}

/// covers: T2 T3 G3 (a writer that does not wait, against a reader in a slot)
#[test]
fn model_rw_bias_try_write() {
    explore(3, Policy::Biases, || {
        let shared = Shared::biased();
        let reader = spawn(&shared, |shared| shared.read_look_unread());
        let mut written = 0;
        for _ in 0..2 {
            if shared.raw.try_write() {
                shared.touch_unwrite();
                written += 1;
            }
        }
        reader.join().unwrap();
        shared.check(written);
    });
}

/// covers: T3 G3 P3 (a writer that does not wait gives up because of a slot; the reader that has
/// queued meanwhile gets in while the first one stays)
#[test]
fn model_rw_bias_try_write_lets_in() {
    explore(3, Policy::Biases, || {
        let shared = Shared::biased();
        let writer = spawn(&shared, |shared| {
            if shared.raw.try_write() {
                shared.raw.release(Mode::Exclusive);
            }
        });
        let reading = shared.read();
        let behind = spawn(&shared, |shared| shared.read_look_unread());
        behind.join().unwrap();
        writer.join().unwrap();
        shared.look_unread(reading);
        shared.check(0);
    });
}

/// covers: G3 G4 (a slot is used for another lock while the writer of the first scans: edge L3)
#[test]
fn model_rw_bias_slot_reused() {
    explore(3, Policy::Biases, || {
        let (one, other) = (Shared::biased(), Shared::biased());
        let reader = {
            let other = other.clone();
            spawn(&one, move |one| {
                one.read_look_unread();
                other.read_look_unread();
            })
        };
        one.lock_touch_unlock();
        reader.join().unwrap();
        one.check(1);
        other.check(0);
    });
}

/// covers: G3 G4 D1 (a guard is freed on another thread, and the slot's owner takes it again for another
/// lock: edge L4)
#[test]
fn model_rw_bias_freed_elsewhere() {
    explore(3, Policy::Biases, || {
        let (one, other) = (Shared::biased(), Shared::biased());
        let reading = one.read();
        let friend = spawn(&one, move |one| one.look_unread(reading));
        let writer = spawn(&one, |one| one.lock_touch_unlock());
        other.read_look_unread();
        friend.join().unwrap();
        writer.join().unwrap();
        one.check(1);
        other.check(0);
    });
}

/// covers: D1 D2 (S2 alone: the bias is off already, as after a writer that gave up, so that nothing but
/// edge X1 orders leaving a slot before looking for the writer)
#[test]
fn model_rw_bias_off_last_wakes() {
    explore(3, Policy::BiasesUnfenced, || {
        let shared = Shared::biased();
        let reading = shared.read();
        let other = {
            let other = shared.read();
            shared.raw.bias.interrupt();
            spawn(&shared, move |shared| shared.look_unread(other))
        };
        let writer = spawn(&shared, |shared| shared.lock_touch_unlock());
        shared.look_unread(reading);
        other.join().unwrap();
        writer.join().unwrap();
        shared.check(1);
    });
}

/// covers: G1 (who reads by a slot sees what was written before the bias began: nothing but edge A2
/// says so)
#[test]
fn model_rw_bias_shows_data() {
    explore(3, Policy::BiasesUnfenced, || {
        let shared = Shared::<Core>::new();
        let reader = spawn(&shared, |shared| shared.read_look_unread());
        shared.lock_touch_unlock();
        shared.read_look_unread();
        reader.join().unwrap();
        shared.check(1);
    });
}

/// covers: G1 G3 D1 D2 (a counted reader begins the bias while a writer is on its way, and then reads
/// by a slot as well)
#[test]
fn model_rw_bias_begins() {
    explore(5, Policy::Biases, || {
        let shared = Shared::<Core>::new();
        let writer = spawn(&shared, |shared| shared.lock_touch_unlock());
        let counted = shared.read();
        // Recursive, because the writer may be waiting for us by now.
        let in_slot = shared.raw.read(Mode::Recursive, Held::here());
        shared.look_unread(counted);
        shared.look_unread(in_slot);
        writer.join().unwrap();
        shared.check(1);
    });
}

/// covers: G1 G3 G2 T2 (S1 in a fenced period: edges E1 and E2; a second write meets the period that went on)
#[test]
fn model_rw_fenced() {
    explore(3, Policy::BiasesFenced, || {
        let shared = Shared::biased();
        let writer = spawn(&shared, |shared| {
            shared.lock_touch_unlock();
            shared.lock_touch_unlock();
        });
        shared.read_look_unread();
        writer.join().unwrap();
        shared.check(2);
    });
}

/// covers: G2 (who reads by a slot sees what was written in the same period: nothing but edge A3 says so)
#[test]
fn model_rw_fenced_goes_on() {
    explore(3, Policy::BiasesFenced, || {
        let shared = Shared::biased();
        let reader = spawn(&shared, |shared| {
            shared.read_look_unread();
            shared.read_look_unread();
        });
        shared.lock_touch_unlock();
        reader.join().unwrap();
        shared.check(1);
    });
}

/// covers: G2 T5 (a writer goes on as a reader while others take slots)
#[test]
fn model_rw_fenced_downgrade() {
    explore(2, Policy::BiasesFenced, || {
        let shared = Shared::biased();
        let reader = spawn(&shared, |shared| shared.read_look_unread());
        shared.raw.write();
        shared.touch();
        let reading = shared.raw.downgrade(Mode::Exclusive, Mode::Shared);
        shared.look_unread(reading);
        reader.join().unwrap();
        shared.check(1);
    });
}

/// covers: G3 G5 D1 D2 (S2 in a fenced period: a writer has to sleep)
#[test]
fn model_rw_fenced_last_wakes() {
    last_wakes(3, Policy::BiasesFenced);
}

/// covers: G2 G3 T3 (a writer gives up in a fenced period)
#[test]
fn model_rw_fenced_resumes() {
    resumes(2, Policy::BiasesFenced);
}

/// covers: G5 G3 (a reader sets a fenced period free while a writer comes, and reads again)
#[test]
fn model_rw_fenced_set_free() {
    explore(2, Policy::BiasesFenced, || {
        let shared = Shared::biased();
        let writer = spawn(&shared, |shared| shared.lock_touch_unlock());
        let reading = shared.read();
        let period = shared.raw.bias.load();
        if period.is_fenced() && period.is_active() {
            shared.raw.bias.set_free(period);
        }
        shared.look_unread(reading);
        shared.read_look_unread();
        writer.join().unwrap();
        shared.check(1);
    });
}

/// covers: T3 G5 (a writer makes a fenced period free, because it would sleep, and gives up: the next one knows, and
/// leaves no interrupted period behind)
#[test]
fn model_rw_fenced_gives_up() {
    explore(3, Policy::BiasesFenced, || {
        let shared = Shared::biased();
        // Says that it has given up, and orders nothing.
        let gone = Counter::new();
        let other = {
            let gone = gone.clone();
            spawn(&shared, move |shared| {
                let core = &shared.raw;
                let (writer, newcomer) = (Mode::Exclusive, Standing::Newcomer);
                let attempt = core.word.try_acquire(writer, newcomer, claims(), Manners::Insistent);
                assert_eq!(attempt, Attempt::Pending);
                core.interrupt_bias();
                core.order_leavers();
                core.released(core.word.retreat(Retreat::Out));
                gone.add(1);
            })
        };
        while gone.get() == 0 {
            loom::thread::yield_now();
        }
        shared.lock_touch_unlock();
        let (word, period) = (shared.raw.word.load(), shared.raw.bias.load());
        assert!(!word.biased() || period.is_active(), "{:?}", shared.raw);
        other.join().unwrap();
        shared.check(1);
    });
}

/// covers: G2 R2 (a writer leaves the interrupted period as it is, as it does where somebody has a claim, and a
/// counted reader lets it go on: who reads by a slot then sees what was written, and nothing but edge A4 says so)
#[test]
fn model_rw_fenced_left_off() {
    explore(2, Policy::BiasesFenced, || {
        let shared = Shared::biased();
        let reader = spawn(&shared, |shared| {
            if let Some(slot) = shared.raw.try_read_in_slot() {
                shared.look();
                shared.raw.leave_slot(slot);
            }
        });
        shared.raw.write();
        shared.touch();
        shared.raw.released(shared.raw.word.release(Mode::Exclusive));
        shared.read_look_unread();
        reader.join().unwrap();
        shared.check(1);
    });
}
