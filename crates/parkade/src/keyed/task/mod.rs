//! Tasks that wait for a key.
//!
//! # Theory
//!
//! A future has a *share* in its key from when it is made: the key stays in the table, and so does the lock by whose
//! address the future is queued. Looking the key up is all that needs the key, the hasher and the shard; a poll is
//! concerned with the key's lock alone, as that of a future of any mutex is (`crate::task`).
//!
//! # Who gives the share back, by exit
//!
//! * it has the key: the guard;
//! * dropped, in whatever state: first it leaves the queue, passing on the wake that it may have; then
//!   [`TaskShare`] is dropped. The same if one of these panics, because of somebody's waker;
//! * forgotten: nobody; as with a guard that is forgotten.
//!
//! So a future that was made and not polled keeps nobody from its key, but keeps the key in the table.

#[cfg(all(test, loom))]
mod model;
#[cfg(all(test, loom))]
mod mutants;

use super::{
    lock::KeyLock,
    node::{NodePtr, Stamp},
    shard::Payload,
    table::{Asked, Table, Tag},
};
use crate::task::{Handle, Queue, Waiting};
use core::{
    borrow::Borrow,
    future::Future,
    mem::ManuallyDrop,
    pin::Pin,
    task::{Context, Poll, ready},
};

/// A guard of a key that a task may wait for.
pub(crate) trait KeyGuard: Sized {
    type Key;
    type Value: Payload;
    type Lock: KeyLock + Queue;
    /// How the guard reaches its map.
    type Map;

    /// How it holds its key.
    const WANT: <Self::Lock as Queue>::Want;

    fn table(map: &Self::Map) -> &Table<Self::Key, Self::Value, Self::Lock>;

    /// # Safety
    /// 1. The key is held as `WANT` says, with a share in it, and that is the guard's from now on.
    unsafe fn made(map: Self::Map, node: NodeOf<Self>) -> Self;
}

type NodeOf<G> = NodePtr<<G as KeyGuard>::Key, <G as KeyGuard>::Value, <G as KeyGuard>::Lock>;

/// A future's share in a key that it wants to have a guard of; given back when it is dropped.
pub(crate) struct TaskShare<G: KeyGuard> {
    map: G::Map,
    node: NodeOf<G>,
}

impl<G: KeyGuard> TaskShare<G> {
    pub(super) fn new<A>(map: G::Map, tag: Tag, key: A) -> TaskShare<G>
    where
        G::Key: Borrow<A::Query>,
        A: Asked<G::Key>,
    {
        let node = G::table(&map).share(tag, key);
        TaskShare { map, node }
    }
}

impl<G: KeyGuard> Drop for TaskShare<G> {
    fn drop(&mut self) {
        // SAFETY: 1: this is the share.
        unsafe { G::table(&self.map).give_back(self.node) };
    }
}

impl<G: KeyGuard> Handle for TaskShare<G> {
    type Queue = G::Lock;
    type Output = G;

    #[inline]
    fn queue(&self) -> &G::Lock {
        // SAFETY: 1: this is the share.
        unsafe { self.node.get() }.lock()
    }

    fn want(&self) -> <G::Lock as Queue>::Want {
        G::WANT
    }

    fn finish(self, _: <G::Lock as Queue>::Got) -> G {
        // SAFETY: 1: this is the share.
        unsafe { self.node.get() }.note_taken_by_task(Stamp::now());
        let share = ManuallyDrop::new(self);
        // SAFETY: the share is not used again, nor dropped.
        let map = unsafe { core::ptr::read(&raw const share.map) };
        // SAFETY: 1: the lock has just been taken.
        unsafe { G::made(map, share.node) }
    }
}

/// Guards of several keys, made of one for each.
pub(crate) trait ManyGuard {
    type One: KeyGuard;

    /// In ascending order.
    fn made(map: <Self::One as KeyGuard>::Map, guards: Vec<Self::One>) -> Self;
}

/// What a future has of several keys: all of them in the end, or none. Dropped, it unlocks those that it has.
pub(crate) struct Keys<G: KeyGuard> {
    map: G::Map,
    /// In ascending order.
    held: Vec<G>,
    /// In descending order: the last is the next.
    wanted: Vec<TaskShare<G>>,
}

// SAFETY: a guard that a task has taken is a way to the map and a share in a node, as a `TaskShare` is, and the lock does
// not know a thread. (What keeps guards on their threads is for the user's sake.)
unsafe impl<G: KeyGuard> Send for Keys<G> where TaskShare<G>: Send {}

impl<G: KeyGuard> Keys<G> {
    /// Of keys in ascending order, which `share` looks up.
    pub(super) fn new<Q>(map: G::Map, keys: Vec<Q>, share: impl Fn(Q) -> TaskShare<G>) -> Keys<G> {
        let held = Vec::with_capacity(keys.len());
        Keys { map, held, wanted: keys.into_iter().rev().map(share).collect() }
    }
}

impl<G: KeyGuard> Handle for Box<Keys<G>> {
    type Queue = G::Lock;
    type Output = Self;

    fn queue(&self) -> &G::Lock {
        self.wanted.last().expect("a key is wanted").queue()
    }

    fn want(&self) -> <G::Lock as Queue>::Want {
        G::WANT
    }

    fn finish(mut self, got: <G::Lock as Queue>::Got) -> Self {
        let next = self.wanted.pop().expect("a key is wanted");
        // There is room.
        self.held.push(next.finish(got));
        self
    }
}

/// Waits for several keys, one after the other, in ascending order: who keeps to it does not deadlock.
///
/// While it waits for one it has those before. So unlike a future that waits for one it does keep others from something, if it
/// is not polled.
pub(crate) struct WaitingForMany<M: ManyGuard>(Waiting<Box<Keys<M::One>>>);

impl<M: ManyGuard> WaitingForMany<M> {
    pub(crate) fn new(keys: Keys<M::One>) -> WaitingForMany<M> {
        WaitingForMany(Waiting::new(Box::new(keys)))
    }

    /// Whether it has been ready.
    pub(crate) fn is_over(&self) -> bool {
        self.0.is_over()
    }
}

impl<M: ManyGuard> Future for WaitingForMany<M> {
    type Output = M;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<M> {
        // SAFETY: the only field, which is pinned as we are.
        let mut waiting = unsafe { self.map_unchecked_mut(|this| &mut this.0) };
        loop {
            let keys = waiting.as_mut().handle();
            if let Some(all) = keys.take_if(|keys| keys.wanted.is_empty()) {
                return Poll::Ready(M::made(all.map, all.held));
            }
            let keys = ready!(waiting.as_mut().poll(cx));
            *waiting.as_mut().handle() = Some(keys);
        }
    }
}
