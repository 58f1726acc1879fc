//! parking_lot_core's lock of a bucket: a word with a queue of sleeping threads in it.

use std::collections::VecDeque;

use super::{Action, Cx, Futex, Setup};
use crate::line::LineId;

/// A snapshot of the word. The head of the queue is part of it, so a compare-exchange sees that
/// somebody queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Word {
    locked: bool,
    queue_locked: bool,
    head: Option<usize>,
}

/// Where a thread is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pc {
    Out,
    TryLock,
    Look,
    Take(Word),
    Pausing,
    Push(Word),
    Sleep,
    Unlock,
    LookForSleepers,
    LockQueue(Word),
    /// Walks the queue.
    Scan(Word),
    LeaveQueue(Word),
    TakeLast(Word),
    UnlockQueue(usize),
    /// Tells the sleeper that it may go.
    Tell(usize),
    Wake,
}

/// Whether a lock or unlock goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// Do this, then step again.
    Act(Action),
    /// It is over.
    Done,
}

/// How a thread polls: short pauses, then `sched_yield`, then not any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SpinWait {
    counter: u32,
    /// The first pause, as a power of two.
    shift: u32,
}

impl SpinWait {
    pub(super) fn new(version: Version) -> SpinWait {
        let shift = match version {
            Version::V012 => 1,
            Version::V013 => 0,
        };
        SpinWait { counter: 0, shift }
    }

    pub(super) fn reset(&mut self) {
        self.counter = 0;
    }

    /// What to do before the next look, or `None` when it is time to sleep.
    pub(super) fn spin(&mut self) -> Option<Action> {
        if self.counter >= 10 {
            return None;
        }
        self.counter += 1;
        Some(match self.counter {
            n @ 1..=3 => Action::Pause(1 << (n - 1 + self.shift)),
            _ => Action::Yield,
        })
    }
}

/// Which parking_lot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// 0.12 with core 0.9.
    V012,
    /// 0.13 with core 0.10.
    V013,
}

#[derive(Debug, Clone)]
struct Thread {
    pc: Pc,
    spin: SpinWait,
    /// Must sleep.
    parked: bool,
}

#[derive(Debug, Clone)]
struct Lock {
    word: Word,
    /// Front: who came last.
    queue: VecDeque<usize>,
    line: LineId,
}

/// All buckets' locks.
#[derive(Debug)]
pub(super) struct WordLocks {
    locks: Vec<Lock>,
    threads: Vec<Thread>,
    /// A thread's parker and queue links.
    nodes: Vec<LineId>,
    futexes: Vec<Futex>,
}

impl WordLocks {
    pub(super) fn new(version: Version, lines: &[LineId], setup: &mut Setup) -> WordLocks {
        let lock = |&line| Lock { word: Word::default(), queue: VecDeque::new(), line };
        let thread = Thread { pc: Pc::Out, spin: SpinWait::new(version), parked: false };
        WordLocks {
            locks: lines.iter().map(lock).collect(),
            threads: vec![thread; setup.threads],
            nodes: setup.lines(setup.threads),
            futexes: setup.futexes(setup.threads),
        }
    }

    pub(super) fn lock(&mut self, thread: usize, lock: usize) -> Action {
        self.threads[thread].spin.reset();
        self.go(thread, lock, Pc::TryLock)
    }

    pub(super) fn unlock(&mut self, thread: usize, lock: usize) -> Action {
        self.go(thread, lock, Pc::Unlock)
    }

    /// Whether the futex is one of ours and its thread must sleep.
    pub(super) fn expected(&self, futex: Futex) -> Option<bool> {
        let thread = futex.0.checked_sub(self.futexes[0].0)? as usize;
        self.threads.get(thread).map(|thread| thread.parked)
    }

    fn go(&mut self, thread: usize, lock: usize, pc: Pc) -> Action {
        self.threads[thread].pc = pc;
        let line = self.locks[lock].line;
        match pc {
            Pc::TryLock
            | Pc::Take(_)
            | Pc::Push(_)
            | Pc::Unlock
            | Pc::LockQueue(_)
            | Pc::LeaveQueue(_)
            | Pc::TakeLast(_)
            | Pc::UnlockQueue(_) => Action::Modify(line),
            Pc::Look | Pc::LookForSleepers => Action::Load(line),
            // The newest node is the one that was written last.
            Pc::Scan(word) => Action::Load(self.nodes[word.head.unwrap_or(thread)]),
            Pc::Sleep => Action::Wait(self.futexes[thread], None),
            Pc::Tell(sleeper) => Action::Store(self.nodes[sleeper]),
            Pc::Pausing | Pc::Wake | Pc::Out => unreachable!("not entered this way"),
        }
    }

    /// Compares and exchanges.
    fn swap(&mut self, lock: usize, seen: Word, new: Word) -> bool {
        let word = &mut self.locks[lock].word;
        let same = *word == seen;
        if same {
            *word = new;
        }
        same
    }

    fn locking(&mut self, thread: usize, lock: usize, seen: Word) -> Action {
        if !seen.locked {
            return self.go(thread, lock, Pc::Take(seen));
        }
        if seen.head.is_none()
            && let Some(pause) = self.threads[thread].spin.spin()
        {
            self.threads[thread].pc = Pc::Pausing;
            return pause;
        }
        self.threads[thread].parked = true;
        self.go(thread, lock, Pc::Push(seen))
    }

    fn unlocking(&mut self, thread: usize, lock: usize, seen: Word) -> Progress {
        if seen.queue_locked || seen.head.is_none() {
            self.threads[thread].pc = Pc::Out;
            return Progress::Done;
        }
        Progress::Act(self.go(thread, lock, Pc::LockQueue(seen)))
    }

    pub(super) fn step(&mut self, cx: &Cx<'_>, lock: usize) -> Progress {
        let thread = cx.thread;
        let word = self.locks[lock].word;
        let act = match self.threads[thread].pc {
            Pc::TryLock if word == Word::default() => {
                self.locks[lock].word.locked = true;
                self.threads[thread].pc = Pc::Out;
                return Progress::Done;
            }
            Pc::TryLock | Pc::Pausing => self.go(thread, lock, Pc::Look),
            Pc::Look => self.locking(thread, lock, word),
            Pc::Take(seen) => {
                if self.swap(lock, seen, Word { locked: true, ..seen }) {
                    self.threads[thread].pc = Pc::Out;
                    return Progress::Done;
                }
                self.locking(thread, lock, word)
            }
            Pc::Push(seen) => {
                if self.swap(lock, seen, Word { head: Some(thread), ..seen }) {
                    self.locks[lock].queue.push_front(thread);
                    self.go(thread, lock, Pc::Sleep)
                } else {
                    self.locking(thread, lock, word)
                }
            }
            Pc::Sleep if self.threads[thread].parked => self.go(thread, lock, Pc::Sleep),
            Pc::Sleep => {
                self.threads[thread].spin.reset();
                self.go(thread, lock, Pc::Look)
            }

            Pc::Unlock => {
                self.locks[lock].word.locked = false;
                if word.queue_locked || word.head.is_none() {
                    self.threads[thread].pc = Pc::Out;
                    return Progress::Done;
                }
                self.go(thread, lock, Pc::LookForSleepers)
            }
            Pc::LookForSleepers => return self.unlocking(thread, lock, word),
            Pc::LockQueue(seen) => {
                let locked = Word { queue_locked: true, ..seen };
                if !self.swap(lock, seen, locked) {
                    return self.unlocking(thread, lock, word);
                }
                self.go(thread, lock, Pc::Scan(locked))
            }
            Pc::Scan(seen) if seen.locked => self.go(thread, lock, Pc::LeaveQueue(seen)),
            Pc::Scan(seen) => {
                let queue = &self.locks[lock].queue;
                if queue.len() == 1 {
                    self.go(thread, lock, Pc::TakeLast(seen))
                } else {
                    let tail = *queue.back().expect("a queue with a head has a tail");
                    self.go(thread, lock, Pc::UnlockQueue(tail))
                }
            }
            Pc::LeaveQueue(seen) => {
                if self.swap(lock, seen, Word { queue_locked: false, ..seen }) {
                    self.threads[thread].pc = Pc::Out;
                    return Progress::Done;
                }
                self.go(thread, lock, Pc::Scan(word))
            }
            Pc::TakeLast(seen) => {
                let emptied = Word { locked: seen.locked, ..Word::default() };
                if self.swap(lock, seen, emptied) {
                    let last = self.locks[lock].queue.pop_back().expect("one was there");
                    self.go(thread, lock, Pc::Tell(last))
                } else {
                    self.go(thread, lock, Pc::Scan(word))
                }
            }
            Pc::UnlockQueue(tail) => {
                self.locks[lock].word.queue_locked = false;
                let last = self.locks[lock].queue.pop_back();
                debug_assert_eq!(last, Some(tail), "only the queue's locker takes from its end");
                self.go(thread, lock, Pc::Tell(tail))
            }
            Pc::Tell(sleeper) => {
                self.threads[sleeper].parked = false;
                self.threads[thread].pc = Pc::Wake;
                Action::Wake(self.futexes[sleeper])
            }
            Pc::Wake => {
                self.threads[thread].pc = Pc::Out;
                return Progress::Done;
            }
            Pc::Out => unreachable!("outside of lock and unlock there are no steps"),
        };
        Progress::Act(act)
    }

    pub(super) fn is_free(&self, lock: usize) -> bool {
        self.locks[lock].word == Word::default()
    }
}
