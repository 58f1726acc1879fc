//! The original's raw reader-writer lock is one type with a parameter; Parkade's are two types.

/// [`parkade::RawRwLock`], or [`parkade::RawRecursiveRwLock`] as `RawRwLock<true>`.
///
/// ```
/// use parking_lot::{RawRwLock, RawRwLockRecursive, lock_api::RwLock};
///
/// let lock: RwLock<RawRwLock, u8> = parking_lot::RwLock::new(1);
/// let recursive: RwLock<RawRwLock<true>, u8> = parking_lot::RecursiveRwLock::new(1);
/// assert_eq!(*lock.read(), *recursive.read());
/// ```
pub type RawRwLock<const RECURSIVE: bool = false> = <Kind<RECURSIVE> as HasRaw>::Raw;

/// A kind of reader-writer lock.
#[derive(Debug)]
pub struct Kind<const RECURSIVE: bool>;

/// A kind for which there is a raw lock.
pub trait HasRaw {
    /// The raw lock.
    type Raw;
}

impl HasRaw for Kind<false> {
    type Raw = parkade::RawRwLock;
}

impl HasRaw for Kind<true> {
    type Raw = parkade::RawRecursiveRwLock;
}
