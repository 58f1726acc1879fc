//! The ledger of orderings of the semaphore word; `state.rs` says what they mean together.

parkade_core::orderings! {
    K1 = Acquire, "permits taken without the bucket lock; pairs with K3: what was done before they came back";
    K3 = Release, "permits come back or are added; pairs with K1, K4, K5: what was done before";
    K4 = Acquire, "permits taken in place of parking; pairs with K3: what was done before they came back";
    K5 = Acquire, "permits granted to waiters, who are woken afterwards; pairs with K3: what was done before they came back, by whomever";
    K9 = Release, "the semaphore is closed; pairs with K11: what was done before";
    K11 = Acquire, "a look finds the semaphore closed; pairs with K9: what was done before";
}
