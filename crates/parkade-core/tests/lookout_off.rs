//! Evidence that the lookout can be switched off, and on again. A test binary of its own: the switch is the process's.

mod tasks;

use parkade_core::{
    ParkRequest,
    lookout::{self, State},
    park_with, snapshot_of,
    tuning::{self, Lookout},
};
use std::{task::Waker, thread};
use tasks::{Counts, Key, look, parked, ready, wait_until_parked, wake, wake_all};

#[test]
fn nobody_is_nudged_when_it_is_off() {
    let (key, counts) = (Key::new(), Counts::new());
    let key = key.addr();
    // Threads never start it.
    thread::scope(|scope| {
        for _ in 0..3 {
            // SAFETY: the key is our own allocation; the callbacks do nothing.
            scope.spawn(move || unsafe {
                park_with(ParkRequest::new(key), || true, || {}, |_| {});
            });
        }
        wait_until_parked(key, 3);
        wake(key, 1);
        wake_all(key, 1);
    });
    assert_eq!(lookout::state(), State::NotStarted);

    tuning::set_lookout(Lookout::Off);
    assert_eq!(tuning::lookout(), Lookout::Off);
    let waiters: Vec<_> = (0..4).map(|i| parked(key, i, &counts.waker())).collect();
    wake(key, 1);
    // As many rounds as would do.
    for _ in 0..10 {
        lookout::round();
    }
    assert_eq!(lookout::state(), State::NotStarted);
    assert_eq!(snapshot_of(key).len(), 3);
    assert_eq!(counts.woken(), 1);

    tuning::set_lookout(Lookout::On);
    let late = parked(key, 4, &counts.waker());
    assert_eq!(lookout::state(), State::NotStarted, "one task needs nobody to look after it");
    let later = parked(key, 5, &counts.waker());
    assert_ne!(lookout::state(), State::NotStarted);
    wake(key, 1);
    while counts.woken() < 6 {
        thread::yield_now();
    }
    assert_eq!(snapshot_of(key).len(), 4);

    // Off, and on: what was marked meanwhile is not lost.
    let counts = Counts::new();
    assert_eq!(wake_all(key, 1), 4);
    let more = [(); 3].map(|()| parked(key, 0, &counts.waker()));
    wake(key, 1);
    tuning::set_lookout(Lookout::Off);
    tuning::set_lookout(Lookout::On);
    while counts.woken() < 3 {
        thread::yield_now();
    }
    assert_eq!(wake_all(key, 1), 2);
    for waiter in waiters.iter().chain([&late, &later]).chain(&more) {
        assert_eq!(look(waiter, Waker::noop()), ready(1));
    }
}
