//! Debug builds remember which locks a thread holds, and where it took them, so that a read that would
//! wait for the thread itself panics instead.
//!
//! A thread's list keeps what it has forgotten (`mem::forget`), which may name a later lock at the same
//! address; then the panic may be for nothing. So it is raised only if the lock is in a state that agrees
//! with the list.
//!
//! Nothing of it is left in release builds, nor where guards may be sent to another thread
//! (`send_guard`): then a thread's list may name what another thread holds.

#[cfg(not(all(debug_assertions, not(feature = "send_guard"), not(loom))))]
pub(crate) use off::Held;
#[cfg(all(debug_assertions, not(feature = "send_guard"), not(loom)))]
pub(crate) use on::Held;

/// How a thread came to hold a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// As one of several readers.
    Shared,
    /// As the one who writes, or may come to.
    Alone,
}

#[cfg(all(debug_assertions, not(feature = "send_guard"), not(loom)))]
mod on {
    use super::Sharing;
    use core::{cell::Cell, panic::Location};

    /// What is remembered of a thread: more locks held at once are not.
    const MOST: usize = 32;

    /// What a thread has, how, and since where.
    #[derive(Debug, Clone, Copy)]
    struct Entry {
        key: usize,
        sharing: Sharing,
        place: &'static Location<'static>,
    }

    thread_local! {
        /// Constant and without a destructor, like every thread-local of these crates.
        static HELD: [Cell<Option<Entry>>; MOST] = const { [const { Cell::new(None) }; MOST] };
    }

    /// The place in the user's code that asks for a lock.
    #[derive(Debug, Clone, Copy)]
    pub(crate) struct Held(&'static Location<'static>);

    impl Held {
        #[track_caller]
        pub(crate) fn here() -> Held {
            Held(Location::caller())
        }

        /// The thread holds the lock now.
        pub(crate) fn add(self, key: usize, sharing: Sharing) {
            HELD.with(|held| {
                if let Some(entry) = held.iter().find(|entry| entry.get().is_none()) {
                    entry.set(Some(Entry { key, sharing, place: self.0 }));
                }
            });
        }

        /// The thread holds it once less.
        pub(crate) fn remove(key: usize) {
            HELD.with(|held| {
                let is_it = |entry: &&Cell<Option<Entry>>| {
                    entry.get().is_some_and(|entry| entry.key == key)
                };
                if let Some(entry) = held.iter().rev().find(is_it) {
                    entry.set(None);
                }
            });
        }

        /// Where the thread has locked what it has of the lock, if that is remembered.
        #[cfg(feature = "keyed")]
        pub(crate) fn first_place(key: usize) -> Option<&'static Location<'static>> {
            HELD.with(|held| {
                let mut entries = held.iter().filter_map(Cell::get);
                entries.find(|entry| entry.key == key).map(|entry| entry.place)
            })
        }

        /// The place that asks.
        #[cfg(feature = "keyed")]
        pub(crate) fn place(self) -> &'static Location<'static> {
            self.0
        }

        /// For a thread that is about to wait for the lock to be free of writers.
        ///
        /// # Panics
        /// If the thread holds it: whoever it waits for waits for it.
        pub(crate) fn panic_if_held(self, key: usize, is_possible: impl Fn(Sharing) -> bool) {
            let first = HELD.with(|held| {
                let mut entries = held.iter().filter_map(Cell::get);
                entries.find(|entry| entry.key == key && is_possible(entry.sharing))
            });
            if let Some(Entry { place: first, .. }) = first {
                panic!(
                    "deadlock: read() at {} waits for a writer that waits for this thread, which has \
                     held the lock since {first}; use read_recursive(), or let go of the first guard",
                    self.0
                );
            }
        }
    }
}

#[cfg(not(all(debug_assertions, not(feature = "send_guard"), not(loom))))]
mod off {
    use super::Sharing;

    /// Nothing is remembered.
    #[derive(Debug, Clone, Copy)]
    pub(crate) struct Held;

    impl Held {
        #[inline(always)]
        pub(crate) fn here() -> Held {
            Held
        }

        #[inline(always)]
        pub(crate) fn add(self, _: usize, _: Sharing) {}

        #[inline(always)]
        pub(crate) fn remove(_: usize) {}

        #[inline(always)]
        pub(crate) fn panic_if_held(self, _: usize, _: impl Fn(Sharing) -> bool) {}
    }
}
