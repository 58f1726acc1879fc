//! What locks can do beyond `lock_api`: `use parkade::prelude::*;`.

pub use crate::{
    mutex::{
        LockWhen, WaitUntil,
        future::face::LockAsync,
        when::future::face::{LockWhenAsync, WaitUntilAsync},
    },
    rwlock::{
        ReadRecursive,
        future::face::{RwLockAsync, UpgradeAsync},
    },
    task::send::Sendable,
};
