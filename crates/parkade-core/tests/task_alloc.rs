//! Evidence that no path of a task allocates: to wait, to be woken one by one or all together, to be requeued, to leave.
//! A test binary of its own, because an allocator is process-wide.

mod tasks;

use parkade_core::{Cancelled, RequeueOp, UnparkToken, unpark_requeue};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    task::Poll,
};
use tasks::{Boxed, Counts, Key, boxed, cancel, look, poll, ready, wake, wake_all};

thread_local! {
    /// Allocations of this thread.
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the same duties.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the same duties.
        unsafe { System.dealloc(pointer, layout) };
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn tasks_wait_wake_and_leave_without_allocating() {
    let (from, to) = (Key::new(), Key::new());
    let (from, to, waker) = (from.addr(), to.addr(), Counts::new().waker());
    let other = Counts::new().waker();
    let waiters: Vec<Boxed> = (0..200).map(|_| boxed()).collect();
    let park_all = |key| {
        let request = parkade_core::ParkRequest::new(key);
        assert!(waiters.iter().all(|waiter| poll(waiter, request, &waker) == Poll::Pending));
    };
    // Here the lookout is started, once.
    park_all(from);
    assert_eq!(wake_all(from, 4), 200);
    assert!(waiters.iter().all(|waiter| look(waiter, &waker) == ready(4)));
    let before = COUNT.get();
    for _ in 0..3 {
        park_all(from);
        for waiter in &waiters {
            assert_eq!(look(waiter, &other), Poll::Pending);
            wake(from, 1);
            assert_eq!(look(waiter, &waker), ready(1));
        }
        park_all(from);
        let op = || RequeueOp::UnparkOneRequeueRest;
        // SAFETY: the keys are our own allocations; the callbacks do nothing.
        let moved = unsafe { unpark_requeue(from, to, op, |_, _| UnparkToken(2)) };
        assert_eq!(moved.requeued_threads, waiters.len() - 1);
        assert_eq!(look(&waiters[0], &waker), ready(2));
        let leaving = &waiters[1..50];
        assert!(leaving.iter().all(|waiter| cancel(waiter, |_| {}) == Cancelled::Left));
        assert_eq!(wake_all(to, 3), 150);
        assert!(waiters[50..].iter().all(|waiter| look(waiter, &waker) == ready(3)));
    }
    assert_eq!(COUNT.get() - before, 0);
}
