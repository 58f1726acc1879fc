//! Evidence for the rows of docs/migrate.md that no other test shows: what differs between std, parking_lot and
//! Parkade does differ, and as it says.

use std::{
    panic::{RefUnwindSafe, UnwindSafe},
    sync::{Arc, mpsc},
    thread,
};

use parking_lot_012 as pl12;
use parking_lot_013 as pl13;
use static_assertions::{assert_impl_all, assert_not_impl_any};

assert_impl_all!(std::sync::Mutex<u8>: UnwindSafe, RefUnwindSafe);
assert_impl_all!(parkade::Mutex<u8>: UnwindSafe);
assert_not_impl_any!(parkade::Mutex<u8>: RefUnwindSafe);
assert_not_impl_any!(pl13::Mutex<u8>: RefUnwindSafe);
assert_not_impl_any!(std::sync::MutexGuard<'static, u8>: Send);
assert_not_impl_any!(pl12::MutexGuard<'static, u8>: Send);
assert_not_impl_any!(pl13::MutexGuard<'static, u8>: Send);

#[test]
fn sizes() {
    assert_eq!((size_of::<pl12::Mutex<()>>(), size_of::<pl13::Mutex<()>>()), (1, 1));
    assert_eq!(size_of::<parkade::Mutex<()>>(), 2);
    let word = size_of::<usize>();
    assert_eq!(size_of::<pl12::RwLockReadGuard<'_, u64>>(), word);
    assert_eq!(size_of::<pl13::RwLockReadGuard<'_, u64>>(), word);
    assert_eq!(size_of::<parkade::RwLockReadGuard<'_, u64>>(), 2 * word);
}

/// Four bytes of futex and one of poison, eight and one: with data that fills the padding, that is all.
#[cfg(target_os = "linux")]
#[test]
fn sizes_of_std() {
    assert_eq!(size_of::<std::sync::Mutex<[u8; 3]>>(), 8);
    assert_eq!(size_of::<std::sync::RwLock<[u8; 3]>>(), 12);
}

#[test]
fn debug_output() {
    assert_eq!(format!("{:?}", std::sync::Mutex::new(7)), "Mutex { data: 7, poisoned: false, .. }");
    assert_eq!(format!("{:?}", parkade::Mutex::new(7)), "Mutex { data: 7 }");
    assert_eq!(format!("{:?}", pl13::Mutex::new(7)), "Mutex { data: 7 }");
}

#[test]
fn poisoning() {
    fn panics<T: Send + Sync + 'static>(lock: &Arc<T>, locks: impl FnOnce(&T) + Send + 'static) {
        let lock = Arc::clone(lock);
        assert!(thread::spawn(move || locks(&lock)).join().is_err());
    }
    let std = Arc::new(std::sync::Mutex::new(0));
    panics(&std, |lock| {
        let _guard = lock.lock().unwrap();
        panic!("on purpose");
    });
    assert!(std.is_poisoned() && std.lock().is_err());
    let ours = Arc::new(parkade::Mutex::new(0));
    panics(&ours, |lock| {
        *lock.lock() = 5;
        let _guard = lock.lock();
        panic!("on purpose");
    });
    assert_eq!(ours.try_lock().as_deref(), Some(&5));
}

/// A thread forgets a guard and ends; whether a later thread is taken for it.
macro_rules! inherits {
    ($mutex:ty) => {{
        (0..100).any(|_| {
            let lock = <$mutex>::new(());
            thread::scope(|scope| {
                scope.spawn(|| std::mem::forget(lock.lock())).join().unwrap();
                // Joined, so that the thread's memory is free for the next.
                scope.spawn(|| lock.try_lock().is_some()).join().unwrap()
            })
        })
    }};
}

#[cfg(target_os = "linux")]
#[test]
fn a_forgotten_reentrant_lock_is_inherited_by_address_only() {
    assert!(inherits!(pl12::ReentrantMutex<()>));
    assert!(inherits!(pl13::ReentrantMutex<()>));
    assert!(!inherits!(parkade::ReentrantMutex<()>));
}

/// A text of each: what all take.
#[test]
fn names_that_changed() {
    use parkade::lock_api::RawMutex as _;
    use pl12::lock_api::RawMutex as _;
    let old = pl12::Mutex::const_new(pl12::RawMutex::INIT, 1);
    let new = parkade::Mutex::from_raw(parkade::RawMutex::INIT, 1);
    assert_eq!(*old.lock(), *new.lock());
    let old = pl12::RwLock::new((1, 2));
    let new = parkade::RwLock::new((1, 2));
    let old = pl12::RwLockReadGuard::map(old.read(), |pair| pair);
    let new = parkade::RwLockReadGuard::map(new.read(), |pair| pair);
    let old = pl12::MappedRwLockReadGuard::try_map_or_else(old, |pair| Ok::<_, ()>(&pair.1));
    let new = parkade::MappedRwLockReadGuard::try_map_or_err(new, |pair| Ok::<_, ()>(&pair.1));
    assert_eq!((old.ok().as_deref(), new.ok().as_deref()), (Some(&2), Some(&2)));
}

/// With parking_lot and with Parkade: the waiter is in line, so a fair unlock is for it.
#[test]
fn fair_unlocks_are_for_the_waiter() {
    macro_rules! waiter_is_next {
        ($library:ident) => {{
            let lock = $library::Mutex::new(Vec::new());
            let (started, has_started) = mpsc::channel();
            thread::scope(|scope| {
                let mut guard = lock.lock();
                scope.spawn(|| {
                    started.send(()).unwrap();
                    lock.lock().push("waiter");
                });
                has_started.recv().unwrap();
                // Until the other thread waits there is nobody to yield to.
                while guard.is_empty() {
                    $library::MutexGuard::bump(&mut guard);
                }
                guard.push("first");
            });
            lock.into_inner()
        }};
    }
    assert_eq!(waiter_is_next!(pl12), ["waiter", "first"]);
    assert_eq!(waiter_is_next!(pl13), ["waiter", "first"]);
    assert_eq!(waiter_is_next!(parkade), ["waiter", "first"]);
}
