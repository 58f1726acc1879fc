//! The ledger of orderings of the latch's word; `state.rs` says what they mean together.

parkade_core::orderings! {
    D1 = Release, "a thread counts down; pairs with D2: what it has done before";
    D2 = Acquire, "a look at the count; pairs with D1 and D3: what all have done who have counted down";
    D3 = Release, "a thread counts down under the bucket lock; pairs with D2: what it has done before";
}
