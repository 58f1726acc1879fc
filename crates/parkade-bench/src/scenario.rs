//! The workloads, by name.

mod catalogue;

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::draw::ZIPF_EXPONENT;
use crate::sides::{Access, Sides};
use crate::subject::LockKind;

pub use catalogue::catalogue;
use catalogue::rw;

/// One workload: how many threads do what around a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    /// The name used on the command line and in reports.
    pub name: Cow<'static, str>,
    /// How many threads run.
    pub threads: u32,
    /// What each of them does.
    pub shape: Shape,
    /// What its figures are for.
    pub role: Role,
}

/// What the threads of a scenario do until they are told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Nothing but lock and unlock, without even a counter.
    EmptyLoop,
    /// Lock, increment, unlock, by a single thread which measures nothing else.
    Solo,
    /// `inside` work steps under the lock, then `outside` steps without it.
    Steps {
        /// Work steps on the protected value.
        inside: u32,
        /// Work steps on a private value, after unlocking.
        outside: u32,
    },
    /// Sleeps under the lock, again and again.
    SleepInside {
        /// How long the lock is held.
        hold: Duration,
    },
    /// Increments under the lock for a while, then sleeps without it for a while.
    Burst {
        /// How long a thread keeps locking.
        on: Duration,
        /// How long it then sleeps.
        off: Duration,
    },
    /// One thread sleeps under the lock again and again, the others increment.
    Hog {
        /// How long the hog holds the lock.
        hold: Duration,
    },
    /// Increments under one of several padded locks, chosen at random.
    Many {
        /// How many locks.
        locks: u32,
    },
    /// Dependent floating-point steps inside and outside, as in parking_lot's own benchmark.
    Float {
        /// Steps on the protected value.
        inside: u32,
        /// Steps on a private value, after unlocking.
        outside: u32,
    },
    /// What is done with a reader-writer lock.
    Rw(RwShape),
    /// What is done with a mutex that a thread may lock again.
    Reentrant(ReentrantShape),
    /// What is done with condition variables.
    Condvar(CondvarShape),
    /// Nothing but to ask for what was initialised before, without even a counter.
    Once(OnceShape),
    /// Locks one of many keys, and works on what belongs to it.
    Keyed(KeyedShape),
    /// What is done with a semaphore.
    Semaphore(SemaphoreShape),
    /// What tasks do with a lock.
    Async(AsyncShape),
}

/// What tasks do with a lock, on a runtime with two threads. They count as threads in [`Scenario::threads`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsyncShape {
    /// Nothing but lock and unlock by one task that never gives way, without even a counter.
    EmptyLoop,
    /// `inside` work steps under the lock, then `outside` steps without it, and then a task gives way to others
    /// (tokio's `yield_now`): else each thread of the runtime would run one task until it has to wait.
    Turns {
        /// Work steps on the protected value.
        inside: u32,
        /// Work steps on a private value, after unlocking.
        outside: u32,
        /// What happens under the lock after the work.
        section: Section,
        /// How many of those who take part are no tasks, but threads that block.
        threads: u32,
    },
}

/// What a task does under the lock when its work there is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// Unlocks.
    Plain,
    /// Gives way to other tasks first, so that all of them come to wait for the lock: what asynchronous locks are for.
    Held,
}

/// What threads do with the mutexes of many keys: each draws a key, locks it, works on the key's value,
/// unlocks, and draws the next at once. Before the run every key has been locked once, so that a map whose keys
/// stay has them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyedShape {
    /// How many keys there are.
    pub keys: u32,
    /// How likely each of them is.
    pub draw: Draw,
    /// Work steps on the key's value.
    pub inside: u32,
}

/// How keys are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Draw {
    /// Each as likely as any other.
    Uniform,
    /// By [`ZIPF_EXPONENT`]: a few are drawn most of the time.
    Zipf,
}

/// What threads do with a semaphore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SemaphoreShape {
    /// Nothing but take and give back one permit, without even a counter.
    EmptyLoop,
    /// `inside` work steps on a private value with a permit, then `outside` without.
    Steps {
        /// How many permits there are.
        permits: u32,
        /// Work steps with a permit.
        inside: u32,
        /// Work steps without.
        outside: u32,
    },
    /// The same with a random number of permits at once.
    Weighted {
        /// How many permits there are.
        permits: u32,
        /// One to so many are asked for.
        most: u32,
        /// Work steps with the permits.
        inside: u32,
        /// Work steps without.
        outside: u32,
    },
}

impl SemaphoreShape {
    /// How many permits there are.
    pub fn permits(self) -> u32 {
        match self {
            SemaphoreShape::EmptyLoop => 1,
            SemaphoreShape::Steps { permits, .. } | SemaphoreShape::Weighted { permits, .. } => {
                permits
            }
        }
    }
}

impl Shape {
    /// What kind of lock it needs.
    pub fn kind(self) -> LockKind {
        match self {
            Shape::Rw(_) => LockKind::Rwlock,
            Shape::Reentrant(_) => LockKind::Reentrant,
            Shape::Condvar(_) => LockKind::Condvar,
            Shape::Once(OnceShape::Call) => LockKind::Once,
            Shape::Once(OnceShape::Get) => LockKind::OnceLock,
            Shape::Keyed(_) => LockKind::Keyed,
            Shape::Semaphore(_) => LockKind::Semaphore,
            Shape::Async(_) => LockKind::Async,
            _ => LockKind::Mutex,
        }
    }
}

/// What threads do with a mutex and two condition variables. Each thread's turn, put, take, broadcast or
/// hearing of one is an operation, and its wait includes that for the others to make it possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CondvarShape {
    /// Two threads take turns and notify each other.
    PingPong,
    /// The first thread puts items into a queue, the others take them out; each put notifies one taker, each
    /// take the first thread.
    Queue {
        /// How many items the queue holds.
        capacity: u32,
        /// Work steps on a private value, for each item put or taken, without the lock.
        outside: u32,
    },
    /// The first thread notifies all others at once, and again when each has been there.
    Broadcast,
}

/// What a single thread does with a mutex that it may lock again, without even a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReentrantShape {
    /// Locks and unlocks.
    EmptyLoop,
    /// Locks three times and unlocks as often: one operation.
    Nested,
}

/// How it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnceShape {
    /// A `Once` is called once more.
    Call,
    /// The value of a `OnceLock` is got.
    Get,
}

/// What threads do with a reader-writer lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RwShape {
    /// Nothing but lock and unlock, always in the same way, without even a counter.
    EmptyLoop(Access),
    /// Every thread draws at every operation whether it reads or writes, and locks again at once.
    /// A writer works on the protected value, a reader from it.
    Mixed {
        /// Reads among a hundred operations.
        read_percent: u32,
        /// Work steps under the lock.
        inside: u32,
    },
    /// Some threads only write, the others only read, with dependent floating-point steps inside
    /// and outside, as in parking_lot's own benchmark.
    Apart {
        /// How many threads write; they come first. The rest read.
        writers: u32,
        /// Steps under the lock.
        inside: u32,
        /// Steps on a private value, after unlocking.
        outside: u32,
    },
}

impl RwShape {
    /// What the thread number `index` does: some of both, or one of them only.
    pub(crate) fn takes_part(self, index: u32) -> Sides<Part> {
        let part = |does| if does { Part::Taken } else { Part::NotTaken };
        match self {
            RwShape::EmptyLoop(access) => Sides::from_fn(|side| part(side == access)),
            RwShape::Mixed { read_percent, .. } => {
                Sides { read: part(read_percent > 0), write: part(read_percent < 100) }
            }
            RwShape::Apart { writers, .. } => {
                Sides { read: part(index >= writers), write: part(index < writers) }
            }
        }
    }
}

/// Whether a thread is on a side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// It is.
    Taken,
    /// It never does that.
    NotTaken,
}

/// Which operations have the duration of their lock call measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sampling {
    /// None: with a single thread, or readers only, there is no wait, and the clock would be most
    /// of the figure.
    Off,
    /// One of this many on average, at random distances.
    OneIn(u32),
    /// All: a section is so long that reading the clock does not matter.
    Every,
}

/// What a scenario's figures are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Judged by throughput and longest wait, and part of the geometric mean.
    Mark,
    /// Judged as a mark is, but no part of the geometric mean.
    Apart,
    /// Judged by the cost of a lock and unlock alone.
    Cost,
    /// A point of a curve, by threads or by the part of reads: shown, not judged.
    Scaling,
    /// Made by the user or a suite: shown, not judged.
    Custom,
}

/// What a scenario must reach to pass, as ratios to rivals of the same run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// Least throughput, in parts of the best rival's.
    pub throughput: f64,
    /// Longest wait allowed, in parts of the fairest rival's, the writers' where there are readers
    /// too; none for a single thread and where nobody writes.
    pub wait: Option<f64>,
    /// Most spread between threads allowed; none where threads need not get the same.
    pub spread: Option<f64>,
    /// Least throughput in parts of the best of those rivals that lock other keys too
    /// ([`Grain::Coarse`](crate::subject::Grain)) and are no part of the figures above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coarse: Option<f64>,
}

impl Scenario {
    /// What kind of lock it needs.
    pub fn kind(&self) -> LockKind {
        self.shape.kind()
    }

    /// Which operations are timed.
    pub fn sampling(&self) -> Sampling {
        match self.shape {
            Shape::EmptyLoop | Shape::Solo | Shape::Reentrant(_) => Sampling::Off,
            Shape::Rw(RwShape::EmptyLoop(_)) => Sampling::Off,
            Shape::Once(_) | Shape::Semaphore(SemaphoreShape::EmptyLoop) => Sampling::Off,
            Shape::Async(AsyncShape::EmptyLoop) => Sampling::Off,
            // Some tasks have few turns in a round, and there is nobody who watches them.
            Shape::Async(AsyncShape::Turns { .. }) => Sampling::Every,
            // Readers alone wait for nobody.
            Shape::Rw(RwShape::Mixed { read_percent: 100, .. }) => Sampling::Off,
            Shape::Rw(RwShape::Mixed { .. }) if self.threads == 1 => Sampling::Off,
            Shape::Rw(RwShape::Mixed { inside, .. }) if inside >= 80 => Sampling::OneIn(16),
            Shape::Steps { inside, .. } if inside >= 2000 => Sampling::Every,
            Shape::SleepInside { .. } | Shape::Burst { .. } => Sampling::Every,
            Shape::Condvar(CondvarShape::PingPong | CondvarShape::Broadcast) => Sampling::Every,
            Shape::Condvar(CondvarShape::Queue { .. }) => Sampling::OneIn(16),
            Shape::Semaphore(_) => Sampling::OneIn(16),
            // 20 ns for the clock now and then do not show beside 80 ns of work.
            Shape::Steps { inside, outside } if inside + outside >= 80 => Sampling::OneIn(16),
            // In hog the hog itself is timed always, its victims like any short section.
            Shape::Steps { .. }
            | Shape::Hog { .. }
            | Shape::Many { .. }
            | Shape::Float { .. }
            | Shape::Keyed(_)
            | Shape::Rw(_) => Sampling::OneIn(64),
        }
    }

    /// What the scenario asks for, if it is judged.
    pub fn mark(&self) -> Option<Mark> {
        let wait = match (self.role, self.shape) {
            (Role::Scaling | Role::Custom, _) => return None,
            (Role::Cost, _) | (_, Shape::Rw(RwShape::Mixed { read_percent: 100, .. })) => None,
            // Among many keys the longest wait is the scheduler's: shown, not judged.
            (_, Shape::Once(_) | Shape::Keyed(_)) => None,
            // When a task that has been woken runs is up to the runtime: shown, not judged.
            (_, Shape::Async(_)) => None,
            (Role::Mark | Role::Apart, _) => (self.threads > 1).then_some(1.0),
        };
        Some(Mark {
            throughput: self.least_throughput(),
            wait,
            // Long sections: who is passed over misses much.
            spread: matches!(self.shape, Shape::SleepInside { .. }).then_some(0.1),
            coarse: matches!(self.shape, Shape::Keyed(_)).then_some(0.7),
        })
    }

    /// The throughput to reach, in parts of the best rival's.
    fn least_throughput(&self) -> f64 {
        match self.shape {
            // At most 0.75x the time.
            Shape::EmptyLoop => 1.0 / 0.75,
            // At most 0.25x the time.
            Shape::Rw(RwShape::EmptyLoop(Access::Read)) => 1.0 / 0.25,
            // Readers that share nothing do not slow each other down.
            Shape::Rw(RwShape::Mixed { read_percent: 100, .. }) if self.threads > 1 => 5.0,
            Shape::Rw(RwShape::Mixed { read_percent: 100, .. }) => 2.0,
            // Where threads seldom want the same key, they should not wait for each other at all.
            Shape::Keyed(KeyedShape { keys, .. }) if keys >= 1000 => 2.0,
            // In hog loops the rest of the throughput is somebody's starvation.
            _ if self.name.starts_with("short-") => 0.97,
            _ => 1.0,
        }
    }

    /// The same workload with another number of threads, or `None` where the number is the
    /// workload ([`Shape::EmptyLoop`], [`Shape::Solo`], [`Shape::Reentrant`], readers and writers or tasks and
    /// threads in given numbers).
    pub fn with_threads(&self, threads: u32) -> Option<Scenario> {
        let base = match self.shape {
            Shape::EmptyLoop | Shape::Solo | Shape::Reentrant(_) => return None,
            Shape::Rw(RwShape::EmptyLoop(_) | RwShape::Apart { .. }) => return None,
            Shape::Condvar(CondvarShape::PingPong) => return None,
            Shape::Semaphore(SemaphoreShape::EmptyLoop) => return None,
            Shape::Async(AsyncShape::EmptyLoop) => return None,
            Shape::Async(AsyncShape::Turns { threads: 1.., .. }) => return None,
            Shape::Keyed(_) | Shape::Semaphore(_) => {
                let rest = self.name.splitn(3, '-').nth(2).unwrap_or_default();
                let kind = if self.kind() == LockKind::Keyed { "keyed" } else { "sem" };
                return Some(self.renamed(format!("{kind}-{threads}-{rest}"), threads));
            }
            Shape::Rw(RwShape::Mixed { read_percent, .. }) => {
                return Some(rw(threads, read_percent));
            }
            Shape::Many { locks } => {
                let name = format!("many-{threads}x{locks}");
                return Some(self.renamed(name, threads));
            }
            _ => self.name.rsplit_once('-').map_or(&*self.name, |(base, _)| base),
        };
        let name = format!("{base}-{threads}");
        Some(self.renamed(name, threads))
    }

    fn renamed(&self, name: String, threads: u32) -> Scenario {
        if name == self.name {
            return self.clone();
        }
        // A scenario that exists under that name keeps its role and marks.
        find(&name).filter(|known| known.shape == self.shape).unwrap_or(Scenario {
            name: name.into(),
            threads,
            shape: self.shape,
            role: Role::Custom,
        })
    }

    /// How long a round lasts when `asked` for: bursts are not cut in the middle.
    pub fn round_time(&self, asked: Duration) -> Duration {
        match self.shape {
            Shape::Burst { on, off } => {
                let period = on + off;
                period * asked.as_nanos().div_ceil(period.as_nanos()).max(1) as u32
            }
            _ => asked,
        }
    }

    /// One sentence on what the threads do.
    pub fn describe(&self) -> String {
        let threads = match (self.threads, self.shape) {
            (n, Shape::Async(shape)) => shape.describe_crew(n),
            (1, _) => "1 thread".to_owned(),
            (n, _) => format!("{n} threads"),
        };
        let what = match self.shape {
            Shape::EmptyLoop => "lock and unlock in an empty loop".to_owned(),
            Shape::Solo => "lock, increment, unlock".to_owned(),
            Shape::Steps { inside, outside: 0 } => {
                format!("{inside} work steps inside, locking again at once")
            }
            Shape::Steps { inside, outside } => {
                format!("{inside} work steps inside, {outside} outside")
            }
            Shape::SleepInside { hold } => format!("sleep {hold:?} under the lock"),
            Shape::Burst { on, off } => {
                format!("{on:?} of lock, increment, unlock, then {off:?} of sleep")
            }
            Shape::Hog { hold } => {
                format!("one sleeps {hold:?} under the lock again and again, the others increment")
            }
            Shape::Many { locks } => format!("increment under one of {locks} locks at random"),
            Shape::Float { inside, outside } => {
                format!("{inside} floating-point steps inside, {outside} outside")
            }
            Shape::Rw(shape) => shape.describe(self.threads),
            Shape::Condvar(shape) => shape.describe(self.threads),
            Shape::Reentrant(ReentrantShape::EmptyLoop) => {
                "lock and unlock in an empty loop".to_owned()
            }
            Shape::Reentrant(ReentrantShape::Nested) => {
                "lock three times and unlock three times in an empty loop".to_owned()
            }
            Shape::Once(OnceShape::Call) => "calls of a complete Once in an empty loop".to_owned(),
            Shape::Once(OnceShape::Get) => "gets of a OnceLock's value in an empty loop".to_owned(),
            Shape::Keyed(shape) => shape.describe(),
            Shape::Semaphore(shape) => shape.describe(),
            Shape::Async(shape) => shape.describe(),
        };
        format!("{threads}: {what}")
    }
}

impl KeyedShape {
    fn describe(self) -> String {
        let KeyedShape { keys, draw, inside } = self;
        let how = match draw {
            Draw::Uniform => "at random".to_owned(),
            Draw::Zipf => format!("by Zipf, exponent {ZIPF_EXPONENT}"),
        };
        match keys {
            1 => format!("always the same key, {inside} work steps inside"),
            _ => format!("one of {keys} keys {how}, {inside} work steps inside"),
        }
    }
}

impl SemaphoreShape {
    fn describe(self) -> String {
        match self {
            SemaphoreShape::EmptyLoop => {
                "take the only permit and give it back in an empty loop".to_owned()
            }
            SemaphoreShape::Steps { permits, inside, outside } => {
                format!("{permits} permits, {inside} work steps with one, {outside} without")
            }
            SemaphoreShape::Weighted { permits, most, inside, outside } => format!(
                "{permits} permits, 1 to {most} at once, {inside} work steps with them, {outside} without"
            ),
        }
    }
}

impl AsyncShape {
    /// How many of `all` who take part are tasks.
    pub(crate) fn tasks_of(self, all: u32) -> u32 {
        match self {
            AsyncShape::EmptyLoop => all,
            AsyncShape::Turns { threads, .. } => all - threads,
        }
    }

    fn describe_crew(self, all: u32) -> String {
        match (self.tasks_of(all), self) {
            (1, _) => "1 task".to_owned(),
            (n, AsyncShape::Turns { threads: threads @ 1.., .. }) => {
                format!("{n} tasks and {threads} threads")
            }
            (n, _) => format!("{n} tasks"),
        }
    }

    fn describe(self) -> String {
        match self {
            AsyncShape::EmptyLoop => "lock and unlock in an empty loop".to_owned(),
            AsyncShape::Turns { inside, outside, section, .. } => {
                let held = match section {
                    Section::Plain => "",
                    Section::Held => " and a yield",
                };
                format!("{inside} work steps{held} inside, {outside} and a yield outside")
            }
        }
    }
}

impl CondvarShape {
    fn describe(self, threads: u32) -> String {
        let others = threads.saturating_sub(1);
        match self {
            CondvarShape::PingPong => "take turns, each notifies the other".to_owned(),
            CondvarShape::Queue { capacity, outside } => format!(
                "one puts items into a queue of {capacity}, {others} take them, \
                 {outside} work steps outside"
            ),
            CondvarShape::Broadcast => format!("one notifies {others} at once, again and again"),
        }
    }
}

impl RwShape {
    fn describe(self, threads: u32) -> String {
        match self {
            RwShape::EmptyLoop(Access::Read) => {
                "lock for reading and unlock in an empty loop".into()
            }
            RwShape::EmptyLoop(Access::Write) => {
                "lock for writing and unlock in an empty loop".into()
            }
            RwShape::Mixed { read_percent, inside } => {
                let what = match read_percent {
                    0 => "writes only".to_owned(),
                    100 => "reads only".to_owned(),
                    percent => format!("{percent} % reads, the rest writes"),
                };
                format!("{what}, {inside} work steps inside, locking again at once")
            }
            RwShape::Apart { writers, inside, outside } => {
                let readers = threads - writers;
                format!(
                    "{writers} write, {readers} read, {inside} floating-point steps inside, \
                     {outside} outside"
                )
            }
        }
    }
}

/// The scenario of that name.
pub fn find(name: &str) -> Option<Scenario> {
    let all = LockKind::ALL.iter().flat_map(|&kind| catalogue(kind));
    all.into_iter().find(|scenario| scenario.name == name)
}

#[cfg(test)]
mod tests;
