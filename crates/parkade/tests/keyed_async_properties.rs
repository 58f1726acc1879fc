//! Random scripts of tasks that lock keys: made, polled, left alone, dropped, at any moment, while keys and wakers panic. After
//! each step the map lists just the keys that somebody has or waits for, as often as that is so. No wake is lost: once
//! all that is held is given back and all who were woken are polled, everybody has had what he wanted; and nothing is left.
#![cfg(feature = "keyed")]

#[path = "support/property.rs"]
mod property;
mod support;

use std::{
    collections::BTreeMap,
    future::Future,
    hash::BuildHasher,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context, Poll, Wake, Waker},
};

use parkade::keyed::{
    DefaultHashBuilder, KeyInfo, KeyedMutex, KeyedMutexGuard, KeyedMutexManyGuard, KeyedRwLock,
    KeyedRwLockReadGuard, KeyedRwLockReadManyGuard, KeyedRwLockWriteGuard,
    KeyedRwLockWriteManyGuard, OwnedKeyedMutexGuard, OwnedKeyedRwLockReadGuard,
    OwnedKeyedRwLockWriteGuard,
};
use proptest::{collection::vec, option, prelude::*, sample::select, test_runner::TestCaseResult};
use support::keyed::{Place, Same, Told, Touchy, caught, panic_on_purpose, unwind_out_of};

/// Keys that meet often.
const KEYS: u64 = 2;
const TASKS: usize = 6;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Shared,
    Exclusive,
}

#[derive(Debug, Clone, Copy)]
enum Form {
    One,
    Owned,
    Many,
}

#[derive(Debug, Clone, Copy)]
enum Leave {
    Drop,
    Fair,
    Panic,
    KeyPanics,
}

#[derive(Debug, Clone)]
enum Step {
    /// A task that has nothing gets a future, unless the key's code panics, and polls it, or not yet.
    Make {
        at: usize,
        mode: Mode,
        form: Form,
        keys: Vec<u64>,
        told: Option<Told>,
        polls: usize,
    },
    Poll(usize),
    /// The same, with a new waker.
    PollElsewhere(usize),
    /// Drops a future, whatever its state, or the guard it has returned.
    Leave(usize, Leave),
    /// The next time that a task is woken its waker panics.
    Arm(usize),
    /// A thread takes a key if it is free, and gives it back.
    Barge(u64),
    /// Tasks that were woken are polled.
    Run,
    /// The same, until all have had what they want, and have given it back.
    Settle,
}

/// Whether a task was woken; and whether it panics when it is.
#[derive(Debug, Default)]
struct Task {
    woken: AtomicBool,
    armed: AtomicBool,
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, SeqCst);
        if self.armed.swap(false, SeqCst) {
            panic_on_purpose();
        }
    }
}

trait Guard {
    fn unlock_fair(self: Box<Self>);
}

macro_rules! guards {
    ($(($($generics:tt)*) $guard:ty: $unlock:expr;)+) => {$(
        impl$($generics)* Guard for $guard {
            fn unlock_fair(self: Box<Self>) {
                $unlock(*self);
            }
        }
    )+};
}
guards! {
    () KeyedMutexGuard<'_, Touchy>: KeyedMutexGuard::unlock_fair;
    (<S>) OwnedKeyedMutexGuard<Touchy, S>: OwnedKeyedMutexGuard::unlock_fair;
    // There is no such thing for several.
    () KeyedMutexManyGuard<'_, Touchy>: drop;
    () KeyedRwLockReadGuard<'_, Touchy>: KeyedRwLockReadGuard::unlock_fair;
    () KeyedRwLockWriteGuard<'_, Touchy>: KeyedRwLockWriteGuard::unlock_fair;
    (<S>) OwnedKeyedRwLockReadGuard<Touchy, S>: OwnedKeyedRwLockReadGuard::unlock_fair;
    (<S>) OwnedKeyedRwLockWriteGuard<Touchy, S>: OwnedKeyedRwLockWriteGuard::unlock_fair;
    () KeyedRwLockReadManyGuard<'_, Touchy>: drop;
    () KeyedRwLockWriteManyGuard<'_, Touchy>: drop;
}

type AnyGuard<'m> = Box<dyn Guard + 'm>;
type AnyFuture<'m> = Pin<Box<dyn Future<Output = AnyGuard<'m>> + 'm>>;

fn boxed<'m>(future: impl Future<Output: Guard + 'm> + 'm) -> AnyFuture<'m> {
    Box::pin(async { Box::new(future.await) as AnyGuard<'m> })
}

trait Map: Default + 'static {
    /// In which mode this map holds what was asked for in `mode`.
    fn holds_in(mode: Mode) -> Mode;
    fn wait<'m>(self: &'m Arc<Self>, mode: Mode, form: Form, keys: &[Touchy]) -> AnyFuture<'m>;
    /// Whether it could be had.
    fn barge(&self, key: &Touchy) -> bool;
    fn snapshot(&self) -> Vec<KeyInfo<Touchy>>;
}

impl<S: BuildHasher + Default + 'static> Map for KeyedMutex<Touchy, S> {
    fn holds_in(_: Mode) -> Mode {
        Mode::Exclusive
    }

    fn wait<'m>(self: &'m Arc<Self>, _: Mode, form: Form, keys: &[Touchy]) -> AnyFuture<'m> {
        match form {
            Form::One => boxed(self.lock_async(&keys[0])),
            Form::Owned => boxed(self.lock_owned_async(&keys[0])),
            Form::Many => boxed(self.lock_many_async(keys)),
        }
    }

    fn barge(&self, key: &Touchy) -> bool {
        self.try_lock(key).is_some()
    }

    fn snapshot(&self) -> Vec<KeyInfo<Touchy>> {
        KeyedMutex::snapshot(self)
    }
}

impl<S: BuildHasher + Default + 'static> Map for KeyedRwLock<Touchy, S> {
    fn holds_in(mode: Mode) -> Mode {
        mode
    }

    fn wait<'m>(self: &'m Arc<Self>, mode: Mode, form: Form, keys: &[Touchy]) -> AnyFuture<'m> {
        match (mode, form) {
            (Mode::Shared, Form::One) => boxed(self.read_async(&keys[0])),
            (Mode::Shared, Form::Owned) => boxed(self.read_owned_async(&keys[0])),
            (Mode::Shared, Form::Many) => boxed(self.read_many_async(keys)),
            (Mode::Exclusive, Form::One) => boxed(self.write_async(&keys[0])),
            (Mode::Exclusive, Form::Owned) => boxed(self.write_owned_async(&keys[0])),
            (Mode::Exclusive, Form::Many) => boxed(self.write_many_async(keys)),
        }
    }

    fn barge(&self, key: &Touchy) -> bool {
        self.try_read(key).is_some()
    }

    fn snapshot(&self) -> Vec<KeyInfo<Touchy>> {
        KeyedRwLock::snapshot(self)
    }
}

/// What a task has.
enum Has<'m> {
    Nothing,
    Future(AnyFuture<'m>),
    Guard(AnyGuard<'m>),
}

/// A task, what it has, and which keys it is about.
struct Slot<'m> {
    task: Arc<Task>,
    has: Has<'m>,
    polled: bool,
    mode: Mode,
    keys: Vec<u64>,
}

impl Slot<'_> {
    fn poll(&mut self) {
        let Has::Future(future) = &mut self.has else { return };
        self.polled = true;
        self.task.woken.store(false, SeqCst);
        let waker = Waker::from(Arc::clone(&self.task));
        let poll = || future.as_mut().poll(&mut Context::from_waker(&waker));
        match catch_unwind(AssertUnwindSafe(poll)) {
            Ok(Poll::Ready(guard)) => self.has = Has::Guard(guard),
            Ok(Poll::Pending) => {}
            Err(panic) => {
                // As executors do.
                self.leave(Leave::Drop);
                resume_unwind(panic);
            }
        }
    }

    fn leave(&mut self, leave: Leave) {
        self.keys.clear();
        let had = std::mem::replace(&mut self.has, Has::Nothing);
        match (had, leave) {
            (Has::Guard(guard), Leave::Fair) => guard.unlock_fair(),
            (Has::Guard(guard), Leave::Panic) => unwind_out_of(guard),
            (had, Leave::KeyPanics) => {
                Touchy::told(Some(Told { place: Place::Drop, passes: 0 }), || drop(had));
            }
            (had, _) => drop(had),
        }
    }
}

struct World<'m, M> {
    map: &'m Arc<M>,
    slots: Vec<Slot<'m>>,
}

impl<'m, M: Map> World<'m, M> {
    fn step(&mut self, step: &Step) -> TestCaseResult {
        if let Step::Leave(_, Leave::Panic | Leave::KeyPanics) = step {
            // Two panics at a time abort.
            self.disarm();
        }
        // A waker may panic out of anything that unlocks.
        caught(|| self.run(step));
        self.check()
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Make { at, mode, form, keys, told, polls } => {
                if !matches!(self.slots[*at].has, Has::Nothing) {
                    return;
                }
                let keys = &keys[..if matches!(form, Form::Many) { keys.len() } else { 1 }];
                // In the order in which they were asked for.
                let touchy: Vec<_> = keys.iter().map(|key| Touchy(*key)).collect();
                let made = Touchy::told(*told, || self.map.wait(*mode, *form, &touchy));
                let Some(future) = made else { return };
                let slot = &mut self.slots[*at];
                (slot.has, slot.polled) = (Has::Future(future), false);
                (slot.keys, slot.mode) = (keys.to_vec(), M::holds_in(*mode));
                slot.keys.sort_unstable();
                slot.keys.dedup();
                (0..*polls).for_each(|_| slot.poll());
            }
            Step::Poll(at) => self.slots[*at].poll(),
            Step::PollElsewhere(at) => {
                self.slots[*at].task = Arc::default();
                self.slots[*at].poll();
            }
            Step::Leave(at, leave) => self.slots[*at].leave(*leave),
            Step::Arm(at) => {
                self.disarm();
                self.slots[*at].task.armed.store(true, SeqCst);
            }
            Step::Barge(key) => drop(self.map.barge(&Touchy(*key))),
            Step::Run => self.poll_woken(),
            Step::Settle => self.settle(),
        }
    }

    fn disarm(&self) {
        self.slots.iter().for_each(|slot| slot.task.armed.store(false, SeqCst));
    }

    fn poll_woken(&mut self) {
        for slot in &mut self.slots {
            if slot.task.woken.swap(false, SeqCst) {
                slot.poll();
            }
        }
    }

    fn check(&self) -> TestCaseResult {
        let (mut wanted, mut held) = (BTreeMap::new(), BTreeMap::<u64, Vec<Mode>>::new());
        for slot in &self.slots {
            for key in &slot.keys {
                *wanted.entry(*key).or_insert(0) += 1;
                if matches!(slot.has, Has::Guard(_)) {
                    held.entry(*key).or_default().push(slot.mode);
                }
            }
        }
        for modes in held.values() {
            prop_assert!(modes.len() == 1 || !modes.contains(&Mode::Exclusive), "{:?}", held);
        }
        let listed = self.map.snapshot();
        let found: BTreeMap<_, _> =
            listed.iter().map(|info| (info.key.0, info.holders + info.waiters)).collect();
        prop_assert_eq!(found, wanted);
        for info in listed {
            let holders = held.get(&info.key.0).map_or(0, Vec::len);
            prop_assert!(info.holders >= holders && info.holder.is_none());
        }
        Ok(())
    }

    /// Those who wait are polled when they are woken, and only then. Who was never polled goes away: his unlocking could make up
    /// for a wake that went missing.
    fn settle(&mut self) {
        self.disarm();
        let unpolled = self.slots.iter_mut().filter(|slot| !slot.polled);
        unpolled.for_each(|slot| slot.leave(Leave::Drop));
        for _ in 0..2 * TASKS {
            for slot in &mut self.slots {
                if matches!(slot.has, Has::Guard(_)) {
                    slot.leave(Leave::Drop);
                }
            }
            self.poll_woken();
        }
        for (at, slot) in self.slots.iter().enumerate() {
            assert!(matches!(slot.has, Has::Nothing), "task {at} was not woken: {:?}", slot.keys);
        }
    }
}

fn step() -> impl Strategy<Value = Step> {
    let modes = select(vec![Mode::Shared, Mode::Exclusive]);
    let forms = select(vec![Form::One, Form::One, Form::Owned, Form::Many]);
    let places = select(vec![Place::Hash, Place::Eq, Place::Clone]);
    let told = (places, 0..4_u32).prop_map(|(place, passes)| Told { place, passes });
    let made =
        (0..TASKS, modes, forms, vec(0..KEYS, 1..4), option::weighted(0.1, told), 0..3_usize)
            .prop_map(|(at, mode, form, keys, told, polls)| Step::Make {
                at,
                mode,
                form,
                keys,
                told,
                polls,
            });
    let leaves = vec![Leave::Drop, Leave::Drop, Leave::Fair, Leave::Panic, Leave::KeyPanics];
    prop_oneof![
        10 => made,
        4 => (0..TASKS).prop_map(Step::Poll),
        1 => (0..TASKS).prop_map(Step::PollElsewhere),
        5 => (0..TASKS, select(leaves)).prop_map(|(at, leave)| Step::Leave(at, leave)),
        1 => (0..TASKS).prop_map(Step::Arm),
        1 => (0..KEYS).prop_map(Step::Barge),
        1 => Just(Step::Run),
        1 => Just(Step::Settle),
    ]
}

fn loses_nothing<M: Map>(script: &[Step]) -> TestCaseResult {
    let _watched = property::watched_case();
    let map = Arc::new(M::default());
    let slot = || Slot {
        task: Arc::default(),
        has: Has::Nothing,
        polled: false,
        mode: Mode::Exclusive,
        keys: Vec::new(),
    };
    let slots = std::iter::repeat_with(slot).take(TASKS).collect();
    let mut world = World { map: &map, slots };
    for step in script {
        world.step(step)?;
    }
    world.settle();
    drop(world);
    prop_assert_eq!((map.snapshot().len(), Arc::strong_count(&map)), (0, 1));
    Ok(())
}

proptest! {
    #![proptest_config(property::cases(900))]

    #[test]
    fn tasks_of_a_mutex_lose_no_wake_and_leave_nothing(script in vec(step(), 1..100)) {
        loses_nothing::<KeyedMutex<Touchy, DefaultHashBuilder>>(&script)?;
        loses_nothing::<KeyedMutex<Touchy, Same>>(&script)?;
    }

    #[test]
    fn tasks_of_a_rwlock_lose_no_wake_and_leave_nothing(script in vec(step(), 1..100)) {
        loses_nothing::<KeyedRwLock<Touchy, DefaultHashBuilder>>(&script)?;
        loses_nothing::<KeyedRwLock<Touchy, Same>>(&script)?;
    }
}
