//! What came from outside, as text: an event, an id or a name must not move the cursor, set the title of the terminal or
//! reverse the reading direction of a line. Every line that the command prints passes [`block`], through `say!`; a value
//! that stands in a line of its own or in a cell of a table passes [`line()`] before, so that it cannot begin a line.

use serde::Serialize;
use service_kit::terminal::{acts_on, escaped, in_json};
use std::{borrow::Cow, fmt::Write as _};

/// Returns a text for one line: all control characters are escaped, those that end a line, too.
pub(crate) fn line(text: &str) -> Cow<'_, str> {
    escaped(text, acts_on, shown)
}

/// Returns a text of several lines: all control characters are escaped, but for the end of a line.
pub(crate) fn block(text: &str) -> Cow<'_, str> {
    escaped(text, |c| acts_on(c) && c != '\n', shown)
}

/// Returns a value as JSON, in which what JSON lets stand is escaped as well.
pub(crate) fn json(value: &impl Serialize) -> serde_json::Result<String> {
    let text = serde_json::to_string_pretty(value)?;
    // Such characters stand in strings only; the end of a line stands between them only.
    Ok(escaped(&text, |c| acts_on(c) && c != '\n', in_json).into_owned())
}

/// Returns a JSON text on one line. It stays JSON when it was.
pub(crate) fn json_line(text: &str) -> String {
    let text = text.replace(['\n', '\r', '\t'], " ");
    escaped(&text, acts_on, in_json).into_owned()
}

/// The width that the lines of the command keep to.
pub(crate) const WIDTH: usize = 80;

/// Breaks a text into lines of at most `width` characters, where it has spaces. A longer word has a line of its own.
pub(crate) fn wrap(text: &str, width: usize) -> String {
    hanging("", text, width)
}

/// Writes a text behind `head`, broken like [`wrap`]; the further lines begin below the text.
pub(crate) fn hanging(head: &str, text: &str, width: usize) -> String {
    let indent = head.chars().count();
    let (mut lines, mut column) = (head.to_owned(), indent);
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if column > indent && column + 1 + length > width {
            lines.push('\n');
            lines.extend(std::iter::repeat_n(' ', indent));
            column = indent;
        } else if column > indent {
            lines.push(' ');
            column += 1;
        }
        lines.push_str(word);
        column += length;
    }
    lines
}

/// As a person reads it: `\n`, `\x1b`, `\u{202e}`.
fn shown(c: char, into: &mut String) {
    match c {
        '\n' | '\r' | '\t' => into.extend(c.escape_default()),
        '\0'..='\x7f' => write!(into, "\\x{:02x}", u32::from(c)).expect("a String takes all"),
        _ => into.extend(c.escape_unicode()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    const HOSTILE: &str =
        "a\x1b[31m\x07\x7f\u{9b}31m\u{202e}\u{2066}\u{200f}\u{61c}\u{2028}é ع\r\nb\tc";

    #[test]
    fn a_line_has_no_control_character_and_keeps_what_can_be_read() {
        let safe = line(HOSTILE);
        assert!(!safe.contains(acts_on), "{safe:?}");
        assert_eq!(
            safe,
            "a\\x1b[31m\\x07\\x7f\\u{9b}31m\\u{202e}\\u{2066}\\u{200f}\\u{61c}\\u{2028}é ع\\r\\nb\\tc"
        );
        assert!(matches!(line("نور plain é"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_block_keeps_its_lines() {
        let safe = block(HOSTILE);
        assert_eq!(safe.lines().count(), 2);
        assert!(!safe.replace('\n', "").contains(acts_on), "{safe:?}");
    }

    #[test]
    fn a_text_is_broken_at_spaces_and_hangs_below_its_first_word() {
        assert_eq!(wrap("one two  three", 8), "one two\nthree");
        assert_eq!(hanging("  1 s  ", "one two", 12), "  1 s  one\n       two");
        assert_eq!(wrap("unbreakable x", 4), "unbreakable\nx");
        assert_eq!(wrap("", 4), "");
    }

    #[test]
    fn json_stays_json_and_has_no_control_character() {
        let value = Value::from(vec![HOSTILE]);
        let safe = json(&value).unwrap();
        assert!(!safe.replace('\n', "").contains(acts_on), "{safe:?}");
        assert_eq!(serde_json::from_str::<Value>(&safe).unwrap(), value);
        let one_line = json_line("{\"a\":\n\t\"\u{202e}\"}");
        assert_eq!(one_line, "{\"a\":  \"\\u202e\"}");
        assert!(!json_line(HOSTILE).contains(acts_on));
    }
}
