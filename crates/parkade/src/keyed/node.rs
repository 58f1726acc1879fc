//! A key that somebody holds or waits for.

use super::lock::KeyLock;
use core::{
    cell::{Cell, UnsafeCell},
    ptr::NonNull,
    time::Duration,
};
use parkade_core::{
    Moment,
    shim::{AtomicU32, Ordering::Relaxed},
};

/// Where a chain goes on.
pub(super) type Link<K, V, L> = Option<NodePtr<K, V, L>>;

/// A node that is in a table as long as the owner of this pointer has a share in it.
pub(crate) struct NodePtr<K, V, L>(NonNull<Node<K, V, L>>);

// SAFETY: a pointer to a node is worth as much as a reference to it: threads share the key and the lock, and
// whoever holds the lock alone may move the value.
unsafe impl<K: Send + Sync, V: Send, L: Send + Sync> Send for NodePtr<K, V, L> {}
// SAFETY: as above; through `&NodePtr` there is no more than the key and the lock.
unsafe impl<K: Send + Sync, V: Send, L: Send + Sync> Sync for NodePtr<K, V, L> {}

impl<K, V, L> Clone for NodePtr<K, V, L> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V, L> Copy for NodePtr<K, V, L> {}

impl<K, V, L> PartialEq for NodePtr<K, V, L> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<K, V, L> NodePtr<K, V, L> {
    pub(super) fn new(node: NonNull<Node<K, V, L>>) -> NodePtr<K, V, L> {
        NodePtr(node)
    }

    pub(super) fn as_ptr(self) -> *mut Node<K, V, L> {
        self.0.as_ptr()
    }

    /// # Safety
    /// 1. The caller has a share in the node, or holds the lock of its shard and the node is linked there, for
    ///    as long as the reference is used.
    #[inline(always)]
    pub(crate) unsafe fn get<'n>(self) -> &'n Node<K, V, L> {
        // SAFETY: 1: such a node is initialised and not freed.
        unsafe { self.0.as_ref() }
    }
}

impl<K, V, L: KeyLock> NodePtr<K, V, L> {
    /// Locks a key that is in the table for its value's sake.
    ///
    /// # Safety
    /// 1. It is linked, nobody has a share in it, and the caller has the shard's lock.
    pub(super) unsafe fn lock_idle(self, mode: L::Mode, since: Stamp) {
        // SAFETY: 1: nobody else reads or writes it.
        let node = unsafe { &mut *self.0.as_ptr() };
        node.lock = L::held(mode);
        node.since = AtomicU32::new(since.0);
        node.refs = AtomicU32::new(1);
        node.holder = AtomicU32::new(0);
        node.note_holder(mode);
    }
}

impl<K, V, L: KeyLock> NodePtr<K, V, L> {
    /// A share in a key, without taking it.
    ///
    /// # Safety
    /// 1. It is linked, and the caller has the shard's lock.
    pub(super) unsafe fn share(self) {
        // SAFETY: 1.
        let shared = unsafe { self.get() };
        if shared.refs() > 0 {
            shared.add_ref();
            return;
        }
        // SAFETY: 1: it is in the table for its value's sake, and nobody else reads or writes it.
        let node = unsafe { &mut *self.0.as_ptr() };
        node.lock = L::free();
        node.refs = AtomicU32::new(1);
        node.holder = AtomicU32::new(0);
    }
}

/// A recent moment, in units of 2^20 ns. Ages are right up to 52 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp(u32);

impl Stamp {
    const UNIT_LOG_NS: u32 = 20;
    /// What is older than 48 days, by so many units, is taken for what is yet to come.
    const OLDEST: u32 = 0xF000_0000;

    #[inline]
    pub(crate) fn now() -> Stamp {
        // Wraps, and so do ages.
        Stamp((Moment::recent().as_nanos() >> Self::UNIT_LOG_NS) as u32)
    }

    /// How much earlier than `now` it is, in units. It may have been read after `now` was, elsewhere.
    pub(super) fn units_before(self, now: Stamp) -> u32 {
        let units = now.0.wrapping_sub(self.0);
        if units > Self::OLDEST { 0 } else { units }
    }

    /// As many units as make `age`, rounded up; `None` for more than a stamp can tell.
    pub(super) fn units_of(age: Duration) -> Option<u32> {
        let units = age.as_nanos().div_ceil(1 << Self::UNIT_LOG_NS);
        u32::try_from(units).ok().filter(|units| *units <= Self::OLDEST)
    }

    fn age(self) -> Duration {
        let Stamp(now) = Stamp::now();
        Duration::from_nanos(u64::from(now.wrapping_sub(self.0)) << Self::UNIT_LOG_NS)
    }
}

/// One key: its lock, what is known of its holder, and who has a share in it.
pub(crate) struct Node<K, V, L> {
    /// The next of its chain. Access: under the shard's lock.
    pub(super) next: Cell<Link<K, V, L>>,
    /// Which shard, which chain, and most of what tells keys apart. Access: constant.
    pub(super) tag: u32,
    /// Holders and waiters. Access: changed under the shard's lock; a holder may look without it.
    refs: AtomicU32,
    /// When it was taken. Access: written by whoever has taken it; read by anybody, for diagnosis.
    since: AtomicU32,
    /// Which thread has it alone, or 0 if none has, or a task. Access: written by that thread; read by anybody.
    holder: AtomicU32,
    /// Access: anybody with a share; without any, whoever has the shard's lock.
    pub(super) lock: L,
    /// Access: shared by all, constant.
    key: K,
    /// Access: whoever holds the lock; without any share, whoever has the shard's lock.
    value: UnsafeCell<V>,
}

impl<K, V, L: KeyLock> Node<K, V, L> {
    /// A key that the calling thread has locked.
    #[inline(always)]
    pub(super) fn locked(tag: u32, key: K, value: V, mode: L::Mode, since: Stamp) -> Self {
        let node = Node {
            next: Cell::new(None),
            tag,
            refs: AtomicU32::new(1),
            since: AtomicU32::new(since.0),
            holder: AtomicU32::new(0),
            lock: L::held(mode),
            key,
            value: UnsafeCell::new(value),
        };
        node.note_holder(mode);
        node
    }

    /// A key in which somebody has a share, and that nobody has locked.
    pub(super) fn shared(tag: u32, key: K, value: V) -> Self {
        Node {
            next: Cell::new(None),
            tag,
            refs: AtomicU32::new(1),
            since: AtomicU32::new(0),
            holder: AtomicU32::new(0),
            lock: L::free(),
            key,
            value: UnsafeCell::new(value),
        }
    }

    pub(crate) fn key(&self) -> &K {
        &self.key
    }

    /// For the value's holder.
    pub(crate) fn value(&self) -> *mut V {
        self.value.get()
    }

    pub(crate) fn lock(&self) -> &L {
        &self.lock
    }

    #[inline(always)]
    pub(super) fn refs(&self) -> u32 {
        self.refs.load(Relaxed)
    }

    /// Under the shard's lock: one share more.
    pub(super) fn add_ref(&self) {
        let refs =
            self.refs().checked_add(1).expect("more than 2^32 threads have a share of one key");
        self.refs.store(refs, Relaxed);
    }

    /// Under the shard's lock: one share less; how many are left.
    #[inline(always)]
    pub(super) fn drop_ref(&self) -> u32 {
        let left = self.refs() - 1;
        self.refs.store(left, Relaxed);
        left
    }

    #[inline(always)]
    fn note_holder(&self, mode: L::Mode) {
        if L::sharing(mode) == crate::rwlock::Sharing::Alone {
            self.holder.store(parkade_core::thread_number(), Relaxed);
        }
    }

    /// The calling thread has taken the lock, after others.
    #[inline]
    pub(super) fn note_taken(&self, mode: L::Mode, now: Stamp) {
        self.note_holder(mode);
        self.note_taken_by_task(now);
    }

    /// A task has taken the lock. It is on no thread in particular, so none is noted.
    pub(super) fn note_taken_by_task(&self, now: Stamp) {
        // Readers count from the first of them.
        if self.lock.holders() == 1 {
            self.since.store(now.0, Relaxed);
        }
    }

    /// The calling thread has the lock, and may come to send that to another thread.
    #[cfg(not(loom))]
    pub(super) fn unbind(&self, mode: L::Mode) {
        self.forget_holder(mode);
        crate::rwlock::Held::remove(self.lock.address());
    }

    /// The calling thread is about to release the lock, and others have a share.
    pub(super) fn forget_holder(&self, mode: L::Mode) {
        if L::sharing(mode) == crate::rwlock::Sharing::Alone {
            self.holder.store(0, Relaxed);
        }
    }

    /// When it was taken, or, if nobody has it, what `set_since` has said.
    pub(super) fn since(&self) -> Stamp {
        Stamp(self.since.load(Relaxed))
    }

    /// By the holder.
    pub(super) fn set_since(&self, since: Stamp) {
        self.since.store(since.0, Relaxed);
    }

    /// What is left when the key has left the table.
    pub(super) fn into_parts(self) -> (K, V) {
        (self.key, self.value.into_inner())
    }

    /// How many threads hold the key: a momentary answer.
    pub(crate) fn holders(&self) -> u32 {
        // Without shares the lock is a leftover.
        if self.refs() == 0 { 0 } else { self.lock.holders() }
    }

    /// The number of the thread that has the key alone.
    pub(crate) fn holder(&self) -> Option<u32> {
        Some(self.holder.load(Relaxed)).filter(|holder| *holder != 0)
    }

    /// How long it has been held, if it is.
    pub(crate) fn held_for(&self) -> Duration {
        self.since().age()
    }
}

impl<K, V> Node<K, V, crate::rwlock::Core> {
    /// Whoever holds the key alone shares it from now on.
    #[cfg(not(loom))]
    pub(super) fn downgrade(&self) {
        use crate::rwlock::Mode;
        self.forget_holder(Mode::Exclusive);
        let _ = self.lock.downgrade(Mode::Exclusive, Mode::Shared);
    }
}
