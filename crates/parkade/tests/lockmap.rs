//! Evidence for the promises of [`LockMap`]: who waits for whom, what becomes of keys and values, what a panic of
//! any user's code leaves behind, when values are dropped, what is evicted, which types may be shared, and how large
//! guards are.

#![cfg(feature = "keyed")]

mod support;

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    hash::{BuildHasherDefault, Hash, Hasher},
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    sync::{
        Arc, MutexGuard,
        atomic::{AtomicUsize, Ordering::Relaxed},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use parkade::keyed::{
    IntoIter, KeyLocked, LockMap, LockMapEntry, LockMapGuard, LockMapManyGuard, OwnedLockMapEntry,
    OwnedLockMapGuard,
};
use static_assertions::{assert_impl_all, assert_not_impl_any};
use support::{CENTURIES, SHORT, far_future, past, wait_until, watched_test};

type SyncNotSend = MutexGuard<'static, u8>;
type SendNotSync = Cell<u8>;
type Map<K, V> = LockMap<K, V>;

// The map: values may be `Send` only, keys are looked at by all.
assert_impl_all!(Map<u8, u8>: Send, Sync, Default, std::fmt::Debug, Extend<(u8, u8)>, FromIterator<(u8, u8)>);
assert_impl_all!(Map<u8, SendNotSync>: Send, Sync);
assert_not_impl_any!(Map<u8, SyncNotSend>: Send, Sync);
assert_not_impl_any!(Map<u8, Rc<u8>>: Send, Sync);
assert_impl_all!(Map<SendNotSync, u8>: Send);
assert_not_impl_any!(Map<SendNotSync, u8>: Sync);
assert_not_impl_any!(Map<SyncNotSend, u8>: Send, Sync);
assert_impl_all!(LockMap<u8, u8, SendNotSync>: Send);
assert_not_impl_any!(LockMap<u8, u8, SendNotSync>: Sync);
assert_not_impl_any!(LockMap<u8, u8, Rc<u8>>: Send, Sync);

/// `$bounds` of each kind of guard, for a value `$value`. Round brackets: all of them. Square ones: none of them.
macro_rules! guards {
    (@ ($($bound:path),+) $guard:ty) => { assert_impl_all!($guard: $($bound),+); };
    (@ [$($bound:path),+] $guard:ty) => { assert_not_impl_any!($guard: $($bound),+); };
    ($($bounds:tt $value:ty;)+) => {$(
        guards!(@ $bounds LockMapEntry<'static, u8, $value>);
        guards!(@ $bounds LockMapGuard<'static, u8, $value>);
        guards!(@ $bounds LockMapManyGuard<'static, u8, $value>);
        guards!(@ $bounds OwnedLockMapEntry<u8, $value>);
        guards!(@ $bounds OwnedLockMapGuard<u8, $value>);
    )+};
}

// A reference to a guard is one to the value.
guards! {
    (Sync) u8;
    [Sync] SendNotSync;
    [Send, Sync] Rc<u8>;
}
#[cfg(feature = "send_guard")]
guards! {
    (Send) u8;
    (Send) SendNotSync;
    [Send] SyncNotSend;
}
#[cfg(not(feature = "send_guard"))]
guards! { [Send] u8; }
assert_impl_all!(IntoIter<u8, u8>: Send, Sync, std::iter::FusedIterator);
// A reference to it is good for nothing.
assert_impl_all!(IntoIter<SendNotSync, SendNotSync>: Send, Sync);
assert_not_impl_any!(IntoIter<u8, SyncNotSend>: Send);
assert_not_impl_any!(IntoIter<SyncNotSend, u8>: Send);

#[test]
fn sizes() {
    // A guard is two words and what it knows of the value.
    assert_eq!(size_of::<LockMapEntry<'_, u64, u64>>(), 3 * size_of::<usize>());
    assert_eq!(
        size_of::<Option<LockMapGuard<'_, u64, u64>>>(),
        size_of::<LockMapEntry<'_, u64, u64>>()
    );
}

/// Counts how often it is dropped.
#[derive(Debug, Clone)]
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Relaxed);
    }
}

#[derive(Debug, Default)]
struct Drops(Arc<AtomicUsize>);

impl Drops {
    fn value(&self) -> Counted {
        Counted(Arc::clone(&self.0))
    }

    fn count(&self) -> usize {
        self.0.load(Relaxed)
    }
}

fn sorted<V: Ord>(values: impl IntoIterator<Item = V>) -> Vec<V> {
    let mut values: Vec<V> = values.into_iter().collect();
    values.sort_unstable();
    values
}

/// Nobody holds a key or waits for one, and nothing is in the map but values.
#[track_caller]
fn assert_at_rest<K: Clone + std::fmt::Debug + Eq + Hash, V>(map: &Map<K, V>, len: usize) {
    assert!(map.snapshot().is_empty(), "{:?}", map.snapshot());
    assert_eq!(map.len(), len);
}

#[test]
fn an_entry_comes_to_be_changes_and_goes() {
    let map = Map::<String, u32>::new();
    let mut entry = map.lock("a");
    assert_eq!((entry.key().as_str(), entry.value(), entry.is_vacant()), ("a", None, true));
    assert_eq!(entry.value_mut(), None);
    assert_eq!(entry.remove(), None);
    assert_eq!(entry.insert(1), None);
    assert_eq!(entry.insert(2), Some(1));
    *entry.value_mut().unwrap() += 1;
    assert_eq!(entry.value(), Some(&3));
    assert_eq!(format!("{entry:?}"), r#"Entry("a", Some(3))"#);
    drop(entry);
    assert_at_rest(&map, 1);

    assert_eq!(map.lock("a").remove(), Some(3));
    assert_at_rest(&map, 0);
    assert!(map.lock("a").is_vacant());
    assert_at_rest(&map, 0);
}

#[test]
fn ways_to_fill_a_vacant_entry() {
    let map = Map::<u32, String>::new();
    assert_eq!(*map.lock(&1).or_insert("a".into()), "a");
    assert_eq!(*map.lock(&1).or_insert("b".into()), "a");
    assert_eq!(*map.lock(&1).or_insert_with(|| unreachable!()), "a");
    assert_eq!(*map.lock(&2).or_insert_with_key(|key| key.to_string()), "2");
    assert_eq!(*map.lock(&3).or_default(), "");
    assert_eq!(*map.lock(&1).insert_entry("c".into()), "c");
    assert_eq!(*map.lock(&1).and_modify(|value| value.push('!')).or_default(), "c!");
    assert!(map.lock(&4).and_modify(|_| unreachable!()).is_vacant());
    assert_eq!(map.lock(&4).or_try_insert_with(|| Err("no")).unwrap_err(), "no");
    assert_eq!(*map.lock(&5).or_try_insert_with(|| Ok::<_, ()>("e".into())).unwrap(), "e");
    assert_eq!(*map.lock(&5).or_try_insert_with(|| Err(())).unwrap(), "e");
    assert!(map.lock(&6).occupied().is_err_and(|entry| *entry.key() == 6));
    assert_eq!(sorted(map.keys()), [1, 2, 3, 5]);
    assert_at_rest(&map, 4);
}

#[test]
fn guards_of_values() {
    let map = Map::<u32, Vec<u8>>::new();
    let mut guard = map.lock_or_insert_with(&1, || vec![1]);
    guard.push(2);
    assert_eq!((LockMapGuard::key(&guard), format!("{guard:?}")), (&1, "[1, 2]".into()));
    let mut entry = LockMapGuard::into_entry(guard);
    assert_eq!(entry.remove(), Some(vec![1, 2]));
    entry.insert(vec![3]);
    LockMapGuard::unlock_fair(entry.occupied().unwrap());
    map.lock(&1).unlock_fair();
    assert_eq!(LockMapGuard::remove(map.get(&1).unwrap()), [3]);
    assert_eq!(format!("{}", LockMap::<u8, u8>::new().lock_or_default(&1)), "0");
    assert_at_rest(&map, 0);
}

#[test]
fn insert_remove_and_look() {
    let mut map = Map::<String, u32>::default();
    assert_eq!(map.insert("a".into(), 1), None);
    assert_eq!(map.insert("a".into(), 2), Some(1));
    *map.entry("b".into()).or_insert(5) += 1;
    assert!(map.contains_key("a") && !map.contains_key("c"));
    assert!(map.get("c").is_none() && map.remove("c").is_none());
    assert_eq!(map.get_mut("b"), Some(&mut 6));
    assert_eq!(map.get_mut("c"), None);
    assert_eq!(
        (map.len(), map.is_empty(), sorted(map.keys())),
        (2, false, vec!["a".into(), "b".into()])
    );
    assert_eq!(map.remove("a"), Some(2));
    assert_eq!(format!("{map:?}"), r#"{"b": 6}"#);
    let held = map.lock("b");
    assert!(map.is_locked("b") && !map.is_locked("a"));
    assert_eq!(format!("{map:?}"), r#"{"b": <locked>}"#);
    drop(held);
    map.extend([("c".into(), 7)]);
    assert_eq!(sorted(map), [("b".into(), 6), ("c".into(), 7)]);
}

/// A key need not be `Clone` for what does not have to make one.
#[test]
fn keys_that_cannot_be_cloned() {
    #[derive(Debug, PartialEq, Eq, Hash)]
    struct Id(u32);

    let map = Map::<Id, u32>::new();
    map.insert(Id(1), 1);
    *map.entry(Id(1)).or_default() += 1;
    assert_eq!((map.get(&Id(1)).as_deref(), map.contains_key(&Id(2))), (Some(&2), false));
    assert_eq!(map.remove(&Id(1)), Some(2));
    assert!(map.is_empty());
}

/// What is held without a value is in the map for those who look who holds what, and for nobody else.
#[test]
fn a_vacant_key_that_is_held_is_no_value() {
    let map = Map::<u32, u32>::new();
    let mut entry = map.lock(&1);
    assert_eq!((map.len(), map.contains_key(&1), map.keys().len()), (0, false, 0));
    assert_eq!((map.snapshot().len(), map.is_locked(&1)), (1, true));
    entry.insert(1);
    assert_eq!((map.len(), map.contains_key(&1)), (1, true));
    entry.remove();
    assert_eq!((map.len(), map.contains_key(&1)), (0, false));
}

#[test]
fn tries_and_deadlines() {
    let (_progress, _watchdog) = watched_test();
    let map = Map::<u32, u32>::from_iter([(1, 10)]);
    let soon = Duration::from_millis(1);
    let on_another_thread = |body: &(dyn Fn() + Sync)| {
        thread::scope(|scope| scope.spawn(body).join().unwrap());
    };

    for key in [1, 2] {
        let held = map.lock(&key);
        on_another_thread(&|| {
            assert!(map.try_lock(&key).is_none());
            for timeout in SHORT {
                assert!(map.try_lock_for(&key, timeout).is_none());
                assert_eq!(map.try_get_for(&key, timeout).unwrap_err(), KeyLocked);
            }
            assert!(map.try_lock_until(&key, Instant::now() + soon).is_none());
            assert!(map.try_lock_until(&key, past()).is_none());
            assert_eq!(map.try_get(&key).unwrap_err(), KeyLocked);
            assert_eq!(map.try_get_until(&key, Instant::now() + soon).unwrap_err(), KeyLocked);
            assert!(map.try_lock_many([&0, &key]).is_none());
            assert!(map.try_lock_many_for([&0, &key], soon).is_none());
            assert!(map.try_lock_many_until([&0, &key], Instant::now() + soon).is_none());
            assert!(!map.is_locked(&0));
        });
        drop(held);
    }
    assert_eq!(KeyLocked.to_string(), "the key is locked");

    for timeout in CENTURIES.into_iter().chain([Duration::ZERO]) {
        assert_eq!(map.try_lock_for(&1, timeout).unwrap().value(), Some(&10));
        assert_eq!(map.try_get_for(&1, timeout).unwrap().as_deref(), Some(&10));
        assert_eq!(map.try_lock_many_for([&1], timeout).unwrap().keys().len(), 1);
    }
    assert_eq!(map.try_lock(&1).unwrap().value(), Some(&10));
    for deadline in [past(), far_future()] {
        assert_eq!(map.try_lock_until(&1, deadline).unwrap().value(), Some(&10));
        assert!(map.try_get_until(&2, deadline).unwrap().is_none());
        assert!(map.try_lock_many_until([&1], deadline).is_some());
    }
    assert!(map.try_get(&2).unwrap().is_none());
    assert_at_rest(&map, 1);
}

#[test]
fn guards_that_share_in_the_map() {
    let map = Arc::new(Map::<String, u32>::new());
    map.lock_owned("a").insert(1);
    let guard = map.get_owned("a").unwrap();
    let vacant = map.lock_owned("b");
    assert!(map.try_lock_owned("a").is_none() && map.try_get_owned("b").is_err());
    let soon = Duration::from_millis(1);
    assert!(map.try_lock_owned_for("a", soon).is_none());
    assert!(map.try_lock_owned_until("a", Instant::now() + soon).is_none());
    assert!(map.try_get_owned_for("a", soon).is_err());
    assert!(map.try_get_owned_until("a", Instant::now() + soon).is_err());
    let weak = Arc::downgrade(&map);
    drop(map);
    vacant.unlock_fair();
    assert_eq!((OwnedLockMapGuard::key(&guard).as_str(), *guard), ("a", 1));
    assert_eq!(weak.upgrade().unwrap().len(), 1);
    OwnedLockMapGuard::unlock_fair(guard);
    assert!(weak.upgrade().is_none());
}

#[test]
fn several_keys() {
    let map = Map::<u32, u32>::from_iter([(1, 1), (3, 3)]);
    let mut many = map.lock_many(&[3, 1, 2, 3]);
    assert!(many.keys().eq(&[1, 2, 3]));
    assert_eq!(format!("{many:?}"), "{1: Some(1), 2: None, 3: Some(3)}");
    assert!(many.get(&4).is_none() && many.get(&2).unwrap().is_vacant());
    many.get_mut(&2).unwrap().insert(2);
    assert_eq!(many.get_mut(&1).unwrap().remove(), Some(1));
    for entry in &mut many {
        if let Some(value) = entry.value_mut() {
            *value *= 10;
        }
    }
    assert_eq!((&many).into_iter().filter_map(|entry| entry.value()).sum::<u32>(), 50);
    let last = many.into_iter().next_back().unwrap();
    assert!(map.is_locked(&3) && !map.is_locked(&2));
    drop(last);
    assert_eq!(sorted(map), [(2, 20), (3, 30)]);
}

/// Starts a thread that runs `body`, and waits until that waits for `key`.
fn waiting<'s, K: Clone + PartialEq + Sync, V: Send, R: Send + 's>(
    scope: &'s thread::Scope<'s, '_>,
    map: &Map<K, V>,
    key: &K,
    waiters: usize,
    body: impl FnOnce() -> R + Send + 's,
) -> thread::ScopedJoinHandle<'s, R> {
    let thread = scope.spawn(body);
    let sleeping = |info: &parkade::keyed::KeyInfo<K>| info.key == *key && info.waiters == waiters;
    wait_until(|| map.snapshot().iter().any(|info| sleeping(info) && info.longest_wait.is_some()));
    thread
}

#[test]
fn a_value_is_made_once_and_others_wait_for_it() {
    let (_progress, _watchdog) = watched_test();
    let map = Map::<u32, u32>::new();
    let mine = map.lock(&1);
    thread::scope(|scope| {
        let others: Vec<_> = (1..=4)
            .map(|n| {
                waiting(scope, &map, &1, n, || *map.lock_or_insert_with(&1, || unreachable!()))
            })
            .collect();
        drop(mine.or_insert(7));
        others.into_iter().for_each(|other| assert_eq!(other.join().unwrap(), 7));
    });
    assert_at_rest(&map, 1);
}

/// Who waits for a key whose value is removed has it vacant; `get` then says so; nothing is left.
#[test]
fn removal_with_waiters() {
    let (_progress, _watchdog) = watched_test();
    let map = Map::<u32, u32>::from_iter([(1, 1)]);
    let mut mine = map.lock(&1);
    thread::scope(|scope| {
        let getter = waiting(scope, &map, &1, 1, || map.get(&1).is_none());
        let remover = waiting(scope, &map, &1, 2, || map.remove(&1));
        let locker = waiting(scope, &map, &1, 3, || map.lock(&1).is_vacant());
        assert_eq!(mine.remove(), Some(1));
        drop(mine);
        assert!(getter.join().unwrap() && locker.join().unwrap());
        assert_eq!(remover.join().unwrap(), None);
    });
    assert_at_rest(&map, 0);
}

/// `get` waits for who makes a value.
#[test]
fn get_waits_for_a_value_that_is_made() {
    let (_progress, _watchdog) = watched_test();
    let map = Map::<u32, u32>::new();
    let mut mine = map.lock(&1);
    thread::scope(|scope| {
        let getter = waiting(scope, &map, &1, 1, || map.get(&1).as_deref().copied());
        mine.insert(5);
        drop(mine);
        assert_eq!(getter.join().unwrap(), Some(5));
    });
}

/// All keys have one hash, and so a shard and a chain: they do not wait for each other.
#[test]
fn unrelated_keys_do_not_wait() {
    #[derive(Default)]
    struct Zero;
    impl Hasher for Zero {
        fn finish(&self) -> u64 {
            0
        }
        fn write(&mut self, _: &[u8]) {}
    }

    let (_progress, _watchdog) = watched_test();
    let map = LockMap::<u32, u32, BuildHasherDefault<Zero>>::default();
    let held: Vec<_> = (0..100).map(|key| map.lock(&key)).collect();
    thread::scope(|scope| {
        let other = scope.spawn(|| (100..200).for_each(|key| drop(map.lock(&key).or_insert(key))));
        other.join().unwrap();
    });
    drop(held);
    assert_eq!(map.len(), 100);
    let _ = map.hasher();
}

#[cfg(all(debug_assertions, not(feature = "send_guard")))]
#[test]
fn re_entry_panics_where_it_would_be_a_deadlock() {
    let map = Map::<u32, u32>::from_iter([(1, 1)]);
    let held = map.lock(&1);
    let panics = |body: &dyn Fn()| catch_unwind(AssertUnwindSafe(body)).is_err();
    assert!(panics(&|| drop(map.lock(&1))));
    assert!(panics(&|| drop(map.get(&1))));
    assert!(panics(&|| _ = map.insert(1, 2)));
    assert!(panics(&|| _ = map.remove(&1)));
    assert!(panics(&|| map.for_each(|_, _| ())));
    assert!(panics(&|| map.clear()));
    assert_eq!(map.snapshot()[0].waiters, 0);
    drop(held);
    assert_eq!(map.get(&1).as_deref(), Some(&1));
    map.clear();
    assert_at_rest(&map, 0);
}

/// Functions of the user may use the map, only not the same key.
#[test]
fn user_code_runs_with_one_key_locked() {
    let map = Map::<u32, u32>::new();
    let depth = |map: &Map<u32, u32>, key: u32| map.insert(key, 0).is_none();
    map.lock_or_insert_with(&1, || u32::from(depth(&map, 2)));
    assert!(
        map.lock(&3).or_try_insert_with(|| if depth(&map, 4) { Err(()) } else { Ok(0) }).is_err()
    );
    drop(map.lock(&1).and_modify(|_| {
        map.insert(5, 0);
    }));
    map.for_each(|key, _| {
        map.insert(key + 1000, 0);
        map.remove(&(key + 1000));
    });
    map.retain(|key, _| {
        assert!(map.is_locked(key));
        *key < 5
    });
    assert_eq!(sorted(map.keys()), [1, 2, 4]);
}

#[test]
fn panics_of_functions_leave_the_key_as_it_was() {
    let map = Map::<u32, u32>::from_iter([(1, 1)]);
    let panics = |body: &dyn Fn()| assert!(catch_unwind(AssertUnwindSafe(body)).is_err());
    panics(&|| drop(map.lock_or_insert_with(&2, || panic!())));
    panics(&|| drop(map.lock(&2).or_insert_with_key(|_| panic!())));
    panics(&|| drop(map.lock(&2).or_try_insert_with(|| -> Result<u32, ()> { panic!() })));
    panics(&|| drop(map.lock(&1).and_modify(|_| panic!())));
    panics(&|| map.for_each(|_, _| panic!()));
    panics(&|| map.retain(|_, _| panic!()));
    assert_at_rest(&map, 1);
    assert_eq!(map.get(&1).as_deref(), Some(&1));
}

thread_local! {
    static FRAGILE: Cell<bool> = const { Cell::new(false) };
}

/// Whose functions panic when they are told to.
#[derive(Debug)]
struct Fragile(u32);

fn break_if_told() {
    assert!(!FRAGILE.get(), "told to panic");
}

impl Hash for Fragile {
    fn hash<H: Hasher>(&self, state: &mut H) {
        if self.0 >= 1000 {
            break_if_told();
        }
        state.write_u32(1);
    }
}

impl PartialEq for Fragile {
    fn eq(&self, other: &Fragile) -> bool {
        break_if_told();
        self.0 == other.0
    }
}

impl Eq for Fragile {}

impl Clone for Fragile {
    fn clone(&self) -> Fragile {
        break_if_told();
        Fragile(self.0)
    }
}

#[test]
fn panics_of_keys_leave_the_map_as_it_was() {
    let map = Map::<Fragile, u32>::new();
    map.insert(Fragile(1), 1);
    let panics = |body: &dyn Fn()| {
        FRAGILE.set(true);
        assert!(catch_unwind(AssertUnwindSafe(body)).is_err());
        FRAGILE.set(false);
    };
    for key in [1, 2, 1000] {
        panics(&|| drop(map.lock(&Fragile(key))));
        panics(&|| drop(map.try_lock(&Fragile(key))));
        panics(&|| drop(map.entry(Fragile(key))));
        panics(&|| drop(map.get(&Fragile(key))));
        panics(&|| drop(map.try_get(&Fragile(key))));
        panics(&|| _ = map.contains_key(&Fragile(key)));
    }
    panics(&|| drop(map.keys()));
    assert_at_rest(&map, 1);
    assert_eq!(map.remove(&Fragile(1)), Some(1));
    // Only cloning fails: there is no other key to compare with.
    panics(&|| drop(map.lock(&Fragile(1))));
    assert_at_rest(&map, 0);
}

/// Values whose drop panics: the others are dropped nevertheless, each once, and no lock stays taken.
#[test]
fn panics_of_values_as_they_are_dropped() {
    struct Bomb(#[expect(dead_code, reason = "dropped")] Counted, bool);
    impl Drop for Bomb {
        fn drop(&mut self) {
            assert!(!self.1, "told to panic");
        }
    }

    let drops = Drops::default();
    let fill = |map: &Map<u32, Bomb>| {
        (0..1000).for_each(|key| {
            map.insert(key, Bomb(drops.value(), key == 500));
        });
    };
    let panics = |body: &mut dyn FnMut()| assert!(catch_unwind(AssertUnwindSafe(body)).is_err());

    // Whichever is the bomb is not the last.
    let map = Map::<u32, Bomb>::new();
    fill(&map);
    let mut map = Some(map);
    panics(&mut || drop(map.take()));
    assert_eq!(drops.count(), 1000);

    let map = Map::<u32, Bomb>::new();
    fill(&map);
    panics(&mut || _ = map.evict_idle(Duration::ZERO));
    map.evict_idle(Duration::ZERO);
    assert_at_rest(&map, 0);
    assert_eq!(drops.count(), 2000);

    fill(&map);
    panics(&mut || map.clear());
    map.clear();
    assert_at_rest(&map, 0);
    assert_eq!(drops.count(), 3000);

    fill(&map);
    let mut rest = Some(map.into_iter());
    panics(&mut || drop(rest.take()));
    assert_eq!(drops.count(), 4000);
}

/// A value that uses the map as it is dropped, whoever drops it.
#[test]
fn values_that_use_the_map_as_they_are_dropped() {
    #[derive(Debug)]
    struct User(u32, std::sync::Weak<Map<u32, User>>);
    impl Drop for User {
        fn drop(&mut self) {
            if let Some(map) = self.1.upgrade() {
                let _ = map.insert(self.0, User(self.0, std::sync::Weak::new()));
                let _ = map.contains_key(&self.0);
            }
        }
    }

    let (_progress, _watchdog) = watched_test();
    for limit in [None, Some(Duration::ZERO)] {
        let map = limit.map_or_else(Map::new, Map::with_idle_limit);
        let map = Arc::new(map);
        let fill = || {
            (0..100).for_each(|key| {
                map.insert(key, User(key, Arc::downgrade(&map)));
            })
        };
        fill();
        map.clear();
        fill();
        map.retain(|_, _| false);
        fill();
        map.evict_idle(Duration::ZERO);
        fill();
        (0..100).for_each(|key| {
            map.remove(&key);
        });
        assert_at_rest(&map, map.len());
    }
}

#[test]
fn a_forgotten_guard_keeps_its_key() {
    let drops = Drops::default();
    let map = Map::<u32, Counted>::new();
    std::mem::forget(map.lock(&1));
    std::mem::forget(map.lock(&2).or_insert(drops.value()));
    assert!(map.try_lock(&1).is_none() && map.try_lock(&2).is_none());
    assert_eq!((map.evict_idle(Duration::ZERO), map.len()), (0, 1));
    assert_eq!(map.into_iter().map(|(key, _)| key).collect::<Vec<_>>(), [2]);
    assert_eq!(drops.count(), 1);

    let shared = Arc::new(Map::<u32, Counted>::new());
    std::mem::forget(shared.lock_owned(&1).or_insert(drops.value()));
    assert_eq!(Arc::strong_count(&shared), 2);
}

#[test]
fn every_value_is_dropped_once() {
    let drops = Drops::default();
    let map = Map::<u32, Counted>::new();
    (0..1000).for_each(|key| {
        map.insert(key, drops.value());
    });
    assert_eq!(drops.count(), 0);
    (0..100).for_each(|key| {
        map.insert(key, drops.value());
    });
    assert_eq!(drops.count(), 100);
    (0..100).for_each(|key| {
        map.remove(&key);
    });
    assert_eq!(drops.count(), 200);
    map.retain(|key, _| *key >= 300);
    assert_eq!(drops.count(), 400);
    let held = map.lock(&400);
    assert_eq!(map.drain_idle(Duration::ZERO).len(), 699);
    assert_eq!(drops.count(), 1099);
    drop(held);
    let mut rest = map.into_iter();
    assert_eq!(rest.size_hint(), (0, Some(1)));
    assert_eq!(rest.next().unwrap().0, 400);
    assert!(rest.next().is_none() && rest.next().is_none());
    assert_eq!(drops.count(), 1100);
}

/// Each key that has a value all the time is met once, whatever comes and goes meanwhile.
#[test]
fn a_walk_meets_each_key_once_while_the_table_changes() {
    let map = Map::<u32, u32>::from_iter((0..1000).map(|key| (key, 0)));
    let mut extra = 1_000_000..;
    map.for_each(|key, met| {
        if *key < 1000 {
            *met += 1;
            // The table grows and shrinks by far.
            for _ in 0..20 {
                map.insert(extra.next().unwrap(), 0);
            }
            if key % 300 == 0 {
                let held = map.lock_or_insert_with(&999_999, || 0);
                for key in 1_000_000..extra.start {
                    map.remove(&key);
                }
                drop(held);
            }
        }
    });
    let met: BTreeMap<_, _> = map.into_iter().filter(|(key, _)| *key < 1000).collect();
    assert_eq!(met.len(), 1000);
    assert!(met.values().all(|met| *met == 1), "{met:?}");
}

/// Walks, each in its place among others, and a thread that holds a key of those they come to.
#[test]
fn walks_wait_for_who_holds_a_key() {
    let (_progress, _watchdog) = watched_test();
    let map = Map::<u32, u32>::from_iter((0..50).map(|key| (key, 0)));
    let held = map.lock(&25);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| map.for_each(|_, met| *met += 1));
        }
        wait_until(|| map.snapshot().iter().any(|info| info.key == 25 && info.waiters == 3));
        drop(held);
    });
    map.for_each(|_, met| assert_eq!(*met, 3));
    assert_at_rest(&map, 50);
}

#[test]
fn a_walk_holds_one_key_at_a_time() {
    let map = Map::<u32, u32>::from_iter((0..200).map(|key| (key, 0)));
    map.for_each(|_, _| {
        let held = map.snapshot().into_iter().filter(|info| info.holders > 0).count();
        assert_eq!(held, 1);
    });
    // What has been walked by is free, and what was not used is not used.
    assert_eq!(map.evict_idle(Duration::ZERO), 200);
}

#[test]
fn eviction_takes_what_is_idle_and_nothing_else() {
    let (_progress, _watchdog) = watched_test();
    let map = Map::<u32, u32>::from_iter((0..100).map(|key| (key, key)));
    let hour = Duration::from_secs(3600);
    for age in [hour, Duration::MAX, Duration::from_secs(49 * 24 * 3600)] {
        assert_eq!(map.evict_idle(age), 0);
    }
    let held = map.lock(&7);
    let vacant = map.lock(&1000);
    let mut evicted = map.drain_idle(Duration::ZERO);
    evicted.sort_unstable();
    assert!(evicted.into_iter().eq((0..100).filter(|key| *key != 7).map(|key| (key, key))));
    thread::scope(|scope| {
        let waiter = waiting(scope, &map, &7, 1, || map.get(&7).as_deref().copied());
        assert_eq!(map.evict_idle(Duration::ZERO), 0);
        drop(held);
        assert_eq!(waiter.join().unwrap(), Some(7));
    });
    drop(vacant);
    assert_eq!((map.evict_idle(Duration::ZERO), map.evict_idle(Duration::ZERO)), (1, 0));
    assert_at_rest(&map, 0);
}

/// Waits until the clock that stamps has gone on by so many milliseconds.
fn pass(time: Duration) {
    let start = Instant::now();
    wait_until(|| start.elapsed() >= time + Duration::from_millis(20));
}

/// Which of three keys have been idle for 50 ms (the clock may be 11 ms off): one that was unlocked before, one that was
/// locked before and unlocked after, and one that was locked after.
fn idle(map: &Map<u32, ()>) -> Vec<u32> {
    let age = Duration::from_millis(50);
    map.insert(1, ());
    let long = map.lock_or_default(&2);
    pass(age);
    drop(long);
    map.insert(3, ());
    // Neither is a use.
    map.for_each(|_, ()| ());
    assert!(map.contains_key(&1) && format!("{map:?}").contains('1'));
    sorted(map.drain_idle(age).into_iter().map(|(key, ())| key))
}

#[test]
fn since_when_a_value_is_idle() {
    // A busy machine may take its time between two lines, but not each time.
    let sometime = |make: fn() -> Map<u32, ()>, expected: &[u32]| {
        (0..20).any(|_| {
            let found = idle(&make());
            assert!(expected.iter().all(|key| found.contains(key)), "{found:?}");
            found == expected
        })
    };
    assert!(sometime(|| Map::with_idle_limit(Duration::MAX), &[1]));
    assert!(sometime(Map::new, &[1, 2]));
}

/// A map with an idle limit evicts as it grows, a few keys for each that comes, and only those that are free.
#[test]
fn a_limit_evicts_as_the_map_grows() {
    let map = Map::<u32, u32>::with_idle_limit(Duration::ZERO);
    let held: Vec<_> = (0..100).map(|key| map.lock_or_insert_with(&key, || key)).collect();
    for key in 100..20_000 {
        map.insert(key, key);
        if key % 1000 == 0 {
            // To change values is no growth: it evicts nothing.
            let len = map.len();
            (0..100).for_each(|held| assert!(map.try_lock(&held).is_none()));
            (0..100).for_each(|_| drop(map.lock(&key).and_modify(|value| *value += 1)));
            assert_eq!(map.len(), len);
        }
    }
    // As many as a shard has chains without growing, in each shard.
    assert!(map.len() < 2000, "{}", map.len());
    assert!((0..100).all(|key| map.contains_key(&key)));
    drop(held);

    let never = Map::<u32, u32>::with_idle_limit(Duration::MAX);
    (0..5000).for_each(|key| {
        never.insert(key, key);
    });
    let hour = Map::<u32, u32>::with_idle_limit(Duration::from_secs(3600));
    (0..5000).for_each(|key| {
        hour.insert(key, key);
    });
    assert_eq!((never.len(), hour.len()), (5000, 5000));
}

/// No insert makes another wait for long, or drops much: four chains are all it looks at.
#[test]
fn one_insert_evicts_a_few() {
    let drops = Drops::default();
    let map = Map::<u32, Counted>::with_idle_limit(Duration::from_millis(1));
    (0..10_000).for_each(|key| std::mem::forget(map.lock(&key).or_insert(drops.value())));
    assert_eq!(map.len(), 10_000);
    drop(map);
    assert_eq!(drops.count(), 10_000);

    let map = Map::<u32, Counted>::with_idle_limit(Duration::from_millis(30));
    (0..1000).for_each(|key| {
        map.insert(key, drops.value());
    });
    pass(Duration::from_millis(30));
    for key in 1000..3000 {
        let before = drops.count();
        map.insert(key, drops.value());
        // A chain of more than eight keys, at one key a chain, is not to be had in a lifetime.
        assert!(drops.count() - before <= 4 * 8);
    }
    assert!((0..1000).filter(|key| map.contains_key(key)).count() < 100);
}

/// Blocks and chains go when the keys do: what is left is what an empty map has.
#[test]
fn memory_returns() {
    // By way of the addresses that come back: a map that kept nodes would not have the same ones again for ever.
    let map = Map::<u32, [u64; 32]>::new();
    let mut nodes = BTreeSet::new();
    for _ in 0..50 {
        (0..1000).for_each(|key| {
            map.insert(key, [0; 32]);
        });
        map.for_each(|_, value| {
            nodes.insert(std::ptr::from_ref(value).addr());
        });
        map.evict_idle(Duration::ZERO);
        assert_eq!(map.len(), 0);
    }
    assert!(nodes.len() < 25_000, "{} addresses for 1000 nodes", nodes.len());
}

#[test]
fn threads_pass_a_key_and_its_value_on() {
    let (_progress, _watchdog) = watched_test();
    let map = Arc::new(Map::<u8, Cell<u64>>::new());
    let (send, receive) = mpsc::channel();
    for _ in 0..4 {
        let (map, send) = (Arc::clone(&map), send.clone());
        thread::spawn(move || {
            for _ in 0..1000 {
                let value = map.lock_or_default(&1);
                value.set(value.get() + 1);
            }
            send.send(()).unwrap();
        });
    }
    (0..4).for_each(|_| receive.recv().unwrap());
    assert_eq!(map.get(&1).unwrap().get(), 4000);
}
