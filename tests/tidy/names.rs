//! Names: of files, of events, of identifiers.

use crate::source::{assert_none, containing, sources, system};
use events::{
    catalogue::EVENTS,
    topology::{self, EXCHANGE},
};

#[test]
fn no_room_is_called_common() {
    let mut broken = Vec::new();
    for file in sources(&["crates", "services"], ".rs") {
        let mut parts = file.path.split(['/', '.']);
        if parts.any(|part| ["common", "core", "utils", "util", "helpers", "misc"].contains(&part))
        {
            broken.push(file.path.clone());
        }
    }
    assert_none(broken, "name the room after what it is for");
}

#[test]
fn names_of_the_wire_stand_in_events_only() {
    let mut names = vec![EXCHANGE];
    names.extend(EVENTS.iter().map(|event| event.key));
    for queue in topology::queues() {
        names.extend([queue.name, queue.crashed]);
        names.extend(queue.patterns);
    }
    let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    let quoted: Vec<&str> = quoted.iter().map(String::as_str).collect();
    let files: Vec<_> = system()
        .into_iter()
        .filter(|file| !file.is_in(&["crates/events/"]))
        .collect();
    assert_none(
        containing(&files, &quoted),
        "name it by events' constant, such as StudentCreated::KEY",
    );
}

/// Words for which the field has a better one: ARCHITECTURE.md ends in the words that are used instead.
const AVOIDED: &[&str] = &[
    "Arrival",
    "Away",
    "Bury",
    "Deaf",
    "Desk",
    "Draft",
    "Edges",
    "Farewell",
    "Fault",
    "LIFE",
    "NotDone",
    "NotTaken",
    "Office",
    "Places",
    "Post",
    "Pulse",
    "Received",
    "Remedy",
    "Sentence",
    "Silent",
    "Verdict",
    "Which",
    "bury",
    "culprit",
    "expendable",
    "folder",
    "found",
    "guarded",
    "innocent",
    "nobody",
    "throwaway",
    "told",
    "twin",
    "twins",
    "unwell",
    "verdict",
];

/// The words of Rust code, without those of its comments and texts.
fn identifiers(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = if c.is_alphabetic() || c == '_' {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
            let end = end.unwrap_or(rest.len());
            let hashes = rest[end..].chars().take_while(|c| *c == '#').count();
            if rest[..end].ends_with('r') && end <= 2 && rest[end + hashes..].starts_with('"') {
                raw_text(&rest[end..], hashes) + end
            } else {
                words.push(&rest[..end]);
                end
            }
        } else if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if c == '"' {
            quoted(rest)
        } else if c == '\'' && (rest[1..].starts_with('\\') || rest.chars().nth(2) == Some('\'')) {
            let skip = if rest[1..].starts_with('\\') { 3 } else { 1 };
            rest[skip..]
                .find('\'')
                .map_or(rest.len(), |end| skip + end + 1)
        } else {
            c.len_utf8()
        };
        rest = &rest[length..];
    }
    words
}

/// How long a text in quotes is.
fn quoted(text: &str) -> usize {
    let mut is_escaped = false;
    let end = text[1..].find(|c| {
        let ends = c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        ends
    });
    end.map_or(text.len(), |end| end + 2)
}

/// How long a raw text is whose quotes have this many hashes.
fn raw_text(text: &str, hashes: usize) -> usize {
    let close = format!("\"{}", "#".repeat(hashes));
    let start = hashes + 1;
    let end = text[start..].find(&close);
    end.map_or(text.len(), |end| start + end + close.len())
}

#[test]
fn the_reader_of_identifiers_understands_texts() {
    let code =
        "let a1 = \"b \\\" c\"; // d\n/// e\nr#\"f \" g\"# 'h' '\\'' '\\u{e9}' &'i br\"j\" r#k é";
    assert_eq!(identifiers(code), ["let", "a1", "i", "r", "k", "é"]);
}

#[test]
fn names_are_the_fields() {
    let mut broken = Vec::new();
    for file in sources(&["crates", "services", "tests"], ".rs") {
        let mut words = identifiers(&file.text);
        words.retain(|word| AVOIDED.contains(word));
        words.sort_unstable();
        words.dedup();
        broken.extend(words.iter().map(|word| format!("{}: {word}", file.path)));
    }
    assert_none(
        broken,
        "use the field's word; see the glossary of ARCHITECTURE.md",
    );
}
