//! The parking lot behaves as the original does, and better where a callback panics.

#[path = "../../tests/aborts.rs"]
mod aborts;
#[path = "../../tests/parking.rs"]
mod parking;

use parking_lot_core as lot;
