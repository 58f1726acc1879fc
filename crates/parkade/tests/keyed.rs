//! Evidence for what `keyed` promises: one thread at a time for a key and no waiting for other keys, nothing left of
//! keys that nobody uses however their holders and waiters ended, several keys at a time, and true lists.
#![cfg(feature = "keyed")]

mod support;

use std::{
    borrow::Borrow,
    cell::Cell,
    collections::{BTreeSet, HashMap},
    hash::{BuildHasher, Hash, Hasher},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Barrier,
        atomic::{
            AtomicU64, AtomicUsize,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    thread,
    time::{Duration, Instant},
};

use parkade::keyed::{
    DefaultHashBuilder, InvalidRetry, KeyedMutex, KeyedMutexGuard, KeyedRwLock,
    KeyedRwLockWriteGuard, OwnedKeyedMutexGuard, Retry, RetryError,
};
use support::{Rng, Watchdog, past, seed, stress_time, wait_until, watched_test};

/// Gives every key the same hash.
#[derive(Debug, Clone, Default)]
struct Same;

impl BuildHasher for Same {
    type Hasher = Same;

    fn build_hasher(&self) -> Same {
        Same
    }
}

impl Hasher for Same {
    fn finish(&self) -> u64 {
        7
    }

    fn write(&mut self, _: &[u8]) {}
}

/// Waits until so many threads sleep for `key`.
fn wait_for_sleepers<S>(map: &KeyedMutex<u64, S>, key: u64, threads: usize) {
    wait_until(|| {
        let all = map.snapshot();
        let info = all.iter().find(|info| info.key == key);
        info.is_some_and(|info| info.waiters == threads && info.longest_wait.is_some())
    });
}

#[test]
fn unequal_keys_never_wait_for_each_other() {
    let _watched = watched_test();
    let map = KeyedMutex::<u64, Same>::default();
    // Three threads hold a key each and take another, all of one hash, in a circle that would close if any two were one lock.
    let barrier = Barrier::new(3);
    thread::scope(|scope| {
        for index in 0..3 {
            let (map, barrier) = (&map, &barrier);
            scope.spawn(move || {
                let mine = map.lock(&index);
                barrier.wait();
                let more: Vec<_> =
                    (0..50).map(|key| map.lock(&(100 * (index + 1) + key))).collect();
                barrier.wait();
                drop((mine, more));
            });
        }
    });
    assert!(map.is_empty());
}

#[test]
fn a_key_has_one_holder() {
    let _watched = watched_test();
    let map = KeyedMutex::<String>::new();
    let guard = map.lock("a");
    assert_eq!(guard.key(), "a");
    assert_eq!(format!("{guard:?}"), "KeyedMutexGuard(\"a\")");
    assert!(map.is_locked("a") && !map.is_locked("b"));
    thread::scope(|scope| {
        scope.spawn(|| {
            assert!(map.try_lock("a").is_none());
            assert!(map.try_lock_for("a", Duration::ZERO).is_none());
            assert!(map.try_lock_for("a", Duration::from_millis(1)).is_none());
            assert!(map.try_lock_until("a", past()).is_none());
            assert!(map.try_lock_until("a", Instant::now() + Duration::from_millis(1)).is_none());
            assert!(map.try_lock_for("b", Duration::ZERO).is_some());
            assert!(map.try_lock_until("b", past()).is_some());
        });
    });
    assert_eq!(map.len(), 1);
    drop(guard);
    assert!(map.is_empty() && !map.is_locked("a"));
    assert!(map.try_lock("a").is_some());
}

#[test]
fn who_waits_gets_the_key_and_a_deadline_is_kept() {
    let _watched = watched_test();
    let map = KeyedMutex::<u64>::new();
    let guard = map.lock(&1);
    thread::scope(|scope| {
        scope.spawn(|| drop(map.lock(&1)));
        scope.spawn(|| {
            let start = Instant::now();
            assert!(map.try_lock_for(&1, Duration::from_millis(20)).is_none());
            assert!(start.elapsed() >= Duration::from_millis(20));
        });
        scope.spawn(|| assert!(map.try_lock_for(&1, Duration::MAX).is_some()));
        // The one with a deadline has gone.
        wait_for_sleepers(&map, 1, 3);
        wait_for_sleepers(&map, 1, 2);
        drop(guard);
    });
    assert!(map.is_empty());
}

#[test]
fn unlocking_fairly_hands_the_key_over() {
    let _watched = watched_test();
    let map = KeyedMutex::<u64>::new();
    for owned in [false, true] {
        let map = Arc::new(KeyedMutex::<u64>::new());
        let turns = AtomicUsize::new(0);
        thread::scope(|scope| {
            let guard = map.lock_owned(&1);
            scope.spawn(|| {
                let _guard = map.lock(&1);
                turns.store(1, Release);
            });
            wait_for_sleepers(&map, 1, 1);
            if owned {
                OwnedKeyedMutexGuard::unlock_fair(guard);
            } else {
                drop(guard);
                wait_until(|| turns.load(Acquire) == 1);
            }
            // Reserved for the one that waits.
            drop(map.lock(&1));
            assert_eq!(turns.load(Acquire), 1);
        });
        assert_eq!(Arc::strong_count(&map), 1);
        assert!(map.is_empty());
    }
    KeyedMutexGuard::unlock_fair(map.lock(&1));
    assert!(map.is_empty());
}

#[test]
fn owned_guards_keep_the_map() {
    let map = Arc::new(KeyedMutex::<String>::new());
    let guard = map.lock_owned("a");
    assert!(map.try_lock_owned("a").is_none());
    assert!(map.try_lock_owned_for("a", Duration::ZERO).is_none());
    assert!(map.try_lock_owned_until("a", past()).is_none());
    let others = [
        map.try_lock_owned("b").unwrap(),
        map.try_lock_owned_for("c", Duration::ZERO).unwrap(),
        map.try_lock_owned_until("d", past()).unwrap(),
    ];
    assert_eq!(format!("{:?}", others[2]), "OwnedKeyedMutexGuard(\"d\")");
    let weak = Arc::downgrade(&map);
    drop(map);
    assert_eq!(weak.upgrade().unwrap().len(), 4);
    drop(others);
    assert_eq!(guard.key(), "a");
    drop(guard);
    assert!(weak.upgrade().is_none());
}

#[test]
fn many_keys_are_taken_in_order_each_once_all_or_none() {
    let map = KeyedMutex::<String>::new();
    let many = map.lock_many(["c", "a", "b", "a"]);
    assert!(many.keys().eq(["a", "b", "c"]));
    assert_eq!(many.keys().len(), 3);
    assert_eq!(format!("{many:?}"), r#"KeyedMutexManyGuard{"a", "b", "c"}"#);
    assert!(map.try_lock_many(["0", "b", "d"]).is_none());
    assert!(map.try_lock_many_for(["0", "b", "d"], Duration::from_millis(1)).is_none());
    assert!(map.try_lock_many_until(["0", "b", "d"], past()).is_none());
    assert_eq!(map.len(), 3);
    let above = map.try_lock_many(["d", "0"]).unwrap();
    assert_eq!(map.len(), 5);
    drop((many, above));
    assert!(map.is_empty());
    assert_eq!(map.lock_many::<str>([]).keys().len(), 0);
    let until = Instant::now() + Duration::from_secs(60);
    let keys = ["x", "y"];
    assert_eq!(map.try_lock_many_until(keys, until).unwrap().keys().len(), 2);
    assert_eq!(map.try_lock_many_for(keys, Duration::MAX).unwrap().keys().len(), 2);
    assert!(map.is_empty());
}

#[test]
fn many_keys_in_any_order_do_not_deadlock() {
    let seed = seed();
    let watchdog = Watchdog::new(format!("lock_many, PARKADE_SEED={seed}"), 4);
    let map = KeyedMutex::<u64>::new();
    let counts = [const { AtomicU64::new(0) }; 6];
    let end = Instant::now() + stress_time() / 8;
    let total: u64 = thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|index| {
                let (map, counts, progress) = (&map, &counts, watchdog.thread(index));
                scope.spawn(move || {
                    let (mut rng, mut total) = (Rng::new(seed + index as u64), 0);
                    while Instant::now() < end {
                        progress.step();
                        let keys: Vec<_> = (0..3).map(|_| rng.below(6)).collect();
                        let timeout = Duration::from_micros(rng.below(50));
                        let many = match rng.below(3) {
                            0 => map.try_lock_many(&keys),
                            1 => map.try_lock_many_for(&keys, timeout),
                            _ => Some(map.lock_many(&keys)),
                        };
                        let Some(many) = many else { continue };
                        for key in many.keys() {
                            let count = &counts[*key as usize];
                            count.store(count.load(Relaxed) + 1, Relaxed);
                            total += 1;
                        }
                    }
                    total
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(counts.iter().map(|count| count.load(Relaxed)).sum::<u64>(), total);
    assert!(map.is_empty());
}

#[test]
fn lists_say_who_holds_and_who_waits() {
    let _watched = watched_test();
    let map = KeyedMutex::<u64>::new();
    assert!(map.snapshot().is_empty() && map.keys().is_empty());
    assert_eq!(format!("{map:?}"), "KeyedMutex { len: 0, .. }");
    let guards: Vec<_> = (0..300).map(|key| map.lock(&key)).collect();
    assert_eq!(map.keys().into_iter().collect::<BTreeSet<_>>(), (0..300).collect());
    thread::scope(|scope| {
        scope.spawn(|| drop(map.lock(&5)));
        scope.spawn(|| drop(map.lock(&5)));
        wait_for_sleepers(&map, 5, 2);
        // To the kernel's tick.
        wait_until(|| map.snapshot().iter().all(|info| info.held_for > Some(Duration::ZERO)));
        let all = map.snapshot();
        assert_eq!(all.len(), 300);
        let me = all[0].holder;
        assert!(me.is_some());
        for info in &all {
            assert_eq!((info.holders, info.holder), (1, me), "{info:?}");
            assert_eq!(info.waiters, if info.key == 5 { 2 } else { 0 }, "{info:?}");
            assert_eq!(info.longest_wait.is_some(), info.key == 5, "{info:?}");
            assert!(info.held_for < Some(Duration::from_secs(60)), "{info:?}");
        }
        drop(guards);
    });
    assert!(map.is_empty());
}

#[test]
fn readers_share_a_key_and_writers_do_not() {
    let map = Arc::new(KeyedRwLock::<String>::new());
    let (one, other) = (map.read("a"), map.read_owned("a"));
    assert!(map.try_write("a").is_none());
    assert!(map.try_write_for("a", Duration::from_millis(1)).is_none());
    let info = &map.snapshot()[0];
    assert_eq!((info.holders, info.waiters, info.holder), (2, 0, None));
    drop(one);
    assert!(map.try_write_owned("a").is_none());
    drop(other);
    let writing = map.write("a");
    assert_eq!(map.snapshot()[0].holders, 1);
    assert!(map.snapshot()[0].holder.is_some());
    assert!(map.try_read("a").is_none() && map.try_write_until("a", past()).is_none());
    let reading = KeyedRwLockWriteGuard::downgrade(writing);
    assert_eq!((reading.key().as_str(), map.snapshot()[0].holder), ("a", None));
    assert!(map.try_read("a").is_some() && map.try_write("a").is_none());
    let many = map.read_many(["b", "a"]);
    assert!(map.try_write_many(["c", "b"]).is_none());
    drop((reading, many));
    assert!(map.is_empty());
    let retry = Retry { max_tries: 1, ..Retry::default() };
    let writing = map.try_write_retrying("a", &retry).unwrap();
    assert!(matches!(map.try_read_retrying("a", &retry), Err(RetryError::Exhausted { tries: 1 })));
    drop(writing);
    assert!(map.is_empty());
}

#[test]
fn readers_and_writers_of_a_key_exclude_each_other() {
    let seed = seed();
    let watchdog = Watchdog::new(format!("keyed readers and writers, PARKADE_SEED={seed}"), 6);
    let map = KeyedRwLock::<u64, Same>::default();
    let pairs = [const { [const { AtomicU64::new(0) }; 2] }; 3];
    let end = Instant::now() + stress_time() / 8;
    let written: u64 = thread::scope(|scope| {
        let threads: Vec<_> = (0..6)
            .map(|index| {
                let (map, pairs, progress) = (&map, &pairs, watchdog.thread(index));
                scope.spawn(move || {
                    let (mut rng, mut written) = (Rng::new(seed + index as u64), 0);
                    while Instant::now() < end {
                        progress.step();
                        let key = rng.below(3);
                        let [one, other] = &pairs[key as usize];
                        let timeout = Duration::from_micros(rng.below(30));
                        if rng.below(3) > 0 {
                            let Some(_guard) = map.try_read_for(&key, timeout) else { continue };
                            assert_eq!(one.load(Relaxed), other.load(Relaxed));
                        } else {
                            let Some(guard) = map.try_write_for(&key, timeout) else { continue };
                            one.store(one.load(Relaxed) + 1, Relaxed);
                            other.store(other.load(Relaxed) + 1, Relaxed);
                            written += 1;
                            if rng.below(2) == 0 {
                                let _reading = KeyedRwLockWriteGuard::downgrade(guard);
                                assert_eq!(one.load(Relaxed), other.load(Relaxed));
                            }
                        }
                    }
                    written
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(pairs.iter().map(|pair| pair[1].load(Relaxed)).sum::<u64>(), written);
    assert!(map.is_empty());
}

#[test]
fn retrying_tries_as_often_as_it_says() {
    let map = KeyedMutex::<u64>::new();
    let guard = map.lock(&1);
    let retry = Retry { max_tries: 5, max_delay: Duration::from_micros(10), ..Retry::default() };
    assert_eq!(map.try_lock_retrying(&1, &retry).unwrap_err(), RetryError::Exhausted { tries: 5 });
    let never = Retry { max_tries: 0, ..retry };
    let error = map.try_lock_retrying(&2, &never).unwrap_err();
    assert_eq!(error, RetryError::Invalid(InvalidRetry::NoTries));
    assert_eq!(error.to_string(), "invalid Retry: max_tries is 0; at least one try is needed");
    let (tried, patient) = (Barrier::new(2), Retry { max_tries: u32::MAX, ..retry });
    thread::scope(|scope| {
        scope.spawn(|| {
            tried.wait();
            assert!(map.try_lock_retrying(&1, &patient).is_ok());
        });
        tried.wait();
        drop(guard);
    });
    assert!(map.is_empty());
}

thread_local! {
    static PANICS_IN: Cell<&'static str> = const { Cell::new("") };
}

/// A key that panics where it is told to.
#[derive(Debug, PartialOrd, Ord)]
struct Touchy(u64);

impl Touchy {
    fn at(place: &str) {
        assert_ne!(PANICS_IN.get(), place, "told to");
    }
}

impl Hash for Touchy {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Touchy::at("hash");
        self.0.hash(state);
    }
}

impl PartialEq for Touchy {
    fn eq(&self, other: &Touchy) -> bool {
        Touchy::at("eq");
        self.0 == other.0
    }
}

impl Eq for Touchy {}

impl Clone for Touchy {
    fn clone(&self) -> Touchy {
        Touchy::at("clone");
        Touchy(self.0)
    }
}

impl Drop for Touchy {
    fn drop(&mut self) {
        if !thread::panicking() {
            Touchy::at("drop");
        }
    }
}

/// A panic in the user's code under a shard's lock used to poison such maps or to leave an entry.
#[test]
fn keys_that_panic_leave_the_map_usable() {
    let map = KeyedMutex::<Touchy, Same>::default();
    let one = map.lock(&Touchy(1));
    let fails = |place, task: &mut dyn FnMut()| {
        PANICS_IN.set(place);
        let result = catch_unwind(AssertUnwindSafe(task));
        PANICS_IN.set("");
        assert!(result.is_err(), "{place}");
    };
    let (first, second) = (Touchy(1), Touchy(2));
    fails("hash", &mut || drop(map.try_lock(&second)));
    fails("eq", &mut || drop(map.try_lock(&first)));
    fails("clone", &mut || drop(map.try_lock(&second)));
    fails("eq", &mut || drop(map.lock(&second)));
    fails("clone", &mut || drop(map.lock(&second)));
    fails("clone", &mut || drop(map.try_lock_for(&second, Duration::ZERO)));
    fails("clone", &mut || drop(map.keys()));
    fails("clone", &mut || drop(map.snapshot()));
    // In the middle of several: those that were taken are given back.
    fails("clone", &mut || drop(map.lock_many([&Touchy(0), &second])));
    assert_eq!(map.len(), 1);
    let two = map.lock(&second);
    assert_eq!(map.len(), 2);
    // The key is dropped when the lock is free already.
    fails("drop", &mut {
        let mut two = Some(two);
        move || drop(two.take())
    });
    assert_eq!(map.len(), 1);
    // One of several: the others are unlocked nevertheless.
    let several = map.lock_many([&Touchy(3), &Touchy(4), &Touchy(5)]);
    fails("drop", &mut {
        let mut several = Some(several);
        move || drop(several.take())
    });
    assert_eq!(map.len(), 1);
    drop(one);
    assert!(map.is_empty());
    drop(map.lock(&first));
}

/// Locks a key again, and says that it panics with both places.
#[cfg(all(debug_assertions, not(feature = "send_guard")))]
#[test]
fn to_lock_a_key_again_panics_and_leaves_nothing() {
    let _watched = watched_test();
    let map = KeyedMutex::<u64>::new();
    let panics = |task: &dyn Fn()| {
        let payload = catch_unwind(AssertUnwindSafe(task)).unwrap_err();
        let text = payload.downcast_ref::<String>().expect("a text").clone();
        assert_eq!(text.matches("tests/keyed.rs:").count(), 2, "{text}");
        assert!(text.starts_with("deadlock: "), "{text}");
    };
    let guard = map.lock(&1);
    panics(&|| drop(map.lock(&1)));
    panics(&|| drop(map.lock_many(&[0, 1])));
    assert_eq!((map.len(), map.snapshot()[0].waiters), (1, 0));
    // A wait with an end is no deadlock.
    assert!(map.try_lock_for(&1, Duration::from_millis(1)).is_none());
    drop(guard);
    assert!(map.is_empty());
    let map = KeyedRwLock::<u64>::new();
    let writing = map.write(&1);
    panics(&|| drop(map.write(&1)));
    panics(&|| drop(map.read(&1)));
    drop(writing);
    assert!(map.is_empty());
    // Another thread's key may be held for ever; that is not told from a slow one.
    let guard = map.write(&1);
    thread::scope(|scope| {
        scope.spawn(|| assert!(map.try_read_for(&1, Duration::from_millis(1)).is_none()));
    });
    drop(guard);
}

/// The name of every key is what the table knows it by: unsized, owned, or of another type.
#[test]
fn keys_are_looked_up_as_what_they_borrow() {
    let texts =
        KeyedMutex::<String, DefaultHashBuilder>::with_hasher(DefaultHashBuilder::default());
    let text = String::from("x");
    drop((texts.lock("a"), texts.lock(&text)));
    let bytes = KeyedMutex::<Vec<u8>>::new();
    drop((bytes.lock(&b"ab"[..]), bytes.lock(&vec![1_u8])));
    let pairs = KeyedMutex::<(u32, String)>::new();
    drop(pairs.lock(&(1, text)));
    let _: &DefaultHashBuilder = texts.hasher();
    fn borrows<K: Borrow<Q>, Q: ?Sized>() {}
    borrows::<String, str>();
}

/// What a map should say of one key, kept by hand.
#[derive(Debug, Default)]
struct Model {
    /// How many read it, or that it is written.
    keys: HashMap<u64, Result<usize, ()>>,
}

/// One thread and a random script of tries: what can be taken is what the model says, and the lists agree.
#[test]
fn a_script_of_one_thread_agrees_with_a_model() {
    let seed = seed();
    let mut rng = Rng::new(seed);
    let map = KeyedRwLock::<u64>::new();
    let mut model = Model::default();
    let (mut reading, mut writing) = (Vec::new(), Vec::new());
    for step in 0..if cfg!(debug_assertions) { 20_000 } else { 200_000 } {
        let key = rng.below(12);
        let said = model.keys.get(&key).copied();
        match rng.below(8) {
            0 => {
                let got = map.try_write(&key);
                assert_eq!(got.is_some(), said.is_none(), "PARKADE_SEED={seed}, step {step}");
                if let Some(guard) = got {
                    model.keys.insert(key, Err(()));
                    writing.push(guard);
                }
            }
            1 | 2 => {
                let got = map.try_read_for(&key, Duration::ZERO);
                assert_eq!(
                    got.is_some(),
                    said != Some(Err(())),
                    "PARKADE_SEED={seed}, step {step}"
                );
                if let Some(guard) = got {
                    model.keys.insert(key, Ok(said.map_or(0, Result::unwrap) + 1));
                    reading.push(guard);
                }
            }
            3 if !writing.is_empty() => {
                let guard = writing.swap_remove(rng.below(writing.len() as u64) as usize);
                model.keys.remove(guard.key());
                if rng.below(2) == 0 {
                    KeyedRwLockWriteGuard::unlock_fair(guard);
                } else {
                    let panicked = catch_unwind(AssertUnwindSafe(|| {
                        let _guard = guard;
                        std::panic::resume_unwind(Box::new("out of the section"));
                    }));
                    assert!(panicked.is_err());
                }
            }
            4 if !writing.is_empty() => {
                let guard = writing.swap_remove(rng.below(writing.len() as u64) as usize);
                model.keys.insert(*guard.key(), Ok(1));
                reading.push(KeyedRwLockWriteGuard::downgrade(guard));
            }
            5 => {
                let keys: BTreeSet<_> = (0..rng.below(4)).map(|_| rng.below(12)).collect();
                let free = keys.iter().all(|key| !model.keys.contains_key(key));
                let got = map.try_write_many_for(&keys, Duration::ZERO);
                assert_eq!(got.is_some(), free, "PARKADE_SEED={seed}, step {step}");
            }
            _ if !reading.is_empty() => {
                let guard = reading.swap_remove(rng.below(reading.len() as u64) as usize);
                match model.keys.remove(guard.key()).unwrap().unwrap() {
                    1 => {}
                    readers => drop(model.keys.insert(*guard.key(), Ok(readers - 1))),
                }
            }
            _ => {}
        }
        assert_eq!(map.is_locked(&key), model.keys.contains_key(&key));
        if step % 64 == 0 {
            let holders: HashMap<_, _> =
                map.snapshot().into_iter().map(|info| (info.key, info.holders)).collect();
            let expected = model.keys.iter().map(|(key, readers)| (*key, readers.unwrap_or(1)));
            assert_eq!(holders, expected.collect(), "PARKADE_SEED={seed}, step {step}");
        }
    }
    drop((reading, writing));
    assert!(map.is_empty());
}

#[derive(Debug, Clone, Copy)]
struct Crowd {
    threads: usize,
    keys: u64,
}

/// Threads take random keys in every way there is, keep them for a moment, and sometimes panic or take another above it; each key counts
/// how often, by plain addition. What is left is nothing.
fn crowd<S: BuildHasher + Default + Sync>(name: &str, Crowd { threads, keys }: Crowd) {
    let seed = seed();
    let watchdog = Watchdog::new(format!("{name}, PARKADE_SEED={seed}"), threads);
    let map = KeyedMutex::<u64, S>::default();
    let counts: Vec<AtomicU64> = (0..keys).map(|_| AtomicU64::new(0)).collect();
    let add = |key: u64| {
        let count = &counts[key as usize];
        count.store(count.load(Relaxed) + 1, Relaxed);
    };
    let end = Instant::now() + stress_time() / 4;
    let total: u64 = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads)
            .map(|index| {
                let (map, add, progress) = (&map, &add, watchdog.thread(index));
                scope.spawn(move || {
                    let (mut rng, mut total) = (Rng::new(seed + index as u64), 0);
                    while Instant::now() < end {
                        progress.step();
                        let key = rng.below(keys);
                        let timeout = Duration::from_micros(rng.below(30));
                        let guard = match rng.below(4) {
                            0 => map.try_lock(&key),
                            1 => map.try_lock_for(&key, timeout),
                            _ => Some(map.lock(&key)),
                        };
                        let Some(guard) = guard else { continue };
                        add(key);
                        total += 1;
                        match rng.below(64) {
                            0 => thread::yield_now(),
                            1 if key + 1 < keys => {
                                let _above = map.lock(&(key + 1));
                                add(key + 1);
                                total += 1;
                            }
                            2 => {
                                let _ = catch_unwind(AssertUnwindSafe(move || {
                                    let _guard = guard;
                                    std::panic::resume_unwind(Box::new("out of the section"));
                                }));
                            }
                            3 => KeyedMutexGuard::unlock_fair(guard),
                            _ => drop(guard),
                        }
                    }
                    total
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(counts.iter().map(|count| count.load(Relaxed)).sum::<u64>(), total);
    assert!(map.is_empty(), "left behind: {:?}", map.keys());
}

#[test]
fn stress_many_keys() {
    crowd::<DefaultHashBuilder>("a million keys", Crowd { threads: 64, keys: 1_000_000 });
}

#[test]
fn stress_few_keys() {
    crowd::<DefaultHashBuilder>("three keys", Crowd { threads: 8, keys: 3 });
}

#[test]
fn stress_equal_hashes() {
    crowd::<Same>("equal hashes", Crowd { threads: 8, keys: 8 });
}

/// A holder that unlocked used to remove the entry under those who waited, and the next who came made
/// another lock for the same key (moby/locker before its reference count).
#[test]
fn removal_with_a_waiter_does_not_make_two_locks() {
    let _watched = watched_test();
    let map = KeyedMutex::<u64>::new();
    let inside = AtomicUsize::new(0);
    for _ in 0..200 {
        thread::scope(|scope| {
            let guard = map.lock(&1);
            for _ in 0..3 {
                scope.spawn(|| {
                    let _guard = map.lock(&1);
                    assert_eq!(inside.fetch_add(1, Relaxed), 0);
                    thread::yield_now();
                    inside.fetch_sub(1, Relaxed);
                });
            }
            wait_until(|| map.snapshot()[0].waiters == 3);
            drop(guard);
        });
        assert!(map.is_empty());
    }
}

/// A waiter that gave up used to leave its entry, and with it memory and a count that never came to zero
/// (lockable's cancelled futures, kmutex).
#[test]
fn waiters_that_give_up_leave_nothing() {
    let _watched = watched_test();
    let map = KeyedMutex::<u64>::new();
    let guard = map.lock(&1);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for micros in 0..50 {
                    assert!(map.try_lock_for(&1, Duration::from_micros(micros)).is_none());
                }
            });
        }
    });
    assert_eq!((map.len(), map.snapshot()[0].waiters), (1, 0));
    drop(guard);
    assert!(map.is_empty());
}
