//! What a shard's lock guards: a cell that loom watches.

/// Exclusive access to what is in an [`ExclusiveCell`], as long as it lives.
#[cfg(not(loom))]
pub(super) type Access<'c, T> = &'c mut T;

/// A value that is reached by one thread at a time.
#[cfg(not(loom))]
pub(super) struct ExclusiveCell<T>(core::cell::UnsafeCell<T>);

#[cfg(not(loom))]
impl<T> ExclusiveCell<T> {
    pub(super) fn new(value: T) -> ExclusiveCell<T> {
        ExclusiveCell(core::cell::UnsafeCell::new(value))
    }

    pub(super) fn get_mut(&mut self) -> &mut T {
        self.0.get_mut()
    }

    /// # Safety
    /// 1. Nobody else has access as long as this one lives.
    #[inline(always)]
    pub(super) unsafe fn access(&self) -> Access<'_, T> {
        // SAFETY: 1.
        unsafe { &mut *self.0.get() }
    }
}

#[cfg(loom)]
pub(super) use modelled::*;

#[cfg(loom)]
mod modelled {
    use core::{
        marker::PhantomData,
        ops::{Deref, DerefMut},
    };
    use loom::cell::{MutPtr, UnsafeCell};

    pub(crate) struct ExclusiveCell<T>(UnsafeCell<T>);

    impl<T> ExclusiveCell<T> {
        pub(crate) fn new(value: T) -> ExclusiveCell<T> {
            ExclusiveCell(UnsafeCell::new(value))
        }

        pub(crate) fn get_mut(&mut self) -> Access<'_, T> {
            Access(self.0.get_mut(), PhantomData)
        }

        /// # Safety
        /// As of the real one; loom checks it.
        pub(crate) unsafe fn access(&self) -> Access<'_, T> {
            Access(self.0.get_mut(), PhantomData)
        }
    }

    pub(crate) struct Access<'c, T>(MutPtr<T>, PhantomData<&'c mut T>);

    impl<T> Deref for Access<'_, T> {
        type Target = T;

        fn deref(&self) -> &T {
            // SAFETY: loom has checked that nobody else has access.
            unsafe { self.0.deref() }
        }
    }

    impl<T> DerefMut for Access<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            // SAFETY: as above.
            unsafe { self.0.deref() }
        }
    }
}
