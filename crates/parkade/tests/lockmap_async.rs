//! Tasks that lock keys of a `LockMap`: what becomes of values, and that nothing is left of tasks that do not come.
#![cfg(feature = "keyed")]

mod support;

use parkade::{
    futures::{GetEntry, LockEntries, LockEntry, LockEntryOwned, SendGuard},
    keyed::{LockMap, LockMapEntry, LockMapGuard, LockMapManyGuard, OwnedLockMapGuard},
    prelude::*,
};
use static_assertions::{assert_impl_all, assert_not_impl_any, const_assert};
use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    sync::{Arc, MutexGuard},
    thread,
    time::{Duration, Instant},
};
use support::{
    Rng, Watchdog, Witness, seed, stress_time,
    tasks::{Waits, block_on, poll_a_little, poll_explosively},
};

type Stock = LockMap<u64, String>;
type NotSend = MutexGuard<'static, u8>;

// Values may be `Send` only, keys are looked at by all.
assert_impl_all!(LockEntry<'static, u8, Cell<u8>>: Send);
assert_not_impl_any!(LockEntry<'static, u8, NotSend>: Send);
assert_not_impl_any!(LockEntry<'static, Cell<u8>, u8>: Send);
assert_not_impl_any!(LockEntry<'static, u8, u8>: Unpin);
assert_impl_all!(LockEntryOwned<u8, Cell<u8>, u8>: Send);
assert_not_impl_any!(LockEntryOwned<u8, u8, Rc<u8>>: Send);
assert_impl_all!(GetEntry<'static, u8, Cell<u8>>: Send);
assert_impl_all!(LockEntries<'static, u8, Cell<u8>>: Send);
assert_not_impl_any!(LockEntries<'static, u8, NotSend>: Send);
assert_not_impl_any!(LockEntries<'static, Cell<u8>, u8>: Send);
assert_impl_all!(SendGuard<LockMapEntry<'static, u8, Cell<u8>>>: Send);
assert_not_impl_any!(SendGuard<LockMapEntry<'static, u8, Cell<u8>>>: Sync);
assert_not_impl_any!(SendGuard<LockMapEntry<'static, u8, NotSend>>: Send);
assert_not_impl_any!(SendGuard<LockMapEntry<'static, Cell<u8>, u8>>: Send);
assert_impl_all!(SendGuard<LockMapGuard<'static, u8, Cell<u8>>>: Send);
assert_not_impl_any!(SendGuard<LockMapGuard<'static, u8, NotSend>>: Send);
assert_impl_all!(SendGuard<LockMapManyGuard<'static, u8, Cell<u8>>>: Send);
assert_not_impl_any!(SendGuard<LockMapManyGuard<'static, u8, NotSend>>: Send);
assert_impl_all!(SendGuard<OwnedLockMapGuard<u8, u8>>: Send, Sync);
assert_not_impl_any!(SendGuard<OwnedLockMapGuard<u8, u8, Rc<u8>>>: Send);
#[cfg(target_pointer_width = "64")]
const_assert!(size_of::<LockEntry<'static, [u64; 9], [u64; 9]>>() == 128);
#[cfg(target_pointer_width = "64")]
const_assert!(size_of::<LockEntryOwned<[u64; 9], [u64; 9], [u64; 9]>>() == 128);
#[cfg(target_pointer_width = "64")]
const_assert!(size_of::<GetEntry<'static, [u64; 9], [u64; 9]>>() == 128);
#[cfg(target_pointer_width = "64")]
const_assert!(size_of::<LockEntries<'static, [u64; 9], [u64; 9]>>() <= 128);

#[test]
fn a_task_makes_a_value_changes_it_and_takes_it() {
    let stock = Stock::new();
    block_on(async {
        stock.lock_async(&1).await.or_insert_with(|| "a".into()).push('b');
        stock.entry_async(1).await.and_modify(|value| value.push('c')).or_default();
        assert_eq!(*stock.get_async(&1).await.unwrap(), "abc");
        assert!(stock.get_async(&2).await.is_none());
        assert_eq!(stock.lock_async(&1).await.remove().unwrap(), "abc");
    });
    assert!(stock.is_empty() && stock.snapshot().is_empty());
}

#[test]
fn owned_futures_and_guards_keep_the_map() {
    let stock = Arc::new(Stock::from_iter([(1, "a".into())]));
    let weak = Arc::downgrade(&stock);
    let (lock, get) = (stock.lock_owned_async(&1), stock.get_owned_async(&1));
    drop(stock);
    drop(block_on(lock).and_modify(|value| value.push('b')));
    let guard = block_on(get).unwrap().sendable();
    thread::spawn(move || assert_eq!(*guard, "ab")).join().unwrap();
    assert!(weak.upgrade().is_none());
}

/// As many keys as have values, and none that is wanted.
fn assert_at_rest<V>(stock: &LockMap<u64, V>, values: usize) {
    assert_eq!((stock.len(), stock.snapshot().len()), (values, 0));
}

#[test]
fn cancelling_leaves_what_was_there() {
    let stock = Stock::from_iter([(1, "a".into())]);
    for key in [1, 2] {
        drop((stock.lock_async(&key), stock.get_async(&key), stock.lock_many_async([&key, &3])));
        assert_at_rest(&stock, 1);

        let guard = stock.lock(&key);
        let queued = Waits::queued(stock.lock_async(&key));
        let woken = Waits::queued(stock.get_async(&key));
        let many = Waits::queued(stock.lock_many_async([&key, &0]));
        assert!(stock.try_lock(&0).is_none());
        drop(queued);
        drop(guard);
        assert!(woken.woken() && !many.woken());
        drop(woken);
        assert!(many.woken());
        drop(many);
        assert_at_rest(&stock, 1);
    }
    assert_eq!(*stock.get(&1).unwrap(), "a");
}

#[test]
fn a_value_may_go_while_a_task_waits_for_it() {
    let stock = Stock::from_iter([(1, "a".into())]);
    let guard = stock.get(&1).unwrap();
    let mut lock = Waits::queued(stock.lock_async(&1));
    let mut get = Waits::queued(stock.get_async(&1));
    assert_eq!(LockMapGuard::remove(guard), "a");
    assert_eq!(stock.len(), 0);
    drop(lock.poll().expect("free"));
    assert!(get.poll().expect("free").is_none());
    assert!(stock.snapshot().is_empty());
}

#[test]
fn a_value_that_a_task_waits_for_is_not_evicted() {
    let stock = Stock::from_iter([(1, "a".into()), (2, "b".into())]);
    let get = stock.get_async(&1);
    assert_eq!(stock.evict_idle(Duration::ZERO), 1);
    assert_eq!(*block_on(get).unwrap(), "a");
    drop(stock.get_async(&1));
    assert_eq!(stock.evict_idle(Duration::ZERO), 1);
    assert_at_rest(&stock, 0);
}

#[test]
fn several_keys_are_taken_in_their_order_or_none() {
    let stock = Stock::from_iter([(2, "b".into())]);
    let two = stock.lock(&2);
    let mut many = Waits::queued(stock.lock_many_async([&3, &1, &2, &3]));
    assert!(stock.try_lock(&1).is_none());
    drop(stock.try_lock(&3).expect("not yet taken"));
    drop(two);
    let mut entries = many.poll().expect("free");
    assert!(entries.keys().eq(&[1, 2, 3]));
    entries.get_mut(&3).unwrap().insert("c".into());
    drop(entries);
    assert_at_rest(&stock, 2);
    assert_eq!(block_on(stock.lock_many_async([])).keys().len(), 0);
}

#[test]
fn a_waker_that_panics_out_of_unlock_leaves_nothing() {
    for stock in [Stock::new(), Stock::with_idle_limit(Duration::ZERO)] {
        let guard = stock.lock(&1);
        let mut explosive = Box::pin(stock.lock_async(&1));
        assert!(poll_explosively(explosive.as_mut()).is_pending());
        assert!(catch_unwind(AssertUnwindSafe(|| drop(guard))).is_err());
        drop(explosive);
        assert_at_rest(&stock, 0);
        let guard = stock.lock(&1).insert_entry("a".into());
        let mut explosive = Box::pin(stock.get_async(&1));
        assert!(poll_explosively(explosive.as_mut()).is_pending());
        assert!(catch_unwind(AssertUnwindSafe(|| drop(guard))).is_err());
        drop(explosive);
        assert_at_rest(&stock, 1);
    }
}

type Witnesses = LockMap<u64, Witness>;

/// How many sections there were.
fn turn(map: &Arc<Witnesses>, rng: &mut Rng) -> u64 {
    let (key, polls) = (rng.below(16).min(rng.below(16)), rng.below(4) as usize);
    let section = |value: &mut Witness| value.section(|| ());
    match rng.below(10) {
        0..2 => section(&mut map.lock(&key).or_default()),
        2..4 => section(&mut block_on(map.lock_async(&key)).or_default()),
        4 => section(&mut block_on(map.lock_owned_async(&key)).or_default()),
        5 => match poll_a_little(map.get_async(&key), polls).flatten() {
            Some(mut value) => section(&mut value),
            None => return 0,
        },
        6 => match poll_a_little(map.lock_many_async(&[key, rng.below(8)]), polls) {
            Some(mut entries) => {
                entries.iter_mut().filter_map(|entry| entry.value_mut()).for_each(section);
                return entries.iter().filter(|entry| !entry.is_vacant()).count() as u64;
            }
            None => return 0,
        },
        7 => {
            map.for_each(|_, value| value.check());
            return 0;
        }
        _ => match poll_a_little(map.lock_async(&key), polls) {
            Some(entry) => section(&mut entry.or_default()),
            None => return 0,
        },
    }
    1
}

#[test]
fn threads_and_tasks_exclude_each_other_and_leave_their_values() {
    let (seed, threads) = (seed(), 6);
    let watchdog = Watchdog::new(format!("tasks and threads, seed {seed}"), threads);
    let map = Arc::new(Witnesses::new());
    let end = Instant::now() + stress_time();
    let sections: u64 = thread::scope(|scope| {
        let work = |index: usize| {
            let (progress, map) = (watchdog.thread(index), &map);
            let mut rng = Rng::new(seed ^ (index as u64) << 48);
            scope.spawn(move || {
                let mut sections = 0;
                while Instant::now() < end {
                    sections += turn(map, &mut rng);
                    progress.step();
                }
                sections
            })
        };
        let all: Vec<_> = (0..threads).map(work).collect();
        all.into_iter().map(|thread| thread.join().expect("was not alone")).sum()
    });
    assert_at_rest(&map, map.len());
    let map = Arc::into_inner(map).expect("nobody else has it");
    assert_eq!(map.into_iter().map(|(_, value)| value.count()).sum::<u64>(), sections);
}
