//! Evidence that a stack is kept with its guard, and that everything else is mapped and unmapped as ever. The calls are the
//! C library's by name: that they arrive here is half of what is shown.

#![cfg(target_os = "linux")]

use libc::{
    MAP_ANONYMOUS, MAP_PRIVATE, MAP_STACK, PROT_NONE, PROT_READ, PROT_WRITE, c_int, c_void,
};
use parkade_stacks as _;
use std::fs;

const GUARD: usize = 4096;

fn map(len: usize, flags: c_int) -> *mut c_void {
    // SAFETY: a mapping where the kernel likes touches nobody's memory.
    let start = unsafe {
        libc::mmap(
            core::ptr::null_mut(),
            len,
            PROT_READ | PROT_WRITE,
            flags | MAP_PRIVATE | MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    assert_ne!(start, libc::MAP_FAILED);
    start
}

fn protect(start: *mut c_void) {
    // SAFETY: `start` is that of a mapping of this test, which does not use it.
    assert_eq!(unsafe { libc::mprotect(start, GUARD, PROT_NONE) }, 0);
}

fn unmap(start: *mut c_void, len: usize) {
    // SAFETY: the whole of a mapping of this test, which does not use it any more.
    assert_eq!(unsafe { libc::munmap(start, len) }, 0);
}

/// What may be done with the memory at `start`, as the kernel sees it.
fn rights(start: *mut c_void) -> Option<String> {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines().find_map(|line| {
        let (range, rest) = line.split_once(' ')?;
        let (from, to) = range.split_once('-')?;
        let address = |text| usize::from_str_radix(text, 16).unwrap();
        (address(from)..address(to)).contains(&start.addr()).then(|| rest[..4].to_owned())
    })
}

#[test]
fn a_stack_is_kept_with_its_guard() {
    const LEN: usize = 17 * GUARD;
    let first = map(LEN, MAP_STACK);
    protect(first);
    unmap(first, LEN);
    assert_eq!(rights(first).as_deref(), Some("---p"), "the guard is there");
    let second = map(LEN, MAP_STACK);
    assert_eq!(second, first);
    protect(second);
    let third = map(LEN, MAP_STACK);
    assert_ne!(third, second, "a stack has one owner");
    unmap(second, LEN);
    unmap(third, LEN);
    assert_ne!(map(LEN + GUARD, MAP_STACK), first, "a longer one is another");
}

#[test]
fn what_is_no_stack_is_unmapped() {
    const LEN: usize = 19 * GUARD;
    let start = map(LEN, 0);
    protect(start);
    assert_eq!(rights(start).as_deref(), Some("---p"));
    unmap(start, LEN);
    // Another thread of this program may have mapped something there since, but nothing that may not be touched.
    assert_ne!(rights(start).as_deref(), Some("---p"));
}

#[test]
fn a_guard_that_was_lifted_is_made_again() {
    const LEN: usize = 23 * GUARD;
    let start = map(LEN, MAP_STACK);
    protect(start);
    // SAFETY: a mapping of this test.
    assert_eq!(unsafe { libc::mprotect(start, GUARD, PROT_READ | PROT_WRITE) }, 0);
    assert_eq!(rights(start).as_deref(), Some("rw-p"));
    protect(start);
    assert_eq!(rights(start).as_deref(), Some("---p"));
    unmap(start, LEN);
}
