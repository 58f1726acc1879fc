//! A bounded wait: instead of hanging on a lock that is held too long, say so, then go on waiting.
//!
//! Prints:
//! ```text
//! settings: held for longer than 20ms, still waiting
//! settings: got it, the value is "new"
//! ```

use std::{
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use parkade::{Mutex, MutexGuard};

/// How long a wait for a lock may last before it is worth a line in the log.
const PATIENCE: Duration = Duration::from_millis(20);

/// Takes `lock`, and calls `report` each time another [`PATIENCE`] has passed in vain.
fn lock_reporting<T>(lock: &Mutex<T>, mut report: impl FnMut(Duration)) -> MutexGuard<'_, T> {
    let start = Instant::now();
    loop {
        match lock.try_lock_for(PATIENCE) {
            Some(guard) => return guard,
            None => report(start.elapsed()),
        }
    }
}

fn main() {
    let settings = Mutex::new("old");
    let (reported, wait_for_report) = mpsc::channel();

    thread::scope(|scope| {
        let mut held = settings.lock();
        let settings = &settings;

        scope.spawn(move || {
            let mut reports = 0;
            let value = lock_reporting(settings, |waited| {
                assert!(waited >= PATIENCE);
                reports += 1;
                if reports == 1 {
                    println!("settings: held for longer than {PATIENCE:?}, still waiting");
                    reported.send(()).unwrap();
                }
            });
            println!("settings: got it, the value is {:?}", *value);
        });

        wait_for_report.recv().unwrap();
        *held = "new";
    });
}
