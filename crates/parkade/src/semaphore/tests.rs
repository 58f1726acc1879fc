//! Evidence for: the sequential contract of the word: every legal word through every transition.

use super::{
    Semaphore,
    call::Call,
    raw::{Ended, Overflow, RawSemaphore, Tried},
    state::*,
};
use crate::{
    parked::Parked,
    transition::{Transition, assert_modelled},
};
use core::{
    future::Future,
    pin::pin,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    task::{Context, Waker},
};
use std::{sync::Arc, task::Wake};

const PARKED: usize = 1;
const CLOSED: usize = 2;
const BARGING: usize = 4;
const WAKING: usize = 8;
const CLAIM: usize = 16;
const ONE: usize = 32;

/// The laws of `state.rs`, spelled out a second time on purpose.
fn is_legal(word: usize) -> bool {
    let has = |bit: usize| word & bit != 0;
    (!has(CLOSED) || !has(PARKED) && !has(WAKING) && !has(CLAIM))
        && (has(BARGING) || !has(WAKING) && !has(CLAIM))
        && (!has(CLAIM) || has(PARKED) || has(WAKING))
}

/// All legal bits, with few permits and with nearly as many as fit.
fn legal_words() -> impl Iterator<Item = usize> {
    let permits = [0, 1, 2, 5, MAX_PERMITS - 2, MAX_PERMITS - 1, MAX_PERMITS];
    let every =
        permits.into_iter().flat_map(|permits| (0..ONE).map(move |bits| (permits * ONE) | bits));
    every.filter(|&word| is_legal(word))
}

/// Applies `step` to every legal word with `when`, and checks the outcome against `expect`.
fn walk<R: PartialEq + core::fmt::Debug>(
    when: impl Fn(usize) -> bool,
    step: impl Fn(&Word) -> R,
    expect: impl Fn(usize) -> (usize, R),
) {
    let mut walked = 0;
    for bits in legal_words().filter(|&word| when(word)) {
        let word = Word::of(bits);
        let result = step(&word);
        assert_eq!((word.bits(), result), expect(bits), "from {:?}", Word::of(bits));
        assert!(is_legal(word.bits()), "from {:?} to {word:?}", Word::of(bits));
        walked += 1;
    }
    assert!(walked > 0, "no legal word has the precondition");
}

fn some(permits: usize) -> Permits {
    Permits::new(permits).unwrap()
}

fn wants() -> impl Iterator<Item = Permits> {
    [1, 2, 3, MAX_PERMITS].into_iter().map(some)
}

fn state(word: usize) -> State {
    Word::of(word).state()
}

#[test]
fn the_two_statements_of_the_laws_agree() {
    for word in 0..ONE {
        assert_eq!(state(word).is_legal(), is_legal(word), "{word:#b}");
    }
    assert_eq!((0..ONE).filter(|&word| is_legal(word)).count(), 11);
}

#[test]
fn there_can_be_as_many_permits_as_fit() {
    assert_eq!(Permits::new(MAX_PERMITS).map(Permits::get), Some(MAX_PERMITS));
    assert_eq!(Permits::new(MAX_PERMITS + 1), None);
    assert_eq!(Permits::new(usize::MAX), None);
    assert_eq!(usize::MAX / ONE, MAX_PERMITS);
}

/// Whether a thread in this role may take permits that are there.
fn may(word: usize, role: Role) -> bool {
    let kept_out = match (word & BARGING, role) {
        (0, Role::Newcomer) => PARKED,
        (0, _) => 0,
        _ => CLAIM,
    };
    role == Role::Designated || word & kept_out == 0
}

/// What a thread in this role leaves behind when it has taken permits.
fn after_taking(word: usize, want: Permits, role: Role) -> usize {
    let own = if role == Role::Designated { WAKING | CLAIM } else { 0 };
    (word & !own) - want.get() * ONE
}

#[test]
fn k1_takes_what_is_there_while_nobody_is_queued() {
    for want in wants() {
        walk(
            |_| true,
            |word| word.try_take(want),
            |word| {
                let takes = word & (PARKED | CLOSED | CLAIM) == 0 && word / ONE >= want.get();
                (if takes { word - want.get() * ONE } else { word }, takes)
            },
        );
    }
}

#[test]
fn k1_respects_the_line_and_k4_joins_it() {
    for (want, role) in wants().flat_map(|want| [(want, Role::Newcomer), (want, Role::Designated)])
    {
        for otherwise in [Otherwise::Leave, Otherwise::Queue] {
            walk(
                |word| role == Role::Newcomer || word & (WAKING | CLOSED) != 0,
                |word| word.attempt(want, role, otherwise),
                |word| {
                    if word & CLOSED != 0 {
                        return (word, Attempt::Closed);
                    }
                    if may(word, role) && word / ONE >= want.get() {
                        let next = after_taking(word, want, role);
                        return (next, Attempt::Taken(state(next)));
                    }
                    let polling = if may(word, role) { Polling::Pays } else { Polling::Vain };
                    let own = if role == Role::Designated { WAKING } else { 0 };
                    let next = match otherwise {
                        Otherwise::Leave => word,
                        Otherwise::Queue => (word | PARKED) & !own,
                    };
                    (next, Attempt::Short(polling))
                },
            );
        }
    }
}

#[test]
fn k3_gives_while_nobody_is_queued_and_it_fits() {
    for permits in [0, 1, 2, MAX_PERMITS, usize::MAX] {
        walk(
            |_| true,
            |word| word.try_give(permits),
            |word| {
                let gives = word & PARKED == 0 && permits <= MAX_PERMITS - word / ONE;
                (if gives { word + permits * ONE } else { word }, gives)
            },
        );
    }
}

#[test]
fn k3_refuses_or_loses_what_does_not_fit() {
    for permits in [0, 1, 2, MAX_PERMITS, usize::MAX] {
        walk(
            |_| true,
            |word| word.give(permits, Excess::Refuse),
            |word| match permits <= MAX_PERMITS - word / ONE {
                true => (word + permits * ONE, Some(state(word + permits * ONE))),
                false => (word, None),
            },
        );
        walk(
            |_| true,
            |word| word.give(permits, Excess::Saturate),
            |word| {
                let next = word % ONE + MAX_PERMITS.min((word / ONE).saturating_add(permits)) * ONE;
                (next, Some(state(next)))
            },
        );
    }
}

#[test]
fn k5_writes_the_queue_as_it_is() {
    for (parked, bit) in [(Parked::None, 0), (Parked::Some, PARKED)] {
        walk(
            |word| word & (BARGING | CLOSED) == 0,
            |word| word.settle(parked, Waking::Keep),
            |word| (word & !PARKED | bit, ()),
        );
        walk(
            |word| word & BARGING != 0 && word & CLOSED == 0,
            |word| word.settle(parked, Waking::Set),
            |word| (word & !PARKED | bit | WAKING, ()),
        );
        walk(
            |word| word & BARGING != 0 && word & CLOSED == 0,
            |word| word.settle(parked, Waking::Resign),
            |word| (word & !(PARKED | WAKING | CLAIM) | bit, ()),
        );
    }
}

#[test]
fn k5_grants_what_is_there() {
    for want in wants() {
        walk(
            |word| word & CLOSED == 0,
            |word| word.try_grant(want),
            |word| match word / ONE >= want.get() {
                true => (word - want.get() * ONE, true),
                false => (word, false),
            },
        );
    }
}

#[test]
fn k4_lets_tasks_join_the_line_and_take_nothing() {
    for (want, role) in wants().flat_map(|want| [(want, Role::Newcomer), (want, Role::Task)]) {
        walk(
            |_| true,
            |word| word.try_queue(want, role),
            |word| {
                let may = may(word, role) && word / ONE >= want.get();
                let queues = word & CLOSED == 0 && !may;
                (if queues { word | PARKED } else { word }, queues)
            },
        );
    }
}

#[test]
fn k5_keeps_what_a_designated_thread_has() {
    walk(
        |word| word & WAKING != 0,
        |word| word.settle(Parked::None, Waking::Keep),
        |word| (word & !PARKED, ()),
    );
}

#[test]
fn k6_withdraws_a_claim_that_is_ours() {
    for (parked, bit) in [(Parked::None, 0), (Parked::Some, PARKED)] {
        walk(
            |word| word & PARKED != 0,
            |word| word.depart(parked, Claim::Ours),
            |word| (word & !(PARKED | CLAIM) | bit, ()),
        );
        walk(
            |word| word & PARKED != 0 && (word & CLAIM == 0 || word & WAKING != 0),
            |word| word.depart(parked, Claim::None),
            |word| (word & !PARKED | bit, ()),
        );
    }
}

#[test]
fn k7_passes_the_designation_on_without_the_claim() {
    walk(
        |word| word & WAKING != 0,
        |word| word.settle(Parked::None, Waking::Pass),
        |word| (word & !(PARKED | CLAIM), ()),
    );
}

#[test]
fn k8_claims_for_a_designated_thread_only() {
    walk(|_| true, Word::claim, |word| (if word & WAKING != 0 { word | CLAIM } else { word }, ()));
}

#[test]
fn k9_closes_for_good_and_keeps_permits_and_policy() {
    walk(|_| true, Word::close, |word| (word & !(PARKED | WAKING | CLAIM) | CLOSED, ()));
}

#[test]
fn k10_forgets_what_there_is() {
    for permits in [0, 1, 2, usize::MAX] {
        walk(
            |_| true,
            |word| word.forget(permits),
            |word| {
                let forgotten = permits.min(word / ONE);
                (word - forgotten * ONE, forgotten)
            },
        );
    }
}

#[test]
fn k11_tells_whether_it_is_closed() {
    walk(|_| true, Word::is_closed, |word| (word, word & CLOSED != 0));
}

#[test]
fn the_word_speaks() {
    let text = format!("{:?}", Word::of((3 * ONE) | BARGING | PARKED | CLAIM));
    assert_eq!(text, r#"3 {"PARKED", "BARGING", "CLAIM"}"#);
}

/// The table of transitions is data; this keeps it true to the code and to the models.
#[test]
fn every_transition_is_made_somewhere_and_modelled() {
    let (word, models) = (include_str!("state.rs"), include_str!("model.rs"));
    for transition in TRANSITIONS {
        let Transition { id, from_to, by, .. } = transition;
        let made = word.lines().any(|line| {
            line.trim_start().starts_with("/// ")
                && line.split([' ', ',', '.', ':']).any(|word| word == *id)
        });
        assert!(made, "{id} ({from_to}, {by}) has no method");
    }
    assert_modelled(TRANSITIONS, models);
}

fn raw(permits: usize) -> RawSemaphore {
    RawSemaphore::new(some(permits), SemaphorePolicy::Fifo)
}

#[test]
fn nothing_is_asked_of_the_word_for_no_permits() {
    let raw = raw(0);
    assert_eq!(raw.try_acquire(some(0)), Tried::Acquired);
    assert_eq!(raw.acquire(some(0), || None), Ended::Acquired);
    assert_eq!(raw.forget(1), 0);
    raw.close();
    assert_eq!(raw.try_acquire(some(0)), Tried::Closed);
    assert_eq!(raw.acquire(some(0), || None), Ended::Closed);
}

#[test]
fn permits_that_would_be_too_many_are_refused_or_lost() {
    let raw = raw(MAX_PERMITS);
    assert_eq!(raw.add(1), Err(Overflow));
    assert_eq!(raw.add(usize::MAX), Err(Overflow));
    raw.release(1);
    raw.release(usize::MAX);
    assert_eq!(raw.word().state().permits(), MAX_PERMITS);
    assert_eq!(raw.forget(usize::MAX), MAX_PERMITS);
    assert_eq!(raw.add(MAX_PERMITS), Ok(()));
}

/// It would be kept back, queue again, and be woken by its own look, again and again.
#[test]
fn a_task_is_not_woken_while_a_thread_claims() {
    let semaphore = Semaphore::with_policy(0, SemaphorePolicy::Barging);
    let word = semaphore.raw.word();
    let mut future = pin!(semaphore.acquire_async());
    let woken = Arc::new(Woken(AtomicUsize::new(0)));
    let waker = Waker::from(woken.clone());
    let cx = &mut Context::from_waker(&waker);
    assert!(future.as_mut().poll(cx).is_pending());
    // A thread that wants more was woken, claims, and parks again.
    word.settle(Parked::Some, Waking::Set);
    word.claim();
    let attempt = word.attempt(Permits::new(3).unwrap(), Role::Designated, Otherwise::Queue);
    assert!(matches!(attempt, Attempt::Short(_)));
    semaphore.add_permits(1).unwrap();
    assert!(future.as_mut().poll(cx).is_pending());
    assert_eq!(woken.0.load(Relaxed), 0);
    // It leaves.
    word.depart(Parked::Some, Claim::Ours);
    semaphore.raw.look_if_needed(word.state(), Call::with_all());
    assert_eq!(woken.0.load(Relaxed), 1);
    assert!(future.as_mut().poll(cx).is_ready());
}

struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}
