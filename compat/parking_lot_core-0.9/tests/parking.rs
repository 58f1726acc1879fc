//! The parking lot behaves as the original does, and better where a callback panics.

#[path = "../../tests/aborts.rs"]
mod aborts;
#[path = "../../tests/parking.rs"]
mod parking;

use parking_lot_core as lot;

use parking_lot_core::{DEFAULT_PARK_TOKEN, DEFAULT_UNPARK_TOKEN, park, unpark_one};
use std::{sync::mpsc, thread};

/// Sometimes, not always, and never when nobody was unparked.
#[test]
fn an_unlock_is_fair_now_and_then() {
    let word = 0_u8;
    let key = core::ptr::from_ref(&word).addr();
    let mut seen = [false; 2];
    while seen != [true; 2] {
        thread::scope(|scope| {
            let (queued, is_queued) = mpsc::channel();
            for _ in 0..10 {
                let queued = queued.clone();
                scope.spawn(move || {
                    let (queued, late) = (|| queued.send(()).unwrap(), |_, _| {});
                    // SAFETY: the key is ours; the callbacks call nothing of the crate.
                    unsafe { park(key, || true, queued, late, DEFAULT_PARK_TOKEN, None) };
                });
            }
            for () in is_queued.iter().take(10) {}
            for _ in 0..10 {
                // SAFETY: the key is ours; the callback calls nothing.
                let result = unsafe { unpark_one(key, |_| DEFAULT_UNPARK_TOKEN) };
                seen[usize::from(result.be_fair)] = true;
            }
        });
        // SAFETY: the key is ours; the callback calls nothing.
        let result = unsafe { unpark_one(key, |_| DEFAULT_UNPARK_TOKEN) };
        assert!(!result.be_fair, "nobody was unparked");
    }
}
