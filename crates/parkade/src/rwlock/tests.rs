//! Evidence for: the sequential contract of the words: every legal word through every transition.

use super::{future::Want, ops::Reading, period::*, raw::Core, state::*, transitions::*};
use crate::{
    parked::Parked,
    task::{Handle, Queue as _, Waiting},
    transition::{Transition, assert_modelled},
};
use core::{
    future::Future,
    pin::{Pin, pin},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    task::{Context, Poll, Waker},
};
use parkade_core::{fence, policy::Fencing, slots};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    task::Wake,
};

const EXCLUSIVE: u32 = 1;
const PENDING: u32 = 2;
const UPGRADABLE: u32 = 4;
const BIASED: u32 = 8;
const PARKED: u32 = 16;
const WAKING: u32 = 32;
const CLAIM_SHARED: u32 = 64;
const CLAIM_EXCLUSIVE: u32 = 128;
const DRAIN_PARKED: u32 = 256;
const FLAGS: u32 = 511;
const READER: u32 = 512;
const CLAIMS: u32 = CLAIM_SHARED | CLAIM_EXCLUSIVE;
const MOST_READERS: u32 = (1 << 23) - 1;

const MODES: [Mode; 4] = [Mode::Shared, Mode::Recursive, Mode::Upgradable, Mode::Exclusive];
const STANDINGS: [Standing; 2] = [Standing::Newcomer, Standing::Designated];

/// Counts on both sides of every limit.
const COUNTS: [u32; 8] = [0, 1, 2, 3, (1 << 22) - 1, 1 << 22, MOST_READERS - 1, MOST_READERS];

fn readers(word: u32) -> u32 {
    word / READER
}

/// The laws of `state.rs`, spelled out a second time on purpose.
fn is_legal(word: u32) -> bool {
    let has = |bits: u32| word & bits != 0;
    (!has(EXCLUSIVE) || !(has(PENDING | UPGRADABLE) || readers(word) > 0))
        && !(has(PENDING) && has(UPGRADABLE))
        && (!has(DRAIN_PARKED) || has(PENDING))
        && (!has(CLAIMS) || has(WAKING | PARKED))
        && !(has(CLAIM_SHARED) && has(CLAIM_EXCLUSIVE))
        // An upgradable reader can always become a counted one.
        && !(has(UPGRADABLE) && readers(word) == MOST_READERS)
}

fn legal_words() -> impl Iterator<Item = u32> {
    let every = COUNTS.into_iter().flat_map(|n| (0..=FLAGS).map(move |flags| (n * READER) | flags));
    every.filter(|&word| is_legal(word))
}

/// Applies `step` to every legal word with `when`, and checks the outcome against `expect`.
#[track_caller]
fn walk<R: PartialEq + core::fmt::Debug>(
    when: impl Fn(u32) -> bool,
    step: impl Fn(&Word) -> R,
    expect: impl Fn(u32) -> (u32, R),
) {
    let mut walked = 0;
    for bits in legal_words().filter(|&word| when(word)) {
        let word = Word::of(bits);
        let result = step(&word);
        let from = Word::of(bits);
        assert_eq!((word.load().bits(), result), expect(bits), "from {from:?} to {word:?}");
        assert!(is_legal(word.load().bits()), "from {from:?} to {word:?}");
        walked += 1;
    }
    assert!(walked > 0, "no legal word has the precondition");
}

fn has(bits: u32) -> impl Fn(u32) -> bool {
    move |word| word & bits != 0
}

/// Whether somebody of that standing may have the lock in that mode, but for the readers that a writer
/// waits for as `PENDING`.
fn may_enter(word: u32, mode: Mode, standing: Standing, claims: Claims) -> bool {
    let respects = standing == Standing::Newcomer && claims == Claims::Count;
    let claimed = |claims: u32| respects && word & claims != 0;
    match mode {
        Mode::Recursive => word & EXCLUSIVE == 0,
        Mode::Shared => {
            word & (EXCLUSIVE | PENDING) == 0
                && (word & UPGRADABLE != 0 || !claimed(CLAIM_EXCLUSIVE))
        }
        Mode::Upgradable | Mode::Exclusive => {
            word & (EXCLUSIVE | PENDING | UPGRADABLE) == 0 && !claimed(CLAIMS)
        }
    }
}

fn unit(mode: Mode) -> u32 {
    match mode {
        Mode::Shared | Mode::Recursive => READER,
        Mode::Upgradable => UPGRADABLE,
        Mode::Exclusive => EXCLUSIVE,
    }
}

fn is_held_as(word: u32, mode: Mode) -> bool {
    match mode {
        Mode::Shared | Mode::Recursive => readers(word) > 0,
        Mode::Upgradable => word & UPGRADABLE != 0,
        Mode::Exclusive => word & EXCLUSIVE != 0,
    }
}

/// Every way in which somebody asks for the lock, and the words in which that one can exist.
fn for_every_request(check: impl Fn(Mode, Standing, Claims, &dyn Fn(u32) -> bool)) {
    for mode in MODES {
        for standing in STANDINGS {
            for claims in [Claims::Count, Claims::AreVoid] {
                check(mode, standing, claims, &|word| {
                    standing == Standing::Newcomer || word & WAKING != 0
                });
            }
        }
    }
}

#[test]
fn the_two_statements_of_the_laws_agree() {
    for count in COUNTS {
        for flags in 0..=FLAGS {
            let bits = (count * READER) | flags;
            assert_eq!(Word::of(bits).load().is_legal(), is_legal(bits), "{:?}", Word::of(bits));
        }
    }
    // 2 x 2 of queue and wake with 3 claims each, but for two without a claimer: 10. Those times
    // with bias or not, held exclusively, or by each count and idle, pending, asleep or upgradable.
    assert_eq!(legal_words().count(), 10 * 2 * (1 + 4 * COUNTS.len() - 1));
}

#[test]
fn what_is_asked_of_a_word() {
    for bits in legal_words() {
        let word = Word::of(bits).load();
        assert_eq!(word.readers(), readers(bits));
        assert_eq!(word.has_line(), bits & (PARKED | WAKING | PENDING) != 0);
        let unattended = bits & PARKED != 0 && bits & WAKING == 0;
        assert_eq!(word.needs_attention(), unattended || bits & DRAIN_PARKED != 0);
        assert_eq!(
            word.admits_readers(),
            may_enter(bits, Mode::Shared, Standing::Designated, Claims::Count)
        );
        assert_eq!(word.is_held(), MODES.into_iter().any(|mode| is_held_as(bits, mode)));
        for mode in MODES {
            assert_eq!(word.is_held_as(mode), is_held_as(bits, mode));
        }
    }
}

#[test]
fn t1_takes_what_nothing_keeps_out_and_settles_what_a_designated_thread_owes() {
    for manners in [Manners::Insistent, Manners::Polite { looks: 1 }] {
        t1(manners);
    }
}

fn t1(manners: Manners) {
    for_every_request(|mode, standing, claims, when| {
        walk(
            when,
            |word| word.try_acquire(mode, standing, claims, manners),
            |word| {
                if !may_enter(word, mode, standing, claims) {
                    return (word, Attempt::Busy);
                }
                // One place is kept for an upgradable reader, also while it waits to upgrade.
                let kept = u32::from(word & (UPGRADABLE | PENDING) != 0);
                let (taken, attempt) = match mode {
                    Mode::Shared | Mode::Recursive if readers(word) + kept >= MOST_READERS => {
                        return (word, Attempt::Full);
                    }
                    Mode::Upgradable if readers(word) == MOST_READERS => {
                        return (word, Attempt::Full);
                    }
                    Mode::Shared | Mode::Recursive => (word + READER, Attempt::Acquired),
                    Mode::Upgradable => (word | UPGRADABLE, Attempt::Acquired),
                    Mode::Exclusive if readers(word) == 0 && word & BIASED == 0 => {
                        (word | EXCLUSIVE, Attempt::Acquired)
                    }
                    Mode::Exclusive if readers(word) > 0 && manners != Manners::Insistent => {
                        return (word, Attempt::Read);
                    }
                    Mode::Exclusive => (word | PENDING, Attempt::Pending),
                };
                match standing {
                    Standing::Newcomer => (taken, attempt),
                    Standing::Designated => (taken & !(WAKING | CLAIMS), attempt),
                }
            },
        );
    });
}

#[test]
fn t1_at_the_first_go_takes_only_what_the_slow_path_would() {
    walk(
        |_| true,
        Word::try_read_at_once,
        |word| {
            let calm = word & (EXCLUSIVE | PENDING | CLAIM_EXCLUSIVE) == 0;
            // The last half of the count is the slow path's.
            if calm && readers(word) < 1 << 22 { (word + READER, true) } else { (word, false) }
        },
    );
    for bits in legal_words().filter(|&bits| Word::of(bits).try_read_at_once()) {
        assert_eq!(newcomer(&Word::of(bits), Mode::Shared), Attempt::Acquired);
    }
    walk(
        |_| true,
        Word::try_write_at_once,
        |word| {
            // Threads may be queued, but nobody has it, claims it, or may have a slot.
            if word & !(PARKED | WAKING) == 0 { (word | EXCLUSIVE, true) } else { (word, false) }
        },
    );
    for bits in legal_words().filter(|&bits| Word::of(bits).try_write_at_once()) {
        assert_eq!(newcomer(&Word::of(bits), Mode::Exclusive), Attempt::Acquired);
    }
}

/// What a newcomer gets by the slow path.
fn newcomer(word: &Word, mode: Mode) -> Attempt {
    word.try_acquire(mode, Standing::Newcomer, Claims::Count, Manners::Insistent)
}

#[test]
fn a_writer_is_polite_for_six_looks_and_nobody_else_is() {
    let polite = |mode| {
        core::iter::successors(Some(Manners::of(mode)), |manners| Some(manners.after_a_look()))
            .take_while(|manners| *manners != Manners::Insistent)
            .count()
    };
    assert_eq!(MODES.map(polite), [0, 0, 0, 6]);
}

#[test]
fn t2_enters_when_no_reader_is_counted_and_ends_the_bias_or_lets_it_go_on() {
    for (outcome, goes) in [(Outcome::Ends, PENDING | BIASED), (Outcome::GoesOn, PENDING)] {
        walk(
            |word| word & PENDING != 0 && word & DRAIN_PARKED == 0,
            |word| word.try_enter(outcome),
            |word| {
                if readers(word) > 0 { (word, false) } else { (word & !goes | EXCLUSIVE, true) }
            },
        );
    }
}

#[test]
fn t3_gives_up_and_leaves_no_trace() {
    for (retreat, back) in [(Retreat::Out, 0), (Retreat::Upgradable, UPGRADABLE)] {
        walk(
            // T1 keeps a place for the one that was upgradable.
            |word| word & PENDING != 0 && (back == 0 || readers(word) < MOST_READERS),
            |word| word.retreat(retreat).bits(),
            |word| {
                let after = word & !(PENDING | DRAIN_PARKED) | back;
                (after, after)
            },
        );
    }
}

#[test]
fn t4_is_in_at_once_when_alone() {
    walk(has(UPGRADABLE), Word::begin_upgrade, |word| {
        let word_without = word & !UPGRADABLE;
        if readers(word) == 0 && word & BIASED == 0 {
            (word_without | EXCLUSIVE, Attempt::Acquired)
        } else {
            (word_without | PENDING, Attempt::Pending)
        }
    });
}

#[test]
fn t5_a_writer_goes_on_reading() {
    for to in [Mode::Shared, Mode::Upgradable] {
        walk(
            has(EXCLUSIVE),
            |word| word.downgrade(Mode::Exclusive, to).bits(),
            |word| {
                let after = word - EXCLUSIVE + unit(to);
                (after, after)
            },
        );
    }
}

#[test]
fn t6_an_upgradable_reader_goes_on_as_any_other() {
    walk(
        has(UPGRADABLE),
        |word| word.downgrade(Mode::Upgradable, Mode::Shared).bits(),
        |word| {
            let after = word - UPGRADABLE + READER;
            (after, after)
        },
    );
}

fn releases(mode: Mode) {
    walk(
        |word| is_held_as(word, mode),
        |word| word.release(mode).bits(),
        |word| (word - unit(mode), word - unit(mode)),
    );
}

#[test]
fn r1_a_counted_reader_leaves() {
    releases(Mode::Shared);
    releases(Mode::Recursive);
}

#[test]
fn r2_the_writer_leaves() {
    releases(Mode::Exclusive);
}

#[test]
fn r3_the_upgradable_reader_leaves() {
    releases(Mode::Upgradable);
}

/// What the queue can be found to be, and whether somebody was taken off it.
const FOUND: [(Parked, Waking); 4] = [
    (Parked::None, Waking::Keep),
    (Parked::Some, Waking::Keep),
    (Parked::None, Waking::Set),
    (Parked::Some, Waking::Set),
];

/// The word with the queue as it is found; without any claimer there is no claim.
fn with_queue(word: u32, parked: Parked, waking: Waking) -> u32 {
    let word = if parked == Parked::Some { word | PARKED } else { word & !PARKED };
    let word = if waking == Waking::Set { word | WAKING } else { word };
    if word & (PARKED | WAKING) == 0 { word & !CLAIMS } else { word }
}

#[test]
fn r4_reserves_for_the_designated_thread() {
    for mode in MODES {
        for (parked, waking) in FOUND {
            walk(
                |word| is_held_as(word, mode),
                |word| word.release_and_reserve(mode, parked, waking).bits(),
                |word| {
                    let word = with_queue(word - unit(mode), parked, waking);
                    let after = if word & WAKING != 0 && word & PENDING == 0 {
                        word & !CLAIMS | CLAIM_EXCLUSIVE
                    } else {
                        word
                    };
                    (after, after)
                },
            );
        }
    }
}

#[test]
fn p1_marks_a_waiter_unless_nothing_keeps_it_out() {
    for_every_request(|mode, standing, claims, when| {
        walk(
            when,
            |word| word.try_prepare_park(mode, standing, claims).map(Snapshot::bits),
            |word| {
                if may_enter(word, mode, standing, claims) {
                    return (word, None);
                }
                let own = if standing == Standing::Designated { WAKING } else { 0 };
                let after = (word | PARKED) & !own;
                (after, Some(after))
            },
        );
    });
}

#[test]
fn p3_writes_the_queue_as_it_is() {
    for (parked, waking) in FOUND {
        walk(
            |_| true,
            |word| word.publish(parked, waking),
            |word| (with_queue(word, parked, waking), ()),
        );
    }
}

#[test]
fn p4_gives_up_the_wake_and_the_claim() {
    walk(
        has(WAKING),
        |word| word.resign().bits(),
        |word| {
            let after = word & !(WAKING | CLAIMS);
            (after, after)
        },
    );
}

#[test]
fn c1_claims_no_more_than_the_claimer_wants() {
    for mode in MODES {
        walk(
            has(WAKING),
            |word| word.claim(mode),
            |word| {
                let wanted = if mode == Mode::Exclusive { CLAIM_EXCLUSIVE } else { CLAIM_SHARED };
                // A reservation (R4) is the stronger claim and stays.
                let claim = if word & CLAIM_EXCLUSIVE != 0 { CLAIM_EXCLUSIVE } else { wanted };
                (word & !CLAIMS | claim, ())
            },
        );
    }
}

#[test]
fn c2_takes_claims_away() {
    walk(|_| true, Word::unclaim, |word| (word & !CLAIMS, ()));
}

#[test]
fn d1_sleeps_for_counted_readers_or_for_slots() {
    walk(has(PENDING), Word::try_sleep_for_readers, |word| {
        if readers(word) > 0 { (word | DRAIN_PARKED, true) } else { (word, false) }
    });
    walk(has(PENDING), Word::sleep_for_slots, |word| (word | DRAIN_PARKED, ()));
}

#[test]
fn d2_is_up_again() {
    walk(|_| true, Word::woken_from_drain, |word| (word & !DRAIN_PARKED, ()));
}

#[test]
fn g1_biases_where_nobody_waits() {
    walk(
        |word| readers(word) > 0,
        Word::try_bias,
        |word| {
            if word & FLAGS & !UPGRADABLE == 0 { (word | BIASED, true) } else { (word, false) }
        },
    );
    let bias = Bias::new();
    assert!(!bias.load().is_some() && !bias.load().is_active());
    bias.begin(7, Fencing::Free);
    assert_eq!(format!("{bias:?}"), "0x1d");
    assert!(bias.load().is_free_and_active() && bias.is_still(bias.load()));
    bias.begin(7, Fencing::Fenced);
    assert_eq!(format!("{bias:?}"), "0x1f");
    assert!(bias.load().is_active() && !bias.load().is_free_and_active());
}

#[test]
fn g2_resumes_the_period_that_was_interrupted_and_no_other() {
    let bias = Bias::new();
    bias.begin(7, Fencing::Free);
    let active = bias.load();
    bias.interrupt();
    let interrupted = bias.load();
    assert!(!bias.is_still(active));
    bias.resume(interrupted, Fencing::Free);
    assert!(bias.is_still(active));
    // It has ended meanwhile, or another has begun.
    bias.end();
    bias.resume(interrupted, Fencing::Free);
    assert!(!bias.load().is_some());
    bias.begin(8, Fencing::Free);
    bias.interrupt();
    bias.resume(interrupted, Fencing::Free);
    assert!(!bias.load().is_active());
}

#[test]
fn g2_lets_a_fenced_period_go_on_after_a_write() {
    let bias = Bias::new();
    bias.begin(7, Fencing::Fenced);
    let active = bias.load();
    bias.interrupt();
    bias.resume_after_write(bias.load());
    assert!(bias.is_still(active));
}

#[test]
fn g3_keeps_readers_from_taking_slots_and_still_knows_theirs() {
    let bias = Bias::new();
    bias.begin(7, Fencing::Free);
    let before = bias.load();
    bias.interrupt();
    let after = bias.load();
    assert!(!after.is_active() && after.is_some());
    assert_eq!(before.token(0x1000), after.token(0x1000));
    bias.interrupt();
    assert_eq!(bias.load(), after);
}

#[test]
fn g5_makes_a_fenced_period_free_unless_it_was_interrupted() {
    let bias = Bias::new();
    bias.begin(7, Fencing::Fenced);
    let fenced = bias.load();
    bias.interrupt();
    bias.set_free(fenced);
    assert!(bias.load().is_fenced());
    bias.resume(bias.load(), Fencing::Free);
    bias.set_free(fenced);
    assert!(bias.load().is_free_and_active());
    assert_eq!(bias.load().token(0x1000), fenced.token(0x1000));
    assert!(!bias.interrupt().is_fenced(), "the next writer knows");
}

/// A reader that leaves a slot has executed no more than a light fence, so whoever sleeps because of it
/// must have executed a heavy one. Models cannot tell: a light fence is a full one there.
#[test]
fn nobody_sleeps_in_a_fenced_period_without_a_heavy_fence() {
    let core = Core::new();
    assert!(core.word.try_read_at_once() && core.word.try_bias());
    core.bias.begin(7, Fencing::Fenced);
    let slot = slots::mine().expect("a slot");
    slot.take(core.bias.load().token(core.key()));
    core.word.release(Mode::Shared);
    let fences = fence::heavy_count();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            core.write();
            core.release(Mode::Exclusive);
        });
        while !core.word.load().drain_parked() {
            std::thread::yield_now();
        }
        assert!(!core.bias.load().is_fenced(), "the writer has made up for it");
        if fence::strategy() == fence::Strategy::Asymmetric {
            assert!(fence::heavy_count() > fences);
        }
        core.leave_slot(slot);
    });
    assert_eq!(format!("{core:?}"), "0 readers {}, bias 0x0");
}

/// Whoever has a claim is before readers that take slots.
#[test]
fn a_fenced_period_goes_on_after_a_write_but_not_past_a_claim_or_a_fair_release() {
    let leaves_bias_on = |leave: fn(&Core)| {
        let core = Core::new();
        core.write();
        core.bias.begin(7, Fencing::Fenced);
        core.bias.interrupt();
        leave(&core);
        core.bias.load().is_active()
    };
    assert!(leaves_bias_on(|core| core.release(Mode::Exclusive)));
    assert!(!leaves_bias_on(|core| {
        core.word.claim(Mode::Exclusive);
        core.release(Mode::Exclusive);
    }));
    assert!(!leaves_bias_on(|core| {
        core.word.publish(Parked::Some, Waking::Keep);
        core.release_fair(Mode::Exclusive);
    }));
}

#[test]
fn g4_forgets_the_period() {
    let bias = Bias::new();
    bias.begin(7, Fencing::Free);
    let old = bias.load().token(0x1000);
    bias.interrupt();
    bias.end();
    assert!(!bias.load().is_some());
    bias.begin(8, Fencing::Free);
    assert_ne!(bias.load().token(0x1000), old);
}

#[cfg(target_pointer_width = "64")]
#[test]
fn tokens_tell_locks_and_periods_apart() {
    let (one, other) = (Bias::new(), Bias::new());
    one.begin(1, Fencing::Free);
    other.begin(NUMBERS - 1, Fencing::Fenced);
    let tokens = [0x7fff_0000_1000, 0x7fff_0000_1008, 0x7fff_0000_1004]
        .into_iter()
        .flat_map(|at| [one.load().token(at), other.load().token(at)]);
    let tokens: std::collections::BTreeSet<_> = tokens.collect();
    assert_eq!(tokens.len(), 6);
    assert!(!tokens.contains(&0));
}

#[test]
fn the_word_speaks() {
    let text = format!("{:?}", Word::of((3 * READER) | BIASED | PARKED | CLAIM_SHARED));
    assert_eq!(text, r#"3 readers {"BIASED", "PARKED", "CLAIM_SHARED"}"#);
}

/// The table of transitions is data; this keeps it true to the code and to this file.
#[test]
fn every_transition_is_made_somewhere_and_walked() {
    let words = concat!(include_str!("state.rs"), include_str!("period.rs"));
    let tests = include_str!("tests.rs");
    let says = |line: &str, id: &str| {
        line.trim_start().strip_prefix("/// ").is_some_and(|text| {
            let ids = text.split(['.', ':', ';']).next().unwrap_or_default();
            ids.split([',', ' ']).any(|word| word == id)
        })
    };
    for Transition { id, from_to, by, .. } in TRANSITIONS {
        assert!(words.lines().any(|line| says(line, id)), "{id} ({from_to}, {by}) has no method");
        let test = format!("fn {}_", id.to_lowercase());
        assert!(tests.contains(&test), "{id} ({from_to}, {by}) is not walked");
    }
}

#[test]
fn every_transition_is_modelled() {
    let models = concat!(include_str!("model.rs"), include_str!("model_bias.rs"));
    assert_modelled(TRANSITIONS, models);
}

/// A counted reader that switches the bias on at the last moment, when somebody is `PENDING` already,
/// lets others in by slots, who do not look for a sleeper when they leave: nobody may sleep then.
#[test]
fn nobody_sleeps_for_slots_while_the_bias_is_on() {
    let core = Core::new();
    assert!(core.word.try_read_at_once());
    assert!(core.word.try_bias());
    assert_eq!(newcomer(&core.word, Mode::Exclusive), Attempt::Pending);
    // There is no bias yet for the writer to interrupt; the reader was about to begin it.
    core.interrupt_bias();
    core.bias.begin(11, Fencing::Free);
    core.word.release(Mode::Shared);
    let slot = slots::mine().expect("a slot");
    slot.take(core.bias.load().token(core.key()));
    assert!(!core.try_sleep(), "it would sleep, and the reader would not wake it");
    core.interrupt_bias();
    assert!(core.try_sleep());
    slot.free_again();
}

/// A waker that panics when it is woken, or not.
struct Signal {
    woken: AtomicBool,
    then: fn(),
}

impl Signal {
    fn new(then: fn()) -> Arc<Signal> {
        Arc::new(Signal { woken: AtomicBool::new(false), then })
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Relaxed);
        (self.then)();
    }
}

struct Of<'a>(&'a Core, Want);

impl Handle for Of<'_> {
    type Queue = Core;
    type Output = Reading;

    fn queue(&self) -> &Core {
        self.0
    }
    fn want(&self) -> Want {
        self.1
    }
    fn finish(self, reading: Reading) -> Reading {
        reading
    }
}

fn poll(future: Pin<&mut Waiting<Of<'_>>>, signal: &Arc<Signal>) -> Poll<Reading> {
    future.poll(&mut Context::from_waker(&Waker::from(signal.clone())))
}

/// A reader that leaves fairly has looked for somebody who is `PENDING` before he came; and then a waker panics.
#[test]
fn a_fair_release_wakes_who_is_pending_whatever_a_waker_does() {
    let core = Core::new();
    assert!(core.word.try_read_at_once());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            core.write();
            core.release(Mode::Exclusive);
        });
        while !core.word.load().drain_parked() {
            std::thread::yield_now();
        }
        let mut late = pin!(Waiting::new(Of(&core, Want::Read)));
        let signal = Signal::new(|| panic!("a waker"));
        assert!(poll(late.as_mut(), &signal).is_pending());
        let leave = || core.release_to_first(Mode::Shared);
        assert!(catch_unwind(AssertUnwindSafe(leave)).is_err());
    });
    assert!(core.try_write());
}

/// A writer that gave up has interrupted a fenced period, whose readers leave with light fences still. No model shows it: to loom
/// those are full ones, or none.
#[test]
fn no_task_sleeps_for_slots_before_a_heavy_fence() {
    let core = Core::new();
    assert!(core.word.try_read_at_once());
    assert!(core.word.try_bias());
    core.bias.begin(13, Fencing::Fenced);
    core.word.release(Mode::Shared);
    let Some(slot) = core.try_read_in_slot() else {
        return;
    };
    core.bias.interrupt();
    // Nobody else has the lock, so nothing else is to be locked.
    assert!(!core.prepare(Want::Write, crate::task::Standing::Newcomer));
    let mut writes = pin!(Waiting::new(Of(&core, Want::Write)));
    let signal = Signal::new(|| {});
    assert!(poll(writes.as_mut(), &signal).is_pending());
    assert!(!core.bias.load().is_fenced(), "there was a heavy fence");
    core.leave_slot(slot);
    assert!(signal.woken.load(Relaxed));
    assert!(poll(writes.as_mut(), &signal).is_ready());
    core.release(Mode::Exclusive);
}

/// In a child `WAKING` may be a leftover.
#[cfg(target_os = "linux")]
#[test]
fn a_reader_that_leaves_its_slot_in_a_child_looks_for_tasks() {
    let core = Core::new();
    assert!(core.word.try_read_at_once());
    assert!(core.word.try_bias());
    core.bias.begin(12, Fencing::Free);
    core.word.release(Mode::Shared);
    core.word.publish(Parked::None, Waking::Set);
    let Some(slot) = core.try_read_in_slot() else {
        return;
    };
    // SAFETY: the child only uses what it has made, or has had alone.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let mut writes = pin!(Waiting::new(Of(&core, Want::Write)));
        let signal = Signal::new(|| {});
        let queued = poll(writes.as_mut(), &signal).is_pending();
        core.leave_slot(slot);
        let works = queued && signal.woken.load(Relaxed);
        // SAFETY: nothing is left to do.
        unsafe { libc::_exit(i32::from(!works)) };
    }
    core.leave_slot(slot);
    let mut status = 0;
    // SAFETY: our child, and nobody else waits for it.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert_eq!(status, 0);
}

#[cfg(debug_assertions)]
#[test]
fn unlocking_what_is_not_locked_names_address_and_words() {
    let core = Core::new();
    let misuse =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| core.release(Mode::Upgradable)));
    let message = *misuse.unwrap_err().downcast::<String>().unwrap();
    let address = format!("{:#x}", core.key());
    assert_eq!(
        message,
        format!(
            "unlock of a lock that is not held so (Upgradable): {address} is 0 readers {{}}, bias 0x0"
        )
    );
    assert!(core.try_write(), "nothing was changed");
}
