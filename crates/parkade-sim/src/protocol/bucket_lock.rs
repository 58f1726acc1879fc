//! The lock of Parkade's buckets: a futex word, polled for a while.

use super::{Action, Cx, Futex, Setup};
use crate::line::LineId;

/// As in `parkade-core/src/table/word_lock.rs`.
const POLLS: u32 = 40;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Free,
    Held,
    Contended,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pc {
    Out,
    Try,
    Gap(u32),
    Look(u32),
    Take(u32),
    Mark,
    Sleep,
    Unlock,
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

/// A bucket for each lock: collisions are rare in a table of some hundred.
#[derive(Debug)]
pub(super) struct BucketLocks {
    words: Vec<Word>,
    lines: Vec<LineId>,
    futexes: Vec<Futex>,
    threads: Vec<Pc>,
}

impl BucketLocks {
    pub(super) fn new(setup: &mut Setup) -> BucketLocks {
        BucketLocks {
            words: vec![Word::Free; setup.locks],
            lines: setup.lines(setup.locks),
            futexes: setup.futexes(setup.locks),
            threads: vec![Pc::Out; setup.threads],
        }
    }

    pub(super) fn lock(&mut self, cx: &Cx<'_>) -> Action {
        self.go(cx, Pc::Try)
    }

    pub(super) fn unlock(&mut self, cx: &Cx<'_>) -> Action {
        self.go(cx, Pc::Unlock)
    }

    pub(super) fn expected(&self, futex: Futex) -> bool {
        self.words[(futex.0 - self.futexes[0].0) as usize] == Word::Contended
    }

    fn go(&mut self, cx: &Cx<'_>, pc: Pc) -> Action {
        self.threads[cx.thread] = pc;
        let (line, futex) = (self.lines[cx.lock], self.futexes[cx.lock]);
        match pc {
            Pc::Try | Pc::Take(_) | Pc::Mark | Pc::Unlock => Action::Modify(line),
            Pc::Look(_) => Action::Load(line),
            Pc::Gap(_) => Action::Pause(1),
            Pc::Sleep => Action::Wait(futex, None),
            Pc::Wake => Action::Wake(futex),
            Pc::Out => unreachable!("nothing to do"),
        }
    }

    fn poll(&mut self, cx: &Cx<'_>, left: u32) -> Progress {
        Progress::Act(self.go(cx, if left > 0 { Pc::Gap(left - 1) } else { Pc::Mark }))
    }

    fn done(&mut self, cx: &Cx<'_>) -> Progress {
        self.threads[cx.thread] = Pc::Out;
        Progress::Done
    }

    pub(super) fn step(&mut self, cx: &Cx<'_>) -> Progress {
        let word = self.words[cx.lock];
        match self.threads[cx.thread] {
            Pc::Try | Pc::Take(_) if word == Word::Free => {
                self.words[cx.lock] = Word::Held;
                self.done(cx)
            }
            Pc::Try => self.poll(cx, POLLS),
            Pc::Gap(left) => Progress::Act(self.go(cx, Pc::Look(left))),
            Pc::Look(left) if word == Word::Free => Progress::Act(self.go(cx, Pc::Take(left))),
            Pc::Look(left) | Pc::Take(left) => self.poll(cx, left),
            Pc::Mark => {
                self.words[cx.lock] = Word::Contended;
                if word == Word::Free {
                    return self.done(cx);
                }
                Progress::Act(self.go(cx, Pc::Sleep))
            }
            Pc::Sleep => Progress::Act(self.go(cx, Pc::Mark)),
            Pc::Unlock => {
                self.words[cx.lock] = Word::Free;
                if word == Word::Contended {
                    return Progress::Act(self.go(cx, Pc::Wake));
                }
                self.done(cx)
            }
            // The last step of a wake that the caller made itself finds nothing to do.
            Pc::Wake | Pc::Out => self.done(cx),
        }
    }
}
