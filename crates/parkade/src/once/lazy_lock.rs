//! [`LazyLock`]: a value that is made when it is first asked for.

use super::{
    face::panic_poisoned,
    slot::{self, Held, Slot},
};
use core::{
    fmt,
    ops::{Deref, DerefMut},
    panic::RefUnwindSafe,
};
use std::panic::UnwindSafe;

/// A value that is made when it is first asked for.
///
/// The functions are those of [`std::sync::LazyLock`], `into_inner` included.
///
/// * **Blocking**: whoever asks while another thread makes the value waits for it, as
///   [`Once`](crate::Once) does. To find it there costs one load and a comparison.
/// * **Panics**: if the function panics, the `LazyLock` is poisoned, and whoever asks for the value
///   panics, now and for ever. A function that asks for its own value would wait for ever; it panics
///   instead, with the place of both calls. Two functions on two threads that wait for each other's values
///   are not found.
/// * **Forks**: as for [`Once`](crate::Once).
/// * **Cost**: one byte beside the value or the function, whichever is larger. Nothing allocates but a
///   panic. `new` is `const`.
///
/// ```
/// use parkade::LazyLock;
///
/// static PRIMES: LazyLock<Vec<u32>> = LazyLock::new(|| {
///     (2..30).filter(|n| (2..*n).all(|d| n % d != 0)).collect()
/// });
///
/// assert_eq!(PRIMES[3], 7);
/// ```
///
/// What is shared must be fit for it:
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>(_: T) {}
/// shared(parkade::LazyLock::<std::cell::Cell<u8>>::default());
/// ```
pub struct LazyLock<T, F = fn() -> T> {
    slot: Slot<F, T>,
}

impl<T, F: FnOnce() -> T> LazyLock<T, F> {
    /// A value that `make` will make.
    ///
    /// ```
    /// let lazy = parkade::LazyLock::new(|| 5);
    /// assert_eq!(*lazy, 5);
    /// ```
    #[inline]
    #[must_use]
    pub const fn new(make: F) -> LazyLock<T, F> {
        LazyLock { slot: Slot::new(make) }
    }

    /// The value; made now, if it is not there. To dereference does the same.
    ///
    /// # Panics
    /// * If the function panics, now or at an earlier call.
    /// * If the function itself calls this.
    ///
    /// ```
    /// use parkade::LazyLock;
    ///
    /// let lazy = LazyLock::new(|| 5);
    /// assert_eq!(LazyLock::force(&lazy), &5);
    /// ```
    #[inline]
    #[track_caller]
    pub fn force(this: &LazyLock<T, F>) -> &T {
        match this.slot.get() {
            Some(value) => value,
            None => match this.slot.force() {
                Ok(value) => value,
                Err(_) => panic_poisoned(),
            },
        }
    }

    /// The value, to change; made now, if it is not there.
    ///
    /// # Panics
    /// If the function panics, now or at an earlier call.
    ///
    /// ```
    /// use parkade::LazyLock;
    ///
    /// let mut lazy = LazyLock::new(|| 5);
    /// *LazyLock::force_mut(&mut lazy) += 1;
    /// assert_eq!(*lazy, 6);
    /// ```
    #[inline]
    #[track_caller]
    pub fn force_mut(this: &mut LazyLock<T, F>) -> &mut T {
        match this.slot.force_mut() {
            Ok(value) => value,
            Err(_) => panic_poisoned(),
        }
    }

    /// The value.
    ///
    /// # Errors
    /// If it was not made yet, the function that would make it.
    ///
    /// # Panics
    /// If the function has panicked.
    ///
    /// ```
    /// use parkade::LazyLock;
    ///
    /// let lazy = LazyLock::new(|| 5);
    /// let make = LazyLock::into_inner(lazy).unwrap_err();
    /// assert_eq!(make(), 5);
    /// ```
    #[track_caller]
    pub fn into_inner(this: LazyLock<T, F>) -> Result<T, F> {
        match this.slot.into_held() {
            Held::Done(value) => Ok(value),
            Held::New(make) | Held::NewParked(make) => Err(make),
            _ => panic_poisoned(),
        }
    }
}

impl<T, F> LazyLock<T, F> {
    /// The value, if it was made. Never blocks.
    ///
    /// ```
    /// use parkade::LazyLock;
    ///
    /// let lazy = LazyLock::new(|| 5);
    /// assert_eq!(LazyLock::get(&lazy), None);
    /// assert_eq!(*lazy, 5);
    /// assert_eq!(LazyLock::get(&lazy), Some(&5));
    /// ```
    #[inline]
    pub fn get(this: &LazyLock<T, F>) -> Option<&T> {
        this.slot.get()
    }

    /// The value, if it was made, to change.
    ///
    /// ```
    /// use parkade::LazyLock;
    ///
    /// let mut lazy = LazyLock::new(|| 5);
    /// assert_eq!(LazyLock::get_mut(&mut lazy), None);
    /// ```
    #[inline]
    pub fn get_mut(this: &mut LazyLock<T, F>) -> Option<&mut T> {
        this.slot.get_mut()
    }
}

impl<T, F: FnOnce() -> T> Deref for LazyLock<T, F> {
    type Target = T;

    #[inline]
    #[track_caller]
    fn deref(&self) -> &T {
        LazyLock::force(self)
    }
}

impl<T, F: FnOnce() -> T> DerefMut for LazyLock<T, F> {
    #[inline]
    #[track_caller]
    fn deref_mut(&mut self) -> &mut T {
        LazyLock::force_mut(self)
    }
}

impl<T: RefUnwindSafe + UnwindSafe, F: UnwindSafe> RefUnwindSafe for LazyLock<T, F> {}

impl<T: Default> Default for LazyLock<T> {
    /// The default value of `T`, made when it is first asked for.
    #[inline]
    fn default() -> LazyLock<T> {
        LazyLock::new(T::default)
    }
}

impl<T: fmt::Debug, F> fmt::Debug for LazyLock<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        slot::show(f, "LazyLock", LazyLock::get(self))
    }
}
