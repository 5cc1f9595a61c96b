//! What the searches in students and encadrants have in common.

/// Begins a transaction whose statements see the same rows, and are planned with the values of their parameters: one
/// plan for all filters would read the whole table.
pub(crate) const SNAPSHOT: &str = "begin isolation level repeatable read, read only; set local plan_cache_mode = force_custom_plan";

/// The order of a list, and the rows of a page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows {
    /// The name of a column.
    pub by: &'static str,
    /// Whether the greatest comes first.
    pub descending: bool,
    /// How many precede the page.
    pub offset: i64,
    /// How many the page has at most.
    pub limit: i64,
}

/// Returns the pattern that finds a text anywhere. An index of trigrams knows no text of fewer than three characters, so
/// such a text is found at the beginning of a word.
pub(crate) fn pattern(search: &str) -> Option<String> {
    let search = search.trim();
    let mut escaped = String::new();
    for character in search.to_lowercase().chars() {
        if matches!(character, '%' | '_' | '\\') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    match search.chars().count() {
        0 => None,
        1 | 2 => Some(format!("% {escaped}%")),
        _ => Some(format!("%{escaped}%")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_finds_the_text_itself_and_a_short_one_at_the_beginning_of_a_word() {
        for (search, expected) in [
            ("  Doe ", Some("%doe%")),
            ("jo", Some("% jo%")),
            ("100%_\\", Some("%100\\%\\_\\\\%")),
            ("  ", None),
        ] {
            assert_eq!(pattern(search).as_deref(), expected, "{search}");
        }
    }
}
