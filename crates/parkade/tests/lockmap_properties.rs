//! Evidence that a [`LockMap`] is a map: random scripts of one thread do to it what they do to a `HashMap`, also where
//! a closure panics, and every value is dropped once.

#![cfg(feature = "keyed")]

#[path = "support/property.rs"]
mod property;
mod support;

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeSet, HashMap},
    hash::BuildHasher,
    rc::Rc,
    time::Duration,
};

use parkade::keyed::{DefaultHashBuilder, LockMap, LockMapGuard};
use proptest::{
    collection::{btree_set, vec},
    option,
    prelude::*,
    sample::select,
    test_runner::TestCaseResult,
};
use support::keyed::{Same, caught, panic_on_purpose};

/// A number that says when it is dropped.
#[derive(Debug)]
struct Value(u64, Rc<Cell<i64>>);

impl Drop for Value {
    fn drop(&mut self) {
        self.1.set(self.1.get() - 1);
    }
}

/// What a closure that panics is given to.
#[derive(Debug, Clone, Copy)]
enum Closure {
    OrInsertWith,
    OrTryInsertWith,
    LockOrInsertWith,
    AndModify,
    ForEach,
    Retain,
}

#[derive(Debug, Clone)]
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
    /// Where the closure comes to this key.
    Panic(Closure, u64, u64),
    /// Keeps the numbers that are no multiples.
    Retain(u64),
    AddToEach(u64),
    Clear,
    /// All but what is held.
    Evict(BTreeSet<u64>),
    Drain,
    EvictOld,
    /// Take apart and put together.
    Rebuild,
}

fn ops(keys: u64) -> impl Strategy<Value = Op> {
    let (key, value) = (0..keys, 0..1000_u64);
    let pair = (key.clone(), value.clone()).boxed();
    let tried = prop_oneof![value.clone().prop_map(Ok), value.clone().prop_map(Err)];
    let closures = vec![
        Closure::OrInsertWith,
        Closure::OrTryInsertWith,
        Closure::LockOrInsertWith,
        Closure::AndModify,
        Closure::ForEach,
        Closure::Retain,
    ];
    let seldom = prop_oneof![
        Just(Op::Clear),
        Just(Op::Drain),
        btree_set(key.clone(), 0..4).prop_map(Op::Evict),
        (2..7_u64).prop_map(Op::Retain),
        Just(Op::EvictOld),
        Just(Op::Rebuild),
    ];
    let usual = prop_oneof![
        30 => pair.clone().prop_map(|(key, value)| Op::Insert(key, value)),
        15 => key.clone().prop_map(Op::Remove),
        5 => key.clone().prop_map(Op::Get),
        5 => pair.clone().prop_map(|(key, value)| Op::GetMut(key, value)),
        5 => key.clone().prop_map(Op::Contains),
        7 => pair.clone().prop_map(|(key, value)| Op::OrInsert(key, value)),
        7 => pair.clone().prop_map(|(key, value)| Op::OrInsertWith(key, value)),
        5 => (key.clone(), tried).prop_map(|(key, tried)| Op::TryInsert(key, tried)),
    ];
    let more = prop_oneof![
        4 => pair.clone().prop_map(|(key, value)| Op::Modify(key, value)),
        5 => (pair.clone(), option::of(value.clone()))
            .prop_map(|((key, value), last)| Op::Juggle(key, value, last)),
        5 => key.clone().prop_map(Op::RemoveByGuard),
        5 => (key, pair.clone()).prop_map(|(key, (other, value))| Op::Many(key, other, value)),
        5 => (select(closures), pair)
            .prop_map(|(closure, (key, value))| Op::Panic(closure, key, value)),
        2 => value.prop_map(Op::AddToEach),
    ];
    prop_oneof![75 => usual, 25 => more, 4 => seldom]
}

/// From few keys that meet often to so many that shards grow and shrink.
fn scripts() -> impl Strategy<Value = Vec<Op>> {
    (0..12_u32).prop_flat_map(|bits| vec(ops(1 << bits), 20..400))
}

struct World<S> {
    map: LockMap<u64, Value, S>,
    model: HashMap<u64, u64>,
    /// Values that are not dropped yet.
    alive: Rc<Cell<i64>>,
}

impl<S: BuildHasher + Default> World<S> {
    fn new() -> Self {
        World { map: LockMap::default(), model: HashMap::new(), alive: Rc::default() }
    }

    fn make(&self, number: u64) -> Value {
        self.alive.set(self.alive.get() + 1);
        Value(number, Rc::clone(&self.alive))
    }

    fn apply(&mut self, op: &Op) -> TestCaseResult {
        let value = |value: Option<Value>| value.map(|value| value.0);
        match *op {
            Op::Insert(key, number) => {
                let old = self.map.insert(key, self.make(number));
                prop_assert_eq!(value(old), self.model.insert(key, number));
            }
            Op::Remove(key) => {
                prop_assert_eq!(value(self.map.remove(&key)), self.model.remove(&key))
            }
            Op::Get(key) => {
                prop_assert_eq!(
                    self.map.get(&key).map(|guard| guard.0),
                    self.model.get(&key).copied()
                );
            }
            Op::GetMut(key, number) => {
                let changed = self.map.get_mut(&key).map(|value| value.0 = number);
                prop_assert_eq!(changed, self.model.get_mut(&key).map(|value| *value = number));
            }
            Op::Contains(key) => {
                prop_assert_eq!(self.map.contains_key(&key), self.model.contains_key(&key));
            }
            Op::OrInsert(key, number) => {
                let guard = self.map.lock(&key).or_insert(self.make(number));
                prop_assert_eq!(guard.0, *self.model.entry(key).or_insert(number));
            }
            Op::OrInsertWith(key, number) => {
                let guard = self.map.lock_or_insert_with(&key, || self.make(number));
                prop_assert_eq!(guard.0, *self.model.entry(key).or_insert_with(|| number));
            }
            Op::TryInsert(key, number) => self.try_insert(key, number)?,
            Op::Modify(key, number) => {
                drop(self.map.entry(key).and_modify(|value| value.0 ^= number));
                self.model.entry(key).and_modify(|value| *value ^= number);
            }
            Op::Juggle(key, number, last) => self.juggle(key, number, last)?,
            Op::RemoveByGuard(key) => {
                let old = self.map.get(&key).map(LockMapGuard::remove);
                prop_assert_eq!(value(old), self.model.remove(&key));
            }
            Op::Many(key, other, number) => self.many(key, other, number),
            Op::Panic(closure, key, number) => self.panic(closure, key, number)?,
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
            Op::Evict(ref keys) => {
                let held: Vec<_> = keys.iter().map(|key| self.map.lock(key)).collect();
                let len = self.model.len();
                self.model.retain(|key, _| keys.contains(key));
                prop_assert_eq!(self.map.evict_idle(Duration::ZERO), len - self.model.len());
                drop(held);
            }
            Op::Drain => {
                let drained = self.map.drain_idle(Duration::ZERO);
                let drained = drained.into_iter().map(|(key, value)| (key, value.0)).collect();
                prop_assert_eq!(core::mem::take(&mut self.model), drained);
            }
            Op::EvictOld => prop_assert_eq!(self.map.evict_idle(Duration::from_secs(3600)), 0),
            Op::Rebuild => self.map = core::mem::take(&mut self.map).into_iter().collect(),
        }
        Ok(())
    }

    fn try_insert(&mut self, key: u64, number: Result<u64, u64>) -> TestCaseResult {
        let guard =
            self.map.lock(&key).or_try_insert_with(|| number.map(|number| self.make(number)));
        let got = guard.map(|guard| guard.0);
        let expected = match (self.model.get(&key), number) {
            (Some(old), _) => Ok(*old),
            (None, Ok(number)) => Ok(*self.model.entry(key).or_insert(number)),
            (None, Err(number)) => Err(number),
        };
        prop_assert_eq!(got, expected);
        Ok(())
    }

    fn juggle(&mut self, key: u64, number: u64, last: Option<u64>) -> TestCaseResult {
        let mut entry = self.map.lock(&key);
        let value = |value: Option<Value>| value.map(|value| value.0);
        prop_assert_eq!(entry.value().map(|value| value.0), self.model.get(&key).copied());
        prop_assert_eq!(value(entry.insert(self.make(number))), self.model.insert(key, number));
        prop_assert_eq!(value(entry.remove()), self.model.remove(&key));
        prop_assert!(
            entry.is_vacant() && self.map.contains_key(&key) == self.model.contains_key(&key)
        );
        if let Some(number) = last {
            prop_assert!(entry.insert(self.make(number)).is_none());
            self.model.insert(key, number);
        }
        Ok(())
    }

    /// What a closure has done before its panic is done, and nothing else.
    fn panic(&mut self, closure: Closure, key: u64, number: u64) -> TestCaseResult {
        // For what there is a value already, nobody calls it.
        let is_there = self.model.contains_key(&key);
        let returned = match closure {
            Closure::OrInsertWith => caught(|| {
                drop(self.map.lock(&key).or_insert_with(|| panic_on_purpose()));
            }),
            Closure::OrTryInsertWith => caught(|| {
                let make = || -> Result<Value, ()> { panic_on_purpose() };
                drop(self.map.lock(&key).or_try_insert_with(make));
            }),
            Closure::LockOrInsertWith => caught(|| {
                drop(self.map.lock_or_insert_with(&key, || panic_on_purpose()));
            }),
            Closure::AndModify => {
                self.model.entry(key).and_modify(|value| *value ^= number);
                let change = |value: &mut Value| {
                    value.0 ^= number;
                    panic_on_purpose()
                };
                caught(|| drop(self.map.lock(&key).and_modify(change)))
            }
            Closure::ForEach => {
                let (model, map) = (&mut self.model, &self.map);
                caught(|| {
                    map.for_each(|at, value| {
                        value.0 ^= number;
                        *model.get_mut(at).expect("has a value") ^= number;
                        if *at == key {
                            panic_on_purpose();
                        }
                    });
                })
            }
            Closure::Retain => {
                let (model, map) = (&mut self.model, &self.map);
                caught(|| {
                    map.retain(|at, value| {
                        if *at == key {
                            panic_on_purpose();
                        }
                        let stays = value.0 > number;
                        if !stays {
                            model.remove(at);
                        }
                        stays
                    });
                })
            }
        };
        let called = match closure {
            Closure::AndModify | Closure::ForEach | Closure::Retain => is_there,
            _ => !is_there,
        };
        prop_assert_eq!(returned.is_none(), called);
        Ok(())
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

    fn check(&self) -> TestCaseResult {
        prop_assert_eq!(self.map.len(), self.model.len());
        prop_assert_eq!(self.alive.get(), self.model.len() as i64, "values that are alive");
        prop_assert!(self.map.snapshot().is_empty());
        Ok(())
    }

    fn check_all(&self) -> TestCaseResult {
        self.check()?;
        let found = RefCell::new(HashMap::new());
        self.map.for_each(|key, value| assert!(found.borrow_mut().insert(*key, value.0).is_none()));
        prop_assert_eq!(&found.into_inner(), &self.model);
        let keys: BTreeSet<_> = self.map.keys().into_iter().collect();
        prop_assert_eq!(keys, self.model.keys().copied().collect());
        Ok(())
    }
}

fn run<S: BuildHasher + Default>(script: &[Op]) -> TestCaseResult {
    let _watched = property::watched_case();
    let mut world = World::<S>::new();
    for op in script {
        world.apply(op)?;
        world.check()?;
    }
    world.check_all()?;
    let alive = Rc::clone(&world.alive);
    drop(world);
    prop_assert_eq!(alive.get(), 0, "values that outlive the map");
    Ok(())
}

proptest! {
    #![proptest_config(property::cases(40))]

    #[test]
    fn scripts_do_what_they_do_to_a_hash_map(script in scripts()) {
        run::<DefaultHashBuilder>(&script)?;
    }

    #[test]
    fn they_do_so_also_if_hashes_are_equal(script in scripts()) {
        run::<Same>(&script)?;
    }
}
