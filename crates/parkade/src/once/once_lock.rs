//! [`OnceLock`]: a value that is written once.

use super::{
    future::{At, Found, Init},
    raw::{Poisoned, Waited},
    slot::{self, Held, Slot},
    state::{Aim, Poison, Wish},
};
use crate::task::{Handle, future};
use core::{
    convert::Infallible,
    fmt,
    future::Future,
    panic::RefUnwindSafe,
    pin::Pin,
    task::{Context, Poll},
};
use parkade_core::Moment;
use std::{
    panic::UnwindSafe,
    time::{Duration, Instant},
};

/// A value that is written once and then shared.
///
/// The methods are those of [`std::sync::OnceLock`], those which are not stable there included, and waits
/// with a timeout.
///
/// * **Blocking**: [`get`](OnceLock::get) never does. [`get_or_init`](OnceLock::get_or_init) and
///   [`set`](OnceLock::set) wait for an initialisation that is running, [`wait`](OnceLock::wait) also
///   for one that has yet to begin, as [`Once`](crate::Once) does. To find the value there costs one load and
///   a comparison.
/// * **Fairness**: the value wakes everybody. If an initialisation fails, one of those who have come with
///   another is woken to try it.
/// * **Panics**: a panic or an error of an initialisation leaves the `OnceLock` empty; there is no
///   poisoning. An initialisation that asks for its own value would wait for ever; it panics instead,
///   with the place of both calls. Two initialisations on two threads that wait for each other are
///   not found.
/// * **Tasks**: [`get_or_init_async`](OnceLock::get_or_init_async), [`get_or_try_init_async`](OnceLock::get_or_try_init_async) and
///   [`wait_async`](OnceLock::wait_async) wait without a thread, in the same queue, and may be mixed with all that blocks. A future that
///   initialises keeps the others waiting until it is ready or dropped, polled or not, just as a closure does until it
///   returns. So do not block on a thread that has to poll the initialisation (of a runtime with one thread, say) but wait as a
///   task. One that waits keeps nobody else waiting, whether it is polled, dropped or forgotten, and tasks that wait to
///   try after a failure, behind one that is not polled, do so for no longer than the table's lookout takes to notice.
/// * **Forks**: as for [`Once`](crate::Once).
/// * **Cost**: one byte beside the value. Nothing allocates but a panic. `new` is `const`.
///
/// ```
/// use parkade::OnceLock;
///
/// static NAME: OnceLock<String> = OnceLock::new();
///
/// assert_eq!(NAME.get(), None);
/// assert_eq!(NAME.get_or_init(|| "first".to_owned()), "first");
/// assert_eq!(NAME.get_or_init(|| "second".to_owned()), "first");
/// assert_eq!(NAME.set("third".to_owned()), Err("third".to_owned()));
/// ```
///
/// What is shared must be fit for it:
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>(_: T) {}
/// shared(parkade::OnceLock::<std::cell::Cell<u8>>::new());
/// ```
///
/// What looks at others when it is dropped may not outlive them:
///
/// ```compile_fail,E0597
/// struct Shows<'a>(&'a String);
/// impl Drop for Shows<'_> {
///     fn drop(&mut self) {
///         println!("{}", self.0);
///     }
/// }
/// let lock = parkade::OnceLock::new();
/// let text = String::from("gone before the lock is");
/// lock.get_or_init(|| Shows(&text));
/// ```
pub struct OnceLock<T> {
    slot: Slot<(), T>,
}

impl<T> OnceLock<T> {
    /// An empty one.
    ///
    /// ```
    /// static EMPTY: parkade::OnceLock<u8> = parkade::OnceLock::new();
    /// assert_eq!(EMPTY.get(), None);
    /// ```
    #[inline]
    #[must_use]
    pub const fn new() -> OnceLock<T> {
        OnceLock { slot: Slot::new(()) }
    }

    /// The value, if it is there. Never blocks.
    ///
    /// ```
    /// assert_eq!(parkade::OnceLock::from(5).get(), Some(&5));
    /// ```
    #[inline]
    pub fn get(&self) -> Option<&T> {
        self.slot.get()
    }

    /// The value, if it is there, to change.
    ///
    /// ```
    /// let mut five = parkade::OnceLock::from(5);
    /// *five.get_mut().unwrap() += 1;
    /// assert_eq!(five.get(), Some(&6));
    /// ```
    #[inline]
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.slot.get_mut()
    }

    /// Waits until the value is there; another thread may have yet to begin with it.
    ///
    /// # Panics
    /// If this is called by the very initialisation that it would wait for.
    ///
    /// ```
    /// let answer = parkade::OnceLock::new();
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| answer.set(42));
    ///     assert_eq!(*answer.wait(), 42);
    /// });
    /// ```
    #[inline]
    #[track_caller]
    pub fn wait(&self) -> &T {
        match self.get() {
            Some(value) => value,
            None => self.wait_slow(None).expect("there is no deadline"),
        }
    }

    /// As [`wait`](OnceLock::wait), for `timeout` at most; `None` if the value is not there by then.
    ///
    /// ```
    /// let never = parkade::OnceLock::<u8>::new();
    /// assert_eq!(never.wait_for(std::time::Duration::from_millis(1)), None);
    /// ```
    ///
    /// # Panics
    /// As [`wait`](OnceLock::wait).
    #[inline]
    #[track_caller]
    pub fn wait_for(&self, timeout: Duration) -> Option<&T> {
        if let Some(value) = self.get() {
            return Some(value);
        }
        self.wait_slow(Some(Moment::after(timeout)))
    }

    /// As [`wait`](OnceLock::wait), until `deadline` at the latest; `None` if the value is not there by
    /// then.
    ///
    /// ```
    /// let five = parkade::OnceLock::from(5);
    /// assert_eq!(five.wait_until(std::time::Instant::now()), Some(&5));
    /// ```
    ///
    /// # Panics
    /// As [`wait`](OnceLock::wait).
    #[inline]
    #[track_caller]
    pub fn wait_until(&self, deadline: Instant) -> Option<&T> {
        if let Some(value) = self.get() {
            return Some(value);
        }
        self.wait_slow(Some(Moment::at(deadline)))
    }

    #[track_caller]
    fn wait_slow(&self, deadline: Option<Moment>) -> Option<&T> {
        match self.slot.once().wait(Poison::Ignore, deadline) {
            Ok(Waited::Done) => self.get(),
            Ok(Waited::TimedOut) | Err(Poisoned) => None,
        }
    }

    /// Puts `value` in, unless one is there.
    ///
    /// Waits for an initialisation that is running.
    ///
    /// # Errors
    /// Gives `value` back if one is there.
    ///
    /// # Panics
    /// If this is called by the very initialisation that it would wait for.
    ///
    /// ```
    /// let lock = parkade::OnceLock::new();
    /// assert_eq!(lock.set(1), Ok(()));
    /// assert_eq!(lock.set(2), Err(2));
    /// ```
    #[inline]
    #[track_caller]
    pub fn set(&self, value: T) -> Result<(), T> {
        self.try_insert(value).map(|_| ()).map_err(|(_, value)| value)
    }

    /// As [`set`](OnceLock::set), and returns the value that is there now.
    ///
    /// # Errors
    /// If one is there: that one, and `value` back.
    ///
    /// # Panics
    /// As [`set`](OnceLock::set).
    ///
    /// ```
    /// let lock = parkade::OnceLock::new();
    /// assert_eq!(lock.try_insert(1), Ok(&1));
    /// assert_eq!(lock.try_insert(2), Err((&1, 2)));
    /// ```
    #[inline]
    #[track_caller]
    pub fn try_insert(&self, value: T) -> Result<&T, (&T, T)> {
        let mut value = Some(value);
        let there = self.get_or_init(|| value.take().expect("called once"));
        match value {
            None => Ok(there),
            Some(value) => Err((there, value)),
        }
    }

    /// The value; made by `make` if it is not there.
    ///
    /// Of several threads one calls its closure, and the others wait for it. If it panics, the panic goes
    /// on to its caller, and another calls its own.
    ///
    /// # Panics
    /// * If `make` does.
    /// * If this is called by the very initialisation that it would wait for.
    ///
    /// ```
    /// let lock = parkade::OnceLock::new();
    /// assert_eq!(lock.get_or_init(|| 1), &1);
    /// assert_eq!(lock.get_or_init(|| unreachable!()), &1);
    /// ```
    #[inline]
    #[track_caller]
    pub fn get_or_init<F: FnOnce() -> T>(&self, make: F) -> &T {
        match self.get() {
            Some(value) => value,
            None => self.slot.initialise(make),
        }
    }

    /// As [`get_or_init`](OnceLock::get_or_init), with a closure that may fail.
    ///
    /// # Errors
    /// That of `make`. The `OnceLock` stays empty, and if others wait to initialise it one of them
    /// tries.
    ///
    /// # Panics
    /// As [`get_or_init`](OnceLock::get_or_init).
    ///
    /// ```
    /// let lock = parkade::OnceLock::<u8>::new();
    /// assert!(lock.get_or_try_init(|| "x".parse()).is_err());
    /// assert_eq!(lock.get_or_try_init(|| "5".parse()), Ok(&5));
    /// ```
    #[inline]
    #[track_caller]
    pub fn get_or_try_init<F, E>(&self, make: F) -> Result<&T, E>
    where
        F: FnOnce() -> Result<T, E>,
    {
        match self.get() {
            Some(value) => Ok(value),
            None => self.slot.try_initialise(make),
        }
    }

    /// Waits until the value is there, as a task does. Any executor will do; for a timeout, drop the future when the time is
    /// up.
    ///
    /// An initialisation that waits for its own value waits for ever.
    ///
    /// ```
    /// let answer = parkade::OnceLock::new();
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| answer.set(42));
    ///     assert_eq!(*futures::executor::block_on(answer.wait_async()), 42);
    /// });
    /// ```
    #[inline]
    pub fn wait_async(&self) -> WaitOnceLock<'_, T> {
        WaitOnceLock::new(Watcher(At(&self.slot)))
    }

    /// The value; if it is not there, made by the future that `make` returns.
    ///
    /// Of several tasks and threads one makes it, and the others wait for it. `make` is called when it is this one's turn. If
    /// then this future is dropped before it is ready, or panics, the `OnceLock` is empty as before, and another makes
    /// the value: the next who comes, or if others wait to make it, one of them is woken to try.
    ///
    /// # Panics
    /// The future does, if `make` does or what it has returned. There, a call that would block for this very value
    /// ([`get_or_init`](OnceLock::get_or_init), [`wait`](OnceLock::wait)) panics instead. To *await* it there is not found, and waits for ever.
    ///
    /// ```
    /// use parkade::OnceLock;
    ///
    /// static NAME: OnceLock<String> = OnceLock::new();
    ///
    /// async fn name() -> &'static str {
    ///     NAME.get_or_init_async(async || "looked up".to_owned()).await
    /// }
    ///
    /// assert_eq!(futures::executor::block_on(name()), "looked up");
    /// assert_eq!(NAME.get_or_init(|| unreachable!()), "looked up");
    /// ```
    #[inline]
    pub fn get_or_init_async<F, Fut>(&self, make: F) -> GetOrInit<'_, T, F, Fut>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = T>,
    {
        GetOrInit(Init::new(&self.slot, make))
    }

    /// As [`get_or_init_async`](OnceLock::get_or_init_async), with a future that may fail.
    ///
    /// # Errors
    /// That of the future. The `OnceLock` stays empty, and if others wait to initialise it one of them tries.
    ///
    /// # Panics
    /// As [`get_or_init_async`](OnceLock::get_or_init_async).
    ///
    /// ```
    /// use futures::executor::block_on;
    ///
    /// let lock = parkade::OnceLock::<u8>::new();
    /// assert!(block_on(lock.get_or_try_init_async(async || "x".parse())).is_err());
    /// assert_eq!(block_on(lock.get_or_try_init_async(async || "5".parse())), Ok(&5));
    /// ```
    #[inline]
    pub fn get_or_try_init_async<F, Fut, E>(&self, make: F) -> GetOrTryInit<'_, T, F, Fut>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        GetOrTryInit(Init::new(&self.slot, make))
    }

    /// The value, to change; made by `make` if it is not there.
    ///
    /// ```
    /// let mut lock = parkade::OnceLock::new();
    /// *lock.get_mut_or_init(|| 1) += 1;
    /// assert_eq!(lock.get(), Some(&2));
    /// ```
    #[inline]
    pub fn get_mut_or_init<F: FnOnce() -> T>(&mut self, make: F) -> &mut T {
        let Ok(value) = self.get_mut_or_try_init(|| Ok::<T, Infallible>(make()));
        value
    }

    /// The value, to change; made by `make` if it is not there.
    ///
    /// # Errors
    /// That of `make`. The `OnceLock` stays empty.
    ///
    /// ```
    /// let mut lock = parkade::OnceLock::<u8>::new();
    /// assert!(lock.get_mut_or_try_init(|| "x".parse()).is_err());
    /// assert_eq!(lock.get_mut_or_try_init(|| "5".parse()), Ok(&mut 5));
    /// ```
    #[inline]
    pub fn get_mut_or_try_init<F, E>(&mut self, make: F) -> Result<&mut T, E>
    where
        F: FnOnce() -> Result<T, E>,
    {
        if self.get_mut().is_none() {
            *self.slot.held() = Held::Done(make()?);
        }
        Ok(self.get_mut().expect("it is there"))
    }

    /// The value, if it was there.
    ///
    /// ```
    /// assert_eq!(parkade::OnceLock::from(5).into_inner(), Some(5));
    /// ```
    #[inline]
    pub fn into_inner(self) -> Option<T> {
        match self.slot.into_held() {
            Held::Done(value) => Some(value),
            _ => None,
        }
    }

    /// Takes the value out, if it is there; then another can be put in.
    ///
    /// ```
    /// let mut lock = parkade::OnceLock::from(5);
    /// assert_eq!(lock.take(), Some(5));
    /// assert_eq!(lock.take(), None);
    /// assert_eq!(lock.set(6), Ok(()));
    /// ```
    #[inline]
    pub fn take(&mut self) -> Option<T> {
        core::mem::take(self).into_inner()
    }
}

future! {
    /// Waits for the value of a [`OnceLock`]: the future of [`wait_async`](OnceLock::wait_async).
    pub struct WaitOnceLock['a, T]['a, T](Watcher<'a, T>) -> &'a T;
}

/// A task that waits for the value.
pub(crate) struct Watcher<'a, T>(At<'a, Slot<(), T>>);

impl<'a, T> Handle for Watcher<'a, T> {
    type Queue = At<'a, Slot<(), T>>;
    type Output = &'a T;

    fn queue(&self) -> &At<'a, Slot<(), T>> {
        &self.0
    }

    fn want(&self) -> Wish {
        Wish { aim: Aim::Wait, poison: Poison::Ignore }
    }

    fn finish(self, found: Found<'a>) -> &'a T {
        match found {
            // SAFETY: it was seen to be complete.
            Found::Done => unsafe { self.0.0.get_unchecked() },
            Found::Begun(_) | Found::Poisoned => unreachable!("it only waits, and ignores poison"),
        }
    }
}

/// Makes the value of a [`OnceLock`] if it is not there: the future of
/// [`get_or_init_async`](OnceLock::get_or_init_async).
#[must_use = "futures do nothing unless they are polled"]
pub struct GetOrInit<'a, T, F, Fut>(Init<'a, T, F, Fut>);

/// Makes the value of a [`OnceLock`] if it is not there, or fails: the future of
/// [`get_or_try_init_async`](OnceLock::get_or_try_init_async).
#[must_use = "futures do nothing unless they are polled"]
pub struct GetOrTryInit<'a, T, F, Fut>(Init<'a, T, F, Fut>);

impl<'a, T, F, Fut> Future for GetOrInit<'a, T, F, Fut>
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = T>,
{
    type Output = &'a T;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<&'a T> {
        // SAFETY: the only field, which is pinned as we are.
        let init = unsafe { self.map_unchecked_mut(|this| &mut this.0) };
        init.poll(cx, Ok::<T, Infallible>).map(|Ok(value)| value)
    }
}

impl<'a, T, F, Fut, E> Future for GetOrTryInit<'a, T, F, Fut>
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    type Output = Result<&'a T, E>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<&'a T, E>> {
        // SAFETY: as above.
        unsafe { self.map_unchecked_mut(|this| &mut this.0) }.poll(cx, |made| made)
    }
}

/// What the two have in common.
macro_rules! initialisation {
    ($($name:ident)+) => {$(
        impl<T, F, Fut> $name<'_, T, F, Fut> {
            /// Whether it has been ready, or has panicked: to poll it again would panic.
            #[must_use]
            pub fn is_terminated(&self) -> bool {
                self.0.is_over()
            }
        }

        impl<T, F, Fut> fmt::Debug for $name<'_, T, F, Fut> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )+};
}

initialisation! { GetOrInit GetOrTryInit }

impl<T: RefUnwindSafe + UnwindSafe> RefUnwindSafe for OnceLock<T> {}

impl<T> Default for OnceLock<T> {
    #[inline]
    fn default() -> OnceLock<T> {
        OnceLock::new()
    }
}

impl<T: fmt::Debug> fmt::Debug for OnceLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        slot::show(f, "OnceLock", self.get())
    }
}

impl<T: Clone> Clone for OnceLock<T> {
    fn clone(&self) -> OnceLock<T> {
        self.get().cloned().map_or_else(OnceLock::new, OnceLock::from)
    }
}

impl<T> From<T> for OnceLock<T> {
    #[inline]
    fn from(value: T) -> OnceLock<T> {
        OnceLock { slot: Slot::done(value) }
    }
}

impl<T: PartialEq> PartialEq for OnceLock<T> {
    fn eq(&self, other: &OnceLock<T>) -> bool {
        self.get() == other.get()
    }
}

impl<T: Eq> Eq for OnceLock<T> {}
