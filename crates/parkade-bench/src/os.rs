//! What the system knows of a thread, processor time and context switches, and of the heap.
//!
//! The only system calls of the crate are here and in `subjects/pthread.rs`. Where the system
//! does not tell, the answer is `None` and the tables show a dash.

use std::time::Duration;

/// What a thread has used so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    pub(crate) cpu: Duration,
    pub(crate) context_switches: u64,
}

impl Usage {
    /// The usage since an earlier look.
    pub(crate) fn since(self, earlier: Usage) -> Usage {
        Usage {
            cpu: self.cpu.saturating_sub(earlier.cpu),
            context_switches: self.context_switches.saturating_sub(earlier.context_switches),
        }
    }
}

/// The calling thread's usage.
#[cfg(target_os = "linux")]
pub(crate) fn thread_usage() -> Option<Usage> {
    usage(libc::RUSAGE_THREAD, libc::CLOCK_THREAD_CPUTIME_ID)
}

/// The usage of `who`, whose clock is `clock`.
#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "std has no face for getrusage and clock_gettime")]
fn usage(who: libc::c_int, clock: libc::clockid_t) -> Option<Usage> {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the pointer is valid for writes of one rusage during the call.
    let code = unsafe { libc::getrusage(who, usage.as_mut_ptr()) };
    if code != 0 {
        return None;
    }
    // SAFETY: zeroed bytes are a valid rusage (integers only), and the call has filled it.
    let usage = unsafe { usage.assume_init() };
    // rusage splits processor time by sampled ticks on some kernels; the clock is exact.
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is valid for writes of one timespec during the call.
    let code = unsafe { libc::clock_gettime(clock, &mut time) };
    if code != 0 {
        return None;
    }
    Some(Usage {
        cpu: Duration::new(time.tv_sec as u64, time.tv_nsec as u32),
        context_switches: (usage.ru_nvcsw + usage.ru_nivcsw) as u64,
    })
}

/// The whole process's usage.
#[cfg(target_os = "linux")]
pub(crate) fn process_usage() -> Option<Usage> {
    usage(libc::RUSAGE_SELF, libc::CLOCK_PROCESS_CPUTIME_ID)
}

/// The whole process's usage: unknown on this system.
#[cfg(not(target_os = "linux"))]
pub(crate) fn process_usage() -> Option<Usage> {
    None
}

/// The calling thread's usage: unknown on this system.
#[cfg(not(target_os = "linux"))]
pub(crate) fn thread_usage() -> Option<Usage> {
    None
}

/// The C library's version, which is the version of its mutex.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code, reason = "the C library tells its version through a C string only")]
pub(crate) fn c_library() -> String {
    // SAFETY: takes no argument and has no precondition.
    let version = unsafe { libc::gnu_get_libc_version() };
    // SAFETY: the answer is a NUL-terminated string that lives as long as the process.
    let version = unsafe { std::ffi::CStr::from_ptr(version) };
    format!("glibc {}", version.to_string_lossy())
}

/// The C library's version: unknown here.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn c_library() -> String {
    "libc".into()
}

/// Bytes of the heap that are in use, what the allocator needs for each block included.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code, reason = "std has no face for mallinfo2")]
pub(crate) fn heap_in_use() -> Option<u64> {
    // SAFETY: takes no argument and has no precondition.
    let info = unsafe { libc::mallinfo2() };
    // Large blocks are mappings of their own.
    Some((info.uordblks + info.hblkhd) as u64)
}

/// Bytes of the heap that are in use: unknown on this system.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn heap_in_use() -> Option<u64> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::thread_usage;

    #[test]
    fn work_shows_in_the_usage() {
        let before = thread_usage().expect("usage");
        let work = crate::work::Work::new();
        std::hint::black_box(work.run(1, 2_000_000));
        let used = thread_usage().expect("usage").since(before);
        assert!(used.cpu.as_micros() > 200, "{used:?}");
    }
}
