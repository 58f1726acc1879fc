//! Evidence for `parkade::shared`: handles have one lock between them, keep it for as long as any is left, and
//! cross threads where the lock may.

mod support;

use std::{
    cell::Cell,
    rc::Rc,
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use parkade::{
    MappedMutexGuard, MutexGuard, RwLockUpgradableReadGuard, RwLockWriteGuard,
    prelude::*,
    shared::{
        Condvar, FairMutex, Handle, Mutex, RecursiveRwLock, ReentrantMutex, RwLock, WeakHandle,
        WeakMutex, WeakRwLock,
    },
};
use static_assertions::{assert_impl_all, assert_not_impl_any};

assert_impl_all!(Mutex<u8>: Send, Sync, Clone, Default, From<u8>, std::fmt::Debug, Unpin);
assert_impl_all!(RwLock<u8>: Send, Sync, Clone, Default, From<u8>, std::fmt::Debug, Unpin);
assert_impl_all!(FairMutex<u8>: Send, Sync, Clone, Default, From<u8>, std::fmt::Debug);
assert_impl_all!(RecursiveRwLock<u8>: Send, Sync, Clone, Default, From<u8>, std::fmt::Debug);
assert_impl_all!(ReentrantMutex<u8>: Send, Sync, Clone, Default, From<u8>, std::fmt::Debug);
assert_impl_all!(Condvar: Send, Sync, Clone, Default, std::fmt::Debug);
assert_impl_all!(WeakMutex<u8>: Send, Sync, Clone, Default, std::fmt::Debug);
// Exclusive locks hand a value from thread to thread, reader-writer locks share it.
assert_impl_all!(Mutex<Cell<u8>>: Send, Sync);
assert_impl_all!(ReentrantMutex<Cell<u8>>: Send, Sync);
assert_not_impl_any!(RwLock<Cell<u8>>: Send, Sync);
assert_not_impl_any!(RecursiveRwLock<Cell<u8>>: Send, Sync);
assert_not_impl_any!(WeakRwLock<Cell<u8>>: Send, Sync);
assert_not_impl_any!(Mutex<Rc<u8>>: Send, Sync);
assert_not_impl_any!(ReentrantMutex<Rc<u8>>: Send, Sync);
assert_not_impl_any!(WeakMutex<Rc<u8>>: Send, Sync);
// Whoever has a handle may have a value only by locking.
assert_not_impl_any!(Mutex<u8>: std::ops::DerefMut);

#[test]
fn a_handle_is_a_pointer() {
    assert_eq!(size_of::<Option<Mutex<[u64; 9]>>>(), size_of::<usize>());
    assert_eq!(size_of::<Option<WeakMutex<[u64; 9]>>>(), size_of::<usize>());
}

#[test]
fn handles_have_one_lock() {
    let total = Mutex::new(0_u64);
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let total = total.clone();
            thread::spawn(move || {
                for _ in 0..2_000 {
                    let mut guard = total.lock();
                    let seen = *guard;
                    std::hint::black_box(&mut *guard);
                    *guard = seen + 1;
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(total.handle_count(), 1);
    assert_eq!(total.into_inner(), Some(16_000));
}

#[test]
fn a_mutex_has_what_the_lock_has() {
    let lock = Mutex::new((1, String::from("x")));
    let same = lock.clone();
    let soon = Duration::from_millis(1);
    let guard: MutexGuard<'_, (i32, String)> = lock.lock();
    assert!(same.is_locked() && same.try_lock().is_none());
    assert!(same.try_lock_for(soon).is_none());
    assert!(same.try_lock_until(Instant::now() + soon).is_none());
    let mut mapped = MutexGuard::map(guard, |pair| &mut pair.1);
    mapped.push('y');
    MappedMutexGuard::unlock_fair(mapped);
    assert_eq!(same.try_lock_for(soon).map(|pair| pair.1.clone()).as_deref(), Some("xy"));
}

#[test]
fn a_rwlock_has_what_the_lock_has() {
    let lock = RwLock::new(1);
    let same = lock.clone();
    let soon = Duration::from_millis(1);
    {
        let (outer, inner) = (lock.read(), same.read_recursive());
        assert_eq!(*outer, *inner);
        assert!(same.try_write_for(soon).is_none() && same.try_read_for(soon).is_some());
    }
    let reading = lock.upgradable_read();
    assert!(same.try_upgradable_read().is_none() && same.try_read().is_some());
    let mut writing = RwLockUpgradableReadGuard::upgrade(reading);
    *writing = 2;
    assert!(same.try_read_until(Instant::now() + soon).is_none());
    let reading = RwLockWriteGuard::downgrade(writing);
    assert_eq!((same.try_read().as_deref(), *reading), (Some(&2), 2));
}

#[test]
fn the_other_locks_too() {
    let fair = FairMutex::new(1);
    let guard = fair.lock();
    assert!(fair.clone().try_lock().is_none());
    drop(guard);
    let recursive = RecursiveRwLock::from(2);
    assert_eq!((*recursive.read(), *recursive.clone().read()), (2, 2));
    let reentrant = ReentrantMutex::<Cell<u8>>::default();
    let outer = reentrant.lock();
    reentrant.clone().lock().set(3);
    assert_eq!(outer.get(), 3);
}

#[test]
fn a_condvar_waits_with_guards_of_handles() {
    let (turn, changed) = (Mutex::new(0), Condvar::new());
    let threads: Vec<_> = (0..4)
        .map(|mine| {
            let (turn, changed) = (turn.clone(), changed.clone());
            thread::spawn(move || {
                let mut guard = turn.lock();
                changed.wait_while(&mut guard, |turn| *turn != mine);
                *guard += 1;
                changed.notify_all();
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!((turn.into_inner(), changed.handle_count()), (Some(4), 1));
    assert!(changed.ptr_eq(&changed.downgrade().upgrade().expect("it is there")));
}

#[test]
fn the_value_comes_back_from_the_last_handle_only() {
    let mut lock = RwLock::new(String::from("a"));
    lock.get_mut().expect("the only handle").push('b');
    let weak = lock.downgrade();
    assert_eq!(lock.get_mut(), None, "a weak handle could be upgraded meanwhile");
    let other = lock.clone();
    assert!(other.ptr_eq(&lock) && !other.ptr_eq(&RwLock::default()));
    assert_eq!((lock.handle_count(), weak.handle_count()), (2, 2));
    let lock = lock.try_unwrap().expect_err("there are two");
    assert_eq!(other.into_inner(), None);
    assert_eq!(lock.try_unwrap().expect("there is one"), "ab");
    assert_eq!(weak.handle_count(), 0);
    assert!(weak.upgrade().is_none());
}

#[test]
fn of_handles_consumed_at_once_one_gets_the_value() {
    const THREADS: usize = 4;
    for _ in 0..200 {
        let (lock, start) = (Mutex::new(7), Barrier::new(THREADS));
        let values = AtomicUsize::new(0);
        thread::scope(|scope| {
            for handle in vec![lock; THREADS] {
                let (start, values) = (&start, &values);
                scope.spawn(move || {
                    start.wait();
                    if let Some(value) = handle.into_inner() {
                        assert_eq!(value, 7);
                        values.fetch_add(1, Relaxed);
                    }
                });
            }
        });
        assert_eq!(values.into_inner(), 1);
    }
}

#[test]
fn weak_handles_do_not_keep_the_lock() {
    struct Node {
        parent: WeakMutex<Node>,
        children: Vec<Mutex<Node>>,
    }
    let root = Mutex::new(Node { parent: WeakMutex::new(), children: Vec::new() });
    let child = Mutex::new(Node { parent: root.downgrade(), children: Vec::new() });
    root.lock().children.push(child.clone());
    assert!(root.lock().parent.upgrade().is_none());
    let parent = child.lock().parent.upgrade().expect("the root lives");
    assert!(parent.ptr_eq(&root) && parent.lock().children[0].ptr_eq(&child));
    let weak = child.lock().parent.clone();
    assert!(weak.ptr_eq(&root.downgrade()) && !weak.ptr_eq(&WeakMutex::default()));
    drop((root, parent));
    assert!(weak.upgrade().is_none() && child.lock().parent.upgrade().is_none());
    assert_eq!(child.handle_count(), 1);
}

#[test]
fn a_forgotten_guard_does_not_keep_the_value() {
    let lock = Mutex::new(3);
    std::mem::forget(lock.lock());
    assert!(lock.clone().try_lock().is_none());
    assert_eq!(lock.into_inner(), Some(3));
}

#[test]
fn arcs_and_unsized_values() {
    let arc: Arc<parkade::Mutex<[u8]>> = Arc::new(parkade::Mutex::new([1, 2, 3]));
    let lock: Mutex<[u8]> = arc.clone().into();
    lock.lock().reverse();
    assert_eq!(*arc.lock(), [3, 2, 1]);
    assert_eq!(lock.handle_count(), 2);
    let back: Arc<parkade::Mutex<[u8]>> = lock.into();
    assert!(Arc::ptr_eq(&arc, &back));
    // Other locks of lock_api have handles as well.
    let foreign = Handle::<parking_lot_013::Mutex<u8>>::new(4);
    assert_eq!(*foreign.clone().lock(), 4);
}

#[test]
fn debug_output() {
    let lock = Mutex::new(7);
    assert_eq!(format!("{lock:?}"), "Mutex { data: 7 }");
    let _guard = lock.lock();
    assert_eq!(format!("{:?}", lock.clone()), "Mutex { data: <locked> }");
    let weak: WeakHandle<_> = lock.downgrade();
    assert_eq!(format!("{weak:?}"), "(WeakHandle)");
}

#[cfg(feature = "arc_lock")]
#[test]
fn owned_guards_are_handles() {
    let soon = Duration::from_millis(1);
    let lock = Mutex::new(1);
    let weak = lock.downgrade();
    let mut guard = lock.lock_arc();
    assert_eq!(lock.handle_count(), 2);
    assert!(lock.try_lock_arc().is_none() && lock.try_lock_arc_for(soon).is_none());
    drop(lock);
    *guard += 1;
    let same = weak.upgrade().expect("the guard keeps it");
    drop(guard);
    assert_eq!(same.into_inner(), Some(2));

    let lock = RwLock::new(1);
    let (reading, upgradable) = (lock.read_arc(), lock.clone().upgradable_read_arc());
    assert!(lock.try_write_arc().is_none());
    assert_eq!((*reading, *upgradable, lock.handle_count()), (1, 1, 3));
    drop((reading, upgradable));
    *lock.write_arc() += 1;
    assert_eq!(lock.into_inner(), Some(2));

    let lock = ReentrantMutex::new(1);
    let (outer, inner) = (lock.lock_arc(), lock.lock());
    assert_eq!((*outer, *inner, lock.handle_count()), (1, 1, 2));
}

#[cfg(feature = "serde")]
#[test]
fn serde_writes_the_value_and_reads_a_new_lock() {
    let lock = RwLock::new(vec![1, 2]);
    let text = serde_json::to_string(&[lock.clone(), lock]).unwrap();
    assert_eq!(text, "[[1,2],[1,2]]");
    let [one, other]: [RwLock<Vec<u8>>; 2] = serde_json::from_str(&text).unwrap();
    assert!(!one.ptr_eq(&other));
    assert_eq!(*one.read(), *other.read());
}
