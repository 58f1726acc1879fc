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

/// Chains that a shard has at least. 8 links are a cache line; guess.
const FEWEST: usize = 8;
/// A shard shrinks when it has so many chains for each key; then it has two.
const SPARSE: usize = 8;
/// Blocks that a shard keeps for the next keys: more than threads hold of one shard at a time. Guess.
const MOST_FREE: usize = 16;

/// For so many keys that are found free a shard remembers one that was not. Guess.
const HOT: u8 = 16;

/// A shard. Two lines, because processors fetch lines in pairs.
#[repr(align(128))]
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
    _content: Node<K, V, L>,
    _block: Option<Block<K, V, L>>,
}

/// Memory for a node.
struct Block<K, V, L>(NonNull<Node<K, V, L>>);

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
    fn of(node: NodePtr<K, V, L>) -> Block<K, V, L> {
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

/// The keys of a shard.
pub(super) struct Chains<K, V, L> {
    /// As many as a power of two.
    heads: Box<[Link<K, V, L>]>,
    len: usize,
    /// Blocks without a node, `free_len` of them.
    free: Option<Block<K, V, L>>,
    free_len: usize,
}

impl<K, V, L> Chains<K, V, L> {
    fn new() -> Chains<K, V, L> {
        Chains { heads: empty(FEWEST), len: 0, free: None, free_len: 0 }
    }

    /// How many keys there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// How many chains there are.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.heads.len()
    }

    /// How many blocks it keeps.
    #[cfg(test)]
    pub(super) fn spare(&self) -> usize {
        self.free_len
    }

    #[inline(always)]
    fn head(&self, tag: u32) -> usize {
        tag as usize & (self.heads.len() - 1)
    }

    /// Every node, in no order.
    pub(super) fn nodes(&self) -> impl Iterator<Item = &Node<K, V, L>> {
        self.heads.iter().flat_map(|head| {
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

    /// As many chains as `chains`, with the same nodes.
    #[cold]
    fn resize(&mut self, chains: usize) {
        let old = core::mem::replace(&mut self.heads, empty(chains));
        for mut link in old {
            while let Some(node) = link {
                // SAFETY: 1 of `get`: linked, and we hold the lock.
                let node_ref = unsafe { node.get() };
                let head = self.head(node_ref.tag);
                link = node_ref.next.replace(self.heads[head]);
                self.heads[head] = Some(node);
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
        let mut link = self.heads[self.head(tag)];
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
        if self.len == self.heads.len() {
            self.resize(2 * self.heads.len());
        }
        let block = self.pop_block().unwrap_or_else(Block::new);
        let node = block.fill(Node::locked(tag, key, V::vacant(), mode, since));
        let head = self.head(tag);
        // SAFETY: 1 of `get`: it has our share.
        unsafe { node.get() }.next.set(self.heads[head]);
        self.heads[head] = Some(node);
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
        Some(Removed { _content: content, _block: self.push_block(Block::of(node)) })
    }

    #[inline(always)]
    pub(super) fn unlink(&mut self, node: NodePtr<K, V, L>, node_ref: &Node<K, V, L>) {
        let head = self.head(node_ref.tag);
        let next = node_ref.next.get();
        if self.heads[head] == Some(node) {
            self.heads[head] = next;
        } else {
            let mut link = self.heads[head];
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
        if self.heads.len() > FEWEST && self.len < self.heads.len() / SPARSE {
            self.resize(FEWEST.max(self.heads.len() / (SPARSE / 2)));
        }
    }
}

impl<K, V, L> Drop for Shard<K, V, L> {
    /// Also those whose guards were forgotten.
    fn drop(&mut self) {
        #[cfg_attr(not(loom), expect(unused_mut, reason = "loom's access is no reference"))]
        let mut chains = self.chains.get_mut();
        while chains.pop_block().is_some() {}
        for mut link in core::mem::take(&mut chains.heads) {
            while let Some(node) = link {
                // SAFETY: the table is being dropped, so nobody has a share that can still be used.
                let content = unsafe { node.as_ptr().read() };
                link = content.next.get();
                drop(Block::of(node));
            }
        }
    }
}

fn empty<K, V, L>(chains: usize) -> Box<[Link<K, V, L>]> {
    core::iter::repeat_n(None, chains).collect()
}
