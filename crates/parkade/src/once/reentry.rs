//! What this thread is initialising just now: a list of frames on its stack, innermost first.
//!
//! An initialisation that asks for its own result would wait for itself. The word cannot tell who its
//! runner is, but the runner can: before a thread waits for a running initialisation it looks for it in
//! its own list. The list costs nothing unless something is initialised, and allocates nothing.

use core::{
    cell::Cell,
    marker::PhantomData,
    panic::Location,
    ptr::{self, NonNull},
};

#[cfg(not(loom))]
std::thread_local! {
    /// Constant and without a destructor, so that it serves in destructors of other thread-locals.
    static INNERMOST: Cell<Option<NonNull<Frame>>> = const { Cell::new(None) };
}
#[cfg(loom)]
loom::thread_local! {
    static INNERMOST: Cell<Option<NonNull<Frame>>> = Cell::new(None);
}

/// One running initialisation.
pub(super) struct Frame {
    key: usize,
    began: &'static Location<'static>,
    outer: Option<NonNull<Frame>>,
}

impl Frame {
    /// Of what has the address `key`; it began at `began`.
    pub(super) fn new(key: usize, began: &'static Location<'static>) -> Frame {
        Frame { key, began, outer: INNERMOST.with(Cell::get) }
    }

    /// Lists it for as long as the result lives.
    pub(super) fn list(&self) -> Listed<'_> {
        INNERMOST.with(|innermost| innermost.set(Some(NonNull::from(self))));
        Listed { frame: self, _not_send: PhantomData }
    }
}

/// A frame in the list of its thread.
pub(super) struct Listed<'a> {
    frame: &'a Frame,
    _not_send: PhantomData<*const ()>,
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        INNERMOST.with(|innermost| {
            let first = innermost.get().map_or(ptr::null(), |first| first.as_ptr().cast_const());
            debug_assert!(ptr::eq(first, self.frame), "frames are listed first in, last out");
            innermost.set(self.frame.outer);
        });
    }
}

/// Panics if this thread runs the initialisation of what has the address `key`.
#[track_caller]
pub(super) fn deny(key: usize) {
    let mut next = INNERMOST.with(Cell::get);
    while let Some(frame) = next {
        // SAFETY: a listed frame is on this thread's stack and borrowed until it leaves the list.
        let frame = unsafe { frame.as_ref() };
        if frame.key == key {
            deny_at(frame.began);
        }
        next = frame.outer;
    }
}

#[cold]
#[track_caller]
fn deny_at(began: &Location<'_>) -> ! {
    panic!("the initialisation that began at {began} waits for itself at {}", Location::caller());
}
