//! `lock_api`'s raw traits for our raw reader-writer locks, written once.

use super::ops::Reading;
use crate::GuardMarker;
use core::fmt;

/// What a read guard remembers of how it got in.
pub struct SharedGuardState {
    pub(super) reading: Reading,
    pub(super) _marker: GuardMarker,
}

impl SharedGuardState {
    #[inline]
    pub(super) fn new(reading: Reading) -> SharedGuardState {
        SharedGuardState { reading, _marker: GuardMarker::new() }
    }
}

impl fmt::Debug for SharedGuardState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reading.fmt(f)
    }
}

/// Implements `lock_api`'s raw reader-writer traits for `$raw`, a newtype around `Core` whose readers
/// are of `$mode`.
///
/// The types promise: an exclusive acquisition excludes all others, an upgradable one exclusive and
/// upgradable ones, from the return of what acquires to the call of what releases; nothing unwinds once
/// it has the lock; and a locked value may be moved or dropped by whoever owns it (waiting borrows
/// it, so then there are no waiters; slots that name it are those of forgotten guards, and no lock
/// ever has their token again).
macro_rules! rwlock_face {
    ($raw:ident, $mode:expr) => {
        impl $raw {
            /// The guard state of a successful read, remembered for debugging.
            #[inline]
            pub(super) fn entered(&self, reading: Reading, held: Held) -> SharedGuardState {
                held.add(self.0.key(), Sharing::Shared);
                SharedGuardState::new(reading)
            }

            /// As `entered`, for other modes.
            #[inline]
            fn entered_alone(&self, held: Held) -> GuardMarker {
                held.add(self.0.key(), Sharing::Alone);
                GuardMarker::new()
            }

            /// What comes before every release.
            #[inline]
            fn leaving(&self) -> &Core {
                Held::remove(self.0.key());
                &self.0
            }
        }

        // SAFETY: the promises above, argued in `state.rs` and `period.rs`.
        unsafe impl lock_api::RawRwLock for $raw {
            const INIT: $raw = $raw(Core::new());
            type SharedGuard = SharedGuardState;
            type ExclusiveGuard = GuardMarker;

            #[inline]
            #[track_caller]
            fn lock_shared(&self) -> SharedGuardState {
                let held = Held::here();
                self.entered(self.0.read($mode, held), held)
            }

            #[inline]
            #[track_caller]
            fn try_lock_shared(&self) -> Option<SharedGuardState> {
                let held = Held::here();
                self.0.try_read($mode).map(|reading| self.entered(reading, held))
            }

            #[inline]
            unsafe fn unlock_shared(&self, guard: SharedGuardState) {
                self.leaving().unread(guard.reading);
            }

            #[inline]
            #[track_caller]
            fn lock_exclusive(&self) -> GuardMarker {
                self.0.write();
                self.entered_alone(Held::here())
            }

            #[inline]
            #[track_caller]
            fn try_lock_exclusive(&self) -> Option<GuardMarker> {
                let held = Held::here();
                self.0.try_write().then(|| self.entered_alone(held))
            }

            #[inline]
            unsafe fn unlock_exclusive(&self, _: GuardMarker) {
                self.leaving().release(Mode::Exclusive);
            }

            #[inline]
            fn is_locked(&self) -> bool {
                self.0.is_locked()
            }

            #[inline]
            fn is_locked_exclusive(&self) -> bool {
                self.0.is_locked_exclusive()
            }
        }

        // SAFETY: as above; a fair unlock is a release like any other.
        unsafe impl lock_api::RawRwLockFair for $raw {
            #[inline]
            unsafe fn unlock_shared_fair(&self, guard: SharedGuardState) {
                self.leaving().unread_fair(guard.reading);
            }

            #[inline]
            unsafe fn unlock_exclusive_fair(&self, _: GuardMarker) {
                self.leaving().release_fair(Mode::Exclusive);
            }

            #[inline]
            #[track_caller]
            unsafe fn bump_shared(&self, guard: &mut SharedGuardState) {
                if self.0.has_line() {
                    let held = Held::here();
                    // Without the lock, the guard must not be dropped.
                    let no_unwind = AbortOnUnwind("reading again in bump() panicked");
                    let reading = core::mem::replace(&mut guard.reading, Reading::COUNTED);
                    self.leaving().unread_fair(reading);
                    guard.reading = self.0.read($mode, held);
                    held.add(self.0.key(), Sharing::Shared);
                    no_unwind.disarm();
                }
            }

            #[inline]
            #[track_caller]
            unsafe fn bump_exclusive(&self, _: &mut GuardMarker) {
                if self.0.has_line() {
                    let again = $crate::task::Again(|| self.0.write());
                    self.0.release_fair(Mode::Exclusive);
                    drop(again);
                }
            }
        }

        // SAFETY: as above.
        unsafe impl lock_api::RawRwLockDowngrade for $raw {
            #[inline]
            unsafe fn downgrade(&self, _: GuardMarker) -> SharedGuardState {
                SharedGuardState::new(self.0.downgrade(Mode::Exclusive, Mode::Shared))
            }
        }

        // SAFETY: as above.
        unsafe impl lock_api::RawRwLockTimed for $raw {
            type Duration = Duration;
            type Instant = Instant;

            #[inline]
            #[track_caller]
            fn try_lock_shared_for(&self, timeout: Duration) -> Option<SharedGuardState> {
                let held = Held::here();
                let reading = self.0.read_until($mode, || Moment::after(timeout))?;
                Some(self.entered(reading, held))
            }

            #[inline]
            #[track_caller]
            fn try_lock_shared_until(&self, timeout: Instant) -> Option<SharedGuardState> {
                let held = Held::here();
                let reading = self.0.read_until($mode, || Moment::at(timeout))?;
                Some(self.entered(reading, held))
            }

            #[inline]
            #[track_caller]
            fn try_lock_exclusive_for(&self, timeout: Duration) -> Option<GuardMarker> {
                let held = Held::here();
                let acquired = self.0.write_until(|| Moment::after(timeout));
                acquired.then(|| self.entered_alone(held))
            }

            #[inline]
            #[track_caller]
            fn try_lock_exclusive_until(&self, timeout: Instant) -> Option<GuardMarker> {
                let held = Held::here();
                let acquired = self.0.write_until(|| Moment::at(timeout));
                acquired.then(|| self.entered_alone(held))
            }
        }

        // SAFETY: as above.
        unsafe impl lock_api::RawRwLockUpgrade for $raw {
            type UpgradableGuard = GuardMarker;

            #[inline]
            #[track_caller]
            fn lock_upgradable(&self) -> GuardMarker {
                self.0.read_upgradably();
                self.entered_alone(Held::here())
            }

            #[inline]
            #[track_caller]
            fn try_lock_upgradable(&self) -> Option<GuardMarker> {
                let held = Held::here();
                self.0.try_read_upgradably().then(|| self.entered_alone(held))
            }

            #[inline]
            unsafe fn unlock_upgradable(&self, _: GuardMarker) {
                self.leaving().release(Mode::Upgradable);
            }

            #[inline]
            unsafe fn upgrade(&self, guard: GuardMarker) -> GuardMarker {
                let upgraded = self.0.upgrade(None);
                debug_assert!(upgraded, "a wait without a deadline timed out");
                guard
            }

            #[inline]
            unsafe fn try_upgrade(&self, guard: GuardMarker) -> Result<GuardMarker, GuardMarker> {
                if self.0.try_upgrade() { Ok(guard) } else { Err(guard) }
            }
        }

        // SAFETY: as above.
        unsafe impl lock_api::RawRwLockUpgradeFair for $raw {
            #[inline]
            unsafe fn unlock_upgradable_fair(&self, _: GuardMarker) {
                self.leaving().release_fair(Mode::Upgradable);
            }

            #[inline]
            #[track_caller]
            unsafe fn bump_upgradable(&self, _: &mut GuardMarker) {
                if self.0.has_line() {
                    // Without the lock, the guard must not be dropped.
                    let no_unwind = AbortOnUnwind("reading again in bump() panicked");
                    self.0.release_fair(Mode::Upgradable);
                    self.0.read_upgradably();
                    no_unwind.disarm();
                }
            }
        }

        // SAFETY: as above.
        unsafe impl lock_api::RawRwLockUpgradeDowngrade for $raw {
            #[inline]
            unsafe fn downgrade_upgradable(&self, _: GuardMarker) -> SharedGuardState {
                SharedGuardState::new(self.0.downgrade(Mode::Upgradable, Mode::Shared))
            }

            #[inline]
            unsafe fn downgrade_to_upgradable(&self, guard: GuardMarker) -> GuardMarker {
                let _ = self.0.downgrade(Mode::Exclusive, Mode::Upgradable);
                guard
            }
        }

        // SAFETY: as above.
        unsafe impl lock_api::RawRwLockUpgradeTimed for $raw {
            #[inline]
            #[track_caller]
            fn try_lock_upgradable_for(&self, timeout: Duration) -> Option<GuardMarker> {
                let held = Held::here();
                let acquired = self.0.read_upgradably_until(|| Moment::after(timeout));
                acquired.then(|| self.entered_alone(held))
            }

            #[inline]
            #[track_caller]
            fn try_lock_upgradable_until(&self, timeout: Instant) -> Option<GuardMarker> {
                let held = Held::here();
                let acquired = self.0.read_upgradably_until(|| Moment::at(timeout));
                acquired.then(|| self.entered_alone(held))
            }

            #[inline]
            unsafe fn try_upgrade_for(
                &self,
                guard: GuardMarker,
                timeout: Duration,
            ) -> Result<GuardMarker, GuardMarker> {
                if self.0.upgrade(Some(Moment::after(timeout))) { Ok(guard) } else { Err(guard) }
            }

            #[inline]
            unsafe fn try_upgrade_until(
                &self,
                guard: GuardMarker,
                timeout: Instant,
            ) -> Result<GuardMarker, GuardMarker> {
                if self.0.upgrade(Some(Moment::at(timeout))) { Ok(guard) } else { Err(guard) }
            }
        }
    };
}

pub(super) use rwlock_face;
