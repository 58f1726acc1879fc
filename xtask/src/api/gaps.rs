//! The list of gaps that are meant.

use std::{cell::Cell, fs, path::Path};

use crate::shell::Outcome;

/// One line of the list: a gap, or with a `*` at its end all gaps that begin so.
struct Known {
    comparison: String,
    key: String,
    reason: String,
    used: Cell<bool>,
}

impl Known {
    fn covers(&self, comparison: &str, key: &str) -> bool {
        let is_it = match self.key.strip_suffix('*') {
            Some(start) => key.starts_with(start),
            None => key == self.key,
        };
        is_it && self.comparison == comparison
    }
}

/// The list, which remembers what of it was needed.
pub(super) struct List(Vec<Known>);

/// Reads lines of `comparison | gap | reason`; `#` begins a comment.
pub(super) fn read(path: &Path) -> Outcome<List> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    parse(&text)
}

fn parse(text: &str) -> Outcome<List> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let known = lines.map(|line| {
        let parts: Vec<_> = line.split('|').map(str::trim).collect();
        match parts.as_slice() {
            [comparison, key, reason] if !reason.is_empty() => Ok(Known {
                comparison: (*comparison).to_owned(),
                key: (*key).to_owned(),
                reason: (*reason).to_owned(),
                used: Cell::new(false),
            }),
            _ => Err(format!("not `comparison | gap | reason`: {line}")),
        }
    });
    known.collect::<Outcome<_>>().map(List)
}

impl List {
    /// Why there is this gap, if it is known.
    pub(super) fn reason(&mut self, comparison: &str, key: &str) -> Option<&str> {
        let known = self.0.iter().find(|known| known.covers(comparison, key))?;
        known.used.set(true);
        Some(&known.reason)
    }

    /// What is listed and is no gap.
    pub(super) fn unused(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|known| !known.used.get()).map(|known| known.key.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_line_explains_its_gap_or_all_that_begin_so() {
        let mut list =
            parse("# why\none | A::b | it is\none | C* | it was\nother | D | x\n").unwrap();
        assert_eq!(list.reason("one", "A::b"), Some("it is"));
        assert_eq!(list.reason("one", "C::d"), Some("it was"));
        assert_eq!(list.reason("other", "A::b"), None);
        assert_eq!(list.unused().collect::<Vec<_>>(), ["D"]);
        assert!(parse("one | A::b |").is_err(), "a gap needs a reason");
    }
}
