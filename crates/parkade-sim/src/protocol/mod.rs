//! Lock protocols, as state machines over a word in a cache line.
//!
//! A protocol does with its own memory what the real lock does, one access at a time, and the
//! engine says when. An [`Action`] announces what comes next and is charged for *first*; the call
//! of [`Protocol::step`] that follows is the moment at which the access takes effect. Between
//! the two, other threads may have changed the word, exactly as on a real machine.

mod bucket_lock;
mod fifo;
mod futex;
mod parkade;
mod parking_lot;
mod saa;
mod spin;
mod usync;
mod word_lock;

use std::fmt;

use crate::line::LineId;
use crate::rng::Rng;
use crate::time::Ps;

/// Names a word that threads sleep on in the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Futex(pub u32);

/// What a thread does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Reads a word of that line.
    Load(LineId),
    /// Writes it.
    Store(LineId),
    /// Changes it by a locked instruction.
    Modify(LineId),
    /// Reads and writes something beside the word of a lock that it holds: the store buffer takes it, and
    /// nobody else looks.
    Note,
    /// That many `pause` instructions.
    Pause(u32),
    /// Pauses for so long.
    PauseFor(Ps),
    /// `sched_yield`.
    Yield,
    /// Reads the clock.
    Clock,
    /// Interrupts all cores that run a thread of the process.
    Membarrier,
    /// Sleeps if [`Protocol::expected`] still holds, until woken or, if given, until then.
    Wait(Futex, Option<Ps>),
    /// Wakes at most one thread that sleeps on the word.
    Wake(Futex),
    /// The lock call returns.
    Acquired,
    /// The unlock call returns.
    Released,
}

/// How the last action went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// Nothing to say.
    Done,
    /// A [`Action::Wait`] slept and was woken.
    Woken,
    /// A [`Action::Wait`] found another value.
    Changed,
    /// A [`Action::Wait`] slept until its time was up.
    TimedOut,
}

/// What a protocol sees of the world.
#[derive(Debug)]
pub struct Cx<'a> {
    /// The thread that acts.
    pub thread: usize,
    /// The lock it acts on.
    pub lock: usize,
    /// Now.
    pub now: Ps,
    /// The core it runs on.
    pub core: usize,
    /// How often it has left a core.
    pub switches: u64,
    /// How its last action went.
    pub report: Report,
    /// Random numbers.
    pub rng: &'a mut Rng,
    pub(crate) freed: bool,
}

impl Cx<'_> {
    /// To be called in the step that ends the thread's ownership: by making the lock free, or by
    /// making it another thread's. The engine checks that holders never overlap.
    pub fn gives_up_ownership(&mut self) {
        self.freed = true;
    }
}

/// What a protocol needs to exist: how much of it there is, and names for its lines and futexes.
#[derive(Debug)]
pub struct Setup {
    /// Threads.
    pub threads: usize,
    /// Locks.
    pub locks: usize,
    /// Processors of the machine, hardware threads counted.
    pub processors: u32,
    lines: u32,
    futexes: u32,
}

impl Setup {
    /// For that many threads and locks on that many processors.
    #[must_use]
    pub fn new(threads: usize, locks: usize, processors: u32) -> Setup {
        Setup { threads, locks, processors, lines: 0, futexes: 0 }
    }

    /// A new line.
    pub fn line(&mut self) -> LineId {
        self.lines += 1;
        LineId(self.lines - 1)
    }

    /// That many new lines.
    pub fn lines(&mut self, count: usize) -> Vec<LineId> {
        (0..count).map(|_| self.line()).collect()
    }

    /// A new futex.
    pub fn futex(&mut self) -> Futex {
        self.futexes += 1;
        Futex(self.futexes - 1)
    }

    /// That many new futexes.
    pub fn futexes(&mut self, count: usize) -> Vec<Futex> {
        (0..count).map(|_| self.futex()).collect()
    }

    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.lines as usize, self.futexes as usize)
    }
}

/// A lock protocol. It owns the state of all locks and of all threads in them.
pub trait Protocol {
    /// A thread calls lock; its first action.
    fn lock(&mut self, cx: &mut Cx<'_>) -> Action;

    /// A holder calls unlock; its first action.
    fn unlock(&mut self, cx: &mut Cx<'_>) -> Action;

    /// The last action takes effect now; the next one.
    fn step(&mut self, cx: &mut Cx<'_>) -> Action;

    /// Whether the kernel would find the value that `thread` wants to sleep on.
    fn expected(&self, thread: usize, futex: Futex) -> bool;

    /// The value of all words of `lock`, if nobody waits for it or is in a slow path: with the
    /// same fingerprint before and after, two operations that nobody disturbs take the same time.
    fn fingerprint(&self, lock: usize) -> Option<u64>;
}

/// Names a protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LockId {
    /// Parkade's own.
    Parkade,
    /// std's futex mutex.
    Std,
    /// parking_lot 0.12.
    ParkingLot012,
    /// parking_lot 0.13.
    ParkingLot013,
    /// usync.
    Usync,
    /// saa.
    Saa,
    /// The C library's mutex.
    Pthread,
    /// First come, first served: each waiter is handed the lock.
    Fifo,
    /// Test and test-and-set, and nothing else.
    Spin,
}

impl LockId {
    /// All protocols.
    pub const ALL: &[LockId] = &[
        LockId::Parkade,
        LockId::Std,
        LockId::ParkingLot012,
        LockId::ParkingLot013,
        LockId::Usync,
        LockId::Saa,
        LockId::Pthread,
        LockId::Fifo,
        LockId::Spin,
    ];

    /// The name on the command line, the same as the benchmark's where it measures the lock.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            LockId::Parkade => "parkade",
            LockId::Std => "std",
            LockId::ParkingLot012 => "parking_lot-0.12",
            LockId::ParkingLot013 => "parking_lot-0.13",
            LockId::Usync => "usync",
            LockId::Saa => "saa",
            LockId::Pthread => "pthread",
            LockId::Fifo => "fifo",
            LockId::Spin => "spin",
        }
    }

    /// A shorter name.
    #[must_use]
    pub fn alias(self) -> Option<&'static str> {
        match self {
            LockId::ParkingLot012 => Some("pl-0.12"),
            LockId::ParkingLot013 => Some("pl-0.13"),
            _ => None,
        }
    }

    /// The protocol of that name or alias.
    #[must_use]
    pub fn find(name: &str) -> Option<LockId> {
        LockId::ALL.iter().copied().find(|id| id.name() == name || id.alias() == Some(name))
    }

    /// A fresh instance.
    pub fn build(self, setup: &mut Setup) -> Box<dyn Protocol> {
        match self {
            LockId::Parkade => Box::new(parkade::Parkade::new(setup)),
            LockId::Std => Box::new(futex::FutexMutex::std(setup)),
            LockId::Pthread => Box::new(futex::FutexMutex::pthread(setup)),
            LockId::ParkingLot012 => {
                Box::new(parking_lot::ParkingLot::new(parking_lot::Version::V012, setup))
            }
            LockId::ParkingLot013 => {
                Box::new(parking_lot::ParkingLot::new(parking_lot::Version::V013, setup))
            }
            LockId::Usync => Box::new(usync::Usync::new(setup)),
            LockId::Saa => Box::new(saa::Saa::new(setup)),
            LockId::Fifo => Box::new(fifo::Fifo::new(setup)),
            LockId::Spin => Box::new(spin::Spin::new(setup)),
        }
    }
}

impl fmt::Display for LockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
