//! Evidence that threads which take sets of locks in whatever order neither deadlock nor lose anything, and that what a
//! call answers follows from the state of the locks. `PARKADE_SEED` repeats a run's choices.

mod support;

use std::time::{Duration, Instant};

use parkade::{
    FairMutex, FairMutexGuard, Mutex, MutexGuard, RwLock, RwLockReadGuard,
    RwLockUpgradableReadGuard, RwLockWriteGuard, lock_many,
    many::{
        DuplicateLock, LockManyTimeoutError, LockRequest, LockSet, TryLockManyError, read,
        upgradable_read, write,
    },
    try_lock_many, try_lock_many_for, try_lock_many_until,
};
use support::{
    Pace, Rng, Witness, assert_at_rest, in_bursts, parked_on, section_body, seed, watched_test,
};

/// Locks of each kind.
#[derive(Default)]
struct Pool {
    mutexes: [Mutex<Witness>; 2],
    fair: [FairMutex<Witness>; 2],
    locks: [RwLock<Witness>; 3],
}

/// How a lock of the pool may be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Read,
    Upgradable,
    Write,
}

/// A lock of a pool, by number, and a mode; of a mutex there is one.
#[derive(Clone, Copy)]
struct Wish<'a> {
    pool: &'a Pool,
    number: usize,
    mode: Mode,
}

enum Guard<'a> {
    Mutex(MutexGuard<'a, Witness>),
    Fair(FairMutexGuard<'a, Witness>),
    Read(RwLockReadGuard<'a, Witness>),
    Upgradable(RwLockUpgradableReadGuard<'a, Witness>),
    Write(RwLockWriteGuard<'a, Witness>),
}

impl Guard<'_> {
    /// One section, of whoever has the value alone; others look.
    fn section(&mut self, inside: impl FnOnce()) -> u64 {
        match self {
            Guard::Mutex(guard) => guard.section(inside),
            Guard::Fair(guard) => guard.section(inside),
            Guard::Write(guard) => guard.section(inside),
            Guard::Read(guard) => return look(guard, inside),
            Guard::Upgradable(guard) => return look(guard, inside),
        }
        1
    }
}

/// While somebody reads, nothing changes.
fn look(value: &Witness, inside: impl FnOnce()) -> u64 {
    let before = value.count();
    inside();
    assert_eq!(value.count(), before);
    0
}

/// `$body` with the library's request for a wish, and what makes a [`Guard`] of its guard.
macro_rules! as_request {
    ($wish:expr, |$request:ident, $guard:ident| $body:expr) => {{
        let &Wish { pool: Pool { mutexes, fair, locks }, number, mode } = $wish;
        macro_rules! arm {
            ($made:expr, $kind:path) => {{
                let ($request, $guard) = ($made, $kind);
                $body
            }};
        }
        match (number, mode) {
            (0..2, _) => arm!(&mutexes[number], Guard::Mutex),
            (2..4, _) => arm!(&fair[number - 2], Guard::Fair),
            (_, Mode::Read) => arm!(read(&locks[number - 4]), Guard::Read),
            (_, Mode::Upgradable) => arm!(upgradable_read(&locks[number - 4]), Guard::Upgradable),
            (_, Mode::Write) => arm!(write(&locks[number - 4]), Guard::Write),
        }
    }};
}

impl<'a> LockRequest for Wish<'a> {
    type Guard = Guard<'a>;

    fn address(&self) -> usize {
        as_request!(self, |request, _guard| request.address())
    }

    fn lock(&self) -> Guard<'a> {
        as_request!(self, |request, guard| guard(request.lock()))
    }

    fn try_lock(&self) -> Option<Guard<'a>> {
        as_request!(self, |request, guard| request.try_lock().map(guard))
    }

    fn try_lock_until(&self, deadline: Instant) -> Option<Guard<'a>> {
        as_request!(self, |request, guard| request.try_lock_until(deadline).map(guard))
    }
}

impl Pool {
    const LOCKS: usize = 7;

    fn wish(&self, rng: &mut Rng) -> Wish<'_> {
        let number = rng.below(Pool::LOCKS as u64) as usize;
        let mode = match (number, rng.below(4)) {
            (0..4, _) | (_, 0) => Mode::Write,
            (_, 1) => Mode::Upgradable,
            _ => Mode::Read,
        };
        Wish { pool: self, number, mode }
    }

    /// Any lock but rarely the same twice: with seven locks three are enough for that to happen.
    fn wishes(&self, most: u64, rng: &mut Rng) -> Vec<Wish<'_>> {
        (0..=rng.below(most)).map(|_| self.wish(rng)).collect()
    }

    fn is_locked(&self, number: usize) -> bool {
        match number {
            0..2 => self.mutexes[number].is_locked(),
            2..4 => self.fair[number - 2].is_locked(),
            _ => self.locks[number - 4].is_locked(),
        }
    }

    /// Sections so far. Nobody may hold or want anything any more.
    fn count_at_rest(&self, name: &str) -> u64 {
        assert!(parked_on(self).is_empty(), "{name}: somebody waits");
        assert!((0..4).all(|number| !self.is_locked(number)), "{name}: left locked");
        self.locks.iter().for_each(|lock| assert_at_rest(lock, name));
        let mutexes = self.mutexes.iter().map(|lock| lock.lock().count());
        let fair = self.fair.iter().map(|lock| lock.lock().count());
        mutexes.chain(fair).chain(self.locks.iter().map(|lock| lock.read().count())).sum()
    }
}

/// What one of the functions has answered, whichever it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer<G> {
    Taken(G),
    Duplicate(DuplicateLock),
    NotTaken(usize),
}

impl<G> Answer<G> {
    fn map<H>(self, change: impl FnOnce(G) -> H) -> Answer<H> {
        match self {
            Answer::Taken(guards) => Answer::Taken(change(guards)),
            Answer::Duplicate(duplicate) => Answer::Duplicate(duplicate),
            Answer::NotTaken(position) => Answer::NotTaken(position),
        }
    }
}

/// How to call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Lock,
    Try,
    For(Duration),
    Until(Instant),
}

impl Call {
    /// A call that may not wait for ever.
    fn bounded(most_ns: u64, rng: &mut Rng) -> Call {
        let wait = Duration::from_nanos(rng.below(most_ns));
        match rng.below(4) {
            0 => Call::Try,
            1 => Call::For(Duration::ZERO),
            2 => Call::For(wait),
            _ => Call::Until(Instant::now() + wait),
        }
    }

    fn make<S: LockSet>(self, set: S) -> Answer<S::Guards> {
        let timed = |result: Result<S::Guards, LockManyTimeoutError>| match result {
            Ok(guards) => Answer::Taken(guards),
            Err(LockManyTimeoutError::Duplicate(duplicate)) => Answer::Duplicate(duplicate),
            Err(LockManyTimeoutError::TimedOut { position }) => Answer::NotTaken(position),
        };
        match self {
            Call::Lock => match lock_many(set) {
                Ok(guards) => Answer::Taken(guards),
                Err(duplicate) => Answer::Duplicate(duplicate),
            },
            Call::Try => match try_lock_many(set) {
                Ok(guards) => Answer::Taken(guards),
                Err(TryLockManyError::Duplicate(duplicate)) => Answer::Duplicate(duplicate),
                Err(TryLockManyError::WouldBlock { position }) => Answer::NotTaken(position),
            },
            Call::For(timeout) => timed(try_lock_many_for(set, timeout)),
            Call::Until(deadline) => timed(try_lock_many_until(set, deadline)),
        }
    }

    /// As a tuple, an array or a slice, whichever fits.
    fn make_of<'a>(self, wishes: &[Wish<'a>]) -> Answer<Vec<Guard<'a>>> {
        match *wishes {
            [one, other] => self.make((one, other)).map(|(one, other)| vec![one, other]),
            [one, other, third] => self.make([one, other, third]).map(Vec::from),
            _ => self.make(wishes.to_vec()),
        }
    }
}

/// The pair that has to be reported.
fn duplicate(wishes: &[Wish<'_>]) -> Option<DuplicateLock> {
    (0..wishes.len()).find_map(|second| {
        let same = |other: &Wish<'_>| other.number == wishes[second].number;
        Some(DuplicateLock { first: wishes[..second].iter().rposition(same)?, second })
    })
}

/// Whether a lock that is held in one mode lets another in.
fn goes_with(held: Mode, wanted: Mode) -> bool {
    match (held, wanted) {
        (Mode::Write, _) | (_, Mode::Write) | (Mode::Upgradable, Mode::Upgradable) => false,
        (Mode::Read, _) | (_, Mode::Read) => true,
    }
}

/// What has to be answered while `held` is held, to a call that does not wait for ever.
fn answer(held: &[(Wish<'_>, Guard<'_>)], wishes: &[Wish<'_>]) -> Answer<()> {
    if let Some(duplicate) = duplicate(wishes) {
        return Answer::Duplicate(duplicate);
    }
    let is_kept_out = |wish: &Wish<'_>| {
        let mut same = held.iter().filter(|(other, _)| other.number == wish.number);
        same.any(|(other, _)| !goes_with(other.mode, wish.mode))
    };
    let kept_out = (0..wishes.len()).filter(|&position| is_kept_out(&wishes[position]));
    kept_out
        .min_by_key(|&position| wishes[position].address())
        .map_or(Answer::Taken(()), Answer::NotTaken)
}

/// Random sets against locks that are held at random: the answer follows from these, and they stay as they were.
#[test]
fn answers_follow_from_what_is_held() {
    let _watched = watched_test();
    let seed = seed();
    let mut rng = Rng::new(seed);
    let pool = Pool::default();
    let mut held: Vec<(Wish<'_>, Guard<'_>)> = Vec::new();
    let mut seen = [0; 3];
    for step in 0..20_000 {
        match rng.below(4) {
            0 if held.len() < 5 => {
                let wish = pool.wish(&mut rng);
                held.extend(wish.try_lock().map(|guard| (wish, guard)));
            }
            1 if !held.is_empty() => {
                let index = rng.below(held.len() as u64) as usize;
                drop(held.swap_remove(index));
            }
            _ => {
                let wishes = pool.wishes(5, &mut rng);
                let expected = answer(&held, &wishes);
                let call = match expected {
                    Answer::NotTaken(_) => Call::bounded(20_000, &mut rng),
                    _ if rng.below(4) == 0 => Call::Lock,
                    _ => Call::bounded(20_000, &mut rng),
                };
                let numbers: Vec<_> = wishes.iter().map(|wish| (wish.number, wish.mode)).collect();
                let name = format!("PARKADE_SEED={seed}, step {step}: {call:?} of {numbers:?}");
                let answer = call.make_of(&wishes).map(|guards| {
                    assert_eq!(guards.len(), wishes.len(), "{name}");
                    assert!(wishes.iter().all(|wish| pool.is_locked(wish.number)), "{name}");
                });
                assert_eq!(answer, expected, "{name}");
                seen[match answer {
                    Answer::Taken(()) => 0,
                    Answer::Duplicate(_) => 1,
                    Answer::NotTaken(_) => 2,
                }] += 1;
                for number in 0..Pool::LOCKS {
                    let is_held = held.iter().any(|(wish, _)| wish.number == number);
                    assert_eq!(pool.is_locked(number), is_held, "{name}: lock {number} after it");
                }
            }
        }
    }
    assert!(seen.iter().all(|&times| times > 500), "PARKADE_SEED={seed}: {seen:?}");
    held.clear();
    assert_eq!(pool.count_at_rest("answers"), 0);
}

/// Random sets in random orders by several threads, waiting, trying and timing out.
fn random_sets(threads: usize) {
    let seed = seed();
    let pool = Pool::default();
    let name = format!("random sets, {threads} threads, PARKADE_SEED={seed}");
    let sections = in_bursts(&name, threads, seed, |_, rng| {
        let wishes = pool.wishes(4, rng);
        let call = if rng.below(2) == 0 { Call::Lock } else { Call::bounded(300_000, rng) };
        match call.make_of(&wishes) {
            Answer::Taken(mut guards) => {
                assert_eq!(duplicate(&wishes), None, "{name}");
                let sections =
                    guards.iter_mut().map(|guard| guard.section(|| section_body(Pace::Mixed, rng)));
                let sections = sections.sum();
                while !guards.is_empty() {
                    drop(guards.swap_remove(rng.below(guards.len() as u64) as usize));
                }
                sections
            }
            Answer::Duplicate(found) => {
                assert_eq!(Some(found), duplicate(&wishes), "{name}");
                0
            }
            Answer::NotTaken(position) => {
                assert!(call != Call::Lock && position < wishes.len(), "{name}: {call:?}");
                0
            }
        }
    });
    assert_eq!(pool.count_at_rest(&name), sections, "{name}: sections were lost");
    assert!(sections > 0, "{name}: nobody got anything");
    println!("{name}: {sections} sections");
}

#[test]
fn random_sets_of_two_threads() {
    random_sets(2);
}

#[test]
fn random_sets_of_eight_threads() {
    random_sets(8);
}

/// Half of eight threads name the locks in one order and half in the other.
#[test]
fn opposite_orders() {
    const LOCKS: usize = 8;
    let seed = seed();
    let name = format!("opposite orders, PARKADE_SEED={seed}");
    let locks: [Mutex<Witness>; LOCKS] = Default::default();
    let rw: [RwLock<Witness>; 2] = Default::default();
    let sections = in_bursts(&name, 8, seed, |index, rng| {
        let mut order = locks.each_ref();
        let (mut one, mut other) = (&rw[0], &rw[1]);
        if index % 2 == 1 {
            order.reverse();
            (one, other) = (other, one);
        }
        if rng.below(2) == 0 {
            let mut guards = lock_many(order).unwrap();
            guards.iter_mut().for_each(|guard| guard.section(|| section_body(Pace::Mixed, rng)));
            LOCKS as u64
        } else {
            let (reading, mut first, mut writing, mut last) =
                lock_many((read(one), order[1], write(other), order[6])).unwrap();
            reading.check();
            let all = [&mut *first, &mut *writing, &mut *last];
            let _ = all.map(|value| value.section(|| section_body(Pace::Mixed, rng)));
            reading.check();
            3
        }
    });
    let counted: u64 = locks.iter().map(|lock| lock.lock().count()).sum();
    let written: u64 = rw.iter().map(|lock| lock.read().count()).sum();
    assert_eq!(counted + written, sections, "{name}: sections were lost");
    println!("{name}: {sections} sections");
}
