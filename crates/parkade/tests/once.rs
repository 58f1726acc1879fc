//! Evidence for the promises of [`Once`], [`OnceLock`] and [`LazyLock`]: who waits and who is woken, what
//! a panic leaves behind, that an initialisation which asks for its own result panics, when values are
//! dropped, which of them may be shared, and how large they are.

mod support;

use std::{
    cell::{Cell, RefCell},
    panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind},
    rc::Rc,
    sync::{
        Arc, Barrier, MutexGuard,
        atomic::{AtomicUsize, Ordering::Relaxed},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use parkade::{LazyLock, Once, OnceLock, OnceState};
use static_assertions::{assert_impl_all, assert_not_impl_any};
use support::{Watchdog, wait_for_parked, watched_test};

assert_impl_all!(Once: Send, Sync, UnwindSafe, RefUnwindSafe, Default, std::fmt::Debug);
assert_impl_all!(OnceLock<u8>: Send, Sync, Default, Clone, Eq, From<u8>, std::fmt::Debug);
assert_impl_all!(LazyLock<u8>: Send, Sync, Default, std::fmt::Debug);

/// `$bounds` are those of the types of `std`, and these `$types` are where they differ.
macro_rules! as_std {
    ($($bounds:tt for $kind:ident<$($arg:ty),+>;)+) => {$(
        as_std!(@ $bounds $kind<$($arg),+>);
    )+};
    (@ ($($bound:path),+) $kind:ident<$($arg:ty),+>) => {
        assert_impl_all!(std::sync::$kind<$($arg),+>: $($bound),+);
        assert_impl_all!(parkade::$kind<$($arg),+>: $($bound),+);
    };
    (@ [$($bound:path),+] $kind:ident<$($arg:ty),+>) => {
        assert_not_impl_any!(std::sync::$kind<$($arg),+>: $($bound),+);
        assert_not_impl_any!(parkade::$kind<$($arg),+>: $($bound),+);
    };
}

type SyncNotSend = MutexGuard<'static, u8>;
type SendNotSync = Cell<u8>;

// Round brackets: all of them. Square ones: none of them.
as_std! {
    (Send) for OnceLock<SendNotSync>;
    [Sync] for OnceLock<SendNotSync>;
    [Send, Sync] for OnceLock<SyncNotSend>;
    [Send, Sync] for OnceLock<Rc<u8>>;
    (UnwindSafe, RefUnwindSafe) for OnceLock<u8>;
    (UnwindSafe) for OnceLock<Cell<u8>>;
    [RefUnwindSafe] for OnceLock<Cell<u8>>;
    [UnwindSafe, RefUnwindSafe] for OnceLock<&'static mut u8>;
    (Send) for LazyLock<SendNotSync>;
    [Sync] for LazyLock<SendNotSync>;
    [Send, Sync] for LazyLock<SyncNotSend>;
    (Send, Sync) for LazyLock<u8, SendNotSync>;
    [Send, Sync] for LazyLock<u8, SyncNotSend>;
    (UnwindSafe, RefUnwindSafe) for LazyLock<u8>;
    [RefUnwindSafe] for LazyLock<Cell<u8>>;
    (RefUnwindSafe) for LazyLock<u8, Cell<u8>>;
    [UnwindSafe, RefUnwindSafe] for LazyLock<u8, &'static mut u8>;
}

#[test]
fn sizes() {
    assert_eq!((size_of::<Once>(), align_of::<Once>()), (1, 1));
    assert_eq!(size_of::<OnceLock<()>>(), 1);
    assert_eq!(size_of::<OnceLock<u8>>(), 2);
    assert_eq!(size_of::<OnceLock<[u8; 6]>>(), 7);
    assert_eq!(size_of::<OnceLock<u32>>(), 8);
    assert_eq!(size_of::<OnceLock<String>>(), size_of::<String>() + size_of::<usize>());
    assert_eq!(size_of::<LazyLock<u8>>(), 2 * size_of::<usize>());
    assert_eq!(size_of::<LazyLock<[u64; 4]>>(), 5 * size_of::<u64>());
}

static ONCE: Once = Once::new();
static COMPLETED: Once = Once::new_completed();
static LOCK: OnceLock<Vec<u8>> = OnceLock::new();
static LAZY: LazyLock<Vec<u8>> = LazyLock::new(|| vec![1]);

#[test]
fn made_in_constants() {
    ONCE.call_once(|| {});
    COMPLETED.call_once(|| unreachable!());
    assert_eq!(LOCK.get_or_init(|| vec![2]), &[2]);
    assert_eq!(*LAZY, [1]);
}

/// What is in the slot may be dropped after what it refers to, if dropping it does not look there: this
/// compiles only if the compiler knows that.
#[test]
fn may_outlive_what_it_refers_to() {
    let (cell, mut lazy) = (OnceLock::new(), LazyLock::new(|| ""));
    let text = String::from("x");
    assert_eq!(cell.set(&text), Ok(()));
    *lazy = &text;
    assert_eq!((*cell.get().unwrap(), *lazy), (&text, "x"));
}

/// The panic's message, if `body` panics.
fn panic_of<R>(body: impl FnOnce() -> R) -> Option<String> {
    let panic = catch_unwind(AssertUnwindSafe(body)).err()?;
    let text = panic.downcast_ref::<String>().cloned();
    Some(text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned())).unwrap())
}

/// An initialisation on a thread of its own that has begun, and ends when it is told how.
struct Running<'a> {
    finish: mpsc::Sender<Finish>,
    thread: thread::ScopedJoinHandle<'a, ()>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Finish {
    Well,
    Error,
    Panic,
}

impl<'a> Running<'a> {
    fn begin<'e>(
        scope: &'a thread::Scope<'a, 'e>,
        initialise: impl FnOnce(&dyn Fn() -> Result<(), ()>) + Send + 'a,
    ) -> Running<'a> {
        let (finish, finished) = mpsc::channel();
        let (begun, has_begun) = mpsc::channel();
        let thread = scope.spawn(move || {
            let wait = || {
                begun.send(()).unwrap();
                match finished.recv().unwrap() {
                    Finish::Well => Ok(()),
                    Finish::Error => Err(()),
                    Finish::Panic => panic!("on purpose"),
                }
            };
            let _ = catch_unwind(AssertUnwindSafe(|| initialise(&wait)));
        });
        has_begun.recv().unwrap();
        Running { finish, thread }
    }

    fn finish(self, how: Finish) {
        self.finish.send(how).unwrap();
        self.thread.join().unwrap();
    }
}

#[test]
fn completion_wakes_everybody() {
    let _watched = watched_test();
    let once = Once::new();
    thread::scope(|scope| {
        let running = Running::begin(scope, |wait| once.call_once(|| wait().unwrap()));
        assert_eq!(once.state(), OnceState::InProgress);
        let waiters = [
            scope.spawn(|| once.call_once(|| unreachable!())),
            scope.spawn(|| once.call_once_force(|_| unreachable!())),
            scope.spawn(|| once.wait()),
            scope.spawn(|| once.wait_force()),
            scope.spawn(|| assert!(once.wait_for(Duration::MAX))),
            scope.spawn(|| assert!(once.wait_until(support::far_future()))),
        ];
        wait_for_parked(&once, waiters.len());
        running.finish(Finish::Well);
        for waiter in waiters {
            waiter.join().unwrap();
        }
    });
    assert_eq!(once.state(), OnceState::Done);
}

#[test]
fn a_panic_is_told_to_those_who_heed_it_and_one_of_the_others_begins_anew() {
    let _watched = watched_test();
    let (once, runs) = (Once::new(), AtomicUsize::new(0));
    thread::scope(|scope| {
        let running = Running::begin(scope, |wait| once.call_once(|| wait().unwrap()));
        let heeding = [
            scope.spawn(|| panic_of(|| once.call_once(|| unreachable!()))),
            scope.spawn(|| panic_of(|| once.wait())),
            scope.spawn(|| panic_of(|| once.wait_for(Duration::MAX))),
        ];
        wait_for_parked(&once, 3);
        running.finish(Finish::Panic);
        for waiter in heeding {
            assert!(waiter.join().unwrap().is_some_and(|text| text.contains("panicked")));
        }
        assert_eq!(once.state(), OnceState::Poisoned);

        // Nobody begins anew by itself: who only waits waits on, and does so until one succeeds.
        let waiting = scope.spawn(|| once.wait_force());
        wait_for_parked(&once, 1);
        let running = Running::begin(scope, |wait| {
            once.call_once_force(|state| {
                assert!(state.is_poisoned());
                wait().unwrap();
            });
        });
        let forcing: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    once.call_once_force(|state| {
                        assert!(state.is_poisoned());
                        runs.fetch_add(1, Relaxed);
                    });
                })
            })
            .collect();
        wait_for_parked(&once, 4);
        running.finish(Finish::Panic);
        for waiter in forcing {
            waiter.join().unwrap();
        }
        waiting.join().unwrap();
    });
    assert_eq!((once.state(), runs.into_inner()), (OnceState::Done, 1));
}

#[test]
fn whoever_waits_for_a_value_makes_it_if_another_fails_to() {
    let _watched = watched_test();
    for how in [Finish::Error, Finish::Panic] {
        let (lock, made) = (OnceLock::new(), AtomicUsize::new(0));
        thread::scope(|scope| {
            let running = Running::begin(scope, |wait| {
                assert_eq!(lock.get_or_try_init(|| wait().map(|()| 1)), Err(()));
            });
            let waiting = scope.spawn(|| *lock.wait());
            let timed = scope.spawn(|| lock.wait_for(Duration::MAX).copied());
            let others: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        *lock.get_or_init(|| {
                            made.fetch_add(1, Relaxed);
                            2
                        })
                    })
                })
                .collect();
            wait_for_parked(&lock, 6);
            running.finish(how);
            for other in others {
                assert_eq!(other.join().unwrap(), 2);
            }
            assert_eq!((waiting.join().unwrap(), timed.join().unwrap()), (2, Some(2)));
        });
        assert_eq!(made.into_inner(), 1, "{how:?}");
    }
}

#[test]
fn to_set_waits_for_who_is_at_it() {
    let _watched = watched_test();
    for (how, set, value) in [(Finish::Well, Err(2), 1), (Finish::Panic, Ok(()), 2)] {
        let lock = OnceLock::new();
        thread::scope(|scope| {
            let running = Running::begin(scope, |wait| {
                lock.get_or_init(|| wait().map(|()| 1).unwrap());
            });
            assert_eq!(lock.get(), None);
            let setting = scope.spawn(|| lock.set(2));
            wait_for_parked(&lock, 1);
            running.finish(how);
            assert_eq!(setting.join().unwrap(), set);
        });
        assert_eq!(lock.into_inner(), Some(value));
    }
}

#[test]
fn who_waits_for_nobody_is_woken_by_the_first_that_comes() {
    let _watched = watched_test();
    let (once, lock) = (Once::new(), OnceLock::new());
    thread::scope(|scope| {
        scope.spawn(|| once.wait());
        scope.spawn(|| assert_eq!(lock.wait(), &5));
        wait_for_parked(&once, 1);
        wait_for_parked(&lock, 1);
        assert_eq!(once.state(), OnceState::New);
        once.call_once(|| {});
        assert_eq!(lock.set(5), Ok(()));
    });
}

#[test]
fn waits_end_at_their_deadline() {
    let _watched = watched_test();
    let (once, lock) = (Once::new(), OnceLock::<u8>::new());
    thread::scope(|scope| {
        for timeout in support::SHORT {
            let start = Instant::now();
            assert!(!once.wait_for(timeout));
            assert!(!once.wait_until(start + timeout));
            assert_eq!(lock.wait_for(timeout), None);
            assert_eq!(lock.wait_until(start + timeout), None);
            assert!(start.elapsed() >= timeout);
        }
        assert!(!once.wait_until(support::past()));
        let running = Running::begin(scope, |wait| once.call_once(|| wait().unwrap()));
        for timeout in support::SHORT {
            assert!(!once.wait_for(timeout));
        }
        running.finish(Finish::Well);
    });
    assert!(once.wait_for(Duration::ZERO) && once.wait_until(support::past()));
    assert!(support::parked_on(&once).is_empty() && support::parked_on(&lock).is_empty());
}

/// Calls `again` within the initialisation that `begin` begins, and demands that it panics with a message
/// that names both places.
fn denied(case: &str, begin: impl FnOnce(&dyn Fn()), again: impl Fn()) {
    let said = RefCell::new(None);
    let _ = panic_of(|| begin(&|| *said.borrow_mut() = panic_of(&again)));
    let said = said.into_inner().unwrap_or_else(|| panic!("{case}: not denied"));
    assert!(said.contains("waits for itself"), "{case}: {said}");
    assert_eq!(said.matches(file!()).count(), 2, "{case}: {said}");
}

#[test]
fn an_initialisation_that_waits_for_itself_panics() {
    let _watched = watched_test();
    macro_rules! denied_once {
        ($($again:ident($($arg:expr)?);)+) => {$(
            let once = Once::new();
            let again = || { let _ = std::hint::black_box(once.$again($($arg)?)); };
            denied(stringify!($again), |body| once.call_once(body), again);
            assert_eq!(once.state(), OnceState::Done);
            let once = Once::new();
            let again = || { let _ = std::hint::black_box(once.$again($($arg)?)); };
            denied(stringify!($again), |body| once.call_once_force(|_| body()), again);
        )+};
    }
    denied_once! {
        call_once(|| {});
        call_once_force(|_| {});
        wait();
        wait_force();
        wait_for(Duration::ZERO);
        wait_until(support::past());
    }
    macro_rules! denied_lock {
        ($($again:ident($($arg:expr)?);)+) => {$(
            let lock = OnceLock::new();
            let again = || { let _ = std::hint::black_box(lock.$again($($arg)?)); };
            denied(stringify!($again), |body| *lock.get_or_init(|| body()), again);
            assert_eq!(lock.get(), Some(&()));
        )+};
    }
    denied_lock! {
        get_or_init(|| ());
        get_or_try_init(|| Ok::<_, ()>(()));
        set(());
        try_insert(());
        wait();
        wait_for(Duration::ZERO);
        wait_until(support::past());
    }
    static LAZY: LazyLock<()> = LazyLock::new(|| denied("lazy", |body| body(), || *LAZY));
    *LAZY;
}

#[test]
fn the_message_names_both_places() {
    let once = Once::new();
    let (began, again) = (line!() + 2, line!() + 3);
    let said = panic_of(|| {
        once.call_once(|| {
            once.call_once(|| {});
        });
    });
    let said = said.expect("it waits for itself");
    for line in [began, again] {
        assert!(said.contains(&format!("{}:{line}:", file!())), "line {line}: {said}");
    }
    // The closure has panicked.
    assert_eq!(once.state(), OnceState::Poisoned);
}

#[test]
fn to_wait_for_itself_by_a_detour_is_found() {
    let (outer, inner, other) = (Once::new(), Once::new(), Once::new());
    let said = panic_of(|| {
        outer.call_once(|| inner.call_once(|| other.call_once(|| outer.call_once(|| {}))));
    });
    assert!(said.expect("it waits for itself").contains("waits for itself"));
    for once in [&outer, &inner, &other] {
        assert_eq!(once.state(), OnceState::Poisoned);
    }
}

/// What a thread runs it may run within another, try again after a panic, and wait for on another thread.
#[test]
fn nothing_else_is_denied() {
    let _watched = watched_test();
    let (outer, inner, failing) = (Once::new(), Once::new(), Once::new());
    assert!(panic_of(|| failing.call_once(|| panic!("on purpose"))).is_some());
    thread::scope(|scope| {
        let running = Running::begin(scope, |wait| inner.call_once(|| wait().unwrap()));
        let outer_running = scope.spawn(|| {
            outer.call_once(|| {
                failing.call_once_force(|_| {});
                inner.call_once(|| unreachable!());
            });
        });
        let outer_waiting = scope.spawn(|| {
            wait_for_parked(&inner, 1);
            outer.wait();
        });
        wait_for_parked(&outer, 1);
        running.finish(Finish::Well);
        outer_running.join().unwrap();
        outer_waiting.join().unwrap();
    });
    assert!(outer.is_completed() && failing.is_completed());
}

/// Counts how often it is dropped.
#[derive(Debug, Clone)]
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Relaxed);
    }
}

fn drops_of(body: impl FnOnce(Counted)) -> usize {
    let drops = Arc::new(AtomicUsize::new(0));
    body(Counted(Arc::clone(&drops)));
    drops.load(Relaxed)
}

#[test]
fn values_are_dropped_once() {
    let filled = |counted| {
        let lock = OnceLock::new();
        assert!(lock.set(counted).is_ok());
        lock
    };
    assert_eq!(drops_of(|counted| drop(filled(counted))), 1);
    assert_eq!(drops_of(|counted| drop(OnceLock::from(counted))), 1);
    assert_eq!(drops_of(|counted| drop(filled(counted).into_inner())), 1);
    assert_eq!(drops_of(|counted| drop(filled(counted).take())), 1);
    assert_eq!(drops_of(|counted| drop(filled(counted).clone())), 2);
    assert_eq!(drops_of(|counted| std::mem::forget(filled(counted))), 0);
    assert_eq!(drops_of(|counted| drop(filled(counted.clone()).set(counted))), 2);
    assert_eq!(drops_of(|counted| drop(Box::new(filled(counted)))), 1);
    let taken_back = |counted: Counted| {
        let mut lock = filled(counted.clone());
        drop(lock.take());
        assert!(lock.set(counted).is_ok());
    };
    assert_eq!(drops_of(taken_back), 2);
    let fails = |counted: Counted| {
        let lock = OnceLock::<Counted>::new();
        assert!(panic_of(|| lock.get_or_init(|| panic!("{:?}", counted))).is_some());
        assert!(lock.get().is_none());
    };
    assert_eq!(drops_of(fails), 1);
}

#[test]
fn functions_are_dropped_once_and_so_is_what_they_make() {
    let lazy = |counted: Counted| LazyLock::new(move || counted.clone());
    assert_eq!(drops_of(|counted| drop(lazy(counted))), 1);
    let forced = |counted| {
        let lazy = lazy(counted);
        assert_eq!(lazy.0.load(Relaxed), 1, "the function is gone, the value is there");
    };
    assert_eq!(drops_of(forced), 2);
    let forced_mut = |counted| {
        let mut lazy = lazy(counted);
        LazyLock::force_mut(&mut lazy);
        drop(LazyLock::into_inner(lazy));
    };
    assert_eq!(drops_of(forced_mut), 2);
    assert_eq!(drops_of(|counted| drop(LazyLock::into_inner(lazy(counted)))), 1);

    let failing = |counted: Counted| {
        LazyLock::<u8, _>::new(move || -> u8 { panic!("on purpose, with {counted:?}") })
    };
    let forced = |counted| {
        let lazy = failing(counted);
        assert!(panic_of(|| *lazy).is_some_and(|text| text.contains("on purpose")));
        assert!(panic_of(|| *lazy).is_some_and(|text| text.contains("tried before")));
        assert_eq!(LazyLock::get(&lazy), None);
        assert!(panic_of(|| LazyLock::into_inner(lazy)).is_some());
    };
    assert_eq!(drops_of(forced), 1);
    let forced_mut = |counted| {
        let mut lazy = failing(counted);
        assert!(panic_of(|| *LazyLock::force_mut(&mut lazy)).is_some());
        assert!(panic_of(|| *LazyLock::force_mut(&mut lazy)).is_some());
        assert_eq!(LazyLock::get_mut(&mut lazy), None);
    };
    assert_eq!(drops_of(forced_mut), 1);
}

/// A reference that the value was reached by before stays good, and so do values of every alignment.
#[test]
fn values_are_where_they_were_put() {
    #[repr(align(64))]
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    struct Aligned(u8);

    let lock = OnceLock::new();
    let (first, again) = (lock.get_or_init(|| Aligned(5)), lock.get().unwrap());
    assert!(std::ptr::eq(first, again) && std::ptr::from_ref(first).addr().is_multiple_of(64));
    let lazy = LazyLock::new({
        let aligned = Aligned(6);
        move || (1_u8, aligned.0)
    });
    let moved = Box::new((1_u8, lock.clone(), lazy));
    assert_eq!((moved.1.get(), *moved.2), (Some(&Aligned(5)), (1, 6)));
}

/// A thread that ends initialises in the destructors of its thread-locals.
#[test]
fn works_while_a_thread_ends() {
    const THREADS: usize = 8;
    static LATE: LazyLock<usize> = LazyLock::new(|| {
        thread::sleep(Duration::from_millis(5));
        RUNS.fetch_add(1, Relaxed)
    });
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    static SEEN: AtomicUsize = AtomicUsize::new(0);

    struct Late;
    impl Drop for Late {
        fn drop(&mut self) {
            SEEN.fetch_add(*LATE + 1, Relaxed);
        }
    }
    thread_local!(static AT_END: Late = const { Late });

    let end = Barrier::new(THREADS);
    let watchdog = Watchdog::new("once while a thread ends", 1);
    let _progress = watchdog.thread(0);
    let threads = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(|| {
                    AT_END.with(|_| {});
                    end.wait();
                })
            })
            .collect();
        // Joined one by one: a scope does not wait for destructors.
        threads.into_iter().map(|thread| thread.join().unwrap()).count()
    });
    assert_eq!((threads, RUNS.load(Relaxed), SEEN.load(Relaxed)), (THREADS, 1, THREADS));
}
