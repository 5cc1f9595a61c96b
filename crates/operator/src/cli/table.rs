//! Lists, as a table for people and as JSON for programs.

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
            say!("{}", serde_json::to_string_pretty(rows)?);
        } else if rows.is_empty() {
            say!("{}", self.none);
        } else {
            let mut table = Table::new();
            table
                .load_style(presets::NOTHING)
                .set_header(self.names.to_vec());
            table.add_rows(rows.iter().map(self.cells));
            say!("{}", table.trim_fmt());
        }
        Ok(())
    }
}
