//! Evidence for: the sequential contract of a bucket's queues, against a plain model.

use super::*;
use crate::{DEFAULT_PARK_TOKEN, Moment};
use std::collections::BTreeMap;

/// A deterministic sequence without a dependency (Marsaglia's xorshift64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

fn node(key: usize) -> Box<Node> {
    Box::new(Node::new(key, DEFAULT_PARK_TOKEN, Moment::NEVER))
}

fn order(queues: &Queues) -> BTreeMap<usize, Vec<*const Node>> {
    let mut found: BTreeMap<usize, Vec<*const Node>> = BTreeMap::new();
    // SAFETY: single-threaded.
    unsafe { queues.walk(&mut |node| found.entry(node.key()).or_default().push(node)) };
    found
}

#[test]
fn random_scripts_agree_with_a_map_of_lists() {
    for seed in 1..=200 {
        let mut random = Random(seed * 0x9E37_79B9);
        let keys = 1 + random.below(40);
        let queues = Queues::new();
        let mut nodes: Vec<Box<Node>> = Vec::new();
        let mut model: BTreeMap<usize, Vec<*const Node>> = BTreeMap::new();
        for _ in 0..300 {
            let key = (1 + random.below(keys)) * 64;
            let list = model.entry(key).or_default();
            if random.below(2) == 0 || list.is_empty() {
                let new = node(key);
                let place = if random.below(3) == 0 { Place::Front } else { Place::Back };
                let at = if place == Place::Front { 0 } else { list.len() };
                list.insert(at, &raw const *new);
                // SAFETY: single-threaded; boxed nodes outlive the queue's use of them.
                unsafe { queues.push(NonNull::from(&*new), place) };
                nodes.push(new);
            } else {
                let gone = list.remove(random.below(list.len()));
                // SAFETY: single-threaded; the model says it is queued.
                unsafe { queues.unlink(NonNull::new(gone.cast_mut()).unwrap()) };
            }
            model.retain(|_, list| !list.is_empty());
            assert_eq!(order(&queues), model, "seed {seed}");
            for (&key, list) in &model {
                // SAFETY: single-threaded.
                let first = unsafe { queues.first(key) }.unwrap();
                assert_eq!(first.as_ptr().cast_const(), list[0], "seed {seed}");
            }
            // SAFETY: single-threaded.
            assert_eq!(unsafe { queues.first(7) }, None);
        }
    }
}

#[test]
fn the_tree_stays_shallow_with_many_keys() {
    let queues = Queues::new();
    let nodes: Vec<_> = (0..10_000).map(|i| node(0x7000_0000 + i * 8)).collect();
    for node in &nodes {
        // SAFETY: single-threaded; the nodes outlive the queues.
        unsafe { queues.push(NonNull::from(&**node), Place::Back) };
    }
    let depth = |node: &Node| {
        let mut depth = 0;
        let mut up = node.parent.get();
        while let Some(link) = up {
            depth += 1;
            // SAFETY: single-threaded; links of live nodes.
            up = unsafe { link.as_ref() }.parent.get();
        }
        depth
    };
    let deepest = nodes.iter().map(|node| depth(node)).max().unwrap();
    // log2(10,000) is 13.3; one bucket would hold ten of these keys.
    assert!(deepest <= 40, "depth {deepest}");
}
