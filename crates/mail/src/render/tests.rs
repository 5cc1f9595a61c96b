use super::*;
use crate::content::tests::samples;
use lettre::message::header::Subject;

const SECRET: &str = "S3cr3t-of_the-link";

fn with<T>(
    content: &Content,
    language: Language,
    name: &str,
    then: impl FnOnce(Page<'_>, &Frame<'_>) -> T,
) -> T {
    let from = "MedTrack <no-reply@medtrack.example>".parse().unwrap();
    let frame = Frame {
        from: &from,
        public_url: "https://medtrack.example",
        recipient: "amina@example.org",
        name,
        language,
        secret: content.purpose().map(|_| SECRET),
        message_id: Uuid::nil(),
    };
    then(Page::new(content, &frame), &frame)
}

fn plain(content: &Content, language: Language, name: &str) -> String {
    with(content, language, name, |page, _| {
        let text = Plain { page: &page }.render().unwrap();
        format!("Subject: {}\n\n{text}", page.text.subject)
    })
}

fn html(content: &Content, language: Language, name: &str) -> String {
    with(content, language, name, |page, _| {
        Html { page: &page }.render().unwrap()
    })
}

fn all() -> Vec<(Content, Language)> {
    let each = |content: Content| Language::ALL.map(|language| (content.clone(), language));
    samples().into_iter().flat_map(each).collect()
}

#[test]
fn each_kind_says_in_each_language_what_the_golden_text_says() {
    for (content, language) in all() {
        let name = format!("{}.{}", content.kind(), language.code());
        insta::assert_snapshot!(name, plain(&content, language, "Amina"));
    }
}

#[test]
fn the_layout_is_the_golden_one_in_each_direction() {
    for language in Language::ALL {
        let name = format!("layout.{}", language.code());
        insta::assert_snapshot!(name, html(&Content::Verification, language, "Amina"));
    }
}

#[test]
fn no_placeholder_is_left_and_both_forms_say_the_same() {
    for (content, language) in all() {
        let (plain, html) = (
            plain(&content, language, "Amina"),
            html(&content, language, "Amina"),
        );
        for text in [&plain, &html] {
            for left in ["{{", "}}", "{%", "{name}", "None", "Some("] {
                assert!(!text.contains(left), "{left}: {text}");
            }
            assert_eq!(text.contains(SECRET), content.purpose().is_some(), "{text}");
            assert!(text.contains("Amina"), "{text}");
        }
        let unescaped = html.replace("&#39;", "'").replace("&#34;", "\"");
        for line in plain
            .lines()
            .filter(|line| !line.is_empty() && *line != "-- ")
        {
            let line = line.trim_start_matches("Subject: ").trim_end_matches(':');
            assert!(unescaped.contains(line), "{line}: {html}");
        }
    }
}

#[test]
fn arabic_runs_from_right_to_left_in_each_table_and_cell() {
    let arabic = html(&Content::Verification, Language::Arabic, "أمينة");
    assert!(arabic.contains("<html lang=\"ar\" dir=\"rtl\">"));
    for tag in ["<table", "<td"] {
        for (at, _) in arabic.match_indices(tag) {
            let rest = &arabic[at..];
            let end = rest.find('>').unwrap();
            assert!(rest[..end].contains("dir=\"rtl\""), "{}", &rest[..end]);
        }
    }
    assert!(!html(&Content::Verification, Language::French, "Amina").contains("rtl"));
}

#[test]
fn a_subject_is_one_line_without_anything_from_outside() {
    for (content, language) in all() {
        with(&content, language, "Zoubida", |page, frame| {
            let message = message(&content, frame).unwrap();
            let subject: &str = message
                .headers()
                .get::<Subject>()
                .unwrap()
                .as_ref()
                .to_owned()
                .leak();
            assert_eq!(subject, page.text.subject);
            assert!(!subject.contains(char::is_control), "{subject:?}");
            assert!(!subject.contains(['\u{2068}', '\u{2069}']), "{subject:?}");
            assert!(!subject.contains("Zoubida") && subject.chars().count() <= 78);
        });
    }
}

#[test]
fn html_in_an_argument_is_harmless() {
    let hostile = "<img src=x onerror=alert(1)>\r\nBcc: evil@example.org http://evil.example";
    let device = Content::NewDevice {
        device: hostile.into(),
        at: "2026-11-26T14:05:09Z".parse().unwrap(),
    };
    for language in Language::ALL {
        for text in [
            plain(&device, language, hostile),
            html(&device, language, hostile),
        ] {
            for bad in ["<img", "\nBcc", "evil@", "http://evil", "evil.example"] {
                assert!(!text.contains(bad), "{bad}: {text}");
            }
        }
    }
}

#[test]
fn the_message_is_ascii_whatever_the_language() {
    for (content, language) in all() {
        with(&content, language, "أمينة", |_, frame| {
            let text = message(&content, frame).unwrap().formatted();
            assert!(text.is_ascii());
            assert!(
                text.split(|byte| *byte == b'\n')
                    .all(|line| line.len() <= 998)
            );
        });
    }
}
