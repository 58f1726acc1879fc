//! The ledger of orderings of the fair mutex word; `state.rs` says what they mean together.

parkade_core::orderings! {
    F1 = Acquire, "fair lock taken; pairs with F2 and F5: the protected data";
    F2 = Release, "fair lock freed; pairs with F1: the protected data";
    F5 = Release, "fair lock freed because its queue was empty; pairs with F1: the protected data";
}
