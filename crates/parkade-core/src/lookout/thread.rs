//! The thread itself: when it is started, where it sleeps, how it ends.

use super::{ASLEEP, AWAKE, Alarm, Duty, PERIOD, State, round};
use crate::{
    sys::fork,
    tuning::{self, Lookout},
};
use core::sync::atomic::{AtomicU32, Ordering};

static DUTY: Duty = Duty::new();

/// No task has been queued yet.
const UNUSED: u32 = 0;
/// One has; with the next the thread is started. Above it: in so many times.
const USED: u32 = 1;
/// It was started, or somebody is about to.
const STARTED: u32 = u32::MAX;

/// How often tasks are queued before a thread that could not be started is tried again. guess: a failing attempt
/// costs some microseconds, a queueing a tenth of one.
const RETRY_AFTER: u32 = 1_000;

/// guess: wakers may drop the last reference to a task, and with it what its future holds. Address space, not memory.
const STACK: usize = 256 * 1024;

/// Access: whoever queues a task, and a forked child's only thread.
static STAGE: AtomicU32 = AtomicU32::new(UNUSED);

pub(crate) fn is_on() -> bool {
    tuning::lookout() == Lookout::On
}

pub(crate) fn note(index: usize) -> Alarm {
    DUTY.note(index)
}

pub(crate) fn forget(index: usize) {
    DUTY.forget(index);
}

pub(super) fn for_each_noted(visit: impl FnMut(usize)) {
    DUTY.for_each_noted(visit);
}

pub(super) fn ring() {
    DUTY.ring();
}

/// What has been marked before it was switched off is still noted, and nobody else would ring.
pub(crate) fn turned_on() {
    DUTY.ring();
}

/// What it is doing.
#[must_use]
pub fn state() -> State {
    if STAGE.load(Ordering::Relaxed) != STARTED {
        return State::NotStarted;
    }
    match DUTY.bell.load(Ordering::Relaxed) {
        ASLEEP => State::Asleep,
        _ => State::Awake,
    }
}

/// A task has been queued. Starts the thread if it is the second: one task alone has none to wait for, in whatever queue.
/// (Behind how many others a task stands now would be the wrong question: it may be requeued.)
#[inline]
pub(crate) fn task_queued() {
    if STAGE.load(Ordering::Relaxed) != STARTED {
        not_started();
    }
}

#[cold]
fn not_started() {
    if !is_on() {
        return;
    }
    let stage = STAGE.load(Ordering::Relaxed);
    let next = match stage {
        STARTED => return,
        UNUSED => USED,
        USED => STARTED,
        more => more - 1,
    };
    let won = STAGE.compare_exchange(stage, next, Ordering::Relaxed, Ordering::Relaxed).is_ok();
    if won && next == STARTED && start().is_err() {
        STAGE.store(USED + RETRY_AFTER, Ordering::Relaxed);
    }
}

/// Starts the thread; it takes no signals, which are for those of the program.
fn start() -> std::io::Result<()> {
    let generation = fork::generation();
    let _signals = signals::block();
    std::thread::Builder::new()
        .name("parkade-lookout".to_owned())
        .stack_size(STACK)
        .spawn(move || keep_watch(generation))
        .map(drop)
}

fn keep_watch(generation: u32) {
    // In a child that a waker has forked on this thread there is no caller to return to: it ends.
    while fork::generation() == generation {
        DUTY.sleep(|duty| is_on() && duty.is_any_noted());
        // At once when it was woken: from then on the mark is old.
        round();
        std::thread::sleep(PERIOD);
    }
}

/// The child has no such thread, and no marks.
#[cfg(unix)]
pub(crate) fn reset_after_fork() {
    if STAGE.load(Ordering::Relaxed) != UNUSED {
        STAGE.store(USED, Ordering::Relaxed);
    }
    for word in &DUTY.noted {
        word.store(0, Ordering::Relaxed);
    }
    DUTY.bell.store(AWAKE, Ordering::Relaxed);
}

#[cfg(unix)]
mod signals {
    use core::mem::MaybeUninit;

    /// The mask of the calling thread, which gets it back.
    pub(super) struct Blocked(libc::sigset_t);

    /// Blocks signals for the calling thread and those that it starts, but for those that a fault of its own sends.
    pub(super) fn block() -> Option<Blocked> {
        const FAULTS: [libc::c_int; 6] =
            [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGTRAP, libc::SIGABRT];
        let mut all = MaybeUninit::uninit();
        // SAFETY: room for what is written.
        unsafe { libc::sigfillset(all.as_mut_ptr()) };
        for fault in FAULTS {
            // SAFETY: initialised by the call above.
            unsafe { libc::sigdelset(all.as_mut_ptr(), fault) };
        }
        let mut before = MaybeUninit::uninit();
        // SAFETY: as above; and room for what is written.
        let error =
            unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, all.as_ptr(), before.as_mut_ptr()) };
        // SAFETY: written by a call that succeeded.
        (error == 0).then(|| Blocked(unsafe { before.assume_init() }))
    }

    impl Drop for Blocked {
        fn drop(&mut self) {
            // SAFETY: a set that lives; the one before is not asked for.
            unsafe {
                libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, core::ptr::null_mut())
            };
        }
    }
}

#[cfg(not(unix))]
mod signals {
    /// There are none.
    pub(super) fn block() -> Option<core::convert::Infallible> {
        None
    }
}
