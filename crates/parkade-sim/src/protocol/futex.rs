//! A mutex on one futex word: std's on Linux, and the C library's.

use super::{Action, Cx, Futex, Protocol, Setup};
use crate::line::LineId;

const UNLOCKED: u8 = 0;
const LOCKED: u8 = 1;
/// Held, and somebody may be asleep.
const CONTENDED: u8 = 2;

/// std reads the word this often before it goes to sleep.
const STD_POLLS: u32 = 100;

/// What the C library notes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Locked,
    Unlocking,
}

/// Where a thread is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pc {
    Idle,
    /// The first compare-exchange of lock.
    TryLock,
    /// The C library's: looks at the mutex's kind and notes its owner; counts its users.
    NoteOwner(Change),
    CountUsers(Change),
    /// Looks at the word; so many polls are left.
    Poll(u32),
    /// Between two polls.
    Gap(u32),
    /// Saw the word free before it ever slept: takes it without marking it.
    TakeFree,
    /// Marks the word contended, or takes it.
    Mark,
    Sleep,
    /// The exchange of unlock.
    Unlock,
    Waking,
    Over,
}

/// The mutex.
#[derive(Debug)]
pub(super) struct FutexMutex {
    polls: u32,
    words: Vec<u8>,
    lines: Vec<LineId>,
    futexes: Vec<Futex>,
    threads: Vec<Pc>,
    /// Whether a thread has slept in this call.
    slept: Vec<bool>,
}

impl FutexMutex {
    pub(super) fn std(setup: &mut Setup) -> FutexMutex {
        FutexMutex::new(STD_POLLS, setup)
    }

    /// glibc's default kind does not poll.
    pub(super) fn pthread(setup: &mut Setup) -> FutexMutex {
        FutexMutex::new(0, setup)
    }

    fn new(polls: u32, setup: &mut Setup) -> FutexMutex {
        FutexMutex {
            polls,
            words: vec![UNLOCKED; setup.locks],
            lines: setup.lines(setup.locks),
            futexes: setup.futexes(setup.locks),
            threads: vec![Pc::Idle; setup.threads],
            slept: vec![false; setup.threads],
        }
    }

    fn go(&mut self, cx: &Cx<'_>, pc: Pc) -> Action {
        self.threads[cx.thread] = pc;
        let line = self.lines[cx.lock];
        match pc {
            Pc::TryLock | Pc::TakeFree | Pc::Mark | Pc::Unlock => Action::Modify(line),
            Pc::Poll(_) => Action::Load(line),
            Pc::NoteOwner(_) | Pc::CountUsers(_) => Action::Note,
            Pc::Gap(_) => Action::Pause(1),
            Pc::Sleep => Action::Wait(self.futexes[cx.lock], None),
            Pc::Waking => Action::Wake(self.futexes[cx.lock]),
            Pc::Over => Action::Released,
            Pc::Idle => Action::Acquired,
        }
    }

    /// The slow path with `state` seen.
    fn mark_or_sleep(&mut self, cx: &Cx<'_>, state: u8) -> Action {
        self.go(cx, if state == CONTENDED { Pc::Sleep } else { Pc::Mark })
    }

    fn acquired(&mut self, cx: &Cx<'_>) -> Action {
        self.go(cx, if self.keeps_notes() { Pc::NoteOwner(Change::Locked) } else { Pc::Idle })
    }

    /// The C library keeps the owner and the number of users beside its word.
    fn keeps_notes(&self) -> bool {
        self.polls == 0
    }

    fn spin(&mut self, cx: &Cx<'_>) -> Action {
        let pc = if self.polls > 0 { Pc::Poll(self.polls) } else { Pc::Mark };
        self.go(cx, pc)
    }
}

impl Protocol for FutexMutex {
    fn lock(&mut self, cx: &mut Cx<'_>) -> Action {
        self.slept[cx.thread] = false;
        self.go(cx, Pc::TryLock)
    }

    fn unlock(&mut self, cx: &mut Cx<'_>) -> Action {
        self.go(cx, if self.keeps_notes() { Pc::NoteOwner(Change::Unlocking) } else { Pc::Unlock })
    }

    fn step(&mut self, cx: &mut Cx<'_>) -> Action {
        let word = self.words[cx.lock];
        match self.threads[cx.thread] {
            Pc::TryLock if word == UNLOCKED => {
                self.words[cx.lock] = LOCKED;
                self.acquired(cx)
            }
            Pc::NoteOwner(change) => self.go(cx, Pc::CountUsers(change)),
            Pc::CountUsers(Change::Locked) => self.go(cx, Pc::Idle),
            Pc::CountUsers(Change::Unlocking) => self.go(cx, Pc::Unlock),
            // The C library looks at the value that the compare-exchange returned.
            Pc::TryLock if self.polls == 0 => self.mark_or_sleep(cx, word),
            Pc::TryLock => self.spin(cx),
            Pc::Poll(left) if word == LOCKED && left > 0 => self.go(cx, Pc::Gap(left - 1)),
            Pc::Poll(_) if word == UNLOCKED && !self.slept[cx.thread] => self.go(cx, Pc::TakeFree),
            Pc::Poll(_) => self.mark_or_sleep(cx, word),
            Pc::Gap(left) => self.go(cx, Pc::Poll(left)),
            Pc::TakeFree if word == UNLOCKED => {
                self.words[cx.lock] = LOCKED;
                self.go(cx, Pc::Idle)
            }
            Pc::TakeFree => self.mark_or_sleep(cx, word),
            Pc::Mark => {
                self.words[cx.lock] = CONTENDED;
                if word == UNLOCKED { self.acquired(cx) } else { self.go(cx, Pc::Sleep) }
            }
            Pc::Sleep => {
                self.slept[cx.thread] = true;
                self.spin(cx)
            }
            Pc::Unlock => {
                self.words[cx.lock] = UNLOCKED;
                cx.gives_up_ownership();
                self.go(cx, if word == CONTENDED { Pc::Waking } else { Pc::Over })
            }
            Pc::Waking => self.go(cx, Pc::Over),
            Pc::Idle | Pc::Over => unreachable!("outside of lock and unlock there are no steps"),
        }
    }

    fn expected(&self, _thread: usize, futex: Futex) -> bool {
        let lock = (futex.0 - self.futexes[0].0) as usize;
        self.words[lock] == CONTENDED
    }

    fn fingerprint(&self, lock: usize) -> Option<u64> {
        (self.words[lock] != CONTENDED).then_some(self.words[lock].into())
    }
}
