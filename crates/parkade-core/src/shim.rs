//! One set of names for the real world and for the model checker, and the ledger of orderings.
//!
//! Not part of the stable interface: the crates of this workspace share it, nobody else should.

#[cfg(not(loom))]
pub use core::{
    cell::Cell,
    sync::atomic::{AtomicU8, AtomicU32, AtomicUsize, Ordering, fence},
};
#[cfg(loom)]
pub use loom::{
    cell::Cell,
    sync::atomic::{AtomicU8, AtomicU32, AtomicUsize, Ordering, fence},
};

pub use crate::abort::AbortOnUnwind;

/// Asks for the cache line of `value`, which is about to be changed. Where two threads count themselves as
/// readers of one lock in turn (rw-2-99) it is worth a seventh of their speed (docs/decisions/0006).
#[inline(always)]
pub fn prefetch<T>(value: &T) {
    #[cfg(all(target_arch = "x86_64", not(loom)))]
    {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: every x86-64 has the instruction, and it may be given any address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(core::ptr::from_ref(value).cast()) };
    }
    #[cfg(not(all(target_arch = "x86_64", not(loom))))]
    let _ = value;
}

/// One ordering that matters: an entry of a crate's ledger, made by [`orderings!`](crate::orderings).
#[derive(Debug, Clone, Copy)]
pub struct Edge {
    /// What the decision records, the models and `cargo xtask weaken` call it.
    pub id: &'static str,
    /// The ordering the shipped code uses.
    pub order: Ordering,
    /// What it pairs with and what it carries.
    pub pairs: &'static str,
}

impl Edge {
    /// The ordering to pass to the atomic operation.
    #[cfg(not(loom))]
    #[inline(always)]
    #[must_use]
    pub const fn get(self) -> Ordering {
        self.order
    }

    /// The ordering to pass to the atomic operation, weakened when `PARKADE_WEAKEN` names this
    /// edge (`ID`, or `ID:acquire` / `ID:release` for one half of an `AcqRel`).
    #[cfg(loom)]
    #[must_use]
    pub fn get(self) -> Ordering {
        match weakened(self.id) {
            None => self.order,
            Some("acquire") => Ordering::Release,
            Some("release") => Ordering::Acquire,
            Some(_) => Ordering::Relaxed,
        }
    }

    /// Issues the fence this edge stands for.
    #[inline(always)]
    pub fn fence(self) {
        #[cfg(loom)]
        if weakened(self.id).is_some() {
            return;
        }
        fence(self.order);
    }

    /// As [`fence`](Edge::fence), right after a read-modify-write: on x86 that was a full fence.
    #[inline(always)]
    pub fn fence_after_rmw(self) {
        if cfg!(all(target_arch = "x86_64", not(loom))) {
            core::sync::atomic::compiler_fence(self.order);
        } else {
            self.fence();
        }
    }
}

/// Which part of `id` the environment asks to weaken: a half's name, or the empty string for all.
#[cfg(loom)]
fn weakened(id: &str) -> Option<&'static str> {
    static ASKED: std::sync::OnceLock<Option<(String, String)>> = std::sync::OnceLock::new();
    let asked = ASKED.get_or_init(|| {
        let text = std::env::var("PARKADE_WEAKEN").ok()?;
        let (name, half) = text.split_once(':').unwrap_or((&text, ""));
        Some((name.to_owned(), half.to_owned()))
    });
    asked.as_ref().filter(|(name, _)| name == id).map(|(_, half)| half.as_str())
}

/// Declares a crate's ledger of orderings: one constant per edge, and `ALL` for the tools.
///
/// A site that is not `Relaxed` names its edge, so that `cargo xtask weaken` can relax each in
/// turn and demand that a model notices.
#[macro_export]
macro_rules! orderings {
    ($($id:ident = $order:ident, $pairs:literal;)+) => {
        $(
            #[doc = $pairs]
            pub(crate) const $id: $crate::shim::Edge = $crate::shim::Edge {
                id: stringify!($id),
                order: $crate::shim::Ordering::$order,
                pairs: $pairs,
            };
        )+
        /// Every edge of this crate.
        #[cfg(all(test, loom))]
        pub(crate) const ALL: &[$crate::shim::Edge] = &[$($id),+];
    };
}

/// A constructor that is `const` in the real world; loom's atomics cannot be made in constants.
#[macro_export]
macro_rules! const_unless_loom {
    (
        $(#[$doc:meta])*
        $vis:vis fn $name:ident($($argument:ident: $type:ty),*) -> $made:ty $body:block
    ) => {
        $(#[$doc])*
        #[cfg(not(loom))]
        $vis const fn $name($($argument: $type),*) -> $made $body

        $(#[$doc])*
        #[cfg(loom)]
        $vis fn $name($($argument: $type),*) -> $made $body
    };
}
