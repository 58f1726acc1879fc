//! The system calls that are measured.

#![allow(unsafe_code, reason = "system calls that std does not offer")]

use std::io;
use std::sync::atomic::AtomicU32;

use super::CalibrateError;

fn check(call: &'static str, code: i64) -> Result<(), CalibrateError> {
    if code >= 0 {
        return Ok(());
    }
    Err(CalibrateError::System { call, error: io::Error::last_os_error() })
}

/// The processors this process may use.
pub(super) fn processors() -> Result<Vec<usize>, CalibrateError> {
    // SAFETY: a cpu_set_t is a bit set, for which all zeros is the empty one.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes at most the given size to the set, which outlives the call.
    let code = unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set) };
    check("sched_getaffinity", code.into())?;
    let most = 8 * size_of::<libc::cpu_set_t>();
    // SAFETY: `cpu` is below the number of bits of the set.
    Ok((0..most).filter(|&cpu| unsafe { libc::CPU_ISSET(cpu, &set) }).collect())
}

/// Binds the calling thread to a processor.
pub(super) fn pin(cpu: usize) -> Result<(), CalibrateError> {
    allow(&[cpu])
}

/// Lets the calling thread run on these processors only.
pub(super) fn allow(cpus: &[usize]) -> Result<(), CalibrateError> {
    // SAFETY: a cpu_set_t is a bit set, for which all zeros is the empty one.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    for &cpu in cpus {
        // SAFETY: `processors` named it, so it is below the number of bits of the set.
        unsafe { libc::CPU_SET(cpu, &mut set) };
    }
    // SAFETY: the kernel reads the given size from the set, which outlives the call.
    let code = unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set) };
    check("sched_setaffinity", code.into())
}

/// The processor that the calling thread runs on.
pub(super) fn current() -> Result<usize, CalibrateError> {
    // SAFETY: the call takes nothing.
    let cpu = unsafe { libc::sched_getcpu() };
    check("sched_getcpu", cpu.into())?;
    Ok(cpu as usize)
}

/// Sleeps while the word has that value.
pub(super) fn wait(word: &AtomicU32, value: u32) {
    // SAFETY: the word is alive for the call; without a timeout the fourth argument is null.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
            value,
            std::ptr::null::<libc::timespec>(),
        );
    }
}

/// Wakes one thread that sleeps on the word.
pub(super) fn wake(word: &AtomicU32) {
    // SAFETY: the word is alive for the call; the operation takes no pointer besides it.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG,
            1,
        );
    }
}

fn membarrier_call(command: libc::c_int) -> i64 {
    // SAFETY: membarrier takes numbers only.
    unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) }
}

/// Allows [`membarrier`].
pub(super) fn register_membarrier() -> Result<(), CalibrateError> {
    check("membarrier", membarrier_call(libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED))
}

/// Interrupts the other processors that run a thread of this process.
pub(super) fn membarrier() {
    membarrier_call(libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED);
}
