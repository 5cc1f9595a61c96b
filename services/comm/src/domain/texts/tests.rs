//! The files have the same texts in each language, and nothing that the program does not read.

use super::*;
use crate::domain::{AboutStudent, Notice, WELCOME, encadrant_welcome, student_welcome};
use events::{
    Event,
    catalogue::EVENTS,
    internships::{
        EvaluationCreated, EvaluationUpdated, GradeAssigned, StageAccepted, StageCancelled,
        StageCompleted, StageCreated, StageRejected, StageStarted,
    },
    profile::{EncadrantCreated, StudentCreated},
    topology::COMM,
};
use fluent_syntax::{
    ast::{Entry, Expression, InlineExpression, Pattern, PatternElement, VariantKey},
    parser,
};
use std::collections::{BTreeMap, BTreeSet};

const COUNTS: [u64; 8] = [0, 1, 2, 3, 11, 100, 12_345, 2_000_000];
/// What the texts take beside `date`, `month` and `day`.
const UNREAD: &str = "unread";

fn student(first_name: &str, last_name: &str) -> Notice {
    student_welcome(&StudentCreated {
        first_name: first_name.into(),
        last_name: last_name.into(),
        ..StudentCreated::sample()
    })
}

fn encadrant(first_name: &str, last_name: &str) -> Notice {
    encadrant_welcome(&EncadrantCreated {
        first_name: first_name.into(),
        last_name: last_name.into(),
        ..EncadrantCreated::sample()
    })
}

fn about<E: AboutStudent>() -> Notice {
    E::sample().notice()
}

fn on(day: &str) -> [Notice; 2] {
    let day = day.parse().ok();
    [
        StageAccepted {
            start_date: day,
            ..StageAccepted::sample()
        }
        .notice(),
        StageCompleted {
            completion_date: day,
            ..StageCompleted::sample()
        }
        .notice(),
    ]
}

/// Each kind, with each variant of its arguments.
fn notices() -> Vec<Notice> {
    let names = [("Amina", "Benali"), ("Amina", ""), ("", "بن علي"), ("", "")];
    let mut notices: Vec<Notice> = names
        .iter()
        .flat_map(|(first, last)| [student(first, last), encadrant(first, last)])
        .collect();
    notices.extend([
        about::<StageCreated>(),
        about::<StageRejected>(),
        about::<StageStarted>(),
        about::<StageCancelled>(),
        about::<EvaluationCreated>(),
        about::<EvaluationUpdated>(),
        about::<GradeAssigned>(),
    ]);
    notices.extend(
        ["2026-01-01", "2026-08-12", "unknown"]
            .map(on)
            .into_iter()
            .flatten(),
    );
    notices
}

fn text(notice: &Notice, language: Language) -> Text {
    let text = render(notice.kind, &notice.arguments, language);
    text.unwrap_or_else(|| panic!("{} has no text in {language:?}", notice.kind))
}

/// The names of the arguments and of the messages that a pattern reads. It panics at what [`Bundle`] does not know.
fn reads(pattern: &Pattern<&str>, arguments: &mut BTreeSet<String>, messages: &mut Vec<String>) {
    for element in &pattern.elements {
        match element {
            PatternElement::TextElement { .. } => {}
            PatternElement::Placeable {
                expression: Expression::Inline(InlineExpression::VariableReference { id }),
            } => {
                arguments.insert(id.name.to_owned());
            }
            PatternElement::Placeable {
                expression:
                    Expression::Inline(InlineExpression::MessageReference {
                        id,
                        attribute: None,
                    }),
            } => messages.push(id.name.to_owned()),
            PatternElement::Placeable {
                expression:
                    Expression::Select {
                        selector: InlineExpression::VariableReference { id },
                        variants,
                    },
            } => {
                arguments.insert(id.name.to_owned());
                for variant in variants {
                    reads(&variant.value, arguments, messages);
                }
            }
            PatternElement::Placeable { expression } => panic!("not known here: {expression:?}"),
        }
    }
}

/// Each key of a file (`unread`, `stage-created.title`) with its pattern.
fn patterns(language: Language) -> BTreeMap<String, &'static Pattern<&'static str>> {
    let mut patterns = BTreeMap::new();
    for (id, message) in &bundle(language).messages {
        if let Some(value) = &message.value {
            patterns.insert((*id).to_owned(), value);
        }
        for attribute in &message.attributes {
            patterns.insert(format!("{id}.{}", attribute.id.name), &attribute.value);
        }
    }
    patterns
}

#[test]
fn each_file_is_read_to_its_end() {
    for language in Language::ALL {
        let resource = parser::parse(file(language)).map_err(|(_, errors)| errors);
        let entries = resource
            .unwrap_or_else(|errors| panic!("{language:?}: {errors:?}"))
            .body;
        let mut ids = BTreeSet::new();
        for entry in &entries {
            match entry {
                Entry::Message(message) => {
                    assert!(ids.insert(message.id.name), "{} twice", message.id.name);
                }
                Entry::Comment(_) | Entry::GroupComment(_) | Entry::ResourceComment(_) => {}
                Entry::Term(_) | Entry::Junk { .. } => panic!("{language:?}: {entry:?}"),
            }
        }
    }
}

#[test]
fn each_language_has_the_same_keys_with_the_same_arguments() {
    let keys = |language| -> BTreeMap<String, BTreeSet<String>> {
        let reads_of = |pattern| {
            let (mut arguments, mut messages) = (BTreeSet::new(), Vec::new());
            reads(pattern, &mut arguments, &mut messages);
            // A helper such as `date` may write a part or leave it to another helper.
            while let Some(message) = messages.pop() {
                let pattern = patterns(language).remove(&message);
                let pattern = pattern.unwrap_or_else(|| panic!("{language:?} lacks {message}"));
                reads(pattern, &mut arguments, &mut messages);
            }
            arguments
        };
        let patterns = patterns(language).into_iter();
        patterns
            .map(|(key, pattern)| (key, reads_of(pattern)))
            .collect()
    };
    let english = keys(Language::English);
    assert!(english["stage-accepted.content"].contains("month"));
    for language in Language::ALL {
        assert_eq!(keys(language), english, "{language:?}");
    }
}

/// Each selection of a pattern, also those inside of others: the argument, and the names of the variants that have one.
fn selections_of<'a>(pattern: &'a Pattern<&str>) -> Vec<(&'a str, BTreeSet<&'a str>)> {
    let mut selections = Vec::new();
    for element in &pattern.elements {
        let PatternElement::Placeable {
            expression:
                Expression::Select {
                    selector: InlineExpression::VariableReference { id },
                    variants,
                },
        } = element
        else {
            continue;
        };
        let names = variants.iter().filter_map(|variant| match variant.key {
            VariantKey::Identifier { name } => Some(name),
            VariantKey::NumberLiteral { .. } => None,
        });
        selections.push((id.name, names.collect()));
        selections.extend(
            variants
                .iter()
                .flat_map(|variant| selections_of(&variant.value)),
        );
    }
    selections
}

#[test]
fn a_text_that_counts_has_each_plural_category_of_its_language() {
    for language in Language::ALL {
        let mut counted = 0;
        for (key, pattern) in patterns(language) {
            for (argument, names) in selections_of(pattern) {
                if argument == "count" {
                    let categories = language.categories().iter().copied().collect();
                    assert_eq!(names, categories, "{language:?} {key}");
                    counted += 1;
                } else {
                    let categories = Language::Arabic.categories();
                    let taken = categories.iter().any(|category| names.contains(category));
                    assert!(!taken, "{language:?} {key}: only $count has categories");
                }
            }
        }
        assert_eq!(counted, 1, "{language:?}");
    }
}

#[test]
fn each_text_is_used_and_each_notification_has_one() {
    let notices = notices();
    let kinds: BTreeSet<&str> = notices.iter().map(|notice| notice.kind).collect();
    // What a new profile leads to is a welcome; all else is about internships.
    let is_ours = |entry: &&events::catalogue::Entry| {
        let patterns = COMM.queue.patterns.iter();
        let mut own = patterns.filter(|pattern| !pattern.starts_with("auth."));
        own.any(|pattern| events::key::matches(pattern, entry.key))
            && !entry.producer.starts_with("profile-")
    };
    let received: BTreeSet<&str> = EVENTS
        .iter()
        .filter(is_ours)
        .map(|entry| entry.key)
        .chain([WELCOME])
        .collect();
    assert_eq!(kinds, received);

    let mut used: BTreeSet<String> = ["date", "month", "day", UNREAD].map(str::to_owned).into();
    for notice in &notices {
        let message = message(notice.kind, &notice.arguments);
        used.extend(["title", "content"].map(|part| format!("{message}.{part}")));
    }
    let there: BTreeSet<String> = patterns(Language::English).into_keys().collect();
    assert_eq!(there, used);
}

#[test]
fn each_kind_says_in_each_language_what_the_golden_text_says() {
    for language in Language::ALL {
        let mut lines = Vec::new();
        for notice in notices() {
            let Text { title, content } = text(&notice, language);
            lines.push(format!("{} | {title} | {content}", notice.kind));
        }
        for count in COUNTS {
            lines.push(format!("unread {count} | {}", unread(count, language)));
        }
        insta::assert_snapshot!(format!("texts.{}", language.code()), lines.join("\n"));
    }
}

#[test]
fn each_day_of_a_year_is_written_in_each_language() {
    let days = NaiveDate::default().iter_days().take(366);
    let mut written: [BTreeSet<String>; 3] = Default::default();
    for day in days {
        let arguments = Arguments::day(Some(day));
        for (language, written) in Language::ALL.into_iter().zip(&mut written) {
            let text = render(StageAccepted::KEY, &arguments, language).unwrap();
            if language == Language::English {
                assert!(text.content.ends_with(&format!(" {day}.")), "{text:?}");
            }
            written.insert(text.content);
        }
    }
    assert_eq!(written.map(|days| days.len()), [366, 366, 366]);
}

#[test]
fn names_stay_text_and_are_kept_apart_in_arabic_only() {
    for hostile in [
        "<b onclick='x'>A</b>",
        "{ $last-name } { date }",
        "a\r\nBcc: b@c.org",
        "\u{202e}evil",
        "a\u{2069}\u{2068}b\u{200f}",
        "\u{2028}x\u{1b}[31m",
        "%s %(name)s \\u0041 &amp;",
    ] {
        let shown: String = hostile
            .chars()
            .filter(|c| !"\u{202e}\u{2068}\u{2069}\u{200f}".contains(*c))
            .map(|c| {
                if "\r\n\u{2028}\u{1b}".contains(c) {
                    ' '
                } else {
                    c
                }
            })
            .collect();
        let shown = shown.trim();
        for language in Language::ALL {
            for notice in [student(hostile, ""), encadrant("", hostile)] {
                let Text { content, .. } = text(&notice, language);
                let isolated = format!("\u{2068}{shown}\u{2069}");
                let expected = match language {
                    Language::Arabic => isolated.as_str(),
                    _ => shown,
                };
                assert!(content.contains(expected), "{content:?}");
                let marks = content.matches(['\u{2068}', '\u{2069}', '\u{202e}', '\u{200f}']);
                let most = if language == Language::Arabic { 2 } else { 0 };
                assert_eq!(marks.count(), most, "{content:?}");
                assert!(!content.contains(|c: char| c.is_control()), "{content:?}");
            }
        }
    }
}

#[test]
fn titles_have_no_emoji_and_texts_no_score() {
    for notice in notices() {
        for language in Language::ALL {
            let Text { title, content } = text(&notice, language);
            let is_plain = |c: char| c.is_alphanumeric() || " !.'\u{a0}".contains(c);
            let odd: String = title.chars().filter(|c| !is_plain(*c)).collect();
            // Arabic marks of vowels are no letters.
            assert!(
                odd.chars().all(|c| ('\u{64b}'..='\u{652}').contains(&c)),
                "{title}"
            );
            assert!(
                !content.contains('/') && !content.contains('%'),
                "{content}"
            );
            let digits: String = content.chars().filter(char::is_ascii_digit).collect();
            let has_day = notice.arguments.day.is_some();
            assert_eq!(digits.is_empty(), !has_day, "{content}");
            assert!(!content.contains(|c: char| ('\u{660}'..='\u{669}').contains(&c)));
        }
    }
}

#[test]
fn french_has_a_no_break_space_before_an_exclamation_mark() {
    let texts = notices().into_iter().flat_map(|notice| {
        let Text { title, content } = text(&notice, Language::French);
        [title, content]
    });
    for text in texts {
        for (at, _) in text.match_indices(['!', '?', ':', ';']) {
            assert!(text[..at].ends_with('\u{a0}'), "{text}");
        }
    }
}

#[test]
fn a_row_of_another_version_has_no_text_here() {
    let stored = serde_json::json!({"first_name": "Amina", "later": true});
    let arguments = Arguments::deserialize(stored).unwrap();
    assert_eq!(arguments.names(), "first");
    assert_eq!(render("stage.archived", &arguments, Language::French), None);
    let mut asked_for = Arguments::welcome(Role::Admin, "", "");
    assert_eq!(render(WELCOME, &asked_for, Language::French), None);
    asked_for.role = Some(Role::Student);
    assert!(render(WELCOME, &asked_for, Language::French).is_some());
}
