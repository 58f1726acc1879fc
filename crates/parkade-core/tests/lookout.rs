//! Evidence that tasks do not sleep for ever behind one that is never polled, in whatever collection it lies, and that the
//! lookout rests when it has nothing to do.

#[cfg(target_os = "linux")]
#[path = "../../parkade/tests/support/fork.rs"]
mod fork;
mod tasks;

use futures::{executor::block_on, stream::FuturesUnordered};
use parkade_core::{
    Cancelled, DEFAULT_UNPARK_TOKEN, ParkRequest, RequeueOp, TaskWaiter, UnparkToken,
    lookout::{self, State},
    snapshot_of, unpark_one, unpark_requeue,
};
use std::{
    cell::Cell,
    future::Future,
    pin::{Pin, pin},
    sync::{
        Arc, Barrier,
        atomic::{
            AtomicBool,
            Ordering::{Relaxed, SeqCst},
        },
    },
    task::{Context, Poll, Waker},
    thread,
    time::SystemTime,
};
use tasks::{Counts, Key, boxed, cancel, look, parked, poll, ready, runs, wake, wake_all};

/// A lock that anybody may take who comes by. A release wakes the first in line.
#[derive(Default)]
struct Lock(AtomicBool);

struct Acquire<'a> {
    lock: &'a Lock,
    waiter: TaskWaiter,
}

impl Lock {
    fn key(&self) -> usize {
        (&raw const self.0).addr()
    }

    fn try_lock(&self) -> bool {
        !self.0.swap(true, SeqCst)
    }

    fn unlock(&self) {
        self.0.store(false, SeqCst);
        self.wake();
    }

    fn wake(&self) {
        // SAFETY: the key is our own address; the callback does nothing.
        unsafe { unpark_one(self.key(), |_| DEFAULT_UNPARK_TOKEN) };
    }

    fn lock(&self) -> Acquire<'_> {
        Acquire { lock: self, waiter: TaskWaiter::new() }
    }
}

impl Acquire<'_> {
    fn waiter(self: Pin<&Self>) -> Pin<&TaskWaiter> {
        // SAFETY: pinned with the future.
        unsafe { self.map_unchecked(|this| &this.waiter) }
    }

    /// Leaves the queue, or passes on a wake.
    fn leave(self: Pin<&Self>) {
        // SAFETY: the callback does nothing; the waiter is ours alone.
        if let Cancelled::Unparked(_) = unsafe { self.waiter().cancel(|_| {}) } {
            self.lock.wake();
        }
    }
}

impl Future for Acquire<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let (this, lock) = (self.as_ref(), self.lock);
        loop {
            let got = Cell::new(false);
            let held = || {
                got.set(lock.try_lock());
                !got.get()
            };
            // SAFETY: the key is the lock's own address, the callbacks touch only its word, the waiter is ours alone.
            let polled =
                unsafe { this.waiter().poll_park(cx, ParkRequest::new(lock.key()), held, || {}) };
            if got.get() {
                return Poll::Ready(());
            }
            // Queued, just now or for long: look again.
            if polled.is_pending() {
                if !lock.try_lock() {
                    return Poll::Pending;
                }
                this.leave();
                return Poll::Ready(());
            }
        }
    }
}

impl Drop for Acquire<'_> {
    fn drop(&mut self) {
        // SAFETY: if it was polled it was pinned; it is not moved here.
        unsafe { Pin::new_unchecked(&*self) }.leave();
    }
}

fn poll_once<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// RFD 609: one future is woken and not polled, since its task looks at something else; the other, in another
/// executor, waits behind it.
#[test]
fn a_task_behind_one_that_is_not_polled_has_its_turn() {
    let lock = Lock::default();
    assert!(lock.try_lock());
    let mut first = pin!(lock.lock());
    assert!(poll_once(first.as_mut()).is_pending());
    thread::scope(|scope| {
        let second = scope.spawn(|| block_on(lock.lock()));
        tasks::wait_until_parked(lock.key(), 2);
        lock.unlock();
        second.join().unwrap();
    });
    // The first was woken, for nothing.
    assert!(poll_once(first.as_mut()).is_pending());
    lock.unlock();
    assert!(poll_once(first).is_ready());
}

/// Ten in one collection that has been polled once; whoever waits behind them gets the lock.
#[test]
fn a_task_behind_a_collection_that_is_not_polled_has_its_turn() {
    let lock = Lock::default();
    assert!(lock.try_lock());
    let mut all: FuturesUnordered<_> = (0..10).map(|_| lock.lock()).collect();
    let next = futures::StreamExt::next(&mut all);
    assert!(poll_once(pin!(next)).is_pending());
    assert_eq!(snapshot_of(lock.key()).len(), 10);
    thread::scope(|scope| {
        let behind: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    block_on(lock.lock());
                    lock.unlock();
                })
            })
            .collect();
        tasks::wait_until_parked(lock.key(), 13);
        lock.unlock();
        for task in behind {
            task.join().unwrap();
        }
    });
    drop(all);
    assert_eq!(snapshot_of(lock.key()), []);
    assert!(lock.try_lock());
}

#[test]
fn who_was_moved_behind_a_task_that_is_not_polled_is_nudged() {
    let (keys, counts) = ([Key::new(), Key::new()], Counts::new());
    let [from, to] = keys.each_ref().map(Key::addr);
    let waiters = [(); 2].map(|()| parked(from, 0, &counts.waker()));
    let op = || RequeueOp::UnparkOneRequeueRest;
    // SAFETY: the keys are our own allocations; the callbacks do nothing.
    unsafe { unpark_requeue(from, to, op, |_, _| UnparkToken(1)) };
    while counts.woken() < 2 {
        thread::yield_now();
    }
    assert_eq!(snapshot_of(to).len(), 1, "it was nudged, and waits on");
    wake(to, 2);
    for (waiter, token) in waiters.iter().zip([1, 2]) {
        assert_eq!(look(waiter, Waker::noop()), ready(token));
    }
}

/// A nudged task is as good as any: it is unparked, cancelled and polled, and no waker is used twice or lost.
#[test]
fn a_nudged_task_keeps_its_place_and_loses_no_wake() {
    let (key, [counts, others]) = (Key::new(), [(); 2].map(|()| Counts::new()));
    let key = key.addr();
    let mut waiters: Vec<_> = (0..5).map(|i| parked(key, i, &counts.waker())).collect();
    wake(key, 7);
    // The first was unparked; then all the others are nudged, one after another.
    while counts.woken() < 5 {
        thread::yield_now();
    }
    let tokens = || snapshot_of(key).iter().map(|parked| parked.token.0).collect::<Vec<_>>();
    assert_eq!(tokens(), [1, 2, 3, 4], "the places are as they were");
    let waker = others.waker();
    assert_eq!(look(&waiters[1], &waker), Poll::Pending);
    assert_eq!(cancel(&waiters[2], |_| {}), Cancelled::Left);
    wake(key, 8);
    assert_eq!(others.woken(), 1, "it had left another waker");
    wake(key, 9);
    wake(key, 9);
    for (i, token) in [(0, 7), (1, 8), (3, 9), (4, 9)] {
        assert_eq!(look(&waiters[i], &waker), ready(token), "{i}");
    }
    waiters.clear();
    assert_eq!((counts.woken(), others.alive()), (5, 1));
}

#[test]
fn wakers_that_panic_or_unpark_do_not_stop_it() {
    let (key, counts) = (Key::new(), Counts::new());
    let key = key.addr();
    let elsewhere = Arc::new(Key::new());
    let helped = parked(elsewhere.addr(), 0, &counts.waker());
    let waiters = [
        parked(key, 0, &counts.waker()),
        parked(key, 0, &runs(|| std::panic::panic_any("a waker panics"))),
        parked(key, 0, &runs(move || assert_eq!(wake_all(elsewhere.addr(), 3), 1))),
        parked(key, 0, &counts.waker()),
    ];
    wake(key, 1);
    while counts.woken() < 3 {
        thread::yield_now();
    }
    assert_eq!(look(&helped, Waker::noop()), ready(3));
    assert_eq!(wake_all(key, 2), 3);
    for (waiter, token) in waiters.iter().zip([1, 2, 2, 2]) {
        assert_eq!(look(waiter, Waker::noop()), ready(token));
    }
}

/// Once somebody was heard nobody else is asked, and when there is nothing to do it sleeps, whoever waits.
#[test]
#[cfg(target_os = "linux")]
fn it_goes_to_sleep() {
    // In a process of its own: other tests keep it awake.
    match fork::fork() {
        fork::Side::Parent(pid) => fork::reap(pid, "asleep"),
        fork::Side::Child => fork::child(|| {
            let (key, counts) = (Key::new(), Counts::new());
            let key = key.addr();
            let waiters: Vec<_> = (0..4).map(|i| parked(key, i, &counts.waker())).collect();
            for round in 0..3 {
                wake(key, 7);
                assert_ne!(lookout::state(), State::NotStarted);
                while lookout::state() != State::Asleep {
                    for waiter in &waiters[round + 1..] {
                        assert_eq!(look(waiter, &counts.waker()), Poll::Pending);
                    }
                }
            }
            assert_eq!(snapshot_of(key).len(), 1);
            wake(key, 7);
            assert!(waiters.iter().all(|waiter| look(waiter, Waker::noop()) == ready(7)));
        }),
    }
}

/// Signals are for the program's own threads.
#[test]
#[cfg(target_os = "linux")]
fn it_takes_no_signals() {
    let key = Key::new();
    let waiters = [(); 2].map(|()| parked(key.addr(), 0, Waker::noop()));
    let blocked = || {
        let mut threads = std::fs::read_dir("/proc/self/task").unwrap();
        threads.find_map(|thread| {
            let status = std::fs::read_to_string(thread.unwrap().path().join("status")).ok()?;
            let field = |name| status.lines().find_map(|line| line.strip_prefix(name));
            let name = field("Name:")?.trim();
            let mask = u64::from_str_radix(field("SigBlk:")?.trim(), 16).unwrap();
            (name == "parkade-lookout").then_some(mask)
        })
    };
    let mask = loop {
        // It names itself when it runs.
        match blocked() {
            Some(mask) => break mask,
            None => thread::yield_now(),
        }
    };
    for (signal, is_blocked) in [(libc::SIGINT, 1), (libc::SIGALRM, 1), (libc::SIGSEGV, 0)] {
        assert_eq!(mask >> (signal - 1) & 1, is_blocked, "{signal}");
    }
    wake_all(key.addr(), 1);
    assert!(waiters.iter().all(|waiter| look(waiter, Waker::noop()) == ready(1)));
}

#[test]
#[cfg(target_os = "linux")]
fn a_forked_child_starts_its_own() {
    let (key, counts) = (Key::new(), Counts::new());
    let key = key.addr();
    let before = [(); 2].map(|()| parked(key, 0, &counts.waker()));
    wake(key, 1);
    match fork::fork() {
        fork::Side::Parent(pid) => fork::reap(pid, "a lookout of its own"),
        fork::Side::Child => fork::child(|| {
            assert_eq!(lookout::state(), State::NotStarted);
            assert_eq!(look(&before[0], Waker::noop()), ready(1));
            let counts = Counts::new();
            let request = ParkRequest::new(key);
            assert_eq!(poll(&before[1], request, &counts.waker()), Poll::Pending);
            let behind = boxed();
            assert_eq!(poll(&behind, request, &counts.waker()), Poll::Pending);
            wake(key, 2);
            while counts.woken() < 2 {
                thread::yield_now();
            }
            wake(key, 3);
            for (waiter, token) in [(&before[1], 2), (&behind, 3)] {
                assert_eq!(look(waiter, Waker::noop()), ready(token));
            }
        }),
    }
    wake(key, 1);
    assert!(before.iter().all(|waiter| look(waiter, Waker::noop()) == ready(1)));
}

/// Numbers that look random.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) % limit
    }
}

/// Tasks that poll once, and are dropped late, after all is over, or never; and beside them such that want the lock.
#[test]
fn whoever_is_polled_gets_on_beside_any_who_are_not() {
    let seed = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64 | 1;
    println!("seed {seed}");
    let (lock, inside) = (Arc::new(Lock::default()), AtomicBool::new(false));
    let together = Barrier::new(3);
    let work = |seed| {
        let (lock, inside, together) = (&lock, &inside, &together);
        move || {
            let mut numbers = Numbers(seed);
            let mut unpolled: Vec<Pin<Box<Acquire<'_>>>> = Vec::new();
            together.wait();
            for _ in 0..50 {
                block_on(lock.lock());
                assert!(!inside.swap(true, Relaxed));
                // Others come meanwhile.
                (0..10).for_each(|_| thread::yield_now());
                for _ in 0..numbers.below(3) {
                    let mut future = Box::pin(lock.lock());
                    assert!(poll_once(future.as_mut()).is_pending(), "we have it");
                    if numbers.below(8) == 0 {
                        std::mem::forget(future);
                    } else {
                        unpolled.push(future);
                    }
                }
                inside.store(false, Relaxed);
                lock.unlock();
                if unpolled.len() > 8 {
                    let at = numbers.below(unpolled.len() as u64) as usize;
                    drop(unpolled.swap_remove(at));
                }
            }
            unpolled
        }
    };
    let left: Vec<_> = thread::scope(|scope| {
        let threads = [1, 3, 5].map(|i| scope.spawn(work(seed.wrapping_mul(i))));
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    drop(left);
    // Who was forgotten waits for ever, in memory that is never freed; but the lock is the test's.
    std::mem::forget(lock.clone());
}
