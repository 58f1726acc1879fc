//! usync's mutex: the head of the queue is in the lock's word, and whoever links the queue's nodes
//! or wakes its tail holds a bit for it.

use std::collections::VecDeque;

use super::{Action, Cx, Futex, Protocol, Setup};
use crate::line::LineId;

/// Looks at a held lock with no queue, over the whole call.
const LOCK_POLLS: u32 = 100;
/// Looks at its own parker before a thread sleeps.
const PARK_POLLS: u32 = 100;
/// The longest pause after a lost race, as a power of two.
const BACKOFF_MOST: u32 = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Word {
    locked: bool,
    queue_locked: bool,
    head: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pc {
    Idle,
    TryLock,
    Look,
    /// Saw it free; so many races were lost since.
    Take(u32),
    BackOff(u32),
    LookAgain(u32),
    Pausing,
    Push(Word),
    ParkPoll(u32),
    ParkGap(u32),
    /// Registers for a wake.
    Register,
    Sleep,
    Unlock,
    LookForSleepers,
    LockQueue(Word),
    Over,
    /// Holds the queue; walks it.
    Scan(Word),
    Leave(Word),
    TakeLast(Word),
    UnlockQueue,
    Tell(usize),
    Wake,
}

/// For whom the queue is linked or its tail woken: what comes after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Errand {
    /// A thread that has queued and will park.
    Parking,
    /// An unlock.
    Unlocking,
}

#[derive(Debug, Clone)]
struct Thread {
    pc: Pc,
    errand: Errand,
    polls: u32,
    notified: bool,
    asleep: bool,
}

/// The mutexes.
#[derive(Debug)]
pub(super) struct Usync {
    words: Vec<Word>,
    /// Front: who came last.
    queues: Vec<VecDeque<usize>>,
    lines: Vec<LineId>,
    nodes: Vec<LineId>,
    futexes: Vec<Futex>,
    threads: Vec<Thread>,
}

impl Usync {
    pub(super) fn new(setup: &mut Setup) -> Usync {
        let thread = Thread {
            pc: Pc::Idle,
            errand: Errand::Parking,
            polls: 0,
            notified: false,
            asleep: false,
        };
        Usync {
            words: vec![Word::default(); setup.locks],
            queues: vec![VecDeque::new(); setup.locks],
            lines: setup.lines(setup.locks),
            nodes: setup.lines(setup.threads),
            futexes: setup.futexes(setup.threads),
            threads: vec![thread; setup.threads],
        }
    }

    fn go(&mut self, cx: &Cx<'_>, pc: Pc) -> Action {
        self.threads[cx.thread].pc = pc;
        let (line, node) = (self.lines[cx.lock], self.nodes[cx.thread]);
        match pc {
            Pc::TryLock
            | Pc::Take(_)
            | Pc::Push(_)
            | Pc::Unlock
            | Pc::LockQueue(_)
            | Pc::Leave(_)
            | Pc::TakeLast(_)
            | Pc::UnlockQueue => Action::Modify(line),
            Pc::Look | Pc::LookAgain(_) | Pc::LookForSleepers => Action::Load(line),
            Pc::BackOff(lost) => Action::Pause(1 << lost.min(BACKOFF_MOST)),
            Pc::Pausing | Pc::ParkGap(_) => Action::Pause(1),
            Pc::ParkPoll(_) => Action::Load(node),
            Pc::Register => Action::Modify(node),
            Pc::Sleep => Action::Wait(self.futexes[cx.thread], None),
            Pc::Scan(word) => Action::Load(self.nodes[word.head.unwrap_or(cx.thread)]),
            Pc::Tell(sleeper) => Action::Modify(self.nodes[sleeper]),
            Pc::Idle => Action::Acquired,
            Pc::Over => Action::Released,
            Pc::Wake => unreachable!("not entered this way"),
        }
    }

    fn swap(&mut self, cx: &Cx<'_>, seen: Word, new: Word) -> bool {
        let word = &mut self.words[cx.lock];
        let same = *word == seen;
        if same {
            *word = new;
        }
        same
    }

    /// The slow path of lock with that word seen, after so many lost races.
    fn decide(&mut self, cx: &Cx<'_>, seen: Word, lost: u32) -> Action {
        if !seen.locked {
            return self.go(cx, Pc::Take(lost));
        }
        let thread = &mut self.threads[cx.thread];
        if seen.head.is_none() && thread.polls < LOCK_POLLS {
            thread.polls += 1;
            return self.go(cx, Pc::Pausing);
        }
        thread.notified = false;
        thread.asleep = false;
        self.go(cx, Pc::Push(seen))
    }

    fn done_with_queue(&mut self, cx: &Cx<'_>) -> Action {
        match self.threads[cx.thread].errand {
            Errand::Parking => self.go(cx, Pc::ParkPoll(PARK_POLLS)),
            Errand::Unlocking => self.go(cx, Pc::Over),
        }
    }

    fn look_for_sleepers(&mut self, cx: &Cx<'_>, seen: Word) -> Action {
        let ours = !seen.locked && seen.head.is_some() && !seen.queue_locked;
        self.go(cx, if ours { Pc::LockQueue(seen) } else { Pc::Over })
    }

    fn push(&mut self, cx: &Cx<'_>, seen: Word) -> Action {
        let queue_locked = seen.queue_locked || seen.head.is_some();
        let new = Word { head: Some(cx.thread), queue_locked, ..seen };
        if !self.swap(cx, seen, new) {
            let word = self.words[cx.lock];
            return self.decide(cx, word, 0);
        }
        self.queues[cx.lock].push_front(cx.thread);
        if seen.head.is_some() && !seen.queue_locked {
            self.threads[cx.thread].errand = Errand::Parking;
            return self.go(cx, Pc::Scan(new));
        }
        self.go(cx, Pc::ParkPoll(PARK_POLLS))
    }

    fn scan(&mut self, cx: &Cx<'_>, seen: Word) -> Action {
        let next = if seen.locked {
            Pc::Leave(seen)
        } else if self.queues[cx.lock].len() == 1 {
            Pc::TakeLast(seen)
        } else {
            Pc::UnlockQueue
        };
        self.go(cx, next)
    }
}

impl Protocol for Usync {
    fn lock(&mut self, cx: &mut Cx<'_>) -> Action {
        self.threads[cx.thread].polls = 0;
        self.go(cx, Pc::TryLock)
    }

    fn unlock(&mut self, cx: &mut Cx<'_>) -> Action {
        self.go(cx, Pc::Unlock)
    }

    fn step(&mut self, cx: &mut Cx<'_>) -> Action {
        let word = self.words[cx.lock];
        match self.threads[cx.thread].pc {
            Pc::TryLock | Pc::Take(_) if !word.locked => {
                self.words[cx.lock].locked = true;
                self.go(cx, Pc::Idle)
            }
            Pc::TryLock => self.go(cx, Pc::Look),
            Pc::Take(lost) => self.go(cx, Pc::BackOff(lost + 1)),
            Pc::BackOff(lost) => self.go(cx, Pc::LookAgain(lost)),
            Pc::LookAgain(lost) => self.decide(cx, word, lost),
            Pc::Pausing => self.go(cx, Pc::Look),
            Pc::Look => self.decide(cx, word, 0),
            Pc::Push(seen) => self.push(cx, seen),
            Pc::ParkPoll(_) if self.threads[cx.thread].notified => self.go(cx, Pc::Look),
            Pc::ParkPoll(0) => self.go(cx, Pc::Register),
            Pc::ParkPoll(left) => self.go(cx, Pc::ParkGap(left - 1)),
            Pc::ParkGap(left) => self.go(cx, Pc::ParkPoll(left)),
            Pc::Register | Pc::Sleep if self.threads[cx.thread].notified => self.go(cx, Pc::Look),
            Pc::Register => {
                self.threads[cx.thread].asleep = true;
                self.go(cx, Pc::Sleep)
            }
            Pc::Sleep => self.go(cx, Pc::Sleep),

            Pc::Unlock => {
                self.words[cx.lock].locked = false;
                cx.gives_up_ownership();
                let ours = word.head.is_some() && !word.queue_locked;
                self.threads[cx.thread].errand = Errand::Unlocking;
                self.go(cx, if ours { Pc::LookForSleepers } else { Pc::Over })
            }
            Pc::LookForSleepers => self.look_for_sleepers(cx, word),
            Pc::LockQueue(seen) => {
                let locked = Word { queue_locked: true, ..seen };
                if self.swap(cx, seen, locked) {
                    self.go(cx, Pc::Scan(locked))
                } else {
                    self.look_for_sleepers(cx, word)
                }
            }
            Pc::Scan(seen) => self.scan(cx, seen),
            Pc::Leave(seen) => {
                if self.swap(cx, seen, Word { queue_locked: false, ..seen }) {
                    self.done_with_queue(cx)
                } else {
                    self.go(cx, Pc::Scan(word))
                }
            }
            Pc::TakeLast(seen) => {
                if self.swap(cx, seen, Word { locked: seen.locked, ..Word::default() }) {
                    let last = self.queues[cx.lock].pop_back().expect("one was there");
                    self.go(cx, Pc::Tell(last))
                } else {
                    self.go(cx, Pc::Scan(word))
                }
            }
            Pc::UnlockQueue => {
                self.words[cx.lock].queue_locked = false;
                let last = self.queues[cx.lock].pop_back().expect("several were there");
                self.go(cx, Pc::Tell(last))
            }
            Pc::Tell(sleeper) => {
                self.threads[sleeper].notified = true;
                if self.threads[sleeper].asleep {
                    self.threads[cx.thread].pc = Pc::Wake;
                    return Action::Wake(self.futexes[sleeper]);
                }
                self.done_with_queue(cx)
            }
            Pc::Wake => self.done_with_queue(cx),
            Pc::Idle | Pc::Over => unreachable!("outside of lock and unlock there are no steps"),
        }
    }

    fn expected(&self, _thread: usize, futex: Futex) -> bool {
        !self.threads[(futex.0 - self.futexes[0].0) as usize].notified
    }

    fn fingerprint(&self, lock: usize) -> Option<u64> {
        let word = self.words[lock];
        word.head.is_none().then_some(word.locked.into())
    }
}
