//! The table under loom: its shares reach zero exactly when nobody has or wants the key (model 14).
//!
//! What is checked everywhere: one lock for a key at a time (two would be a data race on what it protects), nobody waits for
//! ever, and at the end the table is empty. Orderings are those of the locks: everything here is relaxed, because it is
//! changed under the lock of a shard.

use super::{
    lock::{Alone, Fairness, KeyLock},
    node::NodePtr,
    shard::Payload,
    table::{Table, Tag},
};
use crate::{
    RawMutex,
    model::{Policy, explore_only},
    rwlock::{Core, Held, Mode},
};
use loom::{
    cell::UnsafeCell,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
};
use parkade_core::Moment;

/// A table, and what key 1 protects.
pub(super) struct Keyed<V, L> {
    pub(super) table: Table<u32, V, L>,
    count: UnsafeCell<u32>,
    acquired: AtomicU32,
}

/// All keys are of one shard, and of one hash.
pub(super) fn tag() -> Tag {
    Tag::of(0)
}

impl<V: Payload + 'static, L: KeyLock + 'static> Keyed<V, L> {
    pub(super) fn new() -> Arc<Keyed<V, L>> {
        Arc::new(Keyed {
            table: Table::new(),
            count: UnsafeCell::new(0),
            acquired: AtomicU32::new(0),
        })
    }

    /// With key 1 held alone.
    pub(super) fn touch(&self) {
        // SAFETY: loom checks it.
        self.count.with_mut(|count| unsafe { *count += 1 });
        self.acquired.fetch_add(1, Relaxed);
    }

    /// With key 1 held.
    fn look(&self) -> u32 {
        // SAFETY: loom checks it.
        self.count.with(|count| unsafe { *count })
    }

    pub(super) fn enter(&self, key: u32, mode: L::Mode) -> NodePtr<u32, V, L> {
        self.table.enter(tag(), &key, mode, Held::here())
    }

    pub(super) fn leave(&self, node: NodePtr<u32, V, L>, mode: L::Mode) {
        // SAFETY: 1: entered in that mode.
        unsafe { self.table.leave(node, mode, Fairness::Barging) };
    }

    pub(super) fn lock_touch_unlock(&self, mode: L::Mode) {
        let node = self.enter(1, mode);
        self.touch();
        self.leave(node, mode);
    }

    /// Gives up as soon as it would have to sleep, unless it is woken first.
    pub(super) fn timed_lock_touch_unlock(&self, mode: L::Mode) {
        let never = || Moment::NEVER;
        if let Some(node) = self.table.enter_until(tag(), &1, mode, never, Held::here()) {
            self.touch();
            self.leave(node, mode);
        }
    }

    fn try_lock_touch_unlock(&self, mode: L::Mode) {
        if let Some(node) = self.table.try_enter(tag(), &1, mode, Held::here()) {
            self.touch();
            self.leave(node, mode);
        }
    }

    /// Everybody has left: so many keys are in the table, and all who got in have been alone.
    pub(super) fn check(&self, keys: usize) {
        assert_eq!(self.table.len(), keys);
        assert_eq!(self.look(), self.acquired.load(Relaxed));
    }
}

pub(super) fn spawn<V: 'static, L: 'static>(
    keyed: &Arc<Keyed<V, L>>,
    body: impl FnOnce(&Keyed<V, L>) + 'static,
) -> JoinHandle<()> {
    let keyed = keyed.clone();
    thread::spawn(move || body(&keyed))
}

type Mutexes = Keyed<(), RawMutex>;

/// Two threads meet at a key that is not there.
#[test]
fn model_keyed_two_lock_one_key() {
    explore_only(2, Policy::Returns, || {
        let keyed = Mutexes::new();
        let other = spawn(&keyed, |keyed| keyed.lock_touch_unlock(Alone));
        keyed.lock_touch_unlock(Alone);
        other.join().unwrap();
        keyed.check(0);
    });
}

/// The holder leaves while one waits, and comes back: removal with a queued waiter.
#[test]
fn model_keyed_holder_leaves_a_waiter() {
    explore_only(2, Policy::Stays, || {
        let keyed = Mutexes::new();
        let node = keyed.enter(1, Alone);
        let other = spawn(&keyed, |keyed| keyed.lock_touch_unlock(Alone));
        keyed.touch();
        keyed.leave(node, Alone);
        keyed.try_lock_touch_unlock(Alone);
        other.join().unwrap();
        keyed.check(0);
    });
}

/// The holder leaves while one waits and another comes.
#[test]
fn model_keyed_holder_leaves_a_waiter_and_a_newcomer() {
    explore_only(1, Policy::Stays, || {
        let keyed = Mutexes::new();
        let node = keyed.enter(1, Alone);
        let others = [
            spawn(&keyed, |keyed| keyed.lock_touch_unlock(Alone)),
            spawn(&keyed, |keyed| keyed.lock_touch_unlock(Alone)),
        ];
        keyed.touch();
        keyed.leave(node, Alone);
        for other in others {
            other.join().unwrap();
        }
        keyed.check(0);
    });
}

/// A waiter's deadline passes as the holder leaves, between any two steps of either.
#[test]
fn model_keyed_waiter_times_out() {
    for policy in [Policy::Returns, Policy::Claims] {
        explore_only(2, policy, || {
            let keyed = Mutexes::new();
            let timed = spawn(&keyed, |keyed| keyed.timed_lock_touch_unlock(Alone));
            keyed.lock_touch_unlock(Alone);
            timed.join().unwrap();
            keyed.check(0);
        });
    }
}

/// The same with another who waits on.
#[test]
fn model_keyed_waiter_times_out_before_another() {
    explore_only(1, Policy::Stays, || {
        let keyed = Mutexes::new();
        let timed = spawn(&keyed, |keyed| keyed.timed_lock_touch_unlock(Alone));
        let waiting = spawn(&keyed, |keyed| keyed.lock_touch_unlock(Alone));
        keyed.lock_touch_unlock(Alone);
        timed.join().unwrap();
        waiting.join().unwrap();
        keyed.check(0);
    });
}

/// A try comes at any moment of another's lock and unlock.
#[test]
fn model_keyed_try() {
    explore_only(2, Policy::Returns, || {
        let keyed = Mutexes::new();
        let trying = spawn(&keyed, |keyed| {
            keyed.try_lock_touch_unlock(Alone);
            keyed.try_lock_touch_unlock(Alone);
        });
        keyed.lock_touch_unlock(Alone);
        trying.join().unwrap();
        keyed.check(0);
    });
}

/// Keys of one hash, held together: who holds one and waits for the other is waited for by nobody.
#[test]
fn model_keyed_equal_hashes_nest() {
    explore_only(2, Policy::Returns, || {
        let keyed = Mutexes::new();
        let other = spawn(&keyed, |keyed| {
            let node = keyed.enter(2, Alone);
            keyed.lock_touch_unlock(Alone);
            keyed.leave(node, Alone);
        });
        let node = keyed.enter(1, Alone);
        keyed.touch();
        let third = keyed.enter(3, Alone);
        keyed.leave(node, Alone);
        keyed.leave(third, Alone);
        other.join().unwrap();
        keyed.check(0);
    });
}

/// A reader and a writer of one key.
#[test]
fn model_keyed_read_and_write() {
    explore_only(2, Policy::Stays, || {
        let keyed = Keyed::<(), Core>::new();
        let reading = spawn(&keyed, |keyed| {
            let node = keyed.enter(1, Mode::Shared);
            keyed.look();
            keyed.leave(node, Mode::Shared);
        });
        keyed.lock_touch_unlock(Mode::Exclusive);
        reading.join().unwrap();
        keyed.check(0);
    });
}

/// Two readers share a key; whoever leaves last takes it with him, and a writer comes.
#[test]
fn model_keyed_readers_share() {
    explore_only(2, Policy::Stays, || {
        let keyed = Keyed::<(), Core>::new();
        let first = keyed.enter(1, Mode::Shared);
        let reading = spawn(&keyed, |keyed| {
            // Waits for nobody: a writer comes only later.
            let node = keyed.enter(1, Mode::Shared);
            keyed.look();
            keyed.leave(node, Mode::Shared);
            keyed.lock_touch_unlock(Mode::Exclusive);
        });
        keyed.leave(first, Mode::Shared);
        reading.join().unwrap();
        keyed.check(0);
    });
}

/// A value that is worth keeping once it is there.
pub(super) struct Kept(bool);

impl Payload for Kept {
    fn vacant() -> Kept {
        Kept(false)
    }

    fn is_vacant(&self) -> bool {
        !self.0
    }
}

/// A key with a value stays when nobody has it, and is locked again from there.
#[test]
fn model_keyed_value_stays() {
    explore_only(2, Policy::Returns, || {
        let keyed = Keyed::<Kept, RawMutex>::new();
        let other = spawn(&keyed, |keyed| keyed.lock_touch_unlock(Alone));
        let node = keyed.enter(1, Alone);
        // SAFETY: 1 of `get`: we hold the key.
        let value = unsafe { node.get() }.value();
        // SAFETY: as above.
        unsafe { (*value).0 = true };
        keyed.touch();
        keyed.leave(node, Alone);
        other.join().unwrap();
        keyed.check(1);
        keyed.lock_touch_unlock(Alone);
        keyed.check(1);
    });
}
