//! saa's lock: whoever releases it hands it to the thread that has queued longest.
//!
//! Only the queue is fair. A newcomer first polls for some fifty microseconds, at gaps that double; it may
//! take the lock while nobody has queued, and nobody may while somebody has. Then it queues, polls its own
//! entry as long again, and sleeps. Who releases walks the whole queue from its tail to find its head.

use std::collections::VecDeque;

use super::{Action, Cx, Futex, Protocol, Setup};
use crate::line::LineId;
use crate::time::{NS, Ps};

/// The first gap before a look, in pauses, and the longest.
const FIRST_GAP: u32 = 2;
const LONGEST_GAP: u32 = 2048;
/// The gap before which the clock is read first.
const TIMED_GAP: u32 = 32;
/// How long a poll lasts from there; the gap in which that time ends is still waited for.
const POLL: Ps = 32_000 * NS;

/// The word. The end of the queue is part of it, so a compare-exchange sees that somebody queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Word {
    held: bool,
    /// Somebody works on the queue.
    queue_locked: bool,
    /// Who came last.
    tail: Option<usize>,
}

/// What a thread polls for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    /// The lock is free, and nobody queues.
    Free,
    /// Its own entry says that the lock is its own.
    Granted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pc {
    Idle,
    TryLock,
    Gap(Until),
    StartClock(Until),
    Look(Until),
    ReadClock(Until),
    TakeFree,
    // Queueing.
    Prepare(Word),
    Push(Word),
    Announce,
    // In the queue.
    LookOnce,
    Consume,
    LookBeforeSleep,
    Register,
    PrepareSleep,
    Sleep,
    // Releasing.
    Release,
    ReleaseInPlace(Word),
    LockQueue(Word),
    Over,
    // With the queue locked. Walks to the entry at that place in line, and links it to the one before.
    Walk(usize),
    Link(usize),
    TakeLast(Word),
    LookAgain,
    Unlink,
    LookAtQueue,
    HandOver(Word),
    // Tells the next holder.
    Mark(usize),
    LookAtEntry(usize),
    Grant(usize),
    Finish(usize),
    Unpark(usize),
    Wake,
}

#[derive(Debug, Clone)]
struct Thread {
    pc: Pc,
    gap: u32,
    timer: Option<Ps>,
    /// Its entry: the lock is its own; that may be used; it wants to be woken.
    granted: bool,
    finished: bool,
    registered: bool,
    /// Its parker.
    unparked: bool,
    asleep: bool,
}

/// The mutexes.
#[derive(Debug)]
pub(super) struct Saa {
    words: Vec<Word>,
    /// Front: who came first.
    queues: Vec<VecDeque<usize>>,
    lines: Vec<LineId>,
    entries: Vec<LineId>,
    parkers: Vec<LineId>,
    futexes: Vec<Futex>,
    threads: Vec<Thread>,
}

impl Saa {
    pub(super) fn new(setup: &mut Setup) -> Saa {
        let thread = Thread {
            pc: Pc::Idle,
            gap: FIRST_GAP,
            timer: None,
            granted: false,
            finished: false,
            registered: false,
            unparked: false,
            asleep: false,
        };
        Saa {
            words: vec![Word::default(); setup.locks],
            queues: vec![VecDeque::new(); setup.locks],
            lines: setup.lines(setup.locks),
            entries: setup.lines(setup.threads),
            parkers: setup.lines(setup.threads),
            futexes: setup.futexes(setup.threads),
            threads: vec![thread; setup.threads],
        }
    }

    fn go(&mut self, cx: &Cx<'_>, pc: Pc) -> Action {
        let this = &mut self.threads[cx.thread];
        this.pc = pc;
        let gap = this.gap;
        let (line, entry) = (self.lines[cx.lock], self.entries[cx.thread]);
        let in_line = |at: usize| self.entries[self.queues[cx.lock][at]];
        match pc {
            Pc::TryLock
            | Pc::TakeFree
            | Pc::Push(_)
            | Pc::Release
            | Pc::ReleaseInPlace(_)
            | Pc::LockQueue(_)
            | Pc::TakeLast(_)
            | Pc::HandOver(_) => Action::Modify(line),
            Pc::Look(Until::Free) | Pc::LookAgain | Pc::LookAtQueue => Action::Load(line),
            Pc::Look(Until::Granted) | Pc::LookOnce | Pc::LookBeforeSleep => Action::Load(entry),
            Pc::Gap(_) => Action::Pause(gap),
            Pc::StartClock(_) | Pc::ReadClock(_) => Action::Clock,
            Pc::Prepare(_) | Pc::Announce | Pc::Consume => Action::Store(entry),
            Pc::Register => Action::Modify(entry),
            Pc::PrepareSleep => Action::Modify(self.parkers[cx.thread]),
            Pc::Sleep => Action::Wait(self.futexes[cx.thread], None),
            Pc::Walk(at) => Action::Load(in_line(at)),
            Pc::Link(at) => Action::Store(in_line(at)),
            Pc::Unlink => Action::Store(in_line(1)),
            Pc::Mark(next) => Action::Store(self.entries[next]),
            Pc::LookAtEntry(next) => Action::Load(self.entries[next]),
            Pc::Grant(next) | Pc::Finish(next) => Action::Modify(self.entries[next]),
            Pc::Unpark(next) => Action::Modify(self.parkers[next]),
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

    fn poll(&mut self, cx: &Cx<'_>, until: Until) -> Action {
        let this = &mut self.threads[cx.thread];
        (this.gap, this.timer) = (FIRST_GAP, None);
        self.go(cx, Pc::Gap(until))
    }

    fn looked_in_vain(&mut self, cx: &Cx<'_>, until: Until) -> Action {
        match self.threads[cx.thread].timer {
            Some(_) => self.go(cx, Pc::ReadClock(until)),
            None => self.poll_on(cx, until),
        }
    }

    fn poll_on(&mut self, cx: &Cx<'_>, until: Until) -> Action {
        let gap = &mut self.threads[cx.thread].gap;
        *gap = (*gap * 2).min(LONGEST_GAP);
        let starts = *gap == TIMED_GAP;
        self.go(cx, if starts { Pc::StartClock(until) } else { Pc::Gap(until) })
    }

    fn clock_was_read(&mut self, cx: &Cx<'_>, until: Until) -> Action {
        let began = self.threads[cx.thread].timer.expect("the clock was started");
        if cx.now - began <= POLL {
            return self.poll_on(cx, until);
        }
        match until {
            Until::Granted => self.go(cx, Pc::LookBeforeSleep),
            Until::Free => {
                let this = &mut self.threads[cx.thread];
                (this.granted, this.finished, this.registered) = (false, false, false);
                (this.unparked, this.asleep) = (false, false);
                // It was held when looked at last; if that has changed, the push finds out.
                let seen = self.words[cx.lock];
                self.go(cx, Pc::Prepare(seen))
            }
        }
    }

    fn push(&mut self, cx: &Cx<'_>, seen: Word) -> Action {
        let word = self.words[cx.lock];
        if word == Word::default() {
            return self.go(cx, Pc::TryLock);
        }
        if !self.swap(cx, seen, Word { tail: Some(cx.thread), ..seen }) {
            return self.go(cx, Pc::Prepare(word));
        }
        self.queues[cx.lock].push_back(cx.thread);
        self.go(cx, Pc::Announce)
    }

    fn release(&mut self, cx: &Cx<'_>, seen: Word) -> Action {
        let alone = seen.tail.is_none() || seen.queue_locked;
        self.go(cx, if alone { Pc::ReleaseInPlace(seen) } else { Pc::LockQueue(seen) })
    }

    /// Begins at the end of the queue.
    fn walk(&mut self, cx: &Cx<'_>) -> Action {
        let last = self.queues[cx.lock].len() - 1;
        self.go(cx, Pc::Walk(last))
    }

    /// At the head.
    fn arrived(&mut self, cx: &Cx<'_>) -> Action {
        if self.queues[cx.lock].len() > 1 {
            return self.go(cx, Pc::Unlink);
        }
        let seen = Word { tail: self.queues[cx.lock].back().copied(), ..self.words[cx.lock] };
        self.go(cx, Pc::TakeLast(seen))
    }

    fn tell_first(&mut self, cx: &Cx<'_>) -> Action {
        let next = self.queues[cx.lock].pop_front().expect("who walked the queue found somebody");
        self.go(cx, Pc::Mark(next))
    }
}

impl Protocol for Saa {
    fn lock(&mut self, cx: &mut Cx<'_>) -> Action {
        self.go(cx, Pc::TryLock)
    }

    fn unlock(&mut self, cx: &mut Cx<'_>) -> Action {
        self.go(cx, Pc::Release)
    }

    fn step(&mut self, cx: &mut Cx<'_>) -> Action {
        let word = self.words[cx.lock];
        let this = &mut self.threads[cx.thread];
        match this.pc {
            Pc::TryLock | Pc::TakeFree if word == Word::default() => {
                self.words[cx.lock].held = true;
                self.go(cx, Pc::Idle)
            }
            Pc::TryLock => self.poll(cx, Until::Free),
            Pc::TakeFree => self.looked_in_vain(cx, Until::Free),
            Pc::Gap(until) => self.go(cx, Pc::Look(until)),
            Pc::StartClock(until) => {
                this.timer = Some(cx.now);
                self.go(cx, Pc::Gap(until))
            }
            Pc::Look(Until::Free) if word == Word::default() => self.go(cx, Pc::TakeFree),
            Pc::Look(Until::Granted) | Pc::LookOnce if this.finished => self.go(cx, Pc::Consume),
            Pc::Look(until) => self.looked_in_vain(cx, until),
            Pc::ReadClock(until) => self.clock_was_read(cx, until),
            Pc::Prepare(seen) => self.go(cx, Pc::Push(seen)),
            Pc::Push(seen) => self.push(cx, seen),
            Pc::Announce => self.go(cx, Pc::LookOnce),
            Pc::LookOnce => self.poll(cx, Until::Granted),
            Pc::Consume => self.go(cx, Pc::Idle),
            Pc::LookBeforeSleep if this.granted => self.go(cx, Pc::LookOnce),
            Pc::LookBeforeSleep => self.go(cx, Pc::Register),
            Pc::Register if this.granted => self.go(cx, Pc::LookOnce),
            Pc::Register => {
                this.registered = true;
                self.go(cx, Pc::PrepareSleep)
            }
            Pc::PrepareSleep | Pc::Sleep if this.unparked => self.go(cx, Pc::LookOnce),
            Pc::PrepareSleep => {
                this.asleep = true;
                self.go(cx, Pc::Sleep)
            }
            Pc::Sleep => self.go(cx, Pc::Sleep),

            Pc::Release if word == (Word { held: true, ..Word::default() }) => {
                self.words[cx.lock] = Word::default();
                cx.gives_up_ownership();
                self.go(cx, Pc::Over)
            }
            Pc::Release => self.release(cx, word),
            Pc::ReleaseInPlace(seen) => {
                if !self.swap(cx, seen, Word { held: false, ..seen }) {
                    return self.release(cx, word);
                }
                cx.gives_up_ownership();
                self.go(cx, Pc::Over)
            }
            Pc::LockQueue(seen) => {
                if !self.swap(cx, seen, Word { held: false, queue_locked: true, ..seen }) {
                    return self.release(cx, word);
                }
                cx.gives_up_ownership();
                self.walk(cx)
            }
            Pc::Walk(0) => self.arrived(cx),
            Pc::Walk(at) => self.go(cx, Pc::Link(at - 1)),
            Pc::Link(at) => self.go(cx, Pc::Walk(at)),
            Pc::TakeLast(seen) => {
                if self.swap(cx, seen, Word { held: true, ..Word::default() }) {
                    self.tell_first(cx)
                } else {
                    self.go(cx, Pc::LookAgain)
                }
            }
            Pc::LookAgain => self.walk(cx),
            Pc::Unlink => self.go(cx, Pc::LookAtQueue),
            Pc::LookAtQueue => self.go(cx, Pc::HandOver(word)),
            Pc::HandOver(seen) => {
                if !self.swap(cx, seen, Word { held: true, queue_locked: false, ..seen }) {
                    return self.go(cx, Pc::HandOver(word));
                }
                self.tell_first(cx)
            }
            Pc::Mark(next) => self.go(cx, Pc::LookAtEntry(next)),
            Pc::LookAtEntry(next) => self.go(cx, Pc::Grant(next)),
            Pc::Grant(next) => {
                self.threads[next].granted = true;
                self.go(cx, Pc::Finish(next))
            }
            Pc::Finish(next) => {
                let registered = self.threads[next].registered;
                self.threads[next].finished = true;
                self.go(cx, if registered { Pc::Unpark(next) } else { Pc::Over })
            }
            Pc::Unpark(next) => {
                self.threads[next].unparked = true;
                if !self.threads[next].asleep {
                    return self.go(cx, Pc::Over);
                }
                self.threads[cx.thread].pc = Pc::Wake;
                Action::Wake(self.futexes[next])
            }
            Pc::Wake => self.go(cx, Pc::Over),
            Pc::Idle | Pc::Over => unreachable!("outside of lock and unlock there are no steps"),
        }
    }

    fn expected(&self, _thread: usize, futex: Futex) -> bool {
        !self.threads[(futex.0 - self.futexes[0].0) as usize].unparked
    }

    fn fingerprint(&self, lock: usize) -> Option<u64> {
        let word = self.words[lock];
        word.tail.is_none().then_some(word.held.into())
    }
}
