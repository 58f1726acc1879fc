//! Protocols that look right and are not. Each has to fail under loom, or the models would not notice
//! such a mistake in the real one: `cargo xtask weaken` runs them.

use super::model::{Held1, KEY, Shared, spawn};
use crate::model::{Policy, explore};

/// Looks the key up and asks whether anybody has a share; takes its own later, in a step of its own.
fn look_and_then_enter(shared: &Shared) -> Option<Held1> {
    let free = shared.table.peek(Shared::tag(), &KEY, |node| node.holders() == 0)?;
    free.then(|| shared.enter())
}

/// An eviction that looks whether anybody has a share, and takes the value away in a second step, without one.
#[test]
#[ignore = "has to fail"]
fn look_for_shares_and_then_evict() {
    explore(2, Policy::Stays, || {
        let shared = Shared::new();
        let mine = shared.enter();
        shared.change(mine);
        shared.leave(mine);
        let evictor = spawn(&shared, |shared| {
            let idle = shared.table.peek(Shared::tag(), &KEY, |node| {
                (node.holders() == 0).then(|| core::ptr::from_ref(node).cast_mut())
            });
            if let Some(Some(node)) = idle {
                // SAFETY: none: that is the mistake.
                let slot = unsafe { &*(*node).value() };
                // SAFETY: none.
                drop(unsafe { slot.take() });
            }
        });
        let node = shared.enter();
        shared.change(node);
        shared.leave(node);
        evictor.join().unwrap();
    });
}

/// Who looks a key up and locks it in two steps may find that its value was evicted between them.
#[test]
#[ignore = "has to fail"]
fn look_up_and_then_take_a_share() {
    explore(2, Policy::Stays, || {
        let shared = Shared::new();
        let mine = shared.enter();
        shared.change(mine);
        shared.leave(mine);
        let evictor = spawn(&shared, |shared| {
            shared.table.evict(crate::keyed::evict::Age::of(core::time::Duration::ZERO), drop);
        });
        if let Some(node) = look_and_then_enter(&shared) {
            assert_eq!(shared.change(node), 1, "the value that was seen is gone");
            shared.leave(node);
        }
        evictor.join().unwrap();
    });
}
