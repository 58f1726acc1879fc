//! A waiter's node: it lives with the waiter, on a thread's stack or in a task's pinned future, and the table never
//! moves it to the heap.
//!
//! # Life of a thread's node
//!
//! ```text
//! new --push--> queued --take--> taken --notify--> notified --(owner returns)--> gone
//!                  \--unlink (the owner timed out)------------------------------> gone
//! ```
//!
//! 1. `line` is written under the bucket lock of the node's key, and so are all links.
//! 2. A taken node belongs to its notifier, which reads the next link, writes the unpark token and
//!    then notifies; notifying is its last access (edge N1).
//! 3. An owner whose deadline passed takes the bucket lock and looks whether it is queued: if so, it
//!    unlinks itself; if not, a notifier owns the node and the owner waits for N1. So the memory
//!    never goes away under a notifier.
//! 4. `key` changes only under the bucket locks of both the old and the new key; in no queue it is the owner's.
//!
//! # Life of a task's node
//!
//! ```text
//! idle --push--> queued --grant--> notified --(owner polls or cancels)--> idle
//!                 |  \--list--> listed --grant--^                          ^
//!                 |                 \----------(owner polls or cancels)----|
//!                 \--unlink (the owner cancelled)-------------------------/
//! ```
//!
//! A future may be polled, moved to another thread between two polls, dropped, or forgotten at any time, so its node
//! belongs to no notifier outside a bucket lock: nobody would have to wait for one, and no `poll` blocks.
//!
//! 5. Taking a task, leaving its token, moving its waker out and notifying (edge N1, the last access) are one section
//!    under the bucket lock. The wakers are woken after it (`tasks.rs`).
//! 6. Who takes more tasks than it has room for wakers *lists* the rest: in no queue any more, with their tokens, in
//!    a ring through their links that the bucket lock of their key guards. A listed task may leave the ring by itself.
//! 7. Under the bucket lock a task that waits is queued, listed or notified, and nothing else. Only the owner makes it
//!    idle, and only in one of these ways.
//! 8. A waker is in the node as long as the task is queued or listed, unless the lookout has taken it to nudge the task,
//!    which stays where it is: then the next poll leaves another. A waker is cloned, woken and dropped under no bucket
//!    lock: that is user code.
//! 9. In a forked child nobody else touches the node (`generation`): no queue and no ring that is in use leads to it.

use super::marks::Mark;
use crate::{
    ParkToken, UnparkToken,
    deadline::Moment,
    parker::Parker,
    policy::QueuedWait,
    shim::{AtomicUsize, Cell, Ordering},
};
use core::{
    cell::UnsafeCell,
    mem::{ManuallyDrop, MaybeUninit},
    ptr::NonNull,
    task::Waker,
};

/// A link to another waiter's node; whoever follows it holds the bucket lock (rule 1) or owns the
/// taken chain (rule 2).
pub(crate) type Link = Option<NonNull<Node>>;

/// Who waits. The queue treats both alike.
pub(crate) enum Waiter {
    /// A thread, as the operating system numbers it; it sleeps in the node's parker. Access: constant.
    Thread(u32),
    /// A task; the fork generation in which it was queued. Access: the owner's.
    Task(Cell<u32>),
}

/// How a task's node stands under its bucket lock (rule 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Queued,
    Listed,
    Notified,
}

/// How a task's node is, as its owner knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It has never waited; of the node this field and the note alone are initialised ([`TaskNode`]).
    Unborn,
    /// It does not wait.
    Idle,
    /// The owner has queued it, and has not learned of the end.
    Parked,
}

pub(crate) struct Node {
    /// Access: rule 4; the owner reads it without a lock to find its bucket, and checks again.
    key: AtomicUsize,
    waiter: Waiter,
    /// Where a thread sleeps; of a task's only the state is used, for N1.
    parker: Parker,
    /// What `unpark_filter` sees. Access: the owner's in no queue, constant once queued.
    token: Cell<ParkToken>,
    /// When the wait began. Access: as for `token`.
    since: Cell<Moment>,
    /// Access: written by the notifier before N1 (of a listed task: under the bucket lock), read by the owner after N2.
    unpark_token: Cell<UnparkToken>,
    /// Of a task. Access: rule 8. Without drop glue, which a thread's node would pay for; when the owner goes away it is empty.
    waker: ManuallyDrop<Cell<Option<Waker>>>,
    /// Access: rule 1; of a task, rule 6.
    pub(super) line: Cell<Line>,
    /// Of a task. Access: the owner's.
    stage: Cell<Stage>,
    /// Of a task: what its builder has noted. Access: the owner's.
    note: Cell<u8>,
    /// Only meaningful in the first node of a key: what the lookout has to know of its queue. In a node that is pushed it
    /// is `NONE`. Access: rule 1.
    pub(super) mark: Cell<Mark>,
    /// Neighbours in the queue of one key or in a ring (rule 6); `next` also chains taken nodes. Access: rules 1, 2.
    pub(super) prev: Cell<Link>,
    pub(super) next: Cell<Link>,
    /// Only meaningful in the first node of a key, which stands for the key in the bucket's tree.
    /// Access: rule 1.
    pub(super) tail: Cell<Link>,
    pub(super) parent: Cell<Link>,
    pub(super) children: [Cell<Link>; 2],
}

impl Node {
    /// The node of the calling thread.
    pub(crate) fn new(key: usize, token: ParkToken, since: Moment) -> Node {
        Node::of(Waiter::Thread(crate::sys::thread_id()), key, token, since)
    }

    crate::const_unless_loom! {
        /// The node of a task, idle.
        pub(crate) fn of_task() -> Node {
            let task = Waiter::Task(Cell::new(0));
            Node::of(task, 0, crate::DEFAULT_PARK_TOKEN, Moment::NEVER)
        }
    }

    crate::const_unless_loom! {
        /// A node of nobody: where a ring begins and ends.
        pub(super) fn of_ring() -> Node {
            Node::of(Waiter::Thread(0), 0, crate::DEFAULT_PARK_TOKEN, Moment::NEVER)
        }
    }

    crate::const_unless_loom! {
        fn of(waiter: Waiter, key: usize, token: ParkToken, since: Moment) -> Node {
            Node {
                key: AtomicUsize::new(key),
                waiter,
                parker: Parker::new(),
                token: Cell::new(token),
                since: Cell::new(since),
                unpark_token: Cell::new(UnparkToken(0)),
                waker: ManuallyDrop::new(Cell::new(None)),
                line: Cell::new(Line::None),
                stage: Cell::new(Stage::Idle),
                note: Cell::new(0),
                mark: Cell::new(Mark::NONE),
                prev: Cell::new(None),
                next: Cell::new(None),
                tail: Cell::new(None),
                parent: Cell::new(None),
                children: [Cell::new(None), Cell::new(None)],
            }
        }
    }

    pub(crate) fn key(&self) -> usize {
        self.key.load(Ordering::Relaxed)
    }

    /// Moves the node to another key; rule 4.
    pub(super) fn set_key(&self, key: usize) {
        self.key.store(key, Ordering::Relaxed);
    }

    /// What `unpark_filter` sees. The caller holds the bucket lock, or owns the node.
    pub(crate) fn token(&self) -> ParkToken {
        self.token.get()
    }

    /// When the wait began; as for `token`.
    pub(crate) fn since(&self) -> Moment {
        self.since.get()
    }

    /// The number of the thread that waits, unless it is a task.
    pub(crate) fn thread(&self) -> Option<u32> {
        match self.waiter {
            Waiter::Thread(number) => Some(number),
            Waiter::Task(_) => None,
        }
    }

    pub(super) fn is_task(&self) -> bool {
        matches!(self.waiter, Waiter::Task(_))
    }

    /// Whether the node is still in a queue. The caller holds the bucket lock of its key.
    pub(crate) fn is_queued(&self) -> bool {
        self.line.get() == Line::Queue
    }

    /// Whether the wait is over (edge N2); for the owner.
    pub(crate) fn is_notified(&self) -> bool {
        self.parker.is_notified()
    }

    /// Polls, for as long as `wait` says, whether it was notified.
    pub(crate) fn poll(&self, mut wait: QueuedWait) {
        loop {
            if self.is_notified() {
                return wait.notified();
            }
            if !wait.poll_again() {
                return;
            }
        }
    }

    /// Sleeps until notified (`true`) or until the deadline (`false`).
    pub(crate) fn wait(&self, deadline: Option<Moment>) -> bool {
        self.parker.park(deadline)
    }

    /// The token the notifier left. The owner calls it once it has seen that it was notified.
    pub(crate) fn unpark_token(&self) -> UnparkToken {
        self.unpark_token.get()
    }

    /// Leaves `token` and ends the owner's wait.
    ///
    /// # Safety
    /// 1. The node was taken by the caller (a thread's: rule 2, a task's: rule 5), and was not notified yet.
    /// 2. The caller does not touch it afterwards: the owner may free it.
    pub(super) unsafe fn notify(this: NonNull<Node>, token: UnparkToken) {
        // SAFETY: a taken node is alive until notified.
        let node = unsafe { this.as_ref() };
        node.unpark_token.set(token);
        // SAFETY: alive until notified, and only its notifier gets here, once.
        unsafe { Parker::notify(&raw const node.parker) };
    }

    /// Tells the model checker that the owner's memory is going away: a notifier that still reads
    /// or writes the node races with this.
    #[cfg(loom)]
    pub(crate) fn retire(&self) {
        self.line.set(Line::None);
        self.unpark_token.set(UnparkToken(usize::MAX));
        self.prev.set(None);
        self.next.set(None);
        self.waker.set(None);
    }
}

/// A task's node, which is made when it waits for the first time: most futures never do, and would pay for it more than for
/// the lock.
pub(crate) struct TaskNode(UnsafeCell<MaybeUninit<Node>>);

impl TaskNode {
    /// One that has never waited.
    #[cfg(not(loom))]
    #[inline(always)]
    pub(crate) const fn new() -> TaskNode {
        let mut node = MaybeUninit::<Node>::uninit();
        // SAFETY: a field of the place that we have, which is not read here.
        let stage = unsafe { &raw mut (*node.as_mut_ptr()).stage };
        // SAFETY: as above.
        unsafe { stage.write(Cell::new(Stage::Unborn)) };
        // SAFETY: as above.
        let note = unsafe { &raw mut (*node.as_mut_ptr()).note };
        // SAFETY: as above.
        unsafe { note.write(Cell::new(0)) };
        TaskNode(UnsafeCell::new(node))
    }

    /// The model checker has to know of its cells.
    #[cfg(loom)]
    pub(crate) fn new() -> TaskNode {
        TaskNode(UnsafeCell::new(MaybeUninit::new(Node::of_task())))
    }

    /// For the owner.
    #[inline(always)]
    pub(crate) fn stage(&self) -> Stage {
        let node = self.0.get().cast::<Node>();
        // SAFETY: the field is initialised from the beginning, and others access it never.
        unsafe { &(*node).stage }.get()
    }

    /// Whether the task waits; for the owner.
    #[inline(always)]
    pub(crate) fn is_parked(&self) -> bool {
        self.stage() == Stage::Parked
    }

    /// What the builder has noted; for the owner.
    #[inline(always)]
    pub(crate) fn note(&self) -> &Cell<u8> {
        let node = self.0.get().cast::<Node>();
        // SAFETY: as in `stage`.
        unsafe { &(*node).note }
    }

    /// The node of one that has waited, or waits.
    pub(crate) fn born(&self) -> Option<&Node> {
        if self.stage() == Stage::Unborn {
            return None;
        }
        // SAFETY: it was made whole, and has been shared only since.
        Some(unsafe { &*self.0.get().cast::<Node>() })
    }

    /// The node, which is to wait. For the owner.
    pub(crate) fn make(&self) -> &Node {
        if self.stage() == Stage::Unborn {
            let note = self.note().get();
            // SAFETY: nobody has a reference to it, or knows of it: the owner's alone until it waits.
            unsafe { self.0.get().cast::<Node>().write(Node::of_task()) };
            self.note().set(note);
        }
        // SAFETY: as in `born`.
        unsafe { &*self.0.get().cast::<Node>() }
    }
}

/// What the owner of a task's node does with it, and its notifier.
impl Node {
    /// Makes an idle node one that waits, to be pushed next.
    pub(crate) fn begin(&self, key: usize, token: ParkToken, since: Moment, waker: Waker) {
        debug_assert_eq!(self.stage.get(), Stage::Idle, "begins a wait in the middle of another");
        if let Waiter::Task(generation) = &self.waiter {
            generation.set(crate::sys::fork::generation());
        }
        self.set_key(key);
        self.token.set(token);
        self.since.set(since);
        self.parker.renew();
        self.stage.set(Stage::Parked);
        self.mark.set(Mark::NONE);
        let left = self.waker.replace(Some(waker));
        debug_assert!(left.is_none(), "a waker outlived the wait it was for");
    }

    /// Makes a node idle that is in no queue and no ring.
    pub(crate) fn end(&self) {
        self.stage.set(Stage::Idle);
    }

    /// Whether the wait began in a process of which this is a forked child (rule 9).
    pub(crate) fn is_of_parent(&self) -> bool {
        match &self.waiter {
            Waiter::Task(generation) => generation.get() != crate::sys::fork::generation(),
            Waiter::Thread(_) => false,
        }
    }

    /// Takes a node of the parent's out of queues and rings that do not exist here; `true` if it had been listed, and
    /// so has its token. The waker is given back, to be dropped.
    pub(crate) fn disown(&self) -> (bool, Option<Waker>) {
        (self.line.replace(Line::None) == Line::Ring, self.waker.take())
    }

    /// How the node stands. The caller holds its bucket lock.
    pub(crate) fn standing(&self) -> Standing {
        match self.line.get() {
            Line::Queue => Standing::Queued,
            Line::Ring => Standing::Listed,
            Line::None => {
                debug_assert!(self.is_notified(), "a task that waits is nowhere");
                Standing::Notified
            }
        }
    }

    /// Whether the waker in the node wakes what `other` wakes. The caller holds the bucket lock.
    pub(crate) fn wakes(&self, other: &Waker) -> bool {
        let waker = self.waker.take();
        let same = waker.as_ref().is_some_and(|waker| waker.will_wake(other));
        // What is replaced is nothing: no waker is dropped under the lock.
        core::mem::forget(self.waker.replace(waker));
        same
    }

    /// Replaces the waker in the node. The caller holds the bucket lock, and drops what it gets after it.
    pub(crate) fn replace_waker(&self, waker: Option<Waker>) -> Option<Waker> {
        self.waker.replace(waker)
    }

    /// Whether it was nudged, and not polled since. The caller holds the bucket lock.
    #[cfg(all(test, loom))]
    pub(crate) fn has_no_waker(&self) -> bool {
        let waker = self.waker.take();
        let none = waker.is_none();
        core::mem::forget(self.waker.replace(waker));
        none
    }

    /// Leaves the token of a node that is listed; rule 6.
    pub(super) fn leave_token(&self, token: UnparkToken) {
        self.unpark_token.set(token);
    }
}

/// What leads to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    None,
    Queue,
    /// Of a task.
    Ring,
}
