//! What is to be seen of what is done once.

use std::{
    cell::Cell,
    sync::{
        atomic::{AtomicU32, Ordering::SeqCst},
        mpsc,
    },
    thread,
};

use super::sync::{LazyLock, Once, OnceLock, OnceState};
use crate::{Log, OnDrop, note, panics};

fn poison(once: &Once) {
    panics(|| once.call_once(|| panic!("on purpose")));
}

pub(crate) fn called_once() -> Log {
    static ONCE: Once = Once::new();
    let mut log = Log::new();
    let calls = AtomicU32::new(0);
    note!(log, ONCE.is_completed(), ONCE);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                ONCE.call_once(|| {
                    calls.fetch_add(1, SeqCst);
                });
                assert!(ONCE.is_completed());
                assert_eq!(calls.load(SeqCst), 1);
            });
        }
    });
    note!(log, ONCE.is_completed(), calls, ONCE);
    ONCE.call_once(|| unreachable!());
    ONCE.call_once_force(|_| unreachable!());
    ONCE.wait();
    ONCE.wait_force();
    log
}

pub(crate) fn a_panic_poisons() -> Log {
    let mut log = Log::new();
    let once = Once::new();
    poison(&once);
    note!(log, once.is_completed(), once);
    panics(|| once.call_once(|| unreachable!()));
    panics(|| once.wait());
    note!(log, once.is_completed());
    once.call_once_force(|state: &OnceState| {
        note!(log, state.is_poisoned(), state, once.is_completed());
    });
    note!(log, once.is_completed());
    once.call_once(|| unreachable!());
    once.wait();
    log
}

pub(crate) fn forced() -> Log {
    let mut log = Log::new();
    let once = Once::new();
    panics(|| {
        once.call_once_force(|state| {
            note!(log, state.is_poisoned(), state);
            panic!("on purpose");
        });
    });
    panics(|| once.call_once(|| unreachable!()));
    panics(|| {
        once.call_once_force(|state| {
            note!(log, state.is_poisoned(), state);
            panic!("on purpose");
        });
    });
    note!(log, once.is_completed());
    once.call_once_force(|state| note!(log, state.is_poisoned()));
    note!(log, once.is_completed());
    let fresh = Once::new();
    fresh.call_once_force(|state| note!(log, state.is_poisoned()));
    note!(log, fresh.is_completed());
    log
}

pub(crate) fn those_who_wait_are_poisoned_too() -> Log {
    let mut log = Log::new();
    let once = Once::new();
    let (running, is_running) = mpsc::channel();
    thread::scope(|scope| {
        let runs = scope.spawn(|| {
            panics(|| {
                once.call_once(|| {
                    for _ in 0..3 {
                        running.send(()).unwrap();
                    }
                    panic!("on purpose");
                });
            });
        });
        is_running.recv().unwrap();
        let calls = scope.spawn(|| panics(|| once.call_once(|| unreachable!())));
        let waits = scope.spawn(|| panics(|| once.wait()));
        let goes_on = scope.spawn(|| once.wait_force());
        let waited = [runs, calls, waits].map(|thread| thread.join().is_ok());
        note!(log, waited, once.is_completed());
        once.call_once_force(|state| note!(log, state));
        note!(log, goes_on.join().is_ok());
    });
    log
}

pub(crate) fn waited_for() -> Log {
    let mut log = Log::new();
    let (once, done) = (Once::new(), AtomicU32::new(0));
    thread::scope(|scope| {
        let waiters = [scope.spawn(|| once.wait()), scope.spawn(|| once.wait_force())];
        once.call_once(|| {
            done.fetch_add(1, SeqCst);
        });
        note!(log, waiters.map(|waiter| waiter.join().is_ok()), done);
    });
    log
}

pub(crate) fn while_panicking() -> Log {
    let mut log = Log::new();
    // A closure that ends well in the midst of a panic has ended well.
    let once = Once::new();
    panics(|| {
        let _late = OnDrop(|| once.call_once(|| {}));
        panic!("on purpose");
    });
    note!(log, once.is_completed());
    let once = Once::new();
    panics(|| {
        let _late = OnDrop(|| poison(&once));
        panic!("on purpose");
    });
    note!(log, once.is_completed());
    once.call_once_force(|state| note!(log, state));
    log
}

pub(crate) fn once_lock() -> Log {
    static CELL: OnceLock<String> = OnceLock::new();
    let mut log = Log::new();
    note!(log, CELL.get(), CELL);
    note!(log, CELL.set("a".to_owned()), CELL.set("b".to_owned()));
    note!(log, CELL.get(), CELL.get_or_init(|| unreachable!()), CELL.wait(), CELL);

    let mut cell = OnceLock::<u32>::default();
    note!(log, cell.get_mut(), cell.take(), cell.get_or_init(|| 1));
    *cell.get_mut().unwrap() += 1;
    note!(log, cell, cell.clone(), cell == OnceLock::from(2), cell == OnceLock::new());
    note!(log, cell.take(), cell.get(), cell.set(3), cell.into_inner());
    note!(log, OnceLock::<u32>::new().into_inner(), OnceLock::<u32>::new().clone());
    note!(log, format!("{:#?}", OnceLock::from((1, 2))));
    log
}

pub(crate) fn once_lock_whose_maker_panics() -> Log {
    let mut log = Log::new();
    let mut cell = OnceLock::new();
    panics(|| {
        cell.get_or_init(|| panic!("on purpose"));
    });
    note!(log, cell.get(), cell, cell.get_mut(), cell.clone());
    note!(log, cell.set(1), cell.get());

    let cell = OnceLock::new();
    panics(|| {
        cell.get_or_init(|| panic!("on purpose"));
    });
    panics(|| {
        cell.get_or_init(|| panic!("once more"));
    });
    note!(log, cell.get_or_init(|| 2), cell.into_inner());

    // Those who wait do not mind.
    let cell = OnceLock::new();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| *cell.wait());
        panics(|| {
            cell.get_or_init(|| panic!("on purpose"));
        });
        cell.set(3).unwrap();
        note!(log, waiter.join().unwrap());
    });

    let mut cell: OnceLock<u32> = OnceLock::new();
    panics(|| {
        cell.get_or_init(|| panic!("on purpose"));
    });
    note!(log, cell.take(), cell.into_inner());
    log
}

pub(crate) fn once_lock_drops() -> Log {
    let mut log = Log::new();
    let drops = Cell::new(0);
    let value = || OnDrop(|| drops.set(drops.get() + 1));
    drop(OnceLock::from(value()));
    note!(log, drops.get());
    let cell = OnceLock::new();
    drop(cell.set(value()));
    drop(cell.set(value()));
    note!(log, drops.get());
    drop(cell.into_inner());
    note!(log, drops.get());
    let mut cell = OnceLock::from(value());
    drop(cell.take());
    drop(cell);
    note!(log, drops.get());
    let cell = OnceLock::new();
    panics(|| {
        cell.get_or_init(|| {
            let _value = value();
            panic!("on purpose")
        });
    });
    note!(log, drops.get());
    drop::<OnceLock<OnDrop<fn()>>>(cell);
    note!(log, drops.get());
    log
}

/// What it refers to may be gone when it is dropped.
pub(crate) fn once_lock_outlives_its_value() -> Log {
    let mut log = Log::new();
    let cell = OnceLock::new();
    let value = "value".to_owned();
    cell.set(value.as_str()).unwrap();
    note!(log, cell);
    drop(value);
    log
}

pub(crate) fn once_lock_races() -> Log {
    let (cell, calls) = (OnceLock::new(), AtomicU32::new(0));
    let seen = thread::scope(|scope| {
        let threads = [(); 4].map(|()| {
            scope.spawn(|| *cell.get_or_init(|| calls.fetch_add(1, SeqCst)) + *cell.wait())
        });
        threads.map(|thread| thread.join().unwrap())
    });
    vec![format!("{seen:?} {calls:?}")]
}

pub(crate) fn lazy_lock() -> Log {
    static LAZY: LazyLock<String> = LazyLock::new(|| "a".to_owned());
    let mut log = Log::new();
    note!(log, LAZY, LazyLock::get(&LAZY));
    note!(log, *LAZY, LAZY, LazyLock::get(&LAZY), LazyLock::force(&LAZY));

    let calls = Cell::new(0);
    let mut lazy = LazyLock::new(|| calls.replace(calls.get() + 1));
    note!(log, LazyLock::get_mut(&mut lazy));
    *lazy += 10;
    note!(log, *lazy, LazyLock::get_mut(&mut lazy), LazyLock::force_mut(&mut lazy), calls);
    let mut lazy = LazyLock::<u32>::default();
    note!(log, lazy, LazyLock::force_mut(&mut lazy), lazy);
    log
}

pub(crate) fn lazy_lock_poisoned() -> Log {
    let mut log = Log::new();
    let calls = Cell::new(0);
    let mut lazy = LazyLock::new(|| -> u32 {
        calls.set(calls.get() + 1);
        panic!("on purpose")
    });
    for _ in 0..2 {
        panics(|| {
            let _value = *lazy;
        });
        note!(log, calls, lazy, LazyLock::get(&lazy));
    }
    panics(|| {
        LazyLock::force(&lazy);
    });
    note!(log, LazyLock::get_mut(&mut lazy));
    panics(|| *lazy += 1);
    panics(|| {
        LazyLock::force_mut(&mut lazy);
    });
    note!(log, calls);

    let mut lazy = LazyLock::new(|| -> u32 { panic!("on purpose") });
    panics(|| {
        LazyLock::force_mut(&mut lazy);
    });
    note!(log, lazy, LazyLock::get_mut(&mut lazy));
    panics(|| {
        LazyLock::force(&lazy);
    });

    // Another thread sees it.
    static POISONED: LazyLock<u32> = LazyLock::new(|| panic!("on purpose"));
    let seen = [(); 2].map(|()| thread::spawn(|| *POISONED).join().is_err());
    note!(log, seen);
    log
}

pub(crate) fn lazy_lock_drops() -> Log {
    let mut log = Log::new();
    let (makers, values) = (Cell::new(0), Cell::new(0));
    let lazy = || {
        let maker = OnDrop(|| makers.set(makers.get() + 1));
        let values = &values;
        LazyLock::new(move || {
            let _maker = &maker;
            OnDrop(|| values.set(values.get() + 1))
        })
    };
    drop(lazy());
    note!(log, makers, values);
    let forced = lazy();
    LazyLock::force(&forced);
    note!(log, makers, values);
    drop(forced);
    note!(log, makers, values);

    let maker = OnDrop(|| makers.set(makers.get() + 1));
    let poisoned = LazyLock::new(move || -> u32 {
        let _maker = &maker;
        panic!("on purpose")
    });
    panics(|| {
        LazyLock::force(&poisoned);
    });
    note!(log, makers);
    drop(poisoned);
    note!(log, makers);
    log
}
