//! Evidence for no lost and no causeless wake on real threads: everything that a condition variable can do, mixed at
//! random, with all kinds of locks. `PARKADE_SEED` repeats a run's choices, `PARKADE_STRESS_SECS` sets the length of
//! each case.

mod support;

use std::{
    collections::VecDeque,
    ops::DerefMut,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use parkade::{
    Condvar, FairMutex, FairMutexGuard, Mutex, MutexGuard, RwLock, RwLockWriteGuard, WaitGuard,
};
use support::{Rng, Watchdog, Witness, in_bursts, parked_on, seed, stress_time};

/// A lock that a waiter holds alone.
trait Place<T>: From<T> + Sync {
    type Guard<'a>: WaitGuard + DerefMut<Target = T>
    where
        Self: 'a;

    fn hold(&self) -> Self::Guard<'_>;
}

impl<T: Send> Place<T> for Mutex<T> {
    type Guard<'a>
        = MutexGuard<'a, T>
    where
        Self: 'a;

    fn hold(&self) -> Self::Guard<'_> {
        self.lock()
    }
}

impl<T: Send> Place<T> for FairMutex<T> {
    type Guard<'a>
        = FairMutexGuard<'a, T>
    where
        Self: 'a;

    fn hold(&self) -> Self::Guard<'_> {
        self.lock()
    }
}

impl<T: Send + Sync> Place<T> for RwLock<T> {
    type Guard<'a>
        = RwLockWriteGuard<'a, T>
    where
        Self: 'a;

    fn hold(&self) -> Self::Guard<'_> {
        self.write()
    }
}

fn short(rng: &mut Rng) -> Duration {
    // Most of them about as long as it takes to be notified.
    let longest = if rng.below(4) == 0 { 1_000_000 } else { 30_000 };
    Duration::from_nanos(rng.below(longest))
}

/// Notifications race timeouts: what notifiers were told they did, waiters were told was done to them.
fn counts<P: Place<Witness>>(name: &str, waiters: usize, notifiers: usize) {
    let seed = seed();
    let (place, changed) = (P::from(Witness::new()), Condvar::new());
    let (given, taken, late) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let stop = AtomicBool::new(false);
    let threads = waiters + notifiers;
    let name = format!("{name}, counts, {waiters} + {notifiers} threads, PARKADE_SEED={seed}");
    let watchdog = Watchdog::new(&*name, threads);
    thread::scope(|scope| {
        for index in 0..threads {
            let progress = watchdog.thread(index);
            let mut rng = Rng::new(seed ^ (index as u64) << 48);
            let (place, changed, given, taken, late, stop) =
                (&place, &changed, &given, &taken, &late, &stop);
            scope.spawn(move || {
                while !stop.load(Relaxed) {
                    if index < waiters {
                        let mut guard = place.hold();
                        guard.section(|| {});
                        let ended = changed.wait_for(&mut guard, short(&mut rng));
                        guard.section(|| {});
                        let count = if ended.timed_out() { late } else { taken };
                        count.fetch_add(1, Relaxed);
                    } else {
                        let guard = (rng.below(2) == 0).then(|| place.hold());
                        let notified = match rng.below(3) {
                            0 => changed.notify_all(),
                            _ => usize::from(changed.notify_one()),
                        };
                        given.fetch_add(notified as u64, Relaxed);
                        drop(guard);
                        if rng.below(4) == 0 {
                            thread::sleep(Duration::from_nanos(rng.below(20_000)));
                        }
                    }
                    progress.step();
                }
            });
        }
        thread::sleep(stress_time());
        stop.store(true, Relaxed);
    });
    assert_eq!(given.load(Relaxed), taken.load(Relaxed), "{name}");
    assert!(parked_on(&changed).is_empty() && parked_on(&place).is_empty(), "{name}");
    assert_eq!(changed.notify_all(), 0);
    println!("{name}: {taken:?} notified, {late:?} late");
}

/// A queue with room for a few, and two conditions, waited for without a timeout: one lost wake, and it stands still.
#[derive(Default)]
struct Queue {
    items: VecDeque<u64>,
    closed: bool,
}

const ROOM: usize = 3;

fn bounded_queue<P: Place<Queue>>(name: &str, producers: usize, consumers: usize) {
    let seed = seed();
    let place = P::from(Queue::default());
    let (not_empty, not_full) = (Condvar::new(), Condvar::new());
    let (sent, received) = (AtomicU64::new(0), AtomicU64::new(0));
    let threads = producers + consumers;
    let name = format!("{name}, queue, {producers} + {consumers} threads, PARKADE_SEED={seed}");
    let watchdog = Watchdog::new(&*name, threads);
    let end = Instant::now() + stress_time();
    let (place, not_empty, not_full) = (&place, &not_empty, &not_full);
    thread::scope(|scope| {
        let producers: Vec<_> = (0..producers)
            .map(|index| {
                let progress = watchdog.thread(index);
                let mut rng = Rng::new(seed ^ (index as u64) << 48);
                let sent = &sent;
                scope.spawn(move || {
                    while Instant::now() < end {
                        let mut guard = place.hold();
                        while guard.items.len() >= ROOM {
                            not_full.wait(&mut guard);
                        }
                        let item = rng.below(1000);
                        guard.items.push_back(item);
                        sent.fetch_add(item, Relaxed);
                        // One waits for each item at most, so one is to be woken for each.
                        if rng.below(2) == 0 {
                            drop(guard);
                            not_empty.notify_one();
                        } else {
                            not_empty.notify_one();
                        }
                        progress.step();
                    }
                })
            })
            .collect();
        for index in threads - consumers..threads {
            let progress = watchdog.thread(index);
            let received = &received;
            scope.spawn(move || {
                loop {
                    let mut guard = place.hold();
                    while guard.items.is_empty() && !guard.closed {
                        not_empty.wait(&mut guard);
                    }
                    let Some(item) = guard.items.pop_front() else {
                        break;
                    };
                    received.fetch_add(item, Relaxed);
                    not_full.notify_one();
                    progress.step();
                }
            });
        }
        producers.into_iter().for_each(|producer| producer.join().unwrap());
        place.hold().closed = true;
        not_empty.notify_all();
    });
    assert_eq!(sent.load(Relaxed), received.load(Relaxed), "{name}");
    println!("{name}: {received:?} received");
}

/// All meet, round after round, where the last to come notifies the others, who sleep until then: nobody comes by later who
/// could make up for a wake-up that went missing.
fn barrier<P: Place<(usize, u64)>>(name: &str, threads: usize) {
    let seed = seed();
    let (place, changed) = (P::from((0, 0)), Condvar::new());
    let name = format!("{name}, barrier of {threads}, PARKADE_SEED={seed}");
    let rounds = in_bursts(&name, threads, seed, |_, rng| {
        for _ in 0..rng.below(50) {
            std::hint::spin_loop();
        }
        let mut guard = place.hold();
        let round = guard.1;
        guard.0 += 1;
        if guard.0 == threads {
            *guard = (0, round + 1);
            let guard = (rng.below(2) == 0).then_some(guard);
            // Those who have come wait, but for some that have given up the lock to look again.
            assert!(changed.notify_all() < threads);
            drop(guard);
            return 1;
        }
        let mut waits = 0;
        while guard.1 == round {
            changed.wait(&mut guard);
            waits += 1;
        }
        assert_eq!(waits, 1, "woken without a cause");
        0
    });
    assert_eq!(place.hold().1, rounds, "{name}");
    println!("{name}: {rounds} rounds");
}

macro_rules! cases {
    ($($module:ident: $lock:ident;)+) => {$(
        mod $module {
            use super::*;

            #[test]
            fn counts_of_few() {
                counts::<$lock<_>>(stringify!($module), 2, 1);
            }

            #[test]
            fn counts_of_many() {
                counts::<$lock<_>>(stringify!($module), 12, 4);
            }

            #[test]
            fn queue_of_two() {
                bounded_queue::<$lock<_>>(stringify!($module), 1, 1);
            }

            #[test]
            fn queue_of_many() {
                bounded_queue::<$lock<_>>(stringify!($module), 8, 8);
            }

            #[test]
            fn barrier_of_two() {
                barrier::<$lock<_>>(stringify!($module), 2);
            }

            #[test]
            fn barrier_of_seven() {
                barrier::<$lock<_>>(stringify!($module), 7);
            }
        }
    )+};
}

cases! {
    mutex: Mutex;
    fair_mutex: FairMutex;
    rwlock: RwLock;
}

/// Waiters with several locks on one condition variable, for whom notifiers sort out where they belong.
#[test]
fn several_locks() {
    const LOCKS: usize = 3;
    const WAITERS: usize = 6;
    let seed = seed();
    let changed = Condvar::new();
    let mutexes = [const { Mutex::new(Witness::new()) }; LOCKS];
    let fair = FairMutex::new(Witness::new());
    let (given, taken) = (AtomicU64::new(0), AtomicU64::new(0));
    let stop = AtomicBool::new(false);
    let watchdog = Watchdog::new(format!("several locks, PARKADE_SEED={seed}"), WAITERS + 2);
    thread::scope(|scope| {
        let (changed, mutexes, fair, given, taken, stop) =
            (&changed, &mutexes, &fair, &given, &taken, &stop);
        for index in 0..WAITERS {
            let progress = watchdog.thread(index);
            let mut rng = Rng::new(seed ^ (index as u64) << 48);
            scope.spawn(move || {
                while !stop.load(Relaxed) {
                    let which = rng.below(LOCKS as u64 + 1) as usize;
                    let ended = match mutexes.get(which) {
                        Some(mutex) => {
                            let mut guard = mutex.lock();
                            guard.section(|| {});
                            changed.wait_for(&mut guard, short(&mut rng))
                        }
                        None => changed.wait_for(&mut fair.lock(), short(&mut rng)),
                    };
                    taken.fetch_add(u64::from(!ended.timed_out()), Relaxed);
                    progress.step();
                }
            });
        }
        for index in WAITERS..WAITERS + 2 {
            let progress = watchdog.thread(index);
            let mut rng = Rng::new(seed ^ (index as u64) << 48);
            scope.spawn(move || {
                while !stop.load(Relaxed) {
                    let lock = &mutexes[rng.below(LOCKS as u64) as usize];
                    let guard = (rng.below(2) == 0).then(|| lock.lock());
                    let notified = match rng.below(2) {
                        0 => changed.notify_all(),
                        _ => usize::from(changed.notify_one()),
                    };
                    given.fetch_add(notified as u64, Relaxed);
                    drop(guard);
                    progress.step();
                }
            });
        }
        thread::sleep(stress_time());
        stop.store(true, Relaxed);
    });
    assert_eq!(given.load(Relaxed), taken.load(Relaxed));
    assert!(parked_on(&changed).is_empty());
    assert!(mutexes.iter().all(|mutex| !mutex.is_locked()) && !fair.is_locked());
}
