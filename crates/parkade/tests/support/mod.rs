//! What several test files share: seeds, a watchdog, and ways to keep a lock busy.

#![allow(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "each test binary uses its own part of this module"
)]

#[cfg(target_os = "linux")]
pub(crate) mod fork;
#[cfg(feature = "keyed")]
pub(crate) mod keyed;
pub(crate) mod tasks;

use std::{
    io::Write,
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicU64, AtomicUsize,
            Ordering::{AcqRel, Acquire, Relaxed},
        },
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime},
};

use parkade::lock_api::{
    RawMutex, RawMutexFair, RawMutexTimed, RawRwLockDowngrade, RawRwLockFair, RawRwLockTimed,
    RawRwLockUpgradeDowngrade, RawRwLockUpgradeFair, RawRwLockUpgradeTimed, RwLock,
};

/// What every raw mutex of Parkade can do; the tests that run over several take this.
pub(crate) trait FullMutex:
    RawMutex
    + RawMutexFair
    + RawMutexTimed<Duration = Duration, Instant = Instant>
    + Send
    + Sync
    + 'static
{
}

impl<R> FullMutex for R where
    R: RawMutex
        + RawMutexFair
        + RawMutexTimed<Duration = Duration, Instant = Instant>
        + Send
        + Sync
        + 'static
{
}

/// What every raw reader-writer lock of Parkade can do.
pub(crate) trait FullRwLock:
    RawRwLockFair
    + RawRwLockDowngrade
    + RawRwLockUpgradeFair
    + RawRwLockUpgradeDowngrade
    + RawRwLockTimed<Duration = Duration, Instant = Instant>
    + RawRwLockUpgradeTimed
    + std::fmt::Debug
    + Send
    + Sync
    + Sized
    + 'static
{
}

impl<R> FullRwLock for R where
    R: RawRwLockFair
        + RawRwLockDowngrade
        + RawRwLockUpgradeFair
        + RawRwLockUpgradeDowngrade
        + RawRwLockTimed<Duration = Duration, Instant = Instant>
        + RawRwLockUpgradeTimed
        + std::fmt::Debug
        + Send
        + Sync
        + 'static
{
}

/// The two words of a lock: `0 readers {}, bias 0x0` when nobody has or wants it.
pub(crate) fn words<R: FullRwLock, T: ?Sized>(lock: &RwLock<R, T>) -> String {
    // SAFETY: the raw lock is only printed.
    let raw = format!("{:?}", unsafe { lock.raw() });
    let (_, words) = raw.split_once('(').expect("a newtype");
    words.trim_end_matches(')').to_owned()
}

/// Whether readers of the lock may use slots of their own just now.
pub(crate) fn is_biased<R: FullRwLock, T: ?Sized>(lock: &RwLock<R, T>) -> bool {
    let words = words(lock);
    let (_, bias) = words.split_once("bias 0x").expect("the second word");
    u32::from_str_radix(bias, 16).expect("a number") & 1 != 0
}

/// Panics unless nobody holds the lock or waits for it. Bias may be on: some kinds outlive writes.
#[track_caller]
pub(crate) fn assert_at_rest<R: FullRwLock, T: ?Sized>(lock: &RwLock<R, T>, name: &str) {
    let words = words(lock);
    let biased = words.starts_with(r#"0 readers {"BIASED"}, bias 0x"#) && !words.ends_with(" 0x0");
    assert!(biased || words == "0 readers {}, bias 0x0", "{name}: left {words}");
}

/// Whether this process can bias locks at all.
pub(crate) fn can_bias() -> bool {
    parkade_core::fence::strategy() == parkade_core::fence::Strategy::Asymmetric
        && cfg!(target_pointer_width = "64")
}

/// Reads the lock until readers may use slots; whether they may.
pub(crate) fn make_biased<R: FullRwLock, T: ?Sized>(lock: &RwLock<R, T>) -> bool {
    // It may be denied for 8 ms, or for nine times what a slow fence took.
    let patience = Instant::now() + Duration::from_secs(20);
    while can_bias() && !is_biased(lock) {
        (0..256).for_each(|_| drop(lock.read()));
        assert!(Instant::now() < patience, "the lock is never biased: {}", words(lock));
    }
    can_bias()
}

/// The seed of this run: `PARKADE_SEED`, or the clock. Printed, so that a failure can be repeated.
pub(crate) fn seed() -> u64 {
    let seed = match std::env::var("PARKADE_SEED") {
        Ok(text) => text.parse().expect("PARKADE_SEED is a decimal number"),
        Err(_) => {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
            now.as_nanos() as u64
        }
    };
    println!("PARKADE_SEED={seed}");
    seed
}

/// How long a stress case runs: `PARKADE_STRESS_SECS` seconds (a decimal fraction is fine), or 1.
pub(crate) fn stress_time() -> Duration {
    let secs = std::env::var("PARKADE_STRESS_SECS")
        .map_or(1.0, |text| text.parse().expect("PARKADE_STRESS_SECS is a number of seconds"));
    Duration::from_secs_f64(secs)
}

/// Timeouts that can be waited for.
pub(crate) const SHORT: [Duration; 7] = [
    Duration::ZERO,
    Duration::from_nanos(1),
    Duration::from_nanos(999),
    Duration::from_micros(1),
    Duration::from_micros(100),
    Duration::from_millis(1),
    Duration::from_millis(20),
];

/// Long enough to overflow one or another representation of time, but none shorter than a century.
pub(crate) const CENTURIES: [Duration; 8] = [
    Duration::from_secs(100 * 365 * 24 * 3600),
    Duration::from_secs(u32::MAX as u64),
    Duration::new(u32::MAX as u64, 999_999_999),
    Duration::from_nanos(u64::MAX),
    Duration::from_secs(i64::MAX as u64 / 1_000_000_000),
    Duration::from_secs(i64::MAX as u64),
    Duration::from_secs(u64::MAX),
    Duration::MAX,
];

/// The latest instant that can be written down, give or take half of the way to it.
pub(crate) fn far_future() -> Instant {
    let mut wait = Duration::MAX;
    loop {
        if let Some(instant) = Instant::now().checked_add(wait) {
            return instant;
        }
        wait /= 2;
    }
}

/// An instant that has passed.
pub(crate) fn past() -> Instant {
    Instant::now().checked_sub(Duration::from_secs(1)).unwrap_or_else(Instant::now)
}

/// SplitMix64: short, and every seed is a good one.
#[derive(Debug, Clone)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// Stays on the processor for about `time`.
pub(crate) fn busy(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

/// How the threads of a case behave while they hold the lock, and between two turns.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pace {
    /// Sections and pauses of a few instructions.
    Tight,
    /// Mostly tight, now and then a section that waits, yields or computes.
    Mixed,
    /// Sections that sleep, so that nearly everybody is parked.
    Sleepy,
}

/// What a thread does in its section.
pub(crate) fn section_body(pace: Pace, rng: &mut Rng) {
    match (pace, rng.below(64)) {
        (Pace::Sleepy, _) => thread::sleep(Duration::from_micros(rng.below(100))),
        (Pace::Mixed, 0) => thread::sleep(Duration::from_micros(rng.below(200))),
        (Pace::Mixed, 1..4) => thread::yield_now(),
        (Pace::Mixed, 4..8) => busy(Duration::from_micros(rng.below(20))),
        _ => {}
    }
}

/// What it does before its next turn.
pub(crate) fn pause(pace: Pace, rng: &mut Rng) {
    match (pace, rng.below(64)) {
        (Pace::Mixed, 0) => thread::sleep(Duration::from_micros(rng.below(300))),
        (Pace::Mixed, 1..8) => busy(Duration::from_micros(rng.below(5))),
        _ => {}
    }
}

/// The longest of many measured times.
#[derive(Default)]
pub(crate) struct Longest(AtomicU64);

impl Longest {
    pub(crate) fn note(&self, time: Duration) {
        self.0.fetch_max(time.as_nanos() as u64, Relaxed);
    }

    pub(crate) fn get(&self) -> Duration {
        Duration::from_nanos(self.0.load(Relaxed))
    }
}

impl std::fmt::Debug for Longest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.get().fmt(f)
    }
}

/// Polls until `done`; for conditions that a lock cannot be asked to wait for.
pub(crate) fn wait_until(mut done: impl FnMut() -> bool) {
    while !done() {
        thread::sleep(Duration::from_micros(100));
    }
}

/// Waits until so many threads are parked on anything inside `lock`.
pub(crate) fn wait_for_parked<T: ?Sized>(lock: &T, threads: usize) {
    wait_until(|| parked_on(lock).len() == threads);
}

/// Starts a thread that waits, and returns once it does.
pub(crate) fn parked<'scope, 'env, R: Send + 'scope>(
    scope: &'scope thread::Scope<'scope, 'env>,
    lock: &'env (impl Sync + ?Sized),
    wait: impl FnOnce() -> R + Send + 'scope,
) -> thread::ScopedJoinHandle<'scope, R> {
    let before = parked_on(lock).len();
    let thread = scope.spawn(wait);
    wait_for_parked(lock, before + 1);
    thread
}

/// The threads parked on anything inside `lock`, in the order of their queue.
pub(crate) fn parked_on<T: ?Sized>(lock: &T) -> Vec<parkade_core::Parked> {
    let start = std::ptr::from_ref(lock).addr();
    let bytes = start..start + size_of_val(lock);
    let mut parked = parkade_core::snapshot();
    parked.retain(|parked| bytes.contains(&parked.key));
    parked
}

/// Ends the process with a message when a thread it looks after makes no progress for
/// [`Watchdog::PATIENCE`]: a lost wake-up is then a failure that names its case, not a hang.
#[derive(Debug)]
pub(crate) struct Watchdog {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    case: String,
    steps: Vec<AtomicU64>,
    over: AtomicBool,
}

/// The count of a thread that has ended.
const ENDED: u64 = u64::MAX;

impl Watchdog {
    const PATIENCE: Duration = Duration::from_secs(60);

    /// Looks after `threads` threads until dropped. `case` says what runs, seed included.
    pub(crate) fn new(case: impl Into<String>, threads: usize) -> Watchdog {
        let shared = Arc::new(Shared {
            case: case.into(),
            steps: (0..threads).map(|_| AtomicU64::new(0)).collect(),
            over: AtomicBool::new(false),
        });
        let watched = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("watchdog".into())
            .spawn(move || watched.watch())
            .expect("a thread for the watchdog");
        Watchdog { shared, thread: Some(thread) }
    }

    /// The handle with which thread number `index` reports progress, from now on.
    pub(crate) fn thread(&self, index: usize) -> Progress {
        self.shared.steps[index].store(0, Relaxed);
        Progress { shared: Arc::clone(&self.shared), index }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.shared.over.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn watch(&self) {
        let mut seen: Vec<_> = self.steps.iter().map(|_| (0, Instant::now())).collect();
        while !self.over.load(Relaxed) {
            thread::park_timeout(Duration::from_millis(500));
            for (index, (steps, seen)) in self.steps.iter().zip(&mut seen).enumerate() {
                let now = steps.load(Relaxed);
                if now != seen.0 {
                    *seen = (now, Instant::now());
                } else if now != ENDED && seen.1.elapsed() > Watchdog::PATIENCE {
                    self.give_up(index, now);
                }
            }
        }
    }

    fn give_up(&self, index: usize, steps: u64) -> ! {
        let ended = self.steps.iter().filter(|steps| steps.load(Relaxed) == ENDED).count();
        // Straight to stderr: what the print macros write would be captured and lost in the abort.
        let _ = writeln!(
            std::io::stderr(),
            "\nWATCHDOG: {}: thread {index} of {} made no progress for {:?} after {steps} steps \
             ({ended} threads have ended); a wake-up was lost or a thread starves",
            self.case,
            self.steps.len(),
            Watchdog::PATIENCE,
        );
        std::process::abort()
    }
}

/// Ends the process if the calling thread does not drop this in time.
pub(crate) fn watched(case: impl Into<String>) -> (Progress, Watchdog) {
    let watchdog = Watchdog::new(case, 1);
    (watchdog.thread(0), watchdog)
}

/// The same for the test that the calling thread runs.
pub(crate) fn watched_test() -> (Progress, Watchdog) {
    watched(thread::current().name().unwrap_or("a test"))
}

/// One thread's way to tell the [`Watchdog`] that it is alive. Dropping it says that it has ended.
#[derive(Debug)]
pub(crate) struct Progress {
    shared: Arc<Shared>,
    index: usize,
}

impl Progress {
    pub(crate) fn step(&self) {
        let steps = &self.shared.steps[self.index];
        steps.store(steps.load(Relaxed) + 1, Relaxed);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.shared.steps[self.index].store(ENDED, Relaxed);
    }
}

/// Waits for the other thread without giving up the processor, unless that takes suspiciously long.
pub(crate) fn meet(arrived: &AtomicUsize, target: usize) {
    arrived.fetch_add(1, AcqRel);
    let mut looks = 0_u32;
    while arrived.load(Acquire) < target {
        looks += 1;
        if looks > 10_000 {
            thread::yield_now();
        } else {
            std::hint::spin_loop();
        }
    }
}

/// Rounds in which every thread has one turn and then waits for the others, for [`stress_time`]; the sum of
/// what the turns return. Within a round nobody comes by later whose release could make up for a wake-up
/// that went missing.
pub(crate) fn in_bursts(
    case: &str,
    threads: usize,
    seed: u64,
    turn: impl Fn(usize, &mut Rng) -> u64 + Sync,
) -> u64 {
    let arrived = AtomicUsize::new(0);
    let go_on = AtomicBool::new(true);
    let end = Instant::now() + stress_time();
    let watchdog = Watchdog::new(case, threads);
    let meet = |target| {
        arrived.fetch_add(1, AcqRel);
        while arrived.load(Acquire) < target {
            thread::yield_now();
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|index| {
                let (meet, go_on, turn) = (&meet, &go_on, &turn);
                let progress = watchdog.thread(index);
                let mut rng = Rng::new(seed ^ (index as u64) << 48);
                scope.spawn(move || {
                    let mut sum = 0;
                    for round in (1..).step_by(2) {
                        if index == 0 && Instant::now() > end {
                            go_on.store(false, Relaxed);
                        }
                        meet(round * threads);
                        if !go_on.load(Relaxed) {
                            break;
                        }
                        sum += turn(index, &mut rng);
                        progress.step();
                        // Nobody may change `go_on` before all have read it.
                        meet((round + 1) * threads);
                    }
                    sum
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().expect("a worker failed")).sum()
    })
}

/// Two numbers that every section leaves equal: whoever sees them differ was not alone.
#[derive(Debug, Default)]
pub(crate) struct Witness {
    first: u64,
    second: u64,
}

impl Witness {
    pub(crate) const fn new() -> Witness {
        Witness { first: 0, second: 0 }
    }

    /// One section: checks, changes, and calls `inside` while the two numbers differ.
    #[track_caller]
    pub(crate) fn section(&mut self, inside: impl FnOnce()) {
        self.check();
        self.first = std::hint::black_box(self.first) + 1;
        inside();
        self.second = std::hint::black_box(self.second) + 1;
        self.check();
    }

    #[track_caller]
    pub(crate) fn check(&self) {
        let (first, second) = (std::hint::black_box(self.first), std::hint::black_box(self.second));
        assert_eq!(first, second, "two threads were in the section at once");
    }

    /// Sections so far.
    #[track_caller]
    pub(crate) fn count(&self) -> u64 {
        self.check();
        self.first
    }
}

/// What a body has seen, in order.
pub(crate) type Log = Vec<String>;

/// What the bodies have seen on the first is what they have seen on all.
#[track_caller]
pub(crate) fn assert_same(logs: &[(&str, Log)]) {
    for (name, log) in logs {
        assert_eq!((name, log), (name, &logs[0].1), "{name} differs from {}", logs[0].0);
    }
}

/// Compares what a body has seen on each of several locks.
macro_rules! same_over {
    ($($test:ident = $body:ident: $($lock:ty),+;)+) => {$(
        #[test]
        fn $test() {
            assert_same(&[$((<$lock as Subject>::NAME, $body::<$lock>())),+]);
        }
    )+};
}
pub(crate) use same_over;

/// Runs generic cases over both reader-writer locks.
macro_rules! for_both_rwlocks {
    ($($(#[$attribute:meta])* $case:ident)+) => {
        mod rwlock {
            $($(#[$attribute])* #[test] fn $case() { super::$case::<parkade::RawRwLock>(); })+
        }
        mod recursive_rwlock {
            $(
                $(#[$attribute])*
                #[test]
                fn $case() {
                    super::$case::<parkade::RawRecursiveRwLock>();
                }
            )+
        }
    };
}
pub(crate) use for_both_rwlocks;
