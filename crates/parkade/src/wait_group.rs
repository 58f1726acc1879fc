//! Waiting until all others are done, however many they are: [`WaitGroup`].

use crate::{
    latch::{MOST_MEMBERS, RawLatch, Waited},
    task::{Handle, future},
};
use core::{fmt, mem::ManuallyDrop, ptr};
use parkade_core::Moment;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Handles of one group; who waits does so until all others are dropped.
///
/// [`clone`](Clone::clone) joins the group, dropping a handle leaves it. Each thread takes a handle along and drops it when it
/// is done, which it does even if it panics. So nobody has to know beforehand how many there will be, and
/// members may bring in members. Where the number is fixed and known, a [`Latch`](crate::Latch) needs no heap.
///
/// The face is that of crossbeam's `WaitGroup`, with timed waits besides.
///
/// * **Blocking**: [`wait`](WaitGroup::wait) gives up the handle, and sleeps until no other is left. Several threads may
///   wait: they do not wait for each other. Nothing else blocks.
/// * **Visibility**: what threads have done before they dropped their handles is visible to whoever has waited.
/// * **Timeouts**: a timed wait whose time is up gives the handle back, and the group is as if it had not been given
///   up. But who waits at the same time goes through if all others are gone meanwhile.
/// * **Tasks**: [`wait_async`](WaitGroup::wait_async) waits without a thread.
/// * **Fairness**: all who wait are woken when the last handle is dropped.
/// * **Panics**: nothing but more than [`MAX`](WaitGroup::MAX) handles, and the waker of a task, in who drops the last handle.
/// * **Forks**: in the child of a fork there are handles of threads that are not: of those, nobody drops any. A group
///   that is to be used on both sides is best made anew.
/// * **Cost**: `new` allocates, once; nothing else does. Joining and leaving are two read-modify-writes each, on one line that all
///   members share.
///
/// ```
/// use parkade::WaitGroup;
/// use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
///
/// static DONE: AtomicU32 = AtomicU32::new(0);
///
/// let group = WaitGroup::new();
/// for _ in 0..4 {
///     let member = group.clone();
///     std::thread::spawn(move || {
///         DONE.fetch_add(1, Relaxed);
///         drop(member);
///     });
/// }
/// group.wait();
/// assert_eq!(DONE.load(Relaxed), 4);
/// ```
pub struct WaitGroup {
    /// The latch is counted down by every handle that is dropped or waits; its memory is held by every
    /// handle that is there at all, so it outlives those who open it and those who wait.
    latch: Arc<RawLatch>,
}

impl WaitGroup {
    /// The largest number of handles in a group: 2^30 - 1.
    ///
    /// ```
    /// assert_eq!(parkade::WaitGroup::MAX, 1_073_741_823);
    /// ```
    pub const MAX: usize = MOST_MEMBERS as usize;

    /// A group of one handle.
    ///
    /// ```
    /// parkade::WaitGroup::new().wait();
    /// ```
    #[must_use]
    pub fn new() -> WaitGroup {
        WaitGroup { latch: Arc::new(RawLatch::new(1)) }
    }

    /// How many handles there are, this one included, and without those that wait. Other threads may
    /// join and leave at any time, unless this is the only one.
    ///
    /// ```
    /// let group = parkade::WaitGroup::new();
    /// let _other = group.clone();
    /// assert_eq!(group.count(), 2);
    /// ```
    #[must_use]
    pub fn count(&self) -> usize {
        self.latch.count() as usize
    }

    /// Drops this handle and waits until all others are dropped, or wait too.
    ///
    /// ```
    /// let group = parkade::WaitGroup::new();
    /// let member = group.clone();
    /// std::thread::spawn(move || drop(member));
    /// group.wait();
    /// ```
    pub fn wait(self) {
        let waited = self.wait_before(None);
        debug_assert!(waited.is_ok(), "no deadline");
    }

    /// As [`wait`](WaitGroup::wait), for `timeout` at most. If that is too long for the clock, for ever.
    ///
    /// ```
    /// let group = parkade::WaitGroup::new();
    /// let other = group.clone();
    /// let group = group.wait_for(std::time::Duration::from_millis(1)).unwrap_err();
    /// assert_eq!(group.count(), 2);
    /// ```
    ///
    /// # Errors
    /// With the handle, if there are others still. It counts as one that was never dropped.
    pub fn wait_for(self, timeout: Duration) -> Result<(), WaitGroup> {
        self.wait_before(Some(Moment::after(timeout)))
    }

    /// As [`wait_for`](WaitGroup::wait_for), up to a moment on the monotonic clock.
    ///
    /// ```
    /// let group = parkade::WaitGroup::new();
    /// assert!(group.wait_until(std::time::Instant::now()).is_ok());
    /// ```
    ///
    /// # Errors
    /// With the handle, if there are others still. It counts as one that was never dropped.
    pub fn wait_until(self, deadline: Instant) -> Result<(), WaitGroup> {
        self.wait_before(Some(Moment::at(deadline)))
    }

    /// Drops this handle, at once, and waits as a task does until all others are dropped, or wait too.
    ///
    /// The future is no member: whether it is polled, or ever was, nobody waits for it, and dropping it changes nothing. So it
    /// gives no handle back. If the time is up for now, poll it again later.
    ///
    /// ```
    /// let group = parkade::WaitGroup::new();
    /// let member = group.clone();
    /// std::thread::spawn(move || drop(member));
    /// futures::executor::block_on(group.wait_async());
    /// ```
    pub fn wait_async(self) -> WaitOthers {
        let latch = Arc::clone(&self.latch);
        drop(self);
        WaitOthers::new(latch)
    }

    fn wait_before(self, deadline: Option<Moment>) -> Result<(), WaitGroup> {
        // It leaves by waiting, not by being dropped.
        let group = ManuallyDrop::new(self);
        match group.latch.wait_for_others(deadline) {
            Waited::TimedOut => Err(ManuallyDrop::into_inner(group)),
            Waited::Open => {
                // SAFETY: it is read once, and `group` is not used again, nor dropped.
                drop(unsafe { ptr::read(&group.latch) });
                Ok(())
            }
        }
    }
}

future! {
    /// Waits for all members of a [`WaitGroup`]: the future of [`wait_async`](WaitGroup::wait_async).
    pub struct WaitOthers[][](Arc<RawLatch>) -> ();
}

impl Handle for Arc<RawLatch> {
    type Queue = RawLatch;
    type Output = ();

    fn queue(&self) -> &RawLatch {
        self
    }

    fn want(&self) {}

    fn finish(self, (): ()) {}
}

/// Joins the group.
///
/// # Panics
/// If there are [`MAX`](WaitGroup::MAX) handles; that many have to be leaked, they do not fit in memory.
impl Clone for WaitGroup {
    #[track_caller]
    fn clone(&self) -> WaitGroup {
        let latch = Arc::clone(&self.latch);
        assert!(latch.join(), "a wait group has at most WaitGroup::MAX handles");
        WaitGroup { latch }
    }
}

/// Leaves the group.
impl Drop for WaitGroup {
    fn drop(&mut self) {
        self.latch.leave();
    }
}

/// The same as [`WaitGroup::new`].
impl Default for WaitGroup {
    fn default() -> WaitGroup {
        WaitGroup::new()
    }
}

impl fmt::Debug for WaitGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitGroup").field("count", &self.count()).finish()
    }
}
