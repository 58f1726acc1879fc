//! Evidence for the order in which `lock_many` and its relatives take locks, and that what fails or panics gives back
//! what it took: with locks of the test's own, which are where they say and note what is done to them.

use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

use parkade::{
    lock_many,
    many::{LockManyTimeoutError, LockRequest, TryLockManyError},
    try_lock_many, try_lock_many_for, try_lock_many_until,
};

const SOON: Duration = Duration::from_millis(2);

/// What was done with probes, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Took(usize),
    Refused(usize),
    Panicked(usize),
    Released(usize),
}
use Event::{Panicked, Refused, Released, Took};

#[derive(Default)]
struct Log {
    events: RefCell<Vec<Event>>,
    deadlines: RefCell<Vec<Instant>>,
}

impl Log {
    fn note(&self, event: Event) {
        self.events.borrow_mut().push(event);
    }

    fn take(&self) -> Vec<Event> {
        self.events.take()
    }
}

#[derive(Clone, Copy)]
enum Mood {
    Willing,
    Refuses,
    Panics,
}

/// A lock of the test's own, at an address of its choice.
#[derive(Clone, Copy)]
struct Probe<'a> {
    address: usize,
    mood: Mood,
    log: &'a Log,
}

struct ProbeGuard<'a> {
    address: usize,
    log: &'a Log,
}

impl Drop for ProbeGuard<'_> {
    fn drop(&mut self) {
        self.log.note(Released(self.address));
    }
}

impl<'a> LockRequest for Probe<'a> {
    type Guard = ProbeGuard<'a>;

    fn address(&self) -> usize {
        self.address
    }

    fn lock(&self) -> ProbeGuard<'a> {
        self.try_lock().expect("it refuses only those who do not wait for ever")
    }

    fn try_lock(&self) -> Option<ProbeGuard<'a>> {
        let &Probe { address, mood, log } = self;
        match mood {
            Mood::Willing => {
                log.note(Took(address));
                Some(ProbeGuard { address, log })
            }
            Mood::Refuses => {
                log.note(Refused(address));
                None
            }
            Mood::Panics => {
                log.note(Panicked(address));
                panic!("a lock that panics");
            }
        }
    }

    fn try_lock_until(&self, deadline: Instant) -> Option<ProbeGuard<'a>> {
        self.log.deadlines.borrow_mut().push(deadline);
        self.try_lock()
    }
}

/// The orders of four.
fn orders() -> impl Iterator<Item = [usize; 4]> {
    let words = (0..256).map(|word| [word >> 6, word >> 4 & 3, word >> 2 & 3, word & 3]);
    words.filter(|word| (0..4).all(|address| word.contains(&address)))
}

/// Four probes at these addresses, all willing but `odd`, the one at that position.
fn probes(log: &Log, addresses: [usize; 4], odd: Option<(usize, Mood)>) -> [Probe<'_>; 4] {
    let mut probes = addresses.map(|address| Probe { address, mood: Mood::Willing, log });
    if let Some((position, mood)) = odd {
        probes[position].mood = mood;
    }
    probes
}

/// Runs `$body` with `$set` as each kind of set made of four requests.
macro_rules! each_form {
    ($requests:expr, |$set:ident| $body:expr) => {{
        let [a, b, c, d] = $requests;
        {
            let $set = (a, b, c, d);
            $body
        }
        {
            let $set = [a, b, c, d];
            $body
        }
        {
            let members = [a, b, c, d];
            let $set = &members;
            $body
        }
        {
            let members = [&a, &b, &c, &d];
            let $set = &members[..];
            $body
        }
        {
            let members = vec![a, b, c, d];
            let $set = &members;
            $body
        }
        {
            let $set = vec![a, b, c, d];
            $body
        }
    }};
}

#[test]
fn locks_are_taken_by_rising_address_whatever_the_order() {
    let log = Log::default();
    for order in orders() {
        each_form!(probes(&log, order, None), |set| {
            let guards = lock_many(set).unwrap();
            assert_eq!(log.take(), [Took(0), Took(1), Took(2), Took(3)]);
            drop(guards);
            let mut released = log.take();
            released.sort_by_key(|event| match event {
                Released(address) => *address,
                other => panic!("{other:?}"),
            });
            assert_eq!(released, [Released(0), Released(1), Released(2), Released(3)]);
        });
    }
}

#[test]
fn guards_are_in_the_order_of_the_arguments() {
    let log = Log::default();
    for order in orders() {
        let [a, b, c, d] = probes(&log, order, None);
        let (ga, gb, gc, gd) = lock_many((a, b, c, d)).unwrap();
        assert_eq!([ga, gb, gc, gd].map(|guard| guard.address), order);
        assert_eq!(lock_many([a, b, c, d]).unwrap().map(|guard| guard.address), order);
        let guards = lock_many(vec![a, b, c, d]).unwrap();
        assert!(guards.iter().map(|guard| guard.address).eq(order));
    }
}

/// What must have happened if the lock at `odd` did not let itself be taken.
fn assert_all_given_back(log: &Log, odd: usize, event: Event) {
    let events = log.take();
    let taken: Vec<_> = (0..odd).map(Took).collect();
    assert_eq!(events[..odd], taken, "{events:?}");
    assert_eq!(events[odd], event, "{events:?}");
    let mut given_back = events[odd + 1..].to_vec();
    given_back.sort_by_key(|event| format!("{event:?}"));
    assert!(given_back.iter().copied().eq((0..odd).map(Released)), "{events:?}");
}

#[test]
fn a_refusal_gives_everything_back_and_names_the_position() {
    let log = Log::default();
    for order in orders() {
        for position in 0..4 {
            let odd = order[position];
            let probes = probes(&log, order, Some((position, Mood::Refuses)));
            each_form!(probes, |set| {
                let error = try_lock_many(set).err().unwrap();
                assert_eq!(error, TryLockManyError::WouldBlock { position });
                assert_all_given_back(&log, odd, Refused(odd));
            });
            each_form!(probes, |set| {
                let error = try_lock_many_for(set, SOON).err().unwrap();
                assert_eq!(error, LockManyTimeoutError::TimedOut { position });
                assert_all_given_back(&log, odd, Refused(odd));
            });
        }
    }
}

#[test]
fn a_panic_gives_everything_back() {
    let log = Log::default();
    for order in orders() {
        let position = order[0];
        let odd = order[position];
        each_form!(probes(&log, order, Some((position, Mood::Panics))), |set| {
            let panic = catch_unwind(AssertUnwindSafe(|| _ = lock_many(set))).unwrap_err();
            assert_eq!(panic.downcast_ref(), Some(&"a lock that panics"));
            assert_all_given_back(&log, odd, Panicked(odd));
        });
    }
}

#[test]
fn all_of_a_set_have_one_deadline() {
    let log = Log::default();
    let probes = probes(&log, [2, 0, 3, 1], None);
    let before = Instant::now();
    each_form!(probes, |set| {
        drop(try_lock_many_for(set, SOON));
        let deadlines = log.deadlines.take();
        assert_eq!(deadlines.len(), 4);
        assert!(deadlines.iter().all(|deadline| *deadline == deadlines[0]));
        assert!(deadlines[0] >= before + SOON);
    });
    let deadline = Instant::now() + SOON;
    each_form!(probes, |set| {
        drop(try_lock_many_until(set, deadline));
        assert_eq!(log.deadlines.take(), [deadline; 4]);
    });
}
