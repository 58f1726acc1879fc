//! Tasks that take several locks, beside threads that do.

mod support;

use parkade::{
    Mutex, RwLock,
    futures::LockMany,
    lock_many, lock_many_async,
    many::{DuplicateLock, read, upgradable_read, write},
};
use static_assertions::{assert_impl_all, assert_not_impl_any};
use std::{pin::pin, task::Poll, thread};
use support::{
    seed,
    tasks::{Task, block_on, poll_a_little},
    watched_test,
};

type Two<'a> = LockMany<(&'a Mutex<u8>, &'a Mutex<u8>)>;
assert_impl_all!(Two<'static>: Send);
assert_not_impl_any!(Two<'static>: Unpin);
assert_not_impl_any!(LockMany<(&'static Mutex<std::rc::Rc<u8>>,)>: Send);

#[test]
fn guards_come_in_the_order_of_the_arguments() {
    let locks = [Mutex::new(0), Mutex::new(1), Mutex::new(2)];
    let (two, zero) = block_on(lock_many_async((&locks[2], &locks[0]))).unwrap();
    assert_eq!((*two, *zero), (2, 0));
    drop((two, zero));
    let [one, zero] = block_on(lock_many_async([&locks[1], &locks[0]])).unwrap();
    assert_eq!((*one, *zero), (1, 0));
    drop((one, zero));
    let all = block_on(lock_many_async(&locks)).unwrap();
    assert_eq!(all.each_ref().map(|guard| **guard), [0, 1, 2]);
    drop(all);
    let chosen = vec![&locks[2], &locks[1]];
    let guards = block_on(lock_many_async(chosen)).unwrap();
    assert_eq!((*guards[0], *guards[1]), (2, 1));
    drop(guards);
    assert_eq!(block_on(lock_many_async(&locks[..])).unwrap().len(), 3);
}

#[test]
fn reader_writer_locks_are_taken_in_their_modes() {
    let (a, b, c) = (RwLock::new(1), RwLock::new(2), RwLock::new(3));
    let held = a.read();
    let set = (read(&a), write(&b), upgradable_read(&c));
    let (one, mut two, three) = block_on(lock_many_async(set)).unwrap();
    *two += *one + *three;
    assert!(b.try_read().is_none() && c.try_upgradable_read().is_none() && c.try_read().is_some());
    drop((one, two, three, held));
    assert_eq!(*b.read(), 6);
}

#[test]
fn the_same_lock_twice_is_an_error_before_anything_is_locked() {
    let (a, b) = (Mutex::new(0), Mutex::new(0));
    let held = a.lock();
    let error = block_on(lock_many_async((&a, &b, &a))).unwrap_err();
    assert_eq!(error, DuplicateLock { first: 0, second: 2 });
    assert!(!b.is_locked());
    drop(held);
}

#[test]
fn a_dropped_future_releases_what_it_has() {
    let mut locks = [Mutex::new(0), Mutex::new(1)];
    let [low, high] = &mut locks;
    let held = high.lock();
    {
        let mut future = pin!(lock_many_async((&*high, &*low)));
        assert!(Task::new().poll(future.as_mut()).is_pending());
        assert!(low.is_locked(), "the lower address comes first");
        assert!(!future.is_terminated());
    }
    assert!(!low.is_locked());
    drop(held);
    let task = Task::new();
    let mut future = pin!(lock_many_async((&*high, &*low)));
    assert!(matches!(task.poll(future.as_mut()), Poll::Ready(Ok(_))));
    assert!(future.is_terminated() && !low.is_locked() && !high.is_locked());
}

#[test]
fn threads_and_tasks_do_not_deadlock() {
    let _watchdog = watched_test();
    let seed = seed();
    let locks: Vec<_> = (0..4).map(|_| Mutex::new(0_u64)).collect();
    let mut rounds = 0;
    thread::scope(|scope| {
        let threads: Vec<_> = (0..4_u64)
            .map(|id| {
                let locks = &locks;
                scope.spawn(move || {
                    let (mut random, mut done) = (seed ^ id, 0);
                    for _ in 0..2_000 {
                        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        let first = (random >> 33) as usize % 4;
                        let other = (first + 1 + (random >> 40) as usize % 3) % 4;
                        let set = (&locks[first], &locks[other]);
                        let guards = match id % 3 {
                            0 => Some(lock_many(set)),
                            1 => Some(block_on(lock_many_async(set))),
                            _ => poll_a_little(lock_many_async(set), 4),
                        };
                        if let Some((mut one, mut two)) = guards.map(Result::unwrap) {
                            *one += 1;
                            *two += 1;
                            done += 1;
                        }
                    }
                    done
                })
            })
            .collect();
        rounds = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    });
    assert_eq!(locks.iter().map(|lock| *lock.lock()).sum::<u64>(), 2 * rounds);
}
