//! The ledger of orderings of the barrier's word; `state.rs` says what they mean together.

parkade_core::orderings! {
    G1 = Release, "a barrier is aborted; pairs with G2: what the thread has done that aborts it";
    G2 = Acquire, "a look whether it is aborted, without the bucket lock; pairs with G1: what the thread has done that has aborted it";
}
