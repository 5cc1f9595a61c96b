//! The texts of notifications, in the languages of users.
//!
//! A row stores its kind and its arguments, and the text is made when somebody reads it: a user who changes the language
//! reads all notifications in the new one. Each language has a file under `texts/`.

mod bundle;

use super::Language;
use bundle::{Argument, Bundle};
use chrono::{Datelike as _, NaiveDate};
use events::Role;
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;

/// A text in one language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text {
    /// One line.
    pub title: String,
    /// The text.
    pub content: String,
}

/// The arguments of a text, as a row stores them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Arguments {
    /// The profile that a welcome is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<Role>,
    /// Empty when not known.
    #[serde(skip_serializing_if = "String::is_empty")]
    first_name: String,
    /// Empty when not known.
    #[serde(skip_serializing_if = "String::is_empty")]
    last_name: String,
    /// The day that the text names, when it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    day: Option<NaiveDate>,
}

impl Arguments {
    /// Those of a welcome.
    pub(crate) fn welcome(role: Role, first_name: &str, last_name: &str) -> Self {
        Self {
            role: Some(role),
            first_name: name(first_name),
            last_name: name(last_name),
            day: None,
        }
    }

    /// Those of a text about what happens on a day.
    pub(crate) fn day(day: Option<NaiveDate>) -> Self {
        Self {
            day,
            ..Self::default()
        }
    }

    fn names(&self) -> &'static str {
        match (self.first_name.is_empty(), self.last_name.is_empty()) {
            (true, true) => "none",
            (false, true) => "first",
            (true, false) => "last",
            (false, false) => "both",
        }
    }
}

/// Returns the text of a kind of notification; `None` when there is none for these arguments.
pub(crate) fn render(kind: &str, arguments: &Arguments, language: Language) -> Option<Text> {
    let message = message(kind, arguments);
    let full_name = format!("{} {}", arguments.first_name, arguments.last_name);
    let day = arguments.day.unwrap_or_default();
    let values = [
        ("names", Argument::Choice(arguments.names())),
        ("full-name", Argument::Name(full_name.trim())),
        ("last-name", Argument::Name(&arguments.last_name)),
        (
            "dated",
            Argument::Choice(yes_or_no(arguments.day.is_some())),
        ),
        ("year", Argument::Part(day.year().unsigned_abs())),
        ("month", Argument::Part(day.month())),
        ("day", Argument::Part(day.day())),
    ];
    let bundle = bundle(language);
    Some(Text {
        title: bundle.attribute(&message, "title", &values)?,
        content: bundle.attribute(&message, "content", &values)?,
    })
}

/// The name of the text in the files: `stage-accepted`, `welcome-student`.
fn message(kind: &str, arguments: &Arguments) -> String {
    match arguments.role {
        Some(role) => format!("{kind}-{role}"),
        None => kind.replace('.', "-"),
    }
}

/// Says how many notifications are unread.
pub(crate) fn unread(count: u64, language: Language) -> String {
    let values = [("count", Argument::Count(count))];
    let text = bundle(language).value("unread", &values);
    text.unwrap_or_else(|| count.to_string())
}

fn yes_or_no(is_so: bool) -> &'static str {
    if is_so { "yes" } else { "no" }
}

/// Returns a name on one line, without the marks that change the direction of the text after it. Markup stays: it is
/// text for whoever shows it.
fn name(text: &str) -> String {
    let is_mark = |c: char| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let is_break = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let clean: String = text
        .chars()
        .filter(|c| !is_mark(*c))
        .map(|c| if is_break(c) { ' ' } else { c })
        .collect();
    clean.trim().to_owned()
}

/// The files are read once in a process.
fn bundle(language: Language) -> &'static Bundle {
    static BUNDLES: LazyLock<[Bundle; 3]> =
        LazyLock::new(|| Language::ALL.map(|language| Bundle::new(language, file(language))));
    &BUNDLES[language as usize]
}

fn file(language: Language) -> &'static str {
    match language {
        Language::English => include_str!("../../texts/en.ftl"),
        Language::French => include_str!("../../texts/fr.ftl"),
        Language::Arabic => include_str!("../../texts/ar.ftl"),
    }
}

#[cfg(test)]
mod tests;
