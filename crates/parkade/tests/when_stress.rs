//! Evidence that no wake-up goes missing between threads that wait for conditions, with and without deadlines, and those
//! who lock as anybody: exact counts, in real time.

mod support;

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use parkade::{Condvar, Mutex, MutexGuard, prelude::*};
use support::{Rng, Watchdog, in_bursts, parked_on, seed, stress_time};

#[derive(Default)]
struct Queue {
    items: VecDeque<u64>,
    closed: bool,
}

const ROOM: usize = 3;

fn has_room(queue: &Queue) -> bool {
    queue.items.len() < ROOM
}

fn has_item_or_is_closed(queue: &Queue) -> bool {
    !queue.items.is_empty() || queue.closed
}

/// Whom a queue has to do with besides those who use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bystanders {
    None,
    /// Threads that lock as anybody, wait with a timeout, give up, and wait for a condition variable.
    Many,
}

/// How a queue's users wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patience {
    /// As long as it takes: one lost wake, and it stands still.
    Endless,
    /// Short, again and again.
    Short,
}

fn lock_when<'a, F: Fn(&Queue) -> bool + Send + Copy>(
    queue: &'a Mutex<Queue>,
    condition: F,
    patience: Patience,
    rng: &mut Rng,
) -> MutexGuard<'a, Queue> {
    loop {
        let short = Duration::from_micros(rng.below(200));
        match (patience, rng.below(4)) {
            (Patience::Endless, 0 | 1) => return queue.lock_when(condition),
            (Patience::Endless, _) => {
                let mut guard = queue.lock();
                guard.wait_until(condition);
                return guard;
            }
            (Patience::Short, 0) => {
                if let Some(guard) = queue.try_lock_when(condition) {
                    return guard;
                }
            }
            (Patience::Short, 1 | 2) => {
                if let Some(guard) = queue.try_lock_when_for(condition, short) {
                    return guard;
                }
            }
            (Patience::Short, _) => {
                let mut guard = queue.lock();
                if !guard.wait_until_for(condition, short).timed_out() {
                    return guard;
                }
            }
        }
    }
}

fn unlock(guard: MutexGuard<'_, Queue>, rng: &mut Rng) {
    match rng.below(8) {
        0 => MutexGuard::unlock_fair(guard),
        1 => {
            let mut guard = guard;
            MutexGuard::bump(&mut guard);
        }
        _ => drop(guard),
    }
}

fn bounded_queue(users: usize, patience: Patience, bystanders: Bystanders) {
    let seed = seed();
    let queue = Mutex::new(Queue::default());
    let nobody_notifies = Condvar::new();
    let (sent, received) = (AtomicU64::new(0), AtomicU64::new(0));
    let over = AtomicBool::new(false);
    let others = if bystanders == Bystanders::Many { 3 } else { 0 };
    let name =
        format!("queue, {users} + {users}, {patience:?}, {bystanders:?}, PARKADE_SEED={seed}");
    let watchdog = Watchdog::new(&*name, 2 * users + others);
    let end = Instant::now() + stress_time().mul_f64(0.3);
    let (queue, over, nobody_notifies) = (&queue, &over, &nobody_notifies);
    let rng = |index: usize| Rng::new(seed ^ (index as u64) << 48);
    thread::scope(|scope| {
        let users_of = |kind: usize| (0..users).map(move |user| kind * users + user);
        let producers: Vec<_> = users_of(0)
            .map(|index| {
                let (progress, mut rng, sent) = (watchdog.thread(index), rng(index), &sent);
                // Half of them have a condition with a state of its own.
                let room = ROOM - index % 2;
                scope.spawn(move || {
                    while Instant::now() < end {
                        let mut guard = match index % 2 {
                            0 => lock_when(queue, has_room, patience, &mut rng),
                            _ => {
                                let has = move |queue: &Queue| queue.items.len() < room;
                                lock_when(queue, has, patience, &mut rng)
                            }
                        };
                        assert!(guard.items.len() < room);
                        let item = rng.below(1000);
                        guard.items.push_back(item);
                        sent.fetch_add(item, Relaxed);
                        unlock(guard, &mut rng);
                        progress.step();
                    }
                })
            })
            .collect();
        for index in users_of(1) {
            let (progress, mut rng, received) = (watchdog.thread(index), rng(index), &received);
            scope.spawn(move || {
                loop {
                    let mut guard = lock_when(queue, has_item_or_is_closed, patience, &mut rng);
                    let Some(item) = guard.items.pop_front() else {
                        assert!(guard.closed);
                        break;
                    };
                    received.fetch_add(item, Relaxed);
                    unlock(guard, &mut rng);
                    progress.step();
                }
            });
        }
        for index in 2 * users..2 * users + others {
            let (progress, mut rng) = (watchdog.thread(index), rng(index));
            scope.spawn(move || {
                while !over.load(Relaxed) {
                    let short = Duration::from_micros(rng.below(100));
                    match rng.below(4) {
                        0 => drop(queue.try_lock_for(short)),
                        1 => drop(queue.lock()),
                        2 => drop(queue.try_lock_when_for(|queue| queue.items.len() > ROOM, short)),
                        _ => drop(nobody_notifies.wait_for(&mut queue.lock(), short)),
                    }
                    progress.step();
                }
            });
        }
        producers.into_iter().for_each(|producer| producer.join().unwrap());
        // Consumers rely on this release alone if there are no bystanders.
        queue.lock().closed = true;
        if bystanders == Bystanders::Many {
            let drained = |queue: &Queue| queue.closed && queue.items.is_empty();
            drop(queue.lock_when(drained));
            over.store(true, Relaxed);
        }
    });
    assert_eq!(sent.load(Relaxed), received.load(Relaxed), "{name}");
    assert!(parked_on(queue).is_empty(), "{name}");
    println!("{name}: {received:?} received");
}

#[test]
fn queue_of_two() {
    bounded_queue(1, Patience::Endless, Bystanders::None);
}

#[test]
fn queue_of_many() {
    bounded_queue(6, Patience::Endless, Bystanders::None);
}

#[test]
fn queue_of_the_impatient() {
    bounded_queue(4, Patience::Short, Bystanders::None);
}

#[test]
fn queue_among_others() {
    bounded_queue(3, Patience::Endless, Bystanders::Many);
}

#[test]
fn queue_of_the_impatient_among_others() {
    bounded_queue(2, Patience::Short, Bystanders::Many);
}

/// All meet, round after round, and sleep until the last has come: nobody comes by later who could make up for a wake-up that
/// went missing. Some leave the wait and come back.
fn barrier(threads: usize) {
    let seed = seed();
    let place = Mutex::new((0, 0_u64));
    let name = format!("barrier of {threads}, PARKADE_SEED={seed}");
    let rounds = in_bursts(&name, threads, seed, |_, rng| {
        let mut guard = place.lock();
        let round = guard.1;
        guard.0 += 1;
        if guard.0 == threads {
            *guard = (0, round + 1);
            return 1;
        }
        let over = move |place: &(usize, u64)| place.1 > round;
        while rng.below(3) == 0 {
            if !guard.wait_until_for(over, Duration::from_micros(rng.below(40))).timed_out() {
                return 0;
            }
        }
        guard.wait_until(over);
        assert_eq!(guard.1, round + 1, "the next round cannot be over");
        0
    });
    assert_eq!(place.lock().1, rounds, "{name}");
    println!("{name}: {rounds} rounds");
}

#[test]
fn barrier_of_two() {
    barrier(2);
}

#[test]
fn barrier_of_seven() {
    barrier(7);
}
