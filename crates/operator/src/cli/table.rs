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
            let safe = |cell: String| text::line(&cell).into_owned();
            let cells = |row: &T| (self.cells)(row).into_iter().map(safe).collect();
            say!("{}", rendered(self.names, rows.iter().map(cells).collect()));
        }
        Ok(())
    }
}

/// Says how many rows a limit has left out: beside JSON on standard error, so that it stays JSON.
pub(super) fn say_left_out(rows: u64, json: bool) {
    let line = format!("{rows} more; --limit shows them.");
    match (rows, json) {
        (0, _) => {}
        (_, true) => eprintln!("{line}"),
        (_, false) => say!("\n{line}"),
    }
}

/// Writes a table. Where it is wider than a terminal, the last column stands below the others, in a line of its own.
fn rendered(names: &[&str], mut rows: Vec<Vec<String>>) -> String {
    let whole = plain(names, &rows);
    let fits = whole
        .lines()
        .all(|line| line.chars().count() <= text::WIDTH);
    let [first @ .., last] = names else {
        return whole;
    };
    if fits {
        return whole;
    }
    let lasts: Vec<String> = rows.iter_mut().filter_map(Vec::pop).collect();
    let below = std::iter::once(*last).chain(lasts.iter().map(String::as_str));
    let mut lines = Vec::new();
    for (line, below) in plain(first, &rows).lines().zip(below) {
        lines.push(line.to_owned());
        if !below.is_empty() {
            lines.push(text::hanging("    ", below, text::WIDTH));
        }
    }
    lines.join("\n")
}

fn plain(names: &[&str], rows: &[Vec<String>]) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(names.to_vec());
    table.add_rows(rows);
    table.trim_fmt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wide_table_has_its_last_column_below_the_others() {
        let row = |last: &str| vec!["a".to_owned(), "b".to_owned(), last.to_owned()];
        let narrow = rendered(&["ONE", "TWO", "THREE"], vec![row("c")]);
        assert_eq!(narrow, " ONE  TWO  THREE\n a    b    c");
        let wide = rendered(
            &["ONE", "TWO", "THREE"],
            vec![row(&"word ".repeat(20)), row("")],
        );
        assert!(
            wide.lines().all(|line| line.chars().count() <= text::WIDTH),
            "{wide}"
        );
        assert!(
            wide.starts_with(" ONE  TWO\n    THREE\n a    b\n    word word"),
            "{wide}"
        );
        assert!(wide.ends_with("\n a    b"), "{wide}");
    }
}
