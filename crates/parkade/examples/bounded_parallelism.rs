//! A limit to how much runs at once: many workers, of which four run at a time, and a big job that needs
//! half of the machine and gets its turn though small jobs keep coming.
//!
//! Prints:
//! ```text
//! 24 small jobs and 1 big one, never more than 4 units at once: true
//! after closing: the semaphore is closed
//! ```

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
};

use parkade::Semaphore;

/// What runs just now, in units of a small job, and the most that ever did.
#[derive(Default)]
struct Load {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Load {
    fn run(&self, units: usize) {
        let now = self.now.fetch_add(units, Relaxed) + units;
        self.most.fetch_max(now, Relaxed);
        thread::yield_now();
        self.now.fetch_sub(units, Relaxed);
    }
}

fn main() {
    const UNITS: usize = 4;
    let (units, load) = (Arc::new(Semaphore::new(UNITS)), Arc::new(Load::default()));

    // The permit is taken before the thread is made, so there are never more threads than run.
    let small = (0..24).map(|_| {
        let (permit, load) = (Arc::clone(&units).acquire_owned().unwrap(), Arc::clone(&load));
        thread::spawn(move || {
            load.run(1);
            drop(permit);
            1
        })
    });
    let jobs: usize = thread::scope(|scope| {
        let big = scope.spawn(|| {
            let _half = units.acquire_many(UNITS / 2).unwrap();
            load.run(UNITS / 2);
        });
        let small: Vec<_> = small.collect();
        big.join().unwrap();
        small.into_iter().map(|job| job.join().unwrap()).sum()
    });
    let bounded = load.most.load(Relaxed) <= UNITS;
    println!("{jobs} small jobs and 1 big one, never more than {UNITS} units at once: {bounded}");

    // Whoever comes too late is told.
    units.close();
    println!("after closing: {}", units.acquire().unwrap_err());
}
