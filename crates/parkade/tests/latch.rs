//! Evidence for what [`Latch`] promises: it opens once, for everybody; a count that is too large changes nothing; a
//! wait may be limited.

mod support;

use std::{
    error::Error,
    fmt::Debug,
    panic::{AssertUnwindSafe, Location, RefUnwindSafe, UnwindSafe, catch_unwind},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use parkade::{CountDownError, Latch};
use static_assertions::assert_impl_all;
use support::{CENTURIES, SHORT, far_future, parked_on, past, wait_for_parked, watched_test};

assert_impl_all!(Latch: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Debug);
assert_impl_all!(CountDownError: Send, Sync, Copy, Eq, Error);

const _: () = assert!(size_of::<Latch>() == 4 && align_of::<Latch>() == 4);

static GATE: Latch = Latch::new(1);

#[test]
fn opens_for_everybody_and_for_ever() {
    let _watched = watched_test();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| GATE.wait());
        }
        scope.spawn(|| assert!(GATE.wait_for(Duration::MAX)));
        scope.spawn(|| assert!(GATE.wait_until(far_future())));
        wait_for_parked(&GATE, 6);
        assert!(!GATE.is_open());
        GATE.count_down();
    });
    GATE.wait();
    assert!(GATE.wait_for(Duration::ZERO) && GATE.wait_until(past()));
    assert_eq!((GATE.count(), GATE.is_open()), (0, true));
}

#[test]
fn nobody_is_woken_before_the_last_count() {
    let _watched = watched_test();
    let latch = Latch::new(4);
    thread::scope(|scope| {
        scope.spawn(|| latch.wait());
        wait_for_parked(&latch, 1);
        latch.count_down();
        latch.count_down_by(2);
        assert!(latch.try_count_down_by(0).is_ok());
        assert_eq!((latch.count(), parked_on(&latch).len()), (1, 1));
        assert!(latch.try_count_down().is_ok());
    });
}

#[test]
fn too_much_changes_nothing() {
    let latch = Latch::new(2);
    for by in [3, 4, u32::MAX as usize, usize::MAX] {
        let error = latch.try_count_down_by(by).unwrap_err();
        assert_eq!((error.left(), error.by(), latch.count()), (2, by, 2));
    }
    latch.count_down_by(2);
    let error = latch.try_count_down().unwrap_err();
    assert_eq!(error.to_string(), "cannot count down by 1: the latch has 0 left");
    assert!(latch.is_open() && latch.try_count_down_by(0).is_ok());
}

#[test]
fn too_much_changes_nothing_while_threads_wait() {
    let _watched = watched_test();
    let latch = Latch::new(2);
    thread::scope(|scope| {
        scope.spawn(|| latch.wait());
        wait_for_parked(&latch, 1);
        assert!(latch.try_count_down_by(3).is_err());
        assert_eq!((latch.count(), parked_on(&latch).len()), (2, 1));
        latch.count_down_by(2);
        assert!(latch.try_count_down().is_err());
    });
}

/// What the panic in `body` says; it names the caller.
#[track_caller]
fn panic_of(body: impl FnOnce()) -> String {
    let (caller, thread) = (Location::caller(), thread::current().id());
    let said = Arc::new(Mutex::new(String::new()));
    let note = Arc::clone(&said);
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if thread::current().id() == thread {
            let (file, line) = info.location().map(|at| (at.file(), at.line())).unwrap();
            let lines = caller.line()..=caller.line() + 2;
            let here = file == caller.file() && lines.contains(&line);
            let text = info.payload_as_str().unwrap();
            *note.lock().unwrap() =
                if here { text.to_owned() } else { format!("{text} at {file}:{line}") };
        }
    }));
    let result = catch_unwind(AssertUnwindSafe(body));
    std::panic::set_hook(before);
    assert!(result.is_err());
    let said = said.lock().unwrap();
    said.clone()
}

/// One test, because the panic hook is the process's.
#[test]
fn panics_name_the_caller() {
    let open = Latch::new(0);
    let text = "cannot count down by 1: the latch has 0 left";
    assert_eq!(panic_of(|| open.count_down()), text);
    assert_eq!(panic_of(|| open.arrive_and_wait()), text);
    assert_eq!(panic_of(|| assert!(open.arrive_and_wait_for(Duration::ZERO))), text);
    assert_eq!(panic_of(|| assert!(open.arrive_and_wait_until(past()))), text);
    let text = "cannot count down by 7: the latch has 0 left";
    assert_eq!(panic_of(|| open.count_down_by(7)), text);
    let text = "the count of a latch is at most Latch::MAX";
    assert_eq!(panic_of(|| drop(Latch::new(Latch::MAX + 1))), text);
}

#[test]
fn a_wait_may_be_limited() {
    let _watched = watched_test();
    let latch = Latch::new(1);
    thread::scope(|scope| {
        scope.spawn(|| latch.wait());
        wait_for_parked(&latch, 1);
        for timeout in SHORT {
            let start = Instant::now();
            assert!(!latch.wait_for(timeout));
            assert!(start.elapsed() >= timeout);
            assert!(!latch.wait_until(Instant::now() + timeout));
        }
        assert!(!latch.wait_until(past()));
        // The other has noticed nothing.
        assert_eq!(parked_on(&latch).len(), 1);
        latch.count_down();
    });
}

#[test]
fn centuries_do_not_overflow() {
    let _watched = watched_test();
    for timeout in CENTURIES {
        let latch = Latch::new(1);
        thread::scope(|scope| {
            scope.spawn(|| assert!(latch.wait_for(timeout)));
            wait_for_parked(&latch, 1);
            latch.count_down();
        });
    }
}

#[test]
fn an_arrival_stays_when_its_time_is_up() {
    let _watched = watched_test();
    let latch = Latch::new(4);
    assert!(!latch.arrive_and_wait_for(Duration::ZERO));
    assert!(!latch.arrive_and_wait_until(past()));
    assert_eq!(latch.count(), 2);
    thread::scope(|scope| {
        scope.spawn(|| latch.arrive_and_wait());
        wait_for_parked(&latch, 1);
        assert!(latch.arrive_and_wait_for(Duration::ZERO));
    });
    assert_eq!(format!("{latch:?}"), "Latch { count: 0 }");
}
