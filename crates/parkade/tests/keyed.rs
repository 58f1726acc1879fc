//! Evidence for what `keyed` promises: one thread at a time for a key, nothing left of keys that nobody uses, owned
//! guards, several keys at a time, readers that share, and retrying. Bugs of others are in `keyed_history.rs`, random
//! scripts in `keyed_properties.rs`.
#![cfg(feature = "keyed")]

mod support;

use std::{
    borrow::Borrow,
    hash::BuildHasher,
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
use support::{
    Rng, Watchdog,
    keyed::{Same, unwind_out_of, wait_for_sleepers},
    past, seed, stress_time, wait_until, watched_test,
};

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
                            2 => unwind_out_of(guard),
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
