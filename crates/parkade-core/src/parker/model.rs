//! Under loom: futexes made of loom's mutex and condition variable.
//!
//! Time does not exist here. A wait with a deadline times out at once unless the word has already
//! changed; since loom explores both orders, every race of a timeout with a wake is explored.
//!
//! All waits share one condition variable, so every wake is a stray one for everybody else: that a
//! stray or stale wake never ends a wait is part of every model.

use super::Waited;
use crate::{
    deadline::Moment,
    shim::{AtomicU32, Ordering},
};
use loom::sync::{Condvar, Mutex};

struct Shard {
    lock: Mutex<()>,
    sleepers: Condvar,
}

loom::lazy_static! {
    static ref SHARD: Shard = Shard { lock: Mutex::new(()), sleepers: Condvar::new() };
}

pub(crate) fn wait(word: &AtomicU32, expected: u32, deadline: Option<Moment>) -> Waited {
    if deadline.is_some() {
        loom::thread::yield_now();
        return Waited::TimedOut;
    }
    let guard = SHARD.lock.lock().unwrap();
    if word.load(Ordering::Relaxed) == expected {
        drop(SHARD.sleepers.wait(guard).unwrap());
    }
    Waited::Look
}

pub(crate) fn wake_one(_word: *const AtomicU32) {
    drop(SHARD.lock.lock().unwrap());
    SHARD.sleepers.notify_all();
}
