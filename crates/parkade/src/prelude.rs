//! What locks can do beyond `lock_api`: `use parkade::prelude::*;`.

pub use crate::{
    mutex::{LockWhen, WaitUntil},
    rwlock::ReadRecursive,
};
