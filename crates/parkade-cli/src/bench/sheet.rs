//! Tables that are shown in the terminal and on the page.

use std::fmt;

use super::table::{align_right, new_table, outcome};

/// A table for the terminal or the page, with what is said above and below it.
#[derive(Debug)]
pub(crate) struct Sheet {
    /// What it shows.
    pub(crate) title: String,
    /// The heads of its columns.
    pub(crate) head: Vec<String>,
    /// Its rows. Whether a mark is reached goes with the figure.
    pub(crate) rows: Vec<Vec<(String, Option<bool>)>>,
    /// What has to be known to read it.
    pub(crate) notes: Vec<String>,
}

impl fmt::Display for Sheet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = new_table();
        table.set_header(&self.head);
        for row in &self.rows {
            let cell = |(text, reached): &(String, Option<bool>)| {
                format!("{text} {}", outcome(*reached)).trim_end().to_owned()
            };
            table.add_row(row.iter().map(cell));
        }
        align_right(&mut table);
        writeln!(f, "{}\n{table}", self.title)?;
        self.notes.iter().try_for_each(|note| writeln!(f, "  {note}"))
    }
}

/// A figure without a mark.
pub(crate) fn plain(text: String) -> (String, Option<bool>) {
    (text, None)
}
