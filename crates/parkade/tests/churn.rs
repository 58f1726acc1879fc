//! Evidence that threads which come and go leave nothing behind: after `PARKADE_CHURN_THREADS`
//! (20,000 by default) of them have contended for a lock and ended, the process is as large as
//! before. `cargo xtask churn` runs it with a million.
#![cfg(target_os = "linux")]

mod support;

use std::{sync::Barrier, thread, time::Duration};

use parkade::{FairMutex, Mutex, RwLock};
use support::{Watchdog, Witness};

static LOCK: Mutex<Witness> = Mutex::new(Witness::new());
static FAIR: FairMutex<Witness> = FairMutex::new(Witness::new());
static SHARED: RwLock<Witness> = RwLock::new(Witness::new());

/// Threads that live at the same time.
const GANG: usize = 8;
/// What the process may have grown by, in KiB. A 64-byte leak per thread is 1.2 MiB in 20,000.
const GROWTH_MAX: u64 = 1024;

/// Memory of its own that the process has in use, in KiB. Pages of files do not count: they come
/// as code is first run.
fn anonymous_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Makes `threads` threads, a gang at a time, that wait for the locks and for each other.
fn churn(threads: usize, watchdog: &Watchdog) {
    let progress = watchdog.thread(0);
    for gang in 0..threads / GANG {
        let start = Barrier::new(GANG);
        thread::scope(|scope| {
            for _ in 0..GANG {
                scope.spawn(|| {
                    start.wait();
                    // A section that sleeps makes all the others of its gang park.
                    let nap = || {
                        if gang % 8 == 0 {
                            thread::sleep(Duration::from_micros(10));
                        }
                    };
                    LOCK.lock().section(nap);
                    FAIR.lock().section(nap);
                    drop(LOCK.try_lock_for(Duration::from_micros(1)));
                    // Some of them lease slots, and all leave them to others.
                    (0..160).for_each(|_| SHARED.read().check());
                    SHARED.write().section(nap);
                    drop(SHARED.try_write_for(Duration::from_micros(1)));
                });
            }
        });
        progress.step();
    }
}

#[test]
fn threads_leave_memory_where_it_was() {
    let threads = std::env::var("PARKADE_CHURN_THREADS")
        .map_or(20_000, |text| text.parse().expect("PARKADE_CHURN_THREADS is a number of threads"));
    churn(threads / 10, &Watchdog::new("churn, warm-up", 1));
    let before = anonymous_kib();
    churn(threads, &Watchdog::new("churn", 1));
    let after = anonymous_kib();
    println!("{threads} threads: {before} KiB before, {after} KiB after");
    assert!(
        after.saturating_sub(before) <= GROWTH_MAX,
        "{threads} threads left {} KiB behind ({before} -> {after})",
        after - before
    );
}
