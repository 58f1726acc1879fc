//! Protocols that look right and are not. Each has to fail under loom, or the models would not notice
//! such a mistake in the real one: `cargo xtask weaken` runs them.
//!
//! Some go on with a node that has left the table. The shard keeps its memory, so that they fail by what they do, not by
//! chance.

use super::{
    lock::{Alone, Fairness, KeyLock},
    model::{Keyed, spawn, tag},
    node::NodePtr,
};
use crate::{
    RawMutex,
    model::{Policy, explore},
    rwlock::Held,
};
use parkade_core::Moment;

type Mutexes = Keyed<(), RawMutex>;
type Node = NodePtr<u32, (), RawMutex>;

fn release(node: &super::node::Node<u32, (), RawMutex>) {
    KeyLock::release(node.lock(), Alone, Fairness::Barging);
}

/// What a mutant does in the place of unlocking, against another who locks the key; then it comes back.
fn unlocked_by(unlock: impl Fn(&Mutexes, Node) + Sync + Send + 'static) {
    explore(2, Policy::Stays, move || {
        let keyed = Mutexes::new();
        let node = keyed.enter(1, Alone);
        let other = spawn(&keyed, |keyed| keyed.lock_touch_unlock(Alone));
        keyed.touch();
        unlock(&keyed, node);
        keyed.lock_touch_unlock(Alone);
        other.join().unwrap();
        keyed.check(0);
    });
}

/// The key leaves the table with its holder, whoever waits for it: two locks for one key.
#[test]
#[ignore = "has to fail"]
fn remove_without_looking_at_the_shares() {
    unlocked_by(|keyed, node| {
        keyed.table.unlink_blindly(tag(), node);
        // SAFETY: never freed.
        release(unsafe { node.get() });
    });
}

/// The key leaves the table if nobody had a share when its holder last looked, without the shard's lock.
#[test]
#[ignore = "has to fail"]
fn remove_by_a_look_without_the_lock() {
    unlocked_by(|keyed, node| {
        // SAFETY: 1 of `get`: we hold it.
        if unsafe { node.get() }.refs() == 1 {
            keyed.table.unlink_blindly(tag(), node);
            // SAFETY: never freed.
            release(unsafe { node.get() });
        } else {
            keyed.leave(node, Alone);
        }
    });
}

/// Who has the only share releases the key's lock before he looks whether the share is still the only one, and
/// then takes the key for his own to remove.
#[test]
#[ignore = "has to fail"]
fn remove_after_releasing() {
    unlocked_by(|keyed, node| {
        // SAFETY: never freed.
        let node_ref = unsafe { node.get() };
        let only = node_ref.refs() == 1;
        release(node_ref);
        if only {
            keyed.table.unlink_blindly(tag(), node);
        } else {
            keyed.table.give_back_for_mutants(node);
        }
    });
}

/// A waiter looks the key up, and takes its share in a second step.
#[test]
#[ignore = "has to fail"]
fn register_after_the_look_up() {
    explore(2, Policy::Stays, || {
        let keyed = Mutexes::new();
        let other = spawn(&keyed, |keyed| {
            let Some(node) = keyed.table.find_for_mutants(tag(), &1) else {
                return keyed.lock_touch_unlock(Alone);
            };
            keyed.table.add_ref_for_mutants(tag(), node);
            // SAFETY: never freed.
            KeyLock::acquire(unsafe { node.get() }.lock(), Alone, Held::here());
            keyed.touch();
            keyed.leave(node, Alone);
        });
        keyed.lock_touch_unlock(Alone);
        other.join().unwrap();
        keyed.check(0);
    });
}

/// A waiter whose time is up leaves its share behind.
#[test]
#[ignore = "has to fail"]
fn time_out_without_giving_back() {
    explore(2, Policy::Stays, || {
        let keyed = Mutexes::new();
        let other = spawn(&keyed, |keyed| {
            let Some(node) = keyed.table.find_and_share_for_mutants(tag(), &1) else {
                return;
            };
            // SAFETY: 1 of `get`: the share just taken.
            let lock = unsafe { node.get() }.lock();
            if KeyLock::acquire_until(lock, Alone, || Moment::NEVER) {
                keyed.touch();
                keyed.leave(node, Alone);
            }
        });
        keyed.lock_touch_unlock(Alone);
        other.join().unwrap();
        keyed.check(0);
    });
}

/// A waiter that did get the lock gives its share back as if it had not, and unlocks by the lock alone.
#[test]
#[ignore = "has to fail"]
fn give_back_while_holding() {
    explore(2, Policy::Stays, || {
        let keyed = Mutexes::new();
        let other = spawn(&keyed, |keyed| {
            if let Some(node) = keyed.table.find_and_share_for_mutants(tag(), &1) {
                // SAFETY: never freed.
                let node_ref = unsafe { node.get() };
                KeyLock::acquire(node_ref.lock(), Alone, Held::here());
                keyed.table.give_back_for_mutants(node);
                keyed.touch();
                release(node_ref);
            }
        });
        keyed.lock_touch_unlock(Alone);
        keyed.lock_touch_unlock(Alone);
        other.join().unwrap();
        keyed.check(0);
    });
}
