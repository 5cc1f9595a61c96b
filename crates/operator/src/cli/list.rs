//! Lists, for people and for programs.

use comfy_table::{Table, presets};
use serde::Serialize;

/// Says `rows`: as one JSON array, or as a table with these columns; `none` when there are none.
pub(crate) fn say<T: Serialize>(
    rows: &[T],
    json: bool,
    none: &str,
    columns: &[&str],
    cells: impl Fn(&T) -> Vec<String>,
) -> anyhow::Result<()> {
    if json {
        say!("{}", serde_json::to_string_pretty(rows)?);
    } else if rows.is_empty() {
        say!("{none}");
    } else {
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING)
            .set_header(columns.to_vec());
        table.add_rows(rows.iter().map(cells));
        say!("{}", table.trim_fmt());
    }
    Ok(())
}
