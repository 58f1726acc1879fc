//! Evidence for: the sequential contract of the word: every legal word through every transition.

use super::{
    raw::{RawLatch, Waited},
    state::*,
};
use crate::parked::Parked;
use parkade_core::Moment;

/// Counts that matter: none, the last, one before it, the limits.
const COUNTS: [u32; 6] = [0, 1, 2, MOST_MEMBERS - 1, MOST_MEMBERS, MOST];

fn is_legal(bits: u32) -> bool {
    bits != PARKED
}

/// Applies `step` to every legal word, and checks the outcome against `expect`, which is given the count and
/// whether threads are queued.
fn walk<R: PartialEq + core::fmt::Debug>(
    step: impl Fn(&Word) -> R,
    expect: impl Fn(u32, u32) -> ((u32, u32), R),
) {
    for (count, parked) in COUNTS.into_iter().flat_map(|count| [(count, 0), (count, PARKED)]) {
        let bits = count * ONE + parked;
        if is_legal(bits) {
            let word = Word::of(bits);
            let result = step(&word);
            let ((count, parked), expected) = expect(count, parked);
            assert_eq!((word.bits(), result), (count * ONE + parked, expected), "from {bits}");
            assert!(is_legal(word.bits()), "from {bits} to {word:?}");
        }
    }
}

/// What counting down comes to, as a table, spelt out a second time on purpose.
fn counted(by: u32, count: u32, parked: u32, hold: Hold) -> ((u32, u32), Result<Counted, TooFew>) {
    match (count.cmp(&by), parked, hold) {
        (core::cmp::Ordering::Less, ..) => ((count, parked), Err(TooFew { left: count })),
        (core::cmp::Ordering::Greater, ..) => ((count - by, parked), Ok(Counted::Down)),
        (_, PARKED, Hold::Nothing) => ((count, parked), Ok(Counted::WouldOpen)),
        (..) => ((0, 0), Ok(Counted::Open)),
    }
}

#[test]
fn d1_counts_down_unless_that_opens_for_those_who_are_queued() {
    for by in COUNTS {
        walk(
            |word| word.count_down(by, Hold::Nothing),
            |count, parked| counted(by, count, parked, Hold::Nothing),
        );
    }
}

#[test]
fn d2_tells_the_count() {
    walk(
        |word| (word.count(), word.is_open()),
        |count, parked| ((count, parked), (count, count == 0)),
    );
}

#[test]
fn d3_counts_down_and_forgets_the_queue_with_the_last() {
    for by in COUNTS {
        walk(
            |word| word.count_down(by, Hold::Bucket),
            |count, parked| counted(by, count, parked, Hold::Bucket),
        );
    }
}

#[test]
fn d4_marks_a_waiter_only_where_it_has_to_wait() {
    walk(Word::try_prepare_park, |count, _| match count {
        0 => ((0, 0), false),
        _ => ((count, PARKED), true),
    });
}

#[test]
fn d5_clears_the_mark_of_an_empty_queue() {
    walk(|word| word.publish(Parked::None), |count, _| ((count, 0), ()));
    walk(|word| word.publish(Parked::Some), |count, parked| ((count, parked), ()));
}

#[test]
fn d6_joins_neither_the_open_nor_the_full() {
    for limit in [MOST_MEMBERS, MOST] {
        walk(
            |word| word.join(limit),
            |count, parked| match count {
                0 => ((0, 0), Joined::Open),
                _ if count >= limit => ((count, parked), Joined::Full),
                _ => ((count + 1, parked), Joined::Yes),
            },
        );
    }
}

#[test]
fn opens_once_and_for_all() {
    let latch = RawLatch::new(3);
    let now = Some(Moment::now());
    assert_eq!(latch.wait(now), Waited::TimedOut);
    assert_eq!(latch.count_down(4), Err(TooFew { left: 3 }));
    assert_eq!(latch.count_down(2), Ok(()));
    assert_eq!((latch.count(), latch.is_open(), latch.wait(now)), (1, false, Waited::TimedOut));
    assert_eq!(latch.count_down(1), Ok(()));
    assert_eq!((latch.count(), latch.is_open(), latch.wait(now)), (0, true, Waited::Open));
    assert_eq!(latch.count_down(0), Ok(()));
    assert_eq!(latch.count_down(1), Err(TooFew { left: 0 }));
    assert_eq!(latch.wait(None), Waited::Open);
}

/// `PARKED` may be left over from a parent process.
#[test]
fn opens_though_nobody_is_queued() {
    let latch = RawLatch::new(2);
    assert!(latch.word().try_prepare_park());
    assert_eq!(latch.count_down(1), Ok(()));
    assert_eq!(latch.wait(Some(Moment::now())), Waited::TimedOut);
    assert!(latch.word().try_prepare_park());
    assert_eq!(latch.count_down(1), Ok(()));
    assert_eq!(latch.word().bits(), 0);
}

#[test]
fn who_waits_for_others_is_a_member_again_when_its_time_is_up() {
    let group = RawLatch::new(1);
    assert!(group.join());
    assert_eq!(group.wait_for_others(Some(Moment::now())), Waited::TimedOut);
    assert_eq!(group.count(), 2);
    group.leave();
    assert_eq!(group.wait_for_others(None), Waited::Open);
    assert_eq!(group.count(), 0);
}

/// A place is left for each thread that comes back, even if as many have joined as may.
#[test]
fn members_do_not_take_the_places_of_those_who_come_back() {
    let group = RawLatch::new(MOST_MEMBERS);
    assert!(!group.join());
    assert_eq!(group.wait_for_others(Some(Moment::now())), Waited::TimedOut);
    assert_eq!(group.count(), MOST_MEMBERS);
}
