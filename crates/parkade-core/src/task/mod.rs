//! Tasks that wait: in the same queues as threads, in the same order, by the same unpark operations.
//!
//! # Theory
//!
//! A thread waits inside [`park`](crate::park), so its node can live there. A task waits between two polls, so its node
//! lives in its future: a [`TaskWaiter`]. The life of the node is told in `table/node.rs`, how it is woken in
//! `table/tasks.rs`; here is what its owner does. Whenever the owner looks, the node is in one of these states:
//!
//! | state | poll | cancel |
//! |---|---|---|
//! | idle | validate, queue: pending | `NotParked` |
//! | queued | see to the waker: pending | unlink: `Left` |
//! | listed (its notifier has more wakers than hands) | leave the ring: ready | the same: `Unparked` |
//! | notified | ready, without the bucket lock | `Unparked` |
//! | queued in a process whose child this is | as idle | `Left` |
//!
//! Neither waits for anybody but a bucket lock. A wake is reported exactly once: it is decided under the bucket lock
//! whether the task is queued (then nobody has given it anything) or not (then it has its token).
//!
//! # Memory
//!
//! Notifiers reach the node by pointer while its owner has a `Pin<&mut Future>` around it. So (a) every field that
//! changes is in a cell or atomic, and all code here works on `&TaskWaiter`, made from the pinned reference once:
//! a shared reference claims nothing about the inside of a cell. Were there a `&mut Node`, it would claim that nobody
//! else touches the node, which is false while it is queued. (b) The type is `!Unpin` and makes the future so. The
//! language does not yet say in full that a `&mut` to such a future claims nothing about the pinned part; that is what
//! every future with a queue inside relies on, and the compiler heeds it. (c) The pin contract says that the memory is
//! neither moved nor reused before `drop`, and `drop` takes the node out of whatever leads to it. A future that is
//! forgotten is never dropped, hence its memory stays, and the node in its queue is as good as any: it is woken in
//! its turn, with a waker that is still alive, and the wake that it is given goes nowhere.

#[cfg(all(test, loom))]
pub(crate) mod model;
#[cfg(all(test, loom))]
mod mutants;

use crate::{
    Departure, Moment, ParkRequest, ParkResult, UnparkToken,
    abort::AbortOnUnwind,
    lookout,
    observe::{self, Event},
    table::{
        self,
        node::{Node, Standing, TaskNode},
    },
};
use core::{
    fmt,
    marker::PhantomPinned,
    pin::Pin,
    ptr::NonNull,
    task::{Context, Poll, Waker},
};

/// One waiter that is a task: what a future holds in order to wait in the parking table.
///
/// For those who build primitives: [`park`](crate::park) is for threads what this is for futures. A future contains a
/// waiter, pinned with it; [`poll_park`](TaskWaiter::poll_park) queues it and looks whether it was unparked;
/// [`cancel`](TaskWaiter::cancel), in the future's `drop`, ends a wait that is not over. Tasks and threads stand in one
/// queue per key, and [`unpark_one`](crate::unpark_one) and its relatives wake whoever is first.
///
/// Nothing is allocated, but once: when the second task of the process is queued, a thread is started that does the nudging,
/// `parkade-lookout`. It sleeps for as long as no task relies on another, takes no signals, and calls wakers under no lock; if one
/// panics, it goes on. [`tuning::set_lookout`](crate::tuning::set_lookout) keeps it from being started. On 64-bit systems a waiter has 112 bytes. It can wait again once it was unparked.
///
/// # What a builder has to see to
///
/// * **Pass on what you cannot use.** If `cancel` returns [`Cancelled::Unparked`], this task was woken *instead of* somebody
///   else. Unless all were woken, wake the next.
/// * **Rely on no task.** When a task is unparked it is not known whether it will ever be polled. A lock that
///   waits for the one it has woken (to hand over, or before it wakes another) may wait for ever; see
///   [`UnparkResult::unparked_tasks`](crate::UnparkResult::unparked_tasks).
/// * **Look when polled.** Tasks that sleep behind one which was unparked and is not polled are *nudged* after some
///   milliseconds, front to back: their wakers are woken, and they stay queued. So a future that was polled and finds itself still
///   queued ([`poll_park`](TaskWaiter::poll_park) was pending) looks at its word afterwards: if there is something to be had it takes
///   it (and cancels), or wakes the first in line. Who does not look is woken as ever, but may sleep behind one that never comes.
/// * **Time-outs are the caller's**: a task that has waited long enough is dropped.
///
/// # Example
///
/// An event, in a byte. Threads could wait for it too, with [`park`](crate::park) on the same key.
///
/// ```
/// use parkade_core::{DEFAULT_UNPARK_TOKEN, ParkRequest, TaskWaiter, unpark_all};
/// use std::{
///     future::Future,
///     pin::Pin,
///     sync::atomic::{AtomicBool, Ordering::*},
///     task::{Context, Poll},
/// };
///
/// struct Event(AtomicBool);
///
/// impl Event {
///     fn key(&self) -> usize {
///         std::ptr::from_ref(self).addr()
///     }
///
///     fn set(&self) {
///         self.0.store(true, Release);
///         // SAFETY: the key is our own address; there are no callbacks.
///         unsafe { unpark_all(self.key(), DEFAULT_UNPARK_TOKEN) };
///     }
///
///     fn wait(&self) -> Wait<'_> {
///         Wait { event: self, waiter: TaskWaiter::new() }
///     }
/// }
///
/// struct Wait<'a> {
///     event: &'a Event,
///     waiter: TaskWaiter,
/// }
///
/// impl Wait<'_> {
///     /// Shared, and pinned for as long as the future is.
///     fn waiter(self: Pin<&Self>) -> Pin<&TaskWaiter> {
///         // SAFETY: the waiter is a field that is never moved out of the future.
///         unsafe { self.map_unchecked(|wait| &wait.waiter) }
///     }
/// }
///
/// impl Future for Wait<'_> {
///     type Output = ();
///
///     fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
///         let this = self.as_ref();
///         let request = ParkRequest::new(this.event.key());
///         // Under the queue's lock: an event that is set now has either been seen or will wake us.
///         let not_set = || !this.event.0.load(Acquire);
///         // SAFETY: (1) the key is our own address; (2) the callback only reads our word, (3) the other does nothing;
///         // (4) whoever has the future exclusively calls; (5) a future is not polled in a signal handler.
///         let poll = unsafe { this.waiter().poll_park(cx, request, not_set, || {}) };
///         // Unparked or not even parked, it is set, and stays so.
///         poll.map(|_| ())
///     }
/// }
///
/// impl Drop for Wait<'_> {
///     fn drop(&mut self) {
///         // SAFETY: the future was pinned when it was polled, if it was; it is not moved here.
///         let this = unsafe { Pin::new_unchecked(&*self) };
///         // Whoever sets the event wakes all, so there is no wake to pass on.
///         // SAFETY: (2) the callback does nothing; (4), (5) as above.
///         let _ = unsafe { this.waiter().cancel(|_| {}) };
///     }
/// }
///
/// let event = Event(AtomicBool::new(false));
/// let mut waiting = std::pin::pin!(event.wait());
/// let mut cx = Context::from_waker(std::task::Waker::noop());
/// assert!(waiting.as_mut().poll(&mut cx).is_pending());
/// event.set();
/// assert!(waiting.as_mut().poll(&mut cx).is_ready());
/// ```
///
/// A waiter is `Send` and `Sync`, and not `Unpin`:
///
/// ```
/// fn crosses_threads<T: Send + Sync>() {}
/// crosses_threads::<parkade_core::TaskWaiter>();
/// ```
///
/// ```compile_fail,E0277
/// fn may_move_while_pinned<T: Unpin>() {}
/// may_move_while_pinned::<parkade_core::TaskWaiter>();
/// ```
pub struct TaskWaiter {
    node: TaskNode,
    _pinned: PhantomPinned,
}

// SAFETY: an idle waiter is plain data, and a waker. One that waits does not move (it is pinned); the thread that polls
// it may change, which orders its polls. What others do with the node is ordered by the bucket lock and N1.
unsafe impl Send for TaskWaiter {}
// SAFETY: a shared reference gives access to nothing but through functions that demand, as a duty of safety, that
// calls do not overlap.
unsafe impl Sync for TaskWaiter {}

/// How [`TaskWaiter::cancel`] has found the waiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a wake that nobody uses has to be passed on"]
pub enum Cancelled {
    /// It was not waiting.
    NotParked,
    /// It has left its queue; nobody had unparked it.
    Left,
    /// It was unparked, with this token, and has not been told so by a poll: the wake is to be used or passed on.
    Unparked(UnparkToken),
}

/// What a look at a waiter that waits has shown.
enum Look {
    Waits,
    Unparked(UnparkToken),
    /// This is a forked child, in whose table it is not queued.
    Forgotten,
}

impl TaskWaiter {
    crate::const_unless_loom! {
        /// A waiter that does not wait.
        #[inline(always)]
        #[must_use]
        pub fn new() -> TaskWaiter {
            TaskWaiter {
                node: TaskNode::new(),
                _pinned: PhantomPinned,
            }
        }
    }

    /// Whether it waits, or was unparked and no poll has told so.
    ///
    /// # Safety
    /// No other call to this waiter's functions is in progress.
    #[inline(always)]
    #[must_use]
    pub unsafe fn is_parked(&self) -> bool {
        self.node.is_parked()
    }

    /// When the last wait began that it has begun ([`Moment::NEVER`] if it has begun none); for who parks again and keeps its turn
    /// ([`ParkRequest::since`]).
    ///
    /// # Safety
    /// As for [`is_parked`](TaskWaiter::is_parked).
    #[must_use]
    pub unsafe fn since(&self) -> Moment {
        self.node.born().map_or(Moment::NEVER, Node::since)
    }

    /// What was noted last, 0 at first.
    ///
    /// A byte that is the builder's alone, which costs the future nothing: for one that waits for one thing after the other, say, and has to know
    /// for which.
    ///
    /// # Safety
    /// As for [`is_parked`](TaskWaiter::is_parked).
    #[inline(always)]
    #[must_use]
    pub unsafe fn noted(&self) -> u8 {
        self.node.note().get()
    }

    /// Notes something.
    ///
    /// # Safety
    /// As for [`is_parked`](TaskWaiter::is_parked).
    #[inline(always)]
    pub unsafe fn note(&self, note: u8) {
        self.node.note().set(note);
    }

    /// Parks the task as `request` says, or looks whether it was unparked.
    ///
    /// If it is not parked yet:
    /// 1. `validate` runs under the key's queue lock; if it returns `false` the call is ready at once, with
    ///    [`ParkResult::Invalid`]. Otherwise the task joins the queue, atomically with respect to every unpark of that key.
    /// 2. `before_sleep` runs after the lock is released. It may unpark, this task too.
    /// 3. The call is [`Poll::Pending`]. The waker in `cx` is woken once the task is unparked.
    ///
    /// If it is parked, `request` and the callbacks are ignored:
    /// * it was unparked: ready, with [`ParkResult::Unparked`], and not parked any more: it may park again, with another
    ///   request ([`Place::Front`](crate::Place::Front) for one that was woken, lost a race, and keeps its turn);
    /// * otherwise pending, and from now on the waker in `cx` is woken instead of the one before.
    ///
    /// There are no spurious `Unparked`s, and no `TimedOut`. A poll takes a queue lock for a short section, and otherwise does not
    /// block. If a callback panics the process aborts.
    ///
    /// In a forked child, a waiter that was queued before the fork parks anew: its place in the queue is gone with all
    /// others.
    ///
    /// # Panics
    /// If cloning or dropping a waker does: nothing is lost then, but the next poll should bring another waker. In debug builds,
    /// if the request has a deadline or asks for polling, which are for threads.
    ///
    /// # Safety
    /// 1. The request's key is an address the caller controls: others that use it would interfere.
    /// 2. `validate` runs under a queue lock. It does not call into this crate, does not panic, and returns
    ///    quickly.
    /// 3. `before_sleep` may unpark and requeue, but does not park and does not panic.
    /// 4. No other call to this waiter's functions is in progress: not on another thread, and not further up
    ///    on this one, in a callback or a waker.
    /// 5. Not called from a signal handler that may interrupt a call into this crate.
    pub unsafe fn poll_park(
        self: Pin<&Self>,
        cx: &mut Context<'_>,
        request: ParkRequest,
        validate: impl FnOnce() -> bool,
        before_sleep: impl FnOnce(),
    ) -> Poll<ParkResult> {
        debug_assert!(request.is_fit_for_task(), "deadlines and polling are for threads");
        let this = self.get_ref();
        if let Some(node) = this.parked() {
            match look(node, cx.waker()) {
                Look::Waits => return Poll::Pending,
                Look::Unparked(token) => return Poll::Ready(ParkResult::Unparked(token)),
                Look::Forgotten => {}
            }
        }
        // User code, as dropping it is: under no lock.
        let waker = cx.waker().clone();
        let no_unwind = AbortOnUnwind::IN_CALLBACK;
        let since = request.since.unwrap_or_else(Moment::now);
        let bucket = table::lock(request.key);
        if !validate() {
            drop(bucket);
            no_unwind.disarm();
            return Poll::Ready(ParkResult::Invalid);
        }
        let node = this.node.make();
        node.begin(request.key, request.token, since, waker);
        // SAFETY: the bucket is that of the node's key; the node is idle, and its memory is pinned: it stays until drop,
        // which unlinks it.
        unsafe { bucket.push(NonNull::from(node), request.place) };
        drop(bucket);

        before_sleep();
        observe::emit(|| Event::Parked { key: request.key, since });
        no_unwind.disarm();
        lookout::task_queued();
        if node.is_notified() {
            return Poll::Ready(ParkResult::Unparked(unparked(node)));
        }
        Poll::Pending
    }

    /// Ends the wait, if there is one, whatever its state. For the future's `drop`, and for one that changes its mind.
    ///
    /// A waiter that is queued leaves its queue, and `left` runs under the queue lock, to bring a word in line with
    /// the queue. One that was unparked is out of it already: then `left` does not run, and the caller has a wake that it
    /// uses or passes on.
    ///
    /// Never waits but for a queue lock. May be called at any time, and again. If `left` panics the process aborts.
    ///
    /// # Panics
    /// If dropping a waker does, once all is done.
    ///
    /// # Safety
    /// Duties 2 (for `left`), 4 and 5 of [`poll_park`](TaskWaiter::poll_park).
    pub unsafe fn cancel(self: Pin<&Self>, left: impl FnOnce(Departure)) -> Cancelled {
        self.get_ref().end_wait(left)
    }

    /// `drop`, while it is parked.
    #[cold]
    fn abandon(&self) {
        let found = self.end_wait(|_| {});
        debug_assert!(
            found == Cancelled::NotParked || std::thread::panicking(),
            "a task's waiter was dropped while it was parked, without `cancel`"
        );
    }

    /// The node of one that waits.
    fn parked(&self) -> Option<&Node> {
        self.node.born().filter(|_| self.node.is_parked())
    }

    fn end_wait(&self, left: impl FnOnce(Departure)) -> Cancelled {
        let Some(node) = self.parked() else {
            return Cancelled::NotParked;
        };
        if node.is_notified() {
            return Cancelled::Unparked(unparked(node));
        }
        // Dropped last, when nothing is locked or guarded any more.
        let _waker;
        let no_unwind = AbortOnUnwind::IN_CALLBACK;
        let mut was_listed = false;
        let bucket;
        if node.is_of_parent() {
            (was_listed, _waker) = node.disown();
            bucket = table::lock(node.key());
        } else {
            bucket = table::lock_of(node);
            match node.standing() {
                Standing::Queued => {
                    // SAFETY: queued, and this is its bucket.
                    unsafe { bucket.unlink(NonNull::from(node)) };
                    _waker = node.replace_waker(None);
                }
                Standing::Listed => {
                    // SAFETY: listed, and this is its bucket.
                    _waker = unsafe { bucket.leave_ring(node) };
                    was_listed = true;
                }
                Standing::Notified => was_listed = true,
            }
        }
        if was_listed {
            drop(bucket);
            no_unwind.disarm();
            return Cancelled::Unparked(unparked(node));
        }
        let key = node.key();
        left(Departure { key, have_more_threads: bucket.has_waiters(key) });
        drop(bucket);
        node.end();
        observe::emit(|| Event::Cancelled { key, since: node.since() });
        no_unwind.disarm();
        Cancelled::Left
    }
}

/// Looks at a waiter that waits, and sees to it that `current` is woken as long as it does.
fn look(node: &Node, current: &Waker) -> Look {
    if node.is_notified() {
        return Look::Unparked(unparked(node));
    }
    // A waker is cloned at most once, and only if another task polls than before; both it and
    // the one it replaces are dropped after the bucket lock.
    let mut fresh = None;
    loop {
        // Asked each time: to clone a waker is user code, which might fork.
        if node.is_of_parent() {
            let (listed, _waker) = node.disown();
            if listed {
                return Look::Unparked(unparked(node));
            }
            node.end();
            return Look::Forgotten;
        }
        let bucket = table::lock_of(node);
        let _waker = match node.standing() {
            Standing::Queued if node.wakes(current) => return Look::Waits,
            Standing::Queued if fresh.is_none() => {
                drop(bucket);
                fresh = Some(current.clone());
                continue;
            }
            Standing::Queued => {
                let old = node.replace_waker(fresh.take());
                if old.is_none() {
                    // It was nudged.
                    bucket.heard(node.key());
                }
                drop(bucket);
                drop(old);
                return Look::Waits;
            }
            // SAFETY: listed, and this is its bucket.
            Standing::Listed => unsafe { bucket.leave_ring(node) },
            Standing::Notified => None,
        };
        drop(bucket);
        return Look::Unparked(unparked(node));
    }
}

/// Ends a wait for the owner, who has seen that it is over: nobody else leads to the node.
fn unparked(node: &Node) -> UnparkToken {
    node.end();
    let no_unwind = AbortOnUnwind::IN_CALLBACK;
    observe::emit(|| Event::Unparked { key: node.key(), since: node.since() });
    no_unwind.disarm();
    node.unpark_token()
}

impl Drop for TaskWaiter {
    /// Takes a waiter out of its queue that its builder has left there: that keeps memory sound, but the word of the
    /// primitive is not brought in line, and a wake is lost. So debug builds panic.
    #[inline(always)]
    fn drop(&mut self) {
        let this: &TaskWaiter = self;
        if this.node.is_parked() {
            this.abandon();
        }
        #[cfg(loom)]
        this.node.make().retire();
    }
}

impl Default for TaskWaiter {
    fn default() -> TaskWaiter {
        TaskWaiter::new()
    }
}

impl fmt::Debug for TaskWaiter {
    /// Shows nothing: what is inside is its owner's to read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskWaiter").finish_non_exhaustive()
    }
}

/// With a reference to a lock and a word of its own a future has 128 bytes.
#[cfg(all(target_pointer_width = "64", not(loom)))]
const _: () = assert!(size_of::<TaskWaiter>() <= 112);
