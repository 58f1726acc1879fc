//! Waking tasks.
//!
//! # Theory
//!
//! A waker is user code: it may take any lock, run the task at once, drop other tasks, take its time or panic. So it runs
//! under no bucket lock, and while it runs nobody may depend on this notifier. Were a task taken now and notified
//! later, as threads are, then whoever drops its future would have to wait until this notifier has gone through the
//! wakers before it; and if one of those needs a lock that the dropper holds, as executors have it, for ever.
//!
//! Therefore (node.rs, rules 5 to 8):
//!
//! 1. Under the bucket lock, tasks are notified for good: token left, waker moved to our stack, N1.
//! 2. There is room for [`BATCH`] wakers. The tasks beyond are listed in a ring, which the same lock guards: whoever
//!    is polled or dropped in the meantime finds its token there, and leaves by itself.
//! 3. The lock is released, threads are notified (a bounded affair), and the wakers woken.
//! 4. As long as the ring is not empty: the lock is taken again, for the next batch.
//!
//! All of them are unparked at one instant, that of step 1. No memory is needed for any number of them, and a waker that
//! panics delays the panic, not the others.

use super::{
    Locked, Taken, lock,
    node::{Line, Link, Node},
    unlock_pair,
};
use crate::{UnparkToken, lookout::Alarm, sys::fork};
use core::{any::Any, ptr::NonNull, task::Waker};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// guess: half a KiB of stack, and one more section under the bucket lock for so many tasks.
#[cfg(not(loom))]
const BATCH: usize = 32;
#[cfg(loom)]
const BATCH: usize = 2;

/// Who was taken off a queue to be unparked, in the order of the queue. Threads and tasks are told apart only where
/// there are tasks, so that threads do not pay for it.
pub(crate) struct Woken {
    all: Taken,
    tasks: usize,
}

/// The first panic of a waker; to be passed on once everybody is woken.
#[must_use = "a panic is not to be lost"]
pub(crate) struct Panicked(Option<Box<dyn Any + Send>>);

impl Panicked {
    pub(crate) const NO: Panicked = Panicked(None);

    /// Goes on with the panic, if there was one.
    #[inline]
    pub(crate) fn resume(self) {
        if let Some(payload) = self.0 {
            resume_unwind(payload);
        }
    }
}

impl Woken {
    pub(super) fn new() -> Woken {
        Woken { all: Taken::new(), tasks: 0 }
    }

    pub(super) fn append(&mut self, waiter: NonNull<Node>) {
        // SAFETY: a taken node is alive until notified.
        self.tasks += usize::from(unsafe { waiter.as_ref() }.is_task());
        self.all.append(waiter);
    }

    pub(crate) fn threads(&self) -> usize {
        self.all.count - self.tasks
    }

    pub(crate) fn tasks(&self) -> usize {
        self.tasks
    }

    /// Notifies everybody, with `token`. Threads only, and never under a bucket lock.
    #[inline]
    pub(crate) fn notify(self, token: UnparkToken) {
        debug_assert_eq!(self.tasks, 0);
        self.all.notify(token);
    }

    /// Releases the bucket locks, and wakes everybody, with `token`. One of the locks is that of `key`, from whose queue
    /// all were taken; and if others were moved, one is that of where they are now. Both queues are marked.
    #[cold]
    pub(crate) fn unlock_and_wake(
        self,
        key: usize,
        moved_to: Option<usize>,
        locks: (Locked, Option<Locked>),
        token: UnparkToken,
    ) -> Panicked {
        let (one, other) = (&locks.0, locks.1.as_ref());
        let mut alarm = Alarm::No;
        // Those who were moved rely on the woken too: to take the lock that they stand in line for, say.
        for key in [Some(key), moved_to].into_iter().flatten() {
            let bucket = other.filter(|other| other.is_bucket_of(key)).unwrap_or(one);
            alarm = alarm.or(bucket.mark(key, &self));
        }
        match self.tasks {
            1 => self.wake_tasks::<1>(key, locks, alarm, token),
            _ => self.wake_tasks::<BATCH>(key, locks, alarm, token),
        }
    }

    /// Notifies tasks as threads are, after the lock, and wakes each `at` the wrong or the right time; for mutants.
    #[cfg(all(test, loom))]
    pub(crate) fn notify_after(mut self, bucket: Locked, token: UnparkToken, at: WakeAt) {
        drop(bucket);
        while let Some(waiter) = self.all.pop() {
            // SAFETY: a mutant, in which nobody frees the node.
            let mut waker = unsafe { waiter.as_ref() }.replace_waker(None);
            if at == WakeAt::First {
                waker.take().into_iter().for_each(Waker::wake);
            }
            // SAFETY: as above.
            unsafe { Node::notify(waiter, token) };
            waker.into_iter().for_each(Waker::wake);
        }
    }

    /// Steps 1 to 4 of the theory, with room for so many wakers.
    fn wake_tasks<const ROOM: usize>(
        mut self,
        key: usize,
        locks: (Locked, Option<Locked>),
        alarm: Alarm,
        token: UnparkToken,
    ) -> Panicked {
        let generation = fork::generation();
        let mut wakers = Wakers::<ROOM>::new();
        let (mut threads, mut rest) = (Taken::new(), Taken::new());
        while let Some(waiter) = self.all.pop() {
            // SAFETY: a taken node is alive until notified.
            if !unsafe { waiter.as_ref() }.is_task() {
                threads.append(waiter);
            } else if wakers.have_room() {
                // SAFETY: a task that we have just taken, under its bucket lock.
                unsafe { wakers.grant(waiter, token) };
            } else {
                rest.append(waiter);
            }
        }
        let begin;
        let ring = if rest.count == 0 {
            None
        } else {
            begin = Node::of_ring();
            Some(Ring::new(&begin, rest, token))
        };
        unlock_pair(locks);

        alarm.ring();
        threads.notify(token);
        let mut panicked = Panicked::NO;
        wakers.wake(&mut panicked);
        if let Some(ring) = ring {
            loop {
                let bucket = lock(key);
                if fork::generation() != generation {
                    // A waker has forked, and this is the child: who was in the ring may be gone without having left
                    // it (node.rs, rule 9). They have their tokens.
                    break;
                }
                let rest = ring.grant(&mut wakers);
                drop(bucket);
                wakers.wake(&mut panicked);
                if rest == Rest::None {
                    break;
                }
            }
            #[cfg(loom)]
            ring.0.retire();
        }
        panicked
    }
}

/// When a mutant wakes a task.
#[cfg(all(test, loom))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WakeAt {
    /// Before it is notified.
    First,
    /// After it.
    Last,
}

/// Wakers whose tasks have been notified.
struct Wakers<const ROOM: usize> {
    list: [Option<Waker>; ROOM],
    len: usize,
}

impl<const ROOM: usize> Wakers<ROOM> {
    fn new() -> Self {
        Wakers { list: [const { None }; ROOM], len: 0 }
    }

    fn have_room(&self) -> bool {
        self.len < ROOM
    }

    /// Notifies a task, whose waker is woken later.
    ///
    /// # Safety
    /// The caller holds the bucket lock under which it has taken the task, or that of the ring from which it has just
    /// removed it, and does not touch it afterwards.
    unsafe fn grant(&mut self, waiter: NonNull<Node>, token: UnparkToken) {
        // SAFETY: the owner of a node that is in no queue, not listed and not notified waits for the bucket lock.
        self.list[self.len] = unsafe { waiter.as_ref() }.replace_waker(None);
        self.len += 1;
        // SAFETY: taken by the caller, and not touched afterwards. A task is never asleep in its parker, so there is no
        // system call.
        unsafe { Node::notify(waiter, token) };
    }

    /// Wakes them all. Never called under a bucket lock.
    fn wake(&mut self, panicked: &mut Panicked) {
        for waker in self.list[..self.len].iter_mut().filter_map(Option::take) {
            // Nothing of ours is half done: a waker is not told of anything that a panic could leave broken.
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
                match panicked.0 {
                    None => panicked.0 = Some(payload),
                    // There can be but one; and to drop it is user code again.
                    Some(_) => core::mem::forget(payload),
                }
            }
        }
        self.len = 0;
    }
}

/// Whether tasks are left in a ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    None,
    Some,
}

/// Listed tasks: a doubly linked ring through their nodes, which begins and ends at a node of the notifier's.
struct Ring<'a>(&'a Node);

/// The node behind a link of a ring.
///
/// # Safety
/// The caller holds the bucket lock that guards the ring, which keeps its nodes alive (node.rs, rule 6).
unsafe fn at<'a>(link: Link) -> &'a Node {
    // SAFETY: the links of a ring are never `None`.
    let link = unsafe { link.unwrap_unchecked() };
    // SAFETY: alive by the caller's duty.
    unsafe { link.as_ref() }
}

impl<'a> Ring<'a> {
    /// Lists all of `tasks`, in order, with `token`. The caller has taken them under the bucket lock that it holds.
    fn new(begin: &'a Node, mut tasks: Taken, token: UnparkToken) -> Ring<'a> {
        let mut last = NonNull::from(begin);
        while let Some(waiter) = tasks.pop() {
            // SAFETY: its owner waits for the bucket lock.
            let node = unsafe { waiter.as_ref() };
            node.leave_token(token);
            node.line.set(Line::Ring);
            node.prev.set(Some(last));
            // SAFETY: as above, or our own.
            unsafe { last.as_ref() }.next.set(Some(waiter));
            last = waiter;
        }
        // SAFETY: as above.
        unsafe { last.as_ref() }.next.set(Some(NonNull::from(begin)));
        begin.prev.set(Some(last));
        Ring(begin)
    }

    /// Notifies as many, from the first, as there is room for their wakers. The caller holds the bucket lock.
    fn grant<const ROOM: usize>(&self, wakers: &mut Wakers<ROOM>) -> Rest {
        loop {
            let first = self.0.next.get();
            // SAFETY: the bucket lock is held.
            let node = unsafe { at(first) };
            if core::ptr::eq(node, self.0) {
                return Rest::None;
            }
            if !wakers.have_room() {
                return Rest::Some;
            }
            // SAFETY: as above; it was found in the ring.
            unsafe { remove(node) };
            // SAFETY: the bucket lock is held and the task was just removed.
            unsafe { wakers.grant(NonNull::from(node), node.unpark_token()) };
        }
    }
}

/// Takes a listed node out of its ring.
///
/// # Safety
/// The caller holds the bucket lock of the node's key, and the node is listed.
unsafe fn remove(node: &Node) {
    node.line.set(Line::None);
    // SAFETY: the caller's duty.
    let before = unsafe { at(node.prev.get()) };
    // SAFETY: the caller's duty.
    let after = unsafe { at(node.next.get()) };
    before.next.set(node.next.get());
    after.prev.set(node.prev.get());
}

impl Locked {
    /// Lets a listed task leave its ring, with the token it has; gives its waker back, to be dropped after the lock.
    ///
    /// # Safety
    /// The bucket is that of the node's key, and the node is listed.
    pub(crate) unsafe fn leave_ring(&self, node: &Node) -> Option<Waker> {
        // SAFETY: the bucket lock is held; the rest is our duty.
        unsafe { remove(node) };
        node.replace_waker(None)
    }
}
