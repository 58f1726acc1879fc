//! Ten threads add to one number: the smallest program that needs a mutex.
//!
//! Prints:
//! ```text
//! Result: 10
//! ```

use std::{sync::Arc, thread};

use parkade::Mutex;

fn main() {
    let counter = Arc::new(Mutex::new(0));

    let threads: Vec<_> = (0..10)
        .map(|_| {
            let counter = Arc::clone(&counter);
            thread::spawn(move || *counter.lock() += 1)
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }

    println!("Result: {}", *counter.lock());
}
