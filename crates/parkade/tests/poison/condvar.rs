//! What is to be seen of a condition variable.

use std::{fmt::Debug, sync::mpsc, thread, time::Duration};

use super::sync::{Condvar, LockResult, Mutex, MutexGuard, WaitTimeoutResult};
use crate::{Log, OnDrop, note, panics};

/// Long enough for whatever is on its way.
const LONG: Duration = Duration::from_secs(600);
const SHORT: Duration = Duration::from_millis(1);

type Timed<'a, T> = (MutexGuard<'a, T>, WaitTimeoutResult);

/// A result with what it holds.
fn all<T: Debug>(result: LockResult<T>) -> Result<String, String> {
    match result {
        Ok(guard) => Ok(format!("{guard:?}")),
        Err(poisoned) => Err(format!("poisoned {:?}", poisoned.into_inner())),
    }
}

fn poison<T>(lock: &Mutex<T>) {
    panics(|| {
        let _guard = lock.lock();
        panic!("on purpose");
    });
}

/// A thread that waits as `wait` does for a one, and somebody who makes it one as `change` does, once the
/// thread waits.
fn met<T: Debug + Send>(
    wait: impl Fn(&Condvar, MutexGuard<'_, u32>) -> T + Sync,
    change: impl FnOnce(&Condvar, MutexGuard<'_, u32>),
) -> T {
    let (lock, changed) = (Mutex::new(0), Condvar::new());
    let (waiting, is_waiting) = mpsc::channel();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            let guard = lock.lock().unwrap();
            waiting.send(()).unwrap();
            wait(&changed, guard)
        });
        is_waiting.recv().unwrap();
        // To have the lock, it has to wait.
        change(&changed, lock.lock().unwrap());
        waiter.join().unwrap()
    })
}

/// A `wait` that may come back too soon.
fn until_changed<'a>(
    changed: &Condvar,
    mut guard: MutexGuard<'a, u32>,
) -> LockResult<MutexGuard<'a, u32>> {
    while *guard == 0 {
        guard = changed.wait(guard)?;
    }
    Ok(guard)
}

/// The same for `wait_timeout`.
fn until_changed_or_late<'a>(
    changed: &Condvar,
    mut guard: MutexGuard<'a, u32>,
) -> LockResult<Timed<'a, u32>> {
    loop {
        let (next, ended) = changed.wait_timeout(guard, LONG)?;
        guard = next;
        if *guard != 0 || ended.timed_out() {
            return Ok((guard, ended));
        }
    }
}

fn change_and_notify(changed: &Condvar, mut guard: MutexGuard<'_, u32>) {
    *guard = 1;
    changed.notify_one();
}

fn change_and_panic(changed: &Condvar, mut guard: MutexGuard<'_, u32>) {
    panics(|| {
        *guard = 1;
        changed.notify_all();
        let _guard = guard;
        panic!("on purpose");
    });
}

pub(crate) fn notified() -> Log {
    let mut log = Log::new();
    note!(log, met(|changed, guard| all(until_changed(changed, guard)), change_and_notify));
    note!(log, met(|changed, guard| all(until_changed_or_late(changed, guard)), change_and_notify));
    note!(
        log,
        met(|changed, guard| all(changed.wait_while(guard, |n| *n == 0)), change_and_notify),
        met(
            |changed, guard| all(changed.wait_timeout_while(guard, LONG, |n| *n == 0)),
            change_and_notify
        ),
    );
    // Not the one that holds the lock.
    note!(
        log,
        met(
            |changed, guard| all(until_changed(changed, guard)),
            |changed, mut guard| {
                *guard = 1;
                drop(guard);
                changed.notify_all();
            }
        )
    );
    log
}

pub(crate) fn notified_in_vain() -> Log {
    /// A thread that waits with `wait` for a one, and tells of each look.
    fn looks_again(
        wait: impl Fn(&Condvar, MutexGuard<'_, u32>, &mut dyn FnMut(&mut u32) -> bool) -> String + Sync,
    ) -> String {
        let (lock, changed) = (Mutex::new(0), Condvar::new());
        let (looked, has_looked) = mpsc::channel();
        thread::scope(|scope| {
            let (lock, changed, wait) = (&lock, &changed, &wait);
            let waiter = scope.spawn(move || {
                let mut condition = |value: &mut u32| {
                    looked.send(()).unwrap();
                    *value == 0
                };
                wait(changed, lock.lock().unwrap(), &mut condition)
            });
            has_looked.recv().unwrap();
            // To have the lock, it has to wait.
            drop(lock.lock().unwrap());
            changed.notify_one();
            has_looked.recv().expect("it looks at its condition again");
            change_and_notify(changed, lock.lock().unwrap());
            waiter.join().unwrap()
        })
    }

    let mut log = Log::new();
    note!(
        log,
        looks_again(|changed, guard, condition| {
            format!("{:?}", all(changed.wait_while(guard, condition)))
        }),
        looks_again(|changed, guard, condition| {
            format!("{:?}", all(changed.wait_timeout_while(guard, LONG, condition)))
        }),
    );
    log
}

pub(crate) fn poisoned_meanwhile() -> Log {
    let mut log = Log::new();
    note!(log, met(|changed, guard| all(until_changed(changed, guard)), change_and_panic));
    note!(log, met(|changed, guard| all(until_changed_or_late(changed, guard)), change_and_panic));
    note!(
        log,
        met(|changed, guard| all(changed.wait_while(guard, |n| *n == 0)), change_and_panic),
        met(
            |changed, guard| all(changed.wait_timeout_while(guard, LONG, |n| *n == 0)),
            change_and_panic
        ),
    );
    log
}

pub(crate) fn poisoned_before() -> Log {
    let mut log = Log::new();
    let (lock, changed) = (Mutex::new(0), Condvar::new());
    poison(&lock);
    let guard = || lock.lock().unwrap_err().into_inner();
    note!(
        log,
        all(changed.wait_timeout(guard(), SHORT)),
        all(changed.wait_timeout(guard(), Duration::ZERO)),
        // Nobody looks at the poison if there is nothing to wait for.
        all(changed.wait_while(guard(), |_| false)),
        all(changed.wait_timeout_while(guard(), SHORT, |_| false)),
        all(changed.wait_timeout_while(guard(), LONG, |_| false)),
    );
    // A guard from an error is still a guard.
    let (guard, ended) = changed.wait_timeout(guard(), SHORT).unwrap_err().into_inner();
    note!(log, guard, ended, lock);
    drop(guard);
    note!(log, lock);
    lock.clear_poison();
    note!(log, all(changed.wait_timeout(lock.lock().unwrap(), SHORT)));
    log
}

pub(crate) fn poisoned_while_the_condition_holds() -> Log {
    let mut log = Log::new();
    let (lock, changed) = (Mutex::new(0), Condvar::new());
    poison(&lock);
    let mut looks = 0;
    let guard = lock.lock().unwrap_err().into_inner();
    let result = changed.wait_timeout_while(guard, Duration::from_millis(20), |value| {
        *value += 1;
        looks += 1;
        true
    });
    // The first wait finds the poison.
    note!(log, result.is_err());
    drop(result);
    note!(log, looks, lock);
    log
}

pub(crate) fn timed_out() -> Log {
    let mut log = Log::new();
    let (lock, changed) = (Mutex::new(0), Condvar::new());
    for timeout in [Duration::ZERO, Duration::from_nanos(1), SHORT] {
        let mut guard = lock.lock().unwrap();
        loop {
            let (next, ended) = changed.wait_timeout(guard, timeout).unwrap();
            guard = next;
            if ended.timed_out() {
                note!(log, guard, ended);
                break;
            }
        }
        drop(guard);
        note!(log, all(changed.wait_timeout_while(lock.lock().unwrap(), timeout, |_| true)));
        note!(log, all(changed.wait_timeout_while(lock.lock().unwrap(), timeout, |_| false)));
    }
    #[allow(deprecated, reason = "it is still there")]
    let ended = all(changed.wait_timeout_ms(lock.lock().unwrap(), 0));
    note!(log, ended, lock);
    log
}

/// What a condition that panics leaves.
pub(crate) fn condition_that_panics() -> Log {
    let mut log = Log::new();
    let (lock, changed) = (Mutex::new(0), Condvar::new());
    panics(|| drop(changed.wait_while(lock.lock().unwrap(), |_| panic!("on purpose"))));
    note!(log, lock, lock.try_lock().is_err());
    lock.clear_poison();
    panics(|| {
        drop(changed.wait_timeout_while(lock.lock().unwrap(), SHORT, |_| panic!("on purpose")));
    });
    note!(log, lock);
    log
}

/// A guard that has been waited with is as old as before.
pub(crate) fn waiting_while_panicking() -> Log {
    let mut log = Log::new();
    let (lock, changed) = (Mutex::new(0), Condvar::new());
    panics(|| {
        let _late = OnDrop(|| {
            let guard = lock.lock().unwrap();
            drop(changed.wait_timeout(guard, SHORT).unwrap());
        });
        panic!("on purpose");
    });
    note!(log, lock);
    panics(|| {
        let mut guard = Some(lock.lock().unwrap());
        let _late = OnDrop(|| {
            let guard = guard.take().unwrap();
            drop(changed.wait_timeout(guard, SHORT).unwrap());
        });
        panic!("on purpose");
    });
    note!(log, lock);
    log
}

pub(crate) fn everybody() -> Log {
    let (lock, changed) = (Mutex::new((0, false)), Condvar::new());
    let (waiting, is_waiting) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..4 {
            let (lock, changed, waiting) = (&lock, &changed, waiting.clone());
            scope.spawn(move || {
                let guard = lock.lock().unwrap();
                waiting.send(()).unwrap();
                let mut guard = changed.wait_while(guard, |(_, go)| !*go).unwrap();
                guard.0 += 1;
            });
        }
        (0..4).for_each(|_| is_waiting.recv().unwrap());
        lock.lock().unwrap().1 = true;
        changed.notify_all();
    });
    vec![format!("{lock:?}")]
}

pub(crate) fn made_and_shown() -> Log {
    static CHANGED: Condvar = Condvar::new();
    let mut log = Log::new();
    let nothing: () = CHANGED.notify_one();
    note!(log, nothing, CHANGED, Condvar::default());
    let nothing: () = CHANGED.notify_all();
    note!(log, nothing);
    let lock = Mutex::new(());
    let (_guard, ended) =
        CHANGED.wait_timeout_while(lock.lock().unwrap(), Duration::ZERO, |()| false).unwrap();
    let by_reference: fn(&WaitTimeoutResult) -> bool = WaitTimeoutResult::timed_out;
    note!(log, ended, by_reference(&ended));
    log
}
