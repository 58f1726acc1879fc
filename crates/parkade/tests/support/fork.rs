//! Forking a process of several threads, for tests of what a child may do.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
    time::{Duration, Instant},
};

/// How long a child may take; one that works needs a few milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// Which side of a fork this is.
pub(crate) enum Side {
    Child,
    Parent(libc::pid_t),
}

/// Forks, as it is.
pub(crate) fn fork() -> Side {
    // SAFETY: between fork and exit the child calls only what works in a forked child of a
    // multi-threaded process on Linux: our locks, which is the claim under test, and threads
    // and memory of the C library, which prepares both for it.
    match unsafe { libc::fork() } {
        0 => Side::Child,
        -1 => panic!("fork: {}", std::io::Error::last_os_error()),
        pid => Side::Parent(pid),
    }
}

/// Runs the child's part and leaves without a word to the test harness, which belongs to the parent.
pub(crate) fn child(body: impl FnOnce()) -> ! {
    // SAFETY: no pointers; a child that outlives its parent ends by itself.
    unsafe { libc::alarm(2 * PATIENCE.as_secs() as u32) };
    let code = if catch_unwind(AssertUnwindSafe(body)).is_ok() { 0 } else { 1 };
    // SAFETY: ends the process, runs nothing.
    unsafe { libc::_exit(code) }
}

/// Waits for the child and demands that it succeeded.
pub(crate) fn reap(pid: libc::pid_t, case: &str) {
    let start = Instant::now();
    loop {
        let mut status = 0;
        // SAFETY: `status` is ours, `pid` is our child.
        let reaped = unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG) };
        if reaped == pid {
            assert_eq!(status, 0, "{case}: the child failed, wait status {status:#x}");
            return;
        }
        assert_eq!(reaped, 0, "{case}: waitpid: {}", std::io::Error::last_os_error());
        if start.elapsed() > PATIENCE {
            // SAFETY: our child, not reaped yet, so the number is still its own.
            unsafe { libc::kill(pid, libc::SIGKILL) };
            // SAFETY: as above; the status is not asked for.
            unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) };
            panic!("{case}: the child hangs");
        }
        thread::sleep(Duration::from_micros(200));
    }
}
