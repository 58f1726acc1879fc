//! Evidence that blocks change hands safely and that scans see what is taken.

use super::*;
use std::sync::mpsc;

/// Tests of this module share the process's table with each other; each has tokens of its own.
fn token(number: usize) -> Token {
    0x1000 + number
}

#[test]
fn a_lease_encodes_both_its_parts() {
    for (owner, generation) in [(0, 0), (1, 2), (u32::MAX, 7), (3, u32::MAX)] {
        let lease = Lease { owner, generation };
        assert_eq!(Lease::decode(lease.encode()), lease);
    }
    let last = Lease { owner: 5, generation: u32::MAX };
    assert_eq!(last.passed_to(6), Lease { owner: 6, generation: 0 });
}

#[test]
fn scans_see_taken_slots_of_all_threads() {
    let (ready, is_ready) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel::<()>();
    let reader = std::thread::spawn(move || {
        let slot = mine().unwrap();
        slot.take(token(1));
        ready.send(()).unwrap();
        may_go_on.recv().unwrap();
        slot.free_again();
    });
    is_ready.recv().unwrap();
    assert!(any_with(token(1)));
    assert!(!any_with(token(2)));
    go_on.send(()).unwrap();
    reader.join().unwrap();
    assert!(!any_with(token(1)));
}

#[test]
fn a_thread_has_seven_slots_and_then_none() {
    std::thread::spawn(|| {
        let taken: Vec<&Slot> =
            core::iter::from_fn(|| mine().inspect(|slot| slot.take(token(3)))).collect();
        assert_eq!(taken.len(), SLOTS);
        for slot in &taken {
            slot.free_again();
        }
        assert!(mine().is_some());
    })
    .join()
    .unwrap();
}

/// More threads than blocks, one after the other: the blocks of the dead are used again, and a slot
/// that one of them left taken stays so.
#[test]
fn blocks_of_the_dead_are_inherited() {
    std::thread::spawn(|| mine().unwrap().take(token(4))).join().unwrap();
    let mut without = 0;
    for _ in 0..4 * BLOCKS {
        let has_one = || mine().inspect(|slot| slot.take(token(5))).map(Slot::free_again).is_some();
        without += usize::from(!std::thread::spawn(has_one).join().unwrap());
    }
    // The eight owners asked about may all be alive: the tests beside this one.
    assert!(without < BLOCKS, "{without} of {} threads got no block", 4 * BLOCKS);
    assert!(any_with(token(4)));
}

#[test]
fn a_guard_freed_elsewhere_frees_the_slot() {
    let (send, receive) = mpsc::channel::<&'static Slot>();
    let owner = std::thread::spawn(move || {
        let slot = mine().unwrap();
        slot.take(token(6));
        send.send(slot).unwrap();
    });
    owner.join().unwrap();
    let slot = receive.recv().unwrap();
    assert!(any_with(token(6)));
    slot.free_again();
    assert!(!any_with(token(6)));
}
