//! A cache that computes each value once: who finds none turns from a reader into the writer without
//! letting go, so nobody else can have computed it in between.
//!
//! Prints:
//! ```text
//! 8 threads asked for the square of 7 and got 49; computed 1 time(s)
//! ```

use std::{
    collections::HashMap,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
};

use parkade::{RwLock, RwLockUpgradableReadGuard};

#[derive(Default)]
struct Squares {
    known: RwLock<HashMap<u64, u64>>,
    computed: AtomicUsize,
}

impl Squares {
    fn get(&self, number: u64) -> u64 {
        // Hits are readers among readers.
        if let Some(square) = self.known.read().get(&number) {
            return *square;
        }
        // One at a time may be a reader that will perhaps write; others go on reading meanwhile.
        let known = self.known.upgradable_read();
        if let Some(square) = known.get(&number) {
            return *square;
        }
        let square = self.compute(number);
        // Waits until the others have left, and is still the one who looked.
        let mut known = RwLockUpgradableReadGuard::upgrade(known);
        known.insert(number, square);
        square
    }

    fn compute(&self, number: u64) -> u64 {
        self.computed.fetch_add(1, Relaxed);
        number * number
    }
}

fn main() {
    const THREADS: usize = 8;
    let squares = Squares::default();

    let answers: Vec<_> = thread::scope(|scope| {
        let askers: Vec<_> = (0..THREADS).map(|_| scope.spawn(|| squares.get(7))).collect();
        askers.into_iter().map(|asker| asker.join().unwrap()).collect()
    });

    let answer = answers[0];
    assert!(answers.iter().all(|other| *other == answer));
    let computed = squares.computed.into_inner();
    println!(
        "{THREADS} threads asked for the square of 7 and got {answer}; computed {computed} time(s)"
    );
}
