//! The original passes the tests it sets.

#[path = "../../tests/parking.rs"]
mod parking;

use original_lot as lot;
