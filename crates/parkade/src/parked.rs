//! What the table says of a queue, in the words of the locks.

/// Whether anybody is queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parked {
    /// Nobody.
    None,
    /// At least one thread.
    Some,
}

/// From the table's `have_more_threads`.
impl From<bool> for Parked {
    fn from(have_more_threads: bool) -> Parked {
        if have_more_threads { Parked::Some } else { Parked::None }
    }
}
