//! Process-wide settings of the waiting policy, changeable while the program runs.
//!
//! | setting | by name | environment | unit | range | default |
//! |---|---|---|---|---|---|
//! | [`spin`] | `spin_ns` | `PARKADE_SPIN_NS` | ns | 0 to 1,000,000 | 3,000; 0 on one processor |
//! | [`spin_max`] | `spin_max_ns` | `PARKADE_SPIN_MAX_NS` | ns | 0 to 1,000,000 | 25,000 |
//! | [`poll_gap`] | `poll_gap_ns` | `PARKADE_POLL_GAP_NS` | ns | 1 to 100,000 | 10 |
//! | [`yield_interval`] | `yield_us` | `PARKADE_YIELD_US` | us | 1 to 1,000,000 | 50 |
//! | [`fair_interval`] | `fair_us` | `PARKADE_FAIR_US` | us | 1 to 1,000,000 | 500 |
//!
//! And a switch: [`lookout`], `PARKADE_LOOKOUT`, `on` or `off`, by default `on`.
//!
//! The environment is read once, before `main` (on systems other than Unix: when a value is first
//! needed). A value that is not a number in range is reported once on standard error and the default
//! is kept. Changes apply to every lock of the process, at the next decision a waiter takes: when it
//! begins to poll, yields, or claims.
//!
//! ```
//! use parkade_core::tuning;
//! use std::time::Duration;
//!
//! tuning::set_spin(Duration::from_micros(10))?;
//! assert_eq!(tuning::spin(), Duration::from_micros(10));
//! assert!(tuning::set_fair_interval(Duration::ZERO).is_err());
//! # Ok::<(), tuning::OutOfRange>(())
//! ```
//!
//! A program that offers all of them, as `parkade bench --sweep` does, finds them by name:
//!
//! ```
//! use parkade_core::tuning;
//!
//! let spin = tuning::setting("spin_ns").expect("it is in the table above");
//! spin.set_value(10_000)?;
//! assert_eq!(tuning::spin().as_nanos(), 10_000);
//! let names: Vec<_> = tuning::settings().iter().map(|setting| setting.name()).collect();
//! assert!(names.contains(&"fair_us"));
//! # Ok::<(), tuning::OutOfRange>(())
//! ```

use core::{
    ffi::CStr,
    fmt,
    ops::RangeInclusive,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

/// A setting outside its range; nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfRange {
    name: &'static str,
    given: Duration,
    min: Duration,
    max: Duration,
}

impl fmt::Display for OutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let OutOfRange { name, given, min, max } = self;
        write!(f, "{name} of {given:?} is out of range ({min:?} to {max:?})")
    }
}

impl core::error::Error for OutOfRange {}

/// No value chosen yet; not in any setting's range.
const UNSET: u32 = u32::MAX;

/// One process-wide setting: a whole number of units of time.
#[derive(Debug)]
pub struct Setting {
    name: &'static str,
    variable: &'static CStr,
    unit: Duration,
    range: RangeInclusive<u32>,
    default: fn() -> u32,
    /// Access: UNSET until first read or set; any thread may set it.
    value: AtomicU32,
}

/// Defines the settings and the list of them: a setting exists when it stands here.
macro_rules! settings {
    ($($setting:ident: { $($field:ident: $is:expr),* $(,)? })*) => {
        $(static $setting: Setting = Setting { $($field: $is,)* value: AtomicU32::new(UNSET) };)*

        static SETTINGS: &[&Setting] = &[$(&$setting),*];
    };
}

settings! {
    SPIN: {
        name: "spin_ns",
        variable: c"PARKADE_SPIN_NS",
        unit: Duration::from_nanos(1),
        range: 0..=1_000_000,
        default: || if crate::sys::cpus() == 1 { 0 } else { DEFAULT_SPIN_NS },
    }
    SPIN_MAX: {
        name: "spin_max_ns",
        variable: c"PARKADE_SPIN_MAX_NS",
        unit: Duration::from_nanos(1),
        range: 0..=1_000_000,
        default: || DEFAULT_SPIN_MAX_NS,
    }
    POLL_GAP: {
        name: "poll_gap_ns",
        variable: c"PARKADE_POLL_GAP_NS",
        unit: Duration::from_nanos(1),
        range: 1..=100_000,
        default: || DEFAULT_POLL_GAP_NS,
    }
    YIELD: {
        name: "yield_us",
        variable: c"PARKADE_YIELD_US",
        unit: Duration::from_micros(1),
        range: 1..=1_000_000,
        default: || DEFAULT_YIELD_US,
    }
    FAIR: {
        name: "fair_us",
        variable: c"PARKADE_FAIR_US",
        unit: Duration::from_micros(1),
        range: 1..=1_000_000,
        default: || DEFAULT_FAIR_US,
    }
}

/// About one futex round trip: spinning that long costs at most twice what parking at once would.
/// Source: `parkade bench`, docs/decisions/0004.
const DEFAULT_SPIN_NS: u32 = 3_000;

/// With 12 us cs20us-8 gains nothing, with 20 us a quarter. Source: docs/decisions/0005.
const DEFAULT_SPIN_MAX_NS: u32 = 25_000;

/// The sooner the second look, the better for sections of tens of nanoseconds and up; where it is
/// not, threads take turns. Source: docs/decisions/0005.
const DEFAULT_POLL_GAP_NS: u32 = 10;

/// A yield to another thread costs a context switch, about a microsecond. Source: docs/decisions/0005.
const DEFAULT_YIELD_US: u32 = 50;

/// Source: `parkade bench`, docs/decisions/0004.
const DEFAULT_FAIR_US: u32 = 500;

/// All settings.
#[must_use]
pub fn settings() -> &'static [&'static Setting] {
    SETTINGS
}

/// The setting of that name.
#[must_use]
pub fn setting(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().copied().find(|setting| setting.name == name)
}

impl Setting {
    /// Its name, which ends with its unit; in capitals after `PARKADE_` it is the environment
    /// variable that sets it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The allowed values, in units.
    #[must_use]
    pub fn range(&self) -> RangeInclusive<u32> {
        self.range.clone()
    }

    /// The value on this machine when nobody sets one, in units.
    #[must_use]
    pub fn default_value(&self) -> u32 {
        (self.default)()
    }

    /// The value in force, in units.
    #[must_use]
    pub fn value(&self) -> u32 {
        match self.value.load(Ordering::Relaxed) {
            UNSET => self.choose(),
            value => value,
        }
    }

    /// Sets the value, in units.
    ///
    /// # Errors
    /// [`OutOfRange`] outside [`range`](Setting::range); the setting is unchanged.
    pub fn set_value(&self, units: u32) -> Result<(), OutOfRange> {
        if !self.range.contains(&units) {
            return Err(self.out_of_range(self.unit * units));
        }
        self.value.store(units, Ordering::Relaxed);
        Ok(())
    }

    #[cold]
    fn choose(&self) -> u32 {
        let chosen = crate::sys::with_env(self.variable, |text| match text {
            None => Ok(self.default_value()),
            Some(text) => self.parse(text).ok_or_else(|| self.default_value()),
        });
        let value = chosen.unwrap_or_else(|default| default);
        match self.value.compare_exchange(UNSET, value, Ordering::Relaxed, Ordering::Relaxed) {
            Err(first) => first,
            Ok(_) => {
                if chosen.is_err() {
                    self.warn(value);
                }
                value
            }
        }
    }

    fn parse(&self, text: &[u8]) -> Option<u32> {
        let value = core::str::from_utf8(text).ok()?.trim().parse().ok()?;
        self.range.contains(&value).then_some(value)
    }

    fn warn(&self, kept: u32) {
        let variable = self.variable.to_str().unwrap_or("?");
        let (min, max) = (self.range.start(), self.range.end());
        crate::sys::warn(format_args!(
            "{variable} is not a number from {min} to {max}; using {kept}"
        ));
    }

    fn duration(&self) -> Duration {
        self.unit * self.value()
    }

    fn set(&self, given: Duration) -> Result<(), OutOfRange> {
        let units = given.as_nanos() / self.unit.as_nanos();
        match u32::try_from(units) {
            Ok(units) if self.unit * *self.range.end() >= given => {
                self.set_value(units).map_err(|_| self.out_of_range(given))
            }
            _ => Err(self.out_of_range(given)),
        }
    }

    fn out_of_range(&self, given: Duration) -> OutOfRange {
        let (min, max) = (self.unit * *self.range.start(), self.unit * *self.range.end());
        OutOfRange { name: self.name, given, min, max }
    }
}

/// How long a thread that finds a lock held polls it, at least, before it parks.
#[must_use]
pub fn spin() -> Duration {
    SPIN.duration()
}

/// Sets [`spin`]; 0 parks at once, whatever [`spin_max`] is, and nobody polls for a notice either.
///
/// # Errors
/// [`OutOfRange`] above 1 ms; the setting is unchanged.
pub fn set_spin(spin: Duration) -> Result<(), OutOfRange> {
    SPIN.set(spin)
}

/// How long a thread polls a lock, at most, where polling has paid lately; also how long the first in line of those
/// who wait with a condition variable polls. (Beyond 65 us more than
/// [`spin`] only a probe now and then polls so long.)
#[must_use]
pub fn spin_max() -> Duration {
    SPIN_MAX.duration()
}

/// Sets [`spin_max`]; less than [`spin`] is like [`spin`].
///
/// # Errors
/// [`OutOfRange`] above 1 ms; the setting is unchanged.
pub fn set_spin_max(spin_max: Duration) -> Result<(), OutOfRange> {
    SPIN_MAX.set(spin_max)
}

/// How long a thread waits between its first two looks at a held lock, one
/// [`spin_loop`](core::hint::spin_loop) at least; further gaps double up to 500 ns. (Where sections are
/// tiny it is 300 ns at least: threads take turns there.)
#[must_use]
pub fn poll_gap() -> Duration {
    POLL_GAP.duration()
}

/// Sets [`poll_gap`].
///
/// # Errors
/// [`OutOfRange`] below 1 ns or above 100 us; the setting is unchanged.
pub fn set_poll_gap(gap: Duration) -> Result<(), OutOfRange> {
    POLL_GAP.set(gap)
}

/// After how much running a thread that has to poll first yields its processor to other threads.
/// Beside threads that do not return the favour it is longer, up to 1 ms.
#[must_use]
pub fn yield_interval() -> Duration {
    YIELD.duration()
}

/// Sets [`yield_interval`]; fractions of a microsecond are dropped. Shorter makes for shorter waits
/// and more context switches when there are more runnable threads than processors.
///
/// # Errors
/// [`OutOfRange`] below 1 us or above 1 s; the setting is unchanged.
pub fn set_yield_interval(interval: Duration) -> Result<(), OutOfRange> {
    YIELD.set(interval)
}

/// How long the waiter whose turn it is may be overtaken before it claims the lock.
#[must_use]
pub fn fair_interval() -> Duration {
    FAIR.duration()
}

/// Sets [`fair_interval`]; fractions of a microsecond are dropped.
///
/// # Errors
/// [`OutOfRange`] below 1 us or above 1 s; the setting is unchanged.
pub fn set_fair_interval(interval: Duration) -> Result<(), OutOfRange> {
    FAIR.set(interval)
}

/// Whether there is a lookout: a thread that nudges tasks which sleep behind one that does not come
/// ([`TaskWaiter`](crate::TaskWaiter)). It is started when the second task of the process waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookout {
    /// As needed.
    On,
    /// It is not started, or does nothing. A lock that is released to a task which is never polled then keeps others waiting
    /// until somebody else comes by.
    Off,
}

const ON: u32 = 0;
const OFF: u32 = 1;

/// Access: as a setting's value.
static LOOKOUT: AtomicU32 = AtomicU32::new(UNSET);

/// Whether there is a lookout.
#[inline]
#[must_use]
pub fn lookout() -> Lookout {
    match LOOKOUT.load(Ordering::Relaxed) {
        ON => Lookout::On,
        OFF => Lookout::Off,
        _ => choose_lookout(),
    }
}

/// Sets [`lookout`]. Switched off while it runs, it goes to sleep after at most one more round; the thread stays. Switched on again,
/// it sees to whatever an unpark operation has left behind when it was on.
pub fn set_lookout(lookout: Lookout) {
    LOOKOUT.store(if lookout == Lookout::On { ON } else { OFF }, Ordering::Relaxed);
    #[cfg(not(loom))]
    if lookout == Lookout::On {
        crate::lookout::turned_on();
    }
}

#[cold]
fn choose_lookout() -> Lookout {
    let chosen = crate::sys::with_env(c"PARKADE_LOOKOUT", parse_lookout);
    let value = if chosen == Some(Lookout::Off) { OFF } else { ON };
    let first = LOOKOUT.compare_exchange(UNSET, value, Ordering::Relaxed, Ordering::Relaxed);
    if first.is_ok() && chosen.is_none() {
        crate::sys::warn(format_args!("PARKADE_LOOKOUT is not `on` or `off`; using on"));
    }
    lookout()
}

/// `None` for what is neither; on when nothing is said.
fn parse_lookout(text: Option<&[u8]>) -> Option<Lookout> {
    match text.map(<[u8]>::trim_ascii) {
        None | Some(b"on") => Some(Lookout::On),
        Some(b"off") => Some(Lookout::Off),
        Some(_) => None,
    }
}

/// Chooses all values, so that no lock path has to.
#[cfg(all(unix, not(loom)))]
pub(crate) fn read_environment() {
    let _ = lookout();
    for setting in SETTINGS {
        let _ = setting.value();
    }
}

pub(crate) fn spin_ns() -> u32 {
    SPIN.value()
}

pub(crate) fn spin_max_ns() -> u32 {
    SPIN_MAX.value()
}

pub(crate) fn poll_gap_ns() -> u32 {
    POLL_GAP.value()
}

pub(crate) fn yield_interval_ns() -> u64 {
    1000 * u64::from(YIELD.value())
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_enforced_and_nothing_changes_on_error() {
        let before = fair_interval();
        for bad in
            [Duration::ZERO, Duration::from_nanos(999), Duration::from_secs(2), Duration::MAX]
        {
            let error = set_fair_interval(bad).unwrap_err();
            assert!(error.to_string().contains("1µs to 1s"), "{error}");
            assert_eq!(fair_interval(), before);
        }
        assert!(set_spin(Duration::from_nanos(1_000_001)).is_err());
        assert!(set_spin(Duration::from_nanos(1_000_000)).is_ok());
        assert_eq!(spin(), Duration::from_millis(1));
        set_spin(Duration::from_nanos(u64::from(DEFAULT_SPIN_NS))).unwrap();
    }

    #[test]
    fn every_setting_has_one_name_and_a_default_in_its_range() {
        for known in settings() {
            let variable = format!("PARKADE_{}", known.name().to_uppercase());
            assert_eq!(known.variable.to_str(), Ok(&*variable));
            assert!(known.range().contains(&known.default_value()), "{known:?}");
            assert!(!known.range().contains(&UNSET), "{known:?}");
            assert!(core::ptr::eq(setting(known.name()).unwrap(), *known));
        }
        assert!(setting("spin").is_none());
    }

    #[test]
    fn values_by_name_have_the_same_range() {
        let fair = setting("fair_us").unwrap();
        let before = fair.value();
        assert_eq!(
            fair.set_value(0).unwrap_err().to_string(),
            "fair_us of 0ns is out of range (1µs to 1s)"
        );
        assert!(fair.set_value(1_000_001).is_err());
        assert!(fair.set_value(UNSET).is_err());
        assert_eq!(fair.value(), before);
    }

    #[test]
    fn the_lookout_is_switched_by_a_word() {
        for on in [None, Some(&b"on"[..]), Some(b" on\n")] {
            assert_eq!(parse_lookout(on), Some(Lookout::On));
        }
        assert_eq!(parse_lookout(Some(b"off")), Some(Lookout::Off));
        for bad in [&b""[..], b"0", b"OFF", b"no", &[0xff]] {
            assert_eq!(parse_lookout(Some(bad)), None);
        }
    }

    #[test]
    fn the_environment_is_parsed_strictly() {
        for bad in ["", "x", "-1", "1.5", "1000001", "99999999999", "3us"] {
            assert_eq!(SPIN.parse(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(SPIN.parse(b"0"), Some(0));
        assert_eq!(SPIN.parse(b" 1000000 "), Some(1_000_000));
        assert_eq!(FAIR.parse(b"0"), None);
        assert_eq!(FAIR.parse(&[0xff]), None);
    }
}
