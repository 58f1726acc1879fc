//! A panic in the middle of a queue operation would leave waiters that nobody wakes.

/// Aborts the process when dropped by unwinding, saying what panicked.
#[derive(Debug)]
pub struct AbortOnUnwind(pub &'static str);

impl AbortOnUnwind {
    /// For a callback that runs with a queue locked.
    pub(crate) const IN_CALLBACK: AbortOnUnwind =
        AbortOnUnwind("a callback of the parking table panicked");

    /// The dangerous part is over.
    pub fn disarm(self) {
        core::mem::forget(self);
    }
}

impl Drop for AbortOnUnwind {
    fn drop(&mut self) {
        // Under loom a panic is how a model reports what it found.
        if cfg!(loom) {
            return;
        }
        crate::sys::warn(format_args!("{}; aborting", self.0));
        std::process::abort();
    }
}
