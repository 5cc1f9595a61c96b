//! What is kept of every event, beside the code: its baseline, and the documents made from it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use events::{catalogue::EVENTS, compatibility, documents};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

const PREPARE: &str = "try: ./medtrack prepare";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn names(dir: PathBuf) -> BTreeSet<String> {
    fs::read_dir(dir)
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn no_event_has_an_incompatible_change() {
    for entry in &EVENTS {
        let path = root().join(format!(
            "tests/baseline/{}@{}.json",
            entry.key, entry.schema_version
        ));
        let accepted = fs::read_to_string(&path).ok();
        match compatibility::baseline(entry, accepted.as_deref()) {
            Ok(text) => assert!(
                accepted == Some(text),
                "the baseline of {} is stale; {PREPARE}",
                entry.key
            ),
            Err(broken) => panic!("{broken}"),
        }
    }
}

/// `tests/baseline/README.md` says why a bound may be checked without a new version: the text of the field states it.
#[test]
fn each_bound_of_a_number_stands_in_the_text_of_its_field() {
    let mut bounded = 0;
    for entry in &EVENTS {
        let schema = entry.needed();
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            let (Some(least), Some(most)) = (field["minimum"].as_f64(), field["maximum"].as_f64())
            else {
                continue;
            };
            bounded += 1;
            let text = field["description"].as_str().unwrap_or_default();
            let stated = format!("From {least} to {most}");
            assert!(text.contains(&stated), "{} {name}: {text}", entry.key);
        }
    }
    assert!(bounded >= 3, "the scores and the grade have bounds");
}

#[test]
fn no_event_was_removed() {
    let baselines = names(root().join("tests/baseline")).into_iter();
    for name in baselines.filter(|name| name.ends_with(".json")) {
        let (key, version) = name.trim_end_matches(".json").rsplit_once('@').unwrap();
        let entry = EVENTS.iter().find(|entry| entry.key == key);
        let entry =
            entry.unwrap_or_else(|| panic!("{key} was removed: others publish it, or wait for it"));
        assert!(
            version.parse::<u16>().unwrap() <= entry.schema_version,
            "{key} has gone back a version"
        );
    }
}

#[test]
fn the_generated_documents_are_current() {
    let docs = root().join("../../docs");
    let fresh = documents::all();
    for (path, text) in &fresh {
        let written = fs::read_to_string(docs.join(path)).unwrap_or_default();
        assert!(written == *text, "docs/{path} is stale; {PREPARE}");
    }
    for name in names(docs.join("schemas")) {
        assert!(
            fresh.contains_key(&format!("schemas/{name}")),
            "docs/schemas/{name} is no event's; {PREPARE}"
        );
    }
}
