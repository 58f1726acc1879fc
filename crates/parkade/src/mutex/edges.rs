//! The ledger of orderings of the mutex word; `state.rs` says what they mean together.

parkade_core::orderings! {
    M1 = Acquire, "free lock taken; pairs with R0: the protected data";
    M2 = Acquire, "reserved lock taken; pairs with R3: the protected data";
    R0 = Release, "lock freed by a plain store; pairs with M1: the protected data";
    R2 = Release, "releaser's look at the queue; pairs with P1 and P4: the lock is free";
    R3 = Release, "lock reserved by a plain store; pairs with M2: the protected data";
    P1 = Acquire, "parker announces itself in the queue byte; pairs with R2: the lock is free";
    P4 = Acquire, "designated thread gives up; pairs with R2: the lock is free";
}
