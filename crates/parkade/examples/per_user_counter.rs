//! A web site that serves each user one request at a time, and all users at the same time.
//!
//! Ann is signed in on two devices. A request reads her counter, does something that takes a while, and writes
//! the counter back, which goes wrong if two requests of hers overlap. With a lock for the whole site Bob would
//! have to wait for her; with a lock per user he does not, and nothing is left of the locks of users who are gone.
//!
//! Prints:
//! ```text
//! bob was served while ann was busy: true
//! ann: 200 requests
//! bob: 100 requests
//! users locked now: 0
//! ```

use std::{collections::HashMap, sync::Arc, thread};

use parkade::{
    RwLock,
    keyed::{KeyedMutex, Retry},
};

/// Requests served so far. The store is quick, and knows nothing of requests.
#[derive(Default)]
struct Store(RwLock<HashMap<String, u32>>);

impl Store {
    fn get(&self, user: &str) -> u32 {
        self.0.read().get(user).copied().unwrap_or(0)
    }

    fn put(&self, user: &str, count: u32) {
        self.0.write().insert(user.to_owned(), count);
    }
}

#[derive(Default)]
struct Site {
    users: KeyedMutex<String>,
    counts: Store,
}

impl Site {
    fn serve(&self, user: &str) {
        let _one_at_a_time = self.users.lock(user);
        let count = self.counts.get(user);
        thread::yield_now(); // the work; another request of this user would spoil it
        self.counts.put(user, count + 1);
    }
}

fn main() {
    let site = Arc::new(Site::default());

    // Ann's account is being moved: her requests would wait, Bob's are served.
    let moving = site.users.lock("ann");
    let bob = thread::spawn({
        let site = Arc::clone(&site);
        move || {
            site.serve("bob");
            site.users.try_lock("ann").is_none()
        }
    });
    println!("bob was served while ann was busy: {}", bob.join().unwrap());
    // A job that would rather give up than queue.
    let twice = Retry { max_tries: 2, ..Retry::default() };
    assert!(site.users.try_lock_retrying("ann", &twice).is_err());
    drop(moving);

    thread::scope(|scope| {
        for (user, requests) in [("ann", 100), ("ann", 100), ("bob", 99)] {
            let site = &site;
            scope.spawn(move || (0..requests).for_each(|_| site.serve(user)));
        }
    });
    for user in ["ann", "bob"] {
        println!("{user}: {} requests", site.counts.get(user));
    }
    println!("users locked now: {}", site.users.len());
}
