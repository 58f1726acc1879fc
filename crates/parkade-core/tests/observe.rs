//! Evidence for: an installed observer sees each park, wake, timeout and requeue of the process.
//! A test binary of its own, because an observer is process-wide.

use parkade_core::{
    Moment, ParkRequest, UnparkToken,
    observe::{self, Event, Observer},
    park_with, snapshot_of, unpark_one,
};
use std::{sync::Mutex, thread, time::Duration};

struct Recorder(Mutex<Vec<Event>>);

impl Observer for Recorder {
    fn event(&self, event: &Event) {
        self.0.lock().unwrap().push(*event);
    }
}

static RECORDER: Recorder = Recorder(Mutex::new(Vec::new()));

#[test]
fn events_follow_a_wait_and_stop_when_removed() {
    let word = 0_u64;
    let key = (&raw const word).addr();
    let park = |deadline| {
        // SAFETY: the key is a local's address; the callbacks do nothing.
        unsafe { park_with(ParkRequest::new(key).deadline(deadline), || true, || {}, |_| {}) }
    };
    let wake_parked = || {
        while snapshot_of(key).is_empty() {
            thread::yield_now();
        }
        // SAFETY: the key is a local's address; the callback does nothing.
        unsafe { unpark_one(key, |_| UnparkToken(0)) };
    };
    observe::install(&RECORDER);
    thread::scope(|scope| {
        scope.spawn(|| park(None));
        wake_parked();
    });
    park(Some(Moment::after(Duration::from_millis(1))));
    observe::remove();
    thread::scope(|scope| {
        scope.spawn(|| park(None));
        wake_parked();
    });

    let events = RECORDER.0.lock().unwrap();
    let kinds: Vec<_> = events
        .iter()
        .map(|event| match *event {
            Event::Parked { key: k, .. } => ("parked", k == key),
            Event::Unparked { key: k, .. } => ("unparked", k == key),
            Event::TimedOut { key: k, .. } => ("timed out", k == key),
            _ => ("other", false),
        })
        .collect();
    let expected = ["parked", "unparked", "parked", "timed out"].map(|kind| (kind, true));
    assert_eq!(kinds, expected);
}
