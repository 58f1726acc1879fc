//! Evidence that on real threads and processors no permit is lost or invented and no wake-up goes missing: requests of
//! different sizes, deadlines, adding, forgetting and closing, mixed at random.
//! `PARKADE_SEED` repeats a run's choices, `PARKADE_STRESS_SECS` sets the length of each case.

mod support;

use std::{
    sync::{
        Arc, Mutex as StdMutex,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use parkade::{AcquireError, Semaphore, SemaphorePermit, SemaphorePolicy, TimedAcquireError};
use support::{Pace, Rng, Watchdog, in_bursts, pause, section_body, seed, stress_time};

const PERMITS: usize = 5;

/// A semaphore, and how many of its permits are held, as those count who hold them.
struct Counted {
    semaphore: Semaphore,
    held: AtomicUsize,
}

impl Counted {
    fn new(policy: SemaphorePolicy) -> Counted {
        Counted { semaphore: Semaphore::with_policy(PERMITS, policy), held: AtomicUsize::new(0) }
    }

    fn section(&self, permit: SemaphorePermit<'_>, pace: Pace, rng: &mut Rng) {
        let count = permit.num_permits();
        let held = self.held.fetch_add(count, Relaxed) + count;
        assert!(held <= PERMITS, "{held} permits are held at once");
        section_body(pace, rng);
        self.held.fetch_sub(count, Relaxed);
        drop(permit);
    }

    /// One way to get permits and use them; whether it got them.
    fn turn(&self, pace: Pace, rng: &mut Rng) -> bool {
        let want = 1 + rng.below(PERMITS as u64) as usize;
        let timeout = Duration::from_nanos(rng.below(200_000));
        let permit = match rng.below(8) {
            0 => self.semaphore.try_acquire_many(want).ok(),
            1..4 => self.semaphore.try_acquire_many_for(want, timeout).ok(),
            4 => Some(self.semaphore.acquire_many(want).unwrap()),
            _ => Some(self.semaphore.acquire().unwrap()),
        };
        let Some(mut permit) = permit else { return false };
        if rng.below(8) == 0 {
            let part = permit
                .split(rng.below(permit.num_permits() as u64) as usize)
                .expect("fewer than it has");
            drop(part);
        }
        self.section(permit, pace, rng);
        if rng.below(16) == 0 {
            let forgotten = self.semaphore.forget_permits(want);
            section_body(pace, rng);
            self.semaphore.add_permits(forgotten).unwrap();
        }
        true
    }
}

fn conserved(policy: SemaphorePolicy, threads: usize, pace: Pace) {
    let seed = seed();
    let case = format!("{policy:?}, {threads} threads, {pace:?}, PARKADE_SEED={seed}");
    let counted = Counted::new(policy);
    let watchdog = Watchdog::new(&case, threads);
    let end = Instant::now() + stress_time() / 4;
    let turns = AtomicU64::new(0);
    thread::scope(|scope| {
        for index in 0..threads {
            let (counted, turns, progress) = (&counted, &turns, watchdog.thread(index));
            let mut rng = Rng::new(seed ^ (index as u64) << 48);
            scope.spawn(move || {
                while Instant::now() < end {
                    turns.fetch_add(u64::from(counted.turn(pace, &mut rng)), Relaxed);
                    pause(pace, &mut rng);
                    progress.step();
                }
            });
        }
    });
    println!("{case}: {} turns", turns.load(Relaxed));
    assert_eq!(counted.semaphore.available_permits(), PERMITS, "{case}");
    assert!(counted.semaphore.try_acquire_many(PERMITS).is_ok(), "{case}: a line is left");
}

#[test]
fn permits_are_conserved_first_come_first_served() {
    for (threads, pace) in [(2, Pace::Tight), (6, Pace::Mixed), (16, Pace::Sleepy)] {
        conserved(SemaphorePolicy::Fifo, threads, pace);
    }
}

#[test]
fn permits_are_conserved_with_barging() {
    for (threads, pace) in [(2, Pace::Tight), (6, Pace::Mixed), (16, Pace::Sleepy)] {
        conserved(SemaphorePolicy::Barging, threads, pace);
    }
}

/// Within a burst nobody comes by later whose release could make up for a wake-up that went missing.
fn bursts(policy: SemaphorePolicy) {
    let seed = seed();
    let counted = Counted::new(policy);
    let name = format!("{policy:?} in bursts, PARKADE_SEED={seed}");
    let turns = in_bursts(&name, 5, seed, |_, rng| u64::from(counted.turn(Pace::Tight, rng)));
    assert_eq!(counted.semaphore.available_permits(), PERMITS, "{name}");
    println!("{name}: {turns} turns");
}

#[test]
fn bursts_first_come_first_served() {
    bursts(SemaphorePolicy::Fifo);
}

#[test]
fn bursts_with_barging() {
    bursts(SemaphorePolicy::Barging);
}

/// A new one for every round: what is closed stays so. The last who leaves a round frees its own, perhaps while another
/// still looks after the queue there.
#[test]
fn closing_races_everything() {
    const THREADS: usize = 5;
    let seed = seed();
    let name = format!("closing, PARKADE_SEED={seed}");
    let made = |round: u64| {
        let policy = [SemaphorePolicy::Fifo, SemaphorePolicy::Barging][round as usize % 2];
        Arc::new(Semaphore::with_policy(2, policy))
    };
    let current = StdMutex::new((0, made(0)));
    let rounds: Vec<_> = (0..THREADS).map(|_| AtomicU64::new(0)).collect();
    let got = in_bursts(&name, THREADS, seed, |index, rng| {
        let round = rounds[index].fetch_add(1, Relaxed) + 1;
        let semaphore = {
            let mut current = current.lock().unwrap();
            if current.0 != round {
                *current = (round, made(round));
            }
            Arc::clone(&current.1)
        };
        let want = 1 + rng.below(2) as usize;
        let timeout = Duration::from_micros(rng.below(100));
        let got = match rng.below(4) {
            _ if index == 0 => {
                section_body(Pace::Sleepy, rng);
                semaphore.close();
                return 0;
            }
            0 => match semaphore.try_acquire_many_for(want, timeout) {
                Err(TimedAcquireError::TimedOut) => None,
                Err(error) => Some(Err(error == TimedAcquireError::Closed)),
                Ok(permit) => Some(Ok(permit)),
            },
            _ => match semaphore.acquire_many(want) {
                Err(error) => Some(Err(error == AcquireError::Closed)),
                Ok(permit) => Some(Ok(permit)),
            },
        };
        match got {
            Some(Ok(permit)) => {
                section_body(Pace::Mixed, rng);
                assert!(permit.num_permits() == want);
                1
            }
            Some(Err(closed)) => {
                assert!(closed && semaphore.is_closed(), "{name}");
                0
            }
            None => 0,
        }
    });
    println!("{name}: {got} in {} rounds", rounds[0].load(Relaxed));
}
