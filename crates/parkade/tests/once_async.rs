//! Tasks that wait for a `Once` and an `OnceLock`, and that initialise one: who tries when, what becomes of an initialisation
//! that is dropped, fails or panics, and mixing with threads.

mod support;

use parkade::{
    Once, OnceLock, OnceState,
    futures::{GetOrInit, GetOrTryInit, WaitOnce, WaitOnceLock},
};
use static_assertions::{assert_impl_all, assert_not_impl_any, const_assert};
use std::{
    cell::Cell,
    future::{Future, Ready, pending, ready},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, RawWaker, RawWakerVTable, Wake, Waker},
    thread,
};
use support::{
    Rng, parked, parked_on, seed, stress_time,
    tasks::{Task, block_on, poll_a_little},
    wait_for_parked, watched, watched_test,
};

type Make<T> = fn() -> Ready<T>;
assert_impl_all!(WaitOnce<'static>: Send, Sync);
assert_impl_all!(WaitOnceLock<'static, u8>: Send, Sync);
assert_impl_all!(GetOrInit<'static, u8, Make<u8>, Ready<u8>>: Send, Sync);
assert_impl_all!(GetOrTryInit<'static, u8, Make<u8>, Ready<u8>>: Send, Sync);
assert_not_impl_any!(WaitOnce<'static>: Unpin);
assert_not_impl_any!(WaitOnceLock<'static, u8>: Unpin);
assert_not_impl_any!(GetOrInit<'static, u8, Make<u8>, Ready<u8>>: Unpin);
assert_not_impl_any!(GetOrTryInit<'static, u8, Make<u8>, Ready<u8>>: Unpin);
// What may not be shared, or sent, or what may not be sent with it.
assert_not_impl_any!(WaitOnceLock<'static, Cell<u8>>: Send);
assert_not_impl_any!(GetOrInit<'static, Cell<u8>, Make<Cell<u8>>, Ready<Cell<u8>>>: Send);
assert_not_impl_any!(GetOrInit<'static, Rc<u8>, Make<Rc<u8>>, Ready<Rc<u8>>>: Send);
assert_not_impl_any!(GetOrInit<'static, u8, Rc<u8>, Ready<u8>>: Send);
assert_not_impl_any!(GetOrInit<'static, u8, Make<u8>, Rc<u8>>: Send);
#[cfg(target_pointer_width = "64")]
const_assert!(size_of::<WaitOnce<'static>>() <= 128);
#[cfg(target_pointer_width = "64")]
const_assert!(size_of::<WaitOnceLock<'static, [u64; 9]>>() <= 128);
// What the user gives comes on top: here nothing, or 8 bytes, or a future which needs the room when the wait is over.
#[cfg(target_pointer_width = "64")]
const_assert!(size_of::<GetOrInit<'static, [u64; 9], (), ()>>() <= 128);
#[cfg(target_pointer_width = "64")]
const_assert!(size_of::<GetOrInit<'static, u8, Make<u8>, Ready<u8>>>() <= 128 + 8);
#[cfg(target_pointer_width = "64")]
const_assert!(size_of::<GetOrInit<'static, u8, Make<u8>, [u64; 32]>>() <= 48 + 256);
const_assert!(size_of::<Once>() == 1 && size_of::<OnceLock<u8>>() == 2);

/// A future that is polled by a task of its own.
struct Waits<F> {
    task: Arc<Task>,
    future: Pin<Box<F>>,
}

impl<F: Future> Waits<F> {
    fn new(future: F) -> Waits<F> {
        Waits { task: Task::new(), future: Box::pin(future) }
    }

    /// Polled once, in vain.
    fn queued(future: F) -> Waits<F> {
        let mut waits = Waits::new(future);
        assert!(waits.poll().is_none());
        waits
    }

    fn poll(&mut self) -> Option<F::Output> {
        match self.task.poll(self.future.as_mut()) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        }
    }

    fn woken(&self) -> bool {
        self.task.woken() > 0
    }
}

/// Whether it panics, and says so.
#[track_caller]
fn panics(text: &str, action: impl FnOnce()) {
    let payload = catch_unwind(AssertUnwindSafe(action)).expect_err("no panic");
    let message = payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or(payload.downcast_ref::<&str>().copied())
        .unwrap_or("");
    assert!(message.contains(text), "{message}");
}

/// Pending once.
async fn pause() {
    let mut paused = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut paused, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A task that panics when it is woken.
struct Explosive;

impl Wake for Explosive {
    fn wake(self: Arc<Self>) {
        panic!("a waker");
    }
}

#[test]
fn the_first_poll_makes_what_is_ready() {
    let lock = OnceLock::new();
    let mut waits = Waits::new(lock.get_or_init_async(|| ready(5)));
    assert!(lock.get().is_none() && !waits.future.is_terminated());
    assert_eq!(waits.poll(), Some(&5));
    assert!(waits.future.is_terminated());
    panics("polled after it was ready", || _ = waits.poll());
    assert_eq!(block_on(lock.get_or_init_async(|| -> Ready<_> { unreachable!() })), &5);
    assert_eq!(block_on(lock.wait_async()), &5);
    assert_eq!(lock.get_or_init(|| unreachable!()), &5);
}

#[test]
fn a_future_that_is_never_polled_does_nothing() {
    let lock = OnceLock::<u8>::new();
    drop(lock.get_or_init_async(|| -> Ready<_> { unreachable!() }));
    drop(lock.get_or_try_init_async(|| -> Ready<Result<_, ()>> { unreachable!() }));
    assert_eq!(lock.set(1), Ok(()));
}

#[test]
fn one_initialises_and_the_others_wait_for_it() {
    let _watched = watched_test();
    let (lock, go_on) = (OnceLock::new(), AtomicBool::new(false));
    let mut runs = Waits::queued(lock.get_or_init_async(async || {
        while !go_on.load(Relaxed) {
            pause().await;
        }
        7
    }));
    thread::scope(|scope| {
        let mut others = [(); 2]
            .map(|()| Waits::queued(lock.get_or_init_async(|| -> Ready<_> { unreachable!() })));
        let mut waits = Waits::queued(lock.wait_async());
        let threads = [
            parked(scope, &lock, || lock.get_or_init(|| unreachable!())),
            parked(scope, &lock, || lock.wait()),
        ];
        assert!(runs.poll().is_none() && lock.get().is_none());
        go_on.store(true, Relaxed);
        assert_eq!(runs.poll(), Some(&7));
        for other in &mut others {
            assert!(other.woken());
            assert_eq!(other.poll(), Some(&7));
        }
        assert!(waits.woken());
        assert_eq!(waits.poll(), Some(&7));
        assert!(threads.into_iter().all(|thread| thread.join().unwrap() == &7));
    });
}

#[test]
fn a_task_waits_for_a_thread_that_initialises() {
    let _watched = watched_test();
    let lock = OnceLock::new();
    let mut waits = None;
    lock.get_or_init(|| {
        // It is no mistake of this task to wait for what the thread that polls it does.
        waits = Some(Waits::queued(lock.get_or_init_async(|| -> Ready<_> { unreachable!() })));
        3
    });
    let mut waits = waits.unwrap();
    assert!(waits.woken());
    assert_eq!(waits.poll(), Some(&3));
}

#[test]
fn who_waits_for_a_value_is_not_the_one_to_make_it() {
    let lock = OnceLock::new();
    let mut waits = Waits::queued(lock.wait_async());
    assert!(waits.poll().is_none());
    assert!(block_on(lock.get_or_try_init_async(|| ready(Err::<u8, _>("no")))).is_err());
    assert!(!waits.woken(), "woken for nothing");
    lock.set(1).unwrap();
    assert!(waits.woken() && !waits.future.is_terminated());
    assert_eq!(waits.poll(), Some(&1));
    assert!(waits.future.is_terminated());
}

#[test]
fn an_error_leaves_it_empty_and_lets_one_other_try() {
    let lock = OnceLock::new();
    let mut fails = Waits::queued(lock.get_or_try_init_async(async || {
        pause().await;
        Err("no luck")
    }));
    let mut first = Waits::queued(lock.get_or_try_init_async(|| ready(Ok::<_, &str>(1))));
    let mut second = Waits::queued(lock.get_or_try_init_async(|| ready(Ok::<_, &str>(2))));
    assert_eq!(fails.poll(), Some(Err("no luck")));
    assert!(fails.future.is_terminated() && lock.get().is_none());
    assert!(first.woken() && !second.woken());
    assert_eq!(first.poll(), Some(Ok(&1)));
    assert!(second.woken());
    assert_eq!(second.poll(), Some(Ok(&1)));
}

/// Notes when it is dropped, and that the next does not run before.
struct Resource<'a>(&'a AtomicUsize);

impl<'a> Resource<'a> {
    fn new(users: &'a AtomicUsize) -> Resource<'a> {
        assert_eq!(users.fetch_add(1, Relaxed), 0, "two initialise");
        Resource(users)
    }
}

impl Drop for Resource<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

#[test]
fn an_initialisation_that_is_dropped_has_not_begun() {
    let (lock, users) = (OnceLock::new(), AtomicUsize::new(0));
    let dropped = Waits::queued(lock.get_or_init_async(async || {
        let _resource = Resource::new(&users);
        pending().await
    }));
    let mut next = Waits::queued(lock.get_or_init_async(async || {
        let _resource = Resource::new(&users);
        2
    }));
    assert_eq!(users.load(Relaxed), 1);
    drop(dropped);
    assert_eq!(users.load(Relaxed), 0);
    assert!(next.woken());
    assert_eq!(next.poll(), Some(&2));
}

#[test]
fn a_thread_tries_after_an_initialisation_that_was_dropped() {
    let _watched = watched_test();
    let lock = OnceLock::new();
    let dropped = Waits::queued(lock.get_or_init_async(pending));
    thread::scope(|scope| {
        let thread = parked(scope, &lock, || lock.get_or_init(|| 1));
        drop(dropped);
        assert_eq!(thread.join().unwrap(), &1);
    });
}

#[test]
fn a_starter_that_is_dropped_picks_another() {
    let lock = OnceLock::new();
    let dropped = Waits::queued(lock.get_or_init_async(pending));
    let starter = Waits::queued(lock.get_or_init_async(|| ready(1)));
    let waits = Waits::queued(lock.wait_async());
    let mut next = Waits::queued(lock.get_or_init_async(|| ready(2)));
    drop(dropped);
    assert!(starter.woken() && !next.woken());
    drop(starter);
    assert!(next.woken() && !waits.woken());
    assert_eq!(next.poll(), Some(&2));
    assert!(waits.woken());
}

#[test]
fn a_starter_that_is_dropped_when_another_has_begun_wakes_nobody() {
    let lock = OnceLock::new();
    let dropped = Waits::queued(lock.get_or_init_async(pending));
    let starter = Waits::queued(lock.get_or_init_async(|| ready(1)));
    let next = Waits::queued(lock.get_or_init_async(|| ready(2)));
    drop(dropped);
    let newcomer = Waits::queued(lock.get_or_init_async(pending));
    drop(starter);
    assert!(!next.woken());
    drop(newcomer);
    assert!(next.woken());
}

#[test]
fn dropping_a_task_in_the_queue_lets_the_others_be() {
    let lock = OnceLock::new();
    let runs = Waits::queued(lock.get_or_init_async(pending));
    let first = Waits::queued(lock.get_or_init_async(|| ready(1)));
    let mut second = Waits::queued(lock.get_or_init_async(|| ready(2)));
    drop(first);
    assert_eq!(parked_on(&lock).len(), 1);
    drop(runs);
    assert!(second.woken());
    assert_eq!(second.poll(), Some(&2));
}

#[test]
fn a_starter_that_is_not_polled_keeps_nobody_from_trying() {
    let _watched = watched_test();
    let lock = OnceLock::new();
    let dropped = Waits::queued(lock.get_or_init_async(pending));
    let mut unpolled: Vec<_> =
        (0..20).map(|_| Waits::queued(lock.get_or_init_async(|| ready(1)))).collect();
    thread::scope(|scope| {
        // However many tasks are before it.
        let thread = parked(scope, &lock, || lock.get_or_init(|| 2));
        drop(dropped);
        assert_eq!(thread.join().unwrap(), &2);
    });
    assert!(unpolled.iter_mut().all(|task| task.woken() && task.poll() == Some(&2)));
}

#[test]
fn newcomers_and_whoever_is_polled_try_before_a_starter_that_is_not_polled() {
    let lock = OnceLock::new();
    let dropped = Waits::queued(lock.get_or_try_init_async(pending::<Result<u8, ()>>));
    let mut starter = Waits::queued(lock.get_or_try_init_async(|| ready(Ok::<_, ()>(1))));
    let mut behind = Waits::queued(lock.get_or_try_init_async(|| ready(Err(()))));
    drop(dropped);
    assert!(starter.woken() && !behind.woken());
    assert_eq!(behind.poll(), Some(Err(())));
    assert_eq!(block_on(lock.get_or_try_init_async(|| ready(Err(())))), Err(()));
    assert_eq!(lock.get_or_try_init(|| Err(())), Err(()));
    assert_eq!(starter.poll(), Some(Ok(&1)));
}

#[test]
fn a_starter_that_lost_is_first_again() {
    let lock = OnceLock::new();
    let dropped = Waits::queued(lock.get_or_init_async(pending));
    let mut first = Waits::queued(lock.get_or_init_async(|| ready(1)));
    let second = Waits::queued(lock.get_or_init_async(|| ready(2)));
    drop(dropped);
    let newcomer = Waits::queued(lock.get_or_init_async(pending));
    assert!(first.poll().is_none());
    drop(newcomer);
    assert!(!second.woken());
    assert_eq!(first.poll(), Some(&1));
}

#[test]
fn a_forgotten_task_that_waits_keeps_nobody_from_trying() {
    let _watched = watched_test();
    let lock: &'static OnceLock<u8> = Box::leak(Box::default());
    let dropped = Waits::queued(lock.get_or_init_async(pending));
    std::mem::forget(Waits::queued(lock.get_or_init_async(|| ready(1))));
    let thread = thread::spawn(|| lock.get_or_init(|| 2));
    wait_for_parked(lock, 2);
    drop(dropped);
    assert_eq!(thread.join().unwrap(), &2);
}

#[test]
fn a_panic_leaves_it_empty_and_lets_another_try_at_once() {
    let lock = OnceLock::new();
    let mut fails = Waits::queued(lock.get_or_init_async(async || {
        pause().await;
        panic!("no luck")
    }));
    let mut next = Waits::queued(lock.get_or_init_async(|| ready(1)));
    panics("no luck", || _ = fails.poll());
    // Before it is dropped.
    assert!(fails.future.is_terminated() && next.woken());
    panics("polled after it", || _ = fails.poll());
    assert_eq!(next.poll(), Some(&1));
    drop(fails);
    assert_eq!(lock.get(), Some(&1));
}

#[test]
fn a_panic_of_the_closure_leaves_it_empty_too() {
    let lock = OnceLock::new();
    let mut fails = Waits::new(lock.get_or_init_async(|| -> Ready<_> { panic!("no luck") }));
    panics("no luck", || _ = fails.poll());
    assert!(fails.future.is_terminated());
    panics("polled after it", || _ = fails.poll());
    assert_eq!(block_on(lock.get_or_init_async(|| ready(1))), &1);
}

/// A future that panics when it is dropped.
struct Grenade<F>(F);

impl<F: Future + Unpin> Future for Grenade<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl<F> Drop for Grenade<F> {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

#[test]
fn a_future_that_panics_when_it_is_dropped_ends_all_the_same() {
    let lock = OnceLock::new();
    let gives_up = Waits::queued(lock.get_or_init_async(|| Grenade(pending())));
    panics("dropped", || drop(gives_up));
    let fails = lock.get_or_try_init_async(|| Grenade(ready(Err(()))));
    panics("dropped", || _ = block_on(fails));
    assert_eq!(lock.get(), None);
    panics("dropped", || _ = block_on(lock.get_or_init_async(|| Grenade(ready(1)))));
    assert_eq!(lock.get(), Some(&1));
}

#[test]
fn a_waker_that_panics_does_so_when_it_is_initialised() {
    let lock = OnceLock::new();
    let mut explosive = Box::pin(lock.wait_async());
    let waker = Waker::from(Arc::new(Explosive));
    assert!(explosive.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    let mut second = Waits::queued(lock.wait_async());
    let mut makes = Waits::new(lock.get_or_init_async(|| ready(1)));
    panics("a waker", || _ = makes.poll());
    assert!(second.woken() && makes.future.is_terminated());
    assert_eq!(second.poll(), Some(&1));
    let lock = OnceLock::new();
    let mut explosive = Box::pin(lock.wait_async());
    assert!(explosive.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    panics("a waker", || _ = lock.get_or_init(|| 2));
    assert_eq!(lock.get(), Some(&2));
}

/// Whether the next waker that is dropped panics.
static ARMED: AtomicBool = AtomicBool::new(false);

/// The wakers of which one panics when it is dropped.
static FRAGILE: RawWakerVTable = RawWakerVTable::new(
    |data| RawWaker::new(data, &FRAGILE),
    |_| {},
    |_| {},
    |_| assert!(!ARMED.swap(false, Relaxed), "a waker was dropped"),
);

#[test]
fn a_waker_that_panics_when_it_is_dropped_leaves_no_initialisation_behind() {
    // SAFETY: none of its functions uses the data.
    let waker = unsafe { Waker::new(std::ptr::null(), &FRAGILE) };
    let cx = &mut Context::from_waker(&waker);
    let lock = OnceLock::new();
    let dropped = Waits::queued(lock.get_or_init_async(pending));
    let mut starter = Waits::queued(lock.get_or_init_async(|| ready(1)));
    let mut fragile = Box::pin(lock.get_or_init_async(|| ready(2)));
    assert!(fragile.as_mut().poll(cx).is_pending());
    drop(dropped);
    // It begins out of its turn, and with that leaves the queue.
    ARMED.store(true, Relaxed);
    panics("a waker was dropped", || _ = fragile.as_mut().poll(cx));
    assert!(!ARMED.load(Relaxed) && lock.get().is_none());
    assert_eq!(starter.poll(), Some(&1));
}

#[test]
fn blocking_inside_of_its_own_initialisation_is_found() {
    let _watched = watched_test();
    let lock = OnceLock::new();
    let made = lock.get_or_init_async(|| {
        panics("waits for itself", || _ = lock.get_or_init(|| 1));
        async {
            panics("waits for itself", || _ = lock.wait());
            pause().await;
            panics("waits for itself", || _ = lock.set(2));
            3
        }
    });
    assert_eq!(block_on(made), &3);
}

#[test]
fn the_report_names_the_function_and_the_place() {
    let lock = OnceLock::new();
    let made = lock.get_or_init_async(async || {
        let line = line!() + 1;
        panics(&format!("once_async.rs:{line}"), || _ = lock.get_or_init(|| 1));
        let function = "by `once_async::the_report_names_the_function_and_the_place::{{closure}}`";
        panics(function, || _ = lock.get_or_init(|| 1));
        1
    });
    block_on(made);
}

/// A future that blocks when it is dropped.
struct BlocksWhenDropped<'a>(&'a OnceLock<u8>);

impl Drop for BlocksWhenDropped<'_> {
    fn drop(&mut self) {
        panics("waits for itself", || _ = self.0.wait());
    }
}

#[test]
fn blocking_while_its_own_initialisation_is_dropped_is_found() {
    let _watched = watched_test();
    let lock = OnceLock::new();
    let dropped = Waits::queued(lock.get_or_init_async(async || {
        let _blocks = BlocksWhenDropped(&lock);
        pending().await
    }));
    drop(dropped);
    assert_eq!(lock.set(1), Ok(()));
}

/// Between two polls the thread is free of it: no other initialisation on this thread is taken for its own, and who waits
/// on this thread as a task is not told that it waits for itself.
#[test]
fn nothing_is_remembered_of_a_thread_between_polls() {
    let _watched = watched_test();
    let (lock, other) = (OnceLock::new(), OnceLock::new());
    let runs = Waits::queued(lock.get_or_init_async(pending));
    // It is dropped on another thread while this one waits for what it makes.
    thread::scope(|scope| {
        let lock = &lock;
        scope.spawn(move || {
            wait_for_parked(lock, 1);
            drop(runs);
        });
        assert_eq!(lock.get_or_init(|| 5), &5);
    });
    assert_eq!(other.get_or_init(|| 6), &6);
}

#[test]
fn a_nested_executor_may_poll_others_that_wait_for_the_same() {
    let _watched = watched_test();
    let lock = OnceLock::new();
    let mut nested = None;
    let made = lock.get_or_init_async(async || {
        nested = Some(Waits::queued(lock.wait_async()));
        pause().await;
        assert_eq!(nested.as_mut().unwrap().poll(), None);
        9
    });
    assert_eq!(block_on(made), &9);
    assert_eq!(nested.unwrap().poll(), Some(&9));
}

#[test]
fn an_initialisation_may_move_between_threads() {
    let _watched = watched_test();
    let lock = OnceLock::new();
    let runs = Waits::queued(lock.get_or_init_async(async || {
        let mut text = String::from("a");
        pause().await;
        text.push('b');
        pause().await;
        text
    }));
    thread::scope(|scope| {
        let moved = scope.spawn(move || {
            let mut runs = runs;
            assert!(runs.poll().is_none());
            runs
        });
        let mut runs = moved.join().unwrap();
        assert_eq!(runs.poll().unwrap(), "ab");
    });
}

#[test]
fn a_value_that_borrows_is_dropped_with_the_lock() {
    let text = String::from("borrowed");
    let lock = OnceLock::new();
    assert_eq!(block_on(lock.get_or_init_async(async || text.as_str())), &"borrowed");
    assert_eq!(lock.into_inner(), Some("borrowed"));
}

#[test]
fn a_once_is_waited_for() {
    let once = Once::new();
    let (mut first, dropped) = (Waits::queued(once.wait_async()), Waits::queued(once.wait_async()));
    drop(dropped);
    once.call_once(|| assert!(!first.woken() && first.poll().is_none()));
    assert!(first.woken() && first.poll().is_some() && first.future.is_terminated());
    block_on(once.wait_async());
}

#[test]
fn a_once_that_is_poisoned_panics_in_whoever_waits() {
    let once = Once::new();
    let mut waits = Waits::queued(once.wait_async());
    panics("no luck", || once.call_once(|| panic!("no luck")));
    assert!(waits.woken());
    panics("and panicked", || _ = waits.poll());
    assert!(waits.future.is_terminated());
    panics("and panicked", || block_on(once.wait_async()));
    assert_eq!(once.state(), OnceState::Poisoned);
    once.call_once_force(|_| {});
    block_on(once.wait_async());
}

/// Threads and tasks initialise, fail, panic, give up and wait, all at once.
#[test]
fn one_at_a_time_initialises_and_everybody_gets_the_value() {
    let seed = seed();
    let (progress, _watchdog) = watched(format!("initialising, seed {seed}"));
    let mut rng = Rng::new(seed);
    let end = std::time::Instant::now() + stress_time();
    while std::time::Instant::now() < end {
        let (lock, users) = (OnceLock::new(), AtomicUsize::new(0));
        thread::scope(|scope| {
            for id in 0..6 {
                let (lock, users) = (&lock, &users);
                let mut rng = Rng::new(rng.next());
                scope.spawn(move || {
                    let fails = rng.below(3);
                    let make = async move || {
                        let _resource = Resource::new(users);
                        for _ in 0..fails {
                            pause().await;
                        }
                        if fails > 0 { Err(()) } else { Ok(1) }
                    };
                    match id {
                        0 => _ = lock.wait(),
                        1 => _ = block_on(lock.wait_async()),
                        2 => {
                            let make = || {
                                let _resource = Resource::new(users);
                                if fails > 0 { Err(()) } else { Ok(1) }
                            };
                            let _ = lock.get_or_try_init(make);
                        }
                        3 => _ = block_on(lock.get_or_try_init_async(make)),
                        _ => {
                            let polls = rng.below(4) as usize;
                            poll_a_little(lock.get_or_try_init_async(make), polls);
                            poll_a_little(lock.wait_async(), polls);
                        }
                    }
                    if id > 1 {
                        assert_eq!(block_on(lock.get_or_init_async(async || 1)), &1);
                    }
                });
            }
        });
        assert_eq!((lock.get(), users.into_inner(), parked_on(&lock).len()), (Some(&1), 0, 0));
        progress.step();
    }
}

#[test]
fn a_task_sees_what_was_written_before() {
    let mut future = pin!(async {
        let lock = OnceLock::new();
        lock.get_or_init_async(async || vec![1, 2]).await.len()
    });
    assert_eq!(Task::new().poll(future.as_mut()), Poll::Ready(2));
}
