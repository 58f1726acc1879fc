//! `lock_api`'s raw traits for our raw mutexes, written once.

/// Implements `lock_api`'s raw mutex traits for `$raw`, whose own methods do the work.
///
/// The type promises: only one caller at a time is between a successful `acquire*` and its
/// `release*`; acquiring acquires, releasing releases; nothing unwinds once it holds the lock; and
/// a locked value may be moved or dropped by whoever owns it (waiting borrows it, so then there are
/// no waiters).
macro_rules! lock_api_face {
    ($raw:ident, release_fair = $release_fair:ident) => {
        // SAFETY: the promises above, proven in the type's `state.rs`.
        unsafe impl lock_api::RawMutex for $raw {
            const INIT: $raw = $raw::new();
            type Guard = $crate::GuardMarker;

            #[inline]
            fn lock(&self) -> $crate::GuardMarker {
                self.acquire();
                $crate::GuardMarker::new()
            }

            #[inline]
            fn try_lock(&self) -> Option<$crate::GuardMarker> {
                self.try_acquire().then($crate::GuardMarker::new)
            }

            #[inline]
            unsafe fn unlock(&self, _guard: $crate::GuardMarker) {
                self.release();
            }

            #[inline]
            fn is_locked(&self) -> bool {
                self.is_locked()
            }
        }

        // SAFETY: as above; a fair unlock is a release like any other.
        unsafe impl lock_api::RawMutexFair for $raw {
            #[inline]
            unsafe fn unlock_fair(&self, _guard: $crate::GuardMarker) {
                self.$release_fair();
            }

            #[inline]
            unsafe fn bump(&self, _guard: &mut $crate::GuardMarker) {
                self.yield_to_first();
            }
        }

        // SAFETY: as above.
        unsafe impl lock_api::RawMutexTimed for $raw {
            type Duration = std::time::Duration;
            type Instant = std::time::Instant;

            #[inline]
            fn try_lock_for(&self, timeout: std::time::Duration) -> Option<$crate::GuardMarker> {
                self.acquire_until(|| parkade_core::Moment::after(timeout))
                    .then($crate::GuardMarker::new)
            }

            #[inline]
            fn try_lock_until(&self, timeout: std::time::Instant) -> Option<$crate::GuardMarker> {
                self.acquire_until(|| parkade_core::Moment::at(timeout))
                    .then($crate::GuardMarker::new)
            }
        }
    };
}

pub(crate) use lock_api_face;
