//! Tasks that lock keys: what they wait for, and that nothing is left of those that do not come.
#![cfg(feature = "keyed")]

mod support;

use parkade::{
    futures::{
        LockKey, LockKeyOwned, LockKeys, ReadKey, ReadKeys, SendGuard, WriteKey, WriteKeyOwned,
    },
    keyed::{
        KeyedMutex, KeyedMutexGuard, KeyedRwLock, KeyedRwLockReadGuard, KeyedRwLockWriteGuard,
        OwnedKeyedMutexGuard,
    },
    prelude::*,
    tuning,
};
use static_assertions::{assert_impl_all, assert_not_impl_any, const_assert};
use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::Poll,
    thread,
    time::Instant,
};
use support::{
    Rng, Watchdog,
    keyed::{Place, Same, Told, Touchy, wait_for_sleepers},
    seed, stress_time,
    tasks::{Task, Waits, block_on, poll_a_little, poll_explosively},
    watched_test,
};

assert_impl_all!(ReadKey<'static, u64>: Send, Sync);
assert_impl_all!(ReadKeys<'static, u64>: Send, Sync);
assert_not_impl_any!(ReadKey<'static, Cell<u64>>: Send);
assert_not_impl_any!(WriteKey<'static, u64>: Unpin);
assert_impl_all!(SendGuard<KeyedRwLockReadGuard<'static, u64>>: Send, Sync);
assert_not_impl_any!(SendGuard<KeyedRwLockWriteGuard<'static, Cell<u64>>>: Send);
#[cfg(target_pointer_width = "64")]
const_assert!(size_of::<ReadKey<'static, [u64; 9]>>() == 128);
#[cfg(target_pointer_width = "64")]
const_assert!(size_of::<WriteKeyOwned<[u64; 9], Same>>() == 128);

type Users = KeyedMutex<u64>;

const CROWD: u64 = 100_000;

assert_impl_all!(LockKey<'static, u64>: Send, Sync);
assert_not_impl_any!(LockKey<'static, u64>: Unpin);
assert_impl_all!(LockKeyOwned<u64, Same>: Send, Sync);
assert_impl_all!(LockKeys<'static, u64>: Send, Sync);
assert_not_impl_any!(LockKeys<'static, u64>: Unpin);
// Threads compare each other's keys.
assert_not_impl_any!(LockKey<'static, Rc<u64>>: Send);
assert_not_impl_any!(LockKey<'static, Cell<u64>>: Send);
assert_not_impl_any!(LockKeyOwned<Cell<u64>, Same>: Send);
assert_not_impl_any!(LockKeyOwned<u64, Rc<Same>>: Send);
assert_not_impl_any!(LockKeys<'static, Cell<u64>>: Send);
assert_impl_all!(SendGuard<KeyedMutexGuard<'static, u64>>: Send, Sync);
assert_not_impl_any!(SendGuard<KeyedMutexGuard<'static, Cell<u64>>>: Send);
assert_not_impl_any!(SendGuard<KeyedMutexGuard<'static, Rc<u64>>>: Send);
assert_impl_all!(SendGuard<OwnedKeyedMutexGuard<u64>>: Send, Sync);
assert_not_impl_any!(SendGuard<OwnedKeyedMutexGuard<u64, Rc<Same>>>: Send);
assert_not_impl_any!(SendGuard<OwnedKeyedMutexGuard<Cell<u64>>>: Send);
#[cfg(not(feature = "send_guard"))]
assert_not_impl_any!(KeyedMutexGuard<'static, u64>: Send);
#[cfg(target_pointer_width = "64")]
const_assert!(size_of::<LockKey<'static, [u64; 9]>>() == 128);
#[cfg(target_pointer_width = "64")]
const_assert!(size_of::<LockKeyOwned<[u64; 9], Same>>() == 128);
#[cfg(target_pointer_width = "64")]
const_assert!(size_of::<LockKeys<'static, [u64; 9]>>() <= 128);

#[test]
fn a_free_key_is_taken_by_the_first_poll() {
    let users = KeyedMutex::<String>::new();
    let mut future = pin!(users.lock_async("ann"));
    assert!(!future.is_terminated() && !users.is_locked("ann"));
    let Poll::Ready(guard) = Task::new().poll(future.as_mut()) else { panic!("pending") };
    assert!(future.is_terminated() && users.is_locked("ann"));
    assert_eq!(guard.key(), "ann");
    assert!(users.try_lock("ann").is_none());
    drop(guard);
    assert!(users.is_empty());
}

#[test]
fn a_future_that_is_not_polled_keeps_its_key_in_the_table_and_nobody_from_it() {
    let users = Users::new();
    let future = users.lock_async(&1);
    assert_eq!((users.len(), users.is_locked(&1)), (1, false));
    let info = &users.snapshot()[0];
    assert_eq!((info.holders, info.waiters, info.holder, info.held_for), (0, 1, None, None));
    drop(users.lock(&1));
    drop(users.try_lock(&1).expect("free"));
    assert_eq!(users.len(), 1);
    drop(future);
    assert!(users.is_empty());
}

#[test]
fn polling_after_it_was_ready_panics_and_leaves_the_key_alone() {
    let users = Users::new();
    let mut one = Waits::new(users.lock_async(&1));
    let mut many = Waits::new(users.lock_many_async([&2, &3]));
    drop((one.poll().unwrap(), many.poll().unwrap()));
    for again in [
        catch_unwind(AssertUnwindSafe(|| one.poll().is_some())),
        catch_unwind(AssertUnwindSafe(|| many.poll().is_some())),
    ] {
        assert!(again.is_err());
    }
    assert!(one.future.is_terminated() && many.future.is_terminated());
    assert!(users.is_empty());
}

#[test]
fn keys_do_not_wait_for_each_other() {
    let users = KeyedMutex::<u64, Same>::default();
    let one = block_on(users.lock_async(&1));
    let two = block_on(users.lock_async(&2));
    let mut waits = Waits::queued(users.lock_async(&1));
    drop(two);
    assert!(!waits.woken());
    drop(one);
    assert!(waits.woken());
    assert!(waits.poll().is_some());
}

#[test]
fn who_unlocks_wakes_a_task_which_then_competes() {
    let users = Users::new();
    let guard = users.lock(&1);
    let mut waits = Waits::queued(users.lock_async(&1));
    wait_for_sleepers(&users, 1, 1);
    drop(guard);
    assert!(waits.woken() && !users.is_locked(&1));
    let barged = users.try_lock(&1).expect("free for anybody");
    assert!(waits.poll().is_none(), "two have it");
    drop(barged);
    drop(waits.poll().expect("free"));
    assert!(users.is_empty());
}

#[test]
fn nobody_in_particular_has_a_key_that_a_task_has() {
    let users = Users::new();
    let guard = block_on(users.lock_async(&1));
    let info = &users.snapshot()[0];
    assert_eq!((info.holders, info.waiters, info.holder), (1, 0, None));
    assert!(info.held_for.is_some());
    drop(guard);
}

/// A task that waits for a key is dropped in each state: never polled, queued, woken, ready and not taken out.
#[test]
fn cancelling_leaves_nothing() {
    let users = Users::new();
    drop(users.lock_async(&1));
    assert!(users.is_empty());

    let guard = users.lock(&1);
    drop(Waits::queued(users.lock_async(&1)));
    drop(guard);
    assert!(users.is_empty());

    let guard = users.lock(&1);
    let waits = Waits::queued(users.lock_async(&1));
    drop(guard);
    assert!(waits.woken());
    assert_eq!(users.len(), 1);
    drop(waits);
    assert!(users.is_empty());

    let mut waits = Waits::new(users.lock_async(&1));
    drop(waits.poll());
    assert!(users.is_empty());
}

#[test]
fn a_task_that_is_dropped_with_a_wake_passes_it_on() {
    let _watchdog = watched_test();
    let users = Users::new();
    let guard = users.lock(&1);
    let first = Waits::queued(users.lock_async(&1));
    let mut second = Waits::queued(users.lock_async(&1));
    thread::scope(|scope| {
        scope.spawn(|| drop(users.lock(&1)));
        wait_for_sleepers(&users, 1, 3);
        drop(guard);
        assert!(first.woken());
        drop(first);
        while second.poll().is_none() {
            thread::yield_now();
        }
    });
    drop(second);
    assert!(users.is_empty());
}

#[test]
fn a_forgotten_future_keeps_its_key_in_the_table_and_nobody_from_it() {
    let _watchdog = watched_test();
    let users = Arc::new(Users::new());
    let guard = users.lock(&1);
    std::mem::forget(Waits::queued(users.lock_owned_async(&1)));
    thread::scope(|scope| {
        scope.spawn(|| drop(users.lock(&1)));
        wait_for_sleepers(&users, 1, 2);
        drop(guard);
    });
    assert_eq!((users.len(), users.is_locked(&1)), (1, false));
}

#[test]
fn an_owned_future_and_its_guard_keep_the_map() {
    let users = Arc::new(Users::new());
    let weak = Arc::downgrade(&users);
    let future = users.lock_owned_async(&7);
    drop(users);
    let guard = thread::spawn(move || block_on(future).sendable()).join().unwrap();
    assert_eq!(SendGuard::get(&guard).key(), &7);
    let users = weak.upgrade().expect("the guard has it");
    assert!(users.is_locked(&7));
    drop(guard);
    assert!(users.is_empty());
    let future = users.lock_owned_async(&7);
    drop(users);
    drop(future);
    assert!(weak.upgrade().is_none());
}

/// Nobody is taken for the holder but who has the guard.
#[test]
fn a_sendable_guard_belongs_to_no_thread() {
    let _watchdog = watched_test();
    let users = Users::new();
    let guard = users.lock(&1).sendable();
    assert_eq!(users.snapshot()[0].holder, None);
    thread::scope(|scope| {
        scope.spawn(|| {
            wait_for_sleepers(&users, 1, 1);
            drop(guard);
        });
        // In a debug build a thread that waits for itself panics. This one does not.
        drop(users.lock(&1));
    });
    let guard = users.lock_many([&1, &2]).sendable();
    thread::scope(|scope| drop(scope.spawn(|| drop(guard))));
    assert!(users.is_empty());
}

#[test]
fn several_keys_are_taken_in_their_order() {
    let users = Users::new();
    let two = users.lock(&2);
    let mut many = Waits::queued(users.lock_many_async([&3, &1, &2, &3]));
    assert!(users.is_locked(&1) && !users.is_locked(&3));
    drop(two);
    assert!(many.woken());
    let guard = many.poll().expect("all are free");
    assert!(guard.keys().eq(&[1, 2, 3]) && users.len() == 3);
    drop(guard);
    assert!(users.is_empty());
    assert_eq!(block_on(users.lock_many_async([])).keys().len(), 0);
}

#[test]
fn a_future_of_several_keys_is_dropped_halfway() {
    let users = Users::new();
    drop(users.lock_many_async([&1, &2, &3]));
    assert!(users.is_empty());
    let two = users.lock(&2);
    let many = Waits::queued(users.lock_many_async([&3, &1, &2]));
    let mut other = Waits::queued(users.lock_async(&1));
    drop(many);
    assert!(other.woken());
    drop(other.poll().expect("free"));
    let many = Waits::queued(users.lock_many_async([&2, &1]));
    drop(two);
    assert!(many.woken());
    drop((many, other));
    assert!(users.is_empty());
}

#[test]
fn tasks_that_take_several_keys_do_not_deadlock() {
    let _watchdog = watched_test();
    let users = Users::new();
    thread::scope(|scope| {
        for keys in [[1, 2, 3], [3, 2, 1], [2, 3, 1]] {
            let users = &users;
            scope.spawn(move || {
                for _ in 0..1000 {
                    drop(block_on(users.lock_many_async(&keys)));
                    drop(users.lock_many(&keys));
                }
            });
        }
    });
    assert!(users.is_empty());
}

#[test]
fn a_key_that_panics_leaves_nothing() {
    let map = KeyedMutex::<Touchy, Same>::default();
    let other = map.lock(&Touchy(1));
    for place in [Place::Hash, Place::Eq, Place::Clone] {
        let told = |passes| Some(Told { place, passes });
        assert!(Touchy::told(told(0), || drop(map.lock_async(&Touchy(2)))).is_none());
        let many = || drop(map.lock_many_async([&Touchy(2), &Touchy(3)]));
        assert!(Touchy::told(told(1), many).is_none());
    }
    assert_eq!(map.len(), 1);
    drop(other);
    assert!(map.is_empty());
}

#[test]
fn a_waker_that_panics_out_of_unlock_leaves_nothing() {
    let users = Arc::new(Users::new());
    let unlocks: [&dyn Fn(); 4] = [
        &|| drop(users.lock(&1)),
        &|| KeyedMutexGuard::unlock_fair(users.lock(&1)),
        &|| OwnedKeyedMutexGuard::unlock_fair(users.lock_owned(&1)),
        &|| drop(users.lock_many([&0, &1, &2])),
    ];
    for unlock in unlocks {
        let mut explosive = Box::pin(users.lock_async(&1));
        let guard = users.lock(&1);
        assert!(poll_explosively(explosive.as_mut()).is_pending());
        assert!(catch_unwind(AssertUnwindSafe(|| drop(guard))).is_err());
        assert!(!users.is_locked(&1));
        drop(explosive);
        assert_eq!((users.len(), Arc::strong_count(&users)), (0, 1));
        unlock();
        assert_eq!((users.len(), Arc::strong_count(&users)), (0, 1));
    }
}

/// The same where it is the future that wakes: one that is dropped passes its wake on.
#[test]
fn a_waker_that_panics_out_of_a_drop_leaves_nothing() {
    let users = Users::new();
    let guard = users.lock(&1);
    let first = Waits::queued(users.lock_async(&1));
    let mut explosive = Box::pin(users.lock_async(&1));
    assert!(poll_explosively(explosive.as_mut()).is_pending());
    drop(guard);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(first))).is_err());
    drop(explosive);
    assert!(users.is_empty());
}

/// So many tasks wait for a key each; all of them are woken, and nothing is left.
#[test]
fn a_hundred_thousand_tasks_wait_for_as_many_keys() {
    let users = Users::new();
    let guards: Vec<_> = (0..CROWD).map(|key| users.lock(&key)).collect();
    let mut tasks: Vec<_> = (0..CROWD).map(|key| Waits::queued(users.lock_async(&key))).collect();
    assert_eq!(users.len() as u64, CROWD);
    drop(guards);
    // Half of them come.
    for (at, task) in tasks.iter_mut().enumerate() {
        assert!(task.woken());
        if at % 2 == 0 {
            assert_eq!(task.poll().expect("free").key(), &(at as u64));
        }
    }
    drop(tasks);
    assert!(users.is_empty());
}

/// So many tasks wait for one key, and have it in the order in which they came; some go away meanwhile.
#[test]
fn a_hundred_thousand_tasks_wait_for_one_key() {
    // A task that has its turn is some milliseconds away from being polled, and nobody else is to be asked meanwhile.
    tuning::set_lookout(tuning::Lookout::Off);
    let users = Users::new();
    let guard = users.lock(&1);
    let mut tasks: Vec<_> = (0..CROWD).map(|_| Some(Waits::queued(users.lock_async(&1)))).collect();
    assert_eq!((users.len(), users.snapshot()[0].waiters as u64), (1, CROWD));
    tasks.iter_mut().skip(5).step_by(10).for_each(|task| drop(task.take()));
    drop(guard);
    for at in 0..tasks.len() {
        let Some(mut task) = tasks[at].take() else { continue };
        assert!(task.woken());
        let next = tasks[at + 1..].iter().flatten().next();
        assert!(next.is_none_or(|next| !next.woken()));
        drop(task.poll().expect("its turn"));
    }
    assert!(users.is_empty());
}

/// What a key protects: two numbers that are equal but while somebody changes them.
#[derive(Default)]
struct Protected([AtomicU64; 2]);

impl Protected {
    fn section(&self) {
        let [first, second] = &self.0;
        let before = first.load(Relaxed);
        assert_eq!(before, second.load(Relaxed), "two have the key");
        first.store(before + 1, Relaxed);
        second.store(before + 1, Relaxed);
    }
}

/// Some keys are wanted far more often than others.
fn skewed(rng: &mut Rng, keys: u64) -> u64 {
    // As by Zipf's law: the n-th comes up about 1 / n as often as the first.
    let uniform = (rng.next() >> 11) as f64 / (1_u64 << 53) as f64;
    ((keys as f64).powf(uniform) as u64 - 1).min(keys - 1)
}

/// One thing that a thread does, in its own name or as an executor; how many sections that were.
fn turn(users: &Arc<Users>, protected: &[Protected], rng: &mut Rng) -> u64 {
    let key = skewed(rng, protected.len() as u64);
    let section = |key: &u64| protected[*key as usize].section();
    let polls = rng.below(4) as usize;
    match rng.below(10) {
        0..2 => section(users.lock(&key).key()),
        2..4 => section(block_on(users.lock_async(&key)).key()),
        4 => section(block_on(users.lock_owned_async(&key)).key()),
        5 => {
            let keys = [key, skewed(rng, 8), skewed(rng, 8)];
            let guard = block_on(users.lock_many_async(&keys));
            guard.keys().for_each(section);
            return guard.keys().len() as u64;
        }
        6 => {
            let keys = [key, skewed(rng, 8), skewed(rng, 8)];
            let Some(guard) = poll_a_little(users.lock_many_async(&keys), polls) else { return 0 };
            guard.keys().for_each(section);
            return guard.keys().len() as u64;
        }
        7 => match poll_a_little(users.lock_owned_async(&key), polls) {
            Some(guard) => section(guard.key()),
            None => return 0,
        },
        _ => match poll_a_little(users.lock_async(&key), polls) {
            Some(guard) => section(guard.key()),
            None => return 0,
        },
    }
    1
}

#[test]
fn threads_and_tasks_exclude_each_other_and_leave_nothing() {
    let (seed, threads) = (seed(), 6);
    let watchdog = Watchdog::new(format!("tasks and threads, seed {seed}"), threads);
    let users = Arc::new(Users::new());
    let protected: Vec<_> = (0..64).map(|_| Protected::default()).collect();
    let end = Instant::now() + stress_time();
    let sections: u64 = thread::scope(|scope| {
        let work = |index: usize| {
            let (progress, mut rng) =
                (watchdog.thread(index), Rng::new(seed ^ (index as u64) << 48));
            let (users, protected) = (&users, &protected);
            scope.spawn(move || {
                let mut sections = 0;
                while Instant::now() < end {
                    sections += turn(users, protected, &mut rng);
                    progress.step();
                }
                sections
            })
        };
        let all: Vec<_> = (0..threads).map(work).collect();
        all.into_iter().map(|thread| thread.join().expect("was not alone")).sum()
    });
    let counted: u64 = protected.iter().map(|pair| pair.0[0].load(Relaxed)).sum();
    assert_eq!(counted, sections);
    assert_eq!((users.len(), Arc::strong_count(&users)), (0, 1));
}

#[test]
fn readers_share_a_key_and_writers_have_it_alone() {
    let files = Arc::new(KeyedRwLock::<u64>::new());
    let thread = files.read(&1);
    let task = block_on(files.read_async(&1));
    assert_eq!(files.snapshot()[0].holders, 2);
    let mut writer = Waits::queued(files.write_owned_async(&1));
    // A writer that waits keeps new readers out.
    let mut reader = Waits::queued(files.read_async(&1));
    drop((thread, task));
    assert!(writer.woken());
    let guard = writer.poll().expect("nobody reads");
    assert!(reader.poll().is_none() && files.try_read(&1).is_none());
    drop(guard);
    drop((reader.poll().expect("nobody writes"), reader, writer));
    assert!(files.is_empty());
}

#[test]
fn readers_and_writers_that_are_dropped_leave_nothing() {
    let files = KeyedRwLock::<u64>::new();
    drop((files.read_async(&1), files.write_async(&1), files.read_many_async([&1, &2])));
    assert!(files.is_empty());
    let reading = files.read(&2);
    let writer = Waits::queued(files.write_many_async([&2, &1]));
    assert!(files.try_read(&1).is_none());
    let mut reader = Waits::queued(files.read_async(&1));
    drop(writer);
    drop(reader.poll().expect("nobody writes"));
    drop((reading, reader));
    assert!(files.is_empty());
}
