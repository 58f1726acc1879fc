//! The original passes the tests it sets.

#[path = "../../tests/condvar.rs"]
mod condvar;
#[path = "../../tests/locks.rs"]
mod locks;
#[path = "../../tests/once.rs"]
mod once;
#[path = "../../tests/recursive.rs"]
mod recursive;

use original as lot;
