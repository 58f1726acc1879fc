//! The ledger of orderings of the reader-writer lock's words; `state.rs` and `period.rs` say what they mean
//! together.

parkade_core::orderings! {
    W1 = Acquire, "lock taken in any mode; pairs with W3, W4, W5: the protected data";
    W2 = Acquire, "the last reader is out and the writer in; pairs with W3: what readers read, recursive ones too that have come since W7";
    W3 = Release, "a counted reader leaves; pairs with W1, W2, W6, W7: what it read, before a writer writes";
    W4 = Release, "a writer leaves or becomes a reader; pairs with W1: the protected data";
    W5 = Release, "an upgradable reader leaves; pairs with W1: what it read";
    W6 = Acquire, "an upgradable reader becomes the writer; pairs with W3: what readers read";
    W7 = Acquire, "a writer that waits for readers sees none counted, and looks at the bias; pairs with W3: the bias that a reader has switched on, before it left";
    W8 = Release, "a writer gives up; pairs with W1: what it has done to the bias, for the next writer";
    A1 = Release, "a reader switches the bias on; pairs with A2: the protected data, as that reader has seen it";
    A2 = Acquire, "a reader in a slot finds the bias still on; pairs with A1, A3, A4: the protected data";
    A3 = Release, "a writer lets a fenced period go on; pairs with A2: the protected data";
    A4 = Release, "a counted reader lets an interrupted period go on; pairs with A2: what a writer has written that did not";
    E1 = SeqCst, "a reader has taken its slot in a fenced period and looks at the bias again; pairs with E2 (store buffering)";
    E2 = SeqCst, "a writer has interrupted a fenced period and scans; pairs with E1 (store buffering)";
    X1 = SeqCst, "a reader has freed its slot and looks for a sleeping writer; pairs with X2 (store buffering)";
    X2 = SeqCst, "a writer about to sleep looks at the slots again; pairs with X1 (store buffering)";
}
