//! Evidence that keys are exclusive and values neither lost nor dropped twice when many threads lock, insert,
//! remove, evict and walk at once: exact counts for each key, on real threads.

#![cfg(feature = "keyed")]

mod support;

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread,
    time::Duration,
};

use parkade::keyed::{LockMap, LockMapGuard};
use support::{Pace, Rng, Watchdog, Witness, pause, section_body, seed};

/// What became of values of all keys.
#[derive(Debug, Default)]
struct Books {
    made: AtomicU64,
    dropped: AtomicU64,
    /// Sections in values that are dropped.
    gone: AtomicU64,
    /// Sections by keys.
    sections: Vec<AtomicU64>,
}

impl Books {
    fn new(keys: u64) -> Books {
        Books { sections: (0..keys).map(|_| AtomicU64::new(0)).collect(), ..Books::default() }
    }
}

/// A value that counts its sections, which are exclusive.
struct Value<'b> {
    books: &'b Books,
    witness: Witness,
}

impl<'b> Value<'b> {
    fn new(books: &'b Books) -> Value<'b> {
        books.made.fetch_add(1, Relaxed);
        Value { books, witness: Witness::new() }
    }
}

impl Drop for Value<'_> {
    fn drop(&mut self) {
        self.books.dropped.fetch_add(1, Relaxed);
        self.books.gone.fetch_add(self.witness.count(), Relaxed);
    }
}

type Map<'b> = LockMap<u64, Value<'b>>;

/// Sections that were counted nowhere but here, by key.
fn turn<'b>(map: &Map<'b>, books: &'b Books, rng: &mut Rng, pace: Pace) {
    let key = rng.below(books.sections.len() as u64);
    let inside = rng.clone();
    let section = |value: &mut Value<'b>| {
        value.witness.section(|| section_body(pace, &mut inside.clone()));
        books.sections[key as usize].fetch_add(1, Relaxed);
    };
    let soon = Duration::from_micros(50);
    match rng.next() % 32 {
        0..12 => section(&mut map.lock_or_insert_with(&key, || Value::new(books))),
        12..16 => section(&mut map.entry(key).or_insert_with(|| Value::new(books))),
        16..18 => {
            if let Some(mut value) = map.get(&key) {
                section(&mut value);
            }
        }
        18..20 => {
            if let Some(entry) = map.try_lock(&key) {
                section(&mut entry.or_insert_with(|| Value::new(books)));
            }
        }
        20..22 => {
            if let Ok(Some(mut value)) = map.try_get_for(&key, soon) {
                section(&mut value);
            }
        }
        22 => {
            if let Some(mut entry) = map.try_lock_for(&key, soon) {
                drop(entry.insert(Value::new(books)));
            }
        }
        23 => drop(map.insert(key, Value::new(books))),
        24 => drop(map.remove(&key)),
        25 => drop(map.get(&key).map(LockMapGuard::remove)),
        26 => {
            let mut many = map.lock_many(&[key, rng.next() % 64, rng.next() % 64]);
            let entry = many.get_mut(&key).unwrap();
            if entry.value().is_none() {
                entry.insert(Value::new(books));
            }
            section(entry.value_mut().unwrap());
        }
        27 => drop(map.evict_idle(Duration::ZERO)),
        28 => drop(map.drain_idle(Duration::ZERO)),
        29 => map.for_each(|key, value| {
            value.witness.section(|| ());
            books.sections[*key as usize].fetch_add(1, Relaxed);
        }),
        30 => map.retain(|_, value| value.witness.count() < 20),
        _ => {
            let _ = (map.len(), map.contains_key(&key), map.keys(), map.snapshot().len());
        }
    }
}

fn stress<'b>(case: &str, map: Map<'b>, books: &'b Books, threads: usize, turns: u64, pace: Pace) {
    let seed = seed();
    let watchdog = Watchdog::new(format!("{case}, seed {seed}"), threads);
    thread::scope(|scope| {
        for index in 0..threads {
            let (map, progress) = (&map, watchdog.thread(index));
            let mut rng = Rng::new(seed ^ (index as u64) << 48);
            scope.spawn(move || {
                for _ in 0..turns {
                    turn(map, books, &mut rng, pace);
                    pause(pace, &mut rng);
                    progress.step();
                }
            });
        }
    });
    assert!(map.snapshot().is_empty(), "{case}: left {:?}", map.snapshot());
    let len = map.len() as u64;
    assert_eq!(books.made.load(Relaxed) - books.dropped.load(Relaxed), len, "{case}: values");
    let mut left = 0;
    map.for_each(|_, value| left += value.witness.count());
    let total: u64 = books.sections.iter().map(|count| count.load(Relaxed)).sum();
    assert_eq!(books.gone.load(Relaxed) + left, total, "{case}: sections");
    drop(map);
    assert_eq!(books.made.load(Relaxed), books.dropped.load(Relaxed), "{case}: drops");
    assert_eq!(books.gone.load(Relaxed), total, "{case}");
}

#[test]
fn everything_at_once() {
    for (keys, threads) in [(1, 4), (8, 4), (64, 6)] {
        let books = Books::new(64.max(keys));
        // Keys of `lock_many` are any of 64.
        let case = format!("{threads} threads, {keys} keys");
        stress(&case, Map::new(), &books, threads, 3000, Pace::Tight);
    }
}

#[test]
fn everything_at_once_with_an_idle_limit() {
    for limit in [Duration::ZERO, Duration::from_millis(2)] {
        let books = Books::new(2000);
        let map = Map::with_idle_limit(limit);
        stress(&format!("limit {limit:?}"), map, &books, 4, 4000, Pace::Tight);
    }
}

#[test]
fn everything_at_once_with_pauses() {
    let books = Books::new(64);
    stress("with pauses", Map::new(), &books, 6, 1000, Pace::Mixed);
}

/// Each key's own count, with evictions that take it along: what is handed out and what is left make the whole.
#[test]
fn counts_by_key() {
    const THREADS: usize = 4;
    const KEYS: u64 = 16;
    const TURNS: u64 = 20_000;

    let seed = seed();
    let watchdog = Watchdog::new(format!("counts by key, seed {seed}"), THREADS);
    let map = LockMap::<u64, u64>::new();
    let add = |sums: &mut [u64], pairs: Vec<(u64, u64)>| {
        pairs.into_iter().for_each(|(key, count)| sums[key as usize] += count);
    };
    let (mut expected, mut sums) = (vec![0; KEYS as usize], vec![0; KEYS as usize]);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS)
            .map(|index| {
                let (map, progress) = (&map, watchdog.thread(index));
                let mut rng = Rng::new(seed ^ (index as u64) << 48);
                scope.spawn(move || {
                    let (mut added, mut taken) = (vec![0; KEYS as usize], vec![0; KEYS as usize]);
                    for _ in 0..TURNS {
                        let key = rng.below(KEYS);
                        match rng.below(64) {
                            0 => add(&mut taken, map.drain_idle(Duration::ZERO)),
                            1..4 => {
                                let count = map.remove(&key);
                                add(
                                    &mut taken,
                                    count.map(|count| (key, count)).into_iter().collect(),
                                );
                            }
                            _ => {
                                *map.lock_or_default(&key) += 1;
                                added[key as usize] += 1;
                            }
                        }
                        progress.step();
                    }
                    (added, taken)
                })
            })
            .collect();
        for worker in workers {
            let (added, taken) = worker.join().expect("a worker failed");
            add(&mut expected, (0..).zip(added).collect());
            add(&mut sums, (0..).zip(taken).collect());
        }
    });
    add(&mut sums, map.into_iter().collect());
    assert_eq!(sums, expected);
}
