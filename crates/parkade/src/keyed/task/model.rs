//! Tasks that wait for keys, under loom: the table is empty when nobody has or wants a key, whoever was dropped when.

use super::{KeyGuard, TaskShare};
use crate::{
    RawMutex,
    keyed::{
        lock::Alone,
        model::{Keyed, spawn, tag},
        node::NodePtr,
        table::Table,
    },
    model::{Executor, Policy, block_on, explore_only},
    task::{Handle, Waiting},
};
use core::pin::pin;

pub(super) type Mutexes = Keyed<(), RawMutex>;
pub(super) type Map = &'static Mutexes;

/// A guard of a key.
pub(super) struct Guard {
    map: Map,
    node: NodePtr<u32, (), RawMutex>,
}

impl KeyGuard for Guard {
    type Key = u32;
    type Value = ();
    type Lock = RawMutex;
    type Map = Map;

    const WANT: () = ();

    fn table(map: &Map) -> &Table<u32, (), RawMutex> {
        &map.table
    }

    unsafe fn made(map: Map, node: NodePtr<u32, (), RawMutex>) -> Guard {
        Guard { map, node }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.map.leave(self.node, Alone);
    }
}

/// Models join their threads, whose futures are gone then, before they drop what is shared.
pub(super) fn forever(keyed: &Mutexes) -> Map {
    // SAFETY: as above.
    unsafe { &*core::ptr::from_ref(keyed) }
}

pub(super) fn share(map: Map) -> TaskShare<Guard> {
    TaskShare::new(map, tag(), &1)
}

/// As a task.
pub(super) fn lock_touch_unlock(keyed: &Mutexes, share: impl Handle) {
    let guard = block_on(Waiting::new(share));
    keyed.touch();
    drop(guard);
}

/// A task that is polled once and dropped.
fn polled_once<H: Handle>(keyed: &Mutexes, share: impl Fn(Map) -> H) {
    let mut future = pin!(Waiting::new(share(forever(keyed))));
    if let core::task::Poll::Ready(guard) = Executor::new().poll(future.as_mut()) {
        keyed.touch();
        drop(guard);
    }
}

/// A task is dropped before, while or after it is woken; a thread waits too.
pub(super) fn a_task_is_dropped<H: Handle + 'static>(
    share: impl Fn(Map) -> H + Copy + Send + Sync + 'static,
) {
    explore_only(1, Policy::Stays, move || {
        let keyed = Mutexes::new();
        let node = keyed.enter(1, Alone);
        let dropped = spawn(&keyed, move |keyed| polled_once(keyed, share));
        let other = spawn(&keyed, |keyed| keyed.lock_touch_unlock(Alone));
        keyed.touch();
        keyed.leave(node, Alone);
        dropped.join().unwrap();
        other.join().unwrap();
        keyed.check(0);
    });
}

/// covers: a share from the future's making to the guard's end.
#[test]
fn model_keyed_task_and_thread() {
    explore_only(2, Policy::Returns, || {
        let keyed = Mutexes::new();
        let task = spawn(&keyed, |keyed| lock_touch_unlock(keyed, share(forever(keyed))));
        keyed.lock_touch_unlock(Alone);
        task.join().unwrap();
        keyed.check(0);
    });
}

/// covers: a share that ends with its future, and the wake that it passes on before.
#[test]
fn model_keyed_task_dropped() {
    a_task_is_dropped(share);
}
