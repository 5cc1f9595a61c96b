//! Lists, as a table for people and as JSON for programs.

use super::text;
use comfy_table::{Table, presets};
use serde::Serialize;

/// How a list of rows is printed.
pub(super) struct Columns<'a, T> {
    pub(super) names: &'a [&'a str],
    /// Printed where there is no row.
    pub(super) none: &'a str,
    pub(super) cells: fn(&T) -> Vec<String>,
}

impl<T: Serialize> Columns<'_, T> {
    /// Prints the rows: as one JSON array, or as a table.
    pub(super) fn print(&self, rows: &[T], json: bool) -> anyhow::Result<()> {
        if json {
            say!("{}", text::json(&rows)?);
        } else if rows.is_empty() {
            say!("{}", self.none);
        } else {
            let mut table = Table::new();
            table
                .load_style(presets::NOTHING)
                .set_header(self.names.to_vec());
            let safe = |cell: String| text::line(&cell).into_owned();
            let cells = |row| (self.cells)(row).into_iter().map(safe);
            table.add_rows(rows.iter().map(|row| cells(row).collect::<Vec<_>>()));
            say!("{}", table.trim_fmt());
        }
        Ok(())
    }
}
