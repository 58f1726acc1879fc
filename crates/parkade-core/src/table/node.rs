//! A waiter's node: it lives with the waiter, on its stack, never on the heap.
//!
//! # Life of a node
//!
//! ```text
//! new --push--> queued --take--> taken --notify--> notified --(owner returns)--> gone
//!                  \--unlink (the owner timed out)------------------------------> gone
//! ```
//!
//! 1. `queued` is written under the bucket lock of the node's key, and so are all links.
//! 2. A taken node belongs to its notifier, which reads the next link, writes the unpark token and
//!    then notifies; notifying is its last access (edge N1).
//! 3. An owner whose deadline passed takes the bucket lock and looks at `queued`: if set, it
//!    unlinks itself; if not, a notifier owns the node and the owner waits for N1. So the memory
//!    never goes away under a notifier.
//! 4. `key` changes only under the bucket locks of both the old and the new key.

use super::WakeHandle;
use crate::{
    ParkToken, UnparkToken,
    deadline::Moment,
    parker::Parker,
    policy::QueuedWait,
    shim::{AtomicUsize, Cell, Ordering},
};
use core::ptr::NonNull;

/// A link to another waiter's node; whoever follows it holds the bucket lock (rule 1) or owns the
/// taken chain (rule 2).
pub(crate) type Link = Option<NonNull<Node>>;

/// How a waiter is woken.
///
/// The queue treats all kinds alike. Taking a node's handle is the notifier's affair (rule 2): a
/// thread's handle is its parker; a task's will be the waker left in the node.
pub(crate) enum Waiter {
    /// A thread, asleep in its parker.
    Thread(Parker),
}

pub(crate) struct Node {
    /// Access: rule 4; the owner reads it without a lock to find its bucket, and checks again.
    key: AtomicUsize,
    waiter: Waiter,
    /// What `unpark_filter` sees. Access: constant once queued.
    pub(crate) token: ParkToken,
    /// When the wait began. Access: constant.
    pub(crate) since: Moment,
    /// The waiting thread, as the operating system numbers it. Access: constant.
    pub(crate) thread: u32,
    /// Access: written by the notifier before N1, read by the owner after N2.
    unpark_token: Cell<UnparkToken>,
    /// Access: rule 1.
    pub(super) queued: Cell<bool>,
    /// Neighbours in the queue of one key; `next` also chains taken nodes. Access: rules 1, 2.
    pub(super) prev: Cell<Link>,
    pub(super) next: Cell<Link>,
    /// Only meaningful in the first node of a key, which stands for the key in the bucket's tree.
    /// Access: rule 1.
    pub(super) tail: Cell<Link>,
    pub(super) parent: Cell<Link>,
    pub(super) children: [Cell<Link>; 2],
}

impl Node {
    pub(crate) fn new(key: usize, token: ParkToken, since: Moment) -> Node {
        Node {
            key: AtomicUsize::new(key),
            waiter: Waiter::Thread(Parker::new()),
            token,
            since,
            thread: crate::sys::thread_id(),
            unpark_token: Cell::new(UnparkToken(0)),
            queued: Cell::new(false),
            prev: Cell::new(None),
            next: Cell::new(None),
            tail: Cell::new(None),
            parent: Cell::new(None),
            children: [Cell::new(None), Cell::new(None)],
        }
    }

    pub(crate) fn key(&self) -> usize {
        self.key.load(Ordering::Relaxed)
    }

    /// Moves the node to another key; rule 4.
    pub(super) fn set_key(&self, key: usize) {
        self.key.store(key, Ordering::Relaxed);
    }

    /// Whether the node is still in a queue. The caller holds the bucket lock of its key.
    pub(crate) fn is_queued(&self) -> bool {
        self.queued.get()
    }

    /// Polls, for as long as `wait` says, whether it was notified.
    pub(crate) fn poll(&self, mut wait: QueuedWait) {
        let Waiter::Thread(parker) = &self.waiter;
        loop {
            if parker.is_notified() {
                return wait.notified();
            }
            if !wait.poll_again() {
                return;
            }
        }
    }

    /// Sleeps until notified (`true`) or until the deadline (`false`).
    pub(crate) fn wait(&self, deadline: Option<Moment>) -> bool {
        let Waiter::Thread(parker) = &self.waiter;
        parker.park(deadline)
    }

    /// The token the notifier left. The owner calls it after `wait` returned `true`.
    pub(crate) fn unpark_token(&self) -> UnparkToken {
        self.unpark_token.get()
    }

    /// Leaves `token` and returns what wakes the owner; rule 2.
    pub(super) fn wake_handle(&self, token: UnparkToken) -> WakeHandle {
        self.unpark_token.set(token);
        let Waiter::Thread(parker) = &self.waiter;
        WakeHandle::Thread(core::ptr::from_ref(parker))
    }

    /// Tells the model checker that the owner's memory is going away: a notifier that still reads
    /// or writes the node races with this.
    #[cfg(loom)]
    pub(crate) fn retire(&self) {
        self.queued.set(false);
        self.unpark_token.set(UnparkToken(usize::MAX));
        self.prev.set(None);
        self.next.set(None);
    }
}
