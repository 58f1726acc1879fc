//! `lock_api` 0.4's raw mutex traits for Parkade's raw mutexes, which implement 0.5's.

/// The state of a guard of Parkade's: none. But its type depends on a feature of `parkade` that any crate
/// of a build may enable, so it is never named here.
pub(crate) trait Stateless {
    fn stateless() -> Self;
}

impl Stateless for lock_api_05::GuardSend {
    #[inline]
    fn stateless() -> Self {
        lock_api_05::GuardSend::new()
    }
}

impl Stateless for lock_api_05::GuardNoSend {
    #[inline]
    fn stateless() -> Self {
        lock_api_05::GuardNoSend::new()
    }
}

/// Declares `$raw`, which is `$parkade` for `lock_api` 0.4.
macro_rules! raw_mutex {
    ($(#[$doc:meta])* $raw:ident, $parkade:ty) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $raw(pub(crate) $parkade);

        // SAFETY: `$parkade` excludes, by the same contract of an older trait: whoever unlocks holds it,
        // and a guard that has no state can be made anew.
        unsafe impl lock_api::RawMutex for $raw {
            const INIT: $raw = $raw(<$parkade as lock_api_05::RawMutex>::INIT);
            type GuardMarker = $crate::GuardMarker;

            #[inline]
            fn lock(&self) {
                let _ = lock_api_05::RawMutex::lock(&self.0);
            }

            #[inline]
            fn try_lock(&self) -> bool {
                lock_api_05::RawMutex::try_lock(&self.0).is_some()
            }

            #[inline]
            unsafe fn unlock(&self) {
                // SAFETY: the caller holds it.
                unsafe { lock_api_05::RawMutex::unlock(&self.0, Stateless::stateless()) };
            }

            #[inline]
            fn is_locked(&self) -> bool {
                lock_api_05::RawMutex::is_locked(&self.0)
            }
        }

        // SAFETY: as above; a fair unlock is an unlock.
        unsafe impl lock_api::RawMutexFair for $raw {
            #[inline]
            unsafe fn unlock_fair(&self) {
                // SAFETY: the caller holds it.
                unsafe { lock_api_05::RawMutexFair::unlock_fair(&self.0, Stateless::stateless()) };
            }

            #[inline]
            unsafe fn bump(&self) {
                // SAFETY: the caller holds it.
                unsafe { lock_api_05::RawMutexFair::bump(&self.0, &mut Stateless::stateless()) };
            }
        }

        // SAFETY: as above.
        unsafe impl lock_api::RawMutexTimed for $raw {
            type Duration = std::time::Duration;
            type Instant = std::time::Instant;

            #[inline]
            fn try_lock_for(&self, timeout: std::time::Duration) -> bool {
                lock_api_05::RawMutexTimed::try_lock_for(&self.0, timeout).is_some()
            }

            #[inline]
            fn try_lock_until(&self, timeout: std::time::Instant) -> bool {
                lock_api_05::RawMutexTimed::try_lock_until(&self.0, timeout).is_some()
            }
        }
    };
}

pub(crate) use raw_mutex;
