//! Evidence for what `parkade::poison` has beyond `std::sync`: timed operations, mapped guards, sizes, and
//! which guards may cross threads. What it has in common with `std` is the matter of `poison_parity`.

mod support;

use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    thread,
    time::{Duration, Instant},
};

use parkade::poison::{
    Condvar, LockResult, MappedMutexGuard, MappedRwLockReadGuard, MappedRwLockWriteGuard, Mutex,
    MutexGuard, Once, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError, TryLockResult,
};
use static_assertions::{assert_impl_all, assert_not_impl_any};

/// `Sync`, not `Send`.
type Shared = std::sync::MutexGuard<'static, u8>;

assert_impl_all!(MappedMutexGuard<'static, u8>: Sync, std::fmt::Debug, std::fmt::Display);
assert_impl_all!(MappedMutexGuard<'static, Shared>: Sync);
assert_not_impl_any!(MappedMutexGuard<'static, Cell<u8>>: Sync);
assert_not_impl_any!(MappedMutexGuard<'static, Rc<u8>>: Send, Sync);
assert_not_impl_any!(MappedMutexGuard<'static, Shared>: Send);
assert_impl_all!(MappedRwLockReadGuard<'static, u8>: Sync, std::fmt::Debug, std::fmt::Display);
assert_not_impl_any!(MappedRwLockReadGuard<'static, Cell<u8>>: Send, Sync);
assert_not_impl_any!(MappedRwLockReadGuard<'static, Rc<u8>>: Send, Sync);
assert_impl_all!(MappedRwLockWriteGuard<'static, u8>: Sync, std::fmt::Debug, std::fmt::Display);
assert_not_impl_any!(MappedRwLockWriteGuard<'static, Cell<u8>>: Sync);
assert_not_impl_any!(MappedRwLockWriteGuard<'static, Rc<u8>>: Send, Sync);
assert_not_impl_any!(MappedRwLockWriteGuard<'static, Shared>: Send);

#[cfg(not(feature = "send_guard"))]
mod kept {
    use super::*;

    assert_not_impl_any!(MutexGuard<'static, u8>: Send);
    assert_not_impl_any!(MappedMutexGuard<'static, u8>: Send);
    assert_not_impl_any!(RwLockReadGuard<'static, u8>: Send);
    assert_not_impl_any!(MappedRwLockReadGuard<'static, u8>: Send);
    assert_not_impl_any!(RwLockWriteGuard<'static, u8>: Send);
    assert_not_impl_any!(MappedRwLockWriteGuard<'static, u8>: Send);
}

#[cfg(feature = "send_guard")]
mod sent {
    use super::*;

    assert_impl_all!(MutexGuard<'static, Cell<u8>>: Send);
    assert_not_impl_any!(MutexGuard<'static, Shared>: Send);
    assert_not_impl_any!(MutexGuard<'static, Rc<u8>>: Send, Sync);
    assert_impl_all!(MappedMutexGuard<'static, Cell<u8>>: Send);
    assert_impl_all!(RwLockReadGuard<'static, u8>: Send);
    assert_not_impl_any!(RwLockReadGuard<'static, Cell<u8>>: Send, Sync);
    assert_impl_all!(MappedRwLockReadGuard<'static, u8>: Send);
    assert_impl_all!(RwLockWriteGuard<'static, u8>: Send);
    assert_not_impl_any!(RwLockWriteGuard<'static, Cell<u8>>: Send, Sync);
    assert_not_impl_any!(RwLockWriteGuard<'static, Shared>: Send);
    assert_impl_all!(MappedRwLockWriteGuard<'static, u8>: Send);

    #[test]
    fn whoever_drops_a_guard_in_a_panic_poisons() {
        let lock = Mutex::new(1);
        let guard = lock.lock().unwrap();
        thread::scope(|scope| {
            let thread = scope.spawn(move || {
                let _guard = guard;
                panic!("on purpose");
            });
            assert!(thread.join().is_err());
        });
        assert!(lock.lock().is_err());

        let lock = RwLock::new(1);
        let guard = lock.write().unwrap();
        thread::scope(|scope| scope.spawn(move || drop(guard)).join().unwrap());
        let guard = lock.read().unwrap();
        thread::scope(|scope| scope.spawn(move || drop(guard)).join().unwrap());
        assert!(lock.try_write().is_ok());
    }
}

#[test]
fn sizes() {
    let word = size_of::<usize>();
    assert_eq!(size_of::<Mutex<()>>(), 3);
    assert_eq!(size_of::<Mutex<u8>>(), 4);
    assert_eq!(size_of::<Mutex<u32>>(), 8);
    assert_eq!(align_of::<Mutex<()>>(), 1);
    assert_eq!(size_of::<RwLock<()>>(), 12);
    assert_eq!(size_of::<RwLock<[u8; 3]>>(), 12);
    assert_eq!(size_of::<RwLock<u32>>(), 16);
    assert_eq!(size_of::<Condvar>(), 1);
    assert_eq!(size_of::<Once>(), 1);
    assert!(size_of::<MutexGuard<'_, u64>>() <= 2 * word);
    assert!(size_of::<Option<MutexGuard<'_, u64>>>() <= 2 * word);
    assert!(size_of::<RwLockWriteGuard<'_, u64>>() <= 2 * word);
    assert!(size_of::<RwLockReadGuard<'_, u64>>() <= 3 * word);
    assert!(size_of::<MappedMutexGuard<'_, u64>>() <= 4 * word);
}

#[track_caller]
fn panics(section: impl FnOnce()) {
    assert!(catch_unwind(AssertUnwindSafe(section)).is_err(), "it did not panic");
}

/// What was answered: the value, and whether as an error.
fn answer<G: std::ops::Deref<Target = u32>>(result: TryLockResult<G>) -> Option<LockResult<u32>> {
    match result {
        Ok(guard) => Some(Ok(*guard)),
        Err(TryLockError::Poisoned(poisoned)) => {
            Some(Err(std::sync::PoisonError::new(**poisoned.get_ref())))
        }
        Err(TryLockError::WouldBlock) => None,
    }
}

fn is_fine<G: std::ops::Deref<Target = u32>>(result: TryLockResult<G>) -> bool {
    matches!(answer(result), Some(Ok(7)))
}

fn is_poisoned<G: std::ops::Deref<Target = u32>>(result: TryLockResult<G>) -> bool {
    matches!(answer(result), Some(Err(poisoned)) if *poisoned.get_ref() == 7)
}

fn is_late<G: std::ops::Deref<Target = u32>>(result: TryLockResult<G>) -> bool {
    answer(result).is_none()
}

const SOON: Duration = Duration::from_millis(1);

#[test]
fn timed_operations_of_a_mutex() {
    let lock = Mutex::new(7);
    let past = Instant::now();
    assert!(is_fine(lock.try_lock_for(Duration::ZERO)));
    assert!(is_fine(lock.try_lock_for(Duration::MAX)));
    assert!(is_fine(lock.try_lock_until(past)));
    let guard = lock.lock();
    assert!(is_late(lock.try_lock_for(Duration::ZERO)));
    assert!(is_late(lock.try_lock_for(SOON)));
    assert!(is_late(lock.try_lock_until(past)));
    assert!(is_late(lock.try_lock_until(Instant::now() + SOON)));
    drop(guard);

    panics(|| {
        let _guard = lock.try_lock_for(SOON);
        panic!("on purpose");
    });
    assert!(is_poisoned(lock.try_lock_for(SOON)));
    assert!(is_poisoned(lock.try_lock_until(past)));
    let guard = lock.lock();
    assert!(is_late(lock.try_lock_for(SOON)), "poisoned or not, it is held");
    drop(guard);

    lock.clear_poison();
    panics(|| {
        let _guard = lock.try_lock_until(Instant::now() + SOON);
        panic!("on purpose");
    });
    assert!(lock.is_poisoned());
}

#[test]
fn timed_operations_of_a_rwlock() {
    let lock = RwLock::new(7);
    let past = Instant::now();
    assert!(is_fine(lock.try_read_for(Duration::MAX)));
    assert!(is_fine(lock.try_read_until(past)));
    assert!(is_fine(lock.try_write_for(Duration::MAX)));
    assert!(is_fine(lock.try_write_until(past)));

    let reading = lock.read();
    assert!(is_fine(lock.try_read_for(SOON)));
    assert!(is_fine(lock.try_read_until(past)));
    assert!(is_late(lock.try_write_for(SOON)));
    assert!(is_late(lock.try_write_until(past)));
    drop(reading);
    let writing = lock.write();
    assert!(is_late(lock.try_read_for(SOON)));
    assert!(is_late(lock.try_read_until(past)));
    assert!(is_late(lock.try_write_for(SOON)));
    assert!(is_late(lock.try_write_until(past)));
    drop(writing);

    panics(|| {
        let _reading = (lock.try_read_for(SOON), lock.try_read_until(past));
        panic!("on purpose");
    });
    assert!(!lock.is_poisoned());
    panics(|| {
        let _writing = lock.try_write_for(SOON);
        panic!("on purpose");
    });
    assert!(is_poisoned(lock.try_read_for(SOON)));
    assert!(is_poisoned(lock.try_read_until(past)));
    assert!(is_poisoned(lock.try_write_for(SOON)));
    assert!(is_poisoned(lock.try_write_until(past)));

    lock.clear_poison();
    panics(|| {
        let _writing = lock.try_write_until(past);
        panic!("on purpose");
    });
    assert!(lock.is_poisoned());
}

#[test]
fn timed_operations_wait() {
    let (mutex, rwlock) = (Mutex::new(7), RwLock::new(7));
    thread::scope(|scope| {
        let guards = (mutex.lock(), rwlock.write());
        let waiters = [
            scope.spawn(|| is_fine(mutex.try_lock_for(Duration::from_secs(60)))),
            scope.spawn(|| is_fine(rwlock.try_read_for(Duration::from_secs(60)))),
            scope.spawn(|| is_fine(rwlock.try_write_for(Duration::from_secs(60)))),
        ];
        drop(guards);
        for waiter in waiters {
            assert!(waiter.join().unwrap());
        }
    });
}

#[test]
fn mapped_guards_hold_and_poison() {
    let lock = Mutex::new((1, String::from("x")));
    let text = MutexGuard::map(lock.lock().unwrap(), |pair| &mut pair.1);
    let mut text = MappedMutexGuard::map(text, |text| text.as_mut_str());
    text.make_ascii_uppercase();
    assert_eq!(format!("{text} {text:?}"), "X \"X\"");
    assert!(matches!(lock.try_lock(), Err(TryLockError::WouldBlock)));
    drop(text);
    assert_eq!(lock.lock().unwrap().1, "X");

    panics(|| {
        let _number = MutexGuard::map(lock.lock().unwrap(), |pair| &mut pair.0);
        panic!("on purpose");
    });
    assert!(lock.lock().is_err());
    lock.clear_poison();

    let refused = MutexGuard::filter_map(lock.lock().unwrap(), |_| None::<&mut u8>);
    let guard = refused.expect_err("the closure has refused");
    let mut number = MutexGuard::filter_map(guard, |pair| Some(&mut pair.0)).unwrap();
    *number = 2;
    let number = MappedMutexGuard::filter_map(number, |_| None::<&mut u8>).unwrap_err();
    let number = MappedMutexGuard::filter_map(number, |number| Some(number)).unwrap();
    assert!(lock.try_lock().is_err());
    drop(number);
    assert_eq!(lock.lock().unwrap().0, 2);
}

#[test]
fn mapped_guards_of_a_rwlock_hold_and_poison() {
    let lock = RwLock::new((1, 2));
    let first = RwLockReadGuard::map(lock.read().unwrap(), |pair| &pair.0);
    let first = MappedRwLockReadGuard::map(first, |first| first);
    let first = MappedRwLockReadGuard::filter_map(first, |_| None::<&u8>).unwrap_err();
    let first = MappedRwLockReadGuard::filter_map(first, |first| Some(first)).unwrap();
    assert_eq!(format!("{first} {first:?}"), "1 1");
    assert!(lock.try_read().is_ok());
    assert!(lock.try_write().is_err());
    drop(first);
    let reading = RwLockReadGuard::filter_map(lock.read().unwrap(), |_| None::<&u8>).unwrap_err();
    drop(RwLockReadGuard::filter_map(reading, |pair| Some(&pair.1)).unwrap());
    panics(|| {
        let _first = RwLockReadGuard::map(lock.read().unwrap(), |pair| &pair.0);
        panic!("on purpose");
    });
    assert!(!lock.is_poisoned());

    let first = RwLockWriteGuard::map(lock.write().unwrap(), |pair| &mut pair.0);
    let first = MappedRwLockWriteGuard::map(first, |first| first);
    let first = MappedRwLockWriteGuard::filter_map(first, |_| None::<&mut u8>).unwrap_err();
    let mut first = MappedRwLockWriteGuard::filter_map(first, |first| Some(first)).unwrap();
    *first = 3;
    assert_eq!(format!("{first} {first:?}"), "3 3");
    assert!(lock.try_read().is_err());
    drop(first);
    let writing =
        RwLockWriteGuard::filter_map(lock.write().unwrap(), |_| None::<&mut u8>).unwrap_err();
    drop(RwLockWriteGuard::filter_map(writing, |pair| Some(&mut pair.1)).unwrap());
    panics(|| {
        let _first = RwLockWriteGuard::map(lock.write().unwrap(), |pair| &mut pair.0);
        panic!("on purpose");
    });
    assert!(lock.read().is_err());
    assert_eq!(*lock.read().unwrap_err().into_inner(), (3, 2));
}

#[test]
fn a_choice_that_panics_releases() {
    let mutex = Mutex::new(1);
    panics(|| {
        drop(MutexGuard::map(mutex.lock().unwrap(), |_| -> &mut u8 { panic!("on purpose") }))
    });
    assert!(matches!(mutex.try_lock(), Err(TryLockError::Poisoned(_))));
    mutex.clear_poison();
    panics(|| {
        let whole = MutexGuard::map(mutex.lock().unwrap(), |number| number);
        drop(MappedMutexGuard::filter_map(whole, |_| -> Option<&mut u8> { panic!("on purpose") }));
    });
    assert!(matches!(mutex.try_lock(), Err(TryLockError::Poisoned(_))));

    let lock = RwLock::new(1);
    panics(|| {
        drop(RwLockReadGuard::map(lock.read().unwrap(), |_| -> &u8 { panic!("on purpose") }));
    });
    assert!(lock.try_write().is_ok());
    panics(|| {
        drop(RwLockWriteGuard::map(lock.write().unwrap(), |_| -> &mut u8 { panic!("on purpose") }));
    });
    assert!(matches!(lock.try_write(), Err(TryLockError::Poisoned(_))));
}

/// A guard that was made during a panic and narrowed later is still one that was made during it.
#[test]
fn mapped_guards_remember_when_they_were_made() {
    struct Late<'a>(&'a Mutex<(u8, u8)>);

    impl Drop for Late<'_> {
        fn drop(&mut self) {
            let first = MutexGuard::map(self.0.lock().unwrap(), |pair| &mut pair.0);
            let mut first = MappedMutexGuard::map(first, |first| first);
            *first += 1;
        }
    }

    let lock = Mutex::new((1, 2));
    panics(|| {
        let _late = Late(&lock);
        panic!("on purpose");
    });
    assert_eq!(*lock.lock().unwrap(), (2, 2));
}

#[test]
fn waits_until_a_moment() {
    let (lock, changed) = (Mutex::new(7), Condvar::new());
    let soon = || Instant::now() + SOON;
    let past = Instant::now();
    for deadline in [past, soon()] {
        let (guard, ended) = changed.wait_until(lock.lock().unwrap(), deadline).unwrap();
        assert!(ended.timed_out());
        drop(guard);
    }
    let mut looks = 0;
    let condition = |_: &mut u32| {
        looks += 1;
        true
    };
    let (guard, ended) = changed.wait_until_while(lock.lock().unwrap(), past, condition).unwrap();
    assert!(ended.timed_out());
    assert_eq!(looks, 1, "the time was up before the first wait");
    let (guard, ended) = changed.wait_until_while(guard, soon(), |_| true).unwrap();
    assert!(ended.timed_out());
    let (guard, ended) = changed.wait_until_while(guard, past, |_| false).unwrap();
    assert!(!ended.timed_out());
    drop(guard);

    panics(|| {
        let _guard = lock.lock();
        panic!("on purpose");
    });
    let guard = || lock.lock().unwrap_err().into_inner();
    let (kept, ended) = changed.wait_until(guard(), soon()).unwrap_err().into_inner();
    assert!(ended.timed_out());
    drop(kept);
    let far = Instant::now() + Duration::from_secs(600);
    assert!(!changed.wait_until_while(guard(), far, |_| false).unwrap().1.timed_out());
    let (kept, _) = changed.wait_until_while(guard(), soon(), |_| true).unwrap_err().into_inner();
    assert_eq!(*kept, 7);
}

/// Nothing looks at a deadline before the notification has come, so there is none that is missed.
#[test]
fn a_notification_ends_a_wait_with_a_deadline() {
    let far = Instant::now() + Duration::from_secs(600);
    let (lock, changed) = (Mutex::new(false), Condvar::new());
    thread::scope(|scope| {
        let guard = lock.lock().unwrap();
        scope.spawn(|| {
            *lock.lock().unwrap() = true;
            changed.notify_one();
        });
        let (guard, ended) = changed.wait_until(guard, far).unwrap();
        assert!(*guard && !ended.timed_out());
    });
}

#[test]
fn waits_with_two_mutexes_at_once() {
    let (locks, changed) = ([Mutex::new(false), Mutex::new(false)], Condvar::new());
    let (waiting, is_waiting) = std::sync::mpsc::channel();
    thread::scope(|scope| {
        for lock in &locks {
            let (changed, waiting) = (&changed, waiting.clone());
            scope.spawn(move || {
                let guard = lock.lock().unwrap();
                waiting.send(()).unwrap();
                assert!(*changed.wait(guard).unwrap());
            });
        }
        (0..2).for_each(|_| is_waiting.recv().unwrap());
        for lock in &locks {
            *lock.lock().unwrap() = true;
        }
        changed.notify_all();
    });
}

#[test]
fn timed_waits_for_a_once() {
    let once = Once::new();
    assert!(!once.wait_for(SOON));
    assert!(!once.wait_until(Instant::now() + SOON));
    panics(|| once.call_once(|| panic!("on purpose")));
    panics(|| assert!(!once.wait_for(SOON)));
    panics(|| assert!(!once.wait_until(Instant::now())));
    once.call_once_force(|_| {});
    assert!(once.wait_for(Duration::ZERO));
    assert!(once.wait_until(Instant::now()));
}

/// A program that names all of it through one path.
#[test]
fn one_use_finds_everything() {
    use parkade::poison as sync;

    let done = sync::Arc::new(sync::atomic::AtomicU32::new(0));
    let weak: sync::Weak<_> = sync::Arc::downgrade(&done);
    let barrier = sync::Arc::new(sync::Barrier::new(2));
    let (send, receive) = sync::mpsc::channel();
    let other = thread::spawn({
        let (done, barrier) = (done.clone(), barrier.clone());
        move || {
            let _result: sync::BarrierWaitResult = barrier.wait();
            done.fetch_add(1, sync::atomic::Ordering::Relaxed);
            send.send(()).unwrap();
        }
    });
    barrier.wait();
    receive.recv().unwrap();
    other.join().unwrap();
    assert_eq!(done.load(sync::atomic::Ordering::Relaxed), 1);
    drop(done);
    assert!(weak.upgrade().is_none());
}
