//! Reading and writing, told apart.

use serde::{Deserialize, Serialize};

/// How an operation takes its lock. A mutex is only ever written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Shared with other readers.
    Read,
    /// Alone.
    Write,
}

impl Access {
    /// Both.
    pub const ALL: [Access; 2] = [Access::Read, Access::Write];

    /// Who does it.
    pub fn doers(self) -> &'static str {
        match self {
            Access::Read => "readers",
            Access::Write => "writers",
        }
    }
}

/// The same for readers and for writers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sides<T> {
    /// The readers'.
    pub read: T,
    /// The writers'.
    pub write: T,
}

impl<T> Sides<T> {
    /// What `of` makes of each side.
    pub fn from_fn(mut of: impl FnMut(Access) -> T) -> Sides<T> {
        Sides { read: of(Access::Read), write: of(Access::Write) }
    }

    /// One side.
    #[inline(always)]
    pub fn of(&self, access: Access) -> &T {
        match access {
            Access::Read => &self.read,
            Access::Write => &self.write,
        }
    }

    /// One side, to be changed.
    #[inline(always)]
    pub fn of_mut(&mut self, access: Access) -> &mut T {
        match access {
            Access::Read => &mut self.read,
            Access::Write => &mut self.write,
        }
    }
}

impl<T> Sides<Option<T>> {
    /// Whether there is neither, as in everything about a mutex.
    pub fn is_empty(&self) -> bool {
        self.read.is_none() && self.write.is_none()
    }
}
