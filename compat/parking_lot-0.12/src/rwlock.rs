//! [`RwLock`] and its guards.

use crate::{GuardMarker, face::Stateless};
use lock_api::RawRwLock as _;
use lock_api_05 as v5;
use parkade::{
    SharedGuardState,
    counted::Recursion::{Allow, Deny},
};
use parkade_core::Moment;
use std::time::{Duration, Instant};

/// The eight-byte lock under [`RwLock`]: [`parkade::RawRwLock`] for `lock_api` 0.4.
///
/// A guard of that version cannot remember how its reader got in, so readers are counted in the lock; they
/// do not have slots of their own.
#[derive(Debug)]
pub struct RawRwLock(parkade::RawRwLock);

/// [`parkade::RwLock`] behind the interface of `parking_lot` 0.12.
///
/// ```
/// use parking_lot::{RwLock, RwLockUpgradableReadGuard};
///
/// let names = RwLock::new(vec!["ann"]);
/// let reading = names.upgradable_read();
/// if !reading.contains(&"bob") {
///     RwLockUpgradableReadGuard::upgrade(reading).push("bob");
/// }
/// let (one, other) = (names.read(), names.read_recursive());
/// assert_eq!(one[1], other[1]);
/// ```
pub type RwLock<T> = lock_api::RwLock<RawRwLock, T>;

/// Shared access to what a [`RwLock`] protects; unlocks it when dropped.
///
/// It stays on its thread unless the feature `send_guard` is on:
///
/// ```compile_fail,E0277
/// # #[cfg(feature = "send_guard")] compile_error!("E0277 does not apply");
/// fn needs_send<T: Send>(_: T) {}
/// let lock = parking_lot::RwLock::new(0);
/// needs_send(lock.read());
/// ```
pub type RwLockReadGuard<'a, T> = lock_api::RwLockReadGuard<'a, RawRwLock, T>;

/// Exclusive access to what a [`RwLock`] protects; unlocks it when dropped.
pub type RwLockWriteGuard<'a, T> = lock_api::RwLockWriteGuard<'a, RawRwLock, T>;

/// Shared access to what a [`RwLock`] protects that nobody else can turn into exclusive access.
pub type RwLockUpgradableReadGuard<'a, T> = lock_api::RwLockUpgradableReadGuard<'a, RawRwLock, T>;

/// A [`RwLockReadGuard`] narrowed to a part of what is protected.
pub type MappedRwLockReadGuard<'a, T> = lock_api::MappedRwLockReadGuard<'a, RawRwLock, T>;

/// A [`RwLockWriteGuard`] narrowed to a part of what is protected.
pub type MappedRwLockWriteGuard<'a, T> = lock_api::MappedRwLockWriteGuard<'a, RawRwLock, T>;

/// A free lock, in a constant. `RwLock::new` is as good.
///
/// ```
/// static PRICE: parking_lot::RwLock<u32> = parking_lot::const_rwlock(1);
/// *PRICE.write() += 1;
/// assert_eq!(*PRICE.read(), 2);
/// ```
pub const fn const_rwlock<T>(val: T) -> RwLock<T> {
    RwLock::const_new(RawRwLock::INIT, val)
}

// SAFETY: `parkade::RawRwLock` excludes by the same contract of a newer trait: whoever unlocks holds it so.
// The state of its guards can be made anew: there is none, or it is that of a counted reader, and here all
// readers are counted or downgraded.
unsafe impl lock_api::RawRwLock for RawRwLock {
    const INIT: RawRwLock = RawRwLock(<parkade::RawRwLock as v5::RawRwLock>::INIT);
    type GuardMarker = GuardMarker;

    #[inline]
    #[track_caller]
    fn lock_shared(&self) {
        self.0.read_counted(Deny);
    }

    #[inline]
    #[track_caller]
    fn try_lock_shared(&self) -> bool {
        self.0.try_read_counted(Deny)
    }

    #[inline]
    unsafe fn unlock_shared(&self) {
        // SAFETY: the caller reads.
        unsafe { v5::RawRwLock::unlock_shared(&self.0, SharedGuardState::counted()) };
    }

    #[inline]
    #[track_caller]
    fn lock_exclusive(&self) {
        let _ = v5::RawRwLock::lock_exclusive(&self.0);
    }

    #[inline]
    #[track_caller]
    fn try_lock_exclusive(&self) -> bool {
        v5::RawRwLock::try_lock_exclusive(&self.0).is_some()
    }

    #[inline]
    unsafe fn unlock_exclusive(&self) {
        // SAFETY: the caller writes.
        unsafe { v5::RawRwLock::unlock_exclusive(&self.0, Stateless::stateless()) };
    }

    #[inline]
    fn is_locked(&self) -> bool {
        v5::RawRwLock::is_locked(&self.0)
    }

    #[inline]
    fn is_locked_exclusive(&self) -> bool {
        v5::RawRwLock::is_locked_exclusive(&self.0)
    }
}

// SAFETY: as above; a fair unlock is an unlock.
unsafe impl lock_api::RawRwLockFair for RawRwLock {
    #[inline]
    unsafe fn unlock_shared_fair(&self) {
        // SAFETY: the caller reads.
        unsafe { v5::RawRwLockFair::unlock_shared_fair(&self.0, SharedGuardState::counted()) };
    }

    #[inline]
    unsafe fn unlock_exclusive_fair(&self) {
        // SAFETY: the caller writes.
        unsafe { v5::RawRwLockFair::unlock_exclusive_fair(&self.0, Stateless::stateless()) };
    }

    #[inline]
    #[track_caller]
    unsafe fn bump_shared(&self) {
        // SAFETY: the caller reads.
        unsafe { self.unlock_shared_fair() };
        self.lock_shared();
    }

    #[inline]
    #[track_caller]
    unsafe fn bump_exclusive(&self) {
        // SAFETY: the caller writes.
        unsafe { v5::RawRwLockFair::bump_exclusive(&self.0, &mut Stateless::stateless()) };
    }
}

// SAFETY: as above.
unsafe impl lock_api::RawRwLockDowngrade for RawRwLock {
    #[inline]
    unsafe fn downgrade(&self) {
        // SAFETY: the caller writes.
        let _ = unsafe { v5::RawRwLockDowngrade::downgrade(&self.0, Stateless::stateless()) };
    }
}

// SAFETY: as above.
unsafe impl lock_api::RawRwLockTimed for RawRwLock {
    type Duration = Duration;
    type Instant = Instant;

    #[inline]
    #[track_caller]
    fn try_lock_shared_for(&self, timeout: Duration) -> bool {
        self.0.read_counted_until(Deny, || Moment::after(timeout))
    }

    #[inline]
    #[track_caller]
    fn try_lock_shared_until(&self, timeout: Instant) -> bool {
        self.0.read_counted_until(Deny, || Moment::at(timeout))
    }

    #[inline]
    #[track_caller]
    fn try_lock_exclusive_for(&self, timeout: Duration) -> bool {
        v5::RawRwLockTimed::try_lock_exclusive_for(&self.0, timeout).is_some()
    }

    #[inline]
    #[track_caller]
    fn try_lock_exclusive_until(&self, timeout: Instant) -> bool {
        v5::RawRwLockTimed::try_lock_exclusive_until(&self.0, timeout).is_some()
    }
}

// SAFETY: as above.
unsafe impl lock_api::RawRwLockRecursive for RawRwLock {
    #[inline]
    #[track_caller]
    fn lock_shared_recursive(&self) {
        self.0.read_counted(Allow);
    }

    #[inline]
    #[track_caller]
    fn try_lock_shared_recursive(&self) -> bool {
        self.0.try_read_counted(Allow)
    }
}

// SAFETY: as above.
unsafe impl lock_api::RawRwLockRecursiveTimed for RawRwLock {
    #[inline]
    #[track_caller]
    fn try_lock_shared_recursive_for(&self, timeout: Duration) -> bool {
        self.0.read_counted_until(Allow, || Moment::after(timeout))
    }

    #[inline]
    #[track_caller]
    fn try_lock_shared_recursive_until(&self, timeout: Instant) -> bool {
        self.0.read_counted_until(Allow, || Moment::at(timeout))
    }
}

// SAFETY: as above.
unsafe impl lock_api::RawRwLockUpgrade for RawRwLock {
    #[inline]
    #[track_caller]
    fn lock_upgradable(&self) {
        let _ = v5::RawRwLockUpgrade::lock_upgradable(&self.0);
    }

    #[inline]
    #[track_caller]
    fn try_lock_upgradable(&self) -> bool {
        v5::RawRwLockUpgrade::try_lock_upgradable(&self.0).is_some()
    }

    #[inline]
    unsafe fn unlock_upgradable(&self) {
        // SAFETY: the caller reads upgradably.
        unsafe { v5::RawRwLockUpgrade::unlock_upgradable(&self.0, Stateless::stateless()) };
    }

    #[inline]
    unsafe fn upgrade(&self) {
        // SAFETY: the caller reads upgradably.
        let _ = unsafe { v5::RawRwLockUpgrade::upgrade(&self.0, Stateless::stateless()) };
    }

    #[inline]
    unsafe fn try_upgrade(&self) -> bool {
        // SAFETY: the caller reads upgradably.
        unsafe { v5::RawRwLockUpgrade::try_upgrade(&self.0, Stateless::stateless()) }.is_ok()
    }
}

// SAFETY: as above.
unsafe impl lock_api::RawRwLockUpgradeFair for RawRwLock {
    #[inline]
    unsafe fn unlock_upgradable_fair(&self) {
        // SAFETY: the caller reads upgradably.
        unsafe {
            v5::RawRwLockUpgradeFair::unlock_upgradable_fair(&self.0, Stateless::stateless())
        };
    }

    #[inline]
    #[track_caller]
    unsafe fn bump_upgradable(&self) {
        // SAFETY: the caller reads upgradably.
        unsafe { v5::RawRwLockUpgradeFair::bump_upgradable(&self.0, &mut Stateless::stateless()) };
    }
}

// SAFETY: as above.
unsafe impl lock_api::RawRwLockUpgradeDowngrade for RawRwLock {
    #[inline]
    unsafe fn downgrade_upgradable(&self) {
        let state = Stateless::stateless();
        // SAFETY: the caller reads upgradably.
        let _ = unsafe { v5::RawRwLockUpgradeDowngrade::downgrade_upgradable(&self.0, state) };
    }

    #[inline]
    unsafe fn downgrade_to_upgradable(&self) {
        let state = Stateless::stateless();
        // SAFETY: the caller writes.
        let _ = unsafe { v5::RawRwLockUpgradeDowngrade::downgrade_to_upgradable(&self.0, state) };
    }
}

// SAFETY: as above.
unsafe impl lock_api::RawRwLockUpgradeTimed for RawRwLock {
    #[inline]
    #[track_caller]
    fn try_lock_upgradable_for(&self, timeout: Duration) -> bool {
        v5::RawRwLockUpgradeTimed::try_lock_upgradable_for(&self.0, timeout).is_some()
    }

    #[inline]
    #[track_caller]
    fn try_lock_upgradable_until(&self, timeout: Instant) -> bool {
        v5::RawRwLockUpgradeTimed::try_lock_upgradable_until(&self.0, timeout).is_some()
    }

    #[inline]
    unsafe fn try_upgrade_for(&self, timeout: Duration) -> bool {
        let state = Stateless::stateless();
        // SAFETY: the caller reads upgradably.
        unsafe { v5::RawRwLockUpgradeTimed::try_upgrade_for(&self.0, state, timeout) }.is_ok()
    }

    #[inline]
    unsafe fn try_upgrade_until(&self, timeout: Instant) -> bool {
        let state = Stateless::stateless();
        // SAFETY: the caller reads upgradably.
        unsafe { v5::RawRwLockUpgradeTimed::try_upgrade_until(&self.0, state, timeout) }.is_ok()
    }
}
