//! Several requests, and the order in which they are served.
//!
//! # Theory
//!
//! Give every lock a number; whoever waits for one holds only lower ones. Follow the waits from any thread: it waits for
//! lock *n*, whose holder runs or waits for a lock above *n*, and so on upwards. (Those before it in the queue of *n* wait for the
//! same holder; so readers kept out by a writer that waits for *n* make no difference.) There are finitely many locks, so the walk ends at a thread that runs. The
//! number is the lock's address: locks do not move while they are borrowed, and no two are at the same place.
//!
//! It takes two conditions: nobody waits for a lock twice (so duplicates are refused, of reads too: a writer may have
//! come to wait in between), and a thread that enters holds nothing, which only its author can know.

use super::{DuplicateLock, LockRequest};
use std::time::{Duration, Instant};

/// Several locks and how to take each, for [`lock_many`](crate::lock_many) and its relatives.
///
/// | set | guards |
/// |---|---|
/// | a tuple of one to twelve [`LockRequest`]s | a tuple |
/// | `[request; N]`, or `&[lock; N]` where each `&lock` is a request | an array |
/// | `Vec<request>`; `&[lock]` or `&Vec<lock>` where each `&lock` is a request | a `Vec` |
///
/// A reference to a request is a request, so `lock` may also be one: `&[&Mutex<T>]` is a set.
///
/// It is sealed: what is missing can be had by a [`LockRequest`] of your own, or a `Vec`.
///
/// ```
/// use parkade::{Mutex, RwLock, lock_many, many::{read, write}};
///
/// let locks: Vec<_> = (0..5).map(RwLock::new).collect();
/// let sum: i32 = {
///     let even = locks.iter().step_by(2).map(read);
///     lock_many(even.collect::<Vec<_>>()).unwrap().iter().map(|guard| **guard).sum()
/// };
/// assert_eq!(sum, 6);
///
/// let mutexes = [Mutex::new(1), Mutex::new(2), Mutex::new(3)];
/// let chosen: [&Mutex<i32>; 2] = [&mutexes[2], &mutexes[0]];
/// let [three, one] = lock_many(chosen).unwrap();
/// assert_eq!((*three, *one), (3, 1));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a set of locks",
    note = "a set is a tuple of one to twelve requests (`&mutex`, `many::read(&lock)`, ...), or an array, a slice or a `Vec`"
)]
pub trait LockSet {
    /// The guards, in the order of the requests.
    type Guards;

    /// Takes all, or none and says why.
    #[doc(hidden)]
    #[track_caller]
    fn acquire(&self, patience: Patience) -> Result<Self::Guards, Refusal>;
}

/// How long to wait for each lock.
#[derive(Debug, Clone, Copy)]
pub enum Patience {
    /// Until it comes.
    Endless,
    /// Not at all.
    Nothing,
    /// Until the moment that is the same for all of a set.
    Until(Instant),
}

impl Patience {
    /// `timeout` from now.
    pub(super) fn during(timeout: Duration) -> Patience {
        Instant::now().checked_add(timeout).map_or(Patience::Endless, Patience::Until)
    }

    #[inline]
    #[track_caller]
    fn take<L: LockRequest>(self, request: &L, position: usize) -> Result<L::Guard, Refusal> {
        let taken = match self {
            Patience::Endless => Some(request.lock()),
            Patience::Nothing => request.try_lock(),
            Patience::Until(deadline) => request.try_lock_until(deadline),
        };
        taken.ok_or(Refusal::NotTaken(position))
    }
}

/// Why a set was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// A lock is in it twice.
    Duplicate(DuplicateLock),
    /// The lock at this position did not come in time.
    NotTaken(usize),
}

/// One request in the order of service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Turn {
    pub(super) address: usize,
    /// In the set.
    pub(super) position: usize,
}

/// Up to this many turns are put in order one by one, in code that knows how many there are: the longest tuple.
const FEW: usize = 12;

/// Puts the turns in the order in which the locks are to be taken.
#[inline]
pub(super) fn arrange(turns: &mut [Turn]) -> Result<(), Refusal> {
    if turns.len() > FEW {
        // It does not allocate.
        turns.sort_unstable();
    } else {
        // Equals stay as they are, in the order of their positions.
        for sorted in 1..turns.len() {
            let mut place = sorted;
            while place > 0 && turns[place - 1].address > turns[place].address {
                turns.swap(place - 1, place);
                place -= 1;
            }
        }
    }
    let has_pair = turns.windows(2).any(|pair| pair[0].address == pair[1].address);
    if has_pair { Err(duplicate_in(turns)) } else { Ok(()) }
}

/// Of the pairs of equals that there are, the one whose second is the lowest.
#[cold]
fn duplicate_in(turns: &[Turn]) -> Refusal {
    let pairs = turns.windows(2).filter(|pair| pair[0].address == pair[1].address);
    let pair = pairs.min_by_key(|pair| pair[1].position).expect("there is a pair");
    Refusal::Duplicate(DuplicateLock { first: pair[0].position, second: pair[1].position })
}

/// What a place for a guard holds once every turn has been served.
pub(super) const SERVED: &str = "each position has a turn";

macro_rules! tuples {
    ($($($name:ident $position:tt),+;)+) => {$(
        impl<$($name: LockRequest),+> LockSet for ($($name,)+) {
            type Guards = ($($name::Guard,)+);

            #[inline]
            fn acquire(&self, patience: Patience) -> Result<Self::Guards, Refusal> {
                let mut turns =
                    [$(Turn { address: self.$position.address(), position: $position }),+];
                arrange(&mut turns)?;
                let mut guards = ($(None::<$name::Guard>,)+);
                for &Turn { position, .. } in &turns {
                    match position {
                        $($position => {
                            guards.$position = Some(patience.take(&self.$position, position)?);
                        })+
                        _ => unreachable!("{SERVED}"),
                    }
                }
                Ok(($(guards.$position.expect(SERVED),)+))
            }
        }
    )+};
}

/// Calls a macro with the positions of every tuple that is a set.
macro_rules! each_tuple {
    ($of:ident) => {
        $of! {
            A 0;
            A 0, B 1;
            A 0, B 1, C 2;
            A 0, B 1, C 2, D 3;
            A 0, B 1, C 2, D 3, E 4;
            A 0, B 1, C 2, D 3, E 4, F 5;
            A 0, B 1, C 2, D 3, E 4, F 5, G 6;
            A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7;
            A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8;
            A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9;
            A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10;
            A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11;
        }
    };
}

each_tuple!(tuples);

pub(super) use each_tuple;

impl<'a, M, const N: usize> LockSet for &'a [M; N]
where
    &'a M: LockRequest,
{
    type Guards = [<&'a M as LockRequest>::Guard; N];

    #[inline]
    fn acquire(&self, patience: Patience) -> Result<Self::Guards, Refusal> {
        let turn = |position| Turn { address: <&M>::address(&&self[position]), position };
        let mut turns: [Turn; N] = core::array::from_fn(turn);
        arrange(&mut turns)?;
        let mut guards = [const { None::<<&'a M as LockRequest>::Guard> }; N];
        for &Turn { position, .. } in &turns {
            guards[position] = Some(patience.take(&&self[position], position)?);
        }
        Ok(guards.map(|guard| guard.expect(SERVED)))
    }
}

impl<'a, M> LockSet for &'a [M]
where
    &'a M: LockRequest,
{
    type Guards = Vec<<&'a M as LockRequest>::Guard>;

    #[inline]
    fn acquire(&self, patience: Patience) -> Result<Self::Guards, Refusal> {
        // What has to be allocated is, before anything is locked.
        let mut guards = Vec::with_capacity(self.len());
        let turn = |(position, member)| Turn { address: <&M>::address(&member), position };
        let mut turns: Vec<Turn> = self.iter().enumerate().map(turn).collect();
        arrange(&mut turns)?;
        for &Turn { position, .. } in &turns {
            guards.push(patience.take(&&self[position], position)?);
        }
        into_positions(&mut guards, &mut turns);
        Ok(guards)
    }
}

/// Moves the guards, which are in the order of their turns, to the positions that their turns name.
pub(super) fn into_positions<G>(guards: &mut [G], turns: &mut [Turn]) {
    for place in 0..turns.len() {
        // Each swap brings one guard home for good, so there are fewer than there are guards.
        while turns[place].position != place {
            let home = turns[place].position;
            guards.swap(place, home);
            turns.swap(place, home);
        }
    }
}

impl<'a, M> LockSet for &'a Vec<M>
where
    &'a M: LockRequest,
{
    type Guards = Vec<<&'a M as LockRequest>::Guard>;

    #[inline]
    fn acquire(&self, patience: Patience) -> Result<Self::Guards, Refusal> {
        self.as_slice().acquire(patience)
    }
}

impl<L: LockRequest, const N: usize> LockSet for [L; N] {
    type Guards = [L::Guard; N];

    #[inline]
    fn acquire(&self, patience: Patience) -> Result<Self::Guards, Refusal> {
        (&self).acquire(patience)
    }
}

impl<L: LockRequest> LockSet for Vec<L> {
    type Guards = Vec<L::Guard>;

    #[inline]
    fn acquire(&self, patience: Patience) -> Result<Self::Guards, Refusal> {
        self.as_slice().acquire(patience)
    }
}
