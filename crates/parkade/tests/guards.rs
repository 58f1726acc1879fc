//! Evidence for the public face: what guards and locks can do besides lock and unlock, which of
//! them may cross threads, and the sizes that the documentation promises.

mod support;

use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    sync::mpsc,
    thread,
    time::Duration,
};

use parkade::{
    FairMutex, FairMutexGuard, MappedMutexGuard, Mutex, MutexGuard, RawFairMutex, RawMutex,
};
use static_assertions::{assert_impl_all, assert_not_impl_any};

assert_impl_all!(RawMutex: Send, Sync);
assert_impl_all!(RawFairMutex: Send, Sync);
assert_impl_all!(Mutex<u8>: Send, Sync, Default, From<u8>, std::fmt::Debug);
assert_impl_all!(FairMutex<u8>: Send, Sync, Default, From<u8>, std::fmt::Debug);
assert_impl_all!(Mutex<Cell<u8>>: Send, Sync);
assert_not_impl_any!(Mutex<Rc<u8>>: Send, Sync);
assert_not_impl_any!(FairMutex<Rc<u8>>: Send, Sync);
assert_impl_all!(MutexGuard<'static, u8>: Sync);
assert_impl_all!(MappedMutexGuard<'static, u8>: Sync);
assert_not_impl_any!(MutexGuard<'static, Cell<u8>>: Sync);
assert_not_impl_any!(MappedMutexGuard<'static, Cell<u8>>: Sync);
assert_not_impl_any!(MutexGuard<'static, Rc<u8>>: Send, Sync);
#[cfg(feature = "send_guard")]
assert_impl_all!(MutexGuard<'static, u8>: Send);
#[cfg(feature = "send_guard")]
assert_impl_all!(FairMutexGuard<'static, u8>: Send);
#[cfg(feature = "send_guard")]
assert_impl_all!(MappedMutexGuard<'static, u8>: Send);
#[cfg(not(feature = "send_guard"))]
assert_not_impl_any!(MutexGuard<'static, u8>: Send);
#[cfg(not(feature = "send_guard"))]
assert_not_impl_any!(FairMutexGuard<'static, u8>: Send);
#[cfg(not(feature = "send_guard"))]
assert_not_impl_any!(MappedMutexGuard<'static, u8>: Send);

#[test]
fn sizes() {
    assert!(size_of::<RawMutex>() <= 2);
    assert!(size_of::<RawFairMutex>() <= 2);
    assert_eq!(align_of::<RawMutex>(), 1);
    assert!(size_of::<Mutex<()>>() <= 2);
    assert!(size_of::<Mutex<u8>>() <= 3);
    assert!(size_of::<FairMutex<u8>>() <= 3);
    assert!(size_of::<Mutex<u32>>() <= 8);
    assert_eq!(size_of::<MutexGuard<'_, u64>>(), size_of::<usize>());
    assert_eq!(size_of::<Option<MutexGuard<'_, u64>>>(), size_of::<usize>());
}

static IN_A_STATIC: Mutex<u32> = Mutex::new(1);
static FAIR_IN_A_STATIC: FairMutex<u32> = FairMutex::new(1);

#[test]
fn made_in_constants() {
    *IN_A_STATIC.lock() += 1;
    *FAIR_IN_A_STATIC.lock() += 1;
    assert_eq!((*IN_A_STATIC.lock(), *FAIR_IN_A_STATIC.lock()), (2, 2));

    let shards: [Mutex<Vec<u8>>; 4] = [const { Mutex::new(Vec::new()) }; 4];
    shards[2].lock().push(7);
    assert_eq!(shards.map(Mutex::into_inner), [vec![], vec![], vec![7], vec![]]);
}

#[test]
fn locked_while_a_guard_lives() {
    let lock = Mutex::new(5);
    assert!(!lock.is_locked());
    let guard = lock.lock();
    assert!(lock.is_locked());
    assert!(lock.try_lock().is_none());
    assert!(std::ptr::eq(MutexGuard::mutex(&guard), &lock));
    drop(guard);
    assert!(!lock.is_locked());
    assert_eq!(lock.try_lock().as_deref(), Some(&5));
}

#[test]
fn unsized_values() {
    let lock: Box<Mutex<[u8]>> = Box::new(Mutex::new([1, 2, 3]));
    lock.lock().reverse();
    assert_eq!(*lock.lock(), [3, 2, 1]);
}

#[test]
fn access_without_locking() {
    let mut lock = Mutex::new(String::from("a"));
    lock.get_mut().push('b');
    assert_eq!(lock.into_inner(), "ab");
    assert_eq!(*Mutex::<u8>::default().lock(), 0);
    assert_eq!(*Mutex::from(3).lock(), 3);
}

#[test]
fn mapped_guards_keep_the_lock() {
    let lock = Mutex::new((1, String::from("x")));
    let mapped = MutexGuard::map(lock.lock(), |pair| &mut pair.1);
    assert!(lock.is_locked());
    let mut mapped = MappedMutexGuard::map(mapped, |text| text.as_mut_str());
    mapped.make_ascii_uppercase();
    drop(mapped);
    assert!(!lock.is_locked());
    assert_eq!(lock.lock().1, "X");

    let refused = MutexGuard::try_map(lock.lock(), |_| None::<&mut u8>);
    let guard = refused.expect_err("the closure has refused");
    assert_eq!(guard.0, 1);
    let Ok(mut number) = MutexGuard::try_map(guard, |pair| Some(&mut pair.0)) else {
        panic!("the closure has agreed");
    };
    *number = 2;
    MappedMutexGuard::unlock_fair(number);
    assert!(!lock.is_locked());
    assert_eq!(lock.lock().0, 2);
}

/// Runs `release` on a held lock; it must let another thread through before it returns.
fn lets_another_through(release: impl FnOnce(&mut MutexGuard<'_, u32>, mpsc::Receiver<()>)) {
    let lock = Mutex::new(0);
    let (done, wait) = mpsc::channel();
    thread::scope(|scope| {
        let mut guard = lock.lock();
        let lock = &lock;
        scope.spawn(move || {
            *lock.lock() += 1;
            done.send(()).unwrap();
        });
        release(&mut guard, wait);
        assert_eq!(*guard, 1);
        *guard += 1;
    });
    assert_eq!(lock.into_inner(), 2);
}

#[test]
fn unlocked_lets_another_through() {
    lets_another_through(|guard, done| MutexGuard::unlocked(guard, || done.recv().unwrap()));
}

#[test]
fn unlocked_fair_lets_another_through() {
    lets_another_through(|guard, done| MutexGuard::unlocked_fair(guard, || done.recv().unwrap()));
}

#[test]
fn bump_lets_another_through() {
    // Until the other thread waits there is nobody to yield to, so one bump need not be enough.
    lets_another_through(|guard, done| {
        while done.try_recv().is_err() {
            MutexGuard::bump(guard);
        }
    });
}

#[test]
fn unlocked_locks_again_when_the_closure_panics() {
    let lock = Mutex::new(0);
    let mut guard = lock.lock();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        MutexGuard::unlocked(&mut guard, || {
            assert!(!lock.is_locked());
            panic!("on purpose");
        })
    }));
    assert!(panicked.is_err());
    assert!(lock.is_locked());
    *guard += 1;
    drop(guard);
    assert_eq!(lock.into_inner(), 1);
}

#[test]
fn unlock_fair_releases() {
    let lock = Mutex::new(0);
    MutexGuard::unlock_fair(lock.lock());
    assert!(!lock.is_locked());
    let fair = FairMutex::new(0);
    FairMutexGuard::unlock_fair(fair.lock());
    assert!(!fair.is_locked());
}

#[test]
fn bump_and_unlocked_of_a_fair_mutex() {
    let lock = FairMutex::new(0);
    let mut guard = lock.lock();
    FairMutexGuard::bump(&mut guard);
    assert!(lock.is_locked());
    FairMutexGuard::unlocked(&mut guard, || assert!(!lock.is_locked()));
    *guard += 1;
    drop(guard);
    assert_eq!(lock.into_inner(), 1);
}

#[test]
fn leaked_guard_locks_for_ever() {
    let lock = Box::leak(Box::new(Mutex::new(3)));
    let value: &'static mut i32 = MutexGuard::leak(lock.lock());
    *value += 1;
    assert_eq!(*value, 4);
    assert!(lock.is_locked());
    assert!(lock.try_lock_for(Duration::from_millis(1)).is_none());
}

#[test]
fn forgotten_guard_leaves_the_lock_taken_and_droppable() {
    let lock = Mutex::new(3);
    std::mem::forget(lock.lock());
    assert!(lock.try_lock().is_none());
    assert_eq!(lock.into_inner(), 3);
}

#[test]
fn a_panic_releases_and_does_not_poison() {
    let lock = Mutex::new(0);
    let panicked = thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let mut guard = lock.lock();
            *guard = 1;
            panic!("on purpose");
        });
        thread.join()
    });
    assert!(panicked.is_err());
    assert!(!lock.is_locked());
    assert_eq!(*lock.lock(), 1);
}

#[test]
fn debug_output() {
    let lock = Mutex::new(7);
    assert_eq!(format!("{lock:?}"), "Mutex { data: 7 }");
    let guard = lock.lock();
    assert_eq!(format!("{lock:?}"), "Mutex { data: <locked> }");
    assert_eq!(format!("{guard:?} {guard}"), "7 7");
}

#[cfg(feature = "send_guard")]
#[test]
fn a_guard_is_released_by_another_thread() {
    let lock = Mutex::new(0);
    let guard = lock.lock();
    thread::scope(|scope| {
        scope.spawn(|| lock.lock());
        scope.spawn(move || drop(guard));
    });
    assert!(!lock.is_locked());
}

#[cfg(feature = "arc_lock")]
mod arc {
    use std::{sync::Arc, time::Instant};

    use parkade::ArcMutexGuard;

    use super::*;

    /// A guard that carries its lock: it can outlive every other owner.
    #[test]
    fn guard_owns_the_lock() {
        let lock = Arc::new(Mutex::new(String::from("kept")));
        let weak = Arc::downgrade(&lock);
        let guard: ArcMutexGuard<RawMutex, String> = lock.lock_arc();
        assert!(lock.try_lock_arc().is_none());
        assert!(lock.try_lock_arc_for(Duration::from_millis(1)).is_none());
        assert!(lock.try_lock_arc_until(Instant::now()).is_none());
        drop(lock);
        assert_eq!(*guard, "kept");
        assert!(weak.upgrade().is_some());
        drop(guard);
        assert!(weak.upgrade().is_none());
    }

    #[test]
    fn guard_releases() {
        let lock = Arc::new(Mutex::new(1));
        let mut guard = lock.lock_arc();
        ArcMutexGuard::bump(&mut guard);
        ArcMutexGuard::unlocked(&mut guard, || assert!(!lock.is_locked()));
        ArcMutexGuard::unlocked_fair(&mut guard, || assert!(!lock.is_locked()));
        assert!(Arc::ptr_eq(ArcMutexGuard::mutex(&guard), &lock));
        *guard = 2;
        ArcMutexGuard::unlock_fair(guard);
        assert_eq!(lock.try_lock_arc().as_deref(), Some(&2));
        assert_eq!(Arc::strong_count(&lock), 1);
    }
}

#[cfg(feature = "serde")]
#[test]
fn serde_writes_and_reads_the_value() {
    let lock = Mutex::new(vec![1, 2, 3]);
    let text = serde_json::to_string(&lock).unwrap();
    assert_eq!(text, "[1,2,3]");
    assert!(!lock.is_locked());
    let read: FairMutex<Vec<u8>> = serde_json::from_str(&text).unwrap();
    assert_eq!(read.into_inner(), [1, 2, 3]);
}

#[test]
fn tuning_values_have_units_and_limits() {
    assert!(parkade::tuning::spin() < Duration::from_millis(1));
    assert!(parkade::tuning::fair_interval() > Duration::ZERO);
    assert!(parkade::tuning::fair_interval() < Duration::from_millis(100));
}
