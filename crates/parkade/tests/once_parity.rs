//! Evidence that `Once`, `OnceLock` and `LazyLock` do what those they replace do: one body, run over
//! `std`, `parking_lot` 0.12, `parking_lot` 0.13 and Parkade as far as they have it, must observe the same.

mod support;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
};

use support::{Log, assert_same, same_over};

/// What all of the libraries offer.
trait Subject: Send + Sync + Default + std::fmt::Debug + 'static {
    const NAME: &'static str;

    fn call_once(&self, initialise: impl FnOnce());
    /// The closure is told whether the `Once` was poisoned.
    fn call_once_force(&self, initialise: impl FnOnce(bool));
    fn is_completed(&self) -> bool;
}

/// What `std` lacks.
trait Stated: Subject {
    fn state(&self) -> String;
    fn poisoned_and_done(&self) -> (bool, bool);
}

/// What `parking_lot` 0.12 lacks.
trait Waited: Subject {
    fn new_completed() -> Self;
    fn wait(&self);
    fn wait_force(&self);
}

macro_rules! subjects {
    ($($name:literal: $once:ty, $state:ident => $poisoned:expr, $this:ident => $completed:expr;)+) => {$(
        impl Subject for $once {
            const NAME: &'static str = $name;

            fn call_once(&self, initialise: impl FnOnce()) {
                self.call_once(initialise);
            }

            fn call_once_force(&self, initialise: impl FnOnce(bool)) {
                self.call_once_force(|$state| initialise($poisoned));
            }

            fn is_completed(&self) -> bool {
                let $this = self;
                $completed
            }
        }
    )+};
}

/// `std` has no `Default` for it.
#[derive(Debug)]
struct StdOnce(std::sync::Once);

impl Default for StdOnce {
    fn default() -> StdOnce {
        StdOnce(std::sync::Once::new())
    }
}

impl std::ops::Deref for StdOnce {
    type Target = std::sync::Once;

    fn deref(&self) -> &std::sync::Once {
        &self.0
    }
}

impl Subject for StdOnce {
    const NAME: &'static str = "std";

    fn call_once(&self, initialise: impl FnOnce()) {
        self.0.call_once(initialise);
    }

    fn call_once_force(&self, initialise: impl FnOnce(bool)) {
        self.0.call_once_force(|state| initialise(state.is_poisoned()));
    }

    fn is_completed(&self) -> bool {
        self.0.is_completed()
    }
}

impl Waited for StdOnce {
    fn new_completed() -> StdOnce {
        let once = StdOnce::default();
        once.0.call_once(|| {});
        once
    }

    fn wait(&self) {
        self.0.wait();
    }

    fn wait_force(&self) {
        self.0.wait_force();
    }
}

subjects! {
    "parking_lot 0.12": parking_lot_012::Once,
        state => state.poisoned(), once => once.state().done();
    "parking_lot 0.13": parking_lot_013::Once,
        state => state.is_poisoned(), once => once.is_completed();
    "parkade": parkade::Once, state => state.is_poisoned(), once => once.is_completed();
}

macro_rules! stated {
    ($($once:ty),+) => {$(
        impl Stated for $once {
            fn state(&self) -> String {
                format!("{:?}", self.state())
            }

            fn poisoned_and_done(&self) -> (bool, bool) {
                (self.state().poisoned(), self.state().done())
            }
        }
    )+};
}

stated!(parking_lot_012::Once, parking_lot_013::Once, parkade::Once);

macro_rules! waited {
    ($($once:ty),+) => {$(
        impl Waited for $once {
            fn new_completed() -> $once {
                <$once>::new_completed()
            }

            fn wait(&self) {
                self.wait();
            }

            fn wait_force(&self) {
                self.wait_force();
            }
        }
    )+};
}

waited!(parking_lot_013::Once, parkade::Once);

fn panics(body: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(body)).is_err()
}

fn calling<S: Subject>() -> Log {
    let mut log = Log::new();
    let once = S::default();
    for round in 0..3 {
        log.push(format!("{round}: {}", once.is_completed()));
        once.call_once(|| log.push(format!("called in {round}")));
        once.call_once_force(|poisoned| log.push(format!("forced in {round}, {poisoned}")));
    }
    log
}

fn poisoning<S: Subject>() -> Log {
    let mut log = Log::new();
    let once = S::default();
    let mut forced = |fails: bool| {
        let mut told = None;
        let panicked = panics(|| {
            once.call_once_force(|poisoned| {
                told = Some(poisoned);
                assert!(!fails, "on purpose");
            });
        });
        log.push(format!("told {told:?}, panicked {panicked}"));
    };
    assert!(panics(|| once.call_once(|| panic!("on purpose"))));
    assert!(panics(|| once.call_once(|| unreachable!())));
    forced(true);
    assert!(!once.is_completed());
    forced(false);
    forced(true);
    log.push(format!("then {}", panics(|| once.call_once(|| unreachable!()))));
    log
}

fn racing<S: Subject>() -> Log {
    const THREADS: usize = 8;
    let mut log = Log::new();
    for round in 0..50 {
        let (once, start) = (S::default(), Barrier::new(THREADS));
        let (runs, failures) = (AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    start.wait();
                    let failed = panics(|| {
                        once.call_once_force(|_| {
                            assert!(runs.fetch_add(1, Relaxed) >= round % 3, "on purpose");
                        });
                    });
                    failures.fetch_add(usize::from(failed), Relaxed);
                });
            }
        });
        log.push(format!("{runs:?} runs, {failures:?} failed, {}", once.is_completed()));
    }
    log
}

fn stating<S: Stated>() -> Log {
    let mut log = Log::new();
    let once = S::default();
    let state = || format!("{} {:?} {once:?}", once.state(), once.poisoned_and_done());
    log.push(state());
    let during = || {
        log.push(state());
        panic!("on purpose");
    };
    assert!(panics(|| once.call_once(during)));
    log.push(state());
    once.call_once_force(|_| log.push(state()));
    log.push(state());
    log
}

fn waiting<S: Waited>() -> Log {
    let mut log = Log::new();
    let completed = S::new_completed();
    completed.call_once(|| unreachable!());
    completed.wait();
    completed.wait_force();

    let once = S::default();
    assert!(panics(|| once.call_once(|| panic!("on purpose"))));
    log.push(format!("wait on poison panics {}", panics(|| once.wait())));
    thread::scope(|scope| {
        let waiters: Vec<_> = (0..4).map(|_| scope.spawn(|| once.wait_force())).collect();
        assert!(panics(|| once.call_once_force(|_| panic!("on purpose"))));
        once.call_once_force(|_| {});
        log.push(format!("{}", waiters.into_iter().all(|waiter| waiter.join().is_ok())));
    });
    once.wait();
    log
}

same_over! {
    calling_is_the_same = calling:
        StdOnce, parking_lot_012::Once, parking_lot_013::Once, parkade::Once;
    poisoning_is_the_same = poisoning:
        StdOnce, parking_lot_012::Once, parking_lot_013::Once, parkade::Once;
    racing_is_the_same = racing:
        StdOnce, parking_lot_012::Once, parking_lot_013::Once, parkade::Once;
    states_are_the_same = stating:
        parking_lot_012::Once, parking_lot_013::Once, parkade::Once;
    waiting_is_the_same = waiting:
        StdOnce, parking_lot_013::Once, parkade::Once;
}

/// Runs one text over the types of `std` and ours.
macro_rules! same_text {
    ($($test:ident: $kind:ident, $log:ident => $body:block)+) => {$(
        #[test]
        fn $test() {
            fn over_std() -> Log {
                use std::sync::$kind;
                let mut $log = Log::new();
                $body
                $log
            }
            fn over_parkade() -> Log {
                use parkade::$kind;
                let mut $log = Log::new();
                $body
                $log
            }
            assert_same(&[("std", over_std()), ("parkade", over_parkade())]);
        }
    )+};
}

same_text! {
    once_locks_are_the_same: OnceLock, log => {
        let mut lock = OnceLock::new();
        log.push(format!("{lock:?} {:?} {:?}", lock.get(), lock.clone() == OnceLock::new()));
        log.push(format!("{:?}", lock.get_mut()));
        log.push(format!("{}", panics(|| { lock.get_or_init(|| panic!("on purpose")); })));
        log.push(format!("{lock:?} {:?}", lock.take()));
        log.push(format!("{:?} {:?}", lock.set(1), lock.set(2)));
        log.push(format!("{} {} {lock:?}", lock.get_or_init(|| unreachable!()), lock.wait()));
        *lock.get_mut().unwrap() += 4;
        log.push(format!("{}", lock == OnceLock::from(5) && lock != OnceLock::from(1)));
        log.push(format!("{:?} {:?} {:?}", lock.clone().into_inner(), lock.take(), lock.take()));
        log.push(format!("{:?} {:?}", OnceLock::<u8>::default().into_inner(), lock.set(3)));
        static IN_A_STATIC: OnceLock<String> = OnceLock::new();
        log.push(format!("{:#?}", IN_A_STATIC.get_or_init(|| "x".to_owned())));
        log.push(format!("{IN_A_STATIC:#?}"));
    }

    lazy_locks_are_the_same: LazyLock, log => {
        let mut lazy = LazyLock::new(|| 5);
        log.push(format!("{lazy:?} {:?}", LazyLock::get(&lazy)));
        log.push(format!("{:?}", LazyLock::get_mut(&mut lazy)));
        log.push(format!("{} {lazy:?} {}", *lazy, LazyLock::force(&lazy)));
        *lazy += 1;
        *LazyLock::force_mut(&mut lazy) += 1;
        *LazyLock::get_mut(&mut lazy).unwrap() += 1;
        log.push(format!("{:?}", LazyLock::get(&lazy)));
        let mut unforced = LazyLock::new(|| 5);
        *unforced += 1;
        log.push(format!("{}", *unforced));
        log.push(format!("{:?}", *LazyLock::<String>::default()));
        let mut poisoned = LazyLock::<u8>::new(|| panic!("on purpose"));
        log.push(format!("{}", panics(|| { LazyLock::force(&poisoned); })));
        log.push(format!("{} {poisoned:?}", panics(|| assert_eq!(*poisoned, 1))));
        log.push(format!("{}", panics(|| *poisoned += 1)));
        static IN_A_STATIC: LazyLock<Vec<u8>> = LazyLock::new(|| vec![1]);
        log.push(format!("{IN_A_STATIC:?} {} {IN_A_STATIC:?}", IN_A_STATIC.len()));
    }
}
