//! What this thread is initialising just now: a list of frames on its stack (or on those of coroutines that it
//! runs, as long as they stay with it), innermost first.
//!
//! An initialisation that asks for its own result would wait for itself. The word cannot tell who its
//! runner is, but the runner can: before a thread waits for a running initialisation it looks for it in
//! its own list. A task is the runner of what it initialises between its polls too, but is listed only while a thread
//! polls it, in the list of that thread. The list costs nothing unless something is initialised, and allocates nothing.

use core::{
    cell::Cell,
    fmt,
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

/// How an initialisation is called in a report.
#[derive(Debug, Clone, Copy)]
pub(super) enum Name {
    /// By where it began.
    BeganAt(&'static Location<'static>),
    /// By the type of its function, which says where that is written: a task does not carry a place along.
    Task(&'static str),
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Name::BeganAt(place) => write!(f, "that began at {place}"),
            Name::Task(function) => write!(f, "of a task, by `{function}`,"),
        }
    }
}

/// One running initialisation.
pub(super) struct Frame {
    key: usize,
    name: Name,
    outer: Cell<Option<NonNull<Frame>>>,
}

impl Frame {
    /// Of what has the address `key`.
    pub(super) fn new(key: usize, name: Name) -> Frame {
        Frame { key, name, outer: Cell::new(INNERMOST.with(Cell::get)) }
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
            // The first, unless initialisations run on stacks of their own (coroutines).
            let mut link = innermost;
            while let Some(frame) = link.get() {
                if ptr::eq(frame.as_ptr(), self.frame) {
                    link.set(self.frame.outer.get());
                    break;
                }
                // SAFETY: a listed frame lives until it leaves the list, here, and on this thread.
                link = unsafe { &(*frame.as_ptr()).outer };
            }
        });
    }
}

/// Panics if this thread runs the initialisation of what has the address `key`.
#[track_caller]
pub(super) fn deny(key: usize) {
    let mut next = INNERMOST.with(Cell::get);
    while let Some(frame) = next {
        // SAFETY: a listed frame is borrowed until it leaves the list.
        let frame = unsafe { frame.as_ref() };
        if frame.key == key {
            deny_named(frame.name);
        }
        next = frame.outer.get();
    }
}

#[cold]
#[track_caller]
fn deny_named(name: Name) -> ! {
    panic!("the initialisation {name} waits for itself at {}", Location::caller());
}
