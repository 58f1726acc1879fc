//! The table: keys that are held or waited for, and nothing else.
//!
//! # Theory
//!
//! A key is in the table as long as somebody has a *share* in it: whoever holds it, and whoever waits for it.
//! To lock is to look the key up and to take a share in one step, under the lock of its *shard*; so a key that
//! somebody means to wait for cannot leave, and two threads that want a key at a time never find two locks
//! for it. Who finds no node makes one whose lock is born held: nobody can have been first, and the lock's own
//! word is not touched again. Who finds one takes a share, lets go of the shard, and waits for the node's lock.
//!
//! To unlock is to give the share back, under the shard's lock. The last one takes the key out of the table.
//! Unless somebody else has a share the node's own lock is not released at all: it goes with the node.
//!
//! A shard's lock guards the table and nothing else: nobody waits for a key while he has it. So keys that
//! share a shard, a chain or a hash never wait for each other.
//!
//! # Who gives the share back, by exit
//!
//! * acquired: the guard, when it is dropped ([`Table::leave`]);
//! * timed out, panicked (the lock's own panics, or a re-entry that would deadlock): [`Share`], when it is dropped;
//! * a task that waits, or was not polled yet: its future, when it is dropped ([`TaskShare`](super::task::TaskShare));
//! * panicked in the user's `Hash`: before there is anything; in `Eq` or `to_owned`: no share was taken, and the shard's lock is released as the
//!   panic passes;
//! * walked by: [`Share`], too; those that a walk has not come to yet, [`Walk`](super::walk::Walk), when it is dropped;
//! * released, and the waker of a task that was woken panics: [`Share`], as the panic passes;
//! * leaked guard or future: nobody. The key stays locked and in the table until the table is dropped.
//!
//! # What memory may be gone
//!
//! A share ends under the shard's lock, and whoever ends it does not touch the node afterwards. Whoever releases
//! a node's lock has a share of its own until the release has returned, since that looks at the lock once more.
//!
//! # Keys with values
//!
//! A node has a value, `()` for keys without. A key without shares stays if its value is worth it
//! ([`Payload`]); the next who locks it finds it as if it had been born then.

use super::{
    lock::{Fairness, KeyLock},
    node::{Node, NodePtr, Stamp},
    shard::{Payload, Shard},
};
use crate::rwlock::{Held, Sharing};
use core::borrow::Borrow;
use parkade_core::Moment;

/// How many shards a table has for each processor. Guess: with 4 as many threads as processors met too often.
const SHARDS_PER_PROCESSOR: usize = if cfg!(loom) { 1 } else { 8 };
const FEWEST_SHARDS: usize = if cfg!(loom) { 2 } else { 32 };
/// So that a tag has bits left for chains.
const MOST_SHARDS: usize = if cfg!(loom) { 2 } else { 1024 };

/// Keys that are held or waited for.
pub(crate) struct Table<K, V, L> {
    shards: Box<[Shard<K, V, L>]>,
    /// By how much a tag is shifted to get its shard.
    shift: u32,
}

/// What a hash becomes: the first bits choose the shard, the last the chain, and all of them tell keys apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tag(pub(super) u32);

impl Tag {
    /// Any hash will do, such as the number itself, or one whose bits are not all mixed alike, as the default hasher's
    /// are: each bit of it has a say in all bits of the tag.
    #[inline(always)]
    pub(crate) fn of(hash: u64) -> Tag {
        // The fraction of the golden ratio.
        let product = u128::from(hash) * 0x9E37_79B9_7F4A_7C15;
        Tag(((product >> 64) as u64 ^ product as u64).rotate_left(32) as u32)
    }
}

/// A key that is looked for, and of which one is made if it is not there.
pub(crate) trait Asked<K> {
    /// By what it is looked for.
    type Query: Eq + ?Sized;

    fn query(&self) -> &Self::Query;

    /// Runs under the shard's lock.
    fn into_key(self) -> K;
}

impl<K: Borrow<Q>, Q: Eq + ToOwned<Owned = K> + ?Sized> Asked<K> for &Q {
    type Query = Q;

    #[inline(always)]
    fn query(&self) -> &Q {
        self
    }

    #[inline(always)]
    fn into_key(self) -> K {
        self.to_owned()
    }
}

/// A key that the caller has no more use for.
pub(crate) struct Given<K>(pub(crate) K);

impl<K: Eq> Asked<K> for Given<K> {
    type Query = K;

    #[inline(always)]
    fn query(&self) -> &K {
        &self.0
    }

    #[inline(always)]
    fn into_key(self) -> K {
        self.0
    }
}

/// The key was not free, or not in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotFree;

/// How a key was found.
enum Found<'t, K, V: Payload, L: KeyLock> {
    /// It was free, and is the caller's now.
    Entered(NodePtr<K, V, L>),
    /// Others have a share; so has the caller.
    Shared(Share<'t, K, V, L>),
}

/// One thread's share in a key that it does not hold; given back when it is dropped.
pub(super) struct Share<'t, K, V: Payload, L: KeyLock> {
    pub(super) table: &'t Table<K, V, L>,
    pub(super) node: NodePtr<K, V, L>,
}

impl<K, V: Payload, L: KeyLock> Share<'_, K, V, L> {
    #[inline(always)]
    pub(super) fn node(&self) -> &Node<K, V, L> {
        // SAFETY: 1 of `get`: this is the share.
        unsafe { self.node.get() }
    }

    /// Waits for the key.
    pub(super) fn wait(&self, mode: L::Mode, held: Held) {
        panic_if_own(self.node(), held);
        self.node().lock().acquire(mode, held);
    }

    /// The calling thread has the key now, and its share is that of a holder.
    pub(super) fn entered(self, mode: L::Mode) -> NodePtr<K, V, L> {
        self.node().note_taken(mode, Stamp::now());
        let node = self.node;
        core::mem::forget(self);
        node
    }
}

impl<K, V: Payload, L: KeyLock> Drop for Share<'_, K, V, L> {
    fn drop(&mut self) {
        // SAFETY: 1: this is the share.
        unsafe { self.table.give_back(self.node) };
    }
}

impl<K, V: Payload, L: KeyLock> Table<K, V, L> {
    pub(crate) fn new() -> Table<K, V, L> {
        let processors = parkade_core::processors() as usize;
        let shards = (SHARDS_PER_PROCESSOR * processors)
            .next_power_of_two()
            .clamp(FEWEST_SHARDS, MOST_SHARDS);
        Table {
            shards: core::iter::repeat_with(Shard::new).take(shards).collect(),
            shift: u32::BITS - shards.trailing_zeros(),
        }
    }

    #[inline(always)]
    pub(super) fn shard(&self, tag: u32) -> &Shard<K, V, L> {
        &self.shards[(tag >> self.shift) as usize]
    }

    /// Every shard, for whoever lists keys.
    pub(super) fn shards(&self) -> &[Shard<K, V, L>] {
        &self.shards
    }

    pub(super) fn shards_mut(&mut self) -> &mut [Shard<K, V, L>] {
        &mut self.shards
    }

    /// How many keys are in the table.
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    /// Looks the key up and takes a share in it, in one step.
    #[inline(always)]
    fn find_or_insert<A>(&self, Tag(tag): Tag, key: A, mode: L::Mode) -> Found<'_, K, V, L>
    where
        K: Borrow<A::Query>,
        A: Asked<K>,
    {
        let now = Stamp::now();
        let home = self.shard(tag);
        let mut shard = home.lock();
        let Some(node) = shard.find(tag, key.query()) else {
            home.cool_down();
            return Found::Entered(shard.insert(tag, key.into_key(), mode, now));
        };
        // SAFETY: 1: found in it, and it is locked.
        unsafe { self.join(home, node, mode, now) }
    }

    /// The same, of a key that is there.
    fn find<Q>(&self, Tag(tag): Tag, key: &Q, mode: L::Mode) -> Option<Found<'_, K, V, L>>
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        let now = Stamp::now();
        let home = self.shard(tag);
        let shard = home.lock();
        let node = shard.find(tag, key)?;
        // SAFETY: 1: found in it, and it is locked.
        Some(unsafe { self.join(home, node, mode, now) })
    }

    /// Takes a share in the key, and does not lock it.
    pub(super) fn share<A>(&self, Tag(tag): Tag, key: A) -> NodePtr<K, V, L>
    where
        K: Borrow<A::Query>,
        A: Asked<K>,
    {
        let mut shard = self.shard(tag).lock();
        match shard.find(tag, key.query()) {
            None => shard.insert_shared(tag, key.into_key()),
            Some(node) => {
                // SAFETY: 1: found in it, and it is locked.
                unsafe { node.share() };
                node
            }
        }
    }

    /// Takes a share, and the key if that is free.
    ///
    /// # Safety
    /// 1. The node is linked in `home`, and the caller has its lock.
    #[inline(always)]
    unsafe fn join(
        &self,
        home: &Shard<K, V, L>,
        node: NodePtr<K, V, L>,
        mode: L::Mode,
        now: Stamp,
    ) -> Found<'_, K, V, L> {
        // SAFETY: 1.
        let node_ref = unsafe { node.get() };
        if node_ref.refs() == 0 {
            home.cool_down();
            // SAFETY: 1, and nobody has a share.
            unsafe { node.lock_idle(mode, now) };
            return Found::Entered(node);
        }
        home.heat_up();
        // One try does not wait, so it may be made with the shard locked; it spares a thread that comes back to a key
        // for which others sleep the slow path. The share comes after it: a try may panic, and no guard would give
        // the share back.
        let acquired = node_ref.lock().try_acquire(mode);
        node_ref.add_ref();
        if acquired {
            node_ref.note_taken(mode, now);
            return Found::Entered(node);
        }
        Found::Shared(Share { table: self, node })
    }

    /// Takes the key and a share in it, or neither: a try leaves no trace, even for a moment.
    ///
    /// # Safety
    /// 1. The node is linked, and the caller has its shard's lock.
    #[inline(always)]
    unsafe fn try_join(
        node: NodePtr<K, V, L>,
        mode: L::Mode,
        now: Stamp,
    ) -> Result<NodePtr<K, V, L>, NotFree> {
        // SAFETY: 1.
        let node_ref = unsafe { node.get() };
        if node_ref.refs() == 0 {
            // SAFETY: 1, and nobody has a share.
            unsafe { node.lock_idle(mode, now) };
        } else {
            if !node_ref.lock().try_acquire(mode) {
                return Err(NotFree);
            }
            node_ref.add_ref();
            node_ref.note_taken(mode, now);
        }
        Ok(node)
    }

    /// Locks a key, if need be by waiting for it.
    #[inline]
    pub(crate) fn enter<A>(&self, tag: Tag, key: A, mode: L::Mode, held: Held) -> NodePtr<K, V, L>
    where
        K: Borrow<A::Query>,
        A: Asked<K>,
    {
        let node = match self.find_or_insert(tag, key, mode) {
            Found::Entered(node) => node,
            Found::Shared(share) => Self::wait(share, mode, held),
        };
        Self::entered(node, mode, held)
    }

    /// As `enter`, if the key is there.
    pub(crate) fn enter_found<Q>(
        &self,
        tag: Tag,
        key: &Q,
        mode: L::Mode,
        held: Held,
    ) -> Option<NodePtr<K, V, L>>
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        let node = match self.find(tag, key, mode)? {
            Found::Entered(node) => node,
            Found::Shared(share) => Self::wait(share, mode, held),
        };
        Some(Self::entered(node, mode, held))
    }

    #[cold]
    fn wait(share: Share<'_, K, V, L>, mode: L::Mode, held: Held) -> NodePtr<K, V, L> {
        share.wait(mode, held);
        share.entered(mode)
    }

    #[cold]
    fn wait_until(
        share: Share<'_, K, V, L>,
        mode: L::Mode,
        deadline: impl FnOnce() -> Moment,
    ) -> Result<NodePtr<K, V, L>, NotFree> {
        if share.node().lock().acquire_until(mode, deadline) {
            Ok(share.entered(mode))
        } else {
            Err(NotFree)
        }
    }

    /// As `enter`, but gives up at the deadline, which is computed if it is needed.
    #[inline]
    pub(crate) fn enter_until<A>(
        &self,
        tag: Tag,
        key: A,
        mode: L::Mode,
        deadline: impl FnOnce() -> Moment,
        held: Held,
    ) -> Option<NodePtr<K, V, L>>
    where
        K: Borrow<A::Query>,
        A: Asked<K>,
    {
        let node = match self.find_or_insert(tag, key, mode) {
            Found::Entered(node) => node,
            Found::Shared(share) => Self::wait_until(share, mode, deadline).ok()?,
        };
        Some(Self::entered(node, mode, held))
    }

    /// As `enter_until`, if the key is there.
    pub(crate) fn enter_found_until<Q>(
        &self,
        tag: Tag,
        key: &Q,
        mode: L::Mode,
        deadline: impl FnOnce() -> Moment,
        held: Held,
    ) -> Result<Option<NodePtr<K, V, L>>, NotFree>
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        let node = match self.find(tag, key, mode) {
            None => return Ok(None),
            Some(Found::Entered(node)) => node,
            Some(Found::Shared(share)) => Self::wait_until(share, mode, deadline)?,
        };
        Ok(Some(Self::entered(node, mode, held)))
    }

    /// Locks a key if that is possible at once. Not by way of a share: a try leaves no trace, even for a moment.
    #[inline]
    pub(crate) fn try_enter<A>(
        &self,
        Tag(tag): Tag,
        key: A,
        mode: L::Mode,
        held: Held,
    ) -> Option<NodePtr<K, V, L>>
    where
        K: Borrow<A::Query>,
        A: Asked<K>,
    {
        let now = Stamp::now();
        let mut shard = self.shard(tag).lock();
        let node = match shard.find(tag, key.query()) {
            None => shard.insert(tag, key.into_key(), mode, now),
            // SAFETY: 1: found in it, and it is locked.
            Some(node) => unsafe { Self::try_join(node, mode, now) }.ok()?,
        };
        drop(shard);
        Some(Self::entered(node, mode, held))
    }

    /// As `try_enter`, if the key is there.
    pub(crate) fn try_enter_found<Q>(
        &self,
        Tag(tag): Tag,
        key: &Q,
        mode: L::Mode,
        held: Held,
    ) -> Result<Option<NodePtr<K, V, L>>, NotFree>
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        let now = Stamp::now();
        let shard = self.shard(tag).lock();
        let Some(node) = shard.find(tag, key) else { return Ok(None) };
        // SAFETY: 1: found in it, and it is locked.
        let node = unsafe { Self::try_join(node, mode, now) }?;
        drop(shard);
        Ok(Some(Self::entered(node, mode, held)))
    }

    #[inline(always)]
    pub(super) fn entered(node: NodePtr<K, V, L>, mode: L::Mode, held: Held) -> NodePtr<K, V, L> {
        if cfg!(debug_assertions) {
            // SAFETY: 1 of `get`: the caller holds it.
            held.add(unsafe { node.get() }.lock().address(), L::sharing(mode));
        }
        node
    }

    /// Unlocks.
    ///
    /// # Safety
    /// 1. The calling thread holds the key in `mode`, and its share ends.
    #[inline]
    pub(crate) unsafe fn leave(&self, node: NodePtr<K, V, L>, mode: L::Mode, fairness: Fairness) {
        // SAFETY: 1.
        let node_ref = unsafe { node.get() };
        if cfg!(debug_assertions) {
            Held::remove(node_ref.lock().address());
        }
        // A look ahead. Who is counted later is seen under the lock.
        if node_ref.refs() == 1 {
            let mut shard = self.shard(node_ref.tag).lock();
            if node_ref.refs() == 1 {
                // SAFETY: 1: its shard, and the only share.
                let removed = unsafe { shard.give_back(node) };
                drop(shard);
                drop(removed);
                return;
            }
        }
        // SAFETY: 1.
        unsafe { self.leave_shared(node, mode, fairness) };
    }

    /// `leave`, where others have a share.
    ///
    /// # Safety
    /// As of `leave`.
    #[cold]
    unsafe fn leave_shared(&self, node: NodePtr<K, V, L>, mode: L::Mode, fairness: Fairness) {
        // No argument is a reference to the node: it may be gone before we return. The share ends also if the release
        // wakes a task whose waker panics.
        let share = Share { table: self, node };
        share.node().forget_holder(mode);
        share.node().lock().release(mode, fairness);
    }

    /// # Safety
    /// 1. The caller has a share that is not a holder's any more, and it ends.
    #[cold]
    pub(super) unsafe fn give_back(&self, node: NodePtr<K, V, L>) {
        // SAFETY: 1.
        let mut shard = self.shard(unsafe { node.get() }.tag).lock();
        // SAFETY: 1: its shard.
        let removed = unsafe { shard.give_back(node) };
        drop(shard);
        drop(removed);
    }

    /// How many keys are as `wanted` says, which runs under the lock of each one's shard.
    pub(crate) fn count(&self, wanted: impl Fn(&Node<K, V, L>) -> bool) -> usize {
        let of = |shard: &Shard<K, V, L>| shard.lock().nodes().filter(|node| wanted(node)).count();
        self.shards.iter().map(of).sum()
    }

    /// What `look` finds of a key, under its shard's lock; `None` if the key is not in the table.
    pub(crate) fn peek<Q, R>(
        &self,
        Tag(tag): Tag,
        key: &Q,
        look: impl FnOnce(&Node<K, V, L>) -> R,
    ) -> Option<R>
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        let shard = self.shard(tag).lock();
        let node = shard.find(tag, key)?;
        // SAFETY: 1 of `get`: linked, and the shard is locked.
        Some(look(unsafe { node.get() }))
    }
}

/// For a thread that is about to wait without a deadline.
///
/// # Panics
/// In a debug build, if the thread waits for itself. Not where guards may be sent: another may have it now.
fn panic_if_own<K, V, L: KeyLock>(node: &Node<K, V, L>, held: Held) {
    #[cfg(all(debug_assertions, not(feature = "send_guard"), not(loom)))]
    if node.holder() == Some(parkade_core::thread_number()) {
        let first = Held::first_place(node.lock().address());
        let first = first.map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        panic!(
            "deadlock: {} waits for a key that this thread itself has held since {first}",
            held.place()
        );
    }
    let _ = (node, held, Sharing::Alone);
}

/// Steps of which the mutants make wrong protocols.
#[cfg(all(test, loom))]
impl<K: PartialEq + Eq, V: Payload, L: KeyLock> Table<K, V, L> {
    pub(super) fn unlink_blindly(&self, Tag(tag): Tag, node: NodePtr<K, V, L>) {
        // SAFETY: never freed.
        self.shard(tag).lock().unlink(node, unsafe { node.get() });
    }

    pub(super) fn give_back_for_mutants(&self, node: NodePtr<K, V, L>) {
        // SAFETY: none; it is what the mutant does wrong.
        unsafe { self.give_back(node) };
    }

    pub(super) fn find_for_mutants(&self, Tag(tag): Tag, key: &K) -> Option<NodePtr<K, V, L>> {
        self.shard(tag).lock().find(tag, key)
    }

    pub(super) fn add_ref_for_mutants(&self, Tag(tag): Tag, node: NodePtr<K, V, L>) {
        let _shard = self.shard(tag).lock();
        // SAFETY: its memory is kept.
        unsafe { node.get() }.add_ref();
    }

    pub(super) fn find_and_share_for_mutants(
        &self,
        Tag(tag): Tag,
        key: &K,
    ) -> Option<NodePtr<K, V, L>> {
        let shard = self.shard(tag).lock();
        let node = shard.find(tag, key)?;
        // SAFETY: 1 of `get`: linked, and the shard is locked.
        unsafe { node.get() }.add_ref();
        Some(node)
    }
}
