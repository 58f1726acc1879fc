//! The ledger of orderings of the `Once` word; `state.rs` says what they mean together.

parkade_core::orderings! {
    O1 = Acquire, "an initialisation begins; pairs with O2 and O4: what one that failed has left behind";
    O2 = Release, "an initialisation ends and nobody is queued; pairs with O1 and O3: what it has written";
    O3 = Acquire, "a look at the word; pairs with O2 and O4: what the initialisation has written";
    O4 = Release, "an initialisation ends under the bucket lock; pairs with O1 and O3: what it has written";
}
