//! First come, first served: whoever unlocks hands the lock to the thread that waited longest.

use std::collections::VecDeque;

use super::{Action, Cx, Futex, Protocol, Setup};
use crate::line::LineId;

/// Looks at its own node before a waiter sleeps. guess: a few microseconds with the pauses.
const POLLS: u32 = 32;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pc {
    Idle,
    Enter,
    Poll(u32),
    Gap(u32),
    Sleep,
    Leave,
    Tell(usize),
    Wake,
    Over,
}

#[derive(Debug, Clone, Default)]
struct Queue {
    holder: bool,
    waiting: VecDeque<usize>,
}

#[derive(Debug, Clone)]
struct Thread {
    pc: Pc,
    granted: bool,
    asleep: bool,
}

/// The lock: a queue of nodes, each polled by its own thread.
#[derive(Debug)]
pub(super) struct Fifo {
    queues: Vec<Queue>,
    lines: Vec<LineId>,
    nodes: Vec<LineId>,
    futexes: Vec<Futex>,
    threads: Vec<Thread>,
}

impl Fifo {
    pub(super) fn new(setup: &mut Setup) -> Fifo {
        let thread = Thread { pc: Pc::Idle, granted: false, asleep: false };
        Fifo {
            queues: vec![Queue::default(); setup.locks],
            lines: setup.lines(setup.locks),
            nodes: setup.lines(setup.threads),
            futexes: setup.futexes(setup.threads),
            threads: vec![thread; setup.threads],
        }
    }

    fn go(&mut self, cx: &Cx<'_>, pc: Pc) -> Action {
        let thread = cx.thread;
        self.threads[thread].pc = pc;
        match pc {
            Pc::Enter | Pc::Leave => Action::Modify(self.lines[cx.lock]),
            Pc::Poll(_) => Action::Load(self.nodes[thread]),
            Pc::Gap(_) => Action::Pause(1),
            Pc::Sleep => Action::Wait(self.futexes[thread], None),
            Pc::Tell(next) => Action::Modify(self.nodes[next]),
            Pc::Wake => unreachable!("not entered this way"),
            Pc::Idle => Action::Acquired,
            Pc::Over => Action::Released,
        }
    }
}

impl Protocol for Fifo {
    fn lock(&mut self, cx: &mut Cx<'_>) -> Action {
        self.go(cx, Pc::Enter)
    }

    fn unlock(&mut self, cx: &mut Cx<'_>) -> Action {
        self.go(cx, Pc::Leave)
    }

    fn step(&mut self, cx: &mut Cx<'_>) -> Action {
        let thread = cx.thread;
        match self.threads[thread].pc {
            Pc::Enter => {
                let queue = &mut self.queues[cx.lock];
                if !queue.holder {
                    queue.holder = true;
                    return self.go(cx, Pc::Idle);
                }
                queue.waiting.push_back(thread);
                self.threads[thread].granted = false;
                self.threads[thread].asleep = false;
                self.go(cx, Pc::Poll(POLLS))
            }
            Pc::Poll(_) if self.threads[thread].granted => self.go(cx, Pc::Idle),
            Pc::Poll(0) => {
                self.threads[thread].asleep = true;
                self.go(cx, Pc::Sleep)
            }
            Pc::Poll(left) => self.go(cx, Pc::Gap(left - 1)),
            Pc::Gap(left) => self.go(cx, Pc::Poll(left)),
            Pc::Sleep if self.threads[thread].granted => self.go(cx, Pc::Idle),
            Pc::Sleep => self.go(cx, Pc::Sleep),
            Pc::Leave => {
                let queue = &mut self.queues[cx.lock];
                cx.gives_up_ownership();
                let Some(next) = queue.waiting.pop_front() else {
                    queue.holder = false;
                    return self.go(cx, Pc::Over);
                };
                self.go(cx, Pc::Tell(next))
            }
            Pc::Tell(next) => {
                self.threads[next].granted = true;
                if self.threads[next].asleep {
                    self.threads[thread].pc = Pc::Wake;
                    return Action::Wake(self.futexes[next]);
                }
                self.go(cx, Pc::Over)
            }
            Pc::Wake => self.go(cx, Pc::Over),
            Pc::Idle | Pc::Over => unreachable!("outside of lock and unlock there are no steps"),
        }
    }

    fn expected(&self, _thread: usize, futex: Futex) -> bool {
        !self.threads[(futex.0 - self.futexes[0].0) as usize].granted
    }

    fn fingerprint(&self, lock: usize) -> Option<u64> {
        let queue = &self.queues[lock];
        queue.waiting.is_empty().then_some(queue.holder.into())
    }
}
