//! The table and the fences under loom.

/// The ledger, for `cargo xtask weaken`.
#[test]
fn model_list_orderings() {
    for edge in crate::edges::ALL {
        println!("ORD {} {:?} {}", edge.id, edge.order, edge.pairs);
    }
}
