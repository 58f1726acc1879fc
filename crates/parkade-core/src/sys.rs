//! What the operating system knows: threads, processors, the environment, forks.

use core::ffi::CStr;

#[cfg(target_os = "linux")]
mod thread {
    use core::cell::Cell;

    thread_local! {
        /// The kernel's number of this thread, or 0 before it was asked for. Constant and without
        /// a destructor, so that it neither allocates nor dies before the last lock of a thread.
        static ID: Cell<u32> = const { Cell::new(0) };
    }

    /// A number for the calling thread, unique among living threads: the kernel thread id.
    #[inline]
    pub(crate) fn thread_id() -> u32 {
        ID.with(|id| if id.get() == 0 { ask(id) } else { id.get() })
    }

    #[cold]
    fn ask(id: &Cell<u32>) -> u32 {
        // SAFETY: has no preconditions.
        id.set(unsafe { libc::gettid() } as u32);
        id.get()
    }

    /// In a forked child the one thread has a new number.
    pub(super) fn forget_id() {
        ID.with(|id| id.set(0));
    }
}

#[cfg(not(target_os = "linux"))]
mod thread {
    use core::sync::atomic::{AtomicU32, Ordering};

    thread_local! {
        static ID: core::cell::Cell<u32> = const { core::cell::Cell::new(0) };
    }

    /// A number for the calling thread, unique until 2^32 threads have parked.
    pub(crate) fn thread_id() -> u32 {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        ID.with(|id| {
            if id.get() == 0 {
                id.set(NEXT.fetch_add(1, Ordering::Relaxed));
            }
            id.get()
        })
    }

    #[cfg(unix)]
    pub(super) fn forget_id() {}
}

pub(crate) use thread::thread_id;

/// Whether a thread of this process has that number. Where that cannot be asked, it lives.
#[cfg(not(loom))]
pub(crate) fn thread_lives(id: u32) -> bool {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: has no preconditions.
        let process = unsafe { libc::getpid() };
        // SAFETY: signal 0 is none; the call only looks the thread up.
        let answer = unsafe { libc::syscall(libc::SYS_tgkill, process, id, 0) };
        // SAFETY: has no preconditions; the pointer is to this thread's own variable.
        let errno = unsafe { libc::__errno_location() };
        // SAFETY: as above.
        answer == 0 || unsafe { errno.read() } != libc::ESRCH
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = id;
        true
    }
}

/// The number of the processor that the calling thread runs on; 0 where that is not known.
pub(crate) fn processor() -> usize {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: has no preconditions.
        usize::try_from(unsafe { libc::sched_getcpu() }).unwrap_or(0)
    }
    #[cfg(not(target_os = "linux"))]
    0
}

/// How often the calling thread has lost or given up its processor; `None` where that is not known.
pub(crate) fn switches() -> Option<u64> {
    #[cfg(target_os = "linux")]
    {
        let mut usage = core::mem::MaybeUninit::<libc::rusage>::uninit();
        // SAFETY: the pointer is to room for what the call writes.
        let answer = unsafe { libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr()) };
        if answer != 0 {
            return None;
        }
        // SAFETY: the call succeeded, so it has written all of it.
        let usage = unsafe { usage.assume_init() };
        // They count up from zero.
        Some((usage.ru_nvcsw as u64).wrapping_add(usage.ru_nivcsw as u64))
    }
    #[cfg(not(target_os = "linux"))]
    None
}

/// How many processors this process may run on; at least 1. Allocates nothing on Linux.
pub(crate) fn cpus() -> u32 {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: an all-zero cpu_set_t is a valid, empty set.
        let mut set: libc::cpu_set_t = unsafe { core::mem::zeroed() };
        // SAFETY: the set is live and of the stated size.
        let result =
            unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set) };
        if result == 0 {
            // SAFETY: the set was filled in by the call above.
            return unsafe { libc::CPU_COUNT(&set) }.max(1) as u32;
        }
    }
    std::thread::available_parallelism().map_or(1, |n| n.get() as u32)
}

/// The value of an environment variable. Allocates nothing on Unix.
pub(crate) fn with_env<R>(name: &CStr, read: impl FnOnce(Option<&[u8]>) -> R) -> R {
    #[cfg(unix)]
    {
        // SAFETY: `name` is a C string. The callers' values are chosen by `fork::START`: before
        // `main`, when no other thread can change the environment, or while a library that holds
        // us is being loaded.
        let value = unsafe { libc::getenv(name.as_ptr()) };
        if value.is_null() {
            return read(None);
        }
        // SAFETY: getenv returns a C string that lives until the environment is changed.
        read(Some(unsafe { CStr::from_ptr(value) }.to_bytes()))
    }
    #[cfg(not(unix))]
    {
        let value = name.to_str().ok().and_then(std::env::var_os);
        read(value.as_ref().map(|v| v.as_encoded_bytes()))
    }
}

/// Writes a line to standard error, whatever becomes of it. Unlike `eprintln!` it neither panics,
/// nor locks, nor is captured by a test harness.
pub(crate) fn warn(line: core::fmt::Arguments<'_>) {
    struct Line {
        text: [u8; 200],
        len: usize,
    }
    impl core::fmt::Write for Line {
        fn write_str(&mut self, part: &str) -> core::fmt::Result {
            let room = &mut self.text[self.len..];
            let len = part.len().min(room.len());
            room[..len].copy_from_slice(&part.as_bytes()[..len]);
            self.len += len;
            Ok(())
        }
    }
    let mut out = Line { text: [0; 200], len: 0 };
    // Cannot fail: what does not fit is cut off.
    let _ = core::fmt::write(&mut out, format_args!("parkade: {line}\n"));
    let text = &out.text[..out.len];
    #[cfg(unix)]
    // SAFETY: the buffer is live and of the stated length.
    unsafe {
        libc::write(2, text.as_ptr().cast(), text.len());
    }
    #[cfg(not(unix))]
    {
        use std::io::Write;
        let _ = std::io::stderr().write_all(text);
    }
}

/// Fork: the child has one thread and a copy of everybody's state.
#[cfg(all(unix, not(loom)))]
pub(crate) mod fork {
    use core::sync::atomic::{AtomicU32, Ordering};

    /// Access: written by a forked child's only thread, read by slow paths.
    static GENERATION: AtomicU32 = AtomicU32::new(0);

    /// How many forks lie between this process and the one that was executed.
    pub(crate) fn generation() -> u32 {
        GENERATION.load(Ordering::Relaxed)
    }

    extern "C" fn child() {
        GENERATION.fetch_add(1, Ordering::Relaxed);
        super::thread::forget_id();
        crate::table::reset_after_fork();
        crate::policy::reset_after_fork();
        crate::slots::reset_after_fork();
        crate::lookout::reset_after_fork();
    }

    extern "C" fn start() {
        // SAFETY: `child` has the required signature and lives for ever.
        unsafe { libc::pthread_atfork(None, None, Some(child)) };
        crate::fence::choose();
        crate::tuning::read_environment();
    }

    // Before `main`, for three reasons: registering the handler may allocate, and no lock path may;
    // registering for membarrier costs 2 us while there is one thread and 5 to 11 ms later, which
    // the first waiters would have to wait out; and the environment must not be read while other
    // threads may change it.
    #[used]
    #[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__mod_init_func"))]
    #[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".init_array"))]
    static START: extern "C" fn() = start;
}

#[cfg(any(not(unix), loom))]
pub(crate) mod fork {
    /// There are no forks here.
    pub(crate) fn generation() -> u32 {
        0
    }
}
