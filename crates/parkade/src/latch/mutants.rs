//! Protocols that look right and are not. Each has to fail under loom, or the models would not notice
//! such a mistake in the real one: `cargo xtask weaken` runs them.

use super::{
    model::Shared,
    raw::Waited,
    state::{Hold, Joined, MOST},
};
use crate::{
    model::{Policy, explore, join, spawn},
    parked::Parked,
};
use parkade_core::{DEFAULT_UNPARK_TOKEN, Moment, ParkRequest};

/// Wakes whoever is queued at the address of the latch.
fn wake_all(shared: &Shared) {
    // SAFETY: the key is an address that is ours, or was.
    unsafe { parkade_core::unpark_all(shared.raw.key(), DEFAULT_UNPARK_TOKEN) };
}

/// Who counts down asks whether anybody is queued before it opens, not as it does.
#[test]
#[ignore = "has to fail"]
fn look_at_the_queue_and_then_open() {
    explore(2, Policy::Stays, || {
        let shared = Shared::new(1);
        let waiting = spawn(&shared, Shared::wait);
        let parked = shared.raw.word().is_parked();
        let _ = shared.raw.word().count_down(1, Hold::Bucket);
        if parked {
            wake_all(&shared);
        }
        join([waiting]);
    });
}

/// A waiter that times out clears `PARKED` without asking the table whether others are queued.
#[test]
#[ignore = "has to fail"]
fn time_out_and_forget_the_others() {
    explore(2, Policy::Stays, || {
        let shared = Shared::new(1);
        let timed = |shared: &Shared| {
            let word = shared.raw.word();
            let request = ParkRequest::new(shared.raw.key()).deadline(Some(Moment::NEVER));
            let forget = |_| word.publish(Parked::None);
            // SAFETY: the key is the address of the latch; the callbacks only touch its word.
            unsafe { parkade_core::park_with(request, || word.try_prepare_park(), || {}, forget) };
        };
        let others = [spawn(&shared, Shared::wait), spawn(&shared, timed)];
        shared.work_and_count_down(0);
        join(others);
    });
}

/// Opens without the bucket lock, and then wakes whoever is queued at its address, though that may be
/// the address of another by then: here of a wait that has nothing to do with it.
#[test]
#[ignore = "has to fail"]
fn wake_at_an_address_that_was_given_away() {
    explore(2, Policy::Stays, || {
        let shared = Shared::new(1);
        let waiting = spawn(&shared, |shared| {
            shared.wait();
            let request = ParkRequest::new(shared.raw.key()).deadline(Some(Moment::NEVER));
            // SAFETY: the key is the address of the latch; the callbacks touch nothing.
            let parked = unsafe { parkade_core::park_with(request, || true, || {}, |_| {}) };
            assert!(!parked.is_unparked(), "woken by the opening of what was open");
        });
        let _ = shared.raw.word().count_down(1, Hold::Bucket);
        wake_all(&shared);
        join([waiting]);
    });
}

/// Who has waited in vain for its group comes back without asking whether the others have left since.
#[test]
#[ignore = "has to fail"]
fn come_back_to_a_group_that_is_over() {
    explore(2, Policy::Stays, || {
        let shared = Shared::new(3);
        let others = [
            spawn(&shared, |shared| {
                shared.raw.leave();
                if shared.raw.wait(Some(Moment::NEVER)) == Waited::TimedOut {
                    let joined = shared.raw.word().join(MOST);
                    assert_eq!(joined, Joined::Yes, "a member of nothing");
                    shared.raw.leave();
                }
            }),
            spawn(&shared, |shared| shared.raw.leave()),
        ];
        assert_eq!(shared.raw.wait_for_others(None), Waited::Open);
        join(others);
    });
}

/// Who waits for its group stays a member meanwhile, and waits until it is the only one.
#[test]
#[ignore = "has to fail"]
fn wait_as_a_member() {
    explore(2, Policy::Stays, || {
        let shared = Shared::new(2);
        let wait = |shared: &Shared| {
            while shared.raw.count() > 1 {
                shared.wait();
            }
            shared.raw.leave();
        };
        let other = spawn(&shared, wait);
        wait(&shared);
        join([other]);
    });
}
