//! A panic in the middle of a queue operation would leave waiters that nobody wakes.

/// Aborts the process when dropped by unwinding.
pub(crate) struct AbortOnUnwind;

impl AbortOnUnwind {
    pub(crate) fn disarm(self) {
        core::mem::forget(self);
    }
}

impl Drop for AbortOnUnwind {
    fn drop(&mut self) {
        // Under loom a panic is how a model reports what it found.
        if cfg!(loom) {
            return;
        }
        crate::sys::warn(format_args!("a callback of the parking table panicked; aborting"));
        std::process::abort();
    }
}
