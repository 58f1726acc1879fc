//! What the public types have in common, written once: guards, and the ways to take a key.

/// A guard that borrows its map (`$guard`), one that shares in it (`$owned`) and one over several keys (`$many`), for
/// a map `$map` whose keys are held in `$mode`.
macro_rules! keyed_guards {
    (
        $map:ident, $raw:ty, $mode:expr;
        $(#[$guard_doc:meta])* $guard:ident;
        $(#[$owned_doc:meta])* $owned:ident;
        $(#[$many_doc:meta])* $many:ident;
    ) => {
        $(#[$guard_doc])*
        #[must_use = "if unused the key is unlocked at once"]
        pub struct $guard<'a, K> {
            table: &'a Table<K, (), $raw>,
            node: NodePtr<K, (), $raw>,
            marker: PhantomData<GuardMarker>,
        }

        impl<K> $guard<'_, K> {
            /// The key that is locked.
            #[must_use]
            pub fn key(&self) -> &K {
                // SAFETY: 1: the guard has a share.
                unsafe { self.node.get() }.key()
            }

            /// It may come to be dropped on another thread.
            pub(crate) fn unbind(&self) {
                // SAFETY: 1: the guard has a share.
                unsafe { self.node.get() }.unbind($mode);
            }

            /// Unlocks, and who waits longest for the key has it next.
            pub fn unlock_fair(guard: Self) {
                let guard = ManuallyDrop::new(guard);
                // SAFETY: 1: the guard holds the key, and is not used again.
                unsafe { guard.table.leave(guard.node, $mode, Fairness::Fair) };
            }
        }

        impl<K> Drop for $guard<'_, K> {
            #[inline]
            fn drop(&mut self) {
                // SAFETY: 1: the guard holds the key.
                unsafe { self.table.leave(self.node, $mode, Fairness::Barging) };
            }
        }

        impl<K: fmt::Debug> fmt::Debug for $guard<'_, K> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($guard)).field(self.key()).finish()
            }
        }

        $(#[$owned_doc])*
        #[must_use = "if unused the key is unlocked at once"]
        pub struct $owned<K, S = DefaultHashBuilder> {
            map: Arc<$map<K, S>>,
            node: NodePtr<K, (), $raw>,
            marker: PhantomData<GuardMarker>,
        }

        impl<K, S> $owned<K, S> {
            /// The key that is locked.
            #[must_use]
            pub fn key(&self) -> &K {
                // SAFETY: 1: the guard has a share.
                unsafe { self.node.get() }.key()
            }

            /// It may come to be dropped on another thread.
            pub(crate) fn unbind(&self) {
                // SAFETY: 1: the guard has a share.
                unsafe { self.node.get() }.unbind($mode);
            }

            /// Unlocks, and who waits longest for the key has it next.
            pub fn unlock_fair(guard: Self) {
                let guard = ManuallyDrop::new(guard);
                // SAFETY: the guard is not used again but to unlock, nor dropped.
                let map = unsafe { core::ptr::read(&raw const guard.map) };
                // SAFETY: 1: the guard holds the key.
                unsafe { map.table.leave(guard.node, $mode, Fairness::Fair) };
            }
        }

        impl<K, S> Drop for $owned<K, S> {
            #[inline]
            fn drop(&mut self) {
                // SAFETY: 1: the guard holds the key.
                unsafe { self.map.table.leave(self.node, $mode, Fairness::Barging) };
            }
        }

        impl<K: fmt::Debug, S> fmt::Debug for $owned<K, S> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($owned)).field(self.key()).finish()
            }
        }

        $(#[$many_doc])*
        #[must_use = "if unused the keys are unlocked at once"]
        pub struct $many<'a, K> {
            held: Many<'a, K, $raw>,
            marker: PhantomData<GuardMarker>,
        }

        impl<K> $many<'_, K> {
            /// The keys that are locked, in ascending order, each once.
            pub fn keys(&self) -> impl ExactSizeIterator<Item = &K> {
                self.held.keys()
            }

            /// It may come to be dropped on another thread.
            pub(crate) fn unbind(&self) {
                self.held.nodes().for_each(|node| node.unbind($mode));
            }
        }

        impl<K: fmt::Debug> fmt::Debug for $many<'_, K> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($many))?;
                f.debug_set().entries(self.keys()).finish()
            }
        }
    };
}

/// The ways to take one key, or several, in `$mode`. The first of each group has its own documentation.
macro_rules! keyed_ways {
    (
        $mode:expr, $guard:ident, $owned:ident, $many:ident;
        $(#[$lock_doc:meta])* $lock:ident, $try_lock:ident, $try_lock_for:ident, $try_lock_until:ident;
        $(#[$owned_doc:meta])* $lock_owned:ident, $try_owned:ident, $try_owned_for:ident, $try_owned_until:ident;
        $(#[$many_doc:meta])* $lock_many:ident, $try_many:ident, $try_many_for:ident, $try_many_until:ident;
        $(#[$retrying_doc:meta])* $try_retrying:ident;
    ) => {
        $(#[$lock_doc])*
        #[inline]
        #[track_caller]
        pub fn $lock<Q>(&self, key: &Q) -> $guard<'_, K>
        where
            K: Borrow<Q>,
            Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        {
            let node = self.table.enter(self.tag(key), key, $mode, Held::here());
            $guard { table: &self.table, node, marker: PhantomData }
        }

        #[doc = concat!("[`", stringify!($lock), "`](Self::", stringify!($lock), ") if that is possible at once.")]
        #[inline]
        #[track_caller]
        pub fn $try_lock<Q>(&self, key: &Q) -> Option<$guard<'_, K>>
        where
            K: Borrow<Q>,
            Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        {
            let node = self.table.try_enter(self.tag(key), key, $mode, Held::here())?;
            Some($guard { table: &self.table, node, marker: PhantomData })
        }

        #[doc = concat!("[`", stringify!($lock), "`](Self::", stringify!($lock), ") if that is possible within `timeout`; zero still takes a free key, and a timeout too long for the clock never ends.")]
        #[inline]
        #[track_caller]
        pub fn $try_lock_for<Q>(&self, key: &Q, timeout: Duration) -> Option<$guard<'_, K>>
        where
            K: Borrow<Q>,
            Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        {
            let (tag, deadline) = (self.tag(key), || Moment::after(timeout));
            let node = self.table.enter_until(tag, key, $mode, deadline, Held::here())?;
            Some($guard { table: &self.table, node, marker: PhantomData })
        }

        #[doc = concat!("[`", stringify!($lock), "`](Self::", stringify!($lock), ") if that is possible until `deadline`; one that has passed still takes a free key.")]
        #[inline]
        #[track_caller]
        pub fn $try_lock_until<Q>(&self, key: &Q, deadline: Instant) -> Option<$guard<'_, K>>
        where
            K: Borrow<Q>,
            Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        {
            let (tag, deadline) = (self.tag(key), || Moment::at(deadline));
            let node = self.table.enter_until(tag, key, $mode, deadline, Held::here())?;
            Some($guard { table: &self.table, node, marker: PhantomData })
        }

        $(#[$owned_doc])*
        #[track_caller]
        pub fn $lock_owned<Q>(self: &Arc<Self>, key: &Q) -> $owned<K, S>
        where
            K: Borrow<Q>,
            Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        {
            $owned::of(self, self.$lock(key))
        }

        #[doc = concat!("[`", stringify!($try_lock), "`](Self::", stringify!($try_lock), ") with a guard that shares in the map.")]
        #[track_caller]
        pub fn $try_owned<Q>(self: &Arc<Self>, key: &Q) -> Option<$owned<K, S>>
        where
            K: Borrow<Q>,
            Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        {
            Some($owned::of(self, self.$try_lock(key)?))
        }

        #[doc = concat!("[`", stringify!($try_lock_for), "`](Self::", stringify!($try_lock_for), ") with a guard that shares in the map.")]
        #[track_caller]
        pub fn $try_owned_for<Q>(self: &Arc<Self>, key: &Q, timeout: Duration) -> Option<$owned<K, S>>
        where
            K: Borrow<Q>,
            Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        {
            Some($owned::of(self, self.$try_lock_for(key, timeout)?))
        }

        #[doc = concat!("[`", stringify!($try_lock_until), "`](Self::", stringify!($try_lock_until), ") with a guard that shares in the map.")]
        #[track_caller]
        pub fn $try_owned_until<Q>(self: &Arc<Self>, key: &Q, deadline: Instant) -> Option<$owned<K, S>>
        where
            K: Borrow<Q>,
            Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        {
            Some($owned::of(self, self.$try_lock_until(key, deadline)?))
        }

        $(#[$many_doc])*
        #[track_caller]
        pub fn $lock_many<'q, Q>(&self, keys: impl IntoIterator<Item = &'q Q>) -> $many<'_, K>
        where
            K: Borrow<Q>,
            Q: Hash + Ord + ToOwned<Owned = K> + ?Sized + 'q,
        {
            let held = Held::here();
            let enter = |key: &Q| Some(self.table.enter(self.tag(key), key, $mode, held));
            let held = Many::enter(&self.table, $mode, keys, enter);
            $many { held: held.expect("there is no deadline"), marker: PhantomData }
        }

        #[doc = concat!("[`", stringify!($lock_many), "`](Self::", stringify!($lock_many), ") if that is possible at once; else none is locked.")]
        #[track_caller]
        pub fn $try_many<'q, Q>(&self, keys: impl IntoIterator<Item = &'q Q>) -> Option<$many<'_, K>>
        where
            K: Borrow<Q>,
            Q: Hash + Ord + ToOwned<Owned = K> + ?Sized + 'q,
        {
            let held = Held::here();
            let enter = |key: &Q| self.table.try_enter(self.tag(key), key, $mode, held);
            let held = Many::enter(&self.table, $mode, keys, enter)?;
            Some($many { held, marker: PhantomData })
        }

        #[doc = concat!("[`", stringify!($lock_many), "`](Self::", stringify!($lock_many), ") if all are locked within `timeout`; else none is.")]
        #[track_caller]
        pub fn $try_many_for<'q, Q>(
            &self,
            keys: impl IntoIterator<Item = &'q Q>,
            timeout: Duration,
        ) -> Option<$many<'_, K>>
        where
            K: Borrow<Q>,
            Q: Hash + Ord + ToOwned<Owned = K> + ?Sized + 'q,
        {
            let (held, deadline) = (Held::here(), Moment::after(timeout));
            let enter =
                |key: &Q| self.table.enter_until(self.tag(key), key, $mode, || deadline, held);
            let held = Many::enter(&self.table, $mode, keys, enter)?;
            Some($many { held, marker: PhantomData })
        }

        #[doc = concat!("[`", stringify!($lock_many), "`](Self::", stringify!($lock_many), ") if all are locked until `deadline`; else none is.")]
        #[track_caller]
        pub fn $try_many_until<'q, Q>(
            &self,
            keys: impl IntoIterator<Item = &'q Q>,
            deadline: Instant,
        ) -> Option<$many<'_, K>>
        where
            K: Borrow<Q>,
            Q: Hash + Ord + ToOwned<Owned = K> + ?Sized + 'q,
        {
            self.$try_many_for(keys, deadline.saturating_duration_since(Instant::now()))
        }

        $(#[$retrying_doc])*
        #[track_caller]
        pub fn $try_retrying<Q>(&self, key: &Q, retry: &Retry) -> Result<$guard<'_, K>, RetryError>
        where
            K: Borrow<Q>,
            Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        {
            retry.run(|| self.$try_lock(key))
        }
    };
}

/// The ways in which a task takes one key, or several.
macro_rules! keyed_ways_of_tasks {
    (
        $guard:ident, $owned:ident;
        $(#[$lock_doc:meta])* $lock_async:ident -> $lock:ident;
        $(#[$owned_doc:meta])* $lock_owned_async:ident -> $lock_owned:ident;
        $(#[$many_doc:meta])* $lock_many_async:ident -> $lock_many:ident;
    ) => {
        $(#[$lock_doc])*
        pub fn $lock_async<Q>(&self, key: &Q) -> $lock<'_, K>
        where
            K: Borrow<Q>,
            Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        {
            $lock::new(TaskShare::new(&self.table, self.tag(key), key))
        }

        $(#[$owned_doc])*
        pub fn $lock_owned_async<Q>(self: &Arc<Self>, key: &Q) -> $lock_owned<K, S>
        where
            K: Borrow<Q>,
            Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        {
            $lock_owned::new(TaskShare::new(Arc::clone(self), self.tag(key), key))
        }

        $(#[$many_doc])*
        pub fn $lock_many_async<'q, Q>(
            &self,
            keys: impl IntoIterator<Item = &'q Q>,
        ) -> $lock_many<'_, K>
        where
            K: Borrow<Q>,
            Q: Hash + Ord + ToOwned<Owned = K> + ?Sized + 'q,
        {
            let share = |key| TaskShare::new(&self.table, self.tag(key), key);
            $lock_many::new(Keys::new(&self.table, ascending(keys), share))
        }
    };
}

/// `$guard`, `$owned` and `$many`, which hold keys of `$map` as `$want` says, as what tasks wait for.
macro_rules! keyed_guards_of_tasks {
    ($map:ident, $raw:ty, $want:expr; $guard:ident, $owned:ident, $many:ident, $mode:expr) => {
        impl<'a, K> KeyGuard for $guard<'a, K> {
            type Key = K;
            type Value = ();
            type Lock = $raw;
            type Map = &'a Table<K, (), $raw>;

            const WANT: <$raw as Queue>::Want = $want;

            fn table(map: &Self::Map) -> &Table<K, (), $raw> {
                map
            }

            unsafe fn made(table: Self::Map, node: NodePtr<K, (), $raw>) -> Self {
                $guard { table, node, marker: PhantomData }
            }
        }

        impl<K, S> KeyGuard for $owned<K, S> {
            type Key = K;
            type Value = ();
            type Lock = $raw;
            type Map = Arc<$map<K, S>>;

            const WANT: <$raw as Queue>::Want = $want;

            fn table(map: &Self::Map) -> &Table<K, (), $raw> {
                &map.table
            }

            unsafe fn made(map: Self::Map, node: NodePtr<K, (), $raw>) -> Self {
                $owned { map, node, marker: PhantomData }
            }
        }

        impl<'a, K> ManyGuard for $many<'a, K> {
            type One = $guard<'a, K>;

            fn made(table: &'a Table<K, (), $raw>, guards: Vec<$guard<'a, K>>) -> Self {
                let nodes = guards.into_iter().map(|guard| ManuallyDrop::new(guard).node).collect();
                $many { held: Many::held(table, $mode, nodes), marker: PhantomData }
            }
        }
    };
}

/// What can be asked of a map of keys without taking any, and how it is made.
macro_rules! keyed_map {
    ($map:ident) => {
        impl<K> $map<K> {
            /// No key is locked. Allocates the shards.
            #[must_use]
            pub fn new() -> Self {
                Self::with_hasher(DefaultHashBuilder::default())
            }
        }

        impl<K, S> $map<K, S> {
            /// As `new`, for keys hashed by `hasher`. Keys whose hashes are equal cost more to find, and do not wait
            /// for each other.
            #[must_use]
            pub fn with_hasher(hasher: S) -> Self {
                $map { table: Table::new(), hasher }
            }

            /// What hashes the keys.
            pub fn hasher(&self) -> &S {
                &self.hasher
            }

            /// How many keys are locked or waited for; futures wait from when they are made. Each shard is seen at one instant.
            #[must_use]
            pub fn len(&self) -> usize {
                self.table.len()
            }

            /// Whether no key is locked or waited for.
            #[must_use]
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }

            /// The keys that are locked or waited for, in no order. Each shard is seen at one instant; its keys are
            /// cloned with the shard locked.
            #[must_use]
            pub fn keys(&self) -> Vec<K>
            where
                K: Clone,
            {
                self.table.list(|node| node.key().clone())
            }

            /// The keys that are locked or waited for, by how many and for how long. As [`keys`](Self::keys).
            ///
            /// For diagnosis: what it says may be over when it is read.
            #[must_use]
            pub fn snapshot(&self) -> Vec<KeyInfo<K>>
            where
                K: Clone,
            {
                self.table.list(KeyInfo::of)
            }
        }

        impl<K, S: BuildHasher> $map<K, S> {
            #[inline(always)]
            fn tag<Q: Hash + ?Sized>(&self, key: &Q) -> Tag {
                Tag::of(self.hasher.hash_one(key))
            }

            /// Whether anybody holds the key now.
            pub fn is_locked<Q>(&self, key: &Q) -> bool
            where
                K: Borrow<Q>,
                Q: Hash + Eq + ?Sized,
            {
                self.table.peek(self.tag(key), key, |node| node.holders() > 0).unwrap_or(false)
            }
        }

        impl<K, S: Default> Default for $map<K, S> {
            fn default() -> Self {
                Self::with_hasher(S::default())
            }
        }

        impl<K, S> fmt::Debug for $map<K, S> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($map)).field("len", &self.len()).finish_non_exhaustive()
            }
        }
    };
}

/// `$owned::of`: the same hold, with a share in the map.
macro_rules! keyed_owned_of {
    ($map:ident, $guard:ident, $owned:ident) => {
        impl<K, S> $owned<K, S> {
            fn of(map: &Arc<$map<K, S>>, guard: $guard<'_, K>) -> Self {
                let node = ManuallyDrop::new(guard).node;
                $owned { map: Arc::clone(map), node, marker: PhantomData }
            }
        }
    };
}

pub(super) use {
    keyed_guards, keyed_guards_of_tasks, keyed_map, keyed_owned_of, keyed_ways, keyed_ways_of_tasks,
};
