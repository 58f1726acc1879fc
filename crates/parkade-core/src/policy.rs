//! How a waiter waits: the one place that decides between polling, parking and claiming.
//!
//! A lock's slow path owns a [`Wait`] and asks it; the lock keeps the protocol, the policy keeps
//! the constants. Nothing here runs unless a lock was found held.

use crate::{deadline::Moment, fence, spin, tuning};
use core::{
    cell::Cell,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

/// The gaps between two polls of a held lock: the first and, doubling, the longest. Polling pulls
/// the holder's cache line away, so they are several line transfers long; a first gap
/// of 100 ns lost a quarter in short-2, one of 1 us a sixth in cs2us-8 (docs/decisions/0004).
const FIRST_GAP_NS: u32 = 300;
const LONGEST_GAP_NS: u32 = 500;

/// How much longer than [`tuning::spin`] one polls when others are asleep for the lock: it will not
/// stay free for long, and to sleep would be to queue behind them (docs/decisions/0004).
const LINE_FACTOR: u32 = 2;

/// Whether anybody is ahead of a waiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// Nobody is known to wait.
    Empty,
    /// Somebody sleeps, or is on its way.
    Waiting,
}

/// One thread's wait for one lock.
#[derive(Debug)]
pub struct Wait {
    /// When it first queued.
    since: Option<Moment>,
    /// When it was first woken and had to compete.
    first_wake: Option<Moment>,
    /// Polling left before parking.
    spin_left_ns: u32,
    gap_ns: u32,
}

impl Wait {
    /// A newcomer's wait begins. Reads no clock.
    #[must_use]
    pub fn begin(line: Line) -> Wait {
        let mut wait = Wait { since: None, first_wake: None, spin_left_ns: 0, gap_ns: 0 };
        wait.refill(line);
        wait
    }

    fn refill(&mut self, line: Line) {
        // A model has no time to pass.
        let spin = if cfg!(loom) { 0 } else { tuning::spin_ns() };
        self.spin_left_ns = if line == Line::Waiting { LINE_FACTOR * spin } else { spin };
        self.gap_ns = FIRST_GAP_NS;
    }

    /// Waits for the next poll of the lock's word; `false`, at once, when it is time to park.
    pub fn poll_again(&mut self) -> bool {
        if self.spin_left_ns == 0 {
            return false;
        }
        let gap = self.gap_ns.min(self.spin_left_ns);
        spin::pause_for(gap);
        self.spin_left_ns -= gap;
        self.gap_ns = (2 * self.gap_ns).min(LONGEST_GAP_NS);
        true
    }

    /// The waiter is about to queue; returns when it first did.
    pub fn queueing(&mut self) -> Moment {
        *self.since.get_or_insert_with(Moment::now)
    }

    /// The waiter was woken and competes again.
    pub fn woken(&mut self) {
        let now = Moment::now();
        self.first_wake.get_or_insert(now);
        self.refill(Line::Waiting);
    }

    /// Whether a woken waiter that has polled in vain and is about to park again has been overtaken
    /// long enough to claim the lock: for the fair interval since its first wake, or for a few of
    /// them since it queued.
    #[must_use]
    pub fn may_claim(&self) -> bool {
        let (Some(since), Some(first_wake)) = (self.since, self.first_wake) else {
            return false;
        };
        if cfg!(loom) {
            return MODEL_CLAIMS.load(Ordering::Relaxed);
        }
        let (now, interval) = (Moment::now(), tuning::fair_interval());
        now.since(first_wake) >= interval || now.since(since) >= QUEUED_INTERVALS * interval
    }
}

/// Under loom there is no time: a model says whether woken threads claim.
static MODEL_CLAIMS: AtomicBool = AtomicBool::new(false);

/// Under loom: whether every symmetric release that may return to asymmetric mode does.
static MODEL_RETURNS: AtomicBool = AtomicBool::new(true);

/// What time and chance decide outside of models.
#[cfg(loom)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    /// No woken loser claims; symmetric mode ends whenever it may.
    Returns,
    /// No woken loser claims; symmetric mode stays.
    Stays,
    /// Every woken loser claims; symmetric mode stays.
    Claims,
    /// Every woken loser claims; symmetric mode ends whenever it may.
    ClaimsAndReturns,
}

#[cfg(loom)]
impl Model {
    /// Fixes the decisions for the models that run next in this process.
    pub fn fix(self) {
        let claims = matches!(self, Model::Claims | Model::ClaimsAndReturns);
        let returns = matches!(self, Model::Returns | Model::ClaimsAndReturns);
        MODEL_CLAIMS.store(claims, Ordering::Relaxed);
        MODEL_RETURNS.store(returns, Ordering::Relaxed);
    }
}

/// After how many fair intervals in the queue a woken waiter claims at its first lost race. One
/// that polled for its whole budget in vain faces long sections, and there a claim costs little; with
/// short sections it would have got in while polling. long-8: longest wait 20 ms
/// against 24 ms without (docs/decisions/0004).
const QUEUED_INTERVALS: u32 = 4;

/// How many symmetric unlocks a thread makes before it proposes to return a lock to asymmetric
/// mode. guess: saving about 5 ns each they repay a heavy fence of a few microseconds.
const RETURN_AFTER: u32 = 1024;

/// Returns to asymmetric mode per second, process-wide: each lets one waiter interrupt every
/// processor once. A bystander keeps 99 % of its speed beside that many (example `fence_cost`).
const RETURNS_PER_SECOND: u64 = 1000;

/// Whether the holder of a lock in symmetric mode may return it to asymmetric mode
/// now. Bounds heavy fences process-wide: one per lock at its first wait, then
/// `RETURNS_PER_SECOND` in all.
#[must_use]
pub fn may_return_to_asymmetric() -> bool {
    thread_local! {
        static UNLOCKS: Cell<u32> = const { Cell::new(0) };
    }
    /// Access: the time of the next permitted return; advanced by whoever takes one.
    static NEXT: AtomicU64 = AtomicU64::new(0);

    if cfg!(loom) {
        return MODEL_RETURNS.load(Ordering::Relaxed);
    }
    if fence::strategy() == fence::Strategy::Symmetric {
        return false;
    }
    let unlocks = UNLOCKS.get() + 1;
    if unlocks < RETURN_AFTER {
        UNLOCKS.set(unlocks);
        return false;
    }
    UNLOCKS.set(0);
    let interval = Duration::from_secs(1).as_nanos() as u64 / RETURNS_PER_SECOND;
    let (now, next) = (Moment::now().as_nanos(), NEXT.load(Ordering::Relaxed));
    now >= next
        && NEXT.compare_exchange(next, now + interval, Ordering::Relaxed, Ordering::Relaxed).is_ok()
}
