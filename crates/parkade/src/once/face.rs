//! The public face of the raw `Once`: [`Once`] and [`OnceState`].

use super::future::{At, Found};
use super::raw::{Poisoned, RawOnce, Waited};
use super::state::{Aim, Before, End, Phase, Poison, Wish};
use crate::task::{Handle, future};
use core::fmt;
use parkade_core::Moment;
use std::time::{Duration, Instant};

/// Runs one closure, once, however many threads ask for it.
///
/// The methods are those of `parking_lot`'s `Once`, `std`'s `wait` included, and waits with a timeout.
/// To initialise a value use [`OnceLock`](crate::OnceLock) or [`LazyLock`](crate::LazyLock).
///
/// * **Blocking**: [`call_once`](Once::call_once) returns when a closure has run to its end, here or on
///   another thread; [`wait`](Once::wait) when one has on another thread, which has yet to begin,
///   perhaps. Both poll for a while if a closure is running, then sleep. When it is complete they cost
///   one load and a comparison.
/// * **Tasks**: [`wait_async`](Once::wait_async) waits without a thread. If the waker of a task panics, so does the call that
///   wakes it, once all were woken.
/// * **Visibility**: what the closure has written is visible to whoever has seen the `Once` complete.
/// * **Fairness**: completion wakes everybody. If a closure panics, one of those who wait to run one is
///   woken to do so; a newcomer may be faster.
/// * **Panics**: a panic in the closure poisons the `Once`: `call_once` and `wait` panic from then on,
///   also for those who wait already, until [`call_once_force`](Once::call_once_force) has run a
///   closure to its end. A closure that waits for its own `Once` would wait for ever; it panics instead,
///   with the place of both calls, and so poisons it. Two closures on two threads that wait for each
///   other's `Once` are not found.
/// * **Forks**: in the child of a fork a `Once` goes on if the forking thread was running its
///   closure, or nobody was. What another thread was running never ends there: whoever waits for it waits
///   for ever, and [`state`](Once::state) says [`InProgress`](OnceState::InProgress).
/// * **Cost**: one byte. Nothing allocates but a panic. `new` is `const`.
///
/// ```
/// use parkade::Once;
///
/// static START: Once = Once::new();
/// static LOG: parkade::Mutex<Vec<&str>> = parkade::Mutex::new(Vec::new());
///
/// std::thread::scope(|scope| {
///     for _ in 0..4 {
///         scope.spawn(|| START.call_once(|| LOG.lock().push("started")));
///     }
/// });
/// assert_eq!(*LOG.lock(), ["started"]);
/// assert!(START.is_completed());
/// ```
pub struct Once {
    raw: RawOnce,
}

/// Where the closure of a [`Once`] is.
///
/// ```
/// use parkade::{Once, OnceState};
///
/// let once = Once::new();
/// assert_eq!(once.state(), OnceState::New);
/// once.call_once(|| assert_eq!(once.state(), OnceState::InProgress));
/// assert_eq!(once.state(), OnceState::Done);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnceState {
    /// None was called yet.
    New,
    /// The last one that was called has panicked.
    Poisoned,
    /// One is running.
    InProgress,
    /// One has run to its end.
    Done,
}

impl OnceState {
    /// Whether this is [`Poisoned`](OnceState::Poisoned). The state that
    /// [`call_once_force`](Once::call_once_force) passes to its closure is that from before the call.
    ///
    /// ```
    /// use parkade::Once;
    ///
    /// let once = Once::new();
    /// once.call_once_force(|state| assert!(!state.is_poisoned()));
    /// ```
    #[inline]
    #[must_use]
    pub const fn is_poisoned(self) -> bool {
        matches!(self, OnceState::Poisoned)
    }

    /// The same as [`is_poisoned`](OnceState::is_poisoned).
    ///
    /// ```
    /// assert!(parkade::OnceState::Poisoned.poisoned());
    /// ```
    #[inline]
    #[must_use]
    pub const fn poisoned(self) -> bool {
        self.is_poisoned()
    }

    /// Whether this is [`Done`](OnceState::Done).
    ///
    /// ```
    /// assert!(!parkade::OnceState::InProgress.is_completed());
    /// ```
    #[inline]
    #[must_use]
    pub const fn is_completed(self) -> bool {
        matches!(self, OnceState::Done)
    }

    /// The same as [`is_completed`](OnceState::is_completed).
    ///
    /// ```
    /// assert!(parkade::OnceState::Done.done());
    /// ```
    #[inline]
    #[must_use]
    pub const fn done(self) -> bool {
        self.is_completed()
    }
}

impl From<Phase> for OnceState {
    #[inline]
    fn from(phase: Phase) -> OnceState {
        match phase {
            Phase::New => OnceState::New,
            Phase::Poisoned => OnceState::Poisoned,
            Phase::Running => OnceState::InProgress,
            Phase::Done => OnceState::Done,
        }
    }
}

impl From<Before> for OnceState {
    #[inline]
    fn from(before: Before) -> OnceState {
        match before {
            Before::New => OnceState::New,
            Before::Poisoned => OnceState::Poisoned,
        }
    }
}

impl Once {
    /// A `Once` for which no closure was called yet.
    ///
    /// ```
    /// static ONCE: parkade::Once = parkade::Once::new();
    /// assert!(!ONCE.is_completed());
    /// ```
    #[inline]
    #[must_use]
    pub const fn new() -> Once {
        Once { raw: RawOnce::new() }
    }

    /// A `Once` that is complete.
    ///
    /// ```
    /// let once = parkade::Once::new_completed();
    /// once.call_once(|| unreachable!());
    /// ```
    #[inline]
    #[must_use]
    pub const fn new_completed() -> Once {
        Once { raw: RawOnce::new_completed() }
    }

    /// Where its closure is. Another thread may change that at any time, unless it is
    /// [`Done`](OnceState::Done).
    ///
    /// ```
    /// use parkade::{Once, OnceState};
    ///
    /// assert_eq!(Once::new().state(), OnceState::New);
    /// ```
    #[inline]
    #[must_use]
    pub fn state(&self) -> OnceState {
        self.raw.phase().into()
    }

    /// Whether a closure has run to its end. If so, what it has written is visible.
    ///
    /// ```
    /// let once = parkade::Once::new();
    /// once.call_once(|| assert!(!once.is_completed()));
    /// assert!(once.is_completed());
    /// ```
    #[inline]
    #[must_use]
    pub fn is_completed(&self) -> bool {
        self.raw.is_completed()
    }

    /// Calls `initialise`, unless a closure has run already; waits for one that is running.
    ///
    /// # Panics
    /// * If a closure has panicked and none has run to its end since.
    /// * If this is called by the very closure that it would wait for.
    ///
    /// ```
    /// let (once, mut calls) = (parkade::Once::new(), 0);
    /// once.call_once(|| calls += 1);
    /// once.call_once(|| calls += 1);
    /// assert_eq!(calls, 1);
    /// ```
    #[inline]
    #[track_caller]
    pub fn call_once<F: FnOnce()>(&self, initialise: F) {
        if !self.raw.is_completed() {
            self.call(Poison::Heed, |_| initialise());
        }
    }

    /// As [`call_once`](Once::call_once), but a panic of an earlier closure is no error; `initialise` is
    /// told of it.
    ///
    /// # Panics
    /// If this is called by the very closure that it would wait for.
    ///
    /// ```
    /// use std::panic::{AssertUnwindSafe, catch_unwind};
    ///
    /// let once = parkade::Once::new();
    /// let call = AssertUnwindSafe(|| once.call_once(|| panic!("no luck")));
    /// assert!(catch_unwind(call).is_err());
    ///
    /// once.call_once_force(|state| assert!(state.is_poisoned()));
    /// assert!(once.is_completed());
    /// ```
    #[inline]
    #[track_caller]
    pub fn call_once_force<F: FnOnce(OnceState)>(&self, initialise: F) {
        if !self.raw.is_completed() {
            self.call(Poison::Ignore, initialise);
        }
    }

    #[cold]
    #[track_caller]
    fn call(&self, poison: Poison, initialise: impl FnOnce(OnceState)) {
        let mut initialise = Some(initialise);
        let ran = self.raw.run(poison, &mut |before| {
            initialise.take().expect("called once")(before.into());
            End::Done
        });
        if ran == Err(Poisoned) {
            panic_poisoned();
        }
    }

    /// Waits until a closure has run to its end on another thread, which may have yet to call it.
    ///
    /// # Panics
    /// * If a closure has panicked and none has run to its end since.
    /// * If this is called by the very closure that it would wait for.
    ///
    /// ```
    /// let ready = parkade::Once::new();
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| ready.call_once(|| {}));
    ///     ready.wait();
    /// });
    /// ```
    #[inline]
    #[track_caller]
    pub fn wait(&self) {
        if !self.raw.is_completed() {
            self.wait_slow(Poison::Heed, None);
        }
    }

    /// As [`wait`](Once::wait), but goes on waiting if a closure panics.
    ///
    /// # Panics
    /// If this is called by the very closure that it would wait for.
    ///
    /// ```
    /// let ready = parkade::Once::new_completed();
    /// ready.wait_force();
    /// ```
    #[inline]
    #[track_caller]
    pub fn wait_force(&self) {
        if !self.raw.is_completed() {
            self.wait_slow(Poison::Ignore, None);
        }
    }

    /// As [`wait`](Once::wait), for `timeout` at most; whether it is complete.
    ///
    /// ```
    /// let never = parkade::Once::new();
    /// assert!(!never.wait_for(std::time::Duration::from_millis(1)));
    /// ```
    ///
    /// # Panics
    /// As [`wait`](Once::wait).
    #[inline]
    #[track_caller]
    #[must_use = "it may have timed out"]
    pub fn wait_for(&self, timeout: Duration) -> bool {
        self.raw.is_completed()
            || self.wait_slow(Poison::Heed, Some(Moment::after(timeout))) == Waited::Done
    }

    /// As [`wait`](Once::wait), until `deadline` at the latest; whether it is complete.
    ///
    /// ```
    /// let ready = parkade::Once::new_completed();
    /// assert!(ready.wait_until(std::time::Instant::now()));
    /// ```
    ///
    /// # Panics
    /// As [`wait`](Once::wait).
    #[inline]
    #[track_caller]
    #[must_use = "it may have timed out"]
    pub fn wait_until(&self, deadline: Instant) -> bool {
        self.raw.is_completed()
            || self.wait_slow(Poison::Heed, Some(Moment::at(deadline))) == Waited::Done
    }

    /// As [`wait`](Once::wait), as a task does. Any executor will do; for a timeout, drop the future when the time is up.
    ///
    /// ```
    /// let ready = parkade::Once::new();
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| ready.call_once(|| {}));
    ///     futures::executor::block_on(ready.wait_async());
    /// });
    /// ```
    ///
    /// # Panics
    /// The future does, if a closure has panicked and none has run to its end since.
    #[inline]
    pub fn wait_async(&self) -> WaitOnce<'_> {
        WaitOnce::new(Watcher(At(&self.raw)))
    }

    #[track_caller]
    fn wait_slow(&self, poison: Poison, deadline: Option<Moment>) -> Waited {
        match self.raw.wait(poison, deadline) {
            Ok(waited) => waited,
            Err(Poisoned) => panic_poisoned(),
        }
    }
}

future! {
    /// Waits for a [`Once`]: the future of [`wait_async`](Once::wait_async).
    pub struct WaitOnce['a]['a](Watcher<'a>) -> ();
}

/// A task that waits for a closure to run to its end.
pub(crate) struct Watcher<'a>(At<'a, RawOnce>);

impl<'a> Handle for Watcher<'a> {
    type Queue = At<'a, RawOnce>;
    type Output = ();

    fn queue(&self) -> &At<'a, RawOnce> {
        &self.0
    }

    fn want(&self) -> Wish {
        Wish { aim: Aim::Wait, poison: Poison::Heed }
    }

    fn finish(self, found: Found<'a>) {
        match found {
            Found::Done => {}
            Found::Poisoned => panic_poisoned(),
            Found::Begun(_) => unreachable!("it only waits"),
        }
    }
}

#[cold]
#[track_caller]
pub(super) fn panic_poisoned() -> ! {
    panic!("the initialisation was tried before, and panicked");
}

impl Default for Once {
    fn default() -> Once {
        Once::new()
    }
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once").field("state", &self.state()).finish()
    }
}
