//! Protocols that look right and are not. Each has to fail under loom: `cargo xtask weaken` runs them.

use super::{
    KeyGuard, TaskShare,
    model::{Guard, Map, Mutexes, a_task_is_dropped, forever, lock_touch_unlock, share},
};
use crate::{
    RawMutex,
    keyed::{
        lock::Alone,
        model::{spawn, tag},
        node::NodePtr,
    },
    model::{Policy, explore},
    task::Handle,
};
use core::mem::ManuallyDrop;

/// A future that is dropped and does not give its share back.
struct Keeps(ManuallyDrop<TaskShare<Guard>>);

impl Handle for Keeps {
    type Queue = RawMutex;
    type Output = Guard;

    fn queue(&self) -> &RawMutex {
        self.0.queue()
    }

    fn want(&self) {}

    fn finish(self, (): ()) -> Guard {
        ManuallyDrop::into_inner(self.0).finish(())
    }
}

#[test]
#[ignore = "has to fail"]
fn drop_a_task_and_keep_its_share() {
    a_task_is_dropped(|map| Keeps(ManuallyDrop::new(share(map))));
}

/// A future that looks its key up, and has a share in it only with the lock.
struct WaitsWithout {
    map: Map,
    node: NodePtr<u32, (), RawMutex>,
}

impl Handle for WaitsWithout {
    type Queue = RawMutex;
    type Output = Guard;

    fn queue(&self) -> &RawMutex {
        // SAFETY: none. Its memory is kept.
        unsafe { self.node.get() }.lock()
    }

    fn want(&self) {}

    fn finish(self, (): ()) -> Guard {
        self.map.table.add_ref_for_mutants(tag(), self.node);
        // SAFETY: 1: that is what is wrong here.
        unsafe { Guard::made(self.map, self.node) }
    }
}

#[test]
#[ignore = "has to fail"]
fn wait_as_a_task_without_a_share() {
    explore(2, Policy::Stays, || {
        let keyed = Mutexes::new();
        let other = spawn(&keyed, |keyed| match keyed.table.find_for_mutants(tag(), &1) {
            None => keyed.lock_touch_unlock(Alone),
            Some(node) => lock_touch_unlock(keyed, WaitsWithout { map: forever(keyed), node }),
        });
        keyed.lock_touch_unlock(Alone);
        other.join().unwrap();
        keyed.check(0);
    });
}
