//! [`Once`] and its state.

use core::fmt;
use std::time::{Duration, Instant};

/// A [`parkade::Once`](crate::Once) with the face of [`std::sync::Once`].
///
/// * **Blocking, visibility, fairness, cost, `fork`**: as [`parkade::Once`](crate::Once), which this is.
/// * **Poisoning**: a panic in the closure poisons it: [`call_once`](Once::call_once) and
///   [`wait`](Once::wait) panic, until [`call_once_force`](Once::call_once_force) has run a closure to its end.
/// * **Timeouts**: [`wait_for`](Once::wait_for) and [`wait_until`](Once::wait_until) are ours; `std` has no
///   such thing.
/// * **Panics**: besides, a closure that waits for its own `Once` panics, with the place of both calls.
///   `std`'s waits for ever.
///
/// ```
/// use parkade::poison::Once;
///
/// static START: Once = Once::new();
///
/// fn start() -> bool {
///     let mut first = false;
///     START.call_once(|| first = true);
///     first
/// }
///
/// assert!(start());
/// assert!(!start());
/// ```
pub struct Once(crate::Once);

/// What [`Once::call_once_force`] tells its closure.
///
/// ```
/// use parkade::poison::Once;
///
/// let once = Once::new();
/// once.call_once_force(|state| assert_eq!(format!("{state:?}"), "OnceState { poisoned: false }"));
/// ```
#[derive(Debug)]
pub struct OnceState {
    poisoned: bool,
}

impl OnceState {
    /// Whether the closure before has panicked.
    ///
    /// ```
    /// let once = parkade::poison::Once::new();
    /// once.call_once_force(|state| assert!(!state.is_poisoned()));
    /// ```
    #[inline]
    pub fn is_poisoned(&self) -> bool {
        self.poisoned
    }
}

impl Once {
    /// A `Once` for which no closure was called yet.
    ///
    /// ```
    /// static ONCE: parkade::poison::Once = parkade::poison::Once::new();
    /// assert!(!ONCE.is_completed());
    /// ```
    #[allow(clippy::new_without_default, reason = "`std`'s has none")]
    #[inline]
    #[must_use]
    pub const fn new() -> Once {
        Once(crate::Once::new())
    }

    /// Calls `f`, unless a closure has run already; waits for one that is running.
    ///
    /// # Panics
    /// * If a closure has panicked and none has run to its end since.
    /// * If this is called by the very closure that it would wait for.
    ///
    /// ```
    /// let (once, mut calls) = (parkade::poison::Once::new(), 0);
    /// once.call_once(|| calls += 1);
    /// once.call_once(|| calls += 1);
    /// assert_eq!(calls, 1);
    /// ```
    #[inline]
    #[track_caller]
    pub fn call_once<F>(&self, f: F)
    where
        F: FnOnce(),
    {
        self.0.call_once(f);
    }

    /// As [`call_once`](Once::call_once), but a panic of an earlier closure is no error; `f` is told of it.
    ///
    /// # Panics
    /// If this is called by the very closure that it would wait for.
    ///
    /// ```
    /// let once = parkade::poison::Once::new();
    /// std::panic::catch_unwind(|| once.call_once(|| panic!("no luck"))).unwrap_err();
    ///
    /// once.call_once_force(|state| assert!(state.is_poisoned()));
    /// assert!(once.is_completed());
    /// ```
    #[inline]
    #[track_caller]
    pub fn call_once_force<F>(&self, f: F)
    where
        F: FnOnce(&OnceState),
    {
        self.0.call_once_force(|state| f(&OnceState { poisoned: state.is_poisoned() }));
    }

    /// Whether a closure has run to its end. If so, what it has written is visible.
    ///
    /// ```
    /// let once = parkade::poison::Once::new();
    /// once.call_once(|| assert!(!once.is_completed()));
    /// assert!(once.is_completed());
    /// ```
    #[inline]
    pub fn is_completed(&self) -> bool {
        self.0.is_completed()
    }

    /// Waits until a closure has run to its end on another thread, which may have yet to call it.
    ///
    /// # Panics
    /// * If a closure has panicked and none has run to its end since.
    /// * If this is called by the very closure that it would wait for.
    ///
    /// ```
    /// let ready = parkade::poison::Once::new();
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| ready.call_once(|| {}));
    ///     ready.wait();
    /// });
    /// ```
    #[inline]
    #[track_caller]
    pub fn wait(&self) {
        self.0.wait();
    }

    /// As [`wait`](Once::wait), but goes on waiting if a closure panics.
    ///
    /// # Panics
    /// If this is called by the very closure that it would wait for.
    ///
    /// ```
    /// let ready = parkade::poison::Once::new();
    /// std::panic::catch_unwind(|| ready.call_once(|| panic!("no luck"))).unwrap_err();
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| ready.call_once_force(|_| {}));
    ///     ready.wait_force();
    /// });
    /// ```
    #[inline]
    #[track_caller]
    pub fn wait_force(&self) {
        self.0.wait_force();
    }

    /// As [`wait`](Once::wait), for `timeout` at most; whether it is complete. `std` lacks this.
    ///
    /// # Panics
    /// As [`wait`](Once::wait).
    ///
    /// ```
    /// let never = parkade::poison::Once::new();
    /// assert!(!never.wait_for(std::time::Duration::from_millis(1)));
    /// ```
    #[inline]
    #[track_caller]
    #[must_use = "it may have timed out"]
    pub fn wait_for(&self, timeout: Duration) -> bool {
        self.0.wait_for(timeout)
    }

    /// As [`wait_for`](Once::wait_for), up to a moment on the monotonic clock.
    ///
    /// # Panics
    /// As [`wait`](Once::wait).
    ///
    /// ```
    /// let ready = parkade::poison::Once::new();
    /// ready.call_once(|| {});
    /// assert!(ready.wait_until(std::time::Instant::now()));
    /// ```
    #[inline]
    #[track_caller]
    #[must_use = "it may have timed out"]
    pub fn wait_until(&self, deadline: Instant) -> bool {
        self.0.wait_until(deadline)
    }
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once").finish_non_exhaustive()
    }
}
