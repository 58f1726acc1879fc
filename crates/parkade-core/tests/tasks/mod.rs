//! What the tests of tasks share: keys, wakers that count or run something, and short names for the calls.

#![allow(dead_code, reason = "each test binary uses its own part of this module")]

use parkade_core::{
    Cancelled, Departure, ParkRequest, ParkResult, TaskWaiter, UnparkResult, UnparkToken,
    snapshot_of, unpark_all, unpark_one,
};
use std::{
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, RawWaker, RawWakerVTable, Wake, Waker},
    thread,
};

/// An address of its own for each test.
pub(crate) struct Key(Box<u64>);

impl Key {
    pub(crate) fn new() -> Key {
        Key(Box::new(0))
    }

    pub(crate) fn addr(&self) -> usize {
        (&raw const *self.0).addr()
    }
}

/// Counts what is done to its wakers.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    made: AtomicUsize,
    pub(crate) woken: AtomicUsize,
    pub(crate) cloned: AtomicUsize,
    pub(crate) dropped: AtomicUsize,
}

impl Counts {
    pub(crate) fn new() -> &'static Counts {
        Box::leak(Box::default())
    }

    pub(crate) fn waker(&'static self) -> Waker {
        self.made.fetch_add(1, SeqCst);
        // SAFETY: the functions of the table are those of a counter that lives for ever.
        unsafe { Waker::from_raw(self.raw()) }
    }

    fn raw(&'static self) -> RawWaker {
        static TABLE: RawWakerVTable = RawWakerVTable::new(
            |this| {
                counts(this).cloned.fetch_add(1, SeqCst);
                counts(this).raw()
            },
            |this| {
                counts(this).woken.fetch_add(1, SeqCst);
                counts(this).dropped.fetch_add(1, SeqCst);
            },
            |this| {
                counts(this).woken.fetch_add(1, SeqCst);
            },
            |this| {
                counts(this).dropped.fetch_add(1, SeqCst);
            },
        );
        RawWaker::new(std::ptr::from_ref(self).cast(), &TABLE)
    }

    pub(crate) fn woken(&self) -> usize {
        self.woken.load(SeqCst)
    }

    /// How many wakers there are, those of the test included.
    pub(crate) fn alive(&self) -> usize {
        self.made.load(SeqCst) + self.cloned.load(SeqCst) - self.dropped.load(SeqCst)
    }
}

fn counts(this: *const ()) -> &'static Counts {
    // SAFETY: made from one that lives for ever.
    unsafe { &*this.cast() }
}

/// A waker that runs something, once.
pub(crate) struct Runs(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl Wake for Runs {
    fn wake(self: Arc<Self>) {
        let run = self.0.lock().unwrap().take();
        if let Some(run) = run {
            run();
        }
    }
}

pub(crate) fn runs(run: impl FnOnce() + Send + 'static) -> Waker {
    Waker::from(Arc::new(Runs(Mutex::new(Some(Box::new(run))))))
}

pub(crate) type Boxed = Pin<Box<TaskWaiter>>;

pub(crate) fn boxed() -> Boxed {
    Box::pin(TaskWaiter::new())
}

/// Polls a waiter that waits for as long as it is not unparked.
pub(crate) fn poll(waiter: &Boxed, request: ParkRequest, waker: &Waker) -> Poll<ParkResult> {
    // SAFETY: the key is a test's own; the callbacks do nothing; no two calls to a waiter of a test overlap.
    unsafe { waiter.as_ref().poll_park(&mut Context::from_waker(waker), request, || true, || {}) }
}

/// A waiter that waits on `key`, with that token.
pub(crate) fn parked(key: usize, token: usize, waker: &Waker) -> Boxed {
    let waiter = boxed();
    let request = ParkRequest::new(key).token(parkade_core::ParkToken(token));
    assert_eq!(poll(&waiter, request, waker), Poll::Pending);
    waiter
}

/// Polls a waiter that must be parked already.
pub(crate) fn look(waiter: &Boxed, waker: &Waker) -> Poll<ParkResult> {
    // SAFETY: a waiter that is parked ignores the request; no two calls overlap.
    unsafe {
        let mut cx = Context::from_waker(waker);
        let again = || unreachable!("it is parked");
        waiter.as_ref().poll_park(&mut cx, ParkRequest::new(0), again, || unreachable!())
    }
}

pub(crate) fn cancel(waiter: &Boxed, left: impl FnOnce(Departure)) -> Cancelled {
    // SAFETY: the callback does not call into the table; no two calls overlap.
    unsafe { waiter.as_ref().cancel(left) }
}

pub(crate) fn wake(key: usize, token: usize) -> UnparkResult {
    // SAFETY: the key is a test's own allocation; the callback does nothing.
    unsafe { unpark_one(key, |_| UnparkToken(token)) }
}

pub(crate) fn wake_all(key: usize, token: usize) -> usize {
    // SAFETY: the key is a test's own allocation.
    unsafe { unpark_all(key, UnparkToken(token)) }
}

pub(crate) const fn ready(token: usize) -> Poll<ParkResult> {
    Poll::Ready(ParkResult::Unparked(UnparkToken(token)))
}

pub(crate) const fn unparked(token: usize) -> Cancelled {
    Cancelled::Unparked(UnparkToken(token))
}

pub(crate) fn wait_until_parked(key: usize, count: usize) {
    while snapshot_of(key).len() != count {
        thread::yield_now();
    }
}
