//! Evidence that types written for parking_lot are written for Parkade: every public name of 0.12 and 0.13
//! that both have takes the same parameters. That this file compiles is the evidence; the tests use what it
//! declares.

#![allow(
    clippy::too_many_arguments,
    clippy::type_complexity,
    reason = "each argument is a name, spelt with its parameters"
)]

/// What every version has.
macro_rules! names {
    ($library:ident) => {
        use $library::lock_api::{GetThreadId, RawMutex as _, RawRwLock as _};
        use $library::{
            Condvar, FairMutex, FairMutexGuard, MappedFairMutexGuard, MappedMutexGuard,
            MappedReentrantMutexGuard, MappedRwLockReadGuard, MappedRwLockWriteGuard, Mutex,
            MutexGuard, RawFairMutex, RawMutex, RawRwLock, RawThreadId, ReentrantMutex,
            ReentrantMutexGuard, RwLock, RwLockReadGuard, RwLockUpgradableReadGuard,
            RwLockWriteGuard, WaitTimeoutResult,
        };

        pub(crate) fn guards(
            _: Option<(MutexGuard<'_, u8>, MappedMutexGuard<'_, str>)>,
            _: Option<(FairMutexGuard<'_, u8>, MappedFairMutexGuard<'_, str>)>,
            _: Option<(ReentrantMutexGuard<'_, u8>, MappedReentrantMutexGuard<'_, str>)>,
            _: Option<(RwLockReadGuard<'_, u8>, MappedRwLockReadGuard<'_, str>)>,
            _: Option<(RwLockWriteGuard<'_, u8>, MappedRwLockWriteGuard<'_, str>)>,
            _: Option<RwLockUpgradableReadGuard<'_, u8>>,
        ) {
        }

        pub(crate) fn locks() -> (Mutex<u8>, FairMutex<u8>, ReentrantMutex<u8>, RwLock<u8>) {
            let _: Option<(&Mutex<str>, &FairMutex<str>, &ReentrantMutex<str>, &RwLock<str>)> =
                None;
            (
                $library::lock_api::Mutex::from_raw(RawMutex::INIT, 1),
                $library::lock_api::Mutex::from_raw(RawFairMutex::INIT, 2),
                $library::lock_api::ReentrantMutex::from_raw(RawMutex::INIT, RawThreadId, 3),
                $library::lock_api::RwLock::from_raw(RawRwLock::INIT, 4),
            )
        }

        #[test]
        fn they_are_what_they_are_called() {
            let (mutex, fair, reentrant, rwlock) = locks();
            guards(None, None, None, None, None, None);
            let values = (*mutex.lock(), *fair.lock(), *reentrant.lock(), *rwlock.read());
            assert_eq!(values, (1, 2, 3, 4));
            let changed: Condvar = Condvar::new();
            let ended: WaitTimeoutResult =
                changed.wait_for(&mut mutex.lock(), std::time::Duration::ZERO);
            assert!(ended.timed_out() && !changed.notify_one());
            assert_eq!(changed.notify_all(), 0);
            assert_eq!(RawThreadId.nonzero_thread_id(), RawThreadId.nonzero_thread_id());
        }
    };
}

/// What 0.12 alone has.
macro_rules! names_of_0_12 {
    ($library:ident) => {
        use $library::{const_fair_mutex, const_mutex, const_reentrant_mutex, const_rwlock};

        static MUTEX: $library::Mutex<u8> = const_mutex(1);
        static FAIR: $library::FairMutex<u8> = const_fair_mutex(2);
        static REENTRANT: $library::ReentrantMutex<u8> = const_reentrant_mutex(3);
        static RWLOCK: $library::RwLock<u8> = const_rwlock(4);

        #[test]
        fn constants() {
            let values = (*MUTEX.lock(), *FAIR.lock(), *REENTRANT.lock(), *RWLOCK.read());
            assert_eq!(values, (1, 2, 3, 4));
        }
    };
}

/// What 0.13 alone has.
macro_rules! names_of_0_13 {
    ($library:ident) => {
        use $library::{
            MappedRecursiveRwLockReadGuard, MappedRecursiveRwLockWriteGuard, RawRwLockRecursive,
            RecursiveRwLock, RecursiveRwLockReadGuard, RecursiveRwLockUpgradableReadGuard,
            RecursiveRwLockWriteGuard,
        };

        pub(crate) fn recursive_guards(
            _: Option<(RecursiveRwLockReadGuard<'_, u8>, MappedRecursiveRwLockReadGuard<'_, str>)>,
            _: Option<(
                RecursiveRwLockWriteGuard<'_, u8>,
                MappedRecursiveRwLockWriteGuard<'_, str>,
            )>,
            _: Option<RecursiveRwLockUpgradableReadGuard<'_, u8>>,
        ) {
        }

        #[test]
        fn recursive_names() {
            recursive_guards(None, None, None);
            let lock: RecursiveRwLock<u8> =
                $library::lock_api::RwLock::from_raw(RawRwLockRecursive::INIT, 5);
            let outer = lock.read();
            assert_eq!((*outer, *lock.read()), (5, 5));
        }
    };
}

mod of_parking_lot_0_12 {
    names!(parking_lot_012);
    names_of_0_12!(parking_lot_012);
}

mod of_parking_lot_0_13 {
    names!(parking_lot_013);
    names_of_0_13!(parking_lot_013);
}

mod of_parkade {
    names!(parkade);
    names_of_0_12!(parkade);
    names_of_0_13!(parkade);

    /// parking_lot's are `lock_api`'s own, parameters included.
    #[cfg(feature = "arc_lock")]
    #[test]
    fn owned_guards() {
        use std::{any::TypeId, sync::Arc};

        use parkade::{
            ArcMutexGuard, ArcReentrantMutexGuard, ArcRwLockReadGuard,
            ArcRwLockUpgradableReadGuard, ArcRwLockWriteGuard, lock_api,
        };
        type Reentrant = ArcReentrantMutexGuard<RawMutex, RawThreadId, u8>;
        let same = |ours, theirs| assert_eq!(ours, theirs);
        same(
            TypeId::of::<ArcMutexGuard<RawMutex, u8>>(),
            TypeId::of::<lock_api::ArcMutexGuard<RawMutex, u8>>(),
        );
        let (mutex, fair, reentrant, rwlock) = locks();
        let mutex: ArcMutexGuard<RawMutex, u8> = Arc::new(mutex).lock_arc();
        let fair: ArcMutexGuard<RawFairMutex, u8> = Arc::new(fair).lock_arc();
        let reentrant: Reentrant = Arc::new(reentrant).lock_arc();
        assert_eq!((*mutex, *fair, *reentrant), (1, 2, 3));
        let rwlock = Arc::new(rwlock);
        let write: ArcRwLockWriteGuard<RawRwLock, u8> = rwlock.write_arc();
        let read: ArcRwLockReadGuard<RawRwLock, u8> = ArcRwLockWriteGuard::downgrade(write);
        let upgradable: ArcRwLockUpgradableReadGuard<RawRwLock, u8> = rwlock.upgradable_read_arc();
        assert_eq!((*read, *upgradable), (4, 4));
    }
}
