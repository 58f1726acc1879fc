//! Linux: private futexes with absolute deadlines on `CLOCK_MONOTONIC`.

use super::Waited;
use crate::{deadline::Moment, shim::AtomicU32};

/// Sleeps while `*word == expected`, at most until `deadline`.
pub(crate) fn wait(word: &AtomicU32, expected: u32, deadline: Option<Moment>) -> Waited {
    let until = deadline.map(|moment| libc::timespec {
        tv_sec: (moment.as_nanos() / 1_000_000_000) as libc::time_t,
        tv_nsec: (moment.as_nanos() % 1_000_000_000) as _,
    });
    let until = until.as_ref().map_or(core::ptr::null(), core::ptr::from_ref);
    // SAFETY: the word and the timespec are borrowed for the whole call; the kernel only reads.
    let result = unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAIT_BITSET | libc::FUTEX_PRIVATE_FLAG,
            expected,
            until,
            core::ptr::null::<u32>(),
            libc::FUTEX_BITSET_MATCH_ANY,
        )
    };
    if result == -1 && std::io::Error::last_os_error().raw_os_error() == Some(libc::ETIMEDOUT) {
        Waited::TimedOut
    } else {
        Waited::Look
    }
}

/// Wakes one sleeper on the word at this address, which need not exist any more.
pub(crate) fn wake_one(word: *const AtomicU32) {
    // SAFETY: FUTEX_WAKE on a private futex uses the address as a key and never reads through it.
    unsafe {
        libc::syscall(libc::SYS_futex, word, libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG, 1);
    }
}
