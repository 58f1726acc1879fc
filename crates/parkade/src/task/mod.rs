//! Tasks that wait: what the futures of all locks have in common.
//!
//! # Theory
//!
//! A future *tries* as a thread does, *queues* with the node it contains ([`TaskWaiter`]), in the queue in which threads
//! stand, and is *woken* by the same releases. What differs is that nobody knows whether a task that was woken will be
//! polled, and when: its future may sit in a branch of a `select!` or in a collection that nobody polls, for ever. So no
//! lock ever relies on a task (RFD 609 of Oxide calls what comes of that a futurelock):
//!
//! 1. Nothing is handed to a task. It is woken when there is something to be had, and has it once it is polled and
//!    has taken it. Until then anybody may.
//! 2. A task that loses parks again, at the front.
//! 3. Who wakes the first in line and finds a task there wakes the first thread behind it too ([`first_in_line`]): that one
//!    will come, as on any release.
//! 4. Whatever a task was polled for: while it is queued it looks. What is free it takes, in or out of its turn, as anybody
//!    may who comes by.
//! 5. Tasks that sleep behind one that does not come are nudged by the table's lookout, so that they look.
//!
//! # Who wakes the next, by exit
//!
//! * it takes what it wants: its own release; also if a waker panics as it leaves the queue;
//! * it parks again: under the bucket lock it sees what keeps it out, whose release will see it;
//! * dropped in the queue: it held no wake. [`Queue::left`], then [`Queue::after_leaving`];
//! * dropped with a wake that no poll has seen, or unwinding with one (a waker that cannot be cloned): [`Queue::pass_on`];
//! * takes in passing what it has been woken for, too: the same;
//! * its announcement cannot be made binding (there is no fence): it queues, and is polled again and again for a while
//!   ([`UNBOUND`]);
//! * forgotten: it is queued for ever, and woken in its turn, in vain; see 3 to 5;
//! * forked: a child's future queues anew with its next poll; dropped, it leaves.

#[cfg(not(loom))]
pub(crate) mod send;

use core::{
    any::Any,
    cell::Cell,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};
use parkade_core::{
    Cancelled, DEFAULT_UNPARK_TOKEN, Departure, FilterOp, Moment, ParkRequest, ParkResult,
    ParkToken, Place, TaskWaiter, UnparkToken,
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    time::Duration,
};

/// The bit of a [`ParkToken`] that says "a task". Pointers to tickets have it to spare; numbers are shifted.
pub(crate) const TASK: usize = 1;

/// Whether who shows `token` is a task.
pub(crate) fn is_task(token: ParkToken) -> bool {
    token.0 & TASK != 0
}

/// How far behind a task a release looks for a thread. A queue of tasks alone pays for it at each release.
/// guess: eight lines of cache.
pub(crate) const REACH: u32 = 8;

/// Picks the first in line, and if that is a task the first thread behind it as well.
///
/// A thread that has more than [`REACH`] tasks before it is not found, and waits until one of them comes or leaves.
pub(crate) struct FirstInLine {
    picked: Line,
    reach: u32,
}

#[derive(Clone, Copy)]
enum Line {
    Nobody,
    /// A task; so many more may stand before the thread.
    Task(u32),
    Thread,
}

impl FirstInLine {
    pub(crate) fn new() -> FirstInLine {
        FirstInLine { picked: Line::Nobody, reach: REACH }
    }

    /// What becomes of the next.
    pub(crate) fn pick(&mut self, token: ParkToken) -> FilterOp {
        let (op, picked) = match (self.picked, is_task(token)) {
            (Line::Thread, _) | (Line::Task(0), true) => (FilterOp::Stop, self.picked),
            (Line::Nobody, true) => (FilterOp::Unpark, Line::Task(self.reach)),
            (Line::Task(more), true) => (FilterOp::Skip, Line::Task(more - 1)),
            (Line::Nobody | Line::Task(_), false) => (FilterOp::Unpark, Line::Thread),
        };
        self.picked = picked;
        op
    }
}

/// [`FirstInLine`], as a filter.
pub(crate) fn first_in_line() -> impl FnMut(ParkToken) -> FilterOp {
    first_in_line_within(REACH)
}

/// The same, for who looks `reach` tasks far.
pub(crate) fn first_in_line_within(reach: u32) -> impl FnMut(ParkToken) -> FilterOp {
    let mut line = FirstInLine { picked: Line::Nobody, reach };
    move |token| line.pick(token)
}

/// Does something when it is dropped: has a lock back for a guard that is still there, though a waker may have panicked.
pub(crate) struct Again<F: Fn()>(pub(crate) F);

impl<F: Fn()> Drop for Again<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// How a task comes to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It has not been queued yet.
    Newcomer,
    /// It is queued, and was polled without having been woken by a release.
    Queued,
    /// It was taken off the queue.
    Woken,
}

/// Whether releases are bound to see a task that queues now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bound {
    Yes,
    /// It has to look for itself, for a while.
    No,
}

/// What tasks can queue for.
pub(crate) trait Queue {
    /// What a task wants: how to hold a lock, how much of a semaphore.
    type Want: Copy;
    /// What it is told once it has it.
    type Got;

    /// Takes it if that is one step: what a future tries first of all.
    #[inline(always)]
    fn try_at_once(&self, want: Self::Want) -> Option<Self::Got> {
        let _ = want;
        None
    }

    /// Takes it, if it can be had. It does not poll as threads do: with tasks that hold their locks across an `await` the
    /// throughput is a quarter if it does, and elsewhere no better (`parkade bench --suite async --sweep spin_ns=0,300,3000`).
    fn try_take(&self, want: Self::Want, standing: Standing) -> Option<Self::Got>;

    /// Before a task queues; under no bucket lock.
    fn announce(&self) -> Bound {
        Bound::Yes
    }

    /// The key, and the token with its [`TASK`] bit.
    fn request(&self, want: Self::Want) -> ParkRequest;

    /// Under the bucket lock: makes the word ready for a task that queues, unless what it wants can be had now.
    fn prepare(&self, want: Self::Want, standing: Standing) -> bool;

    /// After a task has queued; under no bucket lock.
    fn after_queueing(&self, want: Self::Want, standing: Standing) {
        let _ = (want, standing);
    }

    /// A task was taken off the queue: whether it has what it wants with that (it was told so by who keeps nothing
    /// from others with it: "closed", "it is done").
    fn woken(&self, want: Self::Want, token: UnparkToken) -> Option<Self::Got> {
        let _ = (want, token);
        None
    }

    /// Under the bucket lock: a task has left the queue that nobody had woken.
    fn left(&self, want: Self::Want, departure: Departure);

    /// After `left`, with no bucket lock.
    fn after_leaving(&self, want: Self::Want) {
        let _ = want;
    }

    /// A task has been woken, and does not need it.
    fn pass_on(&self, want: Self::Want, token: UnparkToken);
}

/// What a future holds of what it waits for, and how it gives that back to its caller.
pub(crate) trait Handle {
    type Queue: Queue;
    type Output;

    fn queue(&self) -> &Self::Queue;

    fn want(&self) -> <Self::Queue as Queue>::Want;

    /// It has it.
    fn finish(self, got: <Self::Queue as Queue>::Got) -> Self::Output;
}

/// A future that waits in a [`Queue`].
///
/// Pinned from the first poll on. Others reach the waiter by pointer while its owner has a `Pin<&mut Self>`; so it is used
/// through a shared reference only (`TaskWaiter` says why that is enough), projected from the pinned one in one place.
pub(crate) struct Waiting<H: Handle> {
    /// Until it is ready.
    handle: Option<H>,
    waiter: TaskWaiter,
}

impl<H: Handle> Waiting<H> {
    #[inline(always)]
    pub(crate) fn new(handle: H) -> Waiting<H> {
        Waiting { handle: Some(handle), waiter: TaskWaiter::new() }
    }

    /// Whether it has been ready.
    pub(crate) fn is_over(&self) -> bool {
        self.handle.is_none()
    }

    /// For who waits for one thing after the other: takes it and puts another in its place, unless it is queued.
    #[cfg_attr(not(feature = "keyed"), expect(dead_code, reason = "nobody does"))]
    pub(crate) fn handle(self: Pin<&mut Self>) -> &mut Option<H> {
        self.project().0
    }

    #[inline(always)]
    fn project(self: Pin<&mut Self>) -> (&mut Option<H>, Pin<&TaskWaiter>) {
        // SAFETY: the waiter is not moved: it is only lent below, pinned as we are. The handle is not pinned.
        let this = unsafe { self.get_unchecked_mut() };
        // SAFETY: as above; it stays in its place until we are dropped, and `drop` takes it out of its queue.
        (&mut this.handle, unsafe { Pin::new_unchecked(&this.waiter) })
    }
}

impl<H: Handle> Future for Waiting<H> {
    type Output = H::Output;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<H::Output> {
        let (place, waiter) = self.project();
        let Some(handle) = place.as_ref() else {
            polled_too_often();
        };
        let (queue, want) = (handle.queue(), handle.want());
        // SAFETY: whoever polls a future has it exclusively, and no callback of ours comes back to it.
        let queued = unsafe { waiter.is_parked() };
        let at_once = if queued { None } else { queue.try_at_once(want) };
        let (got, panicked) = match at_once {
            Some(got) => (got, Panicked(None)),
            None => match poll_queue(queue, want, waiter, cx) {
                Poll::Ready(had) => had,
                Poll::Pending => return Poll::Pending,
            },
        };
        let Some(handle) = place.take() else {
            polled_too_often();
        };
        let output = handle.finish(got);
        match panicked.0 {
            None => Poll::Ready(output),
            Some(payload) => give_up(output, payload),
        }
    }
}

/// A poll that panics returns nothing, so what it got is given back.
#[cold]
fn give_up<O>(output: O, payload: Box<dyn Any + Send>) -> ! {
    drop(output);
    resume_unwind(payload)
}

#[cold]
pub(crate) fn polled_too_often() -> ! {
    panic!("a future was polled after it was ready");
}

impl<H: Handle> Drop for Waiting<H> {
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(handle) = &self.handle {
            // SAFETY: if it was ever polled it was pinned; it is not moved here.
            let waiter = unsafe { Pin::new_unchecked(&self.waiter) };
            leave(handle.queue(), handle.want(), waiter);
        }
    }
}

/// A wake that a task has received and neither used nor passed on yet.
struct Wake<'a, Q: Queue> {
    queue: &'a Q,
    want: Q::Want,
    token: Option<UnparkToken>,
}

impl<Q: Queue> Wake<'_, Q> {
    fn standing(&self) -> Standing {
        if self.token.is_some() { Standing::Woken } else { Standing::Newcomer }
    }
}

impl<Q: Queue> Drop for Wake<'_, Q> {
    fn drop(&mut self) {
        if let Some(token) = self.token.take() {
            self.queue.pass_on(self.want, token);
        }
    }
}

/// One poll of a task that wants `want`, and has `waiter` for no other queue meanwhile. With what it got may come a panic
/// of a waker, met as it left the queue: before that goes on, what it got is to be given back.
#[cold]
pub(crate) fn poll_queue<Q: Queue>(
    queue: &Q,
    want: Q::Want,
    waiter: Pin<&TaskWaiter>,
    cx: &mut Context<'_>,
) -> Poll<(Q::Got, Panicked)> {
    let mut wake = Wake { queue, want, token: None };
    // SAFETY: as in `poll`, which is our caller.
    let mut queued = unsafe { waiter.is_parked() };
    loop {
        let standing = wake.standing();
        if !queued && let Some(got) = queue.try_take(want, standing) {
            wake.token = None;
            return Poll::Ready((got, Panicked(None)));
        }
        let bound = queue.announce();
        let mut request = queue.request(want);
        if standing == Standing::Woken {
            // SAFETY: as above.
            request = request.place(Place::Front).since(unsafe { waiter.since() });
        }
        // SAFETY: (1) the key is the queue's own address. (2) `prepare` touches its word alone, (3) the other does
        // nothing. (4) Who polls has the future exclusively. (5) Futures are not polled in signal handlers.
        let poll =
            unsafe { waiter.poll_park(cx, request, || queue.prepare(want, standing), || {}) };
        match poll {
            Poll::Pending if queued => {
                let Some(got) = queue.try_take(want, Standing::Queued) else {
                    if bound == Bound::No {
                        look_again_soon(waiter, cx);
                    }
                    return Poll::Pending;
                };
                let left = Panicked::catch(|| leave(queue, want, waiter));
                return Poll::Ready((got, left));
            }
            Poll::Pending => {
                // What keeps it out will see to it.
                wake.token = None;
                queue.after_queueing(want, standing);
                if bound == Bound::No {
                    look_again_soon(waiter, cx);
                }
                return Poll::Pending;
            }
            Poll::Ready(ParkResult::Unparked(token)) => {
                wake.token = Some(token);
                if let Some(got) = queue.woken(want, token) {
                    wake.token = None;
                    return Poll::Ready((got, Panicked(None)));
                }
            }
            Poll::Ready(_) => {}
        }
        queued = false;
    }
}

/// For how long a task that is queued looks again and again, where no fence has made its announcement binding because the
/// system has none: a release that was under way has then been seen, or has seen it. guess: ten thousand times what a store takes to be
/// seen by others.
const UNBOUND: Duration = Duration::from_millis(1);

/// Has the task polled again, unless it has waited for long.
#[cold]
fn look_again_soon(waiter: Pin<&TaskWaiter>, cx: &Context<'_>) {
    // SAFETY: as in `poll`.
    let since = unsafe { waiter.since() };
    if Moment::now().since(since) < UNBOUND {
        cx.waker().wake_by_ref();
    }
}

/// Ends the wait of a task that has what it wants, or wants it no more.
#[cold]
pub(crate) fn leave<Q: Queue>(queue: &Q, want: Q::Want, waiter: Pin<&TaskWaiter>) {
    // SAFETY: `left` touches the word alone, and who drops or polls a future has it exclusively.
    let (found, panicked) = unsafe { cancel(waiter, |departure| queue.left(want, departure)) };
    match found {
        Cancelled::Unparked(token) => queue.pass_on(want, token),
        Cancelled::Left => queue.after_leaving(want),
        Cancelled::NotParked => {}
    }
    panicked.resume();
}

/// The panic of a waker that was dropped or woken.
#[must_use = "a panic is not to be lost"]
pub(crate) struct Panicked(Option<Box<dyn Any + Send>>);

impl Panicked {
    pub(crate) const NO: Panicked = Panicked(None);

    /// Calls what may wake tasks.
    pub(crate) fn catch(wake: impl FnOnce()) -> Panicked {
        Panicked(catch_unwind(AssertUnwindSafe(wake)).err())
    }

    pub(crate) fn has(&self) -> bool {
        self.0.is_some()
    }

    /// Goes on with it, once all is done that is to be done.
    pub(crate) fn resume(self) {
        if let Some(payload) = self.0 {
            resume_unwind(payload);
        }
    }
}

/// [`TaskWaiter::cancel`], which says how it has found the waiter even if it panics.
///
/// # Safety
/// As there; this is not called from a signal handler.
pub(crate) unsafe fn cancel(
    waiter: Pin<&TaskWaiter>,
    left: impl FnOnce(Departure),
) -> (Cancelled, Panicked) {
    let has_left = Cell::new(false);
    let left = |departure| {
        left(departure);
        has_left.set(true);
    };
    // SAFETY: the same duties.
    let cancel = || unsafe { waiter.cancel(left) };
    // A waker that panics when it is dropped does so when the wait is over.
    match catch_unwind(AssertUnwindSafe(cancel)) {
        Ok(found) => (found, Panicked(None)),
        Err(payload) if has_left.get() => (Cancelled::Left, Panicked(Some(payload))),
        Err(payload) => (Cancelled::Unparked(DEFAULT_UNPARK_TOKEN), Panicked(Some(payload))),
    }
}

/// Declares a public future around a [`Waiting`], or something like it that is named, with the handle that is given.
#[cfg(not(loom))]
macro_rules! future {
    (
        $(#[$doc:meta])*
        pub struct $name:ident[$($parameters:tt)*][$($arguments:tt)*]($handle:ty) -> $output:ty;
    ) => {
        $crate::task::future! {
            $(#[$doc])*
            pub struct $name[$($parameters)*][$($arguments)*]
                ($handle) in ($crate::task::Waiting<$handle>) -> $output;
        }
    };
    (
        $(#[$doc:meta])*
        pub struct $name:ident[$($parameters:tt)*][$($arguments:tt)*]
            ($handle:ty) in ($waiting:ty) -> $output:ty;
    ) => {
        $(#[$doc])*
        #[must_use = "futures do nothing unless they are polled"]
        pub struct $name<$($parameters)*>($waiting);

        impl<$($parameters)*> $name<$($arguments)*> {
            #[inline(always)]
            pub(crate) fn new(handle: $handle) -> Self {
                $name(<$waiting>::new(handle))
            }

            /// Whether it has been ready: to poll it again would panic.
            #[must_use]
            pub fn is_terminated(&self) -> bool {
                self.0.is_over()
            }
        }

        impl<$($parameters)*> ::core::future::Future for $name<$($arguments)*> {
            type Output = $output;

            #[inline(always)]
            fn poll(
                self: ::core::pin::Pin<&mut Self>,
                cx: &mut ::core::task::Context<'_>,
            ) -> ::core::task::Poll<$output> {
                // SAFETY: the only field, which is pinned as we are.
                unsafe { self.map_unchecked_mut(|this| &mut this.0) }.poll(cx)
            }
        }

        impl<$($parameters)*> ::core::fmt::Debug for $name<$($arguments)*> {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    };
}

#[cfg(not(loom))]
pub(crate) use future;
