//! Sessions that are made on first use, used by one request at a time each, and forgotten when nobody has used
//! them for a while.
//!
//! Prints:
//! ```text
//! 100 requests, 4 sessions opened
//! ann: 25 requests
//! evicted while ann is served: 3
//! left: ["ann"]
//! evicted afterwards: ann with 26 requests
//! ```

use std::{
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    thread,
    time::Duration,
};

use parkade::keyed::{LockMap, LockMapGuard};

/// What is known of a user while he is around.
#[derive(Debug)]
struct Session {
    requests: u32,
}

#[derive(Debug)]
struct Store {
    sessions: LockMap<String, Session>,
    opened: AtomicU32,
}

impl Store {
    fn new() -> Store {
        // A store that grows forgets by itself what was idle for an hour.
        let sessions = LockMap::with_idle_limit(Duration::from_secs(3600));
        Store { sessions, opened: AtomicU32::new(0) }
    }

    /// The session of `user`, for this request alone. To open one may take long: only requests of the same user
    /// wait for it.
    fn session(&self, user: &str) -> LockMapGuard<'_, String, Session> {
        self.sessions.lock_or_insert_with(user, || {
            self.opened.fetch_add(1, Relaxed);
            Session { requests: 0 }
        })
    }

    fn serve(&self, user: &str) {
        self.session(user).requests += 1;
    }
}

fn main() {
    let store = Store::new();
    let users = ["ann", "bob", "eve", "joe"];

    thread::scope(|scope| {
        for worker in 0..4 {
            let store = &store;
            scope.spawn(move || {
                for request in 0..25 {
                    store.serve(users[(worker + request) % users.len()]);
                }
            });
        }
    });
    println!("100 requests, {} sessions opened", store.opened.load(Relaxed));

    let mut ann = store.session("ann");
    println!("ann: {} requests", ann.requests);
    ann.requests += 1;

    // Whoever is served keeps his session. (A real server asks for more than no time at all.)
    println!("evicted while ann is served: {}", store.sessions.evict_idle(Duration::ZERO));
    println!("left: {:?}", store.sessions.keys());
    drop(ann);

    for (user, session) in store.sessions.drain_idle(Duration::ZERO) {
        println!("evicted afterwards: {user} with {} requests", session.requests);
    }
}
