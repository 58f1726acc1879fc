//! Values that several commands take.

use std::ops::RangeInclusive;
use std::time::Duration;

/// A number of seconds in `range`.
pub(crate) fn seconds(text: &str, range: &RangeInclusive<f64>) -> Result<Duration, String> {
    let secs: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    if range.contains(&secs) {
        Ok(Duration::from_secs_f64(secs))
    } else {
        Err(format!("not in {}..={}", range.start(), range.end()))
    }
}
