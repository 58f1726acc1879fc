//! The parking table: who waits for which address.
//!
//! # Theory
//!
//! A key (an address) hashes to one bucket of a static array. A bucket has a lock and the queues of
//! its keys (`queue.rs`); waiters are nodes on their owners' stacks (`node.rs`). The table is
//! zero-initialised, never grows, never allocates, and knows nothing of the words its users keep.
//!
//! Waking is done in two steps. Under the bucket lock a notifier *takes* nodes: they leave their
//! queue and join its private [`Taken`] chain. After the lock is released it *notifies* them one by
//! one. So no system call and no user code runs under a bucket lock (but that who needs two may wait for the second,
//! in the order of the table), and taking any number of waiters needs no memory.
//!
//! Tasks wait in the same queues. They are notified under the lock and woken after it (`tasks.rs`), because a future
//! that is dropped must not have to wait for a notifier.

mod marks;
pub(crate) mod node;
pub(crate) mod queue;
mod tasks;
mod word_lock;

use crate::{FilterOp, ParkToken, RequeueFilterOp, UnparkToken};
#[cfg(not(loom))]
use core::mem::ManuallyDrop;
use core::ptr::NonNull;
pub(crate) use marks::Marks;
use node::{Link, Node};
use queue::{Place, Queues};
#[cfg(all(test, loom))]
pub(crate) use tasks::WakeAt;
pub(crate) use tasks::{Panicked, Woken};

/// log2 of the number of buckets. 1,024 buckets of one cache line are 64 KiB of zero pages, of
/// which only touched ones cost memory; 100,000 waiting keys then make trees about 7 deep.
#[cfg(not(loom))]
const BITS: u32 = 10;
#[cfg(loom)]
const BITS: u32 = 1;

/// 2^64 divided by the golden ratio, made odd (Knuth, TAOCP 6.4): multiplication by it is a
/// bijection that spreads neighbouring addresses over the top bits.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

fn hash(key: usize) -> u64 {
    (key as u64).wrapping_mul(GOLDEN)
}

#[cfg(not(loom))]
fn index(key: usize) -> usize {
    (hash(key) >> (64 - BITS)) as usize
}

/// In a model the bucket must not depend on where the allocator has put a lock: executions are
/// replayed. A lock's word and the address beside it then have different buckets.
#[cfg(loom)]
fn index(key: usize) -> usize {
    key & (BUCKETS - 1)
}

/// The bits of the hash that `index` has not used, from the top.
fn path(key: usize) -> u64 {
    hash(key) << BITS
}

/// A cache line of its own, so that one key's waiters do not slow another's.
#[repr(align(64))]
struct Bucket {
    #[cfg(not(loom))]
    lock: word_lock::WordLock,
    /// The word lock has a model of its own; here its cheaper equivalent keeps models small.
    #[cfg(loom)]
    lock: loom::sync::Mutex<()>,
    /// Access: under `lock`.
    queues: Queues,
}

// SAFETY: `queues` is accessed only through a `Locked`, that is, under `lock`.
unsafe impl Sync for Bucket {}
// SAFETY: a bucket is a static and never moves; loom's lazy statics ask for it.
#[cfg(loom)]
unsafe impl Send for Bucket {}

#[cfg(not(loom))]
static TABLE: [Bucket; BUCKETS] =
    [const { Bucket { lock: word_lock::WordLock::new(), queues: Queues::new() } }; BUCKETS];

#[cfg(loom)]
loom::lazy_static! {
    static ref TABLE: [Bucket; BUCKETS] =
        core::array::from_fn(|_| Bucket { lock: loom::sync::Mutex::new(()), queues: Queues::new() });
}

/// A bucket whose lock is held; released on drop.
pub(crate) struct Locked {
    bucket: &'static Bucket,
    #[cfg(loom)]
    _held: loom::sync::MutexGuard<'static, ()>,
}

impl Drop for Locked {
    fn drop(&mut self) {
        #[cfg(not(loom))]
        drop(self.bucket.lock.unlock());
    }
}

/// How many buckets there are.
pub(crate) const BUCKETS: usize = 1 << BITS;

/// Locks the bucket with this index.
pub(crate) fn lock_index(index: usize) -> Locked {
    let bucket = &TABLE[index];
    #[cfg(not(loom))]
    {
        bucket.lock.lock();
        Locked { bucket }
    }
    #[cfg(loom)]
    Locked { bucket, _held: bucket.lock.lock().unwrap() }
}

/// Locks the bucket of `key`.
pub(crate) fn lock(key: usize) -> Locked {
    lock_index(index(key))
}

/// Locks the bucket of a queued or taken node, whose key may change until the lock is held.
pub(crate) fn lock_of(node: &Node) -> Locked {
    loop {
        let key = node.key();
        let locked = lock(key);
        if node.key() == key {
            return locked;
        }
    }
}

/// Locks the buckets of two keys, in the order of the table so that two such calls cannot
/// deadlock. The second is `None` when both keys share a bucket.
pub(crate) fn lock_pair(a: usize, b: usize) -> (Locked, Option<Locked>) {
    let (first, second) = (index(a), index(b));
    match first.cmp(&second) {
        core::cmp::Ordering::Equal => (lock_index(first), None),
        core::cmp::Ordering::Less => {
            let locked = lock_index(first);
            (locked, Some(lock_index(second)))
        }
        core::cmp::Ordering::Greater => {
            let locked = lock_index(second);
            (lock_index(first), Some(locked))
        }
    }
}

/// Unlocks a pair, waking those who wait for either only once both are unlocked.
pub(crate) fn unlock_pair((one, other): (Locked, Option<Locked>)) {
    #[cfg(not(loom))]
    {
        let (one, other) = (ManuallyDrop::new(one), other.map(ManuallyDrop::new));
        let _wakes =
            (one.bucket.lock.unlock(), other.as_ref().map(|other| other.bucket.lock.unlock()));
    }
    #[cfg(loom)]
    drop((one, other));
}

/// Empties the table in a forked child: the threads that waited or held a bucket lock are gone.
#[cfg(all(unix, not(loom)))]
pub(crate) fn reset_after_fork() {
    for bucket in &TABLE {
        bucket.queues.clear();
        bucket.lock.reset();
    }
}

impl Locked {
    /// Whether `key`'s waiters queue in this bucket.
    pub(crate) fn is_bucket_of(&self, key: usize) -> bool {
        core::ptr::eq(self.bucket, &TABLE[index(key)])
    }

    /// Whether anybody waits for `key`.
    pub(crate) fn has_waiters(&self, key: usize) -> bool {
        // SAFETY: the bucket lock is held.
        unsafe { self.bucket.queues.first(key) }.is_some()
    }

    /// Queues a node.
    ///
    /// # Safety
    /// 1. The bucket is that of the node's key.
    /// 2. The node is in no queue and stays alive until unlinked or notified.
    pub(crate) unsafe fn push(&self, node: NonNull<Node>, place: Place) {
        // SAFETY: the lock is held; the rest are our duties.
        unsafe { self.bucket.queues.push(node, place) };
    }

    /// Takes a timed-out waiter out of its queue.
    ///
    /// # Safety
    /// `node` is queued in this bucket.
    pub(crate) unsafe fn unlink(&self, node: NonNull<Node>) {
        // SAFETY: the lock is held; the rest is our duty.
        unsafe { self.bucket.queues.unlink(node) };
    }

    /// Takes waiters off a queue that are to be unparked, as `filter` says.
    pub(crate) fn take(&self, key: usize, mut filter: impl FnMut(ParkToken) -> FilterOp) -> Woken {
        let Picked { woken, moved } = self.pick(key, |token| filter(token).into());
        debug_assert_eq!(moved.count, 0);
        woken
    }

    /// The one loop that takes waiters off a queue: in queue order, as `filter` says.
    pub(crate) fn pick(
        &self,
        key: usize,
        mut filter: impl FnMut(ParkToken) -> RequeueFilterOp,
    ) -> Picked {
        let mut picked = Picked { woken: Woken::new(), moved: Taken::new() };
        // SAFETY: the bucket lock is held.
        let mut link = unsafe { self.bucket.queues.first(key) };
        while let Some(waiter) = link {
            // SAFETY: a queued node is alive while the bucket lock is held.
            let node = unsafe { waiter.as_ref() };
            link = node.next.get();
            let op = filter(node.token());
            match op {
                RequeueFilterOp::Unpark | RequeueFilterOp::Requeue => {}
                RequeueFilterOp::Skip => continue,
                RequeueFilterOp::Stop => break,
            }
            // SAFETY: the lock is held and the node was found in this bucket.
            unsafe { self.bucket.queues.unlink(waiter) };
            match op {
                RequeueFilterOp::Requeue => picked.moved.append(waiter),
                _ => picked.woken.append(waiter),
            }
        }
        picked
    }

    /// Queues all of `taken` for `key`, in order. The caller holds the bucket lock of the key they
    /// come from as well.
    pub(crate) fn adopt(&self, key: usize, mut taken: Taken) -> usize {
        let count = taken.count;
        while let Some(waiter) = taken.pop() {
            // SAFETY: a taken node is alive until notified (node.rs, rule 2).
            let node = unsafe { waiter.as_ref() };
            node.set_key(key);
            node.mark.set(marks::Mark::NONE);
            // SAFETY: both buckets are locked, this is the one of the new key, and the node
            // has just left its queue.
            unsafe { self.bucket.queues.push(waiter, Place::Back) };
        }
        count
    }

    /// Calls `visit` for every waiter in this bucket.
    pub(crate) fn walk(&self, visit: &mut dyn FnMut(&Node)) {
        // SAFETY: the bucket lock is held.
        unsafe { self.bucket.queues.walk(visit) };
    }
}

/// What [`Locked::pick`] has taken off a queue.
pub(crate) struct Picked {
    /// Who is unparked.
    pub(crate) woken: Woken,
    /// Who joins another queue.
    pub(crate) moved: Taken,
}

/// Nodes that have left their queue and wait to be notified: a chain through their own links.
#[must_use = "a taken waiter that is not notified sleeps for ever"]
pub(crate) struct Taken {
    first: Link,
    last: Link,
    pub(crate) count: usize,
}

impl Taken {
    pub(crate) fn new() -> Taken {
        Taken { first: None, last: None, count: 0 }
    }

    fn append(&mut self, waiter: NonNull<Node>) {
        // SAFETY: a taken node is alive until notified.
        unsafe { waiter.as_ref() }.next.set(None);
        match self.last {
            // SAFETY: as above.
            Some(last) => unsafe { last.as_ref() }.next.set(Some(waiter)),
            None => self.first = Some(waiter),
        }
        self.last = Some(waiter);
        self.count += 1;
    }

    /// Removes and returns the first node.
    fn pop(&mut self) -> Link {
        let first = self.first?;
        // SAFETY: a taken node is alive until notified.
        self.first = unsafe { first.as_ref() }.next.get();
        if self.first.is_none() {
            self.last = None;
        }
        self.count -= 1;
        Some(first)
    }

    /// Notifies everyone, with `token`; threads, never under a bucket lock.
    fn notify(mut self, token: UnparkToken) {
        while let Some(waiter) = self.pop() {
            // SAFETY: a node we have taken and take out of the chain now; it is not read again.
            unsafe { Node::notify(waiter, token) };
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        debug_assert!(self.first.is_none(), "taken waiters were not notified");
    }
}
