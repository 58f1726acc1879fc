//! Evidence that what is written for `std::sync` is written for `parkade::poison`: every stable name, with its
//! signature. The same file is compiled with `std::sync` and with `parkade::poison` under the name `sync`; that it
//! compiles is the evidence. `cargo xtask api` looks into std's sources for names that it does not mention.

#[path = "std_names"]
mod over_std {
    pub(crate) use std::sync;

    pub(crate) mod names;
}

#[path = "std_names"]
mod over_parkade {
    #![allow(clippy::duplicate_mod, reason = "that is the point")]

    pub(crate) use parkade::poison as sync;

    pub(crate) mod names;
}

/// A constant of each kind, used as what it is.
macro_rules! same {
    ($($module:ident)+) => {$(
        #[test]
        fn $module() {
            use crate::$module::names;

            names::signatures::<u8, str>();
            names::traits();
            assert_eq!(*names::MUTEX.lock().unwrap() + *names::RWLOCK.read().unwrap(), 3);
            names::ONCE.call_once(|| {});
            assert!(names::ONCE.is_completed());
            assert_eq!(names::CELL.get_or_init(|| *names::LAZY), &4);
            names::CONDVAR.notify_all();
        }
    )+};
}

same! { over_std over_parkade }
