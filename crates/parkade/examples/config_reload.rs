//! A configuration that every request reads and that is replaced now and then, whole: no request sees
//! half of the old one and half of the new.
//!
//! Prints:
//! ```text
//! 4000 requests served, 0 with a mixed configuration
//! in force: version 3, 30 workers
//! ```

use std::{sync::Barrier, thread};

use parkade::RwLock;

/// What belongs together: a version has so many workers.
#[derive(Debug, Clone, Copy)]
struct Config {
    version: u32,
    workers: u32,
}

impl Config {
    fn load(version: u32) -> Config {
        Config { version, workers: 10 * version }
    }

    fn is_mixed(&self) -> bool {
        self.workers != 10 * self.version
    }
}

static CONFIG: RwLock<Config> = RwLock::new(Config { version: 0, workers: 0 });

/// Serves one request; whether it has seen a mixed configuration.
fn serve() -> bool {
    // Many threads read at once, and none waits for another.
    CONFIG.read().is_mixed()
}

fn main() {
    const THREADS: usize = 4;
    const REQUESTS: usize = 1000;
    let start = Barrier::new(THREADS + 1);

    let mixed: usize = thread::scope(|scope| {
        let servers: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(|| {
                    start.wait();
                    (0..REQUESTS).filter(|_| serve()).count()
                })
            })
            .collect();

        start.wait();
        for version in 1..=3 {
            // What takes time is done before the lock is taken.
            let next = Config::load(version);
            *CONFIG.write() = next;
        }
        servers.into_iter().map(|server| server.join().unwrap()).sum()
    });

    println!("{} requests served, {mixed} with a mixed configuration", THREADS * REQUESTS);
    let config = CONFIG.read();
    println!("in force: version {}, {} workers", config.version, config.workers);
}
