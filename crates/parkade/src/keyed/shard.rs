//! One part of a table: the chains of its keys, and a few blocks for the next ones.
//!
//! # Rules
//!
//! 1. A node is linked in the chain of its tag from [`Chains::insert`] to [`Chains::give_back`].
//! 2. Its shares are counted under the shard's lock. A linked node without any has a value that is worth
//!    keeping; nobody waits for it and nobody holds it.
//! 3. What the user has written runs under the lock only to compare, to clone and to make a key; it may panic: nothing is
//!    changed before it has returned. Keys and values are dropped, and memory is given back, after the lock.
//! 4. A block on the free list holds nothing but the link to the next.

use super::{
    cell::{Access, ExclusiveCell},
    lock::KeyLock,
    node::{Link, Node, NodePtr, Stamp},
    unlinked::{Cursor, Unlinked},
};
use crate::RawMutex;
use core::{
    borrow::Borrow,
    cell::Cell,
    mem::ManuallyDrop,
    ops::{Deref, DerefMut},
    ptr::NonNull,
};
use parkade_core::{
    policy::Turns,
    shim::{AtomicU8, Ordering::Relaxed},
};
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};

/// A value that decides whether its key is kept when nobody has a share in it.
pub(crate) trait Payload {
    /// The value of a key that is new.
    fn vacant() -> Self;
    /// Whether it is worth nothing. Runs under the shard's lock, so it is ours, not the user's.
    fn is_vacant(&self) -> bool;
}

/// Keys without a value.
impl Payload for () {
    #[inline(always)]
    fn vacant() {}

    #[inline(always)]
    fn is_vacant(&self) -> bool {
        true
    }
}

/// Chains in the shard itself. Threads that use a shard one after the other then take two lines from each other, its own and
/// that of a node; with the heads in a third one, 1000 keys and 8 threads did 28.2 instead of 31.9 M sections a second.
const FEW: usize = 2;
/// Keys that the few chains serve. More than a shard has as a rule; guess.
const FEW_KEYS: usize = 8;
/// Chains of a shard that has had more.
const FEWEST: usize = 2 * FEW_KEYS;
/// A shard shrinks when it has so many chains for each key; then it has two.
const SPARSE: usize = 8;
/// Blocks that a shard keeps for the next keys: more than threads hold of one shard at a time. Guess.
const MOST_FREE: usize = 16;

/// For so many keys that are found free a shard remembers one that was not. Guess.
const HOT: u8 = 16;
/// Chains that an eviction or a walk looks through at a time: with a key in each, 128 keys are some microseconds. Guess.
const SLICE: usize = 128;
/// Chains that are swept for each key that gets a value. A shard has two for each key after it has grown, so with 4
/// it is gone through while it grows by half. Guess.
const SWEPT: usize = 4;

/// A shard. Two lines, because processors fetch lines in pairs.
#[repr(C, align(128))]
pub(super) struct Shard<K, V, L> {
    lock: RawMutex,
    /// How lately threads have found a key of it taken. Access: changed under the lock; whoever waits for the
    /// lock may look.
    heat: AtomicU8,
    chains: ExclusiveCell<Chains<K, V, L>>,
}

// SAFETY: the chains own keys and values, and are reached by one thread at a time, under the lock; nodes are
// shared as `NodePtr` says.
unsafe impl<K: Send, V: Send, L: Send> Send for Shard<K, V, L> {}
// SAFETY: as above; threads that share a shard share its keys.
unsafe impl<K: Send + Sync, V: Send, L: Send + Sync> Sync for Shard<K, V, L> {}

impl<K, V, L> Shard<K, V, L> {
    pub(super) fn new() -> Shard<K, V, L> {
        Shard {
            lock: RawMutex::new(),
            heat: AtomicU8::new(0),
            chains: ExclusiveCell::new(Chains::new()),
        }
    }

    /// Up to where it is written as a key comes and goes.
    #[cfg(all(test, not(loom)))]
    pub(super) const HOT_BYTES: usize = core::mem::offset_of!(Shard<K, V, L>, chains)
        + core::mem::offset_of!(Chains<K, V, L>, free_len)
        + size_of::<usize>();

    #[inline(always)]
    pub(super) fn lock(&self) -> Locked<'_, K, V, L> {
        self.acquire();
        let unlock = Unlock(&self.lock);
        // SAFETY: 1: the lock is ours until `unlock` is dropped, after the access.
        let chains = unsafe { self.chains.access() };
        Locked { chains, _unlock: unlock }
    }

    /// Who comes for a key that is wanted again and again will be back at once, and had better do so with the
    /// line to himself: then others wait in turns. Who waits for the shard by chance does not.
    #[inline(always)]
    fn acquire(&self) {
        if !self.lock.try_acquire() {
            let turns =
                if self.heat.load(Relaxed) > 0 { Turns::WhereFrequent } else { Turns::WhereEasy };
            self.lock.acquire_taking(turns);
        }
    }

    /// Under the lock: a key was found taken.
    pub(super) fn heat_up(&self) {
        self.heat.store(HOT, Relaxed);
    }

    /// Under the lock: a key was found free.
    #[inline(always)]
    pub(super) fn cool_down(&self) {
        let heat = self.heat.load(Relaxed);
        if heat > 0 {
            self.heat.store(heat - 1, Relaxed);
        }
    }
}

/// The chains of a shard, locked.
pub(super) struct Locked<'s, K, V, L> {
    // Dropped in this order.
    chains: Access<'s, Chains<K, V, L>>,
    _unlock: Unlock<'s>,
}

struct Unlock<'s>(&'s RawMutex);

impl Drop for Unlock<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        self.0.release();
    }
}

impl<K, V, L> Deref for Locked<'_, K, V, L> {
    type Target = Chains<K, V, L>;

    #[inline(always)]
    fn deref(&self) -> &Chains<K, V, L> {
        &*self.chains
    }
}

impl<K, V, L> DerefMut for Locked<'_, K, V, L> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut Chains<K, V, L> {
        &mut *self.chains
    }
}

/// What was in a node that has left the table, and its memory unless that is kept: to be dropped after the lock.
#[must_use]
pub(super) struct Removed<K, V, L> {
    pub(super) content: Node<K, V, L>,
    pub(super) _block: Option<Block<K, V, L>>,
}

impl<K, V, L: KeyLock> Removed<K, V, L> {
    pub(super) fn into_parts(self) -> (K, V) {
        self.content.into_parts()
    }
}

/// Memory for a node.
pub(super) struct Block<K, V, L>(NonNull<Node<K, V, L>>);

impl<K, V, L> Block<K, V, L> {
    const LAYOUT: Layout = Layout::new::<Node<K, V, L>>();

    fn new() -> Block<K, V, L> {
        // SAFETY: a node is not of size zero.
        let block = unsafe { alloc(Self::LAYOUT) };
        Block(NonNull::new(block.cast()).unwrap_or_else(|| handle_alloc_error(Self::LAYOUT)))
    }

    /// Writes nothing but where the list goes on.
    #[inline(always)]
    fn link_to(self, next: Option<Block<K, V, L>>) -> Block<K, V, L> {
        let next = next.map(|next| NodePtr::new(ManuallyDrop::new(next).0));
        // SAFETY: the block is ours and has room for a whole node.
        let place = unsafe { &raw mut (*self.0.as_ptr()).next };
        // SAFETY: as above; what is there needs no drop.
        unsafe { place.write(Cell::new(next)) };
        self
    }

    /// # Safety
    /// 1. `link_to` was the last that has written to the block, and this is called once.
    #[inline(always)]
    unsafe fn next(&self) -> Option<Block<K, V, L>> {
        // SAFETY: the block is ours and has room for a whole node.
        let place = unsafe { &raw const (*self.0.as_ptr()).next };
        // SAFETY: 1.
        let next = unsafe { place.read() }.get()?;
        Some(Block::of(next))
    }

    #[inline(always)]
    pub(super) fn of(node: NodePtr<K, V, L>) -> Block<K, V, L> {
        // SAFETY: a node's address is never null.
        Block(unsafe { NonNull::new_unchecked(node.as_ptr()) })
    }

    #[inline(always)]
    fn fill(self, node: Node<K, V, L>) -> NodePtr<K, V, L> {
        let place = ManuallyDrop::new(self).0;
        // SAFETY: the block is ours, of the right layout, and holds nothing.
        unsafe { place.write(node) };
        NodePtr::new(place)
    }
}

impl<K, V, L> Drop for Block<K, V, L> {
    fn drop(&mut self) {
        // SAFETY: it came from `alloc` with this layout, and nobody uses it any more.
        unsafe { dealloc(self.0.as_ptr().cast(), Self::LAYOUT) };
    }
}

/// The keys of a shard. In this order, so that with the lock all that a key's way in and out needs is one line.
#[repr(C)]
pub(super) struct Chains<K, V, L> {
    /// The chains, unless there are many.
    few: [Link<K, V, L>; FEW],
    /// As many as a power of two, or none.
    many: Box<[Link<K, V, L>]>,
    len: usize,
    /// Blocks without a node, `free_len` of them.
    free: Option<Block<K, V, L>>,
    free_len: usize,
    /// Who goes through them: they do not become fewer meanwhile.
    walkers: u32,
    /// The chain that `sweep` looks at next.
    hand: usize,
}

impl<K, V, L> Chains<K, V, L> {
    fn new() -> Chains<K, V, L> {
        Chains {
            few: [None; FEW],
            many: Box::default(),
            len: 0,
            free: None,
            free_len: 0,
            walkers: 0,
            hand: 0,
        }
    }

    /// How many keys there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// How many chains there are.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.heads().len()
    }

    /// How many blocks it keeps.
    #[cfg(test)]
    pub(super) fn spare(&self) -> usize {
        self.free_len
    }

    #[inline(always)]
    fn heads(&self) -> &[Link<K, V, L>] {
        if self.many.is_empty() { &self.few } else { &self.many }
    }

    #[inline(always)]
    fn head(&self, tag: u32) -> Link<K, V, L> {
        let heads = self.heads();
        heads[tag as usize & (heads.len() - 1)]
    }

    #[inline(always)]
    fn heads_mut(&mut self) -> &mut [Link<K, V, L>] {
        if self.many.is_empty() { &mut self.few } else { &mut self.many }
    }

    #[inline(always)]
    fn head_mut(&mut self, tag: u32) -> &mut Link<K, V, L> {
        let heads = self.heads_mut();
        let last = heads.len() - 1;
        &mut heads[tag as usize & last]
    }

    #[inline(always)]
    fn is_full(&self) -> bool {
        self.len == if self.many.is_empty() { FEW_KEYS } else { self.many.len() }
    }

    /// Links a node whose key is not there.
    #[inline(always)]
    fn link(&mut self, node: NodePtr<K, V, L>, tag: u32) {
        let head = self.head_mut(tag);
        // SAFETY: 1 of `get`: it has a share, or was linked and nobody else has the lock.
        unsafe { node.get() }.next.set(*head);
        *head = Some(node);
    }

    /// Every node, in no order.
    pub(super) fn nodes(&self) -> impl Iterator<Item = &Node<K, V, L>> {
        self.heads().iter().flat_map(|head| {
            // SAFETY: 1 of `get`: linked, and the lock is held as long as `self` is borrowed.
            core::iter::successors(head.map(|node| unsafe { node.get() }), |node| {
                // SAFETY: as above.
                node.next.get().map(|next| unsafe { next.get() })
            })
        })
    }

    /// Keeps the block, unless there are enough.
    #[inline(always)]
    fn push_block(&mut self, block: Block<K, V, L>) -> Option<Block<K, V, L>> {
        if self.free_len == MOST_FREE {
            return Some(block);
        }
        let first = self.free.take();
        self.free = Some(block.link_to(first));
        self.free_len += 1;
        None
    }

    #[inline(always)]
    fn pop_block(&mut self) -> Option<Block<K, V, L>> {
        let first = self.free.take()?;
        // SAFETY: 1: it is on the list, so it was linked, and was not filled since.
        self.free = unsafe { first.next() };
        self.free_len -= 1;
        Some(first)
    }

    /// So many chains, or the few in place of none, with the same nodes.
    #[cold]
    fn resize(&mut self, chains: usize) {
        let chains = core::iter::repeat_n(None, chains).collect();
        let few = core::mem::take(&mut self.few);
        let many = core::mem::replace(&mut self.many, chains);
        for mut link in few.into_iter().chain(many) {
            while let Some(node) = link {
                // SAFETY: 1 of `get`: linked, and we hold the lock.
                let node_ref = unsafe { node.get() };
                link = node_ref.next.get();
                self.link(node, node_ref.tag);
            }
        }
    }
}

impl<K, V: Payload, L: KeyLock> Chains<K, V, L> {
    #[inline(always)]
    pub(super) fn find<Q>(&self, tag: u32, key: &Q) -> Link<K, V, L>
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        let mut link = self.head(tag);
        while let Some(node) = link {
            // SAFETY: 1 of `get`: linked, and we hold the lock.
            let node_ref = unsafe { node.get() };
            if node_ref.tag == tag && node_ref.key().borrow() == key {
                break;
            }
            link = node_ref.next.get();
        }
        link
    }

    /// Adds a key that is not there, locked by the calling thread.
    #[inline(always)]
    pub(super) fn insert(
        &mut self,
        tag: u32,
        key: K,
        mode: L::Mode,
        since: Stamp,
    ) -> NodePtr<K, V, L> {
        self.add(Node::locked(tag, key, V::vacant(), mode, since))
    }

    /// Adds a key that is not there, with a share, and not locked.
    pub(super) fn insert_shared(&mut self, tag: u32, key: K) -> NodePtr<K, V, L> {
        self.add(Node::shared(tag, key, V::vacant()))
    }

    #[inline(always)]
    fn add(&mut self, node: Node<K, V, L>) -> NodePtr<K, V, L> {
        if self.is_full() {
            self.resize(FEWEST.max(2 * self.many.len()));
        }
        let tag = node.tag;
        let block = self.pop_block().unwrap_or_else(Block::new);
        let node = block.fill(node);
        self.link(node, tag);
        self.len += 1;
        node
    }

    /// One share less; if it was the last and the value is worth nothing, the key leaves.
    ///
    /// # Safety
    /// 1. The node is linked here, and the caller has a share in it, which ends.
    #[inline(always)]
    pub(super) unsafe fn give_back(&mut self, node: NodePtr<K, V, L>) -> Option<Removed<K, V, L>> {
        // SAFETY: 1.
        let node_ref = unsafe { node.get() };
        if node_ref.drop_ref() > 0 {
            return None;
        }
        // SAFETY: nobody has a share, so nobody has the value.
        if !unsafe { &*node_ref.value() }.is_vacant() {
            return None;
        }
        self.unlink(node, node_ref);
        // SAFETY: nobody has a share and it is not linked, so nobody will read it again.
        let content = unsafe { node.as_ptr().read() };
        Some(Removed { content, _block: self.push_block(Block::of(node)) })
    }

    #[inline(always)]
    pub(super) fn unlink(&mut self, node: NodePtr<K, V, L>, node_ref: &Node<K, V, L>) {
        let next = node_ref.next.get();
        let head = self.head_mut(node_ref.tag);
        if *head == Some(node) {
            *head = next;
        } else {
            let mut link = *head;
            while let Some(before) = link {
                // SAFETY: 1 of `get`: linked, and we hold the lock.
                let before = unsafe { before.get() };
                link = before.next.get();
                if link == Some(node) {
                    before.next.set(next);
                    break;
                }
            }
            debug_assert!(link.is_some(), "a key is not in the chain of its tag");
        }
        self.len -= 1;
        self.shrink();
    }

    /// Gives up chains if there are many for so few keys.
    #[inline(always)]
    fn shrink(&mut self) {
        if self.is_sparse(self.many.len()) && self.walkers == 0 {
            let mut chains = self.many.len();
            while self.is_sparse(chains) {
                chains = if chains == FEWEST { 0 } else { FEWEST.max(chains / (SPARSE / 2)) };
            }
            self.resize(chains);
        }
    }

    /// Whether so many chains are many for so few keys.
    #[inline(always)]
    fn is_sparse(&self, chains: usize) -> bool {
        self.len < chains / SPARSE
    }

    /// Takes out of a chain what nobody has a share in and `gone` wants.
    fn evict(
        &mut self,
        head: usize,
        gone: impl Fn(&Node<K, V, L>) -> bool,
        unlinked: &mut Unlinked<K, V, L>,
    ) {
        let mut kept: Link<K, V, L> = None;
        let mut link = self.heads()[head];
        while let Some(node) = link {
            // SAFETY: 1 of `get`: linked, and we hold the lock.
            let node_ref = unsafe { node.get() };
            link = node_ref.next.get();
            if node_ref.refs() > 0 || !gone(node_ref) {
                kept = Some(node);
                continue;
            }
            match kept {
                None => self.heads_mut()[head] = link,
                // SAFETY: as above.
                Some(before) => unsafe { before.get() }.next.set(link),
            }
            self.len -= 1;
            // SAFETY: 1: it was linked here only, and nobody has a share, so nobody knows it.
            unsafe { unlinked.push(node) };
        }
    }

    /// Evicts from some chains, from `at` on; where to go on.
    pub(super) fn evict_from(
        &mut self,
        at: Cursor,
        gone: impl Fn(&Node<K, V, L>) -> bool,
        unlinked: &mut Unlinked<K, V, L>,
    ) -> Option<Cursor> {
        let mut at = Some(at);
        for _ in 0..SLICE {
            let Some(cursor) = at else { break };
            self.evict(cursor.head(self.heads().len()), &gone, unlinked);
            at = cursor.next(self.heads().len());
        }
        self.shrink();
        at
    }

    /// Evicts from the chains whose turn it is.
    pub(super) fn sweep(
        &mut self,
        gone: impl Fn(&Node<K, V, L>) -> bool,
        unlinked: &mut Unlinked<K, V, L>,
    ) {
        for _ in 0..SWEPT {
            self.hand = (self.hand + 1) & (self.heads().len() - 1);
            self.evict(self.hand, &gone, unlinked);
        }
        self.shrink();
    }

    pub(super) fn begin_walk(&mut self) {
        self.walkers += 1;
    }

    pub(super) fn end_walk(&mut self) {
        self.walkers -= 1;
        self.shrink();
    }

    /// Takes a share in each key of the first chain, from `at` on, that has any; in none if many chains have not. Where
    /// to go on; and how many there are, if that is more than `pinned` has room for. For who has begun a walk.
    pub(super) fn pin_from(
        &self,
        at: Cursor,
        pinned: &mut Vec<NodePtr<K, V, L>>,
    ) -> Result<Option<Cursor>, usize> {
        let mut at = Some(at);
        for _ in 0..SLICE {
            let Some(cursor) = at.filter(|_| pinned.is_empty()) else { break };
            let chain = || {
                core::iter::successors(self.heads()[cursor.head(self.heads().len())], |node| {
                    // SAFETY: 1 of `get`: linked, and we hold the lock.
                    unsafe { node.get() }.next.get()
                })
            };
            let many = chain().count();
            if many > pinned.capacity() {
                return Err(many);
            }
            for node in chain() {
                // SAFETY: 1: linked, and we hold the lock.
                unsafe { node.share() };
                pinned.push(node);
            }
            at = cursor.next(self.heads().len());
        }
        Ok(at)
    }
}

impl<K, V, L> Shard<K, V, L> {
    /// All nodes, also those whose guards were forgotten.
    pub(super) fn take_all(&mut self, unlinked: &mut Unlinked<K, V, L>) {
        #[cfg_attr(not(loom), expect(unused_mut, reason = "loom's access is no reference"))]
        let mut chains = self.chains.get_mut();
        let few = core::mem::take(&mut chains.few);
        for mut link in few.into_iter().chain(core::mem::take(&mut chains.many)) {
            while let Some(node) = link {
                // SAFETY: 1 of `get`: it was linked, and nobody else has the shard.
                link = unsafe { node.get() }.next.get();
                // SAFETY: 1: it is linked no more, and nobody has a share that can still be used.
                unsafe { unlinked.push(node) };
            }
        }
        chains.len = 0;
    }
}

impl<K, V, L> Drop for Shard<K, V, L> {
    fn drop(&mut self) {
        let mut all = Unlinked::new();
        self.take_all(&mut all);
        #[cfg_attr(not(loom), expect(unused_mut, reason = "loom's access is no reference"))]
        let mut chains = self.chains.get_mut();
        while chains.pop_block().is_some() {}
    }
}
