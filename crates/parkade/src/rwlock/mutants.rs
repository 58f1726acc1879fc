//! Protocols that look right and are not. Each has to fail under loom, or the models would not notice
//! such a mistake in the real one: `cargo xtask weaken` runs them.

use super::{
    raw::{Core, claims},
    state::{Attempt, Manners, Mode, Outcome, Retreat, Standing, Waking},
};
use crate::{
    model::{Policy, Shared, explore, spawn},
    parked::Parked,
};
use parkade_core::{Moment, ParkRequest, ParkResult};

/// A writer scans the slots before it has executed its heavy fence.
#[test]
#[ignore = "has to fail"]
fn scan_before_the_fence() {
    explore(3, Policy::Biases, || {
        let shared = Shared::biased();
        let reader = spawn(&shared, |shared| shared.read_look_unread());
        let core = &shared.raw;
        let attempt = core.word.try_acquire(
            Mode::Exclusive,
            Standing::Newcomer,
            claims(),
            Manners::Insistent,
        );
        if attempt == Attempt::Pending {
            let slots_hold = core.slots_hold();
            core.interrupt_bias();
            if !slots_hold && core.word.try_enter(Outcome::Ends) {
                core.bias.end();
                shared.touch_unwrite();
            } else {
                core.released(core.word.retreat(Retreat::Out));
            }
        }
        reader.join().unwrap();
    });
}

/// A writer lets a fenced period go on after it has let others in.
#[test]
#[ignore = "has to fail"]
fn let_the_period_go_on_too_late() {
    explore(3, Policy::BiasesFenced, || {
        let shared = Shared::biased();
        let writer = spawn(&shared, |shared| shared.lock_touch_unlock());
        let core = &shared.raw;
        core.write();
        shared.touch();
        let period = core.bias.load();
        core.released(core.word.release(Mode::Exclusive));
        core.bias.resume_after_write(period);
        shared.read_look_unread();
        writer.join().unwrap();
    });
}

/// A reader of two locks leaves one by the slot of the other: any slot that it has.
#[test]
#[ignore = "has to fail"]
fn leave_by_any_slot() {
    explore(2, Policy::Biases, || {
        let (one, other) = (Shared::biased(), Shared::biased());
        let writer = spawn(&one, |one| one.lock_touch_unlock());
        let (of_one, of_other) = (one.read(), other.read());
        other.raw.unread(of_one);
        one.look();
        one.raw.unread(of_other);
        writer.join().unwrap();
    });
}

/// A waiter that times out clears `PARKED` without asking the table whether others are queued.
#[test]
#[ignore = "has to fail"]
fn time_out_and_forget_the_others() {
    explore(2, Policy::Stays, || {
        let shared = Shared::<Core>::new();
        shared.raw.write();
        let waiting = spawn(&shared, |shared| shared.read_look_unread());
        let timed = spawn(&shared, |shared| {
            let core = &shared.raw;
            let request = ParkRequest::new(core.key()).deadline(Some(Moment::NEVER));
            let prepare = || {
                let prepared =
                    core.word.try_prepare_park(Mode::Shared, Standing::Newcomer, claims());
                prepared.is_some()
            };
            let forget = |_| core.word.publish(Parked::None, Waking::Keep);
            // SAFETY: the key is the lock's own; the callbacks only touch its word.
            let result = unsafe { parkade_core::park_with(request, prepare, || {}, forget) };
            if matches!(result, ParkResult::Unparked(_)) && core.word.resign().parked() {
                core.wake_one();
            }
        });
        shared.touch_unwrite();
        timed.join().unwrap();
        waiting.join().unwrap();
    });
}

/// A writer that gives up does not look for those who have queued behind it.
#[test]
#[ignore = "has to fail"]
fn give_up_and_let_nobody_in() {
    explore(2, Policy::Stays, || {
        let shared = Shared::<Core>::new();
        let reading = shared.read();
        let behind = spawn(&shared, |shared| shared.read_look_unread());
        let core = &shared.raw;
        // The other reader may be changing the word; nothing else is in the way.
        while core.word.try_acquire(
            Mode::Exclusive,
            Standing::Newcomer,
            claims(),
            Manners::Insistent,
        ) != Attempt::Pending
        {}
        let _ = core.word.retreat(Retreat::Out);
        behind.join().unwrap();
        shared.look_unread(reading);
    });
}
