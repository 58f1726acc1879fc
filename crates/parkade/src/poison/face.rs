//! What the public types have in common, written once. What each says about itself, examples included, stands
//! where it is used.

/// The four ways to acquire: waiting, trying, trying for a while, trying until a moment. Each is a method
/// of `lock_api`'s raw traits; `$admit` and `$try_admit` make `$guard` of what it returns.
macro_rules! acquire_face {
    (
        $guard:ident by $admit:ident, $try_admit:ident;
        $(#[$waits:meta])* fn $lock:ident = $raw_lock:ident;
        $(#[$tries:meta])* fn $try_lock:ident = $raw_try_lock:ident;
        $(#[$tries_for:meta])* fn $try_lock_for:ident = $raw_try_lock_for:ident;
        $(#[$tries_until:meta])* fn $try_lock_until:ident = $raw_try_lock_until:ident;
    ) => {
        $(#[$waits])*
        #[inline]
        pub fn $lock(&self) -> std::sync::LockResult<$guard<'_, T>> {
            let token = self.0.raw.$raw_lock();
            // SAFETY: 1. just acquired.
            unsafe { self.0.$admit(token, $guard) }
        }

        $(#[$tries])*
        #[inline]
        pub fn $try_lock(&self) -> std::sync::TryLockResult<$guard<'_, T>> {
            let token = self.0.raw.$raw_try_lock();
            // SAFETY: 1. just acquired, if there is one.
            unsafe { self.0.$try_admit(token, $guard) }
        }

        $(#[$tries_for])*
        #[inline]
        pub fn $try_lock_for(
            &self,
            timeout: std::time::Duration,
        ) -> std::sync::TryLockResult<$guard<'_, T>> {
            let token = self.0.raw.$raw_try_lock_for(timeout);
            // SAFETY: 1. just acquired, if there is one.
            unsafe { self.0.$try_admit(token, $guard) }
        }

        $(#[$tries_until])*
        #[inline]
        pub fn $try_lock_until(
            &self,
            deadline: std::time::Instant,
        ) -> std::sync::TryLockResult<$guard<'_, T>> {
            let token = self.0.raw.$raw_try_lock_until(deadline);
            // SAFETY: 1. just acquired, if there is one.
            unsafe { self.0.$try_admit(token, $guard) }
        }
    };
}

/// What needs no guard: the flag, and the value of a lock that nobody else has.
macro_rules! unlocked_face {
    (
        $(#[$is_poisoned:meta])* fn is_poisoned;
        $(#[$clear_poison:meta])* fn clear_poison;
        $(#[$get_mut:meta])* fn get_mut;
    ) => {
        $(#[$is_poisoned])*
        #[inline]
        pub fn is_poisoned(&self) -> bool {
            self.0.flag.is_set()
        }

        $(#[$clear_poison])*
        #[inline]
        pub fn clear_poison(&self) {
            self.0.flag.clear();
        }

        $(#[$get_mut])*
        pub fn get_mut(&mut self) -> std::sync::LockResult<&mut T> {
            self.0.get_mut()
        }
    };
}

/// Implements what `std`'s locks implement. `$locked` is shown where `$look` finds the value taken.
macro_rules! lock_face {
    ($lock:ident, $look:ident or $locked:expr) => {
        impl<T> From<T> for $lock<T> {
            fn from(value: T) -> $lock<T> {
                $lock::new(value)
            }
        }

        impl<T: Default> Default for $lock<T> {
            fn default() -> $lock<T> {
                $lock::new(T::default())
            }
        }

        impl<T: ?Sized + core::fmt::Debug> core::fmt::Debug for $lock<T> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                self.0.debug(f, stringify!($lock), self.$look(), &$locked)
            }
        }
    };
}

/// Implements what `std`'s guards implement, for a newtype around something with `get` and perhaps `get_mut`.
macro_rules! guard_face {
    ($($guard:ident),+) => {$(
        impl<T: ?Sized> core::ops::Deref for $guard<'_, T> {
            type Target = T;

            #[inline]
            fn deref(&self) -> &T {
                self.0.get()
            }
        }

        impl<T: ?Sized + core::fmt::Debug> core::fmt::Debug for $guard<'_, T> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                (**self).fmt(f)
            }
        }

        impl<T: ?Sized + core::fmt::Display> core::fmt::Display for $guard<'_, T> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                (**self).fmt(f)
            }
        }
    )+};
    (mut $($guard:ident),+) => {
        guard_face!($($guard),+);

        $(
            impl<T: ?Sized> core::ops::DerefMut for $guard<'_, T> {
                #[inline]
                fn deref_mut(&mut self) -> &mut T {
                    self.0.get_mut()
                }
            }
        )+
    };
}

/// The associated functions that narrow `$guard` to a `$mapped`. `$reference` is what the holder has to the value:
/// `&` or `&mut`.
macro_rules! map_face {
    (
        $guard:ident => $mapped:ident by ($($reference:tt)+);
        $(#[$map:meta])* fn map;
        $(#[$filter_map:meta])* fn filter_map;
    ) => {
        $(#[$map])*
        pub fn map<U, F>(orig: Self, f: F) -> $mapped<'a, U>
        where
            F: FnOnce($($reference)+ T) -> $($reference)+ U,
            U: ?Sized,
        {
            $mapped(orig.0.map(f))
        }

        $(#[$filter_map])*
        pub fn filter_map<U, F>(orig: Self, f: F) -> Result<$mapped<'a, U>, Self>
        where
            F: FnOnce($($reference)+ T) -> Option<$($reference)+ U>,
            U: ?Sized,
        {
            orig.0.filter_map(f).map($mapped).map_err($guard)
        }
    };
}

pub(super) use {acquire_face, guard_face, lock_face, map_face, unlocked_face};
