//! The table and the fences under loom.

use loom::model::Builder;
use parkade_stacks as _;

/// The ledger, for `cargo xtask weaken`.
#[test]
fn model_list_orderings() {
    for edge in crate::edges::ALL {
        println!("ORD {} {:?} {}", edge.id, edge.order, edge.pairs);
    }
}

/// Explores `body` with at most `bound` preemptions, or with more if the environment asks for them.
pub(crate) fn explore(bound: usize, body: impl Fn() + Sync + Send + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(builder.preemption_bound.map_or(bound, |more| more.max(bound)));
    builder.max_branches = 20_000;
    builder.check(body);
}
