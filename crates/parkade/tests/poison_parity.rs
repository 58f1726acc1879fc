//! Evidence that `parkade::poison` does what `std::sync` does: the same files, compiled once with
//! `std::sync` and once with `parkade::poison` under the name `sync`, must observe the same.

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};

use support::{Log, Watchdog, assert_same};

#[path = "poison"]
mod over_std {
    pub(crate) use std::sync;

    pub(crate) mod condvar;
    pub(crate) mod mutex;
    pub(crate) mod once;
    pub(crate) mod rwlock;
    pub(crate) mod traits;
}

#[path = "poison"]
mod over_parkade {
    #![allow(clippy::duplicate_mod, reason = "that is the point")]

    pub(crate) use parkade::poison as sync;

    pub(crate) mod condvar;
    pub(crate) mod mutex;
    pub(crate) mod once;
    pub(crate) mod rwlock;
    pub(crate) mod traits;
}

/// Runs what must panic.
#[track_caller]
fn panics(section: impl FnOnce()) {
    assert!(catch_unwind(AssertUnwindSafe(section)).is_err(), "it did not panic");
}

/// Does something when it is dropped, be it by a panic.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        self.0();
    }
}

/// Appends a line to a log: what was asked, and the answer.
macro_rules! note {
    ($log:ident, $($seen:expr),+ $(,)?) => {{
        $($log.push(format!("{} = {:?}", stringify!($seen), $seen));)+
    }};
}
use note;

macro_rules! same {
    ($($module:ident: $($(#[$attribute:meta])* $case:ident)+;)+) => {$(
        mod $module {
            $(
                $(#[$attribute])*
                #[test]
                fn $case() {
                    let name = concat!(stringify!($module), "::", stringify!($case));
                    let _watchdog = crate::Watchdog::new(name, 1);
                    let std = crate::over_std::$module::$case();
                    assert!(!std.is_empty(), "nothing was observed");
                    let ours = crate::over_parkade::$module::$case();
                    crate::assert_same(&[("std", std), ("parkade", ours)]);
                }
            )+
        }
    )+};
}

same! {
    mutex:
        a_panic_poisons
        another_thread_poisons
        only_what_is_held_is_poisoned
        made_while_panicking
        outlives_the_panic
        a_second_panic_while_panicking
        stays_poisoned_until_cleared
        cleared_while_held
        try_lock_tells_why
        errors_speak
        the_value_without_the_lock
        forgotten
        debug_that_panics
        unsized_values
        made_from_values
        in_statics
        waits_and_is_woken
        #[cfg(feature = "serde")] serialised;
    rwlock:
        a_writers_panic_poisons
        a_readers_panic_does_not
        another_thread_poisons
        made_while_panicking
        outlives_the_panic
        stays_poisoned_until_cleared
        tries_tell_why
        downgrading
        downgrading_while_panicking
        the_value_without_the_lock
        forgotten
        debug_that_panics
        unsized_values
        made_from_values
        in_statics
        shrinks_a_readers_lifetime
        waits_and_is_woken
        #[cfg(feature = "serde")] serialised;
    condvar:
        notified
        notified_in_vain
        poisoned_meanwhile
        poisoned_before
        poisoned_while_the_condition_holds
        timed_out
        condition_that_panics
        waiting_while_panicking
        everybody
        made_and_shown;
    once:
        called_once
        a_panic_poisons
        forced
        those_who_wait_are_poisoned_too
        waited_for
        while_panicking
        once_lock
        once_lock_whose_maker_panics
        once_lock_drops
        once_lock_outlives_its_value
        once_lock_races
        lazy_lock
        lazy_lock_poisoned
        lazy_lock_drops;
    traits:
        locks
        guards
        others;
}
