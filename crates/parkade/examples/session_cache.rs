//! A type that hides its lock: callers see `insert` and `len`, and share it by plain reference.
//!
//! Prints:
//! ```text
//! Total sessions: 100
//! ```

use std::{collections::HashMap, thread};

use parkade::Mutex;

/// Users who are logged in, by session number.
#[derive(Default)]
struct SessionCache {
    users: Mutex<HashMap<u32, String>>,
}

impl SessionCache {
    fn insert(&self, session: u32, user: &str) {
        // The text is made before the lock is taken: a section holds no more than it must.
        let user = user.to_owned();
        self.users.lock().insert(session, user);
    }

    fn len(&self) -> usize {
        self.users.lock().len()
    }
}

fn main() {
    let cache = SessionCache::default();

    thread::scope(|scope| {
        for session in 0..100 {
            let cache = &cache;
            scope.spawn(move || cache.insert(session, "somebody"));
        }
    });

    println!("Total sessions: {}", cache.len());
}
