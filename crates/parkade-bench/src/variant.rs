//! A lock with the settings it is measured with.

use std::fmt;
use std::str::FromStr;

pub use parkade::tuning::settings;
use parkade::tuning::{self, Setting};
use serde::{Deserialize, Serialize};

use crate::subject::SubjectId;

/// One value of one of Parkade's process-wide settings, written `spin_ns=3000`.
#[derive(Debug, Clone, Copy)]
pub struct Tuned {
    setting: &'static Setting,
    value: u32,
}

/// Why a text names no value of a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TuningError {
    /// Not `NAME=VALUE`.
    Form(String),
    /// No setting has that name.
    Name(String),
    /// The value is not a whole number in the setting's range.
    Value {
        /// The setting's name.
        name: &'static str,
        /// What was given.
        given: String,
    },
}

impl fmt::Display for TuningError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = tuning::settings().iter().map(|setting| setting.name()).collect();
        let names = names.join(", ");
        match self {
            TuningError::Form(text) => {
                write!(f, "`{text}` is not PARAM=VALUE, PARAM being one of {names}")
            }
            TuningError::Name(name) => {
                write!(f, "no setting is called `{name}`; there are {names}")
            }
            TuningError::Value { name, given } => {
                write!(f, "`{given}` is no value of {name}: ")?;
                let range = tuning::setting(name).map_or(0..=0, Setting::range);
                write!(f, "a whole number from {} to {} is", range.start(), range.end())
            }
        }
    }
}

impl std::error::Error for TuningError {}

impl Tuned {
    /// The value written `value` of the setting called `name`.
    ///
    /// # Errors
    /// [`TuningError::Name`] or [`TuningError::Value`].
    pub fn new(name: &str, value: &str) -> Result<Tuned, TuningError> {
        let setting = tuning::setting(name).ok_or_else(|| TuningError::Name(name.to_owned()))?;
        value
            .parse()
            .ok()
            .filter(|value| setting.range().contains(value))
            .map(|value| Tuned { setting, value })
            .ok_or_else(|| TuningError::Value { name: setting.name(), given: value.to_owned() })
    }

    /// The setting's name.
    pub fn name(self) -> &'static str {
        self.setting.name()
    }

    /// The value, in the setting's unit.
    pub fn value(self) -> u32 {
        self.value
    }

    /// Puts the value in force until what is returned is dropped.
    fn apply(self) -> Restore {
        let before = Tuned { value: self.setting.value(), ..self };
        self.setting.set_value(self.value).expect("a Tuned is in its range");
        Restore(before)
    }
}

impl PartialEq for Tuned {
    fn eq(&self, other: &Tuned) -> bool {
        (self.name(), self.value) == (other.name(), other.value)
    }
}

impl Eq for Tuned {}

impl fmt::Display for Tuned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name(), self.value)
    }
}

impl FromStr for Tuned {
    type Err = TuningError;

    fn from_str(text: &str) -> Result<Tuned, TuningError> {
        let (name, value) =
            text.split_once('=').ok_or_else(|| TuningError::Form(text.to_owned()))?;
        Tuned::new(name, value)
    }
}

/// Puts back the value that was in force, also when a panic unwinds.
#[derive(Debug)]
struct Restore(Tuned);

impl Drop for Restore {
    fn drop(&mut self) {
        let Restore(Tuned { setting, value }) = self;
        setting.set_value(*value).expect("it was in force before");
    }
}

/// A lock and the settings it is measured with: what a figure belongs to. Written as the lock's
/// name and then the settings, as in `parkade spin_ns=3000`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Variant {
    subject: SubjectId,
    tuning: Vec<Tuned>,
}

impl Variant {
    /// Parkade with these settings instead of the process's.
    pub fn parkade(tuning: Vec<Tuned>) -> Variant {
        Variant { subject: SubjectId::Parkade, tuning }
    }

    /// The lock.
    pub fn subject(&self) -> SubjectId {
        self.subject
    }

    /// The settings it has of its own.
    pub fn tuning(&self) -> &[Tuned] {
        &self.tuning
    }

    /// Whether it is one of those that Parkade is compared with.
    pub fn is_rival(&self) -> bool {
        !self.subject.is_ours()
    }

    /// Runs `body` with the settings in force; afterwards, even if it panics, those are in force
    /// which were before.
    ///
    /// Settings belong to the process: while `body` runs, its threads must be the only ones that
    /// measure.
    pub fn tuned<R>(&self, body: impl FnOnce() -> R) -> R {
        with_all(&self.tuning, body)
    }
}

/// One after the other, so that they go back in the opposite order.
fn with_all<R>(tuning: &[Tuned], body: impl FnOnce() -> R) -> R {
    let Some((first, others)) = tuning.split_first() else {
        return body();
    };
    let _restore = first.apply();
    with_all(others, body)
}

impl From<SubjectId> for Variant {
    fn from(subject: SubjectId) -> Variant {
        Variant { subject, tuning: Vec::new() }
    }
}

/// `variant == SubjectId::Std`: that lock, and with no settings of its own.
impl PartialEq<SubjectId> for Variant {
    fn eq(&self, other: &SubjectId) -> bool {
        self.subject == *other && self.tuning.is_empty()
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.subject.name().to_owned();
        for tuned in &self.tuning {
            text.push_str(&format!(" {tuned}"));
        }
        f.pad(&text)
    }
}

impl From<Variant> for String {
    fn from(variant: Variant) -> String {
        variant.to_string()
    }
}

impl TryFrom<String> for Variant {
    type Error = String;

    fn try_from(text: String) -> Result<Variant, String> {
        let mut words = text.split(' ');
        let name = words.next().unwrap_or_default();
        let subject = SubjectId::find(name).ok_or_else(|| format!("no lock is called `{name}`"))?;
        let tuning = words.map(str::parse).collect::<Result<Vec<Tuned>, TuningError>>();
        Ok(Variant { subject, tuning: tuning.map_err(|error| error.to_string())? })
    }
}

/// Settings belong to the process, and tests run side by side.
#[cfg(test)]
pub(crate) static ONE_TUNER: std::sync::Mutex<()> = std::sync::Mutex::new(());

#[cfg(test)]
mod tests {
    use std::sync::PoisonError;

    use super::*;

    fn parkade(tuning: &[&str]) -> Variant {
        Variant::parkade(tuning.iter().map(|text| text.parse().unwrap()).collect())
    }

    fn in_force() -> Vec<u32> {
        tuning::settings().iter().map(|setting| setting.value()).collect()
    }

    #[test]
    fn names_come_back() {
        let two = parkade(&["spin_ns=0", "fair_us=100"]);
        assert_eq!(two.to_string(), "parkade spin_ns=0 fair_us=100");
        assert_eq!(format!("{:>20}", parkade(&["spin_ns=3"])), "   parkade spin_ns=3");
        for variant in [two, Variant::from(SubjectId::ParkingLot012), parkade(&[])] {
            let json = serde_json::to_string(&variant).unwrap();
            assert_eq!(json, format!("\"{variant}\""));
            assert_eq!(serde_json::from_str::<Variant>(&json).unwrap(), variant);
        }
        assert!(serde_json::from_str::<Variant>("\"spin\"").is_err());
        assert!(serde_json::from_str::<Variant>("\"parkade spin=3\"").is_err());
    }

    #[test]
    fn errors_name_what_is_allowed() {
        let error = |text: &str| text.parse::<Tuned>().unwrap_err();
        assert_eq!(error("spin_ns"), TuningError::Form("spin_ns".into()));
        assert_eq!(error("spin=3"), TuningError::Name("spin".into()));
        for setting in settings() {
            assert!(error("spin=3").to_string().contains(setting.name()), "{}", setting.name());
        }
        for wrong in ["", "x", "-1", "0.5", "1000001", "99999999999", " 3"] {
            let error = error(&format!("spin_ns={wrong}"));
            assert_eq!(error, TuningError::Value { name: "spin_ns", given: wrong.into() });
            assert!(error.to_string().ends_with("a whole number from 0 to 1000000 is"), "{error}");
        }
    }

    #[test]
    fn settings_are_in_force_while_the_body_runs() {
        let _alone = ONE_TUNER.lock().unwrap_or_else(PoisonError::into_inner);
        let before = in_force();
        let seen = parkade(&["fair_us=123", "spin_ns=77"]).tuned(in_force);
        assert_ne!(seen, before);
        assert_eq!(tuning::setting("spin_ns").map(Setting::name), Some("spin_ns"));
        assert!(seen.contains(&123) && seen.contains(&77), "{seen:?}");
        assert_eq!(in_force(), before);
        // The last word counts, and the first value comes back.
        let seen = parkade(&["spin_ns=1", "spin_ns=2"]).tuned(in_force);
        assert!(seen.contains(&2), "{seen:?}");
        assert_eq!(in_force(), before);
    }

    #[test]
    fn a_panic_restores_them() {
        let _alone = ONE_TUNER.lock().unwrap_or_else(PoisonError::into_inner);
        let before = in_force();
        let outcome = std::panic::catch_unwind(|| {
            parkade(&["fair_us=123"]).tuned(|| panic!("{:?}", in_force()));
        });
        let seen = outcome.unwrap_err().downcast::<String>().unwrap();
        assert!(seen.contains("123"), "{seen}");
        assert_eq!(in_force(), before);
    }
}
