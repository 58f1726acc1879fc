//! Evidence for: the sequential contract of the word: every legal word through every transition.

use super::{
    raw::{Failed, RawBarrier, Role},
    state::*,
};
use parkade_core::Moment;

const HERE: Process = Process(7);
const PARENT: Process = Process(6);

const PARTIES: [u32; 4] = [1, 2, 3, MOST];

/// Numbers of arrived threads that are legal for so many parties, those that matter.
fn numbers(parties: u32) -> impl Iterator<Item = u32> {
    [0, 1, 2, MOST - 2, MOST - 1].into_iter().filter(move |&arrived| arrived < parties)
}

/// What is known of a barrier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Arrived(u32, Process),
    Aborted,
}

/// Applies `step` to every legal word, and checks the outcome against `expect`, which is given the number of
/// parties and the state.
fn walk<R: PartialEq + core::fmt::Debug>(
    step: impl Fn(&Word, u32) -> R,
    expect: impl Fn(u32, State) -> (State, R),
) {
    for parties in PARTIES {
        let arrived = [HERE, PARENT]
            .into_iter()
            .flat_map(|process| numbers(parties).map(move |n| State::Arrived(n, process)));
        for state in arrived.chain([State::Aborted]) {
            let word = match state {
                State::Arrived(n, process) => Word::of(n * ONE, process),
                State::Aborted => Word::of(ABORTED, HERE),
            };
            let result = step(&word, parties);
            let after = match word.bits() {
                (ABORTED, _) => State::Aborted,
                (bits, process) => {
                    assert!(bits & ABORTED == 0 && bits / ONE < parties, "{word:?} is illegal");
                    State::Arrived(bits / ONE, process)
                }
            };
            assert_eq!((after, result), expect(parties, state), "{state:?} of {parties}");
        }
    }
}

/// How many have arrived, of those that are there.
fn here(arrived: u32, process: Process) -> u32 {
    if process == HERE { arrived } else { 0 }
}

#[test]
fn g1_aborts() {
    walk(|word, _| (word.abort(), word.is_aborted()), |_, _| (State::Aborted, ((), true)));
}

#[test]
fn g2_tells_whether_it_is_aborted() {
    walk(|word, _| word.is_aborted(), |_, state| (state, state == State::Aborted));
}

#[test]
fn g3_counts_who_is_not_the_last() {
    walk(
        |word, parties| word.try_arrive(parties, HERE),
        |parties, state| match state {
            State::Arrived(n, process) if here(n, process) + 1 < parties => {
                (State::Arrived(here(n, process) + 1, HERE), true)
            }
            _ => (state, false),
        },
    );
}

#[test]
fn g4_begins_anew_with_the_last() {
    walk(
        |word, parties| word.try_complete(parties, HERE),
        |parties, state| match state {
            State::Aborted => (state, Arrival::Aborted),
            State::Arrived(n, process) if here(n, process) + 1 < parties => (state, Arrival::Early),
            State::Arrived(..) => (State::Arrived(0, HERE), Arrival::Completes),
        },
    );
}

#[test]
fn g5_takes_back_what_g3_has_counted() {
    walk(
        |word, parties| {
            let arrived = word.try_arrive(parties, HERE);
            if arrived {
                word.withdraw();
            }
            arrived
        },
        |parties, state| match state {
            State::Arrived(n, process) if here(n, process) + 1 < parties => {
                (State::Arrived(here(n, process), HERE), true)
            }
            _ => (state, false),
        },
    );
}

#[test]
fn g6_does_not_count_who_is_not_there() {
    walk(
        |word, _| word.arrived(HERE),
        |_, state| match state {
            State::Arrived(n, process) => (state, here(n, process)),
            State::Aborted => (state, 0),
        },
    );
}

/// Whoever is told that there may be something to wait for is not always right, but can act on it.
#[test]
fn a_guess_is_right_while_nobody_else_changes_the_word() {
    walk(
        |word, parties| {
            let due = word.seems_due(parties, HERE);
            let early = word.arrived(HERE) + 1 < parties && !word.is_aborted();
            assert_ne!(due, early);
        },
        |_, state| (state, ()),
    );
}

#[test]
fn lets_one_at_a_time_through_alone() {
    for parties in [0, 1] {
        let mut barrier = RawBarrier::new(parties);
        assert_eq!(barrier.parties(), 1);
        for _ in 0..3 {
            assert_eq!(barrier.wait(Some(Moment::now())), Ok(Role::Leader));
        }
        barrier.abort();
        assert_eq!(barrier.wait(None), Err(Failed::Aborted));
        barrier.reset();
        assert_eq!(barrier.wait(None), Ok(Role::Leader));
    }
}

#[test]
fn takes_an_arrival_back() {
    let barrier = RawBarrier::new(2);
    for _ in 0..3 {
        assert_eq!(barrier.wait(Some(Moment::now())), Err(Failed::TimedOut));
        assert_eq!((barrier.waiting(), barrier.word().bits().0), (0, 0));
    }
}

/// What is left of a parent's waiters is not counted, and corrected by the first who comes.
#[test]
fn begins_anew_in_another_process() {
    let barrier = RawBarrier::new(3);
    assert!(barrier.word().try_arrive(3, Process(99)));
    assert!(barrier.word().try_arrive(3, Process(99)));
    assert_eq!(barrier.waiting(), 0);
    assert_eq!(barrier.wait(Some(Moment::now())), Err(Failed::TimedOut));
    assert_eq!(barrier.word().bits(), (0, Process::current()));
}
