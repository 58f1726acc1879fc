//! What locks can do beyond `lock_api`: `use parkade::prelude::*;`.

pub use crate::{
    mutex::{
        LockWhen, WaitUntil,
        future::face::LockAsync,
        when::future::face::{LockWhenAsync, WaitUntilAsync},
    },
    rwlock::ReadRecursive,
    task::send::Sendable,
};
