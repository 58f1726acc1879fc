//! [`KeyedMutex`] and its guards.

use super::{
    DefaultHashBuilder, KeyInfo, Retry, RetryError,
    face::{
        keyed_guards, keyed_guards_of_tasks, keyed_map, keyed_owned_of, keyed_ways,
        keyed_ways_of_tasks,
    },
    lock::{Alone, Fairness},
    many::{Many, ascending},
    node::NodePtr,
    table::{Table, Tag},
    task::{KeyGuard, Keys, ManyGuard, TaskShare, WaitingForMany},
};
use crate::{
    GuardMarker, RawMutex,
    rwlock::Held,
    task::{Queue, future},
};
use core::{
    borrow::Borrow,
    fmt,
    hash::{BuildHasher, Hash},
    marker::PhantomData,
    mem::ManuallyDrop,
    time::Duration,
};
use parkade_core::Moment;
use std::{sync::Arc, time::Instant};

/// A mutex for each key, with nothing left of those that nobody uses.
///
/// Locks a name, a number, whatever identifies the thing that only one thread at a time may work on, where there are too
/// many such things to have a [`Mutex`](crate::Mutex) each: users, files, orders. A key exists as long as somebody
/// holds it or waits for it.
///
/// * **Blocking**: [`lock`](Self::lock) waits as long as another thread has an *equal* key, as
///   [`Mutex`](crate::Mutex) does, and for nothing else: keys that share a shard, or a hash, do not wait for each other, also not if one
///   thread holds several. (The table is guarded by one lock for each shard, held for some nanoseconds at a time; nobody waits for a key meanwhile.)
///   [`try_lock`](Self::try_lock) does not wait; [`try_lock_for`](Self::try_lock_for) and
///   [`try_lock_until`](Self::try_lock_until) give up at a deadline on the monotonic clock, never before it, and leave no trace.
/// * **Fairness**: for each key that of [`Mutex`](crate::Mutex): who waits is overtaken for a bounded time.
///   [`unlock_fair`](KeyedMutexGuard::unlock_fair) hands the key to who waits longest.
/// * **Several keys**: [`lock_many`](Self::lock_many) takes them in ascending order, so that threads that take several
///   cannot deadlock; who nests by hand does not either, if he keeps to that order.
/// * **Recursion**: locking a key again on the thread that holds it deadlocks. Debug builds (without the feature
///   `send_guard`) panic instead, with both places; [`snapshot`](Self::snapshot) names the thread that holds a key, by the
///   number by which [`parkade_core::snapshot`] names those that wait.
/// * **Keys**: looked up as anything they [`Borrow`], `&str` for `String`, and made of that (`ToOwned`) if they are not there.
///   `Eq`, `ToOwned` and `Clone` of the key run with a shard locked, so they must not use the same map;
///   `Hash` and `Drop` may. If one of them panics nothing has changed; if `Drop` does, what was to be unlocked is.
/// * **Panics**: a panic in the section unlocks; there is no poisoning.
/// * **Cost**: two locked instructions and a look at a coarse clock to lock and unlock a key for which nobody waits. 32 bytes
///   beside the key for each that is held, and of the table up to 16 as keys come and 64 as they go. A shard keeps 16 blocks of
///   keys that have left, and allocates for one that it has no block for; and chains as it comes to have more than 8 keys at
///   a time, and when they have doubled. Else only `to_owned` may. An empty map has 8 shards for each processor, 32 at least, of 128 bytes.
/// * **Process**: after `fork` a child may use every key that was not held by another thread, provided that no other
///   thread was at that moment inside a call of this type; what others were waiting for stays in the table. Not for signal handlers.
///
/// Not for few keys known beforehand: an array of mutexes is faster. Not for values that belong to keys:
/// nothing is protected but the key, as with a `Mutex<()>`.
///
/// ```
/// use parkade::keyed::KeyedMutex;
/// use std::{sync::Arc, thread};
///
/// let users = Arc::new(KeyedMutex::<String>::new());
/// let ann = users.lock("ann");
/// let other = thread::spawn({
///     let users = Arc::clone(&users);
///     move || {
///         let _bob = users.lock("bob"); // does not wait
///         users.try_lock("ann").is_none()
///     }
/// });
/// assert!(other.join().unwrap());
/// assert_eq!(ann.key(), "ann");
/// assert_eq!(users.len(), 1);
/// drop(ann);
/// assert!(users.is_empty());
/// ```
///
/// A guard stays on its thread unless the feature `send_guard` is on:
///
/// ```compile_fail,E0277
/// # #[cfg(feature = "send_guard")] compile_error!("E0277 does not apply");
/// fn needs_send<T: Send>(_: T) {}
/// let users = parkade::keyed::KeyedMutex::<u64>::new();
/// needs_send(users.lock(&1));
/// ```
///
/// Threads compare each other's keys, so they are `Sync` and `Send` where the map is shared:
///
/// ```compile_fail,E0277
/// fn needs_sync<T: Sync>(_: T) {}
/// needs_sync(parkade::keyed::KeyedMutex::<std::cell::Cell<u64>>::new());
/// ```
///
/// ```compile_fail,E0277
/// fn needs_sync<T: Sync>(_: T) {}
/// needs_sync(parkade::keyed::KeyedMutex::<std::rc::Rc<u64>>::new());
/// ```
pub struct KeyedMutex<K, S = DefaultHashBuilder> {
    table: Table<K, (), RawMutex>,
    hasher: S,
}

keyed_map!(KeyedMutex);

impl<K, S: BuildHasher> KeyedMutex<K, S> {
    keyed_ways! {
        Alone, KeyedMutexGuard, OwnedKeyedMutexGuard, KeyedMutexManyGuard;
        /// Locks `key`, and waits as long as another thread has it.
        ///
        /// # Panics
        /// In a debug build without `send_guard`, if the thread has the key already.
        ///
        /// ```
        /// let users = parkade::keyed::KeyedMutex::<u64>::new();
        /// let guard = users.lock(&7);
        /// assert!(users.is_locked(&7) && !users.is_locked(&8));
        /// # drop(guard);
        /// ```
        lock, try_lock, try_lock_for, try_lock_until;
        /// [`lock`](Self::lock) with a guard that shares in the map instead of borrowing it.
        ///
        /// ```
        /// use parkade::keyed::{KeyedMutex, OwnedKeyedMutexGuard};
        /// use std::sync::Arc;
        ///
        /// struct Session {
        ///     user: OwnedKeyedMutexGuard<u64>,
        /// }
        ///
        /// let users = Arc::new(KeyedMutex::new());
        /// let session = Session { user: users.lock_owned(&7) };
        /// drop(users); // the session keeps it
        /// assert_eq!(session.user.key(), &7);
        /// ```
        lock_owned, try_lock_owned, try_lock_owned_for, try_lock_owned_until;
        /// Locks all of `keys`, in ascending order, each once, whatever order they are given in.
        ///
        /// Threads that take several keys so do not deadlock, and with none that locks one key after another by hand in
        /// ascending order. `Ord` of what is given must agree with that of the keys, as [`Borrow`] demands.
        ///
        /// Allocates a word or two for each key. Do not hold another key of the map meanwhile, unless it is below all
        /// of these.
        ///
        /// # Panics
        /// As [`lock`](Self::lock).
        ///
        /// ```
        /// let accounts = parkade::keyed::KeyedMutex::<String>::new();
        /// let both = accounts.lock_many(["to", "from", "to"]);
        /// assert!(both.keys().eq(["from", "to"]));
        /// assert!(accounts.try_lock_many(["aside", "to"]).is_none());
        /// assert!(!accounts.is_locked("aside"));
        /// ```
        lock_many, try_lock_many, try_lock_many_for, try_lock_many_until;
        /// Locks `key`, trying again and again as `retry` says. Nobody is fair to a thread that polls: prefer
        /// [`try_lock_for`](Self::try_lock_for).
        ///
        /// # Errors
        /// [`RetryError::Invalid`] if `retry` makes no sense; [`RetryError::Exhausted`] if all tries have failed.
        try_lock_retrying;
    }

    keyed_ways_of_tasks! {
        KeyedMutexGuard, OwnedKeyedMutexGuard;
        /// [`lock`](Self::lock), waiting as a task does.
        ///
        /// Threads and tasks that want a key stand in one line, and what is said of [`Mutex`](crate::Mutex)'s
        /// [`lock_async`](crate::prelude::LockAsync) holds for each key: a future may be dropped at any time, and one
        /// that is not polled keeps nobody from the key.
        ///
        /// The key is looked up here, and is in the table until the future is dropped or the guard that it returned; so a
        /// future that has not been polled counts in [`len`](Self::len), but has locked nothing. 128 bytes, on 64-bit
        /// systems, and nothing of the caller's key. There is no form of [`try_lock_retrying`](Self::try_lock_retrying): a
        /// pause is a timer, which is the runtime's.
        ///
        /// A task that waits for a key it has already waits for ever; that is noticed in no build.
        ///
        /// ```
        /// let users = parkade::keyed::KeyedMutex::<String>::new();
        /// futures::executor::block_on(async {
        ///     let guard = users.lock_async("ann").await;
        ///     assert!(users.is_locked("ann"));
        ///     drop(guard);
        /// });
        /// assert!(users.is_empty());
        /// ```
        lock_async -> LockKey;
        /// [`lock_async`](Self::lock_async) with a future and a guard that share in the map instead of borrowing it.
        ///
        /// ```
        /// use parkade::{keyed::KeyedMutex, prelude::*};
        /// use std::sync::Arc;
        ///
        /// let users = Arc::new(KeyedMutex::<u64>::new());
        /// let future = users.lock_owned_async(&7);
        /// drop(users); // the future keeps it
        /// // A task that moves between threads makes the guard one that may.
        /// let guard = futures::executor::block_on(future).sendable();
        /// std::thread::spawn(move || drop(guard)).join().unwrap();
        /// ```
        lock_owned_async -> LockKeyOwned;
        /// [`lock_many`](Self::lock_many), waiting as a task does.
        ///
        /// Takes the keys in the same order, so that tasks and threads that take several do not deadlock. Dropped
        /// halfway, it unlocks those that it has. While it waits for a key it has those below it, so it does keep
        /// others from them if it is not polled.
        ///
        /// ```
        /// let accounts = parkade::keyed::KeyedMutex::<String>::new();
        /// let both = futures::executor::block_on(accounts.lock_many_async(["to", "from"]));
        /// assert!(both.keys().eq(["from", "to"]));
        /// ```
        lock_many_async -> LockKeys;
    }
}

future! {
    /// Locks a key: the future of [`KeyedMutex::lock_async`].
    pub struct LockKey['a, K]['a, K](TaskShare<KeyedMutexGuard<'a, K>>) -> KeyedMutexGuard<'a, K>;
}

future! {
    /// Locks a key and shares in its map: the future of [`KeyedMutex::lock_owned_async`].
    pub struct LockKeyOwned[K, S][K, S](TaskShare<OwnedKeyedMutexGuard<K, S>>)
        -> OwnedKeyedMutexGuard<K, S>;
}

future! {
    /// Locks several keys: the future of [`KeyedMutex::lock_many_async`].
    pub struct LockKeys['a, K]['a, K]
        (Keys<KeyedMutexGuard<'a, K>>) in (WaitingForMany<KeyedMutexManyGuard<'a, K>>)
        -> KeyedMutexManyGuard<'a, K>;
}

keyed_guards! {
    KeyedMutex, RawMutex, Alone;
    /// A key of a [`KeyedMutex`] that is locked; unlocks it when dropped.
    ///
    /// One that is forgotten leaves the key locked, and in the table.
    KeyedMutexGuard;
    /// A [`KeyedMutexGuard`] that shares in its map instead of borrowing it.
    OwnedKeyedMutexGuard;
    /// Several keys of a [`KeyedMutex`] that are locked; unlocks them when dropped.
    KeyedMutexManyGuard;
}
keyed_owned_of!(KeyedMutex, KeyedMutexGuard, OwnedKeyedMutexGuard);
keyed_guards_of_tasks! {
    KeyedMutex, RawMutex, ();
    KeyedMutexGuard, OwnedKeyedMutexGuard, KeyedMutexManyGuard, Alone
}
