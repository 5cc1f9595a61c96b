//! What a terminal acts on instead of showing it. A text from outside must not move the cursor, set the title of the
//! terminal or reverse the reading direction of a line, neither in a log nor in the output of a command.

use std::borrow::Cow;

/// Whether a terminal acts on a character: the control characters (C0, DEL, C1), the marks that change the direction of
/// text, and the separators of lines.
pub fn acts_on(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Returns a text in which `escape` has written each character that `is_escaped` selects.
pub fn escaped(
    text: &str,
    is_escaped: impl Fn(char) -> bool,
    escape: fn(char, &mut String),
) -> Cow<'_, str> {
    if !text.contains(&is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match is_escaped(c) {
            true => escape(c, &mut safe),
            false => safe.push(c),
        }
    }
    Cow::Owned(safe)
}

/// Writes a character as JSON reads it: `\u202e`. All of [`acts_on`] has at most four digits.
pub fn in_json(c: char, into: &mut String) {
    into.push_str(&format!("\\u{:04x}", u32::from(c)));
}
