//! Evidence that the keyed locks are what a table of holders, kept by hand, says they are. Random scripts of one thread
//! take keys in every way, and leave them in any order and by panics of all kinds; the lists agree after each step.
//! Random scripts of several threads, of which some give up or panic, exclude each other for a key. All leave nothing.
#![cfg(feature = "keyed")]

#[path = "support/property.rs"]
mod property;
mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    hash::BuildHasher,
    pin::Pin,
    sync::{
        Arc, Barrier,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use parkade::keyed::{
    DefaultHashBuilder, KeyInfo, KeyedMutex, KeyedMutexGuard, KeyedMutexManyGuard, KeyedRwLock,
    KeyedRwLockReadGuard, KeyedRwLockReadManyGuard, KeyedRwLockWriteGuard,
    KeyedRwLockWriteManyGuard, OwnedKeyedMutexGuard, OwnedKeyedRwLockReadGuard,
    OwnedKeyedRwLockWriteGuard, Retry,
};
use proptest::{
    collection::vec,
    option,
    prelude::*,
    sample::{Index, select},
    test_runner::TestCaseResult,
};
use support::{
    busy,
    keyed::{Place, Same, Told, Touchy, unwind_out_of},
    past,
    tasks::{block_on, poll_a_little},
};

/// Keys that meet often.
const FEW: u64 = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Shared,
    Exclusive,
    /// Exclusive until it is there, then shared.
    Downgraded,
}

#[derive(Debug, Clone, Copy)]
enum Form {
    /// The first of the keys, with a guard that borrows the map.
    One,
    /// The same with one that shares in it.
    Owned,
    /// All of them.
    Many,
}

#[derive(Debug, Clone, Copy)]
enum Way {
    /// Where that can deadlock it only tries.
    Wait,
    Try,
    For(Duration),
    Past,
    /// Twice, for one key.
    Retry,
    /// As a task, which is dropped after so many polls. Where a task without a number can deadlock it only tries.
    Task(Option<usize>),
}

#[derive(Debug, Clone)]
struct Take {
    mode: Mode,
    form: Form,
    way: Way,
    keys: Vec<u64>,
    /// Whether the key's own code panics meanwhile.
    told: Option<Told>,
}

#[derive(Debug, Clone, Copy)]
enum Leave {
    Drop,
    Fair,
    Panic,
    /// A key panics when it is dropped.
    KeyPanics,
}

#[derive(Debug, Clone)]
enum Op {
    Take(Take),
    Leave(Index, Leave),
    /// All lists, while the key's code panics.
    List(Told),
}

/// Any kind of guard.
trait Guard {
    fn keys(&self) -> Vec<u64>;
    fn unlock_fair(self: Box<Self>);
}

/// A guard over one key, `$guard` with generics of its own.
macro_rules! guard_of_one {
    ($(($($generics:tt)*) $guard:ident<$($argument:tt),+>;)+) => {$(
        impl$($generics)* Guard for $guard<$($argument),+> {
            fn keys(&self) -> Vec<u64> {
                vec![self.key().0]
            }

            fn unlock_fair(self: Box<Self>) {
                $guard::unlock_fair(*self);
            }
        }
    )+};
}
guard_of_one! {
    () KeyedMutexGuard<'_, Touchy>;
    () KeyedRwLockReadGuard<'_, Touchy>;
    () KeyedRwLockWriteGuard<'_, Touchy>;
    (<S>) OwnedKeyedMutexGuard<Touchy, S>;
    (<S>) OwnedKeyedRwLockReadGuard<Touchy, S>;
    (<S>) OwnedKeyedRwLockWriteGuard<Touchy, S>;
}

macro_rules! guard_of_many {
    ($($guard:ident)+) => {$(
        impl Guard for $guard<'_, Touchy> {
            fn keys(&self) -> Vec<u64> {
                $guard::keys(self).map(|key| key.0).collect()
            }

            /// There is no such thing for several.
            fn unlock_fair(self: Box<Self>) {}
        }
    )+};
}
guard_of_many! { KeyedMutexManyGuard KeyedRwLockReadManyGuard KeyedRwLockWriteManyGuard }

type AnyGuard<'m> = Box<dyn Guard + 'm>;

fn boxed<'m>(guard: impl Guard + 'm) -> AnyGuard<'m> {
    Box::new(guard)
}

type AnyFuture<'m> = Pin<Box<dyn Future<Output = AnyGuard<'m>> + 'm>>;

fn boxed_future<'m>(future: impl Future<Output: Guard + 'm> + 'm) -> AnyFuture<'m> {
    Box::pin(async { boxed(future.await) })
}

fn polled<'m>(future: AnyFuture<'m>, polls: Option<usize>) -> Option<AnyGuard<'m>> {
    match polls {
        None => Some(block_on(future)),
        Some(polls) => poll_a_little(future, polls),
    }
}

/// Both kinds of map.
trait Map: Default + Send + Sync {
    /// In which mode this map holds what was asked for in `mode`.
    fn holds_in(mode: Mode) -> Mode;
    fn take<'m>(self: &'m Arc<Self>, take: &Take, keys: &[Touchy]) -> Option<AnyGuard<'m>>;
    fn wait<'m>(self: &'m Arc<Self>, take: &Take, keys: &[Touchy]) -> AnyFuture<'m>;
    fn is_locked(&self, key: u64) -> bool;
    fn len(&self) -> usize;
    fn keys(&self) -> Vec<Touchy>;
    fn snapshot(&self) -> Vec<KeyInfo<Touchy>>;
}

/// [`Map::wait`] with the methods that have these names.
macro_rules! wait {
    ($map:ident, $take:ident, $keys:ident; $one:ident $owned:ident $many:ident) => {
        match $take.form {
            Form::One => boxed_future($map.$one(&$keys[0])),
            Form::Owned => boxed_future($map.$owned(&$keys[0])),
            Form::Many => boxed_future($map.$many($keys)),
        }
    };
}

/// [`Map::take`] with the methods that have these names.
macro_rules! take {
    (
        $map:ident, $take:ident, $keys:ident; $retrying:ident;
        $lock:ident $try_lock:ident $lock_for:ident $lock_until:ident;
        $owned:ident $try_owned:ident $owned_for:ident $owned_until:ident;
        $many:ident $try_many:ident $many_for:ident $many_until:ident
    ) => {{
        let key = &$keys[0];
        match $take.form {
            Form::One => match $take.way {
                Way::Wait => Some(boxed($map.$lock(key))),
                Way::Try => $map.$try_lock(key).map(boxed),
                Way::For(timeout) => $map.$lock_for(key, timeout).map(boxed),
                Way::Past => $map.$lock_until(key, past()).map(boxed),
                Way::Retry => $map.$retrying(key, &TWICE).ok().map(boxed),
                Way::Task(polls) => polled($map.wait($take, $keys), polls),
            },
            Form::Owned => match $take.way {
                Way::Wait => Some(boxed($map.$owned(key))),
                Way::Try | Way::Retry => $map.$try_owned(key).map(boxed),
                Way::For(timeout) => $map.$owned_for(key, timeout).map(boxed),
                Way::Past => $map.$owned_until(key, past()).map(boxed),
                Way::Task(polls) => polled($map.wait($take, $keys), polls),
            },
            Form::Many => match $take.way {
                Way::Wait => Some(boxed($map.$many($keys))),
                Way::Try | Way::Retry => $map.$try_many($keys).map(boxed),
                Way::For(timeout) => $map.$many_for($keys, timeout).map(boxed),
                Way::Past => $map.$many_until($keys, past()).map(boxed),
                Way::Task(polls) => polled($map.wait($take, $keys), polls),
            },
        }
    }};
}

/// What maps can be asked, by the methods of the same names.
macro_rules! asked {
    ($map:ident) => {
        fn is_locked(&self, key: u64) -> bool {
            $map::is_locked(self, &Touchy(key))
        }

        fn len(&self) -> usize {
            $map::len(self)
        }

        fn keys(&self) -> Vec<Touchy> {
            $map::keys(self)
        }

        fn snapshot(&self) -> Vec<KeyInfo<Touchy>> {
            $map::snapshot(self)
        }
    };
}

const TWICE: Retry = Retry {
    max_tries: 2,
    base_delay: Duration::ZERO,
    max_delay: Duration::ZERO,
    factor: 1.0,
    jitter: 0.0,
};

impl<S: BuildHasher + Default + Send + Sync> Map for KeyedMutex<Touchy, S> {
    fn holds_in(_: Mode) -> Mode {
        Mode::Exclusive
    }

    fn take<'m>(self: &'m Arc<Self>, take: &Take, keys: &[Touchy]) -> Option<AnyGuard<'m>> {
        take! {
            self, take, keys; try_lock_retrying;
            lock try_lock try_lock_for try_lock_until;
            lock_owned try_lock_owned try_lock_owned_for try_lock_owned_until;
            lock_many try_lock_many try_lock_many_for try_lock_many_until
        }
    }

    fn wait<'m>(self: &'m Arc<Self>, take: &Take, keys: &[Touchy]) -> AnyFuture<'m> {
        wait!(self, take, keys; lock_async lock_owned_async lock_many_async)
    }

    asked!(KeyedMutex);
}

impl<S: BuildHasher + Default + Send + Sync> Map for KeyedRwLock<Touchy, S> {
    fn holds_in(mode: Mode) -> Mode {
        mode
    }

    fn take<'m>(self: &'m Arc<Self>, take: &Take, keys: &[Touchy]) -> Option<AnyGuard<'m>> {
        match take.mode {
            Mode::Shared => take! {
                self, take, keys; try_read_retrying;
                read try_read try_read_for try_read_until;
                read_owned try_read_owned try_read_owned_for try_read_owned_until;
                read_many try_read_many try_read_many_for try_read_many_until
            },
            Mode::Exclusive => take! {
                self, take, keys; try_write_retrying;
                write try_write try_write_for try_write_until;
                write_owned try_write_owned try_write_owned_for try_write_owned_until;
                write_many try_write_many try_write_many_for try_write_many_until
            },
            Mode::Downgraded => {
                let guard = self.try_write(&keys[0])?;
                Some(boxed(KeyedRwLockWriteGuard::downgrade(guard)))
            }
        }
    }

    fn wait<'m>(self: &'m Arc<Self>, take: &Take, keys: &[Touchy]) -> AnyFuture<'m> {
        if take.mode == Mode::Exclusive {
            wait!(self, take, keys; write_async write_owned_async write_many_async)
        } else {
            wait!(self, take, keys; read_async read_owned_async read_many_async)
        }
    }

    asked!(KeyedRwLock);
}

/// Whether an attempt of one thread that waits for nobody has to succeed.
#[derive(Debug, Default)]
struct Model {
    /// How many share each key, or that it is held exclusively.
    held: BTreeMap<u64, Option<usize>>,
    /// Those that tasks have taken, and nobody since.
    of_tasks: BTreeSet<u64>,
}

impl Model {
    fn is_free(&self, key: u64, mode: Mode) -> bool {
        match self.held.get(&key) {
            None => true,
            Some(readers) => readers.is_some() && mode == Mode::Shared,
        }
    }

    fn enter(&mut self, key: u64, mode: Mode) {
        self.of_tasks.remove(&key);
        if mode == Mode::Exclusive {
            self.held.insert(key, None);
        } else {
            *self.held.entry(key).or_insert(Some(0)).as_mut().expect("not exclusively") += 1;
        }
    }

    fn leave(&mut self, key: u64) {
        match self.held.get_mut(&key).expect("it is held") {
            Some(readers @ 2..) => *readers -= 1,
            _ => drop(self.held.remove(&key)),
        }
    }
}

/// A map, what should be in it, and the guards.
struct World<'m, M> {
    map: &'m Arc<M>,
    model: Model,
    guards: Vec<AnyGuard<'m>>,
}

impl<'m, M: Map> World<'m, M> {
    fn step(&mut self, op: &Op) -> TestCaseResult {
        match op {
            Op::Take(take) => self.take(take)?,
            Op::Leave(which, leave) if !self.guards.is_empty() => {
                let guard = self.guards.swap_remove(which.index(self.guards.len()));
                for key in guard.keys() {
                    self.model.leave(key);
                }
                leave_by(guard, *leave);
            }
            Op::Leave(..) => {}
            Op::List(told) => {
                Touchy::told(Some(*told), || drop((self.map.keys(), self.map.snapshot())));
            }
        }
        self.check()
    }

    fn take(&mut self, take: &Take) -> TestCaseResult {
        let keys = self.asked_for(take);
        let mode = M::holds_in(take.mode);
        let free = keys.iter().all(|key| self.model.is_free(*key, mode));
        let way = if free { take.way } else { take.way.without_waiting() };
        let take = Take { way, ..take.clone() };
        // In the order in which they were asked for.
        let touchy: Vec<_> = take.keys.iter().map(|key| Touchy(*key)).collect();
        let Some(got) = Touchy::told(take.told, || self.map.take(&take, &touchy)) else {
            prop_assert!(take.told.is_some());
            return Ok(());
        };
        prop_assert_eq!(got.is_some(), free);
        if let Some(guard) = got {
            prop_assert!(guard.keys().into_iter().eq(keys.iter().copied()));
            for key in keys {
                self.model.enter(key, mode);
                if matches!(way, Way::Task(_)) {
                    self.model.of_tasks.insert(key);
                }
            }
            self.guards.push(guard);
        }
        Ok(())
    }

    /// In ascending order, each once.
    fn asked_for(&self, take: &Take) -> BTreeSet<u64> {
        let one = M::holds_in(take.mode) == Mode::Downgraded || !matches!(take.form, Form::Many);
        take.keys.iter().copied().take(if one { 1 } else { usize::MAX }).collect()
    }

    fn check(&self) -> TestCaseResult {
        let held = &self.model.held;
        prop_assert_eq!(self.map.len(), held.len());
        let keys: BTreeSet<_> = self.map.keys().iter().map(|key| key.0).collect();
        prop_assert!(keys.iter().eq(held.keys()));
        for info in self.map.snapshot() {
            let readers = held[&info.key.0];
            prop_assert_eq!((info.holders, info.waiters), (readers.unwrap_or(1), 0));
            // A task is on no thread in particular.
            let by_task = self.model.of_tasks.contains(&info.key.0);
            prop_assert_eq!(info.holder.is_some(), readers.is_none() && !by_task);
            prop_assert!(info.held_for.is_some() && info.longest_wait.is_none());
        }
        for key in 0..FEW {
            prop_assert_eq!(self.map.is_locked(key), held.contains_key(&key));
        }
        Ok(())
    }
}

impl Way {
    fn without_waiting(self) -> Way {
        if matches!(self, Way::Wait | Way::Task(None)) { Way::Try } else { self }
    }
}

fn leave_by(guard: AnyGuard<'_>, leave: Leave) {
    match leave {
        Leave::Drop => drop(guard),
        Leave::Fair => guard.unlock_fair(),
        Leave::Panic => unwind_out_of(guard),
        Leave::KeyPanics => {
            Touchy::told(Some(Told { place: Place::Drop, passes: 0 }), || drop(guard));
        }
    }
}

/// A random attempt for some of `keys`, in one of `ways`.
fn takes(
    keys: impl Strategy<Value = u64>,
    ways: impl Strategy<Value = Way>,
) -> impl Strategy<Value = Take> {
    let modes = select(vec![Mode::Shared, Mode::Shared, Mode::Exclusive, Mode::Downgraded]);
    let forms = select(vec![Form::One, Form::One, Form::Owned, Form::Many]);
    (modes, forms, ways, vec(keys, 1..4), option::weighted(0.2, told()))
        .prop_map(|(mode, form, way, keys, told)| Take { mode, form, way, keys, told })
}

/// Where what takes keys may panic.
fn told() -> impl Strategy<Value = Told> {
    (select(vec![Place::Hash, Place::Eq, Place::Clone]), 0..4_u32)
        .prop_map(|(place, passes)| Told { place, passes })
}

fn leaves() -> impl Strategy<Value = Leave> {
    select(vec![Leave::Drop, Leave::Drop, Leave::Fair, Leave::Panic, Leave::KeyPanics])
}

fn scripts() -> impl Strategy<Value = Vec<Op>> {
    let brief = Way::For(Duration::from_nanos(100));
    let ways = vec![Way::Wait, Way::Try, Way::For(Duration::ZERO), brief, Way::Past, Way::Retry];
    let tasks = vec![Way::Task(None), Way::Task(Some(1)), Way::Task(Some(2))];
    let ways = [ways, tasks].concat();
    let keys = prop_oneof![4 => 0..FEW, 1 => 0..1000_u64];
    let op = prop_oneof![
        10 => takes(keys, select(ways)).prop_map(Op::Take),
        8 => (any::<Index>(), leaves()).prop_map(|(which, leave)| Op::Leave(which, leave)),
        1 => told().prop_map(Op::List),
    ];
    vec(op, 1..100)
}

fn agrees_with_the_model<M: Map>(script: &[Op]) -> TestCaseResult {
    let _watched = property::watched_case();
    let map = Arc::new(M::default());
    let mut world = World { map: &map, model: Model::default(), guards: Vec::new() };
    for op in script {
        world.step(op)?;
    }
    drop(world);
    prop_assert_eq!((map.len(), Arc::strong_count(&map)), (0, 1));
    Ok(())
}

/// One thing that a thread does: takes keys, perhaps others above them meanwhile, and leaves them.
#[derive(Debug, Clone)]
struct Turn {
    take: Take,
    above: Option<Take>,
    busy: Duration,
    leave: Leave,
}

fn turns() -> impl Strategy<Value = Turn> {
    // About as long as it takes until a thread that sleeps is up.
    let timeout = (0..60_u64).prop_map(|micros| Way::For(Duration::from_micros(micros)));
    let polls = (0..4_usize).prop_map(|polls| Way::Task(Some(polls)));
    let waits = select(vec![Way::Wait, Way::Task(None)]);
    let ways = prop_oneof![4 => waits, 1 => Just(Way::Try), 4 => timeout, 4 => polls].boxed();
    let take = takes(0..FEW, ways).boxed();
    let busy = prop_oneof![3 => Just(0), 1 => 0..20_u64].prop_map(Duration::from_micros);
    (take.clone(), option::weighted(0.2, take), busy, leaves())
        .prop_map(|(take, above, busy, leave)| Turn { take, above, busy, leave })
}

/// What the keys protect: two numbers each, equal but while somebody changes them.
#[derive(Debug, Default)]
struct Protected([[AtomicU64; 2]; FEW as usize]);

impl Protected {
    fn pairs(&self, keys: &[u64]) -> impl Iterator<Item = &[AtomicU64; 2]> {
        keys.iter().map(|key| &self.0[*key as usize])
    }

    /// Changes the numbers of `keys`, if that is allowed, and calls `inside` meanwhile; how many were changed.
    fn section(&self, keys: &[u64], mode: Mode, inside: impl FnOnce() -> u64) -> u64 {
        let add = |count: &AtomicU64| count.store(count.load(Relaxed) + 1, Relaxed);
        let check = |[first, second]: &[AtomicU64; 2]| {
            assert_eq!(first.load(Relaxed), second.load(Relaxed), "not alone with one of {keys:?}");
        };
        self.pairs(keys).for_each(check);
        if mode != Mode::Exclusive {
            let more = inside();
            self.pairs(keys).for_each(check);
            return more;
        }
        self.pairs(keys).for_each(|pair| add(&pair[0]));
        let more = inside();
        self.pairs(keys).for_each(|pair| add(&pair[1]));
        self.pairs(keys).for_each(check);
        keys.len() as u64 + more
    }

    fn sum(&self) -> u64 {
        self.0.iter().map(|pair| pair[1].load(Relaxed)).sum()
    }
}

impl Turn {
    fn run<M: Map>(&self, map: &Arc<M>, protected: &Protected) -> u64 {
        visit(map, protected, &self.take, self.leave, 0, |next| {
            busy(self.busy);
            let Some(above) = &self.above else { return 0 };
            visit(map, protected, above, self.leave, next, |_| 0)
        })
    }
}

/// Takes the keys that are no less than `lowest`; how many numbers were changed, here or `inside`. That is told which
/// keys it may wait for.
fn visit<M: Map>(
    map: &Arc<M>,
    protected: &Protected,
    take: &Take,
    leave: Leave,
    lowest: u64,
    inside: impl FnOnce(u64) -> u64,
) -> u64 {
    let keys: Vec<_> = take.keys.iter().filter(|key| **key >= lowest).map(|k| Touchy(*k)).collect();
    if keys.is_empty() {
        return 0;
    }
    let Some(Some(guard)) = Touchy::told(take.told, || map.take(take, &keys)) else { return 0 };
    let keys = guard.keys();
    let next = keys[keys.len() - 1] + 1;
    let changed = protected.section(&keys, M::holds_in(take.mode), || inside(next));
    leave_by(guard, leave);
    changed
}

fn exclude_each_other<M: Map>(threads: &[Vec<Turn>]) -> TestCaseResult {
    let _watched = property::watched_case();
    let (map, protected) = (Arc::new(M::default()), Protected::default());
    let start = Barrier::new(threads.len());
    let run = |turns: &[Turn]| -> u64 {
        start.wait();
        turns.iter().map(|turn| turn.run(&map, &protected)).sum()
    };
    let changed: u64 = thread::scope(|scope| {
        let threads: Vec<_> = threads.iter().map(|turns| scope.spawn(|| run(turns))).collect();
        threads.into_iter().map(|thread| thread.join().expect("was not alone")).sum()
    });
    prop_assert_eq!(protected.sum(), changed);
    prop_assert_eq!((map.len(), Arc::strong_count(&map)), (0, 1));
    Ok(())
}

fn crowds() -> impl Strategy<Value = Vec<Vec<Turn>>> {
    vec(vec(turns(), 1..30), 3..5)
}

proptest! {
    #![proptest_config(property::cases(120))]

    #[test]
    fn one_thread_gets_what_is_free(script in scripts()) {
        agrees_with_the_model::<KeyedMutex<Touchy, DefaultHashBuilder>>(&script)?;
        agrees_with_the_model::<KeyedRwLock<Touchy, DefaultHashBuilder>>(&script)?;
    }

    #[test]
    fn one_thread_gets_what_is_free_also_if_hashes_are_equal(script in scripts()) {
        agrees_with_the_model::<KeyedMutex<Touchy, Same>>(&script)?;
        agrees_with_the_model::<KeyedRwLock<Touchy, Same>>(&script)?;
    }

    #[test]
    fn threads_exclude_each_other_and_leave_nothing(threads in crowds()) {
        exclude_each_other::<KeyedMutex<Touchy, DefaultHashBuilder>>(&threads)?;
        exclude_each_other::<KeyedMutex<Touchy, Same>>(&threads)?;
    }

    #[test]
    fn readers_and_writers_exclude_each_other_and_leave_nothing(threads in crowds()) {
        exclude_each_other::<KeyedRwLock<Touchy, DefaultHashBuilder>>(&threads)?;
        exclude_each_other::<KeyedRwLock<Touchy, Same>>(&threads)?;
    }
}
