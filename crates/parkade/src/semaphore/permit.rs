//! Permits as guards.

use super::face::Semaphore;
use core::{fmt, mem, ptr};
use std::sync::Arc;

/// Permits of a [`Semaphore`], given back when dropped.
///
/// Made by [`Semaphore::acquire`] and its kin. It may be sent to another thread and dropped there.
/// One that is leaked ([`core::mem::forget`]) keeps its permits for ever, as does [`forget`](SemaphorePermit::forget).
///
/// It borrows the semaphore, which therefore outlives it:
///
/// ```compile_fail,E0505
/// let semaphore = parkade::Semaphore::new(1);
/// let permit = semaphore.acquire();
/// drop(semaphore);
/// drop(permit);
/// ```
#[must_use = "the permits are given back as soon as it is dropped"]
pub struct SemaphorePermit<'a> {
    semaphore: &'a Semaphore,
    permits: usize,
}

/// Permits of a [`Semaphore`] that is shared by an [`Arc`], given back when dropped.
///
/// Made by [`Semaphore::acquire_owned`] and its kin. As a [`SemaphorePermit`], but it keeps the semaphore
/// alive instead of borrowing it.
///
/// It can be moved into a thread that outlives its maker:
///
/// ```
/// use parkade::Semaphore;
/// use std::{sync::Arc, thread};
///
/// let jobs = Arc::new(Semaphore::new(2));
/// let permit = Arc::clone(&jobs).acquire_owned()?;
/// let job = thread::spawn(move || drop(permit));
/// job.join().unwrap();
/// assert_eq!(jobs.available_permits(), 2);
/// # Ok::<(), parkade::AcquireError>(())
/// ```
#[must_use = "the permits are given back as soon as it is dropped"]
pub struct OwnedSemaphorePermit {
    semaphore: Arc<Semaphore>,
    permits: usize,
}

/// What both kinds of permit can do. `$handle` leads to the semaphore, `$acquire` makes an example.
macro_rules! permit {
    ($name:ident$(<$lifetime:lifetime>)?, $handle:ty, $share:expr, $acquire:literal) => {
        impl$(<$lifetime>)? $name$(<$lifetime>)? {
            #[inline(always)]
            pub(super) fn new(semaphore: $handle, permits: usize) -> Self {
                $name { semaphore, permits }
            }

            /// How many permits it stands for.
            ///
            /// ```
            #[doc = concat!("# let semaphore = std::sync::Arc::new(parkade::Semaphore::new(5));\nlet permit = ", $acquire, ";")]
            /// assert_eq!(permit.num_permits(), 5);
            /// # Ok::<(), parkade::AcquireError>(())
            /// ```
            #[inline]
            #[must_use]
            pub fn num_permits(&self) -> usize {
                self.permits
            }

            /// The semaphore that it is of.
            ///
            /// ```
            #[doc = concat!("# let semaphore = std::sync::Arc::new(parkade::Semaphore::new(5));\nlet permit = ", $acquire, ";")]
            /// assert_eq!(permit.semaphore().available_permits(), 0);
            /// # Ok::<(), parkade::AcquireError>(())
            /// ```
            #[inline]
            #[must_use]
            pub fn semaphore(&self) -> &$handle {
                &self.semaphore
            }

            /// Does not give the permits back: the semaphore has that many fewer from now on.
            ///
            /// ```
            #[doc = concat!("# let semaphore = std::sync::Arc::new(parkade::Semaphore::new(6));\nlet permit = ", $acquire, ";")]
            /// permit.forget();
            /// assert_eq!(semaphore.available_permits(), 1);
            /// # Ok::<(), parkade::AcquireError>(())
            /// ```
            #[inline]
            pub fn forget(mut self) {
                self.permits = 0;
            }

            /// Splits `permits` off, which become a guard of their own; `None`, and nothing is changed, if
            /// it has fewer. Zero, or all, may be split off.
            ///
            /// ```
            #[doc = concat!("# let semaphore = std::sync::Arc::new(parkade::Semaphore::new(5));\nlet mut permit = ", $acquire, ";")]
            /// let two = permit.split(2).unwrap();
            /// assert_eq!((permit.num_permits(), two.num_permits()), (3, 2));
            /// assert!(permit.split(4).is_none());
            /// # Ok::<(), parkade::AcquireError>(())
            /// ```
            #[inline]
            #[must_use = "what was split off is given back as soon as it is dropped"]
            pub fn split(&mut self, permits: usize) -> Option<Self> {
                self.permits = self.permits.checked_sub(permits)?;
                Some($name::new($share(&self.semaphore), permits))
            }

            /// Takes over the permits of `other`.
            ///
            /// # Panics
            /// If `other` is of another semaphore. Nothing is lost then: this guard keeps what it has, and what
            /// `other` has is given back.
            ///
            /// ```
            #[doc = concat!("# let semaphore = std::sync::Arc::new(parkade::Semaphore::new(5));\nlet mut permit = ", $acquire, ";")]
            /// let two = permit.split(2).unwrap();
            /// permit.merge(two);
            /// assert_eq!(permit.num_permits(), 5);
            /// # Ok::<(), parkade::AcquireError>(())
            /// ```
            #[inline]
            #[track_caller]
            pub fn merge(&mut self, mut other: Self) {
                let (ours, theirs): (&Semaphore, &Semaphore) = (&self.semaphore, &other.semaphore);
                assert!(ptr::eq(ours, theirs), "merging permits of different semaphores");
                // What is more than a usize is more than the semaphore would take back.
                self.permits = self.permits.saturating_add(mem::take(&mut other.permits));
            }
        }

        impl$(<$lifetime>)? Drop for $name$(<$lifetime>)? {
            #[inline]
            fn drop(&mut self) {
                self.semaphore.give_back(self.permits);
            }
        }

        impl$(<$lifetime>)? fmt::Debug for $name$(<$lifetime>)? {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name))
                    .field("permits", &self.permits)
                    .field("semaphore", &self.semaphore)
                    .finish()
            }
        }
    };
}

permit!(
    SemaphorePermit<'a>,
    &'a Semaphore,
    |shared: &&'a Semaphore| *shared,
    "semaphore.acquire_many(5)?"
);
permit!(
    OwnedSemaphorePermit,
    Arc<Semaphore>,
    Arc::clone,
    "semaphore.clone().acquire_many_owned(5)?"
);
