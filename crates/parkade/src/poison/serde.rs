//! What `serde` does with `std`'s locks: they are written and read as what they protect.

use super::{Mutex, RwLock};
use core::ops::Deref;
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::Error};
use std::sync::LockResult;

/// Writes what a guard guards; a poisoned lock is an error.
fn serialize<G, S>(locked: LockResult<G>, serializer: S) -> Result<S::Ok, S::Error>
where
    G: Deref<Target: Serialize>,
    S: Serializer,
{
    let guard = locked.map_err(|_| S::Error::custom("a poisoned lock is not serialised"))?;
    guard.serialize(serializer)
}

impl<T: ?Sized + Serialize> Serialize for Mutex<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize(self.lock(), serializer)
    }
}

impl<T: ?Sized + Serialize> Serialize for RwLock<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize(self.read(), serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Mutex<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Mutex<T>, D::Error> {
        T::deserialize(deserializer).map(Mutex::new)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for RwLock<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RwLock<T>, D::Error> {
        T::deserialize(deserializer).map(RwLock::new)
    }
}
