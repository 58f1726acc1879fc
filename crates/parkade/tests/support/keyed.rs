//! What the tests of keyed locks share: hashes that are all the same, keys that panic, and waiting for who waits.

use std::{
    cell::Cell,
    hash::{BuildHasher, Hash, Hasher},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    thread,
};

use parkade::keyed::KeyedMutex;

use super::wait_until;

/// Gives every key the same hash.
#[derive(Debug, Clone, Default)]
pub(crate) struct Same;

impl BuildHasher for Same {
    type Hasher = Same;

    fn build_hasher(&self) -> Same {
        Same
    }
}

impl Hasher for Same {
    fn finish(&self) -> u64 {
        7
    }

    fn write(&mut self, _: &[u8]) {}
}

/// Waits until so many threads sleep for `key`.
pub(crate) fn wait_for_sleepers<S>(map: &KeyedMutex<u64, S>, key: u64, threads: usize) {
    wait_until(|| {
        let all = map.snapshot();
        let info = all.iter().find(|info| info.key == key);
        info.is_some_and(|info| info.waiters == threads && info.longest_wait.is_some())
    });
}

/// Code of a [`Touchy`] key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Hash,
    Eq,
    Clone,
    Drop,
}

/// Where keys panic: in `place`, once it was passed `passes` times.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told {
    pub(crate) place: Place,
    pub(crate) passes: u32,
}

thread_local! {
    static TOLD: Cell<Option<Told>> = const { Cell::new(None) };
}

/// What a test panics with when it means to; not worth a message.
struct OnPurpose;

pub(crate) fn panic_on_purpose() -> ! {
    resume_unwind(Box::new(OnPurpose))
}

/// Drops `guard` by a panic.
pub(crate) fn unwind_out_of<G>(guard: G) {
    let out: Option<()> = caught(move || {
        let _guard = guard;
        panic_on_purpose()
    });
    assert!(out.is_none());
}

/// What `task` returns, if it did not panic on purpose.
pub(crate) fn caught<R>(task: impl FnOnce() -> R) -> Option<R> {
    match catch_unwind(AssertUnwindSafe(task)) {
        Ok(result) => Some(result),
        Err(panic) if panic.is::<OnPurpose>() => None,
        Err(panic) => resume_unwind(panic),
    }
}

/// A key that panics where it is told to.
#[derive(Debug, PartialOrd, Ord)]
pub(crate) struct Touchy(pub(crate) u64);

impl Touchy {
    /// What `task` returns, if no key panicked in it.
    pub(crate) fn told<R>(told: Option<Told>, task: impl FnOnce() -> R) -> Option<R> {
        TOLD.set(told);
        let result = caught(task);
        TOLD.set(None);
        result
    }

    fn pass(place: Place) {
        let Some(told) = TOLD.get().filter(|told| told.place == place) else { return };
        if told.passes == 0 {
            panic_on_purpose();
        }
        TOLD.set(Some(Told { passes: told.passes - 1, ..told }));
    }
}

impl Hash for Touchy {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Touchy::pass(Place::Hash);
        self.0.hash(state);
    }
}

impl PartialEq for Touchy {
    fn eq(&self, other: &Touchy) -> bool {
        Touchy::pass(Place::Eq);
        self.0 == other.0
    }
}

impl Eq for Touchy {}

impl Clone for Touchy {
    fn clone(&self) -> Touchy {
        Touchy::pass(Place::Clone);
        Touchy(self.0)
    }
}

impl Drop for Touchy {
    fn drop(&mut self) {
        if !thread::panicking() {
            Touchy::pass(Place::Drop);
        }
    }
}
