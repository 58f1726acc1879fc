//! Evidence that the locks of keys do not have the bugs that others had: one test each, named for what must hold.
#![cfg(feature = "keyed")]

mod support;

use std::{
    collections::BTreeSet,
    hash::BuildHasher,
    sync::{
        Arc, Barrier,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use parkade::keyed::{DefaultHashBuilder, KeyedMutex, KeyedRwLock, Retry, RetryError};
use support::{
    Rng, Watchdog, busy,
    keyed::{Place, Same, Told, Touchy, unwind_out_of, wait_for_sleepers},
    seed, stress_time, wait_until, watched_test,
};

/// Maps of mutexes that nobody takes out grow with every name that was ever used: kubernetes/kubernetes#66442,
/// weaviate/weaviate#7458, ipni/go-indexer-core#24. Keys that nobody uses are dropped, whatever became of who used
/// them.
#[test]
fn keys_that_nobody_uses_are_gone() {
    /// Counted by the strong references to what it shares.
    #[derive(Clone)]
    struct Name(u32, #[expect(dead_code, reason = "counted")] Arc<()>);

    impl PartialEq for Name {
        fn eq(&self, other: &Name) -> bool {
            self.0 == other.0
        }
    }
    impl Eq for Name {}
    impl std::hash::Hash for Name {
        fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
            self.0.hash(state);
        }
    }

    let alive = Arc::new(());
    let name = |number| Name(number, Arc::clone(&alive));
    let map = KeyedMutex::<Name>::new();
    for round in 0..20 {
        let guards: Vec<_> = (0..500).map(|key| map.lock(&name(1000 * round + key))).collect();
        assert_eq!((map.len(), Arc::strong_count(&alive)), (500, 501));
        for guard in &guards {
            assert!(map.try_lock(guard.key()).is_none());
            assert!(map.try_lock_for(guard.key(), Duration::ZERO).is_none());
        }
        let (dropped, unwound): (Vec<_>, Vec<_>) =
            guards.into_iter().partition(|guard| guard.key().0 % 3 > 0);
        drop(dropped);
        unwind_out_of(unwound);
        assert_eq!((map.len(), Arc::strong_count(&alive)), (0, 1));
    }
}

/// Where keys are hashed onto a fixed number of locks, unrelated ones wait for each other, and who nests them
/// deadlocks: ceph/ceph-csi#279, kalbasit/ncps#778, amoerie/keyed-semaphores#62.
#[test]
fn unequal_keys_never_wait_for_each_other() {
    let _watched = watched_test();
    let map = KeyedMutex::<u64, Same>::default();
    // Three threads hold a key each and take others, all of one hash: a circle that would close if any two were one lock.
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

/// A holder that unlocked removed the entry under those who waited, and the next who came made another lock for the
/// same key: lostb1t/remux#296, dapr/kit#99.
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

/// Under load a key was not locked; the lock objects were pooled: MarkCiliaVincenti/AsyncKeyedLock#68. Blocks of the
/// table are used again, too, and lock the key that they are for now.
#[test]
fn a_block_that_is_used_again_locks_its_new_key() {
    const THREADS: usize = 4;
    let _watched = watched_test();
    let map = KeyedMutex::<u64, Same>::default();
    let counts: Vec<_> = (0..1000).map(|_| AtomicUsize::new(0)).collect();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for (key, count) in counts.iter().enumerate() {
                    let _guard = map.lock(&(key as u64));
                    let before = count.load(Relaxed);
                    if before % 2 == 1 {
                        thread::yield_now();
                    }
                    count.store(before + 1, Relaxed);
                }
            });
        }
    });
    assert!(counts.iter().all(|count| count.load(Relaxed) == THREADS));
    assert!(map.is_empty());
}

/// A waiter that gave up left its entry, and with it memory and a count that never came to zero:
/// ihciah/singleflight-async#5, vert-x3/issues#537.
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

/// One that gave up between its look-up and its turn to wait kept the entry of a key that its holder was just
/// leaving: pathscale/wt-dead#165. Whoever is last takes it out, and who still waits gets it.
#[test]
fn a_waiter_that_gives_up_as_the_holder_leaves_leaves_nothing() {
    let _watched = watched_test();
    let map = KeyedMutex::<u64>::new();
    let (mut in_time, mut late) = (0, 0);
    for round in 0..300_u64 {
        let start = Barrier::new(2);
        let guard = map.lock(&1);
        thread::scope(|scope| {
            let timed = scope.spawn(|| {
                start.wait();
                map.try_lock_for(&1, Duration::from_micros(round % 100)).is_some()
            });
            start.wait();
            busy(Duration::from_micros(round * 7 % 150));
            drop(guard);
            if timed.join().unwrap() { in_time += 1 } else { late += 1 }
        });
        assert!(map.is_empty(), "round {round}: {:?}", map.snapshot());
    }
    println!("{in_time} in time, {late} late");
}

/// A writer that was cancelled counted as waiting for ever, and no reader of the key came in any more:
/// rustfs/rustfs#2795.
#[test]
fn a_writer_that_gives_up_keeps_no_reader_out() {
    let _watched = watched_test();
    let map = KeyedRwLock::<u64>::new();
    let reading = map.read(&1);
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..20 {
                assert!(map.try_write_for(&1, Duration::from_micros(200)).is_none());
            }
        });
    });
    assert_eq!((map.snapshot()[0].holders, map.snapshot()[0].waiters), (1, 0));
    drop(map.try_read(&1).expect("nobody writes, nor waits to"));
    drop(reading);
    assert!(map.is_empty());
}

/// A section that panicked left its entry behind, and who came for the key found that: ihciah/singleflight-async#5.
/// Here who waits is next.
#[test]
fn a_section_that_panics_lets_the_next_in() {
    let _watched = watched_test();
    let map = KeyedMutex::<u64>::new();
    let ran = AtomicUsize::new(0);
    thread::scope(|scope| {
        let guard = map.lock(&1);
        for _ in 0..3 {
            scope.spawn(|| {
                let guard = map.lock(&1);
                ran.fetch_add(1, Relaxed);
                unwind_out_of(guard);
            });
        }
        wait_for_sleepers(&map, 1, 3);
        unwind_out_of(guard);
    });
    assert_eq!(ran.load(Relaxed), 3);
    assert!(map.is_empty());
}

/// A panic in the user's code under a shard's lock poisons such maps, or leaves an entry without a holder.
#[test]
fn keys_that_panic_leave_the_map_usable() {
    let map = KeyedMutex::<Touchy, Same>::default();
    let one = map.lock(&Touchy(1));
    let fails = |place, task: &mut dyn FnMut()| {
        let told = Some(Told { place, passes: 0 });
        assert!(Touchy::told(told, task).is_none(), "{place:?}");
    };
    let (first, second) = (Touchy(1), Touchy(2));
    fails(Place::Hash, &mut || drop(map.try_lock(&second)));
    fails(Place::Eq, &mut || drop(map.try_lock(&first)));
    fails(Place::Clone, &mut || drop(map.try_lock(&second)));
    fails(Place::Eq, &mut || drop(map.lock(&second)));
    fails(Place::Clone, &mut || drop(map.lock(&second)));
    fails(Place::Clone, &mut || drop(map.try_lock_for(&second, Duration::ZERO)));
    fails(Place::Clone, &mut || drop(map.keys()));
    fails(Place::Clone, &mut || drop(map.snapshot()));
    // In the middle of several: those that were taken are given back.
    fails(Place::Clone, &mut || drop(map.lock_many([&Touchy(0), &second])));
    assert_eq!(map.len(), 1);
    let two = map.lock(&second);
    assert_eq!(map.len(), 2);
    // The key is dropped when the lock is free already.
    fails(Place::Drop, &mut {
        let mut two = Some(two);
        move || drop(two.take())
    });
    assert_eq!(map.len(), 1);
    // One of several: the others are unlocked nevertheless.
    let several = map.lock_many([&Touchy(3), &Touchy(4), &Touchy(5)]);
    fails(Place::Drop, &mut {
        let mut several = Some(several);
        move || drop(several.take())
    });
    assert_eq!(map.len(), 1);
    drop(one);
    assert!(map.is_empty());
    drop(map.lock(&first));
}

/// Where waiting is polling, 32 writers of a key took seconds and some failed: ipni/go-indexer-core#8,
/// rustfs/rustfs#5670. Who polls may fail here, too; who waits does not.
#[test]
fn all_who_wait_get_the_key() {
    const WRITERS: usize = 32;
    let _watched = watched_test();
    let map = KeyedMutex::<u64>::new();
    let guard = map.lock(&1);
    let retry = Retry { max_tries: 3, max_delay: Duration::from_micros(10), ..Retry::default() };
    let turns = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..WRITERS {
            scope.spawn(|| {
                let _guard = map.lock(&1);
                turns.store(turns.load(Relaxed) + 1, Relaxed);
            });
        }
        wait_for_sleepers(&map, 1, WRITERS);
        let polled = map.try_lock_retrying(&1, &retry).map(drop);
        assert_eq!(polled, Err(RetryError::Exhausted { tries: 3 }));
        drop(guard);
    });
    assert_eq!(turns.load(Relaxed), WRITERS as u64);
    assert!(map.is_empty());
}

/// Some could only fail at once, or wait for ever: AliyunContainerService/pouch#2287, concourse/concourse#4393.
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

fn many_keys_in_any_order<S: BuildHasher + Default + Sync>() {
    let seed = seed();
    let watchdog = Watchdog::new(format!("lock_many, PARKADE_SEED={seed}"), 4);
    let map = KeyedMutex::<u64, S>::default();
    let counts = [const { AtomicU64::new(0) }; 6];
    let end = Instant::now() + stress_time() / 16;
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

/// Threads that took several keys in different orders deadlocked: apache/incubator-seata#1603. To sort them by their
/// hashes would not do where two are equal.
#[test]
fn many_keys_in_any_order_do_not_deadlock() {
    many_keys_in_any_order::<DefaultHashBuilder>();
    many_keys_in_any_order::<Same>();
}

/// To lock a key again on the same thread hung without a word: SF-Zhou/lockmap#43. Debug builds say that it would,
/// with both places.
#[cfg(all(debug_assertions, not(feature = "send_guard")))]
#[test]
fn to_lock_a_key_again_panics_and_leaves_nothing() {
    let _watched = watched_test();
    let map = KeyedMutex::<u64>::new();
    let panics = |task: &dyn Fn()| {
        let task = std::panic::AssertUnwindSafe(task);
        let payload = std::panic::catch_unwind(task).unwrap_err();
        let text = payload.downcast_ref::<String>().expect("a text").clone();
        assert_eq!(text.matches("tests/keyed_history.rs:").count(), 2, "{text}");
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

/// Others list which keys are locked (`locked_keys` of the crate lockable), but not by whom, for how long, and who
/// waits.
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
