//! Test and test-and-set with a `pause` between two looks.

use super::{Action, Cx, Futex, Protocol, Setup};
use crate::line::LineId;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pc {
    Idle,
    Take,
    Look,
    Gap,
    Free,
    Over,
}

/// The lock.
#[derive(Debug)]
pub(super) struct Spin {
    held: Vec<bool>,
    lines: Vec<LineId>,
    threads: Vec<Pc>,
}

impl Spin {
    pub(super) fn new(setup: &mut Setup) -> Spin {
        Spin {
            held: vec![false; setup.locks],
            lines: setup.lines(setup.locks),
            threads: vec![Pc::Idle; setup.threads],
        }
    }

    fn go(&mut self, cx: &Cx<'_>, pc: Pc) -> Action {
        self.threads[cx.thread] = pc;
        let line = self.lines[cx.lock];
        match pc {
            Pc::Take => Action::Modify(line),
            Pc::Look => Action::Load(line),
            Pc::Gap => Action::Pause(1),
            Pc::Free => Action::Store(line),
            Pc::Idle => Action::Acquired,
            Pc::Over => Action::Released,
        }
    }
}

impl Protocol for Spin {
    fn lock(&mut self, cx: &mut Cx<'_>) -> Action {
        self.go(cx, Pc::Take)
    }

    fn unlock(&mut self, cx: &mut Cx<'_>) -> Action {
        self.go(cx, Pc::Free)
    }

    fn step(&mut self, cx: &mut Cx<'_>) -> Action {
        let held = self.held[cx.lock];
        match self.threads[cx.thread] {
            Pc::Take if held => self.go(cx, Pc::Look),
            Pc::Take => {
                self.held[cx.lock] = true;
                self.go(cx, Pc::Idle)
            }
            Pc::Look => self.go(cx, if held { Pc::Gap } else { Pc::Take }),
            Pc::Gap => self.go(cx, Pc::Look),
            Pc::Free => {
                self.held[cx.lock] = false;
                cx.gives_up_ownership();
                self.go(cx, Pc::Over)
            }
            Pc::Idle | Pc::Over => unreachable!("outside of lock and unlock there are no steps"),
        }
    }

    fn expected(&self, _thread: usize, _futex: Futex) -> bool {
        unreachable!("nobody sleeps")
    }

    fn fingerprint(&self, lock: usize) -> Option<u64> {
        Some(self.held[lock].into())
    }
}
