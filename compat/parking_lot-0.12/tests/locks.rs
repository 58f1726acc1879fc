//! The locks behave as the original's do.

#[path = "../../tests/condvar.rs"]
mod condvar;
#[path = "../../tests/locks.rs"]
mod locks;
#[path = "../../tests/once.rs"]
mod once;
#[path = "../../tests/recursive.rs"]
mod recursive;
#[cfg(feature = "send_guard")]
#[path = "../../tests/send.rs"]
mod send;

use parking_lot as lot;
