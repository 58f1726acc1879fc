//! Figures for people.

/// Three significant digits with a unit prefix: `135 M`, `710 k`, `1.56 k`, `12.3`.
pub(crate) fn rate(value: f64) -> String {
    let (scaled, unit) = match value {
        v if v >= 999.5e6 => (v / 1e9, " G"),
        v if v >= 999.5e3 => (v / 1e6, " M"),
        v if v >= 999.5 => (v / 1e3, " k"),
        v => (v, ""),
    };
    format!("{}{unit}", significant(scaled))
}

/// A duration in nanoseconds with a unit: `85 ns`, `1.20 us`, `12.1 ms`, `1.20 s`.
pub(crate) fn duration(ns: f64) -> String {
    let (scaled, unit) = match ns {
        v if v >= 999.5e6 => (v / 1e9, "s"),
        v if v >= 999.5e3 => (v / 1e6, "ms"),
        v if v >= 999.5 => (v / 1e3, "us"),
        v => (v, "ns"),
    };
    format!("{} {unit}", significant(scaled))
}

/// A small count per operation: `0.52`, `3.1e-5`, `0`.
pub(crate) fn per_op(value: f64) -> String {
    match value {
        0.0 => "0".into(),
        v if v >= 0.001 => significant(v),
        v => format!("{v:.1e}"),
    }
}

/// A ratio: `1.02x`, `0.004x`.
pub(crate) fn ratio(value: f64) -> String {
    match value {
        v if v >= 99.5 => format!("{v:.0}x"),
        v if v >= 9.95 => format!("{v:.1}x"),
        v if v >= 0.00995 || v == 0.0 => format!("{v:.2}x"),
        v if v >= 0.0005 => format!("{v:.4}x"),
        v => format!("{v:.0e}x"),
    }
}

/// A part of a whole: `12 %`.
pub(crate) fn percent(value: f64) -> String {
    format!("{:.0} %", value * 100.0)
}

/// `of` what is there, a dash for what is not.
pub(crate) fn or_dash<T>(value: Option<T>, of: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| "-".into(), of)
}

fn significant(value: f64) -> String {
    match value {
        v if v >= 99.95 => format!("{v:.0}"),
        v if v >= 9.995 => format!("{v:.1}"),
        0.0 => "0".into(),
        v if v >= 0.0995 => format!("{v:.2}"),
        v => format!("{v:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures() {
        assert_eq!(rate(135.24e6), "135 M");
        assert_eq!(rate(1557.0), "1.56 k");
        assert_eq!(rate(999.9), "1.00 k");
        assert_eq!(rate(0.0), "0");
        assert_eq!(duration(85.0), "85.0 ns");
        assert_eq!(duration(12_100_000.0), "12.1 ms");
        assert_eq!(duration(1.2e9), "1.20 s");
        assert_eq!(per_op(0.0000312), "3.1e-5");
        assert_eq!(per_op(0.52), "0.52");
        assert_eq!(ratio(0.9712), "0.97x");
        assert_eq!(ratio(0.0041), "0.0041x");
        assert_eq!(ratio(0.000012), "1e-5x");
        assert_eq!(ratio(0.0), "0.00x");
        assert_eq!(percent(0.953), "95 %");
        assert_eq!(or_dash(None::<f64>, rate), "-");
    }
}
