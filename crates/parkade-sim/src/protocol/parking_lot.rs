//! parking_lot's mutex over parking_lot_core's buckets.
//!
//! The two versions differ in what unlock does while somebody is parked. 0.12 keeps the lock, takes
//! the bucket, and every 0.5 ms or so hands the lock to the thread it wakes. 0.13 frees the lock first
//! and never hands it over.

use std::collections::VecDeque;

use super::word_lock::{Progress, SpinWait, Version as CoreVersion, WordLocks};
use super::{Action, Cx, Futex, Protocol, Setup};
use crate::line::LineId;
use crate::time::{MS, Ps};

pub(super) use super::word_lock::Version;

/// 0.12 hands over when a random time up to this one has passed since it did last.
const FAIR_INTERVAL: Ps = MS;

/// Buckets per thread, before rounding up to a power of two.
const LOAD_FACTOR: usize = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Word {
    locked: bool,
    parked: bool,
}

/// Where a thread is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pc {
    Idle,
    TryLock,
    Look,
    Take(Word),
    Pausing,
    MarkParked(Word),
    // Parking.
    LockBucket,
    Validate,
    /// Links itself behind the last node.
    Push,
    /// Unlocks the bucket and then sleeps.
    UnlockBucket,
    /// Unlocks the bucket and then looks again.
    UnlockBucketInvalid,
    Sleep,
    /// Reads how it was woken.
    ReadToken,
    // Unlocking.
    Unlock,
    LockBucketToWake,
    /// Reads the head's node.
    ReadHead,
    /// Reads the next node to learn whether it waits for the same lock.
    ReadNext,
    ReadClock,
    /// 0.12: writes the lock's word; 0.13: clears its parked bit.
    Publish,
    /// Writes the woken thread's token and parker.
    Tell,
    UnlockBucketToWake,
    Wake,
    Over,
}

/// How a thread was woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    /// It must sleep.
    None,
    Normal,
    Handoff,
}

#[derive(Debug, Clone)]
struct Thread {
    pc: Pc,
    spin: SpinWait,
    token: Token,
    /// Whom it wakes, and whether more wait.
    woken: Option<usize>,
    more: bool,
    hand_off: bool,
}

#[derive(Debug, Clone, Default)]
struct Bucket {
    /// Threads and the locks they wait for; front: who came first.
    queue: VecDeque<(usize, usize)>,
    next_fair: Ps,
}

/// The mutexes and the table.
#[derive(Debug)]
pub(super) struct ParkingLot {
    version: Version,
    words: Vec<Word>,
    lines: Vec<LineId>,
    buckets: Vec<Bucket>,
    bucket_locks: WordLocks,
    threads: Vec<Thread>,
    nodes: Vec<LineId>,
    futexes: Vec<Futex>,
}

impl ParkingLot {
    pub(super) fn new(version: Version, setup: &mut Setup) -> ParkingLot {
        let buckets = (LOAD_FACTOR * setup.threads).next_power_of_two();
        let bucket_lines = setup.lines(buckets);
        let thread = Thread {
            pc: Pc::Idle,
            spin: SpinWait::new(version),
            token: Token::None,
            woken: None,
            more: false,
            hand_off: false,
        };
        ParkingLot {
            version,
            words: vec![Word::default(); setup.locks],
            lines: setup.lines(setup.locks),
            buckets: vec![Bucket::default(); buckets],
            bucket_locks: WordLocks::new(version, &bucket_lines, setup),
            threads: vec![thread; setup.threads],
            nodes: setup.lines(setup.threads),
            futexes: setup.futexes(setup.threads),
        }
    }

    /// Fibonacci hashing of addresses a cache line pair apart.
    fn bucket(&self, lock: usize) -> usize {
        let address = 0x7f00_0000_0000_u64 + 128 * lock as u64;
        let bits = self.buckets.len().trailing_zeros();
        (address.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - bits)) as usize
    }

    fn go(&mut self, cx: &Cx<'_>, pc: Pc) -> Action {
        self.threads[cx.thread].pc = pc;
        let (line, bucket) = (self.lines[cx.lock], self.bucket(cx.lock));
        match pc {
            Pc::TryLock | Pc::Take(_) | Pc::MarkParked(_) | Pc::Unlock => Action::Modify(line),
            Pc::Look | Pc::Validate => Action::Load(line),
            Pc::LockBucket | Pc::LockBucketToWake => self.bucket_locks.lock(cx.thread, bucket),
            Pc::UnlockBucket | Pc::UnlockBucketInvalid | Pc::UnlockBucketToWake => {
                self.bucket_locks.unlock(cx.thread, bucket)
            }
            Pc::Push => {
                let before = self.buckets[bucket].queue.back().map_or(cx.thread, |(t, _)| *t);
                Action::Store(self.nodes[before])
            }
            Pc::Sleep => Action::Wait(self.futexes[cx.thread], None),
            Pc::ReadToken => Action::Load(self.nodes[cx.thread]),
            Pc::ReadHead => {
                let head = self.buckets[bucket].queue.front().map_or(cx.thread, |(t, _)| *t);
                Action::Load(self.nodes[head])
            }
            Pc::ReadNext => {
                let next = self.buckets[bucket].queue.front().map_or(cx.thread, |(t, _)| *t);
                Action::Load(self.nodes[next])
            }
            Pc::ReadClock => Action::Clock,
            Pc::Publish if self.version == CoreVersion::V012 => Action::Store(line),
            Pc::Publish => Action::Modify(line),
            Pc::Tell => Action::Store(self.nodes[self.threads[cx.thread].woken.expect("one")]),
            Pc::Wake => Action::Wake(self.futexes[self.threads[cx.thread].woken.expect("one")]),
            Pc::Idle => Action::Acquired,
            Pc::Over => Action::Released,
            Pc::Pausing => unreachable!("not entered this way"),
        }
    }

    /// The slow path of lock with that word seen.
    fn decide(&mut self, cx: &Cx<'_>, seen: Word) -> Action {
        if !seen.locked {
            return self.go(cx, Pc::Take(seen));
        }
        if seen.parked {
            return self.go(cx, Pc::LockBucket);
        }
        if let Some(pause) = self.threads[cx.thread].spin.spin() {
            self.threads[cx.thread].pc = Pc::Pausing;
            return pause;
        }
        self.go(cx, Pc::MarkParked(seen))
    }

    /// Takes the first thread that waits for the lock off the bucket's queue.
    fn dequeue(&mut self, cx: &Cx<'_>) {
        let bucket = self.bucket(cx.lock);
        let queue = &mut self.buckets[bucket].queue;
        let first = queue.iter().position(|(_, lock)| *lock == cx.lock);
        let woken = first.and_then(|at| queue.remove(at)).map(|(thread, _)| thread);
        let more = queue.iter().any(|(_, lock)| *lock == cx.lock);
        let thread = &mut self.threads[cx.thread];
        (thread.woken, thread.more, thread.hand_off) = (woken, more, false);
    }

    /// Writes the lock's word in unlock's callback.
    fn publish(&mut self, cx: &mut Cx<'_>) {
        let &Thread { more, hand_off, .. } = &self.threads[cx.thread];
        let word = &mut self.words[cx.lock];
        word.parked = more;
        if self.version == CoreVersion::V012 {
            word.locked = hand_off;
            cx.gives_up_ownership();
        }
    }

    /// The bucket is locked or unlocked; what follows.
    fn after_bucket(&mut self, cx: &Cx<'_>) -> Action {
        let next = match self.threads[cx.thread].pc {
            Pc::LockBucket => Pc::Validate,
            Pc::UnlockBucket => Pc::Sleep,
            Pc::UnlockBucketInvalid => {
                self.threads[cx.thread].spin.reset();
                Pc::Look
            }
            Pc::LockBucketToWake => Pc::ReadHead,
            Pc::UnlockBucketToWake if self.threads[cx.thread].woken.is_some() => Pc::Wake,
            Pc::UnlockBucketToWake => Pc::Over,
            pc => unreachable!("{pc:?} does not use the bucket's lock"),
        };
        self.go(cx, next)
    }
}

impl Protocol for ParkingLot {
    fn lock(&mut self, cx: &mut Cx<'_>) -> Action {
        self.threads[cx.thread].spin.reset();
        self.go(cx, Pc::TryLock)
    }

    fn unlock(&mut self, cx: &mut Cx<'_>) -> Action {
        self.go(cx, Pc::Unlock)
    }

    fn step(&mut self, cx: &mut Cx<'_>) -> Action {
        let word = self.words[cx.lock];
        let bucket = self.bucket(cx.lock);
        match self.threads[cx.thread].pc {
            Pc::LockBucket
            | Pc::UnlockBucket
            | Pc::UnlockBucketInvalid
            | Pc::LockBucketToWake
            | Pc::UnlockBucketToWake => match self.bucket_locks.step(cx, bucket) {
                Progress::Act(action) => action,
                Progress::Done => self.after_bucket(cx),
            },

            Pc::TryLock if word == Word::default() => {
                self.words[cx.lock].locked = true;
                self.go(cx, Pc::Idle)
            }
            Pc::TryLock | Pc::Pausing => self.go(cx, Pc::Look),
            Pc::Look => self.decide(cx, word),
            Pc::Take(seen) if word == seen => {
                self.words[cx.lock].locked = true;
                self.go(cx, Pc::Idle)
            }
            Pc::MarkParked(seen) if word == seen => {
                self.words[cx.lock].parked = true;
                self.go(cx, Pc::LockBucket)
            }
            Pc::Take(_) | Pc::MarkParked(_) => self.decide(cx, word),
            Pc::Validate if word.locked && word.parked => {
                self.threads[cx.thread].token = Token::None;
                self.go(cx, Pc::Push)
            }
            Pc::Validate => self.go(cx, Pc::UnlockBucketInvalid),
            Pc::Push => {
                self.buckets[bucket].queue.push_back((cx.thread, cx.lock));
                self.go(cx, Pc::UnlockBucket)
            }
            Pc::Sleep => {
                let sleeps = self.threads[cx.thread].token == Token::None;
                self.go(cx, if sleeps { Pc::Sleep } else { Pc::ReadToken })
            }
            Pc::ReadToken if self.threads[cx.thread].token == Token::Handoff => {
                self.go(cx, Pc::Idle)
            }
            Pc::ReadToken => {
                self.threads[cx.thread].spin.reset();
                self.go(cx, Pc::Look)
            }

            Pc::Unlock if self.version == CoreVersion::V012 && word.parked => {
                self.go(cx, Pc::LockBucketToWake)
            }
            Pc::Unlock => {
                self.words[cx.lock].locked = false;
                cx.gives_up_ownership();
                self.go(cx, if word.parked { Pc::LockBucketToWake } else { Pc::Over })
            }
            Pc::ReadHead => {
                self.dequeue(cx);
                let thread = &self.threads[cx.thread];
                let clock = thread.woken.is_some() && self.version == CoreVersion::V012;
                let next = match thread.more {
                    true => Pc::ReadNext,
                    false if clock => Pc::ReadClock,
                    false => Pc::Publish,
                };
                self.go(cx, next)
            }
            Pc::ReadNext if self.version == CoreVersion::V012 => self.go(cx, Pc::ReadClock),
            // Only who leaves nobody behind has a bit to clear.
            Pc::ReadNext => self.go(cx, Pc::Tell),
            Pc::ReadClock => {
                let bucket = &mut self.buckets[bucket];
                if cx.now > bucket.next_fair {
                    bucket.next_fair = cx.now + cx.rng.below(FAIR_INTERVAL);
                    self.threads[cx.thread].hand_off = true;
                }
                self.go(cx, Pc::Publish)
            }
            Pc::Publish => {
                self.publish(cx);
                let woken = self.threads[cx.thread].woken.is_some();
                self.go(cx, if woken { Pc::Tell } else { Pc::UnlockBucketToWake })
            }
            Pc::Tell => {
                let &Thread { woken, hand_off, .. } = &self.threads[cx.thread];
                let token = if hand_off { Token::Handoff } else { Token::Normal };
                self.threads[woken.expect("there is one to tell")].token = token;
                self.go(cx, Pc::UnlockBucketToWake)
            }
            Pc::Wake => self.go(cx, Pc::Over),
            Pc::Idle | Pc::Over => unreachable!("outside of lock and unlock there are no steps"),
        }
    }

    fn expected(&self, _thread: usize, futex: Futex) -> bool {
        let parker = futex.0.checked_sub(self.futexes[0].0).map(|thread| thread as usize);
        match parker.and_then(|thread| self.threads.get(thread)) {
            Some(thread) => thread.token == Token::None,
            None => self.bucket_locks.expected(futex).expect("a parker of the table or its locks"),
        }
    }

    fn fingerprint(&self, lock: usize) -> Option<u64> {
        let word = self.words[lock];
        let quiet = !word.parked && self.bucket_locks.is_free(self.bucket(lock));
        quiet.then_some(word.locked.into())
    }
}
