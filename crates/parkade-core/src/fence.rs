//! Asymmetric fences: one side costs nothing, the other costs a system call.
//!
//! In a store-buffering race (each side writes one word and then reads the other's) both sides
//! need a full fence. When one side runs millions of times more often, it can use [`light`], which
//! is a compiler fence, and the rare side [`heavy`], which makes the kernel run a full fence on
//! every processor that executes a thread of this process (`membarrier(2)`, private expedited;
//! Linux 4.14). `cargo run --release -p parkade-core --example fence_cost` measures both.
//!
//! Pairing: if a `light()` comes before a `heavy()` in the single total order of fences, what was
//! written before the `light()` is seen after the `heavy()`; otherwise what was written before the
//! `heavy()` is seen after the `light()`.
//!
//! Where membarrier is missing (an old kernel, a seccomp filter, another system) both are ordinary
//! sequentially consistent fences. Which it is, is found out once, before `main` (on systems other
//! than Unix: by the first `heavy()` or [`strategy`]). `PARKADE_FENCE=symmetric` in the environment
//! forces the fallback.

use crate::edges::{F1, F2};
use core::{
    fmt,
    sync::atomic::{AtomicU8, AtomicU64, Ordering},
};

/// How this process orders a [`light`] fence against a [`heavy`] one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// `light` is a compiler fence, `heavy` interrupts the other processors.
    Asymmetric,
    /// Both are full fences.
    Symmetric,
}

/// This process has no fence that orders other threads' compiler fences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsupported;

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("asymmetric fences are not available in this process")
    }
}

impl core::error::Error for Unsupported {}

const UNKNOWN: u8 = 0;
const ASYMMETRIC: u8 = 1;
const SYMMETRIC: u8 = 2;
/// The kernel has withdrawn what it granted: other threads may have made light fences that no heavy
/// fence can reach.
const WITHDRAWN: u8 = 3;

/// Access: UNKNOWN until the first detection; then only ASYMMETRIC -> WITHDRAWN.
static STRATEGY: AtomicU8 = AtomicU8::new(UNKNOWN);

/// Access: statistics, incremented by heavy fences.
static HEAVY: AtomicU64 = AtomicU64::new(0);

/// How this process does it; finds out if nobody has yet.
#[must_use]
pub fn strategy() -> Strategy {
    match STRATEGY.load(Ordering::Relaxed) {
        ASYMMETRIC => Strategy::Asymmetric,
        SYMMETRIC | WITHDRAWN => Strategy::Symmetric,
        _ => detect(),
    }
}

/// Finds out, if nobody has yet.
#[cfg(all(unix, not(loom)))]
pub(crate) fn choose() {
    let _ = strategy();
}

#[cold]
fn detect() -> Strategy {
    let forced = crate::sys::with_env(c"PARKADE_FENCE", |value| value == Some(b"symmetric"));
    let found = if !forced && kernel::register() { ASYMMETRIC } else { SYMMETRIC };
    // Two detections at once find the same; the first one counts.
    let _ = STRATEGY.compare_exchange(UNKNOWN, found, Ordering::Relaxed, Ordering::Relaxed);
    strategy()
}

/// The cheap side. A full fence until this process is known to have asymmetric ones.
#[inline]
pub fn light() {
    if cfg!(not(loom)) && STRATEGY.load(Ordering::Relaxed) == ASYMMETRIC {
        compiler_only();
    } else {
        F1.fence();
    }
}

/// The expensive side, for [`light`].
///
/// # Aborts
/// If the kernel refuses membarrier after having accepted it (a seccomp filter installed while the
/// process runs): other threads' light fences can then no longer be ordered.
pub fn heavy() {
    F2.fence();
    if strategy() == Strategy::Asymmetric {
        // A refusal leaves its mark in STRATEGY.
        let _ = try_heavy();
    }
    if STRATEGY.load(Ordering::Relaxed) == WITHDRAWN {
        crate::sys::warn(format_args!("membarrier was withdrawn while in use; aborting"));
        std::process::abort();
    }
}

/// The cheap side for protocols that use [`try_heavy`]: never more than a compiler fence.
///
/// Not ordered against anything when `try_heavy` fails, so the protocol must then do without.
#[inline(always)]
pub fn compiler_only() {
    #[cfg(not(loom))]
    core::sync::atomic::compiler_fence(Ordering::SeqCst);
    #[cfg(loom)]
    if crate::policy::fences() {
        F1.fence();
    }
}

/// The expensive side, for [`compiler_only`] and [`light`].
///
/// # Errors
/// [`Unsupported`] if this process has no such fence; nothing has been ordered then.
pub fn try_heavy() -> Result<(), Unsupported> {
    #[cfg(loom)]
    {
        F2.fence();
        return Ok(());
    }
    #[cfg(not(loom))]
    {
        if strategy() == Strategy::Symmetric {
            return Err(Unsupported);
        }
        HEAVY.fetch_add(1, Ordering::Relaxed);
        if kernel::barrier() {
            return Ok(());
        }
        STRATEGY.store(WITHDRAWN, Ordering::Relaxed);
        Err(Unsupported)
    }
}

/// How many times this process has interrupted its other threads for a heavy fence.
#[must_use]
pub fn heavy_count() -> u64 {
    HEAVY.load(Ordering::Relaxed)
}

#[cfg(all(target_os = "linux", not(loom)))]
mod kernel {
    fn membarrier(command: libc::c_int) -> bool {
        // SAFETY: membarrier takes plain integers and touches no memory of ours.
        unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
    }

    /// Declares the intent to use the barrier; waits for the kernel's grace period (milliseconds) if
    /// the process has other threads.
    pub(super) fn register() -> bool {
        membarrier(libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED)
    }

    /// A full fence on every processor that runs a thread of this process.
    pub(super) fn barrier() -> bool {
        membarrier(libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED)
            // A forked child may have to register again.
            || (register() && membarrier(libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED))
    }
}

#[cfg(any(not(target_os = "linux"), loom))]
mod kernel {
    /// Under loom the heavy fence is `F2` itself.
    pub(super) fn register() -> bool {
        cfg!(loom)
    }

    #[cfg(not(loom))]
    pub(super) fn barrier() -> bool {
        false
    }
}
