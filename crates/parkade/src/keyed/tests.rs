//! The table without threads: what is in it, how it grows and shrinks, what it keeps.

use super::{
    DefaultHashBuilder,
    evict::Age,
    lock::{Alone, Fairness},
    node::{Node, NodePtr},
    shard::{Payload, Shard},
    table::{Table, Tag},
    walk::Walk,
};
use crate::{
    RawMutex,
    rwlock::{Core, Held, Mode},
};
use core::hash::{BuildHasher, Hash};
use std::{cell::Cell, rc::Rc};

type Mutexes<K> = Table<K, (), RawMutex>;

// At most 64 bytes for each key beside the key: the node, and two chains at most.
static_assertions::const_assert!(size_of::<Node<u64, (), RawMutex>>() - 8 + 2 * 8 <= 64);
static_assertions::const_assert!(size_of::<Node<u64, (), Core>>() - 8 + 2 * 8 <= 64);
static_assertions::const_assert_eq!(size_of::<Node<u64, (), RawMutex>>(), 40);
// A way in and out touches one line of the shard, and one of the node.
static_assertions::const_assert_eq!(size_of::<Shard<u64, (), RawMutex>>(), 128);
static_assertions::const_assert!(Shard::<u64, (), RawMutex>::HOT_BYTES <= 64);
static_assertions::const_assert_eq!(size_of::<super::KeyedMutexGuard<'_, u64>>(), 16);
static_assertions::assert_impl_all!(super::KeyedMutex<String>: Send, Sync);
static_assertions::assert_impl_all!(super::KeyedRwLock<String>: Send, Sync);
static_assertions::assert_impl_all!(super::KeyedMutexGuard<'static, String>: Sync);
static_assertions::assert_impl_all!(super::OwnedKeyedMutexGuard<String>: Sync);
#[cfg(feature = "send_guard")]
static_assertions::assert_impl_all!(super::KeyedMutexGuard<'static, String>: Send);
#[cfg(feature = "send_guard")]
static_assertions::assert_impl_all!(super::OwnedKeyedMutexGuard<String>: Send);
#[cfg(not(feature = "send_guard"))]
static_assertions::assert_not_impl_any!(super::OwnedKeyedMutexGuard<String>: Send);
#[cfg(not(feature = "send_guard"))]
static_assertions::assert_not_impl_any!(super::KeyedMutexManyGuard<'static, String>: Send);
static_assertions::assert_not_impl_any!(super::KeyedMutex<Rc<u8>>: Send, Sync);

fn enter<V: Payload>(table: &Table<u64, V, RawMutex>, key: u64) -> NodePtr<u64, V, RawMutex> {
    table.enter(Tag::of(key), &key, Alone, Held::here())
}

fn leave<V: Payload>(table: &Table<u64, V, RawMutex>, node: NodePtr<u64, V, RawMutex>) {
    // SAFETY: 1: entered by `enter`.
    unsafe { table.leave(node, Alone, Fairness::Barging) };
}

/// How many chains and spare blocks there are.
fn memory<K, V: Payload>(table: &Table<K, V, RawMutex>) -> (usize, usize) {
    let shards = table.shards().iter().map(|shard| shard.lock());
    shards.fold((0, 0), |sum, chains| (sum.0 + chains.capacity(), sum.1 + chains.spare()))
}

#[test]
fn a_table_grows_with_its_keys_and_shrinks_with_them() {
    let table = Mutexes::<u64>::new();
    let shards = table.shards().len();
    let empty = memory(&table);
    assert_eq!(empty, (2 * shards, 0));
    let keys = 20_000;
    for _ in 0..3 {
        let nodes: Vec<_> = (0..keys).map(|key| enter(&table, key)).collect();
        assert_eq!(table.len(), keys as usize);
        let (chains, spare) = memory(&table);
        assert!(chains >= keys as usize && chains <= 4 * keys as usize, "{chains}");
        assert_eq!(spare, 0);
        // Found again, each its own.
        for (key, node) in (0..).zip(&nodes) {
            // SAFETY: 1 of `get`: entered above.
            assert_eq!(unsafe { node.get() }.key(), &key);
            assert!(table.try_enter(Tag::of(key), &key, Alone, Held::here()).is_none());
        }
        nodes.into_iter().for_each(|node| leave(&table, node));
        assert_eq!(table.len(), 0);
        let (chains, spare) = memory(&table);
        assert_eq!(chains, empty.0);
        assert_eq!(spare, 16 * shards);
    }
}

#[test]
fn shrinking_has_hysteresis() {
    let table = Mutexes::<u64>::new();
    let mut nodes: Vec<_> = (0..20_000).map(|key| enter(&table, key)).collect();
    while nodes.len() > 3_000 {
        leave(&table, nodes.pop().unwrap());
    }
    let before = memory(&table).0;
    // One more and one less, again and again, changes nothing.
    for key in 30_000..31_000 {
        let node = enter(&table, key);
        leave(&table, node);
        assert_eq!(memory(&table).0, before);
    }
    nodes.into_iter().for_each(|node| leave(&table, node));
}

/// How many chains the first shard has.
fn chains<V: Payload>(table: &Table<u64, V, RawMutex>) -> usize {
    table.shards()[0].lock().capacity()
}

/// Tags of the first shard, whatever number of those there is.
fn enter_first<V: Payload>(table: &Table<u64, V, RawMutex>, key: u64) -> NodePtr<u64, V, RawMutex> {
    table.enter(Tag(key as u32), &key, Alone, Held::here())
}

/// From the few chains in the shard to many and back, at every step of a walk through them.
#[test]
fn a_walk_goes_on_when_few_chains_become_many_and_they_do_not_become_few_under_it() {
    for (stay, steps, more) in (0..=8).flat_map(|stay| {
        (0..=stay).flat_map(move |steps| [0, 1, 8, 40, 200].map(|more| (stay, steps, more)))
    }) {
        let table = Mutexes::<u64>::new();
        let stayers: Vec<_> = (0..stay).map(|key| enter_first(&table, 3 * key)).collect();
        assert_eq!(chains(&table), 2);
        let mut walk = Walk::new(&table);
        let mut met: Vec<u64> = Vec::new();
        let mut meet = |walk: &mut Walk<'_, u64, (), RawMutex>, most: u64| {
            for _ in 0..most {
                let Some(share) = walk.next() else { break };
                met.push(*share.node().key());
            }
        };
        meet(&mut walk, steps);
        let others: Vec<_> = (0..more).map(|key| enter_first(&table, 1000 + key)).collect();
        let most = chains(&table);
        assert_eq!(most > 2, stay + more > 8, "{stay} and {more} keys in {most} chains");
        others.into_iter().for_each(|node| leave(&table, node));
        // Every other key is in the second chain; who has come to that is through.
        if (1..=stay.div_ceil(2)).contains(&steps) {
            assert_eq!(chains(&table), most, "fewer in the middle of a walk");
        }
        meet(&mut walk, u64::MAX);
        met.sort_unstable();
        assert!(met.iter().copied().eq((0..stay).map(|key| 3 * key)), "{met:?}");
        drop(walk);
        stayers.into_iter().for_each(|node| leave(&table, node));
        assert_eq!((chains(&table), table.len()), (2, 0));
    }
}

#[test]
fn few_chains_become_many_with_the_ninth_key_and_few_again_with_the_last_but_one() {
    let table = Mutexes::<u64>::new();
    let mut nodes: Vec<_> = (0..8).map(|key| enter_first(&table, key)).collect();
    assert_eq!(chains(&table), 2);
    nodes.push(enter_first(&table, 8));
    assert_eq!(chains(&table), 16);
    while nodes.len() > 2 {
        leave(&table, nodes.pop().unwrap());
    }
    assert_eq!(chains(&table), 16);
    leave(&table, nodes.pop().unwrap());
    assert_eq!(chains(&table), 2);
    // A walk that is given up in the middle keeps them no longer.
    nodes.extend((1..10).map(|key| enter_first(&table, key)));
    let mut walk = Walk::new(&table);
    drop(walk.next());
    nodes.into_iter().for_each(|node| leave(&table, node));
    assert_eq!(chains(&table), 16);
    drop(walk);
    assert_eq!((chains(&table), table.len()), (2, 0));
}

/// The turn of `sweep` is a chain that is gone when they have become fewer.
#[test]
fn sweeps_and_evictions_go_on_when_chains_become_fewer() {
    let table = Table::<u64, Number, RawMutex>::new();
    let keep = |key| {
        let node = enter_first(&table, key);
        // SAFETY: 1 of `get`: we hold the key.
        let value = unsafe { node.get() }.value();
        // SAFETY: as above.
        unsafe { &*value }.0.set(1);
        leave(&table, node);
    };
    for round in 0..4 {
        (0..500).for_each(keep);
        assert_eq!((table.len(), chains(&table)), (500, 512));
        for _ in 0..100 + 7 * round {
            table.sweep(Tag(0), Age::Never);
        }
        let held = enter_first(&table, 3);
        while table.len() > 3 {
            let before = table.len();
            // As many as come around.
            (0..512 / 4).for_each(|_| table.sweep(Tag(0), Age::Units(0)));
            assert!(table.len() < before);
        }
        assert_eq!(table.peek(Tag(3), &3, Node::holders), Some(1));
        leave(&table, held);
        table.evict(Age::Units(0), drop);
        assert_eq!((table.len(), chains(&table)), (0, 2));
        (0..500).for_each(keep);
        let mut evicted = 0;
        table.evict(Age::Units(0), |unlinked| evicted += unlinked.len());
        assert_eq!((evicted, table.len(), chains(&table)), (500, 0, 2));
    }
}

/// Consecutive numbers as hashes, multiples of a power of two, and hashes that differ in few bits.
#[test]
fn poor_hashes_are_spread_over_all_shards() {
    for shift in [0, 8, 16, 32, 48] {
        let table = Mutexes::<u64>::new();
        let shards = table.shards().len();
        let keys = 64 * shards as u64;
        let nodes: Vec<_> = (0..keys)
            .map(|key| table.enter(Tag::of(key << shift), &key, Alone, Held::here()))
            .collect();
        let most = table.shards().iter().map(|shard| shard.lock().len()).max().unwrap();
        assert!(
            most < 160,
            "hashes << {shift}: {most} keys in a shard, where there are 64 on average"
        );
        nodes.into_iter().for_each(|node| leave(&table, node));
    }
}

/// The most crowded of 4096 places, by the bits of the tags from `shift` on.
fn most_crowded(tags: &[u32], shift: u32) -> usize {
    let mut places = [0_usize; 4096];
    tags.iter().for_each(|tag| places[(tag >> shift) as usize % 4096] += 1);
    *places.iter().max().unwrap()
}

fn check_spread(name: &str, keys: impl Iterator<Item = impl Hash>) {
    let state = DefaultHashBuilder::default();
    let mut tags: Vec<_> = keys.map(|key| Tag::of(state.hash_one(key)).0).collect();
    // What chooses the chain, and what chooses the shard.
    for shift in [0, 20] {
        // Eight on average; at random, 32 or more at one place has a probability below 1e-6 for all.
        let most = most_crowded(&tags, shift);
        assert!(most < 32, "{name}: {most} of {} keys in one of 4096 places", tags.len());
    }
    let keys = tags.len();
    tags.sort_unstable();
    tags.dedup();
    // At random 0.1 are equal to another of 32768.
    assert!(keys - tags.len() < 4, "{name}: {} tags of {keys} keys", tags.len());
}

/// The default hasher does not mix all bits alike; tags have to.
#[test]
fn keys_are_spread_whatever_they_have_in_common() {
    const KEYS: u64 = 8 * 4096;
    check_spread("small numbers", 0..KEYS);
    check_spread("multiples", (0..KEYS).map(|key| key << 16));
    check_spread("high bits", (0..KEYS).map(|key| key << 49));
    check_spread("32 bits", 0..KEYS as u32);
    check_spread("pairs", (0..KEYS).map(|key| (key % 128, key / 128)));
    check_spread("128 bits", (0..KEYS).map(|key| u128::from(key) << 100));
    check_spread("texts", (0..KEYS).map(|key| format!("user-{key:08}")));
    check_spread("long texts", (0..KEYS).map(|key| format!("{key:08}{}", "-".repeat(100))));
    check_spread("zeros", (0..512).map(|length| vec![0_u8; length]));
}

/// Counts how many there are.
#[derive(PartialEq, Eq, Clone)]
struct Counted(Rc<()>, u32);

#[test]
fn keys_are_dropped_once_also_those_of_forgotten_guards() {
    let (count, table) = (Rc::new(()), Mutexes::<Counted>::new());
    let enter = |key: u32| {
        let counted = Counted(Rc::clone(&count), key);
        table.enter(Tag::of(key.into()), &counted, Alone, Held::here())
    };
    let nodes: Vec<_> = (0..500).map(enter).collect();
    assert_eq!(Rc::strong_count(&count), 501);
    for node in nodes.into_iter().step_by(2) {
        // SAFETY: 1: entered above.
        unsafe { table.leave(node, Alone, Fairness::Barging) };
    }
    assert_eq!(Rc::strong_count(&count), 251);
    assert_eq!(table.len(), 250);
    drop(table);
    assert_eq!(Rc::strong_count(&count), 1);
}

/// A value that is worth keeping if it is not 0.
struct Number(Cell<u32>);

impl Payload for Number {
    fn vacant() -> Number {
        Number(Cell::new(0))
    }

    fn is_vacant(&self) -> bool {
        self.0.get() == 0
    }
}

#[test]
fn a_key_with_a_value_stays_until_the_value_is_taken() {
    let table = Table::<u64, Number, RawMutex>::new();
    let set = |key, number| {
        let node = enter(&table, key);
        // SAFETY: 1 of `get`: we hold the key.
        let value = unsafe { node.get() }.value();
        // SAFETY: as above.
        let before = unsafe { &*value }.0.replace(number);
        assert!(table.try_enter(Tag::of(key), &key, Alone, Held::here()).is_none());
        leave(&table, node);
        before
    };
    assert_eq!(set(1, 5), 0);
    assert_eq!(set(2, 6), 0);
    assert_eq!(table.len(), 2);
    assert_eq!(table.peek(Tag::of(1), &1, Node::holders), Some(0));
    assert_eq!(set(1, 7), 5);
    let node = table.try_enter(Tag::of(1), &1, Alone, Held::here()).expect("nobody has it");
    assert_eq!(table.peek(Tag::of(1), &1, Node::holders), Some(1));
    leave(&table, node);
    assert_eq!(set(1, 0), 7);
    assert_eq!(table.len(), 1);
    assert_eq!(set(1, 0), 0);
    assert_eq!(set(2, 0), 6);
    assert_eq!(table.len(), 0);
}

#[test]
fn a_lock_is_born_held_in_the_mode_asked_for() {
    let table = Table::<u64, (), Core>::new();
    let enter = |mode| table.try_enter(Tag::of(1), &1, mode, Held::here());
    // SAFETY: 1: entered in that mode.
    let leave = |node, mode| unsafe { table.leave(node, mode, Fairness::Barging) };
    let writing = enter(Mode::Exclusive).unwrap();
    assert!(enter(Mode::Exclusive).is_none() && enter(Mode::Shared).is_none());
    leave(writing, Mode::Exclusive);
    let readers = [(); 3].map(|()| enter(Mode::Shared).unwrap());
    assert_eq!(table.peek(Tag::of(1), &1, Node::holders), Some(3));
    for reader in readers {
        assert!(enter(Mode::Exclusive).is_none());
        leave(reader, Mode::Shared);
    }
    assert_eq!(table.len(), 0);
    let writing = enter(Mode::Exclusive).expect("the readers have left");
    leave(writing, Mode::Exclusive);
}
