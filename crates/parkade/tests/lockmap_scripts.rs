//! Evidence that a [`LockMap`] is a map: random scripts of one thread do to it what they do to a `HashMap`, and every
//! value is dropped once. A script that fails is made as short as it can be before it is shown.

#![cfg(feature = "keyed")]

mod support;

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    time::Duration,
};

use parkade::keyed::{LockMap, LockMapGuard};
use support::{Rng, seed};

/// A number that says when it is dropped.
#[derive(Debug)]
struct Value(u64, Rc<Cell<i64>>);

impl Drop for Value {
    fn drop(&mut self) {
        self.1.set(self.1.get() - 1);
    }
}

#[derive(Debug, Clone, Copy)]
enum Op {
    Insert(u64, u64),
    Remove(u64),
    Get(u64),
    GetMut(u64, u64),
    Contains(u64),
    OrInsert(u64, u64),
    OrInsertWith(u64, u64),
    TryInsert(u64, Result<u64, u64>),
    Modify(u64, u64),
    /// Insert, remove, and insert something else or nothing, under one guard.
    Juggle(u64, u64, Option<u64>),
    RemoveByGuard(u64),
    Many(u64, u64, u64),
    /// Keeps the numbers that are no multiples.
    Retain(u64),
    AddToEach(u64),
    Clear,
    /// All but what is held.
    Evict(u64),
    Drain,
    EvictOld,
    /// Take apart and put together.
    Rebuild,
}

impl Op {
    fn random(rng: &mut Rng, keys: u64) -> Op {
        let (key, other, value) = (rng.below(keys), rng.below(keys), rng.below(1000));
        match rng.below(100) {
            0..25 => Op::Insert(key, value),
            25..40 => Op::Remove(key),
            40..45 => Op::Get(key),
            45..50 => Op::GetMut(key, value),
            50..55 => Op::Contains(key),
            55..62 => Op::OrInsert(key, value),
            62..69 => Op::OrInsertWith(key, value),
            69..74 => Op::TryInsert(key, if value < 500 { Ok(value) } else { Err(value) }),
            74..78 => Op::Modify(key, value),
            78..83 => Op::Juggle(key, value, (value < 500).then_some(value + 1)),
            83..88 => Op::RemoveByGuard(key),
            88..93 => Op::Many(key, other, value),
            93..95 => Op::AddToEach(value),
            95 => Op::Retain(2 + value % 5),
            96 => Op::EvictOld,
            97 => Op::Rebuild,
            _ => match value % 8 {
                0 => Op::Clear,
                1 => Op::Drain,
                2 => Op::Evict(key),
                _ => Op::Insert(key, value),
            },
        }
    }
}

struct World {
    map: LockMap<u64, Value>,
    model: HashMap<u64, u64>,
    /// Values that are not dropped yet.
    alive: Rc<Cell<i64>>,
}

impl World {
    fn new() -> World {
        World { map: LockMap::new(), model: HashMap::new(), alive: Rc::default() }
    }

    fn make(&self, number: u64) -> Value {
        self.alive.set(self.alive.get() + 1);
        Value(number, Rc::clone(&self.alive))
    }

    fn apply(&mut self, op: Op) {
        let value = |value: Option<Value>| value.map(|value| value.0);
        match op {
            Op::Insert(key, number) => {
                let old = self.map.insert(key, self.make(number));
                assert_eq!(value(old), self.model.insert(key, number));
            }
            Op::Remove(key) => assert_eq!(value(self.map.remove(&key)), self.model.remove(&key)),
            Op::Get(key) => {
                assert_eq!(self.map.get(&key).map(|guard| guard.0), self.model.get(&key).copied());
            }
            Op::GetMut(key, number) => {
                let changed = self.map.get_mut(&key).map(|value| value.0 = number);
                assert_eq!(changed, self.model.get_mut(&key).map(|value| *value = number));
            }
            Op::Contains(key) => {
                assert_eq!(self.map.contains_key(&key), self.model.contains_key(&key));
            }
            Op::OrInsert(key, number) => {
                let guard = self.map.lock(&key).or_insert(self.make(number));
                assert_eq!(guard.0, *self.model.entry(key).or_insert(number));
            }
            Op::OrInsertWith(key, number) => {
                let guard = self.map.lock_or_insert_with(&key, || self.make(number));
                assert_eq!(guard.0, *self.model.entry(key).or_insert_with(|| number));
            }
            Op::TryInsert(key, number) => self.try_insert(key, number),
            Op::Modify(key, number) => {
                drop(self.map.entry(key).and_modify(|value| value.0 ^= number));
                self.model.entry(key).and_modify(|value| *value ^= number);
            }
            Op::Juggle(key, number, last) => self.juggle(key, number, last),
            Op::RemoveByGuard(key) => {
                let old = self.map.get(&key).map(LockMapGuard::remove);
                assert_eq!(value(old), self.model.remove(&key));
            }
            Op::Many(key, other, number) => self.many(key, other, number),
            Op::Retain(factor) => {
                self.map.retain(|_, value| value.0 % factor != 0);
                self.model.retain(|_, value| *value % factor != 0);
            }
            Op::AddToEach(number) => {
                self.map.for_each(|key, value| value.0 = value.0.wrapping_add(number ^ key));
                self.model
                    .iter_mut()
                    .for_each(|(key, value)| *value = value.wrapping_add(number ^ key));
            }
            Op::Clear => {
                self.map.clear();
                self.model.clear();
            }
            Op::Evict(key) => {
                let held = self.map.lock(&key);
                let len = self.model.len();
                self.model.retain(|other, _| *other == key);
                assert_eq!(self.map.evict_idle(Duration::ZERO), len - self.model.len());
                drop(held);
            }
            Op::Drain => {
                let drained = self.map.drain_idle(Duration::ZERO);
                let drained = drained.into_iter().map(|(key, value)| (key, value.0)).collect();
                assert_eq!(core::mem::take(&mut self.model), drained);
            }
            Op::EvictOld => assert_eq!(self.map.evict_idle(Duration::from_secs(3600)), 0),
            Op::Rebuild => self.map = core::mem::take(&mut self.map).into_iter().collect(),
        }
    }

    fn try_insert(&mut self, key: u64, number: Result<u64, u64>) {
        let guard =
            self.map.lock(&key).or_try_insert_with(|| number.map(|number| self.make(number)));
        let got = guard.map(|guard| guard.0);
        let expected = match (self.model.get(&key), number) {
            (Some(old), _) => Ok(*old),
            (None, Ok(number)) => Ok(*self.model.entry(key).or_insert(number)),
            (None, Err(number)) => Err(number),
        };
        assert_eq!(got, expected);
    }

    fn juggle(&mut self, key: u64, number: u64, last: Option<u64>) {
        let mut entry = self.map.lock(&key);
        let value = |value: Option<Value>| value.map(|value| value.0);
        assert_eq!(entry.value().map(|value| value.0), self.model.get(&key).copied());
        assert_eq!(value(entry.insert(self.make(number))), self.model.insert(key, number));
        assert_eq!(value(entry.remove()), self.model.remove(&key));
        assert!(entry.is_vacant() && self.map.contains_key(&key) == self.model.contains_key(&key));
        if let Some(number) = last {
            assert!(entry.insert(self.make(number)).is_none());
            self.model.insert(key, number);
        }
    }

    /// Moves the value of one key to the other.
    fn many(&mut self, key: u64, other: u64, number: u64) {
        let mut many = self.map.lock_many(&[key, other]);
        let moved = many.get_mut(&key).unwrap().remove();
        let moved = moved.unwrap_or_else(|| self.make(number));
        drop(many.get_mut(&other).unwrap().insert(moved));
        let moved = self.model.remove(&key).unwrap_or(number);
        self.model.insert(other, moved);
    }

    fn check(&self) {
        assert_eq!(self.map.len(), self.model.len());
        assert_eq!(self.alive.get(), self.model.len() as i64, "values that are alive");
        assert!(self.map.snapshot().is_empty());
    }

    fn check_all(&self) {
        self.check();
        let found = RefCell::new(HashMap::new());
        self.map.for_each(|key, value| assert!(found.borrow_mut().insert(*key, value.0).is_none()));
        assert_eq!(found.into_inner(), self.model);
        let keys: std::collections::HashSet<_> = self.map.keys().into_iter().collect();
        assert!(
            keys.len() == self.model.len() && keys.iter().all(|key| self.model.contains_key(key))
        );
    }
}

fn run(script: &[Op]) {
    let mut world = World::new();
    for op in script {
        world.apply(*op);
        world.check();
    }
    world.check_all();
    let alive = Rc::clone(&world.alive);
    drop(world);
    assert_eq!(alive.get(), 0, "values that outlive the map");
}

fn fails(script: &[Op]) -> bool {
    catch_unwind(AssertUnwindSafe(|| run(script))).is_err()
}

/// Leaves out what it can.
fn shortest(mut script: Vec<Op>) -> Vec<Op> {
    let mut part = script.len() / 2;
    while part > 0 {
        let mut at = 0;
        while at + part <= script.len() {
            let mut shorter = script.clone();
            shorter.drain(at..at + part);
            if fails(&shorter) {
                script = shorter;
            } else {
                at += part;
            }
        }
        part /= 2;
    }
    script
}

#[test]
fn scripts_do_what_they_do_to_a_hash_map() {
    let seed = seed();
    for case in 0..60 {
        let mut rng = Rng::new(seed ^ case << 40);
        // From few keys that meet often to so many that shards grow and shrink.
        let keys = 1 << rng.below(12);
        let length = 20 + rng.below(400);
        let script: Vec<_> = (0..length).map(|_| Op::random(&mut rng, keys)).collect();
        if fails(&script) {
            let script = shortest(script);
            println!("seed {seed}, case {case}: {script:#?}");
            run(&script);
        }
    }
}
