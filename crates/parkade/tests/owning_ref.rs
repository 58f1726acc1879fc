//! Evidence that the feature `owning_ref` makes guards what that crate accepts.
#![cfg(feature = "owning_ref")]

use owning_ref::{OwningRef, StableAddress};
use parkade::{
    FairMutexGuard, MappedMutexGuard, Mutex, MutexGuard, RecursiveRwLockReadGuard,
    ReentrantMutexGuard, RwLockReadGuard, RwLockUpgradableReadGuard, RwLockWriteGuard,
};
use static_assertions::assert_impl_all;

assert_impl_all!(MutexGuard<'static, u8>: StableAddress);
assert_impl_all!(MappedMutexGuard<'static, u8>: StableAddress);
assert_impl_all!(FairMutexGuard<'static, u8>: StableAddress);
assert_impl_all!(ReentrantMutexGuard<'static, u8>: StableAddress);
assert_impl_all!(RwLockReadGuard<'static, u8>: StableAddress);
assert_impl_all!(RwLockWriteGuard<'static, u8>: StableAddress);
assert_impl_all!(RwLockUpgradableReadGuard<'static, u8>: StableAddress);
assert_impl_all!(RecursiveRwLockReadGuard<'static, u8>: StableAddress);

#[test]
fn a_reference_owns_its_guard() {
    let lock = Mutex::new((1, 2));
    let second = OwningRef::new(lock.lock()).map(|pair| &pair.1);
    assert!(lock.is_locked());
    assert_eq!(*second, 2);
    drop(second);
    assert!(!lock.is_locked());
}
