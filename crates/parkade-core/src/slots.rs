//! Reader slots: who reads what, written down where nobody else writes.
//!
//! # Theory
//!
//! A reader-writer lock that counts its readers makes them all write one cache line. A *biased* lock
//! does not count: a reader writes a token that names the lock into a slot of its own thread, and a
//! writer that wants the lock looks through everybody's slots. Reading then costs two plain stores, and
//! the price, a heavy fence and a scan, is the writer's.
//!
//! Slots are in static *blocks*, a cache line each. A thread that first needs one leases a block and
//! keeps it until it ends; beyond `BLOCKS` living threads the rest do without.
//!
//! # Rules
//!
//! 1. A slot that is free (0) is written only by the thread that leases its block. A slot that is taken
//!    is written only by whoever holds the acquisition it stands for, on whatever thread that is,
//!    and only to free it. So every store is by its one possible writer, and none is a
//!    read-modify-write.
//! 2. A thread leaves no trace when it ends, because nothing here runs a destructor: its block stays
//!    leased until another thread finds that the kernel does not know the owner. Slots that were taken
//!    then (a guard was forgotten, or lives on elsewhere) stay taken; the new owner uses the others.
//! 3. A lease changes hands by compare-exchange on owner and generation together. So a thread whose
//!    number is that of a dead owner and a thread that found the owner dead cannot both get the block.
//! 4. A block is counted in `HIGH` before a slot of it is taken, and a scan that follows a heavy fence
//!    sees what was written before the light fence of any reader that the fence has to stop.
//!
//! # Pairing
//!
//! Who takes a slot executes [`fence::compiler_only`](crate::fence::compiler_only) and looks at its lock again; who scans
//! has first told the lock's readers to stay away, and executed a heavy fence. Either the reader sees
//! that, or the scan sees the slot. Freeing a slot releases what was done under it (L1) to the scan that
//! no longer finds it (L2), through whatever the slot was used for in between (L3, L4).

use crate::{
    edges::{L1, L2, L3, L4},
    shim::{AtomicUsize, Cell, Edge, Ordering},
};
use core::fmt;

/// How many threads can have slots. guess: more than the hardware threads of large machines; 64 KiB of
/// zero pages, of which those that are touched cost memory.
#[cfg(not(loom))]
const BLOCKS: usize = 512;
#[cfg(loom)]
const BLOCKS: usize = 3;

/// Slots of a thread: with the lease they fill a cache line. Deeper nesting of biased reads goes to
/// the lock's own word.
#[cfg(not(loom))]
const SLOTS: usize = 7;
#[cfg(loom)]
const SLOTS: usize = 2;

/// A thread that got no block tries again after so many reads: each try looks at every block.
/// guess: a microsecond in a thousand reads.
const READS_PER_TRY: u32 = 1024;

/// How many owners such a try asks the kernel about, at a fifth of a microsecond each. guess.
#[cfg(not(loom))]
const OWNERS_PER_TRY: usize = 8;

/// Which lock a slot's acquisition belongs to, and which of its periods of bias: never 0. Two locks
/// never have the same, nor has a lock that is at the address of one that is gone.
pub type Token = usize;

/// A place for a thread to say what it reads. Access: rule 1.
pub struct Slot(AtomicUsize);

impl Slot {
    crate::const_unless_loom! {
        fn free() -> Slot {
            Slot(AtomicUsize::new(0))
        }
    }

    #[inline(always)]
    fn is_free(&self) -> bool {
        self.0.load(L4.get()) == 0
    }

    /// Takes a slot that [`mine`] has just returned. The caller executes a light fence next, and
    /// looks at its lock again.
    #[inline(always)]
    pub fn take(&self, token: Token) {
        self.0.store(token, L3.get());
    }

    /// As [`take`](Slot::take), and executes the full fence `edge`.
    #[inline(always)]
    pub fn take_and_fence(&self, token: Token, edge: Edge) {
        // On x86 an exchange is one, at half the cost of a store and the instruction for it.
        if cfg!(all(target_arch = "x86_64", not(loom))) {
            self.0.swap(token, edge.get());
            edge.fence_after_rmw();
        } else {
            self.take(token);
            edge.fence();
        }
    }

    /// Frees a slot whose acquisition the caller holds.
    #[inline(always)]
    pub fn free_again(&self) {
        debug_assert!(self.0.load(Ordering::Relaxed) != 0, "a reader slot was freed twice");
        self.0.store(0, L1.get());
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slot({:#x})", self.0.load(Ordering::Relaxed))
    }
}

/// The slots of one thread. Two lines, because processors fetch lines in pairs.
#[repr(align(128))]
struct Block {
    /// Access: rule 3.
    lease: AtomicUsize,
    slots: [Slot; SLOTS],
}

/// Owner and generation of a lease, in one word; the owner 0 is nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lease {
    owner: u32,
    generation: u32,
}

/// What a generation is shifted by. On 32 bits there are no leases (and no bias): nothing is left
/// of the generation.
const GENERATION_SHIFT: u32 = usize::BITS / 2;

impl Lease {
    fn decode(word: usize) -> Lease {
        let owner = word & (usize::MAX >> GENERATION_SHIFT);
        Lease { owner: owner as u32, generation: (word >> GENERATION_SHIFT) as u32 }
    }

    fn encode(self) -> usize {
        ((self.generation as usize) << GENERATION_SHIFT) | self.owner as usize
    }

    fn passed_to(self, owner: u32) -> Lease {
        Lease { owner, generation: self.generation.wrapping_add(1) }
    }
}

impl Block {
    crate::const_unless_loom! {
        fn new() -> Block {
            Block {
                lease: AtomicUsize::new(0),
                #[cfg(not(loom))]
                slots: [const { Slot::free() }; SLOTS],
                #[cfg(loom)]
                slots: core::array::from_fn(|_| Slot::free()),
            }
        }
    }

    fn lease(&self) -> Lease {
        Lease::decode(self.lease.load(Ordering::Relaxed))
    }

    /// Rule 3.
    fn try_pass(&self, lease: Lease, owner: u32) -> bool {
        let (old, new) = (lease.encode(), lease.passed_to(owner).encode());
        self.lease.compare_exchange(old, new, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    fn free_slot(&self) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.is_free())
    }
}

#[cfg(not(loom))]
static TABLE: [Block; BLOCKS] = [const { Block::new() }; BLOCKS];
#[cfg(loom)]
loom::lazy_static! {
    static ref TABLE: [Block; BLOCKS] = core::array::from_fn(|_| Block::new());
    static ref HIGH: AtomicUsize = AtomicUsize::new(0);
}

/// Blocks from here on were never leased. Access: grows (rule 4).
#[cfg(not(loom))]
static HIGH: AtomicUsize = AtomicUsize::new(0);

/// What a thread without a block has instead: its slots are never free. Not under loom, whose atomics
/// cannot be made in constants.
#[cfg(not(loom))]
static NO_BLOCK: Block = Block {
    lease: AtomicUsize::new(0),
    slots: [const { Slot(AtomicUsize::new(usize::MAX)) }; SLOTS],
};

/// What a thread knows of its block. Constant and without a destructor, like every thread-local of
/// this crate.
struct Mine {
    #[cfg(not(loom))]
    block: Cell<&'static Block>,
    #[cfg(loom)]
    block: Cell<Option<&'static Block>>,
    /// Reads until it tries again to lease one.
    patience: Cell<u32>,
}

#[cfg(not(loom))]
thread_local! {
    static MINE: Mine = const { Mine { block: Cell::new(&NO_BLOCK), patience: Cell::new(0) } };
}
#[cfg(loom)]
loom::thread_local! {
    static MINE: Mine = Mine { block: Cell::new(None), patience: Cell::new(0) };
}

/// A free slot of the calling thread, to be taken at once; `None` if it has none.
#[inline(always)]
pub fn mine() -> Option<&'static Slot> {
    MINE.with(|mine| {
        #[cfg(not(loom))]
        {
            let first = &mine.block.get().slots[0];
            if first.is_free() {
                return Some(first);
            }
        }
        mine.any_other()
    })
}

impl Mine {
    /// The thread's block, if it has one.
    fn block(&self) -> Option<&'static Block> {
        #[cfg(not(loom))]
        return Some(self.block.get()).filter(|block| !core::ptr::eq(*block, &NO_BLOCK));
        #[cfg(loom)]
        self.block.get()
    }

    /// A free slot that is not the first, or the first of a block that has yet to be leased.
    #[cold]
    fn any_other(&self) -> Option<&'static Slot> {
        if let Some(block) = self.block() {
            return block.free_slot();
        }
        if let Some(patience) = self.patience.get().checked_sub(1) {
            self.patience.set(patience);
            return None;
        }
        let Some(place) = lease() else {
            self.patience.set(READS_PER_TRY);
            return None;
        };
        HIGH.fetch_max(place + 1, Ordering::Relaxed);
        let block = &TABLE[place];
        #[cfg(not(loom))]
        self.block.set(block);
        #[cfg(loom)]
        self.block.set(Some(block));
        block.free_slot()
    }
}

/// Leases a block with a free slot to the calling thread; returns its place.
fn lease() -> Option<usize> {
    let me = crate::sys::thread_id();
    let vacant = |(place, block): (usize, &Block)| {
        let lease = block.lease();
        // A dead thread may have had our number. (In a model all threads have the same.)
        let is_vacant = lease.owner == 0 || (lease.owner == me && cfg!(not(loom)));
        (is_vacant && block.free_slot().is_some() && block.try_pass(lease, me)).then_some(place)
    };
    TABLE.iter().enumerate().find_map(vacant).or_else(|| inherit(me))
}

/// Leases the block of a thread that has ended.
#[cfg(not(loom))]
fn inherit(me: u32) -> Option<usize> {
    /// Where to go on asking. Access: anybody; only a hint.
    static HAND: AtomicUsize = AtomicUsize::new(0);
    let hand = HAND.fetch_add(OWNERS_PER_TRY, Ordering::Relaxed);
    (hand..hand + OWNERS_PER_TRY).map(|place| place % BLOCKS).find(|&place| {
        let (block, lease) = (&TABLE[place], TABLE[place].lease());
        // What the kernel no longer knows has made its last store, and that is as visible as the
        // kernel's answer.
        !crate::sys::thread_lives(lease.owner)
            && block.free_slot().is_some()
            && block.try_pass(lease, me)
    })
}

/// In a model nobody dies.
#[cfg(loom)]
fn inherit(_: u32) -> Option<usize> {
    None
}

/// Whether a slot of any thread is taken with `token`. After a heavy fence (rule 4) the answer `false`
/// is final as long as readers stay away.
#[must_use]
pub fn any_with(token: Token) -> bool {
    let high = HIGH.load(Ordering::Relaxed);
    let holds = |block: &Block| block.slots.iter().any(|slot| slot.0.load(L2.get()) == token);
    TABLE[..high].iter().any(holds)
}

/// In a forked child one thread is left, under another number. The slots of the others stay as they
/// are: an acquisition may have been handed to the thread that forked.
#[cfg(all(unix, not(loom)))]
pub(crate) fn reset_after_fork() {
    let mine = MINE.with(Mine::block);
    for block in &TABLE[..HIGH.load(Ordering::Relaxed)] {
        let is_mine = mine.is_some_and(|mine| core::ptr::eq(mine, block));
        let owner = if is_mine { crate::sys::thread_id() } else { 0 };
        let passed = block.try_pass(block.lease(), owner);
        debug_assert!(passed, "another thread in a forked child");
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
