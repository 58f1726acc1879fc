//! The queues of one bucket: first in, first out per key, keys in a tree.
//!
//! # Invariants
//!
//! All of it happens under the bucket lock. Per key:
//!
//! 1. The nodes of a key form a doubly linked list in queue order; `prev` of the first and `next`
//!    of the last are `None`.
//! 2. The first node is the key's *head*: it stands in the tree, its `tail` is the last node, and its `mark` is the
//!    queue's.
//! 3. The tree is a digital search tree over the hashed keys: at depth d, a head's children differ
//!    in bit d of the path (counted from the top, after the bits that chose the bucket). All heads
//!    below a node agree with it in the first d bits, so any leaf below may take its place.
//! 4. The hash is a bijection, so two keys differ in some bit and the depth is bounded by its width.
//!
//! "Are there more", push and take cost O(1) beyond finding the key; finding is logarithmic in the
//! keys that share the bucket, and allocates nothing because the tree is made of the waiters.

use super::node::{Line, Link, Node};
use crate::shim::Cell;
use core::ptr::NonNull;

/// Where a waiter joins its key's queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Place {
    /// Behind everybody: the ordinary case.
    #[default]
    Back,
    /// Before everybody: for a waiter that was woken, lost the race, and keeps its turn.
    Front,
}

pub(crate) struct Queues {
    /// Access: under the bucket lock.
    root: Cell<Link>,
}

/// The node behind a link.
///
/// # Safety
/// The caller holds the bucket lock that the link was read under, or owns the taken chain; either
/// keeps the node alive (node.rs, rules 2 and 3).
unsafe fn at<'a>(link: NonNull<Node>) -> &'a Node {
    // SAFETY: alive by the caller's duty; nodes are only ever accessed through shared references.
    unsafe { link.as_ref() }
}

impl Queues {
    crate::const_unless_loom! {
        pub(crate) fn new() -> Queues {
            Queues {
                root: Cell::new(None),
            }
        }
    }

    /// Forgets every waiter: for a forked child, where none of them exists.
    #[cfg(all(unix, not(loom)))]
    pub(crate) fn clear(&self) {
        if self.root.get().is_some() {
            self.root.set(None);
        }
    }

    /// The first waiter on `key`, and the free place in the tree where it would stand.
    ///
    /// # Safety
    /// The caller holds the bucket lock; every link in the bucket is then live.
    unsafe fn find(&self, key: usize) -> Result<NonNull<Node>, (Link, &Cell<Link>)> {
        let mut path = super::path(key);
        let (mut parent, mut place) = (None, &self.root);
        while let Some(link) = place.get() {
            // SAFETY: the caller's duty.
            let node = unsafe { at(link) };
            if node.key() == key {
                return Ok(link);
            }
            (parent, place) = (Some(link), &node.children[(path >> 63) as usize]);
            path <<= 1;
        }
        Err((parent, place))
    }

    /// The first waiter on `key`.
    ///
    /// # Safety
    /// As for [`find`](Self::find).
    pub(crate) unsafe fn first(&self, key: usize) -> Link {
        // SAFETY: the caller's duty.
        unsafe { self.find(key) }.ok()
    }

    /// The link that holds `head`: its parent's, or the root.
    ///
    /// # Safety
    /// As for [`find`](Self::find); `head` is a key's head.
    unsafe fn holder(&self, head: NonNull<Node>) -> &Cell<Link> {
        // SAFETY: the caller's duty.
        let Some(parent) = (unsafe { at(head) }).parent.get() else {
            return &self.root;
        };
        // SAFETY: the caller's duty; links of a live node are live.
        let [left, right] = &unsafe { at(parent) }.children;
        if left.get() == Some(head) { left } else { right }
    }

    /// Puts `new` where `old` stands in the tree.
    ///
    /// # Safety
    /// As for [`find`](Self::find); `old` is a head, `new` stands nowhere.
    unsafe fn replace(&self, old: NonNull<Node>, new: NonNull<Node>) {
        // SAFETY: the caller's duty.
        let from = unsafe { at(old) };
        // SAFETY: the caller's duty.
        let to = unsafe { at(new) };
        // SAFETY: the caller's duty.
        unsafe { self.holder(old) }.set(Some(new));
        to.parent.set(from.parent.get());
        for side in 0..2 {
            let child = from.children[side].get();
            to.children[side].set(child);
            if let Some(child) = child {
                // SAFETY: the caller's duty; links of a live node are live.
                unsafe { at(child) }.parent.set(Some(new));
            }
        }
    }

    /// Takes a key's head out of the tree, the key having no waiter left.
    ///
    /// # Safety
    /// As for [`find`](Self::find); `head` is a head.
    unsafe fn remove(&self, head: NonNull<Node>) {
        let mut leaf = head;
        loop {
            // SAFETY: the caller's duty; links of a live node are live.
            let [left, right] = &unsafe { at(leaf) }.children;
            let Some(child) = left.get().or(right.get()) else {
                break;
            };
            leaf = child;
        }
        // SAFETY: the caller's duty.
        unsafe { self.holder(leaf) }.set(None);
        if leaf != head {
            // SAFETY: the caller's duty; the leaf was just taken out, and may stand anywhere
            // above itself by invariant 3.
            unsafe { self.replace(head, leaf) };
        }
    }

    /// Queues `link` for its key.
    ///
    /// # Safety
    /// 1. The caller holds the bucket lock, and the bucket is that of the node's key.
    /// 2. The node is in no queue, and stays alive until it is unlinked or notified.
    pub(crate) unsafe fn push(&self, link: NonNull<Node>, place: Place) {
        // SAFETY: duty 2.
        let node = unsafe { at(link) };
        node.line.set(Line::Queue);
        node.prev.set(None);
        node.next.set(None);
        // SAFETY: duty 1.
        let head = match unsafe { self.find(node.key()) } {
            Ok(head) => head,
            Err((parent, free)) => {
                node.tail.set(Some(link));
                node.parent.set(parent);
                node.children[0].set(None);
                node.children[1].set(None);
                free.set(Some(link));
                return;
            }
        };
        // SAFETY: duty 1; the head was just found.
        let first = unsafe { at(head) };
        match place {
            Place::Front => {
                node.next.set(Some(head));
                first.prev.set(Some(link));
                node.tail.set(first.tail.get());
                node.mark.set(first.mark.get());
                // SAFETY: duty 1; `link` stands nowhere by duty 2.
                unsafe { self.replace(head, link) };
            }
            Place::Back => {
                let tail = first.tail.get().unwrap_or(head);
                node.prev.set(Some(tail));
                // SAFETY: duty 1; the tail is a queued node.
                unsafe { at(tail) }.next.set(Some(link));
                first.tail.set(Some(link));
            }
        }
    }

    /// Takes `link` out of its queue.
    ///
    /// # Safety
    /// The caller holds the bucket lock; `link` is queued in this bucket.
    pub(crate) unsafe fn unlink(&self, link: NonNull<Node>) {
        // SAFETY: the caller's duty.
        let node = unsafe { at(link) };
        debug_assert!(node.is_queued(), "unlinking a node that is in no queue");
        node.line.set(Line::None);
        let (prev, next) = (node.prev.get(), node.next.get());
        // SAFETY: the caller's duty; neighbours of a queued node are queued.
        let before = prev.map(|link| unsafe { at(link) });
        // SAFETY: as above.
        let after = next.map(|link| unsafe { at(link) });
        match (before, next) {
            (None, None) => {
                // SAFETY: a node without neighbours is its key's head.
                unsafe { self.remove(link) };
            }
            (None, Some(heir)) => {
                // SAFETY: the first node is the head; its heir stands nowhere yet.
                unsafe { self.replace(link, heir) };
            }
            (Some(before), _) => before.next.set(next),
        }
        match (after, prev) {
            (Some(after), None) => {
                after.prev.set(None);
                after.tail.set(node.tail.get());
                after.mark.set(node.mark.get());
            }
            (Some(after), Some(_)) => after.prev.set(prev),
            (None, Some(_)) => {
                // The key's new last node. The head remembers it.
                // SAFETY: the caller's duty.
                if let Some(head) = unsafe { self.first(node.key()) } {
                    // SAFETY: just found under the caller's lock.
                    unsafe { at(head) }.tail.set(prev);
                }
            }
            (None, None) => {}
        }
    }

    /// Calls `visit` for every waiter: key by key, each key's in queue order.
    ///
    /// # Safety
    /// The caller holds the bucket lock.
    pub(crate) unsafe fn walk(&self, visit: &mut dyn FnMut(&Node)) {
        let mut walk_queue = |head: &Node| {
            let mut node = head;
            loop {
                visit(node);
                let Some(next) = node.next.get() else { return };
                // SAFETY: the caller's duty; links of a live node are live.
                node = unsafe { at(next) };
            }
        };
        // SAFETY: the caller's duty.
        unsafe { self.heads(&mut walk_queue) };
    }

    /// Calls `visit` for the first waiter of every key.
    ///
    /// # Safety
    /// The caller holds the bucket lock.
    pub(crate) unsafe fn heads(&self, visit: &mut dyn FnMut(&Node)) {
        // SAFETY: the caller's duty.
        unsafe { heads_below(self.root.get(), visit) };
    }
}

/// # Safety
/// As for [`Queues::heads`]; the recursion is as deep as the tree (invariant 4).
unsafe fn heads_below(head: Link, visit: &mut dyn FnMut(&Node)) {
    let Some(head) = head else { return };
    // SAFETY: the caller's duty.
    let head = unsafe { at(head) };
    visit(head);
    for side in &head.children {
        // SAFETY: the caller's duty.
        unsafe { heads_below(side.get(), visit) };
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
