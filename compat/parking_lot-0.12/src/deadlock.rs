//! The interface of parking_lot's deadlock detector. **It detects nothing yet**: see
//! [`check_deadlock`].

pub use parking_lot_core::deadlock::check_deadlock;
