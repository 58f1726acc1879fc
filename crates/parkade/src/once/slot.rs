//! A word, and what it guards: the core of [`OnceLock`](super::OnceLock) and
//! [`LazyLock`](super::LazyLock).
//!
//! # Theory
//!
//! The byte of a [`RawOnce`] is the discriminant of an enum, of which each variant is a legal word.
//! So what the slot holds and what its word says cannot disagree; whoever has it to himself uses it as
//! any enum; and the compiler drops what it holds, which no `Drop` of ours need do: a `OnceLock` of
//! references may be dropped after what they refer to, as one of `std` may.
//!
//! What is shared goes by the word:
//!
//! 1. the runner, and nobody else, accesses the payload while the word is `RUNNING`: it takes what was
//!    there in `NEW` and writes what is there in `DONE`;
//! 2. when the word was seen to be `DONE` the payload is a `T`, which is only read from then on;
//! 3. the word changes only as `state.rs` says, so it is always one of the variants.
//!
//! "Primitive representation of enums with fields" in the Rust reference promises the layout: a union of
//! `repr(C)` structs that begin with the discriminant ([`Variant`]).

use super::{
    raw::{Poisoned, RawOnce},
    state::{self, Before, End, Poison},
};
use core::{cell::UnsafeCell, convert::Infallible, fmt, mem};

/// What is in a slot, by its word.
#[repr(u8)]
#[allow(dead_code, reason = "the word is written as a byte")]
pub(crate) enum Held<I, T> {
    New(I) = state::NEW,
    Poisoned = state::POISONED,
    Running = state::RUNNING,
    Done(T) = state::DONE,
    NewParked(I) = state::NEW | state::PARKED,
    PoisonedParked = state::POISONED | state::PARKED,
    RunningParked = state::RUNNING | state::PARKED,
}

/// The layout of a variant of [`Held`] with a payload.
#[repr(C)]
struct Variant<P> {
    word: RawOnce,
    payload: P,
}

/// Holds an `I` until the initialisation begins and a `T` when it is complete.
pub(crate) struct Slot<I, T> {
    /// Access: the discriminant as a [`RawOnce`], by anybody; the payload as the rules above say; all of
    /// it by `&mut`.
    held: UnsafeCell<Held<I, T>>,
}

// SAFETY: sharing a slot gives references to its `T` to several threads, and lets one thread drop
// what another has put in: `T: Sync + Send`. Of an `I` no reference is given out, but the thread
// that begins takes it: `I: Send`.
unsafe impl<I: Send, T: Sync + Send> Sync for Slot<I, T> {}

impl<I, T> Slot<I, T> {
    pub(crate) const fn new(initial: I) -> Slot<I, T> {
        Slot { held: UnsafeCell::new(Held::New(initial)) }
    }

    pub(crate) const fn done(value: T) -> Slot<I, T> {
        Slot { held: UnsafeCell::new(Held::Done(value)) }
    }

    /// The word.
    #[inline(always)]
    pub(crate) fn once(&self) -> &RawOnce {
        // SAFETY: the enum begins with its discriminant, and that has the layout of a `RawOnce`, a
        // byte. It lives as long as `self`. While `self` is shared nobody accesses it otherwise.
        unsafe { &*self.held.get().cast::<RawOnce>() }
    }

    /// Where a payload of type `P`, one of `I` and `T`, is.
    #[inline(always)]
    fn payload<P>(&self) -> *mut P {
        const { assert!(size_of::<Variant<P>>() <= size_of::<Held<I, T>>()) };
        let offset = mem::offset_of!(Variant<P>, payload);
        self.held.get().cast::<u8>().wrapping_add(offset).cast::<P>()
    }

    /// What the initialisation has made, if it is complete.
    #[inline(always)]
    pub(crate) fn get(&self) -> Option<&T> {
        // SAFETY: it is complete.
        self.once().is_completed().then(|| unsafe { self.get_unchecked() })
    }

    /// # Safety
    /// The word was seen to be complete.
    #[inline(always)]
    pub(crate) unsafe fn get_unchecked(&self) -> &T {
        // SAFETY: rule 2.
        unsafe { &*self.payload::<T>() }
    }

    /// Puts in what the initialisation has made, before that ends as done.
    ///
    /// # Safety
    /// The caller is the runner, and what was there in `NEW` was taken or needs no drop.
    pub(super) unsafe fn fill(&self, value: T) {
        // SAFETY: rule 1; nothing is there that would be dropped.
        unsafe { self.payload::<T>().write(value) };
    }

    /// What the slot holds.
    #[inline]
    pub(crate) fn held(&mut self) -> &mut Held<I, T> {
        self.held.get_mut()
    }

    #[inline]
    pub(crate) fn get_mut(&mut self) -> Option<&mut T> {
        match self.held() {
            Held::Done(value) => Some(value),
            _ => None,
        }
    }

    #[inline]
    pub(crate) fn into_held(self) -> Held<I, T> {
        self.held.into_inner()
    }
}

impl<T> Slot<(), T> {
    /// Initialises with what `make` returns, unless it is complete; an error leaves the slot empty, and
    /// so does a panic.
    #[cold]
    #[track_caller]
    pub(crate) fn try_initialise<E>(&self, make: impl FnOnce() -> Result<T, E>) -> Result<&T, E> {
        let mut make = Some(make);
        let mut failure = None;
        let ran = self.once().run(Poison::Ignore, &mut |_| {
            let make = make.take().expect("called once");
            match make() {
                Ok(value) => {
                    // SAFETY: this is the run; a `()` needs no drop.
                    unsafe { self.fill(value) };
                    End::Done
                }
                Err(error) => {
                    failure = Some(error);
                    End::New
                }
            }
        });
        debug_assert_eq!(ran, Ok(()), "poison is ignored");
        match failure {
            Some(error) => Err(error),
            // SAFETY: `run` returns when it is complete, or when our `make` has failed.
            None => Ok(unsafe { self.get_unchecked() }),
        }
    }

    /// The same, if it cannot fail.
    #[inline]
    #[track_caller]
    pub(crate) fn initialise(&self, make: impl FnOnce() -> T) -> &T {
        let Ok(value) = self.try_initialise(|| Ok::<T, Infallible>(make()));
        value
    }
}

impl<F: FnOnce() -> T, T> Slot<F, T> {
    /// Initialises with the function that the slot holds, unless it is complete; a panic leaves the slot
    /// poisoned for ever.
    #[cold]
    #[track_caller]
    pub(crate) fn force(&self) -> Result<&T, Poisoned> {
        self.once().run(Poison::Heed, &mut |before| {
            debug_assert_eq!(before, Before::New, "poison is heeded");
            // SAFETY: rule 1: the word was `NEW`, so an `F` is there; nobody takes or drops it again,
            // for the word is never `NEW` again.
            let make = unsafe { self.payload::<F>().read() };
            let value = make();
            // SAFETY: this is the run; the `F` was taken.
            unsafe { self.fill(value) };
            End::Done
        })?;
        // SAFETY: it is complete: `End::Done` is the only end but a panic.
        Ok(unsafe { self.get_unchecked() })
    }

    /// The same for whoever has the slot to himself.
    #[inline]
    pub(crate) fn force_mut(&mut self) -> Result<&mut T, Poisoned> {
        if matches!(self.held(), Held::New(_) | Held::NewParked(_)) {
            self.make_mut();
        }
        self.get_mut().ok_or(Poisoned)
    }

    #[cold]
    fn make_mut(&mut self) {
        if let Held::New(make) | Held::NewParked(make) = mem::replace(self.held(), Held::Poisoned) {
            *self.held() = Held::Done(make());
        }
    }
}

/// Shows what is in a slot of a type called `name`.
pub(super) fn show<T: fmt::Debug>(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    value: Option<&T>,
) -> fmt::Result {
    let mut tuple = f.debug_tuple(name);
    match value {
        Some(value) => tuple.field(value),
        None => tuple.field(&format_args!("<uninit>")),
    };
    tuple.finish()
}
