//! Evidence for exact counts and no lost wake-up on real threads and processors, with everything at random: barriers with
//! deadlines and aborts, latches and groups that end in every round.
//! `PARKADE_SEED` repeats a run's choices, `PARKADE_STRESS_SECS` sets the length of each case.

mod support;

use std::{
    cell::UnsafeCell,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use parkade::{Barrier, BarrierError, Latch, WaitGroup};
use support::{Pace, Rng, Watchdog, in_bursts, section_body, seed, stress_time};

/// Now and then a moment, so that threads come at every stage.
fn moment(rng: &mut Rng) {
    if rng.below(4) == 0 {
        section_body(Pace::Sleepy, rng);
    }
}

/// A number that is written by one thread in one phase and read by others in the next; without a lock, and not
/// atomic, so that a sanitizer sees what a gate does not order.
#[derive(Default)]
struct Plain(UnsafeCell<u64>);

// SAFETY: phases are kept apart by the gate under test.
unsafe impl Sync for Plain {}

impl Plain {
    fn set(&self, value: u64) {
        // SAFETY: one thread writes, in a phase in which nobody reads.
        unsafe { *self.0.get() = value };
    }

    fn get(&self) -> u64 {
        // SAFETY: nobody writes in this phase.
        unsafe { *self.0.get() }
    }
}

/// Waits until it has passed, with deadlines in between. Whether it leads, and how often it was too late.
fn pass(barrier: &Barrier, rng: &mut Rng) -> (bool, u64) {
    for late in 0.. {
        let ended = match rng.below(4) {
            0 => barrier.wait_for(Duration::from_nanos(rng.below(60_000))),
            1 => barrier.wait_until(Instant::now() + Duration::from_nanos(rng.below(60_000))),
            _ => barrier.wait(),
        };
        match ended {
            Ok(result) => return (result.is_leader(), late),
            Err(error) => assert_eq!(error, BarrierError::TimedOut),
        }
    }
    unreachable!()
}

/// In every phase each party writes its own number, and reads those of all in the next.
fn phases(threads: usize) {
    let seed = seed();
    let name = format!("barrier of {threads}, PARKADE_SEED={seed}");
    let watchdog = Watchdog::new(&*name, threads);
    let barrier = Barrier::new(threads);
    let numbers: Vec<_> = (0..threads).map(|_| Plain::default()).collect();
    let last = AtomicU64::new(u64::MAX);
    let (leaders, late) = (AtomicU64::new(0), AtomicU64::new(0));
    let end = Instant::now() + stress_time() / 3;
    thread::scope(|scope| {
        for index in 0..threads {
            let progress = watchdog.thread(index);
            let mut rng = Rng::new(seed ^ (index as u64) << 48);
            let (barrier, numbers, last, leaders, late) =
                (&barrier, &numbers, &last, &leaders, &late);
            scope.spawn(move || {
                let meet = |rng: &mut Rng| {
                    let (leads, times) = pass(barrier, rng);
                    leaders.fetch_add(u64::from(leads), Relaxed);
                    late.fetch_add(times, Relaxed);
                };
                for phase in 1.. {
                    moment(&mut rng);
                    numbers[index].set(phase);
                    if index == 0 && Instant::now() > end {
                        last.store(phase, Relaxed);
                    }
                    meet(&mut rng);
                    assert!(numbers.iter().all(|number| number.get() == phase));
                    let over = last.load(Relaxed) == phase;
                    meet(&mut rng);
                    progress.step();
                    if over {
                        break;
                    }
                }
            });
        }
    });
    let phases = last.load(Relaxed);
    println!("{name}: {phases} phases, {} too late", late.load(Relaxed));
    assert_eq!(leaders.load(Relaxed), 2 * phases, "{name}: one leader for each generation");
    assert_eq!(barrier.waiting(), 0);
}

#[test]
fn phases_of_two() {
    phases(2);
}

#[test]
fn phases_of_five() {
    phases(5);
}

#[test]
fn phases_of_sixteen() {
    phases(16);
}

/// As many passes as parties times leaders, whoever comes how often.
#[test]
fn any_threads_pass_in_whole_generations() {
    const THREADS: usize = 7;
    const PARTIES: usize = 3;
    let seed = seed();
    let name = format!("barrier of 3 for 7, PARKADE_SEED={seed}");
    let barrier = Barrier::new(PARTIES);
    let leaders = AtomicUsize::new(0);
    let passed = in_bursts(&name, THREADS, seed, |_, rng| {
        moment(rng);
        let ended = barrier.wait_for(Duration::from_nanos(rng.below(300_000)));
        let leads = ended.is_ok_and(|result| result.is_leader());
        leaders.fetch_add(usize::from(leads), Relaxed);
        u64::from(ended.is_ok())
    });
    let leaders = leaders.load(Relaxed);
    println!("{name}: {leaders} generations");
    assert_eq!(passed as usize, leaders * PARTIES, "{name}");
    assert_eq!(barrier.waiting(), 0);
}

/// A new gate for every round. The last thread that leaves a round frees its own, perhaps while another is still waking.
struct Fresh<G> {
    make: fn() -> G,
    current: Mutex<(u64, Arc<G>)>,
}

impl<G> Fresh<G> {
    fn new(make: fn() -> G) -> Fresh<G> {
        Fresh { make, current: Mutex::new((0, Arc::new(make()))) }
    }

    fn of(&self, round: u64) -> Arc<G> {
        let mut current = self.current.lock().unwrap();
        if current.0 != round {
            *current = (round, Arc::new((self.make)()));
        }
        Arc::clone(&current.1)
    }
}

/// Runs `turn` in bursts, with a gate for each round; the sum of what it returns, and the number of rounds.
fn with_fresh<G: Send + Sync>(
    name: &str,
    threads: usize,
    seed: u64,
    make: fn() -> G,
    turn: impl Fn(&G, usize, &mut Rng) -> u64 + Sync,
) -> (u64, u64) {
    let fresh = Fresh::new(make);
    let rounds: Vec<_> = (0..threads).map(|_| AtomicU64::new(0)).collect();
    let sum = in_bursts(name, threads, seed, |index, rng| {
        let gate = fresh.of(rounds[index].fetch_add(1, Relaxed) + 1);
        moment(rng);
        turn(&gate, index, rng)
    });
    (sum, rounds[0].load(Relaxed))
}

/// Two come to a barrier of two, and a third aborts it: both have passed, or neither.
#[test]
fn one_verdict_for_all_of_a_generation() {
    let seed = seed();
    let name = format!("aborted barrier, PARKADE_SEED={seed}");
    let passed = AtomicU64::new(0);
    let make = || (Barrier::new(2), AtomicU64::new(0));
    let (odd, rounds) = with_fresh(&name, 3, seed, make, |(barrier, through), index, rng| {
        if index == 2 {
            barrier.abort();
            return 0;
        }
        let ended = match rng.below(2) {
            0 => barrier.wait(),
            _ => barrier.wait_for(Duration::from_secs(60)),
        };
        let before = through.fetch_add(1 << (32 * u32::from(ended.is_ok())), Relaxed);
        passed.fetch_add(u64::from(ended.is_ok()), Relaxed);
        assert!(ended.is_ok() || ended == Err(BarrierError::Aborted));
        // The second one to say so was told the same as the first.
        u64::from(before != 0 && (before >> 32 != 0) != ended.is_ok())
    });
    println!("{name}: {rounds} rounds, {} passed", passed.load(Relaxed) / 2);
    assert_eq!(odd, 0, "{name}: one has passed and the other has not");
}

/// Whoever comes through sees what all have done before they counted down.
#[test]
fn latches() {
    const THREADS: usize = 5;
    let seed = seed();
    let name = format!("latch, PARKADE_SEED={seed}");
    let make = || (Latch::new(2 * THREADS), [const { AtomicU64::new(0) }; THREADS]);
    let (through, rounds) = with_fresh(&name, THREADS, seed, make, |(latch, done), index, rng| {
        let work = |_| {
            done[index].store(done[index].load(Relaxed) + 1, Relaxed);
        };
        if rng.below(2) == 0 {
            (0..2).for_each(work);
            latch.count_down_by(2);
        } else {
            work(0);
            let early = latch.arrive_and_wait_for(Duration::from_nanos(rng.below(20_000)));
            assert!(!early, "{name}: open before all have counted down");
            work(1);
            latch.count_down();
        }
        let patience = Duration::from_nanos(rng.below(100_000));
        let open = match rng.below(3) {
            0 => latch.wait_for(patience),
            1 => latch.wait_until(Instant::now() + patience),
            _ => {
                latch.wait();
                true
            }
        };
        if open {
            assert!(done.iter().all(|done| done.load(Relaxed) == 2), "{name}");
            assert!(latch.try_count_down().is_err());
        }
        u64::from(open)
    });
    println!("{name}: {rounds} rounds, {through} came through");
    assert!(through >= rounds);
}

/// Members bring in members, wait with a deadline, and come back; who waits to the end sees that all are done.
#[test]
fn groups() {
    const THREADS: usize = 5;
    let seed = seed();
    let name = format!("wait group, PARKADE_SEED={seed}");
    let make = || {
        let group = WaitGroup::new();
        let members = [(); THREADS].map(|()| Mutex::new(Some(group.clone())));
        (members, AtomicU64::new(0))
    };
    let (through, rounds) =
        with_fresh(&name, THREADS, seed, make, |(members, done), index, rng| {
            let mut member = members[index].lock().unwrap().take().expect("one each");
            for _ in 0..rng.below(3) {
                let another = member.clone();
                moment(rng);
                match another.wait_for(Duration::from_nanos(rng.below(20_000))) {
                    Ok(()) => panic!("{name}: there is one more at least"),
                    Err(another) => drop(another),
                }
            }
            done.fetch_add(1, Relaxed);
            if rng.below(3) == 0 {
                return 0;
            }
            for _ in 0..rng.below(3) {
                match member.wait_for(Duration::from_nanos(rng.below(50_000))) {
                    Ok(()) => {
                        assert_eq!(done.load(Relaxed), THREADS as u64, "{name}");
                        return 1;
                    }
                    Err(again) => member = again,
                }
            }
            member.wait();
            assert_eq!(done.load(Relaxed), THREADS as u64, "{name}");
            1
        });
    println!("{name}: {rounds} rounds, {through} waits to the end");
    assert!(through > 0);
}
