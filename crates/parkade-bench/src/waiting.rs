//! What a task costs that locks or waits, without a runtime: tasks are polled by hand, in the order in which they
//! are woken.

use std::collections::VecDeque;
use std::hint::black_box;
use std::mem;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use parkade::keyed::KeyedMutex;
use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::os::{self, Usage};
use crate::stats::median;
use crate::subject::{AsyncSubject, SubjectId};
use crate::with_async_subject;

/// Most bytes of future for a waiting task, with Parkade.
pub const MOST_BYTES: usize = 128;

/// Most time to lock and unlock as a task, in parts of what it takes a thread, with Parkade.
pub const MOST_ALONE: f64 = 1.3;

/// Most time to wake a task of very many, in parts of what it takes with ten, with Parkade.
pub const MOST_GROWTH: f64 = 2.0;

/// How long the empty loops run in each round.
const ALONE_TIME: Duration = Duration::from_millis(10);

/// Rounds of the empty loops, with and without tasks in turn.
const ALONE_ROUNDS: usize = 7;

/// Locks and unlocks between two looks at the clock.
const BLOCK: u64 = 1024;

/// After this time nobody else comes to wait, and after the same time again nobody else is woken: with some locks
/// it takes longer the more wait, or everybody tries for long before.
const PATIENCE: Duration = Duration::from_secs(1);

/// Tasks between two looks at the clock.
const LOOK: usize = 64;

/// At least so many tasks are woken for a figure.
const LEAST_WAKES: u32 = 5_000;

/// How often a crowd larger than that is woken.
const LEAST_PASSES: u32 = 3;

/// Who waits for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crowd {
    /// How many locks there are, all of them held.
    pub locks: u32,
    /// How many tasks wait for each.
    pub each: u32,
}

impl Crowd {
    /// How many tasks wait in all.
    pub fn tasks(self) -> u32 {
        self.locks * self.each
    }

    /// In words.
    pub fn describe(self) -> String {
        match (self.locks, self.each) {
            (1, tasks) => format!("{tasks} on one lock"),
            (locks, 1) => format!("one on each of {locks} locks"),
            (locks, each) => format!("{each} on each of {locks} locks"),
        }
    }

    fn passes(self) -> u32 {
        (LEAST_WAKES / self.tasks()).max(LEAST_PASSES)
    }
}

/// The crowds that wait for locks. The first is what the others are compared with.
pub const CROWDS: [Crowd; 3] = [
    Crowd { locks: 1, each: 10 },
    Crowd { locks: 1, each: 100_000 },
    // As much memory as the second in queues as short as the first: what the processor's caches have to do with it.
    Crowd { locks: 10_000, each: 10 },
];

/// The crowds that wait for keys, each of which is a lock here. The first is what the other is compared with.
pub const KEY_CROWDS: [Crowd; 2] =
    [Crowd { locks: 10, each: 1 }, Crowd { locks: 100_000, each: 1 }];

/// What tasks cost with one lock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskCost {
    /// Whose lock.
    pub subject: SubjectId,
    /// Bytes of the future that waits.
    pub future: usize,
    /// Bytes of the heap for each that waits, beside its future; none where the system does not tell.
    pub heap: Option<f64>,
    /// Nanoseconds to lock and unlock as a task that need not wait: of the fastest thousand in a row, the median over rounds.
    pub task_ns: f64,
    /// The same as a thread.
    pub thread_ns: f64,
    /// The first in parts of the second: the median over rounds.
    pub task_to_thread: f64,
    /// What waking takes, for each of [`CROWDS`].
    pub wakes: Vec<WakeCost>,
    /// What waking takes who waits for a key, for each of [`KEY_CROWDS`]; nothing for rivals.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub key_wakes: Vec<WakeCost>,
}

/// What it takes to wake those who wait, one by one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct WakeCost {
    /// Who waits.
    pub crowd: Crowd,
    /// Nanoseconds to come and wait, for each.
    pub wait_ns: f64,
    /// Nanoseconds from one's unlocking to the next one's having the lock, its poll included.
    pub wake_ns: f64,
    /// How many of the crowd were woken: all, or as many as there was patience for.
    pub woken: u32,
}

impl TaskCost {
    /// Whether a waiting task takes no more bytes than it may.
    pub fn small(&self) -> bool {
        self.future <= MOST_BYTES
    }

    /// Whether a task that need not wait is no slower than it may be.
    pub fn fast_alone(&self) -> bool {
        self.task_to_thread <= MOST_ALONE
    }
}

impl WakeCost {
    /// Whether waking this crowd takes no longer than it may beside another, and all have been woken.
    pub fn grows_little(&self, first: &WakeCost) -> bool {
        self.woken == self.crowd.tasks() && self.growth(first) <= MOST_GROWTH
    }

    /// How many times as long as with another crowd waking takes with this one.
    pub fn growth(&self, first: &WakeCost) -> f64 {
        self.wake_ns / first.wake_ns
    }
}

/// Measures what tasks cost. Nobody else may allocate meanwhile.
pub fn of(subject: SubjectId) -> TaskCost {
    let cost = with_async_subject!(subject, S => measure::<S>(&CROWDS));
    let key_wakes = if subject.is_ours() { keys(&KEY_CROWDS) } else { Vec::new() };
    TaskCost { key_wakes, ..cost }
}

fn keys(crowds: &[Crowd]) -> Vec<WakeCost> {
    let of = |&crowd: &Crowd| {
        let map = KeyedMutex::<u64>::new();
        wake(crowd, |index| map.lock_async(&index.into())).0
    };
    crowds.iter().map(of).collect()
}

fn measure<S: AsyncSubject>(crowds: &[Crowd]) -> TaskCost {
    let (task_ns, thread_ns, task_to_thread) = alone::<S>();
    let mut heap = None;
    let wakes = crowds.iter().map(|&crowd| {
        let locks: Vec<S::Lock> = (0..crowd.locks).map(|_| S::new(0)).collect();
        let (cost, bytes) = wake(crowd, |index| S::lock(&locks[index as usize]));
        // The more wait, the less the rest of the process matters.
        heap = bytes.filter(|_| crowd.locks == 1).or(heap);
        cost
    });
    let wakes = wakes.collect();
    let future = S::future_bytes(&S::new(0));
    let key_wakes = Vec::new();
    TaskCost { subject: S::ID, future, heap, task_ns, thread_ns, task_to_thread, wakes, key_wakes }
}

/// Nanoseconds to lock and unlock as a task and as a thread, and the ratio of the two.
fn alone<S: AsyncSubject>() -> (f64, f64, f64) {
    let lock = S::new(0);
    let as_task = || {
        let block = pin!(async {
            for _ in 0..BLOCK {
                black_box(&*S::lock(&lock).await);
            }
        });
        let polled = block.poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(polled, Poll::Ready(()), "{} is free", S::ID);
    };
    let as_thread = || {
        for _ in 0..BLOCK {
            black_box(&*S::lock_blocking(&lock));
        }
    };
    let rounds: Vec<(f64, f64)> =
        (0..ALONE_ROUNDS).map(|_| (per_turn(as_task), per_turn(as_thread))).collect();
    let over =
        |of: fn(&(f64, f64)) -> f64| median(rounds.iter().map(of)).expect("there are rounds");
    (over(|round| round.0), over(|round| round.1), over(|round| round.0 / round.1))
}

/// Nanoseconds for a turn in the fastest block: one in which nobody else took the processor.
fn per_turn(block: impl Fn()) -> f64 {
    let clock = Clock::get();
    let (begin, mut fastest) = (Instant::now(), u64::MAX);
    while begin.elapsed() < ALONE_TIME {
        let begin = clock.ticks();
        block();
        fastest = fastest.min(clock.ns_between(begin, clock.ticks()));
    }
    fastest as f64 / BLOCK as f64
}

/// Has a crowd wait for locks, and releases these until all have had theirs, again and again. Also says how many bytes of the
/// heap each needed that waited.
fn wake<F: Future>(crowd: Crowd, lock: impl Fn(u32) -> F) -> (WakeCost, Option<f64>) {
    let (mut wait_ns, mut wake_ns, mut heap) = (Vec::new(), Vec::new(), Vec::new());
    let mut woken = crowd.tasks();
    for _ in 0..crowd.passes() {
        let mut held: Vec<F::Output> = (0..crowd.locks).map(|index| now(lock(index))).collect();
        let mut line = Line::new(crowd, &lock);
        let before = os::heap_in_use();
        let watch = Watch::start();
        let waiting = line.all_wait();
        wait_ns.push(watch.ns() / waiting as f64);
        let bytes =
            os::heap_in_use().zip(before).map(|(after, before)| after.saturating_sub(before));
        heap.extend(bytes.map(|bytes| bytes as f64 / waiting as f64));
        held.truncate(line.keep(waiting, crowd));
        let watch = Watch::start();
        woken = line.all_go(held);
        wake_ns.push(watch.ns() / f64::from(woken.max(1)));
        if woken != crowd.tasks() {
            // To leave such a queue takes as long.
            mem::forget(line);
            break;
        }
    }
    let middle = |all: Vec<f64>| median(all);
    let of = |all| middle(all).expect("there are passes");
    (WakeCost { crowd, wait_ns: of(wait_ns), wake_ns: of(wake_ns), woken }, middle(heap))
}

/// How long something takes a thread that is never asleep.
struct Watch {
    usage: Option<Usage>,
    clock: Clock,
    begin: u64,
}

impl Watch {
    fn start() -> Watch {
        let (usage, clock) = (os::thread_usage(), Clock::get());
        Watch { usage, clock, begin: clock.ticks() }
    }

    /// The time in nanoseconds. The processor time, where it is so long that others will have had the processor meanwhile and that asking
    /// for it does not show.
    fn ns(self) -> f64 {
        let passed = self.clock.ns_between(self.begin, self.clock.ticks());
        let cpu = os::thread_usage().zip(self.usage).map(|(now, then)| now.since(then).cpu);
        let long = cpu.filter(|_| passed > 1_000_000);
        long.map_or(passed, |cpu| cpu.as_nanos() as u64) as f64
    }
}

/// What a free lock gives.
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(guard) => guard,
        Poll::Pending => panic!("it is free"),
    }
}

/// Who has been woken, and was not polled yet.
#[derive(Debug, Default)]
struct Woken(Mutex<VecDeque<u32>>);

impl Woken {
    fn queue(&self) -> MutexGuard<'_, VecDeque<u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct TaskWaker {
    index: u32,
    woken: Arc<Woken>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.queue().push_back(self.index);
    }
}

/// Tasks, those of a lock side by side.
struct Line<F> {
    tasks: Vec<(Waker, Pin<Box<F>>)>,
    /// Whether a task has had its lock.
    done: Vec<bool>,
    woken: Arc<Woken>,
}

impl<F: Future> Line<F> {
    fn new(crowd: Crowd, lock: impl Fn(u32) -> F) -> Line<F> {
        let woken = Arc::new(Woken::default());
        // What the benchmark itself allocates must not look like the lock's.
        woken.queue().reserve(crowd.tasks() as usize);
        let task = |index| {
            let waker = Arc::new(TaskWaker { index, woken: Arc::clone(&woken) });
            (waker.into(), Box::pin(lock(index / crowd.each)))
        };
        let tasks: Vec<_> = (0..crowd.tasks()).map(task).collect();
        Line { done: vec![false; tasks.len()], tasks, woken }
    }

    /// Polls each once, and returns how many of them: all, or as many as there was patience for.
    fn all_wait(&mut self) -> usize {
        let begin = Instant::now();
        for (index, (waker, future)) in self.tasks.iter_mut().enumerate() {
            if index % LOOK == LOOK - 1 && begin.elapsed() > PATIENCE {
                return index;
            }
            let polled = future.as_mut().poll(&mut Context::from_waker(waker));
            assert!(polled.is_pending(), "the lock is held");
        }
        self.tasks.len()
    }

    /// Sends those away who do not wait, and those whose lock is not waited for by as many as it should be. Returns how many locks
    /// are left.
    fn keep(&mut self, waiting: usize, crowd: Crowd) -> usize {
        let locks = if crowd.locks == 1 { 1 } else { waiting / crowd.each as usize };
        let kept = if crowd.locks == 1 { waiting } else { locks * crowd.each as usize };
        self.tasks.truncate(kept);
        locks
    }

    /// Releases the locks that are `held`, and each again when the next one has it. Returns how many had one: all, or as many
    /// as there was patience for.
    fn all_go(&mut self, held: Vec<F::Output>) -> u32 {
        let each = self.tasks.len() / held.len().max(1);
        let (begin, mut woken) = (Instant::now(), 0);
        for mut guard in held {
            for _ in 0..each {
                drop(guard);
                guard = self.next();
                woken += 1;
                if (woken as usize).is_multiple_of(LOOK) && begin.elapsed() > PATIENCE {
                    // Not even the last one is released, because it would wake another.
                    mem::forget(guard);
                    return woken;
                }
            }
        }
        woken
    }

    /// Polls those who have been woken until one has its lock.
    fn next(&mut self) -> F::Output {
        loop {
            let next = self.woken.queue().pop_front();
            let index = next.expect("who has the lock wakes the next when it goes");
            let index = index as usize;
            if self.done[index] {
                // Woken once more.
                continue;
            }
            let (waker, future) = &mut self.tasks[index];
            if let Poll::Ready(guard) = future.as_mut().poll(&mut Context::from_waker(waker)) {
                self.done[index] = true;
                return guard;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subject::LockKind;

    #[test]
    fn everybody_in_a_crowd_gets_the_lock_and_every_figure_is_there() {
        let crowds = [
            Crowd { locks: 1, each: 10 },
            Crowd { locks: 1, each: 5_000 },
            Crowd { locks: 50, each: 4 },
        ];
        for id in LockKind::Async.subjects() {
            let cost = with_async_subject!(id, S => measure::<S>(&crowds));
            assert_eq!((cost.subject, cost.wakes.len()), (id, 3));
            let figures = [cost.task_ns, cost.thread_ns, cost.task_to_thread];
            assert!(figures.iter().all(|&ns| ns > 0.0), "{cost:?}");
            let crowds_of = cost.wakes.iter().map(|wakes| wakes.crowd);
            assert!(crowds_of.eq(crowds));
            assert!(cost.wakes.iter().all(|wakes| wakes.wait_ns > 0.0 && wakes.wake_ns > 0.0));
            // On a busy machine one of them may well lose patience.
            let all = |wakes: &WakeCost| wakes.woken == wakes.crowd.tasks();
            assert!(id == SubjectId::Saa || cost.wakes.iter().all(all), "{cost:?}");
            let first = &cost.wakes[0];
            assert_eq!(first.growth(first), 1.0);
            let slow = WakeCost { wake_ns: first.wake_ns * 2.1, ..*first };
            assert!(first.grows_little(first) && !slow.grows_little(first));
            assert!(!WakeCost { woken: 9, ..*first }.grows_little(first));
            let json = serde_json::to_string(&cost).unwrap();
            assert_eq!(serde_json::from_str::<TaskCost>(&json).unwrap().subject, id);
        }
    }

    #[test]
    fn a_waiting_task_of_ours_is_small() {
        let cost = with_async_subject!(SubjectId::Parkade, S => measure::<S>(&CROWDS[..1]));
        assert!(cost.small(), "{cost:?}");
        assert!(!TaskCost { future: MOST_BYTES + 1, ..cost }.small());
    }

    #[test]
    fn everybody_gets_his_key() {
        let crowds = [Crowd { locks: 10, each: 1 }, Crowd { locks: 1_000, each: 1 }];
        for (wakes, crowd) in keys(&crowds).into_iter().zip(crowds) {
            assert_eq!((wakes.crowd, wakes.woken), (crowd, crowd.tasks()));
            assert!(wakes.wait_ns > 0.0 && wakes.wake_ns > 0.0);
        }
    }

    #[test]
    fn crowds_have_words() {
        let words = CROWDS.map(Crowd::describe);
        assert_eq!(words, ["10 on one lock", "100000 on one lock", "10 on each of 10000 locks"]);
        assert_eq!(CROWDS.map(Crowd::passes), [500, 3, 3]);
    }
}
