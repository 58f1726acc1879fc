//! What locks can do beyond `lock_api`: `use parkade::prelude::*;`.

pub use crate::rwlock::ReadRecursive;
