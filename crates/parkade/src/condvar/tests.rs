//! Evidence for: the sequential contract of the word.

use super::state::Word;
use crate::parked::Parked;

#[test]
fn v1_and_v2_write_what_the_queue_is() {
    for before in [Parked::None, Parked::Some] {
        for after in [Parked::None, Parked::Some] {
            let word = Word::new();
            assert!(!word.has_waiters());
            word.publish(before);
            word.publish(after);
            assert_eq!(word.has_waiters(), after == Parked::Some, "{before:?} to {after:?}");
        }
    }
}
