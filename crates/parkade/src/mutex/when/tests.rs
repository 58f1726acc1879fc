//! Evidence for: what a holder makes of tickets, one step after the other.

use super::ticket::*;
use std::cell::{Cell, RefCell};

/// Calls `body` with tickets for conditions that answer as `answers` says, and count their calls.
fn with_tickets(answers: &[bool], body: impl FnOnce(&[Ticket<'_>], &dyn Fn() -> Vec<usize>)) {
    let calls = RefCell::new(Vec::new());
    let conditions: Vec<_> = answers
        .iter()
        .enumerate()
        .map(|(index, answer)| {
            let calls = &calls;
            let condition = move |(): &()| {
                calls.borrow_mut().push(index);
                *answer
            };
            // SAFETY: there is one thread, and nothing is protected.
            unsafe { Condition::new(&(), condition) }
        })
        .collect();
    let tickets: Vec<_> =
        conditions.iter().map(|condition| Ticket::of_condition(condition, Owner::Thread)).collect();
    body(&tickets, &|| calls.take());
}

fn pinned<'a>(tickets: &'a [Ticket<'a>]) -> Chain<'a> {
    let mut chain = Chain::new();
    tickets.iter().for_each(|ticket| chain.pin(ticket));
    chain
}

#[test]
fn a_chain_keeps_the_order_and_can_be_gone_through_again() {
    with_tickets(&[false, false, true], |tickets, calls| {
        let chain = pinned(tickets);
        let mut answers = Answers::none();
        let all: Vec<_> = chain.iter().map(|ticket| answers.is_true(ticket)).collect();
        assert_eq!((all, calls()), (vec![false, false, true], vec![0, 1, 2]));
        let found = chain.iter().find(|ticket| answers.is_true(ticket)).unwrap();
        assert_eq!(found.token(), tickets[2].token());
        assert_eq!(chain.unpin().iter().count(), 0);
        assert!(tickets.iter().all(|ticket| !ticket.is_pinned()));
        assert_eq!(pinned(tickets).iter().count(), 3);
    });
}

#[test]
fn who_leaves_waits_only_if_it_is_pinned() {
    with_tickets(&[true; 4], |tickets, _| {
        assert_eq!(tickets[0].leave(), Departed::Free);
        let chain = pinned(&tickets[1..]);
        assert_eq!(tickets[1].leave(), Departed::InUse);
        assert_eq!(tickets[3].leave(), Departed::InUse);
        let abandoned = chain.unpin();
        let tokens: Vec<_> = abandoned.iter().map(Ticket::token).collect();
        assert_eq!(tokens, [tickets[1].token(), tickets[3].token()]);
        abandoned.let_go();
        // Neither waits any more.
        tickets[1].wait_until_done();
        tickets[3].wait_until_done();
        assert_eq!(tickets[2].leave(), Departed::Free);
    });
}

thread_local! {
    static CALLS: Cell<u32> = const { Cell::new(0) };
}

fn ticket_of<F: FnMut(&bool) -> bool>(data: &bool, condition: F) -> impl Fn(&mut Answers) -> bool {
    // SAFETY: there is one thread, and nobody changes the data while conditions are called.
    let condition = unsafe { Condition::new(data, condition) };
    move |answers| answers.is_true(&Ticket::of_condition(&condition, Owner::Thread))
}

fn counted(value: &bool) -> bool {
    CALLS.set(CALLS.get() + 1);
    *value
}

#[test]
fn a_condition_that_knows_nothing_but_the_data_is_called_once_if_it_is_false() {
    let mut answers = Answers::none();
    let (first, again) = (ticket_of(&false, counted), ticket_of(&false, counted));
    assert!(!first(&mut answers) && !again(&mut answers) && !first(&mut answers));
    assert_eq!(CALLS.take(), 1);
    // True is not remembered: that thread may have left.
    let other = ticket_of(&true, |value: &bool| {
        CALLS.set(CALLS.get() + 1);
        *value
    });
    assert!(other(&mut answers) && other(&mut answers));
    assert_eq!(CALLS.take(), 2);
    // One with a state of its own is called each time, and so is a pointer to a function.
    let mut state = 0;
    let stateful = ticket_of(&false, |_| {
        state += 1;
        CALLS.set(state);
        false
    });
    let pointer = ticket_of(&false, counted as fn(&bool) -> bool);
    assert!(!stateful(&mut answers) && !stateful(&mut answers));
    assert_eq!(CALLS.take(), 2);
    assert!(!pointer(&mut answers) && !pointer(&mut answers));
    assert_eq!(CALLS.take(), 2);
    // The next release knows nothing.
    assert!(!first(&mut Answers::none()));
    assert_eq!(CALLS.take(), 1);
}

#[test]
fn old_answers_make_room_for_new_ones() {
    let mut answers = Answers::none();
    macro_rules! ask {
        ($($number:literal)+) => {$({
            let ticket = ticket_of(&false, |_: &bool| {
                CALLS.set(CALLS.get() * 10 + $number);
                false
            });
            assert!(!ticket(&mut answers));
        })+};
    }
    ask!(1 2 3 4 5);
    assert_eq!(CALLS.take(), 12345);
}

#[test]
fn a_condition_that_panics_counts_as_true() {
    let ticket = ticket_of(&false, |_| std::panic::resume_unwind(Box::new("meant")));
    assert!(ticket(&mut Answers::none()));
}
