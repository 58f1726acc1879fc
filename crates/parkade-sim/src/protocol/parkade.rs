//! Parkade's mutex: the real word and the real waiting policy, driven as `mutex/raw.rs` drives them.
//!
//! What is modelled here is only what surrounds them: the bucket's lock and queue, the parkers, and
//! when each access takes effect.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;
use std::sync::atomic::AtomicU32;

use parkade::machine::{Locked, Parked, Role, Waking, Word};
use parkade_core::Moment;
use parkade_core::policy::{Hints, Pace, Step, Surroundings, Wait};

use super::bucket_lock::{BucketLocks, Progress};
use super::{Action, Cx, Futex, Protocol, Setup};
use crate::line::LineId;
use crate::time::{MS, NS, Ps};

/// As `policy::may_return_to_asymmetric` has it, which reads the real clock: a thread proposes a return
/// after so many releases, and so often in a second one is granted.
const RETURN_AFTER: u32 = 1024;
const RETURN_INTERVAL: Ps = MS;

/// What a simulated thread's waits see of the world.
struct World {
    now: Cell<Ps>,
    clock_reads: Cell<u32>,
    core: Cell<usize>,
    switches: Cell<u64>,
    pace: Pace,
    process: Rc<Process>,
}

/// What its waits share with those of other threads.
struct Process {
    processors: u32,
    hints: Hints,
    /// Yields on each core.
    yields: [AtomicU32; CORES],
}

/// Cores beyond share their counts with others, as in the real policy.
const CORES: usize = 64;

/// A thread's handle to its world.
#[derive(Clone)]
struct Here(Rc<World>);

impl Surroundings for Here {
    fn now(&self) -> Moment {
        self.0.clock_reads.set(self.0.clock_reads.get() + 1);
        Moment::from_nanos(self.0.now.get() / NS)
    }

    fn pace<R>(&self, use_it: impl FnOnce(&Pace) -> R) -> R {
        use_it(&self.0.pace)
    }

    fn hints(&self) -> &Hints {
        &self.0.process.hints
    }

    fn processors(&self) -> u32 {
        self.0.process.processors
    }

    fn processor(&self) -> usize {
        self.0.core.get()
    }

    fn yields_on(&self, processor: usize) -> &AtomicU32 {
        &self.0.process.yields[processor % CORES]
    }

    fn switches(&self) -> Option<u64> {
        Some(self.0.switches.get())
    }
}

/// Where a thread is. The names are those of `raw.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pc {
    Idle,
    TryAcquire,
    Look,
    TryAcquireAs,
    Paused,
    Yielded,
    Settle,
    Claim,
    Announce,
    HeavyFence,
    /// Locks the bucket, for that purpose.
    LockBucket(Purpose),
    TryPreparePark,
    Push,
    /// Unlocks the bucket, and then.
    UnlockBucket(After),
    Sleep,
    LookAtQueue,
    ReleaseAsymmetric,
    ReleaseSymmetric,
    ReturnToAsymmetric,
    /// Under the bucket lock, to wake or reserve.
    Validate(Purpose),
    Reserve,
    Tell,
    Over,
}

/// Why the bucket is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Park,
    KeepPromise,
    WakeOne,
    ReleaseToFirst,
}

/// What follows when the bucket is unlocked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    Sleep,
    LookAgain,
    /// Go on to park: the promise is kept.
    Park,
    /// The release is over.
    Over,
}

struct Thread {
    pc: Pc,
    here: Here,
    wait: Option<Wait<Here>>,
    role: Role,
    /// Actions due before the next step: clock reads that the policy made, then this one.
    pending: Option<Action>,
    /// Whom it takes off the queue.
    woken: Option<usize>,
    notified: bool,
    releases: u32,
}

impl fmt::Debug for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Thread").field("pc", &self.pc).finish_non_exhaustive()
    }
}

/// The mutexes and their table.
#[derive(Debug)]
pub(super) struct Parkade {
    words: Vec<Word>,
    lines: Vec<LineId>,
    queues: Vec<VecDeque<usize>>,
    bucket_locks: BucketLocks,
    threads: Vec<Thread>,
    nodes: Vec<LineId>,
    futexes: Vec<Futex>,
    next_return: Ps,
}

impl Parkade {
    pub(super) fn new(setup: &mut Setup) -> Parkade {
        let process = Rc::new(Process {
            processors: setup.processors,
            hints: Hints::new(),
            yields: [const { AtomicU32::new(0) }; CORES],
        });
        let thread = |_| {
            let world = World {
                now: Cell::new(0),
                clock_reads: Cell::new(0),
                pace: Pace::default(),
                core: Cell::new(0),
                switches: Cell::new(0),
                process: Rc::clone(&process),
            };
            Thread {
                pc: Pc::Idle,
                here: Here(Rc::new(world)),
                wait: None,
                role: Role::Newcomer,
                pending: None,
                woken: None,
                notified: false,
                releases: 0,
            }
        };
        Parkade {
            words: (0..setup.locks).map(|_| Word::new()).collect(),
            lines: setup.lines(setup.locks),
            queues: vec![VecDeque::new(); setup.locks],
            bucket_locks: BucketLocks::new(setup),
            threads: (0..setup.threads).map(thread).collect(),
            nodes: setup.lines(setup.threads),
            futexes: setup.futexes(setup.threads),
            next_return: 0,
        }
    }

    /// The thread's next action, after the clock reads that the policy has made.
    fn go(&mut self, cx: &Cx<'_>, pc: Pc) -> Action {
        let action = self.action(cx, pc);
        let thread = &mut self.threads[cx.thread];
        thread.pc = pc;
        self.after_clock_reads(cx, action)
    }

    fn after_clock_reads(&mut self, cx: &Cx<'_>, action: Action) -> Action {
        let thread = &mut self.threads[cx.thread];
        let reads = &thread.here.0.clock_reads;
        if reads.get() == 0 {
            return action;
        }
        reads.set(reads.get() - 1);
        thread.pending = Some(action);
        Action::Clock
    }

    fn action(&mut self, cx: &Cx<'_>, pc: Pc) -> Action {
        let line = self.lines[cx.lock];
        match pc {
            Pc::TryAcquire
            | Pc::TryAcquireAs
            | Pc::Settle
            | Pc::Claim
            | Pc::Announce
            | Pc::TryPreparePark
            | Pc::ReleaseSymmetric
            | Pc::ReturnToAsymmetric
            | Pc::Validate(_) => Action::Modify(line),
            Pc::Look | Pc::LookAtQueue => Action::Load(line),
            Pc::ReleaseAsymmetric | Pc::Reserve => Action::Store(line),
            Pc::HeavyFence => Action::Membarrier,
            Pc::LockBucket(_) => self.bucket_locks.lock(cx),
            Pc::UnlockBucket(_) => self.bucket_locks.unlock(cx),
            Pc::Push => {
                let neighbour = self.queues[cx.lock].back().copied().unwrap_or(cx.thread);
                Action::Store(self.nodes[neighbour])
            }
            Pc::Sleep => Action::Wait(self.futexes[cx.thread], None),
            Pc::Tell => Action::Store(self.nodes[self.threads[cx.thread].woken.expect("one")]),
            Pc::Idle => Action::Acquired,
            Pc::Over => Action::Released,
            Pc::Paused | Pc::Yielded => unreachable!("the policy says how long"),
        }
    }

    fn wait(&mut self, cx: &Cx<'_>) -> &mut Wait<Here> {
        self.threads[cx.thread].wait.as_mut().expect("a thread in the slow path waits")
    }

    /// The loop of `lock_slow` after a look in vain.
    fn poll_again(&mut self, cx: &Cx<'_>) -> Action {
        match self.wait(cx).step() {
            Step::Pause(ns) => {
                self.threads[cx.thread].pc = Pc::Paused;
                self.after_clock_reads(cx, Action::PauseFor(Ps::from(ns) * NS))
            }
            Step::Yield => {
                self.threads[cx.thread].pc = Pc::Yielded;
                self.after_clock_reads(cx, Action::Yield)
            }
            Step::Park => {
                let claims = self.threads[cx.thread].role == Role::Designated
                    && !self.words[cx.lock].queue().claim()
                    && self.wait(cx).may_claim();
                if claims { self.go(cx, Pc::Claim) } else { self.park(cx) }
            }
        }
    }

    fn park(&mut self, cx: &Cx<'_>) -> Action {
        self.wait(cx).queueing();
        let fenced = self.words[cx.lock].queue().fenced();
        self.go(cx, if fenced { Pc::LockBucket(Purpose::Park) } else { Pc::Announce })
    }

    fn look(&mut self, cx: &Cx<'_>) -> Action {
        let role = self.threads[cx.thread].role;
        match (self.words[cx.lock].locked(), role) {
            (Locked::Free, _) | (Locked::Reserved, Role::Designated) => {
                self.go(cx, Pc::TryAcquireAs)
            }
            _ => self.poll_again(cx),
        }
    }

    fn acquired(&mut self, cx: &Cx<'_>) -> Action {
        self.wait(cx).acquired();
        let thread = &mut self.threads[cx.thread];
        thread.wait = None;
        let designated = thread.role == Role::Designated;
        self.go(cx, if designated { Pc::Settle } else { Pc::Idle })
    }

    /// `release`, and what `release_slow` decides by looking.
    fn release(&mut self, cx: &Cx<'_>) -> Action {
        let queue = self.words[cx.lock].queue();
        let next = if queue.is_quiet() {
            Pc::ReleaseAsymmetric
        } else if queue.claim() {
            Pc::LockBucket(Purpose::ReleaseToFirst)
        } else if queue.may_return() && self.may_return_to_asymmetric(cx) {
            Pc::ReturnToAsymmetric
        } else {
            Pc::ReleaseSymmetric
        };
        self.go(cx, next)
    }

    fn may_return_to_asymmetric(&mut self, cx: &Cx<'_>) -> bool {
        let releases = &mut self.threads[cx.thread].releases;
        *releases += 1;
        if *releases < RETURN_AFTER {
            return false;
        }
        *releases = 0;
        let granted = cx.now >= self.next_return;
        if granted {
            self.next_return = cx.now + RETURN_INTERVAL;
        }
        granted
    }

    /// Under the bucket lock: whom to wake, and what becomes of the word.
    fn validate(&mut self, cx: &mut Cx<'_>, purpose: Purpose) -> Action {
        let word = &self.words[cx.lock];
        let after = if purpose == Purpose::KeepPromise { After::Park } else { After::Over };
        let wanted = match purpose {
            Purpose::KeepPromise => {
                word.fenced();
                word.locked() == Locked::Free && !word.queue().waking()
            }
            Purpose::WakeOne | Purpose::ReleaseToFirst => !word.queue().waking(),
            Purpose::Park => unreachable!("a parker validates by preparing"),
        };
        let reserves = purpose == Purpose::ReleaseToFirst;
        if !wanted && !reserves {
            return self.go(cx, Pc::UnlockBucket(after));
        }
        let queue = &mut self.queues[cx.lock];
        let woken = if wanted { queue.pop_front() } else { None };
        let more = Parked::from(!queue.is_empty());
        let waking = if woken.is_some() { Waking::Set } else { Waking::Keep };
        word.publish(more, waking);
        self.threads[cx.thread].woken = woken;
        if reserves {
            if woken.is_none() && wanted {
                // Nobody is in line.
                let _ = word.release_symmetric(word.queue());
                cx.gives_up_ownership();
                return self.go(cx, Pc::UnlockBucket(After::Over));
            }
            return self.go(cx, Pc::Reserve);
        }
        let next = if woken.is_some() { Pc::Tell } else { Pc::UnlockBucket(after) };
        self.go(cx, next)
    }

    /// The bucket is locked or unlocked; what follows.
    fn after_bucket(&mut self, cx: &Cx<'_>) -> Action {
        let pc = self.threads[cx.thread].pc;
        if let Pc::UnlockBucket(_) = pc
            && let Some(woken) = self.threads[cx.thread].woken.take()
        {
            return Action::Wake(self.futexes[woken]);
        }
        match pc {
            Pc::LockBucket(Purpose::Park) => self.go(cx, Pc::TryPreparePark),
            Pc::LockBucket(purpose) => self.go(cx, Pc::Validate(purpose)),
            Pc::UnlockBucket(After::Sleep) => self.go(cx, Pc::Sleep),
            Pc::UnlockBucket(After::LookAgain) => self.go(cx, Pc::Look),
            Pc::UnlockBucket(After::Park) => self.go(cx, Pc::LockBucket(Purpose::Park)),
            Pc::UnlockBucket(After::Over) => self.go(cx, Pc::Over),
            pc => unreachable!("{pc:?} does not use the bucket's lock"),
        }
    }

    /// After telling, where the waker came from.
    fn told(&mut self, cx: &Cx<'_>) -> Action {
        let parking = self.threads[cx.thread].wait.is_some();
        self.go(cx, Pc::UnlockBucket(if parking { After::Park } else { After::Over }))
    }
}

impl Protocol for Parkade {
    fn lock(&mut self, cx: &mut Cx<'_>) -> Action {
        self.go(cx, Pc::TryAcquire)
    }

    fn unlock(&mut self, cx: &mut Cx<'_>) -> Action {
        self.go(cx, Pc::LookAtQueue)
    }

    fn step(&mut self, cx: &mut Cx<'_>) -> Action {
        let thread = &mut self.threads[cx.thread];
        thread.here.0.now.set(cx.now);
        thread.here.0.core.set(cx.core);
        thread.here.0.switches.set(cx.switches);
        if let Some(action) = thread.pending.take() {
            return self.after_clock_reads(cx, action);
        }
        let (role, pc) = (thread.role, thread.pc);
        match pc {
            Pc::LockBucket(_) | Pc::UnlockBucket(_) => match self.bucket_locks.step(cx) {
                Progress::Act(action) => action,
                Progress::Done => self.after_bucket(cx),
            },
            Pc::TryAcquire if self.words[cx.lock].try_acquire() => self.go(cx, Pc::Idle),
            Pc::TryAcquire => {
                // Only a number to the policy; locks do not share lines.
                let key = 128 * (cx.lock + 1);
                let thread = &mut self.threads[cx.thread];
                thread.role = Role::Newcomer;
                thread.wait = Some(Wait::begin_in(thread.here.clone(), key, None));
                self.go(cx, Pc::Look)
            }
            Pc::Look => self.look(cx),
            Pc::TryAcquireAs if self.words[cx.lock].try_acquire_as(role) => self.acquired(cx),
            Pc::TryAcquireAs => self.poll_again(cx),
            Pc::Paused => self.go(cx, Pc::Look),
            Pc::Yielded => {
                self.wait(cx).yielded();
                self.go(cx, Pc::Look)
            }
            Pc::Settle => {
                self.words[cx.lock].settle();
                self.go(cx, Pc::Idle)
            }
            Pc::Claim => {
                self.words[cx.lock].claim();
                self.park(cx)
            }
            Pc::Announce => {
                let fences = self.words[cx.lock].announce();
                self.go(cx, if fences { Pc::HeavyFence } else { Pc::LockBucket(Purpose::Park) })
            }
            Pc::HeavyFence => self.go(cx, Pc::LockBucket(Purpose::KeepPromise)),
            Pc::TryPreparePark if self.words[cx.lock].try_prepare_park(role) => {
                self.threads[cx.thread].notified = false;
                self.go(cx, Pc::Push)
            }
            Pc::TryPreparePark => self.go(cx, Pc::UnlockBucket(After::LookAgain)),
            Pc::Push => {
                let queue = &mut self.queues[cx.lock];
                match role {
                    Role::Designated => queue.push_front(cx.thread),
                    Role::Newcomer => queue.push_back(cx.thread),
                }
                self.go(cx, Pc::UnlockBucket(After::Sleep))
            }
            Pc::Sleep if !self.threads[cx.thread].notified => self.go(cx, Pc::Sleep),
            Pc::Sleep => {
                self.threads[cx.thread].role = Role::Designated;
                self.wait(cx).woken();
                self.go(cx, Pc::Look)
            }
            Pc::LookAtQueue => self.release(cx),
            Pc::ReleaseAsymmetric => {
                let quiet = self.words[cx.lock].release_asymmetric();
                cx.gives_up_ownership();
                self.go(cx, if quiet { Pc::Over } else { Pc::LockBucket(Purpose::WakeOne) })
            }
            Pc::ReturnToAsymmetric => {
                let word = &self.words[cx.lock];
                let returned = word.try_return_to_asymmetric(word.queue());
                self.go(cx, if returned { Pc::ReleaseAsymmetric } else { Pc::ReleaseSymmetric })
            }
            Pc::ReleaseSymmetric => {
                let word = &self.words[cx.lock];
                let queue = word.release_symmetric(word.queue());
                cx.gives_up_ownership();
                let wakes = queue.needs_wake();
                self.go(cx, if wakes { Pc::LockBucket(Purpose::WakeOne) } else { Pc::Over })
            }
            Pc::Validate(purpose) => self.validate(cx, purpose),
            Pc::Reserve => {
                self.words[cx.lock].reserve();
                cx.gives_up_ownership();
                let wakes = self.threads[cx.thread].woken.is_some();
                self.go(cx, if wakes { Pc::Tell } else { Pc::UnlockBucket(After::Over) })
            }
            Pc::Tell => {
                let woken = self.threads[cx.thread].woken.expect("there is one to tell");
                self.threads[woken].notified = true;
                self.told(cx)
            }
            Pc::Idle | Pc::Over => unreachable!("outside of lock and unlock there are no steps"),
        }
    }

    fn expected(&self, _thread: usize, futex: Futex) -> bool {
        let parker = futex.0.checked_sub(self.futexes[0].0).map(|thread| thread as usize);
        match parker.and_then(|thread| self.threads.get(thread)) {
            Some(thread) => !thread.notified,
            None => self.bucket_locks.expected(futex),
        }
    }

    fn fingerprint(&self, lock: usize) -> Option<u64> {
        let word = &self.words[lock];
        let queue = word.queue();
        let quiet = !queue.symmetric() && queue.is_quiet() && !queue.has_line();
        quiet.then_some(word.is_held().into())
    }
}
