//! `--sweep`: Parkade with several values of its settings.

use std::str::FromStr;

use parkade_bench::variant::{Tuned, TuningError, Variant};

/// More than this no table or picture tells apart.
const MOST_VARIANTS: usize = 32;

/// The values of one setting, `spin_ns=0,3000`; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sweep(Vec<Tuned>);

impl FromStr for Sweep {
    type Err = TuningError;

    fn from_str(text: &str) -> Result<Sweep, TuningError> {
        let (name, values) =
            text.split_once('=').ok_or_else(|| TuningError::Form(text.to_owned()))?;
        let mut once: Vec<Tuned> = Vec::new();
        for value in values.split(',') {
            let tuned = Tuned::new(name, value)?;
            if !once.contains(&tuned) {
                once.push(tuned);
            }
        }
        Ok(Sweep(once))
    }
}

/// Parkade with every combination of the values, the last setting's changing fastest.
pub(crate) fn variants(sweeps: &[Sweep]) -> Result<Vec<Variant>, String> {
    let mut all: Vec<Vec<Tuned>> = vec![Vec::new()];
    for (index, Sweep(values)) in sweeps.iter().enumerate() {
        let name = values[0].name();
        if sweeps[..index].iter().any(|Sweep(others)| others[0].name() == name) {
            return Err(format!("--sweep: {name} is there twice; give all its values at once"));
        }
        if all.len() * values.len() > MOST_VARIANTS {
            return Err(format!("--sweep: more than {MOST_VARIANTS} combinations"));
        }
        all = all
            .iter()
            .flat_map(|so_far| values.iter().map(|&value| [&so_far[..], &[value]].concat()))
            .collect();
    }
    Ok(all.into_iter().map(Variant::parkade).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(sweeps: &[&str]) -> Result<Vec<String>, String> {
        let sweeps: Vec<Sweep> = sweeps.iter().map(|text| text.parse().unwrap()).collect();
        Ok(variants(&sweeps)?.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn several_settings_are_combined() {
        assert_eq!(
            names(&["spin_ns=0,9", "fair_us=5,1"]).unwrap(),
            [
                "parkade spin_ns=0 fair_us=5",
                "parkade spin_ns=0 fair_us=1",
                "parkade spin_ns=9 fair_us=5",
                "parkade spin_ns=9 fair_us=1",
            ]
        );
        assert!(names(&["spin_ns=0", "spin_ns=9"]).unwrap_err().contains("spin_ns is there twice"));
        let many =
            format!("spin_ns={}", (0..17).map(|n| n.to_string()).collect::<Vec<_>>().join(","));
        assert_eq!(names(&[&many]).unwrap().len(), 17);
        assert!(names(&[&many, "fair_us=1,2"]).unwrap_err().contains("more than 32"));
    }

    #[test]
    fn what_is_no_value_is_refused() {
        for wrong in ["", "spin_ns", "spin_ns=", "spin_ns=1,", "spin_ns=1;2", "=1", "spin=1"] {
            assert!(wrong.parse::<Sweep>().is_err(), "{wrong}");
        }
    }
}
