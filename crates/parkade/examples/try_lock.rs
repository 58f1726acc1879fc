//! `try_lock` never waits: it says that the lock is taken, and the caller does something else.
//!
//! Prints:
//! ```text
//! recorded 2, postponed 1
//! ```

use parkade::Mutex;

/// Adds to the tally, or leaves the work for later when somebody else is at it.
fn record(tally: &Mutex<u32>, postponed: &mut u32) {
    match tally.try_lock() {
        Some(mut tally) => *tally += 1,
        None => *postponed += 1,
    }
}

fn main() {
    let tally = Mutex::new(0);
    let mut postponed = 0;

    record(&tally, &mut postponed);

    let held = tally.lock();
    record(&tally, &mut postponed);
    drop(held);

    record(&tally, &mut postponed);

    println!("recorded {}, postponed {postponed}", *tally.lock());
}
