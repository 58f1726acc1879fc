//! The original passes the tests it sets.

#[path = "../../tests/locks.rs"]
mod locks;

use original as lot;
