//! The stacks that are mapped, and the three calls that know them.

use libc::{
    MAP_ANONYMOUS, MAP_PRIVATE, MAP_STACK, PROT_NONE, PROT_READ, PROT_WRITE, c_int, c_long, c_void,
    off_t, size_t,
};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Stacks at a time. A model has at most five threads, and xtask runs one model in a process. (guess)
const STACKS: usize = 32;

/// A stack that was mapped here.
#[derive(Clone, Copy)]
struct Stack {
    /// The lowest byte, or 0: there is no such stack.
    start: usize,
    len: usize,
    /// So many bytes from `start` on may not be touched.
    guard: usize,
    owner: Owner,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// It is as good as unmapped.
    Nobody,
    Somebody,
}

const NONE: Stack = Stack { start: 0, len: 0, guard: 0, owner: Owner::Nobody };

/// No system call is made under it: the three calls are each other's only rivals.
static KEPT: Mutex<[Stack; STACKS]> = Mutex::new([NONE; STACKS]);

fn kept() -> MutexGuard<'static, [Stack; STACKS]> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// # Safety
///
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap(
    hint: *mut c_void,
    len: size_t,
    protection: c_int,
    flags: c_int,
    file: c_int,
    offset: off_t,
) -> *mut c_void {
    let is_stack = hint.is_null()
        && protection == PROT_READ | PROT_WRITE
        && flags == MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK;
    if is_stack {
        let mut kept = kept();
        let free = |stack: &&mut Stack| stack.len == len && stack.owner == Owner::Nobody;
        if let Some(stack) = kept.iter_mut().find(free) {
            stack.owner = Owner::Somebody;
            return core::ptr::with_exposed_provenance_mut(stack.start);
        }
    }
    // SAFETY: the caller's duties are those of the system call.
    let start =
        unsafe { libc::syscall(libc::SYS_mmap, hint, len, protection, flags, file, offset) };
    if is_stack && start != -1 {
        let empty = |stack: &&mut Stack| stack.start == 0;
        if let Some(stack) = kept().iter_mut().find(empty) {
            *stack = Stack { start: start as usize, len, guard: 0, owner: Owner::Somebody };
        }
    }
    core::ptr::with_exposed_provenance_mut(start as usize)
}

/// # Safety
///
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mprotect(start: *mut c_void, len: size_t, protection: c_int) -> c_int {
    let is_this = |stack: &&mut Stack| stack.start == start.addr() && stack.len > len;
    if let Some(stack) = kept().iter_mut().find(is_this) {
        if protection == PROT_NONE && stack.guard == len {
            return 0;
        }
        stack.guard = 0;
    }
    // SAFETY: the caller's duties are those of the system call.
    let result = unsafe { libc::syscall(libc::SYS_mprotect, start, len, protection) };
    if result == 0
        && protection == PROT_NONE
        && let Some(stack) = kept().iter_mut().find(is_this)
    {
        stack.guard = len;
    }
    narrow(result)
}

/// # Safety
///
/// As the C library's; what was mapped as a stack is unmapped as a whole.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn munmap(start: *mut c_void, len: size_t) -> c_int {
    let is_this = |stack: &&mut Stack| stack.start == start.addr() && stack.len == len;
    if let Some(stack) = kept().iter_mut().find(is_this) {
        stack.owner = Owner::Nobody;
        return 0;
    }
    // SAFETY: the caller's duties are those of the system call.
    narrow(unsafe { libc::syscall(libc::SYS_munmap, start, len) })
}

/// Such a call returns 0 or -1.
fn narrow(result: c_long) -> c_int {
    if result == 0 { 0 } else { -1 }
}
