//! Texts from outside, as a mail may show them.

/// The longest name that is shown.
const NAME: usize = 60;
/// The longest description of a device that is shown.
const DEVICE: usize = 80;

/// Returns a name that is nothing but a name: letters, spaces, hyphens, apostrophes, and dots before a space. Anything
/// else, such as the address of a page, a line break or a tag, is left out as a whole.
pub(super) fn name(text: &str) -> Option<&str> {
    let text = text.trim();
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        let is_fine = match c {
            '.' => characters.peek().is_none_or(|next| *next == ' '),
            ' ' | '-' | '\'' | '’' => true,
            c => c.is_alphabetic(),
        };
        if !is_fine {
            return None;
        }
    }
    (!text.is_empty() && text.chars().count() <= NAME).then_some(text)
}

/// Returns the description of a device, on one line, without what a mail program makes a link of: dots and slashes stand
/// before digits only, as in versions.
pub(super) fn device(text: &str) -> String {
    let mut clean = String::new();
    let mut characters = text.chars().take(DEVICE).peekable();
    while let Some(c) = characters.next() {
        let before_digit = characters.peek().is_some_and(char::is_ascii_digit);
        let is_fine = match c {
            '.' | '/' => before_digit,
            ' ' | '-' | ',' | ';' | '(' | ')' | '_' => true,
            c => c.is_alphanumeric(),
        };
        let c = if is_fine { c } else { ' ' };
        if c != ' ' || !(clean.is_empty() || clean.ends_with(' ')) {
            clean.push(c);
        }
    }
    clean.truncate(clean.trim_end().len());
    if clean.is_empty() { "?".into() } else { clean }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_more_than_a_name_is_left_out() {
        for good in [
            "Amina",
            "Jean-Noël",
            "O'Neill",
            "Dr. Ben Ali",
            "أمينة",
            "مُحَمَّد",
        ] {
            assert_eq!(name(good), Some(good));
        }
        assert_eq!(name(" Amina "), Some("Amina"));
        let long = "a".repeat(NAME + 1);
        for bad in [
            "",
            "see evil.example",
            "https://evil.example",
            "evil.example",
            "a\r\nBcc: x",
            "<b>Amina</b>",
            "a@b",
            "Amina\u{202e}",
            "1000 DZD",
            &long,
        ] {
            assert_eq!(name(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_device_is_one_line_without_an_address() {
        for (text, shown) in [
            (
                "Firefox/128.0 (Windows NT 10.0; x64)",
                "Firefox/128.0 (Windows NT 10.0; x64)",
            ),
            ("go to https://evil.example/x", "go to https evil example x"),
            ("a\r\nBcc: b@c.org", "a Bcc b c org"),
            ("<b>\u{202e}x</b>", "b x b"),
            ("", "?"),
            ("\n", "?"),
        ] {
            assert_eq!(device(text), shown);
        }
        assert_eq!(device(&"é".repeat(500)).chars().count(), DEVICE);
    }
}
