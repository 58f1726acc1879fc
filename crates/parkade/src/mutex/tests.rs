//! Evidence for: the sequential contract of the word: every legal word through every transition.

use super::{RawMutex, state::*};
use crate::{
    parked::Parked,
    transition::{Transition, assert_modelled},
};

const FREE: u8 = 0;
const HELD: u8 = 1;
const RESERVED: u8 = 2;
/// A reservation of another process: of fork generation 1, in this one of generation 0.
const STALE: u8 = RESERVED | 1 << 2;

const PARKED: u8 = 1;
const WAKING: u8 = 2;
const CLAIM: u8 = 4;
const NEEDS_WAKE: u8 = 8;
const SYMMETRIC: u8 = 16;
const FENCED: u8 = 32;

/// What the code derives, derived again: `NEEDS_WAKE` is `PARKED` without `WAKING`.
fn derived(queue: u8) -> u8 {
    let needs = queue & PARKED != 0 && queue & WAKING == 0;
    (queue & !NEEDS_WAKE) | (u8::from(needs) * NEEDS_WAKE)
}

/// The laws of `state.rs`, spelled out a second time on purpose.
fn is_legal((locked, queue): (u8, u8)) -> bool {
    let has = |bit: u8| queue & bit != 0;
    [FREE, HELD, RESERVED, STALE].contains(&locked)
        && queue < 64
        && queue == derived(queue)
        && (!has(FENCED) || has(SYMMETRIC))
        && (!has(CLAIM) || has(PARKED) || has(WAKING))
        && (locked != RESERVED || has(WAKING))
}

fn legal_words() -> impl Iterator<Item = (u8, u8)> {
    let every = (0..=u8::MAX).flat_map(|locked| (0..=u8::MAX).map(move |queue| (locked, queue)));
    every.filter(|&word| is_legal(word))
}

/// Applies `step` to every legal word with `when`, and checks the outcome against `expect`.
fn walk<R: PartialEq + core::fmt::Debug>(
    when: impl Fn(u8, u8) -> bool,
    step: impl Fn(&Word) -> R,
    expect: impl Fn(u8, u8) -> ((u8, u8), R),
) {
    let mut walked = 0;
    for (locked, queue) in legal_words().filter(|&(locked, queue)| when(locked, queue)) {
        let word = Word::of(locked, queue);
        let result = step(&word);
        assert_eq!((word.bytes(), result), expect(locked, queue), "from {locked} {queue:#07b}");
        assert!(is_legal(word.bytes()), "from {locked} {queue:#07b} to {word:?}");
        walked += 1;
    }
    assert!(walked > 0, "no legal word has the precondition");
}

#[test]
fn the_two_statements_of_the_laws_agree() {
    for queue in 0..=u8::MAX {
        assert_eq!(Word::of(HELD, queue).queue().is_legal(), is_legal((HELD, queue)), "{queue:#b}");
    }
    assert_eq!(legal_words().count(), 75);
}

#[test]
fn m1_takes_only_a_free_lock() {
    walk(
        |_, _| true,
        Word::try_acquire,
        |locked, queue| {
            if locked == FREE { ((HELD, queue), true) } else { ((locked, queue), false) }
        },
    );
}

#[test]
fn m2_takes_a_reserved_lock_for_the_designated_thread_and_a_stale_one_for_anybody() {
    for role in [Role::Newcomer, Role::Designated] {
        walk(
            |_, queue| role == Role::Newcomer || queue & WAKING != 0,
            |word| word.try_acquire_as(role),
            |locked, queue| match locked {
                FREE | STALE => ((HELD, queue), true),
                RESERVED if role == Role::Designated => ((HELD, queue), true),
                _ => ((locked, queue), false),
            },
        );
    }
}

#[test]
fn m3_settles_what_a_designated_thread_owes() {
    walk(
        |locked, queue| locked == HELD && queue & WAKING != 0,
        Word::settle,
        |locked, queue| ((locked, derived(queue & !(WAKING | CLAIM))), ()),
    );
}

#[test]
fn r1_frees_and_tells_whether_the_queue_is_quiet() {
    walk(
        |locked, _| locked == HELD,
        Word::release_asymmetric,
        |_, queue| ((FREE, queue), queue & (NEEDS_WAKE | CLAIM | SYMMETRIC) == 0),
    );
}

#[test]
fn r2_frees_and_returns_the_queue_whatever_it_was_told() {
    for told in [0, SYMMETRIC, SYMMETRIC | PARKED] {
        walk(
            |locked, _| locked == HELD,
            |word| word.release_symmetric(Word::of(HELD, told).queue()) == word.queue(),
            |_, queue| ((FREE, queue), true),
        );
    }
}

#[test]
fn r3_reserves_for_the_designated_thread() {
    walk(
        |locked, queue| locked == HELD && queue & WAKING != 0,
        Word::reserve,
        |_, queue| ((RESERVED, queue), ()),
    );
}

#[test]
fn a1_makes_the_first_announcer_the_one_who_fences() {
    walk(
        |_, _| true,
        Word::announce,
        |locked, queue| ((locked, queue | SYMMETRIC), queue & SYMMETRIC == 0),
    );
}

#[test]
fn a2_marks_the_fence() {
    walk(
        |_, queue| queue & SYMMETRIC != 0,
        Word::fenced,
        |locked, queue| ((locked, queue | FENCED), ()),
    );
}

#[test]
fn a4_announces_at_once_unless_somebody_has_begun_to() {
    walk(
        |locked, _| locked == HELD,
        Word::announce_as_holder,
        |locked, queue| {
            let announced = if queue & SYMMETRIC == 0 { queue | SYMMETRIC | FENCED } else { queue };
            ((locked, announced), ())
        },
    );
}

#[test]
fn p5_marks_waiters_behind_a_designated_thread_only() {
    walk(
        |_, _| true,
        Word::try_park_behind_designated,
        |locked, queue| match queue & WAKING {
            0 => ((locked, queue), false),
            _ => ((locked, queue | PARKED), true),
        },
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a3_ends_symmetric_mode_only_when_fenced_and_no_release_is_needed() {
    walk(
        |locked, _| locked == HELD,
        |word| word.try_return_to_asymmetric(word.queue()),
        |locked, queue| match queue & (FENCED | NEEDS_WAKE | CLAIM) {
            FENCED => ((locked, queue & !(SYMMETRIC | FENCED)), true),
            _ => ((locked, queue), false),
        },
    );
    // What it was told is out of date.
    walk(
        |locked, queue| locked == HELD && queue != SYMMETRIC | FENCED,
        |word| word.try_return_to_asymmetric(Word::of(HELD, SYMMETRIC | FENCED).queue()),
        |locked, queue| ((locked, queue), false),
    );
}

#[test]
fn p1_marks_a_waiter_unless_it_may_take_the_lock_and_p2_undoes_it() {
    for role in [Role::Newcomer, Role::Designated] {
        walk(
            |_, queue| role == Role::Newcomer || queue & WAKING != 0,
            |word| word.try_prepare_park(role),
            |locked, queue| {
                let kept_out = locked == HELD || (locked == RESERVED && role == Role::Newcomer);
                if queue & SYMMETRIC == 0 || !kept_out {
                    return ((locked, queue), false);
                }
                let own = if role == Role::Designated { WAKING } else { 0 };
                ((locked, derived((queue | PARKED) & !own)), true)
            },
        );
    }
}

#[test]
fn p3_writes_the_queue_as_it_is() {
    walk(
        |_, _| true,
        |word| word.publish(Parked::Some, Waking::Set),
        |locked, queue| ((locked, derived(queue | PARKED | WAKING)), ()),
    );
    walk(
        |_, _| true,
        |word| word.publish(Parked::None, Waking::Set),
        |locked, queue| ((locked, derived(queue & !PARKED | WAKING)), ()),
    );
    walk(
        |_, queue| queue & CLAIM == 0,
        |word| word.publish(Parked::None, Waking::Keep),
        |locked, queue| ((locked, derived(queue & !PARKED)), ()),
    );
}

#[test]
fn p4_gives_up_and_tells_whether_the_lock_is_held() {
    walk(
        |locked, queue| locked != RESERVED && queue & WAKING != 0,
        Word::resign,
        |locked, queue| {
            if queue & SYMMETRIC == 0 {
                return ((locked, queue), None);
            }
            ((locked, derived(queue & !(WAKING | CLAIM))), Some(locked == HELD))
        },
    );
}

#[test]
fn c1_claims_for_the_designated_thread() {
    walk(
        |_, queue| queue & WAKING != 0,
        Word::claim,
        |locked, queue| ((locked, queue | CLAIM), ()),
    );
}

#[test]
fn the_word_speaks() {
    let text = format!("{:?}", Word::of(HELD, SYMMETRIC | FENCED | PARKED | CLAIM));
    assert_eq!(text, r#"Held {"PARKED", "CLAIM", "SYMMETRIC", "FENCED"}"#);
}

/// The table of transitions is data; this keeps it true to the code and to the models.
#[test]
fn every_transition_is_made_somewhere_and_modelled() {
    let (word, slow) = (include_str!("state.rs"), include_str!("raw.rs"));
    let models = concat!(include_str!("model.rs"), include_str!("../condvar/model.rs"));
    for transition in TRANSITIONS {
        let Transition { id, from_to, by, .. } = transition;
        assert!(word.contains(&format!("// {id}")), "{id} ({from_to}, {by}) has no method");
    }
    assert_modelled(TRANSITIONS, models);
    assert!(slow.contains("fn lock_slow"));
}

#[cfg(debug_assertions)]
#[test]
fn unlocking_what_is_not_locked_names_address_and_word() {
    let raw = RawMutex::new();
    let misuse = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| raw.release()));
    let message = *misuse.unwrap_err().downcast::<String>().unwrap();
    let address = format!("{:#x}", core::ptr::from_ref(&raw).addr());
    assert_eq!(message, format!("unlock of a mutex that is not locked: {address} is Free {{}}"));
    assert!(raw.try_acquire(), "nothing was changed");
}
