//! The table with values under loom: eviction, removal and walks against who looks a key up.
//!
//! A value is a cell that loom watches: two who have it at a time are a data race, and a value that nobody has
//! dropped is a leak. So is a key whose memory is freed too early.

use super::slot::Slot;
use crate::{
    RawMutex,
    keyed::{
        evict::Age,
        lock::{Alone, Fairness},
        node::NodePtr,
        table::{Table, Tag},
        walk::Walk,
    },
    model::{Policy, explore, explore_only},
    rwlock::Held,
};
use loom::{
    cell::UnsafeCell,
    sync::{Arc, atomic::AtomicU32, atomic::Ordering::Relaxed},
    thread,
};
use parkade_core::Moment;

/// How often it was changed. Says when it is dropped.
pub(super) struct Value {
    changes: UnsafeCell<u32>,
    dropped: Arc<AtomicU32>,
}

impl Drop for Value {
    fn drop(&mut self) {
        // Whoever drops it has it alone.
        self.changes.with_mut(|_| ());
        self.dropped.fetch_add(1, Relaxed);
    }
}

type Keys = Table<u32, Slot<Value>, RawMutex>;
pub(super) type Held1 = NodePtr<u32, Slot<Value>, RawMutex>;

/// A table, and what became of its values.
pub(super) struct Shared {
    pub(super) table: Keys,
    dropped: Arc<AtomicU32>,
}

/// In the first shard.
pub(super) const KEY: u32 = 0;

impl Shared {
    pub(super) fn new() -> Arc<Shared> {
        Arc::new(Shared { table: Table::new(), dropped: Arc::new(AtomicU32::new(0)) })
    }

    pub(super) fn tag() -> Tag {
        Tag::of(KEY.into())
    }

    pub(super) fn enter(&self) -> Held1 {
        self.table.enter(Self::tag(), &KEY, Alone, Held::here())
    }

    pub(super) fn leave(&self, node: Held1) {
        // SAFETY: 1: the caller holds it.
        unsafe { self.table.leave(node, Alone, Fairness::Barging) };
    }

    pub(super) fn slot(node: &Held1) -> &Slot<Value> {
        // SAFETY: 1: the caller holds it.
        let value = unsafe { node.get() }.value();
        // SAFETY: nobody has it but by reference.
        unsafe { &*value }
    }

    /// As the holder: makes the value if there is none; changes it; how often it was changed before.
    pub(super) fn change(&self, node: Held1) -> u32 {
        let slot = Self::slot(&node);
        if !slot.is_occupied() {
            let value = Value { changes: UnsafeCell::new(0), dropped: self.dropped.clone() };
            // SAFETY: 1: the caller holds the key.
            assert!(unsafe { slot.put(value) }.is_none());
        }
        // SAFETY: 1: the caller holds the key.
        let value = unsafe { slot.get() }.unwrap();
        // SAFETY: as above; loom checks it.
        value.changes.with_mut(|changes| unsafe {
            *changes += 1;
            *changes - 1
        })
    }

    fn enter_change_leave(&self) -> u32 {
        let node = self.enter();
        let changes = self.change(node);
        self.leave(node);
        changes
    }

    fn evict(&self) -> usize {
        let mut evicted = 0;
        self.table.evict(Age::of(core::time::Duration::ZERO), |gone| evicted += gone.len());
        evicted
    }

    pub(super) fn dropped(&self) -> u32 {
        self.dropped.load(Relaxed)
    }

    /// Nothing is left, or one value without a share.
    fn check(&self, made: u32) {
        let left = self.table.count(|node| {
            assert_eq!(node.holders(), 0);
            true
        });
        assert_eq!(made - self.dropped(), left as u32);
    }
}

pub(super) fn spawn<R: 'static>(
    shared: &Arc<Shared>,
    body: impl FnOnce(&Shared) -> R + 'static,
) -> thread::JoinHandle<R> {
    let shared = shared.clone();
    thread::spawn(move || body(&shared))
}

/// The value is there, and one looks it up as another evicts it: he has it as it was, or a new one.
#[test]
fn eviction_against_a_look_up() {
    explore(2, Policy::Stays, || {
        let shared = Shared::new();
        assert_eq!(shared.enter_change_leave(), 0);
        let evictor = spawn(&shared, |shared| shared.evict() as u32);
        let before = shared.enter_change_leave();
        let evicted = evictor.join().unwrap();
        match before {
            0 => assert_eq!((evicted, shared.dropped()), (1, 1)),
            1 => assert!(evicted <= 1),
            _ => unreachable!(),
        }
        shared.check(1 + u32::from(before == 0));
    });
}

/// Who leaves and then evicts, while another comes: either he has a share in time, or he makes a value of his own.
#[test]
fn eviction_against_a_waiter() {
    explore(2, Policy::Stays, || {
        let shared = Shared::new();
        let mine = shared.enter();
        assert_eq!(shared.change(mine), 0);
        let other = spawn(&shared, Shared::enter_change_leave);
        shared.leave(mine);
        let evicted = shared.evict() as u32;
        let before = other.join().unwrap();
        assert_eq!(evicted, shared.dropped());
        assert!(if before == 0 { evicted == 1 } else { evicted <= 1 });
        shared.check(1 + u32::from(before == 0));
    });
}

/// A waiter that gives up is the last to have a share: the value stays until it is evicted.
#[test]
fn eviction_against_who_gives_up() {
    explore(2, Policy::Stays, || {
        let shared = Shared::new();
        let mine = shared.enter();
        shared.change(mine);
        let waiter = spawn(&shared, |shared| {
            let deadline = || Moment::NEVER;
            let entered =
                shared.table.enter_until(Shared::tag(), &KEY, Alone, deadline, Held::here());
            entered.map(|node| {
                let changes = shared.change(node);
                shared.leave(node);
                changes
            })
        });
        shared.leave(mine);
        let evicted = shared.evict() as u32;
        let waited = waiter.join().unwrap();
        assert_eq!(evicted, shared.dropped());
        shared.check(1 + u32::from(waited == Some(0)));
        assert_eq!(shared.evict() as u32 + evicted, shared.dropped());
        shared.check(shared.dropped());
    });
}

/// The holder removes the value and somebody waits: he has the key without it; if nobody came, nothing is left.
#[test]
fn removal_with_a_waiter() {
    explore(2, Policy::Stays, || {
        let shared = Shared::new();
        let mine = shared.enter();
        shared.change(mine);
        let waiter = spawn(&shared, |shared| {
            let node = shared.table.enter_found(Shared::tag(), &KEY, Alone, Held::here());
            node.map(|node| {
                assert!(!Shared::slot(&node).is_occupied());
                shared.leave(node);
            })
        });
        // SAFETY: 1: we hold it.
        let value = unsafe { Shared::slot(&mine).take() };
        shared.leave(mine);
        drop(value);
        let _ = waiter.join().unwrap();
        shared.check(1);
        assert_eq!(shared.table.count(|_| true), 0);
    });
}

/// Walks as far as to the first key, and changes the value if there is one; how many were met.
fn walk(shared: &Shared) -> u32 {
    let Some(share) = Walk::new(&shared.table).next() else { return 0 };
    let (node, _) = share.enter(Alone, Held::here());
    let met = Shared::slot(&node).is_occupied();
    if met {
        shared.change(node);
    }
    shared.leave(node);
    met.into()
}

/// One walks by as another evicts: what is walked by stays meanwhile.
#[test]
fn a_walk_against_eviction() {
    explore(2, Policy::Stays, || {
        let shared = Shared::new();
        assert_eq!(shared.enter_change_leave(), 0);
        let evictor = spawn(&shared, |shared| shared.evict() as u32);
        let met = walk(&shared);
        let evicted = evictor.join().unwrap();
        assert!(met + evicted >= 1);
        assert_eq!(evicted, shared.dropped());
        shared.check(1);
    });
}

/// One walks by as another looks up: both change the value.
#[test]
fn a_walk_against_a_look_up() {
    // One preemption: with two it takes a minute and a half (and was run once so).
    explore_only(1, Policy::Stays, || {
        let shared = Shared::new();
        assert_eq!(shared.enter_change_leave(), 0);
        let other = spawn(&shared, Shared::enter_change_leave);
        assert_eq!(walk(&shared), 1);
        let before = other.join().unwrap();
        assert!(before == 1 || before == 2);
        assert_eq!(shared.enter_change_leave(), 3);
        shared.check(1);
    });
}
