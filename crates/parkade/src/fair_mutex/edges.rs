//! The ledger of orderings of the fair mutex word; `state.rs` says what they mean together.

parkade_core::orderings! {
    H1 = Acquire, "fair lock taken; pairs with H2 and H5: the protected data";
    H2 = Release, "fair lock freed; pairs with H1: the protected data";
    H5 = Release, "fair lock freed because its queue was empty; pairs with H1: the protected data";
}
