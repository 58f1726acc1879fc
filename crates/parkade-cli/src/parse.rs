//! Values that several commands take.

use std::ops::RangeInclusive;
use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

/// A number of seconds in `range`.
pub(crate) fn seconds(text: &str, range: &RangeInclusive<f64>) -> Result<Duration, String> {
    let secs: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    if range.contains(&secs) {
        Ok(Duration::from_secs_f64(secs))
    } else {
        Err(format!("not in {}..={}", range.start(), range.end()))
    }
}

/// Something known by its name; `find` knows all of `names`.
pub(crate) fn named<T: Clone + Send + Sync + 'static>(
    names: impl IntoIterator<Item = impl Into<PossibleValue>>,
    find: impl Fn(&str) -> Option<T> + Clone + Send + Sync + 'static,
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(names)
        .map(move |name| find(&name).expect("only known names are let through"))
}
