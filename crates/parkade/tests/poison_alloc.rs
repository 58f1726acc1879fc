//! Evidence that the locks of `parkade::poison` allocate nothing on top of those below them: not to lock, to
//! wait, to be late or to find the poison. To panic allocates, of course.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

use parkade::poison::{Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

thread_local! {
    /// Calls of the allocator by this thread.
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

#[derive(Debug)]
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes to `System` with the caller's own arguments.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.set(CALLS.get() + 1);
        // SAFETY: the caller keeps the duties of `alloc`, which are the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        CALLS.set(CALLS.get() + 1);
        // SAFETY: the block came from `System` with this layout.
        unsafe { System.dealloc(block, layout) };
    }
}

/// How often `operations` call the allocator.
fn calls(operations: impl FnOnce()) -> u64 {
    let before = CALLS.get();
    operations();
    CALLS.get() - before
}

const SOON: Duration = Duration::from_millis(1);

fn lock_in_every_way(mutex: &Mutex<(u8, u8)>, changed: &Condvar) {
    drop(mutex.lock());
    drop(mutex.try_lock());
    drop(mutex.try_lock_for(SOON));
    let guard = mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    assert!(mutex.try_lock().is_err());
    assert!(mutex.try_lock_for(SOON).is_err());
    assert!(mutex.try_lock_until(Instant::now() + SOON).is_err());
    drop(MutexGuard::map(guard, |pair| &mut pair.0));

    let guard = mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    drop(changed.wait_timeout(guard, SOON));
    let guard = mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    drop(changed.wait_timeout_while(guard, SOON, |_| true));
    changed.notify_all();
}

fn read_and_write_in_every_way(lock: &RwLock<(u8, u8)>) {
    drop((lock.read(), lock.try_read()));
    drop(lock.write());
    let writing = lock.write().unwrap_or_else(|poisoned| poisoned.into_inner());
    assert!(lock.try_read_for(SOON).is_err());
    assert!(lock.try_write_for(SOON).is_err());
    let reading = RwLockWriteGuard::downgrade(writing);
    assert!(lock.try_write_until(Instant::now() + SOON).is_err());
    drop(RwLockReadGuard::map(reading, |pair| &pair.0));
}

#[test]
fn nothing_allocates() {
    let (mutex, changed) = (Mutex::new((1, 2)), Condvar::new());
    let lock = RwLock::new((1, 2));
    assert!(calls(|| drop(std::hint::black_box(Box::new(1)))) > 0, "this would be noticed");
    for _ in 0..2 {
        assert_eq!(calls(|| lock_in_every_way(&mutex, &changed)), 0);
        assert_eq!(calls(|| read_and_write_in_every_way(&lock)), 0);
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _guards = (mutex.lock(), lock.write());
            panic!("on purpose");
        }));
        assert!(panicked.is_err() && mutex.is_poisoned() && lock.is_poisoned());
    }
    assert_eq!(calls(|| mutex.clear_poison()), 0);
}
