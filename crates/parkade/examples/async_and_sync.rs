//! One mutex for worker threads, which block, and for tasks, which wait: both stand in the same line.
//!
//! Prints:
//! ```text
//! 3 threads and 4 tasks have counted to 7000
//! the last timeout has left nothing behind: true
//! ```

use parkade::{Mutex, prelude::*};
use std::{sync::Arc, thread, time::Duration};

const ROUNDS: u64 = 1_000;

/// A task may go on on another thread after an `await`, so it holds the lock by a guard that may be sent.
async fn count_as_task(count: Arc<Mutex<u64>>) {
    for round in 0..ROUNDS {
        let mut count = count.lock_async().await.sendable();
        if round % 100 == 0 {
            tokio::task::yield_now().await;
        }
        *count += 1;
    }
}

fn main() {
    let count = Arc::new(Mutex::new(0));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();

    let threads: Vec<_> = (0..3)
        .map(|_| {
            let count = Arc::clone(&count);
            thread::spawn(move || (0..ROUNDS).for_each(|_| *count.lock() += 1))
        })
        .collect();
    runtime.block_on(async {
        let tasks: Vec<_> =
            (0..4).map(|_| tokio::spawn(count_as_task(Arc::clone(&count)))).collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    println!("3 threads and 4 tasks have counted to {}", count.lock());

    // A timeout is any timer: it drops the future, which leaves the line.
    runtime.block_on(async {
        let held = count.lock_async().await.sendable();
        let late = tokio::time::timeout(Duration::from_millis(10), count.lock_async()).await;
        assert!(late.is_err());
        drop(held);
        let free = count.try_lock().is_some();
        println!("the last timeout has left nothing behind: {free}");
    });
}
