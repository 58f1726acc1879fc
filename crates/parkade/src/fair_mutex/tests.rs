//! Evidence for: the sequential contract of the word where threads are moved to the queue.

use super::state::Word;

fn free() -> Word {
    Word::new()
}

fn held() -> Word {
    let word = Word::new();
    assert!(word.try_acquire());
    word
}

fn queued() -> Word {
    let word = held();
    assert!(word.mark_parked());
    word
}

#[test]
fn h7_acquires_a_free_lock_and_marks_a_held_one() {
    let word = free();
    assert!(!word.mark_parked_or_acquire());
    assert!(word.is_locked() && !word.has_queue());
    for word in [held(), queued()] {
        assert!(word.mark_parked_or_acquire());
        assert!(word.is_locked() && word.has_queue());
    }
}

#[test]
fn h8_marks() {
    for word in [held(), queued()] {
        word.more_parked();
        assert!(word.is_locked() && word.has_queue());
        assert!(!word.try_release());
    }
}
