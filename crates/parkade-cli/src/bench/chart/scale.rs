//! Axes: from figures to places.

/// How figures are spread over an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// From zero in equal steps.
    Linear,
    /// Every power of ten has the same length.
    Log,
}

/// One axis.
#[derive(Debug, Clone)]
pub(super) struct Scale {
    kind: Kind,
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Scale {
    /// An axis for `values`, drawn from `from` to `to`.
    pub(super) fn new(kind: Kind, values: impl Iterator<Item = f64>, from: f64, to: f64) -> Scale {
        let usable = values.filter(|v| v.is_finite() && (kind == Kind::Linear || *v > 0.0));
        let (low, high) = usable
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        let (low, high) = match kind {
            _ if low > high => (1.0, 10.0),
            Kind::Linear => (0.0, if high > 0.0 { high * 1.08 } else { 1.0 }),
            // A little air on both sides, and never less than a fifth of a decade.
            Kind::Log => {
                let (low, high) = (low.log10() - 0.08, high.log10() + 0.08);
                let middle = (low + high) / 2.0;
                let half = ((high - low) / 2.0).max(0.1);
                (10f64.powf(middle - half), 10f64.powf(middle + half))
            }
        };
        Scale { kind, low, high, from, to }
    }

    /// An axis with given ends.
    pub(super) fn fixed(kind: Kind, low: f64, high: f64, from: f64, to: f64) -> Scale {
        Scale { kind, low, high, from, to }
    }

    /// Where a figure is; figures beyond an end are at the end.
    pub(super) fn at(&self, value: f64) -> f64 {
        let part = match self.kind {
            Kind::Linear => (value - self.low) / (self.high - self.low),
            Kind::Log => {
                let value = value.max(f64::MIN_POSITIVE);
                (value / self.low).log10() / (self.high / self.low).log10()
            }
        };
        self.from + part.clamp(0.0, 1.0) * (self.to - self.from)
    }

    /// Round figures to write at the axis.
    pub(super) fn ticks(&self) -> Vec<f64> {
        match self.kind {
            Kind::Linear => {
                let step = round_step((self.high - self.low) / 4.0);
                (0..)
                    .map(|n| f64::from(n) * step)
                    .skip_while(|tick| *tick < self.low)
                    .take_while(|tick| *tick <= self.high)
                    .collect()
            }
            Kind::Log => self.log_ticks(),
        }
    }

    fn log_ticks(&self) -> Vec<f64> {
        let decades = (self.high / self.low).log10();
        // Labels need about 36 of a chart's 270 pixels.
        let steps: &[f64] = match decades {
            d if d < 0.3 => &[1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0],
            d if d < 0.5 => &[1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0],
            d if d < 1.0 => &[1.0, 1.5, 2.0, 3.0, 5.0, 7.0],
            d if d < 1.6 => &[1.0, 2.0, 5.0],
            d if d < 2.5 => &[1.0, 3.0],
            _ => &[1.0],
        };
        // At most about six labels.
        let stride = (decades / 6.0).ceil().max(1.0) as i32;
        let first = self.low.log10().floor() as i32;
        let last = self.high.log10().ceil() as i32;
        (first..=last)
            .filter(|exponent| exponent.rem_euclid(stride) == 0)
            .flat_map(|exponent| steps.iter().map(move |step| step * 10f64.powi(exponent)))
            .filter(|tick| (self.low..=self.high).contains(tick))
            .collect()
    }
}

/// The next of 1, 2 or 5 times a power of ten.
fn round_step(least: f64) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|f| f * power >= least).unwrap_or(10.0);
    factor * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_at_the_ends() {
        let scale = Scale::fixed(Kind::Log, 1.0, 1000.0, 0.0, 300.0);
        assert_eq!(scale.at(1.0), 0.0);
        assert!((scale.at(10.0) - 100.0).abs() < 1e-9);
        assert_eq!(scale.at(0.0), 0.0);
        assert_eq!(scale.at(1e9), 300.0);
        assert_eq!(scale.ticks(), [1.0, 10.0, 100.0, 1000.0]);
    }

    #[test]
    fn strange_figures_do_not_break_an_axis() {
        for values in [vec![], vec![0.0], vec![f64::NAN], vec![5.0], vec![5.0, 5.0]] {
            for kind in [Kind::Linear, Kind::Log] {
                let scale = Scale::new(kind, values.iter().copied(), 0.0, 100.0);
                assert!(scale.at(5.0).is_finite(), "{kind:?} {values:?}");
                assert!(scale.ticks().len() < 20);
            }
        }
    }

    #[test]
    fn linear_ticks_are_round() {
        let scale = Scale::fixed(Kind::Linear, 0.0, 7.3, 0.0, 1.0);
        assert_eq!(scale.ticks(), [0.0, 2.0, 4.0, 6.0]);
    }
}
