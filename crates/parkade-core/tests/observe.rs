//! Evidence for: an installed observer sees each park, wake, timeout and requeue of the process, by threads and tasks.
//! A test binary of its own, because an observer is process-wide.

mod tasks;

use parkade_core::{
    Cancelled, Moment, ParkRequest, UnparkToken,
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
    let waker = std::task::Waker::noop();
    let unparked = tasks::parked(key, 0, waker);
    tasks::wake(key, 0);
    assert!(tasks::look(&unparked, waker).is_ready());
    let cancelled = tasks::parked(key, 0, waker);
    assert_eq!(tasks::cancel(&cancelled, |_| {}), Cancelled::Left);
    let late = tasks::parked(key, 0, waker);
    tasks::wake(key, 0);
    assert_eq!(tasks::cancel(&late, |_| {}), tasks::unparked(0));
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
            Event::Cancelled { key: k, .. } => ("cancelled", k == key),
            _ => ("other", false),
        })
        .collect();
    let threads = ["parked", "unparked", "parked", "timed out"];
    let tasks = ["parked", "unparked", "parked", "cancelled", "parked", "unparked"];
    let expected: Vec<_> = threads.into_iter().chain(tasks).map(|kind| (kind, true)).collect();
    assert_eq!(kinds, expected);
}
