//! Placeholder while the lock is written: API as it will be, spin inside.
#![allow(missing_debug_implementations, clippy::allow_attributes_without_reason, clippy::undocumented_unsafe_blocks, missing_docs)]
use std::sync::atomic::{AtomicU8, Ordering::*};
use std::time::{Duration, Instant};
#[cfg(not(feature = "send_guard"))]
type GuardMarker = lock_api::GuardNoSend;
#[cfg(feature = "send_guard")]
type GuardMarker = lock_api::GuardSend;
pub struct RawMutex(AtomicU8, AtomicU8);
unsafe impl lock_api::RawMutex for RawMutex {
    const INIT: Self = RawMutex(AtomicU8::new(0), AtomicU8::new(0));
    type Guard = GuardMarker;
    fn lock(&self) -> GuardMarker { loop { if let Some(g) = self.try_lock() { return g } std::thread::yield_now() } }
    fn try_lock(&self) -> Option<GuardMarker> { self.0.compare_exchange(0, 1, Acquire, Relaxed).ok().map(|_| GuardMarker::new()) }
    unsafe fn unlock(&self, _: GuardMarker) { self.0.store(0, Release) }
    fn is_locked(&self) -> bool { self.0.load(Relaxed) != 0 }
}
unsafe impl lock_api::RawMutexFair for RawMutex { unsafe fn unlock_fair(&self, _: GuardMarker) { self.0.store(0, Release) } }
unsafe impl lock_api::RawMutexTimed for RawMutex {
    type Duration = Duration; type Instant = Instant;
    fn try_lock_for(&self, d: Duration) -> Option<GuardMarker> { match Instant::now().checked_add(d) { Some(i) => self.try_lock_until(i), None => Some(lock_api::RawMutex::lock(self)) } }
    fn try_lock_until(&self, i: Instant) -> Option<GuardMarker> { loop { if let Some(g) = lock_api::RawMutex::try_lock(self) { return Some(g) } if Instant::now() >= i { return None } std::thread::yield_now() } }
}
pub use RawMutex as RawFairMutex;
pub use lock_api;
pub type Mutex<T> = lock_api::Mutex<RawMutex, T>;
pub type MutexGuard<'a, T> = lock_api::MutexGuard<'a, RawMutex, T>;
pub type MappedMutexGuard<'a, T> = lock_api::MappedMutexGuard<'a, RawMutex, T>;
pub type FairMutex<T> = lock_api::Mutex<RawFairMutex, T>;
pub type FairMutexGuard<'a, T> = lock_api::MutexGuard<'a, RawFairMutex, T>;
#[cfg(feature = "arc_lock")]
pub type ArcMutexGuard<T> = lock_api::ArcMutexGuard<RawMutex, T>;
pub mod tuning {
    use std::time::Duration;
    #[derive(Debug, Clone, Copy)]
    pub struct OutOfRange;
    pub fn spin() -> Duration { Duration::from_micros(3) }
    pub fn set_spin(_: Duration) -> Result<(), OutOfRange> { Ok(()) }
    pub fn fair_interval() -> Duration { Duration::from_micros(500) }
    pub fn set_fair_interval(_: Duration) -> Result<(), OutOfRange> { Ok(()) }
}
