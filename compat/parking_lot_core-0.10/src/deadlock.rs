//! The interface of parking_lot's deadlock detector. **It detects nothing yet**: ownership is not
//! recorded, and a search comes back empty whatever the threads do.

#[cfg(feature = "deadlock_detection")]
use {backtrace::Backtrace, std::thread::ThreadId};

/// Says that the calling thread owns the resource `key`. Nothing is recorded.
///
/// ```
/// // SAFETY: it is released below, by the same thread.
/// unsafe { parking_lot_core::deadlock::acquire_resource(1) };
/// // SAFETY: it was acquired above, by the same thread.
/// unsafe { parking_lot_core::deadlock::release_resource(1) };
/// ```
///
/// # Safety
/// [`release_resource`] is called when the thread has let go of it.
#[inline]
pub unsafe fn acquire_resource(_key: usize) {}

/// Says that the calling thread has let go of the resource `key`. Nothing is recorded.
///
/// # Safety
/// [`acquire_resource`] was called for it before, by the same thread.
#[inline]
pub unsafe fn release_resource(_key: usize) {}

/// Threads that wait for each other. **Always empty**: an empty list does not mean that there is no
/// deadlock.
///
/// ```
/// assert!(parking_lot_core::deadlock::check_deadlock().is_empty());
/// ```
#[cfg(feature = "deadlock_detection")]
#[must_use]
pub fn check_deadlock() -> Vec<Vec<DeadlockedThread>> {
    Vec::new()
}

/// One thread of a deadlock.
#[cfg(feature = "deadlock_detection")]
#[derive(Debug)]
pub struct DeadlockedThread {
    thread_id: ThreadId,
    backtrace: Backtrace,
}

#[cfg(feature = "deadlock_detection")]
impl DeadlockedThread {
    /// Which thread it is.
    #[must_use]
    pub fn thread_id(&self) -> ThreadId {
        self.thread_id
    }

    /// Where it waits.
    #[must_use]
    pub fn backtrace(&self) -> &Backtrace {
        &self.backtrace
    }
}
