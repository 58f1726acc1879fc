//! The tables of transitions in the rooms of the locks: data, which tests hold against the code and the models.

/// A row of a table.
#[derive(Debug)]
pub(crate) struct Transition {
    pub(crate) id: &'static str,
    pub(crate) from_to: &'static str,
    pub(crate) by: &'static str,
    pub(crate) models: &'static str,
}

pub(crate) const fn row(
    id: &'static str,
    from_to: &'static str,
    by: &'static str,
    models: &'static str,
) -> Transition {
    Transition { id, from_to, by, models }
}

/// Panics unless each of `table` has the models that it names in the text `models`, and one that says it covers it.
#[cfg(not(loom))]
pub(crate) fn assert_modelled(table: &[Transition], models: &str) {
    for Transition { id, models: named, .. } in table {
        for name in named.split(", ") {
            assert!(models.contains(&format!("fn model_{name}(")), "{id}: no model {name}");
        }
        let covered = models.lines().any(|line| {
            line.starts_with("/// covers:") && line.split([' ', ',']).any(|word| word == *id)
        });
        assert!(covered, "no model covers {id}");
    }
}
