//! The ledger of orderings of the reader-writer lock's words; `state.rs` says what they mean together.

parkade_core::orderings! {
    W1 = Acquire, "lock taken in any mode; pairs with W3, W4, W5: the protected data";
    W2 = Acquire, "the last reader is out and the writer in; pairs with W3: what readers read, recursive ones too that have come since W7";
    W3 = Release, "a counted reader leaves; pairs with W1, W2, W6, W7: what it read, before a writer writes";
    W4 = Release, "a writer leaves or becomes a reader; pairs with W1: the protected data";
    W5 = Release, "an upgradable reader leaves; pairs with W1: what it read";
    W6 = Acquire, "an upgradable reader becomes the writer; pairs with W3: what readers read";
    W7 = Acquire, "a writer that waits for readers sees none counted, and looks at the bias; pairs with W3: the bias that a reader has switched on, before it left";
    G1 = Release, "bias is switched on; pairs with G2: the protected data, as the reader who does it has seen it";
    G2 = Acquire, "a reader in a slot finds the bias still on; pairs with G1: the protected data";
    D1 = SeqCst, "a reader has freed its slot and looks for a sleeping writer; pairs with D2 (store buffering)";
    D2 = SeqCst, "a writer about to sleep looks at the slots again; pairs with D1 (store buffering)";
}
