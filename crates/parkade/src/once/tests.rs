//! Evidence for: the sequential contract of the word: every legal word through every transition.

use super::{
    raw::{Poisoned, RawOnce, Waited},
    state::*,
};
use crate::{parked::Parked, task::TASK};
use parkade_core::Moment;
use std::panic::{AssertUnwindSafe, catch_unwind};

const LEGAL: [u8; 7] =
    [NEW, POISONED, RUNNING, DONE, NEW | PARKED, POISONED | PARKED, RUNNING | PARKED];
const ENDS: [(End, u8); 3] = [(End::New, NEW), (End::Poisoned, POISONED), (End::Done, DONE)];
const WISHES: [Wish; 4] = [
    Wish { aim: Aim::Run, poison: Poison::Heed },
    Wish { aim: Aim::Run, poison: Poison::Ignore },
    Wish { aim: Aim::Wait, poison: Poison::Heed },
    Wish { aim: Aim::Wait, poison: Poison::Ignore },
];

/// Applies `step` to every legal word with `when`, and checks the outcome against `expect`.
fn walk<R: PartialEq + core::fmt::Debug>(
    when: impl Fn(u8) -> bool,
    step: impl Fn(&Word) -> R,
    expect: impl Fn(u8) -> (u8, R),
) {
    let mut walked = 0;
    for byte in LEGAL.into_iter().filter(|&byte| when(byte)) {
        let word = Word::of(byte);
        let result = step(&word);
        assert_eq!((word.byte(), result), expect(byte), "from {byte}");
        assert!(LEGAL.contains(&word.byte()), "from {byte} to {word:?}");
        walked += 1;
    }
    assert!(walked > 0, "no legal word has the precondition");
}

/// What `wish` comes to at `byte`, as a table, spelled out a second time on purpose.
fn attempted(wish: Wish, byte: u8) -> Attempt {
    let parked = Parked::from(byte & PARKED != 0);
    match (byte & !PARKED, wish.aim, wish.poison) {
        (NEW, Aim::Run, _) => Attempt::Begun(Before::New),
        (NEW, Aim::Wait, _) => Attempt::Idle,
        (POISONED, _, Poison::Heed) => Attempt::Poisoned,
        (POISONED, Aim::Run, Poison::Ignore) => Attempt::Begun(Before::Poisoned),
        (POISONED, Aim::Wait, Poison::Ignore) => Attempt::Idle,
        (RUNNING, ..) => Attempt::Busy(parked),
        _ => Attempt::Done,
    }
}

#[test]
fn o1_begins_what_is_not_begun_and_keeps_the_queue() {
    for wish in WISHES {
        walk(
            |_| true,
            |word| word.attempt(wish),
            |byte| {
                let attempt = attempted(wish, byte);
                let begun = matches!(attempt, Attempt::Begun(_));
                (if begun { RUNNING | (byte & PARKED) } else { byte }, attempt)
            },
        );
    }
}

#[test]
fn o2_ends_unless_threads_are_queued() {
    for (end, bits) in ENDS {
        walk(
            |byte| byte & !PARKED == RUNNING,
            |word| word.try_end(end),
            |byte| if byte & PARKED == 0 { (bits, true) } else { (byte, false) },
        );
    }
}

#[test]
fn o3_tells_the_phase() {
    walk(|_| true, Word::is_done, |byte| (byte, byte == DONE));
    let phases = [Phase::New, Phase::Poisoned, Phase::Running, Phase::Done];
    walk(|_| true, Word::phase, |byte| (byte, phases[usize::from(byte & !PARKED)]));
}

#[test]
fn o4_writes_the_end_and_the_queue_as_it_is() {
    for (end, bits) in ENDS {
        for (parked, bit) in [(Parked::None, 0), (Parked::Some, PARKED)] {
            if (end, parked) != (End::Done, Parked::Some) {
                let running = |byte| byte & !PARKED == RUNNING;
                walk(running, |word| word.end(end, parked), |_| (bits | bit, ()));
            }
        }
    }
}

#[test]
fn o5_marks_a_waiter_only_where_it_has_to_wait() {
    for wish in WISHES {
        walk(
            |_| true,
            |word| word.try_prepare_park(wish),
            |byte| match attempted(wish, byte) {
                Attempt::Busy(_) | Attempt::Idle => (byte | PARKED, true),
                _ => (byte, false),
            },
        );
    }
}

#[test]
fn o6_clears_the_mark_of_an_empty_queue() {
    walk(|_| true, |word| word.publish(Parked::None), |byte| (byte & !PARKED, ()));
    walk(|_| true, |word| word.publish(Parked::Some), |byte| (byte, ()));
}

#[test]
fn o7_tells_how_the_last_run_ended_if_somebody_waits_for_the_next() {
    walk(
        |_| true,
        |word| word.idle(),
        |byte| {
            let end = match byte {
                _ if byte == NEW | PARKED => Some(End::New),
                _ if byte == POISONED | PARKED => Some(End::Poisoned),
                _ => None,
            };
            (byte, end)
        },
    );
}

/// Nobody sleeps on through an end that concerns him: who is woken goes on, and who sleeps on would wait.
#[test]
fn an_end_wakes_those_who_can_go_on() {
    for (end, bits) in ENDS {
        for wish in WISHES {
            let expected = match attempted(wish, bits) {
                Attempt::Busy(_) | Attempt::Idle => Wakes::Never,
                Attempt::Begun(_) => Wakes::First,
                Attempt::Done | Attempt::Poisoned => Wakes::Always,
            };
            assert_eq!(wish.woken_by(end), expected, "{wish:?} at {end:?}");
        }
    }
}

#[test]
fn the_table_keeps_wishes() {
    for wish in WISHES {
        let parkade_core::ParkToken(token) = wish.token();
        assert_eq!(token & TASK, 0);
        assert_eq!(Wish::of(parkade_core::ParkToken(token | TASK)), wish);
        assert_eq!(Wish::of(wish.token()), wish);
    }
}

#[test]
fn runs_until_complete() {
    let once = RawOnce::new();
    let run = |poison, end| {
        let mut before = None;
        let ran = once.run(poison, &mut |found| {
            before = Some(found);
            end
        });
        (ran, before)
    };
    assert_eq!(run(Poison::Heed, End::New), (Ok(()), Some(Before::New)));
    assert_eq!(run(Poison::Heed, End::Poisoned), (Ok(()), Some(Before::New)));
    assert_eq!(run(Poison::Heed, End::Done), (Err(Poisoned), None));
    assert_eq!(once.wait(Poison::Heed, None), Err(Poisoned));
    let now = Some(Moment::now());
    assert_eq!(once.wait(Poison::Ignore, now), Ok(Waited::TimedOut));
    assert_eq!(run(Poison::Ignore, End::Poisoned), (Ok(()), Some(Before::Poisoned)));
    assert_eq!(run(Poison::Ignore, End::Done), (Ok(()), Some(Before::Poisoned)));
    assert_eq!(run(Poison::Heed, End::Poisoned), (Ok(()), None));
    assert_eq!(once.wait(Poison::Heed, now), Ok(Waited::Done));
}

#[test]
fn unwinding_poisons() {
    let once = RawOnce::new();
    let run = AssertUnwindSafe(|| once.run(Poison::Heed, &mut |_| panic!("on purpose")));
    assert!(catch_unwind(run).is_err());
    assert_eq!(once.phase(), Phase::Poisoned);
}

/// Coroutines: two initialisations of one thread, of which the outer one ends first.
#[test]
fn frames_leave_the_list_in_any_order() {
    let here = super::reentry::Name::BeganAt(std::panic::Location::caller());
    let one = super::reentry::Frame::new(1, here);
    let first = one.list();
    let two = super::reentry::Frame::new(2, here);
    let second = two.list();
    let denied = |key| std::panic::catch_unwind(|| super::reentry::deny(key)).is_err();
    drop(first);
    assert_eq!((denied(1), denied(2)), (false, true));
    drop(second);
    assert_eq!((denied(1), denied(2)), (false, false));
}
