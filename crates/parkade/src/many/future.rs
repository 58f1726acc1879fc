//! Tasks that take several locks: in the same order as threads.

use super::{
    DuplicateLock, LockRequest, LockSet, Read, UpgradableRead, Write,
    set::{Refusal, SERVED, Turn, arrange, each_tuple},
};
use crate::{
    Mutex, RwLock, futures,
    prelude::{LockAsync as _, RwLockAsync as _},
    task::{polled_too_often, send::SendGuard},
};
use core::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

/// A [`LockRequest`] that a task can wait with: a member of an [`AsyncLockSet`].
///
/// There are those of [`Mutex`] (`&mutex`) and [`RwLock`] ([`read`](super::read), [`write`](super::write()),
/// [`upgradable_read`](super::upgradable_read)). It may be implemented for other types; the rules of [`LockRequest`] hold.
pub trait AsyncLockRequest: LockRequest {
    /// Waits for the lock.
    type Future: Future<Output = Self::Guard>;

    /// Waits for the lock as a task does.
    fn lock_async(&self) -> Self::Future;
}

impl<'a, T: ?Sized> AsyncLockRequest for &'a Mutex<T> {
    type Future = futures::Lock<'a, T>;

    fn lock_async(&self) -> Self::Future {
        (**self).lock_async()
    }
}

impl<'a, T: ?Sized> AsyncLockRequest for Read<'a, RwLock<T>> {
    type Future = futures::Read<'a, T>;

    fn lock_async(&self) -> Self::Future {
        self.lock.read_async()
    }
}

impl<'a, T: ?Sized> AsyncLockRequest for Write<'a, RwLock<T>> {
    type Future = futures::Write<'a, T>;

    fn lock_async(&self) -> Self::Future {
        self.lock.write_async()
    }
}

impl<'a, T: ?Sized> AsyncLockRequest for UpgradableRead<'a, RwLock<T>> {
    type Future = futures::UpgradableRead<'a, T>;

    fn lock_async(&self) -> Self::Future {
        self.lock.upgradable_read_async()
    }
}

/// Several locks and how to take each, for [`lock_many_async`]: the sets of [`LockSet`] whose members are [`AsyncLockRequest`]s.
///
/// It is sealed, as that.
pub trait AsyncLockSet: LockSet {
    /// How far it is.
    #[doc(hidden)]
    type State;

    #[doc(hidden)]
    fn begin(&self) -> Result<Self::State, Refusal>;

    #[doc(hidden)]
    fn poll(&self, state: Pin<&mut Self::State>, cx: &mut Context<'_>) -> Poll<Self::Guards>;
}

/// Waits, as a task does, for all locks of a set, and returns their guards in the order of the arguments.
///
/// As [`lock_many`](crate::lock_many), and with it: tasks and threads take locks in the same order, that of their addresses, so no
/// two of them deadlock. [The module](crate::many) says what is promised and what is not; in place of a thread that holds another
/// lock read "a task".
///
/// A future that is dropped releases what it has taken. While it waits for a lock it holds those before it, also if nobody polls
/// it: then whoever wants one of these waits for that. So poll it, or drop it.
///
/// # Errors
/// [`DuplicateLock`] if two members of the set are the same lock. Then nothing has been locked.
///
/// ```
/// use parkade::{Mutex, RwLock, lock_many_async, many::read};
///
/// let (limit, spent, log) = (RwLock::new(2), Mutex::new(1), Mutex::new(Vec::new()));
/// futures::executor::block_on(async {
///     let set = (read(&limit), &spent, &log);
///     let (limit, mut spent, mut log) = lock_many_async(set).await.unwrap();
///     if *spent < *limit {
///         *spent += 1;
///         log.push("spent");
///     }
/// });
/// assert_eq!(*spent.lock(), 2);
///
/// let twice = futures::executor::block_on(lock_many_async((&spent, &spent))).unwrap_err();
/// assert_eq!((twice.first, twice.second), (0, 1));
/// ```
pub fn lock_many_async<S: AsyncLockSet>(set: S) -> LockMany<S> {
    let progress = match set.begin() {
        Ok(state) => Progress::Waits(state),
        Err(Refusal::Duplicate(duplicate)) => Progress::Refused(duplicate),
        Err(Refusal::NotTaken(position)) => unreachable!("{position} was not tried yet"),
    };
    LockMany { set, progress }
}

/// Takes several locks: the future of [`lock_many_async`].
///
/// It has room for the futures and guards of all its members; of a tuple of two mutexes, 300 bytes.
#[must_use = "futures do nothing unless they are polled"]
pub struct LockMany<S: AsyncLockSet> {
    set: S,
    progress: Progress<S::State>,
}

enum Progress<T> {
    Waits(T),
    Refused(DuplicateLock),
    Over,
}

impl<S: AsyncLockSet> LockMany<S> {
    /// Whether it has been ready: to poll it again would panic.
    #[must_use]
    pub fn is_terminated(&self) -> bool {
        matches!(self.progress, Progress::Over)
    }
}

impl<S: AsyncLockSet> Future for LockMany<S> {
    type Output = Result<S::Guards, DuplicateLock>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: the state stays where it is until it is over, and is dropped there.
        let this = unsafe { self.get_unchecked_mut() };
        let ended = match &mut this.progress {
            Progress::Waits(state) => {
                // SAFETY: as above.
                let state = unsafe { Pin::new_unchecked(state) };
                Ok(ready!(this.set.poll(state, cx)))
            }
            Progress::Refused(duplicate) => Err(*duplicate),
            Progress::Over => polled_too_often(),
        };
        this.progress = Progress::Over;
        Poll::Ready(ended)
    }
}

impl<S: AsyncLockSet> fmt::Debug for LockMany<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockMany").finish_non_exhaustive()
    }
}

/// What a tuple has so far. Guards are dropped before futures, neither of which minds.
#[derive(Debug)]
pub struct OfTuple<G, F, const N: usize> {
    guards: G,
    /// Pinned; the one that is being waited for.
    futures: F,
    turns: [Turn; N],
    served: usize,
}

/// Polls the future in `place`, which is pinned with what contains it, or first the one that `make` makes.
fn poll_in<F: Future>(
    place: &mut Option<F>,
    make: impl FnOnce() -> F,
    cx: &mut Context<'_>,
) -> Poll<F::Output> {
    let future = place.get_or_insert_with(make);
    // SAFETY: the caller's place does not move, and what is in it is dropped there.
    let output = ready!(unsafe { Pin::new_unchecked(future) }.poll(cx));
    *place = None;
    Poll::Ready(output)
}

macro_rules! tuples {
    ($($($name:ident $position:tt),+;)+) => {$(
        impl<$($name: AsyncLockRequest),+> AsyncLockSet for ($($name,)+) {
            type State = OfTuple<
                ($(Option<SendGuard<$name::Guard>>,)+),
                ($(Option<$name::Future>,)+),
                { [$($position),+].len() },
            >;

            fn begin(&self) -> Result<Self::State, Refusal> {
                let mut turns =
                    [$(Turn { address: self.$position.address(), position: $position }),+];
                arrange(&mut turns)?;
                Ok(OfTuple {
                    guards: ($(None::<SendGuard<$name::Guard>>,)+),
                    futures: ($(None::<$name::Future>,)+),
                    turns,
                    served: 0,
                })
            }

            fn poll(
                &self,
                state: Pin<&mut Self::State>,
                cx: &mut Context<'_>,
            ) -> Poll<Self::Guards> {
                // SAFETY: the futures are not moved.
                let state = unsafe { state.get_unchecked_mut() };
                while let Some(&Turn { position, .. }) = state.turns.get(state.served) {
                    match position {
                        $($position => {
                            let make = || self.$position.lock_async();
                            let guard = ready!(poll_in(&mut state.futures.$position, make, cx));
                            state.guards.$position = Some(SendGuard::cover(guard));
                        })+
                        _ => unreachable!("{SERVED}"),
                    }
                    state.served += 1;
                }
                Poll::Ready(($(
                    SendGuard::into_inner(state.guards.$position.take().expect(SERVED)),
                )+))
            }
        }
    )+};
}

each_tuple!(tuples);

/// What an array or a list has so far.
#[derive(Debug)]
pub struct OfList<G, T, F> {
    guards: G,
    /// Pinned.
    future: Option<F>,
    turns: T,
    served: usize,
}

impl<R, G, T, F> OfList<G, T, F>
where
    G: AsMut<[Option<SendGuard<R>>]>,
    T: AsRef<[Turn]>,
    F: Future<Output = R>,
{
    fn poll(
        self: Pin<&mut Self>,
        request: impl Fn(usize) -> F,
        cx: &mut Context<'_>,
    ) -> Poll<&mut Self> {
        // SAFETY: the future is not moved.
        let this = unsafe { self.get_unchecked_mut() };
        while let Some(&Turn { position, .. }) = this.turns.as_ref().get(this.served) {
            let guard = ready!(poll_in(&mut this.future, || request(position), cx));
            this.guards.as_mut()[position] = Some(SendGuard::cover(guard));
            this.served += 1;
        }
        Poll::Ready(this)
    }
}

fn uncover<G>(guard: &mut Option<SendGuard<G>>) -> G {
    SendGuard::into_inner(guard.take().expect(SERVED))
}

type Covers<R> = Vec<Option<SendGuard<<R as LockRequest>::Guard>>>;
type CoverArray<R, const N: usize> = [Option<SendGuard<<R as LockRequest>::Guard>>; N];

/// Sets of equals: what `$member` makes of a position is a reference to a `$request`.
macro_rules! arrays {
    ($([$($generics:tt)*] $set:ty, $request:ty, $this:ident, $position:ident: $member:expr;)+) => {$(
        impl<$($generics)*, const N: usize> AsyncLockSet for $set
        where
            $request: AsyncLockRequest,
        {
            type State = OfList<
                CoverArray<$request, N>,
                [Turn; N],
                <$request as AsyncLockRequest>::Future,
            >;

            fn begin(&self) -> Result<Self::State, Refusal> {
                let $this = self;
                let mut turns: [Turn; N] = core::array::from_fn(|$position| Turn {
                    address: <$request>::address($member),
                    position: $position,
                });
                arrange(&mut turns)?;
                Ok(OfList { guards: [const { None }; N], future: None, turns, served: 0 })
            }

            fn poll(
                &self,
                state: Pin<&mut Self::State>,
                cx: &mut Context<'_>,
            ) -> Poll<Self::Guards> {
                let $this = self;
                let state = ready!(state.poll(|$position| <$request>::lock_async($member), cx));
                Poll::Ready(state.guards.each_mut().map(uncover))
            }
        }
    )+};
}

arrays! {
    ['a, M] &'a [M; N], &'a M, this, position: &&this[position];
    [L: LockRequest] [L; N], L, this, position: &this[position];
}

macro_rules! lists {
    ($([$($generics:tt)*] $set:ty, $request:ty, $this:ident, $position:ident: $member:expr;)+) => {$(
        impl<$($generics)*> AsyncLockSet for $set
        where
            $request: AsyncLockRequest,
        {
            type State = OfList<
                Covers<$request>,
                Vec<Turn>,
                <$request as AsyncLockRequest>::Future,
            >;

            fn begin(&self) -> Result<Self::State, Refusal> {
                let $this = self;
                let turn = |$position| Turn {
                    address: <$request>::address($member),
                    position: $position,
                };
                let mut turns: Vec<Turn> = (0..self.len()).map(turn).collect();
                arrange(&mut turns)?;
                let guards = turns.iter().map(|_| None).collect();
                Ok(OfList { guards, future: None, turns, served: 0 })
            }

            fn poll(
                &self,
                state: Pin<&mut Self::State>,
                cx: &mut Context<'_>,
            ) -> Poll<Self::Guards> {
                let $this = self;
                let state = ready!(state.poll(|$position| <$request>::lock_async($member), cx));
                Poll::Ready(state.guards.iter_mut().map(uncover).collect())
            }
        }
    )+};
}

lists! {
    ['a, M] &'a [M], &'a M, this, position: &&this[position];
    ['a, M] &'a Vec<M>, &'a M, this, position: &&this[position];
    [L: LockRequest] Vec<L>, L, this, position: &this[position];
}
