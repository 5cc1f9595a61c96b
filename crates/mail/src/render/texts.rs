//! The texts, one file for each language. The compiler demands each kind in each language. Subjects are fixed texts: no
//! argument stands in a header.

mod ar;
mod en;
mod fr;

use super::clean;
use crate::content::{Content, Language};
use chrono::{DateTime, Utc};

/// The text of a mail.
pub(super) struct Text {
    pub(super) subject: &'static str,
    pub(super) greeting: String,
    /// Before the link.
    pub(super) paragraphs: Vec<String>,
    /// What stands on the button of the link.
    pub(super) button: &'static str,
    /// What stands above the address of the link, for whom the button does not work.
    pub(super) address: &'static str,
    /// After the link.
    pub(super) notes: Vec<&'static str>,
    pub(super) footer: &'static str,
}

/// What differs between the kinds.
struct Body {
    subject: &'static str,
    paragraphs: Vec<String>,
    button: &'static str,
    notes: Vec<&'static str>,
}

pub(super) fn of(content: &Content, language: Language, name: &str) -> Text {
    let name = clean::name(name).map(|name| isolated(name, language));
    let name = name.as_deref();
    let (body, greeting, address, footer) = match language {
        Language::English => (
            en::body(content),
            en::greeting(name),
            en::ADDRESS,
            en::FOOTER,
        ),
        Language::French => (
            fr::body(content),
            fr::greeting(name),
            fr::ADDRESS,
            fr::FOOTER,
        ),
        Language::Arabic => (
            ar::body(content),
            ar::greeting(name),
            ar::ADDRESS,
            ar::FOOTER,
        ),
    };
    Text {
        subject: body.subject,
        greeting,
        paragraphs: body.paragraphs,
        button: body.button,
        address,
        notes: body.notes,
        footer,
    }
}

/// Keeps the direction of a text from outside apart from that of the sentence around it: U+2068 and U+2069.
fn isolated(text: &str, language: Language) -> String {
    let is_rtl = |c: char| matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}');
    if language == Language::Arabic || text.contains(is_rtl) {
        format!("\u{2068}{text}\u{2069}")
    } else {
        text.to_owned()
    }
}

fn device(text: &str, language: Language) -> String {
    isolated(&clean::device(text), language)
}

/// A time that each reader understands without a calendar of the language.
fn time(at: &DateTime<Utc>, language: Language) -> String {
    isolated(&at.format("%Y-%m-%d %H:%M UTC").to_string(), language)
}
