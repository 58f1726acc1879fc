//! A key's value, or none.

use crate::keyed::shard::Payload;
use core::{cell::UnsafeCell, mem::MaybeUninit};
use parkade_core::shim::{AtomicU8, Ordering::Relaxed};

const VACANT: u8 = 0;
const OCCUPIED: u8 = 1;

/// Where a value is, if there is one. Whoever holds the key's lock is called its holder.
pub(crate) struct Slot<V> {
    /// Access: written by the holder; read by anybody, who learns what was the case.
    state: AtomicU8,
    /// Initialised if the state says `OCCUPIED`. Access: the holder.
    value: UnsafeCell<MaybeUninit<V>>,
}

impl<V> Payload for Slot<V> {
    #[inline(always)]
    fn vacant() -> Slot<V> {
        Slot { state: AtomicU8::new(VACANT), value: UnsafeCell::new(MaybeUninit::uninit()) }
    }

    #[inline(always)]
    fn is_vacant(&self) -> bool {
        !self.is_occupied()
    }
}

impl<V> Slot<V> {
    /// Whether there is a value: to others than the holder a momentary answer.
    #[inline(always)]
    pub(crate) fn is_occupied(&self) -> bool {
        self.state.load(Relaxed) == OCCUPIED
    }

    /// # Safety
    /// 1. The caller is the holder, or has the slot for himself, as long as the reference lives, and there is no
    ///    reference to the value that may change it.
    #[inline(always)]
    pub(crate) unsafe fn get(&self) -> Option<&V> {
        // SAFETY: 1.
        let place = self.is_occupied().then(|| unsafe { &*self.value.get() })?;
        // SAFETY: occupied.
        Some(unsafe { place.assume_init_ref() })
    }

    /// # Safety
    /// 1. The caller is the holder, or has the slot for himself, as long as the reference lives, and there is no
    ///    other reference to the value.
    #[inline(always)]
    #[expect(clippy::mut_from_ref, reason = "the key's lock makes it exclusive: 1")]
    pub(crate) unsafe fn get_mut(&self) -> Option<&mut V> {
        // SAFETY: 1.
        let place = self.is_occupied().then(|| unsafe { &mut *self.value.get() })?;
        // SAFETY: occupied.
        Some(unsafe { place.assume_init_mut() })
    }

    /// # Safety
    /// As of `get_mut`, for the duration of the call.
    #[inline(always)]
    pub(crate) unsafe fn put(&self, value: V) -> Option<V> {
        // SAFETY: 1.
        let old = unsafe { self.take() };
        // SAFETY: 1.
        unsafe { &mut *self.value.get() }.write(value);
        self.state.store(OCCUPIED, Relaxed);
        old
    }

    /// # Safety
    /// As of `get_mut`, for the duration of the call.
    #[inline(always)]
    pub(crate) unsafe fn take(&self) -> Option<V> {
        // SAFETY: 1.
        let place = self.is_occupied().then(|| unsafe { &*self.value.get() })?;
        self.state.store(VACANT, Relaxed);
        // SAFETY: it was occupied, and is not any more.
        Some(unsafe { place.assume_init_read() })
    }

    pub(crate) fn into_inner(self) -> Option<V> {
        // SAFETY: 1: it is ours.
        unsafe { self.take() }
    }
}

impl<V> Drop for Slot<V> {
    #[inline(always)]
    fn drop(&mut self) {
        if core::mem::needs_drop::<V>() {
            // SAFETY: 1: nobody else has it.
            drop(unsafe { self.take() });
        }
    }
}
